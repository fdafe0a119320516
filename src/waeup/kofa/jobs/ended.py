"""What has become of runs, in a few numbers each, by the time of their end.

Written in the transaction that ends a run, and left when the run is forgotten: so figures of years
stay true, and cost the reading of small tuples instead of whole runs.  A run that goes on after
its end is taken out, and comes again with its next end.

The module path is a database format.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.jobs.record import CANCELLED, EXPORT, Run

# A BTree that is empty before or after a change cannot be merged with the change of
# somebody else: one key that comes behind all others stays in it.
_LAST = (math.inf, "")


class EndedRun(NamedTuple):
    """The numbers of a run: whose it is, of what, and what became of its rows.

    `kind` and `processor` are those of its order, `owner` has ordered it, `needs` are the
    permissions that its file needs.  `exported` counts the rows of an export.
    """

    kind: str
    processor: str
    owner: str
    needs: tuple[str, ...]
    created: int
    updated: int
    unchanged: int
    removed: int
    failed: int
    exported: int

    @classmethod
    def of(cls, run: Run) -> "EndedRun":
        """Return the numbers of a run."""
        order, report = run.order, run.totals()
        exported = run.progress.rows if order.kind == EXPORT else 0
        numbers = (report.created, report.updated, report.unchanged, report.removed, report.failed)
        if order.kind == EXPORT:
            numbers = (0, 0, 0, 0, 0)
        return cls(order.kind, order.processor, order.user, run.needs, *numbers, exported)


class EndedRuns(Persistent):
    """The numbers of all runs that have ended, also of those that were forgotten."""

    def __init__(self) -> None:
        #: Time of the end, id -> what `EndedRun` is made of.
        self._ended = OOBTree({_LAST: None})

    def enter(self, run: Run) -> None:
        """Keep the numbers of a run that has ended; they replace former ones of it."""
        self.leave(run)
        is_nothing = run.state == CANCELLED and run.checkpoint.batches == 0
        if run.ended is None or is_nothing:
            return
        run.counted = run.ended.timestamp()
        self._ended[run.counted, run.id] = tuple(EndedRun.of(run))

    def leave(self, run: Run) -> None:
        """Take the numbers of a run out that goes on."""
        if run.counted is not None:
            self._ended.pop((run.counted, run.id), None)
            run.counted = None

    def between(self, since: float, until: float) -> Iterator[tuple[float, EndedRun]]:
        """Generate times and numbers of the runs that ended from `since` to before `until`."""
        found = self._ended.items((since, ""), (until, ""), excludemax=True)
        return ((ended, EndedRun(*numbers)) for (ended, _id), numbers in found if numbers)
