"""Values of a row become attributes of an object."""

from collections.abc import Mapping
from typing import Any

from zope.interface import providedBy
from zope.schema.interfaces import IField

from waeup.kofa.conversion import is_ignored
from waeup.kofa.interfaces import IGNORE_MARKER

#: What an object has that lacks an attribute; it is no value.
_NOTHING = object()


def assign(obj: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Set the attributes of an object to the values of a row; return those that were others.

    Names that the object does not have or that begin with an underscore, and computed
    attributes, are passed over.  What a schema of the object declares it has, also if its class
    is older than the schema, or lacks an attribute for the field.
    """
    changed = {}
    for name, value in row.items():
        if value == IGNORE_MARKER:
            if is_ignored(value):
                continue
            value = str(value)
        if name[:1] == "_":
            continue
        old = getattr(obj, name, _NOTHING)
        if old is _NOTHING and not _ought_to_have(obj, name):
            continue
        if old == value and type(old) is type(value):
            continue
        try:
            setattr(obj, name, value)
        except AttributeError:
            continue
        changed[name] = value
    return changed


def _ought_to_have(obj: Any, name: str) -> bool:
    """Tell whether an object declares a field for which it lacks the attribute."""
    field = providedBy(obj).get(name)
    # What its class has is computed, and cannot be at present.
    return IField.providedBy(field) and not field.readonly and not hasattr(type(obj), name)
