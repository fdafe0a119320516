"""Bytes to physical lines of text, in blocks: lazily, and in constant memory.

Lines end with CRLF, LF or CR and keep their ends.  Bytes that are no text become
lone surrogates, which no text has, and a line that never ends is cut: both are
damage of the row that has them, not of the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

__all__ = [
    "CUT",
    "MARK",
    "Block",
    "check_charset",
    "is_marked",
    "line_blocks",
    "readable",
    "split_lines",
]

#: Bytes that are read at once, some hundred rows: a damaged row slows down only
#: its block, and the rows of a block stay in the processor's cache.
BLOCK = 1 << 15

#: The byte order mark, as it is read where it is not the first of a file.
MARK = "\ufeff"
#: What stands at the end of a line that was longer than allowed.
CUT = "\udfff"
#: Characters of such a line that are kept.
KEPT = 1000

_MARKED = re.compile("[\ud800-\udfff]")
_BYTE = re.compile("[\udc00-\udcff]")
#: How bytes are shown that are no text.
_SHOWN = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(256)}
_ERRORS = "waeup.kofa.undecodable"
_MARKS = [chr(0xDC00 + byte) for byte in range(256)]


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Stand in for bytes that cannot be decoded; an error handler of `codecs`.

    Unlike ``surrogateescape`` it serves all encodings, UTF-16 among them.
    """
    assert isinstance(error, UnicodeDecodeError)
    return "".join(map(_MARKS.__getitem__, error.object[error.start : error.end])), error.end


codecs.register_error(_ERRORS, _mark)


class Block(NamedTuple):
    """Complete lines that were read at once, as one text; `final` ones are the file's last.

    `marked` says that some of them hold marks instead of text.
    """

    text: str
    final: bool
    marked: bool


def split_lines(text: str) -> list[str]:
    """Return the lines of `text`, which end with CRLF, LF or CR and keep their ends."""
    return io.StringIO(text, newline="").readlines()


def is_marked(text: str) -> bool:
    """Tell whether `text` holds marks instead of what could not be read."""
    return not text.isascii() and _MARKED.search(text) is not None


def readable(text: str) -> str:
    """Return `text` as it can be written: NUL and undecodable bytes as ``\\x00``."""
    text = text.replace("\0", "\\x00").replace(CUT, "...")
    return text.translate(_SHOWN) if _BYTE.search(text) else text


def line_blocks(stream: BinaryIO, codec: str, longest: int) -> Iterator[Block]:
    """Generate the lines of `stream`, which stands where the text begins.

    There is always a last block, if with no lines, and while a line does not end there are
    blocks without any.  A line of more than `longest` characters is cut to its beginning, behind
    which `CUT` stands.
    """
    decoder = codecs.getincrementaldecoder(codec)("strict")
    marking = codecs.getincrementaldecoder(codec)(_ERRORS)
    carry, marked, skipping, final = "", False, False, False
    while not final:
        data = stream.read(BLOCK)
        final = len(data) < BLOCK
        state = decoder.getstate()
        try:
            text = decoder.decode(data, final)
        except UnicodeDecodeError:
            marking.setstate(state)
            text, marked = marking.decode(data, final), True
            decoder.setstate(marking.getstate())
        if skipping:
            at = min((at for at in map(text.find, "\r\n") if at >= 0), default=-1)
            if at < 0 and not final:
                yield Block("", False, False)
                continue
            text = text[at:] if at >= 0 else ""
            skipping = False
        text = carry + text
        # A CR at the end of a block may be one half of a CRLF.
        end = len(text) if final else max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
        text, carry = text[:end], text[end:]
        if len(carry) > longest:
            skipping = carry[-1] != "\r"
            carry = carry[:KEPT] + CUT + ("" if skipping else "\r")
            marked = True
        if text or final:
            yield Block(text, final, marked)
            marked = is_marked(carry)
        else:
            yield Block("", False, False)


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
