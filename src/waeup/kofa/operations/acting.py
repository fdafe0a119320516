"""The person behind all operations: rights, and the log."""

from typing import Any

import transaction
from zope.security.management import getSecurityPolicy

from waeup.kofa import jobs
from waeup.kofa.errors import NotAllowed
from waeup.kofa.logger import deferred_lines
from waeup.kofa.permissions import get_role_titles_for

MANAGE = "waeup.manageDataCenter"
#: Who has this permission may fetch passwords of others, which are hashes.
SECRETS = "waeup.manageUsers"


class Acting:
    """One person in one portal; see `waeup.kofa.operations.Operations`."""

    def __init__(self, site: Any, principal: Any) -> None:
        self.site = site
        self.principal = principal
        self.datacenter = site["datacenter"]

    def may(self, permission: str) -> bool:
        """Tell whether the person has a permission in the portal."""
        # A new interaction each time: one remembers its answers.
        interaction = getSecurityPolicy()(jobs.Participation(self.principal))
        return bool(interaction.checkPermission(permission, self.site))

    def _require(self, permission: str) -> None:
        if not self.may(permission):
            roles = " or ".join(get_role_titles_for(permission)) or "that has it"
            raise NotAllowed(
                f"You ({self.principal.id}) lack the permission {permission}. Ask the "
                f"administrator of the portal for the role {roles}."
            )

    def _log(self, message: str, *args: Any, component: Any = None) -> None:
        """Log what the person does, once the transaction has made it true."""
        with deferred_lines(transaction.manager):
            (component or self.datacenter).logger.info(message, *args)
