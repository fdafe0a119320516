"""Step 4 without a script: rows that fail are seen by problem, mended, checked again, imported."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from itertools import count
from threading import Barrier
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import grok
import transaction

from waeup.kofa.browser.imports import mending
from waeup.kofa.browser.runs.runparts import ROWS
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import Refused
from waeup.kofa.interfaces import IMappingMadeEvent, IRunOrderedEvent
from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.browser.test_importing import CENTER
from waeup.kofa.tests.browser.test_runs import RunsTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.test_declared import heard
from waeup.kofa.tests.waiting import PATIENCE

TABLE = (
    "code,title,title_prefix\n"
    "FAC1,One,faculty\n"
    "FAC 2,Two,faculty\n"
    "FAC3,Three,school\n"
    "FAC4,Four,wrong\n"
    "FAC5,Five,wrong\n"
    "FAC6,Si,x,faculty\n"
    "FAC7,Seven,other\n"
)
HOSTILE = "<script>alert(1)</script>'\"&amp;${x}"


class MendingTestCase(RunsTestCase):
    """An import manager who mends rows."""

    def check(self, content: str = TABLE, mode: str = "create") -> None:
        """Check a file, and show what came of it."""
        super().check(content, mode)
        self.draft = self.browser.url.partition("draft=")[2]

    def open_problem(self, text: str) -> None:
        """Open the rows of the first problem with a text in its name."""
        self.browser.getLink(text).click()

    def row(self, number: int) -> Any:
        """Return the form of a row."""
        return self.form_with("row", str(number))

    def like(self, text: str) -> Any:
        """Return the form for all cells with a text."""
        return self.form_with("old", text)

    def form_with(self, name: str, value: str) -> Any:
        """Return the first form with a field of that value."""
        return next(
            form
            for form in self.forms()
            if value in [field.value for field in form._form.fields.get(name, ())]
        )

    def forms(self) -> list[Any]:
        """Return all forms of the page."""
        found: list[Any] = []
        while True:
            try:
                found.append(self.browser.getForm(index=len(found)))
            except LookupError:
                return found

    def enter(self, number: int, *texts: str | None) -> None:
        """Enter texts into the cells of a row, but for those that are None, and save it."""
        form = self.row(number)
        for position, text in enumerate(texts):
            if text is not None:
                form.getControl(name=f"cell-{position}").value = text
        form.getControl("Save this row").click()

    def part_of(self, number: int) -> str:
        """Return what the page says of a row."""
        found = re.search(rf'<article[^>]*id="row-{number}".*?</article>', self.page, re.DOTALL)
        assert found is not None, f"no row {number}"
        shown = re.sub(r"<[^>]*hidden=[^>]*>[^<]*", " ", found[0])
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())

    def post(self, browser: Any = None, **fields: str) -> Any:
        """Ask the view of the script; return status and answer."""
        browser = browser or self.browser
        page = {"form_token": self.token(browser), "draft": self.draft, "checked": self.checked}
        data = {**page, **fields}
        browser.post(f"{CENTER}/mend", urlencode(data))
        status, answer = int(browser.headers["Status"][:3]), json.loads(browser.contents)
        browser.goBack()
        return status, answer

    @property
    def checked(self) -> str:
        """The id of the last check of the draft."""
        transaction.begin()
        return str(self.site["datacenter"].ledger.draft(self.draft).check)

    def token(self, browser: Any) -> str:
        """Return the token of a browser's session."""
        return str(browser.getControl(name="form_token", index=0).value)

    def corrections(self) -> dict[int, dict[int, str]]:
        """Return what is read in place of cells of the draft."""
        transaction.begin()
        found = self.site["datacenter"].ledger.draft(self.draft).corrections
        return {number: correction.texts for number, correction in found}


class WalkTest(MendingTestCase):
    """From the check to the run and its undo."""

    def test_rows_are_mended_and_imported_and_taken_back(self) -> None:
        self.check()
        self.assertIn("Rows 7 Would be created 2 Would fail 5", self.plain())
        text = self.plain().partition("What is wrong with rows")[2]
        self.assertRegex(text, r"^ 3 title_prefix: Invalid value: … is not allowed")
        self.assertIn("5 All rows that fail", text)
        self.assertIn("Row by row", text)

        self.open_problem("title_prefix:")
        self.assertNotIn("Row by row", self.page)
        self.assertIn("'wrong' is not allowed", self.part_of(4))
        form = self.like("wrong")
        form.getControl(name="new").value = "school"
        form.getControl("Correct all 2 like cells").click()
        self.assertIn("Corrected cells: 2. “school” is read in place of “wrong”.", self.page)
        self.assertIn("Corrected, was: wrong", self.part_of(4))
        self.assertIn("Before: Invalid value", self.part_of(5))
        self.assertNotIn("Corrected", self.part_of(7))

        self.enter(7, None, None, "nothing")
        self.assertIn("It would still fail.", self.part_of(7))
        self.assertIn("'nothing' is not allowed", self.part_of(7))
        self.enter(7, None, None, "")
        self.assertIn("It would be created.", self.part_of(7))
        self.assertNotIn("not allowed", self.part_of(7))

        self.open_problem("All rows that fail")
        self.assertIn("FAC6,Si,x,faculty", self.part_of(6))
        self.enter(2, "FAC2")
        self.enter(6, "FAC6", "Si,x", "faculty")
        self.assertIn("It would be created.", self.part_of(6))
        self.assertIn("Rows that were corrected since the check: 5", self.plain())
        self.assertTrue(self.is_hidden("perform"))

        self.browser.getControl("Check again").click()
        self.work_off()
        self.assertIn("Rows 7 Would be created 7 Would fail 0", self.plain())
        self.assertIn("Corrected rows among them: 5", self.plain())
        self.assertFalse(self.is_hidden("perform"))
        self.browser.getControl("Import: create 7").click()
        self.work_off()
        self.assertIn("Successfully processed 7 rows.", self.page)
        self.assertIn("Corrected rows: 5", self.plain())
        self.assertIn("4 title_prefix wrong school", self.plain())
        self.assertNotIn("Take the correction of row", self.page)
        self.assertIn("<title>Finished: list.csv - Result of the import", self.page)
        self.assertEqual(self.site["faculties"]["FAC6"].title, "Si,x")
        self.assertEqual(self.site["faculties"]["FAC4"].title_prefix, "school")
        self.assertEqual((self.storage / "finished/list.csv").read_text(), TABLE)

        self.press("preview_undo")
        self.work_off()
        self.assertIn("Would be removed 7", self.plain())
        self.press("undo")
        self.work_off()
        self.assertIn("Removed again 7", self.plain())
        self.assertEqual(len(self.site["faculties"]), 0)

    def test_old_and_new_values_of_an_update_stand_side_by_side(self) -> None:
        self.create("code,title\nSCI,Sciences\n")
        self.check("code,title\nSCI,Science\nXXX!,Wrong\n", "update")
        self.assertIn('<li class="change"><b>title:</b>', self.page)
        self.assertIn("<del>Sciences</del>", self.page)
        self.assertIn("<ins>Science</ins>", self.page)

    def is_hidden(self, button: str) -> bool:
        """Tell whether a button cannot be seen."""
        found = re.search(rf'<button[^>]*name="{button}"[^>]*>', self.page)
        assert found is not None
        return "hidden=" in found[0]


class ProblemsTest(MendingTestCase):
    """What is wrong, in groups."""

    def test_the_keyboard_goes_to_the_row_that_was_saved(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        self.browser.followRedirects = False
        self.enter(7, None, None, "school")
        self.assertRegex(self.browser.headers["Location"], r"&group=1&tried=7#row-7$")
        self.browser.open(self.browser.headers["Location"])
        self.assertRegex(self.page, r'<article[^>]*tabindex="-1"[^>]*id="row-7"')

    def test_rows_of_a_problem_are_paged(self) -> None:
        rows = "".join(f"F{at:03},Title,wrong\n" for at in range(ROWS + 2))
        self.check("code,title,title_prefix\n" + rows)
        self.open_problem("title_prefix:")
        self.assertEqual(self.page.count("<article"), ROWS)
        self.browser.getLink("Next page").click()
        self.assertEqual(self.page.count("<article"), 2)
        self.enter(ROWS + 2, None, None, "school")
        self.assertEqual(self.page.count("<article"), 2)
        self.assertIn("It would be created.", self.part_of(ROWS + 2))
        for page in ("0", "-1", "x", "9" * 40):
            self.browser.open(f"{CENTER}/import4?draft={self.draft}&group=1&page={page}")
            self.assertEqual(self.status, 200)

    def test_wide_rows_are_fewer_on_a_page(self) -> None:
        rows = "".join(f"F{at:03},Title,wrong\n" for at in range(5))
        with mock.patch.object(mending, "MOST_INPUTS", 7):
            self.check("code,title,title_prefix\n" + rows)
            self.open_problem("title_prefix:")
            self.assertEqual(self.page.count("<article"), 2)
            self.browser.getLink("Next page").click()
            self.browser.getLink("Next page").click()
            self.assertEqual(self.page.count("<article"), 1)

    def test_groups_that_are_not_there_show_nothing(self) -> None:
        self.check()
        for group in ("0", "99", "x", "-1"):
            self.browser.open(f"{CENTER}/import4?draft={self.draft}&group={group}&tried=1")
            self.assertEqual(self.status, 200)
            self.assertNotIn("<article", self.page)
            self.assertIn("Row by row", self.page)

    def test_the_failing_cell_comes_first_with_what_is_allowed(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        part = self.page[self.page.index('id="row-4"') :]
        self.assertLess(part.index('name="cell-2"'), part.index('name="cell-0"'))
        self.assertIn('aria-invalid="true"', part[: part.index('name="cell-0"')])
        self.assertIn('list="choices-title_prefix"', part)
        self.assertIn('<option value="school">School of</option>', self.page)
        self.assertIn("Other cells: 2", self.part_of(4))
        self.assertIn("code: FAC4 · title: Four", self.part_of(4))

    def test_rows_that_fail_are_downloaded(self) -> None:
        self.check()
        self.browser.getLink("Download the rows that fail").click()
        self.assertIn("list.create.failing.csv", self.browser.headers["Content-Disposition"])
        self.assertIn("FAC4,Four,wrong", self.page.replace('"', ""))
        self.assertIn("--ERRORS--", self.page)

    def test_a_check_without_failing_rows_has_no_problems(self) -> None:
        self.check("code,title\nSCI,Sciences\n")
        self.assertNotIn("What is wrong with rows", self.page)
        check = self.runs()[0].id
        self.browser.open(f"{CENTER}/failing?check={check}")
        self.assertEqual(self.status, 404)
        self.assertIn("There is no table of failing rows", self.page)

    def test_a_problem_of_whole_rows_shows_the_texts_of_a_column(self) -> None:
        self.create("code,title\nSCI,Sciences\nART,Arts\n")
        self.check("code,title\nSCI,Same\nART,Same\n")
        self.open_problem("already exists")
        self.assertNotIn("like cells", self.page)
        form = self.browser.getForm(action=f"{CENTER}/import4", index=1)
        form.getControl(name="column").displayValue = ["title"]
        form.getControl("Show the texts").click()
        self.like("Same").getControl(name="new").value = "Other"
        self.like("Same").getControl("Correct all 2 like cells").click()
        self.assertEqual(self.corrections(), {1: {1: "Other"}, 2: {1: "Other"}})
        self.browser.open(f"{CENTER}/import4?draft={self.draft}&group=1&column=0")
        self.assertIn("No text is in this column of more than one", self.page)


class CorrectingTest(MendingTestCase):
    """Cells that are corrected, and what is refused."""

    def test_what_was_entered_is_read_in_all_like_cells(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        form = self.row(5)
        form.getControl(name="cell-2").value = "none"
        form.getControl("The same for all 2 like cells").click()
        self.assertIn("Corrected cells: 2.", self.page)
        self.assertEqual(self.corrections(), {4: {2: "none"}, 5: {2: "none"}})
        self.assertRaises(LookupError, self.row(7).getControl, "The same for all")

    def test_dates_are_read_as_a_button_says(self) -> None:
        self.store(
            "list.csv",
            "student_id,firstname,lastname,sex,date_of_birth\n"
            "A1,Ada,Eze,f,3.4.1999\nA2,Bo,Eze,m,17.5.1999\n",
        )
        self.go_to_step(4, "studentprocessor")
        self.press("check")
        self.work_off()
        self.draft = self.browser.url.partition("draft=")[2]
        self.open_problem("date_of_birth:")
        self.assertIn("The month comes first: “3.4.1999” is 1999-03-04", self.page)
        self.browser.getControl("The day comes first: “3.4.1999” is 1999-04-03").click()
        self.assertIn("Corrected cells: 2. Dates are read as you said.", self.page)
        self.assertNotIn("comes first", self.page)
        self.assertEqual(self.corrections(), {1: {4: "1999-04-03"}, 2: {4: "1999-05-17"}})

    def test_nothing_entered_is_told_beside_the_row(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        self.row(5).getControl("The same for all 2 like cells").click()
        self.assertEqual(self.status, 400)
        self.assertIn("Nothing was changed: 'wrong' is what stands there.", self.part_of(5))
        self.enter(7)
        self.assertEqual(self.status, 400)
        self.assertIn("Nothing was changed. Enter what is to be read", self.part_of(7))
        # The summary above the rows says it, too.
        self.assertEqual(self.page.count("Nothing was changed. Enter what"), 3)
        self.like("wrong").getControl(name="new").value = "wrong"
        self.like("wrong").getControl(name="replace").click()
        self.assertEqual(self.status, 400)
        self.assertEqual(self.corrections(), {})

    def test_what_was_refused_is_still_there(self) -> None:
        self.check()
        self.open_problem("All rows that fail")
        with mock.patch.object(Operations, "correct", side_effect=mending.MappingError("No.")):
            self.enter(4, None, "Entered", None)
        self.assertIn("No.", self.part_of(4))
        self.assertEqual(self.row(4).getControl(name="cell-1").value, "Entered")

    def test_a_correction_is_taken_back(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        self.enter(4, None, "Other", "school")
        self.row(4).getControl("Take the correction back").click()
        self.assertIn("The correction of row 4 was taken back.", self.page)
        self.assertEqual(self.row(4).getControl(name="cell-2").value, "wrong")
        self.assertNotIn("Corrected", self.part_of(4))
        self.assertFalse(self.corrections())
        self.enter(4, None, None, "school")
        self.enter(7, None, None, "school")
        self.assertIn("7 title_prefix other school", self.plain())
        self.browser.getControl("Take the correction of row 7 back").click()
        self.assertEqual(list(self.corrections()), [4])
        self.browser.getControl("Take all corrections back").click()
        self.assertEqual(self.corrections(), {})
        self.assertNotIn("Corrected cells", self.page)

    def test_the_text_of_the_file_takes_a_correction_back(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        self.enter(4, None, None, "school")
        self.enter(4, None, None, "wrong")
        self.assertEqual(self.corrections(), {})

    def test_a_damaged_row_shows_its_text_and_wants_all_cells(self) -> None:
        self.check("code,title,title_prefix\nFAC1,One\nFAC2,Two,none\n")
        self.open_problem("Too few cells")
        self.assertIn("This row is damaged", self.part_of(1))
        self.assertIn('<pre class="raw">FAC1,One</pre>', self.page)
        self.enter(1, "FAC1", "One", "")
        self.assertIn("It would be created.", self.part_of(1))
        self.assertEqual(self.corrections(), {1: {0: "FAC1", 1: "One", 2: ""}})

    def test_corrected_cells_are_paged(self) -> None:
        rows = "".join(f"F{at:03},Title,wrong\n" for at in range(ROWS + 2))
        self.check("code,title,title_prefix\n" + rows)
        self.open_problem("title_prefix:")
        self.like("wrong").getControl(name="new").value = "school"
        self.like("wrong").getControl(name="replace").click()
        self.assertEqual(self.page.count("Take the correction of row"), ROWS)
        self.browser.getLink("Further corrections").click()
        self.assertEqual(self.page.count("Take the correction of row"), 2)
        self.browser.getLink("Earlier corrections").click()
        self.assertEqual(self.page.count("Take the correction of row"), ROWS)

    def test_line_ends_and_other_texts_stay_as_they_are(self) -> None:
        text = "\nfirst\r\nsecond  <b>&amp;</b>\t'\""
        cell = text.replace('"', '""')
        self.store("list.csv", "")
        (self.storage / "list.csv").write_bytes(
            f'code,title,title_prefix\nFAC1,"{cell}",wrong\nFAC2,Two,none\n'.encode()
        )
        self.go_to_step(4)
        self.press("check")
        self.work_off()
        self.draft = self.browser.url.partition("draft=")[2]
        self.open_problem("title_prefix:")
        self.enter(1, None, None, "none")
        self.assertEqual(self.corrections(), {1: {2: "none"}})

    def test_hostile_texts_are_shown_as_texts(self) -> None:
        cell = HOSTILE.replace('"', '""')
        rows = f'FAC1,"{cell}","{cell}"\nFAC2,"{cell}","{cell}"\n"FAC3\n'
        self.check("code,title,title_prefix\n" + rows)
        for address in ("All rows that fail", "title_prefix:"):
            self.open_problem(address)
            self.assertNotIn("<script>alert", self.page)
            self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", self.page)
        self.assertEqual(self.row(1).getControl(name="cell-2").value, HOSTILE)
        self.enter(1, None, HOSTILE + "!", None)
        self.assertEqual(self.corrections()[1], {1: HOSTILE + "!"})
        self.like(HOSTILE).getControl(name="new").value = "<b>x"
        self.like(HOSTILE).getControl("Correct all 2 like cells").click()
        self.assertEqual(self.corrections()[2], {2: "<b>x"})
        self.assertNotIn("<script>alert", self.page)
        self.assertNotIn("<b>x", self.page)

    def test_passwords_are_never_shown(self) -> None:
        users = self.log_in("waeup.PortalManager", name="admin")
        self.browser = users
        header = "name,title,password,email\n"
        self.store("list.csv", header + "joe,Joe,open sesame 123,wrong\n")
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.browser.getControl(name="importer").value = ["userprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.press("check")
        self.work_off()
        self.draft = self.browser.url.partition("draft=")[2]
        self.open_problem("email:")
        self.assertNotIn("open sesame", self.page)
        control = self.row(1).getControl(name="cell-2")
        self.assertIn('type="password"', self.page)
        self.assertEqual(control.value, "")
        self.enter(1, None, None, None, "joe@example.org")
        self.assertIn("It would be created.", self.part_of(1))
        self.assertEqual(list(self.corrections()[1]), [3])
        self.enter(1, None, None, "another secret 456", None)
        self.assertNotIn("another secret", self.page)
        self.assertNotIn("another secret", str(self.corrections()))
        self.assertEqual(sorted(self.corrections()[1]), [2, 3])

    def test_two_windows_correct_different_rows(self) -> None:
        self.check()
        second = self.second_window()
        self.open_problem("title_prefix:")
        second.open(self.browser.url)
        first, self.browser = self.browser, second
        self.enter(7, None, None, "school")
        self.browser = first
        self.enter(4, None, None, "none")
        self.assertEqual(self.corrections(), {4: {2: "none"}, 7: {2: "school"}})
        self.assertIn("Corrected, was: other", self.part_of(7))

    def test_a_form_of_an_older_check_changes_nothing(self) -> None:
        self.check()
        second = self.second_window()
        self.open_problem("title_prefix:")
        second.open(self.browser.url)
        self.browser.getControl("Check again").click()
        self.browser = second
        for work in (False, True):
            if work:
                FunctionalLayer.work_off_runs()
            self.enter(4, None, None, "none")
            self.assertEqual(self.status, 404)
            self.assertIn("The file was checked anew meanwhile", self.page)
            self.assertEqual(self.corrections(), {})
            self.browser.goBack()

    def test_a_check_that_was_forgotten_can_be_ordered_again(self) -> None:
        self.check()
        self.open_problem("title_prefix:")
        self.enter(4, None, None, "none")
        transaction.begin()
        runs = self.site["datacenter"].runs
        for run in runs:
            runs.drop(run)
        transaction.commit()
        self.browser.open(f"{CENTER}/import4?draft={self.draft}")
        self.assertEqual(self.status, 200)
        self.browser.getControl(name="check").click()
        FunctionalLayer.work_off_runs()
        self.browser.open(f"{CENTER}/import4?draft={self.draft}")
        self.assertIn("Corrected rows among them: <b>1</b>", self.page)


class RightsTest(MendingTestCase):
    """Who may not, and what no form has sent."""

    def test_links_change_nothing(self) -> None:
        self.check()
        address = f"{CENTER}/import4?draft={self.draft}&group=1"
        checked = self.runs()[0].id
        for button in ("correct", "also", "replace", "uncorrect", "uncorrect_all"):
            more = {"checked": checked, "row": "4", "column": "2", "old": "wrong", "new": "none"}
            data = {**more, "cell-2": "none", "group": "1", button: "2"}
            self.browser.open(f"{address}&{urlencode(data)}")
            self.assertEqual(self.status, 405)
            token = self.token(self.browser)
            self.browser.post(address, urlencode({**data, "draft": self.draft}))
            self.assertEqual(self.status, 403, token)
            self.assertIn("This form was out of date", self.page)
        self.assertEqual(self.corrections(), {})

    def test_drafts_and_checks_of_others(self) -> None:
        self.check()
        address, check = self.browser.url, self.runs()[0].id
        other = self.log_in("waeup.ImportManager", name="other")
        other.open(f"{address}&group=1")
        self.assertEqual(other.headers["Status"][:3], "403")
        other.open(CENTER)
        status, answer = self.post(other, row="4", **{"cell-2": "none"})
        self.assertEqual(status, 403)
        self.assertIn("Somebody else prepares this import.", answer["error"])
        clerk = self.log_in("waeup.DataCenterManager", name="clerk")
        for run in self.site["datacenter"].runs:
            run.needs = ("waeup.manageUsers",)
        transaction.commit()
        clerk.open(f"{CENTER}/failing?check={check}")
        self.assertEqual(clerk.headers["Status"][:3], "403")
        self.assertEqual(self.corrections(), {})


class ScriptTest(MendingTestCase):
    """What the view for the script answers."""

    def test_a_cell_is_kept_and_tried(self) -> None:
        self.check()
        status, answer = self.post(row="4", **{"cell-2": "nonsense"})
        self.assertEqual(status, 200)
        self.assertEqual((answer["is_corrected"], answer["is_sound"]), (True, False))
        self.assertIn("'nonsense' is not allowed", answer["cells"][2]["message"])
        status, answer = self.post(row="4", **{"cell-2": "school"})
        self.assertEqual(
            answer["cells"][2],
            {"position": 2, "text": "school", "was": "Corrected, was: wrong", "message": ""},
        )
        self.assertEqual(answer["said"], "Row 4: It would be created.")
        self.assertEqual((answer["is_sound"], answer["since"]), (True, 1))
        self.assertEqual(self.corrections(), {4: {2: "school"}})
        status, answer = self.post(row="4", uncorrect="1")
        self.assertEqual((answer["is_corrected"], answer["since"]), (False, 0))
        self.assertEqual(answer["cells"][2]["text"], "wrong")
        self.assertIn("'wrong' is not allowed", answer["cells"][2]["message"])

    def test_refusals_are_told_and_change_nothing(self) -> None:
        self.check()
        for fields, status, words in (
            ({}, 404, "does not say which row"),
            ({"row": "x"}, 404, "does not say which row"),
            ({"row": "1", "cell-0": "A"}, 404, "has not found row 1 failing"),
            ({"row": "999", "cell-0": "A"}, 404, "row 999"),
            ({"row": "4", "cell-77": "A"}, 400, "There is no column 78"),
            ({"row": "6", "cell-0": "A"}, 400, "Give the texts of all columns"),
            ({"row": "4", "cell-0": "A", "draft": "nothing"}, 404, "choose the file again"),
            ({"row": "4", "cell-0": "A", "form_token": "x"}, 403, "out of date"),
            ({"row": "4", "cell-0": "A", "checked": ""}, 404, "checked anew meanwhile"),
        ):
            found, answer = self.post(**fields)
            self.assertEqual(found, status, fields)
            self.assertIn(words, answer["error"])
        self.browser.open(f"{CENTER}/mend?draft={self.draft}&row=4&cell-2=none")
        self.assertEqual(self.status, 405)
        self.assertEqual(self.corrections(), {})

    def test_a_page_of_an_older_check_changes_nothing(self) -> None:
        self.check()
        before = self.checked
        self.post(row="5", **{"cell-2": "none"})
        second = self.second_window()
        # Rows and columns have other numbers now.
        second.open(f"{CENTER}/import2?draft={self.draft}")
        second.getControl(name="header_line").value = "2"
        second.getControl("Read again").click()
        second.getControl("Proceed to step 3").click()
        for position, field in enumerate(("code", "title", "title_prefix")):
            control = second.getControl(name="headerfield", index=position)
            control.value = [field]
        for _ in range(2):
            # Texts of choices are shown once before step 4 opens.
            if "import3" in second.url:
                second.getControl("Proceed to step 4").click()
        second.getControl(name="check").click()
        FunctionalLayer.work_off_runs()
        kept = self.corrections()
        self.assertEqual(kept, {})
        for fields in ({"cell-2": "none"}, {"uncorrect": "1"}, {}):
            status, answer = self.post(row="4", checked=before, **fields)
            self.assertEqual(status, 404, fields)
            self.assertIn("The file was checked anew meanwhile", answer["error"])
        self.assertEqual(self.corrections(), kept)
        self.assertEqual(self.post(row="4", **{"cell-2": "none"})[0], 200)

    def test_two_windows_correct_different_rows_at_the_same_moment(self) -> None:
        self.check()
        windows = [self.second_window() for _number in range(2)]
        for window in windows:
            window.open(f"{CENTER}/import4?draft={self.draft}&group=1")
        tokens, checked = [self.token(window) for window in windows], self.checked
        correct, both, calls = Operations.correct, Barrier(2, timeout=PATIENCE), count()

        def correct_together(*args: Any) -> Any:
            row = correct(*args)
            if next(calls) < 2:
                both.wait()
            return row

        def send(number: int) -> int:
            page = {"form_token": tokens[number], "draft": self.draft, "checked": checked}
            data = {**page, "row": str(4 + number)}
            windows[number].post(f"{CENTER}/mend", urlencode({**data, "cell-2": "school"}))
            return int(windows[number].headers["Status"][:3])

        with (
            mock.patch.object(Operations, "correct", correct_together),
            ThreadPoolExecutor(2) as threads,
        ):
            self.assertEqual(list(threads.map(send, range(2))), [200, 200])
        self.assertEqual(self.corrections(), {4: {2: "school"}, 5: {2: "school"}})


class PendingAgainTest(MendingTestCase):
    """Rows that came back are mended with what is known from their import."""

    def setUp(self) -> None:
        super().setUp()
        (self.storage / "list.csv").unlink()
        self.create(TABLE)

    def test_from_the_result_over_mending_to_the_second_result(self) -> None:
        self.assertIn("Processing of 5 rows failed.", self.page)
        self.browser.getControl("Mend and import again").click()
        self.assertIn("/import4?draft=", self.browser.url)
        self.assertIn("Why these rows came back", self.page)
        self.assertIn("3 title_prefix: Invalid value: … is not allowed", self.plain())
        self.work_off()
        self.assertNotIn("Why these rows came back", self.page)
        self.assertIn("Faculty Processor", self.page)
        self.assertIn("Would fail 5", self.plain())
        self.assertIn("FAC6,Si,x,faculty", self.page)
        # The reasons of before are above; beside a row they would be taken for its own.
        self.assertNotIn("--ERRORS--:", self.page)
        self.assertNotIn("--RAW--:", self.page)
        self.enter(2, None, None, "school")
        self.browser.getControl("Check again").click()
        self.work_off()
        self.browser.getControl("Import: create 1; rows that will fail: 4").click()
        self.work_off()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertEqual(self.site["faculties"]["FAC4"].title_prefix, "school")
        self.browser.getControl("Mend and import again").click()
        self.work_off()
        self.assertIn("Would fail 4", self.plain())

    def test_a_subscriber_refuses_the_order(self) -> None:
        def refuse(event: Any) -> None:
            grok.getSite().seen = True
            raise Refused("Not today.")

        for event in (IMappingMadeEvent, IRunOrderedEvent):
            self.browser.open(CENTER)
            with heard(event, refuse):
                self.browser.getControl(name="mend").click()
            self.assertIn("/import3?draft=", self.browser.url)
            self.assertEqual((len(self.runs()), hasattr(self.site, "seen")), (1, False))

    def test_who_may_not_import_is_led_as_far_as_may_be(self) -> None:
        name = "list.create.pending.csv"
        clerk = self.browser = self.log_in("waeup.DataCenterManager", name="clerk")
        self.browser.open(CENTER)
        clerk.getControl(name="mend").click()
        self.assertIn("/import2?draft=", self.browser.url)
        self.assertIn(name, self.page)
        self.assertEqual(len(self.runs()), 1)

    def test_a_file_that_is_gone_is_told(self) -> None:
        (self.storage / "list.create.pending.csv").unlink()
        self.browser.getControl("Mend and import again").click()
        self.assertEqual(self.status, 404)
        self.assertIn("There is no file", self.page)


class LeftTest(MendingTestCase):
    """Somebody else imports the file while its rows are mended."""

    def test_corrected_rows_are_offered_where_it_is_told(self) -> None:
        self.check()
        address = self.browser.url
        self.open_problem("title_prefix:")
        self.enter(4, None, None, "none")
        FunctionalLayer.add_user("ben", "waeup.ImportManager")
        with acting_as("ben") as operations:
            mapping = Mapping(("code", "title", "title_prefix"))
            operations.start_import("list.csv", "facultyprocessor", "create", mapping)
            transaction.commit()
        FunctionalLayer.work_off_runs()
        self.browser.open(address)
        self.assertEqual(self.browser.url, f"{CENTER}/import1?left={self.draft}")
        self.assertIn("This import is not prepared any more", self.page)
        self.assertIn("Rows that you had corrected: <b>1</b>.", self.page)
        self.browser.getLink("Download the corrected rows").click()
        self.assertIn('filename="list.corrected.csv"', self.browser.headers["Content-Disposition"])
        self.assertEqual(
            self.browser.contents.lstrip("\ufeff").splitlines(),
            ['"code","title","title_prefix"', '"FAC4","Four","none"'],
        )
