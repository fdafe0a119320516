"""What a row of a table means for accounts; names and messages are those of Kofa 1.9."""

from collections.abc import Mapping
from typing import Any

from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.logger import current_user
from waeup.kofa.permissions import ADMINISTRATOR, get_waeup_role_names, roles_beyond_actor
from waeup.kofa.rights import MANAGE_USERS
from waeup.kofa.users.interfaces import IUserAccount


class UserProcessor(ContainerProcessor):
    """Imports accounts.

    A column of passwords may hold passwords or hashes; only hashes are kept.
    """

    name = _("User Processor")
    util_name = "userprocessor"
    about = _("The accounts of officers, with their roles.")
    iface = IUserAccount
    factory_name = "waeup.UserAccount"
    container = "users"
    key = "name"
    permission = MANAGE_USERS
    scope = "users"

    def checkConversion(
        self, row: Mapping[str, str], mode: str = "ignore", ignore_empty: bool = True
    ) -> tuple[list[tuple[str, str]], list[str], dict[str, Any]]:
        """See `IBatchProcessor`; a role must be one that the portal has registered.

        Roles of other packages (``zope.Manager``) cannot be given by a file.
        """
        errors, invariant_errors, values = super().checkConversion(row, mode, ignore_empty)
        roles = values.get("roles")
        if roles:
            known = get_waeup_role_names()
            unknown = [role for role in roles if role not in known]
            if unknown:
                message = f"invalid role: {', '.join(unknown)}. Roles are {', '.join(known)}."
                return [*errors, ("roles", message)], invariant_errors, {}
        return errors, invariant_errors, values

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`; nobody gives a right that he does not have."""
        return _cannot_give(row, site)

    def checkUpdateRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`; nobody gives a right that he lacks, or shuts himself out."""
        if obj.name == current_user():
            if row.get("suspended") is True:
                return english(
                    _("You cannot suspend your own account. Let another administrator do it.")
                )
            if row.get("password", "") is None:
                return english(
                    _("You cannot take the password from your own account. Let another do it.")
                )
            roles = row.get("roles")
            if isinstance(roles, list) and not set(obj.roles) <= set(roles):
                return english(
                    _("You cannot take roles from your own account. Let another do it.")
                )
        return (
            _cannot_change(obj, site)
            or _cannot_give(row, site)
            or (_cannot_go(obj, site) if _takes_administrator(row) else None)
        )

    def checkRemoveRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`; nobody shuts himself out by a file."""
        if obj.name == current_user():
            return english(
                _("You cannot remove your own account. Let another administrator do it.")
            )
        return _cannot_change(obj, site) or _cannot_go(obj, site)

    def checkUndo(self, obj: Any, values: Mapping[str, Any] | None, site: Any) -> str | None:
        """See `IBatchProcessor`; an undo may do what its person may do by a file, and no more."""
        if values is None:
            return self.checkRemoveRequirements(obj, {}, site)
        row = dict(values)
        return _cannot_give(row, site) or self.checkUpdateRequirements(obj, row, site)

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`; sessions of who is suspended do not live again later."""
        if row.get("suspended") is True and not obj.suspended:
            obj.ended_sessions += 1
        changes = super().updateEntry(obj, row, site, filename)
        site["users"].logger.info(
            "%s - %s - %s - updated: %s", self.name, filename, obj.name, changes
        )
        return changes

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        super().delEntry(row, site)
        site["users"].logger.info("%s - %s - User removed", self.name, row["name"])


def _takes_administrator(values: Mapping[str, Any]) -> bool:
    """Tell whether with these values an account would not be one of an administrator any more."""
    roles = values.get("roles", [ADMINISTRATOR])
    takes_role = roles is None or (isinstance(roles, list) and ADMINISTRATOR not in roles)
    takes_password = values.get("password", "") is None
    return takes_role or takes_password or values.get("suspended") is True


def _cannot_go(account: Any, site: Any) -> str | None:
    """Say why an administrator must stay, if that is so."""
    if account.name not in site["users"]:
        return None
    try:
        site["users"].lose_administrator(account)
    except Refused as refusal:
        return str(refusal)
    return None


def _cannot_give(row: dict[str, Any], site: Any) -> str | None:
    roles = row.get("roles")
    beyond = roles_beyond_actor(roles, site) if isinstance(roles, list) else []
    return (
        english(_("roles: You lack rights of ${beyond}.", mapping={"beyond": ", ".join(beyond)}))
        if beyond
        else None
    )


def _cannot_change(account: Any, site: Any) -> str | None:
    beyond = roles_beyond_actor(account.roles, site)
    return (
        english(
            _(
                "The account has rights that you lack (${beyond}).",
                mapping={"beyond": ", ".join(beyond)},
            )
        )
        if beyond
        else None
    )
