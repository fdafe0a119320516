"""The choices of the academic world: tokens for tables, titles for people.

Tokens are those of Kofa 1.9, so that its files can be imported.
"""

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from zope.interface import provider
from zope.schema.interfaces import IContextSourceBinder
from zope.schema.vocabulary import SimpleTerm, SimpleVocabulary

from waeup.kofa.i18n import MessageFactory as _

#: The oldest session that can be chosen (Kofa 1.9).
FIRST_SESSION = 1970


class Choices(SimpleVocabulary):
    """A vocabulary with a title, which says what its values are."""

    title: Any = ""


def choices(pairs: Iterable[tuple[Any, str]], title: Any = "") -> Choices:
    """Return a vocabulary of (value, title) pairs; the token is the value as text."""
    found = Choices([SimpleTerm(value, str(value), name) for value, name in pairs])
    found.title = title
    return found


INSTITUTION_TYPES = choices(
    [
        ("none", ""),
        ("faculty", _("Faculty of")),
        ("department", _("Department of")),
        ("school", _("School of")),
        ("office", _("Office for")),
        ("centre", _("Centre for")),
        ("centre_of", _("Centre of")),
        ("institute", _("Institute of")),
        ("school_for", _("School for")),
        ("college", _("College of")),
        ("directorate", _("Directorate of")),
    ],
    _("Kinds of institutions"),
)

SEMESTERS = choices(
    [
        (1, _("1st Semester")),
        (2, _("2nd Semester")),
        (3, _("Combined")),
        (4, _("1st Trimester")),
        (5, _("2nd Trimester")),
        (6, _("3rd Trimester")),
        (9, _("N/A")),
        (11, _("Module I")),
        (12, _("Module II")),
        (13, _("Module III")),
    ],
    _("Semesters and terms"),
)

COURSE_LEVELS = choices(
    [
        (0, _("N/A")),
        (10, _("Pre-Studies Level")),
        *(
            (
                level,
                _("Year ${year} (${level} Level)", mapping={"year": level // 100, "level": level}),
            )
            for level in range(100, 1000, 100)
        ),
        (999, _("Postgraduate Level")),
        (1000, _("PGD Year 1 (1000 Level)")),
    ],
    _("Course levels"),
)


@provider(IContextSourceBinder)
def academic_sessions(context: Any) -> Choices:
    """Return the sessions from 1970 to the one that begins next year, newest first.

    Computed when asked for: a portal runs over New Year.
    """
    last = datetime.now(timezone.utc).year + 1
    years = range(last, FIRST_SESSION - 1, -1)
    return choices(((year, f"{year}/{year + 1}") for year in years), _("Academic sessions"))
