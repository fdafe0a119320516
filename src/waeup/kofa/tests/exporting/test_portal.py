"""The whole portal comes out and goes in again: the same portal."""

import io
import os
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import grok
from grokcore.site.util import create_application
from hypothesis import given, settings
from hypothesis import strategies as st
from zope import schema
from zope.component import getGlobalSiteManager, getUtilitiesFor, getUtility, provideUtility
from zope.component.hooks import setSite
from zope.interface.verify import verifyClass, verifyObject
from zope.schema import getFieldNames
from zope.securitypolicy.interfaces import IRole
from zope.securitypolicy.role import Role

from waeup.kofa.app import University
from waeup.kofa.conversion import Mapping
from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.filters import filters_in_order
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.students.interfaces import ICourseTicket, IStudent
from waeup.kofa.students.student import Student
from waeup.kofa.students.ticket import CourseTicket, ticket_key
from waeup.kofa.testing import FunctionalTestCase
from waeup.kofa.tests.conversion.test_cells import tricky_texts
from waeup.kofa.tests.conversion.test_round_trip import HASHED, lines, moments, phones
from waeup.kofa.tests.university.portal import Portal, PortalTestCase
from waeup.kofa.university.course import Course
from waeup.kofa.university.department import Department
from waeup.kofa.university.faculty import Faculty
from waeup.kofa.university.interfaces import ICourse, IDepartment, IFaculty
from waeup.kofa.university.localroles import LOCAL_ROLES, local_roles, replace_local_roles
from waeup.kofa.users.account import UserAccount
from waeup.kofa.users.interfaces import IUserAccount

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


def fill(site: Any) -> None:
    """Put objects of all kinds into a portal, with all that is hard to write down."""
    account: Any = UserAccount("anna", title="Anna", email="a@b.cd", roles=["waeup.ImportManager"])
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


def state(site: Any) -> dict[str, list[list[str]]]:
    """Return all that is known of the objects of a portal, by kind."""
    found = {}
    # Other tests of the layer may have registered kinds of their own.
    for name, _ in ORDER:
        exporter = getUtility(ICSVExporter, name=name)
        fields = dict.fromkeys([*getFieldNames(exporter.iface), *exporter.all_fields])
        has_roles = fields.pop(LOCAL_ROLES, "") is None
        found[name] = sorted(
            [
                *(repr(getattr(obj, field, None)) for field in fields),
                repr(local_roles(obj) if has_roles else []),
            ]
            for obj in exporter.objects(site)
        )
    return found


def tables(site: Any, **wish: Any) -> Iterator[tuple[str, Export, bytes, int]]:
    """Export all kinds; generate names of processors, exports, contents, and numbers of rows."""
    for name, processor in ORDER:
        export = Export(Wish(name, secrets=name in ("users", "students"), **wish), site)
        stream = io.BytesIO()
        rows = export.write(stream).rows
        yield processor, export, stream.getvalue(), rows


def imported(site: Any, processor: str, export: Export, content: bytes, mode: str) -> Report:
    """Import a table into another portal; return the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, export.filename)
        Path(path).write_bytes(content)
        mapping = Mapping(tuple(column.name for column in export.columns))
        return getUtility(IBatchProcessor, name=processor).importTable(
            path, mapping, mode, folder=tempfile.mkdtemp(dir=folder), site=site
        )


class Moving(PortalTestCase):
    """Has a way from one portal to another."""

    def move(self, site: Any, other: Any, **wish: Any) -> None:
        """Export all kinds and import them into an empty portal; make sure that both are equal.

        What is imported once more changes nothing.
        """
        setSite(site)
        found = list(tables(site, **wish))
        before = state(site)
        setSite(other)
        for mode in ("create", "update"):
            for processor, export, content, rows in found:
                report = imported(other, processor, export, content, mode)
                done = report.created if mode == "create" else report.unchanged
                self.assertEqual((report.failed, done), (0, rows), report.reasons)
            self.maxDiff = None
            self.assertEqual(state(other), before)


class WholePortal(Moving):
    """Every kind in the order of dependencies."""

    def setUp(self) -> None:
        super().setUp()
        fill(self.site)

    def test_all_forms(self) -> None:
        """Without nothing and in any form there is."""
        self.assertTrue(all(state(self.site).values()))
        for wish in (
            {},
            {"format": "tsv", "mark": True},
            {"packing": "gzip"},
            {"packing": "zip", "format": "tsv"},
            {"format": "xlsx"},
        ):
            with self.subTest(wish):
                self.move(self.site, Portal(), **wish)

    def test_contract(self) -> None:
        for name, exporter in getUtilitiesFor(ICSVExporter):
            with self.subTest(name):
                self.assertTrue(verifyClass(ICSVExporter, type(exporter)))
                self.assertTrue(verifyObject(ICSVExporter, exporter))

    def test_columns_are_columns_of_an_import(self) -> None:
        for name, processor in ORDER:
            exporter = getUtility(ICSVExporter, name=name)
            declared = getUtility(IBatchProcessor, name=processor)
            columns = list(exporter.all_fields)
            with self.subTest(name):
                self.assertLessEqual(set(columns), set(declared.available_fields))
                self.assertEqual(len(columns), len(set(columns)))
                for mode in declared.modes:
                    declared.checkHeaders(columns, mode)

    def test_methods_of_1_9_write_what_an_export_writes(self) -> None:
        for name, _ in ORDER:
            exporter = getUtility(ICSVExporter, name=name)
            stream = io.BytesIO()
            Export(Wish(name), self.site).write(stream)
            with self.subTest(name):
                self.assertEqual(exporter.export_all(self.site), stream.getvalue().decode())

    def test_filters(self) -> None:
        """None for roles on objects, which are no value to be compared; for codes above them."""
        for name in ("faculties", "departments", "courses"):
            found = dict(filters_in_order(getUtility(ICSVExporter, name=name).filters))
            self.assertNotIn(LOCAL_ROLES, found)
        for name, filters, rows in (
            ("courses", (("faculty_code", "FAC"), ("department_code", "DEP")), 3),
            ("courses", (("faculty_code", "ARTS"),), 0),
            ("courses", (("passmark", "XXX"),), 2),
            ("users", (("roles", "waeup.ImportManager"),), 1),
            ("students", (("suspended", "no"), ("sex", "male")), 12),
            ("students", (("date_of_birth_to", "1900-12-31"),), 2),
            ("coursetickets", (("student_id", "K1000001"),), 1),
            ("coursetickets", (("score", "50"),), 11),
        ):
            with self.subTest(name, filters=filters):
                outcome = Export(Wish(name, filters), self.site).write(io.BytesIO())
                self.assertEqual(outcome.rows, rows)

    def test_keys(self) -> None:
        """All tickets of a student; a student by any number; all departments of a code."""
        other = Faculty("OTH", "Other")
        self.site["faculties"].addFaculty(other)
        other.addDepartment(Department("DEP", "Of the same code"))
        for name, keys, rows, unknown in (
            ("students", ("K1000001", "M2", "M2", "M99"), 2, ("M99",)),
            ("coursetickets", ("M3", "K1000002"), 1 + 1, ()),
            ("departments", ("DEP",), 2, ()),
            ("courses", ("COU1", "COU9"), 1, ("COU9",)),
            ("faculties", ("OTH",), 1, ()),
            ("users", ("ben", "zoe"), 1, ("zoe",)),
        ):
            with self.subTest(name):
                outcome = Export(Wish(name, keys=keys), self.site).write(io.BytesIO())
                self.assertEqual((outcome.rows, outcome.unknown), (rows, unknown))

    def test_an_object_is_there_once_however_many_keys_name_it(self) -> None:
        id = self.site["students"].find(matric_number="M3").student_id
        keys = ("M3", id, "M3")
        for name in ("students", "coursetickets"):
            with self.subTest(name):
                outcome = Export(Wish(name, keys=keys), self.site).write(io.BytesIO())
                self.assertEqual((outcome.rows, outcome.unknown), (1, ()))
                exporter: Any = getUtility(ICSVExporter, name=name)
                self.assertEqual(len(list(exporter.get_selected(self.site, keys))), 1)

    def test_own_fields_of_a_kind(self) -> None:
        """Also such without any attribute."""

        class RolesOnly(type(getUtility(ICSVExporter, name="faculties"))):  # type: ignore[misc]
            grok.baseclass()
            fields = (LOCAL_ROLES,)

        self.assertEqual(RolesOnly().export_all(self.site), f'"{LOCAL_ROLES}"\r\n""\r\n')


# -- any portal -----------------------------------------------------------------------

_EMAILS = ["a@b.cd", "=a@b.cd", "'a@b.cd", "-@b.cd"]


def values_of(field: Any) -> st.SearchStrategy[Any]:
    """Return values that a field takes; None where it need not be filled."""
    found: st.SearchStrategy[Any]
    if isinstance(field, schema.Choice):
        found = st.sampled_from([term.value for term in field.vocabulary])
    elif isinstance(field, schema.Bool):
        found = st.booleans()
    elif isinstance(field, schema.Int):
        found = st.integers(field.min, 100)
    elif isinstance(field, schema.Password):
        found = st.just(HASHED)
    elif isinstance(field, schema.Datetime):
        # Equal moments look alike there; which of two equal hours is meant says nothing in UTC.
        found = moments.map(lambda moment: moment.astimezone(timezone.utc).replace(fold=0))
    elif isinstance(field, schema.Date):
        found = st.dates()
    elif isinstance(field, schema.ASCIILine):
        found = st.sampled_from(_EMAILS)
    elif isinstance(field, schema.List):
        found = st.lists(st.sampled_from(["waeup.ImportManager", "waeup.UsersManager"]))
        found = found.map(lambda roles: list(dict.fromkeys(roles)))
    elif field.__name__ == "phone":
        found = phones
    elif isinstance(field, schema.TextLine):
        found = lines
    else:
        found = tricky_texts
    return found if field.required else st.none() | found


def draw_into(obj: Any, iface: Any, data: st.DataObject, without: tuple[str, ...]) -> Any:
    """Give all attributes of `obj` values that its schema allows, but for those `without`."""
    for name, field in schema.getFields(iface).items():
        if name not in without:
            setattr(obj, name, data.draw(values_of(field.bind(grok.getSite())), name))
    return obj


class AnyPortal(Moving):
    """Objects with any values that they may have."""

    @settings(deadline=None, max_examples=15)
    @given(st.data())
    def test_any_values(self, data: st.DataObject) -> None:
        site = Portal()
        setSite(site)
        for number in range(2):
            account = draw_into(UserAccount(f"user{number}"), IUserAccount, data, ("name",))
            account.roles = account.roles or []
            site["users"].addUser(account)
            faculty = draw_into(Faculty(f"F{number}"), IFaculty, data, ("code",))
            site["faculties"].addFaculty(faculty)
            department = draw_into(Department("DEP"), IDepartment, data, ("code",))
            faculty.addDepartment(department)
            course = draw_into(Course(f"COU{number}"), ICourse, data, ("code",))
            department.courses.addCourse(course)
            numbers = ("student_id", "reg_number", "matric_number")
            student = draw_into(Student(), IStudent, data, numbers)
            student.reg_number = f"={number}"
            site["students"].addStudent(student)
            ticket = draw_into(CourseTicket(), ICourseTicket, data, ("code",))
            ticket.code = course.code
            student[ticket_key(ticket.level, ticket.code)] = ticket
        self.move(site, Portal())


# -- a portal in a database -------------------------------------------------------------


class PortalInDatabase(FunctionalTestCase):
    """With roles on objects, which only a whole portal knows."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("waeup.local.Clerk", "waeup.local.Dean"):
            role = Role(name, name)
            provideUtility(role, IRole, name)
            self.addCleanup(getGlobalSiteManager().unregisterUtility, role, IRole, name)
        self.root = self.layer.getRootFolder()
        setSite(self.site)
        fill(self.site)
        self.faculty = self.site["faculties"]["FAC"]
        self.roles = [("anna", "waeup.local.Clerk"), ("ben", "waeup.local.Dean")]
        replace_local_roles(self.faculty, self.roles)
        replace_local_roles(self.faculty["DEP"].courses["COU1"], self.roles[1:])

    move = Moving.move

    def test_round_trip(self) -> None:
        for wish in ({}, {"format": "xlsx"}):
            name = wish.get("format", "csv")
            setSite()
            create_application(University, self.root, name)
            other = self.root[name]
            self.move(self.site, other, **wish)
            found = other["faculties"]["FAC"]
            self.assertEqual(local_roles(found), self.roles)
            self.assertEqual(local_roles(found["DEP"]), [])
            self.assertEqual(local_roles(found["DEP"].courses["COU1"]), self.roles[1:])
            self.assertTrue(other["users"]["anna"].checkPassword("secret"))

    def test_roles_on_objects_in_exports_of_1_9(self) -> None:
        """Cells of `write_item`, which a site may call, are those of an export."""
        exporter = getUtility(ICSVExporter, name="faculties")
        self.assertIn("'waeup.local.Clerk'", exporter.export_all(self.site))
        rows: list[dict[str, str]] = []

        class Writer:
            fieldnames = ("code", LOCAL_ROLES)
            writerow = rows.append

        exporter.write_item(self.faculty, Writer)
        self.assertEqual(list(rows[0]), ["code", LOCAL_ROLES])
        self.assertIn("'waeup.local.Clerk'", rows[0][LOCAL_ROLES])
