"""Roles of people on single objects of the academic tree, as a column of a table.

The form and the messages are those of Kofa 1.9: a list of dicts with the keys
``user_name`` and ``local_role``.
"""

from typing import Any

from zope.securitypolicy.interfaces import Allow, IPrincipalRoleManager

from waeup.kofa.conversion import parse_list
from waeup.kofa.errors import ConversionError
from waeup.kofa.interfaces import DELETION_MARKER
from waeup.kofa.permissions import get_waeup_roles

#: The column.
LOCAL_ROLES = "local_roles"
#: Roles that are meant for single objects begin with this.
_LOCAL = "waeup.local."

Roles = list[tuple[str, str]]


def roles_from_cell(text: str, site: Any) -> tuple[Roles, str | None]:
    """Return pairs of user and role, and a message when something is wrong with `text`.

    The deletion marker means no roles.  Users must have an account in `site`, and
    roles must be registered ones for single objects.
    """
    if text.strip() == DELETION_MARKER:
        return [], None
    try:
        # In brackets any literal can be parsed, also one that is no list.
        items = parse_list(f"[{text}]")
    except ConversionError:
        return [], "Error"
    if len(items) != 1 or not isinstance(items[0], list):
        return [], "no list"
    allowed = {role.id for role in get_waeup_roles(also_local=True) if role.id.startswith(_LOCAL)}
    roles: Roles = []
    for item in items[0]:
        if not isinstance(item, dict):
            return [], "no dicts"
        if "user_name" not in item or "local_role" not in item:
            return [], "user_name or local_role missing"
        user, role = item["user_name"], item["local_role"]
        if not isinstance(role, str) or role not in allowed:
            return [], f"{role} not allowed"
        if not isinstance(user, str) or user not in site["users"]:
            return [], f"{user} does not exist"
        roles.append((user, role))
    return roles, None


def roles_to_cell(roles: Roles) -> str:
    """Return the cell that `roles_from_cell` reads; an empty one for no roles."""
    items = [{"user_name": user, "local_role": role} for user, role in roles]
    return repr(items) if items else ""


def local_roles(obj: Any) -> Roles:
    """Return pairs of user and role: the local roles on `obj`."""
    # Without zope.securitypolicy, as in unit tests, roles mean nothing.
    manager = IPrincipalRoleManager(obj, None)
    settings = set() if manager is None else _local_settings(manager)
    return sorted((user, role) for user, role, setting in settings if setting == Allow)


def replace_local_roles(obj: Any, roles: Roles) -> str:
    """Let `roles` be all local roles on `obj`; return what changed, for a log line.

    Other roles on the object, which no table can give, stay as they are.
    """
    if not roles and IPrincipalRoleManager(obj, None) is None:
        return ""
    manager = IPrincipalRoleManager(obj)
    former = _local_settings(manager)
    if former == {(user, role, Allow) for user, role in roles}:
        return ""
    for user, role, _ in former:
        manager.unsetRoleForPrincipal(role, user)
    for user, role in roles:
        manager.assignRoleToPrincipal(role, user)
    return f"{LOCAL_ROLES}=" + ("; ".join(f"{user}|{role}" for user, role in roles) or "none")


def _local_settings(manager: Any) -> set[tuple[str, str, Any]]:
    return {
        (user, role, setting)
        for role, user, setting in manager.getPrincipalsAndRoles()
        if role.startswith(_LOCAL)
    }
