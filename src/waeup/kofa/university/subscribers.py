"""Keeps the places of courses in step with the academic tree.

A department or faculty that comes or goes takes its courses along; the events
are dispatched to each of them.
"""

from typing import Any

import grok
from zope.lifecycleevent.interfaces import IObjectAddedEvent, IObjectRemovedEvent

from waeup.kofa.university.course import faculties_above
from waeup.kofa.university.interfaces import ICourse


@grok.subscribe(ICourse, IObjectAddedEvent)
def course_added(course: Any, event: Any) -> None:
    """Let the faculties container know where the course is."""
    faculties = faculties_above(course)
    if faculties is not None:
        faculties.index_course(course)


@grok.subscribe(ICourse, IObjectRemovedEvent)
def course_removed(course: Any, event: Any) -> None:
    """Let the faculties container forget where the course was."""
    faculties = faculties_above(course)
    if faculties is not None:
        faculties.unindex_course(course)
