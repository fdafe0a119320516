"""Numbers, sizes and times as people of a country write them.

What is written into files never goes through here.
"""

from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any

from waeup.kofa.i18n import LANGUAGES, Number

#: Units of bytes, each a thousand times the one before.
_UNITS = ("kilobyte", "megabyte", "gigabyte", "terabyte")
#: What an English text is written like where the browser names no country.
_USUAL = {"en": "en_GB"}


class Formats:
    """How things are written in the place of the person; `tag` is like ``de-AT``."""

    def __init__(self, tag: str) -> None:
        self.locale = _locale(tag)

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with `digits` behind the sign that separates them."""
        from babel.numbers import format_decimal

        pattern = "#,##0" + (f".{'0' * digits}" if digits else "")
        return format_decimal(value, pattern, locale=self.locale)

    def decimal(self, value: float) -> str:
        """Return a number with as many digits as it has."""
        from babel.numbers import format_decimal

        return format_decimal(value, locale=self.locale)

    def percent(self, fraction: float) -> str:
        """Return a share of 1 in percent, without a comma."""
        from babel.numbers import format_percent

        return format_percent(fraction, locale=self.locale)

    def size(self, size: int) -> str:
        """Return a number of bytes, rounded to what people can grasp."""
        from babel.units import format_unit

        if size < 1000:
            return format_unit(size, "digital-byte", "long", locale=self.locale)
        value, unit = size / 1000, _UNITS[0]
        for larger in _UNITS[1:]:
            if value < 1000:
                break
            value, unit = value / 1000, larger
        # The short form of one kilobyte is a long word in some languages: "1 kbyte".
        text = format_unit(2, f"digital-{unit}", "short", locale=self.locale)
        return text.replace("2", self.decimal(round(value, 1)), 1)

    def time(self, moment: datetime, zone: tzinfo | None) -> str:
        """Return a moment in a time zone; None stands for that of the server."""
        from babel.dates import format_datetime

        local = moment.astimezone(zone)
        # Babel would take the time zone for its own; the moment has been moved already.
        return format_datetime(local.replace(tzinfo=None), "medium", locale=self.locale)

    def day(self, day: date, parts: str) -> str:
        """Return a day; `parts` are those that are said of it, as in ``yMMMd`` (CLDR)."""
        from babel.dates import format_skeleton

        return format_skeleton(parts, day, locale=self.locale)

    def date(self, moment: datetime, zone: tzinfo | None) -> str:
        """Return the day of a moment in a time zone."""
        from babel.dates import format_date

        return format_date(moment.astimezone(zone).date(), "medium", locale=self.locale)

    def say(self, value: Any) -> str:
        """Return a value that stands in a text."""
        return self.number(value.value, value.digits) if isinstance(value, Number) else str(value)


@lru_cache(maxsize=256)
def formats_for(tag: str) -> Formats:
    """Return how things are written where people speak `tag`."""
    return Formats(tag)


def _locale(tag: str) -> Any:
    """Return what Babel knows of a language and country; of the language alone if need be."""
    from babel import Locale, UnknownLocaleError

    language = tag.partition("-")[0].lower()
    language = language if language in LANGUAGES else "en"
    usual = _USUAL.get(language, language)
    try:
        found = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(usual)
    return found if found.territory and found.language == language else Locale.parse(usual)
