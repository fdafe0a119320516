"""Importing faculties, departments and courses from small tables."""

import csv
import io

from zope.annotation.attribute import AttributeAnnotations
from zope.annotation.interfaces import IAnnotations
from zope.component import getGlobalSiteManager, getUtility, provideAdapter, provideUtility
from zope.securitypolicy.interfaces import IPrincipalRoleManager, IRole
from zope.securitypolicy.principalrole import AnnotationPrincipalRoleManager
from zope.securitypolicy.role import Role

from waeup.kofa.errors import FatalCSVError
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.university.department import Department
from waeup.kofa.university.faculty import Faculty
from waeup.kofa.users.account import UserAccount

NO_FACULTY = (
    "Not all parents do exist yet. There is no faculty 'FX': import it first, or correct "
    "faculty_code."
)


class FacultyTests(PortalTestCase):
    """The faculty processor."""

    def test_template_has_the_columns_of_kofa(self):
        processor = getUtility(IBatchProcessor, name="facultyprocessor")
        self.assertEqual(processor.name, "Faculty Processor")
        self.assertEqual(
            processor.get_csv_skeleton(),
            "code,local_roles,officer_1,officer_2,title,title_prefix\r\n",
        )

    def test_create_update_remove(self):
        done, reasons = self.import_rows(
            "facultyprocessor", "code,title,title_prefix\nFA,Arts,school\nFB,Law,\n"
        )
        self.assertEqual(([row["code"] for row in done], reasons), (["FA", "FB"], []))
        faculties = self.site["faculties"]
        self.assertEqual(faculties["FA"].title_prefix, "school")
        self.assertEqual(faculties["FB"].title_prefix, "faculty")
        self.import_rows("facultyprocessor", "code,title\nFA,Fine Arts\n", "update")
        self.assertEqual(faculties["FA"].title, "Fine Arts")
        self.import_rows("facultyprocessor", "code\nFA\n", "remove")
        self.assertEqual(list(faculties), ["FB"])

    def test_rows_that_cannot_be_done_tell_why(self):
        self.import_rows("facultyprocessor", "code\nFA\n")
        self.assertEqual(
            self.import_rows("facultyprocessor", "code\nFA\n"),
            ([], ["This object already exists."]),
        )
        self.assertEqual(
            self.import_rows("facultyprocessor", "code\nFX\n", "update"),
            ([], ["Cannot update: no such entry"]),
        )
        self.assertEqual(
            self.import_rows("facultyprocessor", "code\nFX\n", "remove"),
            ([], ["Cannot remove: no such entry"]),
        )
        _, (reason,) = self.import_rows("facultyprocessor", "code\nFAC 5\n")
        self.assertTrue(reason.startswith("code: Invalid input"), reason)

    def test_changes_are_logged(self):
        self.keep_logs()
        self.import_rows("facultyprocessor", "code,title\nFA,Arts\n")
        self.assertEqual(
            self.read_log("main.log"),
            ["Faculty Processor - rows - FA - updated: code=FA, title=Arts"],
        )


class LocalRoleTests(PortalTestCase):
    """The column `local_roles`."""

    def setUp(self):
        super().setUp()
        for name in ("waeup.local.Clerk", "waeup.local.Dean"):
            role = Role(name, name)
            provideUtility(role, IRole, name)
            self.addCleanup(getGlobalSiteManager().unregisterUtility, role, IRole, name)
        for adapter in (
            (AttributeAnnotations, (Faculty,), IAnnotations),
            (AnnotationPrincipalRoleManager, (Faculty,), IPrincipalRoleManager),
        ):
            provideAdapter(*adapter)
            self.addCleanup(getGlobalSiteManager().unregisterAdapter, *adapter)
        for name in ("ann", "bob"):
            self.site["users"].addUser(UserAccount(name, name.title()))

    def give(self, cell, mode="update"):
        """Import the cell for faculty FA; return the reasons and the roles on the faculty."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([["code", "local_roles"], ["FA", cell]])
        _, reasons = self.import_rows("facultyprocessor", text.getvalue(), mode)
        if reasons:
            return reasons
        manager = IPrincipalRoleManager(self.site["faculties"]["FA"])
        return sorted((user, role) for role, user, _ in manager.getPrincipalsAndRoles())

    def test_roles_are_replaced_removed_or_left(self):
        clerk = "{'user_name': 'ann', 'local_role': 'waeup.local.Clerk'}"
        dean = "{'user_name': 'bob', 'local_role': 'waeup.local.Dean'}"
        both = [("ann", "waeup.local.Clerk"), ("bob", "waeup.local.Dean")]
        self.assertEqual(self.give(f"[{clerk}]", "create"), both[:1])
        self.assertEqual(self.give(f"[{clerk}, {dean}]"), both)
        self.assertEqual(self.give(""), both)
        self.assertEqual(self.give(f"[{dean}]"), both[1:])
        self.assertEqual(self.give("XXX"), [])

    def test_messages_of_1_9(self):
        self.import_rows("facultyprocessor", "code\nFA\n")
        self.site["users"].addUser(UserAccount("cid", "Cid"))
        for cell, message in (
            ("open('/etc/passwd')", "Error"),
            ("{'user_name': 'ann'}", "no list"),
            ("1, 2", "no list"),
            ("['ann']", "no dicts"),
            ("[{'user_name': 'ann'}]", "user_name or local_role missing"),
            (
                "[{'user_name': 'ann', 'local_role': 'waeup.PortalManager'}]",
                "waeup.PortalManager not allowed",
            ),
            (
                "[{'user_name': 'eve', 'local_role': 'waeup.local.Clerk'}]",
                "eve does not exist",
            ),
        ):
            with self.subTest(cell):
                self.assertEqual(self.give(cell), [f"local_roles: {message}"])

    def test_changes_are_logged(self):
        self.keep_logs()
        self.give("[{'user_name': 'ann', 'local_role': 'waeup.local.Clerk'}]", "create")
        self.assertEqual(
            self.read_log("main.log"),
            [
                (
                    "Faculty Processor - rows - FA - updated: "
                    "local_roles=ann|waeup.local.Clerk, code=FA"
                )
            ],
        )


class DepartmentTests(PortalTestCase):
    """The department processor."""

    def setUp(self):
        super().setUp()
        self.site["faculties"].addFaculty(Faculty("FA"))

    def test_create_update_remove(self):
        self.import_rows("departmentprocessor", "code,faculty_code,title\nD1,FA,History\n")
        department = self.site["faculties"]["FA"]["D1"]
        self.assertEqual(department.title, "History")
        self.assertEqual(department.title_prefix, "department")
        self.assertEqual(list(department.courses), [])
        self.import_rows(
            "departmentprocessor",
            "code,faculty_code,score_editing_disabled\nD1,FA,1\n",
            "update",
        )
        self.assertIs(department.score_editing_disabled, True)
        self.import_rows("departmentprocessor", "code,faculty_code\nD1,FA\n", "remove")
        self.assertEqual(list(self.site["faculties"]["FA"]), [])

    def test_faculty_must_exist(self):
        self.assertEqual(
            self.import_rows("departmentprocessor", "code,faculty_code\nD1,FX\n"),
            ([], [NO_FACULTY]),
        )

    def test_needs_both_codes(self):
        with self.assertRaises(FatalCSVError) as caught:
            self.import_rows("departmentprocessor", "code\nD1\n")
        self.assertEqual(
            str(caught.exception), "Need at least columns 'code', 'faculty_code' for import!"
        )


class CourseTests(PortalTestCase):
    """The course processor."""

    def setUp(self):
        super().setUp()
        self.faculties = self.site["faculties"]
        self.faculties.addFaculty(Faculty("FA"))
        self.faculties["FA"].addDepartment(Department("D1"))
        self.faculties["FA"].addDepartment(Department("D2"))

    def test_create_update_remove(self):
        _, reasons = self.import_rows(
            "courseprocessor",
            "code,faculty_code,department_code,title,credits,semester\n"
            "MAT101,FA,D1,Sets,3,1\n"
            "MAT102,FA, D2 ,Numbers,,\n",
        )
        self.assertEqual(reasons, [])
        course = self.faculties["FA"]["D1"].courses["MAT101"]
        self.assertEqual((course.title, course.credits, course.semester), ("Sets", 3, 1))
        self.assertEqual(self.faculties.find_course("MAT102").department_code, "D2")
        self.import_rows("courseprocessor", "code,credits\nMAT102,5\n", "update")
        self.assertEqual(self.faculties.find_course("MAT102").credits, 5)
        self.import_rows("courseprocessor", "code\nMAT102\n", "remove")
        self.assertIsNone(self.faculties.find_course("MAT102"))

    def test_new_course_needs_the_codes_of_faculty_and_department(self):
        with self.assertRaises(FatalCSVError) as caught:
            self.import_rows("courseprocessor", "code,faculty_code\nMAT101,FA\n")
        self.assertEqual(
            str(caught.exception), "Need at least columns faculty_code and department_code"
        )

    def test_codes_of_faculty_and_department_need_values(self):
        _, (reason,) = self.import_rows(
            "courseprocessor", "code,faculty_code,department_code\nMAT101,FA,\n"
        )
        self.assertEqual(reason, "department_code: Required value is missing.")

    def test_department_must_exist(self):
        table = "code,faculty_code,department_code\nMAT101,FA,D9\nMAT101,FX,D1\n"
        self.assertEqual(
            self.import_rows("courseprocessor", table),
            (
                [],
                [
                    NO_FACULTY.replace(
                        "There is no faculty 'FX'", "The faculty 'FA' has no department 'D9'"
                    ).replace("faculty_code", "department_code"),
                    NO_FACULTY,
                ],
            ),
        )

    def test_code_is_unique_in_the_portal(self):
        table = "code,faculty_code,department_code\nMAT101,FA,D1\nMAT101,FA,D1\nMAT101,FA,D2\n"
        done, reasons = self.import_rows("courseprocessor", table)
        self.assertEqual(len(done), 1)
        self.assertEqual(
            reasons, ["This object already exists.", "Course exists already elsewhere."]
        )

    def test_course_is_not_moved_by_an_update(self):
        self.import_rows("courseprocessor", "code,faculty_code,department_code\nMAT101,FA,D1\n")
        _, reasons = self.import_rows(
            "courseprocessor", "code,faculty_code,department_code\nMAT101,FA,D2\n", "update"
        )
        self.assertEqual(reasons, ["Cannot update: no such entry"])
