"""The four steps of an import, forwards, backwards and beside the way."""

from urllib.parse import urlencode

from waeup.kofa.tests.functional import FunctionalTestCase

CENTER = "http://localhost/app/datacenter"
FACULTIES = "Code,title,remark\nSCI,Sciences,x\nART,Arts,y\nSCI,Science,z\n"
STUDENTS = "id,gender,region\n11391,M,Scotland\n28400,F,Wales\n"


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
        self, step: int, processor: str = "facultyprocessor", mode: str = "create"
    ) -> None:
        """Choose the first file and go on."""
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        if step > 2:
            self.browser.getControl(name="importer").value = [processor]
            self.browser.getControl(name="mode").value = [mode]
            self.press("proceed")
        if step > 3:
            self.press("proceed")
        self.assertIn(f"import{step}?draft=", self.browser.url)

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
            found.append(control.value[0])


class WalkTest(ImportTestCase):
    """From the list of files to the result."""

    def test_a_file_with_a_bad_row_ends_in_two_files(self) -> None:
        self.go_to_step(4)
        self.assertIn("Ignored columns:", self.page)
        self.press("perform")
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
        self.go_to_step(4)
        self.press("perform")
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertNotIn("failed.", self.page)
        self.assertNotIn("pending.csv", self.page)
        self.browser.getLink("Back to Data Center").click()
        self.assertIn("No files are waiting.", self.page)

    def test_a_mended_pending_file_keeps_its_mode(self) -> None:
        self.go_to_step(4)
        self.press("perform")
        self.store("list.create.pending.csv", "code,title,--ERRORS--\nMED,Medicine,x\n")
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.assertEqual(self.browser.getControl(name="mode").value, ["create"])
        modes = self.browser.getControl(name="mode")
        self.assertTrue(modes.getControl(value="remove").disabled)
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.press("perform")
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertIn("MED", self.site["faculties"])

    def test_constants_fill_what_the_file_does_not_have(self) -> None:
        self.store("list.csv", STUDENTS)
        self.go_to_step(3, "studentprocessor")
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
        self.press("perform")
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.assertEqual(self.site["students"]["11391"].lastname, "Some lastname")

    def test_reloading_the_result_does_not_import_again(self) -> None:
        self.go_to_step(4)
        sent = urlencode(
            {
                "form_token": self.browser.getControl(name="form_token", index=1).value,
                "draft": self.browser.getControl(name="draft").value,
                "perform": "1",
            }
        )
        self.browser.post(f"{CENTER}/import4", sent)
        self.assertIn("Successfully processed 2 rows.", self.page)
        self.browser.post(f"{CENTER}/import4", sent)
        self.assertEqual(self.status, 404)
        self.assertIn("This import is not prepared any more", self.page)
        self.assertEqual(len(self.site["faculties"]), 2)


class StepsTest(ImportTestCase):
    """What each step refuses, keeps, and leads to."""

    def test_without_files_step_1_says_what_to_do(self) -> None:
        (self.storage / "list.csv").unlink()
        self.browser.open(f"{CENTER}/import1")
        self.assertIn("No files are waiting. Upload a CSV file first.", self.page)

    def test_a_file_that_is_no_table_is_refused_in_step_1(self) -> None:
        self.store("list.csv", "")
        self.browser.open(f"{CENTER}/import1")
        self.press("select", 0)
        self.assertEqual(self.status, 400)
        self.assertIn("<caption>Which file is to be imported?</caption>", self.page)
        self.assertEqual(list(self.site["datacenter"].ledger._drafts), [])

    def test_step_2_shows_the_first_rows(self) -> None:
        self.go_to_step(2)
        for text in ("remark", "Sciences", "Arts"):
            self.assertIn(f">{text}</t", self.page)

    def test_step_2_wants_a_processor(self) -> None:
        self.go_to_step(2)
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertIn("Choose a processor", self.page)

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
        self.assertIn("Need at least columns", self.page)
        self.assertEqual(
            self.browser.getControl(name="headerfield", index=0).value, ["--IGNORE--"]
        )
        self.assertIn("code", self.constants())

    def test_a_field_that_is_filled_twice_keeps_the_officer_in_step_3(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, remark="title")
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertIn("Double headers", self.page)
        self.assertEqual(self.browser.getControl(name="headerfield", index=2).value, ["title"])

    def test_reset_goes_back_to_the_proposal(self) -> None:
        self.go_to_step(3)
        self.map(FACULTIES, Code="--IGNORE--")
        self.press("update")
        self.assertIn("Need at least columns", self.page)
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
        self.assertEqual(list(self.site["datacenter"].ledger._drafts), [])

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
            self.assertEqual(self.status, 404)
            self.assertIn("Choose the file again.", self.page)

    def test_a_file_that_is_gone_meanwhile_is_told(self) -> None:
        self.go_to_step(4)
        (self.storage / "list.csv").unlink()
        self.press("perform")
        self.assertEqual(self.status, 404)
        self.assertIn("There is no file", self.page)

    def test_names_that_lead_elsewhere_are_refused(self) -> None:
        for name in ("../x.csv", "/etc/passwd", ".hidden.csv", "finished/a.csv", ""):
            self.browser.open(f"{CENTER}/import1")
            form = self.browser.getForm(index=1)
            form.getControl(name="select")._control._value = name
            self.press("select")
            self.assertIn(self.status, (400, 404), name)
            self.assertIn('class="alert alert-danger"', self.page)
