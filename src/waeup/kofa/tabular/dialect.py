"""How a table is written down: the characters that give it its shape.

Given by a person, or found by `waeup.kofa.tabular.detection`.
"""

from __future__ import annotations

from typing import NamedTuple

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _

__all__ = ["Dialect"]


class Dialect(NamedTuple):
    """The characters that give a table its shape.

    A quote inside a quoted cell is doubled or, where there is an `escape`, may stand
    behind that.  In a `padded` table blanks around cells are no part of them.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    padded: bool = False

    def check(self) -> None:
        """Raise `TableError` when the characters cannot shape a table."""
        given = (self.delimiter, self.quote, *((self.escape,) if self.escape is not None else ()))
        if any(len(char) != 1 or char in "\r\n\0" for char in given):
            raise TableError(
                _(
                    "Delimiter, quote and escape are single characters, other than line "
                    "ends; ${given} were given.",
                    mapping={"given": _listed(given)},
                )
            )
        if len(set(given)) < len(given) or any(char.isalnum() for char in given):
            raise TableError(
                _(
                    "Delimiter, quote and escape are different characters, neither letter "
                    "nor digit; ${given} were given.",
                    mapping={"given": _listed(given)},
                )
            )


def _listed(given: tuple[str, ...]) -> str:
    return " and ".join(map(repr, given))
