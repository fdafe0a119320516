"""Finds the line with the names of the columns, and refuses a table that has none.

Above it there may be blank lines, comments and titles.  What could be a damaged
header, a row, or rows of another table is never passed over: then a person has to
say which line it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile
from operator import itemgetter
from typing import NamedTuple

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import counted
from waeup.kofa.tabular.detection import UNUSUAL, USUAL, Record
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.layout import RULE
from waeup.kofa.tabular.limits import Limits
from waeup.kofa.tabular.problems import EmptyTable, UnclearTable
from waeup.kofa.tabular.profile import Profile, learn
from waeup.kofa.tabular.sequel import repeats
from waeup.kofa.tabular.shapes import is_figure

__all__ = ["Heading", "find_heading"]

#: Rows of one width, other than the header's, that show that it is the header that is wrong.
_ENOUGH = 3
_WORD_LIST = re.compile(r"(?<=\w)[^\w\s](?=\w)")
#: Delimiters as lists of values have them, not as sentences do.
_LISTED = {mark: re.compile(f"{re.escape(mark)}(?! )") for mark in USUAL}
#: Text without letters and figures, such as the beginning of a list.
_SIGNS = re.compile(r"[!-/:-@\[-`{-~\s]*")
#: What a line has that is not blank.
_CELLS = re.compile(r"[^\s,;|]")
#: Blanks that align texts below each other.
_ALIGNED = re.compile(r"\S {2,}\S")
#: What stands at the ends of a title among cells that are empty.
_EDGES = ' \t\r\n,;|"'
#: Lines below the names that may belong to a header.
_HEADER_LINES = 3
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
    _check_above(above, record, lines, name, first_line, width, verdict)
    if verdict is False or _SIGNS.fullmatch("".join(record.cells or ())):
        raise UnclearTable(
            _(
                "${name} has no header: line ${line} looks like a row, not like the "
                "names of columns. Write a line with their names above it, or say which line "
                "holds the names, if one does.",
                mapping={"name": name, "line": line},
            )
        )
    below = [other for other in filled if other.start > record.start]
    if _is_joined(record, below):
        raise UnclearTable(
            _(
                "The header of ${name} does not fit its rows: line ${line} seems to hold "
                "values behind the names. Put the rows below the names, or say which line holds "
                "the names, if one does.",
                mapping={"name": name, "line": line},
            )
        )
    if not sure:
        _check_one_column(record, below, name, line)
        _check_signs(grammar.written_cells(_text(record, lines)), grammar, name, line)
    _check_below(below, heading, lines, name, first_line)
    return heading


def _text(record: Record, lines: Sequence[str]) -> str:
    return "".join(lines[record.start : record.end])


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
    first = next((record for record in filled if record.cells and not _is_title(record)), None)
    top = len(first.cells or ()) if first is not None else 0
    most = max(widths, key=lambda width: (widths[width], width == top, width))
    if widths[most] >= _ENOUGH or not top or (widths[top] == 1 and widths[most] > 1 and most > 1):
        return most
    return top


def _first_of(filled: Sequence[Record], width: int) -> int:
    """Return the index of the first record that has as many cells as the rows."""
    for at, record in enumerate(filled):
        if not record.cells or len(record.cells) != width or (width > 1 and _is_title(record)):
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


def _is_title(record: Record) -> bool:
    """Tell whether a record is no part of a table: a comment, or one text by itself."""
    cells = record.cells or ()
    return record.filled < 2 or (cells[0].lstrip().startswith("#") and record.filled < len(cells))


def _check_above(
    above: Sequence[Record],
    heading: Record,
    lines: Sequence[str],
    name: str,
    first_line: int,
    width: int,
    verdict: bool | None,
) -> None:
    """Refuse what is above the names unless it is certain that it is no part of the table."""
    doubtful = [r for r in above if not _is_comment(r, lines) and not _is_fact(r)]
    if not doubtful:
        return
    other = next((r for r in doubtful if _is_divided(lines[r.start], lines[heading.start])), None)
    if other is not None:
        raise UnclearTable(
            _(
                "${name} is divided in two ways: line ${first_line} by other characters "
                "than line ${first_line2}. Divide all lines in one way, or name the "
                "delimiter.",
                mapping={
                    "name": name,
                    "first_line": first_line + other.start,
                    "first_line2": first_line + heading.start,
                },
            )
        )
    last = doubtful[-1]
    is_apart = any(not line.strip(" \t\r\n,;|") for line in lines[last.end : heading.start])
    no_names = all(
        record.cells is not None
        and (
            (_is_title(record) and not _is_list(lines[record.start]))
            or _is_alone(record, lines, width)
        )
        for record in doubtful
    )
    is_sure = verdict is True or (width > 2 and verdict is None)
    is_wide = verdict is False and len(last.cells or ()) == width  # thus nothing was lost in it
    if no_names and (is_apart or is_sure or is_wide):
        return
    if verdict is True and len({len(r.cells or ()) for r in doubtful}) == len(doubtful):
        # Lines of different widths above what are names for certain.
        return
    line = first_line + last.start
    if last.cells is None:
        raise UnclearTable(
            _(
                "Line ${line} of ${name}, its header, is damaged. Give each column one name, in "
                "one line, or say which line holds the names, if one does.",
                mapping={"line": line, "name": name},
            )
        )
    if len(last.cells) == width:
        raise UnclearTable(
            _(
                "It is not clear which line of ${name} holds the names: line ${line} may be the "
                "header, and so may line ${line2}. Write all names into one line, or say which "
                "line holds the names, if one does.",
                mapping={"name": name, "line": line, "line2": first_line + heading.start},
            )
        )
    raise UnclearTable(
        counted(
            "The header of ${name} does not fit its rows: line ${line} has ${n} cell, and the "
            "rows have ${width}. Give each column one name, in one line, or say which line holds "
            "the names, if one does.",
            "The header of ${name} does not fit its rows: line ${line} has ${n} cells, and the "
            "rows have ${width}. Give each column one name, in one line, or say which line holds "
            "the names, if one does.",
            len(last.cells),
            name=name,
            line=line,
            width=width,
        )
    )


def _is_alone(record: Record, lines: Sequence[str], width: int) -> bool:
    """Tell whether blank lines are around a line of two cells that is too short for names."""
    beside = (*lines[max(0, record.start - 1) : record.start], *lines[record.end : record.end + 1])
    return 2 * record.filled <= width and record.filled < 3 and not any(map(_CELLS.search, beside))


def _is_divided(line: str, names: str) -> bool:
    """Tell whether a line has the names of the header, or as many cells, by another delimiter."""
    counts = Counter(mark for mark in names if mark in USUAL)
    (own, most), *_others = counts.most_common(1) or [("", 0)]
    return any(
        most > 1 and mark != own and line.count(mark) >= most > names.count(mark) for mark in USUAL
    )


def _is_list(line: str) -> bool:
    """Tell whether a line is words divided by something other than blanks, such as names."""
    return len(_WORD_LIST.split(line.strip())) > 2 and " " not in line.strip()


def _is_comment(record: Record, lines: Sequence[str]) -> bool:
    return lines[record.start].lstrip('\ufeff "').startswith("#")


def _is_fact(record: Record) -> bool:
    """Tell whether a record is a line such as ``Exported by: admin``."""
    cells = record.cells or ("",)
    return record.filled == 2 and cells[0].rstrip().endswith(":")


def _check_one_column(heading: Record, below: Sequence[Record], name: str, line: int) -> None:
    """Refuse a table of one column whose values look like lines of another table."""
    cells = heading.cells or ()
    if len(cells) != 1:
        return
    values = [record.cells[0] for record in below if record.cells and len(record.cells) == 1]
    for mark in USUAL:
        count = cells[0].count(mark)
        alike = sum(value.count(mark) >= count for value in values)
        if count and values and 2 * alike > len(values):
            raise UnclearTable(
                _(
                    "${name} has quotes around whole lines, so it cannot be cut into cells. "
                    "Remove the quotes at the beginning and the end of the lines, or name "
                    "the delimiter if it is one column.",
                    mapping={"name": name},
                )
            )
    for mark in USUAL[1:]:
        counts = Counter(value.count(mark) for value in values if mark in value)
        most, often = max(counts.items(), key=itemgetter(1), default=(0, 0))
        # One in a text or two is nothing, several in many lines are a pattern.
        many = often >= _ENOUGH and 2 * often > len(values)
        if many or (most > 1 and (often > 1 or len(values) < _ENOUGH)):
            raise UnclearTable(
                _(
                    "${name} has one column, or ${mark} divides its cells below line "
                    "${line}. Say what the delimiter is, or which line holds the names.",
                    mapping={"name": name, "mark": repr(mark), "line": line},
                )
            )
    for mark in UNUSUAL[1:]:
        count = cells[0].count(mark)
        if count and values and all(value.count(mark) == count for value in values):
            raise UnclearTable(
                _(
                    "${name} has one column, or ${mark} divides its cells. Say what the "
                    "delimiter is.",
                    mapping={"name": name, "mark": repr(mark)},
                )
            )
    aligned = sum(_ALIGNED.search(value) is not None for value in values)
    if _ALIGNED.search(cells[0]) and 2 * aligned > len(values):
        raise UnclearTable(
            _(
                "${name} has one column, or its cells are aligned by blanks. Save it with one "
                "character between the cells, such as a comma, or name the delimiter if it is "
                "one column.",
                mapping={"name": name},
            )
        )
    words = [value.split(" ") for value in values]
    count, alike = Counter(map(len, words)).most_common(1)[0] if words else (0, 0)
    figures = all(map(is_figure, words[0])) if words else False
    names = len(cells[0].split(" "))
    # A name too many or too few may be damage.
    is_alike = names == count > 2 or abs(names - count) == 1 < count - 2
    is_likely = names > 1 if figures else is_alike and len(values) > 2
    if is_likely and count > 1 and alike > 0.9 * len(values):
        raise UnclearTable(
            _(
                "${name} has one column, or blanks divide its cells: most lines have "
                "${count} words. Say what the delimiter is.",
                mapping={"name": name, "count": count},
            )
        )


def _check_signs(written: Sequence[str], grammar: Grammar, name: str, line: int) -> None:
    """Refuse names that show that the line was cut at the wrong places.

    They are as they are `written`: what stands between quotes is one name.
    """
    values = grammar.values(written)
    if any(values[0][:1] == quote == values[-1][-1:] for quote in "\"'"):
        raise UnclearTable(
            _(
                "${name} has quotes around the whole of line ${line}, so it cannot be "
                "cut into cells. Remove the quotes at the beginning and the end of the "
                "lines, or name the quote.",
                mapping={"name": name, "line": line},
            )
        )
    bare = [cell for cell in written if cell.lstrip()[:1] != grammar.dialect.quote]
    has_lists = any(len(mark.findall(cell)) > 1 for cell in bare for mark in _LISTED.values())
    if has_lists or any("\t" in cell for cell in bare) or _cuts_brackets(bare):
        raise UnclearTable(
            _(
                "${name} has delimiters inside the names of its columns, in line "
                "${line}. Divide all lines in one way, or name the delimiter, or say which line "
                "holds the names, if one does.",
                mapping={"name": name, "line": line},
            )
        )


def _cuts_brackets(names: Sequence[str]) -> bool:
    """Tell whether a bracket is opened in one of `names` and closed in another."""
    depths = [cell.count("(") - cell.count(")") for cell in names]
    return sum(depths) == 0 and any(depths)


def _is_joined(heading: Record, below: Sequence[Record]) -> bool:
    """Tell whether the names and the first row seem to stand in one line."""
    width = len(heading.cells or ())
    widths = {len(record.cells) for record in below if record.cells}
    return width not in widths and bool(widths) and any(map(is_figure, heading.cells or ()))


def _check_below(
    filled: Sequence[Record], heading: Heading, lines: Sequence[str], name: str, first_line: int
) -> None:
    """Refuse a header that takes several lines."""
    header = heading.record.cells or ()
    last = None
    for at, record in enumerate(filled[:_HEADER_LINES]):
        cells = record.cells or ()
        if (
            len(cells) != len(header)
            or repeats(cells, header)
            or not heading.profile.misfits(cells)
            or RULE.match(_text(record, lines))
        ):
            break
        if not learn(filled[at + 1 :], cells).are_more_names(cells, header):
            break
        last = first_line + record.start
    if last is not None:
        first = first_line + heading.record.start
        raise UnclearTable(
            _(
                "The header of ${name} takes several lines (${first} to ${last}), so it "
                "is not clear what the columns are called. Write all names into one "
                "line, or say which line holds the names, if one does.",
                mapping={"name": name, "first": first, "last": last},
            )
        )
