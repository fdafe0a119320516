"""Components with a log file: the mix-in `Logger`, over the room `journal`.

A record finds its file when it is written: the folder ``logs`` in the storage
of the current site's data center.  Nothing needs to be told that a storage
moved, no component can be missed, and the sites of one process do not mix.

Within `deferred_lines` log lines belong to the transaction, like everything
that an import does outside the database: a check, an abort or a retry leaves
no line behind.  Within `in_run` each line names the run that it belongs to.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from string import Template

from zope.component.hooks import getSite
from zope.interface import implementer
from zope.security.management import queryInteraction, system_user

from waeup.kofa.interfaces import ILogger
from waeup.kofa.journal import LINE_FORMAT, deferred_lines, write_line

__all__ = ["RUN_MARK", "Logger", "current_user", "deferred_lines", "in_run"]

#: What stands before the id of its run at the end of a line.
RUN_MARK = " - run="

# Takes what cannot be written into a file of a site; ends, by default, on stderr.
_console = logging.getLogger("waeup.kofa")
_setup_lock = threading.Lock()
_current_run: ContextVar[str] = ContextVar("kofa_current_run", default="")


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
    token = _current_run.set(id)
    try:
        yield
    finally:
        _current_run.reset(token)


def _logdir() -> str | None:
    """Return the path of the current site's folder of logs, or None."""
    try:
        storage = getSite()["datacenter"].storage
    except (AttributeError, KeyError, TypeError):  # no site, or one without data center
        return None
    return os.path.join(storage, "logs")


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
            run = _current_run.get()
            line = self.format(record) + (f"{RUN_MARK}{run}" if run else "")
            write_line(os.path.join(logdir, self.filename), line)
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
