"""How a run goes on, as a stream."""

import json
from unittest import mock

import transaction

from waeup.kofa.api import events
from waeup.kofa.api.events import Streams
from waeup.kofa.api.http import Api
from waeup.kofa.api.problems import Refusal
from waeup.kofa.errors import StorageFault
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.operations import Operations
from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tokens import revoke_all


def events_of(answer):
    """Return the events of a stream: pairs of name and data, and the id of the last one."""
    found, last = [], ""
    for block in answer.text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
            last = fields.get("id", last)
    return found, last


class Events(ApiCase):
    """A stream of a run."""

    def setUp(self):
        super().setUp()
        self.upload()
        body = {
            "name": "f_boss.csv",
            "processor": "facultyprocessor",
            "mode": "create",
            "mapping": {"columns": ["code", "title"]},
        }
        self.run_id = self.ask("POST", "/imports", body=body).json["id"]
        # What the stream waits for happens at once.
        self.steps = []
        patched = mock.patch.object(Streams, "wait", self.wait)
        patched.start()
        self.addCleanup(patched.stop)

    def wait(self, seconds):
        """Do the next thing instead of waiting."""
        return self.steps.pop(0)() if self.steps else True

    def stream(self, **more):
        """Return the answer with the events."""
        return self.ask("GET", f"/runs/{self.run_id}/events", **more)

    def test_a_run_is_told_of_until_its_end(self):
        self.steps = [lambda: False, lambda: self.work_off(self.run_id)]
        answer = self.stream()
        self.assertEqual(answer.mimetype, "text/event-stream")
        self.assertTrue(answer.text.startswith("retry: "))
        (first, second), last = events_of(answer)
        self.assertEqual((first[0], first[1]["state"]), ("progress", "queued"))
        self.assertEqual((second[0], second[1]["state"]), ("end", "finished"))
        self.assertEqual(second[1]["report"]["created"], 2)
        # Who knows the end need not come again.
        self.assertEqual(self.stream(headers=[("Last-Event-ID", last)]).status_code, 204)
        (end,), _ = events_of(self.stream())
        self.assertEqual(end[0], "end")

    def test_who_comes_again_is_told_what_is_new(self):
        _, last = events_of(self.stream())
        again, _ = events_of(self.stream(headers=[("Last-Event-ID", last)]))
        self.assertEqual(again, [])

    def test_a_stream_ends_by_itself_and_is_alive_before(self):
        clock = iter(range(0, 1000, 6))
        self.steps = [lambda: False] * 100
        with mock.patch.object(events.time, "monotonic", lambda: next(clock)):
            answer = self.stream()
        self.assertIn(": still here", answer.text)
        self.assertGreater(len(self.steps), 50)

    def test_a_token_that_is_revoked_meanwhile_ends_it(self):
        def revoke():
            with open_portal(FunctionalLayer.database(), "/app") as site:
                revoke_all(site["users"], "boss", "boss")
                transaction.commit()

        self.steps = [revoke]
        found, _ = events_of(self.stream())
        self.assertEqual([name for name, _data in found], ["progress", "problem"])
        self.assertEqual(found[1][1]["code"], "no-token")

    def test_what_fails_in_the_server_is_in_its_log_under_a_reference(self):
        looks = [None, StorageFault("The storage /srv/kofa is gone.")]
        run = Operations.run

        def failing(operations, id):
            error = looks.pop(0)
            if error is not None:
                raise error
            return run(operations, id)

        self.steps = [lambda: False]
        with (
            mock.patch.object(Operations, "run", failing),
            self.assertLogs("SiteError") as logged,
        ):
            found, _ = events_of(self.stream())
        self.assertEqual(found[1][0], "problem")
        self.assertEqual(found[1][1]["detail"], "The storage kofa is gone.")
        self.assertIn(found[1][1]["reference"], logged.output[0])

    def test_there_are_only_so_many_and_places_are_given_back(self):
        self.api = Api(FunctionalLayer.database(), "/app", streams=1)
        answers = []
        self.steps = [lambda: answers.append(self.stream())]
        self.assertEqual(self.stream().status_code, 200)
        self.problem(answers[0], 503, "too-many-streams")
        self.assertIn("Retry-After", answers[0].headers)
        for method in ("HEAD", "GET", "GET"):
            answer = self.ask(method, f"/runs/{self.run_id}/events")
            self.assertEqual(answer.status_code, 200)

    def test_an_unknown_run_is_a_problem(self):
        self.problem(self.ask("GET", "/runs/x/events"), 404, "no-such-item")

    def test_the_looks_of_a_stream_are_one_request(self):
        self.steps = [lambda: False] * 5
        before = int(self.ask("GET", "/files").headers["RateLimit-Remaining"])
        self.stream()
        after = int(self.ask("GET", "/files").headers["RateLimit-Remaining"])
        self.assertEqual(before - after, 2)


class Stopped(ApiCase):
    """The end of the server."""

    def test_streams_end_and_no_other_begins(self):
        streams = Streams(2)
        streams.enter()
        self.assertFalse(streams.wait(0))
        streams.stop()
        self.assertTrue(streams.wait(3600))
        self.assertRaises(Refusal, streams.enter)
