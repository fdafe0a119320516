"""Texts that stand for no value: what a column, or a filter, must refuse."""

from collections.abc import Iterable
from typing import Any

from zope import schema
from zope.schema import getFields

#: A text that is no number, no day, no word for yes or no, and no allowed value.
NONSENSE = "No sense 4711?"
#: Fields whose cells do not take any text, whatever their converter.
_STRICT = (schema.Int, schema.Float, schema.Decimal, schema.Date, schema.Bool, schema.Choice)


def is_strict(field: Any) -> bool:
    """Tell whether a field refuses a text without sense."""
    return isinstance(field, _STRICT)


def strict_columns(iface: Any, columns: Iterable[str]) -> list[str]:
    """Return those of `columns` whose fields refuse a text without sense."""
    fields = getFields(iface)
    return [name for name in columns if is_strict(fields.get(name))]
