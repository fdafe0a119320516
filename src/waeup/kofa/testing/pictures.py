"""What is in a portal, as plain values that can be compared: before and after, here and there."""

import functools
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from BTrees.Length import Length
from persistent import Persistent

from waeup.kofa.importing.effects import CONTENTS, MARKS, activate
from waeup.kofa.interfaces import IDataCenter

#: Place in the portal, or place and name of an attribute -> what is there.
Picture = dict[str, Any]

#: Attributes that are not an object's own business.
_SKIPPED = ("_v_", "_p_", "__parent__", "__name__", "__provides__", CONTENTS, MARKS)
_PLAIN = (str, int, float, bytes, date, time, timedelta, Decimal)
#: Differences that a message lists.
_LISTED = 5


def picture_of(site: Any, more: Callable[[Any], Any] | None = None) -> Picture:
    """Return what is in `site`, but for its data center and its local utilities.

    What has no value is left out: an attribute that is None, or an empty collection.  `more` is
    asked for what belongs to an object and is not among its attributes, and may return None.
    """
    found = _Finder(more)
    for name, obj in site.items():
        if not IDataCenter.providedBy(obj):
            found.visit(obj, name)
    roles = found.plain(getattr(site, "__annotations__", None), site, "")
    if roles is not None:
        found.picture[".__annotations__"] = roles
    return found.picture


def differences(one: Picture, other: Picture) -> str:
    """Return in words what differs between two pictures; nothing if they are the same."""
    names = sorted(
        name
        for name in {*one, *other}
        if name not in one or name not in other or one[name] != other[name]
    )
    texts = [
        f"{name}: {_shown(one, name)} became {_shown(other, name)}" for name in names[:_LISTED]
    ]
    if len(names) > _LISTED:
        texts.append(f"and {len(names) - _LISTED} more")
    return "; ".join(texts)


def _shown(picture: Picture, name: str) -> str:
    text = repr(picture[name]) if name in picture else "nothing"
    return text if len(text) <= 100 else f"{text[:100]}..."


class _Finder:
    """Takes a picture."""

    def __init__(self, more: Callable[[Any], Any] | None) -> None:
        self.picture: Picture = {}
        self._more = more
        # By their ids, which are those of no others as long as the objects are held.
        self._seen: dict[int, Any] = {}

    def visit(self, obj: Any, path: str) -> None:
        """Add an object, its attributes, and what is in it."""
        if id(obj) in self._seen:
            return
        self._seen[id(obj)] = obj
        activate(obj)
        self.picture[path] = type(obj).__name__
        for name, value in list(vars(obj).items()):
            if not name.startswith(_SKIPPED):
                plain = self.plain(value, obj, f"{path}.{name}")
                if plain is not None:
                    self.picture[f"{path}.{name}"] = plain
        more = None if self._more is None else self.plain(self._more(obj), obj, path)
        if more is not None:
            self.picture[f"{path} (extra state)"] = more
        if hasattr(obj, "items"):
            for name, child in list(obj.items()):
                self.visit(child, f"{path}/{name}")

    def plain(self, value: Any, owner: Any, path: str) -> Any:
        """Return a value of `owner` as plain data; None if it is none, or is empty."""
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, Length):
            return value() or None
        place = getattr(value, "__parent__", None)
        if isinstance(value, Persistent) and place is not None and place is not owner:
            # What an index of one's own holds is no state of its owner.
            return None if path.rpartition(".")[2][:1] == "_" else f"-> {_path_of(value)}"
        if isinstance(value, Persistent) and place is owner and hasattr(value, "__name__"):
            self.visit(value, path)
            return None
        plain = functools.partial(self.plain, owner=owner, path=path)
        if isinstance(value, Mapping) or hasattr(value, "items"):
            pairs = {str(name): plain(one) for name, one in value.items()}
            found = {name: one for name, one in sorted(pairs.items()) if one is not None}
            return found or None
        if isinstance(value, list | tuple):
            return [plain(one) for one in value] or None
        if isinstance(value, set | frozenset) or hasattr(value, "has_key"):
            return sorted(repr(plain(one)) for one in value) or None
        if isinstance(value, type) or callable(value) or not hasattr(value, "__dict__"):
            return type(value).__name__
        activate(value)
        parts = {name: plain(one) for name, one in vars(value).items()}
        return {name: one for name, one in sorted(parts.items()) if one is not None} or None


def _path_of(obj: Any) -> str:
    names = []
    while obj is not None and getattr(obj, "__name__", None):
        names.append(str(obj.__name__))
        obj = getattr(obj, "__parent__", None)
    return "/".join(reversed(names))
