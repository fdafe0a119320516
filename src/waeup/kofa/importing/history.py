"""What an object itself knows of its past: which row of which run has done what to it, and when.

An object that a run changes is written anyway, and its marks are written with it, in the same
transaction: nothing else is kept in order, and nothing is left of what is aborted.  A mark says
where to look (`waeup.kofa.jobs.history`): what the row has changed is in the undo record of its
run.

Marks are packed into one attribute of the object, of which watchers, exports and undos know
nothing.  Its form, and this module's, is a database format.
"""

import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from persistent import Persistent

from waeup.kofa.importing.effects import MARKS
from waeup.kofa.importing.report import CREATED, REMOVED, UPDATED

#: What an undo has done to an object: brought it back, or changed it back.
RETURNED, RESTORED = "returned", "restored"
#: Marks that an object keeps: its first one, and the newest.
MOST = 100

#: Operation, run, number of the row, seconds since the epoch.  A capital in front of all says that
#: the marks behind the first one were too many.
_MARK = struct.Struct(">c8sII")
_LETTERS = {CREATED: b"c", UPDATED: b"u", REMOVED: b"r", RETURNED: b"b", RESTORED: b"t"}
_OPERATIONS = {letter: operation for operation, letter in _LETTERS.items()}
_LAST_SECOND = _LAST_ROW = 2**32 - 1

#: Marks an object: takes the object, what was done to it, and the number of the row.
Marker = Callable[[Any, str, int], None]


class Mark(NamedTuple):
    """One thing that was done to an object.

    `operation` is ``created``, ``updated``, ``removed``, ``returned`` or ``restored``; `run` is
    the id of a run, `row` the number of a source row of the import (also in the mark of an undo:
    that of the row that was taken back), `time` seconds since the epoch.
    """

    operation: str
    run: str
    row: int
    time: int


def marker(run: str) -> Marker:
    """Return what marks the objects that a run changes, in the transaction under way.

    Objects that cannot be marked, or not kept with a mark, are passed over.  `run` is the id of
    the run, 16 hexadecimal digits.
    """
    id, pack = bytes.fromhex(run), _MARK.pack

    def mark(obj: Any, operation: str, row: int) -> None:
        # Of all other objects, nobody knows whether and how they are kept.
        if not isinstance(obj, Persistent) or not hasattr(obj, "__dict__"):
            return
        # Also when the object has been put aside meanwhile, with a savepoint.
        obj._p_activate()
        obj._p_changed = True
        second = min(int(time.time()), _LAST_SECOND)
        state = obj.__dict__
        marks = state.get(MARKS, b"") + pack(_LETTERS[operation], id, min(row, _LAST_ROW), second)
        if len(marks) > MOST * _MARK.size:
            marks = marks[:1].upper() + marks[1 : _MARK.size] + marks[2 * _MARK.size :]
        state[MARKS] = marks

    return mark


def marks_of(obj: Any) -> list[Mark]:
    """Return the marks of an object, the oldest first; loads it."""
    return [
        Mark(_OPERATIONS[letter.lower()], run.hex(), row, second)
        for letter, run, row, second in _MARK.iter_unpack(_packed(obj))
    ]


def is_cut(obj: Any) -> bool:
    """Tell whether an object had more marks, behind the first one, than it keeps."""
    return _packed(obj)[:1].isupper()


def _packed(obj: Any) -> bytes:
    if not isinstance(obj, Persistent):
        return b""
    obj._p_activate()
    marks: bytes = getattr(obj, "__dict__", {}).get(MARKS, b"")
    return marks
