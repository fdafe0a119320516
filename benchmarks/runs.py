"""Runs from the order to the files in their places, against a bare object database.

What is measured is the real path, as `kofactl import` goes it: reading, validation, result
files, undo records, checkpoints, and every batch durable.  The floor stores bare persistent
objects with the same attributes in a tree, by the same commits.
"""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import transaction
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB import DB
from ZODB.FileStorage import FileStorage

from benchmarks.frame import Call, Outcome, Run, alternate, median_of, ratio
from benchmarks.people import COLUMNS, students

__all__ = ["PROCESSOR", "logged_in", "run"]

ROWS = 50_000
#: Objects in one commit of the floor; a run comes to about as many by itself.
BATCH = 1000
PROCESSOR = "studentprocessor"
#: Milliseconds in which the home page answers while a file is imported, as a median.
PATIENCE = 300


class Bare(Persistent):
    """A persistent object that has attributes, and nothing else."""


def run(folder: Path, quick: bool) -> Outcome:
    """Measure all cases."""
    rows = ROWS // 10 if quick else ROWS
    lines = []
    for title, floor in (
        ("create", "create"),
        ("check", "create"),
        ("update", "update"),
        ("undo of create", "remove"),
    ):
        calls = [Call(bare, (floor, rows)), Call(ours, (title, rows))]
        low, found = alternate(f"runs: {title}", calls)
        lines.append(
            (
                title,
                f"{rows:,}",
                f"{rows / median_of(low, 'seconds'):,.0f}",
                f"{rows / median_of(found, 'seconds'):,.0f}",
                f"{ratio(low, found):.2f}",
                f"{median_of(found, 'peak') / 2**20:,.0f} MB",
            )
        )
    pages = alternate("runs: home page", [Call(home_page, (rows,))])[0]
    idle, busy = (median_of(pages, name) for name in ("idle", "busy"))
    missed = busy > PATIENCE
    lines.append(
        (
            f"home page: {idle:.0f} ms, while a file is imported {busy:.0f} ms",
            f"{rows:,}",
            "-",
            "-",
            "-",
            f"target {PATIENCE} ms, {'MISSED' if missed else 'met'}",
        )
    )
    heading = ("Case", "Rows", "Floor", "Run", "Ratio", "Peak")
    return Outcome(heading, lines, int(missed))


# -- the floor -----------------------------------------------------------------------


def bare(case: str, rows: int) -> Run:
    """Create, change or remove bare objects, `BATCH` in a commit."""
    table = list(students(rows))
    with TemporaryDirectory() as folder:
        database = DB(FileStorage(f"{folder}/Data.fs"))
        tree = database.open().root()["tree"] = OOBTree()
        transaction.commit()
        work: dict[str, Callable[[Any, list[str]], None]] = {
            "create": _create,
            "update": _update,
            "remove": _remove,
        }
        if case != "create":
            _batches(tree, table, _create)
            tree._p_jar.cacheMinimize()
        began = time.perf_counter()
        _batches(tree, table, work[case])
        seconds = time.perf_counter() - began
        transaction.abort()
        database.close()
    return {"seconds": seconds}


def _batches(tree: Any, table: list[list[str]], work: Callable[[Any, list[str]], None]) -> None:
    for start in range(0, len(table), BATCH):
        for row in table[start : start + BATCH]:
            work(tree, row)
        transaction.commit()


def _create(tree: Any, row: list[str]) -> None:
    one = Bare()
    one.__dict__.update(zip(COLUMNS, row, strict=True))
    tree[row[0]] = one


def _update(tree: Any, row: list[str]) -> None:
    tree[row[0]].firstname = row[2] + "x"


def _remove(tree: Any, row: list[str]) -> None:
    del tree[row[0]]


# -- runs ----------------------------------------------------------------------------


def ours(case: str, rows: int) -> Run:
    """Order a run in a new portal and work on it."""
    with portal() as (database, site_path), TemporaryDirectory() as folder:
        path = Path(folder) / "students.csv"
        write(path, rows)
        if case == "check":
            return timed(database, site_path, path, "start_check", "create")
        first = timed(database, site_path, path, "start_import", "create")
        if case == "create":
            return first
        if case == "update":
            write(path, rows, "x")
            return timed(database, site_path, path, "start_import", "update", yes_change=rows)
        return timed_undo(database, site_path)


def write(path: Path, rows: int, more: str = "") -> None:
    """Write the table of students; `more` is appended to each first name."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(COLUMNS) + "\r\n")
        for row in students(rows):
            row[2] += more
            stream.write(",".join(row) + "\r\n")


@contextmanager
def portal() -> Iterator[tuple[Any, str]]:
    """Give the database of a new portal, and the path of the portal in it."""
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.serve import bootstrap
    from waeup.kofa.cli.session import SITE_NAME, configure, load_configuration, make_site

    with TemporaryDirectory() as var:
        instance = Instance(Path(var))
        instance.make()
        load_configuration()
        configure(instance)
        with instance.database(write=True) as database:
            bootstrap(database)
            make_site(database, instance)
            yield database, f"/{SITE_NAME}"


def timed(
    database: Any, site_path: str, path: Path, operation: str, mode: str, **more: Any
) -> Run:
    """Upload a file, order something with it, and measure from then to the end."""
    from waeup.kofa.jobs import new_holder, work_off

    def order(operations: Any) -> str:
        with path.open("rb") as stream:
            name = operations.upload(path.name, stream).name
        mapping = operations.propose_mapping(name, PROCESSOR, mode)
        start = getattr(operations, operation)
        id: str = start(name, PROCESSOR, mode, mapping, **more).id
        return id

    id = acting(database, site_path, order)
    began = time.perf_counter()
    work_off(database, site_path, id, new_holder())
    seconds = time.perf_counter() - began
    _check(database, site_path, id)
    return {"seconds": seconds}


def timed_undo(database: Any, site_path: str) -> Run:
    """Take the only import back."""
    from waeup.kofa.jobs import new_holder, work_off

    id = acting(
        database,
        site_path,
        lambda operations: operations.start_undo(operations.runs()[0].id).id,
    )
    began = time.perf_counter()
    work_off(database, site_path, id, new_holder())
    seconds = time.perf_counter() - began
    _check(database, site_path, id)
    return {"seconds": seconds}


def _check(database: Any, site_path: str, id: str) -> None:
    info = acting(database, site_path, lambda operations: operations.run(id))
    if info.state != "finished" or info.report.failed:
        raise AssertionError(f"{info.title}: {info.state}, {info.report.failed} failed")


def acting(database: Any, site_path: str, ask: Callable[[Any], Any]) -> Any:
    """Return what `ask` says of the operations of the administrator; changes are committed."""
    from zope.component.hooks import site as site_set

    from waeup.kofa.api.acting import acting as as_account
    from waeup.kofa.jobs.connection import connected

    with (
        connected(database, site_path) as site,
        site_set(site),
        as_account(site, "admin") as found,
    ):
        answer = ask(found)
        transaction.commit()
        return answer


# -- the home page ---------------------------------------------------------------------


def home_page(rows: int) -> Run:
    """Measure the home page of a portal in another process: idle, and during an import."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "students.csv"
        write(path, rows)
        kofactl = [sys.executable, "-m", "waeup.kofa.cli"]
        var = ["--var", f"{folder}/var"]
        made = subprocess.run(
            [*kofactl, "run", "--setup-only", *var], capture_output=True, text=True, check=True
        )
        found = re.search(r"with the password (\S+)", made.stdout)
        assert found is not None, made.stdout
        server = subprocess.Popen(
            [*kofactl, "run", "--port", "0", *var], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            lines = (line for line in server.stdout if line.startswith("The portal answers on "))
            open_page = logged_in(next(lines).split()[4], found[1])
            idle = [open_page() for _ in range(20)]
            importing = subprocess.Popen(
                [*kofactl, "import", str(path), "-p", PROCESSOR, "-m", "create", *var],
                stdout=subprocess.DEVNULL,
            )
            busy = []
            while importing.poll() is None:
                busy.append(open_page())
                time.sleep(0.05)
            assert importing.returncode == 0, importing.returncode
        finally:
            server.terminate()
            server.wait()
    return {
        "seconds": sum(busy) / 1000,
        "idle": median(idle),
        "busy": median(busy),
    }


def logged_in(url: str, password: str) -> Callable[..., float]:
    """Log in, and return the function that fetches the home page and tells the milliseconds.

    It takes what is asked for in the address, from its question mark on.
    """
    opener = session(url, password)

    def fetch(query: str = "") -> float:
        began = time.perf_counter()
        with opener.open(f"{url}kofa/datacenter{query}") as answer:
            content = answer.read()
            assert b"Log out" in content
        return 1000 * (time.perf_counter() - began)

    return fetch


def session(url: str, password: str) -> urllib.request.OpenerDirector:
    """Log in, and return what opens addresses from then on."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(f"{url}kofa/login").read().decode()
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    fields = {"form_token": token[1], "login": "admin", "password": password, "SUBMIT": "1"}
    opener.open(f"{url}kofa/login", urlencode(fields).encode()).read()
    return opener
