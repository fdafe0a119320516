"""What the forms of the mend page send: the texts of cells, and which row they are about.

`mending` takes them from people, `mendapart` from the script of the page.
"""

from collections.abc import Mapping
from typing import Any

from waeup.kofa.browser.imports.mendrows import CELL, plain, text_in_force
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.ledger import Draft
from waeup.kofa.operations import FailingRow


def sent_texts(form: Mapping[str, Any]) -> dict[int, str]:
    """Return the texts of cells that a form has sent, by position."""
    return {
        int(name.removeprefix(CELL)): plain(text)
        for name, text in form.items()
        if name.startswith(CELL) and is_number(name.removeprefix(CELL)) and isinstance(text, str)
    }


def is_number(text: str) -> bool:
    """Tell whether a text is a number of a size that rows and columns have."""
    return text.isdecimal() and len(text) < 10


def number_in(text: str) -> int:
    """Return the number that a form has sent; raises `NoSuchItem` for what is none."""
    if not is_number(text):
        raise NoSuchItem(_("The form does not say which row is meant. Load the page again."))
    return int(text)


def require_same_check(draft: Draft, checked: str) -> None:
    """Raise `NoSuchItem` where a form is about another check than the last one of a draft.

    Its numbers of rows and positions of cells may be those of another table.
    """
    if not checked or draft.check != checked:
        raise NoSuchItem(
            _(
                "The file was checked anew meanwhile, so nothing was changed. Load the "
                "page again, and look at what came of it."
            )
        )


def changed_texts(row: FailingRow, sent: Mapping[int, str]) -> dict[int, str]:
    """Return those of the texts that a form has sent which are not read already.

    Of a damaged row these are all: who sends it says that they are right.
    """
    cells = {cell.position: cell for cell in row.cells}
    is_new = row.is_damaged and not row.is_corrected
    found = {}
    for position, text in sent.items():
        cell = cells.get(position)
        # Passwords are not shown: an empty input leaves them alone.
        before = "" if cell is None or cell.secret else plain(text_in_force(cell))
        if is_new or text != before:
            found[position] = text
    return found
