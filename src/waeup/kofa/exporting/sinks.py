"""What takes the rows of an export: columns, and where the rows go.

`waeup.kofa.exporting.formats` opens a sink for text, `waeup.kofa.exporting.sheets` one for
workbooks; both are used alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from waeup.kofa.errors import Refused, TooLarge

__all__ = ["Column", "LongCell", "Sink", "UnfitCell"]


class UnfitCell(Refused):
    """A file cannot hold a cell; the message says of which column, and why."""


class LongCell(UnfitCell, TooLarge):
    """The text of a cell is too long for a file."""


@dataclass(frozen=True)
class Column:
    """A column of an export.

    `kind` is what a workbook makes of its cells: ``text``, ``integer``, ``number`` (of which
    3.0 and 3 are the same), ``decimal`` (of which every digit counts) or ``date``.  `width` is
    how wide it is there, in characters; without it the name and the kind decide.
    """

    name: str
    kind: str = "text"
    width: int | None = None


class Sink:
    """Takes rows one by one; to be used in a ``with`` statement.

    ``write(cells)`` takes a row, as many texts as there are columns, in the grammar of cells.  It
    raises `UnfitCell` for a row that the file would not give back; nothing of that is written.
    When the block ends with an error, nothing more is written, and what was written is no
    complete table.
    """

    write: Callable[[Sequence[str]], object]

    def close(self) -> None:
        """Write what is left; a second call does nothing.

        Raises OSError when the disk refuses; then nothing stays open.
        """
        raise NotImplementedError

    def abandon(self) -> None:
        """Give back all resources and write nothing more."""
        raise NotImplementedError

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()
