"""The one table in a .zip or .gz file, as the bytes that were packed.

Runs in the worker.  Names of members are words to show, and never become paths.  What comes out
is checked against all that the archive says about it: checksum, length, and place.
"""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from waeup.kofa.errors import TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.tabular.unpacking.wording import SAVE_AS, damaged, listed, not_a_table, shown

__all__ = ["extract_gzip", "extract_zip", "kind_of_zip"]

_CHUNK = 1 << 18
#: Files that systems leave in archives unasked.
_LITTER = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_ENCRYPTED = 0x1
#: Bytes in front of each member, without its name.
_LOCAL_HEADER = 30
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
#: A size that no member has; what is read then ends where the data end.
_NO_END = 1 << 62

_CALC = b"application/vnd.oasis.opendocument.spreadsheet"
#: Beginnings of member names in small letters -> what the file is.
_OFFICE = (
    ("xl/workbook.bin", _("a binary workbook (.xlsb)")),
    ("word/", _("a Word document")),
    ("ppt/", _("a PowerPoint presentation")),
    ("visio/", _("a Visio drawing")),
)


def kind_of_zip(stream: BinaryIO, name: str) -> str:
    """Return ``xlsx``, ``ods`` or ``zip`` for the ZIP file `stream`; `name` is for messages.

    Raises `TableError` for office documents of other kinds, and for a damaged file.
    """
    archive = _directory(stream, name)
    members = {_path(member).lower() for member in archive.infolist()}
    if "[content_types].xml" in members:
        for start, what in _OFFICE:
            if any(member.startswith(start) for member in members):
                raise not_a_table(name, what, SAVE_AS)
        if any(member.startswith("xl/") for member in members):
            return "xlsx"
    if any(member.startswith("index/") and member.endswith(".iwa") for member in members):
        raise not_a_table(name, _("a document of Apple Numbers, Pages or Keynote"), SAVE_AS)
    if "mimetype" in members:
        with archive.open("mimetype") as mimetype:
            kind = mimetype.read(len(_CALC) + 100).strip()
        if kind in (_CALC, _CALC + b"-template"):
            return "ods"
        if kind.startswith(b"application/"):
            raise not_a_table(
                name,
                _(
                    "a document of the kind ${kind}",
                    mapping={"kind": shown(kind.decode("ascii", "replace"))},
                ),
                SAVE_AS,
            )
    return "zip"


def extract_zip(stream: BinaryIO, name: str, target: BinaryIO) -> str:
    """Write the one file in the ZIP file `stream` to `target`, and return its name.

    Folders, and what systems leave in archives, do not count.  Raises `TableError` when there is
    no file, more than one, or one that cannot be had whole.
    """
    archive = _directory(stream, name)
    members = [member for member in archive.infolist() if not _is_litter(member)]
    if len(members) != 1:
        found = (
            f"{len(members)} files: {listed([member.filename for member in members])}"
            if members
            else "no file"
        )
        raise TableError(
            _(
                "${name} holds ${found}. Put exactly one table into the archive.",
                mapping={"name": name, "found": found},
            )
        )
    member = members[0]
    _check_place(member, archive, name)
    if member.flag_bits & _ENCRYPTED:
        raise TableError(
            _(
                "${filename} in ${name} is protected by a password. Pack the table again "
                "without one.",
                mapping={"filename": shown(member.filename), "name": name},
            )
        )
    if member.compress_type not in _METHODS:
        raise TableError(
            _(
                "${filename} in ${name} is packed by a method that is not known here "
                "(${compress_type}). Pack the table again as an ordinary ZIP file.",
                mapping={
                    "filename": shown(member.filename),
                    "name": name,
                    "compress_type": member.compress_type,
                },
            )
        )
    declared, member.file_size = member.file_size, _NO_END
    try:
        with archive.open(member) as packed:
            shutil.copyfileobj(packed, target, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise damaged(name, str(error)) from None
    if target.tell() != declared:
        raise damaged(name, f"{declared:,} bytes were announced and {target.tell():,} came")
    return member.filename


def extract_gzip(stream: BinaryIO, name: str, target: BinaryIO) -> None:
    """Write what was packed into the gzip file `stream` to `target`, all parts one by one.

    Raises `TableError` when it is damaged, cut off, or followed by something else.
    """
    stream.seek(0)
    try:
        with gzip.GzipFile(fileobj=stream) as packed:
            shutil.copyfileobj(packed, target, _CHUNK)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise damaged(name, str(error)) from None


def _directory(stream: BinaryIO, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except zipfile.BadZipFile as error:
        raise damaged(name, str(error)) from None


def _path(member: zipfile.ZipInfo) -> str:
    # Some programs for Windows write backslashes, against the rules.
    return member.filename.replace("\\", "/")


def _is_litter(member: zipfile.ZipInfo) -> bool:
    path = _path(member)
    folder, base = os.path.split(path)
    return (
        path.endswith("/")
        or "__MACOSX" in folder.split("/")
        or base.startswith("._")
        or base.lower() in _LITTER
    )


def _check_place(member: zipfile.ZipInfo, archive: zipfile.ZipFile, name: str) -> None:
    """Refuse a member whose bytes belong to something else, too."""
    start = member.header_offset
    end = start + _LOCAL_HEADER + member.compress_size
    others: Sequence[int] = [other.header_offset for other in archive.infolist()]
    if others.count(start) > 1 or any(start < other < end for other in others):
        raise damaged(name, "its members overlap")
    if end > archive.start_dir:
        raise damaged(name, "a member reaches into the directory")
