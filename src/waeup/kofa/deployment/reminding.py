"""Tells people of what ends soon: a task that one process at a time has (see `duties`)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import transaction

from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.record import utc_now
from waeup.kofa.notices import tell_ending_tokens


def remind(db: Any, site_path: str, clock: Callable[[], datetime] = utc_now) -> None:
    """Tell the owners of tokens that end soon, by mail; `clock` tells the time."""
    with open_portal(db, site_path) as site:
        transaction.begin()
        if tell_ending_tokens(site, clock()):
            transaction.get().note("ends of tokens were told")
            transaction.commit()
        else:
            transaction.abort()
