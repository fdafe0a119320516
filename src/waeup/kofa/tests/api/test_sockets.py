"""Messages over a Unix socket, and where it lies."""

import os
import socket
import stat
import struct
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from unittest import mock

from waeup.kofa.api import sockets
from waeup.kofa.errors import NotUnderstood, TooLarge
from waeup.kofa.tests.waiting import begun, joined


class Messages(unittest.TestCase):
    def setUp(self):
        self.here, self.there = socket.socketpair()
        self.addCleanup(self.here.close)
        self.addCleanup(self.there.close)

    def sent(self, data):
        """Send bytes as they are, and end."""
        self.here.sendall(data)
        self.here.close()

    def test_messages_come_one_by_one(self):
        for message in (b"", b"one", b"\0" * 1000):
            sockets.send(self.here, message)
        for message in (b"", b"one", b"\0" * 1000):
            self.assertEqual(sockets.receive(self.there), (message, []))

    def test_a_large_message_comes_in_pieces(self):
        message = os.urandom(3_000_000)
        sending = begun(sockets.send, self.here, message)
        self.assertEqual(sockets.receive(self.there), (message, []))
        joined(sending)

    def test_the_end_between_two_messages_is_no_message(self):
        sockets.send(self.here, b"one")
        self.here.close()
        self.assertEqual(sockets.receive(self.there), (b"one", []))
        self.assertIsNone(sockets.receive(self.there))

    def test_the_end_within_a_message_is_an_error(self):
        for files in (0, 1):
            for data in (b"\0", b"\0\0\0\3", b"\0\0\0\3ab"):
                with self.subTest(data), self.assertRaises(ConnectionResetError):
                    self.here, there = socket.socketpair()
                    with there:
                        self.sent(data)
                        sockets.receive(there, files)

    def test_too_much_is_neither_sent_nor_received(self):
        with mock.patch.object(sockets, "LIMIT", 10):
            with self.assertRaisesRegex(TooLarge, "has 11 bytes; the limit is 10"):
                sockets.send(self.here, b"x" * 11)
            self.sent(struct.pack(">I", 11))
            with self.assertRaisesRegex(NotUnderstood, "11 bytes was announced"):
                sockets.receive(self.there)

    def test_a_file_comes_with_a_message(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"content")
            file.seek(0)
            sockets.send(self.here, b"read this", [file.fileno()])
            message, (descriptor,) = sockets.receive(self.there, 1)
        self.assertEqual(message, b"read this")
        self.assertFalse(os.get_inheritable(descriptor))
        with os.fdopen(descriptor, "rb") as file:
            self.assertEqual(file.read(), b"content")

    def test_files_of_a_broken_message_are_closed(self):
        before = len(os.listdir("/proc/self/fd"))
        with tempfile.TemporaryFile() as file:
            for head in (b"\0\0\0\3", b"\xff\xff\xff\xff"):
                here, there = socket.socketpair()
                with there:
                    socket.send_fds(here, [head], [file.fileno()])
                    here.close()
                    with self.assertRaises((ConnectionResetError, NotUnderstood)):
                        sockets.receive(there, 1)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_more_files_than_allowed_are_not_taken(self):
        before = len(os.listdir("/proc/self/fd"))
        with tempfile.TemporaryFile() as file:
            sockets.send(self.here, b"x", [file.fileno()] * 5)
            with self.assertRaisesRegex(NotUnderstood, "More than 1 open files"):
                sockets.receive(self.there, 1)
            sockets.send(self.there, b"x", [file.fileno()])
            self.assertEqual(sockets.receive(self.here), (b"x", []))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Places(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "portal.sock"

    def assert_answers(self, path):
        with closing(sockets.listen(path)) as listener, closing(sockets.connect(path)) as asking:
            there, _ = listener.accept()
            with there:
                sockets.send(asking, b"hello")
                self.assertEqual(sockets.receive(there), (b"hello", []))

    def test_it_is_for_its_owner_only(self):
        former = os.umask(0)
        self.addCleanup(os.umask, former)
        with closing(sockets.listen(self.path)):
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_socket_that_a_killed_process_left_is_replaced(self):
        sockets.listen(self.path).close()
        self.assertTrue(self.path.is_socket())
        with self.assertRaises(ConnectionRefusedError):
            sockets.connect(self.path)
        self.assert_answers(self.path)

    def test_what_is_no_socket_is_left_alone(self):
        self.path.write_text("a letter")
        with self.assertRaisesRegex(FileExistsError, "no socket"):
            sockets.listen(self.path)
        self.assertEqual(self.path.read_text(), "a letter")

    def test_where_nothing_is_nobody_answers(self):
        with self.assertRaises(FileNotFoundError):
            sockets.connect(self.path)

    def test_a_path_may_be_long(self):
        before = len(os.listdir("/proc/self/fd"))
        for length in (*range(95, 115), 1000):
            folder = self.folder
            while (left := length - len(str(folder)) - len("/portal.sock")) > 1:
                folder = folder / ("x" * min(left - 1, 100))
            folder.mkdir(parents=True, exist_ok=True)
            with self.subTest(length):
                self.assert_answers(folder / "portal.sock")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
