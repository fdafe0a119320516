"""What a sound record is: the one strict grammar of delimited text.

A cell is either quoted, with every quote inside doubled, or it holds neither
quote, delimiter nor line end.  This is RFC 4180, section 2, for any delimiter,
and without the lenience of the standard library's reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from waeup.kofa.tabular.dialect import Dialect
from waeup.kofa.tabular.problems import BARE_QUOTE, TEXT_AFTER_QUOTE, UNCLOSED_QUOTE

__all__ = ["MAX_RECORD", "Extent", "Grammar"]

#: Characters after which a cell that is still open counts as never closed.
MAX_RECORD = 1 << 20


class Extent(Enum):
    """What `Grammar.measure` found out about the record at a line."""

    SOUND = "sound"
    DAMAGED = "damaged"
    UNFINISHED = "unfinished"


class Grammar:
    """Measures and cuts records of one dialect.

    The expressions are built so that each character can be matched in one way
    only; a damaged line costs time in proportion to its length.
    """

    def __init__(self, dialect: Dialect) -> None:
        mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
        inside = f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"
        cell = f"(?:{quote}{inside}{quote}|[^{quote}{mark}\r\n]*)"
        end = "(?:\r\n|\r|\n)?"
        opened = f"{mark}{quote}{inside}"
        self.dialect = dialect
        self._record = re.compile(f"{cell}(?:{mark}{cell})*{end}")
        self._opens = re.compile(f"(?:{cell}{mark})*{quote}{inside}")
        self._closes = re.compile(f"{inside}{quote}(?:{mark}{cell})*{end}")
        self._reopens = re.compile(f"{inside}(?:{quote}(?:{mark}{cell})*{opened})?")
        self._prefix = re.compile(f"(?:{cell}{mark})*")
        self._cell = re.compile(f"{mark}({cell})")
        self._blank = re.compile(rf"[\s{mark}]*")

    def is_blank(self, line: str) -> bool:
        """Tell whether a person sees nothing in `line`: only blanks and delimiters."""
        return self._blank.fullmatch(line) is not None

    def is_record(self, line: str) -> bool:
        """Tell whether `line` is a sound record by itself."""
        return self._record.fullmatch(line) is not None

    def cells(self, record: str) -> tuple[str, ...]:
        """Return the cells of a sound `record`, with or without its line end."""
        delimiter, quote = self.dialect
        if record.endswith("\n"):
            record = record[:-1]
        if record.endswith("\r"):
            record = record[:-1]
        if quote not in record:
            return tuple(record.split(delimiter))
        return tuple(
            cell[1:-1].replace(quote + quote, quote) if cell[:1] == quote else cell
            for cell in self._cell.findall(delimiter + record)
        )

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

    def diagnose(self, line: str) -> tuple[str, int]:
        """Return code and column of what is wrong with the damaged record begun by `line`."""
        prefix = self._prefix.match(line)
        assert prefix is not None  # it matches the empty text, too
        column = len(self._cell.findall(self.dialect.delimiter + prefix.group()))
        if self._opens.fullmatch(line):
            return UNCLOSED_QUOTE, column
        quoted = line.startswith(self.dialect.quote, prefix.end())
        return (TEXT_AFTER_QUOTE if quoted else BARE_QUOTE), column
