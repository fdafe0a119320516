"""The four steps of an import, forwards, backwards and beside the way."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from itertools import count
from threading import Barrier
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction

from waeup.kofa.browser.datacenter import COUNTED
from waeup.kofa.browser.imports.importing import FILES
from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, fill_in_login
from waeup.kofa.tests.waiting import PATIENCE

CENTER = "http://localhost/app/datacenter"
FACULTIES = "Code,title,remark\nSCI,Sciences,x\nART,Arts,y\nSCI,Science,z\n"
STUDENTS = "id,gender,region\n11391,M,Scotland\n28400,F,Wales\n"


def prepared(
    step: int, processor: str = "facultyprocessor", mode: str = "create", user: str = "officer"
) -> str:
    """Prepare an import of the newest file that no run has; return the id of the draft.

    The draft is as a walk over the pages leaves it that lead to a step; `WalkTest` walks.
    """
    with acting_as(user) as operations:
        files = operations.pending_files(sort="date")
        name = next(file.name for file in files if operations.run_of(file.name) is None)
        draft = operations.new_draft(name)
        if step > 2:
            operations.save_draft(draft.id, processor=processor, mode=mode)
        if step > 3:
            columns = operations.propose_mapping(name, processor, mode).columns
            operations.save_draft(draft.id, columns=columns)
        transaction.commit()
        return draft.id


class ImportTestCase(FunctionalTestCase):
    """An import manager with a file."""

    def setUp(self) -> None:
        self.browser = self.log_in("waeup.ImportManager")
        self.store("list.csv", FACULTIES)

    @property
    def page(self) -> str:
        """What the browser shows."""
        return self.browser.contents

    @property
    def status(self) -> int:
        """Status of the last answer."""
        return int(self.browser.headers["Status"][:3])

    def press(self, button: str, index: int | None = None) -> None:
        """Press a button by its name."""
        self.browser.getControl(name=button, index=index).click()

    def go_to_step(
        self,
        step: int,
        processor: str = "facultyprocessor",
        mode: str = "create",
        user: str = "officer",
    ) -> None:
        """Prepare the import of the newest file up to a step, and show that."""
        self.browser.open(f"{CENTER}/import{step}?draft={prepared(step, processor, mode, user)}")
        self.assertIn(f"import{step}?draft=", self.browser.url)

    def perform(self) -> None:
        """Order the import, and look at its page when it is over."""
        self.press("perform")
        self.work_off()

    def work_off(self) -> None:
        """Let all runs be worked on, and look at the page again."""
        FunctionalLayer.work_off_runs()
        self.browser.open(self.browser.url)

    def second_window(self) -> Any:
        """Return another browser in which the officer has logged in."""
        return FunctionalLayer.browser_of("officer")

    def drafts(self) -> list[str]:
        """Return the ids of all drafts that there are."""
        transaction.begin()
        return [id for id, draft in self.site["datacenter"].ledger._drafts.items() if draft]

    def runs(self) -> list[Any]:
        """Return all runs that there are."""
        transaction.begin()
        return list(self.site["datacenter"].runs)

    def map(self, table: str, **fields: str) -> None:
        """Choose fields for columns of `table`."""
        header = table.partition("\n")[0].split(",")
        for column, field in fields.items():
            control = self.browser.getControl(name="headerfield", index=header.index(column))
            control.value = [field]

    def constants(self) -> list[str]:
        """Return the fields that are offered for constants."""
        found: list[str] = []
        while True:
            try:
                control = self.browser.getControl(name="constantfield", index=len(found))
            except LookupError:
                return found
            found.append(control.value if isinstance(control.value, str) else control.value[0])


class WalkTest(ImportTestCase):
    """From the list of files to the result."""

    def walk_to_step(self, step: int, processor: str = "facultyprocessor") -> None:
        """Choose the first file and go on, page by page."""
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.browser.getControl(name="importer").value = [processor]
        self.browser.getControl(name="mode").value = ["create"]
        self.press("proceed")
        if step > 3:
            self.press("proceed")
        self.assertIn(f"import{step}?draft=", self.browser.url)

    def test_a_file_with_a_bad_row_ends_in_two_files(self) -> None:
        self.walk_to_step(4)
        self.assertIn("Ignored columns:", self.page)
        self.perform()
        self.assertIn("Batch processing finished.", self.page)
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.assertIn("Processing of 1 rows failed.", self.page)
        self.assertIn("This object already exists.", self.page)
        self.assertEqual(sorted(self.site["faculties"]), ["ART", "SCI"])
        self.browser.getLink("list.create.pending.csv").click()
        self.assertIn("SCI,Science,This object already exists.", self.page)
        self.browser.goBack()
        self.browser.getLink("list.create.finished.csv").click()
        self.assertIn("SCI,Sciences", self.page)

    def test_a_file_without_bad_rows_leaves_nothing_pending(self) -> None:
        self.store("list.csv", "code,title\nSCI,Sciences\n")
        self.walk_to_step(4)
        self.perform()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertNotIn("failed.", self.page)
        self.assertNotIn("pending.csv", self.page)
        self.browser.getLink("Back to Data Center").click()
        self.assertIn("No files are waiting.", self.page)

    def test_a_mended_pending_file_keeps_its_mode(self) -> None:
        self.walk_to_step(4)
        self.perform()
        self.store("list.create.pending.csv", "code,title,--ERRORS--\nMED,Medicine,x\n")
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.assertEqual(self.browser.getControl(name="mode").value, ["create"])
        modes = self.browser.getControl(name="mode")
        self.assertTrue(modes.getControl(value="remove").disabled)
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.perform()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertIn("MED", self.site["faculties"])

    def test_constants_fill_what_the_file_does_not_have(self) -> None:
        self.store("list.csv", STUDENTS)
        self.walk_to_step(3, "studentprocessor")
        self.map(STUDENTS, id="student_id", gender="sex", region="--IGNORE--")
        self.press("update")
        fields = self.constants()
        self.assertEqual(sorted(fields), ["", "firstname", "lastname"])
        for field in ("firstname", "lastname"):
            at = fields.index(field)
            self.browser.getControl(name="constant", index=at).value = f"Some {field}"
        self.press("update")
        self.assertIn("Header fields OK", self.page)
        self.press("proceed")
        self.assertIn("<b>Some firstname</b>", self.page)
        self.perform()
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.assertEqual(self.site["students"]["11391"].lastname, "Some lastname")


class ResultTest(ImportTestCase):
    """What has become of an import can be looked at again and again."""

    def test_the_result_is_shown_again_and_again(self) -> None:
        self.go_to_step(4)
        draft = self.browser.url
        self.perform()
        address = self.browser.url
        self.assertIn("/run?id=", address)
        for visited in (address, draft):
            self.browser.open(visited)
            self.assertEqual(self.browser.url, address)
            self.assertIn("<h1>Result of the import</h1>", self.page)
            self.assertIn("Successfully processed 2 rows.", self.page)
            self.assertIn("This object already exists.", self.page)
            self.assertIn("Faculty Processor", self.page)

    def test_each_step_leads_to_the_run(self) -> None:
        self.go_to_step(4)
        query = self.browser.url.partition("?")[2]
        self.press("perform")
        run = self.browser.url
        for _state in ("waiting", "finished"):
            for step in (2, 3, 4):
                self.browser.open(f"{CENTER}/import{step}?{query}")
                self.assertEqual(self.browser.url, run)
            self.work_off()

    def test_other_drafts_of_the_file_are_gone(self) -> None:
        self.go_to_step(3)
        other = self.browser.url
        self.go_to_step(4)
        self.perform()
        self.browser.open(other)
        self.assertEqual(self.browser.url, f"{CENTER}/import1")
        self.assertIn("This import is not prepared any more", self.page)

    def test_each_of_two_officers_is_told_of_the_other(self) -> None:
        self.go_to_step(2)
        own = self.browser.url
        self.assertNotIn("prepares an import of this file, too", self.page)
        FunctionalLayer.add_user("ben", "waeup.ImportManager")
        other = FunctionalLayer.browser_of("ben")
        other.open(f"{CENTER}/import1")
        other.getControl(name="select").click()
        told = r"The user <b>%s</b> prepares an import of this file, too, since\s+<time"
        self.assertRegex(other.contents, told % "officer")
        self.browser.open(own)
        self.assertRegex(self.page, told % "ben")
        with mock.patch("waeup.kofa.operations.imports.BEGUN_LATELY", timedelta(0)):
            self.browser.open(own)
        self.assertNotIn("prepares an import of this file, too", self.page)
        other.getControl("Cancel").click()
        self.browser.open(own)
        self.assertNotIn("prepares an import of this file, too", self.page)

    def test_a_second_click_leads_to_what_the_first_one_did(self) -> None:
        self.go_to_step(4)
        address, second = self.browser.url, self.second_window()
        second.open(address)
        self.press("perform")
        run = self.browser.url
        for button in ("perform", "check", "cancel", "back3"):
            second.post(f"{CENTER}/import4", self.click(second, address, button))
            self.assertEqual(second.url, run)
        self.assertEqual(len(self.runs()), 1)
        self.work_off()
        second.post(f"{CENTER}/import4", self.click(second, address, "perform"))
        self.assertEqual(second.url, run)
        self.assertIn("Successfully processed 2 rows.", second.contents)
        self.assertEqual(len(self.site["faculties"]), 2)

    def test_two_clicks_at_the_same_moment_order_one_run(self) -> None:
        self.go_to_step(4)
        address = self.browser.url
        windows = [self.second_window() for _number in range(2)]
        for window in windows:
            window.open(address)
        sent = [self.click(window, address, "perform") for window in windows]
        start, both, calls = Operations.start_import, Barrier(2, timeout=PATIENCE), count()

        def start_together(*args: Any, **kw: Any) -> Any:
            info = start(*args, **kw)
            if next(calls) < 2:
                # The one that is too late is tried again by the publisher.
                both.wait()
            return info

        def press(number: int) -> str:
            windows[number].post(f"{CENTER}/import4", sent[number])
            return str(windows[number].url)

        with (
            mock.patch.object(Operations, "start_import", start_together),
            ThreadPoolExecutor(2) as threads,
        ):
            urls = list(threads.map(press, range(2)))
        self.assertEqual(urls[0], urls[1])
        self.assertIn("/run?id=", urls[0])
        self.assertEqual(len(self.runs()), 1)

    def test_another_officer_is_told_who_has_the_file(self) -> None:
        self.go_to_step(4)
        first, self.browser = self.browser, self.log_in("waeup.ImportManager", name="other")
        self.go_to_step(4, user="other")
        first.getControl(name="perform").click()
        self.press("perform")
        self.assertEqual(self.status, 409)
        self.assertIn("list.csv belongs to the import that officer has ordered", self.page)
        self.browser.getLink("See what it does").click()
        self.assertEqual(self.browser.url, first.url)
        self.assertEqual(len(self.runs()), 1)

    def test_a_refused_import_can_be_mended_and_run(self) -> None:
        self.go_to_step(4)
        self.store("list.csv", FACULTIES + "LAW,Law,\n")
        self.press("perform")
        self.assertEqual(self.status, 400)
        self.assertIn("was changed since its columns were mapped", self.page)
        self.assertEqual(self.runs(), [])
        self.store("list.csv", FACULTIES)
        self.perform()
        self.assertIn("Successfully processed 2 rows.", self.page)

    def test_a_file_that_is_changed_before_the_run_begins_is_not_imported(self) -> None:
        self.go_to_step(4)
        draft = self.browser.url
        self.press("perform")
        self.store("list.csv", FACULTIES + "LAW,Law,\n")
        self.work_off()
        self.assertIn("It was cancelled.", self.page)
        self.assertIn("list.csv was changed since its columns were mapped.", self.page)
        self.assertEqual(list(self.site["faculties"]), [])
        self.browser.open(draft)
        self.assertEqual(self.browser.url, draft)
        self.assertIn("Import: Cancelled. list.csv was changed", self.page)
        self.browser.goBack()
        self.browser.getControl("Prepare the import again").click()
        self.assertIn("/import2?draft=", self.browser.url)

    def test_old_drafts_are_dropped_when_the_officer_begins_anew(self) -> None:
        self.go_to_step(4)
        self.perform()
        (id,) = self.drafts()
        for days, kept in ((29, True), (31, False)):
            draft = self.site["datacenter"].ledger.draft(id)
            draft.date = datetime.now(timezone.utc) - timedelta(days=days)
            transaction.commit()
            self.store("list.csv", FACULTIES)
            self.go_to_step(2)
            self.assertEqual(id in self.drafts(), kept, days)

    def test_numbers_are_grouped(self) -> None:
        rows = "".join(f"F{number},x\n" for number in range(1200))
        self.store("list.csv", "code,title\n" + rows)
        self.browser.open(CENTER)
        self.assertRegex(self.page, r'data-label="Datasets">\s*1,200<')
        self.go_to_step(4)
        self.assertIn("<dd>1,200</dd>", self.page)
        self.perform()
        self.assertIn("Successfully processed 1,200 rows.", self.page)

    def click(self, browser: Any, address: str, button: str) -> str:
        """Return what a click on a button of step 4 sends."""
        token = browser.getControl(name="form_token", index=0).value
        draft = address.partition("draft=")[2]
        return urlencode({"form_token": token, "draft": draft, button: "1"})


class StepsTest(ImportTestCase):
    """What each step refuses, keeps, and leads to."""

    def test_without_files_step_1_says_what_to_do(self) -> None:
        (self.storage / "list.csv").unlink()
        self.browser.open(f"{CENTER}/import1")
        self.assertIn("No files are waiting. Upload a table first.", self.page)

    def test_step_1_shows_many_files_page_by_page_and_counts_no_large_one(self) -> None:
        for number in range(FILES + 1):
            self.store(f"list{number:02}.csv", "code\nA\n")
        self.store("large.csv", "a\n" * COUNTED)
        self.browser.open(f"{CENTER}/import1?page=x")
        self.assertEqual(self.page.count('name="select"'), FILES)
        row = re.search(r"large\.csv.*?</tr>", self.page, re.DOTALL)
        assert row is not None
        self.assertRegex(row[0], r'data-label="Datasets"></td>')
        self.assertRegex(self.page, r'data-label="Datasets">1</td>')
        self.browser.getLink("Next page").click()
        self.assertEqual(self.page.count('name="select"'), 3)
        self.browser.getControl(name="select", index=0).click()
        self.assertIn("/import2?draft=", self.browser.url)

    def test_a_file_that_is_no_table_is_refused_in_step_1(self) -> None:
        self.store("list.csv", "")
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.assertEqual(self.status, 400)
        self.assertIn("<caption>Which file is to be imported?</caption>", self.page)
        self.assertEqual(self.drafts(), [])

    def test_step_2_shows_the_first_rows(self) -> None:
        self.go_to_step(2)
        for text in ("remark", "Sciences", "Arts"):
            self.assertIn(f">{text}</t", self.page)

    def test_step_2_wants_a_processor(self) -> None:
        self.go_to_step(2)
        self.browser.getControl(name="importer").value = [""]
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertIn("Choose a processor: it says", self.page)
        # What the person has said stays.
        self.assertEqual(self.browser.getControl(name="importer").value, [""])

    def test_step_2_proposes_a_processor_and_a_mode(self) -> None:
        for columns, mode in (
            ("Student ID,First name,Surname,Sex", "create"),
            ("student_id,phone", "update"),
        ):
            number = len(columns.split(","))
            self.store(f"a{number}.csv", f"{columns}\n{','.join('x' * number)}\n")
            self.browser.open(f"{CENTER}/import1")
            self.browser.getControl(name="select", index=0).click()
            self.assertIn(f"Proposed: {number} of {number} columns fit.", self.page)
            self.assertEqual(self.browser.getControl(name="importer").value, ["studentprocessor"])
            self.assertEqual(self.browser.getControl(name="mode").value, [mode])

    def test_step_2_offers_only_processors_that_the_person_may_use(self) -> None:
        self.go_to_step(2)
        offered = self.browser.getControl(name="importer").options
        self.assertIn("facultyprocessor", offered)
        self.assertNotIn("userprocessor", offered)

    def test_a_processor_that_the_person_may_not_use_is_refused(self) -> None:
        self.go_to_step(2)
        form = self.browser.getForm(index=1)
        form.getControl(name="importer")._control.force_value("userprocessor")
        self.press("proceed")
        self.assertIn("Choose a processor", self.page)

    def test_columns_are_matched_without_case(self) -> None:
        self.go_to_step(3)
        first = self.browser.getControl(name="headerfield", index=0)
        self.assertEqual(first.value, ["code"])
        self.assertIn("Header fields OK", self.page)

    def test_a_missing_column_keeps_the_officer_in_step_3(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, Code="--IGNORE--")
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertEqual(self.page.count("Not filled yet: code."), 1)
        self.assertEqual(
            self.browser.getControl(name="headerfield", index=0).value, ["--IGNORE--"]
        )
        self.assertIn("code", self.constants())

    def test_a_field_that_is_filled_twice_keeps_the_officer_in_step_3(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, remark="title")
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertEqual(self.page.count("Double headers"), 1)
        self.assertEqual(self.browser.getControl(name="headerfield", index=2).value, ["title"])

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        self.store("list.csv", STUDENTS)
        self.go_to_step(3, "studentprocessor")
        self.map(STUDENTS, region="--IGNORE--")
        for button in ("proceed", "update"):
            self.press(button)
            warnings = self.page.partition('class="alert alert-warning"')[2].partition("</div>")[0]
            self.assertIn("Not filled yet: firstname, lastname.", warnings)
            self.assertIn("student_id or reg_number or matric_number", warnings)

    def test_step_3_says_that_one_of_several_fields_is_needed(self) -> None:
        self.store("list.csv", "student_id,firstname,lastname,sex\nA1,Ada,Ade,f\n")
        self.go_to_step(3, "studentprocessor")
        self.assertIn("Header fields OK", self.page)
        note = self.page.partition("marks fields that must be filled")[2].partition("</p>")[0]
        self.assertIn("student_id or reg_number or matric_number", note)
        self.store("list.csv", FACULTIES)
        self.go_to_step(3)
        note = self.page.partition("marks fields that must be filled")[2].partition("</p>")[0]
        self.assertNotIn("Need", note)

    def test_a_constant_without_a_field_is_told_and_kept(self) -> None:
        for button in ("update", "proceed"):
            self.go_to_step(3)
            self.browser.getControl(name="constant", index=0).value = "ORPHAN"
            self.press(button)
            self.assertEqual(self.status, 400)
            self.assertIn("Choose the field that 'ORPHAN' is to fill, or empty", self.page)
            self.assertEqual(self.browser.getControl(name="constant", index=0).value, "ORPHAN")

    def test_each_step_has_its_name(self) -> None:
        for step, name in (
            (1, "Choose a file"),
            (2, "Choose processor and mode"),
            (3, "Map the columns"),
            (4, "Check, mend, import"),
        ):
            if step == 1:
                self.browser.open(f"{CENTER}/import1")
            else:
                self.go_to_step(step)
            self.assertIn(f"<title>{name} - Import - WAeUP.Kofa</title>", self.page)
            self.assertIn(f"<h1>{name}</h1>", self.page)

    def test_the_address_keeps_the_draft(self) -> None:
        for step in (2, 3, 4):
            self.go_to_step(step)
            self.assertIn(f'action="{self.browser.url}"', self.page)
        self.go_to_step(3)
        address = self.browser.url
        self.map(FACULTIES, remark="title_prefix")
        self.press("update")
        self.browser.open(address)
        field = self.browser.getControl(name="headerfield", index=2).value
        self.assertEqual(field, ["title_prefix"])

    def test_who_has_to_log_in_comes_back_to_the_draft(self) -> None:
        self.go_to_step(3)
        address = self.browser.url
        stranger = FunctionalLayer.browser(address)
        fill_in_login(stranger, "officer", "pw of officer")
        self.assertEqual(stranger.url, address)

    def test_reset_goes_back_to_the_proposal(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, Code="--IGNORE--")
        self.press("update")
        self.assertIn("Not filled yet: code.", self.page)
        self.press("reset")
        self.assertEqual(self.browser.getControl(name="headerfield", index=0).value, ["code"])

    def test_the_mapping_survives_going_back_and_forth(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, remark="title_prefix")
        self.press("update")
        self.press("back2")
        self.assertEqual(self.browser.getControl(name="importer").value, ["facultyprocessor"])
        self.press("proceed")
        field = self.browser.getControl(name="headerfield", index=2).value
        self.assertEqual(field, ["title_prefix"])

    def test_each_step_leads_back(self) -> None:
        self.go_to_step(4)
        self.press("back3")
        self.assertIn("/import3?draft=", self.browser.url)
        self.press("back2")
        self.assertIn("/import2?draft=", self.browser.url)
        self.press("back1")
        self.assertEqual(self.browser.url, f"{CENTER}/import1")
        self.press("cancel")
        self.assertEqual(self.browser.url, CENTER)

    def test_an_import_can_be_given_up(self) -> None:
        for step in (2, 3, 4):
            self.go_to_step(step)
            self.press("cancel")
            self.assertEqual(self.browser.url, CENTER)
            self.assertIn("Import aborted.", self.page)
        self.assertEqual(self.drafts(), [])

    def test_who_comes_too_early_is_sent_to_the_step_that_is_missing(self) -> None:
        self.go_to_step(2)
        draft = self.browser.url.partition("?")[2]
        for step in (3, 4):
            self.browser.open(f"{CENTER}/import{step}?{draft}")
            self.assertEqual(self.browser.url, f"{CENTER}/import2?{draft}")

    def test_two_tabs_do_not_mix(self) -> None:
        self.go_to_step(3)
        first = self.browser.url
        self.store("other.csv", "code,title\nLAW,Law\n")
        self.browser.open(f"{CENTER}/import1")
        self.press(
            "select", 0 if self.page.index("other.csv") < self.page.index("list.csv") else 1
        )
        self.assertIn("<strong>other.csv</strong>", self.page)
        self.browser.open(first)
        self.assertIn("<strong>list.csv</strong>", self.page)

    def test_a_draft_belongs_to_its_officer(self) -> None:
        self.go_to_step(3)
        other = self.log_in("waeup.ImportManager", name="other")
        other.open(self.browser.url)
        self.assertEqual(other.headers["Status"][:3], "403")
        self.assertIn("Somebody else prepares this import.", other.contents)

    def test_a_draft_that_does_not_exist_is_told(self) -> None:
        for query in ("", "?draft=", "?draft=x"):
            self.browser.open(f"{CENTER}/import2{query}")
            self.assertEqual(self.browser.url, f"{CENTER}/import1")
            self.assertIn("choose the file again.", self.page)

    def test_a_file_that_is_gone_meanwhile_is_told_and_leads_to_the_beginning(self) -> None:
        self.go_to_step(4)
        address = self.browser.url
        (self.storage / "list.csv").unlink()
        self.press("perform")
        self.assertEqual(self.browser.url, f"{CENTER}/import1")
        self.assertIn("There is no file", self.page)
        self.browser.open(address)
        self.assertIn("choose the file again.", self.page)

    def test_names_that_lead_elsewhere_are_refused(self) -> None:
        for name in ("../x.csv", "/etc/passwd", ".hidden.csv", "finished/a.csv", ""):
            self.browser.open(f"{CENTER}/import1")
            form = self.browser.getForm(index=1)
            form.getControl(name="select")._control._value = name
            self.press("select")
            self.assertIn(self.status, (400, 404), name)
            self.assertIn('class="alert alert-danger"', self.page)
