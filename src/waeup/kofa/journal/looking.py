"""Looking through logs page by page, in the order of time, from a place on.

Several logs are read side by side, so that lines come in the order of their times.  A page ends
when it is full, or when its time is over; the *place* where it ended is a text, from which the
next one goes on at once, whichever page it is.  A place says of each log how many bytes of which
file were read.  The file is known by what it begins with, and by what stands before the place: so
a place is good still when the log was rotated meanwhile.
"""

import heapq
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from io import FileIO
from itertools import repeat
from typing import NamedTuple
from urllib.parse import quote, unquote

import re2

from waeup.kofa.errors import NoSuchItem, Refused, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal.expressions import Expression
from waeup.kofa.journal.lines import escape_message
from waeup.kofa.journal.names import check_log_name, log_names, logfile_series
from waeup.kofa.journal.search import blocks, blocks_backwards, unreadable

#: Levels of lines, from the least one.
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: Characters of a user id, and of a text that must occur.
MAX_TEXT = 200
#: Bytes of lines after which a page is full, too: it is held and sent as a whole.
MAX_PAGE = 2 * 1024 * 1024
#: Characters of a place.
MAX_PLACE = 32_000

#: How a line begins that has a time, in the time of the server.
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})?")
_TIME_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:,]{8,12} - "
_TIME_LENGTH = len("2026-01-31 10:00:00,000")

# Of a file, so many bytes at its beginning, and before a place, tell it from others.
_KNOWN_BY = 256
_DONE = (-1, 0)
_PLACE = re.compile(r"([^:,]+):([0-9]{1,18}):([0-9a-f]{16})?")
# So many lines of a block that one expression has found and another one has refused are many.
_MANY = 64
# Where times are looked for in a file, this many bytes are near enough.
_NEAR = 64 * 1024
_STEP = 8 * 1024


@dataclass(frozen=True)
class Wanted:
    """Which lines are looked for: those that fit all of what is given.

    `expression` is searched for in RE2's syntax, in any case if `ignore_case`.  `officer` is the
    user of the line, `contains` a text that must occur as it is (what logs spell out, such as a
    tab, is looked for as it stands there), `level` the least level.
    `since` and `until` are times of the server as `TIME_FORMAT` has them, from the first that is
    wanted up to, but not including, the second.
    """

    expression: str = ""
    ignore_case: bool = False
    officer: str = ""
    contains: str = ""
    level: str = ""
    since: str = ""
    until: str = ""


class FoundLine(NamedTuple):
    """A line of a log, without its line end; bytes that are not UTF-8 show as U+FFFD."""

    log: str
    text: str


class _Step(NamedTuple):
    """How far a log was read: up to `offset` in the file number `file`, with a line or without.

    All that is read later has a time behind `key`, in the direction of reading.  File -1:
    there is nothing more.
    """

    key: bytes
    line: bytes | None
    file: int
    offset: int


class _File(NamedTuple):
    """A file of a log as it was when the look began."""

    path: str
    identity: tuple[int, int]
    size: int


class Look:
    """Generates the lines of the logs `names` in `folder` that are `wanted`, once.

    The newest come first with `newest`.  It ends after `limit` lines, or `MAX_PAGE` bytes of them
    (0: never), or `seconds`, and goes on from `place`, which is that of another look of the same
    kind.  Then `place` says where it has ended (``''``: everything was read), `is_full` that it
    was the limit, `is_late` that it was the time; `reached` is the time of the log up to which all
    was read, as far as it is known.

    All refusals come at once: `InvalidExpression`, `InvalidName`, `NoSuchItem` and `Refused`.
    `StorageFault` comes with the lines, when a file cannot be read.
    """

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        wanted: Wanted,
        *,
        newest: bool = True,
        place: str = "",
        limit: int = 0,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sought = _Sought(wanted)
        self._folder = folder
        self._newest = newest
        self._limit = limit
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._files = {check_log_name(name): _files_of(folder, name) for name in names}
        self._places = self._begin(place)
        self.place = ""
        self.reached = ""
        self.is_full = self.is_late = False

    def __iter__(self) -> Iterator[FoundLine]:
        """Generate the lines."""
        return (line for line in self.steps() if line is not None)

    def steps(self) -> Iterator[FoundLine | None]:
        """Generate the lines, and None where some time went by without one."""
        read = self._backwards if self._newest else self._forwards
        streams = [
            zip(repeat(name), read(name), strict=False)
            for name, place in self._places.items()
            if place != _DONE
        ]
        number = size = 0
        # Whichever log is behind the others in time is read next.
        merged = heapq.merge(*streams, key=lambda item: item[1].key, reverse=self._newest)
        for name, step in merged:
            self._places[name] = step.file, step.offset
            if step.key[:1].isdigit():
                self.reached = step.key[:19].decode("ascii")
            if step.line is None:
                yield None
            else:
                number += 1
                size += len(step.line)
                yield FoundLine(name, step.line.decode("utf-8", "replace").rstrip("\r\n"))
            if self._limit and (number == self._limit or size >= MAX_PAGE):
                self.is_full = True
                break
            if self._end is not None and self._clock() >= self._end:
                self.is_late = True
                break
        self.place = self._told()
        if self._newest and not self.place:
            self.is_full = self.is_late = False

    # -- places ----------------------------------------------------------------------

    def _begin(self, place: str) -> dict[str, tuple[int, int]]:
        """Return for each log the number of a file, and the byte there, to begin at."""
        begun: dict[str, tuple[int, int]] = {}
        for part in place.split(",") if place else ():
            found = _PLACE.fullmatch(part)
            name = unquote(found[1]) if found else ""
            if found is None or len(place) > MAX_PLACE:
                raise Refused(
                    _("This is not a place in the logs to go on from. Search anew without it.")
                )
            check_log_name(name)
            if name in self._files and name not in begun:
                offset = int(found[2])
                begun[name] = self._found(name, offset, found[3] or "") if offset else _DONE
        for name, files in self._files.items():
            if name in begun:
                continue
            if not self._newest:
                begun[name] = (0, 0) if files else _DONE
            else:
                # A log that has come since the first page has newer lines only.
                is_new = bool(place) or not files
                begun[name] = _DONE if is_new else (len(files) - 1, files[-1].size)
        return begun

    def _found(self, name: str, offset: int, known_by: str) -> tuple[int, int]:
        files = self._files[name]
        for index in reversed(range(len(files))):
            file = files[index]
            if file.size >= offset and _known_by(self._folder, file, offset) == known_by:
                return index, offset
        raise NoSuchItem(
            _(
                "The log ${name} was rotated, and the file to go on from is not there any more. "
                "Search anew.",
                mapping={"name": name},
            )
        )

    def _told(self) -> str:
        """Return the place that was reached, '' when there is nothing more to come."""
        parts = []
        is_over = self._newest
        for name, (index, offset) in self._places.items():
            files = self._files[name]
            # The beginning of a file is the end of the one before.
            while not offset and index > 0:
                index -= 1
                offset = files[index].size
            known_by = ""
            if offset and index >= 0:
                known_by = _known_by(self._folder, files[index], offset)
                is_over = False
            elif not self._newest:
                continue  # from the beginning on, also of what may come
            parts.append(f"{quote(name, safe='')}:{offset}:{known_by}")
        return "" if is_over else ",".join(parts)

    # -- reading ---------------------------------------------------------------------

    def _backwards(self, name: str) -> Iterator[_Step]:
        sought, files = self._sought, self._files[name]
        last, offset = self._places[name]
        key = b"\xff"
        for index in range(last, -1, -1):
            with _opened(self._folder, files[index]) as log:
                end = offset if index == last else files[index].size
                if log is None:
                    continue
                end = min(end, sought.end_in(log, files[index].size))
                for data, at, first, stop in blocks_backwards(log, end):
                    for start, line_end in reversed(list(sought.spans(data, first, stop))):
                        line = data[start:line_end]
                        key = min(key, _time_of(line) or key)
                        yield _Step(key, line, index, at + start)
                    key = min(key, _time_of(data[first : first + _TIME_LENGTH]) or key)
                    yield _Step(key, None, index, at + first)
                    if sought.is_before(key):
                        yield _Step(key, None, *_DONE)
                        return
        yield _Step(key, None, *_DONE)

    def _forwards(self, name: str) -> Iterator[_Step]:
        sought, files = self._sought, self._files[name]
        begun, offset = self._places[name]
        key = b""
        for index in range(begun, len(files)):
            with _opened(self._folder, files[index]) as log:
                if log is None:
                    continue
                start = offset if index == begun else 0
                start = max(start, sought.start_in(log, files[index].size))
                for data, at, first, stop in blocks(log, start):
                    # A line without an end may be written at this moment: it comes again.
                    whole = data.rfind(b"\n", first, stop) + 1 or first
                    for begin, end in sought.spans(data, first, stop):
                        line = data[begin:end]
                        key = max(key, _time_of(line))
                        yield _Step(key, line, index, at + min(end, whole))
                    key = max(key, _time_of(data[first : first + _TIME_LENGTH]))
                    yield _Step(key, None, index, at + whole)
                    if sought.is_behind(key):
                        return


class _Sought:
    """What is wanted, as expressions for whole blocks, and as times."""

    def __init__(self, wanted: Wanted) -> None:
        self._since, self._until = wanted.since.encode("ascii"), wanted.until.encode("ascii")
        asked = Expression(wanted.expression, ignore_case=wanted.ignore_case)
        officer, contains = map(escape_message, (wanted.officer, wanted.contains))
        for text in (officer, contains):
            if len(text) > MAX_TEXT:
                raise TooLarge(
                    _(
                        "A user or a text to look for has at most ${limit} characters. Give a "
                        "shorter one.",
                        mapping={"limit": MAX_TEXT},
                    )
                )
        if wanted.level and wanted.level not in LEVELS:
            raise Refused(
                _(
                    "There is no level ${level}. Choose one of: ${levels}.",
                    mapping={"level": wanted.level, "levels": ", ".join(LEVELS)},
                )
            )
        # What is exact finds fewer lines, as a rule.
        self._expressions = [Expression(re2.escape(contains))] if contains else []
        if officer or wanted.level:
            self._expressions.append(Expression(_head(officer, wanted.level)))
        if wanted.expression:
            self._expressions.append(asked)

    def spans(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Generate where the wanted lines begin and end among ``data[start:end]``."""
        if not self._expressions:
            yield from (s for s in _lines(data, start, end) if self._is_in_time(data, s[0]))
            return
        first, *others = self._expressions
        refused = 0
        for begin, stop in first.spans(data, start, end):
            if not self._is_in_time(data, begin):
                continue
            if all(expression.matches(data[begin:stop]) for expression in others):
                yield begin, stop
            else:
                refused += 1
        if refused > _MANY:
            # The next block is held against what finds less.
            self._expressions = [*others, first]

    def _is_in_time(self, data: bytes, begin: int) -> bool:
        """Tell whether the line that begins there has a time that is wanted."""
        if not self._since and not self._until:
            return True
        found = _TIME.match(data, begin)
        if found is None:
            return False
        return found[0] >= self._since and (not self._until or found[0] < self._until)

    # Clocks are put back, and servers are moved to other zones: times in a log go back by a day
    # at most.

    def start_in(self, log: FileIO, size: int) -> int:
        """Return the beginning of a line before which nothing in a file is wanted."""
        return _offset_of(log, size, _a_day_from(self._since, -1))[0] if self._since else 0

    def end_in(self, log: FileIO, size: int) -> int:
        """Return the end of a line behind which nothing in a file is wanted."""
        return _offset_of(log, size, _a_day_from(self._until, 1))[1] if self._until else size

    def is_before(self, key: bytes) -> bool:
        """Tell whether lines before this time are too old."""
        return bool(self._since) and key < _a_day_from(self._since, -1)

    def is_behind(self, key: bytes) -> bool:
        """Tell whether lines behind this time are too new."""
        return bool(self._until) and key > _a_day_from(self._until, 1)


# -- files ------------------------------------------------------------------------------


def _files_of(folder: str, name: str) -> list[_File]:
    """Return the files of a log, the oldest first, each once, also while it is rotated."""
    former = None
    while True:
        found: dict[tuple[int, int], _File] = {}
        for each in logfile_series(folder, name):
            path = os.path.join(folder, each)
            with suppress(FileNotFoundError):
                status = os.stat(path)
                identity = status.st_dev, status.st_ino
                found[identity] = _File(path, identity, status.st_size)
        now = [(file.path, file.identity) for file in found.values()]
        if now == former:
            return list(found.values())
        former = now


@contextmanager
def _opened(folder: str, file: _File) -> Iterator[FileIO | None]:
    """Open a file that may have another name meanwhile; gives None when it is gone."""
    try:
        log = _open(folder, file)
        if log is None:
            yield None
        else:
            with log:
                yield log
    except OSError as error:
        raise unreadable(file.path, error)


def _open(folder: str, file: _File) -> FileIO | None:
    for path in _paths(folder, file):
        with suppress(FileNotFoundError):
            log = open(path, "rb", buffering=0)  # noqa: SIM115  (the caller closes it)
            status = os.fstat(log.fileno())
            if (status.st_dev, status.st_ino) == file.identity:
                return log
            log.close()
    return None


def _paths(folder: str, file: _File) -> Iterator[str]:
    """Generate where a file of a log may be."""
    yield file.path
    yield from (os.path.join(folder, name) for name in log_names(folder, exclude_backups=False))


def _known_by(folder: str, file: _File, offset: int) -> str:
    """Return what tells a place in a file from others, '' when the file is gone."""
    with _opened(folder, file) as log:
        if log is None:
            return ""
        known = blake2b(str(offset).encode("ascii"), digest_size=8)
        for start in (0, max(offset - _KNOWN_BY, 0)):
            log.seek(start)
            known.update(log.read(min(_KNOWN_BY, offset)))
        return known.hexdigest()


# -- times ------------------------------------------------------------------------------


def _time_of(line: bytes) -> bytes:
    """Return the time that a line begins with, b'' for a line without."""
    found = _TIME.match(line)
    return found[0] if found else b""


def _lines(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Generate where lines begin and end."""
    while start < end:
        stop = data.find(b"\n", start, end) + 1 or end
        yield start, stop
        start = stop


@lru_cache(maxsize=8)
def _a_day_from(moment: bytes, days: int) -> bytes:
    """Return a time some days later or, below zero, earlier."""
    try:
        day = datetime.fromisoformat(moment.decode("ascii")) + timedelta(days=days)
    except OverflowError:
        return moment
    # Years have four digits here, also early ones.
    return day.isoformat(" ", "seconds").encode("ascii")


def _offset_of(log: FileIO, size: int, moment: bytes) -> tuple[int, int]:
    """Return beginnings of lines, or the end, not far before and not far behind a time."""
    low, high = 0, size
    while high - low > _NEAR:
        middle = (low + high) // 2
        log.seek(middle)
        found = next(
            (_time_of(line) for line in log.read(_STEP).split(b"\n")[1:] if _time_of(line)), b""
        )
        if not found:
            break  # no line begins here: what is between is read
        if found < moment:
            low = middle
        else:
            high = middle
    return _line_behind(log, low, size), _line_behind(log, high, size)


def _line_behind(log: FileIO, offset: int, size: int) -> int:
    """Return where the next line begins, or the end."""
    if not 0 < offset < size:
        return min(offset, size)
    log.seek(offset)
    at = offset
    while data := log.read(_STEP):
        if b"\n" in data:
            return at + data.index(b"\n") + 1
        at += len(data)
    return size


def _head(officer: str, level: str) -> str:
    """Return the expression for the beginning of a line of a user, or of a level at least."""
    levels = "|".join(LEVELS[LEVELS.index(level) :]) if level else "[A-Z]+"
    user = f"{re2.escape(officer)} - " if officer else ""
    return f"{_TIME_PATTERN}(?:{levels}) - {user}"
