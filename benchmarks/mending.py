"""The mend view of a large table of which many rows fail, in the browser's place.

The portal is one of its own, in another process.  What is measured is the time from the request
to the last byte of the answer.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from benchmarks.browsing import served, session, set_up
from benchmarks.frame import Call, Outcome, Run, alternate, median_of
from benchmarks.people import COLUMNS, students
from benchmarks.portals import portal

__all__ = ["run"]

#: Rows of the table, and those that fail.
ROWS, FAILING = 50_000, 2_000
#: How often each page is fetched.
FETCHES = 20
#: Milliseconds that an answer may take, as a median.
TARGET = 500

PROCESSOR = "studentprocessor"
#: Pages, by what they show; the most frequent problem has the number 1.
PAGES = {
    "problems, with the first rows": "",
    "rows of a problem, cells that are alike": "&group=1",
    "rows of another, all different": "&group=2",
    "its last rows": "&group=2&page=10",
    "all rows that fail": "&group=all",
}
CORRECTED = "a row is corrected and tried"


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all pages, and a correction."""
    rows, failing = (ROWS // 10, FAILING // 10) if quick else (ROWS, FAILING)
    found = alternate("mending", [Call(measured, (rows, failing))])[0]
    lines, missed = [], 0
    for page in (*PAGES, CORRECTED):
        middle = median_of(found, page)
        missed += middle > TARGET
        lines.append(
            (
                page,
                f"{rows:,}",
                f"{failing:,}",
                f"{median_of(found, f'{page}, first'):.0f} ms",
                f"{middle:.0f} ms",
                f"{TARGET} ms, {'MISSED' if middle > TARGET else 'met'}",
            )
        )
    heading = ("Page", "Rows", "Failing", "First time", "Median", "Target")
    return Outcome(heading, lines, missed)


def measured(rows: int, failing: int) -> Run:
    """Fetch each page again and again; the first page is that of a portal that has just begun."""
    with TemporaryDirectory() as folder:
        path, var = Path(folder) / "students.csv", Path(folder) / "var"
        write(path, rows, failing)
        password = set_up(var)
        draft = checked(var, path, failing)
        with served(var) as url:
            return _fetched(session(url, password), f"{url}kofa/datacenter", draft)


def _fetched(opener: Any, url: str, draft: str) -> Run:
    began = time.perf_counter()
    found: Run = {}

    def note(name: str, ask: Callable[[], Any]) -> bytes:
        """Measure what is asked for; return the last answer."""
        times, content = [], b""
        for _fetch in range(FETCHES):
            start = time.perf_counter()
            with ask() as answer:
                content = answer.read()
            times.append(1000 * (time.perf_counter() - start))
        found[f"{name}, first"], found[name] = times[0], median(times[1:])
        return content

    for name, query in PAGES.items():
        page = note(name, partial(opener.open, f"{url}/import4?draft={draft}{query}")).decode()
        assert "What is wrong with rows" in page
        assert ("Save this row" in page) == bool(query), name
    fields = dict(re.findall(r'name="(form_token|checked|row)" value="(\w+)"', page))
    at = re.search(r'name="(cell-\d+)"', page)
    assert at is not None
    texts = iter(range(FETCHES))

    def correct() -> Any:
        data = {**fields, "draft": draft, at[1]: f"text {next(texts)}"}
        return opener.open(f"{url}/mend", urlencode(data).encode())

    assert b'"is_corrected": true' in note(CORRECTED, correct)
    return {"seconds": time.perf_counter() - began, **found}


def write(path: Path, rows: int, failing: int) -> None:
    """Write a table of students of which some have a wrong date, all others a wrong sex."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(COLUMNS) + "\r\n")
        for number, row in enumerate(students(rows)):
            if number % (rows // failing) == 0:
                which = number // (rows // failing) % 4
                sex, birth = COLUMNS.index("sex"), COLUMNS.index("date_of_birth")
                row[sex if which else birth] = "unknown" if which else f"31.{number}"
            stream.write(",".join(row) + "\r\n")


def checked(var: Path, path: Path, failing: int) -> str:
    """Let the administrator of a portal check a table; return the id of the draft."""

    def order(operations: Any) -> tuple[str, str]:
        mapping = operations.propose_mapping(name, PROCESSOR, "create")
        draft = operations.new_draft(name).id
        check = operations.start_check(name, PROCESSOR, "create", mapping, draft=draft).id
        operations.save_draft(draft, processor=PROCESSOR, mode="create", columns=mapping.columns)
        operations.save_draft(draft, check=check)
        return draft, check

    with portal(var) as kofa:
        name = kofa.put(path)
        draft, check = kofa.acting(order)
        kofa.work_off(check, failing)
    return draft
