"""Accounts on pages, for who manages users: the list, one account, a new one, and the roles.

What is allowed is known to `waeup.kofa.operations.people`; here it is asked for and shown.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import grok
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.administration.access import TokenList
from waeup.kofa.browser.administration.peoplewords import PERMISSIONS, role_texts, role_title
from waeup.kofa.browser.administration.tasks import AdministrationPage
from waeup.kofa.browser.forms import FormField, SchemaFormPage
from waeup.kofa.browser.page import Crumb
from waeup.kofa.browser.paging import PAGES, Part, paged
from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations import RoleInfo, TokenInfo, UserInfo
from waeup.kofa.operations.passwords import new_password
from waeup.kofa.operations.people import FIELDS
from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer

PERMISSION = "waeup.manageUsers"
#: Accounts on a page.
SIZE = 25
#: Value of the filter for accounts without any role.
NO_ROLE = "none"


class RoleBox(NamedTuple):
    """A role as the form shows it."""

    name: str
    title: Any
    texts: list[Any]
    is_checked: bool
    may_give: bool


class PeoplePage(AdministrationPage):
    """A page about accounts."""

    grok.baseclass()

    show_pages = PAGES
    #: The roles as a group of boxes.
    show_roles = ViewPageTemplateFile("roleboxes.pt")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`; the list of users is on the way."""
        return [*super().crumbs, Crumb(_("Users"), self.link("users"))]

    @cached_property
    def known_roles(self) -> list[RoleInfo]:
        """All roles."""
        return self.operations.roles()

    def role_titles(self, names: Iterable[str]) -> list[str]:
        """Return what people call roles."""
        titles = {role.name: role_title(role) for role in self.known_roles}
        return [self.words(titles.get(name, name)) for name in names]

    def user_link(self, name: str) -> str:
        """Return the address of an account."""
        return self.link("user", name=name)

    def role_boxes(self, chosen: Iterable[str]) -> list[RoleBox]:
        """Return the roles with those checked that are chosen."""
        chosen = set(chosen)
        return [
            RoleBox(
                role.name, role_title(role), role_texts(role), role.name in chosen, role.may_give
            )
            for role in self.known_roles
        ]

    def state(self, user: UserInfo) -> tuple[Any, str]:
        """Say whether people can log in with an account, and how that looks."""
        if user.suspended:
            return _("Suspended"), "bad"
        if not user.has_password:
            return _("No password"), "warn"
        if user.has_foreign_password:
            return _("New password"), "info"
        return _("Active"), "good"

    def typed_password(self) -> str | None:
        """Return the password that was typed twice, None after telling what is wrong."""
        password = self.field("password")
        if password != self.field("again"):
            text = _("The two passwords are not the same. Nothing was changed: type them again.")
            self.response.setStatus(400)
            self.say(text, "danger")
            return None
        return password


class Users(PeoplePage):
    """The accounts: search (``q=``), filter by role (``role=``), page by page.

    The portal's container of accounts has the name that the page has, so it is its view.
    """

    grok.context(IUsersContainer)
    grok.name("index")
    grok.require(PERMISSION)

    label = _("Users")

    @property
    def crumbs(self) -> list[Crumb]:
        """See `Page`."""
        return super().crumbs[:-1]

    def update(self) -> None:
        """Find the accounts."""
        self.sought, self.role = self.field("q").strip(), self.field("role")
        self.all = self.operations.users()
        found = [user for user in self.all if self._fits(user)]
        self.part: Part = paged(found, self.field("page"), SIZE)

    def _fits(self, user: UserInfo) -> bool:
        if self.role == NO_ROLE:
            if user.roles:
                return False
        elif self.role and self.role not in user.roles:
            return False
        texts = (user.name, user.title, user.public_name, user.email)
        return self.sought.casefold() in "\n".join(filter(None, texts)).casefold()

    @property
    def choices(self) -> list[tuple[str, Any]]:
        """What can be chosen as role."""
        return [
            ("", _("All roles")),
            *((role.name, role_title(role)) for role in self.known_roles),
            (NO_ROLE, _("Without any role")),
        ]

    def to_page(self, number: int) -> str:
        """Return the address of a page of the list."""
        data = {"q": self.sought, "role": self.role, "page": str(number)}
        return self.link("users", **{name: text for name, text in data.items() if text})


class AddUser(PeoplePage, SchemaFormPage):
    """Makes an account."""

    grok.name("adduser")
    grok.require(PERMISSION)

    buttons = {"add": "add"}
    label = _("Add a user")
    names = ("name", *FIELDS)
    #: Name and password of the account that was made, the password '' if it was typed.
    added: tuple[str, str] | None = None

    def prepare(self) -> None:
        """Gather the fields."""
        empty = dict.fromkeys(self.names)
        self.shown: list[FormField] = self.form_fields(IUserAccount, empty, self.names)
        self.boxes = self.role_boxes(self.fields("roles"))
        self.is_lasting = self.was_sent and not self.field("temporary")

    def add(self) -> None:
        """Make the account."""
        values = self.entered(IUserAccount, self.names)
        if self.say_errors():
            return
        password = self.typed_password()
        if password is None:
            return
        made = "" if password else new_password()
        name, title, email = values.pop("name"), values.pop("title"), values.pop("email")
        self.operations.add_user(
            name,
            title,
            password or made,
            self.fields("roles"),
            email,
            more=values,
            lasting=not self.field("temporary"),
        )
        if not made:
            self.flash(_("The account ${name} was added.", mapping={"name": name}))
            self.redirect(self.user_link(name))
        else:
            # It is kept nowhere, so it cannot be told by another page.
            self.added = (name, made)


class User(PeoplePage, SchemaFormPage, TokenList):
    """An account (``name=``), and what can be done with it."""

    grok.name("user")
    grok.require(PERMISSION)

    buttons = {
        "save": "save",
        "setpassword": "set_password",
        "generate": "generate",
        "suspend": "suspend",
        "resume": "resume",
        "endsessions": "end_sessions",
        "ask": "ask",
        "remove": "remove",
        **TokenList.token_buttons,
    }
    section = _("Users")
    #: The password that was made; shown once.
    made = ""
    is_asking = False

    @cached_property
    def name(self) -> str:
        """The name of the account."""
        return self.field("name")

    @property
    def user(self) -> UserInfo:
        """The account as it is now."""
        return self.operations.user(self.name)

    @property
    def label(self) -> Any:
        """Who it is."""
        return self.user.title

    @property
    def here(self) -> str:
        """The address of this page."""
        return self.user_link(self.name)

    @property
    def listed(self) -> list[TokenInfo]:
        """See `TokenList`."""
        return self.operations.tokens_of(self.name)

    @property
    def valid_tokens(self) -> int:
        """How many tokens of the account programs can use."""
        return sum(token.is_valid for token in self.listed)

    @property
    def hidden_fields(self) -> dict[str, str]:
        """See `TokenList`."""
        return {"name": self.name}

    @property
    def is_own(self) -> bool:
        """Whether it is the account of the person who asks."""
        return self.name == self.request.principal.id

    @property
    def was_sent(self) -> bool:
        """See `SchemaFormPage`; other buttons send no fields."""
        return "save" in self.request.form

    def prepare(self) -> None:
        """Gather what is shown."""
        self.present = self.user
        self.may_revoke = self.present.may_change
        self.shown: list[FormField] = self.form_fields(IUserAccount, self.present, FIELDS)
        chosen = self.fields("roles") if self.was_sent else self.present.roles
        self.boxes = self.role_boxes(chosen)
        self.runs = self.operations.runs_under_way(self.name) if self.is_asking else 0

    def save(self) -> None:
        """Keep what was entered."""
        values = self.entered(IUserAccount, FIELDS)
        if self.say_errors():
            return
        changed = self.tried(
            lambda: self.operations.change_user(
                self.name, values, self.fields("roles"), self.field("version")
            ),
            lambda: self._tell_present(values),
        )
        if changed is None:
            return
        self.flash(_("The account was changed.") if changed else _("Nothing was changed."))
        self.redirect(self.here)

    def _tell_present(self, values: dict[str, Any]) -> None:
        """Say beside each field what is there now, where that is something else."""
        present = self.user
        self.tell_present(present, values)
        if set(present.roles) != set(self.fields("roles")):
            titles = ", ".join(self.role_titles(present.roles)) or self.words(_("none"))
            self.notes["roles"] = _("Set now: ${value}.", mapping={"value": titles})

    def set_password(self) -> None:
        """Give the account the password that was typed twice."""
        password = self.typed_password()
        if password is None:
            return
        if not password:
            raise Refused(_("Type a password twice, or let one be made."))
        self._set(password)
        self.flash(
            _(
                "The password was set. All sessions of the account have ended, and its tokens are "
                "revoked."
            )
        )
        self.redirect(self.here)

    def generate(self) -> None:
        """Give the account a password that nobody has thought of, and show it once."""
        self.require_first_time()
        password = new_password()
        self._set(password)
        self.made = password

    def _set(self, password: str) -> None:
        if self.is_own:
            raise Refused(_("Your own password is changed on the page of your account."))
        lasting = not self.field("temporary")
        self.operations.set_password(self.name, password, lasting=lasting)

    def suspend(self) -> None:
        """Let nobody log in with it."""
        self.operations.suspend_user(self.name, self.field("version"))
        self._done(_("The account is suspended. Nobody can log in with it."))

    def resume(self) -> None:
        """Let people log in with it again."""
        self.operations.resume_user(self.name, self.field("version"))
        self._done(_("The account can be used again."))

    def end_sessions(self) -> None:
        """Log it out everywhere."""
        if self.is_own:
            raise Refused(_("Your own sessions are ended on the page of your account."))
        self.operations.end_sessions(self.name)
        self._done(_("All sessions of the account have ended."))

    def ask(self) -> None:
        """Show what a removal does, and ask for it."""
        self.is_asking = True

    def remove(self) -> None:
        """Remove the account."""
        self.operations.remove_user(self.name, self.field("version"))
        self.flash(_("The account ${name} was removed.", mapping={"name": self.name}))
        self.redirect(self.link("users"))

    def _done(self, text: Any) -> None:
        self.flash(text)
        self.redirect(self.here)


class Roles(PeoplePage):
    """What each role allows, and who has it."""

    grok.name("roles")
    grok.require(PERMISSION)

    label = _("Roles")
    permissions = PERMISSIONS
    role_title = staticmethod(role_title)

    def list_link(self, role: str) -> str:
        """Return the address of the list of those who have a role."""
        return f"{self.link('users')}?{urlencode({'role': role})}"
