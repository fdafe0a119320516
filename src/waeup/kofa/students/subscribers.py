"""Keeps the look-up of students by number in step with the students, and logs removals."""

from typing import Any

import grok
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectRemovedEvent,
)

from waeup.kofa.interfaces import IUniversity
from waeup.kofa.students.interfaces import IStudent, IStudentsContainer


@grok.subscribe(IStudent, IObjectAddedEvent)
@grok.subscribe(IStudent, IObjectModifiedEvent)
def student_changed(student: Any, event: Any) -> None:
    """Let the container know the numbers of a student that is in it."""
    students = student.__parent__
    if IStudentsContainer.providedBy(students):
        students.index(student)


@grok.subscribe(IStudent, IObjectRemovedEvent)
def student_removed(student: Any, event: Any) -> None:
    """Let the container forget the numbers of a student, and log that the student is gone."""
    students = student.__parent__
    if IStudentsContainer.providedBy(students):
        students.unindex(student)
        if not IUniversity.providedBy(event.object):
            students.logger.info("%s - Student record removed", student.student_id)
