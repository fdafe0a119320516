"""From log-in to the finished import, in a real browser."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.tests.browser.chromium import chromium, served
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

TABLE = "Code,title,remark\nSCI,Sciences,x\nART,Arts,y\nSCI,Science,z\n"


class WalkTest(FunctionalTestCase):
    """An officer brings a table of faculties."""

    def setUp(self) -> None:
        with ExitStack() as undo:
            self.window = undo.enter_context(chromium())
            self.address = undo.enter_context(served(FunctionalLayer.database()))
            folder = undo.enter_context(tempfile.TemporaryDirectory())
            self.table = Path(folder, "faculties.csv")
            self.table.write_text(TABLE, encoding="utf-8")
            self.addCleanup(undo.pop_all().close)
        FunctionalLayer.add_user("officer", "waeup.ImportManager")

    def test_walk_from_log_in_to_finished_import(self) -> None:
        self.window.get(self.address)
        self.find("#login").send_keys("officer")
        self.find("#password").send_keys("pw of officer")
        self.press("SUBMIT")
        self.follow("Data Center")
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

        self.follow("Back to Data Center")
        self.assertIn("faculties_officer.create.pending.csv", self.text)
        self.press("logout")
        self.assertIn("You have been logged out.", self.text)
        self.assertEqual(self.complaints(), [])

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
