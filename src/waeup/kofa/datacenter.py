"""The data center: a thin, persistent face over the rooms below.

Knows where the files are and hands every piece of work to the room that does
it: `waeup.kofa.spool` (files), `waeup.kofa.importing.distribution` (results),
`waeup.kofa.journal` (logs).  What the database knows about files is in its
`ledger`.  The dotted names of the persistent classes here are written in every
database: they must not move.
"""

import os
import re
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial

import grok
from zope.component import getUtility
from zope.event import notify
from zope.interface import implementer

from waeup.kofa import claims, journal, removals, spool
from waeup.kofa.errors import InvalidName, InvalidStoragePath, ItemBusy, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing import distribution
from waeup.kofa.interfaces import (
    DataCenterStorageMovedEvent,
    IDataCenter,
    IDataCenterConfig,
    IDataCenterFile,
    ILogFile,
)
from waeup.kofa.jobs.registry import Runs, busy_text
from waeup.kofa.ledger import FileEntry, Ledger
from waeup.kofa.logger import Logger
from waeup.kofa.transactional import Action, on_abort, on_commit

#: Folders that every storage has.
FOLDERS = ("finished", "unfinished", "logs", "deleted")
#: Folders of Kofa 1.9 that are made when they are first used.
LATER_FOLDERS = ("graduated", "media", "accesscodes")
#: Endings of the names of pending files; Kofa 1.9 lists ``.csv`` and ``.gz``.
PENDING_SUFFIXES = spool.EXTENSIONS


@implementer(IDataCenter)
class DataCenter(grok.Container, Logger):
    """See `IDataCenter`."""

    logger_name = "waeup.kofa.${sitename}.datacenter"
    logger_filename = "datacenter.log"

    #: Number of finished files that are listed at most.
    max_files = 100
    #: Storages of before from which all was moved: tuples of path, names of the entries that were
    #: copied, and time in UTC as text.  The type is a comment, see `UserAccount.password`.
    former = ()  # type: tuple[tuple[str, tuple[str, ...], str], ...]
    #: What other programs are told (`waeup.kofa.webhooks.record`); made by who asks for it first.
    webhooks = None  # type: object
    #: Answers for programs that ask again (`waeup.kofa.replies`); made by who keeps the first one.
    replies = None  # type: object

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.runs = Runs()
        path = os.path.abspath(getUtility(IDataCenterConfig)["path"])
        self._make_folders(path)
        self.storage = path

    @property
    def deleted_path(self) -> str:
        """See `IDataCenter`."""
        return os.path.join(self.storage, "deleted")

    @property
    def graduated_path(self) -> str:
        """See `IDataCenter`."""
        return os.path.join(self.storage, "graduated")

    def folder(self, name: str) -> str:
        """Return the path of a folder of the storage, which is made when first used.

        `name` is one of `FOLDERS` or `LATER_FOLDERS`.
        """
        if name not in FOLDERS + LATER_FOLDERS:
            raise InvalidName(
                _(
                    "${name} is no folder of the data center; there are ${folders}.",
                    mapping={
                        "name": repr(name),
                        "folders": ", ".join(sorted(FOLDERS + LATER_FOLDERS)),
                    },
                )
            )
        path = os.path.join(self.storage, name)
        # Not with its parents: a storage that is not mounted must not be made anew.
        with suppress(FileExistsError):
            os.mkdir(path)
        return path

    # -- files ------------------------------------------------------------------

    def getPendingFiles(self, sort: str = "name") -> list["DataCenterFile"]:
        """See `IDataCenter`."""
        return [DataCenterFile.of(item) for item in self.pending_items(sort)]

    def pending_items(self, sort: str = "name") -> list[spool.Item]:
        """Return the files that wait for an import as values; see `getPendingFiles`."""
        items = spool.scan(self.storage, suffixes=PENDING_SUFFIXES)
        if sort == "date":
            items.sort(key=lambda item: item.mtime, reverse=True)
        return items

    def getFinishedFiles(self) -> list["DataCenterFile"]:
        """See `IDataCenter`."""
        items = spool.scan(
            os.path.join(self.storage, "finished"), "finished", suffixes=(".finished.csv",)
        )
        items.sort(key=lambda item: item.mtime, reverse=True)
        return [DataCenterFile.of(item) for item in items[: self.max_files]]

    def distProcessedFiles(
        self,
        successful: bool,
        source_path: str,
        finished_file: str,
        pending_file: str | None,
        mode: str = "create",
        move_orig: bool = True,
    ) -> None:
        """See `IDataCenter`."""
        run = self.runs.holder_of(os.path.basename(source_path))
        if run is not None:
            raise WrongState(busy_text(run))
        distribution.distribute(
            self.storage, successful, source_path, finished_file, pending_file, mode
        )

    def recover(self) -> None:
        """See `IDataCenter`."""
        distribution.recover(self.storage)

    def _moveFile(self, source: str, dest: str) -> None:
        """Move a file (Kofa 1.9); a missing source is warned of in the log."""
        if not os.path.exists(source):
            self.logger.warning("No such source path: %s", source)
        elif not (os.path.exists(dest) and os.path.samefile(source, dest)):
            spool.move_file(source, dest)

    def _appendCSVFile(self, source: str, dest: str) -> None:
        """Append the rows of a table to another one, and remove it (Kofa 1.9).

        Without `dest` the file is moved as it is; a missing source is warned of.
        """
        if not os.path.exists(source) or not os.path.exists(dest):
            self._moveFile(source, dest)
        elif not os.path.samefile(source, dest):
            distribution.append_table(source, dest)

    def _logfiles(self, basename: str) -> list[str]:
        """List the names of a log and its backups, the oldest first (Kofa 1.9)."""
        return journal.logfile_series(self.folder("logs"), basename)

    def received(self, owner: str, token: str) -> FileEntry | None:
        """Return the entry that a file of `owner` got which was sent under `token`, or None.

        It may have been imported or deleted since.  One whose commit said that it failed, and was
        stored all the same, was taken back: it was not received.
        """
        entry = self.ledger.received(owner, token)
        if (
            entry is not None
            and self.ledger.entry(entry.name) == entry
            and self.runs.holder_of(entry.name) is None
            and not os.path.lexists(os.path.join(self.storage, entry.name))
            and os.path.isdir(self.storage)
        ):
            return None
        return entry

    # -- storage path -------------------------------------------------------------

    def setStoragePath(self, path: str, move: bool = False, overwrite: bool = False) -> list[str]:
        """See `IDataCenter`."""
        path = usable_folder(path)
        self.require_quiet()
        not_copied: list[str] = []
        if move and os.path.isdir(self.storage) and not os.path.samefile(path, self.storage):
            with spool.storage_lock(self.storage):
                not_copied = self._copy_to(path, overwrite)
        self._set_storage(path)
        return not_copied

    def require_quiet(self, held: Collection[str] = ()) -> None:
        """Raise `ItemBusy` while rows are on their way that belong to the present storage.

        Runs whose ids are in `held` have not begun, and do not before the storage is another one.
        """
        for run in self.runs:
            if run.holds_file and run.id not in held:
                raise ItemBusy(
                    _(
                        "The ${title} is ${state}, and has rows in ${storage}. Wait for its end, "
                        "or take it back, before you move the storage.",
                        mapping={
                            "title": run.words,
                            "state": _(run.state),
                            "storage": self.storage,
                        },
                    )
                )
        for upload in spool.partial_uploads(self.storage):
            raise ItemBusy(
                _(
                    "An upload of ${filename} by ${owner} is under way in ${storage}: ${offset} "
                    "of ${size} bytes have come. Wait for its end, or drop it, before you move "
                    "the storage; `kofactl uploads` lists what is under way.",
                    mapping={
                        "filename": upload.filename,
                        "owner": upload.owner,
                        "storage": self.storage,
                        "offset": Number(upload.offset),
                        "size": Number(upload.size),
                    },
                )
            )
        if removals.waiting(self.storage):
            raise ItemBusy(
                _(
                    "Rows of removed objects are on their way in ${storage}. Try again in a "
                    "moment; if they are there still, call `kofactl recover` before you move "
                    "the storage.",
                    mapping={"storage": self.storage},
                )
            )

    def switch_storage(self, path: str, names: Iterable[str], held: Collection[str] = ()) -> None:
        """Keep files in `path` from now on, to which entries of those `names` were moved.

        The caller has the lock of the present storage.  Raises what `require_quiet` does.
        """
        self.require_quiet(held)
        kept = tuple(each for each in self.former if each[0] != self.storage)
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.former = (*kept, (self.storage, tuple(sorted(names)), date))
        self._set_storage(path)

    def forget_former(self, path: str) -> None:
        """Forget that a storage was here before."""
        self.former = tuple(each for each in self.former if each[0] != path)

    def _set_storage(self, path: str) -> None:
        self._make_folders(path)
        # What comes to it from now on is nowhere else: it must not be removed as a former one.
        real = os.path.realpath(path)
        self.former = tuple(each for each in self.former if os.path.realpath(each[0]) != real)
        guard = self.runs.guard
        if guard._p_jar is not None:
            # A run that begins meanwhile would have its rows in the old place.  Without its
            # state it would not be watched.
            guard._p_activate()
            guard._p_jar.readCurrent(guard)
            claims.fence(guard._p_jar)
        self.storage = path
        notify(DataCenterStorageMovedEvent(self))

    def _copy_to(self, path: str, overwrite: bool) -> list[str]:
        copy = spool.TreeCopy(self.storage, path, overwrite)
        copy.run()
        self._at_end(copy.undo, copy.finish)
        return copy.not_copied

    def _make_folders(self, storage: str) -> None:
        for name in FOLDERS:
            path = os.path.join(storage, name)
            try:
                os.mkdir(path)
            except FileExistsError:
                continue
            except OSError as exc:
                raise spool.unusable(storage, exc.strerror) from exc
            self._at_end(partial(_remove_if_empty, path))

    def _at_end(self, undo: Action, finish: Action | None = None) -> None:
        """Let the end of the transaction decide about a change of files.

        Without a database there is no transaction to wait for.
        """
        if self._p_jar is None:
            if finish is not None:
                finish()
            return
        current = self._p_jar.transaction_manager.get()
        on_abort(undo, current)
        if finish is not None:
            on_commit(finish, current)

    # -- logs ---------------------------------------------------------------------

    def getLogFiles(self, exclude_backups: bool = True) -> list["LogFile"]:
        """See `IDataCenter`."""
        if not os.path.isdir(self.storage):
            return []
        folder = self.folder("logs")
        return [
            LogFile(os.path.join(folder, name), "logs")
            for name in journal.log_names(folder, exclude_backups)
        ]

    def queryLogfiles(
        self, basename: str, query: str | None = None, limit: int = 0, start: int = 0
    ) -> Iterator[str]:
        """See `IDataCenter`."""
        return journal.query(self.folder("logs"), basename, query, limit, start)


def usable_folder(path: str) -> str:
    """Return the absolute path of a folder that files can be kept in.

    Raises `InvalidStoragePath`.
    """
    if not path:
        raise InvalidStoragePath(_("No path was given. Name an existing folder."))
    path = os.path.abspath(path)
    if not os.path.exists(path):
        raise InvalidStoragePath(
            _(
                "The path given does not exist: ${path}. Make the folder first, or "
                "correct the path.",
                mapping={"path": path},
            )
        )
    if not os.path.isdir(path):
        raise spool.unusable(path, "it is no folder")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise spool.unusable(path, "it cannot be written to")
    return path


def _remove_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        # Something was put into the folder meanwhile: it stays.
        return


@implementer(IDataCenterFile)
class DataCenterFile:
    """See `IDataCenterFile`.

    `context` is the path of an existing file, `folder_name` the folder below the
    storage that it lies in (``''`` for the storage itself).  Raises OSError when
    there is no such file.
    """

    def __init__(self, context: str, folder_name: str = "") -> None:
        status = os.stat(context)
        name = os.path.basename(context)
        self._know(spool.Item(name, folder_name, context, status.st_size, status.st_mtime))

    @classmethod
    def of(cls, item: spool.Item) -> "DataCenterFile":
        """Return the file that was listed just now, without another look at it."""
        file = cls.__new__(cls)
        file._know(item)
        return file

    def _know(self, item: spool.Item) -> None:
        self.name, self._folder, self.context, self.bytes, self._mtime = item

    @property
    def rel_path(self) -> str:
        """See `IDataCenterFile`."""
        return os.path.join(self._folder, self.name)

    @property
    def size(self) -> str:
        """See `IDataCenterFile`."""
        return self.getSize()

    @property
    def uploaddate(self) -> str:
        """See `IDataCenterFile`."""
        return self.getDate()

    @property
    def lines(self) -> int:
        """See `IDataCenterFile`."""
        return self.getLinesNumber()

    def getDate(self) -> str:
        """See `IDataCenterFile`."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._mtime))

    def getTimeStamp(self) -> float:
        """Return the time of the last change in seconds since the epoch."""
        return self._mtime

    def getSize(self) -> str:
        """See `IDataCenterFile`."""
        return spool.size_text(self.bytes)

    def getLinesNumber(self) -> int:
        """See `IDataCenterFile`."""
        if not self.name.lower().endswith("csv"):
            return 1
        return spool.count_lines(self.context)


@implementer(ILogFile)
class LogFile(DataCenterFile):
    """See `ILogFile`.

    A marker line is ``key: value`` among the first lines of the file; the last
    line of a key wins.  The file is read when a marker is asked for.
    """

    #: Lines in which markers are looked for.
    maxline = 10

    _marker = re.compile(r"(?P<key>[^:]*):(?P<value>.*)")

    @property
    def userid(self) -> str:
        """See `ILogFile`."""
        return self.getUserId()

    @property
    def mode(self) -> str:
        """See `ILogFile`."""
        return self.getMode()

    @property
    def stats(self) -> str:
        """See `ILogFile`."""
        return self.getStats()

    @property
    def source(self) -> str | None:
        """See `ILogFile`."""
        return self.getSourcePath()

    def getUserId(self) -> str:
        """Return the user named by a marker, or ``<UNKNOWN>``."""
        return self._markers().get("user", "<UNKNOWN>")

    def getMode(self) -> str:
        """Return the mode named by a marker, or ``<NOT SET>``."""
        return self._markers().get("mode", "<NOT SET>")

    def getStats(self) -> str:
        """Return the text of the marker ``processed``, or ``<Info not avail.>``."""
        return self._markers().get("processed", "<Info not avail.>")

    def getSourcePath(self) -> str | None:
        """Return the path named by a marker, or None."""
        return self._markers().get("source")

    def _markers(self) -> dict[str, str]:
        markers = {}
        with open(self.context, encoding="utf-8", errors="replace") as stream:
            for line, _number in zip(stream, range(self.maxline), strict=False):
                found = self._marker.match(line)
                if found is not None:
                    markers[found["key"].strip().lower()] = found["value"].strip()
        return markers
