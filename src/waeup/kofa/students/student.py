"""A student: personal data, and a small container of course tickets."""

import grok
from BTrees.OOBTree import OOBTree
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.container.sample import SampleContainer
from zope.interface import implementer

from waeup.kofa.students.interfaces import IStudent
from waeup.kofa.university.defaults import schema_defaults


@implementer(IStudent)
@schema_defaults(IStudent)
class Student(SampleContainer, grok.Model):
    """See `IStudent`.

    Tickets are kept in one BTree, a database record of its own: a new ticket does
    not rewrite the personal data, and there is no counter to keep.
    """

    #: The numbers under which the students container knows this student.  The type is a comment:
    #: zope.annotation would take what the class has for the annotations of all its objects.
    indexed_numbers = (None, None)  # type: tuple[str | None, str | None]

    def _newContainerData(self) -> OOBTree:
        return OOBTree()


grok.global_utility(
    Factory(Student, "Student", "", (IStudent,)),
    provides=IFactory,
    name="waeup.Student",
    direct=True,
)
