"""Uploads that come in pieces, over broken lines and hours: what has come stays.

Each one has a work folder, which is there as long as it is under way::

    .work/partial-<id>/
        upload.json         who sends what; a folder without it counts for nothing
        000000000000000     a piece: its name is the number of the byte at which it begins
        000000008388608     the next one
        .coming-<random>    a piece that is just coming

What has come is the chain of pieces that begins with byte 0.  A piece never changes.

What an acknowledgement is worth
--------------------------------

A piece is forced out as a whole before it has its name, and its name is forced out before anybody
is told of it, by `Partial.append` or by `look_at`.  So whatever is told to have come is there
after a kill and after a loss of power; no length of a file, which proves nothing then, and no
offset that is kept apart has to be believed.

* A piece that was coming when the process died has no name, and is as if it had never been sent.
* A kill between name and answer leaves a chain that is longer than what was acknowledged, by one
  piece that had come as a whole and whose checksum was right.  The sender asks, and goes on there.
* After a loss of power names may be there whose predecessors are not, as long as nobody was told
  of either: what is not in the chain is removed before the next piece gets its name.

Who receives a piece has the folder for itself (`waeup.kofa.spool.locks`): another request meets
`ItemBusy`.  On a shared directory a process may be taken for dead and be woken afterwards.  It has
a file of its own; that gets its name by a link, which fails where another piece has it, and who
came after it has removed the file.  What was acknowledged to others is not touched by it.
"""

import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from waeup.kofa.errors import (
    ItemBusy,
    NoSuchItem,
    Refused,
    StorageFault,
    TooLarge,
    WrongChecksum,
    WrongOffset,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.spool.disk import CHUNK, disk, faults, put, remove_file, retried
from waeup.kofa.spool.locks import Held, exclusion, storage_lock
from waeup.kofa.spool.work import WORK, WorkFolder

#: How the ids of the work folders begin.
PREFIX = "partial-"
#: Name of the file that says who sends what.
ABOUT = "upload.json"
#: How the name of a piece begins that is just coming.
COMING = ".coming-"
#: How long an upload is kept that gets no further.
LIFETIME = timedelta(hours=24)
#: Pieces of one upload at most.
PIECES = 10_000

_ID = re.compile(r"[0-9a-f]{32}")
_PIECE = re.compile(r"[0-9]{15}")


class Checksum(NamedTuple):
    """What the digest of a piece has to be: `algorithm` is a name that hashlib knows."""

    algorithm: str
    digest: bytes


class Quota(NamedTuple):
    """How many uploads one `owner` may have under way, and how many bytes all may announce.

    Of the bytes nobody has more than half, unless by a single upload: others need room, too.
    """

    owner: int
    bytes: int


@dataclass(frozen=True)
class PartialUpload:
    """An upload that is under way.

    `owner` is the id of who sends `filename`, which will have `size` bytes; `replace` and
    `digest` (SHA-256 in hex, or '') are what was said about it, and `note` is for who sends it.
    `offset` bytes have come, the last of them at `changed`; it began at `began`.
    """

    id: str
    owner: str
    filename: str
    size: int
    replace: bool
    digest: str
    began: datetime
    offset: int
    changed: datetime
    note: str

    @property
    def is_complete(self) -> bool:
        """Whether all bytes have come."""
        return self.offset == self.size

    @property
    def expires(self) -> datetime:
        """When it goes, unless a piece comes."""
        return self.changed + LIFETIME


def begin_partial(
    storage: str,
    owner: str,
    filename: str,
    size: int,
    *,
    replace: bool = False,
    digest: str = "",
    note: str = "",
    quota: Quota,
) -> PartialUpload:
    """Begin an upload of which nothing has come yet.

    Raises `Refused` when the owner has too many of them, `ItemBusy` when all together would be
    too large, and `StorageFault`.
    """
    about = {
        "owner": owner,
        "filename": filename,
        "size": size,
        "replace": replace,
        "digest": digest,
        "note": note,
        "began": datetime.now(timezone.utc).isoformat(),
    }
    id = secrets.token_hex(16)
    # Under the lock: of two who begin at the same time one may be too much.
    with (
        faults(_("Beginning the upload of ${name}", mapping={"name": filename})),
        storage_lock(storage),
    ):
        _require_room(partial_uploads(storage), owner, size, quota)
        work = WorkFolder(storage, PREFIX + id)
        try:
            _write(os.path.join(work.path, ABOUT), json.dumps(about).encode("ascii"))
            work.sync()
        except BaseException:
            work.remove()
            raise
        work.close()
    return look_at(storage, id)


def look_at(storage: str, id: str) -> PartialUpload:
    """Return what has come of an upload; that is there after a loss of power, too.

    Raises `NoSuchItem` and `StorageFault`.
    """
    folder = _folder(storage, id)
    found = _found(storage, id)
    if found is None:
        raise missing(id)
    with faults(_("Looking at the upload of ${name}", mapping={"name": found.filename})):
        try:
            disk.sync_folder(folder)
        except FileNotFoundError:
            raise missing(id)
    return found


def partial_uploads(storage: str) -> list[PartialUpload]:
    """Return all uploads that are under way, the oldest first.

    What of them has come is not forced out for that: it is no acknowledgement.
    """
    ids = [name.removeprefix(PREFIX) for name in _folders(storage)]
    found = [each for id in ids if (each := _found(storage, id)) is not None]
    return sorted(found, key=lambda each: (each.began, each.id))


def partial_folders(storage: str) -> set[str]:
    """Return the ids of the work folders of all uploads that are under way."""
    return {PREFIX + each.id for each in partial_uploads(storage)}


def drop_partials(
    storage: str, is_over: Callable[[PartialUpload], bool]
) -> Iterator[PartialUpload]:
    """Remove the uploads that are over, and generate them; what is used just now stays."""
    for each in partial_uploads(storage):
        if not is_over(each):
            continue
        with suppress(ItemBusy, NoSuchItem), Partial(storage, each.id) as partial:
            # It may have got further meanwhile.
            if is_over(partial.upload):
                partial.remove()
                yield partial.upload


class Partial:
    """One upload, which nobody else changes as long as this is open.

    `upload` says what has come.  As a context manager it is closed at the end.  Raises `ItemBusy`
    when somebody else uses it, `NoSuchItem` when it is not there, and `StorageFault`.
    """

    def __init__(self, storage: str, id: str) -> None:
        self._storage = storage
        self._folder = _folder(storage, id)
        with faults(_("Opening the upload ${id}", mapping={"id": id})):
            try:
                held = exclusion().take_left_folder(self._folder)
            except (FileNotFoundError, NotADirectoryError):
                raise missing(id)
        if held is None:
            raise ItemBusy(
                _("A part of this upload is just coming, or it is being stored. Ask again.")
            )
        self._held: Held = held
        try:
            self.upload = look_at(storage, id)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Partial":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        self._held.release()

    def append(
        self, offset: int, stream: BinaryIO, checksum: Checksum | None = None
    ) -> PartialUpload:
        """Keep what `stream` has as the bytes from `offset` on; return what has come now.

        Raises `WrongOffset` unless that is the next byte, `WrongChecksum`, `TooLarge` for more
        bytes than were announced, `Refused` for too many pieces, and `StorageFault`.  Nothing of
        the piece is kept then.
        """
        known = self.upload
        with faults(_("Storing a part of ${name}", mapping={"name": known.filename})):
            chain = _chain(self._folder)
            if offset != _end(chain):
                raise wrong_offset(known.filename, offset, known.offset)
            if len(chain) >= PIECES:
                raise Refused(
                    _(
                        "${name} comes in more than ${n} pieces. Send it anew, in larger ones.",
                        mapping={"name": known.filename, "n": Number(PIECES)},
                    )
                )
            self._sweep(chain)
            coming = os.path.join(self._folder, COMING + secrets.token_hex(8))
            try:
                if _received(coming, stream, known, checksum):
                    self._name(coming, offset)
            finally:
                with suppress(FileNotFoundError):
                    disk.unlink(coming)
            # Which forces the name out.
            self.upload = look_at(self._storage, known.id)
        return self.upload

    def open(self) -> BinaryIO:
        """Open all that has come for reading bytes; the caller closes it."""
        return io.BufferedReader(_Chained(self._folder, _chain(self._folder)))

    def remove(self) -> None:
        """Remove it for good."""
        self._held.require()
        with faults(_("Removing the upload of ${name}", mapping={"name": self.upload.filename})):
            # What a kill leaves of the rest is no upload any more.
            remove_file(os.path.join(self._folder, ABOUT))
            WorkFolder(self._storage, os.path.basename(self._folder), shared=True).remove()

    def _sweep(self, chain: dict[int, int]) -> None:
        """Remove what does not belong to the chain: nobody was ever told of it."""
        needless = [
            name
            for name in os.listdir(self._folder)
            if name.startswith(COMING) or (_PIECE.fullmatch(name) and int(name) not in chain)
        ]
        if needless:
            self._held.require()
            for name in needless:
                with suppress(FileNotFoundError):
                    disk.unlink(os.path.join(self._folder, name))
            disk.sync_folder(self._folder)

    def _name(self, coming: str, offset: int) -> None:
        """Give a piece that was forced out its name."""
        self._held.require()
        try:
            put(coming, os.path.join(self._folder, f"{offset:015}"))
        except (FileExistsError, FileNotFoundError):
            # Others have taken this process for dead, and gone on.
            raise ItemBusy(
                _("Somebody else sends the same upload. Ask how much has come, and go on there.")
            )


class _Chained(io.RawIOBase):
    """Pieces, read one after the other."""

    def __init__(self, folder: str, chain: dict[int, int]) -> None:
        self._folder = folder
        self._left = sorted(chain.items())
        self._stream: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._left:
            start, length = self._left[0]
            if self._stream is None:
                self._stream = _opened(os.path.join(self._folder, f"{start:015}"))
                if os.fstat(self._stream.fileno()).st_size != length:
                    raise StorageFault(
                        _(
                            "A part of an upload is not what has come, in ${path}. Drop the "
                            "upload, and send the file anew.",
                            mapping={"path": self._stream.name},
                        )
                    )
            data = self._stream.read(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            self._next()
        return 0

    def _next(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._left.pop(0)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        super().close()


@retried
def _opened(path: str) -> BinaryIO:
    return open(path, "rb", buffering=0)


def _received(path: str, stream: BinaryIO, known: PartialUpload, checksum: Checksum | None) -> int:
    """Write a piece to a new file, and force it out; return its length."""
    digest = None if checksum is None else hashlib.new(checksum.algorithm)
    length, fd = 0, disk.create(path)
    try:
        while data := stream.read(CHUNK):
            length += len(data)
            if known.offset + length > known.size:
                raise too_many_bytes(known.filename, known.size)
            if digest is not None:
                digest.update(data)
            disk.write(fd, data)
        if digest is not None and checksum is not None and digest.digest() != checksum.digest:
            raise WrongChecksum(
                _(
                    "This part of ${name} does not have the checksum that was sent with it: it "
                    "was damaged on its way. Send it again.",
                    mapping={"name": known.filename},
                )
            )
        if length:
            disk.sync(fd)
    finally:
        os.close(fd)
    return length


def _require_room(others: list[PartialUpload], owner: str, size: int, quota: Quota) -> None:
    """Raise `Refused` unless one more upload may begin."""
    own = [each.size for each in others if each.owner == owner]
    if len(own) >= quota.owner or (own and sum(own) + size > quota.bytes // 2):
        raise Refused(
            _(
                "You have ${n} uploads that are not complete, and more are not kept. Bring "
                "them to their end, or drop some.",
                mapping={"n": Number(len(own))},
            )
        )
    if sum(each.size for each in others) + size > quota.bytes:
        raise ItemBusy(
            _(
                "The uploads that are under way have the ${limit} bytes that all may have "
                "together. Try again when some are over.",
                mapping={"limit": Number(quota.bytes)},
            )
        )


def _write(path: str, data: bytes) -> None:
    """Write a file that is there as a whole or not at all; the folder is not forced out."""
    fd = disk.create(path + ".new")
    try:
        disk.write(fd, data)
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.replace(path + ".new", path)


def _folder(storage: str, id: str) -> str:
    if not _ID.fullmatch(id):
        raise missing(id)
    return os.path.join(storage, WORK, PREFIX + id)


def _folders(storage: str) -> list[str]:
    return [
        name
        for name in WorkFolder.ids(storage)
        if name.startswith(PREFIX) and _ID.fullmatch(name.removeprefix(PREFIX))
    ]


def missing(id: str) -> NoSuchItem:
    """Return the error that says that there is no such upload."""
    return NoSuchItem(
        _(
            "There is no upload ${id} (any more): it is stored, was dropped, or got no further "
            "for ${n} hours. Look at the list of files, and send the file anew if it is not "
            "there.",
            mapping={"id": repr(id[:80]), "n": LIFETIME // timedelta(hours=1)},
        )
    )


def wrong_offset(filename: str, offset: int, known: int) -> WrongOffset:
    """Return the error that says that a piece is not the one at the byte `known`."""
    return WrongOffset(
        _(
            "${offset} is not the byte at which ${name} goes on: ${known} have come. Ask how many "
            "have come, and go on there.",
            mapping={"offset": Number(offset), "name": filename, "known": Number(known)},
        ),
        known,
    )


def too_many_bytes(filename: str, size: int) -> TooLarge:
    """Return the error that says that more bytes have come than were announced."""
    return TooLarge(
        _(
            "${name} was announced with ${size} bytes, and more have come. Send it anew.",
            mapping={"name": filename, "size": Number(size)},
        )
    )


@retried
def _found(storage: str, id: str) -> PartialUpload | None:
    """Return what there is of an upload, or None."""
    folder = _folder(storage, id)
    try:
        with open(os.path.join(folder, ABOUT), "rb") as stream:
            changed = os.fstat(stream.fileno()).st_mtime
            said = json.load(stream)
        chain = _chain(folder)
        times = [os.stat(os.path.join(folder, f"{start:015}")).st_mtime for start in [*chain][-1:]]
        return PartialUpload(
            id=id,
            owner=said["owner"],
            filename=said["filename"],
            size=said["size"],
            replace=said["replace"],
            digest=said["digest"],
            began=datetime.fromisoformat(said["began"]),
            offset=_end(chain),
            changed=datetime.fromtimestamp(max(changed, *times, 0), timezone.utc),
            note=said["note"],
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        # What is damaged cannot go on, and goes as a folder that nobody needs.
        return None


def _chain(folder: str) -> dict[int, int]:
    """Return beginning -> length of the pieces that follow each other from byte 0 on, in order."""
    with os.scandir(folder) as entries:
        # An empty one is what a killed process has left where there are no links.
        found = {
            int(entry.name): entry.stat().st_size
            for entry in entries
            if _PIECE.fullmatch(entry.name)
        }
    chain: dict[int, int] = {}
    while length := found.get(_end(chain), 0):
        chain[_end(chain)] = length
    return chain


def _end(chain: dict[int, int]) -> int:
    """Return the byte behind the last piece of a chain."""
    last = next(reversed(chain), None)
    return 0 if last is None else last + chain[last]
