"""Bytes to physical lines of text, in blocks: lazily, and in constant memory.

Lines end with CRLF, LF or CR and keep their ends.  What is not text in the
given encoding, or has no line ends, is refused with its place.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from waeup.kofa.errors import TableError

__all__ = ["check_charset", "line_blocks", "resolve_encoding", "verify_encoding"]

#: Bytes that are read at once, some hundred rows: a damaged row slows down only
#: its block, and the rows of a block stay in the processor's cache.
BLOCK = 1 << 15
#: Bytes without a line end that make a file no table.
MAX_LINE = 1 << 20

_LINE_ENDS = ("\n", "\r")


def resolve_encoding(stream: BinaryIO, encoding: str | None) -> str:
    """Return the encoding to use for `stream`, and place the stream behind a UTF-8 BOM.

    Without `encoding` that is ``utf-8-sig`` with a BOM, ``utf-8`` without one.
    Raises `TableError` for a name that is no text encoding.
    """
    bom = stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    if encoding is None:
        encoding = "utf-8-sig" if bom else "utf-8"
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise TableError(
            f"{encoding!r} is no text encoding. Name one such as utf-8, utf-16 or cp1252."
        ) from None
    skip = bom and name in ("utf-8", "utf-8-sig")
    stream.seek(len(codecs.BOM_UTF8) if skip else 0)
    return name


def line_blocks(stream: BinaryIO, name: str, encoding: str) -> Iterator[tuple[list[str], bool]]:
    """Generate pairs of lines and whether they are the last ones; there is always a last pair.

    `stream` stands where the text begins; `name` is for messages.  Raises
    `TableError` with line and byte where the bytes are no text, or no lines.
    """
    carry, final = "", False
    for text, final in _text_blocks(stream, name, encoding):
        lines = io.StringIO(carry + text, newline="").readlines()
        # A CR at the end of a block may be one half of a CRLF.
        carry = lines.pop() if lines and not final and lines[-1][-1] != "\n" else ""
        if lines or final:
            yield lines, final


def verify_encoding(path: str, encoding: str | None = None) -> None:
    """Read all of the file at `path` and make sure that it is text with lines.

    Costs little more than reading the file; memory is constant.  Call it before
    a file is taken, so that `open_table` cannot meet an undecodable byte half
    way.  Raises `TableError` that tells line and byte.
    """
    with open(path, "rb") as stream:
        found = resolve_encoding(stream, encoding)
        for _text in _text_blocks(stream, os.path.basename(path), found):
            pass


def check_charset(lines: Iterable[bytes | str]) -> int | None:
    """Return None when `lines` are a UTF-8 CSV file, or the number of the bad record.

    As in Kofa 1.9: counted from 1, the header included; for an error other than
    an undecodable byte the number is one higher.
    """
    number = 1
    try:
        for _record in csv.reader(_decoded(lines)):
            number += 1
    except UnicodeDecodeError:
        return number
    except csv.Error:
        return number + 1
    return None


def _decoded(lines: Iterable[bytes | str]) -> Iterator[str]:
    for line in lines:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        if "\0" in text:
            raise csv.Error("line contains NUL")  # as Python 2 says
        yield text


def _text_blocks(stream: BinaryIO, name: str, encoding: str) -> Iterator[tuple[str, bool]]:
    # The BOM was passed by resolve_encoding; utf-8-sig would drop a second one.
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    decoder = codecs.getincrementaldecoder(codec)("strict")
    start = position = stream.tell()
    unbroken = 0
    final = False
    while not final:
        data = stream.read(BLOCK)
        final = len(data) < BLOCK
        try:
            text = decoder.decode(data, final)
        except UnicodeError as error:
            # The decoder's view begins with the bytes it kept from the last block.
            kept = len(getattr(error, "object", data)) - len(data)
            bad = position - kept + getattr(error, "start", 0)
            raise _not_text(stream, name, codec, start, bad) from None
        position += len(data)
        unbroken = 0 if any(end in text for end in _LINE_ENDS) else unbroken + len(data)
        if unbroken > MAX_LINE:
            line, _column = _place(stream, codec, start, position - len(data))
            raise TableError(
                f"{name} holds no table: line {line} is longer than {MAX_LINE} bytes."
                " Check that the file is a CSV file, with one row a line."
            )
        yield text, final


def _not_text(stream: BinaryIO, name: str, codec: str, start: int, bad: int) -> TableError:
    stream.seek(0)
    mark = stream.read(2)
    stream.seek(bad)
    found = stream.read(1)
    line, column = _place(stream, codec, start, bad)
    byte = f"byte 0x{found[0]:02x}" if found else "the end of the file"
    label, guess = codec, ""
    if codec == "utf-8":
        label = "UTF-8"
        if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            guess = " It seems to be UTF-16."
    return TableError(
        f"{name} is not {label}: {byte} at position {bad + 1} of the file"
        f" (line {line}, character {column}) is no text.{guess}"
        ' Save the file as "CSV UTF-8" and upload it again.'
    )


def _place(stream: BinaryIO, codec: str, start: int, end: int) -> tuple[int, int]:
    """Return line and character, counted from 1, of what follows the bytes [start, end)."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)("ignore"), True)
    stream.seek(start)
    line, column, left = 1, 1, end - start
    while left > 0:
        data = stream.read(min(BLOCK, left))
        left = left - len(data) if data else 0
        text = decoder.decode(data, not left)
        ends = text.count("\n")
        line += ends
        column = len(text) - text.rfind("\n") if ends else column + len(text)
    return line, column
