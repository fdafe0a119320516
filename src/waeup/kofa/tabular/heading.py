"""Finds the line with the names of the columns, and refuses a table that has none.

Above it there may be blank lines, comments and titles.  What could be a damaged
header, a row, or rows of another table is never passed over: then a person has to
say which line it is (`waeup.kofa.tabular.doubts`, `waeup.kofa.tabular.onecolumn`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import NamedTuple

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.detection import Record
from waeup.kofa.tabular.doubts import (
    check_above,
    check_below,
    check_joined,
    check_names,
    check_signs,
    is_title,
)
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.onecolumn import check_one_column
from waeup.kofa.tabular.problems import EmptyTable, UnclearTable
from waeup.kofa.tabular.profile import Profile, learn
from waeup.kofa.tabular.sequel import repeats
from waeup.kofa.tabular.shapes import is_figure

__all__ = ["Heading", "find_heading"]

#: Rows of one width, other than the header's, that show that it is the header that is wrong.
_ENOUGH = 3
#: What stands at the ends of a title among cells that are empty.
_EDGES = ' \t\r\n,;|"'
#: Lines above a table that may look like its rows.
_PREFACE = 5


class Heading(NamedTuple):
    """Where the names are: the record, and the lines above it that are no part of the table.

    `profile` is what the rows below look like.  The last columns, `unnamed` of them, have
    neither names nor values.
    """

    record: Record
    above: tuple[str, ...]
    profile: Profile
    unnamed: int

    def are_names(self) -> bool | None:
        """Tell whether it is the names of columns, or a row; None when both may be."""
        cells = self.record.cells or ()
        return self.profile.are_names(cells[: len(cells) - self.unnamed])


def find_heading(
    records: Sequence[Record],
    lines: Sequence[str],
    grammar: Grammar,
    name: str,
    first_line: int,
    given: int | None,
    limits: Limits,
    sure: bool = False,
) -> Heading:
    """Return the record that holds the names of the columns.

    `records` are those of `lines` by `grammar`, the first of which is the physical line
    `first_line` of the table `name`.  `given` is the line that a person named; it is
    taken as it is.  A person is `sure` who named the delimiter.  Raises `EmptyTable` when
    there is nothing, `UnclearTable` when no line can be taken for the names, and `TooLarge` for
    more names than `limits` allow.
    """
    filled = [record for record in records if record.cells != ()]
    if given is not None:
        return _given(records, lines, name, first_line, given, limits)
    if not filled:
        raise EmptyTable(
            _(
                "${name} is empty. Its first line must name the columns, and rows must follow.",
                mapping={"name": name},
            )
        )
    width = _width(filled)
    start = _first_of(filled, width)
    if start == len(filled):
        raise UnclearTable(
            _(
                "${name} holds no table: no line can be cut into cells as others can. "
                "Check that it is a CSV file, or name the delimiter and the quote.",
                mapping={"name": name},
            )
        )
    _check_number(filled[start], limits, name)
    heading = _behind_preface(records, filled[start:], lines)
    record, verdict = heading.record, heading.are_names()
    line = first_line + record.start
    above = [other for other in filled if other.start < record.start]
    check_above(above, record, lines, name, first_line, width, verdict)
    check_names(record, verdict, name, line)
    below = [other for other in filled if other.start > record.start]
    check_joined(record, below, name, line)
    if not sure:
        check_one_column(record, below, name, line)
        written = grammar.written_cells("".join(lines[record.start : record.end]))
        check_signs(written, grammar, name, line)
    check_below(below, record, heading.profile, lines, name, first_line)
    return heading


def _check_number(record: Record, limits: Limits, name: str) -> None:
    """Refuse too many names before they are looked at one by one, which takes its time."""
    cells = record.cells or ()
    blank = len(list(takewhile(lambda cell: not cell.strip(), reversed(cells))))
    limits.check_columns(name, len(cells) - blank)


def _given(
    records: Sequence[Record],
    lines: Sequence[str],
    name: str,
    first_line: int,
    given: int,
    limits: Limits,
) -> Heading:
    index = given - first_line
    record = next((record for record in records if record.start == index), None)
    if record is None or not record.cells:
        raise UnclearTable(
            _(
                "Line ${given} of ${name} cannot be its header: it is blank, damaged, "
                "part of another line's cell, or too far down. Name the line that holds "
                "the names.",
                mapping={"given": given, "name": name},
            )
        )
    _check_number(record, limits, name)
    return _heading(record, records, lines)


def _heading(record: Record, records: Sequence[Record], lines: Sequence[str]) -> Heading:
    below = [other for other in records if other.start > record.start]
    above = tuple(text for line in lines[: record.start] if (text := line.strip(_EDGES)))
    return Heading(record, above, learn(below, record.cells or ()), _unnamed(record, below))


def _unnamed(heading: Record, below: Sequence[Record]) -> int:
    """Return how many of the last columns have neither a name nor a value in any row."""
    names = heading.cells or ()
    rows = [r.cells for r in below if r.cells and len(r.cells) == len(names)]
    columns = zip(*(map(str.strip, reversed(cells)) for cells in (names, *rows)), strict=True)
    count = len(list(takewhile(lambda column: not any(column), columns)))
    return count if rows and 0 < count < len(names) and names[-count - 1].strip() else 0


def _width(filled: Sequence[Record]) -> int:
    """Return how many cells the rows of the table have."""
    widths = Counter(len(record.cells) for record in filled if record.cells)
    if not widths:
        return 0
    first = next((record for record in filled if record.cells and not is_title(record)), None)
    top = len(first.cells or ()) if first is not None else 0
    most = max(widths, key=lambda width: (widths[width], width == top, width))
    if widths[most] >= _ENOUGH or not top or (widths[top] == 1 and widths[most] > 1 and most > 1):
        return most
    return top


def _first_of(filled: Sequence[Record], width: int) -> int:
    """Return the index of the first record that has as many cells as the rows."""
    for at, record in enumerate(filled):
        if not record.cells or len(record.cells) != width or (width > 1 and is_title(record)):
            continue
        if not record.cells[0].startswith("#"):
            return at
        # A comment that happens to have as many delimiters, or names behind a mark.
        following = [other for other in filled[at + 1 :] if len(other.cells or ()) == width]
        if not following or record.cells[0].startswith("# "):
            continue
        names = following[0].cells or ()
        if learn(following[1:], names).are_names(names) is not True:
            return at
    return len(filled)


def _behind_preface(
    records: Sequence[Record], filled: Sequence[Record], lines: Sequence[str]
) -> Heading:
    """Return the first of the `filled` records as a heading, or what is one for certain.

    A line above a table may have as many delimiters as the rows have by accident; then
    a blank line is below it.
    """
    first = _heading(filled[0], records, lines)
    width = len(filled[0].cells or ())
    behind_blank = {
        after.start for before, after in pairwise(records) if before.cells == () != after.cells
    }
    are_names = first.are_names()
    for record in filled[1:_PREFACE]:
        if len(record.cells or ()) != width:
            continue
        if repeats(record.cells or (), filled[0].cells or ()):
            break
        if record.start in behind_blank:
            heading = _heading(record, records, lines)
            # What has figures below what are names is a row, however odd it is.
            is_row = are_names and any(map(is_figure, record.cells or ()))
            if heading.are_names() and not is_row:
                return heading
        if are_names:
            break  # a row, directly below its names
    return first
