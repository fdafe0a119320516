"""What remains to be checked of a converted value, by the rules of its field.

`validate` of a field checks everything each time; a converter has ensured most of it
already.  What is left is compiled once for a run.
"""

import sys
from collections.abc import Callable
from typing import Any

from zope import schema
from zope.interface import Invalid
from zope.schema.interfaces import (
    ConstraintNotSatisfied,
    TooBig,
    TooLong,
    TooShort,
    TooSmall,
    ValidationError,
    WrongContainedType,
)

from waeup.kofa.conversion.converters import Converter
from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _

Check = Callable[[Any], None]

# Kinds whose own validation adds limits and a constraint, and nothing else, to what
# their converter has ensured.
_TEXT_KINDS = (schema.Text, schema.TextLine, schema.ASCII, schema.ASCIILine)
_ORDERED_KINDS = (schema.Int, schema.Float, schema.Decimal, schema.Date, schema.Datetime)
_OTHER_KINDS = (schema.Bool, schema.Choice)


def compile_check(field: Any, converter: Any) -> Check | None:
    """Return a function that raises `ConversionError` for a value that `field` refuses.

    `converter` is the one that makes the values.  Returns None when every value that
    it makes is good.
    """
    own = isinstance(converter, Converter)
    if own and _is_standard(field, _TEXT_KINDS) and not converter.secret:
        return _text_check(field)
    constrained = type(field).constraint is not schema.Field.constraint
    plain = own and not constrained and "constraint" not in vars(field)
    if plain and _is_standard(field, _ORDERED_KINDS):
        return _range_check(field)
    if plain and _is_standard(field, _OTHER_KINDS):
        return None
    return _full_check(field, getattr(converter, "secret", False))


def _is_standard(field: Any, kinds: tuple[Any, ...]) -> bool:
    """Tell whether `field` validates like the nearest of `kinds` among its classes."""
    cls: Any = type(field)
    for base in cls.__mro__:
        if base in kinds:
            return cls.validate is base.validate and cls._validate is base._validate
    return False


def _text_check(field: Any) -> Check | None:
    single_line = isinstance(field, (schema.TextLine, schema.ASCIILine))
    shortest = field.min_length or 0
    longest = sys.maxsize if field.max_length is None else field.max_length
    own = "constraint" in vars(field) or type(field).constraint not in (
        schema.Text.constraint,
        schema.TextLine.constraint,
        schema.ASCIILine.constraint,
    )
    constraint = field.constraint if own else None

    def check(text: str) -> None:
        if single_line and ("\n" in text or "\r" in text):
            raise _invalid(
                _("${text} has line ends; write it in one line.", mapping={"text": shown(text)})
            )
        if not shortest <= len(text) <= longest:
            if len(text) > longest:
                words, limit = _TOO_LONG, longest
            else:
                words, limit = _TOO_SHORT, shortest
            mapping = {"text": shown(text), "n": len(text), "limit": limit}
            raise _invalid(_(words, mapping=mapping))
        if constraint is not None:
            try:
                satisfied = constraint(text)
            except Invalid as exc:
                raise _invalid(_reason(exc, field, shown(text)))
            if not satisfied:
                raise _invalid(_unsatisfied(field, shown(text)))

    needed = single_line or shortest or field.max_length is not None or own
    return check if needed else None


def _range_check(field: Any) -> Check | None:
    lowest, highest = field.min, field.max

    def check(value: Any) -> None:
        if lowest is not None and value < lowest:
            raise _invalid(_out_of_range(field, TooSmall, shown(str(value))))
        if highest is not None and value > highest:
            raise _invalid(_out_of_range(field, TooBig, shown(str(value))))

    return None if lowest is None and highest is None else check


def _full_check(field: Any, secret: bool) -> Check:
    def check(value: Any) -> None:
        try:
            field.validate(value)
        except Invalid as exc:
            raise _invalid(_reason(exc, field, "the password" if secret else shown(str(value))))

    return check


# -- words ---------------------------------------------------------------------

_TOO_LONG = _("${text} has ${n} characters, but must have at most ${limit}.")
_TOO_SHORT = _("${text} has ${n} characters, but must have at least ${limit}.")

_LIMITS: dict[type[ValidationError], tuple[str, str]] = {
    TooSmall: ("min", _("${what} is too small; the smallest value is ${limit}.")),
    TooBig: ("max", _("${what} is too big; the biggest value is ${limit}.")),
    TooShort: ("min_length", _("${what} is too short; the least length is ${limit}.")),
    TooLong: ("max_length", _("${what} is too long; the greatest length is ${limit}.")),
}


def _invalid(reason: str) -> ConversionError:
    # The text that Kofa 1.9 had for all of them.
    return ConversionError(_("Invalid input: ${reason}", mapping={"reason": reason}))


def _out_of_range(field: Any, kind: type[ValidationError], what: str) -> str:
    attribute, words = _LIMITS[kind]
    return _(words, mapping={"what": what, "limit": getattr(field, attribute)})


def _unsatisfied(field: Any, what: str) -> str:
    if not field.description:
        return _("${what} does not satisfy the rule of this field.", mapping={"what": what})
    mapping = {"what": what, "rule": field.description}
    return _("${what} does not satisfy the rule of this field (${rule}).", mapping=mapping)


def _reason(exc: Invalid, field: Any, what: str) -> str:
    """Return in plain words why `field` refuses a value that is called `what`."""
    if isinstance(exc, WrongContainedType) and exc.args and exc.args[0]:
        # Collects the errors of all elements; one is enough to correct the cell.
        first = exc.args[0][0]
        return _reason(first, first.field, shown(str(first.value)))
    for kind in _LIMITS:
        if isinstance(exc, kind):
            return _out_of_range(field, kind, what)
    if type(exc) is ConstraintNotSatisfied:
        return _unsatisfied(field, what)
    words = exc.doc() if isinstance(exc, ValidationError) else str(exc)
    return f"{what}: {words.strip()}"
