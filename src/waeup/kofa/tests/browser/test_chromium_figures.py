"""What only a real browser shows of kinds of data and of figures."""

from datetime import timedelta
from itertools import pairwise

from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from waeup.kofa.tests.browser.exhibition import acting_as
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.test_figures import end


class OfficerTestCase(ChromiumTestCase):
    """An officer who has logged in."""

    def setUp(self) -> None:
        super().setUp()
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        self.log_in_as("ann")

    def go(self, address: str) -> None:
        """Show a page of the data center."""
        self.window.get(f"{self.address}/app/datacenter{address}")


class KindsTest(OfficerTestCase):
    """From a column that is searched for to the values that are allowed in it, and back."""

    def test_a_column_is_found_and_its_values(self) -> None:
        self.go("/processors")
        self.find("#q").send_keys("level session\n")
        self.wait_for("Columns that were found: 1")
        self.follow("level_session")
        row = self.find("#courseticketprocessor-level_session")
        self.assertTrue(row.is_displayed())
        self.assertTrue(self.is_in_sight("#courseticketprocessor-level_session"))
        self.leave_by(row.find_element(By.TAG_NAME, "a"))
        self.assertIn("#academic-sessions", self.window.current_url)
        self.assertTrue(self.is_in_sight("#academic-sessions h2"))
        self.follow("results_validation_session")
        self.assertTrue(self.is_in_sight("#courseprocessor-results_validation_session"))
        self.assertEqual(self.complaints(), [])

    def test_a_link_to_a_column_opens_the_list_that_it_is_in(self) -> None:
        self.go("/processors#studentprocessor-email")
        self.assertTrue(self.find("#studentprocessor-email").is_displayed())
        self.assertFalse(self.find("#facultyprocessor-code").is_displayed())

    def is_in_sight(self, selector: str) -> bool:
        """Tell whether an element is in the window."""
        script = (
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return box.top >= 0 && box.bottom <= window.innerHeight"
        )
        return bool(self.window.execute_script(script, selector))


class FiguresTest(OfficerTestCase):
    """Charts fit their window, obey the policy for scripts and styles, and can be read."""

    def setUp(self) -> None:
        super().setUp()
        with acting_as("ann") as operations:
            self.today = operations.today()
        for days in range(1, 25):
            day = self.today - timedelta(days=days)
            end(self.site, day=day, created=100 * days, updated=40, failed=days)
            end(self.site, day=day, user="bob", processor="courseprocessor", created=77)

    def test_charts_are_drawn_in_all_looks(self) -> None:
        self.go("/figures")
        self.look("figures")
        for name in ("bar", "tick", "label"):
            self.assertTrue(self.seen(f".chart-{name}"), name)
        # The policy of the page has let nothing be left out.
        self.assertEqual(self.complaints(), [])

    def test_words_below_do_not_touch(self) -> None:
        for span in ("days", "weeks", "months"):
            self.go(f"/figures?span={span}")
            for width in (1200, 390, 320):
                with self.subTest(span, width=width):
                    self.window.execute_cdp_cmd(
                        "Emulation.setDeviceMetricsOverride",
                        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
                    )
                    script = (
                        "return Array.from(document.querySelector('.chart')"
                        ".querySelectorAll('.chart-label'))"
                        ".filter(word => word.getClientRects().length)"
                        ".map(word => word.getBoundingClientRect())"
                        ".map(box => [box.left, box.right])"
                    )
                    boxes = self.window.execute_script(script)
                    self.assertGreater(len(boxes), 1)
                    for (_left, right), (left, _right) in pairwise(boxes):
                        self.assertLess(right, left)
                    self.assertLessEqual(boxes[-1][1], width)
                    self.assertLessEqual(self.width(), width)

    def test_patterns_are_filled_in(self) -> None:
        self.go("/figures")
        WebDriverWait(self.window, timeout=30).until(lambda _: self.seen(".chart-bar"))
        fills = self.window.execute_script(
            "return Array.from(document.querySelectorAll('.chart-bar'))"
            ".map(bar => document.querySelector(bar.getAttribute('fill').slice(4, -1)) !== null)"
        )
        self.assertTrue(fills)
        self.assertTrue(all(fills))

    def test_what_is_chosen_is_shown(self) -> None:
        self.go("/figures")
        Select(self.find("#officer")).select_by_value("bob")
        self.leave_by(self.find(".figures-form button"))
        self.assertIn("1,848", self.text)
        details = self.find(".card details summary")
        details.click()
        self.assertIn("Download as CSV", self.text)

    def seen(self, selector: str) -> bool:
        """Tell whether elements are there that take room."""
        found = self.window.find_elements(By.CSS_SELECTOR, selector)
        return any(each.size["height"] > 0 for each in found)
