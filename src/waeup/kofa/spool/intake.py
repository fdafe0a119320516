"""The way in: an upload becomes an item, as a whole or not at all.

An upload is streamed into a work folder, forced out, checked, and only then gets its
name among the pending files.  Who lists the storage never sees half a file.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from waeup.kofa.errors import NameTaken, TooLarge
from waeup.kofa.spool.disk import CHUNK, disk, faults, put
from waeup.kofa.spool.locks import claimed, storage_lock
from waeup.kofa.spool.names import PENDING_SUFFIX, numbered, stored_name
from waeup.kofa.spool.work import WorkFolder

#: How the ids of the work folders of uploads begin.
PREFIX = "upload-"


@dataclass(frozen=True)
class Upload:
    """A file that has been accepted.

    `name` and `path` say where it is now, `size` counts bytes, `digest` is the
    sha256 of its content, `original` the name that the client gave.
    """

    name: str
    path: str
    size: int
    digest: str
    original: str


def accept(
    storage: str,
    stream: BinaryIO,
    filename: str,
    userid: str,
    *,
    limit: int | None = None,
    check: Callable[[str], None] | None = None,
    replace: bool = False,
) -> Upload:
    """Store the content of `stream` as an upload of `userid`, and return what it became.

    The name is made by `stored_name`; one that is in use gets a counter
    (``data_mgr-2.csv``).  A pending file keeps its name: it takes the place of the
    stored one only with `replace`.  `limit` is the highest number of bytes.  `check`
    is called with the path of the complete file and may raise `Refused`.

    Raises `InvalidName`, `TooLarge`, `NameTaken`, `ItemBusy`, or what `check`
    raises; then nothing is stored.  Raises `StorageFault` when the disk fails.
    """
    name = stored_name(filename, userid)
    is_pending = name.endswith(PENDING_SUFFIX)
    if is_pending and not replace:
        _refuse_taken(storage, name)
    with faults(f"Storing {name}"), WorkFolder(storage, prefix=PREFIX) as work:
        path = os.path.join(work.path, "upload" + os.path.splitext(name)[1])
        size, digest = _receive(stream, path, filename, limit)
        if check is not None:
            check(path)
        with storage_lock(storage):
            if is_pending:
                _place_pending(storage, path, name, replace)
            else:
                name = _place(storage, path, name)
            disk.sync_folder(storage)
    return Upload(name, os.path.join(storage, name), size, digest, filename)


def free_name(storage: str, name: str) -> str:
    """Return the first of `name`, ``name-2``, ... that no file or original has."""
    folders = [os.path.join(storage, folder) for folder in ("", "finished", "unfinished")]
    return next(
        candidate
        for candidate in numbered(name)
        if not any(os.path.lexists(os.path.join(folder, candidate)) for folder in folders)
    )


def _receive(stream: BinaryIO, path: str, filename: str, limit: int | None) -> tuple[int, str]:
    sha = hashlib.sha256()
    size = 0
    fd = disk.create(path)
    try:
        while data := stream.read(CHUNK):
            size += len(data)
            if limit is not None and size > limit:
                raise TooLarge(
                    f"{filename} has more than {limit} bytes, the limit of this data center. "
                    "Split the file, or have the limit raised."
                )
            sha.update(data)
            disk.write(fd, data)
        disk.sync(fd)
    finally:
        os.close(fd)
    return size, sha.hexdigest()


def _place(storage: str, path: str, name: str) -> str:
    while True:
        candidate = free_name(storage, name)
        try:
            put(path, os.path.join(storage, candidate))
            return candidate
        except FileExistsError:
            # Somebody has put a file there by other means; the next number is free.
            continue


def _place_pending(storage: str, path: str, name: str, replace: bool) -> None:
    target = os.path.join(storage, name)
    if not replace:
        _refuse_taken(storage, name)
    if os.path.lexists(target):
        with claimed(target):
            disk.replace(path, target)
    else:
        put(path, target)


def _refuse_taken(storage: str, name: str) -> None:
    if os.path.lexists(os.path.join(storage, name)):
        raise NameTaken(
            f"There is a pending file {name} already. Confirm that it shall be replaced, "
            "or choose another name."
        )
