"""The home page of a data center with many files and many runs, in the browser's place.

The portal is one of its own, in another process.  What is measured is the time from the request
to the last byte of the page.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import transaction

from benchmarks.frame import Call, Outcome, Run, alternate, median_of
from benchmarks.runs import PROCESSOR, logged_in

__all__ = ["run"]

#: Pending files, of which every other one came back from an import, and imports.
FILES, RUNS = 1_000, 500
#: Rows of a file.
ROWS = 500
#: How often each page is fetched.
FETCHES = 20
#: Milliseconds that a page may take, as a median.
TARGET = 200

PAGES = {
    "home": "",
    "the last page of the files": "?page=20",
    "a search": "?q=list-07",
    "sorted by owner": "?sort=-owner",
}


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all pages."""
    files, runs = (FILES // 10, RUNS // 10) if quick else (FILES, RUNS)
    found = alternate("home", [Call(measured, (files, runs))])[0]
    lines, missed = [], 0
    for page in PAGES:
        middle = median_of(found, page)
        missed += middle > TARGET
        lines.append(
            (
                page,
                f"{files:,}",
                f"{runs:,}",
                f"{median_of(found, f'{page}, first'):.0f} ms",
                f"{middle:.0f} ms",
                f"{TARGET} ms, {'MISSED' if middle > TARGET else 'met'}",
            )
        )
    heading = ("Page", "Files", "Runs", "First time", "Median", "Target")
    return Outcome(heading, lines, missed)


def measured(files: int, runs: int) -> Run:
    """Fetch each page again and again; the first page is that of a portal that has just begun."""
    with TemporaryDirectory() as folder:
        kofactl = [sys.executable, "-m", "waeup.kofa.cli"]
        var = ["--var", f"{folder}/var"]
        made = subprocess.run(
            [*kofactl, "run", "--setup-only", *var], capture_output=True, text=True, check=True
        )
        password = re.search(r"with the password (\S+)", made.stdout)
        assert password is not None, made.stdout
        fill(Path(folder) / "var", files, runs)
        server = subprocess.Popen(
            [*kofactl, "run", "--port", "0", *var], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            lines = (line for line in server.stdout if line.startswith("The portal answers on "))
            fetch = logged_in(next(lines).split()[4], password[1])
            return _fetched(fetch)
        finally:
            server.terminate()
            server.wait()


def _fetched(fetch: Callable[[str], float]) -> Run:
    began = time.perf_counter()
    found: Run = {}
    for page, query in PAGES.items():
        found[f"{page}, first"], *others = (fetch(query) for _ in range(FETCHES))
        found[page] = median(others)
    return {"seconds": time.perf_counter() - began, **found}


def fill(var: Path, files: int, runs: int) -> None:
    """Give a portal files that wait, imports that are finished, and what came back from them."""
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.session import SITE_NAME, configure, load_configuration

    instance = Instance(var)
    load_configuration()
    configure(instance)
    with instance.database(write=True) as database, closing(database.open()) as connection:
        center = connection.root()["Application"][SITE_NAME]["datacenter"]
        ids = [_import(center, number).id for number in range(runs)]
        text = "student_id,firstname,lastname\n" + "A1001,Bola,Adé\n" * ROWS
        for number in range(files):
            back = number % 2 and number // 2 < runs
            name = f"list-{number:04}{'.create.pending' if back else ''}.csv"
            Path(center.storage, name).write_text(text, encoding="utf-8")
            _enter(center, name, len(text.encode()), ids[number // 2] if back else None)
        transaction.commit()


def _import(center: Any, number: int) -> Any:
    """Enter an import of which a few rows have failed."""
    from waeup.kofa.importing.report import Report
    from waeup.kofa.jobs import IMPORT, Order
    from waeup.kofa.jobs import Run as Record

    name = f"list-{2 * number + 1:04}.csv"
    run = Record(Order(IMPORT, name, "", PROCESSOR, "create", "admin"), "students")
    run.state = "finished"
    run.queued = run.ended = datetime.now(timezone.utc) - timedelta(minutes=number)
    reasons = tuple((f"Reason {reason} of {name}", 20 - reason) for reason in range(20))
    report = Report(name, PROCESSOR, "create", total=ROWS, created=ROWS - 210, failed=210)
    run.report = {**report.as_dict(), "reasons": [list(reason) for reason in reasons]}
    center.runs.add(run)
    center.runs.deactivate(run)
    return run


def _enter(center: Any, name: str, size: int, run: str | None) -> None:
    from waeup.kofa.ledger import FileEntry

    date = datetime.now(timezone.utc)
    center.ledger.enter(FileEntry(name, "admin", name, size, "0" * 64, date, run))
