"""Files that are kept for a while: which are needed still, when they go, and that they do.

A deleted pending file waits in ``deleted``.  Its entry in the ledger says where it was, so that a
move which a kill has cut short is completed by the next start (`complete_moves`).
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.component import queryUtility
from zope.event import notify

from waeup.kofa import claims, removals, spool
from waeup.kofa.errors import ItemBusy, NoSuchItem, StorageFault, TableError
from waeup.kofa.importing.atfault import code_at_fault
from waeup.kofa.interfaces import FilePurgedEvent, IDataCenterConfig
from waeup.kofa.jobs.sitecode import Hold
from waeup.kofa.ledger import Ledger
from waeup.kofa.spool.disk import digest_of, disk, put
from waeup.kofa.spool.locks import require_held
from waeup.kofa.spool.names import MAX_BYTES, split_extension
from waeup.kofa.tabular import TableWriter, open_table

log = logging.getLogger(__name__)

#: Folder -> name of the setting that says for how many days its files are kept.
SETTINGS = {
    "finished": "finished_days",
    "unfinished": "unfinished_days",
    "deleted": "deleted_days",
}

#: How the ids of the work folders begin in which tables are written anew.
PREFIX = "keeping-"

_DELETED = re.compile(r"(?P<stem>.+)\.(?P<time>\d{8}T\d{6}Z)\.deleted(?:-\d+)?(?P<end>\.[^-]*)")
_TIME = "%Y%m%dT%H%M%SZ"


def deleted_name(name: str, date: datetime) -> str:
    """Return what a pending file is called in ``deleted``: its stem, the time, its extension."""
    stem, extension = split_extension(name)
    end = f".{date.astimezone(timezone.utc):{_TIME}}.deleted{extension}"
    # Room for a number, too.
    room = MAX_BYTES - len(end.encode()) - 8
    return stem.encode()[:room].decode(errors="ignore") + end


def deleted_at(name: str) -> datetime | None:
    """Return when a file of ``deleted`` was deleted; None for a table of removed objects."""
    found = _DELETED.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found["time"], _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def former_name(name: str) -> str:
    """Return what a deleted file was called, as far as its name tells."""
    found = _DELETED.fullmatch(name)
    return name if found is None else found["stem"] + found["end"]


def days_of(folder: str) -> int | None:
    """Return for how many days the files of a folder are kept; None: for good."""
    setting = SETTINGS.get(folder)
    if setting is None:
        return None
    days: int | None = queryUtility(IDataCenterConfig, default={}).get(setting)
    return days


def age_from(ledger: Ledger, name: str, folder: str, mtime: float) -> datetime | None:
    """Return the time from which the days of a file count; None: it never goes by itself.

    An original keeps the time of its upload; what counts is when its import put it there.
    """
    if folder == "deleted":
        return deleted_at(name)
    if folder not in SETTINGS:
        return None
    changed = datetime.fromtimestamp(mtime, timezone.utc)
    source = ledger.source_of(os.path.join(folder, name))
    return changed if source is None else max(changed, source[1])


def needed(datacenter: Any) -> set[str]:
    """Return the files, relative to the storage, that something may come back to.

    These are the files of imports that can be taken back, those of rows that are pending still,
    or were deleted and can be restored, and what is on its way.
    """
    found: set[str | None] = set()
    for intent in datacenter.ledger.intended():
        found |= {intent.source, intent.original, intent.finished, intent.pending}
    for item in spool.scan(datacenter.storage, suffixes=(spool.PENDING_SUFFIX,)):
        found |= _joined_by(item.name)
    home = os.path.join(datacenter.storage, "deleted")
    for item in spool.scan(home, suffixes=(spool.TABLE_EXTENSION,)):
        if deleted_at(item.name) is not None:
            entry = datacenter.ledger.entry(os.path.join("deleted", item.name))
            name = entry.origin if entry is not None else former_name(item.name)
            if name.endswith(spool.PENDING_SUFFIX):
                found |= _joined_by(name)
    for run in datacenter.runs.unsettled():
        report = run.report or {}
        found |= {report.get("finished"), report.get("pending")}
        found |= {os.path.join(folder, run.order.file) for folder in ("finished", "unfinished")}
    return {name for name in found if name}


def _joined_by(pending: str) -> set[str]:
    """Return the files that a further round of a pending file joins, as `result_names` does."""
    stem, _dot, mode = pending.removesuffix(spool.PENDING_SUFFIX).rpartition(".")
    return {
        os.path.join("unfinished", stem + spool.TABLE_EXTENSION),
        os.path.join("unfinished", stem),
        os.path.join("finished", f"{stem}.{mode}{spool.FINISHED_SUFFIX}"),
    }


def learn_sources(datacenter: Any) -> bool:
    """Let the ledger know the imports of files that came before it kept these.

    Tells whether it has learned anything.
    """
    ledger = datacenter.ledger
    if ledger.knows_sources:
        return False
    for run in reversed(list(datacenter.runs.newest())):
        places = {(run.report or {}).get("finished")}
        places |= {os.path.join(each, run.order.file) for each in ("finished", "unfinished")}
        for name in places:
            if name and run.ended and os.path.isfile(os.path.join(datacenter.storage, name)):
                ledger.tell_source(name, run.order.undoes or run.id, run.ended)
    return True


def bring(source: str, target: str) -> None:
    """Move a file to a new name in another folder; it is in one of them whatever happens.

    To do it again completes it.  Raises FileExistsError when there is another file.
    """
    if not os.path.isfile(target) or digest_of(source) != digest_of(target):
        put(source, target)
    # The new name is there after a loss of power before the old one goes.
    disk.sync_folder(os.path.dirname(target))
    if os.path.lexists(source):
        spool.remove_file(source)


def complete_moves(datacenter: Any) -> Iterator[str]:
    """Complete deletions and restorations that were committed; say which."""
    ledger, storage = datacenter.ledger, datacenter.storage
    transaction.begin()
    for entry in list(ledger.entries()):
        if not entry.origin or ledger.entry(entry.origin) is not None:
            continue
        path, former = os.path.join(storage, entry.name), os.path.join(storage, entry.origin)
        if not os.path.isfile(former):
            continue
        try:
            with spool.claimed(former):
                if digest_of(former) != entry.digest:
                    continue  # another file has that name by now
                is_deletion = entry.deleted_by is not None
                if is_deletion and os.path.isfile(path) and not os.path.samefile(path, former):
                    continue  # the same content has come again, and is on its way
                bring(former, path)
        except FileExistsError:
            continue
        except (ItemBusy, NoSuchItem):
            continue  # somebody is at it
        else:
            what = "restoration" if entry.deleted_by is None else "deletion"
            yield f"{what} of {entry.origin}"


def purge_old(datacenter: Any) -> Iterator[str]:
    """Remove the files that are older than the settings say and that nothing needs; say which."""
    storage = datacenter.storage
    transaction.begin()
    old = old_files(datacenter, {folder: days_of(folder) for folder in SETTINGS})
    transaction.abort()
    for item, relative, days in old:
        try:
            with spool.storage_lock(storage), spool.claimed(item.path):
                if not is_unchanged(item):
                    continue
                # First, for an entry whose file is gone would say that it is to come there.
                transaction.begin()
                datacenter.ledger.strike(relative)
                if not _is_let_go(datacenter, relative):
                    transaction.abort()
                    continue
                claims.fence(datacenter._p_jar)
                transaction.commit()
                require_held()
                spool.remove_file(item.path)
        except (ItemBusy, NoSuchItem, TransientError):
            transaction.abort()
            continue  # the next time
        except (OSError, StorageFault):
            transaction.abort()
            log.exception("%s was kept for %s days, and cannot be removed.", relative, days)
            continue
        yield f"{relative} was kept for {days} days, and is gone for good."


def _is_let_go(datacenter: Any, name: str) -> bool:
    """Notify that a file goes that is too old; tell whether no subscriber has refused that."""
    try:
        with Hold():
            notify(FilePurgedEvent(datacenter, name))
    except (TransientError, KeyboardInterrupt):
        raise
    except BaseException as exc:
        code = code_at_fault(exc)
        log.exception("%s stays, for a subscriber has failed or refused it: %s.", name, code)
        return False
    return True


def old_files(
    datacenter: Any, kept_days: Mapping[str, int | None]
) -> list[tuple[spool.Item, str, int]]:
    """Return the files that go when those of each folder are kept for so many days.

    Each comes with its path below the storage, and with the days.
    """
    kept, now = needed(datacenter), datetime.now(timezone.utc)
    old = []
    for folder, days in kept_days.items():
        if days is None:
            continue
        home = os.path.join(datacenter.storage, folder)
        for item in spool.scan(home, folder, suffixes=spool.EXTENSIONS):
            since = age_from(datacenter.ledger, item.name, folder, item.mtime)
            relative = os.path.join(folder, item.name)
            if since is None or relative in kept or now - since < timedelta(days=days):
                continue
            old.append((item, relative, days))
    return old


def is_unchanged(item: spool.Item) -> bool:
    """Tell whether a file is still as it was listed; rows of an import may have come to it."""
    status = os.stat(item.path)
    return (status.st_size, status.st_mtime) == (item.size, item.mtime)


def drop_old_rows(datacenter: Any) -> Iterator[str]:
    """Take rows of removed objects that are too old out of the tables in ``deleted``; say so.

    A table is written anew beside and put in place of the former one, while nobody appends to it.
    One that cannot be read, or has other columns, is left alone.
    """
    days, storage = days_of("deleted"), datacenter.storage
    if days is None:
        return
    before = datetime.now(timezone.utc) - timedelta(days=days)
    for item in spool.scan(os.path.join(storage, "deleted"), suffixes=(spool.TABLE_EXTENSION,)):
        if deleted_at(item.name) is not None:
            continue
        try:
            # While this is read, which takes its time, others may put files into their places.
            if not any(_is_old(row.values, before) for row in _rows(item.path)):
                continue
            with spool.storage_lock(storage):
                if removals.waiting(storage):
                    return  # rows are on their way; the next time
                gone = _drop_rows(storage, item.path, before)
        except (TableError, FileNotFoundError):
            continue
        except ItemBusy:
            return  # the next time
        except (OSError, StorageFault):
            log.exception("Old rows cannot be taken out of %s.", item.path)
            continue
        if gone:
            yield (
                f"deleted/{item.name}: rows that were kept for {days} days, and are gone for "
                f"good: {gone}."
            )


def tables_with_old_rows(datacenter: Any, days: int) -> int:
    """Return how many tables of removed objects lose rows when these are kept for so many days.

    The oldest rows come first, so only the beginning of each table is looked at.
    """
    before = datetime.now(timezone.utc) - timedelta(days=days)
    found = 0
    home = os.path.join(datacenter.storage, "deleted")
    for item in spool.scan(home, suffixes=(spool.TABLE_EXTENSION,)):
        if deleted_at(item.name) is None:
            with suppress(TableError, OSError):
                found += any(_is_old(row.values, before) for row in islice(_rows(item.path), 100))
    return found


def _drop_rows(storage: str, path: str, before: datetime) -> int:
    """Write a table anew without its old rows; return their number."""
    gone = 0
    with spool.WorkFolder(storage, prefix=PREFIX) as work:
        beside = os.path.join(work.path, os.path.basename(path))
        with open_table(path, own=True) as table:
            columns = table.header
        with TableWriter(beside, columns, quote_all=True) as writer:
            for row in _rows(path):
                if _is_old(row.values, before):
                    gone += 1
                else:
                    writer.write(row.values)
            writer.sync()
        # Rows may have been appended by others since, if they have taken this for dead.
        require_held()
        disk.replace(beside, path)
        disk.sync_folder(os.path.dirname(path))
    return gone


def _rows(path: str) -> Iterator[Any]:
    """Generate the rows of a table of removed objects; raises `TableError` for any other."""
    with open_table(path, own=True) as table:
        if table.header[-len(removals.DATES) :] != removals.DATES:
            raise TableError(f"{path} is no table of removed objects.")
        for row in table:
            if row.problem is not None:
                raise TableError(f"{path} is damaged in line {row.line}.")
            yield row


def _is_old(values: Sequence[str], before: datetime) -> bool:
    """Tell whether what a row says of an object was so before a time."""
    said = values[-2] or values[-1]
    try:
        date = datetime.fromisoformat(said)
    except ValueError:
        return False
    return date.tzinfo is not None and date < before
