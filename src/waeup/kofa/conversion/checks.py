"""What remains to be checked of a converted value, by the rules of its field.

`validate` of a field checks everything each time; a converter has ensured most of it
already.  What is left is compiled once for a run.
"""

import sys
from collections.abc import Callable, Sequence
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
    WrongType,
)

from waeup.kofa.conversion.converters import is_standard
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
    if is_standard(converter) and not converter.secret and _is_standard(field, _TEXT_KINDS):
        check = TextCheck(field)
        return check if check.is_needed else None
    if has_rule(field, converter):
        return full_check(field, getattr(converter, "secret", False))
    return _range_check(field) if _is_standard(field, _ORDERED_KINDS) else None


def has_rule(field: Any, converter: Any) -> bool:
    """Tell whether more than limits is left to be checked, by code that `field` alone knows.

    `converter` is the one that makes the values; texts are none of them.
    """
    constrained = type(field).constraint is not schema.Field.constraint
    return (
        constrained
        or "constraint" in vars(field)
        or not is_standard(converter)
        or not _is_standard(field, (*_ORDERED_KINDS, *_OTHER_KINDS))
    )


def _is_standard(field: Any, kinds: tuple[Any, ...]) -> bool:
    """Tell whether `field` validates like the nearest of `kinds` among its classes."""
    cls: Any = type(field)
    for base in cls.__mro__:
        if base in kinds:
            return cls.validate is base.validate and cls._validate is base._validate
    return False


class TextCheck:
    """The rules of a field of texts; raises `ConversionError` for a text that breaks one."""

    def __init__(self, field: Any) -> None:
        self._field = field
        self._single_line = isinstance(field, (schema.TextLine, schema.ASCIILine))
        self._shortest = field.min_length or 0
        self._longest = sys.maxsize if field.max_length is None else field.max_length
        self._has_limits = bool(self._shortest) or field.max_length is not None
        own = "constraint" in vars(field) or type(field).constraint not in (
            schema.Text.constraint,
            schema.TextLine.constraint,
            schema.ASCIILine.constraint,
        )
        self._constraint = field.constraint if own else None

    @property
    def is_needed(self) -> bool:
        """Whether there is a text that breaks a rule."""
        return self._single_line or self._has_limits or self._constraint is not None

    def __call__(self, text: str) -> None:
        if self._single_line and ("\n" in text or "\r" in text):
            raise _invalid(
                _("${text} has line ends; write it in one line.", mapping={"text": shown(text)})
            )
        if self._has_limits and not self._shortest <= len(text) <= self._longest:
            if len(text) > self._longest:
                words, limit = _TOO_LONG, self._longest
            else:
                words, limit = _TOO_SHORT, self._shortest
            mapping = {"text": shown(text), "n": len(text), "limit": limit}
            raise _invalid(_(words, mapping=mapping))
        constraint = self._constraint
        if constraint is not None:
            try:
                satisfied = constraint(text)
            except Invalid as exc:
                raise _invalid(_reason(exc, self._field, shown(text)))
            if not satisfied:
                raise _invalid(_unsatisfied(self._field, shown(text)))

    def are_good(self, texts: Sequence[str], joined: str) -> bool:
        """Tell whether all texts keep the rules; `joined` is all of them, each behind a line end.

        Says so without an exception, and without saying which text is wrong.
        """
        if self._single_line and ("\r" in joined or joined.count("\n") > len(texts)):
            return False
        if self._has_limits and texts:
            lengths = set(map(len, texts))
            if min(lengths) < self._shortest or max(lengths) > self._longest:
                return False
        if self._constraint is None:
            return True
        try:
            return all(map(self._constraint, set(texts)))
        except Exception:
            return False


def _range_check(field: Any) -> Check | None:
    lowest, highest = field.min, field.max

    def check(value: Any) -> None:
        if lowest is not None and value < lowest:
            raise _invalid(_out_of_range(field, TooSmall, shown(str(value))))
        if highest is not None and value > highest:
            raise _invalid(_out_of_range(field, TooBig, shown(str(value))))

    return None if lowest is None and highest is None else check


def full_check(field: Any, secret: bool) -> Check:
    """Return a function that raises `ConversionError` for a value that `field` refuses.

    Nothing is taken for granted of the value; that of a `secret` is not told.
    """

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


def _wrong_type(what: str, value: Any, types: Any) -> str:
    allowed = types if isinstance(types, tuple) else (types,)
    mapping = {
        "what": what,
        "type": type(value).__name__,
        "types": " / ".join(each.__name__ for each in allowed),
    }
    return _("${what} is of the type ${type}; this field takes ${types}.", mapping=mapping)


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
    if type(exc) is WrongType and len(exc.args) > 1:
        return _wrong_type(what, *exc.args[:2])
    words = exc.doc() if isinstance(exc, ValidationError) else str(exc)
    return f"{what}: {words.strip()}"
