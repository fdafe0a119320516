"""What students cost the trees in which they are found, in bytes: these are the same each time."""

import itertools
import os
import tempfile
import unittest

import transaction
import ZODB
from BTrees.OOBTree import OOBTree

from waeup.kofa.students.container import StudentsContainer
from waeup.kofa.students.student import Student
from waeup.kofa.students.trees import StudentTree

#: Numbers of a batch, of so many series, in so many batches.
BATCH, SERIES, BATCHES = 2000, 64, 100


def numbers():
    """Generate matriculation numbers as they are given: now in this series, now in that one."""
    for number in itertools.count():
        yield f"{number % SERIES:02}S{2008 + number // 40_000}/{number:06}"


def bytes_of_last_batch(tree):
    """Return by how much a database grows for the last of the batches."""
    with tempfile.TemporaryDirectory() as folder:
        database = ZODB.DB(os.path.join(folder, "Data.fs"), cache_size=1_000_000)
        connection = database.open()
        try:
            connection.root()["tree"] = tree
            given = numbers()
            for _ in range(BATCHES):
                before = database.storage.getSize()
                tree.update(dict.fromkeys(itertools.islice(given, BATCH), "K1000000"))
                transaction.commit()
            return database.storage.getSize() - before
        finally:
            transaction.abort()
            connection.close()
            database.close()


class StudentTreeTests(unittest.TestCase):
    def test_many_series_of_numbers(self):
        plain, ours = bytes_of_last_batch(OOBTree()), bytes_of_last_batch(StudentTree())
        self.assertLess(ours, 0.6 * plain)

    def test_all_that_grows_with_students(self):
        students = StudentsContainer()
        self.assertEqual(
            {
                type(students._SampleContainer__data),
                type(students._by_reg_number),
                type(students._by_matric_number),
            },
            {StudentTree},
        )

    def test_trees_of_former_releases(self):
        students = StudentsContainer()
        students._SampleContainer__data = OOBTree()
        students._by_reg_number = OOBTree()
        student = Student()
        student.student_id, student.reg_number = "A1", "R1"
        students["A1"] = student
        students.index(student)
        self.assertIs(students.find(reg_number="R1"), student)
        self.assertEqual(list(students), ["A1"])
