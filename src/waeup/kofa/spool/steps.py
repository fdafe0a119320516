"""Steps: single changes of files that can be done again after a kill at any instant.

A step is plain data.  `perform` first looks how far an earlier attempt came:

* not begun: the step is done;
* begun, or done without being forced out: what is there is a torn part of what
  should be there, and is written again;
* done: only the folder is forced out;
* anything else: somebody has changed the file meanwhile.  `StorageFault` says so,
  and nothing is touched.

Paths are relative to the storage; paths outside of it are absolute.
"""

import errno
import os
from dataclasses import asdict, dataclass
from typing import Any

from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.disk import CHUNK, copy_into, digest_of, disk, put
from waeup.kofa.spool.locks import require_held

#: Bytes at the end of a file by which its former state is known again.
TAIL = 64 * 1024

#: Errors of removing what is not ours that do not matter: it stays where it is.
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY})


def tail_of(path: str, length: int) -> str:
    """Return the sha256 of the last 64 KiB of the first `length` bytes of a file."""
    start = max(0, length - TAIL)
    return digest_of(path, start, length - start)


@dataclass(frozen=True)
class Place:
    """Put the content of the file `source` under the new name `target`.

    `digest` is its sha256, by which it is known again should the source be gone.  For a large
    file `length` and `tail` (see `tail_of`) do as well, and cost nothing: it was renamed then, as
    a whole.  The source may be gone afterwards, or not.
    """

    source: str
    target: str
    digest: str = ""
    length: int = 0
    tail: str = ""

    def perform(self, storage: str) -> None:
        source = os.path.join(storage, self.source)
        target = os.path.join(storage, self.target)
        if os.path.lexists(target):
            if not os.path.exists(source):
                if not self._is_meant(target):
                    raise _changed(target, source)
            elif not os.path.samefile(source, target):
                # A copy that was not forced out is made again, even if it looks complete.
                if not _is_torn(target, 0, source, 0):
                    raise _changed(target, source)
                disk.unlink(target)
        if not os.path.lexists(target):
            _require(source, target)
            put(source, target)
        disk.sync_folder(os.path.dirname(target))

    def _is_meant(self, target: str) -> bool:
        if self.digest:
            return digest_of(target) == self.digest
        return _is_known(target, self.length, self.tail)


@dataclass(frozen=True)
class Append:
    """Append `lead` and the bytes of `source` from `start` on to the file `target`.

    `length` and `tail` (see `tail_of`) describe the target before; `digest` is the
    sha256 of the bytes appended without `lead`.
    """

    source: str
    start: int
    target: str
    length: int
    tail: str
    lead: str
    digest: str

    def perform(self, storage: str) -> None:
        source = os.path.join(storage, self.source)
        target = os.path.join(storage, self.target)
        lead = self.lead.encode("ascii")
        size = os.path.getsize(target) if os.path.exists(target) else -1
        if size < self.length or tail_of(target, self.length) != self.tail:
            raise _changed(target, source)
        body = self.length + len(lead)
        if not os.path.exists(source):
            if digest_of(target, body) == self.digest:
                return
            raise _changed(target, source)
        appended = os.path.getsize(source) - self.start
        if size > body + appended and digest_of(target, body, appended) == self.digest:
            return  # and somebody has appended more since
        if not _is_torn(target, self.length, source, self.start, lead):
            raise _changed(target, source)
        # Comparing has taken its time.
        require_held()
        fd = os.open(target, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if size > self.length:
                disk.truncate(fd, self.length)
            os.lseek(fd, self.length, os.SEEK_SET)
            disk.write(fd, lead)
            copy_into(source, fd, self.start)
        finally:
            os.close(fd)


@dataclass(frozen=True)
class Replace:
    """Rename `source` over the file `target`.

    `length` and `tail` (see `tail_of`) describe the target before, `digest` is the
    sha256 of the source.
    """

    source: str
    target: str
    length: int
    tail: str
    digest: str

    def perform(self, storage: str) -> None:
        source = os.path.join(storage, self.source)
        target = os.path.join(storage, self.target)
        exists = os.path.exists(target)
        if os.path.exists(source):
            if not exists or not _is_known(target, self.length, self.tail):
                raise _changed(target, source)
            disk.replace(source, target)
        elif not exists or digest_of(target) != self.digest:
            raise _changed(target, source)
        disk.sync_folder(os.path.dirname(target))


@dataclass(frozen=True)
class Rename:
    """Rename the file or folder `source` to the new name `target`."""

    source: str
    target: str

    def perform(self, storage: str) -> None:
        source = os.path.join(storage, self.source)
        target = os.path.join(storage, self.target)
        if not os.path.lexists(target):
            _require(source, target)
            disk.replace(source, target)
        disk.sync_folder(os.path.dirname(target))


@dataclass(frozen=True)
class Remove:
    """Remove the file `path`, unless another one has that name meanwhile.

    `inode` and `size` tell which file is meant.
    """

    path: str
    inode: int
    size: int

    def perform(self, storage: str) -> None:
        path = os.path.join(storage, self.path)
        folder = os.path.dirname(path)
        try:
            status = os.stat(path)
            if (status.st_ino, status.st_size) == (self.inode, self.size):
                disk.unlink(path)
        except FileNotFoundError:
            pass  # perhaps by an attempt that did not come to forcing it out
        except OSError as error:
            if os.path.isabs(self.path) and error.errno in _NOT_OURS:
                return
            raise
        if os.path.isdir(folder):
            disk.sync_folder(folder)


@dataclass(frozen=True)
class Prune:
    """Remove the folder `path` when nothing is in it."""

    path: str

    def perform(self, storage: str) -> None:
        try:
            disk.rmdir(os.path.join(storage, self.path))
        except OSError as error:
            kept = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR} | _NOT_OURS
            if error.errno not in kept:
                raise


Step = Place | Append | Replace | Rename | Remove | Prune

_KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Place, Append, Replace, Rename, Remove, Prune)
}


def step_as_dict(step: Step) -> dict[str, str | int]:
    """Return a step as a dict of plain str and int; `step_from_dict` reads it."""
    return {"kind": type(step).__name__.lower(), **asdict(step)}


def step_from_dict(data: dict[str, str | int]) -> Step:
    """Return the step that `step_as_dict` has written.

    Raises ValueError when the dict describes none.
    """
    values = dict(data)
    kind = _KINDS.get(str(values.pop("kind", "")))
    try:
        if kind is not None:
            # Steps of before lack what has a default.
            return kind(**values)
    except TypeError:
        pass
    raise ValueError(f"This describes no step: {data!r}")


def perform(storage: str, steps: tuple[Step, ...]) -> None:
    """Do the steps in order; those done before are recognised.

    Raises OSError when the disk fails, `StorageFault` when a file is neither in its
    former nor in its new state; after either the steps can be performed again.  So they can
    after `ItemBusy`: what the caller holds was lost.
    """
    for step in steps:
        require_held()
        step.perform(storage)


def _is_torn(target: str, position: int, source: str, start: int, lead: bytes = b"") -> bool:
    """Tell whether `target` from `position` on can be a torn attempt to write
    `lead` and `source` from `start` on: the beginning of it, with zeros where blocks
    did not reach the disk."""
    with open(target, "rb") as found, open(source, "rb") as meant:
        found.seek(position)
        meant.seek(start)
        ours = lead
        while theirs := found.read(len(ours) or CHUNK):
            ours = ours or meant.read(len(theirs))
            if theirs != ours[: len(theirs)] and not _differs_by_zeros(theirs, ours):
                return False
            ours = b""
    return True


def _is_known(path: str, length: int, tail: str) -> bool:
    """Tell whether a file has that length and that end."""
    return os.path.getsize(path) == length and tail_of(path, length) == tail


def _differs_by_zeros(found: bytes, meant: bytes) -> bool:
    if len(found) > len(meant):
        return False
    return all(byte in (0, other) for byte, other in zip(found, meant, strict=False))


def _require(source: str, target: str) -> None:
    if not os.path.exists(source):
        raise StorageFault(
            _(
                "${target} cannot be written: ${source}, which holds its content, is "
                "gone. Bring it back from a backup.",
                mapping={"target": target, "source": source},
            )
        )


def _changed(target: str, source: str) -> StorageFault:
    return StorageFault(
        _(
            "${target} was changed by somebody else while it was being written; "
            "nothing in it was touched. Bring back its former state, or keep it "
            "aside together with ${source}, which holds what was to be written, and "
            "remove the work folder of the latter.",
            mapping={"target": target, "source": source},
        )
    )
