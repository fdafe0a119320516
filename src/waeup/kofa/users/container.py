"""The container of all accounts of a portal."""

from typing import Any

import grok
from zope.interface import implementer

from waeup.kofa.errors import InvalidName, NameTaken
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.logger import Logger
from waeup.kofa.users.interfaces import IUserAccount, IUsersContainer, is_user_name


@implementer(IUsersContainer)
class UsersContainer(grok.Container, Logger):
    """See `IUsersContainer`.  Logs into the portal's main log."""

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
