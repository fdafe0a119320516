"""Maintenance mode: the portal is closed for a while, but for the person who has closed it.

On the web only that person works, and only as long as he may manage the portal; others who may
can still log in, to open it again or to take it over.  On the command line everybody who may
manage the portal works.  Runs go on in the meantime.
"""

from datetime import datetime, timezone
from typing import Any, NamedTuple

from waeup.kofa.configuration import configuration_of, ensure_configuration
from waeup.kofa.errors import UnderMaintenance
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.permissions import has_permission
from waeup.kofa.rights import MANAGE_PORTAL

#: Characters of what people are told meanwhile.
LONGEST_TEXT = 2000


class Maintenance(NamedTuple):
    """That the portal is closed: by whom, since when, and what people are told."""

    user: str
    since: datetime | None
    text: str


def maintenance_of(site: Any) -> Maintenance | None:
    """Return who has closed a portal, or None while it is open."""
    config = configuration_of(site)
    user = config.maintmode_enabled_by
    if not user:
        return None
    return Maintenance(user, config.maintenance_since, config.maintenance_text or "")


def close_portal(site: Any, user: str, text: str) -> None:
    """Close a portal for all but `user`; who takes it over keeps the time of the beginning."""
    config, former = ensure_configuration(site), maintenance_of(site)
    config.maintmode_enabled_by = user
    config.maintenance_text = text or None
    if former is None or former.since is None:
        config.maintenance_since = datetime.now(timezone.utc)


def open_portal(site: Any) -> None:
    """Open a portal for everybody."""
    config = ensure_configuration(site)
    config.maintmode_enabled_by = config.maintenance_text = config.maintenance_since = None


def may_manage(site: Any, principal: Any) -> bool:
    """Tell whether somebody may close and open the portal."""
    return has_permission(principal, MANAGE_PORTAL, site)


def require_open_page(site: Any, principal: Any) -> None:
    """Raise `UnderMaintenance` for who cannot use the pages of a portal now."""
    closed = maintenance_of(site)
    if closed is None:
        return
    if principal.id != closed.user or not may_manage(site, principal):
        raise UnderMaintenance(
            _(
                "The portal is closed for a while, and nothing was changed. What you have begun "
                "waits for you: try again later."
            )
        )


def require_open_command(site: Any, principal: Any) -> None:
    """Raise `UnderMaintenance` for who cannot use the command line now."""
    closed = maintenance_of(site)
    if closed is not None and not may_manage(site, principal):
        raise UnderMaintenance(
            f"The portal is in maintenance mode, which {closed.user} has enabled. Try again "
            "later, or act as somebody who manages the portal (--user); `kofactl maintenance "
            "off` ends it."
        )
