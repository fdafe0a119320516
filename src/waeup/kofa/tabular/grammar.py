"""What a sound record is: the one strict grammar of delimited text.

A cell is either quoted, with every quote inside doubled (or escaped, where the
dialect has an escape), or it holds neither quote, delimiter nor line end.  This is
RFC 4180, section 2, for any delimiter, and without the lenience of the standard
library's reader.  Two exceptions are no damage to a person, thus none here: an
apostrophe inside a word where apostrophes are the quotes, and the mark of seconds
or inches in figures such as ``36'37.8"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.problems import (
    BARE_QUOTE,
    TEXT_AFTER_QUOTE,
    UNCLOSED_QUOTE,
)

__all__ = ["MAX_RECORD", "Extent", "Grammar"]

#: Characters after which a cell that is still open counts as never closed.
MAX_RECORD = 1 << 20

#: Figures in front of a mark of seconds or inches, each of a fixed width.
_FIGURES = r"'\d", r"'\d\d", r"'\d\.\d", r"'\d\d\.\d", r"'\d\d\.\d\d"
#: The sign by which old programs mark the end of a text.
_END = "\x1a"


class Extent(Enum):
    """What `Grammar.measure` found out about the record at a line."""

    SOUND = "sound"
    DAMAGED = "damaged"
    UNFINISHED = "unfinished"


class Grammar:
    """Measures and cuts records of one dialect.

    The expressions are built so that each character can be matched in one way
    only; a damaged line costs time in proportion to its length.  With `given`, an
    escape takes away the meaning of whatever follows it, as in Python's `csv`;
    otherwise only that of quotes, delimiters and itself.  Behind their last cells records have
    `trailing` empty ones, which are left out.
    """

    def __init__(self, dialect: Dialect, given: bool = False, trailing: int = 0) -> None:
        mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
        escape = re.escape(dialect.escape) if dialect.escape is not None else ""
        pad = "[ ]*" if dialect.padded else ""
        if escape:
            plain = f"[^{quote}{escape}]*"
            inside = f"{plain}(?:(?:{quote}{quote}|{escape}(?:.|\n)){plain})*"
            unquoted = f"(?:[^{quote}{mark}\r\n{escape}]|{escape}.)*"
        else:
            inside = f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"
            if dialect.quote == "'":
                inner = rf"(?<=[^\W\d_]){quote}(?=[^\W\d_])"
                unquoted = f"[^{quote}{mark}\r\n]*(?:{inner}[^{quote}{mark}\r\n]*)*"
            else:
                bare = "|".join(f"(?<={figures}){quote}" for figures in _FIGURES)
                unquoted = f"[^{quote}{mark}\r\n]*(?:(?:{bare})[^{quote}{mark}\r\n]*)*"
        if dialect.padded:
            # Blanks in front of a quote belong to the padding alone.
            cell = f"(?:[ ]*{quote}{inside}{quote}[ ]*|(?![ ]*{quote}){unquoted})"
        else:
            cell = f"(?:{quote}{inside}{quote}|{unquoted})"
        # A line that opens a cell, or may, has no quotes of another meaning: otherwise it would
        # have to be tried in many ways.
        bare_less = f"[^{quote}{mark}\r\n]*" if not escape and dialect.quote != "'" else unquoted
        if dialect.padded:
            bare_less = f"(?![ ]*{quote}){bare_less}"
            plain_cell = f"(?:[ ]*{quote}{inside}{quote}[ ]*|{bare_less})"
        else:
            plain_cell = f"(?:{quote}{inside}{quote}|{bare_less})"
        end = "(?:\r\n|\r|\n)?"
        opened = f"{mark}{pad}{quote}{inside}"
        self.dialect = dialect
        self.trailing = trailing
        self._is_plain = not (dialect.padded or dialect.escape)
        self._unclear = (
            re.compile(f"{escape}[^{quote}{mark}{escape}]") if escape and not given else None
        )
        self._unescape = re.compile(f"{escape}(.|\n)") if escape else None
        self._record = re.compile(f"{cell}(?:{mark}{cell})*{end}")
        self._opens = re.compile(f"(?:{plain_cell}{mark})*{pad}{quote}{inside}")
        self._closes = re.compile(f"{inside}{quote}{pad}(?:{mark}{cell})*{end}")
        self._reopens = re.compile(f"{inside}(?:{quote}{pad}(?:{mark}{plain_cell})*{opened})?")
        self._stops = re.compile(f"{inside}{quote}{pad}(?:{mark}{cell})*")
        self._prefix = re.compile(f"(?:{cell}{mark})*")
        self._cell = re.compile(f"{mark}({cell})")
        self._blank = re.compile(rf"[\s{mark}{_END}]*")

    def is_blank(self, line: str) -> bool:
        """Tell whether a person sees nothing in `line`: only blanks and delimiters."""
        return self._blank.fullmatch(line) is not None

    def is_record(self, line: str) -> bool:
        """Tell whether `line` is a sound record by itself."""
        return self._record.fullmatch(line) is not None

    def cells(self, record: str) -> tuple[str, ...]:
        """Return the cells of a sound `record`, with or without its line end."""
        written = self.written_cells(record)
        if self._is_plain and self.dialect.quote not in record:
            return tuple(written)
        return self.values(written)

    def values(self, written: Sequence[str]) -> tuple[str, ...]:
        """Return the texts of cells that are `written` with or without quotes."""
        return tuple(map(self._value, written))

    def written_cells(self, record: str) -> list[str]:
        """Return the cells of a sound `record` as they are written, quotes included."""
        if record.endswith("\n"):
            record = record[:-1]
        if record.endswith("\r"):
            record = record[:-1]
        delimiter, quote, escape, _padded = self.dialect
        if quote not in record and (escape is None or escape not in record):
            cells = record.split(delimiter)
        else:
            cells = self._cell.findall(delimiter + record)
        count = self.trailing
        empty = ("", self.dialect.quote * 2)
        if count and len(cells) > count and all(cell.strip() in empty for cell in cells[-count:]):
            del cells[-count:]
        return cells

    def _value(self, cell: str) -> str:
        quote = self.dialect.quote
        if self.dialect.padded:
            cell = cell.strip(" ")
        if cell[:1] == quote:
            cell = cell[1:-1]
            if self._unescape is None:
                return cell.replace(quote + quote, quote)
            # Pairs of quotes and escapes are read in one pass: each takes what follows it.
            return re.sub(
                f"{re.escape(quote)}{{2}}|{self._unescape.pattern}",
                lambda match: match.group(1) or quote,
                cell,
            )
        if self._unescape is not None:
            return self._unescape.sub(r"\1", cell)
        return cell

    def is_unclear(self, record: str) -> bool:
        """Tell whether a sound `record` has an escape before a character that needs none."""
        escape = self.dialect.escape
        if self._unclear is None or escape is None or escape not in record:
            return False
        # What an escape has taken is no escape itself.
        return self._unclear.search(record.replace(escape * 2, "")) is not None

    def measure(self, lines: Sequence[str], start: int, final: bool) -> tuple[Extent, int]:
        """Find the record that begins at ``lines[start]``.

        Returns what it is, and the index of the line behind it; for a damaged
        record, behind the line that showed the damage.  It is unfinished when it
        may go on behind the last of `lines`, which `final` excludes.
        """
        line = lines[start]
        if self._record.fullmatch(line):
            return Extent.SOUND, start + 1
        if not self._opens.fullmatch(line):
            return Extent.DAMAGED, start + 1
        length = len(line)
        for index in range(start + 1, len(lines)):
            line = lines[index]
            length += len(line)
            if length > MAX_RECORD:
                return Extent.DAMAGED, index
            if self.dialect.quote not in line:
                continue
            if self._closes.fullmatch(line):
                return Extent.SOUND, index + 1
            if not self._reopens.fullmatch(line):
                return Extent.DAMAGED, index + 1
        return (Extent.DAMAGED if final else Extent.UNFINISHED), len(lines)

    def reopens_a_cell(self, line: str) -> bool:
        """Tell whether the quote at which an open cell stopped in `line` begins another cell.

        Then the quote of the open cell was never closed, and the lines between are
        rows of their own; otherwise they are the cell's text.
        """
        stop = self._stops.match(line)
        at = line.find(self.dialect.quote) if stop is None else stop.end() - 1
        before = line[:at].rstrip(" ") if self.dialect.padded else line[:at]
        return at >= 0 and (not before or before.endswith(self.dialect.delimiter))

    def diagnose(self, line: str) -> tuple[str, int]:
        """Return code and column of what is wrong with the damaged record begun by `line`."""
        prefix = self._prefix.match(line)
        assert prefix is not None  # it matches the empty text, too
        column = len(self._cell.findall(self.dialect.delimiter + prefix.group()))
        if self._opens.fullmatch(line):
            return UNCLOSED_QUOTE, column
        rest = line[prefix.end() :]
        if self.dialect.padded:
            rest = rest.lstrip(" ")
        return (TEXT_AFTER_QUOTE if rest.startswith(self.dialect.quote) else BARE_QUOTE), column
