"""Which processes live: their names, their records in the database, and how others notice an end.

Each process of a portal that several share has a record in the root of the database, with a
beat that one thread of it changes every `BEAT` seconds.  A process is dead when its beat has not
changed for `DEAD` seconds, or at once when it is of this machine and its number is gone.  Whoever
notices that buries it: its record goes, in one transaction with all its claims
(`waeup.kofa.claims`).  A process that was only paused finds itself buried, says so, and has a new
record, but none of its claims.

Clocks of two machines differ, so that no time that one has written is compared with the clock of
another: whoever waits for a beat measures, by his own clock, for how long there was none.

The module path of the persistent classes is a database format.
"""

import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import cache
from typing import Any, NamedTuple, TypeVar

import transaction
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from transaction.interfaces import TransientError

from waeup.kofa.transactional import give_way

log = logging.getLogger(__name__)

#: Seconds between two beats, and without a beat after which a process is dead.
BEAT, DEAD = 15.0, 60.0
#: Seconds after a beat for which a process is certain that nobody can have buried it.
CERTAIN = DEAD - BEAT
#: The name of the records in the root of the database.
KEY = "waeup.kofa.processes"
#: How often a transaction is repeated when others were in the way, and seconds before that.
ATTEMPTS, PAUSE = 10, 0.005
#: Fields of the name of a holder.
_FIELDS = 5
# A BTree that is empty before or after a change cannot be merged with the change of somebody
# else: one key that is no name stays in it.
_KEEPER = ""

_T = TypeVar("_T")


# -- names ---------------------------------------------------------------------------


def new_holder() -> str:
    """Return a name for what this process holds: claims, and the leases of its runs.

    Host and process for people, then what tells this process from all that have the same
    number: the machine as it runs since it was started, the time at which the process began,
    and something random.
    """
    host = socket.gethostname().replace(":", "-")
    pid = os.getpid()
    return f"{host}:{pid}:{_machine()}:{_began(pid) or 0}:{secrets.token_hex(4)}"


def is_surely_dead(holder: str) -> bool:
    """Tell whether the process of this name is gone for certain.

    That can be known of those of this machine alone (in a container: of that); of all others
    the answer is False.
    """
    fields = holder.split(":")
    if len(fields) != _FIELDS or not fields[2] or fields[2] != _machine():
        return False
    try:
        pid, began = int(fields[1]), int(fields[3])
    except ValueError:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        # That of another user, who may hide what it is.
        return False
    return bool(began) and _began(pid) != began


def host_of(holder: str) -> str:
    """Return the name of the machine of a holder."""
    return holder.partition(":")[0]


def token_of(holder: str) -> str:
    """Return the random end of a name, which no other process has."""
    return holder.rpartition(":")[2]


@cache
def _machine() -> str:
    """Return what is the same for two processes that see each other's numbers; '' if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read().strip()
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {numbers}".encode()).hexdigest()[:12]


def _began(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine was started; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            text = stream.read()
    except OSError:
        return None
    # The name of the program stands in brackets, and may hold anything.
    state, *fields = text.rpartition(b")")[2].split()
    return None if state in (b"Z", b"X") else int(fields[18])


# -- waiting for a sign of life ------------------------------------------------------


class Watch:
    """Remembers since when nothing has changed, by the clock of this process.

    Only time counts in which somebody looks: who could not look, for the database was away or
    he was paused, knows nothing of that time.  May be used by several threads.
    """

    def __init__(self) -> None:
        self._seen: dict[Any, tuple[Any, float, float]] = {}
        self._lock = threading.Lock()

    def is_dead(self, key: Any, state: Any, seconds: float) -> bool:
        """Tell whether `key` has had the same `state` for `seconds`, as far as seen from here.

        To be asked at least twice in that time; otherwise it begins anew.
        """
        now = time.monotonic()
        with self._lock:
            known, since, looked = self._seen.get(key, (None, now, now))
            if known != state or now - looked > seconds / 2:
                since = now
            self._seen[key] = state, since, now
            return now - since >= seconds

    def forget(self, key: Any) -> None:
        """Remember nothing of `key` any more; it need not be known."""
        with self._lock:
            self._seen.pop(key, None)

    def keep(self, keys: Iterable[Any]) -> None:
        """Forget all but `keys`."""
        kept = set(keys)
        with self._lock:
            self._seen = {key: seen for key, seen in self._seen.items() if key in kept}


# -- records -------------------------------------------------------------------------


class Beat(Persistent):
    """The sign of life of a process: a `number` that changes, and for people the time in UTC."""

    def __init__(self) -> None:
        self.number = 0
        self.at = _now()

    def change(self) -> None:
        """Give a sign of life."""
        self.number += 1
        self.at = _now()


class Presence(Persistent):
    """A process: the name of the `holder`, `what` it is, `since` when (UTC), and its `beat`.

    It is written when it comes and when it goes, and never between: transactions that depend on
    that the process was not buried meanwhile make sure of it by `readCurrent`.
    """

    is_over = False

    def __init__(self, holder: str, what: str) -> None:
        self.holder = holder
        self.what = what
        self.since = _now()
        self.beat = Beat()


class Processes(Persistent):
    """All processes that live, by the names of the holders, and what they have claimed.

    `claims` has, for each key, the name of the holder and something random: see
    `waeup.kofa.claims`.
    """

    def __init__(self) -> None:
        self.present = OOBTree({_KEEPER: None})
        self.claims = OOBTree({_KEEPER: None})

    def all(self) -> list[Presence]:
        """Return the records of all processes."""
        return [presence for presence in self.present.values() if presence is not None]

    def enter(self, holder: str, what: str) -> Presence:
        """Make the record of a process."""
        presence = self.present[holder] = Presence(holder, what)
        return presence

    def bury(self, holder: str) -> None:
        """Remove the record of a process with all its claims.

        Whoever writes its beat, or makes sure of its presence, at the same time has a conflict.
        """
        presence = self.present.get(holder)
        if presence is not None:
            presence.is_over = True
            presence.beat._p_changed = True
            del self.present[holder]
        for key, claim in list(self.claims.items()):
            if claim is not None and claim[0] == holder:
                del self.claims[key]


class Living(NamedTuple):
    """A process that lives: see `Presence`; `seen` is the time of its last beat, by its clock."""

    holder: str
    host: str
    pid: int
    what: str
    since: datetime
    seen: datetime


def living(site: Any) -> list[Living]:
    """Return the processes that share the database of `site`, the oldest first.

    Without a shared database there are none.  A process that has just died may be among them.
    """
    processes = processes_of(site._p_jar)
    found = [] if processes is None else processes.all()
    return sorted(
        (
            Living(
                each.holder,
                host_of(each.holder),
                int(each.holder.split(":")[1]),
                each.what,
                each.since,
                each.beat.at,
            )
            for each in found
            if not is_surely_dead(each.holder)
        ),
        key=lambda each: (each.since, each.holder),
    )


def processes_of(connection: Any) -> Processes | None:
    """Return the records of a database, or None when it has none (yet)."""
    return connection.root().get(KEY)


def committed(db: Any, work: Callable[[Any], _T]) -> _T:
    """Do `work`, which gets a connection, in a transaction of its own; return its result.

    It has nothing to do with the transaction of the caller, and is repeated when others were in
    the way.  Raises the last conflict when they always are, and what the database raises.
    """
    manager = transaction.TransactionManager()
    manager.begin()
    connection = db.open(manager)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                result = work(connection)
                manager.commit()
                return result
            except TransientError:
                manager.abort()
                if attempt == ATTEMPTS:
                    raise
            give_way(attempt, PAUSE)
            manager.begin()
        raise AssertionError("not reached")
    finally:
        manager.abort()
        connection.close()


# -- the process itself --------------------------------------------------------------


class Life:
    """The presence of this process in the database `db`; `what` it is, for people.

    Attributes: `holder`, its name; `generation`, which changes with each record that it gets,
    since all it had held was lost with the one before.
    """

    def __init__(self, db: Any, what: str) -> None:
        self.db = db
        self.what = what
        self.holder = new_holder()
        self.generation = 0
        #: What the database could not be told so far: see `later`.
        self._later: list[Callable[[Any], object]] = []
        self._oid: bytes | None = None
        self._pid = os.getpid()
        self._certain_until = 0.0
        self._lock = threading.Lock()
        self._watch = Watch()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="kofa presence", daemon=True)

    def start(self) -> None:
        """Enter the process, and keep it present; raises what the database raises."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Let the record go, with all claims that are left."""
        self._stopping.set()
        self._thread.join()

        def leave(connection: Any) -> None:
            processes = processes_of(connection)
            if processes is not None:
                processes.bury(self.holder)

        try:
            committed(self.db, leave)
        except Exception:
            # Others will notice that it is gone.
            log.warning("The process %s could not sign off.", self.holder, exc_info=True)

    def is_own_process(self) -> bool:
        """Tell whether this is no forked process, which has none of this."""
        return os.getpid() == self._pid

    def require_own_process(self) -> None:
        """Raise RuntimeError in a forked process."""
        if not self.is_own_process():
            raise RuntimeError("A forked process must not use the presence of its parent.")

    def is_certain(self, generation: int) -> bool:
        """Tell whether nobody can have buried the process since it was of this generation.

        That is known without a look at the database.  False says nothing.
        """
        with self._lock:
            return generation == self.generation and _clock() < self._certain_until

    def own(self, connection: Any) -> Presence | None:
        """Return the record of the process; None when it was buried, or is not to be seen.

        With `readCurrent` of what is returned a transaction can make sure that it stays so.
        """
        with self._lock:
            oid = self._oid
        processes = processes_of(connection)
        presence = None if processes is None else processes.present.get(self.holder)
        return presence if presence is not None and presence._p_oid == oid else None

    def entered(self, connection: Any) -> tuple[Processes, Presence]:
        """Return the records and that of the process, which is made where it is missing."""
        processes = processes_of(connection)
        if processes is None:
            processes = connection.root()[KEY] = Processes()
        presence = processes.present.get(self.holder)
        if presence is None:
            presence = processes.enter(self.holder, self.what)
            connection.add(presence)
        return processes, presence

    def later(self, work: Callable[[Any], object]) -> None:
        """Do `work`, which gets the records of all processes, with the next beat.

        For what the database could not be told when it should have been.
        """
        with self._lock:
            self._later.append(work)

    def beat(self) -> None:
        """Give a sign of life, and bury those who gave none for long."""
        with self._lock:
            later, self._later = self._later, []
        try:
            self._give_sign(later)
        except BaseException:
            with self._lock:
                self._later = later + self._later
            raise
        for holder, number in self._silent():
            self._bury(holder, number)

    def _give_sign(self, later: list[Callable[[Any], object]]) -> None:
        began = _clock()

        def work(connection: Any) -> bytes:
            processes, presence = self.entered(connection)
            presence.beat.change()
            for each in later:
                each(processes)
            oid: bytes = presence._p_oid
            return oid

        oid = committed(self.db, work)
        with self._lock:
            was_buried = self._oid is not None and oid != self._oid
            if oid != self._oid:
                self._oid = oid
                self.generation += 1
            self._certain_until = began + CERTAIN
        if was_buried:
            log.warning(
                "Others took the process %s for dead, since it gave no sign of life for %d "
                "seconds. What it held then is lost.",
                self.holder,
                DEAD,
            )

    def _silent(self) -> list[tuple[str, int]]:
        """Return the names of the dead with the numbers of their last beats."""

        def look(connection: Any) -> list[tuple[str, int]]:
            processes = processes_of(connection)
            found = [] if processes is None else processes.all()
            return [(each.holder, each.beat.number) for each in found]

        seen = [each for each in committed(self.db, look) if each[0] != self.holder]
        self._watch.keep(holder for holder, _number in seen)
        return [
            (holder, number)
            for holder, number in seen
            if is_surely_dead(holder) or self._watch.is_dead(holder, number, DEAD)
        ]

    def _bury(self, holder: str, number: int) -> None:
        def bury(connection: Any) -> bool:
            processes = processes_of(connection)
            presence = None if processes is None else processes.present.get(holder)
            if processes is None or presence is None or presence.beat.number != number:
                return False
            processes.bury(holder)
            return True

        if committed(self.db, bury):
            log.warning("The process %s is gone; what it held is free.", holder)

    def _go_on(self) -> None:
        while not self._stopping.wait(BEAT):
            try:
                self.beat()
            except Exception:
                # The database may be away for a while; a thread that ends would be missed.
                log.exception("The process %s cannot give a sign of life.", self.holder)


def _clock() -> float:
    """Return seconds that go on while the machine sleeps, where the system can count so."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _now() -> datetime:
    return datetime.now(timezone.utc)
