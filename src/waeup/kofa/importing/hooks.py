"""What the row engine and the hooks of a processor agree on.

Which hooks a site has overridden (the base's own have a quicker way), the row that
hooks are given, and which exceptions are errors of a row.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from transaction.interfaces import TransientError
from ZODB.POSException import POSError
from zope.interface import Invalid

from waeup.kofa.errors import DuplicationError, FatalCSVError, Fault, KofaError, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.atfault import site_code_at_fault

#: What an import can do; ``upsert`` updates what exists, and creates what does not.
CREATE, UPDATE, REMOVE, UPSERT = "create", "update", "remove", "upsert"
MODES = (CREATE, UPDATE, REMOVE, UPSERT)

#: Not errors of a row, whatever hook they come through: the import must stop.
FAULTS = (TransientError, POSError, Fault, OSError, MemoryError)
#: Mistakes of code, whose texts are for its developer.
MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    RecursionError,
    TypeError,
)
#: Clients of databases, whose errors ZODB passes on as they are; they need not be installed.
CLIENTS = frozenset(("psycopg2", "psycopg"))

_Method = TypeVar("_Method", bound=Callable[..., Any])


def default(method: _Method) -> _Method:
    """Mark a hook of the base class, for which the engine may go a shorter way."""
    method.is_default = True  # type: ignore[attr-defined]
    return method


def overridden(processor: Any, name: str) -> bool:
    """Tell whether a site has overridden the hook `name` that the base marks as default."""
    return not getattr(getattr(processor, name), "is_default", False)


def undefined(component: Any, hook: str, does: str) -> NotImplementedError:
    """Return the error of a hook that a kind has to define itself, and has not.

    `does` says, with the words that follow "it", what the hook has to do.
    """
    cls = type(component)
    return NotImplementedError(
        f"method not implemented: {cls.__module__}.{cls.__qualname__} has to define {hook}; it "
        f"{does}."
    )


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


def is_fault(exc: BaseException) -> bool:
    """Tell whether an exception is not the error of a row, nor of an object, but a fault."""
    if isinstance(exc, FAULTS):
        # NotAllowed is an OSError, too; but who refuses something means this row.
        return not isinstance(exc, Refused)
    return not CLIENTS.isdisjoint(cls.__module__.partition(".")[0] for cls in type(exc).__mro__)


def row_error(exc: Exception) -> str:
    """Return the reason that people read for an exception of a hook; raise a fault again.

    The forms for errors of schemas, keys and duplicates are those of Kofa 1.9; a mistake of the
    code of a site names the code, so that its developer can be told.
    """
    if is_fault(exc):
        raise exc
    if isinstance(exc, DuplicationError):
        return english(exc.msg)
    text = _text_of(exc)
    if isinstance(exc, Invalid):
        return f"{type(exc).__name__}: {text}"
    if isinstance(exc, KeyError) and exc.args and _is_message(exc.args[0]):
        return english(exc.args[0])
    if isinstance(exc, (ValueError, FatalCSVError)) and text:
        return text
    reason = f"{type(exc).__name__}: {text}" if text else type(exc).__name__
    if not isinstance(exc, MISTAKES) or isinstance(exc, KofaError):
        return reason
    code = site_code_at_fault(exc)
    if code is None:
        return reason
    mapping = {"reason": reason, "code": code}
    return english(_("${reason} (the code ${code} failed: tell its developer)", mapping=mapping))


def _is_message(key: Any) -> bool:
    """Tell whether a `KeyError` was given words, and not what was looked up."""
    return isinstance(key, str) and " " in key.strip()


def _text_of(exc: Exception) -> str:
    """Return what an exception says; '' for one of a site that cannot say it."""
    try:
        return str(exc)
    except Exception:
        return ""
