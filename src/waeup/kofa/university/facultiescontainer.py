"""The top of the academic tree, which also knows where each course is.

Course tickets are imported by the hundred thousand, each with the code of a
course; no tree is searched for them.
"""

from typing import Any

from BTrees.OOBTree import OOBTree
from zope.interface import implementer

from waeup.kofa.errors import DuplicationError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.logger import Logger
from waeup.kofa.university.containers import CodeContainer
from waeup.kofa.university.interfaces import IFacultiesContainer, IFaculty


@implementer(IFacultiesContainer)
class FacultiesContainer(CodeContainer, Logger):
    """See `IFacultiesContainer`.  Logs into the portal's main log."""

    content = IFaculty

    def __init__(self) -> None:
        super().__init__()
        # Course code -> (faculty code, department code); kept by the subscribers.
        self._course_places = OOBTree()

    def addFaculty(self, faculty: Any) -> None:
        """See `IFacultiesContainer`."""
        self[faculty.code] = faculty

    def find_course(self, code: str) -> Any:
        """See `IFacultiesContainer`."""
        place = self._course_places.get(code)
        if place is None:
            return None
        faculty_code, department_code = place
        department = self.get(faculty_code, {}).get(department_code)
        return None if department is None else department.courses.get(code)

    def index_course(self, course: Any) -> None:
        """Remember where `course` is; called when it gets its place in the tree.

        Raises `DuplicationError` when another course of that code is found.
        """
        other = self.find_course(course.code)
        if other is not None and other is not course:
            raise DuplicationError(_("Course exists already elsewhere."), [other])
        self._course_places[course.code] = (course.faculty_code, course.department_code)

    def unindex_course(self, course: Any) -> None:
        """Forget where `course` was; called when it loses its place in the tree."""
        if self._course_places.get(course.code) == (course.faculty_code, course.department_code):
            del self._course_places[course.code]
