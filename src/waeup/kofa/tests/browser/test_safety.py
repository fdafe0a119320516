"""What holds for all pages: tokens, methods, roles, escaping, headers, errors in plain words."""

import logging
import re
from datetime import datetime, timezone
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction
from zope.component import getGlobalSiteManager

from waeup.kofa.app import University
from waeup.kofa.browser.page import SECURITY_HEADERS, Door, FormPage
from waeup.kofa.datacenter import DataCenter
from waeup.kofa.errors import StorageFault
from waeup.kofa.jobs import Order, Run
from waeup.kofa.operations import Operations
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase

PORTAL = "http://localhost/app"
CENTER = f"{PORTAL}/datacenter"


class SafetyTestCase(FunctionalTestCase):
    """Views are found by themselves: a new one is tested, too."""

    def views(self) -> list[tuple[str, type[Door]]]:
        """Return address and class of all views of the portal and of its data center."""
        found = []
        for address, context in ((PORTAL, University), (CENTER, DataCenter)):
            for registration in getGlobalSiteManager().registeredAdapters():
                factory: Any = registration.factory
                if (
                    isinstance(factory, type)
                    and issubclass(factory, Door)
                    and registration.required[0].implementedBy(context)
                ):
                    found.append((f"{address}/{registration.name}", factory))
        return found

    def status(self, browser: Any) -> int:
        """Return the status of the last answer."""
        return int(browser.headers["Status"][:3])


class EveryViewTest(SafetyTestCase):
    """One test for all of them."""

    def test_all_views_are_found(self) -> None:
        addresses = {address for address, _view in self.views()}
        for name in ("index", "upload", "processed", "import4", "runs", "run", "runstatus"):
            self.assertIn(f"{CENTER}/{name}", addresses)
        for name in ("index", "login", "logout", "skeleton"):
            self.assertIn(f"{PORTAL}/{name}", addresses)

    def test_strangers_see_only_the_log_in_page(self) -> None:
        for address, _view in self.views():
            with self.subTest(address=address):
                browser = FunctionalLayer.browser(address)
                self.assertIn(
                    browser.url.partition("?")[0], (f"{PORTAL}/login", f"{PORTAL}/logout")
                )

    def test_an_account_without_role_sees_nothing_of_the_data_center(self) -> None:
        browser = self.log_in()
        for address, _view in self.views():
            if address.startswith(CENTER):
                with self.subTest(address=address):
                    browser.open(address)
                    self.assertEqual(self.status(browser), 403)

    def test_only_import_managers_reach_step_4(self) -> None:
        browser = self.log_in("waeup.DataCenterManager")
        browser.open(f"{CENTER}/import4")
        self.assertEqual(self.status(browser), 403)
        self.assertIn("Import Manager, Portal Manager", browser.contents)

    def test_no_button_works_by_a_link(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        for address, view in self.views():
            for button in getattr(view, "buttons", ()):
                with self.subTest(address=address, button=button):
                    browser.open(f"{address}?{button}=1&{urlencode(self.names())}")
                    self.assertEqual(self.status(browser), 405)
                    self.assertEqual(browser.headers["Allow"], "POST")

    def test_no_button_works_without_a_token(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        browser.open(CENTER)
        good = browser.getControl(name="form_token").value
        for address, view in self.views():
            for button in getattr(view, "buttons", ()):
                for token in (None, "", "wrong", good[:-1] + "ü", good + "0"):
                    with self.subTest(address=address, button=button, token=token):
                        fields = {button: "1", **self.names()}
                        if token is not None:
                            fields["form_token"] = token
                        browser.post(address, urlencode(fields))
                        self.assertEqual(self.status(browser), 403)
                        self.assertIn("This form was out of date", browser.contents)

    def test_another_sessions_token_is_no_token(self) -> None:
        browser, other = self.log_in("waeup.PortalManager"), self.log_in(name="other")
        token = other.getControl(name="form_token").value
        browser.post(f"{PORTAL}/logout", urlencode({"logout": "1", "form_token": token}))
        self.assertEqual(self.status(browser), 403)

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
        for address in (*dict(self.views()), f"{CENTER}/nothing", "http://localhost/nothing"):
            browser.open(address)
            for name, value in SECURITY_HEADERS.items():
                self.assertEqual(browser.headers[name], value, address)

    def test_no_page_has_inline_script_or_style(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        self.store("list.csv")
        for address, view in self.views():
            if issubclass(view, FormPage):
                browser.open(f"{address}?{urlencode(self.names())}")
                self.assertNotRegex(browser.contents, r"<style|\sstyle=|\son[a-z]+=|javascript:")
                self.assertNotRegex(browser.contents, r"<script(?![^>]* src=)")
                self.assertEqual(browser.contents.count("<h1"), 1)

    def test_every_control_has_a_label(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        self.store("list.csv")
        for address, view in self.views():
            if issubclass(view, FormPage):
                browser.open(f"{address}?{urlencode(self.names())}")
                for control in re.findall(r"<(?:input|select)[^>]*>", browser.contents):
                    if 'type="hidden"' in control or "aria-label=" in control:
                        continue
                    name = re.search(r' id="([^"]*)"', control)
                    self.assertIsNotNone(name, f"{address}: {control}")
                    assert name is not None
                    self.assertIn(f'for="{name[1]}"', browser.contents, address)

    def names(self) -> dict[str, str]:
        """Return what an address may have to name: a draft, a run, and an exporter."""
        draft, runs = self.draft("officer"), self.site["datacenter"].runs
        order = Order("import", "list.csv", "", "facultyprocessor", "create", "officer")
        run = next(iter(runs), None) or runs.add(Run(order, "academic"))
        transaction.commit()
        return {"draft": draft, "id": run.id, "exporter": "faculties"}

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

    def test_fields_of_unexpected_kinds_do_no_harm(self) -> None:
        browser = self.log_in("waeup.PortalManager")
        for address, _view in self.views():
            for query in (
                "draft:list=a",
                "draft:record.x=a",
                "draft=%ff",
                "uploadfile=x",
                "a:b=c",
            ):
                with self.subTest(address=address, query=query):
                    browser.open(f"{address}?{query}")
                    self.assertNotEqual(self.status(browser), 500)


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

    def test_basic_authentication_of_the_server_still_works(self) -> None:
        browser = FunctionalLayer.browser()
        browser.addHeader("Authorization", "Basic mgr:mgrpw")
        browser.open(CENTER)
        self.assertEqual(browser.url, CENTER)
        self.assertIn("Manager", browser.contents)
