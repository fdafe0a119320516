"""The codec of objects with fields: data classes, named tuples, typed dictionaries, others.

`object_of` finds what fields a class has, and which of them may be left out; of classes that say
neither, `shown` does.  What knows the values of a field is found late, by what `annotations` hands
down, since a class may name itself.
"""

import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from typing import Any

from waeup.kofa.api.plain.codecs import Codec, Member
from waeup.kofa.api.plain.hints import hints_of
from waeup.kofa.api.plain.reading import NO_VALUE, Reading, escaped
from waeup.kofa.api.plain.schemas import Parts, about
from waeup.kofa.api.plain.shown import OTHERS
from waeup.kofa.api.wire import NOT_SENT

#: Class -> fields that are for the portal alone, and what a client has in their place.
_PRIVATE: dict[str, dict[str, Any]] = {"waeup.kofa.spool.intake.Upload": {"path": ""}}


class Object(Codec):
    """A data class, a named tuple, a typed dictionary, or another class that is `Shown`."""

    def __init__(
        self,
        codec: Callable[[Any], Codec],
        kind: Any,
        hints: dict[str, Any],
        optional: set[str],
        make: Any,
        read: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.read = read or {}
        self.codec = codec
        self.kind = kind
        self.hints = hints
        self.optional = optional
        self.make = make

    @cached_property
    def members(self) -> dict[str, Member]:
        """The members by name; made late, since a class may name itself."""
        return {
            name: Member(self.codec(hint), name in self.optional)
            for name, hint in self.hints.items()
        }

    def dump(self, value: Any) -> Any:
        if typing.is_typeddict(self.kind):
            members = self.members
            return {name: members[name].codec.dump(each) for name, each in value.items()}
        if not isinstance(value, self.kind):
            raise TypeError(f"{value!r} is no {self.kind.__name__}")
        return {
            name: member.codec.dump(
                self.read[name](value) if name in self.read else getattr(value, name)
            )
            for name, member in self.members.items()
        }

    def load(self, data: Any, pointer: str, reading: Reading) -> Any:
        if not isinstance(data, dict):
            return reading.wrong(pointer, "Give an object.")
        members, count = self.members, len(reading.errors)
        if reading.strict:
            for name in data.keys() - members.keys():
                reading.wrong(
                    f"{pointer}/{escaped(name)}",
                    f"There is no such member. There are: {', '.join(members) or 'none'}.",
                )
        values = {}
        for name, member in members.items():
            if name in data:
                values[name] = member.codec.load(data[name], f"{pointer}/{escaped(name)}", reading)
            elif not member.has_default:
                reading.wrong(f"{pointer}/{escaped(name)}", "This member is missing.")
        if len(reading.errors) > count:
            return NO_VALUE
        return self.make(**values)

    def schema(self, parts: Parts) -> dict[str, Any]:
        return parts.reference(self.kind, self.members, about(self.kind))


def object_of(kind: Any, codec: Callable[[Any], Codec]) -> Codec:
    """Return the codec of a class; raises `TypeError` for one that cannot be sent.

    `codec` finds that of a field by its annotation.
    """
    dotted = f"{kind.__module__}.{kind.__qualname__}"
    if dotted in OTHERS:
        shown = OTHERS[dotted]()
        return Object(codec, kind, shown.fields, set(), shown.make, shown.read)
    hints = hints_of(kind)
    not_sent = {**NOT_SENT.get(kind, {}), **_PRIVATE.get(dotted, {})}
    sent = {name: hint for name, hint in hints.items() if name not in not_sent}
    if typing.is_typeddict(kind):
        return Object(codec, kind, sent, set(kind.__optional_keys__), dict)
    if is_dataclass(kind):
        defaults = {
            field.name
            for field in fields(kind)
            if field.default is not MISSING or field.default_factory is not MISSING
        }
        sent = {field.name: sent[field.name] for field in fields(kind) if field.name in sent}
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        defaults = set(kind._field_defaults)
    else:
        raise TypeError(f"{dotted} cannot be sent as plain JSON")

    def make(**values: Any) -> Any:
        return kind(**values, **not_sent)

    return Object(codec, kind, sent, defaults, make)
