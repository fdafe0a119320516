"""Tokens: what is kept of them, who is recognised by one, and what they cover."""

import hmac
import string
import unittest
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.scopes import OWN_PERMISSIONS
from waeup.kofa.tokens import (
    KEPT,
    MAX_DAYS,
    MAX_TITLE,
    MOST,
    MOST_ENDED,
    SCOPES,
    SHAPE,
    Grant,
    authenticate,
    get_token,
    make_token,
    revoke_all,
    tokens_of,
)
from waeup.kofa.users.account import UserAccount
from waeup.kofa.users.container import UsersContainer

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
DAY = timedelta(days=1)


class TokensTestCase(unittest.TestCase):
    """Has a portal of two accounts, without a database."""

    def setUp(self) -> None:
        users = UsersContainer()
        for name in ("ann", "bob"):
            users[name] = UserAccount(name, name.title())
        self.site = {"users": users}

    def make(self, user: str = "ann", days: int = 90, now: datetime = NOW, **more: Any) -> Any:
        """Make a token; return it and its text."""
        wanted = {"title": "registry nightly push", "scopes": ["read"], **more}
        return make_token(self.site, user, days=days, now=now, **wanted)


class TextTest(TokensTestCase):
    """What a token looks like, and what is kept of it."""

    def test_a_token_can_be_found_by_its_shape(self):
        token, text = self.make()
        found = SHAPE.search(f"export TOKEN='{text}' # ours")
        self.assertEqual(found[0], text)
        self.assertEqual(found["id"], token.id)
        self.assertEqual(len(found["secret"]) * 4, 256)

    def test_two_tokens_have_nothing_in_common(self):
        first, second = (SHAPE.fullmatch(self.make()[1]) for _ in range(2))
        self.assertNotEqual(first["id"], second["id"])
        self.assertNotEqual(first["secret"], second["secret"])

    def test_an_id_is_never_given_twice(self):
        token, _ = self.make()
        secret = "a" * 64
        with mock.patch("secrets.token_hex", side_effect=[token.id, "b" * 12, secret]):
            other, text = self.make()
        self.assertEqual((other.id, text), ("b" * 12, f"kofa_{'b' * 12}_{secret}"))

    def test_the_secret_is_not_kept(self):
        token, text = self.make()
        secret = SHAPE.fullmatch(text)["secret"]
        kept = repr((vars(token), vars(token.use)))
        self.assertNotIn(secret, kept)
        self.assertNotIn(repr(bytes.fromhex(secret)), kept)
        self.assertEqual(len(token.digest), 32)


class AuthenticateTest(TokensTestCase):
    """Who is recognised."""

    def test_a_valid_token(self):
        token, text = self.make(scopes=["export", "read"])
        self.assertEqual(
            authenticate(self.site, text, NOW),
            Grant(
                token.id,
                "ann",
                frozenset(("read", "export")),
                NOW + 90 * DAY,
                "registry nightly push",
            ),
        )

    def test_it_expires_to_the_second(self):
        _, text = self.make(days=1)
        self.assertIsNotNone(authenticate(self.site, text, NOW + DAY - timedelta(seconds=1)))
        self.assertIsNone(authenticate(self.site, text, NOW + DAY))

    def test_without_a_time_it_is_now(self):
        _, text = self.make(now=datetime.now(timezone.utc))
        self.assertIsNotNone(authenticate(self.site, text))
        _, text = self.make(now=datetime.now(timezone.utc) - 91 * DAY)
        self.assertIsNone(authenticate(self.site, text))

    def test_a_revoked_token(self):
        token, text = self.make()
        token.revoke("boss", NOW)
        self.assertIsNone(authenticate(self.site, text, NOW))

    def test_a_suspended_account(self):
        _, text = self.make()
        account = self.site["users"]["ann"]
        account.suspended = True
        self.assertIsNone(authenticate(self.site, text, NOW))
        account.suspended = False
        self.assertIsNotNone(authenticate(self.site, text, NOW))

    def test_a_removed_account(self):
        _, text = self.make()
        del self.site["users"]["ann"]
        self.assertIsNone(authenticate(self.site, text, NOW))

    def test_before_there_is_any_token(self):
        self.assertIsNone(authenticate(self.site, f"kofa_{'0' * 12}_{'0' * 64}", NOW))
        self.assertEqual(tokens_of(self.site, "ann"), [])

    def test_the_key_that_keeps_the_tree_is_no_token(self):
        self.make()
        self.assertIsNone(get_token(self.site, ""))

    def test_texts_that_are_none(self):
        token, text = self.make()
        secret = text.rpartition("_")[2]
        other = self.make("bob")[1].rpartition("_")[2]
        for wrong in (
            None,
            b"",
            "",
            " ",
            7,
            text.encode(),
            [text],
            text + "\n",
            f" {text}",
            text[:-1],
            text + "0",
            text.upper(),
            text.replace("kofa_", "KOFA_"),
            text.replace("_", "-"),
            f"kofa_{token.id}_",
            f"kofa__{secret}",
            f"kofa_{token.id}",
            f"kofa_{token.id}_{other}",
            f"kofa_{token.id}_{token.digest.hex()}",
            f"kofa_{'0' * 12}_{secret}",
            f"kofa_{token.id}_{secret[:-1]}é",
            f"kofa_{token.id}_{secret[:-1]}٣",
            f"kofa_{token.id}\0_{secret}",
            "kofa_" + "_" * 1000,
            "a" * 1_000_000,
        ):
            with self.subTest(wrong=str(wrong)[:90]):
                self.assertIsNone(authenticate(self.site, wrong, NOW))

    @given(st.integers(0, 81), st.sampled_from(string.printable))
    def test_one_other_character_is_another_token(self, at, character):
        _, text = self.make()
        wrong = text[:at] + character + text[at + 1 :]
        self.assertEqual(authenticate(self.site, wrong, NOW) is None, wrong != text)
        self.site["users"].tokens = None

    @given(st.text())
    def test_any_text(self, text):
        self.make()
        self.assertIsNone(authenticate(self.site, text, NOW))
        self.site["users"].tokens = None

    def test_secrets_are_compared_in_constant_time(self):
        _, text = self.make()
        unknown = f"kofa_{'0' * 12}_{'0' * 64}"
        for tried in (text, text[:-1] + ("0" if text[-1] != "0" else "1"), unknown):
            with mock.patch("hmac.compare_digest", wraps=hmac.compare_digest) as compared:
                authenticate(self.site, tried, NOW)
            self.assertEqual([len(value) for value in compared.call_args.args], [32, 32])


class MakingTest(TokensTestCase):
    """What a token may be, and how many there are."""

    def assert_refused(self, words, kind=Refused, **wrong):
        with self.assertRaisesRegex(kind, words):
            self.make(**wrong)
        self.assertEqual(tokens_of(self.site, "ann"), [])

    def test_titles(self):
        self.assert_refused("needs a title", title="  \n ")
        self.assert_refused("at most 80", title="x" * (MAX_TITLE + 1))
        token, _ = self.make(title="  nightly \n push\0 ")
        self.assertEqual(token.title, "nightly push")

    def test_scopes(self):
        self.assert_refused("no scope 'all'.*read, files", NoSuchItem, scopes=["read", "all"])
        self.assert_refused("at least one", scopes=[])
        token, _ = self.make(scopes=["users", "read", "users"])
        self.assertEqual(token.scopes, ("read", "users"))

    def test_days(self):
        for days in (0, -1, MAX_DAYS + 1):
            self.assert_refused("1 to 366 days", days=days)
        token, _ = self.make(days=MAX_DAYS)
        self.assertEqual(token.expires, NOW + 366 * DAY)

    def test_an_account_that_is_not_there(self):
        with self.assertRaises(KeyError):
            self.make("eve")

    def test_the_newest_is_listed_first(self):
        titles = ["b", "a", "c"]
        for number, title in enumerate(titles):
            self.make(title=title, now=NOW + number * DAY)
        self.make("bob")
        listed = [token.title for token in tokens_of(self.site, "ann")]
        self.assertEqual(listed, ["c", "a", "b"])

    def test_valid_ones_are_bounded(self):
        made = [self.make()[0] for _ in range(MOST)]
        with self.assertRaisesRegex(Refused, "20 valid tokens"):
            self.make()
        self.make("bob")
        made[3].revoke("ann", NOW)
        self.make()
        self.make(now=NOW + 91 * DAY)

    def test_ended_ones_are_forgotten_in_time(self):
        first, _ = self.make(days=1)
        second, _ = self.make(days=2)
        self.make(now=first.end + KEPT)
        self.assertIsNotNone(get_token(self.site, first.id))
        self.make(now=second.end + KEPT)
        self.assertIsNone(get_token(self.site, first.id))
        self.assertIsNotNone(get_token(self.site, second.id))

    def test_nobody_fills_the_database_with_ended_ones(self):
        for number in range(2 * MOST):
            self.make(now=NOW + timedelta(seconds=number))[0].revoke("ann", NOW)
        self.assertEqual(len(tokens_of(self.site, "ann")), MOST_ENDED + 1)

    def test_all_of_an_account_are_revoked(self):
        first, _ = self.make()
        expired, _ = self.make(days=1, now=NOW - DAY)
        second, _ = self.make()
        other, _ = self.make("bob")
        first.revoke("ann", NOW - DAY)
        self.assertEqual(revoke_all(self.site["users"], "ann", "boss", NOW), [second])
        self.assertEqual((first.revoked, first.revoked_by), (NOW - DAY, "ann"))
        self.assertEqual((second.revoked, second.revoked_by), (NOW, "boss"))
        self.assertIsNone(expired.revoked)
        self.assertIsNone(other.revoked)


class GrantTest(unittest.TestCase):
    """Which permissions a token covers."""

    def grant(self, *scopes: str) -> Grant:
        return Grant("0" * 12, "ann", frozenset(scopes), NOW)

    def test_reading_covers_all_where_nothing_is_changed_and_else_nothing(self):
        grant = self.grant("read")
        for permission in (*OWN_PERMISSIONS, "waeup.handlePayments"):
            with self.subTest(permission=permission):
                self.assertTrue(grant.for_reading().covers(permission))
                self.assertFalse(grant.covers(permission))

    def test_reading_adds_nothing_to_what_may_be_changed(self):
        grant = self.grant("read", "files")
        self.assertTrue(grant.covers("waeup.manageDataCenter"))
        self.assertFalse(grant.covers("waeup.manageUsers"))
        self.assertTrue(grant.for_reading().covers("waeup.manageUsers"))

    def test_what_each_scope_covers(self):
        covered = {
            name: {each for each in OWN_PERMISSIONS if self.grant(name).covers(each)}
            for name in SCOPES
        }
        self.assertEqual(
            covered,
            {
                "read": set(),
                "files": {"waeup.manageDataCenter"},
                "import": {"waeup.manageDataCenter", "waeup.importData"},
                "export": {"waeup.exportData"},
                "users": {"waeup.manageUsers"},
                "portal": {"waeup.managePortal"},
            },
        )

    def test_who_changes_may_read_the_same(self):
        for name in SCOPES:
            grant = self.grant(name)
            for permission in (*OWN_PERMISSIONS, "waeup.handlePayments"):
                if grant.covers(permission):
                    self.assertTrue(grant.for_reading().covers(permission))

    def test_permissions_of_kinds(self):
        covering = [name for name in SCOPES if self.grant(name).covers("waeup.handlePayments")]
        self.assertEqual(covering, ["import", "export"])

    def test_asking_for_scopes(self):
        grant = self.grant("read", "users", "later")
        self.assertTrue(grant.has("users", "files"))
        self.assertFalse(grant.has("read"))
        self.assertTrue(grant.for_reading().has("read"))
        self.assertFalse(grant.has("files"))

    def test_a_scope_of_a_later_version_allows_nothing(self):
        self.assertFalse(self.grant("later").for_reading().covers("waeup.importData"))
