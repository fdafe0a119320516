"""How faculties, departments and courses are exported; names and titles are those of Kofa 1.9."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import grok

from waeup.kofa.exporting.filters import filter_schema
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.i18n import MessageFactory as _
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
        if LOCAL_ROLES not in columns:
            return super().row_maker(columns, safe)
        at = list(columns).index(LOCAL_ROLES)
        cells = super().row_maker([name for name in columns if name != LOCAL_ROLES], safe)

        def with_roles(obj: Any) -> list[str]:
            row = cells(obj)
            row.insert(at, roles_to_cell(local_roles(obj)))
            return row

        return with_roles

    @cached_property
    def filters(self) -> Any:
        """See `ICSVExporter`; nobody asks for a list of roles word by word."""
        columns = [name for name in self.fields if name != LOCAL_ROLES]
        return filter_schema(type(self).__name__, self.iface, columns)


class FacultyExporter(AcademicExporter):
    """Exports faculties."""

    grok.name("faculties")
    title = _("Faculties")
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
    title = _("Departments")
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
    title = _("Courses")
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
