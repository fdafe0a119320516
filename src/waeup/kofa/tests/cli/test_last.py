"""At its end the server answers all who were taken, and takes nobody any more."""

import errno
import threading
import unittest
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any
from unittest import mock

from waitress.server import create_server
from waitress.wasyncore import close_all

from waeup.kofa.cli import serve
from waeup.kofa.tests.waiting import joined


def application(environment: dict[str, Any], start_response: Any) -> list[bytes]:
    """Return what has come."""
    body = environment["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class LastTests(unittest.TestCase):
    def setUp(self) -> None:
        self.connections: dict[int, Any] = {}
        self.server = create_server(
            application, map=self.connections, host="127.0.0.1", port=0, threads=1
        )
        self.server.channel_class = serve._Channel
        self.ends = ExitStack()
        self.addCleanup(self.ends.close)
        self.ends.callback(close_all, self.connections)

    def connected(self) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self.server.effective_port, timeout=30)
        self.ends.callback(connection.close)
        connection.connect()
        return connection

    def test_who_has_connected_is_answered_and_nobody_else(self) -> None:
        whole = [self.connected() for _ in range(3)]
        for connection in whole:
            connection.request("POST", "/", b"all of it")
        half, silent = self.connected(), self.connected()
        half.putrequest("POST", "/")
        half.putheader("Content-Length", "9")
        half.endheaders(b"all")
        found: list[Any] = []

        def ask() -> None:
            half.send(b" of it")
            silent.request("POST", "/", b"all of it")
            for connection in (*whole, half, silent):
                answer = connection.getresponse()
                found.append((answer.read(), answer.headers["Connection"]))

        later = threading.Timer(0.05, ask)
        later.start()
        left = serve._answer_rest(self.server, self.connections)
        self.server.task_dispatcher.shutdown(timeout=left)
        joined(later)
        self.assertEqual(found, [(b"all of it", "close")] * 5)
        self.assertGreater(left, 0)
        with self.assertRaises(ConnectionRefusedError):
            self.connected()

    def test_who_does_not_end_is_not_waited_for(self) -> None:
        half = self.connected()
        half.putrequest("POST", "/")
        half.putheader("Content-Length", "9")
        half.endheaders(b"all")
        with mock.patch.object(serve, "GRACE", 0.1):
            self.assertEqual(serve._answer_rest(self.server, self.connections), 0)
        self.server.task_dispatcher.shutdown(timeout=0)

    def test_who_cannot_be_taken_is_not_waited_for(self) -> None:
        self.connected()
        full = OSError(errno.EMFILE, "Too many open files")
        with (
            mock.patch.object(self.server, "accept", side_effect=full),
            self.assertLogs("waitress", "WARNING"),
        ):
            serve._answer_rest(self.server, self.connections)
        self.server.task_dispatcher.shutdown(timeout=0)
