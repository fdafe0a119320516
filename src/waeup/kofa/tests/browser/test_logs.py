"""Logs in the browser: the list, searches, pages, what lines are about, and what is hidden."""

import html
import re
import time
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility

from waeup.kofa.browser.logs import logs as logs_views
from waeup.kofa.browser.logs.loglines import SHOWN
from waeup.kofa.browser.streaming import Streamed
from waeup.kofa.configuration import ensure_configuration
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import StorageFault
from waeup.kofa.journal import Look
from waeup.kofa.journal.expressions import MAX_MARKS
from waeup.kofa.operations import Operations
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, import_file

CENTER = "http://localhost/app/datacenter"
EVIL = "<img src=x onerror=alert(1)>"
BEGIN = datetime(2026, 1, 31, 10, 0)


def line_of(minute: int, text: str, user: str = "ann", level: str = "INFO") -> str:
    """Return a line as loggers write it."""
    moment = BEGIN + timedelta(minutes=minute)
    return f"{moment:%Y-%m-%d %H:%M:%S},000 - {level} - {user} - {text}\n"


class LogsTestCase(FunctionalTestCase):
    """A data center manager who looks at logs."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.DataCenterManager")

    def write(self, name: str, *lines: str) -> None:
        """Write the lines of a log."""
        (self.storage / "logs" / name).write_text("".join(lines), encoding="utf-8")

    def show(self, logname: str | None = "my.log", **fields: str) -> None:
        """Open the page of a search."""
        named = {} if logname is None else {"logname": logname}
        self.browser.open(f"{CENTER}/show?{urlencode({**named, **fields})}")

    @property
    def page(self) -> str:
        """What the browser shows."""
        return str(self.browser.contents)

    @property
    def status(self) -> int:
        """Status of the last answer."""
        return int(self.browser.headers["Status"][:3])

    @property
    def plain(self) -> str:
        """The text of the page."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.page)).split())

    @property
    def items(self) -> list[str]:
        """The lines of the page, as HTML."""
        return re.findall(
            r"<li(?: class=\"log-\w+\")?>(?:<span class=\"log-name\".*?</span> )?"
            r"<code>(.*?)</code></li>",
            self.page,
        )

    @property
    def lines(self) -> list[str]:
        """What the lines of the page say, without their heads."""
        texts = (html.unescape(re.sub(r"<[^>]*>", "", item)) for item in self.items)
        return [text.split(" - ", 3)[-1] for text in texts]

    @property
    def marked(self) -> list[str]:
        """What is marked."""
        return [html.unescape(text) for text in re.findall("<mark>(.*?)</mark>", self.page)]


class ListTest(LogsTestCase):
    """The page `logs`."""

    def test_without_logs(self) -> None:
        for log in (self.storage / "logs").iterdir():
            log.unlink()
        self.browser.open(f"{CENTER}/logs")
        self.assertIn("Show logfiles", self.plain)
        self.assertIn("Currently no log files are available.", self.page)

    def test_logs_are_listed_with_what_there_is_of_them(self) -> None:
        self.write("main.log", "x" * 1000)
        self.write("main.log.1", "x" * 1000)
        self.write("main.log.10", "x" * 1000)
        self.write("old.log.1", "x")
        self.write("payments.log", "x")
        self.write("payments.log.1", "x")
        self.browser.open(f"{CENTER}/logs")
        rows = re.findall(r"<tr>.*?</tr>", self.page, re.DOTALL)[1:]
        texts = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in rows]
        self.assertEqual(len(texts), 2)
        self.assertRegex(texts[0], r"^main\.log .* 2$")
        self.assertRegex(texts[1], r"^old\.log .* 0$")
        self.assertNotIn("payments", self.page)
        self.browser.getLink("main.log").click()
        self.assertEqual(self.browser.url, f"{CENTER}/show?logname=main.log")
        self.assertIn("Logfile main.log</h1>", self.page)

    def test_one_form_searches_all_logs(self) -> None:
        self.write("a.log", line_of(1, "K100 one"), line_of(3, "K100 three"))
        self.write("b.log", line_of(2, "K100 two"), line_of(4, "K200"))
        self.browser.open(f"{CENTER}/logs")
        self.browser.getControl("Regular expression").value = "K100"
        self.browser.getControl("Search").click()
        self.assertIn("All logs</h1>", self.page)
        self.assertEqual(self.lines, ["K100 three", "K100 two", "K100 one"])
        self.assertEqual(re.findall('log-name">(.*?)<', self.page), ["a.log", "b.log", "a.log"])

    def test_the_head_of_the_page_knows_the_place(self) -> None:
        self.browser.open(f"{CENTER}/logs")
        self.assertRegex(self.page, r'<a aria-current="page" [^>]*datacenter/logs"')


class SearchTest(LogsTestCase):
    """The page `show`."""

    def setUp(self) -> None:
        super().setUp()
        self.write(
            "my.log",
            line_of(1, "uploaded: list (1).csv"),
            line_of(2, "uploaded: list (1).csv", "bob"),
            line_of(3, f"deleted: {EVIL}.csv", level="WARNING"),
            line_of(60 * 24, "Uploaded: list 1.csv", level="ERROR"),
        )

    def test_without_a_log_the_list_is_shown(self) -> None:
        for fields in ({}, {"query": "x"}):
            self.show(None, **fields)
            self.assertEqual(self.browser.url, f"{CENTER}/logs")
        self.show(back="1")
        self.assertEqual(self.browser.url, f"{CENTER}/logs")

    def test_the_newest_lines_are_there_at_once_or_the_oldest(self) -> None:
        self.show()
        self.assertEqual(self.lines[0], "Uploaded: list 1.csv")
        self.assertIn("These are all lines.", self.page)
        self.browser.getLink("Oldest first").click()
        self.assertEqual(self.lines[0], "uploaded: list (1).csv")
        self.assertIn("order=oldest", self.browser.url)
        self.browser.getControl("Regular expression").value = "^.*list"
        self.browser.getControl("Search").click()
        self.assertIn("order=oldest", self.browser.url)
        self.assertIn("query=%5E.%2Alist", self.browser.url)
        self.browser.getLink("Newest first").click()
        self.assertNotIn("order", self.browser.url)
        self.assertIn("query=%5E.%2Alist", self.browser.url)
        self.assertEqual(len(self.lines), 3)

    def test_all_that_is_entered_must_fit_and_stays_in_the_form(self) -> None:
        self.show()
        for label, value in (
            ("Regular expression", "UPLOADED"),
            ("Officer", "ann"),
            ("Name of a file", "list (1).csv"),
        ):
            self.browser.getControl(label).value = value
        self.browser.getControl("Capital letters").selected = True
        self.browser.getControl(name="since").value = "2026-01-31"
        self.browser.getControl(name="until").value = "2026-01-31"
        self.browser.getControl(name="until_time").value = "10:01"
        self.browser.getControl("Search").click()
        self.assertEqual(self.lines, ["uploaded: list (1).csv"])
        self.assertEqual(self.marked, ["uploaded", "list (1).csv"])
        for name, value in (("query", "UPLOADED"), ("officer", "ann"), ("until_time", "10:01")):
            self.assertEqual(self.browser.getControl(name=name).value, value)
        self.assertTrue(self.browser.getControl("Capital letters").selected)
        self.assertIn('<details open="open"', self.page)

    def test_by_level_and_by_time(self) -> None:
        for fields, number in (
            ({"level": "WARNING"}, 2),
            ({"level": "ERROR"}, 1),
            ({"since": "2026-02-01"}, 1),
            ({"until": "2026-01-31"}, 3),
            ({"since": "2026-01-31", "since_time": "10:02", "until": "2026-01-31"}, 2),
            ({"since": "2026-01-31 10:02:01", "until": "2026-01-31T10:03"}, 1),
            ({"since": "2027-01-01"}, 0),
        ):
            with self.subTest(fields):
                self.show(**fields)
                self.assertEqual(len(self.lines), number)

    def test_times_are_those_of_the_portal(self) -> None:
        transaction.begin()
        ensure_configuration(self.site).time_zone = "Asia/Tokyo"
        transaction.commit()
        offset = BEGIN.astimezone().utcoffset()
        tokyo = BEGIN - (offset or timedelta()) + timedelta(hours=9, minutes=1)
        self.show(
            since=f"{tokyo:%Y-%m-%d}", since_time=f"{tokyo:%H:%M}", until=f"{tokyo:%Y-%m-%d %H:%M}"
        )
        self.assertEqual(self.lines, ["uploaded: list (1).csv"])
        self.assertIn(f"{tokyo:%Y-%m-%d %H:%M:%S},000</time>", self.page)
        self.assertIn(f'datetime="{tokyo:%Y-%m-%dT%H:%M:%S}+09:00"', self.page)
        self.assertIn("Times are those of the portal (Asia/Tokyo)", self.plain)

    def test_what_is_no_time_is_said_and_stays(self) -> None:
        for text in ("yesterday", "2026-02-30", "2026-01-31 25:00", "0001-01-01 ", "9999-12-31"):
            with self.subTest(text):
                self.show(until=text)
                if text.startswith(("y", "2")):
                    self.assertEqual(self.status, 400)
                    self.assertIn(f"'{text}' is no time. Give a day such as", self.plain)
                self.assertEqual(self.browser.getControl(name="until").value, text.strip())

    def test_what_is_found_is_escaped(self) -> None:
        self.show(query="<img.*", contains=EVIL)
        self.assertEqual(self.lines, [f"deleted: {EVIL}.csv"])
        self.assertNotIn("<img", self.page)
        self.assertEqual(self.marked, [f"{EVIL}.csv"])

    def test_whatever_is_entered_is_shown_as_text(self) -> None:
        evil = f'"><script>{EVIL}'
        names = ("query", "officer", "contains", "level", "since", "since_time", "until", "order")
        for name in (*names, "until_time", "place", "ignore_case"):
            with self.subTest(name):
                self.show(**{name: evil})
                self.assertIn(self.status, (200, 400, 404))
                self.assertNotIn("<script>", self.page)
                self.assertNotIn("<img", self.page)
        self.show(evil)
        self.assertEqual(self.status, 404)
        self.assertNotIn("<img", self.page)

    def test_nothing_found(self) -> None:
        self.show(query="nothing like this")
        self.assertIn("No search results found.", self.page)

    def test_who_finds_nothing_can_search_without_regard_to_capitals(self) -> None:
        self.write("my.log", line_of(0, "ADÉWÁLÉ was here"))
        self.show(query="adéwálé")
        self.assertIn("No search results found.", self.page)
        self.browser.getLink("Search without regard to capital letters").click()
        self.assertIn("was here", self.page)
        for asked in ({"query": "nothing", "ignore_case": "yes"}, {"query": "4711"}):
            self.show(**asked)
            self.assertIn("No search results found.", self.page)
            self.assertNotIn("Search without regard", self.page)

    def test_an_expression_that_is_none_is_explained(self) -> None:
        for expression, words in (
            ("(?<=a)b", "At character 1, “(?<=”: RE2 has no look-around"),
            (r"(a)\1", r"At character 4, “\1”: RE2 has no back references"),
            ("K100 (x", "At character 6, “(”: this bracket is opened and nowhere closed"),
            ("<b>a**", "At character 5, “**”: one repetition follows another"),
        ):
            with self.subTest(expression):
                self.show(query=expression, officer="ann")
                self.assertEqual(self.status, 400)
                self.assertIn("Invalid search expression.", self.page)
                self.assertIn(words, self.plain)
                self.assertNotIn("<b>", self.page)
                self.assertIn('aria-invalid="true"', self.page)
                self.assertEqual(self.browser.getControl(name="query").value, expression)
                self.assertEqual(self.browser.getControl(name="officer").value, "ann")
                self.assertNotIn("log-lines", self.page)

    def test_a_form_of_1_9_works(self) -> None:
        self.browser.post(f"{CENTER}/show", urlencode({"logname": "my.log", "show": "Show"}))
        self.assertEqual((self.status, len(self.lines)), (200, 4))
        self.browser.post(
            f"{CENTER}/show", urlencode({"logname": "my.log", "query": "bob", "search": "Search"})
        )
        self.assertEqual(self.marked, ["bob"])

    def test_the_officer_of_a_line_leads_to_all_lines_of_that_officer(self) -> None:
        self.show(query="load")
        self.browser.getLink("bob").click()
        self.assertIn("officer=bob", self.browser.url)
        self.assertIn("query=load", self.browser.url)
        self.assertEqual(self.lines, ["uploaded: list (1).csv"])

    def test_of_a_very_long_line_a_part_is_shown(self) -> None:
        self.write("my.log", line_of(1, "x" * 10_000 + " needle " + "y" * 10_000))
        self.show()
        self.assertEqual(len(self.lines), 1)
        self.assertIn("more characters", self.page)
        self.assertLess(len(self.items[0]), SHOWN + 1000)
        self.show(query="needle")
        self.assertEqual(self.marked, ["needle"])
        self.assertIn("… ", self.page)
        self.write("my.log", line_of(1, "x" * 10_000))
        self.show(contains="x")
        self.assertEqual(self.page.count("<mark>"), 1)
        self.write("my.log", line_of(1, "x-" * 10_000))
        self.show(contains="x")
        self.assertEqual(self.page.count("<mark>"), MAX_MARKS)

    def test_lines_without_a_head_are_shown_too(self) -> None:
        self.write("my.log", "Traceback\n", "\n", "2026-99-99 99:99:99,000 - INFO - x - wrong\n")
        self.show()
        self.assertEqual(self.lines, ["wrong", "", "Traceback"])


class PagesTest(LogsTestCase):
    """Long logs."""

    def setUp(self) -> None:
        super().setUp()
        self.write("my.log", *(line_of(n, f"message {n}") for n in range(500)))

    def test_pages_go_to_the_end_in_either_order(self) -> None:
        for order, link, numbers in (
            ("", "Older lines", list(range(499, -1, -1))),
            ("oldest", "Newer lines", list(range(500))),
        ):
            with self.subTest(order):
                self.show(order=order, query="message")
                found = self.lines
                for _page in range(2):
                    self.assertEqual(len(self.lines), 200)
                    self.browser.getLink(link).click()
                    self.assertIn("query=message", self.browser.url)
                    found += self.lines
                self.assertEqual(found, [f"message {n}" for n in numbers])
                self.assertIn("These are all lines.", self.page)
                self.browser.getLink("Back to the first lines").click()
                self.assertEqual(self.lines, found[:200])

    def test_newer_lines_can_be_looked_for(self) -> None:
        self.show(order="oldest", query="message 499|new")
        with open(self.storage / "logs" / "my.log", "a", encoding="utf-8") as log:
            log.write(line_of(501, "new"))
        self.browser.getLink("Look for newer lines").click()
        self.assertEqual(self.lines, ["new"])
        self.browser.getLink("Look for newer lines").click()
        self.assertIn("No more lines were found.", self.page)

    def test_a_search_that_takes_long_ends_and_goes_on(self) -> None:
        with mock.patch.object(logs_views, "SECONDS", 0.0):
            self.show(query="message [0-9]$")
        self.assertIn("This search takes long.", self.plain)
        self.assertRegex(self.plain, r"all lines as far as 2026-01-31 \d\d:\d\d were read")
        found = self.lines
        self.browser.getLink("Go on from there").click()
        self.assertEqual(found + self.lines, [f"message {n}" for n in range(9, -1, -1)])

    def test_searches_beside_others_have_less_time(self) -> None:
        searches = logs_views.searches
        self.assertEqual(searches.seconds, logs_views.SECONDS)
        with searches.one_more(), mock.patch.object(logs_views, "FEW_SECONDS", 0):
            self.assertEqual(searches.seconds, logs_views.SECONDS)
            with searches.one_more():
                self.show(query="message [0-9]$")
        self.assertIn("In 0 seconds all lines as far as", self.plain)
        self.assertEqual(searches.seconds, logs_views.SECONDS)

    def test_a_search_that_breaks_off_is_not_counted_any_more(self) -> None:
        with (
            mock.patch.object(Look, "steps", side_effect=ZeroDivisionError),
            self.assertRaises(ZeroDivisionError),
        ):
            self.show()
        self.assertEqual(logs_views.searches._number, 0)

    def test_a_place_from_outside_is_refused(self) -> None:
        for place, status in (("x", 400), ("my.log:5:0123456789abcdef", 404)):
            self.show(place=place, query="kept")
            self.assertEqual(self.status, status)
            self.assertEqual(self.browser.getControl(name="query").value, "kept")
            self.assertIn("earch anew", self.plain)

    def test_a_fault_is_told_where_the_lines_end(self) -> None:
        def steps(look: Look) -> Any:
            yield next(original(look))
            raise StorageFault("The disk is gone.")

        original = Look.steps
        with mock.patch.object(Look, "steps", steps):
            self.show()
        self.assertEqual(len(self.lines), 1)
        self.assertIn("The disk is gone.", self.plain)
        self.assertIn("</html>", self.page)

    def test_the_page_begins_before_the_search_is_over(self) -> None:
        """Nothing is read before the beginning was sent, and nothing more when nobody reads."""
        read: list[Any] = []

        def steps(look: Look) -> Any:
            for step in original(look):
                read.append(step)
                yield step

        original = Look.steps
        sent: list[bytes] = []

        class Reader(Streamed):
            def __iter__(self) -> Any:
                for part in super().__iter__():
                    sent.append(part)
                    if len(sent) == 1:
                        case.assertEqual(read, [])
                    yield part

        case = self
        with (
            mock.patch.object(Look, "steps", steps),
            mock.patch("waeup.kofa.browser.streaming.Streamed", Reader),
            mock.patch.object(logs_views, "BATCH", 10),
        ):
            self.show()
        self.assertGreater(len(sent), 20)
        self.assertTrue(sent[0].startswith(b"<!DOCTYPE html>"))
        self.assertTrue(sent[-1].rstrip().endswith(b"</html>"))
        self.assertEqual(self.browser.headers["X-Accel-Buffering"], "no")
        self.assertEqual(len(self.lines), 200)

    def test_the_first_line_is_sent_at_once_and_others_together(self) -> None:
        read: list[Any] = []
        sent: list[tuple[int, int]] = []

        def steps(look: Look) -> Any:
            for step in original(look):
                read.append(step)
                yield step

        class Reader(Streamed):
            def __iter__(self) -> Any:
                for part in super().__iter__():
                    sent.append((len(read), part.count(b"<li class=")))
                    yield part

        original = Look.steps
        with (
            mock.patch.object(Look, "steps", steps),
            mock.patch("waeup.kofa.browser.streaming.Streamed", Reader),
            mock.patch.multiple(logs_views, BATCH=1000, FIRST_PATIENCE=0, PATIENCE=1000),
        ):
            self.show()
        self.assertEqual([part for part in sent if part[1]], [(1, 1), (200, 199)])

    def test_a_search_holds_no_connection_of_the_database(self) -> None:
        def opened() -> int:
            infos = FunctionalLayer.database().connectionDebugInfo()
            return sum(info["opened"] is not None for info in infos)

        def steps(look: Look) -> Any:
            for step in original(look):
                seen.add(opened())
                yield step

        before, seen, original = opened(), set[int](), Look.steps
        with mock.patch.object(Look, "steps", steps):
            self.show(query="message", contains="4")
        self.assertGreater(len(self.lines), 100)
        self.assertEqual((seen, opened()), ({before}, before))

    def test_who_reads_no_more_stops_the_search(self) -> None:
        stopped = []

        def parts() -> Any:
            try:
                yield "a"
                yield "b"
            finally:
                stopped.append(time.monotonic())

        answer = Streamed("<", parts(), ">")
        self.assertEqual(list(answer)[1:], [b"a", b"b", b">"])
        stopped.clear()
        answer = Streamed("<", parts(), ">")
        iterator = iter(answer)
        self.assertEqual([next(iterator), next(iterator)], [b"<", b"a"])
        answer.close()
        self.assertEqual(len(stopped), 1)
        Streamed("<", parts(), ">").close()


class HiddenTest(LogsTestCase):
    """What nobody may see."""

    def test_the_log_of_payments_stays_hidden(self) -> None:
        for name in ("payments.log", "payments.log.1", "payments.log-20260131", "payments.log.gz"):
            self.write(name, line_of(1, "SECRET K100"))
        self.write("main.log", line_of(1, "K100"))
        self.browser.open(f"{CENTER}/logs")
        self.assertNotIn("payments", self.page)
        for name in (
            "payments.log",
            "payments.log.1",
            "payments.log-20260131",
            "payments.log.gz",
            "./payments.log",
            "../logs/payments.log",
            "payments.log/",
            "PAYMENTS.LOG",
            "payments.log\0",
            " payments.log",
        ):
            for fields in ({}, {"query": "."}, {"place": f"{name}:1:0123456789abcdef"}):
                with self.subTest(name=name, fields=fields):
                    self.show(name, **fields)
                    self.assertIn(self.status, (400, 404))
                    self.assertNotIn("SECRET", self.page)
        self.show("", query="K100|SECRET")
        self.assertEqual(self.lines, ["K100"])
        self.assertNotIn("payments", self.page)
        self.show("main.log", place="payments.log:5:0123456789abcdef")
        self.assertEqual(self.status, 404)

    def test_names_lead_nowhere_else(self) -> None:
        (self.storage / "secret.csv").write_text("SECRET\n")
        self.write("main.log", line_of(1, "x"))
        for name in ("../secret.csv", "..", ".", "/etc/passwd", "a\\b", "x" * 300, "nothing.log"):
            with self.subTest(name):
                self.show(name)
                self.assertIn(self.status, (400, 404))
                self.assertNotIn("SECRET", self.page)

    def test_only_who_manages_the_data_center_sees_logs(self) -> None:
        self.write("main.log", line_of(1, "SECRET"))
        self.browser = self.log_in(name="nobody")
        for view in ("logs", "show?logname=main.log", "show?logname="):
            self.browser.open(f"{CENTER}/{view}")
            self.assertEqual(self.status, 403)
            self.assertNotIn("SECRET", self.page)


class MentionTest(LogsTestCase):
    """What lines are about."""

    MAPPING = Mapping(("code", "title"))

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ImportManager")
        self.store("list.csv", "code,title\nA1,Arts\n,\n")

    def run_it(self, user: str = "zope.mgr") -> Any:
        """Import a file; return the run."""
        transaction.begin()
        principal = getUtility(IAuthentication).getPrincipal(user)
        operations = Operations(self.site, principal)
        return import_file(operations, "list.csv", "facultyprocessor", "create", self.MAPPING)

    def test_a_line_leads_to_its_run(self) -> None:
        run = self.run_it()
        log = (self.storage / "logs" / "datacenter.log").read_text()
        self.assertRegex(log, rf"processed: .*list\.csv, create mode, .* - run={run.id}\n")
        self.show("datacenter.log", query="processed")
        self.assertIn(f'<a href="{CENTER}/run?id={run.id}">{run.id}</a></code>', self.page)
        self.browser.getLink(run.id).click()
        self.assertEqual(self.status, 200)

    def test_all_lines_of_a_run_name_it(self) -> None:
        run = self.run_it()
        self.show("", query=f"run={run.id}$")
        self.assertGreater(len(self.lines), 1)
        # The id is marked within the link.
        self.assertEqual(set(self.marked), {"run=", run.id})

    def test_only_runs_that_the_person_may_see_are_links(self) -> None:
        run = self.run_it()
        self.browser = self.log_in("waeup.DataCenterManager", name="other")
        self.show("datacenter.log", query="processed")
        self.assertIn(f"run={run.id}</code>", self.page)
        self.assertNotIn("run?id=", self.page)

    def test_what_is_no_run_or_stands_elsewhere_is_no_link(self) -> None:
        run = self.run_it()
        self.write(
            "my.log",
            line_of(1, "x - run=0123456789abcdef"),
            line_of(2, f"title=x - run={run.id} - more"),
            line_of(3, f"exported: x, job_id={run.id}"),
        )
        self.show()
        self.assertEqual(self.page.count("run?id="), 1)

    def test_names_of_files_lead_to_them(self) -> None:
        self.store("a b.csv")
        (self.storage / "finished" / "done.create.finished.csv").write_text("code,title\nA,B\n")
        self.write(
            "my.log",
            line_of(1, "uploaded: a b.csv"),
            line_of(2, "downloaded: finished/done.create.finished.csv"),
            line_of(3, "uploaded: gone.csv"),
            line_of(4, "uploaded: ../a b.csv, .., /etc/passwd.csv"),
        )
        self.show()
        files = re.findall(r'download\?filename=([^"]*)"', self.page)
        self.assertEqual(
            sorted(files), ["a+b.csv", "a+b.csv", "finished%2Fdone.create.finished.csv"]
        )
        self.browser.getLink("done.create").click()
        self.assertEqual(self.status, 200)

    def test_files_that_the_person_may_not_see_are_no_links(self) -> None:
        self.store("users.csv", "name,title,password\nx,X,secret\n")
        self.write("my.log", line_of(1, "uploaded: users.csv"))
        self.show()
        self.assertEqual(self.lines, ["uploaded: users.csv"])
        self.assertNotIn("filename=", self.page)
