"""What the cells of a column have in common, as far as they were seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from waeup.kofa.tabular.shapes import (
    DIGITS,
    ENOUGH,
    FIGURES,
    KINDS,
    LETTERS,
    NUMBERS,
    are_most,
    is_figure,
    majority,
    outline,
    shape,
)

__all__ = ["Column", "likeness"]

#: Values that must be there before a column is said to have a kind.
_FEW = 2
#: Values from which on those that stand again and again are said to be all that there are.
_CHOICES = 8
#: Values from which on the last cell of a file has to look complete, not just possible.
_MANY = 5
#: Values that must be there, and how often each on average, before they are said to be complete.
_COMPLETE = 20
_OFTEN = 4
_FEW_CHOICES = 16
#: Part of the rows that may be unlike the others where all seem to be of one form.
_EXCEPTIONS = 0.02
#: Rows that may be damaged in a small table.
_SLIPS = 4
#: Part of the rows that have a value where none should be empty.
_FILLED = 0.75
#: Part of the values whose length says nothing about the others.
_RARE = 0.1
#: Digits that make the form of a number.
_DIGITS = 4
#: Characters of a value that is hardly cut to another value by accident.
_LONG = 5
#: How much longer than those that were seen a text may be.
_LONGER = 1.5

#: Signs that stand behind a word, or within one, and never begin a line.
_BEHIND_WORDS = ".,:;!?)%@/"

_Part = TypeVar("_Part", str, int)

_YEAR = re.compile(r"(?:19|20)\d\d")
_WORDS = re.compile(r"[^\W\d_]+")


class Column:
    """The values of one column, as far as they were seen."""

    def __init__(self, values: Sequence[str]) -> None:
        self._all = values
        self._values = [value for value in values if value.strip()]
        self._others: dict[str, Column] = {}

    @cached_property
    def kind(self) -> re.Pattern[str] | None:
        """An expression for the values of the column; None when any text may be one."""
        values = self._values
        if len(values) < _FEW:
            return None
        for kind in KINDS:
            if are_most(sum(map(bool, map(kind.fullmatch, values))), len(values)):
                return kind
        if not are_most(sum(map(bool, map(DIGITS.search, values))), len(values)):
            return None
        common = majority([outline(value) for value in values])
        if common is None or "9" not in common or len(common) > 12:
            return None
        parts = [{"9": r"\d+", "a": r"[^\W\d_]+"}.get(part, re.escape(part)) for part in common]
        return re.compile("".join(parts))

    @property
    def are_figures(self) -> bool:
        """Whether the values are numbers, dates or times."""
        return self.kind in FIGURES

    def has_figure(self, text: str) -> bool:
        """Tell whether `text` is a figure among figures; years among others are names."""
        if not self.are_figures or not is_figure(text):
            return False
        return _YEAR.fullmatch(text) is None or self.fits_closely(text)

    @cached_property
    def characters(self) -> re.Pattern[str]:
        """An expression for the characters of figures, as they were seen."""
        seen = {char for value in self._values if self.fits(value) for char in value}
        return re.compile(rf"[\d\s+.,{re.escape(''.join(sorted(seen)))}-]*")

    @cached_property
    def _lengths(self) -> tuple[int, int]:
        lengths = [len(value) for value in self._values]
        return min(lengths, default=0), max(lengths, default=0)

    @property
    def longest(self) -> int:
        """Characters of the longest value."""
        return self._lengths[1]

    @cached_property
    def _stand_again(self) -> bool:
        """Whether the values are few that stand again and again."""
        return len(self._counts) <= len(self._values) / 2

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(self._all)

    def fits(self, text: str) -> bool:
        """Tell whether `text` can be a value of the column."""
        return self.kind is None or not text.strip() or self.kind.fullmatch(text) is not None

    def is_odd(self, text: str) -> bool:
        """Tell whether `text` is unlike the values: of another kind, or a figure among words.

        What stands in several rows, such as ``absent`` among marks, is usual.
        """
        if self.kind is not None:
            return not self.fits(text) and not self.is_usual(text)
        return self.has_words and is_figure(text)

    def likeness(self, text: str, closely: bool = False) -> int:
        """Return 1 when `text` is like the values, -1 when it is unlike them, or 0.

        `closely` asks for a figure to have the length that they have, and for a word to
        begin as they do.
        """
        if not text.strip():
            return -1 if self.is_always_filled else 0
        if self.is_odd(text):
            return -1
        if self.kind is not None:
            # Few numbers do not tell how long others are.
            loosely = not closely or (self.form is None and len(self._values) < _CHOICES)
            return 1 if self.fits(text) and (loosely or self.fits_closely(text)) else 0
        if self.are_choices:
            # What stands once may come from the damaged row in question.
            return min(self._counts[text], 2) - 1
        if closely and self._values and not self.begins_as_usual(text):
            return 0
        return 1 if self.has_words else 0

    def begins_as_usual(self, text: str) -> bool:
        """Tell whether a word begins as others do, and has digits only if others have."""
        own = self._counts[text]
        has_digits = DIGITS.search(text) is not None
        return self._initials[_initial(text)] > own and (not has_digits or self._with_digits > own)

    @property
    def never_has_digits(self) -> bool:
        """Whether there are enough values, and no digit in any."""
        return self._with_digits == 0 and len(self._values) >= ENOUGH

    @property
    def always_has_digits(self) -> bool:
        """Whether there are enough values, and digits in each."""
        return self._with_digits == len(self._values) >= ENOUGH

    @cached_property
    def has_inner_capitals(self) -> bool:
        """Whether a capital stands behind a small letter or a digit in some value."""
        return any(
            after.isupper() and before.isalnum() and not before.isupper()
            for value in self._values
            for before, after in pairwise(value)
        )

    @cached_property
    def _initials(self) -> Counter[str]:
        return Counter(map(_initial, self._values))

    @cached_property
    def _with_digits(self) -> int:
        return sum(map(bool, map(DIGITS.search, self._values)))

    def lacks_digits(self, text: str) -> bool:
        """Tell whether `text` has no digits, where all values have some."""
        values = len(self._values)
        return values >= _MANY and self._with_digits == values and not DIGITS.search(text)

    @cached_property
    def has_capitals(self) -> bool:
        """Whether there is a capital in each value."""
        return len(self._all) >= _MANY and not any(map(str.islower, self._all))

    @cached_property
    def are_choices(self) -> bool:
        """Whether the values are texts that stand again and again, and enough of them."""
        return self.kind is None and self._stand_again and len(self._values) >= _CHOICES

    @property
    def choices(self) -> frozenset[str] | None:
        """All values, if they are few and seem to be all that there are."""
        most = min(_FEW_CHOICES, len(self._values) / _OFTEN)
        if len(self._values) < _COMPLETE or len(self._counts) > most:
            return None
        return frozenset(value for value, count in self._counts.items() if count > 1)

    @property
    def is_always_filled(self) -> bool:
        """Whether few values are empty, so that an empty one is odd."""
        return len(self._values) >= max(ENOUGH, _FILLED * len(self._all))

    @cached_property
    def is_never_empty(self) -> bool:
        """Whether there is a value in all rows but perhaps a damaged one."""
        empty = len(self._all) - len(self._values)
        return len(self._values) >= _MANY and self._are_exceptions(empty)

    def _are_exceptions(self, count: int) -> bool:
        """Tell whether `count` rows are no more than may be damaged."""
        total = len(self._all)
        return count <= max(_EXCEPTIONS * total, min(total // 10, _SLIPS), total > _MANY)

    @cached_property
    def form(self) -> str | None:
        """The shape that the values have, as by `shape`; None when there is none with digits.

        Few of them may have another one: they may be damaged.
        """
        if len(self._values) < _MANY:
            return None
        form, count = Counter(map(shape, self._values)).most_common(1)[0]
        if "9" not in form or (form.isdecimal() and len(form) < _DIGITS):
            return None  # small numbers, one of which will be larger
        return form if self._are_exceptions(len(self._values) - count) else None

    @cached_property
    def signs(self) -> tuple[tuple[str, int], ...]:
        """What stands in each value of a kind such as addresses or codes, and how often."""
        if self.kind is None or self.are_figures:
            return ()
        fitting = [value for value in self._values if self.fits(value)]
        counts = [Counter(value) for value in fitting]
        signs = [
            (char, often)
            for char, often in counts[0].items()
            if not char.isalnum() and all(other[char] == often for other in counts)
        ]
        # Behind the end of the value before, thus not counted elsewhere.
        start = self.beginning
        return (*signs, ("\n" + start, 1)) if start else tuple(signs)

    @cached_property
    def beginning(self) -> str:
        """What stands before the first digit of all values but damaged ones, if it is one text."""
        if self.kind is None or self.are_figures:
            return ""
        starts = Counter(DIGITS.split(value, 1)[0] for value in self._values)
        start, count = starts.most_common(1)[0]
        return start if self._are_exceptions(len(self._values) - count) else ""

    def is_usual(self, text: str) -> bool:
        """Tell whether `text` stands in several rows."""
        return self._counts[text] >= _FEW

    def has_value(self, condition: Callable[[str], bool]) -> bool:
        """Tell whether one of the values meets the condition."""
        return any(map(condition, self._values))

    def knows(self, text: str) -> bool:
        """Tell whether `text` is one of the values."""
        return text in self._counts

    @property
    def has_likeness(self) -> bool:
        """Whether the values are alike enough to tell others from them."""
        return self.kind is not None or self.has_words

    @cached_property
    def has_words(self) -> bool:
        """Whether the values are words, not figures."""
        words = sum(map(bool, map(LETTERS.search, self._values)))
        return len(self._values) >= ENOUGH and are_most(words, len(self._values))

    def fits_closely(self, text: str) -> bool:
        """Tell whether `text` is of the column's kind, and of the form of its values."""
        if self.kind is None or not self.kind.fullmatch(text):
            return False
        if self.kind not in KINDS:
            # Letters that are hardly ever the same may be any.
            vary = len(self._words) > len(self._values) / 2
            known = vary or set(_WORDS.findall(text)) <= self._words
            few = len(self._shapes) <= len(self._values) / 4
            return known and (not few or shape(text) in self._shapes)
        low, high = self._usual_lengths
        return low <= len(text) <= high

    @cached_property
    def _usual_lengths(self) -> tuple[int, int]:
        """The bounds of lengths without those of few values, which may be damaged."""
        usual = self._frequent(map(len, self._values))
        return min(usual, default=0), max(usual, default=0)

    @cached_property
    def _shapes(self) -> frozenset[str]:
        return self._frequent(map(shape, self._values))

    @cached_property
    def _words(self) -> frozenset[str]:
        return self._frequent(word for value in self._values for word in _WORDS.findall(value))

    def _frequent(self, parts: Iterable[_Part]) -> frozenset[_Part]:
        """Return those of the parts of values that damaged rows do not account for."""
        counts = Counter(parts)
        least = max(1, _RARE * len(self._values))
        return frozenset(part for part, count in counts.items() if count > least) or frozenset(
            counts
        )

    def without(self, text: str) -> Column:
        """Return the column without one of the values `text`."""
        if not self.knows(text):
            return self
        # Asked again and again about few texts; what is known of a column is worth keeping.
        if text not in self._others:
            values = list(self._all)
            values.remove(text)
            self._others[text] = Column(values)
        return self._others[text]

    def is_whole(self, text: str) -> bool | None:
        """Tell whether the value `text` is complete, or was cut off at its end.

        None when the other values do not tell.
        """
        if not self._values:
            return True if not text and self._all else None
        if not text.strip():
            return None if "" in self._counts else False
        if text[-1].isspace() and not any(value[-1].isspace() for value in self._values):
            return False
        form = majority([shape(value) for value in self._values])
        # Words of one length are an accident.
        if form is not None and not form.isalpha() and len(self._values) >= ENOUGH:
            if shape(text) == form:
                return True
            if len(set(map(shape, self._values))) == 1:
                return False
        longer = any(value != text and value.startswith(text) for value in self._counts)
        if text in self._counts and not longer and len(text) >= _LONG:
            return True
        if self._stand_again:
            if text in self._counts:
                return None if longer else True
            if longer:
                return False
        return self._ends_whole(text) if len(self._values) >= ENOUGH else None

    def _ends_whole(self, text: str) -> bool | None:
        """Tell by its length and its end whether `text` is complete; see `is_whole`."""
        low, high = self._lengths
        if self.kind in NUMBERS and "." not in text:
            if len(text) >= high and not any("." in value for value in self._values):
                return True
            return False if len(text) < low else None
        ending = majority([shape(value[-3:]) for value in self._values])
        if ending is not None and not ending.isalnum():
            return shape(text[-3:]) == ending
        ending = majority([value[-1:] for value in self._values])
        if ending is not None and not ending.isalnum():
            return text.endswith(ending)
        # Sentences end with signs, if not all with the same.
        open_ends = sum(value[-1].isalnum() for value in self._values)
        return False if text[-1].isalnum() and self._are_exceptions(open_ends) else None

    def may_begin_like(self, text: str) -> bool:
        """Tell whether values begin with a letter, digit or sign as `text` does."""
        return not self._values or shape(text[:1]) in {shape(value[0]) for value in self._values}

    def may_end_like(self, text: str) -> bool:
        """Tell whether values end with a letter, digit or sign as `text` does."""
        return not self._values or shape(text[-1:]) in {shape(v[-1]) for v in self._values}

    def has_choice(self, text: str) -> bool:
        """Tell whether `text` is one of few values that stand again and again."""
        return self._stand_again and text in self._counts

    @cached_property
    def _forms(self) -> list[tuple[Callable[[str], str], str]]:
        """The ways to shorten values that make most of them the same, and what they are then."""
        shortened = ((way, majority(list(map(way, self._values)))) for way in (shape, outline))
        return [(way, form) for way, form in shortened if form is not None]

    def is_completed(self, part: str, whole: str) -> bool:
        """Tell whether `whole` is like the values, and `part`, a piece of it, is not."""
        if not part and "" in self._counts:
            return False
        if self.kind is not None and not self.fits(part):
            return self.fits(whole)
        if _host(part) not in self._hosts and _host(whole) in self._hosts:
            return True
        # Words of one length are an accident, codes in capitals are not, be they only two.
        if len(self._values) >= (_FEW if whole.isupper() else ENOUGH):
            forms = [
                (shorten, form)
                for shorten, form in self._forms
                if whole.isupper() or not form.isalpha()
            ]
            if forms:
                return any(shorten(whole) == form != shorten(part) for shorten, form in forms)
        return self._counts[whole] > 0 and self._counts[part] < _FEW

    @cached_property
    def _hosts(self) -> frozenset[str]:
        """What stands behind the sign in the middle of mail addresses."""
        return frozenset(_host(value) for value in self._values if "@" in value)

    def is_too_long(self, text: str) -> bool:
        """Tell whether `text` is longer than values are, by far if they are words."""
        longest = self._lengths[1]
        known = self.has_many and longest > 0
        return known and len(text) > longest * (1 if self.kind else _LONGER)

    def is_no_beginning(self, text: str) -> bool:
        """Tell whether `text` goes on in the middle of a word, and no value begins so."""
        first = text[:1]
        goes_on = first.islower() or (first != "" and first in _BEHIND_WORDS)
        return goes_on and self._initials[_initial(text)] == 0 < len(self._values)

    def begins_whole(self, text: str) -> bool:
        """Tell whether the value `text` is certainly complete at its beginning."""
        form = majority([shape(value) for value in self._values])
        if form is not None and len(self._values) >= ENOUGH:
            return shape(text) == form
        longer = any(value != text and value.endswith(text) for value in self._counts)
        return self._stand_again and text in self._counts and not longer

    @property
    def has_many(self) -> bool:
        """Whether enough values were seen to expect an answer of `is_whole`."""
        return len(self._all) >= _MANY


def likeness(columns: Sequence[Column], cells: Sequence[str]) -> int:
    """Return how many more of `cells` are closely like their columns than unlike."""
    return sum(
        column.likeness(cell, closely=True) for column, cell in zip(columns, cells, strict=True)
    )


def _host(text: str) -> str:
    return text.rpartition("@")[2]


def _initial(text: str) -> str:
    """Return of which kind the first character of `text` is: upper or lower case, or itself."""
    first = text[:1]
    return "A" if first.isupper() else shape(first)
