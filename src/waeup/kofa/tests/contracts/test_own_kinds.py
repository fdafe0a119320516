"""The kinds of objects of the portal keep the contracts that others inherit."""

import unittest

import transaction
from zope.annotation.attribute import AttributeAnnotations
from zope.annotation.interfaces import IAnnotations
from zope.component import createObject, getGlobalSiteManager, provideAdapter, provideUtility
from zope.interface import Interface
from zope.securitypolicy.interfaces import IPrincipalRoleManager, IRole
from zope.securitypolicy.principalrole import AnnotationPrincipalRoleManager
from zope.securitypolicy.role import Role

from waeup.kofa.testing import KindContract
from waeup.kofa.users.account import UserAccount


class UserTests(KindContract, unittest.TestCase):
    """Accounts."""

    processor = "userprocessor"
    exporter = "users"
    rows = [
        {"name": "ann", "title": "Ann Obi", "roles": "['waeup.ImportManager']", "phone": "1234"},
        {"name": "ben", "title": "Ben Eke", "email": "ben@example.org", "suspended": "yes"},
    ]
    changes = {"title": "Ann Eke", "description": "Of the office"}
    wrong = {"email": "nobody", "roles": "['waeup.Unknown']", "phone": "x"}


CLERK = "[{'user_name': 'ann', 'local_role': 'waeup.local.Clerk'}]"


class AcademicTests(KindContract):
    """Objects of the academic tree."""

    def setUp(self):
        super().setUp()
        manager = getGlobalSiteManager()
        role = Role("waeup.local.Clerk", "Clerk")
        provideUtility(role, IRole, role.id)
        self.addCleanup(manager.unregisterUtility, role, IRole, role.id)
        for adapter in (
            (AttributeAnnotations, (Interface,), IAnnotations),
            (AnnotationPrincipalRoleManager, (Interface,), IPrincipalRoleManager),
        ):
            provideAdapter(*adapter)
            self.addCleanup(manager.unregisterAdapter, *adapter)

    def make_site(self):
        site = super().make_site()
        site["users"].addUser(UserAccount("ann", "Ann"))
        return site

    def fill_site(self, site):
        faculty = createObject("waeup.Faculty", "SCI", "Sciences")
        site["faculties"].addFaculty(faculty)
        for code in ("MAT", "PHY"):
            faculty.addDepartment(createObject("waeup.Department", code, code.title()))


class FacultyTests(AcademicTests, unittest.TestCase):
    """Faculties."""

    processor = "facultyprocessor"
    exporter = "faculties"
    rows = [
        {"code": "ART", "title": "Arts", "title_prefix": "school", "local_roles": CLERK},
        {"code": "LAW", "title": "Law", "officer_1": "Dean"},
    ]
    changes = {"title": "Fine Arts", "officer_1": "Dr. Obi", "local_roles": "XXX"}
    wrong = {"code": "A B", "title_prefix": "castle", "local_roles": "nobody"}

    def fill_site(self, site):
        pass

    def add_content(self, faculty):
        faculty.addDepartment(createObject("waeup.Department", "HIS", "History"))
        faculty["HIS"].courses.addCourse(createObject("waeup.Course", "HIS101", "Rome"))


class DepartmentTests(AcademicTests, unittest.TestCase):
    """Departments."""

    processor = "departmentprocessor"
    exporter = "departments"
    rows = [
        {"code": "BIO", "faculty_code": "SCI", "title": "Biology"},
        {"code": "CHE", "faculty_code": "SCI", "title": "Chemistry", "officer_4": "Ms. Eke"},
    ]
    changes = {"title": "Life", "score_editing_disabled": "yes"}
    wrong = {"code": "A B", "title_prefix": "castle"}

    def fill_site(self, site):
        site["faculties"].addFaculty(createObject("waeup.Faculty", "SCI", "Sciences"))

    def add_content(self, department):
        department.courses.addCourse(createObject("waeup.Course", "BIO101", "Cells"))


class CourseTests(AcademicTests, unittest.TestCase):
    """Courses."""

    processor = "courseprocessor"
    exporter = "courses"
    rows = [
        {
            "code": "MAT101",
            "faculty_code": "SCI",
            "department_code": "MAT",
            "title": "Numbers",
            "credits": "3",
        },
        {
            "code": "PHY101",
            "faculty_code": "SCI",
            "department_code": "PHY",
            "title": "Falling",
            "passmark": "50",
            "local_roles": CLERK,
        },
    ]
    changes = {"title": "More numbers", "credits": "4", "semester": "1"}
    wrong = {"credits": "many", "semester": "8"}


class StudentTests(KindContract, unittest.TestCase):
    """Students."""

    processor = "studentprocessor"
    exporter = "students"
    rows = [
        {
            "student_id": "A1",
            "reg_number": "R1",
            "matric_number": "M1",
            "firstname": "Ann",
            "lastname": "Obi",
            "sex": "f",
            "date_of_birth": "1990-02-01#",
            "phone": "+234-803-1234",
        },
        {
            "student_id": "A2",
            "reg_number": "R2",
            "matric_number": "M2",
            "firstname": "Ben",
            "lastname": "Eke",
            "sex": "m",
            "email": "ben@example.org",
        },
    ]
    changes = {"firstname": "Anna", "suspended": "yes"}
    wrong = {"sex": "x", "date_of_birth": "long ago", "email": "nobody"}

    def add_content(self, student):
        ticket = createObject("waeup.CourseTicket")
        ticket.code, ticket.level = "MAT101", 100
        student["100_MAT101"] = ticket


class CourseTicketTests(AcademicTests, unittest.TestCase):
    """Course tickets."""

    processor = "courseticketprocessor"
    exporter = "coursetickets"
    rows = [
        {"student_id": "A1", "level": "100", "code": "MAT101", "mandatory": "yes"},
        {"student_id": "A2", "level": "200", "code": "PHY101", "level_session": "2020"},
    ]
    changes = {"score": "50"}
    wrong = {"level": "high", "code": "NONE"}
    not_kept = ("unlock_score",)

    def fill_site(self, site):
        super().fill_site(site)
        for code in ("MAT", "PHY"):
            courses = site["faculties"]["SCI"][code].courses
            courses.addCourse(createObject("waeup.Course", f"{code}101", code))
        for student_id in ("A1", "A2"):
            student = createObject("waeup.Student")
            student.student_id, student.reg_number = student_id, f"R{student_id}"
            student.matric_number = f"M{student_id}"
            student.firstname, student.lastname, student.sex = "Ann", "Obi", "f"
            site["students"].addStudent(student)
        transaction.commit()
