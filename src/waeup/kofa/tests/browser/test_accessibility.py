"""No page bars anybody: all of them, light and dark, on a phone and on a desk."""

import logging
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from unittest import mock

import transaction
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from waeup.kofa.deployment.delivering import Deliverer
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations import Operations
from waeup.kofa.tests.browser.axe import TAGS, violations
from waeup.kofa.tests.browser.exhibition import Exhibits, acting_as, furnish
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.webhooks.sending import Answer

#: The colours of somebody who has chosen few of them for all programs.
FORCED = [{"name": "forced-colors", "value": "active"}]
ROLES = ("waeup.ImportManager", "waeup.ExportManager")


class AccessibilityTest(ChromiumTestCase):
    """axe-core finds nothing against WCAG 2, levels A and AA; no page is wider than the screen."""

    def setUp(self) -> None:
        super().setUp()
        FunctionalLayer.add_user("ann", *ROLES)

    def enter(self) -> None:
        """Come as somebody who may do everything with data."""
        self.log_in_as("ann")
        self.window.get(f"{self.address}/app")

    def go(self, address: str) -> None:
        """Show a page of the data center."""
        self.window.get(f"{self.address}/app/datacenter{address}")

    def visit(self, pages: dict[str, str]) -> None:
        """Look at pages of the data center, by name and address."""
        for name, address in pages.items():
            self.go(address)
            self.look(name)

    def test_the_checker_finds_what_is_wrong(self) -> None:
        self.window.get(f"{self.address}/app/login")
        self.assertEqual(violations(self.window), [])
        self.window.execute_script(
            "document.querySelector('label').remove(); document.documentElement.lang = '';"
            "document.querySelector('h1').style.color = '#ddd';"
        )
        found = {line.partition(":")[0] for line in violations(self.window)}
        self.assertEqual(found, {"label", "html-has-lang", "color-contrast"})
        self.assertIn("wcag2aa", TAGS)

    def test_pages_for_everybody(self) -> None:
        self.window.get(f"{self.address}/app/login")
        self.look("log in")
        self.find("#login").send_keys("ann")
        self.find("#password").send_keys("wrong")
        self.press("SUBMIT")
        self.look("log in, refused")
        self.enter()
        self.look("start")
        self.window.get(f"{self.address}/app/logout")
        self.look("log out")
        logging.getLogger("SiteError").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("SiteError").setLevel, logging.NOTSET)
        self.window.get(f"{self.address}/app/nothing")
        self.look("not found")
        self.window.get(f"{self.address}/app/skeleton?name=nothing")
        self.look("refused")
        with mock.patch.object(Operations, "pending_files", side_effect=ZeroDivisionError):
            self.go("")
            self.assertIn("Something went wrong", self.text)
            self.look("unexpected")

    def test_pages_without_anything(self) -> None:
        self.enter()
        self.visit(
            {
                "home": "",
                "upload": "/upload",
                "processed": "/processed",
                "unfinished files": "/files?folder=unfinished",
                "deleted files": "/files?folder=deleted",
                "runs": "/runs",
                "choose a file": "/import1",
                "exports": "/export",
                "logs": "/logs",
                "export": "/exportconfig?exporter=students",
                "kinds": "/processors",
                "a kind": "/processors?name=studentprocessor",
                "kinds, search": "/processors?q=code",
                "kinds, nothing found": "/processors?q=nothing",
                "values": "/sources",
                "values, search": "/sources?q=trimester",
                "figures": "/figures",
                "figures, refused": "/figures?span=own&since=2026-02-30",
            }
        )

    def test_pages_with_something_of_everything(self) -> None:
        there = furnish("ann")
        self.enter()
        self.visit(
            {
                "home": "",
                "home, another page": "?page=2&sort=-size",
                "home, search": "?q=courses_1",
                "home, nothing found": "?q=nothing",
                "home, question": "?remove=courses_01_ann.csv&remove=courses_02_ann.csv",
                "upload": "/upload",
                "processed": "/processed",
                "unfinished files": "/files?folder=unfinished",
                "deleted files": "/files?folder=deleted",
                "runs": "/runs",
                "choose a file": "/import1",
                "logs": "/logs",
                "all logs": "/show?logname=&query=o",
                "a log, wrong expression": "/show?logname=main.log&query=(",
                "a log, nothing found": "/show?logname=main.log&officer=nobody",
                "exports": "/export",
                "figures": "/figures",
                "figures, months": "/figures?span=months",
                **{
                    f"run, {name}": f"/run?id={getattr(there, name)}"
                    for name in Exhibits._fields
                    if name not in ("mixed", "unclear")
                },
                "refused": "/run?id=nothing",
                "history": "/history",
                "history of an object": "/history?kind=facultyprocessor&key=AGR",
                "rows": f"/rows?id={there.done}",
                "rows that are not kept": f"/rows?id={there.undone}",
            }
        )
        self.go("")
        self.press_with(lambda: self.press_in("#waiting", "ask"), "home, nothing selected")
        self.go("/upload")
        self.find("#paste summary").click()
        self.look("upload, paste")

    def test_folders(self) -> None:
        furnish("ann", names=("courses_01", "courses_02"))
        self.enter()
        for folder in ("finished", "unfinished", "deleted", "graduated"):
            self.go(f"/files?folder={folder}&q=nothing")
            self.look(f"{folder} files, nothing found")
        with acting_as("ann") as operations:
            operations.delete(["courses_01_ann.csv", "courses_02_ann.csv"])
            transaction.commit()
            name = operations.deletions_of(["courses_01_ann.csv"])[0]
            storage = Path(operations.datacenter.storage)
        (storage / "graduated").mkdir(exist_ok=True)
        (storage / "graduated" / "students.csv").write_text(
            "student_id,del_date,back_date\nS1,,\n"
        )
        self.visit(
            {
                "home, deleted just now": f"?deleted={name}",
                **{
                    f"{folder} files": f"/files?folder={folder}&sort=name"
                    for folder in ("finished", "unfinished", "deleted", "graduated")
                },
                "purge, question": f"/files?folder=deleted&purge={name}",
                "purge of old files, question": (
                    "/files?folder=finished&before=2999-01-01T00:00:00%2B00:00"
                ),
                "restore, question": f"/files?folder=deleted&restore={name}",
                "restore a copy, question": ("/files?folder=unfinished&restore=faculties_ann.csv"),
            }
        )
        self.go("/files?folder=deleted")
        self.press_with(lambda: self.press("fetch"), "files, nothing selected")

    def test_what_is_current_is_told_without_colours(self) -> None:
        there = furnish("ann")
        self.enter()
        self.window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": FORCED})
        self.go("/files")
        self.assertCurrentStandsOut("main .button[aria-current]", "main .button")
        self.go("?page=2")
        self.assertCurrentStandsOut(".pages [aria-current]", ".number-of-page > a")
        self.assertCurrentStandsOut(".tabs [aria-current]", ".tabs a")
        self.go(f"/run?id={there.preview}")
        self.assertCurrentStandsOut(".filters [aria-current]", ".filters a")
        self.go("")
        self.press_in("#back", "mend")
        self.work_off(there)
        self.assertCurrentStandsOut(".problems [aria-current]", ".problems a")
        self.assertCurrentStandsOut(".steps [aria-current]", ".steps li")

    def test_progress_is_seen_without_colours(self) -> None:
        there = furnish("ann", names=())
        self.enter()
        self.window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": FORCED})
        self.go(f"/run?id={there.running}")
        bar = Image.open(BytesIO(self.find("progress").screenshot_as_png)).convert("RGB")
        middle = bar.height // 2
        self.assertNotEqual(
            bar.getpixel((bar.width // 4, middle)), bar.getpixel((bar.width * 3 // 4, middle))
        )

    def test_rows_that_came_back_are_mended(self) -> None:
        there = furnish("ann", names=())
        self.enter()
        self.go("")
        self.press_in("#back", "mend")
        self.look("mend, checking")
        self.work_off(there)
        self.look("mend")

    def work_off(self, there: Exhibits) -> None:
        """Let the check of rows that came back be done, and show them."""
        address = self.window.current_url
        with acting_as("ann") as operations:
            # What is exhibited as running would be worked on.
            operations.cancel(there.queued)
            operations.datacenter.runs.get(there.running).move("stopped")
            operations.datacenter.runs.deactivate(operations.datacenter.runs.get(there.running))
            transaction.commit()
        FunctionalLayer.work_off_runs()
        self.window.get(address)
        self.assertIn("All rows that fail", self.text)

    def assertCurrentStandsOut(self, current: str, all: str) -> None:  # noqa: A002
        """Fail unless what is current has another shape than its neighbours; both by selector."""
        shape = """return Array.from(document.querySelectorAll(arguments[0]), (element) => {
            const {borderTopWidth, textDecorationLine, fontWeight} = getComputedStyle(element);
            return [borderTopWidth, textDecorationLine, fontWeight].join(" ");
        })"""
        (here,) = self.window.execute_script(shape, current)
        shapes = self.window.execute_script(shape, all)
        self.assertGreater(len(shapes), 1, all)
        self.assertEqual(shapes.count(here), 1, (here, shapes))

    def test_accounts(self) -> None:
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        FunctionalLayer.add_user("bola", "waeup.ImportManager", "waeup.UsersManager")
        FunctionalLayer.add_user("chidi", "waeup.DataCenterManager", suspended=True)
        self.enter()
        site = f"{self.address}/app"
        for name in ("account", "password"):
            self.window.get(f"{site}/{name}")
            self.look(f"own {name}")
        for name, text in (("present", "x"), ("password", "short"), ("again", "other")):
            self.find(f"#{name}").send_keys(text)
        self.window.execute_script("document.querySelector('#password').minLength = 0")
        self.press_with(lambda: self.press("change"), "own password, refused")
        self.window.delete_all_cookies()
        self.log_in_as("boss")
        for number in range(30):
            FunctionalLayer.add_user(f"clerk{number:02}")
        for name in (
            "administration",
            "users",
            "users?page=2",
            "users?q=nobody",
            "adduser",
            "roles",
            "user?name=bola",
            "user?name=chidi",
            "user?name=boss",
        ):
            self.window.get(f"{site}/{name}")
            self.look(name.replace("?", " ").replace("=", " "))
        self.window.get(f"{site}/user?name=bola")
        self.press("ask")
        self.assertIn("Remove the account bola?", self.text)
        self.look("user, remove")
        self.window.get(f"{site}/user?name=bola")
        self.press_with(lambda: self.press("generate"), "user, password made")
        self.window.get(f"{site}/adduser")
        self.find("#name").send_keys("emma")
        self.find("#title").send_keys("Emma Ike")
        self.find("#email").send_keys("nonsense")
        self.press_with(lambda: self.press("add"), "user added, wrong")
        self.find("#email").clear()
        self.press_with(lambda: self.press("add"), "user added")

    def test_webhooks(self) -> None:
        self.enter()
        site = f"{self.address}/app"
        self.window.get(f"{site}/webhooks")
        self.look("webhooks, none")
        self.window.get(f"{site}/addwebhook")
        self.find("#address").send_keys("http://10.0.0.1/" + "a" * 200)
        self.find("[id='events-file.arrived']").click()
        self.press_with(lambda: self.press("add"), "webhook, refused")
        self.find("#address").clear()
        self.find("#address").send_keys("https://registry.example.org/" + "a" * 200)
        self.press_with(lambda: self.press("add"), "webhook, added")
        transaction.begin()
        with acting_as("ann") as operations:
            (webhook,) = operations.webhooks()
            for _number in range(3):
                operations.test_webhook(webhook.id)
            transaction.commit()
        answers = [Answer(200, "thanks"), Answer(503, "x" * 1024), Answer(410)]
        deliverer = Deliverer(send=mock.Mock(side_effect=answers))
        for _number in range(2):
            in_own_thread(lambda: deliverer.look(FunctionalLayer.database(), "/app"))
        self.window.get(f"{site}/webhooks")
        self.look("webhooks, one")
        self.window.get(f"{site}/webhook?id={webhook.id}")
        self.look("webhook, turned off by itself")
        self.press_with(lambda: self.press("turnon"), "webhook, on")
        self.press_with(lambda: self.press("renew"), "webhook, new secret")
        self.press("ask")
        self.look("webhook, question")

    def test_tokens(self) -> None:
        FunctionalLayer.add_user("boss", "waeup.PortalManager")
        self.enter()
        site = f"{self.address}/app"
        self.window.get(f"{site}/access")
        self.look("access, none")
        self.window.execute_script("document.querySelector('#title').required = false")
        self.press_with(lambda: self.press("make"), "access, refused")
        self.find("#title").send_keys("registry nightly push " * 3)
        self.find("#scope-read").click()
        self.find("#scope-import").click()
        self.press_with(lambda: self.press("make"), "access, made")
        self.window.get(f"{site}/access")
        self.look("access, one")
        self.window.get(f"{site}/password")
        self.look("own password, with tokens")
        self.window.get(f"{site}/access")
        self.press("askrevoke")
        self.look("access, question")
        self.press("revoke")
        self.look("access, revoked")
        self.window.delete_all_cookies()
        self.log_in_as("boss")
        self.window.get(f"{site}/user?name=ann")
        self.look("user, tokens")

    def test_the_steps_of_an_import(self) -> None:
        there = furnish("ann", names=())
        self.enter()
        self.choose(there.unclear)
        self.look("step 2, unclear")
        self.choose(there.mixed)
        self.look("step 2")
        Select(self.find("#importer")).select_by_value("")
        self.press_with(lambda: self.press("proceed"), "step 2, nothing chosen")
        Select(self.find("#importer")).select_by_value("facultyprocessor")
        self.press("proceed")
        self.look("step 3")
        fields = self.window.find_elements(By.CSS_SELECTOR, "select[name=headerfield]")
        Select(fields[0]).select_by_index(0)
        self.press_with(lambda: self.press("proceed"), "step 3, something missing")
        self.press("reset")
        self.press("proceed")
        self.look("step 4")
        address = self.window.current_url
        self.press("check")
        self.look("step 4, checking")
        FunctionalLayer.work_off_runs()
        self.window.get(address)
        self.assertIn("Would be created", self.text)
        self.look("step 4, checked")

    def press_with(self, press: Callable[[], None], name: str) -> None:
        """Press a button, and look at the page with the message that it gives."""
        press()
        self.assertTrue(self.window.find_elements(By.CSS_SELECTOR, ".alert"), name)
        self.look(name)

    def press_in(self, part: str, button: str) -> None:
        """Press a button in a part of the page."""
        self.leave_by(self.find(f"{part} button[name={button}]"))

    def choose(self, name: str) -> None:
        """Begin the import of a file."""
        self.go("")
        self.leave_by(self.find(f"button[name=select][value='{name}']"))
