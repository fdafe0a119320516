"""What can be wrong with a row, as typed values with messages in plain words.

The reader makes them, the import puts their messages into pending files, and
tests and programs look at their codes.
"""

from __future__ import annotations

from typing import NamedTuple

from waeup.kofa.errors import TableError

__all__ = [
    "BARE_QUOTE",
    "NUL_CHARACTER",
    "TEXT_AFTER_QUOTE",
    "TOO_FEW_CELLS",
    "TOO_MANY_CELLS",
    "UNCLOSED_QUOTE",
    "EmptyTable",
    "Problem",
    "count_problem",
    "text_problem",
]

#: The row has fewer cells than the header; the cells are kept.
TOO_FEW_CELLS = "too-few-cells"
#: The row has more cells than the header; the cells are kept.
TOO_MANY_CELLS = "too-many-cells"
#: A quote stands inside a cell that does not begin with one: ``5" pipe``.
BARE_QUOTE = "bare-quote"
#: A quoted cell goes on behind its closing quote: ``"Ada" B.``.
TEXT_AFTER_QUOTE = "text-after-quote"
#: A quoted cell is not closed where its row ends.
UNCLOSED_QUOTE = "unclosed-quote"
#: The row holds a character of code zero, which no text has.
NUL_CHARACTER = "nul-character"

_ADVICE = {
    BARE_QUOTE: (
        "a quote stands inside a cell that does not begin with one",
        "Put the cell into quotes and double the quote inside.",
    ),
    TEXT_AFTER_QUOTE: (
        "text follows the closing quote of a cell",
        "Double quotes that belong to the text, or remove what follows.",
    ),
    UNCLOSED_QUOTE: (
        "a cell is opened by a quote and not closed",
        "Close the quote, or remove it.",
    ),
    NUL_CHARACTER: (
        "the row holds a NUL character",
        "Remove the character, or export the file again.",
    ),
}


class EmptyTable(TableError):
    """There is no header in the file; write one, or choose another file."""


class Problem(NamedTuple):
    """Why a row cannot be taken as it stands.

    `code` is one of the constants of this module, `message` a text for people,
    `column` the position of the damaged cell, counted from 1, where there is one.
    """

    code: str
    message: str
    column: int | None = None


def text_problem(code: str, line: int, column: int | None = None) -> Problem:
    """Return the problem `code` of a row without cells that begins at physical `line`."""
    what, advice = _ADVICE[code]
    place = f"line {line}" if column is None else f"line {line}, column {column}"
    return Problem(code, f"Damaged row ({place}): {what}. {advice}", column)


def count_problem(found: int, expected: int, line: int) -> Problem:
    """Return the problem of a row at physical `line` with `found` instead of `expected` cells."""
    code, reason = (
        (TOO_FEW_CELLS, "cells are missing or the row was cut off")
        if found < expected
        else (TOO_MANY_CELLS, "a cell holds a separator and is not in quotes")
    )
    cells = "1 cell" if found == 1 else f"{found} cells"
    message = f"Damaged row (line {line}): {cells} instead of {expected}; {reason}."
    return Problem(code, f"{message} Make the row as long as the header.")
