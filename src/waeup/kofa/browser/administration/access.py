"""Access for programs: the tokens of the own account, and those of others where that is asked for.

What is allowed is known to `waeup.kofa.operations.tokens`; here it is asked for and shown.
"""

from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.page import Crumb, FormPage
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.operations import NewToken, TokenInfo
from waeup.kofa.scopes import READ, SCOPES, Scope
from waeup.kofa.tokens import MAX_TITLE, USUAL_DAYS

#: How long before its end a token is said to end soon.
SOON = timedelta(days=14)


class TokenList(FormPage):
    """A page with a list of tokens, which can be revoked there."""

    grok.baseclass()

    #: Names of buttons and methods, for the `buttons` of a page.
    token_buttons = {"askrevoke": "ask_revoke", "revoke": "revoke"}
    #: The list; of nothing but the one that is about to be revoked, that one and a question.
    show_tokens = ViewPageTemplateFile("tokenlist.pt")
    #: The token that is to be revoked once that is confirmed.
    revoking: TokenInfo | None = None
    may_revoke = True
    list_title = _("Access for programs")
    scopes = SCOPES

    @property
    def here(self) -> str:
        """The address of this page."""
        raise NotImplementedError

    @property
    def listed(self) -> list[TokenInfo]:
        """The tokens of the account."""
        raise NotImplementedError

    @property
    def in_order(self) -> list[TokenInfo]:
        """The tokens as they are shown: first those that programs can use."""
        return sorted(self.listed, key=lambda token: not token.is_valid)

    @property
    def hidden_fields(self) -> dict[str, str]:
        """What the forms of the list send along, by name."""
        return {}

    def token_state(self, token: TokenInfo) -> tuple[Any, str]:
        """Say of what use a token is, and how that looks."""
        if token.revoked is not None:
            by = {"name": token.revoked_by, "day": self.date(token.revoked)}
            return _("Revoked by ${name}, ${day}", mapping=by), "bad"
        if not token.is_valid:
            return _("Expired"), "warn"
        if token.expires - datetime.now(timezone.utc) < SOON:
            return _("Ends soon"), "warn"
        return _("Valid"), "good"

    def scope_titles(self, token: TokenInfo) -> str:
        """Return in words what a token allows."""
        titles = (SCOPES[name].title if name in SCOPES else name for name in token.scopes)
        return ", ".join(map(self.words, titles))

    def ask_revoke(self) -> None:
        """Ask whether a token is to be revoked."""
        self.revoking = self._listed_token(self.field("askrevoke"))

    def revoke(self) -> None:
        """Revoke the token that was asked for."""
        token = self._listed_token(self.field("id"))
        self.operations.revoke_token(token.id)
        text = _("The token “${title}” is revoked.", mapping={"title": token.title})
        self.flash(text)
        self.redirect(self.here)

    def _listed_token(self, id: str) -> TokenInfo:
        for token in self.listed:
            if token.id == id:
                return token
        raise NoSuchItem(
            _("There is no token ${id} (any more). Look at the list.", mapping={"id": id})
        )


class Access(TokenList):
    """The tokens of the own account, and a form that makes one."""

    grok.context(IUniversity)
    grok.name("access")
    grok.require("waeup.Authenticated")
    grok.template("access")

    buttons = {"make": "make", **TokenList.token_buttons}
    label = _("Access for programs")
    list_title = _("Your tokens")
    section = _("Your account")
    tab = "account"
    max_title = MAX_TITLE
    #: The token that was made just now, with its text, which is shown once.
    made: NewToken | None = None

    def __init__(self, context: Any, request: Any) -> None:
        super().__init__(context, request)
        self.errors: dict[str, Any] = {}

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the account."""
        return [
            Crumb(_("Home"), self.url(self.site)),
            Crumb(_("Your account"), self.url(self.site, "account")),
        ]

    @cached_property
    def here(self) -> str:
        """See `TokenList`."""
        return self.url(self.site, "access")

    @property
    def listed(self) -> list[TokenInfo]:
        """See `TokenList`."""
        return self.operations.tokens()

    @cached_property
    def longest(self) -> int:
        """For how many days a token can be valid."""
        return self.operations.longest_token()

    @property
    def entered_days(self) -> str:
        """What stands in the field of days."""
        if "make" in self.request.form and self.made is None:
            return self.field("days")
        return str(min(USUAL_DAYS, self.longest))

    @property
    def entered_title(self) -> str:
        """What stands in the field of the title."""
        return "" if self.made is not None else self.field("title")

    @property
    def offered(self) -> list[tuple[str, Scope, bool]]:
        """The scopes of which something is of use to the person: name, scope, and if checked."""
        chosen = () if self.made is not None else self.fields("scopes")
        return [
            (name, scope, name in chosen)
            for name, scope in SCOPES.items()
            if name == READ or any(map(self.may, scope.permissions))
        ]

    def described_by(self, name: str, *more: str) -> str | None:
        """Return the ids of what explains a field to a screen reader."""
        ids = [*more, *([f"{name}-error"] if name in self.errors else [])]
        return " ".join(ids) or None

    def make(self) -> None:
        """Make a token, and show its text."""
        title, scopes, days = self.field("title"), self.fields("scopes"), self.field("days")
        if not title.strip():
            self.errors["title"] = _("Please fill in this field.")
        if not scopes:
            self.errors["scopes"] = _("Choose at least one thing that the token allows.")
        is_number = days.isascii() and days.isdigit() and len(days) < 10
        if not is_number or not 1 <= int(days) <= self.longest:
            self.errors["days"] = _(
                "A token is valid for 1 to ${most} days.",
                mapping={"most": self.number(self.longest)},
            )
        if self.errors:
            self.response.setStatus(400)
            self.say(_("Nothing was changed: see what is said at the fields."), "danger")
            return
        self.require_first_time()
        # It is kept nowhere, so it cannot be told by another page.
        self.made = self.operations.new_token(title, scopes, int(days))
