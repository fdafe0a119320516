"""The work of a move: the storage is copied to another place, and then the portal changes over.

Copying goes on beside all other work, in rounds, until little has changed since the last one.
Then nothing else may be under way for a moment: what is ordered from then on waits, and what was
ordered before comes to its end.  Under the lock of the storage the last changes are copied, the
copies come to their places, and one transaction makes them the storage.  What a killed worker
leaves is found in the work folder of the target, and taken up.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import transaction
from zope.component import getGlobalSiteManager

from waeup.kofa import spool
from waeup.kofa.errors import Fault, InvalidStoragePath, ItemBusy
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.distributing import finish, turn
from waeup.kofa.jobs.job import Cancelled, Job
from waeup.kofa.jobs.pace import Pace
from waeup.kofa.jobs.record import Run, utc_now
from waeup.kofa.jobs.registry import is_held_by
from waeup.kofa.jobs.reporter import Reporter
from waeup.kofa.logger import deferred_lines
from waeup.kofa.spool.disk import faults
from waeup.kofa.spool.locks import exclusion

#: All moves come one after the other.
SCOPE = "(moves)"
#: What is moved, in words.
FILE = "the storage"
#: Bytes that may be left for the last round, and rounds at most before it.
LITTLE, ROUNDS = 16 * 1024 * 1024, 5
#: Seconds that the end of other runs is waited for, and between two looks.
PATIENCE, PAUSE = 900.0, 0.5
#: Seconds that who is just deleting a file has for it.
LAST_SECONDS = 10.0
#: Seconds in which an upload is taken back that came too late.
UPLOAD_SECONDS = 3.0
#: Bytes that must stay free at the new place.
RESERVE = 64 * 1024 * 1024


def storage_roots() -> tuple[str, ...]:
    """Return the folders below which a storage may be, as the operator says."""
    config = getGlobalSiteManager().queryUtility(IDataCenterConfig, default={})
    return tuple(config.get("storage_roots", ()))


def do_move(job: Job) -> None:
    """Move the storage."""
    order = job.order
    roots = (os.sep,) if order.anywhere else storage_roots()
    with (
        faults(_("The ${title}", mapping={"title": job.run.words})),
        spool.PlaceBelow(roots, order.target or "") as place,
        spool.StorageMove(job.storage, place.path, job.run.id, order.overwrite) as move,
    ):
        try:
            job.begin()
            job.require_rights()
            require_apart(job.storage, place.path)
            # A former worker may have died between the places of the copies and the database.
            move.take_back()
            _require_room(move, place.path)
            _hold_others(job, False)
            foreign = _unknown(job, job.storage)
            _copy(job, move, place)
            _hold_others(job, True)
            _change_over(job, move, place)
        except (Cancelled, InvalidStoragePath):
            transaction.abort()
            move.discard()
            raise
        _follow_deletions(job, move, foreign)
        _top_up(job, move)
        move.finish()


def require_apart(storage: str, target: str) -> None:
    """Raise `InvalidStoragePath` when one of two storages is the other, or lies in it."""
    own = os.path.realpath(storage)
    if own == target or spool.is_inside(own, target) or spool.is_inside(target, own):
        raise InvalidStoragePath(
            _(
                "${path} and the storage ${storage} are one, or one lies in the other. Name a "
                "folder elsewhere.",
                mapping={"path": target, "storage": storage},
            )
        )


def _require_room(move: spool.StorageMove, path: str) -> None:
    """Raise `InvalidStoragePath` when what is to be copied finds no room."""
    status = os.statvfs(path)
    free, needed = status.f_bavail * status.f_frsize, move.missing() + RESERVE
    if needed > free:
        raise InvalidStoragePath(
            _(
                "There is not enough room at ${path}: ${needed} bytes are needed, and ${free} are "
                "free. Make room, or name another folder.",
                mapping={"path": path, "needed": Number(needed), "free": Number(free)},
            )
        )


def _copy(job: Job, move: spool.StorageMove, place: spool.PlaceBelow) -> None:
    """Copy while work goes on, until little is left."""
    transaction.abort()
    extent, pace, reporter = move.extent(), Pace(), Reporter(job)
    files = size = 0

    def tell(written: int, done: int) -> None:
        nonlocal files, size
        files, size = files + done, size + written
        share = min(size / extent.bytes, 1.0) if extent.bytes else 1.0
        reporter.tell(files, 0, share, pace.rate(files), (size, max(extent.bytes, size)))

    try:
        for _round in range(ROUNDS):
            place.require_same()
            if move.copy(tell) <= LITTLE:
                return
            extent, files, size = move.extent(), 0, 0
    finally:
        reporter.close()


def _hold_others(job: Job, is_closing: bool) -> None:
    """Let runs that are ordered from now on wait, or not."""
    if is_closing or job.run.closing is not None:

        def close() -> None:
            job.run.closing = utc_now() if is_closing else None

        job.committed(close)


def _change_over(job: Job, move: spool.StorageMove, place: spool.PlaceBelow) -> None:
    """Make the copy the storage as soon as nothing else is under way."""
    until = time.monotonic() + PATIENCE
    while True:
        _wait(job, until)
        try:
            with turn(job):
                _switch(job, move, place)
            return
        except ItemBusy:
            # Something has begun after all.
            transaction.abort()
            if time.monotonic() > until:
                raise


def _others(job: Job) -> tuple[list[Run], set[str]]:
    """Return the runs that are under way, and the ids of those that wait for the move."""
    others = [run for run in job.runs.active() if run.id != job.run.id]
    held = {run.id for run in others if is_held_by(job.run, run)}
    return [run for run in others if run.id not in held], held


def _wait(job: Job, until: float) -> None:
    """Wait until nothing else is under way; raises what `Job.begin` does, and `ItemBusy`."""
    while True:
        job.begin()
        others, held = _others(job)
        pending = spool.scan(job.storage, suffixes=spool.EXTENSIONS)
        uploads = spool.partial_uploads(job.storage)
        if not others and not uploads and not _are_busy(item.path for item in pending):
            job.datacenter.require_quiet(held)
            return
        if time.monotonic() > until:
            job.datacenter.require_quiet(held | {run.id for run in others})
            what = others[0].words if others else _("work on a pending file")
            raise ItemBusy(
                _(
                    "All files are copied, but the ${what} did not end in time. Let the move go "
                    "on when nothing else is under way.",
                    mapping={"what": what},
                )
            )
        transaction.abort()
        time.sleep(PAUSE)


def _are_busy(paths: Iterable[str]) -> bool:
    """Tell whether somebody works on one of these files, or is just deleting it."""
    return exclusion().are_taken(paths)


def _switch(job: Job, move: spool.StorageMove, place: spool.PlaceBelow) -> None:
    """Copy what has changed last, and make the copy the storage; the lock is held."""
    place.require_same()
    move.copy()
    extent = move.extent()

    def change() -> None:
        run = job.run
        others, held = _others(job)
        for other in others:
            raise ItemBusy(
                _(
                    "The ${title} has begun meanwhile. Let the move go on when it is over.",
                    mapping={"title": other.words},
                )
            )
        place.require_same()
        names = move.place()
        with deferred_lines(transaction.manager):
            # An operator's path may lead there by a link.
            job.datacenter.switch_storage(job.order.target, names, held)
        run.left = tuple(move.not_copied)
        run.progress.rows = extent.files
        run.progress.bytes = run.progress.all_bytes = extent.bytes
        finish(job.datacenter, run)

    job.committed(change, move.take_back)


def _unknown(job: Job, storage: str) -> set[str]:
    """Return the pending files that nobody has entered, by name."""
    names = [item.name for item in spool.scan(storage, suffixes=spool.EXTENSIONS)]
    return {name for name in names if job.datacenter.ledger.entry(name) is None}


def _follow_deletions(job: Job, move: spool.StorageMove, foreign: set[str]) -> None:
    """Delete what was deleted in the moment before: of the former storage it went, or just goes.

    So does what was uploaded and is taken back, but for what was there before, `foreign`.  Who
    began before, and commits now, has a conflict; the lock is not held any more, since that is
    waited for.
    """
    until = time.monotonic() + LAST_SECONDS
    pending = [item.path for item in spool.scan(job.storage, suffixes=spool.EXTENSIONS)]
    while _are_busy(pending) and time.monotonic() < until:
        time.sleep(PAUSE / 10)
    until = time.monotonic() + UPLOAD_SECONDS
    while True:
        transaction.begin()
        for name in move.vanished():
            if job.datacenter.ledger.entry(name) is None:
                with suppress(FileNotFoundError):
                    spool.remove_file(os.path.join(move.target, name))
        # What nobody has entered, and came meanwhile, is perhaps just being taken back.
        if _unknown(job, move.target) <= foreign or time.monotonic() > until:
            break
        time.sleep(PAUSE / 10)
    for name in move.late():
        # What is deleted may be kept in another folder.
        if job.datacenter.ledger.entry(name) is not None:
            with suppress(FileNotFoundError):
                move.bring(name)


def _top_up(job: Job, move: spool.StorageMove) -> None:
    """Bring the lines along that were logged while the portal changed over."""
    try:
        move.top_up("logs")
    except OSError as error:
        raise Fault(
            _(
                "The storage is moved, but the last lines of its logs are only in ${storage}: "
                "${reason}.",
                mapping={"storage": job.storage, "reason": error.strerror or str(error)},
            )
        ) from error
