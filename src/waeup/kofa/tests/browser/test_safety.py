"""What holds for all pages: escaping, headers, errors in plain words; see also `test_views`."""

import logging
from datetime import datetime, timezone
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction
from zope.component import getGlobalSiteManager
from zope.traversing.interfaces import ITraversable

from waeup.kofa.browser.page import SECURITY_HEADERS
from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import Operations
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

PORTAL = "http://localhost/app"
CENTER = f"{PORTAL}/datacenter"


class SafetyTestCase(FunctionalTestCase):
    """Somebody with a browser."""

    def status(self, browser: Any) -> int:
        """Return the status of the last answer."""
        return int(browser.headers["Status"][:3])


class FormTest(SafetyTestCase):
    """Forms and headers."""

    def test_only_import_managers_reach_step_4(self) -> None:
        browser = self.log_in("waeup.DataCenterManager")
        browser.open(f"{CENTER}/import4")
        self.assertEqual(self.status(browser), 403)
        self.assertIn("Import Manager, Portal Manager", browser.contents)

    def test_what_was_entered_survives_a_missing_token(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        self.store("list.csv")
        fields = {"draft": self.draft("officer"), "update": "1"}
        mapping = [("headerfield", "title"), ("headerfield", "code")]
        browser.post(f"{CENTER}/import3", urlencode([*fields.items(), *mapping]))
        self.assertEqual(self.status(browser), 403)
        self.assertEqual(browser.getControl(name="headerfield", index=0).value, ["title"])
        self.assertEqual(browser.getControl(name="headerfield", index=1).value, ["code"])

    def test_every_answer_has_the_safe_headers(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        for address in (CENTER, f"{CENTER}/nothing", "http://localhost/nothing"):
            browser.open(address)
            for name, value in SECURITY_HEADERS.items():
                self.assertEqual(browser.headers[name], value, address)

    def draft(self, owner: str) -> str:
        """Return the id of a draft that has done all steps."""
        self.store("list.csv")
        ledger = self.site["datacenter"].ledger
        draft = ledger.new_draft("list.csv", "0" * 64, owner, datetime.now(timezone.utc))
        draft.processor, draft.mode, draft.columns = (
            "facultyprocessor",
            "create",
            ("code", "title"),
        )
        transaction.commit()
        return draft.id


class EscapingTest(SafetyTestCase):
    """Names, headers and cells are text, whatever they look like."""

    EVIL = "<img src=x onerror=alert(1)>"

    def assertHarmless(self, browser: Any) -> None:
        """Fail if the evil text is an element on the page, or is not on it at all."""
        self.assertNotIn("<img", browser.contents)
        self.assertIn("&lt;img", browser.contents)

    def test_file_names(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        self.store(f"{self.EVIL}.csv")
        for address in (CENTER, f"{CENTER}/import1"):
            browser.open(address)
            self.assertHarmless(browser)
        browser.open(CENTER)
        browser.getControl(name="val_id").value = [f"{self.EVIL}.csv"]
        browser.getControl("Remove selected").click()
        self.assertHarmless(browser)
        browser.getControl("Delete these files").click()
        self.assertHarmless(browser)

    def test_headers_cells_and_reasons(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        content = f"code,title,{self.EVIL}\n{self.EVIL},{self.EVIL},{self.EVIL}\nA1,Arts,x\n"
        self.store("list.csv", content)
        browser.open(f"{CENTER}/import1")
        browser.getControl(name="select").click()
        self.assertHarmless(browser)
        browser.getControl(name="importer").value = ["facultyprocessor"]
        browser.getControl(name="proceed").click()
        self.assertHarmless(browser)
        browser.getControl(name="constantfield").value = ["title_prefix"]
        browser.getControl(name="constant").value = self.EVIL
        browser.getControl(name="proceed").click()
        self.assertHarmless(browser)
        address = browser.url
        for button in ("check", "perform"):
            browser.getControl(name=button).click()
            self.assertNotIn("<img", browser.contents)
            FunctionalLayer.work_off_runs()
            browser.open(address)
            self.assertHarmless(browser)

    def test_what_comes_back_from_a_form(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        for address in (
            f"{CENTER}/download?filename={self.EVIL}",
            f"{CENTER}/import2?draft={self.EVIL}",
            f"{PORTAL}/skeleton?name={self.EVIL}",
            f"{PORTAL}/login?login={self.EVIL}&camefrom={self.EVIL}",
            f"{CENTER}/{self.EVIL}",
        ):
            browser.open(address)
            self.assertNotIn("<img", browser.contents, address)


class ErrorTest(SafetyTestCase):
    """What went wrong, in plain words."""

    def setUp(self) -> None:
        # What is expected here need not be on the screen.
        logging.getLogger("SiteError").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)
        self.browser = self.log_in("waeup.PortalManager")

    def test_nothing_there(self) -> None:
        for address in (f"{CENTER}/nothing", f"{PORTAL}/nothing", "http://localhost/nothing"):
            self.browser.open(address)
            self.assertEqual(self.status(self.browser), 404)
            self.assertIn("There is no such page", self.browser.contents)

    def test_what_zope_walks_by_is_no_page(self) -> None:
        found = getGlobalSiteManager().registeredAdapters()
        names = {each.name for each in found if each.provided is ITraversable} - {""}
        self.assertLess({"attribute", "etc", "view", "vh"}, names)
        for name in names:
            for place in ("http://localhost", PORTAL, CENTER, f"{PORTAL}/@@login"):
                for prefix in ("", "@@"):
                    with self.subTest(address := f"{place}/{prefix}{name}"):
                        self.browser.open(address)
                        self.assertEqual(self.status(self.browser), 404)

    def test_what_is_wrong_is_told_in_the_language_of_the_person(self) -> None:
        self.browser.addHeader("Accept-Language", "fr")
        self.browser.open(f"{CENTER}/nothing")
        self.assertIn("adresse est erronée", self.browser.contents)
        self.assertNotIn("The address is wrong", self.browser.contents)

    def test_an_unexpected_error_shows_no_traceback(self) -> None:
        with mock.patch.object(Operations, "pending_files", side_effect=ZeroDivisionError("zero")):
            self.browser.open(CENTER)
        self.assertEqual(self.status(self.browser), 500)
        self.assertIn("Something went wrong", self.browser.contents)
        for secret in ("Traceback", "ZeroDivisionError", "zero", ".py"):
            self.assertNotIn(secret, self.browser.contents)

    def test_an_unexpected_error_is_logged_with_its_traceback(self) -> None:
        failing = mock.patch.object(Operations, "pending_files", side_effect=ZeroDivisionError)
        with self.assertLogs("SiteError", "ERROR") as logged, failing:
            self.browser.open(CENTER)
        self.assertIn("Traceback", "\n".join(logged.output))

    def test_a_refusal_is_no_error_of_the_portal(self) -> None:
        with self.assertNoLogs("SiteError"):
            self.browser.open(f"{CENTER}/download?filename=../x.csv")
        self.assertEqual(self.status(self.browser), 400)

    def test_a_fault_explains_itself(self) -> None:
        fault = StorageFault("The disk is full. Make room and try again.")
        with mock.patch.object(Operations, "pending_files", side_effect=fault):
            self.browser.open(CENTER)
        self.assertEqual(self.status(self.browser), 500)
        self.assertIn("The disk is full. Make room and try again.", self.browser.contents)

    def test_folders_of_the_server_are_in_its_log_alone(self) -> None:
        text = _("The work folder ${path} cannot be made.", mapping={"path": "/srv/a b/secret"})
        fault = mock.patch.object(Operations, "pending_files", side_effect=StorageFault(text))
        with self.assertLogs("SiteError") as logged, fault:
            self.browser.open(CENTER)
        self.assertIn("The work folder secret cannot be made.", self.browser.contents)
        self.assertNotIn("/srv", self.browser.contents)
        self.assertIn("/srv/a b/secret", logged.output[0])

    def test_basic_authentication_of_the_server_still_works(self) -> None:
        browser = FunctionalLayer.browser()
        browser.addHeader("Authorization", "Basic mgr:mgrpw")
        browser.open(CENTER)
        self.assertEqual(browser.url, CENTER)
        self.assertIn("Manager", browser.contents)
