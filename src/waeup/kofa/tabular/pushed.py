"""Rows whose values do not stand in their columns: pushed, or divided at another place.

A cell put in, or lost, pushes the values behind it or before it to the next column, and leaves
one empty where others are filled.  One such row stands out (`shifts`).  Where several of a small
table are so, they would look usual if they were counted: therefore they teach nothing (`profile`).

The same is true of a delimiter that stands at another place between two columns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from waeup.kofa.tabular.column import Column, likeness
from waeup.kofa.tabular.shapes import ENOUGH, NUMBERS, outline, shape

__all__ = ["cut_elsewhere", "is_cut_elsewhere", "is_pushed", "without_pushed"]

#: What another place for a delimiter between two cells has to make better.
_RECUT = 2
#: Characters up to which such a place is looked for.
_LONGEST = 100
#: Rows of a small table that may be divided elsewhere, and part of them in a larger one.
_SLIPS = 4
_PART = 0.1
#: Part of the rows up to which different values are said to be few.
_CHOICES = 2 / 3


class _Move(NamedTuple):
    """Cells that may be moved: their columns would be `homes`, and are `places`."""

    cells: Sequence[str]
    homes: Sequence[Column]
    places: Sequence[Column]


def is_pushed(columns: Sequence[Column], cells: Sequence[str], empty: int) -> bool:
    """Tell whether an empty cell was put in at `empty`, or a cell lost before it.

    Then all behind it, or all in front of it, fit the columns beside theirs, and better.
    """
    for moved, homes, places in _moves(columns, cells, empty):
        # Without its first value, its key, a row is no row.
        least = likeness(places, moved) + (empty > 0)
        is_odd = any(map(Column.is_odd, homes, moved))
        if moved and not is_odd and likeness(homes, moved) >= least:
            return True
    return False


def is_cut_elsewhere(columns: Sequence[Column], cells: Sequence[str], at: int) -> bool:
    """Tell whether the cell at `at` and the next one would fit if divided at another place.

    One of them may be empty, where none should be, if the other one is strange.
    """
    pair, own = columns[at : at + 2], cells[at : at + 2]
    text = "".join(own)
    if len(text) > _LONGEST:
        return False
    held = [column.likeness(cell, closely=True) for column, cell in zip(pair, own, strict=True)]
    are_known = all(column.are_choices for column in pair)
    if not (are_known or any(column.kind is not None for column in pair)):
        return False
    is_half = not all(map(str.strip, own))
    if is_half and (max(held) > 0 or not all(column.is_always_filled for column in pair)):
        return False
    if (is_half or min(held) == 0) and all(column.kind and not column.form for column in pair):
        return False  # numbers of unusual lengths
    least = sum(held) + _RECUT
    return any(likeness(pair, cut) >= least for cut in _cuts(*own))


def cut_elsewhere(rows: Sequence[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Return those of `rows` whose cells are divided at another place than those of others."""
    found: set[tuple[str, ...]] = set()
    columns = [(values, _forms(values)) for values in zip(*rows, strict=True)]
    for (one, form), (two, other) in pairwise(columns):
        pairs, forms = list(zip(one, two, strict=True)), (form, other)
        found.update(rows[place] for place in _cut_elsewhere(pairs, forms))
    return frozenset(found) if len(found) <= max(_SLIPS, _PART * len(rows)) else frozenset()


def _cut_elsewhere(
    pairs: Sequence[tuple[str, str]], forms: tuple[Sequence[str], Sequence[str]]
) -> Iterator[int]:
    """Generate the positions of such `pairs` of cells, which look like `forms`.

    They are few, and one of their cells at least has a form that hardly another row has.
    """
    most = min(len(pairs) / 2, max(_SLIPS, _PART * len(pairs)))
    counts = [Counter(column) for column in forms]
    frequency = [
        min(count[form] for count, form in zip(counts, pair, strict=True))
        for pair in zip(*forms, strict=True)
    ]
    for often in range(1, _SLIPS + 1):
        rare = {at for at, times in enumerate(frequency) if times <= often}
        if often in frequency and len(rare) <= most and len(pairs) - len(rare) >= ENOUGH:
            usual = [pair for at, pair in enumerate(pairs) if at not in rare]
            yield from (at for at in rare if _is_cut_otherwise(pairs[at], usual))


def _is_cut_otherwise(own: tuple[str, str], usual: Sequence[tuple[str, str]]) -> bool:
    """Tell whether the pair of cells `own` is divided at another place than the `usual` ones.

    Where values are few, it is when there is one other place, such that both are among them;
    else where figures stand beside what is no number, and both fit closely.
    """
    columns = list(zip(*usual, strict=True))
    is_known = any(cell in seen for cell, seen in zip(own, columns, strict=True))
    if is_known or not all(map(str.strip, own)) or len("".join(own)) > _LONGEST:
        return False
    one, two = map(set, columns)
    if max(len(one), len(two)) <= _CHOICES * len(usual):
        ways = sum(first in one and second in two for first, second in _cuts(*own))
        if ways == 1:
            return True
    pair = list(map(Column, columns))
    if not any(column.are_figures for column in pair) or all(
        column.kind in NUMBERS for column in pair
    ):
        return False
    fits = any(likeness(pair, cut) == len(pair) for cut in _cuts(*own))
    return fits and is_cut_elsewhere(pair, own, 0)


def _forms(values: Sequence[str]) -> list[str]:
    """Return what values look like: their lengths count if they have digits and no letter."""
    shapes = {value: shape(value) for value in set(values)}
    forms = {value: outline(value) if "a" in form else form for value, form in shapes.items()}
    return [forms[value] for value in values]


def _cuts(one: str, two: str) -> Iterator[tuple[str, str]]:
    """Generate the other ways to divide the text of two cells."""
    text = one + two
    return ((text[:at], text[at:]) for at in range(1, len(text)) if at != len(one))


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
    groups: dict[int | None, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        groups[next((place for place in filled if not row[place].strip()), None)].append(at)
    whole = groups.pop(None, [])
    if not groups or len(whole) < max(ENOUGH, len(rows) / 2):
        return rows
    usual = [Column([values[at] for at in whole]) for values in columns]
    found = {
        empty: [_certainty(usual, rows[at], empty) for at in group]
        for empty, group in groups.items()
        if empty is not None
    }
    if max(map(max, found.values())) < 2:
        return rows
    pushed = {at for empty in found if all(found[empty]) for at in groups[empty]}
    return [row for at, row in enumerate(rows) if at not in pushed]


def _certainty(columns: Sequence[Column], cells: Sequence[str], empty: int) -> int:
    """Return 2 when `cells` are pushed for certain, 1 when they may be, or 0."""
    return max(map(_certainty_of_move, _moves(columns, cells, empty)))


def _certainty_of_move(move: _Move) -> int:
    """Return the same for one direction.

    It may be when no value does worse beside its place, and some better.  It is certain when
    figures or codes are among those, or most do better: single words fit many columns.
    """
    changes = [
        (home.likeness(cell, closely=True) - place.likeness(cell, closely=True), home, place)
        for cell, home, place in zip(*move, strict=True)
        if cell.strip()
    ]
    better = [trio for trio in changes if trio[0]]
    if not better or min(better, key=lambda trio: trio[0])[0] < 0:
        return 0
    if sum(gain for gain, _home, _place in better) < 2:
        return 1
    is_hard = any(home.kind or place.kind for _gain, home, place in better)
    return 2 if is_hard or 1 < len(better) > len(changes) / 2 else 1


def _moves(columns: Sequence[Column], cells: Sequence[str], empty: int) -> Iterator[_Move]:
    """Generate what a cell too many or too few at `empty` moves: all behind it, or before it."""
    yield _Move(cells[empty + 1 :], columns[empty:-1], columns[empty + 1 :])
    yield _Move(cells[:empty], columns[1 : empty + 1], columns[:empty])
