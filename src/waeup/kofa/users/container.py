"""The container of all accounts of a portal."""

from typing import Any

import grok
from zope.interface import implementer

from waeup.kofa.errors import InvalidName, NameTaken, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.logger import Logger
from waeup.kofa.permissions import ADMINISTRATOR
from waeup.kofa.tokens import Tokens  # noqa: F401  (in a type comment)
from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer, is_user_name


@implementer(IUsersContainer)
class UsersContainer(grok.Container, Logger):
    """See `IUsersContainer`.  Logs into the portal's main log."""

    #: How often an administrator went; who changes it gets a conflict with everybody who does.
    lost_administrators = 0
    #: The tokens of all accounts; made with the first one.
    tokens = None  # type: Tokens | None

    def __setitem__(self, name: str, account: Any) -> None:
        if not IUserAccount.providedBy(account):
            raise TypeError("UsersContainer takes IUserAccount objects only.")
        if name != account.name:
            raise ValueError(f"Key {name!r} is not the name of the account, {account.name!r}.")
        if not is_user_name(name):
            raise InvalidName(
                _(
                    "${name} cannot name an account: use up to 64 letters, digits, _, -, @ "
                    "and dots, and begin with a letter or digit, but not with 'zope.'.",
                    mapping={"name": repr(name)},
                )
            )
        if name in self:
            raise NameTaken(
                _(
                    "There is an account ${name} already; choose another name.",
                    mapping={"name": repr(name)},
                )
            )
        super().__setitem__(name, account)

    def addUser(self, account: Any) -> None:
        """See `IUsersContainer`."""
        self[account.name] = account

    def lose_administrator(self, account: Any) -> None:
        """See `IUsersContainer`."""
        if not is_administrator(account):
            return
        if not any(is_administrator(other) for other in self.values() if other is not account):
            raise Refused(
                _(
                    "${name} is the last Portal Manager who can log in: without one, nobody can "
                    "administer the portal. Give the role to somebody else before.",
                    mapping={"name": account.name},
                )
            )
        self.lost_administrators += 1


def is_administrator(account: Any) -> bool:
    """Tell whether who has the account can log in, and may do everything."""
    can_log_in = account.password is not None and not account.suspended
    return can_log_in and ADMINISTRATOR in account.roles
