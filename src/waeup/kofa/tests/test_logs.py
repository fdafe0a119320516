"""Operations on logs: the list, times of the portal, pages, and what lines are about."""

from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility

from waeup.kofa.configuration import ensure_configuration
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import NoSuchItem, NotAllowed, Refused
from waeup.kofa.logger import in_run
from waeup.kofa.operations import Mention, Operations
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, import_file


class LogOperationsTest(FunctionalTestCase):
    """A manager of the data center."""

    def setUp(self) -> None:
        FunctionalLayer.add_user("boss", "waeup.ImportManager")
        self.operations = self.operations_of("boss")

    def operations_of(self, name: str) -> Operations:
        """Return what an account can do."""
        transaction.begin()
        return Operations(self.site, getUtility(IAuthentication).getPrincipal(name))

    def write(self, name: str, *lines: str) -> None:
        """Write the lines of a log."""
        (self.storage / "logs" / name).write_text("".join(lines), encoding="utf-8")

    def found(self, **options: Any) -> list[str]:
        """Return what lines of all logs say."""
        return [line.text[-1] for line in self.operations.log_page(**options).lines]

    def test_logs_are_listed_with_their_backups(self) -> None:
        for name, size in (("a.log", 1), ("a.log.2", 2), ("a.log.10", 4), ("b.log.1", 8)):
            self.write(name, "x" * size)
        self.write("payments.log.1", "x")
        (self.storage / "logs" / "folder").mkdir()
        found = [log for log in self.operations.logs() if log.name != "main.log"]
        self.assertEqual(
            [(log.name, log.size, log.backups) for log in found],
            [("a.log", 7, 2), ("b.log", 8, 0)],
        )
        age = datetime.now(timezone.utc) - found[0].date
        self.assertLess(abs(age), timedelta(minutes=1))

    def test_packed_backups_and_hidden_files_are_in_nobodys_way(self) -> None:
        self.write("my.log", "2026-03-29 10:00:00,000 - INFO - x - 1\n")
        self.write("my.log.2.gz", "\x1f\x8b\n")
        self.write(".nfs0000001", "2026-03-29 10:00:00,000 - INFO - x - 2\n")
        names = {log.name for log in self.operations.logs()} - {"main.log"}
        self.assertEqual(names, {"my.log"})
        found = self.operations.log_page().lines
        self.assertEqual({line.log for line in found} - {"main.log"}, {"my.log"})

    def test_times_are_those_of_the_portal_and_both_belong_to_it(self) -> None:
        begin = datetime(2026, 3, 29, tzinfo=ZoneInfo("Asia/Tokyo"))
        moments = [begin + timedelta(hours=12 * n) for n in range(4)]
        self.write(
            "my.log",
            *(
                f"{moment.astimezone():%Y-%m-%d %H:%M:%S},000 - INFO - x - {n}\n"
                for n, moment in enumerate(moments)
            ),
        )
        ensure_configuration(self.site).time_zone = "Asia/Tokyo"
        for since, until, numbers in (
            ("2026-03-29", "2026-03-29", "10"),
            ("2026-03-30", "", "32"),
            ("", "2026-03-29 00:00", "0"),
            ("2026-03-29 12:00", "2026-03-30T00:00:00", "21"),
            ("2026-03-29 12:00:01", "2026-03-29 23:59", ""),
            ("2026-03-30", "2026-03-29", ""),
        ):
            with self.subTest(since=since, until=until):
                found = self.found(name="my.log", since=since, until=until)
                self.assertEqual("".join(found), numbers)

    def test_what_is_no_time_is_refused(self) -> None:
        for text in (
            "today",
            "2026",
            "2026-1-1",
            "2026-02-30",
            "2026-01-01 24:00",
            "2026-01-01 10",
            "2026-01-01 10:00+01:00",
            "20260101",
            "9999-12-31",
            "2026-01-01\n10:00",
            "\u0662026-01-01",
        ):
            with self.subTest(text), self.assertRaisesRegex(Refused, "is no time. Give a day"):
                self.operations.log_page(until=text)

    def test_a_log_that_does_not_exist_is_refused(self) -> None:
        self.write("my.log", "x")
        with self.assertRaisesRegex(
            NoSuchItem, "There is no log 'nothere'. There are: main.log, my"
        ):
            self.operations.log_page("nothere")

    def test_pages_go_on_where_the_last_one_ended(self) -> None:
        self.write("my.log", *(f"{n}\n" for n in range(5)))
        page = self.operations.log_page("my.log", limit=3)
        self.assertEqual([line.text for line in page.lines], ["4", "3", "2"])
        self.assertTrue(page.has_more)
        page = self.operations.log_page("my.log", limit=3, place=page.place)
        self.assertEqual([line.text for line in page.lines], ["1", "0"])
        self.assertFalse(page.has_more)

    def test_lines_of_a_run_name_it_and_lead_to_it(self) -> None:
        self.store("list.csv")
        kind = ("list.csv", "facultyprocessor", "create", Mapping(("code", "title")))
        run = import_file(self.operations, *kind)
        for name in ("datacenter.log", "main.log"):
            self.assertIn(f" - run={run.id}\n", (self.storage / "logs" / name).read_text())
        (line,) = self.operations.log_page("datacenter.log", "processed").lines
        mentions = self.operations.mentions([line.text])[0]
        self.assertIn(Mention(len(line.text) - 16, len(line.text), "run", run.id), mentions)
        FunctionalLayer.add_user("nina", "waeup.DataCenterManager")
        kinds = {each.kind for each in self.operations_of("nina").mentions([line.text])[0]}
        self.assertNotIn("run", kinds)

    def test_what_a_person_does_with_a_run_names_it(self) -> None:
        self.store("list.csv")
        kind = ("list.csv", "facultyprocessor", "create", Mapping(("code", "title")))
        run = self.operations.start_import(*kind)
        self.operations.cancel(run.id)
        transaction.commit()
        log = (self.storage / "logs" / "datacenter.log").read_text()
        self.assertIn(f" - cancelled: import of list.csv - run={run.id}\n", log)

    def test_lines_outside_of_runs_end_as_in_1_9(self) -> None:
        self.site.logger.info("before")
        with in_run("0123456789abcdef"):
            self.site.logger.info("within")
        self.site.logger.info("after")
        lines = (self.storage / "logs" / "main.log").read_text().splitlines()[-3:]
        ends = [line.partition("system - ")[2] for line in lines]
        self.assertEqual(ends, ["before", "within - run=0123456789abcdef", "after"])

    def test_files_are_found_where_they_are_named(self) -> None:
        (self.storage / "finished" / "a b.csv").write_text("code,title\nA,B\n")
        self.store("a b.csv")
        self.store("c.csv")
        for line, targets in (
            ("t - INFO - x - uploaded: a b.csv", ["a b.csv"]),
            ("t - INFO - x - downloaded: finished/a b.csv", ["finished/a b.csv"]),
            ("t - INFO - x - deleted: a b.csv, c.csv, d.csv", ["a b.csv", "c.csv"]),
            ("t - INFO - x - Kind - c.csv - A1 - updated: title=a", ["c.csv"]),
            ("t - INFO - x - cancelled: import of c.csv", ["c.csv"]),
            ("t - INFO - x - /srv/kofa/c.csv, create mode, 3 lines", ["c.csv"]),
            ("t - INFO - x - ../c.csv", ["c.csv"]),
            ("t - INFO - x - .csv, c.csvx, C.CSV", []),
            ("t - INFO - x - c.csv is here", []),
        ):
            with self.subTest(line):
                (found,) = self.operations.mentions([line])
                self.assertEqual([mention.target for mention in found], targets)
                for mention in found:
                    name = mention.target.rpartition("/")[2]
                    self.assertEqual(line[mention.start : mention.end], name)

    def test_mentions_are_found_when_the_transaction_is_over(self) -> None:
        self.store("c.csv")
        find = self.operations.mentions_later()
        transaction.abort()
        lines = ["t - INFO - x - uploaded: c.csv", "nothing"]
        self.assertEqual([len(found) for found in find(lines)], [1, 0])
        with mock.patch("waeup.kofa.operations.logs.open_portal") as opened:
            self.assertEqual(find(["nothing", "t - INFO - x - no names"]), [(), ()])
        opened.assert_not_called()

    def test_an_account_that_is_removed_while_lines_are_sent(self) -> None:
        self.store("c.csv")
        find = self.operations.mentions_later()
        transaction.begin()
        del self.site["users"]["boss"]
        transaction.commit()
        self.assertEqual(find(["t - INFO - x - uploaded: c.csv"]), [()])

    def test_who_may_not_see_logs_gets_nothing(self) -> None:
        FunctionalLayer.add_user("nobody")
        nobody = self.operations_of("nobody")
        for call in (
            nobody.logs,
            nobody.log_page,
            nobody.look_through_logs,
            lambda: nobody.mentions([]),
            nobody.mentions_later,
        ):
            with self.subTest(call), self.assertRaises(NotAllowed):
                call()
