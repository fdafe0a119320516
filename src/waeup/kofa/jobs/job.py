"""A run in the hands of a worker: the lease, and transactions that only its holder commits.

::

    claim                 a token, under a lease; of two who try one has a conflict
      begin ... commit    one transaction after the other; each makes sure of the token
    settle                the run is put down in the state that it has reached

Whoever was paused and woken too late finds another token: `LeaseLost`.  Should it be in the
middle of a commit, the checkpoint conflicts.
"""

import logging
import os
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import transaction
from transaction.interfaces import TransientError
from zope.security.management import getSecurityPolicy, queryInteraction

from waeup.kofa.errors import Fault, NotAllowed
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.effects import serial_of
from waeup.kofa.jobs.connection import Participation, connected
from waeup.kofa.jobs.record import (
    CANCELLED,
    CHECK,
    DISTRIBUTING,
    EXPORT,
    MOVE,
    QUEUED,
    RUNNING,
    STOPPED,
    UNDO,
    UNDONE,
    Run,
)
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.spool import WorkFolder
from waeup.kofa.spool.work import WORK

log = logging.getLogger(__name__)

#: Seconds that a worker may be silent before others take its run.
LEASE = 60.0
#: How often a transaction is repeated when others were in the way.
ATTEMPTS = 5
#: Seconds before the first repetition; each further one waits longer.
PAUSE = 0.05
#: How often a run is taken up again without any progress.
TRIES = 5
#: How the ids of the work folders of runs begin.
PREFIX = "run-"
#: The permissions that every import and every export needs.
IMPORT_PERMISSION, EXPORT_PERMISSION = "waeup.importData", "waeup.exportData"
#: That which a move of the storage needs.
MOVE_PERMISSION = "waeup.managePortal"
_GENERAL = {EXPORT: EXPORT_PERMISSION, MOVE: MOVE_PERMISSION}


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


def checks_of(datacenter: Any, file: str) -> list[str]:
    """Return the ids of the work folders of finished checks of a pending file."""
    return [
        PREFIX + run.id
        for run in datacenter.runs
        if run.order.kind == CHECK
        and run.order.file == file
        and not run.is_active
        and os.path.isdir(folder_of(datacenter.storage, run.id))
    ]


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

    def restart(self) -> None:
        """Take back what was done in this transaction, and begin another one."""
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
        always are, and what `begin` and `work` raise.
        """
        former: bytes | None = None
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
                work()
                self.run.checkpoint.touch()
                transaction.get().note(self.title)
                transaction.commit()
                return
            except TransientError as exc:
                transaction.abort()
                log.info("%s: attempt %d: %s", self.title, attempt, exc)
            time.sleep(random.uniform(0.5, 1) * PAUSE * 2**attempt)  # noqa: S311  (no secret)
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
        general = _GENERAL.get(self.order.kind, IMPORT_PERMISSION)
        for permission in (general, *permissions):
            # A new interaction: one remembers its answers.
            fresh = getSecurityPolicy()(Participation(principal))
            if not fresh.checkPermission(permission, self.site):
                raise NotAllowed(
                    _(
                        "${id} lacks the permission ${permission} (any more), thus the run does "
                        "not go on. Somebody who has it can let it go on.",
                        mapping={"id": principal.id, "permission": permission},
                    )
                )


def claim(
    db: Any, site_path: str, id: str, holder: str, is_dead: Callable[[str], bool]
) -> Claim | None:
    """Take a run, if it can be worked on and nobody has it; `is_dead` tells of a holder."""
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        run = runs.find(id)
        if run is None or not run.is_active:
            return None
        checkpoint = run.checkpoint
        if run.lease.is_held(time.time()) and not is_dead(run.lease.holder):
            return None
        if run.state == QUEUED:
            if runs.waits_for(run) is not None:
                return None
            run.move(DISTRIBUTING if checkpoint.is_complete else RUNNING)
        checkpoint.tries += 1
        is_hopeless = checkpoint.tries > TRIES
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
            close(runs, run)
        else:
            runs.enter_scope(run)
            checkpoint.claim()
            run.lease.renew(holder, LEASE)
        try:
            transaction.get().note(f"claim of {run.title}")
            transaction.commit()
        except TransientError:
            return None
        return None if is_hopeless else Claim(id, checkpoint.token, run.user, holder)


def settle(db: Any, site_path: str, held: Claim, state: str | None, fault: str = "") -> None:
    """Put a run down: in a new state, with what went wrong; without `state` for others.

    Has a connection of its own.  Does nothing when somebody else has the run meanwhile.
    """
    for attempt in range(ATTEMPTS):
        with connected(db, site_path) as site:
            transaction.begin()
            runs: Runs = site["datacenter"].runs
            run = runs.get(held.id)
            if run.checkpoint.token != held.token:
                return
            run.checkpoint.touch()
            # Who puts a run down in order has not fallen with it.
            run.checkpoint.tries = 0
            run.lease.release()
            if state is not None and run.state != state:
                run.move(state)
                run.fault = fault
                close(runs, run)
            try:
                transaction.commit()
                if state == CANCELLED and run.checkpoint.batches == 0:
                    remove_folders(site["datacenter"].storage, [PREFIX + run.id])
                return
            except TransientError:
                transaction.abort()
        time.sleep(PAUSE * 2**attempt)
    log.error("The run %s could not be put down; it goes on when its lease ends.", held.id)


def close(runs: Runs, run: Run) -> None:
    """Let others come after a run that is over."""
    runs.deactivate(run)
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
