"""``kofactl run`` as a process: made once, served, held, stopped, killed."""

import http.client
import json
import logging
import os
import queue
import re
import signal
import socket
import stat
import subprocess
import threading
import unittest
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock
from urllib.parse import urlsplit

from zope.component import getUtility, provideUtility

from waeup.kofa.cli.serve import url_of
from waeup.kofa.deployment import logs
from waeup.kofa.importing.reading import limits
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits
from waeup.kofa.tests.cli.client import Client
from waeup.kofa.tests.cli.shell import (
    KOFACTL,
    CommandLayer,
    environment,
    kofactl,
    running,
)
from waeup.kofa.tests.waiting import PATIENCE

PASSWORD = re.compile(r"Log in as admin with the password (\S+)")


class MailServer:
    """Takes one message, as a mail server does, and keeps it."""

    def __enter__(self) -> "MailServer":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._messages: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def message(self, seconds: float) -> str:
        """Wait for the message and return it."""
        return self._messages.get(timeout=seconds)

    def _serve(self) -> None:
        connection, _address = self._socket.accept()
        with connection, connection.makefile("rwb", 0) as stream:
            stream.write(b"220 ready\r\n")
            for line in stream:
                word = line[:4].upper()
                stream.write(b"354 go on\r\n" if word == b"DATA" else b"250 yes\r\n")
                if word == b"DATA":
                    lines = iter(stream.readline, b".\r\n")
                    self._messages.put(b"".join(lines).decode())
                    stream.write(b"250 kept\r\n")
                elif word == b"QUIT":
                    return


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Shows a redirection instead of following it."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


class RunTests(unittest.TestCase):
    layer = CommandLayer

    def test_a_portal_is_made_once_and_served_until_told_to_stop(self) -> None:
        with running() as portal:
            self.assertRegex("\n".join(portal.said), PASSWORD)
            opener = urllib.request.build_opener(NoRedirect)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                opener.open(portal.url)
            self.assertEqual(
                (caught.exception.code, caught.exception.headers["Location"]), (302, "/kofa")
            )
            caught.exception.close()
            with urllib.request.urlopen(portal.url) as page:
                self.assertIn(b"<html", page.read().lower())
            code, rest = portal.stop(signal.SIGTERM)
            self.assertEqual((code, rest), (0, "The portal was stopped.\n"))
        database = Path("var/filestorage/Data.fs")
        self.assertGreater(database.stat().st_size, 0)
        with running() as portal:
            self.assertNotRegex("\n".join(portal.said), PASSWORD)
            code, rest = portal.stop(signal.SIGINT)
            self.assertEqual((code, rest), (0, "The portal was stopped.\n"))
        (admin,) = json.loads(kofactl("users", "--json").out)
        self.assertEqual(admin["name"], "admin")

    def test_a_second_portal_is_refused(self) -> None:
        with running() as portal:
            answer = kofactl("run", "--setup-only")
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertIn(f"held by process {portal.server.pid} (kofactl run) since", answer.err)
            self.assertEqual(portal.stop(signal.SIGTERM)[0], 0)

    def test_a_killed_portal_holds_nothing(self) -> None:
        with running() as portal:
            portal.stop(signal.SIGKILL)
        self.assertEqual(kofactl("users", "password", "admin", "--generate").code, 0)

    def test_too_large_requests_are_refused_before_they_are_read(self) -> None:
        with running("--max-upload", "1") as portal:
            client = http.client.HTTPConnection(urlsplit(portal.url).netloc, timeout=60)
            with closing(client):
                # Announced, and never sent: the answer comes all the same.
                client.putrequest("POST", "/kofa")
                client.putheader("Content-Length", str(1 << 21))
                client.endheaders()
                with client.getresponse() as answer:
                    self.assertEqual(answer.status, 413)
            portal.stop(signal.SIGTERM)

    def test_what_the_portal_makes_is_for_its_owner_only(self) -> None:
        former = os.umask(0o022)
        self.addCleanup(os.umask, former)
        self.assertEqual(kofactl("run", "--setup-only").code, 0)
        self.assertEqual(os.umask(0o022), 0o022)
        open_to_others = [
            str(path)
            for path in Path("var").rglob("*")
            if stat.S_IMODE(path.stat().st_mode) & 0o077
        ]
        self.assertEqual(open_to_others, [])

    def test_a_trusted_proxy_tells_the_host_and_https(self) -> None:
        with running("--trusted-proxy", "127.0.0.1") as portal:
            client = Client(portal.url)
            client.headers = {
                "X-Forwarded-For": "192.0.2.1",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "kofa.example.org",
            }
            page = client.get("/kofa/login")
            self.assertIn('"https://kofa.example.org/kofa/login"', page.text)
            self.assertIn("; Secure", page.headers["Set-Cookie"])
            portal.stop(signal.SIGTERM)

    def test_nobody_else_tells_the_host_and_https(self) -> None:
        for arguments in ((), ("--trusted-proxy", "192.0.2.7")):
            with self.subTest(arguments), running(*arguments) as portal:
                client = Client(portal.url)
                client.headers = {
                    "X-Forwarded-Proto": "https",
                    "X-Forwarded-Host": "kofa.example.org",
                }
                page = client.get("/kofa/login")
                self.assertNotIn("kofa.example.org", page.text)
                self.assertNotIn("Secure", page.headers["Set-Cookie"])

    def test_behind_a_trusted_proxy_each_client_has_an_own_patience(self) -> None:
        with running("--trusted-proxy", "127.0.0.1") as portal:
            client = Client(portal.url)
            client.headers = {"X-Forwarded-For": "192.0.2.1"}
            statuses = [client.log_in(f"name {number}", "no").status for number in range(21)]
            self.assertEqual(set(statuses), {401})
            # The waits begin with a second, which a slow machine may be over, and grow.
            more = (client.log_in(f"other {number}", "no").status for number in range(8))
            self.assertIn(429, more)
            client.headers = {"X-Forwarded-For": "192.0.2.2"}
            self.assertEqual(client.log_in("another", "no").status, 401)

    def test_limits_of_tables_are_the_usual_ones_or_those_that_are_given(self) -> None:
        kofactl("run", "--setup-only")
        self.assertEqual(limits(), Limits())
        kofactl(
            *("run", "--setup-only", "--max-rows", "7", "--max-columns", "5"),
            *("--max-unpacked", "3", "--max-memory", "256"),
        )
        expected = Limits(rows=7, columns=5, unpacked=3 << 20, memory=256 << 20)
        self.assertEqual(limits(), expected)

    def test_the_address_of_a_proxy_is_no_name(self) -> None:
        answer = kofactl("run", "--setup-only", "--trusted-proxy", "proxy.example.org")
        self.assertEqual(answer.code, 2)
        self.assertIn("is no IP address", answer.err)

    def test_figures_are_kept_for_commands_without_a_portal(self) -> None:
        kofactl(
            *("run", "--setup-only", "--max-rows", "1", "--undo-days", "7"),
            *("--remove-share", "2.5", "--change-share", "100"),
        )
        provideUtility({}, IDataCenterConfig)
        Path("f.csv").write_text("code,title\nSCI,Science\nART,Arts\n")
        answer = kofactl("put", "f.csv")
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
        config = getUtility(IDataCenterConfig)
        self.assertEqual(config["limits"], Limits(rows=1))
        self.assertEqual(
            (config["undo_days"], config["remove_share"], config["change_share"]), (7, 0.025, 1.0)
        )
        # A start counts, not what somebody tried.
        kofactl("run", "--setup-only", "--remove-share", "200")
        self.assertEqual(kofactl("put", "f.csv").code, 2)
        kofactl("run", "--setup-only")
        self.assertEqual(kofactl("put", "f.csv").code, 0)

    def test_import_managers_are_told_by_mail(self) -> None:
        kofactl("run", "--setup-only")
        kofactl(
            "users",
            "add",
            "bola",
            "--title",
            "B",
            "--email",
            "bola@example.org",
            "--role",
            "waeup.ImportManager",
            "--generate",
        )
        Path("f.csv").write_text("code,title\nSCI,Science\nART,Arts\n")
        kind = ("-p", "facultyprocessor", "-m", "create")
        with MailServer() as server:
            options = ("--smtp", server.address, "--mail-from", "portal@example.org")
            # What is queued without a portal is sent when one runs.
            self.assertEqual(kofactl("run", "--setup-only", *options).code, 0)
            self.assertEqual(kofactl("import", "./f.csv", *kind).code, 0)
            with running(*options) as portal:
                text = server.message(60)
                portal.stop(signal.SIGTERM)
        self.assertIn("import of f_admin.csv has ended", text)
        self.assertIn("To: bola@example.org", text)
        self.assertIn("Created: 2", text)

    def test_a_sender_needs_a_server_and_a_server_a_sender(self) -> None:
        for options in (("--smtp", "mail"), ("--mail-from", "a@example.org")):
            answer = kofactl("run", "--setup-only", *options)
            self.assertEqual(answer.code, 2)
            self.assertIn("Messages need both", answer.err)
        answer = kofactl("run", "--setup-only", "--smtp", "host:x", "--mail-from", "a@b.org")
        self.assertIn("is not of the form HOST[:PORT]", answer.err)

    def test_figures_that_are_lost_or_damaged(self) -> None:
        kofactl("run", "--setup-only")
        figures = Path("var/figures.json")
        for text in ("", "[]", "{}", '{"limits": {"rows": 1}}'):
            figures.write_text(text)
            answer = kofactl("ls")
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertRegex(answer.err, "figures.json cannot be understood: .* `kofactl run`")
        figures.unlink()
        self.assertEqual(kofactl("ls").code, 0)
        self.assertEqual(kofactl("run", "--setup-only").code, 0)
        self.assertTrue(figures.exists())

    def test_a_start_tells_what_only_a_person_can_mend(self) -> None:
        kofactl("run", "--setup-only")
        os.mkdir("var/datacenter/holidays")
        with running() as portal:
            self.assertIn("The folder holidays is none of the data center's.", portal.said)
            portal.stop(signal.SIGTERM)

    def test_a_taken_port_is_refused_and_no_password_is_lost(self) -> None:
        with running("--var", "other") as portal:
            port = portal.url.rstrip("/").rpartition(":")[2]
            answer = kofactl("run", "--port", port)
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertRegex(answer.err, rf"port {port}: Address already in use\. .*--port")
            portal.stop(signal.SIGTERM)
        self.assertRegex(kofactl("run", "--setup-only").out, PASSWORD)

    def test_a_kill_at_any_time_of_the_first_start_leaves_nothing_that_cannot_be_completed(
        self,
    ) -> None:
        """Killed at many instants; then the next start completes what is there."""
        for attempt, delay in enumerate((0.4, 0.8, 1.0, 1.1, 1.2, 1.3, 1.5)):
            with self.subTest(delay):
                var = f"var{attempt}"
                first = subprocess.Popen(
                    [*KOFACTL, "run", "--setup-only", "--var", var],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env=environment(),
                )
                try:
                    said, _ = first.communicate(timeout=delay)
                except subprocess.TimeoutExpired:
                    first.kill()
                    said, _ = first.communicate()
                shown = bool(PASSWORD.search(said))
                second = kofactl("run", "--setup-only", "--var", var)
                self.assertEqual((second.code, second.err), (0, ""))
                if shown:
                    self.assertNotRegex(second.out, PASSWORD)
                # The portal was made before its password was shown: where a kill came between
                # the two, the operator sets another one.
                answer = kofactl("users", "password", "admin", "--generate", "--var", var)
                self.assertEqual(answer.code, 0, answer)
                (admin,) = json.loads(kofactl("users", "--json", "--var", var).out)
                self.assertEqual(admin["roles"], ["waeup.PortalManager"])

    def test_a_pipe_whose_reader_has_gone_is_no_fault(self) -> None:
        kofactl("run", "--setup-only")
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*KOFACTL, "processors"],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            timeout=PATIENCE,
        )
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (141, ""))


class LogTests(unittest.TestCase):
    def test_the_log_of_the_portal_does_not_grow_for_ever(self) -> None:
        with (
            TemporaryDirectory() as folder,
            mock.patch.multiple(logs, SIZE=1000, BACKUPS=2),
        ):
            with logs.kept(Path(folder), "portal"):
                for number in range(200):
                    logging.getLogger("kofa.test").info("line %s of many", number)
            names = ["portal.log", "portal.log.1", "portal.log.2"]
            self.assertEqual(sorted(os.listdir(folder)), [".portal.lock", *names])
            self.assertLessEqual(max((Path(folder) / name).stat().st_size for name in names), 1000)


class URLTests(unittest.TestCase):
    def test_an_address_of_version_6_stands_in_brackets(self) -> None:
        class Listener:
            def getsockname(self) -> tuple[str, int, int, int]:
                return ("::1", 80, 0, 0)

        self.assertEqual(url_of(Listener()), "http://[::1]:80/")  # type: ignore[arg-type]
