"""How the rows of a table are applied: what the caller of the row engine wants of it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from waeup.kofa.importing.corrections import Correction
from waeup.kofa.importing.expectations import Expected
from waeup.kofa.importing.history import Marker


class Manner(NamedTuple):
    """How rows are applied.

    `skip_unchanged` leaves objects alone that have all values of their row already.
    `recorded` asks for the effects of rows, for an undo; `detailed` for keys and changes.
    `expected` tells what a check has found: a row that turns out otherwise fails.
    `restart` begins the transaction anew: for a caller in whose transaction nothing happened
    before a batch, that is cheaper than a savepoint, with which all is written twice.
    `corrections` says, by number, which rows are read otherwise than they stand in the table.
    `mark` is called with each object that a row has changed, if effects are recorded.  `run` is
    the id of the import that events tell.
    """

    skip_unchanged: bool = False
    recorded: bool = False
    detailed: bool = False
    expected: Expected | None = None
    restart: Callable[[], object] | None = None
    corrections: Mapping[int, Correction] | None = None
    mark: Marker | None = None
    run: str = ""
