"""The work of an import: rows in batches, each in a transaction of its own, then the files.

::

    take rows -> apply them -> force results out -> checkpoint + undo record -> commit
         ^                                                                        |
         `--------------------------- next batch ---------------------------------'
    no more rows: join the segments, record where the files go, commit; put them there

Before the first batch the rules over the whole file are asked, if its kind has any; meanwhile
progress is written, and a cancel heard, through a connection of its own.

The result files never run ahead of the database: what is behind a length that was committed
is not read.  The database never runs ahead of them: the rows are forced out before.
"""

import os
import shutil
import time
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from typing import Any

import transaction
from zope.component import getUtility
from zope.event import notify

from waeup.kofa import meters, spool
from waeup.kofa.errors import Fault, ItemBusy, MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing import canonical, segments
from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.importing.checking import CheckReader
from waeup.kofa.importing.effects import Effect
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.events import is_heard
from waeup.kofa.importing.history import marker
from waeup.kofa.importing.hooks import overridden
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.reading import limits
from waeup.kofa.importing.report import FAILED, Report, Tally
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.importing.undoing import touched
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.distributing import carry_out, record, turn
from waeup.kofa.jobs.events import BatchDoneEvent
from waeup.kofa.jobs.job import (
    Job,
    checks_of,
    folder_of,
    identity,
    remove_folders,
    while_there,
)
from waeup.kofa.jobs.pace import Pace
from waeup.kofa.jobs.record import IMPORT, UndoBatch
from waeup.kofa.jobs.reporter import Reporter
from waeup.kofa.journal import deferred_lines
from waeup.kofa.spool.disk import digest_of, faults, sync_file
from waeup.kofa.tabular.options import ReadOptions


def do_import(job: Job) -> None:
    """Bring an import to its end from wherever it is."""
    if not job.run.checkpoint.is_complete:
        with ExitStack() as held:
            source = os.path.join(job.storage, job.order.file)
            with while_there(job.storage, source, lambda: _changed(job)):
                _claim_file(job, source, held)
                # First, so that a file that takes its place meanwhile is noticed in the end.
                seen = identity(source)
                if digest_of(source) != job.order.digest:
                    raise _changed(job)
                _ImportedRows(job, source).apply()
            with turn(job):
                if identity(source) != seen:
                    raise _changed(job)
                record(job, source)
                carry_out(job)
    else:
        with turn(job):
            carry_out(job)
    try:
        remove_folders(job.storage, checks_of(job.datacenter, job.order.file))
        others = [run for run in job.runs.active() if run.order.digest == job.order.digest]
        if not others:
            canonical.sweep(job.storage, job.order.digest)
    except OSError as exc:
        # The import is done; what is left over goes when the portal starts.
        job.datacenter.logger.warning("What was made of %s stays: %s", job.order.file, exc)


def _claim_file(job: Job, source: str, held: ExitStack) -> None:
    """Keep others off the file, also those who know nothing of runs."""
    try:
        held.enter_context(spool.claimed(source))
    except ItemBusy:
        if job.claim.token == 1:
            raise
        # Its former worker is alive, but has lost the run: the database decides.


def _changed(job: Job) -> Exception:
    name = job.order.file
    if job.run.checkpoint.batches == 0:
        return MappingError(
            _(
                "${name} was changed since its columns were mapped. Nothing was stored. "
                "Choose the file again.",
                mapping={"name": name},
            )
        )
    return Fault(
        _(
            "${name} was changed, replaced or removed since its import began. Bring "
            "the former file back and let the run go on, or take the run back.",
            mapping={"name": name},
        )
    )


class _ImportedRows:
    """The rows of one import, as far as one worker gets with them."""

    def __init__(self, job: Job, source: str) -> None:
        self.job = job
        self.source = source
        order = job.order
        self.processor: Any = getUtility(IBatchProcessor, name=order.processor)
        self.mapping = order.mapping
        options = ReadOptions(**order.reading)
        self.table = canonical.plain_table(
            job.storage, source, limits(), sheet=options.sheet, digest=order.digest
        )
        self.options = self.table.reading(options)
        self.work = job.work_folder()

    def apply(self) -> None:
        """Apply all rows that are not done yet; the checkpoint then says that all are."""
        with faults(_("The ${title}", mapping={"title": self.job.run.words})):
            if overridden(self.processor, "doImport"):
                self._apply_at_once()
            else:
                self._apply_in_batches()

    # -- batch by batch --------------------------------------------------------------

    def _apply_in_batches(self) -> None:
        job, checkpoint = self.job, self.job.run.checkpoint
        with self._expectations() as expected:
            engine = RowEngine(
                self.processor,
                self.source,
                self.mapping,
                job.order.mode,
                job.site,
                options=self.options,
                read_from=self.table.path,
                manner=Manner(
                    skip_unchanged=job.order.skip_unchanged,
                    recorded=True,
                    detailed=expected is not None,
                    expected=expected,
                    restart=job.restart,
                    corrections=job.run.corrected_rows(),
                    mark=marker(job.run.id),
                    run=job.run.id,
                ),
            )
            if not checkpoint.batches and engine.has_file_rules:
                with job.held(), closing(Reporter(job)) as reporter:
                    engine.require_whole(reporter.look)
            files = engine.result_files(*segments.segment_paths(self.work.path, job.claim.token))
            try:
                self.work.sync()
                with engine.open(checkpoint.cursor) as source:
                    self._go_through(engine, source, files)
            finally:
                files.leave()

    def _expectations(self) -> Any:
        """Give what the check has found that the run must not differ from."""
        check = self.job.order.check
        if check is None:
            return nullcontext()
        return CheckReader(folder_of(self.job.storage, check)).expectations()

    def _go_through(self, engine: RowEngine, source: SourceRows, files: ResultFiles) -> None:
        job = self.job
        pace = Pace(job.run.checkpoint.cursor)
        while rows := source.take(pace.rows):
            job.require_rights(self.processor.permission)
            began, before = time.monotonic(), job.run.checkpoint.tally
            lengths = segments.lengths_of(job.run.checkpoint.segments, job.claim.token)
            job.committed(
                partial(self._batch, engine, source, files, rows, began, pace),
                partial(files.rewind, *(lengths or (0, 0)), has_raw=files.has_raw),
            )
            now = job.run.checkpoint.tally
            meters.rows(IMPORT, job.order.processor, now.counts, before.counts)
            pace.took(len(rows), now.seconds - before.seconds, time.monotonic() - began)

    def _batch(
        self,
        engine: RowEngine,
        source: SourceRows,
        files: ResultFiles,
        rows: list[Any],
        began: float,
        pace: Pace,
    ) -> None:
        """Apply rows in the transaction that has begun, and say how far the run is with them."""
        job, run = self.job, self.job.run
        checkpoint = run.checkpoint
        tally = checkpoint.tally
        before = tally.counts.copy()
        effects: list[tuple[int, Effect]] = []
        with deferred_lines(transaction.manager):
            results = engine.apply(rows)
            files.write_all(results)
            tally.add_all(results)
            for result in results:
                if result.effect is not None:
                    effects.append((result.number, result.effect))
                if result.part_effects:
                    effects += [(result.number, effect) for effect in result.part_effects]
            if is_heard(BatchDoneEvent):
                notify(BatchDoneEvent(run, tally.counts - before, results))
        tally.seconds += time.monotonic() - began
        checkpoint.keep(tally)
        checkpoint.segments = segments.extended(
            checkpoint.segments, job.claim.token, *files.sync()
        )
        checkpoint.has_raw = checkpoint.has_raw or files.has_raw
        checkpoint.cursor += len(rows)
        checkpoint.batches += 1
        checkpoint.tries = 0
        if effects:
            undo = run.undo[checkpoint.batches] = UndoBatch(effects)
            # Just before the commit: what subscribers have put off until then is done by now.
            transaction.get().addBeforeCommitHook(self._keep_touched, (undo, effects))
        run.progress.tell(
            tally.total, tally.counts[FAILED], source.fraction, pace.rate(checkpoint.cursor)
        )
        # A storage that was moved meanwhile is a conflict: the rows would be in the old one.
        job.site._p_jar.readCurrent(job.datacenter)

    def _keep_touched(self, undo: UndoBatch, effects: list[tuple[int, Effect]]) -> None:
        """Keep which objects were changed by the way, and the serials that they had before."""
        connection = self.job.site._p_jar
        undo.restored = touched(connection, (effect for _number, effect in effects))

    # -- by a processor that has a `doImport` of its own ---------------------------------

    def _apply_at_once(self) -> None:
        """Let the processor import the whole table: one batch, of which there is no undo."""
        job = self.job
        if job.run.checkpoint.batches:
            # Its worker was stopped between the rows and the files.
            return
        job.require_rights(self.processor.permission)

        # A folder of one's own: a predecessor that wakes up must not touch what is in it.
        own = os.path.join(self.work.path, str(job.claim.token))

        def whole() -> None:
            shutil.rmtree(own, ignore_errors=True)
            os.mkdir(own)
            with deferred_lines(transaction.manager):
                report: Report = self.processor.importTable(
                    self.source,
                    self.mapping,
                    job.order.mode,
                    folder=own,
                    site=job.site,
                    user=job.run.user,
                    options=self.options,
                    read_from=self.table.path,
                )
            self._keep_whole(report)

        job.committed(whole)
        meters.rows(IMPORT, job.order.processor, job.run.checkpoint.counts)

    def _keep_whole(self, report: Report) -> None:
        """Make segments of the files that a processor has written."""
        token, checkpoint = self.job.claim.token, self.job.run.checkpoint
        lengths = []
        made = segments.segment_paths(self.work.path, token)
        for path, target in zip((report.finished, report.pending), made, strict=True):
            if path is None:
                lengths.append(0)
                continue
            os.replace(path, target)
            sync_file(target)
            lengths.append(os.path.getsize(target))
        self.work.sync()
        counts = {name: getattr(report, name) for name in ("created", "updated", "removed")}
        counts["failed"] = report.failed
        checkpoint.keep(Tally(counts, dict(report.reasons), report.seconds))
        checkpoint.segments = ((token, lengths[0], lengths[1]),)
        # The columns of the files are the processor's own.
        checkpoint.has_raw = True
        checkpoint.cursor = report.total
        checkpoint.batches += 1
        self.job.run.progress.tell(report.total, report.failed, 1.0, 0.0)
