"""What people can do with webhooks, and what not."""

from operator import methodcaller
from unittest import mock

from zope.component import getGlobalSiteManager

from waeup.kofa.errors import InvalidSettings, NoSuchItem, NotAllowed, Outdated, Refused
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tests.webhooks.portal import ADDRESS, OTHER, USER, WebhookTestCase
from waeup.kofa.webhooks.sending import Answer


class Operations(WebhookTestCase):
    """Of somebody who may do everything."""

    def test_what_is_made(self):
        state = self.state()
        self.assertEqual(
            (state.title, state.address, state.owner, state.state), ("Ours", ADDRESS, USER, "on")
        )
        self.assertEqual(state.events, ("run.finished", "export.ready", "file.arrived"))
        self.assertEqual((state.kinds, state.outcomes, state.waiting), ((), (), 0))
        self.assertEqual(self.ask(lambda o: o.webhooks()), [state])

    def test_who_has_made_it_is_kept_whoever_owns_it_later(self):
        state = self.state()
        self.assertEqual((state.made_by, state.made_with), (USER, ""))
        self.roles(OTHER, "waeup.PortalManager")
        self.ask(lambda o: o.change_webhook(self.webhook, events=["file.arrived"]), OTHER)
        state = self.state()
        self.assertEqual((state.owner, state.made_by), (OTHER, USER))

    def test_of_those_of_before_it_is_not_known(self):
        def forget(site):
            (webhook,) = self.all_of(site)
            del webhook.made_by, webhook.made_with

        self.portal.change(forget)
        self.assertEqual((self.state().made_by, self.state().made_with), ("", ""))

    def test_without_a_title_it_is_called_by_the_host(self):
        made = self.ask(lambda o: o.new_webhook(ADDRESS, " \n "))
        self.assertEqual(self.state(made.id).title, "receiver.example")

    def test_the_secret_is_told_once_and_stands_in_no_log(self):
        self.assertTrue(self.secret.startswith("whsec_"))
        new = self.ask(lambda o: o.renew_webhook_secret(self.webhook)).secret
        self.assertNotEqual(new, self.secret)
        self.ping()
        self.look()
        told = repr((self.state(), self.messages())) + self.log()
        for secret in (self.secret, new):
            self.assertNotIn(secret.removeprefix("whsec_"), told)

    def test_what_is_done_is_logged_by_the_host_alone(self):
        self.change(address="https://receiver.example/token-abc?key=def", title="Theirs")
        id = self.ping()
        self.ask(lambda o: o.deliver_again(id))
        self.ask(lambda o: o.remove_webhook(self.webhook))
        log = self.log()
        for secret in ("token-abc", "key=def"):
            self.assertNotIn(secret, log)
        for text in (
            f"webhook made: {self.webhook}, to receiver.example",
            f"webhook changed: {self.webhook}, to receiver.example: address, title",
            f"webhook tested: {self.webhook}, to receiver.example",
            f", {self.webhook}, to receiver.example",
            f"webhook removed: {self.webhook}, to receiver.example",
        ):
            self.assertIn(text, log)

    def test_what_cannot_be_is_refused_at_once(self):
        for wrong, values in {
            "address": {"address": "http://receiver.example"},
            "title": {"title": "x" * 81},
            "events": {"events": ["run.begun"]},
            "kinds": {"kinds": ["import", "bath"]},
            "outcomes": {"outcomes": ["lost"]},
        }.items():
            for call in ("new_webhook", "change_webhook"):
                is_new = call == "new_webhook"
                said = {"address": ADDRESS} | values if is_new else values
                args = () if is_new else (self.webhook,)
                with self.subTest(call, **values), self.assertRaises(InvalidSettings) as caught:
                    self.ask(methodcaller(call, *args, **said))
                self.assertEqual(list(caught.exception.wrong), [wrong])
        with self.assertRaises(InvalidSettings):
            self.ask(lambda o: o.new_webhook(ADDRESS, events=[]))
        self.assertEqual(len(self.ask(lambda o: o.webhooks())), 1)

    def test_the_operator_allows_more(self):
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        address = "http://10.1.2.3:81/"
        with self.assertRaises(InvalidSettings):
            self.ask(lambda o: o.new_webhook(address))
        with mock.patch.dict(config, {"webhook_allow": ("10.1.0.0/16",)}):
            made = self.ask(lambda o: o.new_webhook(address))
            self.assertEqual(self.state(made.id).address, address)
        # What is not allowed any more can still be turned off, but not sent to.
        self.assertEqual(self.ask(lambda o: o.change_webhook(made.id, is_on=False)).state, "off")

    def test_changes(self):
        state = self.change(
            address="https://new.example/",
            title="New",
            events=["run.finished", "run.finished"],
            kinds=["undo", "import"],
            outcomes=["stopped"],
        )
        self.assertEqual(
            (state.address, state.title, state.events, state.kinds, state.outcomes),
            ("https://new.example/", "New", ("run.finished",), ("import", "undo"), ("stopped",)),
        )
        self.assertEqual(self.state(), state)
        self.assertEqual(self.change(title="Newer").kinds, ("import", "undo"))

    def test_a_change_that_was_made_for_another_state(self):
        version = self.state().version
        self.assertEqual(self.change(title="New", version=version).title, "New")
        with self.assertRaises(Outdated):
            self.change(title="Old", version=version)

    def test_on_and_off(self):
        self.assertEqual(self.change(is_on=False).state, "off")
        self.assertEqual(self.change(is_on=False).state, "off")
        with self.assertRaises(Refused):
            self.ping()
        self.assertEqual(self.change(is_on=True).state, "on")

        def break_off(site):
            self.all_of(site)[0].break_off("It is gone.")

        self.portal.change(break_off)
        self.assertEqual(self.state().reason, "It is gone.")
        self.assertEqual(self.change(is_on=False).state, "off")
        self.portal.change(break_off)
        self.assertEqual(self.change(is_on=True).reason, "")

    def test_there_are_not_too_many(self):
        for name in ("MOST_WEBHOOKS", "MOST_OWN"):
            with (
                self.subTest(name),
                mock.patch(f"waeup.kofa.operations.webhooks.{name}", 1),
                self.assertRaisesRegex(Refused, "There are 1 webhooks"),
            ):
                self.ask(lambda o: o.new_webhook(ADDRESS))
        self.roles(OTHER, "waeup.ImportManager")
        with mock.patch("waeup.kofa.operations.webhooks.MOST_OWN", 1):
            self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)

    def test_messages_are_sent_again(self):
        self.line.answers = [Answer(410)]
        id = self.ping()
        with self.assertLogs("waeup.kofa.deployment.delivering"):
            self.look()
        with self.assertRaises(Refused):
            self.ask(lambda o: o.deliver_again(id))
        self.change(is_on=True)
        again = self.ask(lambda o: o.deliver_again(id))
        self.assertEqual((again.state, again.tries), ("waiting", 0))
        self.look()
        self.assertEqual(self.line.ids, [id, id])
        self.assertEqual(self.ask(lambda o: o.delivery(id)).state, "delivered")
        # One that has arrived, too: the receiver may have lost it.
        self.ask(lambda o: o.deliver_again(id))
        self.look()
        self.assertEqual((len(self.line.ids), self.state().waiting), (3, 0))

    def test_those_that_wait_are_listed_first_and_few_are(self):
        first = self.ping()
        self.look()
        second = self.ping()
        self.assertEqual([each.id for each in self.messages()], [second, first])
        found = self.ask(lambda o: o.deliveries(self.webhook, 1))
        self.assertEqual([each.id for each in found], [second])

    def test_what_is_not_there(self):
        for call, *args in (
            ("webhook", "none"),
            ("change_webhook", "none"),
            ("remove_webhook", ""),
            ("renew_webhook_secret", "none"),
            ("test_webhook", "none"),
            ("deliveries", "none"),
            ("deliver_again", "none"),
            ("delivery", "~"),
            ("delivery", ""),
        ):
            with self.subTest(call), self.assertRaises(NoSuchItem):
                self.ask(methodcaller(call, *args))

    def test_a_portal_without_any(self):
        self.ask(lambda o: o.remove_webhook(self.webhook))
        self.assertEqual(self.ask(lambda o: o.webhooks()), [])
        self.portal.change(lambda site: setattr(site["datacenter"], "webhooks", None))
        self.assertEqual(self.ask(lambda o: o.webhooks()), [])
        with self.assertRaises(NoSuchItem):
            self.state()
        self.done()
        self.look()


class Rights(WebhookTestCase):
    """Who cares for which webhooks."""

    def calls(self, id):
        """Return everything that can be done with a webhook."""
        return {
            "webhook": lambda o: o.webhook(id),
            "change": lambda o: o.change_webhook(id, title="x"),
            "renew": lambda o: o.renew_webhook_secret(id),
            "test": lambda o: o.test_webhook(id),
            "deliveries": lambda o: o.deliveries(id),
            "delivery": lambda o: o.delivery(self.pinged),
            "again": lambda o: o.deliver_again(self.pinged),
            "remove": lambda o: o.remove_webhook(id),
        }

    def setUp(self):
        super().setUp()
        self.pinged = self.ping()

    def test_officers_care_for_their_own(self):
        for role in ("waeup.ImportManager", "waeup.ExportManager"):
            self.roles(OTHER, role)
            self.assertEqual(self.ask(lambda o: o.webhooks(), OTHER), [])
            for name, call in self.calls(self.webhook).items():
                with self.subTest(name), self.assertRaises(NoSuchItem):
                    self.ask(call, OTHER)
            made = self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)
            self.assertEqual([e.id for e in self.ask(lambda o: o.webhooks(), OTHER)], [made.id])
            self.ask(methodcaller("test_webhook", made.id), OTHER)
            self.ask(methodcaller("remove_webhook", made.id), OTHER)

    def test_managers_care_for_all(self):
        self.roles(OTHER, "waeup.ImportManager")
        made = self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)
        self.assertEqual(len(self.ask(lambda o: o.webhooks())), 2)
        self.assertEqual(self.ask(lambda o: o.change_webhook(made.id, is_on=False)).owner, OTHER)
        self.assertEqual(self.ask(lambda o: o.change_webhook(made.id, title="T")).owner, OTHER)
        for changes in ({"address": "https://x.example/"}, {"kinds": ["import"]}):
            other = self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)
            found = self.ask(methodcaller("change_webhook", other.id, **changes))
            # Otherwise it would tell elsewhere what its owner may see.
            self.assertEqual(found.owner, USER)

    def test_others_have_none(self):
        for roles in ((), ("waeup.DataCenterManager",), ("waeup.UsersManager",)):
            self.roles(OTHER, *roles)
            with self.assertRaises(NotAllowed):
                self.ask(lambda o: o.webhooks(), OTHER)
            with self.assertRaises(NotAllowed):
                self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)
            for name, call in self.calls(self.webhook).items():
                with self.subTest(name), self.assertRaises(NotAllowed):
                    self.ask(call, OTHER)

    def test_who_lost_the_right_cannot_look_at_his_own_either(self):
        made = self.ask(lambda o: o.new_webhook(ADDRESS), OTHER)
        self.roles(OTHER)
        with self.assertRaises(NotAllowed):
            self.ask(lambda o: o.webhook(made.id), OTHER)
