"""What a row of a table means for accounts; names and messages are those of Kofa 1.9."""

from collections.abc import Mapping
from typing import Any

from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.logger import current_user
from waeup.kofa.permissions import get_waeup_role_names
from waeup.kofa.users.interfaces import IUserAccount


class UserProcessor(ContainerProcessor):
    """Imports accounts.

    A column of passwords may hold passwords or hashes; only hashes are kept.
    """

    name = "User Processor"
    util_name = "userprocessor"
    iface = IUserAccount
    factory_name = "waeup.UserAccount"
    container = "users"
    key = "name"
    permission = "waeup.manageUsers"

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

    def checkRemoveRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`; nobody shuts himself out by a file."""
        if obj.name == current_user():
            return "You cannot remove your own account. Let another administrator do it."
        return None

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`."""
        changes = super().updateEntry(obj, row, site, filename)
        site["users"].logger.info(
            "%s - %s - %s - updated: %s", self.name, filename, obj.name, changes
        )
        return changes

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        super().delEntry(row, site)
        site["users"].logger.info("%s - %s - User removed", self.name, row["name"])
