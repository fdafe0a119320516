"""Errors and their references, maintenance mode, and the page about the system."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import transaction
from ZODB.POSException import ConflictError
from zope.component import getUtility
from zope.component.hooks import site as site_set
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa import meters
from waeup.kofa.deployment import logs
from waeup.kofa.errors import StorageFault
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.maintenance import close_portal, maintenance_of
from waeup.kofa.operations import Operations, state
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, fill_in_login

PORTAL = "http://localhost/app"
CENTER = f"{PORTAL}/datacenter"
LOGIN = f"{PORTAL}/login"
REFERENCE = re.compile(r'<code class="reference">([2-9a-z]{4}-[2-9a-z]{4})</code>')
CLOSED = "The portal is closed for a while"


class UpkeepTestCase(FunctionalTestCase):
    """A portal that keeps a log, and its administrator."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name, "portal.log")
        logging_on = logs.kept(self.log.parent, "portal")
        logging_on.__enter__()
        self.addCleanup(logging_on.__exit__, None, None, None)
        config: Any = getUtility(IDataCenterConfig, context=None)
        self.config = config
        more = mock.patch.dict(
            FunctionalLayer._config,
            log_folder=folder.name,
            backup_stamp=str(Path(folder.name, "last-backup")),
        )
        more.start()
        self.addCleanup(more.stop)
        self.browser = self.log_in("waeup.PortalManager", name="boss")

    def status(self, browser: Any = None) -> int:
        """Return the status of the last answer."""
        return int((browser or self.browser).headers["Status"][:3])

    def conflicts(self) -> float:
        """Return how many conflicts pages have had."""
        name = "kofa_conflicts_total"
        return meters.REGISTRY.get_sample_value(name, {"where": "request"}) or 0.0

    def go(self, address: str, browser: Any = None) -> str:
        """Open an address and return the page."""
        browser = browser or self.browser
        browser.open(address)
        return str(browser.contents)

    @contextmanager
    def failing(self, error: Exception) -> Iterator[None]:
        """Let the home page of the data center fail."""
        with mock.patch.object(Operations, "pending_files", side_effect=error):
            yield


class ReferenceTest(UpkeepTestCase):
    """What an error page shows leads to its entry in the log."""

    def fail(self, error: Exception | None = None) -> str:  # type: ignore[override]
        """Let a page fail, and return the reference that it shows."""
        with self.failing(error or ZeroDivisionError("odd")):
            page = self.go(f"{CENTER}/index?token=very-secret")
        self.assertEqual(self.status(), 500)
        found = REFERENCE.search(page)
        assert found is not None
        self.assertEqual(self.browser.headers["X-Error-Reference"], found[1])
        self.assertNotIn("Traceback", page)
        self.assertNotIn("odd", page)
        return found[1]

    def test_it_is_in_the_log_with_method_address_user_and_traceback(self) -> None:
        reference = self.fail()
        text = self.log.read_text("utf-8")
        self.assertRegex(
            text, rf"ERROR SiteError \[{reference}\] GET http://localhost/app/\S* by boss\n"
        )
        self.assertIn("ZeroDivisionError: odd", text)
        self.assertEqual(text.count(f"[{reference}]"), 1)

    def test_neither_query_nor_form_nor_cookies_are_in_the_log(self) -> None:
        self.fail()
        text = self.log.read_text("utf-8")
        for secret in ("very-secret", *self.browser.cookies.values()):
            self.assertNotIn(secret, text)

    def test_a_fault_has_one_too(self) -> None:
        self.assertIn(self.fail(StorageFault("The disk is full.")), self.log.read_text("utf-8"))
        self.assertIn("The disk is full.", self.browser.contents)

    def test_each_error_has_its_own(self) -> None:
        self.assertNotEqual(self.fail(), self.fail())

    def test_the_administrator_finds_the_entry(self) -> None:
        reference, other = self.fail(), self.fail(KeyError("another"))
        for typed in (reference, reference.upper(), reference.replace("-", " ")):
            self.go(f"{PORTAL}/system")
            self.browser.getControl(name="reference").value = typed
            self.browser.getControl(name="find").click()
            self.assertIn("ZeroDivisionError: odd", self.browser.contents)
            self.assertNotIn("another", self.browser.contents)
        self.assertNotEqual(reference, other)

    def test_what_is_no_reference_or_in_no_log_is_refused(self) -> None:
        for typed, said, status in (
            ("../../etc/passwd", "This is no reference.", 400),
            ("", "This is no reference.", 400),
            ("aaaa-aaaa", "No log has the reference aaaa-aaaa.", 404),
        ):
            self.go(f"{PORTAL}/system")
            self.browser.getControl(name="reference").value = typed
            self.browser.getControl(name="find").click()
            self.assertEqual(self.status(), status)
            self.assertIn(said, self.browser.contents)

    def test_a_file_that_a_script_sends_gets_it_as_json(self) -> None:
        self.go(CENTER)
        token = self.browser.getControl(name="form_token", index=0).value
        with mock.patch.object(Operations, "upload", side_effect=ZeroDivisionError):
            answer = self.browser.testapp.put(
                f"{CENTER}/upload?name=a.csv&token=x",
                params=b"a,b\n",
                headers={"X-Form-Token": token, "Content-Type": "application/octet-stream"},
                expect_errors=True,
            )
        self.assertEqual(answer.status_int, 500)
        self.assertEqual(answer.content_type, "application/json")
        self.assertIn(json.loads(answer.text)["reference"], self.log.read_text("utf-8"))

    def test_changes_that_conflict_for_good_say_so(self) -> None:
        before = self.conflicts()
        with self.failing(ConflictError()):
            page = self.go(CENTER)
        self.assertEqual(self.conflicts() - before, 4, "the request, and three that repeat it")
        self.assertEqual(self.status(), 503)
        self.assertEqual(self.browser.headers["Retry-After"], "1")
        self.assertIn("Others changed the same at the same moment", page)
        self.assertIn("Gave up after conflicts: GET", self.log.read_text("utf-8"))
        self.assertNotIn("Traceback", self.log.read_text("utf-8"))


class MaintenanceTest(UpkeepTestCase):
    """The portal is closed for all but who has closed it."""

    def setUp(self) -> None:
        super().setUp()
        self.officer = self.log_in("waeup.ImportManager", name="officer")

    def close(self, text: str = "The server moves.\nBack at 14:00.") -> None:
        """Close the portal on its page."""
        self.go(f"{PORTAL}/switchmaintmode")
        self.browser.getControl(name="text").value = text
        self.browser.getControl(name="enable").click()

    def test_a_link_does_not_close_it(self) -> None:
        self.go(f"{PORTAL}/switchmaintmode?enable=1")
        self.assertEqual(self.status(), 405)
        self.assertIsNone(maintenance_of(self.site))

    def test_who_has_closed_it_works_and_is_reminded(self) -> None:
        self.close()
        self.assertIn("Maintenance mode enabled.", self.browser.contents)
        self.assertIn("Maintenance mode is on", self.go(CENTER))
        self.assertEqual(self.status(), 200)

    def test_others_get_a_page_that_says_why_and_since_when(self) -> None:
        self.close()
        for path in ("", "/datacenter", "/datacenter/upload", "/nothing", "/system", "/account"):
            page = self.go(f"{PORTAL}{path}", self.officer)
            self.assertEqual(self.status(self.officer), 503, path)
            self.assertIn(CLOSED, page)
            self.assertIn("<p>Back at 14:00.</p>", page)
            self.assertIn("<time", page)
            self.assertEqual(self.officer.headers["Retry-After"], "300")
            self.assertNotIn("Traceback", page)

    def test_strangers_get_it_too_and_a_way_to_log_in(self) -> None:
        self.close()
        stranger = FunctionalLayer.browser(CENTER)
        self.assertEqual(self.status(stranger), 503)
        stranger.getLink("Log-in for administrators").click()
        self.assertEqual(self.status(stranger), 200)
        self.assertIn("authentication (login) temporarily disabled", stranger.contents)
        stranger.open(f"{PORTAL}/@@/waeup.kofa.browser/kofa.css")
        self.assertEqual(self.status(stranger), 200)

    def test_what_others_send_meanwhile_changes_nothing(self) -> None:
        self.go(f"{CENTER}/upload", self.officer)
        self.officer.getControl(name="table").value = "code,title\nA,B\n"
        self.close()
        before = FunctionalLayer.database().lastTransaction()
        self.officer.getControl(name="PASTE").click()
        self.assertEqual(self.status(self.officer), 503)
        self.assertEqual(FunctionalLayer.database().lastTransaction(), before)

    def test_scripts_are_refused_with_the_same_status(self) -> None:
        self.close()
        answer = self.officer.testapp.put(
            f"{CENTER}/upload?name=a.csv&token=x",
            params=b"a,b\n",
            headers={"Content-Type": "application/octet-stream"},
            expect_errors=True,
        )
        self.assertEqual(answer.status_int, 503)
        self.assertIn("closed for a while", json.loads(answer.text)["error"])
        for address in ("runstatus?id=x", "mend", "import3?part=1"):
            self.go(f"{CENTER}/{address}", self.officer)
            self.assertEqual(self.status(self.officer), 503, address)

    def test_only_administrators_can_log_in(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        FunctionalLayer.add_user("second", "waeup.PortalManager")
        self.close()
        browser = FunctionalLayer.browser(LOGIN)
        fill_in_login(browser, "ann", "pw of ann")
        self.assertEqual(self.status(browser), 503)
        self.assertIn("temporarily disabled", browser.contents)
        self.go(CENTER, browser)
        self.assertIn("Log-in for administrators", browser.contents)
        browser.open(LOGIN)
        fill_in_login(browser, "second", "pw of second")
        self.assertEqual(self.status(browser), 503)
        browser.getLink("Open the portal, or take it over").click()
        self.assertIn("<strong>boss</strong> has closed it", browser.contents)
        browser.getControl(name="enable").click()
        self.assertEqual(self.status(browser), 200)
        self.assertIn(CLOSED, self.go(CENTER))

    def test_who_has_to_choose_a_password_first_can_open_it_then(self) -> None:
        self.close()
        other = FunctionalLayer.add_user("other", "waeup.PortalManager")
        other.has_foreign_password = True
        transaction.commit()
        browser = FunctionalLayer.browser(LOGIN)
        fill_in_login(browser, "other", "pw of other")
        self.go(f"{PORTAL}/switchmaintmode", browser)
        self.assertIn("/password?", browser.url)
        self.assertEqual(self.status(browser), 200)
        for name, text in (
            ("present", "pw of other"),
            ("password", "two horses, one cart"),
            ("again", "two horses, one cart"),
        ):
            browser.getControl(name=name).value = text
        browser.getControl(name="change").click()
        browser.getControl(name="disable").click()
        self.assertIsNone(maintenance_of(self.site))

    def test_opened_again_everybody_goes_on(self) -> None:
        self.close()
        self.go(f"{PORTAL}/switchmaintmode")
        self.browser.getControl(name="disable").click()
        self.assertIn("Maintenance mode disabled.", self.browser.contents)
        self.assertNotIn("Maintenance mode is on", self.browser.contents)
        self.go(CENTER, self.officer)
        self.assertEqual(self.status(self.officer), 200)
        log = (self.storage / "logs" / "main.log").read_text("utf-8")
        self.assertIn("boss - maintmode enabled", log)
        self.assertIn("boss - maintmode disabled", log)

    def test_who_has_lost_the_right_cannot_work_any_more(self) -> None:
        self.close()
        account = self.site["users"]["boss"]
        account.roles = ["waeup.ImportManager"]
        with site_set(self.site):
            notify(ObjectModifiedEvent(account))
        transaction.commit()
        self.assertIn(CLOSED, self.go(CENTER))
        self.assertNotIn("take it over", self.browser.contents)

    def test_runs_go_on(self) -> None:
        from waeup.kofa.tests.browser.exhibition import FACULTIES, order, put

        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        id = order(put("f.csv", FACULTIES, "ann"), "ann")
        close_portal(self.site, "boss", "")
        transaction.commit()
        FunctionalLayer.work_off_runs()
        self.assertEqual(self.site["datacenter"].runs.get(id).state, "finished")

    def test_a_text_that_is_too_long_is_refused(self) -> None:
        self.close("x" * 2001)
        self.assertEqual(self.status(), 400)
        self.assertIn("The text has 2001 characters", self.browser.contents)
        self.assertIsNone(maintenance_of(self.site))

    def test_the_text_is_text(self) -> None:
        self.close("<img src=x onerror=alert(1)> ${view/token}")
        page = self.go(CENTER, self.officer)
        self.assertIn("&lt;img src=x onerror=alert(1)&gt; ${view/token}", page)
        self.assertNotIn("<img", page)


class SystemTest(UpkeepTestCase):
    """What the administrator is told of the system."""

    def setUp(self) -> None:
        super().setUp()
        state._kept.clear()

    def test_it_tells_versions_sizes_and_what_waits(self) -> None:
        (self.storage / "finished" / "x.finished.csv").write_bytes(b"x" * 5000)
        page = self.go(f"{PORTAL}/system")
        for text in ("waeup.kofa", "ZODB", "Python", "None is known", "mail is not set up"):
            self.assertIn(text, page)
        self.assertIn("5 kB", page)

    def test_limits_are_told_by_their_numbers(self) -> None:
        page = self.go(f"{PORTAL}/system")
        for title, number in (
            ("Largest upload", "209.7 MB"),
            ("Days for which an import can be taken back", "30"),
            ("Hours for which the result of an export is kept", "24"),
            ("Objects that may be removed without a question", "10%"),
            ("Objects that may be changed without a question", "50%"),
        ):
            self.assertIn(f"<dt>{title}</dt><dd>{number}</dd>", page)

    def test_a_backup_is_told_by_its_file(self) -> None:
        stamp = Path(FunctionalLayer._config["backup_stamp"])
        stamp.write_text("To the <b>archive</b>\n", encoding="utf-8")
        self.assertIn("To the &lt;b&gt;archive&lt;/b&gt;", self.go(f"{PORTAL}/system"))

    def test_folders_are_counted_once_an_hour_and_on_demand(self) -> None:
        self.go(f"{PORTAL}/system")
        with mock.patch.object(state, "measure", side_effect=AssertionError):
            self.go(f"{PORTAL}/system")
            self.assertEqual(self.status(), 200)
        with mock.patch.object(state, "measure", return_value=[]) as measured:
            self.browser.getControl(name="count").click()
        self.assertEqual(measured.call_count, 1)

    def test_a_run_that_has_stopped_is_linked(self) -> None:
        from waeup.kofa.tests.browser.exhibition import furnish

        FunctionalLayer.add_user("ann", "waeup.ImportManager", "waeup.ExportManager")
        there = furnish("ann", names=())
        self.assertIn(f'href="{CENTER}/run?id={there.stopped}"', self.go(f"{PORTAL}/system"))

    def test_nothing_secret_is_on_it(self) -> None:
        page = self.go(f"{PORTAL}/system")
        for secret in (self.site["users"]["boss"].password, *self.browser.cookies.values()):
            self.assertNotIn(secret, page)
