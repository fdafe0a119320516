"""A portal behind nginx, configured as `docs/operating.rst` shows it.

With ``KOFA_REQUIRE_NGINX=1``, as in CI, a missing nginx is a failure and not a skipped test.
"""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import urllib3

from waeup.kofa import cli
from waeup.kofa.api import client, followed, sending
from waeup.kofa.api.eventstream import Event
from waeup.kofa.api.followed import Followed
from waeup.kofa.tests.cli.far import CERTIFICATE, Far, new_token, served
from waeup.kofa.tests.cli.shell import Answer, CommandLayer
from waeup.kofa.tests.cli.slow import SLOWER

MANUAL = Path(cli.__file__).parents[4] / "docs/operating.rst"
#: Set to 1 where a missing nginx is a failure.
REQUIRE = "KOFA_REQUIRE_NGINX"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
#: What surrounds the manual's part, for an nginx that keeps all it writes in a folder.
AROUND = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {more}
{server}
}}
"""
KIND = ("-p", "facultyprocessor", "-m", "create")
#: Asks a portal elsewhere to do something; the second argument says what.
CALL = client.Client._call


def setUpModule() -> None:
    """Skip, or fail, where there is no nginx."""
    if NGINX is None:
        if os.environ.get(REQUIRE) == "1":
            raise AssertionError("nginx is not installed")
        raise unittest.SkipTest("nginx is not installed")


def configuration(folder: Path, port: int, portal: str, more: str) -> str:
    """Return the configuration of the manual, for these ports and our own certificate."""
    shown = MANUAL.read_text().partition("\nFor nginx::\n\n")[2]
    server = shown.partition("\n    }\n")[0] + "\n    }\n"
    for told, ours in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "kofa.example.org": "localhost",
        "/etc/ssl/kofa.pem": str(CERTIFICATE),
        "/etc/ssl/kofa.key": str(CERTIFICATE),
        "http://127.0.0.1:8080": portal.rstrip("/"),
        # With the port, which is not the usual one.
        "$host": "$http_host",
    }.items():
        assert told in server, told
        server = server.replace(told, ours)
    # Else root's nginx becomes somebody who cannot write into the folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    return AROUND.format(user=user, folder=folder, more=more, server=server)


@contextmanager
def proxied(portal: str, more: str = "") -> Iterator[str]:
    """Run nginx in front of a portal, told `more`; gives the address at which it is reached."""
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path.cwd() / "nginx"
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(configuration(folder, port, portal, more))
    command = [NGINX, "-p", str(folder), "-c", str(conf), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as server:
        try:
            until = time.monotonic() + 30
            while not answers(port):
                assert server.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < until, "nginx does not answer"
                time.sleep(0.02)
            yield f"https://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)


def answers(port: int) -> bool:
    """Tell whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


class Behind(unittest.TestCase):
    """People and programs come through the proxy."""

    layer = CommandLayer

    def setUp(self) -> None:
        undo = ExitStack()
        self.addCleanup(undo.close)
        self.portal = undo.enter_context(served("--trusted-proxy", "127.0.0.1", program=SLOWER))
        undo.callback(self.portal.stop, signal.SIGTERM)
        self.token = new_token()
        self.through = lambda more="": undo.enter_context(proxied(self.portal.url, more))

    def command(self, url: str, *arguments: str) -> Answer:
        """Run a command through the proxy; it must not fail."""
        far = Far(url, self.token, Path.cwd())
        answer = far(*arguments, "--ca-file", str(CERTIFICATE))
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return answer

    def follow(self, url: str) -> None:
        """Follow an import that takes some seconds."""
        rows = "".join(f"F{number:03},Faculty\n" for number in range(200))
        Path("many.csv").write_text(f"code,title\n{rows}")
        self.command(url, "put", "many.csv")
        self.assertIn("200 created", self.command(url, "import", "many_admin.csv", *KIND).out)

    def state(self, id: str) -> str:
        """Return the state of a run, without the proxy."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = urllib3.request("GET", f"{self.portal.url}api/v1/runs/{id}", headers=headers)
        return str(answer.json()["state"])

    def test_people(self) -> None:
        url = self.through()
        trusting = ssl.create_default_context(cafile=CERTIFICATE)
        with urllib3.PoolManager(ssl_context=trusting) as pool:
            answer = pool.request("GET", f"{url}/kofa/datacenter", redirect=False)
            self.assertEqual(answer.status, 302)
            # Who is sent on stays behind the proxy, and a session is for https alone.
            self.assertTrue(answer.headers["Location"].startswith(f"{url}/kofa/"))
            answer = pool.request("GET", answer.headers["Location"])
            self.assertIn(b'type="password"', answer.data)
            self.assertRegex(answer.headers["Set-Cookie"], "(?i); *secure")

    def test_runs_are_told_as_they_go_on(self) -> None:
        states: list[str] = []
        take = Followed._take

        def taken(run: Followed, event: Event) -> None:
            if not states:
                states.append(self.state(run._run.id))
            take(run, event)

        with mock.patch.object(Followed, "_take", taken):
            self.follow(self.through())
        # What was heard first was no word of the end.
        self.assertEqual(states, ["running"])

    def test_runs_are_asked_for_where_the_proxy_keeps_that_back(self) -> None:
        url = self.through("proxy_ignore_headers X-Accel-Buffering;")
        called = mock.patch.object(client.Client, "_call", autospec=True, side_effect=CALL)
        with mock.patch.object(followed, "BEGINNING", 0.5), called as call:
            self.follow(url)
        self.assertIn("run", [each.args[1] for each in call.call_args_list])

    def test_a_large_file_comes_in_pieces(self) -> None:
        url = self.through()
        rows = "".join(f"F{number:06},Faculty {number}\n" for number in range(150_000))
        Path("large.csv").write_text(f"code,title\n{rows}")
        # Each is more than the proxy lets pass elsewhere.
        with mock.patch.multiple(sending, AT_ONCE=1 << 20, PIECE=1 << 21):
            self.command(url, "put", "large.csv")
        stored = Path("var/datacenter/large_admin.csv")
        self.assertEqual(stored.read_bytes(), Path("large.csv").read_bytes())
