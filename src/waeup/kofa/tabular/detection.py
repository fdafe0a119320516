"""Finds the dialect of a table from its first lines.

Each dialect that the lines have signs of is tried with the strict grammar.  The
one under which most of them are sound records of one width is taken, the simplest
of equals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.grammar import Extent, Grammar

__all__ = ["SAMPLE_LINES", "USUAL", "Record", "detect_dialect", "records_of"]

#: Delimiters that are looked for, the likeliest first.
USUAL = (",", ";", "\t", "|")
#: Delimiters that are unusual and hardly stand in texts.
RARE = ("^", "~", "\x1f", "\x01", "§", "¦")
#: Delimiters that are taken only when almost all lines agree, since they stand in texts, too.
UNUSUAL = (" ", ":", "!", "#", "*")
#: Physical lines that take part in the search.
SAMPLE_LINES = 600
#: Characters of them: each is looked at under many dialects.
_SAMPLE_CHARACTERS = 1 << 18
#: Part of the records that has to have one width, and that part for unusual delimiters.
_ENOUGH = 0.45
_CONVINCING = 0.9
#: What a damaged record counts.
_DAMAGED = 0.5
#: What it costs when lines have to be passed over to find a header.
_PASSED = 0.4


class Record(NamedTuple):
    """A record among sample lines: the lines from `start` to before `end`.

    `cells` is None when it is damaged, empty when it is blank.  It is `beside` damage
    when it may be a part of it.
    """

    start: int
    end: int
    cells: tuple[str, ...] | None
    beside: bool = False

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(bool(cell.strip()) for cell in self.cells or ())


class _Trial(NamedTuple):
    """How well a dialect fits; better ones are greater."""

    score: float
    width: int
    simplicity: int
    dialect: Dialect


def records_of(lines: Sequence[str], grammar: Grammar, final: bool) -> Iterator[Record]:
    """Generate the records in `lines`; `final` says that nothing follows them."""
    start = damaged = 0
    while start < len(lines):
        if grammar.is_blank(lines[start]):
            yield Record(start, start + 1, ())
            start += 1
            continue
        extent, end = grammar.measure(lines, start, final)
        if extent is Extent.UNFINISHED:
            if start + 1 == len(lines):
                return
            extent = Extent.DAMAGED  # in the sample; the reader will see more
        if extent is Extent.DAMAGED:
            damaged, end = max(damaged, end), start + 1
            yield Record(start, end, None)
        else:
            text = lines[start] if end == start + 1 else "".join(lines[start:end])
            yield Record(start, end, grammar.cells(text), start < damaged)
        start = end


def detect_dialect(
    lines: Sequence[str],
    final: bool,
    delimiter: str | None = None,
    quote: str | None = None,
) -> Dialect:
    """Return the dialect of the table that begins with `lines`.

    `final` says that the table ends with them; a `delimiter` or `quote` that is given
    is not looked for.
    """
    sample = _beginning(lines[:SAMPLE_LINES])
    text = "".join(sample)
    final = final and len(text) == sum(map(len, lines))
    marks = (*USUAL, *RARE) if delimiter is None else (delimiter,)
    best = _best(_trials(sample, text, final, marks, quote))
    if delimiter is None and (best is None or best.score < _CONVINCING):
        width = best.width if best is not None else 0
        best = (
            _best(
                trial
                for trial in _trials(sample, text, final, UNUSUAL, quote)
                if _is_convincing(trial, text) and trial.width > width
            )
            or best
        )
    if best is not None:
        return best.dialect
    # One column, or nothing that agrees: the delimiter that the first line has most of.
    usual = [mark for mark in USUAL if mark != quote]
    filled = [line for line in sample if line.strip()] or [""]
    first = next((line for line in filled if not line.startswith("#")), filled[0])
    mark = delimiter if delimiter is not None else max(usual, key=first.count)
    if delimiter is None and mark not in first:
        mark = next((other for other in ":!" if first.count(other) > 1), mark)
    return Dialect(mark, '"' if quote is None else quote)


def _beginning(lines: Sequence[str]) -> Sequence[str]:
    """Return the first of `lines`, the last one cut where there are too many characters."""
    room = _SAMPLE_CHARACTERS
    for at, line in enumerate(lines):
        if len(line) > room:
            return [*lines[:at], line[:room]] if room else lines[:at]
        room -= len(line)
    return lines


def _best(trials: Iterator[_Trial]) -> _Trial | None:
    return max(trials, default=None)


def _trials(
    lines: Sequence[str], text: str, final: bool, marks: Sequence[str], quote: str | None
) -> Iterator[_Trial]:
    for order, mark in enumerate(marks):
        if text.count(mark) < _ENOUGH * len(lines) / 2:
            continue
        for steps, dialect in enumerate(_variants(text, mark, quote)):
            trial = _try(lines, final, dialect, -10 * steps - order)
            if trial is not None:
                yield trial


def _variants(text: str, mark: str, quote: str | None) -> Iterator[Dialect]:
    """Generate the dialects with the delimiter `mark` that `text` has signs of."""
    between = re.escape(mark)
    quotes = ['"'] if quote is None else [quote]
    blanks = "" if mark == " " else "[ ]*"
    if quote is None and re.search(rf"(?:^|{between}){blanks}'", text, re.MULTILINE):
        quotes.append("'")
    for char in quotes:
        if mark == char:
            continue
        plain = Dialect(mark, char)
        padding = mark not in " \t" and f"{mark} " in text
        yield plain
        if padding:
            yield plain._replace(padded=True)
        if f"\\{char}" in text and mark != "\\":
            yield plain._replace(escape="\\")
            if padding:
                yield plain._replace(escape="\\", padded=True)


def _try(lines: Sequence[str], final: bool, dialect: Dialect, simplicity: int) -> _Trial | None:
    """Return how well a dialect fits, or None when it does not."""
    grammar = Grammar(dialect)
    records = [record for record in records_of(lines, grammar, final) if record.cells != ()]
    widths = Counter(len(record.cells) for record in records if record.cells)
    first = next((len(r.cells) for r in records if r.cells and r.filled > 1), 0)
    width = max(widths, key=lambda found: (widths[found], found == first, found), default=0)
    if width < 2:
        return None
    # A damaged record speaks for the dialect, too, if it has delimiters enough.
    damaged = sum(
        lines[record.start].count(dialect.delimiter) + 1 >= width
        for record in records
        if record.cells is None
    )
    score = (widths[width] + damaged * _DAMAGED) / len(records)
    if score < _ENOUGH:
        return None
    if dialect.padded:
        if not _is_padded(lines, records, dialect, width):
            return None
        simplicity += 50
    if dialect.quote == "'":
        simplicity += 100 if _wraps(lines, records, grammar, width) else -100
    score += _wraps_names(lines[records[0].start], dialect)
    if not records[0].cells or len(records[0].cells) != width:
        score -= _PASSED
    return _Trial(score, width, simplicity, dialect)


def _is_padded(
    lines: Sequence[str], records: Sequence[Record], dialect: Dialect, width: int
) -> bool:
    """Tell whether all that stands behind a delimiter begins with a blank, names included."""
    mark, count = dialect.delimiter, 0
    for record in records[:200]:
        if record.cells is None or len(record.cells) != width:
            continue
        line = lines[record.start].rstrip("\r\n")
        pieces = line.split(mark)[1:]
        quoted = dialect.quote in line
        blank = [piece[:1] in ("", " ") for piece in pieces]
        if not quoted and not all(blank):
            return False
        if quoted and blank and not blank[0]:
            return False
        count += any(piece[:1] == " " for piece in pieces)
    return count > 0


def _wraps(lines: Sequence[str], records: Sequence[Record], grammar: Grammar, width: int) -> bool:
    """Tell whether apostrophes are quotes, and no part of the texts between them.

    So they are where all texts, more than one, stand between them, or where one inside
    is doubled.
    """
    written = [
        cell.strip()
        for record in records[1:200]
        if record.cells is not None and len(record.cells) == width
        for cell in grammar.written_cells("".join(lines[record.start : record.end]))
    ]
    wrapped = sum(map(_is_wrapped, written))
    texts = sum(any(map(str.isalpha, cell)) for cell in written)
    doubled = any(_is_wrapped(cell) and "''" in cell[1:-1] for cell in written)
    others = sum(cell[:1] == '"' for cell in written)
    return (wrapped > 1 and wrapped >= texts) or (doubled and wrapped > others)


def _wraps_names(line: str, dialect: Dialect) -> int:
    """Return 1 when all names stand between the quotes of `dialect`, -1 for other quotes."""
    pieces = [piece.strip() for piece in line.strip().split(dialect.delimiter)]
    for quote in "\"'":
        if all(len(piece) > 1 and piece[0] == quote == piece[-1] for piece in pieces):
            return 1 if quote == dialect.quote else -1
    return 0


def _is_wrapped(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == "'" == cell[-1]


def _is_convincing(trial: _Trial, text: str) -> bool:
    """Tell whether an unusual delimiter is more than an accident of some texts."""
    mark, quote = trial.dialect.delimiter, trial.dialect.quote
    if trial.score < _CONVINCING or trial.width < 3 or len(text.splitlines()) < 2:
        return False
    names = next((line for line in text.splitlines() if mark in line), "")
    if any(piece in USUAL for piece in names.split(mark)):
        # The blanks around another delimiter.
        return False
    # Words of a text are divided by blanks; quoted cells or many columns are not.
    between, wrap = re.escape(mark), re.escape(quote)
    quoted = re.search(
        f"(?:^|{between}){wrap}[^{wrap}{between}\n]*{between}[^{wrap}\n]*{wrap}(?:{between}|$)",
        text,
        re.MULTILINE,
    )
    return mark != " " or trial.width > 3 or quoted is not None
