"""What a row is in the light of its neighbours.

A line end in the wrong place, or a lost quote around a text of several lines,
leaves pieces of one cell on lines of their own.  Some have as many cells as a row
has, and the row in front of them, or behind, has all its cells, one of them
incomplete.  A file that was cut off may end within the last value.  None of this
can be seen in the row alone.
"""

from __future__ import annotations

from collections import Counter

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.fragments import are_two
from waeup.kofa.tabular.layout import Entry, Layout
from waeup.kofa.tabular.problems import (
    BARE_QUOTE,
    BROKEN_LINE,
    BROKEN_VALUE,
    CUT_OFF,
    NUL_CHARACTER,
    OTHER_DELIMITER,
    SHIFTED_CELLS,
    TEXT_AFTER_QUOTE,
    TOO_FEW_CELLS,
    TOO_MANY_CELLS,
    UNDECODABLE,
    problem,
)
from waeup.kofa.tabular.shapes import shape

__all__ = ["Neighbours"]

#: Rows unlike the others, one behind the other, from which on they are usual.
_HELD = 20
#: What is wrong with pieces, beside their width.
_OF_PIECES = (BARE_QUOTE, TEXT_AFTER_QUOTE, NUL_CHARACTER, UNDECODABLE)
#: The same of pieces that can be cut into cells.
_OF_OTHER_WIDTH = (TOO_FEW_CELLS, TOO_MANY_CELLS, OTHER_DELIMITER)


class Neighbours:
    """Holds records back until it is known what follows them.

    Held is a record and the rows behind it that are unlike the others, as long as
    no line is between: whether these are rows is known with what comes next.  Call
    `push` with the records in their order, `release` when only sound rows like the
    others follow, and `end` behind the last one.  Each returns the records that are
    settled.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._profile = None if layout.was_reviewed else layout.profile
        self._held: list[Entry] = []
        # The row in front of them, if blank lines are between and the next record may tell
        # whether it is complete.
        self._apart: Entry | None = None
        # The last piece that is the rest of a row, and whether it makes its value a usual one.
        self._explained: Entry | None = None
        self._completes = False
        # Columns in which sound rows were unlike the others, too.
        self._varied: set[int] = set()

    def push(self, entry: Entry) -> list[Entry]:
        """Take the next record, and settle those before it as far as they can be."""
        apart, self._apart = self._apart, None
        if apart is None:
            return self._take(entry)
        if entry.problem is None and self._is_adjacent(entry):
            apart = _broken(apart)
        return [apart, *self._take(entry)]

    def _take(self, entry: Entry) -> list[Entry]:
        if self._profile is not None and self._held and not self._is_adjacent(entry):
            entry = self._join_over_gap(entry)
        if self._layout.is_exported and self._held and self._is_rest(entry):
            self._held[-1] = _broken(self._held[-1])
        if self._profile is None or not self._is_adjacent(entry):
            return self._hold(entry)
        before = self._held[-1]
        if entry.problem is not None:
            self._break_up_to(entry)
            return self._hold(entry)
        if self._is_piece(before) and self._may_begin(before, entry):
            return self._hold(_broken(entry))
        if before.problem is not None and (
            self._lacks(entry, 0)
            or self._has_lost_key(before, entry)
            or before.cells[-len(entry.cells) :] == entry.cells
        ):
            return self._hold(_broken(entry))
        if not self._is_unlike_rows(entry):
            self._accept_held()
            return self._hold(entry)
        if len(self._held) > _HELD:
            self._accept_held()
            return self._hold(entry)
        if before.problem is not None:
            return self._hold(_broken(entry))
        self._held.append(entry)
        return []

    def _accept_held(self) -> None:
        """Learn from rows that were held back, and are rows."""
        assert self._profile is not None  # push has looked
        for entry in self._held[1:]:
            self._varied.update(self._profile.misfits(entry.cells))

    def release(self) -> list[Entry]:
        """Settle the records that are held back."""
        held = self._held if self._apart is None else [self._apart, *self._held]
        self._held, self._apart = [], None
        return held

    def end(self) -> list[Entry]:
        """Settle the last records of the file."""
        held = self.release()
        if held and self._profile is not None and self._may_be_cut(held[-1]):
            held[-1] = held[-1]._replace(problem=problem(CUT_OFF, held[-1].line))
        if held and self._layout.is_exported and not held[-1].raw.endswith("\n"):
            held[-1] = held[-1]._replace(problem=problem(CUT_OFF, held[-1].line))
        return held

    def _is_rest(self, entry: Entry) -> bool:
        """Tell whether a damaged record of an export is the rest of the row in front of it."""
        quote = self._layout.grammar.dialect.quote
        before = self._held[-1]
        return (
            entry.problem is not None
            and before.problem is None
            and self._is_adjacent(entry)
            and not entry.raw.startswith(quote)
        )

    def _hold(self, entry: Entry) -> list[Entry]:
        settled, self._held = self._held, [entry]
        return settled

    def _is_adjacent(self, entry: Entry) -> bool:
        return bool(self._held) and self._held[-1].end == entry.line

    def _join_over_gap(self, entry: Entry) -> Entry:
        """Mark a row that makes one value with a piece behind or before blank lines.

        Returns `entry`, marked if it is the one.
        """
        before = self._held[-1]
        if before.problem is None and self._lost_line_end(before, entry):
            self._held[-1] = before = _broken(before)
        if entry.problem is None and self._is_piece(before) and len(before.cells) == 1:
            return _broken(entry) if self._is_begun_by(before, entry) else entry
        if before.problem is None and self._is_piece(entry) and _has_other_width(entry):
            goes_on = self._is_ended_by(before, entry)
            if goes_on is None:
                self._apart = self._held.pop()
            elif goes_on:
                self._held[-1] = _broken(before)
        return entry

    def _lost_line_end(self, row: Entry, behind: Entry) -> bool:
        """Tell whether `row` ends with half a line end, unlike the one `behind` blank lines.

        What stood between the two halves is lost.
        """
        assert self._profile is not None  # push has looked
        return (
            row.raw.endswith("\r") and behind.raw.endswith("\r\n") and not self._profile.is_spaced
        )

    def _is_begun_by(self, piece: Entry, row: Entry) -> bool:
        """Tell whether the first value of `row` begins in `piece`, before a blank line."""
        assert self._profile is not None  # push has looked
        value = row.cells[0]
        column = self._profile.columns[0].without(value)
        return not self._is_quoted(row, 0) and (
            column.is_no_beginning(value)
            or any(
                column.is_completed(value, text + value) or self._makes_key(text, value)
                for text in _texts(piece)
            )
        )

    def _makes_key(self, text: str, value: str) -> bool:
        """Tell whether `text` and a first value make one as others are that begin with `text`.

        More of the others must be so than are of the form of `value` alone.
        """
        assert self._profile is not None  # push has looked
        keys = [row[0] for row in self._profile.rows if row[0] != value]
        whole = shape(text + value)
        forms = Counter(map(shape, keys))
        return forms[whole] > forms[shape(value)] and any(
            key.startswith(text) and shape(key) == whole for key in keys
        )

    def _is_ended_by(self, row: Entry, piece: Entry) -> bool | None:
        """Tell whether the last value of `row` goes on in `piece`, behind a blank line.

        None when that is so if a row follows the piece at once: at its end a table may have a
        remark.
        """
        assert self._profile is not None  # push has looked
        if self._is_quoted(row, -1) or self._is_quoted(piece, 0):
            return False
        first, value = self._profile.columns[0], row.cells[-1]
        column = self._profile.columns[-1].without(value)
        # The blanks around a padded cell may have been those of the text.
        gaps = ("", " ") if self._layout.grammar.dialect.padded else ("",)
        ends = {gap + text for gap in gaps for text in _texts(piece)}
        if any(column.is_completed(value, value + end) for end in ends):
            return True
        text = _text(piece).strip()
        if value[-1:].isspace() and column.is_whole(value) is False:
            return first.likeness(text, closely=True) < 1
        if first.is_no_beginning(text):
            is_odd = column.likeness(value) < 0 or column.is_whole(value) is False
            return is_odd or None
        are_digits = column.are_figures and column.fits_closely(value + text)
        return None if are_digits and not first.fits_closely(text) else False

    def _break_up_to(self, damaged: Entry) -> None:
        """Mark the held rows that the damage behind them makes pieces of a cell."""
        follower = damaged
        for at in range(len(self._held) - 1, -1, -1):
            entry = self._held[at]
            if entry.problem is None and self._has_two_keys(entry, follower):
                self._held[at] = entry._replace(problem=problem(BROKEN_VALUE, entry.line, 1))
                self._explained, self._completes = follower, True
            elif entry.problem is None and (
                (at and self._is_unlike_rows(entry))
                or self._lacks(entry, -1)
                or self._begins_with_blank(entry.cells[-1])
                or self._is_rest_of_cell(follower)
                or self._lacks_an_end(entry, follower)
                or (self._is_piece(follower) and self._may_go_on(entry, follower))
            ):
                self._held[at] = _broken(entry)
            follower = self._held[at]

    def _lacks(self, entry: Entry, at: int) -> bool:
        """Tell whether the cell `at` of a row is empty, unlike those of the others."""
        assert self._profile is not None  # push has looked
        return self._profile.columns[at].is_never_empty and not entry.cells[at].strip()

    def _begins_with_blank(self, value: str) -> bool:
        """Tell whether a last value begins with a blank, unlike those of the others.

        Then it is part of a text that holds a delimiter, and goes on in the next line.
        """
        assert self._profile is not None  # push has looked
        return value[:1].isspace() and not self._profile.columns[-1].begins_as_usual(value)

    def _is_rest_of_cell(self, piece: Entry) -> bool:
        """Tell whether a damaged record is a last value, and the delimiter in front of it."""
        assert self._profile is not None  # push has looked
        return (
            len(piece.cells) == 2 < self._layout.width
            and not piece.cells[0]
            and self._profile.columns[0].is_never_empty
            and self._profile.columns[-1].likeness(piece.cells[1]) >= 0
        )

    def _lacks_an_end(self, row: Entry, rest: Entry) -> bool:
        """Tell whether `row` has an odd value, and what follows begins with a piece of one."""
        assert self._profile is not None  # push has looked
        found = rest.problem
        is_rest = found is not None and found.code == BROKEN_VALUE and found.column == 1
        return is_rest and bool(self._profile.misfits(row.cells))

    def _has_lost_key(self, piece: Entry, row: Entry) -> bool:
        """Tell whether the first value of `row` is none, and stands in the line before."""
        assert self._profile is not None  # push has looked
        first, key = self._profile.columns[0], row.cells[0]
        return (
            piece.problem is not None
            and piece.problem.code == TOO_FEW_CELLS
            and first.likeness(key, closely=first.are_figures) < (1 if first.are_figures else 0)
            and first.likeness(piece.cells[0], closely=True) > 0
        )

    def _has_two_keys(self, row: Entry, rest: Entry) -> bool:
        """Tell whether `row` begins with two first values, one of which `rest` lacks.

        One row was written into another, behind its first value.
        """
        assert self._profile is not None  # push has looked
        columns = self._profile.columns
        return (
            rest.problem is not None
            and rest.problem.code == TOO_FEW_CELLS
            and len(rest.cells) == len(columns) - 1
            and sum(map(Column.likeness, columns[1:], rest.cells)) > 0
            and are_two(columns[0].without(row.cells[0]), row.cells[0])
        )

    def _is_unlike_rows(self, entry: Entry) -> bool:
        assert self._profile is not None  # push has looked
        return self._layout.knows_rows and self._profile.is_unlike_rows(entry.cells, self._varied)

    def _is_piece(self, entry: Entry) -> bool:
        """Tell whether a damaged record may be a part of a cell, not of a row."""
        found = entry.problem
        if found is None or entry.raw.startswith("#"):
            return False
        if found.code in (BROKEN_LINE, SHIFTED_CELLS):
            return self._is_unlike_rows(entry)
        assert self._profile is not None  # push has looked
        mark, others = self._layout.grammar.dialect.delimiter, self._layout.width - 1
        first = self._profile.columns[0]
        if entry.cells:
            if not _has_other_width(entry) or entry.cells[0].count(mark) >= others:
                return False
            # More cells are rather the rest of a row, unless they begin with nothing like a row.
            return len(entry.cells) == 1 or first.likeness(entry.cells[0], closely=True) < 0
        pieces = _text(entry).split(mark)
        if found.code in _OF_PIECES and len(pieces) == 1:
            return True
        quote = self._layout.grammar.dialect.quote
        return (
            found.code == BARE_QUOTE
            and len(pieces) <= max(2, others)
            and not first.fits(pieces[0].strip(quote))
        )

    def _may_go_on(self, row: Entry, piece: Entry) -> bool:
        """Tell whether the last value of `row` may go on in `piece`."""
        assert self._profile is not None  # push has looked
        if self._is_quoted(row, -1):
            return False
        value = row.cells[-1]
        if piece.cells and self._is_quoted(piece, 0):
            return not value
        other = self._layout.other_quote
        if value[:1] == other and value.count(other) == 1:
            return True  # quotes of another kind around a text of several lines
        column, text = self._profile.columns[-1].without(value), _text(piece)
        if _has_other_width(piece) and any(piece.cells[1:]):
            # Rather the rest of another row.
            return column.is_completed(value, value + text)
        if column.likeness(value) < 0:
            return True
        whole = column.is_whole(value)
        if whole is None and not piece.raw.endswith(("\n", "\r")):
            first = self._profile.columns[0]
            is_number = first.are_figures and first.characters.fullmatch(text)
            if is_number or not (first.are_figures or first.has_words):
                return False  # rather the beginning of a row, at which the file was cut off
            if first.likeness(text, closely=True) > 0:
                return False
        completes = column.has_choice(value + text)
        if whole is False or completes:
            self._explained = piece
            self._completes = completes
        if whole is not None:
            return not whole
        return (
            column.may_end_like(text)
            and any(column.fits(value + gap + text) for gap in ("", " "))
            and not column.is_too_long(value + text)
        )

    def _may_begin(self, piece: Entry, row: Entry) -> bool:
        """Tell whether the first value of `row` may begin in `piece`."""
        assert self._profile is not None  # push has looked
        has_nul = piece.problem is not None and piece.problem.code == NUL_CHARACTER
        if self._is_quoted(row, 0) or not (len(piece.cells) == 1 or has_nul):
            return False  # what follows damaged quotes is no part of their cell
        value, text = row.cells[0], _text(piece).replace("\0", "")
        if piece.cells and self._is_quoted(piece, 0):
            return not value
        column = self._profile.columns[0].without(value)
        if column.begins_whole(value):
            return False
        if piece == self._explained and (self._completes or column.fits_closely(value)):
            return False
        if column.is_completed(value, text + value):
            return True
        return (
            column.may_begin_like(text)
            and any(column.fits(text + gap + value) for gap in ("", " "))
            and not column.is_too_long(text + value)
        )

    def _may_be_cut(self, last: Entry) -> bool:
        """Tell whether the last value of the file may have been cut off."""
        assert self._profile is not None  # end has looked
        is_piece = last.problem is not None and (
            last.problem.code == BROKEN_VALUE and last.problem.column == len(last.cells)
        )
        if is_piece:
            return not last.raw.endswith(("\n", "\r"))
        if last.problem is not None or last.raw.endswith(("\n", "\r")):
            return False
        value, column = last.cells[-1], self._profile.columns[-1]
        if self._is_quoted(last, -1):
            # A quote that is doubled inside may have been cut between its two characters.
            quote = self._layout.grammar.dialect.quote
            return any(quote in row[-1] for row in self._profile.rows if row != last.cells)
        others = column.without(value)
        whole = others.is_whole(value)
        return not whole if others.has_many else whole is False

    def _is_quoted(self, entry: Entry, at: int) -> bool:
        written = self._layout.grammar.written_cells(entry.raw)
        return written[at].strip()[:1] == self._layout.grammar.dialect.quote


def _text(piece: Entry) -> str:
    """Return what a piece may add to the cell before it, or behind it."""
    return piece.cells[0] if _has_other_width(piece) else piece.raw.rstrip("\r\n")


def _has_other_width(piece: Entry) -> bool:
    return piece.problem is not None and piece.problem.code in _OF_OTHER_WIDTH


def _texts(piece: Entry) -> set[str]:
    """Return the text of a piece with the blanks around it, and without."""
    return {_text(piece), _text(piece).strip()}


def _broken(entry: Entry) -> Entry:
    return entry._replace(problem=problem(BROKEN_LINE, entry.line))
