"""Components with a log file: the mix-in `Logger`, over the room `journal`.

A record finds its file when it is written: the folder ``logs`` in the storage
of the current site's data center.  Nothing needs to be told that a storage
moved, no component can be missed, and the sites of one process do not mix.

Within `deferred_lines` log lines belong to the transaction, like everything
that an import does outside the database: a check, an abort or a retry leaves
no line behind.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from string import Template
from typing import Any

from transaction.interfaces import (
    IDataManagerSavepoint,
    ISavepointDataManager,
    NoTransaction,
    TransactionFailedError,
)
from zope.component.hooks import getSite
from zope.interface import implementer
from zope.security.management import queryInteraction, system_user

from waeup.kofa.interfaces import ILogger
from waeup.kofa.journal import LINE_FORMAT, append_lines

# Takes what cannot be written into a file of a site; ends, by default, on stderr.
_console = logging.getLogger("waeup.kofa")
_setup_lock = threading.Lock()


def current_user() -> str:
    """Return the id of the principal who acts in this thread, or ``system``."""
    interaction = queryInteraction()
    if interaction is not None:
        for participation in interaction.participations:
            principal = participation.principal
            if principal is not None and principal is not system_user:
                return str(principal.id)
    return "system"


def _logdir() -> str | None:
    """Return the path of the current site's folder of logs, or None."""
    try:
        storage = getSite()["datacenter"].storage
    except (AttributeError, KeyError, TypeError):  # no site, or one without data center
        return None
    return os.path.join(storage, "logs")


def _write(path: str, lines: list[str]) -> None:
    """Append `lines`; a log that cannot be written must not stop the work it tells of."""
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


# -- lines that join a transaction ---------------------------------------------

_current_transaction: ContextVar[Callable[[], Any] | None] = ContextVar(
    "waeup.kofa.logger", default=None
)


@contextlib.contextmanager
def deferred_lines(transaction: Any) -> Iterator[None]:
    """Within this context, lines that `Logger` components log join the transaction.

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


def _defer(path: str, line: str) -> bool:
    """Give a line to the current transaction; tell whether there is one to take it."""
    get_transaction = _current_transaction.get()
    if get_transaction is None:
        return False
    try:
        transaction = get_transaction()
        try:
            lines = transaction.data(_DeferredLines)
        except KeyError:
            lines = _DeferredLines()
            transaction.set_data(_DeferredLines, lines)
        lines.add(path, line, transaction)
    except (NoTransaction, TransactionFailedError, ValueError):
        # Nothing has begun, or it failed or ended: what is logged now tells of
        # that, and is not undone by it.
        return False
    return True


@implementer(ISavepointDataManager)
class _DeferredLines:
    """The lines of one transaction; see `transaction.interfaces.IDataManager`."""

    transaction_manager = None

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._joined = False

    def add(self, path: str, line: str, transaction: Any) -> None:
        if not self._joined:
            transaction.join(self)
            self._joined = True
        self._lines.append((path, line))

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
        by_path: dict[str, list[str]] = {}
        for path, line in self._lines:
            by_path.setdefault(path, []).append(line)
        self.abort(transaction)
        for path, lines in by_path.items():
            _write(path, lines)

    def abort(self, transaction: Any) -> None:
        # Also called for the roll-back to a savepoint older than the first
        # line: the transaction then goes on without this data manager.
        self._lines.clear()
        self._joined = False

    tpc_abort = abort


@implementer(IDataManagerSavepoint)
class _Savepoint:
    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self._lines = lines
        self._length = len(lines)

    def rollback(self) -> None:
        del self._lines[self._length :]


# -- loggers -------------------------------------------------------------------


class _SiteHandler(logging.Handler):
    """Writes records into a log file of the site that is current at the time."""

    def __init__(self, filename: str, line_format: str) -> None:
        super().__init__()
        self.filename = filename
        self.line_format = line_format
        self.setFormatter(logging.Formatter(line_format))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            logdir = _logdir()
            if logdir is None:
                _console.handle(record)
                return
            if not hasattr(record, "user"):
                record.user = current_user()
            path, line = os.path.join(logdir, self.filename), self.format(record)
            if not _defer(path, line):
                _write(path, [line])
        except Exception:  # as all handlers of `logging`: a bad record is reported on stderr
            self.handleError(record)


@implementer(ILogger)
class Logger:
    """Mix-in for components of a site that log into a file of the data center.

    Names are those of Kofa 1.9.  A component overrides `logger_name` and
    `logger_filename`, and logs with ``self.logger.info(...)``.  Components with
    the same logger name share its file.

    Lines name the current principal; ``extra={"user": id}`` names another one.
    Cell text may be logged as it is: `waeup.kofa.journal` keeps a record one line.
    """

    logger_name = "waeup.kofa.${sitename}"
    logger_filename = "main.log"
    logger_format_str = LINE_FORMAT

    @property
    def logger(self) -> logging.Logger:
        """The Python logger of this component in the current site.

        Without a site that has a name it is a logger without a file, which
        passes its records on to the loggers above it.
        """
        logger = self._python_logger()
        if not self._is_set_up(logger) and getattr(getSite(), "__name__", None):
            with _setup_lock:
                if not self._is_set_up(logger):
                    self.logger_setup(logger)
        return logger

    def _python_logger(self) -> logging.Logger:
        sitename = getattr(getSite(), "__name__", None)
        if not sitename:
            return logging.getLogger(self.logger_name.replace(".${sitename}", ""))
        return logging.getLogger(Template(self.logger_name).safe_substitute(sitename=sitename))

    def _is_set_up(self, logger: logging.Logger) -> bool:
        if len(logger.handlers) != 1:
            return False
        handler = logger.handlers[0]
        return (
            isinstance(handler, _SiteHandler)
            and handler.filename == self.logger_filename
            and handler.line_format == self.logger_format_str
        )

    def logger_setup(self, logger: logging.Logger) -> logging.Logger | None:
        """Give `logger` the one handler it needs, in place of all it has.

        Returns None, with `logger` left without handler, when the current site
        has no data center.
        """
        _remove_handlers(logger)
        if _logdir() is None:
            return None
        logger.addHandler(_SiteHandler(self.logger_filename, self.logger_format_str))
        logger.setLevel(logging.INFO)
        logger.propagate = False
        return logger

    def logger_get_logdir(self) -> str | None:
        """Return the path of the folder of logs, or None without site or data center.

        The folder is made if it is missing; raises OSError when there is no storage.
        """
        logdir = _logdir()
        if logdir is not None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(logdir)
        return logdir

    def logger_get_logfile_path(self) -> str | None:
        """Return the path of the log file, or None without site or data center."""
        logdir = self.logger_get_logdir()
        return None if logdir is None else os.path.join(logdir, self.logger_filename)

    def logger_logfile_changed(self) -> None:
        """Set the logger up anew.

        Kofa 1.9 needs this call when a storage moves; here the next line goes to
        the new place anyway.
        """
        self.logger_setup(self._python_logger())

    def logger_shutdown(self) -> None:
        """Remove and close all handlers; the next use of `logger` sets it up again."""
        _remove_handlers(self._python_logger())


def _remove_handlers(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
