"""Names that a kind defines, and that are nearly those of hooks: perhaps nobody asks for them.

A hook with a misspelt name is silent, for the base has its own.  What a kind's own module uses is
a helper of it, however alike the names are, and is passed over.
"""

import inspect
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from zope.interface import Interface, implementedBy

log = logging.getLogger(__name__)

#: How alike two names are that are taken for the same (0 to 1).
LIKENESS = 0.85
#: Shorter names are alike by chance, such as key and keys.
SHORTEST = 6

#: What was told; a base of several kinds is told once.
_told: set[tuple[str, str]] = set()


class Misspelt(NamedTuple):
    """The class that is called `owner` defines `name`; perhaps `hook` is meant."""

    owner: str
    name: str
    hook: str


def warn_of_misspelt_hooks(cls: type, base: type) -> None:
    """Log a warning, once, for each name of a class that is nearly one of its `base`."""
    for found in misspelt_hooks(cls, base):
        if found[:2] not in _told:
            _told.add(found[:2])
            log.warning(
                "%s.%s: the portal asks for no such thing, and nothing in the module uses it. "
                "Perhaps %s is meant: correct the name, or choose one that is less like it.",
                *found,
            )


def misspelt_hooks(cls: type, base: type) -> Iterator[Misspelt]:
    """Generate the names that are nearly those of `base`, and that no base or interface knows.

    They are those of `cls` and of its own bases, up to `base`.  Classes without a source are
    passed over: nobody could tell what is used there.
    """
    hooks = {_plain(name): name for name in dir(base) if _is_public(name)}
    known = {name for iface in implementedBy(cls).flattened() for name in iface.names()}
    known.update(dir(base), *(dir(one) for one in cls.__mro__ if _is_tool(one)))
    for owner in cls.__mro__:
        if owner in base.__mro__ or _is_tool(owner):
            continue
        for name, member in vars(owner).items():
            if name in known or not _is_public(name) or hasattr(member, "kofa_declares"):
                continue
            hook = _nearest(name, hooks)
            if hook is not None and _is_unused(name, owner):
                yield Misspelt(f"{owner.__module__}.{owner.__qualname__}", name, hook)


def _nearest(name: str, hooks: dict[str, str]) -> str | None:
    plain = _plain(name)
    if len(plain) < SHORTEST:
        return None
    found = get_close_matches(plain, hooks, n=1, cutoff=LIKENESS)
    return hooks[found[0]] if found else None


def _is_public(name: str) -> bool:
    # What directives of Grok say is kept under names with dots.
    return name.isidentifier() and name[:1] != "_"


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def _is_tool(cls: Any) -> bool:
    """Tell whether a class comes from what portals are made with."""
    return cls in (object, Interface) or cls.__module__.partition(".")[0] in (
        "zope",
        "grok",
        "grokcore",
        "persistent",
    )


def _is_unused(name: str, owner: type) -> bool:
    """Tell whether the module of a class does nothing with a name but define it."""
    try:
        source = inspect.getsource(sys.modules[owner.__module__])
    except (KeyError, OSError, TypeError):
        return False
    uses: Iterable[str] = re.findall(rf"^.*\b{name}\b.*$", source, re.MULTILINE)
    # Who calls its base by the wrong name has been called by nobody.
    defined = re.compile(rf"\s*(?:def {name}\(|{name}\b[^=]*=[^=])|.*\bsuper\(\)\.{name}\b")
    return all(defined.match(line) for line in uses)
