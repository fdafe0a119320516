"""Maintenance mode: an administrator closes the portal for everybody else, and opens it again."""

from typing import Any

import grok

from waeup.kofa.browser.administration.tasks import AdministrationPage
from waeup.kofa.browser.page import FormPage
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.maintenance import LONGEST_TEXT, Maintenance, maintenance_of
from waeup.kofa.rights import MANAGE_PORTAL


class SwitchMaintenance(AdministrationPage, FormPage):
    """Closes the portal, with a text that people are shown, and opens it."""

    grok.name("switchmaintmode")
    grok.require(MANAGE_PORTAL)
    grok.template("switchmaintmode")

    label = _("Maintenance mode")
    # Who has not closed the portal can open it, or take it over.
    is_closed_for_maintenance = False
    buttons = {"enable": "enable", "disable": "disable"}
    longest_text = LONGEST_TEXT

    def prepare(self) -> None:
        """Tell how it is."""
        self.present: Maintenance | None = self.operations.maintenance()
        self.is_mine = self.present is not None and self.present.user == self.request.principal.id
        present = "" if self.present is None else self.present.text
        self.shown_text = self.field("text") if "text" in self.request.form else present

    @property
    def tabs(self) -> Any:
        """The links of the head, for who can follow them."""
        closed = maintenance_of(self.site)
        works = closed is None or closed.user == self.request.principal.id
        return super().tabs if works else []

    def enable(self) -> None:
        """Close the portal for everybody else."""
        self.operations.start_maintenance(self.field("text"))
        self.flash(_("Maintenance mode enabled."), "warning")
        self.redirect(self.link("administration"))

    def disable(self) -> None:
        """Open the portal for everybody."""
        if self.operations.end_maintenance():
            self.flash(_("Maintenance mode disabled."))
        self.redirect(self.link("administration"))
