"""In a real browser: hostile texts run nowhere; errors, maintenance mode and the system page."""

import logging
from unittest import mock

from selenium.common.exceptions import NoAlertPresentException

from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser import exhibition, hostile
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer


class UpkeepChromiumTest(ChromiumTestCase):
    """An officer and an administrator."""

    def test_no_text_runs_as_script(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager", "waeup.ExportManager")
        there = hostile.furnish("ann")
        self.log_in_as("ann")
        self.window.get_log("browser")
        for path in there.pages:
            with self.subTest(path):
                self.window.get(f"{self.address}/app/datacenter{path}")
                with self.assertRaises(NoAlertPresentException):
                    _ = self.window.switch_to.alert
                inline = "return document.querySelectorAll('img, script:not([src]), style').length"
                self.assertEqual(self.window.execute_script(inline), 0)
                # A breach of the content security policy is told here.
                self.assertEqual(self.window.get_log("browser"), [])
                width = self.window.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(width, self.window.execute_script("return innerWidth"))

    def test_errors_maintenance_and_system_bar_nobody(self) -> None:
        logging.getLogger("SiteError").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)
        FunctionalLayer.add_user("ann", "waeup.ImportManager", "waeup.ExportManager")
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        exhibition.furnish("ann", names=())
        self.log_in_as("boss")
        self.window.get(f"{self.address}/app/system")
        self.look("system")
        self.find("#reference").send_keys("nothing")
        self.press("find")
        self.assertIn("This is no reference", self.text)
        self.look("system, no reference")
        with mock.patch.object(Operations, "pending_files", side_effect=ZeroDivisionError):
            self.window.get(f"{self.address}/app/datacenter")
        self.assertRegex(self.find(".reference").text, r"^[2-9a-z]{4}-[2-9a-z]{4}$")
        self.look("unexpected error")
        self.window.get(f"{self.address}/app/switchmaintmode")
        self.look("maintenance, off")
        self.find("#text").send_keys("The server moves. We are back at 14:00.")
        self.press("enable")
        self.assertIn("Maintenance mode enabled.", self.text)
        self.look("administration, closed")
        self.window.get(f"{self.address}/app/switchmaintmode")
        self.look("maintenance, on")
        self.window.delete_all_cookies()
        self.window.get(f"{self.address}/app/datacenter")
        self.assertIn("We are back at 14:00.", self.text)
        self.look("closed")
        self.window.get(f"{self.address}/app/login")
        self.assertIn("temporarily disabled", self.text)
        self.look("log in, closed")
