"""A look at a whole table: how many rows are sound, and what is wrong with the others.

For previews.  The table is read to its end in constant memory; of each kind of problem the first
rows are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from waeup.kofa.tabular.reader import Row, Table

__all__ = ["Example", "Finding", "Survey", "survey"]

#: Rows that are kept for each kind of problem.
EXAMPLES = 3
#: Rows between two questions whether it goes on, besides those of the table.
_PACE = 500
#: Characters of a damaged row that are kept.
SHOWN = 200


class Example(NamedTuple):
    """A damaged row: where it is, what is wrong, and how its text begins."""

    number: int
    line: int
    message: str
    raw: str


class Finding(NamedTuple):
    """A kind of problem: its code, how many `rows` have it, and the first of them."""

    code: str
    rows: int
    examples: tuple[Example, ...]


class Survey(NamedTuple):
    """What a table holds: `rows` in all, and `sound` ones, as far as it was read.

    `problems` are the kinds of problems, the most frequent first.  `samples` are the first rows
    that could be cut into cells as the header says.  `is_whole` tells whether it was read to its
    end.
    """

    rows: int
    sound: int
    problems: tuple[Finding, ...]
    samples: tuple[Row, ...]
    is_whole: bool

    @property
    def damaged(self) -> int:
        """Number of the rows that have a problem."""
        return self.rows - self.sound


def _is_never_over() -> bool:
    return False


def survey(
    table: Table,
    samples: int = 3,
    examples: int = EXAMPLES,
    is_over: Callable[[], bool] = _is_never_over,
) -> Survey:
    """Read `table` to its end, and return what it holds.

    At most `samples` rows are kept, and `examples` of each kind of problem.  Now and then it is
    asked whether it `is_over`, and what is not read by then is left alone: a row that is damaged
    costs as much as twenty that are not.  Raises what reading the table raises.
    """
    table.end_when(is_over)
    rows, width, is_whole = 0, len(table.header), True
    first: list[Row] = []
    counts: dict[str, int] = {}
    found: dict[str, list[Example]] = {}
    for row in table:
        if rows and rows % _PACE == 0 and is_over():
            is_whole = False
            break
        rows += 1
        if len(first) < samples and len(row.values) == width:
            first.append(row)
        problem = row.problem
        if problem is None:
            continue
        code = problem.code
        counts[code] = counts.get(code, 0) + 1
        kept = found.setdefault(code, [])
        if len(kept) < examples:
            raw = row.raw or ""
            text = raw if len(raw) <= SHOWN else raw[:SHOWN] + "..."
            kept.append(Example(row.number, row.line, problem.message, text))
    ordered = sorted(counts, key=lambda code: -counts[code])
    problems = tuple(Finding(code, counts[code], tuple(found[code])) for code in ordered)
    sound, is_whole = rows - sum(counts.values()), is_whole and not table.is_cut_short
    return Survey(rows, sound, problems, tuple(first), is_whole)
