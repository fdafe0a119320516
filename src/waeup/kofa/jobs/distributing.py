"""The end of a run: its files go to their places, as the database has decided.

`record` joins the result segments and lets the ledger say, in one transaction with the report,
where each file goes.  `carry_out` does it and marks it as done; whoever finds such an intent
later, after a kill, does it again.  Both work under the lock of the storage.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import transaction
from zope.component import getUtility
from zope.event import notify

from waeup.kofa import claims, spool
from waeup.kofa.errors import Fault, ItemBusy
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing import distribution as results
from waeup.kofa.importing import segments
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.connection import sight_of
from waeup.kofa.jobs.events import RunEndedEvent
from waeup.kofa.jobs.job import PREFIX, Job, PutDown, close
from waeup.kofa.jobs.record import DISTRIBUTING, FINISHED, Run, utc_now
from waeup.kofa.jobs.sitecode import Hold
from waeup.kofa.journal import deferred_lines
from waeup.kofa.ledger import FileEntry, Ledger
from waeup.kofa.rights import IMPORT_DATA
from waeup.kofa.spool.disk import digest_of, faults


def record(job: Job, source: str) -> None:
    """Say, durably, where the results of an import go, and that all its rows are done."""
    run, order = job.run, job.order
    work = job.work_folder()

    def decide() -> None:
        checkpoint = run.checkpoint
        with faults(_("The ${title}", mapping={"title": job.run.words})):
            finished, pending = segments.join(
                work.path, _segments_of(job, work.path), checkpoint.has_raw
            )
        report = run.totals()
        _log(job, source, report)
        intent = results.plan_distribution(
            job.storage, report.successful, source, finished, pending, order.mode, work
        )
        _follow(job.datacenter.ledger, intent, pending, run)
        job.datacenter.ledger.intend(intent)
        report = replace(report, finished=intent.finished, pending=intent.pending)
        end_rows(job, report)

    job.committed(decide)


def end_rows(job: Job, report: Report) -> None:
    """Keep the report of a run that brings files to their places now."""
    run = job.run
    run.report = report.as_dict()
    run.undo_bytes = sum(len(sight_of(batch).load(batch._p_oid)[0]) for batch in run.undo.values())
    run.checkpoint.is_complete = True
    run.move(DISTRIBUTING)
    # A storage that was moved meanwhile is a conflict: the files would go to the old one.
    job.site._p_jar.readCurrent(job.datacenter)


@contextmanager
def turn(job: Job) -> Iterator[None]:
    """Have the lock of the storage; raises `PutDown` when others have it for long.

    All rows are done by then: somebody only has to come back later.
    """
    with ExitStack() as held:
        try:
            held.enter_context(spool.storage_lock(job.storage))
        except ItemBusy as busy:
            raise PutDown(str(busy)) from busy
        yield


def carry_out(job: Job) -> None:
    """Put the files of a run into their places; then the run is finished."""
    job.begin()
    if job.run.state == FINISHED:
        # Whoever had the lock before has done it.
        return
    for intent in list(job.datacenter.ledger.intended()):
        if intent.id == PREFIX + job.run.id:
            put_into_places(job.datacenter, intent, job.committed)
            return
    raise Fault(
        _(
            "It is not known any more where the files of the ${title} were to go. "
            "Give the run up.",
            mapping={"title": job.run.words},
        )
    )


def complete(datacenter: Any, intent: results.Distribution) -> None:
    """Carry out an intent that a killed process has left; the caller has the storage's lock."""

    def committed(work: Callable[[], None]) -> None:
        transaction.begin()
        with Hold() as hold:
            work()
            claims.fence(datacenter._p_jar)
            hold.commit()

    put_into_places(datacenter, intent, committed)


def put_into_places(
    datacenter: Any, intent: results.Distribution, committed: Callable[..., object]
) -> None:
    """Carry out an intent; `committed` does what it is given in a transaction."""
    work = spool.WorkFolder(datacenter.storage, intent.id, shared=True)
    results.perform(replace(intent, storage=datacenter.storage))

    def done() -> None:
        datacenter.ledger.done(intent)
        run = datacenter.runs.find(intent.id.removeprefix(PREFIX))
        if run is not None:
            if run.state != DISTRIBUTING:
                run.move(DISTRIBUTING)
            finish(datacenter, run)

    committed(done)
    work.remove()


def finish(datacenter: Any, run: Run) -> None:
    """Let a run be finished, in the transaction that the caller commits."""
    run.move(FINISHED)
    run.progress.fraction = 1.0
    close(datacenter, run)
    run.checkpoint.touch()
    run.lease.release()
    notify(RunEndedEvent(run))


def _segments_of(job: Job, folder: str) -> tuple[segments.Segment, ...]:
    """Return the segments of an import; one without any rows has an empty one."""
    found = job.run.checkpoint.segments
    if found:
        return found
    path = segments.segment_paths(folder, job.claim.token)[0]
    return ((job.claim.token, os.path.getsize(path), 0),)


def _log(job: Job, source: str, report: Report) -> None:
    """Log the line of Kofa 1.9 about the whole import, with the transaction."""
    processor = getUtility(IBatchProcessor, name=job.order.processor)
    with deferred_lines(transaction.manager):
        processor.createLogfile(
            source,
            report.pending,
            report.total,
            report.failed,
            job.order.mode,
            job.run.user,
            report.seconds,
            job.datacenter.logger,
        )


def needs_of_results(run: Run) -> set[str]:
    """Return the permissions that the results of a run need, besides that of the data center."""
    permission = getUtility(IBatchProcessor, name=run.order.processor).permission
    return {*run.needs, *({permission} - {IMPORT_DATA})}


def _follow(ledger: Ledger, intent: results.Distribution, pending: str | None, run: Run) -> None:
    """Let the ledger follow the files: the source goes, a pending file comes."""
    order = run.order
    unfinished = os.listdir(os.path.join(intent.storage, "unfinished"))
    names = results.result_names(order.file, order.mode, unfinished)
    # The file that the rows came with first: this one, or that of an earlier round.
    origin = os.path.join("unfinished", names.original) if names.again else order.file
    needs = {*ledger.needs(order.file), *ledger.needs(origin), *needs_of_results(run)}
    entry = ledger.entry(origin)
    ledger.strike(order.file)
    ledger.strike(origin)
    if entry is not None:
        ledger.enter(replace(entry, name=intent.original))
    if intent.pending is not None:
        assert pending is not None
        ledger.enter(
            FileEntry(
                name=intent.pending,
                owner=run.user,
                original=order.file,
                size=os.path.getsize(pending),
                digest=digest_of(pending),
                date=utc_now(),
                run=run.id,
            )
        )
    for name in (intent.original, intent.finished, intent.pending):
        if name is not None:
            ledger.restrict(name, needs)
    for name in (intent.original, intent.finished):
        if name is not None:
            ledger.tell_source(name, run.id, utc_now())
