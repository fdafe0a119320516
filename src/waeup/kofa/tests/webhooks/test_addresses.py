"""Where messages may go, and where not."""

import unittest
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.errors import InvalidSettings, Refused
from waeup.kofa.webhooks.addresses import Allowed, Place, destinations, is_public, place_of

NOTHING = Allowed()

PUBLIC = ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101")
PRIVATE = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:101:101::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
)


def resolving(*addresses):
    """Return a resolver that knows one answer."""
    return lambda host, port: list(addresses)


class Numbers(unittest.TestCase):
    """Numbers that are of the public Internet, and others."""

    def test_public_ones(self):
        for text in PUBLIC:
            with self.subTest(text):
                self.assertTrue(is_public(ip_address(text)))

    def test_others(self):
        for text in PRIVATE:
            with self.subTest(text):
                self.assertFalse(is_public(ip_address(text)))

    @given(st.ip_addresses(v=4))
    def test_what_stands_for_an_address_is_as_public_as_it(self, address: IPv4Address):
        number = int(address)
        for form in (0xFFFF << 32, 0x64FF9B << 96):
            self.assertEqual(is_public(IPv6Address(form | number)), is_public(address))

    @given(st.ip_addresses(v=6))
    def test_nothing_is_public_that_the_library_calls_private(self, address: IPv6Address):
        if is_public(address):
            self.assertTrue(address.is_global)


class Texts(unittest.TestCase):
    """What people, and programs, enter."""

    def wrong(self, text, allowed=NOTHING):
        with self.assertRaises(InvalidSettings) as caught:
            place_of(text, allowed)
        self.assertIn("address", caught.exception.wrong)
        return str(caught.exception)

    def test_parts(self):
        for text, place in {
            "https://example.org": Place("https", "example.org", 443, "/"),
            "https://Example.org:8443/a/b?c=d": Place("https", "example.org", 8443, "/a/b?c=d"),
            "https://example.org/?x=https://a@b": Place(
                "https", "example.org", 443, "/?x=https://a@b"
            ),
            "https://1.1.1.1/": Place("https", "1.1.1.1", 443, "/"),
            "https://[2606:4700::1111]:444444": None,
            "https://[2606:4700::1111]:8443/": Place("https", "2606:4700::1111", 8443, "/"),
        }.items():
            with self.subTest(text):
                if place is None:
                    self.wrong(text)
                else:
                    self.assertEqual(place_of(text, NOTHING), place)

    def test_what_a_host_header_says(self):
        for text, netloc in {
            "https://example.org": "example.org",
            "https://example.org:8443": "example.org:8443",
            "https://[2606:4700::1111]:8443/": "[2606:4700::1111]:8443",
        }.items():
            self.assertEqual(place_of(text, NOTHING).netloc, netloc)

    def test_other_schemes_and_other_things_are_refused(self):
        for text in (
            "",
            "x",
            "example.org",
            "//example.org",
            "https://",
            "https:///path",
            "https:example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "gopher://example.org",
            "javascript:alert(1)",
            "https://exa mple.org",
            "https://example.org/\r\nX: y",
            "https://example.org\\@127.0.0.1/",
            "https://exämple.org",
            "https://[::1",
            "https://[x]/",
            "https://[v1.a]/",
            "https://-example.org",
            "https://example..org",
            "https://example.org.",
            "https://example.org:x/",
            "https://example.org:99999/",
            "https://example.org/#part",
            "https://" + "a" * 1000,
        ):
            with self.subTest(text):
                self.wrong(text)

    def test_users_and_passwords_are_refused(self):
        for text in ("https://a:b@example.org", "https://a@example.org", "https://@example.org"):
            with self.subTest(text):
                self.assertIn("no user", self.wrong(text))

    def test_http_is_for_what_the_operator_allows(self):
        self.assertIn("https", self.wrong("http://example.org"))
        self.assertIn("https", self.wrong("http://1.1.1.1"))
        for allowed in (["example.org"], ["10.0.0.0/8"]):
            # A name may be of an allowed network: that is seen when it is resolved.
            self.assertEqual(place_of("http://example.org", Allowed.of(allowed)).port, 80)
        self.assertEqual(place_of("http://10.1.2.3:81", Allowed.of(["10.0.0.0/8"])).port, 81)
        self.wrong("http://1.1.1.1", Allowed.of(["10.0.0.0/8"]))

    def test_ports_of_other_services_are_refused(self):
        for port in (22, 25, 80, 1023):
            self.assertIn("Port", self.wrong(f"https://example.org:{port}/"))
        for port in (443, 1024, 65535):
            self.assertEqual(place_of(f"https://example.org:{port}/", NOTHING).port, port)

    def test_numbers_that_are_not_public_are_refused_at_once(self):
        for text in PRIVATE:
            host = f"[{text}]" if ":" in text else text
            with self.subTest(text):
                self.wrong(f"https://{host}/")


class Names(unittest.TestCase):
    """Names, when a message is sent."""

    place = place_of("https://example.org", NOTHING)

    def test_public_addresses_are_taken_in_their_order(self):
        found = destinations(self.place, NOTHING, resolving("1.1.1.1", "2606:4700::1111"))
        self.assertEqual(found, ["1.1.1.1", "2606:4700::1111"])

    def test_one_address_that_is_not_public_spoils_all(self):
        for text in PRIVATE:
            with self.subTest(text), self.assertRaises(Refused):
                destinations(self.place, NOTHING, resolving("1.1.1.1", text))

    def test_numbers_in_disguise_are_resolved_and_refused(self):
        for host in ("2130706433", "0x7f000001", "127.1", "017700000001", "localhost"):
            with self.subTest(host), self.assertRaises(Refused):
                destinations(place_of(f"https://{host}/", NOTHING), NOTHING)

    def test_an_allowed_network(self):
        allowed = Allowed.of(["10.1.0.0/16", "fd00::/8"])
        for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5"):
            self.assertEqual(destinations(self.place, allowed, resolving(text)), [text])
        with self.assertRaises(Refused):
            destinations(self.place, allowed, resolving("10.2.0.1"))

    def test_an_allowed_host_may_be_anything(self):
        allowed = Allowed.of(["Example.org"])
        found = destinations(self.place, allowed, resolving("127.0.0.1"))
        self.assertEqual(found, ["127.0.0.1"])
        other = place_of("https://other.org", allowed)
        with self.assertRaises(Refused):
            destinations(other, allowed, resolving("127.0.0.1"))

    def test_http_and_low_ports_of_public_addresses_are_refused_in_the_end(self):
        allowed = Allowed.of(["10.0.0.0/8"])
        for text in ("http://example.org", "https://example.org:25"):
            place = place_of(text, allowed)
            self.assertEqual(destinations(place, allowed, resolving("10.0.0.1")), ["10.0.0.1"])
            with self.assertRaises(Refused):
                destinations(place, allowed, resolving("1.1.1.1"))

    def test_a_name_without_addresses(self):
        with self.assertRaises(OSError):
            destinations(self.place, NOTHING, resolving())

    def test_what_the_operator_cannot_allow(self):
        for text in ("10.0.0.0/99", "a b", "", "10.0.0.300", "0x7f.1", "https://example.org"):
            with self.subTest(text), self.assertRaises(ValueError):
                Allowed.of([text])
