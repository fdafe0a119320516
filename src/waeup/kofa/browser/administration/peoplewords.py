"""What roles are called, and what they allow, in plain words."""

from typing import Any

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import RoleInfo

#: Titles by ids; roles of other packages bring theirs.
_ROLES = {
    "waeup.DataCenterManager": _("Datacenter Manager"),
    "waeup.ImportManager": _("Import Manager"),
    "waeup.ExportManager": _("Export Manager"),
    "waeup.UsersManager": _("Users Manager"),
    "waeup.PortalManager": _("Portal Manager"),
}
#: Permissions with a short name and a sentence, in the order in which they are shown.
PERMISSIONS = {
    "waeup.manageDataCenter": (
        _("Files"),
        _("Sees, uploads, checks and deletes the files of the data center."),
    ),
    "waeup.importData": (
        _("Imports"),
        _("Imports files, and takes imports back."),
    ),
    "waeup.exportData": (
        _("Exports"),
        _("Exports data as files."),
    ),
    "waeup.manageUsers": (
        _("Accounts"),
        _("Makes, changes and removes accounts, and gives roles."),
    ),
    "waeup.managePortal": (
        _("Settings"),
        _("Changes the settings of the portal."),
    ),
}


def role_title(role: RoleInfo) -> Any:
    """Return what people call a role."""
    return _ROLES.get(role.name, role.title)


def role_texts(role: RoleInfo) -> list[Any]:
    """Say what a role allows, a sentence for each permission."""
    known = [text for name, (_short, text) in PERMISSIONS.items() if name in role.permissions]
    others = sorted(set(role.permissions) - set(PERMISSIONS))
    if others:
        known.append(_("Further permissions: ${names}.", mapping={"names": ", ".join(others)}))
    return known or [_("Allows nothing in the whole portal.")]
