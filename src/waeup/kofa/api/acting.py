"""The portal for one person: who may act, and whether there is a storage to act on.

The command line and the socket let a person in by the same rules; the HTTP API lets in who has a
token of an account.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.security.management import endInteraction, newInteraction

from waeup.kofa.errors import InvalidStoragePath, NoSuchItem, NotAllowed, UnderMaintenance
from waeup.kofa.maintenance import maintenance_of, may_manage, require_open_command
from waeup.kofa.operations import Operations
from waeup.kofa.permissions import Participation
from waeup.kofa.tokens import Grant


@contextmanager
def acting(site: Any, user: str) -> Iterator[Operations]:
    """Give the operations of `site` to the account `user`, in an interaction of its own.

    Raises `NoSuchItem` when there is no such account, `NotAllowed` when it is suspended, and
    `UnderMaintenance` while the portal is closed for it.
    """
    try:
        principal = getUtility(IAuthentication, context=site).getPrincipal(user)
    except PrincipalLookupError:
        raise NoSuchItem(
            f"There is no account {user!r} in this portal. Name another one with --user; "
            "`kofactl users` lists them."
        )
    account = site["users"].get(user)
    if account is not None and account.suspended:
        raise NotAllowed(f"The account {user!r} is suspended. Name another one with --user.")
    require_open_command(site, principal)
    newInteraction(Participation(principal))
    try:
        yield Operations(site, principal)
    finally:
        endInteraction()


@contextmanager
def acting_by(site: Any, grant: Grant) -> Iterator[Operations]:
    """Give the operations of `site` that a token allows, in an interaction of its own.

    Raises `NotAllowed` when its account has gone in this moment, and `UnderMaintenance` while the
    portal is closed for it.
    """
    try:
        principal = getUtility(IAuthentication, context=site).getPrincipal(grant.user)
    except PrincipalLookupError:
        raise NotAllowed(f"The account {grant.user!r}, whose token this is, has gone.")
    closed = maintenance_of(site)
    if closed is not None and not may_manage(site, principal):
        said = f" {closed.text}" if closed.text else ""
        raise UnderMaintenance(
            f"The portal is closed for a while, and nothing was changed: try again later.{said}"
        )
    newInteraction(Participation(principal))
    try:
        yield Operations(site, principal, grant)
    finally:
        endInteraction()


def require_storage(site: Any) -> None:
    """Raise `InvalidStoragePath` when the data center's files cannot be reached.

    A disk that is not mounted must not look like a data center without files.
    """
    path = site["datacenter"].storage
    if not os.path.isdir(path):
        raise InvalidStoragePath(
            f"The data center keeps its files in {path}, and there is no such folder. "
            "Mount or restore it and repeat the command, or name another folder with "
            "`kofactl storage PATH`."
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidStoragePath(
            f"The data center keeps its files in {path}, which you may not write to. "
            "Correct its rights, or run kofactl as its owner."
        )
