"""Folders into which others put files: which of these are complete, and where they go.

A file that is complete is first moved out of the reach of its sender, into ``working`` of its
folder, where it has a folder of its own, whose name is its id from then on.  What becomes of it
is decided by `waeup.kofa.deployment.watching`, in the database, under this id.  Then it goes to
``done`` or ``refused``.  It is in exactly one of these places whenever a process dies.
"""

import errno
import fcntl
import os
import re
import secrets
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import BinaryIO, NamedTuple

from waeup.kofa import spool
from waeup.kofa.errors import Refused
from waeup.kofa.jobs import keeping
from waeup.kofa.spool.disk import digest_of, disk
from waeup.kofa.spool.locks import lock
from waeup.kofa.spool.names import MAX_BYTES, split_extension

#: The folders that are made below a watched one.
WORKING, DONE, REFUSED = "working", "done", "refused"
#: What the name of the text has, behind that of the file, that says why it was refused.
REASON = ".txt"
#: Bytes of what is taken for the extension of a name.
LONGEST_EXTENSION = 32
#: Endings of names that programs give to files which are not complete, in lower case.
INCOMPLETE = (".part", ".tmp", ".filepart", "~")

_ID = re.compile(r"(?P<watch>[a-z0-9_-]+)\.(?P<time>\d{8}T\d{6}Z)\.[0-9a-f]{8}")

#: Errors that say that a file system keeps no locks; NFS needs a file that is open for writing.
_NO_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})

#: What tells the states of a file apart: device, inode, size, and time of the last change.
Signature = tuple[int, int, int, int]


def signature_of(status: os.stat_result) -> Signature:
    """Return what tells the states of a file apart."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Taken(NamedTuple):
    """A file in ``working``: its id, its name at the sender, its path, when it was taken.

    `signature` is how it was when it was looked at.  One that was found there, since a process was
    killed, is complete only when it did not change for a while.
    """

    id: str
    name: str
    path: str
    time: str
    signature: Signature
    is_complete: bool = True


class Settling:
    """Knows since when files are as they are; one that did not change for a while is complete.

    `seconds` are those that have to pass between the first look and the last one by `clock`, which
    counts the seconds of this machine: those of a file server may be others.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[str, tuple[Signature, float]] = {}

    def settled(self, found: dict[str, Signature]) -> dict[str, None]:
        """Return the paths, of all that are there now, of the complete files, in order."""
        now, former = self._clock(), self._since
        self._since = {
            path: (signature, former[path][1])
            if path in former and former[path][0] == signature
            else (signature, now)
            for path, signature in found.items()
        }
        return {
            path: None
            for path, (_, since) in sorted(self._since.items())
            if now - since >= self._seconds
        }


class Incoming:
    """The folder `path` of the watch `watch`, whose files have names like `pattern`.

    The methods raise OSError as the system does, and `Refused` for a folder that cannot be one.
    """

    def __init__(
        self, path: str, watch: str, pattern: str, settle: float, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self._watch = watch
        self._pattern = pattern.lower()
        self._settling = Settling(settle, clock)

    # -- looking ----------------------------------------------------------------------

    def look(self) -> tuple[dict[str, Signature], list[Taken], list[str]]:
        """Return complete files by their names, what was taken and is there, and strange ids.

        These are of folders with anything else than one file.  To be called now and then: a file
        is complete that was the same in two calls with enough time in between.
        """
        found = self._files()
        taken, strange = self._taken()
        known = found | {each.path: each.signature for each in taken}
        settled = self._settling.settled(known)
        names = {os.path.basename(path): found[path] for path in settled if path in found}
        taken = [each._replace(is_complete=each.path in settled) for each in taken]
        return names, taken, strange

    def taken_ids(self) -> set[str] | None:
        """Return the ids of all that was taken and is there still; None where ``working`` is not.

        That of a folder which is not mounted is not.
        """
        try:
            return set(os.listdir(os.path.join(self.path, WORKING)))
        except FileNotFoundError:
            return None

    def _files(self) -> dict[str, Signature]:
        found = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                name = entry.name.lower()
                if name.startswith(".") or name.endswith(INCOMPLETE):
                    continue
                if not fnmatchcase(name, self._pattern):
                    continue
                with suppress(FileNotFoundError):  # it has just gone
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found[entry.path] = signature_of(status)
        return found

    def _taken(self) -> tuple[list[Taken], list[str]]:
        taken, strange = [], []
        for id in sorted(self.taken_ids() or ()):
            match = _ID.fullmatch(id)
            if match is None or match["watch"] != self._watch:
                continue
            home = os.path.join(self.path, WORKING, id)
            try:
                names = [name for name in os.listdir(home) if name[:1] != "."]
                if not names:
                    # Of a process that was killed, or has just begun: that one begins again.
                    with suppress(OSError):
                        disk.rmdir(home)
                    continue
                path = os.path.join(home, names[0])
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if len(names) > 1 or not stat.S_ISREG(status.st_mode):
                strange.append(id)
            else:
                taken.append(Taken(id, names[0], path, match["time"], signature_of(status)))
        return taken, strange

    # -- taking -----------------------------------------------------------------------

    def take(self, name: str, signature: Signature) -> Taken | None:
        """Move a complete file out of the reach of its sender.

        None when it is another one than that of the `signature` by now, when somebody writes to
        it still, as far as the system tells, or when another process has taken it.
        """
        source = os.path.join(self.path, name)
        working = self._subfolder(WORKING, 0o700)
        try:
            fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if signature_of(os.fstat(fd)) != signature or _is_written_to(fd):
                return None
        finally:
            os.close(fd)
        time = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
        id = f"{self._watch}.{time}.{secrets.token_hex(4)}"
        home = os.path.join(working, id)
        disk.mkdir(home, 0o700)
        disk.sync_folder(working)
        try:
            disk.replace(source, os.path.join(home, name))
        except OSError as error:
            with suppress(FileNotFoundError):
                disk.rmdir(home)
            if isinstance(error, FileNotFoundError):
                return None
            raise
        disk.sync_folder(home)
        disk.sync_folder(self.path)
        # What came in its place since, or was written to it, will show.
        return Taken(id, name, os.path.join(home, name), time, signature)

    @contextmanager
    def held(self, taken: Taken) -> Iterator[BinaryIO | None]:
        """Have a file for oneself, and give its content; None when another process has it.

        Likewise when it is another file by now.  Where the file system keeps no locks, several
        processes may have it: what they decide is in conflict then.
        """
        try:
            mine = _locked(os.path.dirname(taken.path))
        except FileNotFoundError:
            mine = None
        if mine is None:
            yield None
            return
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(taken.path, "rb", opener=lambda path, _: os.open(path, flags)) as stream:
                yield stream if is_unchanged(stream, taken) else None
        except FileNotFoundError:
            yield None
        finally:
            os.close(mine)

    # -- putting away -----------------------------------------------------------------

    def put_away(self, taken: Taken, refusal: str = "") -> str:
        """Move a file to ``done``, or, with a refusal, to ``refused``; return its path there.

        The text of the refusal is beside it.  To do it again completes it.
        """
        folder = self._subfolder(REFUSED if refusal else DONE)
        target = next(
            target
            for target in (
                os.path.join(folder, each)
                for each in spool.numbered(_dated(taken.name, taken.time))
            )
            if not os.path.lexists(target) or _has_content_of(taken.path, target)
        )
        if refusal:
            self._write(target + REASON, refusal)
        keeping.bring(taken.path, target)
        disk.rmdir(os.path.dirname(taken.path))
        disk.sync_folder(os.path.join(self.path, WORKING))
        return target

    def _write(self, path: str, text: str) -> None:
        """Write a text for who puts files here; half of it is never there."""
        folder, name = os.path.split(path)
        unfinished = os.path.join(folder, f".{name[-MAX_BYTES + 1 :]}")
        if os.path.lexists(unfinished):
            disk.unlink(unfinished)
        fd = disk.create(unfinished)
        try:
            # Who may list the folder may read why.
            os.fchmod(fd, stat.S_IMODE(os.stat(self.path).st_mode) & 0o666)
            disk.write(fd, text.encode("utf-8", "backslashreplace"))
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.replace(unfinished, path)
        disk.sync_folder(folder)

    def _subfolder(self, name: str, mode: int | None = None) -> str:
        """Return the path of a folder of ours, made if need be.

        It has the rights of the watched one, unless a `mode` is given.  Raises `Refused` where
        there is something else, such as a link to another place.
        """
        path = os.path.join(self.path, name)
        if not os.path.lexists(path):
            wanted = stat.S_IMODE(os.stat(self.path).st_mode) if mode is None else mode
            with suppress(FileExistsError):
                disk.mkdir(path, wanted)
                os.chmod(path, wanted)
                disk.sync_folder(self.path)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise Refused(f"{path} is no folder. Remove it: the portal makes one there.")
        return path


def is_unchanged(stream: BinaryIO, taken: Taken) -> bool:
    """Tell whether a file is as it was when it was looked at."""
    return signature_of(os.fstat(stream.fileno())) == taken.signature


def _locked(home: str) -> int | None:
    """Return a descriptor of a folder that is locked, if it can be; None when somebody has it."""
    try:
        return lock(home, os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in _NO_LOCK:
            raise
        return os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _has_content_of(path: str, target: str) -> bool:
    """Tell whether a file was put away already, but for its former name."""
    return os.path.isfile(target) and digest_of(target) == digest_of(path)


def _dated(name: str, time: str) -> str:
    """Return a name with the time before its extension, and room for a number and a reason."""
    stem, extension = split_extension(name)
    if len(os.fsencode(extension)) > LONGEST_EXTENSION:
        stem, extension = name, ""
    end = f".{time}{extension}"
    room = MAX_BYTES - len(os.fsencode(end)) - len(REASON) - 12
    return (os.fsencode(stem)[:room].decode("utf-8", "ignore") or "file") + end


def _is_written_to(fd: int) -> bool:
    """Tell whether a process of this machine has a file open for writing.

    Linux tells it by refusing a lease, to who owns the file; of other files, and of network file
    systems, nobody knows, and the time in which nothing changes has to do.
    """
    try:
        # Who opens it for writing just now sends a signal, and goes on when the lease is gone.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (AttributeError, OSError):
        return False
    return False
