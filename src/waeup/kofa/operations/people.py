"""Operations on accounts.

Nobody gives a right that he does not have: neither by a role, nor by taking over
an account that has more rights.
"""

from collections.abc import Iterable
from typing import Any

from zope.component import createObject
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent

from waeup.kofa.errors import NameTaken, NoSuchItem, NotAllowed, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations.acting import Acting
from waeup.kofa.operations.values import UserInfo
from waeup.kofa.permissions import get_waeup_roles, roles_beyond

USERS = "waeup.manageUsers"
#: Characters that a password set by a person must have.
MIN_PASSWORD = 8


class PeopleOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def users(self) -> list[UserInfo]:
        """List the user accounts, sorted by name."""
        self._require(USERS)
        return [
            UserInfo(
                name=account.name,
                title=account.title,
                email=account.email,
                roles=tuple(account.roles),
                suspended=bool(account.suspended),
            )
            for _, account in sorted(self.site["users"].items())
        ]

    def roles(self) -> list[tuple[str, str]]:
        """List the portal-wide roles: pairs of id and title."""
        self._require(USERS)
        return [(role.id, str(role.title)) for role in get_waeup_roles()]

    def add_user(
        self,
        name: str,
        title: str,
        password: str,
        roles: Iterable[str] = (),
        email: str | None = None,
    ) -> None:
        """Make a user account."""
        self._require(USERS)
        if name in self.site["users"]:
            raise NameTaken(
                _(
                    "There is a user ${name} already. Choose another name.",
                    mapping={"name": repr(name)},
                )
            )
        _check_length(password)
        wanted = self._grantable(roles)
        account = createObject(
            "waeup.UserAccount", name=name, title=title, email=email, roles=wanted
        )
        account.setPassword(password)
        self.site["users"].addUser(account)
        self._tell("User added: %s, roles=%s", name, ", ".join(wanted))

    def set_password(self, name: str, password: str) -> None:
        """Give a user a new password; sessions of the account end."""
        self._require(USERS)
        _check_length(password)
        self._changeable(name).setPassword(password)
        self._tell("Password set: %s", name)

    def set_roles(self, name: str, roles: Iterable[str]) -> None:
        """Give a user these roles and no others."""
        self._require(USERS)
        account = self._changeable(name)
        wanted = self._grantable(roles)
        if name == self.principal.id and not set(account.roles) <= set(wanted):
            raise Refused(
                _("You cannot take roles from your own account. Let another administrator do it.")
            )
        account.roles = wanted
        notify(ObjectModifiedEvent(account))
        self._tell("Roles set: %s, roles=%s", name, ", ".join(account.roles))

    def remove_user(self, name: str) -> None:
        """Remove a user account."""
        self._require(USERS)
        self._changeable(name)
        if name == self.principal.id:
            raise Refused(
                _("You cannot remove your own account. Let another administrator do it.")
            )
        del self.site["users"][name]
        self._tell("User removed: %s", name)

    # -- helpers ------------------------------------------------------------------------

    def _tell(self, message: str, *args: Any) -> None:
        self._log(message, *args, component=self.site["users"])

    def _changeable(self, name: str) -> Any:
        account = self.site["users"].get(name)
        if account is None:
            names = ", ".join(sorted(self.site["users"]))
            raise NoSuchItem(
                _(
                    "There is no user ${name}. There are: ${names}.",
                    mapping={"name": repr(name), "names": names},
                )
            )
        beyond = roles_beyond(self.may, account.roles)
        if beyond:
            raise NotAllowed(
                _(
                    "The account ${name} has rights that you lack (${beyond}). Let somebody "
                    "change it who has them.",
                    mapping={"name": name, "beyond": ", ".join(beyond)},
                )
            )
        return account

    def _grantable(self, roles: Iterable[str]) -> list[str]:
        known = dict(self.roles())
        wanted = list(roles)
        unknown = [role for role in wanted if role not in known]
        if unknown:
            raise NoSuchItem(
                _(
                    "There is no role ${repr}. There are: ${known}.",
                    mapping={"repr": ", ".join(map(repr, unknown)), "known": ", ".join(known)},
                )
            )
        beyond = roles_beyond(self.may, wanted)
        if beyond:
            raise NotAllowed(
                _(
                    "You cannot give the role ${beyond}: it has rights that you lack. Let "
                    "somebody give it who has them.",
                    mapping={"beyond": ", ".join(beyond)},
                )
            )
        return wanted


def _check_length(password: str) -> None:
    if len(password) < MIN_PASSWORD:
        raise Refused(
            _(
                "The password has ${number} characters; at least ${min_password} are "
                "required. Choose a longer one.",
                mapping={"number": len(password), "min_password": MIN_PASSWORD},
            )
        )
