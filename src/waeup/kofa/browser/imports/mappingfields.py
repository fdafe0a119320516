"""What step 3 of an import says of the fields that can be filled: names, explanations, lists."""

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from html import escape
from typing import Any

from waeup.kofa.browser.imports.mappingwords import Constant, option, token_options
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import FieldInfo


class FieldWords:
    """The fields of a kind of objects, as the page calls and explains them.

    `required` are the names of those that must be filled; `words` says a text in the language of
    the person.
    """

    def __init__(
        self, fields: Iterable[FieldInfo], required: Collection[str], words: Callable[[Any], str]
    ) -> None:
        self._fields = {info.name: info for info in fields}
        self._required = required
        self._words = words

    def named(self, field: str) -> str:
        """Return what a field is called: title and name, marked if it must be filled."""
        info = self._fields.get(field)
        title = self._words(info.title) if info is not None else ""
        mark = " *" if field in self._required else ""
        return f"{title} ({field}){mark}" if title and title != field else f"{field}{mark}"

    def about(self, field: str | None) -> str:
        """Return type and description of a field in one line."""
        info = self._fields.get(field or "")
        if info is None:
            return ""
        kind, description = self._words(info.kind), self._words(info.description)
        parts = [kind[:1].upper() + kind[1:], description.rstrip(".")]
        text = ". ".join(part for part in parts if part) + "."
        if info.example and not info.choices:
            text += f" {self._words(_('For example'))}: {info.example}"
        return text

    @cached_property
    def all_about(self) -> dict[str, str]:
        """What explains the fields, by name."""
        return {name: self.about(name) for name in self._fields}

    @property
    def secret(self) -> set[str]:
        """The names of fields whose texts nobody is shown."""
        return {name for name, info in self._fields.items() if info.secret}

    @cached_property
    def options(self) -> str:
        """The fields as options of a list, those that must be filled first."""
        required = self._required
        return "".join(
            f'<optgroup label="{escape(self._words(label))}">'
            + "".join(option(name, self.named(name)) for name in names)
            + "</optgroup>"
            for label, names in (
                (_("Must be filled"), [name for name in self._fields if name in required]),
                (_("Others"), [name for name in self._fields if name not in required]),
            )
            if names
        )

    @cached_property
    def constant_options(self) -> str:
        """The fields that can be the same in all rows, as options of a list."""
        secret = self.secret
        return "".join(
            option(name, self.named(name)) for name in self._fields if name not in secret
        )

    def constant(self, field: str, text: str) -> Constant:
        """Return a field with the text that it gets in each row, as it is shown."""
        info = self._fields.get(field)
        if info is None:
            return Constant(field, text)
        options = ""
        if info.choices and not info.more_choices:
            options = token_options(info.choices, text)
        return Constant(field, text, self.named(field), self.about(field), options)
