"""How the row engine takes back rows that failed after their first write.

With a database, a savepoint is set before each batch; the batch is replayed
without the row that failed.  Objects without a connection have no savepoints:
there the object of the failed row itself is put back.
"""

from typing import Any

from waeup.kofa.errors import Fault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.effects import CONTENTS


class Savepoints:
    """Goes back to the last mark by the savepoints of a transaction.

    `connection` is the ZODB connection that the objects live in; the transaction
    belongs to the caller and is neither committed nor aborted.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._savepoint: Any = None

    def mark(self) -> None:
        """Make this the state to go back to; lets go of unchanged objects."""
        manager = self._connection.transaction_manager
        self._savepoint = manager.get().savepoint(optimistic=True)
        self._connection.cacheGC()

    def rollback(self) -> None:
        """Go back to the last mark; it can be gone back to again.

        Raises `Fault` when something has joined the transaction that cannot go back.
        """
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


class ObjectRestore:
    """Puts one object back as it was, for objects outside a database.

    What a processor's own hooks changed in other objects stays changed: without
    a database there is nothing that knows of it.
    """

    def __init__(self) -> None:
        self._obj: Any = None
        self._state: dict[str, Any] | None = None

    def forget(self) -> None:
        """Begin with another row."""
        self._obj = self._state = None

    def watch_new(self, obj: Any) -> None:
        """Remember that `obj` is new."""
        self._obj, self._state = obj, None

    def watch_change(self, obj: Any) -> None:
        """Remember the attributes of `obj`, and thus where it is."""
        self._obj, self._state = obj, dict(obj.__dict__)

    def restore(self) -> None:
        """Take out a new object; give a changed or removed one back what it had."""
        obj, state = self._obj, self._state
        if obj is None:
            return
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
        parent, name = state.get("__parent__"), state.get("__name__")
        if parent is not None and parent.get(name) is None:
            obj.__parent__ = None
            parent[name] = obj
