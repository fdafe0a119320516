"""The health of a process: whether it answers, and whether it can do its work.

=====================  ==========================================================
``/++health/live``     the process answers; otherwise start it anew
``/++health/ready``    it can do its work; otherwise send nobody to it
``/++health``          the same
=====================  ==========================================================

Everybody may ask on the port of the portal, and gets a word.  What is wrong is told by the
listener for programs (`waeup.kofa.deployment.monitoring`).
"""

import json
import os
from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from waeup.kofa.deployment.bounded import Bounded

if TYPE_CHECKING:
    from ZODB.DB import DB

#: Seconds that a check may take, and for which its answer holds.
TIMEOUT, SHARED = 2.0, 1.0
#: The paths that are answered.
LIVE, READY = ("/++health/live",), ("/++health", "/++health/ready")
#: Name of the problem of a process that is to end.
PROCESS = "process"

#: Returns what is wrong, '' if nothing; may raise anything.
Check = Callable[[], str]


class Answer(NamedTuple):
    """An answer to who asks for the health: HTTP status, type and body."""

    status: str
    content_type: str
    body: bytes


class Health:
    """The health of this process, by `checks` with names.

    Each is asked in a thread of its own: a database that hangs lets nobody wait for longer than
    `TIMEOUT` seconds.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = {
            name: Bounded(check, timeout=TIMEOUT, shared=SHARED) for name, check in checks.items()
        }
        self._stopping = Event()

    def stop(self) -> None:
        """Say from now on that the process is not ready, since it is to end."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by the names of checks; nothing when the process is ready."""
        if self._stopping.is_set():
            return {PROCESS: "It is stopping."}
        for check in self._checks.values():
            # All of them at once: the time of the slowest is that of all.
            check.put()
        found = {name: self._problem(check) for name, check in self._checks.items()}
        return {name: problem for name, problem in found.items() if problem}

    def _problem(self, check: Bounded[str]) -> str:
        try:
            return check()
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            return f"{type(error).__name__}: {reason}" if reason else type(error).__name__

    def answer(self, path: str, *, detailed: bool) -> Answer | None:
        """Answer a GET for a path, with what is wrong if `detailed`; None for other paths."""
        if path in LIVE:
            problems: dict[str, str] = {}
            words = "alive", "dead"
        elif path in READY:
            problems = self.problems()
            words = "ready", "not ready"
        else:
            return None
        word = words[bool(problems)]
        status = "503 Service Unavailable" if problems else "200 OK"
        if not detailed:
            return Answer(status, "text/plain; charset=utf-8", f"{word}\n".encode())
        told = {"status": word, "process": os.getpid(), "problems": problems}
        return Answer(status, "application/json", f"{json.dumps(told)}\n".encode())


def checks_of(database: "DB", site_path: str) -> dict[str, Check]:
    """Return the checks of a process with this database; the portal is at `site_path` in it."""
    site = _Site(database, site_path)
    return {
        "database": site.database_problem,
        "storage": site.storage_problem,
        "workers": _workers_problem,
    }


class _Site:
    """The portal, as far as it is asked whether it is there."""

    def __init__(self, database: "DB", path: str) -> None:
        self._database = database
        self._path = path
        self._storage: str | None = None

    def database_problem(self) -> str:
        """Read from the database; what it raises is the problem."""
        # The client of a ZEO server answers from its cache while the server is away.
        is_connected = getattr(self._database.storage, "is_connected", None)
        if is_connected is not None and not is_connected():
            return "The server is away."
        self._storage = read_site(self._database, self._path, storage_of)
        return ""

    def storage_problem(self) -> str:
        """Tell whether the storage of the data center can be used."""
        from waeup.kofa.jobs.job import is_there

        # Once known it is looked at without the database, which may hang.
        path = self._storage or read_site(self._database, self._path, storage_of)
        if not is_there(path):
            return f"The storage {path} is gone, or empty. Is it mounted?"
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            return (
                f"The storage {path} cannot be changed. Look at its rights, and how it is mounted."
            )
        return ""


def storage_of(site: Any) -> str:
    """Return the path of the storage of a portal."""
    path: str = site["datacenter"].storage
    return path


def workers() -> tuple[int, int] | None:
    """Return how many threads of this process should work on runs, and how many live.

    None where there is nobody to.
    """
    from zope.component import getGlobalSiteManager

    from waeup.kofa.jobs import IJobEngine

    tell = getattr(getGlobalSiteManager().queryUtility(IJobEngine), "workers", None)
    return None if tell is None else tell()[:2]


def _workers_problem() -> str:
    told = workers()
    if told is None or told[1] >= told[0]:
        return ""
    return f"{told[1]} of {told[0]} workers live."


def read_site(database: "DB", path: str, question: Callable[[Any], Any]) -> Any:
    """Return what `question` says about the portal at `path`, in a transaction of its own."""
    from transaction import TransactionManager
    from zope.traversing.api import traverse

    manager = TransactionManager()
    connection = database.open(manager)
    try:
        manager.begin()
        return question(traverse(connection.root()["Application"], path))
    finally:
        manager.abort()
        connection.close()
