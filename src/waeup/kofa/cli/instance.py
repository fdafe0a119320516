"""The instance directory: everything that one portal keeps.

::

    var/                        mode 0700
      filestorage/Data.fs       the embedded database, written by one process at a time
      datacenter/               the storage of the data center
      log/                      what the portal and kofactl tell their operator

It is made in steps that a kill can only leave undone: folders first, then the database, in which
the site and its administrator appear in one transaction.  Whatever is missing is made by the
next ``kofactl run``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from waeup.kofa.errors import DatabaseHeld, NoSuchItem, Refused

if TYPE_CHECKING:
    from ZODB.DB import DB

#: Connections that a pool may hold before ZODB warns; more than waitress' threads.
POOL_SIZE = 20
#: Objects that a connection keeps in memory: imports come back to the same ones.
CACHE_SIZE = 30_000


class Instance:
    """The instance directory at a path, whether it exists or not."""

    def __init__(self, var: Path) -> None:
        self.var = var.absolute()
        self.database_path = self.var / "filestorage" / "Data.fs"
        self.storage = self.var / "datacenter"
        self.log = self.var / "log"

    @property
    def exists(self) -> bool:
        """Whether a database was made here."""
        return self.database_path.is_file()

    def require(self) -> None:
        """Raise `NoSuchItem` when there is no instance."""
        if not self.exists:
            raise NoSuchItem(
                f"There is no portal in {self.var}: {self.database_path} does not exist. "
                "Name the instance directory with --var DIR or KOFA_VAR, or make one there "
                "with `kofactl run`."
            )

    def make(self) -> None:
        """Make the folders of a new instance; of an existing one only that of the logs.

        What is missing there is missing for a reason, such as a disk that is not mounted.  The
        directory is for its owner only, also one that others were let into.  Raises `Refused`
        when it belongs to something else, or cannot be made.
        """
        try:
            if self.exists:
                self.var.chmod(0o700)
                self.log.mkdir(exist_ok=True)
                return
            self._refuse_foreign_content()
            self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.var.chmod(0o700)
            for folder in (self.database_path.parent, self.storage, self.log):
                folder.mkdir(exist_ok=True)
            _sync_folders(self.var.parent, self.var, self.database_path.parent)
        except OSError as error:
            raise Refused(
                f"The instance directory {self.var} cannot be made: {error.strerror} "
                f"({error.filename}). Name another one with --var DIR, or correct its rights."
            )

    def _refuse_foreign_content(self) -> None:
        """Raise `Refused` when the directory holds visible entries that are not ours."""
        if not self.var.is_dir():
            return
        ours = {"filestorage", "datacenter", "log"}
        foreign = sorted(
            name for name in os.listdir(self.var) if name not in ours and not name.startswith(".")
        )
        if foreign:
            raise Refused(
                f"{self.var} is not empty and no instance directory: it holds {foreign[0]}. "
                "Name an empty or a new directory with --var DIR."
            )

    @contextmanager
    def database(self, *, write: bool) -> Iterator["DB"]:
        """Open the embedded database for the time of a block.

        Reading works beside a process that writes: it shows what was committed when the database
        was opened, and touches no file.  Writing needs the database alone.  With `write` a
        database that is missing is made.

        Raises `DatabaseHeld` when another process writes.
        """
        from zc.lockfile import LockError
        from ZODB.DB import DB
        from ZODB.FileStorage import FileStorage

        try:
            storage = FileStorage(str(self.database_path), read_only=not write)
        except LockError:
            raise DatabaseHeld(self._held_message())
        database = DB(storage, pool_size=POOL_SIZE, cache_size=CACHE_SIZE)
        try:
            yield database
        finally:
            database.close()

    def _held_message(self) -> str:
        """Say who holds the database, since when, and what to do."""
        who, how = "another process", "that process"
        since = ""
        try:
            with open(f"{self.database_path}.lock", encoding="ascii", errors="replace") as lock:
                text = lock.read(64).strip()
                begin = os.fstat(lock.fileno()).st_mtime
            # The lock file holds a text from outside; only a number becomes part of a path.
            if text.isdecimal():
                who, how = f"process {text}{_command_of(int(text))}", f"process {text}"
                local = datetime.fromtimestamp(begin).astimezone()
                since = f" since {local:%Y-%m-%d %H:%M:%S}"
        except OSError:
            pass  # released or unreadable; the rest of the message holds all the same
        return (
            f"The database {self.database_path} is held by {who}{since}, and one process at a "
            "time can change it. Do this in the web pages of the running portal, or stop "
            f"{how} and repeat the command."
        )


def _command_of(pid: int) -> str:
    """Return `` (program)`` of a process, of kofactl with the command, or nothing if unknown.

    The other words of a command line are its owner's: there may be passwords among them.
    """
    from waeup.kofa.cli import kofactl

    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    program, *words = (word.decode("utf-8", "replace") for word in line.split(b"\0"))
    names = [Path(program).name, *(Path(word).name for word in words)]
    ours = next((n for n, name in enumerate(names) if name in ("kofactl", __package__)), None)
    if ours is None:
        return f" ({names[0]})" if program else ""
    command = next((f" {word}" for word in words[ours:] if word in kofactl.commands), "")
    return f" (kofactl{command})"


def _sync_folders(*folders: Path) -> None:
    """Make the entries of folders durable."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
