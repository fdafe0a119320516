"""Pages for what went wrong: in plain words, without a traceback.

Refusals say what would be right; what nobody expected is written to the log by
the publisher (logger ``SiteError``), with its traceback and the address.
"""

from typing import Any

import grok
from zope.authentication.interfaces import IAuthentication
from zope.browser.interfaces import ISystemErrorView
from zope.component import getUtility
from zope.error.interfaces import IErrorReportingUtility
from zope.interface import implementer
from zope.interface.common.interfaces import IException
from zope.publisher.interfaces import IBadRequest, INotFound
from zope.security.interfaces import IUnauthorized

from waeup.kofa.browser.page import Page, status_of
from waeup.kofa.errors import Fault, NotAllowed, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.permissions import get_role_titles_for


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
    text: Any = ""
    advice: Any = ""

    def update(self) -> None:
        """Tell programs, too."""
        self.response.setStatus(self.status)


@implementer(ISystemErrorView)
class UnexpectedPage(ErrorPage):
    """For an error of the portal: the person is not to blame."""

    grok.context(IException)

    label = _("Something went wrong")
    text = _("The portal could not do what you asked for. What you sent was not carried out.")
    advice = _(
        "Try again in a moment. If it happens again, tell the administrator what you did and "
        "when; the details are in the portal's error log."
    )

    def isSystemError(self) -> bool:
        """Let the publisher write the traceback to the log."""
        return True


@implementer(ISystemErrorView)
class FaultPage(ErrorPage):
    """For a failure of the machine that explains itself."""

    grok.context(Fault)

    label = _("The machine failed")

    @property
    def text(self) -> str:  # type: ignore[override]
        """What the fault says."""
        return self.words(self.context)

    def isSystemError(self) -> bool:
        """Let the publisher write the traceback to the log."""
        return True


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
            mapping={"roles": ", ".join(roles) or _("Portal Manager")},
        )


class NotFoundPage(ErrorPage):
    """For an address where nothing is."""

    grok.context(INotFound)

    label = _("There is no such page")
    text = _("The address is wrong, or what was there is gone.")
    status = 404


class BadRequestPage(ErrorPage):
    """For a form that cannot be read."""

    grok.context(IBadRequest)

    label = _("The request cannot be read")
    text = _("What was sent is not what a form of the portal sends. Nothing was changed.")
    advice = _("Go back to the page, load it again, and fill in its form.")
    status = 400
