"""Searching log files for an expression that a person typed in.

Expressions run on RE2, in time linear to the text.  A file is read in blocks,
and RE2 looks for the next match in a whole block at once, which is many times
faster than line by line; the line around a match is then judged alone.  So
memory is bounded by the longest line, and the first hit comes at once.
"""

import os
import re
from collections.abc import Generator, Iterator
from io import FileIO
from itertools import islice

import re2

from waeup.kofa.errors import InvalidExpression, StorageFault
from waeup.kofa.journal.lines import escape_message
from waeup.kofa.journal.names import logfile_series

#: Length of the longest expression that is accepted, in characters.
MAX_EXPRESSION = 1000

# What RE2 may use for an expression, in bytes; an expression that needs more is refused.
_MAX_MEMORY = 8 * 1024 * 1024

_BLOCK_SIZE = 256 * 1024


def query(
    folder: str, basename: str, query: str | None, limit: int = 0, start: int = 0
) -> Generator[str, None, None]:
    """Generate the lines of the log `basename` in `folder` that match, oldest first.

    `query` is a regular expression in RE2's syntax, searched for in each line with
    its line end; ``^`` and ``$`` are the beginning and the end of the line.  At
    most `limit` lines are given (0: all), from match number `start`, counted from
    zero.  Lines have their line end, except for a last one that has none; bytes
    that are not UTF-8 show as U+FFFD.  A missing log has no lines.

    All errors come with the first line: `InvalidExpression` (a ValueError),
    `InvalidName`, `NoSuchItem`; `StorageFault` when a file cannot be read.
    """
    expression = _Expression(query)
    series = logfile_series(folder, basename)
    paths = (os.path.join(folder, name) for name in series)
    matches = (line for path in paths for line in _matches(path, expression))
    first = max(start, 0)
    for line in islice(matches, first, first + limit if limit > 0 else None):
        yield line.decode("utf-8", "replace")


def _matches(path: str, expression: "_Expression") -> Iterator[bytes]:
    """Generate the matching lines of one file."""
    try:
        with open(path, "rb", buffering=0) as log:
            for data, start, end in _blocks(log):
                yield from expression.lines(data, start, end)
    except FileNotFoundError:
        return  # rotated away since the folder was listed
    except OSError as error:
        raise StorageFault(f"Cannot read the log file {path}: {error.strerror or error}.")


def _blocks(log: FileIO) -> Iterator[tuple[bytes, int, int]]:
    """Generate ``(data, start, end)``, where ``data[start:end]`` are whole lines."""
    begun: list[bytes] = []  # pieces of a line whose end was not read yet
    while data := log.read(_BLOCK_SIZE):
        start = data.find(b"\n") + 1 if begun else 0
        end = data.rfind(b"\n") + 1
        if end and start:
            line = b"".join([*begun, data[:start]])
            begun = []
            yield line, 0, len(line)
        if end > start:
            yield data, start, end
        if end < len(data):
            begun.append(data[end:])
    if begun:
        line = b"".join(begun)
        yield line, 0, len(line)


class _Expression:
    """A compiled expression that finds the matching lines of a block.

    A line matches when the expression, searched for in this line alone, has a
    match that begins before the line end or at it.
    """

    # Where a match may reach over several lines, each candidate may cost a look at
    # the rest of the block.  Behind so many, a block goes on line by line.
    _MAX_CANDIDATES = 16

    def __init__(self, text: str | None) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_MEMORY
        options.never_capture = True
        if not isinstance(text, str):
            raise InvalidExpression(f"Invalid query string: {text!r}. Give an expression.")
        if len(text) > MAX_EXPRESSION:
            raise InvalidExpression(
                f"Invalid query string: it has {len(text)} characters, "
                f"allowed are {MAX_EXPRESSION}. Give a shorter expression."
            )
        try:
            # RE2 keeps the last 128 expressions that were compiled; drop those.
            re2.purge()
            self._regex = re2.compile(b"(?m)" + text.encode("utf-8"), options)
        except (re2.error, UnicodeEncodeError) as error:
            reason = "it is not Unicode text"
            if isinstance(error, re2.error):
                # RE2 quotes what it got, thus our flag in front, too.
                reason = error.args[0].decode("utf-8", "replace").replace("(?m)" + text, text)
            raise InvalidExpression(
                f"Invalid query string: {escape_message(text)} ({escape_message(reason)}). "
                "Give an expression in RE2's syntax, or put a backslash in front of "
                "characters such as ( [ * that stand for themselves."
            )
        self._crosses_lines = _may_match_line_end(text)
        self._sees_neighbours = _may_see_neighbours(text, self._crosses_lines)

    def lines(self, data: bytes, start: int, end: int) -> Iterator[bytes]:
        """Generate the matching lines among the whole lines ``data[start:end]``."""
        if self._sees_neighbours:
            return self._line_by_line(data, start, end)
        return self._by_candidates(data, start, end)

    def _line_by_line(self, data: bytes, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            line_end = data.find(b"\n", start, end) + 1 or end
            line = data[start:line_end]
            if self._matches(line):
                yield line
            start = line_end

    def _by_candidates(self, data: bytes, start: int, end: int) -> Iterator[bytes]:
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
            line = data[line_start:start]
            if self._matches(line):
                yield line

    def _matches(self, line: bytes) -> bool:
        found = self._regex.search(line)
        return found is not None and found.start() < len(line) + (not line.endswith(b"\n"))


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
