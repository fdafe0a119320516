"""How long a look at a table may take while somebody waits for a page.

A look holds a thread of the portal.  Most are over in a moment; one that takes longer needs a
place, of which there are fewer than threads, and ends where none is free.  So the portal answers,
however many large tables people look at.
"""

import time
from threading import Lock
from types import TracebackType

#: Seconds after which a look needs a place, and those after which it ends.
SHORT, LONGEST = 3.0, 30.0


class Places:
    """Places for looks that take long, of which there are `most` in a process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._lock = Lock()

    def take(self) -> bool:
        """Take a place; tell whether there was one."""
        with self._lock:
            is_free = self._taken < self.most
            self._taken += is_free
            return is_free

    def give_back(self) -> None:
        """Give a place back that was taken."""
        with self._lock:
            self._taken -= 1


#: The places of this process; the server says how many.
PLACES = Places(1)


def places_of(threads: int) -> int:
    """Return how many places a server of so many threads has.

    Half of the threads may send streams; of three or more one is left for all else.
    """
    return max(1, (threads - 1) // 2)


class Look:
    """A look at a table, in a ``with`` statement; `is_over` tells whether it has to end.

    It ends after so many `seconds`, and after `SHORT` ones unless it gets one of `places`.
    `is_hurried` tells that another time it may go on for longer.
    """

    def __init__(self, seconds: float = LONGEST, places: Places = PLACES) -> None:
        self.is_hurried = False
        self._seconds = seconds
        self._places = places
        self._has_place = False

    def __enter__(self) -> "Look":
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._has_place:
            self._places.give_back()

    def is_over(self) -> bool:
        """Tell whether no more of the table is to be read."""
        passed = time.monotonic() - self._began
        if passed > self._seconds:
            return True
        if passed > SHORT and not self._has_place:
            self._has_place = self._places.take()
            self.is_hurried = not self._has_place
        return self.is_hurried
