"""What a person says about how a table is to be read, in place of what would be found.

Made by a door, kept in a draft, and handed down with the file as far as the reader: what was
previewed is what is imported.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.reader import Table, open_table

__all__ = ["CHARACTERS", "ReadOptions", "name_of"]

#: Characters that are hard to type or to see -> what people may call them, the usual name first.
CHARACTERS = {
    "\t": ("tab", "\\t"),
    " ": ("space", "blank"),
    ",": ("comma",),
    ";": ("semicolon",),
    "|": ("pipe", "bar"),
    ":": ("colon",),
    '"': ("double", "double quote"),
    "'": ("single", "single quote", "apostrophe"),
}


@dataclass(frozen=True)
class ReadOptions:
    """How a table is to be read; None stands for what is found.

    `encoding` is the name of a codec, `delimiter` and `quote` are characters, `header_line` is the
    number of the physical line with the names of the columns, and `sheet` is the name of a sheet
    in a workbook.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header_line: int | None = None
    sheet: str | None = None

    @classmethod
    def of(
        cls,
        encoding: str | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        header_line: str | int | None = None,
        sheet: str | None = None,
    ) -> ReadOptions:
        """Return the options that a person has typed; blank texts say nothing.

        A character may be given by its name, such as ``tab``.  Raises `TableError` when one of
        them cannot be meant.
        """
        return cls(
            encoding=(encoding or "").strip() or None,
            delimiter=_character(_("separator"), delimiter),
            quote=_character(_("quote"), quote),
            header_line=_line(header_line),
            sheet=sheet or None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what was said as plain data, from which ``ReadOptions(**data)`` is made again."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def open(self, path: str, **more: Any) -> Table:
        """Open the table of text at `path` as `open_table` does, which takes `more`."""
        return open_table(
            path,
            self.encoding,
            delimiter=self.delimiter,
            quote=self.quote,
            header_line=self.header_line,
            **more,
        )


def name_of(character: str | None) -> str:
    """Return what people call a delimiter or a quote; other characters stand for themselves."""
    if character is None:
        return ""
    return CHARACTERS.get(character, (character,))[0]


def _character(what: str, text: str | None) -> str | None:
    """Return the character that `text` is or names, or None when it says nothing."""
    if not text:
        return None
    if len(text) == 1:
        return text
    word = text.strip().lower()
    for character, names in CHARACTERS.items():
        if word in names:
            return character
    if len(word) == 1:
        return text.strip()
    if not word:
        return " "
    known = ", ".join(names[0] for names in CHARACTERS.values())
    raise TableError(
        _(
            "${text} is no ${what}: that is one character. Give the character, or "
            "one of these words: ${known}.",
            mapping={"text": repr(text), "what": what, "known": known},
        )
    )


def _line(number: str | int | None) -> int | None:
    text = str(number if number is not None else "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 1 << 31:
        raise TableError(
            _(
                "${text} is no number of a line. Lines are counted from 1; give the "
                "number of the one that holds the names of the columns.",
                mapping={"text": repr(text)},
            )
        )
    return int(text)
