"""All that is known of an open table before its rows are read.

Found at the top of the file; the quick and the careful way through the rows, and
the look at their neighbours, work from it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from waeup.kofa.interfaces import ERRORS_COLUMN
from waeup.kofa.tabular.detection import Record
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.problems import Problem
from waeup.kofa.tabular.profile import Profile

__all__ = ["PAGE", "RULE", "Entry", "Layout", "has_other_encoding", "has_rule", "quotes_all"]

#: The beginning of a page that a portal sent instead of a table, or behind one.
PAGE = re.compile("<!doctype html|<html[ >]", re.IGNORECASE)

#: A line of strokes between the names and the rows, or above a total.
RULE = re.compile(r"(?=[^\r\n]*(?:--|==))[-=_+|:,;\t ]+(?=[\r\n]|\Z)")
#: The ends of such lines, by what is quickly looked for.
_STROKES = "-=_+|:,;\t "
_RULE_ENDS = {mark: re.compile(rf"{mark}[{_STROKES}]*(?=[\r\n]|\Z)") for mark in ("--", "==")}

#: Encodings whose letters beyond ASCII UTF-8 may have been taken for, or be in UTF-8 twice.
_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15", "latin-1", "utf-8"})
#: Bytes of UTF-8 read as Windows-1252, for letters with accents and for typographic signs, by a
#: character that they have: texts without it are told from others a hundred times as fast.
_BEHIND = "[\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u2122]"
_UTF8_AS_CP1252 = {
    **{lead: re.compile(lead + _BEHIND) for lead in "\u00c2\u00c3\u00c4\u00c5"},
    "\u20ac": re.compile("\u00e2\u20ac"),
}
#: Delimiters that hardly stand in the text of a cell.
_NOT_IN_TEXTS = "\t|"
#: Part of the rows that makes something usual.
_USUAL = 0.1
#: Rows from which on the profile may speak against a row.
_ENOUGH = 3


class Entry(NamedTuple):
    """A record on its way to become a `Row`: the lines from `line` to before `end`.

    `raw` is its text, line end included.
    """

    line: int
    end: int
    cells: tuple[str, ...]
    problem: Problem | None
    raw: str


def has_other_encoding(text: str, encoding: str) -> bool:
    """Tell whether `text` holds UTF-8 that was read as Windows-1252 or the like.

    It may have been so when the file was written, which then is UTF-8 in UTF-8.
    """
    return encoding in _WESTERN and any(
        lead in text and signs.search(text) is not None for lead, signs in _UTF8_AS_CP1252.items()
    )


def has_rule(text: str) -> bool:
    """Tell whether some of the lines of `text` may be a `RULE`."""
    line_end = "\n" if "\n" in text else "\r"
    for mark, ends in _RULE_ENDS.items():
        for match in ends.finditer(text) if mark in text else ():
            start = text.rfind(line_end, 0, match.start()) + 1
            if not text[start : match.start()].strip(_STROKES):
                return True
    return False


def quotes_all(
    header_text: str, records: Sequence[Record], lines: Sequence[str], grammar: Grammar
) -> bool:
    """Tell whether all cells of a table are quoted, those of its `header_text` included.

    Of the `records` among its first `lines` those without any text or quote do not count;
    one in ten, or a single one, may be damaged.
    """
    quote = grammar.dialect.quote
    names = grammar.written_cells(header_text)
    if len(names) < 2 or not all(name.lstrip()[:1] == quote for name in names):
        return False
    quoted = others = 0
    for record in records:
        if record.cells and len(record.cells) == len(names) and any(record.cells):
            written = grammar.written_cells("".join(lines[record.start : record.end]))
            signs = {cell.lstrip()[:1] for cell in written}
            quoted += signs == {quote}
            others += len(signs) > 1 and quote in signs
    return quoted > _ENOUGH and others <= max(1, quoted * _USUAL)


@dataclass
class Layout:
    """What shapes the rows of a table.

    `header_text` is the line of the names as it is written.  `certain` is false when
    the encoding is a guess; `quotes_all` says that each cell is quoted.  Without
    `profile` nothing is doubted that the grammar allows.
    """

    grammar: Grammar
    header: tuple[str, ...]
    header_text: str
    profile: Profile | None
    encoding: str
    certain: bool
    quotes_all: bool = False

    @property
    def is_exported(self) -> bool:
        """Whether a program has written each cell in quotes and each row with a line end."""
        return self.quotes_all and self.profile is None

    @property
    def width(self) -> int:
        """Number of cells of a row."""
        return len(self.header)

    @cached_property
    def was_reviewed(self) -> bool:
        """Whether it is a pending file: a person has seen why its rows came back."""
        return ERRORS_COLUMN in self.header

    @cached_property
    def knows_rows(self) -> bool:
        """Whether enough rows were seen to say what a row looks like."""
        known = self.profile is not None and len(self.profile.rows) >= _ENOUGH
        return known and not self.was_reviewed

    @cached_property
    def _header_is_bare(self) -> bool:
        return self.grammar.dialect.quote not in self.header_text

    @cached_property
    def other_quote(self) -> str:
        """The quote that rows of this table do not have."""
        return '"' if self.grammar.dialect.quote == "'" else "'"

    @cached_property
    def between_other_quotes(self) -> re.Pattern[str]:
        """An expression for a cell between other quotes, with what stands around it."""
        mark, quote = re.escape(self.grammar.dialect.delimiter), self.other_quote
        # The quote comes first: a search for it is quick.
        return re.compile(
            f"{quote}(?<![^{mark}\r\n]{quote})[^{mark}\r\n]*{quote}(?=[{mark}\r\n]|\\Z)"
        )

    @cached_property
    def wrapped(self) -> frozenset[int]:
        """Columns in which values between other quotes are usual."""
        quote = self.other_quote
        rows = self.profile.rows if self.profile is not None else ()
        counts = Counter(
            at
            for row in rows
            for at, cell in enumerate(row)
            if len(cell) > 1 and cell[0] == quote == cell[-1]
        )
        return frozenset(at for at, count in counts.items() if count > max(1, len(rows) * _USUAL))

    def has_other_quotes(self, text: str, cells: tuple[str, ...]) -> bool:
        """Tell whether the cells of a row stand between other quotes than usual."""
        quote = self.other_quote
        if quote not in text:
            return False
        written = self.grammar.written_cells(text)
        if self.grammar.dialect.padded:
            written = [cell.strip() for cell in written]
        found = [
            at
            for at, cell in enumerate(written)
            if len(cell) > 1 and cell[0] == quote == cell[-1] and at not in self.wrapped
        ]
        if len(found) > 1 or 0 < len(found) == sum(map(bool, cells)):
            return True
        # Where all names are quoted, so are all texts.
        names = self.grammar.written_cells(self.header_text)
        return bool(found) and all(name[:1] == self.grammar.dialect.quote for name in names)

    def has_bare_cell(self, text: str) -> bool:
        """Tell whether some cells of a row are quoted and some not, where all are in others."""
        quote = self.grammar.dialect.quote
        if not self.quotes_all or quote not in text:
            return False
        written = [cell.lstrip()[:1] for cell in self.grammar.written_cells(text)]
        return any(first not in ("", quote) for first in written)

    def lacks_quotes(self, text: str) -> bool:
        """Tell whether a cell of a row is not quoted, be it empty."""
        quote = self.grammar.dialect.quote
        return any(cell[:1] != quote for cell in self.grammar.written_cells(text))

    def repeats_header(self, cells: tuple[str, ...], text: str) -> bool:
        """Tell whether a row is the header again.

        A row of which all cells are quoted, unlike the names, is meant as a row.
        """
        if cells != self.header:
            return False
        written = self.grammar.written_cells(text)
        quote = self.grammar.dialect.quote
        return not (self._header_is_bare and all(cell[:1] == quote for cell in written))

    def has_swallowed(self, cells: tuple[str, ...], text: str) -> bool:
        """Tell whether a cell of several lines looks like rows between two stray quotes.

        Then each of its pieces has as many delimiters as a row has there, and the other
        cells of the record are not quoted.
        """
        mark = self.grammar.dialect.delimiter
        if self.profile is None or self.width < 2 or text.count(mark) < 2 * (self.width - 1):
            return False
        written = self.grammar.written_cells(text)
        quote = self.grammar.dialect.quote
        inner = [at for at, cell in enumerate(cells) if "\n" in cell or "\r" in cell]
        others = [cell for at, cell in enumerate(written) if at not in inner and cell]
        if len(inner) != 1 or (others and all(cell[:1] == quote for cell in others)):
            return False
        at = inner[0]
        pieces = [piece.split(mark) for piece in cells[at].splitlines()]
        if self.grammar.dialect.padded:
            pieces = [[cell.strip(" ") for cell in piece] for piece in pieces]
        rows = [
            [*cells[:at], *pieces[0]],
            *pieces[1:-1],
            [*pieces[-1], *cells[at + 1 :]],
        ]
        if any(len(row) != self.width for row in rows) or (
            self.width == 2 and not self.profile.typed and mark not in _NOT_IN_TEXTS
        ):
            return False  # two columns are too easily found in a text
        return all(map(self.profile.is_like_a_row, rows))
