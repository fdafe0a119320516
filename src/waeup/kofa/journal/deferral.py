"""Log lines that belong to a transaction, like everything an import does.

Within `deferred_lines` a line is written when the transaction commits: a check, an
abort or a retry leaves no line behind.  Used by `waeup.kofa.logger`, which logs, and by
`waeup.kofa.importing`, which applies and takes back rows.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from transaction.interfaces import (
    IDataManagerSavepoint,
    ISavepointDataManager,
    NoTransaction,
    TransactionFailedError,
)
from zope.interface import implementer

from waeup.kofa.journal.lines import append_lines

# Takes what cannot be written into a file; ends, by default, on stderr.
_console = logging.getLogger("waeup.kofa")

_current_transaction: ContextVar[Callable[[], Any] | None] = ContextVar(
    "kofa_deferred_lines", default=None
)


def _nobody() -> Any:
    """Stand for the transaction of lines that nobody wants."""
    raise NoTransaction


@contextlib.contextmanager
def deferred_lines(transaction: Any) -> Iterator[None]:
    """Within this context, lines given to `write_line` join the transaction.

    They are written, in order and with one write a file, when the transaction
    commits, and are dropped when it aborts or a savepoint is rolled back.

    `transaction` is a transaction manager (or the module ``transaction``), then
    each line joins the transaction that is current at the time; or it is one
    ITransaction, which must not be ended within the context.

    Holds for this thread of control only.  The lines follow the database's
    commit: a kill between the two loses lines, but no line tells of something
    that did not happen.
    """
    token = _current_transaction.set(getattr(transaction, "get", lambda: transaction))
    try:
        yield
    finally:
        _current_transaction.reset(token)


@contextlib.contextmanager
def dropped_lines() -> Iterator[None]:
    """Within this context, `write_line` does nothing: what is done is going to be aborted.

    Lines that waited for that would fill the memory.  Holds for this thread of control only.
    """
    token = _current_transaction.set(_nobody)
    try:
        yield
    finally:
        _current_transaction.reset(token)


def lines_are_dropped() -> bool:
    """Tell whether a line would be dropped, and need not be made."""
    return _current_transaction.get() is _nobody


def write_line(path: str, line: str) -> None:
    """Append `line` to the log file `path`, with the transaction if lines are deferred.

    A log that cannot be written must not stop the work that it tells of: the failure
    goes to the Python logger ``waeup.kofa``.
    """
    if not _defer(path, line):
        _append(path, [line])


def _defer(path: str, line: str) -> bool:
    """Give a line to the current transaction; tell whether there is one to take it."""
    get_transaction = _current_transaction.get()
    if get_transaction is None:
        return False
    if get_transaction is _nobody:
        return True
    try:
        transaction = get_transaction()
        try:
            lines = transaction.data(DeferredLines)
        except KeyError:
            lines = DeferredLines()
            transaction.set_data(DeferredLines, lines)
        lines.add(path, line, transaction)
    except (NoTransaction, TransactionFailedError, ValueError):
        # Nothing has begun, or it failed or ended: what is logged now tells of
        # that, and is not undone by it.
        return False
    return True


@implementer(ISavepointDataManager)
class DeferredLines:
    """The lines of one transaction; see `transaction.interfaces.IDataManager`."""

    transaction_manager = None

    def __init__(self) -> None:
        # Lines of each file, by its path.
        self._lines: dict[str, list[str]] = {}
        self._joined = False

    def add(self, path: str, line: str, transaction: Any) -> None:
        if not self._joined:
            transaction.join(self)
            self._joined = True
        try:
            self._lines[path].append(line)
        except KeyError:
            self._lines[path] = [line]

    def sortKey(self) -> str:
        # Behind the databases, whose keys begin with letters or digits: what
        # failed there is not logged here.
        return "~waeup.kofa.logger"

    def savepoint(self) -> "_Savepoint":
        return _Savepoint(self._lines)

    def tpc_begin(self, transaction: Any) -> None:
        """Nothing to prepare."""

    def commit(self, transaction: Any) -> None:
        """Nothing to prepare."""

    def tpc_vote(self, transaction: Any) -> None:
        """A log never prevents a commit."""

    def tpc_finish(self, transaction: Any) -> None:
        lines_of, self._lines = self._lines, {}
        self._joined = False
        for path, lines in lines_of.items():
            _append(path, lines)

    def abort(self, transaction: Any) -> None:
        # Also called for the roll-back to a savepoint older than the first
        # line: the transaction then goes on without this data manager.
        self._lines.clear()
        self._joined = False

    tpc_abort = abort


@implementer(IDataManagerSavepoint)
class _Savepoint:
    def __init__(self, lines: dict[str, list[str]]) -> None:
        self._lines = lines
        self._lengths = {path: len(of_path) for path, of_path in lines.items()}

    def rollback(self) -> None:
        for path, of_path in self._lines.items():
            del of_path[self._lengths.get(path, 0) :]


def _append(path: str, lines: list[str]) -> None:
    try:
        append_lines(path, lines)
    except OSError as error:
        _console.error(
            "Cannot write to the log file %s: %s. %d line(s) are lost. "
            "Look at free space and access rights.",
            path,
            error.strerror or error,
            len(lines),
        )
