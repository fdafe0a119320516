"""What tokens allow: scopes, each a name for rights that programs may be given.

Both ends of the HTTP API know them; nothing that the portal is made of comes with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.rights import (
    EXPORT_DATA,
    IMPORT_DATA,
    MANAGE_DATA_CENTER,
    MANAGE_PORTAL,
    MANAGE_USERS,
)

#: The permissions of the portal itself; all others are those of kinds of objects.
OWN_PERMISSIONS = frozenset(
    (MANAGE_DATA_CENTER, IMPORT_DATA, EXPORT_DATA, MANAGE_USERS, MANAGE_PORTAL)
)


@dataclass(frozen=True)
class Scope:
    """What a token may allow: a `title`, and in plain words what it is good for.

    It covers `permissions`, and with `covers_kinds` those that kinds of objects ask for by
    themselves.  One that `is_reading` covers them only where nothing is changed.
    """

    title: str
    text: str
    permissions: frozenset[str]
    is_reading: bool = False
    covers_kinds: bool = False

    def covers(self, permission: str) -> bool:
        """Tell whether a permission is among those that the scope is about."""
        return permission in self.permissions or (
            self.covers_kinds and permission not in OWN_PERMISSIONS
        )


#: The scopes by their names, in the order in which people see them.
SCOPES: Mapping[str, Scope] = {
    "read": Scope(
        _("Read"),
        _("Sees and fetches all that you may see, and changes nothing."),
        OWN_PERMISSIONS,
        is_reading=True,
        covers_kinds=True,
    ),
    "files": Scope(
        _("Files"),
        _("Uploads, fetches and deletes files, prepares imports, and reads logs."),
        frozenset((MANAGE_DATA_CENTER,)),
    ),
    "import": Scope(
        _("Imports"),
        _("Uploads files, checks and imports them, and takes imports back."),
        frozenset((MANAGE_DATA_CENTER, IMPORT_DATA)),
        covers_kinds=True,
    ),
    "export": Scope(
        _("Exports"),
        _("Makes exports and fetches them."),
        frozenset((EXPORT_DATA,)),
        covers_kinds=True,
    ),
    "users": Scope(
        _("Accounts"),
        _("Makes, changes, suspends and removes accounts that have no rights beyond the token."),
        frozenset((MANAGE_USERS,)),
    ),
    "portal": Scope(
        _("Portal"),
        _("Changes the settings of the portal and closes it for maintenance."),
        frozenset((MANAGE_PORTAL,)),
    ),
}
#: The scope of what is only read.
READ = "read"
