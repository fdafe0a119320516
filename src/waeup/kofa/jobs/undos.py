"""The work of an undo: an import is taken back, its last batch first.

Each batch is a transaction of its own, with a checkpoint as in an import; the result file says
of each row what was done, or why it was left alone.  Which objects nobody else has touched is
told by their serials (`waeup.kofa.importing.undoing`): those of the import's batches and those
of the undo's own are known, since each batch has left a record in its transaction.
"""

import os
import time
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import transaction
from zope.component import getUtility
from zope.event import notify

from waeup.kofa import meters, spool
from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing import distribution as results
from waeup.kofa.importing import segments
from waeup.kofa.importing.checking import CheckWriter
from waeup.kofa.importing.effects import Effect
from waeup.kofa.importing.events import is_heard
from waeup.kofa.importing.history import RESTORED, RETURNED, marker
from waeup.kofa.importing.hooks import row_error
from waeup.kofa.importing.report import CREATED, FAILED, UPDATED, RowResult, Tally
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.importing.undoing import Restored, Serials, UndoConflict, title_of, undo_effect
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.distributing import (
    carry_out,
    end_rows,
    finish,
    needs_of_results,
    turn,
)
from waeup.kofa.jobs.events import BatchDoneEvent
from waeup.kofa.jobs.job import PREFIX, Job, remove_folders
from waeup.kofa.jobs.pace import Pace
from waeup.kofa.jobs.record import CHECK, UNDO, UNDONE, Run, UndoBatch, utc_now
from waeup.kofa.jobs.reporter import Reporter, empty_folder
from waeup.kofa.journal import deferred_lines, dropped_lines
from waeup.kofa.removals import note_return, rehearsal
from waeup.kofa.spool.disk import digest_of, ensure_folder, faults

#: The columns of the result file.
COLUMNS = ("row", "object", "outcome", "reason")
#: Ends the name of the result file.
UNDONE_SUFFIX = ".undone.csv"
#: How an undo marks an object, by what became of it; one that goes again is not asked any more.
_MARKS = {CREATED: RETURNED, UPDATED: RESTORED}


def do_undo(job: Job) -> None:
    """Bring an undo to its end from wherever it is."""
    undone = job.runs.get(job.order.undoes or "")
    if not job.run.checkpoint.is_complete:
        with faults(_("The ${title}", mapping={"title": job.run.words})):
            _Undo(job, undone).take_back()
            with turn(job):
                _record(job, undone)
                carry_out(job)
    else:
        with turn(job):
            carry_out(job)
    # The results of an import that never came to their places, and what was foretold.
    over = [run.id for run in job.runs if run.order.undoes == undone.id and not run.is_active]
    remove_folders(job.storage, [PREFIX + id for id in (undone.id, *over)])


def check_undo(job: Job) -> None:
    """Find out what an undo would do, in a transaction that is aborted."""
    undone = job.runs.get(job.order.undoes or "")
    job.begin()
    undo = _Undo(job, undone)
    job.require_rights(undo.processor.permission)
    if undone.undone_by is not None:
        raise Refused(
            _(
                "The ${title} was taken back meanwhile, or is just being taken back: "
                "look at the run ${undone_by}.",
                mapping={"title": undone.words, "undone_by": undone.undone_by},
            )
        )
    tally, began = Tally(), time.monotonic()
    writer, reporter, pace = CheckWriter(empty_folder(job)), Reporter(job), Pace()
    try:
        numbers = undo.numbers()
        with job.held(), dropped_lines(), rehearsal():
            for done, number in enumerate(numbers, start=1):
                results = undo.take_back_batch(number)
                writer.write(results)
                tally.add_all(results)
                reporter.tell(
                    tally.total,
                    tally.counts[FAILED],
                    done / len(numbers),
                    pace.rate(tally.total),
                )
                job.site._p_jar.cacheGC()
        writer.finish()
    finally:
        transaction.abort()
        reporter.close()
        writer.close()
    tally.seconds = time.monotonic() - began

    def end() -> None:
        order = job.order
        job.run.report = tally.report(order.file, order.processor, order.mode).as_dict()
        finish(job.datacenter, job.run)

    job.committed(end)
    meters.rows(CHECK, job.order.processor, tally.counts)


class _Undo:
    """The batches of an import, as far as they are to be taken back."""

    def __init__(self, job: Job, undone: Run) -> None:
        self.job = job
        self.undone = undone
        self.processor: Any = getUtility(IBatchProcessor, name=job.order.processor)
        own = {_serial_of(batch): batch for batch in undone.undo.values()}
        self.serials = Serials(own, self._undos)
        self.mark = marker(job.run.id)

    def numbers(self) -> list[int]:
        """Return the numbers of the batches that are still there, the last one first."""
        done = self.undone.taken_back + self.job.run.checkpoint.cursor
        return sorted(self.undone.undo, reverse=True)[done:]

    def take_back(self) -> None:
        """Take all batches back, each in a transaction."""
        job = self.job
        work = job.work_folder()
        files = ResultFiles(*segments.segment_paths(work.path, job.claim.token), COLUMNS)
        pace = Pace(job.run.checkpoint.tally.total)
        total = len(self.undone.undo) - self.undone.taken_back
        try:
            work.sync()
            for number in self.numbers():
                job.require_rights(self.processor.permission)
                lengths = segments.lengths_of(job.run.checkpoint.segments, job.claim.token)
                before = job.run.checkpoint.counts
                job.committed(
                    partial(self._batch, number, files, pace, total),
                    partial(files.rewind, *(lengths or (0, 0))),
                )
                meters.rows(UNDO, job.order.processor, job.run.checkpoint.counts, before)
                done = job.run.undo[job.run.checkpoint.batches]
                self.serials.learn(_serial_of(done), done)
            files.sync()
        finally:
            files.leave()

    def take_back_batch(self, number: int) -> list[RowResult]:
        """Take back the rows of a batch, the last one first; return what became of them."""
        effects = reversed(self.undone.undo[number].effects)
        rows = [
            (row, [effect for _row, effect in group])
            for row, group in groupby(effects, key=itemgetter(0))
        ]
        savepoint = transaction.savepoint(optimistic=True)
        self.serials.mark()
        try:
            return [self._row(row, effects) for row, effects in rows]
        except _Failed:
            savepoint.rollback()
            self.serials.rollback()
        found = []
        for row, effects in rows:
            savepoint = transaction.savepoint(optimistic=True)
            self.serials.mark()
            try:
                found.append(self._row(row, effects))
            except _Failed as failed:
                savepoint.rollback()
                self.serials.rollback()
                found.append(_result(row, effects[-1], FAILED, str(failed)))
        return found

    def _batch(self, number: int, files: ResultFiles, pace: Pace, total: int) -> None:
        job, run = self.job, self.job.run
        checkpoint, tally = run.checkpoint, run.checkpoint.tally
        began, before = time.monotonic(), tally.counts.copy()
        self.serials.begin()
        with deferred_lines(transaction.manager):
            results = self.take_back_batch(number)
            tally.add_all(results)
            files.write_all([result._replace(reason=None) for result in results])
            if is_heard(BatchDoneEvent):
                notify(BatchDoneEvent(run, tally.counts - before, results))
        tally.seconds += time.monotonic() - began
        checkpoint.keep(tally)
        checkpoint.segments = segments.extended(
            checkpoint.segments, job.claim.token, *files.sync()
        )
        checkpoint.cursor += 1
        checkpoint.batches += 1
        checkpoint.tries = 0
        # Just before the commit: what subscribers have put off until then is done by now.
        transaction.get().addBeforeCommitHook(self._keep_serials)
        fraction = checkpoint.cursor / total
        run.progress.tell(tally.total, tally.counts[FAILED], fraction, pace.rate(tally.total))
        job.site._p_jar.readCurrent(job.datacenter)

    def _keep_serials(self) -> None:
        """Leave a record: not to be undone, but to know the serial of this transaction."""
        run, connection = self.job.run, self.job.site._p_jar
        run.undo[run.checkpoint.batches] = UndoBatch([], self.serials.restored(connection))

    def _row(self, row: int, effects: Sequence[Effect]) -> RowResult:
        """Take back all that a row did, the last of it first, or nothing of it.

        The result is about what the row did first, to the object of the kind.
        """
        outcome = ""
        try:
            for effect in effects:
                outcome = undo_effect(self.processor, effect, self.job.site, self.serials)
                if outcome == CREATED:
                    note_return(effect.obj)
                if outcome in _MARKS:
                    self.mark(effect.obj, _MARKS[outcome], row)
        except UndoConflict as conflict:
            if outcome:
                # Something of the row was taken back already.
                raise _Failed(str(conflict)) from conflict
            return _result(row, effects[-1], FAILED, str(conflict))
        except Exception as exc:
            # A subscriber of a site: what it says concerns this row; a fault is raised again.
            raise _Failed(row_error(exc)) from exc
        return _result(row, effects[-1], outcome)

    def _undos(self) -> dict[bytes, Restored]:
        """Return the transactions of all undos since the import began, this one among them."""
        return {
            _serial_of(batch): batch
            for run in self.job.runs
            if run.order.kind == UNDO and self.undone.began_before_end_of(run)
            for batch in run.undo.values()
        }


def _serial_of(batch: UndoBatch) -> bytes:
    batch._p_activate()
    serial: bytes = batch._p_serial
    return serial


class _Failed(Exception):
    """A row could not be taken back, perhaps after something was changed."""


def _result(row: int, effect: Effect, outcome: str, reason: str | None = None) -> RowResult:
    what = "left alone" if outcome == FAILED else outcome
    title = title_of(effect)
    cells = dict(zip(COLUMNS, (str(row), title, what, reason or ""), strict=True))
    return RowResult(row, outcome, cells, reason, key=title)


def _record(job: Job, undone: Run) -> None:
    """Say where the result file goes, and that the import is undone."""
    work = job.work_folder()

    def decide() -> None:
        report = job.run.totals()
        steps: tuple[spool.Step, ...] = ()
        place = None
        if job.run.checkpoint.segments:
            path, _pending = segments.join(work.path, job.run.checkpoint.segments, False)
            place = _free_place(job)
            source = os.path.relpath(path, job.storage)
            steps = (spool.Place(source, place, digest_of(path)),)
            work.sync()
        job.datacenter.ledger.intend(
            results.Distribution(
                id=work.id,
                storage=job.storage,
                successful=report.successful,
                source="",
                mode="undo",
                results=(),
                finished=place,
                pending=None,
                original="",
                steps=steps,
            )
        )
        if place is not None:
            job.datacenter.ledger.restrict(place, needs_of_results(undone))
            job.datacenter.ledger.tell_source(place, undone.id, utc_now())
        undone.move(UNDONE)
        undone.undo.clear()
        undone.undo_bytes = 0
        end_rows(job, type(report).from_dict({**report.as_dict(), "finished": place}))
        job.datacenter.logger.info(
            "undone: %s of %s, %s rows (%s taken back/ %s left alone)",
            undone.order.mode,
            undone.order.file,
            report.total,
            report.done,
            report.failed,
        )

    with deferred_lines(transaction.manager):
        job.committed(decide)


def _free_place(job: Job) -> str:
    ensure_folder(os.path.join(job.storage, "finished"))
    order = job.order
    stem = results.result_names(order.file, order.mode, ()).stem
    for name in spool.numbered(f"{stem}.{order.mode}"):
        place = os.path.join("finished", name + UNDONE_SUFFIX)
        if not os.path.lexists(os.path.join(job.storage, place)):
            return place
    raise AssertionError("the numbers have no end")
