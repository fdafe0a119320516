"""What a person should know about a field before cells are written for it.

The same words stand in templates and on the pages of an import.  What is called an example has
been through the converter of the field.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from zope import schema
from zope.i18nmessageid import Message
from zope.schema.interfaces import ICollection

from waeup.kofa.conversion.cells import guard
from waeup.kofa.conversion.choices import ChoiceConverter
from waeup.kofa.conversion.converters import converter_for, is_secret
from waeup.kofa.conversion.fields import FormattedDate, PhoneNumber
from waeup.kofa.conversion.plan import FieldPlan
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _


@dataclass(frozen=True, slots=True)
class Explanation:
    """A field in plain words.

    `kind` is its type.  `allowed` are token and title of all values that there are, empty where
    there are no bounds.  Titles, kind and description are messages.  `example` is a cell that an
    import accepts, or empty where none was found; that of a password is empty, lest it be taken.
    """

    title: str
    kind: str
    allowed: tuple[tuple[str, str], ...] = ()
    example: str = ""
    description: str = ""


def explain(field: Any, context: Any = None) -> Explanation:
    """Explain a field of a schema; `context` is what vocabularies are bound to (the site)."""
    try:
        plan = FieldPlan(field, context)
    except MappingError as error:
        words = _("no cell can fill it; leave it out")
        return Explanation(_line(field.title), words, description=error.message)
    return Explanation(
        _line(field.title),
        getattr(plan.converter, "kind", "") or _kind(plan.field),
        tuple(allowed_values(plan.field).items()),
        _example(plan),
        _line(field.description),
    )


def _line(text: Any) -> str:
    return text if isinstance(text, Message) else " ".join(str(text).split())


def allowed_values(field: Any) -> dict[str, str]:
    """Return token -> title of all values of a bound field, or of those in its lists.

    Empty where there are no bounds, or nobody can list them.
    """
    if isinstance(field, schema.Bool):
        return {"1": _("yes"), "0": _("no")}
    if ICollection.providedBy(field) and field.value_type is not None:
        return allowed_values(field.value_type)
    converter = converter_for(field)
    return converter.choices() if isinstance(converter, ChoiceConverter) else {}


#: Classes of fields, the narrower ones first, and what they are in plain words.
_KINDS: tuple[tuple[Any, str], ...] = (
    (schema.Password, _("password; what is kept is its hash")),
    (PhoneNumber, _("phone number")),
    (schema.Choice, _("one of the allowed values")),
    (schema.Bool, _("yes or no, as 1 or 0")),
    (schema.Int, _("whole number")),
    (schema.Decimal, _("number")),
    (schema.Float, _("number")),
    (schema.Datetime, _("date with time")),
    (schema.Date, _("date")),
    (schema.ASCIILine, _("text of plain ASCII characters in one line")),
    (schema.ASCII, _("text of plain ASCII characters")),
    (schema.TextLine, _("text in one line")),
)


def _kind(field: Any) -> str:
    """Return the type of `field` in plain words, with its bounds."""
    if ICollection.providedBy(field):
        if field.value_type is None:
            return _("list in brackets")
        element = _kind(field.value_type)
        return _("list in brackets, each ${kind}", mapping={"kind": element})
    words = next((words for kind, words in _KINDS if isinstance(field, kind)), _("text"))
    if is_secret(field):
        return words
    low, high = getattr(field, "min", None), getattr(field, "max", None)
    if low is not None and high is not None:
        bounds = {"kind": words, "low": low, "high": high}
        words = _("${kind}, ${low} to ${high}", mapping=bounds)
    elif low is not None:
        words = _("${kind}, ${low} or more", mapping={"kind": words, "low": low})
    elif high is not None:
        words = _("${kind}, ${high} or less", mapping={"kind": words, "high": high})
    longest = getattr(field, "max_length", None)
    if longest is None:
        return words
    mapping = {"kind": words, "n": longest}
    return _("${kind}, up to ${n} characters", mapping=mapping)


# -- examples --------------------------------------------------------------------

_DAY = date(2012, 4, 30)


def _example(plan: FieldPlan) -> str:
    """Return the first cell that comes to mind and that an import accepts."""
    if getattr(plan.converter, "secret", False):
        return ""
    own = map(guard, getattr(plan.converter, "examples", ()))
    for cell in (*own, *_candidates(plan.field, plan)):
        try:
            plan.convert(cell, "create", False)
        except Exception:  # noqa: S112 - a constraint of a site may raise anything
            continue
        return cell
    return ""


def _candidates(field: Any, plan: FieldPlan) -> Iterator[str]:
    if is_secret(field):
        return
    if isinstance(field, schema.Choice):
        yield from _rendered(plan, [field.default])
        yield from map(guard, allowed_values(field))
    elif ICollection.providedBy(field):
        yield from _lists(field)
    elif isinstance(field, schema.Bool):
        yield "1"
    elif isinstance(field, FormattedDate):
        yield _DAY.strftime(field.date_format)
    elif isinstance(field, schema.Datetime):
        yield "2012-04-30 14:05:00"
        yield from _rendered(plan, [field.default, field.min, field.max])
    elif isinstance(field, schema.Date):
        yield _DAY.isoformat()
        yield from _rendered(plan, [field.default, field.min, field.max])
    elif isinstance(field, (schema.Int, schema.Float, schema.Decimal)):
        yield from _rendered(plan, [field.default])
        yield from ("10", "1", "0.5")
        yield from _rendered(plan, [field.min, field.max])
    elif isinstance(field, PhoneNumber):
        yield "+234-803-1234567"
    else:
        yield from _texts(field.__name__)
        yield from _rendered(plan, [field.default])


def _rendered(plan: FieldPlan, values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if value is not None:
            yield plan.render(value)


def _lists(field: Any) -> Iterator[str]:
    if field.value_type is None:
        yield "['a', 'b']"
        return
    element = field.value_type.bind(field.context)
    # The plan of an element has no name of its own.
    element.__name__ = field.__name__
    yield repr([_example(FieldPlan(element, field.context))])


def _texts(name: str) -> Iterator[str]:
    words = name.lower().split("_")
    if not {"code", "id", "number", "key"}.isdisjoint(words):
        yield "ABC101"
    elif "name" in words[-1]:
        yield "Ada"
    yield from ("Example", "ABC101", "ada@example.org", "http://example.org/", "12345", "AB", "a")
