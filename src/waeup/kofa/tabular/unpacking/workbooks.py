"""One sheet of a workbook as a plain table, read by calamine and written as sound CSV.

Runs in the worker.  Calamine holds the whole sheet in memory and gives values, not formulas: a
merged cell has its value in its first cell, a formula the value that was saved with it.  What
it leaves out is put back by `remedies`; a sheet with a formula that has no value is refused,
except in .xls, where such a formula looks like one that gives the empty text.
"""

from __future__ import annotations

import csv
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import time
from itertools import islice, zip_longest
from typing import Any, BinaryIO

import python_calamine

from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.unpacking import remedies
from waeup.kofa.tabular.unpacking.cells import text_of
from waeup.kofa.tabular.unpacking.wording import (
    NOTES_HEADER,
    UNLOCK,
    damaged,
    listed,
    not_a_table,
    shown,
    too_much,
    unsaved,
)

__all__ = ["convert"]

#: Rows with something in them that make a table: a header and a row.
_TABLE_ROWS = 2
_MAX_SHEETS = 1000
_CHUNK = 1 << 18


def convert(
    stream: BinaryIO, kind: str, target: str, name: str, sheet: str | None, limits: Limits
) -> tuple[str, list[str]]:
    """Write a sheet of the workbook `stream`, which is of `kind`, to the file `target`.

    Empty rows and columns around the table are left out, but for rows above it: line n of the
    file is row n of the sheet unless cells hold line ends.  `name` is for messages.  Returns the
    name of the sheet, which is `sheet` or the first visible one with a table, and the names of
    all.  Raises `TableError` when there is no such sheet, or a formula on it has no value, and
    `TooLarge` beyond `limits`.
    """
    if kind != "xls":
        _verify(stream, name, limits)
    if remedies.is_protected(stream, kind):
        raise not_a_table(name, _("a workbook that is protected by a password"), UNLOCK)
    stream.seek(0)
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(stream)
    except python_calamine.CalamineError:
        # It has tried every form of workbook, and says no more than that none fits.
        raise damaged(name, "what is inside makes no workbook") from None
    sheets = [
        entry
        for entry in workbook.sheets_metadata
        if entry.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
    names = [entry.name for entry in sheets]
    if len(names) > _MAX_SHEETS:
        raise TooLarge(
            _(
                "${name} has ${number} sheets, and ${max_sheets} are allowed. Remove "
                "sheets that are not needed.",
                mapping={
                    "name": name,
                    "number": Number(len(names)),
                    "max_sheets": Number(_MAX_SHEETS),
                },
            )
        )

    def find(sheet: str) -> remedies.Remedies:
        return remedies.find(stream, kind, workbook.sheet_names.index(sheet), sheet)

    if sheet is None:
        visible = [
            entry.name
            for entry in sheets
            if entry.visible == python_calamine.SheetVisibleEnum.Visible
        ]
        used, cells = _first_table(workbook, visible, find, name)
    elif sheet in names:
        used, cells = sheet, workbook.get_sheet_by_name(sheet)
    else:
        raise TableError(
            _(
                "${name} has no sheet ${sheet}. Name one of its sheets: ${names}.",
                mapping={"name": name, "sheet": shown(sheet), "names": listed(names)},
            )
        )
    found = find(used)
    if found.unsaved:
        raise unsaved(name, used, found.unsaved)
    _write(_Sheet(cells, found), target, name, limits, quoted=_is_as_exported(stream, kind))
    return used, names


def _verify(stream: BinaryIO, name: str, limits: Limits) -> None:
    """Make sure that all parts of a workbook are whole; calamine takes some as they come."""
    size = 0
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            with archive.open(member) as part:
                while data := part.read(_CHUNK):
                    size += len(data)
                    if size > limits.unpacked:
                        raise too_much(name, limits)


def _is_as_exported(stream: BinaryIO, kind: str) -> bool:
    """Tell whether no spreadsheet has saved a workbook since a program has written it.

    Spreadsheets gather the texts of all cells in one part; who writes row by row, as exports do,
    leaves each text in its cell.
    """
    if kind != "xlsx":
        return False
    with zipfile.ZipFile(stream) as archive:
        return "xl/sharedStrings.xml" not in archive.namelist()


def _first_table(
    workbook: Any, names: list[str], find: Callable[[str], remedies.Remedies], name: str
) -> tuple[str, Any]:
    """Return name and cells of the first sheet with a table, or else of the first with a row."""
    best: tuple[str, Any] | None = None
    for sheet in names:
        cells = workbook.get_sheet_by_name(sheet)
        rows = only = 0
        for number, row in enumerate(cells.iter_rows()):
            if all(map(_is_empty, row)):
                continue
            rows, only = rows + 1, number
            if rows == 1 and best is not None and tuple(row) == NOTES_HEADER:
                break
            if rows == _TABLE_ROWS:
                return sheet, cells
        # Rows that are nothing but formulas without values are a table, too, below a header.
        if rows and find(sheet).unsaved.keys() - {only}:
            return sheet, cells
        if rows and best is None:
            best = sheet, cells
    if best is None:
        raise TableError(
            _(
                "${name} has no table on its visible sheets (${text}). Write one, or "
                "name a hidden sheet.",
                mapping={"name": name, "text": listed(names) or _("there are none")},
            )
        )
    return best


class _Sheet:
    """The rows of a sheet from its very first row and column on, with all remedies."""

    def __init__(self, cells: Any, found: remedies.Remedies) -> None:
        self._cells = cells
        self._found = found
        self._margin = [""] * (cells.start or (0, 0))[1]
        self._end = max(found.texts, default=-1) + 1

    def __iter__(self) -> Iterator[list[Any]]:
        """Generate the values of each row; empty rows may be shorter than others."""
        texts, negatives = self._found.texts, self._found.negatives
        if not (self._margin or texts or negatives):
            yield from self._cells.iter_rows()
            return
        rows: Iterator[tuple[list[Any], Any]] = zip_longest(
            self._cells.iter_rows(), range(self._end), fillvalue=[]
        )
        for number, (row, _more) in enumerate(rows):
            values = [*self._margin, *row] if self._margin or number in texts else row
            for column, text in texts.get(number, {}).items():
                values += [""] * (column + 1 - len(values))
                values[column] = text
            for column, text in negatives.get(number, {}).items():
                if column < len(values) and isinstance(values[column], time):
                    values[column] = text
            yield values


def _write(sheet: _Sheet, target: str, name: str, limits: Limits, *, quoted: bool) -> None:
    """Write the table; all cells in quotes, as in an export, if `quoted`."""
    left, right, end, rows = _measure(sheet)
    width = right - left
    limits.check_columns(name, width)
    limits.check_rows(name, rows)
    with open(target, "w", encoding="utf-8", newline="", opener=_open_private) as stream:
        write_quoted = csv.writer(stream, quoting=csv.QUOTE_ALL).writerow
        write = write_quoted if quoted else csv.writer(stream).writerow
        for number, values in enumerate(islice(sheet, end), 1):
            texts = [
                value if type(value) is str else text_of(value) for value in values[left:right]
            ]
            if not any(map(str.strip, texts)):
                stream.write("\r\n")
                continue
            if max(map(len, texts)) > limits.cell:
                raise TooLarge(
                    _(
                        "${name} has a cell of ${len} characters in row ${number}, and ${cell} "
                        "are allowed. Shorten it, or have the limit raised.",
                        mapping={
                            "name": name,
                            "len": Number(max(map(len, texts))),
                            "number": Number(number),
                            "cell": Number(limits.cell),
                        },
                    )
                )
            texts += [""] * (width - len(texts))
            # Unquoted, the mark at the beginning of a file would belong to the encoding.
            (write_quoted if texts[0].startswith("\ufeff") else write)(texts)
        stream.flush()
        os.fsync(stream.fileno())


def _measure(sheet: _Sheet) -> tuple[int, int, int, int]:
    """Return first column, end of columns, end of rows, and how many rows are not empty."""
    left, right, end, rows = sys.maxsize, 0, 0, 0
    for number, values in enumerate(sheet, 1):
        stop = len(values)
        while stop and _is_empty(values[stop - 1]):
            stop -= 1
        if stop:
            start = 0
            while _is_empty(values[start]):
                start += 1
            left, right, end, rows = min(left, start), max(right, stop), number, rows + 1
    return min(left, right), right, end, rows


def _is_empty(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
