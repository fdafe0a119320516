"""The rows of a table, as many at once as are converted and applied together.

Stands between the reader of a table and the row engine, which asks for the next batch when
it is through with one.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import islice
from typing import Any

from waeup.kofa.spool import count_lines
from waeup.kofa.tabular import Table

#: Rows that are taken at once: many enough to convert them by columns, few enough to hold in
#: memory, and to be told of.
BATCH_ROWS = 1000
#: Seconds that rows of a file may take to be read, before rules over it see them.
LOOK_SECONDS = 0.2


class SourceRows:
    """The rows of a table, whose text is at `path`, batch by batch.

    The first `start` rows are left out; `taken` is the number of rows so far.
    """

    def __init__(self, table: Table, start: int, path: str) -> None:
        self._path = path
        self._line = 0
        self._rows = iter(table)
        self.taken = sum(1 for _ in islice(self._rows, start))

    def take(self, number: int) -> list[Any]:
        """Return the next rows, at most `number`; none at the end."""
        rows = list(islice(self._rows, number))
        self.taken += len(rows)
        if rows:
            self._line = rows[-1].line
        return rows

    @property
    def fraction(self) -> float:
        """How much of the table was given out (0 to 1)."""
        return min(self._line / self._lines, 1.0) if self._lines else 1.0

    @cached_property
    def _lines(self) -> int:
        return count_lines(self._path)


class Look:
    """How far the look at a file as a whole is, and how many rows are read at once.

    These are few where converters take long, so that whoever wants an end is heard soon.
    """

    def __init__(self, tell: Callable[[float], object] | None) -> None:
        self._tell = tell
        self.fraction = 0.0
        self.rows = 1

    def heed(self) -> None:
        """Tell how far it is."""
        if self._tell is not None:
            self._tell(self.fraction)

    def took(self, seconds: float) -> None:
        """Learn how long the rows took that were read last."""
        fitting = int(self.rows * LOOK_SECONDS / max(seconds, 1e-6))
        self.rows = max(1, min(fitting, 4 * self.rows, BATCH_ROWS))
