"""Runs: the list of them, the page of each, and how far it is for the script of that page."""

import json
from functools import cached_property
from typing import Any

import grok

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import Crumb, Door, status_of
from waeup.kofa.browser.runs.advice import AdvisedPart
from waeup.kofa.browser.runs.runparts import live_texts
from waeup.kofa.browser.words import (
    is_preview,
    kind_title,
    mode_title,
    percent,
    state_look,
    state_title,
)
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter
from waeup.kofa.jobs.undos import UNDONE_SUFFIX
from waeup.kofa.operations import RunInfo, StoredFile
from waeup.kofa.spool import FINISHED_SUFFIX, PENDING_SUFFIX

#: Runs that the list shows.
LISTED = 100

#: Headings for runs that are finished, by kind.
_RESULTS = {
    "import": _("Result of the import"),
    "check": _("Result of the check"),
    "undo": _("Result of the undo"),
    "export": _("Result of the export"),
}
#: Headings for the others.
_TITLES = {
    "import": _("Import of ${file}"),
    "check": _("Check of ${file}"),
    "undo": _("Undo of the import of ${file}"),
    "export": _("Export as ${file}"),
}


class Runs(DataCenterPage):
    """The runs of kinds that the person may import, and exports, the newest first."""

    grok.name("runs")
    grok.require("waeup.manageDataCenter")

    label = _("Runs")
    tab = "runs"
    limit = LISTED
    kind_title = staticmethod(kind_title)
    state_look = staticmethod(state_look)
    mode_title = staticmethod(mode_title)

    def update(self) -> None:
        """List the runs."""
        self.runs = self.operations.runs(LISTED)

    def state_text(self, run: RunInfo) -> str:
        """Say how a run is."""
        text = self.words(state_title(run))
        return f"{text}, {percent(run)} %" if run.state == "running" else text

    def totals_text(self, run: RunInfo) -> str:
        """Say how many rows were worked on, and how many of them failed or would."""
        report = run.report
        if run.kind in ("export", "move"):
            return self.number(run.rows)
        if not report.failed:
            return self.number(report.total)
        text = _("${n}; would fail: ${f}") if run.kind == "check" else _("${n}; failed: ${f}")
        mapping = {"n": self.number(report.total), "f": self.number(report.failed)}
        return self.words(_(text, mapping=mapping))


class RunPage(AdvisedPart):
    """One run (``id=``), whatever its kind and state, and what can be done with it."""

    grok.name("run")
    grok.require("waeup.manageDataCenter")

    section = _("Runs")
    view_name = "run"
    buttons = {
        "cancelrun": "cancel_run",
        "resume": "resume",
        "preview_undo": "preview_undo",
        "undo": "undo",
        "select": "begin_import",
        "mend": "mend",
        "again": "import_again",
        "advised": "follow_advice",
        "discard": "discard",
    }

    @property
    def label(self) -> Any:
        """What is shown."""
        run = self.shown
        if is_preview(run):
            return _("Preview: taking the import of ${file} back", mapping={"file": run.file})
        if run.state in ("finished", "undone"):
            return _RESULTS[run.kind]
        return _(_TITLES[run.kind], mapping={"file": run.file})

    @property
    def title(self) -> str:
        """See `Page`; what has become of a run comes first, for those who look elsewhere."""
        run, title = self.shown, super().title
        return title if run.is_active else f"{self.labelled(state_title(run), run.file)} - {title}"

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the list of runs, or of exports, is on the way."""
        if self.shown.kind == "export":
            return [*super().crumbs, Crumb(_("Exports"), self.link("export"))]
        return [*super().crumbs, Crumb(_("Runs"), self.link("runs"))]

    @property
    def tab(self) -> str:  # type: ignore[override]
        """See `Page`."""
        return "exports" if self.shown.kind == "export" else "runs"

    @property
    def way(self) -> dict[str, str]:
        """See `RunPart`."""
        return {"id": self.field("id")}

    def is_there(self, file: str) -> bool:
        """Tell whether a file of the run was not purged, nor imported."""
        return self.operations.is_there(file)

    def prepare(self) -> None:
        """Get the run, and say in one line what has become of the rows."""
        self.shown = self.operations.run(self.field("id"))
        if self.shown.kind == "move":
            self.redirect(self.run_link(self.shown))
            return
        self.is_preview = is_preview(self.shown)
        if self.shown.kind != "import" or self.shown.state != "finished":
            return
        report = self.shown.report
        if report.failed:
            self.say(self._counted(_("Processing of ${n} rows failed."), report.failed), "warning")
        if report.done:
            self.say(self._counted(_("Successfully processed ${n} rows."), report.done))

    @cached_property
    def came_back(self) -> str | None:
        """The name of the file with the rows that have failed, while it waits to be mended."""
        name = self.shown.report.pending
        files = self.operations.pending_files() if name and self.shown.kind == "import" else []
        is_there = any(file.name == name and file.run == self.shown.id for file in files)
        return name if is_there else None

    @cached_property
    def undone(self) -> RunInfo | None:
        """The import that is taken back, or would be, if it is known still."""
        return self.known_run(self.shown.undoes)

    @cached_property
    def is_of_use(self) -> bool:
        """Whether what a preview has found out can be done still."""
        return self.undone is not None and "undo" in self.undone.actions

    @cached_property
    def original(self) -> StoredFile | None:
        """The file of an import that was taken back, as long as it is kept.

        Of rows that came back from an earlier import there is none: the file that they came with
        has the rows of that one, too.
        """
        run = self.shown if self.shown.kind == "import" else self.undone
        if run is None or run.state != "undone" or run.file.endswith(PENDING_SUFFIX):
            return None
        kept = [*self.operations.files_in("finished"), *self.operations.files_in("unfinished")]
        return next((file for file in kept if file.run == run.id and _is_original(file)), None)

    def resume(self) -> None:
        """Let the run go on; a second click finds that it does already."""
        if not self.operations.run(self.field("id")).is_active:
            self.operations.resume(self.field("id"))
        self.redirect(self.address)

    def mend(self) -> None:
        """Lead to where the rows are mended that came back."""
        self.begin_mending(self.field("mend"))

    def import_again(self) -> None:
        """Bring the file of an import that was taken back among those that wait, and begin."""
        self.shown = self.operations.run(self.field("id"))
        if self.original is None:
            raise NoSuchItem(_("The file is not there any more: it was purged."))
        upload = self.operations.restore(self.original.name, self.original.folder)
        self.flash(_("Restored: ${name}", mapping={"name": upload.name}))
        self.redirect(self.link("import2", draft=self.operations.new_draft(upload.name).id))

    @property
    def can_follow(self) -> bool:
        """See `AdvisedPart`."""
        return self.came_back is not None

    def follow_advice(self) -> None:
        """Check the rows that came back in the mode that helps."""
        self.shown = self.operations.run(self.field("id"))
        if self.came_back is None or self.advice is None:
            raise NoSuchItem(_("The file is not there any more: it was imported or deleted."))
        self.begin_mending(self.came_back, self.advice.mode)

    def discard(self) -> None:
        """Forget an export and what it gave."""
        self.discard_export(self.field("id"))

    def preview_undo(self) -> None:
        """Find out what taking the import back would do."""
        self._go_to(self.operations.start_undo(self.field("id"), check=True).id)

    def undo(self) -> None:
        """Take the import back that the preview is about; a second click leads to the first."""
        preview = self.operations.run(self.field("id"))
        undone = self.operations.run(preview.undoes or "")
        self._go_to(undone.undone_by or self.operations.start_undo(undone.id).id)

    def _go_to(self, id: str) -> None:
        self.redirect(self.link("run", id=id))

    def _counted(self, text: str, number: int) -> str:
        """Return a message with a number in it."""
        return _(text, mapping={"n": self.number(number)})


def _is_original(file: StoredFile) -> bool:
    """Tell whether a file is what was brought, and not what an import or its undo has written."""
    return not file.name.endswith((FINISHED_SUFFIX, UNDONE_SUFFIX))


class RunStatus(Door):
    """How far a run (``id=``) is, for the script of its page."""

    grok.context(IDataCenter)
    grok.name("runstatus")
    grok.require("waeup.manageDataCenter")

    def render(self) -> str:
        """Return JSON; a refusal is told with its status."""
        self.set_security_headers()
        self.response.setHeader("Content-Type", "application/json")
        self.response.setHeader("Cache-Control", "no-store")
        try:
            return json.dumps(self._told(self.operations.run(self.field("id"))))
        except Refused as refusal:
            self.response.setStatus(status_of(refusal))
            return json.dumps({"error": self.words(refusal)})

    def _told(self, run: RunInfo) -> dict[str, Any]:
        texts = live_texts(run)
        names = ("id", "kind", "state", "is_active", "is_cancelling", "rows", "failed")
        more = ("fraction", "rate", "remaining", "waits_for")
        return {
            **{name: getattr(run, name) for name in (*names, *more)},
            "texts": {name: self.words(text) for name, text in texts.items()},
        }
