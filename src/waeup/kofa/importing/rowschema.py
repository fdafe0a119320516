"""The schema of the rows of a kind: that of its objects, with what the kind says besides.

A kind may have converters of its own for some fields, and parts, whose fields are columns, too.
Both go into one schema, which inherits from that of the objects; whoever asks a processor for its
`iface` (converters, pages, templates, exporters) sees what cells mean for this kind.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from zope.interface.interface import InterfaceClass
from zope.schema import Field, getFields

from waeup.kofa.conversion.converters import convert_by


def row_schema(
    name: str, module: str, iface: Any, converters: Mapping[str, Any], parts: Iterable[Any] = ()
) -> Any:
    """Return the schema of rows: that of objects, `iface`, with own `converters` and `parts`.

    `converters` are classes of converters by name of a field.  Raises TypeError for one that is
    there for no field, and for a column of a part that is there already.
    """
    known = getFields(iface)
    fields: dict[str, Any] = {}
    for part in parts:
        for column, field in part.columns().items():
            if column in known or column in fields:
                raise TypeError(
                    f"{name}: {column} of a part is a column already. Give the part a prefix."
                )
            found = copy.copy(field)
            found.__name__, found.interface = column, None
            # Behind all that was there before.
            Field.order += 1
            found.order = Field.order
            fields[column] = found
    for column, converter in converters.items():
        origin = fields.get(column) or known.get(column)
        if origin is None:
            raise TypeError(f"{name}: there is no field {column} for a converter.")
        if not isinstance(converter, type):
            raise TypeError(
                f"{name}: the converter of {column} has to be a class, and is {converter!r}."
            )
        if getattr(converter, "__init__", None) is object.__init__:
            raise TypeError(
                f"{name}: {converter.__name__} is made for a field, which its class has to take. "
                "Let it inherit from `waeup.kofa.conversion.OwnConverter`."
            )
        found = copy.copy(origin)
        found.interface = None
        fields[column] = convert_by(found, converter)
    return InterfaceClass(
        f"I{name}Row", (iface,), fields, __doc__=iface.__doc__, __module__=module
    )
