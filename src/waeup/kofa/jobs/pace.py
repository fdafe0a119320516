"""How many rows make a batch: as many as take about half a second.

Few enough that people see a run move, and that a cancel is heeded soon; many enough that the
commit costs little.
"""

import time

#: Rows of the first batch, and of the largest one.
FIRST, MOST = 25, 2000
#: Seconds that a batch should take.
SECONDS = 0.5


class Pace:
    """The size of the next batch, and the speed so far; `cursor` is where a worker begins."""

    def __init__(self, cursor: int = 0) -> None:
        self.rows = FIRST
        self._start = cursor
        self._began = time.monotonic()

    def took(self, rows: int, applied: float, seconds: float) -> None:
        """Learn from a batch: the seconds for its rows alone, and all of it.

        What a batch costs by itself is no reason to make it smaller: where a commit takes long,
        the rows may take as long.  One batch is at most four times as large as the one before.
        """
        cost = max(seconds - applied, 0.0)
        fitting = int(rows * max(SECONDS - cost, cost, 0.1) / max(applied, 0.001))
        self.rows = max(1, min(fitting, 4 * self.rows, MOST))

    def rate(self, cursor: int) -> float:
        """Return the rows a second, from the beginning to `cursor`."""
        return (cursor - self._start) / max(time.monotonic() - self._began, 0.001)
