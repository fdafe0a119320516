"""A portal with something of everything: for pictures, and for tests that look at all pages."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from io import BytesIO
from typing import Any, NamedTuple

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set
from zope.security.management import endInteraction, newInteraction

from waeup.kofa.conversion import Mapping
from waeup.kofa.exporting import Wish
from waeup.kofa.operations import Operations
from waeup.kofa.permissions import Participation
from waeup.kofa.tests.functional import FunctionalLayer

PROCESSOR = "facultyprocessor"
MAPPING = Mapping(("code", "title"))
#: When the files were brought.
DATE = datetime(2026, 9, 14, 9, 30, tzinfo=timezone.utc)

#: More files than a page shows.
MANY = tuple(f"courses_{number:02}" for number in range(30))
#: An import of which half the rows fail.
FACULTIES = (
    "code,title\nSCI,Sciences\nART,Arts\nSCI,Science\nLAW,Law\nLAW,Laws\nMED,Medicine\nX,\n"
    "ENG,Engineering\n"
)
MORE = "code,title\nAGR,Agriculture\nEDU,Education\n"
WRONG = "code,title\nTEC,Technics\n"
WAITING = "code,title\n" + "".join(f"W{number},Waiting {number}\n" for number in range(48))
#: A table with a damaged row, a column that nobody knows, and an object that is there already.
MIXED = "Code,Title,remark\nSCI,Sciences,x\nPHY,Physics,y\nBAD,Bad\nMAT,Mathematics,z\n"
#: A table that does not say how it is to be read.
UNCLEAR = "code,title,x\nA,B\nC,D\nE,F\n"


class Exhibits(NamedTuple):
    """What is there: ids of runs, and names of files."""

    failed: str
    done: str
    undone: str
    undo: str
    preview: str
    stopped: str
    running: str
    queued: str
    export: str
    mixed: str
    unclear: str


@contextmanager
def acting_as(user: str) -> Iterator[Operations]:
    """Give what a person can do."""
    site = FunctionalLayer.getRootFolder()["app"]
    # A request that was answered in this thread has left no site.
    with site_set(site):
        principal = getUtility(IAuthentication).getPrincipal(user)
        newInteraction(Participation(principal))
        try:
            yield Operations(site, principal)
        finally:
            endInteraction()


def put(name: str, text: str, user: str = "officer") -> str:
    """Store a file of somebody, and return its name."""
    with acting_as(user) as operations:
        stored = operations.upload(name, BytesIO(text.encode())).name
        transaction.commit()
    return stored


def order(name: str, user: str = "officer") -> str:
    """Order an import of faculties, and return the id of the run."""
    with acting_as(user) as operations:
        id = operations.start_import(name, PROCESSOR, "create", MAPPING).id
        transaction.commit()
    return id


def done(name: str, text: str, user: str = "officer") -> str:
    """Import a table of faculties, and return the id of the run."""
    id = order(put(name, text, user), user)
    FunctionalLayer.work_off_runs()
    return id


def furnish(user: str, names: Iterable[str] = MANY) -> Exhibits:
    """Let `user` have brought files, imported some, taken one back; and more is under way."""
    for number, name in enumerate(names):
        rows = "".join(f"C{row:03},Course {row}\n" for row in range(20 * number + 9))
        put(f"{name}.csv", f"code,title\n{rows}", user)
    failed, more = done("faculties.csv", FACULTIES, user), done("more faculties.csv", MORE, user)
    undone, stopped = done("wrong.csv", WRONG, user), order(put("halted.csv", WAITING, user), user)
    with acting_as(user) as operations:
        runs = operations.datacenter.runs
        runs.get(stopped).move("stopped")
        runs.get(stopped).fault = "The disk is full. Make room, then let it go on."
        runs.deactivate(runs.get(stopped))
        preview = operations.start_undo(more, check=True).id
        undo = operations.start_undo(undone).id
        export = operations.start_export(Wish("faculties")).id
        transaction.commit()
    FunctionalLayer.work_off_runs()
    mixed, unclear = put("departments.csv", MIXED, user), put("unclear.csv", UNCLEAR, user)
    running = order(put("new students.csv", WAITING, user), user)
    queued = order(put("late.csv", MORE, user), user)
    with acting_as(user) as operations:
        run = operations.datacenter.runs.get(running)
        run.move("running")
        run.progress.tell(4300, 12, 0.43, 1450.0)
        date(operations.site)
    return Exhibits(
        failed, more, undone, undo, preview, stopped, running, queued, export, mixed, unclear
    )


def date(site: Any) -> None:
    """Give files and runs times that do not change from one exhibition to the next."""
    for run in site["datacenter"].runs:
        if run.report is not None:
            run.report = {**run.report, "seconds": 0.0}
    transaction.commit()
    storage = site["datacenter"].storage
    for folder in ("", "finished", "unfinished"):
        path = os.path.join(storage, folder)
        for at, name in enumerate(sorted(os.listdir(path))):
            file = os.path.join(path, name)
            if os.path.isfile(file):
                os.utime(file, (DATE.timestamp() + 60 * at,) * 2)
