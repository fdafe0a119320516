"""Codecs of what holds other values: arrays, objects that are mappings, and alternatives.

They are given the codecs of what they hold, and add to a JSON pointer where in them something
is wrong.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from waeup.kofa.api.plain.codecs import NO_BOUND, Bound, Codec
from waeup.kofa.api.plain.reading import NO_VALUE, Reading, escaped
from waeup.kofa.api.plain.scalars import TEXT, Null
from waeup.kofa.api.plain.schemas import Parts
from waeup.kofa.i18n import english

#: Items of an array that may come in.
MOST_ITEMS = 200_000
_KEY_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})", re.ASCII)


class Array(Codec):
    """A list, a tuple of like items, or a set."""

    def __init__(self, item: Codec, make: Callable[[Any], Any], bound: Bound = NO_BOUND) -> None:
        self.item = item
        self.make = make
        self.longest = MOST_ITEMS if bound.longest is None else bound.longest

    def dump(self, value: Any) -> Any:
        if isinstance(value, str | bytes | dict):
            raise TypeError(f"{value!r} is no array")
        return [self.item.dump(each) for each in value]

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if not isinstance(data, list):
            return reading.wrong(pointer, "Give an array.")
        if len(data) > self.longest:
            return reading.wrong(pointer, f"The array has more than {self.longest} items.")
        items = [self.item.load(each, f"{pointer}/{at}", reading) for at, each in enumerate(data)]
        return self.make(items)

    def schema(self, parts: Parts) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "array", "items": self.item.schema(parts)}
        if parts.incoming:
            found["maxItems"] = self.longest
        return found


class Tuple(Codec):
    """A tuple whose items have each a kind of their own."""

    def __init__(self, items: Sequence[Codec]) -> None:
        self.items = tuple(items)

    def dump(self, value: Any) -> Any:
        if not isinstance(value, tuple | list) or len(value) != len(self.items):
            raise TypeError(f"{value!r} has not {len(self.items)} items")
        return [item.dump(each) for item, each in zip(self.items, value, strict=True)]

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if not isinstance(data, list) or len(data) != len(self.items):
            return reading.wrong(pointer, f"Give an array of {len(self.items)} items.")
        return tuple(
            item.load(each, f"{pointer}/{at}", reading)
            for at, (item, each) in enumerate(zip(self.items, data, strict=True))
        )

    def schema(self, parts: Parts) -> dict[str, Any]:
        if len({id(item) for item in self.items}) == 1:
            # Simpler, and known to more programs.
            kinds: dict[str, Any] = {"items": self.items[0].schema(parts)}
        else:
            kinds = {"prefixItems": [item.schema(parts) for item in self.items]}
        return {
            "type": "array",
            **kinds,
            "minItems": len(self.items),
            "maxItems": len(self.items),
        }


class Dictionary(Codec):
    """A mapping whose values are alike, by texts or whole numbers."""

    def __init__(self, key: Any, value: Codec) -> None:
        if key not in (str, int):
            raise TypeError(f"an object cannot have members that are called by {key!r}")
        self.is_number = key is int
        self.value = value

    def dump(self, value: Any) -> Any:
        return {english(key): self.value.dump(each) for key, each in value.items()}

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if not isinstance(data, dict):
            return reading.wrong(pointer, "Give an object.")
        found: dict[Any, Any] = {}
        for key, each in data.items():
            place = f"{pointer}/{escaped(key)}"
            if self.is_number and _KEY_NUMBER.fullmatch(key) is None:
                reading.wrong(place, "The name of this member is to be a whole number.")
            elif TEXT.load(key, place, reading) is not NO_VALUE:
                found[int(key) if self.is_number else key] = self.value.load(each, place, reading)
        return found

    def schema(self, parts: Parts) -> dict[str, Any]:
        found = {"type": "object", "additionalProperties": self.value.schema(parts)}
        if self.is_number:
            found["propertyNames"] = {"pattern": f"^{_KEY_NUMBER.pattern}$"}
        return found


class OneOf(Codec):
    """Values of several kinds."""

    def __init__(self, kinds: Sequence[Codec]) -> None:
        self.kinds = tuple(kinds)
        self.values = tuple(kind for kind in kinds if not isinstance(kind, Null))
        self.has_null = len(self.values) < len(kinds)

    def dump(self, value: Any) -> Any:
        if value is None and self.has_null:
            return None
        if len(self.values) == 1:
            return self.values[0].dump(value)
        kind = next((kind for kind in self.values if kind.fits(value)), None)
        if kind is None:
            raise TypeError(f"{value!r} fits no alternative")
        return kind.dump(value)

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if data is None and self.has_null:
            return None
        if len(self.values) == 1:
            return self.values[0].load(data, pointer, reading)
        for kind in self.values:
            tried = Reading(reading.strict)
            value = kind.load(data, pointer, tried)
            if not tried.errors:
                return value
        return reading.wrong(pointer, "This is none of what is possible here.")

    def schema(self, parts: Parts) -> dict[str, Any]:
        return {"anyOf": [kind.schema(parts) for kind in self.kinds]}
