"""Operations on the data center itself: its logs and its place."""

import os
from collections.abc import Iterator

from waeup.kofa import journal, spool
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.jobs.job import close
from waeup.kofa.jobs.record import STOPPED
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
        while a run has rows in the present one.
        """
        self._require(SETTINGS)
        datacenter = self.datacenter
        if not os.path.isdir(datacenter.storage):
            # The storage is lost, and with it what was to be put into its place.
            for intent in list(datacenter.ledger.intended()):
                datacenter.ledger.done(intent)
            for run in datacenter.runs:
                if run.is_active or run.holds_file or run.state == STOPPED:
                    run.give_up("The storage was lost, and another one was set.")
                    close(datacenter.runs, run)
                    self._log("given up: %s of %s", run.order.kind, run.order.file)
        return self.datacenter.setStoragePath(path, move=move, overwrite=overwrite)
