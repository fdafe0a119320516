"""Lets changes of files take part in a transaction of the database.

A file that was put into the storage is taken back when the transaction aborts;
a file that is to go goes when the transaction has committed.  So an abort, a
conflict or a retry leaves the files as they were.
"""

import logging
from collections.abc import Callable
from typing import Any

import transaction
from transaction.interfaces import ISavepointDataManager
from zope.interface import implementer

log = logging.getLogger(__name__)

Action = Callable[[], object]


def on_abort(action: Action, of: Any = None) -> None:
    """Call `action` when the transaction aborts; `of` is an `ITransaction`."""
    _FileManager.of(of).undo.append(action)


def on_commit(action: Action, of: Any = None) -> None:
    """Call `action` once the transaction has committed; `of` is an `ITransaction`.

    The action must be one that can be repeated: after a kill in between it is the
    business of recovery.
    """
    _FileManager.of(of).redo.append(action)


@implementer(ISavepointDataManager)
class _FileManager:
    """Joins one transaction; calls what it was given at its end."""

    def __init__(self, manager: Any) -> None:
        self.transaction_manager = manager
        self.undo: list[Action] = []
        self.redo: list[Action] = []
        self._joined = False

    @classmethod
    def of(cls, current: Any) -> "_FileManager":
        """Return the manager of a transaction (default: the current one)."""
        if current is None:
            current = transaction.get()
        try:
            manager = current.data(cls)
        except KeyError:
            manager = cls(transaction.manager)
            current.set_data(cls, manager)
        if not manager._joined:
            current.join(manager)
            manager._joined = True
        return manager

    def savepoint(self) -> "_Mark":
        """See `ISavepointDataManager`."""
        return _Mark(self)

    def abort(self, txn: Any) -> None:
        """Take back what was done, last thing first.

        A roll-back to a savepoint that is older than the first action comes here,
        too; the transaction then goes on without this manager, until it is joined
        again.
        """
        self._joined = False
        self.redo.clear()
        self._call(reversed(self.undo))
        self.undo.clear()

    tpc_abort = abort

    def tpc_begin(self, txn: Any) -> None:
        """Nothing to prepare."""

    def commit(self, txn: Any) -> None:
        """Nothing to write."""

    def tpc_vote(self, txn: Any) -> None:
        """Never votes no."""

    def tpc_finish(self, txn: Any) -> None:
        """Do what was waiting for the commit."""
        self._joined = False
        self.undo.clear()
        self._call(self.redo)
        self.redo.clear()

    def sortKey(self) -> str:
        """Sort behind the database, which must have committed first."""
        return "~waeup.kofa.files"

    def rollback(self, undo: int, redo: int) -> None:
        """Go back to the numbers of actions that a savepoint saw."""
        del self.redo[redo:]
        self._call(reversed(self.undo[undo:]))
        del self.undo[undo:]

    def _call(self, actions: Any) -> None:
        for action in list(actions):
            try:
                action()
            except Exception:
                # The database has decided already: an exception here would only
                # hide its decision.  What is left over is found by recovery.
                log.exception("A file could not be put in order after a transaction.")


class _Mark:
    """A savepoint of a `_FileManager`."""

    def __init__(self, manager: _FileManager) -> None:
        self._manager = manager
        self._undo = len(manager.undo)
        self._redo = len(manager.redo)

    def rollback(self) -> None:
        """Take back what was done since."""
        self._manager.rollback(self._undo, self._redo)
