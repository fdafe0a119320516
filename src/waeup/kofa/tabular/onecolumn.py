"""Refuses a table of one column that may be one of several, divided in a way that was not found.

A delimiter that no header shows, blanks, or quotes around whole lines: a person has to say what
the delimiter is, or that it is one column.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.detection import UNUSUAL, USUAL, Record
from waeup.kofa.tabular.problems import UnclearTable
from waeup.kofa.tabular.shapes import is_figure

__all__ = ["check_one_column"]

#: So many values of one pattern are no accident.
_MANY = 3
#: Blanks that align texts below each other.
_ALIGNED = re.compile(r"\S {2,}\S")


def check_one_column(heading: Record, below: Sequence[Record], name: str, line: int) -> None:
    """Refuse a table of one column whose values look like lines of another table.

    `heading` is in the `line` of the table `name`, and the records `below` it.
    """
    cells = heading.cells or ()
    if len(cells) != 1:
        return
    values = [record.cells[0] for record in below if record.cells and len(record.cells) == 1]
    _check_quoted_lines(cells[0], values, name)
    _check_delimiters(cells[0], values, name, line)
    _check_alignment(cells[0], values, name)
    _check_blanks(cells[0], values, name)


def _check_quoted_lines(names: str, values: Sequence[str], name: str) -> None:
    for mark in USUAL:
        count = names.count(mark)
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


def _check_delimiters(names: str, values: Sequence[str], name: str, line: int) -> None:
    for mark in USUAL[1:]:
        counts = Counter(value.count(mark) for value in values if mark in value)
        most, often = max(counts.items(), key=itemgetter(1), default=(0, 0))
        # One in a text or two is nothing, several in many lines are a pattern.
        many = often >= _MANY and 2 * often > len(values)
        if many or (most > 1 and (often > 1 or len(values) < _MANY)):
            raise UnclearTable(
                _(
                    "${name} has one column, or ${mark} divides its cells below line "
                    "${line}. Say what the delimiter is, or which line holds the names.",
                    mapping={"name": name, "mark": repr(mark), "line": line},
                )
            )
    for mark in UNUSUAL[1:]:
        count = names.count(mark)
        if count and values and all(value.count(mark) == count for value in values):
            raise UnclearTable(
                _(
                    "${name} has one column, or ${mark} divides its cells. Say what the "
                    "delimiter is.",
                    mapping={"name": name, "mark": repr(mark)},
                )
            )


def _check_alignment(names: str, values: Sequence[str], name: str) -> None:
    aligned = sum(_ALIGNED.search(value) is not None for value in values)
    if _ALIGNED.search(names) and 2 * aligned > len(values):
        raise UnclearTable(
            _(
                "${name} has one column, or its cells are aligned by blanks. Save it with one "
                "character between the cells, such as a comma, or name the delimiter if it is "
                "one column.",
                mapping={"name": name},
            )
        )


def _check_blanks(names: str, values: Sequence[str], name: str) -> None:
    words = [value.split(" ") for value in values]
    count, alike = Counter(map(len, words)).most_common(1)[0] if words else (0, 0)
    figures = all(map(is_figure, words[0])) if words else False
    named = len(names.split(" "))
    # A name too many or too few may be damage.
    is_alike = named == count > 2 or abs(named - count) == 1 < count - 2
    is_likely = named > 1 if figures else is_alike and len(values) > 2
    if is_likely and count > 1 and alike > 0.9 * len(values):
        raise UnclearTable(
            _(
                "${name} has one column, or blanks divide its cells: most lines have "
                "${count} words. Say what the delimiter is.",
                mapping={"name": name, "count": count},
            )
        )
