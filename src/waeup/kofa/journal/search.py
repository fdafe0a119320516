"""Searching log files for an expression that a person typed in.

A file is read in blocks, in which `Expression` finds lines.  So memory is bounded by the longest
line, and the first hit comes at once.
"""

import os
from collections.abc import Generator, Iterator
from io import FileIO
from itertools import islice

from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal.expressions import Expression
from waeup.kofa.journal.names import logfile_series

_BLOCK_SIZE = 256 * 1024
_FIRST_BLOCK = 16 * 1024


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
    expression = Expression(query)
    series = logfile_series(folder, basename)
    paths = (os.path.join(folder, name) for name in series)
    matches = (line for path in paths for line in _matches(path, expression))
    first = max(start, 0)
    for line in islice(matches, first, first + limit if limit > 0 else None):
        yield line.decode("utf-8", "replace")


def _matches(path: str, expression: Expression) -> Iterator[bytes]:
    """Generate the matching lines of one file."""
    try:
        with open(path, "rb", buffering=0) as log:
            for data, _at, first, last in blocks(log):
                for start, end in expression.spans(data, first, last):
                    yield data[start:end]
    except FileNotFoundError:
        return  # rotated away since the folder was listed
    except OSError as error:
        raise unreadable(path, error)


def unreadable(path: str, error: OSError) -> StorageFault:
    """Return the fault that says why a log file cannot be read."""
    return StorageFault(
        _(
            "Cannot read the log file ${path}: ${text}.",
            mapping={"path": path, "text": error.strerror or error},
        )
    )


def blocks(log: FileIO, at: int = 0) -> Iterator[tuple[bytes, int, int, int]]:
    """Generate ``(data, at, start, end)``, where ``data[start:end]`` are whole lines.

    `data` begins at the byte `at` of the file.  The first block begins at the byte that is
    given, which must be the beginning of a line.
    """
    log.seek(at)
    begun: list[bytes] = []  # pieces of a line whose end was not read yet
    begun_at = at
    while data := log.read(_BLOCK_SIZE):
        start = data.find(b"\n") + 1 if begun else 0
        end = data.rfind(b"\n") + 1
        if end and start:
            line = b"".join([*begun, data[:start]])
            begun = []
            yield line, begun_at, 0, len(line)
        if end > start:
            yield data, at, start, end
        if end < len(data):
            if not begun:
                begun_at = at + end
            begun.append(data[end:])
        at += len(data)
    if begun:
        line = b"".join(begun)
        yield line, begun_at, 0, len(line)


def blocks_backwards(log: FileIO, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Generate blocks as `blocks` does, from the last one to the first.

    The last one ends at the byte `end`.  The first ones are small: often they hold enough.
    Ends early where the file was cut meanwhile.
    """
    begun: list[bytes] = []  # pieces of a line whose beginning was not read yet, the last first
    size = min(_FIRST_BLOCK, _BLOCK_SIZE)
    while end:
        at = max(end - size, 0)
        log.seek(at)
        data = _read(log, end - at)
        if len(data) < end - at:
            return
        start = data.find(b"\n") + 1 if at else 0
        stop = data.rfind(b"\n") + 1
        if stop or not at:
            line = b"".join([data[stop:], *reversed(begun)])
            begun = []
            if line:
                yield line, at + stop, 0, len(line)
        if start < stop:
            yield data, at, start, stop
        if at:
            begun.append(data[:start] if start else data)
        end = at
        size = min(2 * size, _BLOCK_SIZE)


def _read(log: FileIO, size: int) -> bytes:
    """Return the next `size` bytes; fewer at the end of the file only."""
    data = log.read(size)
    while len(data) < size and (more := log.read(size - len(data))):
        data += more
    return data
