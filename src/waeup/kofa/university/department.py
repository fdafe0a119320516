"""Departments; each has a container for its courses."""

from typing import Any

import grok
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.university.course import CoursesContainer
from waeup.kofa.university.defaults import schema_defaults
from waeup.kofa.university.interfaces import IDepartment


@implementer(IDepartment)
@schema_defaults(IDepartment)
class Department(grok.Container):
    """See `IDepartment`."""

    def __init__(self, code: str | None = None, title: str | None = None) -> None:
        super().__init__()
        if code is not None:
            self.code = code
        if title is not None:
            self.title = title
        self["courses"] = CoursesContainer()

    @property
    def courses(self) -> Any:
        """See `IDepartment`."""
        return self["courses"]

    @property
    def faculty_code(self) -> str | None:
        """See `IDepartment`."""
        return getattr(self.__parent__, "code", None)


grok.global_utility(
    Factory(Department, "Department", "", (IDepartment,)),
    provides=IFactory,
    name="waeup.Department",
    direct=True,
)
