"""Objects that are what their schema says.

`waeup.kofa.importing.kind.Record` is the path under which databases have them.
"""

import copy
import functools
from datetime import date
from decimal import Decimal
from typing import Any

import grok
from zope import schema
from zope.interface.declarations import Provides

# Values that nobody can change, so that all objects may have the same.
_PLAIN = (type(None), str, int, float, bytes, date, Decimal)


class Record(grok.Model):
    """An object that has the fields of a schema, and nothing else.

    What `ContainerProcessor` makes when no factory is given.
    """

    def __init__(self, iface: Any) -> None:
        super().__init__()
        cls: Any = type(self)
        self.__provides__ = _provides(cls, iface)
        plain, shared = _defaults(iface)
        self.__dict__.update(plain)
        if shared:
            self.__dict__.update(copy.deepcopy(shared))


@functools.cache
def _provides(cls: Any, iface: Any) -> Any:
    return Provides(cls, iface)


@functools.cache
def _defaults(iface: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the defaults of a schema: plain values, and those that must be copied."""
    defaults = {name: field.default for name, field in schema.getFields(iface).items()}
    plain = {name: value for name, value in defaults.items() if isinstance(value, _PLAIN)}
    return plain, {name: value for name, value in defaults.items() if name not in plain}


# The module path is a database format, and there are objects of this class already.
Record.__module__ = "waeup.kofa.importing.kind"
