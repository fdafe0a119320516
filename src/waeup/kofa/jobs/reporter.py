"""What a check needs beside its transaction, which is aborted: a voice, and a place."""

import os
import time
from collections.abc import Callable

import transaction
from transaction.interfaces import TransientError
from zope.traversing.api import traverse

from waeup.kofa.jobs.job import Cancelled, Claim, Job, LeaseLost, PutDown
from waeup.kofa.jobs.record import Progress

#: Seconds between two words about the progress.
INTERVAL = 0.5


class Reporter:
    """Tells how far a run is while its own transaction is open, and hears of a cancel."""

    def __init__(self, job: Job) -> None:
        self._manager = transaction.TransactionManager()
        self._connection = job.db.open(self._manager)
        site = traverse(self._connection.root()["Application"], job.site_path)
        self._run = site["datacenter"].runs.get(job.run.id)
        self._claim: Claim = job.claim
        self._is_stopping = job.is_stopping
        self._last = time.monotonic()

    def tell(
        self, rows: int, failed: int, fraction: float, rate: float, size: tuple[int, int] = (0, 0)
    ) -> None:
        """Tell it, now and then; raises `LeaseLost`, `Cancelled` or `PutDown`.

        `size` says how many bytes of how many are copied.
        """
        if time.monotonic() - self._last >= INTERVAL:
            self._write(lambda progress: progress.tell(rows, failed, fraction, rate, size))

    def look(self, fraction: float) -> None:
        """Tell, now and then, how much of a file was looked at as a whole; raises as `tell`."""
        if time.monotonic() - self._last >= INTERVAL:
            self._write(lambda progress: progress.look(fraction))

    def _write(self, change: Callable[[Progress], object]) -> None:
        self._manager.begin()
        try:
            run = self._run
            if run.checkpoint.token != self._claim.token:
                raise LeaseLost(run.id)
            if run.is_cancelling:
                raise Cancelled(run.id)
            if self._is_stopping():
                raise PutDown(run.id)
            change(run.progress)
            self._manager.commit()
        except TransientError:
            # Somebody cancels at this moment: that is heard the next time.
            self._manager.abort()
        self._last = time.monotonic()

    def close(self) -> None:
        """Give the connection back."""
        self._manager.abort()
        self._connection.close()


def empty_folder(job: Job) -> str:
    """Return the work folder of a check, without what a killed process has left in it."""
    work = job.work_folder()
    for name in os.listdir(work.path):
        os.unlink(os.path.join(work.path, name))
    return work.path
