"""How much is in folders, counted within bounds: no page waits for a hundred thousand files."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class FolderSize:
    """Number and bytes of the files in a folder, those of folders in it included.

    Without `is_complete` the time was over, and there is more.
    """

    name: str
    files: int
    size: int
    is_complete: bool


def measure(folder: str, names: Sequence[str], seconds: float | None) -> list[FolderSize]:
    """Return the sizes of folders below `folder`, ``""`` being the files of `folder` itself.

    All together take at most `seconds`; None for as long as it needs.  What cannot be read counts
    as empty.
    """
    until = None if seconds is None else time.monotonic() + seconds
    return [_measure(name, os.path.join(folder, name), name != "", until) for name in names]


def _measure(name: str, path: str, is_deep: bool, until: float | None) -> FolderSize:
    files = size = 0
    for entry in _files(path, is_deep):
        with suppress(OSError):
            size += entry.stat(follow_symlinks=False).st_size
            files += 1
        if until is not None and files % 64 == 0 and time.monotonic() > until:
            return FolderSize(name, files, size, False)
    return FolderSize(name, files, size, True)


def _files(path: str, is_deep: bool) -> Iterator["os.DirEntry[str]"]:
    """Generate the files in a folder, and with `is_deep` those of folders in it."""
    waiting = [path]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry
                elif is_deep:
                    waiting.append(entry.path)
