"""The folders of the data center: what was imported, what came back, what was deleted.

Files are fetched, brought back to the pending files, and purged; each change is explained before.
"""

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.paging import paged
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter
from waeup.kofa.operations import RunInfo, StoredFile

#: Files on one page.
FILES = 50
#: Runs, the newest first, among which that of a finished file is looked for.
LOOKED_AT = 500
#: Digits of a number of days.
DIGITS = 5

FOLDERS = {
    "finished": _("Finished"),
    "unfinished": _("Unfinished"),
    "deleted": _("Deleted"),
    "graduated": _("Graduated"),
}
WORDS = {
    "finished": _("Rows that were imported, and the files that they came from."),
    "unfinished": _("Originals of imports of which rows have failed. The rows wait to be mended."),
    "deleted": _("Files that were deleted, and the rows of objects that were removed."),
    "graduated": _("The rows of students who were removed after they had graduated."),
}
ORDERS = (
    ("-date", _("the newest first")),
    ("date", _("the oldest first")),
    ("name", _("by name")),
    ("-size", _("the largest first")),
)
_KEYS: dict[str, Any] = {
    "date": lambda file: file.deleted or file.date,
    "name": lambda file: file.name,
    "size": lambda file: file.size,
}


class Files(DataCenterPage, FormPage):
    """One folder (``folder=deleted``), searched (``q``), sorted (``sort``), page by page.

    With ``purge=NAME`` it asks whether these files are to be purged, with ``restore=NAME``
    whether one is to be brought back.
    """

    grok.name("files")
    grok.require("waeup.manageDataCenter")

    tab = "files"
    buttons = {
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
        return asked if asked in dict(ORDERS) else "-date"

    @property
    def can_purge(self) -> bool:
        """Whether the person may remove files for good."""
        return self.may("waeup.importData") or self.may("waeup.managePortal")

    def prepare(self) -> None:
        """Gather the folder's files, and what is known of those on this page."""
        listings = {name: self.operations.files_in(name) for name in FOLDERS}
        self.folders = [(n, FOLDERS[n], len(found)) for n, found in listings.items()]
        files = listings[self.folder]
        asked = frozenset(self.fields("purge"))
        self.to_purge = [file for file in files if file.name in asked]
        back = self.field("restore")
        self.to_restore = next((file for file in files if file.name == back), None)
        self.words_of_folder = WORDS[self.folder]
        self.days = self.operations.kept_days()[self.folder]
        self.next_end = min((file.expires for file in files if file.expires), default=None)
        search = self.field("q").strip().casefold()
        found = [file for file in files if search in file.name.casefold()]
        key, is_reverse = _KEYS[self.sort.removeprefix("-")], self.sort.startswith("-")
        found.sort(key=key, reverse=is_reverse)
        self.part = paged(found, self.field("page"), FILES)
        self.is_empty = not files
        runs = (
            self.operations.runs(LOOKED_AT, kinds=("import",)) if self.folder == "finished" else []
        )
        self.sources: dict[str, RunInfo] = {}
        for run in runs:
            for name in (run.report.finished, f"finished/{run.file}"):
                if name:
                    self.sources.setdefault(name, run)

    def here(self, **changes: Any) -> str:
        """Return the address of this page, but for what changes."""
        data = {"folder": self.folder, "q": self.field("q").strip(), "sort": self.sort}
        data["page"] = self.field("page")
        data.update(changes)
        said = {name: text for name, text in data.items() if text}
        return f"{self.url(self.context, 'files')}?{urlencode(said, doseq=True)}"

    def to_page(self, number: int) -> str:
        """Return the address of a page of the files."""
        return self.here(page=str(number))

    def run_of(self, file: StoredFile) -> RunInfo | None:
        """Return the import that a finished file came from, if it is known."""
        return self.sources.get(f"{file.folder}/{file.name}")

    def what(self, file: StoredFile) -> Any:
        """Say what a file is."""
        if file.folder == "finished" and file.name.endswith(".finished.csv"):
            return _("Rows that were imported")
        if file.folder == "finished":
            return _("Original, all rows of which are imported")
        if file.folder == "unfinished":
            return _("Original with rows that failed")
        if file.deleted is not None:
            return _("Deleted file")
        return _("Rows of removed objects")

    def end_of(self, file: StoredFile) -> Any:
        """Say when a file goes."""
        if file.needed:
            return _("Needed by an import")
        if file.expires is not None:
            return self.date(max(file.expires, datetime.now(timezone.utc)))
        return _("Never")

    # -- buttons -----------------------------------------------------------------------

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
        names = [
            file.name
            for file in self.operations.files_in(self.folder)
            if (file.deleted or file.date) < before and not file.needed
        ]
        if names:
            self.redirect(self.here(purge=names))
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
        self.flash(_("Purged for good: ${names}", mapping={"names": ", ".join(purged)}))
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
