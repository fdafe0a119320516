"""Who works on what: exclusion between processes and threads of one machine.

Locks are ``flock`` locks on the files and folders themselves: they leave no trace
in the storage, and the system releases them when a process dies.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from waeup.kofa.errors import ItemBusy, NoSuchItem, StorageFault
from waeup.kofa.i18n import MessageFactory as _

#: Seconds that `storage_lock` waits for its turn.
PATIENCE = 10.0
#: Seconds between two attempts.
PAUSE = 0.02

# What this thread has claimed: a claim may be taken again by the thread that has it,
# since an import that claims a file calls the distribution that claims it as well.
_mine = threading.local()


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


@contextmanager
def claimed(path: str) -> Iterator[None]:
    """Have the file `path` for oneself as long as the block runs.

    The thread that has a file may claim it again.  Raises `ItemBusy` when somebody
    else works on it, `NoSuchItem` when it is gone or has just been replaced.
    """
    name = os.path.basename(path)
    held: set[tuple[int, int, int]] = _mine.__dict__.setdefault("held", set())
    try:
        held_already = _mark(os.stat(path)) in held
        fd = None if held_already else lock(path)
    except FileNotFoundError:
        raise NoSuchItem(
            _(
                "No such source path: ${path}. Somebody else has processed or removed "
                "${name}; list the files again.",
                mapping={"path": path, "name": name},
            )
        )
    except OSError as error:
        raise StorageFault(
            _(
                "${name} cannot be locked: ${strerror} (${path}).",
                mapping={"name": name, "strerror": error.strerror, "path": path},
            )
        ) from error
    if held_already:
        yield
        return
    if fd is None:
        raise ItemBusy(
            _(
                "Somebody else is working on ${name}. Try again when this is done.",
                mapping={"name": name},
            )
        )
    mark = _mark(os.fstat(fd))
    held.add(mark)
    try:
        yield
    finally:
        held.discard(mark)
        os.close(fd)


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    # A forked child has a copy of its parent's set, but not the claims.
    return os.getpid(), status.st_dev, status.st_ino


@contextmanager
def storage_lock(storage: str, patience: float | None = PATIENCE) -> Iterator[None]:
    """Be the only one who puts files into the places of the folder `storage`.

    Waits `patience` seconds for its turn (None: as long as it takes), then raises
    `ItemBusy`.  Raises `StorageFault` when there is no such folder.  Not to be nested.
    """
    began = time.monotonic()
    while True:
        try:
            fd = lock(storage, os.O_DIRECTORY)
        except OSError as error:
            raise StorageFault(
                _(
                    "The storage folder ${storage} cannot be used: ${text}. Create it, or "
                    "set another storage path.",
                    mapping={"storage": storage, "text": error.strerror or _("it is gone")},
                )
            ) from error
        if fd is not None:
            break
        if patience is not None and time.monotonic() - began > patience:
            raise ItemBusy(
                _(
                    "The data center ${storage} has been busy for ${patience} seconds. Try "
                    "again later.",
                    mapping={"storage": storage, "patience": f"{patience:.0f}"},
                )
            )
        time.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(fd)
