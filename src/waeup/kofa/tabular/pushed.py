"""Rows whose values were pushed to the columns beside theirs.

A cell put in, or lost, pushes the values behind it or before it to the next column, and leaves
one empty where others are filled.  One such row stands out (`shifts`).  Where several of a small
table are so, they would look usual if they were counted: therefore they teach nothing (`profile`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from waeup.kofa.tabular.column import Column, likeness
from waeup.kofa.tabular.shapes import ENOUGH

__all__ = ["is_pushed", "without_pushed"]

#: Numbers that stand for no and yes.
_FLAGS = frozenset("01")


class _Move(NamedTuple):
    """Cells that may be moved: their columns would be `homes`, and are `places`."""

    cells: Sequence[str]
    homes: Sequence[Column]
    places: Sequence[Column]


def is_pushed(columns: Sequence[Column], cells: Sequence[str], empty: int) -> bool:
    """Tell whether an empty cell was put in at `empty`, or a cell lost before it.

    Then all behind it, or all in front of it, fit the columns beside theirs, and better.
    """
    is_within = 0 < empty < len(cells) - 1
    if is_within and columns[empty].has_many and not columns[empty].is_never_empty:
        return False
    for moved, homes, places in _moves(columns, cells, empty):
        # Without its first value, its key, a row is no row.
        strange = sum(map(_is_no_flag, places, moved))  # like the numbers, and yet unlike
        least = likeness(places, moved) - 2 * strange + (empty > 0)
        is_odd = any(map(Column.is_odd, homes, moved))
        if moved and not is_odd and likeness(homes, moved) >= least:
            return True
    return False


def _is_no_flag(column: Column, text: str) -> bool:
    """Tell whether `text` is a value in a column of nothing but 0 and 1, and none of these."""
    return column.choices == _FLAGS and text.strip() not in ("", *_FLAGS)


def without_pushed(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """Return `rows` without those that are pushed, in the light of the others.

    A cell that most rows have should not be empty, unless rows without it are in their
    places otherwise: thus all of them are left out, or none.
    """
    columns = list(zip(*rows, strict=True))
    filled = [
        at
        for at, values in enumerate(columns)
        if 2 * sum(map(bool, map(str.strip, values))) > len(rows)
    ]
    gaps = [[at for at in filled if not row[at].strip()] for row in rows]
    whole = [row for row, empty in zip(rows, gaps, strict=True) if not empty]
    if len(whole) in (0, len(rows)) or len(whole) < max(ENOUGH, len(rows) / 3):
        return rows
    usual = list(map(Column, zip(*whole, strict=True)))
    # What was found of rows with the same gap: of several in a row, the most telling one.
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for at, row in enumerate(rows):
        tried = {empty: _certainty(usual, row, empty) for empty in gaps[at]}
        if tried:
            empty = max(tried, key=tried.__getitem__)
            found[empty][at] = tried[empty]
    pushed = {at for group in found.values() if all(group.values()) for at in group}
    certain = any(found[empty][at] > 1 for empty in found for at in found[empty])
    if not certain or 2 * len(pushed) > len(rows):
        return rows
    return [row for at, row in enumerate(rows) if at not in pushed]


def _certainty(columns: Sequence[Column], cells: Sequence[str], empty: int) -> int:
    """Return 2 when `cells` are pushed for certain, 1 when they may be, or 0."""
    return max(map(_certainty_of_move, _moves(columns, cells, empty)))


def _certainty_of_move(move: _Move) -> int:
    """Return the same for one direction.

    It may be when some values do better beside their places, and no other worse unless two more
    do better.  It is certain when figures or codes are among those, or most do better: single
    words fit many columns.
    """
    changes = [
        (home.likeness(cell, closely=True) - place.likeness(cell, closely=True), home, place)
        for cell, home, place in zip(*move, strict=True)
        if cell.strip()
    ]
    better = [trio for trio in changes if trio[0]]
    total = sum(gain for gain, _home, _place in better)
    if total < 2:
        return 1 if better and all(gain > 0 for gain, _home, _place in better) else 0
    is_hard = any(home.kind or place.kind for _gain, home, place in better)
    return 2 if is_hard or 1 < len(better) > len(changes) / 2 else 1


def _moves(columns: Sequence[Column], cells: Sequence[str], empty: int) -> Iterator[_Move]:
    """Generate what a cell too many or too few at `empty` moves: all behind it, or before it."""
    yield _Move(cells[empty + 1 :], columns[empty:-1], columns[empty + 1 :])
    yield _Move(cells[:empty], columns[1 : empty + 1], columns[:empty])
