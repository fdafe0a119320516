"""The careful way through the lines of a table: record by record, each explained.

A damaged record must not take its neighbours along.  Where a quote was opened and
not closed, it is decided whether the lines behind it are rows of their own or the
text of the open cell; what could be both is kept as damage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from waeup.kofa.tabular.detection import USUAL
from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.fragments import broken_value, is_incomplete
from waeup.kofa.tabular.grammar import Extent, Grammar
from waeup.kofa.tabular.layout import PAGE, RULE, Entry, Layout, has_other_encoding
from waeup.kofa.tabular.problems import (
    BROKEN_VALUE,
    INCOMPLETE_ROW,
    LINE_TOO_LONG,
    MIXED_ENCODING,
    NUL_CHARACTER,
    OTHER_DELIMITER,
    OTHER_QUOTES,
    REPEATED_HEADER,
    SECOND_TABLE,
    SHIFTED_CELLS,
    UNCERTAIN_ENCODING,
    UNCLEAR_ESCAPE,
    UNDECODABLE,
    Problem,
    count_problem,
    problem,
)
from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.sequel import begins_a_table, is_doubtful
from waeup.kofa.tabular.shifts import is_shifted
from waeup.kofa.tabular.source import CUT, MARK, is_marked

__all__ = ["CarefulReader"]

#: Lines without anything.
_EMPTY = frozenset(("\n", "\r\n", "\r"))
#: How delimiters are called in messages.
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
#: Rows of a table for each one that has one value only, if such are remarks.
_ROWS_A_REMARK = 3
#: Rows behind what seems to be another table that may show that it is none.
_ROWS_IN_QUESTION = 3


class CarefulReader:
    """Reads records of a table with `layout`, and remembers where another table began."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._grammar = layout.grammar
        self._quote = layout.grammar.dialect.quote
        self._second_table: int | None = None
        # Rows that may still show that the other table is none.
        self._in_question = 0
        self.is_after_blank = self._is_after_rule = False
        self.consumed = 0

    @cached_property
    def _others(self) -> dict[str, Grammar]:
        """Grammars with the delimiters that a single row may have by mistake."""
        return _other_grammars(self._layout)

    @property
    def is_in_second_table(self) -> bool:
        """Whether the rows that follow belong to another table."""
        return self._second_table is not None

    def read(self, lines: list[str], start: int, first_line: int, final: bool) -> Iterator[Entry]:
        """Generate the records that begin at ``lines[start]``.

        `first_line` is the physical line of the first of `lines`; `final` says that
        nothing follows.  A record that may go on behind the last line is left out:
        lines up to `consumed` were read.
        """
        self.consumed = start
        while start < len(lines):
            if self._layout.profile is not None and lines[start].startswith(MARK):
                lines[start] = lines[start].removeprefix(MARK)  # a file was put behind another
            text = lines[start]
            if text in _EMPTY:
                # There may be millions of them.
                while start < len(lines) and lines[start] in _EMPTY:
                    start += 1
                self.is_after_blank, self.consumed = True, start
                continue
            if self._grammar.is_blank(text) and not self._is_cut(text):
                self.is_after_blank = True
                self.consumed = start = start + 1
                continue
            extent, end = self._measure(lines, start, final)
            if extent is Extent.UNFINISHED:
                return
            text = text if end == start + 1 else "".join(lines[start:end])
            cells, found = self._examine(lines[start], text, extent, first_line + start)
            # Titles may stand between the blank line and the names of another table.
            self.is_after_blank = self.is_after_blank and self._is_remark(cells)
            self._is_after_rule = RULE.match(text) is not None
            self.consumed = end
            yield Entry(first_line + start, first_line + end, cells, found, text)
            start = end

    @cached_property
    def _usual(self) -> list[int]:
        """Columns that have a value in most rows."""
        profile = self._layout.profile
        rows = profile.rows if profile is not None else ()
        return [
            at
            for at in range(self._layout.width)
            if _ROWS_A_REMARK * sum(not row[at].strip() for row in rows) <= len(rows)
        ]

    def _has_gaps(self, cells: Sequence[str]) -> bool:
        """Tell whether a row lacks half of the usual values, or its first one and no others do."""
        missing = [at for at in self._usual if not cells[at].strip()]
        profile = self._layout.profile
        if not missing or profile is None:
            return False
        has_no_key = 0 in missing or 0 in profile.misfits(cells)
        return has_no_key or 2 * len(missing) >= len(self._usual)

    @cached_property
    def _has_remarks(self) -> bool:
        """Whether rows with gaps are rare, so that they may be none."""
        profile = self._layout.profile
        rows = profile.rows if profile is not None else ()
        return _ROWS_A_REMARK * sum(map(self._has_gaps, rows)) <= len(rows)

    def _is_remark(self, cells: tuple[str, ...]) -> bool:
        """Tell whether a record that is apart from the rows is a title, a total or a remark."""
        profile = self._layout.profile
        if len(cells) == 1 or len(cells) != self._layout.width or profile is None:
            return len(cells) == 1 < self._layout.width
        if 0 in profile.typed and cells[0].strip() and profile.columns[0].fits_closely(cells[0]):
            return False
        return self._has_remarks and self._has_gaps(cells) and not self._is_like_a_key(cells[0])

    def _is_like_a_key(self, text: str) -> bool:
        """Tell whether a first value is no longer than others, and has no other signs."""
        profile = self._layout.profile
        assert profile is not None  # is_remark has looked
        keys = [row[0] for row in profile.rows if not self._has_gaps(row)]
        signs = {character for character in text if not character.isalpha()}
        longest = max(map(len, keys), default=0)
        return 0 < len(text.strip()) <= longest and signs <= set("".join(keys))

    def _is_foot(self, cells: tuple[str, ...]) -> bool:
        """Tell whether a row among others has nothing but a value of another kind."""
        return sum(map(bool, map(str.strip, cells))) == 1 and self._is_remark(cells)

    def _is_cut(self, text: str) -> bool:
        """Tell whether a line of empty cells is a row at which the file was cut off."""
        marks = text.count(self._grammar.dialect.delimiter)
        return 0 < marks < self._layout.width - 1 and not text.endswith(("\n", "\r"))

    # -- where a record ends -------------------------------------------------

    def _measure(self, lines: Sequence[str], start: int, final: bool) -> tuple[Extent, int]:
        """Return what the record at `start` is, and where reading goes on."""
        if self._quote not in lines[start]:
            return Extent.SOUND, start + 1
        extent, end = self._grammar.measure(lines, start, final)
        if extent is Extent.UNFINISHED or end == start + 1:
            return extent, end
        if extent is Extent.SOUND:
            text = "".join(lines[start:end])
            cells = self._grammar.cells(text)
            if len(cells) == self._layout.width:
                if self._layout.has_swallowed(cells, text):
                    return Extent.DAMAGED, start + 1
                return extent, end
            # Perhaps a quote that was never closed and has swallowed rows.
            resumed = self._next_row(lines, start + 1, end)
            return (extent if resumed == end else Extent.DAMAGED), resumed
        if self._quote in "".join(lines[start + 1 : end]):
            if self._grammar.reopens_a_cell(lines[end - 1]):
                return extent, self._next_row(lines, start + 1, end)
            # The quote closes the cell: what is between is its text, unless it is plainly not.
            return extent, self._next_row(lines, start + 1, end, plainly=True)
        return extent, self._next_row(lines, start + 1, end)

    def _next_row(self, lines: Sequence[str], start: int, end: int, plainly: bool = False) -> int:
        """Return the first of the lines in [start, end) that is a sound row by itself, or end.

        `plainly` asks for more than one value that only a row can have.
        """
        profile = self._layout.profile
        for index in range(start, end):
            line = lines[index]
            if self._grammar.is_blank(line) or not self._grammar.is_record(line):
                continue
            cells = self._grammar.cells(line)
            if len(cells) != self._layout.width:
                continue
            if profile is None:
                return index
            typed = sum(bool(cells[at].strip()) for at in profile.typed)
            if profile.is_like_a_row(cells) and (not plainly or typed > 1):
                return index
        return end

    # -- what is wrong with it -----------------------------------------------

    def _examine(
        self, first: str, text: str, extent: Extent, line: int
    ) -> tuple[tuple[str, ...], Problem | None]:
        """Return the cells of a record that begins with the line `first`, and its problem."""
        layout, grammar = self._layout, self._grammar
        if CUT in text:
            return (), problem(LINE_TOO_LONG, line)
        if is_marked(text):
            return (), problem(UNDECODABLE, line, detail=layout.encoding)
        if extent is Extent.DAMAGED:
            code, column = grammar.diagnose(first)
            return (), problem(code, line, column)
        if "\0" in text:
            return (), problem(NUL_CHARACTER, line)
        if not grammar.is_record(text):
            code, column = grammar.diagnose(first)
            return (), problem(code, line, column)
        cells = grammar.cells(text)
        if len(cells) != layout.width:
            return cells, self._count_problem(text, cells, line)
        return cells, self._doubt(text, cells, line)

    def _count_problem(self, text: str, cells: tuple[str, ...], line: int) -> Problem:
        if RULE.match(text):
            return problem(INCOMPLETE_ROW, line)
        other = self._other_delimiter(text, None)
        if other is not None:
            return problem(OTHER_DELIMITER, line, detail=other)
        return count_problem(len(cells), self._layout.width, line)

    def _other_delimiter(self, text: str, cells: tuple[str, ...] | None) -> str | None:
        """Return what divides a record better than the table's delimiter, or None.

        `cells` are those of a record that has enough of them.
        """
        profile = self._layout.profile
        if profile is None or (cells is not None and profile.is_like_a_row(cells)):
            return None
        for mark, grammar in self._others.items():
            if mark in text and grammar.is_record(text):
                found = grammar.cells(text)
                if len(found) == self._layout.width and not profile.misfits(found):
                    return _NAMES[mark]
        return None

    def _doubt(self, text: str, cells: tuple[str, ...], line: int) -> Problem | None:
        """Return what speaks against a row that the grammar allows, if anything does."""
        layout = self._layout
        if self._grammar.is_unclear(text):
            return problem(UNCLEAR_ESCAPE, line)
        if layout.profile is None:
            is_bare = layout.is_exported and layout.lacks_quotes(text)
            return problem(OTHER_QUOTES, line) if is_bare else None
        found = self._is_no_row(text, cells, line)
        if found is not None or layout.was_reviewed:
            return found
        is_apart = self._is_after_rule or (self.is_after_blank and not layout.profile.is_spaced)
        if is_apart and self._is_remark(cells):
            return problem(INCOMPLETE_ROW, line)
        if layout.has_other_quotes(text, cells) or layout.has_bare_cell(text):
            return problem(OTHER_QUOTES, line)
        if layout.knows_rows or self.is_in_second_table or self.is_after_blank:
            return self._misplaced(text, cells, line, layout.profile)
        return None

    def _is_no_row(self, text: str, cells: tuple[str, ...], line: int) -> Problem | None:
        """Return the problem of a row that shows by itself that it cannot be read as one."""
        layout = self._layout
        if not text.isascii():
            if not layout.certain:
                return problem(UNCERTAIN_ENCODING, line, detail=layout.encoding)
            if has_other_encoding(text, layout.encoding):
                return problem(MIXED_ENCODING, line)
        if layout.repeats_header(cells, text):
            self._second_table = None
            return problem(REPEATED_HEADER, line)
        if PAGE.search(text):
            return problem(BROKEN_VALUE, line)
        if RULE.match(text) and layout.width > 1:
            return problem(INCOMPLETE_ROW, line)
        return None

    def _misplaced(
        self, text: str, cells: tuple[str, ...], line: int, profile: Profile
    ) -> Problem | None:
        """Return what is wrong with a row whose values are unlike those of the others."""
        wrong = profile.misfits(cells)
        if self._in_question and profile.is_like_the_rows(cells):
            self._second_table = None  # the row in front was an odd one, and nothing else
        self._in_question = max(0, self._in_question - 1)
        # As the quick way does: the rows that it passes are not doubted here.
        is_odd = profile.stands_out(cells)
        is_known = cells == profile.sequel
        if self._second_table is None and (is_odd or is_known or self.is_after_blank):
            header, apart = self._layout.header, self.is_after_blank
            if is_known or begins_a_table(profile, cells, header, apart):
                self._second_table = line
                in_doubt = not is_known and is_doubtful(profile, cells, header, apart)
                self._in_question = _ROWS_IN_QUESTION if in_doubt else 0
            elif not self._layout.knows_rows:
                return None
            elif any(map(profile.has_stray_quote, wrong, map(cells.__getitem__, wrong))):
                return problem(OTHER_QUOTES, line)
            elif other := self._other_delimiter(text, cells):
                return problem(OTHER_DELIMITER, line, detail=other)
            elif is_incomplete(profile, cells) or (wrong and self._is_foot(cells)):
                profile.accept(cells)  # several of them are no accident
                return problem(INCOMPLETE_ROW, line)
            elif is_shifted(profile, cells):
                return problem(SHIFTED_CELLS, line)
            elif (at := broken_value(profile, cells)) is not None:
                return problem(BROKEN_VALUE, line, at + 1)
            elif is_odd:
                profile.accept(cells)
        if self._second_table is not None:
            return problem(SECOND_TABLE, line, detail=self._second_table)
        return None


def _other_grammars(layout: Layout) -> dict[str, Grammar]:
    """Return grammars with other delimiters than that of the table.

    Few cells are too easily found in a text; blanks and commas stand in most of them.
    """
    own = layout.grammar.dialect
    marks = [mark for mark in USUAL if layout.width > 2 or mark != ","]
    if layout.width > 3:
        marks.append(" ")
    return {
        mark: Grammar(Dialect(mark, own.quote))
        for mark in marks
        if mark not in (own.delimiter, own.quote) and layout.width > 1
    }
