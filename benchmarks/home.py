"""The home page of a data center with many files and many runs, in the browser's place.

The portal is one of its own, in another process.  What is measured is the time from the request
to the last byte of the page.
"""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import transaction

from benchmarks.browsing import KOFACTL, logged_in, served, set_up
from benchmarks.frame import Call, Outcome, Run, alternate, median_of
from benchmarks.people import COLUMNS, students, write_table

__all__ = ["run"]

#: Pending files, of which every other one came back from an import, and imports.
FILES, RUNS = 1_000, 500
#: Rows of a file.
ROWS = 500
#: How often each page is fetched.
FETCHES = 20
#: Milliseconds that a page may take, as a median.
TARGET = 200
#: Rows of a table that is imported meanwhile, and milliseconds that the home page may take then.
IMPORTED, PATIENCE = 50_000, 300
BUSY = "home, while a file is imported"
PROCESSOR = "studentprocessor"

PAGES = {
    "home": "",
    "the last page of the files": "?page=20",
    "a search": "?q=list-07",
    "sorted by owner": "?sort=-owner",
}


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all pages."""
    files, runs = (FILES // 10, RUNS // 10) if quick else (FILES, RUNS)
    rows = IMPORTED // 10 if quick else IMPORTED
    found, during = alternate("home", [Call(measured, (files, runs)), Call(busy, (rows,))])
    shown = [(page, f"{files:,}", f"{runs:,}", found, TARGET) for page in PAGES]
    shown.append((BUSY, "0", "1", during, PATIENCE))
    lines, missed = [], 0
    for page, there, ended, measures, target in shown:
        middle = median_of(measures, page)
        missed += middle > target
        lines.append(
            (
                page,
                there,
                ended,
                f"{median_of(measures, f'{page}, first'):.0f} ms",
                f"{middle:.0f} ms",
                f"{target} ms, {'MISSED' if middle > target else 'met'}",
            )
        )
    heading = ("Page", "Files", "Runs", "First time", "Median", "Target")
    return Outcome(heading, lines, missed)


def measured(files: int, runs: int) -> Run:
    """Fetch each page again and again; the first page is that of a portal that has just begun."""
    with TemporaryDirectory() as folder:
        var = Path(folder) / "var"
        password = set_up(var)
        fill(var, files, runs)
        with served(var) as url:
            return _fetched(logged_in(url, password))


def busy(rows: int) -> Run:
    """Fetch the home page of a portal without files, and again while it imports a table."""
    with TemporaryDirectory() as folder:
        var, path = Path(folder) / "var", Path(folder) / "students.csv"
        write_table(path, COLUMNS, students(rows))
        password = set_up(var)
        with served(var) as url:
            fetch = logged_in(url, password)
            first = fetch()
            importing = subprocess.Popen(
                [
                    *KOFACTL,
                    "import",
                    str(path),
                    "-p",
                    PROCESSOR,
                    "-m",
                    "create",
                    "--var",
                    str(var),
                ],
                stdout=subprocess.DEVNULL,
            )
            times = []
            while importing.poll() is None:
                times.append(fetch())
                time.sleep(0.05)
            assert importing.returncode == 0, importing.returncode
    return {"seconds": sum(times) / 1000, f"{BUSY}, first": first, BUSY: median(times)}


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
