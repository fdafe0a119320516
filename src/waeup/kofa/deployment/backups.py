"""Backups: database and files of one portal as one whole, made while it runs.

::

    DIR/20260131T090000Z/      mode 0700
      Data.fs                  the database at one moment, whatever kind it has
      files/                   the storage of the data center, ``.work`` included
      files.jsonl              name, size, sha256 and inode of each file, a line for each
      backup.json              written last; without it the backup is not complete

Most is copied while everybody works.  Then the lock of the storage is held, in which nobody puts
files into places, and three things happen in this order:

1. What has changed since is copied, until two looks find the same.
2. The moment of the database is fixed (see `waeup.kofa.deployment.moments`).
3. What has come to ``.work`` and to the logs is copied once more; nothing is taken away.

Why both fit together when they come back:

* An upload is linked under the lock and committed then.  Where the database knows it, the file was
  there before 1.  Where only the file is there, it waits, and `recover` enters it.
* A deletion, a restoration and a purge are committed first, and then files move.  Where 1 has
  seen them moved, the database of 2 knows of it; where it has not, `recover` moves them.
* Rows of a run are forced out into a segment in ``.work`` first; the commit names its length then.
  So what the database of 2 names is in the copy of 3, and what a segment has behind that length is
  read by nobody, as after a kill.  The same holds for results of exports and checks, for rows of
  removed objects, and for tables that were made of workbooks.
* An import comes to its end under the lock: its files are in their places, and that is committed,
  or none of it is begun.  After a kill an intent may be left; `recover` carries it out from the
  backup as it would have done there.

A transaction that is just being written to the file of a FileStorage is not part of the moment.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.deployment.moments import Moment, moment_of
from waeup.kofa.deployment.storagecopies import StorageCopy, Tell, files_of
from waeup.kofa.errors import ItemBusy, Refused
from waeup.kofa.spool import storage_lock
from waeup.kofa.spool.disk import digest_of, disk, faults, remove_file

#: What is in a backup.
DATABASE, FILES, LIST, TOLD = "Data.fs", "files", "files.jsonl", "backup.json"
#: Version of the form above.
FORM = 1
#: How a backup is called after its moment (UTC).
NAME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\d{8}T\d{6}Z")
#: How often files are copied beside the work of all others, at most, and how many bytes may be
#: left for the lock.
ROUNDS, LITTLE = 5, 4 << 20
#: Bytes that must stay free.
RESERVE = 64 << 20


class Backup(NamedTuple):
    """What ``backup.json`` says.

    `time` is the moment (UTC, ISO 8601), `tid` that of its last transaction in hex digits,
    `storage` the path that the files had.  Sizes count bytes; `list_digest` is the sha256 of the
    list of files.
    """

    form: int
    release: str
    time: str
    tid: str
    user: str
    database_kind: str
    database_size: int
    database_digest: str
    storage: str
    files: int
    files_size: int
    list_digest: str
    locked_seconds: float


class Listed(NamedTuple):
    """A file of a backup, by its name below the storage."""

    name: str
    size: int
    digest: str
    inode: int


def make_backup(
    folder: Path,
    database: Database,
    storage: str,
    user: str,
    tell: Tell,
    require_storage: Callable[[Path], object],
) -> tuple[Path, Backup]:
    """Make a backup in `folder`; return where it is, and what is known of it.

    `require_storage` is called with the file of the database in the backup, and raises when that
    does not belong to `storage`.  A backup that cannot be completed is removed.  Raises `Refused`,
    `ItemBusy` and `Fault`.
    """
    with faults(f"Making a backup in {folder}"), _claimed(folder):
        _require_room(folder, database, storage)
        place = _new_place(folder)
        try:
            with moment_of(database) as moment:
                making = Making(place, moment, storage, tell)
                making.prepare()
                with storage_lock(storage):
                    making.settle()
                    making.fix()
                    making.add()
                made = making.complete(database.kind, user, require_storage)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place, made


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Have the folder of backups for oneself; it is made if need be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise Refused(f"{folder} is no folder. Name one in which backups can be made.")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise ItemBusy(f"Another backup is just being made in {folder}. Wait for its end.")
    try:
        yield
    finally:
        os.close(fd)


def _new_place(folder: Path) -> Path:
    """Make the folder of a new backup; another one may have been made in this second."""
    while True:
        place = folder / datetime.now(timezone.utc).strftime(NAME)
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
            (place / FILES).mkdir(mode=0o700)
            return place
        time.sleep(0.1)


def _require_room(folder: Path, database: Database, storage: str) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    needed = RESERVE + sum(file.st_size for _name, file in files_of(storage))
    if isinstance(database, FileDatabase):
        needed += database.path.stat().st_size
    if needed > free:
        raise Refused(
            f"There is not enough room in {folder}: {needed:,} bytes are needed, and {free:,} are "
            "free. Make room, for instance with --keep, or name another folder."
        )


class Making:
    """A backup that comes to be in the new folder `place`; its methods are called in their order.

    From `settle` to `add` the caller has the lock of the `storage`.
    """

    def __init__(
        self, place: Path, moment: Moment, storage: str, tell: Tell = lambda words, share: None
    ) -> None:
        self._place = place
        self._moment = moment
        self._storage = storage
        self._tell = tell
        self._files = StorageCopy(storage, place / FILES)
        self._began = self._locked = 0.0
        self._time = datetime.now(timezone.utc)

    def prepare(self) -> None:
        """Copy what there is, until little changes meanwhile."""
        for _round in range(ROUNDS):
            if self._files.copy(self._tell) <= LITTLE:
                break
        self._moment.prepare()

    def settle(self) -> None:
        """Copy what has changed since."""
        self._began = time.monotonic()
        self._files.settle()

    def fix(self) -> None:
        """Fix the moment of the database."""
        self._time = datetime.now(timezone.utc)
        self._moment.fix()

    def add(self) -> None:
        """Copy what has been written before that moment by who needs no lock."""
        self._files.add()
        self._locked = time.monotonic() - self._began

    def complete(
        self, kind: str, user: str, require_storage: Callable[[Path], object] = lambda path: None
    ) -> Backup:
        """Write the database, compare, and say that the backup is complete."""
        place, path = self._place, self._place / DATABASE
        tid = self._moment.write(path, self._tell)
        require_storage(path)
        number, size, digest = _list_files(place, self._files, self._tell)
        made = Backup(
            form=FORM,
            release=version("waeup.kofa"),
            time=self._time.isoformat(timespec="seconds"),
            tid=tid.hex(),
            user=user,
            database_kind=kind,
            database_size=path.stat().st_size,
            database_digest=digest_of(str(path)),
            storage=self._storage,
            files=number,
            files_size=size,
            list_digest=digest,
            locked_seconds=round(self._locked, 3),
        )
        for top, _folders, _names in os.walk(place, topdown=False):
            disk.sync_folder(top)
        write_durably(place / TOLD, json.dumps(made._asdict(), indent=1).encode("ascii"))
        disk.sync_folder(str(place.parent))
        return made


def write_durably(path: Path, data: bytes) -> None:
    """Make the file `path` at one stroke, with all it holds."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    fd = disk.create(str(new))
    try:
        disk.write(fd, data)
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.replace(str(new), str(path))
    disk.sync_folder(str(path.parent))


def _list_files(place: Path, files: StorageCopy, tell: Tell) -> tuple[int, int, str]:
    """Write the list of files; return how many, of how many bytes, and the digest of the list."""
    number = size = 0
    lines = []
    for name, inode in sorted(files.inodes().items()):
        path = os.path.join(place, FILES, name)
        listed = Listed(name, os.path.getsize(path), digest_of(path), inode)
        lines.append(json.dumps(listed))
        number, size = number + 1, size + listed.size
        tell("the digests of files", number / len(files.inodes()))
    data = "".join(f"{line}\n" for line in lines).encode("ascii")
    write_durably(place / LIST, data)
    return number, size, hashlib.sha256(data).hexdigest()


def read_backup(place: Path) -> Backup:
    """Return what is known of the backup in a folder.

    Raises `Refused` for what is none, is not complete, or was made by a later release.
    """
    try:
        found = json.loads((place / TOLD).read_text("ascii"))
        form = found["form"]
    except FileNotFoundError:
        if (place / FILES).is_dir():
            raise Refused(
                f"The backup {place} is not complete: it was broken off. Take another one; this "
                "one can be removed."
            )
        raise Refused(
            f"{place} is no backup. Name a folder with {TOLD}, such as `kofactl backup DIR` makes."
        )
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise Refused(f"{place / TOLD} cannot be read, and so the backup cannot be used: {error}")
    if form != FORM:
        raise Refused(
            f"The backup {place} has the form {form}, and this release knows the form {FORM}. Use "
            "the release that has made it."
        )
    try:
        return Backup(**found)
    except TypeError:
        raise Refused(f"{place / TOLD} is damaged: it lacks something. Take another backup.")


def listed_files(place: Path, backup: Backup) -> list[Listed]:
    """Return the files of a backup; raises `Refused` when their list is damaged."""
    try:
        data = (place / LIST).read_bytes()
        if hashlib.sha256(data).hexdigest() != backup.list_digest:
            raise ValueError
        return [Listed(*json.loads(line)) for line in data.splitlines()]
    except (OSError, ValueError, TypeError):
        raise Refused(f"The backup {place} is damaged: {LIST} is not what was written.")


def check_backup(place: Path, tell: Tell) -> tuple[Backup, list[Listed]]:
    """Read all of a backup, and compare it with its digests; raises `Refused` for a damage."""
    backup = read_backup(place)
    files = listed_files(place, backup)
    checked = [(DATABASE, backup.database_size, backup.database_digest)]
    checked += [(os.path.join(FILES, file.name), file.size, file.digest) for file in files]
    total = max(sum(size for _name, size, _digest in checked), 1)
    done = 0
    for name, size, digest in checked:
        path = place / name
        try:
            is_sound = path.stat().st_size == size and digest_of(str(path)) == digest
        except OSError as error:
            raise Refused(
                f"The backup {place} is damaged: {name} cannot be read ({error.strerror}). Take "
                "another backup."
            )
        if not is_sound:
            raise Refused(
                f"The backup {place} is damaged: {name} is not what was written. Take another "
                "backup."
            )
        done += size
        tell("comparing digests", done / total)
    return backup, files


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove the complete backups of a folder but the newest; return which.

    Raises `ItemBusy` while a backup is being made there.
    """
    with _claimed(folder):
        complete = [place for place in _places(folder) if (place / TOLD).is_file()]
        old = complete[:-keep]
        for place in old:
            # Should this be broken off, what is left is not complete.
            remove_file(str(place / TOLD))
            shutil.rmtree(place)
        return old


def incomplete(folder: Path) -> list[Path]:
    """Return the backups of a folder that were broken off; none while one is being made."""
    try:
        with _claimed(folder):
            return [place for place in _places(folder) if not (place / TOLD).is_file()]
    except ItemBusy:
        return []


def _places(folder: Path) -> list[Path]:
    """Return the folders with the name of a backup, the oldest first."""
    return [
        place
        for place in sorted(folder.iterdir())
        if _NAME.fullmatch(place.name) and place.is_dir() and not place.is_symlink()
    ]
