"""What a person could not decide: a damaged file that looks like a sound one of other values."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.damage.clean import Values
from benchmarks.damage.writing import Draft

__all__ = ["mark_doubtful", "plain", "undecidable"]

DECIDED = 2  # as many odd cells show a person that a row is damaged
ENOUGH = 6  # so many cells show what a column looks like
LINE_END = re.compile(r"\r\n|\r|\n")


class Record(NamedTuple):
    """A stretch of text; `values` are None when it breaks the rules of RFC 4180."""

    start: int
    end: int
    values: Values | None


class Profile:
    """What the cells of sound rows look like, column by column."""

    def __init__(self, rows: list[Values]) -> None:
        self._columns = [
            Look([plain(cell) for cell in column]) for column in zip(*rows, strict=True)
        ]

    def oddities(self, values: Values) -> int:
        """Return how many of the values do not look like those of their columns."""
        return sum(look.oddity(value) for look, value in zip(self._columns, values, strict=False))


class Look:
    """What the cells of a column look like, as far as so many tell."""

    def __init__(self, cells: list[str]) -> None:
        filled = [cell for cell in cells if cell]
        enough = len(filled) >= ENOUGH
        self._full = enough and len(filled) == len(cells)
        self._numbers = enough and all(map(_is_number, filled))
        shapes = {_shape(cell) for cell in filled}
        few = 1 if self._numbers else 3
        self._shapes = shapes if len(shapes) <= few and enough else None
        self._few = set(filled) if len(set(filled)) <= 6 and len(filled) >= 15 else None
        self._lines = any("\n" in cell for cell in filled)
        self._digits = not enough or any(map(_has_digit, filled))
        self._mail = enough and all("@" in cell for cell in filled)

    def oddity(self, value: str) -> int:
        """Return how odd a value is here: 0, 1, or as much as decides the matter."""
        if any(ord(mark) < 32 and mark != "\n" for mark in value) or "\ufffd" in value:
            return DECIDED
        if "\n" in value and not self._lines:
            return DECIDED
        if not value:
            return int(self._full)
        return int(
            (self._few is not None and value not in self._few)
            or (self._numbers and not _is_number(value))
            or (self._shapes is not None and _shape(value) not in self._shapes)
            or (not self._digits and _has_digit(value))
            or (self._mail and "@" not in value)
        )


def plain(value: str) -> str:
    """Return a value without blanks around it, and with LF as line end."""
    return LINE_END.sub("\n", value.strip())


def undecidable(draft: Draft) -> bool:
    """Tell whether an encoded draft has a false row that is as good as a true one.

    It is none when the line above or below is no row: then a person sees that
    something is amiss there.
    """
    profile = Profile(
        [draft.table.rows[piece.rows[0]] for piece in draft.body() if not piece.touched]
    )
    delimiter = draft.dialect.delimiter
    width = len(draft.table.header)
    known = {tuple(map(plain, row)) for row in (*draft.table.rows, *draft.also)}
    decided = [piece.text for piece in draft.pieces if piece.role == "noise"] + draft.decided
    known |= {
        record.values
        for text in decided
        for record in _records(text, delimiter)
        if record.values is not None
    }
    text = _text(draft)
    bad, false = [True], [False]
    for record in _records(text, delimiter):
        if record.values == ("",):
            continue
        bad.append(record.values is None or len(record.values) != width)
        false.append(
            record.values is not None
            and not bad[-1]
            and record.values not in known
            and profile.oddities(record.values) < DECIDED
        )
    bad.append(False)
    return any(
        wrong and not bad[at - 1] and not bad[at + 1] for at, wrong in enumerate(false) if at > 1
    ) or (len(false) > 1 and false[1] and not bad[2])


def mark_doubtful(draft: Draft) -> None:
    """Count rows as touched that two damages together have put within quotes.

    So is the last row of a damaged file when it has no line end and may have been cut.
    """
    last = draft.pieces[-1]
    if draft.notes and last.role == "row" and not last.end:
        last.touched |= _may_be_cut(draft.table.rows, last.rows[0])
    known = {tuple(map(plain, row)) for row in draft.table.rows}
    text = _text(draft)
    swallowed = [
        record
        for record in _records(text, draft.dialect.delimiter, whole=True)
        if record.values not in known and LINE_END.search(text[record.start : record.end].strip())
    ]
    at = 0
    for piece in draft.pieces[draft.start() :]:
        end = at + len(piece.data.decode(draft.dialect.encoding, "replace"))
        piece.touched |= any(record.start < end and at < record.end for record in swallowed)
        at = end


def _may_be_cut(rows: list[Values], number: int) -> bool:
    """Tell whether the last value of a row may be the beginning of a longer one.

    Free text and numbers may be; so may what is the beginning of another row's value.
    """
    value = rows[number][-1]
    others = [row[-1] for at, row in enumerate(rows) if at != number]
    if not value or _is_number(value) or len(set(others)) > len(others) * 0.8:
        return len({len(other) for other in others}) > 1
    return any(other != value and other.startswith(value) for other in others)


def _text(draft: Draft) -> str:
    """Return what stands below the header."""
    data = b"".join(piece.data for piece in draft.pieces[draft.start() :])
    return data.decode(draft.dialect.encoding, "replace")


def _records(text: str, delimiter: str, *, whole: bool = False) -> Iterator[Record]:
    """Read by the rules; what breaks them is taken line by line.

    With `whole`, only records that keep the rules are returned, line ends in
    quotes and all.
    """
    cell = re.compile(rf' *"((?:[^"]|"")*)" *|([^"{re.escape(delimiter)}\r\n]*)')
    at = 0
    while at < len(text):
        end, values = _record(text, at, cell, delimiter)
        if values is None:
            found = LINE_END.search(text, at)
            end = found.end() if found else len(text)
        if values is not None or not whole:
            yield Record(at, end, values)
        at = end


def _record(
    text: str, start: int, cell: re.Pattern[str], delimiter: str
) -> tuple[int, Values | None]:
    values = []
    at = start
    while True:
        found = cell.match(text, at)
        assert found is not None
        quoted, bare = found.groups()
        values.append(plain(bare if quoted is None else quoted.replace('""', '"')))
        at = found.end()
        if at == len(text):
            return at, tuple(values)
        if (line_end := LINE_END.match(text, at)) is not None:
            return line_end.end(), tuple(values)
        if not text.startswith(delimiter, at):
            return at, None
        at += 1


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+([.,]\d+)?", text) is not None


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _shape(text: str) -> str:
    return re.sub("[^\\W\\d_]", "a", re.sub(r"\d", "9", text))
