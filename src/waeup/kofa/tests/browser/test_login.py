"""Log-in and log-out through the door: sessions, cookies, throttling, ways back."""

from typing import Any
from unittest import mock

import transaction

from waeup.kofa.browser import login
from waeup.kofa.browser.login import local_path
from waeup.kofa.browser.throttle import LoginThrottle
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase, fill_in_login

WRONG = "You entered wrong credentials."
LOGIN = "http://localhost/app/login"


class LoginTest(FunctionalTestCase):
    """A person at the log-in page."""

    def setUp(self) -> None:
        fresh = mock.patch.object(login, "throttle", LoginThrottle())
        fresh.start()
        self.addCleanup(fresh.stop)

    def log_in(self, *roles: str, name: str = "officer") -> Any:
        """Return a browser in which a new account with `roles` has logged in by the form."""
        FunctionalLayer.add_user(name, *roles)
        browser = FunctionalLayer.browser(LOGIN)
        fill_in_login(browser, name, f"pw of {name}")
        return browser

    def test_the_root_leads_over_the_portal_to_the_log_in_page(self) -> None:
        self.assertEqual(FunctionalLayer.browser("http://localhost/").url, LOGIN)

    def test_right_password_opens_the_portal(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        self.assertEqual(browser.url, "http://localhost/app")
        self.assertIn("You logged in.", browser.contents)
        self.assertIn("Officer", browser.contents)

    def test_a_message_is_told_once(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        browser.reload()
        self.assertNotIn("You logged in.", browser.contents)

    def test_wrong_name_wrong_password_and_suspended_look_alike(self) -> None:
        FunctionalLayer.add_user("ann")
        FunctionalLayer.add_user("bob", suspended=True)
        answers = []
        for name, password in (("ann", "no"), ("nobody", "no"), ("bob", "pw of bob")):
            browser = FunctionalLayer.browser(LOGIN)
            fill_in_login(browser, name, password)
            self.assertEqual(browser.headers["Status"][:3], "401")
            self.assertIn(WRONG, browser.contents)
            token = browser.getControl(name="form_token").value
            answers.append(browser.contents.replace(name, "NAME").replace(token, "TOKEN"))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])

    def test_unknown_names_cost_a_comparison_too(self) -> None:
        FunctionalLayer.add_user("ann")
        for name in ("ann", "nobody"):
            with mock.patch("bcrypt.checkpw", return_value=False) as compared:
                fill_in_login(FunctionalLayer.browser(LOGIN), name, "no")
            self.assertEqual(compared.call_count, 1, name)

    def test_very_long_credentials_are_wrong_without_a_look(self) -> None:
        FunctionalLayer.add_user("ann")
        with mock.patch("bcrypt.checkpw") as compared:
            browser = FunctionalLayer.browser(LOGIN)
            fill_in_login(browser, "ann", "x" * 1000)
        self.assertIn(WRONG, browser.contents)
        self.assertEqual(compared.call_count, 0)

    def test_the_password_is_nowhere_in_the_database(self) -> None:
        self.log_in("waeup.ImportManager")
        storage = FunctionalLayer.database().storage
        records = [record.data for txn in storage.iterator() for record in txn]
        self.assertTrue(any(b"principal_id" in data for data in records))
        self.assertFalse([data for data in records if b"pw of officer" in data])

    def test_a_suspended_account_is_out_at_once(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        browser.open("http://localhost/app/datacenter")
        self.assertIn("/app/datacenter", browser.url)
        self.site["users"]["officer"].suspended = True
        transaction.commit()
        browser.reload()
        self.assertIn("/app/login", browser.url)

    def test_a_removed_account_is_out_at_once(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        del self.site["users"]["officer"]
        transaction.commit()
        browser.open("http://localhost/app/datacenter")
        self.assertIn("/app/login", browser.url)

    def test_a_log_in_ends_after_some_hours(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        with mock.patch("waeup.kofa.authentication.MAX_LOGIN_AGE", -1):
            browser.open("http://localhost/app/datacenter")
        self.assertIn("/app/login", browser.url)

    def test_many_failures_make_people_wait(self) -> None:
        FunctionalLayer.add_user("ann")
        browser = FunctionalLayer.browser(LOGIN)
        for _ in range(6):
            fill_in_login(browser, "ann", "no")
        self.assertEqual(browser.headers["Status"][:3], "429")
        self.assertIn("Too many failed attempts. Please wait 1 seconds", browser.contents)
        fill_in_login(browser, "ann", "pw of ann")
        self.assertEqual(browser.headers["Status"][:3], "429")

    def many_names_from(self, address: str) -> list[int]:
        """Return the statuses of tries with one name each."""
        statuses = []
        browser = FunctionalLayer.browser()
        browser.testapp.extra_environ["REMOTE_ADDR"] = address
        with mock.patch("bcrypt.checkpw", return_value=False):
            for number in range(22):
                browser.open(LOGIN)
                fill_in_login(browser, f"name {number}", "no")
                statuses.append(int(browser.headers["Status"][:3]))
        return statuses

    def test_many_names_from_one_address_make_it_wait(self) -> None:
        self.assertEqual(self.many_names_from("192.0.2.1"), [401] * 21 + [429])

    def test_all_people_behind_an_unknown_proxy_do_not_wait_for_each_other(self) -> None:
        for address in ("127.0.0.1", "127.8.0.1", "::1"):
            self.assertEqual(self.many_names_from(address), [401] * 22)

    # -- sessions --------------------------------------------------------------

    def cookie(self, browser: object) -> str:
        """Return the value of the session's cookie."""
        return next(iter(browser.cookies.values()))  # type: ignore[attr-defined]

    def test_the_cookie_is_kept_from_scripts_and_other_sites(self) -> None:
        browser = FunctionalLayer.browser(LOGIN)
        cookie = browser.headers["Set-Cookie"]
        self.assertIn("HttpOnly", cookie)
        self.assertIn("SameSite=Lax", cookie)
        self.assertNotIn("Secure", cookie)
        self.assertEqual(browser.headers["Cache-Control"], "no-store")

    def test_over_https_the_cookie_stays_there(self) -> None:
        from zope.publisher.browser import TestRequest

        from waeup.kofa.authentication import ClientIdManager

        request = TestRequest(SERVER_URL="https://kofa.example.org")
        manager = ClientIdManager()
        manager.getClientId(request)
        self.assertIs(request.response.getCookie(manager.namespace)["secure"], True)

    def test_log_in_gives_the_session_another_id(self) -> None:
        FunctionalLayer.add_user("ann")
        browser = FunctionalLayer.browser(LOGIN)
        planted = self.cookie(browser)
        fill_in_login(browser, "ann", "pw of ann")
        self.assertNotEqual(self.cookie(browser), planted)

    def test_a_forged_cookie_is_no_session(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        name, value = next(iter(browser.cookies.items()))
        browser.cookies[name] = value[:-1] + ("x" if value[-1] != "x" else "y")
        browser.open("http://localhost/app/datacenter")
        self.assertIn("/app/login", browser.url)

    def test_two_portals_do_not_share_secrets(self) -> None:
        from waeup.kofa.authentication import ClientIdManager

        first, second = ClientIdManager(), ClientIdManager()
        self.assertNotEqual(first.secret, second.secret)
        self.assertNotEqual(first.namespace, second.namespace)

    # -- log-out ---------------------------------------------------------------

    def test_log_out_ends_the_session_for_good(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        name, former = next(iter(browser.cookies.items()))
        browser.getControl("Log out").click()
        self.assertEqual(browser.url, LOGIN)
        self.assertIn("You have been logged out.", browser.contents)
        browser.cookies[name] = former
        browser.open("http://localhost/app/datacenter")
        self.assertIn("/app/login", browser.url)

    def test_a_link_does_not_log_out(self) -> None:
        browser = self.log_in("waeup.ImportManager")
        browser.open("http://localhost/app/logout?logout=1")
        self.assertEqual(browser.headers["Status"][:3], "405")
        browser.open("http://localhost/app/datacenter")
        self.assertEqual(browser.url, "http://localhost/app/datacenter")

    def test_log_out_of_nobody_writes_nothing(self) -> None:
        browser = FunctionalLayer.browser(LOGIN)
        token = browser.getControl(name="form_token").value
        before = FunctionalLayer.database().lastTransaction()
        for _ in range(3):
            browser.post("http://localhost/app/logout", f"logout=1&form_token={token}")
            self.assertEqual(browser.url, LOGIN)
        self.assertEqual(FunctionalLayer.database().lastTransaction(), before)

    # -- the way back ----------------------------------------------------------

    def test_log_in_leads_back_to_where_the_person_wanted_to_go(self) -> None:
        FunctionalLayer.add_user("ann", "waeup.ImportManager")
        browser = FunctionalLayer.browser("http://localhost/app/datacenter/runs?a=b")
        self.assertIn("/app/login?camefrom=", browser.url)
        self.assertIn("what you sent last was not done", browser.contents)
        fill_in_login(browser, "ann", "pw of ann")
        self.assertEqual(browser.url, "http://localhost/app/datacenter/runs?a=b")

    def test_log_in_never_leads_to_another_host(self) -> None:
        FunctionalLayer.add_user("ann")
        browser = FunctionalLayer.browser(f"{LOGIN}?camefrom=//example.org/")
        self.assertNotIn("what you sent last", browser.contents)
        fill_in_login(browser, "ann", "pw of ann")
        self.assertEqual(browser.url, "http://localhost/app")

    def test_only_paths_on_this_host_are_ways_back(self) -> None:
        for own in ("/app/datacenter?x=1", "/app/Caf%C3%A9", "/app?next=http://example.org/"):
            self.assertEqual(local_path(own), own)
        for other in (
            "",
            "app",
            "http://example.org/",
            "//example.org",
            "/\\example.org",
            "/\t/example.org",
            "javascript:alert(1)",
            "/app\r\nSet-Cookie: a=b",
            "/app/++vh++http:example.org:80/++",
            "/app/%2B%2Bvh%2B%2Bhttp:example.org:80/%2b%2b",
            "/app/..//example.org",
            "/app/%5Cexample.org",
            "/app/%0d%0aSet-Cookie:a=b",
        ):
            self.assertEqual(local_path(other), "", other)


class DamagedFormTest(FunctionalTestCase):
    """Forms that no page of ours sends."""

    def test_what_cannot_be_read_is_a_page_and_no_error_of_the_portal(self) -> None:
        # A test begins with its site set in this thread; a request ends without one.
        browser = FunctionalLayer.browser(LOGIN)
        for query in ("x:int=a", "a=1&a.b:record=2", "absolute_url:method=1", ":action=index"):
            with self.subTest(query), self.assertNoLogs("SiteError"):
                browser.open(f"{LOGIN}?{query}")
                self.assertEqual(browser.headers["Status"][:3], "400")
                self.assertIn("The request cannot be read", browser.contents)
