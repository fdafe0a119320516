"""What only a real browser shows of steps 2 and 3: a page that follows what is changed."""

from typing import Any
from unittest import mock

import transaction
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.axe import violations
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.browser.test_mapping import EVIL, STUDENTS
from waeup.kofa.tests.importing.test_canonical import workbook

WIDTHS = (390, 1200)


class StepTestCase(ChromiumTestCase):
    """An officer at step 2 or 3; the page must not be left."""

    def go_to_step(
        self, content: str, step: int = 3, name: str = "list.csv", mode: str = "create"
    ) -> None:
        """Store a table, and show a step of its import."""
        self.store(name, content)
        self.show_step(step, "studentprocessor", mode=mode)
        self.window.execute_script("window.isTheSame = true")

    def is_same_page(self) -> bool:
        """Tell whether the page was not loaded again."""
        return bool(self.window.execute_script("return window.isTheSame === true"))

    def choose(self, id: str, value: str) -> WebElement:
        """Choose an option; returns the list."""
        found = self.find(f"#{id}")
        # The script may leave the page for what was chosen.
        Select(found).select_by_value(value)
        return found

    def wait_until(self, id: str, words: str) -> None:
        """Wait until an element has some words, seen or only heard."""
        WebDriverWait(self.window, timeout=30).until(
            lambda window: (
                words
                in str(
                    window.execute_script(
                        "const place = document.getElementById(arguments[0]);"
                        "return place ? place.textContent : ''",
                        id,
                    )
                )
            )
        )

    def focused(self) -> str:
        """Return the id of what has the focus."""
        return str(self.window.execute_script("return document.activeElement.id"))

    def wait_for_focus(self, id: str) -> None:
        """Wait until the element with that id has the focus."""
        WebDriverWait(self.window, timeout=30).until(lambda window: self.focused() == id)

    def kept(self) -> Any:
        """Return the only draft as it is kept."""
        transaction.begin()
        ledger = self.site["datacenter"].ledger
        (draft,) = [draft for draft in ledger._drafts.values() if draft is not None]
        return draft

    def look_at_all_widths(self) -> None:
        """Fail if something is wider than the screen, or bars anybody."""
        for width in WIDTHS:
            self.window.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
            )
            self.assertLessEqual(self.width(), width)
            self.assertEqual(violations(self.window), [])
        self.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


class ReadingTest(StepTestCase):
    """Step 2 reads the table again when something is said about it."""

    TABLE = "code;title\nA1;K\u00f6ln\nB2;Law, and order\nC3\n"

    def test_what_is_said_is_read_at_once_and_the_focus_stays(self) -> None:
        self.go_to_step(self.TABLE, step=2)
        self.assertFalse(self.find("button[name=read]").is_displayed())
        self.find("summary").click()
        self.choose("encoding", "cp1252").send_keys(Keys.TAB, Keys.SHIFT, Keys.TAB)
        self.wait_until("reading-said", "Read again: 2 columns, 3 rows, 2 of them with problems.")
        self.assertIn("K\u00c3\u00b6ln", self.find("#found-part").text)
        self.assertEqual(self.focused(), "encoding")
        self.choose("encoding", "")
        self.wait_until("found-part", "K\u00f6ln")
        self.look_at_all_widths()
        self.assertTrue(self.is_same_page())
        self.assertEqual(self.kept().reading, {})
        self.assertEqual(self.complaints(), [])

    def test_a_line_is_typed(self) -> None:
        self.go_to_step(self.TABLE, step=2)
        self.find("summary").click()
        line = self.find("#header_line")
        line.send_keys("2")
        self.wait_until("reading-said", "Read again: 2 columns, 2 rows")
        self.assertEqual(self.focused(), "header_line")
        line.send_keys("9")
        self.wait_until("reading-refused", "cannot be its header")
        self.assertEqual(line.get_attribute("aria-invalid"), "true")
        self.assertEqual(line.get_attribute("aria-describedby"), "reading-refused")
        self.look_at_all_widths()
        line.send_keys(Keys.BACKSPACE, Keys.BACKSPACE, "1", Keys.ENTER)
        self.wait_until("reading-said", "Read again: 2 columns, 3 rows")
        self.assertFalse(self.find("#reading-refused").is_displayed())
        self.assertIsNone(line.get_attribute("aria-invalid"))
        self.assertTrue(self.is_same_page())

    def test_the_last_of_many_changes_counts(self) -> None:
        self.go_to_step(self.TABLE, step=2)
        self.find("summary").click()
        for encoding in ("cp1252", "iso8859-15", "cp850", "cp437", ""):
            self.choose("encoding", encoding)
        self.wait_until("reading-said", "Read again")
        WebDriverWait(self.window, timeout=30).until(lambda window: "utf-8" in self.text)
        self.assertEqual(self.kept().reading, {})

    def test_a_file_that_can_be_read_at_last_can_be_imported(self) -> None:
        self.go_to_step("code,title,x\nA1,Arts\nB2,Law\nC3,Medicine\n", step=2)
        self.assertNotIn("Proceed to step 3", self.text)
        self.find("#header_line").send_keys("1")
        self.wait_for("Proceed to step 3")
        self.assertIn("Rows with a problem: 3 of 3", self.text)

    def test_another_sheet(self) -> None:
        self.enter()
        (self.storage / "list.xlsx").write_bytes(workbook())
        self.window.refresh()
        self.press("select")
        self.choose("sheet", "More")
        self.wait_until("found-part", "Law; and order")

    def test_who_goes_on_at_once_takes_the_last_change_along(self) -> None:
        self.go_to_step(self.TABLE, step=2)
        Select(self.find("#importer")).select_by_value("facultyprocessor")
        self.find("summary").click()
        page = self.find("html")
        self.window.execute_script(
            "const choice = document.getElementById('encoding'); choice.value = 'cp1252';"
            "choice.dispatchEvent(new Event('change', { bubbles: true }));"
            "document.querySelector('button[name=proceed]').click();"
        )
        WebDriverWait(self.window, timeout=30).until(lambda window: self.find("html") != page)
        self.wait_for("Map the columns")
        self.assertIn("K\u00c3\u00b6ln", self.text)
        self.assertEqual(self.kept().reading, {"encoding": "cp1252"})

    def test_a_portal_that_does_not_answer_leaves_the_button(self) -> None:
        self.go_to_step(self.TABLE, step=2)
        self.find("summary").click()
        failing = mock.patch.object(Operations, "preview", side_effect=ZeroDivisionError)
        with failing, self.assertLogs("SiteError", "ERROR"):
            self.choose("encoding", "cp1252")
            self.wait_until("reading-refused", "The portal does not answer.")
        self.press("read")
        self.assertIn("K\u00c3\u00b6ln", self.text)


class MappingTest(StepTestCase):
    """Step 3 keeps what is changed, and tells what is wrong at once."""

    def test_the_same_field_twice_is_told_at_once(self) -> None:
        self.go_to_step(STUDENTS)
        failing = mock.patch.object(Operations, "save_draft", side_effect=ZeroDivisionError)
        with failing, self.assertLogs("SiteError", "ERROR"):
            # No answer of the portal is needed.
            self.choose("field-6", "sex")
            said = "sex is filled by this column and by: Gender."
            self.assertIn(said, self.find("#error-6").text)
            self.assertIn(said, self.find("#map-said").get_attribute("textContent") or "")
            self.assertIn("and by: region.", self.find("#error-4").text)
            self.assertEqual(self.find("#field-4").get_attribute("aria-invalid"), "true")
            self.assertEqual(self.find("#why-6").text, "Chosen")
            self.assertEqual(self.find("#about-6").text, "One of the allowed values.")
            self.wait_until("map-refused", "The portal does not answer.")
        self.choose("field-6", "--IGNORE--")
        self.assertEqual(self.window.find_elements(By.CSS_SELECTOR, ".wrong"), [])
        self.assertIsNone(self.find("#field-4").get_attribute("aria-invalid"))
        self.assertIn("Left out", self.find("#why-6").text)
        self.wait_until("map-said", "Kept. All that must be filled is filled.")
        self.assertFalse(self.find("#map-refused").is_displayed())
        self.assertTrue(self.is_same_page())

    def test_what_is_missing_is_filled_in_its_place(self) -> None:
        self.go_to_step("id,name,who,what\nA1,Ada,Ade,x\n")
        self.look_at_all_widths()
        self.choose("missing-column-firstname", "1")
        self.wait_until("map-state", "Not filled yet: lastname, sex.")
        self.assertEqual(
            Select(self.find("#field-2")).first_selected_option.text[:10], "First Name"
        )
        self.find("#constant-lastname").send_keys("Ade", Keys.TAB)
        self.wait_until("map-state", "Not filled yet: sex.")
        self.assertEqual(self.focused(), "missing-column-sex")
        self.choose("constant-sex", "f")
        self.wait_for_focus("map-state")
        self.assertIn("Need at least columns student_id", self.find("#map-state").text)
        self.choose("field-1", "student_id")
        self.wait_until("map-state", "Header fields OK")
        draft = self.kept()
        self.assertEqual(draft.columns, ("student_id", "firstname", None, None))
        self.assertEqual(draft.constants, (("sex", "f"), ("lastname", "Ade")))
        self.look_at_all_widths()
        self.window.refresh()
        self.assertIn("Header fields OK", self.text)
        self.assertEqual(self.complaints(), [])

    def test_constants_are_added_and_removed(self) -> None:
        self.go_to_step(STUDENTS)
        self.choose("constant-new-field-1", "nationality")
        self.wait_for_focus("constant-nationality")
        self.find("#constant-nationality").send_keys("Nigeria")
        # As the portal has written it.
        WebDriverWait(self.window, timeout=30).until(
            lambda window: window.find_elements(By.CSS_SELECTOR, "input[value=Nigeria]")
        )
        self.assertEqual(self.kept().constants, (("nationality", "Nigeria"),))
        self.press("remove_constant")
        self.assertNotIn("Nigeria", self.text)
        self.assertEqual(self.kept().constants, ())

    def test_texts_of_choices_are_said_by_keyboard(self) -> None:
        self.go_to_step(STUDENTS)
        self.find("#value-1-2").send_keys("m")
        self.wait_until("why-value-1-2", "Chosen")
        self.assertEqual(self.focused(), "value-1-2")
        self.look_at_all_widths()
        values = self.kept().values
        self.assertEqual(values, (("sex", (("?", "m"), ("femal", "f"))),))
        # Another field has other texts, or none.
        self.choose("field-4", "nationality")
        self.wait_until("map-state", "Not filled yet: sex.")
        self.assertEqual(self.find("#values").text, "")
        self.choose("missing-column-sex", "3")
        self.wait_until("values", "femal")
        self.press("proceed")
        self.assertIn("/import4", self.window.current_url)

    def test_links_lead_to_what_is_wrong(self) -> None:
        self.go_to_step(STUDENTS.replace("Gender", "what"), mode="create")
        self.find("a[href='#missing']").click()
        self.assertEqual(self.focused(), "missing-column-sex")
        self.find(".map-guesses summary").click()
        self.find("a[href='#field-5']").click()
        self.assertEqual(self.focused(), "field-5")

    def test_a_name_is_saved_by_enter(self) -> None:
        self.go_to_step(STUDENTS)
        self.leave_by_key("mapping_name", "Admissions", Keys.ENTER)
        self.assertIn("The mapping is saved as \u201cAdmissions\u201d.", self.text)
        self.choose("mapping", "Admissions")
        self.press("drop_mapping")
        self.assertIn("Delete the mapping Admissions (officer, ", self.text)
        self.look_at_all_widths()
        self.press("yes_drop")
        self.assertIn("The mapping \u201cAdmissions\u201d is deleted.", self.text)

    def test_hostile_names_stay_text(self) -> None:
        self.go_to_step(f"student_id,firstname,lastname,sex,{EVIL}\nA1,x,x,{EVIL},{EVIL}\n")
        self.choose("field-5", "sex")
        self.wait_until("map-state", "Double headers")
        self.choose("field-5", "nationality")
        self.wait_until("map-said", "Kept.")
        self.assertEqual(self.window.find_elements(By.CSS_SELECTOR, "main img"), [])
        self.assertEqual(self.complaints(), [])

    def test_a_draft_that_is_gone_is_told(self) -> None:
        self.go_to_step(STUDENTS)
        self.site["datacenter"].ledger.drop_draft(self.kept().id)
        transaction.commit()
        self.choose("field-6", "nationality")
        self.wait_for("This import is not prepared any more")

    def test_300_columns_are_searched(self) -> None:
        header = ["student_id", "firstname", "lastname", "gender", "birth date"]
        header += [f"Column number {number} of many" for number in range(295)]
        cells = ["A1", "Ada", "Ade", "m", "1999-05-17", *(f"cell {at}" for at in range(295))]
        self.go_to_step(",".join(header) + "\n" + ",".join(cells) + "\n")
        self.wait_until("map-count", "300 of 300")
        self.find("#map-find").send_keys("number 29")
        self.wait_until("map-count", "6 of 300")
        self.assertFalse(self.find("#field-1").is_displayed())
        self.find("#map-find").clear()
        self.find("#map-find").send_keys("Ada")
        self.wait_until("map-count", "1 of 300")
        self.find("#map-find").send_keys(Keys.BACKSPACE * 3)
        self.choose("map-show", "filled")
        self.wait_until("map-count", "5 of 300")
        self.choose("map-show", "look")
        self.wait_until("map-count", "1 of 300")
        self.choose("map-show", "out")
        self.wait_until("map-count", "295 of 300")
        self.choose("field-300", "sex")
        self.wait_until("map-state", "Double headers")
        # The link leads to a column that is not shown just now.
        self.find("a[href='#field-4']").click()
        self.assertEqual(self.focused(), "field-4")
        self.assertTrue(self.find("#field-4").is_displayed())

    def leave_by_key(self, id: str, *keys: str) -> None:
        """Type into a field, and wait for the next page."""
        page = self.find("html")
        self.find(f"#{id}").send_keys(*keys)
        WebDriverWait(self.window, timeout=30).until(lambda window: self.find("html") != page)


class KeyboardTest(StepTestCase):
    """Step 3 without a mouse."""

    def keys(self, *keys: str) -> None:
        """Press keys where the focus is."""
        ActionChains(self.window).send_keys(*keys).perform()

    def start_at(self, id: str) -> None:
        """Give an element the focus."""
        self.window.execute_script("document.getElementById(arguments[0]).focus()", id)

    def test_keys_go_through_lists_until_these_are_left(self) -> None:
        self.go_to_step("id,name,who,what\nA1,Ada,Ade,x\n")
        self.choose("field-1", "student_id")
        self.wait_until("map-said", "Not filled yet: firstname, lastname, sex.")
        self.start_at("missing-column-firstname")
        for _ in range(4):
            self.keys(Keys.ARROW_DOWN)
            self.assertEqual(self.focused(), "missing-column-firstname")
        self.keys(Keys.TAB)
        self.wait_until("map-said", "Not filled yet: lastname, sex.")
        self.assertEqual(self.focused(), "missing-column-lastname")
        self.keys("w", Keys.ENTER)
        self.wait_until("map-said", "Not filled yet: sex.")
        self.assertEqual(self.focused(), "missing-column-sex")
        self.keys(Keys.TAB, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.TAB)
        self.wait_until("map-said", "Kept. All that must be filled is filled.")
        self.assertEqual(self.kept().columns, ("student_id", None, "lastname", "firstname"))
        self.assertEqual(self.kept().constants, (("sex", "f"),))
        self.start_at("constant-new-field-2")
        self.keys("n", "a", Keys.TAB)
        self.keys("Nig")
        self.wait_for_focus("constant-nationality")
        self.keys("eria", Keys.ENTER)
        WebDriverWait(self.window, timeout=30).until(
            lambda window: ("nationality", "Nigeria") in self.kept().constants
        )
        self.assertEqual(self.focused(), "constant-nationality")
        self.assertTrue(self.is_same_page())
        self.assertEqual(self.complaints(), [])

    def test_the_focus_goes_to_what_is_asked_refused_or_changed(self) -> None:
        self.go_to_step("id,name,who,what\nA1,Ada,Ade,x\n")
        self.press("proceed")
        self.assertEqual(self.focused(), "map-state")
        self.keys(Keys.TAB, Keys.ENTER)
        self.assertEqual(self.focused(), "missing-column-firstname")
        self.choose("missing-column-firstname", "1")
        self.choose("field-1", "student_id")
        self.wait_until("map-said", "Not filled yet: lastname, sex.")
        for said in ("The mapping is saved as", "Replace it by the one on this page?"):
            self.find("#mapping_name").send_keys("Admissions")
            self.press("save_mapping")
            self.assertIn(said, self.text)
        self.assertEqual(self.focused(), "question")
        self.keys(Keys.TAB)
        self.leave_by(self.window.switch_to.active_element)
        self.assertIn("The mapping is saved as \u201cAdmissions\u201d.", self.text)
        self.find("#constant-sex").send_keys("f", Keys.TAB)
        self.wait_until("map-said", "Not filled yet: lastname.")
        self.press("remove_constant")
        self.assertEqual(self.focused(), "constants")
