"""The one way into a table: rows of text, each sound or with a typed problem.

Two ways lead through a block of lines.  The quick one lets the C reader of the
standard library parse the block, and takes the result when it cannot differ from
the strict grammar and nothing in it is odd.  The careful one (`careful`) goes
record by record, names what is wrong, and goes on at the next sound row.  What a
row is only in the light of its neighbours is said at the end (`context`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, repeat
from types import TracebackType
from typing import Any, NamedTuple

from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.tabular.careful import CarefulReader
from waeup.kofa.tabular.context import Neighbours
from waeup.kofa.tabular.detection import SAMPLE_LINES, detect_dialect, records_of
from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.encodings import CERTAIN, detect_encoding
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.heading import Heading, find_heading
from waeup.kofa.tabular.layout import Entry, Layout, has_other_encoding, quotes_all
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.problems import Problem, UnclearTable
from waeup.kofa.tabular.quick import QuickBlock, QuickReader
from waeup.kofa.tabular.source import CUT, MARK, is_marked, line_blocks, readable, split_lines
from waeup.kofa.tabular.unpacking.kinds import HEAD, recognise

__all__ = ["Row", "Table", "check_header", "open_table"]

#: Bytes at the beginning of a file from which all that is found is found.
SAMPLE = 1 << 18
#: Bytes that are read for it at most when lines are known, but one of them does not end.
MOST_FOR_SAMPLE = 1 << 22
#: Lines of a block with damage that are tried at once.
PIECE = 16
#: The line in front of a table by which Excel tells the delimiter.
_SEP = re.compile(r'\ufeff?"?sep=([^\r\n])"?[\r\n]*', re.IGNORECASE)


class Row(NamedTuple):
    """A source row: a record below the header that is not blank.

    `number` counts the source rows from 1, `line` is the physical line where the
    row begins.  A row with a `problem` has the `values` that were found, however
    many (none, if it cannot be cut into cells), and its text in `raw`, with NUL
    characters and undecodable bytes written as ``\\x00``.
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
    delimiter: str | None = None,
    quote: str | None = None,
    header_line: int | None = None,
    name: str | None = None,
    limits: Limits | None = None,
    rows_required: bool = True,
    own: bool = False,
    quoted: bool = False,
) -> Table:
    """Open the table at `path` and read its header.

    What is not given is found: the `encoding`, the `dialect` (or, when only one of
    both is given, the rest beside `delimiter` and `quote`), and the physical line
    that holds the names, `header_line`.  `name` is what messages call the table
    (default: the file's name).  Rows are read lazily.  An `own` table was written by
    `TableWriter`: nothing is guessed or doubted.  One that is `quoted`, too, is an export: a cell
    without quotes, and a last row without line end, are damaged.

    Raises `EmptyTable` when there is no header, `UnclearTable` when it is damaged or
    doubtful, so that a person has to name its line, `TableError` for what is no table or
    when something given is wrong, and `TooLarge` when a limit is exceeded, perhaps only
    while rows are read.  A table without a row below
    its header is refused when rows are asked for, so that its header can be shown;
    not so without `rows_required`.
    """
    if own:
        dialect, encoding = dialect or Dialect(), encoding or "utf-8"
    elif dialect is None and delimiter is not None and quote is not None:
        dialect = Dialect(delimiter, quote)
    if dialect is not None:
        dialect.check()
    elif delimiter is not None:
        Dialect(delimiter, "'" if delimiter == '"' else '"').check()
    elif quote is not None:
        Dialect(";" if quote == "," else ",", quote).check()
    given = _Given(encoding, dialect, delimiter, quote, header_line, own, quoted)
    return Table(path, name or os.path.basename(path), given, limits or Limits(), rows_required)


class _Given(NamedTuple):
    """What is not to be found; see `open_table`."""

    encoding: str | None
    dialect: Dialect | None
    delimiter: str | None
    quote: str | None
    header_line: int | None
    own: bool
    quoted: bool


def check_header(header: Sequence[str], name: str = "The table") -> None:
    """Make sure that each column has a name of its own.

    Names that begin with ``--`` belong to Kofa and may stand more than once.
    Raises `TableError` with all columns concerned; `name` tells of which file.
    """
    blank = [str(at) for at, text in enumerate(header, 1) if not text.strip()]
    if blank:
        raise TableError(
            _(
                "${name} has columns without a name: ${blank}. Write a name into the "
                "header, or remove the column.",
                mapping={"name": name, "blank": ", ".join(blank)},
            )
        )
    double = sorted(
        {text for text in header if not text.startswith("--") and header.count(text) > 1}
    )
    if double:
        places = ", ".join(f"{text!r} ({_places(header, text)})" for text in double)
        raise TableError(
            _(
                "Double headers: each column name may only appear once. ${name} has more "
                "than one column ${places}. Rename or remove the others.",
                mapping={"name": name, "places": places},
            )
        )


def _places(header: Sequence[str], name: str) -> str:
    """Return the positions of the columns called `name`, counted from 1."""
    return " and ".join(str(at) for at, text in enumerate(header, 1) if text == name)


class Table:
    """An open table; use it in a ``with`` statement and iterate over its rows.

    What was found, or given: `encoding` with its `confidence` (1.0: certain),
    `dialect`, `line_end` (``CRLF``, ``LF``, ``CR``, ``mixed``, or ``""`` without any),
    `header`, the names of the columns as they stand in the file, at the physical line
    `header_line`, and the texts `above` it.  `header_ended` is false when the file ends
    before its header's line does.  `size` and `bytes_read` tell the progress, and `is_cut_short`
    whether the rows have ended before the file; see `end_when`.
    """

    is_cut_short = False
    _is_over: Callable[[], bool] | None = None

    def __init__(
        self, path: str, name: str, given: _Given, limits: Limits, rows_required: bool
    ) -> None:
        self.path = path
        self.name = name
        self._limits = limits
        self._stream = open(path, "rb")  # noqa: SIM115 - closed by close()
        try:
            self.size = os.fstat(self._stream.fileno()).st_size
            if not given.own:
                self._check_kind()
            found = detect_encoding(self._stream, given.encoding)
            self.encoding, self.confidence = found.name, found.confidence
            self._blocks = line_blocks(self._stream, found.name, limits.line)
            # What was read and is not a row yet: complete lines, the first of which is `_line`.
            self._text = ""
            self._line = 1
            self._layout = self._find_layout(given)
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

    def end_when(self, is_over: Callable[[], bool]) -> None:
        """Let the rows end when `is_over` says so, which is asked before each part of the file.

        Such a part has some hundred rows, or is within a line of millions of characters.
        """
        self._is_over = is_over

    def close(self) -> None:
        """Close the file; rows cannot be read any more."""
        self._rows.close()
        self._stream.close()

    # -- header ------------------------------------------------------------

    def _find_layout(self, given: _Given) -> Layout:
        """Find out, from the first lines, how the table is written and what its rows are like."""
        self._read_sample()
        lines = split_lines(self._text)
        self.line_end = _line_end(self._text)
        named = None if given.own else self._take_sep_line(lines)
        delimiter = given.delimiter or (named if named not in ('"', "'", given.quote) else None)
        sample = lines[:SAMPLE_LINES]
        final = self._final and len(sample) == len(lines)
        self.dialect = given.dialect or detect_dialect(sample, final, delimiter, given.quote)
        grammar = Grammar(self.dialect, given=given.dialect is not None)
        records = list(records_of(sample, grammar, final))
        header_line = given.header_line
        if given.own:
            header_line = next((self._line + r.start for r in records if r.cells != ()), None)
        sure = given.dialect is not None or delimiter is not None
        heading = find_heading(
            records, sample, grammar, self.name, self._line, header_line, self._limits, sure
        )
        if not given.own and heading.unnamed:
            grammar = Grammar(
                self.dialect, given=given.dialect is not None, trailing=heading.unnamed
            )
            records = list(records_of(sample, grammar, final))
            heading = find_heading(
                records, sample, grammar, self.name, self._line, header_line, self._limits, sure
            )
        self._take_heading(heading, lines)
        return Layout(
            grammar,
            self.header,
            self._header_text,
            None if given.own else heading.profile,
            self.encoding,
            self.confidence >= CERTAIN,
            given.quoted if given.own else quotes_all(self._header_text, records, sample, grammar),
        )

    def _read_sample(self) -> None:
        self._final = self._marked = False
        parts: list[str] = []
        while not self._final and sum(map(len, parts)) < SAMPLE:
            if self._stream.tell() > MOST_FOR_SAMPLE:
                if any(parts):
                    break
                # No encoding has more bytes for a character.
                if self._stream.tell() > MOST_FOR_SAMPLE + 4 * self._limits.line:
                    raise self._endless_header(1)
            block = next(self._blocks)
            parts.append(block.text)
            self._final = block.final
            self._marked = self._marked or block.marked
        self._text = "".join(parts)

    def _check_kind(self) -> None:
        """Refuse what is no text, whatever its name says, and leave the stream as it was."""
        kind = recognise(self._stream.read(HEAD), self.name)
        self._stream.seek(0)
        if kind != "text":
            raise TableError(
                _(
                    "${name} is no plain text but a container, an archive or a workbook. "
                    "Unpack it, and read what was in it.",
                    mapping={"name": self.name},
                )
            )

    def _take_sep_line(self, lines: list[str]) -> str | None:
        """Pass over Excel's line ``sep=;`` and return the delimiter that it names."""
        found = _SEP.fullmatch(lines[0]) if lines else None
        if found is None:
            return None
        self._keep(lines, 1)
        del lines[0]
        return found.group(1)

    def _take_heading(self, heading: Heading, lines: Sequence[str]) -> None:
        record = heading.record
        text = "".join(lines[record.start : record.end])
        self.header_line = self._line + record.start
        if CUT in text:
            raise self._endless_header(self.header_line)
        if "\0" in text or is_marked(text):
            raise TableError(
                _(
                    "${name} has no readable header: line ${header_line} holds characters "
                    "that are no text. Write the names anew, or name the encoding.",
                    mapping={"name": self.name, "header_line": self.header_line},
                )
            )
        in_doubt = self.confidence < CERTAIN and not text.isascii()
        if in_doubt or has_other_encoding(text, self.encoding):
            raise UnclearTable(
                _(
                    "${name} has names of columns that cannot be read for certain: its "
                    "encoding seems to be ${encoding}. Name the encoding in which all names "
                    "are right.",
                    mapping={"name": self.name, "encoding": self.encoding},
                )
            )
        assert record.cells is not None  # a damaged record is no heading
        self._limits.check_columns(self.name, len(record.cells))
        first = record.cells[0].removeprefix(MARK)
        self.header = (first, *record.cells[1:])
        self.header_ended = text.endswith(("\n", "\r"))
        self.above = tuple(map(readable, heading.above))
        self._header_text = text.rstrip("\r\n")
        self._keep(lines, record.end)

    def _endless_header(self, line: int) -> TooLarge:
        return TooLarge(
            _(
                "${name} has no header that can be read: line ${line} has more than ${most} "
                "characters. Check that its lines end, and that it is a table.",
                mapping={
                    "name": self.name,
                    "line": Number(line),
                    "most": Number(self._limits.line),
                },
            )
        )

    def _keep(self, lines: Sequence[str], start: int) -> None:
        """Go on at ``lines[start]``, where `lines` are all that was read."""
        self._text = "".join(lines[start:])
        self._line += start

    def _read_more(self) -> bool:
        """Read some more lines; tell whether it was to be."""
        while True:
            if self._is_over is not None and self._is_over():
                self.is_cut_short = True
                return False
            block = next(self._blocks)
            if block.text or block.final:
                break
        self._marked = block.marked or (self._marked and is_marked(self._text))
        self._text += block.text
        self._final = block.final
        return True

    # -- rows --------------------------------------------------------------

    def _read_rows(self, rows_required: bool) -> Generator[Row, None, None]:
        quick, careful = QuickReader(self._layout), CarefulReader(self._layout)
        neighbours = Neighbours(self._layout)
        number = 0
        while True:
            for part in self._parts(quick, careful):
                if isinstance(part, Entry):
                    settled = neighbours.push(part)
                    yield from _rows(settled, number)
                    number += len(settled)
                else:
                    settled, inner = _settled(part, neighbours)
                    yield from _rows(settled, number)
                    number += len(settled)
                    yield from map(_MAKE_ROW, zip(count(number + 1), *inner))
                    number += max(0, len(part.cells) - 2)
            self._limits.check_rows(self.name, number)
            if self._final:
                break
            if not self._read_more():
                return
        last = neighbours.end()
        self._limits.check_rows(self.name, number + len(last))
        yield from _rows(last, number)
        if rows_required and number + len(last) == 0:
            raise TableError(
                _(
                    "${name} has a header and no rows. Write rows below the header.",
                    mapping={"name": self.name},
                )
            )

    def _parts(self, quick: QuickReader, careful: CarefulReader) -> Iterator[QuickBlock | Entry]:
        """Generate blocks of sound records, and between them records that need a look.

        Lines of a record that goes on in the next block stay where they are.
        """
        in_doubt = self._marked or careful.is_in_second_table or careful.is_after_blank
        block = None if in_doubt else quick.cut(self._text, self._line)
        if block is not None:
            self._text = ""
            self._line += block.lines
            yield block
            return
        lines = split_lines(self._text)
        # Without quotes the whole block has been tried.
        start, piece = 0, len(lines) if self.dialect.quote in self._text else 8 * PIECE
        while start < len(lines):
            stop = min(start + piece, len(lines))
            block = None
            if not (self._marked or careful.is_in_second_table or careful.is_after_blank):
                final = self._final and stop == len(lines)
                block = quick.read(lines[start:stop], self._line + start, final)
            if block is not None:
                yield block
                start += block.lines
                piece *= 2
                continue
            if stop - start > PIECE and not self._marked:
                piece = PIECE  # that what is damaged slows down only its surroundings
                continue
            for entry in careful.read(lines, start, self._line, self._final):
                yield entry
                if careful.consumed >= stop:
                    break
            if careful.consumed == start:
                break
            start = careful.consumed
        self._keep(lines, start)


_MAKE_ROW = partial(tuple.__new__, Row)


def _rows(entries: Iterable[Entry], number: int) -> Iterator[Row]:
    """Generate the rows of settled `entries`, numbered behind `number`."""
    for at, (line, _end, cells, found, raw) in enumerate(entries, number + 1):
        text = None if found is None else readable(raw.rstrip("\r\n"))
        yield Row(at, line, cells, found, text)


def _settled(
    block: QuickBlock, neighbours: Neighbours
) -> tuple[list[Entry], tuple[Iterable[Any], ...]]:
    """Let a block of sound rows meet its neighbours.

    Returns the records that are settled by it, and for the rows between its first and
    its last one, which have only sound neighbours, all parts of a `Row` but the number.
    """
    cells, starts = block.cells, block.starts
    end = starts[0] + block.lines
    behind = starts[1] if len(cells) > 1 else end
    settled = neighbours.push(Entry(starts[0], behind, cells[0], None, block.first))
    last = len(cells) - 1
    if last:
        settled += neighbours.release()
        neighbours.push(Entry(starts[last], end, cells[last], None, block.last))
    return settled, (starts[1:last], cells[1:last], repeat(None), repeat(None))


def _line_end(text: str) -> str:
    """Return how the lines of `text` end: CRLF, LF, CR, mixed, or ``""``."""
    both = text.count("\r\n")
    counts = {"CRLF": both, "LF": text.count("\n") - both, "CR": text.count("\r") - both}
    found = [name for name, count in counts.items() if count]
    return "mixed" if len(found) > 1 else "".join(found)
