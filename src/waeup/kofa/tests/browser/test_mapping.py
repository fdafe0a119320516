"""Step 3 of an import, without its script: columns, constants, saved mappings."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import transaction

from waeup.kofa.tests.browser.test_importing import CENTER, ImportTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.importing.test_canonical import xlsx

EVIL = "<img src=x onerror=alert(1)>"
STUDENTS = (
    "Student ID,Firstnames,Last name,Gender,birth date,region\n"
    "A1,Ada,Ade,m,1999-05-17,North\n"
    "A2,Bola,Bello,femal,1999-05-18,\n"
    "A3,Chidi,Eze,femal,1999-05-19,South\n"
    "A4,Dayo,Musa,?,1999-05-20,East\n"
)


class MappingTestCase(ImportTestCase):
    """An officer at step 3 with a table of students."""

    def look(self, content: str = STUDENTS, mode: str = "create", name: str = "list.csv") -> None:
        """Store a table as the newest file, and map its columns."""
        for path in self.storage.glob("*.csv"):
            path.unlink()
        self.store(name, content)
        self.go_to_step(3, "studentprocessor", mode)

    def row(self, name: str) -> str:
        """Return what is shown of a column, or of the text of a choice."""
        found = re.search(
            rf'<th scope="row"[^>]*>{re.escape(name)}</th>(.*?)</tr>', self.page, re.S
        )
        assert found is not None, name
        return found[1]

    def choose(self, column: int, field: str) -> None:
        """Choose the field of a column, which is counted from 1."""
        self.browser.getControl(name="headerfield", index=column - 1).value = [field]

    def chosen(self) -> list[str]:
        """Return the fields of all columns."""
        fields = self.browser.getForm(id="mapping-form")._form.submit_fields()
        return [value for name, value in fields if name == "headerfield"]

    def by_id(self, id: str) -> str:
        """Return the part of the page that begins with the element of that id."""
        _before, found, part = self.page.partition(f'id="{id}"')
        assert found, id
        return part.partition("</section>")[0]

    def set(self, id: str, value: str) -> None:
        """Choose or type a value."""
        fields = self.browser.getForm(id="mapping-form")._form.fields.values()
        next(each for named in fields for each in named if each.id == id).value = value

    @property
    def summary(self) -> str:
        """What the page says first about what is wrong."""
        return self.page.partition('<div class="alert alert-warning"')[2].partition("</div>")[0]

    def draft(self) -> Any:
        """Return the only draft."""
        (id,) = self.drafts()
        return self.site["datacenter"].ledger.draft(id)


class ColumnsTest(MappingTestCase):
    """What is proposed for columns, and why."""

    def test_each_column_says_what_is_proposed_and_how_certain_that_is(self) -> None:
        self.look()
        for column, field, sure, why in (
            ("Student ID", "student_id", "Sure", "but for case, blanks and hyphens."),
            ("Firstnames", "firstname", "Likely", "They are nearly the same."),
            ("Gender", "sex", "Likely", "The field has this title."),
            ("birth date", "date_of_birth", "A guess", "They are nearly the same."),
        ):
            row = self.row(column)
            self.assertIn(f'<option value="{field}" selected="selected">', row)
            self.assertRegex(row, rf'<span class="badge [^"]*">{sure}</span>')
            self.assertIn(why, row)
        row = self.row("region")
        self.assertNotIn("selected", row)
        self.assertIn(">Left out</span>", row)
        self.assertIn("No field has such a name.", row)

    def test_a_column_shows_its_first_cells_and_its_field_in_words(self) -> None:
        self.look()
        row = self.row("Student ID")
        for cell in ("A1", "A2", "A3"):
            self.assertIn(f"<li>{cell}</li>", row)
        self.assertIn("Text in one line. Up to 32 letters, digits, _ and -.", row)
        self.assertIn("Date. For example: 2012-04-30", self.row("birth date"))
        self.assertIn("Gender (sex) *</option>", row)

    def test_guesses_are_listed_to_be_looked_at(self) -> None:
        self.look()
        self.assertIn("Guesses to look at: 1", self.page)
        self.assertIn('<a href="#field-5">birth date → date_of_birth</a>', self.page)

    def test_long_cells_are_cut(self) -> None:
        self.look(f"student_id,firstname,lastname,sex,x\nA1,{'y' * 200},B,m,\n")
        self.assertIn(f"<li>{'y' * 80}…</li>", self.row("firstname"))
        self.assertNotIn("y" * 81, self.page)

    def test_what_a_person_has_chosen_is_called_so(self) -> None:
        self.look()
        self.choose(6, "nationality")
        self.choose(5, "--IGNORE--")
        self.press("update")
        self.assertIn(">Chosen</span>", self.row("region"))
        self.assertIn(">Left out</span>", self.row("birth date"))
        self.assertEqual(self.chosen()[4:], ["--IGNORE--", "nationality"])

    def test_what_was_chosen_is_proposed_the_next_time(self) -> None:
        table = STUDENTS.replace("femal", "f").replace("?", "f")
        self.look(table)
        self.choose(6, "nationality")
        self.choose(5, "--IGNORE--")
        self.press("proceed")
        self.perform()
        self.look(table.replace("A", "B"))
        self.assertIn("So it was in the last import.", self.row("region"))
        self.assertIn(">Sure</span>", self.row("region"))
        self.assertIn(">Left out</span>", self.row("birth date"))
        self.assertIn("So it was in the last import.", self.row("birth date"))

    def test_cells_of_a_password_are_not_shown(self) -> None:
        self.look("student_id,firstname,lastname,sex,x\nA1,Ada,Ade,m,s3cret\n")
        self.assertIn("s3cret", self.page)
        self.choose(5, "password")
        self.press("update")
        self.assertNotIn("s3cret", self.page)
        self.assertIn("<li>***</li>", self.row("x"))


class FillingTest(MappingTestCase):
    """What must be filled, and how that is done."""

    TABLE = "id,name,who\nA1,Ada,Ade\n"

    def look(self, content: str = TABLE, mode: str = "create", name: str = "list.csv") -> None:
        """See `MappingTestCase`."""
        super().look(content, mode, name)

    def test_what_is_missing_stands_first_and_leads_to_its_place(self) -> None:
        self.look()
        self.assertIn('<a href="#missing">Not filled yet: firstname, lastname, sex.', self.summary)
        part = self.by_id("missing")
        for title in ("First Name (firstname) *", "Last Name (Surname) (lastname) *"):
            self.assertIn(f"<legend>{title}</legend>", part)
        self.assertIn("One of the allowed values.", part)
        self.assertLess(self.page.index('id="missing"'), self.page.index('id="columns"'))

    def test_a_field_is_filled_by_a_column_or_by_one_text(self) -> None:
        self.look()
        self.choose(1, "student_id")
        self.set("missing-column-firstname", "1")
        self.set("missing-column-lastname", "2")
        self.set("constant-sex", "f")
        self.press("update")
        self.assertIn("Header fields OK", self.page)
        self.assertNotIn('id="missing"', self.page)
        self.assertEqual(self.chosen(), ["student_id", "firstname", "lastname"])
        self.assertEqual(self.draft().constants, (("sex", "f"),))
        self.press("proceed")
        self.perform()
        self.assertEqual(self.site["students"]["A1"].sex, "f")
        self.assertEqual(self.site["students"]["A1"].lastname, "Ade")

    def test_a_constant_of_a_choice_offers_its_values(self) -> None:
        self.look()
        part = self.by_id("constant-sex").partition("</select>")[0]
        self.assertIn('<option value="f">f (female)</option>', part)

    def test_a_column_and_a_text_at_once_are_refused(self) -> None:
        self.look()
        self.set("missing-column-firstname", "1")
        self.set("constant-firstname", "Ada")
        self.press("update")
        self.assertIn("firstname is filled by this column and by a text", self.row("name"))
        self.assertIn('<a href="#field-2">Double headers', self.summary)

    def test_constants_are_added_and_removed(self) -> None:
        self.look()
        fields = self.constants()
        at = len(fields) - 1
        self.browser.getControl(name="constantfield", index=at).value = ["nationality"]
        self.browser.getControl(name="constant", index=at).value = "Nigeria"
        self.press("update")
        self.assertIn("Nationality (nationality)</label>", self.page)
        self.assertEqual(self.draft().constants, (("nationality", "Nigeria"),))
        self.set("constant-firstname", "Ada")
        self.press("update")
        self.assertEqual(
            self.draft().constants, (("firstname", "Ada"), ("nationality", "Nigeria"))
        )
        self.press("remove_constant", 0)
        self.assertEqual(self.draft().constants, (("nationality", "Nigeria"),))
        self.press("remove_constant")
        self.assertEqual(self.draft().constants, ())
        self.assertIn("firstname", self.summary)

    def test_passwords_are_no_constants(self) -> None:
        self.look()
        part = self.by_id("constants")
        self.assertIn('<option value="nationality">', part)
        self.assertNotIn('<option value="password">', part)

    def test_positions_that_do_not_exist_are_passed_over(self) -> None:
        self.look()
        form = self.browser.getForm(id="mapping-form")._form
        for text in ("99", "-1", "x", "9" * 50):
            fields = [
                (name, value)
                for name, value in form.submit_fields()
                if name not in ("missingcolumn", "remove_constant")
            ]
            sent = [*fields, ("missingcolumn", text), ("remove_constant", text)]
            self.browser.post(self.browser.url, urlencode(sent))
            self.assertIn(self.status, (200, 302))
            self.assertEqual(self.chosen(), ["--IGNORE--"] * 3)


class DoubleTest(MappingTestCase):
    """The same field twice."""

    def test_both_columns_say_it_and_the_summary_leads_there(self) -> None:
        self.look()
        self.choose(6, "sex")
        self.press("update")
        self.assertIn(
            '<a href="#field-4">Double headers: filled more than once: sex.', self.summary
        )
        for column, other in (("Gender", "region"), ("region", "Gender")):
            row = self.row(column)
            self.assertIn(f"sex is filled by this column and by: {other}.", row)
            self.assertIn('aria-invalid="true"', row)
        self.assertRegex(self.row("region"), 'aria-describedby="error-6 about-6 why-6"')
        self.press("proceed")
        self.assertEqual(self.status, 400)
        self.assertIn("import3", self.browser.url)


class SavedTest(MappingTestCase):
    """Mappings with a name."""

    def save(self, name: str) -> None:
        """Save the mapping of the page."""
        self.browser.getControl(name="mapping_name").value = name
        self.press("save_mapping")

    def saved(self) -> list[str]:
        """Return the names of the saved mappings."""
        transaction.begin()
        found = self.site["datacenter"].ledger.mappings.saved("studentprocessor")
        return [saved.name for saved in found]

    def test_a_mapping_is_saved_and_used_for_a_table_of_another_order(self) -> None:
        self.look(STUDENTS.replace("region", "Land"))
        self.choose(6, "nationality")
        self.set("value-1-2", "m")
        self.save(" Admissions ")
        self.assertIn("The mapping is saved as “Admissions”.", self.page)
        self.assertEqual(self.saved(), ["Admissions"])
        self.assertEqual(self.draft().values[0][0], "sex")
        self.look("Land,gender,STUDENT ID,Other\nNigeria,?,A9,x\n", "upsert")
        self.assertRegex(self.page, r">Admissions \(officer, \d+ \w+ \d{4}, [\d:]+\)</option>")
        self.browser.getControl(name="mapping").value = ["Admissions"]
        self.press("use_mapping")
        self.assertIn("The mapping “Admissions” is used.", self.page)
        self.assertIn(
            "The file does not have these columns of the mapping: Firstnames (firstname), "
            "Last name (lastname), birth date (date_of_birth).",
            self.page,
        )
        self.assertIn("they are left out: Other.", self.page)
        self.assertEqual(self.chosen(), ["nationality", "sex", "student_id", "--IGNORE--"])
        self.assertIn('<option value="m" selected="selected">', self.row("?"))

    def test_replacing_is_asked_for(self) -> None:
        self.look()
        self.save("A")
        self.choose(6, "nationality")
        self.save("A")
        self.assertEqual(self.status, 409)
        self.assertRegex(self.page, r"There is a mapping <b>A \(officer, [^<]+\)</b> already\.")
        self.assertEqual(self.chosen()[5], "nationality")
        saved = self.site["datacenter"].ledger.mappings.find
        transaction.begin()
        self.assertIsNone(dict(saved("studentprocessor", "A").columns)["region"])
        self.press("yes_replace")
        self.assertEqual(self.status, 200)
        transaction.begin()
        self.assertEqual(dict(saved("studentprocessor", "A").columns)["region"], "nationality")

    def test_another_name_needs_another_confirmation(self) -> None:
        self.look()
        self.save("A")
        self.save("B")
        self.save("A")
        self.browser.getControl(name="mapping_name").value = "B"
        self.press("yes_replace")
        self.assertEqual(self.status, 409)
        self.assertRegex(self.page, r"There is a mapping <b>B \(officer, [^<]+\)</b> already\.")

    def test_deleting_is_asked_for(self) -> None:
        self.look()
        self.save("A")
        self.choose(6, "nationality")
        self.browser.getControl(name="mapping").value = ["A"]
        self.press("drop_mapping")
        self.assertRegex(self.page, r"Delete the mapping <b>A \(officer, [^<]+\)</b>\?")
        self.assertEqual(self.saved(), ["A"])
        self.press("yes_drop")
        self.assertIn("The mapping “A” is deleted.", self.page)
        self.assertEqual(self.saved(), [])
        self.assertEqual(self.chosen()[5], "nationality")
        self.assertNotIn("Saved mappings", self.page)

    def test_what_cannot_be_done_is_told(self) -> None:
        self.look()
        self.save("")
        self.assertEqual(self.status, 400)
        self.assertIn("The name of a mapping has 1 to 80 characters", self.page)
        self.save("A")
        for button in ("use_mapping", "drop_mapping"):
            self.press(button)
            self.assertEqual(self.status, 400)
            self.assertIn("Choose a saved mapping first.", self.page)
        self.browser.getControl(name="mapping").value = ["A"]
        FunctionalLayer.getRootFolder()["app"]["datacenter"].ledger.mappings_to_change().drop(
            "studentprocessor", "A"
        )
        transaction.commit()
        self.press("use_mapping")
        self.assertEqual(self.status, 404)
        # There is another file now, or none: the draft of this one is still there.
        self.assertIn("There is no mapping", self.page)
        self.assertEqual(len(self.drafts()), 1)

    def test_enter_in_the_name_saves(self) -> None:
        self.look()
        self.browser.getControl(name="mapping_name").value = "A"
        self.press("keep")
        self.assertEqual(self.saved(), ["A"])

    def test_a_double_field_cannot_be_saved(self) -> None:
        self.look()
        self.choose(6, "sex")
        self.save("A")
        self.assertEqual(self.status, 400)
        self.assertIn("Double headers", self.page)
        self.assertEqual(self.browser.getControl(name="mapping_name").value, "A")
        self.assertEqual(self.saved(), [])


class HostileTest(MappingTestCase):
    """Everything that comes from outside is text."""

    def assertHarmless(self, times: int) -> None:
        """Fail if the evil text is an element, or is there less often than expected."""
        self.assertNotIn("<img", self.page)
        self.assertGreaterEqual(unescape(self.page).count(EVIL), times)

    def test_columns_cells_texts_constants_and_names(self) -> None:
        self.look(f"student_id,firstname,lastname,sex,{EVIL}\nA1,{EVIL},x,{EVIL},{EVIL}\n")
        self.assertHarmless(8)
        self.set("constant-new-text-1", EVIL)
        self.press("update")
        self.assertEqual(self.status, 400)
        self.assertHarmless(9)
        self.set("constant-new-field-1", "nationality")
        self.browser.getControl(name="mapping_name").value = EVIL
        self.press("save_mapping")
        self.assertHarmless(10)
        self.browser.getControl(name="mapping_name").value = EVIL
        self.press("save_mapping")
        self.assertHarmless(10)
        self.browser.getControl(name="mapping").value = [EVIL]
        self.press("drop_mapping")
        self.assertHarmless(10)
        self.choose(5, "lastname")
        self.press("update")
        self.assertHarmless(10)

    def test_sheets_and_first_lines(self) -> None:
        (self.storage / "list.csv").unlink()

        def fill(book: Any) -> None:
            for name in ("<i>one", "<i>two"):
                book.add_worksheet(name).write_column(0, 0, ("code", EVIL))

        (self.storage / "list.xlsx").write_bytes(xlsx(fill))
        self.go_to_step(2)
        self.assertHarmless(1)
        self.assertNotIn("<i>", self.page)
        self.assertIn("&lt;i&gt;two</option>", self.page)


class PartsTest(MappingTestCase):
    """What the script of the page gets."""

    def send(self, *more: tuple[str, str], **changed: str) -> None:
        """Send the form as the script does."""
        fields = self.browser.getForm(id="mapping-form")._form.submit_fields()
        sent = [(name, changed.get(name, value)) for name, value in fields]
        self.address = self.browser.url
        self.browser.post(self.address, urlencode([*sent, *more, ("part", "1"), ("keep", "1")]))

    def test_the_parts_that_change_come_and_the_mapping_is_kept(self) -> None:
        self.look()
        self.choose(6, "sex")
        self.send()
        self.assertEqual(self.status, 200)
        self.assertNotIn("<html", self.page)
        for id in ("map-state", "constants", "values"):
            self.assertEqual(self.page.count(f'id="{id}"'), 1)
        self.assertIn('data-told="Double headers: filled more than once: sex."', self.page)
        self.assertEqual(self.draft().columns[5], "sex")

    def test_a_constant_that_is_not_complete_is_not_kept_and_not_lost(self) -> None:
        self.look()
        self.set("constant-new-text-1", "Nigeria")
        self.send()
        self.assertIn('value="Nigeria"', self.page)
        self.assertEqual(self.draft().constants, ())
        self.browser.open(self.address)
        self.set("constant-new-field-1", "nationality")
        self.send()
        self.assertIn('id="constant-nationality"', self.page)
        self.assertEqual(self.draft().constants, ())

    def test_a_name_does_not_save_a_mapping_while_it_is_typed(self) -> None:
        self.look()
        self.browser.getControl(name="mapping_name").value = "Adm"
        self.send()
        mappings = self.site["datacenter"].ledger.mappings
        transaction.begin()
        self.assertEqual(mappings.saved("studentprocessor"), [])

    def test_a_form_out_of_date_is_told(self) -> None:
        self.look()
        self.send(form_token="wrong")
        self.assertEqual(self.status, 403)
        self.assertIn("This form was out of date", self.page)
        self.assertIsNone(self.draft().columns)

    def test_a_draft_that_is_gone_leads_away(self) -> None:
        self.look()
        self.site["datacenter"].ledger.drop_draft(self.draft().id)
        transaction.commit()
        self.send()
        self.assertEqual(self.browser.url, f"{CENTER}/import1")

    def test_a_table_that_is_read_again_comes_without_the_page(self) -> None:
        self.store("list.csv", "code;title\nA1;Arts\nB2;Law\nC3;Medicine\nD4;Dance\nE5\n")
        self.go_to_step(2)
        address = self.browser.url
        fields = dict(self.browser.getForm(id="reading-form")._form.submit_fields())
        for said, status, words in (
            ({"header_line": "99"}, 400, 'data-wrong="header_line"'),
            ({"header_line": "x"}, 400, "is no number of a line"),
            ({"quote": "single"}, 200, "Read again: 2 columns, 5 rows, 1 of them with problems."),
        ):
            sent = {**fields, **said, "read": "1", "part": "1"}
            self.browser.post(address, urlencode(sent))
            self.assertEqual(self.status, status, self.page)
            self.assertNotIn("<html", self.page)
            self.assertIn(words, self.page)
        self.assertEqual(self.draft().reading, {"quote": "'"})

    def test_what_is_wrong_stands_beside_its_field_without_the_script_too(self) -> None:
        self.go_to_step(2)
        self.browser.getControl(name="header_line").value = "x"
        self.press("read")
        self.assertRegex(self.page, r'id="error-header_line">.x. is no number of a line')
        self.assertIn('aria-describedby="error-header_line"', self.page)


class LargeTest(MappingTestCase):
    """A table of 300 columns."""

    def test_all_columns_are_shown_and_kept(self) -> None:
        header = ["student_id", "first name", "Last name", "gender"]
        header += [f"Column number {number} of many" for number in range(296)]
        rows = (
            [f"A{number}", "Ada", "Ade", ("m", "w", f"?{number}")[number % 3], *["cell"] * 296]
            for number in range(300)
        )
        self.look("\n".join(map(",".join, [header, *rows])) + "\n")
        self.assertIn('id="map-tools"', self.page)
        self.assertEqual(len(self.chosen()), 300)
        form = self.browser.getForm(id="mapping-form")._form.submit_fields()
        sent, address = urlencode([*form, ("keep", "1"), ("part", "1")]), self.browser.url
        for open_page in (
            lambda: self.browser.open(address),
            lambda: self.browser.post(address, sent),
        ):
            open_page()
            self.assertEqual(self.status, 200)
