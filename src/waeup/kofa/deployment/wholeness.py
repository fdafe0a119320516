"""What a database holds: nothing, a portal, or a part of one that a copy has left there."""

from typing import Any

from ZODB.serialize import referencesf
from ZODB.utils import load_current, z64

from waeup.kofa.errors import Refused

#: What the root of a ZEO server has as long as it is not whole.
MARK = "waeup.kofa: this copy is not complete"
#: What a database can hold: nothing; a root and nothing else; a part of a copy; something.
EMPTY, BARE, PARTIAL, TAKEN = "empty", "bare", "partial", "taken"


def state_of(storage: Any) -> str:
    """Return what a ZODB storage holds: `EMPTY`, `BARE`, `PARTIAL` or `TAKEN`."""
    try:
        data, _tid = load_current(storage, z64)
    except KeyError:
        return EMPTY
    if MARK.encode() in data:
        return PARTIAL
    return TAKEN if referencesf(data) else BARE


def require_whole(storage: Any, title: str) -> None:
    """Raise `Refused` for a ZODB storage that a copy was broken off in; `title` says where."""
    if state_of(storage) == PARTIAL:
        raise Refused(
            f"{title} holds a part of a portal: a copy to it was broken off. Begin the copy anew "
            "with `kofactl migrate` or `kofactl restore-backup`; what it came from is whole."
        )
