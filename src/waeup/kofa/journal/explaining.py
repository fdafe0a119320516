r"""Says in plain words what RE2 does not like about an expression, and what to write instead.

RE2 tells a reason in words of its own and quotes a part of the expression; where that part
stands is found here.
"""

import re
from typing import Any

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal.lines import escape_message

_LOOK_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])")
_BACK_REFERENCE = re.compile(r"\\(?:[1-9]|k)|\(\?P=")

#: Characters of the expression that are quoted.
_QUOTED = 20


def explanation(text: str, reason: str) -> Any:
    """Return a message that says what is wrong in the expression `text`, at which character.

    `reason` is what RE2 says of it.  Characters are counted from 1.
    """
    what, _colon, part = reason.partition(": ")
    if what.startswith("invalid perl operator"):
        return _operator(text, part)
    if what.startswith("invalid escape sequence"):
        return _escape(text, part)
    if what.startswith("missing )"):
        return _said(
            _(
                "At character ${at}, “${part}”: this bracket is opened and nowhere closed. Add "
                "“)”, or write “\\(” for a bracket that stands for itself."
            ),
            text,
            _unmatched(text)[0],
            1,
        )
    if what.startswith("unexpected )"):
        return _said(
            _(
                "At character ${at}, “${part}”: this bracket is closed and was nowhere opened. "
                "Take it away, or write “\\)” for a bracket that stands for itself."
            ),
            text,
            _unmatched(text)[1],
            1,
        )
    at = max(text.find(part), 0) if part else max(len(text) - 1, 0)
    for beginning, message in _OTHERS.items():
        if what.startswith(beginning):
            return _said(message, text, at, len(part) or 1)
    return _(
        "Give an expression in RE2's syntax, or put a backslash in front of characters such as "
        "( [ * that stand for themselves."
    )


_NO_BACK_REFERENCES = _(
    "At character ${at}, “${part}”: RE2 has no back references, which ask for the same text once "
    "more. Write the text itself, or “.*” for any."
)
_OTHERS = {
    "missing ]": _(
        "At character ${at}, “${part}”: this list of characters is opened by “[” and nowhere "
        "closed. Add “]”, or write “\\[” for a bracket that stands for itself."
    ),
    "no argument for repetition operator": _(
        "At character ${at}, “${part}”: before this stands nothing that could be repeated. For "
        "any text write “.*”, and “\\*”, “\\+” or “\\?” for the character itself."
    ),
    "bad repetition operator": _(
        "At character ${at}, “${part}”: one repetition follows another. Keep one of them. RE2 has "
        "no possessive repetition such as “a++”: write “a+”."
    ),
    "invalid repetition size": _(
        "At character ${at}, “${part}”: so many repetitions are not possible. The first number "
        "must not be above the second, and at most 1,000 repetitions are allowed, also of "
        "groups in groups. Write “*” or “+” for any number."
    ),
    "invalid character class range": _(
        "At character ${at}, “${part}”: there is no such list of characters. The first one of a "
        "range must come before the last one, as in “[a-z]”."
    ),
    "trailing \\": _(
        "At character ${at}: a backslash at the end has nothing behind it. Write “\\\\” for a "
        "backslash that stands for itself."
    ),
    "pattern too large": _(
        "It needs too much memory. Repeat less, and above all no groups in groups."
    ),
}


def _operator(text: str, part: str) -> Any:
    """Return what is to be said of a group that begins with a question mark."""
    for pattern, message in (
        (
            _LOOK_AROUND,
            _(
                "At character ${at}, “${part}”: RE2 has no look-around, which asks what stands "
                "before or behind a match. Write what stands there into the expression itself, "
                "or use the other fields of the search."
            ),
        ),
        (
            _BACK_REFERENCE,
            _NO_BACK_REFERENCES,
        ),
    ):
        for found in pattern.finditer(text):
            if found[0].startswith(part[:2]):
                return _said(message, text, found.start(), len(found[0]))
    return _said(
        _(
            "At character ${at}, “${part}”: RE2 knows no such group. There are “(?:…)” for a "
            "group, “(?i)” for any case, and “(…)”. Write “\\(” for a bracket that stands for "
            "itself."
        ),
        text,
        max(text.find(part), 0),
        len(part),
    )


def _escape(text: str, part: str) -> Any:
    at = max(text.find(part), 0)
    if _BACK_REFERENCE.match(part):
        return _said(
            _NO_BACK_REFERENCES,
            text,
            at,
            len(part),
        )
    return _said(
        _(
            "At character ${at}, “${part}”: a backslash before this character means nothing. "
            "Leave the backslash away, or double it to look for a backslash."
        ),
        text,
        at,
        len(part),
    )


def _said(message: Any, text: str, at: int, length: int) -> Any:
    """Return a message about the part of `text` at the position `at`."""
    part = text[at : at + min(length, _QUOTED)]
    return _(message, mapping={"at": at + 1, "part": escape_message(part)})


def _unmatched(text: str) -> tuple[int, int]:
    """Return where the last bracket stands that is not closed, and the first one not opened."""
    opened: list[int] = []
    closed = -1
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            end = text.find("\\E", at) if text[at + 1 : at + 2] == "Q" else -1
            at = end if end > at else at + 1
        elif char == "[":
            # A closing bracket that stands first is one of the list.
            first = at + 2 if text[at + 1 : at + 2] == "^" else at + 1
            end = _end_of_list(text, first)
            at = end if end > at else at
        elif char == "(":
            opened.append(at)
        elif char == ")" and opened:
            opened.pop()
        elif char == ")" and closed < 0:
            closed = at
        at += 1
    return (opened[-1] if opened else 0), max(closed, 0)


def _end_of_list(text: str, first: int) -> int:
    """Return where the list of characters is closed whose first one stands at `first`."""
    at = first
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "]" and at > first:
            return at
        at += 1
    return -1
