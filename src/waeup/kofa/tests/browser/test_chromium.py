"""What only a real browser shows: the whole walk, the script, sizes of what is touched."""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from zope.component import getGlobalSiteManager

from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.jobs import EmbeddedEngine, IJobEngine
from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.axe import violations
from waeup.kofa.tests.browser.chromium import ChromiumLayer, served
from waeup.kofa.tests.browser.test_importing import prepared
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.tests.importing.test_canonical import workbook
from waeup.kofa.university.processors import FacultyProcessor

TABLE = "Code,title,remark\nSCI,Sciences,x\nART,Arts,y\nSCI,Science,z\n"

#: What pages are looked at in.
WIDTHS = (400, 1200)
SCHEMES = ("light", "dark")


@contextmanager
def engine_at_work() -> Iterator[None]:
    """Let workers carry out what is ordered, as in a portal that was started."""
    registry = getGlobalSiteManager()
    with EmbeddedEngine(FunctionalLayer.database(), "/app") as engine:
        registry.registerUtility(engine, IJobEngine)
        try:
            yield
        finally:
            registry.unregisterUtility(engine, IJobEngine)


class ChromiumTestCase(FunctionalTestCase):
    """An officer with a table of faculties and a browser."""

    layer = ChromiumLayer

    def setUp(self) -> None:
        self.window = ChromiumLayer.window()
        with ExitStack() as undo:
            self.address = undo.enter_context(served(FunctionalLayer.database()))
            folder = undo.enter_context(tempfile.TemporaryDirectory())
            self.table = Path(folder, "faculties.csv")
            self.table.write_text(TABLE, encoding="utf-8")
            self.more = undo.enter_context(ExitStack())
            self.addCleanup(undo.pop_all().close)
        FunctionalLayer.add_user("officer", "waeup.ImportManager")

    def enter(self) -> None:
        """Come to the data center as who has logged in."""
        self.log_in_as("officer")
        self.window.get(f"{self.address}/app/datacenter")

    def log_in_as(self, name: str) -> None:
        """Give the browser the cookie of a new session of an account; no page is shown for it."""
        for cookie, value in FunctionalLayer.new_session(name).items():
            self.window.execute_cdp_cmd(
                "Network.setCookie",
                {"url": self.address, "name": cookie, "value": value, "httpOnly": True},
            )

    def show_step(self, step: int, processor: str = "facultyprocessor", **more: str) -> None:
        """Prepare an import of the newest file up to a step, and show that."""
        draft = prepared(step, processor, **more)
        self.log_in_as("officer")
        self.window.get(f"{self.address}/app/datacenter/import{step}?draft={draft}")

    def held_batches(self) -> threading.Semaphore:
        """Let workers work from now on; each batch of rows waits until it is released."""
        gate = threading.Semaphore(0)
        apply = RowEngine.apply

        def apply_when_let(engine: Any, rows: Any) -> Any:
            gate.acquire(timeout=30)
            return apply(engine, rows)

        self.more.enter_context(engine_at_work())
        self.more.callback(gate.release, 1000)
        self.more.enter_context(mock.patch.object(RowEngine, "apply", apply_when_let))
        return gate

    def look(self, name: str) -> None:
        """Hold the page that is shown to the rules, in all its looks."""
        for scheme in SCHEMES:
            features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
            self.window.execute_cdp_cmd(
                "Emulation.setEmulatedMedia",
                {"features": [{"name": key, "value": text} for key, text in features.items()]},
            )
            for width in WIDTHS:
                with self.subTest(name, scheme=scheme, width=width):
                    self.window.execute_cdp_cmd(
                        "Emulation.setDeviceMetricsOverride",
                        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
                    )
                    self.assertEqual(violations(self.window), [])
                    self.assertLessEqual(self.width(), width)
        self.window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

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

    def wait_for(self, text: str) -> None:
        """Wait until the page shows a text."""
        until = time.monotonic() + 30
        shown = ""
        while text not in shown:
            self.assertLess(time.monotonic(), until, f"no {text!r} in {shown!r}")
            time.sleep(0.05)
            # The page may be just on its way out.
            with suppress(WebDriverException):
                shown = self.text

    def leave_by(self, element: WebElement) -> None:
        """Click on `element` and wait until another page is complete."""
        page = self.find("html")
        element.click()
        wait = WebDriverWait(self.window, timeout=30)
        wait.until(lambda window: self.find("html") != page)
        wait.until(
            lambda window: window.execute_script("return document.readyState == 'complete'")
        )

    def be_a_phone(self) -> None:
        """Show pages as on a phone of 390 px."""
        self.window.set_window_size(500, 900)
        self.window.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )

    def width(self) -> int:
        """Return the width of the page."""
        return int(self.window.execute_script("return document.documentElement.scrollWidth"))

    def complaints(self) -> list[str]:
        """Return what the browser did not like: errors of scripts, policies and addresses."""
        return [entry["message"] for entry in self.window.get_log("browser")]


class WalkTest(ChromiumTestCase):
    """From log-in to an import that is taken back."""

    def test_walk_from_log_in_to_the_undo(self) -> None:
        self.more.enter_context(engine_at_work())
        self.window.get(self.address)
        self.find("#login").send_keys("officer")
        self.find("#password").send_keys("pw of officer")
        self.press("SUBMIT")
        self.follow("Data Center")
        self.assertIn("No files are waiting.", self.text)

        self.follow("Upload data")
        self.find("#uploadfile").send_keys(str(self.table))
        self.wait_for("Stored as faculties_officer.csv.")

        self.press("select")
        Select(self.find("#importer")).select_by_visible_text("Faculty Processor")
        self.press("proceed")
        self.assertIn("Header fields OK", self.text)
        self.press("proceed")
        self.assertIn("Ignored columns: remark", self.text)
        self.press("check")
        self.wait_for("Would be created")
        self.assertIn("The same object as in row 1", self.text)
        main = self.find("button[name=perform]")
        self.assertEqual(main.text, "Import: create 2; rows that will fail: 1")
        self.press("perform")
        self.wait_for("Successfully processed 2 rows.")
        self.assertIn("Processing of 1 rows failed.", self.text)
        self.assertIn("This object already exists.", self.text)
        self.window.refresh()
        self.assertIn("Successfully processed 2 rows.", self.text)

        self.press("preview_undo")
        self.wait_for("Would be removed")
        self.press("undo")
        self.wait_for("Removed again")
        self.follow("All runs")
        self.assertIn("Taken back", self.text)

        self.follow("Back to Data Center")
        self.assertIn("faculties_officer.create.pending.csv", self.text)
        self.press("logout")
        self.assertIn("You have been logged out.", self.text)
        self.assertEqual(self.complaints(), [])


class ProgressTest(ChromiumTestCase):
    """A run is watched while it is worked on, batch by batch."""

    def setUp(self) -> None:
        super().setUp()
        self.gate = self.held_batches()
        # Large enough that the disk is not read to the end at once.
        rows = (f"F{number},{'x' * 999}\n" for number in range(1200))
        self.store("list.csv", "code,title\n" + "".join(rows))
        self.show_step(4)

    def test_numbers_move_without_reloading_until_the_result_is_shown(self) -> None:
        self.press("perform")
        self.window.execute_script("window.isTheSame = true")
        self.wait_for("Running.")
        self.assertFalse(self.find("[data-look]").is_displayed())
        self.gate.release()
        self.wait_for_rows()
        share = self.find("[data-live=percent]").text
        value = float(str(self.find("progress").get_property("value")))
        self.assertEqual(share, f"{int(value * 100)} %")
        self.assertTrue(0 < value < 1, value)
        self.assertRegex(self.window.title, r"^\d+ % - Import of list\.csv")
        self.be_a_phone()
        self.assertEqual(self.width(), 390)
        self.assertTrue(self.window.execute_script("return window.isTheSame"))
        self.gate.release(1000)
        self.wait_for("Successfully processed 1,200 rows.")
        self.assertEqual(self.complaints(), [])

    def test_a_run_is_cancelled_and_goes_on(self) -> None:
        self.press("perform")
        address = self.window.current_url
        self.gate.release()
        self.wait_for_rows()
        self.press("cancelrun")
        self.assertEqual(self.window.current_url, address)
        self.assertIn("Is being cancelled", self.text)
        self.gate.release()
        self.wait_for("It was cancelled.")
        self.gate.release(1000)
        self.press("resume")
        self.wait_for("Successfully processed 1,200 rows.")
        self.assertEqual(self.complaints(), [])

    def test_a_portal_that_does_not_answer_is_asked_again(self) -> None:
        self.press("perform")
        self.wait_for("Running.")
        with mock.patch.object(Operations, "run", side_effect=ZeroDivisionError):
            logging.getLogger("SiteError").setLevel(logging.CRITICAL)
            self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)
            self.wait_for("The portal does not answer.")
            self.assertTrue(self.find("[data-look]").is_displayed())
        self.wait_for("Running.")
        self.assertFalse(self.find("[data-look]").is_displayed())

    def wait_for_rows(self) -> None:
        """Wait until the page has heard that rows are done."""
        rows = self.find("[data-live=rows]")
        WebDriverWait(self.window, timeout=30).until(lambda window: rows.text not in ("", "0"))


class ModesTest(ChromiumTestCase):
    """The script offers only modes that the processor has."""

    def test_modes_follow_the_processor(self) -> None:
        self.more.enter_context(mock.patch.object(FacultyProcessor, "modes", ("update", "remove")))
        self.store("list.csv")
        self.show_step(2)
        self.assertEqual(self.offered(), ["create", "update", "upsert", "remove"])
        self.find("#mode-create").click()
        choice = Select(self.find("#importer"))
        choice.select_by_value("facultyprocessor")
        self.assertEqual(self.offered(), ["update", "remove"])
        self.assertTrue(self.find("#mode-update").is_selected())
        choice.select_by_value("courseprocessor")
        self.assertEqual(self.offered(), ["create", "update", "upsert", "remove"])

    def offered(self) -> list[str]:
        """Return the modes that can be seen."""
        boxes = self.window.find_elements(By.CSS_SELECTOR, "input[name=mode]")
        return [str(box.get_attribute("value")) for box in boxes if box.is_displayed()]


class ReadingTest(ChromiumTestCase):
    """A workbook, and what an officer says about it."""

    def test_another_sheet_is_read_on_a_phone(self) -> None:
        self.enter()
        (self.storage / "list.xlsx").write_bytes(workbook())
        self.be_a_phone()
        self.window.refresh()
        self.press("select")
        self.assertIn("All rows are sound.", self.text)
        Select(self.find("#sheet")).select_by_visible_text("More")
        # Without a button: the script reads it at once.
        WebDriverWait(self.window, timeout=30).until(lambda _: "Law; and order" in self.text)
        self.assertTrue(self.find("#sheet").is_displayed())
        self.assertEqual(self.width(), 390)
        self.assertEqual(self.complaints(), [])


class TouchTest(ChromiumTestCase):
    """What fingers touch has at least 24 px (WCAG 2.2, 2.5.8)."""

    def test_links_and_boxes_have_room(self) -> None:
        self.store("list.csv")
        self.store("finished/list.create.finished.csv")
        self.enter()
        for page in ("", "/upload", "/processed", "/runs"):
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
        self.show_step(3)
        self.window.set_window_size(1280, 900)
        names = self.window.find_elements(By.CSS_SELECTOR, "tbody th")
        self.assertEqual(len(names), 2)
        for name in names:
            lines = self.window.execute_script(
                "const all = document.createRange(); all.selectNodeContents(arguments[0]);"
                "return all.getClientRects().length",
                name,
            )
            self.assertEqual(lines, 1, name.text)


class HeadTest(ChromiumTestCase):
    """The links of the head."""

    def test_the_link_of_this_page_is_in_sight_on_a_phone(self) -> None:
        self.enter()
        self.be_a_phone()
        self.window.get(f"{self.address}/app/datacenter/processors")
        link = self.find(".tabs [aria-current]")
        self.assertEqual(link.text, "Kinds of data")
        self.assertGreaterEqual(link.rect["x"], 0)
        left = self.window.execute_script("return arguments[0].getBoundingClientRect().left", link)
        self.assertLess(left, 350)
