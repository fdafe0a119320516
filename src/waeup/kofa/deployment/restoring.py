"""A portal comes back from a backup: its files to a folder, its database into any kind.

::

    check      all digests of the backup
    files      to a folder beside the place, forced out and compared, then renamed
    prepare    a copy of the database learns where its files are now
    database   as `waeup.kofa.deployment.copying` puts it in place: at one stroke

The last step decides.  Until then the former portal is what it was, for the files of the new one
are in a folder of their own, and the database says which folder is meant.  A folder that was
filled by a restoration that was broken off has a file `UNUSED` in it, and is emptied by the next.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from waeup.kofa.deployment import copying
from waeup.kofa.deployment.backups import (
    DATABASE,
    FILES,
    RESERVE,
    Backup,
    Listed,
    write_durably,
)
from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.deployment.storagecopies import Tell
from waeup.kofa.errors import Refused, StorageFault
from waeup.kofa.spool import WORK, Prune, Remove, Step, step_as_dict, step_from_dict
from waeup.kofa.spool.copying import Copy, copied
from waeup.kofa.spool.disk import digest_of, disk, faults, remove_file, sync_file
from waeup.kofa.spool.work import INTENT

#: In a folder of files that no database knows (yet).
UNUSED = ".restoring"

#: New inodes of files, by their names and former inodes.
Inodes = dict[tuple[str, int], int]


def free_place(wanted: Path, name: str, used: str | None) -> Path:
    """Return the folder that files can come to: `wanted`, or one beside with `name` in its name.

    `used` is the folder of the present portal, which stays as it is.
    """
    place, number = wanted, 1
    while not is_free(place, used):
        end = name if number == 1 else f"{name}-{number}"
        place, number = wanted.with_name(f"{wanted.name}-{end}"), number + 1
    return place


def is_free(place: Path, used: str | None) -> bool:
    """Tell whether files can come to a folder: there is none, or nothing that counts in it."""
    if used is not None and os.path.realpath(place) == os.path.realpath(used):
        return False
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return not os.path.lexists(place)
    except NotADirectoryError:
        return False
    return not names or UNUSED in names


def require_room(place: Path, backup: Backup, database: Database) -> None:
    """Raise `Refused` where a backup finds no room."""
    needed: dict[int, tuple[Path, int]] = {}
    own = database.path.parent if isinstance(database, FileDatabase) else place
    for path, size in ((place, backup.files_size), (own, backup.database_size)):
        folder = next(each for each in (path, *path.parents) if each.is_dir())
        device = os.stat(folder).st_dev
        needed[device] = (folder, needed.get(device, (folder, RESERVE))[1] + size)
    for folder, size in needed.values():
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        if size > free:
            raise Refused(
                f"There is not enough room in {folder}: {size:,} bytes are needed, and {free:,} "
                "are free. Make room, or name another folder."
            )


def restore_files(
    source: Path, files: list[Listed], former: str, place: Path, tell: Tell
) -> Inodes:
    """Copy the files of the backup `source`, which were in `former`, to a folder that is free.

    Returns the new inodes.  Raises `StorageFault`.
    """
    with faults(f"Bringing files back to {place}"):
        new = place.with_name(place.name + copying.INCOMPLETE)
        if new.exists():
            shutil.rmtree(new)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.mkdir(mode=0o700)
        write_durably(new / UNUSED, b"")
        _copy_files(source / FILES, new, files, tell)
        inodes = {(file.name, file.inode): (new / file.name).stat().st_ino for file in files}
        _tell_intents(new, str(place), former, inodes)
        for top, _folders, _names in os.walk(new, topdown=False):
            disk.sync_folder(top)
        if place.exists():
            # What is in it, if anything, is of a restoration that was broken off.
            for name in os.listdir(place):
                inner = place / name
                if inner.is_dir() and not inner.is_symlink():
                    shutil.rmtree(inner)
                elif name != UNUSED:
                    inner.unlink()
            with suppress(FileNotFoundError):
                (place / UNUSED).unlink()
        disk.replace(str(new), str(place))
        disk.sync_folder(str(place.parent))
        return inodes


def _copy_files(source: Path, target: Path, files: list[Listed], tell: Tell) -> None:
    """Copy the folders, links and files of a backup, and compare these with their digests."""
    for top, folders, names in os.walk(source):
        place = target / os.path.relpath(top, source)
        place.mkdir(mode=0o700, exist_ok=True)
        if top != str(source):
            shutil.copymode(top, place)
        for name in (*folders, *names):
            link = Path(top, name)
            if link.is_symlink():
                (place / name).symlink_to(os.readlink(link))
    total, done = max(sum(file.size for file in files), 1), 0

    def count(written: int, _files: int) -> None:
        nonlocal done
        done += written
        tell("files", min(1.0, done / total))

    copies = (Copy(str(source / file.name), str(target / file.name), file.size) for file in files)
    for _each in copied(copies, count):
        pass
    for file in files:
        path = target / file.name
        if not path.is_file() or digest_of(str(path)) != file.digest:
            raise StorageFault(
                f"{path} is not what the backup holds. Look at both disks, and repeat the command."
            )


@contextmanager
def prepared(
    source: Path,
    beside: Path,
    place: Path,
    backup: Backup,
    inodes: Inodes,
    site_name: str,
    tell: Tell,
) -> Iterator[Path]:
    """Give the path of a copy of a backup's database, whose files are in `place`.

    It lies beside the path `beside`, and goes with the block.  Raises `StorageFault`.
    """
    path = beside.with_name(f"{beside.name}.restoring")
    with faults(f"Preparing the database of {source}"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with copying.held(path):
            _remove(path)
            copy = Copy(str(source / DATABASE), str(path), backup.database_size)
            for _each in copied([copy], lambda written, files: tell("the database", 0.0)):
                pass
    try:
        if digest_of(str(path)) != backup.database_digest:
            raise StorageFault(
                f"{path} is not what the backup holds. Look at both disks, and repeat the command."
            )
        with faults(f"Preparing the database of {source}"):
            _tell_place(FileDatabase(path), place, backup.storage, inodes, site_name)
            sync_file(str(path))
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    for end in ("", ".index", ".tmp", ".lock"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _tell_place(
    database: Database, place: Path, former: str, inodes: Inodes, site_name: str
) -> None:
    """Let a database know where its files are now, and which of them intents mean."""
    from transaction import TransactionManager
    from zope.app.publication.zopepublication import ZopePublication

    from waeup.kofa.presence import KEY

    manager = TransactionManager()
    with database.open(write=True) as opened:
        connection = opened.open(manager)
        root = connection.root()
        # Processes of then have nothing to do with the portal of now.
        root.pop(KEY, None)
        datacenter = root[ZopePublication.root_name][site_name]["datacenter"]
        datacenter.storage = str(place)
        for intent in list(datacenter.ledger.intended()):
            steps = tuple(moved(step, former, str(place), inodes) for step in intent.steps)
            results = tuple(_moved_path(path, former, str(place)) for path in intent.results)
            datacenter.ledger.intend(
                replace(intent, storage=str(place), steps=steps, results=results)
            )
        manager.get().note("restored from a backup")
        manager.commit()
        connection.close()


def _tell_intents(place: Path, storage: str, former: str, inodes: Inodes) -> None:
    """Let the intents in work folders below `place`, which becomes `storage`, mean its files."""
    for path in (place / WORK).glob(f"*/{INTENT}"):
        try:
            data = json.loads(path.read_bytes())
            steps = [step_from_dict(step) for step in data["steps"]]
        except (ValueError, TypeError, LookupError):
            continue  # `recover` tells of it
        data["steps"] = [step_as_dict(moved(step, former, storage, inodes)) for step in steps]
        write_durably(path, json.dumps(data, indent=1).encode("ascii"))


def moved(step: Step, former: str, place: str, inodes: Inodes) -> Step:
    """Return a step of an intent for files that have come from the folder `former` to `place`."""
    if isinstance(step, Remove):
        path = _moved_path(step.path, former, place)
        name = os.path.relpath(path, place) if os.path.isabs(path) else path
        return replace(step, path=path, inode=inodes.get((name, step.inode), 0))
    if isinstance(step, Prune):
        return replace(step, path=_moved_path(step.path, former, place))
    return step


def _moved_path(path: str, former: str, place: str) -> str:
    prefix = os.path.join(former, "")
    return os.path.join(place, path[len(prefix) :]) if path.startswith(prefix) else path


def put_database(
    path: Path, target: Database, name: str, tell: Tell, *, replaces: bool
) -> Path | None:
    """Let the target hold what the file of a FileStorage at `path` has.

    What the target holds is given up if it `replaces` that; the former file of a FileStorage is
    kept under its name with `name` behind it, and returned.  Raises `Refused`, `DatabaseHeld` and
    `Fault`.
    """
    if not isinstance(target, FileDatabase):
        with FileDatabase(path).storage(write=False) as source:
            total = max(len(source), 1)

            def count(number: int, _size: int) -> None:
                tell("the database", min(1.0, number / total))

            copying.copy_database(source, target, count, replace=replaces)
        return None
    place, former = target.path, None
    with faults(f"Putting the database to {place}"):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with copying.held(place):
            if place.exists():
                with target.storage(write=False) as storage:
                    copying.require_free(storage, target, replaces)
                former = place.with_name(f"{place.name}.before-{name}")
                former.unlink(missing_ok=True)
                disk.link(str(place), str(former))
            copying.put_file(path, place)
    return former


def end(place: Path) -> None:
    """Say that the files in a folder belong to a database from now on."""
    with suppress(FileNotFoundError):
        remove_file(str(place / UNUSED))
