"""Files that are kept for a while: which are needed still, when they go, and that they do.

A deleted pending file waits in ``deleted``.  Its entry in the ledger says where it was, so that a
move which a kill has cut short is completed by the next start (`complete_moves`).
"""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import transaction
from zope.component import queryUtility

from waeup.kofa import spool
from waeup.kofa.errors import ItemBusy, NoSuchItem
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.spool.disk import digest_of, disk, put
from waeup.kofa.spool.names import MAX_BYTES, split_extension

#: Folder -> name of the setting that says for how many days its files are kept.
SETTINGS = {
    "finished": "finished_days",
    "unfinished": "unfinished_days",
    "deleted": "deleted_days",
}

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


def age_from(name: str, folder: str, mtime: float) -> datetime | None:
    """Return the time from which the days of a file count; None: it never goes by itself."""
    if folder == "deleted":
        return deleted_at(name)
    if folder not in SETTINGS:
        return None
    return datetime.fromtimestamp(mtime, timezone.utc)


def needed(datacenter: Any) -> set[str]:
    """Return the files, relative to the storage, that something may come back to.

    These are the files of imports that can be taken back, those of rows that are pending still,
    and what is on its way.
    """
    found: set[str | None] = set()
    for intent in datacenter.ledger.intended():
        found |= {intent.source, intent.original, intent.finished, intent.pending}
    for item in spool.scan(datacenter.storage, suffixes=(spool.PENDING_SUFFIX,)):
        # As `result_names` takes it apart: a further round joins these.
        stem, mode = item.name.rsplit(".", 3)[:2]
        for original in (stem + spool.TABLE_EXTENSION, stem):
            found.add(os.path.join("unfinished", original))
        found.add(os.path.join("finished", f"{stem}.{mode}{spool.FINISHED_SUFFIX}"))
    for run in datacenter.runs:
        if run.can_be_undone or run.can_resume or run.is_active:
            report = run.report or {}
            found |= {report.get("finished"), report.get("pending")}
            found |= {
                os.path.join(folder, run.order.file) for folder in ("finished", "unfinished")
            }
    return {name for name in found if name}


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
    kept, now = needed(datacenter), datetime.now(timezone.utc)
    old = []
    for folder in SETTINGS:
        days = days_of(folder)
        if days is None:
            continue
        for item in spool.scan(os.path.join(storage, folder), folder, suffixes=spool.EXTENSIONS):
            since = age_from(item.name, folder, item.mtime)
            relative = os.path.join(folder, item.name)
            if since is None or relative in kept or now - since < timedelta(days=days):
                continue
            datacenter.ledger.strike(relative)
            old.append((item, relative, days))
    transaction.commit()
    for item, relative, days in old:
        try:
            with spool.storage_lock(storage), spool.claimed(item.path):
                status = os.stat(item.path)
                # What has grown meanwhile is not old.
                if (status.st_size, status.st_mtime) != (item.size, item.mtime):
                    continue
                spool.remove_file(item.path)
        except (ItemBusy, NoSuchItem):
            continue  # the next time
        yield f"{relative} was kept for {days} days, and is gone for good."
