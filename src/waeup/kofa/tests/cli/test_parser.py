"""What the server makes of the headers of a request."""

import unittest
from typing import Any

from waitress.adjustments import Adjustments
from waitress.proxy_headers import parse_proxy_headers

from waeup.kofa.cli import serve


class Parsed(unittest.TestCase):
    """Requests without a body."""

    def parsed(self, *lines: str, address: str = "/kofa") -> Any:
        """Return what has become of a request with these headers."""
        parser = serve._Parser(Adjustments(), lambda: None)
        head = "\r\n".join((f"GET {address} HTTP/1.1", "Host: localhost", *lines))
        parser.received(f"{head}\r\n\r\n".encode())
        return parser

    def client(self, forwarded: str) -> str:
        """Return the address of a client of which a trusted proxy tells."""
        parser = self.parsed(f"X-Forwarded-For: {forwarded}")
        environment = {"HTTP_X_FORWARDED_FOR": parser.headers["X_FORWARDED_FOR"]}
        parse_proxy_headers(environment, 1, serve.PROXY_HEADERS)
        return environment["REMOTE_ADDR"]

    def test_addresses_that_a_proxy_tells(self) -> None:
        for told, expected in {
            "192.0.2.1": "192.0.2.1",
            "192.0.2.1:4711": "192.0.2.1",
            "2001:db8::1": "2001:db8::1",
            "[2001:db8::1]:4711": "2001:db8::1",
            # As of a proxy that listens for both versions of IP at once.
            "::ffff:192.0.2.1": "192.0.2.1",
            "::FFFF:192.0.2.1": "192.0.2.1",
            "[::ffff:192.0.2.1]:4711": "192.0.2.1",
            "192.0.2.1, ::ffff:192.0.2.2": "192.0.2.2",
        }.items():
            with self.subTest(told):
                self.assertEqual(self.client(told), expected)

    def test_a_length_or_an_address_that_python_does_not_read(self) -> None:
        for parser in (
            self.parsed(f"Content-Length: {'9' * 5000}"),
            self.parsed(address="http://[x"),
        ):
            self.assertTrue(parser.completed)
            self.assertEqual(
                (parser.error.code, parser.error.body),
                (400, "The address or Content-Length is invalid"),
            )
