"""What there is to do for who cares for the portal, and what the pages for it have in common."""

from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok

from waeup.kofa.browser.page import Crumb, Page
from waeup.kofa.errors import NotAllowed
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity

PORTAL, USERS = "waeup.managePortal", "waeup.manageUsers"


class Task(NamedTuple):
    """Something that an administrator can do: a view of the portal, or of the data center."""

    view: str
    title: Any
    help: Any
    permission: str
    is_of_center: bool = False


TASKS = (
    Task(
        "settings",
        _("Settings"),
        _(
            "Name and time zone of the portal, how much is accepted, how long things are kept, "
            "and who is told of what."
        ),
        PORTAL,
    ),
    Task(
        "users",
        _("Users"),
        _("Who may log in, and what each person may do."),
        USERS,
    ),
    Task(
        "mailtemplates",
        _("Mail templates"),
        _("What the messages of the portal say, in each language."),
        PORTAL,
    ),
    Task(
        "webhooks",
        _("Webhooks"),
        _("Which programs are told that runs have ended, and what became of the messages."),
        PORTAL,
    ),
    Task(
        "manage",
        _("Storage"),
        _("Where the files of the data center are, and how they are moved."),
        PORTAL,
        is_of_center=True,
    ),
    Task(
        "switchmaintmode",
        _("Maintenance mode"),
        _("Close the portal for everybody else while you work on it."),
        PORTAL,
    ),
    Task(
        "system",
        _("System"),
        _("Versions, sizes, what waits, and the last backup."),
        PORTAL,
    ),
)


class AdministrationPage(Page):
    """A page of the administration."""

    grok.baseclass()
    grok.context(IUniversity)

    tab = "administration"
    section = _("Administration")

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the administration."""
        return administration_crumbs(self)

    def link(self, view: str, **data: str) -> str:
        """Return the address of a page of the portal."""
        address = self.url(self.site, view)
        return f"{address}?{urlencode(data)}" if data else address


def administration_crumbs(page: Page) -> list[Crumb]:
    """Return the way to a page of the administration."""
    return [
        Crumb(_("Home"), page.url(page.site)),
        Crumb(_("Administration"), page.url(page.site, "administration")),
    ]


class Administration(AdministrationPage):
    """All tasks of administrators that the person may do."""

    grok.name("administration")
    # Either of two permissions leads here; which one it is, is asked for below.
    grok.require("waeup.Authenticated")

    label = _("Administration")
    section = ""

    @property
    def crumbs(self) -> list[Crumb]:
        """Home."""
        return administration_crumbs(self)[:1]

    def update(self) -> None:
        """Gather what the person may do; raises `NotAllowed` when that is nothing."""
        self.tasks = [task for task in TASKS if self.may(task.permission)]
        if not self.tasks:
            raise NotAllowed(
                _(
                    "You may not administer this portal. Ask its administrator for the role "
                    "Portal Manager or Users Manager."
                )
            )

    def task_link(self, task: Task) -> str:
        """Return the address of a task."""
        place = self.site["datacenter"] if task.is_of_center else self.site
        return self.url(place, task.view)
