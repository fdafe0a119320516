"""Messages of one subscription under everything that can happen to them, in any order."""

import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

import ZODB
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from transaction import TransactionManager
from ZODB.DemoStorage import DemoStorage

from waeup.kofa.errors import NoSuchItem
from waeup.kofa.webhooks import record
from waeup.kofa.webhooks.record import Delivery, Webhook, Webhooks, new_id

MOST_WAITING, MOST_OVER = 6, 3


class Messages(RuleBasedStateMachine):
    """Queues, claims, records, sends again, as processes and people do; knows what must be so."""

    def __init__(self):
        super().__init__()
        self.now = datetime(2026, 5, 4, tzinfo=timezone.utc)
        self.webhook = Webhook("", "https://a.example/", (), (), (), "ann", self.now)
        #: Id -> token of the last attempt, of messages that wait.
        self.waiting = {}
        self.over = []
        self.number = 0
        limits = mock.patch.multiple(record, MOST_WAITING=MOST_WAITING, MOST_OVER=MOST_OVER)
        limits.start()
        self.teardown = limits.stop

    @rule()
    def queue(self):
        self.number += 1
        message = Delivery(f"msg_{self.number:04}", "ping", "{}", self.now)
        if self.webhook.queue(message):
            self.waiting[message.id] = None
        else:
            assert len(self.waiting) == MOST_WAITING
            assert self.webhook.state == record.BROKEN

    @rule()
    def claim(self):
        message = self.webhook.next_due(self.now)
        if message is None:
            assert all(self.webhook.find(id).due > self.now for id in self.waiting)
            return
        before = self.waiting[message.id]
        token = self.webhook.claim(message, self.now)
        assert before is None or token > before
        self.waiting[message.id] = token
        assert message.due == self.now + timedelta(seconds=record.CLAIM)

    @rule(data=st.data(), state=st.sampled_from([record.DELIVERED, record.FAILED]))
    def end(self, data, state):
        if self.waiting:
            id = data.draw(st.sampled_from(sorted(self.waiting)))
            self.webhook.end(self.webhook.find(id), state, self.now)
            del self.waiting[id]
            self.over = sorted([*self.over, id])[-MOST_OVER:]

    @rule(data=st.data(), seconds=st.integers(0, 100_000))
    def put_off(self, data, seconds):
        if self.waiting:
            id = data.draw(st.sampled_from(sorted(self.waiting)))
            self.webhook.put_off(self.webhook.find(id), self.now + timedelta(seconds=seconds))

    @rule(data=st.data())
    def send_again(self, data):
        known = sorted([*self.waiting, *self.over])
        if known:
            id = data.draw(st.sampled_from(known))
            message = self.webhook.find(id)
            token = message.token
            self.webhook.send_again(message, self.now)
            # Whoever is sending it cannot record anything any more.
            assert message.token > token
            self.waiting[id] = message.token
            self.over = [each for each in self.over if each != id]

    @rule(days=st.integers(0, 20))
    def wait(self, days):
        self.now += timedelta(days=days, milliseconds=5)

    @rule()
    def tidy(self):
        self.webhook.forget_old(self.now)
        before = self.now - record.KEPT
        self.over = [id for id in self.over if self.webhook.find(id) is not None]
        assert all(self.webhook.find(id).created > before for id in self.over[:1])

    @invariant()
    def each_message_is_in_one_place(self):
        listed = [each.id for each in self.webhook.deliveries()]
        self.over = [id for id in self.over if id in listed]
        assert sorted(listed) == sorted([*self.waiting, *self.over]), listed
        assert self.webhook.waiting == len(self.waiting)
        assert all(self.webhook.find(id).state == record.WAITING for id in self.waiting)
        assert all(self.webhook.find(id).state != record.WAITING for id in self.over)
        assert sorted(self.webhook._by_id) == sorted([*self.waiting, "~"])


class MessagesTest(unittest.TestCase):
    """The machine, for a while."""

    def test_messages(self):
        often = settings(max_examples=40, stateful_step_count=30, deadline=None)
        run_state_machine_as_test(Messages, settings=often)


class LookUp(unittest.TestCase):
    """Of a message by its id, among all messages of all subscriptions."""

    def setUp(self):
        self.now = record.utc_now()
        self.db = ZODB.DB(DemoStorage())
        self.addCleanup(self.db.close)
        self.ids = [f"msg_{number:04}" for number in range(1000)]
        with self.db.transaction() as connection:
            webhooks = connection.root()["webhooks"] = Webhooks()
            for first in range(0, len(self.ids), 250):
                webhook = Webhook("", "https://a.example/", (), (), (), "ann", self.now)
                webhooks.add(webhook)
                for id in self.ids[first : first + 250]:
                    webhook.queue(Delivery(id, "ping", "{}", self.now))

    def of_before(self):
        """Let the subscriptions be as databases of before have them."""
        with self.db.transaction() as connection:
            for webhook in connection.root()["webhooks"]:
                del webhook._by_id

    def test_few_objects_are_loaded_however_many_wait(self):
        for id in (self.ids[0], self.ids[500], self.ids[-1]):
            self.db.cacheMinimize()
            with self.db.transaction() as connection:
                connection.getTransferCounts(clear=True)
                _webhook, message = connection.root()["webhooks"].with_delivery(id)
                self.assertEqual(message.id, id)
                # The root, all subscriptions, and of each two trees from top to bottom.
                self.assertLess(connection.getTransferCounts()[0], 30)

    def test_databases_of_before_find_theirs_and_have_it_with_the_next_change(self):
        self.of_before()
        with self.db.transaction() as connection:
            webhooks = connection.root()["webhooks"]
            webhook, message = webhooks.with_delivery(self.ids[300])
            self.assertEqual(message.id, self.ids[300])
            with self.assertRaises(NoSuchItem):
                webhooks.with_delivery("msg_9999")
            webhook.claim(message, self.now)
        with self.db.transaction() as connection:
            webhook, message = connection.root()["webhooks"].with_delivery(self.ids[300])
            self.assertEqual(len(webhook._by_id), 251)
            webhook.end(message, record.DELIVERED, self.now)
            self.assertIs(webhook.find(message.id), message)
            self.assertNotIn(message.id, webhook._by_id)

    def test_what_is_no_id_is_none(self):
        with self.db.transaction() as connection:
            for id in ("", "~", "msg_", "msg_00001"):
                with self.assertRaises(NoSuchItem):
                    connection.root()["webhooks"].with_delivery(id)

    def test_of_two_who_queue_at_once_both_do(self):
        first, second = TransactionManager(), TransactionManager()
        for number, manager in enumerate((first, second)):
            manager.begin()
            connection = self.db.open(manager)
            self.addCleanup(connection.close)
            webhook = next(iter(connection.root()["webhooks"]))
            webhook.queue(Delivery(f"msg_1{number}", "ping", "{}", self.now))
        first.commit()
        second.commit()
        with self.db.transaction() as connection:
            for id in ("msg_10", "msg_11"):
                self.assertEqual(connection.root()["webhooks"].with_delivery(id)[1].id, id)


class Selection(unittest.TestCase):
    """What a subscription wants."""

    def test_kinds_and_outcomes_are_of_runs_alone(self):
        now = record.utc_now()
        hook = Webhook("", "", (record.RUN, record.FILE), ("undo",), ("stopped",), "ann", now)
        self.assertTrue(hook.wants(record.FILE))
        self.assertTrue(hook.wants(record.RUN, "undo", "stopped"))
        self.assertFalse(hook.wants(record.RUN, "undo", "finished"))
        self.assertFalse(hook.wants(record.RUN, "import", "stopped"))
        self.assertFalse(hook.wants(record.EXPORT_READY))
        hook.turn_off()
        self.assertFalse(hook.wants(record.FILE))

    def test_ids_are_in_the_order_of_their_times(self):
        now = record.utc_now()
        ids = [new_id(now + timedelta(milliseconds=10 * number)) for number in range(50)]
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(len(set(ids)), 50)
