"""What only a real browser shows of logs: lines that come while the search goes on, and looks."""

import threading
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from selenium.webdriver.common.by import By

from waeup.kofa.browser.logs import logs as logs_views
from waeup.kofa.journal import Look
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase

BEGIN = datetime(2026, 1, 31, 8, 0)
RUN = "0123456789abcdef"
#: Reads a page up to so many items of the list of lines, or to its end.
READ = """
const [address, items, done] = arguments;
(async () => {
  if (!window.reading) {
    const answer = await fetch(address);
    window.reading = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    window.read = "";
  }
  while (window.read.split('<li class="log-').length <= items) {
    const {value, done: isOver} = await window.reading.read();
    if (isOver) break;
    window.read += value;
  }
  done(window.read);
})();
"""


def lines_of_a_day() -> list[str]:
    """Return what a log tells of a day."""
    changes = "firstname=Adéọlá, lastname=Àjàyí, current_session=2026, email=adeola@example.org"
    long = "a_very_long_name_of_a_file_that_has_no_blank_at_all_and_goes_on_and_on_and_on.csv"
    said = (
        ("INFO", "ann", "uploaded: admissions_2026_ann.csv"),
        ("INFO", "ann", f"Student Processor - admissions.csv - K1000# - {changes} - run={RUN}"),
        ("WARNING", "bob", f"No such source path: /srv/kofa/storage/{long}"),
        ("ERROR", "system", "Cannot write to the log file: <b>No space left on device</b>"),
        ("INFO", "zope.mgr", "downloaded: finished/admissions_2026_ann.create.finished.csv"),
    )
    lines = []
    for n in range(260):
        level, user, text = said[n % len(said)]
        moment = BEGIN + timedelta(minutes=n)
        text = text.replace("#", str(n))
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S},000 - {level} - {user} - {text}\n")
    return lines


class LogsTest(ChromiumTestCase):
    """An officer and the log of a day."""

    def setUp(self) -> None:
        super().setUp()
        logs = self.storage / "logs"
        (logs / "students.log").write_text("".join(lines_of_a_day()), encoding="utf-8")
        (logs / "students.log.1").write_text("an older line\n", encoding="utf-8")
        self.enter()

    def go(self, address: str) -> None:
        """Show a page of the data center."""
        self.window.get(f"{self.address}/app/datacenter/{address}")

    def lines(self) -> list[Any]:
        """Return the lines that the page shows."""
        return self.window.find_elements(By.CSS_SELECTOR, ".log-lines > li")

    def test_a_search_from_the_list_to_the_last_page(self) -> None:
        self.go("logs")
        self.look("logs")
        self.find("#query").send_keys("k1000\\d+")
        self.find("details > summary").click()
        self.find("#ignore_case").click()
        self.find("#officer").send_keys("ann")
        self.press("search")
        self.assertEqual(len(self.lines()), 52)
        marks = self.window.find_elements(By.CSS_SELECTOR, ".log-lines mark")
        self.assertEqual(marks[0].text, "K1000256")
        self.assertTrue(self.find("#officer").is_displayed())
        self.look("a search")
        self.follow("All lines")
        self.assertEqual(len(self.lines()), 200)
        self.look("a log")
        self.follow("Older lines")
        self.follow("Oldest first")
        self.assertEqual(self.lines()[0].text, "students.log an older line")
        self.assertEqual(self.complaints(), [])

    def test_what_is_wrong_is_said_beside_the_field(self) -> None:
        self.go("show?logname=students.log&query=(%3F%3C%3Da)b&officer=ann")
        self.assertIn("RE2 has no look-around", self.find("#query-error").text)
        self.assertEqual(self.find("#query").get_attribute("value"), "(?<=a)b")
        self.look("an expression that is none")
        self.go("show?logname=students.log&query=nothing+like+this")
        self.look("nothing found")

    def test_lines_come_while_the_search_goes_on(self) -> None:
        gate = threading.Semaphore(0)
        steps = Look.steps

        def steps_when_let(look: Look) -> Any:
            for number, step in enumerate(steps(look)):
                if number == 60:
                    gate.acquire(timeout=30)
                yield step

        self.more.callback(gate.release)
        self.more.enter_context(mock.patch.object(Look, "steps", steps_when_let))
        self.more.enter_context(mock.patch.multiple(logs_views, BATCH=50, FIRST_PATIENCE=60))
        address = f"{self.address}/app/datacenter/show?logname=students.log"
        begun = self.window.execute_async_script(READ, address, 50)
        self.assertEqual(begun.count('<li class="log-'), 50)
        self.assertIn("Logfile students.log</h1>", begun)
        self.assertNotIn("Older lines", begun)
        gate.release()
        whole = self.window.execute_async_script(READ, address, 1000)
        self.assertTrue(whole.startswith(begun))
        self.assertEqual(whole.count('<li class="log-'), 200)
        self.assertIn("Older lines", whole)
        self.assertTrue(whole.rstrip().endswith("</html>"))

    def test_a_search_that_takes_long_says_where_it_is(self) -> None:
        self.more.enter_context(mock.patch.object(logs_views, "SECONDS", 0))
        self.go("show?logname=students.log&query=rare")
        self.assertIn("This search takes long.", self.text)
        self.look("a search that takes long")
