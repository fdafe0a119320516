"""How a file is read: what step 2 of an import shows, and what an officer says otherwise."""

from waeup.kofa.tests.browser.test_importing import CENTER, ImportTestCase
from waeup.kofa.tests.importing.test_canonical import workbook

DAMAGED = 'List of 2026;;\n\ncode;title;x\nA1;Arts;y\nB2;Law\nC3;"Med" i;y\nD4;<b>Dance</b>;y\n'
UNCLEAR = "code,title,x\nA1,Arts\nB2,Law\nC3,Medicine\n"


class ReadingTestCase(ImportTestCase):
    """An officer at step 2."""

    def look(self, content: str | bytes, name: str = "list.csv") -> None:
        """Store a file in place of the first one, and choose it."""
        (self.storage / "list.csv").unlink()
        (self.storage / name).write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        self.go_to_step(2)

    def read(self, **said: str) -> None:
        """Say how the file is to be read."""
        for name, value in said.items():
            control = self.browser.getControl(name=name)
            control.value = value if name == "header_line" else [value]
        self.press("read")


class ShownTest(ReadingTestCase):
    """What is shown of a file."""

    def test_all_that_was_found_is_told(self) -> None:
        self.look(DAMAGED)
        for text in (
            "<dd>utf-8</dd>",
            "<dd>semicolon</dd>",
            "<dd>line 3</dd>",
            "<span>List of 2026</span>",
            "Rows with a problem: <b>2</b> of 4",
            "Too few cells",
            "Damaged row (line 5): 2 cells instead of 3",
            "B2;Law</code>",
            "Text after quote",
            "&lt;b&gt;Dance&lt;/b&gt;",
        ):
            self.assertIn(text, self.page)
        self.assertNotIn("<details open", self.page)

    def test_a_sound_file_is_called_sound(self) -> None:
        self.look("code,title\nA1,Arts\n")
        self.assertIn("All rows are sound.", self.page)
        self.assertNotIn("What is wrong", self.page)

    def test_a_guess_is_told_and_the_form_is_open(self) -> None:
        self.look("code,title\nA1,\u0421\u0438\u0431\u044c\n".encode("cp1251"))
        self.assertIn("is a guess. Look at the names below.", self.page)
        self.assertIn('<details class="card" open', self.page)
        self.read(encoding="cp1251")
        self.assertIn("\u0421\u0438\u0431\u044c", self.page)
        self.assertIn("All rows are sound.", self.page)
        self.assertNotIn("is a guess", self.page)

    def test_passwords_are_not_shown(self) -> None:
        browser = self.log_in("waeup.PortalManager", name="manager")
        (self.storage / "list.csv").write_bytes(
            b"name,title,password\nx,X,s3cret\ny,s4cret\nz,Z,s5cret\n"
        )
        browser.open(f"{CENTER}/import1")
        browser.getControl(name="select").click()
        self.assertIn("***", browser.contents)
        self.assertNotIn("cret", browser.contents)


class SaidTest(ReadingTestCase):
    """What an officer says is what is imported."""

    def test_what_is_said_goes_through_all_steps(self) -> None:
        self.look("junk;x\ncode;title\nA1;'k\xf6ln;1'\n".encode("cp1252"))
        self.read(encoding="cp1252", delimiter="semicolon", quote="single", header_line="2")
        self.assertEqual(self.status, 200)
        for name, value in (
            ("encoding", ["cp1252"]),
            ("delimiter", ["semicolon"]),
            ("quote", ["single"]),
            ("header_line", "2"),
        ):
            self.assertEqual(self.browser.getControl(name=name).value, value)
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.assertIn("k\xf6ln;1", self.page)
        self.press("proceed")
        self.perform()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertEqual(self.site["faculties"]["A1"].title, "k\xf6ln;1")

    def test_another_reading_needs_another_mapping(self) -> None:
        self.look("code,title\nA1,Arts\nB2,Law\n")
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.press("back3")
        self.press("back2")
        self.read(header_line="2")
        self.assertEqual(self.browser.getControl(name="importer").value, ["facultyprocessor"])
        (id,) = self.drafts()
        self.assertIsNone(self.site["datacenter"].ledger.draft(id).columns)
        self.press("proceed")
        self.assertIn("Arts", self.page)
        self.assertIn("Not filled yet", self.page)

    def test_a_file_that_is_not_clear_is_made_clear(self) -> None:
        self.look(UNCLEAR)
        self.assertIn("does not fit its rows", self.page)
        self.assertIn("<code>C3,Medicine</code>", self.page)
        self.assertIn('<details class="card" open', self.page)
        self.assertNotIn("Proceed to step 3", self.page)
        self.read(header_line="1")
        self.assertIn("Rows with a problem: <b>3</b> of 3", self.page)
        self.assertIn("Proceed to step 3", self.page)

    def test_later_steps_of_a_file_that_is_not_clear_lead_to_step_2(self) -> None:
        self.look("code,title\nA1,Arts\n")
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        address = self.browser.url
        self.store("list.csv", UNCLEAR)
        self.browser.open(address)
        self.assertIn("/import2?draft=", self.browser.url)
        self.assertIn("does not fit its rows", self.page)

    def test_what_cannot_be_meant_is_told_and_kept_in_the_form(self) -> None:
        self.look("code,title\nA1,Arts\n")
        for said, message in (
            ({"header_line": "first"}, "is no number of a line"),
            ({"header_line": "99"}, "cannot be its header"),
        ):
            self.read(**said)
            self.assertEqual(self.status, 400)
            self.assertIn(message, self.page)
            self.assertEqual(self.browser.getControl(name="header_line").value, *said.values())
            (id,) = self.drafts()
            self.assertEqual(self.site["datacenter"].ledger.draft(id).reading, {})

    def test_nothing_is_said_by_a_link(self) -> None:
        self.look("code,title\nA1,Arts\n")
        self.browser.open(f"{self.browser.url}&read=1&header_line=2")
        self.assertEqual(self.status, 405)
        (id,) = self.drafts()
        self.assertEqual(self.site["datacenter"].ledger.draft(id).reading, {})

    def test_a_sheet_is_chosen(self) -> None:
        self.look(workbook(), "list.xlsx")
        self.assertIn("<dd>Main</dd>", self.page)
        self.assertIn('<details class="card" open=', self.page)
        self.assertNotIn('name="delimiter"', self.page)
        self.assertEqual(
            self.browser.getControl(name="sheet").options, ["", "Notes", "Main", "More"]
        )
        self.read(sheet="More")
        self.assertIn("Law; and order", self.page)
        self.browser.getControl(name="importer").value = ["facultyprocessor"]
        self.press("proceed")
        self.press("proceed")
        self.perform()
        self.assertIn("Successfully processed 1 rows.", self.page)
        self.assertEqual(sorted(self.site["faculties"]), ["B2"])

    def test_a_workbook_without_that_sheet_leaves_the_choice(self) -> None:
        self.look(workbook(), "list.xlsx")
        self.read(sheet="Notes")
        self.assertEqual(self.status, 400)
        self.assertIn("Read again", self.page)
