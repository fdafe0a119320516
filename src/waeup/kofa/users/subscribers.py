"""Keeps the site's role manager in step with the roles of accounts."""

from collections.abc import Iterable
from typing import Any

import grok
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectRemovedEvent,
)
from zope.securitypolicy.interfaces import Allow, IPrincipalRoleManager

from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer


@grok.subscribe(IUserAccount, IObjectAddedEvent)
@grok.subscribe(IUserAccount, IObjectModifiedEvent)
def account_changed(account: Any, event: Any) -> None:
    """Give the principal exactly the roles of the account."""
    _assign(account, account.roles)


@grok.subscribe(IUserAccount, IObjectRemovedEvent)
def account_removed(account: Any, event: Any) -> None:
    """Take all roles from a principal whose account goes."""
    _assign(account, ())


def _assign(account: Any, roles: Iterable[str]) -> None:
    users = account.__parent__
    if not IUsersContainer.providedBy(users):
        return
    # Without zope.securitypolicy, as in unit tests, roles mean nothing.
    manager = IPrincipalRoleManager(users.__parent__, None)
    if manager is None:
        return
    wanted = set(roles)
    settings = dict(manager.getRolesForPrincipal(account.name))
    for role in settings.keys() - wanted:
        manager.unsetRoleForPrincipal(role, account.name)
    for role in wanted:
        if settings.get(role) is not Allow:
            manager.assignRoleToPrincipal(role, account.name)
