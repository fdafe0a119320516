"""The quick ways through a block of lines.

Lines without quotes are cut at line ends and delimiters, column by column.  Others
are parsed by the C reader of the standard library, which does as the strict grammar
says, except that it takes quotes inside unquoted cells, and blank lines.  The
result is taken when nothing in the block is odd; that costs some passes in C.
Otherwise the careful way has to look.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial
from itertools import chain, pairwise
from typing import NamedTuple

from waeup.kofa.tabular.layout import PAGE, Layout, has_other_encoding, has_rule
from waeup.kofa.tabular.shapes import CONTROL
from waeup.kofa.tabular.source import MARK

__all__ = ["QuickBlock", "QuickReader"]

#: Lines up to which each row of a small table is looked at.
_FIRST_LINES = 1000
#: Characters that no text has.
_CONTROLS = tuple(character for character in map(chr, range(1, 128)) if CONTROL.match(character))


class QuickBlock(NamedTuple):
    """Sound records: their cells, and the physical lines where they begin.

    `first` and `last` are the texts of the first and the last record, `lines` the
    number of lines of all.
    """

    cells: list[tuple[str, ...]]
    starts: Sequence[int]
    first: str
    last: str
    lines: int


class QuickReader:
    """Reads blocks of a table with `layout`."""

    def __init__(self, layout: Layout) -> None:
        dialect = layout.grammar.dialect
        self._layout = layout
        self._grammar = layout.grammar
        self._mark, self._quote, self._escape = dialect[:3]
        self._padded = dialect.padded
        self._between = f"{dialect.quote}{dialect.delimiter}{dialect.quote}"
        self._parse = partial(
            csv.reader, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True
        )
        self._widths = {layout.width}
        self._profile = layout.profile if layout.knows_rows else None
        # Rows that are no rows: the names, those of another table behind this one, and
        # rows known to be divided at other places.
        self._names = [layout.header]
        if layout.profile is not None:
            sequel, displaced = layout.profile.sequel, layout.profile.displaced
            self._names += [*([] if sequel is None else [sequel]), *displaced]

    def cut(self, text: str, first_line: int) -> QuickBlock | None:
        """Return the records of `text`, or None when it cannot simply be cut.

        `text` are complete lines, the first of which is the physical line `first_line`.
        """
        if self._looks_at_each(first_line):
            return None
        plain = text.replace("\r\n", "\n") if "\r" in text else text
        if self._grammar.trailing:
            plain = f"{plain}\n".replace(f"{self._mark * self._grammar.trailing}\n", "\n")[:-1]
        if self._quote in text or "\r" in plain or self._padded or self._is_odd(text):
            return None
        if not plain.endswith("\n"):
            plain += "\n"
        # A line end becomes a cell of its own, which must stand behind each row's cells.
        mark, width = self._mark, self._layout.width
        cells = plain.replace("\n", f"{mark}\n{mark}").split(mark)
        count = plain.count("\n")
        if len(cells) != count * (width + 1) + 1 or cells[width :: width + 1].count("\n") != count:
            return None
        columns = [cells[at :: width + 1] for at in range(width)]
        columns[0].pop()
        if self._stands_out(columns):
            return None
        rows = list(zip(*columns, strict=True))
        if any(names[0] in columns[0] and names in rows for names in self._names):
            return None
        if _has_blank(rows, columns[0]):
            return None
        starts = range(first_line, first_line + count)
        first = text[: text.find("\n") + 1] or text
        return QuickBlock(rows, starts, first, text[text.rfind("\n", 0, -1) + 1 :], count)

    def read(self, lines: Sequence[str], first_line: int, final: bool) -> QuickBlock | None:
        """Return the records of `lines`, or None when they need a careful look.

        `first_line` is the physical line of the first of them; `final` says that
        nothing follows.  Lines at the end that are part of a record only are left out.
        """
        is_slow = self._padded or self._looks_at_each(first_line)
        found = None if is_slow else self._parsed(lines, final)
        if found is None:
            return None
        rows, ends = found
        count = self._grammar.trailing
        if count:
            rows = [row[:-count] if row and not any(row[-count:]) else row for row in rows]
        texts = lines if ends is None else _joined(lines, ends)
        text = "".join(texts)
        if self._is_odd(text) or set(map(len, rows)) - self._widths:
            return None
        if any(list(names) in rows for names in self._names):
            return None
        columns = list(zip(*rows, strict=True))
        if self._stands_out(columns):
            return None
        if _has_blank(rows, columns[0]) or self._has_bare_quote(rows, texts, text):
            return None
        if self._layout.quotes_all and text.count(self._between) < len(rows) * (
            self._layout.width - 1
        ):
            return None
        cells = list(map(tuple, rows))
        starts: Sequence[int] = range(first_line, first_line + len(rows))
        if ends is not None:
            starts = [first_line + end for end in ends]
            if self._has_swallowed(cells, texts, ends):
                return None
        return QuickBlock(cells, starts, texts[0], texts[-1], ends[-1] if ends else len(rows))

    def _looks_at_each(self, first_line: int) -> bool:
        """Tell whether a row of a small table begins there: few rows tell little together."""
        profile = self._profile
        return profile is not None and profile.is_small and first_line <= _FIRST_LINES

    def _parsed(
        self, lines: Sequence[str], final: bool
    ) -> tuple[list[list[str]], list[int] | None] | None:
        """Parse `lines` to rows, and where each ends unless each is one line.

        None when there is no row, or a damaged one.
        """
        rows: list[list[str]] = []
        try:
            rows += self._parse(lines)
        except csv.Error:
            rows = []
        if rows and len(rows) == len(lines):
            return rows, None
        # There are records of several lines, perhaps one that goes on behind the last.
        rows, ends = [], [0]
        reader = self._parse(lines)
        try:
            for row in reader:
                rows.append(row)
                ends.append(reader.line_num)
        except csv.Error:
            if final or reader.line_num < len(lines):
                return None
        return (rows, ends) if rows else None

    def _is_odd(self, text: str) -> bool:
        """Tell whether there are characters that the careful way has to look at."""
        layout = self._layout
        if "\0" in text or (self._escape is not None and self._escape in text):
            return True
        if layout.profile is None:
            return False
        if not text.isascii() and (
            not layout.certain or MARK in text or has_other_encoding(text, layout.encoding)
        ):
            return True
        if "<" in text and PAGE.search(text):
            return True
        # One after the other, which is far quicker than an expression for all of them.
        if any(map(text.__contains__, _CONTROLS)):
            return True
        return layout.other_quote in text and bool(layout.between_other_quotes.search(text))

    def _stands_out(self, columns: Sequence[Sequence[str]]) -> bool:
        """Tell whether some row may have what the others do not have."""
        profile = self._profile
        if profile is None:
            return False
        return (
            (profile.is_dense and not all(map(all, columns)))
            # A line of strokes has them in its first cell, and that is quicker to look through.
            or has_rule("\n".join(columns[0]))
            or not all(gate.passes(columns[gate.at]) for gate in profile.gates)
        )

    def _has_swallowed(
        self, cells: list[tuple[str, ...]], texts: Sequence[str], ends: list[int]
    ) -> bool:
        return any(
            end - start > 1 and self._layout.has_swallowed(row, text)
            for row, text, (start, end) in zip(cells, texts, pairwise(ends), strict=True)
        )

    def _has_bare_quote(self, rows: list[list[str]], texts: Sequence[str], text: str) -> bool:
        quote = self._quote
        if quote not in text or quote not in "".join(chain.from_iterable(rows)):
            return False
        return not all(self._grammar.is_record(record) for record in texts if quote in record)


def _has_blank(rows: Sequence[Sequence[str]], firsts: Sequence[str]) -> bool:
    """Tell whether there is nothing in one of `rows`, of which `firsts` are the first cells."""
    # One look at all of them together is enough for most blocks.
    joined = "".join(firsts)
    if all(firsts) and joined.split(None, 1) == [joined]:
        return False
    return any(
        not "".join(row).strip()
        for row, cell in zip(rows, firsts, strict=True)
        if not cell.strip()
    )


def _joined(lines: Sequence[str], ends: list[int]) -> list[str]:
    """Return the texts of records that end before the lines `ends`."""
    return ["".join(lines[start:end]) for start, end in pairwise(ends)]
