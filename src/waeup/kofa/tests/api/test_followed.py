"""A run of a portal elsewhere is heard of, and asked for where there is nothing to hear."""

import json
import time
import unittest
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from queue import SimpleQueue
from typing import Any
from unittest import mock

from urllib3.exceptions import ProtocolError

from waeup.kofa.api import followed, plain
from waeup.kofa.api.connection import Connection, Later
from waeup.kofa.api.followed import Followed
from waeup.kofa.errors import NotUnderstood, PortalGone, Refused
from waeup.kofa.importing.report import Report
from waeup.kofa.operations import RunInfo
from waeup.kofa.tests.cli.far import Said, playing

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)
RUN = RunInfo(
    id="1f",
    kind="import",
    state="queued",
    file="f.csv",
    processor="facultyprocessor",
    mode="create",
    owner="boss",
    user="boss",
    queued=NOW,
    started=None,
    ended=None,
    rows=0,
    failed=0,
    fraction=0.0,
    rate=0.0,
    remaining=None,
    waits_for="",
    fault="",
    report=Report(file="f.csv", processor="facultyprocessor", mode="create"),
    undo_bytes=0,
    undo_until=None,
    check=None,
    undoes=None,
    undone_by=None,
    is_cancelling=False,
    actions=("cancel",),
)
TOKEN = "kofa_" + "0" * 12 + "_" + "0" * 64


def event(name: str, run: Any = None, number: str = "e1", **members: Any) -> bytes:
    """Return an event as the portal sends it."""
    said = members if run is None else plain.dump(run, RunInfo) | members
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(said)}\n\n".encode()


def progress(rows: int, **more: Any) -> bytes:
    return event("progress", number=f"p{rows}", **{"state": "running", "rows": rows} | more)


END = event("end", replace(RUN, state="finished", rows=9, ended=NOW), "z")


class _Answer:
    """An answer in blocks, at last those of a queue; None ends it, an error breaks it."""

    def __init__(self, first: Any, blocks: "SimpleQueue[Any]") -> None:
        self._first = list(first)
        self._blocks = blocks

    def read1(self, amount: int, decode_content: bool) -> bytes:
        block = self._first.pop(0) if self._first else self._blocks.get(timeout=10)
        if isinstance(block, Exception):
            raise block
        return block or b""

    def shutdown(self) -> None:
        self._blocks.put(ProtocolError("shut"))


class _Portal:
    """Gives streams one after the other; each is a list of blocks, or an error."""

    def __init__(self, *streams: Any) -> None:
        self.streams = list(streams)
        self.asked: list[dict[str, str]] = []
        self.open: SimpleQueue[Any] = SimpleQueue()

    @contextmanager
    def listening(self, target: str, headers: dict[str, str], *, silence: float) -> Any:
        assert target == "/api/v1/runs/1f/events"
        self.asked.append(headers)
        stream = self.streams.pop(0) if self.streams else []
        if isinstance(stream, Exception):
            raise stream
        yield _Answer(stream, self.open)


class FollowedTests(unittest.TestCase):
    def setUp(self) -> None:
        self.questions = 0
        for name, seconds in {"PAUSE": 0.01, "LONGEST_PAUSE": 0.02, "INTERVAL": 0.05}.items():
            patched = mock.patch.object(followed, name, seconds)
            patched.start()
            self.addCleanup(patched.stop)

    def ask(self) -> RunInfo:
        self.questions += 1
        return replace(RUN, state="running", rows=1000 + self.questions)

    def followed(self, *streams: Any) -> tuple[_Portal, Followed]:
        portal = _Portal(*streams)
        return portal, Followed(portal, RUN, self.ask)  # type: ignore[arg-type]

    def until(self, known: Followed, rows: int) -> RunInfo:
        """Return the first news with so many rows, or of the end."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            run = known.news(0.3)
            if run.rows == rows or not run.is_active:
                return run
        raise AssertionError("No such news have come.")

    def test_news_are_heard_and_nothing_is_asked(self) -> None:
        portal, known = self.followed(
            [b"retry: 10\n\n", progress(5, waits_for="import of g.csv", rate=2.5), b": x\n\n"]
        )
        with known:
            run = self.until(known, 5)
            self.assertEqual(
                (run.state, run.rate, run.waits_for, run.file, run.actions),
                ("running", 2.5, "import of g.csv", "f.csv", ("cancel",)),
            )
            portal.open.put(END[:50])
            portal.open.put(END[50:])
            run = self.until(known, 9)
            self.assertEqual((run.state, run.ended), ("finished", NOW))
        self.assertEqual(self.questions, 0)
        self.assertFalse(known._thread.is_alive())

    def test_a_stream_that_ends_is_begun_again_with_what_was_heard(self) -> None:
        portal, known = self.followed(
            [b"retry: 1\n\n", progress(5), None],
            [b"retry: 1\n\n", None],
            [progress(6), ProtocolError("broken")],
            [END, None],
        )
        with known:
            self.until(known, 9)
        ids = [headers.get("Last-Event-ID") for headers in portal.asked]
        self.assertEqual(ids, [None, "p5", "p5", "p6"])
        self.assertLessEqual(self.questions, 1)

    def test_it_is_asked_for_while_there_is_no_room(self) -> None:
        portal, known = self.followed(*[Later(0)] * 5, [END])
        with known:
            self.assertEqual(self.until(known, 1002).rows, 1002)
            self.assertTrue(self.until(known, 9).state)
        self.assertEqual(len(portal.asked), 6)

    def test_it_is_asked_for_while_the_portal_fails_to_tell(self) -> None:
        portal, known = self.followed(
            [event("problem", code="no-token"), None], [None], ConnectionError("gone"), [END]
        )
        with known:
            self.until(known, 9)
        self.assertEqual(len(portal.asked), 4)

    def test_where_there_are_no_streams_it_is_asked_for_alone(self) -> None:
        for wrong in (
            Refused("There is no such address."),
            [b"data: \xff\n\n"],
            [b"event: end\ndata: [1\n\n"],
            [b"event: end\ndata: [1]\n\n"],
            [progress(5, id="2f")],
            [event("progress", RUN, state="finished")],
            [event("end", RUN)],
            [event("progress", rows="many")],
        ):
            with self.subTest(wrong):
                self.questions = 0
                portal, known = self.followed(wrong)
                with known:
                    self.until(known, 1003)
                    known._thread.join(10)
                    self.assertFalse(known._thread.is_alive())
                self.assertEqual(len(portal.asked), 1)

    def test_a_proxy_that_keeps_it_back(self) -> None:
        portal, known = self.followed()
        with mock.patch.object(followed, "BEGINNING", 0.05):
            known._trusted_until = time.monotonic() + 0.05
            with known:
                self.until(known, 1002)
                # All of it comes at once, and is old.
                portal.open.put(progress(5) + progress(6))
                known._thread.join(10)
                self.assertEqual(self.until(known, 1004).rows, 1004)
        self.assertEqual(len(portal.asked), 1)

    def test_a_stream_that_falls_silent(self) -> None:
        portal, known = self.followed()
        with mock.patch.object(followed, "SILENCE", 0.05), known:
            portal.open.put(progress(5))
            self.until(known, 5)
            self.until(known, 1002)
            # It is still open, and may go on.
            portal.open.put(progress(2000))
            self.until(known, 2000)

    def test_what_asking_raises_comes_to_who_waits(self) -> None:
        _, known = self.followed(Refused("No."))
        with mock.patch.object(self, "ask", side_effect=PortalGone("Gone.")):
            known._ask = self.ask
            with known, self.assertRaises(PortalGone):
                self.until(known, 9)

    def test_who_waits_is_not_kept_waiting_by_silence(self) -> None:
        portal, known = self.followed()
        with known:
            began = time.monotonic()
            self.assertEqual(known.news(0.05), RUN)
            self.assertLess(time.monotonic() - began, 1)
            while not portal.asked:
                time.sleep(0.01)
        self.assertFalse(known._thread.is_alive())


class ListeningTests(unittest.TestCase):
    """What a portal, or what stands before it, answers to who wants to listen."""

    def listen(self, said: Said) -> Any:
        with playing(said) as (url, requests):
            with (
                Connection(url, TOKEN) as connection,
                connection.listening("/x", {"Last-Event-ID": "1"}, silence=5) as answer,
                closing(answer),
            ):
                found = answer.read1(100, decode_content=True)
            ((_, _, headers),) = requests
            self.assertEqual(headers["Last-Event-ID"], "1")
            self.assertTrue(headers["Accept"].startswith("text/event-stream"))
            return found

    def test_a_stream(self) -> None:
        said = Said(200, b"data: x\n\n", "text/event-stream; charset=utf-8")
        self.assertEqual(self.listen(said), b"data: x\n\n")

    def test_there_is_no_room(self) -> None:
        problem = b'{"code": "too-many-streams", "detail": "Come again."}'
        for said, seconds in (
            (Said(503, problem, headers=(("Retry-After", "7"),)), 7),
            (Said(429, problem, headers=(("Retry-After", "40"),)), 40),
            (Said(502, b"<html>", "text/html"), 0.5),
        ):
            with self.subTest(said.status), self.assertRaises(Later) as caught:
                self.listen(said)
            self.assertEqual(caught.exception.seconds, seconds)

    def test_there_are_no_streams(self) -> None:
        for said, error in (
            (Said(404, b'{"code": "no-such-address", "detail": "No."}'), Refused),
            (Said(200, b"<html>", "text/html"), NotUnderstood),
            (Said(204), NotUnderstood),
            (Said(302, headers=(("Location", "https://x.example"),)), Refused),
            (Said(503, b'{"code": "under-maintenance", "detail": "Closed."}'), Exception),
        ):
            with self.subTest(said.status), self.assertRaises(error) as caught:
                self.listen(said)
            self.assertNotIsInstance(caught.exception, Later)
