"""How measurements are made, whatever is measured.

Each run is a fresh Python, so that none profits from the one before, and its
peak of memory is its own.  Runs of what is compared alternate, and change their
order from round to round: what else the machine does meets all of them.  The
ratio is taken within each round; what counts is the median of the rounds.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

__all__ = [
    "MB",
    "ROUNDS",
    "Call",
    "Clock",
    "Outcome",
    "Run",
    "alternate",
    "median_of",
    "peak_memory",
    "ratio",
    "rounds_made",
]

ROOT = Path(__file__).parents[1]
MB = 1 << 20
ROUNDS = 5

#: What one run has found out, by name; `seconds` and `peak` (in bytes) are always there.
Run = dict[str, float]


class Call(NamedTuple):
    """What is to be measured: a function of a module, and arguments that JSON can write.

    The function does what it needs before and after, and returns a `Run` with
    the `seconds` of what counts.
    """

    function: Callable[..., Run]
    arguments: tuple[Any, ...]

    def run(self) -> Run:
        """Make one run in a process of its own."""
        name = f"{self.function.__module__}:{self.function.__name__}"
        command = [sys.executable, "-m", "benchmarks.apart", name, json.dumps(self.arguments)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        run: Run = json.loads(done.stdout)
        return run


class Outcome(NamedTuple):
    """The figures of a benchmark as a table of text, and how many targets were missed.

    `note` is a sentence that belongs below the table.
    """

    heading: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    missed: int
    note: str = ""


def alternate(title: str, calls: Sequence[Call], rounds: int = ROUNDS) -> list[list[Run]]:
    """Return the runs of each call, in the order of the calls; run `n` of all is one round."""
    print(title, file=sys.stderr, flush=True)
    runs: list[list[Run]] = [[] for _call in calls]
    order = list(range(len(calls)))
    for _round in range(rounds):
        for index in order:
            runs[index].append(calls[index].run())
        order.reverse()
    return runs


def median_of(runs: Sequence[Run], name: str) -> float:
    """Return the median of the figure `name`."""
    return median(run[name] for run in runs)


def ratio(floor: Sequence[Run], ours: Sequence[Run], name: str = "seconds") -> float:
    """Return how fast `ours` is, by the measure of `floor`: 0.5 takes twice as long."""
    return median(low[name] / run[name] for low, run in zip(floor, ours, strict=True))


class Clock:
    """Measures from its making on: the time, and what the processor worked of it for us."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), _processor()

    def read(self) -> Run:
        """Return `seconds` and `cpu`."""
        return {"seconds": time.perf_counter() - self._began, "cpu": _processor() - self._cpu}


def _processor() -> float:
    """Return the seconds of the processor that this process had, and those that it waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def rounds_made(rounds: int) -> str:
    """Return the note of an `Outcome` that was not measured as often as all others."""
    if rounds == ROUNDS:
        return ""
    return f"Medians of {rounds} rounds." if rounds > 1 else "One round only."


def peak_memory() -> int:
    """Return the most memory that this process has had at once, in bytes."""
    # Linux starts the count of getrusage with that of the process which started this one.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
