"""Cells that hold several values: list literals such as ``['a', 'b']``.

The form is that of Kofa 1.9, which evaluated it, and whose exports have ``u`` before texts.  Here
the text is checked against a grammar of plain literals first, and then parsed, never evaluated.
"""

import ast
import re
from collections.abc import Iterable
from typing import Any

from zope import schema

from waeup.kofa.conversion.cells import EMPTY_LIST
from waeup.kofa.conversion.choices import ChoiceConverter
from waeup.kofa.conversion.converters import Converter, converter_for, converts
from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _

#: Characters of a list; the limit that Python's csv module had in Kofa 1.9.
MAX_LENGTH = 131_071
#: Brackets in brackets.
MAX_DEPTH = 10

# An atom ends where a comma, colon, bracket or the text follows: no operators, and no
# strings that a forgotten comma would join.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>[\[({])
      | (?P<close>[\])}])
      | [,:]
      | (?: u?'(?:[^'\\\n]|\\.)*' | u?"(?:[^"\\\n]|\\.)*"
          | [+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?
          | True | False | None
        ) (?=\s*(?:[\])},:]|\Z))
    )\s*""",
    re.VERBOSE | re.ASCII,
)

# A backslash with what follows: an octal number beyond a byte, no escape, or an escape.
_ESCAPE = re.compile(r"""\\(?:(?P<octal>[4-7][0-7]{2})|(?P<other>[^\n\\'"abfnrtvxNuU0-7])|.)""")


def parse_list(text: str) -> list[Any]:
    """Return the elements of the list, tuple or set literal `text`.

    Elements are str, int, float, bool, None, and lists, tuples, sets and dicts of
    these.  Raises `ConversionError` for anything else.
    """
    if len(text) > MAX_LENGTH:
        raise ConversionError(
            _(
                "Invalid list data: ${number} characters; at most ${max_length} are possible.",
                mapping={"number": len(text), "max_length": MAX_LENGTH},
            )
        )
    position = depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise _no_list(text)
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
        if depth > MAX_DEPTH:
            raise ConversionError(
                _(
                    "Invalid list data: ${text} has more than ${max_depth} lists in each other.",
                    mapping={"text": shown(text), "max_depth": MAX_DEPTH},
                )
            )
        position = token.end()
    try:
        value = ast.literal_eval(_ESCAPE.sub(_plain_escape, text))
    except (ValueError, SyntaxError, TypeError):
        raise _no_list(text)
    # `()` and `{}` are lists too; a dict that has something in it is none.
    if not isinstance(value, (list, tuple, set)) and value != {}:
        raise _no_list(text)
    # Only an escape can bring in half a character, which no file and no log could take.
    if "\\" in text and not _is_writable(value):
        raise ConversionError(
            _(
                "Invalid list data: ${text} holds half a character; write the character "
                "itself instead of its escape.",
                mapping={"text": shown(text)},
            )
        )
    return list(value)


def _plain_escape(match: re.Match[str]) -> str:
    """Return what Python reads alike, without a warning on the console for each cell."""
    if match["octal"]:
        return f"\\u{int(match['octal'], 8):04x}"
    return f"\\{match[0]}" if match["other"] else match[0]


def _is_writable(value: Any) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(_is_writable(key) and _is_writable(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set)):
        return all(_is_writable(item) for item in value)
    return True


def _no_list(text: str) -> ConversionError:
    return ConversionError(
        _(
            "Invalid list data: ${text} is not a list; write it as ['a', 'b'].",
            mapping={"text": shown(text)},
        )
    )


@converts(schema.List, schema.Tuple, schema.Set, schema.FrozenSet)
class SequenceConverter(Converter):
    """Several values of one kind; without a `value_type` the literals themselves."""

    def __init__(self, field: Any) -> None:
        super().__init__(field)
        self._make = field._type
        self._element: Any = None if field.value_type is None else converter_for(field.value_type)

    def convert(self, text: str) -> Any:
        """See `IFieldConverter`."""
        return self.from_items(parse_list(text))

    def from_items(self, items: Iterable[Any]) -> Any:
        """Return the value that the parsed literals `items` stand for."""
        if self._element is None:
            return self._make(items)
        values = []
        for number, item in enumerate(items, 1):
            try:
                values.append(self._from_item(item))
            except ConversionError as exc:
                raise ConversionError(
                    _(
                        "${exc} (Element ${number} of the list.)",
                        mapping={"exc": exc, "number": number},
                    )
                )
        return self._make(values)

    def render(self, value: Any) -> str:
        """See `IFieldConverter`."""
        text = repr(self.literals(value))
        # An empty list that has to be told from an empty cell.
        return "[ ]" if text == EMPTY_LIST else text

    def literals(self, value: Any) -> list[Any]:
        """Return the elements of `value` as literals; those of a set in a stable order."""
        items = [self._literal(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items

    def _from_item(self, item: Any) -> Any:
        element = self._element
        if isinstance(element, SequenceConverter) and isinstance(item, (list, tuple, set)):
            return element.from_items(item)
        if isinstance(item, str):
            return element.convert(item)
        if isinstance(item, (int, float)):
            return element.convert(str(item))
        raise ConversionError(
            _(
                "Invalid list data: ${item} cannot be an element.",
                mapping={"item": shown(str(item))},
            )
        )

    def _literal(self, item: Any) -> Any:
        element = self._element
        if isinstance(element, SequenceConverter):
            return element.literals(item)
        if element is None or (
            isinstance(item, (int, float)) and not isinstance(element, ChoiceConverter)
        ):
            return item
        return element.render(item)
