"""Finds the message behind an English text, so that pages can say it in other languages.

Reasons of rows and faults of runs are written into files and into the database in English, since
people, programs and other portals read them there.  What the text was made of is found again by
comparing it with the texts of the catalogs, their ``${names}`` standing for anything.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import re2
from zope.i18nmessageid import Message

from waeup.kofa.i18n import MessageFactory as _

_NAME = re.compile(r"\$\{(\w+)\}")
#: Letters that a text must have besides its names: "${a}: ${b}" would fit too much.
_LEAST_LETTERS = 9
#: The same of a text within a text, where less can be mistaken.
_LEAST_INSIDE = 4
#: Longer texts are shown as they are.
_MOST_CHARACTERS = 4000
#: How deep reasons can be within reasons.
_MOST_DEPTH = 4
#: How many reasons of a row are told apart.
_MOST_REASONS = 20


#: A text, or a text of one thing and that of several.
Text = str | tuple[str, ...]


class _Form(NamedTuple):
    """A text with names: its expression, their order, and how many letters it has without them.

    `text` is what it belongs to; `is_of_several` tells which of two texts it is.
    """

    text: Text
    is_of_several: bool
    expression: Any
    names: list[str]
    weight: int


class Recognizer:
    """Knows texts with their ``${names}``."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self._plain: dict[str, Any] = {}
        self._forms: list[_Form] = []
        self._set = re2.Set.FullMatchSet()
        for text in texts:
            for at, form in enumerate((text,) if isinstance(text, str) else text):
                self._learn(text, form, is_of_several=at > 0)
        if self._forms:
            self._set.Compile()
        self.message = lru_cache(maxsize=2048)(self._message)

    def _learn(self, text: Text, form: str, *, is_of_several: bool) -> None:
        parts = _NAME.split(form)
        literals, names = parts[::2], parts[1::2]
        weight = sum(letter.isalpha() for part in literals for letter in part)
        if not names:
            self._plain[form] = _made(text, is_of_several, {})
        elif weight >= _LEAST_INSIDE:
            pattern = "(?s)" + "(.+?)".join(map(re2.escape, literals))
            self._set.Add(pattern)
            self._forms.append(_Form(text, is_of_several, re2.compile(pattern), names, weight))

    def _message(self, text: str, depth: int = 0) -> Any:
        """Return the message that says `text` in English, or `text` if it is none.

        Of several texts that fit, the one with the most letters of its own is taken.  What
        stands for a name may be a message, too, if it has several words.
        """
        if len(text) > _MOST_CHARACTERS or depth > _MOST_DEPTH:
            return text
        if text in self._plain:
            return self._plain[text]
        found = [self._forms[at] for at in self._set.Match(text) or ()] if self._forms else []
        least = _LEAST_INSIDE if depth else _LEAST_LETTERS
        for form in sorted(found, key=lambda form: form.weight, reverse=True):
            if form.weight < least:
                break
            mapping: dict[str, str] = {}
            values = form.expression.fullmatch(text).groups()
            if all(
                mapping.setdefault(name, value) == value
                for name, value in zip(form.names, values, strict=True)
            ):
                return _made(
                    form.text,
                    form.is_of_several,
                    {
                        name: self.message(value, depth + 1) if " " in value else value
                        for name, value in mapping.items()
                    },
                )
        return self._several(text, depth)

    def _several(self, text: str, depth: int) -> Any:
        """Return the message of a reason with the name of its field, and of several reasons."""
        parts = text.split("; ")
        if 1 < len(parts) <= _MOST_REASONS:
            found = self._joined(parts, depth + 1)
            if any(isinstance(part, Message) for part in found):
                mapping = {f"part{at}": part for at, part in enumerate(found)}
                return _("; ".join(f"${{{name}}}" for name in mapping), mapping=mapping)
        field, colon, reason = text.partition(": ")
        if colon and " " not in field:
            found_reason = self.message(reason, depth + 1)
            if isinstance(found_reason, Message):
                return _("${field}: ${reason}", mapping={"field": field, "reason": found_reason})
        return text

    def _joined(self, parts: list[str], depth: int) -> list[Any]:
        """Return messages, or texts that are none; the longest first, for reasons hold ``; ``."""
        found: list[Any] = []
        at = 0
        while at < len(parts):
            for end in range(len(parts), at, -1):
                text = "; ".join(parts[at:end])
                is_all = at == 0 and end == len(parts)
                message = text if is_all else self.message(text, depth)
                if isinstance(message, Message) or end == at + 1:
                    found.append(message)
                    at = end
                    break
        return found


def _made(text: Text, is_of_several: bool, mapping: dict[str, Any]) -> Message:
    """Return a message; how many things it is about, its ``${n}`` tells, if it has that."""
    if isinstance(text, str):
        return _(text, mapping=mapping)
    one, several = text
    number = str(mapping.get("n", "")).replace(",", "")
    is_number = is_of_several and number.isascii() and number.isdigit()
    return _(
        one,
        mapping=mapping,
        msgid_plural=several,
        number=int(number) if is_number else 1 + is_of_several,
    )
