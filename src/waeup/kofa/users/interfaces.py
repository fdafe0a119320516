"""What an account is."""

import re

from zope import schema

from waeup.kofa.conversion import PhoneNumber, Secret
from waeup.kofa.interfaces import IKofaObject

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_EMAIL = re.compile(r"[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s,;<>()\"]+")


def is_user_name(text: str) -> bool:
    """Tell whether `text` can name an account.

    Names are ids of principals; those that begin with ``zope.`` stand for
    everybody, for visitors, and for the principals of the configuration.
    """
    return _NAME.fullmatch(text) is not None and not text.lower().startswith("zope.")


def is_email(text: str) -> bool:
    """Tell whether `text` looks like one e-mail address."""
    return _EMAIL.fullmatch(text) is not None


class IUserAccount(IKofaObject):
    """An account; its name is the id of the principal."""

    name = schema.TextLine(
        title="User Id",
        description="Up to 64 letters, digits, _, -, @ and dots; not beginning with 'zope.'.",
        required=True,
        constraint=is_user_name,
    )
    title = schema.TextLine(title="Full Name", required=True)
    public_name = schema.TextLine(
        title="Public Name", description="Shown instead of the full name.", required=False
    )
    description = schema.Text(title="Description/Notice", required=False)
    email = schema.ASCIILine(title="Email Address", required=False, constraint=is_email)
    phone = PhoneNumber(title="Phone", required=False)
    roles = schema.List(
        title="Portal Roles",
        description="Ids of roles that the account has in the whole portal.",
        value_type=schema.TextLine(),
        required=False,
    )
    suspended = schema.Bool(
        title="Account suspended",
        description="Nobody can log in with the account.",
        required=False,
        default=False,
    )
    password = Secret(title="Password", description="Kept as a hash only.", required=False)

    def setPassword(text):
        """Keep the hash of the password `text`.

        Raises `Refused` for a text that cannot be a password.
        """

    def checkPassword(text):
        """Tell whether `text` is the password; never while the account is suspended."""


class IUsersContainer(IKofaObject):
    """Contains accounts under their names."""

    def addUser(account):
        """Add the `IUserAccount` under its name.

        Raises `InvalidName` for what cannot be a name, and `NameTaken`.
        """
