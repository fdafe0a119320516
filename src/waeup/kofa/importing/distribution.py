"""The end of an import: source and result files go to their places, as a whole.

First the result files are staged in a work folder and the steps are written down,
then they are done.  A kill at any instant leaves either nothing done, or something
that `recover` completes.  Which file goes where is planned in `destinations`.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.destinations import (
    Distribution,
    ResultNames,
    plan_distribution,
    result_names,
)
from waeup.kofa.spool import (
    Intent,
    WorkFolder,
    claimed,
    clear_intent,
    move_file,
    redo,
    remove_file,
    storage_lock,
    write_intent,
)
from waeup.kofa.spool import perform as perform_steps
from waeup.kofa.spool.disk import faults
from waeup.kofa.tabular import merge_tables

__all__ = [
    "Distribution",
    "ResultNames",
    "append_table",
    "distribute",
    "perform",
    "plan_distribution",
    "recover",
    "result_names",
]

#: How the ids of the work folders of distributions begin.
PREFIX = "distribution-"
#: Work folders that are of no use when their process is dead; those of runs are.
_ABANDONED = (PREFIX, "upload-", "copy-")


def perform(distribution: Distribution) -> None:
    """Put the files into their places; what has been done before is recognised.

    Removes the result files, and their folder when nothing else is in it.  The work
    folder stays, for it is needed to perform again.  Raises `StorageFault`.
    """
    with faults(f"For {distribution.title}, a change of files"):
        perform_steps(distribution.storage, distribution.steps)


def distribute(
    storage: str,
    successful: bool,
    source_path: str,
    finished_file: str | None,
    pending_file: str | None,
    mode: str,
) -> None:
    """Put a source and its result files into their places, at once.

    See `waeup.kofa.interfaces.IDataCenter.distProcessedFiles` for the arguments.
    What a killed process left half done is completed first; if that was this very
    distribution, nothing else is done.

    Raises what `plan_distribution` raises, and `ItemBusy`; then nothing was changed.
    Raises `StorageFault` when the disk fails; then nothing was changed, or a later
    call completes it.
    """
    storage = os.path.abspath(storage)
    results = [os.path.abspath(path) for path in (finished_file, pending_file) if path]
    call = {
        "source": os.path.basename(source_path),
        "successful": bool(successful),
        "mode": mode,
        "results": results,
    }
    with ExitStack() as stack:
        gone = None
        try:
            stack.enter_context(claimed(source_path))
        except NoSuchItem as error:
            gone = error
        stack.enter_context(storage_lock(storage))
        records = [intent.record for intent in _recover(storage)]
        if any(_is_call(record, call) for record in records):
            return
        if gone is None and any(record.get("source") == call["source"] for record in records):
            gone = NoSuchItem(
                _(
                    "No such source path: ${source_path}. It was processed by somebody whose "
                    "work has just been completed; list the files again.",
                    mapping={"source_path": source_path},
                )
            )
        if gone is not None:
            raise gone
        _distribute(storage, successful, source_path, finished_file, pending_file, mode)


def append_table(source: str, target: str) -> None:
    """Append the rows of the table `source` to `target` and remove `source`.

    The columns are those of both, sorted by name (Kofa 1.9).  Raises `TableError` for
    files that are no tables.
    """
    merged = target + ".merged"
    merge_tables((target, source), merged)
    move_file(merged, target)
    remove_file(source)


def recover(storage: str) -> list[str]:
    """Complete what killed processes left half done in `storage`, and tidy up after them.

    Returns in words what was completed.  A second call changes nothing.  Raises
    `ItemBusy` when the storage is in use for long, `StorageFault` when something
    cannot be completed.
    """
    with storage_lock(storage):
        return [intent.title for intent in _recover(storage)]


def _recover(storage: str) -> list[Intent]:
    done = redo(storage)
    for prefix in _ABANDONED:
        WorkFolder.stale(storage, prefix=prefix)
    return done


def _is_call(record: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    # Result files that are there again belong to another import of that name.
    same = all(record.get(key) == value for key, value in call.items())
    return same and not any(os.path.exists(path) for path in call["results"])


def _distribute(
    storage: str,
    successful: bool,
    source_path: str,
    finished_file: str | None,
    pending_file: str | None,
    mode: str,
) -> None:
    with faults(f"Distributing the results of {os.path.basename(source_path)}"):
        work = WorkFolder(storage, prefix=PREFIX)
        try:
            plan = plan_distribution(
                storage, successful, source_path, finished_file, pending_file, mode, work
            )
        except BaseException:
            work.remove()
            raise
        try:
            # From here on the folder is left to `recover` should anything go wrong.
            write_intent(work, plan.title, plan.steps, plan.as_dict())
            perform(plan)
            clear_intent(work)
            work.remove()
        finally:
            work.close()
