"""The floors of runs: what a bare object database takes for the same objects.

Persistent objects with the same attributes, in a tree, by the same keys in the same order, with
a cache of the size that a portal's has, in commits of the size that the run has made, and with
Python looking for rubbish as seldom as in a portal.  There is nothing else: no file is read,
nothing is checked, nobody is told.  What becomes attributes is there before the clock runs.

The same with the portal's own objects in its own containers tells what of the rest belongs to
the objects, and what to the import.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import transaction
from BTrees.IOBTree import IOBTree
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB import DB
from ZODB.FileStorage import FileStorage

from benchmarks.frame import Clock, Run
from benchmarks.people import CHANGED, COLUMNS
from waeup.kofa.cli.session import SITE_NAME, collect_less
from waeup.kofa.deployment.databases import CACHE_SIZE
from waeup.kofa.students.student import Student
from waeup.kofa.students.ticket import CourseTicket, ticket_key

__all__ = ["apply", "fill"]

Rows = Iterable[Sequence[str]]
#: The attributes of an object.
State = dict[str, Any]

#: Name of the folder of all sites in a database.
ROOT = "Application"
#: Objects in one commit where the commits do not count.
COMMIT = 2000
#: What a course ticket has besides what is in its row: most of it is that of its course.
COURSE: State = {
    "title": "Introduction to Anything",
    "fcode": "AA",
    "dcode": "AAA",
    "credits": 3,
    "passmark": 40,
    "semester": 1,
}


class Bare(Persistent):
    """A persistent object that has attributes, and nothing else."""


class Floor:
    """Applies rows to the objects of a database, whose `root` holds them in a tree."""

    def __init__(self, root: Any, path: Path) -> None:
        self.root = root
        self.tree = root["tree"]

    def state(self, row: Sequence[str]) -> State:
        """Return the attributes that a row gives; not timed."""
        state: State = dict(zip(COLUMNS, row, strict=True))
        state["date_of_birth"] = date.fromisoformat(state["date_of_birth"])
        return state

    def apply(self, state: State) -> None:
        """Do what the case wants with one object."""
        raise NotImplementedError("method not implemented")

    def finish(self) -> None:
        """Do what is to be done before each commit."""


class Create(Floor):
    """Makes students."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = Bare()
        one.__dict__.update(state)
        self.tree[state["student_id"]] = one


class Update(Floor):
    """Changes students."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        self.change(self.tree[state["student_id"]], state)

    def change(self, one: Any, state: State) -> None:
        """Give a student other values."""
        for name in CHANGED:
            setattr(one, name, state[name])


class Upsert(Update):
    """Changes students that are there, and makes others."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = self.tree.get(state["student_id"])
        if one is not None:
            self.change(one, state)
        else:
            one = Bare()
            one.__dict__.update(state)
            self.tree[state["student_id"]] = one


class Delete(Floor):
    """Removes students."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = self.tree[state["student_id"]]
        one._p_activate()
        del self.tree[state["student_id"]]


class Remove(Floor):
    """Removes students; writes the row of each into a table, and keeps the object."""

    def __init__(self, root: Any, path: Path) -> None:
        super().__init__(root, path)
        root["kept"] = IOBTree()
        self.batch: list[Any] = []
        self.table = open(path.with_suffix(".csv"), "w", encoding="utf-8", newline="")  # noqa: SIM115
        self.write = csv.writer(self.table).writerow

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = self.tree[state["student_id"]]
        one._p_activate()
        self.write([getattr(one, name) for name in COLUMNS])
        self.batch.append(one)
        del self.tree[state["student_id"]]

    def finish(self) -> None:
        """See `Floor`: the rows are forced out."""
        self.table.flush()
        os.fsync(self.table.fileno())
        kept = self.root["kept"][len(self.root["kept"])] = Bare()
        kept.objects, self.batch = self.batch, []


class Tickets(Floor):
    """Makes course tickets in students."""

    def state(self, row: Sequence[str]) -> State:
        """See `Floor`."""
        code, student_id, level, session, score = row
        return {
            "student_id": student_id,
            "code": code,
            "level": int(level),
            "level_session": int(session),
            "score": int(score),
            **COURSE,
        }

    def apply(self, state: State) -> None:
        """See `Floor`."""
        student = self.tree[state.pop("student_id")]
        one = Bare()
        one.__dict__.update(state)
        student.tickets[f"{state['level']}_{state['code']}"] = one


class Objects(Floor):
    """Applies rows to the students of a portal, which no subscriber looks after."""

    def __init__(self, root: Any, path: Path) -> None:
        self.root = root
        self.tree = root[ROOT][SITE_NAME]["students"]


class CreateObjects(Objects):
    """Makes students, and puts them among the others, by their numbers, too."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = Student()
        one.__dict__.update(state)
        self.tree.addStudent(one)
        self.tree.index(one)


class UpdateObjects(Objects):
    """Changes students."""

    def apply(self, state: State) -> None:
        """See `Floor`."""
        one = self.tree[state["student_id"]]
        for name in CHANGED:
            setattr(one, name, state[name])
        self.tree.index(one)


class TicketObjects(Tickets):
    """Makes course tickets in students."""

    def __init__(self, root: Any, path: Path) -> None:
        self.root = root
        self.tree = root[ROOT][SITE_NAME]["students"]

    def apply(self, state: State) -> None:
        """See `Floor`."""
        student = self.tree[state.pop("student_id")]
        one = CourseTicket()
        one.__dict__.update(state)
        student[ticket_key(one.level, one.code)] = one


FLOORS: dict[str, type[Floor]] = {
    "create objects": CreateObjects,
    "update objects": UpdateObjects,
    "tickets objects": TicketObjects,
    "create": Create,
    "update": Update,
    "upsert": Upsert,
    "remove": Remove,
    "delete": Delete,
    "tickets": Tickets,
}


def fill(path: Path, rows: Rows, *, containers: bool = False) -> None:
    """Make a database of bare students; with `containers` they can have tickets."""
    with _opened(path) as root:
        root["tree"] = OOBTree()
        create = Create(root, path)
        for number, row in enumerate(rows):
            create.apply(create.state(row))
            if containers:
                root["tree"][row[0]].tickets = OOBTree()
            if number % COMMIT == 0:
                transaction.commit()
        transaction.commit()


def apply(path: Path, floor: str, rows: Rows, commit: int) -> Run:
    """Apply rows to a database that `fill` has made, so many in a commit."""
    collect_less()
    with _opened(path) as root:
        size, objects = path.stat().st_size, 0
        spent: Run = {"seconds": 0.0, "cpu": 0.0}
        work = FLOORS[floor](root, path)
        states = map(work.state, rows)
        while batch := list(islice(states, commit)):
            clock = Clock()
            for state in batch:
                work.apply(state)
            work.finish()
            transaction.commit()
            for name, more in clock.read().items():
                spent[name] += more
            objects += len(batch)
        return {**spent, "bytes": (path.stat().st_size - size) / objects}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    database = DB(FileStorage(str(path)), cache_size=CACHE_SIZE)
    connection = database.open()
    try:
        yield connection.root()
    finally:
        transaction.abort()
        connection.close()
        database.close()
