"""Copies of many files, each of which is on the disk and was compared before it counts.

::

    batch after batch, on several threads:
      copy       piece by piece: read, written, read back, and compared byte by byte
      force      out, all files of the batch; the disk has begun to write meanwhile

A piece is read back while it is in the cache of the processor, so that this costs a tenth of the
copy; a digest of both would cost as much as the copy again.  It comes from the memory of the
system: who asks the disk right after writing gets what that remembers, too, and waits as long
again.

Where the file system can let two files share blocks (a reflink), a copy is a clone of these: there
is nothing to compare then.  There are no hard links: nothing that happens to one file happens to
the other.

A copy is what the file had when it was opened: what is appended meanwhile is left out.
"""

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from typing import NamedTuple

from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.disk import disk, remove_file

#: Threads that copy: some wait for the disk, while others keep two cores busy.  They have little
#: use for Python's lock.
THREADS = 4
#: Files and bytes of a batch, at most, if it has several files.  The first file that is forced out
#: takes the names of the others along, so that these cost little.
FILES, BYTES = 32, 32 << 20
#: Bytes that are copied at once.  What was read, and what was read back, stay in the cache of the
#: processor: with a megabyte it takes twice as long.
PIECE = 128 << 10
#: Bytes of which the disk is told at once that it may begin to write.
FLUSHED = 8 << 20
#: How often a file is copied that changes meanwhile.
ATTEMPTS = 3
#: Seconds between two words about the progress.
INTERVAL = 0.1

#: Told how many bytes were written, and how many files are done.
Tell = Callable[[int, int], object]


class Copy(NamedTuple):
    """A file to be copied to `target`, in place of what is there; `size` is about its bytes."""

    source: str
    target: str
    size: int


class Copied(NamedTuple):
    """A copy that counts, and what the system told of the source when it was opened."""

    copy: Copy
    status: os.stat_result


def copied(copies: Iterable[Copy], tell: Tell = lambda written, files: None) -> Iterator[Copied]:
    """Copy files, and generate those that are done; what has gone meanwhile is passed over.

    Permission bits, extended attributes and the time of the last change come along.  Folders are
    not forced out.  `tell` is called by this thread, now and then; what it raises ends the
    copying.  Raises OSError, and `StorageFault` for a copy that differs from its source.
    """
    work = _Work()
    waiting: deque[Future[list[Copied]]] = deque()
    with ThreadPoolExecutor(THREADS, "copy") as pool:
        try:
            for batch in _batches(copies):
                waiting.append(pool.submit(work.batch, batch))
                if len(waiting) > THREADS:
                    yield from _first(waiting, work, tell)
            while waiting:
                yield from _first(waiting, work, tell)
        finally:
            # After an error, too: then nobody needs the rest.
            work.is_over = True
            for future in waiting:
                future.cancel()


def _batches(copies: Iterable[Copy]) -> Iterator[list[Copy]]:
    batch: list[Copy] = []
    size = 0
    for copy in copies:
        if batch and (len(batch) == FILES or size + copy.size > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(copy)
        size += copy.size
    if batch:
        yield batch


def _first(waiting: "deque[Future[list[Copied]]]", work: "_Work", tell: Tell) -> list[Copied]:
    """Return what the first batch that waits has become; tell of all meanwhile."""
    future = waiting.popleft()
    while not wait((future,), INTERVAL).done:
        tell(work.taken(), 0)
    done = future.result()
    tell(work.taken(), len(done))
    return done


class _Over(Exception):
    """Nobody waits for copies any more."""


class _Work:
    """What the threads do, and share."""

    def __init__(self) -> None:
        self.is_over = False
        self._can_clone = True
        self._written = 0
        self._lock = threading.Lock()

    def taken(self) -> int:
        """Return how many bytes were written since this was asked for last."""
        with self._lock:
            written, self._written = self._written, 0
        return written

    def batch(self, copies: list[Copy]) -> list[Copied]:
        """Copy some files, again where one changes meanwhile; return those that were there."""
        done, left = [], copies
        for _attempt in range(ATTEMPTS):
            sound, left = self._tried(left)
            done += sound
            if not left:
                return done
        raise StorageFault(
            _(
                "The copy of ${name} in ${target} is not what was written, ${number} times. Where "
                "somebody keeps changing the file, let the move go on when nobody does. Otherwise "
                "look at the disk, then let the move go on, or choose another place.",
                mapping={
                    "name": left[0].source,
                    "target": os.path.dirname(left[0].target),
                    "number": ATTEMPTS,
                },
            )
        )

    def _tried(self, copies: list[Copy]) -> tuple[list[Copied], list[Copy]]:
        """Copy some files; return those that are sound, and those that are not."""
        buffers = bytearray(PIECE), bytearray(PIECE)
        sound, unsound = [], []
        with ExitStack() as opened:
            files = []
            for copy in copies:
                with suppress(FileNotFoundError):  # it may have gone just now
                    files.append((copy, self._copied(copy, opened, buffers)))
            for _copy, file in files:
                file.force()
            for copy, file in files:
                if file.is_sound(buffers, self._go_on):
                    sound.append(Copied(copy, file.status))
                else:
                    unsound.append(copy)
        return sound, unsound

    def _copied(self, copy: Copy, opened: ExitStack, buffers: "_Buffers") -> "_File":
        """Copy a file; it is left open."""
        # Before the source is opened: of one that has gone nothing is left.  For good: after a
        # power cut nobody must take what was here for the new copy.
        if os.path.lexists(copy.target):
            remove_file(copy.target)
        source = os.open(copy.source, os.O_RDONLY | os.O_CLOEXEC)
        opened.callback(os.close, source)
        target = disk.create(copy.target)
        opened.callback(os.close, target)
        file = _File(source, target, os.fstat(source))
        if self._can_clone and file.size:
            # One refusal is enough: either all lie on a file system that can do it, or none.
            file.is_clone = disk.clone(source, target)
            if not file.is_clone:
                self._can_clone = False
        if not file.is_clone:
            file.is_same = self._fill(file, buffers)
        else:
            if os.fstat(target).st_size > file.size:
                disk.truncate(target, file.size)
            self._count(file.size)
        file.dress()
        return file

    def _fill(self, file: "_File", buffers: "_Buffers") -> bool:
        """Write what a file has to its copy; tell whether that has it then."""
        ours, theirs = (memoryview(buffer) for buffer in buffers)
        is_same, at, flushed = True, 0, 0
        while at < file.size:
            self._go_on()
            length = os.preadv(file.source, [ours[: file.size - at]], at)
            if not length:
                return False  # it has become shorter
            disk.write(file.target, ours[:length])
            is_same = is_same and os.preadv(file.target, [theirs[:length]], at) == length
            is_same = is_same and _are_same(buffers, length)
            at += length
            if at == file.size or at - flushed >= FLUSHED:
                with suppress(OSError, AttributeError):
                    # The disk begins to write.
                    os.posix_fadvise(file.target, flushed, at - flushed, os.POSIX_FADV_DONTNEED)
                flushed = at
            self._count(length)
        return is_same

    def _go_on(self) -> None:
        if self.is_over:
            raise _Over

    def _count(self, written: int) -> None:
        with self._lock:
            self._written += written


class _File:
    """A file that is being copied: descriptors of both, and what was told of the source."""

    is_clone = False
    is_same = True

    def __init__(self, source: int, target: int, status: os.stat_result) -> None:
        self.source = source
        self.target = target
        self.status = status
        self.size = status.st_size

    def dress(self) -> None:
        """Let all but the content come along."""
        with suppress(OSError, AttributeError):  # not everywhere, and not for everybody
            for name in os.listxattr(self.source):
                with suppress(OSError):
                    os.setxattr(self.target, name, os.getxattr(self.source, name))
        os.fchmod(self.target, stat.S_IMODE(self.status.st_mode))
        os.utime(self.target, ns=(self.status.st_atime_ns, self.status.st_mtime_ns))

    def force(self) -> None:
        """Force the copy out."""
        disk.sync(self.target)

    def is_sound(self, buffers: "_Buffers", go_on: Callable[[], object]) -> bool:
        """Tell whether the copy is what the source had when it was opened.

        `go_on` is called now and then, and may raise.
        """
        if not self.is_same or os.fstat(self.target).st_size != self.size:
            return False
        if self.is_clone or _state(os.fstat(self.source)) == _state(self.status):
            return True
        # Somebody works on it; what is appended meanwhile does not matter.
        views = [memoryview(buffer) for buffer in buffers]
        for at in range(0, self.size, PIECE):
            go_on()
            wanted = min(PIECE, self.size - at)
            for fd, view in zip((self.source, self.target), views, strict=True):
                if os.preadv(fd, [view[:wanted]], at) != wanted:
                    return False
            if not _are_same(buffers, wanted):
                return False
        return True


_Buffers = tuple[bytearray, bytearray]


def _are_same(buffers: _Buffers, length: int) -> bool:
    """Compare what is in both at the beginning."""
    # Whole bytearrays are compared at once, views byte by byte.
    ours, theirs = buffers if length == PIECE else (buffer[:length] for buffer in buffers)
    return ours == theirs


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
