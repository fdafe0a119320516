"""Rows in which a delimiter stands at another place between two columns.

Part of a value stands at the end of the cell in front, or at the beginning of the next one.  One
such row stands out (`shifts`).  Where several of a small table are so, they would look usual if
they were counted: therefore they teach nothing (`profile`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.shapes import DIGITS, ENOUGH, NUMBERS, of_any_number, outline, shape

__all__ = ["cut_elsewhere", "is_cut_elsewhere"]

#: Characters up to which such a place is looked for.
_LONGEST = 100
#: Rows of a small table that may be divided elsewhere, and part of them in a larger one.
_SLIPS = 4
_PART = 0.1
#: Part of the rows up to which different values are said to be few.
_CHOICES = 0.4


def is_cut_elsewhere(columns: Sequence[Column], cells: Sequence[str], at: int) -> bool:
    """Tell whether the cell at `at` and the next one would fit if divided at another place.

    Numbers that stand side by side can be divided anywhere, unless they all have so many digits.
    """
    own = cells[at], cells[at + 1]
    pair = columns[at].without(own[0]), columns[at + 1].without(own[1])
    text = "".join(own)
    if len(text) > _LONGEST:
        return False
    if text.isdecimal() or all(column.kind in NUMBERS for column in pair):
        return _have_form_otherwise(pair, own) or _has_digit_too_many(pair, own)
    return _are_values_otherwise(pair, own) or _begins_in_front(pair, own)


def _have_form_otherwise(pair: tuple[Column, Column], own: tuple[str, str]) -> bool:
    """Tell whether two cells have both the form of their columns if divided elsewhere."""
    forms = tuple(column.form or "" for column in pair)
    text, at = "".join(own), len(forms[0])
    return all(forms) and (shape(text[:at]), shape(text[at:])) == forms != tuple(map(shape, own))


def _has_digit_too_many(pair: tuple[Column, Column], own: tuple[str, str]) -> bool:
    """Tell whether one of two numbers is longer than all others, and has digits of its neighbour.

    So it is if both are among the others when divided elsewhere; or if zeros that no number begins
    with are then gone, and none is too long.
    """
    if not all(map(str.isdecimal, own)) or not all(column.has_many for column in pair):
        return False
    if not any(len(text) > column.longest for column, text in zip(pair, own, strict=True)):
        return False
    text = "".join(own)
    cuts = [(text[:at], text[at:]) for at in range(1, len(text))]
    if any(all(map(Column.knows, pair, cut)) for cut in cuts):
        return True
    has_zero = any(
        _has_leading_zero(cell) and not column.has_value(_has_leading_zero)
        for column, cell in zip(pair, own, strict=True)
    )
    return has_zero and any(
        not any(map(_has_leading_zero, cut))
        and all(len(cell) <= column.longest for column, cell in zip(pair, cut, strict=True))
        for cut in cuts
    )


def _has_leading_zero(text: str) -> bool:
    return len(text) > 1 and text[0] == "0"


def _are_values_otherwise(pair: tuple[Column, Column], own: tuple[str, str]) -> bool:
    """Tell whether two cells, none of which is a value, both are if divided elsewhere."""
    if any(map(_is_value, pair, own)):
        return False
    # One of the cells may have been empty, but not as one is now: no value moves as a whole.
    text, least = "".join(own), 0 if all(own) else 1
    cuts = ((text[:at], text[at:]) for at in range(least, len(text) + 1 - least))
    # Where a cell is no number, numbers may have more or less digits than most.
    is_value = _is_value if all(map(Column.fits, pair, own)) else _may_be_value
    return any(all(map(is_value, pair, cut)) for cut in cuts)


def _begins_in_front(pair: tuple[Column, Column], own: tuple[str, str]) -> bool:
    """Tell whether the second value of two cells begins at the end of the first one.

    What stands there goes on in the middle of a word, or is a number behind a word.
    """
    (one, two), (front, behind) = pair, own
    if not behind or one.knows(front):
        return False
    digit = DIGITS.search(front)
    if two.are_figures and one.never_has_digits and digit is not None and digit.start() > 0:
        word, whole = front[: digit.start()], front[digit.start() :] + behind
        is_known = one.knows(word) and len(whole) - len(behind) > 1
        return two.fits(whole) if is_known else _is_made_whole(two, whole, behind)
    if not two.is_no_beginning(behind):
        return False
    for at in range(1, len(front)):
        whole = front[at:] + behind
        if front[at - 1].isspace() or two.is_too_long(whole):
            continue
        is_joint = front[at].isupper() and (
            front[at - 1].isalnum() and not front[at - 1].isupper()
        )
        is_whole = one.knows(front[:at]) or (
            is_joint and one.fits(front[:at]) and not one.has_inner_capitals
        )
        if is_whole and two.begins_as_usual(whole):
            return True
    return False


def _is_made_whole(column: Column, whole: str, part: str) -> bool:
    return column.fits_closely(whole) and not column.fits_closely(part)


def _is_value(column: Column, text: str) -> bool:
    """Tell whether `text` is one of the values, or of their kind and form; or empty as others.

    Of numbers only codes have a form, but they do not begin with a zero.
    """
    if column.knows(text) or column.kind is None or not text.strip():
        return column.knows(text)
    if column.kind in NUMBERS and column.form is None and text[:1] != "0":
        return column.fits(text)
    return shape(text) == column.form or column.fits_closely(text)


def _may_be_value(column: Column, text: str) -> bool:
    """Tell the same where numbers of a form may be of any length."""
    if _is_value(column, text):
        return True
    form = column.form if column.kind in NUMBERS else None
    return form is not None and of_any_number(shape(text)) == of_any_number(form)


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

    Where values are few, it is when there is one other place, such that both are among them.
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
    return is_cut_elsewhere(list(map(Column, columns)), own, 0)


def _forms(values: Sequence[str]) -> list[str]:
    """Return what values look like: their lengths count if they have digits and no letter."""
    shapes = {value: shape(value) for value in set(values)}
    forms = {value: outline(value) if "a" in form else form for value, form in shapes.items()}
    return [forms[value] for value in values]


def _cuts(one: str, two: str) -> Iterator[tuple[str, str]]:
    """Generate the other ways to divide the text of two cells."""
    text = one + two
    return ((text[:at], text[at:]) for at in range(1, len(text)) if at != len(one))
