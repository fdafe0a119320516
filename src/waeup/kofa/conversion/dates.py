"""Cells of dates and times, in forms that leave no doubt about day and month.

A ``#`` in front or behind keeps spreadsheets from rewriting them.
"""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

from zope import schema

from waeup.kofa.conversion.converters import PROTECTION, Converter, converter_for, converts
from waeup.kofa.conversion.fields import FormattedDate
from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _

#: What comes first in a date that ends with its year.
DAY_FIRST, MONTH_FIRST = "day", "month"
_YEAR_LAST = re.compile(r"([0-9]{1,2})([./-]) ?([0-9]{1,2})\2 ?([0-9]{4})(?: 0?0:00(?::00)?)?")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")


def _iso_date(text: str) -> date | None:
    match = _ISO_DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def date_in_order(text: str, order: str) -> str | None:
    """Return a date that ends with its year of four digits as ``YYYY-MM-DD``, else None.

    `order` is `DAY_FIRST` or `MONTH_FIRST`; the text itself leaves that open.
    """
    match = _YEAR_LAST.fullmatch(text.strip().strip(PROTECTION))
    if match is None:
        return None
    first, _sep, second, year = match.groups()
    day, month = (first, second) if order == DAY_FIRST else (second, first)
    found = _iso_date(f"{year}-{month}-{day}")
    return None if found is None else found.isoformat()


def takes_iso_dates(field: Any) -> bool:
    """Tell whether the cells of a field are dates, and ``YYYY-MM-DD`` is one of them."""
    if not isinstance(field, (schema.Date, schema.Datetime)):
        return False
    probe = date(2001, 2, 3)
    try:
        value = converter_for(field).convert(probe.isoformat())
    except ConversionError:
        return False
    return (value.date() if isinstance(value, datetime) else value) == probe


@converts(schema.Date)
class DateConverter(Converter):
    """A date ``YYYY-MM-DD``."""

    def convert(self, text: str) -> date:
        """See `IFieldConverter`."""
        value = _iso_date(text.strip(PROTECTION))
        if value is None:
            raise ConversionError(
                _(
                    "Invalid datetime data: ${text} is not a date; write it as 2012-04-30.",
                    mapping={"text": shown(text)},
                )
            )
        return value

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return value.isoformat() + PROTECTION


@converts(FormattedDate)
class FormattedDateConverter(Converter):
    """A date in the format of its field, or ``YYYY-MM-DD``."""

    def __init__(self, field: Any) -> None:
        super().__init__(field)
        self._format = field.date_format
        # A format like %Y-%d-%m reads an ISO date as another day; then it alone holds.
        probe = date(2001, 2, 3)
        self._iso = self._formatted(probe.isoformat()) in (None, probe)

    def convert(self, text: str) -> date:
        """See `IFieldConverter`."""
        plain = text.strip(PROTECTION)
        value = _iso_date(plain) if self._iso else None
        if value is None:
            value = self._formatted(plain)
        if value is None:
            example = date(2012, 4, 30).strftime(self._format)
            raise ConversionError(
                _(
                    "Invalid datetime data: ${text} is not a date; write it as ${example}.",
                    mapping={"text": shown(text), "example": example},
                )
            )
        return value

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        text = value.isoformat() if self._iso else value.strftime(self._format)
        return text + PROTECTION

    def _formatted(self, text: str) -> date | None:
        try:
            # Only the day is taken; it has no zone.
            return datetime.strptime(text, self._format).date()  # noqa: DTZ007
        except ValueError:
            return None


@converts(schema.Datetime)
class DatetimeConverter(Converter):
    """A date with a time, kept in UTC; without a zone the text means UTC.

    Dates come first and the year before the month, with ``-`` or ``/`` between; time,
    seconds, fractions and zone may be left out.
    """

    _FORM = re.compile(
        r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})"
        r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6})[0-9]*)?)?"
        r"[ ]?(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})(?::([0-9]{2}))?)?)?"
    )

    def convert(self, text: str) -> datetime:
        """See `IFieldConverter`."""
        match = self._FORM.fullmatch(text.strip(PROTECTION))
        if match is not None:
            year, _sep, month, day, hour, minute, second, fraction, _utc, *offset = match.groups()
            try:
                return datetime(
                    int(year),
                    int(month),
                    int(day),
                    int(hour or 0),
                    int(minute or 0),
                    int(second or 0),
                    int((fraction or "").ljust(6, "0")),
                    tzinfo=_zone(*offset),
                ).astimezone(timezone.utc)
            except (ValueError, OverflowError):
                # A month 13, or a moment before the year 1.
                pass
        raise ConversionError(
            _(
                "Invalid datetime data: ${text} is not a date with a time; write it as "
                "2012-04-30 14:05:00.",
                mapping={"text": shown(text)},
            )
        )

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return f"{value}{PROTECTION}"


def _zone(sign: str | None, hours: str, minutes: str, seconds: str | None) -> timezone:
    if sign is None:
        return timezone.utc
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return timezone(-offset if sign == "-" else offset)
