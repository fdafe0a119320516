"""The command behind `make soak`: crashes without end, and what is there afterwards.

First each durable operation of the lives in `waeup.kofa.tests.jobs.test_crashes` is the one at
which something happens.  Then processes that lead lives of some thousand rows are killed at
random moments, and started again until the life is over.  Exit code 1 says that something was
lost, done twice, or left behind; the folder of such a life is kept.
"""

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import time
import unittest
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs import test_crashes as crashes
from waeup.kofa.tests.jobs.lives import Life, Town
from waeup.kofa.tests.jobs.test_crashes import Witness, cut_at, error_at, kill_at, lives

#: Students that are there before a life begins.
STUDENTS = 1500
COLUMNS = ("student_id", "reg_number", "firstname", "lastname", "sex", "email")


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="make soak", description="Crash runs, again and again.")
    parser.add_argument("--kills", type=int, default=300, help="processes to kill (300)")
    parser.add_argument("--rows", type=int, default=3000, help="rows of a table (3000)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all chance")
    parser.add_argument(
        "--every", type=int, default=1, help="of the operations only each so many (1)"
    )
    parser.add_argument("--no-operations", action="store_true", help="only random moments")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"seed {options.seed}", flush=True)
    FunctionalLayer.setUp()
    failures = 0
    if not options.no_operations:
        failures += at_operations(options.every)
    failures += at_random(options.kills, options.rows, random.Random(options.seed))
    print("failures:", failures)
    return int(failures > 0)


# -- each operation ------------------------------------------------------------------


def _power(witness: Witness, number: int) -> Iterator[str]:
    yield from cut_at(witness, number)


def _at(stop: Callable[..., bool], *more: Any) -> Callable[[Witness, int], Iterator[str]]:
    def states(witness: Witness, number: int) -> Iterator[str]:
        if stop(witness, number, *more):
            yield "stopped"

    return states


HAPPENINGS: dict[str, Callable[[Witness, int], Iterator[str]]] = {
    "killed": _at(kill_at),
    "one error": _at(error_at, crashes.Error),
    "lasting errors": _at(error_at, crashes.Errors),
    "late errors": _at(error_at, crashes.Late),
    "power cut": _power,
}


def at_operations(every: int) -> int:
    """Let each thing happen at each operation of each life; return the number of failures."""
    failures = 0
    case = unittest.TestCase()
    town = Town()
    for life in lives():
        witness = Witness(case, town, life)
        for title, happening in HAPPENINGS.items():
            began, stops = time.monotonic(), 0
            for number in range(0, witness.operations, every):
                if title == "late errors" and witness.names[number] != "commit":
                    continue
                for state in happening(witness, number):
                    stops += 1
                    where = f"{life.title}: {title} at {number} ({witness.names[number]}): {state}"
                    try:
                        witness.go_on(where)
                    except Exception as error:
                        failures += 1
                        print(f"FAILURE {where}: {str(error)[:300]}", flush=True)
            seconds = time.monotonic() - began
            print(
                f"{life.title:20} {title:15} {witness.operations:4} operations "
                f"{stops:5} crashes {seconds:6.1f} s",
                flush=True,
            )
    town.close()
    return failures


# -- random moments --------------------------------------------------------------------


class BigTown(Town):
    """A portal with many students."""

    def __init__(self) -> None:
        super().__init__()
        self.change(_add_students)
        self.keep()


def _add_students(site: Any) -> None:
    from zope.component import createObject

    for number in range(STUDENTS):
        student = createObject("waeup.Student")
        student.student_id, student.reg_number = f"B{number:05}", f"C{number:05}"
        student.firstname, student.lastname, student.sex = f"First{number}", "Last", "f"
        site["students"].addStudent(student)


def random_life(chance: random.Random, rows: int) -> Life:
    """Return a life with a table of about so many rows, of which some fail."""
    mode = chance.choice(["create", "update", "remove", "upsert"])
    number = chance.randint(rows // 2, rows)
    lines = [",".join(COLUMNS)]
    for row in range(number):
        is_known = mode in ("update", "remove") or (mode == "upsert" and chance.random() < 0.5)
        known = chance.randrange(STUDENTS)
        cells = [
            f"B{known:05}" if is_known else f"N{row:05}",
            f"C{known:05}" if is_known else f"X{row:05}",
            chance.choice(["Ann", "Ben", "Cia"]),
            chance.choice(["Obi", "O'Neil", '"Da, Costa"', "=Eze"]),
            chance.choice("fm"),
            chance.choice(["", "a@b.de", "XXX"]),
        ]
        bad = chance.random()
        if bad < 0.02:
            cells[4] = "x"
        elif bad < 0.03:
            cells[0] = "no id"
        elif bad < 0.035:
            cells[2] = "A\0nn"
        elif bad < 0.04:
            cells.append("too much")
        lines.append(",".join(cells))
    return Life(
        f"{mode} of {number} rows",
        "\r\n".join((*lines, "")),
        "studentprocessor",
        mode,
        COLUMNS,
        checked=chance.random() < 0.3,
        rows=chance.choice([50, 150, 400, 1000]),
    )


def at_random(kills: int, rows: int, chance: random.Random) -> int:
    """Kill so many processes; return the number of lives that did not end well."""
    town = BigTown()
    case = unittest.TestCase()
    killed: Counter[str] = Counter()
    done = failures = restarts = 0
    began = time.monotonic()
    while killed.total() < kills:
        life = random_life(chance, rows)
        started = time.monotonic()
        witness = Witness(case, town, life, each_row=False)
        usual = time.monotonic() - started
        town.set_up()
        for _attempt in range(60):
            restarts += 1
            # Later ones live longer, so that it comes to an end.
            delay = chance.uniform(0, usual * min(1.0, 0.12 * restarts))
            if not _killed_after(delay, witness):
                break
            killed[_state(town)] += 1
        restarts = 0
        try:
            witness.go_on(life.title)
            done += 1
        except Exception as error:
            failures += 1
            kept = town.home + f".failure{failures}"
            shutil.copytree(town.home, kept)
            town.place.keep(os.path.join(kept, "Data.fs"))
            print(f"FAILURE {life.title}: {str(error)[:300]}; see {kept}", flush=True)
        print(
            f"{done:4} lives done, {killed.total():4} processes killed, {failures} failures, "
            f"{time.monotonic() - began:6.0f} s; {life.title}"
            f"{' as checked' if life.checked else ''}",
            flush=True,
        )
    for state, number in killed.most_common():
        print(f"{number:5} killed {state}")
    town.close()
    return failures


def _killed_after(delay: float, witness: Witness) -> bool:
    """Lead a life in a process that is killed after so many seconds; tell whether it was."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            witness.portal.recover()
            witness.lives.live()
            status = 0
        finally:
            os._exit(status)
    deadline = time.monotonic() + delay
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            break
        time.sleep(0.001)
    else:
        os.kill(pid, signal.SIGKILL)
        _pid, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        print("a process failed", file=sys.stderr)
    return False


def _state(town: Town) -> str:
    """Return what was under way when a process was killed."""

    def ask(site: Any) -> list[tuple[Any, str]]:
        runs = site["datacenter"].runs
        return sorted((run.queued, f"{run.order.kind} {run.state}") for run in runs)

    with closing(town.open()) as db:
        found = town.change(ask, db)
    if not found:
        return "before the order"
    state: str = found[-1][1]
    return f"in an {state}" if state[0] in "iu" else f"in a {state}"


if __name__ == "__main__":
    sys.exit(main())
