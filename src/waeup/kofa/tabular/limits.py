"""How much of a file is read: bounds that keep a bad file from hurting the portal.

Whoever opens or unpacks a table may hand over other limits than these; each is
refused with a message that names it.
"""

from typing import NamedTuple

from waeup.kofa import usual
from waeup.kofa.errors import TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number

__all__ = ["Limits"]


class Limits(NamedTuple):
    """The bounds of one table; `check_columns` and its like raise `TooLarge`.

    `columns` counts cells of a row, `rows` those of the whole table, `cell` and
    `line` characters.  `unpacked` counts the bytes that may come out of a container
    (archive or workbook), `memory` those of the process that unpacks it, and
    `seconds` is how long it may take.
    """

    columns: int = usual.COLUMNS
    rows: int = usual.ROWS
    cell: int = 1 << 20
    line: int = 1 << 22
    unpacked: int = usual.UNPACKED
    memory: int = usual.MEMORY
    seconds: int = 300

    def check_columns(self, name: str, found: int) -> None:
        """Refuse a table `name` of `found` columns."""
        if found > self.columns:
            raise TooLarge(
                _(
                    "${name} has ${found} columns, and ${columns} are allowed. Remove "
                    "columns, check the delimiter, or have the limit raised.",
                    mapping={
                        "name": name,
                        "found": Number(found),
                        "columns": Number(self.columns),
                    },
                )
            )

    def check_rows(self, name: str, found: int) -> None:
        """Refuse a table `name` of at least `found` rows."""
        if found > self.rows:
            raise TooLarge(
                _(
                    "${name} has more than ${rows} rows, the limit of this data center. "
                    "Split the file, or have the limit raised.",
                    mapping={"name": name, "rows": Number(self.rows)},
                )
            )
