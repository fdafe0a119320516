"""Complete lives of imports: a file is put, imported, distributed, and taken back.

A `Life` says what is imported into which portal; `live` leads it from wherever it is to its
end, thus also a process that comes after a crash goes on with it.  What is there in the end is
compared with what an undisturbed life has left: objects, files, ledger and report, all of it.
"""

import io
import os
import unittest
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import grok
from persistent import Persistent
from zope.component import createObject, getGlobalSiteManager
from zope.securitypolicy.interfaces import IPrincipalRoleManager, IRole
from zope.securitypolicy.role import Role

from waeup.kofa.conversion import Mapping
from waeup.kofa.importing.effects import MARKS
from waeup.kofa.importing.history import marks_of
from waeup.kofa.importing.record import Record
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs import pace, recover
from waeup.kofa.jobs.record import CHECK, FINISHED, IMPORT, STOPPED, UNDO, UNDONE
from waeup.kofa.tabular import open_table
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.bears import Family, FamilyProcessor, ICave, INest, Leaves, bears
from waeup.kofa.tests.jobs.portal import SITE, USER, Portal
from waeup.kofa.tests.spool.faultydisk import write
from waeup.kofa.university.localroles import local_roles, replace_local_roles
from waeup.kofa.university.processors import FacultyProcessor

#: Attributes in which a container keeps what is in it.
_CONTENTS = ("_SampleContainer__data", "_BTreeContainer__len", "__annotations__")
#: What an import may change.
_CHANGED = ("faculties", "students", "users", "bears", "caves")


def few_rows(number: int) -> Any:
    """Let batches have so many rows, however long they take."""
    return mock.patch.multiple(pace, FIRST=number, MOST=number, SECONDS=1e6)


class OneAtOnce(FacultyProcessor):
    """Imports faculties by a `doImport` of its own."""

    grok.baseclass()
    util_name = "oneatonce"

    def doImport(self, *args: Any, **kw: Any) -> Any:
        """Do as always."""
        return super().doImport(*args, **kw)


@contextmanager
def one_at_once() -> Iterator[None]:
    """Register ``oneatonce``."""
    registry = getGlobalSiteManager()
    processor = OneAtOnce()
    registry.registerUtility(processor, IBatchProcessor, "oneatonce")
    try:
        yield
    finally:
        registry.unregisterUtility(processor, IBatchProcessor, "oneatonce")


class Town(Portal):
    """A portal with a few objects of each kind."""

    def __init__(self, files: dict[str, str] | None = None, kind: str | None = None) -> None:
        super().__init__(files or {}, kind)
        self.change(populate)
        self.keep()

    def keep_database(self) -> None:
        """Keep the database as it is; it must not be open."""
        self.place.keep(self._kept_database)

    def bring_database_back(self) -> None:
        """Bring back the database that was kept; it must not be open."""
        self.place.bring_back(self._kept_database)

    @property
    def _kept_database(self) -> str:
        return os.path.join(self.home + ".template", "kept.fs")

    def put(self, name: str, *lines: str) -> str:
        """Put a file into the storage by other means; return its path."""
        return write(os.path.join(self.storage, name), "\r\n".join((*lines, "")))

    def objects(self, db: Any = None) -> dict[str, Any]:
        """Return all there is of the objects of the portal."""
        found: dict[str, Any] = self.change(dump, db)
        return found

    def recover(self, db: Any = None) -> list[Any]:
        """Recover, as a process does that starts."""
        if db is not None:
            return recover(db, SITE)
        with closing(self.open()) as opened:
            return recover(opened, SITE)


def populate(site: Any) -> None:
    """Make faculties, departments, courses, students, tickets and users."""
    faculties = site["faculties"]
    for code in ("OLD1", "OLD2", "OLD3", "OLD4"):
        faculties.addFaculty(createObject("waeup.Faculty", code, f"Old faculty {code[-1]}"))
    for code in ("DEP1", "DEP2", "DEP3"):
        department = createObject("waeup.Department", code, f"Old department {code[-1]}")
        faculties["OLD1"].addDepartment(department)
    courses = faculties["OLD1"]["DEP1"].courses
    for code in ("COU1", "COU2", "COU3"):
        courses.addCourse(createObject("waeup.Course", code, f"Old course {code[-1]}"))
    replace_local_roles(faculties["OLD2"], [(USER, "waeup.local.Clerk")])
    for number in (1, 2, 3, 4):
        student = createObject("waeup.Student")
        student.student_id = f"S{number}"
        student.reg_number, student.matric_number = f"R{number}", f"M{number}"
        student.firstname, student.lastname, student.sex = f"First{number}", "Last", "f"
        site["students"].addStudent(student)
        for code in ("COU1", "COU2")[: number % 3]:
            ticket = createObject("waeup.CourseTicket")
            ticket.code, ticket.level = code, 100
            ticket.copy_course(faculties.find_course(code))
            student[f"100_{code}"] = ticket
    for name in ("carl", "dora", "emma"):
        account = createObject("waeup.UserAccount", name=name, title=name.title())
        account.roles = ["waeup.ImportManager"]
        site["users"].addUser(account)
    site["bears"], site["caves"] = grok.Container(), grok.Container()
    for code in ("OLD1", "OLD2", "OLD3", "OLD4"):
        bear: Any = Family()
        bear.code, bear.cubs = code, [Leaves()]
        site["bears"][code] = bear
        if code in ("OLD1", "OLD2"):
            cave: Any = Record(ICave)
            cave.depth = 1
            site["caves"][code] = cave
        if code in ("OLD1", "OLD3"):
            bear["nest"] = Record(INest)


def dump(site: Any) -> dict[str, Any]:
    """Return all that an import can change, as plain values."""
    found: dict[str, Any] = {}
    for name in _CHANGED:
        _dump(site[name], name, found)
    found["course places"] = dict(site["faculties"]._course_places)
    found["reg numbers"] = dict(site["students"]._by_reg_number)
    found["matric numbers"] = dict(site["students"]._by_matric_number)
    settings = IPrincipalRoleManager(site).getPrincipalsAndRoles()
    found["roles"] = sorted((role, user, str(setting)) for role, user, setting in settings)
    return found


def marks(site: Any) -> dict[str, list[tuple[str, int]]]:
    """Return what rows have done to objects, by the paths of these; but not when."""
    found: dict[str, list[tuple[str, int]]] = {}

    def look(obj: Any, path: str) -> None:
        found[path] = [(mark.operation, mark.row) for mark in marks_of(obj)]
        for name, child in obj.items() if hasattr(obj, "items") else ():
            look(child, f"{path}/{name}")

    for name in _CHANGED:
        look(site[name], name)
    return {path: rows for path, rows in found.items() if rows}


def _dump(obj: Any, path: str, found: dict[str, Any]) -> None:
    obj._p_activate()
    state = {
        name: value
        for name, value in vars(obj).items()
        if name not in (*_CONTENTS, "__parent__", "__provides__")
        and not isinstance(value, Persistent)
    }
    # The number of the next student is used up, also by one who goes again.
    state.pop("_next_number", None)
    # An undo gives back all but the past: see `marks`.
    state.pop(MARKS, None)
    state["local roles"] = local_roles(obj)
    state["parent"] = getattr(getattr(obj, "__parent__", None), "__name__", None)
    found[path] = state
    for name, child in obj.items() if hasattr(obj, "items") else ():
        _dump(child, f"{path}/{name}", found)
    if hasattr(obj, "items"):
        assert len(obj) == len(list(obj.keys())), path


@dataclass
class Life:
    """An import: the file `name` of `content`, which goes through `processor` in `mode`.

    `columns` are the fields.  With `checked` the file is checked before, and the run keeps to
    that.  One that is `corrected` (texts by number of the row and position) is checked, too; the
    run then reads these.  One that leaves no undo records is not `undoable`.  `files` lie in the
    storage in the beginning; when `name` is one of them, nothing is put.
    """

    title: str
    content: str | bytes
    processor: str
    mode: str
    columns: tuple[str | None, ...]
    name: str = "data.csv"
    checked: bool = False
    rows: int = 3
    undoable: bool = True
    corrected: dict[int, dict[int, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        """The name of the file in the data center."""
        if self.name in self.files:
            return self.name
        return self.name.replace(".", f"_{USER}.", 1)

    @property
    def data(self) -> bytes:
        """The content of the file."""
        return self.content if isinstance(self.content, bytes) else self.content.encode()


@dataclass
class Stage:
    """All there is at one time of a life."""

    objects: dict[str, Any]
    files: dict[str, bytes | None]
    ledger: dict[str, Any]
    report: dict[str, Any]
    marks: dict[str, list[tuple[str, int]]]


class Lives:
    """Leads lives in a portal; `imported` is called when the import is done."""

    def __init__(self, portal: Town, life: Life) -> None:
        self.portal = portal
        self.life = life

    def begin(self) -> None:
        """Make everything as it was before."""
        self.portal.set_up()
        for name, text in self.life.files.items():
            write(os.path.join(self.portal.storage, name), text)

    def live(self, imported: Callable[[Stage], object] | None = None) -> None:
        """Go on to the end from wherever things are."""
        with (
            few_rows(self.life.rows),
            one_at_once(),
            bears(FamilyProcessor()),
            closing(self.portal.open()) as db,
        ):
            if self.find(db, IMPORT) is None:
                self._put(db)
                self._order(db)
            id, state = self._lead(db, IMPORT, (FINISHED, UNDONE))
            if imported is not None and self.find(db, UNDO) is None:
                imported(self.stage(db, id))
            if not self.life.undoable:
                return
            if state == UNDONE and self.find(db, UNDO) is None:
                raise AssertionError("undone by nobody")
            if self.find(db, UNDO) is None:
                self.portal.operations(lambda o: o.start_undo(id), db=db)
            self._lead(db, UNDO, (FINISHED,))

    def stage(self, db: Any, id: str | None) -> Stage:
        """Return what is there now; `id` is that of the run whose report is of interest."""

        def ask(site: Any) -> Any:
            ledger = site["datacenter"].ledger
            assert not list(ledger.intended())
            report = dict(site["datacenter"].runs.get(id).report)
            report.pop("seconds")
            entries = {
                entry.name: (entry.owner, entry.original, entry.size, entry.digest)
                for entry in ledger.entries()
            }
            return entries, report

        entries, report = self.portal.change(ask, db)
        files = self.portal.tree()
        check = self.find(db, CHECK)
        if check is not None:
            # The rows of the check are kept, as long as somebody may ask for them.
            folder = f".work/run-{check}"
            kept = (f"{folder}/checked.sqlite", f"{folder}/failing.csv")
            for name in (*kept, folder, ".work"):
                if not any(other.startswith(f"{name}/") for other in files):
                    files.pop(name, None)
        past = self.portal.change(marks, db)
        return Stage(self.portal.objects(db), files, entries, report, past)

    def _put(self, db: Any) -> None:
        """Put the file, unless it is there; one of which nobody knows the owner goes first."""
        stored = self.life.stored
        if stored in self.life.files:
            return
        is_there = os.path.exists(os.path.join(self.portal.storage, stored))
        known = self.portal.change(lambda site: site["datacenter"].ledger.entry(stored), db)
        if is_there and (known is None or known.owner != USER):
            with open(os.path.join(self.portal.storage, stored), "rb") as stream:
                assert stream.read() == self.life.data, "a part of a file was stored"
            self.portal.operations(lambda o: o.delete([stored]), db=db)
            self.portal.operations(lambda o: o.purge(o.deletions_of([stored]), "deleted"), db=db)
            is_there, known = False, None
        assert is_there or known is None, "the ledger knows of a file that is not there"
        if not is_there:
            data = io.BytesIO(self.life.data)
            upload = self.portal.operations(lambda o: o.upload(self.life.name, data), db=db)
            assert upload.name == stored, upload

    def _order(self, db: Any) -> None:
        life, check = self.life, None
        arguments = (life.stored, life.processor, life.mode, Mapping(life.columns))
        if life.checked:
            id = self.find(db, CHECK)
            if id is None:
                id = self.portal.operations(lambda o: o.start_check(*arguments), db=db).id
            check, _state = self._lead(db, CHECK, (FINISHED,))

        def order(operations: Any) -> None:
            draft = self._corrected(operations, check) if life.corrected else None
            operations.start_import(
                *arguments,
                # The check was one of the rows as they were.
                check=None if life.corrected else check,
                draft=draft,
                yes_remove=10**6,
                yes_change=10**6,
            )

        self.portal.operations(order, db=db)

    def _corrected(self, operations: Any, check: str | None) -> str:
        """Correct rows in a draft, as an officer does; return its id."""
        draft: str = operations.new_draft(self.life.stored).id
        operations.save_draft(draft, check=check)
        for number, texts in self.life.corrected.items():
            operations.correct(draft, number, texts)
        return draft

    def _lead(self, db: Any, kind: str, ends: tuple[str, ...]) -> tuple[str, str]:
        """Lead a run to its end; return its id and state."""
        id = self.find(db, kind)
        assert id is not None, kind
        for _attempt in range(5):
            info = self.portal.operations(lambda o: o.run(id), db=db)
            if info.state in ends:
                return id, info.state
            if info.state == STOPPED:
                self.portal.operations(lambda o: o.resume(id), db=db)
            self.portal.work_off(id, db)
        raise AssertionError(f"the {kind} does not come to an end: {info.state}, {info.fault}")

    def find(self, db: Any, kind: str) -> str | None:
        """Return the id of the run of a kind; there is at most one."""

        def ask(site: Any) -> list[str]:
            return [run.id for run in site["datacenter"].runs if run.order.kind == kind]

        found = self.portal.change(ask, db)
        assert len(found) <= 1, f"{len(found)} runs: {kind}"
        return found[0] if found else None


class TownTestCase(unittest.TestCase):
    """Has a `Town` with an open database, and short words for what tests do."""

    layer = FunctionalLayer
    #: The kind of the database; None for that of the tests.
    kind: str | None = None

    def setUp(self):
        registry = getGlobalSiteManager()
        clerk = Role("waeup.local.Clerk", "Clerk")
        registry.registerUtility(clerk, IRole, clerk.id)
        self.addCleanup(registry.unregisterUtility, clerk, IRole, clerk.id)
        self.town = Town(kind=self.kind)
        self.addCleanup(self.town.close)
        self.db = self.town.open()
        self.addCleanup(lambda: self.db.close())

    def ask(self, question, user=USER):
        """Return what `question` says about the operations of a person."""
        return self.town.operations(question, user, self.db)

    def change(self, question):
        """Return what `question` says about the site; changes are committed."""
        return self.town.change(question, self.db)

    def objects(self):
        """Return all there is of objects."""
        return self.town.objects(self.db)

    def reopen(self):
        """Close and open the database, as a new process does."""
        self.db.close()
        self.db = self.town.open()

    def order(self, processor, mode, *lines, name="data.csv", user=USER, **kw):
        """Put a table of these lines, unless it is there, and order its import; return the id."""
        if lines:
            self.town.put(name, *lines)
        with open(os.path.join(self.town.storage, name), encoding="utf-8") as stream:
            header = stream.readline().strip().split(",")
        mapping = Mapping(tuple(None if field[:2] == "--" else field for field in header))
        return self.ask(
            lambda o: o.start_import(
                name, processor, mode, mapping, yes_remove=99, yes_change=99, **kw
            ),
            user,
        ).id

    def work(self, id):
        """Work on a run until it is over; return it."""
        self.town.work_off(id, self.db)
        return self.info(id)

    def info(self, id):
        """Return a run."""
        return self.ask(lambda o: o.run(id))

    def resume(self, id):
        """Let a run go on, and work on it until it is over; return it."""
        self.ask(lambda o: o.resume(id))
        return self.work(id)

    def undo(self, id, *, check=False):
        """Take a run back; return the undo."""
        return self.work(self.ask(lambda o: o.start_undo(id, check=check)).id)

    def rows(self, place):
        """Return the rows of a file of the storage, without its header."""
        with open_table(os.path.join(self.town.storage, place), rows_required=False) as table:
            return [tuple(row.values) for row in table]

    def stored(self):
        """Return the names in the storage, logs aside."""
        return sorted(name for name in self.town.tree() if not name.startswith("logs"))

    def stopped_at(self, batch, id, error=OSError("the disk is full")):  # noqa: B008
        """Work on a run until `error` comes after so many batches; return it."""
        with failing_at(batch, error):
            return self.work(id)


@contextmanager
def failing_at(batch: int, error: BaseException) -> Iterator[None]:
    """Let the forcing out of results fail in a batch of the next run (0 is the first one)."""
    real, calls = ResultFiles.sync, []

    def sync(files):
        calls.append(1)
        if len(calls) == batch + 1:
            raise error
        return real(files)

    with mock.patch.object(ResultFiles, "sync", sync):
        yield
