"""Runs in the browser: checks, confirmations, progress, cancel, resume, undo, and the list."""

import json
import re
from dataclasses import replace
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction

from waeup.kofa.browser.runs.runparts import ROWS
from waeup.kofa.conversion import Mapping
from waeup.kofa.importing import report
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.jobs.record import RUNNING
from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.browser.test_importing import (
    CENTER,
    FACULTIES,
    ImportTestCase,
    prepared,
)
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.university.processors import FacultyProcessor


class RunsTestCase(ImportTestCase):
    """An import manager who orders runs."""

    def create(self, content: str, name: str = "list.csv", mode: str = "create") -> None:
        """Import faculties, and show the result."""
        self.order(content, name, mode)
        self.work_off()

    def order(self, content: str, name: str = "list.csv", mode: str = "create") -> None:
        """Order the import of faculties, and show its page."""
        (self.storage / "list.csv").unlink(missing_ok=True)
        self.store(name, content)
        run = self.start(prepared(4, mode=mode), Operations.start_import)
        self.browser.open(f"{CENTER}/run?id={run}")

    def check(self, content: str, mode: str = "create") -> None:
        """Check a file, and show what came of it."""
        self.store("list.csv", content)
        draft = prepared(4, mode=mode)
        self.start(draft, Operations.start_check)
        FunctionalLayer.work_off_runs()
        self.browser.open(f"{CENTER}/import4?draft={draft}")

    def start(self, draft: str, starting: Any) -> str:
        """Order what a draft has prepared, as step 4 does; return the id of the run."""
        with acting_as("officer") as operations:
            found = operations.draft(draft)
            run = starting(
                operations,
                found.filename,
                found.processor,
                found.mode,
                Mapping(found.columns or ()),
                digest=found.digest,
                draft=draft,
            )
            operations.save_draft(draft, **{run.kind.replace("import", "run"): run.id})
            transaction.commit()
        return str(run.id)

    def plain(self) -> str:
        """Return the page without tags and needless white space."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.page).split())


def faculties(number: int, title: str = "Title") -> str:
    """Return a table of faculties."""
    return "code,title\n" + "".join(f"F{at:03},{title}\n" for at in range(number))


class CheckTest(RunsTestCase):
    """Step 4 after a check."""

    def test_a_check_shows_totals_reasons_and_rows(self) -> None:
        self.check(FACULTIES)
        self.assertIn("/import4?draft=", self.browser.url)
        text = self.plain()
        for words in (
            "Rows 3 Would be created 2 Would fail 1",
            "This object already exists. 1",
            "Rows that mean the same object as an earlier row: 1",
            "1 2 SCI Would be created code: SCI title: Sciences A later row means",
            "3 4 SCI Would fail This object already exists. The same object as in row 1",
        ):
            self.assertIn(words, text)
        self.assertNotIn("3 ART", text)
        self.assertEqual(list(self.site["faculties"]), [])

    def test_while_a_file_is_checked_it_is_named(self) -> None:
        self.go_to_step(4)
        self.press("check")
        self.assertIn("The file is checked", self.page)
        self.assertIn("File: list.csv Processor: Faculty Processor Mode: Create", self.plain())

    def test_rows_with_rare_reasons_are_counted_together(self) -> None:
        with mock.patch.object(report, "LISTED_REASONS", 1):
            self.create("code,title\nF 1,One\nF 2,Two\n,None\n")
        self.assertIn("Failed 3", self.plain())
        self.assertIn("Others 1 ", self.plain())

    def test_old_and_new_values_are_shown(self) -> None:
        self.create("code,title\nSCI,Sciences\nART,Arts\n")
        self.check("code,title\nSCI,Science\nART,Arts\n", "update")
        self.assertIn("SCI Would be updated title: Sciences → Science", self.plain())
        self.assertIn("<del>Sciences</del>", self.page)
        self.assertNotIn("ART Would", self.plain())
        self.browser.getLink("Would stay as they are").click()
        self.assertIn("ART Would stay as they are", self.plain())

    def test_what_is_wrong_is_told_by_field(self) -> None:
        self.check("code,title,title_prefix\nSCI,Sciences,nonsense\n")
        self.assertIn("<b>title_prefix</b>", self.page)

    def test_rows_under_new_parents_are_told(self) -> None:
        self.create("code,title\nSCI,Sciences\n")
        self.store("list.csv", "faculty_code,code,title\nSCI,PHY,Physics\nLAW,CIV,Civil law\n")
        self.go_to_step(4, "departmentprocessor")
        self.press("check")
        self.work_off()
        self.assertIn("Not all parents do exist yet. There is no faculty", self.plain())
        self.assertIn("Import these objects first, then the rows again;", self.plain())

    def test_the_button_says_in_numbers_what_it_does_and_does_it(self) -> None:
        self.check(FACULTIES)
        self.assertRegex(self.page, r'name="perform"[^>]* class="main">Import: create 2')
        self.browser.getControl("Import: create 2; rows that will fail: 1").click()
        self.assertIn("/run?id=", self.browser.url)
        self.work_off()
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.browser.getLink("The check before the import").click()
        self.assertIn("<h1>Result of the check</h1>", self.page)
        self.assertIn("Would be created 2 Would fail 1", self.plain())

    def test_an_import_keeps_to_its_check(self) -> None:
        self.check("code,title\nSCI,Sciences\nART,Arts\n")
        with transaction.manager:
            faculty = FacultyProcessor().callFactory()
            faculty.code = faculty.title = "ART"
            self.site["faculties"].addFaculty(faculty)
        self.perform()
        self.assertIn("changed since the check", self.page)
        self.assertIn("Successfully processed 1 rows.", self.page)

    def test_rows_are_shown_page_by_page(self) -> None:
        self.check(faculties(ROWS + 2))
        self.assertIn("There are no such rows.", self.page)
        self.browser.getLink("All rows").click()
        self.assertIn(f"1 to {ROWS} of the chosen rows", self.page)
        self.browser.getLink("Further rows").click()
        self.assertIn(f"{ROWS + 1} to {ROWS + 2} of the chosen rows", self.page)
        self.assertNotIn("Further rows", self.page)
        self.browser.getLink("Earlier rows").click()
        self.assertNotIn("Earlier rows", self.page)
        self.assertIn(f"1 to {ROWS} of the chosen rows", self.page)

    def test_pages_that_are_not_there_do_no_harm(self) -> None:
        self.check(faculties(2))
        address = self.browser.url
        for page in ("0", "-1", "x", "99", "9" * 40, "1.5"):
            self.browser.open(f"{address}&show=all&page={page}")
            self.assertEqual(self.status, 200, page)

    def test_rows_are_chosen_by_outcome_and_by_reason(self) -> None:
        self.check("code,title,title_prefix\nSCI,Sciences,\nART,Arts,x\nSCI,Science,\n")
        address = self.browser.url
        self.browser.getLink("Would be created").click()
        self.assertIn("1 to 1 of the chosen rows", self.page)
        self.assertIn("SCI Would be created", self.plain())
        check = self.runs()[0].id
        self.browser.open(f"{CENTER}/run?id={check}")
        self.browser.getLink("This object already exists.").click()
        self.assertIn("Rows with the reason: This object already exists.", self.page)
        self.assertIn("1 to 1 of the chosen rows", self.page)
        self.browser.open(address)
        self.browser.getLink("Would fail").click()
        self.assertIn("1 to 2 of the chosen rows", self.page)

    def test_a_changed_mapping_needs_another_check(self) -> None:
        self.check(FACULTIES)
        address = self.browser.url
        second = self.second_window()
        second.open(address)
        self.press("back3")
        self.map(FACULTIES, remark="title_prefix")
        self.press("proceed")
        # Texts that are no allowed values were shown; now they are left as they are.
        self.press("proceed")
        self.assertIn("/import4?draft=", self.browser.url)
        self.assertNotIn("What the import would do", self.page)
        second.getControl(name="perform").click()
        self.assertEqual(second.headers["Status"][:3], "400")
        self.assertIn("Check it again.", second.contents)
        second.getControl(name="check").click()
        FunctionalLayer.work_off_runs()
        second.open(address)
        self.assertIn("Would fail", second.contents)

    def test_an_unchanged_mapping_keeps_its_check(self) -> None:
        self.check(FACULTIES)
        self.press("back3")
        self.press("proceed")
        self.assertIn("What the import would do", self.page)

    def test_a_check_can_be_made_again(self) -> None:
        self.check(FACULTIES)
        self.browser.getControl("Check again").click()
        self.assertIn("Waits to begin.", self.page)
        self.work_off()
        self.assertIn("What the import would do", self.page)
        self.assertEqual(len(self.runs()), 2)

    def test_a_second_click_orders_no_second_check(self) -> None:
        self.go_to_step(4)
        address, second = self.browser.url, self.second_window()
        second.open(address)
        self.press("check")
        second.getControl(name="check").click()
        self.assertEqual(second.url, address)
        self.assertIn("Waits to begin.", second.contents)
        self.assertEqual(len(self.runs()), 1)

    def test_a_check_is_cancelled(self) -> None:
        self.go_to_step(4)
        address = self.browser.url
        self.press("check")
        self.browser.getControl("Cancel the check").click()
        self.assertEqual(self.browser.url, address)
        self.assertIn("Check: Cancelled.", self.page)
        self.perform()
        self.assertIn("Successfully processed 2 rows.", self.page)

    def test_a_check_that_has_stopped_says_why_and_can_be_ordered_anew(self) -> None:
        failing = mock.patch.object(RowEngine, "apply", side_effect=MemoryError)
        with failing, self.assertLogs("waeup.kofa.jobs", "ERROR"):
            self.check(FACULTIES)
        self.assertIn("Check: Stopped. The memory of the machine is used up.", self.page)
        self.press("check")
        self.work_off()
        self.assertIn("What the import would do", self.page)

    def test_objects_that_have_all_values_are_left_alone(self) -> None:
        self.go_to_step(4)
        self.assertNotIn("skip_unchanged", self.page)
        self.create("code,title\nSCI,Sciences\n")
        self.store("list.csv", "code,title\nSCI,Sciences\n")
        self.go_to_step(4, mode="update")
        self.browser.getControl("Leave objects alone").selected = True
        self.press("check")
        self.work_off()
        self.assertTrue(self.browser.getControl("Leave objects alone").selected)
        # The import is ordered as the check was.
        self.browser.getControl("Leave objects alone").selected = False
        # It is not what the page leads to.
        self.assertNotRegex(self.page, r'class="main"[^>]*>Import: nothing')
        self.browser.getControl("Import: nothing").click()
        self.assertEqual([run.order.skip_unchanged for run in self.runs()[1:]], [True, True])

    def runs(self) -> list[Any]:
        """Return all runs, the oldest first."""
        return sorted(super().runs(), key=lambda run: run.queued)


class ConfirmationTest(RunsTestCase):
    """Many objects are removed or changed only when somebody confirms their number."""

    def setUp(self) -> None:
        super().setUp()
        self.create(faculties(30))

    def test_a_removal_names_the_number(self) -> None:
        self.store("list.csv", faculties(20))
        self.go_to_step(4, mode="remove")
        self.press("perform")
        self.assertEqual(self.status, 409)
        self.assertIn("could remove 20 of 30 objects", self.page)
        self.browser.getControl("Yes, remove 20 objects").click()
        self.work_off()
        self.assertIn("Successfully processed 20 rows.", self.page)
        self.assertEqual(len(self.site["faculties"]), 10)

    def test_after_a_check_the_number_is_exact(self) -> None:
        self.check(faculties(20, "New") + "X,Y\n", "update")
        self.browser.getControl("Import: change 20; rows that will fail: 1").click()
        self.assertIn("would change 20 of 30 objects", self.page)
        self.assertIn("What the import would do", self.page)
        self.browser.getControl("Yes, change 20 objects").click()
        self.work_off()
        self.assertIn("Successfully processed 20 rows.", self.page)
        self.assertIn("The check before the import", self.page)

    def test_another_number_is_asked_for_again(self) -> None:
        self.store("list.csv", faculties(20))
        self.go_to_step(4, mode="remove")
        for number in ("19", "x", "-20", "٢x", ""):
            self.browser.post(self.browser.url, self.sent(yes_remove=number))
            self.assertEqual(self.status, 409)
            self.assertIn("Yes, remove", self.page)
        self.assertEqual(len(self.runs()), 1)

    def sent(self, **fields: str) -> str:
        """Return a form of step 4 with fields."""
        token = self.browser.getControl(name="form_token", index=0).value
        draft = self.browser.getControl(name="draft", index=0).value
        return urlencode({"form_token": token, "draft": draft, **fields})


class ProgressTest(RunsTestCase):
    """A run that waits or is worked on."""

    def test_a_run_that_waits_says_for_what(self) -> None:
        self.order("code,title\nSCI,Sciences\n", "first.csv")
        with transaction.manager:
            (first,) = self.runs()
            first.move(RUNNING)
            self.site["datacenter"].runs.enter_scope(first)
        self.order("code,title\nLAW,Law\n", "second.csv")
        self.assertIn("Waits for the import of first.csv to end.", self.page)
        self.assertIn("<h1>Import of second.csv</h1>", self.page)

    def test_progress_is_told_in_numbers_and_words(self) -> None:
        run = self.running(rows=1234, failed=5, fraction=0.437, rate=2345.6)
        self.browser.open(f"{CENTER}/run?id={run}")
        text = self.plain()
        for words in (
            "Running. 40 %",
            "43 %",
            "Rows so far 1,234",
            "Failed 5",
            "Speed 2,346 rows a second",
            "Time left less than a minute",
        ):
            self.assertIn(words, text)
        self.assertRegex(self.page, r'<progress[^>]* value="0.437"')
        self.assertIn('role="status" aria-live="polite"', self.page)
        self.browser.getLink("Look again").click()
        self.assertIn("Running. 40 %", self.plain())

    def test_the_status_is_told_as_json(self) -> None:
        run = self.running(rows=1234, failed=5, fraction=0.437, rate=2.0)
        self.browser.open(f"{CENTER}/runstatus?id={run}")
        self.assertEqual(self.browser.headers["Content-Type"], "application/json")
        self.assertEqual(self.browser.headers["Cache-Control"], "no-store")
        told = json.loads(self.page)
        texts = told.pop("texts")
        self.assertAlmostEqual(told.pop("remaining"), (1234 / 0.437 - 1234) / 2, places=3)
        self.assertEqual(
            told,
            {
                "id": run,
                "kind": "import",
                "state": "running",
                "is_active": True,
                "is_cancelling": False,
                "rows": 1234,
                "failed": 5,
                "fraction": 0.437,
                "rate": 2.0,
                "waits_for": "",
            },
        )
        self.assertEqual(
            texts,
            {
                "said": "Running.",
                "step": "40 %",
                "percent": "43 %",
                "rows": "1,234",
                "failed": "5",
                "rate": "2 rows a second",
                "remaining": "about 13 min",
            },
        )

    def test_a_look_at_the_whole_file_is_told(self) -> None:
        run = self.running()
        with transaction.manager:
            self.runs()[0].progress.look(0.437)
        self.browser.open(f"{CENTER}/runstatus?id={run}")
        texts = json.loads(self.page)["texts"]
        self.assertEqual(texts["said"], "The file is looked at as a whole.")
        self.assertEqual((texts["step"], texts["percent"], texts["rows"]), ("40 %", "43 %", "0"))
        self.browser.open(f"{CENTER}/index")
        self.assertIn("The file is looked at as a whole.", self.page)
        self.assertIn("Is being looked at as a whole, 43 %", self.page)

    def test_a_refusal_of_the_status_is_json_too(self) -> None:
        self.browser.open(f"{CENTER}/runstatus?id=nothing")
        self.assertEqual(self.status, 404)
        self.assertIn("There is no run 'nothing'", json.loads(self.page)["error"])

    def test_the_lists_say_what_is_done_with_a_file(self) -> None:
        run = self.running(fraction=0.437)
        for page in ("index", "import1"):
            self.browser.open(f"{CENTER}/{page}")
            self.assertNotIn('name="select"', self.page)
            self.browser.getLink("Is being imported, 43 %").click()
            self.assertEqual(self.browser.url, f"{CENTER}/run?id={run}")

    def running(self, **progress: Any) -> str:
        """Return the id of an import that is worked on."""
        self.go_to_step(4)
        self.press("perform")
        with transaction.manager:
            (run,) = self.runs()
            run.move(RUNNING)
            run.progress.tell(
                progress.get("rows", 0),
                progress.get("failed", 0),
                progress.get("fraction", 0.0),
                progress.get("rate", 0.0),
            )
        return str(run.id)


class CancelTest(RunsTestCase):
    """Runs are cancelled, stop, go on, and are taken back half way."""

    def test_a_run_that_waits_is_cancelled_at_once_and_frees_its_file(self) -> None:
        self.go_to_step(4)
        draft = self.browser.url
        self.press("perform")
        self.browser.getControl("Cancel the import").click()
        self.assertIn("It was cancelled.", self.page)
        self.assertNotIn("Go on", self.page)
        self.browser.open(draft)
        self.perform()
        self.assertIn("Successfully processed 2 rows.", self.page)

    def test_a_stopped_run_says_why_and_goes_on(self) -> None:
        self.stop()
        self.assertIn("It has stopped.", self.page)
        self.assertIn("The memory of the machine is used up.", self.page)
        self.assertIn("Created 25", self.plain())
        self.browser.open(CENTER)
        self.browser.getLink("Its import has stopped").click()
        self.browser.getControl("Go on").click()
        self.assertIn("Waits to begin.", self.page)
        self.work_off()
        self.assertIn("Successfully processed 60 rows.", self.page)

    def test_a_second_click_on_go_on_is_no_error(self) -> None:
        self.stop()
        second = self.second_window()
        second.open(self.browser.url)
        self.press("resume")
        second.getControl(name="resume").click()
        self.assertEqual(second.headers["Status"][:3], "200")
        self.assertIn("Waits to begin.", second.contents)

    def test_a_stopped_run_is_cancelled_and_taken_back(self) -> None:
        self.stop()
        self.browser.getControl("Cancel").click()
        self.assertIn("the file is kept from others", self.page)
        self.assertIn("The import can be taken back until ", self.page)
        # What is kept for that is counted at the end of an import.
        self.assertNotIn("What is kept for that takes", self.page)
        self.browser.getControl("Take back").click()
        self.work_off()
        self.browser.getControl("Take back: remove 25").click()
        self.work_off()
        self.assertIn("Removed again 25", self.plain())
        self.assertEqual(list(self.site["faculties"]), [])
        self.browser.open(CENTER)
        self.assertIn('name="select"', self.page)

    def test_what_is_over_cannot_be_cancelled(self) -> None:
        self.order(FACULTIES)
        second = self.second_window()
        second.open(self.browser.url)
        self.work_off()
        second.getControl("Cancel the import").click()
        self.assertEqual(second.headers["Status"][:3], "409")
        self.assertIn("The import of list.csv is finished", second.contents)
        self.assertIn("Batch processing finished.", second.contents)

    def stop(self) -> None:
        """Import until the machine fails, and show what is there."""
        apply, calls = RowEngine.apply, iter(range(100))

        def failing(engine: Any, rows: Any) -> Any:
            if next(calls):
                raise MemoryError
            return apply(engine, rows)

        with (
            mock.patch("waeup.kofa.jobs.pace.FIRST", 25),
            mock.patch.object(RowEngine, "apply", failing),
            self.assertLogs("waeup.kofa.jobs", "ERROR"),
        ):
            self.create(faculties(60))


class UndoTest(RunsTestCase):
    """An import is taken back."""

    def test_an_import_is_taken_back_after_a_preview(self) -> None:
        self.create(FACULTIES)
        result = self.browser.url
        self.assertRegex(self.plain(), r"The import can be taken back until \d+ \w+ \d{4}, ")
        self.assertRegex(self.plain(), r"What is kept for that takes \d+ bytes \.")
        self.browser.getControl("Take back").click()
        self.assertIn("Preview: taking the import of list.csv back", self.page)
        self.work_off()
        self.assertIn("Would be removed 2 Would be left alone 0", self.plain())
        self.assertEqual(len(self.site["faculties"]), 2)
        preview = self.browser.url
        self.browser.getControl("Take back: remove 2").click()
        self.work_off()
        undo = self.browser.url
        self.assertIn("The import was taken back.", self.page)
        self.assertEqual(list(self.site["faculties"]), [])
        self.browser.getLink("list.create.undone.csv").click()
        self.assertIn("SCI,removed", self.page)
        self.browser.open(result)
        self.assertIn("This import was taken back.", self.page)
        self.assertNotIn("Take back", self.page)
        self.browser.getLink("See the undo").click()
        self.assertEqual(self.browser.url, undo)
        self.browser.open(preview)
        self.assertIn("cannot be taken back any more", self.page)
        self.assertNotIn('name="undo"', self.page)

    def test_only_rows_that_have_failed_stand_out(self) -> None:
        self.create(faculties(2))
        self.assertIn("Failed 0", self.plain())
        self.assertNotIn('class="failed"', self.page)
        self.create(FACULTIES)
        self.assertIn('class="failed"', self.page)

    def test_what_a_preview_is_for_stands_before_its_rows(self) -> None:
        self.create(faculties(60))
        self.press("preview_undo")
        self.work_off()
        self.assertLess(self.page.index('name="undo"'), self.page.index('id="rows"'))

    def test_the_file_of_an_import_that_was_taken_back_is_imported_again(self) -> None:
        self.create(FACULTIES)
        result = self.browser.url
        self.assertNotIn('name="again"', self.page)
        self.take_back()
        undo = self.browser.url
        self.browser.open(result)
        self.press("again")
        self.assertIn("Restored: list_officer.csv", self.page)
        self.assertIn("/import2?draft=", self.browser.url)
        # Also from the undo, and once more.
        self.browser.open(undo)
        self.press("again")
        self.assertIn("Restored: list_officer-2.csv", self.page)
        self.browser.getControl("What are the rows of this file?").displayValue = [
            "Faculty Processor"
        ]
        self.press("proceed")
        self.press("proceed")
        self.press("perform")
        self.work_off()
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.assertEqual(sorted(self.site["faculties"]), ["ART", "SCI"])

    def test_rows_that_came_back_and_were_taken_back_are_not_imported_with_all_others(
        self,
    ) -> None:
        self.create(FACULTIES)
        mended = self.storage / "list.create.pending.csv"
        mended.write_text("code,title\nLAW,Law\n", encoding="utf-8")
        self.press("mend")
        self.work_off()
        self.press("perform")
        self.work_off()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.take_back()
        self.assertIn("The import was taken back.", self.page)
        self.assertNotIn('name="again"', self.page)

    def test_a_file_that_was_purged_is_not_offered_again(self) -> None:
        self.create(faculties(2))
        self.take_back()
        self.assertIn('name="again"', self.page)
        (self.storage / "finished" / "list.csv").unlink()
        self.press("again")
        self.assertIn("The file is not there any more: it was purged.", self.page)
        self.assertNotIn('name="again"', self.page)

    def take_back(self) -> None:
        """Take the import back that is shown, and show what came of that."""
        self.press("preview_undo")
        self.work_off()
        self.press("undo")
        self.work_off()

    def test_what_others_have_changed_is_left_alone(self) -> None:
        self.create(FACULTIES)
        with transaction.manager:
            self.site["faculties"]["ART"].title = "Fine arts"
        self.press("preview_undo")
        self.work_off()
        self.assertIn("Why rows would be left alone", self.page)
        self.assertIn("It was changed since. 1", self.plain())
        self.browser.getControl("Take back: remove 1; rows left alone: 1").click()
        self.work_off()
        self.assertIn("Left alone 1", self.plain())
        self.assertEqual(list(self.site["faculties"]), ["ART"])

    def test_a_second_click_leads_to_the_first_undo(self) -> None:
        self.create(FACULTIES)
        self.press("preview_undo")
        self.work_off()
        second = self.second_window()
        second.open(self.browser.url)
        self.press("undo")
        second.getControl(name="undo").click()
        self.assertEqual(second.url, self.browser.url)
        self.assertEqual(len(self.runs()), 3)

    def test_only_imports_are_taken_back(self) -> None:
        self.check(FACULTIES)
        (check,) = self.runs()
        token = self.browser.getControl(name="form_token", index=0).value
        for button in ("preview_undo", "undo", "resume"):
            sent = urlencode({"form_token": token, "id": check.id, button: "1"})
            self.browser.post(f"{CENTER}/run", sent)
            self.assertIn(self.status, (404, 409), button)
            self.assertIn('class="alert alert-danger"', self.page)
        self.assertEqual(len(self.runs()), 1)


class ListTest(RunsTestCase):
    """The list of runs, and who sees what."""

    def test_without_runs_it_says_what_will_be_there(self) -> None:
        self.browser.open(CENTER)
        self.browser.getLink("Runs").click()
        self.assertIn("Nothing has been checked or imported yet.", self.page)

    def test_runs_are_listed_the_newest_first(self) -> None:
        self.check(FACULTIES)
        self.perform()
        self.press("preview_undo")
        self.browser.open(f"{CENTER}/runs")
        rows = self.plain().partition("State Rows")[2]
        found = [
            rows.index(f"list.csv {what} Create Faculty Processor officer ")
            for what in ("Preview of an undo", "Import", "Check")
        ]
        self.assertEqual(found, sorted(found))
        self.assertIn("Waiting 0", rows)
        self.assertIn("Finished 3; failed: 1", rows)
        self.assertIn("Finished 3; would fail: 1", rows)
        self.browser.getLink("list.csv", index=1).click()
        self.assertIn("<h1>Result of the import</h1>", self.page)

    def test_a_result_is_told_as_people_of_the_country_write(self) -> None:
        self.create(FACULTIES)
        result = self.browser.url
        browser = self.second_window()
        browser.addHeader("Accept-Language", "fr")
        found = Operations.run

        def run(operations: Operations, id: str) -> Any:
            info = found(operations, id)
            return replace(info, report=replace(info.report, seconds=1234.5))

        with mock.patch.object(Operations, "run", run):
            browser.open(result)
        self.assertRegex(browser.contents, r"<dt>Durée</dt>\s*<dd>1\s234,5 s</dd>")
        browser.open(f"{CENTER}/runs")
        self.assertIn("Terminé<", browser.contents)
        browser.open(f"{CENTER}/files")
        self.assertIn("Fichiers terminés", browser.contents)

    def test_a_check_leads_on_to_the_import(self) -> None:
        self.check(FACULTIES)
        (run,) = self.runs()
        self.browser.open(f"{CENTER}/run?id={run.id}")
        self.assertIn("3 4 SCI Would fail", self.plain())
        self.browser.getControl("Prepare the import").click()
        self.assertIn("/import2?draft=", self.browser.url)

    def test_colleagues_see_and_cancel_runs(self) -> None:
        self.order(FACULTIES)
        address = self.browser.url
        self.browser = self.log_in("waeup.ImportManager", name="other")
        self.browser.open(f"{CENTER}/runs")
        self.browser.getLink("list.csv").click()
        self.assertEqual(self.browser.url, address)
        self.browser.getControl("Cancel the import").click()
        self.assertIn("It was cancelled.", self.page)

    def test_who_may_not_import_sees_and_changes_nothing(self) -> None:
        self.order(FACULTIES)
        (run,) = self.runs()
        self.browser = self.log_in("waeup.DataCenterManager", name="clerk")
        self.browser.open(f"{CENTER}/runs")
        self.assertIn("Nothing has been checked or imported yet.", self.page)
        token = self.browser.getControl(name="form_token", index=0).value
        for view in ("run", "runstatus"):
            self.browser.open(f"{CENTER}/{view}?id={run.id}")
            self.assertEqual(self.status, 403)
            self.assertIn("lack the permission waeup.importData", str(self.page))
        for button in ("cancelrun", "resume", "preview_undo", "undo"):
            fields = {"form_token": token, "id": run.id, "run": run.id, button: "1"}
            self.browser.post(f"{CENTER}/run", urlencode(fields))
            self.assertEqual(self.status, 403, button)
        self.browser.open(CENTER)
        self.assertIn("Waits for its import", self.page)
        self.assertNotIn("run?id=", self.page)
        (run,) = self.runs()
        self.assertEqual(run.state, "queued")

    def test_a_processor_with_a_permission_of_its_own_hides_its_runs(self) -> None:
        self.order(FACULTIES)
        (run,) = self.runs()
        with mock.patch.object(FacultyProcessor, "permission", "waeup.managePortal"):
            self.browser.open(f"{CENTER}/runs")
            self.assertNotIn("list.csv", self.page)
            for view in ("run", "runstatus"):
                self.browser.open(f"{CENTER}/{view}?id={run.id}")
                self.assertEqual(self.status, 403)

    def test_a_run_that_does_not_exist_is_told(self) -> None:
        for query in ("", "?id=", "?id=nothing"):
            self.browser.open(f"{CENTER}/run{query}")
            self.assertEqual(self.status, 404)
            self.assertIn("Look at the list of runs.", self.page)

    def test_looking_changes_nothing(self) -> None:
        self.check(FACULTIES)
        self.perform()
        last = FunctionalLayer.database().lastTransaction()
        draft = next(iter(self.drafts()))
        for view in (
            "runs",
            *(f"{v}?id={r.id}" for r in self.runs() for v in ("run", "runstatus")),
        ):
            self.browser.open(f"{CENTER}/{view}")
            self.assertEqual(self.status, 200)
        self.browser.open(f"{CENTER}/import4?draft={draft}")
        self.assertEqual(FunctionalLayer.database().lastTransaction(), last)


class ModesTest(RunsTestCase):
    """Create or update."""

    def test_what_is_there_is_changed_and_the_rest_is_made(self) -> None:
        self.create("code,title\nSCI,Sciences\n")
        self.store("list.csv", "code,title\nSCI,Science\nART,Arts\n")
        self.go_to_step(4, mode="upsert")
        self.assertIn("Create or update", self.page)
        self.press("check")
        self.work_off()
        self.browser.getControl("Import: create 1, change 1").click()
        self.work_off()
        self.assertIn("Created 1 Updated 1 Failed 0", self.plain())

    def test_only_modes_that_a_processor_has_are_taken(self) -> None:
        with mock.patch.object(FacultyProcessor, "modes", ("update",)):
            self.go_to_step(2)
            self.assertIn('data-modes="update"', self.page)
            self.browser.getControl(name="importer").value = ["facultyprocessor"]
            self.browser.getControl(name="mode").value = ["upsert"]
            self.press("proceed")
            self.assertEqual(self.status, 400)
            self.assertIn("cannot do", self.page)
