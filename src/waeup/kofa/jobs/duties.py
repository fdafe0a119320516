"""What is to be done now and then: each task by exactly one process at a time.

The process that has the embedded database does everything itself.  Where there are several, one
of them has the *duty*: it says so in the database, and shows there that it lives.  When it ends,
or when nothing has come from it for `job.LEASE` seconds, another one has it.  When tasks were done
is kept there, too.

Nobody is kept from being paused: a task must bear it that another process does it as well.  What
it changes in the database conflicts then.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple

import transaction
from transaction.interfaces import TransientError

from waeup.kofa.jobs import job
from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.outages import tell
from waeup.kofa.jobs.record import Duty, utc_now
from waeup.kofa.jobs.recovery import forget
from waeup.kofa.presence import Watch, is_surely_dead

log = logging.getLogger(__name__)

#: Seconds between two looks at who has the duty, and at what could not be put down.
LOOK = 2.0
#: Seconds after which what is too old is forgotten once more.
CARE = 3600.0
#: Tasks that are done more often than this, in seconds, leave no time in the database.
NOTED = 60.0
#: Name of the task that forgets what is too old.
RETENTION = "retention"

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


class Task(NamedTuple):
    """Something to be done every `seconds`: `work` gets the database and the path of the portal.

    It runs in a thread of its own, and may begin and commit transactions there.  What it raises
    is logged; it is done again when it is due.
    """

    name: str
    seconds: float
    work: Callable[[Any, str], object]


def retention() -> Task:
    """Return the task that forgets what is too old."""

    def work(db: Any, site_path: str) -> None:
        for finding in forget(db, site_path):
            log.info(finding.text)

    return Task(RETENTION, CARE, work)


class Keeper:
    """Sees to tasks while its process lives; `holder` names that in the database.

    Without `is_shared` no other process can have the database, and the tasks are due for the
    first time when their seconds have passed: who opens it has just recovered.  `look` is called
    every `LOOK` seconds, whoever has the duty.
    """

    def __init__(
        self,
        db: Any,
        site_path: str,
        holder: str,
        tasks: tuple[Task, ...],
        *,
        is_shared: bool,
        look: Callable[[], object],
    ) -> None:
        self._db = db
        self._site_path = site_path
        self._holder = holder
        self._tasks = tasks
        self._is_shared = is_shared
        self._look = look
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._watch = Watch()
        self._until = 0.0
        self._next_beat = 0.0
        self._done: dict[str, datetime] = {}

    def start(self) -> None:
        """Begin."""
        now = utc_now()
        if not self._is_shared:
            self._done = {task.name: now for task in self._tasks}
        self._run("kofa duty", self._be_present)
        for task in self._tasks:
            self._run(f"kofa {task.name}", partial(self._serve, task))

    def stop(self) -> None:
        """End when the tasks that are under way are done; let another process have the duty."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._has_duty:
            self._until = 0.0
            try:
                self._leave()
            except Exception as exc:
                tell(log, exc, "The duty could not be given to another process.")

    def last_done(self, name: str) -> datetime | None:
        """Return when a task was done last, as far as this process knows."""
        return self._done.get(name)

    @property
    def _has_duty(self) -> bool:
        return not self._is_shared or time.monotonic() < self._until

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name)
        self._threads.append(thread)
        thread.start()

    # -- who has the duty --------------------------------------------------------------

    def _be_present(self) -> None:
        while True:
            try:
                if self._is_shared:
                    self._take_or_keep()
                self._look()
            except TransientError:
                # Another process was quicker.
                transaction.abort()
            except Exception as exc:
                transaction.abort()
                tell(log, exc, "It cannot be seen who has the duty.")
            if self._stopping.wait(LOOK):
                return

    def _take_or_keep(self) -> None:
        with connected(self._db, self._site_path) as site:
            transaction.begin()
            duty: Duty = site["datacenter"].runs.duty
            if duty.holder == self._holder:
                if self._has_duty and time.monotonic() < self._next_beat:
                    return
            elif duty.holder and not is_surely_dead(duty.holder):
                state = duty.holder, duty.beats
                if not self._watch.is_dead("duty", state, job.LEASE):
                    self._until = 0.0
                    self._done = dict(duty.done)
                    return
            began = time.monotonic()
            known = dict(duty.done)
            # What was done here since the last beat is younger.
            known.update({task.name: self._noted(task, known) for task in self._tasks})
            duty.done = {name: date for name, date in known.items() if date != _NEVER}
            duty.holder, duty.beats = self._holder, duty.beats + 1
            transaction.get().note("the duty of looking after things")
            transaction.commit()
            if not self._has_duty:
                self._done = known
            # Others wait for a whole lease after what they see.
            self._until, self._next_beat = began + 0.8 * job.LEASE, began + job.LEASE / 3

    def _noted(self, task: Task, known: dict[str, datetime]) -> datetime:
        own = self._done.get(task.name, _NEVER) if task.seconds >= NOTED else _NEVER
        return max(own, known.get(task.name, _NEVER))

    def _leave(self) -> None:
        with connected(self._db, self._site_path) as site:
            transaction.begin()
            duty: Duty = site["datacenter"].runs.duty
            if duty.holder == self._holder:
                known = dict(duty.done)
                known.update({task.name: self._noted(task, known) for task in self._tasks})
                duty.done = {name: date for name, date in known.items() if date != _NEVER}
                duty.holder = ""
                transaction.commit()

    # -- tasks -------------------------------------------------------------------------

    def _serve(self, task: Task) -> None:
        pause = min(task.seconds, LOOK) / 2
        while not self._stopping.wait(pause):
            if not self._has_duty or not self._is_due(task):
                continue
            try:
                task.work(self._db, self._site_path)
            except TransientError as exc:
                log.info("%s: others were in the way: %s", task.name, exc)
            except Exception as exc:
                tell(
                    log, exc, "The task %s has failed; it is done again when it is due.", task.name
                )
            finally:
                transaction.abort()
            self._done[task.name] = utc_now()

    def _is_due(self, task: Task) -> bool:
        last = self._done.get(task.name, _NEVER)
        now = utc_now()
        # A time that is still to come was written by a clock that is wrong.
        return last > now or last == _NEVER or now - last >= timedelta(seconds=task.seconds)
