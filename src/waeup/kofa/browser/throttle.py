"""Slows guessing of passwords down: after some failures each next try has to wait longer.

Counts are kept in memory, per process and bounded; a restart forgets them.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple


class Limit(NamedTuple):
    """How patient a throttle is: `free` failures, then waits of 1, 2, 4 ... `longest` seconds."""

    free: int
    longest: float


#: One account: few mistakes; a short longest wait, as others can lock its owner out with it.
ACCOUNT = Limit(free=4, longest=60.0)
#: One address: many people can share it, and one attacker can try many names from it.
ADDRESS = Limit(free=20, longest=900.0)


class Throttle:
    """Counts the failed tries of each key and tells how long to wait before the next.

    `clock` gives seconds that only grow; `size` bounds the keys that are
    remembered, those that were used last.
    """

    def __init__(
        self, limit: Limit, clock: Callable[[], float] = time.monotonic, size: int = 10_000
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._size = size
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = Lock()

    def start(self, key: str) -> float:
        """Begin a try; return 0, or the seconds that must pass before it may begin.

        A try counts as failed from its beginning, so that many tries at once do
        not slip through; `forgive` takes it back.
        """
        with self._lock:
            now = self._clock()
            failures, allowed_at = self._tries.get(key, (0, now))
            if allowed_at > now:
                return allowed_at - now
            if now - allowed_at > self._limit.longest:
                failures = 0
            failures += 1
            self._tries[key] = (failures, now + self._wait_after(failures))
            self._tries.move_to_end(key)
            if len(self._tries) > self._size:
                self._tries.popitem(last=False)
            return 0.0

    def forgive(self, key: str) -> None:
        """Take the last try back: it was not a failure."""
        with self._lock:
            failures, _ = self._tries.get(key, (0, 0.0))
            if failures > 1:
                self._tries[key] = (failures - 1, self._clock())
            else:
                self._tries.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget all failures of `key`."""
        with self._lock:
            self._tries.pop(key, None)

    def _wait_after(self, failures: int) -> float:
        beyond = failures - self._limit.free
        # The exponent is bounded, or a patient attacker would overflow it.
        return min(2.0 ** min(beyond - 1, 32), self._limit.longest) if beyond > 0 else 0.0


class LoginThrottle:
    """Throttles log-ins by account name and by network address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = Throttle(ACCOUNT, clock)
        self._addresses = Throttle(ADDRESS, clock)

    def start(self, name: str, address: str) -> float:
        """Begin a try; return 0, or the seconds to wait until the next may begin."""
        wait = self._addresses.start(_network(address))
        return wait or self._accounts.start(_key(name))

    def succeed(self, name: str, address: str) -> None:
        """The try was a log-in."""
        self._accounts.forget(_key(name))
        self._addresses.forgive(_network(address))


def _key(name: str) -> str:
    """Return `name` cut, so that long ones cost no memory."""
    return name[:100]


def _network(address: str) -> str:
    """Return `address`, or the /64 network of an IPv6 address: one customer has them all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
