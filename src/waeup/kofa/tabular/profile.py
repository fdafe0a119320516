"""What rows look like, learned from those at the top of a table.

A person sees at once that a row is not like the others.  A `Profile` is that
knowledge: it tells the names of columns from a row, a row from text that happens
to have as many delimiters, and a whole cell from one that was cut off.  It tells
which rows stand out; what is wrong with them, if anything, is said by `shifts` and
`fragments`.  What it does not know it learns from the rows that were sound.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import pairwise, zip_longest

from waeup.kofa.tabular.column import Column, likeness
from waeup.kofa.tabular.detection import Record
from waeup.kofa.tabular.gates import Gate
from waeup.kofa.tabular.pushed import without_pushed
from waeup.kofa.tabular.recut import cut_elsewhere
from waeup.kofa.tabular.sequel import is_followed_by_others, is_sequel, repeats
from waeup.kofa.tabular.shapes import (
    CONTROL,
    DIGITS,
    ENOUGH,
    KINDS,
    QUOTES,
    is_figure,
    letter_case,
    style,
)

__all__ = ["Profile", "learn"]

#: Rows that a profile is made of.
LEARNED_ROWS = 200
#: Rows that are looked at as the beginning of another table.
_LOOKS = 20
#: Records behind such a beginning that tell whether it is one.
_AHEAD = 3
#: Rows that tell as much with one column of a kind as few with several.
_MANY = 5
#: Sound rows with another value in a column, after which it is said to have any.
_EXCEPTIONS = 5
#: The same as a part of all rows so far.
_FREQUENT = 0.0005
#: Rows of a table that are tried in costly ways.
_PATIENCE = 300

_UNIT = re.compile(r"[(\[].*[)\]]")


class Profile:
    """What rows of a table look like, learned from `rows` of `width` cells each."""

    def __init__(self, rows: Sequence[Sequence[str]], width: int, is_spaced: bool = False) -> None:
        self.rows = rows
        #: Whether blank lines between rows are usual.
        self.is_spaced = is_spaced
        #: Whether it is of all rows of a small table, not of the first ones.
        self.is_small = len(rows) < LEARNED_ROWS
        self.columns = [Column([row[at] for row in rows]) for at in range(width)]
        #: How often each shape was seen in a broken value, by column.
        self.shapes_seen: Counter[tuple[int, str]] = Counter()
        #: Rows that are still tried in costly ways.
        self.patience = _PATIENCE
        #: The names of another table behind this one, if they were found.
        self.sequel: tuple[str, ...] | None = None
        #: Rows that taught nothing, because their cells are divided elsewhere.
        self.displaced: frozenset[tuple[str, ...]] = frozenset()
        #: Whether hardly a cell is ever empty.
        self.is_dense = all(column.is_always_filled for column in self.columns)
        self._gaps = 0

    @cached_property
    def typed(self) -> list[int]:
        """Positions of the columns that have a kind."""
        return [at for at, column in enumerate(self.columns) if column.kind is not None]

    @cached_property
    def has_figures(self) -> bool:
        """Whether there is a column in which all is numbers, dates and times."""
        return any(
            self.rows and all(is_figure(row[at]) for row in self.rows)
            for at in range(len(self.columns))
        )

    @cached_property
    def gates(self) -> list[Gate]:
        """The quick tests for columns whose values have something in common.

        Where all are words of any kind, names in small letters are looked for.
        """
        gates = [Gate(at, column) for at, column in enumerate(self.columns)]
        useful = [gate for gate in gates if gate.is_useful]
        return useful or [gate for gate in gates if gate.has_capitals][:1]

    def stands_out(self, cells: Sequence[str]) -> bool:
        """Tell whether a row has something that the others do not have, or may have.

        Few rows do not tell quickly what others have: in a small table each is looked at.
        """
        return (
            self.is_small
            or tuple(cells) in self.displaced
            or CONTROL.search("".join(cells)) is not None
            or (self.is_dense and not all(cells))
            or any(not gate.passes((cells[gate.at],)) for gate in self.gates)
        )

    def accept(self, cells: Sequence[str]) -> None:
        """Learn from a row that stands out and is sound: what is frequent is not asked again."""
        if not all(cells):
            self._gaps += 1
            self.is_dense = self.is_dense and self._gaps <= _EXCEPTIONS
        for gate in self.gates[:]:
            if not gate.passes((cells[gate.at],)):
                gate.exceptions += 1
                if gate.exceptions > max(_EXCEPTIONS, _FREQUENT * gate.seen):
                    self.gates.remove(gate)

    @cached_property
    def _leading_blanks(self) -> bool:
        return any(cell[:1] == " " for row in self.rows for cell in row[1:])

    @cached_property
    def _styles(self) -> Counter[str]:
        return Counter(style(cell) for row in self.rows for cell in row)

    def misfits(self, cells: Sequence[str]) -> list[int]:
        """Return the positions of cells that are not of the kind of their column."""
        return [at for at in self.typed if not self.columns[at].fits(cells[at])]

    def is_unlike_rows(self, cells: Sequence[str], varied: Collection[int]) -> bool:
        """Tell whether most values that should be of a kind are not.

        The columns `varied` have turned out to have other values, too.
        """
        filled = sum(bool(cells[at].strip()) for at in self.typed if at not in varied)
        wrong = [self.columns[at] for at in self.misfits(cells) if at not in varied]
        if not wrong or 2 * len(wrong) < filled:
            return False
        # A form such as that of addresses has more exceptions than figures have.
        return len(wrong) == filled or any(column.kind in KINDS for column in wrong)

    def likeness(self, cells: Sequence[str]) -> int:
        """Return how many more of `cells` are like the values of their columns than unlike."""
        return likeness(self.columns, cells)

    @cached_property
    def _usual_likeness(self) -> int:
        """The likeness that nine in ten rows have at least."""
        found = sorted(map(self.likeness, self.rows))
        return found[len(found) // 10] if found else 0

    def is_like_the_rows(self, cells: Sequence[str]) -> bool:
        """Tell whether a row is as much like the others as most of them are."""
        return self.likeness(cells) >= max(1, self._usual_likeness) and not self.misfits(cells)

    def has_stray_quote(self, at: int, text: str) -> bool:
        """Tell whether `text` would be a value of the column `at` without the quotes in it."""
        bare = text.translate(QUOTES)
        return bare != text and " " not in text and self.columns[at].fits_closely(bare)

    def is_like_a_row(self, cells: Sequence[str]) -> bool:
        """Tell whether `cells` can be a row and are no piece of running text."""
        if self.misfits(cells):
            return False
        filled = [at for at in self.typed if cells[at].strip()]
        if filled:
            return True
        return self._leading_blanks or not any(cell[:1] == " " for cell in cells[1:])

    def are_names(self, cells: Sequence[str]) -> bool | None:
        """Tell whether `cells` are names of columns, or a row like the others.

        None when nothing speaks for one of both.
        """
        if self.rows and all(is_figure(cell) for cell in cells if cell.strip()):
            return False
        filled = [at for at in self.typed if cells[at].strip()]
        if any(self.columns[at].has_figure(cells[at]) for at in filled):
            return False
        if filled and len(self.rows) >= (ENOUGH if len(filled) > 1 else _MANY):
            values = sum(self.columns[at].fits_closely(cells[at]) for at in filled)
            wrong = self.misfits(cells)
            # Names may hold a year, or look like one value, but hardly both.
            has_figure = any(map(is_figure, cells))
            if 2 * values > len(filled) or (values and has_figure):
                return False
            return True if wrong else None
        if self._repeats(cells):
            return False
        return True if self.is_in_other_style(cells) else None

    def are_more_names(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Tell whether `cells`, below the names of the `header`, cannot be a row."""
        wrong = self.misfits(cells)
        filled = [at for at in self.typed if cells[at].strip()]
        if not wrong or wrong != filled:
            return False
        if all(name in cell for name, cell in zip(header, cells, strict=True)):
            return True
        units = any(map(_UNIT.fullmatch, cells))
        return (len(wrong) > 1 or units) and not any(map(DIGITS.search, cells))

    def is_in_other_style(self, cells: Sequence[str]) -> bool:
        """Tell whether `cells` are all of one case, and hardly a cell of the rows is like them."""
        styles = {style(cell) for cell in cells}
        if len(set(map(letter_case, cells))) != 1 or "" in styles or len(self.rows) < ENOUGH:
            return False
        return sum(map(self._styles.__getitem__, styles)) <= 0.05 * self._styles.total()

    def _repeats(self, cells: Sequence[str]) -> bool:
        """Tell whether several of `cells` are frequent values of their columns."""
        if len(self.rows) < 10:
            return False
        frequent = [
            at
            for at, cell in enumerate(cells)
            if sum(row[at] == cell for row in self.rows) >= 0.2 * len(self.rows)
        ]
        return len(frequent) > 1


def learn(records: Sequence[Record], header: Sequence[str]) -> Profile:
    """Return the profile of a table from its first sound rows below the `header`.

    Rows behind what seems to be the header of another table teach nothing, nor do those whose
    values stand beside their columns.
    """
    width = len(header)
    rows: list[tuple[str, ...]] = []
    doubtful: list[tuple[str, ...]] = []
    apart, looks, before = False, 0, True
    seen: list[set[str]] = [set() for _name in header]
    # Between rows that are all apart a blank line says nothing.
    gaps = sum(one.cells == () != two.cells for one, two in pairwise(records))
    is_spaced = gaps > max(2, len(records) / 4)
    sequel = None
    for at, (record, after) in enumerate(zip_longest(records, records[1:])):
        cells = record.cells
        if cells is not None and len(cells) == width and not repeats(cells, header):
            is_odd = apart or DIGITS.search("".join(cells)) is None
            is_new = not any(map(set.__contains__, seen, cells))
            if rows and is_odd and is_new:
                behind = records[at + 1 : at + 1 + _AHEAD]
                following = [r.cells for r in behind if r.cells and len(r.cells) == width]
                looks += 1
                if is_followed_by_others(rows, cells, following) or (
                    looks <= (2 * _LOOKS if apart else _LOOKS)
                    and is_sequel(Profile(rows, width, is_spaced), cells, header, apart, following)
                ):
                    sequel = cells
                    break
            for values, cell in zip(seen, cells, strict=True):
                values.add(cell)
            # Beside damage there are often pieces of rows.
            is_beside = (
                record.beside or not before or not (after is None or _is_sound(after, width))
            )
            (doubtful if is_beside else rows).append(cells)
            if len(rows) == LEARNED_ROWS:
                break
        apart = cells == () and not is_spaced
        before = _is_sound(record, width)
    taught = rows if len(rows) >= ENOUGH else rows + doubtful
    # In a large table a few rows teach nothing wrong.
    displaced = cut_elsewhere(taught) if len(taught) < LEARNED_ROWS else frozenset()
    taught = [cells for cells in taught if cells not in displaced]
    profile = Profile(without_pushed(taught), width, is_spaced)
    profile.sequel, profile.displaced = sequel, displaced
    return profile


def _is_sound(record: Record, width: int) -> bool:
    """Tell whether a record is blank, or has as many cells as a row."""
    return record.cells is not None and len(record.cells) in (0, width)
