"""References: a short name by which the page of an error and its entry in a log know each other.

A reference is read aloud and typed: eight characters in two groups, without those that are
mistaken for each other.  Entries begin with a time; what follows up to the next time, such as a
traceback, belongs to them.  In a log for programs an entry is a line of JSON, the time first; it
is given as people read it.
"""

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress

#: Bytes that are read of a log, from its end.
SEARCHED = 16 * 1024 * 1024
#: Characters of an entry that are given.
SHOWN = 20_000

_CHARACTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUP = 4
_REFERENCE = re.compile(rf"[{_CHARACTERS}]{{{_GROUP}}}-?[{_CHARACTERS}]{{{_GROUP}}}")
_MARK = re.compile(rf"\[({_REFERENCE.pattern})\]")
_BEGIN = re.compile(rb'(?m)^(?:\{"time": ")?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d')


def new_reference() -> str:
    """Return a new reference (40 bits), such as ``k7m2-9xqd``."""
    groups = ("".join(secrets.choice(_CHARACTERS) for _ in range(_GROUP)) for _ in range(2))
    return "-".join(groups)


def read_reference(text: str) -> str | None:
    """Return the reference that somebody has typed, as logs have it; None if it is none."""
    typed = re.sub(r"\s", "", text).lower()
    if not _REFERENCE.fullmatch(typed):
        return None
    bare = typed.replace("-", "")
    return f"{bare[:_GROUP]}-{bare[_GROUP:]}"


def marked(reference: str) -> str:
    """Return a reference as it stands in the first line of an entry."""
    return f"[{reference}]"


def reference_of(message: str) -> str:
    """Return the reference that the message of an entry begins with, or ''."""
    found = _MARK.match(message)
    return found[1] if found else ""


def find_entry(paths: Iterable[str], reference: str) -> str | None:
    """Return the entry of a reference, from the first of the log files `paths` that has it.

    At most `SEARCHED` bytes are read of each file and `SHOWN` characters are given; a file that
    cannot be read has none.
    """
    mark = marked(reference).encode()
    for path in paths:
        for entry in _entries_with(mark, _end_of(path)):
            text = _readable(entry.decode("utf-8", "replace").strip())
            return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n[...]"
    return None


def _readable(entry: str) -> str:
    """Return an entry as people read it: a line of JSON in its parts, others as they are."""
    try:
        said = json.loads(entry)
        head = [said[name] for name in ("time", "level", "logger", "message")]
    except (ValueError, KeyError, TypeError):
        return entry
    about = [f"{name}: {said[name]}" for name in ("run", "user") if said.get(name)]
    return "\n".join((" ".join(map(str, head)), *about, str(said.get("exception", "")))).strip()


def _end_of(path: str) -> bytes:
    """Return the last bytes of a file."""
    with suppress(OSError), open(path, "rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - SEARCHED))
        return log.read(SEARCHED)
    return b""


def _entries_with(mark: bytes, data: bytes) -> Iterator[bytes]:
    """Generate the entries of a log whose first line has a mark."""
    at = data.find(mark)
    while at >= 0:
        line = data.rfind(b"\n", 0, at) + 1
        if _BEGIN.match(data, line):
            end = data.find(b"\n", at)
            following = _BEGIN.search(data, end) if end >= 0 else None
            yield data[line : following.start() if following else len(data)]
        at = data.find(mark, at + 1)
