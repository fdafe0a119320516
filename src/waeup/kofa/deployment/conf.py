"""``kofa.conf``: what the operator says of a portal, read by ZConfig and its schema beside this.

Without a file everything is as a single machine needs it: an embedded database, and a storage
beside it, in the instance directory.  The options of ``kofactl run`` stand above the file.
"""

import io
import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from waeup.kofa.deployment.databases import (
    Database,
    FileDatabase,
    PostgresDatabase,
    ZeoDatabase,
)
from waeup.kofa.deployment.figures import Figures
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.usual import MOST_BYTES, MOST_COUNTED, MOST_DAYS

if TYPE_CHECKING:
    from waeup.kofa.deployment.watches import Watch

#: Name of the file in the instance directory.
NAME = "kofa.conf"
SCHEMA = Path(__file__).with_name("schema.xml")
#: Port of a mail server that takes messages from programs of its own host.
SMTP_PORT = 25
MOST_PORT = 65535
#: Memory in bytes that reading a workbook needs.
LEAST_MEMORY = 256 << 20
#: Seconds of a key at most: a day.
MOST_SECONDS = 86_400
#: Characters of a value that a message shows.
SHOWN_LENGTH = 60


class Server(NamedTuple):
    """The web server; `trusted_proxy` is the address of the proxy in front, or None."""

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 4
    trusted_proxy: str | None = None


class Workers(NamedTuple):
    """Who works on runs: `threads` of a process, `in_web` also of those that serve pages."""

    threads: int = 2
    in_web: bool = True


class Logging(NamedTuple):
    """How processes tell what happens: `format` text or json, `to` file or stderr."""

    format: str = "text"
    to: str = "file"
    requests: bool = False


@dataclass(frozen=True)
class Configuration:
    """All that is said of the processes of a portal.

    `var` is the instance directory, `path` the file that was read (None: there is none),
    `storage` the folder of the files of a new portal.  `mail` is host and port of the mail server,
    `monitoring` those of the listener for programs; None where there is none.  `watches` are the
    folders whose files are imported by themselves, `packages` those of the site.
    """

    var: Path
    database: Database
    storage: Path
    path: Path | None = None
    server: Server = field(default_factory=Server)
    workers: Workers = field(default_factory=Workers)
    figures: Figures = field(default_factory=Figures)
    mail: tuple[str, int] | None = None
    monitoring: tuple[str, int] | None = None
    logging: Logging = field(default_factory=Logging)
    watches: tuple["Watch", ...] = ()
    packages: tuple[str, ...] = ()

    @classmethod
    def usual(cls, var: Path) -> "Configuration":
        """Return that of an instance directory without a file."""
        return cls(var, FileDatabase(var / "filestorage" / "Data.fs"), var / "datacenter")


def load(var: Path | None, path: Path | None = None) -> Configuration:
    """Return the configuration in the file `path`, or in ``kofa.conf`` of the directory `var`.

    Where both are given, `var` counts as the instance directory.  One of them must be.  Raises
    `NoSuchItem` when the file `path` is not there, `Refused` for what it says and cannot be.
    """
    if path is None:
        assert var is not None
        found = var / NAME
        if not found.is_file():
            return Configuration.usual(var.absolute())
        path = found
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NoSuchItem(
            f"There is no configuration {path}. Write one with `kofactl init`, or name another "
            "one with --config FILE."
        )
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Refused(f"The configuration {path} cannot be read: {reason}.")
    return read(text, path.absolute(), var)


def read(text: str, path: Path, var: Path | None = None) -> Configuration:
    """Return the configuration in a `text`, which is, or is going to be, that of `path`.

    Raises `Refused` for what cannot be.
    """
    import ZConfig

    schema = ZConfig.loadSchema(str(SCHEMA))
    try:
        said, _handlers = ZConfig.loadConfigFile(schema, io.StringIO(text), url=path.as_uri())
    except ZConfig.ConfigurationError as error:
        raise Refused(f"{_place(error, path)}: {_reason(error, text)} See `kofactl init --help`.")
    folder = path.parent
    instance = var.absolute() if var is not None else _below(folder, said.instance)
    database = _database(said.database, folder, instance)
    figures, mail = _figures(said, folder), None if said.mail is None else said.mail.server
    files = said.files
    return Configuration(
        var=instance,
        path=path,
        database=database,
        storage=instance / "datacenter" if files is None else _below(folder, files.path),
        server=Server() if said.server is None else _server(said.server),
        workers=_workers(said.workers, database),
        figures=figures,
        mail=mail,
        monitoring=None if said.monitoring is None else _bound(said.monitoring.address, path),
        logging=Logging()
        if said.logging is None
        else Logging(said.logging.format, said.logging.to, said.logging.requests),
        watches=tuple(said.watches),
        packages=tuple(dict.fromkeys(said.packages)),
    )


def _place(error: Any, path: Path) -> str:
    line = getattr(error, "lineno", None)
    # ZConfig counts no lines where a key is missing in what is not there.
    return f"{path}, line {line}" if line and line > 0 else str(path)


def _reason(error: Any, text: str) -> str:
    """Say what is wrong with the configuration `text`, and of a value of which key it is."""
    reason = str(getattr(error, "message", "") or error).split("\n")[0].strip().rstrip(".")
    value = getattr(error, "value", None)
    if isinstance(value, str):
        reason = reason.replace(value, _short(value))
        key = _key_at(text, error.lineno)
        if key:
            return f"{key} {_short(value)}".rstrip() + f" cannot be: {reason}."
    return f"{reason[:1].upper()}{reason[1:]}."


def _key_at(text: str, line: int | None) -> str:
    """Return the key that a line of a configuration gives a value, or nothing."""
    lines = text.split("\n")
    words = lines[line - 1].split(None, 1) if line and 0 < line <= len(lines) else ()
    return words[0] if words and not words[0].startswith("<") else ""


def _short(value: str) -> str:
    return value if len(value) <= SHOWN_LENGTH else f"{value[:SHOWN_LENGTH]}..."


def _below(folder: Path, path: str) -> Path:
    return Path(os.path.normpath(folder / Path(path).expanduser()))


def _database(said: Any, folder: Path, instance: Path) -> Database:
    kind = None if said is None else said.getSectionType()
    if kind == "zeo":
        if any(port is None for _host, port in said.servers):
            raise Refused("<zeo> needs HOST:PORT of each server.")
        return ZeoDatabase(tuple(said.servers), said.storage, said.cache_size, float(said.wait))
    if kind == "postgresql":
        return PostgresDatabase(said.dsn, said.cache_size, float(said.commit_timeout))
    if kind == "filestorage":
        return FileDatabase(_below(folder, said.path))
    return Configuration.usual(instance).database


def _server(said: Any) -> Server:
    return Server(said.host, said.port, said.threads, said.trusted_proxy)


def _workers(said: Any, database: Database) -> Workers:
    in_web = None if said is None else said.in_web
    if in_web is None:
        in_web = not database.is_shared
    elif not in_web and not database.is_shared:
        raise Refused(
            "<workers> says in-web no, and with <filestorage> no other process can work on runs. "
            "Leave it out, or choose <zeo> or <postgresql>."
        )
    return Workers(Workers().threads if said is None else said.threads, in_web)


def _figures(said: Any, folder: Path) -> Figures:
    usual = Figures()
    if said.server is not None:
        usual = usual._replace(upload_limit=said.server.upload_limit)
    if said.mail is not None:
        usual = usual._replace(mail_from=said.mail.sender)
    if said.files is not None:
        roots = tuple(os.path.realpath(_below(folder, root)) for root in said.files.roots)
        usual = usual._replace(storage_roots=roots)
    if said.webhooks is not None:
        usual = usual._replace(webhook_allow=tuple(said.webhooks.allow))
    limits = said.limits
    if limits is None:
        return usual
    return usual._replace(
        rows=limits.rows,
        columns=limits.columns,
        unpacked=limits.unpacked,
        memory=limits.memory,
        undo_days=limits.undo_days,
        export_hours=limits.export_hours,
        remove_share=limits.remove_share / 100,
        change_share=limits.change_share / 100,
        api_requests=limits.api_requests,
        api_wrong_tokens=limits.api_wrong_tokens,
    )


def _bound(address: tuple[str, int], path: Path) -> tuple[str, int]:
    host, port = address
    if port is None:
        raise Refused(f"{path}: <monitoring> needs an address with a port, HOST:PORT.")
    return host or "127.0.0.1", port


# -- data types of the schema; each raises ValueError ------------------------------------


def _between(text: str, least: int, most: int, kind: type) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise ValueError(f"a number from {least} to {most} is meant")
    return number


def threads(text: str) -> int:
    """Return a number of threads."""
    found: int = _between(text, 1, 16, int)
    return found


def port(text: str) -> int:
    """Return a port to answer on; 0 for any."""
    found: int = _between(text, 0, MOST_PORT, int)
    return found


def positive(text: str) -> int:
    """Return a number above 0."""
    found: int = _between(text, 1, MOST_COUNTED, int)
    return found


def natural(text: str) -> int:
    """Return a number that is not negative."""
    found: int = _between(text, 0, MOST_COUNTED, int)
    return found


def size(text: str) -> int:
    """Return a size in bytes."""
    return _size(text, 1 << 10, "1KB")


def memory(text: str) -> int:
    """Return the size of memory in which a workbook can be read."""
    return _size(text, LEAST_MEMORY, f"{LEAST_MEMORY >> 20}MB")


def _size(text: str, least: int, told: str) -> int:
    from ZConfig.datatypes import stock_datatypes

    try:
        found: int = stock_datatypes["byte-size"](text)
    except ValueError:
        found = -1
    if not least <= found <= MOST_BYTES:
        raise ValueError(f"a size such as 512MB is meant, from {told} to {MOST_BYTES >> 30}GB")
    return found


def interval(text: str) -> int:
    """Return a time in seconds."""
    from ZConfig.datatypes import stock_datatypes

    try:
        found: int = stock_datatypes["time-interval"](text)
    except ValueError:
        found = -1
    if not 0 <= found <= MOST_SECONDS:
        raise ValueError("a time such as 30s or 5m is meant, from 0s to 24h")
    return found


def days(text: str) -> int:
    """Return a time in days."""
    found: int = _between(text, 0, MOST_DAYS, int)
    return found


def hours(text: str) -> float:
    """Return a time in hours."""
    found: float = _between(text, 0, 24 * MOST_DAYS, float)
    return found


def percent(text: str) -> float:
    """Return a share in percent."""
    found: float = _between(text, 0, 100, float)
    return found


def address(text: str) -> str:
    """Return an IP address as a server writes that of a peer."""
    return str(ip_address(text))


def mail_server(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST`` or ``HOST:PORT``."""
    host, _colon, found = text.partition(":")
    if not host:
        raise ValueError("HOST or HOST:PORT is meant")
    if not found:
        return host, SMTP_PORT
    try:
        return host, _between(found, 1, MOST_PORT, int)
    except ValueError:
        raise ValueError(f"HOST or HOST:PORT is meant, with a port from 1 to {MOST_PORT}")


def webhook_allow(text: str) -> str:
    """Return a network, an address, or the name of a host."""
    from waeup.kofa.webhooks.addresses import Allowed

    Allowed.of([text])
    return text


def log_format(text: str) -> str:
    """Return how log lines are written."""
    return _one_of(text, "text", "json")


def log_target(text: str) -> str:
    """Return where log lines go."""
    return _one_of(text, "file", "stderr")


def _one_of(text: str, *words: str) -> str:
    if text not in words:
        raise ValueError(f"{' or '.join(words)} is meant")
    return text
