"""A run in the hands of a worker: the lease, and transactions that only its holder commits.

::

    claim                 a token, under a lease; of two who try one has a conflict
      begin ... commit    one transaction after the other; each makes sure of the token
    settle                the run is put down in the state that it has reached

Whoever was paused and woken too late finds another token: `LeaseLost`.  Should it be in the
middle of a commit, the checkpoint conflicts.

A lease is over when its holder is surely dead, or when it was not renewed for `LEASE` seconds,
by the clock of whoever looks.  A database that is away is no fault of a run: it is put down when
the database is back (`put_down_rest`).
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import transaction
from transaction.interfaces import TransientError
from zope.security.management import queryInteraction

from waeup.kofa import meters
from waeup.kofa.errors import Fault, NotAllowed, StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.effects import serial_of
from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.events import tell_over
from waeup.kofa.jobs.outages import is_away, tell
from waeup.kofa.jobs.record import (
    CANCELLED,
    CHECK,
    DISTRIBUTING,
    EXPORT,
    FINISHED,
    MOVE,
    QUEUED,
    RUNNING,
    STOPPED,
    UNDO,
    UNDONE,
    Run,
)
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.jobs.sitecode import Hold
from waeup.kofa.ledger import Draft
from waeup.kofa.permissions import has_permission
from waeup.kofa.presence import Watch, is_surely_dead
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA, MANAGE_PORTAL
from waeup.kofa.spool import WorkFolder
from waeup.kofa.spool.work import WORK
from waeup.kofa.transactional import give_way

log = logging.getLogger(__name__)

IsDead = Callable[[str], bool]

#: Seconds that a worker may be silent before others take its run.
LEASE = 60.0
#: How often a transaction is repeated when others were in the way.
ATTEMPTS = 5
#: Seconds before the first repetition; each further one waits longer.
PAUSE = 0.05
#: How often a run is taken up again whose workers have died at one place.
TRIES = 5
#: How the ids of the work folders of runs begin.
PREFIX = "run-"
#: The permission that a move of the storage needs.
MOVE_PERMISSION = MANAGE_PORTAL
#: What runs of a kind need besides what their processor asks for; all others: `IMPORT_DATA`.
_GENERAL = {EXPORT: EXPORT_DATA, MOVE: MOVE_PERMISSION}

#: What this process has seen of leases.
_seen = Watch()
#: What could not be put down, with state and fault, while the database was away.
_rest: list[tuple["Claim", str | None, str]] = []
_rest_lock = threading.Lock()


class LeaseLost(Exception):
    """Somebody else has the run now; nothing must be changed any more."""


class Cancelled(Exception):
    """A person wants the run to end; what was committed stays."""


class PutDown(Exception):
    """The process is to end; somebody else goes on."""


class Claim(NamedTuple):
    """The right to work on a run: its id, a token that proves it, whom it acts as, who works."""

    id: str
    token: int
    user: str
    holder: str


def folder_of(storage: str, id: str) -> str:
    """Return the path of the work folder of a run."""
    return os.path.join(storage, WORK, PREFIX + id)


def is_there(storage: str) -> bool:
    """Tell whether a storage is there; one that is not mounted is gone, or empty."""
    try:
        return bool(os.listdir(storage))
    except OSError:
        return False


def identity(path: str) -> tuple[int, int, int, int] | None:
    """Return what tells a file from another one of its name; None when it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def while_there(storage: str, path: str, gone: Callable[[], Exception]) -> Iterator[None]:
    """Raise what `gone` returns where the block fails since the file `path` is gone.

    People may have imported or deleted it meanwhile, which is no fault of the disk; a storage that
    is gone is one.
    """
    try:
        yield
    except (OSError, StorageFault) as error:
        cause = error.__cause__ if isinstance(error, StorageFault) else error
        if (
            isinstance(cause, FileNotFoundError)
            and is_there(storage)
            and not os.path.lexists(path)
        ):
            raise gone() from error
        raise


def checks_of(datacenter: Any, file: str) -> list[str]:
    """Return the ids of the work folders of finished checks of a pending file.

    But for those that have rows which were corrected and not imported yet.
    """
    corrected = datacenter.ledger.corrected_drafts(file)
    needed = {run.id for draft in corrected if (run := check_of(datacenter.runs, draft))}
    return [
        PREFIX + run.id
        for run in datacenter.runs
        if run.order.kind == CHECK
        and run.order.file == file
        and run.id not in needed
        and not run.is_active
        and os.path.isdir(folder_of(datacenter.storage, run.id))
    ]


def check_of(runs: Iterable[Run], draft: Draft) -> Run | None:
    """Return the finished check that has kept the rows which were corrected in a draft, or None.

    That of the draft, or else the last one that its owner has had made of the same content.
    """
    found = [
        run
        for run in runs
        if run.order.kind == CHECK
        and run.order.undoes is None
        and run.state == FINISHED
        and (run.order.digest, run.order.reading) == (draft.digest, draft.reading)
        and (run.id == draft.check or run.order.user == draft.owner)
    ]
    return max(found, key=lambda run: (run.id == draft.check, run.queued), default=None)


def remove_folders(storage: str, ids: Iterable[str]) -> None:
    """Remove work folders of runs that are over."""
    for id in ids:
        if os.path.isdir(os.path.join(storage, WORK, id)):
            WorkFolder(storage, id, shared=True).remove()


class Job:
    """A run, its order and its data center, on the connection of its worker.

    `storage` is the path of the storage, which must stay the same.
    """

    def __init__(
        self, db: Any, site_path: str, site: Any, claim: Claim, is_stopping: Callable[[], bool]
    ) -> None:
        self.db = db
        self.site_path = site_path
        self.site = site
        self.claim = claim
        self.datacenter = site["datacenter"]
        self.runs: Runs = self.datacenter.runs
        self.run: Run = self.runs.get(claim.id)
        self.order = self.run.order
        self.storage: str = self.datacenter.storage
        self.is_stopping = is_stopping
        self._hold: Hold

    @property
    def title(self) -> str:
        """What is done, in words."""
        return self.run.title

    def begin(self) -> None:
        """Begin a transaction; raises `LeaseLost`, `Cancelled` or `PutDown`.

        Raises `Fault` when the storage is another one than at the beginning.
        """
        transaction.begin()
        if self.run.checkpoint.token != self.claim.token:
            raise LeaseLost(self.title)
        if self.run.is_cancelling and not self.run.checkpoint.is_complete:
            raise Cancelled(self.title)
        if self.is_stopping():
            raise PutDown(self.title)
        if self.datacenter.storage != self.storage:
            raise Fault(
                _(
                    "The storage was moved to ${storage} during the ${title}, and the "
                    "results so far are in ${storage2}. Take the run back, or give it up.",
                    mapping={
                        "storage": self.datacenter.storage,
                        "title": self.run.words,
                        "storage2": self.storage,
                    },
                )
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the transaction from being ended by what is called; `restart` still works.

        Raises `CodeFault` when that was tried.
        """
        with Hold() as self._hold:
            yield

    def restart(self) -> None:
        """Take back what was done in this transaction, which is held, and begin another one."""
        with self._hold.paused():
            transaction.abort()
            self.begin()

    def work_folder(self) -> WorkFolder:
        """Return the work folder of the run, which is made unless it is there.

        It is not locked: the database says who works in it.
        """
        return WorkFolder(self.storage, PREFIX + self.run.id, shared=True)

    def committed(
        self, work: Callable[[], object], take_back: Callable[[], object] | None = None
    ) -> None:
        """Do `work` in a transaction; repeat it when others were in the way.

        `take_back` undoes what an attempt did outside the database.  Raises `Fault` when they
        always are, `PutDown` when the database is away, `CodeFault` when `work` has tried to end
        the transaction, and what `begin` and `work` raise.
        """
        former: bytes | None = None
        last: BaseException | None = None
        for attempt in range(1, ATTEMPTS + 1):
            self.begin()
            serial = serial_of(self.run.checkpoint)
            if attempt > 1:
                if serial != former:
                    # It was stored, although the database could not say so: nobody else writes
                    # the checkpoint while the token is ours.
                    return
                if take_back is not None:
                    take_back()
            former = serial
            try:
                with self.held():
                    work()
                    self.run.checkpoint.touch()
                    transaction.get().note(self.title)
                    self._hold.commit()
                return
            except TransientError as exc:
                last = exc
                transaction.abort()
                meters.conflict(meters.IN_RUN)
                log.info("%s: attempt %d: %s", self.title, attempt, exc)
            give_way(attempt, PAUSE)
        if is_away(last):
            raise PutDown(self.title) from last
        raise Fault(
            _(
                "Others kept changing the same data during the ${title}, and ${attempts} "
                "attempts to store a batch of rows failed. Let the run go on when there "
                "is less to do.",
                mapping={"title": self.run.words, "attempts": ATTEMPTS},
            )
        )

    def require_rights(self, *permissions: str) -> None:
        """Raise `NotAllowed` unless the one who acts may still do this."""
        principal = queryInteraction().participations[0].principal
        account = self.site["users"].get(principal.id)
        if account is not None and account.suspended:
            raise NotAllowed(
                _(
                    "The account ${id} was suspended; the run does not go on.",
                    mapping={"id": principal.id},
                )
            )
        general = _GENERAL.get(self.order.kind, IMPORT_DATA)
        for permission in (general, *permissions):
            if not has_permission(principal, permission, self.site):
                raise NotAllowed(
                    _(
                        "${id} lacks the permission ${permission} (any more), thus the run does "
                        "not go on. Somebody who has it can let it go on.",
                        mapping={"id": principal.id, "permission": permission},
                    )
                )


def is_free(run: Run, is_dead: IsDead) -> bool:
    """Tell whether nobody has a run, or who had it is dead, by `is_dead` or by all signs."""
    lease = run.lease
    if not lease.holder:
        return True
    if is_dead(lease.holder) or is_surely_dead(lease.holder):
        return True
    return _seen.is_dead(run.id, (lease.holder, lease.beats), LEASE)


def forget_others(ids: Iterable[str]) -> None:
    """Remember nothing of the leases of other runs than these, which may be held."""
    _seen.keep(ids)


def claim(db: Any, site_path: str, id: str, holder: str, is_dead: IsDead) -> Claim | None:
    """Take a run, if it can be worked on and nobody has it; `is_dead` tells of a holder."""
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        run = runs.find(id)
        if run is None or not run.is_active:
            return None
        checkpoint = run.checkpoint
        if not is_free(run, is_dead):
            return None
        if run.state == QUEUED:
            if runs.waits_for(run) is not None:
                return None
            run.move(DISTRIBUTING if checkpoint.is_complete else RUNNING)
        progress = run.progress
        is_hopeless = checkpoint.count_try(progress.bytes or progress.rows) > TRIES
        try:
            if is_hopeless:
                checkpoint.tries = 0
                run.move(STOPPED)
                run.fault = english(
                    _(
                        "The process ended ${tries} times at this place. Look at the machine's "
                        "memory and at the log of the portal; then let the run go on.",
                        mapping={"tries": TRIES},
                    )
                )
                close(site["datacenter"], run)
            else:
                runs.enter_scope(run)
                checkpoint.claim()
                run.lease.renew(holder)
            transaction.get().note(f"claim of {run.title}")
            transaction.commit()
        except TransientError:
            return None
        _seen.forget(id)
        return None if is_hopeless else Claim(id, checkpoint.token, run.user, holder)


def settle(db: Any, site_path: str, held: Claim, state: str | None, fault: str = "") -> None:
    """Put a run down: in a new state, with what went wrong; without `state` for others.

    Has a connection of its own.  Does nothing when somebody else has the run meanwhile.  Raises
    nothing: what fails is done by `put_down_rest`.
    """
    try:
        if _settled(db, site_path, held, state, fault):
            return
        log.error("The run %s could not be put down; that is tried again.", held.id)
    except Exception as exc:
        transaction.abort()
        tell(log, exc, "The run %s could not be put down; that is tried again.", held.id)
    with _rest_lock:
        _rest.append((held, state, fault))


def put_down_rest(db: Any, site_path: str, holder: str) -> bool:
    """Put down what `holder` could not put down before; tell whether there was anything.

    Raises what the database raises when it is still away.
    """
    with _rest_lock:
        mine = [each for each in _rest if each[0].holder == holder]
    for each in mine:
        if _settled(db, site_path, *each):
            with _rest_lock:
                _rest.remove(each)
    return bool(mine)


def _settled(db: Any, site_path: str, held: Claim, state: str | None, fault: str) -> bool:
    """Put a run down; tell whether others were not in the way all the time."""
    for attempt in range(ATTEMPTS):
        with connected(db, site_path) as site:
            transaction.begin()
            runs: Runs = site["datacenter"].runs
            run = runs.find(held.id)
            if run is None or run.checkpoint.token != held.token:
                return True
            try:
                run.checkpoint.touch()
                # Who puts a run down in order has not fallen with it.
                run.checkpoint.tries = 0
                run.lease.release()
                if state is not None and run.state != state:
                    run.move(state)
                    run.fault = fault
                    close(site["datacenter"], run)
                transaction.commit()
                if state == CANCELLED and run.checkpoint.batches == 0:
                    remove_folders(site["datacenter"].storage, [PREFIX + run.id])
                return True
            except TransientError:
                transaction.abort()
        time.sleep(PAUSE * 2**attempt)
    return False


def close(datacenter: Any, run: Run) -> None:
    """Let others come after a run that is over, and tell whom it concerns that it is."""
    runs: Runs = datacenter.runs
    runs.deactivate(run)
    tell_over(datacenter, run)
    seconds = (run.ended - run.started).total_seconds() if run.ended and run.started else 0.0
    transaction.get().addAfterCommitHook(_count_end, (run.order.kind, run.state, seconds))
    if run.order.kind != UNDO or run.state != CANCELLED:
        return
    undone = runs.find(run.order.undoes or "")
    if undone is None or undone.undone_by != run.id or undone.state == UNDONE:
        return
    if run.checkpoint.batches == 0:
        # As if it had never been.
        undone.undone_by = None
        runs.hold_file(undone)
    elif run.is_given_up:
        # Another one can take back what is left; an import with a hole in it must not go on.
        undone.undone_by = None
        undone.taken_back += run.checkpoint.batches
        if undone.holds_file:
            undone.give_up(english(_("It was taken back in part.")))


def _count_end(is_committed: bool, kind: str, state: str, seconds: float) -> None:
    if is_committed:
        meters.run_ended(kind, state, seconds)
