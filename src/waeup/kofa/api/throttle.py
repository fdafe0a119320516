"""How often programs may ask: counted in this process, by token, and by address for wrong ones."""

import math
import threading
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from zope.component import getGlobalSiteManager

from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.usual import API_REQUESTS, API_WRONG_TOKENS

#: Tokens and addresses that are counted at a time.
MOST_COUNTERS = 20_000


class Left(NamedTuple):
    """What is left of a `limit`: so many requests, until so many seconds from now."""

    limit: int
    remaining: int
    seconds: int
    is_over: bool


class Counters(Storage):
    """Keeps counters in memory, each until its time is over, and so many at most.

    Where there are too many, those go first whose time is over first.  Times are those of
    `time.monotonic`: a clock that is put back does not make anybody wait for longer.
    """

    STORAGE_SCHEME = None

    def __init__(self, most: int = MOST_COUNTERS) -> None:
        super().__init__()
        self._most = most
        self._lock = threading.Lock()
        # In the order of their ends: all last equally long.
        self._counters: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """See `Storage`."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """See `Storage`."""
        with self._lock:
            now = time.monotonic()
            end, number = self._counters.get(key, (0.0, 0))
            if end <= now:
                self._counters.pop(key, None)
                end, number = now + expiry, 0
            self._counters[key] = end, number + amount
            while len(self._counters) > self._most or self._first_end() <= now:
                self._counters.popitem(last=False)
            return number + amount

    def get(self, key: str) -> int:
        """See `Storage`."""
        end, number = self._counters.get(key, (0.0, 0))
        return number if end > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """See `Storage`."""
        return self._counters.get(key, (time.monotonic(), 0))[0]

    def check(self) -> bool:
        """See `Storage`."""
        return True

    def reset(self) -> int:
        """See `Storage`."""
        with self._lock:
            number = len(self._counters)
            self._counters.clear()
            return number

    def clear(self, key: str) -> None:
        """See `Storage`."""
        with self._lock:
            self._counters.pop(key, None)

    def _first_end(self) -> float:
        return next(iter(self._counters.values()), (math.inf, 0))[0]


class Throttle:
    """Counts requests."""

    def __init__(self) -> None:
        self._counter = FixedWindowRateLimiter(Counters())

    def count_request(self, token: str) -> Left | None:
        """Count a request with a token, given by its id; None where any number is allowed."""
        return self._count(_figure("api_requests", API_REQUESTS), "token", token)

    def count_wrong_token(self, address: str) -> Left | None:
        """Count a request with a wrong token; None where any number is allowed."""
        return self._count(
            _figure("api_wrong_tokens", API_WRONG_TOKENS), "address", place_of(address)
        )

    def _count(self, number: int, kind: str, name: str) -> Left | None:
        if number == 0:
            return None
        item: RateLimitItem = RateLimitItemPerMinute(number)
        is_allowed = self._counter.hit(item, kind, name)
        reset, remaining = self._counter.get_window_stats(item, kind, name)
        seconds = max(math.ceil(reset - time.monotonic()), 1)
        return Left(number, max(remaining, 0), seconds, not is_allowed)


def place_of(address: str) -> str:
    """Return what stands for an address: of IPv6, the network that one customer gets."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return str(found)


def _figure(name: str, usual: int) -> int:
    config = getGlobalSiteManager().queryUtility(IDataCenterConfig, default={})
    number: int = config.get(name, usual)
    return number
