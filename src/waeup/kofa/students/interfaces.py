"""What students and course tickets are."""

import re

from zope import schema
from zope.interface import Attribute

from waeup.kofa.conversion import FormattedDate, PhoneNumber, Secret
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IKofaObject
from waeup.kofa.university.interfaces import code_field
from waeup.kofa.university.vocabularies import (
    COURSE_LEVELS,
    SEMESTERS,
    academic_sessions,
    choices,
)
from waeup.kofa.users.interfaces import is_email

_STUDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")

GENDERS = choices([("m", _("male")), ("f", _("female"))], _("Genders"))


def is_student_id(text: str) -> bool:
    """Tell whether `text` can name a student, in a container and in a URL."""
    return _STUDENT_ID.fullmatch(text) is not None


class IStudent(IKofaObject):
    """A student; contains course tickets.

    `student_id`, `reg_number` and `matric_number` are unique among all students.
    """

    student_id = schema.TextLine(
        title=_("Student Id"),
        description=_("Up to 32 letters, digits, _ and -. A new student without id gets one."),
        required=False,
        constraint=is_student_id,
    )
    reg_number = schema.TextLine(
        title=_("Registration Number"),
        description=_("Given by the admission board."),
        required=False,
        max_length=64,
    )
    matric_number = schema.TextLine(
        title=_("Matriculation Number"),
        description=_("Given by the university."),
        required=False,
        max_length=64,
    )
    firstname = schema.TextLine(title=_("First Name"), required=True)
    middlename = schema.TextLine(title=_("Middle Name"), required=False)
    lastname = schema.TextLine(title=_("Last Name (Surname)"), required=True)
    sex = schema.Choice(title=_("Gender"), required=True, vocabulary=GENDERS)
    date_of_birth = FormattedDate(title=_("Date of Birth"), required=False)
    nationality = schema.TextLine(title=_("Nationality"), required=False)
    email = schema.ASCIILine(
        title=_("Email"),
        description=_("One address, such as ann@example.org."),
        required=False,
        constraint=is_email,
    )
    parents_email = schema.ASCIILine(
        title=_("Parents' Email"),
        description=_("One address, such as ann@example.org."),
        required=False,
        constraint=is_email,
    )
    phone = PhoneNumber(title=_("Phone"), required=False)
    perm_address = schema.Text(title=_("Permanent Address"), required=False)
    employer = schema.TextLine(title=_("Employer"), required=False)
    adm_code = schema.TextLine(title=_("Admission Activation Code"), required=False)
    clr_code = schema.TextLine(title=_("Clearance Activation Code"), required=False)
    personal_updated = schema.Datetime(title=_("Personal Data Updated"), required=False)
    officer_comment = schema.Text(title=_("Officer's Comment"), required=False)
    flash_notice = schema.TextLine(
        title=_("Flash Notice"), description=_("Shown to the student."), required=False
    )
    suspended = schema.Bool(
        title=_("Account suspended"),
        description=_("The student cannot log in."),
        required=False,
        default=False,
    )
    suspended_comment = schema.Text(title=_("Reasons for Deactivation"), required=False)
    password = Secret(title=_("Password"), description=_("Kept as a hash only."), required=False)


class ICourseTicket(IKofaObject):
    """A student's registration for a course, with the result.

    Lies in the student under the key ``<level>_<code>``.
    """

    level = schema.Choice(title=_("Level"), required=True, vocabulary=COURSE_LEVELS)
    level_session = schema.Choice(
        title=_("Level Session"), required=False, source=academic_sessions
    )
    code = code_field("Code")
    title = schema.TextLine(title=_("Title"), required=False)
    fcode = schema.TextLine(title=_("Faculty Code"), required=False)
    dcode = schema.TextLine(title=_("Department Code"), required=False)
    credits = schema.Int(title=_("Credits"), required=False, default=0, min=0)
    passmark = schema.Int(title=_("Passmark"), required=False, default=40, min=0, max=100)
    semester = schema.Choice(
        title=_("Semester/Term"), required=False, vocabulary=SEMESTERS, default=9
    )
    score = schema.Int(title=_("Score"), required=False, min=0, max=100)
    mandatory = schema.Bool(title=_("Required"), required=False, default=False)
    automatic = schema.Bool(
        title=_("Automatical Creation"),
        description=_("The ticket was not made by hand."),
        required=False,
        default=False,
    )
    carry_over = schema.Bool(title=_("Carry-over Course"), required=False, default=False)
    outstanding = schema.Bool(title=_("Outstanding Course"), required=False, default=False)

    student_id = Attribute("Id of the student that the ticket belongs to, or None.")


class IStudentsContainer(IKofaObject):
    """Contains students under their ids, and finds them by their numbers."""

    def addStudent(student):
        """Add `student` under its id; one without id gets the next free one.

        Raises `DuplicationError` when an id or number belongs to another student.
        """

    def next_student_id():
        """Return the id that the next student without one will get.

        The counter goes on when a student is added with that id.
        """

    def find(student_id=None, reg_number=None, matric_number=None):
        """Return the student that the first number given belongs to, or None."""

    def conflicts(reg_number=None, matric_number=None, ignoring=None):
        """Return, in plain words, which number another student has, or None.

        `ignoring` is the student whose own numbers are none of the conflict.
        """

    def tickets_of(student_id):
        """Return the tree of the tickets of a student in this container, or None.

        For the student alone; students who bring a tree of their own keep it.
        """

    def keep_tickets_of(student_id, tree):
        """Keep the tree of the tickets of a student in this container, who has none so far.

        When the student is removed, the tree goes along.
        """
