"""Accounts: who may log in, and with which roles."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import grok
from persistent import Persistent
from zope.component.factory import Factory
from zope.component.interfaces import IFactory
from zope.interface import implementer

from waeup.kofa.conversion.secret import check_password, hash_password
from waeup.kofa.users.interfaces import IUserAccount


class LogIns(Persistent):
    """When somebody has logged in with an account: the last time, and the time before.

    It is an object of its own, so that a log-in and a change of the account are never in each
    other's way; two log-ins at the same time both count.
    """

    def __init__(self) -> None:
        self.times: tuple[datetime, ...] = ()

    def add(self, moment: datetime) -> None:
        """Keep the time of a log-in."""
        self.times = _newest(*self.times, moment)

    def _p_resolveConflict(
        self, old: Mapping[str, Any], saved: Mapping[str, Any], new: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what is kept of two log-ins at the same time (see ZODB)."""
        return {**saved, "times": _newest(*saved["times"], *new["times"])}


def _newest(*times: datetime) -> tuple[datetime, ...]:
    """Return the last time, and the one before."""
    return tuple(sorted(set(times), reverse=True)[:2])


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
    language = None  # type: str | None
    #: Whether the password was set by somebody else, and is to be replaced at the next log-in.
    has_foreign_password = False
    #: Grows when all sessions of the account are to end.
    ended_sessions = 0
    _log_ins = None  # type: LogIns | None

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
        self._log_ins = LogIns()

    @property
    def roles(self) -> list[str]:
        """See `IUserAccount`; a new list each time, assign one to change the roles."""
        return list(self._roles)

    @roles.setter
    def roles(self, roles: Iterable[str] | None) -> None:
        self._roles = tuple(dict.fromkeys(roles or ()))

    @property
    def log_ins(self) -> tuple[datetime, ...]:
        """See `IUserAccount`."""
        return () if self._log_ins is None else self._log_ins.times

    def logged_in(self, moment: datetime) -> None:
        """See `IUserAccount`."""
        if self._log_ins is None:
            # The account is one of before.
            self._log_ins = LogIns()
        self._log_ins.add(moment)

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
