"""Attributes of a schema for classes of objects that exist in large numbers."""

from collections.abc import Callable
from typing import Any, TypeVar

from zope.schema import getFields

C = TypeVar("C", bound=type[Any])


def schema_defaults(iface: Any) -> Callable[[C], C]:
    """Class decorator: give a class the default of each field of `iface` as attribute.

    An object then stores only what differs, which keeps its database record small,
    and has a field that was added to the schema after it was made.  Attributes and
    properties that the class has already are left alone.  Values are validated
    where they come in, by `waeup.kofa.conversion` or a form, not when they are set.
    """

    def decorate(cls: C) -> C:
        for name, field in getFields(iface).items():
            if not hasattr(cls, name):
                setattr(cls, name, field.default)
        return cls

    return decorate
