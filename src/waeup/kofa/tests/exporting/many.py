"""A database with many objects, and exports of them in a process that has nothing else.

`test_driver` fills the database; the process prints the most memory that it has had.
"""

import os
import sys
from pathlib import Path

import grok
import transaction
from ZODB import DB
from ZODB.FileStorage import FileStorage
from zope import interface, schema
from zope.component.hooks import setSite

from waeup.kofa.exporting import Export, Wish
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.students.exporters import CourseTicketExporter
from waeup.kofa.students.processors import CourseTicketProcessor
from waeup.kofa.students.student import Student
from waeup.kofa.tests.exporting.kinds import CONTAINER, Site, kind_registered, registered

CACHE = 500
_BATCH = 20_000


class IThing(interface.Interface):
    """A thing with some text."""

    code = schema.TextLine(title="Code")
    size = schema.Int(title="Size", required=False)
    text = schema.Text(title="Text", required=False)


class Thing(grok.Model):
    """See `IThing`."""


def fill(path, things, students):
    """Store things, and students without tickets."""
    database = DB(FileStorage(path), cache_size=CACHE)
    site = database.open().root()["site"] = Site()
    site["students"] = StudentsContainer()
    for number in range(things):
        thing = Thing()
        thing.code, thing.size, thing.text = f"{number:07}", number, "text " * 20
        site[CONTAINER][thing.code] = thing
        if number % _BATCH == 0:
            transaction.commit()
    for number in range(students):
        student = Student()
        student.student_id, student.perm_address = f"K{number:07}", "text " * 100
        site["students"][student.student_id] = student
    transaction.commit()
    database.close()


def main(path, things):
    """Export in all ways that go through all objects."""
    database = DB(FileStorage(path, read_only=True), cache_size=CACHE)
    connection = database.open()
    site = connection.root()["site"]
    tickets = (
        (CourseTicketProcessor(), IBatchProcessor, CourseTicketExporter.processor),
        (CourseTicketExporter(), ICSVExporter, "coursetickets"),
    )
    with (
        kind_registered(IThing) as (_, exporter),
        registered(*tickets),
        open(os.devnull, "wb") as stream,
    ):
        setSite(site)
        wishes = (
            Wish(CONTAINER),
            Wish(CONTAINER, filters=(("size", "-1"),)),
            Wish("coursetickets"),
        )
        rows = [Export(wish, site).write(stream, lambda rows, part: None).rows for wish in wishes]
        exporter.export_all(site, filepath=os.devnull)
    assert rows == [things, 0, 0], rows
    transaction.abort()
    connection.close()
    database.close()
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))


if __name__ == "__main__":
    # The classes of the objects are those of the module, not of the program.
    from waeup.kofa.tests.exporting import many

    many.main(sys.argv[1], int(sys.argv[2]))
