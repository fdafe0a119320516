"""Pages for what went wrong: in plain words, without a traceback.

Refusals say what would be right; what nobody expected is written to the log (`log_fault`), and
the page shows the reference under which it is there.
"""

import json
import logging
from typing import Any

import grok
from transaction.interfaces import TransientError
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.error.interfaces import IErrorReportingUtility
from zope.interface.common.interfaces import IException
from zope.proxy import removeAllProxies
from zope.publisher.interfaces import IBadRequest, INotFound
from zope.security.interfaces import IUnauthorized

from waeup.kofa import meters
from waeup.kofa.browser.faults import REFERENCE_HEADER, log_fault
from waeup.kofa.browser.page import Page, TabLink, status_of
from waeup.kofa.errors import Fault, NotAllowed, Refused, UnderMaintenance
from waeup.kofa.i18n import Listing, without_folders
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.maintenance import maintenance_of
from waeup.kofa.permissions import get_role_titles_for
from waeup.kofa.rights import MANAGE_PORTAL

log = logging.getLogger("SiteError")

#: Seconds after which a closed portal is worth another try.
RETRY = 300


class NoReport(grok.GlobalUtility):
    """Keeps nothing: the publisher asks for a reporter even before it has found a site."""

    grok.provides(IErrorReportingUtility)

    def raising(self, info: Any, request: Any = None) -> None:
        """See `IErrorReportingUtility`."""


class ErrorPage(Page):
    """A page that says what went wrong, and leads back."""

    grok.baseclass()
    grok.name("index")
    grok.require("zope.Public")
    grok.template("errorpage")

    status = 500
    needs_own_password = False
    is_closed_for_maintenance = False
    text: Any = ""
    advice: Any = ""
    #: Names the entry of the log about this error, if there is one.
    reference = ""

    def update(self) -> None:
        """Tell programs, too."""
        self.response.setStatus(self.status)

    def layout(self, content: str) -> str:
        """Put the portal's layout around the page; the script that sends a file gets JSON."""
        if self.request.method != "PUT":
            return str(super().layout(content=content))
        self.response.setHeader("Content-Type", "application/json")
        return json.dumps({"error": self.words(self.text), "reference": self.reference})


class LoggedPage(ErrorPage):
    """A page about what is in the log, with its traceback."""

    grok.baseclass()

    def update(self) -> None:
        """Log it; the person can tell the reference."""
        super().update()
        self.reference = log_fault(
            removeAllProxies(self.context),
            self.request.method,
            self.request.getURL(),
            str(self.request.principal.id),
        )
        self.response.setHeader(REFERENCE_HEADER, self.reference)


class UnexpectedPage(LoggedPage):
    """For an error of the portal: the person is not to blame."""

    grok.context(IException)

    label = _("Something went wrong")
    text = _("The portal could not do what you asked for. What you sent was not carried out.")
    advice = _(
        "Try again in a moment. If it happens again, tell the administrator what you did, and "
        "this reference:"
    )


class FaultPage(LoggedPage):
    """For a failure of the machine that explains itself."""

    grok.context(Fault)

    label = _("The machine failed")
    advice = _("If it happens again, tell the administrator this reference:")

    @property
    def text(self) -> str:  # type: ignore[override]
        """What the fault says; the log has the folders of the machine, by the reference."""
        error = removeAllProxies(self.context)
        said = error.args[0] if len(error.args) == 1 else str(error)
        return without_folders(said, self.words)


class ConflictPage(ErrorPage):
    """For a change that others were faster with, again and again."""

    grok.context(TransientError)

    label = _("Others changed the same at the same moment")
    text = _("Nothing of what you sent was carried out.")
    advice = _("Try again: go back to the page, and send it once more.")
    status = 503

    def update(self) -> None:
        """Tell programs when to repeat the request."""
        super().update()
        meters.conflict(meters.IN_REQUEST)
        self.response.setHeader("Retry-After", "1")
        log.warning(
            "Gave up after conflicts: %s %s by %s",
            self.request.method,
            self.request.getURL(),
            self.request.principal.id,
        )


class RefusedPage(ErrorPage):
    """For a request that cannot be carried out as it was put."""

    grok.context(Refused)

    label = _("This is not possible")

    def update(self) -> None:
        """Use the status that fits the kind of refusal."""
        self.response.setStatus(status_of(self.context))

    @property
    def text(self) -> str:  # type: ignore[override]
        """What the refusal says."""
        return self.words(self.context)


class MaintenancePage(RefusedPage):
    """For who cannot work while the portal is closed."""

    grok.context(UnderMaintenance)
    grok.template("maintenancepage")

    label = _("The portal is closed for a while")
    #: Nothing of the head leads anywhere.
    tabs: list[TabLink] = []  # type: ignore[assignment]

    def update(self) -> None:
        """Tell programs when to ask again."""
        super().update()
        self.response.setHeader("Retry-After", str(RETRY))
        closed = maintenance_of(self.site)
        self.since = None if closed is None else closed.since
        self.lines = [] if closed is None else closed.text.splitlines()
        self.may_open = self.person is not None and self.may(MANAGE_PORTAL)


class NotAllowedPage(RefusedPage):
    """For an operation that the person may not do."""

    grok.context(NotAllowed)

    label = _("You may not do this")


class UnauthorizedPage(ErrorPage):
    """For a page that the person may not see; those who are not logged in are asked to."""

    grok.context(IUnauthorized)

    label = _("You may not do this")
    text = _("Your account has no role that allows this page.")
    status = 403
    is_closed_for_maintenance = True

    def update(self) -> None:
        """Lead to the log-in page, or tell which roles would do."""
        super().update()
        # A script that sends a file would follow, and send it to the log-in page.
        if self.person is None and self.request.method != "PUT":
            auth = getUtility(IAuthentication)
            auth.unauthorized(self.request.principal.id, self.request)

    @property
    def advice(self) -> Any:  # type: ignore[override]
        """Name the roles."""
        # The checker raises Unauthorized(object, name, permission).
        permission = self.context.args[-1] if len(self.context.args) == 3 else ""
        roles = get_role_titles_for(permission)
        return _(
            "Ask the administrator of the portal for one of these roles: ${roles}.",
            mapping={"roles": Listing(roles or [_("Portal Manager")])},
        )


class NotFoundPage(ErrorPage):
    """For an address where nothing is."""

    grok.context(INotFound)

    label = _("There is no such page")
    text = _("The address is wrong, or what was there is gone.")
    status = 404
    is_closed_for_maintenance = True


class BadRequestPage(ErrorPage):
    """For a form that cannot be read."""

    grok.context(IBadRequest)

    label = _("The request cannot be read")
    text = _("What was sent is not what a form of the portal sends. Nothing was changed.")
    advice = _("Go back to the page, load it again, and fill in its form.")
    status = 400
