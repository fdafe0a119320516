"""The folders of the data center: what was imported, what came back, what was deleted.

Files are fetched, brought back to the pending files, and purged; each change is explained before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.downloads import ZIPPED
from waeup.kofa.browser.files.home import ORDERS as ALL_ORDERS
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.paging import paged
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter
from waeup.kofa.jobs.undos import UNDONE_SUFFIX
from waeup.kofa.operations import RunInfo, StoredFile
from waeup.kofa.operations.folders import PURGED_AT_ONCE

#: Files on one page.
FILES = 50
#: Names that a question lists; the others are counted.
LISTED = 50
#: Digits of a number of days.
DIGITS = 5

FOLDERS = {
    "finished": _("Finished files"),
    "unfinished": _("Unfinished files"),
    "deleted": _("Deleted"),
    "graduated": _("Graduated"),
}
WORDS = {
    "finished": _("Rows that were imported, and the files that they came from."),
    "unfinished": _("Originals of imports of which rows have failed. The rows wait to be mended."),
    "deleted": _("Files that were deleted, and the rows of objects that were removed."),
    "graduated": _("The rows of students who were removed after they had graduated."),
}
_KEYS: dict[str, Any] = {
    "date": lambda file: file.deleted or file.date,
    "name": lambda file: file.name,
    "size": lambda file: file.size,
}
ORDERS = tuple(order for order in ALL_ORDERS if order.name.removeprefix("-") in _KEYS)


class Files(DataCenterPage, FormPage):
    """One folder (``folder=deleted``), searched (``q``), sorted (``sort``), page by page.

    With ``purge=NAME`` it asks whether these files are to be purged, with ``before=TIME`` whether
    all that are older, and with ``restore=NAME`` whether one is to be brought back.
    """

    grok.name("files")
    grok.require("waeup.manageDataCenter")

    tab = "files"
    buttons = {
        "fetch": "fetch",
        "ask": "ask",
        "ask_old": "ask_old",
        "bring": "bring_back",
        "confirmed": "purge_files",
        "cancel": "go_back",
    }
    orders = ORDERS
    pages_label = _("Pages of files")

    @property
    def folder(self) -> str:
        """The folder that is shown."""
        asked = self.field("folder")
        return asked if asked in FOLDERS else "finished"

    @property
    def label(self) -> Any:
        """What the page is called; finished files as in Kofa 1.9."""
        return _("Processed Files") if self.folder == "finished" else _("Files")

    @property
    def sort(self) -> str:
        """How the files are sorted."""
        asked = self.field("sort")
        return asked if asked in {order.name for order in ORDERS} else "-date"

    @property
    def can_purge(self) -> bool:
        """Whether the person may remove files for good."""
        return self.may("waeup.importData") or self.may("waeup.managePortal")

    def prepare(self) -> None:
        """Gather the folder's files, and what is known of those on this page."""
        sizes = self.operations.folder_sizes()
        self.folders = [(name, title, sizes[name]) for name, title in FOLDERS.items()]
        files = self.operations.files_in(self.folder)
        asked, before = frozenset(self.fields("purge")), self._before
        self.to_purge = [file for file in files if file.name in asked]
        if before is not None:
            self.to_purge = self._older(files, before)
        # The rest is asked about when these are gone.
        self.to_purge, rest = self.to_purge[:PURGED_AT_ONCE], self.to_purge[PURGED_AT_ONCE:]
        self.more_to_purge = len(rest)
        back = self.field("restore")
        self.to_restore = next((file for file in files if file.name == back), None)
        self.words_of_folder = WORDS[self.folder]
        self.days = self.operations.kept_days()[self.folder]
        ends = [file.expires for file in files if file.expires]
        # What is over its time goes the next time that somebody looks.
        self.next_end = max(min(ends), datetime.now(timezone.utc)) if ends else None
        search = self.field("q").strip().casefold()
        # What is shown is what is searched: of a deleted file, what it was called.
        found = [file for file in files if search in (file.original or file.name).casefold()]
        key, is_reverse = _KEYS[self.sort.removeprefix("-")], self.sort.startswith("-")
        found.sort(key=key, reverse=is_reverse)
        self.part = paged(found, self.field("page"), FILES)
        self.is_empty = not files
        self.runs = self.operations.known_runs(file.run for file in self.part.items if file.run)

    @property
    def _before(self) -> datetime | None:
        """Before when the files were that are to be purged; None where nobody says so."""
        try:
            before = datetime.fromisoformat(self.field("before"))
        except ValueError:
            return None
        return before if before.tzinfo is not None else None

    def _older(self, files: Sequence[StoredFile], before: datetime) -> list[StoredFile]:
        """Return the files that are older and can be purged, the oldest first."""
        found = [f for f in files if _KEYS["date"](f) < before and not f.needed]
        return sorted(found, key=_KEYS["date"])

    def here(self, **changes: Any) -> str:
        """Return the address of this page, but for what changes."""
        said = {**dict(self.said), **changes}
        data = {name: text for name, text in said.items() if text}
        return f"{self.url(self.context, 'files')}?{urlencode(data, doseq=True)}"

    @property
    def said(self) -> list[tuple[str, str]]:
        """What the address says; the form keeps it, since what it sends replaces it."""
        data = {"folder": self.folder, "q": self.field("q").strip(), "sort": self.sort}
        data["page"] = self.field("page")
        return [(name, text) for name, text in data.items() if text]

    def sorted_link(self, name: str) -> str:
        """Return the address of the first page, sorted; a second click turns it round."""
        return self.here(sort=f"-{name}" if self.sort == name else name, page="")

    def sorted_as(self, name: str) -> str | None:
        """Return what ``aria-sort`` says of a column."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort)

    def to_page(self, number: int) -> str:
        """Return the address of a page of the files."""
        return self.here(page=str(number))

    def run_of(self, file: StoredFile) -> RunInfo | None:
        """Return the import that a file came from, if it is known and may be seen."""
        return self.runs.get(file.run or "")

    @property
    def listed_to_purge(self) -> list[StoredFile]:
        """The files to be purged that are listed."""
        return self.to_purge[:LISTED]

    def what(self, file: StoredFile) -> Any:
        """Say what a file is."""
        if file.folder == "finished" and file.name.endswith(".finished.csv"):
            return _("Rows that were imported")
        if file.folder == "finished" and file.name.endswith(UNDONE_SUFFIX):
            return _("What the undo of an import has done")
        if file.folder == "finished":
            return _("Original, all rows of which are imported")
        if file.folder == "unfinished":
            return _("Original with rows that failed")
        if file.deleted is not None:
            return _("Deleted file")
        return _("Rows of removed objects")

    def end_of(self, file: StoredFile) -> Any:
        """Say how long a file is kept."""
        if file.needed:
            return _("Is kept while an import needs it.")
        if file.expires is None:
            return _("Is kept until somebody purges it.")
        date = self.date(max(file.expires, datetime.now(timezone.utc)))
        return _("Is deleted for good on ${date}.", mapping={"date": date})

    # -- buttons -----------------------------------------------------------------------

    def fetch(self) -> None:
        """Send the selected files, several as one ZIP."""
        names = [f"{self.folder}/{name}" for name in self.fields("val_id")]
        if not names:
            self.say(_("No item selected."), "danger")
        elif len(names) > ZIPPED:
            mapping = {"most": self.number(ZIPPED)}
            self.say(_("At most ${most} files come in one ZIP.", mapping=mapping), "danger")
        else:
            address = self.url(self.context, "download")
            self.redirect(f"{address}?{urlencode({'filename': names}, doseq=True)}")

    def ask(self) -> None:
        """Lead to the question whether the selected files are really to be purged."""
        names = self.fields("val_id")
        if names:
            self.redirect(self.here(purge=names))
        else:
            self.say(_("No item selected."), "danger")

    def ask_old(self) -> None:
        """Lead to the same question for all files that are older than so many days."""
        text = self.field("days").strip()
        if not text.isdecimal() or len(text) > DIGITS:
            self.say(_("Enter the number of days as a whole number, such as 90."), "danger")
            return
        before = datetime.now(timezone.utc) - timedelta(days=int(text))
        if self._older(self.operations.files_in(self.folder), before):
            # Thousands of names would be too long for an address.
            self.redirect(self.here(before=before.isoformat()))
        else:
            self.say(_("No file here is older than that and can be purged."), "warning")

    def bring_back(self) -> None:
        """Bring a file back to the pending files."""
        upload = self.operations.restore(self.field("bring"), self.folder)
        self.flash(_("Restored: ${name}", mapping={"name": upload.name}))
        self.leave()

    def purge_files(self) -> None:
        """Remove the files that were asked about."""
        purged = self.operations.purge(self.fields("purge"), self.folder)
        if len(purged) > LISTED:
            mapping = {"n": self.number(len(purged))}
            self.flash(_("Purged for good: ${n} files", mapping=mapping))
        else:
            self.flash(_("Purged for good: ${names}", mapping={"names": ", ".join(purged)}))
        before = self._before
        # They are there until the transaction has committed.
        files = [f for f in self.operations.files_in(self.folder) if f.name not in purged]
        if before is not None and self._older(files, before):
            self.redirect(self.here(before=before.isoformat()))
        else:
            self.go_back()

    def go_back(self) -> None:
        """Show the folder."""
        self.redirect(self.link("files", folder=self.folder))


class Processed(grok.View):
    """Leads from the address that Kofa 1.9 has for finished files."""

    grok.context(IDataCenter)
    grok.name("processed")
    grok.require("waeup.manageDataCenter")

    def render(self) -> None:
        """Lead to the finished files."""
        self.redirect(self.url(self.context, "files") + "?folder=finished")
