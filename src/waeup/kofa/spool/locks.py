"""Who works on what: exclusion between threads, processes and machines.

`claimed` and `storage_lock` ask the *exclusion* of this process.  Where one process works on the
storage, or several of one machine do, that are ``flock`` locks on the files and folders
themselves: they leave no trace, and the system releases them when a process dies.  Network file
systems do not keep such locks; on a shared directory another exclusion is put in their place, see
`use_exclusion` and `waeup.kofa.claims`.
"""

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from waeup.kofa.errors import ItemBusy, NoSuchItem, StorageFault
from waeup.kofa.i18n import MessageFactory as _

#: Seconds that `storage_lock` waits for its turn.
PATIENCE = 10.0
#: Seconds between two attempts.
PAUSE = 0.02

# What this thread has claimed: a claim may be taken again by the thread that has it,
# since an import that claims a file calls the distribution that claims it as well.
_mine = threading.local()


class Held:
    """Something that this process has for itself until `release`."""

    def require(self) -> None:
        """Raise `ItemBusy` when it was lost meanwhile: others took this process for dead."""

    def release(self) -> None:
        """Let others have it."""
        raise NotImplementedError


class Exclusion:
    """Decides who has a file, a folder, or a work folder; paths are absolute.

    What is held is held by this process, and not by those that it forks.
    """

    #: Seconds between two attempts to take what others have.
    pause = PAUSE

    def mark(self, path: str) -> Hashable:
        """Return what is the same for all names of a file or folder; raises OSError."""
        raise NotImplementedError

    def take(self, path: str, flags: int = 0) -> Held | None:
        """Take a file or folder; None when somebody has it.

        Raises FileNotFoundError when nothing of that name exists once it is taken: what was
        there may have been replaced meanwhile; other OSErrors as ``os.open`` with `flags` does.
        """
        raise NotImplementedError

    def take_all(self, paths: Collection[str]) -> tuple[Held | None, str | None]:
        """Take several files at once, all or none.

        Returns what is held, or the first path that somebody else has.  Raises what `take` does,
        with the path as the ``filename``.
        """
        raise NotImplementedError

    def are_taken(self, paths: Iterable[str]) -> bool:
        """Tell whether somebody has one of these files; those that are gone nobody has."""
        raise NotImplementedError

    def new_id(self) -> str:
        """Return something for the id of a new work folder that no other one has."""
        raise NotImplementedError

    def take_new_folder(self, path: str) -> Held | None:
        """Take a work folder with an id of `new_id` that this process has made."""
        raise NotImplementedError

    def take_left_folder(self, path: str) -> Held | None:
        """Take a work folder, if it is not that of somebody who lives and still needs it."""
        raise NotImplementedError


class _FileLock(Held):
    """An open file with a ``flock`` lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        os.close(self._fd)


class _Several(Held):
    """Several things that are released together."""

    def __init__(self, parts: list[Held]) -> None:
        self._parts = parts

    def release(self) -> None:
        with ExitStack() as stack:
            for part in self._parts:
                stack.callback(part.release)


class FlockExclusion(Exclusion):
    """Locks on the files and folders themselves; it holds on one machine."""

    def mark(self, path: str) -> Hashable:
        status = os.stat(path)
        return status.st_dev, status.st_ino

    def take(self, path: str, flags: int = 0) -> Held | None:
        fd = lock(path, flags)
        return None if fd is None else _FileLock(fd)

    def take_all(self, paths: Collection[str]) -> tuple[Held | None, str | None]:
        with ExitStack() as stack:
            parts = []
            for path in paths:
                try:
                    held = self.take(path)
                except OSError as error:
                    error.filename = path
                    raise
                if held is None:
                    return None, path
                stack.callback(held.release)
                parts.append(held)
            stack.pop_all()
        return _Several(parts), None

    def are_taken(self, paths: Iterable[str]) -> bool:
        for path in paths:
            try:
                fd = lock(path)
            except FileNotFoundError:
                continue
            if fd is None:
                return True
            os.close(fd)
        return False

    def new_id(self) -> str:
        return secrets.token_hex(8)

    def take_new_folder(self, path: str) -> Held | None:
        return self.take(path, os.O_DIRECTORY)

    take_left_folder = take_new_folder


def lock(path: str, flags: int = 0) -> int | None:
    """Open `path` and lock it; return the descriptor, or None when somebody has it.

    Closing the descriptor releases the lock.  Raises FileNotFoundError when nothing
    of that name exists once the lock is held: what was locked may have been
    replaced meanwhile.  `flags` are flags of ``os.open``.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return fd
        raise FileNotFoundError(path)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise


class _Current:
    """The exclusion of this process."""

    exclusion: Exclusion = FlockExclusion()


def exclusion() -> Exclusion:
    """Return the exclusion of this process."""
    return _Current.exclusion


@contextmanager
def use_exclusion(used: Exclusion) -> Iterator[None]:
    """Let all threads of this process use another exclusion for the time of a block."""
    former = _Current.exclusion
    _Current.exclusion = used
    try:
        yield
    finally:
        _Current.exclusion = former


def require_held() -> None:
    """Make sure that this thread still has all that it has taken.

    To be called right before a change that must not be made by two: who was paused for long may
    have been taken for dead.  Raises `ItemBusy`.
    """
    for held in _held_by_thread().values():
        held.require()


def _held_by_thread() -> dict[tuple[int, Hashable], Held]:
    # A forked child has a copy of what its parent has, but does not have it.
    pid = os.getpid()
    found: dict[tuple[int, Hashable], Held] = _mine.__dict__.setdefault("held", {})
    if any(key[0] != pid for key in found):
        found = _mine.held = {}
    return found


@contextmanager
def claimed(*paths: str) -> Iterator[None]:
    """Have files for oneself as long as the block runs.

    The thread that has a file may claim it again.  Raises `ItemBusy` when somebody
    else works on one, `NoSuchItem` when one is gone or has just been replaced.
    """
    used, mine, pid = exclusion(), _held_by_thread(), os.getpid()
    try:
        marks = {(pid, used.mark(path)): path for path in paths}
        wanted = {key: path for key, path in marks.items() if key not in mine}
        held, busy = used.take_all(wanted.values()) if wanted else (None, None)
    except FileNotFoundError as error:
        path = str(error.filename)
        name = os.path.basename(path)
        raise NoSuchItem(
            _(
                "No such source path: ${path}. Somebody else has processed or removed "
                "${name}; list the files again.",
                mapping={"path": path, "name": name},
            )
        )
    except OSError as error:
        path = str(error.filename)
        name = os.path.basename(path)
        raise StorageFault(
            _(
                "${name} cannot be locked: ${strerror} (${path}).",
                mapping={"name": name, "strerror": error.strerror, "path": path},
            )
        ) from error
    if not wanted:
        yield
        return
    if held is None:
        raise ItemBusy(
            _(
                "Somebody else is working on ${name}. Try again when this is done.",
                mapping={"name": os.path.basename(busy or paths[0])},
            )
        )
    with _noted(list(wanted), held):
        yield


@contextmanager
def _noted(keys: list[tuple[int, Hashable]], held: Held) -> Iterator[None]:
    """Remember that this thread has something, and release it in the end."""
    mine = _held_by_thread()
    mine.update(dict.fromkeys(keys, held))
    try:
        yield
    finally:
        for key in keys:
            mine.pop(key, None)
        held.release()


@contextmanager
def storage_lock(storage: str, patience: float | None = PATIENCE) -> Iterator[None]:
    """Be the only one who puts files into the places of the folder `storage`.

    Waits `patience` seconds for its turn (None: as long as it takes), then raises
    `ItemBusy`.  Raises `StorageFault` when there is no such folder.  Not to be nested.
    """
    used = exclusion()
    began = time.monotonic()
    while True:
        try:
            held = used.take(storage, os.O_DIRECTORY)
            if held is not None:
                break
        except OSError as error:
            raise StorageFault(
                _(
                    "The storage folder ${storage} cannot be used: ${text}. Create it, or "
                    "set another storage path.",
                    mapping={"storage": storage, "text": error.strerror or _("it is gone")},
                )
            ) from error
        if patience is not None and time.monotonic() - began > patience:
            raise ItemBusy(
                _(
                    "The data center ${storage} has been busy for ${patience} seconds. Try "
                    "again later.",
                    mapping={"storage": storage, "patience": f"{patience:.0f}"},
                )
            )
        time.sleep(used.pause)
    with _noted([(os.getpid(), ("storage", storage))], held):
        yield
