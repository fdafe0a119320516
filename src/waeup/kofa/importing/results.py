"""The two result files of an import: finished rows, and pending rows with reasons.

Written by the row engine while it runs, put into their places by
`waeup.kofa.importing.distribution`.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from waeup.kofa.conversion import guard, is_active
from waeup.kofa.importing.hooks import row_error
from waeup.kofa.importing.report import RowResult
from waeup.kofa.interfaces import ERRORS_COLUMN, RAW_COLUMN
from waeup.kofa.tabular import TableWriter, open_table


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
    """Takes each `RowResult` and writes it to one of two files below `folder`.

    `fields` are the columns; in those that are in `guarded`, and hold texts, no cell
    is left that a spreadsheet would evaluate.  The pending file is made with its
    first row; its column of raw texts with the first row that has one.

    `write_failed` is the hook `writeFailedRow` of a processor that has its own.
    """

    def __init__(
        self,
        folder: str,
        source: str,
        fields: Sequence[str],
        guarded: Collection[str] = (),
        write_failed: Callable[..., Any] | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.finished_path, self._pending_path = result_paths(folder, source)
        self._guarded = [at for at, name in enumerate(self.fields) if name in guarded]
        self._write_failed = write_failed
        self._finished = TableWriter(self.finished_path, self.fields)
        self._pending: TableWriter | None = None
        self._with_raw = False

    @property
    def pending_path(self) -> str | None:
        """Path of the pending file, or None when no row failed so far."""
        return self._pending_path if self._pending is not None else None

    def write(self, result: RowResult) -> None:
        """Write one row to where it belongs."""
        if result.reason is None:
            _write(self._finished, self._cells(result.cells))
        elif self._write_failed is None or not self._written_by_hook(result):
            self.write_failed(result.cells, result.reason, result.raw)

    def write_failed(self, cells: Mapping[str, str], reason: str, raw: str | None) -> None:
        """Write one row to the pending file."""
        if raw is not None and not self._with_raw:
            self._add_raw_column()
        if self._pending is None:
            self._pending = TableWriter(self._pending_path, self._pending_columns)
        texts = self._cells(cells)
        texts.append(guard(reason) if is_active(reason) else reason)
        if self._with_raw:
            texts.append(guard(raw) if raw else "")
        _write(self._pending, texts)

    def close(self) -> None:
        """Make both files durable."""
        self._finished.close()
        if self._pending is not None:
            self._pending.close()

    @property
    def _pending_columns(self) -> tuple[str, ...]:
        return (*self.fields, ERRORS_COLUMN, *([RAW_COLUMN] if self._with_raw else []))

    def _cells(self, texts: Mapping[str, str]) -> list[str]:
        cells = [texts.get(name, "") for name in self.fields]
        for at in self._guarded:
            if is_active(cells[at]):
                # Outer blanks are no part of the value, but would be in a guarded cell.
                text = cells[at].strip()
                cells[at] = guard(text) if is_active(text) else text
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

    def _add_raw_column(self) -> None:
        self._with_raw = True
        if self._pending is None:
            return
        self._pending.close()
        narrow = self._pending_path + ".narrow"
        os.replace(self._pending_path, narrow)
        self._pending = TableWriter(self._pending_path, self._pending_columns)
        with open_table(narrow, own=True) as table:
            for row in table:
                self._pending.write([*row.values, ""])
        os.unlink(narrow)


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
