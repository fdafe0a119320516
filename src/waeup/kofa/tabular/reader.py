"""The one way into a table: rows of text, each sound or with a typed problem.

Two ways lead through a block of lines.  The quick one lets the C reader of the
standard library parse the block, and takes the result when it cannot differ
from the strict grammar.  The careful one goes record by record through
`grammar`, names what is wrong, and goes on at the next sound row.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, count, pairwise, repeat
from operator import itemgetter
from types import TracebackType
from typing import NamedTuple

from waeup.kofa.errors import TableError
from waeup.kofa.tabular.dialect import Dialect, detect_dialect
from waeup.kofa.tabular.grammar import Extent, Grammar
from waeup.kofa.tabular.problems import (
    NUL_CHARACTER,
    EmptyTable,
    Problem,
    count_problem,
    text_problem,
)
from waeup.kofa.tabular.source import line_blocks, resolve_encoding

__all__ = ["MAX_COLUMNS", "Row", "Table", "check_header", "open_table"]

#: Columns that a table may have; more are refused when it is opened.
MAX_COLUMNS = 1000


class Row(NamedTuple):
    """A source row: a record below the header that is not blank.

    `number` counts the source rows from 1, `line` is the physical line where the
    row begins.  A row with a `problem` has the `values` that were found, however
    many (none, if it cannot be cut into cells), and its text in `raw`, with NUL
    characters written as ``\\x00``.
    """

    number: int
    line: int
    values: tuple[str, ...]
    problem: Problem | None = None
    raw: str | None = None


def open_table(
    path: str,
    encoding: str | None = None,
    dialect: Dialect | None = None,
    *,
    rows_required: bool = True,
) -> Table:
    """Open the table at `path` and read its header.

    `encoding` (default UTF-8, with or without BOM) and `dialect` (default: found
    from the first lines) override what is found.  Rows are read lazily; whether
    all bytes are text is known at the end, or from `verify_encoding`.

    Raises `EmptyTable` when there is no header, `TableError` when the header is
    damaged or has more than `MAX_COLUMNS` columns.  A table without a row below
    its header is refused when rows are asked for, so that its header can be
    shown; not so without `rows_required`.
    """
    return Table(path, encoding, dialect, rows_required)


def check_header(header: Sequence[str], name: str = "The table") -> None:
    """Make sure that each column has a name of its own.

    Names that begin with ``--`` belong to Kofa and may stand more than once.
    Raises `TableError` with all columns concerned; `name` tells of which file.
    """
    blank = [str(at) for at, text in enumerate(header, 1) if not text.strip()]
    if blank:
        raise TableError(
            f"{name} has columns without a name: {', '.join(blank)}."
            " Write a name into the header, or remove the column."
        )
    double = sorted(
        {text for text in header if not text.startswith("--") and header.count(text) > 1}
    )
    if double:
        raise TableError(
            "Double headers: each column name may only appear once."
            f" {name} has more than one column {', '.join(map(repr, double))}."
            " Rename or remove the others."
        )


class Table:
    """An open table; use it in a ``with`` statement and iterate over its rows.

    `header` are the names of the columns as they stand in the file, `encoding`
    and `dialect` what is used; `header_ended` is false when the file ends before
    its header's line does.  `size` and `bytes_read` tell the progress.
    """

    def __init__(
        self, path: str, encoding: str | None, dialect: Dialect | None, rows_required: bool
    ) -> None:
        if dialect is not None:
            dialect.check()
        self.path = path
        self.name = os.path.basename(path)
        self._stream = open(path, "rb")  # noqa: SIM115 - closed by close()
        try:
            self.size = os.fstat(self._stream.fileno()).st_size
            self.encoding = resolve_encoding(self._stream, encoding)
            self._blocks = line_blocks(self._stream, self.name, self.encoding)
            self._lines, self._final = next(self._blocks)
            self._line = 1
            self.dialect = dialect or detect_dialect(self._lines, self._final)
            self._grammar = Grammar(self.dialect)
            self.header, self.header_ended = self._read_header()
        except BaseException:
            self._stream.close()
            raise
        self._rows = self._read_rows(rows_required)

    @property
    def bytes_read(self) -> int:
        """Bytes of the file read so far, a block ahead of the rows."""
        return self.size if self._stream.closed else self._stream.tell()

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def __next__(self) -> Row:
        return next(self._rows)

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; rows cannot be read any more."""
        self._rows.close()
        self._stream.close()

    # -- header ------------------------------------------------------------

    def _read_header(self) -> tuple[tuple[str, ...], bool]:
        extent, start, end = self._first_record()
        text = "".join(self._lines[start:end])
        line = self._line + start
        if extent is Extent.DAMAGED:
            problem = self._damage(self._lines[start], line)
            raise TableError(f"{self.name} has no readable header. {problem.message}")
        if "\0" in text:
            raise TableError(
                f"{self.name} has no readable header. {text_problem(NUL_CHARACTER, line).message}"
            )
        header = self._grammar.cells(text)
        if len(header) > MAX_COLUMNS:
            raise TableError(
                f"{self.name} has {len(header)} columns, and {MAX_COLUMNS} are allowed."
                " Remove columns, or check the delimiter."
            )
        self._skip(end)
        return header, text.endswith(("\n", "\r"))

    def _first_record(self) -> tuple[Extent, int, int]:
        while True:
            start, lines = 0, self._lines
            while start < len(lines) and self._grammar.is_blank(lines[start]):
                start += 1
            if start < len(lines):
                extent, end = self._grammar.measure(lines, start, self._final)
                if extent is not Extent.UNFINISHED:
                    return extent, start, end
            if self._final:
                raise EmptyTable(
                    f"{self.name} is empty. Its first line must name the columns,"
                    " and rows must follow."
                )
            self._skip(start)
            self._read_more()

    def _skip(self, lines: int) -> None:
        del self._lines[:lines]
        self._line += lines

    def _read_more(self) -> None:
        lines, self._final = next(self._blocks)
        self._lines += lines

    def _damage(self, text: str, line: int) -> Problem:
        code, column = self._grammar.diagnose(text)
        return text_problem(code, line, column)

    # -- rows --------------------------------------------------------------

    def _read_rows(self, rows_required: bool) -> Generator[Row, None, None]:
        make_row = partial(tuple.__new__, Row)
        number = 1
        while True:
            block = self._quick()
            if block is not None:
                values, starts = block
                yield from map(
                    make_row,
                    zip(count(number), starts, map(tuple, values), repeat(None), repeat(None)),
                )
                number += len(values)
                self._skip(len(self._lines))
            else:
                for line, cells, problem, raw in self._careful():
                    yield Row(number, line, cells, problem, raw)
                    number += 1
            if self._final:
                break
            self._read_more()
        if rows_required and number == 1:
            raise TableError(f"{self.name} has a header and no rows. Write rows below the header.")

    def _quick(self) -> tuple[list[list[str]], Iterable[int]] | None:
        """Return cells and physical line of each record at hand, or None unless all are sound.

        The C reader parses as the grammar says, except that it takes quotes
        inside unquoted cells, and blank lines.  The tests are passes in C over the
        block; only records that look like an exception are matched one by one.
        """
        lines, records, (delimiter, quote) = self._lines, self._lines, self.dialect
        text = "".join(lines)
        if "\0" in text:
            return None
        starts: Iterable[int] = count(self._line)
        parse = partial(csv.reader, delimiter=delimiter, quotechar=quote, strict=True)
        try:
            rows = list(parse(lines))
            if len(rows) != len(lines):  # records of several lines
                reader = parse(lines)
                ends = [0, *(reader.line_num for _row in reader)]
                records = ["".join(lines[start:end]) for start, end in pairwise(ends)]
                starts = [self._line + start for start in ends]
        except csv.Error:
            return None
        if set(map(len, rows)) - {len(self.header)}:
            return None
        blanks_possible = not all(map(str.strip, map(itemgetter(0), rows)))
        if blanks_possible and any(map(self._grammar.is_blank, records)):
            return None
        quotes_in_values = quote in text and quote in "".join(chain.from_iterable(rows))
        if quotes_in_values and not all(
            self._grammar.is_record(record) for record in records if quote in record
        ):
            return None
        return rows, starts

    def _careful(
        self,
    ) -> Iterator[tuple[int, tuple[str, ...], Problem | None, str | None]]:
        """Generate line, cells, problem and raw text of each row in the lines at hand.

        Lines of a record that goes on in the next block stay where they are.
        """
        lines, grammar, width = self._lines, self._grammar, len(self.header)
        quote = self.dialect.quote
        start = 0
        while start < len(lines):
            text, end, extent = lines[start], start + 1, Extent.SOUND
            if quote in text:
                extent, end = grammar.measure(lines, start, self._final)
                if extent is Extent.UNFINISHED:
                    break
            elif grammar.is_blank(text):
                start = end
                continue
            if end - start > 1:
                text = "".join(lines[start:end])
            line = self._line + start
            cells = grammar.cells(text) if extent is Extent.SOUND else ()
            if len(cells) != width and end - start > 1:
                # Perhaps a quote that was never closed and has swallowed rows.
                resumed = self._next_sound(start + 1, end)
                if resumed < end or not cells:
                    extent, end = Extent.DAMAGED, resumed
                    text = "".join(lines[start:end])
            if extent is Extent.DAMAGED:
                yield line, (), self._damage(lines[start], line), _raw(text)
            elif "\0" in text:
                yield line, (), text_problem(NUL_CHARACTER, line), _raw(text)
            elif len(cells) != width:
                yield line, cells, count_problem(len(cells), width, line), _raw(text)
            else:
                yield line, cells, None, None
            start = end
        self._skip(start)

    def _next_sound(self, start: int, end: int) -> int:
        """Return the first of the lines in [start, end) that is a sound row by itself, or end."""
        for index in range(start, end):
            line = self._lines[index]
            if (
                not self._grammar.is_blank(line)
                and self._grammar.is_record(line)
                and len(self._grammar.cells(line)) == len(self.header)
            ):
                return index
        return end


def _raw(text: str) -> str:
    return text.rstrip("\r\n").replace("\0", "\\x00")
