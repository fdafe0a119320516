"""How students and their course tickets are exported.

Names and titles are those of Kofa 1.9; the columns are those of an import.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import grok

from waeup.kofa.exporting.base import released
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.hooks import undefined
from waeup.kofa.students.interfaces import ICourseTicket
from waeup.kofa.students.processors import LOCATORS

#: The state of students whose rows are kept apart when they are removed (Kofa 1.9).
GRADUATED = "graduated"


class StudentExporterBase(KindExporter):
    """Exports what belongs to a student."""

    grok.baseclass()

    # In the order in which Kofa 1.9 asks for a student.
    key_fields = ("student_id", "matric_number", "reg_number")

    def backup_folder(self, obj: Any) -> str | None:
        """See `KindExporter`: by the state of the student, which sites may have."""
        is_graduated = getattr(self.student_of(obj), "state", None) == GRADUATED
        return GRADUATED if is_graduated else super().backup_folder(obj)

    def student_of(self, obj: Any) -> Any:
        """Return the student that an object belongs to."""
        raise undefined(self, "student_of(obj)", "returns the student that an object belongs to")

    def find_student(self, site: Any, key: str) -> Any:
        """Return the student with that number, whichever it is, or None."""
        students = site["students"]
        found = (students.find(**{name: key}) for name in self.key_fields)
        return next((student for student in found if student is not None), None)


class StudentExporter(StudentExporterBase):
    """Exports students."""

    grok.name("students")
    title = _("Students (Data Backup)")
    processor = "studentprocessor"

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return site["students"].values()  # type: ignore[no-any-return]

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        student = self.find_student(site, key)
        return () if student is None else (student,)

    def student_of(self, obj: Any) -> Any:
        """See `StudentExporterBase`."""
        return obj


class CourseTicketExporter(StudentExporterBase):
    """Exports course tickets; the key of a student stands for all tickets of that student."""

    grok.name("coursetickets")
    title = _("Course Tickets (Data Backup)")
    processor = "courseticketprocessor"
    iface = ICourseTicket
    # One number says whose ticket it is, and that a score may be changed is no part of one.
    left_out: ClassVar[tuple[str, ...]] = (*LOCATORS[1:], "unlock_score")
    # A new ticket first has what its course has.
    filled = ("title", "fcode", "dcode", "credits", "passmark", "semester")

    def count(self, site: Any) -> int | None:
        """See `ICSVExporter`: every student would have to be loaded."""
        return None

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        # Of a million students perhaps none has a ticket.
        students = released(site["students"].values())
        return (ticket for student in students for ticket in student.values())

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        student = self.find_student(site, key)
        return () if student is None else student.values()

    def student_of(self, obj: Any) -> Any:
        """See `StudentExporterBase`."""
        return obj.__parent__
