"""Where the time of a row goes: by room of the package, and by what it stands on.

A timer looks at the running program a thousand times a second.  The time since the look before
counts for what runs at that moment: for the innermost function of the package or of a library
that has a line of its own in the table; what the standard library does counts for who called it.
Waiting, such as for the disk, counts likewise.  The same run without the timer says what the
looking itself costs.

``python -m benchmarks.profiling update --rows 20000`` shows single functions.
"""

import argparse
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from benchmarks.frame import Call, Outcome, Run, alternate, median_of
from benchmarks.people import COLUMNS, later, students, write_table
from benchmarks.portals import portal

__all__ = ["run"]

ROWS = 50_000
PROCESSOR = "studentprocessor"
#: Seconds between two looks.
STEP = 0.001
UNIT = "\N{MICRO SIGN}s a row"
#: Share of all time that a room must have to get a line of its own.
LEAST = 0.005

#: Seconds by room and function.
Spent = dict[tuple[str, str], float]

#: Beginnings of names of modules, and the line that they belong to; the first that fits counts.
ROOMS = (
    ("waeup.kofa.tabular", "tabular: bytes to rows, rows to bytes"),
    ("waeup.kofa.conversion", "conversion: cells to values"),
    ("waeup.kofa.importing.plan", "conversion: cells to values"),
    ("waeup.kofa.importing.preparing", "conversion: cells to values"),
    ("waeup.kofa.importing.quick", "conversion: cells to values"),
    ("waeup.kofa.importing.events", "events and their subscribers"),
    ("waeup.kofa.importing.results", "importing: result files"),
    ("waeup.kofa.importing.segments", "importing: result files"),
    ("waeup.kofa.importing.undoing", "importing: undo records"),
    ("waeup.kofa.importing.effects", "importing: undo records"),
    ("waeup.kofa.importing.history", "importing: undo records"),
    ("waeup.kofa.importing", "importing: row engine"),
    ("waeup.kofa.students", "students: hooks, index of numbers"),
    ("waeup.kofa.university", "students: hooks, index of numbers"),
    ("waeup.kofa.users", "students: hooks, index of numbers"),
    ("waeup.kofa.journal", "journal: log lines"),
    ("waeup.kofa.logger", "journal: log lines"),
    ("logging", "journal: log lines"),
    ("waeup.kofa.spool", "spool: files in their places"),
    ("waeup.kofa.jobs", "jobs: batches, checkpoints"),
    ("waeup.kofa.ledger", "jobs: batches, checkpoints"),
    ("waeup.kofa", "other rooms"),
    ("zope.container", "zope.container, zope.location"),
    ("zope.location", "zope.container, zope.location"),
    ("zope.lifecycleevent", "events and their subscribers"),
    ("zope.event", "events and their subscribers"),
    ("zope.component.event", "events and their subscribers"),
    ("zope.component", "look-ups of components"),
    ("zope.interface", "look-ups of components"),
    ("zope.security", "permissions"),
    ("zope.securitypolicy", "permissions"),
    ("zope.schema", "zope.schema"),
    ("ZODB", "database"),
    ("zodbpickle", "database"),
    ("persistent", "database"),
    ("transaction", "database"),
    ("BTrees", "database"),
)
#: What the database does is told apart by whether a commit is under way.
COMMITTING = ("database: commits", {"commit", "savepoint"})
LOADING = "database: loading"
OTHER = "everything else"
#: What a `Run` says besides the seconds of rooms.
NO_ROOMS = {"seconds", "peak"}


def run(folder: Path, quick: bool) -> Outcome:
    """Profile create and update."""
    rows = ROWS // 10 if quick else ROWS
    found = {}
    for mode in ("create", "update"):
        calls = [Call(profiled, (mode, rows, looked)) for looked in (False, True)]
        plain, looked = alternate(f"profile: {mode}", calls)
        found[mode] = plain, looked
    names = sorted(
        {name for _plain, looked in found.values() for run in looked for name in run} - NO_ROOMS,
        key=lambda name: -sum(_share(looked, name) for _plain, looked in found.values()),
    )
    shown = [
        name
        for name in names
        if any(_share(looked, name) >= LEAST for _plain, looked in found.values())
    ]
    lines = [(name, *_cells(found, rows, [name])) for name in shown]
    rest = [name for name in names if name not in shown]
    if rest:
        lines.append(("less than 0.5 % each", *_cells(found, rows, rest)))
    lines.append(("all", *_cells(found, rows, names)))
    cost = [
        f"{median_of(looked, 'seconds') / median_of(plain, 'seconds') - 1:+.0%}"
        for plain, looked in found.values()
    ]
    lines.append(("slower by looking", cost[0], "", cost[1], ""))
    heading = (
        "Room",
        "Create: \N{MICRO SIGN}s a row",
        "Share",
        "Update: \N{MICRO SIGN}s a row",
        "Share",
    )
    return Outcome(heading, lines, 0)


def _cells(found: dict[str, Any], rows: int, names: list[str]) -> list[str]:
    cells = []
    for plain, looked in found.values():
        share = sum(_share(looked, name) for name in names)
        # The shares are of the run that was looked at, the time is of the one that was not.
        cells += [f"{1e6 * share * median_of(plain, 'seconds') / rows:.1f}", f"{share:.1%}"]
    return cells


def _share(looked: list[Run], name: str) -> float:
    """Return the share of a room in what was seen in all rounds together."""
    seen = sum(run[room] for run in looked for room in run.keys() - NO_ROOMS)
    return sum(run.get(name, 0.0) for run in looked) / seen


def profiled(mode: str, rows: int, looked: bool) -> Run:
    """Create or update students; return the seconds in all and, if looked at, by room."""
    seconds, functions = sample(mode, rows, looked)
    rooms: Run = {}
    for (room, _function), spent in functions.items():
        rooms[room] = rooms.get(room, 0.0) + spent
    return {"seconds": seconds, **rooms}


def sample(mode: str, rows: int, looked: bool) -> tuple[float, Spent]:
    """Create, update or check students; return the seconds, those of each room and function."""
    functions: Spent = defaultdict(float)
    with portal() as kofa, TemporaryDirectory() as folder:
        path = Path(folder) / "students.csv"
        write_table(path, COLUMNS, students(rows))
        if mode == "update":
            kofa.work_off(kofa.order("import", kofa.put(path), PROCESSOR, "create"))
            write_table(path, COLUMNS, later(students(rows)))
        yes = {"yes_change": rows} if mode == "update" else {}
        kind, done = ("check", "create") if mode == "check" else ("import", mode)
        id = kofa.order(kind, kofa.put(path), PROCESSOR, done, **yes)
        with _looking(functions if looked else None):
            began = time.perf_counter()
            kofa.work_off(id)
            seconds = time.perf_counter() - began
    return seconds, functions


@contextmanager
def _looking(functions: Spent | None) -> Iterator[None]:
    """Add to `functions` what runs in this thread within the block; None: do not look."""
    if functions is None:
        yield
        return
    last = time.perf_counter()
    looks = False

    def look(_signal: int, frame: FrameType | None) -> None:
        nonlocal last, looks
        if looks:
            # On a busy machine a look may take longer than a step.
            return
        looks = True
        now = time.perf_counter()
        # A call of C that lasts is looked at only when it returns: the time since then is its.
        functions[_place(frame)] += now - last
        last = time.perf_counter()
        looks = False

    former = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, STEP, STEP)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _place(frame: FrameType | None) -> tuple[str, str]:
    """Return the room and the function that a frame works for."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        room = _room_of(module)
        if room is not None:
            function = f"{module}.{_name_of(frame)}"
            return (_stage(frame) if room == "database" else room), function
        frame = frame.f_back
    return OTHER, ""


def _name_of(frame: FrameType) -> str:
    # Python 3.10 does not know the class of a method.
    return getattr(frame.f_code, "co_qualname", frame.f_code.co_name)


def _room_of(module: str) -> str | None:
    for beginning, room in ROOMS:
        if module == beginning or module.startswith(f"{beginning}."):
            return room
    return None


def _stage(frame: FrameType | None) -> str:
    room, functions = COMMITTING
    while frame is not None:
        if frame.f_code.co_name in functions:
            return room
        frame = frame.f_back
    return LOADING


def main() -> None:
    """Show the functions that take most of the time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling")
    parser.add_argument("mode", choices=("create", "update", "check"))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--functions", type=int, default=40, help="how many are shown")
    options = parser.parse_args()
    seconds, functions = sample(options.mode, options.rows, looked=True)
    print(f"{options.rows / seconds:,.0f} rows a second")
    rooms: dict[str, float] = defaultdict(float)
    single: dict[str, float] = defaultdict(float)
    for (room, function), spent in functions.items():
        rooms[room] += spent
        single[function] += spent
    for found in (rooms, single):
        print()
        for name in sorted(found, key=lambda name: -found[name])[: options.functions]:
            spent = found[name]
            print(f"{1e6 * spent / options.rows:8.2f} {UNIT}  {spent / seconds:6.1%}  {name}")


if __name__ == "__main__":
    main()
