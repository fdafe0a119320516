"""How the row engine takes back rows that failed after their first write.

With a database, a savepoint is set before each batch; the batch is replayed
without the row that failed.  Objects without a connection have no savepoints:
there the object of the failed row itself is put back.
"""

from typing import Any

from waeup.kofa.interfaces import IBatchProcessor


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
        """Go back to the last mark; it can be gone back to again."""
        self._savepoint.rollback()


class ObjectRestore:
    """Puts one object back as it was, for objects outside a database.

    What a processor's own hooks changed in other objects stays changed: without
    a database there is nothing that knows of it.
    """

    def __init__(self, processor: IBatchProcessor) -> None:
        self._processor = processor
        self._obj: Any = None
        self._state: dict[str, Any] | None = None

    def watch_new(self, obj: Any) -> None:
        """Remember that `obj` is new."""
        self._obj, self._state = obj, None

    def watch_change(self, obj: Any) -> None:
        """Remember the attributes of `obj`."""
        self._obj, self._state = obj, dict(obj.__dict__)

    def restore(self) -> None:
        """Take out a new object, or give a changed one its attributes back."""
        obj, state = self._obj, self._state
        if obj is None:
            return
        if state is not None:
            obj.__dict__.clear()
            obj.__dict__.update(state)
            return
        parent = getattr(obj, "__parent__", None)
        if parent is not None and obj.__name__ in parent:
            del parent[obj.__name__]
