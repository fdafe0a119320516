"""The quick look at a column: do all of many values have the form of the others?

Asked for each block of rows by the quick way (`quick`), thus a few passes in C over all
values at once.  A gate may let something odd through, and what it stops is looked at by
the careful way: not refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.shapes import INTEGER

__all__ = ["Gate"]

_INTEGERS = re.compile(r"(?:[+-]?\d*\n)*")


class Gate:
    """The test for values of the `column` at position `at` of a row."""

    def __init__(self, at: int, column: Column) -> None:
        self.at = at
        #: Rows that were sound, though a value did not pass.
        self.exceptions = 0
        #: Values that were looked at.
        self.seen = 0
        self._are_integers = column.kind is INTEGER
        self._characters = column.characters if column.are_figures else None
        self._is_filled = column.is_always_filled
        form = (column.form if column.is_never_empty else None) or ""
        self._length = len(form)
        self._begins_with_letter = form.startswith("a")
        self._literals = tuple(Counter(sign for sign in form if not sign.isalnum()).items())
        self._signs = column.signs if column.is_never_empty else ()
        self.has_capitals = column.kind is None and column.has_capitals
        self._choices = column.choices if not column.are_figures else None

    @property
    def is_useful(self) -> bool:
        """Whether there is something to look for."""
        return bool(self._characters or self._length or self._signs or self._choices)

    def passes(self, values: Sequence[str]) -> bool:
        """Tell whether all `values` can be those of the column."""
        self.seen += len(values)
        if self._choices is not None:
            return self._choices.issuperset(values)
        if self._is_filled and not all(values):
            return False
        if self._length:
            return self._have_form("\n".join(values), len(values))
        if self._signs:
            text, count = "\n".join(("", *values)), len(values)
            return all(text.count(sign) == count * often for sign, often in self._signs)
        if self._characters is not None:
            return self._are_figures(values, self._characters)
        return not self.has_capitals or not any(map(str.islower, values))

    def _are_figures(self, values: Sequence[str], characters: re.Pattern[str]) -> bool:
        joined = "".join(values)
        # Digits alone are the rule, and quickly seen.
        if joined.isdecimal():
            return True
        if not self._are_integers:
            return characters.fullmatch(joined) is not None
        text = "\n".join(("", *values, ""))
        # A sign stands in front of its number.
        plain = joined.replace("-", "") if joined.count("-") == text.count("\n-") else joined
        return not plain or plain.isdecimal() or _INTEGERS.fullmatch(text, 1) is not None

    def _have_form(self, text: str, count: int) -> bool:
        """Tell whether all lines have the length and the signs of the form."""
        step = self._length + 1
        if len(text) != count * step - 1 or text[self._length :: step].count("\n") != count - 1:
            return False
        if not self._literals and not self._begins_with_letter:
            return text.replace("\n", "").isdecimal()
        return (not self._begins_with_letter or text[::step].isalpha()) and all(
            text.count(sign) == count * often for sign, often in self._literals
        )
