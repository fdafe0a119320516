"""The languages of the portal, and the domain of all texts that people read.

A text is marked with ``MessageFactory`` where it is written, as a whole sentence with
``${names}``.  Pages show it in the language of the person (`waeup.kofa.locales`).  Files, logs,
the command line and the socket speak English: `english` returns the text itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zope.i18nmessageid import Message
from zope.i18nmessageid import MessageFactory as _ZopeMessageFactory

DOMAIN = "waeup.kofa"

MessageFactory = _ZopeMessageFactory(DOMAIN)

#: The languages that all texts are translated into, each under its own name.
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}

_PATH = re.compile(r"(?<![\w./])/(?!/)(?:[^\s/'\"]+/)*([^\s/'\"]*\w[^\s/'\"]*)/?")
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Number:
    """A number in a text: each language has its own signs for it; ``str()`` is the English one."""

    value: float
    digits: int = 0

    def __str__(self) -> str:
        return f"{self.value:,.{self.digits}f}"


@dataclass(frozen=True)
class Kept:
    """A text that is kept in English, such as the reason of a row; it is recognized."""

    text: str

    def __str__(self) -> str:
        return self.text


class Listing(list[Any]):
    """Several things in a text, each a text of its own perhaps."""

    def __init__(self, items: Iterable[Any], separator: str = ", ") -> None:
        super().__init__(items)
        self.separator = separator

    def __str__(self) -> str:
        return self.separator.join(map(english, self))


def counted(one: str, several: str, number: int, **mapping: Any) -> Message:
    """Return a text for `number` things, which ``${n}`` stands for in it.

    Languages have other numbers that take the first text than English has.
    """
    mapping = {"n": Number(number), **mapping}
    return MessageFactory(one, mapping=mapping, msgid_plural=several, number=number)


def fill(text: str, mapping: Mapping[str, Any] | None, say: Callable[[Any], str]) -> str:
    """Return `text` with values for its ``${names}``, as `say` writes them.

    Names that `mapping` does not know stay as they are.
    """
    if not mapping:
        return text

    def value(found: re.Match[str]) -> str:
        return say(mapping[found[1]]) if found[1] in mapping else found[0]

    return _NAME.sub(value, text)


def english(text: Any) -> str:
    """Return what a text says in English; a text that is no message says itself."""
    if not isinstance(text, Message):
        return str(text)
    chosen = text.default or text
    if text.msgid_plural is not None and text.number != 1:
        chosen = text.default_plural or text.msgid_plural
    return fill(str(chosen), text.mapping, english)


def without_folders(text: Any, say: Callable[[Any], str] = english) -> str:
    """Return what a text says, as `say` writes it, without the folders of paths of this machine.

    For people whom it is no business where the portal keeps its files.
    """
    return _PATH.sub(r"\1", say(_shortened(text)))


def _shortened(text: Any) -> Any:
    """Return a text in which no whole path stands for a name: one may have blanks."""
    if not isinstance(text, Message):
        return text
    mapping = {
        name: _last_name(value) if _is_path(value) else _shortened(value)
        for name, value in (text.mapping or {}).items()
    }
    return Message(text, mapping=mapping)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Message) and value.startswith("/")


def _last_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
