"""Who is it?  Log-in by name and password, and the session that remembers it.

The session holds the principal's id and the time of the log-in, and a stamp
that changes with the password, and when all sessions are ended; never a password.  On
each request the account is looked up again, so that one that was removed, suspended or
given another password is out at once.  A principal's id is its account's name.

The plugins below serve `zope.pluggableauth`; `University` puts them together.
"""

import hashlib
import hmac
import secrets
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any
from urllib.parse import urlencode

import grok
from zope.component import getUtility, queryUtility
from zope.component.hooks import getSite
from zope.container.contained import Contained
from zope.interface import implementer
from zope.pluggableauth.factories import PrincipalInfo
from zope.pluggableauth.interfaces import IAuthenticatorPlugin, ICredentialsPlugin
from zope.publisher.interfaces.http import IHTTPRequest
from zope.session.http import CookieClientIdManager
from zope.session.interfaces import (
    IClientIdManager,
    ISession,
    ISessionDataContainer,
)
from zope.session.session import digestEncode
from zope.traversing.browser.absoluteurl import absoluteURL

from waeup.kofa.conversion.secret import check_password, hash_password
from waeup.kofa.errors import Refused
from waeup.kofa.interfaces import IUniversity

#: The part of the session that says who has logged in.
SESSION_KEY = "waeup.kofa.login"
#: A log-in lasts so many seconds at most, however busy the person is.
MAX_LOGIN_AGE = 12 * 60 * 60
#: A session that nobody uses for so many seconds is forgotten.
SESSION_TIMEOUT = 2 * 60 * 60


class ClientIdManager(CookieClientIdManager):
    """Tells browsers apart by a signed cookie, and signs the tokens of their forms.

    The secret is the portal's own.  Scripts cannot read the cookie, other sites'
    forms do not send it, and over https it goes over https only.
    """

    httpOnly = True

    def __init__(self) -> None:
        super().__init__(
            namespace=f"kofa_{secrets.token_hex(4)}", secret=secrets.token_urlsafe(32)
        )

    def generateUniqueId(self) -> str:
        """Return a new id: 160 random bits and their signature (format of zope.session)."""
        random_part = digestEncode(secrets.token_bytes(20))
        signature = hmac.digest(self.secret.encode(), random_part, "sha1")
        return (random_part + digestEncode(signature)).decode()

    def setRequestId(self, request: Any, id: str) -> None:
        """Send `id` as cookie."""
        super().setRequestId(request, id)
        request.response.setCookie(
            self.namespace,
            id,
            samesite="Lax",
            secure=request.getApplicationURL().startswith("https:"),
        )
        # zope.session lets caches keep what stands around the cookie.
        request.response.setHeader("Cache-Control", "no-store")

    def form_token(self, request: Any) -> str:
        """Return the token that the forms of this browser's session carry.

        It is the signed id of the session, so nothing has to be kept; with a new
        session all tokens of the old one are void.
        """
        message = f"form of {self.getClientId(request)}".encode()
        return hmac.digest(self.secret.encode(), message, "sha256").hex()

    def renew(self, request: Any) -> None:
        """Forget the session of `request` and go on with a new, empty one."""
        former = self.getRequestId(request)
        sessions = getUtility(ISessionDataContainer)
        if former is not None and former in sessions:
            del sessions[former]
        self.setRequestId(request, self.generateUniqueId())


def setup_sessions(sessions: Any) -> None:
    """Prepare a new portal's container of sessions."""
    sessions.timeout = SESSION_TIMEOUT


def setup_authentication(authentication: Any) -> None:
    """Prepare a new portal's authentication utility."""
    authentication.credentialsPlugins = ("kofa session",)
    authentication.authenticatorPlugins = ("kofa users",)


def log_in(request: Any, name: str, password: str) -> bool:
    """Open a new session for the account `name`, if `password` is the right one.

    The session gets a new id; one that somebody has planted in the browser before
    is of no use afterwards.  Returns False, after the same time, for an unknown
    name, a wrong password, and a suspended account.
    """
    account = _account(name)
    if not _password_fits(account, password):
        return False
    _renew_hash(account, password)
    account.logged_in(datetime.now(timezone.utc))
    _open_session(request, account, time.time())
    return True


def go_on(request: Any) -> None:
    """Let the person go on who has ended all sessions of the own account, by a new password or so.

    The session gets a new id.  It ends when the former one would have.
    """
    account, login = _account(request.principal.id), ISession(request).get(SESSION_KEY)
    if account is not None and login:
        _open_session(request, account, login["login_time"])


def _open_session(request: Any, account: Any, login_time: float) -> None:
    """Let the browser go on with a new session, in which the account has logged in."""
    getUtility(IClientIdManager).renew(request)
    login = ISession(request)[SESSION_KEY]
    login["principal_id"] = account.name
    login["login_time"] = login_time
    login["stamp"] = _stamp(account)


def session_end(request: Any) -> datetime | None:
    """Return when the session of the person ends at the latest, None without a session."""
    if not getUtility(IClientIdManager).getRequestId(request):
        return None
    login = ISession(request).get(SESSION_KEY)
    if not login:
        return None
    begin = datetime.fromtimestamp(login["login_time"], timezone.utc)
    return begin + timedelta(seconds=MAX_LOGIN_AGE)


def must_choose_password(principal: Any) -> bool:
    """Tell whether somebody has to choose a password of their own before anything else.

    That is so while the account has one that an administrator has set.
    """
    account = _account(getattr(principal, "id", None))
    return account is not None and account.has_foreign_password


def log_out(request: Any) -> None:
    """End the session of `request`; the browser gets a new, empty one."""
    getUtility(IClientIdManager).renew(request)


@implementer(ICredentialsPlugin)
class SessionCredentials(grok.GlobalUtility, Contained):
    """Finds in the session who has logged in."""

    grok.name("kofa session")
    grok.provides(ICredentialsPlugin)

    #: No protocol in common with other plugins: a challenge by this one is enough.
    challengeProtocol = None

    def extractCredentials(self, request: Any) -> dict[str, Any] | None:
        """Return `principal_id` and `stamp` of a log-in that is not too old, or None.

        A browser without session does not get one by this.
        """
        ids = queryUtility(IClientIdManager)
        if not IHTTPRequest.providedBy(request) or not ids or not ids.getRequestId(request):
            return None
        login = ISession(request).get(SESSION_KEY)
        if not login or time.time() - login["login_time"] > MAX_LOGIN_AGE:
            return None
        return {"principal_id": login["principal_id"], "stamp": login["stamp"]}

    def challenge(self, request: Any) -> bool:
        """Lead to the log-in page, which leads back."""
        camefrom = request.getURL(path_only=True).removesuffix("/@@index")
        query = request.get("QUERY_STRING")
        data = urlencode({"camefrom": f"{camefrom}?{query}" if query else camefrom})
        request.response.redirect(f"{absoluteURL(getSite(), request)}/login?{data}")
        return True

    def logout(self, request: Any) -> bool:
        """End the session."""
        log_out(request)
        return True


@implementer(IAuthenticatorPlugin)
class UsersAuthenticator(grok.GlobalUtility, Contained):
    """Knows the accounts of the site."""

    grok.name("kofa users")
    grok.provides(IAuthenticatorPlugin)

    def authenticateCredentials(self, credentials: Any) -> PrincipalInfo | None:
        """Return the principal of what `SessionCredentials` found, or None.

        None for an account that is suspended, or whose password has changed since
        the log-in, or that is another one of the same name.
        """
        if not isinstance(credentials, dict):
            return None
        account = _account(credentials.get("principal_id"))
        if account is None or account.suspended:
            return None
        if not hmac.compare_digest(_stamp(account), credentials.get("stamp", "")):
            return None
        return _principal_info(account)

    def principalInfo(self, id: str) -> PrincipalInfo | None:
        """Return the principal with this id, suspended or not, or None."""
        account = _account(id)
        return None if account is None else _principal_info(account)


def _principal_info(account: Any) -> PrincipalInfo:
    """Return what `zope.pluggableauth` makes a principal of."""
    title = account.public_name or account.title
    return PrincipalInfo(account.name, account.name, title, account.description)


def _account(name: Any) -> Any:
    """Return the account `name` of the current site, or None."""
    site = getSite()
    if not isinstance(name, str) or not IUniversity.providedBy(site):
        return None
    return site["users"].get(name)


def _stamp(account: Any) -> str:
    """Return what tells this password of this account from every other one.

    It changes as well when all sessions of the account are ended.
    """
    ended = f" {account.ended_sessions}" if account.ended_sessions else ""
    return hashlib.sha256(f"{account.name} {account.password}{ended}".encode()).hexdigest()


def _password_fits(account: Any, password: str) -> bool:
    """Tell whether `password` opens `account`, after the same time whatever the answer."""
    if account is None or account.suspended or not account.password:
        check_password(password, _hash_of_nobody())
        return False
    fits = account.checkPassword(password)
    if not fits and not _is_slow(account.password):
        check_password(password, _hash_of_nobody())
    return fits


def _is_slow(password_hash: str) -> bool:
    """Tell whether a hash is one of bcrypt; those of Kofa 1.9 are checked in no time."""
    return password_hash.startswith("$2")


def _renew_hash(account: Any, password: str) -> None:
    """Replace a hash of Kofa 1.9, now that the password is at hand."""
    if not _is_slow(account.password):
        with suppress(Refused):
            account.setPassword(password)


@cache
def _hash_of_nobody() -> str:
    """Return a hash that no password opens, and that costs as much as a real one."""
    return hash_password(secrets.token_urlsafe(32))
