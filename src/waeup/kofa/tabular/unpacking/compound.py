"""Files of OLE, the containers of Office before 2007: names and content of their streams.

Runs in the worker.  Such a file is a small file system: a table of sectors (FAT) chains sectors
to streams, and a directory, itself a stream, names them in trees.  Only what lies in the root
counts; a Word document with a workbook inside is a Word document.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.unpacking.wording import SAVE_AS, UNLOCK, damaged, not_a_table

__all__ = ["CompoundFile", "kind_of_compound"]

_NONE = 0xFFFFFFFA  # this and what is above are no sectors
_SMALL = 64  # bytes of the sectors that short streams share
_NAMES = (
    ("EncryptedPackage", _("an Office file that is protected by a password")),
    ("WordDocument", _("a Word document")),
    ("PowerPoint Document", _("a PowerPoint presentation")),
    ("VisioDocument", _("a Visio drawing")),
    ("__properties_version1.0", _("a message of Outlook")),
)


def kind_of_compound(stream: BinaryIO, name: str) -> str:
    """Return ``xls`` if the OLE file `stream` is a workbook, else raise `TableError`."""
    try:
        names = set(CompoundFile(stream).entries)
    except (struct.error, ValueError) as error:
        raise damaged(name, str(error)) from None
    if names & {"Workbook", "Book"}:
        return "xls"
    for entry, what in _NAMES:
        if entry in names:
            advice = SAVE_AS if entry != _NAMES[0][0] else UNLOCK
            raise not_a_table(name, what, advice)
    raise not_a_table(name, _("an old Office file without a workbook"), SAVE_AS)


class _Entry(NamedTuple):
    start: int
    size: int
    left: int
    right: int
    child: int


class CompoundFile:
    """An OLE file; `entries` are the entries in its root by name.

    Raises ValueError or `struct.error` where the structure is broken.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.seek(0)
        header = stream.read(512)
        (shift,) = struct.unpack_from("<H", header, 30)
        if shift not in (9, 12):
            raise ValueError(f"sectors of 2**{shift} bytes")
        self._size = 1 << shift
        directory, _, self._mini_cutoff, mini_fat = struct.unpack_from("<4I", header, 48)
        self._fat = self._read_fat(header)
        listing = self._join(directory)
        self._mini_fat = _words(self._join(mini_fat))
        found = list(_read_entries(listing))
        if not found:
            raise ValueError("no directory")
        self._root = found[0][1]
        self.entries = dict(_siblings(found, self._root.child))

    def read(self, name: str) -> bytes:
        """Return the whole content of the stream `name` in the root."""
        entry = self.entries[name]
        if entry.size >= self._mini_cutoff:
            data = self._join(entry.start)
        else:
            small = self._join(self._root.start)
            chain = _chain(self._mini_fat, entry.start)
            data = b"".join(small[at * _SMALL : at * _SMALL + _SMALL] for at in chain)
        if len(data) < entry.size:
            raise ValueError(f"{len(data)} of {entry.size} bytes of {name}")
        return data[: entry.size]

    def _read_fat(self, header: bytes) -> tuple[int, ...]:
        sectors = list(struct.unpack_from("<109I", header, 76))
        (following,) = struct.unpack_from("<I", header, 68)
        seen: set[int] = set()
        while following < _NONE:
            if following in seen:
                raise ValueError("a circle of sectors")
            seen.add(following)
            *more, following = _words(self._sector(following))
            sectors += more
        return _words(b"".join(self._sector(sector) for sector in sectors if sector < _NONE))

    def _sector(self, number: int) -> bytes:
        self._stream.seek((number + 1) * self._size)
        data = self._stream.read(self._size)
        if not data:
            raise ValueError("a sector behind the end of the file")
        return data

    def _join(self, start: int) -> bytes:
        return b"".join(map(self._sector, _chain(self._fat, start)))


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)


def _chain(table: tuple[int, ...], start: int) -> Iterator[int]:
    for _step in range(len(table)):
        if start >= _NONE:
            return
        if start >= len(table):
            raise ValueError("a sector outside of the file")
        yield start
        start = table[start]
    if start < _NONE:
        raise ValueError("a circle of sectors")


def _read_entries(listing: bytes) -> Iterator[tuple[str, _Entry]]:
    for at in range(0, len(listing) - 127, 128):
        (length,) = struct.unpack_from("<H", listing, at + 64)
        name = listing[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        left, right, child = struct.unpack_from("<3I", listing, at + 68)
        start, size = struct.unpack_from("<2I", listing, at + 116)
        yield name, _Entry(start, size, left, right, child)


def _siblings(found: list[tuple[str, _Entry]], top: int) -> Iterator[tuple[str, _Entry]]:
    """Generate the entries of the tree below the number `top`."""
    waiting, seen = [top], set()
    while waiting:
        number = waiting.pop()
        if number >= len(found) or number in seen:
            continue
        seen.add(number)
        yield found[number]
        waiting += [found[number][1].left, found[number][1].right]
