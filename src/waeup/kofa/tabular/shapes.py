"""What single values look like: numbers, dates, words, codes of one form.

A column (`column`) is known by what most of its values have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = [
    "ADDRESSES",
    "CONTROL",
    "DIGITS",
    "ENOUGH",
    "FIGURES",
    "INTEGER",
    "KINDS",
    "LETTERS",
    "MOST",
    "NUMBERS",
    "QUOTES",
    "are_most",
    "is_figure",
    "letter_case",
    "majority",
    "of_any_number",
    "outline",
    "shape",
    "style",
]

_DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_TIME = r"\d{1,2}:\d\d(?::\d\d)?"
#: Kinds of values, the narrowest first.  Each is for whole cells.
KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[+-]?\d+",
        r"[^\w\s'\"]{0,2}\s?[+-]?(?:\d(?:[\d.,']*[\d.,])?|[.,]\d+)(?:[eE][+-]?\d+)?\s?[%€$£]?",
        rf"{_DATE}(?:[ T]{_TIME}(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?#?",
        _TIME,
        r"[^@\s]+@[^@\s]+\.\w+",
        r"\w+://\S+",
    )
)
INTEGER = KINDS[0]
NUMBERS = KINDS[:2]
#: Numbers, dates and times.
FIGURES = KINDS[:4]
#: E-mail addresses, and those of pages.
ADDRESSES = KINDS[4:]
#: Values that must be there before they are said to have one form.
ENOUGH = 3
#: Part of the values that has to agree: the rows that teach may be damaged, too.
MOST = 0.85

#: Characters that no text has: they come from something else.
CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f]")
DIGITS = re.compile(r"\d")
LETTERS = re.compile(r"[^\W\d_]")
#: A table by which `str.translate` takes all quotes away.
QUOTES = str.maketrans("", "", "\"'\xab\xbb\u2018\u2019\u201a\u201c\u201d\u201e")
_NUMBERS = re.compile("9+")
_RUNS = re.compile(r"9+|a+")


def is_figure(text: str) -> bool:
    """Tell whether `text` is a number, a date or a time."""
    return any(kind.fullmatch(text) for kind in FIGURES)


def shape(text: str) -> str:
    """Return `text` with each digit as 9 and each letter as a."""
    return LETTERS.sub("a", DIGITS.sub("9", text))


def outline(text: str) -> str:
    """Return the shape of `text` with runs made short: ``MG-8769`` is ``a-9``."""
    return _RUNS.sub(lambda run: run.group()[0], shape(text))


def of_any_number(form: str) -> str:
    """Return the shape `form` with each run of digits made one."""
    return _NUMBERS.sub("9", form)


def style(text: str) -> str:
    """Return in which case, and whether in one word, a name is written."""
    if not text or not LETTERS.search(text):
        return ""
    case = "lower" if text.islower() else "upper" if text.isupper() else "mixed"
    return case + (" words" if " " in text.strip() else "")


def letter_case(text: str) -> str:
    """Return in which case a name is written, be it one word or several."""
    return style(text).partition(" ")[0]


def majority(values: Sequence[str]) -> str | None:
    """Return the value that most of `values` have, or None."""
    if not values:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if are_most(count, len(values)) else None


def are_most(count: int, total: int) -> bool:
    """Tell whether `count` of `total` rows say what the others, some of them damaged, do not."""
    return total - count <= max((1 - MOST) * total, total > ENOUGH)
