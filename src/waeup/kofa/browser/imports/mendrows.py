"""A row that fails, as the mend page shows it: its cells, and what is wrong, in words."""

from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.interfaces import ERRORS_COLUMN, RAW_COLUMN
from waeup.kofa.operations import CellInfo, FailingRow, RowVerdict

#: Beginning of the names of fields with the texts of cells; the position follows.
CELL = "cell-"
#: A text of so many characters gets more than one line to be written in.
LONG = 60
#: Cells that tell which row is meant, and how much of each is shown.
TELLING, TOLD = 4, 40

_OUTCOMES = {
    "created": _("It would be created."),
    "updated": _("It would be updated."),
    "unchanged": _("It would stay as it is."),
    "removed": _("It would be removed."),
    "blank": _("It has no texts any more, and would be passed over."),
}


class Cell(NamedTuple):
    """A cell as it is shown: with its text in force, and what is wrong with it.

    `was` says what stands in the file where another text is read; `is_of_before` tells that the
    message is about that.  `likes` counts the rows of the group that have the same text in this
    column.  `id` is that of its input.
    """

    id: str
    position: int
    title: str
    column: str
    text: str
    was: str
    message: str
    help: str
    choices: str
    likes: int
    is_secret: bool
    is_long: bool
    is_of_before: bool

    @property
    def name(self) -> str:
        """The name of its input."""
        return f"{CELL}{self.position}"

    @property
    def described_by(self) -> str:
        """The ids of what is said about it."""
        names = [f"{self.id}-wrong", f"{self.id}-was"]
        return " ".join([*names, f"{self.id}-help"] if self.help else names)


class MendRow(NamedTuple):
    """A row as it is shown: first the cells that are `wrong`, then the `others`.

    `ignored` are pairs of the name of a column that fills nothing, and its text; `about` tells
    which row this is.  `verdict` says what would become of it now, ``''`` where that is not
    known; `error` why what was entered was not kept.
    """

    number: int
    line: int
    about: str
    wrong: list[Cell]
    others: list[Cell]
    ignored: list[tuple[str, str]]
    messages: list[str]
    raw: str | None
    is_damaged: bool
    is_corrected: bool
    verdict: Any
    look: str
    error: str


def cell_html(cell: Cell) -> str:
    """Return label and input of a cell, and what is said about it."""
    hidden = ' hidden="hidden"'
    column = f' <span class="note">{escape(cell.column)}</span>' if cell.column else ""
    marks = (
        f'id="{cell.id}" name="{cell.name}" data-cell="{cell.position}" autocomplete="'
        f'{"new-password" if cell.is_secret else "off"}" spellcheck="false" '
        f'aria-describedby="{cell.described_by}"'
    )
    if cell.message and not cell.is_of_before:
        marks += ' aria-invalid="true"'
    if cell.is_long:
        # A line end behind the tag is no part of the text.
        lines = min(plain(cell.text).count("\n") + 1 + len(cell.text) // 2 // LONG, 6)
        field = f'<textarea rows="{lines}" {marks}>\n{escape(plain(cell.text))}</textarea>'
    else:
        kind = "password" if cell.is_secret else "text"
        choices = f' list="{escape(cell.choices)}"' if cell.choices else ""
        field = f'<input type="{kind}" value="{escape(cell.text)}"{choices} {marks} />'
    if cell.likes > 1:
        field += f'<input type="hidden" name="like-{cell.position}" value="{escape(cell.text)}" />'
    said = (
        f'<span class="error" id="{cell.id}-wrong"{"" if cell.message else hidden}>'
        f"{escape(cell.message)}</span>"
        f'<span class="was" id="{cell.id}-was"{"" if cell.was else hidden}>'
        f"{escape(cell.was)}</span>"
    )
    if cell.help:
        said += f'<span class="help" id="{cell.id}-help">{escape(cell.help)}</span>'
    label = f'<label id="{cell.id}-label" for="{cell.id}">{escape(cell.title)}{column}</label>'
    return f'<div class="field cell">{label}{field}{said}</div>'


def plain(text: str) -> str:
    """Return what a form makes of a text: line ends become one kind, and NUL is replaced."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def verdict_words(verdict: RowVerdict) -> tuple[Any, str]:
    """Return what would become of a row, in words, and how that looks."""
    if not verdict.is_sound:
        return _("It would still fail."), "bad"
    return _OUTCOMES.get(verdict.outcome, verdict.outcome), "good"


def messages_by_position(verdict: RowVerdict) -> dict[int, str]:
    """Return what is wrong with cells, by their positions."""
    found: dict[int, str] = {}
    for position, message in verdict.errors:
        found[position] = f"{found[position]} {message}" if position in found else message
    return found


def was_words(cell: CellInfo) -> Any:
    """Say of a corrected cell what stands in the file; nothing for others."""
    if cell.corrected is None:
        return ""
    if cell.secret:
        return _("Corrected.")
    if not cell.text:
        return _("Corrected, was empty.")
    return _("Corrected, was: ${text}", mapping={"text": cell.text})


def since_words(rows: int) -> Any:
    """Say how many rows were corrected since the check."""
    return _("Rows that were corrected since the check: ${n}", mapping={"n": Number(rows)})


def text_in_force(cell: CellInfo) -> str:
    """Return what is read of a cell."""
    return cell.text if cell.corrected is None else cell.corrected


def own_cells(row: FailingRow) -> list[CellInfo]:
    """Return the cells of a row without what a former import has put beside them.

    Its text is shown by itself where it is known.
    """
    beside = (ERRORS_COLUMN, RAW_COLUMN) if row.raw else (ERRORS_COLUMN,)
    return [cell for cell in row.cells if cell.name not in beside]


def about(cells: Iterable[CellInfo]) -> str:
    """Return the first texts of a row, by which people know it."""
    known = [cell for cell in cells if cell.text and not cell.secret and not cell.message]
    return " · ".join(
        f"{cell.field or cell.name}: {short(text_in_force(cell))}" for cell in known[:TELLING]
    )


def short(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= TOLD else text[:TOLD] + "…"
