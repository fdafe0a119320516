"""What can be wrong with a row, as typed values with messages in plain words.

The reader makes them, the import puts their messages into pending files, and
tests and programs look at their codes.  The manual shows one example of each.
"""

from __future__ import annotations

from typing import NamedTuple

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import counted, english

__all__ = [
    "BARE_QUOTE",
    "BROKEN_LINE",
    "BROKEN_VALUE",
    "CODES",
    "CUT_OFF",
    "INCOMPLETE_ROW",
    "LINE_TOO_LONG",
    "MIXED_ENCODING",
    "NUL_CHARACTER",
    "OTHER_DELIMITER",
    "OTHER_QUOTES",
    "REPEATED_HEADER",
    "SECOND_TABLE",
    "SHIFTED_CELLS",
    "TEXT_AFTER_QUOTE",
    "TOO_FEW_CELLS",
    "TOO_MANY_CELLS",
    "UNCERTAIN_ENCODING",
    "UNCLEAR_ESCAPE",
    "UNCLOSED_QUOTE",
    "UNDECODABLE",
    "EmptyTable",
    "Problem",
    "UnclearTable",
    "count_problem",
    "problem",
]

#: The row has fewer cells than the header; the cells are kept.
TOO_FEW_CELLS = "too-few-cells"
#: The row has more cells than the header; the cells are kept.
TOO_MANY_CELLS = "too-many-cells"
#: A quote stands inside a cell that does not begin with one: ``pipe 5"``.
BARE_QUOTE = "bare-quote"
#: A quoted cell goes on behind its closing quote: ``"Ada" B.``.
TEXT_AFTER_QUOTE = "text-after-quote"
#: A quoted cell is not closed where its row ends.
UNCLOSED_QUOTE = "unclosed-quote"
#: An escape stands before a character that needs none: ``"8\\'9\\""``.
UNCLEAR_ESCAPE = "unclear-escape"
#: The row can be cut into as many cells as the header has, at another delimiter.
OTHER_DELIMITER = "other-delimiter"
#: The cells of the row stand between other quotes than those of the table.
OTHER_QUOTES = "other-quotes"
#: The next or the previous line is a piece that may belong to this row.
BROKEN_LINE = "broken-line"
#: The values stand one column beside the one that they are made for.
SHIFTED_CELLS = "shifted-cells"
#: A cell holds a piece of a value, or a value and something more.
BROKEN_VALUE = "broken-value"
#: Cells are empty that are filled in the other rows; perhaps it is a total.
INCOMPLETE_ROW = "incomplete-row"
#: The row repeats the names of the columns.
REPEATED_HEADER = "repeated-header"
#: The row belongs to another table behind the first one.
SECOND_TABLE = "second-table"
#: The file ends in the middle of the row, or may do so.
CUT_OFF = "cut-off"
#: The row holds bytes that are no text in the table's encoding.
UNDECODABLE = "undecodable"
#: The row has characters beyond ASCII, and the encoding is a guess.
UNCERTAIN_ENCODING = "uncertain-encoding"
#: The row is in UTF-8, unlike the table, or in UTF-8 twice.
MIXED_ENCODING = "mixed-encoding"
#: The row holds a character of code zero, which no text has.
NUL_CHARACTER = "nul-character"
#: The line has more characters than a row may have; only its beginning is kept.
LINE_TOO_LONG = "line-too-long"

_WORDS = {
    BARE_QUOTE: (
        _("a quote stands inside a cell that does not begin with one"),
        _("Put the cell into quotes and double the quote inside."),
    ),
    TEXT_AFTER_QUOTE: (
        _("text follows the closing quote of a cell"),
        _("Double quotes that belong to the text, or remove what follows."),
    ),
    UNCLOSED_QUOTE: (
        _("a cell is opened by a quote and not closed"),
        _("Close the quote, or remove it."),
    ),
    UNCLEAR_ESCAPE: (
        _("a backslash stands before a character that needs none, so it may be text or not"),
        _("Double the backslash if it is text, or remove it."),
    ),
    OTHER_DELIMITER: (
        _("its cells are divided by ${detail}, unlike those of the other rows"),
        _("Divide them as in the other rows."),
    ),
    OTHER_QUOTES: (
        _("its cells stand between other quotes than those of the other rows"),
        _("Use the quotes of the other rows."),
    ),
    BROKEN_LINE: (
        _("the line beside it is a piece that may belong to this row"),
        _("Join the lines, or remove the one that does not belong to the table."),
    ),
    SHIFTED_CELLS: (
        _("its values stand beside the columns that they are made for"),
        _("Compare it with the other rows, and move the values."),
    ),
    BROKEN_VALUE: (
        _("the value has not the form that all others of its column have"),
        _("Complete it if it is cut off, or divide what was joined."),
    ),
    INCOMPLETE_ROW: (
        _("cells are empty that are filled in the other rows, and others hold something unusual"),
        _("Fill them, or remove the line if it is no row, but a total or a remark."),
    ),
    REPEATED_HEADER: (
        _("it repeats the names of the columns"),
        _("Remove it."),
    ),
    SECOND_TABLE: (
        _("another table begins at line ${detail}, with names of its own"),
        _("Put each table into a file of its own."),
    ),
    CUT_OFF: (
        _("the file ends in this row without a line end, so its last value may be cut off"),
        _("Complete the value if it is cut, and end the line."),
    ),
    UNDECODABLE: (
        _("it holds bytes that are no text in the encoding ${detail}"),
        _("Correct the characters that are shown as codes, or choose another encoding."),
    ),
    UNCERTAIN_ENCODING: (
        _("it is not certain which characters these are, the encoding ${detail} is a guess"),
        _("Choose the encoding in which all names are right."),
    ),
    MIXED_ENCODING: (
        _("it holds UTF-8 that was read in another encoding, such as Ã© in place of é"),
        _("Write them anew, or save the whole file in one encoding."),
    ),
    NUL_CHARACTER: (
        _("the row holds a NUL character"),
        _("Remove the character, or export the file again."),
    ),
    LINE_TOO_LONG: (
        _("the line is too long for a row, and only its beginning was kept"),
        _("Divide it into rows, or remove it."),
    ),
}

#: All codes, in the order of this module.
CODES = (TOO_FEW_CELLS, TOO_MANY_CELLS, *_WORDS)


class EmptyTable(TableError):
    """There is no header in the file; write one, or choose another file."""


class UnclearTable(TableError):
    """A person has to say how the table is to be read, for example which line is its header."""


class Problem(NamedTuple):
    """Why a row cannot be taken as it stands.

    `code` is one of the constants of this module, `message` a text for people,
    `column` the position of the damaged cell, counted from 1, where there is one.
    """

    code: str
    message: str
    column: int | None = None


def problem(code: str, line: int, column: int | None = None, detail: object = "") -> Problem:
    """Return the problem `code` of a row that begins at physical `line`.

    `detail` is what the text of the code leaves open, such as the encoding.
    """
    what, advice = _WORDS[code]
    place = _("line ${line}", mapping={"line": line})
    if column is not None:
        place = _("line ${line}, column ${column}", mapping={"line": line, "column": column})
    text = _(
        "Damaged row (${place}): ${what}. ${advice}",
        mapping={"place": place, "what": _(what, mapping={"detail": detail}), "advice": advice},
    )
    return Problem(code, english(text), column)


def count_problem(found: int, expected: int, line: int) -> Problem:
    """Return the problem of a row at physical `line` with `found` instead of `expected` cells."""
    code, reason = (
        (TOO_FEW_CELLS, _("cells are missing or the row was cut off"))
        if found < expected
        else (TOO_MANY_CELLS, _("a cell holds a separator and is not in quotes"))
    )
    text = counted(
        "Damaged row (line ${line}): ${found} cell instead of ${expected}; ${reason}. "
        "Make the row as long as the header.",
        "Damaged row (line ${line}): ${found} cells instead of ${expected}; ${reason}. "
        "Make the row as long as the header.",
        found,
        line=line,
        found=found,
        expected=expected,
        reason=reason,
    )
    return Problem(code, english(text))
