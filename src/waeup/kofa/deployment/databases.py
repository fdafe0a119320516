"""The kinds of databases that a portal can have its objects in, and how each is opened.

=============  ===========================================  =====================
kind           where                                        who can change it
=============  ===========================================  =====================
filestorage    a file of this machine                       one process at a time
zeo            a file of a ZEO server                       some processes
postgresql     tables of PostgreSQL, by RelStorage          many, on many machines
=============  ===========================================  =====================

RelStorage keeps no history: each object has its present state only.
"""

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from waeup.kofa.errors import DatabaseHeld, NoSuchItem, Refused

if TYPE_CHECKING:
    from ZODB.DB import DB

#: Connections that a pool may hold before ZODB warns; more than all threads of a portal.
POOL_SIZE = 40
#: Objects that a connection keeps in memory: imports come back to the same ones.
CACHE_SIZE = 30_000
#: What processes that make the tables of RelStorage at the same time wait for each other by.
TABLES_LOCK = int.from_bytes(b"kofatabs", "big") >> 1


class Database:
    """A database at its place, whether it is there or not.

    `kind` is the name of its section in ``kofa.conf``, `title` tells people where it is, without
    secrets.  One that `is_shared` can be opened by several processes at the same time.
    """

    kind: ClassVar[str]
    is_shared: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """Where it is, for people."""
        raise NotImplementedError

    def exists(self) -> bool:
        """Tell whether there is something that can be opened for reading."""
        raise NotImplementedError

    def make_storage(self, write: bool, make: bool) -> Any:
        """Return the ZODB storage, opened; what is missing is made only if `make` says so."""
        raise NotImplementedError

    def _opened(self, write: bool, make: bool) -> Any:
        try:
            return self.make_storage(write, make)
        except ImportError as error:
            raise Refused(
                f"The configuration asks for <{self.kind}>, and {error.name} is not installed. "
                f"Install it: pip install 'waeup.kofa[{self.kind}]'"
            )

    def _nothing(self) -> NoSuchItem:
        """Return the error for an empty database, which is left as it is."""
        return NoSuchItem(
            f"There is no portal in {self.title}: it is empty. Start the portal once with "
            "`kofactl run`, or correct the configuration."
        )

    @contextmanager
    def storage(self, *, write: bool) -> Iterator[Any]:
        """Open the ZODB storage for the time of a block.

        With `write` one that is missing is made.  Raises `DatabaseHeld` when somebody else has
        it for himself, and `Refused` when it cannot be reached.
        """
        storage = self._opened(write, write)
        try:
            yield storage
        finally:
            storage.close()

    @contextmanager
    def open(self, *, write: bool, make: bool = True) -> Iterator["DB"]:
        """Open the database for the time of a block, as `storage` does.

        Without `make` nothing is made, also with `write`.  Raises `NoSuchItem` when the database
        is empty and shall stay so, and `Refused` when a copy to it was broken off.
        """
        from ZODB.POSException import ConflictError

        make = make and write
        if not make and not self.exists():
            raise self._nothing()
        try:
            database = self._portal(write, make)
        except ConflictError:
            # Another process that starts has made the root at the same moment.
            database = self._portal(write, make)
        try:
            yield database
        finally:
            database.close()

    def _portal(self, write: bool, make: bool) -> "DB":
        """Return the database, opened; ZODB makes the root of an empty one."""
        from waeup.kofa.deployment.opening import PortalDB
        from waeup.kofa.deployment.wholeness import EMPTY, require_whole, state_of

        storage = self._opened(write, make)
        try:
            require_whole(storage, self.title)
            if not make and state_of(storage) == EMPTY:
                raise self._nothing()
            return PortalDB(storage, pool_size=POOL_SIZE, cache_size=CACHE_SIZE)
        except BaseException:
            storage.close()
            raise


@dataclass(frozen=True)
class FileDatabase(Database):
    """The file `path` on this machine."""

    path: Path
    kind = "filestorage"
    is_shared = False

    @property
    def title(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return self.path.is_file()

    def make_storage(self, write: bool, make: bool) -> Any:
        from zc.lockfile import LockError

        from waeup.kofa.deployment.storing import FileStorage

        try:
            return FileStorage(self.path, read_only=not write)
        except LockError:
            raise DatabaseHeld(
                f"The database {self.path} is held by another process, and one process at a time "
                "can change it. Wait until that process ends, or stop it and repeat the command."
            )
        except OSError as error:
            if not (isinstance(error, PermissionError) or error.errno == errno.EROFS):
                raise
            raise Refused(
                f"The database {self.path} cannot be changed: {error.strerror}. Look whether its "
                "disk is mounted for writing, and whether the file and its folder belong to the "
                "account that the portal runs under."
            )


@dataclass(frozen=True)
class ZeoDatabase(Database):
    """A storage of a ZEO server; `servers` are pairs of host and port, `wait` counts seconds."""

    servers: tuple[tuple[str, int], ...]
    storage_name: str = "1"
    cache_size: int = 128 << 20
    wait: float = 30.0
    kind = "zeo"

    @property
    def title(self) -> str:
        return "ZEO at " + ", ".join(f"{host}:{port}" for host, port in self.servers)

    def exists(self) -> bool:
        return True

    def make_storage(self, write: bool, make: bool) -> Any:
        from ZEO.ClientStorage import ClientStorage
        from ZEO.Exceptions import ClientDisconnected

        try:
            return ClientStorage(
                list(self.servers),
                storage=self.storage_name,
                name=f"{self.title}, storage {self.storage_name}",
                cache_size=self.cache_size,
                wait_timeout=self.wait,
                # What others have committed before a transaction begins is seen in it.
                server_sync=True,
                read_only=not write,
            )
        except ClientDisconnected:
            raise Refused(
                f"No server answers: {self.title}. Start it, or correct <zeo> in the "
                "configuration; `kofactl check-config` tells more."
            )


@dataclass(frozen=True)
class PostgresDatabase(Database):
    """RelStorage in the PostgreSQL database of a `dsn`; sizes in bytes, times in seconds."""

    dsn: str
    cache_size: int = 128 << 20
    commit_timeout: float = 30.0
    kind = "postgresql"

    @property
    def title(self) -> str:
        return "PostgreSQL " + shown(self.dsn)

    def exists(self) -> bool:
        return True

    def make_storage(self, write: bool, make: bool) -> Any:
        import psycopg2
        from relstorage.adapters.postgresql import PostgreSQLAdapter
        from relstorage.options import Options
        from relstorage.storage import RelStorage
        from ZODB.POSException import StorageError

        try:
            options = Options(
                keep_history=False,
                read_only=not write,
                create_schema=make,
                cache_local_mb=max(1, self.cache_size >> 20),
                commit_lock_timeout=int(self.commit_timeout),
            )
            # People see the name; that which RelStorage would give has the id of an object.
            adapter = PostgreSQLAdapter(self.dsn, options=options)
            try:
                with self._tables_to_make() if make else nullcontext():
                    return RelStorage(adapter, name=self.title, options=options)
            except StorageError:
                if make or self._has_tables():
                    raise
                raise self._nothing()
        except psycopg2.Error as error:
            raise Refused(
                f"{self.title} cannot be reached: {_first_line(error)}. Start the server, or "
                "correct <postgresql> in the configuration; `kofactl check-config` tells more."
            )

    @contextmanager
    def _tables_to_make(self) -> Iterator[None]:
        """Let one process at a time look for the tables and make them; RelStorage does not."""
        import psycopg2

        # The lock goes with the connection, also when the process is killed.
        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (TABLES_LOCK,))
            yield

    def _has_tables(self) -> bool:
        """Tell whether RelStorage has made its tables."""
        import psycopg2

        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('object_state')")
            return cursor.fetchone() != (None,)


def shown(dsn: str) -> str:
    """Return what people may see of a DSN: host, port, database and user."""
    try:
        from psycopg2 import ProgrammingError
        from psycopg2.extensions import parse_dsn
    except ImportError:
        return ""
    try:
        parts: dict[str, str] = parse_dsn(dsn)
    except ProgrammingError:
        return "(a dsn that cannot be understood)"
    names = ("host", "port", "dbname", "user", "service")
    return " ".join(f"{name}={parts[name]}" for name in names if name in parts)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
