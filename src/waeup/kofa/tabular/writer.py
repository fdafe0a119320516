"""The one way out: result files and exports as sound CSV.

UTF-8 without BOM, commas, CRLF, quotes where they are needed; what is written
here is read back by `open_table` without loss.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TextIO

from waeup.kofa.tabular.source import MARK

__all__ = ["TableWriter", "header_bytes", "row_writer"]


def header_bytes(columns: Sequence[str]) -> bytes:
    """Return the bytes with which a `TableWriter` begins a table of these columns."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow(columns)
    return stream.getvalue().encode("utf-8")


def row_writer(
    stream: TextIO, columns: Sequence[str], *, delimiter: str = ",", quote_all: bool = False
) -> Callable[[Sequence[str]], object]:
    """Return what writes a row: with quotes around all cells, or as few as leave no doubt.

    `columns` are the names in the header, if there is one.
    """
    first = columns[0] if columns else ""
    write_with_quotes = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow
    between, put = f'"{delimiter}"', stream.write

    def write_quoted(cells: Sequence[str]) -> None:
        # Less than half of the time that the writer takes, which is for what needs care.
        line = f'"{between.join(cells)}"\r\n'
        if line.count('"') == 2 * len(cells) and "\0" not in line:
            put(line)
        else:
            write_with_quotes(cells)

    if quote_all:
        return write_quoted
    write_plain = csv.writer(stream, delimiter=delimiter).writerow
    return lambda cells: (write_plain if _is_plain(cells, first) else write_quoted)(cells)


def _is_plain(values: Sequence[str], first: str) -> bool:
    """Tell whether nobody can mistake a row for something else without quotes.

    A blank row could be taken for no row, the text of one column for several, one
    of several lines for several rows, the names for a header (`first` is the first of
    them), a mark for that of a file.
    """
    text = "".join(values)
    return (
        bool(text.strip())
        and (len(values) > 1 or text.isalnum())
        and not ("\n" in text or "\r" in text or "'" in text or MARK in text)
        and values[0] != first
    )


def _lines(rows: Sequence[Sequence[str]], columns: Sequence[str], quote_all: bool) -> str:
    """Return the lines of many rows of the same width: those that `row_writer` writes.

    Three times as quick, since the writer of the standard library is asked only for rows with
    quotes in them, and for those with delimiters of which not all cells are quoted.  Raises
    ValueError for a NUL character.
    """
    paper = io.StringIO(newline="")
    put, write = paper.write, row_writer(paper, columns, quote_all=quote_all)
    texts = list(map("".join, rows))
    together = "".join(texts)
    if "\0" in together:
        # Python 3.10 would meet it with an error of its own.
        raise ValueError("A row has a NUL character.")
    # What is in none of them need not be looked for in each.
    has_quotes, has_delimiters = '"' in together, "," in together
    has_apostrophes = "'" in together
    has_others = any(sign in together for sign in ("\n", "\r", MARK))
    are_several, first = len(columns) > 1, columns[0]
    for cells, text in zip(rows, texts, strict=True):
        if has_quotes and '"' in text:
            write(cells)
        elif (
            quote_all
            or (has_apostrophes and "'" in text)
            or cells[0] == first
            or not text
            or text.isspace()
            or not (are_several or text.isalnum())
            or (has_others and ("\n" in text or "\r" in text or MARK in text))
        ):
            put('"' + '","'.join(cells) + '"\r\n')
        elif has_delimiters and "," in text:
            write(cells)
        else:
            put(",".join(cells) + "\r\n")
    return paper.getvalue()


class TableWriter:
    """Writes a table to the file at `path`, which is made or emptied (mode 0660).

    The header of `columns` is written at once.  With `quote_all` all cells are quoted.  Use it
    in a ``with`` statement, or call `close`.  All methods raise OSError when the disk refuses.
    """

    def __init__(self, path: str, columns: Sequence[str], *, quote_all: bool = False) -> None:
        self.path = path
        self.columns = tuple(columns)
        self._width = len(self.columns)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o660)
        self._stream = open(descriptor, "w", encoding="utf-8", newline="")  # noqa: SIM115
        self._write = row_writer(self._stream, self.columns, quote_all=quote_all)
        self._quote_all = quote_all
        try:
            (self._write if quote_all else csv.writer(self._stream).writerow)(self.columns)
        except BaseException:
            self._stream.close()
            raise

    def write(self, values: Sequence[str]) -> None:
        """Append a row; `values` are as many texts as there are columns, else ValueError."""
        if len(values) != self._width or not values:
            raise ValueError(
                f"A row of {self.path} has {self._width} cells; {len(values)} were given."
            )
        self._write(values)

    def write_all(self, rows: Sequence[Sequence[str]]) -> None:
        """Append several rows, as `write` does one by one, but quicker; all of them, or none.

        Raises ValueError for a NUL character, too, which no table may hold.
        """
        for width in set(map(len, rows)):
            if width != self._width or not width:
                raise ValueError(
                    f"A row of {self.path} has {self._width} cells; {width} were given."
                )
        if not rows:
            return
        self._stream.write(_lines(rows, self.columns, self._quote_all))

    def tell(self) -> int:
        """Return the length of the file in bytes, all rows so far included."""
        self._stream.flush()
        return os.fstat(self._stream.fileno()).st_size

    def sync(self) -> int:
        """Make all rows so far durable and return the length of the file in bytes."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return self.tell()

    def rewind(self, length: int) -> None:
        """Forget what was written behind the first `length` bytes, a value that `sync` gave."""
        self._stream.flush()
        os.ftruncate(self._stream.fileno(), length)
        self._stream.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Make the content durable and close the file; a second call does nothing."""
        if not self._stream.closed:
            try:
                self.sync()
            finally:
                self._stream.close()

    def leave(self) -> None:
        """Close the file without making anything durable that is not so by now."""
        self._stream.close()

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
