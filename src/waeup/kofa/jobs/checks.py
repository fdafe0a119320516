"""The work of a check: all rows are applied by the real hooks, and nothing of it stays.

One transaction takes all rows, since later rows may need what earlier ones make; it is always
aborted, and with it log lines, mail, and all else that joined it.  What is to stay is written
elsewhere: the rows into the work folder of the check, progress and lease through a connection
of their own.
"""

import os
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import transaction
from zope.component import getUtility

from waeup.kofa import meters
from waeup.kofa.errors import MappingError, NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing import canonical
from waeup.kofa.importing.batches import BATCH_ROWS
from waeup.kofa.importing.checking import CheckWriter, FailingRows
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.hooks import overridden
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.reading import limits
from waeup.kofa.importing.report import FAILED, OUTCOMES, Report, Tally
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.distributing import finish
from waeup.kofa.jobs.job import Job, identity, while_there
from waeup.kofa.jobs.pace import Pace
from waeup.kofa.jobs.record import CHECK
from waeup.kofa.jobs.reporter import Reporter, empty_folder
from waeup.kofa.journal import dropped_lines
from waeup.kofa.removals import rehearsal
from waeup.kofa.spool.disk import digest_of, faults
from waeup.kofa.tabular.options import ReadOptions


def do_check(job: Job) -> None:
    """Find out what an import would do.

    A check keeps nobody off its file: what is imported, deleted or replaced meanwhile is not
    checked, and not told as a fault of the disk.
    """
    source = os.path.join(job.storage, job.order.file)
    with while_there(job.storage, source, lambda: _gone(job)):
        seen = identity(source)
        if digest_of(source) != job.order.digest:
            raise _changed(job)
        # Who was paused until others have done this must not empty their folder.
        job.begin()
        with faults(_("The ${title}", mapping={"title": job.run.words})):
            folder = empty_folder(job)
            writer = CheckWriter(folder)
            try:
                report = _check(job, source, folder, writer)
            finally:
                transaction.abort()
                writer.close()
            job.work_folder().sync()
        if identity(source) not in (seen, None):
            raise _changed(job)

    def end() -> None:
        job.run.report = report.as_dict()
        finish(job.datacenter, job.run)

    job.committed(end)
    counts = {outcome: getattr(report, outcome) for outcome in OUTCOMES}
    meters.rows(CHECK, job.order.processor, counts)


def _changed(job: Job) -> Exception:
    return MappingError(
        _(
            "${file} was changed since its columns were mapped. Choose the file again.",
            mapping={"file": job.order.file},
        )
    )


def _gone(job: Job) -> Exception:
    return NoSuchItem(
        _(
            "There is no file ${name} (any more). Look at the list of files: it may "
            "have been imported or deleted meanwhile.",
            mapping={"name": repr(job.order.file)},
        )
    )


def _check(job: Job, source: str, folder: str, writer: CheckWriter) -> Report:
    order = job.order
    processor: Any = getUtility(IBatchProcessor, name=order.processor)
    mapping = order.mapping
    options = ReadOptions(**order.reading)
    table = canonical.plain_table(
        job.storage, source, limits(), sheet=options.sheet, digest=order.digest
    )
    reading = table.reading(options)
    job.begin()
    job.require_rights(processor.permission)
    with job.held(), dropped_lines(), rehearsal():
        if overridden(processor, "doImport"):
            # How it treats single rows nobody knows; but what becomes of all of them.
            report: Report = processor.importTable(
                source,
                mapping,
                order.mode,
                folder=folder,
                site=job.site,
                user=job.run.user,
                options=reading,
                read_from=table.path,
            )
            _discard(report)
            return replace(report, finished=None, pending=None)
        engine = RowEngine(
            processor,
            source,
            mapping,
            order.mode,
            job.site,
            options=reading,
            read_from=table.path,
            manner=Manner(
                skip_unchanged=order.skip_unchanged,
                detailed=True,
                corrections=job.run.corrected_rows(),
            ),
        )
        with closing(Reporter(job)) as reporter:
            refused = engine.broken_rules(reporter.look)
            writer.keep_failing(engine.columns)
            with closing(FailingRows(engine, folder)) as failing:
                report = _go_through(job, engine, writer, failing, reporter)
        return replace(report, refused=refused)


def _discard(report: Report) -> None:
    for path in (report.finished, report.pending):
        if path is not None:
            os.unlink(path)


def _go_through(
    job: Job, engine: RowEngine, writer: CheckWriter, failing: FailingRows, reporter: Reporter
) -> Report:
    order, tally, under_new = job.order, Tally(), 0
    began, pace, is_rehearsed = time.monotonic(), Pace(), False
    with engine.open() as rows:
        while taken := rows.take(BATCH_ROWS):
            results = engine.apply(taken)
            if not is_rehearsed and any(result.outcome != FAILED for result in results):
                # What cannot be stored is mostly met at once; to write all would take too long.
                engine.rehearse_storing()
                is_rehearsed = True
            writer.write(results)
            tally.add_all(results)
            failing.write(results)
            under_new += sum(result.is_under_new for result in results)
            reporter.tell(tally.total, tally.counts[FAILED], rows.fraction, pace.rate(tally.total))
    duplicates = writer.finish()
    tally.seconds = time.monotonic() - began
    return tally.report(
        order.file, order.processor, order.mode, duplicates=duplicates, under_new=under_new
    )
