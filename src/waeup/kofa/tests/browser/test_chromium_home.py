"""The home page in a real browser: it lives while runs go on, and needs no mouse."""

from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.tests.browser.exhibition import furnish, order, put
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer

# What fingers press; links in sentences are exempt (WCAG 2.2, 2.5.5).
PRESSED = (
    "button, .button, select, header a, input:not([type=hidden], [type=checkbox]), .pages a,"
    ".crumbs a, th > a, .name-of-file > a, .head-of-work > a"
)


class HomeInChromium(ChromiumTestCase):
    """An officer at the home page."""

    def press_key(self, *keys: str) -> None:
        """Press keys where the focus is."""
        self.focused().send_keys(*keys)

    def focused(self) -> WebElement:
        """Return the element that has the focus."""
        found: WebElement = self.window.switch_to.active_element
        return found

    def until(self, condition: Any) -> None:
        """Wait until `condition` holds."""
        WebDriverWait(self.window, timeout=30).until(lambda _window: condition())


class Live(HomeInChromium):
    """Runs are watched from the home page, batch by batch."""

    def setUp(self) -> None:
        super().setUp()
        self.gate = self.held_batches()
        rows = (f"F{number},{'x' * 999}\n" for number in range(1200))
        self.name = put("list.csv", "code,title\n" + "".join(rows))
        self.run_id = order(self.name)
        self.enter()
        self.window.execute_script("window.isTheSame = true")

    def rows(self) -> str:
        """Return how many rows the page says are done."""
        return str(self.find("[data-live=rows]").text)

    def test_it_moves_and_shows_the_end_without_reloading(self) -> None:
        self.assertFalse(self.find("[data-look]").is_displayed())
        self.gate.release()
        self.until(lambda: self.rows() not in ("", "0"))
        self.window.execute_script("document.getElementById(arguments[0]).focus()", self.link)
        self.gate.release(1000)
        self.wait_for("Nothing is under way.")
        self.assertIn("Created: 1,200", self.find("#lately").text)
        self.assertIn("No files are waiting.", self.text)
        told = self.find("#told")
        self.assertEqual(told.get_attribute("textContent"), f"{self.name}: Finished")
        self.assertIn(f"run?id={self.run_id}", str(self.focused().get_attribute("href")))
        self.assertTrue(self.window.execute_script("return window.isTheSame"))
        self.assertEqual(self.complaints(), [])

    def test_what_somebody_is_about_to_do_is_not_taken_away(self) -> None:
        self.find("#q").send_keys("li")
        self.gate.release(1000)
        self.until(lambda: self.find("[data-look]").is_displayed())
        self.assertEqual(self.find("[data-live=said]").text, "Finished")
        self.assertEqual(self.find("#q").get_property("value"), "li")
        self.assertTrue(self.window.execute_script("return window.isTheSame"))
        self.leave_by(self.find("[data-look]"))
        self.assertIn("Nothing is under way.", self.text)

    def test_a_run_is_cancelled_from_here(self) -> None:
        self.gate.release()
        self.until(lambda: self.rows() not in ("", "0"))
        self.press("cancelrun")
        self.assertIn("Is being cancelled", self.text)
        self.gate.release()
        self.wait_for("Nothing is under way.")
        self.assertIn("Its import was cancelled half way", self.find("#waiting").text)

    @property
    def link(self) -> str:
        """Return the id of the link to the run."""
        return f"name-{self.run_id}"


class Keyboard(HomeInChromium):
    """All can be done without a mouse, and it is seen where one is."""

    def test_search_order_and_selection(self) -> None:
        for number in range(30):
            self.store(f"list{number:02}.csv")
        self.enter()
        self.find("html").send_keys(Keys.TAB)
        self.assertEqual(self.focused().text, "Skip to the content")
        self.press_key(Keys.ENTER)
        self.tab_to("#q")
        self.press_key("list1")
        self.leave_by_key(Keys.ENTER)
        self.assertIn("q=list1", self.window.current_url)
        self.tab_to("#waiting .sort")
        self.leave_by_key(Keys.ENTER)
        self.assertIn("sort=name", self.window.current_url)
        heading = self.find("#waiting th[aria-sort]")
        self.assertEqual(heading.get_attribute("aria-sort"), "ascending")
        self.tab_to("#waiting input[name=val_id]")
        self.press_key(Keys.SPACE)
        self.assertTrue(self.focused().is_selected())
        self.tab_to("#waiting button[name=ask]")
        self.leave_by_key(Keys.ENTER)
        self.assertIn("Are you sure?", self.text)
        self.assertIn("list10.csv", self.text)
        self.tab_to("button[name=cancel]")
        self.leave_by_key(Keys.SPACE)
        self.assertIn("Waiting for an import", self.text)
        self.assertEqual(self.complaints(), [])

    def tab_to(self, selector: str) -> None:
        """Press Tab until the first element that fits has the focus; each one is marked."""
        goal = self.find(selector)
        for _ in range(80):
            if self.focused() == goal:
                return
            self.press_key(Keys.TAB)
            outline = self.focused().value_of_css_property("outline-width")
            self.assertGreaterEqual(float(outline.removesuffix("px")), 2, self.focused().text)
        self.fail(f"Tab does not lead to {selector}")

    def leave_by_key(self, key: str) -> None:
        """Press a key that leads to another page."""
        page = self.find("html")
        self.press_key(key)
        self.until(lambda: self.find("html") != page)
        self.until(lambda: self.window.execute_script("return document.readyState == 'complete'"))


class Fingers(HomeInChromium):
    """What is pressed by fingers has 44 px."""

    def test_targets_on_a_phone_and_on_a_tablet(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager", "waeup.ExportManager")
        there = furnish("ann")
        self.enter()
        self.window.execute_cdp_cmd(
            "Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5}
        )
        for page in ("", "/upload", "/runs", "/processed", f"/run?id={there.failed}", "/import1"):
            for width in (390, 1024):
                self.window.execute_cdp_cmd(
                    "Emulation.setDeviceMetricsOverride",
                    {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True},
                )
                self.window.get(f"{self.address}/app/datacenter{page}")
                found = self.window.find_elements(By.CSS_SELECTOR, PRESSED)
                shown = [element for element in found if element.is_displayed()]
                self.assertTrue(shown)
                for element in shown:
                    with self.subTest(page=page, width=width, element=element.text):
                        self.assertGreaterEqual(element.size["height"], 44)
