"""Codecs of single values: texts, numbers, times, bytes, and what is one of some words.

They stand on nothing but the contract in `codecs`; what comes in is held to the bounds that the
annotation gives, or else to those that are here.
"""

import base64
import binascii
import math
import re
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from typing import Any

from waeup.kofa.api.plain.codecs import NO_BOUND, Bound, Codec
from waeup.kofa.api.plain.reading import Reading
from waeup.kofa.api.plain.schemas import Parts
from waeup.kofa.i18n import english

#: Numbers that each language of programs keeps exactly (RFC 7493).
MOST = 2**53 - 1
#: Characters of a text that may come in.
MOST_CHARACTERS = 100_000
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Null(Codec):
    """Null alone."""

    def dump(self, value: Any) -> Any:
        if value is not None:
            raise TypeError(f"{value!r} is not None")

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        return None if data is None else reading.wrong(pointer, "This is null.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "null"}


class Boolean(Codec):
    """True and false."""

    def dump(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise TypeError(f"{value!r} is neither true nor false")
        return value

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        return data if isinstance(data, bool) else reading.wrong(pointer, "Say true or false.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "boolean"}


class Integer(Codec):
    """Whole numbers."""

    def __init__(self, bound: Bound = NO_BOUND) -> None:
        self.least = -MOST if bound.least is None else int(bound.least)
        self.most = MOST if bound.most is None else int(bound.most)

    def dump(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{value!r} is no whole number")
        return int(value)

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            return reading.wrong(pointer, "Give a whole number.")
        if not self.least <= data <= self.most:
            return reading.wrong(pointer, f"Give a whole number from {self.least} to {self.most}.")
        return data

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Number(Codec):
    """Finite numbers."""

    def __init__(self, bound: Bound = NO_BOUND) -> None:
        self.bound = bound

    def dump(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{value!r} is no number")
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no finite number")
        return value

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | float):
            return reading.wrong(pointer, "Give a number.")
        try:
            number = float(data)
        except OverflowError:
            number = math.inf
        least, most = self.bound.least, self.bound.most
        if not math.isfinite(number):
            return reading.wrong(pointer, "Give a smaller number.")
        if (least is not None and number < least) or (most is not None and number > most):
            return reading.wrong(pointer, f"Give a number from {least:g} to {most:g}.")
        return number

    def schema(self, parts: Parts) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "number"}
        if self.bound.least is not None:
            found["minimum"] = self.bound.least
        if self.bound.most is not None:
            found["maximum"] = self.bound.most
        return found


class Text(Codec):
    """Texts; what comes in may be held to a length and a pattern."""

    def __init__(self, bound: Bound = NO_BOUND) -> None:
        self.shortest = bound.shortest
        self.longest = MOST_CHARACTERS if bound.longest is None else bound.longest
        self.pattern = bound.pattern

    def dump(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
        return english(value)

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if not isinstance(data, str):
            return reading.wrong(pointer, "Give a text.")
        if len(data) > self.longest:
            return reading.wrong(pointer, f"The text has more than {self.longest} characters.")
        if len(data) < (self.shortest or 0):
            return reading.wrong(pointer, f"The text has fewer than {self.shortest} characters.")
        if self.pattern is not None and re.search(self.pattern, data) is None:
            return reading.wrong(pointer, f"The text does not fit {self.pattern}.")
        # What the portal sends may be a name of bytes that are no characters.
        if reading.strict and any("\ud800" <= character <= "\udfff" for character in data):
            return reading.wrong(pointer, "The text has half of a character (a surrogate).")
        return data

    def schema(self, parts: Parts) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "string"}
        if parts.incoming:
            found["maxLength"] = self.longest
            if self.shortest is not None:
                found["minLength"] = self.shortest
            if self.pattern is not None:
                found["pattern"] = self.pattern
        return found


class Bytes(Codec):
    """Bytes, as base64."""

    def dump(self, value: Any) -> Any:
        return base64.b64encode(value).decode("ascii")

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        with suppress(TypeError, ValueError, binascii.Error):
            value = base64.b64decode(data, validate=True)
            # What is besides there, some releases of Python pass over.
            if base64.b64encode(value).decode("ascii") == data:
                return value
        return reading.wrong(pointer, "Give bytes as base64.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "string", "contentEncoding": "base64"}


class Moment(Codec):
    """Times, in UTC as in RFC 3339; other zones may come in."""

    def dump(self, value: Any) -> Any:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise TypeError(f"{value!r} is no moment")
        moment = value.astimezone(timezone.utc).replace(tzinfo=None)
        return moment.isoformat() + "Z"

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        found = _MOMENT.fullmatch(data) if isinstance(data, str) else None
        try:
            if found is None:
                raise ValueError
            day, clock, fraction, zone = found.groups()
            moment = datetime.fromisoformat(f"{day}T{clock}")
            moment = moment.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
            if zone not in "Zz":
                hours, minutes = int(zone[1:3]), int(zone[4:])
                if hours > 23 or minutes > 59:
                    raise ValueError
                offset = timedelta(hours=hours, minutes=minutes)
                moment += offset if zone[0] == "-" else -offset
            return moment.replace(tzinfo=timezone.utc)
        except (ValueError, OverflowError):
            return reading.wrong(
                pointer, "Give a time as in RFC 3339, such as 2026-01-31T10:00:00Z."
            )

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class Day(Codec):
    """Days."""

    def dump(self, value: Any) -> Any:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise TypeError(f"{value!r} is no day")
        return value.isoformat()

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        try:
            if not isinstance(data, str) or _DAY.fullmatch(data) is None:
                raise ValueError
            return date.fromisoformat(data)
        except ValueError:
            return reading.wrong(pointer, "Give a day such as 2026-01-31.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


#: Texts that have no bounds of their own.
TEXT = Text()


class Scalar(Codec):
    """Any single value that JSON knows: a text, a number, true, false or null."""

    def dump(self, value: Any) -> Any:
        if isinstance(value, str):
            return english(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value!r} is no finite number")
        if value is None or isinstance(value, bool | int | float):
            return value
        raise TypeError(f"{value!r} is no single value")

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if isinstance(data, dict | list):
            return reading.wrong(pointer, "Give a text, a number, true, false or null.")
        if isinstance(data, str):
            return TEXT.load(data, pointer, reading)
        if isinstance(data, int) and not -MOST <= data <= MOST:
            return reading.wrong(pointer, "Give a smaller number.")
        if isinstance(data, float) and not math.isfinite(data):
            return reading.wrong(pointer, "Give a smaller number.")
        return data

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean", "null"]}


class Choice(Codec):
    """One of some values."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def dump(self, value: Any) -> Any:
        if value not in self.values:
            raise ValueError(f"{value!r} is none of {self.values}")
        return value

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        for value in self.values:
            if value == data and isinstance(value, bool) is isinstance(data, bool):
                return value
        known = ", ".join(map(repr, self.values))
        return reading.wrong(pointer, f"Give one of these: {known}.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"enum": list(self.values)}
