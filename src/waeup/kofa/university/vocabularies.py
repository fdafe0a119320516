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
        ("faculty", "Faculty of"),
        ("department", "Department of"),
        ("school", "School of"),
        ("office", "Office for"),
        ("centre", "Centre for"),
        ("centre_of", "Centre of"),
        ("institute", "Institute of"),
        ("school_for", "School for"),
        ("college", "College of"),
        ("directorate", "Directorate of"),
    ],
    _("Kinds of institutions"),
)

SEMESTERS = choices(
    [
        (1, "1st Semester"),
        (2, "2nd Semester"),
        (3, "Combined"),
        (4, "1st Trimester"),
        (5, "2nd Trimester"),
        (6, "3rd Trimester"),
        (9, "N/A"),
        (11, "Module I"),
        (12, "Module II"),
        (13, "Module III"),
    ],
    _("Semesters and terms"),
)

COURSE_LEVELS = choices(
    [
        (0, "N/A"),
        (10, "Pre-Studies Level"),
        *((level, f"Year {level // 100} ({level} Level)") for level in range(100, 1000, 100)),
        (999, "Postgraduate Level"),
        (1000, "PGD Year 1 (1000 Level)"),
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
