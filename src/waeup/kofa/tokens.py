"""Tokens, by which programs act for officers: what they allow, how they are kept and recognised.

A token belongs to an account.  Its text, ``kofa_<id>_<secret>``, is shown once, when it is made.
The database has the SHA-256 hash of the secret alone.  That is enough here, while a password
needs a hash that is slow: the secret is 256 random bits, so that nobody can try what it might be,
however quickly.  A request is not slowed down by it either.

What a token allows is a set of scopes.  Whoever acts by a token may do what the person may do
*and* a scope of the token covers.  The scope ``read`` covers whatever is only read, the others
cover changes, too.

Each token is a persistent object of its own, and so is the note of its last use: to revoke one, to
make another and to use a third are never in each other's way.  The module path of the persistent
classes is a database format.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent import Persistent

from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.presence import committed
from waeup.kofa.scopes import SCOPES, Scope

log = logging.getLogger(__name__)

#: Every token begins with this; by it programs that look for leaked secrets find tokens.
PREFIX = "kofa_"
#: What a token looks like.
SHAPE = re.compile(r"kofa_(?P<id>[0-9a-f]{12})_(?P<secret>[0-9a-f]{64})", re.ASCII)
#: Days for which a token is valid: usually, and at most.
USUAL_DAYS, MAX_DAYS = 90, 366
#: Characters of a title at most.
MAX_TITLE = 80
#: Valid tokens of an account at most.
MOST = 20
#: How long a token is listed after its end, and how many such of an account at most.
KEPT, MOST_ENDED = timedelta(days=90), 20
#: How long before the end of a token its owner is told.
TELL = timedelta(days=7)
#: Bytes of the random parts of a token: its name, and its secret.
_ID_BYTES, _SECRET_BYTES = 6, 32
#: Characters of an address that are kept; the longest of IPv6 with a zone has fewer.
_MAX_ADDRESS = 64
# A BTree that is empty before or after a change cannot be merged with the change of somebody
# else: one key that is no name stays in it.
_KEEPER = ""
#: What a text is compared with that names no token, so that the answer takes the same time.
_NOTHING = bytes(hashlib.sha256().digest_size)

# -- what a valid token allows ---------------------------------------------------------


@dataclass(frozen=True)
class Grant:
    """What a valid token allows: to act for `user`, within `scopes`, until `expires` (UTC).

    `is_reading` says that the request changes nothing for certain, as the door knows: only then
    the scopes of reading count.  See `for_reading`.
    """

    id: str
    user: str
    scopes: frozenset[str]
    expires: datetime
    title: str = ""
    is_reading: bool = False

    def for_reading(self) -> "Grant":
        """Return the grant for a request that changes nothing."""
        return replace(self, is_reading=True)

    def for_changes(self) -> "Grant":
        """Return the grant for a request that changes something."""
        return replace(self, is_reading=False)

    def covers(self, permission: str) -> bool:
        """Tell whether a scope covers a permission for this request."""
        return any(scope.covers(permission) for scope in self._counting())

    def has(self, *scopes: str) -> bool:
        """Tell whether one of `scopes` is among those that count for this request."""
        return any(
            SCOPES[name].is_reading <= self.is_reading for name in self.scopes & set(scopes)
        )

    def _counting(self) -> Iterator[Scope]:
        """Generate the scopes that count; one of a later version of Kofa does not."""
        for name in self.scopes:
            scope = SCOPES.get(name)
            if scope is not None and scope.is_reading <= self.is_reading:
                yield scope


# -- what is kept --------------------------------------------------------------------


class Use(Persistent):
    """When a token was used last, to the minute (UTC, None: never), and from which address."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.address = ""

    def note(self, at: datetime, address: str) -> None:
        """Keep a use, unless a later one is kept already."""
        if self.at is None or self.at < at:
            self.at, self.address = at, address

    def _p_resolveConflict(
        self, old: Mapping[str, Any], saved: Mapping[str, Any], new: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the later one of two uses at the same time (see ZODB)."""
        return dict(max(saved, new, key=lambda state: state["at"]))


class Token(Persistent):
    """A token of the account `user`; times are in UTC.  See the module for what is kept of it.

    It is changed when it is `revoked` by somebody, and when its owner was `told` of its end.
    """

    revoked: datetime | None = None
    revoked_by = ""
    told = False

    def __init__(
        self,
        id: str,
        user: str,
        title: str,
        scopes: Iterable[str],
        digest: bytes,
        made: datetime,
        expires: datetime,
    ) -> None:
        self.id = id
        self.user = user
        self.title = title
        self.scopes = tuple(scopes)
        self.digest = digest
        self.made = made
        self.expires = expires
        self.use = Use()

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the token is neither revoked nor expired."""
        return self.revoked is None and now < self.expires

    @property
    def end(self) -> datetime:
        """When it was revoked, or else when it expires."""
        return self.expires if self.revoked is None else min(self.revoked, self.expires)

    def revoke(self, by: str, now: datetime) -> None:
        """Let the token be of no use from now on."""
        self.revoked, self.revoked_by = now, by


class Held(Persistent):
    """The ids of the tokens of one account; two who make one at the same time get a conflict."""

    def __init__(self) -> None:
        self.ids: tuple[str, ...] = ()


class Tokens(Persistent):
    """All tokens of a portal, kept at its container of accounts.

    `made` is how many there ever were.  It grows with each one, so that who ends all tokens of an
    account can make sure that none is added at the same time.
    """

    def __init__(self) -> None:
        self.made = Length()
        self._tokens = OOBTree({_KEEPER: None})
        self._held = OOBTree({_KEEPER: None})

    def get(self, id: str) -> Token | None:
        """Return a token, or None."""
        found: Token | None = self._tokens.get(id)
        return found

    def all(self) -> list[Token]:
        """Return all tokens."""
        return [token for token in self._tokens.values() if token is not None]

    def of(self, user: str) -> list[Token]:
        """Return the tokens of an account, the newest first."""
        held = self._held.get(user)
        ids = () if held is None else held.ids
        found = (self._tokens[id] for id in ids)
        return sorted(found, key=lambda token: (token.made, token.id), reverse=True)

    def add(self, token: Token) -> None:
        """Keep a new token."""
        held = self._held.get(token.user)
        if held is None:
            held = self._held[token.user] = Held()
        held.ids = (*held.ids, token.id)
        self._tokens[token.id] = token
        self.made.change(1)

    def drop(self, token: Token) -> None:
        """Forget a token."""
        held = self._held[token.user]
        held.ids = tuple(id for id in held.ids if id != token.id)
        del self._tokens[token.id]

    def drop_all(self, user: str) -> None:
        """Forget all tokens of an account."""
        held = self._held.pop(user, None)
        for id in () if held is None else held.ids:
            del self._tokens[id]


# -- what is done with them ----------------------------------------------------------


def make_token(
    site: Any,
    user: str,
    title: str,
    scopes: Iterable[str],
    days: int,
    now: datetime | None = None,
    *,
    longest: int = MAX_DAYS,
) -> tuple[Token, str]:
    """Make a token of the account `user`; return it, and its text, which is kept nowhere.

    `longest` are the days for which it may be valid.  Raises `Refused` when the account has too
    many, or for what cannot be one: see `MAX_TITLE` and `SCOPES`.
    """
    now = _time(now)
    title, wanted = _checked(title, scopes, days, longest)
    # The account is not removed at the same time, and its password is not changed: see `drop_all`.
    _stays_as_it_is(site["users"][user])
    tokens = _ensure_tokens(site)
    _forget_ended(tokens, user, now)
    if sum(token.is_valid(now) for token in tokens.of(user)) >= MOST:
        raise Refused(
            _(
                "There are ${n} valid tokens of this account, which is the most. Revoke one that "
                "no program needs any more.",
                mapping={"n": Number(MOST)},
            )
        )
    id = secrets.token_hex(_ID_BYTES)
    while tokens.get(id) is not None:
        id = secrets.token_hex(_ID_BYTES)
    secret = secrets.token_hex(_SECRET_BYTES)
    token = Token(id, user, title, wanted, _digest(secret), now, now + timedelta(days=days))
    tokens.add(token)
    return token, f"{PREFIX}{id}_{secret}"


def authenticate(site: Any, text: Any, now: datetime | None = None) -> Grant | None:
    """Return what a token allows, or None for a text that is no valid one (any more).

    None as well for a token of an account that is suspended or gone.  `now` is in UTC.
    """
    found = SHAPE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    tokens = _tokens_of(site)
    token = None if tokens is None else tokens.get(found["id"])
    fits = hmac.compare_digest(_digest(found["secret"]), token.digest if token else _NOTHING)
    if token is None or not fits or not token.is_valid(_time(now)):
        return None
    account = site["users"].get(token.user)
    if account is None or account.suspended:
        return None
    return Grant(token.id, token.user, frozenset(token.scopes), token.expires, token.title)


def touch(site: Any, id: str, now: datetime | None = None, address: str = "") -> None:
    """Note that a token is used, from `address`; that is written once a minute at most.

    It is written in a transaction of its own, and is no part of what the caller does.  When it
    fails, that is said in the log of the process only.
    """
    token = get_token(site, id)
    at = _time(now).replace(second=0, microsecond=0)
    use = None if token is None else token.use
    if use is None or (use.at is not None and use.at >= at):
        return
    address = address[:_MAX_ADDRESS]
    if use._p_jar is None:
        # The token is made in this transaction, or there is no database.
        use.note(at, address)
        return
    oid = use._p_oid
    try:
        committed(use._p_jar.db(), lambda connection: connection.get(oid).note(at, address))
    except Exception as error:
        log.warning("The last use of the token %s was not noted: %r", id, error)


def get_token(site: Any, id: str) -> Token | None:
    """Return a token by its id, or None."""
    tokens = _tokens_of(site)
    return None if tokens is None or id == _KEEPER else tokens.get(id)


def keep_as_it_is(site: Any, id: str) -> None:
    """Let this transaction have a conflict when the token is revoked before it commits."""
    token = get_token(site, id)
    if token is not None:
        _stays_as_it_is(token)


def tokens_of(site: Any, user: str) -> list[Token]:
    """Return the tokens of an account, the newest first; those of before are among them."""
    tokens = _tokens_of(site)
    return [] if tokens is None else tokens.of(user)


def ending(site: Any, now: datetime) -> list[Token]:
    """Return the tokens that end soon, and whose owners do not know: see `TELL` and `Token.told`.

    Those are not among them that were made for such a short time.
    """
    tokens = _tokens_of(site)
    return [
        token
        for token in (() if tokens is None else tokens.all())
        if token.is_valid(now) and not token.told and token.made < token.expires - TELL <= now
    ]


def revoke_all(users: Any, user: str, by: str, now: datetime | None = None) -> list[Token]:
    """Revoke all valid tokens of an account, which is changed; return them.

    `users` is the container of accounts.  Of somebody who makes a token of the account at the same
    time, and who calls this, one gets a conflict.
    """
    now = _time(now)
    tokens = _all_that_are(users)
    revoked = [] if tokens is None else [each for each in tokens.of(user) if each.is_valid(now)]
    for token in revoked:
        token.revoke(by, now)
    return revoked


def drop_all(users: Any, user: str) -> None:
    """Forget all tokens of an account, which is removed; the same holds as for `revoke_all`."""
    tokens = _all_that_are(users)
    if tokens is not None:
        tokens.drop_all(user)


# -- helpers -------------------------------------------------------------------------


def _tokens_of(site: Any) -> Tokens | None:
    found: Tokens | None = site["users"].tokens
    return found


def _all_that_are(users: Any) -> Tokens | None:
    """Return all tokens, or None, and make sure that no other is made at the same time."""
    found: Tokens | None = users.tokens
    _stays_as_it_is(users if found is None else found.made)
    return found


def _stays_as_it_is(obj: Any) -> None:
    """Let this transaction have a conflict when another one changes an object meanwhile."""
    if obj._p_jar is not None:
        # An object that is not loaded has no serial, by which that could be known.
        obj._p_activate()
        obj._p_jar.readCurrent(obj)


def _ensure_tokens(site: Any) -> Tokens:
    users = site["users"]
    if users.tokens is None:
        users.tokens = Tokens()
    found: Tokens = users.tokens
    return found


def _forget_ended(tokens: Tokens, user: str, now: datetime) -> None:
    """Forget the tokens of an account that ended long ago, or that are too many."""
    ended = [token for token in tokens.of(user) if not token.is_valid(now)]
    ended.sort(key=lambda token: token.end, reverse=True)
    for number, token in enumerate(ended):
        if number >= MOST_ENDED or token.end < now - KEPT:
            tokens.drop(token)


def _checked(
    title: str, scopes: Iterable[str], days: int, longest: int
) -> tuple[str, tuple[str, ...]]:
    """Return title and scopes as they are kept; raises `Refused`."""
    title = "".join(sign for sign in " ".join(title.split()) if sign.isprintable())
    if not title:
        raise Refused(_("Say what the token is for: it needs a title."))
    if len(title) > MAX_TITLE:
        raise Refused(
            _(
                "The title has ${n} characters; at most ${most} are possible.",
                mapping={"n": Number(len(title)), "most": Number(MAX_TITLE)},
            )
        )
    wanted = set(scopes)
    unknown = sorted(wanted - SCOPES.keys())
    if unknown:
        raise NoSuchItem(
            _(
                "There is no scope ${repr}. There are: ${known}.",
                mapping={"repr": ", ".join(map(repr, unknown)), "known": ", ".join(SCOPES)},
            )
        )
    if not wanted:
        raise Refused(_("Choose at least one thing that the token allows."))
    if not 1 <= days <= longest:
        raise Refused(
            _(
                "A token is valid for 1 to ${most} days.",
                mapping={"most": Number(longest)},
            )
        )
    return title, tuple(name for name in SCOPES if name in wanted)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _time(now: datetime | None) -> datetime:
    return datetime.now(timezone.utc) if now is None else now
