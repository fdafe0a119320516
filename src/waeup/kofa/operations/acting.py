"""The person behind all operations: rights, and the log."""

import re
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import transaction
from transaction.interfaces import ITransaction

from waeup.kofa import jobs
from waeup.kofa.errors import NotAllowed
from waeup.kofa.i18n import Listing
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.logger import deferred_lines, in_run
from waeup.kofa.permissions import get_role_titles_for, new_answers
from waeup.kofa.rights import MANAGE_DATA_CENTER, MANAGE_USERS
from waeup.kofa.scopes import OWN_PERMISSIONS, SCOPES
from waeup.kofa.tokens import Grant

#: Who has this permission may see and change what the data center has.
MANAGE = MANAGE_DATA_CENTER
#: Who has this permission may fetch passwords of others, which are hashes.
SECRETS = MANAGE_USERS
#: What stands before the id of the token at the end of a line.
TOKEN_MARK = " - token="  # noqa: S105  (no secret)

# What says of a line which run and which token it belongs to.
_ENDS = re.compile(r"( - |[:,] )(run|token|job_id)=")


class Acting:
    """One person in one portal; see `waeup.kofa.operations.Operations`."""

    def __init__(self, site: Any, principal: Any, grant: Grant | None = None) -> None:
        self.site = site
        self.principal = principal
        self.grant = grant
        self.datacenter = site["datacenter"]
        self._answers: Any = None
        # The transaction in which they were given.
        self._transaction: Callable[[], ITransaction | None] = lambda: None

    def may(self, permission: str) -> bool:
        """Tell whether the person has a permission in the portal, and the token covers it."""
        if self.grant is not None and not self.grant.covers(permission):
            return False
        return self._has(permission)

    def _may_change(self, permission: str) -> bool:
        """Tell the same of requests that change something, whether this is one or not."""
        if self.grant is not None and not self.grant.for_changes().covers(permission):
            return False
        return self._has(permission)

    def _has(self, permission: str) -> bool:
        """Tell whether the person has a permission, whatever a token allows.

        A transaction sees one state of the database, and nobody takes roles from the own account:
        what was answered holds until its end.
        """
        current = transaction.get()
        if self._transaction() is not current:
            self._transaction = weakref.ref(current)
            self._answers = new_answers(self.principal)
        return bool(self._answers.checkPermission(permission, self.site))

    def _require(self, permission: str) -> None:
        if not self._has(permission):
            roles = Listing(get_role_titles_for(permission) or [_("that has it")], _(" or "))
            raise NotAllowed(
                _(
                    "You (${id}) lack the permission ${permission}. Ask the administrator of "
                    "the portal for the role ${roles}.",
                    mapping={"id": self.principal.id, "permission": permission, "roles": roles},
                )
            )
        if not self.may(permission):
            raise self._not_granted(_covering(permission))

    def _require_all_rights(self, *, reading: bool = False) -> None:
        """Raise `NotAllowed` for a token that does not cover what the account may do.

        For what acts as the account afterwards, without the token: runs, messages.  With
        `reading` the token is enough with which all can be seen.
        """
        for permission in self._not_covered(reading):
            raise self._not_granted(_covering(permission), reading)

    def _not_covered(self, reading: bool = False) -> list[str]:
        """Return the permissions that the person has, and that the token does not cover."""
        if self.grant is None:
            return []
        grant = self.grant.for_reading() if reading else self.grant.for_changes()
        missing = sorted(name for name in OWN_PERMISSIONS if not grant.covers(name))
        return [name for name in missing if self._has(name)]

    def _require_secrets(self) -> None:
        """Raise `NotAllowed` unless the person, and the token, may have passwords of others.

        To see all that the person may see is not enough for a token: with hashes one can try
        for years what the passwords are.
        """
        self._require(SECRETS)
        self._require_token_for_secrets()

    def _require_token_for_secrets(self) -> None:
        """Raise `NotAllowed` for a token that does not cover changes of accounts."""
        if self.grant is not None and not self.grant.for_changes().covers(SECRETS):
            raise self._not_granted(_covering(SECRETS), reading=False)

    def _require_scope(self, *scopes: str) -> None:
        """Raise `NotAllowed` for a token that has none of `scopes`."""
        if self.grant is not None and not self.grant.has(*scopes):
            raise self._not_granted(scopes)

    def _require_no_token(self) -> None:
        """Raise `NotAllowed` for who acts by a token, whatever it allows."""
        if self.grant is not None:
            raise NotAllowed(
                _(
                    "This cannot be done with a token: tokens, passwords and sessions are for "
                    "people. Log in to the portal, or use kofactl on its server."
                )
            )

    def _not_granted(self, scopes: Iterable[str], reading: bool | None = None) -> NotAllowed:
        """Return the error that says which scope a token lacks.

        `reading` says whether scopes of reading are of use (None: as for this request).
        """
        grant = self.grant
        assert grant is not None
        # A scope of reading is of no use to whoever changes something.
        is_reading = grant.is_reading if reading is None else reading
        useful = [name for name in scopes if SCOPES[name].is_reading <= is_reading]
        return NotAllowed(
            _(
                "The token ${id} does not allow this: it lacks the scope ${scopes}. Make a token "
                "that has it.",
                mapping={"id": grant.id, "scopes": Listing(useful, _(" or "))},
            )
        )

    def _log(self, message: str, *args: Any, component: Any = None) -> None:
        """Log what the person does, once the transaction has made it true.

        What somebody has typed looks like no run and like no token at the end of the line.
        """
        args = tuple(_ENDS.sub(r"\1\2: ", arg) if isinstance(arg, str) else arg for arg in args)
        if self.grant is not None:
            message, args = f"{message}{TOKEN_MARK}%s", (*args, self.grant.id)
        with deferred_lines(transaction.manager):
            (component or self.datacenter).logger.info(message, *args)

    def _log_run(self, message: str, run: jobs.Run) -> None:
        """Log what the person does with a run: `message` takes its kind and its file."""
        with in_run(run.id):
            self._log(message, run.order.kind, run.order.file)


def _covering(permission: str) -> list[str]:
    """Return the names of the scopes that cover a permission."""
    return [name for name, scope in SCOPES.items() if scope.covers(permission)]
