"""Files: rows come to a finished file, pending files are listed, a storage moves.

Each against what a system does at least: copying the same bytes, one `stat` a file, `cp`.
"""

import filecmp
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import MB, ROUNDS, Call, Outcome, Run, alternate, median_of, rounds_made
from benchmarks.people import COLUMNS, students
from benchmarks.portals import Portal, portal

__all__ = ["run"]

#: Rows of a finished file, and of those that come to it.
OLD, NEW = 1_000_000, 100_000
#: Pending files, and how often they are listed in a process.
PENDING, LISTINGS = 1_000, 25
#: Files of a storage, and bytes of each.
MOVED, SIZE = 2_000, MB

CASES = ("finished", "listing", "moving")
#: How many times the floor each may take.
JOINED_TARGET, LISTED_TARGET, MOVED_TARGET = 1.3, 3.0, 1.2


def run(folder: Path, quick: bool, cases: Sequence[str] = CASES, rounds: int = ROUNDS) -> Outcome:
    """Measure all cases, or some of `CASES`."""
    part = 10 if quick else 1
    ways: dict[str, Callable[[], Iterator[tuple[str, ...]]]] = {
        "finished": lambda: _joined(folder, OLD // part, NEW // part, rounds),
        "listing": lambda: _listed(PENDING, rounds),
        "moving": lambda: _moved(folder, MOVED // part, rounds),
    }
    lines = [line for case in cases for line in ways[case]()]
    missed = sum("MISSED" in line[-1] for line in lines)
    heading = ("Case", "Floor", "Time", "Times the floor", "Target")
    return Outcome(heading, lines, missed, rounds_made(rounds))


def _line(
    case: str, floor: float, ours: float, times: float, target: float | None
) -> tuple[str, ...]:
    said = "-"
    if target is not None:
        said = f"{target}, {'met' if times <= target else 'MISSED'}"
    return case, _seconds(floor), _seconds(ours), f"{times:.2f}", said


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def _times(floor: list[Run], ours: list[Run]) -> float:
    """Return how many times as long as the floor ours takes."""
    return median(run["seconds"] / low["seconds"] for low, run in zip(floor, ours, strict=True))


# -- a finished file -------------------------------------------------------------------

#: The columns of the rows that come, by what is told of them.
ORDERS = {
    "the same columns": COLUMNS,
    "columns in another order": COLUMNS[::-1],
}


def _joined(folder: Path, old: int, new: int, rounds: int) -> Iterator[tuple[str, ...]]:
    tables = folder / "tables"
    tables.mkdir()
    table = list(students(old + new))
    _write(tables / "old.csv", COLUMNS, table[:old])
    _write(tables / "original.csv", COLUMNS, table)
    for case, columns in ORDERS.items():
        _write(tables / f"{case}.csv", columns, table[old:])
    del table
    for case, columns in ORDERS.items():
        calls = [
            Call(copied, (str(tables), ("old", case))),
            Call(copied, (str(tables), (case,))),
            Call(joined, (str(tables), case)),
        ]
        whole, part, found = alternate(f"files: {case}", calls, rounds)
        title, ours = f"{new:,} rows to {old:,}, {case}", median_of(found, "seconds")
        target = JOINED_TARGET if columns == COLUMNS else None
        yield _line(title, median_of(whole, "seconds"), ours, _times(whole, found), target)
        title += ", against the new rows alone"
        yield _line(title, median_of(part, "seconds"), ours, _times(part, found), None)
    shutil.rmtree(tables)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table as a run does."""
    from waeup.kofa.tabular import TableWriter

    places = [COLUMNS.index(name) for name in columns]
    with TableWriter(str(path), columns) as writer:
        for row in rows:
            writer.write([row[place] for place in places])


def copied(tables: str, names: Sequence[str]) -> Run:
    """Write a header, and the rows of some tables, to a new file, and force it out."""
    with TemporaryDirectory(dir=tables) as folder:
        os.sync()
        began = time.perf_counter()
        with open(f"{folder}/joined.csv", "wb", buffering=0) as target:
            for at, name in enumerate(names):
                with open(f"{tables}/{name}.csv", "rb") as source:
                    header = source.readline()
                    if not at:
                        target.write(header)
                    shutil.copyfileobj(source, target, MB)
            os.fsync(target.fileno())
        seconds = time.perf_counter() - began
    return {"seconds": seconds}


def joined(tables: str, case: str) -> Run:
    """Bring the rows of a pending file that are done to those that were done before."""
    with portal() as own, TemporaryDirectory(dir=tables) as results:

        def bring(operations: Any) -> Run:
            storage = Path(operations.storage_path())
            target = storage / "finished" / "list.create.finished.csv"
            pending, finished = storage / "list.create.pending.csv", Path(results, "finished.csv")
            for source, place in (
                ("original", storage / "unfinished" / "list.csv"),
                ("old", target),
                (case, pending),
                (case, finished),
            ):
                shutil.copy(f"{tables}/{source}.csv", place)
            os.sync()
            began = time.perf_counter()
            operations.datacenter.distProcessedFiles(
                True, str(pending), str(finished), None, "create"
            )
            seconds = time.perf_counter() - began
            # All rows in their order: those of the original.
            assert filecmp.cmp(target, f"{tables}/original.csv", shallow=False)
            assert os.listdir(storage / "unfinished") == []
            assert not pending.exists() and not finished.exists()
            return {"seconds": seconds}

        return own.acting(bring)


# -- a list --------------------------------------------------------------------------


def _listed(files: int, rounds: int) -> Iterator[tuple[str, ...]]:
    found = alternate("files: listing", [Call(listed, (files,))], rounds)[0]
    for case in ("home page, kofactl ls", "the newest first", "DataCenter.getPendingFiles"):
        yield _line(
            f"{files:,} pending files: {case}",
            median_of(found, "floor"),
            median_of(found, case),
            median(run[case] / run["floor"] for run in found),
            LISTED_TARGET,
        )


def listed(files: int) -> Run:
    """List pending files again and again, in turns with `os.scandir`."""
    with portal() as own:
        began = time.perf_counter()
        own.acting(lambda operations: _fill(operations.datacenter, files))
        found = own.acting(lambda operations: _listings(operations, files))
        return {"seconds": time.perf_counter() - began, **found}


def _fill(center: Any, files: int) -> None:
    from waeup.kofa.ledger import FileEntry

    text = "student_id,firstname,lastname\nA1001,Bola,Adé\n"
    date = datetime.now(timezone.utc)
    for number in range(files):
        name = f"list-{number:04}_admin.csv"
        path = Path(center.storage, name)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (10**9 + number, 10**9 + number))
        size = path.stat().st_size
        center.ledger.enter(FileEntry(name, "admin", name, size, "0" * 64, date, None))


def _listings(operations: Any, files: int) -> Run:
    center = operations.datacenter

    def scanned() -> list[Any]:
        with os.scandir(center.storage) as entries:
            return [(entry.name, entry.stat()) for entry in entries]

    ways: dict[str, Callable[[], list[Any]]] = {
        "floor": scanned,
        "home page, kofactl ls": operations.pending_files,
        "the newest first": lambda: operations.pending_files(sort="date"),
        "DataCenter.getPendingFiles": center.getPendingFiles,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    answers = {}
    for _listing in range(LISTINGS):
        for name, way in ways.items():
            began = time.perf_counter()
            answers[name] = way()
            times[name].append(time.perf_counter() - began)
    names = [f"list-{number:04}_admin.csv" for number in range(files)]
    by_name, by_date = answers["home page, kofactl ls"], answers["the newest first"]
    assert [file.name for file in by_name] == names
    assert [file.name for file in by_date] == names[::-1]
    assert [file.name for file in answers["DataCenter.getPendingFiles"]] == names
    for number, file in enumerate(by_name):
        assert (file.owner, file.date.timestamp()) == ("admin", 10**9 + number)
    return {name: median(found) for name, found in times.items()}


# -- a move --------------------------------------------------------------------------


def _moved(folder: Path, files: int, rounds: int) -> Iterator[tuple[str, ...]]:
    var, places = folder / "var", folder / "places"
    places.mkdir()
    with portal(var) as own:
        storage = Path(own.acting(lambda operations: operations.storage_path()))
    random = Random(files)
    for number in range(files):
        place = storage / ("finished" if number % 2 else "") / f"list-{number:04}.finished.csv"
        place.write_bytes(random.randbytes(SIZE))
    calls = [Call(moved_by_cp, (str(var), str(places))), Call(moved, (str(var), str(places)))]
    low, found = alternate("files: moving", calls, rounds)
    title = f"a storage of {files:,} files, {files * SIZE / MB:,.0f} MB"
    ours = median_of(found, "seconds")
    yield _line(
        f"{title}: cp -a", median_of(low, "seconds"), ours, _times(low, found), MOVED_TARGET
    )
    yield _line(
        f"{title}: cp -a, then sync",
        median_of(low, "forced"),
        ours,
        median(run["seconds"] / cp["forced"] for cp, run in zip(low, found, strict=True)),
        None,
    )


#: The system's own way.
CP = ("cp", "-a", "--reflink=auto")


def _storage(own: Portal) -> Path:
    return Path(own.acting(lambda operations: operations.storage_path()))


def moved_by_cp(var: str, places: str) -> Run:
    """Copy the storage of a portal as an operator would by hand, who does not force it out."""
    with portal(Path(var)) as own:
        storage = _storage(own)
    with TemporaryDirectory(dir=places) as target:
        os.sync()
        began = time.perf_counter()
        subprocess.run([*CP, f"{storage}/.", target], check=True)
        seconds = time.perf_counter() - began
        os.sync()
        forced = time.perf_counter() - began
    return {"seconds": seconds, "forced": forced}


def moved(var: str, places: str) -> Run:
    """Move the storage of a portal by a run; compare, and remove the former one."""
    from zope.component import getGlobalSiteManager

    from waeup.kofa.interfaces import IDataCenterConfig

    with portal(Path(var)) as own:
        getGlobalSiteManager().getUtility(IDataCenterConfig)["storage_roots"] = (places,)
        former = _storage(own)
        target = Path(places, f"storage-{time.time_ns()}")
        id = own.acting(lambda operations: operations.start_move(str(target)).id)
        os.sync()
        began = time.perf_counter()
        own.work_off(id)
        seconds = time.perf_counter() - began
        assert _storage(own) == target
        _compare(former, target)
        own.acting(lambda operations: operations.remove_former_storage(str(former)))
        shutil.rmtree(former, ignore_errors=True)
    return {"seconds": seconds}


def _compare(former: Path, target: Path) -> None:
    """Raise `AssertionError` unless all files are there, as files of their own."""
    for folder in ("", "finished"):
        names = [path.name for path in (former / folder).iterdir() if path.is_file()]
        found = filecmp.cmpfiles(former / folder, target / folder, names, shallow=False)
        assert found == (names, [], []), found[1:]
        assert all((target / folder / name).stat().st_nlink == 1 for name in names)
