"""Who is slow is in nobody's way.

Large bodies have a place each as long as they come: a slow one gives it to who waits.  So does a
thread whose answer is read slowly.
"""

import json
import threading
import time
import unittest
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from types import SimpleNamespace
from typing import Any
from unittest import mock

from waeup.kofa.api.asking import MOST_JSON
from waeup.kofa.cli import serve
from waeup.kofa.tests.serving import answering

TOKEN = "Bearer kofa_" + "0" * 12 + "_" + "0" * 64
SIZE = 2 * MOST_JSON
#: Large bodies that come at the same time at the server of the tests, which has two threads.
PLACES = 4


def application(environment: dict[str, Any], start_response: Any) -> list[bytes]:
    """Tell how much has come."""
    size = str(len(environment["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Length", str(len(size)))])
    return [size]


class CrowdTests(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.ends = ExitStack()
        self.addCleanup(self.ends.close)
        self.ends.enter_context(mock.patch.object(serve._Parser, "_large", serve.WeakSet()))
        clock = SimpleNamespace(monotonic=lambda: self.now)
        self.ends.enter_context(mock.patch.object(serve, "time", clock))
        self.port = self.ends.enter_context(answering(application, serve._Channel))

    def begin(self, path: str = "/api/v1/uploads/x", method: str = "PATCH") -> HTTPConnection:
        """Begin a request with a large body; the server has its headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.ends.callback(connection.close)
        connection.putrequest(method, path)
        connection.putheader("Authorization", TOKEN)
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(SIZE))
        connection.endheaders(b"x")
        return connection

    def crowd(self, **more: Any) -> list[HTTPConnection]:
        """Take all places."""
        found = []
        for number in range(PLACES):
            found.append(self.begin(**more))
            self.wait(lambda number=number: self.come() == number + 1)
            self.now += 0.001
        return found

    def wait(self, is_so: Any) -> None:
        until = time.monotonic() + 30
        while not is_so():
            self.assertLess(time.monotonic(), until, "It did not happen.")
            time.sleep(0.005)

    def bring(self, connection: HTTPConnection, size: int) -> None:
        """Send some more of a body, and wait until it has come."""
        before = self.come()
        connection.send(b"x" * size)
        self.wait(lambda: self.come() == before + size)

    def come(self) -> int:
        """Return how much has come of all bodies."""
        return sum(parser.body_bytes_received for parser in serve._Parser._large)

    def told(self, answer: HTTPResponse, status: int, code: str) -> None:
        """Compare an answer with a problem that passes."""
        self.assertEqual(answer.status, status)
        self.assertEqual(json.loads(answer.read())["code"], code)
        self.assertEqual(answer.headers["Retry-After"], "5")
        self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0")

    def test_what_comes_too_slowly_gives_its_place_to_the_next(self) -> None:
        *others, slow = self.crowd()
        self.told(self.begin().getresponse(), 503, "too-many-files")
        self.now += serve.PERIOD - 1
        for other in others:
            self.bring(other, serve.LEAST)
        self.bring(slow, serve.LEAST - 2)
        # Nobody is cut off as long as the time is not over ...
        self.told(self.begin().getresponse(), 503, "too-many-files")
        self.now += 2
        last = self.begin()
        self.told(slow.getresponse(), 408, "too-slow")
        # ... and only one for one.
        self.told(self.begin().getresponse(), 503, "too-many-files")
        for connection in (last, others[0]):
            sent = 1 if connection is last else 1 + serve.LEAST
            connection.send(b"x" * (SIZE - sent))
            self.assertEqual(connection.getresponse().read(), str(SIZE).encode())

    def test_nobody_is_cut_off_while_nobody_waits(self) -> None:
        *_, slow = self.crowd()[:-1]
        self.now += 1000 * serve.PERIOD
        slow.send(b"x" * (SIZE - 1))
        self.assertEqual(slow.getresponse().read(), str(SIZE).encode())

    def test_what_has_come_whole_is_not_cut_off(self) -> None:
        adjustments = SimpleNamespace(threads=PLACES // serve.LARGE_FOR_EACH_THREAD)
        parsers = [serve._Parser(adjustments, lambda: None) for _ in range(PLACES)]
        for parser in parsers:
            parser.completed = True
            serve._Parser._large.add(parser)
        self.assertFalse(parsers[0]._is_room())
        parsers[1].completed = False
        self.assertTrue(parsers[0]._is_room())
        self.assertNotIn(parsers[1], serve._Parser._large)

    def test_people_are_told_so_in_their_words(self) -> None:
        slow = self.crowd(path="/kofa/datacenter/upload", method="PUT")[0]
        self.now += serve.PERIOD + 1
        self.begin()
        answer = slow.getresponse()
        self.assertEqual(answer.status, 408)
        self.assertIn(b"The file came too slowly", answer.read())
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")


class SilenceTests(unittest.TestCase):
    """Connections by which nothing comes, as many as there can be."""

    #: How many connections the server takes, besides its own two sockets.
    most = 6

    def setUp(self) -> None:
        self.ends = ExitStack()
        self.addCleanup(self.ends.close)
        limit = {"connection_limit": self.most + 2}
        self.port = self.ends.enter_context(answering(self.answer, serve._Channel, **limit))
        self.is_held, self.goes_on = threading.Event(), threading.Event()
        self.ends.callback(self.goes_on.set)

    def answer(self, environment: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer a request, one for a page that takes long when it goes on."""
        if environment["PATH_INFO"] == "/long":
            self.is_held.set()
            self.goes_on.wait(30)
        return application(environment, start_response)

    def begin(self) -> HTTPConnection:
        """Begin a request without the end of its headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.ends.callback(connection.close)
        connection.connect()
        connection.send(b"GET / HTTP/1.1\r\n")
        return connection

    def ask(self, path: str = "/") -> HTTPConnection:
        """Send a whole request; return the connection."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.ends.callback(connection.close)
        connection.request("GET", path)
        return connection

    def test_they_are_in_nobodys_way(self) -> None:
        silent = [self.begin() for _ in range(2 * self.most)]
        for _ in range(3):
            self.assertEqual(self.ask().getresponse().status, 200)
        self.assertEqual(silent[0].sock.recv(1), b"", "the oldest one is closed")

    def test_what_is_being_answered_is_not_closed(self) -> None:
        long = self.ask("/long")
        self.assertTrue(self.is_held.wait(20))
        for _ in range(2 * self.most):
            self.begin()
        self.assertEqual(self.ask().getresponse().status, 200)
        self.goes_on.set()
        self.assertEqual(long.getresponse().status, 200)


class SlowReaderTests(unittest.TestCase):
    """Long answers that nobody reads, as many as there are threads."""

    #: Bytes of an answer: more than waitress, and the system, keep for a client.
    size = 16 * 1024 * 1024
    threads = 2

    def setUp(self) -> None:
        self.ends = ExitStack()
        self.addCleanup(self.ends.close)
        # In memory: waitress leaves temporary files to the collector, with a warning.
        limits = {"outbuf_high_watermark": 1024 * 1024, "outbuf_overflow": 4 * self.size}
        self.port = self.ends.enter_context(answering(self.answer, serve._Channel, **limits))
        self.sent = threading.Semaphore(0)

    def answer(self, environment: dict[str, Any], start_response: Any) -> Any:
        """Answer at length, or in short."""
        if environment["PATH_INFO"] != "/long":
            return application(environment, start_response)
        start_response("200 OK", [("Content-Length", str(self.size))])
        return self.blocks()

    def blocks(self) -> Any:
        """Generate a long answer."""
        for _ in range(self.size // 65536):
            self.sent.release()
            yield b"x" * 65536

    def ask(self, path: str) -> HTTPResponse:
        """Send a request; return the beginning of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.ends.callback(connection.close)
        connection.request("GET", path)
        answer = connection.getresponse()
        self.ends.callback(answer.close)
        return answer

    def pause(self) -> list[HTTPResponse]:
        """Take all threads for answers that nobody reads."""
        answers = [self.ask("/long") for _ in range(self.threads)]
        for _ in range(self.threads * 16):
            self.assertTrue(self.sent.acquire(timeout=20))
        return answers

    def test_keep_no_thread_from_others_and_are_answered_wholly(self) -> None:
        paused = self.pause()
        self.assertEqual(self.ask("/").status, 200)
        for answer in paused:
            self.assertEqual(len(answer.read()), self.size)

    def test_are_cut_off_when_too_much_would_be_kept_for_them(self) -> None:
        self.ends.enter_context(mock.patch.object(serve, "MOST_KEPT", 1))
        paused = self.pause()
        self.assertEqual(self.ask("/").status, 200)
        with self.assertRaises((IncompleteRead, ConnectionError)):
            for answer in paused:
                answer.read()
