"""The words for what cannot be unpacked, for both sides of the process border.

Words out of a file are shown so that hostile ones can neither flood nor forge a message.
"""

from collections.abc import Mapping, Sequence

from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number, counted
from waeup.kofa.tabular.limits import Limits

__all__ = [
    "NOTES_HEADER",
    "SAVE_AS",
    "UNLOCK",
    "damaged",
    "listed",
    "not_a_table",
    "out_of_memory",
    "shown",
    "too_long",
    "too_much",
    "unsaved",
]

#: Header of the sheet by which our own templates explain their columns: no table to be read.
NOTES_HEADER = (
    "Column",
    "Title",
    "Type",
    "Required for",
    "Allowed values",
    "Example",
    "Description",
)
#: The advice for whoever has a table in a form that cannot be read.
SAVE_AS = _('Open it, save the table as .xlsx or "CSV UTF-8", and upload that.')
#: The same for who knows the password of it.
UNLOCK = _(
    'Remove the password. Open it, save the table as .xlsx or "CSV UTF-8", and upload that.'
)

_LENGTH = 60
_NAMES = 10


def shown(text: str) -> str:
    """Return `text` in quotes on one line, cut after some 60 characters."""
    return repr(text if len(text) <= _LENGTH else text[:_LENGTH] + "...")


def listed(names: Sequence[str]) -> str:
    """Return the first of `names`, each as `shown`, and how many more there are."""
    more = len(names) - _NAMES
    words = ", ".join(map(shown, names[:_NAMES]))
    return f"{words} and {more} more" if more > 0 else words


def not_a_table(name: str, what: str, advice: str) -> TableError:
    """Return the error for the file `name`, which is `what`."""
    return TableError(
        _(
            "${name} is ${what}, not a table. ${advice}",
            mapping={"name": name, "what": what, "advice": advice},
        )
    )


def damaged(name: str, reason: str) -> TableError:
    """Return the error for the file `name` that cannot be unpacked for a technical `reason`."""
    return TableError(
        _(
            "${name} is damaged or was cut off (${reason}). Save or pack it again, "
            "and upload it once more.",
            mapping={"name": name, "reason": shown(reason)[1:-1]},
        )
    )


def out_of_memory(name: str, limits: Limits) -> TooLarge:
    """Return the error for a file that needs more memory than it may."""
    return TooLarge(
        _(
            "${name} needs more than ${memory} MB of memory to be read, the limit of "
            "this data center. Remove sheets, and cells far outside of the table, "
            'save the table as "CSV UTF-8", or have the limit raised.',
            mapping={"name": name, "memory": Number(limits.memory >> 20)},
        )
    )


def too_long(name: str, limits: Limits) -> TooLarge:
    """Return the error for a file that takes more time than it may."""
    return TooLarge(
        counted(
            "${name} takes more than ${n} second to be read, the limit of this data center. "
            'Split the table, save it as "CSV UTF-8", or have the limit raised.',
            "${name} takes more than ${n} seconds to be read, the limit of this data center. "
            'Split the table, save it as "CSV UTF-8", or have the limit raised.',
            limits.seconds,
            name=name,
        )
    )


def too_much(name: str, limits: Limits) -> TooLarge:
    """Return the error for a container of which more comes out than may."""
    return TooLarge(
        _(
            "${name} holds more than ${unpacked} bytes when unpacked, the limit of "
            "this data center. Split the table, or have the limit raised.",
            mapping={"name": name, "unpacked": Number(limits.unpacked)},
        )
    )


def unsaved(name: str, sheet: str, places: Mapping[int, int]) -> TableError:
    """Return the error for a sheet with formulas without values.

    `places` has the column of the first one in each row, both counted from 0.
    """
    row = min(places)
    return TableError(
        counted(
            "${name} has formulas without a value in ${n} row of the sheet ${sheet}: row ${row}, "
            "column ${column}. A formula is read by the value that a spreadsheet saves with it, "
            "and these were never computed. Open the file in Excel or LibreOffice, save it, and "
            "upload it again.",
            "${name} has formulas without a value in ${n} rows of the sheet ${sheet}, the first "
            "in row ${row}, column ${column}. A formula is read by the value that a spreadsheet "
            "saves with it, and these were never computed. Open the file in Excel or "
            "LibreOffice, save it, and upload it again.",
            len(places),
            name=name,
            sheet=shown(sheet),
            row=Number(row + 1),
            column=_letters(places[row]),
        )
    )


def _letters(column: int) -> str:
    """Return how spreadsheets call a column: A to Z, AA, AB and so on."""
    letters = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        column, letters = column - 1, chr(ord("A") + letter) + letters
    return letters
