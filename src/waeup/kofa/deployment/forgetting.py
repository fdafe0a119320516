"""Forgets answers of the HTTP API that nobody can ask for again (`waeup.kofa.replies`)."""

from datetime import datetime, timezone
from typing import Any

import transaction

from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.replies import forget_old


def forget_answers(db: Any, site_path: str, now: datetime | None = None) -> None:
    """Forget the old answers of a portal, in a transaction of its own."""
    with open_portal(db, site_path) as site:
        transaction.begin()
        if forget_old(site, datetime.now(timezone.utc) if now is None else now):
            transaction.get().note("old answers of the API")
            transaction.commit()
