"""django-import-export on SQLite beside our imports, in its default and its best configuration.

It is installed into an environment of its own, by the pip of this machine; `benchmarks/peer` has
the versions and the program.  All of them take the same file, check the same rules, and keep or
drop what they have made; what the others do without are undo records, files of results, a start
behind a crash at the row where it was, and a word for each row that fails.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import runs
from benchmarks.frame import (
    MB,
    ROOT,
    ROUNDS,
    Call,
    Outcome,
    Run,
    alternate,
    median_of,
    ratio,
    rounds_made,
)
from benchmarks.people import COLUMNS, students, write_table

__all__ = ["run"]

ROWS = 20_000
PEER = Path(__file__).with_name("peer")
ENVIRONMENT = ROOT / ".venv" / "peer"
#: Configurations of the peer, and how many times as fast as each ours are to be.
TARGETS = {"default": 10.0, "best": 1.0}
CASES = {"create": "create", "check": "check (a dry run)"}


def run(folder: Path, quick: bool, rows: int | None = None, rounds: int = ROUNDS) -> Outcome:
    """Measure the creation of students, and the check of it."""
    rows = rows or (ROWS // 10 if quick else ROWS)
    install()
    runs.prepare(folder, "none", rows)
    lines, missed = [], 0
    for case, title in CASES.items():
        calls = [Call(peer, (configuration, case, rows)) for configuration in TARGETS]
        *others, found = alternate(
            f"peers: {case}", [*calls, Call(runs.ours, (case, str(folder), rows))], rounds
        )
        for (configuration, target), low in zip(TARGETS.items(), others, strict=True):
            reached = ratio(low, found)
            missed += reached < target
            met = "met" if reached >= target else "MISSED"
            name = f"{title}: django-import-export, {configuration}"
            lines.append((name, *_figures(rows, low), f"{reached:.1f}", f"{target:.0f}, {met}"))
        lines.append((f"{title}: this data center", *_figures(rows, found), "-", "-"))
    heading = ("What", "Rows", "Rows a second", "Peak", "Ours: times as fast", "Target")
    return Outcome(heading, lines, missed, rounds_made(rounds))


def _figures(rows: int, found: list[Run]) -> tuple[str, str, str]:
    speed = rows / median_of(found, "seconds")
    return f"{rows:,}", f"{speed:,.0f}", f"{median_of(found, 'peak') / MB:,.0f} MB"


def install() -> None:
    """Make the environment of the peer, unless it has the very versions."""
    wanted = (PEER / "requirements.txt").read_text(encoding="utf-8")
    there = ENVIRONMENT / "requirements.txt"
    if there.exists() and there.read_text(encoding="utf-8") == wanted:
        return
    print("peers: installing django-import-export", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
    pip = [_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", str(PEER / "requirements.txt")])
    if done.returncode:
        raise SystemExit(
            "django-import-export cannot be installed, thus nothing can be compared with it. See "
            "what pip says above, or name other benchmarks."
        )
    there.write_text(wanted, encoding="utf-8")


def _python() -> str:
    return str(ENVIRONMENT / "bin" / "python")


def peer(configuration: str, case: str, rows: int) -> Run:
    """Let the peer import a table, or only try it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "students.csv"
        write_table(path, COLUMNS, students(rows))
        program, database = str(PEER / "importing.py"), f"{folder}/students.sqlite3"
        done = subprocess.run(
            [_python(), program, configuration, case, str(path), database],
            stdout=subprocess.PIPE,
            check=True,
        )
    found: Run = json.loads(done.stdout)
    kept = rows if case == "create" else 0
    assert (found["new"], found["failed"], found["there"]) == (rows, 0, kept), found
    return found
