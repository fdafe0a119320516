"""The person behind all operations: rights, the log, and the way from names to paths."""

import os
from typing import Any

import transaction
from zope.security.management import getSecurityPolicy

from waeup.kofa import jobs, spool
from waeup.kofa.datacenter import PENDING_SUFFIXES
from waeup.kofa.errors import InvalidName, NoSuchItem, NotAllowed
from waeup.kofa.logger import deferred_lines
from waeup.kofa.permissions import get_role_titles_for

MANAGE = "waeup.manageDataCenter"

#: Folders whose files can be fetched; ``''`` is that of the pending files.
OPEN_FOLDERS = ("", "finished", "unfinished")


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

    def _folder(self, folder: str) -> str:
        if folder not in OPEN_FOLDERS:
            raise InvalidName(
                f"{folder!r} is no folder whose files can be shown. There are: the pending files, "
                "finished, unfinished."
            )
        return os.path.join(self.datacenter.storage, folder)

    def _existing(self, name: str, folder: str = "") -> str:
        """Return the path of an item whose content the person may see.

        Raises `InvalidName`, `NoSuchItem` and `NotAllowed`.
        """
        path = os.path.join(self._folder(folder), spool.check_name(name))
        if not name.endswith(PENDING_SUFFIXES) or not os.path.isfile(path):
            raise NoSuchItem(
                f"There is no file {name!r} (any more). Look at the list of files: it may have "
                "been imported or deleted meanwhile."
            )
        ledger, relative = self.datacenter.ledger, os.path.join(folder, name)
        entry = ledger.entry(relative)
        if entry is None or entry.owner != self.principal.id:
            for permission in ledger.needs(relative):
                self._require(permission)
        return path
