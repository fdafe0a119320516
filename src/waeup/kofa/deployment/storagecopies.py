"""Copies of a storage that follow what changes in it: the files of a backup.

Most is copied while everybody works; under the lock of the storage only what has changed since.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from waeup.kofa.errors import ItemBusy
from waeup.kofa.spool import WORK
from waeup.kofa.spool.copying import Copy, copied
from waeup.kofa.spool.disk import remove_file, walk

#: Work folders that are of no use after a restart.
_NEEDLESS = ("upload-", "move-")
#: Folders to which lines and results come while the lock is held.
_GROWING = (WORK, "logs")
#: How often it is looked at most whether nothing has changed any more, under the lock.
LOOKS = 50

#: Told in words what is done, and how far it is (0 to 1).
Tell = Callable[[str, float], object]


def files_of(storage: str) -> Iterator[tuple[str, os.stat_result]]:
    """Generate the files of a storage by their names in it, and their states.

    Entries that are links to folders are gone through; other links are passed over here.
    """
    prefix = os.path.join(storage, "")
    for entry in sorted(os.listdir(storage)):
        path = os.path.join(storage, entry)
        if not os.path.isdir(path):
            with suppress(FileNotFoundError):
                status = os.stat(path)
                if stat.S_ISREG(status.st_mode):
                    yield entry, status
            continue
        for folder, folders, names in walk(path):
            if folder == os.path.join(storage, WORK):
                folders[:] = [name for name in folders if not name.startswith(_NEEDLESS)]
            for name in sorted(names):
                inner = os.path.join(folder, name)
                with suppress(FileNotFoundError):
                    status = os.lstat(inner)
                    if stat.S_ISREG(status.st_mode):
                        yield inner.removeprefix(prefix), status


class _Mark(NamedTuple):
    """What tells the states of a file apart."""

    inode: int
    size: int
    mtime: int
    ctime: int


def _mark(status: os.stat_result) -> _Mark:
    return _Mark(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class StorageCopy:
    """A copy of the folder `storage` in the new folder `target`, which follows what changes."""

    def __init__(self, storage: str, target: Path) -> None:
        self._storage = storage
        self._target = str(target)
        self._marks: dict[str, _Mark] = {}

    def inodes(self) -> dict[str, int]:
        """Return the files that are copied, by name, and the inodes that these have had."""
        return {name: mark.inode for name, mark in self._marks.items()}

    def copy(self, tell: Tell = lambda words, share: None) -> int:
        """Copy what is new or has changed, and forget what has gone; return the bytes written."""
        found = dict(files_of(self._storage))
        total = self._add(found, tell)
        for name in self._marks.keys() - found.keys():
            del self._marks[name]
            with suppress(FileNotFoundError):
                remove_file(os.path.join(self._target, name))
        return total

    def settle(self) -> None:
        """Copy until nothing but what grows has changed meanwhile; the lock is held.

        Who has deleted a file may just be moving it, which needs no lock.
        """
        for _look in range(LOOKS):
            before = self._settled()
            self.copy()
            if self._settled() == before:
                return
        raise ItemBusy(
            f"Files in {self._storage} keep changing although nobody may put any there now. See "
            "which program does it, and repeat the command."
        )

    def _settled(self) -> dict[str, _Mark]:
        return {
            name: mark
            for name, mark in self._marks.items()
            if name.partition(os.sep)[0] not in _GROWING
        }

    def add(self) -> None:
        """Copy what has come to what grows; nothing is forgotten."""
        self._add(
            {
                name: status
                for name, status in files_of(self._storage)
                if name.partition(os.sep)[0] in _GROWING
            }
        )

    def _add(
        self, found: dict[str, os.stat_result], tell: Tell = lambda words, share: None
    ) -> int:
        self._make_folders()
        wanted = [
            (name, status.st_size)
            for name, status in found.items()
            if self._marks.get(name) != _mark(status)
        ]
        total = sum(size for _name, size in wanted)
        prefix, done = os.path.join(self._storage, ""), 0

        def count(written: int, _files: int) -> None:
            nonlocal done
            done += written
            tell("files", min(1.0, done / total) if total else 1.0)

        copies = (
            Copy(os.path.join(self._storage, name), os.path.join(self._target, name), size)
            for name, size in wanted
        )
        for each in copied(copies, count):
            self._marks[each.copy.source.removeprefix(prefix)] = _mark(each.status)
        return total

    def _make_folders(self) -> None:
        """Make the folders of the copy, and the links in them."""
        prefix = os.path.join(self._storage, "")
        for entry in sorted(os.listdir(self._storage)):
            path = os.path.join(self._storage, entry)
            if not os.path.isdir(path):
                continue
            for folder, folders, names in walk(path):
                if folder == os.path.join(self._storage, WORK):
                    folders[:] = [name for name in folders if not name.startswith(_NEEDLESS)]
                place = os.path.join(self._target, folder.removeprefix(prefix))
                os.makedirs(place, mode=0o700, exist_ok=True)
                with suppress(FileNotFoundError):
                    os.chmod(place, stat.S_IMODE(os.stat(folder).st_mode) | 0o700)
                for name in (*folders, *names):
                    link = os.path.join(folder, name)
                    if os.path.islink(link) and not os.path.lexists(os.path.join(place, name)):
                        os.symlink(os.readlink(link), os.path.join(place, name))
