"""How long a command takes that has next to nothing to do: what people wait for before anything.

The floor is Python's own start.  The commands are run as people run them, each in a process of
its own, on the portal of a large university.
"""

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.browsing import KOFACTL, served
from benchmarks.frame import ROUNDS, Call, Outcome, Run, alternate, median_of, rounds_made
from benchmarks.people import COLUMNS, students, write_table
from benchmarks.portals import portal

__all__ = ["run"]

ROWS = 100_000
PROCESSOR = "studentprocessor"
#: Files that wait for an import.
FILES = 20
#: What is started, and the seconds that it may take.
PASS, HELP = "python -c pass", "kofactl --help"
LS, LS_RUNNING = "kofactl ls", "kofactl ls, while the portal runs"
LS_ELSEWHERE = "kofactl ls --url"
TARGETS = {PASS: None, HELP: 0.3, LS: 1.5, LS_RUNNING: 0.5, LS_ELSEWHERE: 0.5}


def run(folder: Path, quick: bool, rows: int | None = None, rounds: int = ROUNDS) -> Outcome:
    """Measure all commands."""
    rows = rows or (ROWS // 10 if quick else ROWS)
    var = folder / "var"
    Call(fill, (str(var), rows)).run()
    calls = [Call(started, (name, str(var))) for name in TARGETS]
    for call in calls:
        # Python keeps what it compiles of modules that it meets for the first time.
        call.run()
    found = dict(zip(TARGETS, alternate("start", calls, rounds), strict=True))
    lines, missed = [], 0
    for name, target in TARGETS.items():
        seconds = median_of(found[name], "seconds")
        is_missed = target is not None and seconds > target
        missed += is_missed
        lines.append(
            (
                name,
                f"{rows:,}" if name in (LS, LS_RUNNING, LS_ELSEWHERE) else "-",
                f"{seconds:.3f} s",
                f"{median_of(found[name], 'cpu'):.3f} s",
                "-" if target is None else f"{target:.1f} s, {'MISSED' if is_missed else 'met'}",
            )
        )
    heading = ("Command", "Students", "Time", "Processor", "Target")
    return Outcome(heading, lines, missed, rounds_made(rounds))


def fill(var: str, rows: int) -> Run:
    """Make a portal with so many students, and files that wait."""
    with portal(Path(var)) as kofa, TemporaryDirectory() as folder:
        path = Path(folder, "students.csv")
        write_table(path, COLUMNS, students(rows))
        kofa.work_off(kofa.order("import", kofa.put(path), PROCESSOR, "create"))
        for number in range(FILES):
            path = Path(folder, f"list-{number}.csv")
            write_table(path, COLUMNS, students(100, seed=number))
            kofa.put(path)
    return {"seconds": 0.0}


def started(name: str, var: str) -> Run:
    """Run a command once; `cpu` is the time that it had a processor."""
    command = {
        PASS: [sys.executable, "-c", "pass"],
        HELP: [*KOFACTL, "--help"],
    }.get(name, [*KOFACTL, "ls", "--var", var])
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with served(Path(var)) if name in (LS_RUNNING, LS_ELSEWHERE) else nullcontext("") as url:
        if name == LS_ELSEWHERE:
            command = [*KOFACTL, "ls", "--url", url]
            environment["KOFA_TOKEN"] = new_token(var)
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
        seconds, after = time.perf_counter() - began, os.times()
    if "ls" in command:
        assert done.stdout.count("list-") == FILES, done.stdout
    cpu = after.children_user + after.children_system
    return {
        "seconds": seconds,
        "cpu": cpu - before.children_user - before.children_system,
    }


def new_token(var: str) -> str:
    """Return a new token by which a program may read."""
    command = [*KOFACTL, "tokens", "add", "start", "--scope", "read", "--days", "1", "--var", var]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return done.stdout.strip()
