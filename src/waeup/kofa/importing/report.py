"""What an import says about itself: `RowResult` for one row, `Report` for all.

Every door prints the same `Report`; nobody counts again.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

#: Outcomes of a row, in the order in which people want to read them.
CREATED, UPDATED, UNCHANGED, REMOVED, FAILED = (
    "created",
    "updated",
    "unchanged",
    "removed",
    "failed",
)
OUTCOMES = (CREATED, UPDATED, UNCHANGED, REMOVED, FAILED)


class RowResult(NamedTuple):
    """What became of one source row.

    `number` counts source rows from 1, `outcome` is one of `OUTCOMES`, `cells`
    are the texts for the result file, by field; `reason` tells why a row failed
    and `raw` keeps the text of a row whose cells cannot be trusted.
    """

    number: int
    outcome: str
    cells: dict[str, str]
    reason: str | None = None
    raw: str | None = None


@dataclass(frozen=True)
class Report:
    """The totals of an import.

    `total` counts source rows; each is in exactly one of the five outcomes.
    `finished` and `pending` are paths of result files while the import runs, and
    names of items once the files are in their places (`pending` is None when no
    row failed).  `seconds` is the time of the row engine.  `reasons` lists the
    most frequent reasons of failure with their counts.
    """

    file: str
    processor: str
    mode: str
    total: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    seconds: float = 0.0
    finished: str | None = None
    pending: str | None = None
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def done(self) -> int:
        """Number of rows that are in the finished file."""
        return self.total - self.failed

    @property
    def successful(self) -> bool:
        """Whether no row failed."""
        return self.failed == 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for programs."""
        return {**asdict(self), "done": self.done, "reasons": [list(r) for r in self.reasons]}
