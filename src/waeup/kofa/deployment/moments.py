"""One moment of a database that others go on writing to: the database of a backup."""

import os
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from waeup.kofa.deployment import copying
from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.deployment.storagecopies import Tell
from waeup.kofa.deployment.wholeness import require_whole
from waeup.kofa.errors import Fault
from waeup.kofa.spool.disk import CHUNK, disk


class Moment:
    """One moment of a database: `prepare`, then `fix` under the lock, then `write`."""

    def prepare(self) -> None:
        """Do what takes time and can be done before."""

    def fix(self) -> None:
        """Let this be the moment.  All that was committed before is part of it."""
        raise NotImplementedError

    def write(self, path: Path, tell: Tell) -> bytes:
        """Write what the database held to a new FileStorage; return the last transaction's id."""
        raise NotImplementedError


@contextmanager
def moment_of(database: Database) -> Iterator[Moment]:
    """Give what fixes a moment of a database."""
    if isinstance(database, FileDatabase):
        with closing(_FileMoment(database.path)) as moment:
            yield moment
        return
    with database.storage(write=False) as storage:
        require_whole(storage, database.title)
        with closing(_StorageMoment(storage)) as moment:
            yield moment


class _StorageMoment(Moment):
    """That of a server, which keeps a snapshot for us."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._reader: Any = None
        self._transactions: Any = None

    def fix(self) -> None:
        if hasattr(self._storage, "ping"):  # ZEO: its server reads to where its file ends now
            self._transactions = self._storage.iterator()
            return
        # A new instance of RelStorage begins its snapshot with the first query.
        self._reader = self._storage.new_instance()
        self._transactions = self._reader.iterator()

    def write(self, path: Path, tell: Tell) -> bytes:
        total = max(len(self._storage), 1)

        def count(number: int, _size: int) -> None:
            tell("the database", min(1.0, number / total))

        last = b""

        def seen() -> Iterator[Any]:
            nonlocal last
            for transaction in self._transactions:
                last = transaction.tid
                yield transaction

        new = copying.write_file(seen(), path, count)
        disk.replace(str(new), str(path))
        for end in (".index", ".lock", ".tmp"):
            Path(f"{new}{end}").unlink(missing_ok=True)
        return last

    def close(self) -> None:
        """Let the snapshot go."""
        if self._reader is not None:
            self._transactions.close()
            self._reader.release()


#: A transaction begins with: its id, the length without the second writing of that, status (blank:
#: complete), and the lengths of user, description and extension.
_HEADER = struct.Struct(">8sQcHHH")
_LENGTH = struct.Struct(">Q")
#: Where the status is, and that of the last transaction in a file while it is being written.
_STATUS, _WRITING = 16, b"c"
#: What a file of a FileStorage begins with.
_MAGIC = (b"FS21", b"FS30")


class _FileMoment(Moment):
    """That of a file, to which a portal only appends: it is a length."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()
        self._length = len(_MAGIC[0])
        self._tid = b"\0" * 8

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self) -> BinaryIO:
        file = open(self._path, "rb")  # noqa: SIM115  (closed with the moment)
        if file.read(len(_MAGIC[0])) not in _MAGIC:
            file.close()
            raise Fault(f"{self._path} is no database of ZODB, or it is damaged at its beginning.")
        return file

    def prepare(self) -> None:
        self._walk()

    def fix(self) -> None:
        self._walk()
        while not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path)):
            # It was packed meanwhile; who appends since then does so to the new file.
            self._file.close()
            self._file, self._length, self._tid = self._opened(), len(_MAGIC[0]), b"\0" * 8
            self._walk()

    def _walk(self) -> None:
        """Go on to the end of the last complete transaction."""
        fd = self._file.fileno()
        while True:
            head = os.pread(fd, _HEADER.size, self._length)
            if len(head) < _HEADER.size:
                return
            tid, length, status, *more = _HEADER.unpack(head)
            end = self._length + length + _LENGTH.size
            size = os.fstat(fd).st_size
            if status == _WRITING and end >= size:
                return
            if status == _WRITING and os.pread(fd, 1, self._length + _STATUS) != _WRITING:
                continue  # it was completed just now, and another one follows
            if (
                status == _WRITING
                or end > size
                or os.pread(fd, _LENGTH.size, end - _LENGTH.size) != head[8:16]
                or tid <= self._tid
                or length < _HEADER.size + sum(more)
            ):
                raise Fault(
                    f"{self._path} is damaged at the byte {self._length:,}: there is no sound "
                    "transaction. Keep the file and the backups that you have, and have it looked "
                    "at with `fsrecover` of ZODB."
                )
            self._length, self._tid = end, tid

    def write(self, path: Path, tell: Tell) -> bytes:
        fd = disk.create(str(path))
        try:
            self._file.seek(0)
            done = 0
            while done < self._length:
                data = self._file.read(min(CHUNK, self._length - done))
                disk.write(fd, data)
                done += len(data)
                tell("the database", done / self._length)
            disk.sync(fd)
        finally:
            os.close(fd)
        return self._tid
