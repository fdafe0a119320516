"""Questions whose answers may be long in coming, such as whether a database is there.

Programs that watch a portal ask often, and most of all when it is ill.  So a question is put by
one thread at a time, its answer holds for a while, and nobody waits for longer than is agreed.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class TooSlow(Exception):
    """There is no answer in time; the question was put some seconds ago."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"There has been no answer for {seconds:.0f} s.")


class Bounded(Generic[T]):
    """The question `ask`, which is put in a thread of its own.

    Nobody waits for longer than `timeout` seconds from when it was put; its answer holds for
    `shared` seconds.  A thread that hangs stays the only one, and does not keep the process.
    """

    def __init__(self, ask: Callable[[], T], *, timeout: float, shared: float) -> None:
        self._ask = ask
        self._timeout = timeout
        self._shared = shared
        self._lock = Lock()
        self._put: tuple[Future[T], float] | None = None

    def put(self) -> tuple["Future[T]", float]:
        """Put the question, unless that was done; return what will have the answer, and when."""
        with self._lock:
            if self._put is not None:
                future, began = self._put
                if not future.done() or time.monotonic() - began < self._shared:
                    return self._put
            self._put = Future(), time.monotonic()
            Thread(target=self._work, args=(self._put[0],), name="kofa check", daemon=True).start()
            return self._put

    def __call__(self) -> T:
        """Return the answer; raises `TooSlow`, and what `ask` raises."""
        future, began = self.put()
        wait([future], max(0.0, began + self._timeout - time.monotonic()))
        if not future.done():
            raise TooSlow(time.monotonic() - began)
        return future.result()

    def _work(self, future: "Future[T]") -> None:
        try:
            future.set_result(self._ask())
        except BaseException as error:
            future.set_exception(error)
