"""The container of all students, and the look-up of a student by number.

Kept in step by `waeup.kofa.students.subscribers`.
"""

from typing import Any

import grok
from BTrees.OOBTree import OOBTree
from zope.interface import implementer

from waeup.kofa.errors import DuplicationError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.events import put, take_out
from waeup.kofa.logger import Logger
from waeup.kofa.students.interfaces import IStudent, IStudentsContainer
from waeup.kofa.students.trees import StudentTree

#: Prefix and first number of the ids that the portal gives (Kofa 1.9).
ID_PREFIX = "K"
FIRST_NUMBER = 1000000


@implementer(IStudentsContainer)
class StudentsContainer(grok.Container, Logger):
    """See `IStudentsContainer`.

    What an index says is believed only after a look at the student, so that an
    entry that was left behind does no harm.
    """

    logger_name = "waeup.kofa.${sitename}.students"
    logger_filename = "students.log"

    _next_number = FIRST_NUMBER
    # Student id -> tree of the tickets of a student who has any.  None: nobody has, so far.
    _tickets = None

    def __init__(self) -> None:
        super().__init__()
        # Number -> student id.
        self._by_reg_number = StudentTree()
        self._by_matric_number = StudentTree()

    def _newContainerData(self) -> OOBTree:
        """See `zope.container.btree.BTreeContainer`."""
        return StudentTree()

    def __setitem__(self, key: str, student: Any) -> None:
        if not IStudent.providedBy(student):
            raise TypeError("StudentsContainer takes IStudent objects only.")
        if key != student.student_id:
            raise ValueError(f"Key {key!r} is not the id of the student, {student.student_id!r}.")
        if student.__parent__ is not None:
            self._bring_tickets(key, student)
        put(self, self._store, key, student)

    def __delitem__(self, key: str) -> None:
        student = self[key]
        # As zope.container does it, in the same order; a length may have to be counted before.
        length = self._BTreeContainer__len
        del self._SampleContainer__data[key]
        length.change(-1)
        take_out(self, key, student)
        # Subscribers have seen the student with the tickets; who puts the student back has them.
        tree = self._pop_tickets(key)
        if tree is not None:
            student.keep_tickets(tree)

    def tickets_of(self, student_id: str) -> Any:
        """See `IStudentsContainer`."""
        return None if self._tickets is None else self._tickets.get(student_id)

    def keep_tickets_of(self, student_id: str, tree: OOBTree) -> None:
        """See `IStudentsContainer`."""
        if self._tickets is None:
            self._tickets = OOBTree()
        self._tickets[student_id] = tree

    def _bring_tickets(self, key: str, student: Any) -> None:
        """Have a student who comes from another place keep the tickets, which are there so far."""
        former, name = student.__parent__, student.__name__
        if (former is self and name == key) or not IStudentsContainer.providedBy(former):
            return
        tree = former.tickets_of(name) if former.get(name) is student else None
        if tree is not None:
            student.keep_tickets(tree)

    def _store(self, key: str, student: Any) -> None:
        # Left behind by who has added a first ticket while the student of the id was removed.
        tree = self._pop_tickets(key)
        is_own = tree and all(ticket.__parent__ is student for ticket in tree.values())
        if is_own and not len(student):
            student.keep_tickets(tree)
        self._setitemf(key, student)

    def _pop_tickets(self, key: str) -> OOBTree | None:
        return None if self._tickets is None else self._tickets.pop(key, None)

    def addStudent(self, student: Any) -> None:
        """See `IStudentsContainer`."""
        if student.student_id is None:
            student.student_id = self.next_student_id()
        conflict = self.conflicts(student.reg_number, student.matric_number, ignoring=student)
        if conflict is None and student.student_id in self:
            conflict = f"student_id: {student.student_id!r} belongs to another student."
        if conflict is not None:
            raise DuplicationError(conflict)
        self[student.student_id] = student
        if student.student_id == self._id(self._next_number):
            self._next_number += 1

    def next_student_id(self) -> str:
        """See `IStudentsContainer`."""
        while self._id(self._next_number) in self:
            # An imported id; the counter steps over it for good.
            self._next_number += 1
        return self._id(self._next_number)

    def find(
        self,
        student_id: str | None = None,
        reg_number: str | None = None,
        matric_number: str | None = None,
    ) -> Any:
        """See `IStudentsContainer`."""
        if student_id:
            return self.get(student_id)
        if reg_number:
            return self._find("reg_number", self._by_reg_number, reg_number)
        if matric_number:
            return self._find("matric_number", self._by_matric_number, matric_number)
        return None

    def conflicts(
        self,
        reg_number: str | None = None,
        matric_number: str | None = None,
        ignoring: Any = None,
    ) -> str | None:
        """See `IStudentsContainer`."""
        is_here = ignoring is not None and ignoring.__parent__ is self
        for name, index, number in (
            ("reg_number", self._by_reg_number, reg_number),
            ("matric_number", self._by_matric_number, matric_number),
        ):
            if not number:
                continue
            student_id = index.get(number)
            if student_id is None or (is_here and student_id == ignoring.__name__):
                continue
            other = self._find(name, index, number)
            if other is not None and other is not ignoring:
                reason = _(
                    "${number} belongs to student ${student_id} already.",
                    mapping={"number": repr(number), "student_id": other.student_id},
                )
                return f"{name}: {english(reason)}"
        return None

    def index(self, student: Any) -> None:
        """Know `student` by its present numbers, and no longer by former ones."""
        numbers = (student.reg_number, student.matric_number)
        if student.indexed_numbers == numbers:
            return
        if student.indexed_numbers != (None, None):
            self.unindex(student)
        for index, number in zip(self._indexes, numbers, strict=True):
            if number:
                index[number] = student.student_id
        student.indexed_numbers = numbers

    def unindex(self, student: Any) -> None:
        """Know `student` by no number any more."""
        for index, number in zip(self._indexes, student.indexed_numbers, strict=True):
            if number and index.get(number) == student.student_id:
                del index[number]
        student.indexed_numbers = (None, None)

    @property
    def _indexes(self) -> tuple[OOBTree, OOBTree]:
        return self._by_reg_number, self._by_matric_number

    def _find(self, name: str, index: OOBTree, number: str) -> Any:
        student_id = index.get(number)
        student = None if student_id is None else self.get(student_id)
        return student if student is not None and getattr(student, name) == number else None

    @staticmethod
    def _id(number: int) -> str:
        return f"{ID_PREFIX}{number}"
