"""A whole storage is copied to another place while work goes on in it.

::

    copy ... copy        what is new or has changed comes into a work folder of the target
      place              under the locks: the copies come to their places, at one stroke each
    finish | take_back   what was replaced goes, or comes back

The work folder of the target keeps what was copied, with the state of the file then, so that a
killed move goes on where it was.  What counts as copied is on the disk, and was compared; see
`waeup.kofa.spool.copying`.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, TextIO

from waeup.kofa.spool.copying import Copied, Copy, Tell, copied
from waeup.kofa.spool.disk import disk, remove_file, remove_tree, walk
from waeup.kofa.spool.locks import storage_lock
from waeup.kofa.spool.work import WORK, WorkFolder

#: How the ids of the work folders of moves begin.
PREFIX = "move-"
#: Names in the work folder: copies, what they have replaced, and lists.
NEW, REPLACED, COPIED, PLACING = "new", "replaced", "copied.jsonl", "placing.json"


class Mark(NamedTuple):
    """What tells the states of a file apart."""

    inode: int
    size: int
    mtime: int
    ctime: int


class Extent(NamedTuple):
    """How much there is to copy."""

    files: int
    bytes: int


class StorageMove:
    """A move of the entries of the folder `source` to the folder `target`; `id` names it.

    As in Kofa 1.9, names that begin with a dot are not copied, and an entry that the target has
    already is left alone, or replaced as a whole with `overwrite`.  Neither are devices, pipes and
    sockets copied.  `not_copied` holds the names, as paths below the source.

    Use it in a ``with`` statement: the work folder is locked meanwhile.  Raises `ItemBusy` when
    another process has it, and `StorageFault`.
    """

    def __init__(self, source: str, target: str, id: str, overwrite: bool = False) -> None:
        self.source = source
        self.target = target
        self.overwrite = overwrite
        self.not_copied: list[str] = []
        self._source_prefix = os.path.join(source, "")
        self._source_id = _identity(source)
        self._work = WorkFolder(target, PREFIX + id)
        self._new, self._replaced, self._copied, self._placing = (
            os.path.join(self._work.path, name) for name in (NEW, REPLACED, COPIED, PLACING)
        )
        try:
            for path in (self._new, self._replaced):
                with suppress(FileExistsError):
                    disk.mkdir(path, 0o700)
            self._marks = self._known()
        except BaseException:
            self._work.close()
            raise

    def __enter__(self) -> "StorageMove":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._work.close()

    # -- copying --------------------------------------------------------------------

    def extent(self) -> Extent:
        """Return how much there is in the storage that would be copied."""
        files = size = 0
        for _name, _path, status in self._files(self._names()):
            files, size = files + 1, size + status.st_size
        return Extent(files, size)

    def missing(self) -> int:
        """Return the number of bytes that are still to be copied."""
        return sum(
            status.st_size
            for name, _path, status in self._files(self._names())
            if not self._is_copied(name, status)
        )

    def copy(self, tell: Tell = lambda written, files: None) -> int:
        """Copy what is new or has changed since, forget what has gone; return the bytes written.

        What was there before counts as told.
        """
        self.not_copied = []
        there: set[str] = set()
        names = self._names()
        self._make_folders(names)

        def wanted() -> Iterator[Copy]:
            for name, path, status in self._files(names):
                there.add(name)
                if self._is_copied(name, status):
                    tell(status.st_size, 1)
                else:
                    # Should it go now, there is no copy of it.
                    self._marks.pop(name, None)
                    yield Copy(path, os.path.join(self._new, name), status.st_size)

        with self._notes() as notes:
            total = sum(self._note(found, notes) for found in copied(wanted(), tell))
        self._forget(there, names)
        for folder, _folders, _files in os.walk(self._new, topdown=False):
            disk.sync_folder(folder)
        self._work.sync()
        return total

    def _names(self) -> list[str]:
        """Return the names of the entries that are to be copied; those left alone are noted."""
        found = []
        for name in sorted(os.listdir(self.source)):
            if name.startswith("."):
                continue
            is_taken = os.path.lexists(os.path.join(self.target, name)) and not self.overwrite
            if is_taken or not _is_file_or_folder(os.path.join(self.source, name)):
                if name not in self.not_copied:
                    self.not_copied.append(name)
                continue
            found.append(name)
        return found

    def _files(self, names: list[str]) -> Iterator[tuple[str, str, os.stat_result]]:
        """Generate relative name, path and state of the files of entries."""
        for name in names:
            path = os.path.join(self.source, name)
            if not os.path.isdir(path):
                with suppress(FileNotFoundError):
                    yield name, path, os.stat(path)
                continue
            for folder, _folders, files in walk(path):
                for file in sorted(files):
                    inner = os.path.join(folder, file)
                    with suppress(FileNotFoundError):
                        status = os.lstat(inner)
                        relative = self._relative(inner)
                        if stat.S_ISREG(status.st_mode):
                            yield relative, inner, status
                        elif not stat.S_ISLNK(status.st_mode) and relative not in self.not_copied:
                            self.not_copied.append(relative)

    def _make_folders(self, names: list[str]) -> None:
        """Make the folders of the copies, and the links in them."""
        for name in names:
            path = os.path.join(self.source, name)
            if not os.path.isdir(path):
                continue
            for folder, folders, files in walk(path):
                relative = self._relative(folder)
                copied = os.path.join(self._new, relative)
                with suppress(FileExistsError):
                    disk.mkdir(copied, 0o700)
                with suppress(FileNotFoundError):
                    os.chmod(copied, stat.S_IMODE(os.stat(folder).st_mode) | 0o700)
                for each in (*folders, *files):
                    link, place = os.path.join(folder, each), os.path.join(copied, each)
                    if os.path.islink(link) and not os.path.lexists(place):
                        os.symlink(os.readlink(link), place)

    def _is_copied(self, name: str, status: os.stat_result) -> bool:
        """Tell whether the copy of a file is there, and the file is what it was."""
        if self._marks.get(name) != _mark(status):
            return False
        try:
            return os.lstat(os.path.join(self._new, name)).st_size == status.st_size
        except FileNotFoundError:
            return False

    def _notes(self) -> TextIO:
        """Open the list of what was copied; each line is written at once."""
        return open(self._copied, "a", encoding="ascii", buffering=1)

    def _note(self, found: Copied, notes: TextIO) -> int:
        """Keep what was copied; what gets lost of this is copied again.  Return its bytes."""
        name, mark = self._relative(found.copy.source), _mark(found.status)
        self._marks[name] = mark
        notes.write(json.dumps([name, *mark]) + "\n")
        return mark.size

    def _relative(self, path: str) -> str:
        """Return a path in the source as one below it, ten times as fast as `os.path.relpath`."""
        return path.removeprefix(self._source_prefix)

    def _known(self) -> dict[str, Mark]:
        """Return what a former process has copied."""
        found: dict[str, Mark] = {}
        with suppress(FileNotFoundError), open(self._copied, encoding="ascii") as stream:
            for line in stream:
                with suppress(ValueError, TypeError):  # a torn line
                    # Moves of before have put a digest behind it.
                    name, *values = json.loads(line)[:5]
                    found[name] = Mark(*values)
        return found

    def _forget(self, there: set[str], names: list[str]) -> None:
        """Remove the copies of what is not there any more, and what was noted of it."""
        self._marks = {name: mark for name, mark in self._marks.items() if name in there}
        entries, prefix = set(names), os.path.join(self._new, "")
        for folder, folders, files in os.walk(self._new, topdown=False):
            for each in (*files, *folders):
                path = os.path.join(folder, each)
                relative = path.removeprefix(prefix)
                if relative in there:
                    continue
                if os.path.islink(path) or os.path.isdir(path):
                    is_of_entry = relative.split(os.sep, 1)[0] in entries
                    if is_of_entry and os.path.lexists(os.path.join(self.source, relative)):
                        continue
                    (disk.unlink if os.path.islink(path) else disk.rmdir)(path)
                else:
                    disk.unlink(path)

    # -- places ---------------------------------------------------------------------

    def place(self) -> list[str]:
        """Put the copies into their places; return the names of the entries.

        The caller has the lock of the source.
        """
        with storage_lock(self.target):
            names = [
                name
                for name in sorted(os.listdir(self._new))
                if self.overwrite or not os.path.lexists(os.path.join(self.target, name))
            ]
            self._intend(names)
            for name in names:
                place = os.path.join(self.target, name)
                if os.path.lexists(place):
                    disk.replace(place, os.path.join(self._replaced, name))
                disk.replace(os.path.join(self._new, name), place)
            self._sync()
        return names

    def take_back(self) -> None:
        """Take the copies from their places, and bring back what they have replaced.

        Also after a kill; does nothing when they were not put there.  Only for who knows that the
        storage is still the source.
        """
        with suppress(FileNotFoundError), open(self._placing, encoding="utf-8") as stream:
            names = json.load(stream)
            with storage_lock(self.target):
                for name in reversed(names):
                    place, aside = (
                        os.path.join(folder, name) for folder in (self.target, self._replaced)
                    )
                    copied = os.path.join(self._new, name)
                    if not os.path.lexists(copied) and os.path.lexists(place):
                        disk.replace(place, copied)
                    if os.path.lexists(aside) and not os.path.lexists(place):
                        disk.replace(aside, place)
                self._sync()
                remove_file(self._placing)

    def finish(self) -> None:
        """Give up what was replaced."""
        self._work.remove()

    def discard(self) -> None:
        """Leave the target as it was."""
        self.take_back()
        self._work.remove()

    def vanished(self) -> list[str]:
        """Return the files that were copied and have gone from the source since, by name.

        Of a source that is lost as a whole, or cannot be read, none has: that is no deletion.
        """
        if _identity(self.source) != self._source_id:
            return []
        return [
            name
            for name in self._marks
            if _is_gone(os.path.join(self.source, name))
            and os.path.lexists(os.path.join(self.target, name))
        ]

    def late(self) -> list[str]:
        """Return the files that have come to the source since all was copied, by name."""
        if _identity(self.source) != self._source_id:
            return []
        found = self._files(self._names_for_late())
        return [
            name
            for name, _path, _status in found
            if name not in self._marks and not os.path.lexists(os.path.join(self.target, name))
        ]

    def bring(self, name: str) -> None:
        """Copy a file that has come late to its place."""
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(os.path.join(self._new, name)), exist_ok=True)
        with self._notes() as notes:
            for found in copied([Copy(path, os.path.join(self._new, name), 0)]):
                self._note(found, notes)
                place = os.path.join(self.target, name)
                disk.replace(found.copy.target, place)
                disk.sync_folder(os.path.dirname(place))

    def _names_for_late(self) -> list[str]:
        left = {name.partition(os.sep)[0] for name in self.not_copied}
        return [
            name
            for name in sorted(os.listdir(self.source))
            if not name.startswith(".") and name not in left
        ]

    def top_up(self, folder: str) -> None:
        """Bring the lines along that came to the files of a folder until the very last."""
        for name in sorted(os.listdir(os.path.join(self.source, folder))):
            relative = os.path.join(folder, name)
            mark = self._marks.get(relative)
            path, place = (os.path.join(top, relative) for top in (self.source, self.target))
            if mark is None or not os.path.isfile(place) or relative in self.not_copied:
                continue
            with open(path, "rb") as stream:
                stream.seek(mark.size)
                rest = stream.read()
            if rest and os.stat(path).st_ino == mark.inode:
                # One write: what others append stays whole.
                fd = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                try:
                    disk.write(fd, rest)
                    disk.sync(fd)
                finally:
                    os.close(fd)

    def _intend(self, names: list[str]) -> None:
        new = self._placing + ".new"
        if os.path.lexists(new):
            disk.unlink(new)
        fd = disk.create(new)
        try:
            disk.write(fd, json.dumps(names).encode("ascii"))
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.replace(new, self._placing)
        disk.sync_folder(self._work.path)

    def _sync(self) -> None:
        for path in (self._new, self._replaced, self.target):
            disk.sync_folder(path)


def abandon(source: str, target: str, id: str) -> None:
    """Leave the target of a move that does not go on as it was."""
    if os.path.isdir(os.path.join(target, WORK, PREFIX + id)):
        with StorageMove(source, target, id) as move:
            move.discard()
    with suppress(OSError):
        # A process that was killed may have left it; others may have something in it.
        disk.rmdir(os.path.join(target, WORK))


def remove_entries(storage: str, names: list[str]) -> None:
    """Remove entries of a storage that is not used any more, and the folder when it is empty."""
    with storage_lock(storage):
        for name in names:
            path = os.path.join(storage, name)
            if os.path.isdir(path) and not os.path.islink(path):
                remove_tree(path)
            else:
                with suppress(FileNotFoundError):
                    disk.unlink(path)
        disk.sync_folder(storage)
    with suppress(OSError):
        # Somebody else may have something in it: then it stays.
        disk.rmdir(storage)


def _mark(status: os.stat_result) -> Mark:
    return Mark(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a folder from one that has its place later, None for none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_gone(path: str) -> bool:
    """Tell whether there is certainly nothing of that name."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _is_file_or_folder(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:  # a link that leads nowhere
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
