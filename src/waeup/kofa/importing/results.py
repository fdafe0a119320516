"""The two result files of an import: finished rows, and pending rows with reasons.

Written by the row engine while it runs, put into their places by
`waeup.kofa.importing.distribution`.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from waeup.kofa.conversion.cells import disarmed, disarmed_column, guard, is_active
from waeup.kofa.importing.hooks import row_error
from waeup.kofa.importing.report import RowResult
from waeup.kofa.interfaces import ERRORS_COLUMN, RAW_COLUMN
from waeup.kofa.spool.disk import disk
from waeup.kofa.tabular import TableWriter, header_bytes, open_table


def result_paths(folder: str, source: str) -> tuple[str, str]:
    """Return the paths of the finished and the pending file for a source.

    The names are those of Kofa 1.9: ``<base>.finished.csv``, ``<base>.pending.csv``.
    """
    base = os.path.splitext(os.path.basename(source))[0]
    return (
        os.path.join(folder, f"{base}.finished.csv"),
        os.path.join(folder, f"{base}.pending.csv"),
    )


class ResultFiles:
    """Takes each `RowResult` and writes it to one of two files, `finished` and `pending`.

    `fields` are the columns; in those that are in `guarded`, and hold texts, no cell
    is left that a spreadsheet would evaluate.  The pending file is made with its first row,
    and has a column of raw texts until `close` finds that no row has one.

    `write_failed` is the hook `writeFailedRow` of a processor that has its own.
    """

    def __init__(
        self,
        finished: str,
        pending: str,
        fields: Sequence[str],
        guarded: Collection[str] = (),
        write_failed: Callable[..., Any] | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.finished_path, self._pending_path = finished, pending
        self._guarded = [at for at, name in enumerate(self.fields) if name in guarded]
        self._pick = itemgetter(*self.fields) if len(self.fields) > 1 else None
        self._write_failed = write_failed
        self._finished = TableWriter(self.finished_path, self.fields)
        self._pending: TableWriter | None = None
        self._pending_header = len(header_bytes(self.pending_columns))
        self._has_new_names = True
        #: Whether a row of the pending file has a raw text.
        self.has_raw = False

    @property
    def pending_path(self) -> str | None:
        """Path of the pending file, or None when no row failed so far."""
        return self._pending_path if self._pending is not None else None

    @property
    def pending_columns(self) -> tuple[str, ...]:
        """The columns of the pending file while it is written."""
        return (*self.fields, ERRORS_COLUMN, RAW_COLUMN)

    def write(self, result: RowResult) -> None:
        """Write one row to where it belongs."""
        if result.reason is None:
            _write(self._finished, self._cells(result.cells))
        elif self._write_failed is None or not self._written_by_hook(result):
            self.write_failed(result.cells, result.reason, result.raw)

    def write_all(self, results: Sequence[RowResult]) -> None:
        """Write a batch of rows, as `write` does one by one, but quicker."""
        done = [result.cells for result in results if result.reason is None]
        if done and not self._written_at_once(done):
            for cells in done:
                _write(self._finished, self._cells(cells))
        if len(done) < len(results):
            for result in results:
                if result.reason is not None:
                    self.write(result)

    def _written_at_once(self, rows: Sequence[Mapping[str, str]]) -> bool:
        """Write finished rows unless something about them is odd; tell whether they were."""
        if self._pick is None:
            return False
        try:
            cells = list(map(self._pick, rows))
            columns: list[Sequence[str]] = list(zip(*cells, strict=True))
            for at in self._guarded:
                columns[at] = disarmed_column(columns[at])
            # What no file can take is refused before anything is written.
            self._finished.write_all(list(zip(*columns, strict=True)))
        except (KeyError, ValueError):
            return False
        return True

    def write_failed(self, cells: Mapping[str, str], reason: str, raw: str | None) -> None:
        """Write one row to the pending file."""
        if self._pending is None:
            self._pending = TableWriter(self._pending_path, self.pending_columns)
            self._has_new_names = True
        self.has_raw = self.has_raw or bool(raw)
        texts = self._cells(cells)
        texts.append(guard(reason) if is_active(reason) else reason)
        texts.append(guard(raw) if raw else "")
        _write(self._pending, texts)

    def sync(self) -> tuple[int, int]:
        """Make all rows so far durable; return the lengths of both files in bytes.

        The length of a pending file without rows is 0.
        """
        pending = 0 if self._pending is None else self._pending.sync()
        finished = self._finished.sync()
        if self._has_new_names:
            disk.sync_folder(os.path.dirname(self.finished_path))
            self._has_new_names = False
        return finished, pending if pending > self._pending_header else 0

    def rewind(self, finished: int, pending: int, *, has_raw: bool = False) -> None:
        """Forget the rows behind these lengths, which `sync` gave; 0 means all rows.

        `has_raw` is what that attribute was by then.
        """
        self.has_raw = has_raw
        self._finished.rewind(finished or len(header_bytes(self.fields)))
        if self._pending is not None:
            self._pending.rewind(pending or self._pending_header)

    def close(self) -> None:
        """Make both files durable, and leave out a column of raw texts that holds none."""
        self.leave()
        if self._pending is not None and not self.has_raw:
            without_raw(self._pending_path)

    def leave(self) -> None:
        """Make both files durable as they are."""
        try:
            self._finished.close()
        finally:
            if self._pending is not None:
                self._pending.close()

    def _cells(self, texts: Mapping[str, str]) -> list[str]:
        cells = [texts.get(name, "") for name in self.fields]
        for at in self._guarded:
            cells[at] = disarmed(cells[at])
        return cells

    def _written_by_hook(self, result: RowResult) -> bool:
        """Let the processor's hook write a failed row; tell whether it did."""
        assert self._write_failed is not None
        writer = _PendingRows(self)
        row = dict(result.cells)
        if result.raw is not None:
            row[RAW_COLUMN] = result.raw
        try:
            self._write_failed(writer, row, result.reason)
        except Exception as exc:
            # The row goes to the pending file without the hook; a fault is raised.
            row_error(exc)
        return writer.written


def without_raw(path: str) -> None:
    """Write a pending file anew without its last column, that of raw texts."""
    narrow = path + ".narrow"
    with open_table(path, own=True) as table, TableWriter(narrow, table.header[:-1]) as writer:
        for row in table:
            writer.write(row.values[:-1])
    os.replace(narrow, path)


class _PendingRows:
    """What `writeFailedRow` writes to, as to a `csv.DictWriter`."""

    def __init__(self, files: ResultFiles) -> None:
        self._files = files
        self.fieldnames = [*files.fields, ERRORS_COLUMN]
        self.written = False

    def writerow(self, row: Mapping[str, Any]) -> None:
        """Write a row; names that are no columns are passed over."""
        cells = {name: str(row.get(name, "")) for name in self._files.fields}
        reason, raw = row.get(ERRORS_COLUMN, ""), row.get(RAW_COLUMN)
        self._files.write_failed(cells, str(reason), raw)
        self.written = True


def _write(table: TableWriter, cells: list[str]) -> None:
    """Write a row; what no file can take is written as its escape.

    A message of a hook may hold anything; a table never does.
    """
    if "\0" in "".join(cells):
        cells = [cell.replace("\0", "\\x00") for cell in cells]
    try:
        table.write(cells)
    except UnicodeEncodeError:
        table.write([cell.encode("utf-8", "backslashreplace").decode("utf-8") for cell in cells])
