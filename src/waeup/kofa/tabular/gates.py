"""The quick look at a column: do all of many values have the form of the others?

Asked for each block of rows by the quick way (`quick`), thus a few passes in C over all
values at once.  A gate may let something odd through, and what it stops is looked at by
the careful way: not refused.
"""

from __future__ import annotations

import re
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
        self._are_integers = column.kind is INTEGER
        self._characters = column.characters if column.are_figures else None
        self._is_filled = column.is_never_empty
        self._form = column.form if column.is_never_empty else None
        self._signs = column.signs if column.is_never_empty else ()

    @property
    def is_useful(self) -> bool:
        """Whether there is something to look for."""
        return bool(self._characters or self._form or self._signs)

    def passes(self, values: Sequence[str]) -> bool:
        """Tell whether all `values` can be those of the column."""
        text = "\n".join(("", *values, ""))
        count = len(values)
        if self._form is not None:
            return self._have_form(text, count, self._form)
        if self._signs and any(text.count(sign) != count * often for sign, often in self._signs):
            return False
        return self._characters is None or self._are_figures(text, self._characters)

    def _are_figures(self, text: str, characters: re.Pattern[str]) -> bool:
        if self._is_filled and "\n\n" in text:
            return False
        joined = text.replace("\n", "")
        # Digits alone are the rule, and quickly seen.
        if joined.isdecimal():
            return True
        if not self._are_integers:
            return characters.fullmatch(joined) is not None
        # A sign stands in front of its number.
        plain = joined.replace("-", "") if joined.count("-") == text.count("\n-") else joined
        return not plain or plain.isdecimal() or _INTEGERS.fullmatch(text, 1) is not None

    def _have_form(self, text: str, count: int, form: str) -> bool:
        """Tell whether lines of one length have at each place what the `form` says."""
        step = len(form) + 1
        if len(text) != count * step + 1:
            return False
        for at, sign in enumerate(f"\n{form}"):
            column = text[at::step]
            if sign == "9":
                fits = column.isdecimal()
            elif sign == "a":
                fits = column.isalpha()
            else:
                fits = column.count(sign) == len(column)
            if not fits:
                return False
        return True
