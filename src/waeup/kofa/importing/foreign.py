"""Texts of a table that are no value of the choice that they are for.

A person says once what they stand for, instead of correcting each cell.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from waeup.kofa.conversion import FieldPlan
from waeup.kofa.conversion.cells import MARKERS
from waeup.kofa.importing.corrections import Correction
from waeup.kofa.importing.hooks import UPDATE, UPSERT, row_error
from waeup.kofa.importing.looking import Look
from waeup.kofa.importing.reading import open_source
from waeup.kofa.tabular.options import ReadOptions

#: Different texts that are kept of a column.
MOST_TEXTS = 200
#: Rows that are looked at.
MOST_ROWS = 100_000
#: Longer texts are no choice of anybody.
LONGEST = 200
#: Allowed texts that are known by heart.
_MOST_ALLOWED = 10_000


class Foreign(NamedTuple):
    """The texts of a table that are not allowed.

    `texts` gives, by the position of the column, these and how often they occur, those that
    occur most first.  `rows` were looked at; `is_whole` says that there are no more.  Columns
    that have more texts than are kept are in `more`.
    """

    texts: dict[int, list[tuple[str, int]]]
    rows: int
    is_whole: bool
    more: frozenset[int]


def foreign_texts(
    path: str,
    options: ReadOptions,
    name: str,
    plans: Mapping[int, FieldPlan],
    mode: str,
    corrections: Mapping[int, Correction] | None = None,
) -> Foreign:
    """Look for texts that are not allowed in columns of the table at `path`.

    `plans` are those of the fields that the columns fill, by position, `corrections` say which
    rows are read otherwise than they stand in the table, by number.  Damaged rows are passed
    over, and no more than `MOST_ROWS` are read, nor for longer than a `Look` may take.  `name` is
    what messages call the table.  Raises `TableError`.
    """
    columns = [_Column(at, plan, UPDATE if mode == UPSERT else mode) for at, plan in plans.items()]
    rows = 0
    with open_source(path, options, name) as table, Look() as look:
        table.end_when(look.is_over)
        source = iter(table)
        for row in islice(source, MOST_ROWS):
            rows += 1
            correction = corrections.get(row.number) if corrections else None
            if correction is not None:
                row = correction.applied(row, len(table.header))
            if row.problem is None:
                for column in columns:
                    column.look_at(row.values)
        is_whole = next(source, None) is None and not table.is_cut_short
    return Foreign(
        {column.at: column.counts.most_common() for column in columns},
        rows,
        is_whole,
        frozenset(column.at for column in columns if column.is_full),
    )


class _Column:
    """The texts of one column; what is kept of them is bounded."""

    def __init__(self, at: int, plan: FieldPlan, mode: str) -> None:
        self.at = at
        self.counts: Counter[str] = Counter()
        self.is_full = False
        self._convert = plan.convert
        self._mode = mode
        # What has a meaning of its own cannot stand for something else.
        self._allowed = set(MARKERS)

    def look_at(self, cells: tuple[str, ...] | list[str]) -> None:
        """Count the text of a row, unless it is allowed."""
        if self.at >= len(cells):
            return
        text = cells[self.at].strip()
        if text in self._allowed:
            return
        if text in self.counts:
            self.counts[text] += 1
        elif self._is_allowed(cells[self.at]):
            if len(self._allowed) < _MOST_ALLOWED:
                self._allowed.add(text)
        elif len(self.counts) >= MOST_TEXTS or len(text) > LONGEST:
            self.is_full = True
        else:
            self.counts[text] = 1

    def _is_allowed(self, cell: str) -> bool:
        try:
            self._convert(cell, self._mode, True)
        except Exception as exc:
            # A constraint or a converter of a site; a fault is raised again.
            row_error(exc)
            return False
        return True
