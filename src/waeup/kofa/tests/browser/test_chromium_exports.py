"""What only a real browser shows of exports: rows that move, the file, what boxes say."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import transaction
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from zope.component import createObject

from waeup.kofa.browser.files.exports import KEYS_LIMIT
from waeup.kofa.exporting import Export
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase, engine_at_work
from waeup.kofa.tests.functional import FunctionalLayer

LAW = '"LAW","Law","faculty","","",""\r\n'


class ExportTest(ChromiumTestCase):
    """An officer who may export everything, two faculties, and exports that go on when let."""

    def setUp(self) -> None:
        super().setUp()
        self.gate = threading.Semaphore(0)
        write = Export.write

        def write_when_let(*args: Any) -> Any:
            self.gate.acquire(timeout=30)
            return write(*args)

        self.more.enter_context(engine_at_work())
        self.more.callback(self.gate.release, 1000)
        self.more.enter_context(mock.patch.object(Export, "write", write_when_let))
        self.folder = Path(self.more.enter_context(tempfile.TemporaryDirectory()))
        for code, title in (("LAW", "Law"), ("SCI", "Sciences")):
            self.site["faculties"].addFaculty(createObject("waeup.Faculty", code, title))
        transaction.commit()
        FunctionalLayer.add_user("emma", "waeup.ExportManager", "waeup.UsersManager")
        self.log_in_as("emma")
        self.window.get(f"{self.address}/app/datacenter/export")

    def test_an_export_is_ordered_watched_and_downloaded(self) -> None:
        self.choose("faculties")
        self.find("#filter_code").send_keys("LAW")
        self.press("start")
        self.choose("faculties")
        self.press("start")
        second, first = self.rows()
        self.window.execute_script("window.isTheSame = true")
        self.wait_for("Waits for the export of faculties.csv to end.")
        self.assertFalse(self.find("[data-look]").is_displayed())
        # Who has the focus in a row still has it there when the row is made anew.
        self.window.execute_script(
            "document.getElementById(arguments[0]).querySelector('button').focus()", first
        )
        self.gate.release()
        self.wait_in(first, "Finished")
        self.assertEqual(self.window.switch_to.active_element.text, "Download")
        self.assertEqual(self.find("#told").get_property("textContent"), "Faculties: Finished")
        self.wait_in(second, "Running.")
        self.assertEqual(self.fetched(first).partition("\r\n")[2], LAW)
        self.be_a_phone()
        self.assertEqual(self.width(), 390)
        self.gate.release()
        self.wait_in(second, "Finished")
        self.assertTrue(self.window.execute_script("return window.isTheSame"))
        self.assertEqual(self.window.find_elements(By.CSS_SELECTOR, "[data-status]"), [])
        self.assertEqual(self.complaints(), [])

    def test_a_cancelled_export_is_shown_without_reloading(self) -> None:
        self.choose("faculties")
        self.press("start")
        (row,) = self.rows()
        self.wait_in(row, "Running.")
        self.press("cancelrun")
        self.window.execute_script("window.isTheSame = true")
        self.wait_in(row, "Is being cancelled")
        with mock.patch("waeup.kofa.jobs.reporter.INTERVAL", -1):
            self.gate.release()
            self.wait_in(row, "Cancelled")
        self.assertTrue(self.window.execute_script("return window.isTheSame"))
        self.press("discard")
        self.assertIn("No export has been ordered yet.", self.text)
        self.assertEqual(self.complaints(), [])

    def test_boxes_say_what_they_mean(self) -> None:
        self.choose("users")
        for box, is_checked in (("safe", True), ("secrets", False)):
            warning = self.find(f"#{box}-warning")
            self.assertEqual(self.find(f"#{box}").is_selected(), is_checked)
            self.assertFalse(warning.is_displayed(), box)
            self.find(f"#{box}").click()
            self.assertTrue(warning.is_displayed(), box)

    def test_a_list_of_keys_that_is_too_large_is_told_and_not_sent(self) -> None:
        self.choose("faculties")
        path = self.folder / "keys.csv"
        path.write_bytes(b"code\n" + b"LAW\n" * (KEYS_LIMIT // 4))
        self.find("#keysfile").send_keys(str(path))
        self.assertIn(
            "keys.csv has 900.1 kB, and this form takes files of up to 900 kB", self.text
        )
        address = self.window.current_url
        self.find("button[name=start]").click()
        self.assertEqual(self.window.current_url, address)
        self.assertEqual(self.find("button[name=start]").text, "Start the export")

    def test_what_fingers_touch_has_room(self) -> None:
        self.choose("faculties")
        self.find("#keys").send_keys("LAW MED")
        self.press("start")
        self.gate.release()
        self.wait_for("Keys that no object has")
        form = str(self.find("a[href$='exporter=users']").get_attribute("href"))
        for address in (self.window.current_url, form):
            self.window.get(address)
            for width in (1280, 390):
                self.window.set_window_size(width, 900)
                found = self.window.find_elements(
                    By.CSS_SELECTOR, "main a, main summary, main input:not([type=hidden])"
                )
                for element in found:
                    with self.subTest(address=address, width=width, element=element.text):
                        self.assertGreaterEqual(element.size["height"], 24)
                        self.assertGreaterEqual(element.size["width"], 24)

    def choose(self, exporter: str) -> None:
        """Go to the form of an exporter."""
        self.leave_by(self.find(f"a[href$='exporter={exporter}']"))

    def rows(self) -> list[str]:
        """Return the ids of the rows with exports, the newest first."""
        found = self.window.find_elements(By.CSS_SELECTOR, "tr[id^=export-]")
        return [str(row.get_attribute("id")) for row in found]

    def wait_in(self, row: str, text: str) -> None:
        """Wait until a row shows a text."""
        wait = WebDriverWait(self.window, timeout=30)
        wait.until(
            lambda window: (
                text
                in window.execute_script(
                    "return document.getElementById(arguments[0]).textContent", row
                )
            )
        )

    def fetched(self, row: str) -> str:
        """Download the file of a row as a person does; return its text."""
        self.window.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(self.folder)},
        )
        self.find(f"#{row} a.main").click()
        until = time.monotonic() + 30
        while not (found := list(self.folder.glob("*_faculties_*.csv"))):
            self.assertLess(time.monotonic(), until, "nothing was downloaded")
            time.sleep(0.05)
        return found[0].read_bytes().decode("utf-8-sig")
