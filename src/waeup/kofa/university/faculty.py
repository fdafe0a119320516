"""Faculties, which contain departments."""

from typing import Any

import grok
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.university.containers import CodeContainer
from waeup.kofa.university.defaults import schema_defaults
from waeup.kofa.university.interfaces import IDepartment, IFaculty


@implementer(IFaculty)
@schema_defaults(IFaculty)
class Faculty(CodeContainer):
    """See `IFaculty`."""

    content = IDepartment

    def __init__(self, code: str | None = None, title: str | None = None) -> None:
        super().__init__()
        if code is not None:
            self.code = code
        if title is not None:
            self.title = title

    def addDepartment(self, department: Any) -> None:
        """Add an `IDepartment` under its code."""
        self[department.code] = department


grok.global_utility(
    Factory(Faculty, "Faculty", "", (IFaculty,)),
    provides=IFactory,
    name="waeup.Faculty",
    direct=True,
)
