"""Operations on accounts: those of others, for who manages users, and the own one.

Nobody gives a right that he does not have: neither by a role, nor by taking over
an account that has more rights.  Nobody shuts himself out, and no two administrators
each other: one who can log in is always left.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from zope.component import createObject
from zope.event import notify
from zope.interface import providedBy
from zope.lifecycleevent import ObjectModifiedEvent
from zope.schema import getFields
from zope.schema.interfaces import ValidationError

from waeup.kofa.configuration import configuration_of
from waeup.kofa.errors import InvalidSettings, NameTaken, NoSuchItem, NotAllowed, Outdated, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.operations.acting import Acting
from waeup.kofa.operations.passwords import weakness
from waeup.kofa.operations.values import RoleInfo, UserInfo
from waeup.kofa.permissions import ADMINISTRATOR, get_waeup_roles, permissions_of, roles_beyond
from waeup.kofa.rights import MANAGE_USERS
from waeup.kofa.scopes import READ
from waeup.kofa.tokens import revoke_all

#: Scopes of tokens by one of which a program may see what concerns the own account.
OWN_SCOPES = (READ, "users")
#: What an administrator changes of an account by `change_user`.
FIELDS = ("title", "public_name", "email", "phone", "description", "language")
#: What people change of their own account.
OWN_FIELDS = ("public_name", "email", "phone", "language")


class PeopleOperations(Acting):
    """See `waeup.kofa.operations.Operations`."""

    def users(self) -> list[UserInfo]:
        """List the user accounts, sorted by name."""
        self._require(MANAGE_USERS)
        return [self._user_info(account) for _, account in sorted(self.site["users"].items())]

    def user(self, name: str) -> UserInfo:
        """Return an account; raises `NoSuchItem`."""
        self._require(MANAGE_USERS)
        return self._user_info(self._account(name))

    def roles(self) -> list[RoleInfo]:
        """List the portal-wide roles, with what they allow and who has them."""
        self._require(MANAGE_USERS)
        holders = defaultdict(list)
        for name, account in sorted(self.site["users"].items()):
            for role in account.roles:
                holders[role].append(name)
        return [self._role_info(role, holders[role.id]) for role in get_waeup_roles()]

    def runs_under_way(self, name: str) -> int:
        """Return how many runs act with the rights of an account, or are going to."""
        self._require(MANAGE_USERS)
        return sum(run.is_active and run.user == name for run in self.datacenter.runs)

    def add_user(
        self,
        name: str,
        title: str,
        password: str,
        roles: Iterable[str] = (),
        email: str | None = None,
        *,
        more: Mapping[str, Any] | None = None,
        lasting: bool = False,
    ) -> None:
        """Make a user account.

        `more` has values of `FIELDS`.  The person is asked for another password at the first
        log-in, unless this one is `lasting`.
        """
        self._require(MANAGE_USERS)
        if name in self.site["users"]:
            raise NameTaken(
                _(
                    "There is a user ${name} already. Choose another name.",
                    mapping={"name": repr(name)},
                )
            )
        wanted = self._grantable(roles)
        account = createObject("waeup.UserAccount", name=name, title=title, roles=wanted)
        values = {"title": title, "email": email, **(more or {})}
        _check(account, values, FIELDS)
        for field, value in values.items():
            setattr(account, field, value)
        self._require_strength(account, password)
        account.setPassword(password)
        account.has_foreign_password = not lasting
        self.site["users"].addUser(account)
        self._tell("User added: %s, roles=%s", name, ", ".join(wanted))

    def change_user(
        self,
        name: str,
        values: Mapping[str, Any],
        roles: Iterable[str] | None = None,
        version: str | None = None,
    ) -> list[str]:
        """Change an account; return the names of what is other now.

        `values` are some of `FIELDS`, `roles` those that the account has from then on (None:
        those that it has).  `version` is that of the `UserInfo` which the change was made for: one
        that is changed meanwhile is not overwritten (`Outdated`).  Raises `InvalidSettings`.
        """
        self._require(MANAGE_USERS)
        account = self._changeable(name, version)
        changed = self._change_account(account, values, FIELDS)
        if roles is not None:
            # Roles of other packages are none of this operation's business.
            known = {role.id for role in get_waeup_roles()}
            foreign = [role for role in account.roles if role not in known]
            if self._give(account, [*foreign, *self._grantable(roles)]):
                changed.append("roles")
        return changed

    def set_password(self, name: str, password: str, *, lasting: bool = False) -> None:
        """Give a user a new password; sessions of the account end, and its tokens are revoked.

        The tokens of the own account stay as they are.  The person is asked for another password
        at the next log-in, unless it is `lasting`, or the own.
        """
        self._require_no_token()
        self._require(MANAGE_USERS)
        account = self._changeable(name)
        self._require_strength(account, password)
        account.setPassword(password)
        account.has_foreign_password = not lasting and name != self.principal.id
        self._tell("Password set: %s", name)
        if name != self.principal.id:
            self._revoke_all(name)

    def set_roles(self, name: str, roles: Iterable[str]) -> None:
        """Give a user these roles and no others."""
        self._require(MANAGE_USERS)
        self._give(self._changeable(name), self._grantable(roles))

    def suspend_user(self, name: str, version: str | None = None) -> None:
        """Let nobody log in with an account, nor go on with its sessions."""
        self._require(MANAGE_USERS)
        if name == self.principal.id:
            raise Refused(
                _("You cannot suspend your own account. Let another administrator do it.")
            )
        account = self._changeable(name, version)
        if account.suspended:
            return
        self.site["users"].lose_administrator(account)
        account.suspended = True
        # Sessions of before do not live again when the account does.
        account.ended_sessions += 1
        notify(ObjectModifiedEvent(account))
        self._tell("User suspended: %s", name)

    def resume_user(self, name: str, version: str | None = None) -> None:
        """Let people log in again with a suspended account."""
        self._require(MANAGE_USERS)
        account = self._changeable(name, version)
        if account.suspended:
            account.suspended = False
            notify(ObjectModifiedEvent(account))
            self._tell("User resumed: %s", name)

    def end_sessions(self, name: str) -> None:
        """End all sessions of an account: who uses it has to log in again."""
        self._require_no_token()
        self._require(MANAGE_USERS)
        self._changeable(name).ended_sessions += 1
        self._tell("Sessions ended: %s", name)

    def remove_user(self, name: str, version: str | None = None) -> None:
        """Remove a user account."""
        self._require(MANAGE_USERS)
        if name == self.principal.id:
            raise Refused(
                _("You cannot remove your own account. Let another administrator do it.")
            )
        account = self._changeable(name, version)
        self.site["users"].lose_administrator(account)
        del self.site["users"][name]
        self._tell("User removed: %s", name)

    # -- the own account ----------------------------------------------------------------

    def own_account(self) -> UserInfo:
        """Return the account of the person; raises `NoSuchItem` for who has none here."""
        self._require_scope(*OWN_SCOPES)
        return self._user_info(self._own())

    def own_roles(self) -> list[RoleInfo]:
        """List the portal-wide roles of the own account, with what they allow."""
        self._require_scope(*OWN_SCOPES)
        account = self._own()
        return [
            self._role_info(role, [account.name])
            for role in get_waeup_roles()
            if role.id in account.roles
        ]

    def change_own_account(
        self, values: Mapping[str, Any], version: str | None = None
    ) -> list[str]:
        """Change some of `OWN_FIELDS` of the own account; return the names of what is other now.

        Raises `Outdated` as `change_user` does, `InvalidSettings`, and `NotAllowed` for what only
        an administrator changes.
        """
        self._require_scope("users")
        if "email" in values:
            # Mail tells what the account may see.
            self._require_all_rights(reading=True)
        account = self._own()
        if not set(values) <= set(OWN_FIELDS):
            raise NotAllowed(
                _("Full name and roles are changed by who manages the accounts. Ask for it.")
            )
        _require_version(account, version)
        return self._change_account(account, values, OWN_FIELDS)

    def set_own_password(
        self, present: str, password: str, *, revoke_tokens: bool = False
    ) -> None:
        """Give the own account a new password, by the present one; all its sessions end.

        With `revoke_tokens` its tokens are of no use any more, too.  Raises `NotAllowed` for a
        wrong present password.  Doors limit how often one can try.
        """
        self._require_no_token()
        account = self._own()
        if not account.checkPassword(present):
            raise NotAllowed(_("The present password is wrong. Nothing was changed."))
        if present == password:
            raise Refused(_("The new password is the present one. Take another one."))
        self._require_strength(account, password)
        account.setPassword(password)
        account.has_foreign_password = False
        self._tell("Own password set: %s", account.name)
        if revoke_tokens:
            self._revoke_all(account.name)

    def end_own_sessions(self) -> None:
        """End all sessions of the own account."""
        self._require_no_token()
        account = self._own()
        account.ended_sessions += 1
        self._tell("Own sessions ended: %s", account.name)

    # -- helpers ------------------------------------------------------------------------

    def _tell(self, message: str, *args: Any) -> None:
        self._log(message, *args, component=self.site["users"])

    def _revoke_all(self, user: str) -> None:
        """Revoke all tokens of an account."""
        for token in revoke_all(self.site["users"], user, self.principal.id):
            self._tell("Token revoked: %s of %s", token.id, user)

    def _user_info(self, account: Any) -> UserInfo:
        return UserInfo(
            account.name,
            account.title,
            account.email,
            tuple(account.roles),
            bool(account.suspended),
            account.public_name,
            account.phone,
            account.description,
            account.language,
            account.password is not None,
            account.has_foreign_password,
            tuple(account.log_ins),
            self._may_change(MANAGE_USERS) and not roles_beyond(self._may_change, account.roles),
            _version(account),
        )

    def _role_info(self, role: Any, holders: Iterable[str]) -> RoleInfo:
        return RoleInfo(
            role.id,
            str(role.title),
            tuple(permissions_of(role.id)),
            tuple(holders),
            not roles_beyond(self._may_change, [role.id]),
        )

    def _account(self, name: str) -> Any:
        account = self.site["users"].get(name)
        if account is None:
            names = ", ".join(sorted(self.site["users"]))
            raise NoSuchItem(
                _(
                    "There is no user ${name}. There are: ${names}.",
                    mapping={"name": repr(name), "names": names},
                )
            )
        return account

    def _own(self) -> Any:
        account = self.site["users"].get(self.principal.id)
        if account is None:
            raise NoSuchItem(
                _("You have no account in this portal: the server knows you by other means.")
            )
        return account

    def _changeable(self, name: str, version: str | None = None) -> Any:
        account = self._account(name)
        self._require_token_for(account.roles)
        beyond = roles_beyond(self.may, account.roles)
        if beyond:
            raise NotAllowed(
                _(
                    "The account ${name} has rights that you lack (${beyond}). Let somebody "
                    "change it who has them.",
                    mapping={"name": name, "beyond": ", ".join(beyond)},
                )
            )
        _require_version(account, version)
        return account

    def _require_token_for(self, roles: Iterable[str]) -> None:
        """Raise `NotAllowed` for a token that lacks rights of `roles` which the person has."""
        if self.grant is None:
            return
        lacking = [role for role in roles_beyond(self.may, roles) if self._has_rights_of(role)]
        if lacking:
            raise NotAllowed(
                _(
                    "The token ${id} lacks rights of the role ${roles}. Make one that has the "
                    "scopes for them, too.",
                    mapping={"id": self.grant.id, "roles": ", ".join(lacking)},
                )
            )

    def _has_rights_of(self, role: str) -> bool:
        return not roles_beyond(self._has, [role])

    def _change_account(
        self, account: Any, values: Mapping[str, Any], allowed: Iterable[str]
    ) -> list[str]:
        """Change what is other; return the names."""
        _check(account, values, allowed)
        changed = [name for name, value in values.items() if value != getattr(account, name)]
        for name in changed:
            setattr(account, name, values[name])
        if changed:
            notify(ObjectModifiedEvent(account))
            told = ", ".join(f"{name}={values[name]}" for name in changed)
            self._tell("User changed: %s, %s", account.name, told)
        return changed

    def _give(self, account: Any, wanted: list[str]) -> bool:
        """Give an account exactly these roles; tell whether they are others than before."""
        former = set(account.roles)
        if former == set(wanted):
            return False
        if account.name == self.principal.id and not former <= set(wanted):
            raise Refused(
                _("You cannot take roles from your own account. Let another administrator do it.")
            )
        if ADMINISTRATOR not in wanted:
            self.site["users"].lose_administrator(account)
        account.roles = wanted
        notify(ObjectModifiedEvent(account))
        self._tell("Roles set: %s, roles=%s", account.name, ", ".join(account.roles))
        return True

    def _require_strength(self, account: Any, password: str) -> None:
        """Raise `Refused` for a password that is too easy to guess."""
        config = configuration_of(self.site)
        about = (account.name, account.title, account.public_name, account.email, account.phone)
        weak = weakness(password, (*about, config.title, config.acronym))
        if weak:
            raise Refused(weak)

    def _grantable(self, roles: Iterable[str]) -> list[str]:
        known = [role.id for role in get_waeup_roles()]
        wanted = list(dict.fromkeys(roles))
        unknown = [role for role in wanted if role not in known]
        if unknown:
            raise NoSuchItem(
                _(
                    "There is no role ${repr}. There are: ${known}.",
                    mapping={"repr": ", ".join(map(repr, unknown)), "known": ", ".join(known)},
                )
            )
        self._require_token_for(wanted)
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


def _check(account: Any, values: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise `InvalidSettings` unless all values can be values of the account."""
    fields = {}
    for iface in providedBy(account):
        fields.update(getFields(iface))
    wrong: dict[str, str] = {}
    for name, value in values.items():
        if name not in allowed:
            wrong[name] = _("This cannot be changed here.")
            continue
        try:
            fields[name].bind(account).validate(value)
        except ValidationError as error:
            wrong[name] = _("This is not possible: ${why}", mapping={"why": error.doc()})
    if wrong:
        names = ", ".join(wrong)
        raise InvalidSettings(
            _("Nothing was changed: correct ${names}.", mapping={"names": names}), wrong
        )


def _version(account: Any) -> str:
    """Return what tells this state of an account from all others; it shows no secret."""
    state = [getattr(account, name) for name in FIELDS]
    state += [sorted(account.roles), bool(account.suspended)]
    return hashlib.sha256(repr(state).encode()).hexdigest()[:20]


def _require_version(account: Any, version: str | None) -> None:
    if version is not None and version != _version(account):
        raise Outdated(
            _(
                "Somebody has changed this account meanwhile. Nothing was changed: look at what "
                "it is now, and save yours again if it is right."
            )
        )
