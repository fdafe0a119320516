"""Cells for values whose field is not known, such as computed columns of an export."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from zope import schema

from waeup.kofa.conversion.cells import guard
from waeup.kofa.conversion.converters import (
    BoolConverter,
    Converter,
    DecimalConverter,
    FloatConverter,
    IntConverter,
)
from waeup.kofa.conversion.dates import DateConverter, DatetimeConverter
from waeup.kofa.conversion.sequences import SequenceConverter

# A bool is an int, and a datetime is a date: the narrower type comes first.
_CONVERTERS: tuple[tuple[type | tuple[type, ...], Converter], ...] = (
    (bool, BoolConverter(schema.Bool())),
    (int, IntConverter(schema.Int())),
    (float, FloatConverter(schema.Float())),
    (Decimal, DecimalConverter(schema.Decimal())),
    (datetime, DatetimeConverter(schema.Datetime())),
    (date, DateConverter(schema.Date())),
    ((list, tuple, set, frozenset), SequenceConverter(schema.List())),
)


def render_value(value: Any, safe: bool = True) -> str:
    """Return the cell for `value` by its type; `safe` guards texts.

    The forms are those of the fields: ``1`` for True, ``2012-04-30#`` for a date,
    nothing for None.  A value of another type is written as its text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        for kind, converter in _CONVERTERS:
            if isinstance(value, kind):
                return converter.render(value)
    text = str(value)
    return guard(text) if safe and text else text
