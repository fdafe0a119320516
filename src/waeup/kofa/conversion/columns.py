"""Whole columns of cells to values: the quick way of an import.

A `Column` does for many cells at once what `FieldPlan.convert` does for one.  It says nothing of
a cell that is wrong: that one is `UNSETTLED`, and whoever wants to know more asks the plan.
Texts are looked at together, in a few passes in C; what repeats, such as dates and codes, is
converted once and remembered.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from waeup.kofa.conversion.cells import IGNORED, MARKERS
from waeup.kofa.conversion.checks import TextCheck, has_rule
from waeup.kofa.conversion.choices import ChoiceConverter
from waeup.kofa.conversion.converters import (
    AsciiConverter,
    BoolConverter,
    DecimalConverter,
    FloatConverter,
    IntConverter,
    PhoneConverter,
    TextConverter,
)
from waeup.kofa.conversion.dates import DateConverter, DatetimeConverter, FormattedDateConverter
from waeup.kofa.conversion.plan import FieldPlan
from waeup.kofa.interfaces import DELETION_MARKER

#: Stands for the value of a cell that `FieldPlan.convert` has to look at.
UNSETTLED: Any = object()

#: Values of one column that are remembered; days of twenty-five years are fewer.  A column with
#: more does not repeat itself, and is converted cell by cell from then on.
MOST_REMEMBERED = 10_000
#: Characters of a cell that is remembered.
LONGEST_REMEMBERED = 64

# For these a cell means the same value as long as the table is read.  A converter of a site, or
# a class derived from one of these, may ask the database.
_CONSTANT = frozenset(
    (
        BoolConverter,
        DateConverter,
        DatetimeConverter,
        DecimalConverter,
        FloatConverter,
        FormattedDateConverter,
        IntConverter,
    )
)
# Values that may be given to many objects.
_SHARED = frozenset((bool, date, datetime, Decimal, float, int, str, type(IGNORED), type(None)))
# Phone numbers whose value is the text itself, each behind a line end.
_PHONES = re.compile(rf"(?:\n{PhoneConverter.COMPLETE.pattern})*")


class Column:
    """Converts cells of the field of a `plan`, one by one.

    `are_texts` says that values are the texts without outer blanks, but for few of them.
    """

    are_texts = False

    def __init__(self, plan: FieldPlan, mode: str, ignore_empty: bool) -> None:
        self._convert = plan.convert
        self._mode = mode
        self._ignore_empty = ignore_empty

    def convert(self, cells: Sequence[str]) -> tuple[list[Any], bool]:
        """Return the values of `cells`, and whether any may be `UNSETTLED` or `IGNORED`."""
        return [self._one(cell) for cell in cells], True

    def _one(self, cell: str) -> Any:
        try:
            return self._convert(cell, self._mode, self._ignore_empty)
        except Exception:
            # Also what is no error of a cell: the plan raises it again.
            return UNSETTLED


class _Texts(Column):
    """Converts cells whose value is their text, unless something about them is special."""

    are_texts = True

    def __init__(self, plan: FieldPlan, mode: str, ignore_empty: bool) -> None:
        super().__init__(plan, mode, ignore_empty)
        self._are_good = plan.check.are_good if isinstance(plan.check, TextCheck) else None
        self._have_form = _FORMS[type(plan.converter)]

    def convert(self, cells: Sequence[str]) -> tuple[list[Any], bool]:
        """See `Column`."""
        values: list[Any] = list(map(str.strip, cells))
        found = MARKERS.intersection(values)
        texts = [text for text in values if text not in found] if found else values
        joined = "\n".join(("", *texts))
        if (
            "\0" in joined
            or not self._have_form(joined)
            or (self._are_good is not None and not self._are_good(texts, joined))
        ):
            return super().convert(cells)
        if found:
            if DELETION_MARKER in found:
                # It may stand for a default that is another one each time.
                values = [self._one(text) if text in found else text for text in values]
            else:
                meanings = {marker: self._one(marker) for marker in found}
                values = list(map(meanings.get, values, values))
        if "\n'" not in joined:
            return values, bool(found)
        # The cell may be a guarded one.
        values = [
            self._one(cell) if cell[:1] == "'" else value
            for cell, value in zip(cells, values, strict=True)
        ]
        return values, True


_FORMS: dict[type, Callable[[str], object]] = {
    TextConverter: lambda joined: True,
    AsciiConverter: str.isascii,
    PhoneConverter: _PHONES.fullmatch,
}


class _Memory(dict[str, Any]):
    """Cell -> value; a cell that is not known is converted by `convert`.

    `is_special` tells whether a value was `UNSETTLED` or `IGNORED`.
    """

    def __init__(self, convert: Callable[[str], Any]) -> None:
        super().__init__()
        self._convert = convert
        self.is_special = False

    def __missing__(self, cell: str) -> Any:
        value = self._convert(cell)
        if value is UNSETTLED:
            self.is_special = True
            return value
        self.is_special = self.is_special or value is IGNORED
        if (
            type(value) in _SHARED
            and len(cell) <= LONGEST_REMEMBERED
            # A default may be another one each time.
            and cell.strip() != DELETION_MARKER
        ):
            self[cell] = value
        return value


class _Remembered(Column):
    """Converts each different cell once."""

    def __init__(self, plan: FieldPlan, mode: str, ignore_empty: bool) -> None:
        super().__init__(plan, mode, ignore_empty)
        self._memory: _Memory | None = _Memory(self._one)

    def convert(self, cells: Sequence[str]) -> tuple[list[Any], bool]:
        """See `Column`."""
        memory = self._memory
        if memory is None:
            return super().convert(cells)
        values = list(map(memory.__getitem__, cells))
        if len(memory) > MOST_REMEMBERED:
            self._memory = None
        return values, memory.is_special


def compile_column(plan: FieldPlan, mode: str, ignore_empty: bool) -> Column:
    """Return what converts many cells as `plan` does with this mode and `ignore_empty`."""
    field, converter = plan.field, plan.converter
    kind = type(converter)
    if kind in _FORMS and (plan.check is None or isinstance(plan.check, TextCheck)):
        return _Texts(plan, mode, ignore_empty)
    is_listed = kind is ChoiceConverter and converter.is_listed
    if (is_listed or kind in _CONSTANT) and not has_rule(field, converter):
        return _Remembered(plan, mode, ignore_empty)
    return Column(plan, mode, ignore_empty)
