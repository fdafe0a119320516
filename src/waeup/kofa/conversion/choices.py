"""Cells of a Choice: the token of a term, or something that a person would write.

The vocabulary is read once, when the converter is made; a cell costs one look-up.
"""

from collections.abc import Iterator
from typing import Any

from zope import schema
from zope.schema.interfaces import IBaseVocabulary

from waeup.kofa.conversion.converters import Converter, converts
from waeup.kofa.conversion.wording import listing, shown
from waeup.kofa.errors import ConversionError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import ILookupSource

#: Allowed values that a message lists.
LISTED = 8


@converts(schema.Choice)
class ChoiceConverter(Converter):
    """A value of a vocabulary or source, by its token; else by token or title in any case.

    The values of sources without terms are named by their `code` if they have one,
    otherwise by their text (Kofa 1.9).  A source that cannot be listed is only asked
    whether it contains the text, or, if it is an `ILookupSource`, what the text stands for.
    """

    def __init__(self, field: Any) -> None:
        super().__init__(field)
        self._source = field.vocabulary
        #: Whether values are looked up text by text.
        self.is_looked_up = ILookupSource.providedBy(self._source)
        #: Whether all values are known beforehand.
        self.is_listed = not self.is_looked_up and hasattr(self._source, "__iter__")
        self._by_token: dict[str, Any] = {}
        self._by_name: dict[str, list[tuple[str, Any]]] = {}
        self._tokens: dict[Any, str] = {}
        if self.is_listed:
            for value, token, title in _terms(self._source):
                self._add(value, token, title)
        # Numbers need no protection in a spreadsheet.
        self.text = not self.is_listed or any(
            not isinstance(value, (int, float)) for value in self._by_token.values()
        )

    def convert(self, text: str) -> Any:
        """See `IFieldConverter`."""
        try:
            return self._by_token[text]
        except KeyError:
            return self._by_looks(text)

    def render(self, value: Any) -> str:
        """See `IFieldConverter`; a value that is not allowed any more keeps its text."""
        if self.is_looked_up:
            return str(self._source.token(value))
        try:
            return self._tokens[value]
        except (KeyError, TypeError):
            return _name(value)

    def choices(self) -> dict[str, str]:
        """Return token -> title of all allowed values; empty where they cannot be listed."""
        found: dict[str, str] = {}
        if self.is_listed:
            for _value, token, title in _terms(self._source):
                found.setdefault(token, title or token)
        return found

    def suggestions(self, text: str) -> list[tuple[str, str]]:
        """Return token and title of the values that `text` may have meant, as far as known."""
        if self.is_looked_up:
            return [(str(token), str(title)) for token, title in self._source.suggest(text)]
        return list(self.choices().items())

    def _looked_up(self, text: str) -> Any:
        """Return what a source says that a text stands for."""
        try:
            return self._source.find(text)
        except LookupError:
            pass
        meant = listing((token for token, _title in self.suggestions(text)), LISTED)
        if not meant:
            raise ConversionError(
                _("Invalid value: ${text} is not allowed.", mapping={"text": shown(text)})
            )
        raise ConversionError(
            _(
                "Invalid value: ${text} is not allowed; perhaps one of these is meant: ${meant}.",
                mapping={"text": shown(text), "meant": meant},
            )
        )

    def _add(self, value: Any, token: str, title: str | None) -> None:
        if token in self._by_token:
            return
        self._by_token[token] = value
        try:
            self._tokens.setdefault(value, token)
        except TypeError:
            # Not hashable: its token is found by `_name`.
            pass
        for name in {token.casefold(), (title or token).casefold()}:
            self._by_name.setdefault(name, []).append((token, value))

    def _by_looks(self, text: str) -> Any:
        if self.is_looked_up:
            return self._looked_up(text)
        if not self.is_listed:
            if text in self._source:
                return text
            raise ConversionError(
                _("Invalid value: ${text} is not allowed.", mapping={"text": shown(text)})
            )
        found = self._by_name.get(text.casefold(), [])
        if len(found) == 1:
            return found[0][1]
        if found:
            raise ConversionError(
                _(
                    "Invalid value: ${text} stands for more than one value; write one of "
                    "${found}.",
                    mapping={
                        "text": shown(text),
                        "found": listing((token for token, _ in found), LISTED),
                    },
                )
            )
        allowed = listing(self._by_token, LISTED) or _("none at present")
        raise ConversionError(
            _(
                "Invalid value: ${text} is not allowed; allowed: ${allowed}.",
                mapping={"text": shown(text), "allowed": allowed},
            )
        )


def _terms(source: Any) -> Iterator[tuple[Any, str, str | None]]:
    """Yield value, token and title (or None) of all that `source` offers."""
    if not IBaseVocabulary.providedBy(source):
        for value in source:
            yield value, _name(value), None
        return
    for term in source:
        token = getattr(term, "token", None)
        title = getattr(term, "title", None)
        # A token that zope.schema made of a text has escapes that nobody would write.
        if token is None or (isinstance(term.value, str) and token == _escaped(term.value)):
            token = _name(term.value)
        yield term.value, token, title


def _name(value: Any) -> str:
    code = getattr(value, "code", None)
    return code if isinstance(code, str) else str(value)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
