"""What a person wants exported, and how, and what was: plain data for doors and runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Wish:
    """An export that is asked for.

    `exporter` is the name of the utility.  `filters` are pairs of a field of its schema of
    filters and a text in the grammar of cells; `keys` are those of the objects that are wanted
    (None: all).  `format` is ``csv``, ``tsv`` or ``xlsx``, `packing` is ``gzip``, ``zip`` or
    nothing, `mark` asks for a byte order mark.  Without `safe` texts are not guarded against
    spreadsheets; `secrets` asks for the columns with hashes of passwords.
    """

    exporter: str
    filters: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] | None = None
    format: str = "csv"
    packing: str = ""
    mark: bool = False
    safe: bool = True
    secrets: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, of which `of` makes the same wish again."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Wish":
        """Return the wish that `as_dict` has described."""
        values = dict(data)
        values["filters"] = tuple((name, text) for name, text in values.get("filters", ()))
        if values.get("keys") is not None:
            values["keys"] = tuple(values["keys"])
        return cls(**values)


class Outcome(NamedTuple):
    """What an export has written: rows, and the keys that no object has."""

    rows: int
    unknown: tuple[str, ...] = ()
    seconds: float = 0.0
