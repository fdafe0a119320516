"""Accounts: who may log in, and with which roles."""

from collections.abc import Iterable

import grok
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.conversion.secret import check_password, hash_password
from waeup.kofa.users.interfaces import IUserAccount


@implementer(IUserAccount)
class UserAccount(grok.Model):
    """See `IUserAccount`.

    What the roles are good for is known to the site's role manager, which
    `waeup.kofa.users.subscribers` keeps in step.
    """

    public_name = None
    description = None
    phone = None
    suspended = False
    #: The hash; None while nobody can log in.  The type is a comment: zope.annotation would take
    #: what the class has for the annotations of all its objects.
    password = None  # type: str | None

    def __init__(
        self,
        name: str | None = None,
        title: str | None = None,
        email: str | None = None,
        roles: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.name = name
        self.title = title
        self.email = email
        self.roles = roles

    @property
    def roles(self) -> list[str]:
        """See `IUserAccount`; a new list each time, assign one to change the roles."""
        return list(self._roles)

    @roles.setter
    def roles(self, roles: Iterable[str] | None) -> None:
        self._roles = tuple(dict.fromkeys(roles or ()))

    def setPassword(self, text: str) -> None:
        """See `IUserAccount`."""
        self.password = hash_password(text)

    def checkPassword(self, text: str) -> bool:
        """See `IUserAccount`."""
        if self.suspended or self.password is None:
            return False
        return check_password(text, self.password)


grok.global_utility(
    Factory(UserAccount, "User Account", "", (IUserAccount,)),
    provides=IFactory,
    name="waeup.UserAccount",
    direct=True,
)
