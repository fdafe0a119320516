"""A database is copied, object by object, into one of any other kind.

Objects keep their ids, their data, and the transactions that they belong to: an undo of an import
compares these.  Whatever happens on the way, a target is never taken for a portal by mistake:

=============  =====================================================================
target         how it becomes whole
=============  =====================================================================
filestorage    a file beside is filled and compared, and renamed
postgresql     one transaction of PostgreSQL holds all, and empties the tables first
zeo            the root says that it is incomplete; the true one is written at last
=============  =====================================================================

So of ZEO alone the root gets a new transaction.  A file and ZEO keep the former states of objects
that the source has; PostgreSQL has the present ones only.
"""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from persistent.mapping import PersistentMapping
from ZODB.Connection import TransactionMetaData
from ZODB.utils import load_current, p64, u64, z64

from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.deployment.wholeness import BARE, EMPTY, MARK, PARTIAL, state_of
from waeup.kofa.errors import DatabaseHeld, Fault, Refused
from waeup.kofa.spool.disk import disk, faults, sync_file

#: Told how many records are copied, or compared, and how many bytes these have.
Tell = Callable[[int, int], object]
#: What is behind the name of a file that is being filled.
INCOMPLETE = ".incomplete"
#: Tables of RelStorage that hold objects, or what is known of them.
_TABLES = ("object_ref", "object_refs_added", "pack_object", "blob_chunk", "object_state")
#: Records between two words about the progress.
_STEP = 1000


@contextmanager
def alone(database: Database) -> Iterator[Any]:
    """Open the ZODB storage of a database for reading; nobody changes a file meanwhile.

    Raises `DatabaseHeld`, and what `Database.storage` does.
    """
    if not isinstance(database, FileDatabase):
        with database.storage(write=False) as storage:
            yield storage
        return
    with held(database.path), database.storage(write=False) as storage:
        yield storage


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file of a database as who changes it does.  Raises `DatabaseHeld`."""
    from zc.lockfile import LockError, LockFile

    try:
        lock = LockFile(f"{path}.lock")
    except LockError:
        raise DatabaseHeld(
            f"The database {path} is held by another process, such as a portal that runs. Stop "
            "it and repeat the command."
        )
    try:
        yield
    finally:
        lock.close()


def copy_database(source: Any, target: Database, tell: Tell, *, replace: bool = False) -> int:
    """Copy all from the ZODB storage `source`, which nobody changes; return how many objects.

    What the target holds is given up with `replace`, without it the target must be empty.  All
    that was copied is compared.  Raises `Refused`, `DatabaseHeld`, and `Fault` for a difference.
    """
    if isinstance(target, FileDatabase):
        return _to_file(source, target, tell, replace)
    with target.storage(write=True) as storage:
        require_free(storage, target, replace)
        if target.kind == "zeo":
            return _to_server(source, storage, tell)
        _to_tables(source, storage, tell)
    # What others see of it.
    with target.storage(write=False) as storage:
        return compare(source, storage, tell)


def require_free(storage: Any, target: Database, replace: bool) -> None:
    """Raise `Refused` when the ZODB storage of a target cannot take a copy."""
    state = state_of(storage)
    if state == EMPTY or (target.kind != "zeo" and (replace or state == BARE)):
        return
    what = "a part of a copy that was broken off" if state == PARTIAL else "something already"
    if target.kind == "zeo":
        raise Refused(
            f"{target.title} holds {what}, and a ZEO server cannot be emptied from here. Stop it, "
            "move its file away, start it, and repeat the command; or name another storage of it."
        )
    raise Refused(
        f"{target.title} holds {what}. Name an empty database, or give that up with --replace."
    )


def require_nobody(database: Database) -> None:
    """Raise `DatabaseHeld` while processes of the portal work with a shared database."""
    from waeup.kofa.presence import is_surely_dead, processes_of

    if not database.is_shared:
        return
    with database.open(write=False) as opened:
        connection = opened.open()
        try:
            processes = processes_of(connection)
            found = [] if processes is None else processes.all()
            names = [each.holder for each in found if not is_surely_dead(each.holder)]
        finally:
            connection.close()
    if names:
        host, pid = names[0].split(":")[:2]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise DatabaseHeld(
            f"Processes of the portal work with {database.title}: {pid} on {host}{more}. Stop all "
            "of them, wait for a minute if one was killed, and repeat the command."
        )


# -- the kinds of targets --------------------------------------------------------------


def _to_file(source: Any, target: FileDatabase, tell: Tell, replace: bool) -> int:
    path = target.path
    with faults(f"Making the database {path}"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with held(path):
            if path.exists():
                with target.storage(write=False) as former:
                    require_free(former, target, replace)
            with transactions(source) as found:
                new = write_file(found, path, tell)
            with FileDatabase(new).storage(write=False) as storage:
                number = compare(source, storage, tell)
            put_file(new, path)
    return number


def write_file(transactions: Iterable[Any], path: Path, tell: Tell) -> Path:
    """Write transactions to a new file beside `path`, durably; return its path.

    What a former attempt has left there is replaced.  Raises `DatabaseHeld` when somebody else is
    at it.
    """
    from ZODB.FileStorage import FileStorage

    new = path.with_name(path.name + INCOMPLETE)
    with held(new):
        for name in (new, *_companions(new)):
            name.unlink(missing_ok=True)
    storage = FileStorage(str(new), create=True)
    try:
        _restore(transactions, storage, tell)
    finally:
        storage.close()
    sync_file(str(new))
    return new


def put_file(new: Path, path: Path) -> None:
    """Put a file, filled and closed, in the place of that of a database; the caller holds it."""
    # An index that belongs to another file must not be found beside this one.
    with suppress(FileNotFoundError):
        disk.unlink(f"{path}.index")
    disk.sync_folder(str(path.parent))
    disk.replace(str(new), str(path))
    disk.sync_folder(str(path.parent))
    with suppress(FileNotFoundError):
        disk.replace(f"{new}.index", f"{path}.index")
    for name in _companions(new):
        name.unlink(missing_ok=True)


def _companions(path: Path) -> list[Path]:
    """Return the files that a FileStorage makes beside its own."""
    return [path.with_name(path.name + end) for end in (".index", ".lock", ".tmp")]


def _to_server(source: Any, storage: Any, tell: Tell) -> int:
    """Fill a ZEO server, whose transactions must come in their order."""
    with transactions(source) as found:
        first = next(iter(found), None)
    if first is None:
        raise Refused("There is nothing to be copied: the source is empty.")
    root, _tid = load_current(source, z64)
    mark = pickle.dumps((PersistentMapping, None), 3)
    mark += pickle.dumps(PersistentMapping({MARK: True}).__getstate__(), 3)
    before = p64(u64(first.tid) - 1)
    with _transaction(storage, before) as meta:
        storage.restore(z64, before, mark, "", None, meta)
    with transactions(source) as found:
        _restore(found, storage, tell, but=z64)
    number = compare(source, storage, tell, but=z64)
    with _transaction(storage) as meta:
        storage.store(z64, before, root, "", meta)
    if load_current(storage, z64)[0] != root:
        raise _different("the root")
    return number


def _to_tables(source: Any, storage: Any, tell: Tell) -> None:
    """Fill the tables of RelStorage in one transaction, in which they are emptied first."""
    with _transaction(storage, source.lastTransaction()) as meta:
        cursor = storage._tpc_phase.shared_state.store_connection.cursor
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608  (a name from above)
        for oid, tid, data in _told(records(source), tell):
            storage.restore(oid, tid, data, "", None, meta)


def _restore(transactions: Iterable[Any], storage: Any, tell: Tell, but: bytes = b"") -> None:
    """Write transactions as they are, without the records of the object `but`."""
    number = size = 0
    for meta in transactions:
        with _transaction(storage, meta.tid, meta):
            for record in meta:
                if record.oid == but:
                    continue
                storage.restore(record.oid, record.tid, record.data, "", None, meta)
                number, size = number + 1, size + len(record.data or b"")
                if number % _STEP == 0:
                    tell(number, size)
    tell(number, size)


@contextmanager
def _transaction(storage: Any, tid: bytes | None = None, meta: Any = None) -> Iterator[Any]:
    """Write in one transaction of a storage, with a given id; gives what it is known by."""
    if meta is None:
        meta = TransactionMetaData(description="copy of a portal")
    storage.tpc_begin(meta, tid, getattr(meta, "status", " "))
    try:
        yield meta
        storage.tpc_vote(meta)
        storage.tpc_finish(meta)
    except BaseException:
        storage.tpc_abort(meta)
        raise


@contextmanager
def transactions(storage: Any) -> Iterator[Iterable[Any]]:
    """Give the transactions of a ZODB storage, in their order, with their records."""
    found = storage.iterator()
    try:
        yield found
    finally:
        # That of a ZEO client goes by itself.
        getattr(found, "close", lambda: None)()


# -- comparing --------------------------------------------------------------------------


def records(storage: Any) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Generate id, transaction and data of all objects as they are now, in order of their ids."""
    cookie = None
    while True:
        try:
            oid, tid, data, cookie = storage.record_iternext(cookie)
        except (ValueError, StopIteration):
            return  # a storage without anything says it so
        yield oid, tid, data
        if cookie is None:
            return


def compare(source: Any, target: Any, tell: Tell, but: bytes = b"") -> int:
    """Compare all objects of two ZODB storages but one; return how many these have.

    Raises `Fault` for the first difference.
    """
    number = 0
    ours, theirs = (
        (record for record in records(storage) if record[0] != but) for storage in (source, target)
    )
    for one, other in zip_longest(_told(ours, tell), theirs):
        if one != other:
            oid = min(record[0] for record in (one, other) if record is not None)
            raise _different(f"the object {u64(oid):x}")
        number += 1
    return number + bool(but)


def _told(
    found: Iterator[tuple[bytes, bytes, bytes]], tell: Tell
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Generate records, and tell of them now and then."""
    number = size = 0
    for record in found:
        number, size = number + 1, size + len(record[2])
        if number % _STEP == 0:
            tell(number, size)
        yield record
    tell(number, size)


def _different(what: str) -> Fault:
    return Fault(
        f"The copy differs from its source: {what} is not the same in both. The source was not "
        "touched. Make sure that nobody else uses either, look at disk and memory of the machine, "
        "and begin anew with --replace."
    )


# -- what a portal says of itself ---------------------------------------------------------


def storage_path_of(database: Database, site_name: str) -> str | None:
    """Return the path of the files of the portal in a database that is not empty, or None."""
    with database.open(write=False) as opened:
        return path_in(opened, site_name)


def path_in(opened: Any, site_name: str) -> str | None:
    """Return the path of the files of the portal in an open `ZODB.DB`, or None."""
    from zope.app.publication.zopepublication import ZopePublication

    connection = opened.open()
    try:
        root = connection.root().get(ZopePublication.root_name, {})
        site = root.get(site_name)
        return None if site is None else os.fspath(site["datacenter"].storage)
    finally:
        connection.close()
