"""What becomes of messages that wait: sent, sent again, given up, and by one process at a time."""

import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from unittest import mock

import transaction
from standardwebhooks.webhooks import Webhook as Verifier
from ZODB.POSException import ConflictError

from waeup.kofa.deployment import delivering
from waeup.kofa.errors import Refused
from waeup.kofa.tests.jobs.portal import SITE
from waeup.kofa.tests.jobs.test_crashes import Killed, Late
from waeup.kofa.tests.spool.faultydisk import killed_at
from waeup.kofa.tests.test_meters import value
from waeup.kofa.tests.waiting import PATIENCE, begun, joined
from waeup.kofa.tests.webhooks.portal import (
    ADDRESS,
    BAD,
    GOOD,
    OTHER,
    USER,
    Line,
    WebhookTestCase,
)
from waeup.kofa.webhooks import record
from waeup.kofa.webhooks.sending import Answer


class Delivery(WebhookTestCase):
    """One process, alone."""

    def test_a_message_is_sent_signed_and_is_over_then(self):
        id = self.ping()
        self.look()
        ((address, body, headers),) = self.line.sent
        self.assertEqual(address, ADDRESS)
        self.assertEqual(headers["webhook-id"], id)
        told = Verifier(self.secret).verify(body, headers)
        self.assertEqual((told["id"], told["type"], told["data"]["title"]), (id, "ping", "Ours"))
        message = self.message()
        self.assertEqual((message.state, message.tries, message.status), ("delivered", 1, 204))
        self.assertIsNone(message.due)
        state = self.state()
        self.assertEqual((state.waiting, state.delivered), (0, self.clock.now))
        self.look()
        self.assertEqual(len(self.line.sent), 1)

    def test_no_transaction_is_open_while_it_is_sent(self):
        seen = []
        self.ping()
        with closing(self.portal.open()) as db:
            self.line.before = lambda id: seen.extend(
                each for each in db.connectionDebugInfo() if each["opened"]
            )
            self.look(db=db)
        self.assertEqual((len(self.line.sent), seen), (1, []))

    def test_pauses_become_longer_and_have_an_end(self):
        self.line.answers = [BAD] * 100
        id, pauses = self.ping(), []
        self.look()
        while self.message().due is not None:
            message = self.message()
            pauses.append((message.due - self.clock.now).total_seconds())
            self.clock.now = message.due - timedelta(seconds=1)
            self.look()
            self.assertEqual(len(self.line.sent), len(pauses))
            self.look_later(seconds=1)
        self.assertEqual(pauses, list(record.PAUSES))
        self.assertEqual(self.line.ids, [id] * record.MOST_TRIES)
        message = self.message()
        self.assertEqual((message.state, message.status, message.answer), ("failed", 500, "no"))
        self.assertEqual(self.state().state, "on")

    def test_pauses_are_spread(self):
        pauses = {round(delivering.Deliverer()._spread(), 6) for _number in range(20)}
        self.assertGreater(len(pauses), 1)
        self.assertTrue(all(0.9 <= each <= 1.1 for each in pauses))

    def test_each_attempt_is_signed_at_its_own_time(self):
        self.line.answers = [BAD]
        self.ping()
        self.look()
        self.look_later(seconds=10)
        first, second = (headers for _address, _body, headers in self.line.sent)
        self.assertEqual(first["webhook-id"], second["webhook-id"])
        self.assertEqual(int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]), 10)

    def test_an_error_of_our_own_is_tried_again_and_given_up_as_well(self):
        self.ping()
        failing = self.new_deliverer(mock.Mock(side_effect=ZeroDivisionError))
        with self.assertLogs("waeup.kofa.deployment.delivering", "ERROR"):
            self.look(failing)
        message = self.message()
        self.assertEqual((message.state, message.tries), ("waiting", 1))
        self.assertEqual(message.error, "The portal has failed; its log has more.")

    def test_errors_are_kept_and_tried_again(self):
        self.line.answers = [Answer(error="Nobody is there.")]
        self.ping()
        self.look()
        message = self.message()
        self.assertEqual((message.status, message.error), (None, "Nobody is there."))
        self.assertEqual(self.state().failing_since, self.clock.now)
        self.look_later(seconds=10)
        message, state = self.message(), self.state()
        self.assertEqual((message.state, message.error), ("delivered", ""))
        self.assertIsNone(state.failing_since)

    def test_a_receiver_says_when_to_come_again(self):
        for wait, pause in ((120.0, 120), (3.0, 10), (1e9, 86400)):
            self.line.answers = [Answer(503, wait=wait)]
            id = self.ping()
            self.look()
            (message,) = [each for each in self.messages() if each.id == id]
            self.assertEqual(message.due, self.clock.now + timedelta(seconds=pause))
            self.look_later(seconds=pause)

    def test_gone_turns_it_off(self):
        self.line.answers = [Answer(410)]
        self.ping()
        self.ping()
        with self.assertLogs("waeup.kofa.deployment.delivering", "WARNING"):
            self.look()
        state = self.state()
        self.assertEqual((state.state, state.waiting), ("broken", 1))
        self.assertIn("410", state.reason)
        self.look_later(days=1)
        self.assertEqual(len(self.line.sent), 1)
        self.change(is_on=True)
        self.look()
        self.assertEqual([each.state for each in self.messages()], ["delivered", "failed"])
        self.assertEqual((self.state().state, self.state().reason), ("on", ""))

    def fail(self):
        """Let a message fail to its end."""
        self.line.answers = [BAD] * record.MOST_TRIES
        self.ping()
        self.look()
        for pause in record.PAUSES:
            self.look_later(seconds=pause)

    def test_three_days_without_success_turn_it_off(self):
        for _number in range(4):
            self.fail()
            self.assertEqual(self.state().state, "on")
        with self.assertLogs("waeup.kofa.deployment.delivering", "WARNING"):
            self.fail()
        self.assertEqual(self.state().state, "broken")
        self.assertEqual(self.state().reason, "Nothing has arrived for three days.")

    def test_one_success_in_between_is_enough(self):
        for _number in range(4):
            self.fail()
        self.line.answers = []
        self.ping()
        self.look()
        self.fail()
        self.assertEqual(self.state().state, "on")

    def test_after_a_failure_the_others_of_the_webhook_wait_for_the_next_look(self):
        self.line.answers = [BAD]
        for _number in range(3):
            self.ping()
        self.look()
        self.assertEqual(len(self.line.sent), 1)
        self.look()
        self.assertEqual(len(self.line.sent), 3)
        self.look_later(seconds=10)
        self.assertEqual(len(self.line.sent), 4)
        self.assertEqual({each.state for each in self.messages()}, {"delivered"})

    def test_a_receiver_that_fails_does_not_hold_up_others(self):
        other = self.ask(lambda o: o.new_webhook("https://other.example/", "Theirs")).id
        line = self.line

        def answer(address, *args, **kw):
            line(address, *args, **kw)
            return BAD if address == ADDRESS else GOOD

        for _number in range(3):
            self.ping()
            self.ping(other)
        self.look(self.new_deliverer(answer))
        self.assertEqual({each.state for each in self.messages(other)}, {"delivered"})
        self.assertEqual([each.tries for each in self.messages()].count(0), 2)

    def test_nothing_is_sent_while_it_is_off(self):
        self.ping()
        self.change(is_on=False)
        self.look()
        self.assertEqual(self.line.sent, [])
        self.change(is_on=True)
        self.look()
        self.assertEqual(len(self.line.sent), 1)

    def test_it_ends_between_messages_when_the_process_is_to_end(self):
        for _number in range(3):
            self.ping()
        with closing(self.portal.open()) as db:
            asked = lambda: len(self.line.sent) == 2  # noqa: E731
            self.look(mock.Mock(look=lambda db, site: self.deliverer.look(db, site, asked)), db)
        self.assertEqual(len(self.line.sent), 2)

    def test_the_address_of_the_moment_counts(self):
        self.line.answers = [BAD]
        self.ping()
        self.look()
        self.change(address="https://new.example/")
        self.look_later(seconds=10)
        self.assertEqual(self.line.sent[-1][0], "https://new.example/")

    def test_both_secrets_sign_for_a_day(self):
        new = self.ask(lambda o: o.renew_webhook_secret(self.webhook)).secret
        self.clock.turn(hours=23)
        with mock.patch.object(record, "utc_now", self.clock):
            self.assertIsNotNone(self.state().former_until)
        self.ping()
        self.look()
        self.assertEqual(len(self.line.sent[0][2]["webhook-signature"].split()), 2)
        self.clock.turn(hours=2)
        self.ping()
        self.look()
        self.assertEqual(len(self.line.sent[1][2]["webhook-signature"].split()), 1)

        def former(site):
            (webhook,) = self.all_of(site)
            return webhook.former_secret, webhook.secret

        self.assertEqual(self.portal.change(former), ("", new))

    def test_a_former_secret_is_forgotten_without_messages_too(self):
        self.ask(lambda o: o.renew_webhook_secret(self.webhook))
        self.clock.turn(hours=25)
        with closing(self.portal.open()) as db:
            self.look(mock.Mock(look=self.deliverer.tidy), db)
        found = self.portal.change(lambda site: self.all_of(site)[0].former_secret)
        self.assertEqual(found, "")

    def test_what_is_secret_is_not_kept_of_an_answer(self):
        self.ping()
        self.look()
        sent = self.line.sent[0][2]["webhook-signature"].removeprefix("v1,")
        self.assertEqual(
            sorted(self.line.said["secrets"]), sorted([self.secret.removeprefix("whsec_"), sent])
        )

    def test_it_is_counted(self):
        def counted():
            return {
                outcome: value("kofa_webhook_messages_total", outcome=outcome)
                for outcome in ("delivered", "retried", "failed", "dropped")
            }

        before = counted()
        self.fail()
        self.ping()
        self.look()
        after = counted()
        self.assertEqual(
            {name: after[name] - before[name] for name in after},
            {"delivered": 1, "retried": 7, "failed": 1, "dropped": 0},
        )


class Bounds(WebhookTestCase):
    """Nothing grows without end."""

    def test_messages_that_are_over_are_few(self):
        with mock.patch.object(record, "MOST_OVER", 3):
            for _number in range(5):
                last = self.ping()
                self.look()
                self.clock.turn(seconds=1)
        found = self.messages()
        self.assertEqual((len(found), found[0].id), (3, last))

    def test_messages_that_are_over_are_not_old(self):
        self.ping()
        self.look()
        self.clock.turn(days=31)
        with closing(self.portal.open()) as db:
            self.look(mock.Mock(look=self.deliverer.tidy), db)
        self.assertEqual(self.messages(), [])

    def test_where_too_many_wait_it_is_turned_off(self):
        with mock.patch.object(record, "MOST_WAITING", 2):
            for _number in range(2):
                self.ping()
            with self.assertRaises(Refused):
                self.ping()
            self.assertEqual(self.state().state, "on")
            self.done(kind="check")
        state = self.state()
        self.assertEqual((state.state, state.waiting), ("broken", 2))
        self.assertIn("2 messages wait already", state.reason)


class Rights(WebhookTestCase):
    """Rights that are gone when a message is to be sent."""

    def dropped(self):
        self.look()
        self.assertEqual(self.line.sent, [])
        message = self.message()
        self.assertEqual(message.state, "dropped")
        self.assertIn("may not see", message.error)

    def test_who_lost_the_right(self):
        self.done()
        self.roles(USER)
        self.look()
        self.roles(USER, "waeup.PortalManager")
        self.assertEqual(self.line.sent, [])
        self.assertEqual({each.state for each in self.messages()}, {"dropped"})

    def test_who_is_suspended(self):
        self.ping()

        def suspend(site):
            site["users"][USER].suspended = True

        self.portal.change(suspend)
        self.dropped()

    def test_who_is_gone(self):
        self.ping()
        self.portal.change(lambda site: site["users"].__delitem__(USER))
        self.look()
        self.assertEqual(self.line.sent, [])
        state = self.ask(lambda o: o.webhook(self.webhook), OTHER)
        self.assertEqual(
            (state.state, state.reason), ("broken", "The account of its owner was removed.")
        )

    def test_a_run_that_is_forgotten(self):
        self.change(events=["run.finished"])
        id = self.done().id

        def forget(site):
            runs = site["datacenter"].runs
            runs.drop(runs.get(id))

        self.portal.change(forget)
        self.dropped()


class Several(WebhookTestCase):
    """Two processes that have the duty at once, as they may."""

    def setUp(self):
        super().setUp()
        self.db = self.portal.open()
        self.addCleanup(self.db.close)
        self.other = Line()
        self.others = self.new_deliverer(self.other)

    def queue(self, number):
        def queue(operations):
            return [operations.test_webhook(self.webhook).id for _number in range(number)]

        return self.portal.operations(queue, db=self.db)

    def found(self):
        return self.portal.operations(lambda o: o.deliveries(self.webhook), db=self.db)

    def test_each_sends_other_messages(self):
        ids = self.queue(3)

        def meanwhile(id):
            self.line.before = None
            self.look(self.others, self.db)

        self.line.before = meanwhile
        self.look(db=self.db)
        self.assertEqual(sorted(self.line.ids + self.other.ids), sorted(ids))
        self.assertEqual((len(self.line.ids), len(self.other.ids)), (1, 2))
        self.assertEqual({each.state for each in self.found()}, {"delivered"})

    def test_of_two_who_claim_one_one_has_a_conflict(self):
        self.queue(1)
        real = delivering._may_be_sent

        def meanwhile(*args):
            with mock.patch.object(delivering, "_may_be_sent", real):
                self.look(self.others, self.db)
            return real(*args)

        with mock.patch.object(delivering, "_may_be_sent", meanwhile):
            self.look(db=self.db)
        self.assertEqual((len(self.line.ids), len(self.other.ids)), (0, 1))

    def test_all_at_once_each_message_is_sent_once(self):
        ids = self.queue(30)
        errors, deadline = [], time.monotonic() + PATIENCE

        def work(deliverer):
            try:
                # Who has a conflict leaves the rest to the next look.
                while any(each.state == "waiting" for each in self.found()):
                    self.assertLess(time.monotonic(), deadline, "one is in nobody's hands")
                    deliverer.look(self.db, SITE)
            except BaseException as error:
                errors.append(error)

        deliverers = self.deliverer, self.others, self.new_deliverer(self.line)
        joined(*(begun(work, each) for each in deliverers))
        self.assertEqual(errors, [])
        self.assertEqual(sorted(self.line.ids + self.other.ids), sorted(ids))
        self.assertEqual({each.tries for each in self.found()}, {1})

    def test_who_was_paused_has_nothing_to_say_any_more(self):
        (id,) = self.queue(1)
        self.line.answers = [BAD]

        def meanwhile(_id):
            self.clock.turn(seconds=record.CLAIM + 1)
            self.look(self.others, self.db)

        self.line.before = meanwhile
        self.look(db=self.db)
        self.assertEqual((self.line.ids, self.other.ids), ([id], [id]))
        (message,) = self.found()
        self.assertEqual((message.state, message.status), ("delivered", 204))

    def test_one_that_is_sent_again_meanwhile_is_sent_again(self):
        (id,) = self.queue(1)

        def meanwhile(id):
            self.line.before = None
            self.portal.operations(lambda o: o.deliver_again(id), db=self.db)

        self.line.before = meanwhile
        self.look(db=self.db)
        self.assertEqual(self.line.ids, [id, id])
        self.assertEqual((self.found()[0].state, self.found()[0].tries), ("delivered", 1))

    def test_one_that_is_given_up_meanwhile_is_over(self):
        (id,) = self.queue(1)

        def meanwhile(_id):
            self.line.before = None
            with mock.patch.object(self.others, "_record"):
                for _number in range(record.MOST_TRIES):
                    self.clock.turn(seconds=record.CLAIM)
                    self.look(self.others, self.db)

        self.line.before = meanwhile
        with self.assertLogs("waeup.kofa.deployment.delivering", "WARNING"):
            self.look(db=self.db)
        (message,) = self.found()
        self.assertEqual((message.id, message.state, message.status), (id, "failed", None))

    def test_one_that_is_dropped_meanwhile_is_over(self):
        self.queue(1)

        def meanwhile(_id):
            self.clock.turn(seconds=record.CLAIM)
            with mock.patch.object(delivering, "_may_be_sent", return_value=False):
                self.look(self.others, self.db)

        self.line.before = meanwhile
        self.look(db=self.db)
        (message,) = self.found()
        self.assertEqual((message.state, message.status), ("dropped", None))

    def test_one_that_is_removed_meanwhile(self):
        self.queue(2)
        self.line.before = lambda _id: self.portal.operations(
            lambda o: o.remove_webhook(self.webhook), db=self.db
        )
        self.look(db=self.db)
        self.assertEqual(len(self.line.sent), 1)

    def test_conflicts_of_the_record_are_repeated(self):
        (id,) = self.queue(1)
        real, failures = transaction.commit, [None, ConflictError(), ConflictError()]

        def commit():
            if failures and (failure := failures.pop(0)) is not None:
                raise failure
            real()

        with mock.patch.object(delivering.transaction, "commit", commit):
            self.look(db=self.db)
        self.assertEqual((self.line.ids, self.found()[0].state), ([id], "delivered"))

    def test_what_cannot_be_recorded_is_sent_once_more(self):
        (id,) = self.queue(1)
        real, calls = transaction.commit, []

        def commit():
            calls.append(1)
            if len(calls) > 1:
                raise ConflictError()
            real()

        with mock.patch.object(delivering.transaction, "commit", commit):
            self.look(db=self.db)
        self.look(db=self.db)
        self.assertEqual(self.line.ids, [id])
        self.clock.turn(seconds=record.CLAIM)
        self.look(db=self.db)
        self.assertEqual((self.line.ids, self.found()[0].state), ([id, id], "delivered"))


class Crashes(WebhookTestCase):
    """The process is killed while it sends."""

    def setUp(self):
        super().setUp()
        handle, self.path = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(os.unlink, self.path)
        self.id = self.ping()
        self.portal.keep()

    def write(self, id):
        """Keep outside of the process that a message was sent."""
        with open(self.path, "a", encoding="ascii") as stream:
            stream.write(id + "\n")

    def sent(self):
        with open(self.path, encoding="ascii") as stream:
            return stream.read().split()

    def arrives_after(self, stop):
        """Stop at each point in its turn; the message arrives with the same id in the end."""
        number, numbers = 0, []
        while True:
            self.portal.set_up()
            os.truncate(self.path, 0)
            self.line.before = self.write
            if not stop(number):
                break
            self.look_later(seconds=record.CLAIM)
            sent = self.sent()
            self.assertEqual(set(sent), {self.id}, number)
            self.assertEqual(self.message().state, "delivered", number)
            numbers.append(len(sent))
            number += 1
        return numbers

    def test_kill(self):
        # Before the claim, and before what came of it is recorded.
        found = self.arrives_after(lambda number: killed_at(number, self.look, Killed))
        self.assertEqual(found, [1, 2])

    def test_a_message_that_ends_each_process_is_given_up_and_others_go_on(self):
        others = [self.ping() for _number in range(2)]
        self.line.before = lambda id: id == self.id and self.end_process(id)
        looks = 0
        while self.state().waiting:
            # A new process a moment later, and once more when the message is due again.
            for seconds in (5, record.CLAIM):
                self.clock.turn(seconds=seconds)
                looks += self.ended_by_look()
            self.assertLessEqual(looks, record.MOST_TRIES)
        self.assertEqual(looks, record.MOST_TRIES)
        found = {each.id: each for each in self.messages()}
        self.assertEqual({found[id].state for id in others}, {"delivered"})
        message = found[self.id]
        self.assertEqual((message.state, message.tries), ("failed", record.MOST_TRIES))
        self.assertIn("has ended while it sent the message", message.error)
        self.assertIsNotNone(self.state().failing_since)
        # By hand it can be tried anew.
        self.line.before = None
        self.ask(lambda o: o.deliver_again(self.id))
        self.look_later(seconds=1)
        self.assertEqual({each.state for each in self.messages()}, {"delivered"})

    def test_the_log_says_why_it_was_given_up(self):
        self.line.before = self.end_process
        for _number in range(record.MOST_TRIES):
            self.ended_by_look()
            self.clock.turn(seconds=record.CLAIM)
        self.line.before = None
        before = value("kofa_webhook_messages_total", outcome="failed")
        with self.assertLogs("waeup.kofa.deployment.delivering", "WARNING") as caught:
            self.look()
        self.assertIn(f"{self.webhook}: message {self.id}: Given up after 8", caught.output[0])
        self.assertEqual(value("kofa_webhook_messages_total", outcome="failed"), before + 1)
        self.assertEqual(self.line.sent, [])

    def end_process(self, _id):
        os.kill(os.getpid(), signal.SIGKILL)

    def ended_by_look(self):
        """Look in a process of its own; tell whether that has ended it."""
        return killed_at(sys.maxsize, self.look)

    def test_a_commit_of_which_nobody_knows(self):
        def stop(number):
            with Late(number) as shim:
                try:
                    self.look()
                except OSError:
                    pass
            return shim.count > number

        self.assertTrue(all(1 <= each <= 2 for each in self.arrives_after(stop)))
