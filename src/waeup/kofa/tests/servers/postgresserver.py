"""A PostgreSQL server for tests; see `waeup.kofa.tests.servers`."""

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import unittest
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from waeup.kofa.tests.servers.kept import KeptServer, ServerError
from waeup.kofa.tests.waiting import PATIENCE

#: Set to 1 where a missing PostgreSQL is a failure, as in continuous integration.
REQUIRE_POSTGRESQL = "KOFA_REQUIRE_POSTGRESQL"
#: The first version that will do.
OLDEST = 15
#: Where Debian and Ubuntu put the programs of each version.
PLACES = Path("/usr/lib/postgresql")
USER = "kofa"

_NO_FSYNC = ("fsync=off", "full_page_writes=off")


def _places() -> Iterator[Path]:
    """Yield folders that may hold the programs of PostgreSQL: that of PATH, then the newest."""
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent
    versions = [int(path.name) for path in PLACES.glob("*") if path.name.isdecimal()]
    for version in sorted(versions, reverse=True):
        yield PLACES / str(version) / "bin"


@cache
def programs() -> Path | None:
    """Return the folder of ``initdb`` and the other programs of a version that will do."""
    for place in _places():
        try:
            command = [str(place / "postgres"), "--version"]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        found = re.search(r"\) (\d+)", told)
        if found and int(found[1]) >= OLDEST:
            return place
    return None


class PostgreSQL(KeptServer):
    """A server with a cluster of its own, and a superuser ``kofa`` with a password.

    With `fsync` a commit is on the disk when it is reported, as it must be where the machine may
    fail; without it everything is quicker, and a killed server still loses nothing.  It costs
    something only `on_disk`.  Raises `unittest.SkipTest` where PostgreSQL is not installed,
    `AssertionError` where that must not be.
    """

    pid_file = "data/postmaster.pid"
    # Servers of PostgreSQL end at once by it, and take their children with them.
    end_signal = signal.SIGQUIT

    def __init__(self, *, fsync: bool = True, on_disk: bool = False) -> None:
        place = programs()
        if place is None:
            reason = f"no PostgreSQL {OLDEST} or later is installed (apt-get install postgresql)"
            if os.environ.get(REQUIRE_POSTGRESQL) == "1":
                raise AssertionError(f"{reason}, but {REQUIRE_POSTGRESQL}=1 asks for it")
            raise unittest.SkipTest(reason)
        super().__init__(on_disk=on_disk)
        self._programs = place
        self._fsync = fsync
        self._password = secrets.token_urlsafe(12)
        self._databases = 0
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root.
            account = _account()
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def restart(self, mode: str = "fast") -> None:
        """Restart the server; the mode ``immediate`` is that of a crash."""
        self._run("pg_ctl", "restart", "-w", "-m", mode, *self._arguments())

    def stop(self) -> None:
        """Stop the server in order; what is open is closed."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", *self._arguments())

    def database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a new, empty database, or a copy of that called `template`; return its DSN.

        One that has that name goes, even when it is in use.
        """
        self._databases += 1
        name = name or f"kofa{self._databases}"
        self.drop(name)
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
        return self.dsn(name)

    def drop(self, name: str) -> None:
        """Remove a database, if there is one, even when it is in use."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def dsn(self, name: str = "postgres") -> str:
        """Return where a database is, and the password for it."""
        return (
            f"host=127.0.0.1 port={self.port} user={USER} password={self._password} dbname={name}"
        )

    def execute(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute an SQL statement in a database; return its rows, if it has any."""
        import psycopg

        with psycopg.connect(self.dsn(name), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def _start(self) -> None:
        data = self.directory / "data"
        if not data.exists():
            self._make(data)
        self._run("pg_ctl", "start", "-w", "-t", "60", *self._arguments())

    def _make(self, data: Path) -> None:
        """Make the cluster."""
        secret = self.directory / "password"
        secret.write_text(self._password)
        try:
            if self._as_user:
                os.chown(secret, self._as_user["user"], self._as_user["group"])
            secret.chmod(0o600)
            self._run(
                *("initdb", "-D", str(data), "-U", USER, "--pwfile", str(secret)),
                *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N", "--wal-segsize=4"),
            )
        finally:
            secret.unlink()

    def _arguments(self) -> tuple[str, ...]:
        """Return what ``pg_ctl`` must know."""
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "logging_collector=off",
            *(() if self._fsync else _NO_FSYNC),
        ]
        options = " ".join(f"-c {each}" for each in settings)
        return (
            "-D",
            str(self.directory / "data"),
            "-l",
            str(self.directory / "log"),
            "-o",
            options,
        )

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL; raises `ServerError` when it fails."""
        output = self.directory / "output"
        # A file, not a pipe: the server keeps the standard output of who started it.
        with output.open("wb") as stream:
            ended = subprocess.run(
                [str(self._programs / program), *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                **self._as_user,
            )
        if ended.returncode:
            said = output.read_text("utf-8", "replace")
            raise ServerError(f"{program} failed.\n{said}\n{self._log()}")


def _account() -> pwd.struct_passwd:
    """Return the account that servers run as when the tests run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise ServerError("There is neither an account postgres nor an account nobody.")


@cache
def _shared(fsync: bool) -> PostgreSQL:
    server = PostgreSQL(fsync=fsync)
    server.start()
    return server


def postgresql(*, fsync: bool = True) -> PostgreSQL:
    """Return the server of this process, with or without `fsync`; it is started if need be."""
    return _shared(fsync)
