"""All addresses of the HTTP API: those of single operations, and the others."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import unquote

from waeup.kofa.api import events, pages, tus
from waeup.kofa.api.context import Handler
from waeup.kofa.api.matching import Table
from waeup.kofa.api.problems import Refusal
from waeup.kofa.api.route import ROOT, Route
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.tokens import SHAPE

#: All addresses that are no single operations.
HANDLERS: tuple[Handler, ...] = (*pages.HANDLERS, *events.HANDLERS, *tus.HANDLERS)
_BEARER = re.compile(rf"bearer +{SHAPE.pattern}", re.ASCII | re.IGNORECASE)


@cache
def _table() -> Table:
    return Table((*ROUTES, *HANDLERS))


def find(method: str, names: Sequence[str]) -> tuple[Route | Handler, dict[str, str]]:
    """Return what answers at an address, and the variables in it; see `Table.find`."""
    return _table().find(method, names)


def is_own(path: str) -> bool:
    """Tell whether a path, as WSGI has it, is one of the API."""
    return path == ROOT or path.startswith(ROOT + "/")


def path_of(environment: Mapping[str, Any]) -> list[str]:
    """Return the names of a path below `ROOT`; a name may have an encoded slash.

    Raises `Refusal` for bytes that are no UTF-8.
    """
    # The server's own form, where an encoded slash can be told from one that parts names.
    raw = environment.get("REQUEST_URI", "").partition("?")[0]
    try:
        path = environment.get("PATH_INFO", "").encode("latin-1").decode("utf-8")
        names = [unquote(name, errors="strict") for name in raw.split("/")]
        # Not for one in `ROOT`: whoever lets some addresses pass in front of us sees the path.
        if "/".join(names) != path or names[:3] != ROOT.split("/"):
            names = path.split("/")
        return names[3:]
    except UnicodeError:
        raise Refusal("bad-request", "The address is no UTF-8.")


def may_be_large(method: str, path: str, authorization: str) -> bool:
    """Tell whether a request brings a file, and thus may be large, before its body has come.

    `path` is as WSGI has it.  Only with what looks like a token, in the header Authorization.
    """
    if not _BEARER.fullmatch(authorization.strip()):
        return False
    try:
        found, _variables = find(method, path_of({"PATH_INFO": path}))
    except Refusal:
        return False
    return found.takes_file if isinstance(found, Handler) else bool(found.sent)
