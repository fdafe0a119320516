"""The person behind all operations: rights, and the log."""

from typing import Any

import transaction
from zope.security.management import getSecurityPolicy

from waeup.kofa import jobs
from waeup.kofa.errors import NotAllowed
from waeup.kofa.i18n import Listing
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.logger import deferred_lines, in_run
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
            roles = Listing(get_role_titles_for(permission) or [_("that has it")], _(" or "))
            raise NotAllowed(
                _(
                    "You (${id}) lack the permission ${permission}. Ask the administrator of "
                    "the portal for the role ${roles}.",
                    mapping={"id": self.principal.id, "permission": permission, "roles": roles},
                )
            )

    def _log(self, message: str, *args: Any, component: Any = None) -> None:
        """Log what the person does, once the transaction has made it true."""
        with deferred_lines(transaction.manager):
            (component or self.datacenter).logger.info(message, *args)

    def _log_run(self, message: str, run: jobs.Run) -> None:
        """Log what the person does with a run: `message` takes its kind and its file."""
        with in_run(run.id):
            self._log(message, run.order.kind, run.order.file)
