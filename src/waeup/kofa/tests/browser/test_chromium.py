"""What only a real browser shows: the whole walk, the script, sizes of what is touched."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.tests.browser.chromium import chromium, served
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.tests.importing.test_canonical import workbook

TABLE = "Code,title,remark\nSCI,Sciences,x\nART,Arts,y\nSCI,Science,z\n"


class ChromiumTestCase(FunctionalTestCase):
    """An officer with a table of faculties and a browser."""

    def setUp(self) -> None:
        with ExitStack() as undo:
            self.window = undo.enter_context(chromium())
            self.address = undo.enter_context(served(FunctionalLayer.database()))
            folder = undo.enter_context(tempfile.TemporaryDirectory())
            self.table = Path(folder, "faculties.csv")
            self.table.write_text(TABLE, encoding="utf-8")
            self.addCleanup(undo.pop_all().close)
        FunctionalLayer.add_user("officer", "waeup.ImportManager")

    def enter(self) -> None:
        """Log in, and go to the data center."""
        self.window.get(self.address)
        self.find("#login").send_keys("officer")
        self.find("#password").send_keys("pw of officer")
        self.press("SUBMIT")
        self.follow("Data Center")

    # -- the browser -----------------------------------------------------------

    @property
    def text(self) -> str:
        """What the page shows."""
        return self.find("body").text

    def find(self, selector: str) -> WebElement:
        """Return the first element that fits a CSS selector."""
        return self.window.find_element(By.CSS_SELECTOR, selector)

    def press(self, button: str) -> None:
        """Press the first button of that name and wait for the next page."""
        self.leave_by(self.find(f"button[name={button}]"))

    def follow(self, text: str) -> None:
        """Follow the link in the page's content with that text and wait for the next page."""
        links = self.window.find_elements(By.CSS_SELECTOR, "main a")
        self.leave_by(next(link for link in links if link.text == text))

    def leave_by(self, element: WebElement) -> None:
        """Click on `element` and wait until another page is complete."""
        page = self.find("html")
        element.click()
        wait = WebDriverWait(self.window, timeout=30)
        wait.until(lambda window: self.find("html") != page)
        wait.until(
            lambda window: window.execute_script("return document.readyState == 'complete'")
        )

    def complaints(self) -> list[str]:
        """Return what the browser did not like: errors of scripts, policies and addresses."""
        return [entry["message"] for entry in self.window.get_log("browser")]


class WalkTest(ChromiumTestCase):
    """From log-in to the finished import."""

    def test_walk_from_log_in_to_finished_import(self) -> None:
        self.enter()
        self.assertIn("No files are waiting.", self.text)

        self.follow("Upload data")
        self.find("#uploadfile").send_keys(str(self.table))
        self.press("SUBMIT")
        self.assertIn("Successfully uploaded: faculties_officer.csv", self.text)

        self.press("select")
        Select(self.find("#importer")).select_by_visible_text("Faculty Processor")
        self.press("proceed")
        self.assertIn("Header fields OK", self.text)
        self.press("proceed")
        self.assertIn("Ignored columns: remark", self.text)
        self.press("perform")
        self.assertIn("Successfully processed 2 rows.", self.text)
        self.assertIn("Processing of 1 rows failed.", self.text)
        self.assertIn("This object already exists.", self.text)
        self.window.refresh()
        self.assertIn("Successfully processed 2 rows.", self.text)

        self.follow("Back to Data Center")
        self.assertIn("faculties_officer.create.pending.csv", self.text)
        self.press("logout")
        self.assertIn("You have been logged out.", self.text)
        self.assertEqual(self.complaints(), [])


class ReadingTest(ChromiumTestCase):
    """A workbook, and what an officer says about it."""

    def test_another_sheet_is_read_on_a_phone(self) -> None:
        self.enter()
        (self.storage / "list.xlsx").write_bytes(workbook())
        self.window.set_window_size(500, 900)
        self.window.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        self.window.refresh()
        self.press("select")
        self.assertIn("All rows are sound.", self.text)
        self.assertFalse(self.find("#sheet").is_displayed())
        self.find("summary").click()
        Select(self.find("#sheet")).select_by_visible_text("More")
        self.press("read")
        self.assertIn("Law; and order", self.text)
        self.assertTrue(self.find("#sheet").is_displayed())
        width = self.window.execute_script("return document.documentElement.scrollWidth")
        self.assertEqual(width, 390)
        self.assertEqual(self.complaints(), [])


class LimitTest(ChromiumTestCase):
    """A file that is too large is told before it is sent."""

    def test_a_file_over_the_limit_is_named_and_not_sent(self) -> None:
        with mock.patch.dict(FunctionalLayer._config, upload_limit=len(TABLE) - 1):
            self.enter()
            self.follow("Upload data")
            self.find("#uploadfile").send_keys(str(self.table))
            self.assert_told("faculties.csv has 1 kB, and the data center takes files of up to")
            address = self.window.current_url
            self.find("button[name=SUBMIT]").click()
            self.assertEqual(self.window.current_url, address)
            self.assertEqual(self.find("button[name=SUBMIT]").text, "Upload")
            self.press("CANCEL")
            self.assertIn("No files are waiting.", self.text)

    def test_files_that_are_too_large_together_are_not_sent(self) -> None:
        other = self.table.with_name("other.csv")
        other.write_text(TABLE, encoding="utf-8")
        with mock.patch.dict(FunctionalLayer._config, upload_limit=2 * len(TABLE) - 1):
            self.enter()
            self.follow("Upload data")
            self.find("#uploadfile").send_keys(f"{self.table}\n{other}")
            self.assert_told("The chosen files have 1 kB together")
            self.find("#uploadfile").clear()
            self.find("#uploadfile").send_keys(str(self.table))
            self.assertFalse(self.find("#limit-message").is_displayed())
            self.press("SUBMIT")
            self.assertIn("Successfully uploaded: faculties_officer.csv", self.text)

    def assert_told(self, words: str) -> None:
        """Fail unless the message of the form has these words and can be seen."""
        message = self.find("#limit-message")
        self.assertTrue(message.is_displayed())
        self.assertIn(words, message.text)


class TouchTest(ChromiumTestCase):
    """What fingers touch has at least 24 px (WCAG 2.2, 2.5.8)."""

    def test_links_and_boxes_have_room(self) -> None:
        self.store("list.csv")
        self.store("finished/list.create.finished.csv")
        self.enter()
        for page in ("", "/upload", "/processed"):
            self.window.get(f"{self.address}/app/datacenter{page}")
            for width in (1280, 390):
                self.window.set_window_size(width, 900)
                found = self.window.find_elements(
                    By.CSS_SELECTOR, "main a, main input:not([type=hidden])"
                )
                self.assertTrue(found)
                for element in found:
                    with self.subTest(page=page, width=width, element=element.text):
                        self.assertGreaterEqual(element.size["height"], 24)
                        self.assertGreaterEqual(element.size["width"], 24)

    def test_names_of_columns_are_not_broken(self) -> None:
        self.store("list.csv", f"code,title_of_the_faculty_in_full\nA1,{'A' * 80}\n")
        self.enter()
        self.press("select")
        Select(self.find("#importer")).select_by_visible_text("Faculty Processor")
        self.press("proceed")
        for width in (1280, 800):
            self.window.set_window_size(width, 900)
            for name in self.window.find_elements(By.CSS_SELECTOR, "tbody th"):
                lines = self.window.execute_script(
                    "const all = document.createRange(); all.selectNodeContents(arguments[0]);"
                    "return all.getClientRects().length",
                    name,
                )
                self.assertEqual(lines, 1, f"{name.text} at {width}")
