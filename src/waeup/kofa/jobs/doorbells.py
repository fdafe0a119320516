"""Engines: who works on runs, and how they hear of them.  An engine knows ids, never orders.

The record in the database is the truth.  The bell may ring twice or never: whoever hears it
looks what there is to do, and looks again now and then.
"""

import logging
import os
import secrets
import socket
import threading
import time
from datetime import datetime, timezone
from typing import Any

import transaction
from zope.interface import implementer

from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.interfaces import IJobEngine
from waeup.kofa.jobs.recovery import forget
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.jobs.worker import IsStopping, never, work_on

log = logging.getLogger(__name__)

#: Seconds after which a worker looks for work though no bell rang.
SWEEP = 2.0
#: Seconds after which what is too old is forgotten once more.
CARE = 3600.0


def new_holder() -> str:
    """Return a name for the leases of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@implementer(IJobEngine)
class EmbeddedEngine:
    """Threads of the process that has the embedded database for itself.

    Thus the leases of all others are those of dead processes.  Use it in a ``with`` statement,
    or call `start` and `stop`.
    """

    def __init__(self, db: Any, site_path: str, threads: int = 2) -> None:
        self.holder = new_holder()
        self._db = db
        self._site_path = site_path
        self._number = threads
        self._bell = threading.Condition()
        self._rung = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._next_care = time.monotonic() + CARE
        self._last_care: datetime | None = None
        self._started = datetime.now(timezone.utc)

    def start(self) -> None:
        """Begin to work."""
        for number in range(self._number):
            thread = threading.Thread(target=self._work, name=f"kofa worker {number + 1}")
            thread.start()
            self._threads.append(thread)

    def ring(self, id: str = "") -> None:
        """See `IJobEngine`."""
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def stop(self) -> None:
        """See `IJobEngine`."""
        self._stopping.set()
        self.ring()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def __enter__(self) -> "EmbeddedEngine":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def workers(self) -> tuple[int, int, datetime, datetime | None]:
        """Tell how many threads there should be and how many live, and two times.

        They are those at which the engine was made, and at which it has last looked for what is
        too old.
        """
        alive = sum(thread.is_alive() for thread in self._threads)
        return self._number, alive, self._started, self._last_care

    def _work(self) -> None:
        heard = 0
        while not self._stopping.is_set():
            with self._bell:
                if self._rung == heard:
                    self._bell.wait(SWEEP)
                heard = self._rung
            try:
                self._care()
                while not self._stopping.is_set() and self._work_on_one():
                    # One that ends lets others begin, perhaps for the other threads.
                    self.ring()
            except Exception:
                # The database may fail; a worker that ends would be missed.
                log.exception("The runs cannot be looked at.")

    def _care(self) -> None:
        """Forget what is too old, now and then."""
        with self._bell:
            is_due = time.monotonic() >= self._next_care
            if is_due:
                self._next_care = time.monotonic() + CARE
        if is_due:
            for finding in forget(self._db, self._site_path):
                log.info(finding.text)
            self._last_care = datetime.now(timezone.utc)

    def _work_on_one(self) -> bool:
        """Work on the first run that can be had; tell whether there was one."""
        return any(
            work_on(
                self._db,
                self._site_path,
                id,
                self.holder,
                is_dead=self._is_dead,
                is_stopping=self._stopping.is_set,
            )
            for id in active_ids(self._db, self._site_path)
        )

    def _is_dead(self, holder: str) -> bool:
        return holder != self.holder


def active_ids(db: Any, site_path: str) -> list[str]:
    """Return the ids of the runs that are worked on, or are going to be, the oldest first."""
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        return [run.id for run in runs.active()]


def work_off(
    db: Any, site_path: str, id: str, holder: str, is_stopping: IsStopping = never
) -> None:
    """Work on a run, in this thread, and before on those that it waits for.

    For a process that has the database for itself and nothing else to do.
    """

    def is_dead(other: str) -> bool:
        return other != holder

    while not is_stopping() and (next_id := _first_to_do(db, site_path, id)) is not None:
        if not work_on(db, site_path, next_id, holder, is_dead=is_dead, is_stopping=is_stopping):
            return


def _first_to_do(db: Any, site_path: str, id: str) -> str | None:
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        run = runs.find(id)
        while run is not None and run.is_active and (other := runs.waits_for(run)) is not None:
            run = other
        return run.id if run is not None and run.is_active else None
