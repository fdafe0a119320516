"""Log in and log out."""

from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import grok
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility

from waeup.kofa.authentication import log_in, log_out
from waeup.kofa.browser.language import keep_language
from waeup.kofa.browser.page import FormPage
from waeup.kofa.browser.throttle import LoginThrottle
from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.maintenance import maintenance_of, may_manage

#: Longer names and passwords are wrong without a look; this bounds the work of a guess.
MAX_LENGTH = 200

MAINTENANCE = _(
    "The portal is in maintenance mode and authentication (login) temporarily disabled. Only "
    "administrators can log in."
)

#: The tries of this process.
throttle = LoginThrottle()

_tries = count()


class Login(FormPage):
    """Asks for name and password."""

    grok.context(IUniversity)
    grok.name("login")
    grok.require("waeup.Public")

    label = _("Log in")
    needs_own_password = False
    is_closed_for_maintenance = False
    buttons = {"SUBMIT": "log_in", "LANGUAGE": "choose_language"}
    languages = tuple(LANGUAGES.items())

    def prepare(self) -> None:
        """Keep the way back."""
        self.camefrom = self.field("camefrom")

    def log_in(self) -> None:
        """Check name and password, unless there were too many failures before."""
        name, password = self.field("login").strip(), self.field("password")
        address = client_of(self.request)
        wait = throttle.start(name, address)
        if wait:
            self._deny(
                429,
                _(
                    "Too many failed attempts. Please wait ${seconds} seconds and try again.",
                    mapping={"seconds": int(wait) + 1},
                ),
            )
        elif len(name) <= MAX_LENGTH >= len(password) and log_in(self.request, name, password):
            throttle.succeed(name, address)
            if self.is_under_maintenance and not self._may_manage(name):
                log_out(self.request)
                self._deny(503, MAINTENANCE)
                return
            self.flash(_("You logged in."))
            self.redirect(local_path(self.field("camefrom")) or self.url(self.context))
        else:
            self._deny(401, _("You entered wrong credentials."))

    @property
    def is_way_back(self) -> bool:
        """Whether the person comes from a page of the portal that asks for the log-in."""
        return bool(local_path(self.camefrom)) and not self.is_under_maintenance

    @property
    def is_under_maintenance(self) -> bool:
        """Whether only who manages the portal can log in."""
        return maintenance_of(self.context) is not None

    def maintenance_message(self) -> str:
        """What is said of it."""
        return self.words(MAINTENANCE)

    def _may_manage(self, name: str) -> bool:
        """Tell whether an account may manage the portal."""
        return may_manage(self.context, getUtility(IAuthentication).getPrincipal(name))

    def choose_language(self) -> None:
        """Show the page in another language, and let the browser keep it."""
        keep_language(self.request, self.field("LANGUAGE"))
        camefrom = local_path(self.field("camefrom"))
        address = self.url(self.context, "login")
        self.redirect(f"{address}?{urlencode({'camefrom': camefrom})}" if camefrom else address)

    def _deny(self, status: int, message: str) -> None:
        """Show the form again with `message`."""
        self.response.setStatus(status)
        self.say(message, "danger")


class Logout(FormPage):
    """Ends the session; its button is in the head of each page."""

    grok.context(IUniversity)
    grok.name("logout")
    grok.require("waeup.Public")

    label = _("Log out")
    needs_own_password = False
    is_closed_for_maintenance = False
    buttons = {"logout": "log_out"}

    def log_out(self) -> None:
        """Forget the session, if somebody has logged in."""
        if self.person is not None:
            log_out(self.request)
            self.flash(_("You have been logged out."))
        self.redirect(self.url(self.context, "login"))


def throttle_of() -> LoginThrottle:
    """Return what counts the tries of this process, of a present password as well."""
    return throttle


def client_of(request: Any) -> str:
    """Return the address that a try is counted for.

    Behind this machine's own address may be a proxy that the server was not told to trust, and
    thus everybody: such tries have nothing in common but the name, so each has its own.
    """
    address = request.get("REMOTE_ADDR") or ""
    try:
        shared = ip_address(address).is_loopback
    except ValueError:
        return address
    return f"{address} {next(_tries)}" if shared else address


def local_path(target: str) -> str:
    """Return `target` if it is a path on this host, otherwise ''.

    Browsers read ``\\`` as ``/`` and drop control characters, so that
    ``/\\example.org`` would be another host; ``++vh++`` in a path lets the
    publisher write another host into the links of a page.
    """
    if not target.isprintable() or not target.startswith("/") or target.startswith("//"):
        return ""
    path = unquote(urlsplit(target).path)
    dangerous = any(part in path for part in ("\\", "//", "++")) or not path.isprintable()
    return "" if dangerous or "\\" in target else target
