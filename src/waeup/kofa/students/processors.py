"""What a row of a table means for students and their course tickets.

Names, columns and messages are those of Kofa 1.9, but for one thing: course
tickets lie directly below the student.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import grok
from zope import schema

from waeup.kofa.conversion import is_ignored
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, UPSERT, once
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.students.interfaces import ICourseTicket, IStudent
from waeup.kofa.students.ticket import ticket_key

#: Columns that a student can be found by, in the order in which they are asked.
LOCATORS = ("student_id", "reg_number", "matric_number")


class ICourseTicketImport(ICourseTicket):
    """The columns of a table of course tickets."""

    unlock_score = schema.Bool(
        title=_("Unlock Score"),
        description=_("The row may change a score that exists. Not kept."),
        required=False,
        default=False,
    )


def given(row: Mapping[str, Any], name: str) -> Any:
    """Return the value in column `name` of a row, or None where there is none."""
    value = row.get(name)
    if value is None or is_ignored(value):
        return None
    return value.strip() or None if isinstance(value, str) else value


def find_student(row: dict[str, Any], site: Any) -> Any:
    """Return the student that a row speaks of, or None.

    The first of `LOCATORS` that has a value decides.
    """
    return once(row, "student", _find_student, row, site)


def _find_student(row: dict[str, Any], site: Any) -> Any:
    for name in LOCATORS:
        number = given(row, name)
        if number is not None:
            return site["students"].find(**{name: number})
    return None


def find_course(row: dict[str, Any], site: Any) -> Any:
    """Return the course of column ``code``, or None."""
    return once(row, "course", site["faculties"].find_course, row["code"])


class StudentProcessorBase(BatchProcessor):
    """Imports what belongs to a student; the student is found by one of `LOCATORS`."""

    grok.baseclass()

    location_fields: ClassVar[list[str]] = [*LOCATORS]
    scope = "students"

    def getRowKey(self, row: Mapping[str, Any]) -> str | None:
        """See `IBatchProcessor`: the first of `LOCATORS` that has a value, and other locations."""
        for name in LOCATORS:
            number = given(row, name)
            if number is not None:
                others = [str(given(row, other)) for other in self.other_locations]
                return " / ".join([f"{name} {number}", *others])
        return None

    @cached_property
    def other_locations(self) -> list[str]:
        """Columns that a table must have besides one of `LOCATORS`."""
        return [name for name in self.location_fields if name not in LOCATORS]

    @property
    def req(self) -> dict[str, list[str]]:
        """Mode -> fields that a table must have, besides one of `LOCATORS`."""
        location = self.other_locations
        return {
            CREATE: location + self.required_fields,
            UPDATE: location,
            REMOVE: location,
            UPSERT: location,
        }

    def checkHeaders(self, headerfields: Iterable[str], mode: str = "create") -> bool:
        """See `IBatchProcessor`."""
        fields = list(headerfields)
        if not set(LOCATORS) & set(fields):
            raise FatalCSVError(
                _("Need at least columns student_id or reg_number or matric_number for import!")
            )
        for name in self.other_locations:
            if name not in fields:
                raise FatalCSVError(_("Need ${name} for import!", mapping={"name": name}))
        return super().checkHeaders(fields, mode)

    def log(self, site: Any, text: str, *args: Any) -> None:
        """Write a line into the log of the students."""
        site["students"].logger.info(text, *args)


class StudentProcessor(StudentProcessorBase):
    """Imports students."""

    name = _("Student Processor")
    util_name = "studentprocessor"
    about = _(
        "Students with their personal data. A student is found by student id, registration number "
        "or matriculation number."
    )
    iface = IStudent
    factory_name = "waeup.Student"

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the container of all students."""
        return site.get("students")

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        return find_student(row, site)

    def countEntries(self, site: Any) -> int:
        """See `IBatchProcessor`."""
        return len(site["students"])

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """Refuse numbers of other students, and a row that could be imported twice."""
        for name in LOCATORS:
            if given(row, name) is not None:
                break
        else:
            return english(
                _(
                    "None of student_id, reg_number and matric_number has a value. Fill in "
                    "one of them: without, a second import makes the student twice."
                )
            )
        return self._conflict(None, row, parent)

    def checkUpdateRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """Refuse numbers of other students, and the deletion of an id."""
        if row.get("student_id", obj.student_id) is None:
            return english(_("student_id: The id of a student cannot be removed."))
        return self._conflict(obj, row, site["students"])

    def checkUndo(self, obj: Any, values: Mapping[str, Any] | None, site: Any) -> str | None:
        """Refuse numbers that other students have meanwhile."""
        if values is None:
            return None
        students = site["students"]
        numbers = (values.get(name) for name in ("reg_number", "matric_number"))
        message: str | None = students.conflicts(*numbers, ignoring=obj)
        return message

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`; a new student without id gets the next one first."""
        if obj.student_id is None and given(row, "student_id") is None:
            obj.student_id = site["students"].next_student_id()
            row = {name: value for name, value in row.items() if name != "student_id"}
        changes = super().updateEntry(obj, row, site, filename)
        self.log(site, "%s - %s - %s - updated: %s", self.name, filename, obj.student_id, changes)
        return changes

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        site["students"].addStudent(obj)

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        student_id = find_student(row, site).student_id
        del site["students"][student_id]
        self.log(site, "%s - Student removed", student_id)

    def _conflict(self, student: Any, row: dict[str, Any], students: Any) -> str | None:
        return students.conflicts(
            given(row, "reg_number"), given(row, "matric_number"), ignoring=student
        )


class CourseTicketProcessor(StudentProcessorBase):
    """Imports course tickets of students that exist, for courses that exist.

    A score that exists is changed only by a row that unlocks it.
    """

    name = _("CourseTicket Processor")
    util_name = "courseticketprocessor"
    about = _("The courses that students have registered for, with their scores.")
    iface = ICourseTicketImport
    factory_name = "waeup.CourseTicket"
    location_fields: ClassVar[list[str]] = [*LOCATORS, "level", "code"]

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """Return the student."""
        return find_student(row, site)

    def parentsMissing(self, row: dict[str, Any], site: Any) -> str:
        """See `IBatchProcessor`."""
        for name in LOCATORS:
            number = given(row, name)
            if number is not None:
                return _(
                    "Not all parents do exist yet. There is no student with the ${name} "
                    "${number}: import the student first, or correct ${name}.",
                    mapping={"name": name, "number": repr(number)},
                )
        return super().parentsMissing(row, site)

    def countEntries(self, site: Any) -> int:
        """See `IBatchProcessor`."""
        return sum(len(student) for student in site["students"].values())

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        student = find_student(row, site)
        return None if student is None else student.get(ticket_key(row["level"], row["code"]))

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """Refuse a code that no course of the portal has."""
        if find_course(row, site) is None:
            return self.stringFromErrs([("code", "non-existent")], [])
        return None

    def checkUpdateRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """Keep a score that exists, unless the row unlocks it."""
        score = row.get("score", obj.score)
        if obj.score is None or is_ignored(score) or score == obj.score:
            return None
        return (
            None if row.get("unlock_score") is True else english(_("Score attribute is locked."))
        )

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`; a new ticket first takes over the data of its course."""
        if obj.__parent__ is None:
            obj.copy_course(find_course(row, site))
        changes = super().updateEntry(obj, row, site, filename)
        self.log(
            site,
            "%s - %s - %s - %s - updated: %s",
            self.name,
            filename,
            obj.student_id or find_student(row, site).student_id,
            obj.level,
            changes,
        )
        return changes

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        find_student(row, site)[ticket_key(obj.level, obj.code)] = obj

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        student = find_student(row, site)
        del student[ticket_key(row["level"], row["code"])]
        self.log(
            site,
            "%s - Course ticket in %s removed: %s",
            student.student_id,
            row["level"],
            row["code"],
        )
