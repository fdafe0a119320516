"""Which files in the folder of logs belong together.

A log is a file and its *backups*, made by an external logrotate: ``main.log``,
``main.log.1``, ``main.log.2``, of which the highest number is the oldest.
"""

import os
import re

from waeup.kofa.errors import InvalidName, NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.journal.lines import escape_message

# Payments are nobody's business but the bursary's; so are backups of their log,
# whichever way they are named (``payments.log.1``, ``payments.log-20260131``).
_HIDDEN_PREFIX = "payments.log"

_BACKUP = re.compile(r"(?P<basename>.+)\.(?P<number>[0-9]+)", re.DOTALL)

#: Endings of backups that logrotate has packed: there is no text in them.
PACKED = (".gz", ".bz2", ".xz", ".zst")

_MAX_NAME_BYTES = 255


def check_log_name(name: str) -> str:
    """Return `name`, which came from outside, if it can be the name of a log file.

    Raises `InvalidName` for what is no plain file name, and `NoSuchItem` for a
    log that is not shown.
    """
    if not _is_plain(name):
        raise InvalidName(
            _(
                "${name} is not the name of a log file. Give a plain name such as "
                "'main.log', without folder.",
                mapping={"name": repr(escape_message(name)[:_MAX_NAME_BYTES])},
            )
        )
    if name.startswith(_HIDDEN_PREFIX):
        raise NoSuchItem(
            _(
                "There is no log file ${name} to be shown. Choose one of the list.",
                mapping={"name": repr(name)},
            )
        )
    return name


def _is_plain(name: str) -> bool:
    """Tell whether a name is one without folder, of characters that can be seen."""
    return (
        name != ""
        and not name.startswith(".")
        and "/" not in name
        and "\\" not in name
        and name == escape_message(name)
        and len(name.encode("utf-8")) <= _MAX_NAME_BYTES
    )


def log_names(folder: str, exclude_backups: bool = True) -> list[str]:
    """Return the sorted names of the log files in the folder `folder`.

    A missing folder gives an empty list.  Payments are never listed, backups
    only without `exclude_backups`; nor is what `check_log_name` refuses, such as
    a hidden file that an editor or a network drive has left.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except FileNotFoundError:
        return []
    return sorted(
        name
        for name in names
        if _is_plain(name)
        and not name.startswith(_HIDDEN_PREFIX)
        and not (exclude_backups and _BACKUP.fullmatch(name))
    )


def log_of(name: str) -> str:
    """Return the name of the log that a file is, or is a backup of."""
    backup = _BACKUP.fullmatch(name)
    return backup["basename"] if backup else name


def logfile_series(folder: str, basename: str) -> list[str]:
    """Return the names of the files of one log that there are, oldest first.

    `basename` is the name of the current file, which itself may be missing.
    Raises as `check_log_name`.
    """
    check_log_name(basename)
    current, backups = [], []
    for name in log_names(folder, exclude_backups=False):
        backup = _BACKUP.fullmatch(name)
        if name == basename:
            current.append(name)
        elif backup and backup["basename"] == basename:
            backups.append((int(backup["number"]), name))
    return [name for _, name in sorted(backups, reverse=True)] + current
