"""Permissions and roles, with the ids and titles of Kofa 1.9.

Roles are given to people at the site, by the `roles` of their accounts; a
permission is asked for by a page and, again, by the operation behind it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import grok
from zope.component import getUtilitiesFor, queryUtility
from zope.security.management import getSecurityPolicy, queryInteraction
from zope.securitypolicy.interfaces import IRole

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.rights import (
    EXPORT_DATA,
    IMPORT_DATA,
    MANAGE_DATA_CENTER,
    MANAGE_PORTAL,
    MANAGE_USERS,
)

#: The role that may do everything.
ADMINISTRATOR = "waeup.PortalManager"


class Public(grok.Permission):
    """For everybody, logged in or not."""

    grok.name("waeup.Public")
    grok.title(_("Public"))


class Anonymous(grok.Permission):
    """Only for those who have not logged in."""

    grok.name("waeup.Anonymous")
    grok.title(_("Anonymous"))


class Authenticated(grok.Permission):
    """For everybody who has logged in."""

    grok.name("waeup.Authenticated")
    grok.title(_("Authenticated"))


class ManageDataCenter(grok.Permission):
    """See, upload and delete the files of the data center."""

    grok.name(MANAGE_DATA_CENTER)
    grok.title(_("Manage data center"))


class ImportData(grok.Permission):
    """Import files."""

    grok.name(IMPORT_DATA)
    grok.title(_("Import data"))


class ExportData(grok.Permission):
    """Export objects as files."""

    grok.name(EXPORT_DATA)
    grok.title(_("Export data"))


class ManagePortal(grok.Permission):
    """Change the settings of the portal."""

    grok.name(MANAGE_PORTAL)
    grok.title(_("Manage portal"))


class ManageUsers(grok.Permission):
    """Make, change and remove accounts."""

    grok.name(MANAGE_USERS)
    grok.title(_("Manage users"))


class DataCenterManager(grok.Role):
    """Brings files."""

    grok.name("waeup.DataCenterManager")
    grok.title(_("Datacenter Manager"))
    grok.permissions(MANAGE_DATA_CENTER)


class ImportManager(grok.Role):
    """Brings files and imports them."""

    grok.name("waeup.ImportManager")
    grok.title(_("Import Manager"))
    grok.permissions(MANAGE_DATA_CENTER, IMPORT_DATA)


class ExportManager(grok.Role):
    """Fetches data."""

    grok.name("waeup.ExportManager")
    grok.title(_("Export Manager"))
    grok.permissions(MANAGE_DATA_CENTER, EXPORT_DATA)


class UsersManager(grok.Role):
    """Cares for accounts."""

    grok.name("waeup.UsersManager")
    grok.title(_("Users Manager"))
    grok.permissions(MANAGE_USERS)


class PortalManager(grok.Role):
    """May do everything."""

    grok.name("waeup.PortalManager")
    grok.title(_("Portal Manager"))
    grok.permissions(
        MANAGE_DATA_CENTER,
        IMPORT_DATA,
        EXPORT_DATA,
        MANAGE_PORTAL,
        MANAGE_USERS,
    )


def get_all_roles() -> list[tuple[str, Any]]:
    """Return pairs (id, role) of all registered roles, sorted by id."""
    return sorted(getUtilitiesFor(IRole), key=lambda pair: pair[0])


def get_waeup_roles(also_local: bool = False) -> list[Any]:
    """Return the portal's own roles, sorted by id.

    With `also_local` those are among them that are meant for single objects
    (``waeup.local.*``) instead of the whole site.
    """
    return [
        role
        for name, role in get_all_roles()
        if name.startswith("waeup.") and (also_local or not name.startswith("waeup.local."))
    ]


def get_waeup_role_names() -> list[str]:
    """Return the ids of the portal's own roles that are meant for the whole site, sorted."""
    return [role.id for role in get_waeup_roles()]


def roles_with(permission: str) -> set[str]:
    """Return the ids of the portal's own roles that hold `permission`."""
    from zope.securitypolicy.rolepermission import rolePermissionManager

    return {
        role_id
        for role_id, setting in rolePermissionManager.getRolesForPermission(permission)
        if role_id.startswith("waeup.") and setting.getName() == "Allow"
    }


def get_role_titles_for(permission: str) -> list[str]:
    """Return the titles of the roles that hold `permission`, sorted.

    For messages that tell people what to ask their administrator for.
    """
    return sorted(queryUtility(IRole, role_id).title for role_id in roles_with(permission))


def permissions_of(role: str) -> list[str]:
    """Return the ids of the permissions that a role holds, sorted."""
    from zope.securitypolicy.rolepermission import rolePermissionManager

    return sorted(
        permission
        for permission, setting in rolePermissionManager.getPermissionsForRole(role)
        if setting.getName() == "Allow"
    )


class Participation:
    """Lets a principal take part in an interaction without a request."""

    interaction = None

    def __init__(self, principal: Any) -> None:
        self.principal = principal


def has_permission(principal: Any, permission: str, site: Any) -> bool:
    """Tell whether somebody has a permission in a portal, at this moment."""
    return bool(new_answers(principal).checkPermission(permission, site))


def new_answers(principal: Any) -> Any:
    """Return an interaction that answers what somebody may, and remembers its answers."""
    return getSecurityPolicy()(Participation(principal))


def roles_beyond(may: Callable[[str], bool], roles: Iterable[str]) -> list[str]:
    """Return those of `roles` that hold a permission which the person lacks.

    `may` tells whether the person has a permission.
    """
    return [role for role in roles if not all(map(may, permissions_of(role)))]


def roles_beyond_actor(roles: Iterable[str], site: Any) -> list[str]:
    """Return those of `roles` that hold a permission which whoever acts lacks in a portal."""
    interaction = queryInteraction()
    if interaction is None:
        # Nobody acts: a test, or a script that has the database in its hands anyway.
        return []
    return roles_beyond(lambda name: interaction.checkPermission(name, site), roles)
