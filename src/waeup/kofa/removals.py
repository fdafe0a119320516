"""Keeps the rows of removed objects, in ``deleted`` or ``graduated`` of the storage.

A row is what an exporter of the kind writes, with the time of the removal behind it.  Rows join
the transaction: they are gathered in a work folder, whose id the database learns in the same
transaction, and are appended to their tables when it has committed.  Whoever finds the folder
of a dead process asks the database what became of it (`settle`).
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import datetime, timezone
from operator import itemgetter
from typing import Any, NamedTuple

import grok
import transaction
from transaction.interfaces import IDataManagerSavepoint, ISavepointDataManager
from zope.component import getUtilitiesFor
from zope.interface import implementer, providedBy
from zope.location.interfaces import ISublocations

from waeup.kofa import claims
from waeup.kofa.errors import ItemBusy
from waeup.kofa.interfaces import BACK_COLUMN, REMOVED_COLUMN, ICSVExporter
from waeup.kofa.spool import (
    TABLE_EXTENSION,
    Append,
    Place,
    Remove,
    Step,
    WorkFolder,
    check_name,
    clear_intent,
    numbered,
    perform,
    redo,
    storage_lock,
    tail_of,
    write_intent,
)
from waeup.kofa.spool.disk import digest_of, disk, ensure_folder, faults
from waeup.kofa.tabular import TableWriter

log = logging.getLogger(__name__)

#: Folders of the storage in which rows can be kept.
FOLDERS = ("deleted", "graduated")
#: How the ids of the work folders begin.
PREFIX = "removed-"
#: Columns behind those of the exporter.
DATES = (REMOVED_COLUMN, BACK_COLUMN)

_is_rehearsal: ContextVar[bool] = ContextVar("kofa_removals_rehearsal", default=False)


@contextlib.contextmanager
def rehearsal() -> Iterator[None]:
    """Within this context rows are made and then dropped: the transaction will be aborted.

    A check of any length needs no room for them.  Holds for this thread of control only.
    """
    token = _is_rehearsal.set(True)
    try:
        yield
    finally:
        _is_rehearsal.reset(token)


def note_removal(obj: Any) -> None:
    """Keep the rows of `obj`, which is being removed, if the transaction commits.

    Does nothing where there is no data center, or no exporter that has the kind.  Raises
    `StorageFault` when the rows cannot be written.
    """
    rows = _RemovedRows.current()
    if rows is not None:
        rows.add(obj, is_back=False)


def note_return(obj: Any) -> None:
    """Say, if the transaction commits, that `obj` and all in it have come back.

    Their rows are written once more, with a date in the column ``back_date``.
    """
    rows = _RemovedRows.current()
    if rows is not None:
        for one in _with_contents(obj):
            rows.add(one, is_back=True)


def settle(storage: str, is_known: Callable[[str], bool]) -> list[str]:
    """Put an end to what dead processes have left in `storage`; return what was completed.

    `is_known` tells whether the database knows the id of a work folder by now: then its rows
    belong to a removal that was committed, and go to their tables.  Other folders are removed.

    Raises `ItemBusy` and `StorageFault`; then a later call goes on with it.
    """
    completed: list[str] = []
    with faults(f"Completing the rows of removed objects in {storage}"), storage_lock(storage):
        completed += [intent.title for intent in redo(storage, PREFIX)]
        for id in waiting(storage):
            try:
                work = WorkFolder(storage, id)
            except ItemBusy:
                continue  # its transaction is under way
            try:
                # Nobody can commit the id any more, now that the folder is locked.
                if is_known(id):
                    title = _put_into_places(work)
                    completed += [title] if title else []
                work.remove()
            finally:
                work.close()
    return completed


def waiting(storage: str) -> list[str]:
    """Return the ids of the work folders whose rows are not in their places."""
    return [id for id in WorkFolder.ids(storage) if id.startswith(PREFIX)]


def _with_contents(obj: Any) -> Iterator[Any]:
    """Generate an object and all that gets to know that it is removed, or added."""
    yield obj
    parts = ISublocations(obj, None)
    for part in parts.sublocations() if parts is not None else ():
        yield from _with_contents(part)


# -- who makes the rows --------------------------------------------------------


class _Kind(NamedTuple):
    """An exporter of a kind: its name, the columns, and what makes the cells of an object."""

    name: str
    exporter: Any
    columns: tuple[str, ...]
    cells: Callable[[Any], list[str]]


class _Kinds:
    """Who exports which objects; found once for a transaction."""

    def __init__(self) -> None:
        self._exporters = [
            (check_name(name + TABLE_EXTENSION), exporter)
            for name, exporter in sorted(getUtilitiesFor(ICSVExporter), key=itemgetter(0))
            if hasattr(exporter, "backup_folder")
        ]
        self._by_provided: dict[Any, list[_Kind]] = {}

    def of(self, obj: Any) -> list[_Kind]:
        provided = providedBy(obj)
        found = self._by_provided.get(provided)
        if found is None:
            found = self._by_provided[provided] = [
                _Kind(
                    name,
                    exporter,
                    (*kept_fields(exporter), *DATES),
                    exporter.row_maker(kept_fields(exporter), True),
                )
                for name, exporter in self._exporters
                if _is_for(exporter, obj)
            ]
        return found


def _is_for(exporter: Any, obj: Any) -> bool:
    """Tell whether an exporter is one of objects such as this one."""
    iface = getattr(exporter, "object_iface", exporter.iface)
    return iface is not None and bool(iface.providedBy(obj))


def kept_fields(exporter: Any) -> tuple[str, ...]:
    """Return the columns by which an object can come back, without those that are computed."""
    found: tuple[str, ...] = getattr(exporter, "kept_fields", exporter.all_fields)
    return found


# -- the rows of a transaction -------------------------------------------------


@implementer(ISavepointDataManager)
class _RemovedRows:
    """The rows of one transaction in one data center."""

    transaction_manager = None

    def __init__(self, datacenter: Any, current: Any) -> None:
        self._datacenter = datacenter
        self._storage: str = datacenter.storage
        self._transaction = current
        self._kinds = _Kinds()
        self._date = str(datetime.now(timezone.utc).replace(microsecond=0))
        self._is_joined = self._has_hook = False
        self._is_committing = self._has_voted = False
        self._work: WorkFolder | None = None
        self._writers: dict[tuple[str, str], TableWriter] = {}
        # The lengths of the tables without rows.
        self._begun: dict[TableWriter, int] = {}

    @classmethod
    def current(cls) -> "_RemovedRows | None":
        """Return the rows of the current transaction in the data center of the current site."""
        try:
            datacenter = grok.getSite()["datacenter"]
        except (AttributeError, KeyError, TypeError):  # no site, or one without data center
            return None
        jar = datacenter._p_jar
        current = (transaction.manager if jar is None else jar.transaction_manager).get()
        try:
            all_rows = current.data(cls)
        except KeyError:
            all_rows = {}
            current.set_data(cls, all_rows)
        storage = datacenter.storage
        if storage not in all_rows:
            all_rows[storage] = cls(datacenter, current)
        rows: _RemovedRows = all_rows[storage]
        return rows

    def add(self, obj: Any, is_back: bool) -> None:
        """Write the rows of an object."""
        for kind in self._kinds.of(obj):
            folder = kind.exporter.backup_folder(obj)
            if folder is None:
                continue
            cells = kind.cells(obj)
            if _is_rehearsal.get():
                continue
            dates = ("", self._date) if is_back else (self._date, "")
            try:
                self._writer(folder, kind).write([*cells, *dates])
            except OSError:
                with faults("Keeping the rows of removed objects"):
                    raise

    def _writer(self, folder: str, kind: _Kind) -> TableWriter:
        self._join()
        writer = self._writers.get((folder, kind.name))
        if writer is None:
            if folder not in FOLDERS:
                raise ValueError(
                    f"{folder!r} is no folder for rows of removed objects; `backup_folder` must "
                    f"return one of {', '.join(FOLDERS)}, or None."
                )
            if self._work is None:
                self._work = WorkFolder(self._storage, prefix=PREFIX)
            path = os.path.join(self._work.path, f"{folder}-{kind.name}")
            # Like an export, of which the import knows that nothing in it is damaged.
            writer = TableWriter(path, kind.columns, quote_all=True)
            self._writers[folder, kind.name] = writer
            self._begun[writer] = writer.tell()
        return writer

    def _join(self) -> None:
        if not self._is_joined:
            self._transaction.join(self)
            self._is_joined = True
        if not self._has_hook:
            self._transaction.addBeforeCommitHook(self._make_durable)
            self._has_hook = True

    def _make_durable(self) -> None:
        """Force the rows out, and let the database know of them when it commits."""
        self._has_hook = False
        if self._work is None:
            return
        with faults("Keeping the rows of removed objects"):
            for writer in self._writers.values():
                writer.sync()
            self._work.sync()
        jar = self._datacenter._p_jar
        if jar is not None:
            self._datacenter.ledger.expect_rows(self._work.id, self._date)
            # When the storage moves meanwhile, the rows would stay behind.
            self._datacenter._p_activate()
            jar.readCurrent(self._datacenter)
            # Others may have put an end to the work folder of a process that they took for dead.
            claims.fence(jar)

    # -- see `ISavepointDataManager` --------------------------------------------

    def sortKey(self) -> str:
        # The last of all: what is asked for its vote has those of the databases.
        return "~waeup.kofa.removals"

    def savepoint(self) -> "_Savepoint":
        return _Savepoint({writer: writer.tell() for writer in self._writers.values()}, self)

    def rollback(self, lengths: dict[TableWriter, int]) -> None:
        """Go back to the lengths that the tables had."""
        for writer in self._writers.values():
            writer.rewind(lengths.get(writer, self._begun[writer]))

    def tpc_begin(self, txn: Any) -> None:
        self._is_committing = True

    def commit(self, txn: Any) -> None:
        """Nothing to prepare: the rows were made durable before."""

    def tpc_vote(self, txn: Any) -> None:
        self._has_voted = True

    def tpc_finish(self, txn: Any) -> None:
        """Append the rows to their tables."""
        work = self._leave()
        if work is not None:
            try:
                _complete(work)
            except Exception:
                # The database has decided: an exception would hide that.
                log.exception(
                    "The rows of removed objects are not in their places yet: they wait in %s. "
                    "Look at free space and rights of the disk, and call `kofactl recover`.",
                    work.path,
                )

    def abort(self, txn: Any) -> None:
        # Also called for the roll-back to a savepoint older than the first row: the
        # transaction then goes on without this data manager.  When a commit fails, databases
        # are to let go first: `tpc_abort` follows.
        if not self._is_committing:
            work = self._leave()
            if work is not None:
                work.remove()

    def tpc_abort(self, txn: Any) -> None:
        # When all have voted, it is the database that failed in the end.  Nobody knows what it
        # will say: `settle` asks it.
        is_open = self._has_voted and self._datacenter._p_jar is not None
        work = self._leave()
        if work is not None:
            if is_open:
                work.close()
            else:
                work.remove()

    def _leave(self) -> WorkFolder | None:
        """Have no rows any more; return the folder where they are."""
        self._is_joined = self._is_committing = self._has_voted = False
        for writer in self._writers.values():
            # What counts was forced out before the commit.
            with contextlib.suppress(OSError):
                writer.leave()
        self._writers, self._begun = {}, {}
        work, self._work = self._work, None
        return work


@implementer(IDataManagerSavepoint)
class _Savepoint:
    def __init__(self, lengths: dict[TableWriter, int], rows: _RemovedRows) -> None:
        self._lengths = lengths
        self._rows = rows

    def rollback(self) -> None:
        self._rows.rollback(self._lengths)


# -- the way to the tables -------------------------------------------------------


def _complete(work: WorkFolder) -> None:
    """Put the rows of a work folder into their places, after those that others have left."""
    try:
        with storage_lock(work.storage):
            try:
                redo(work.storage, PREFIX)
                with faults("Keeping the rows of removed objects"):
                    _put_into_places(work)
                work.remove()
            finally:
                # As long as the storage is locked: who comes next may take the folder up.
                work.close()
    finally:
        work.close()


def _put_into_places(work: WorkFolder) -> str:
    """Append the rows of a work folder to their tables; return what that was, in words.

    The caller has the lock of the storage.  The rows go from the folder with the last steps, so
    that nobody appends them again.
    """
    steps = tuple(_plan(work))
    if not steps:
        return ""
    title = "keeping the rows of removed objects"
    write_intent(work, title, steps)
    perform(work.storage, steps)
    clear_intent(work)
    return title


def _plan(work: WorkFolder) -> Iterator[Step]:
    for name in sorted(os.listdir(work.path)):
        folder, _, table = name.partition("-")
        if folder not in FOLDERS or not table.endswith(TABLE_EXTENSION):
            continue
        path = os.path.join(work.path, name)
        source = os.path.relpath(path, work.storage)
        with open(path, "rb") as stream:
            header = stream.readline()
            status = os.fstat(stream.fileno())
        if status.st_size > len(header):
            yield _plan_joining(work.storage, source, header, folder, table)
        yield Remove(source, status.st_ino, status.st_size)


def _plan_joining(storage: str, source: str, header: bytes, folder: str, table: str) -> Step:
    """Plan to append rows to the first table of that name that has the same columns.

    A table of other columns, of an earlier release or changed by somebody, stays as it is; the
    rows go to one with a number.
    """
    home = os.path.join(storage, folder)
    if not os.path.isdir(home):
        ensure_folder(home)
        disk.sync_folder(storage)
    for name in numbered(table):
        place = os.path.join(folder, name)
        target = os.path.join(storage, place)
        if not os.path.lexists(target):
            return Place(source, place, digest_of(os.path.join(storage, source)))
        if not os.path.isfile(target):
            continue
        with open(target, "rb") as stream:
            if stream.read(len(header)) != header:
                continue
            length = os.fstat(stream.fileno()).st_size
            stream.seek(length - 1)
            lead = "" if stream.read() in (b"\n", b"\r") else "\r\n"
        digest = digest_of(os.path.join(storage, source), len(header))
        return Append(source, len(header), place, length, tail_of(target, length), lead, digest)
    raise AssertionError("the numbers have no end")
