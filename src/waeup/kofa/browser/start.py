"""Where people arrive: the root of the server, and the portal's start page."""

import grok
from zope.site.interfaces import IRootFolder

from waeup.kofa.browser.page import Page
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity


class RootIndex(Page):
    """Leads to the portal; where there are several, lets choose."""

    grok.context(IRootFolder)
    grok.name("index")
    grok.require("waeup.Public")

    label = _("Portals")

    def update(self) -> None:
        """Go on if there is no choice."""
        self.portals = [item for item in self.context.values() if IUniversity.providedBy(item)]
        if len(self.portals) == 1:
            self.redirect(self.url(self.portals[0]))


class Index(Page):
    """The portal's start page."""

    grok.context(IUniversity)
    grok.name("index")
    grok.require("waeup.Public")

    @property
    def label(self) -> str:
        """The name of the portal."""
        return self.context.title

    def update(self) -> None:
        """Ask those who have not logged in to do so."""
        if self.person is None:
            self.redirect(self.url(self.context, "login"))
