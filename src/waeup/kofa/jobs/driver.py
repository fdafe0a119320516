"""The run driver: one import in a thread and transactions of its own.

An import changes the database and the storage, and either may be interrupted::

    claim the file                        nobody else can import it now
    apply the rows        \\
    stage result files     } one transaction; an abort leaves no trace
    record the intent     /
    commit                                from here on the import is done
    put files into their places           redone by `recover` after a kill
    mark the intent as done               second transaction

The files never run ahead of the database: before the commit nothing but the work
folder was touched, and after it the intent says what is left to do.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.authentication.interfaces import IAuthentication
from zope.component import getUtility
from zope.component.hooks import site as site_set
from zope.security.management import endInteraction, newInteraction
from zope.traversing.api import traverse

from waeup.kofa import spool
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import StorageFault
from waeup.kofa.importing import distribution as results
from waeup.kofa.importing.engine import Progress
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.ledger import FileEntry, Ledger
from waeup.kofa.logger import deferred_lines
from waeup.kofa.spool.disk import digest_of

#: How often rows are applied anew when other transactions were in the way.
ATTEMPTS = 3


@dataclass(frozen=True)
class ImportOrder:
    """What is to be imported, how, and who says so.

    `file` is the name of a pending file, `processor` the name of the utility,
    `user` the id of the principal that the run acts as.
    """

    file: str
    processor: str
    mode: str
    mapping: Mapping
    user: str


class _Participation:
    """Lets a principal take part in an interaction without a request."""

    interaction = None

    def __init__(self, principal: Any) -> None:
        self.principal = principal


def run_import(
    db: Any,
    site_path: str,
    order: ImportOrder,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Carry out an import and return its report.

    Runs in a thread of its own, so that the transaction of the caller, and what it
    has read, stay apart; waits for the end.  `db` is the `ZODB.DB`, `site_path` the
    path of the portal in it.  Raises `Refused` when nothing could be done (nothing
    was changed), and `Fault` or another exception when the machine failed.
    """
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(_drive(db, site_path, order, progress))
        except BaseException as exc:
            outcome.append(exc)

    thread = threading.Thread(target=work, name=f"import {order.file}")
    thread.start()
    thread.join()
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result


def recover(db: Any, site_path: str) -> list[str]:
    """Complete what killed processes left half done; return what was done.

    Call it once at start-up, before work begins.  A second call changes nothing.
    """
    with _portal(db, site_path) as site:
        datacenter = site["datacenter"]
        done = results.recover(datacenter.storage)
        with spool.storage_lock(datacenter.storage):
            done += _finish_intended(datacenter)
        spool.WorkFolder.stale(datacenter.storage)
        return done


def _drive(
    db: Any,
    site_path: str,
    order: ImportOrder,
    progress: Callable[[Progress], None] | None,
) -> Report:
    with _portal(db, site_path, order.user) as site, ExitStack() as held:
        datacenter = site["datacenter"]
        source = os.path.join(datacenter.storage, spool.check_name(order.file))
        held.enter_context(spool.claimed(source))
        with spool.storage_lock(datacenter.storage):
            _finish_intended(datacenter)
        for attempt in range(1, ATTEMPTS + 1):
            work = spool.WorkFolder(datacenter.storage)
            lock = held.enter_context(ExitStack())
            try:
                report, intent = _commit_rows(site, source, order, work, lock, progress)
                break
            except BaseException as exc:
                transaction.abort()
                lock.close()
                work.remove()
                if not isinstance(exc, TransientError) or attempt == ATTEMPTS:
                    raise
        try:
            _carry_out(datacenter, intent)
            work.remove()
        except Exception as exc:
            work.close()
            raise StorageFault(
                f"All rows of {order.file} were processed and are in the database, but the files "
                f"are not in their places yet ({exc}). Nothing is lost: they are put there when "
                "the portal starts the next time."
            ) from exc
    return replace(report, finished=intent.finished, pending=intent.pending)


def _commit_rows(
    site: Any,
    source: str,
    order: ImportOrder,
    work: spool.WorkFolder,
    lock: ExitStack,
    progress: Callable[[Progress], None] | None,
) -> tuple[Report, results.Distribution]:
    """Apply all rows and commit them with the intent.

    The storage stays locked by `lock`, so that nothing gets between the intent
    and its execution.
    """
    datacenter = site["datacenter"]
    processor = getUtility(IBatchProcessor, name=order.processor)
    transaction.begin()
    with deferred_lines(transaction.manager):
        report = processor.importTable(
            source,
            order.mapping,
            order.mode,
            folder=work.path,
            site=site,
            user=order.user,
            logger=datacenter.logger,
            progress=progress,
        )
    lock.enter_context(spool.storage_lock(datacenter.storage))
    intent = results.plan_distribution(
        datacenter.storage,
        report.successful,
        source,
        report.finished,
        report.pending,
        order.mode,
        work,
    )
    _enter(datacenter.ledger, intent, report, order)
    datacenter.ledger.intend(intent)
    transaction.get().note(f"import of {order.file}")
    transaction.commit()
    return report, intent


def _enter(
    ledger: Ledger, intent: results.Distribution, report: Report, order: ImportOrder
) -> None:
    """Let the ledger follow the files: the source goes, a pending file comes."""
    ledger.strike(order.file)
    if intent.pending is not None:
        assert report.pending is not None
        ledger.enter(
            FileEntry(
                name=intent.pending,
                owner=order.user,
                original=order.file,
                size=os.path.getsize(report.pending),
                digest=digest_of(report.pending),
                date=datetime.now(timezone.utc),
            )
        )


def _finish_intended(datacenter: Any) -> list[str]:
    done = []
    for intent in datacenter.ledger.intended():
        _carry_out(datacenter, intent)
        done.append(intent.title)
    return done


def _carry_out(datacenter: Any, intent: results.Distribution) -> None:
    results.perform(intent)
    datacenter.ledger.done(intent)
    transaction.commit()


@contextmanager
def _portal(db: Any, site_path: str, user: str | None = None) -> Iterator[Any]:
    """Open the portal on a connection of its own, acting as `user` (or nobody)."""
    connection = db.open()
    try:
        site = traverse(connection.root()["Application"], site_path)
        with site_set(site):
            if user is None:
                yield site
                return
            principal = getUtility(IAuthentication).getPrincipal(user)
            newInteraction(_Participation(principal))
            try:
                yield site
            finally:
                endInteraction()
    finally:
        transaction.abort()
        connection.close()
