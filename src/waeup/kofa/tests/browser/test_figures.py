"""Figures in the browser: charts with their tables, what can be chosen, and who is told what."""

import csv
import re
from datetime import date, timedelta
from io import StringIO
from unittest import mock

from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.tests.test_figures import DAY, end
from waeup.kofa.university.processors import FacultyProcessor

FIGURES = "http://localhost/app/datacenter/figures"
OWN = f"?span=own&since={DAY}&until={DAY + timedelta(days=2)}"
EVIL = "<img src=x onerror=alert(1)>"


class FiguresTestCase(FunctionalTestCase):
    """An import manager, and runs that have ended."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ImportManager", name="ann")

    @property
    def page(self) -> str:
        """What the browser shows."""
        return str(self.browser.contents)

    def plain(self) -> str:
        """Return the page without tags and needless white space."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.page).split())

    def open(self, query: str = OWN) -> None:
        """Look at the page."""
        self.browser.open(FIGURES + query)

    def furnish(self) -> None:
        """Let runs of several kinds and people have ended."""
        end(self.site, created=1200, failed=30)
        end(self.site, day=DAY + timedelta(days=1), processor="courseprocessor", updated=7)
        end(self.site, day=DAY + timedelta(days=1), user="bob", removed=2, unchanged=1)
        end(self.site, kind="undo", created=5)


class Charts(FiguresTestCase):
    """What is shown."""

    def test_nothing_has_ended(self) -> None:
        self.open("")
        self.assertIn("Nothing has ended in this time", self.plain())
        self.assertNotIn("<svg", self.page)
        self.assertIn('aria-current="page">Figures', self.page)

    def test_totals(self) -> None:
        self.furnish()
        self.open()
        text = self.plain()
        for words in (
            "10 Sept 2026 to 12 Sept 2026",
            "Imports 3",
            "Rows imported 1,210",
            "Rows failed 30",
            "Share that failed 2%",
            "Undos 1",
        ):
            self.assertIn(words, text)

    def test_each_chart_has_its_table(self) -> None:
        self.furnish()
        self.open()
        self.assertEqual(self.page.count('role="img"'), 4)
        self.assertEqual(self.page.count("The numbers as a table"), 4)
        text = self.plain()
        self.assertIn("Day Created Updated Removed Unchanged Failed Total", text)
        self.assertIn("Thu, 10 Sept 2026 1,200 0 0 0 30 1,230", text)
        self.assertIn("Total 1,200 7 2 1 30 1,240", text)
        self.assertIn("Day Faculty Processor Course Processor Total", text)
        self.assertIn("Fri, 11 Sept 2026 3 7 10", text)
        self.assertIn("Day ann bob Total", text)
        self.assertIn("Day Imports Undos", text)

    def test_a_chart_says_in_words_what_it_shows(self) -> None:
        self.furnish()
        self.open()
        (described,) = re.findall(r'<desc id="chart-rows-desc">([^<]*)', self.page)
        self.assertIn("In all: Created: 1,200, Updated: 7", described)
        self.assertIn("Most, 1,230: Thu, 10 Sept 2026.", described)
        for id in re.findall(r'aria-labelledby="([^"]*)"', self.page):
            for each in id.split():
                self.assertEqual(self.page.count(f' id="{each}"'), 1, each)

    def test_french_has_room_before_colons(self) -> None:
        self.furnish()
        self.browser.addHeader("Accept-Language", "fr")
        self.open()
        (described,) = re.findall(r'<desc id="chart-rows-desc">([^<]*)', self.page)
        for text in (described, *re.findall(r"<title>([^<]*\n[^<]*)</title>", self.page)):
            self.assertRegex(text, r"\w\xa0: \d")
            self.assertNotRegex(text, r"\w:")

    def test_many_kinds_of_officers_are_shown_as_few(self) -> None:
        for number in range(8):
            end(self.site, user=f"officer{number}", created=number + 1)
        self.open()
        self.assertIn("Day officer7 officer6 officer5 officer4 All others Total", self.plain())
        self.assertIn("8 7 6 5 10 36", self.plain())

    def test_names_are_text(self) -> None:
        end(self.site, user=EVIL, created=1)
        with mock.patch.object(FacultyProcessor, "name", EVIL):
            self.open()
            self.assertNotIn("<img", self.page)
            self.assertIn("&lt;img", self.page)
            self.open(f"{OWN}&kind={EVIL}&officer={EVIL}")
            self.assertNotIn("<img", self.page)


class Choice(FiguresTestCase):
    """What can be chosen."""

    def test_times(self) -> None:
        for span, unit, number in (
            ("days", "Day", 30),
            ("weeks", "Week", 12),
            ("months", "Month", 12),
        ):
            with self.subTest(span):
                end(self.site, day=self.today(), created=1)
                self.open(f"?span={span}")
                table = self.page[self.page.index("<tbody>") : self.page.index("</tbody>")]
                self.assertEqual(table.count("<tr>"), number)
                self.assertIn(f'<th scope="col">{unit}</th>', self.page)

    def today(self) -> date:
        """Return the day that it is in the portal."""
        with acting_as("ann") as operations:
            return operations.today()

    def test_the_form_keeps_what_was_chosen(self) -> None:
        self.furnish()
        self.open()
        form = self.browser.getForm(index=1)
        self.assertEqual(form.getControl(name="span").value, ["own"])
        self.assertEqual(form.getControl(name="since").value, str(DAY))
        form.getControl(name="kind").value = ["courseprocessor"]
        form.submit()
        self.assertIn("Rows imported 7", self.plain())
        form = self.browser.getForm(index=1)
        self.assertEqual(form.getControl(name="kind").value, ["courseprocessor"])
        form.getControl(name="kind").value = [""]
        form.getControl(name="officer").value = ["bob"]
        form.submit()
        self.assertIn("Rows imported 3", self.plain())

    def test_a_time_that_cannot_be_is_explained(self) -> None:
        for query, words in (
            ("?span=own&since=tomorrow&until=2026-09-01", "'tomorrow' is not a day."),
            ("?span=own&since=2026-09-02&until=2026-09-01", "which is earlier."),
            ("?span=own", "'' is not a day."),
        ):
            with self.subTest(query):
                self.open(query)
                self.assertEqual(self.browser.headers["Status"][:3], "400")
                self.assertIn(words, self.browser.contents.replace("&#x27;", "'"))
                self.assertIn("Figures", self.page)


class Tables(FiguresTestCase):
    """The numbers as a file."""

    def rows(self) -> list[list[str]]:
        """Return the rows of the file that the browser got."""
        return list(csv.reader(StringIO(self.page.removeprefix("\N{BYTE ORDER MARK}"))))

    def test_a_table_is_downloaded(self) -> None:
        self.furnish()
        self.open()
        self.browser.getLink(url="chart=rows").click()
        disposition = self.browser.headers["Content-Disposition"]
        self.assertIn("figures_rows_2026-09-10_2026-09-12.csv", disposition)
        head, first, second, third = self.rows()
        self.assertEqual(head[:4], ["first_day", "last_day", "Created", "Updated"])
        self.assertEqual(first, ["2026-09-10", "2026-09-10", "1200", "0", "0", "0", "30"])
        self.assertEqual(second[2:], ["0", "7", "2", "1", "0"])
        self.assertEqual(third[2:], ["0"] * 5)

    def test_cells_are_no_formulas(self) -> None:
        end(self.site, user="=1+1", created=1)
        self.browser.open(f"{FIGURES}table{OWN}&chart=officers")
        self.assertEqual(self.rows()[0][2], "'=1+1")

    def test_there_is_no_such_table(self) -> None:
        self.browser.open(f"{FIGURES}table{OWN}&chart=nothing")
        self.assertEqual(self.browser.headers["Status"][:3], "404")


class Rights(FiguresTestCase):
    """Who is told what."""

    def test_officers_and_kinds_of_others(self) -> None:
        end(self.site, processor="userprocessor", user="boss", created=9)
        self.open()
        self.assertNotIn("boss", self.page)
        self.assertNotIn("userprocessor", self.page)
        boss = FunctionalLayer.log_in("boss", "waeup.PortalManager")
        boss.open(FIGURES + OWN)
        self.assertIn("User Processor", boss.contents)

    def test_nobody_else_sees_them(self) -> None:
        user = FunctionalLayer.log_in("user")
        for address in (FIGURES, f"{FIGURES}table?chart=rows"):
            user.open(address)
            self.assertEqual(user.headers["Status"][:3], "403")
