"""Writing of log lines: one record is one line, whatever its text holds.

The engines above log what they do; this module is the last station before the
disk.  It keeps no file open: each write finds its file by name, so that a log
that was rotated or moved goes on in the right place, from any thread and any
forked process.

On one machine the system appends what one write brings as a whole.  On a shared directory the
machine reckons by itself where the end of a file is, and two that do so at once write over each
other's lines: there each write is done under a lock of the file (`shared_lines`).
"""

import contextlib
import errno
import fcntl
import logging
import os
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence

#: Form of a line (Kofa 1.9), for `logging.Formatter`; ``user`` is the id of a principal.
LINE_FORMAT = "%(asctime)s - %(levelname)s - %(user)s - %(message)s"

#: The head of such a line.
LINE_HEAD = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})?) - (?P<level>[A-Z]+) - "
    r"(?P<user>.+?) - ",
    re.ASCII,
)

# What ends a line, moves a cursor, or turns the direction of reading: the
# control characters (C0, DEL, C1), line and paragraph separators, and the
# direction marks.  Surrogates stand alone in a str only where bytes could not
# be decoded, and cannot be encoded.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC

#: Seconds that a write waits for its turn: who is paused must not stop all others.
PATIENCE = 2.0
#: Seconds between two attempts, at first.
PAUSE = 0.0005

_console = logging.getLogger("waeup.kofa")


def escape_message(text: str) -> str:
    r"""Return `text` with all that could forge or hide a line spelled out.

    A line feed becomes ``\n``, an escape ``\x1b``, a line separator ``\u2028``.
    Backslashes stay as they are, so that escaping twice changes nothing.
    """
    if text.isprintable():  # holds nothing of `_UNSAFE`, and is known in a fifth of the time
        return text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def format_line(text: str) -> str:
    """Return `text` as one line of a log, with its line end."""
    return escape_message(text) + "\n"


def append_line(path: str, line: str) -> None:
    """Append the text `line` to the log file `path`; see `append_lines`."""
    append_lines(path, [line])


def append_lines(path: str, lines: Sequence[str]) -> None:
    """Append texts to the log file `path`, each as one line, in a single write.

    Lines of several threads and processes do not mix.  The file is made when it
    is missing, and so is its folder, but not the folder of that.  Nothing is
    fsynced: a power cut may take the last lines.  Raises OSError.
    """
    if not lines:
        return
    # Nearly always there is nothing to spell out, which is known of all at once.
    if not "".join(lines).isprintable():
        lines = [escape_message(line) for line in lines]
    data = memoryview("\n".join([*lines, ""]).encode("utf-8"))
    try:
        fd = os.open(path, _APPEND, 0o660)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path))
        fd = os.open(path, _APPEND, 0o660)
    try:
        if _Sharing.is_on:
            _wait_for_turn(fd, path)
        # A regular file takes all at once, except when the disk is full.
        while data:
            data = data[os.write(fd, data) :]
    finally:
        # That forces the lines out to a server, and lets the lock go after that.
        os.close(fd)


# -- turns on a shared directory -------------------------------------------------------


class _Sharing:
    """Whether others write into the same files from other machines."""

    is_on = False
    #: Whether it was said that the file system keeps no locks.
    was_told = False


@contextlib.contextmanager
def shared_lines() -> Iterator[None]:
    """Let all threads of this process write in turn with those on other machines, in a block."""
    former = _Sharing.is_on
    _Sharing.is_on = True
    try:
        yield
    finally:
        _Sharing.is_on = former


def _lock_of_opening(fd: int) -> None:
    # Such a lock belongs to the descriptor: other threads that close the file do not release it.
    # A struct flock: its kind, and from byte 0 to the end of the file.
    wanted = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, wanted)


def _lock_of_process(fd: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


#: The ways to lock a file, the best one first; only some systems know that.
_WAYS: tuple[Callable[[int], None], ...] = (
    (_lock_of_opening, _lock_of_process) if hasattr(fcntl, "F_OFD_SETLK") else (_lock_of_process,)
)
#: What is said of a lock that somebody else has, and where there are none.
_TAKEN = frozenset({errno.EAGAIN, errno.EACCES})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


def _wait_for_turn(fd: int, path: str) -> None:
    """Lock a file until it is closed; without that a line is better than none."""
    for way in _WAYS:
        try:
            if not _locked(way, fd):
                _console.warning(
                    "Somebody has kept the log file %s locked for %d seconds; the lines are "
                    "written all the same. Look for a process that is paused.",
                    path,
                    PATIENCE,
                )
            return
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
    if not _Sharing.was_told:
        _Sharing.was_told = True
        _console.warning(
            "The file system of %s keeps no locks, so that log lines of several machines may "
            "write over each other. Mount it with locks.",
            path,
        )


def _locked(way: Callable[[int], None], fd: int) -> bool:
    """Lock a file in that way; tell whether that came off in time.  Raises OSError."""
    deadline, pause = time.monotonic() + PATIENCE, PAUSE
    while True:
        try:
            way(fd)
            return True
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
