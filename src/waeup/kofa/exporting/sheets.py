"""Exports as workbooks (.xlsx): one sheet with typed cells, in constant memory.

A cell becomes a number or a date only when it is read back as the same value; all else stays a
text and is never a formula.  What a workbook cannot hold is refused, never changed.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import date
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from waeup.kofa.errors import TooLarge
from waeup.kofa.exporting.sinks import Column, LongCell, Sink, UnfitCell
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number

__all__ = ["MOST_SHEET_COLUMNS", "MOST_SHEET_ROWS", "SheetSink", "open_workbook", "sheet_name"]

#: Rows of a sheet below its header.
MOST_SHEET_ROWS = 1_048_576 - 1
#: Columns of a sheet.
MOST_SHEET_COLUMNS = 16_384
#: Characters of a cell; those beyond the first 65,536 of Unicode count twice.
MOST_CELL_CHARACTERS = 32_767
#: Characters of the name of a sheet.
MOST_NAME_CHARACTERS = 31
#: How a workbook shows dates.
DATE_FORMAT = "yyyy-mm-dd"
#: By which a workbook leaves what is typed as it is; a format that it has by nature.
TEXT_FORMAT = 49

#: What to do when a workbook will not do.
_ADVICE = "Export as CSV instead."
#: From here on the days of a workbook are those of the calendar: it takes 1900 for a leap year.
_FIRST_DAY = date(1900, 3, 1)
_DAY_ZERO = date(1899, 12, 30)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})#")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
#: Whole numbers up to this are exact.
_MOST_EXACT = 2**53
#: What XML cannot hold, and what reads as something else than itself: workbooks escape control
#: characters as _x001F_, and of two such forms that share an underscore the first one counts.
_UNFIT = re.compile(
    "[\0\ud800-\udfff\ufffe\uffff]|_x[0-9a-fA-F]{4}(?:_x[0-9a-fA-F]{4}_|[\x01-\x08\x0b-\x1f])"
)
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_WIDTHS = {"date": 12, "integer": 10, "number": 12, "decimal": 12}
_LEAST_WIDTH, _MOST_WIDTH = 8, 60
_TEXT_WIDTH = 16


def open_workbook(path: str, folder: str) -> Any:
    """Return an `xlsxwriter.Workbook` that takes every text as a text.

    It keeps what is not yet at `path` in `folder`.
    """
    import xlsxwriter  # slow to import, and few need it

    return xlsxwriter.Workbook(
        path,
        {
            "constant_memory": True,
            "tmpdir": folder,
            "use_zip64": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )


def sheet_name(name: str) -> str:
    """Return the name of a sheet for the table `name`, which may be that of a file."""
    stem = _NOT_IN_NAMES.sub("_", name.split(".", 1)[0])
    while _units(stem) > MOST_NAME_CHARACTERS:
        stem = stem[:-1]
    stem = stem.strip(" '")
    # Excel keeps this name for itself.
    return stem if stem and stem.lower() != "history" else "Export"


def integer_of(text: str) -> int | None:
    """Return the number that a cell of whole numbers can hold in place of `text`, or None."""
    if _INTEGER.fullmatch(text):
        value = int(text)
        if abs(value) <= _MOST_EXACT:
            return value
    return None


def number_of(text: str) -> float | None:
    """Return the number that a cell can hold in place of `text`, or None.

    It is the one that is written like this, but for a ``.0`` that gets lost.
    """
    whole = integer_of(text)
    if whole is not None:
        return whole
    value = _float(text)
    # Zero below zero would come back as zero.
    return value if value is not None and repr(value) == text != "-0.0" else None


def decimal_of(text: str) -> float | None:
    """Return the number that a cell can hold in place of `text` with all its digits, or None."""
    value = number_of(text)
    return value if isinstance(value, int) or (value is not None and value % 1) else None


def day_of(text: str) -> int | None:
    """Return the day by which a workbook counts the date `text` (``2012-04-30#``), or None."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return (day - _DAY_ZERO).days if day >= _FIRST_DAY else None


class SheetSink(Sink):
    """Writes a workbook of one sheet; `stream` gets it as a whole when the sink is closed.

    Until then it lies in a temporary folder below `folder`, in some times the size of the file.
    A row of empty cells is an empty row, which no reader takes for a record.
    """

    def __init__(
        self, stream: BinaryIO, columns: Sequence[Column], name: str, folder: str | None = None
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._rows = 0
        self._book: Any = None
        if len(columns) > MOST_SHEET_COLUMNS:
            raise TooLarge(
                _(
                    "The table has ${number} columns, and a workbook can have "
                    "${most_sheet_columns}. Choose fewer columns, or export as CSV.",
                    mapping={
                        "number": Number(len(columns)),
                        "most_sheet_columns": Number(MOST_SHEET_COLUMNS),
                    },
                )
            )
        self._open = ExitStack()
        try:
            scratch = self._open.enter_context(TemporaryDirectory(prefix="kofa-xlsx-", dir=folder))
            self._path = os.path.join(scratch, "workbook.xlsx")
            self._book = open_workbook(self._path, scratch)
            self._sheet = self._book.add_worksheet(sheet_name(name))
            self._open.callback(self._close_rows)
            self._begin()
        except BaseException:
            self.abandon()
            raise
        self.write = self._write

    def close(self) -> None:
        """See `Sink`."""
        if self._book is None:
            return
        book, self._book = self._book, None
        with self._open:
            if self._columns:
                self._sheet.autofilter(0, 0, self._rows, len(self._columns) - 1)
            close_workbook(book)
            with open(self._path, "rb") as packed:
                shutil.copyfileobj(packed, self._stream, 1 << 18)

    def abandon(self) -> None:
        """See `Sink`."""
        self._book = None
        self._open.close()

    def _close_rows(self) -> None:
        # The rows so far; the library closes them only when it finishes the workbook.
        with suppress(OSError):
            self._sheet.row_data_fh.close()

    def _begin(self) -> None:
        """Write the header, and decide how each column is written."""
        book, sheet = self._book, self._sheet
        self._as_text = book.add_format({"num_format": TEXT_FORMAT})
        bold = book.add_format({"bold": True, "num_format": TEXT_FORMAT})
        dates = book.add_format({"num_format": DATE_FORMAT})
        sheet.freeze_panes(1, 0)
        self._writers: list[Callable[[int, int, str], None]] = []
        for number, column in enumerate(self._columns):
            sheet.set_column(
                number,
                number,
                column.width or default_width(column),
                {"text": self._as_text, "date": dates}.get(column.kind),
            )
            self._check(0, number, column.name)
            sheet.write_string(0, number, column.name, bold)
            if column.kind == "date":
                self._writers.append(partial(self._write_value, day_of, dates))
            elif column.kind in _NUMBERS:
                self._writers.append(partial(self._write_value, _NUMBERS[column.kind], None))
            else:
                self._writers.append(self._write_text)

    def _write(self, cells: Sequence[str]) -> None:
        """See `Sink.write`; raises `TooLarge` and `Refused`."""
        row = self._rows + 1
        if row > MOST_SHEET_ROWS:
            raise TooLarge(
                _(
                    "The table has more than ${most_sheet_rows} rows, and a workbook can "
                    "have no more. Export as CSV instead, or choose fewer objects.",
                    mapping={"most_sheet_rows": Number(MOST_SHEET_ROWS)},
                )
            )
        if len(cells) != len(self._writers):
            raise ValueError(f"A row has {len(self._writers)} cells; {len(cells)} were given.")
        for number, text in enumerate(cells):
            if text:
                self._writers[number](row, number, text)
        self._rows = row

    def _write_text(self, row: int, column: int, text: str) -> None:
        self._check(row, column, text)
        self._sheet.write_string(row, column, text, self._as_text)

    def _write_value(
        self,
        value_of: Callable[[str], float | None],
        shape: Any,
        row: int,
        column: int,
        text: str,
    ) -> None:
        value = value_of(text)
        if value is None:
            self._write_text(row, column, text)
        else:
            self._sheet.write_number(row, column, value, shape)

    def _check(self, row: int, column: int, text: str) -> None:
        """Refuse a text that a workbook would not give back."""
        reason = unfit(text)
        if reason:
            name = self._columns[column].name
            place = f"row {row:,}, column {name!r}" if row else f"the name of column {column + 1}"
            error = LongCell if reason.startswith(_LONG) else UnfitCell
            raise error(f"A workbook cannot hold {place}: {reason}. {_ADVICE}")


_LONG = "the text has"


def unfit(text: str) -> str:
    """Return why a cell of a workbook cannot hold `text`; nothing if it can."""
    if len(text) > MOST_CELL_CHARACTERS // 2 and _units(text) > MOST_CELL_CHARACTERS:
        return f"{_LONG} {_units(text):,} characters, and {MOST_CELL_CHARACTERS:,} are possible"
    found = _UNFIT.search(text)
    if found is not None:
        if len(found[0]) == 1:
            return f"the text holds the character U+{ord(found[0]):04X}"
        return f"the text holds {found[0]!r}, which a workbook takes for something else"
    if text.startswith("<r>") and text.endswith("</r>"):
        return "the text is between '<r>' and '</r>', which a workbook takes for something else"
    return ""


def close_workbook(book: Any) -> None:
    """Finish a workbook; raises OSError when the disk refuses."""
    from xlsxwriter.exceptions import FileCreateError

    try:
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None


def default_width(column: Column) -> int:
    """Return how wide a column is of which nobody has said it."""
    # Behind the name stands the button of the filter.
    width = max(_WIDTHS.get(column.kind, _TEXT_WIDTH), len(column.name) + 4, _LEAST_WIDTH)
    return min(width, _MOST_WIDTH)


def _units(text: str) -> int:
    """Return how long a workbook takes `text` to be."""
    return len(text) + sum(char > "\uffff" for char in text)


def _float(text: str) -> float | None:
    """Return the number `text` if a workbook, which keeps 16 digits, gives it back."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and float(f"{value:.16G}") == value else None


_NUMBERS: dict[str, Callable[[str], float | None]] = {
    "integer": integer_of,
    "number": number_of,
    "decimal": decimal_of,
}
