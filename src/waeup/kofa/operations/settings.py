"""Operations on the data center itself: its logs and its place."""

import os
from collections.abc import Iterator

from zope.traversing.api import getPath

from waeup.kofa import jobs, journal, spool
from waeup.kofa.errors import ItemBusy, NoSuchItem, Refused
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.operations.values import StoredFile

SETTINGS = "waeup.managePortal"


class SettingsOperations(FileOperations):
    """See `waeup.kofa.operations.Operations`."""

    def log_files(self, exclude_backups: bool = True) -> list[StoredFile]:
        """List the log files, sorted by name."""
        self._require(MANAGE)
        return [
            self._stored(file, "logs") for file in self.datacenter.getLogFiles(exclude_backups)
        ]

    def query_log(self, name: str, query: str, limit: int = 0, start: int = 0) -> Iterator[str]:
        """Generate the lines of a log that match a regular expression."""
        self._require(MANAGE)
        if not journal.logfile_series(self.datacenter.folder("logs"), name):
            names = ", ".join(file.name for file in self.log_files())
            raise NoSuchItem(f"There is no log {name!r}. There are: {names or 'none yet'}.")
        return self.datacenter.queryLogfiles(spool.check_name(name), query, limit, start)

    def storage_path(self) -> str:
        """Return the absolute path of the folder that files are kept in."""
        self._require(SETTINGS)
        return self.datacenter.storage

    def set_storage_path(
        self, path: str, move: bool = False, overwrite: bool = False
    ) -> list[str]:
        """Keep files below `path` from now on; return the names not copied.

        Raises `InvalidStoragePath` for a folder that cannot be used, and `ItemBusy`
        while an import still has files to put into their places.
        """
        self._require(SETTINGS)
        ledger = self.datacenter.ledger
        for intent in list(ledger.intended()):
            if not os.path.isdir(self.datacenter.storage):
                # The storage is lost, and with it what was to be put into its place.
                ledger.done(intent)
                self._log("given up with the lost storage: %s", intent.title)
            elif jobs.recover(self.site._p_jar.db(), getPath(self.site)):
                raise ItemBusy("An import was completed just now. Set the storage path again.")
            else:
                raise Refused(
                    f"Not completed: {intent.title}. The portal's log says why; mend the files "
                    "that it names, then set the storage path."
                )
        return self.datacenter.setStoragePath(path, move=move, overwrite=overwrite)
