"""The history of an object, and the way back: what the rows of an import did."""

from functools import cached_property
from typing import Any, NamedTuple

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import Crumb, status_of
from waeup.kofa.browser.paging import paged
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import (
    DoneRow,
    DoneRows,
    HistoryEntry,
    HistoryKind,
    ObjectHistory,
    RunInfo,
)

#: Entries, and rows, of one page.
ENTRIES, ROWS = 20, 50
#: Digits of the number of a row that are looked at.
DIGITS = 9

_OPERATIONS = {
    "created": _("Created"),
    "updated": _("Changed"),
    "removed": _("Removed"),
    "returned": _("Brought back"),
    "restored": _("Changed back"),
    "otherwise": _("Changed by other means"),
}
_LOOKS = {"created": "good", "returned": "good", "removed": "bad", "otherwise": "warn"}
_NOTES = {
    "expired": _(
        "Which values were changed is not kept any more: that is known for as long as an import "
        "can be taken back."
    ),
    "undone": _("This was taken back later, thus its values are not kept."),
    "left": _("When the import was taken back, this row was left alone. Its values are not kept."),
    "partly": _(
        "Other values that it had then are not known any more, for something else has changed "
        "it since."
    ),
    "hidden": _("You may not see the values: the file had something that is not for you."),
    "otherwise": _(
        "Somebody, or a program, has changed it without an import at that time or before. What "
        "was changed is not known."
    ),
}


class HistoryPart(DataCenterPage):
    """What pages about single rows and objects have in common."""

    grok.baseclass()

    tab = "history"
    #: Fields with their former and their new values.
    show_changes = ViewPageTemplateFile("changes.pt")

    def operation_text(self, entry: HistoryEntry | DoneRow) -> Any:
        """Say what was done."""
        return _OPERATIONS[entry.operation]

    def look(self, entry: HistoryEntry | DoneRow) -> str:
        """Return how what was done looks."""
        return _LOOKS.get(entry.operation, "info")

    def note_text(self, entry: HistoryEntry | DoneRow) -> Any:
        """Say why no values are told, if there is a reason."""
        return _NOTES.get(entry.operation if entry.operation == "otherwise" else entry.note)

    def number_of(self, name: str) -> int | None:
        """Return a number that the address gives, None for what is none."""
        text = self.field(name)
        is_number = text.isascii() and text.isdecimal() and len(text) <= DIGITS
        return int(text) if is_number else None


class Choice(NamedTuple):
    """One of several objects with the same key; `link` is None for the one that is shown."""

    title: str
    link: str | None


class History(HistoryPart):
    """What rows of imports did to an object, the newest first.

    The object has the key ``key=`` among those of a kind (``kind=``), ``which=`` says which one of
    several; or row ``row=`` of the import ``run=`` was about it.
    """

    grok.name("history")
    grok.require("waeup.manageDataCenter")

    label = _("History of an object")

    def update(self) -> None:
        """Look for the object that is asked for."""
        self.kinds: list[HistoryKind] = self.operations.history_kinds()
        self.found: ObjectHistory | None = None
        self.kind, self.key = self.field("kind"), self.field("key").strip()
        page = max(self.number_of("page") or 1, 1)
        try:
            self.found = self._look((page - 1) * ENTRIES)
            if self.found is not None and self.found.total and not self.found.entries:
                # As `paged` does: the nearest page where there is none of that number.
                self.found = self._look((self.found.total - 1) // ENTRIES * ENTRIES)
        except NoSuchItem as refusal:
            self.response.setStatus(status_of(refusal))
            self.say(refusal, "warning")
        if self.found is not None:
            self.kind = self.found.kind

    def _look(self, start: int) -> ObjectHistory | None:
        """Return the history that is asked for, from an entry on; None where nothing is."""
        run, row = self.field("run"), self.number_of("row")
        if run and row is not None:
            return self.operations.history_of_row(run, row, start=start, limit=ENTRIES)
        if not self.key:
            return None
        which = self.number_of("which") or 1
        return self.operations.history(
            self.kind, self.key, which=which, start=start, limit=ENTRIES
        )

    @property
    def title(self) -> str:
        """See `Page`; the object comes first."""
        return super().title if self.found is None else f"{self.found.title} - {super().title}"

    @property
    def way(self) -> dict[str, str]:
        """What the address says about what is shown."""
        names = ("run", "row") if self.field("run") else ("kind", "key", "which")
        return {name: self.field(name) for name in names if self.field(name)}

    def kind_title(self) -> str:
        """Return what people call the kind of the object."""
        titles = {kind.name: kind.title for kind in self.kinds}
        return titles.get(self.kind, self.kind)

    def is_chosen(self, kind: HistoryKind) -> bool:
        """Tell whether a kind is the one that is looked in."""
        return self.kind in kind.names

    def keys_text(self, kind: HistoryKind) -> str:
        """Say by what an object is found."""
        mapping = {"kind": kind.title, "fields": ", ".join(kind.keys)}
        return self.words(_("${kind} (by ${fields})", mapping=mapping))

    def choices(self) -> list[Choice]:
        """Return all objects with the key, if there are several."""
        if self.found is None or len(self.found.others) < 2:
            return []
        shown = min(self.number_of("which") or 1, len(self.found.others))
        way = {"kind": self.kind, "key": self.key}
        return [
            Choice(title, None if at == shown else self.link("history", **way, which=str(at)))
            for at, title in enumerate(self.found.others, start=1)
        ]

    def pages(self) -> str:
        """Return the ways to the other entries."""
        assert self.found is not None
        part = paged(range(self.found.total), self.field("page"), ENTRIES)
        text: str = self.show_pages(
            part=part, link=self._page_link, label=self.words(_("Pages of the history"))
        )
        return text

    def _page_link(self, number: int) -> str:
        return self.link("history", **self.way, page=str(number))

    def row_link(self, entry: HistoryEntry) -> str | None:
        """Return where the row is among the others of its run."""
        is_kept = entry.is_run and entry.kind == "import" and entry.note in ("", "partly")
        if not is_kept:
            return None
        return self.link("rows", id=entry.run, row=str(entry.row)) + f"#row-{entry.row}"

    def is_origin_unknown(self) -> bool:
        """Tell whether the last entry of the page is the first of all, and not the beginning."""
        assert self.found is not None
        entries, total = self.found.entries, self.found.total
        is_last = paged(range(total), self.field("page"), ENTRIES).last_item == total
        return bool(entries) and is_last and entries[-1].operation != "created"

    def officers(self, entry: HistoryEntry) -> str:
        """Return who has ordered it, and who let it go on."""
        names = [entry.owner, entry.user]
        return ", ".join(dict.fromkeys(name for name in names if name))


class Rows(HistoryPart):
    """What the rows of an import (``id=``) did, those from number ``row=`` on.

    With ``before=`` those that come before that number.
    """

    grok.name("rows")
    grok.require("waeup.manageDataCenter")

    label = _("What the rows did")
    section = _("Runs")
    tab = "runs"

    def update(self) -> None:
        """Get the run, and what its rows did."""
        self.shown: RunInfo = self.operations.run(self.field("id"))
        self.row = self.number_of("row")
        self.found: DoneRows = self.operations.done_rows(
            self.shown.id, start=self.row or 1, before=self.number_of("before"), limit=ROWS
        )

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the run is on the way."""
        return [
            *super().crumbs,
            Crumb(_("Runs"), self.link("runs")),
            Crumb(self.shown.file, self.link("run", id=self.shown.id)),
        ]

    @cached_property
    def earlier(self) -> str | None:
        """The address of the rows that come before."""
        if self.found.before is None:
            return None
        return self.link("rows", id=self.shown.id, before=str(self.found.before))

    @cached_property
    def further(self) -> str | None:
        """The address of the rows that follow."""
        if self.found.behind is None:
            return None
        return self.link("rows", id=self.shown.id, row=str(self.found.behind))

    def history_link(self, row: DoneRow) -> str:
        """Return the address of the history of the object of a row."""
        return self.link("history", run=self.shown.id, row=str(row.number))
