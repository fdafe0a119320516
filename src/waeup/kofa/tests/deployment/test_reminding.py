"""Owners of tokens are told of the end, once, when that can be done."""

from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.message import Message
from typing import Any

from zope.component import getGlobalSiteManager

from waeup.kofa.deployment.reminding import remind
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER
from waeup.kofa.tests.test_notices import MailTestCase
from waeup.kofa.tokens import get_token, make_token

MADE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
DAY = timedelta(days=1)
#: A week before a token of 90 days ends.
WEEK_BEFORE = MADE + 83 * DAY


class RemindTest(MailTestCase):
    """Tokens of two people."""

    def make(self, user: str = USER, days: int = 90) -> str:
        """Make a token; return its id."""

        def work(site: Any) -> str:
            token, _text = make_token(site, user, "nightly push", ["read"], days, MADE)
            return token.id

        return str(self.portal.change(work))

    def remind(self, now: datetime) -> list[Message]:
        """Do the task at a time; return all messages that were ever sent."""
        with closing(self.portal.open()) as db:
            in_own_thread(lambda: remind(db, SITE, lambda: now))
        return list(self.sent())

    def test_the_owner_is_told_once(self) -> None:
        id = self.make()
        self.assertEqual(self.remind(WEEK_BEFORE - timedelta(seconds=1)), [])
        [message] = self.remind(WEEK_BEFORE)
        self.assertEqual(message["X-Zope-To"], "anna@example.org")
        self.assertIn("nightly push", str(message["Subject"]))
        text = message.get_payload(decode=True)
        assert isinstance(text, bytes)
        self.assertIn(id, text.decode())
        self.assertIn("2026-06-02", text.decode())
        self.assertEqual(len(self.remind(WEEK_BEFORE + DAY)), 1)

    def test_each_in_the_own_language_and_only_of_the_own(self) -> None:
        def german(site: Any) -> None:
            site["users"][OTHER].language = "de"

        self.portal.change(german)
        self.make(USER)
        self.make(OTHER)
        sent = {str(message["X-Zope-To"]): message for message in self.remind(WEEK_BEFORE)}
        self.assertEqual(set(sent), {"anna@example.org", "bola@example.org"})
        self.assertEqual(sent["bola@example.org"]["Content-Language"], "de")

    def test_nobody_is_told_of_what_has_ended_or_was_made_for_a_week(self) -> None:
        def revoke(site: Any) -> None:
            token = get_token(site, made)
            assert token is not None
            token.revoke("boss", MADE)

        made = self.make()
        self.portal.change(revoke)
        self.make(days=7)
        for now in (MADE, MADE + DAY, WEEK_BEFORE, MADE + 90 * DAY):
            self.assertEqual(self.remind(now), [])

    def test_who_has_no_address_is_told_once_there_is_one(self) -> None:
        def address(text: str | None) -> Any:
            def work(site: Any) -> None:
                site["users"][USER].email = text

            return work

        self.portal.change(address(None))
        self.make()
        self.assertEqual(self.remind(WEEK_BEFORE), [])
        self.portal.change(address("ann@example.org"))
        self.assertEqual(len(self.remind(WEEK_BEFORE + DAY)), 1)

    def test_without_mail_it_is_made_up_for_later(self) -> None:
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        sender = config.pop("mail_from")
        self.make()
        self.assertEqual(self.remind(WEEK_BEFORE), [])
        config["mail_from"] = sender
        self.assertEqual(len(self.remind(WEEK_BEFORE + DAY)), 1)

    def test_nobody_is_told_of_those_of_a_suspended_account(self) -> None:
        def suspend(site: Any) -> None:
            site["users"][USER].suspended = True

        self.make()
        self.portal.change(suspend)
        self.assertEqual(self.remind(WEEK_BEFORE), [])

    def test_a_portal_without_any_token(self) -> None:
        self.assertEqual(self.remind(WEEK_BEFORE), [])
