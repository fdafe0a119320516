"""The links in the head of each page: which tasks there are, and who sees them."""

from typing import Any, NamedTuple

from waeup.kofa.i18n import MessageFactory as _


class Tab(NamedTuple):
    """A link of the head: `name` is what pages call it (`Page.tab`).

    `view` is a view of the data center, or of the portal with `is_portal`; who has one of
    `permissions` sees it.
    """

    name: str
    title: Any
    view: str
    permissions: tuple[str, ...]
    is_portal: bool = False


TABS = (
    Tab("datacenter", _("Data Center"), "", ("waeup.manageDataCenter",)),
    Tab("files", _("Files"), "files", ("waeup.manageDataCenter",)),
    Tab("runs", _("Runs"), "runs", ("waeup.manageDataCenter",)),
    Tab("exports", _("Exports"), "export", ("waeup.exportData",)),
    Tab("history", _("History"), "history", ("waeup.manageDataCenter",)),
    Tab("figures", _("Figures"), "figures", ("waeup.manageDataCenter",)),
    Tab("logs", _("Logs"), "logs", ("waeup.manageDataCenter",)),
    Tab("kinds", _("Kinds of data"), "processors", ("waeup.manageDataCenter",)),
    Tab(
        "administration",
        _("Administration"),
        "administration",
        ("waeup.managePortal", "waeup.manageUsers"),
        is_portal=True,
    ),
)
