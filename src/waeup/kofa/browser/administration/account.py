"""The own account: what people change of it themselves, their password, and their sessions."""

from datetime import datetime
from functools import cached_property
from typing import Any

import grok

from waeup.kofa.authentication import go_on, session_end
from waeup.kofa.browser.administration.people import PERMISSION
from waeup.kofa.browser.administration.peoplewords import role_texts, role_title
from waeup.kofa.browser.forms import FormField, SchemaFormPage
from waeup.kofa.browser.language import choose_again
from waeup.kofa.browser.login import MAX_LENGTH, client_of, local_path, throttle_of
from waeup.kofa.browser.page import Crumb, FormPage
from waeup.kofa.errors import NotAllowed, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IUniversity
from waeup.kofa.operations import UserInfo
from waeup.kofa.operations.passwords import MIN_LENGTH
from waeup.kofa.operations.people import OWN_FIELDS
from waeup.kofa.operations.webhooks import OWN_WEBHOOKS
from waeup.kofa.rights import MANAGE_PORTAL
from waeup.kofa.users.interfaces import IUserAccount


class Account(SchemaFormPage):
    """What somebody has said of himself, and where he is logged in."""

    grok.context(IUniversity)
    grok.name("account")
    grok.require("waeup.Authenticated")

    buttons = {"save": "save", "endsessions": "end_sessions"}
    label = _("Your account")
    tab = "account"

    @property
    def crumbs(self) -> list[Crumb]:
        """Home."""
        return [Crumb(_("Home"), self.url(self.site))]

    @property
    def was_sent(self) -> bool:
        """See `SchemaFormPage`; the other button sends no fields."""
        return "save" in self.request.form

    def prepare(self) -> None:
        """Gather what is shown."""
        self.present: UserInfo = self.operations.own_account()
        self.shown: list[FormField] = self.form_fields(IUserAccount, self.present, OWN_FIELDS)
        self.session_end: datetime | None = session_end(self.request)
        self.may_manage = self.may(PERMISSION)
        self.may_tell = any(map(self.may, OWN_WEBHOOKS))
        self.valid_tokens = sum(token.is_valid for token in self.operations.tokens())

    @cached_property
    def here(self) -> str:
        """The address of this page."""
        return self.url(self.site, "account")

    @property
    def own_roles(self) -> list[tuple[Any, list[Any]]]:
        """The roles that the person has, with what they allow."""
        return [(role_title(role), role_texts(role)) for role in self.operations.own_roles()]

    def save(self) -> None:
        """Keep what was entered."""
        values = self.entered(IUserAccount, OWN_FIELDS)
        if self.say_errors():
            return
        changed = self.tried(
            lambda: self.operations.change_own_account(values, self.field("version")),
            lambda: self.tell_present(self.operations.own_account(), values),
        )
        if changed is None:
            return
        text = _("Your account was changed.") if changed else _("Nothing was changed.")
        # The next page speaks the language that was chosen, and so does what it says of this one.
        choose_again(self.request)
        self.flash(text)
        self.redirect(self.here)

    def end_sessions(self) -> None:
        """End all other sessions."""
        self.operations.end_own_sessions()
        go_on(self.request)
        self.flash(_("You are logged out everywhere but here."))
        self.redirect(self.here)


class Password(FormPage):
    """Changes the own password; before anything else where somebody else has set it."""

    grok.context(IUniversity)
    grok.name("password")
    grok.require("waeup.Authenticated")

    buttons = {"change": "change"}
    label = _("Change your password")
    tab = "account"
    needs_own_password = False
    min_length = MIN_LENGTH

    @property
    def is_closed_for_maintenance(self) -> bool:  # type: ignore[override]
        """Who can open the portal may have to choose a password before."""
        return not self.may(MANAGE_PORTAL)

    def __init__(self, context: Any, request: Any) -> None:
        super().__init__(context, request)
        self.errors: dict[str, Any] = {}

    @property
    def crumbs(self) -> list[Crumb]:
        """Home, and the account."""
        if self.is_forced:
            return []
        return [
            Crumb(_("Home"), self.url(self.site)),
            Crumb(_("Your account"), self.url(self.site, "account")),
        ]

    @cached_property
    def is_forced(self) -> bool:
        """Whether nothing else is shown before the person has chosen a password."""
        return self.operations.own_account().has_foreign_password

    def prepare(self) -> None:
        """Keep the way back."""
        self.name = self.operations.own_account().name
        self.camefrom = local_path(self.field("camefrom"))
        self.valid_tokens = sum(token.is_valid for token in self.operations.tokens())

    def described_by(self, name: str, *more: str) -> str | None:
        """Return the ids of what explains a field to a screen reader."""
        ids = [*more, *([f"{name}-error"] if name in self.errors else [])]
        return " ".join(ids) or None

    def change(self) -> None:
        """Take the new password, unless the present one is wrong, or was guessed too often."""
        present, password = self.field("present"), self.field("password")
        if password != self.field("again"):
            self.errors["again"] = _("This is not the same as above. Type the new one twice.")
        if not present:
            self.errors["present"] = _("Please fill in this field.")
        if not password:
            self.errors["password"] = _("Please fill in this field.")
        if not self.errors and self._try(present, password):
            go_on(self.request)
            self.flash(_("Your password was changed. All your other sessions have ended."))
            camefrom = local_path(self.field("camefrom"))
            self.redirect(camefrom or self.url(self.site, "account"))
            return
        if self.errors:
            self.response.setStatus(400)
            self.say(_("Nothing was changed: see what is said at the fields."), "danger")

    def _try(self, present: str, password: str) -> bool:
        """Set the password; tell why if that is not done."""
        throttle = throttle_of()
        name, address = self.request.principal.id, client_of(self.request)
        wait = throttle.start(name, address)
        if wait:
            self.response.setStatus(429)
            text = _(
                "Too many failed attempts. Please wait ${seconds} seconds and try again.",
                mapping={"seconds": int(wait) + 1},
            )
            self.say(text, "danger")
            return False
        if len(present) > MAX_LENGTH:
            present = ""
        try:
            revoke = bool(self.field("revoke"))
            self.operations.set_own_password(present, password, revoke_tokens=revoke)
        except NotAllowed as refusal:
            self.errors["present"] = refusal.message
            return False
        except Refused as refusal:
            throttle.succeed(name, address)
            self.errors["password"] = refusal.message
            return False
        throttle.succeed(name, address)
        return True
