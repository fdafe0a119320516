"""How the row engine takes back rows that failed after their first write.

With a database, it goes back to the last savepoint, and applies the rows behind that again
without the one that failed.  A savepoint writes all that was changed, so there are as few of
them as memory allows, and more only where rows fail.  A run needs none to begin with: each of its
batches has a transaction of its own, which can begin anew.  Objects without a connection have
no savepoints: there the object of the failed row itself is put back.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from waeup.kofa.errors import Fault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.effects import CONTENTS

#: Rows between two savepoints: that many, and fewer as long as a row that failed is no farther
#: away than that.
MOST, LEAST = 10_000, 1000
#: Bytes by which the process may grow between two savepoints, if it is known how large it is.
GROWTH = 32 << 20


class Savepoints:
    """Goes back to the last mark by the savepoints of a transaction.

    `connection` is the ZODB connection that the objects live in; the transaction belongs to the
    caller and is neither committed nor aborted.  With `restart`, which begins it anew, that is
    what is gone back to until there is a mark.
    """

    def __init__(self, connection: Any, restart: Callable[[], object] | None = None) -> None:
        self._connection = connection
        self._restart = restart
        self._savepoint: Any = None
        # Rows for which savepoints are closer together.
        self._careful = 0
        # Of the process, at the last mark and at the first one.
        self._size = self._first_size = 0
        #: The rows that were applied since the last mark, in batches that are through.
        self.rows: list[Any] = []

    @property
    def is_marked(self) -> bool:
        """Whether there is a mark."""
        return self._savepoint is not None

    def begin(self) -> None:
        """Begin with a batch of rows; with `restart`, a transaction has just begun for it."""
        if self._restart is not None:
            self._savepoint = None
        elif self._savepoint is None:
            self.mark()
            self._first_size = self._size
        elif self._is_due():
            self.mark()
            if self._size - self._first_size > 2 * GROWTH:
                # What the cache may hold would come on top of the objects of the next rows.
                self._connection.cacheMinimize()
        else:
            # Lets go of unchanged objects, which no savepoint has done.
            self._connection.cacheGC()

    def end(self, rows: Sequence[Any]) -> None:
        """Say which rows of a batch, which is through now, were applied since the last mark."""
        if self._restart is None:
            self.rows += rows
            self._careful -= len(rows)

    def mark(self) -> None:
        """Make this the state to go back to; lets go of unchanged objects."""
        manager = self._connection.transaction_manager
        # It has a list of all that was changed so far: two of them at once are too much.
        self._savepoint = None
        self._savepoint = manager.get().savepoint(optimistic=True)
        self._connection.cacheGC()
        self.rows = []
        self._size = _resident()

    def rollback(self) -> None:
        """Go back to the last mark; it can be gone back to again.

        Raises `Fault` when something has joined the transaction that cannot go back.
        """
        if self._savepoint is None:
            assert self._restart is not None
            self._restart()
            return
        # Where one row fails, others will, and all since the savepoint is done again for each.
        self._careful = MOST
        try:
            self._savepoint.rollback()
        except TypeError as exc:
            raise Fault(
                _(
                    "A row failed and cannot be taken back, because something that takes "
                    "part in the transaction knows no savepoints (${exc}). Give that data "
                    "manager a method savepoint.",
                    mapping={"exc": exc},
                )
            ) from exc

    def _is_due(self) -> bool:
        spacing = LEAST if self._careful > 0 else MOST
        return len(self.rows) >= spacing or _resident() - self._size > GROWTH


def _resident() -> int:
    """Return how many bytes of memory this process has; 0 where that is not known."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class ObjectRestore:
    """Puts the objects of a row back as they were, for objects outside a database.

    What a processor's own hooks changed in other objects stays changed: without
    a database there is nothing that knows of it.
    """

    def __init__(self) -> None:
        self._watched: list[tuple[Any, dict[str, Any] | None]] = []

    def forget(self) -> None:
        """Begin with another row."""
        self._watched.clear()

    def watch_new(self, obj: Any) -> None:
        """Remember that `obj` is new."""
        self._watched.append((obj, None))

    def watch_change(self, obj: Any) -> None:
        """Remember the attributes of `obj`, and thus where it is."""
        self._watched.append((obj, dict(obj.__dict__)))

    def restore(self) -> None:
        """Take out new objects; give changed or removed ones back what they had."""
        for obj, state in reversed(self._watched):
            _restore(obj, state)


def _restore(obj: Any, state: dict[str, Any] | None) -> None:
    parent, name = getattr(obj, "__parent__", None), getattr(obj, "__name__", None)
    if state is None:
        if parent is not None and name in parent:
            del parent[name]
        return
    contents = obj.__dict__.get(CONTENTS)
    obj.__dict__.clear()
    obj.__dict__.update(state)
    if contents is not None:
        # A removed one may have been given what its container kept for it so far.
        obj.__dict__.setdefault(CONTENTS, contents)
    place: Any = state.get("__parent__")
    name = state.get("__name__")
    if hasattr(place, "get") and place.get(name) is None:
        obj.__parent__ = None
        place[name] = obj
