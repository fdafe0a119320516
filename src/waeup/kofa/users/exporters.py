"""How accounts are exported; name and title are those of Kofa 1.9."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grok
from zope.component.hooks import getSite

from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.permissions import roles_beyond_actor

_PASSWORD = "password"  # noqa: S105  (the name of a column)


class UserExporter(KindExporter):
    """Exports accounts."""

    grok.name("users")
    title = _("Users")
    processor = "userprocessor"
    key_fields = ("name",)

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return site["users"].values()  # type: ignore[no-any-return]

    def row_maker(
        self, columns: Sequence[str], safe: bool | None = None
    ) -> Callable[[Any], list[str]]:
        """See `KindExporter`; nobody gets the hash of an account with more rights than his.

        Who has a hash can try passwords as often as he likes.
        """
        make = super().row_maker(columns, safe)
        if _PASSWORD not in columns:
            return make
        at, site = list(columns).index(_PASSWORD), getSite()

        def cells_of(account: Any) -> list[str]:
            cells = make(account)
            if roles_beyond_actor(account.roles, site):
                cells[at] = ""
            return cells

        return cells_of

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        account = site["users"].get(key)
        return () if account is None else (account,)
