"""Tells the header of another table, behind the first one, from an odd row.

An officer puts one list behind another.  Its names are a row by their number of cells,
and in tables of words by their kind, too: then the rows behind tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from waeup.kofa.tabular.shapes import DIGITS, ENOUGH, is_figure, letter_case
from waeup.kofa.tabular.source import MARK

if TYPE_CHECKING:
    from waeup.kofa.tabular.profile import Profile

__all__ = ["begins_a_table", "is_doubtful", "is_followed_by_others", "is_sequel", "repeats"]

#: Rows that tell as much with one column of a kind as few with several.
_MANY = 5

_NAME = re.compile(r"[^\W\d_][^\d,;:!?]+")


def begins_a_table(
    profile: Profile, cells: Sequence[str], header: Sequence[str], apart: bool
) -> bool:
    """Tell whether a row of a table with the `header` is the header of another table.

    `apart` says that a blank line stands in front of it.
    """
    apart = apart and not profile.is_spaced
    if not all(cell.strip() for cell in cells):
        return False
    wrong = profile.misfits(cells)
    if wrong != profile.typed or any(map(is_figure, cells)):
        return False
    if apart and profile.has_figures:
        return True
    are_names = _are_words(cells)
    known = len(profile.rows) >= ENOUGH or profile.typed
    if len(set(map(str.casefold, cells))) < len(cells):
        return False  # a name stands once
    if not are_names and not (apart and known):
        return False
    columns = list(zip(profile.columns, cells, strict=True))
    if any(column.is_usual(cell) for column, cell in columns):
        return False  # and is no value
    best = max(column.likeness(cell, closely=apart) for column, cell in columns)
    if len(cells) > 1 and ((wrong and best < 0) or (apart and best <= 0)):
        return True
    same = _are_cased_as(cells, header)
    unlike = sum(not column.fits(cell) or column.lacks_digits(cell) for column, cell in columns)
    if wrong and (apart or (unlike > 1 and (same or len(profile.rows) >= _MANY))):
        return True
    least = 1 if wrong else 2
    enough = apart or (len(profile.rows) >= _MANY and len(cells) > least)
    return enough and same and profile.is_in_other_style(cells)


def is_doubtful(
    profile: Profile, cells: Sequence[str], header: Sequence[str], apart: bool
) -> bool:
    """Tell whether what seems to be a header may be an odd row, if rows like the others follow.

    Words such as ``absent`` and ``vacant`` may stand for values, but for several hardly in
    the case of the names, and not with one of the names among them.
    """
    if not {*map(str.casefold, header)}.isdisjoint(map(str.casefold, cells)):
        return False
    is_plain = apart or len(profile.misfits(cells)) > 1
    return not (is_plain and _are_cased_as(cells, header))


def is_sequel(
    profile: Profile,
    cells: Sequence[str],
    header: Sequence[str],
    apart: bool,
    following: Sequence[Sequence[str]],
) -> bool:
    """Tell as `begins_a_table` does, in the light of the rows that are `following`."""
    return begins_a_table(profile, cells, header, apart) and not (
        any(map(profile.is_like_the_rows, following))
        and is_doubtful(profile, cells, header, apart)
    )


def is_followed_by_others(
    rows: Sequence[Sequence[str]], cells: Sequence[str], following: Sequence[Sequence[str]]
) -> bool:
    """Tell whether a row divides `rows` from the `following`, which are of another table.

    Then it is words that are no values, and in two columns at least all values in front of
    it have digits and none behind it has, or the other way round.
    """
    if not following or len(rows) < _MANY or not _are_words(cells):
        return False
    if any(cell == row[at] for row in (*rows, *following) for at, cell in enumerate(cells)):
        return False
    above, below = zip(*rows, strict=True), zip(*following, strict=True)
    return sum(map(_change, above, below)) > 1


def repeats(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether a record is the `header` again, perhaps behind the mark of another file."""
    return [cell.removeprefix(MARK).strip() for cell in cells] == [name.strip() for name in header]


def _are_words(cells: Sequence[str]) -> bool:
    return all(_NAME.fullmatch(cell.strip()) for cell in cells)


def _change(above: Iterable[str], below: Iterable[str]) -> bool:
    """Tell whether the values of a column have digits on one side of a line only."""
    kinds = [{_kind(value) for value in values} for values in (above, below)]
    return kinds in ([{"digits"}, {"words"}], [{"words"}, {"digits"}])


def _kind(value: str) -> str:
    if DIGITS.search(value):
        return "digits"
    return "words" if value.strip() else ""


def _are_cased_as(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether `cells` are written in the case in which the names are."""
    return list(map(letter_case, cells)) == list(map(letter_case, header))
