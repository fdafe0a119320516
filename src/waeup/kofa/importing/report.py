"""What an import says about itself: `RowResult` for one row, `Report` for all.

A `Tally` counts the rows of an import, over all batches and all processes that work on
it, and makes the report.  Every door prints the same `Report`; nobody counts again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from waeup.kofa.importing.effects import Change, Effect
from waeup.kofa.importing.reasons import Reasons

#: Outcomes of a row, in the order in which people want to read them.
CREATED, UPDATED, UNCHANGED, REMOVED, FAILED = (
    "created",
    "updated",
    "unchanged",
    "removed",
    "failed",
)
OUTCOMES = (CREATED, UPDATED, UNCHANGED, REMOVED, FAILED)
#: Kinds of reasons that are counted; a site may have words of its own for each row.
COUNTED_REASONS = 200
#: Reasons that a report lists, most frequent first.
LISTED_REASONS = 20


class RowResult(NamedTuple):
    """What became of one source row.

    `number` counts source rows from 1, `outcome` is one of `OUTCOMES`, `cells`
    are the texts for the result file, by field; `reason` tells why a row failed
    and `raw` keeps the text of a row whose cells cannot be trusted.  `line` is the physical
    line at which the row begins, `errors` are pairs of field and message.

    Only where somebody wants to know it: `key` says which object is meant, `changes` what
    differs, `effect` what an undo needs, and `part_effects` likewise for parts; `is_under_new`
    tells that the parent of a new object was made by an earlier row that is not committed;
    `source` is, of a row that failed or was corrected, the row as it stands in the table.
    """

    number: int
    outcome: str
    cells: dict[str, str]
    reason: str | None = None
    raw: str | None = None
    line: int = 0
    errors: tuple[tuple[str, str], ...] = ()
    key: str = ""
    changes: tuple[Change, ...] = ()
    effect: Effect | None = None
    is_under_new: bool = False
    is_corrected: bool = False
    source: Any = None
    part_effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Report:
    """The totals of an import.

    `total` counts source rows; each is in exactly one of the five outcomes.
    `finished` and `pending` are paths of result files while the import runs, and
    names of items once the files are in their places (`pending` is None when no
    row failed).  `seconds` is the time of the row engine.  `reasons` lists the
    most frequent reasons of failure with their counts; those that differ only in what they show
    are one, with ``…`` in its place.  `corrected` counts the rows that were read otherwise than
    they stand in the file, whatever became of them.

    The report of a check counts what would be; `duplicates` are the rows that mean the object
    of an earlier row, `under_new` those whose parent an earlier row makes; `refused` are the
    reasons why an import would refuse the file as a whole.  That of an undo counts what was
    done to take an import back: objects that are there again are ``created``.
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
    duplicates: int = 0
    under_new: int = 0
    corrected: int = 0
    refused: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Number of rows that are in the finished file."""
        return self.total - self.failed

    @property
    def unexplained(self) -> int:
        """Number of rows that failed for reasons that are not listed."""
        return max(self.failed - sum(number for _reason, number in self.reasons), 0)

    @property
    def successful(self) -> bool:
        """Whether no row failed, and the file as a whole is good."""
        return self.failed == 0 and not self.refused

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for programs."""
        plain = {**asdict(self), "refused": list(self.refused)}
        return {**plain, "done": self.done, "reasons": [list(r) for r in self.reasons]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Report":
        """Return the report that `as_dict` has described."""
        values = {name: value for name, value in data.items() if name != "done"}
        values["reasons"] = tuple((reason, number) for reason, number in data["reasons"])
        values["refused"] = tuple(data.get("refused", ()))
        return cls(**values)


class Tally:
    """Counts rows by outcome, and the reasons of those that failed.

    `counts` has a number for each outcome that occurred, `seconds` is the time of the row
    engine so far, `corrected` the number of rows that were corrected.
    """

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        reasons: Mapping[str, int] | None = None,
        seconds: float = 0.0,
        corrected: int = 0,
    ) -> None:
        self.counts: Counter[str] = Counter(counts or {})
        self._reasons = Reasons(reasons, limit=COUNTED_REASONS)
        self.seconds = seconds
        self.corrected = corrected

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.counts.total()

    @property
    def reasons(self) -> dict[str, int]:
        """Why rows failed, as `Reasons` counts it."""
        return self._reasons.counts

    def add(self, outcome: str, reason: str | None = None) -> None:
        """Count a row."""
        self.counts[outcome] += 1
        if reason is not None:
            self._reasons.add(reason)

    def add_all(self, results: Sequence[RowResult]) -> None:
        """Count the rows of a batch."""
        # Counted in C; most rows have nothing else to be counted.
        self.counts.update([result.outcome for result in results])
        for result in results:
            if result.reason is not None:
                self._reasons.add(result.reason)
            if result.is_corrected:
                self.corrected += 1

    def report(self, file: str, processor: str, mode: str, **more: Any) -> Report:
        """Return the totals; `more` are further fields of `Report`."""
        numbers: dict[str, Any] = {outcome: self.counts[outcome] for outcome in OUTCOMES}
        return Report(
            file=file,
            processor=processor,
            mode=mode,
            total=self.total,
            seconds=self.seconds,
            reasons=self._reasons.most_common(LISTED_REASONS),
            corrected=self.corrected,
            **numbers,
            **more,
        )
