"""What a file is by its first bytes, whatever its name says.

The first look, taken before anything is parsed: text, a container to be looked into, or one of
the many things that people upload in place of a table and that deserve a word of their own.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.encodings import is_utf_16
from waeup.kofa.tabular.unpacking.wording import SAVE_AS, not_a_table

__all__ = ["COMPOUND", "HEAD", "recognise"]

#: Bytes that the first look wants to see.
HEAD = 1 << 16
#: What `recognise` calls files of OLE, which hold workbooks of before 2007 and much else.
COMPOUND = "compound"
_EXPORT = _('Export the table as .xlsx or "CSV UTF-8" and upload that.')
_PROGRAM = _("Choose the file that holds the table.")
_ARCHIVE = _("Take the table out of it, or pack it as .zip or .gz.")

#: Beginnings of files -> what it is, and what to do.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", _("a PDF document"), _EXPORT),
    (b"{\\rtf", _("an RTF document"), _EXPORT),
    (b"%!PS", _("a PostScript document"), _EXPORT),
    (b"\x89PNG\r\n", _("a PNG image"), _EXPORT),
    (b"\xff\xd8\xff", _("a JPEG image"), _EXPORT),
    (b"II*\0", _("a TIFF image"), _EXPORT),
    (b"MM\0*", _("a TIFF image"), _EXPORT),
    (b"SQLite format 3\0", _("an SQLite database"), _EXPORT),
    (b"\0\1\0\0Standard Jet DB", _("an Access database"), _EXPORT),
    (b"\0\1\0\0Standard ACE DB", _("an Access database"), _EXPORT),
    (b"\x89HDF\r\n", _("an HDF5 file"), _EXPORT),
    (b"$FL2@(#)", _("an SPSS file"), _EXPORT),
    (b"\x09\x00\x04\x00", _("a workbook of Excel 2"), SAVE_AS),
    (b"\x09\x02\x06\x00", _("a workbook of Excel 3"), SAVE_AS),
    (b"\x09\x04\x06\x00", _("a workbook of Excel 4"), SAVE_AS),
    (b"\x7fELF", _("an executable program"), _PROGRAM),
    (b"\xcf\xfa\xed\xfe", _("an executable program"), _PROGRAM),
    (b"\xca\xfe\xba\xbe", _("an executable program"), _PROGRAM),
    (b"7z\xbc\xaf\x27\x1c", _("a 7z archive"), _ARCHIVE),
    (b"Rar!\x1a\x07", _("a RAR archive"), _ARCHIVE),
    (b"\xfd7zXZ\0", _("an xz archive"), _ARCHIVE),
    (b"BZh91AY&SY", _("a bzip2 archive"), _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _("a Zstandard archive"), _ARCHIVE),
    (b"\x04\x22\x4d\x18", _("an LZ4 archive"), _ARCHIVE),
    (b"\x1f\x9d", _("a .Z archive"), _ARCHIVE),
)
#: Letters that may also begin a table: they count in binary files only.
_WEAK_MAGIC = (
    (b"MZ", _("an executable program"), _PROGRAM),
    (b"BM", _("a BMP image"), _EXPORT),
    (b"GIF8", _("a GIF image"), _EXPORT),
    (b"PAR1", _("a Parquet file"), _EXPORT),
    (b"ARROW1", _("an Arrow file"), _EXPORT),
    (b"RIFF", _("an image, a film or a sound"), _EXPORT),
)
#: Beginnings of text that is no table, in small letters.
_MARKUP = (
    (b"<!doctype html", _("a web page"), SAVE_AS),
    (b"<html", _("a web page"), SAVE_AS),
    (b"<table", _("a web page"), SAVE_AS),
    (b"<?xml", _("an XML document"), SAVE_AS),
)
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_NULS = re.compile(rb"\0+")


def recognise(head: bytes, name: str) -> str:
    """Return ``text``, ``gzip``, ``zip`` or `COMPOUND` for a file that begins with `head`.

    The last two are containers of which only a look inside tells the kind.  Raises `TableError`
    for everything else; `name` tells of which file.
    """
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return COMPOUND
    _refuse(head, _MAGIC, name)
    if head[257:262] == b"ustar":
        raise not_a_table(name, _("a tar archive"), _ARCHIVE)
    _refuse(head[:64].removeprefix(codecs.BOM_UTF8).lstrip().lower(), _MARKUP, name)
    if _is_text(head):
        return "text"
    _refuse(head, _WEAK_MAGIC, name)
    raise not_a_table(name, _("a binary file"), _EXPORT)


def _refuse(head: bytes, magics: Iterable[tuple[bytes, str, str]], name: str) -> None:
    for magic, what, advice in magics:
        if head.startswith(magic):
            raise not_a_table(name, what, advice)


def _is_text(head: bytes) -> bool:
    if head.startswith(_MARKS) or _is_utf_8(head):
        return True
    # A crash may have left a long run of NULs in a text; it counts as one.
    body = _NULS.sub(b"\0", head)
    controls, nuls = len(_CONTROLS.findall(body)), body.count(b"\0")
    if controls <= max(3, len(body) // 20) and nuls <= max(3, len(body) // 3):
        return True
    return is_utf_16(head, "utf-16-le") or is_utf_16(head, "utf-16-be")


def _is_utf_8(head: bytes) -> bool:
    """Tell whether `head` is UTF-8 without NULs; hardly a binary file is."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
