"""One converter for each kind of field: text of a cell to value, and back.

Each class does both directions (`IFieldConverter`); `converter_for` finds the one
for a field.  Converters see texts without outer blanks; markers, safe cells and
validation are the business of `waeup.kofa.conversion.plan`.  No text is evaluated.
"""

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from zope import schema
from zope.component import queryAdapter
from zope.interface import implementer
from zope.schema.interfaces import IPassword

from waeup.kofa.conversion.fields import PhoneNumber
from waeup.kofa.conversion.secret import ROUNDS, hash_password, is_hash
from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import ConversionError, MappingError, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IFieldConverter

#: Class of field -> class of converter; subclasses of a field are found by their MRO.
CONVERTERS: dict[type, type["Converter"]] = {}


def converts(*kinds: type) -> Any:
    """Register a converter for classes of fields; a class decorator."""

    def register(cls: type["Converter"]) -> type["Converter"]:
        for kind in kinds:
            CONVERTERS[kind] = cls
        return cls

    return register


def converter_for(field: Any) -> Any:
    """Return the `IFieldConverter` for `field`, a bound field of a schema.

    That of the kind comes first (`convert_by`), then an adapter that a site registered from the
    field's interface.  Raises `MappingError` for a kind of field that no cell can fill, and where
    passwords would not be kept secret.
    """
    own = own_converter(field)
    converter = queryAdapter(field, IFieldConverter) if own is None else own(field)
    if converter is not None:
        _require_secrecy(field, converter)
        return converter
    for cls in type(field).__mro__:
        if cls in CONVERTERS:
            return CONVERTERS[cls](field)
    raise MappingError(
        _(
            "Field ${text} is of the kind ${name}, which no cell can fill. Ignore "
            "its column, or register an adapter to IFieldConverter.",
            mapping={"text": shown(field.__name__ or ""), "name": type(field).__name__},
        )
    )


#: The attribute of a field that has a converter of its own.
_OWN = "kofa_converter"


def convert_by(field: Any, converter: Any) -> Any:
    """Let instances of the class `converter` convert the cells of `field`; return the field."""
    setattr(field, _OWN, converter)
    return field


def own_converter(field: Any) -> Any:
    """Return the class of the converter that a field has of its own, or None."""
    return vars(field).get(_OWN)


def is_standard(converter: Any) -> bool:
    """Tell whether a converter is one of this room, which makes nothing but values of its field.

    Whatever others make is checked by the field itself.
    """
    return type(converter) in CONVERTERS.values()


def is_secret(field: Any) -> bool:
    """Tell whether a field holds what must not be shown or kept, bound or not."""
    return IPassword.providedBy(field) or bool(getattr(own_converter(field), "secret", False))


def _require_secrecy(field: Any, converter: Any) -> None:
    """Raise `MappingError` where a converter of a site would let out a password."""
    is_kept = bool(getattr(converter, "secret", False))
    if is_kept != is_secret(field):
        raise MappingError(
            _(
                "Field ${text} is a password, and its converter is not secret, or the other way "
                "round. Give the converter the attribute secret, and let the field be a Password.",
                mapping={"text": shown(field.__name__ or "")},
            )
        )


@implementer(IFieldConverter)
class Converter:
    """Base of the converters; `field` is bound to its context.

    `text` says that cells follow the grammar of safe cells, `secret` that they must
    not be shown or kept.  `kind` says in plain words what a cell holds, `examples` are cells, of
    which the first good one is shown; without them those of the field.
    """

    text: bool = False
    secret: ClassVar[bool] = False
    kind: ClassVar[str] = ""
    examples: ClassVar[Sequence[str]] = ()

    def __init__(self, field: Any) -> None:
        self.field = field

    def convert(self, text: str) -> Any:
        """See `IFieldConverter`."""
        raise NotImplementedError

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return str(value)


class OwnConverter(Converter):
    """Base of the converters of a site, in `converters` of a kind or as adapter of fields.

    Override `convert` and `render`, which must be exact opposites: what is exported is imported
    again.  `convert` is given a text without outer blanks, never an empty one, and raises
    `waeup.kofa.errors.ConversionError`, or ValueError, whose message people read.  Both must
    change nothing, and may be asked many times for one cell.  What `convert` returns is checked by
    the rules of the field.  Cells are guarded against spreadsheets unless `text` is False.
    """

    text = True


@converts(schema.Text)
class TextConverter(Converter):
    """Any text: TextLine, Text, URI, ..."""

    text = True

    def convert(self, text: str) -> str:
        """See `IFieldConverter`."""
        return text


@converts(schema.ASCII)
class AsciiConverter(Converter):
    """A text of ASCII characters, such as an address of mail."""

    text = True

    def convert(self, text: str) -> str:
        """See `IFieldConverter`."""
        if not text.isascii():
            raise ConversionError(
                _(
                    "Invalid input: ${text} has characters other than plain ASCII ones.",
                    mapping={"text": shown(text)},
                )
            )
        return text


@converts(schema.Password)
class SecretConverter(Converter):
    """A password; what is kept is its hash."""

    secret = True

    def convert(self, text: str) -> str:
        """Return `text` if it is a hash, otherwise its hash."""
        if is_hash(text):
            return text
        if len(text) < self.field.min_length:
            raise ConversionError(
                _(
                    "Invalid input: the password has ${number} characters; at least "
                    "${min_length} are required.",
                    mapping={"number": len(text), "min_length": self.field.min_length},
                )
            )
        try:
            return hash_password(text, getattr(self.field, "rounds", ROUNDS))
        except Refused as exc:
            raise ConversionError(_("Invalid input: ${exc}", mapping={"exc": exc}))


@converts(schema.Bool)
class BoolConverter(Converter):
    """Yes or no, in the words of Kofa 1.9 and their opposites."""

    _VALUES: ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("1", "true", "on", "yes"), True),
        **dict.fromkeys(("0", "false", "off", "no"), False),
    }

    def convert(self, text: str) -> bool:
        """See `IFieldConverter`."""
        value = self._VALUES.get(text)
        if value is None:
            value = self._VALUES.get(text.lower())
            if value is None:
                raise ConversionError(
                    _(
                        "Invalid boolean data: ${text} is neither yes nor no; write 1 or 0.",
                        mapping={"text": shown(text)},
                    )
                )
        return value

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return "1" if value else "0"


@converts(schema.Int)
class IntConverter(Converter):
    """A whole number in ASCII digits."""

    _FORM = re.compile(r"[+-]?[0-9]+")

    def convert(self, text: str) -> int:
        """See `IFieldConverter`."""
        if self._FORM.fullmatch(text):
            try:
                return int(text)
            except ValueError:
                # Python limits the number of digits; so does common sense.
                pass
        raise ConversionError(
            _(
                "Invalid integer data: ${text} is not a whole number.",
                mapping={"text": shown(text)},
            )
        )


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@converts(schema.Float)
class FloatConverter(Converter):
    """A finite number with a decimal point."""

    def convert(self, text: str) -> float:
        """See `IFieldConverter`."""
        if _NUMBER.fullmatch(text):
            value = float(text)
            if math.isfinite(value):
                return value
        raise ConversionError(
            _(
                "Invalid floating point data: ${text} is not a number such as 12.5.",
                mapping={"text": shown(text)},
            )
        )

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return repr(value)


@converts(schema.Decimal)
class DecimalConverter(Converter):
    """A decimal number, kept with all its digits."""

    # As for a float; a larger exponent is an attack on whoever prints the number.
    _MAX_EXPONENT = 308

    def convert(self, text: str) -> Decimal:
        """See `IFieldConverter`."""
        if _NUMBER.fullmatch(text):
            try:
                value = Decimal(text)
            except InvalidOperation:
                value = Decimal("NaN")
            exponent = value.as_tuple().exponent
            if isinstance(exponent, int) and (
                max(abs(exponent), abs(value.adjusted())) <= self._MAX_EXPONENT
            ):
                return value
        raise ConversionError(
            _(
                "Invalid decimal data: ${text} is not a number such as 12.50.",
                mapping={"text": shown(text)},
            )
        )


#: Protects a value from spreadsheets, which would rewrite it (Kofa 1.9).
PROTECTION = "#"


@converts(PhoneNumber)
class PhoneConverter(Converter):
    """A phone number ``+NNN-area-number``; the rules and messages are those of Kofa 1.9."""

    text = True

    #: What nearly all numbers are, and have to be.
    COMPLETE = re.compile(r"\+[0-9]+-[0-9]*-[0-9]+")

    def convert(self, text: str) -> str | None:
        """Return ``<country>-<area>-<number>``, with empty parts where there are none."""
        if self.COMPLETE.fullmatch(text):
            return text
        parts = text.strip(PROTECTION).split("-", 2)
        number = parts.pop()
        country = parts.pop(0) if parts else ""
        area = parts[0] if parts else ""
        if country and not (country[0] == "+" and _are_digits(country[1:])):
            raise ConversionError(
                _(
                    "Int. prefix requires format '+NNN'; ${country} is not of that form. "
                    "Write the number as +234-803-1234567.",
                    mapping={"country": shown(country)},
                )
            )
        if not all(_are_digits(part) for part in (area, number) if part):
            raise ConversionError(
                _(
                    "Phone numbers may contain numbers only. Found ${text}; write it as "
                    "+234-803-1234567.",
                    mapping={"text": shown(text)},
                )
            )
        if not number:
            if not (country or area or self.field.required):
                return self.field.missing_value
            raise ConversionError(
                _(
                    "Empty phone field(s). Found ${text}; write it as +234-803-1234567.",
                    mapping={"text": shown(text)},
                )
            )
        return f"{country}-{area}-{number}"

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        return f"{value}{PROTECTION}"


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
