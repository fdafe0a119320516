"""Components with a log file: the mix-in `Logger`, over the room `journal`.

A record finds its file when it is written: the folder ``logs`` in the storage
of the current site's data center.  Nothing needs to be told that a storage
moved, no component can be missed, and the sites of one process do not mix.

Within `deferred_lines` log lines belong to the transaction, like everything
that an import does outside the database: a check, an abort or a retry leaves
no line behind.  Within `in_run` each line names the run that it belongs to.

An import logs a line for each row.  A line that asks for nothing special therefore goes a
short way, which looks up only what may change between two lines; by way of a record of
`logging` it takes more than three times as long.
"""

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from string import Template
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

from zope.component.hooks import getSite
from zope.interface import implementer
from zope.security.management import queryInteraction, system_user

from waeup.kofa.interfaces import ILogger
from waeup.kofa.journal import LINE_FORMAT, deferred_lines, lines_are_dropped, write_line

__all__ = ["RUN_MARK", "Logger", "current_run", "current_user", "deferred_lines", "in_run"]

#: What stands before the id of its run at the end of a line.
RUN_MARK = " - run="

# Takes what cannot be written into a file of a site; ends, by default, on stderr.
_console = logging.getLogger("waeup.kofa")
_setup_lock = threading.Lock()
# What lines have at their end.
_run_mark: ContextVar[str] = ContextVar("kofa_run_mark", default="")


def current_user() -> str:
    """Return the id of the principal who acts in this thread, or ``system``."""
    interaction = queryInteraction()
    if interaction is not None:
        for participation in interaction.participations:
            principal = participation.principal
            if principal is not None and principal is not system_user:
                return str(principal.id)
    return "system"


@contextlib.contextmanager
def in_run(id: str) -> Iterator[None]:
    """Within this context, lines say at their end to which run they belong.

    Holds for this thread of control only.
    """
    token = _run_mark.set(f"{RUN_MARK}{id}" if id else "")
    try:
        yield
    finally:
        _run_mark.reset(token)


def current_run() -> str:
    """Return the id of the run that is worked on in this thread of control, or ''."""
    return _run_mark.get().removeprefix(RUN_MARK)


def _logdir() -> str | None:
    """Return the path of the current site's folder of logs, or None."""
    try:
        storage = getSite()["datacenter"].storage
    except (AttributeError, KeyError, TypeError):  # no site, or one without data center
        return None
    return os.path.join(storage, "logs")


# -- loggers -------------------------------------------------------------------


def _own(step: Any) -> Any:
    """Return `step`, a function of `logging`, or None if a program has put its own there."""
    own = type(step) is FunctionType and step.__globals__ is vars(logging)
    return step if own else None


# What `logging` does between a call of ``info`` and the text of a line.  Programs put
# functions of their own there, which send records elsewhere, or change them.
_INFO = _own(logging.Logger.info)
_LOG = _own(logging.Logger._log)
_MAKE_RECORD = _own(logging.Logger.makeRecord)
_HANDLE = _own(logging.Logger.handle)
_CALL_HANDLERS = _own(logging.Logger.callHandlers)
_GET_MESSAGE = _own(logging.LogRecord.getMessage)
_FORMAT = _own(logging.Formatter.format)
_FORMAT_TIME = _own(logging.Formatter.formatTime)


# Text of a form of lines that needs no more than these.
_KNOWN = re.compile(r"(?:[^%]|%%|%\((?:asctime|levelname|user)\)s)*")


def _around_message(line_format: str) -> tuple[str, ...]:
    """Return the two parts of `line_format` before and after the message.

    Empty where the time, the level and the user are not all that they need.
    """
    before, found, after = line_format.partition("%(message)s")
    known = found and _KNOWN.fullmatch(before) and _KNOWN.fullmatch(after)
    return (before, after) if known else ()


class _Made(NamedTuple):
    """What is around the message of lines that are logged from `begin` until `end`."""

    begin: float
    end: float
    zone: tuple[str, ...]
    deciding: tuple[Any, ...]
    before: str
    after: str


class _SiteHandler(logging.Handler):
    """Writes records into a log file of the site that is current at the time.

    Its `info` takes the place of the method of its logger.
    """

    def __init__(self, filename: str, line_format: str, logger: logging.Logger) -> None:
        super().__init__()
        self.filename = filename
        self.line_format = line_format
        self._own_formatter = logging.Formatter(line_format)
        self.setFormatter(self._own_formatter)
        self._logger = logger
        self._alone = [self]
        self._around = _around_message(line_format)
        # Each of these two is replaced in one piece: threads share the handler.
        self._place: tuple[str | None, str] = (None, "")
        self._made = _Made(0, 0, (), (), "", "")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            logdir = _logdir()
            if logdir is None:
                _console.handle(record)
                return
            if not hasattr(record, "user"):
                record.user = current_user()
            line = self.format(record) + _run_mark.get()
            write_line(os.path.join(logdir, self.filename), line)
        except Exception:  # as all handlers of `logging`: a bad record is reported on stderr
            self.handleError(record)

    def info(self, msg: object, *args: object, **asked: Any) -> None:
        """Log a line of the level INFO; see `logging.Logger.info`, whose place it takes.

        Writes what `emit` would write, without a record, where nobody would see one.
        """
        if not self._logger.isEnabledFor(logging.INFO):
            return
        # Others see their records also where our lines are dropped.
        is_short = not asked and self._is_all()
        if is_short and (lines_are_dropped() or self._wrote(msg, args)):
            return
        # The caller is one frame further away than `logging` thinks.
        asked["stacklevel"] = asked.get("stacklevel", 1) + 1
        logging.Logger.info(self._logger, msg, *args, **asked)

    def _is_all(self) -> bool:
        """Tell whether `emit` is all that would come of a plain line of the logger."""
        logger = self._logger
        # The list of handlers is compared by the identity of what it holds.
        return (
            bool(self._around)
            and logger.handlers == self._alone
            and self.formatter is self._own_formatter
            and self.level <= logging.INFO
            and not (logger.propagate or logger.filters or self.filters)
            and logging.getLogRecordFactory() is logging.LogRecord
            and logging.Logger.info is _INFO
            and logging.Logger._log is _LOG
            and logging.Logger.makeRecord is _MAKE_RECORD
            and logging.Logger.handle is _HANDLE
            and logging.Logger.callHandlers is _CALL_HANDLERS
            and logging.LogRecord.getMessage is _GET_MESSAGE
            and logging.Formatter.format is _FORMAT
            and logging.Formatter.formatTime is _FORMAT_TIME
        )

    def _wrote(self, msg: object, args: tuple[object, ...]) -> bool:
        """Write a line; False if that failed, which the ordinary way meets again and reports."""
        try:
            now = time.time()
            storage = getSite()["datacenter"].storage
            user = current_user()
            text = str(msg)
            if args:
                # As `logging.LogRecord`: a mapping alone fills names.
                if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
                    text %= args[0]
                else:
                    text %= args
            known, path = self._place
            if storage != known:
                path = os.path.join(storage, "logs", self.filename)
                self._place = (storage, path)
            # All that decides what is around the message, but for the time.
            formatter = self._own_formatter
            deciding = (
                user,
                logging.getLevelName(logging.INFO),
                formatter.datefmt,
                formatter.converter,
                formatter.default_time_format,
                formatter.default_msec_format,
            )
            begin, end, zone, decided, before, after = self._made
            # The zone by identity: others may have the same names.
            if not (begin <= now < end and zone is time.tzname and decided == deciding):
                before, after = self._make_around(now, deciding)
            write_line(path, f"{before}{text!s}{after}{_run_mark.get()}")
        except Exception:
            return False
        return True

    def _make_around(self, now: float, deciding: tuple[Any, ...]) -> tuple[str, str]:
        """Make what is around the message, for all lines of a millisecond.

        An import logs some twenty in that time.
        """
        zone = time.tzname
        second = int(now)
        milliseconds = int((now - second) * 1000)
        moment: Any = SimpleNamespace(created=now, msecs=float(milliseconds))
        user, level, datefmt, *_ = deciding
        fields = {
            "asctime": self._own_formatter.formatTime(moment, datefmt),
            "levelname": level,
            "user": user,
        }
        before, after = (part % fields for part in self._around)
        # It ends a microsecond early: no float of the next millisecond is below that.
        end = second + (milliseconds + 1) / 1000 - 1e-6
        self._made = _Made(now, end, zone, deciding, before, after)
        return before, after


@lru_cache(maxsize=1024)
def _full_name(logger_name: str, sitename: str) -> str:
    return Template(logger_name).safe_substitute(sitename=sitename)


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
        sitename = getattr(getSite(), "__name__", None)
        if not sitename:
            return self._python_logger()
        # Without the lock of `logging.getLogger`, which costs more than all the rest.
        found = logging.Logger.manager.loggerDict.get(_full_name(self.logger_name, sitename))
        if isinstance(found, logging.Logger) and self._is_set_up(found):
            return found
        logger = self._python_logger()
        with _setup_lock:
            if not self._is_set_up(logger):
                self.logger_setup(logger)
        return logger

    def _python_logger(self) -> logging.Logger:
        sitename = getattr(getSite(), "__name__", None)
        if not sitename:
            return logging.getLogger(self.logger_name.replace(".${sitename}", ""))
        return logging.getLogger(_full_name(self.logger_name, sitename))

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
        handler = _SiteHandler(self.logger_filename, self.logger_format_str, logger)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if type(logger) is logging.Logger:  # a class of another program may do more in its `info`
            logger.info = handler.info  # type: ignore[method-assign]
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
    vars(logger).pop("info", None)
