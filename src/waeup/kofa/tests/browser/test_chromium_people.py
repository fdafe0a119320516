"""A new colleague in Chromium: from the administrator's form to a password of their own."""

import re

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tokens import SHAPE


class PeopleInChromiumTest(ChromiumTestCase):
    """What the pages of accounts do in a browser that checks fields itself."""

    def setUp(self) -> None:
        super().setUp()
        FunctionalLayer.add_user("boss", "waeup.PortalManager")

    def come_in(self, name: str, password: str) -> None:
        """Fill in the log-in page."""
        self.window.delete_all_cookies()
        self.window.get(f"{self.address}/app/login")
        self.find("#login").send_keys(name)
        self.find("#password").send_keys(password)
        self.press("SUBMIT")

    def test_a_colleague_is_added_and_chooses_a_password(self) -> None:
        self.come_in("boss", "pw of boss")
        self.window.get(f"{self.address}/app/users")
        self.follow("Add a user")
        self.find("#name").send_keys("bola")
        self.find("#title").send_keys("Bola Ade")
        Select(self.find("#language")).select_by_value("de")
        self.find("[value='waeup.ImportManager']").click()
        self.press("add")
        made = re.search(r"The password is ((?:\w{4}-){3}\w{4})", self.text)
        assert made is not None, self.text
        self.come_in("bola", made[1])
        self.assertIn("/app/password", self.window.current_url)
        self.assertEqual(self.find("html").get_attribute("lang"), "de")
        self.window.get(f"{self.address}/app/datacenter")
        self.assertIn("/app/password", self.window.current_url)
        for name, text in (
            ("present", made[1]),
            ("password", "quiet river lantern"),
            ("again", "quiet river lantern"),
        ):
            self.find(f"#{name}").send_keys(text)
        self.press("change")
        self.assertTrue(self.window.current_url.endswith("/app/datacenter"))
        self.come_in("bola", "quiet river lantern")
        self.window.get(f"{self.address}/app/account")
        Select(self.find("#language")).select_by_value("fr")
        self.press("save")
        self.assertEqual(self.find("html").get_attribute("lang"), "fr")
        self.assertEqual(self.complaints(), [])

    def test_a_token_is_copied(self) -> None:
        self.come_in("boss", "pw of boss")
        self.window.get(f"{self.address}/app/access")
        self.find("#title").send_keys("registry nightly push")
        self.find("#scope-read").click()
        self.press("make")
        made = SHAPE.search(self.text)
        assert made is not None, self.text
        self.window.execute_cdp_cmd(
            "Browser.grantPermissions",
            {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
        )
        self.find("[data-copy]").click()
        self.wait_for("Copied")
        # Where it is copied to is a field like any other.
        field = self.find("#title")
        field.send_keys(Keys.CONTROL, "v")
        self.assertEqual(field.get_attribute("value"), made[0][:80])
        self.assertEqual(self.complaints(), [])
