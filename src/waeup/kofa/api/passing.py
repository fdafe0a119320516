"""Arguments of operations as parts of requests, and back again; see `waeup.kofa.api.routes`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from waeup.kofa.api import plain
from waeup.kofa.api.plain import Array, Boolean, Codec, Integer, Number, OneOf, Reading
from waeup.kofa.api.route import ROOT, Parameter, Route

#: What stands for a body that there is not.
NOTHING: Any = object()

_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Asked:
    """A request for an operation: `path` is below the address of the server.

    `body` is plain JSON, or `NOTHING`; `stream` is the open file that is the body instead.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = NOTHING
    stream: Any = None

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


def received(
    route: Route,
    in_path: Mapping[str, str],
    query: Iterable[tuple[str, str]],
    body: Any = NOTHING,
    stream: Any = None,
) -> dict[str, Any]:
    """Return the arguments of the operation that a request asks for, by name.

    Those that it says nothing about are left out.  Raises `NotPlain`, which tells all that is
    wrong, and what a class raises that is not content with its values.
    """
    reading = Reading()
    given: dict[str, list[str]] = {}
    for name, text in query:
        given.setdefault(name, []).append(text)
    members = _members(route, body, reading)
    known = {p.name for p in route.parameters if p.place == "query"}
    for name in given.keys() - known:
        reading.parameter = name[:80]
        reading.wrong("", f"There is no such parameter. There are: {_listed(known)}.")
    reading.parameter = ""
    known = {p.name for p in route.parameters if p.place == "body"}
    for name in members.keys() - known:
        reading.wrong(
            plain.pointer_to(name), f"There is no such member. There are: {_listed(known)}."
        )
    arguments: dict[str, Any] = {}
    fields: dict[str, tuple[Any, dict[str, Any]]] = {}
    for parameter in route.parameters:
        if parameter.place == "stream":
            arguments[parameter.argument] = stream
            continue
        value = _value(parameter, in_path, given, members, body, reading)
        if value is NOTHING:
            continue
        if parameter.field:
            kind, values = fields.setdefault(parameter.argument, (parameter.kind, {}))
            values[parameter.field] = value
        else:
            arguments[parameter.argument] = value
    reading.require_sound()
    for argument, (kind, values) in fields.items():
        arguments[argument] = kind(**values)
    for name, adapted in (route.adapted or {}).items():
        if name in arguments:
            arguments[name] = adapted.inward(arguments[name])
    return arguments


def _members(route: Route, body: Any, reading: Reading) -> dict[str, Any]:
    """Return the members of a body, none where it is something else."""
    if any(parameter.place == "whole" for parameter in route.parameters) or body is NOTHING:
        return {}
    if not isinstance(body, dict):
        reading.wrong("", "Give an object.")
        return {}
    return body


def _value(
    parameter: Parameter,
    in_path: Mapping[str, str],
    given: Mapping[str, list[str]],
    members: Mapping[str, Any],
    body: Any,
    reading: Reading,
) -> Any:
    """Return the value of a parameter, or `NOTHING`; what is wrong is told to `reading`."""
    name, codec = parameter.name, plain.codec(parameter.annotation)
    reading.parameter = "" if parameter.place in ("body", "whole") else name
    if parameter.place == "whole":
        return codec.load(None if body is NOTHING else body, "", reading)
    if parameter.place == "path":
        return codec.load(_data(in_path[name], codec), "", reading)
    if parameter.place == "query" and name in given:
        texts = given[name]
        if is_list(codec):
            item = _item(codec)
            return codec.load([_data(text, item) for text in texts], "", reading)
        if len(texts) > 1:
            return reading.wrong("", "Give this once.")
        return codec.load(_data(texts[0], codec), "", reading)
    if parameter.place == "body" and name in members:
        return codec.load(members[name], plain.pointer_to(name), reading)
    if parameter.is_required and is_list(codec) and parameter.place == "query":
        return codec.load([], "", reading)
    if parameter.is_required:
        pointer = plain.pointer_to(name) if parameter.place == "body" else ""
        reading.wrong(pointer, "This is missing.")
    return NOTHING


def asked(route: Route, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Asked:
    """Return the request for a call of the operation of a route.

    Raises `TypeError` for a call that the operation would not take, or whose arguments cannot be
    sent.
    """
    values = _called(route, args, kwargs)
    path = route.path
    query: list[tuple[str, str]] = []
    members: dict[str, Any] = {}
    body: Any = NOTHING
    stream = None
    for parameter in route.parameters:
        if parameter.argument not in values:
            continue
        name, value = parameter.name, values[parameter.argument]
        if parameter.place == "stream":
            stream = value
            continue
        codec: Any = plain.codec(parameter.annotation)
        if parameter.place == "whole":
            body = codec.dump(value)
        elif parameter.place == "path":
            path = path.replace(f"{{{name}}}", quote(_text(codec, value), safe=""))
        elif parameter.place == "query":
            query += _in_query(name, codec, _field_of(value, parameter))
        else:
            members[name] = codec.dump(value)
    if any(parameter.place == "body" for parameter in route.parameters):
        body = members
    return Asked(route.method, ROOT + path, tuple(query), body, stream)


def _called(route: Route, args: Iterable[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name, in the form that requests have."""
    bound = route.signature.bind(None, *args, **kwargs)
    values = dict(bound.arguments)
    for name, known in bound.signature.parameters.items():
        if known.kind is known.VAR_KEYWORD:
            values.update(values.pop(name, {}))
    for name, adapted in (route.adapted or {}).items():
        if name in values:
            values[name] = adapted.outward(values[name])
    return values


def _field_of(value: Any, parameter: Parameter) -> Any:
    return getattr(value, parameter.field) if parameter.field else value


def _in_query(name: str, codec: Any, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if is_list(codec):
        return [(name, _text(_item(codec), each)) for each in value]
    return [(name, _text(codec, value))]


def _text(codec: Any, value: Any) -> str:
    """Return a value as it stands in an address."""
    data = codec.dump(value)
    if isinstance(data, bool):
        return "true" if data else "false"
    return str(data)


def _data(text: str, codec: Codec) -> Any:
    """Return what a text of an address is in JSON; one that is no such thing stays a text."""
    kinds = codec.values if isinstance(codec, OneOf) else (codec,)
    for kind in kinds:
        if isinstance(kind, Boolean) and text in ("true", "false"):
            return text == "true"
        if isinstance(kind, Integer) and _INTEGER.fullmatch(text):
            return int(text)
        if isinstance(kind, Number) and _NUMBER.fullmatch(text):
            return float(text)
    return text


def is_list(codec: Codec) -> bool:
    """Tell whether a parameter of an address can be given several times."""
    return isinstance(codec, Array) or (
        isinstance(codec, OneOf) and any(isinstance(each, Array) for each in codec.values)
    )


def _item(codec: Any) -> Codec:
    found: Codec = (
        codec.item
        if isinstance(codec, Array)
        else next(each.item for each in codec.values if isinstance(each, Array))
    )
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
