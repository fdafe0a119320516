"""How often programs may ask."""

import unittest
from unittest import mock

from waeup.kofa.api.throttle import Counters, place_of
from waeup.kofa.tests.api.portal import ApiCase
from waeup.kofa.tests.functional import FunctionalLayer


class Throttled(ApiCase):
    """Requests that are too many."""

    def limit(self, **figures):
        """Let these figures be in force."""
        self.addCleanup(FunctionalLayer._config.update, dict(FunctionalLayer._config))
        for name in figures:
            self.addCleanup(FunctionalLayer._config.pop, name)
        FunctionalLayer._config.update(figures)

    def test_a_token_has_so_many_requests(self):
        self.limit(api_requests=2)
        answer = self.ask("GET", "/files")
        self.assertEqual(answer.headers["RateLimit-Limit"], "2")
        self.assertEqual(answer.headers["RateLimit-Remaining"], "1")
        self.assertLessEqual(int(answer.headers["RateLimit-Reset"]), 60)
        # What is refused counts as well.
        self.ask("GET", "/runs/x")
        answer = self.ask("GET", "/files")
        self.problem(answer, 429, "too-many-requests")
        self.assertEqual(answer.headers["RateLimit-Remaining"], "0")
        self.assertEqual(answer.headers["Retry-After"], answer.headers["RateLimit-Reset"])
        other = self.new_token("boss")
        self.assertEqual(self.ask("GET", "/files", token=other).status_code, 200)

    def test_an_address_has_so_many_wrong_tokens(self):
        self.limit(api_wrong_tokens=1)
        self.problem(self.ask("GET", "/files", token="x"), 401, "no-token")
        self.problem(self.ask("GET", "/files", token="x"), 429, "too-many-requests")
        # Who has a right one, and who has none, is answered as before.
        self.get("/files")
        self.problem(self.ask("GET", "/files", token=None), 401, "no-token")

    def test_a_clock_that_is_put_back_makes_nobody_wait_for_longer(self):
        self.limit(api_requests=2)
        self.ask("GET", "/files")
        with mock.patch("time.time", lambda: 0.0):
            answer = self.ask("GET", "/files")
            self.assertLessEqual(int(answer.headers["RateLimit-Reset"]), 60)
            answer = self.ask("GET", "/files")
        self.problem(answer, 429, "too-many-requests")
        self.assertLessEqual(int(answer.headers["Retry-After"]), 60)

    def test_without_a_number_there_are_any(self):
        self.limit(api_requests=0, api_wrong_tokens=0)
        self.assertNotIn("RateLimit-Limit", self.ask("GET", "/files").headers)
        for _ in range(40):
            self.problem(self.ask("GET", "/files", token="x"), 401, "no-token")


class Counted(unittest.TestCase):
    """Counters in memory."""

    def setUp(self):
        self.now = 1000.0
        patched = mock.patch("waeup.kofa.api.throttle.time.monotonic", lambda: self.now)
        patched.start()
        self.addCleanup(patched.stop)

    def test_a_counter_ends_and_begins_anew(self):
        counters = Counters()
        self.assertEqual([counters.incr("a", 60), counters.incr("a", 60)], [1, 2])
        self.assertEqual((counters.get("a"), counters.get_expiry("a")), (2, 1060))
        self.now = 1060
        self.assertEqual(counters.get("a"), 0)
        self.assertEqual(counters.incr("a", 60), 1)
        self.assertEqual(counters.get("b"), 0)

    def test_there_are_not_too_many_and_those_that_ended_go(self):
        counters = Counters(2)
        for key in "abc":
            counters.incr(key, 60)
            self.now += 1
        self.assertEqual([counters.get(key) for key in "abc"], [0, 1, 1])
        self.now = 1100
        counters.incr("d", 60)
        self.assertEqual((counters.reset(), counters.reset()), (1, 0))
        counters.incr("e", 60)
        counters.clear("e")
        self.assertEqual(counters.get("e"), 0)


class Places(unittest.TestCase):
    """What counts as one address."""

    def test_of_ipv6_the_network_counts(self):
        self.assertEqual(place_of("2001:db8::1"), place_of("2001:db8::2:3"))
        self.assertNotEqual(place_of("2001:db8::1"), place_of("2001:db8:0:1::1"))
        self.assertEqual(place_of("192.0.2.1"), "192.0.2.1")
        self.assertEqual(place_of("fe80::1%eth0"), "fe80::/64")
        self.assertEqual(place_of("unix:"), "unix:")
