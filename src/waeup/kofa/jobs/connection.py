"""The portal on a connection of its own: what a run works with.

Apart from the connection of whoever asked for the run, and in the name of the
person who did.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transaction
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set
from zope.security.management import endInteraction, newInteraction
from zope.traversing.api import traverse

from waeup.kofa.permissions import Participation


@contextmanager
def open_portal(db: Any, site_path: str, user: str | None = None) -> Iterator[Any]:
    """Open the portal on a connection of its own, acting as `user` (or nobody)."""
    with connected(db, site_path) as site, site_set(site):
        if user is None:
            yield site
            return
        newInteraction(Participation(getUtility(IAuthentication).getPrincipal(user)))
        try:
            yield site
        finally:
            endInteraction()


def sight_of(obj: Any) -> Any:
    """Return the storage as the connection of a stored object sees it, in its transaction.

    That of the database itself need not see more than there was when the database was opened.
    """
    return obj._p_jar._storage


@contextmanager
def connected(db: Any, site_path: str) -> Iterator[Any]:
    """Give the object at `site_path` on a new connection; what is not committed is dropped."""
    connection = db.open()
    try:
        yield traverse(connection.root()["Application"], site_path)
    finally:
        try:
            transaction.abort()
        finally:
            # Also when the database is away.
            connection.close()
