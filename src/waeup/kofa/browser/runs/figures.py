"""Figures: how many rows were imported, and what failed, over time, as charts with their tables.

What is shown stands in the address, so that it can be kept and passed on.
"""

import codecs
import io
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok
from zope.publisher.http import DirectResult

from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.downloads import Attachment
from waeup.kofa.browser.runs import charts
from waeup.kofa.browser.runs.charts import FAILED_LOOK, Chart, Series
from waeup.kofa.conversion import guard
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter
from waeup.kofa.operations.figures import DAY, MONTH, WEEK, Figures, FigureSum, Period
from waeup.kofa.tabular.writer import header_bytes, row_writer

#: Kinds and officers that a chart tells apart; the others are shown as one.
MOST_SERIES = 5
#: Days that are shown day by day, and week by week, where somebody names the days.
MOST_DAYS, MOST_WEEKS = 62, 400


class Span(NamedTuple):
    """A time that can be chosen."""

    name: str
    title: Any


SPANS = (
    Span("days", _("the last 30 days")),
    Span("weeks", _("the last 12 weeks")),
    Span("months", _("the last 12 months")),
    Span("own", _("from … to …")),
)
_UNIT_TITLES = {DAY: _("Day"), WEEK: _("Week"), MONTH: _("Month")}

_IS_IMPORT = "import"
#: Outcomes of rows, by the attribute that counts them, and how they look.
_OUTCOMES = (
    ("created", _("Created"), 1),
    ("updated", _("Updated"), 2),
    ("removed", _("Removed"), 3),
    ("unchanged", _("Unchanged"), 5),
    ("failed", _("Failed"), FAILED_LOOK),
)
_RUNS = (
    ("import", _("Imports"), 1),
    ("check", _("Checks"), 5),
    ("export", _("Exports"), 3),
    ("undo", _("Undos"), FAILED_LOOK),
)


class Drawing(NamedTuple):
    """A chart as the page shows it: `picture` is SVG, `keys` are pictures and titles of series."""

    chart: Chart
    picture: str
    keys: tuple[tuple[str, str], ...]
    heading: str
    note: str
    has_total: bool


class Asked(DataCenterPage):
    """What a request wants to know, and the charts that answer it.

    ``span`` is one of `SPANS`, ``since`` and ``until`` are days, ``kind`` and ``officer`` those
    that alone are shown.
    """

    grok.baseclass()

    tab = "figures"

    @property
    def span(self) -> str:
        """The time that is shown."""
        asked = self.field("span")
        return asked if asked in {span.name for span in SPANS} else SPANS[0].name

    def _day(self, name: str) -> date:
        """Return a day of the form; raises `Refused` when it is none."""
        text = self.field(name).strip()
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Refused(
                _(
                    "${text} is not a day. Write it like 2026-09-30, in both fields.",
                    mapping={"text": repr(text)},
                )
            )

    def _asked(self) -> tuple[date, date, str]:
        """Return the first and the last day, and how they are put together."""
        today = self.operations.today()
        if self.span == "days":
            return today - timedelta(days=29), today, DAY
        if self.span == "weeks":
            return today - timedelta(days=today.weekday() + 11 * 7), today, WEEK
        if self.span == "months":
            month = today.year * 12 + today.month - 1 - 11
            return date(month // 12, month % 12 + 1, 1), today, MONTH
        since, until = self._day("since"), self._day("until")
        days = (until - since).days
        return since, until, DAY if days < MOST_DAYS else WEEK if days < MOST_WEEKS else MONTH

    def find(self) -> Figures:
        """Return what is asked for; raises `Refused`."""
        since, until, unit = self._asked()
        return self.operations.figures(
            since, until, unit=unit, processor=self.field("kind"), officer=self.field("officer")
        )

    # -- words ---------------------------------------------------------------------

    def period_name(self, period: Period, unit: str) -> str:
        """Return what a day, week or month is called in full."""
        if unit == DAY:
            return self._formats.day(period.first, "yMMMEd")
        if unit == MONTH and period.first.day == 1 and (period.last + timedelta(1)).day == 1:
            return self._formats.day(period.first, "yMMMM")
        mapping = {
            "first": self._formats.day(period.first, "yMMMd"),
            "last": self._formats.day(period.last, "yMMMd"),
        }
        return self.words(_("${first} to ${last}", mapping=mapping))

    def period_label(self, period: Period, unit: str) -> str:
        """Return a short name, for the edge of a chart."""
        return self._formats.day(period.first, "yMMM" if unit == MONTH else "MMMd")

    def summary(self, series: tuple[Series, ...], names: tuple[str, ...]) -> str:
        """Say in words what a chart shows."""
        totals = [self.labelled(each.title, self.number(each.total)) for each in series]
        sums = [sum(values) for values in zip(*(each.values for each in series), strict=True)]
        highest = max(sums, default=0)
        if not highest:
            return self.words(_("All numbers are 0."))
        text = _(
            "In all: ${totals}. Most, ${n}: ${period}. The numbers are in the table below.",
            mapping={
                "totals": ", ".join(totals),
                "n": self.number(highest),
                "period": names[sums.index(highest)],
            },
        )
        return self.words(text)

    # -- charts ----------------------------------------------------------------------

    def chart(self, id: str, figures: Figures) -> Chart:
        """Return a chart by its id; raises `NoSuchItem`."""
        makers: dict[str, tuple[Any, Callable[[Figures], Iterator[Series]]]] = {
            "rows": (_("Rows of imports"), self._outcomes),
            "kinds": (_("Imported rows by kind of data"), self._by_kind),
            "officers": (_("Imported rows by officer"), self._by_officer),
            "runs": (_("Runs"), self._runs),
        }
        if id not in makers:
            raise NoSuchItem(_("There is no such table of figures. Choose one on the page."))
        title, make = makers[id]
        names = tuple(self.period_name(each, figures.unit) for each in figures.periods)
        labels = tuple(self.period_label(each, figures.unit) for each in figures.periods)
        series = tuple(make(figures))
        summary = self.summary(series, names)
        return Chart(f"chart-{id}", self.words(title), summary, labels, names, series)

    def _series(
        self,
        figures: Figures,
        title: str,
        look: int,
        count: Callable[[FigureSum], int],
    ) -> Series:
        values = [0] * len(figures.periods)
        for each in figures.sums:
            values[each.period] += count(each)
        return Series(title, tuple(values), look)

    def _outcomes(self, figures: Figures) -> Iterator[Series]:
        """Generate what has become of rows; outcomes that never occurred are left out."""
        for name, title, look in _OUTCOMES:

            def count(each: FigureSum, name: str = name) -> int:
                number: int = getattr(each, name)
                return number if each.kind == _IS_IMPORT else 0

            found = self._series(figures, self.words(title), look, count)
            if found.total or name in ("created", "failed"):
                yield found

    def _by_kind(self, figures: Figures) -> Iterator[Series]:
        titles = dict(figures.processors)
        return self._by(
            figures, lambda each: self.words(titles.get(each.processor, each.processor))
        )

    def _by_officer(self, figures: Figures) -> Iterator[Series]:
        return self._by(figures, lambda each: each.officer)

    def _by(self, figures: Figures, name_of: Callable[[FigureSum], str]) -> Iterator[Series]:
        """Generate imported rows by a name; those with most rows come first."""
        totals: dict[str, int] = {}
        for each in figures.sums:
            if each.kind == _IS_IMPORT and each.done:
                totals[name_of(each)] = totals.get(name_of(each), 0) + each.done
        names = sorted(totals, key=lambda name: (-totals[name], name))
        shown = names if len(names) <= MOST_SERIES else names[: MOST_SERIES - 1]
        for look, name in enumerate(shown, 1):

            def count(each: FigureSum, name: str = name) -> int:
                is_meant = each.kind == _IS_IMPORT and name_of(each) == name
                return each.done if is_meant else 0

            yield self._series(figures, name, look, count)
        if len(shown) < len(names):

            def count_others(each: FigureSum) -> int:
                is_meant = each.kind == _IS_IMPORT and name_of(each) not in shown
                return each.done if is_meant else 0

            title = self.words(_("All others"))
            yield self._series(figures, title, MOST_SERIES, count_others)

    def _runs(self, figures: Figures) -> Iterator[Series]:
        for kind, title, look in _RUNS:

            def count(each: FigureSum, kind: str = kind) -> int:
                return each.runs if each.kind == kind else 0

            found = self._series(figures, self.words(title), look, count)
            if found.total or kind == _IS_IMPORT:
                yield found


class FiguresPage(Asked):
    """Charts of what runs have done, each with its table."""

    grok.name("figures")
    grok.require("waeup.manageDataCenter")
    grok.template("figures")

    label = _("Figures")
    spans = SPANS

    def update(self) -> None:
        """Gather the figures; a time that cannot be shown is explained, and another one shown."""
        try:
            self.found = self.find()
        except Refused as refusal:
            self.response.setStatus(400)
            self.say(refusal, "danger")
            today = self.operations.today()
            self.found = self.operations.figures(today - timedelta(days=29), today)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has ended in that time."""
        return not self.found.sums

    @property
    def since(self) -> str:
        """The first day, as the form has it."""
        return self.field("since") or self.found.periods[0].first.isoformat()

    @property
    def until(self) -> str:
        """The last day, as the form has it."""
        return self.field("until") or self.found.periods[-1].last.isoformat()

    @property
    def shown_time(self) -> str:
        """The time that is shown, in words."""
        whole = Period(self.found.periods[0].first, self.found.periods[-1].last)
        return self.period_name(whole, WEEK)

    @property
    def unit_title(self) -> str:
        """What the rows of the tables are."""
        return self.words(_UNIT_TITLES[self.found.unit])

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """Names and titles of the kinds of data that can be chosen."""
        asked = self.field("kind")
        known = list(self.found.processors)
        if asked and asked not in dict(known):
            known.append((asked, self.processor_title(asked)))
        return known

    @property
    def officers(self) -> list[str]:
        """The officers who can be chosen."""
        return sorted({*self.found.officers, self.field("officer")} - {""})

    @cached_property
    def totals(self) -> list[tuple[str, str, str]]:
        """Titles, numbers and looks of what stands above the charts."""
        sums = self.found.sums
        imports = [each for each in sums if each.kind == _IS_IMPORT]
        done, failed = sum(each.done for each in imports), sum(each.failed for each in imports)
        numbers = [
            (_("Imports"), self.number(sum(each.runs for each in imports)), ""),
            (_("Rows imported"), self.number(done), ""),
            (_("Rows failed"), self.number(failed), "failed"),
        ]
        if done + failed:
            numbers.append((_("Share that failed"), self.share(failed, done + failed), "failed"))
        for kind, title in (("undo", _("Undos")), ("export", _("Exports"))):
            number = sum(each.runs for each in sums if each.kind == kind)
            if number:
                numbers.append((title, self.number(number), ""))
        exported = sum(each.exported for each in sums)
        if exported:
            numbers.append((_("Rows exported"), self.number(exported), ""))
        return [(self.words(title), text, look) for title, text, look in numbers]

    def share(self, part: int, whole: int) -> str:
        """Return a share in percent; a small one is not said to be none."""
        if 0 < part < whole / 100:
            return self.words(_("less than ${share}", mapping={"share": self.percent(0.01)}))
        return self.percent(part / whole)

    @property
    def drawings(self) -> Iterator[Drawing]:
        """The charts that have something to show."""
        notes = {
            "rows": _(
                "What has become of the rows of imports. Imports that were taken back later "
                "are counted, too."
            ),
            "kinds": _("Rows that did not fail, by what they are."),
            "officers": _("Rows that did not fail, by who has ordered their import."),
            "runs": _("How many imports, checks, exports and undos have ended."),
        }
        for id, note in notes.items():
            chart = self.chart(id, self.found)
            if not chart.series or not any(each.total for each in chart.series):
                continue
            is_line = id == "runs"
            draw = charts.lines if is_line else charts.bars
            keys = tuple(
                (charts.line_key(each) if is_line else charts.bar_key(chart, each), each.title)
                for each in chart.series
            )
            picture = draw(chart, self.number, self.labelled)
            yield Drawing(chart, picture, keys, chart.title, self.words(note), not is_line)

    def rows(self, drawing: Drawing) -> Iterator[tuple[str, list[int]]]:
        """Generate the rows of the table of a chart: a time, and its numbers."""
        columns = [each.values for each in drawing.chart.series]
        for name, *values in zip(drawing.chart.names, *columns, strict=True):
            yield name, [*values, sum(values)] if drawing.has_total else values

    def csv_link(self, drawing: Drawing) -> str:
        """Return the address of the table of a chart as a file."""
        names = ("span", "since", "until", "kind", "officer")
        said = {name: self.field(name) for name in names if self.field(name)}
        chart = drawing.chart.id.removeprefix("chart-")
        return f"{self.url(self.context, 'figurestable')}?{urlencode({'chart': chart, **said})}"


class FiguresTable(Attachment, Asked):
    """The numbers of a chart (``chart=``) as CSV; the rest is as for the page."""

    grok.context(IDataCenter)
    grok.name("figurestable")
    grok.require("waeup.manageDataCenter")

    def answer(self) -> Any:
        """See `Door`."""
        return self.render()

    def render(self) -> DirectResult:
        """Send the table."""
        id = self.field("chart")
        figures = self.find()
        chart = self.chart(id, figures)
        titles = ("first_day", "last_day", *(guard(each.title) for each in chart.series))
        paper = io.StringIO(newline="")
        write = row_writer(paper, titles)
        columns = [each.values for each in chart.series]
        for period, *values in zip(figures.periods, *columns, strict=True):
            write([period.first.isoformat(), period.last.isoformat(), *map(str, values)])
        first, last = figures.periods[0].first, figures.periods[-1].last
        name = f"figures_{id}_{first:%Y-%m-%d}_{last:%Y-%m-%d}.csv"
        rows = paper.getvalue().encode("utf-8")
        return self.send(name, iter([codecs.BOM_UTF8, header_bytes(titles), rows]))
