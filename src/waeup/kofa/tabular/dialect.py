"""How a table is written down: its delimiter and its quote, given or found.

`detect_dialect` asks which delimiter cuts the header and the first rows into
the same number of cells.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple

from waeup.kofa.errors import TableError

__all__ = ["DELIMITERS", "Dialect", "detect_dialect"]

#: Delimiters that are looked for, the likeliest first.
DELIMITERS = (",", ";", "\t", "|")
#: Physical lines that take part in the search.
SAMPLE_LINES = 100


class Dialect(NamedTuple):
    """The two characters that give a table its shape.

    A quote inside a quoted cell is doubled.
    """

    delimiter: str = ","
    quote: str = '"'

    def check(self) -> None:
        """Raise `TableError` when the characters cannot shape a table."""
        both = (self.delimiter, self.quote)
        if any(len(char) != 1 or char in "\r\n\0" for char in both):
            raise TableError(
                "Delimiter and quote are single characters, other than line ends;"
                f" {self.delimiter!r} and {self.quote!r} were given."
            )
        if self.delimiter == self.quote or self.quote.isalnum() or self.delimiter.isalnum():
            raise TableError(
                "Delimiter and quote are two different characters, neither letter nor digit;"
                f" {self.delimiter!r} and {self.quote!r} were given."
            )


def detect_dialect(lines: Sequence[str], complete: bool) -> Dialect:
    """Return the dialect of the table that begins with `lines`.

    `complete` says that the table ends with them.  Delimiters are compared by
    the share of rows that are as wide as the header, then by the width; where
    none cuts most rows, it is the comma.
    """
    sample = [line for line in lines if line.strip()][:SAMPLE_LINES]
    complete = complete and len(sample) < SAMPLE_LINES
    best, best_score = Dialect(), (0.5, 1)
    for delimiter in DELIMITERS:
        score = _score(sample, delimiter, complete)
        if score[1] > 1 and score > best_score:
            best, best_score = Dialect(delimiter), score
    return best


def _score(sample: Sequence[str], delimiter: str, complete: bool) -> tuple[float, int]:
    try:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter)]
    except csv.Error:
        return 0.0, 0
    if not complete and len(widths) > 2:
        widths.pop()  # the last record may go on behind the sample
    if not widths:
        return 0.0, 0
    width, rows = widths[0], widths[1:]
    return (rows.count(width) / len(rows) if rows else 1.0), width
