"""The durable operations on files: everything in this room changes the disk through `disk`.

A file operation survives a power cut only when it has been forced out: the
content of a file by `Disk.sync`, names by `Disk.sync_folder`.  Functions here do
one thing each and force nothing out on their own, so that callers decide, and so
that a test can put a shim under the one object `disk` that fails, kills or cuts
the power at any operation.

On a network file system an operation may have been done though the answer says that it cannot
be: a request whose answer was lost is sent again, and meets its own work.  Such answers are
recognised here.  What a file system does not have (hard links, folders that can be forced out,
shared blocks) has a way around.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from io import FileIO
from typing import Any, ParamSpec, TypeVar

from waeup.kofa.errors import KofaError, StorageFault
from waeup.kofa.i18n import MessageFactory as _

#: Bytes that are read or written at once, and that the system copies at once.
CHUNK, COPIED = 1 << 20, 8 << 20

#: Linux's ``FICLONE``, see ``ioctl_ficlone(2)``; other systems do not know it.
_CLONE = 0x40049409

#: Errors that say "a hard link is not possible here", not "this went wrong".
NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})

#: Errors that say "folders need not be forced out here", as SMB does.
_NO_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})

#: How names begin that NFS gives to files that were removed while somebody has them open.
REMOVED = ".nfs"

_P = ParamSpec("_P")
_T = TypeVar("_T")


def retried(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function that only reads be called once more when NFS says ESTALE.

    That means that another machine has replaced what was just found.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        return function(*args, **kwargs)

    return call


class Disk:
    """The operations that change files; paths are str, `fd` are file descriptors.

    Each raises OSError as the system does.
    """

    def create(self, path: str, mode: int = 0o600) -> int:
        """Make the new file `path`, open it for writing and reading, return its descriptor."""
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)

    def write(self, fd: int, data: bytes | memoryview) -> None:
        """Write all of `data` at the position of `fd`."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def copy(self, source: int, fd: int, length: int) -> int:
        """Copy up to `length` bytes from the position of `source` to that of `fd`; tell how many.

        0 when there are no more.
        """
        # The system does it by itself, if it can; what is really wrong is met below again.
        with suppress(OSError, AttributeError):
            if copied := os.copy_file_range(source, fd, length):
                return copied
        data = os.read(source, min(length, CHUNK))
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        return len(data)

    def clone(self, source: int, fd: int) -> bool:
        """Let the empty file `fd` share the blocks of `source`; tell whether that is possible."""
        try:
            fcntl.ioctl(fd, _CLONE, source)
            return True
        except OSError:
            # What is really wrong is met by who copies then.
            return False

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file to `length` bytes."""
        os.ftruncate(fd, length)

    def sync(self, fd: int) -> None:
        """Force the content of an open file out to the disk."""
        os.fsync(fd)

    def sync_folder(self, path: str) -> None:
        """Force the names in a folder out to the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        finally:
            os.close(fd)

    def link(self, source: str, target: str) -> None:
        """Give the file `source` the second name `target`, which must be new."""
        try:
            os.link(source, target)
        except FileExistsError:
            if not _is_file(target, _status(source)):
                raise

    def replace(self, source: str, target: str) -> None:
        """Rename `source` to `target`; a file of that name is replaced."""
        status = _status(source)
        try:
            os.replace(source, target)
        except FileNotFoundError:
            if not _is_file(target, status):
                raise

    def unlink(self, path: str) -> None:
        """Remove a name of a file."""
        was_there = os.path.lexists(path)
        try:
            os.unlink(path)
        except FileNotFoundError:
            if not was_there:
                raise

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Make a folder."""
        was_there = os.path.lexists(path)
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            if was_there:
                raise

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        was_there = os.path.lexists(path)
        try:
            os.rmdir(path)
        except FileNotFoundError:
            if not was_there:
                raise


def _status(path: str) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return os.lstat(path)
    return None


def _is_file(path: str, status: os.stat_result | None) -> bool:
    """Tell whether the name `path` is that of the file or folder with this `status`."""
    found = _status(path)
    return status is not None and found is not None and os.path.samestat(found, status)


#: The one object that every function of this room works with.
disk = Disk()


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Turn an OSError of the block into a `StorageFault` that says what was being done.

    `doing` is a text, or a message where people of the portal can be told of it.
    """
    try:
        yield
    except KofaError:
        raise
    except OSError as error:
        mapping = {"doing": doing, "reason": error.strerror or str(error), "path": error.filename}
        if error.filename:
            text = _(
                "${doing} failed: ${reason} (${path}). Look at free space and rights of the disk."
            )
        else:
            text = _("${doing} failed: ${reason}. Look at free space and rights of the disk.")
        raise StorageFault(_(text, mapping=mapping)) from error


def walk(path: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Generate what `os.walk` does, but for what NFS keeps of files that were removed.

    Raises OSError for a folder that cannot be read.
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it may have gone just now
            raise error

    for folder, folders, files in os.walk(path, onerror=fail):
        yield folder, folders, [name for name in files if not name.startswith(REMOVED)]


def sync_file(path: str) -> None:
    """Force out the content of a file that somebody else has written and closed."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        disk.sync(fd)
    finally:
        os.close(fd)


def ensure_folder(path: str) -> None:
    """Make a folder, unless it is there; two who need it at the same time both have it then.

    Raises OSError, FileExistsError where something else has the name.
    """
    if os.path.isdir(path):
        return
    try:
        disk.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def remove_file(path: str) -> None:
    """Remove the file `path` for good; it is gone after a power cut as well.

    Raises FileNotFoundError when there is none.
    """
    disk.unlink(path)
    disk.sync_folder(os.path.dirname(path))


def remove_tree(path: str) -> None:
    """Remove a folder with all it contains.

    What somebody has open on NFS is there under another name until he closes it; that, and the
    folders above it, are left.  Raises OSError.
    """

    def pass_over(function: object, place: str, reason: Any) -> None:
        error = reason[1]
        is_removed = os.path.basename(place).startswith(REMOVED)
        is_kept = error.errno in (errno.ENOTEMPTY, errno.EEXIST) and _has_removed(place)
        if not (is_removed or is_kept or isinstance(error, FileNotFoundError)):
            raise error

    shutil.rmtree(path, onerror=pass_over)


def _has_removed(path: str) -> bool:
    """Tell whether all that is in a folder was removed while somebody has it open."""
    return all(
        name.startswith(REMOVED) for _folder, _folders, files in os.walk(path) for name in files
    )


def move_file(source: str, target: str) -> None:
    """Move the file `source` over `target`, durably, also to another file system.

    The time of the last change goes along.
    """
    try:
        disk.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target + ".moving"
        shutil.copy2(source, beside)
        sync_file(beside)
        disk.replace(beside, target)
        remove_file(source)
    for folder in {os.path.dirname(target), os.path.dirname(source)}:
        disk.sync_folder(folder)


def put(source: str, target: str) -> None:
    """Put the content of the file `source` under the new name `target`.

    A hard link does it at one stroke.  Where none can be made, the name is claimed
    by an empty file and `source` is renamed over it; on another file system the
    content is copied into that file.  So `source` may be gone afterwards, or not.
    The folders are not forced out.  Raises FileExistsError when `target` is taken.
    """
    try:
        disk.link(source, target)
        return
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
    fd = disk.create(target)
    try:
        disk.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            disk.unlink(target)
            raise
        copy_into(source, fd)
    finally:
        os.close(fd)


def stage(source: str, target: str) -> None:
    """Make `target` a durable link to, or copy of, the file `source`, which stays.

    A former attempt is replaced.  The folder is not forced out.
    """
    if os.path.lexists(target):
        disk.unlink(target)
    try:
        disk.link(source, target)
        sync_file(target)
        return
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
    fd = disk.create(target)
    try:
        copy_into(source, fd)
    finally:
        os.close(fd)


def copy_into(source: str, fd: int, start: int = 0) -> None:
    """Write `source` from byte `start` on to `fd`, force it out.

    A new file gets the permission bits and the time of `source`, too.
    """
    empty = os.fstat(fd).st_size == 0
    with _opened(source) as stream:
        status = os.fstat(stream.fileno())
        stream.seek(start)
        while disk.copy(stream.fileno(), fd, COPIED):
            continue
    if empty:
        os.fchmod(fd, stat.S_IMODE(status.st_mode))
        os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
    disk.sync(fd)


@retried
def _opened(path: str) -> FileIO:
    return open(path, "rb", buffering=0)


@retried
def digest_of(path: str, start: int = 0, length: int | None = None) -> str:
    """Return the sha256 (hex digits) of `length` bytes from `start`, or of all the rest."""
    sha = hashlib.sha256()
    with open(path, "rb") as stream:
        stream.seek(start)
        while length is None or length > 0:
            data = stream.read(CHUNK if length is None else min(CHUNK, length))
            if not data:
                break
            sha.update(data)
            if length is not None:
                length -= len(data)
    return sha.hexdigest()
