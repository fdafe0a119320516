"""From an annotation to the `Codec` that knows its values: the way into this room.

The only one that knows all codecs; `dump`, `load` and `schema` ask it, and the doors ask those.
"""

import collections.abc
import types
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from waeup.kofa.api.plain.codecs import Bound, Codec
from waeup.kofa.api.plain.containers import Array, Dictionary, OneOf, Tuple
from waeup.kofa.api.plain.objects import Object, object_of
from waeup.kofa.api.plain.reading import Reading
from waeup.kofa.api.plain.scalars import (
    TEXT,
    Boolean,
    Bytes,
    Choice,
    Day,
    Integer,
    Moment,
    Null,
    Number,
    Scalar,
    Text,
)
from waeup.kofa.api.plain.schemas import Parts

_SINGLE: dict[Any, Codec] = {
    None: Null(),
    types.NoneType: Null(),
    bool: Boolean(),
    int: Integer(),
    float: Number(),
    str: TEXT,
    bytes: Bytes(),
    datetime: Moment(),
    date: Day(),
    Any: Scalar(),
}
_LISTS = {
    list: list,
    collections.abc.Iterable: list,
    collections.abc.Sequence: list,
    collections.abc.Collection: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Set: frozenset,
}
_BOUNDED: dict[Any, Any] = {int: Integer, float: Number, str: Text}


def dump(value: Any, annotation: Any) -> Any:
    """Return a value as plain JSON.

    Raises `TypeError` and `ValueError` for what is no value of the annotation: that is a mistake
    of the portal.
    """
    return codec(annotation).dump(value)


def load(data: Any, annotation: Any, *, strict: bool = True, pointer: str = "") -> Any:
    """Return the value that plain JSON stands for.

    Not `strict`, members that an object does not have are passed over: a newer portal may know
    more.  `pointer` says where in the body the data stand.  Raises `NotPlain`, and what a class
    raises that is not content with its values.
    """
    reading = Reading(strict)
    value = codec(annotation).load(data, pointer, reading)
    reading.require_sound()
    return value


def schema(annotation: Any, parts: Parts | None = None) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an annotation; objects are entered in `parts`."""
    return codec(annotation).schema(parts or Parts())


@cache
def codec(annotation: Any) -> Codec:
    """Return what knows the values of an annotation; raises `TypeError` for one without any."""
    if annotation in _SINGLE:
        return _SINGLE[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(
            args[0], next((each for each in args[1:] if isinstance(each, Bound)), None)
        )
    if origin in (Union, types.UnionType):
        return OneOf([codec(each) for each in args])
    if origin is Literal:
        return Choice(args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return Array(codec(args[0]), tuple)
    if origin is tuple:
        return Tuple([codec(each) for each in args])
    if origin in _LISTS:
        return Array(codec(args[0]), _LISTS[origin])
    if origin in (dict, collections.abc.Mapping):
        return Dictionary(args[0], codec(args[1]))
    if isinstance(annotation, type):
        return object_of(annotation, codec)
    raise TypeError(f"{annotation!r} cannot be sent as plain JSON")


def _bounded(kind: Any, bound: Bound | None) -> Codec:
    if bound is None:
        return codec(kind)
    if kind in _BOUNDED:
        return _BOUNDED[kind](bound)  # type: ignore[no-any-return]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return OneOf([_bounded(each, bound) if each in _BOUNDED else codec(each) for each in args])
    if origin in _LISTS:
        return Array(codec(args[0]), _LISTS[origin], bound)
    return codec(kind)


def is_object(annotation: Any) -> bool:
    """Tell whether values of an annotation are objects with fields."""
    try:
        return isinstance(codec(annotation), Object)
    except TypeError:
        return False
