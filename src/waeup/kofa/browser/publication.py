"""How the portal is walked through, and how requests are answered while the database is away.

A database at a server may be away for a moment: the server is started anew, or the network is
broken.  Then there is no page of the portal, and no layout; this answer needs none.  It names no
cause, which is the operator's business, and is in the log.
"""

import json
import logging
from html import escape
from typing import Any

import transaction
from grokcore.view.publication import GrokBrowserFactory, GrokBrowserPublication
from zope.publisher.interfaces import NotFound
from zope.traversing.interfaces import ITraversable

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.jobs.outages import first_line, is_away
from waeup.kofa.locales.catalogs import domain, preferred_tag

log = logging.getLogger("SiteError")

#: Seconds after which another try is worth it.
RETRY = 5
#: Methods that change nothing.
SAFE_METHODS = ("GET", "HEAD")

TITLE = _("The database is away")
TEXT = _("The portal cannot reach its database at the moment. Try again in a moment.")
UNSURE = _(
    "The portal cannot reach its database at the moment. Whether what you sent was carried out is "
    "not known: look in a moment, before you send it again."
)

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8" /><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


class Publication(GrokBrowserPublication):
    """Publishes pages; see the module."""

    def traverseName(self, request: Any, ob: Any, name: str) -> Any:
        """See `IPublication`; what Zope registers for ``++name++`` is no page called ``name``."""
        found = super().traverseName(request, ob, name)
        if ITraversable.providedBy(found):
            raise NotFound(ob, name, request)
        return found

    def handleException(
        self,
        object: Any,  # noqa: A002  (the name is that of the publisher)
        request: Any,
        exc_info: Any,
        retry_allowed: bool = True,
    ) -> None:
        """See `IPublication`.

        A request is not repeated when the database is away: it may have been carried out.
        """
        error = exc_info[1]
        if not is_away(error):
            super().handleException(object, request, exc_info, retry_allowed)
            return
        log.warning(
            "The database is away: %s %s: %s", request.method, request.getURL(), first_line(error)
        )
        try:
            transaction.abort()
        except Exception as failed:
            # The next transaction begins anew; only a failure of another kind is news.
            if not is_away(failed):
                raise
        answer(request)


class Factory(GrokBrowserFactory):
    """Gives the publisher the class of requests, and the publication."""

    def __call__(self) -> tuple[type, type]:
        """See `IRequestPublicationFactory`."""
        request, _publication = super().__call__()
        return request, Publication


def answer(request: Any) -> None:
    """Answer a request with a page that needs no database, for programs with a status."""
    text = _words(TEXT if request.method in SAFE_METHODS else UNSURE, request)
    response = request.response
    response.reset()
    response.setStatus(503)
    response.setHeader("Retry-After", str(RETRY))
    if request.method == "PUT":
        response.setHeader("Content-Type", "application/json")
        response.setResult(json.dumps({"error": text, "reference": ""}))
        return
    response.setHeader("Content-Type", "text/html;charset=utf-8")
    title = _words(TITLE, request)
    response.setResult(_PAGE.format(title=escape(title), text=escape(text)))


def _words(message: Any, request: Any) -> str:
    """Return a message in the language of the request, if that can be told now."""
    try:
        return str(domain.say(message, preferred_tag(request)))
    except Exception as error:
        if not is_away(error):
            raise
        return english(message)
