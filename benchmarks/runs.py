"""Runs from the order to the files in their places, against a bare object database.

What is measured is the real path, as `kofactl import` and the portal's worker go it: reading,
validation, result files, undo records, checkpoints, and every batch durable.  `floors` says what
stands against it.  Afterwards all objects are looked at: they must have the values of the file.
"""

import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import transaction

from benchmarks import floors, tickets
from benchmarks.browsing import KOFACTL
from benchmarks.frame import (
    MB,
    ROUNDS,
    Call,
    Clock,
    Outcome,
    Run,
    alternate,
    median_of,
    peak_memory,
    ratio,
    rounds_made,
)
from benchmarks.people import COLUMNS, faults, later, spoilt, students, write_table
from benchmarks.portals import Portal, portal

__all__ = ["CASES", "STUDENTS", "bare", "measure", "ours", "run"]

ROWS = 200_000
#: Share of rows that cannot be imported, in the case of that name.
FAULTY = 0.05
#: Names of processors.
STUDENTS, TICKETS = "studentprocessor", "courseticketprocessor"
#: The instance directory of a portal, which keeps in mind where it is, in the folder for all.
VAR = "var"
#: What the measurements of plain loops over the portal's own objects are called.
OBJECTS = "objects"
#: Objects that are looked at before they are let go of.
AT_ONCE = 1000


class Case(NamedTuple):
    """A kind of run: in what words, of which mode, on which base, and its floor.

    `base` is what is there before.  `target` is the ratio to reach; that of the check is not to
    its floor but to the import that it foretells.
    """

    title: str
    mode: str
    base: str
    floor: str
    target: float | None = None


CASES = {
    "create": Case("create", "create", "none", "create", 0.5),
    "check": Case("check, against create", "create", "none", "create", 1.0),
    "command": Case("create, the whole command", "create", "none", "create"),
    "faulty": Case(f"create, {FAULTY:.0%} faulty", "create", "none", "create"),
    "update": Case("update", "update", "all", "update", 0.5),
    "upsert": Case("upsert, half of them new", "upsert", "half", "upsert", 0.5),
    "remove": Case("remove", "remove", "all", "remove", 0.5),
    "undo": Case("undo of create", "", "all", "delete"),
    "tickets": Case("course tickets", "create", "tickets", "tickets", 0.5),
}
#: Cases that are measured in turns with one floor.
GROUPS = (
    ("create", "check", "command"),
    *((name,) for name in ("faulty", "update", "upsert", "remove", "undo", "tickets")),
)


def run(
    folder: Path,
    quick: bool,
    rows: int | None = None,
    rounds: int | None = None,
    cases: Sequence[str] = tuple(CASES),
    cpu: bool = False,
) -> Outcome:
    """Measure all cases, or those that are named; with `cpu` by the time of the processor."""
    by = "cpu" if cpu else "seconds"
    rows = rows or (ROWS // 40 if quick else ROWS)
    rounds = rounds or (1 if quick else ROUNDS)
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        raise SystemExit(f"runs has no case {unknown[0]}; it has {', '.join(CASES)}.")
    lines, missed = [], 0
    for group in GROUPS:
        wanted = [name for name in group if name in cases]
        if not wanted:
            continue
        # The check is compared with its import.
        names = [group[0], *(name for name in wanted if name != group[0])]
        low, found = measure(folder, names, rows, rounds)
        for name in wanted:
            target = CASES[name].target
            reached = ratio(found[names[0]] if name == "check" else low, found[name], by)
            missed += target is not None and reached < target
            lines.append(_line(name, low, found, reached, by))
    heading = (
        "Case",
        "Rows",
        "Floor",
        "Objects",
        "Run",
        "Ratio",
        "Target",
        "Commit",
        "Peak",
        "Bytes",
    )
    note = "In seconds of the processor." if cpu else ""
    return Outcome(heading, lines, missed, f"{note} {rounds_made(rounds)}".strip())


def _line(
    name: str, low: list[Run], all_found: dict[str, list[Run]], reached: float, by: str
) -> tuple[str, ...]:
    case, found = CASES[name], all_found[name]
    count = found[0]["rows"]
    loops = all_found.get(OBJECTS) if case.target is not None and name != "check" else None
    met = "" if case.target is None else "met" if reached >= case.target else "MISSED"
    return (
        case.title,
        f"{count:,.0f}",
        f"{count / median_of(low, by):,.0f}",
        "-" if loops is None else f"{count / median_of(loops, by):,.0f}",
        f"{count / median_of(found, by):,.0f}",
        f"{reached:.2f}",
        f"{case.target:.2f}, {met}" if met else "-",
        f"{found[0]['commit']:,.0f}" if "commit" in found[0] else "-",
        f"{median_of(found, 'peak') / MB:,.0f} MB",
        "-"
        if name == "check"
        else f"{median_of(found, 'bytes'):,.0f} ({median_of(low, 'bytes'):,.0f})",
    )


def measure(
    folder: Path, names: Sequence[str], rows: int, rounds: int
) -> tuple[list[Run], dict[str, list[Run]]]:
    """Return the runs of a floor, and by name those of the cases that have it."""
    case = CASES[names[0]]
    prepare(folder, case.base, rows)
    where = str(folder)
    # How large the commits of a run are is known when it was there.
    commit = int(Call(ours, (names[0], where, rows)).run()["commit"])
    calls = [
        Call(bare, (names[0], where, rows, commit)),
        *(Call(ours, (name, where, rows)) for name in names),
    ]
    if f"{case.floor} objects" in floors.FLOORS:
        calls.append(Call(objects, (names[0], where, rows, commit)))
        names = [*names, OBJECTS]
    low, *found = alternate(f"runs: {', '.join(names)}", calls, rounds)
    return low, dict(zip(names, found, strict=True))


# -- rows ----------------------------------------------------------------------------


def rows_of(case: str, rows: int) -> Iterator[list[str]]:
    """Generate the rows of the table of a case."""
    if case == "tickets":
        return tickets.tickets(_part(rows))
    if case in ("update", "upsert"):
        return later(students(rows))
    if case == "faulty":
        wrong = faults(rows, FAULTY)
        return (
            spoilt(row, wrong[number]) if number in wrong else row
            for number, row in enumerate(students(rows))
        )
    return students(rows)


def expected(case: str, rows: int) -> Iterator[list[str]]:
    """Generate the rows whose objects there are in the end; for the floor, those that it does."""
    found = rows_of(case, rows)
    if case != "faulty":
        return found
    wrong = faults(rows, FAULTY)
    return (row for number, row in enumerate(found) if number not in wrong)


def _part(rows: int) -> int:
    """Return which part of all tickets goes with so many students in the other cases."""
    return max(1, ROWS // rows)


# -- what is there before ------------------------------------------------------------


def prepare(folder: Path, base: str, rows: int) -> None:
    """Make a portal and a bare database with the same objects, to be copied for each run."""
    if not (folder / base).exists():
        Call(make_base, (base, str(folder), rows)).run()


def make_base(base: str, folder: str, rows: int) -> Run:
    """Do the work of `prepare`, in a process of its own."""
    if base == "tickets":
        people = list(students(tickets.people_of(_part(rows))))
    else:
        step = {"none": rows, "all": 1, "half": 2}[base]
        people = [] if base == "none" else list(students(rows))[::step]
    floors.fill(Path(folder, f"{base}.fs"), people, containers=base == "tickets")
    var = Path(folder, VAR)
    with portal(var) as kofa, TemporaryDirectory() as own:
        if base == "tickets":
            _make_courses(kofa)
        if people:
            path = Path(own, "students.csv")
            write_table(path, COLUMNS, people)
            kofa.work_off(kofa.order("import", kofa.put(path), STUDENTS, "create"))
    var.rename(Path(folder, base))
    return {"seconds": 0.0}


def _make_courses(kofa: Portal) -> None:
    from waeup.kofa.university.course import Course
    from waeup.kofa.university.department import Department
    from waeup.kofa.university.faculty import Faculty

    def make(faculties: Any) -> None:
        for faculty, department, code in tickets.courses():
            if faculty not in faculties:
                faculties.addFaculty(Faculty(faculty, floors.COURSE["title"]))
            if department not in faculties[faculty]:
                faculties[faculty].addDepartment(Department(department, "Anything"))
            course = Course(code, floors.COURSE["title"])
            course.credits, course.semester = floors.COURSE["credits"], floors.COURSE["semester"]
            faculties[faculty][department].courses.addCourse(course)

    with kofa.entered() as site:
        make(site["faculties"])
        transaction.commit()


# -- what is measured ----------------------------------------------------------------


def bare(case: str, folder: str, rows: int, commit: int) -> Run:
    """Let the floor of a case do its work on a copy of the bare database."""
    with TemporaryDirectory(dir=folder) as own:
        path = Path(own, "bare.fs")
        for end in ("", ".index"):
            shutil.copy(Path(folder, f"{CASES[case].base}.fs{end}"), f"{path}{end}")
        return floors.apply(path, CASES[case].floor, expected(case, rows), commit)


def ours(case: str, folder: str, rows: int) -> Run:
    """Order the run of a case in a copy of its portal, work it off, and look at what came."""
    with TemporaryDirectory(dir=folder) as own, _copied(Path(folder), CASES[case].base) as var:
        path = Path(own, f"{case}.csv")
        header = tickets.COLUMNS if case == "tickets" else COLUMNS
        write_table(path, header, rows_of(case, rows))
        number = sum(1 for _row in rows_of(case, rows))
        if case == "command":
            found = _commanded(var, path)
        else:
            with portal(var) as kofa:
                found = _worked_off(kofa, case, path, number)
        with portal(var) as kofa:
            _verify(kofa, case, rows, var / "datacenter")
        found["bytes"] /= number
        return {**found, "rows": number}


@contextmanager
def _copied(folder: Path, base: str) -> Iterator[Path]:
    """Give a copy of a portal, in the place where the portal was made."""
    var = folder / VAR
    shutil.copytree(folder / base, var)
    try:
        yield var
    finally:
        shutil.rmtree(var)


def _worked_off(kofa: Portal, case: str, path: Path, number: int) -> Run:
    more = {"update": {"yes_change": number}, "upsert": {"yes_change": number}}.get(case, {})
    if case == "remove":
        more = {"yes_remove": number}
    kind = "check" if case == "check" else "import"
    name = "" if case == "undo" else kofa.put(path)
    processor = TICKETS if case == "tickets" else STUDENTS
    failed = len(faults(number, FAULTY)) if case == "faulty" else 0
    size = kofa.path.stat().st_size
    clock = Clock()
    if case == "undo":
        id = kofa.order_undo()
    else:
        id = kofa.order(kind, name, processor, CASES[case].mode, **more)
    kofa.work_off(id, failed)
    found: Run = {
        **clock.read(),
        "peak": peak_memory(),
        "bytes": kofa.path.stat().st_size - size,
    }
    batches = kofa.batches(id)
    return {**found, "commit": -(-number // batches)} if kind == "import" else found


def _commanded(var: Path, path: Path) -> Run:
    data = var / "filestorage" / "Data.fs"
    size = data.stat().st_size
    command = [*KOFACTL, "import", str(path), "-p", STUDENTS, "-m", "create", "--var", str(var)]
    clock = Clock()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    spent = clock.read()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    return {**spent, "peak": peak, "bytes": data.stat().st_size - size}


def objects(case: str, folder: str, rows: int, commit: int) -> Run:
    """Let a plain loop do the work of a case to the portal's own objects."""
    with _copied(Path(folder), CASES[case].base) as var:
        path = var / "filestorage" / "Data.fs"
        return floors.apply(path, f"{CASES[case].floor} objects", expected(case, rows), commit)


# -- what came of it -----------------------------------------------------------------


def _verify(kofa: Portal, case: str, rows: int, storage: Path) -> None:
    """Raise `AssertionError` unless all objects have the values of their rows."""
    with kofa.entered() as site:
        people = site["students"]
        if case in ("check", "remove", "undo"):
            assert len(people) == 0, f"{len(people)} students"
            if case == "remove":
                kept = sum(_rows_in(path) for path in (storage / "deleted").glob("*.csv"))
                assert kept == rows, f"{kept} rows of removed students"
            return
        number = 0
        for number, row in enumerate(expected(case, rows), 1):
            if case == "tickets":
                code, student_id, level, _session, _score = row
                one: Any = people[student_id][f"{level}_{code}"]
            else:
                one = people[row[0]]
            names = tickets.COLUMNS if case == "tickets" else COLUMNS
            for name, text in zip(names, row, strict=True):
                value = getattr(one, name)
                assert text == ("" if value is None else str(value)), (case, row, name, value)
            if number % AT_ONCE == 0:
                site._p_jar.cacheMinimize()
        there = sum(map(len, people.values())) if case == "tickets" else len(people)
        assert there == number, f"{there} objects, not {number}"


def _rows_in(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _line in stream) - 1
