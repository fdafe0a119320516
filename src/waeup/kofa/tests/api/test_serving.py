"""The HTTP API of a portal that runs: what its server lets through, and how it answers."""

import http.client
import json
import signal
import time
import unittest
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

from waeup.kofa.api.asking import MOST_JSON
from waeup.kofa.api.openapi import description
from waeup.kofa.browser.page import SECURITY_HEADERS
from waeup.kofa.tests.cli.shell import CommandLayer, kofactl, running
from waeup.kofa.tests.waiting import PATIENCE

ROWS = 3000


class Serving(unittest.TestCase):
    """A portal in another process."""

    layer = CommandLayer

    def ask(self, method, path, body=None, **headers):
        """Return status, headers and body of an answer; names of headers have underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.request(method, f"/api/v1{path}", body, sent)
            with connection.getresponse() as answer:
                for name, value in SECURITY_HEADERS.items():
                    self.assertEqual(answer.headers[name], value)
                return answer.status, answer.headers, answer.read()

    def announced(self, method, path, length, **headers):
        """Return status and body of the answer to a request whose body is never sent."""
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.putrequest(method, f"/api/v1{path}")
            for name, value in {**headers, "Content-Length": str(length)}.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            with connection.getresponse() as answer:
                return answer.status, answer.headers, answer.read()

    def test_from_a_file_to_the_events_of_its_import(self):
        with running() as portal:
            self.address = urlsplit(portal.url).netloc
            made = kofactl("tokens", "add", "Test", "--scope", "read", "--scope", "import")
            bearer = f"Bearer {made.out.splitlines()[0]}"
            self.large_bodies(bearer)
            self.crowd(bearer)
            self.damaged_requests()
            self.an_import(bearer)
            portal.stop(signal.SIGTERM)

    def crowd(self, bearer):
        """There is room for some large bodies that do not come; when they go, others can come."""
        wrong = "Bearer kofa_" + "0" * 12 + "_" + "0" * 64
        with ExitStack() as stack:
            for token in (wrong, bearer) * 4:
                self.begun(stack, token)
            for _ in range(3):
                # The place of a body of before may come free only now: one more takes it.
                connection = self.begun(stack, bearer)
                connection.sock.settimeout(10)
                with suppress(TimeoutError):
                    answer = stack.enter_context(connection.getresponse())
                    break
            else:
                self.fail("All large bodies are waited for.")
            self.assertEqual(
                (answer.status, json.loads(answer.read())["code"]), (503, "too-many-files")
            )
            self.assertEqual(answer.headers["Retry-After"], "5")

    def begun(self, stack, token):
        """Return a connection with a large file that has begun to come, until `stack` ends."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        stack.enter_context(closing(connection))
        connection.putrequest("POST", "/api/v1/files?filename=a.csv")
        connection.putheader("Authorization", token)
        connection.putheader("Content-Length", str(2 * MOST_JSON))
        connection.endheaders(b"code")
        return connection

    def large_bodies(self, bearer):
        """Only files, with a token, may be large; others end before they have come."""
        for path, headers in (
            ("/files?filename=a.csv", {}),
            ("/files?filename=a.csv", {"Authorization": "Bearer x"}),
            ("/imports", {"Authorization": bearer}),
            ("/nothing", {"Authorization": bearer}),
        ):
            status, headers, body = self.announced("POST", path, 2 * MOST_JSON, **headers)
            self.assertEqual((status, json.loads(body)["code"]), (413, "too-large"))
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        wrong = f"Bearer kofa_{'0' * 12}_{'0' * 64}"
        address = "/files?filename=a.csv"
        status, _, body = self.ask(
            "POST",
            address,
            b"x" * (MOST_JSON + 1),
            Authorization=wrong,
            Content_Type="text/csv",
        )
        self.assertEqual(status, 401)
        status, _, body = self.announced("PUT", address, 2 * MOST_JSON, Authorization=wrong)
        self.assertEqual(status, 413)

    def damaged_requests(self):
        """What is no request is told as a problem, too."""
        for length in ("x", "9" * 5000):
            status, headers, body = self.announced("POST", "/imports", length)
            self.assertEqual((status, json.loads(body)["code"]), (400, "bad-request"))
        status, headers, body = self.ask("GET", "/openapi.json", Host="[::::]")
        self.assertEqual((status, json.loads(body)["code"]), (400, "bad-request"))
        status, headers, body = self.ask("GET", "/%ff")
        self.assertEqual((status, json.loads(body)["code"]), (400, "bad-request"))
        status, headers, body = self.ask("GET", f"/files?folder={300_000 * 'x'}")
        described = description()["components"]["responses"]["TooLong"]
        self.assertEqual((status, list(described["content"])), (431, [headers.get_content_type()]))
        status, headers, body = self.ask("HEAD", "/openapi.json")
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def an_import(self, bearer):
        """A file that is larger than a form goes in, and its import is told of as it goes on."""
        filler = b"x" * 400
        lines = (b"F%05d,%s\n" % (number, filler) for number in range(ROWS))
        content = b"code,title\n" + b"".join(lines)
        self.assertGreater(len(content), MOST_JSON)
        status, headers, body = self.ask(
            "POST",
            "/files?filename=a.csv",
            content,
            Authorization=bearer,
            Content_Type="application/octet-stream",
        )
        self.assertEqual(status, 201, body)
        status, headers, body = self.ask(
            "GET", "/files/a_admin.csv/content", Authorization=bearer, Range="bytes=0-3"
        )
        self.assertEqual((status, body), (206, b"code"))
        order = {
            "name": "a_admin.csv",
            "processor": "facultyprocessor",
            "mode": "create",
            "mapping": {"columns": ["code", "title"]},
        }
        status, headers, body = self.ask(
            "POST",
            "/imports",
            json.dumps(order),
            Authorization=bearer,
            Content_Type="application/json",
        )
        self.assertEqual(status, 202, body)
        address = headers["Location"].removeprefix("/api/v1")
        text, deadline = "", time.monotonic() + PATIENCE
        while "event: end\n" not in text:
            self.assertLess(time.monotonic(), deadline, text)
            status, headers, body = self.ask("GET", f"{address}/events", Authorization=bearer)
            self.assertEqual(status, 200)
            text += body.decode()
        self.assertIn(f'"created":{ROWS}', text)
