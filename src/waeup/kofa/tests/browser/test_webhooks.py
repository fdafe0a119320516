"""The pages of webhooks."""

import re
from unittest import mock
from urllib.parse import urlencode

import transaction

from waeup.kofa.deployment.delivering import Deliverer
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations.webhooks import MAX_TITLE
from waeup.kofa.tests.browser.test_administration import AdministrationTestCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.webhooks.record import webhooks_of
from waeup.kofa.webhooks.sending import Answer


class WebhooksTest(AdministrationTestCase):
    """Of somebody who manages the portal."""

    def add(self, **values):
        """Add a webhook; return its secret."""
        self.open("addwebhook")
        for name, value in {"address": "https://receiver.example/hook", **values}.items():
            self.control(name).value = value
        self.press("add")
        found = re.search(r"whsec_[A-Za-z0-9+/=]+", self.browser.contents)
        return None if found is None else found.group()

    def show(self):
        self.browser.getLink("Show the webhook").click()

    def look(self, answer):
        """Let what waits be sent."""
        deliverer = Deliverer(send=mock.Mock(return_value=answer))
        in_own_thread(lambda: deliverer.look(FunctionalLayer.database(), "/app"))

    def found(self):
        self.site._p_jar.sync()
        return list(webhooks_of(self.site["datacenter"]) or ())

    def test_a_portal_without_any(self):
        self.open("administration")
        self.browser.getLink("Webhooks").click()
        self.assertIn("No program is told anything yet.", self.browser.contents)

    def test_one_is_added_and_its_secret_is_shown_once(self):
        secret = self.add(title="Our <library>")
        (webhook,) = self.found()
        self.assertEqual((webhook.secret, webhook.owner), (secret, "ann"))
        self.assertEqual(webhook.events, ("run.finished", "export.ready", "file.arrived"))
        self.show()
        self.assertIn("Our &lt;library&gt;", self.browser.contents)
        self.assertIn("There has been no message yet.", self.browser.contents)
        for view in ("webhooks", f"webhook?id={webhook.id}"):
            self.open(view)
            self.assertNotIn("whsec_", self.browser.contents)

    def test_boxes_are_named_in_plain_words(self):
        def labels(name):
            return [each.strip() for each in self.control(name).displayOptions]

        self.open("addwebhook")
        self.assertEqual(
            labels("kinds"), ["Imports", "Checks", "Undos", "Exports", "Moves of the storage"]
        )
        self.assertEqual(
            labels("outcomes"), ["It has finished", "It has stopped", "It was cancelled"]
        )
        self.assertEqual(
            labels("events"), ["A run has ended", "An export is ready", "A file has come"]
        )
        self.add()
        self.show()
        self.assertEqual(labels("kinds")[0], "Imports")

    def test_boxes_are_named_in_other_languages(self):
        for language, kind, outcome in (
            ("de", "Verschiebungen des Speicherorts", "Er wurde beendet"),
            ("fr", "Déplacements du stockage", "Elle est terminée"),
        ):
            browser = self.log_in("waeup.PortalManager", name=f"ann-{language}")
            browser.addHeader("Accept-Language", language)
            browser.open("http://localhost/app/addwebhook")
            self.assertIn(kind, browser.contents)
            self.assertIn(outcome, browser.contents)

    def test_who_has_made_it_is_shown(self):
        self.add()
        for view in ("webhooks", f"webhook?id={self.found()[0].id}"):
            self.open(view)
            self.assertIn("Made by", self.browser.contents)
        self.assertNotIn("token:", self.browser.contents)
        (webhook,) = self.found()
        webhook.made_by, webhook.made_with = "bola", "The <nightly> job"
        transaction.commit()
        for view in ("webhooks", f"webhook?id={webhook.id}"):
            self.open(view)
            self.assertIn("bola (token: The &lt;nightly&gt; job)", self.browser.contents)

    def test_what_is_wrong_is_told_at_its_field(self):
        for values, text in (
            ({"address": ""}, "Please fill in this field."),
            ({"address": "http://receiver.example/"}, "Messages go by https."),
            ({"address": "https://169.254.169.254/"}, "not on the public Internet"),
            ({"title": "x" * (MAX_TITLE + 1)}, "Nothing was changed"),
            ({"events": []}, "Choose at least one of them."),
        ):
            self.assertIsNone(self.add(**values))
            self.assertIn(text, self.browser.contents)
            self.assertTrue(self.browser.headers["status"].startswith("400"))
            for name, value in values.items():
                self.assertEqual(self.control(name).value, value)
        self.assertEqual(self.found(), [])

    def test_one_is_changed(self):
        self.add()
        self.show()
        self.control("title").value = "Theirs"
        self.control("events").value = ["run.finished"]
        self.control("kinds").value = ["import", "undo"]
        self.control("outcomes").value = ["stopped"]
        self.press("save")
        self.assertIn("The webhook was changed.", self.browser.contents)
        (webhook,) = self.found()
        self.assertEqual(
            (webhook.title, webhook.events, webhook.kinds, webhook.outcomes),
            ("Theirs", ("run.finished",), ("import", "undo"), ("stopped",)),
        )
        self.control("address").value = "ftp://x"
        self.press("save")
        self.assertIn("This is no address", self.browser.contents)
        self.assertEqual(self.control("address").value, "ftp://x")

    def test_two_who_change_one(self):
        self.add()
        self.show()
        self.control("title").value = "First"
        self.found()[0].title = "Second"
        transaction.commit()
        self.press("save")
        self.assertIn("Somebody has changed this webhook meanwhile.", self.browser.contents)
        self.assertTrue(self.browser.headers["status"].startswith("409"))

    def test_messages_are_listed_with_what_became_of_them(self):
        self.add()
        self.show()
        self.press("test")
        self.assertIn("A test message is on its way.", self.browser.contents)
        self.assertIn("Waiting", self.browser.contents)
        self.look(Answer(500, "no <b>way</b>"))
        address = self.browser.url
        self.browser.open(address)
        for text in ("Failed, is tried again", "Status 500", "no &lt;b&gt;way", "Failing"):
            self.assertIn(text, self.browser.contents)
        self.press("again")
        self.assertIn("The message is on its way again.", self.browser.contents)
        self.look(Answer(error="There was no answer within 10 seconds."))
        self.browser.open(address)
        self.assertIn("There was no answer within 10 seconds.", self.browser.contents)
        self.press("again")
        self.look(Answer(204))
        self.browser.open(address)
        self.assertIn("Delivered", self.browser.contents)
        self.assertIn("Last message that arrived", self.browser.contents)

    def test_one_that_was_turned_off_by_itself_says_why(self):
        self.add()
        self.show()
        self.press("test")
        with self.assertLogs("waeup.kofa.deployment.delivering", "WARNING"):
            self.look(Answer(410))
        self.browser.open(self.browser.url)
        self.assertIn("The receiver has answered that it is gone (410).", self.browser.contents)
        self.assertIn("Turned off by itself", self.browser.contents)
        self.open("webhooks")
        self.assertIn("Turned off by itself", self.browser.contents)
        self.browser.getLink("receiver.example").click()
        self.press("turnon")
        self.assertIn("The webhook is on.", self.browser.contents)
        self.press("turnoff")
        self.assertIn("The webhook is off.", self.browser.contents)

    def test_a_new_secret_is_shown_once(self):
        former = self.add()
        self.show()
        self.press("renew")
        new = re.search(r"whsec_[A-Za-z0-9+/=]+", self.browser.contents).group()
        self.assertNotEqual(new, former)
        self.assertIn("The former secret signs as well until", self.browser.contents)
        self.open("webhooks")
        self.assertNotIn("whsec_", self.browser.contents)

    def test_who_reloads_an_answer_makes_nothing_anew(self):
        self.open("addwebhook")
        for view, sent in (
            (
                "addwebhook",
                {"address": "https://receiver.example/", "events": "run.finished", "add": "1"},
            ),
            ("webhook", {"renew": "1"}),
        ):
            names = ("form_id", "form_token", *(["id"] if view == "webhook" else []))
            form = {name: self.browser.getControl(name=name, index=0).value for name in names}
            data = urlencode({**sent, **form})
            address = f"http://localhost/app/{view}"
            self.browser.post(address, data)
            self.assertIn("whsec_", self.browser.contents)
            kept = [webhook.secret for webhook in self.found()]
            self.browser.post(address, data)
            self.assertEqual(self.browser.headers["Status"][:3], "409")
            self.assertNotIn("whsec_", self.browser.contents)
            self.assertEqual([webhook.secret for webhook in self.found()], kept)
            self.open(f"webhook?id={self.found()[0].id}")

    def test_one_is_removed_after_a_question(self):
        self.add()
        self.show()
        self.press("ask")
        self.assertIn("Remove the webhook", self.browser.contents)
        self.assertEqual(len(self.found()), 1)
        self.press("remove")
        self.assertIn("The webhook receiver.example was removed.", self.browser.contents)
        self.assertEqual(self.found(), [])

    def test_pages_speak_other_languages(self):
        self.add()
        self.browser.addHeader("Accept-Language", "de")
        self.open("webhooks")
        self.assertIn("Nachrichten", self.browser.contents)


class OfficersTest(AdministrationTestCase):
    """Of an officer."""

    role = "waeup.ImportManager"

    def test_the_own_ones_are_found_by_the_account(self):
        self.open("account")
        self.browser.getLink("Webhooks").click()
        self.assertIn("No program is told anything yet.", self.browser.contents)
        self.assertIn("Your account", self.browser.contents)
        self.browser.getLink("Add a webhook").click()
        self.control("address").value = "https://receiver.example/"
        self.press("add")
        self.assertIn("whsec_", self.browser.contents)

    def test_who_may_not_finds_no_link(self):
        browser = self.log_in("waeup.UsersManager", name="bola")
        browser.open("http://localhost/app/account")
        self.assertNotIn("/app/webhooks", browser.contents)
