"""The row engine: applies the rows of a table through a processor's hooks.

Rows go through in batches.  All cells of a batch are read and converted first
(`waeup.kofa.importing.preparing`); then each row is applied.  A row that cannot be
converted, or that a hook refuses with a message, simply goes to the pending file.
One whose hook raises (`HalfDone`) is taken back: the batch is replayed without it
(see `waeup.kofa.importing.rollback`).  Results are written when the batch is through,
thus no row is reported twice.

The engine works inside the caller's transaction.  It never begins, commits or
aborts one.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from waeup.kofa import conversion
from waeup.kofa.conversion.wording import listing
from waeup.kofa.errors import FatalCSVError, MappingError
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.hooks import HookRow, once, overridden, row_error
from waeup.kofa.importing.plan import RowPlan, ValuePlan, running
from waeup.kofa.importing.preparing import Prepared, Preparer
from waeup.kofa.importing.reading import AS_FOUND, open_source, read_with
from waeup.kofa.importing.report import Report, RowResult
from waeup.kofa.importing.results import ResultFiles, result_paths
from waeup.kofa.importing.rollback import ObjectRestore, Savepoints
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tabular import Table, check_header
from waeup.kofa.tabular.options import ReadOptions

#: Rows between two savepoints: many enough to make a savepoint cheap, few enough
#: to replay and to hold in memory.
BATCH_ROWS = 1000
#: After so many replays of one batch each further row gets a savepoint.
MAX_REPLAYS = 3
#: Different reasons that are counted; a file may have one for each row.
COUNTED_REASONS = 1000
#: Reasons that a report lists, most frequent first.
LISTED_REASONS = 20


def discard_results(folder: str, source: str) -> None:
    """Remove the result files of an import that was given up, and their folder."""
    for path in result_paths(folder, source):
        if os.path.exists(path):
            os.unlink(path)
    os.rmdir(folder)


class Progress(NamedTuple):
    """How far an import is: rows read, rows failed, part of the file (0 to 1)."""

    rows: int
    failed: int
    fraction: float


class _RowRefused(Exception):
    """A hook said no before anything was written."""


class HalfDone(Exception):
    """A hook failed, perhaps after it changed something; the message is the reason."""


def check_mode(processor: IBatchProcessor, mode: str) -> None:
    """Raise `FatalCSVError` for a mode that the processor does not have."""
    if mode not in processor.modes:
        raise FatalCSVError(
            f"{processor.name} has no mode {mode!r}. Its modes are: {', '.join(processor.modes)}."
        )


class RowEngine:
    """Applies one table once.

    `mapping` says which field each column fills; headers and constants are checked
    here, before anything is written.  `site` is handed to the hooks.  The rows come from
    the text `read_from` (default: the table itself), which is read as `options` say.
    Raises `FatalCSVError` and `TableError`.
    """

    def __init__(
        self,
        processor: IBatchProcessor,
        path: str,
        mapping: conversion.Mapping,
        mode: str,
        site: Any,
        ignore_empty: bool = True,
        *,
        options: ReadOptions = AS_FOUND,
        read_from: str | None = None,
    ) -> None:
        self.processor = processor
        self.path = path
        self._source = path if read_from is None else read_from
        self._reading = options
        self.mode = mode
        self.site = site
        self.filename = os.path.splitext(os.path.basename(path))[0]
        self._ignore_empty = ignore_empty
        check_mode(processor, mode)
        header, names = self._checked(mapping)
        self._mapping = mapping = self._effective(mapping, header, names)
        self._rows = RowPlan(mapping.columns, mapping.constants, ignore_empty)
        self._values = ValuePlan(processor.iface, self._rows.fields, site)
        self._check_constants()
        self._preparer = Preparer(
            processor, header, names, self._rows, self._values, mode, ignore_empty
        )
        self._own_parents = overridden(processor, "parentsExist")
        self._apply: Callable[[HookRow], str] = {
            "create": self._create,
            "update": self._update,
            "remove": self._remove,
        }[mode]
        connection = getattr(site, "_p_jar", None)
        self._savepoints = Savepoints(connection) if connection is not None else None
        self._restore = ObjectRestore() if connection is None else None

    def run(self, folder: str, progress: Callable[[Progress], None] | None = None) -> Report:
        """Apply all rows, write result files into `folder`, and report."""
        started = time.monotonic()
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        hook = self.processor.writeFailedRow
        files = ResultFiles(
            folder,
            self.path,
            self._rows.fields,
            guarded=self._values.texts,
            write_failed=hook if overridden(self.processor, "writeFailedRow") else None,
        )
        prepare = self._preparer.prepare
        try:
            with running(self.processor, self._values), self._open() as table:
                source = iter(table)
                while rows := list(islice(source, BATCH_ROWS)):
                    for result in self._batch([p for row in rows if (p := prepare(row))]):
                        files.write(result)
                        counts[result.outcome] += 1
                        reason = result.reason
                        if reason is not None and (
                            reason in reasons or len(reasons) < COUNTED_REASONS
                        ):
                            reasons[reason] += 1
                    if progress is not None:
                        failed = counts[outcomes.FAILED]
                        done = table.bytes_read / table.size
                        progress(Progress(counts.total(), failed, done))
        finally:
            files.close()
        return Report(
            file=os.path.basename(self.path),
            processor=self.processor.util_name,
            mode=self.mode,
            total=counts.total(),
            seconds=time.monotonic() - started,
            finished=files.finished_path,
            pending=files.pending_path,
            reasons=tuple(reasons.most_common(LISTED_REASONS)),
            **{outcome: counts[outcome] for outcome in outcomes.OUTCOMES},
        )

    def _open(self) -> Table:
        return open_source(self._source, self._reading, os.path.basename(self.path))

    # -- before the first row ------------------------------------------------

    def _checked(self, mapping: conversion.Mapping) -> tuple[tuple[str, ...], dict[str, str]]:
        """Let the processor have its say about the columns.

        Returns the header of the table, and which name of it goes to which field.
        """
        processor = self.processor
        fields = [*mapping.headerfields, *(name for name, _ in mapping.constants)]
        processor.checkHeaders(fields, self.mode)
        known = {*processor.available_fields, *processor.getHeaders(self.mode)}
        unknown = [name for name in mapping.fields if name not in known]
        if unknown:
            raise FatalCSVError(
                f"{processor.name} has no field {listing(unknown)}. Ignore these columns, or "
                f"name other fields: {listing(sorted(known), limit=40)}."
            )
        with self._open() as table:
            header = table.header
            check_header(header, table.name)
        if len(mapping.columns) > len(header):
            raise FatalCSVError(
                f"{os.path.basename(self.path)} has {len(header)} columns, but fields are named "
                f"for {len(mapping.columns)}. Name one field, or --IGNORE--, for each column."
            )
        with read_with(self._reading):
            return header, processor.getMapping(self._source, mapping.headerfields, self.mode)

    def _effective(
        self, mapping: conversion.Mapping, header: tuple[str, ...], names: dict[str, str]
    ) -> conversion.Mapping:
        """Return what fills the fields in this mode, by the processor's own mapping."""
        constants = tuple(
            (name, text)
            for name, text in mapping.constants
            if self.mode != "remove" or name in self.processor.location_fields
        )
        return conversion.Mapping(tuple(names.get(column) for column in header), constants)

    def _check_constants(self) -> None:
        """Refuse a constant that is no value of its field: all rows would fail."""
        names = [name for name, _ in self._mapping.constants]
        plan = ValuePlan(self.processor.iface, names, self.site)
        errors = plan.convert(self._rows.constants, self.mode, self._ignore_empty).errors
        if errors:
            raise MappingError(
                "Constants do not fit their fields: "
                + "; ".join(f"{name}: {message}" for name, message in errors)
            )

    # -- applying --------------------------------------------------------------

    def _batch(self, rows: list[Prepared]) -> Iterator[RowResult]:
        """Apply a batch and return its results, each row once."""
        if self._savepoints is None:
            return iter([self._single(row) for row in rows])
        self._savepoints.mark()
        failed: dict[int, str] = {}
        for _ in range(MAX_REPLAYS):
            results = []
            for row in rows:
                try:
                    results.append(self._try(row, failed.get(row.number)))
                except HalfDone as exc:
                    failed[row.number] = str(exc)
                    self._savepoints.rollback()
                    break
            else:
                return iter(results)
        return iter([self._guarded(row, failed.get(row.number)) for row in rows])

    def _guarded(self, row: Prepared, reason: str | None) -> RowResult:
        """Apply a row behind a savepoint of its own."""
        assert self._savepoints is not None
        self._savepoints.mark()
        try:
            return self._try(row, reason)
        except HalfDone as exc:
            self._savepoints.rollback()
            return _failed(row, str(exc))

    def _single(self, row: Prepared) -> RowResult:
        """Apply a row to objects outside a database."""
        assert self._restore is not None
        self._restore.forget()
        try:
            return self._try(row, None)
        except HalfDone as exc:
            self._restore.restore()
            return _failed(row, str(exc))

    def _try(self, row: Prepared, known_reason: str | None) -> RowResult:
        reason = known_reason or row.reason
        if reason is not None:
            return _failed(row, reason)
        # What was found before a replay may not be there any more.
        row.row.found = {}
        try:
            outcome = self._apply(row.row)
        except _RowRefused as exc:
            return _failed(row, str(exc))
        except Exception as exc:
            # A hook is the code of a site: whatever it raises concerns this row, and
            # whatever it changed before is taken back.
            raise HalfDone(row_error(exc)) from exc
        finally:
            row.row.found = None
        return RowResult(row.number, outcome, row.texts)

    def _create(self, row: HookRow) -> str:
        processor, site = self.processor, self.site
        if self._own_parents:
            exist = processor.parentsExist(row, site)
        else:
            exist = once(row, "parent", processor.getParent, row, site) is not None
        if not exist:
            raise _RowRefused("Not all parents do exist yet.")
        if processor.entryExists(row, site):
            raise _RowRefused("This object already exists.")
        parent = once(row, "parent", processor.getParent, row, site)
        self._refuse_if(processor.checkCreateRequirements(parent, row, site))
        obj = processor.callFactory()
        if self._restore is not None:
            self._restore.watch_new(obj)
        processor.updateEntry(obj, row, site, self.filename)
        processor.addEntry(obj, row, site)
        return outcomes.CREATED

    def _update(self, row: HookRow) -> str:
        processor, site = self.processor, self.site
        obj = processor.getEntry(row, site)
        if obj is None:
            raise _RowRefused("Cannot update: no such entry")
        self._refuse_if(processor.checkUpdateRequirements(obj, row, site))
        if self._restore is not None:
            self._restore.watch_change(obj)
        changes = processor.updateEntry(obj, row, site, self.filename)
        return outcomes.UNCHANGED if changes == "" else outcomes.UPDATED

    def _remove(self, row: HookRow) -> str:
        processor, site = self.processor, self.site
        if not processor.entryExists(row, site):
            raise _RowRefused("Cannot remove: no such entry")
        obj = processor.getEntry(row, site)
        self._refuse_if(processor.checkRemoveRequirements(obj, row, site))
        if self._restore is not None:
            self._restore.watch_change(obj)
        processor.delEntry(row, site)
        return outcomes.REMOVED

    def _refuse_if(self, message: str | None) -> None:
        if message:
            raise _RowRefused(message)


def _failed(row: Prepared, reason: str) -> RowResult:
    return RowResult(row.number, outcomes.FAILED, row.texts, reason, row.raw)
