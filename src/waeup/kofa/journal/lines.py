"""Writing of log lines: one record is one line, whatever its text holds.

The engines above log what they do; this module is the last station before the
disk.  It keeps no file open: each write finds its file by name, so that a log
that was rotated or moved goes on in the right place, from any thread and any
forked process.
"""

import contextlib
import os
import re
from collections.abc import Sequence

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
        # A regular file takes all at once, except when the disk is full.
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
