"""Figures: sums of runs over time, also of forgotten ones, for those who may see them."""

from datetime import date, datetime, time, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import transaction
from hypothesis import given
from hypothesis import strategies as some
from zope.component import getGlobalSiteManager

from waeup.kofa.errors import NotAllowed, Refused
from waeup.kofa.exporting import Wish
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import recovery
from waeup.kofa.jobs.ended import EndedRuns
from waeup.kofa.jobs.record import Order, Run
from waeup.kofa.operations.figures import UNITS, Figures, periods_between
from waeup.kofa.tests.browser.exhibition import FACULTIES, acting_as, done
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

DAY = date(2026, 9, 10)


def end(
    site: Any,
    *,
    day: date = DAY,
    hour: int = 12,
    kind: str = "import",
    processor: str = "facultyprocessor",
    user: str = "ann",
    needs: tuple[str, ...] = (),
    state: str = "finished",
    **rows: Any,
) -> Run:
    """Let a run have ended that had some rows; return it."""
    order = Order(kind, "a.csv", "0", processor, "create", user, takes_file=False)
    run = Run(order, "scope", needs)
    run.state = state
    run.ended = datetime(day.year, day.month, day.day, hour, tzinfo=timezone.utc)
    run.report = Report("a.csv", processor, "create", sum(rows.values()), **rows).as_dict()
    runs = site["datacenter"].runs
    runs.add(run)
    runs.deactivate(run)
    transaction.commit()
    return run


class FiguresTestCase(FunctionalTestCase):
    """An officer who imports, one who exports, and the administrator."""

    def setUp(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        FunctionalLayer.add_user("emma", "waeup.ExportManager")
        FunctionalLayer.add_user("boss", "waeup.PortalManager")

    def figures(
        self, user: str = "ann", since: date = DAY, until: date = DAY, **kw: Any
    ) -> Figures:
        """Return what somebody is told."""
        with acting_as(user) as operations:
            return operations.figures(since, until, **kw)

    def told(self, user: str = "ann", **kw: Any) -> list[tuple[Any, ...]]:
        """Return kind, processor, officer, runs, rows that are done, and failed, of each sum."""
        return [
            (each.kind, each.processor, each.officer, each.runs, each.done, each.failed)
            for each in self.figures(user, **kw).sums
        ]


class Sums(FiguresTestCase):
    """What has ended is counted once, where and when it has ended."""

    def test_rows_of_runs_are_added(self) -> None:
        end(self.site, created=3, failed=1)
        end(self.site, created=1, updated=2, unchanged=4, removed=8)
        end(self.site, kind="check", created=5)
        end(self.site, processor="userprocessor", user="boss", created=7)
        found = self.figures("boss")
        self.assertEqual(
            self.told("boss"),
            [
                ("check", "facultyprocessor", "ann", 1, 5, 0),
                ("import", "facultyprocessor", "ann", 2, 18, 1),
                ("import", "userprocessor", "boss", 1, 7, 0),
            ],
        )
        self.assertEqual(
            found.processors,
            (("facultyprocessor", "Faculty Processor"), ("userprocessor", "User Processor")),
        )
        self.assertEqual(found.officers, ("ann", "boss"))

    def test_one_kind_or_officer_alone(self) -> None:
        end(self.site, created=3)
        end(self.site, user="boss", created=5)
        end(self.site, processor="courseprocessor", created=7)
        self.assertEqual(
            self.told(officer="boss"), [("import", "facultyprocessor", "boss", 1, 5, 0)]
        )
        self.assertEqual(
            self.told(processor="courseprocessor"), [("import", "courseprocessor", "ann", 1, 7, 0)]
        )
        # Others can still be chosen.
        found = self.figures(processor="courseprocessor")
        self.assertEqual(found.officers, ("ann", "boss"))
        self.assertEqual(len(found.processors), 2)

    def test_days_weeks_and_months(self) -> None:
        for day in (date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 6), date(2026, 9, 7)):
            end(self.site, day=day, created=1)
        since, until = date(2026, 8, 31), date(2026, 9, 30)
        for unit, number, counts in (
            ("day", 31, [(0, 1), (1, 1), (6, 1), (7, 1)]),
            ("week", 5, [(0, 3), (1, 1)]),
            ("month", 2, [(0, 1), (1, 3)]),
        ):
            with self.subTest(unit):
                found = self.figures(since=since, until=until, unit=unit)
                self.assertEqual(len(found.periods), number)
                self.assertEqual([(each.period, each.done) for each in found.sums], counts)

    def test_a_day_is_one_of_the_time_zone_of_the_portal(self) -> None:
        end(self.site, day=DAY, hour=23, created=1)
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        self.addCleanup(config.pop, "time_zone", None)
        for name, number in (("Africa/Lagos", 0), ("UTC", 1)):
            config["time_zone"] = name
            self.assertEqual(len(self.told()), number)
            self.assertEqual(len(self.told(until=DAY + timedelta(days=1))), 1)

    def test_days_with_and_without_an_hour_have_their_runs(self) -> None:
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        self.addCleanup(config.pop, "time_zone", None)
        # In Santiago the clock goes from 23:59 to 1:00 then, in Berlin an hour comes twice.
        for name, day, hours in (
            ("Europe/Berlin", date(2026, 10, 25), 25),
            ("Europe/Berlin", date(2026, 3, 29), 23),
            ("America/Santiago", date(2026, 9, 6), 23),
        ):
            config["time_zone"] = name
            first = datetime.combine(day, time(), ZoneInfo(name)).astimezone(timezone.utc)
            for hour in range(-1, 26):
                moment = first + timedelta(hours=hour)
                end(self.site, day=moment.date(), hour=moment.hour, created=1)
            with self.subTest(name, day=day):
                (found,) = self.told(since=day, until=day)
                self.assertEqual(found[3], hours)

    def test_a_real_import_and_a_real_export(self) -> None:
        done("faculties.csv", FACULTIES, "ann")
        with acting_as("emma") as operations:
            operations.start_export(Wish("faculties"))
            transaction.commit()
        FunctionalLayer.work_off_runs()
        with acting_as("ann") as operations:
            today = operations.today()
        around: dict[str, Any] = {
            "since": today - timedelta(days=1),
            "until": today + timedelta(days=1),
        }
        ((kind, processor, user, runs, rows, failed),) = self.told(**around)
        self.assertEqual((kind, processor, user, runs), ("import", "facultyprocessor", "ann", 1))
        self.assertEqual(rows, len(self.site["faculties"]))
        self.assertGreater(failed, 0)
        (export,) = self.figures("emma", **around).sums
        self.assertEqual((export.kind, export.runs, export.done), ("export", 1, 0))
        self.assertEqual(export.exported, rows)


class Forgetting(FiguresTestCase):
    """Runs go, their numbers stay."""

    def test_figures_are_the_same_when_runs_are_forgotten(self) -> None:
        long_ago = date(2020, 2, 29)
        for kind in ("import", "check", "undo"):
            run = end(self.site, day=long_ago, kind=kind, created=3, failed=2)
        before = self.told(since=long_ago, until=long_ago)
        self.assertEqual(len(before), 3)
        list(recovery._forget(self.site["datacenter"]))
        self.assertIsNone(self.site["datacenter"].runs.find(run.id))
        self.assertEqual(self.told(since=long_ago, until=long_ago), before)

    def test_a_run_that_goes_on_is_counted_when_it_ends_again(self) -> None:
        run = end(self.site, state="stopped", created=3)
        runs = self.site["datacenter"].runs
        run.move("queued")
        runs.activate(run)
        self.assertEqual(self.told(), [])
        run.move("running")
        run.move("finished")
        run.ended = datetime(2026, 9, 10, 13, tzinfo=timezone.utc)
        run.report = Report("a.csv", "facultyprocessor", "create", 8, created=8).as_dict()
        runs.deactivate(run)
        transaction.commit()
        self.assertEqual(self.told(), [("import", "facultyprocessor", "ann", 1, 8, 0)])

    def test_one_that_ends_twice_is_counted_once(self) -> None:
        run = end(self.site, state="stopped", created=3)
        run.move("cancelled")
        run.checkpoint.batches = 1
        self.site["datacenter"].runs.deactivate(run)
        transaction.commit()
        self.assertEqual(self.told(), [("import", "facultyprocessor", "ann", 1, 3, 0)])

    def test_one_that_was_cancelled_before_it_began_is_nothing(self) -> None:
        end(self.site, state="cancelled")
        self.assertEqual(self.told(), [])

    def test_databases_of_before_get_them(self) -> None:
        run = end(self.site, created=3)
        runs = self.site["datacenter"].runs
        del runs._ended
        del run.counted
        transaction.commit()
        self.assertEqual(self.told(), [])
        self.assertTrue(runs.upgrade())
        transaction.commit()
        self.assertIsInstance(runs._ended, EndedRuns)
        self.assertEqual(self.told(), [("import", "facultyprocessor", "ann", 1, 3, 0)])
        self.assertFalse(runs.upgrade())


class Rights(FiguresTestCase):
    """Nobody is told more than the list of runs tells."""

    def test_kinds_that_one_may_not_import(self) -> None:
        end(self.site, processor="userprocessor", user="boss", created=7)
        end(self.site, processor="gone", user="boss", created=7)
        self.assertEqual(self.told("ann"), [])
        self.assertEqual(self.figures("ann").officers, ())
        self.assertEqual(self.figures("ann").processors, ())
        self.assertEqual([each[1] for each in self.told("boss")], ["userprocessor"])

    def test_files_with_secrets(self) -> None:
        end(self.site, user="boss", needs=("waeup.manageUsers",), created=7)
        self.assertEqual(self.told("ann"), [])
        self.assertEqual(len(self.told("boss")), 1)

    def test_exports_of_others(self) -> None:
        end(self.site, kind="export", processor="faculties", user="emma")
        end(self.site, kind="export", processor="faculties", user="boss")
        self.assertEqual(self.told("ann"), [])
        self.assertEqual([each[2] for each in self.told("emma")], ["emma"])
        self.assertEqual([each[2] for each in self.told("boss")], ["boss", "emma"])

    def test_who_has_no_business_here(self) -> None:
        FunctionalLayer.add_user("nobody")
        with self.assertRaises(NotAllowed):
            self.figures("nobody")

    def test_figures_agree_with_the_list_of_runs(self) -> None:
        for user in ("ann", "emma", "boss"):
            for kind, processor in (
                ("import", "facultyprocessor"),
                ("import", "userprocessor"),
                ("undo", "courseprocessor"),
                ("export", "faculties"),
            ):
                end(self.site, kind=kind, processor=processor, user=user)
        for user in ("ann", "emma", "boss"):
            with acting_as(user) as operations:
                listed = sorted((r.kind, r.processor, r.owner) for r in operations.runs())
            self.assertEqual([each[:3] for each in self.told(user)], listed)


class Periods(FunctionalTestCase):
    """Times are cut into days, weeks and months."""

    @given(some.dates(date(1970, 1, 1), date(2100, 1, 1)), some.integers(0, 390), some.data())
    def test_they_follow_each_other(self, since: date, days: int, data: Any) -> None:
        until = since + timedelta(days=days)
        unit = data.draw(some.sampled_from(UNITS))
        periods = list(periods_between(since, until, unit))
        self.assertEqual((periods[0].first, periods[-1].last), (since, until))
        for one, other in pairwise(periods):
            self.assertEqual(one.last + timedelta(days=1), other.first)
            if unit == "week":
                self.assertEqual(other.first.weekday(), 0)
            if unit == "month":
                self.assertEqual(other.first.day, 1)

    def test_what_cannot_be_shown(self) -> None:
        for since, until, unit, message in (
            (DAY, DAY - timedelta(days=1), "day", "earlier"),
            (DAY, DAY, "hour", "not by 'hour'"),
            (DAY, DAY + timedelta(days=402), "day", "too long"),
            (date(1, 1, 1), DAY, "month", "between 1970 and 9998"),
            (DAY, date.max, "month", "between 1970 and 9998"),
        ):
            with self.subTest(message), self.assertRaisesRegex(Refused, message):
                list(periods_between(since, until, unit))
