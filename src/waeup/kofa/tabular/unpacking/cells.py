"""Values of workbook cells as the text of a plain table.

Each form is one that `waeup.kofa.conversion` reads back to the same value; tests hold the two
rooms together.  Texts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["text_of"]

_PLAIN = 1e16


def text_of(value: Any) -> str:
    """Return the text for `value`, as it comes from calamine.

    Whole numbers have no decimal point, others the shortest text that gives the same number.
    Dates are ``2012-04-30``, with a time ``2012-04-30 14:05:00``; times ``14:05:00`` and
    durations ``26:30:00``; truth is ``TRUE`` or ``FALSE``, as on the sheet.
    """
    return _FORMS.get(type(value), str)(value)


def _number(value: float) -> str:
    if not value.is_integer():
        return repr(value)
    # Beyond what repr writes without an exponent, no digits that nobody typed.
    return str(int(value)) if abs(value) < _PLAIN else format(Decimal(repr(value)), "f")


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _moment(value: datetime) -> str:
    return value.isoformat(" ")


def _duration(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours = value.days * 24 + minutes // 60
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}{hours}:{minutes % 60:02d}:{seconds:02d}{fraction}"


_FORMS: dict[type, Callable[[Any], str]] = {
    bool: _truth,
    date: date.isoformat,
    datetime: _moment,
    float: _number,
    time: time.isoformat,
    timedelta: _duration,
}
