"""Tokens in the browser: those of the own account, and those of others for administrators."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import transaction

from waeup.kofa.browser import login
from waeup.kofa.browser.administration import access
from waeup.kofa.browser.once import new_id
from waeup.kofa.browser.throttle import LoginThrottle
from waeup.kofa.operations.passwords import new_password
from waeup.kofa.tests.functional import FunctionalLayer, FunctionalTestCase
from waeup.kofa.tokens import SHAPE, authenticate, make_token, touch

PORTAL = "http://localhost/app"
DAY = timedelta(days=1)


class AccessTestCase(FunctionalTestCase):
    """Has a browser of ``ann``, who brings and imports files."""

    def setUp(self) -> None:
        fresh = mock.patch.object(login, "throttle", LoginThrottle())
        fresh.start()
        self.addCleanup(fresh.stop)
        self.ann = self.log_in("waeup.ImportManager", name="ann")

    def token(self, user: str = "ann", title: str = "nightly", **more: Any) -> tuple[Any, str]:
        """Make a token; return it and its text."""
        transaction.begin()
        made = make_token(self.site, user, title, ["read", "files"], more.pop("days", 90), **more)
        transaction.commit()
        return made

    def grant(self, text: str) -> Any:
        """Return what a token allows as the database is now."""
        transaction.begin()
        return authenticate(self.site, text)

    def status(self, browser: Any) -> int:
        """Return the status of the last answer."""
        return int(browser.headers["Status"][:3])

    def send(self, browser: Any, view: str, **fields: Any) -> None:
        """Send a form with the token of the page that is shown, and an id that is new."""
        token = browser.getControl(name="form_token", index=0).value
        data = urlencode({"form_id": new_id(), **fields, "form_token": token}, doseq=True)
        browser.post(f"{PORTAL}/{view}", data)


class OwnTest(AccessTestCase):
    """The page of the own tokens."""

    def test_there_is_none_at_first(self) -> None:
        self.ann.open(f"{PORTAL}/account")
        self.assertIn("Valid tokens: 0", self.ann.contents)
        self.ann.getLink("Tokens for programs").click()
        self.assertEqual(self.ann.url, f"{PORTAL}/access")
        self.assertIn("No program has a token", self.ann.contents)
        self.assertEqual(self.ann.getControl(name="days").value, "90")

    def test_a_token_is_made_and_shown_once(self) -> None:
        self.ann.open(f"{PORTAL}/access")
        self.ann.getControl(name="title").value = "registry <nightly> push"
        self.ann.getControl(name="scopes").value = ["import", "read"]
        self.ann.getControl(name="make").click()
        self.assertEqual(self.ann.headers["Cache-Control"], "no-store")
        found = SHAPE.search(self.ann.contents)
        assert found is not None
        grant = self.grant(found[0])
        self.assertEqual(
            (grant.user, grant.title, grant.scopes),
            ("ann", "registry <nightly> push", frozenset(("import", "read"))),
        )
        self.assertIn("registry &lt;nightly&gt; push", self.ann.contents)
        self.assertEqual(self.ann.getControl(name="title").value, "")
        self.assertEqual(self.ann.getControl(name="scopes").value, [])
        self.ann.getLink("I have kept it").click()
        self.assertNotIn(found["secret"], self.ann.contents)
        for text in ("registry &lt;nightly&gt; push", "Read, Imports", "never", "Valid", grant.id):
            self.assertIn(text, self.ann.contents)
        self.ann.open(f"{PORTAL}/account")
        self.assertIn("Valid tokens: 1", self.ann.contents)
        for path in self.storage.rglob("*.log"):
            self.assertNotIn(found["secret"], path.read_text(encoding="utf-8"))

    def test_who_reloads_the_answer_makes_no_second_token(self) -> None:
        self.ann.open(f"{PORTAL}/access")
        form = {
            name: self.ann.getControl(name=name, index=0).value for name in ("form_id", "days")
        }
        sent = {"title": "nightly", "scopes": "read", "make": "1", **form}
        self.send(self.ann, "access", **sent)
        self.assertRegex(self.ann.contents, SHAPE)
        for other_id in (form["form_id"], "", "0" * 31, ["0" * 32, "1" * 32]):
            self.send(self.ann, "access", **{**sent, "form_id": other_id})
            self.assertEqual(self.status(self.ann), 409)
            self.assertIn("This form was sent before, so nothing was changed.", self.ann.contents)
            self.assertNotRegex(self.ann.contents, SHAPE)
        self.assertIn("Tokens: 1", self.ann.contents)
        self.assertEqual(self.ann.getControl(name="title").value, "nightly")
        self.ann.getControl(name="make").click()
        self.assertRegex(self.ann.contents, SHAPE)

    def test_what_is_missing_or_wrong_is_told_at_the_field(self) -> None:
        for fields, words in (
            ({"scopes": "read", "days": "1"}, "Please fill in this field."),
            ({"title": "  ", "scopes": "read", "days": "1"}, "Please fill in this field."),
            ({"title": "x", "days": "1"}, "Choose at least one thing"),
            ({"title": "x", "scopes": "read", "days": "0"}, "1 to 366 days"),
            ({"title": "x", "scopes": "read", "days": "367"}, "1 to 366 days"),
            ({"title": "x", "scopes": "read", "days": "-1"}, "1 to 366 days"),
            ({"title": "x", "scopes": "read", "days": "many"}, "1 to 366 days"),
            ({"title": "x", "scopes": "read", "days": "²"}, "1 to 366 days"),
            ({"title": "x", "scopes": "read", "days": "9" * 5000}, "1 to 366 days"),
            ({"title": "x", "scopes": "read"}, "1 to 366 days"),
        ):
            with self.subTest(**fields):
                self.ann.open(f"{PORTAL}/access")
                self.send(self.ann, "access", make="1", **fields)
                self.assertEqual(self.status(self.ann), 400)
                self.assertIn("Nothing was changed", self.ann.contents)
                self.assertIn(words, self.ann.contents)
                if fields.get("title", "").strip():
                    self.assertEqual(self.ann.getControl(name="title").value, fields["title"])
        self.assertIn("No program has a token", self.ann.contents)

    def test_what_no_token_can_be_is_refused(self) -> None:
        for fields, status in (
            ({"title": "x" * 81, "scopes": "read"}, 400),
            ({"title": "x", "scopes": ["read", "nothing"]}, 404),
        ):
            self.ann.open(f"{PORTAL}/access")
            self.send(self.ann, "access", make="1", days="9", **fields)
            self.assertEqual(self.status(self.ann), status)
        self.assertIn("No program has a token", self.ann.contents)

    def test_the_most_are_told(self) -> None:
        for _number in range(20):
            self.token()
        self.ann.open(f"{PORTAL}/access")
        self.send(self.ann, "access", make="1", title="x", scopes="read", days="9")
        self.assertEqual(self.status(self.ann), 400)
        self.assertIn("20 valid tokens", self.ann.contents)
        self.assertEqual(self.ann.getControl(name="title").value, "x")

    def test_only_scopes_that_are_of_use_are_offered(self) -> None:
        self.ann.open(f"{PORTAL}/access")
        self.assertEqual(self.ann.getControl(name="scopes").options, ["read", "files", "import"])
        nobody = self.log_in(name="nobody")
        nobody.open(f"{PORTAL}/access")
        self.assertEqual(nobody.getControl(name="scopes").options, ["read"])

    def test_the_portal_may_say_how_long(self) -> None:
        boss = self.log_in("waeup.PortalManager", name="boss")
        boss.open(f"{PORTAL}/settings?section=limits")
        boss.getControl(name="token_days").value = "14"
        boss.getControl(name="save").click()
        self.ann.open(f"{PORTAL}/access")
        self.assertEqual(self.ann.getControl(name="days").value, "14")
        self.send(self.ann, "access", make="1", title="x", scopes="read", days="15")
        self.assertIn("1 to 14 days", self.ann.contents)

    def test_a_token_is_revoked_after_a_question(self) -> None:
        token, text = self.token()
        touch(self.site, token.id, datetime.now(timezone.utc), "192.0.2.7")
        self.ann.open(f"{PORTAL}/access")
        self.assertIn("192.0.2.7", self.ann.contents)
        self.ann.getControl("Revoke…").click()
        self.assertIn("Revoke the token “nightly”?", self.ann.contents)
        self.assertNotIn("A new token", self.ann.contents)
        self.assertIsNotNone(self.grant(text))
        self.ann.getLink("Keep it").click()
        self.ann.getControl("Revoke…").click()
        self.ann.getControl("Revoke the token").click()
        self.assertEqual(self.ann.url, f"{PORTAL}/access")
        self.assertIn("is revoked", self.ann.contents)
        self.assertIn("Revoked by ann", self.ann.contents)
        self.assertNotIn("askrevoke", self.ann.contents)
        self.assertIsNone(self.grant(text))

    def test_those_of_others_are_not_there(self) -> None:
        FunctionalLayer.add_user("bola", "waeup.ImportManager")
        token, text = self.token("bola")
        self.token()
        for fields in ({"askrevoke": token.id}, {"revoke": "1", "id": token.id}, {"revoke": "1"}):
            self.ann.open(f"{PORTAL}/access")
            self.send(self.ann, "access", **fields)
            self.assertEqual(self.status(self.ann), 404)
            self.assertIn("There is no token", self.ann.contents)
        self.assertIsNotNone(self.grant(text))

    def test_states(self) -> None:
        now = datetime.now(timezone.utc)
        self.token(days=1, now=now - 2 * DAY)
        self.token(days=13)
        self.ann.open(f"{PORTAL}/access")
        self.assertEqual(
            re.findall(r'class="badge badge-\w+">([^<]+)', self.ann.contents),
            ["Ends soon", "Expired"],
        )
        with mock.patch.object(access, "SOON", DAY):
            self.ann.reload()
        self.assertNotIn("Ends soon", self.ann.contents)

    def test_a_scope_of_a_later_version_has_its_name(self) -> None:
        token, _text = self.token()
        token.scopes = ("read", "later")
        transaction.commit()
        self.ann.open(f"{PORTAL}/access")
        self.assertIn("Read, later", self.ann.contents)


class PasswordTest(AccessTestCase):
    """A new password of the own, and what becomes of the tokens."""

    def change(self, browser: Any, *, revoke: bool) -> None:
        browser.open(f"{PORTAL}/password")
        new = new_password()
        for name, text in (("present", "pw of ann"), ("password", new), ("again", new)):
            browser.getControl(name=name).value = text
        if revoke:
            browser.getControl(name="revoke").value = ["yes"]
        browser.getControl(name="change").click()
        self.assertIn("Your password was changed", browser.contents)

    def test_they_stay(self) -> None:
        _token, text = self.token()
        self.change(self.ann, revoke=False)
        self.assertIsNotNone(self.grant(text))

    def test_they_are_revoked(self) -> None:
        _token, text = self.token()
        self.change(self.ann, revoke=True)
        self.assertIsNone(self.grant(text))

    def test_nothing_is_offered_to_who_has_none(self) -> None:
        self.ann.open(f"{PORTAL}/password")
        self.assertNotIn('name="revoke"', self.ann.contents)


class OthersTest(AccessTestCase):
    """The page of an account."""

    def setUp(self) -> None:
        super().setUp()
        self.boss = self.log_in("waeup.PortalManager", name="boss")

    def test_an_administrator_revokes_after_a_question(self) -> None:
        token, text = self.token()
        self.boss.open(f"{PORTAL}/user?name=ann")
        self.assertIn(token.id, self.boss.contents)
        self.boss.getControl("Revoke…").click()
        self.assertIn("Revoke the token “nightly”?", self.boss.contents)
        self.boss.getControl("Revoke the token").click()
        self.assertEqual(self.boss.url, f"{PORTAL}/user?name=ann")
        self.assertIn("Revoked by boss", self.boss.contents)
        self.assertIsNone(self.grant(text))

    def test_one_of_another_account_is_not_there(self) -> None:
        token, text = self.token("boss")
        self.boss.open(f"{PORTAL}/user?name=ann")
        self.send(self.boss, "user", name="ann", revoke="1", id=token.id)
        self.assertEqual(self.status(self.boss), 404)
        self.assertIsNotNone(self.grant(text))

    def test_who_lacks_rights_sees_and_does_not_revoke(self) -> None:
        token, text = self.token("boss")
        keeper = self.log_in("waeup.UsersManager", name="keeper")
        keeper.open(f"{PORTAL}/user?name=boss")
        self.assertIn(token.id, keeper.contents)
        self.assertNotIn("askrevoke", keeper.contents)
        keeper.open(f"{PORTAL}/access")
        self.send(keeper, "user", name="boss", revoke="1", id=token.id)
        self.assertEqual(self.status(keeper), 403)
        self.assertIsNotNone(self.grant(text))

    def test_what_ends_them_is_told(self) -> None:
        self.token()
        self.boss.open(f"{PORTAL}/user?name=ann")
        self.boss.getControl("Suspend").click()
        self.assertIn("programs are refused, too", self.boss.contents)
        self.boss.getControl("Remove…").click()
        self.assertIn("valid tokens of the account: 1", self.boss.contents)
        self.boss.open(f"{PORTAL}/user?name=ann")
        self.boss.getControl("Make a password and show it").click()
        self.assertIn("its tokens are revoked", self.boss.contents)
        self.assertIn("Revoked by boss", self.boss.contents)
