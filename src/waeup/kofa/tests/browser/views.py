"""Finds all views of the package by itself, and knows who reaches which of them.

A new view needs a line in `VIEWS`; the test that finds it says so.
"""

from typing import Any, NamedTuple

from zope.component import getGlobalSiteManager
from zope.interface.common.interfaces import IException
from zope.publisher.interfaces.browser import IBrowserRequest, IDefaultBrowserLayer

from waeup.kofa.browser.errors import ErrorPage


class FoundView(NamedTuple):
    """A view: its name, for what it is, and its class."""

    context: str
    name: str
    factory: Any


def found_views() -> list[FoundView]:
    """Return the package's views of everything but errors, sorted."""
    found = []
    for registration in getGlobalSiteManager().registeredAdapters():
        required, factory = registration.required, registration.factory
        is_view = len(required) == 2 and (
            required[1].isOrExtends(IBrowserRequest) or required[1] is IDefaultBrowserLayer
        )
        is_own = getattr(factory, "__module__", "").startswith("waeup.kofa.")
        is_error = isinstance(factory, type) and issubclass(factory, ErrorPage)
        if is_view and is_own and not is_error and not required[0].isOrExtends(IException):
            found.append(FoundView(required[0].__name__, registration.name, factory))
    return sorted(found, key=lambda view: view[:2])


class Row(NamedTuple):
    """What a view answers to GET by each of `ROLES`, and which fields it needs for that.

    A value in braces is made by the test, such as ``{draft}``.
    """

    answers: str
    fields: dict[str, str] = {}


#: Who asks: a stranger, somebody without a role, and one account for each role.
ROLES = (
    "stranger",
    "none",
    "waeup.DataCenterManager",
    "waeup.ImportManager",
    "waeup.ExportManager",
    "waeup.UsersManager",
    "waeup.PortalManager",
)

#: By path; lines are in the order of paths.
VIEWS: dict[str, Row] = {
    # There is no such draft.
    "/app/datacenter/corrected": Row("302 403 403 404 403 403 404", {"draft": "none"}),
    "/app/datacenter/download": Row("302 403 200 200 200 403 200", {"filename": "list.csv"}),
    # Nobody has ordered this export.
    "/app/datacenter/download_export": Row("302 403 403 403 404 403 404", {"id": "none"}),
    "/app/datacenter/export": Row("302 403 403 403 200 403 200"),
    "/app/datacenter/exportconfig": Row("302 403 403 403 200 403 200", {"exporter": "faculties"}),
    # There is no such check.
    "/app/datacenter/failing": Row("302 403 404 404 404 403 404", {"check": "none"}),
    "/app/datacenter/figures": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/figurestable": Row("302 403 200 200 200 403 200", {"chart": "rows"}),
    "/app/datacenter/files": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/history": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/import1": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/import2": Row("302 403 200 200 200 403 200", {"draft": "{draft}"}),
    "/app/datacenter/import3": Row("302 403 403 200 403 403 200", {"draft": "{draft}"}),
    "/app/datacenter/import4": Row("302 403 403 200 403 403 200", {"draft": "{draft}"}),
    "/app/datacenter/index": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/logs": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/manage": Row("302 403 403 403 403 403 200"),
    # Only a form by POST does anything here.
    "/app/datacenter/mend": Row("302 403 403 405 403 403 405", {"draft": "{draft}"}),
    "/app/datacenter/processed": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/processors": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/rows": Row("302 403 403 200 403 403 200", {"id": "{run}"}),
    "/app/datacenter/run": Row("302 403 403 200 403 403 200", {"id": "{run}"}),
    "/app/datacenter/runs": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/runstatus": Row("302 403 403 200 403 403 200", {"id": "{run}"}),
    "/app/datacenter/show": Row("302 403 200 200 200 403 200", {"logname": "main.log"}),
    "/app/datacenter/skeleton": Row("302 403 403 200 403 403 200", {"name": "facultyprocessor"}),
    "/app/datacenter/sources": Row("302 403 200 200 200 403 200"),
    "/app/datacenter/upload": Row("302 403 200 200 200 403 200"),
    # The root leads on to the portal, and that leads strangers to the log-in page.
    "/index": Row("200 200 200 200 200 200 200"),
    "/app/access": Row("302 200 200 200 200 200 200"),
    "/app/account": Row("302 200 200 200 200 200 200"),
    "/app/adduser": Row("302 403 403 403 403 200 200"),
    "/app/addwebhook": Row("302 403 403 200 200 403 200"),
    "/app/administration": Row("302 403 403 403 403 200 200"),
    "/app/index": Row("200 200 200 200 200 200 200"),
    "/app/login": Row("200 200 200 200 200 200 200"),
    "/app/logout": Row("200 200 200 200 200 200 200"),
    "/app/mailtemplate": Row("302 403 403 403 403 403 200", {"name": "ended", "language": "en"}),
    "/app/mailtemplates": Row("302 403 403 403 403 403 200"),
    "/app/password": Row("302 200 200 200 200 200 200"),
    # Of some pages there are addresses of Kofa 1.9, which lead on.
    "/app/processors": Row("302 403 200 200 200 403 200"),
    "/app/processorsoverview": Row("302 403 200 200 200 403 200"),
    "/app/roles": Row("302 403 403 403 403 200 200"),
    "/app/settings": Row("302 403 403 403 403 403 200"),
    "/app/skeleton": Row("302 403 403 200 403 403 200", {"name": "facultyprocessor"}),
    "/app/sources": Row("302 403 200 200 200 403 200"),
    "/app/sourcesoverview": Row("302 403 200 200 200 403 200"),
    "/app/switchmaintmode": Row("302 403 403 403 403 403 200"),
    "/app/system": Row("302 403 403 403 403 403 200"),
    "/app/user": Row("302 403 403 403 403 200 200", {"name": "other"}),
    "/app/users/index": Row("302 403 403 403 403 200 200"),
    "/app/webhook": Row("302 403 403 200 200 403 200", {"id": "{webhook}"}),
    "/app/webhooks": Row("302 403 403 200 200 403 200"),
}
#: Where the objects are that views are for.
PLACES = {
    "IRootFolder": "",
    "IUniversity": "/app",
    "Interface": "/app",
    "IDataCenter": "/app/datacenter",
    "IUsersContainer": "/app/users",
}


def views() -> list[tuple[str, Any]]:
    """Return address and class of all views."""
    return [
        (f"http://localhost{PLACES[view.context]}/{view.name}", view.factory)
        for view in found_views()
    ]
