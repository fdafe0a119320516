"""The tables of removed objects on the web, for those who may see them."""

import transaction
from zope.component import createObject

from waeup.kofa.tests.functional import FunctionalTestCase

URL = "http://localhost/app/datacenter/download?filename="


class Download(FunctionalTestCase):
    """Fetched like other results."""

    def setUp(self):
        student = createObject("waeup.Student")
        student.student_id, student.firstname, student.lastname, student.sex = "S1", "A", "B", "f"
        self.site["students"].addStudent(student)
        ticket = createObject("waeup.CourseTicket")
        ticket.level, ticket.code = 100, "COU1"
        student["100_COU1"] = ticket
        transaction.commit()
        del self.site["students"]["S1"]
        transaction.commit()

    def test_who_may_import_students_and_see_hashes(self):
        browser = self.log_in("waeup.ImportManager", "waeup.UsersManager")
        browser.open(f"{URL}deleted/students.csv")
        lines = browser.contents.removeprefix("\ufeff").splitlines()
        self.assertTrue(lines[0].endswith('"del_date","back_date"'))
        self.assertTrue(lines[1].startswith('"S1",'))

    def test_others_do_not_see_hashes(self):
        """As of an export: who removes a student does not get the password by that."""
        for number, roles in enumerate(
            (
                ["waeup.DataCenterManager"],
                ["waeup.ImportManager"],
                ["waeup.DataCenterManager", "waeup.UsersManager"],
            )
        ):
            with self.subTest(roles):
                browser = self.log_in(*roles, name=f"officer{number}")
                browser.open(f"{URL}deleted/students.csv")
                self.assertTrue(browser.headers["status"].startswith("403"))
                self.assertNotIn("S1", browser.contents)

    def test_tables_without_hashes(self):
        browser = self.log_in("waeup.DataCenterManager")
        browser.open(f"{URL}deleted/coursetickets.csv")
        self.assertIn('"S1"', browser.contents)

    def test_no_other_folder(self):
        browser = self.log_in("waeup.ImportManager")
        for name in (
            "logs/students.log",
            "deleted/../logs/students.log",
            "graduated/students.csv",
        ):
            with self.subTest(name):
                browser.open(URL + name)
                self.assertRegex(browser.headers["status"], "^4")
