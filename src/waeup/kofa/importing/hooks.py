"""What the row engine and the hooks of a processor agree on.

Which hooks a site has overridden (the base's own have a quicker way), the row that
hooks are given, and which exceptions are errors of a row.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from transaction.interfaces import TransientError
from ZODB.POSException import POSError
from zope.interface import Invalid

from waeup.kofa.errors import DuplicationError, Fault, Refused
from waeup.kofa.i18n import english

#: What an import can do; ``upsert`` updates what exists, and creates what does not.
CREATE, UPDATE, REMOVE, UPSERT = "create", "update", "remove", "upsert"
MODES = (CREATE, UPDATE, REMOVE, UPSERT)

#: Not errors of a row, whatever hook they come through: the import must stop.
FAULTS = (TransientError, POSError, Fault, OSError, MemoryError)

_Method = TypeVar("_Method", bound=Callable[..., Any])


def default(method: _Method) -> _Method:
    """Mark a hook of the base class, for which the engine may go a shorter way."""
    method.is_default = True  # type: ignore[attr-defined]
    return method


def overridden(processor: Any, name: str) -> bool:
    """Tell whether a site has overridden the hook `name` that the base marks as default."""
    return not getattr(getattr(processor, name), "is_default", False)


class HookRow(dict[str, Any]):
    """The row that hooks are given: a dict that remembers what was found for it.

    `found` is None unless the row is being applied.
    """

    __slots__ = ("found",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.found: dict[str, Any] | None = None


def once(row: dict[str, Any], what: str, find: Callable[..., Any], *args: Any) -> Any:
    """Return ``find(*args)``; for one row of an import it is called once for each `what`.

    A plain dict, as a test hands it to a hook, remembers nothing.
    """
    found = getattr(row, "found", None)
    if found is None:
        return find(*args)
    if what not in found:
        found[what] = find(*args)
    return found[what]


def row_error(exc: Exception) -> str:
    """Return the reason that people read for an exception of a hook; raise a fault again.

    The forms for errors of schemas, keys and duplicates are those of Kofa 1.9.
    """
    # NotAllowed is an OSError, too; but who refuses something means this row.
    if isinstance(exc, FAULTS) and not isinstance(exc, Refused):
        raise exc
    if isinstance(exc, DuplicationError):
        return english(exc.msg)
    if isinstance(exc, Invalid):
        return f"{type(exc).__name__}: {exc}"
    if isinstance(exc, KeyError) and exc.args:
        return english(exc.args[0])
    text = str(exc)
    if isinstance(exc, ValueError) and text:
        return text
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
