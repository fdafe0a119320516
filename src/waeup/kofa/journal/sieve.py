"""Looks in whole blocks for the lines that may match an expression, faster than RE2 can.

RE2 follows an expression byte by byte.  A plain text it finds many times faster, in steps of as
many bytes as a register of the processor holds.  So what `waeup.kofa.journal.needles` says of all
matches is made such a text: bytes that may stand at the same place, such as all digits, become
one and the same, in the text and in the log alike.  Lines that are found may match; all others
cannot.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import log2
from typing import NamedTuple

import re2

from waeup.kofa.journal.needles import Bytes, Choice, Run, choices

#: Bytes of a log from which is learnt which ones are frequent there.
SAMPLE = 16 * 1024

# A sieve must rule out so much, in bits: about 50 of the lines in a block may pass in vain.
_ENOUGH = 12
# What is done with a byte of the log takes so long, in nanoseconds of the machine on which it was
# measured.  RE2 stops wherever the first byte of a text stands.
_BY_EXPRESSION = 1.2
_MAPPED, _LOWERED = 0.4, 0.25
_PASSED, _STOPPED = 0.06, 5.0
# `bytes.find` is slower, but does not mind where the first byte stands.
_FOUND = 0.5

_SAME = bytes(range(256))
_LOWER = _SAME.lower()

#: Returns where a text stands next between two places, or -1.
_Find = Callable[[bytes, int, int], int]


def sieves(text: str, ignore_case: bool, sample: bytes) -> list["Sieve"]:
    """Return the sieves for an expression that RE2 has accepted, the fastest first.

    `sample` is a part of the log.
    """
    count = Counter(sample)
    # Bytes that are not there may still be somewhere.
    planner = _Planner([(count[byte] + 1) / (len(sample) + 256) for byte in range(256)])
    plans = [planner.plan(choice) for choice in choices(text, ignore_case)]
    useful = [plan for plan in plans if plan.bits >= _ENOUGH and plan.cost < _BY_EXPRESSION]
    return [Sieve(plan) for plan in sorted(useful, key=lambda plan: plan.cost)]


class Sieve:
    """Finds the lines in which one of some texts stands."""

    def __init__(self, plan: "_Plan") -> None:
        self._map = plan.map
        self._finds = [
            _finder(text, by_re2) for text, by_re2 in zip(plan.texts, plan.by_re2, strict=True)
        ]

    def lines(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Generate where lines that may match begin and end among those of ``data[start:end]``."""
        text = data
        if self._map == _LOWER:
            text = data.lower()
        elif self._map is not None:
            text = data.translate(self._map)
        places = [find(text, start, end) for find in self._finds]
        while (at := min((place for place in places if place >= 0), default=-1)) >= 0:
            line = data.rfind(b"\n", start, at) + 1 or start
            start = data.find(b"\n", at, end) + 1 or end
            yield line, start
            places = [
                find(text, start, end) if 0 <= place < start else place
                for find, place in zip(self._finds, places, strict=True)
            ]


def _finder(text: bytes, by_re2: bool) -> _Find:
    if not by_re2:
        return lambda data, start, end: data.find(text, start, end)
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    search = re2.compile(re2.escape(text), options).search

    def find(data: bytes, start: int, end: int) -> int:
        found = search(data, start, end)
        return -1 if found is None else found.start()

    return find


# -- which sieve is best for a log --------------------------------------------------------


class _Plan(NamedTuple):
    """Texts to look for, how the log is mapped before, and what that costs and rules out."""

    texts: tuple[bytes, ...]
    by_re2: tuple[bool, ...]
    map: bytes | None
    cost: float
    bits: float


class _Mapping(NamedTuple):
    """What bytes become, and how frequent they are then."""

    table: bytes
    shares: list[float]
    cost: float


class _Planner:
    """Plans sieves for a log in which bytes have the shares that are given."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares
        self._mappings: dict[frozenset[Bytes], _Mapping] = {}

    def plan(self, choice: Choice) -> _Plan:
        """Return how a choice is looked for: each of its runs by the part that is found best."""
        return self._plan_for(tuple(map(self._best_part, choice)))

    def _best_part(self, run: Run) -> Run:
        def rank(part: Run) -> tuple[bool, float, float]:
            plan = self._plan_for((part,))
            # Bytes of a log do not come by chance: half as much again shall be ruled out.
            is_weak = plan.bits < 1.5 * _ENOUGH
            return is_weak, -plan.bits if is_weak else plan.cost, -plan.bits

        ends = range(1, len(run) + 1)
        return min((run[start:end] for end in ends for start in range(end)), key=rank)

    def _plan_for(self, choice: Choice) -> _Plan:
        mapping = self._mapping_for(frozenset(each for run in choice for each in run))
        texts = tuple(bytes(mapping.table[min(each)] for each in run) for run in choice)
        costs = [_PASSED + _STOPPED * mapping.shares[text[0]] for text in texts]
        return _Plan(
            texts,
            tuple(cost < _FOUND for cost in costs),
            mapping.table if mapping.cost else None,
            mapping.cost + sum(min(cost, _FOUND) for cost in costs),
            min(-sum(log2(mapping.shares[byte]) for byte in text) for text in texts),
        )

    def _mapping_for(self, sets: frozenset[Bytes]) -> _Mapping:
        if sets not in self._mappings:
            table = _table_for(sets)
            shares = [0.0] * 256
            for byte, share in zip(table, self._shares, strict=True):
                shares[byte] += share
            cost = 0.0 if table == _SAME else _LOWERED if table == _LOWER else _MAPPED
            self._mappings[sets] = _Mapping(table, shares, cost)
        return self._mappings[sets]


def _table_for(sets: frozenset[Bytes]) -> bytes:
    """Return a table by which all bytes of one set become the same."""
    groups: list[set[int]] = []
    for each in sets:
        # Sets that share a byte become one.
        group = set(each).union(*(other for other in groups if not other.isdisjoint(each)))
        groups = [other for other in groups if other.isdisjoint(each)] + [group]
    if all(len({_LOWER[byte] for byte in group}) == 1 for group in groups):
        return _SAME if all(len(group) == 1 for group in groups) else _LOWER
    table = bytearray(_SAME)
    for group in groups:
        for byte in group:
            table[byte] = min(group)
    return bytes(table)
