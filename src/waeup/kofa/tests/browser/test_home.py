"""The home page of the data center: what waits, what runs, what came back, what was finished."""

import os
import re
import unittest
from datetime import timedelta
from io import BytesIO
from unittest import mock

import transaction

from waeup.kofa.browser.datacenter import COUNTED, DataCenterPage
from waeup.kofa.browser.files import home
from waeup.kofa.browser.paging import paged
from waeup.kofa.jobs.record import Run, utc_now
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.operations import StoredFile
from waeup.kofa.tests.browser.exhibition import acting_as, done, order, put
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

INDEX = "http://localhost/app/datacenter"
FAILING = "code,title\n" + "AB,Arts\n" + "AB,Arts\n" * 3 + "X,Y\n"


class Paging(unittest.TestCase):
    """Pages of a list."""

    def test_what_is_asked_for_and_nearby(self) -> None:
        for asked, number in (("1", 1), ("2", 2), ("3", 3), ("4", 3), ("0", 1), ("", 1), ("x", 1)):
            with self.subTest(asked):
                self.assertEqual(paged(range(5), asked, 2).number, number)
        self.assertEqual(paged(range(5), "9" * 5000, 2).number, 1)
        self.assertEqual(paged(range(5), "²", 2).number, 1)

    def test_what_is_on_a_page(self) -> None:
        part = paged("abcde", "3", 2)
        self.assertEqual((part.items, part.first_item, part.last_item), ("e", 5, 5))
        self.assertEqual((part.last, part.total), (3, 5))
        part = paged((), "1", 2)
        self.assertEqual((part.items, part.first_item, part.last_item), ((), 0, 0))

    def test_which_pages_are_named(self) -> None:
        for number, last, named in (
            (1, 1, [1]),
            (1, 9, [1, 2, 3, None, 9]),
            (4, 9, [1, 2, 3, 4, 5, 6, None, 9]),
            (5, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
            (6, 20, [1, None, 4, 5, 6, 7, 8, None, 20]),
            (20, 20, [1, None, 18, 19, 20]),
        ):
            with self.subTest(number=number, last=last):
                self.assertEqual(paged(range(last), str(number), 1).numbers, named)


class HomeTestCase(FunctionalTestCase):
    """An officer who imports faculties."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ImportManager")

    @property
    def page(self) -> str:
        """What the browser shows."""
        return self.browser.contents

    def open(self, query: str = "") -> str:
        """Show the page."""
        self.browser.open(INDEX + query)
        return self.page

    def part(self, name: str) -> str:
        """Return a part of the page as text, without tags."""
        html = self.page.partition(f'id="{name}"')[2].partition("</section>")[0]
        html = re.sub(r'(?s)^[^>]*>|<td [^>]*data-label="([^"]*)"[^>]*>', r" \1 ", html)
        return " ".join(re.sub(r"<[^>]*>", " ", html).split())

    def files(self, part: str = "waiting") -> list[str]:
        """Return the names of the files that can be selected in a part of the page."""
        html = self.page.partition(f'id="{part}"')[2].partition("</section>")[0]
        return re.findall(r'name="val_id"\s[^>]*value="([^"]*)"', html)


class Parts(HomeTestCase):
    """What is told, and what can be done next."""

    def test_each_part_says_what_it_is_for_when_it_is_empty(self) -> None:
        self.open()
        for part, text in (
            ("running", "Nothing is under way."),
            ("back", "No rows have failed."),
            ("waiting", "No files are waiting. Upload a table"),
            ("lately", "Nothing was imported or exported in the last 7 days."),
        ):
            self.assertIn(text, self.part(part))
        self.assertNotIn('role="search"', self.page)

    def test_what_waits_has_its_import_as_main_button(self) -> None:
        name = put("list.csv", "code,title\nAB,Arts\nCD,Law\n")
        self.open()
        text = self.part("waiting")
        self.assertIn(f"{name} Datasets 2 Size 26 bytes Upload Date", text)
        self.assertIn("Owner officer Import", text)
        self.assertRegex(self.page, r'<button class="main" name="select"[^>]* value="' + name)
        self.browser.getControl(name="select").click()
        self.assertIn("import2?draft=", self.browser.url)
        self.browser.getControl("What are the rows of this file?").displayValue = [
            "Faculty Processor"
        ]
        self.browser.getControl("Proceed to step 3").click()
        self.open()
        self.assertIn(f"{name} Faculty Processor", self.part("waiting"))

    def test_lines_are_counted_while_those_of_all_files_are_few(self) -> None:
        for name in ("one.csv", "two.csv"):
            self.store(name, "a\n" * 200_000)
        self.open()
        self.assertEqual(self.part("waiting").count("Datasets 199,999"), 2)
        with mock.patch.object(DataCenterPage, "countable", 500_000):
            self.open()
        self.assertEqual(self.part("waiting").count("Datasets 199,999"), 1)

    def test_lines_of_large_files_are_not_counted(self) -> None:
        self.store("large.csv", "a\n")
        os.truncate(self.storage / "large.csv", COUNTED + 1)
        with mock.patch("waeup.kofa.spool.count_lines", side_effect=AssertionError):
            self.open()
        self.assertIn("large.csv Datasets Size", self.part("waiting"))

    def test_lines_of_packed_files_are_not_counted_when_they_may_be_many(self) -> None:
        for name, size in (("few.csv.gz", COUNTED // 32), ("many.csv.gz", COUNTED // 8)):
            self.store(name, "a\n")
            os.truncate(self.storage / name, size)
        with mock.patch.object(StoredFile, "datasets", "1"):
            self.open()
        self.assertIn("few.csv.gz Datasets 1 Size", self.part("waiting"))
        self.assertIn("many.csv.gz Datasets Size", self.part("waiting"))

    def test_what_came_back_tells_the_most_frequent_reasons(self) -> None:
        run = done("list.csv", FAILING)
        self.open()
        self.assertEqual(self.files("back"), ["list_officer.create.pending.csv"])
        self.assertEqual(self.files("waiting"), [])
        text = self.part("back")
        self.assertIn("Rows that failed: 4 , Faculty Processor, Create, officer, ", text)
        self.assertRegex(text, r"3 This object already exists\. 1 code: Invalid input: 'X'")
        self.assertIn(f"run?id={run}", self.page)
        self.assertNotIn("and other reasons", text)
        with mock.patch.object(home, "REASONS", 1):
            self.open()
        self.assertIn("This object already exists. and other reasons", self.part("back"))

    def test_it_is_mended_with_what_is_known_from_the_last_time(self) -> None:
        done("list.csv", FAILING)
        self.open()
        self.browser.getControl(name="mend").click()
        self.assertIn("import4?draft=", self.browser.url)
        self.assertIn("Why these rows came back", self.page)
        FunctionalLayer.work_off_runs()
        self.browser.open(self.browser.url)
        self.assertIn("All rows that fail", self.page)
        self.assertIn("Faculty Processor", self.page)

    def test_mended_rows_wait_like_any_file(self) -> None:
        done("list.csv", FAILING)
        with acting_as("officer") as operations:
            stream = BytesIO(b"code,title\nXY,Y\n")
            operations.upload("list_officer.create.pending.csv", stream, replace=True)
            transaction.commit()
        self.open()
        self.assertEqual(self.files("back"), [])
        self.assertEqual(self.files("waiting"), ["list_officer.create.pending.csv"])

    def test_reasons_are_told_to_those_only_who_may_see_the_run(self) -> None:
        done("list.csv", FAILING)
        self.browser = self.log_in("waeup.DataCenterManager", name="clerk")
        for run in self.site["datacenter"].runs:
            run.needs = ("waeup.manageUsers",)
        transaction.commit()
        self.open()
        self.assertEqual(self.files("back"), ["list_officer.create.pending.csv"])
        self.assertNotIn("This object already exists.", self.page)
        self.assertNotIn("Rows that failed", self.part("back"))
        self.assertIn("Nothing was imported or exported", self.part("lately"))

    def test_what_runs_is_told_and_can_be_cancelled(self) -> None:
        name = put("list.csv", FAILING)
        id = order(name)
        self.open()
        text = self.part("running")
        self.assertIn(f"{name} Import, Faculty Processor, officer", text)
        self.assertIn("Waits to begin. Rows so far: 0 , failed: 0 Look again Cancel", text)
        self.assertIn(f"runstatus?id={id}", self.page)
        self.assertIn("Waits for its import", self.part("waiting"))
        self.assertNotIn('name="select"', self.page)
        self.browser.getControl(name="cancelrun").click()
        self.assertIn("Nothing is under way.", self.part("running"))
        self.assertIn("Cancelled No rows", self.part("lately"))
        self.assertIn('name="select"', self.page)

    def test_what_was_finished_leads_to_its_result_and_back(self) -> None:
        id = done("list.csv", FAILING)
        self.open()
        text = self.part("lately")
        self.assertIn("Import Faculty Processor Officer officer Ended", text)
        self.assertIn("Result Finished, rows failed Created: 1, Failed: 4", text)
        self.assertIn('class="badge badge-warn"', self.page)
        self.browser.getLink("Result file").click()
        self.assertIn("AB", self.page)
        self.open()
        self.browser.getControl("Take back …").click()
        FunctionalLayer.work_off_runs()
        self.browser.open(self.browser.url)
        self.assertIn("What taking it back would do", self.page)
        self.browser.getControl(name="undo").click()
        FunctionalLayer.work_off_runs()
        self.open()
        text = self.part("lately")
        self.assertIn("Undo Faculty Processor", text)
        self.assertIn("Result Finished Removed again: 1", text)
        self.assertIn("Result Taken back Created: 1, Failed: 4", text)
        self.assertNotIn("preview_undo", self.page)
        self.assertIn(f"run?id={id}", self.page)

    def test_what_is_long_ago_is_not_told(self) -> None:
        run = self.site["datacenter"].runs.get(done("list.csv", FAILING))
        self.site["datacenter"].runs.drop(run)
        run.queued = utc_now() - home.LATELY - timedelta(minutes=1)
        self.site["datacenter"].runs.add(run)
        self.site["datacenter"].runs.deactivate(run)
        transaction.commit()
        self.open()
        self.assertIn("Nothing was imported or exported", self.part("lately"))

    def test_runs_that_are_not_shown_are_not_looked_at(self) -> None:
        for number in range(3):
            done(f"{number}.csv", f"code,title\nA{number},Arts\n")
        seen = []
        report = Run.totals

        def totals(run: Run) -> object:
            seen.append(run.id)
            return report(run)

        with (
            mock.patch.object(home, "RUNS", 2),
            mock.patch.object(Run, "totals", totals),
            mock.patch.object(Runs, "__iter__", side_effect=AssertionError),
        ):
            self.open()
        self.assertEqual(len(seen), 2)


class Lists(HomeTestCase):
    """Search, order and pages, in the address."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(60):
            self.store(f"list-{number:02}.csv", "a,b\n" + "1,2\n" * (60 - number))
            path = self.storage / f"list-{number:02}.csv"
            os.utime(path, (1_700_000_000 + number,) * 2)

    def test_pages_are_told_in_words(self) -> None:
        self.open()
        self.assertEqual(len(self.files()), 25)
        self.assertEqual(self.files()[0], "list-59.csv")
        self.assertIn("Page 1 of 3: 1 to 25 of 60", self.part("waiting"))
        self.assertIn('<nav class="pages" aria-label="Pages of files that wait">', self.page)
        self.assertNotIn("Previous page", self.page)
        self.browser.getLink("Next page").click()
        self.assertEqual(self.browser.url, f"{INDEX}?page=2#waiting")
        self.assertEqual(self.files()[0], "list-34.csv")
        self.browser.getLink(url="page=3").click()
        self.assertEqual(self.files()[-1], "list-00.csv")
        self.assertNotIn("Next page", self.page)
        self.assertRegex(self.page, r'aria-current="page"[^>]* href="[^"]*page=3#waiting"')

    def test_a_page_that_is_not_there_is_the_last_one(self) -> None:
        self.assertIn("list-00.csv", self.open("?page=999"))
        self.assertIn("list-59.csv", self.open("?page=x&sort=no&back=%FF"))

    def test_columns_are_sorted_by_their_headings(self) -> None:
        self.open()
        self.assertIn('<th scope="col" aria-sort="descending">', self.page)
        self.browser.getLink("Size").click()
        self.assertEqual(self.files()[0], "list-59.csv")
        self.assertIn('<th scope="col" class="number" aria-sort="ascending">', self.page)
        self.browser.getLink("Size").click()
        self.assertEqual(self.files()[0], "list-00.csv")
        for sort, first in (
            ("name", "list-00.csv"),
            ("-name", "list-59.csv"),
            ("date", "list-00.csv"),
            ("owner", "list-00.csv"),
        ):
            self.open(f"?sort={sort}")
            self.assertEqual(self.files()[0], first, sort)

    def test_names_are_searched(self) -> None:
        self.store("Übungen.csv")
        self.open()
        self.browser.getControl("Name of a file").value = " ÜBUNG "
        self.browser.getControl("Order").displayValue = ["by name"]
        self.browser.getControl("Search").click()
        self.assertEqual(self.files(), ["Übungen.csv"])
        self.assertIn("in their names: 1", " ".join(re.sub("<[^>]*>", "", self.page).split()))
        self.assertEqual(self.browser.getControl("Name of a file").value, " ÜBUNG ")
        self.assertIn("sort=name", self.browser.url)
        self.browser.getLink("Show all files").click()
        self.assertEqual(self.browser.url, f"{INDEX}?sort=name")
        self.open("?q=list-1")
        self.assertEqual(len(self.files()), 10)
        self.open("?q=nothing")
        self.assertIn("No file that waits has this in its name.", self.part("waiting"))

    def test_a_search_keeps_its_order_and_begins_with_the_first_page(self) -> None:
        self.open("?q=list&sort=name&page=2")
        self.assertIn("?q=list&amp;sort=name&amp;page=3#waiting", self.page)
        self.assertIn("?q=list&amp;sort=-name#waiting", self.page)

    def test_hostile_names_and_searches_are_text(self) -> None:
        name = "<img src=x onerror=alert(1)>&amp;\" '.csv"
        self.store(name)
        self.open("?q=%3Cimg+src%3Dx")
        self.assertNotIn("<img", self.page)
        self.assertIn("&lt;img src=x onerror=alert(1)&gt;&amp;amp;", self.page)
        self.browser.getControl(name="val_id").getControl(value=name).selected = True
        self.browser.getControl("Remove selected").click()
        self.assertNotIn("<img", self.page)
        self.browser.getControl("Delete these files").click()
        self.assertNotIn("<img", self.page)
        self.assertFalse((self.storage / name).exists())

    def test_several_files_of_a_page_are_deleted_after_a_question(self) -> None:
        self.open("?sort=name&page=2")
        self.browser.getControl(name="val_id").value = ["list-26.csv", "list-27.csv"]
        self.browser.getControl("Remove selected").click()
        self.assertIn("Are you sure?", self.page)
        self.browser.getControl("Delete these files").click()
        self.assertIn("Successfully deleted: list-26.csv, list-27.csv", self.page)
        self.assertEqual(len(list(self.storage.glob("list-*.csv"))), 58)

    def test_a_message_leaves_the_list_as_it_is(self) -> None:
        self.open("?sort=name&page=2")
        self.browser.getControl("Remove selected").click()
        self.assertIn("No item selected.", self.page)
        self.assertEqual(self.files()[0], "list-25.csv")
