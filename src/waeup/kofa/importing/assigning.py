"""Values of a row become attributes of an object."""

from collections.abc import Mapping
from typing import Any

from waeup.kofa.conversion import is_ignored
from waeup.kofa.interfaces import IGNORE_MARKER


def assign(obj: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Set the attributes of an object to the values of a row; return those that were others.

    Names that the object does not have or that begin with an underscore, and computed
    attributes, are passed over.
    """
    changed = {}
    for name, value in row.items():
        if value == IGNORE_MARKER:
            if is_ignored(value):
                continue
            value = str(value)
        if name[:1] == "_":
            continue
        try:
            old = getattr(obj, name)
            if old == value and type(old) is type(value):
                continue
            setattr(obj, name, value)
        except AttributeError:
            continue
        changed[name] = value
    return changed
