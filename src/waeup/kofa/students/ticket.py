"""Course tickets: what a student takes, and with which result."""

from typing import Any

import grok
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.students.interfaces import ICourseTicket
from waeup.kofa.university.defaults import schema_defaults


@implementer(ICourseTicket)
@schema_defaults(ICourseTicket)
class CourseTicket(grok.Model):
    """See `ICourseTicket`."""

    @property
    def student_id(self) -> str | None:
        """See `ICourseTicket`."""
        return getattr(self.__parent__, "student_id", None)

    def copy_course(self, course: Any) -> None:
        """Take over what `course` is at this time; it may change later."""
        self.title = course.title
        self.credits = course.credits
        self.passmark = course.passmark
        self.semester = course.semester
        self.fcode = course.faculty_code
        self.dcode = course.department_code


def ticket_key(level: int, code: str) -> str:
    """Return the key of a ticket in its student, for example ``100_MAT101``."""
    return f"{level}_{code}"


grok.global_utility(
    Factory(CourseTicket, "Course Ticket", "", (ICourseTicket,)),
    provides=IFactory,
    name="waeup.CourseTicket",
    direct=True,
)
