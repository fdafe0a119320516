"""Accounts in the browser: the administrator's pages, and what people do with their own."""

import re
from datetime import datetime, timezone
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction

from waeup.kofa.browser import login
from waeup.kofa.browser.throttle import LoginThrottle
from waeup.kofa.jobs import Order, Run
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, fill_in_login

PORTAL = "http://localhost/app"
GOOD = "horse battery staple"


class PeopleTestCase(FunctionalTestCase):
    """Has a browser of the administrator ``boss``, and other accounts."""

    def setUp(self) -> None:
        fresh = mock.patch.object(login, "throttle", LoginThrottle())
        fresh.start()
        self.addCleanup(fresh.stop)
        self.boss = FunctionalLayer.log_in("boss", "waeup.PortalManager")
        FunctionalLayer.add_user("bola", "waeup.ImportManager")

    def users(self) -> Any:
        """Return the accounts as they are in the database."""
        transaction.begin()
        return self.site["users"]

    def status(self, browser: Any) -> int:
        """Return the status of the last answer."""
        return int(browser.headers["Status"][:3])

    def enter(self, name: str, password: str) -> Any:
        """Return a browser in which somebody has tried to log in."""
        browser = FunctionalLayer.browser(f"{PORTAL}/login")
        fill_in_login(browser, name, password)
        return browser

    def log(self) -> str:
        """Return the portal's log."""
        return (self.storage / "logs" / "main.log").read_text()

    def post(self, browser: Any, view: str, **fields: str) -> None:
        """Send a form with the token of the page that is shown."""
        token = browser.getControl(name="form_token", index=0).value
        browser.post(f"{PORTAL}/{view}", urlencode({**fields, "form_token": token}))


class ListTest(PeopleTestCase):
    """All accounts."""

    def test_accounts_are_listed_with_what_matters(self) -> None:
        account = self.users()["bola"]
        account.email = "bola@example.org"
        account.logged_in(datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc))
        transaction.commit()
        self.boss.open(f"{PORTAL}/users")
        for text in ("bola@example.org", "Import Manager", "Portal Manager", "2026", "Active"):
            self.assertIn(text, self.boss.contents)

    def test_search_and_filter(self) -> None:
        FunctionalLayer.add_user("nora")
        found = {
            "q=OLA": {"bola"},
            "role=waeup.PortalManager": {"boss"},
            "role=none": {"nora"},
            "q=b&role=waeup.ImportManager": {"bola"},
            "q=zzz": set(),
        }
        for query, names in found.items():
            self.boss.open(f"{PORTAL}/users?{query}")
            listed = set(re.findall(r"user\?name=(\w+)", self.boss.contents))
            self.assertEqual(listed, names, query)
        self.assertIn("No account fits", self.boss.contents)

    def test_many_accounts_come_page_by_page(self) -> None:
        for number in range(30):
            FunctionalLayer.add_user(f"u{number:02}")
        self.boss.open(f"{PORTAL}/users?q=u&page=2")
        listed = re.findall(r"user\?name=(\w+)", self.boss.contents)
        self.assertEqual(listed, ["u25", "u26", "u27", "u28", "u29"])
        self.assertIn("q=u&amp;page=1", self.boss.contents)

    def test_roles_say_what_they_allow_and_who_has_them(self) -> None:
        self.boss.open(f"{PORTAL}/roles")
        self.assertIn("Imports files, and takes imports back.", self.boss.contents)
        self.assertIn("users?role=waeup.ImportManager", self.boss.contents)
        self.assertIn(">bola</a>", self.boss.contents)

    def test_only_who_manages_users_sees_them(self) -> None:
        officer = FunctionalLayer.log_in("ann", "waeup.ImportManager", "waeup.ExportManager")
        for view in ("users", "adduser", "user?name=bola", "roles"):
            officer.open(f"{PORTAL}/{view}")
            self.assertEqual(self.status(officer), 403, view)


class ChangeTest(PeopleTestCase):
    """Accounts are made, changed, suspended and removed."""

    def setUp(self) -> None:
        super().setUp()
        self.boss.open(f"{PORTAL}/user?name=bola")

    def test_an_account_is_made_with_a_password_that_is_shown_once(self) -> None:
        browser = self.boss
        browser.open(f"{PORTAL}/adduser")
        browser.getControl("User Id").value = "chidi"
        browser.getControl("Full Name").value = "Chidi Eze"
        browser.getControl("Email Address").value = "chidi@example.org"
        browser.getControl("Language").value = ["de"]
        browser.getControl("Export Manager").selected = True
        browser.getControl("Add the user").click()
        (password,) = re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", browser.contents)
        account = self.users()["chidi"]
        self.assertEqual(
            (account.title, account.email, account.language, account.roles),
            ("Chidi Eze", "chidi@example.org", "de", ["waeup.ExportManager"]),
        )
        self.assertTrue(account.checkPassword(password) and account.has_foreign_password)
        browser.open(f"{PORTAL}/user?name=chidi")
        self.assertNotIn(password, browser.contents)
        self.assertNotIn(password, self.log())

    def test_what_is_wrong_is_said_at_its_field(self) -> None:
        browser = self.boss
        browser.open(f"{PORTAL}/adduser")
        browser.getControl("User Id").value = "a b"
        browser.getControl("Email Address").value = "nonsense"
        browser.getControl("Import Manager").selected = True
        browser.getControl("Add the user").click()
        self.assertEqual(self.status(browser), 400)
        for name in ("name", "email", "title"):
            self.assertIn(f'id="{name}-error"', browser.contents)
        self.assertEqual(browser.getControl("Email Address").value, "nonsense")
        self.assertIn("(One address, such as ann@example.org.)", browser.contents)
        self.assertTrue(browser.getControl("Import Manager").selected)
        browser.getControl("User Id").value = "boss"
        browser.getControl("Full Name").value = "Another"
        browser.getControl("Email Address").value = ""
        browser.getControl("Add the user").click()
        self.assertEqual(self.status(browser), 409)
        self.assertIn("There is a user", browser.contents)

    def test_details_and_roles_are_changed(self) -> None:
        browser = self.boss
        browser.getControl("Full Name").value = "Bola Ade"
        browser.getControl("Phone").value = "+234-1-5551234"
        browser.getControl("Import Manager").selected = False
        browser.getControl("Users Manager").selected = True
        browser.getControl("Save").click()
        self.assertIn("The account was changed.", browser.contents)
        account = self.users()["bola"]
        self.assertEqual((account.title, account.roles), ("Bola Ade", ["waeup.UsersManager"]))
        browser.getControl("Save").click()
        self.assertIn("Nothing was changed.", browser.contents)
        self.assertIn("User changed: bola, title=Bola Ade", self.log())

    def test_changes_of_two_are_told_and_not_overwritten(self) -> None:
        browser = self.boss
        account = self.users()["bola"]
        account.title, account.roles = "Somebody else's", ["waeup.ExportManager"]
        transaction.commit()
        browser.getControl("Full Name").value = "Mine"
        browser.getControl("Save").click()
        self.assertEqual(self.status(browser), 409)
        self.assertIn("changed this account meanwhile", browser.contents)
        self.assertIn("Set now: Somebody else", browser.contents)
        self.assertIn("Set now: Export Manager", browser.contents)
        self.assertEqual(self.users()["bola"].title, "Somebody else's")
        self.assertEqual(browser.getControl("Full Name").value, "Mine")
        browser.getControl("Save").click()
        self.assertEqual(self.users()["bola"].title, "Mine")

    def test_suspended_is_out_at_once_and_sessions_of_before_stay_ended(self) -> None:
        bola = self.enter("bola", "pw of bola")
        self.boss.getControl("Suspend").click()
        self.assertIn("Suspended", self.boss.contents)
        bola.open(f"{PORTAL}/account")
        self.assertIn("/login", bola.url)
        self.assertIn("wrong credentials", self.enter("bola", "pw of bola").contents)
        self.boss.getControl("Resume").click()
        bola.open(f"{PORTAL}/account")
        self.assertIn("/login", bola.url)
        self.assertIn("You logged in.", self.enter("bola", "pw of bola").contents)

    def test_another_language_is_spoken_at_once(self) -> None:
        bola = self.enter("bola", "pw of bola")
        bola.open(f"{PORTAL}/account")
        bola.getControl(name="language").value = ["de"]
        bola.getControl(name="save").click()
        self.assertIn("<h1>Ihr Konto</h1>", bola.contents)
        self.assertIn("Ihr Konto wurde geändert.", bola.contents)
        bola.getControl(name="language").value = [""]
        bola.getControl(name="save").click()
        self.assertIn("Your account was changed.", bola.contents)

    def test_log_out_everywhere(self) -> None:
        bola = self.enter("bola", "pw of bola")
        self.boss.getControl("Log out everywhere").click()
        bola.open(f"{PORTAL}/account")
        self.assertIn("/login", bola.url)
        self.assertIn("You logged in.", self.enter("bola", "pw of bola").contents)

    def test_removal_says_what_it_does_and_asks(self) -> None:
        order = Order("import", "list.csv", "", "facultyprocessor", "create", "bola")
        self.site["datacenter"].runs.add(Run(order, "academic"))
        transaction.commit()
        self.boss.getControl("Remove…").click()
        self.assertIn("keep its name", self.boss.contents)
        self.assertIn("and will stop: 1", self.boss.contents)
        self.assertIn("bola", self.users())
        self.boss.getControl("Remove the account").click()
        self.assertIn("The account bola was removed.", self.boss.contents)
        self.assertNotIn("bola", self.users())

    def test_a_password_is_set_and_another_one_is_asked_for_at_the_log_in(self) -> None:
        former = self.enter("bola", "pw of bola")
        self.boss.getControl("Password", index=0).value = GOOD
        self.boss.getControl("The same again").value = GOOD
        self.boss.getControl("Set this password").click()
        self.assertIn("The password was set.", self.boss.contents)
        former.open(f"{PORTAL}/account")
        self.assertIn("/login", former.url)
        browser = FunctionalLayer.browser(f"{PORTAL}/datacenter/runs?x=1")
        fill_in_login(browser, "bola", GOOD)
        self.assertIn("/password?camefrom=", browser.url)
        for view in ("", "/account", "/datacenter", "/datacenter/runstatus?id=x"):
            browser.open(f"{PORTAL}{view}")
            self.assertIn("Choose one of your own", browser.contents, view)
        browser.open(f"{PORTAL}/datacenter/runs?x=1")
        browser.getControl("Present password").value = GOOD
        browser.getControl("New password").value = "quiet river lantern"
        browser.getControl("The new password again").value = "quiet river lantern"
        browser.getControl("Change your password").click()
        self.assertEqual(browser.url, f"{PORTAL}/datacenter/runs?x=1")
        self.assertFalse(self.users()["bola"].has_foreign_password)

    def test_a_lasting_password_asks_for_nothing(self) -> None:
        self.boss.getControl("Ask for a password of their own").selected = False
        self.boss.getControl("Make a password and show it").click()
        (password,) = re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", self.boss.contents)
        self.assertEqual(self.enter("bola", password).url, PORTAL)

    def test_who_reloads_the_answer_sets_no_second_password(self) -> None:
        sent = {"name": "bola", "form_id": self.boss.getControl(name="form_id").value}
        self.post(self.boss, "user", generate="1", **sent)
        (password,) = re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", self.boss.contents)
        self.post(self.boss, "user", generate="1", **sent)
        self.assertEqual(self.status(self.boss), 409)
        self.assertIn("This form was sent before, so nothing was changed.", self.boss.contents)
        self.assertTrue(self.users()["bola"].checkPassword(password))

    def test_weak_and_different_passwords_are_refused(self) -> None:
        for first, second, text in (
            (GOOD, "another one", "not the same"),
            ("bola1234", "bola1234", "what others know about you"),
            ("", "", "Type a password twice"),
        ):
            self.boss.getControl("Password", index=0).value = first
            self.boss.getControl("The same again").value = second
            self.boss.getControl("Set this password").click()
            self.assertEqual(self.status(self.boss), 400)
            self.assertIn(text, self.boss.contents)
        self.assertTrue(self.users()["bola"].checkPassword("pw of bola"))

    def test_nobody_shuts_himself_out(self) -> None:
        self.boss.open(f"{PORTAL}/user?name=boss")
        self.assertNotIn("Suspend</button>", self.boss.contents)
        for button in ("suspend", "remove"):
            self.post(self.boss, "user", name="boss", **{button: "1"})
            self.assertEqual(self.status(self.boss), 400)
        self.boss.open(f"{PORTAL}/user?name=boss")
        self.boss.getControl("Portal Manager").selected = False
        self.boss.getControl("Save").click()
        self.assertIn("You cannot take roles from your own account", self.boss.contents)
        self.assertEqual(self.users()["boss"].roles, ["waeup.PortalManager"])

    def test_a_manager_of_users_neither_gives_nor_changes_more_rights_than_his(self) -> None:
        manager = FunctionalLayer.log_in("mary", "waeup.UsersManager")
        manager.open(f"{PORTAL}/user?name=boss")
        self.assertIn("This account has rights that you lack", manager.contents)
        self.assertNotIn("Save</button>", manager.contents)
        for button in ("save", "generate", "suspend", "endsessions", "remove"):
            sent = {"title": "X", "temporary": "yes", "form_id": "0" * 32, button: "1"}
            self.post(manager, "user", name="boss", **sent)
            self.assertEqual(self.status(manager), 403, button)
            manager.open(f"{PORTAL}/user?name=boss")
        manager.open(f"{PORTAL}/adduser")
        self.assertTrue(manager.getControl("Portal Manager").disabled)
        self.post(
            manager,
            "adduser",
            name="eve",
            title="Eve",
            roles="waeup.PortalManager",
            add="1",
        )
        self.assertEqual(self.status(manager), 403)
        self.assertNotIn("eve", self.users())

    def test_an_account_that_is_not_there(self) -> None:
        self.boss.open(f"{PORTAL}/user?name=nobody")
        self.assertEqual(self.status(self.boss), 404)


class OwnAccountTest(PeopleTestCase):
    """What everybody does with the own account."""

    def setUp(self) -> None:
        super().setUp()
        self.bola = self.enter("bola", "pw of bola")
        self.bola.getLink("Bola").click()

    def change_password(self, present: str, new: str, again: str | None = None) -> None:
        """Fill in the form for a new password."""
        self.bola.open(f"{PORTAL}/password")
        self.bola.getControl("Present password").value = present
        self.bola.getControl("New password").value = new
        self.bola.getControl("The new password again").value = new if again is None else again
        self.bola.getControl("Change your password").click()

    def test_the_name_in_the_head_leads_there(self) -> None:
        self.assertEqual(self.bola.url, f"{PORTAL}/account")
        self.assertRegex(self.bola.contents, 'aria-current="page"[^>]*>Bola</a>')
        self.assertIn("Import Manager", self.bola.contents)
        self.assertIn("Last log-in", self.bola.contents)

    def test_own_details_and_language(self) -> None:
        self.bola.getControl("Public Name").value = "Dr Ade"
        self.bola.getControl("Email Address").value = "bola@example.org"
        self.bola.getControl("Language").value = ["fr"]
        self.bola.getControl(name="save").click()
        account = self.users()["bola"]
        self.assertEqual(
            (account.public_name, account.email, account.language),
            ("Dr Ade", "bola@example.org", "fr"),
        )
        self.assertIn('lang="fr"', self.bola.contents)

    def test_name_and_roles_are_not_for_oneself(self) -> None:
        fields = {"title": "King", "roles": "waeup.PortalManager", "suspended": "yes"}
        self.post(self.bola, "account", save="1", **fields)
        account = self.users()["bola"]
        self.assertEqual((account.title, account.roles), ("Bola", ["waeup.ImportManager"]))

    def test_changes_of_an_administrator_meanwhile_are_not_overwritten(self) -> None:
        self.users()["bola"].email = "set@example.org"
        transaction.commit()
        self.bola.getControl("Email Address").value = "mine@example.org"
        self.bola.getControl("Save").click()
        self.assertEqual(self.status(self.bola), 409)
        self.assertIn("Set now: set@example.org", self.bola.contents)

    def test_a_new_password_ends_all_other_sessions_and_this_one_goes_on(self) -> None:
        other = self.enter("bola", "pw of bola")
        self.change_password("pw of bola", GOOD)
        self.assertEqual(self.bola.url, f"{PORTAL}/account")
        self.assertIn("Your password was changed.", self.bola.contents)
        other.open(f"{PORTAL}/account")
        self.assertIn("/login", other.url)
        self.assertIn("wrong credentials", self.enter("bola", "pw of bola").contents)
        self.assertIn("You logged in.", self.enter("bola", GOOD).contents)
        self.assertIn("Own password set: bola", self.log())
        self.assertNotIn(GOOD, self.log())

    def test_what_is_wrong_with_a_password_is_said_at_its_field(self) -> None:
        for present, new, again, field, text in (
            ("wrong", GOOD, GOOD, "present", "The present password is wrong"),
            ("pw of bola", GOOD, "x", "again", "not the same as above"),
            ("pw of bola", "short", "short", "password", "at least 8 are required"),
            ("pw of bola", "bola2026!", "bola2026!", "password", "others know about you"),
            ("pw of bola", "pw of bola", "pw of bola", "password", "is the present one"),
        ):
            self.change_password(present, new, again)
            self.assertEqual(self.status(self.bola), 400)
            (said,) = re.findall(rf'id="{field}-error">([^<]*)<', self.bola.contents)
            self.assertIn(text, said)
        self.assertTrue(self.users()["bola"].checkPassword("pw of bola"))

    def test_guessing_the_present_password_is_slowed_down(self) -> None:
        with mock.patch("bcrypt.checkpw", return_value=False):
            for _ in range(6):
                self.change_password("wrong", GOOD)
        self.assertEqual(self.status(self.bola), 429)
        self.change_password("pw of bola", GOOD)
        self.assertEqual(self.status(self.bola), 429)
        self.assertTrue(self.users()["bola"].checkPassword("pw of bola"))

    def test_log_out_everywhere_else(self) -> None:
        other = self.enter("bola", "pw of bola")
        self.bola.getControl("Log out everywhere else").click()
        self.assertIn("You are logged out everywhere but here.", self.bola.contents)
        other.open(f"{PORTAL}/account")
        self.assertIn("/login", other.url)

    def test_a_new_password_does_not_lengthen_the_session(self) -> None:
        with (
            mock.patch("waeup.kofa.authentication.MAX_LOGIN_AGE", 100),
            mock.patch("waeup.kofa.authentication.time.time") as clock,
        ):
            clock.return_value = datetime.now(timezone.utc).timestamp() + 60
            self.change_password("pw of bola", GOOD)
            clock.return_value += 60
            self.bola.open(f"{PORTAL}/account")
        self.assertIn("/login", self.bola.url)

    def test_who_has_no_account_here_is_told(self) -> None:
        browser = FunctionalLayer.browser()
        browser.addHeader("Authorization", "Basic mgr:mgrpw")
        for view in ("account", "password"):
            browser.open(f"{PORTAL}/{view}")
            self.assertEqual(self.status(browser), 404)
            self.assertIn("You have no account in this portal", browser.contents)
