"""Corrections: what is read in place of cells of the file, which stays as it was.

An officer makes them for rows that a check has found failing.  They are kept with the draft,
handed to each run that is ordered of it, and applied by the row engine to a row as it is read:
whatever comes behind sees a row as if it had stood so in the file.

The module path is a database format.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from BTrees.IOBTree import IOBTree
from persistent import Persistent
from zope.component import getUtilitiesFor

from waeup.kofa.conversion import propose
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tabular import Row

# A BTree that is empty before or after a change cannot be merged with the change of somebody
# else: one key that is no number of a row stays in it.
_KEEPER = 0


class CorrectedCell(NamedTuple):
    """The text `new` is read at a position, in place of `old`.

    Of a password, `old` is None and `new` is a hash.
    """

    position: int
    old: str | None
    new: str


class Correction(NamedTuple):
    """What is read in place of cells of one row.

    One that is `whole` gives all cells that are not to be empty, and the row counts as sound,
    whatever was wrong with it.
    """

    cells: tuple[CorrectedCell, ...]
    whole: bool = False

    @property
    def texts(self) -> dict[int, str]:
        """The new texts by position."""
        return {cell.position: cell.new for cell in self.cells}

    def applied(self, row: Row, width: int) -> Row:
        """Return a row of a table with `width` columns as it is to be read.

        Of a damaged row nobody knows which cells are meant, unless all are given.
        """
        if row.problem is not None and not self.whole:
            return row
        values = [""] * width if self.whole else list(row.values)
        for position, text in self.texts.items():
            values[position] = text
        if self.whole:
            return Row(row.number, row.line, tuple(values))
        return row._replace(values=tuple(values))


class Corrections(Persistent):
    """The corrections of one content, by the number of the source row.

    `header` are the names of its columns.
    """

    header: tuple[str, ...] = ()

    def __init__(self) -> None:
        #: Number -> cells, and whether they are all: plain values.
        self._rows = IOBTree({_KEEPER: None})

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows) - 1

    def __iter__(self) -> Iterator[tuple[int, Correction]]:
        """Generate numbers of rows and their corrections, in the order of the rows."""
        for number, record in self._rows.items(_KEEPER, excludemin=True):
            yield number, _correction(record)

    def get(self, number: int) -> Correction | None:
        """Return the correction of a row, or None."""
        record = None if number == _KEEPER else self._rows.get(number)
        return None if record is None else _correction(record)

    def keep(self, number: int, correction: Correction, header: Sequence[str]) -> None:
        """Keep the correction of a row in place of the former one; without cells there is none.

        Raises ValueError for a number that no row has.
        """
        if number <= _KEEPER:
            raise ValueError(f"{number} is no number of a row")
        if not correction.cells:
            self.forget(number)
            return
        if self.header != tuple(header):
            self.header = tuple(header)
        self._rows[number] = (tuple(map(tuple, correction.cells)), correction.whole)

    def forget(self, number: int) -> bool:
        """Forget the correction of a row; tell whether there was one."""
        return number != _KEEPER and self._rows.pop(number, None) is not None

    def clear(self) -> None:
        """Forget all of them."""
        for number in list(self._rows.keys(_KEEPER, excludemin=True)):
            del self._rows[number]

    def forget_columns(self, positions: Collection[int]) -> None:
        """Forget what was said about columns; without one of them no row is whole."""
        for number, correction in list(self):
            left = tuple(cell for cell in correction.cells if cell.position not in positions)
            if len(left) < len(correction.cells):
                kept = () if correction.whole else left
                self.keep(number, Correction(kept), self.header)

    def copy(self) -> "Corrections":
        """Return the same corrections in an object of their own."""
        other = Corrections()
        other.header = self.header
        other._rows.update(self._rows)
        return other

    def digest(self) -> str:
        """Return what tells different corrections apart; ``''`` when there are none."""
        if not len(self):
            return ""
        plain = [
            (number, correction.whole, sorted(correction.texts.items()))
            for number, correction in self
        ]
        return hashlib.sha256(json.dumps(plain).encode("ascii")).hexdigest()


def _correction(record: Any) -> Correction:
    cells, whole = record
    return Correction(tuple(CorrectedCell(*cell) for cell in cells), whole)


def secret_columns(header: Sequence[str]) -> set[int]:
    """Return the positions of columns that look like passwords of some kind."""
    return {
        position
        for _, processor in getUtilitiesFor(IBatchProcessor)
        for position, field in enumerate(propose(header, sorted(secret_names(processor.iface))))
        if field is not None
    }


def secret_positions(header: Sequence[str], columns: Sequence[str | None], iface: Any) -> set[int]:
    """Return the positions of columns whose texts nobody is shown.

    Those that fill a password of the schema `iface`, and those that look like one.
    """
    secrets = secret_names(iface)
    mapped = {position for position, field in enumerate(columns) if field in secrets}
    return mapped | secret_columns(header)
