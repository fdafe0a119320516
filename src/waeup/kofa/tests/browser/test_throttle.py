"""Waits grow with failures, end with success, and cost bounded memory."""

import unittest

from waeup.kofa.browser.throttle import ACCOUNT, ADDRESS, Limit, LoginThrottle, Throttle


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ThrottleTest(unittest.TestCase):
    """One throttle with its own clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(Limit(free=2, longest=8), self.clock, size=3)

    def fail(self, key: str = "ann") -> float:  # type: ignore[override]
        """Make a try that is not forgiven."""
        return self.throttle.start(key)

    def waits(self, tries: int) -> list[float]:
        """Return the waits before each try of a person who always waits as long as told."""
        waits = []
        for _ in range(tries):
            wait = self.fail()
            waits.append(wait)
            self.clock.now += wait
            if wait:
                self.assertEqual(self.fail(), 0)
        return waits

    def test_waits_double_up_to_the_longest(self) -> None:
        self.assertEqual(self.waits(8), [0, 0, 0, 1, 2, 4, 8, 8])

    def test_tries_during_a_wait_do_not_lengthen_it(self) -> None:
        for _ in range(3):
            self.fail()
        self.assertEqual([self.fail() for _ in range(5)], [1] * 5)

    def test_failures_are_forgotten_after_a_quiet_time(self) -> None:
        self.waits(8)
        self.clock.now += 20
        self.assertEqual(self.waits(3), [0, 0, 0])

    def test_success_forgets_all_failures(self) -> None:
        self.waits(3)
        self.throttle.forget("ann")
        self.assertEqual(self.waits(3), [0, 0, 0])

    def test_forgiving_takes_back_one_try(self) -> None:
        for _ in range(10):
            self.assertEqual(self.fail(), 0)
            self.throttle.forgive("ann")

    def test_keys_do_not_touch_each_other(self) -> None:
        self.waits(8)
        self.assertEqual(self.fail("bob"), 0)

    def test_only_the_latest_keys_are_kept(self) -> None:
        for number in range(100):
            self.fail(f"name {number}")
        self.assertEqual(list(self.throttle._tries), ["name 97", "name 98", "name 99"])

    def test_endless_failures_do_not_overflow(self) -> None:
        self.throttle._tries["ann"] = (10**6, self.clock.now)
        self.assertEqual(self.fail(), 0)
        self.assertEqual(self.fail(), 8)


class LoginThrottleTest(unittest.TestCase):
    """Names and addresses are throttled at once."""

    def setUp(self) -> None:
        self.throttle = LoginThrottle(Clock())

    def test_one_name_from_many_addresses_has_to_wait(self) -> None:
        waits = [self.throttle.start("ann", f"10.0.0.{n}") for n in range(ACCOUNT.free + 2)]
        self.assertEqual(waits, [0] * (ACCOUNT.free + 1) + [1])

    def test_many_names_from_one_address_have_to_wait(self) -> None:
        waits = [self.throttle.start(f"name {n}", "10.0.0.1") for n in range(ADDRESS.free + 2)]
        self.assertEqual(waits, [0] * (ADDRESS.free + 1) + [1])

    def test_an_ipv6_customer_is_one_address(self) -> None:
        waits = [self.throttle.start(f"name {n}", f"2001:db8::{n:x}") for n in range(22)]
        self.assertEqual(waits[-1], 1)

    def test_own_log_ins_do_not_reset_the_address(self) -> None:
        for number in range(ADDRESS.free + 1):
            self.throttle.start("mallory", "10.0.0.1")
            self.throttle.succeed("mallory", "10.0.0.1")
            self.throttle.start(f"victim {number}", "10.0.0.1")
        self.assertEqual(self.throttle.start("next victim", "10.0.0.1"), 1)

    def test_a_colleague_who_never_fails_never_waits(self) -> None:
        for _ in range(100):
            self.assertEqual(self.throttle.start("ann", "10.0.0.1"), 0)
            self.throttle.succeed("ann", "10.0.0.1")

    def test_long_names_are_cut(self) -> None:
        self.throttle.start("x" * 10**6, "y" * 10**6)
        kept = [*self.throttle._accounts._tries, *self.throttle._addresses._tries]
        self.assertEqual([len(key) for key in kept], [100, 100])
