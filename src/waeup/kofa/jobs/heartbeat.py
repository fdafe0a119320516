"""Keeps the lease of a run while somebody works on it, however long a batch takes.

The beat ends with the process, also when that is only paused: then others take the run.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.traversing.api import traverse

from waeup.kofa.jobs import job as leases
from waeup.kofa.jobs.job import Claim
from waeup.kofa.jobs.outages import tell

log = logging.getLogger(__name__)


@contextmanager
def kept(db: Any, site_path: str, claim: Claim) -> Iterator[None]:
    """Renew the lease of `claim` until the block is done, in a thread and on a connection of
    its own."""
    done = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(db, site_path, claim, done), name=f"kofa lease of {claim.id}"
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(db: Any, site_path: str, claim: Claim, done: threading.Event) -> None:
    while not done.wait(leases.LEASE / 3):
        try:
            if not _renew(db, site_path, claim):
                return
        except TransientError:
            # Somebody takes the run, or it ends, at this moment: the next beat will see.
            continue
        except Exception as exc:
            # The worker learns it by itself, when it commits.
            tell(log, exc, "The lease of the run %s could not be renewed.", claim.id)


def _renew(db: Any, site_path: str, claim: Claim) -> bool:
    """Renew the lease; tell whether the run is still ours."""
    manager = transaction.TransactionManager()
    connection = db.open(manager)
    try:
        manager.begin()
        site = traverse(connection.root()["Application"], site_path)
        run = site["datacenter"].runs.find(claim.id)
        if run is None or not run.is_active or run.checkpoint.token != claim.token:
            return False
        run.lease.renew(claim.holder)
        manager.commit()
        return True
    finally:
        manager.abort()
        connection.close()
