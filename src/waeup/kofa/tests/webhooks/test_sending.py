"""One message on its way, to receivers of all kinds."""

import gzip
import os
import socket
import threading
import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

from waeup.kofa.tests.webhooks.receiver import (
    HOST,
    Receiver,
    answer,
    drip,
    never,
    raw,
    trusted,
)
from waeup.kofa.webhooks.addresses import Allowed
from waeup.kofa.webhooks.sending import KEPT, READ, kept_text, send, wait_of

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=timezone.utc)
HERE = Allowed.of(["127.0.0.0/8", "::1"])


def to(*addresses):
    """Return a resolver that knows one answer, and keeps what it is asked."""
    return mock.Mock(side_effect=lambda host, port: list(addresses))


class SendingTestCase(unittest.TestCase):
    """Trusts the authority of the tests."""

    def setUp(self):
        manager = trusted()
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)

    def receiver(self, *script, **kw):
        receiver = Receiver(*script, **kw)
        receiver.__enter__()
        self.addCleanup(receiver.__exit__)
        return receiver

    def send(self, address, **kw):
        kw = {"allowed": HERE, "resolve": to("127.0.0.1"), "now": NOW} | kw
        return send(address, b'{"a":1}', {"webhook-id": "msg_1"}, **kw)


class Sending(SendingTestCase):
    """Messages that arrive."""

    def test_what_a_receiver_gets(self):
        receiver = self.receiver()
        found = self.send(receiver.url("/hook?a=b"))
        self.assertTrue(found.is_good)
        self.assertEqual((found.status, found.text, found.error), (200, "thanks", ""))
        (request,) = receiver.requests
        self.assertEqual(
            (request.method, request.target, request.body), ("POST", "/hook?a=b", b'{"a":1}')
        )
        self.assertEqual(request.headers["host"], f"{HOST}:{receiver.port}")
        self.assertEqual(request.headers["webhook-id"], "msg_1")
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertIn("waeup.kofa/", request.headers["user-agent"])
        self.assertEqual(receiver.names, [HOST])

    def test_http_where_it_is_allowed(self):
        receiver = self.receiver(is_https=False)
        self.assertEqual(self.send(receiver.url()).status, 200)
        found = self.send(receiver.url(), allowed=Allowed())
        self.assertEqual(len(receiver.requests), 1)
        self.assertIn("https", found.error)

    def test_another_address_is_tried_when_one_cannot_be_reached(self):
        receiver = self.receiver()
        found = self.send(receiver.url(), resolve=to("127.0.0.2", "127.0.0.1"))
        self.assertEqual(found.status, 200)

    def test_version_6(self):
        try:
            receiver = self.receiver(host="::1")
        except OSError:
            self.skipTest("this machine has no IPv6")
        self.assertEqual(self.send(receiver.url(), resolve=to("::1")).status, 200)

    def test_every_status_of_success_is_good_and_no_other(self):
        statuses = {200: True, 202: True, 204: True, 304: False, 400: False, 503: False}
        script = [answer(f"{status} X", b"") for status in statuses]
        receiver = self.receiver(*script)
        for status, is_good in statuses.items():
            found = self.send(receiver.url())
            self.assertEqual((found.status, found.is_good), (status, is_good))

    def test_proxies_of_the_environment_are_not_asked(self):
        proxies = dict.fromkeys(
            ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"),
            "http://127.0.0.1:9/",
        )
        receiver = self.receiver()
        with mock.patch.dict(os.environ, proxies):
            self.assertEqual(self.send(receiver.url()).status, 200)


class Safety(SendingTestCase):
    """Nothing goes to where it must not."""

    def test_the_name_is_resolved_once_and_the_connection_goes_there(self):
        receiver = self.receiver()
        resolve = mock.Mock(side_effect=[["127.0.0.1"], ["169.254.169.254"]])
        self.assertEqual(self.send(receiver.url(), resolve=resolve).status, 200)
        resolve.assert_called_once_with(HOST, receiver.port)

    def test_no_connection_is_made_to_what_is_not_allowed(self):
        receiver = self.receiver()
        with mock.patch.object(socket, "create_connection") as create:
            for addresses in (["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"]):
                found = self.send(receiver.url(), allowed=Allowed(), resolve=to(*addresses))
                self.assertIn("not on the public Internet", found.error)
        create.assert_not_called()
        self.assertEqual(receiver.requests, [])

    def test_what_was_allowed_before_is_checked_again(self):
        found = self.send("http://receiver.example/", allowed=Allowed())
        self.assertIn("https", found.error)

    def test_redirections_are_not_followed(self):
        other = self.receiver()
        for status in (301, 302, 303, 307, 308):
            receiver = self.receiver(answer(f"{status} Moved", b"", f"Location: {other.url()}"))
            found = self.send(receiver.url())
            self.assertEqual((found.status, found.is_good), (status, False))
        self.assertEqual(other.requests, [])

    def test_the_certificate_must_be_one_of_the_name(self):
        receiver = self.receiver()
        found = self.send(receiver.url(host="other.example"))
        self.assertIn("certificate", found.error)
        self.assertIn("mismatch", found.error)
        found = self.send(receiver.url(host="127.0.0.1"))
        self.assertIn("certificate", found.error)
        self.assertEqual(receiver.requests, [])

    def test_the_certificate_must_be_of_a_trusted_authority(self):
        receiver = self.receiver()
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": os.devnull}):
            self.assertIn("certificate", self.send(receiver.url()).error)
        self.assertEqual(receiver.requests, [])

    def test_a_receiver_without_tls(self):
        receiver = self.receiver(is_https=False)
        found = self.send(receiver.url().replace("http:", "https:"))
        self.assertIsNone(found.status)
        self.assertTrue(found.error)
        self.assertEqual(receiver.requests, [])


class BadReceivers(SendingTestCase):
    """Receivers that fail, or mean ill."""

    def late(self, found):
        self.assertIsNone(found.status)
        self.assertEqual(found.error, "There was no answer within 0.5 seconds.")

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = self.send(f"https://{HOST}:{port}/")
        self.assertEqual(found.error, "The receiver cannot be reached (Connection refused).")

    def test_a_name_that_is_none(self):
        resolve = mock.Mock(side_effect=socket.gaierror(-2, "Name or service not known"))
        found = self.send("https://nowhere.example/", resolve=resolve)
        self.assertEqual(
            found.error, "The name of the host cannot be resolved (Name or service not known)."
        )
        resolve = mock.Mock(side_effect=UnicodeError("label too long"))
        self.assertTrue(self.send("https://nowhere.example/", resolve=resolve).error)

    def test_a_resolver_that_hangs(self):
        asked = threading.Event()
        found = self.send("https://nowhere.example/", resolve=lambda *_: asked.wait(), whole=0.5)
        asked.set()
        self.late(found)

    def test_no_answer_in_time(self):
        receiver = self.receiver(never)
        self.late(self.send(receiver.url(), whole=0.5))

    def test_a_handshake_that_does_not_come_or_does_not_end(self):
        for behaviour in (never, drip(b"\x16\x03\x03\x40\x00", b"\x02")):
            receiver = self.receiver(on_connect=behaviour)
            self.late(self.send(receiver.url(), whole=0.5))

    def test_an_answer_that_comes_byte_by_byte(self):
        for begin in (b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"):
            receiver = self.receiver(drip(begin))
            self.late(self.send(receiver.url(), whole=0.5))
        receiver = self.receiver(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"))
        self.late(self.send(receiver.url(), whole=0.5))

    def test_a_status_counts_though_the_rest_does_not_come(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin"
        for behaviour in (raw(head), drip(head, b"")):
            receiver = self.receiver(behaviour)
            found = self.send(receiver.url(), whole=2)
            self.assertTrue(found.is_good)

    def test_headers_that_do_not_end_are_no_answer(self):
        receiver = self.receiver(drip(b"HTTP/1.1 200 OK\r\nX: "))
        self.late(self.send(receiver.url(), whole=0.5))

    def test_an_answer_that_ends_in_the_middle(self):
        for content in (b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nX:"):
            with self.subTest(content):
                receiver = self.receiver(raw(content))
                found = self.send(receiver.url())
                if b"OK" not in content:
                    self.assertIsNone(found.status)
                    self.assertTrue(found.error)

    def test_answers_that_are_none(self):
        for content in (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"\0" * 1000,
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        ):
            with self.subTest(content[:20]):
                receiver = self.receiver(raw(content))
                found = self.send(receiver.url())
                self.assertIsNone(found.status)
                self.assertIn("answer that can be understood", found.error)

    def test_a_large_answer_is_not_read_to_its_end(self):
        sent = []

        def flood(sock):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                sent.append(sock.send(b"x" * 65536))

        receiver = self.receiver(flood)
        found = self.send(receiver.url())
        self.assertEqual((found.status, found.text), (200, "x" * KEPT))
        # What the buffers of the machine take is sent as well.
        self.assertLess(sum(sent), 64 * READ + (16 << 20))

    def test_a_packed_answer_is_not_unpacked(self):
        bomb = gzip.compress(b"x" * 10_000_000)
        receiver = self.receiver(answer("200 OK", bomb, "Content-Encoding: gzip"))
        found = self.send(receiver.url())
        self.assertTrue(found.is_good)
        self.assertNotIn("xxxx", found.text)

    def test_chunks(self):
        content = b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for whole in (content, content[:-5] + b"zz\r\n"):
            receiver = self.receiver(raw(whole))
            found = self.send(receiver.url())
            self.assertEqual(found.status, 500)


class Answers(SendingTestCase):
    """What is kept of answers."""

    def test_secrets_are_not_kept(self):
        receiver = self.receiver(answer("500 X", b"You sent whsec_abc and v1,sig."))
        found = self.send(receiver.url(), secrets=["abc", "sig"])
        self.assertEqual(found.text, "You sent whsec_*** and v1,***.")

    def test_only_text_is_kept_and_little_of_it(self):
        self.assertEqual(
            kept_text(b"\x1b[31mred\x00 \xff\r\nnext\tone"), "[31mred  \ufffd \nnext\tone"
        )
        self.assertEqual(kept_text("\u202eabc\u2028".encode()), "abc")
        self.assertEqual(len(kept_text(b"x" * 5000)), KEPT)

    def test_when_to_come_again(self):
        receiver = self.receiver(answer("503 X", b"", "Retry-After: 120"))
        self.assertEqual(self.send(receiver.url()).wait, 120.0)
        later = (NOW + timedelta(minutes=3)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        for text, wait in {
            "7": 7.0,
            " 0 ": 0.0,
            later: 180.0,
            "Mon, 01 Jan 1990 00:00:00 GMT": 0.0,
            "Mon, 04 May 2026 12:00:05 -0000": 5.0,
            None: None,
            "": None,
            "-5": None,
            "soon": None,
            "\u0663": None,
            "9" * 5000: None,
            "Mon, 99 Foo 2026 99:99:99 GMT": None,
        }.items():
            with self.subTest(text):
                self.assertEqual(wait_of(text, NOW), wait)
