"""Databases for tests: in a file, at a ZEO server, or in PostgreSQL.

The environment variable ``KOFA_TEST_DATABASE`` says which kind tests get that do not name one::

    KOFA_TEST_DATABASE=postgresql bin/test -m tests.jobs

A test finds an empty database. What it holds can be kept and brought back; of one without history
that is the present state of each object.
"""

import os
import shutil
import socket
import tempfile
import threading
from contextlib import closing
from pathlib import Path

from ZODB.FileStorage import FileStorage

from waeup.kofa.deployment.databases import (
    Database,
    FileDatabase,
    PostgresDatabase,
    ZeoDatabase,
)
from waeup.kofa.deployment.opening import PortalDB
from waeup.kofa.tests import servers
from waeup.kofa.tests.servers.kept import quick_place

#: Names the kind of database that tests use.
VARIABLE = "KOFA_TEST_DATABASE"
#: Bytes of a cache.
CACHE = 8 << 20
#: Held while the C library resolves a name, and while a process forks: a child that gets a lock of
#: the library as another thread held it, such as one of a client of ZEO, would wait for ever.
_RESOLVING = threading.RLock()


def kind_of_tests() -> str:
    """Return the kind of database that tests use; raises `AssertionError` for an unknown one."""
    kind = os.environ.get(VARIABLE) or "filestorage"
    if kind not in PLACES:
        raise AssertionError(f"{VARIABLE}={kind}, but must be one of {', '.join(PLACES)}.")
    return kind


def _resolve_apart_from_forks() -> None:
    resolve = socket.gethostbyaddr

    def gethostbyaddr(address: str) -> tuple[str, list[str], list[str]]:
        with _RESOLVING:
            return resolve(address)

    socket.gethostbyaddr = gethostbyaddr
    release = _RESOLVING.release
    os.register_at_fork(before=_RESOLVING.acquire, after_in_parent=release, after_in_child=release)


_resolve_apart_from_forks()


class Place:
    """A place for a database, which is empty; `close` gives it back.

    `there` is the database as a configuration has it, `server` that which serves it, if any.
    """

    there: Database
    server: servers.PostgreSQL | servers.Zeo | None = None

    def crash(self) -> None:
        """Let the server end at once, and start it again; nothing that was committed is lost."""
        assert self.server is not None
        self.server.kill()
        self.server.start()

    def open(self) -> PortalDB:
        """Open the database, as a new process does; the caller closes it."""
        return PortalDB(self.there.make_storage(write=True, make=True))

    def clear(self) -> None:
        """Remove all that there is; the database must not be open."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the place back."""
        raise NotImplementedError

    def keep(self, path: str) -> None:
        """Copy what is there into a new database in the file `path`."""
        with (
            self.there.storage(write=True) as storage,
            closing(FileStorage(path, create=True)) as copy,
        ):
            copy.copyTransactionsFrom(storage)

    def bring_back(self, path: str) -> None:
        """Have what was kept, and nothing else; the database must not be open."""
        self.clear()
        with (
            closing(FileStorage(path, read_only=True)) as copy,
            self.there.storage(write=True) as storage,
        ):
            storage.copyTransactionsFrom(copy)


class FilePlace(Place):
    """The file ``Data.fs`` in a folder; without one, in a temporary folder."""

    def __init__(self, folder: str | None = None) -> None:
        self._is_own = folder is None
        made = tempfile.mkdtemp(prefix="kofa-database-", dir=quick_place()) if not folder else ""
        self._folder = Path(folder or made)
        self.there: FileDatabase = FileDatabase(self._folder / "Data.fs")

    def clear(self) -> None:
        for path in self._folder.glob("Data.fs*"):
            path.unlink()

    def keep(self, path: str) -> None:
        # As it is: also with the index, which opens it quicker.
        for end in self._ends(str(self.there.path)):
            shutil.copyfile(f"{self.there.path}{end}", path + end)

    def bring_back(self, path: str) -> None:
        self.clear()
        for end in self._ends(path):
            shutil.copyfile(path + end, f"{self.there.path}{end}")

    @staticmethod
    def _ends(path: str) -> list[str]:
        return [end for end in ("", ".index") if os.path.exists(path + end)]

    def close(self) -> None:
        if self._is_own:
            shutil.rmtree(self._folder)
        else:
            self.clear()


class ZeoPlace(Place):
    """A storage of the ZEO server of the tests."""

    def __init__(self, folder: str | None = None) -> None:
        self.clear()

    def clear(self) -> None:
        # Another one is quicker.
        self.server = servers.zeo()
        address, name = self.server.place()
        self.there = ZeoDatabase((address,), name, cache_size=CACHE)

    def close(self) -> None:
        """Nothing is to be done: each storage is used once."""


class PostgresPlace(Place):
    """A database of the PostgreSQL server of the tests, by RelStorage."""

    _unused: list[PostgresDatabase] = []

    def __init__(self, folder: str | None = None) -> None:
        self.server = servers.postgresql(fsync=False)
        if self._unused:
            self.there = self._unused.pop()
            self.clear()
        else:
            self.there = PostgresDatabase(self.server.database(), cache_size=CACHE)
            # Makes the tables.
            with self.there.storage(write=True):
                pass

    def clear(self) -> None:
        from relstorage.adapters.postgresql import PostgreSQLAdapter
        from relstorage.options import Options

        assert isinstance(self.there, PostgresDatabase)
        # A storage would look for all that it needs first, which takes longer than many a test.
        options = Options(keep_history=False)
        with closing(PostgreSQLAdapter(self.there.dsn, options=options)) as adapter:
            adapter.schema.zap_all()

    def close(self) -> None:
        assert isinstance(self.there, PostgresDatabase)
        self._unused.append(self.there)


PLACES = {"filestorage": FilePlace, "zeo": ZeoPlace, "postgresql": PostgresPlace}


def new_place(kind: str | None = None, folder: str | None = None) -> Place:
    """Return a place for a database of a kind; that of the tests, unless it is named.

    `folder` is where a file comes to be.
    """
    return PLACES[kind or kind_of_tests()](folder)


def storage_class() -> type:
    """Return the class that votes for commits and finishes them, in databases of the tests."""
    if kind_of_tests() == "zeo":
        from ZEO.ClientStorage import ClientStorage

        return ClientStorage
    if kind_of_tests() == "postgresql":
        from relstorage.storage import RelStorage

        return RelStorage
    return FileStorage
