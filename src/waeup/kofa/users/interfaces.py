"""What an account is."""

import re

from zope import schema
from zope.interface import Attribute
from zope.schema.vocabulary import SimpleTerm, SimpleVocabulary

from waeup.kofa.conversion import PhoneNumber, Secret
from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.i18n import MessageFactory as _
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
        title=_("User Id"),
        description=_("Up to 64 letters, digits, _, -, @ and dots; not beginning with 'zope.'."),
        required=True,
        constraint=is_user_name,
    )
    title = schema.TextLine(title=_("Full Name"), required=True)
    public_name = schema.TextLine(
        title=_("Public Name"), description=_("Shown instead of the full name."), required=False
    )
    description = schema.Text(title=_("Description/Notice"), required=False)
    email = schema.ASCIILine(
        title=_("Email Address"),
        description=_("One address, such as ann@example.org."),
        required=False,
        constraint=is_email,
    )
    phone = PhoneNumber(title=_("Phone"), required=False)
    language = schema.Choice(
        title=_("Language"),
        description=_("The pages are in it. Without one, the browser chooses."),
        vocabulary=SimpleVocabulary(
            [SimpleTerm(name, title=title) for name, title in LANGUAGES.items()]
        ),
        required=False,
    )
    roles = schema.List(
        title=_("Portal Roles"),
        description=_("Ids of roles that the account has in the whole portal."),
        value_type=schema.TextLine(),
        required=False,
    )
    suspended = schema.Bool(
        title=_("Account suspended"),
        description=_("Nobody can log in with the account."),
        required=False,
        default=False,
    )
    password = Secret(title=_("Password"), description=_("Kept as a hash only."), required=False)
    log_ins = Attribute("""The last times of a log-in, at most two, the last one first.""")

    def logged_in(moment):
        """Keep the time of a log-in.  It never is in the way of another change."""

    def setPassword(text):
        """Keep the hash of the password `text`.

        Tokens of the account stay: who sets the password of somebody else revokes them
        (`waeup.kofa.tokens.revoke_all`).  Raises `Refused` for a text that cannot be a password.
        """

    def checkPassword(text):
        """Tell whether `text` is the password; never while the account is suspended."""


class IUsersContainer(IKofaObject):
    """Contains accounts under their names."""

    def addUser(account):
        """Add the `IUserAccount` under its name.

        Raises `InvalidName` for what cannot be a name, and `NameTaken`.
        """

    def lose_administrator(account):
        """Take note that the account will not be one of an active administrator any more.

        Raises `Refused` when no other one is left.  Two who do this at the same time get a
        conflict, so that they cannot shut each other out.
        """
