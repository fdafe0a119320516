"""Engines: who works on runs, and how they hear of them.  An engine knows ids, never orders.

The record in the database is the truth.  The bell may ring twice or never: whoever hears it
looks what there is to do, and looks again now and then.

=======================  ==================================================================
`EmbeddedEngine`         threads of the only process that has the database
`EmbeddedEngine`,        threads of one of several processes; they hear the bells of their
``is_shared``            own process, and see the runs that others have ordered by looking
`ProcrastinateEngine`    threads of many processes; bells go through PostgreSQL (`queueing`)
=======================  ==================================================================
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.interface import implementer

from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.duties import RETENTION, Keeper, Task, retention
from waeup.kofa.jobs.interfaces import IJobEngine
from waeup.kofa.jobs.job import put_down_rest
from waeup.kofa.jobs.lanes import next_runs
from waeup.kofa.jobs.lingering import watched
from waeup.kofa.jobs.outages import tell
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.jobs.worker import IsStopping, never, work_on
from waeup.kofa.presence import new_holder

log = logging.getLogger(__name__)

#: Seconds after which a worker looks for work though no bell rang.
SWEEP = 2.0
#: Seconds between two looks at a run that somebody else works on.
INTERVAL = 0.5


@implementer(IJobEngine)
class Engine:
    """What all engines do alike: work on runs until there is none, and see to tasks.

    `threads` work on runs; with 0 of them this process only rings.  The database belongs to this
    process alone, unless `is_shared`.  `tasks` are done now and then, besides those that every
    engine has.  Use it in a ``with`` statement, or call `start` and `stop`.
    """

    def __init__(
        self,
        db: Any,
        site_path: str,
        threads: int = 2,
        *,
        is_shared: bool,
        tasks: Sequence[Task] = (),
    ) -> None:
        self.holder = new_holder()
        self.is_shared = is_shared
        self._db = db
        self._site_path = site_path
        self._number = threads
        self._stopping = threading.Event()
        self._started = datetime.now(timezone.utc)
        # Number of the thread -> id: two may try the same run at once.
        self._at_work: dict[int, str] = {}
        self._keeper = Keeper(
            db,
            site_path,
            self.holder,
            (retention(), *self._own_tasks(), *tasks),
            is_shared=is_shared,
            look=self._look,
        )

    def start(self) -> None:
        """See `IJobEngine`."""
        self._keeper.start()
        self._begin()

    def ring(self, id: str, is_small: bool = False) -> None:
        """See `IJobEngine`."""
        raise NotImplementedError

    def stop(self, tell: Callable[[str], object] | None = None) -> None:
        """See `IJobEngine`."""
        self._stopping.set()
        with watched(self._at_work, tell):
            self._keeper.stop()
            self._end()

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def workers(self) -> tuple[int, int, datetime, datetime | None]:
        """See `IJobEngine`."""
        return self._number, self._alive(), self._started, self._keeper.last_done(RETENTION)

    def at_work(self) -> list[str]:
        """See `IJobEngine`."""
        return sorted(set(self._at_work.values()))

    # -- what each engine does in its own way --------------------------------------------

    def _own_tasks(self) -> Sequence[Task]:
        """Return the tasks of this kind of engine."""
        return ()

    def _begin(self) -> None:
        """Begin to work."""
        raise NotImplementedError

    def _end(self) -> None:
        """End; nobody works any more when this returns."""
        raise NotImplementedError

    def _alive(self) -> int:
        """Return how many threads work, or could."""
        raise NotImplementedError

    def _call_others(self) -> None:
        """Let others see the runs that can begin since one has ended."""
        raise NotImplementedError

    # -- working -----------------------------------------------------------------------

    def _work_off(self, is_lane: bool, first: str | None = None) -> None:
        """Work, in this thread, on all runs that can be had; on the run `first` before others.

        A lane takes only small ones.  Raises nothing.
        """
        try:
            if first is not None and not self._stopping.is_set() and self._work_on(first):
                self._call_others()
            while not self._stopping.is_set() and self._work_on_one(is_lane):
                self._call_others()
        except TransientError as exc:
            transaction.abort()
            log.info("Others look at the runs, too: %s", exc)
        except Exception as exc:
            # The database may fail; a worker that ends would be missed.
            transaction.abort()
            tell(log, exc, "The runs cannot be looked at.")

    def _work_on_one(self, is_lane: bool) -> bool:
        """Work on the first run that can be had; tell whether there was one."""
        ids = next_runs(self._db, self._site_path, self._is_dead, small_only=is_lane)
        return any(self._work_on(id) for id in ids if not self._stopping.is_set())

    def _work_on(self, id: str) -> bool:
        self._at_work[threading.get_ident()] = id
        try:
            return work_on(
                self._db,
                self._site_path,
                id,
                self.holder,
                is_dead=self._is_dead,
                is_stopping=self._stopping.is_set,
            )
        finally:
            del self._at_work[threading.get_ident()]

    def _is_dead(self, holder: str) -> bool:
        return not self.is_shared and holder != self.holder

    def _is_lane(self, number: int) -> bool:
        """Tell whether the thread of a number is the lane of this process."""
        return number == 0 and self._number > 1

    def _look(self) -> None:
        """Put down what could not be put down while the database was away."""
        if put_down_rest(self._db, self._site_path, self.holder):
            self._call_others()


class EmbeddedEngine(Engine):
    """Threads that hear the bells of their own process, and look every `SWEEP` seconds.

    Alone, the leases of all others are those of dead processes.
    """

    def __init__(
        self,
        db: Any,
        site_path: str,
        threads: int = 2,
        *,
        is_shared: bool = False,
        tasks: Sequence[Task] = (),
    ) -> None:
        super().__init__(db, site_path, threads, is_shared=is_shared, tasks=tasks)
        self._bell = threading.Condition()
        self._rung = 0
        self._threads: list[threading.Thread] = []

    def ring(self, id: str, is_small: bool = False) -> None:
        """See `IJobEngine`."""
        self._call_others()

    def _begin(self) -> None:
        for number in range(self._number):
            thread = threading.Thread(
                target=self._work, args=(self._is_lane(number),), name=f"kofa worker {number + 1}"
            )
            thread.start()
            self._threads.append(thread)

    def _end(self) -> None:
        self._call_others()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _alive(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def _call_others(self) -> None:
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def _work(self, is_lane: bool) -> None:
        heard = 0
        while not self._stopping.is_set():
            with self._bell:
                if self._rung == heard:
                    self._bell.wait(SWEEP)
                heard = self._rung
            self._work_off(is_lane)


def active_ids(db: Any, site_path: str) -> list[str]:
    """Return the ids of the runs that are worked on, or are going to be, the oldest first."""
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        return [run.id for run in runs.active()]


def work_off(
    db: Any,
    site_path: str,
    id: str,
    holder: str,
    is_stopping: IsStopping = never,
    *,
    is_shared: bool = False,
) -> None:
    """Work on a run, in this thread, and before on those that it waits for.

    For a process with nothing else to do.  Unless the database `is_shared` this process has it
    for itself, and the leases of others are those of dead ones; otherwise others may be quicker,
    and their work is waited for.
    """

    def is_dead(other: str) -> bool:
        return not is_shared and other != holder

    while not is_stopping() and (next_id := _first_to_do(db, site_path, id)) is not None:
        if work_on(db, site_path, next_id, holder, is_dead=is_dead, is_stopping=is_stopping):
            continue
        if not is_shared:
            return
        time.sleep(INTERVAL)


def _first_to_do(db: Any, site_path: str, id: str) -> str | None:
    with connected(db, site_path) as site:
        transaction.begin()
        runs: Runs = site["datacenter"].runs
        run = runs.find(id)
        while run is not None and run.is_active and (other := runs.waits_for(run)) is not None:
            run = other
        return run.id if run is not None and run.is_active else None
