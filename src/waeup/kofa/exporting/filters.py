"""Which objects an export takes: filters that a schema declares, the same at every door.

A filter is a field of a schema.  Its text follows the grammar of cells: ``XXX`` asks for objects
without a value, an empty text for nothing.  The filters of a kind come from its columns: a value
must be equal, of a list one of the elements, and days have a first and a last one besides.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from zope import schema
from zope.interface import Interface
from zope.interface.interface import InterfaceClass
from zope.schema import getFields, getFieldsInOrder

from waeup.kofa.conversion import IGNORED, FormattedDate, converter_for, is_secret, plan_fields
from waeup.kofa.conversion.wording import listing, shown
from waeup.kofa.errors import MappingError, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.hooks import row_error

#: End the names of filters for the first and the last day.
FROM, TO = "_from", "_to"

#: Tells whether an object passes a filter with a value.
Passes = Callable[[Any, Any], bool]

_DAYS = (schema.Date, schema.Datetime)
_LISTS = (schema.List, schema.Tuple, schema.Set, schema.FrozenSet)
# Nobody asks for all objects whose remark is word by word the same.
_LINES = (schema.TextLine, schema.ASCIILine)


def filter_schema(
    name: str,
    iface: Any,
    columns: Iterable[str],
    own: Mapping[str, tuple[Any, Passes]] | None = None,
) -> Any:
    """Return a schema with the filters for those `columns` that have any.

    A column that is no field of `iface` is a text.  `own` are more filters by name: the field
    that reads what a person writes, and what tells whether an object passes.  One of the name of
    a column takes the place of that.
    """
    fields = getFields(iface)
    columns = tuple(columns)
    filters: dict[str, Any] = {}
    for column in columns:
        field = fields.get(column) or schema.TextLine(title=column)
        for found in _filters_of(column, field):
            # A day ``valid`` must not take the name of a column ``valid_from``.
            while found.__name__ != column and found.__name__ in columns:
                found.__name__ += "_"
            filters[found.__name__] = found
    for own_name, (field, passes) in (own or {}).items():
        found = _filter(copy.copy(field), own_name, field.title or own_name, field.description)
        found.passes = passes
        filters[own_name] = found
    return InterfaceClass(f"I{name}Filters", (Interface,), filters, __module__=__name__)


def convert(iface: Any, texts: Iterable[tuple[str, str]], site: Any) -> dict[str, Any]:
    """Return the values of filters by name; an empty text asks for nothing.

    Raises `Refused` for a filter that the schema does not have, for one that is there twice,
    and for a text that stands for no value.
    """
    given: dict[str, str] = {}
    known = getFields(iface) if iface is not None else {}
    for name, text in texts:
        if name not in known:
            if not known:
                text = _("This exporter has no filter ${name}. It has none.")
            else:
                text = _("This exporter has no filter ${name}. There are: ${known}.")
            raise Refused(_(text, mapping={"name": repr(name), "known": listing(known)}))
        if name in given:
            raise Refused(
                _("The filter ${name} is given twice. Give it once.", mapping={"name": repr(name)})
            )
        given[name] = text
    values = {}
    plans = plan_fields(iface, given, site) if given else {}
    for name, plan in plans.items():
        try:
            value = plan.convert(given[name], "update", True)
        except Exception as error:
            # Also what a constraint of a site raises.
            raise Refused(
                _(
                    "${name}: ${error} Correct the filter, or leave it empty.",
                    mapping={"name": name, "error": row_error(error)},
                )
            ) from error
        if value is not IGNORED:
            values[name] = value
    return values


def matching(objects: Iterable[Any], wanted: Mapping[str, Any], iface: Any) -> Iterator[Any]:
    """Generate those of `objects` that pass all filters `wanted` of a schema by `filter_schema`.

    Raises `Refused` for a name that is none of its filters.
    """
    known = getFields(iface)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Refused(
            _(
                "There is no filter ${unknown}. There are: ${known}.",
                mapping={"unknown": repr(unknown[0]), "known": listing(known)},
            )
        )
    tests = [_test(known[name], value) for name, value in wanted.items()]
    if not tests:
        return iter(objects)
    return (obj for obj in objects if all(passes(obj) for passes in tests))


def filters_in_order(iface: Any) -> list[tuple[str, Any]]:
    """Return names and fields of the filters of a schema, in the order of the columns."""
    return [] if iface is None else list(getFieldsInOrder(iface))


def has_cells(field: Any) -> bool:
    """Tell whether a cell can hold a value of `field`."""
    try:
        converter_for(field)
    except MappingError:
        return False
    except AttributeError:
        # Its vocabulary is known only where it is bound.
        return isinstance(field, schema.Choice)
    return True


class Day(FormattedDate):
    """A filter for the day in a column: that day or, by its class, one that is not earlier, ..."""

    def __init__(self, column: str, date_format: str = "%Y-%m-%d", **kw: Any) -> None:
        self.column = column
        super().__init__(date_format, **kw)

    def passes(self, day: date, wanted: date) -> bool:
        """Tell whether an object with `day` in the column is asked for."""
        return day == wanted


class FirstDay(Day):
    """A filter for days from a first one on."""

    def passes(self, day: date, wanted: date) -> bool:
        """See `Day`."""
        return day >= wanted


class LastDay(Day):
    """A filter for days up to a last one, which counts."""

    def passes(self, day: date, wanted: date) -> bool:
        """See `Day`."""
        return day <= wanted


def _first(title: str) -> str:
    return _("${title}: first day", mapping={"title": title})


def _last(title: str) -> str:
    return _("${title}: last day", mapping={"title": title})


def _filters_of(column: str, field: Any) -> Iterator[Any]:
    """Generate the filters for a column with the values of `field`."""
    title = field.title or column
    if is_secret(field):
        return
    if isinstance(field, _DAYS):
        # People write it as in a cell.
        form = field.date_format if isinstance(field, FormattedDate) else "%Y-%m-%d"
        yield _filter(Day(column, form), column, title)
        yield _filter(FirstDay(column, form), column + FROM, _first(title))
        yield _filter(LastDay(column, form), column + TO, _last(title))
        return
    if isinstance(field, _LISTS):
        field = field.value_type
    is_text = isinstance(field, schema.Text | schema.ASCII) and not isinstance(field, _LINES)
    if field is None or is_text or not has_cells(field):
        return
    yield _filter(copy.copy(field), column, title, field.description)


def _filter(field: Any, name: str, title: str, description: str = "") -> Any:
    """Make `field` a filter, which need not be filled and comes behind those made before."""
    field.__name__ = name
    field.title, field.description = title, description
    field.required = False
    field.defaultFactory = None
    field.default = field.missing_value = field.interface = None
    schema.Field.order += 1
    field.order = schema.Field.order
    return field


def _test(field: Any, value: Any) -> Callable[[Any], bool]:
    """Return the function that tells whether an object passes."""
    own: Passes | None = vars(field).get("passes")
    if own is not None:
        return lambda obj: _passes_own(own, field.__name__, obj, value)
    if isinstance(field, Day):
        return lambda obj: _passes_day(field, getattr(obj, field.column, None), value)
    name = field.__name__

    def passes(obj: Any) -> bool:
        found = getattr(obj, name, None)
        if isinstance(found, list | tuple | set | frozenset):
            return value in found if value is not None else not found
        return bool(found == value) if value is not None else found in (None, "")

    return passes


def _passes_own(own: Passes, name: str, obj: Any, value: Any) -> bool:
    try:
        return bool(own(obj, value))
    except Exception as error:
        raise Refused(
            _(
                "The filter ${name} has failed with the object ${object}: ${error} Leave the "
                "filter out, and tell its developer.",
                mapping={
                    "name": name,
                    "object": shown(str(getattr(obj, "__name__", obj))),
                    # A fault is raised again.
                    "error": row_error(error),
                },
            )
        ) from error


def _passes_day(field: Day, day: date | None, wanted: date | None) -> bool:
    if isinstance(day, datetime):
        day = day.date()
    if day is None or wanted is None:
        return day is wanted
    return field.passes(day, wanted)
