"""How the portal is, for its administrator; and entries of its logs by their reference."""

from typing import Any

import grok

from waeup.kofa.browser.administration.tasks import AdministrationPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import SystemState
from waeup.kofa.rights import MANAGE_PORTAL
from waeup.kofa.spool.sizes import FolderSize

_FOLDERS = {
    "": _("Files that wait"),
    "finished": _("Finished files"),
    "unfinished": _("Unfinished files"),
    "deleted": _("Rows of removed objects"),
    "graduated": _("Rows of graduated students"),
    "logs": _("Logs"),
    ".work": _("What is under way, and results of exports"),
}
_LIMITS = {
    "upload_limit": _("Largest upload"),
    "rows": _("Rows of a table"),
    "columns": _("Columns of a table"),
    "unpacked": _("What may come out of a workbook or a packed file"),
    "memory": _("Memory for reading a workbook"),
    "undo_days": _("Days for which an import can be taken back"),
    "export_hours": _("Hours for which the result of an export is kept"),
    "remove_share": _("Objects that may be removed without a question"),
    "change_share": _("Objects that may be changed without a question"),
}
_SIZES = ("upload_limit", "unpacked", "memory")
_SHARES = ("remove_share", "change_share")


class System(AdministrationPage, FormPage):
    """Versions, sizes, what waits, and the last backup."""

    grok.name("system")
    grok.require(MANAGE_PORTAL)

    label = _("System")
    buttons = {"find": "find", "count": "count"}
    #: The entry of a log that was asked for.
    entry = ""
    is_fresh = False

    def prepare(self) -> None:
        """Gather everything."""
        self.state: SystemState = self.operations.system(self.is_fresh)

    def find(self) -> None:
        """Show the entry of a reference."""
        self.entry = self.operations.log_entry(self.field("reference"))

    def count(self) -> None:
        """Count sizes anew."""
        self.is_fresh = True

    # -- words ---------------------------------------------------------------------

    def size_text(self, size: int | None) -> Any:
        """Return a number of bytes in words."""
        return _("not known") if size is None else self.size(size)

    def number_text(self, number: int | None) -> Any:
        """Return a number in words."""
        return _("not known") if number is None else self.number(number)

    def folder_title(self, folder: FolderSize) -> Any:
        """Return what people call a folder."""
        return _FOLDERS.get(folder.name, folder.name)

    def folder_size(self, folder: FolderSize) -> Any:
        """Return the bytes of a folder in words."""
        size = self.size(folder.size)
        return size if folder.is_complete else _("at least ${size}", mapping={"size": size})

    def folder_files(self, folder: FolderSize) -> Any:
        """Return the number of the files of a folder in words."""
        number = self.number(folder.files)
        return number if folder.is_complete else _("at least ${size}", mapping={"size": number})

    def limit_texts(self) -> list[tuple[Any, Any]]:
        """Return the limits in force in words: what is limited, and how much there may be."""
        return [(_LIMITS[name], self._limit(name, value)) for name, value in self.state.limits]

    def _limit(self, name: str, value: float) -> Any:
        if name in _SIZES:
            return self.size(int(value))
        if name in _SHARES:
            return self.percent(value)
        return self.number(value, 0 if float(value).is_integer() else 2)

    def run_address(self, id: str) -> str:
        """Return the address of the page of a run."""
        return f"{self.url(self.site['datacenter'], 'run')}?id={id}"
