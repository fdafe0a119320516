"""The run driver: one import in a thread and transactions of its own.

An import changes the database and the storage, and either may be interrupted::

    claim the file                        nobody else can import or delete it now
    apply the rows        \\
    stage result files     } one transaction; an abort leaves no trace
    record the intent     /
    commit                                from here on the import is done
    put files into their places           redone by `recover` after a kill
    mark the intent as done               second transaction

The files never run ahead of the database: before the commit nothing but the work
folder was touched, and after it the intent says what is left to do.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.component import getUtility

from waeup.kofa import spool
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import ItemBusy, MappingError, NoSuchItem, StorageFault
from waeup.kofa.importing import canonical
from waeup.kofa.importing import distribution as results
from waeup.kofa.importing.engine import Progress
from waeup.kofa.importing.reading import AS_FOUND, limits
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.connection import connected, open_portal
from waeup.kofa.ledger import FileEntry, Ledger
from waeup.kofa.spool.disk import digest_of, faults
from waeup.kofa.tabular.options import ReadOptions

log = logging.getLogger(__name__)

#: How often rows are applied anew when other transactions were in the way.
ATTEMPTS = 3
#: How the ids of the work folders of runs begin.
PREFIX = "run-"
#: The permission that every import needs; files of kinds that need more are restricted.
IMPORT = "waeup.importData"

# Files that threads of this process import at this moment.
_running: list[str] = []


@dataclass(frozen=True)
class ImportOrder:
    """What is to be imported, how, and who says so.

    `file` is the name of a pending file and `digest` the SHA-256 of the content that
    the mapping was made for, `processor` the name of the utility, `user` the id of
    the principal that the run acts as.  `options` say how the file is read: as it was
    when the mapping was made.
    """

    file: str
    digest: str
    processor: str
    mode: str
    mapping: Mapping
    user: str
    options: ReadOptions = AS_FOUND


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
    _running.append(order.file)
    try:
        return _in_own_thread(lambda: _drive(db, site_path, order, progress))
    finally:
        _running.remove(order.file)


def running() -> list[str]:
    """Return the names of the files that this process imports at this moment."""
    return list(_running)


def recover(db: Any, site_path: str) -> list[str]:
    """Complete what killed processes left half done; return in words what was done.

    Call it at start-up, before work begins.  A second call changes nothing.  What
    cannot be completed is logged and left for a person to look at; it stands in the
    way of nothing but the files that it concerns.
    """

    def work() -> list[str]:
        with open_portal(db, site_path) as site:
            datacenter = site["datacenter"]
            done = results.recover(datacenter.storage)
            done += [intent.title for intent in _complete(datacenter)]
            kept = {intent.id for intent in datacenter.ledger.intended()}
            kept |= canonical.needed(datacenter.storage)
            spool.WorkFolder.stale(datacenter.storage, keep=kept)
            return done

    return _in_own_thread(work)


def _in_own_thread(work: Callable[[], Any]) -> Any:
    """Do `work` in a thread of its own and return its result, or raise its exception."""
    outcome: list[Any] = []

    def catch() -> None:
        try:
            outcome.extend([work(), None])
        except BaseException as exc:
            outcome.extend([None, exc])

    thread = threading.Thread(target=catch, name="kofa run")
    thread.start()
    thread.join()
    result, error = outcome
    if error is not None:
        raise error
    return result


def _drive(
    db: Any,
    site_path: str,
    order: ImportOrder,
    progress: Callable[[Progress], None] | None,
) -> Report:
    spool.check_name(order.file)
    with open_portal(db, site_path, order.user) as site:
        datacenter = site["datacenter"]
        completed = _complete(datacenter)
        if any(order.file in (intent.source, intent.pending) for intent in completed):
            raise NoSuchItem(
                f"An earlier import of {order.file} has just been completed. "
                "Look at the list of files again."
            )
        for attempt in range(1, ATTEMPTS + 1):
            with ExitStack() as held:
                try:
                    return _attempt(db, site_path, site, order, held, progress)
                except TransientError as exc:
                    transaction.abort()
                    if attempt == ATTEMPTS:
                        raise ItemBusy(
                            f"Others kept changing the same data while {order.file} was imported, "
                            f"and after {ATTEMPTS} attempts nothing was stored. Try again later."
                        ) from exc
    raise AssertionError("unreachable")


def _attempt(
    db: Any,
    site_path: str,
    site: Any,
    order: ImportOrder,
    held: ExitStack,
    progress: Callable[[Progress], None] | None,
) -> Report:
    """Import once; raises `TransientError` as long as nothing was committed."""
    datacenter = site["datacenter"]
    transaction.begin()
    source = os.path.join(datacenter.storage, order.file)
    held.enter_context(spool.claimed(source))
    seen = _identity(source)
    if digest_of(source) != order.digest:
        raise MappingError(
            f"{order.file} was changed since its columns were mapped. Give this import up, and "
            "choose the file again."
        )
    table = canonical.plain_table(
        datacenter.storage,
        source,
        limits(),
        sheet=order.options.sheet,
        digest=order.digest,
    )
    work = spool.WorkFolder(datacenter.storage, prefix=PREFIX)
    try:
        report = _apply_rows(site, source, table, order, work, progress)
        # Others may be putting files away; rows that are applied do not give up for that.
        held.enter_context(spool.storage_lock(datacenter.storage, patience=None))
        if _identity(source) != seen:
            raise ItemBusy(
                f"{order.file} was replaced or removed while it was imported. Nothing was "
                "stored; look at the list of files again."
            )
        intent = _record(site, source, order, report, work)
    except BaseException:
        transaction.abort()
        work.remove()
        raise
    _commit(db, site_path, order, intent, work)
    try:
        _carry_out(datacenter, intent, work)
    except Exception as exc:
        work.close()
        raise StorageFault(
            f"All rows of {order.file} were processed and are in the database, but the files are "
            f"not in their places yet ({exc}). Nothing is lost: they are put there before the "
            "next import, or when the portal starts."
        ) from exc
    try:
        canonical.sweep(datacenter.storage, order.digest)
    except OSError:
        # The import is done; what is left over goes when the portal starts.
        log.exception("The table of %s could not be removed.", order.file)
    return replace(report, finished=intent.finished, pending=intent.pending)


def _apply_rows(
    site: Any,
    source: str,
    table: canonical.PlainTable,
    order: ImportOrder,
    work: spool.WorkFolder,
    progress: Callable[[Progress], None] | None,
) -> Report:
    processor = getUtility(IBatchProcessor, name=order.processor)
    with faults(f"Importing {order.file}"):
        return processor.importTable(
            source,
            order.mapping,
            order.mode,
            folder=work.path,
            site=site,
            user=order.user,
            logger=site["datacenter"].logger,
            progress=progress,
            options=table.reading(order.options),
            read_from=table.path,
        )


def _record(
    site: Any, source: str, order: ImportOrder, report: Report, work: spool.WorkFolder
) -> results.Distribution:
    """Let the ledger say, in the same transaction as the rows, what is left to do."""
    datacenter = site["datacenter"]
    intent = results.plan_distribution(
        datacenter.storage,
        report.successful,
        source,
        report.finished,
        report.pending,
        order.mode,
        work,
    )
    _follow(datacenter.ledger, intent, report, order)
    datacenter.ledger.intend(intent)
    # A storage that was moved meanwhile is a conflict: the files would go to the old one.
    site._p_jar.readCurrent(datacenter)
    transaction.get().note(f"import of {order.file}")
    return intent


def _follow(
    ledger: Ledger, intent: results.Distribution, report: Report, order: ImportOrder
) -> None:
    """Let the ledger follow the files: the source goes, a pending file comes."""
    unfinished = os.listdir(os.path.join(intent.storage, "unfinished"))
    names = results.result_names(order.file, order.mode, unfinished)
    # The file that the rows came with first: this one, or that of an earlier round.
    origin = os.path.join("unfinished", names.original) if names.again else order.file
    needs = {*ledger.needs(order.file), *ledger.needs(origin)}
    permission = getUtility(IBatchProcessor, name=order.processor).permission
    if permission != IMPORT:
        needs.add(permission)
    entry = ledger.entry(origin)
    ledger.strike(order.file)
    ledger.strike(origin)
    if entry is not None:
        ledger.enter(replace(entry, name=intent.original))
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
    for name in (intent.original, intent.finished, intent.pending):
        if name is not None:
            ledger.restrict(name, needs)


def _commit(
    db: Any, site_path: str, order: ImportOrder, intent: results.Distribution, work: Any
) -> None:
    """Commit; when its outcome is unknown, ask the database."""
    try:
        transaction.commit()
    except TransientError:
        work.remove()
        raise
    except BaseException as exc:
        transaction.abort()
        if _is_recorded(db, site_path, intent):
            return
        # What is staged stays: the database may know of the intent when it is opened anew.
        work.close()
        raise StorageFault(
            f"The database failed while the import of {order.file} was stored ({exc}). Look at "
            "free space and the disk, and start the portal again: then the import is completed, "
            "or the file waits as before."
        ) from exc


def _is_recorded(db: Any, site_path: str, intent: results.Distribution) -> bool:
    try:
        with connected(db, site_path) as site:
            return site["datacenter"].ledger.is_intended(intent.id)
    except Exception:
        log.exception("The database cannot tell whether an import was stored.")
        return False


def _complete(datacenter: Any) -> list[results.Distribution]:
    """Carry out the intents that others have left; return those that were done."""
    done = []
    with spool.storage_lock(datacenter.storage):
        # Whoever had the lock before may have carried out what this connection still sees.
        transaction.begin()
        for intent in list(datacenter.ledger.intended()):
            work = spool.WorkFolder(datacenter.storage, intent.id)
            try:
                _carry_out(datacenter, intent, work)
            except Exception:
                transaction.abort()
                work.close()
                log.exception("Not completed: %s. Look at its files.", intent.title)
            else:
                done.append(intent)
    return done


def _carry_out(datacenter: Any, intent: results.Distribution, work: spool.WorkFolder) -> None:
    """Put the files into their places; the intent is done and its work folder gone."""
    results.perform(replace(intent, storage=datacenter.storage))
    datacenter.ledger.done(intent)
    transaction.commit()
    work.remove()


def _identity(path: str) -> tuple[int, int, int, int] | None:
    """Return what tells a file from another one of its name; None when it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
