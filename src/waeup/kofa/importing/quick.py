"""The quick way from rows of a table to rows for the hooks: a batch at a time, by columns.

It takes rows of which there is nothing to say.  All others, be it that a cell is wrong, or that
a row is blank or was damaged before, are left to the careful way
(`waeup.kofa.importing.preparing`), row by row; thus messages come from there only.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

from waeup.kofa.conversion import IGNORED
from waeup.kofa.conversion.columns import UNSETTLED, Column, compile_column
from waeup.kofa.importing.hooks import HookRow
from waeup.kofa.importing.plan import RowPlan, ValuePlan
from waeup.kofa.interfaces import IGNORE_MARKER
from waeup.kofa.tabular import Row


class QuickRows(NamedTuple):
    """Rows of a batch: their texts by field, and what hooks are given, by position.

    The positions in `unsettled` are for the careful way, whatever stands there.
    """

    texts: list[dict[str, str]]
    rows: list[HookRow]
    unsettled: set[int]


class QuickPlan:
    """Prepares rows as `rows` and `values` say, whose fields have no secrets.

    `required` are fields that must have a value, each with what counts as none.  A row with a
    text in the column at position `raw` is for the careful way.
    """

    def __init__(
        self,
        rows: RowPlan,
        values: ValuePlan,
        mode: str,
        ignore_empty: bool,
        required: Sequence[tuple[str, Any]],
        raw: int | None,
    ) -> None:
        self._rows = rows
        self._values = values
        self._required = required
        self._raw = raw
        self._columns: list[Column | None] = [
            compile_column(values.fields[name], mode, ignore_empty)
            if name in values.fields
            else None
            for name in rows.fields
        ]

    def prepare(self, rows: Sequence[Row]) -> QuickRows:
        """Return rows in their converted form; all have as many cells as there are columns."""
        cells = [row.values for row in rows]
        table = list(zip(*cells, strict=True))
        found = _Columns({}, {}, {}, set())
        # Whether all cells of a column hold something; then no row is blank.
        is_filled = False
        columns = self._rows.columns(table, len(rows))
        for name, column, texts in zip(self._rows.fields, self._columns, columns, strict=True):
            is_filled = self._convert(name, column, texts, found) or is_filled
        unsettled = found.unsettled
        if not is_filled:
            unsettled.update(at for at, row in enumerate(cells) if is_blank(row))
        if self._raw is not None:
            unsettled.update(at for at, text in enumerate(table[self._raw]) if text)
        self._check_required(found)
        self._check_invariants(found)
        return _by_row(found)

    def _convert(
        self, name: str, column: Column | None, texts: Sequence[str], found: "_Columns"
    ) -> bool:
        """Convert the column of a field; tell whether no cell of it has to be looked at."""
        if column is None:
            found.texts[name] = self._rows.marked_column(texts)
            return False
        values, is_special = column.convert(texts)
        if self._values.has_invariants:
            found.converted[name] = values
        if is_special:
            found.unsettled.update(_places(UNSETTLED, values))
            ignored = _places(IGNORED, values)
            if ignored:
                texts, values = list(texts), list(values)
                for at in ignored:
                    texts[at] = values[at] = self._rows.mark(texts[at])
        found.texts[name] = texts
        if not column.are_texts or values != list(texts):
            found.values[name] = values
        return not is_special

    def _check_required(self, found: "_Columns") -> None:
        for name, missing in self._required:
            texts = found.texts[name]
            values = found.values.get(name, texts)
            # One look in C is enough for most columns.
            if IGNORE_MARKER in texts or missing in values or None in values:
                found.unsettled.update(
                    at
                    for at, (text, value) in enumerate(zip(texts, values, strict=True))
                    if text == IGNORE_MARKER or value is None or value == missing
                )

    def _check_invariants(self, found: "_Columns") -> None:
        if not found.converted:
            return
        for at, values in enumerate(zip(*found.converted.values(), strict=True)):
            if at in found.unsettled:
                continue
            pairs = zip(found.converted, values, strict=True)
            if self._values.broken_invariants({n: v for n, v in pairs if v is not IGNORED}):
                found.unsettled.add(at)


class _Columns(NamedTuple):
    """What was found of a batch, by field: texts, and values where they are not the texts.

    `converted` has all values of fields as they were converted, for invariants.
    """

    texts: dict[str, Sequence[str]]
    values: dict[str, Sequence[Any]]
    converted: dict[str, Sequence[Any]]
    unsettled: set[int]


def _by_row(found: _Columns) -> QuickRows:
    names = repeat(tuple(found.texts))
    texts = list(map(dict, map(zip, names, zip(*found.texts.values(), strict=True))))
    # Most values are the texts, and a copy of these is cheap.
    rows = list(map(HookRow, texts))
    for name, column in found.values.items():
        for row, value in zip(rows, column, strict=True):
            row[name] = value
    return QuickRows(texts, rows, found.unsettled)


def is_blank(cells: Sequence[str]) -> bool:
    """Tell whether there is nothing in the cells of a row."""
    return all(not cell.strip() or cell == IGNORE_MARKER for cell in cells)


def _places(what: Any, column: Sequence[Any]) -> list[int]:
    """Return where exactly `what` stands in a column."""
    return [at for at, value in enumerate(column) if value is what] if what in column else []
