"""Operations on tokens, by which programs act for officers: the own ones, and those of others.

Only people make and revoke them: who acts by a token can neither make another one, nor revoke
any, whatever it allows.
"""

from collections.abc import Iterable
from datetime import datetime, timezone

from waeup.kofa import tokens
from waeup.kofa.configuration import configuration_of
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations.people import OWN_SCOPES, PeopleOperations
from waeup.kofa.operations.values import NewToken, TokenInfo
from waeup.kofa.rights import MANAGE_USERS
from waeup.kofa.tokens import MAX_DAYS, USUAL_DAYS, Token


class TokenOperations(PeopleOperations):
    """See `waeup.kofa.operations.Operations`."""

    def longest_token(self) -> int:
        """Return for how many days a new token is valid at most."""
        return configuration_of(self.site).token_days or MAX_DAYS

    def tokens(self) -> list[TokenInfo]:
        """List the tokens of the own account, the newest first; those that ended lately, too."""
        self._require_scope(*OWN_SCOPES)
        return self._infos(self._own().name)

    def this_token(self) -> TokenInfo:
        """Return the token by which a program acts; raises `NoSuchItem` for who uses none."""
        token = None if self.grant is None else tokens.get_token(self.site, self.grant.id)
        if token is None:
            raise NoSuchItem(_("You do not act by a token."))
        return _info(token, _now())

    def tokens_of(self, user: str) -> list[TokenInfo]:
        """List the tokens of an account, as `tokens` does; raises `NoSuchItem`."""
        self._require(MANAGE_USERS)
        return self._infos(self._account(user).name)

    def new_token(self, title: str, scopes: Iterable[str], days: int | None = None) -> NewToken:
        """Make a token of the own account, which is valid for `days`; its text is kept nowhere.

        `scopes` are names of `waeup.kofa.scopes.SCOPES`.  Without `days` it is valid as long as
        is usual.  Raises `Refused` when the account has too many, and for what cannot be one.
        """
        self._require_no_token()
        longest = self.longest_token()
        token, text = tokens.make_token(
            self.site,
            self._own().name,
            title,
            scopes,
            min(USUAL_DAYS, longest) if days is None else days,
            longest=longest,
        )
        self._tell(
            "Token made: %s, title=%s, scopes=%s, expires=%s",
            token.id,
            token.title,
            " ".join(token.scopes),
            token.expires.isoformat(timespec="seconds"),
        )
        return NewToken(_info(token, token.made), text)

    def revoke_token(self, id: str) -> None:
        """Let a token be of no use from now on; one that has ended is left as it is.

        Who manages users can revoke those of the accounts that he may change, too.  Raises
        `NoSuchItem`.
        """
        self._require_no_token()
        token = tokens.get_token(self.site, id)
        is_own = token is not None and token.user == self.principal.id
        if token is None or not (is_own or self.may(MANAGE_USERS)):
            # Who may not know of it gets the same answer.
            raise NoSuchItem(
                _("There is no token ${id} (any more). Look at the list.", mapping={"id": id})
            )
        if not is_own:
            self._changeable(token.user)
        now = _now()
        if token.is_valid(now):
            token.revoke(self.principal.id, now)
            self._tell("Token revoked: %s of %s", token.id, token.user)

    def _infos(self, user: str) -> list[TokenInfo]:
        now = _now()
        return [_info(token, now) for token in tokens.tokens_of(self.site, user)]


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _info(token: Token, now: datetime) -> TokenInfo:
    """Return a token as it is shown at a time."""
    return TokenInfo(
        token.id,
        token.user,
        token.title,
        token.scopes,
        token.made,
        token.expires,
        "revoked" if token.revoked else "valid" if token.is_valid(now) else "expired",
        token.use.at,
        token.use.address,
        token.revoked,
        token.revoked_by,
    )
