"""How accounts are exported; name and title are those of Kofa 1.9."""

from collections.abc import Iterable
from typing import Any

import grok

from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.i18n import MessageFactory as _


class UserExporter(KindExporter):
    """Exports accounts."""

    grok.name("users")
    title = _("Users")
    processor = "userprocessor"
    key_fields = ("name",)

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        return site["users"].values()  # type: ignore[no-any-return]

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        account = site["users"].get(key)
        return () if account is None else (account,)
