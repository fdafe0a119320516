"""The formats of exports: rows of cells become the bytes of a file.

Stands between an exporter, which makes the cells, and a file or a pipe.  What comes out can be
uploaded as it is and gives the same cells again, packed or not.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from waeup.kofa.errors import Refused
from waeup.kofa.exporting.sheets import MOST_SHEET_ROWS, SheetSink
from waeup.kofa.exporting.sinks import Column, Sink, UnfitCell
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.source import MARK
from waeup.kofa.tabular.writer import row_writer

__all__ = ["FORMATS", "MOST_SHEET_ROWS", "PACKINGS", "Column", "Form", "Sink", "open_sink"]

#: Format -> its type on the internet.
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: Way of packing -> its type on the internet.
PACKINGS = {"gzip": "application/gzip", "zip": "application/zip"}

_DELIMITERS = {"csv": ",", "tsv": "\t"}
#: As small as it gets in acceptable time: level 9 takes three times as long for one percent.
_LEVEL = 6


@dataclass(frozen=True)
class Form:
    """How an export is written.

    `format` is one of `FORMATS`, `packing` empty or one of `PACKINGS`.  A text begins with a byte
    order mark when `mark` is set, and has quotes around every cell with `quote_all`, else where
    they are needed; for workbooks neither means anything.
    """

    format: str = "csv"
    packing: str = ""
    mark: bool = False
    quote_all: bool = True

    @classmethod
    def of(
        cls,
        format: str,  # noqa: A002 - the word for it everywhere
        packing: str = "",
        *,
        mark: bool = False,
        quote_all: bool = True,
    ) -> Form:
        """Return the form of these words, which come from a person.

        Raises `Refused` for a word that means nothing.
        """
        if format not in FORMATS:
            raise Refused(
                _(
                    "There is no format ${format} for exports. There are: ${formats}.",
                    mapping={"format": repr(format), "formats": ", ".join(FORMATS)},
                )
            )
        if packing and packing not in PACKINGS:
            raise Refused(
                _(
                    "Exports cannot be packed by ${packing}. Say ${packings}, or nothing for "
                    "a file that is not packed.",
                    mapping={"packing": repr(packing), "packings": " or ".join(PACKINGS)},
                )
            )
        return cls(format, packing, mark, quote_all)

    @property
    def is_text(self) -> bool:
        """Tell whether it is a table of text, packed or not."""
        return self.format in _DELIMITERS

    @property
    def extension(self) -> str:
        """The end of a name that the upload of this data center accepts, e.g. ``.csv.gz``."""
        if self.packing == "zip":
            return ".zip"
        return f".{self.format}{'.gz' if self.packing else ''}"

    @property
    def content_type(self) -> str:
        """The type of the content on the internet."""
        return PACKINGS[self.packing] if self.packing else FORMATS[self.format]


def open_sink(
    stream: BinaryIO,
    columns: Sequence[Column],
    form: Form,
    name: str,
    folder: str | None = None,
) -> Sink:
    """Return a sink that writes a table of `columns` to `stream`; the header is written at once.

    `stream` is only written to, in order, and left open.  `name` is that of the table, e.g.
    ``students.csv``: a ZIP file has a member, and a workbook a sheet, of that name.  `folder` is
    where a workbook may have temporary files (default: where the system has its own).

    Raises `Refused` for columns, and the sink's ``write`` for rows, that a file cannot hold.
    """
    packing = _Packing(stream, form.packing, name)
    try:
        if form.is_text:
            inner: Sink = _TextSink(packing.stream, [column.name for column in columns], form)
        else:
            inner = SheetSink(packing.stream, columns, name, folder)
    except BaseException:
        packing.abandon()
        raise
    return _PackedSink(inner, packing)


class _Outlet(io.RawIOBase):
    """Gives bytes to a stream until it is shut, or until the stream has refused any.

    What finishes a container, such as its checksum, does not come behind half a table then.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._send: Callable[[bytes], object] | None = stream.write

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """See `io.RawIOBase`; passes over `data` when it is shut."""
        if self._send is not None:
            send, self._send = self._send, None
            send(data)
            self._send = send
        return len(data)

    def shut(self) -> None:
        """Let nothing more through."""
        self._send = None


class _Packing:
    """The way to a stream, perhaps through a container with one file `name`.

    `stream` is what the file is written to.  The same content gives the same bytes at any time.
    """

    stream: BinaryIO

    def __init__(self, target: BinaryIO, packing: str, name: str) -> None:
        self._open = ExitStack()
        self._outlet = self._open.enter_context(_Outlet(target))
        outlet: Any = self._outlet
        if packing == "gzip":
            outlet = self._open.enter_context(gzip.GzipFile("", "wb", _LEVEL, outlet, mtime=0))
        elif packing == "zip":
            archive = self._open.enter_context(
                zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
            )
            # How long it gets is not known before; without this, 2 GB would be the end.
            outlet = self._open.enter_context(archive.open(name, "w", force_zip64=True))
        self.stream = outlet

    def close(self) -> None:
        """Finish the container."""
        self._open.close()

    def shut(self) -> None:
        """Let nothing more through."""
        self._outlet.shut()

    def abandon(self) -> None:
        """Give back all resources and write nothing more."""
        self.shut()
        with suppress(OSError):
            self._open.close()


class _PackedSink(Sink):
    """Writes by another sink, and finishes the container behind it."""

    def __init__(self, inner: Sink, packing: _Packing) -> None:
        self._inner = inner
        self._packing = packing
        self.write = inner.write

    def close(self) -> None:
        """See `Sink`."""
        try:
            self._inner.close()
        except BaseException:
            self._packing.abandon()
            raise
        self._packing.close()

    def abandon(self) -> None:
        """See `Sink`."""
        # What is still in a buffer must not come out.
        self._packing.shut()
        self._inner.abandon()
        self._packing.abandon()


#: What no table can hold: a reader takes NUL for damage, and half a character has no bytes.
_UNFIT = re.compile("[\0\ud800-\udfff]")


def _unfit(names: Sequence[str], cells: Sequence[str]) -> UnfitCell:
    """Return what tells which of the cells a table cannot hold."""
    name, found = next(
        (name, found)
        for name, cell in zip(names, cells, strict=True)
        if (found := _UNFIT.search(cell))
    )
    return UnfitCell(
        _(
            "A table cannot hold what is in the column ${column}: the character ${character}.",
            mapping={"column": repr(name), "character": f"U+{ord(found[0]):04X}"},
        )
    )


class _TextSink(Sink):
    """Writes CSV or TSV with CRLF as line end."""

    def __init__(self, stream: BinaryIO, names: Sequence[str], form: Form) -> None:
        text = self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        if form.mark:
            text.write(MARK)
        delimiter, quote_all = _DELIMITERS[form.format], form.quote_all
        row_writer(text, (), delimiter=delimiter, quote_all=quote_all)(names)
        write = row_writer(text, names, delimiter=delimiter, quote_all=quote_all)

        def write_sound(cells: Sequence[str]) -> None:
            if "\0" in "".join(cells):
                raise _unfit(names, cells)
            try:
                write(cells)
            except UnicodeEncodeError:
                raise _unfit(names, cells) from None

        self.write = write_sound

    def close(self) -> None:
        """See `Sink`."""
        self._text.close()

    def abandon(self) -> None:
        """See `Sink`."""
        with suppress(OSError):
            self._text.close()
