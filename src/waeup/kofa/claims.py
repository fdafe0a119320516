"""Who has what, where several processes on several machines share a storage.

`install` puts this in place of the locks of one machine (`waeup.kofa.spool.locks`), which a
network file system does not keep.  A claim is an entry in the database: a key made of the path,
the holder's name, and something random.  To take and to release are small transactions of their
own, apart from that of the caller.  Of two who take the same at the same time the database lets
one have it.  Claims go with the process that has them: see `waeup.kofa.presence`.

A new work folder is not claimed, which would cost two transactions for each upload: its id begins
with the token of its holder, and nobody removes it as long as that lives.  When its holder leaves
it for others, it puts a file into it that says so.

Who was paused
--------------

A process that gives no sign of life for a minute is taken for dead, and may be woken afterwards
in the middle of anything.  Nothing it does then is lost, or there twice, for three reasons.

* It learns it before it changes what others may have changed: `require_held` stands before each
  such operation on files.  As long as its last beat is young it is certain without asking; after
  a pause it asks the database, in a transaction that fails unless its record is still there.
* What it does on files all the same, since it was paused between that question and the operation,
  is a step that somebody else has done by then: steps look at what is there
  (`waeup.kofa.spool.steps`), new names are taken by a link, which fails where one is, and what is
  taken back is left alone where another file has its name.
* It cannot commit.  Transactions of operations make sure that the record of their process is
  still there (`fence`), those of runs that nobody else has claimed the run (`waeup.kofa.jobs`).
  Both are a matter of the database, and hold however long the pause was, and wherever.
"""

import errno
import logging
import os
import secrets
import stat
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from transaction.interfaces import TransientError
from zope.traversing.api import traverse

from waeup.kofa import journal, spool
from waeup.kofa.errors import ItemBusy
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.presence import (
    Life,
    Processes,
    committed,
    is_surely_dead,
    processes_of,
    token_of,
)
from waeup.kofa.spool.disk import disk
from waeup.kofa.spool.locks import exclusion, require_held

log = logging.getLogger(__name__)

#: Seconds between two attempts to take what others have.
PAUSE = 0.1
#: The name of the file that says of a work folder that its holder has left it.
LEFT = ".left"
#: Digits of a holder's token, and as many more, make the id of a work folder.
DIGITS = 8

#: What is in the database: the name of the holder, and something random.
_Claim = tuple[str, str]


@contextmanager
def install(db: Any, site_path: str, what: str) -> Iterator[Life]:
    """Let this process share its database and storage with others, for the time of a block.

    `db` is a `ZODB.DB`, `site_path` the path of the portal, which need not exist yet; `what` says
    for people what the process is ("web", "worker", "command").  Gives the presence of the
    process; its ``holder`` is a name for leases as well.  Raises what the database raises.
    """
    life = Life(db, what)
    life.start()
    try:
        with spool.use_exclusion(DatabaseExclusion(life, site_path)), journal.shared_lines():
            yield life
    finally:
        life.stop()


def is_shared() -> bool:
    """Tell whether this process shares its storage with others."""
    return isinstance(exclusion(), DatabaseExclusion)


def fence(jar: Any) -> None:
    """Let the transaction of the connection `jar` fail if this process was taken for dead.

    For transactions that depend on something that was taken.  Does nothing where nobody shares
    the storage.  Raises `ItemBusy` when that is so already.
    """
    used = exclusion()
    if isinstance(used, DatabaseExclusion) and jar is not None:
        used.fence(jar)


@contextmanager
def turn(name: str) -> Iterator[bool]:
    """Have a kind of work for oneself, if nobody else does it just now; gives whether it is so.

    Where nobody shares the storage it always is.
    """
    used = exclusion()
    if not isinstance(used, DatabaseExclusion):
        yield True
        return
    held = used.take_turn(name)
    try:
        yield held is not None
    finally:
        if held is not None:
            held.release()


class DatabaseExclusion(spool.Exclusion):
    """Claims in the database, of the process whose presence is `life`."""

    pause = PAUSE

    def __init__(self, life: Life, site_path: str) -> None:
        self._life = life
        self._site_path = site_path

    # -- see `Exclusion` ---------------------------------------------------------------

    def mark(self, path: str) -> Hashable:
        os.stat(path)
        return os.path.realpath(path)

    def take(self, path: str, flags: int = 0) -> spool.Held | None:
        return self._take([path], flags)[0]

    def take_all(self, paths: Collection[str]) -> tuple[spool.Held | None, str | None]:
        return self._take(paths, 0)

    def are_taken(self, paths: Iterable[str]) -> bool:
        real = [os.path.realpath(path) for path in paths]

        def look(connection: Any) -> bool:
            processes = processes_of(connection)
            if processes is None or not real:
                return False
            storages = self._storages(connection)
            found = (processes.claims.get(_key(path, storages)) for path in real)
            return any(claim is not None and not _is_void(processes, claim) for claim in found)

        return committed(self._life.db, look)

    def new_id(self) -> str:
        return token_of(self._life.holder) + secrets.token_hex(DIGITS // 2)

    def take_new_folder(self, path: str) -> spool.Held | None:
        self._life.require_own_process()
        _require_there([path], os.O_DIRECTORY)
        return _Named(self._life, path)

    def take_left_folder(self, path: str) -> spool.Held | None:
        _require_there([path], os.O_DIRECTORY)
        if self._is_needed(path):
            return None
        return self.take(path, os.O_DIRECTORY)

    # -- more ------------------------------------------------------------------------

    def take_turn(self, name: str) -> spool.Held | None:
        """Take a kind of work that is no file."""
        return self._take_keys(lambda connection: {f"({name})": name})[0]

    def fence(self, jar: Any) -> None:
        """See `waeup.kofa.claims.fence`."""
        presence = self._life.own(jar)
        if presence is None:
            raise lost()
        jar.readCurrent(presence)
        # It may have a new record, which is not that of what this thread has taken before.
        require_held()

    def _is_needed(self, path: str) -> bool:
        """Tell whether a work folder has the name of a holder who lives and has not left it."""
        token = os.path.basename(path)[-2 * DIGITS : -DIGITS]

        def look(connection: Any) -> bool:
            processes = processes_of(connection)
            found = [] if processes is None else processes.all()
            return any(
                token_of(each.holder) == token and not is_surely_dead(each.holder)
                for each in found
            )

        return not os.path.lexists(os.path.join(path, LEFT)) and committed(self._life.db, look)

    def _take(self, paths: Collection[str], flags: int) -> tuple["_Claimed | None", str | None]:
        real = {os.path.realpath(path): path for path in paths}

        def keys(connection: Any) -> dict[str, str]:
            storages = self._storages(connection)
            return {_key(each, storages): path for each, path in real.items()}

        _require_there(paths, flags)
        held, busy = self._take_keys(keys)
        if held is not None:
            try:
                _require_there(paths, flags)
            except BaseException:
                held.release()
                raise
        return held, busy

    def _take_keys(
        self, keys_for: Callable[[Any], dict[str, str]]
    ) -> tuple["_Claimed | None", str | None]:
        """Take the keys that the function gives for a connection, each with its name for people.

        Returns what is held, or the name of what somebody else has.
        """
        life = self._life
        life.require_own_process()
        claim = (life.holder, secrets.token_hex(DIGITS))

        def take(connection: Any) -> tuple[list[str], str | None] | None:
            presence = life.own(connection)
            if presence is None:
                return None
            processes: Processes = processes_of(connection)  # type: ignore[assignment]
            keys = keys_for(connection)
            for key, name in keys.items():
                other = processes.claims.get(key)
                if other is not None:
                    if not _is_void(processes, other):
                        return [], name
                    processes.bury(other[0])
            processes.claims.update(dict.fromkeys(keys, claim))
            # Claims of the buried are those of nobody.
            connection.readCurrent(presence)
            return list(keys), None

        for _attempt in range(2):
            generation = life.generation
            try:
                answer = committed(life.db, take)
            except TransientError:
                # Others were quicker, again and again: it is as if they had it.
                return None, ""
            if answer is not None:
                keys, busy = answer
                return _Claimed(life, generation, keys, claim) if busy is None else None, busy
            # Others took this process for dead, and it has not noticed yet.
            life.beat()
        return None, ""

    def _storages(self, connection: Any) -> list[tuple[str, str]]:
        """Return where the storages are, now and before: really, and as the database says.

        A storage may be mounted in different places, with a link in its place.
        """
        try:
            site = traverse(connection.root()["Application"], self._site_path)
            datacenter = site["datacenter"]
        except LookupError:
            return []
        paths = [datacenter.storage, *(path for path, _names, _date in datacenter.former)]
        return [(os.path.realpath(path), path) for path in paths]


def lost() -> ItemBusy:
    """Return the error that says that this process was taken for dead."""
    return ItemBusy(
        _(
            "The portal was held up for so long that others went on with its work. Look at what "
            "is there now, and try again."
        )
    )


def _key(real: str, storages: list[tuple[str, str]]) -> str:
    """Return the key of a path, which is the same on all machines."""
    for folder, path in storages:
        if real == folder or spool.is_inside(real, folder):
            return path + real[len(folder) :]
    return real


def _is_void(processes: Processes, claim: _Claim) -> bool:
    """Tell whether the process that has made a claim is gone."""
    holder = claim[0]
    return processes.present.get(holder) is None or is_surely_dead(holder)


def _require_there(paths: Collection[str], flags: int = 0) -> None:
    """Raise OSError unless all are there."""
    for path in paths:
        status = os.stat(path)
        if flags & os.O_DIRECTORY and not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


class _Owned(spool.Held):
    """What goes with the record that a process had when it took this."""

    def __init__(self, life: Life, generation: int) -> None:
        self._life = life
        self._generation = generation

    def require(self) -> None:
        if self._life.is_certain(self._generation):
            return
        try:
            is_held = committed(self._life.db, self._is_held)
        except TransientError:
            is_held = False
        # The record that was seen may be a new one, which another thread has made meanwhile: what
        # was held is lost all the same.
        if not is_held or self._life.generation != self._generation:
            raise lost()

    def _is_held(self, connection: Any) -> bool:
        presence = self._life.own(connection)
        if presence is not None:
            connection.readCurrent(presence)
        return presence is not None


class _Claimed(_Owned):
    """A claim on one or more keys."""

    def __init__(self, life: Life, generation: int, keys: list[str], claim: _Claim) -> None:
        super().__init__(life, generation)
        self._keys = keys
        self._claim = claim

    def release(self) -> None:
        if not self._life.is_own_process():
            return
        try:
            is_lost = committed(
                self._life.db, lambda connection: self._free(processes_of(connection))
            )
        except Exception:
            # It must not stay as long as the process lives.
            log.exception("%s cannot be let go, but will be with the next beat.", self._keys)
            self._life.later(self._free)
        else:
            if is_lost:
                log.warning("%s was taken over by others meanwhile.", self._keys)

    def _free(self, processes: Processes | None) -> bool:
        """Remove the claim; tell whether it was lost."""
        claims = {} if processes is None else processes.claims
        found = [key for key in self._keys if claims.get(key) == self._claim]
        for key in found:
            del claims[key]
        return len(found) < len(self._keys)


class _Named(_Owned):
    """A work folder that has the name of its holder."""

    def __init__(self, life: Life, path: str) -> None:
        super().__init__(life, life.generation)
        self._path = path

    def release(self) -> None:
        if not self._life.is_own_process():
            return
        try:
            os.close(disk.create(os.path.join(self._path, LEFT)))
        except (FileNotFoundError, FileExistsError):
            pass  # it was removed, as it should
        except OSError:
            log.exception("%s stays until the process ends.", self._path)
