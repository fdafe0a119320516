"""The four steps of an import: choose a file, say what it is, map its columns, run it.

What the officer has chosen is kept in a draft in the database, whose id goes
from step to step: two tabs do not mix, and a broken session loses nothing.
"""

from functools import cached_property
from typing import Any, NamedTuple

import grok
import transaction
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import MappingError, NotAllowed, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IGNORE_COLUMN


class Mode(NamedTuple):
    """What can be done with the rows of a file."""

    name: str
    title: str
    help: str


MODES = (
    Mode("create", _("Create"), _("Make a new object of each row.")),
    Mode(
        "update",
        _("Update"),
        _("Change the objects that the rows name; empty cells change nothing."),
    ),
    Mode("remove", _("Remove"), _("Remove the objects that the rows name.")),
)


class Total(NamedTuple):
    """One number of the result page."""

    name: str
    title: str
    number: int


class Column(NamedTuple):
    """A column of the file as step 3 shows it: what it holds and the field it fills."""

    header: str
    samples: tuple[str, ...]
    field: str | None


class Constant(NamedTuple):
    """A field that gets the same text in each row."""

    field: str
    text: str


class ImportStep(DataCenterPage, FormPage):
    """A step of an import, with its draft.

    `needs` says which attributes of the draft must be there; who comes too early
    is sent to the step that sets them.
    """

    grok.baseclass()

    label = _("Process CSV file")
    step = 0
    needs: dict[str, int] = {}
    steps = (
        _("Choose a file"),
        _("Choose processor and mode"),
        _("Map the columns"),
        _("Perform the import"),
    )

    #: Where the officer is in the four steps.
    show_steps = ViewPageTemplateFile("steps.pt")

    def update(self) -> None:
        """Do what the button says, unless an earlier step is missing."""
        missing = [step for name, step in self.needs.items() if not getattr(self.draft, name)]
        if missing:
            self.go(min(missing))
        else:
            super().update()

    @cached_property
    def draft(self) -> Any:
        """The draft that the address names."""
        return self.operations.draft(self.field("draft"))

    @cached_property
    def preview(self) -> Any:
        """Header and first rows of the draft's file."""
        return self.operations.preview(self.draft.filename)

    @cached_property
    def processors(self) -> dict[str, Any]:
        """The processors that this person may use, by name."""
        return {info.name: info for info in self.operations.processors()}

    @property
    def processor(self) -> Any:
        """The processor of the draft, which step 2 has set."""
        info = self.processors.get(self.draft.processor)
        if info is None:
            raise NotAllowed(
                f"You may not use the processor {self.draft.processor!r} any more. "
                "Ask the administrator of the portal for a role that may, or begin again."
            )
        return info

    def go(self, step: int) -> None:
        """Go to another step of the same draft."""
        self.redirect(self.link(f"import{step}", draft=self.draft.id))

    def save(self, **changes: Any) -> None:
        """Keep what was chosen."""
        self.operations.save_draft(self.draft.id, **changes)

    def cancel(self) -> None:
        """Give the import up."""
        self.operations.drop_draft(self.draft.id)
        self.flash(_("Import aborted."), "warning")
        self.leave()


class Import1(ImportStep):
    """Step 1: choose a pending file."""

    grok.name("import1")
    grok.require("waeup.manageDataCenter")

    step = 1
    buttons = {"select": "begin_import", "cancel": "leave"}

    def prepare(self) -> None:
        """List the files, newest first."""
        self.files = self.operations.pending_files(sort="date")


class Import2(ImportStep):
    """Step 2: choose what the rows are and what is to be done with them."""

    grok.name("import2")
    grok.require("waeup.manageDataCenter")

    step = 2
    modes = MODES
    buttons = {"proceed": "proceed", "back1": "back", "cancel": "cancel"}

    def prepare(self) -> None:
        """Show the first rows."""
        self.importer = self.field("importer") or self.draft.processor
        self.fixed_mode = self.preview.suggested_mode
        self.mode = self.fixed_mode or self.field("mode") or self.draft.mode or "create"

    def proceed(self) -> None:
        """Keep the choice; another processor or mode than before needs a new mapping."""
        processor, mode = self.field("importer"), self.field("mode")
        mode = self.preview.suggested_mode or mode
        info = self.processors.get(processor)
        if info is None:
            raise MappingError(_("Choose a processor: it says what the rows of the file are."))
        if mode not in info.modes:
            raise MappingError(
                f"{info.title} cannot do {mode!r}. Choose one of: {', '.join(info.modes)}."
            )
        changes: dict[str, Any] = {"processor": processor, "mode": mode}
        if (processor, mode) != (self.draft.processor, self.draft.mode):
            changes.update(columns=None, constants=())
        self.save(**changes)
        self.go(3)

    def back(self) -> None:
        """Choose another file."""
        self.operations.drop_draft(self.draft.id)
        self.redirect(self.link("import1"))


class Import3(ImportStep):
    """Step 3: say which column fills which field, and what all rows have in common."""

    grok.name("import3")
    grok.require("waeup.manageDataCenter")

    step = 3
    needs = {"processor": 2}
    ignore = IGNORE_COLUMN
    buttons = {
        "proceed": "proceed",
        "update": "check",
        "reset": "reset",
        "back2": "back",
        "cancel": "cancel",
    }

    def prepare(self) -> None:
        """Show columns with their fields, and constants for what is missing."""
        fields, constants = self._chosen()
        self.columns = [
            Column(
                header,
                tuple(row[at] if at < len(row) else "" for row in self.preview.samples),
                fields[at] if at < len(fields) else None,
            )
            for at, header in enumerate(self.preview.header)
        ]
        self.constants = self._constants(fields, constants)
        self.complaint = self._complaint()

    def check(self) -> None:
        """Keep the mapping, whether it fits already or not."""
        columns, constants = self._chosen()
        self.save(columns=columns, constants=constants)

    def reset(self) -> None:
        """Go back to what the portal proposes."""
        self.save(columns=None, constants=())
        self.go(3)

    def proceed(self) -> None:
        """Keep the mapping and go on, if it fits."""
        self._check()
        self.check()
        self.go(4)

    def back(self) -> None:
        """Choose another processor."""
        self.go(2)

    def named(self, field: str) -> str:
        """Return the name of a field, marked if it must be filled."""
        return f"{field} *" if field in self.processor.required[self.draft.mode] else field

    def _chosen(self) -> tuple[tuple[str | None, ...], tuple[tuple[str, str], ...]]:
        """Return fields by column, and constants: from the form, the draft, or a proposal."""
        if "headerfield" in self.request.form:
            chosen = self.fields("headerfield")
            columns = tuple(None if field in ("", self.ignore) else field for field in chosen)
            texts = zip(self.fields("constantfield"), self.fields("constant"), strict=False)
            return columns, tuple((field, text) for field, text in texts if field and text)
        draft = self.draft
        if draft.columns is not None:
            return draft.columns, draft.constants
        proposed = self.operations.propose_mapping(draft.filename, draft.processor, draft.mode)
        return proposed.columns, proposed.constants

    def _constants(
        self, fields: tuple[str | None, ...], chosen: tuple[tuple[str, str], ...]
    ) -> list[Constant]:
        """Return the constants that were chosen, the fields that need one, and a free line."""
        filled = {*fields, *(field for field, _text in chosen)}
        required = self.processor.required[self.draft.mode]
        return [
            *(Constant(field, text) for field, text in chosen),
            *(Constant(field, "") for field in required if field not in filled),
            Constant("", ""),
        ]

    def _check(self) -> None:
        """Raise `Refused` when the mapping does not fit."""
        draft, mapping = self.draft, Mapping(*self._chosen())
        self.operations.check(draft.filename, draft.processor, draft.mode, mapping)

    def _complaint(self) -> str:
        """Return what is wrong with the mapping, or ''."""
        try:
            self._check()
        except Refused as refusal:
            return str(refusal)
        return ""


class Import4(ImportStep):
    """Step 4: see in words what will happen, let it happen, and see what has happened."""

    grok.name("import4")
    grok.require("waeup.importData")

    step = 4
    needs = {"processor": 2, "columns": 3}
    buttons = {"perform": "perform", "back3": "back", "cancel": "cancel"}
    report: Any = None

    def perform(self) -> None:
        """Import the file; on this page stands what has become of it."""
        draft = self.draft
        self.imported = self.processor
        self.report = self.operations.import_file(
            draft.filename,
            draft.processor,
            draft.mode,
            Mapping(draft.columns, draft.constants),
            digest=draft.digest,
        )
        # The import has committed in transactions of its own. Nothing of this request may
        # conflict with them now: a conflict would make the publisher send the click again.
        transaction.abort()
        if self.report.failed:
            self.say(_n("Processing of ${n} rows failed.", self.report.failed), "warning")
        if self.report.done:
            self.say(_n("Successfully processed ${n} rows.", self.report.done))

    def prepare(self) -> None:
        """Say which columns fill which fields."""
        if self.report is None:
            pairs = zip(self.preview.header, self.draft.columns, strict=False)
            self.mapped = [(header, field) for header, field in pairs if field]
            self.ignored = [
                header
                for header, field in zip(self.preview.header, self.draft.columns, strict=False)
                if not field
            ]

    @property
    def totals(self) -> list[Total]:
        """The numbers of rows by outcome, without those that are of no interest."""
        report = self.report
        numbers = [
            Total("created", _("Created"), report.created),
            Total("updated", _("Updated"), report.updated),
            Total("unchanged", _("Unchanged"), report.unchanged),
            Total("removed", _("Removed"), report.removed),
        ]
        return [
            Total("total", _("Rows"), report.total),
            *(total for total in numbers if total.number),
            Total("failed", _("Failed"), report.failed),
        ]

    def back(self) -> None:
        """Change the mapping."""
        self.go(3)


def _n(text: str, number: int) -> str:
    """Return a message with a number in it."""
    return _(text, mapping={"n": number})
