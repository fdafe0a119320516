"""The logs of processes, for their operator: lines for people or JSON for programs.

In a file each process has one of its own, ``portal.log`` or ``worker.log``; where several run in
one instance directory the second one has ``portal-2.log``, and so on.  In a container, or under a
supervisor that keeps logs, they go to stderr.

There are no queries, forms and cookies in them.
"""

import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

#: A log file begins anew at this size in bytes, and so many old ones are kept.
SIZE, BACKUPS = 10 * 1024 * 1024, 5
#: Attributes of records that become values of JSON, by their names there.
EXTRA = ("method", "path", "status", "seconds")
#: The user of what nobody asked for.
NOBODY = "system"


@contextmanager
def kept(
    folder: Path, program: str, *, as_json: bool = False, to_stderr: bool = False
) -> Iterator[None]:
    """Keep what libraries and the portal tell, from INFO on, for the time of a block.

    `program` is the name of the file without its end, or what entries on stderr are told by.
    """
    with _handler(folder, program, to_stderr) as handler:
        handler.setFormatter(JsonLines(program) if as_json else _lines())
        root = logging.getLogger()
        former = root.level
        root.setLevel(logging.INFO)
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(former)
            handler.close()


@contextmanager
def _handler(folder: Path, program: str, to_stderr: bool) -> Iterator[logging.Handler]:
    if to_stderr:
        yield logging.StreamHandler(sys.stderr)
        return
    with _own_name(folder, program) as name:
        yield _Followed(
            folder / f"{name}.log",
            maxBytes=SIZE,
            backupCount=BACKUPS,
            encoding="utf-8",
            delay=True,
            errors="backslashreplace",
        )


class _Followed(RotatingFileHandler):
    """Writes into the file that has the name, also when somebody has renamed or removed one."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """See `RotatingFileHandler`."""
        if self.stream is not None and not self._is_there(self.stream.fileno()):
            self.stream.close()
            # It is opened again by whoever needs it.
            self.stream = None
        return bool(super().shouldRollover(record))

    def _is_there(self, number: int) -> bool:
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(number))
        except FileNotFoundError:
            return False
        except OSError:
            # The open file is good all the same.
            return True


@contextmanager
def _own_name(folder: Path, program: str) -> Iterator[str]:
    """Give the first name that no other process has; two would rotate each other's files away."""
    for number in count(1):
        name = program if number == 1 else f"{program}-{number}"
        # The system releases what a dead process held.
        held = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            continue
        try:
            yield name
        finally:
            os.close(held)
        return


def _lines() -> logging.Formatter:
    return logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")


class JsonLines(JsonFormatter):
    """Writes an entry as an object of JSON in one line, the time first.

    `program` tells processes of a machine apart, with the number of the process.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """See `JsonFormatter`."""
        from waeup.kofa.journal import reference_of
        from waeup.kofa.logger import current_run, current_user

        message, user = record.getMessage(), current_user()
        time = datetime.fromtimestamp(record.created, timezone.utc)
        found = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "program": self._program,
            "process": record.process,
            "reference": reference_of(message),
            "run": current_run(),
            "user": user if user != NOBODY else "",
            **{name: getattr(record, name, None) for name in EXTRA},
            "exception": message_dict.get("exc_info"),
        }
        log_data.update((name, value) for name, value in found.items() if value not in (None, ""))
