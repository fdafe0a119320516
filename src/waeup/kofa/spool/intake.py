"""The way in: an upload becomes an item, as a whole or not at all.

An upload is streamed into a work folder, forced out, checked, and only then gets its
name among the pending files.  Who lists the storage never sees half a file.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import BinaryIO

from waeup.kofa.errors import NameTaken, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.spool.disk import CHUNK, digest_of, disk, faults, put, remove_file, stage
from waeup.kofa.spool.locks import claimed, require_held, storage_lock
from waeup.kofa.spool.names import PENDING_SUFFIX, check_name, given_name, numbered, stored_name
from waeup.kofa.spool.work import WorkFolder

#: How the ids of the work folders of uploads begin.
PREFIX = "upload-"


@dataclass(frozen=True)
class Upload:
    """A file that has been accepted.

    `name` and `path` say where it is now, `size` counts bytes, `digest` is the
    sha256 of its content, `original` the name that the client gave.  `notice` tells
    what a person has to say before the file can be imported, if there is anything.
    """

    name: str
    path: str
    size: int
    digest: str
    original: str
    notice: str = ""


class Intake:
    """Takes one upload of `userid`, and can take it back.

    The name is made by `stored_name`; one that is in use gets a counter
    (``data_mgr-2.csv``).  A pending file keeps its name: it takes the place of the
    stored one only with `replace`.  `limit` is the highest number of bytes.  `check`
    is called with the path of the complete file and may raise `Refused`.  `is_nobodys` tells of
    the name of a stored file whether nobody knows where it comes from: one with the same
    content is what a killed attempt has left, and becomes the upload.  `name` is given to a file
    that comes back, in place of what the rule makes of its name.

    Call `run`, and then either `finish` or `undo`.  What was replaced is kept until
    then; an intake whose process dies before that is taken as finished.

    Raises `InvalidName`, and `NameTaken` for a pending file without `replace`.
    """

    def __init__(
        self,
        storage: str,
        filename: str,
        userid: str,
        *,
        limit: int | None = None,
        check: Callable[[str], None] | None = None,
        replace: bool = False,
        is_nobodys: Callable[[str], bool] = lambda name: False,
        name: str | None = None,
    ) -> None:
        self.storage = storage
        self.filename = filename
        self.name = stored_name(filename, userid) if name is None else check_name(name)
        self._limit = limit
        self._check = check
        self._replace = replace
        self._is_nobodys = is_nobodys
        self._was_there = False
        self._placed: os.stat_result | None = None
        self._is_pending = self.name.endswith(PENDING_SUFFIX)
        self._work: WorkFolder | None = None
        if self._is_pending and not replace:
            _refuse_taken(storage, self.name)

    def run(self, stream: BinaryIO) -> Upload:
        """Store the content of `stream`, and return what it became.

        Raises `TooLarge`, `NameTaken`, `ItemBusy`, or what `check` raises; then
        nothing is stored.  Raises `StorageFault` when the disk fails.
        """
        with faults(_("Storing ${name}", mapping={"name": self.name})):
            self._work = WorkFolder(self.storage, prefix=PREFIX)
            try:
                # Under the name that the sender knows, for messages of `check`.
                path = os.path.join(self._work.path, given_name(self.filename))
                size, digest = _receive(stream, path, self.filename, self._limit)
                if self._check is not None:
                    self._check(path)
                # By this it is known again, once it has its name.
                self._placed = os.stat(path)
                with storage_lock(self.storage):
                    self._place(path, digest)
                    self._placed = os.stat(self._target)
                    disk.sync_folder(self.storage)
            except BaseException:
                if os.path.exists(self._former) and not self._is_replaced():
                    disk.replace(self._former, self._target)
                self._work.remove()
                raise
            if not os.path.exists(self._former):
                self.finish()
        return Upload(self.name, self._target, size, digest, self.filename)

    def finish(self) -> None:
        """Give up what was replaced."""
        if self._work is not None:
            self._work.remove()
            self._work = None

    def undo(self) -> None:
        """Take the file back, and bring back what it has replaced.

        A file that has taken the place of this one since is left alone.
        Raises `StorageFault` when the disk fails.
        """
        if self._was_there:
            return
        with (
            faults(_("Taking back ${name}", mapping={"name": self.name})),
            storage_lock(self.storage),
        ):
            if not self._is_replaced():
                self._take_back()
        self.finish()

    def _take_back(self) -> None:
        if self._work is None:
            # Who has seen it meanwhile may have put it elsewhere.
            with suppress(FileNotFoundError):
                remove_file(self._target)
        else:
            disk.replace(self._former, self._target)
            disk.sync_folder(self.storage)

    def _is_replaced(self) -> bool:
        """Tell whether the name is that of another file by now."""
        assert self._placed is not None
        try:
            return not os.path.samestat(os.stat(self._target), self._placed)
        except FileNotFoundError:
            return False

    @property
    def _target(self) -> str:
        return os.path.join(self.storage, self.name)

    @property
    def _former(self) -> str:
        """Path of the second name of a file that is replaced."""
        assert self._work is not None
        return os.path.join(self._work.path, "former")

    def _place(self, path: str, digest: str) -> None:
        """Give the complete file at `path` its name."""
        if not self._is_pending:
            left = self._left_over(digest)
            self._was_there = left is not None
            self.name = left or _put_numbered(self.storage, path, self.name)
            return
        if not self._replace:
            _refuse_taken(self.storage, self.name)
        if os.path.lexists(self._target):
            with claimed(self._target):
                stage(self._target, self._former)
                # Others may have replaced the file, if they have taken this process for dead.
                require_held()
                disk.replace(path, self._target)
        else:
            put(path, self._target)

    def _left_over(self, digest: str) -> str | None:
        """Return the name of what a killed attempt to store the same has left, or None."""
        free = free_name(self.storage, self.name)
        for name in takewhile(lambda name: name != free, numbered(self.name)):
            path = os.path.join(self.storage, name)
            if self._is_nobodys(name) and os.path.isfile(path) and digest_of(path) == digest:
                return name
        return None


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
    """Store an upload as `Intake` does, for good; return what it became."""
    intake = Intake(storage, filename, userid, limit=limit, check=check, replace=replace)
    upload = intake.run(stream)
    intake.finish()
    return upload


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
                    _(
                        "${filename} has more than ${limit} bytes, the limit of this data "
                        "center. Split the file, or have the limit raised.",
                        mapping={"filename": filename, "limit": limit},
                    )
                )
            sha.update(data)
            disk.write(fd, data)
        disk.sync(fd)
    finally:
        os.close(fd)
    return size, sha.hexdigest()


def _put_numbered(storage: str, path: str, name: str) -> str:
    while True:
        candidate = free_name(storage, name)
        try:
            put(path, os.path.join(storage, candidate))
            return candidate
        except FileExistsError:
            # Somebody has put a file there by other means; the next number is free.
            continue


def _refuse_taken(storage: str, name: str) -> None:
    if os.path.lexists(os.path.join(storage, name)):
        raise NameTaken(
            _(
                "There is a pending file ${name} already. Confirm that it shall be "
                "replaced, or choose another name.",
                mapping={"name": name},
            )
        )
