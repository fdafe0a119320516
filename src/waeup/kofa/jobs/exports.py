"""The work of an export: a file with the rows of objects, kept until somebody has fetched it.

One transaction reads all objects, so that they are as they were at one moment; it changes nothing.
Progress and lease are written through a connection of their own.  What a killed worker leaves is
made anew from the beginning, in a folder of the next worker's own: one that was paused, and wakes
up when others have done its work, leaves their result alone.
"""

import os
import shutil
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import transaction
from zope.component import queryUtility

from waeup.kofa import meters
from waeup.kofa.errors import NoSuchItem
from waeup.kofa.exporting import Export, Outcome
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.report import FAILED, LISTED_REASONS, UNCHANGED, Tally
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs.distributing import finish
from waeup.kofa.jobs.job import Job, folder_of
from waeup.kofa.jobs.pace import Pace
from waeup.kofa.jobs.record import EXPORT, FINISHED, Run
from waeup.kofa.jobs.reporter import Reporter
from waeup.kofa.spool.disk import disk, faults
from waeup.kofa.usual import EXPORT_HOURS

#: What runs of exports write, so that one is done after the other.
SCOPE = "(exports)"
#: What becomes of a row, for who counts them.
EXPORTED = "exported"


def do_export(job: Job) -> None:
    """Write the file that is wanted."""
    with faults(_("The ${title}", mapping={"title": job.run.words})):
        work = job.work_folder()
        folder = _own_folder(work.path, job.claim.token)
        try:
            outcome = _export(job, folder)
        finally:
            transaction.abort()
        disk.sync_folder(folder)
        work.sync()

    def end() -> None:
        order, run = job.order, job.run
        counts = {UNCHANGED: outcome.rows, FAILED: len(outcome.unknown)}
        tally = Tally(counts, seconds=outcome.seconds)
        report = tally.report(order.file, order.processor, order.mode)
        # Which keys these are is all that there is to tell: they are not counted by kind.
        unknown = Counter(f"No object has the key {key!r}." for key in outcome.unknown)
        reasons = tuple(unknown.most_common(LISTED_REASONS))
        run.report = replace(report, reasons=reasons).as_dict()
        run.progress.rows, run.progress.failed = outcome.rows, len(outcome.unknown)
        finish(job.datacenter, run)

    job.committed(end)
    counts = {EXPORTED: outcome.rows, FAILED: len(outcome.unknown)}
    meters.rows(EXPORT, job.order.processor, counts)


def _own_folder(work: str, token: int) -> str:
    """Return a new folder for the worker with that token; those of its predecessors go."""
    for name in os.listdir(work):
        if name.isdecimal() and int(name) < token:
            shutil.rmtree(os.path.join(work, name), ignore_errors=True)
    folder = os.path.join(work, str(token))
    disk.mkdir(folder, 0o700)
    return folder


def _export(job: Job, folder: str) -> Outcome:
    job.begin()
    job.require_rights(*job.run.needs)
    export = Export(job.run.wish, job.site)
    pace, reporter = Pace(), Reporter(job)

    def tell(rows: int, fraction: float) -> None:
        reporter.tell(rows, 0, fraction, pace.rate(rows))

    try:
        export.require_room(tell)
        fd = disk.create(os.path.join(folder, job.order.file))
        with open(fd, "wb") as stream:
            with job.held():
                outcome = export.write(stream, tell, folder)
            stream.flush()
            disk.sync(stream.fileno())
    finally:
        reporter.close()
    return outcome


def result_of(storage: str, run: Run) -> str:
    """Return the path of the file that an export has written; raises `NoSuchItem`."""
    folder = os.path.join(folder_of(storage, run.id), str(run.checkpoint.token))
    path = os.path.join(folder, run.order.file)
    if not has_result(run) or not os.path.isfile(path):
        raise NoSuchItem(
            _(
                "The result of the ${title} is not there (any more): results are kept "
                "for ${text} hours. Order the export again.",
                mapping={"title": run.words, "text": f"{kept_hours():g}"},
            )
        )
    return path


def has_result(run: Run) -> bool:
    """Tell whether a run has a result that is kept."""
    return run.order.kind == EXPORT and run.state == FINISHED


def kept_hours() -> float:
    """Return for how many hours results are kept."""
    config = queryUtility(IDataCenterConfig, default={})
    hours: float = config.get("export_hours", EXPORT_HOURS)
    return hours


def kept_time() -> timedelta:
    """Return for how long results are kept."""
    return timedelta(hours=kept_hours())
