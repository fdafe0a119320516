"""Students, their tickets, and how a student is found."""

from contextlib import contextmanager

from BTrees.OOBTree import OOBTree
from zope.component import createObject, getGlobalSiteManager
from zope.event import notify
from zope.interface.verify import verifyClass, verifyObject
from zope.lifecycleevent import ObjectModifiedEvent
from zope.lifecycleevent.interfaces import IObjectRemovedEvent
from zope.schema import getFields

from waeup.kofa.errors import DuplicationError
from waeup.kofa.importing.effects import Watch
from waeup.kofa.importing.rollback import ObjectRestore
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.students.interfaces import (
    ICourseTicket,
    IStudent,
    IStudentsContainer,
    is_student_id,
)
from waeup.kofa.students.student import Student
from waeup.kofa.students.ticket import CourseTicket, ticket_key
from waeup.kofa.tests.university.portal import PortalTestCase


class InterfaceTests(PortalTestCase):
    """Classes keep the promises of their interfaces."""

    def test_classes_and_objects_fit_their_interfaces(self):
        for cls, iface in (
            (Student, IStudent),
            (CourseTicket, ICourseTicket),
            (StudentsContainer, IStudentsContainer),
        ):
            with self.subTest(cls.__name__):
                verifyClass(iface, cls)
                verifyObject(iface, cls())

    def test_new_objects_have_the_defaults_of_the_schema(self):
        for factory, iface in (
            ("waeup.Student", IStudent),
            ("waeup.CourseTicket", ICourseTicket),
        ):
            obj = createObject(factory)
            for name, field in getFields(iface).items():
                with self.subTest(factory, field=name):
                    self.assertEqual(getattr(obj, name), field.default)

    def test_all_digits_are_an_id(self):
        for student_id in ("11391", "K1000000", "B-12_x"):
            self.assertTrue(is_student_id(student_id), student_id)
        for student_id in ("", "../x", "+x", "@@x", "a b", "x\n", "a" * 33):
            self.assertFalse(is_student_id(student_id), student_id)


class ContainerTests(PortalTestCase):
    """The container of students."""

    def setUp(self):
        super().setUp()
        self.students = self.site["students"]

    def add(self, **attributes):
        student = Student()
        for name, value in attributes.items():
            setattr(student, name, value)
        self.students.addStudent(student)
        return student

    def change(self, student, **attributes):
        for name, value in attributes.items():
            setattr(student, name, value)
        notify(ObjectModifiedEvent(student))

    def test_students_without_id_get_the_next_free_one(self):
        self.add(student_id="K1000001")
        ids = [self.add().student_id for _ in range(3)]
        self.assertEqual(ids, ["K1000000", "K1000002", "K1000003"])

    def test_refused_student_leaves_no_gap_in_the_ids(self):
        self.add(reg_number="R1")
        with self.assertRaises(DuplicationError):
            self.add(reg_number="R1")
        self.assertEqual(self.students.next_student_id(), "K1000001")
        self.assertEqual(self.students.next_student_id(), "K1000001")

    def test_numbers_and_ids_are_unique(self):
        self.add(student_id="A1", reg_number="R1", matric_number="M1")
        for numbers, message in (
            (
                {"reg_number": "R1"},
                "reg_number: 'R1' belongs to student A1 already.",
            ),
            (
                {"reg_number": "R2", "matric_number": "M1"},
                "matric_number: 'M1' belongs to student A1 already.",
            ),
            ({"student_id": "A1"}, "student_id: 'A1' belongs to another student."),
        ):
            with self.subTest(numbers), self.assertRaises(DuplicationError) as caught:
                self.add(**numbers)
            self.assertEqual(caught.exception.msg, message)
        self.assertEqual(list(self.students), ["A1"])

    def test_students_are_found_by_the_first_number_given(self):
        one = self.add(student_id="A1", reg_number="R1", matric_number="M1")
        two = self.add(student_id="A2", reg_number="R2")
        find = self.students.find
        self.assertIs(find(reg_number="R1"), one)
        self.assertIs(find(matric_number="M1"), one)
        self.assertIs(find("A2", reg_number="R1", matric_number="M1"), two)
        self.assertIs(find(reg_number="R2", matric_number="M1"), two)
        self.assertIsNone(find("A3", reg_number="R1"))
        self.assertIsNone(find(reg_number="M1"))
        self.assertIsNone(find())

    def test_changed_numbers_replace_former_ones(self):
        student = self.add(reg_number="R1", matric_number="M1")
        self.change(student, reg_number="R2", matric_number=None)
        self.assertIs(self.students.find(reg_number="R2"), student)
        self.assertIsNone(self.students.find(reg_number="R1"))
        self.assertIsNone(self.students.find(matric_number="M1"))
        self.assertEqual(len(self.students._by_reg_number), 1)
        self.assertEqual(len(self.students._by_matric_number), 0)

    def test_numbers_may_be_swapped_between_students(self):
        one = self.add(reg_number="R1")
        two = self.add(reg_number="R2")
        self.change(one, reg_number=None)
        self.change(two, reg_number="R1")
        self.change(one, reg_number="R2")
        self.assertIs(self.students.find(reg_number="R1"), two)
        self.assertIs(self.students.find(reg_number="R2"), one)

    def test_removed_student_is_forgotten_and_can_return(self):
        student = self.add(student_id="A1", reg_number="R1")
        del self.students["A1"]
        self.assertIsNone(self.students.find(reg_number="R1"))
        self.assertEqual(len(self.students._by_reg_number), 0)
        self.students["A1"] = student
        self.assertIs(self.students.find(reg_number="R1"), student)

    def test_index_entry_that_was_left_behind_does_no_harm(self):
        self.add(student_id="A1", reg_number="R1")
        self.students._by_reg_number["R8"] = "A1"
        self.students._by_reg_number["R9"] = "A9"
        self.assertIsNone(self.students.find(reg_number="R8"))
        self.assertIsNone(self.students.find(reg_number="R9"))

    def test_only_students_under_their_id_are_taken(self):
        with self.assertRaises(TypeError):
            self.students["x"] = CourseTicket()
        student = Student()
        student.student_id = "A1"
        with self.assertRaises(ValueError):
            self.students["A2"] = student

    def test_tickets_do_not_change_the_student_itself(self):
        student = self.add()
        before = dict(student.__dict__)
        ticket = CourseTicket()
        ticket.level, ticket.code = 100, "MAT101"
        student[ticket_key(100, "MAT101")] = ticket
        self.assertEqual(student.__dict__, before)
        self.assertIs(student["100_MAT101"], ticket)
        self.assertEqual(ticket.student_id, student.student_id)
        self.assertIsNone(CourseTicket().student_id)

    def with_ticket(self):
        student = self.add()
        student["100_MAT101"] = CourseTicket()
        return student

    def test_tickets_go_with_the_student_and_come_back(self):
        student = self.with_ticket()
        ticket = student["100_MAT101"]
        del self.students[student.student_id]
        self.assertEqual(list(student.items()), [("100_MAT101", ticket)])
        other = self.add(student_id=student.student_id)
        self.assertEqual((list(other), len(other)), ([], 0))
        other["200_MAT101"] = CourseTicket()
        del self.students[student.student_id]
        self.students[student.student_id] = student
        self.assertEqual(list(student), ["100_MAT101"])
        self.assertEqual(list(other), ["200_MAT101"])

    def test_subscribers_of_a_removal_see_the_tickets(self):
        seen = []
        student = self.with_ticket()
        with registered(lambda ticket, event: seen.append(ticket.student_id)):
            del self.students[student.student_id]
        self.assertEqual(seen, [student.student_id])

    def test_student_outside_of_the_container_has_tickets_too(self):
        student = Student()
        self.assertEqual((student.get("x"), "x" in student, len(student)), (None, False, 0))
        for read in (student.keys, student.values, student.items):
            self.assertEqual(list(read()), [])
        with self.assertRaises(KeyError):
            del student["x"]
        student["100_MAT101"] = ticket = CourseTicket()
        self.students.addStudent(student)
        self.assertIs(student["100_MAT101"], ticket)
        del student["100_MAT101"]
        self.assertIsNone(ticket.__parent__)
        self.assertEqual(list(student), [])

    def test_student_of_a_former_release_goes_on_with_the_own_tree(self):
        student = self.add()
        student._SampleContainer__data = OOBTree()
        student["100_MAT101"] = CourseTicket()
        self.assertEqual(list(student.__dict__["_SampleContainer__data"]), ["100_MAT101"])

    def test_tickets_of_a_student_who_moves_are_seen_all_the_time(self):
        student = self.with_ticket()
        ticket, former = student["100_MAT101"], student.student_id
        others = StudentsContainer()
        for students, new in ((self.students, "A2"), (others, "A2")):
            with self.subTest(students=students):
                container, student.student_id = student.__parent__, new
                students[new] = student
                self.assertIs(student["100_MAT101"], ticket)
                student[f"200_{len(student)}"] = CourseTicket()
                count = len(student)
                del container[former]
                self.assertEqual(len(student), count)
                self.assertIs(students[new], student)
                former = new

    def test_undo_of_the_change_of_a_student_who_moved_leaves_the_tickets(self):
        student = self.with_ticket()
        former, student.firstname = student.student_id, "Ann"
        row = {"student_id": "A2", "firstname": "Bea"}
        watch = Watch(student, row)
        student.student_id, student.firstname = "A2", "Bea"
        self.students["A2"] = student
        del self.students[former]
        effect = watch.effect("updated", self.students, former, None, None)
        self.assertEqual(effect.fields, {"student_id": former, "firstname": "Ann"})
        self.assertEqual((effect.others, effect.new, effect.others_new), ({}, (), ()))

    def test_removal_that_is_taken_back_leaves_the_tickets(self):
        student = self.with_ticket()
        restore = ObjectRestore()
        restore.watch_change(student)
        del self.students[student.student_id]
        restore.restore()
        self.assertIs(self.students[student.student_id], student)
        self.assertEqual(list(student), ["100_MAT101"])

    def test_student_who_is_put_into_the_same_place_stays_as_it_is(self):
        student = self.with_ticket()
        before = dict(student.__dict__)
        self.students[student.student_id] = student
        self.assertEqual(student.__dict__, before)
        other = Student()
        other.student_id = student.student_id
        with self.assertRaises(KeyError):
            self.students[student.student_id] = other
        self.assertEqual(list(student), ["100_MAT101"])

    def test_tickets_that_were_left_behind_are_those_of_nobody_else(self):
        # Somebody adds a first ticket while another transaction removes the student.
        student = self.add(student_id="A1")
        place = {"__parent__": self.students, "__name__": "A1"}
        del self.students["A1"]
        student.__dict__.update(place)
        student["100_MAT101"] = CourseTicket()
        student.__parent__ = student.__name__ = None
        other = self.add(student_id="A1")
        self.assertEqual(list(other), [])
        del self.students["A1"]

        student.__dict__.update(place)
        student["100_MAT101"] = CourseTicket()
        student.__parent__ = student.__name__ = None
        self.students["A1"] = student
        self.assertEqual(list(student), ["100_MAT101"])

    def test_subscribers_find_a_ticket_that_is_being_removed_in_its_place(self):
        student = self.with_ticket()
        seen = []
        with registered(lambda ticket, event: seen.append(event.oldName in event.oldParent)):
            del student["100_MAT101"]
        self.assertEqual(seen, [True])

    def test_number_of_a_namesake_in_another_container_is_a_conflict(self):
        self.add(student_id="A1", reg_number="R1")
        student, others = Student(), StudentsContainer()
        student.student_id = "A1"
        others["A1"] = student
        student.student_id, student.reg_number = "A2", "R1"
        with self.assertRaises(DuplicationError):
            self.students.addStudent(student)

    def test_container_of_a_former_release_takes_tickets(self):
        student = self.add()
        self.students.__dict__.pop("_tickets", None)
        self.assertEqual(list(student), [])
        student["100_MAT101"] = CourseTicket()
        self.assertEqual(list(student), ["100_MAT101"])
        del self.students[student.student_id]
        self.assertEqual(list(student), ["100_MAT101"])


@contextmanager
def registered(handler):
    """Have `handler` called for each ticket that is removed."""
    registry = getGlobalSiteManager()
    registry.registerHandler(handler, (ICourseTicket, IObjectRemovedEvent))
    try:
        yield
    finally:
        registry.unregisterHandler(handler, (ICourseTicket, IObjectRemovedEvent))
