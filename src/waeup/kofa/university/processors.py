"""What a row of a table means for faculties, departments and courses.

Names, columns and messages are those of Kofa 1.9.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import grok

from waeup.kofa.conversion import is_ignored
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.university.interfaces import ICourse, IDepartment, IFaculty
from waeup.kofa.university.localroles import (
    LOCAL_ROLES,
    local_roles,
    replace_local_roles,
    roles_from_cell,
)


def given_code(row: dict[str, Any], name: str) -> str | None:
    """Return the code in column `name` of a row, or None where there is none."""
    code = row.get(name)
    if code is None or is_ignored(code):
        return None
    return code.strip() or None


def _no_faculty(code: str) -> str:
    return _(
        "Not all parents do exist yet. There is no faculty ${code}: import it first, or correct "
        "faculty_code.",
        mapping={"code": repr(code)},
    )


class AcademicProcessor(ContainerProcessor):
    """Imports objects of the academic tree, and tells the main log what changed.

    The column ``local_roles`` says who has which roles on an object.
    """

    grok.baseclass()

    scope = "university"

    @property
    def available_fields(self) -> list[str]:
        """See `IBatchProcessor`."""
        return sorted({*super().available_fields, LOCAL_ROLES})

    def getExtraState(self, obj: Any) -> Any:
        """See `IBatchProcessor`: the local roles on the object."""
        return local_roles(obj)

    def setExtraState(self, obj: Any, state: Any) -> None:
        """See `IBatchProcessor`."""
        replace_local_roles(obj, state)

    def checkConversion(
        self, row: Mapping[str, str], mode: str = "ignore", ignore_empty: bool = True
    ) -> tuple[list[tuple[str, str]], list[str], dict[str, Any]]:
        """See `IBatchProcessor`."""
        errors, invariant_errors, values = super().checkConversion(row, mode, ignore_empty)
        text = row.get(LOCAL_ROLES)
        if text is None or is_ignored(text) or not text.strip():
            return errors, invariant_errors, values
        roles, message = roles_from_cell(text, grok.getSite())
        if message is not None:
            return [*errors, (LOCAL_ROLES, message)], invariant_errors, {}
        if not errors and not invariant_errors:
            values[LOCAL_ROLES] = roles
        return errors, invariant_errors, values

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`."""
        roles = row.get(LOCAL_ROLES)
        assigned = replace_local_roles(obj, roles) if isinstance(roles, list) else ""
        changes = ", ".join(
            filter(None, (assigned, super().updateEntry(obj, row, site, filename)))
        )
        site["faculties"].logger.info(
            "%s - %s - %s - updated: %s", self.name, filename, obj.code, changes
        )
        return changes


class FacultyProcessor(AcademicProcessor):
    """Imports faculties."""

    name = _("Faculty Processor")
    util_name = "facultyprocessor"
    about = _("The faculties of the university.")
    iface = IFaculty
    factory_name = "waeup.Faculty"
    container = "faculties"
    key = "code"


class DepartmentProcessor(AcademicProcessor):
    """Imports departments into faculties that exist."""

    name = _("Department Processor")
    util_name = "departmentprocessor"
    about = _("The departments of faculties that are there already.")
    iface = IDepartment
    factory_name = "waeup.Department"
    location_fields = ["code", "faculty_code"]

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the faculty of `faculty_code`, or None."""
        return site["faculties"].get(given_code(row, "faculty_code") or "")

    def parentsMissing(self, row: dict[str, Any], site: Any) -> str:
        """See `IBatchProcessor`."""
        code = given_code(row, "faculty_code")
        return super().parentsMissing(row, site) if code is None else _no_faculty(code)

    def countEntries(self, site: Any) -> int:
        """See `IBatchProcessor`."""
        return sum(len(faculty) for faculty in site["faculties"].values())


class CourseProcessor(AcademicProcessor):
    """Imports courses into departments that exist.

    A new course needs the codes of its faculty and department; one that exists
    is found by its own code, unless a row has those of faculty and department.
    """

    name = _("Course Processor")
    util_name = "courseprocessor"
    about = _(
        "The courses of departments that are there already. A code is given only once in the "
        "portal."
    )
    iface = ICourse
    factory_name = "waeup.Course"

    @property
    def available_fields(self) -> list[str]:
        """See `IBatchProcessor`."""
        return sorted({*super().available_fields, "faculty_code", "department_code"})

    @property
    def req(self) -> dict[str, list[str]]:
        """See `IBatchProcessor`."""
        required = super().req
        required["create"] = [*required["create"], "faculty_code", "department_code"]
        return required

    def checkHeaders(self, headerfields: Iterable[str], mode: str = "create") -> bool:
        """See `IBatchProcessor`."""
        fields = set(headerfields)
        if mode == "create" and not {"faculty_code", "department_code"} <= fields:
            raise FatalCSVError(_("Need at least columns faculty_code and department_code"))
        return super().checkHeaders(headerfields, mode)

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the container for courses of the department, or None."""
        faculty_code = given_code(row, "faculty_code")
        department_code = given_code(row, "department_code")
        if faculty_code and department_code:
            faculty = site["faculties"].get(faculty_code)
            department = None if faculty is None else faculty.get(department_code)
            return None if department is None else department.courses
        course = site["faculties"].find_course(row["code"])
        return None if course is None else course.__parent__

    def parentsMissing(self, row: dict[str, Any], site: Any) -> str:
        """See `IBatchProcessor`."""
        faculty_code = given_code(row, "faculty_code")
        department_code = given_code(row, "department_code")
        if faculty_code is None or department_code is None:
            return super().parentsMissing(row, site)
        if site["faculties"].get(faculty_code) is None:
            return _no_faculty(faculty_code)
        return _(
            "Not all parents do exist yet. The faculty ${faculty} has no department ${code}: "
            "import it first, or correct department_code.",
            mapping={"faculty": repr(faculty_code), "code": repr(department_code)},
        )

    def countEntries(self, site: Any) -> int:
        """See `IBatchProcessor`."""
        faculties = site["faculties"].values()
        return sum(len(department.courses) for one in faculties for department in one.values())

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """Refuse a code that the portal has in another department."""
        if site["faculties"].find_course(row["code"]) is not None:
            return english(_("Course exists already elsewhere."))
        return None
