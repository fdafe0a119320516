"""How faculties, departments and courses are exported; names and titles are those of Kofa 1.9."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grok

from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.university.localroles import LOCAL_ROLES, local_roles, roles_to_cell


class AcademicExporter(KindExporter):
    """Exports objects of the academic tree, with the local roles on them."""

    grok.baseclass()

    key_fields = ("code",)
    last = (LOCAL_ROLES,)

    def row_maker(
        self, columns: Sequence[str], safe: bool | None = None
    ) -> Callable[[Any], list[str]]:
        """See `KindExporter`; roles are no attribute of an object."""
        cells = super().row_maker(columns, safe)
        if LOCAL_ROLES not in columns:
            return cells
        at = list(columns).index(LOCAL_ROLES)

        def with_roles(obj: Any) -> list[str]:
            row = cells(obj)
            row[at] = roles_to_cell(local_roles(obj))
            return row

        return with_roles


class FacultyExporter(AcademicExporter):
    """Exports faculties."""

    grok.name("faculties")
    title = "Faculties"
    processor = "facultyprocessor"

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return site["faculties"].values()  # type: ignore[no-any-return]

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        return _if_there(site["faculties"].get(key))


class DepartmentExporter(AcademicExporter):
    """Exports departments; a code may be that of several, in different faculties."""

    grok.name("departments")
    title = "Departments"
    processor = "departmentprocessor"

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return (one for faculty in site["faculties"].values() for one in faculty.values())

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        found = (faculty.get(key) for faculty in site["faculties"].values())
        return (department for department in found if department is not None)


class CourseExporter(AcademicExporter):
    """Exports courses."""

    grok.name("courses")
    title = "Courses"
    processor = "courseprocessor"

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return (
            course
            for faculty in site["faculties"].values()
            for department in faculty.values()
            for course in department.courses.values()
        )

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        return _if_there(site["faculties"].find_course(key))


def _if_there(obj: Any) -> Iterable[Any]:
    return () if obj is None else (obj,)
