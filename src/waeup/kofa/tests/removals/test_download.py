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
        transaction.commit()
        del self.site["students"]["S1"]
        transaction.commit()

    def test_who_may_import_students(self):
        browser = self.log_in("waeup.ImportManager")
        browser.open(f"{URL}deleted/students.csv")
        lines = browser.contents.removeprefix("\ufeff").splitlines()
        self.assertTrue(lines[0].endswith('"del_date","back_date"'))
        self.assertTrue(lines[1].startswith('"S1",'))

    def test_others_do_not_see_hashes(self):
        browser = self.log_in("waeup.DataCenterManager")
        browser.open(f"{URL}deleted/students.csv")
        self.assertTrue(browser.headers["status"].startswith("403"))
        self.assertNotIn("S1", browser.contents)

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
