"""The row engine: applies the rows of a table through a processor's hooks.

Rows go through in batches.  All cells of a batch are read and converted first
(`waeup.kofa.importing.preparing`); then each row is applied.  A row that cannot be
converted, or that a hook refuses with a message, simply goes to the pending file.
One whose hook raises (`HalfDone`) is taken back: what came before is replayed without it
(see `waeup.kofa.importing.rollback`).  Results are given out when the batch is through,
thus no row is reported twice.

The engine works inside the caller's transaction.  It never begins, commits or
aborts one.  A run of the portal calls `RowEngine.apply` with a batch for each of its
transactions; `RowEngine.run` does a whole table in one.
"""

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any, NamedTuple

from waeup.kofa import conversion
from waeup.kofa.conversion.wording import listing
from waeup.kofa.errors import FatalCSVError, FileRefused, MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.actions import Applied, RowActions, RowRefused
from waeup.kofa.importing.batches import BATCH_ROWS, Look, SourceRows
from waeup.kofa.importing.completing import given
from waeup.kofa.importing.corrections import secret_positions
from waeup.kofa.importing.events import RowDoneEvent, fire, is_heard
from waeup.kofa.importing.expectations import unexpected_failure, unexpected_outcome
from waeup.kofa.importing.filerules import broken_rules, rules_for
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, UPSERT, overridden, row_error
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.plan import (
    RowPlan,
    ValuePlan,
    check_replacements,
    running,
    secret_names,
)
from waeup.kofa.importing.preparing import Prepared, Preparer
from waeup.kofa.importing.reading import AS_FOUND, open_source, read_with
from waeup.kofa.importing.report import Report, RowResult, Tally
from waeup.kofa.importing.results import ResultFiles, result_paths
from waeup.kofa.importing.rollback import ObjectRestore, Savepoints
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tabular import Table, check_header
from waeup.kofa.tabular.options import ReadOptions

#: After so many replays of a batch that has no savepoint, each row that fails leaves one.
MAX_REPLAYS = 3


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


class Columns(NamedTuple):
    """The columns of a table: their names, the fields that they fill, and what is secret.

    `secrets` are the positions of columns whose texts nobody is shown; with `hides_damage` a
    damaged row may have such a text anywhere.
    """

    names: tuple[str, ...]
    fields: tuple[str | None, ...]
    secrets: tuple[int, ...]
    hides_damage: bool


class HalfDone(Exception):
    """A hook failed, perhaps after it changed something; the message is the reason."""


def row_at(frames: Iterable[FrameType]) -> int | None:
    """Return the number of the row that is applied by calls of an engine, or None."""
    applied = RowEngine._try.__code__
    found = next((frame for frame in frames if frame.f_code is applied), None)
    return None if found is None else found.f_locals["row"].number


def check_mode(processor: IBatchProcessor, mode: str) -> None:
    """Raise `FatalCSVError` for a mode that the processor does not have."""
    if mode not in processor.modes:
        raise FatalCSVError(
            _(
                "${name} has no mode ${mode}. Its modes are: ${modes}.",
                mapping={
                    "name": processor.name,
                    "mode": repr(mode),
                    "modes": ", ".join(processor.modes),
                },
            )
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
        manner: Manner | None = None,
    ) -> None:
        self.processor = processor
        self.path = path
        self._source = path if read_from is None else read_from
        self._reading = options
        self.mode = mode
        self.site = site
        self.filename = os.path.splitext(os.path.basename(path))[0]
        self._ignore_empty = ignore_empty
        self._manner = manner or Manner()
        check_mode(processor, mode)
        header, names = self._checked(mapping)
        # What is no use in this mode is a secret all the same.
        secrets = secret_positions(header, mapping.columns, processor.iface)
        self._mapping = mapping = self._effective(mapping, header, names)
        self._rows = RowPlan(mapping.columns, mapping.constants, ignore_empty, mapping.values)
        self._values = ValuePlan(processor.iface, self._rows.fields, site)
        self._check_constants()
        self._header, self._names = header, names
        self._preparer = self._prepared_by(self._rows, self._values)
        secrets |= secret_positions(header, mapping.columns, processor.iface)
        hides_damage = bool(secrets) or self._preparer.hides_damage
        #: The columns of the table.
        self.columns = Columns(header, mapping.columns, tuple(sorted(secrets)), hides_damage)
        self._is_heard = is_heard(RowDoneEvent)
        # A row that changes an object may make a part of it.
        makes_parts = mode == UPDATE and bool(getattr(processor, "parts", None))
        makes = (mode in (CREATE, UPSERT) or makes_parts) and hasattr(processor, "prepareSite")
        self._prepares = makes and overridden(processor, "prepareSite")
        connection = getattr(site, "_p_jar", None)
        self._savepoints = self._restore = None
        if connection is None:
            self._restore = ObjectRestore()
        else:
            self._savepoints = Savepoints(connection, self._manner.restart)
        self._apply = RowActions(
            processor,
            site,
            self.filename,
            self._manner,
            self._preparer,
            {*secret_names(processor.iface), *self._values.secrets},
            self._restore,
            self._is_heard,
        ).of_mode(mode)

    def run(self, folder: str, progress: Callable[[Progress], None] | None = None) -> Report:
        """Apply all rows, write result files into `folder`, and report.

        Raises `FileRefused` when the file as a whole breaks a rule; then nothing was written.
        """
        started = time.monotonic()
        self.require_whole()
        tally = Tally()
        files = self.result_files(*result_paths(folder, self.path))
        try:
            with self.open() as source:
                while rows := source.take(BATCH_ROWS):
                    results = self.apply(rows)
                    files.write_all(results)
                    tally.add_all(results)
                    if progress is not None:
                        failed = tally.counts[outcomes.FAILED]
                        progress(Progress(tally.total, failed, source.fraction))
        finally:
            files.close()
        tally.seconds = time.monotonic() - started
        return tally.report(
            os.path.basename(self.path),
            self.processor.util_name,
            self.mode,
            finished=files.finished_path,
            pending=files.pending_path,
        )

    @contextmanager
    def open(self, start: int = 0) -> Iterator[SourceRows]:
        """Give the rows of the table behind the first `start` ones."""
        with running(self.processor, self._values), self._open() as table:
            yield SourceRows(table, start, self._source)

    def result_files(self, finished: str, pending: str) -> ResultFiles:
        """Return new result files of these paths for the results of this engine."""
        hook = self.processor.writeFailedRow
        return ResultFiles(
            finished,
            pending,
            self._rows.fields,
            guarded=self._values.texts,
            write_failed=hook if overridden(self.processor, "writeFailedRow") else None,
        )

    @property
    def has_file_rules(self) -> bool:
        """Whether the kind has rules that concern the file."""
        return bool(rules_for(self.processor, self._rows.fields))

    def require_whole(self, tell: Callable[[float], object] | None = None) -> None:
        """Raise `FileRefused` when the file as a whole breaks a rule of the kind.

        `tell` is that of `broken_rules`.
        """
        broken = self.broken_rules(tell)
        if broken:
            raise FileRefused.of(os.path.basename(self.path), broken)

    def broken_rules(self, tell: Callable[[float], object] | None = None) -> tuple[str, ...]:
        """Return what is wrong with the file as a whole, by the rules of the kind.

        Without rules that concern the file it is not read.  Passwords are shown to no rule.
        `tell` is called again and again with how much of the file was looked at (0 to 1), and
        may raise to end the look.
        """
        rules = rules_for(self.processor, self._rows.fields)
        if not rules:
            return ()
        look = Look(tell)
        heed = None if tell is None else look.heed
        # A rule that fails must not leave it to the garbage collector, in whatever thread.
        with closing(self._all_values(look)) as rows:
            return broken_rules(rules, rows, self.site, self.mode, heed)

    def _all_values(self, look: Look) -> Generator[tuple[int, dict[str, Any] | None], None, None]:
        """Generate number and values of each row, None where its cells are not good."""
        # What becomes a hash takes a quarter of a second for each row.
        mapping = self._mapping.without(self._values.secrets)
        rows = RowPlan(mapping.columns, mapping.constants, self._ignore_empty, mapping.values)
        values = ValuePlan(self.processor.iface, rows.fields, self.site)
        preparer = self._prepared_by(rows, values)
        with running(self.processor, values), self._open() as table:
            source = SourceRows(table, 0, self._source)
            connection = getattr(self.site, "_p_jar", None)
            while taken := source.take(look.rows):
                if connection is not None:
                    # What rows have looked up so far, no transaction lets go of.
                    connection.cacheGC()
                began = time.monotonic()
                prepared = preparer.prepare_all(taken)
                look.took(time.monotonic() - began)
                for found in prepared:
                    yield found.number, given(found.row) if found.reason is None else None
                look.fraction = source.fraction

    def apply(self, rows: Sequence[Any]) -> list[RowResult]:
        """Apply rows of `open`, each once, and return their results; blank rows have none."""
        return self._batch(self._preparer.prepare_all(rows))

    def rehearse_storing(self) -> None:
        """Write what rows have changed so far as a commit would; nothing of it stays.

        For who is going to abort, and has to know what cannot be stored: what the database raises
        then is raised.  Without room for a temporary file nothing is tried.
        """
        if self._savepoints is None:
            return
        try:
            tempfile.TemporaryFile().close()
        except OSError:
            # A failed savepoint would spoil the transaction, and a few rows can do without any.
            return
        self._savepoints.mark()

    def _prepared_by(self, rows: RowPlan, values: ValuePlan) -> Preparer:
        return Preparer(
            self.processor,
            self._header,
            self._names,
            rows,
            values,
            self.mode,
            self._ignore_empty,
            self._manner.corrections,
            self.site,
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
                _(
                    "${name} has no field ${unknown}. Ignore these columns, or name other "
                    "fields: ${known}.",
                    mapping={
                        "name": processor.name,
                        "unknown": listing(unknown),
                        "known": listing(sorted(known), limit=40),
                    },
                )
            )
        with self._open() as table:
            header = table.header
            check_header(header, table.name)
        if len(mapping.columns) > len(header):
            raise FatalCSVError(
                _(
                    "${basename} has ${number} columns, but fields are named for ${number2}. "
                    "Name one field, or --IGNORE--, for each column.",
                    mapping={
                        "basename": os.path.basename(self.path),
                        "number": len(header),
                        "number2": len(mapping.columns),
                    },
                )
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
            if self.mode != REMOVE or name in self.processor.location_fields
        )
        columns = tuple(names.get(column) for column in header)
        values = tuple(pair for pair in mapping.values if pair[0] in columns)
        return conversion.Mapping(columns, constants, values)

    def _check_constants(self) -> None:
        """Refuse a constant that is no value of its field: all rows would fail.

        Likewise what texts are to be replaced by.
        """
        names = [name for name, _ in self._mapping.constants]
        plan = ValuePlan(self.processor.iface, names, self.site)
        errors = plan.convert(self._rows.constants, self.mode, self._ignore_empty).errors
        if errors:
            raise MappingError(
                _(
                    "Constants do not fit their fields: ${wrong}",
                    mapping={"wrong": "; ".join(f"{name}: {message}" for name, message in errors)},
                )
            )
        check_replacements(
            self.processor.iface, self._mapping.values, self.site, self.mode, self._ignore_empty
        )

    # -- applying --------------------------------------------------------------

    def _batch(self, rows: list[Prepared]) -> list[RowResult]:
        """Apply a batch and return its results, each row once."""
        if self._savepoints is None:
            self._prepare_site()
            return [self._single(row) for row in rows]
        points = self._savepoints
        points.begin()
        self._prepare_site()
        results: list[RowResult] = []
        failed: dict[int, str] = {}
        # The first row of the batch behind the last savepoint.
        start = 0
        for at, row in enumerate(rows):
            try:
                results.append(self._try(row))
            except HalfDone as exc:
                failed[row.number] = str(exc)
                results[start:] = self._without(rows[start : at + 1], failed)
                if points.is_marked or len(failed) >= MAX_REPLAYS:
                    points.mark()
                    start = at + 1
        points.end(rows[start:])
        return results

    def _without(self, rows: list[Prepared], failed: Mapping[int, str]) -> list[RowResult]:
        """Go back to the last savepoint, and apply all rows behind it but those that failed.

        `rows` are those of the batch under way, whose results are returned.
        """
        assert self._savepoints is not None
        earlier = self._savepoints.rows
        self._savepoints.rollback()
        self._prepare_site()
        again = [*earlier, *rows]
        try:
            results = [self._try(row, failed.get(row.number)) for row in again]
        except HalfDone:
            # A hook that does otherwise the second time, for which there may be a third one.
            self._savepoints.rollback()
            self._prepare_site()
            results = [self._guarded(row, failed.get(row.number)) for row in again]
        return results[len(earlier) :]

    def _prepare_site(self) -> None:
        """Let the processor make what must be there; what a replay takes back, it makes again."""
        if self._prepares:
            self.processor.prepareSite(self.site)

    def _guarded(self, row: Prepared, reason: str | None) -> RowResult:
        """Apply a row behind a savepoint of its own."""
        assert self._savepoints is not None
        self._savepoints.mark()
        try:
            return self._try(row, reason)
        except HalfDone as exc:
            self._savepoints.rollback()
            return self._failed(row, str(exc))

    def _single(self, row: Prepared) -> RowResult:
        """Apply a row to objects outside a database."""
        assert self._restore is not None
        self._restore.forget()
        try:
            return self._try(row)
        except HalfDone as exc:
            self._restore.restore()
            return self._failed(row, str(exc))

    def _try(self, row: Prepared, known_reason: str | None = None) -> RowResult:
        if known_reason is not None:
            # Whether it was expected to fail was asked when it did.
            return self._failed(row, known_reason)
        if row.reason is not None:
            return self._failed(row, unexpected_failure(self._expected(row), row.reason))
        # What was found before a replay may not be there any more.
        row.row.found = {}
        try:
            done = self._apply(row)
            if self._manner.mark is not None and done.effect is not None:
                self._manner.mark(done.effect.obj, done.outcome, row.number)
            if done.part_effects and self._manner.mark is not None:
                for effect in done.part_effects:
                    self._manner.mark(effect.obj, effect.operation, row.number)
            if self._is_heard and done.outcome != outcomes.UNCHANGED:
                done = self._told(row, done)
        except RowRefused as exc:
            return self._failed(row, unexpected_failure(self._expected(row), str(exc)))
        except Exception as exc:
            # A hook is the code of a site: whatever it raises concerns this row, and
            # whatever it changed before is taken back.
            reason = unexpected_failure(self._expected(row), row_error(exc))
            raise HalfDone(reason) from exc
        finally:
            row.row.found = None
        expected = self._expected(row)
        if expected is not None:
            reason = unexpected_outcome(expected, done.outcome, self._key(row), done.changes)
            if reason:
                raise HalfDone(reason)
        return RowResult(
            row.number,
            done.outcome,
            row.texts,
            line=row.line,
            key=self._key(row) if self._manner.detailed else "",
            changes=done.changes,
            effect=done.effect,
            part_effects=done.part_effects,
            is_under_new=done.is_under_new,
            is_corrected=row.is_corrected,
            source=row.source if row.is_corrected and self._manner.detailed else None,
        )

    def _expected(self, row: Prepared) -> tuple[str, bytes] | None:
        """Return what a check has said of a row, if one did."""
        return None if self._manner.expected is None else self._manner.expected(row.number)

    def _told(self, row: Prepared, done: Applied) -> Applied:
        """Notify that a row is done; what subscribers do to its object is its effect, too."""
        values = row.row if done.row is None else done.row
        event = RowDoneEvent(
            done.obj, done.outcome, values, row.number, self.processor, self._manner.run
        )
        fire(event)
        return done if done.look is None else done._replace(effect=done.look())

    def _failed(self, row: Prepared, reason: str) -> RowResult:
        return RowResult(
            row.number,
            outcomes.FAILED,
            row.texts,
            reason,
            row.raw,
            row.line,
            row.errors,
            key=self._key(row) if self._manner.detailed else "",
            is_corrected=row.is_corrected,
            source=row.source if self._manner.detailed else None,
        )

    def _key(self, row: Prepared) -> str:
        """Return what says which object a row means, or ''."""
        try:
            return self.processor.getRowKey(row.row or row.texts) or ""
        except Exception as exc:
            row_error(exc)
            return ""
