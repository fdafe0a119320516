"""Requests that are sent again: once done, they are answered as before, and not done again."""

import threading
from datetime import datetime, timedelta, timezone
from functools import partial, wraps
from unittest import TestCase, mock

import transaction

from waeup.kofa import replies
from waeup.kofa.api import http
from waeup.kofa.deployment.forgetting import forget_answers
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.operations import Operations
from waeup.kofa.replies import KEPT, Replies, Reply
from waeup.kofa.tests.api.portal import FACULTIES, ApiCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.waiting import PATIENCE, begun, joined

NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)
USER = {"name": "bola", "title": "Bola", "password": "correct horse battery"}


def key(text="k1"):
    """Return the header with a key."""
    return [("Idempotency-Key", text)]


class Repeated(ApiCase):
    """Requests with keys."""

    def test_the_answer_is_that_of_the_first_time(self):
        first = self.ask("POST", "/files?filename=f.csv", data=FACULTIES, headers=key())
        again = self.ask("POST", "/files?filename=f.csv", data=FACULTIES, headers=key())
        self.assertEqual((again.status_code, again.json), (201, first.json))
        self.assertEqual(again.headers["Location"], first.headers["Location"])
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.assertNotIn("Idempotency-Replayed", first.headers)
        self.assertEqual(len(self.get("/files")), 1)

    def test_another_request_cannot_have_the_key(self):
        self.ask("PUT", "/maintenance", body={"text": "a"}, headers=key())
        for method, path, body in (
            ("PUT", "/maintenance", {"text": "b"}),
            ("DELETE", "/maintenance", None),
        ):
            answer = self.ask(method, path, body=body, headers=key())
            self.problem(answer, 422, "key-reused")
        answer = self.ask(
            "PUT", "/maintenance", body={"text": "a"}, headers=key(), token=self.new_token("boss")
        )
        self.problem(answer, 422, "key-reused")
        self.assertEqual(self.get("/maintenance")["text"], "a")

    def test_what_was_refused_can_be_tried_again(self):
        body = {**USER, "password": "x"}
        self.problem(self.ask("POST", "/users", body=body, headers=key()), 422, "refused")
        answer = self.ask("POST", "/users", body=USER, headers=key())
        self.assertEqual(answer.status_code, 201, answer.text)
        answer = self.ask("POST", "/users", body=USER, headers=key())
        self.assertEqual((answer.status_code, answer.data), (201, b""))
        self.problem(self.ask("POST", "/users", body=USER, headers=key("k2")), 409, "name-taken")

    def test_an_answer_is_kept_with_what_was_done_or_not_at_all(self):
        with (
            mock.patch.object(http.transaction, "commit", side_effect=OSError("disk")),
            self.assertLogs("SiteError", "ERROR"),
        ):
            self.problem(self.ask("POST", "/users", body=USER, headers=key()), 500, "fault")
        self.assertIsNone(replies.replies_of(self.site["datacenter"]))
        answer = self.ask("POST", "/users", body=USER, headers=key())
        self.assertEqual(answer.status_code, 201)
        self.assertNotIn("Idempotency-Replayed", answer.headers)

    def test_an_answer_without_content_is_repeated(self):
        self.ask("POST", "/users", body=USER)
        for _ in range(2):
            answer = self.ask("DELETE", "/users/bola", headers=key())
            self.assertEqual((answer.status_code, answer.data), (204, b""))
        self.problem(self.ask("DELETE", "/users/bola"), 404, "no-such-item")

    def test_secrets_are_not_kept(self):
        body = {"address": "https://example.org/in"}
        first = self.ask("POST", "/webhooks", body=body, headers=key())
        self.assertEqual(first.status_code, 201, first.text)
        again = self.ask("POST", "/webhooks", body=body, headers=key())
        self.problem(again, 409, "answer-not-kept")
        self.assertEqual(len(self.get("/webhooks")), 1)
        self.ask("POST", "/users", body=USER, headers=key("k2"))
        transaction.abort()
        kept = replies.replies_of(self.site["datacenter"])._by_user["boss"]
        states = repr([reply.__getstate__() for name, reply in kept.items() if name])
        self.assertNotIn(first.json["secret"], states)
        self.assertNotIn(USER["password"], states)

    def test_keys_that_are_none(self):
        for text in ("", "a b", "x" * 201):
            answer = self.ask("DELETE", "/maintenance", headers=key(text))
            self.problem(answer, 400, "invalid-input")

    def test_answers_go_although_nobody_asks_again(self):
        self.ask("POST", "/files?filename=f.csv", data=FACULTIES, headers=key())
        now, found = datetime.now(timezone.utc), []
        for at in (None, now + KEPT + timedelta(minutes=1)):
            forget = partial(forget_answers, FunctionalLayer.database(), "/app", at)
            in_own_thread(forget)
            transaction.abort()
            kept = replies.replies_of(self.site["datacenter"])
            found.append(kept.find("boss", "k1", now) is not None)
        self.assertEqual(found, [True, False])

    def test_what_is_only_read_needs_no_key(self):
        answer = self.ask("GET", "/files", headers=key())
        self.assertEqual((answer.status_code, answer.json), (200, []))
        self.assertIsNone(replies.replies_of(self.site["datacenter"]))

    def test_two_at_once_do_it_once(self):
        # Both have begun before one of them commits.
        both = threading.Barrier(2, timeout=PATIENCE)
        upload = Operations.upload
        calls = []

        @wraps(upload)
        def slow(operations, *args, **kw):
            calls.append(args)
            if len(calls) <= 2:
                both.wait()
            return upload(operations, *args, **kw)

        found = []

        def send():
            found.append(self.ask("POST", "/files?filename=f.csv", data=FACULTIES, headers=key()))

        with mock.patch.object(Operations, "upload", slow), mock.patch.object(http, "PAUSE", 0):
            joined(*(begun(send) for _ in range(2)))
        self.assertEqual([answer.status_code for answer in found], [201, 201])
        self.assertEqual(found[0].json, found[1].json)
        self.assertEqual(sum("Idempotency-Replayed" in answer.headers for answer in found), 1)
        # The one whose work is kept may have found the other's name taken.
        self.assertEqual([file["name"] for file in self.get("/files")], [found[0].json["name"]])


class Kept(TestCase):
    """What is kept, and for how long."""

    def setUp(self):
        self.replies = Replies()

    def keep(self, name, date=NOW, user="bola", body=b"{}"):
        """Keep an answer."""
        self.replies.keep(user, name, Reply(b"digest", date, 200, (), body))

    def test_an_answer_is_found_by_account_and_key_for_a_day(self):
        self.keep("a")
        self.assertIsNotNone(self.replies.find("bola", "a", NOW + KEPT - timedelta(seconds=1)))
        self.assertIsNone(self.replies.find("bola", "a", NOW + KEPT))
        self.assertIsNone(self.replies.find("bola", "b", NOW))
        self.assertIsNone(self.replies.find("ada", "a", NOW))

    def kept(self):
        """Return the keys of the answers."""
        return [name for name in self.replies._by_user["bola"] if name]

    def test_old_ones_go_now_and_then(self):
        with mock.patch.object(replies, "LOOK", 3):
            self.keep("old", NOW - KEPT)
            self.keep("a")
            self.assertEqual(self.kept(), ["a", "old"])
            self.keep("b")
            self.assertEqual(self.kept(), ["a", "b"])

    def test_the_oldest_of_too_many_go(self):
        with mock.patch.multiple(replies, MOST=5, LOOK=2):
            for number in range(6):
                self.keep(f"k{number}", NOW + timedelta(seconds=number))
        self.assertEqual(self.kept(), ["k3", "k4", "k5"])

    def test_a_long_answer_is_not_kept(self):
        self.keep("a", body=b"x" * (replies.LONGEST + 1))
        self.assertIsNone(self.replies.find("bola", "a", NOW).body)

    def test_answers_of_an_account_go_with_it(self):
        self.keep("a")
        self.replies.forget("bola")
        self.assertEqual(list(self.replies.users()), [])
        self.replies.forget("")
        self.keep("a")
