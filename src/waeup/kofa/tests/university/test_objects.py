"""The academic tree: what it takes, and how it finds a course."""

from zope.component import createObject
from zope.interface.verify import verifyClass, verifyObject
from zope.schema import getFields

from waeup.kofa.errors import DuplicationError
from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.university.course import Course, CoursesContainer
from waeup.kofa.university.department import Department
from waeup.kofa.university.facultiescontainer import FacultiesContainer
from waeup.kofa.university.faculty import Faculty
from waeup.kofa.university.interfaces import (
    ICourse,
    ICoursesContainer,
    IDepartment,
    IFacultiesContainer,
    IFaculty,
    is_code,
)
from waeup.kofa.university.vocabularies import academic_sessions


class InterfaceTests(PortalTestCase):
    """Classes keep the promises of their interfaces."""

    def test_classes_and_objects_fit_their_interfaces(self):
        for cls, iface in (
            (Faculty, IFaculty),
            (Department, IDepartment),
            (Course, ICourse),
            (CoursesContainer, ICoursesContainer),
            (FacultiesContainer, IFacultiesContainer),
        ):
            with self.subTest(cls.__name__):
                verifyClass(iface, cls)
                verifyObject(iface, cls())

    def test_new_objects_have_the_defaults_of_the_schema(self):
        for factory, iface in (
            ("waeup.Faculty", IFaculty),
            ("waeup.Department", IDepartment),
            ("waeup.Course", ICourse),
        ):
            obj = createObject(factory)
            for name, field in getFields(iface).items():
                with self.subTest(factory, field=name):
                    self.assertEqual(getattr(obj, name), field.default)

    def test_factories_take_code_and_title(self):
        for factory in ("waeup.Faculty", "waeup.Department", "waeup.Course"):
            obj = createObject(factory, "ABC", "A title")
            self.assertEqual((obj.code, obj.title), ("ABC", "A title"))

    def test_codes_have_2_to_11_plain_characters(self):
        for code in ("AB", "MAT-101_a", "a" * 11):
            self.assertTrue(is_code(code), code)
        for code in ("A", "FAC 5", "a" * 12, "../x", "Ä12", "AB\n"):
            self.assertFalse(is_code(code), code)

    def test_sessions_end_with_the_one_of_next_year(self):
        sessions = academic_sessions(None)
        self.assertIn(1970, sessions)
        self.assertNotIn(1969, sessions)
        self.assertEqual(sessions.getTermByToken("2013").title, "2013/2014")


class TreeTests(PortalTestCase):
    """Courses are found by code wherever they are."""

    def setUp(self):
        super().setUp()
        self.faculties = self.site["faculties"]
        self.faculties.addFaculty(Faculty("FA"))
        self.faculties["FA"].addDepartment(Department("D1"))
        self.faculties["FA"].addDepartment(Department("D2"))
        self.courses = self.faculties["FA"]["D1"].courses
        self.course = Course("MAT101")
        self.courses.addCourse(self.course)

    def test_course_knows_its_department_and_faculty(self):
        self.assertEqual(self.course.department_code, "D1")
        self.assertEqual(self.course.faculty_code, "FA")
        self.assertIsNone(Course("X1").department_code)
        self.assertIsNone(Course("X1").faculty_code)

    def test_course_is_found_while_it_is_there(self):
        self.assertIs(self.faculties.find_course("MAT101"), self.course)
        self.assertIsNone(self.faculties.find_course("PHY101"))
        del self.courses["MAT101"]
        self.assertIsNone(self.faculties.find_course("MAT101"))
        self.assertEqual(len(self.faculties._course_places), 0)

    def test_courses_come_and_go_with_their_faculty(self):
        faculty = self.faculties["FA"]
        del self.faculties["FA"]
        self.assertEqual(len(self.faculties._course_places), 0)
        self.faculties["FA"] = faculty
        self.assertIs(self.faculties.find_course("MAT101"), self.course)

    def test_code_that_another_department_has_is_refused(self):
        with self.assertRaises(DuplicationError) as caught:
            self.faculties["FA"]["D2"].courses.addCourse(Course("MAT101"))
        self.assertEqual(caught.exception.msg, "Course exists already elsewhere.")
        self.assertEqual(caught.exception.entries, [self.course])
        self.assertIs(self.faculties.find_course("MAT101"), self.course)

    def test_code_that_the_same_department_has_is_refused(self):
        with self.assertRaises(KeyError):
            self.courses.addCourse(Course("MAT101"))

    def test_department_that_brings_a_known_code_is_refused(self):
        department = Department("D3")
        department.courses.addCourse(Course("MAT101"))
        with self.assertRaises(DuplicationError):
            self.faculties["FA"].addDepartment(department)

    def test_index_entry_that_was_left_behind_does_no_harm(self):
        self.faculties._course_places["PHY101"] = ("FA", "D9")
        self.faculties._course_places["PHY102"] = ("FX", "D1")
        self.faculties._course_places["PHY103"] = ("FA", "D1")
        for code in ("PHY101", "PHY102", "PHY103"):
            self.assertIsNone(self.faculties.find_course(code))

    def test_containers_take_only_their_kind_under_its_code(self):
        with self.assertRaises(TypeError):
            self.faculties["FB"] = Department("FB")
        with self.assertRaises(ValueError):
            self.faculties["FB"] = Faculty("FC")
        with self.assertRaises(ValueError):
            self.courses["MAT102"] = Course("MAT103")
