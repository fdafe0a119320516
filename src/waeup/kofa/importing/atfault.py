"""Names the code of a site that an exception comes from, or that does not come back."""

import io
import pickle
import sys
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any

from persistent import Persistent

#: What anybody calls, and what calls subscribers.
_TOOLS = frozenset(("", "zope", "grok", "grokcore", *sys.stdlib_module_names))
#: Packages whose code is not that of a site.
_BETWEEN = _TOOLS | {
    "transaction",
    "ZODB",
    "ZEO",
    "BTrees",
    "persistent",
    "relstorage",
    "psycopg",
    "psycopg2",
}
_OWN = "waeup.kofa."
#: Code of this package that is what a site could have.
_AS_OF_SITES = tuple(f"{_OWN}{room}." for room in ("tests", "students", "university", "users"))


def code_at_fault(error: BaseException) -> str:
    """Return the dotted name of the code that an unexpected exception comes from.

    That is the code of a site which was called, whatever it has called itself; without such code
    it is the last of this package that was at work.
    """
    name = site_code_at_fault(error)
    if name is not None:
        return name
    frames = list(_frames(error))
    own = [frame for frame in frames if f"{module_of(frame)}.".startswith(_OWN)]
    names = [name_of(frame) for frame in (own or frames)[-1:]]
    return names[0] if names else type(error).__name__


def site_code_at_fault(error: BaseException) -> str | None:
    """Return the dotted name of the code of a site that was called, or None."""
    found = (frame for frame in _frames(error) if _is_of_site(module_of(frame)))
    return next(map(name_of, found), None)


def site_code_in(frames: Iterable[FrameType]) -> str | None:
    """Return the dotted name of the code of a site that was called; the last call comes first."""
    found = [frame for frame in frames if _is_of_site(module_of(frame))]
    return name_of(found[-1]) if found else None


def unstorable(error: BaseException) -> str | None:
    """Return what could not be stored, where an exception says that: a class, and its attributes.

    None for an exception that says anything else.  It comes from the end of a transaction, where
    no code of a site is called any more.
    """
    for frame in _frames(error):
        if (module_of(frame), frame.f_code.co_name) == ("ZODB.serialize", "serialize"):
            obj = frame.f_locals.get("obj")
            cls = f"{type(obj).__module__}.{type(obj).__qualname__}"
            names = [name for name, value in vars(obj).items() if not can_be_stored(value)]
            return f"{cls} ({', '.join(names)})" if names else cls
    return None


class _Pickler(pickle.Pickler):
    """Writes a value without the persistent objects that it refers to."""

    def persistent_id(self, obj: Any) -> str | None:
        return "persistent" if isinstance(obj, Persistent) else None


def can_be_stored(value: Any) -> bool:
    """Tell whether a database can store a value in the record of an object."""
    try:
        _Pickler(io.BytesIO(), 3).dump(value)
    except Exception:
        return False
    return True


def is_of_site(error: BaseException) -> bool:
    """Tell whether code of a site has met an error, and not what of the portal it has called.

    The database is none of the site's, although it is called by each access to an object.
    """
    modules = [module_of(frame) for frame in _frames(error)]
    met = [name for name in modules if name.partition(".")[0] not in _TOOLS]
    return bool(met) and _is_of_site(met[-1])


def _is_of_site(module: str) -> bool:
    if f"{module}.".startswith(_AS_OF_SITES):
        return True
    return module.partition(".")[0] not in _BETWEEN and not f"{module}.".startswith(_OWN)


def _frames(error: BaseException) -> Iterable[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def module_of(frame: FrameType) -> str:
    """Return the dotted name of the module whose code is called."""
    return str(frame.f_globals.get("__name__", ""))


def name_of(frame: FrameType) -> str:
    """Return the dotted name of a function, or of a method of the class that its object has."""
    code: CodeType = frame.f_code
    owner = frame.f_locals.get("self") if code.co_varnames[:1] == ("self",) else None
    if owner is None:
        return f"{module_of(frame)}.{code.co_name}"
    return f"{type(owner).__module__}.{type(owner).__qualname__}.{code.co_name}"
