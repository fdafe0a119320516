"""Refuses a table when it is not certain that the line which was found holds the names.

What is above it, in it and below it may be names as well, or rows, or of another table; then a
person has to say which line it is.  `waeup.kofa.tabular.heading` asks, check by check.

Everywhere `heading` is the record with the names, `name` is that of the table, and `verdict` says
whether they are names, None where that is open.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import counted
from waeup.kofa.tabular.detection import USUAL, Record
from waeup.kofa.tabular.grammar import Grammar
from waeup.kofa.tabular.layout import RULE
from waeup.kofa.tabular.problems import UnclearTable
from waeup.kofa.tabular.profile import Profile, learn
from waeup.kofa.tabular.sequel import repeats
from waeup.kofa.tabular.shapes import is_figure

__all__ = ["check_above", "check_below", "check_joined", "check_names", "check_signs", "is_title"]

_WORD_LIST = re.compile(r"(?<=\w)[^\w\s](?=\w)")
#: Delimiters as lists of values have them, not as sentences do.
_LISTED = {mark: re.compile(f"{re.escape(mark)}(?! )") for mark in USUAL}
#: Text without letters and figures, such as the beginning of a list.
_SIGNS = re.compile(r"[!-/:-@\[-`{-~\s]*")
#: What a line has that is not blank.
_CELLS = re.compile(r"[^\s,;|]")
#: Lines below the names that may belong to a header.
_HEADER_LINES = 3


def is_title(record: Record) -> bool:
    """Tell whether a record is no part of a table: a comment, or one text by itself."""
    cells = record.cells or ()
    return record.filled < 2 or (cells[0].lstrip().startswith("#") and record.filled < len(cells))


def check_above(
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
    if not _is_preface(doubtful, heading, lines, width, verdict):
        raise _unclear(doubtful[-1], heading, name, first_line, width)


def _is_preface(
    doubtful: Sequence[Record],
    heading: Record,
    lines: Sequence[str],
    width: int,
    verdict: bool | None,
) -> bool:
    """Tell whether records above the names are certain to be no part of the table."""
    last = doubtful[-1]
    is_apart = any(not line.strip(" \t\r\n,;|") for line in lines[last.end : heading.start])
    no_names = all(
        record.cells is not None
        and (
            (is_title(record) and not _is_list(lines[record.start]))
            or _is_alone(record, lines, width)
        )
        for record in doubtful
    )
    is_sure = verdict is True or (width > 2 and verdict is None)
    is_wide = verdict is False and len(last.cells or ()) == width  # thus nothing was lost in it
    if no_names and (is_apart or is_sure or is_wide):
        return True
    # Lines of different widths above what are names for certain.
    return verdict is True and len({len(r.cells or ()) for r in doubtful}) == len(doubtful)


def _unclear(
    last: Record, heading: Record, name: str, first_line: int, width: int
) -> UnclearTable:
    """Return the refusal of a table whose `last` doubtful record above the names may be names."""
    line = first_line + last.start
    if last.cells is None:
        return UnclearTable(
            _(
                "Line ${line} of ${name}, its header, is damaged. Give each column one name, in "
                "one line, or say which line holds the names, if one does.",
                mapping={"line": line, "name": name},
            )
        )
    if len(last.cells) == width:
        return UnclearTable(
            _(
                "It is not clear which line of ${name} holds the names: line ${line} may be the "
                "header, and so may line ${line2}. Write all names into one line, or say which "
                "line holds the names, if one does.",
                mapping={"name": name, "line": line, "line2": first_line + heading.start},
            )
        )
    return UnclearTable(
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


def check_names(heading: Record, verdict: bool | None, name: str, line: int) -> None:
    """Refuse a table whose first line of full width is a row."""
    if verdict is False or _SIGNS.fullmatch("".join(heading.cells or ())):
        raise UnclearTable(
            _(
                "${name} has no header: line ${line} looks like a row, not like the "
                "names of columns. Write a line with their names above it, or say which line "
                "holds the names, if one does.",
                mapping={"name": name, "line": line},
            )
        )


def check_joined(heading: Record, below: Sequence[Record], name: str, line: int) -> None:
    """Refuse names behind which the first row seems to stand in the same line."""
    width = len(heading.cells or ())
    widths = {len(record.cells) for record in below if record.cells}
    if width not in widths and widths and any(map(is_figure, heading.cells or ())):
        raise UnclearTable(
            _(
                "The header of ${name} does not fit its rows: line ${line} seems to hold "
                "values behind the names. Put the rows below the names, or say which line holds "
                "the names, if one does.",
                mapping={"name": name, "line": line},
            )
        )


def check_signs(written: Sequence[str], grammar: Grammar, name: str, line: int) -> None:
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


def check_below(
    filled: Sequence[Record],
    heading: Record,
    profile: Profile,
    lines: Sequence[str],
    name: str,
    first_line: int,
) -> None:
    """Refuse a header that takes several lines.

    `profile` is what the `filled` records below it look like.
    """
    header = heading.cells or ()
    last = None
    for at, record in enumerate(filled[:_HEADER_LINES]):
        cells = record.cells or ()
        if (
            len(cells) != len(header)
            or repeats(cells, header)
            or not profile.misfits(cells)
            or RULE.match("".join(lines[record.start : record.end]))
        ):
            break
        if not learn(filled[at + 1 :], cells).are_more_names(cells, header):
            break
        last = first_line + record.start
    if last is not None:
        first = first_line + heading.start
        raise UnclearTable(
            _(
                "The header of ${name} takes several lines (${first} to ${last}), so it "
                "is not clear what the columns are called. Write all names into one "
                "line, or say which line holds the names, if one does.",
                mapping={"name": name, "first": first, "last": last},
            )
        )
