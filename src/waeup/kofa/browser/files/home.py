"""The data center's home page: what waits, what runs, what came back, what was finished lately.

All files are looked at once, without opening any; only what is on the page is asked about
further.  What is searched for, how the files are sorted and which page of them is shown stands in
the address.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.paging import paged
from waeup.kofa.browser.runs.runparts import live_texts, outcomes_of
from waeup.kofa.browser.words import kind_title, mode_title, state_look, state_title
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import RunInfo, StoredFile

#: Files that wait, files that came back, and runs on one page.
WAITING, BACK, RUNS = 25, 10, 10
#: Days for which what was finished is shown here.
LATELY = timedelta(days=7)
#: Reasons that are told of a file that came back.
REASONS = 3
#: What is told of when it is over.
TOLD = ("import", "undo", "export")

#: Ways to sort, and what files are sorted by; the name decides where that is the same.
_KEYS: dict[str, Callable[[StoredFile], Any]] = {
    "name": lambda file: (),
    "date": lambda file: file.date,
    "size": lambda file: file.size,
    "owner": lambda file: file.owner.casefold(),
}
_NEWEST = "-date"


class Order(NamedTuple):
    """A way to sort; `name` stands in the address, with a minus for the other direction."""

    name: str
    title: Any


ORDERS = (
    Order(_NEWEST, _("the newest first")),
    Order("date", _("the oldest first")),
    Order("name", _("by name")),
    Order("-name", _("by name, from the end")),
    Order("-size", _("the largest first")),
    Order("size", _("the smallest first")),
    Order("owner", _("by owner")),
    Order("-owner", _("by owner, from the end")),
)


class Index(DataCenterPage, FormPage):
    """Files and runs, each with its next step.

    ``q`` is searched for in the names of files, ``sort`` is one of `ORDERS`, ``page`` and
    ``back`` are the pages of the files that wait and of those that came back.  With names of
    files (``?remove=a.csv&remove=b.csv``) it asks whether they are to be deleted; ``deleted`` are
    those that were deleted just now, and can be brought back.
    """

    grok.name("index")
    grok.require("waeup.manageDataCenter")

    label = _("Data Center")
    buttons = {
        "select": "begin_import",
        "mend": "mend",
        "cancelrun": "cancel_run",
        "preview_undo": "preview_undo",
        "ask": "ask",
        "confirmed": "remove",
        "restore": "restore",
        "cancel": "leave",
    }
    orders = ORDERS
    lately_days = LATELY.days
    waiting_label = _("Pages of files that wait")
    back_label = _("Pages of files that came back")
    kind_title = staticmethod(kind_title)
    mode_title = staticmethod(mode_title)
    state_look = staticmethod(state_look)

    def live_texts(self, run: RunInfo) -> dict[str, str]:
        """Return what changes while a run is worked on."""
        return {name: self.words(text) for name, text in live_texts(run).items()}

    def prepare(self) -> None:
        """Gather the four parts."""
        self.selected = frozenset(self.fields("val_id"))
        files = self.operations.pending_files()
        asked = frozenset(self.fields("remove"))
        self.to_remove = [file.name for file in files if file.name in asked]
        gone = frozenset(self.fields("deleted"))
        self.deleted = (
            [file for file in self.operations.files_in("deleted") if file.name in gone]
            if gone
            else []
        )
        self.total = len(files)
        found = self._sorted([file for file in files if self.search in file.name.casefold()])
        waiting = [file for file in found if file.run is None]
        self.waiting = paged(waiting, self.field("page"), WAITING)
        back = [file for file in found if file.run is not None]
        self.back = paged(back, self.field("back"), BACK)
        self.sources = self.operations.known_runs(file.run for file in self.back.items)
        self.holders = self.holders_of([*self.waiting.items, *self.back.items])
        self.active = self.operations.active_runs(RUNS)
        since = datetime.now(timezone.utc) - LATELY
        self.ended = self.operations.runs(RUNS, kinds=TOLD, since=since, is_over=True)

    # -- the address ---------------------------------------------------------------

    @property
    def search(self) -> str:
        """What is searched for in names, in small letters."""
        return self.field("q").strip().casefold()

    @property
    def sort(self) -> str:
        """How the files are sorted."""
        asked = self.field("sort")
        return asked if asked in {order.name for order in ORDERS} else _NEWEST

    def here(self, **changes: str) -> str:
        """Return the address of this page, but for what changes."""
        said = dict(self._said(**changes))
        return f"{self.url(self.context)}?{urlencode(said)}" if said else self.url(self.context)

    @property
    def said(self) -> list[tuple[str, str]]:
        """What the address says; forms keep it, since what they send replaces it."""
        return self._said()

    def _said(self, **changes: str) -> list[tuple[str, str]]:
        data = {"q": self.field("q").strip(), "sort": self.sort}
        data.update({name: self.field(name) for name in ("page", "back")}, **changes)
        usual = {"sort": _NEWEST, "page": "1", "back": "1"}
        return [(name, text) for name, text in data.items() if text not in ("", usual.get(name))]

    def to_page(self, number: int) -> str:
        """Return the address of a page of the files that wait."""
        return self.here(page=str(number)) + "#waiting"

    def to_back(self, number: int) -> str:
        """Return the address of a page of the files that came back."""
        return self.here(back=str(number)) + "#back"

    def sorted_link(self, name: str) -> str:
        """Return the address of the first page, sorted; a second click turns it round."""
        other = f"-{name}" if self.sort == name else name
        return self.here(sort=other, page="1", back="1") + "#waiting"

    def sorted_as(self, name: str) -> str | None:
        """Return what ``aria-sort`` says of a column."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort)

    def _sorted(self, files: list[StoredFile]) -> list[StoredFile]:
        """Return files, which come by name, as they are to be sorted."""
        key, is_reverse = _KEYS[self.sort.removeprefix("-")], self.sort.startswith("-")
        if self.sort == "-name":
            return files[::-1]
        return sorted(files, key=key, reverse=is_reverse)

    # -- files -----------------------------------------------------------------------

    @cached_property
    def prepared(self) -> dict[str, str]:
        """The processors that were chosen for files, by the names of these."""
        return self.operations.prepared()

    def holds(self, file: StoredFile) -> str:
        """Say what the rows of a file are, if somebody has said so."""
        return self.known.get(self.prepared.get(file.name, ""), "")

    def source_of(self, file: StoredFile) -> RunInfo | None:
        """Return the import in which the rows of a file on this page have failed, if known."""
        return self.sources.get(file.run or "")

    def reasons(self, run: RunInfo) -> tuple[tuple[str, int], ...]:
        """Return the most frequent reasons why rows of an import have failed."""
        return run.report.reasons[:REASONS]

    # -- runs --------------------------------------------------------------------------

    def state_text(self, run: RunInfo) -> Any:
        """Say how a run has ended."""
        if run.state == "finished" and run.report.failed and run.kind != "export":
            return _("Finished, rows failed")
        return state_title(run)

    def totals(self, run: RunInfo) -> str:
        """Say in numbers what has become of the rows of a run."""
        numbers = [
            self.labelled(title, self.number(getattr(run.report, name)))
            for name, title in outcomes_of(run).items()
            if getattr(run.report, name)
        ]
        return ", ".join(numbers) or self.words(_("No rows"))

    # -- buttons -----------------------------------------------------------------------

    def mend(self) -> None:
        """Lead to where the rows of a file are mended that came back."""
        self.begin_mending(self.field("mend"))

    def cancel_run(self) -> None:
        """Let a run end."""
        self.operations.cancel(self.field("cancelrun"))
        self.redirect(self.here())

    def preview_undo(self) -> None:
        """Find out what taking an import back would do."""
        preview = self.operations.start_undo(self.field("preview_undo"), check=True)
        self.redirect(self.link("run", id=preview.id))

    def ask(self) -> None:
        """Lead to the question whether the selected files are really to be deleted."""
        names = self.fields("val_id")
        if names:
            self.redirect(f"{self.url(self.context)}?{urlencode({'remove': names}, doseq=True)}")
        else:
            self.say(_("No item selected."), "danger")

    def remove(self) -> None:
        """Delete the files that were asked about."""
        deleted = self.operations.delete(self.fields("remove"))
        self.flash(_("Successfully deleted: ${names}", mapping={"names": ", ".join(deleted)}))
        names = self.operations.deletions_of(deleted)
        self.redirect(f"{self.url(self.context)}?{urlencode({'deleted': names}, doseq=True)}")

    def restore(self) -> None:
        """Bring back the files that were deleted just now."""
        names = [self.operations.restore(name).name for name in self.fields("deleted")]
        self.flash(_("Restored: ${name}", mapping={"name": ", ".join(names)}))
        self.leave()
