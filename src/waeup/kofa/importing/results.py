"""The two result files of an import: finished rows, and pending rows with reasons.

Written by the row engine while it runs, put into their places by
`waeup.kofa.importing.distribution`.
"""

import os
from collections.abc import Sequence

from waeup.kofa.importing.report import RowResult
from waeup.kofa.interfaces import ERRORS_COLUMN, RAW_COLUMN
from waeup.kofa.tabular import Dialect, TableWriter, open_table


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

    `fields` are the columns.  The pending file is made with its first row; its
    column of raw texts with the first row that has one.
    """

    def __init__(self, folder: str, source: str, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        self.finished_path, self._pending_path = result_paths(folder, source)
        self._finished = TableWriter(self.finished_path, self.fields)
        self._pending: TableWriter | None = None
        self._with_raw = False

    @property
    def pending_path(self) -> str | None:
        """Path of the pending file, or None when no row failed so far."""
        return self._pending_path if self._pending is not None else None

    def write(self, result: RowResult) -> None:
        """Write one row to where it belongs."""
        cells = [result.cells[name] for name in self.fields]
        if result.reason is None:
            self._finished.write(cells)
            return
        if result.raw is not None and not self._with_raw:
            self._add_raw_column()
        if self._pending is None:
            self._pending = TableWriter(self._pending_path, self._pending_columns)
        cells.append(result.reason)
        if self._with_raw:
            cells.append(result.raw or "")
        self._pending.write(cells)

    def close(self) -> None:
        """Make both files durable."""
        self._finished.close()
        if self._pending is not None:
            self._pending.close()

    @property
    def _pending_columns(self) -> tuple[str, ...]:
        return (*self.fields, ERRORS_COLUMN, *([RAW_COLUMN] if self._with_raw else []))

    def _add_raw_column(self) -> None:
        self._with_raw = True
        if self._pending is None:
            return
        self._pending.close()
        narrow = self._pending_path + ".narrow"
        os.replace(self._pending_path, narrow)
        self._pending = TableWriter(self._pending_path, self._pending_columns)
        with open_table(narrow, dialect=Dialect()) as table:
            for row in table:
                self._pending.write([*row.values, ""])
        os.unlink(narrow)
