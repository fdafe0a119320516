"""Courses, and the container that holds those of a department."""

from typing import Any

import grok
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.errors import DuplicationError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.university.containers import CodeContainer
from waeup.kofa.university.defaults import schema_defaults
from waeup.kofa.university.interfaces import ICourse, ICoursesContainer, IFacultiesContainer


@implementer(ICourse)
@schema_defaults(ICourse)
class Course(grok.Model):
    """See `ICourse`."""

    def __init__(self, code: str | None = None, title: str | None = None) -> None:
        super().__init__()
        if code is not None:
            self.code = code
        if title is not None:
            self.title = title

    @property
    def department_code(self) -> str | None:
        """See `ICourse`."""
        return getattr(_department_of(self), "code", None)

    @property
    def faculty_code(self) -> str | None:
        """See `ICourse`."""
        return getattr(_department_of(self), "faculty_code", None)


@implementer(ICoursesContainer)
class CoursesContainer(CodeContainer):
    """See `ICoursesContainer`."""

    content = ICourse

    def addCourse(self, course: Any) -> None:
        """See `ICoursesContainer`."""
        self[course.code] = course

    def __setitem__(self, key: str, course: Any) -> None:
        faculties = faculties_above(self)
        other = None if faculties is None else faculties.find_course(key)
        if other is not None and other.__parent__ is not self:
            raise DuplicationError(_("Course exists already elsewhere."), [other])
        super().__setitem__(key, course)


def faculties_above(obj: Any) -> Any:
    """Return the `IFacultiesContainer` that `obj` lies in, or None."""
    while obj is not None and not IFacultiesContainer.providedBy(obj):
        obj = obj.__parent__
    return obj


def _department_of(course: Any) -> Any:
    courses = course.__parent__
    return None if courses is None else courses.__parent__


grok.global_utility(
    Factory(Course, "Course", "", (ICourse,)),
    provides=IFactory,
    name="waeup.Course",
    direct=True,
)
