"""What a supervisor hears: by a real datagram socket, as systemd's."""

import os
import socket
import tempfile
import threading
import unittest
from unittest import mock

from waeup.kofa.deployment import supervision
from waeup.kofa.deployment.supervision import supervised


class Supervision(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "notify")

    def listen(self, address: str) -> socket.socket:
        """Return a supervisor's socket."""
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(heard.close)
        heard.bind(address)
        heard.settimeout(60)
        return heard

    def environment(self, **variables: str) -> None:
        """Let the process have these variables of a supervisor, and no others."""
        changed = mock.patch.dict(os.environ, variables)
        changed.start()
        self.addCleanup(changed.stop)

    def test_ready_and_stopping(self) -> None:
        heard = self.listen(self.path)
        self.environment(NOTIFY_SOCKET=self.path)
        with supervised() as supervisor:
            self.assertNotIn("NOTIFY_SOCKET", os.environ, "children do not speak for us")
            supervisor.ready()
            supervisor.stopping()
        self.assertEqual([heard.recv(100), heard.recv(100)], [b"READY=1", b"STOPPING=1"])

    def test_a_name_that_is_in_no_file_system(self) -> None:
        name = f"kofa-test-{os.getpid()}"
        heard = self.listen(f"\0{name}")
        self.environment(NOTIFY_SOCKET=f"@{name}")
        with supervised() as supervisor:
            supervisor.ready()
        self.assertEqual(heard.recv(100), b"READY=1")

    def test_signs_of_life_until_the_end(self) -> None:
        heard = self.listen(self.path)
        self.environment(
            NOTIFY_SOCKET=self.path, WATCHDOG_USEC="20000", WATCHDOG_PID=str(os.getpid())
        )
        with supervised() as supervisor:
            supervisor.ready()
            self.assertEqual(heard.recv(100), b"READY=1")
            for _ in range(3):
                self.assertEqual(heard.recv(100), b"WATCHDOG=1")
        self.assertNotIn("kofa signs of life", [each.name for each in threading.enumerate()])

    def test_no_signs_for_others(self) -> None:
        for variables in (
            {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "often"},
            {},
        ):
            with self.subTest(variables):
                self.environment(NOTIFY_SOCKET=self.path, **variables)
                with supervised() as supervisor:
                    self.assertIsNone(supervisor._interval)

    def test_without_a_supervisor_nothing_is_told(self) -> None:
        with supervised() as supervisor, self.assertNoLogs():
            supervisor.ready()
            supervisor.stopping()

    def test_one_that_is_gone_is_no_fault(self) -> None:
        self.environment(NOTIFY_SOCKET=self.path)
        with (
            supervised() as supervisor,
            self.assertLogs("waeup.kofa.deployment.supervision", "WARNING") as logs,
        ):
            supervisor.ready()
        self.assertIn("cannot be told READY=1", logs.output[0])

    def test_one_that_hangs_is_not_waited_for(self) -> None:
        self.listen(self.path)
        with open("/proc/sys/net/unix/max_dgram_qlen") as stream:
            room = int(stream.read()) + 1
        self.environment(NOTIFY_SOCKET=self.path)
        with supervised() as supervisor, mock.patch.object(supervision, "PATIENCE", 0.1):
            for _ in range(room):
                supervisor.ready()
            with self.assertLogs("waeup.kofa.deployment.supervision", "WARNING") as logs:
                supervisor.stopping()
        self.assertIn("cannot be told STOPPING=1: timed out", logs.output[0])
