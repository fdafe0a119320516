"""Tables brought together: finished rows of later rounds join those of earlier ones.

Result files are comma separated, so nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Sequence

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.problems import TOO_FEW_CELLS, EmptyTable
from waeup.kofa.tabular.reader import open_table
from waeup.kofa.tabular.writer import TableWriter

__all__ = ["merge_tables", "read_header"]


def read_header(path: str) -> tuple[str, ...] | None:
    """Return the column names of the result file at `path`.

    None when there is no header that can be trusted: the file is empty, or its
    only line has no line end, so that it may have been cut off.  Raises
    `TableError` when the header is damaged.
    """
    try:
        with open_table(path, own=True, rows_required=False) as table:
            return table.header if table.header_ended else None
    except EmptyTable:
        return None


def merge_tables(
    paths: Sequence[str], target_path: str, columns: Sequence[str] | None = None
) -> None:
    """Write the rows of all `paths`, one file after the other, to `target_path`.

    The columns are `columns`, which must name all there are, or the sorted
    union; cells that a file does not have are empty.  A file without a header
    that can be trusted (`read_header`) contributes nothing.  The target's content
    is durable at return; its folder is left to the caller.

    Raises `TableError` for a row that has no place, or a column name that stands
    twice in a file; the target is then incomplete.
    """
    headers = {path: read_header(path) for path in paths}
    union = sorted({name for header in headers.values() for name in header or ()})
    columns = union if columns is None else list(columns)
    missing = [name for name in union if name not in columns]
    if missing:
        raise ValueError(f"The merged table has no place for the columns {missing}.")
    with TableWriter(target_path, columns) as writer:
        for path in paths:
            header = headers[path]
            if header is not None:
                _append(path, header, writer)


def _append(path: str, header: tuple[str, ...], writer: TableWriter) -> None:
    if len(set(header)) != len(header):
        raise TableError(
            _(
                "Double headers: each column name may only appear once. Correct the "
                "header of ${path} and repeat.",
                mapping={"path": path},
            )
        )
    # A cell that is missing is taken from the end of the row, which is empty.
    places = [header.index(name) if name in header else -1 for name in writer.columns]
    with open_table(path, own=True, rows_required=False) as table:
        for row in table:
            values = row.values
            if row.problem is not None:
                if row.problem.code != TOO_FEW_CELLS:
                    raise TableError(
                        _(
                            "Row ${number} of ${name} cannot be merged. ${message} Correct the "
                            "file and repeat.",
                            mapping={
                                "number": row.number,
                                "name": table.name,
                                "message": row.problem.message,
                            },
                        )
                    )
                values += ("",) * (len(header) - len(values))
            values += ("",)
            writer.write([values[place] for place in places])
