"""Lets changes of files take part in a transaction of the database.

A file that was put into the storage is taken back when the transaction aborts;
a file that is to go goes when the transaction has committed.  So an abort, a
conflict or a retry leaves the files as they were.  Who is in conflict gives way, and repeats.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import transaction
from transaction.interfaces import ISavepointDataManager
from zope.interface import implementer

from waeup.kofa.errors import Refused

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


@contextmanager
def refusable() -> Iterator[None]:
    """Take back what a block has done, and nothing else of the transaction, if it is refused."""
    savepoint = transaction.savepoint(optimistic=True)
    try:
        yield
    except Refused:
        savepoint.rollback()
        raise


@implementer(ISavepointDataManager)
class _FileManager:
    """Joins one transaction; calls what it was given at its end."""

    def __init__(self, manager: Any) -> None:
        self.transaction_manager = manager
        self.undo: list[Action] = []
        self.redo: list[Action] = []
        self._joined = False
        self._is_committing = False

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
        """Take back what was done, unless a commit has begun: `tpc_abort` follows then.

        A roll-back to a savepoint that is older than the first action comes here,
        too; the transaction then goes on without this manager, until it is joined
        again.
        """
        if not self._is_committing:
            self.tpc_abort(txn)

    def tpc_abort(self, txn: Any) -> None:
        """Take back what was done, last thing first.

        When a commit fails, databases are to let go first: what is done here may need them.
        """
        self._joined = self._is_committing = False
        self.redo.clear()
        self._call(reversed(self.undo))
        self.undo.clear()

    def tpc_begin(self, txn: Any) -> None:
        """See `IDataManager`."""
        self._is_committing = True

    def commit(self, txn: Any) -> None:
        """Nothing to write."""

    def tpc_vote(self, txn: Any) -> None:
        """Never votes no."""

    def tpc_finish(self, txn: Any) -> None:
        """Do what was waiting for the commit."""
        self._joined = self._is_committing = False
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


def give_way(attempt: int, pause: float) -> None:
    """Wait before a transaction is repeated with which another one was in conflict.

    `attempt` counts from 0; `pause` are seconds at most before the second attempt.  Each further
    one waits twice as long, and by chance, so that the same two do not meet again.
    """
    time.sleep(random.uniform(0.5, 1) * pause * 2**attempt)  # noqa: S311  (no secret)
