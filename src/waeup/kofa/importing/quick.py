"""The quick way from rows of a table to rows for the hooks: a batch at a time, by columns.

It takes rows of which there is nothing to say.  All others, be it that a cell is wrong, or that
a row is blank or was damaged before, are left to the careful way
(`waeup.kofa.importing.preparing`), row by row; thus messages come from there only.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from waeup.kofa.conversion import IGNORED
from waeup.kofa.conversion.columns import UNSETTLED, Column, compile_column
from waeup.kofa.importing.hooks import HookRow
from waeup.kofa.importing.plan import RowPlan, ValuePlan
from waeup.kofa.interfaces import IGNORE_MARKER
from waeup.kofa.tabular import Row

# What a cell has that holds nothing.
_NOTHING = frozenset(("", IGNORE_MARKER))


class QuickRows(NamedTuple):
    """Rows of a batch, by position: their texts by field, and what hooks are given.

    The positions in `unsettled` are for the careful way, whatever stands there.
    """

    texts: list[dict[str, str]]
    rows: list[HookRow]
    unsettled: set[int]


class ForeseenRows(NamedTuple):
    """Rows of a batch as a hook for conversion sees them; see `QuickRows`.

    `values` are those that fields are given, without what is to be ignored.
    """

    texts: list[dict[str, str]]
    values: list[dict[str, Any]]
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
        found = self._converted(rows, self._values.has_invariants)
        self._check_required(found)
        texts = _dicts(found.texts)
        # Most values are the texts, and a copy of these is cheap.
        hook_rows = list(map(HookRow, texts))
        for name, column in found.values.items():
            for row, value in zip(hook_rows, column, strict=True):
                row[name] = value
        return QuickRows(texts, hook_rows, found.unsettled)

    def foresee(self, rows: Sequence[Row]) -> ForeseenRows:
        """Return what a hook for conversion is given for each of such rows, and will be told.

        Nobody has looked for required fields yet.
        """
        found = self._converted(rows, True)
        return ForeseenRows(_dicts(found.texts), list(_good(found.converted)), found.unsettled)

    def _converted(self, rows: Sequence[Row], keeps_all: bool) -> "_Columns":
        """Convert rows column by column; if `keeps_all`, `converted` is there in the end."""
        cells = [row.values for row in rows]
        table = list(zip(*cells, strict=True))
        found = _Columns({}, {}, {}, set())
        columns = self._rows.columns(table, len(rows))
        for name, column, texts in zip(self._rows.fields, self._columns, columns, strict=True):
            self._convert(name, column, texts, found, keeps_all)
        unsettled = found.unsettled
        if not any(map(_is_filled, table)):
            unsettled.update(at for at, row in enumerate(cells) if is_blank(row))
        if self._raw is not None:
            unsettled.update(at for at, text in enumerate(table[self._raw]) if text)
        if self._values.has_invariants:
            for at, values in enumerate(_good(found.converted)):
                if at not in unsettled and self._values.broken_invariants(values):
                    unsettled.add(at)
        return found

    def _convert(
        self,
        name: str,
        column: Column | None,
        texts: Sequence[str],
        found: "_Columns",
        keeps_all: bool,
    ) -> None:
        """Convert the column of a field."""
        if column is None:
            found.texts[name] = self._rows.marked_column(texts)
            return
        values, is_special = column.convert(texts)
        if keeps_all:
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


class _Columns(NamedTuple):
    """What was found of a batch, by field: texts, and values where they are not the texts.

    `converted` are all values of fields as they were converted.
    """

    texts: dict[str, Sequence[str]]
    values: dict[str, Sequence[Any]]
    converted: dict[str, Sequence[Any]]
    unsettled: set[int]


def _dicts(columns: dict[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows as dicts with the names of the columns."""
    names = repeat(tuple(columns))
    return list(map(dict, map(zip, names, zip(*columns.values(), strict=True))))


def _good(columns: dict[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Generate the values of rows, without those that are to be ignored."""
    for row in _dicts(columns):
        yield {name: value for name, value in row.items() if value is not IGNORED}


def is_blank(cells: Sequence[str]) -> bool:
    """Tell whether there is nothing in the cells of a row."""
    return all(cell.strip() in _NOTHING for cell in cells)


def _is_filled(column: Sequence[str]) -> bool:
    """Tell whether all cells of a column of a table hold something, so that no row is blank."""
    return _NOTHING.isdisjoint(map(str.strip, column))


def _places(what: Any, column: Sequence[Any]) -> list[int]:
    """Return where `what` itself stands in a column; values of a site may not be comparable."""
    return [at for at, value in enumerate(column) if value is what]
