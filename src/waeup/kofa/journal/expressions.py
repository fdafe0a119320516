"""Expressions that a person typed in: compiled by RE2, and held against whole blocks of lines.

Expressions run on RE2, in time linear to the text.  RE2 looks for the next match in a whole
block at once, which is many times faster than line by line; faster still, and what is tried first,
is a look for bytes that each match contains (`waeup.kofa.journal.sieve`).  A line that was found
by a match which may reach beyond it, or by such bytes, is then judged alone.
"""

import re
from collections.abc import Iterator

import re2

from waeup.kofa.errors import InvalidExpression
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal.explaining import explanation
from waeup.kofa.journal.lines import escape_message
from waeup.kofa.journal.sieve import SAMPLE, Sieve, sieves

#: Length of the longest expression that is accepted, in characters.
MAX_EXPRESSION = 1000
#: Matches in one line that are told.
MAX_MARKS = 200

# What RE2 may use for an expression, in bytes; an expression that needs more is refused.
_MAX_MEMORY = 8 * 1024 * 1024


class Expression:
    """A compiled expression that finds the matching lines of a block.

    A line matches when the expression, searched for in this line alone, has a
    match that begins before the line end or at it.  Raises `InvalidExpression`.
    """

    # Where a match may reach over several lines, each candidate may cost a look at
    # the rest of the block.  Behind so many, a block goes on line by line.
    _MAX_CANDIDATES = 16
    # A sieve that lets so many lines of a block pass is slower than none.
    _MANY = 64

    def __init__(self, text: str | None, *, ignore_case: bool = False) -> None:
        self._options = re2.Options()
        self._options.log_errors = False
        self._options.max_mem = _MAX_MEMORY
        self._options.never_capture = True
        self._options.case_sensitive = not ignore_case
        if not isinstance(text, str):
            raise InvalidExpression(
                _(
                    "Invalid query string: ${text}. Give an expression.",
                    mapping={"text": repr(text)},
                )
            )
        if len(text) > MAX_EXPRESSION:
            raise InvalidExpression(
                _(
                    "Invalid query string: it has ${length} characters, allowed are ${limit}. "
                    "Give a shorter expression.",
                    mapping={"length": len(text), "limit": MAX_EXPRESSION},
                )
            )
        try:
            # RE2 keeps the last 128 expressions that were compiled; drop those.
            re2.purge()
            self._regex = re2.compile(b"(?m)" + text.encode("utf-8"), self._options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = "it is not Unicode text"
            if isinstance(error, re2.error):
                # RE2 quotes what it got, thus our flag in front, too.
                reason = error.args[0].decode("utf-8", "replace").replace("(?m)" + text, text)
            words = explanation(text, reason)
            refusal = InvalidExpression(
                _(
                    "Invalid query string: ${expression} (${reason}). ${explanation}",
                    mapping={
                        "expression": escape_message(text),
                        "reason": escape_message(reason),
                        "explanation": words,
                    },
                )
            )
            refusal.explanation = words
            raise refusal
        self._text = text
        # Found out with the first long block; the first one is used as long as it is good.
        self._sieves: list[Sieve] | None = None
        self._found_many = False
        self._crosses_lines = _may_match_line_end(text)
        self._sees_neighbours = _may_see_neighbours(text, self._crosses_lines)

    def spans(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Generate where the matching lines begin and end among the lines ``data[start:end]``."""
        is_long = end - start >= SAMPLE
        if self._sieves is None and is_long:
            sample = data[start : start + SAMPLE]
            self._sieves = sieves(self._text, not self._options.case_sensitive, sample)
        if self._sieves and not self._found_many:
            found = self._by_sieve(data, start, end)
        elif self._sees_neighbours:
            found = self._line_by_line(data, start, end)
        else:
            found = self._by_candidates(data, start, end)
        number = 0
        for span in found:
            number += 1
            yield span
        if is_long:
            # The next block will be like this one.
            self._found_many = number > self._MANY

    def matches(self, line: bytes) -> bool:
        """Tell whether one line, with its line end, matches."""
        found = self._regex.search(line)
        return found is not None and found.start() < len(line) + (not line.endswith(b"\n"))

    def marks(self, text: str) -> list[tuple[int, int]]:
        """Return where matches begin and end in the text of a line, which has no line end."""
        regex = re2.compile("(?m)" + self._text, self._options)
        found = []
        # The line end belongs to the line; it is not shown.
        for match in regex.finditer(text + "\n"):
            start, end = match.span()
            if start < min(end, len(text)):
                found.append((start, min(end, len(text))))
                if len(found) == MAX_MARKS:
                    break
        return found

    def _by_sieve(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        sieve, *others = self._sieves or []
        refused = 0
        for line, line_end in sieve.lines(data, start, end):
            if self.matches(data[line:line_end]):
                yield line, line_end
            else:
                refused += 1
        if refused > self._MANY:
            self._sieves = others

    def _line_by_line(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        while start < end:
            line_end = data.find(b"\n", start, end) + 1 or end
            if self.matches(data[start:line_end]):
                yield start, line_end
            start = line_end

    def _by_candidates(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        search = self._regex.search
        candidates = 0
        while start < end:
            if candidates == self._MAX_CANDIDATES and self._crosses_lines:
                yield from self._line_by_line(data, start, end)
                return
            found = search(data, start, end)
            if found is None:
                return
            candidates += 1
            # No line before the one where the leftmost match begins has a match.
            at = found.start()
            line_start = data.rfind(b"\n", start, at) + 1 or start
            if line_start == end:
                return  # an empty match behind the last line end
            start = data.find(b"\n", at, end) + 1 or end
            # A match within the line is one of the line alone.
            if not self._crosses_lines or self.matches(data[line_start:start]):
                yield line_start, start


# -- what an expression may do, judged by its text; in doubt, it may ------------

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_GROUP = re.compile(r"\(\?(?:i\)|i:|:|P?<)")
_MATCHES_NO_LINE_END = frozenset("bBdwSAz")


def _may_match_line_end(text: str) -> bool:
    """Tell whether the expression `text` may match a text with a line feed in it.

    Punctuation behind a backslash stands for itself; a range covers the line
    feed only when it begins with a control character, raw or escaped.
    """
    bare = _ESCAPE.sub("", text)
    return (
        any(char < " " for char in text)
        or any(char.isalnum() and char not in _MATCHES_NO_LINE_END for char in _escapes(text))
        or "[^" in bare
        or "[:" in bare
        or _has_flags(bare)
    )


def _may_see_neighbours(text: str, crosses_lines: bool) -> bool:
    """Tell whether a line may match alone, but not where other lines surround it.

    That is so for the anchors of a whole text, and for assertions that may stand
    behind a line end.
    """
    escapes = _escapes(text)
    bare = _ESCAPE.sub("", text).replace("[^", "[")
    if not escapes.isdisjoint("AzQ") or _has_flags(bare):
        return True
    return crosses_lines and ("^" in bare or "$" in bare or not escapes.isdisjoint("bB"))


def _escapes(text: str) -> set[str]:
    return set(_ESCAPE.findall(text))


def _has_flags(bare: str) -> bool:
    """Tell whether there are flags other than ``i``; groups without flags are none."""
    return "(?" in _GROUP.sub("", bare)
