"""Which language a person reads: their own choice, that of the browser, or English.

The choice of who has logged in stands in the account; before, a cookie keeps that of the log-in
page.  What the browser prefers also tells the country, which numbers and times are written after.
"""

import re
from typing import Any

import grok
from zope.authentication.interfaces import IUnauthenticatedPrincipal
from zope.component.hooks import getSite
from zope.i18n.interfaces import ITranslationDomain, IUserPreferredLanguages
from zope.publisher.browser import BrowserLanguages
from zope.publisher.interfaces.browser import IBrowserRequest

from waeup.kofa.i18n import DOMAIN, LANGUAGES
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.locales.catalogs import domain, preferred_tag

#: What keeps the choice of who has not logged in, for a year.
COOKIE = "kofa_language"
_COOKIE_AGE = 365 * 24 * 60 * 60

#: A language, perhaps a script, and a country (RFC 5646).
_TAG = re.compile(r"([a-z]{2})(?:-[a-z]{4})?(?:-([a-z]{2}))?(?:-.*)?")

grok.global_utility(domain, provides=ITranslationDomain, name=DOMAIN, direct=True)


class PreferredLanguages(grok.Adapter):
    """The languages that a person reads, the one that was chosen first; like ``de-AT``."""

    grok.context(IBrowserRequest)
    grok.provides(IUserPreferredLanguages)

    def getPreferredLanguages(self) -> list[str]:
        """See `IUserPreferredLanguages`; languages that there are no texts in are left out."""
        request = self.context
        # The principal is known later than the browser.
        key = getattr(request.principal, "id", None)
        kept = request.annotations.get(__name__)
        if kept is None or kept[0] != key:
            kept = request.annotations[__name__] = key, _preferred(request)
        return list(kept[1])


def _preferred(request: Any) -> list[str]:
    """Return the languages of a request that there are texts in, without repetitions."""
    found = []
    for tag in BrowserLanguages(request).getPreferredLanguages():
        parts = _TAG.fullmatch(tag[:35])
        if parts and parts[1] in LANGUAGES:
            found.append(f"{parts[1]}-{parts[2].upper()}" if parts[2] else parts[1])
    chosen = chosen_language(request)
    if chosen is not None:
        # The country of the browser goes with a chosen language, if people speak it there.
        found = [tag for tag in found if _language(tag) == chosen] or [chosen]
    return list(dict.fromkeys(found))


def chosen_language(request: Any) -> str | None:
    """Return the language that the person has chosen, in the account or on the log-in page."""
    site = getSite()
    person = request.principal
    if person is not None and not IUnauthenticatedPrincipal.providedBy(person):
        account = site["users"].get(person.id) if IUniversity.providedBy(site) else None
        chosen = getattr(account, "language", None)
        if chosen in LANGUAGES:
            return str(chosen)
    chosen = request.getCookies().get(COOKIE)
    return chosen if chosen in LANGUAGES else None


def choose_again(request: Any) -> None:
    """Let the answer to a request that has changed the account be in the language chosen now."""
    request.annotations.pop(__name__, None)


def keep_language(request: Any, language: str) -> None:
    """Let the browser keep a language for the pages before the log-in, '' for its own."""
    path = "/"
    if language not in LANGUAGES:
        request.response.expireCookie(COOKIE, path=path)
        return
    request.response.setCookie(
        COOKIE,
        language,
        path=path,
        max_age=_COOKIE_AGE,
        httponly=True,
        samesite="Lax",
        secure=request.getApplicationURL().startswith("https:"),
    )


def language_of(request: Any) -> str:
    """Return the language that the answer to a request is written in."""
    return _language(preferred_tag(request))


def _language(tag: str) -> str:
    return tag.partition("-")[0]
