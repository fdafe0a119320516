"""Around the gate: the health of a portal for everybody, and what is measured."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from waeup.kofa import meters
from waeup.kofa.browser.page import SECURITY_HEADERS
from waeup.kofa.cli.watched import Watched
from waeup.kofa.deployment import health, monitoring
from waeup.kofa.deployment.health import Health
from waeup.kofa.tests import servers
from waeup.kofa.tests.cli.shell import KOFACTL, CommandLayer, environment, running
from waeup.kofa.tests.cli.slow import KIND, SlowCase
from waeup.kofa.tests.deployment.monitored import fetch
from waeup.kofa.tests.servers.kept import free_port

#: ``kofactl`` with batches of 50 rows; the first one ends when there is a file ``go``.
SCRIPT = """
import os, pathlib, sys, time
from waeup.kofa.cli import main
from waeup.kofa.jobs import pace

def hold(self, cursor, rate=pace.Pace.rate):
    pathlib.Path("held").touch()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return rate(self, cursor)

pace.FIRST = pace.MOST = 50
pace.Pace.rate = hold
sys.exit(main())
"""
HELD = (sys.executable, "-W", "error", "-c", SCRIPT)


def request(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": method, "PATH_INFO": path, **more}


class Filter(unittest.TestCase):
    """The filter around an application that is not the portal."""

    def setUp(self) -> None:
        self.asked: list[str] = []
        self.problem = ""
        self.status = "200 Ok"
        self.watched = self.filter()

    def filter(self, **options: bool) -> Watched:
        def application(environment: dict[str, Any], start_response: Any) -> list[bytes]:
            self.asked.append(environment["PATH_INFO"])
            start_response(self.status, [("X-Of", "the portal")])
            return [b"a page"]

        return Watched(application, Health({"database": lambda: self.problem}), **options)

    def answer(self, environment: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
        told: list[Any] = []
        body = b"".join(self.watched(environment, lambda *args: told.append(args)))
        status, headers = told[0][:2]
        return status, dict(headers), body

    def test_health_is_answered_before_the_portal(self) -> None:
        for path, word in (
            ("/++health", b"ready\n"),
            ("/++health/ready", b"ready\n"),
            ("/++health/live", b"alive\n"),
        ):
            status, headers, body = self.answer(request(path, HTTP_COOKIE="a=b"))
            self.assertEqual((status, body), ("200 OK", word))
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["Content-Length"], str(len(body)))
            self.assertNotIn("Set-Cookie", headers)
            for name, value in SECURITY_HEADERS.items():
                self.assertEqual(headers[name], value)
        self.assertEqual(self.answer(request("/++health", "HEAD"))[2], b"")
        self.assertEqual(self.asked, [])

    def test_what_is_wrong_is_nobodys_business(self) -> None:
        self.problem = "The password of the database is wrong."
        status, _headers, body = self.answer(request("/++health"))
        self.assertEqual((status, body), ("503 Service Unavailable", b"not ready\n"))

    def test_all_else_is_for_the_portal(self) -> None:
        for path in ("/", "/++health/", "/++healthy", "/kofa/++health", "/metrics"):
            self.assertEqual(self.answer(request(path))[1]["X-Of"], "the portal", path)
        self.assertEqual(self.answer(request("/++health", "POST"))[1]["X-Of"], "the portal")

    def test_requests_are_measured_and_questions_for_health_are_not(self) -> None:
        def number(method: str, status: str) -> float:
            name, labels = "kofa_request_seconds_count", {"method": method, "status": status}
            return meters.REGISTRY.get_sample_value(name, labels) or 0.0

        before = number("GET", "2xx"), number("POST", "5xx")
        self.answer(request("/kofa"))
        self.answer(request("/++health"))
        self.status = "503 Service Unavailable"
        self.answer(request("/kofa", "POST"))
        self.assertEqual(number("GET", "2xx") - before[0], 1)
        self.assertEqual(number("POST", "5xx") - before[1], 1)

    def test_requests_are_logged_only_when_that_is_wanted(self) -> None:
        with self.assertNoLogs("waeup.kofa.requests"):
            self.answer(request("/kofa"))
        self.watched = self.filter(requests_logged=True)
        path = "/kofa/\xc3\xa4 b\n\x1b"
        with self.assertLogs("waeup.kofa.requests") as logs:
            self.answer(request(path, QUERY_STRING="password=secret", HTTP_COOKIE="secret"))
        (record,) = logs.records
        self.assertRegex(record.getMessage(), r"\AGET /kofa/%C3%A4%20b%0A%1B 200 \d\.\d{3} s\Z")
        self.assertEqual(vars(record)["status"], 200)
        self.assertNotIn("secret", str(vars(record)))


class Stopping(SlowCase):
    """A portal that is told to end in the middle of a batch."""

    def status(self, url: str) -> int:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def test_it_finishes_the_batch_and_sends_others_elsewhere(self) -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as supervisor,
        ):
            supervisor.settimeout(60)
            supervisor.bind(os.path.join(folder, "notify"))
            variables = {"NOTIFY_SOCKET": os.path.join(folder, "notify")}
            with mock.patch.dict(os.environ, variables), running(program=HELD) as portal:
                self.assertEqual(supervisor.recv(100), b"READY=1")
                self.assertEqual(self.status(f"{portal.url}++health"), 200)
                with self.ordered():
                    self.wait_for(Path("held").exists)
                    portal.server.send_signal(signal.SIGTERM)
                    self.assertEqual(supervisor.recv(100), b"STOPPING=1")
                    # The batch is not done; who asks gets an answer, but should go elsewhere.
                    self.assertEqual(self.status(f"{portal.url}++health"), 503)
                    self.assertEqual(self.status(f"{portal.url}++health/live"), 200)
                    self.assertEqual(self.status(f"{portal.url}kofa/login"), 200)
                    self.assertIsNone(portal.server.poll())
                    Path("go").touch()
                    rest, _ = portal.server.communicate(timeout=60)
        self.assertEqual(portal.server.returncode, 0, rest)
        self.assertIn("The import of many_admin.csv goes on with the next start.", rest)
        run = self.newest()
        self.assertEqual((run["state"], run["rows"]), ("running", 50))
        with running() as portal:
            self.wait_for(lambda: self.newest()["state"] == "finished")
            self.assertEqual(portal.stop(signal.SIGTERM)[0], 0)
        self.assert_imported_once(run["id"])

    @contextmanager
    def ordered(self) -> Iterator[None]:
        """Let the portal import the table; the command that ordered it ends with it."""
        with subprocess.Popen(
            [*KOFACTL, "import", "./many.csv", *KIND],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as command:
            try:
                yield
            finally:
                command.kill()


class OnPostgreSQL(unittest.TestCase):
    """A portal whose PostgreSQL goes and comes."""

    layer = CommandLayer

    #: Seconds that a machine with much to do may add.
    SLACK = 10

    def setUp(self) -> None:
        self.postgresql = servers.PostgreSQL(fsync=False)
        self.addCleanup(self.postgresql.close)
        self.postgresql.start()
        self.figures = f"http://127.0.0.1:{free_port()}"
        Path("kofa.conf").write_text(
            f"<postgresql>\ndsn {self.postgresql.database()}\n</postgresql>\n"
            "<files>\npath files\n</files>\n"
            f"<monitoring>\naddress {self.figures.removeprefix('http://')}\n</monitoring>\n"
        )
        Path("kofa.conf").chmod(0o600)

    def fetch(self, address: str, seconds: float) -> tuple[int, str]:
        """Return status and text of an answer, which has to come within so many seconds."""
        began = time.monotonic()
        status, _kind, text = fetch(address)
        self.assertLess(time.monotonic() - began, seconds + self.SLACK, address)
        return status, text

    def figure(self, name: str) -> float:
        """Return a figure; whatever is away, figures are answered."""
        # It asks for the health, too.
        status, text = self.fetch(f"{self.figures}/metrics", health.TIMEOUT + monitoring.TIMEOUT)
        self.assertEqual(status, 200, text)
        [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])

    def ready(self, portal: str) -> int:
        """Return the status of the health for everybody and for programs, which live always."""
        found = set()
        for address in (portal.rstrip("/"), self.figures):
            found.add(self.fetch(f"{address}/++health/ready", health.TIMEOUT)[0])
            self.assertEqual(self.fetch(f"{address}/++health/live", 0)[0], 200)
        return found.pop() if len(found) == 1 else 0

    def until(self, portal: str, status: int, up: int, seconds: float) -> None:
        """Wait until the portal has a status, and says whether its database is up."""
        for question, wanted in (
            (lambda: self.ready(portal), status),
            (lambda: self.figure("kofa_database_up"), up),
            (lambda: self.figure("kofa_ready"), up),
        ):
            deadline = time.monotonic() + seconds + self.SLACK
            while question() != wanted:
                self.assertLess(time.monotonic(), deadline, (status, up))
                time.sleep(0.1)

    def test_health_and_figures_while_it_is_away_and_when_it_is_back(self) -> None:
        # What was true holds for a while.
        soon = health.TIMEOUT + health.SHARED + monitoring.TIMEOUT + monitoring.SHARED
        with running("--config", "kofa.conf") as portal:
            self.until(portal.url, 200, 1, soon)
            self.postgresql.stop()
            self.until(portal.url, 503, 0, soon)
            _status, text = self.fetch(f"{self.figures}/++health", health.TIMEOUT)
            self.assertIn('"database"', text)
            self.assertNotIn("password", text)
            self.postgresql.start()
            self.until(portal.url, 200, 1, soon)
            with self.hanging():
                self.until(portal.url, 503, 0, soon)
            self.until(portal.url, 200, 1, soon)
            code, said = portal.stop(signal.SIGTERM)
            self.assertEqual(code, 0, said)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let no process of the server do anything, as where the network swallows all."""
        found = self.postgresql.execute("SELECT pid FROM pg_stat_activity")
        first = (self.postgresql.directory / self.postgresql.pid_file).read_text().split()[0]
        pids = [int(first), *(pid for (pid,) in found)]
        try:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
