"""Tests what ``kofa.conf`` says, connection by connection, and says what to do.

Nothing of a portal is changed.  What is tried on the storage is tried in a folder of its own
below ``.work``, which goes again.
"""

import os
import re
import smtplib
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from waeup.kofa import spool
from waeup.kofa.deployment.conf import Configuration
from waeup.kofa.deployment.databases import FileDatabase, PostgresDatabase
from waeup.kofa.deployment.listening import listen
from waeup.kofa.deployment.packages import missing_vocabularies, place_of
from waeup.kofa.errors import KofaError, Refused
from waeup.kofa.spool.disk import disk

#: The least major version of PostgreSQL.
POSTGRESQL = 15
#: Seconds that a server may take to answer.
PATIENCE = 5.0
#: Seconds that clocks may differ without a word.
SKEW = 2.0
#: File systems that several machines share.
NETWORK = re.compile(r"nfs|cifs|smb|gluster|ceph|fuse\.sshfs|9p|afs|lustre")

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"


class Finding(NamedTuple):
    """What was tested, the `verdict` (`GOOD`, `DOUBTFUL`, `BAD`), and what there is to know."""

    what: str
    verdict: str
    text: str


class _Bad(Exception):
    """What was tested does not work; the message says what to do."""


def check(
    configuration: Configuration,
    storage: Callable[[], str | None],
    load: Callable[[list[str]], object],
) -> Iterator[Finding]:
    """Generate what the tests have found, in the order of the sections.

    `storage` returns the path of the storage that the portal in the database has, None where
    there is no portal; it is called only when the database can be reached.
    """
    named = configuration.path
    yield Finding("configuration", GOOD, str(named) if named else "none: all is as usual")
    yield from _instance(configuration)
    for name in configuration.packages:
        yield _tried(f"package {name}", partial(_package, name, load))
    if configuration.packages:
        for text in missing_vocabularies():
            yield Finding("kinds", DOUBTFUL, text)
    yield from _database(configuration)
    found, place = _place_of_files(configuration, storage)
    if found is not None:
        yield found
    if place is not None:
        yield from _files(place, configuration)
    for root in configuration.figures.storage_roots:
        yield _tried("root of storages", partial(_folder, root))
    server = configuration.server
    yield _port("web server", (server.host, server.port))
    if configuration.mail is not None:
        yield _tried("mail server", lambda: _mail(configuration.mail))
    if configuration.monitoring is not None:
        yield _port("monitoring", configuration.monitoring)


def _tried(what: str, test: Callable[[], str]) -> Finding:
    """Return what a test says, or what is wrong."""
    try:
        return Finding(what, GOOD, test())
    except (_Bad, KofaError) as error:
        return Finding(what, BAD, str(error))


def _instance(configuration: Configuration) -> Iterator[Finding]:
    var = configuration.var

    def test() -> str:
        if not var.exists():
            parent = next(folder for folder in var.parents if folder.exists())
            if not os.access(parent, os.W_OK):
                raise _Bad(
                    f"{var} is not there, and cannot be made in {parent}. Correct its rights."
                )
            return f"{var}, which the first start makes"
        if not os.access(var, os.R_OK | os.W_OK | os.X_OK):
            raise _Bad(
                f"{var} cannot be written to. Correct its rights, or name another instance."
            )
        return str(var)

    yield _tried("instance", test)
    path = configuration.path
    mode = path and mode_to_set(path.stat())
    if mode:
        others = "Others can read it, and with it what it says of the database"
        yield Finding("rights", DOUBTFUL, f"{others}: chmod {mode:o} {path}")


def mode_to_set(found: os.stat_result) -> int:
    """Return the mode that a configuration should have instead of its own, 0 for none."""
    # One of root is for the group that root has given it to: that of the portal.
    enough = 0o640 if found.st_uid == 0 else 0o600
    return enough if stat.S_IMODE(found.st_mode) & 0o077 & ~enough else 0


def _package(name: str, load: Callable[[list[str]], object]) -> str:
    folder = place_of(name)
    load([name])
    return str(folder)


# -- databases ---------------------------------------------------------------------------


def _database(configuration: Configuration) -> Iterator[Finding]:
    database = configuration.database
    if isinstance(database, FileDatabase):
        yield _tried("database", lambda: _file(database))
        return
    if isinstance(database, PostgresDatabase):
        yield from _postgresql(database)
        return

    def test() -> str:
        with database.storage(write=False) as storage:
            return f"{database.title}: {len(storage):,} objects"

    yield _tried("database", test)


def _file(database: FileDatabase) -> str:
    path = database.path
    if not path.exists():
        return f"{path}, which the first start makes"
    try:
        with database.storage(write=False) as storage:
            return f"{path}: {len(storage):,} objects, {storage.getSize():,} bytes"
    except Exception as error:
        raise _Bad(f"{path} cannot be read: {_words(error)} Bring it back from a backup.")


def _postgresql(database: PostgresDatabase) -> Iterator[Finding]:
    try:
        import psycopg2
    except ImportError:
        text = "psycopg2 is not installed. Install it: pip install 'waeup.kofa[postgresql]'"
        yield Finding("database", BAD, text)
        return
    began = time.monotonic()
    try:
        connection = psycopg2.connect(database.dsn, connect_timeout=int(PATIENCE))
    except psycopg2.Error as error:
        text = f"{database.title} cannot be reached: {_words(error)} {_advice(str(error))}"
        yield Finding("database", BAD, text)
        return
    took = time.monotonic() - began
    with closing(connection), connection.cursor() as cursor:
        yield _tried("database", lambda: _version(connection, database, took))
        yield _clock(cursor)
        yield _tried("rights in the database", lambda: _may_create(cursor))
        yield _connections(cursor)
    yield _tried("doorbell of runs", lambda: _bell(database))


def _version(connection: Any, database: PostgresDatabase, took: float) -> str:
    major = connection.server_version // 10_000
    if major < POSTGRESQL:
        raise _Bad(
            f"{database.title} is PostgreSQL {major}, and {POSTGRESQL} or later is needed. "
            "Upgrade the server."
        )
    return f"{database.title}: PostgreSQL {major}, which answers in {took * 1000:.0f} ms"


def _clock(cursor: Any) -> Finding:
    before = time.time()
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
    difference = float(cursor.fetchone()[0]) - (before + time.time()) / 2
    if abs(difference) > SKEW:
        text = (
            f"The clock of the server is {difference:+.0f} s away from that of this machine. "
            "Times in logs and pages will not fit: let both keep the time of one NTP server."
        )
        return Finding("clock", DOUBTFUL, text)
    return Finding("clock", GOOD, "that of the server is that of this machine")


def _may_create(cursor: Any) -> str:
    cursor.execute("SELECT has_schema_privilege(current_schema(), 'CREATE'), current_schema()")
    may, schema = cursor.fetchone()
    if not may:
        raise _Bad(
            f"The user may not make tables in the schema {schema}. As its owner: "
            f"GRANT CREATE ON SCHEMA {schema} TO ..."
        )
    return f"tables can be made in the schema {schema}"


def _connections(cursor: Any) -> Finding:
    cursor.execute(
        "SELECT current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend')"
    )
    most, used = cursor.fetchone()
    text = f"{used} of {most} are used; a process needs about two for each of its threads"
    return Finding("connections", GOOD if used < 0.8 * most else DOUBTFUL, text)


def _bell(database: PostgresDatabase) -> str:
    try:
        import procrastinate  # noqa: F401  (that it is there is what is asked)
        import psycopg
    except ImportError as error:
        raise _Bad(
            f"{error.name} is not installed. Install it: pip install 'waeup.kofa[postgresql]'"
        )
    try:
        with psycopg.connect(database.dsn, connect_timeout=int(PATIENCE)) as connection:
            found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
    except psycopg.Error as error:
        raise _Bad(f"{database.title} cannot be reached by psycopg: {_words(error)}")
    has_tables = found is not None and found[0] is not None
    return "procrastinate" + ("" if has_tables else ", whose tables the first start makes")


def _words(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first.rstrip(".") + "."


def _advice(error: str) -> str:
    if "refused" in error or "No such file" in error or "timeout" in error:
        return "Start the server, or correct host and port in <postgresql>; is a firewall between?"
    if "does not exist" in error:
        return "Make it as an administrator of the server: CREATE DATABASE, CREATE USER."
    if "password" in error or "authentication" in error:
        return "Correct user and password in <postgresql> or in its passfile, and pg_hba.conf."
    return "Correct <postgresql>, and see docs/operating."


# -- files -------------------------------------------------------------------------------


def _place_of_files(
    configuration: Configuration, storage: Callable[[], str | None]
) -> tuple[Finding | None, Path | None]:
    """Return what is wrong with the place of the files, and the folder that is to be tested."""
    place = configuration.storage
    database = configuration.database
    if isinstance(database, FileDatabase) and not database.exists():
        known = None
    else:
        try:
            known = storage()
        except Exception:
            # What is wrong with the database has been told.
            known = None
    if known is None:
        if place.is_dir():
            return None, place
        return Finding("files", GOOD, f"{place}, which the first start makes"), None
    if not os.path.isdir(known):
        text = (
            f"{known}, which the portal has its files in, is not there. Mount it; or name another "
            "folder with `kofactl storage`."
        )
        return Finding("files", BAD, text), None
    return None, Path(known)


def _files(place: Path, configuration: Configuration) -> Iterator[Finding]:
    kind, options = _mount_of(place)
    is_network = bool(NETWORK.match(kind))
    if configuration.database.is_shared and not is_network:
        text = (
            f"{place} is on {kind}, which this machine alone has. That is fine as long as all "
            "processes run here; with several machines let it be a folder that all of them mount."
        )
        yield Finding("files", DOUBTFUL, text)
    else:
        yield Finding("files", GOOD, f"{place}, on {kind}")
    if is_network and not configuration.database.is_shared:
        text = (
            f"{place} is on {kind}, and the portal has a database of its own: no other machine "
            "may use the same folder."
        )
        yield Finding("files", DOUBTFUL, text)
    if kind.startswith("nfs") and (missing := _missing_options(options)):
        yield Finding("mount options", DOUBTFUL, missing)
    yield from _operations(place)
    yield _beside(place)
    free = os.statvfs(place)
    yield Finding("room", GOOD, f"{free.f_bavail * free.f_frsize:,} bytes are free")


def _beside(place: Path) -> Finding:
    """Tell whether a portal that comes back from a backup finds room beside the files."""
    real = Path(os.path.realpath(place))
    if os.path.ismount(real) or not os.access(real.parent, os.W_OK | os.X_OK):
        text = (
            f"The portal can make no folder beside {place} that is on the same file system. "
            "`kofactl restore-backup --replace` needs one: let the files lie in a folder below "
            "what is mounted, or name another place with its option --files."
        )
        return Finding("files: a folder beside", DOUBTFUL, text)
    return Finding("files: a folder beside", GOOD, "can be made")


def _missing_options(options: str) -> str:
    """Return what is to be changed in the mount options of NFS, or nothing."""
    given = set(options.split(","))
    if "soft" in given or "softerr" in given:
        return "Mount it hard: with soft, a write may get lost without a word."
    if not given & {"noac", "lookupcache=none", "lookupcache=pos", "lookupcache=positive"}:
        return (
            "Mount it with lookupcache=positive,actimeo=1: otherwise files of other machines may "
            "be seen up to a minute late."
        )
    return ""


def _mount_of(place: Path) -> tuple[str, str]:
    """Return kind and options of the file system that a folder is on."""
    real = os.path.realpath(place)
    best, found = "", ("an unknown file system", "")
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            left, _dash, right = line.partition(" - ")
            point = left.split()[4].encode().decode("unicode_escape")
            inside = real == point or real.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                kind, _source, options = [*right.split(), "", "", ""][:3]
                best, found = point, (kind, options)
    return found


def _operations(place: Path) -> Iterator[Finding]:
    """Try what the storage needs, in a work folder."""
    try:
        with spool.WorkFolder(str(place), prefix="check-") as work:
            yield _tried("files: write and force out", lambda: _write(work.path))
            yield _tried("files: rename", lambda: _rename(work.path))
            yield _link(work.path)
    except KofaError as error:
        yield Finding("files: write and force out", BAD, str(error))


def _write(folder: str) -> str:
    began = time.monotonic()
    try:
        fd = disk.create(os.path.join(folder, "a"))
        try:
            disk.write(fd, b"kofa")
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.sync_folder(folder)
    except OSError as error:
        raise _Bad(f"{folder}: {error.strerror}. Correct rights and quota.")
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def _rename(folder: str) -> str:
    try:
        disk.replace(os.path.join(folder, "a"), os.path.join(folder, "b"))
    except OSError as error:
        raise _Bad(f"{folder}: {error.strerror}. Use another file system.")
    return "works"


def _link(folder: str) -> Finding:
    try:
        disk.link(os.path.join(folder, "b"), os.path.join(folder, "c"))
    except OSError as error:
        text = f"{error.strerror}: files come to their places by rename and copy, which is slower"
        return Finding("files: hard links", DOUBTFUL, text)
    return Finding("files: hard links", GOOD, "work")


def _folder(path: str) -> str:
    if not os.path.isdir(path):
        raise _Bad(f"{path} is no folder. Make it, or remove it from <files>.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise _Bad(f"{path} cannot be written to. Correct its rights.")
    return path


# -- servers -----------------------------------------------------------------------------


def _port(what: str, address: tuple[str, int]) -> Finding:
    host, port = address
    shown = f"{host}:{port}"
    try:
        listen(host, port, lambda reason: f"{shown} cannot be had: {reason}.").close()
    except Refused as error:
        text = f"{error} If it is not a portal that runs, name another one."
        return Finding(what, DOUBTFUL, text)
    return Finding(what, GOOD, f"{shown} is free")


def _mail(server: tuple[str, int] | None) -> str:
    assert server is not None
    host, port = server
    try:
        with smtplib.SMTP(host, port, timeout=PATIENCE) as connection:
            code, _text = connection.noop()
    except (OSError, smtplib.SMTPException) as error:
        raise _Bad(f"{host}:{port} does not take messages: {_words(error)} Correct <mail>.")
    return f"{host}:{port} answers ({code})"
