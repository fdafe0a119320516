"""Imports by a processor of a site that has its own `doImport`, as in Kofa 1.9.

The portal calls `importTable`.  A processor that does something else in `doImport` is
not passed over: it does the import, and from what it returns a report is made.
"""

import contextlib
import inspect
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.importing.reading import AS_FOUND, limits, read_with
from waeup.kofa.importing.reasons import Reasons
from waeup.kofa.importing.report import (
    COUNTED_REASONS,
    CREATED,
    LISTED_REASONS,
    REMOVED,
    UPDATED,
    Report,
)
from waeup.kofa.importing.results import result_paths
from waeup.kofa.interfaces import ERRORS_COLUMN, IBatchProcessor
from waeup.kofa.tabular import open_table
from waeup.kofa.tabular.options import ReadOptions

_OUTCOMES = {"create": CREATED, "update": UPDATED, "remove": REMOVED}


def import_by_override(
    processor: IBatchProcessor,
    path: str,
    mapping: Mapping,
    mode: str,
    *,
    folder: str,
    site: Any,
    user: str,
    logger: logging.Logger | None,
    ignore_empty: bool,
    options: ReadOptions | None,
    read_from: str | None,
) -> Report:
    """Let the processor's own `doImport` import the table; see `IBatchProcessor.importTable`.

    Nobody is told of the progress: 1.9's method tells of none.  Raises `FatalCSVError` for
    constants and values when the method takes none, and for options when it reads the table by
    itself without them; the latter is noticed at the end.
    """
    options = options or AS_FOUND
    started = time.monotonic()
    more = _more_arguments(processor, mapping, site)
    with ExitStack() as stack:
        if read_from is None:
            table = stack.enter_context(unpacked(path, limits(), sheet=options.sheet))
            options, read_from = table.reading(options), table.path
        reading = stack.enter_context(read_with(options))
        total, failed, *made = processor.doImport(
            read_from,
            mapping.headerfields,
            mode,
            user=user,
            logger=logger,
            ignore_empty=ignore_empty,
            **more,
        )
    if not (reading.asked or _is_usual(options)):
        raise FatalCSVError(
            _(
                "${name} reads tables in its own way and cannot be told how. Save the "
                'table as "CSV UTF-8" with commas, and upload that.',
                mapping={"name": processor.name},
            )
        )
    finished, pending = _taken_over(made, result_paths(folder, path))
    counts = {_OUTCOMES.get(mode, UPDATED): total - failed}
    return Report(
        file=os.path.basename(path),
        processor=processor.util_name,
        mode=mode,
        total=total,
        failed=failed,
        seconds=time.monotonic() - started,
        finished=finished,
        pending=pending,
        reasons=_reasons(pending),
        **counts,
    )


def _more_arguments(processor: IBatchProcessor, mapping: Mapping, site: Any) -> dict[str, Any]:
    """Return what `doImport` is given besides what that of Kofa 1.9 takes, if it takes it.

    Raises `FatalCSVError` when it must have it, and does not take it.
    """
    parameters = inspect.signature(processor.doImport).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    taken = {p.name for p in parameters}
    more: dict[str, Any] = {}
    if site is not None and (takes_all or "site" in taken):
        more["site"] = site
    if mapping.constants and (takes_all or "constants" in taken):
        more["constants"] = dict(mapping.constants)
    elif mapping.constants:
        raise FatalCSVError(
            _(
                "${name} cannot fill fields with the same text for all rows. Write the "
                "text into a column of the table.",
                mapping={"name": processor.name},
            )
        )
    if mapping.values and (takes_all or "values" in taken):
        more["values"] = mapping.values
    elif mapping.values:
        raise FatalCSVError(
            _(
                "${name} cannot be told that texts stand for others. Replace them in the table.",
                mapping={"name": processor.name},
            )
        )
    return more


def _taken_over(made: Sequence[str | None], places: Sequence[str]) -> list[str | None]:
    """Move the result files that `doImport` has made to their places; return where they are."""
    paths: list[str | None] = []
    for found, place in zip(made, places, strict=True):
        paths.append(shutil.move(found, place) if found else None)
    with contextlib.suppress(OSError):
        # The hook made a folder for its files; what else is in it is not ours.
        os.rmdir(os.path.dirname(made[0] or ""))
    return paths


def _is_usual(options: ReadOptions) -> bool:
    """Tell whether options say nothing that a reader of Kofa 1.9 would not do by itself."""
    usual = ReadOptions("utf-8", ",", '"', 1, options.sheet).as_dict()
    return all(usual[name] == value for name, value in options.as_dict().items())


def _reasons(pending: str | None) -> tuple[tuple[str, int], ...]:
    if pending is None:
        return ()
    reasons = Reasons(limit=COUNTED_REASONS)
    with open_table(pending, own=True, rows_required=False) as table:
        if ERRORS_COLUMN in table.header:
            at = table.header.index(ERRORS_COLUMN)
            for row in table:
                if at < len(row.values):
                    reasons.add(row.values[at])
    return reasons.most_common(LISTED_REASONS)
