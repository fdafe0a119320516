"""Parts of files: what a browser asks for that goes on with a broken download (RFC 9110, 14).

Knows one part of a file.  Several at once, and what is no request for a part, give the whole.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from zope.interface import implementer
from zope.publisher.interfaces.http import IResult

from waeup.kofa.browser.downloads import BLOCK

# More digits than any file has bytes are no request for a part.
_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,30})-([0-9]{0,30})[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """There is nothing of the file in the part that is asked for."""


class Part(NamedTuple):
    """Bytes of a file: so many from the one at position `start`."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the header Content-Range for this part of a file of `size` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def part_of(size: int, wanted: str | None, if_range: str | None, etag: str) -> Part | None:
    """Return the part of a file of `size` bytes that a request wants, or None for the whole.

    `wanted` and `if_range` are the headers Range and If-Range, `etag` is the tag of the file:
    who holds the beginning of another file gets this one as a whole.  Raises `Unsatisfiable`.
    """
    found = _ONE_RANGE.fullmatch(wanted or "")
    if found is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = found.groups()
    if not first:
        return _end_of(size, last)
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Part(start, stop - start)


def _end_of(size: int, number: str) -> Part | None:
    """Return the part with the last `number` bytes."""
    if not number or not size:
        return None
    length = min(int(number), size)
    if not length:
        raise Unsatisfiable
    return Part(size - length, length)


@implementer(IResult)
class FilePart:
    """Sends a part of an open file.

    The server closes it, also when nobody reads to the end, or at all.
    """

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self._file = file
        self._part = part

    def __iter__(self) -> Iterator[bytes]:
        """Generate the bytes, block by block."""
        with self._file as file:
            file.seek(self._part.start)
            left = self._part.length
            while left and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block

    def close(self) -> None:
        """Close the file."""
        self._file.close()
