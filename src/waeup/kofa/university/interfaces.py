"""What faculties, departments and courses are."""

import re

from zope import schema
from zope.interface import Attribute

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IKofaObject
from waeup.kofa.university.vocabularies import INSTITUTION_TYPES, SEMESTERS, academic_sessions

_CODE = re.compile(r"[A-Za-z0-9_-]{2,11}")


def is_code(text: str) -> bool:
    """Tell whether `text` can be the code of a faculty, department or course (Kofa 1.9)."""
    return _CODE.fullmatch(text) is not None


def code_field(title: str) -> schema.TextLine:
    """Return a field for a code, which is also the name of the object in its container."""
    return schema.TextLine(
        title=title,
        description=_("2 to 11 characters out of letters (a-z), digits, _ and -."),
        required=True,
        constraint=is_code,
    )


class IInstitution(IKofaObject):
    """What faculties and departments have in common."""

    title = schema.TextLine(title=_("Name of institution"), required=True, default="Unnamed")
    title_prefix = schema.Choice(
        title=_("Name prefix"), required=True, vocabulary=INSTITUTION_TYPES, default="faculty"
    )
    officer_1 = schema.TextLine(title=_("Officer of type 1"), required=False)
    officer_2 = schema.TextLine(title=_("Officer of type 2"), required=False)


class IFaculty(IInstitution):
    """A faculty; contains departments under their codes."""

    code = code_field(_("Faculty code"))


class IDepartment(IInstitution):
    """A department; its courses lie in the container `courses`."""

    code = code_field(_("Department code"))
    title_prefix = schema.Choice(
        title=_("Name prefix"), required=True, vocabulary=INSTITUTION_TYPES, default="department"
    )
    officer_3 = schema.TextLine(title=_("Officer of type 3"), required=False)
    officer_4 = schema.TextLine(title=_("Officer of type 4"), required=False)
    score_editing_disabled = schema.Bool(
        title=_("Score editing disabled"),
        description=_("Lecturers of the department cannot edit scores."),
        required=False,
        default=False,
    )

    courses = Attribute("The `ICoursesContainer` of the department.")
    faculty_code = Attribute("Code of the faculty that contains the department, or None.")


class ICourse(IKofaObject):
    """A course; its code is unique in the whole portal."""

    code = code_field(_("Course code"))
    title = schema.TextLine(title=_("Title of course"), required=True, default="Unnamed")
    credits = schema.Int(title=_("Credits"), required=False, default=0, min=0)
    passmark = schema.Int(title=_("Passmark"), required=False, default=40, min=0, max=100)
    semester = schema.Choice(
        title=_("Semester/Term"), required=True, vocabulary=SEMESTERS, default=9
    )
    former_course = schema.Bool(
        title=_("Former course"),
        description=_("The course is not offered any more."),
        required=False,
        default=False,
    )
    results_validated_by = schema.TextLine(title=_("Results validated by"), required=False)
    results_validation_date = schema.Datetime(title=_("Results validation date"), required=False)
    results_validation_session = schema.Choice(
        title=_("Results validation session"), required=False, source=academic_sessions
    )
    score_editing_disabled = schema.Bool(
        title=_("Score editing disabled"),
        description=_("Lecturers of the course cannot edit scores."),
        required=False,
        default=False,
    )

    department_code = Attribute("Code of the department that offers the course, or None.")
    faculty_code = Attribute("Code of the faculty of that department, or None.")


class ICoursesContainer(IKofaObject):
    """Contains the courses of a department under their codes."""

    def addCourse(course):
        """Add `course` under its code.

        Raises `DuplicationError` when the portal has a course of that code elsewhere.
        """


class IFacultiesContainer(IKofaObject):
    """Contains faculties under their codes, and finds courses by code."""

    def addFaculty(faculty):
        """Add `faculty` under its code."""

    def find_course(code):
        """Return the course of the portal that has `code`, or None; costs no search."""
