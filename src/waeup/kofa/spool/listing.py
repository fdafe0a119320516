"""What is in a folder: a listing that costs one ``stat`` a file, and lines on demand."""

import codecs
import os
import stat
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from waeup.kofa.errors import InvalidName
from waeup.kofa.spool.disk import CHUNK, retried
from waeup.kofa.spool.names import check_name

#: Byte order marks of texts whose characters have two or four bytes, and how they are read.
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Item(NamedTuple):
    """A file in a storage.

    `folder` is the name of the folder below the storage, ``''`` for the storage
    itself; `size` counts bytes, `mtime` is seconds since 1970.  A tuple, for frozen data
    classes take five times as long to make, and listings make thousands.
    """

    name: str
    folder: str
    path: str
    size: int
    mtime: float


@retried
def scan(
    folder_path: str, folder: str = "", *, suffixes: tuple[str, ...] | None = None
) -> list[Item]:
    """List the regular files of `folder_path` (and links to such), sorted by name.

    `folder` becomes `Item.folder`; with `suffixes` only names with one of these
    endings are listed.  Names that `check_name` refuses, hidden ones above all, are
    not listed, and a missing folder has no files.
    """
    items = []
    try:
        with os.scandir(folder_path) as entries:
            for entry in entries:
                if suffixes is not None and not entry.name.endswith(suffixes):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    continue
                try:
                    check_name(entry.name)
                    status = entry.stat()
                except (InvalidName, FileNotFoundError):
                    continue
                if stat.S_ISREG(status.st_mode):
                    items.append(
                        Item(entry.name, folder, entry.path, status.st_size, status.st_mtime)
                    )
    except FileNotFoundError:
        return []
    items.sort(key=attrgetter("name"))
    return items


def size_text(size: int) -> str:
    """Return a number of bytes in words, as Kofa 1.9 shows it."""
    for exponent, unit in ((3, "GB"), (2, "MB"), (1, "kb")):
        if size >= 1024**exponent:
            return f"{size / 1024**exponent:.2f} {unit}"
    return f"{size} bytes"


@retried
def count_lines(path: str) -> int:
    """Return the number of physical lines of a file; a last one without end counts.

    Lines end with LF, or, where there is none in the whole file, with CR.  A byte order mark
    of UTF-16 or UTF-32 tells that these have more bytes.  The file is read once for each state
    it has.  Raises OSError.
    """
    status = os.stat(path)
    return _count(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _count(path: str, device: int, inode: int, size: int, mtime_ns: int) -> int:
    # All but the path tell the states of a file apart.
    newlines = returns = 0
    last = b"\n"
    wide = None
    with open(path, "rb") as stream:
        while data := stream.read(CHUNK):
            if stream.tell() == len(data):
                wide = next((name for mark, name in _WIDE if data.startswith(mark)), None)
            if wide is not None:
                data = data.decode(wide, "replace").encode("utf-8")
            newlines += data.count(b"\n")
            if not newlines:
                returns += data.count(b"\r")
            last = data[-1:]
    unterminated = last not in (b"\n" if newlines else b"\n\r")
    return (newlines or returns) + unterminated
