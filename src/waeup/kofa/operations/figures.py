"""Figures: what has become of runs over time, for the charts and for ``kofactl figures``.

A person is told of the runs that he may see, and of no others; so the totals of two people can
differ.  Runs count at the time of their end, in the time zone of the portal.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

from zope.component import queryUtility

from waeup.kofa.configuration import zone_of_portal
from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.ended import EndedRun
from waeup.kofa.jobs.record import EXPORT, MOVE
from waeup.kofa.jobs.sight import may_see
from waeup.kofa.operations.acting import MANAGE, Acting

DAY, WEEK, MONTH = "day", "week", "month"
UNITS = (DAY, WEEK, MONTH)
#: Parts of a time that are shown at most.
MOST_PERIODS = 400
_TOO_LONG = {
    DAY: _(
        "The time from ${since} to ${until} is too long to be shown by day. Choose larger steps, "
        "or a shorter time."
    ),
    WEEK: _(
        "The time from ${since} to ${until} is too long to be shown by week. Choose larger steps, "
        "or a shorter time."
    ),
    MONTH: _(
        "The time from ${since} to ${until} is too long to be shown by month. Choose a shorter "
        "time."
    ),
}


@dataclass(frozen=True)
class Period:
    """A day, a week or a month, or what is asked for of it; `last` is in it."""

    first: date
    last: date


@dataclass(frozen=True)
class FigureSum:
    """What runs of one kind, one processor and one officer have done in a period.

    `period` is the place of the period, `kind` that of `RunInfo`.  `runs` ended; the other
    numbers count rows, `exported` those of exports.
    """

    period: int
    kind: str
    processor: str
    officer: str
    runs: int
    created: int
    updated: int
    unchanged: int
    removed: int
    failed: int
    exported: int

    @property
    def done(self) -> int:
        """Rows that did not fail, whether they changed anything or not."""
        return self.created + self.updated + self.unchanged + self.removed


@dataclass(frozen=True)
class Figures:
    """What runs have done from the first to the last of `periods`, which are days, weeks, months.

    `unit` is one of `UNITS`.  `processors` (names and titles) and `officers` are those of all
    runs of that time which the person may see, also where only some were asked for.
    """

    unit: str
    periods: tuple[Period, ...]
    sums: tuple[FigureSum, ...]
    processors: tuple[tuple[str, str], ...]
    officers: tuple[str, ...]


class FigureOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def figures(
        self,
        since: date,
        until: date,
        *,
        unit: str = DAY,
        processor: str = "",
        officer: str = "",
    ) -> Figures:
        """Return what runs have done from the day `since` to the day `until`, by `unit`.

        Only those of one `processor`, or ordered by one `officer`.  Raises `Refused` for a time
        that ends before it begins, and for one that has too many parts.
        """
        self._require(MANAGE)
        periods = tuple(periods_between(since, until, unit))
        starts = [self._beginning_of(period.first) for period in periods]
        end = self._beginning_of(until + timedelta(days=1))
        may_see_ended = cache(self._may_see_ended)
        processors: dict[str, str] = {}
        officers: set[str] = set()
        sums: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0] * 7)
        for ended, run in self.datacenter.runs.ended_between(starts[0], end):
            is_own = run.owner == self.principal.id
            if not may_see_ended(run.kind, run.processor, run.needs, is_own):
                continue
            officers.add(run.owner)
            if run.kind != EXPORT:
                processors.setdefault(run.processor, _title_of(run.processor))
            if processor not in ("", run.processor) or officer not in ("", run.owner):
                continue
            key = (bisect_right(starts, ended) - 1, run.kind, run.processor, run.owner)
            _add(sums[key], run)
        return Figures(
            unit,
            periods,
            tuple(FigureSum(*key, *numbers) for key, numbers in sorted(sums.items())),
            tuple(sorted(processors.items(), key=lambda pair: pair[1])),
            tuple(sorted(officers)),
        )

    def today(self) -> date:
        """Return the day that it is in the time zone of the portal."""
        return datetime.now().astimezone(zone_of_portal()).date()

    def _beginning_of(self, day: date) -> float:
        """Return when a day begins, in seconds since the epoch."""
        return datetime.combine(day, time(), zone_of_portal()).timestamp()

    def _may_see_ended(
        self, kind: str, processor: str, needs: tuple[str, ...], is_own: bool
    ) -> bool:
        """Tell whether the person may see such runs, as `runs` lists them; moves have no rows."""
        return kind != MOVE and may_see(self.may, kind, processor, needs, is_own)


def _add(numbers: list[int], run: EndedRun) -> None:
    """Add a run to sums."""
    more = (1, run.created, run.updated, run.unchanged, run.removed, run.failed, run.exported)
    for place, number in enumerate(more):
        numbers[place] += number


def _title_of(processor: str) -> str:
    found = queryUtility(IBatchProcessor, name=processor)
    return processor if found is None else found.name


def periods_between(since: date, until: date, unit: str) -> Iterator[Period]:
    """Generate the days, weeks or months from `since` to `until`; the outer ones may be cut."""
    if unit not in UNITS:
        raise Refused(
            _(
                "Figures are by ${units}, not by ${unit}.",
                mapping={"units": ", ".join(UNITS), "unit": repr(unit)},
            )
        )
    if since > until:
        raise Refused(
            _(
                "The time begins on ${since} and ends on ${until}, which is earlier. Exchange the "
                "two days.",
                mapping={"since": since.isoformat(), "until": until.isoformat()},
            )
        )
    if not 1970 <= since.year <= until.year <= 9998:
        raise Refused(_("A year is between 1970 and 9998. Correct the two days."))
    days = {DAY: 1, WEEK: 7, MONTH: 28}[unit]
    if (until - since).days / days > MOST_PERIODS:
        raise Refused(
            _(
                _TOO_LONG[unit],
                mapping={"since": since.isoformat(), "until": until.isoformat()},
            )
        )
    first = since
    while first <= until:
        last = min(_last_day(first, unit), until)
        yield Period(first, last)
        first = last + timedelta(days=1)


def _last_day(day: date, unit: str) -> date:
    """Return the last day of the week or month of a day."""
    if unit == DAY:
        return day
    if unit == WEEK:
        return day + timedelta(days=6 - day.weekday())
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
