"""The row engine: applies the rows of a table through a processor's hooks.

Rows go through in batches.  All cells of a batch are read and converted first;
then each row is applied.  A row that fails before its first write simply goes to
the pending file.  A row that fails later (`HalfDone`) is taken back: the batch
is replayed without it (see `waeup.kofa.importing.rollback`).  Results are
written when the batch is through, thus no row is reported twice.

The engine works inside the caller's transaction.  It never begins, commits or
aborts one.
"""

import contextvars
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from transaction.interfaces import TransientError
from ZODB.POSException import POSError
from zope.interface import Invalid

from waeup.kofa import conversion
from waeup.kofa.errors import DuplicationError, Fault, MappingError
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.plan import RowPlan, ValuePlan
from waeup.kofa.importing.report import Report, RowResult
from waeup.kofa.importing.results import ResultFiles, result_paths
from waeup.kofa.importing.rollback import ObjectRestore, Savepoints
from waeup.kofa.interfaces import IGNORE_COLUMN, IGNORE_MARKER, RAW_COLUMN, IBatchProcessor
from waeup.kofa.tabular import open_table

#: Rows between two savepoints: many enough to make a savepoint cheap, few enough
#: to replay and to hold in memory.
BATCH_ROWS = 1000
#: After so many replays of one batch each further row gets a savepoint.
MAX_REPLAYS = 3
#: Reasons that a report lists, most frequent first.
LISTED_REASONS = 20

#: Not errors of a row, whatever hook they come through: the import must stop.
FAULTS = (TransientError, POSError, Fault, OSError, MemoryError)

_plan: contextvars.ContextVar[tuple[IBatchProcessor, ValuePlan] | None] = contextvars.ContextVar(
    "kofa_value_plan", default=None
)


def current_plan(processor: IBatchProcessor) -> ValuePlan | None:
    """Return the plan of the import that runs for `processor`, or None."""
    entry = _plan.get()
    return entry[1] if entry is not None and entry[0] is processor else None


def plan_values(processor: IBatchProcessor, row: Mapping[str, str], site: Any) -> ValuePlan:
    """Return a plan for the fields of one row, for use outside an import."""
    return ValuePlan(processor.iface, row, site)


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
    """A hook failed after the first write of a row; the message is the reason."""


class _Prepared(NamedTuple):
    """A row that was read and converted; `reason` tells why it cannot be applied."""

    number: int
    texts: dict[str, str]
    values: dict[str, Any]
    reason: str | None = None
    raw: str | None = None


class RowEngine:
    """Applies one table once.

    `mapping` says which field each column fills; headers and constants are checked
    here, before anything is written.  `site` is handed to the hooks.  Raises
    `FatalCSVError` and `TableError`.
    """

    def __init__(
        self,
        processor: IBatchProcessor,
        path: str,
        mapping: conversion.Mapping,
        mode: str,
        site: Any,
        ignore_empty: bool = True,
    ) -> None:
        self.processor = processor
        self.path = path
        self.mode = mode
        self.site = site
        self.filename = os.path.splitext(os.path.basename(path))[0]
        self._ignore_empty = ignore_empty
        self._mapping = self._checked(mapping)
        self._rows = RowPlan(self._mapping.columns, self._mapping.constants, ignore_empty)
        self._values = ValuePlan(processor.iface, self._rows.fields, site)
        self._check_constants()
        self._required = [name for name in processor.req[mode] if name in self._rows.fields]
        self._apply = {
            "create": self._create,
            "update": self._update,
            "remove": self._remove,
        }[mode]
        connection = getattr(site, "_p_jar", None)
        self._savepoints = Savepoints(connection) if connection is not None else None
        self._restore = ObjectRestore(processor) if connection is None else None

    def run(self, folder: str, progress: Callable[[Progress], None] | None = None) -> Report:
        """Apply all rows, write result files into `folder`, and report."""
        started = time.monotonic()
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        files = ResultFiles(folder, self.path, self._rows.fields)
        token = _plan.set((self.processor, self._values))
        try:
            with open_table(self.path) as table:
                self._raw_index = (
                    table.header.index(RAW_COLUMN) if RAW_COLUMN in table.header else None
                )
                source = iter(table)
                while rows := list(islice(source, BATCH_ROWS)):
                    for result in self._batch([p for row in rows if (p := self._prepare(row))]):
                        files.write(result)
                        counts[result.outcome] += 1
                        if result.reason is not None:
                            reasons[result.reason] += 1
                    if progress is not None:
                        failed = counts[outcomes.FAILED]
                        done = table.bytes_read / table.size
                        progress(Progress(counts.total(), failed, done))
        finally:
            _plan.reset(token)
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

    # -- before the first row ------------------------------------------------

    def _checked(self, mapping: conversion.Mapping) -> conversion.Mapping:
        """Return the mapping after the processor had its say about it."""
        processor = self.processor
        constants = [name for name, _ in mapping.constants]
        processor.checkHeaders([*mapping.headerfields, *constants], self.mode)
        used = set(processor.getMapping(self.path, mapping.headerfields, self.mode).values())
        columns = [
            name if name in used and name != IGNORE_COLUMN else None for name in mapping.columns
        ]
        kept = [
            (name, text)
            for name, text in mapping.constants
            if self.mode != "remove" or name in processor.location_fields
        ]
        return conversion.Mapping(tuple(columns), tuple(kept))

    def _check_constants(self) -> None:
        """Refuse a constant that is no value of its field: all rows would fail."""
        names = [name for name, _ in self._mapping.constants]
        plan = ValuePlan(self.processor.iface, names, self.site)
        texts = RowPlan((), self._mapping.constants, self._ignore_empty).texts(())
        errors = plan.convert(texts, self.mode, self._ignore_empty).errors
        if errors:
            raise MappingError(
                "Constants do not fit their fields: "
                + "; ".join(f"{name}: {message}" for name, message in errors)
            )

    # -- reading and converting ----------------------------------------------

    def _prepare(self, row: Any) -> _Prepared | None:
        """Convert a row of the table; None for a row that holds nothing."""
        raw = self._kept_raw(row)
        if raw is None and row.problem is None and self._rows.is_blank(row.values):
            return None
        texts = self._rows.texts(row.values)
        if self._values.secrets:
            self._values.protect(texts)
        if row.problem is not None:
            return _Prepared(row.number, texts, {}, row.problem.message, raw)
        if raw is not None:
            reason = (
                f"This row was damaged: compare its cells with column {RAW_COLUMN}, "
                "correct them, then empty that column."
            )
            return _Prepared(row.number, texts, {}, reason, raw)
        errors, invariants, values = self.processor.checkConversion(
            texts, mode=self.mode, ignore_empty=self._ignore_empty
        )
        errors = list(errors) + [
            (name, "Required value is missing.")
            for name in self._required
            if texts[name] is IGNORE_MARKER
        ]
        if errors or invariants:
            reason = self.processor.stringFromErrs(errors, invariants)
            return _Prepared(row.number, texts, {}, reason)
        return _Prepared(row.number, texts, {**texts, **values})

    def _kept_raw(self, row: Any) -> str | None:
        """Return the text of a damaged row: of this file, or kept from an earlier one."""
        if row.problem is not None:
            return row.raw
        index = self._raw_index
        if index is not None and index < len(row.values) and row.values[index]:
            return row.values[index]
        return None

    # -- applying --------------------------------------------------------------

    def _batch(self, rows: list[_Prepared]) -> Iterator[RowResult]:
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

    def _guarded(self, row: _Prepared, reason: str | None) -> RowResult:
        """Apply a row behind a savepoint of its own."""
        assert self._savepoints is not None
        self._savepoints.mark()
        try:
            return self._try(row, reason)
        except HalfDone as exc:
            self._savepoints.rollback()
            return _failed(row, str(exc))

    def _single(self, row: _Prepared) -> RowResult:
        """Apply a row to objects outside a database."""
        assert self._restore is not None
        try:
            return self._try(row, None)
        except HalfDone as exc:
            self._restore.restore()
            return _failed(row, str(exc))

    def _try(self, row: _Prepared, known_reason: str | None) -> RowResult:
        reason = known_reason or row.reason
        if reason is not None:
            return _failed(row, reason)
        self._writing = False
        try:
            outcome = self._apply(row.values)
        except _RowRefused as exc:
            return _failed(row, str(exc))
        except FAULTS:
            raise
        except Exception as exc:
            # A hook is the code of a site; whatever it raises concerns this row.
            if self._writing:
                raise HalfDone(reason_of(exc)) from exc
            return _failed(row, reason_of(exc))
        return RowResult(row.number, outcome, row.texts)

    def _create(self, row: dict[str, Any]) -> str:
        processor, site = self.processor, self.site
        if not processor.parentsExist(row, site):
            raise _RowRefused("Not all parents do exist yet.")
        if processor.entryExists(row, site):
            raise _RowRefused("This object already exists.")
        parent = processor.getParent(row, site)
        self._refuse_if(processor.checkCreateRequirements(parent, row, site))
        self._writing = True
        obj = processor.callFactory()
        if self._restore is not None:
            self._restore.watch_new(obj)
        processor.updateEntry(obj, row, site, self.filename)
        processor.addEntry(obj, row, site)
        return outcomes.CREATED

    def _update(self, row: dict[str, Any]) -> str:
        processor, site = self.processor, self.site
        obj = processor.getEntry(row, site)
        if obj is None:
            raise _RowRefused("Cannot update: no such entry")
        self._refuse_if(processor.checkUpdateRequirements(obj, row, site))
        self._writing = True
        if self._restore is not None:
            self._restore.watch_change(obj)
        changes = processor.updateEntry(obj, row, site, self.filename)
        return outcomes.UNCHANGED if changes == "" else outcomes.UPDATED

    def _remove(self, row: dict[str, Any]) -> str:
        processor, site = self.processor, self.site
        if not processor.entryExists(row, site):
            raise _RowRefused("Cannot remove: no such entry")
        obj = processor.getEntry(row, site)
        self._refuse_if(processor.checkRemoveRequirements(obj, row, site))
        self._writing = True
        if self._restore is not None:
            self._restore.watch_change(obj)
        processor.delEntry(row, site)
        return outcomes.REMOVED

    def _refuse_if(self, message: str | None) -> None:
        if message:
            raise _RowRefused(message)


def _failed(row: _Prepared, reason: str) -> RowResult:
    return RowResult(row.number, outcomes.FAILED, row.texts, reason, row.raw)


def reason_of(exc: Exception) -> str:
    """Return the reason that people read for an exception of a hook.

    The forms for errors of schemas, keys and duplicates are those of Kofa 1.9.
    """
    if isinstance(exc, DuplicationError):
        return exc.msg
    if isinstance(exc, Invalid):
        return f"{type(exc).__name__}: {exc}"
    if isinstance(exc, KeyError) and exc.args:
        return str(exc.args[0])
    text = str(exc)
    if isinstance(exc, ValueError) and text:
        return text
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
