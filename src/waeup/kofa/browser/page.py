"""What all pages have in common: layout, messages, safe headers, and forms with a token.

`Page` shows something, `FormPage` also changes something.  Buttons of a form
are declared by name; a button is obeyed only when its form was sent by POST and
carries the token of the session.
"""

from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok
import transaction
from grokcore.message import receive
from zope.authentication.interfaces import IUnauthenticatedPrincipal
from zope.browserpage import ViewPageTemplateFile
from zope.component import getMultiAdapter, queryAdapter, queryUtility
from zope.interface import Interface
from zope.security import checkPermission
from zope.session.interfaces import IClientIdManager

from waeup.kofa.authentication import must_choose_password
from waeup.kofa.browser import once, tokens
from waeup.kofa.browser.language import language_of
from waeup.kofa.browser.navigation import TABS
from waeup.kofa.configuration import zone_of_portal
from waeup.kofa.errors import (
    ConfirmationNeeded,
    InvalidName,
    ItemBusy,
    NameTaken,
    NoSuchItem,
    NotAllowed,
    Outdated,
    Refused,
    TooLarge,
    UnderMaintenance,
    WrongOffset,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.locales.catalogs import domain, preferred_tag
from waeup.kofa.locales.formats import Formats, formats_for
from waeup.kofa.maintenance import Maintenance, maintenance_of, require_open_page
from waeup.kofa.operations import Operations

#: What style sheet, scripts and icon are registered as, which is a part of their addresses.
RESOURCES = "waeup.kofa.browser"

#: Everything comes from the portal itself; nothing inline, no frames, no other sites' forms.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

#: Largest form in bytes that is not an upload; the gate before the portal takes no more.
FORM_LIMIT = 1024 * 1024

#: HTTP status of refusals, the first class that fits (RFC 9110, chapter 15.5).
REFUSAL_STATUS: tuple[tuple[type[Refused], int], ...] = (
    (NotAllowed, 403),
    (InvalidName, 400),
    (NoSuchItem, 404),
    (NameTaken, 409),
    (ItemBusy, 409),
    (WrongOffset, 409),
    (UnderMaintenance, 503),
    (ConfirmationNeeded, 409),
    (TooLarge, 413),
    (Refused, 400),
)


def status_of(refusal: Refused) -> int:
    """Return the HTTP status that tells programs what people read in the message."""
    return next(status for kind, status in REFUSAL_STATUS if isinstance(refusal, kind))


class Message(NamedTuple):
    """What a page says first: `type` is ``success``, ``warning`` or ``danger`` as in Kofa 1.9."""

    text: str
    type: str

    @property
    def role(self) -> str:
        """How a screen reader tells it: when there is time, or at once."""
        return "status" if self.type == "success" else "alert"


class Crumb(NamedTuple):
    """One step of the way from the portal's start to a page."""

    title: str
    url: str


class TabLink(NamedTuple):
    """A link of the head; `current` is what ``aria-current`` says of it."""

    title: str
    url: str
    current: str | None


class Static(grok.DirectoryResource):
    """Style sheet, scripts and icon; pages know them as `static`."""

    grok.name(RESOURCES)
    grok.path("static")


class Door(grok.View):
    """What every view needs: who asks, for what, and what that person can do."""

    grok.baseclass()
    grok.context(Interface)

    #: Whether who has a password that somebody else has set must choose another one before.
    needs_own_password = True
    #: Whether this is shown only to who can work while the portal is in maintenance mode.
    is_closed_for_maintenance = True

    def __call__(self) -> Any:
        """Return the answer; a refusal becomes a page that says why."""
        try:
            if self.is_closed_for_maintenance and self.site is not None:
                require_open_page(self.site, self.request.principal)
            if self.needs_own_password and must_choose_password(self.request.principal):
                return self._ask_for_password()
            return self.answer()
        except Refused as refusal:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            return getMultiAdapter((refusal, self.request), name="index")()

    def _ask_for_password(self) -> None:
        """Lead to where people choose a password of their own, and from there back."""
        data = {}
        if self.request.method == "GET":
            path = self.request.getURL(path_only=True).removesuffix("/@@index")
            query = self.request.get("QUERY_STRING")
            data["camefrom"] = f"{path}?{query}" if query else path
        address = self.url(self.site, "password")
        self.redirect(f"{address}?{urlencode(data)}" if data else address)

    def answer(self) -> Any:
        """Return what the browser gets; None after a redirection."""
        return super().__call__()

    @property
    def site(self) -> Any:
        """The portal, or None outside of one."""
        site = grok.getSite()
        return site if IUniversity.providedBy(site) else None

    @cached_property
    def operations(self) -> Operations:
        """What the person who asks can do."""
        return Operations(self.site, self.request.principal)

    # -- words, numbers and times of the person -----------------------------------

    @property
    def language(self) -> str:
        """The language that the answer is written in."""
        return language_of(self.request)

    @property
    def _formats(self) -> Formats:
        """How numbers and times are written where the person is."""
        return formats_for(preferred_tag(self.request))

    def words(self, text: Any) -> str:
        """Return a text, a number, or what a refusal says in the language of the person."""
        return domain.say(text, preferred_tag(self.request))

    def phrase(self, text: str, **mapping: Any) -> str:
        """Return a text that a template cannot mark, such as one of an attribute with names."""
        return self.words(_(text, mapping=mapping))

    def labelled(self, title: Any, text: Any) -> str:
        """Return a text behind its title; languages have other signs, and room, between them."""
        return self.words(_("${title}: ${text}", mapping={"title": title, "text": text}))

    def recognized(self, english: str) -> str:
        """Return a reason that is kept in English in the language of the person."""
        return domain.recognized(english, preferred_tag(self.request))

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number as the person writes it."""
        return self._formats.number(value, digits)

    def percent(self, fraction: float) -> str:
        """Return a share of 1 in percent."""
        return self._formats.percent(fraction)

    def size(self, size: int) -> str:
        """Return a number of bytes."""
        return self._formats.size(size)

    def time(self, moment: datetime) -> str:
        """Return a moment in the time of the portal."""
        return self._formats.time(moment, zone_of_portal())

    def date(self, moment: datetime) -> str:
        """Return the day of a moment in the time of the portal."""
        return self._formats.date(moment, zone_of_portal())

    def set_language_headers(self) -> None:
        """Tell the browser the language of the answer, and caches what it depends on."""
        self.response.setHeader("Content-Language", self.language)
        self.response.setHeader("Vary", "Accept-Language, Cookie")

    def set_security_headers(self) -> None:
        """Tell the browser what it must not do with the answer."""
        for name, value in SECURITY_HEADERS.items():
            self.response.setHeader(name, value)

    def field(self, name: str) -> str:
        """Return the text of a form's field; the first of several, '' for none."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> list[str]:
        """Return the texts of all form fields of that name, in their order."""
        values = self.request.form.get(name, [])
        values = values if isinstance(values, list | tuple) else [values]
        return [value for value in values if isinstance(value, str)]


class Page(Door):
    """A page in the portal's layout.

    `label` is its heading, `section` the task that it is a part of, if there is one;
    `update` prepares what its template shows.
    """

    grok.baseclass()

    label: Any = ""
    #: Name of the link of the head that leads here; see `waeup.kofa.browser.navigation`.
    tab = ""
    layout = ViewPageTemplateFile("layout.pt")

    def __init__(self, context: Any, request: Any) -> None:
        super().__init__(context, request)
        # Grok looks for resources of the package that the module of a page is in.
        self.static = queryAdapter(request, Interface, name=RESOURCES)
        self.messages_here: list[Message] = []

    def answer(self) -> Any:
        """See `Door`; around the content comes the layout."""
        self.set_security_headers()
        self.set_language_headers()
        self.response.setHeader("Content-Type", "text/html;charset=utf-8")
        self.response.setHeader("Cache-Control", "no-store")
        # All addresses are absolute: the publisher need not write a <base> into the page.
        self.response.setBase("")
        content = super().answer()
        return None if self.redirected else self.layout(content=content)

    section = ""

    @property
    def title(self) -> str:
        """What the browser calls the page: heading, section and portal, each named once."""
        names = [self.label, self.section, self.site.title if self.site is not None else ""]
        texts = [self.words(name) for name in names if name]
        return " - ".join(dict.fromkeys(texts))

    @property
    def redirected(self) -> bool:
        """Whether `update` has sent the browser elsewhere."""
        return self.response.getStatus() in (302, 303)

    @property
    def person(self) -> Any:
        """The principal who has logged in, or None."""
        principal = self.request.principal
        return None if IUnauthenticatedPrincipal.providedBy(principal) else principal

    @property
    def token(self) -> str:
        """The token for a form on this page."""
        return tokens.token_for(self.request)

    def may(self, permission: str) -> bool:
        """Tell whether the person who asks has `permission` in the portal."""
        return self.site is not None and checkPermission(permission, self.site)

    @property
    def crumbs(self) -> list[Crumb]:
        """The way to this page, without the page itself."""
        return []

    @property
    def tabs(self) -> list[TabLink]:
        """The links of the head that the person who asks may follow."""
        found = []
        for tab in TABS:
            if any(self.may(permission) for permission in tab.permissions):
                place = self.site if tab.is_portal else self.site["datacenter"]
                url = self.url(place, tab.view) if tab.view else self.url(place)
                found.append(TabLink(tab.title, url, "page" if tab.name == self.tab else None))
        return found

    @property
    def closed(self) -> Maintenance | None:
        """Who has closed the portal, for the note on each page of that person; else None."""
        closed = None if self.site is None else maintenance_of(self.site)
        mine = closed is not None and self.request.principal.id == closed.user
        return closed if mine else None

    # -- messages ------------------------------------------------------------

    def say(self, message: Any, type: str = "success") -> None:  # noqa: A002  (1.9's keyword)
        """Show a text, or what a refusal says, on this page."""
        self.messages_here.append(Message(self.words(message), type))

    def flash(self, message: Any, type: str = "success") -> None:  # noqa: A002  (Grok's keyword)
        """Show a text, or what a refusal says, on the next page that this browser is sent to."""
        super().flash(self.words(message), type)

    def messages(self) -> list[Message]:
        """Return what is to be said, and forget it."""
        ids = queryUtility(IClientIdManager)
        if ids is None or ids.getRequestId(self.request) is None:
            return self.messages_here
        flashed = [Message(found.message, found.type) for found in receive() or ()]
        return flashed + self.messages_here


class FormPage(Page):
    """A page with a form.

    `buttons` maps names of buttons to names of methods.  Each request with one
    of them is a wish for a change: by GET it is refused with status 405, without
    the session's token with 403; either way the page is shown again with what
    was entered.  A method that raises `Refused` leads back to the form, too.
    """

    grok.baseclass()

    buttons: dict[str, str] = {}

    def update(self) -> None:
        """Obey the button that was pressed, then prepare the page unless it is left."""
        pressed = next((name for name in self.buttons if name in self.request.form), None)
        if pressed is not None:
            self._press(pressed)
        if not self.redirected:
            self.prepare()

    def prepare(self) -> None:
        """Gather what the template shows."""

    @cached_property
    def form_id(self) -> str:
        """The id of a form on this page that is obeyed once; see `require_first_time`."""
        return once.new_id()

    def require_first_time(self) -> None:
        """Raise `Outdated` when the form was obeyed before, as when an answer is reloaded."""
        if not once.take(self.request):
            raise Outdated(
                _(
                    "This form was sent before, so nothing was changed. What it made was shown "
                    "that time only: who has not kept it sends the form of this page."
                )
            )

    def _press(self, button: str) -> None:
        """Call the method of `button`, if this request may."""
        if self.request.method != "POST":
            self.response.setStatus(405)
            self.response.setHeader("Allow", "POST")
            self.say(_("Nothing was changed: use the button on this page, not a link."), "danger")
        elif not tokens.is_valid(self.request):
            self.response.setStatus(403)
            self.say(
                _(
                    "This form was out of date, so nothing was changed. "
                    "What you entered is still here: check it and send it again."
                ),
                "danger",
            )
        else:
            self._obey(button)

    def _obey(self, button: str) -> None:
        """Call the method of `button`; a refusal becomes a message on the page."""
        try:
            getattr(self, self.buttons[button])()
        except NotAllowed:
            raise
        except Refused as refusal:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            self.response.setStatus(status_of(refusal))
            self.say(refusal, "danger")
