"""The instance directory: everything that one portal keeps.

::

    var/                        mode 0700
      kofa.conf                 the configuration; without it all is as shown here
      filestorage/Data.fs       the embedded database, written by one process at a time
      datacenter/               the storage of the data center
      log/                      what the portal and kofactl tell their operator
      figures.json              the limits of the last start of the portal
      mail/                     messages that are to be sent, where mail is set up
      last-backup               made or touched when a backup was made
      portal.sock               where a portal that runs takes the commands of kofactl

It is made in steps that a kill can only leave undone: folders first, then the database, in which
the site and its administrator appear in one transaction.  Whatever is missing is made by the
next ``kofactl run``.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from waeup.kofa.deployment import conf
from waeup.kofa.deployment.databases import FileDatabase
from waeup.kofa.errors import DatabaseHeld, NoSuchItem, Refused

if TYPE_CHECKING:
    from ZODB.DB import DB


class Instance:
    """The instance directory at a path, whether it exists or not.

    `config` is the file of its configuration, if another one than its own; the directory need
    not be given then.  Raises `NoSuchItem` or `Refused` when the configuration cannot be had.
    """

    def __init__(self, var: Path | None, config: Path | None = None) -> None:
        self.configuration = conf.load(var, config)
        self.var = self.configuration.var
        self.database_path = self.var / "filestorage" / "Data.fs"
        if isinstance(self.configuration.database, FileDatabase):
            self.database_path = self.configuration.database.path
        self.storage = self.configuration.storage
        self.log = self.var / "log"
        self.figures = self.var / "figures.json"
        self.mail = self.var / "mail"
        self.socket = self.var / "portal.sock"
        self.backup_stamp = self.var / "last-backup"

    @property
    def is_shared(self) -> bool:
        """Whether several processes can have the database at the same time."""
        return self.configuration.database.is_shared

    @property
    def exists(self) -> bool:
        """Whether a database was made here; of one that is elsewhere it is believed."""
        return self.configuration.database.exists()

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
            if self.exists and self.var.is_dir():
                self.var.chmod(0o700)
                self.log.mkdir(exist_ok=True)
                return
            self._refuse_foreign_content()
            self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.var.chmod(0o700)
            self.log.mkdir(exist_ok=True)
            if not self.is_shared:
                self.storage.mkdir(parents=True, exist_ok=True)
                self.database_path.parent.mkdir(parents=True, exist_ok=True)
                _sync_folders(self.database_path.parent)
            _sync_folders(self.var.parent, self.var)
        except OSError as error:
            raise Refused(
                f"The instance directory {self.var} cannot be made: {error.strerror} "
                f"({error.filename}). Name another one with --var DIR, or correct its rights."
            )

    def _refuse_foreign_content(self) -> None:
        """Raise `Refused` when the directory holds visible entries that are not ours."""
        if not self.var.is_dir():
            return
        ours = {"filestorage", "datacenter", "log", self.figures.name, "mail", self.socket.name}
        ours |= {self.backup_stamp.name, conf.NAME}
        foreign = sorted(
            name for name in os.listdir(self.var) if name not in ours and not name.startswith(".")
        )
        if foreign:
            raise Refused(
                f"{self.var} is not empty and no instance directory: it holds {foreign[0]}. "
                "Name an empty or a new directory with --var DIR."
            )

    @contextmanager
    def database(self, *, write: bool, make: bool = True) -> Iterator["DB"]:
        """Open the database for the time of a block.

        Reading a file works beside a process that writes: it shows what was committed when it
        was opened, and touches no file.  Writing needs a file alone.  With `write` a database
        that is missing is made, unless `make` forbids it.

        Raises `DatabaseHeld` when another process writes, `NoSuchItem` when there is nothing, and
        `Refused` when a server does not answer.
        """
        with ExitStack() as stack:
            try:
                database = stack.enter_context(
                    self.configuration.database.open(write=write, make=make)
                )
            except DatabaseHeld:
                raise DatabaseHeld(self._held_message())
            yield database

    def is_attended(self) -> bool:
        """Tell whether another process works here: a portal that runs, or a command."""
        from waeup.kofa.api.remote import answers

        holder, _ = self._holder()
        return answers(self.socket) or (holder not in (None, os.getpid()) and _is_alive(holder))

    def _holder(self) -> tuple[int | None, str]:
        """Return who was the last to hold the database for changes, if known, and since when."""
        try:
            with open(f"{self.database_path}.lock", encoding="ascii", errors="replace") as lock:
                text = lock.read(64).strip()
                begin = datetime.fromtimestamp(os.fstat(lock.fileno()).st_mtime).astimezone()
        except OSError:
            return None, ""
        # The file holds a text from outside; only a number becomes part of a path.
        return (int(text), f"{begin:%Y-%m-%d %H:%M:%S}") if text.isdecimal() else (None, "")

    def _held_message(self) -> str:
        """Say who holds the database, since when, and what to do."""
        who, how, since = "another process", "that process", ""
        number, begin = self._holder()
        if number is not None:
            who, how = f"process {number}{_command_of(number)}", f"process {number}"
            since = f" since {begin}"
        return (
            f"The database {self.database_path} is held by {who}{since}, and one process at a "
            f"time can change it. Wait until {how} ends, or stop {how} and repeat the command."
        )


def _is_alive(pid: int | None) -> bool:
    """Tell whether there is a process of that number."""
    try:
        os.kill(pid or 0, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _command_of(pid: int) -> str:
    """Return `` (program)`` of a process, of kofactl with the command, or nothing if unknown.

    The other words of a command line are its owner's: there may be passwords among them.
    """
    from waeup.kofa.cli.program import kofactl

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
