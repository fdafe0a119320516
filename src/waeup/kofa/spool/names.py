"""Names of items: what may be one, and what an upload is called.

An item name comes from a form, a command line or a client; nothing below this
module sees a name that has not passed `check_name`.
"""

import os
import re
import unicodedata
from collections.abc import Iterator

from waeup.kofa.errors import InvalidName
from waeup.kofa.i18n import MessageFactory as _

#: Extensions of tables of plain text, in lower case.
TEXT_EXTENSIONS = (".csv", ".tsv", ".txt")
#: Extensions of packed files, which may have that of the table in front.
PACKED_EXTENSIONS = (".gz", ".zip")
#: Extensions of the files that can be uploaded, in lower case.
EXTENSIONS = (*TEXT_EXTENSIONS, ".xlsx", ".xls", ".ods", *PACKED_EXTENSIONS)
#: Extension of all files that an import writes.
TABLE_EXTENSION = ".csv"
#: How the name of a file of failed rows ends.
PENDING_SUFFIX = ".pending" + TABLE_EXTENSION
#: How the name of a file of finished rows ends.
FINISHED_SUFFIX = ".finished" + TABLE_EXTENSION
#: Folders of a storage; no item can have such a name.
FOLDERS = frozenset(
    {"accesscodes", "deleted", "finished", "graduated", "logs", "media", "unfinished"}
)
#: Most characters of an uploaded name before its first dot (Kofa 1.9).
MAX_STEM = 65
#: Most bytes of a name on common file systems.
MAX_BYTES = 255
#: Most bytes of a name of what comes in: its results and a number have longer ones.
MAX_STORED_BYTES = MAX_BYTES - 45

#: Unicode categories that a name must not have: control characters, lone
#: surrogates (bytes that are no text), separators of lines and paragraphs.
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Unicode category of what cannot be seen: direction marks, spaces without width.
_UNSEEN = "Cf"
_NOT_FOR_USERS = re.compile(r"[^A-Za-z0-9_.-]")


def check_name(name: str) -> str:
    """Return `name` when it can be the name of an item.

    Raises `InvalidName` for an empty name, one with a separator, a leading dot or
    control characters, one of more than 255 bytes, and for names of folders.
    """
    if not name:
        raise InvalidName(_("The file name is empty. Name a file of the data center."))
    if "/" in name or "\\" in name:
        reason = _("it contains a path separator")
    elif name.startswith("."):
        reason = _("it begins with a dot")
    elif not (name.isascii() and name.isprintable()) and any(
        unicodedata.category(char) in _FORBIDDEN for char in name
    ):
        reason = _("it contains control characters, or bytes that are no text")
    elif len(name.encode("utf-8")) > MAX_BYTES:
        reason = _("it is longer than ${most} bytes", mapping={"most": MAX_BYTES})
    elif name in FOLDERS:
        reason = _("it is the name of a folder of the data center")
    else:
        return name
    raise _no_file_name(name, reason)


def split_extension(name: str) -> tuple[str, str]:
    """Divide a name before its extension; that of a packed table counts: ``.csv.gz``."""
    stem, extension = os.path.splitext(name)
    if extension.lower() in PACKED_EXTENSIONS:
        inner, inner_extension = os.path.splitext(stem)
        if inner and inner_extension.lower() in EXTENSIONS:
            return inner, inner_extension + extension
    return stem, extension


def given_name(filename: str) -> str:
    """Return the name that `filename`, as a client sends it, gives the file.

    Folders that old clients send along (``C:\\lists\\``) are cut off.  Raises
    `InvalidName`.
    """
    return check_name(filename.rsplit("\\", 1)[-1])


def stored_name(filename: str, userid: str) -> str:
    """Return the name under which `userid`'s upload `filename` is stored.

    The rule is Kofa 1.9's: ``my list.csv`` of ``zope.mgr`` becomes
    ``my_list_zope.mgr.csv``, and likewise for other extensions; ``*.pending.csv``
    keeps its name, so that a pending file can be mended and sent again.  What cannot be seen is
    left out, and each letter has one spelling, so that no two names look the same.  Raises
    `InvalidName`, also for a name whose results would have too long ones.
    """
    name = given_name(filename)
    if not (name.isascii() or name.endswith(PENDING_SUFFIX)):
        seen = "".join(char for char in name if unicodedata.category(char) != _UNSEEN)
        name = unicodedata.normalize("NFC", seen)
    base, extension = split_extension(name)
    if not extension.lower().endswith(EXTENSIONS):
        accepted = ", ".join(EXTENSIONS)
        raise InvalidName(
            _(
                "Only csv files are allowed. Workbooks and packed tables count as such: the name "
                "should end in one of ${accepted}, and ${name} does not.",
                mapping={"name": repr(name), "accepted": accepted},
            )
        )
    if name.endswith(PENDING_SUFFIX):
        return _with_room(name)
    owner = _NOT_FOR_USERS.sub("", userid)
    name = f"{base}_{owner}{extension.lower()}".replace(" ", "_")
    length = len(name.split(".", 1)[0])
    if length > MAX_STEM:
        raise InvalidName(
            _(
                "Maximum file name length is ${max_stem} characters! Please choose a "
                "shorter file name. ${filename} has ${length} with your name behind it.",
                mapping={"max_stem": MAX_STEM, "filename": repr(filename), "length": length},
            )
        )
    return _with_room(check_name(name))


def _with_room(name: str) -> str:
    """Return a name behind which there is room for what those of its results have besides."""
    if len(name.encode("utf-8")) > MAX_STORED_BYTES:
        reason = _(
            "it is longer than ${most} bytes, and those of its results are longer still",
            mapping={"most": MAX_STORED_BYTES},
        )
        raise _no_file_name(name, reason)
    return name


def _no_file_name(name: str, reason: str) -> InvalidName:
    return InvalidName(
        _(
            "${name} is no file name: ${reason}. Choose another name.",
            mapping={"name": repr(name), "reason": reason},
        )
    )


def numbered(name: str) -> Iterator[str]:
    """Generate `name`, then `name` with a counter behind its stem: ``data-2.csv``, ..."""
    yield name
    stem, extension = split_extension(name)
    number = 2
    while True:
        yield f"{stem}-{number}{extension}"
        number += 1
