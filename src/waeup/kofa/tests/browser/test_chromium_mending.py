"""Rows are mended in a real browser: at once, by keyboard, on a phone, in a large table."""

import logging
import time
from typing import Any
from unittest import mock

import transaction
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.browser.imports.mendapart import Mend
from waeup.kofa.conversion import Mapping
from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase, engine_at_work
from waeup.kofa.tests.browser.test_mending import HOSTILE, TABLE
from waeup.kofa.tests.functional import FunctionalLayer

#: A large table, and how many of its rows fail.
ROWS, FAILING = 50_000, 2_000


class MendingTestCase(ChromiumTestCase):
    """An officer who has checked a table of faculties."""

    def begin(self, table: str = TABLE, mode: str = "create") -> None:
        """Check a table of faculties, and show what came of it."""
        self.store("list.csv", table)
        self.show_step(4, mode=mode)
        self.press("check")
        self.work_off()
        self.address_of_draft = self.window.current_url

    def work_off(self) -> None:
        """Let the runs be worked on, and wait until the page tells what came of it."""
        FunctionalLayer.work_off_runs()
        self.wait_until(lambda: not self.window.find_elements(By.CSS_SELECTOR, "[data-status]"))

    def wait_until(self, is_so: Any) -> None:
        """Wait until something is so."""
        WebDriverWait(self.window, timeout=30, ignored_exceptions=[Exception]).until(
            lambda window: is_so()
        )

    def open_problem(self, text: str) -> None:
        """Open the rows of a problem."""
        links = self.window.find_elements(By.CSS_SELECTOR, "#problems a")
        self.leave_by(next(link for link in links if text in link.text))

    def row(self, number: int) -> WebElement:
        """Return the part of a row."""
        return self.find(f"#row-{number}")

    def cell(self, number: int, position: int) -> WebElement:
        """Return the input of a cell."""
        return self.find(f"#row-{number}-{position}")

    def enter_text(self, number: int, position: int, text: str) -> None:
        """Write a text into a cell, and leave that by the keyboard."""
        cell = self.cell(number, position)
        cell.send_keys(Keys.CONTROL, "a")
        cell.send_keys(text or Keys.DELETE, Keys.TAB)

    def wait_for_row(self, number: int, words: str) -> None:
        """Wait until a row says something."""
        self.wait_until(lambda: words in self.row(number).text)

    @property
    def focused(self) -> str:
        """The id of the element that has the focus."""
        return str(self.window.execute_script("return document.activeElement.id"))

    @property
    def said(self) -> str:
        """What is told to those who listen."""
        return str(self.find("#mend-said").get_attribute("textContent"))


class ScriptTest(MendingTestCase):
    """What is entered is kept and tried without another page."""

    def test_the_whole_way_without_a_mouse_over_reloads(self) -> None:
        self.begin()
        self.open_problem("title_prefix:")
        self.assertEqual(self.focused, "mend")
        self.window.execute_script("window.isTheSame = true")
        self.enter_text(4, 2, "nonsense")
        self.wait_for_row(4, "It would still fail.")
        self.assertIn("'nonsense' is not allowed", self.row(4).text)
        self.assertEqual(self.cell(4, 2).get_attribute("aria-invalid"), "true")
        self.assertEqual(self.said, "Row 4: It would still fail.")
        # Enter in a cell saves the row, as the button does.
        self.cell(4, 2).send_keys(Keys.CONTROL, "a")
        self.cell(4, 2).send_keys("school", Keys.ENTER)
        self.wait_for_row(4, "It would be created.")
        self.assertNotIn("is not allowed", self.row(4).text)
        self.assertIn("Corrected, was: wrong", self.row(4).text)
        self.assertIsNone(self.cell(4, 2).get_attribute("aria-invalid"))
        self.assertEqual(self.focused, "row-4-2")
        self.assertIn("Rows that were corrected since the check: 1", self.text)
        self.assertFalse(self.find("button[name=perform]").is_displayed())

        self.row(4).find_element(By.NAME, "uncorrect").send_keys(Keys.ENTER)
        self.wait_for_row(4, "'wrong' is not allowed")
        self.assertEqual(self.cell(4, 2).get_property("value"), "wrong")
        self.assertEqual(self.focused, "row-4")
        self.assertTrue(self.find("button[name=perform]").is_displayed())
        self.assertTrue(self.window.execute_script("return window.isTheSame"))

        self.enter_text(5, 2, "none")
        self.wait_for_row(5, "It would be created.")
        self.leave_by(self.row(5).find_element(By.NAME, "also"))
        self.assertIn("Corrected cells: 1. “none” is read in place of “wrong”.", self.text)
        # The script tries what was corrected before.
        self.wait_for_row(4, "It would be created.")
        self.wait_for_row(5, "It would be created.")

        self.open_problem("Too many cells")
        self.enter_text(6, 1, "Si,x")
        time.sleep(0.3)
        self.assertNotIn("It would", self.row(6).text)
        self.enter_text(6, 2, "faculty")
        self.row(6).find_element(By.NAME, "correct").send_keys(Keys.ENTER)
        self.wait_for_row(6, "It would be created.")

        self.leave_by(self.find(".still button"))
        self.work_off()
        self.assertIn("Would be created\n5", self.text)
        self.press("perform")
        self.work_off()
        self.assertIn("Successfully processed 5 rows.", self.text)
        self.assertTrue(self.window.title.startswith("Finished: list.csv"))
        self.wait_until(lambda: "Finished" in self.find("#over").get_attribute("textContent"))
        self.press("preview_undo")
        self.work_off()
        self.press("undo")
        self.work_off()
        self.assertIn("Removed again", self.text)
        self.assertEqual(self.complaints(), [])

    def test_a_button_waits_for_what_is_on_its_way(self) -> None:
        self.begin()
        self.open_problem("title_prefix:")
        render = Mend.render

        def render_slowly(view: Any) -> str:
            time.sleep(0.7)
            return render(view)

        with mock.patch.object(Mend, "render", render_slowly):
            self.cell(7, 2).clear()
            self.cell(7, 2).send_keys("school")
            self.press("back3")
        self.window.get(f"{self.address_of_draft}&group=1")
        self.assertEqual(self.cell(7, 2).get_property("value"), "school")
        self.find("#mend button[name=check]")
        with mock.patch.object(Mend, "render", render_slowly):
            self.cell(4, 2).clear()
            self.cell(4, 2).send_keys("school")
            self.press("check")
        self.work_off()
        self.assertIn("Corrected rows among them: 2", self.text)

    def test_refusals_are_told_beside_the_row(self) -> None:
        self.begin()
        self.open_problem("title_prefix:")
        self.row(4).find_element(By.NAME, "correct").click()
        self.wait_for_row(4, "Nothing was changed.")
        with mock.patch.object(Mend, "render", side_effect=ZeroDivisionError):
            logging.getLogger("SiteError").setLevel(logging.CRITICAL)
            self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)
            self.enter_text(4, 2, "school")
            self.wait_for_row(4, "The portal does not answer as it should")
        self.row(4).find_element(By.NAME, "correct").click()
        self.wait_for_row(4, "It would be created.")
        self.assertNotIn("does not answer", self.row(4).text)
        self.window.delete_all_cookies()
        self.enter_text(4, 2, "none")
        self.wait_for_row(4, "Not kept: you are not logged in any more.")
        first = self.window.current_window_handle
        self.window.switch_to.new_window("tab")
        self.enter()
        self.window.switch_to.window(first)
        self.row(4).find_element(By.NAME, "correct").send_keys(Keys.ENTER)
        wait = WebDriverWait(self.window, timeout=30)
        wait.until(lambda _: "Not kept" not in self.row(4).text)
        self.assertIn("It would be created.", self.row(4).text)

    def test_two_tabs_correct_different_rows(self) -> None:
        self.begin()
        self.open_problem("title_prefix:")
        address, first = self.window.current_url, self.window.current_window_handle
        self.window.switch_to.new_window("tab")
        self.window.get(address)
        self.enter_text(7, 2, "school")
        self.wait_for_row(7, "It would be created.")
        self.window.switch_to.window(first)
        self.enter_text(4, 2, "none")
        self.wait_for_row(4, "It would be created.")
        self.assertIn("Rows that were corrected since the check: 2", self.text)

    def test_hostile_texts_are_texts(self) -> None:
        cell = HOSTILE.replace('"', '""')
        self.begin(f'code,title,title_prefix\nFAC1,"{cell}","{cell}"\nFAC2,"{cell}","{cell}"\n')
        self.open_problem("All rows")
        self.assertEqual(self.cell(1, 2).get_property("value"), HOSTILE)
        self.enter_text(1, 2, "<img src=x onerror=alert(1)>")
        self.wait_for_row(1, "'<img src=x onerror=alert(1)>' is not allowed")
        self.assertIn(f"Corrected, was: {HOSTILE}", self.row(1).text)
        self.assertEqual(
            self.window.find_elements(By.CSS_SELECTOR, "main img, main script + img"), []
        )
        self.assertEqual(self.complaints(), [])


class LooksTest(MendingTestCase):
    """On a phone and at a desk, in light and dark; nobody is barred."""

    def test_all_looks(self) -> None:
        self.begin()
        for name, address in (
            ("problems", ""),
            ("a problem", "&group=1"),
            ("all rows", "&group=all"),
            ("texts of a column", "&group=2&column=1"),
        ):
            self.window.get(f"{self.address_of_draft}{address}")
            self.look(name)
        self.window.get(f"{self.address_of_draft}&group=all")
        self.enter_text(4, 2, "school")
        self.wait_for_row(4, "It would be created.")
        self.enter_text(7, 2, "nothing")
        self.wait_for_row(7, "It would still fail.")
        self.look("corrected")
        self.press("check")
        self.work_off()
        self.press("perform")
        self.look("running")
        self.work_off()
        self.look("result")
        self.press("mend")
        self.look("again")
        self.work_off()
        self.look("again, checked")

    def test_rows_are_mended_on_a_phone(self) -> None:
        self.begin()
        self.be_a_phone()
        self.open_problem("title_prefix:")
        self.enter_text(7, 2, "school")
        self.wait_for_row(7, "It would be created.")
        self.assertEqual(self.width(), 390)
        for element in self.window.find_elements(
            By.CSS_SELECTOR, "#mend button, #mend input:not([type=hidden]), #mend summary"
        ):
            if element.is_displayed():
                self.assertGreaterEqual(element.size["height"], 44, element.text)
        self.leave_by(self.find(".still button"))
        self.work_off()
        self.assertIn("Would fail", self.text)


class QuestionTest(MendingTestCase):
    """A large number is asked about where the person is."""

    def test_the_keyboard_goes_to_the_question(self) -> None:
        self.store("faculties.csv", "code,title\n" + "".join(f"F{n:02},x\n" for n in range(20)))
        with acting_as("officer") as operations:
            mapping = Mapping(("code", "title"))
            operations.start_import("faculties.csv", "facultyprocessor", "create", mapping)
            transaction.commit()
        FunctionalLayer.work_off_runs()
        rows = "".join(f"F{number:02},y\n" for number in range(19))
        self.begin("code,title\n" + rows + "F 1,y\n", mode="update")
        self.open_problem("code:")
        self.press("perform")
        self.assertIn("Yes, change 19 objects", self.text)
        self.assertEqual(self.focused, "question")
        self.window.switch_to.active_element.send_keys(Keys.TAB, Keys.ENTER)
        self.wait_until(lambda: "/run?id=" in self.window.current_url)
        self.work_off()
        self.assertIn("Successfully processed 19 rows.", self.text)


class LargeTest(MendingTestCase):
    """A table of 50,000 rows of which 2,000 fail."""

    def test_a_large_table_is_mended(self) -> None:
        every = ROWS // FAILING
        rows = "".join(
            f"F{number:05},Title {number},{'wrong' if number % every == 0 else 'school'}\n"
            for number in range(ROWS)
        )
        self.more.enter_context(engine_at_work())
        work_off = mock.patch.object(FunctionalLayer, "work_off_runs", lambda: time.sleep(1))
        with work_off, mock.patch.object(self, "wait_until", self.wait_long):
            self.begin("code,title,title_prefix\n" + rows)
            self.assertIn("Would fail\n2,000", self.text)
            self.open_problem("title_prefix:")
            self.assertIn("Page 1 of 40: 1 to 50 of 2,000", self.text)
            self.enter_text(26, 2, "none")
            self.wait_for_row(26, "It would be created.")
            likes = self.find(".like-cells form")
            likes.find_element(By.NAME, "new").send_keys("school")
            self.assertIn("Correct all 2,000 like cells", likes.text)
            self.leave_by(likes.find_element(By.NAME, "replace"))
            self.assertIn("Corrected cells: 1,999.", self.text)
            self.be_a_phone()
            self.assertEqual(self.width(), 390)
            self.leave_by(self.find(".still button"))
            self.work_off()
            self.assertIn("Would fail\n0", self.text)
            button = self.find("button[name=perform]")
            self.assertEqual(button.text, "Import: create 50,000")

    def wait_long(self, is_so: Any) -> None:
        """Wait until something is so that takes its time."""
        WebDriverWait(self.window, timeout=240, ignored_exceptions=[Exception]).until(
            lambda window: is_so()
        )


class NoticeTest(MendingTestCase):
    """The end of a run is told outside of the page to who has asked for it, and may be told."""

    def begin_run(self, setting: str) -> None:
        """Order an import, in a browser that allows notices or does not."""
        self.begin("code,title\nSCI,Sciences\n")
        self.window.execute_cdp_cmd(
            "Browser.setPermission",
            {"permission": {"name": "notifications"}, "setting": setting, "origin": self.address},
        )
        self.window.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {
                "source": "const Real = window.Notification; window.Notification = class {"
                " static get permission() { return Real.permission; }"
                " static requestPermission() { return Real.requestPermission(); }"
                " constructor(text) { sessionStorage.setItem('noticed', text); } };"
            },
        )
        self.press("perform")

    @property
    def noticed(self) -> Any:
        """What was told outside of the page."""
        return self.window.execute_script("return sessionStorage.getItem('noticed')")

    def test_who_has_asked_is_told(self) -> None:
        self.begin_run("granted")
        self.assertTrue(self.window.title.startswith("Import of list.csv"))
        self.find("[data-notice]").send_keys(Keys.ENTER)
        self.wait_for("Your browser will tell you")
        self.assertFalse(self.find("[data-notice]").is_displayed())
        self.window.refresh()
        self.wait_for("Your browser will tell you")
        self.work_off()
        self.assertEqual(self.noticed, "list.csv: Finished")
        self.assertEqual(self.complaints(), [])

    def test_others_are_not(self) -> None:
        self.begin_run("granted")
        self.wait_until(lambda: self.find("[data-notice]").is_displayed())
        self.work_off()
        self.assertIsNone(self.noticed)

    def test_where_notices_are_not_allowed_none_is_offered(self) -> None:
        self.begin_run("denied")
        self.wait_until(lambda: not self.find("[data-look]").is_displayed())
        self.assertFalse(self.find("[data-notice]").is_displayed())
        self.work_off()
        self.assertIn("Successfully processed 1 rows.", self.text)
