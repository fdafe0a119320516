"""What calamine's Python face leaves out of a sheet, found in the file itself.

Cells with errors (``#N/A``) arrive as empty ones, and an importer would clear values by them;
negative dates arrive as midnight; OpenDocument texts arrive without their tabs and inner line
ends, and durations of a day or more in a form of their own.  Sheets that have none of these are
only searched for a few bytes.  A workbook with a password is to calamine like any damaged one.

A formula without a value, as programs write it that do not compute, arrives as an empty cell,
too.  In .xls it looks like a formula whose value is the empty text, and is not found.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO
from xml.parsers import expat

from waeup.kofa.tabular.unpacking.compound import CompoundFile

__all__ = ["Remedies", "find", "is_protected"]

_CHUNK = 1 << 16
#: Bytes of a chunk that are searched again with the next one: formulas are shorter than that.
_OVERLAP = 1 << 13
_DAY = 24
_MANIFEST = "META-INF/manifest.xml"
# Each sign begins with plain letters: one expression for all of them takes fifteen times as long.
# Attributes are searched no further than a bound: a hostile part without any tag would cost the
# square of a chunk.
#
# Behind the end of a formula: anything but a value with something in it.
_UNSAVED = rb"\s*<(?:[/!e]|\w+:e|(?:\w+:)?v\b[^<>]*>\s*<)"
_XLSX_SIGNS = tuple(
    map(
        re.compile,
        (
            rb'"e"',
            rb"'e'",
            rb"v>\s*-",
            rb"f>" + _UNSAVED,
            rb"<f(?:\s[^<>]{0,255})?/>" + _UNSAVED,
            rb":f(?:\s[^<>]{0,255})?/>" + _UNSAVED,
        ),
    )
)
_ODS_SIGNS = tuple(
    map(
        re.compile,
        (
            rb'"error"',
            rb"'error'",
            rb":tab\b",
            rb":line-break\b",
            rb"PT(?:2[4-9]|[3-9]\d|\d{3})",
            # a formula, and behind it no value up to the end of the tag
            (
                rb""":formula\s*=\s*(?:"[^"]*"|'[^']*')"""
                rb"""(?:(?![:-]value\s*=|=\s*["']string)[^<>]){0,999}>"""
            ),
        ),
    )
)
_ENCRYPTED = (re.compile(b":encryption-data"),)
_DURATION = re.compile(r"(-?)PT([0-9]+)H([0-9]+)M([0-9]+(?:\.[0-9]+)?)S")


class Remedies:
    """Texts by row and column, counted from 0, that stand for what calamine gives.

    `texts` hold in any case, `negatives` only in place of a time of day.  `unsaved` has rows in
    which a formula has no value, each with the column of the first; nothing can stand for that.
    """

    def __init__(self) -> None:
        self.texts: dict[int, dict[int, str]] = {}
        self.negatives: dict[int, dict[int, str]] = {}
        self.unsaved: dict[int, int] = {}


def find(stream: BinaryIO, kind: str, index: int, sheet: str) -> Remedies:
    """Return the remedies for a sheet of the workbook `stream`, which is of `kind`.

    `index` is its place among all sheets, `sheet` its name.  What is broken in the file raises
    errors of all kinds; the caller takes each as damage.
    """
    found = Remedies()
    if kind == "xls":
        found.texts = _find_in_records(CompoundFile(stream), index)
        return found
    with zipfile.ZipFile(stream) as archive:
        parts = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
        if kind == "xlsx":
            part, signs = parts[_sheet_part(archive, parts, sheet)], _XLSX_SIGNS
            reader: _XlsxSheet | _OdsSheet = _XlsxSheet(found)
        else:
            part, signs = parts["content.xml"], _ODS_SIGNS
            reader = _OdsSheet(found, sheet)
        if _contains(archive, part, signs):
            _parse(archive, part, reader.start, reader.end, reader.text)
    return found


def is_protected(stream: BinaryIO, kind: str) -> bool:
    """Tell whether the workbook `stream`, which is of `kind`, is protected by a password."""
    if kind == "xls":
        return any(record == _FILEPASS for record, _ in _records(_book(CompoundFile(stream)), 0))
    with zipfile.ZipFile(stream) as archive:
        return _MANIFEST in archive.namelist() and _contains(archive, _MANIFEST, _ENCRYPTED)


def _contains(archive: zipfile.ZipFile, part: str, signs: Sequence[re.Pattern[bytes]]) -> bool:
    """Tell whether one of `signs` is in a part of an archive."""
    rest = b""
    with archive.open(part) as content:
        while data := content.read(_CHUNK):
            searched = rest + data
            if any(sign.search(searched) for sign in signs):
                return True
            rest = data[-_OVERLAP:]
    return False


def _parse(
    archive: zipfile.ZipFile,
    part: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Call back for the elements of an XML file; names are without their prefixes."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(
        name.rpartition(":")[2], attributes
    )
    if end is not None:
        parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    parser.EntityDeclHandler = _refuse_entity
    with archive.open(part) as content:
        parser.ParseFile(content)


def _refuse_entity(name: str, *_rest: object) -> None:
    raise ValueError(f"the entity {name} is declared")


# -- .xlsx -----------------------------------------------------------------


def _sheet_part(archive: zipfile.ZipFile, parts: dict[str, str], sheet: str) -> str:
    """Return the path of the part that holds `sheet`, in small letters."""
    identities: dict[str, str] = {}
    targets: dict[str, str] = {}

    def note_sheet(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            for key, value in attributes.items():
                if key.endswith(":id"):
                    identities.setdefault(attributes["name"], value)

    def note_target(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    _parse(archive, parts["xl/workbook.xml"], note_sheet)
    _parse(archive, parts["xl/_rels/workbook.xml.rels"], note_target)
    target = targets[identities[sheet]].replace("\\", "/")
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/").lower()


class _XlsxSheet:
    """Notes errors, negative numbers and formulas without a value while a sheet passes by."""

    def __init__(self, found: Remedies) -> None:
        self._found = found
        self._row = self._column = -1
        self._type = "n"
        self._value: list[str] | None = None
        self._formula = self._saved = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Keep account of the place."""
        if name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
        elif name == "c":
            self._type = attributes.get("t", "n")
            self._column = _column(attributes["r"]) if "r" in attributes else self._column + 1
            self._formula = self._saved = False
        elif name == "f":
            # Calamine forgets a value in front of it.
            self._formula, self._saved = True, False
        elif name == "v":
            self._value = []
        elif name == "is":
            self._saved = True

    def text(self, text: str) -> None:
        """Collect what stands in a value."""
        if self._value is not None:
            self._value.append(text)

    def end(self, name: str) -> None:
        """Note the value, or that a formula has none."""
        if name == "c":
            if self._formula and not self._saved:
                self._found.unsaved.setdefault(self._row, self._column)
        elif name == "v" and self._value is not None:
            value, self._value = "".join(self._value).strip(), None
            # The empty text is a value, too, and what many formulas give.
            self._saved = bool(value) or self._type == "str"
            if self._type == "e":
                self._found.texts.setdefault(self._row, {})[self._column] = value
            elif self._type == "n" and value.startswith("-"):
                self._found.negatives.setdefault(self._row, {})[self._column] = value


def _column(reference: str) -> int:
    """Return the column of a cell such as ``B7``, counted from 0."""
    column = 0
    for letter in reference.upper():
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


# -- .ods ------------------------------------------------------------------


class _OdsSheet:
    """Notes errors, texts with tabs or line ends, and formulas without a value, of one sheet.

    Rows and cells that are repeated stand in the file once.
    """

    def __init__(self, found: Remedies, sheet: str) -> None:
        self._found = found
        self._sheet = sheet
        self._inside = False
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._line: dict[int, str] = {}
        self._unsaved: int | None = None
        # Elements that are open within the cell: only its own paragraphs count.
        self._open: list[str] = []
        self._cell: dict[str, str] | None = None
        self._special = False
        self._paragraphs: list[list[str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Keep account of the place, and of white space that is written as elements."""
        if self._cell is not None:
            self._open.append(name)
            if name == "p" and len(self._open) == 1:
                self._paragraphs.append([])
            elif self._in_paragraph():
                self._add_white_space(name, attributes)
            return
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if name == "table":
            self._inside = plain.get("name") == self._sheet and self._row == 0
        elif self._inside and name == "table-row":
            self._rows = int(plain.get("number-rows-repeated", "1"))
            self._column, self._line, self._unsaved = 0, {}, None
        elif self._inside and name in ("table-cell", "covered-table-cell"):
            self._columns = int(plain.get("number-columns-repeated", "1"))
            self._cell = attributes
            self._special, self._paragraphs = False, []

    def text(self, text: str) -> None:
        """Collect the text of a paragraph."""
        if self._in_paragraph():
            self._paragraphs[-1].append(re.sub(r"\s+", " ", text))

    def end(self, name: str) -> None:
        """Note what stood in a cell, and in all that repeat it."""
        if self._open:
            self._open.pop()
        elif self._cell is not None:
            text = self._remedy(self._cell)
            if text is not None:
                self._line.update(
                    dict.fromkeys(range(self._column, self._column + self._columns), text)
                )
            if self._unsaved is None and _is_unsaved(self._cell):
                self._unsaved = self._column
            self._column += self._columns
            self._cell = None
        elif self._inside and name == "table-row":
            if self._line:
                for row in range(self._row, self._row + self._rows):
                    self._found.texts[row] = self._line
            if self._unsaved is not None:
                rows = range(self._row, self._row + self._rows)
                self._found.unsaved.update(dict.fromkeys(rows, self._unsaved))
            self._row += self._rows
        elif name == "table":
            self._inside = False

    def _in_paragraph(self) -> bool:
        return self._open[:1] == ["p"] and "annotation" not in self._open

    def _add_white_space(self, name: str, attributes: dict[str, str]) -> None:
        if name == "s":
            counts = [int(value) for key, value in attributes.items() if key.endswith(":c")]
            self._paragraphs[-1].append(" " * min(sum(counts) or 1, _CHUNK))
        elif name in ("tab", "line-break"):
            self._paragraphs[-1].append("\t" if name == "tab" else "\n")
            self._special = True

    def _remedy(self, cell: dict[str, str]) -> str | None:
        kinds = [value for key, value in cell.items() if key.endswith(":value-type")]
        special = self._special and not any(key.endswith(":string-value") for key in cell)
        if "error" in kinds or special:
            return "\n".join(map("".join, self._paragraphs))
        duration = _DURATION.fullmatch(cell.get("office:time-value", ""))
        if duration is not None and int(duration[2]) >= _DAY:
            return "{}{}:{}:{}".format(*duration.groups())
        return None


def _is_unsaved(cell: dict[str, str]) -> bool:
    """Tell whether the cell with these attributes has a formula, and no value of any type."""
    return any(key.endswith(":formula") for key in cell) and not any(
        key.endswith((":value", "-value")) or (key.endswith(":value-type") and value == "string")
        for key, value in cell.items()
    )


# -- .xls ------------------------------------------------------------------

_BOF, _EOF, _FILEPASS, _BOUNDSHEET = 0x0809, 0x000A, 0x002F, 0x0085
_FORMULA, _BOOLERR = 0x0006, 0x0205
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


def _find_in_records(workbook: CompoundFile, index: int) -> dict[int, dict[int, str]]:
    data = _book(workbook)
    places = [
        struct.unpack_from("<I", body)[0]
        for kind, body in _records(data, 0)
        if kind == _BOUNDSHEET
    ]
    found: dict[int, dict[int, str]] = {}
    for kind, body in _records(data, places[index]):
        code = None
        if kind == _BOOLERR and body[7]:
            code = body[6]
        elif kind == _FORMULA and body[6] == 2 and body[12:14] == b"\xff\xff":
            code = body[8]
        if code is not None:
            row, column = struct.unpack_from("<2H", body)
            found.setdefault(row, {})[column] = _ERRORS.get(code, "#ERROR!")
    return found


def _book(workbook: CompoundFile) -> bytes:
    return workbook.read("Workbook" if "Workbook" in workbook.entries else "Book")


def _records(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Generate the records of the part of a workbook that begins `at`, charts within left out."""
    depth = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<2H", data, at)
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length
    raise ValueError("the sheet has no end")
