"""Tells whether the values of a row stand beside the columns that they are made for.

A delimiter lost at one place and one too many at another leave a row of the right
width, with the values between them one column off.  The row itself does not show it;
what the other rows look like (`profile`) does.  Asked by the careful way (`careful`)
about rows that are odd already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.profile import Profile

__all__ = ["is_shifted"]

#: Moved to the column beside it, an odd value that fits there counts 2: two are no accident.
_CONVINCING = 4
#: What one delimiter put back to its place has to make better.
_REPAIRED = 3
#: Columns and characters up to which a place for a delimiter is looked for.
_WIDEST = 64
_LONGEST = 200

_JOINED = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*(\d.*)")


def is_shifted(profile: Profile, cells: Sequence[str]) -> bool:
    """Tell whether some of `cells` stand one column beside the one they are made for.

    `cells` are as many as the columns of the `profile`.
    """
    columns = profile.columns
    wrong = [at for at, column in enumerate(columns) if column.is_odd(cells[at])]
    if any(_is_joined(columns, at, cells[at]) for at in wrong):
        return True
    if not wrong:
        return False
    return any(
        _is_pushed(columns, cells, offset)
        or _is_moved(columns, cells, wrong, offset)
        or _gain(columns, cells, offset) >= _CONVINCING
        for offset in (1, -1)
    ) or _is_repaired(columns, cells, wrong)


def _is_joined(columns: Sequence[Column], at: int, text: str) -> bool:
    """Tell whether a figure has the word of the column before it in front."""
    joined = _JOINED.fullmatch(text)
    return (
        joined is not None
        and at > 0
        and columns[at].are_figures
        and columns[at - 1].has_words
        and columns[at].fits(joined.group(1))
    )


def _is_pushed(columns: Sequence[Column], cells: Sequence[str], offset: int) -> bool:
    """Tell whether all cells fit one column further, with an unusual empty one at the edge."""
    edge, moved = (0, cells[1:]) if offset < 0 else (-1, cells[:-1])
    homes = columns[:-1] if offset < 0 else columns[1:]
    return (
        not cells[edge].strip()
        and columns[edge].is_always_filled
        and not any(home.is_odd(cell) for home, cell in zip(homes, moved, strict=True))
    )


def _is_moved(
    columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int], offset: int
) -> bool:
    """Tell whether several odd cells, and those between, fit one column further."""
    homes = [at + offset for at in range(wrong[0], wrong[-1] + 1) if 0 <= at + offset < len(cells)]
    return (
        len(wrong) > 1
        and any(columns[at].has_likeness for at in homes)
        and not any(columns[at].is_odd(cells[at - offset]) for at in homes)
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


def _is_repaired(columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int]) -> bool:
    """Tell whether one delimiter put elsewhere makes the row like the others."""
    if len(cells) > _WIDEST:
        return False
    before = sum(
        column.likeness(cell, closely=True) for column, cell in zip(columns, cells, strict=True)
    )
    return any(
        after - before >= _REPAIRED
        for after in (*_repairs(columns, cells, wrong), *_repairs(columns, cells, wrong, True))
    )


def _repairs(
    columns: Sequence[Column], cells: Sequence[str], wrong: Sequence[int], mirrored: bool = False
) -> Iterator[int]:
    """Generate how well the row fits when two cells become one, and one behind them two.

    `mirrored`: the one that becomes two stands in front of them.  Only what leaves no odd
    cell between both places counts.
    """
    last = len(cells) - 1
    for joined in range(last):
        pair = cells[joined] + cells[joined + 1]
        for split in range(joined) if mirrored else range(joined + 2, last + 1):
            low, high = (split, joined + 1) if mirrored else (joined, split)
            text = cells[split]
            if low > wrong[0] or high < wrong[-1] or len(text) > _LONGEST or len(text) < 2:
                continue
            if mirrored:
                inner, start = cells[split + 1 : joined], split + 2
                at, first = joined + 1, split
            else:
                inner, start = cells[joined + 2 : split], joined + 1
                at, first = joined, split - 1
            others = [columns[at].likeness(pair, closely=True)]
            others += [
                columns[home].likeness(cell, closely=True)
                for home, cell in enumerate(inner, start)
            ]
            if min(others) < 0:
                continue
            rest = sum(
                columns[home].likeness(cells[home], closely=True)
                for home in range(len(cells))
                if not low <= home <= high
            )
            pieces = (
                columns[first].likeness(text[:cut], closely=True)
                + columns[first + 1].likeness(text[cut:], closely=True)
                for cut in range(1, len(text))
            )
            yield rest + sum(others) + max(pieces)
