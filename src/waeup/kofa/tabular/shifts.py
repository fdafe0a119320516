"""Tells whether the values of a row stand beside the columns that they are made for.

A delimiter lost at one place and one too many at another leave a row of the right
width, with the values between them one column off.  The row itself does not show it;
what the other rows look like (`profile`) does.  Asked by the careful way (`careful`)
about rows that stand out, or stand behind a blank line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waeup.kofa.tabular.column import Column, likeness
from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.pushed import is_pushed
from waeup.kofa.tabular.recut import is_cut_elsewhere
from waeup.kofa.tabular.shapes import DIGITS

__all__ = ["is_shifted"]

#: Moved to the column beside it, an odd value that fits there counts 2: two are no accident.
_CONVINCING = 4
#: What one delimiter put back to its place has to make better.
_REPAIRED = 3
#: Columns and characters up to which a place for a delimiter is looked for.
_WIDEST = 30
_LONGEST = 100
#: Cells of a row that are tried; more of them are no slip of one delimiter.
_TRIES = 16


def is_shifted(profile: Profile, cells: Sequence[str]) -> bool:
    """Tell whether some of `cells` stand one column beside the one they are made for.

    `cells` are as many as the columns of the `profile`.
    """
    columns = profile.columns
    wrong = [at for at, column in enumerate(columns) if column.is_odd(cells[at])]
    empty = [
        at
        for at, column in enumerate(columns)
        if column.is_always_filled and not cells[at].strip()
    ]
    fits = [
        column.likeness(cell, closely=True) for column, cell in zip(columns, cells, strict=True)
    ]
    strange = [at for at in range(len(cells) - 1) if min(fits[at : at + 2]) < 1]
    return (
        tuple(cells) in profile.displaced
        or any(is_pushed(columns, cells, at) for at in empty[:_TRIES])
        or any(is_cut_elsewhere(columns, cells, at) for at in strange[:_TRIES])
        or any(_gain(columns, cells, offset) >= _CONVINCING for offset in (1, -1))
        or any(_is_moved(columns, cells, wrong, offset) for offset in (1, -1))
        or _is_beside(columns, cells, wrong)
        or _are_of_each_other(columns, cells, wrong)
        or any(_belongs_beside(columns, cells, at) for at in wrong)
        or _is_repaired(profile, cells, wrong)
        or 1 < len(wrong) == sum(bool(cell.strip()) for cell in cells)
    )


def _is_beside(columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int]) -> bool:
    """Tell whether an odd cell fits the column in front, closely, and what stands there does not.

    Something was put before the key then, or it came twice.
    """
    if 1 not in wrong or columns[0].kind is None or not cells[0].strip():
        return False
    before = columns[0].likeness(cells[0], closely=True)
    return before < 1 <= columns[0].likeness(cells[1], closely=True)


def _are_of_each_other(
    columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int]
) -> bool:
    """Tell whether there are both a figure where none is, and words where only figures are."""
    others = [(columns[at].without(cells[at]), cells[at]) for at in wrong]
    return any(column.never_has_digits for column, _cell in others) and any(
        column.always_has_digits and DIGITS.search(cell) is None for column, cell in others
    )


def _belongs_beside(columns: Sequence[Column], cells: Sequence[str], at: int) -> bool:
    """Tell whether the cell at `at`, odd among codes, is a usual value beside them.

    Among figures there may be words such as ``absent``.
    """
    return not columns[at].are_figures and any(
        column.is_usual(cells[at]) and column.fits(cells[at]) and not column.are_figures
        for column in (*columns[max(0, at - 1) : at], *columns[at + 1 : at + 2])
    )


def _is_moved(
    columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int], offset: int
) -> bool:
    """Tell whether several odd cells, and those between, fit one column further."""
    if len(wrong) < 2:
        return False
    homes = [at + offset for at in range(wrong[0], wrong[-1] + 1) if 0 <= at + offset < len(cells)]
    return any(columns[at].has_likeness for at in homes) and not any(
        columns[at].is_odd(cells[at - offset]) for at in homes
    )


def _gain(columns: Sequence[Column], cells: Sequence[str], offset: int) -> int:
    """Return by how much some neighbouring cells fit better one column further."""
    best = gain = 0
    for at, column in enumerate(columns):
        if 0 <= at + offset < len(columns):
            there = columns[at + offset].likeness(cells[at])
            gain = max(0, gain + there - column.likeness(cells[at]))
            best = max(best, gain)
    return best


def _is_repaired(profile: Profile, cells: Sequence[str], wrong: Sequence[int]) -> bool:
    """Tell whether one delimiter put elsewhere makes the row like the others."""
    if not wrong or len(cells) > _WIDEST or profile.patience == 0:
        return False
    profile.patience -= 1
    columns = profile.columns
    least = likeness(columns, cells) + _REPAIRED
    return any(after >= least for after in _repairs(columns, cells, wrong))


def _repairs(
    columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int]
) -> Iterator[int]:
    """Generate how well the row fits when two cells become one, and another one two.

    The odd cells, at the positions `wrong`, must be among those that are moved.
    """
    for joined in range(len(cells) - 1):
        row = (*cells[:joined], cells[joined] + cells[joined + 1], *cells[joined + 2 :])
        for at, text in enumerate(row):
            is_between = min(at, joined) <= wrong[0] and wrong[-1] <= max(at, joined) + 1
            if at != joined and is_between and 1 < len(text) <= _LONGEST:
                pair = columns[at : at + 2]
                yield (
                    likeness(columns[:at], row[:at])
                    + max(likeness(pair, (text[:cut], text[cut:])) for cut in range(1, len(text)))
                    + likeness(columns[at + 2 :], row[at + 1 :])
                )
