"""Tells pieces from values: cells that were cut, and cells that something was glued to.

Asked by the careful way (`careful`) about rows that stand out from those that taught
the profile (`profile`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.shapes import (
    ADDRESSES,
    CONTROL,
    DIGITS,
    LETTERS,
    QUOTES,
    is_figure,
    of_any_number,
    shape,
)

__all__ = ["are_two", "broken_value", "is_incomplete"]

#: Beginnings of texts, besides figures, in front of which exports and people put an apostrophe.
_GUARDED = tuple("=+-@\uff1d\uff0b\uff0d\uff20 ")
#: Signs between the values of a list.
_BETWEEN = re.compile("[,;/|&]")
#: Rows with a broken value of one shape, after which it is no accident.
_ACCIDENTS = 10
#: Characters up to which a value is looked at.
_LONGEST = 100
#: Characters behind a figure that are more than a remark.
_GLUED = 3
#: Cells that are empty where none should be, and part of those that have a value in other rows.
_GAPS = 3
_MOST_GAPS = 0.75
#: Characters of a first value that does not stand at the end of another one by accident.
_KEY = 3


def broken_value(profile: Profile, cells: Sequence[str]) -> int | None:
    """Return the position of a cell that is a piece of a value, or more than one; or None.

    What comes again and again in one shape is taken for a form of its own.
    """
    for at, column in enumerate(profile.columns):
        text = cells[at]
        if text[:1] == "'" and (text[1:2] in _GUARDED or is_figure(text[1:])):
            text = text[1:]  # the apostrophe lets spreadsheets take it for text
        if not text.strip() or column.is_usual(text):
            continue
        if _is_broken(column, text) or (at and _ends_with_key(column, text, cells[0].strip())):
            profile.shapes_seen[at, shape(text)] += 1
            if profile.shapes_seen[at, shape(text)] <= _ACCIDENTS:
                return at
    return None


def _is_broken(column: Column, text: str) -> bool:
    if CONTROL.search(text):
        return True
    if len(text) > _LONGEST:
        return False
    bare = text.translate(QUOTES)
    if bare != text and column.knows(bare):
        return True
    if column.fits(text) and text.startswith(column.beginning):
        return False
    if column.kind in ADDRESSES and is_figure(text):
        return True
    return _is_cut(column, text) or _is_glued(column, text)


def _ends_with_key(column: Column, text: str, key: str) -> bool:
    """Tell whether the first value of the row, its `key`, stands again behind a piece of a value.

    Then the row began a second time in the middle of a cell.
    """
    return (
        len(key) >= _KEY
        and DIGITS.search(key) is not None
        and text != key
        and text.endswith(key)
        and column.likeness(text, closely=True) < 1
    )


def _is_cut(column: Column, text: str) -> bool:
    """Tell whether a value of a fixed form lost its beginning or its end.

    Only digits lost, or won, may be another number.
    """
    form, found = column.form, shape(text)
    if form is None or of_any_number(found) == of_any_number(form):
        return False
    return form.startswith(found) or form.endswith(found)


def _is_glued(column: Column, text: str) -> bool:
    """Tell whether something stands directly behind a value, or in front of it."""
    form = column.form
    if form is not None:
        found = shape(text)
        has_more = found.startswith(form) or found.endswith(form)
        return has_more and of_any_number(found) != of_any_number(form)
    if not column.are_figures:
        return are_two(column, text) and _BETWEEN.search(text) is None
    *front, last = _BETWEEN.split(text)
    if front and not any(map(is_figure, front)) and column.fits_closely(last.strip()):
        return True
    ends = (end for end in range(1, len(text)) if column.fits_closely(text[:end]))
    longest = max(ends, default=None)
    return longest is not None and _is_more(text[longest:])


def are_two(column: Column, text: str) -> bool:
    """Tell whether `text` is two values, one directly behind the other, and not one.

    Where lines were torn apart, their quotes may be left between.
    """
    if len(text) > _LONGEST or column.is_usual(text) or column.fits_closely(text):
        return False
    is_like = column.knows if column.kind is None else column.fits_closely
    halves = ((text[:at].rstrip("\"'"), text[at:].lstrip("\"'")) for at in range(1, len(text)))
    return any(is_like(first) and is_like(second) for first, second in halves)


def _is_more(rest: str) -> bool:
    """Tell whether what stands behind a figure is more than a sign, a unit or a remark."""
    is_unit = rest[0] in " (" or rest[0].isalpha()
    return len(rest) >= _GLUED and not is_unit and LETTERS.search(rest) is not None


def is_incomplete(profile: Profile, cells: Sequence[str]) -> bool:
    """Tell whether a row is like a total: with many gaps, and something odd.

    At least half of the cells that have a value in other rows are empty; where most of several
    are, or the first one and another, nothing else has to be odd.  In a small table the row
    itself must not make its values look usual.
    """
    columns = profile.columns
    filled = [at for at, column in enumerate(columns) if column.is_never_empty]
    empty = [at for at in filled if not cells[at].strip()]
    if len(empty) >= max(_GAPS, _MOST_GAPS * len(filled)) or (0 in empty and len(empty) > 1):
        return True
    return (
        bool(empty)
        and 2 * len(empty) >= len(filled)
        and any(
            cell.strip() and _is_no_value(column, cell, cells in profile.rows)
            for column, cell in zip(columns, cells, strict=True)
        )
    )


def _is_no_value(column: Column, text: str, is_learned: bool) -> bool:
    """Tell whether `text` is odd, or none of the few values; it may come from a learned row."""
    others = column.without(text) if is_learned else column
    return column.likeness(text) < int(column.are_choices) or (
        others.are_choices and not others.knows(text)
    )
