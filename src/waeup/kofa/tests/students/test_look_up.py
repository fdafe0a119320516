"""The look-up by number, whatever happens to students and to the database."""

import transaction
import ZODB
from hypothesis import given
from hypothesis import strategies as st
from transaction import TransactionManager
from ZODB.MappingStorage import MappingStorage
from ZODB.POSException import ConflictError
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa.errors import DuplicationError
from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.students.student import Student
from waeup.kofa.students.ticket import CourseTicket
from waeup.kofa.tests.university.portal import Portal, PortalTestCase

IDS = st.sampled_from(["A1", "A2", "A3"])
NUMBERS = st.one_of(st.none(), st.sampled_from(["N1", "N2", "N3"]))


def new_student(student_id=None, reg_number=None, matric_number=None):
    student = Student()
    student.student_id = student_id
    student.reg_number = reg_number
    student.matric_number = matric_number
    return student


class PropertyTests(PortalTestCase):
    """What holds after any sequence of changes."""

    @given(st.lists(st.tuples(st.sampled_from("acr"), IDS, NUMBERS, NUMBERS), max_size=12))
    def test_each_number_finds_exactly_the_student_that_has_it(self, steps):
        students = StudentsContainer()
        for step, student_id, reg_number, matric_number in steps:
            present = students.get(student_id)
            if step == "a":
                try:
                    students.addStudent(new_student(student_id, reg_number, matric_number))
                except DuplicationError:
                    continue
            elif present is not None and step == "r":
                del students[student_id]
            elif present is not None and not students.conflicts(
                reg_number, matric_number, ignoring=present
            ):
                present.reg_number, present.matric_number = reg_number, matric_number
                notify(ObjectModifiedEvent(present))
        for name in ("reg_number", "matric_number"):
            owners = {getattr(s, name): s for s in students.values() if getattr(s, name)}
            for number in ("N1", "N2", "N3"):
                self.assertIs(students.find(**{name: number}), owners.get(number))


class LengthTests(PortalTestCase):
    """How many students there are."""

    def test_students_that_were_never_counted_are_counted_before_one_goes(self):
        students = StudentsContainer()
        for student_id in ("A1", "A2", "A3"):
            students.addStudent(new_student(student_id))
        # As in a database of before zope.container kept the length.
        del students._BTreeContainer__len
        del students["A2"]
        self.assertEqual((list(students), len(students)), (["A1", "A3"], 2))


class DatabaseTests(PortalTestCase):
    """Students in a database."""

    def setUp(self):
        super().setUp()
        self.database = ZODB.DB(MappingStorage())
        self.addCleanup(self.database.close)
        connection = self.database.open()
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        self.site = connection.root()["site"] = Portal()
        transaction.commit()

    def test_aborted_transaction_leaves_no_student_no_number_and_no_gap(self):
        students = self.site["students"]
        students.addStudent(new_student(reg_number="R1"))
        transaction.abort()
        self.assertEqual(list(students), [])
        self.assertIsNone(students.find(reg_number="R1"))
        self.assertEqual(students.next_student_id(), "K1000000")

    def test_two_processes_cannot_give_the_same_number_away(self):
        other_transaction = TransactionManager()
        other = self.database.open(other_transaction)
        self.addCleanup(other.close)
        self.addCleanup(other_transaction.abort)
        self.site["students"].addStudent(new_student("A1", reg_number="R1"))
        other.root()["site"]["students"].addStudent(new_student("A2", reg_number="R1"))
        transaction.commit()
        with self.assertRaises(ConflictError):
            other_transaction.commit()

    def test_new_ticket_does_not_rewrite_the_student(self):
        students = self.site["students"]
        students.addStudent(new_student("A1"))
        transaction.commit()
        student = students["A1"]
        student._p_activate()
        serial = student._p_serial
        student["100_MAT101"] = CourseTicket()
        transaction.commit()
        student._p_deactivate()
        student._p_activate()
        self.assertEqual(student._p_serial, serial)
        self.assertEqual(list(student), ["100_MAT101"])
