"""A shim under `waeup.kofa.spool.disk`: it counts, fails, kills, or cuts the power.

Operations are numbered from 0.  `FaultyDisk` lets them through until the one that it
was told; what happens then is a matter of the class.  `PowerCut` keeps account of what
was forced out, and builds the states in which a disk may be found afterwards.
"""

import errno
import itertools
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from waeup.kofa.spool import disk as disk_module
from waeup.kofa.spool.disk import Disk, disk
from waeup.kofa.tests.waiting import ended

OPERATIONS = [name for name in vars(Disk) if not name.startswith("_")]
#: A file system in memory makes fsync cheap; the tests provoke the faults themselves.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

#: The number of no operation.
NEVER = sys.maxsize
#: Stands for an inode where a name was removed.
GONE = -1

Tree = dict[str, bytes | None]


def tree_of(root: str) -> Tree:
    """Return relative path -> content for all there is below `root`; None for folders."""
    tree: Tree = {}
    for folder, folders, files in os.walk(root):
        for name in folders:
            tree[os.path.relpath(os.path.join(folder, name), root)] = None
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as stream:
                tree[os.path.relpath(path, root)] = stream.read()
    return tree


def write(path: str, text: str) -> str:
    """Write `text` as UTF-8 to a file and return its path."""
    with open(path, "wb") as stream:
        stream.write(text.encode("utf-8"))
    return path


@contextmanager
def closed(end: str) -> Iterator[None]:
    """Let nobody, root neither, read the folder whose path ends so."""
    real = os.scandir

    def scandir(path: str):
        if str(path).endswith(end):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    with mock.patch.object(os, "scandir", scandir):
        yield


class FaultyDisk:
    """Counts the operations; `at` is the number of the one at which `strike` is called."""

    def __init__(self, at: int = NEVER) -> None:
        self.at = at
        self.count = 0
        self.names: list[str] = []

    def __enter__(self):
        for name in OPERATIONS:
            setattr(disk, name, self._wrapped(name, getattr(disk, name)))
        return self

    def __exit__(self, *exc_info: object) -> None:
        for name in OPERATIONS:
            delattr(disk, name)

    def _wrapped(self, name: str, operation: Callable) -> Callable:
        def wrapper(*args):
            number, self.count = self.count, self.count + 1
            self.names.append(name)
            self.before(name, args)
            if self.is_hit(number):
                if name == "write":
                    operation(args[0], args[1][: len(args[1]) // 2])
                elif name == "copy":
                    operation(args[0], args[1], args[2] // 2)
                self.strike(name)
            result = operation(*args)
            self.after(name, args)
            return result

        return wrapper

    def is_hit(self, number: int) -> bool:
        return number == self.at

    def before(self, name: str, args: tuple) -> None:
        """Called before each operation."""

    def after(self, name: str, args: tuple) -> None:
        """Called after each operation that was done."""

    def strike(self, name: str) -> None:
        """Do what shall happen instead of the operation."""


class OneError(FaultyDisk):
    """One operation fails, half of a `write` or `copy` having been done."""

    def strike(self, name: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


class LastingError(OneError):
    """From one operation on, all fail."""

    def is_hit(self, number: int) -> bool:
        return number >= self.at


class Kill(FaultyDisk):
    """The process is killed before an operation, or in the middle of a `write` or `copy`."""

    def strike(self, name: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, action: Callable[[], object], shim: type[Kill] = Kill) -> bool:
    """Do `action` in a forked process that is killed by `shim` at operation `number`.

    Returns False when the process was through before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of other tests do not matter to the child
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with shim(number):
                action()
            status = 0
        finally:
            os._exit(status)
    status = ended(pid)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("the action failed in the forked process")
    return os.WIFSIGNALED(status)


class NetworkDisk:
    """Lets a file system be one of the network; files must not be changed by others meanwhile.

    The answers to the operations in `repeated`, by number, or to all with ``None``, are lost and
    the requests are sent again, as NFS does: what the second one meets is what is told.  Without
    `links` there are no hard links, and without `syncs` folders cannot be forced out, as with
    SMB.  With `stale` each file that is opened to be read is found replaced, once.
    """

    CHANGES = ("link", "replace", "unlink", "mkdir", "rmdir")

    def __init__(
        self,
        repeated: Sequence[int] | None = (),
        *,
        links: bool = True,
        syncs: bool = True,
        stale: bool = False,
    ) -> None:
        self.count = 0
        self._repeated = repeated
        self._links = links
        self._syncs = syncs
        self._stale: set[str] | None = set() if stale else None
        self._patches: list[Any] = [
            mock.patch.object(disk_module, "os", self),
            mock.patch.object(disk_module, "open", self._open, create=True),
        ]

    def __enter__(self):
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for patch in self._patches:
            patch.stop()

    def __getattr__(self, name: str):
        function = getattr(os, name)
        if name not in self.CHANGES:
            return function

        def change(*args: object, **named: object) -> object:
            if name == "link" and not self._links:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            number, self.count = self.count, self.count + 1
            result = function(*args, **named)
            if self._repeated is None or number in self._repeated:
                return function(*args, **named)
            return result

        return change

    def fsync(self, fd: int) -> None:
        if not self._syncs and os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        os.fsync(fd)

    def copy_file_range(self, *args: object) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def _open(self, path: str, *args: Any, **named: Any) -> Any:
        if self._stale is not None and path not in self._stale:
            self._stale.add(path)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        return open(path, *args, **named)


class Off(BaseException):
    """The power is off; nobody catches that."""


class PowerCut(FaultyDisk):
    """From one operation on, the power is off.

    What lies below `roots` when the shim is put in place is taken as forced out, but
    not the content of the files in `unforced`.  After the cut, `states` builds one
    possible state of the disk after the other in place.
    """

    def __init__(self, at: int, roots: list[str], unforced: Sequence[str] = ()) -> None:
        super().__init__(at)
        self.roots = roots
        self.morgue = tempfile.mkdtemp(dir=os.path.dirname(roots[0]))
        self.names_forced: dict[str, dict[str, int | None]] = {}
        self.bytes_forced: dict[int, bytes] = {}
        self.renames: list[tuple[str, str]] = []
        self.off = False
        for folder, entries in self._actual().items():
            self.names_forced[folder] = entries
            for name, inode in entries.items():
                if inode is not None:
                    path = os.path.join(folder, name)
                    self.bytes_forced[inode] = b"" if path in unforced else _read(path)

    def close(self) -> None:
        shutil.rmtree(self.morgue, ignore_errors=True)

    def is_hit(self, number: int) -> bool:
        return number >= self.at

    def before(self, name: str, args: tuple) -> None:
        if not self.off:
            self._actual()

    def strike(self, name: str) -> None:
        if not self.off:
            self.off = True
            self.found = self._actual()
            self.bytes_found = {
                inode: _read(os.path.join(self.morgue, str(inode)))
                for inode in map(int, os.listdir(self.morgue))
            }
        raise Off

    def after(self, name: str, args: tuple) -> None:
        if name == "sync":
            self.bytes_forced[os.fstat(args[0]).st_ino] = _read(f"/proc/self/fd/{args[0]}")
        elif name == "replace":
            self.renames.append(args)
        elif name == "sync_folder":
            folder = args[0]
            self.names_forced[folder] = self._actual().get(folder, {})
            for rename in list(self.renames):
                source, target = rename
                if folder == os.path.dirname(target):
                    # A rename is one entry of the file system's journal: both ends or none.
                    entries = self.names_forced.get(os.path.dirname(source), {})
                    entries.pop(os.path.basename(source), None)
                    self.renames.remove(rename)

    def states(self) -> Iterator[str]:
        """Build state after state of the disk; yields a description of each."""
        changes = self._changes()
        ways = {(), tuple(range(len(changes)))}
        for number in range(len(changes)):
            ways.add((number,))
            ways.add(tuple(other for other in range(len(changes)) if other != number))
        dirty = any(
            content != self.bytes_forced.get(inode, b"")
            for inode, content in self.bytes_found.items()
        )
        contents = ("forced", "found", "zeros", "half") if dirty else ("forced",)
        for way, content in itertools.product(sorted(ways), contents):
            names = {folder: dict(entries) for folder, entries in self.names_forced.items()}
            for number in way:
                for folder, name, inode in changes[number]:
                    entries = names.setdefault(folder, {})
                    if inode == GONE:
                        entries.pop(name, None)
                    else:
                        entries[name] = inode
            self._build(names, content)
            done = [changes[number] for number in way]
            yield f"power cut at {self.at} ({self.names[self.at]}), {content}, {done}"

    def _actual(self) -> dict[str, dict[str, int | None]]:
        """Return folder -> name -> inode (None for folders); keep all inodes in being."""
        actual: dict[str, dict[str, int | None]] = {}
        for root in self.roots:
            for folder, folders, files in os.walk(root):
                actual[folder] = dict.fromkeys(folders)
                for name in files:
                    path = os.path.join(folder, name)
                    inode = os.stat(path).st_ino
                    kept = os.path.join(self.morgue, str(inode))
                    if not os.path.exists(kept):
                        os.link(path, kept)
                        self.bytes_forced.setdefault(inode, b"")
                    actual[folder][name] = inode
        return actual

    def _changes(self) -> list[list[tuple[str, str, int | None]]]:
        """Return the changes of names that were not forced out; renames belong together."""
        single: dict[tuple[str, str], tuple[str, str, int | None]] = {}
        for folder in {*self.found, *self.names_forced}:
            forced, found = self.names_forced.get(folder, {}), self.found.get(folder, {})
            for name in {*forced, *found}:
                if name not in found:
                    single[folder, name] = (folder, name, GONE)
                elif name not in forced or forced[name] != found[name]:
                    single[folder, name] = (folder, name, found[name])
        changes = []
        for source, target in self.renames:
            pair = [os.path.split(source), os.path.split(target)]
            changes.append([single.pop(key) for key in pair if key in single])
        changes += [[single[key]] for key in sorted(single)]
        return [change for change in changes if change]

    def _build(self, names: dict[str, dict[str, int | None]], content: str) -> None:
        for root in self.roots:
            shutil.rmtree(root, ignore_errors=True)
        for kept, found in self.bytes_found.items():
            with open(os.path.join(self.morgue, str(kept)), "wb") as stream:
                stream.write(_torn(self.bytes_forced.get(kept, b""), found, content))
        todo = list(self.roots)
        while todo:
            folder = todo.pop()
            os.mkdir(folder)
            for name, inode in names.get(folder, {}).items():
                if inode is None:
                    todo.append(os.path.join(folder, name))
                else:
                    os.link(os.path.join(self.morgue, str(inode)), os.path.join(folder, name))


def _torn(forced: bytes, found: bytes, content: str) -> bytes:
    if content == "forced":
        return forced
    if content == "found":
        return found
    same = forced[: len(found)]
    rest = found[len(same) :]
    return same + (bytes(len(rest)) if content == "zeros" else rest[: len(rest) // 2])


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
