"""Keeps roles and tokens in step with accounts."""

from collections.abc import Iterable
from typing import Any

import grok
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectRemovedEvent,
)
from zope.securitypolicy.interfaces import Allow, IPrincipalRoleManager

from waeup.kofa.logger import current_user
from waeup.kofa.tokens import drop_all, revoke_all
from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer
from waeup.kofa.webhooks.outbox import stop_webhooks_of


@grok.subscribe(IUserAccount, IObjectAddedEvent)
@grok.subscribe(IUserAccount, IObjectModifiedEvent)
def account_changed(account: Any, event: Any) -> None:
    """Give the principal exactly the roles of the account."""
    _assign(account, account.roles)


@grok.subscribe(IUserAccount, IObjectRemovedEvent)
def account_removed(account: Any, event: Any) -> None:
    """Take all roles from a principal whose account goes, and all tokens; stop its webhooks.

    One of the same name that comes later, were it the same by an undo, has none of them.
    """
    _assign(account, ())
    users = account.__parent__
    if IUsersContainer.providedBy(users):
        drop_all(users, account.name)
        datacenter = (users.__parent__ or {}).get("datacenter")
        if datacenter is not None:
            stop_webhooks_of(datacenter, account.name)


@grok.subscribe(IUserAccount, IObjectModifiedEvent)
def password_changed(account: Any, event: Any) -> None:
    """Revoke the tokens of an account whose password somebody else has changed by a file."""
    users, by = account.__parent__, current_user()
    changed = {name for each in event.descriptions for name in getattr(each, "attributes", ())}
    if "password" not in changed or by == account.name or not IUsersContainer.providedBy(users):
        return
    for token in revoke_all(users, account.name, by):
        users.logger.info("Token revoked: %s of %s", token.id, account.name)


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
