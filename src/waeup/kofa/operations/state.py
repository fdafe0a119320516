"""How a portal is: versions, sizes, what waits, and the last backup.

Nothing here is secret, and nothing costs more than a moment: folders and undo records are counted
within a second, and what was counted holds for an hour.
"""

import os
import platform
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from threading import Lock
from typing import Any

from zope.component import queryUtility
from zope.sendmail.interfaces import IMailDelivery
from zope.session.interfaces import ISessionDataContainer

from waeup.kofa.datacenter import FOLDERS
from waeup.kofa.importing.reading import limits
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.interfaces import IJobEngine
from waeup.kofa.jobs.record import QUEUED, STOPPED
from waeup.kofa.presence import living
from waeup.kofa.spool import WORK
from waeup.kofa.spool.sizes import FolderSize, measure
from waeup.kofa.usual import CHANGE_SHARE, EXPORT_HOURS, REMOVE_SHARE, UNDO_DAYS, UPLOAD_LIMIT

#: Packages whose versions are told.
PACKAGES = ("waeup.kofa", "grok", "ZODB", "BTrees", "zope.interface", "zope.publisher", "waitress")
#: Seconds that counting may take, and for which what was counted holds.
BUDGET, HOLDS = 1.0, 3600.0
#: Runs whose undo records are counted, the newest ones.
COUNTED_RUNS = 2000
#: Stopped runs that are named.
NAMED = 20
#: Files of a mail queue that are counted.
COUNTED_MESSAGES = 10_000
#: Bytes of the note of a backup that are read.
NOTE = 500
#: Kinds of databases, by the classes of their storages; others are called by their class.
KINDS = {"ClientStorage": "ZEO", "RelStorage": "PostgreSQL"}


@dataclass(frozen=True)
class Backup:
    """That a backup was made, as the operator has told it."""

    date: datetime
    note: str


@dataclass(frozen=True)
class Counted:
    """What takes a while to count, and when it was counted.

    `undo_bytes` is the size of the undo records of the newest runs; without `is_all` there are
    older ones that were not looked at.
    """

    date: datetime
    folders: tuple[FolderSize, ...]
    undo_bytes: int
    is_all: bool


@dataclass(frozen=True)
class Workers:
    """The threads that work on runs: how many there should be, and how many live."""

    wanted: int
    alive: int
    started: datetime
    last_care: datetime | None


@dataclass(frozen=True)
class Process:
    """One of several processes that share the portal: where it runs, and `what` it is."""

    host: str
    pid: int
    what: str
    since: datetime


@dataclass(frozen=True)
class SystemState:
    """How a portal is at the moment; sizes are bytes, ``None`` stands for what is not known.

    `versions` are pairs of a package and its version.  `database_path` is the file of the
    database, or tells where its server is; `objects` are those that it counts, which PostgreSQL
    does now and then, and about.  `limits` are pairs of a name of `IDataCenterConfig` and a
    number.  `stopped` names runs that have stopped, `oldest` is the time at which the first of
    those that wait was ordered.
    """

    versions: tuple[tuple[str, str], ...]
    database_kind: str
    database_path: str
    database_size: int | None
    database_free: int | None
    objects: int | None
    storage: str
    storage_free: int | None
    counted: Counted
    waiting: int
    running: int
    oldest: datetime | None
    stopped: tuple[str, ...]
    more_stopped: int
    workers: Workers | None
    processes: tuple[Process, ...]
    sessions: int | None
    messages: int | None
    limits: tuple[tuple[str, float], ...]
    backup: Backup | None


_kept: dict[str, tuple[float, Counted]] = {}
_lock = Lock()


def state_of(site: Any, fresh: bool = False) -> SystemState:
    """Return how a portal is; `fresh` lets everything be counted anew."""
    datacenter = site["datacenter"]
    config = queryUtility(IDataCenterConfig, default={})
    database = site._p_jar.db()
    path, kind = database.getName(), type(database.storage).__name__
    active = datacenter.runs.active()
    waiting = [run for run in active if run.state == QUEUED]
    # Runs that have stopped are few, and are among the newest.
    stopped = [
        run.id for run in islice(datacenter.runs.newest(), COUNTED_RUNS) if run.state == STOPPED
    ]
    sessions = queryUtility(ISessionDataContainer, context=site)
    return SystemState(
        versions=(("Python", platform.python_version()), *_versions()),
        database_kind=KINDS.get(kind, kind),
        database_path=path,
        database_size=_number(database.getSize),
        # The disk of a server is not ours to see.
        database_free=_free(os.path.dirname(path)) if os.path.isabs(path) else None,
        # A database without any object has not been counted yet.
        objects=_number(database.objectCount) or None,
        storage=datacenter.storage,
        storage_free=_free(datacenter.storage),
        counted=_counted(datacenter, fresh),
        waiting=len(waiting),
        running=len(active) - len(waiting),
        oldest=min((run.queued for run in waiting), default=None),
        stopped=tuple(stopped[:NAMED]),
        more_stopped=len(stopped[NAMED:]),
        workers=_workers(),
        processes=tuple(
            Process(each.host, each.pid, each.what, each.since) for each in living(site)
        ),
        sessions=None if sessions is None else len(sessions),
        messages=_messages(),
        limits=tuple(_limits(config)),
        backup=_backup(config),
    )


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append((name, version(name)))
    return found


def _number(count: Any) -> int | None:
    """Return what a storage counts; some do not know it."""
    number = count()
    return number if isinstance(number, int) else None


def _free(path: str) -> int | None:
    """Return the free bytes where a folder is."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _counted(datacenter: Any, fresh: bool) -> Counted:
    """Return what was counted within the last hour; it is counted if need be."""
    storage = datacenter.storage
    with _lock:
        until, kept = _kept.get(storage, (0.0, None))
        if kept is None or fresh or time.monotonic() > until:
            sizes = measure(storage, ("", *FOLDERS, "graduated", WORK), BUDGET)
            runs = list(islice(datacenter.runs.newest(), COUNTED_RUNS + 1))
            undo_bytes = sum(run.undo_bytes for run in runs[:COUNTED_RUNS])
            kept = Counted(
                datetime.now(timezone.utc), tuple(sizes), undo_bytes, len(runs) <= COUNTED_RUNS
            )
            _kept[storage] = time.monotonic() + HOLDS, kept
        return kept


def _workers() -> Workers | None:
    """Return the threads of the engine of this process, if it has one that tells."""
    engine = queryUtility(IJobEngine)
    tell = getattr(engine, "workers", None)
    return None if tell is None else Workers(*tell())


def _messages() -> int | None:
    """Return how many messages wait to be sent; None where mail is not set up."""
    delivery = queryUtility(IMailDelivery)
    path = getattr(delivery, "queuePath", None)
    if path is None:
        return None
    with suppress(OSError), os.scandir(os.path.join(path, "new")) as entries:
        return sum(1 for _ in islice(entries, COUNTED_MESSAGES))
    return 0


def _limits(config: Any) -> list[tuple[str, float]]:
    """Return the limits in force, by the names of the configuration."""
    table = limits()
    usual = {
        "undo_days": UNDO_DAYS,
        "export_hours": EXPORT_HOURS,
        "remove_share": REMOVE_SHARE,
        "change_share": CHANGE_SHARE,
    }
    return [
        ("upload_limit", config.get("upload_limit", UPLOAD_LIMIT)),
        ("rows", table.rows),
        ("columns", table.columns),
        ("unpacked", table.unpacked),
        ("memory", table.memory),
        *((name, config.get(name, number)) for name, number in usual.items()),
    ]


def _backup(config: Any) -> Backup | None:
    """Return the last backup that the portal was told of: the time and the text of a file."""
    path = config.get("backup_stamp")
    if path is None:
        return None
    try:
        with open(path, "rb") as stamp:
            date = datetime.fromtimestamp(os.fstat(stamp.fileno()).st_mtime, timezone.utc)
            return Backup(date, stamp.read(NOTE).decode("utf-8", "replace").strip())
    except OSError:
        return None
