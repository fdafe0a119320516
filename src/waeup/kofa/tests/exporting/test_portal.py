"""The whole portal comes out and goes in again: the same portal."""

import os
import shutil
import tempfile
from datetime import date, datetime, timezone
from pathlib import Path

from zope.component import getUtilitiesFor, getUtility
from zope.component.hooks import setSite
from zope.interface.verify import verifyObject
from zope.schema import getFieldNames

from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.students.student import Student
from waeup.kofa.students.ticket import CourseTicket, ticket_key
from waeup.kofa.tests.university.portal import Portal, PortalTestCase
from waeup.kofa.university.course import Course
from waeup.kofa.university.department import Department
from waeup.kofa.university.faculty import Faculty
from waeup.kofa.users.account import UserAccount

#: Exporters in the order of dependencies, and what imports their tables.
ORDER = (
    ("users", "userprocessor"),
    ("faculties", "facultyprocessor"),
    ("departments", "departmentprocessor"),
    ("courses", "courseprocessor"),
    ("students", "studentprocessor"),
    ("coursetickets", "courseticketprocessor"),
)
#: Texts that a spreadsheet, a reader or a marker would take for something else.
NASTY = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'",
    "''",
    "'t Hooft",
    "'=1",
    "#",
    "1#",
    " outer blanks ",
    "two\r\nlines",
    "one\ncr\rtab\t.",
    '"quoted"',
    "a,b;c|d",
    "XXX",
    "<IGNORE>",
    "--IGNORE--",
    "--ERRORS--",
    "[]",
    "['a']",
    "Ünïcödé \N{MATHEMATICAL BOLD CAPITAL A}",
    "\ufeffmark",
)


def fill(site: Portal) -> None:
    """Put objects of all kinds into a portal, with all that is hard to write down."""
    account = UserAccount("anna", title="Anna", email="a@b.cd", roles=["waeup.ImportManager"])
    account.password = hash_password("secret", rounds=4)
    account.description = "two\nlines"
    site["users"].addUser(account)
    site["users"].addUser(UserAccount("ben", title="=Ben"))
    faculty = Faculty("FAC", "-Arts")
    site["faculties"].addFaculty(faculty)
    department = Department("DEP", " Dep ")
    department.score_editing_disabled = True
    faculty.addDepartment(department)
    for number in range(3):
        course = Course(f"COU{number}", "XXX" if number else "'t Hooft")
        course.results_validation_date = datetime(2020, 2, 3, 4, 5, 6, 789, timezone.utc)
        # Not the default, which is what an empty cell restores.
        course.passmark = None if number else 0
        department.courses.addCourse(course)
    for number, text in enumerate(NASTY):
        student = Student()
        line = text.replace("\r", " ").replace("\n", " ")
        student.firstname = student.lastname = line
        student.sex = "mf"[number % 2]
        student.perm_address = text
        student.matric_number = f"M{number}"
        student.date_of_birth = date(1899 + number, 1, 31)
        student.phone = "+234-803-1234567" if number % 2 else None
        student.suspended = bool(number % 2)
        if number == 1:
            student.password = hash_password("pw", rounds=4)
        site["students"].addStudent(student)
        ticket = CourseTicket()
        ticket.level, ticket.code = 100, "COU0"
        if number % 2:
            ticket.title, ticket.credits, ticket.score = line, None, 50
        student[ticket_key(100, "COU0")] = ticket


def state(site: Portal) -> dict[str, list[list[object]]]:
    """Return all that is known of the objects of a portal, by kind."""
    found = {}
    for name, exporter in getUtilitiesFor(ICSVExporter):
        fields = dict.fromkeys([*getFieldNames(exporter.iface), *exporter.all_fields])
        found[name] = sorted(
            [repr(getattr(obj, field, None)) for field in fields] for obj in exporter.objects(site)
        )
    return found


class WholePortal(PortalTestCase):
    """Every kind in the order of dependencies."""

    def move(self, **form: object) -> tuple[dict, dict]:
        """Export all kinds, import them into an empty portal; return the states of both."""
        fill(self.site)
        other = Portal()
        with tempfile.TemporaryDirectory() as folder:
            for name, processor in ORDER:
                setSite(self.site)
                export = Export(
                    Wish(name, secrets=name in ("users", "students"), **form), self.site
                )
                path = os.path.join(folder, export.filename)
                with open(path, "wb") as stream:
                    export.write(stream)
                setSite(other)
                header = [column.name for column in export.columns]
                result = getUtility(IBatchProcessor, name=processor).doImport(
                    path, header, "create", site=other
                )
                self.addCleanup(shutil.rmtree, os.path.dirname(result[2]))
                self.assertEqual(result[1], 0, result[3] and Path(result[3]).read_text("utf-8"))
        before, after = state(self.site), state(other)
        return before, after

    def test_csv(self):
        before, after = self.move()
        self.maxDiff = None
        self.assertEqual(before, after)
        self.assertTrue(all(before.values()))

    def test_tsv(self):
        before, after = self.move(format="tsv", mark=True)
        self.assertEqual(before, after)

    def test_packed(self):
        before, after = self.move(packing="gzip")
        self.assertEqual(before, after)

    def test_contract(self):
        for name, exporter in getUtilitiesFor(ICSVExporter):
            with self.subTest(name):
                self.assertTrue(verifyObject(ICSVExporter, exporter))
