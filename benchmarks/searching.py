"""Searching logs: the time of `kofactl logs` for a log and its backups, against grep's.

The floor is ``LC_ALL=C grep -E`` over the same files, of which the system has all in memory: from
its start to the last line that it has written.  Ours is the search of an open session, page by
page as the command asks for it, with permissions and places; the start of the command is told
apart.  Both must find the same lines.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.browsing import KOFACTL, set_up
from benchmarks.frame import MB, Call, Outcome, Run, alternate, median_of, peak_memory, ratio
from benchmarks.people import COLUMNS, SEED, students

__all__ = ["run"]

SIZE = 200 * MB
#: The log and its backups, which are of the same size; the oldest first.
LOG = "students.log"
FILES = (f"{LOG}.3", f"{LOG}.2", f"{LOG}.1", LOG)
#: Lines of each kind that are searched for.
HITS = 12
#: Bytes of a line, about; and rows of a table that is imported.
LINE, ROWS = 360, 1_000
BEGIN = datetime(2024, 1, 31, 8, tzinfo=timezone.utc)

#: The time of grep in parts of ours, and milliseconds until the first line is there.
TARGET, FIRST = 0.5, 100


class Case(NamedTuple):
    """What is searched for: expression and options of `kofactl logs`, and what grep is given."""

    expression: str
    options: dict[str, Any] = {}
    grep: str = ""
    has_target: bool = True


CASES = {
    "rare literal": Case("Student record removed"),
    "class and repetition": Case("[A-Z]{2}[0-9]{6}"),
    "three words": Case("withdrawn|expelled|graduated"),
    "word in any case": Case("kosoko", {"ignore_case": True}),
    "newest first": Case("Student record removed", {"newest": True}, has_target=False),
    "errors": Case("", {"level": "ERROR"}, " - (ERROR|CRITICAL) - ", has_target=False),
    "nothing to look for": Case("[aeiou]{5}", has_target=False),
}

#: Messages that are searched for; each case finds some, or one.
_RARE = (
    ("INFO", "{id} - Student record removed"),
    ("INFO", "Student Processor - corrections - {id} - updated: reg_number=QX{number:06}"),
    ("INFO", "Student Processor - leavers - {id} - updated: state=withdrawn"),
    ("INFO", "Student Processor - leavers - {id} - updated: state=expelled"),
    ("INFO", "Student Processor - corrections - {id} - updated: lastname=KOSOKO"),
    ("INFO", "Student Processor - corrections - {id} - updated: lastname=Kosoko"),
    ("ERROR", "{id} - the payment could not be read"),
    ("INFO", "Student Processor - corrections - {id} - updated: hobby=queueing"),
)


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all cases, with a portal in `folder`."""
    size = SIZE // 10 if quick else SIZE
    var = folder / "var"
    set_up(var)
    logs = var / "datacenter" / "logs"
    write_logs(logs, size)
    lines, missed = [], 0
    for name, case in CASES.items():
        floor, found = alternate(
            f"searching: {name}",
            [
                Call(grep, (str(logs), case.grep or case.expression, _folds(case))),
                Call(search, (str(var), case.expression, case.options)),
            ],
        )
        for counted in ("hits", "bytes"):
            if len({each[counted] for each in (*floor, *found)}) != 1:
                raise ValueError(f"{name}: grep and ours do not find the same lines.")
        reached, first = ratio(floor, found), 1000 * median_of(found, "first")
        target = "-"
        if case.has_target:
            is_met = reached >= TARGET and first <= FIRST
            missed += not is_met
            target = f"{TARGET:.2f} and {FIRST} ms, {'met' if is_met else 'MISSED'}"
        lines.append(
            (
                name,
                f"{median_of(found, 'hits'):.0f}",
                f"{1000 * median_of(floor, 'seconds'):.0f} ms",
                f"{1000 * median_of(found, 'seconds'):.0f} ms",
                f"{reached:.2f}",
                f"{first:.0f} ms",
                f"{median_of(found, 'more') / MB:+.1f} MB",
                target,
            )
        )
    (whole,) = alternate("searching: the whole command", [Call(command, (str(var),))])
    note = (
        f"The whole command for the rare literal, with its start:"
        f" {median_of(whole, 'seconds'):.2f} s."
    )
    heading = ("Search", "Hits", "grep", "Ours", "Ratio", "First hit", "Memory", "Target")
    return Outcome(heading, lines, missed, note)


def _folds(case: Case) -> bool:
    return bool(case.options.get("ignore_case"))


# -- the log -------------------------------------------------------------------------------


def write_logs(folder: Path, size: int) -> None:
    """Write a log of about that many bytes, in which what is searched for is far between."""
    lines = log_lines(size // LINE)
    for name in FILES:
        written = 0
        with open(folder / name, "w", encoding="utf-8") as stream:
            for line in lines:
                written += len(line.encode("utf-8"))
                stream.write(line)
                if written >= size / len(FILES) and name != LOG:
                    break


def log_lines(number: int, seed: int = SEED) -> Iterator[str]:
    """Generate lines of a log of students: imports, and here and there something else."""
    random = Random(seed)
    rare = _rare_lines(random, number)
    user, id, moment = "", "", BEGIN
    for at, cells in enumerate(students(number, seed=seed)):
        if at % ROWS == 0:
            user, id = random.choice(("ann", "bola", "registry")), f"{random.getrandbits(64):016x}"
            moment += timedelta(hours=random.random() * 24)
        moment += timedelta(milliseconds=random.random())
        head = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03}"
        values = ", ".join(f"{name}={cell}" for name, cell in zip(COLUMNS, cells, strict=True))
        yield (
            f"{head} - INFO - {user} - Student Processor - students_{user} - {cells[0]} - "
            f"updated: {values} - run={id}\n"
        )
        for level, message in rare.get(at, ()):
            text = message.format(id=cells[0], number=random.randrange(1_000_000))
            yield f"{head} - {level} - {user} - {text}\n"


def _rare_lines(random: Random, number: int) -> dict[int, list[tuple[str, str]]]:
    """Return behind which lines the rare messages stand: each in every part of the log."""
    found: dict[int, list[tuple[str, str]]] = {}
    part = number // HITS
    for begin in range(0, part * HITS, part):
        for each in _RARE:
            found.setdefault(begin + random.randrange(part), []).append(each)
    return found


# -- what is compared ----------------------------------------------------------------------


def grep(folder: str, expression: str, ignore_case: bool) -> Run:
    """Search the files with grep, which reads no locale."""
    command = ["grep", "-hiE" if ignore_case else "-hE", "-e", expression, *FILES]
    began = time.perf_counter()
    # Were the lines thrown away, grep would end with the first one.
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.PIPE, check=True
    )
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "hits": done.stdout.count(b"\n"), "bytes": len(done.stdout)}


def search(var: str, expression: str, options: dict[str, Any]) -> Run:
    """Search the log as `kofactl logs` does; `first` is the time until a line is there."""
    from waeup.kofa.cli.logs import pages
    from waeup.kofa.cli.session import session
    from waeup.kofa.cli.settings import Settings

    options = {"newest": False, **options}
    with session(Settings(Path(var))) as operations:
        before = peak_memory()
        began = time.perf_counter()
        found = pages(operations, LOG, expression, None, options)
        lines = [next(found).text]
        first = time.perf_counter() - began
        lines += [line.text for line in found]
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "first": first,
        "hits": len(lines),
        "bytes": sum(len(line.encode("utf-8")) + 1 for line in lines),
        "more": peak_memory() - before,
    }


def command(var: str) -> Run:
    """Search for the rare literal by the command, in a process of its own."""
    began = time.perf_counter()
    subprocess.run(
        [*KOFACTL, "logs", LOG, CASES["rare literal"].expression, "--var", var],
        stdout=subprocess.PIPE,
        check=True,
    )
    return {"seconds": time.perf_counter() - began}
