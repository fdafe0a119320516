"""Brings database and storage together again after a crash.

At start-up, before work begins, and by ``kofactl recover``.  What is safe to repair is
repaired; the rest is told, with what can be done.  A second call changes nothing.

Where several processes share the database others live and work meanwhile.  One process at a time
recovers; what somebody has claimed is left to him, and each transaction is repeated when others
were in the way.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple, TypeVar

import transaction
from transaction.interfaces import TransientError
from zope.component import queryUtility

from waeup.kofa import claims, removals, spool
from waeup.kofa.configuration import ensure_configuration
from waeup.kofa.importing import canonical
from waeup.kofa.importing import distribution as results
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.distributing import complete
from waeup.kofa.jobs.exports import has_result, kept_time
from waeup.kofa.jobs.job import PREFIX, check_of, is_there, remove_folders
from waeup.kofa.jobs.keeping import complete_moves, drop_old_rows, learn_sources, purge_old
from waeup.kofa.jobs.record import CHECK, EXPORT, IMPORT, STOPPED, UNDO, Run, utc_now
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.ledger import DRAFT_AGE, FileEntry, Ledger
from waeup.kofa.spool.disk import digest_of
from waeup.kofa.transactional import give_way
from waeup.kofa.usual import UNDO_DAYS

log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Seconds for which the end of a recovery by another process is waited for.
PATIENCE = 30.0
#: Seconds in which an upload of another process is committed, or taken back.
UPLOAD_SECONDS = 3.0
#: How often a transaction is repeated when others were in the way, and seconds before that.
ATTEMPTS, PAUSE = 5, 0.02
#: Days for which the rows of a check are kept; the file may go earlier.
CHECK_DAYS = 7
#: Days for which the record of a run is kept, unless the settings say otherwise.
RUN_DAYS = 365


class Finding(NamedTuple):
    """What a reconciliation has found: a code, in words what it is, and whether it was repaired.

    Codes: ``completed``, ``stale``, ``expired``, ``orphan``, ``missing``, ``changed``,
    ``foreign``, ``unresolved``, ``busy``.
    """

    code: str
    text: str
    repaired: bool


def recover(db: Any, site_path: str, *, verify: bool = False) -> list[Finding]:
    """Complete what killed processes left half done, tidy up, and tell what was found.

    Runs in a thread of its own, so that the transaction of the caller stays apart.  With
    `verify` the content of all files is compared with what the database knows, not only the
    size.  Does nothing but upgrade the portal when another process recovers it for long.
    """

    def work() -> list[Finding]:
        with open_portal(db, site_path) as site:
            committed_upgrade(site)
            datacenter = site["datacenter"]
            until = time.monotonic() + PATIENCE
            while True:
                with claims.turn("recover") as is_ours:
                    if is_ours:
                        return [
                            *_complete(datacenter),
                            *_repeated(lambda: list(_forget(datacenter))),
                            *_tidy_up(datacenter),
                            *_repeated(lambda: list(_compare(datacenter, verify))),
                        ]
                if time.monotonic() > until:
                    return [Finding("busy", "Another process is doing this already.", False)]
                time.sleep(claims.PAUSE)

    found: list[Finding] = in_own_thread(work)
    return found


def _repeated(work: Callable[[], _T]) -> _T:
    """Do `work`, which begins and commits; repeat it when others were in the way.

    Raises the last conflict when they always are.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except TransientError:
            transaction.abort()
            if attempt == ATTEMPTS:
                raise
        give_way(attempt, PAUSE)
    raise AssertionError("not reached")


def upgrade(site: Any) -> bool:
    """Give a portal of a former release what it lacks, within the transaction of the caller.

    That is a place for runs, what is kept of them, and settings.  Tells whether anything was
    made.  Who only reads takes it back with the transaction, and sees what a start would make.
    """
    datacenter = site["datacenter"]
    made = "configuration" not in site
    ensure_configuration(site)
    if not hasattr(datacenter, "runs"):
        datacenter.runs = Runs()
        made = True
    # Both: what files have come from is learned from the runs in their order.
    made = datacenter.runs.upgrade() or made
    return learn_sources(datacenter) or made


def committed_upgrade(site: Any) -> None:
    """Do `upgrade` in a transaction of its own, which is repeated when others were in the way."""

    def work() -> None:
        transaction.begin()
        if upgrade(site):
            transaction.commit()

    _repeated(work)


def forget(db: Any, site_path: str) -> list[Finding]:
    """Forget undo records, checks and runs that are too old, in this thread."""
    with open_portal(db, site_path) as site, claims.turn("recover") as is_ours:
        return _repeated(lambda: list(_forget(site["datacenter"]))) if is_ours else []


def _complete(datacenter: Any) -> Iterator[Finding]:
    """Carry out the intents that others have left."""
    for title in results.recover(datacenter.storage):
        yield Finding("completed", f"Completed: {title}.", True)
    with spool.storage_lock(datacenter.storage):
        # Whoever had the lock before may have carried out what this connection still sees.
        transaction.begin()
        for intent in list(datacenter.ledger.intended()):
            try:
                _repeated(partial(complete, datacenter, intent))
                yield Finding("completed", f"Completed: {intent.title}.", True)
            except Exception as exc:
                transaction.abort()
                log.exception("Not completed: %s. Look at its files.", intent.title)
                yield Finding("unresolved", f"Not completed: {intent.title}. {exc}", False)
    yield from _complete_removals(datacenter)
    for title in complete_moves(datacenter):
        yield Finding("completed", f"Completed: {title}.", True)


def _complete_removals(datacenter: Any) -> Iterator[Finding]:
    """Bring the rows of removed objects to their places."""

    def is_known(id: str) -> bool:
        transaction.begin()
        known: bool = datacenter.ledger.expects_rows(id)
        return known

    try:
        for title in removals.settle(datacenter.storage, is_known):
            yield Finding("completed", f"Completed: {title}.", True)
    except Exception as exc:
        log.exception("The rows of removed objects are not in their places.")
        text = f"Not completed: rows of removed objects wait in .work. {exc}"
        yield Finding("unresolved", text, False)


def _forget(datacenter: Any) -> Iterator[Finding]:
    """Forget what is too old: undo records, corrections, checks, records of runs."""
    config = queryUtility(IDataCenterConfig, default={})
    days = config.get("undo_days", UNDO_DAYS)
    transaction.begin()
    folders: list[str] = []
    datacenter.ledger.forget_left(utc_now() - DRAFT_AGE)
    kept = _checks_in_use(datacenter)
    # Undos last: what they know is needed as long as there are records of an import.
    for run in sorted(datacenter.runs, key=lambda run: run.order.kind == UNDO):
        if run.ended is None or run.holds_file or run.id in kept:
            continue
        age = utc_now() - run.ended
        if run.order.kind == UNDO and len(run.undo):
            if _is_needed(datacenter, run):
                continue
            run.undo.clear()
            run.undo_bytes = 0
        elif len(run.undo) and age > timedelta(days=days) and run.undone_by is None:
            run.undo.clear()
            run.undo_bytes = 0
            text = f"The import of {run.order.file} is older than {days} days, and kept for good."
            yield Finding("expired", text, True)
        if age > _kept_for(run):
            datacenter.runs.drop(run)
            folders.append(PREFIX + run.id)
            yield Finding("expired", f"The run {run.id} was forgotten.", True)
        else:
            datacenter.runs.settle(run)
    datacenter.runs.forget_freed()
    if is_there(datacenter.storage):
        for id in datacenter.ledger.expected_rows():
            # A folder goes when its rows are where they belong.
            if not os.path.isdir(os.path.join(datacenter.storage, spool.WORK, id)):
                datacenter.ledger.forget_rows(id)
    transaction.commit()
    remove_folders(datacenter.storage, folders)
    if is_there(datacenter.storage):
        for text in (*purge_old(datacenter), *drop_old_rows(datacenter)):
            yield Finding("expired", text, True)
        yield from _drop_uploads(datacenter)


def _drop_uploads(datacenter: Any) -> Iterator[Finding]:
    """Remove uploads that get no further, and what a kill has left of those that are stored."""
    now = utc_now()
    transaction.begin()

    def is_stored(upload: spool.PartialUpload) -> bool:
        return datacenter.received(upload.owner, upload.id) is not None

    def is_over(upload: spool.PartialUpload) -> bool:
        return upload.expires <= now or is_stored(upload)

    for upload in spool.drop_partials(datacenter.storage, is_over):
        if is_stored(upload):
            yield Finding("completed", f"Completed: the upload of {upload.filename}.", True)
        else:
            text = f"The upload of {upload.filename} by {upload.owner} got no further, and went."
            yield Finding("expired", text, True)


def _kept_for(run: Run) -> timedelta:
    """Return for how long a run is remembered after its end."""
    if run.order.kind == EXPORT:
        return kept_time()
    if run.order.kind == CHECK:
        return timedelta(days=CHECK_DAYS)
    config = queryUtility(IDataCenterConfig, default={})
    return timedelta(days=config.get("run_days", RUN_DAYS))


def _is_needed(datacenter: Any, undo: Run) -> bool:
    """Tell whether an undo has changed what may be taken back still."""
    return any(
        len(run.undo) and run.order.kind == IMPORT and run.began_before_end_of(undo)
        for run in datacenter.runs
    )


def _checks_in_use(datacenter: Any) -> set[str]:
    """Return the ids of the checks that are needed still.

    An import that may go on is held to them, or they have rows that were corrected before their
    file went.
    """
    held = {
        run.order.check
        for run in datacenter.runs
        if run.order.check is not None and (run.is_active or run.holds_file)
    }
    left = datacenter.ledger.left_drafts()
    return held | {run.id for draft in left if (run := check_of(datacenter.runs, draft))}


def _tidy_up(datacenter: Any) -> Iterator[Finding]:
    """Remove work folders that are of no use any more."""
    storage = datacenter.storage
    # Folders of runs are not locked: one that is there belongs to a run that can be seen from
    # now on, or to none.
    there = spool.WorkFolder.ids(storage)
    transaction.begin()
    kept = {intent.id for intent in datacenter.ledger.intended()}
    kept |= canonical.needed(storage)
    kept |= set(removals.waiting(storage))
    kept |= spool.partial_folders(storage)
    kept |= {PREFIX + run.id for run in datacenter.runs if _needs_folder(datacenter, run)}
    kept |= {PREFIX + id for id in _checks_in_use(datacenter)}
    for id in spool.WorkFolder.stale(storage, keep=kept, among=there):
        yield Finding("stale", f"Removed: the work folder {id}, which nobody needs.", True)


def _needs_folder(datacenter: Any, run: Run) -> bool:
    if run.order.kind == EXPORT:
        return run.is_active or has_result(run)
    if run.order.kind != CHECK:
        return run.holds_file or run.is_active or run.can_resume
    if run.order.undoes is not None:
        return run.is_active
    entry = datacenter.ledger.entry(run.order.file)
    is_same = entry is None or entry.digest == run.order.digest
    is_there = os.path.isfile(os.path.join(datacenter.storage, run.order.file))
    return run.is_active or (is_same and is_there)


def _compare(datacenter: Any, verify: bool) -> Iterator[Finding]:
    """Compare what the database knows of files and runs with what is there."""
    ledger, storage = datacenter.ledger, datacenter.storage
    transaction.begin()
    # What is still to come to its place is not there yet, or not gone yet.
    moving = {
        name
        for intent in ledger.intended()
        for name in (intent.source, intent.original, intent.finished, intent.pending)
    }
    for entry in list(ledger.entries()):
        if entry.name in moving:
            continue
        path = os.path.join(storage, entry.name)
        try:
            size = os.path.getsize(path)
        except FileNotFoundError:
            if _is_on_its_way(storage, entry):
                continue
            holder = datacenter.runs.holder_of(entry.name)
            if holder is not None:
                text = (
                    f"{entry.name} is gone, but belongs to the run {holder.id}. Bring it back, or "
                    f"take the run back; `kofactl cancel {holder.id} --give-up` frees the name."
                )
                yield Finding("missing", text, False)
                continue
            ledger.strike(entry.name)
            ledger.forget_received(entry)
            yield Finding("missing", f"{entry.name} is gone; it was struck off.", True)
            continue
        if size != entry.size or (verify and digest_of(path) != entry.digest):
            if not entry.owner and datacenter.runs.holder_of(entry.name) is None:
                # It was put there by other means, and so it was changed: it is entered anew.
                ledger.strike(entry.name)
                continue
            text = (
                f"{entry.name} is not what {entry.owner} has brought: somebody has changed it on "
                "the disk. Bring the former content back, or delete the file and upload it again."
            )
            yield Finding("changed", text, False)
    if claims.is_shared() and _unknown(ledger, storage, moving):
        # What is just being uploaded is entered with the next commit of somebody else.
        until = time.monotonic() + UPLOAD_SECONDS
        while time.monotonic() < until and _unknown(ledger, storage, moving):
            transaction.commit()
            time.sleep(claims.PAUSE)
            transaction.begin()
    yield from _adopt(ledger, storage, moving)
    transaction.commit()
    yield from _foreign(storage)
    for run in datacenter.runs:
        if run.state == STOPPED:
            text = f"The {run.title} has stopped: {run.fault} "
            text += f"`kofactl resume {run.id}` lets it go on"
            text += f", `kofactl undo {run.id}` takes it back." if run.can_be_undone else "."
            yield Finding("unresolved", text, False)


def _is_on_its_way(storage: str, entry: FileEntry) -> bool:
    """Tell whether a missing file is just brought to its place from where it was before.

    It is put there before it leaves the other place.
    """
    former = os.path.join(storage, entry.origin)
    return bool(entry.origin) and (
        os.path.isfile(former) or os.path.isfile(os.path.join(storage, entry.name))
    )


def _unknown(ledger: Ledger, storage: str, moving: Collection[str | None]) -> list[spool.Item]:
    """Return the pending files that the database does not know."""
    return [
        item
        for item in spool.scan(storage, suffixes=spool.EXTENSIONS)
        if ledger.entry(item.name) is None and item.name not in moving
    ]


def _adopt(ledger: Ledger, storage: str, moving: Collection[str | None]) -> Iterator[Finding]:
    """Enter the pending files that the database does not know: they can be imported."""
    for item in _unknown(ledger, storage, moving):
        date = datetime.fromtimestamp(item.mtime, timezone.utc)
        try:
            digest = digest_of(item.path)
        except FileNotFoundError:
            continue  # somebody has just taken it away
        ledger.enter(FileEntry(item.name, "", item.name, item.size, digest, date))
        yield Finding("orphan", f"{item.name} was put there by other means.", True)


def _foreign(storage: str) -> Iterator[Finding]:
    """Tell of folders that are none of Kofa's; they are left alone."""
    with os.scandir(storage) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in names:
        if name not in spool.FOLDERS and name != spool.WORK:
            yield Finding("foreign", f"The folder {name} is none of the data center's.", False)
