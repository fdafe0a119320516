"""Tells a database that is away from faults of a run.

A server that is started anew, or a network that is broken for a while, is not the fault of what
was just done: a run is put down then, and somebody goes on with it when the database is back.
The libraries are optional; what is not loaded has raised nothing.
"""

import logging
import sys
from collections.abc import Iterator

#: Where the exceptions are that clients raise whose server is away.
_AWAY = (
    ("ZEO.Exceptions", "ClientDisconnected"),
    ("relstorage.storage.interfaces", "StorageDisconnectedDuringCommit"),
    ("relstorage.adapters.interfaces", "ReplicaClosedException"),
)
#: Where those are that may also be something else: then the server has given a code.
_CODED = (
    ("psycopg2", "OperationalError"),
    ("psycopg2", "InterfaceError"),
    ("psycopg", "OperationalError"),
)
#: How the codes of PostgreSQL begin that say that a connection has ended, or cannot be had.
_CODES = ("08", "57P", "53300")


def is_away(error: BaseException | None) -> bool:
    """Tell whether an exception, or what has led to it, says that the database is away."""
    chain = list(_chain(error))
    codes = [_code_of(each) for each in chain if isinstance(each, _loaded(_CODED))]
    if any(code is not None and not code.startswith(_CODES) for code in codes):
        # Such as a full disk of the server.
        return False
    return bool(codes) or any(isinstance(each, _loaded(_AWAY)) for each in chain)


def codes_of(error: BaseException | None) -> set[str]:
    """Return the codes that PostgreSQL has given to an exception, and to what has led to it."""
    return {code for each in _chain(error) if (code := _code_of(each))}


def tell(log: logging.Logger, error: BaseException, message: str, *args: object) -> None:
    """Log what has failed: in a line when the database is away, otherwise with a traceback."""
    if is_away(error):
        log.warning(message + " The database is away: %s", *args, first_line(error))
    else:
        log.error(message, *args, exc_info=error)


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _code_of(error: BaseException) -> str | None:
    return getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)


def _loaded(places: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    found = (getattr(sys.modules.get(module), name, None) for module, name in places)
    return tuple(each for each in found if isinstance(each, type))
