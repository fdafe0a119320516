"""Helper functions under their names of Kofa 1.9, for site components.

They concern files, schemas, principals and times; each is a thin layer over
a room or a library.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable
from datetime import datetime, timezone, tzinfo
from logging import NullHandler
from typing import IO, Any, ClassVar, TypeVar

import grok
from zope.component.interfaces import IFactory
from zope.interface import implementedBy, implementer
from zope.interface.interface import Attribute, InterfaceClass, Method
from zope.schema import getFieldsInOrder
from zope.schema.fieldproperty import FieldProperty
from zope.security.interfaces import NoInteraction
from zope.security.management import getInteraction

from waeup.kofa.spool import copy_entries
from waeup.kofa.tabular import check_charset, merge_tables

__all__ = [
    "FactoryBase",
    "NullHandler",
    "attrs_to_fields",
    "check_csv_charset",
    "cmp_files",
    "copy_filesystem_tree",
    "file_size",
    "get_current_principal",
    "get_user_account",
    "iface_names",
    "merge_csv_files",
    "now",
    "product",
    "remove_file_or_directory",
    "string_from_bytes",
    "to_timezone",
]

_Class = TypeVar("_Class", bound=type)

# -- files -----------------------------------------------------------------


def remove_file_or_directory(filepath: str) -> None:
    """Remove a file, or a folder with all it contains; a missing path is silently passed.

    Of a symbolic link only the link goes; one that leads nowhere is left alone.
    """
    path = os.path.abspath(filepath)
    if not os.path.exists(path):
        return
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def copy_filesystem_tree(
    src: str, dst: str, overwrite: bool = False, del_old: bool = False
) -> list[str]:
    """Copy the entries of folder `src` into folder `dst`; return the names not copied.

    Names that begin with a dot are passed.  Entries that exist in `dst` are
    replaced as a whole with `overwrite`, otherwise not copied.  With `del_old`
    what was copied is removed from `src`.  Raises ValueError when one of the
    folders does not exist or is none.
    """
    not_copied, copied = copy_entries(src, dst, overwrite)
    if del_old:
        for name in copied:
            remove_file_or_directory(os.path.join(src, name))
    return not_copied


def merge_csv_files(path1: str, path2: str) -> str:
    """Return the path of a new temporary file with the rows of both CSV files.

    Its columns are the sorted union of theirs.  See
    `waeup.kofa.tabular.merge_tables`.  The caller removes the file.
    """
    handle, target = tempfile.mkstemp(suffix=".csv")
    os.close(handle)
    try:
        merge_tables([path1, path2], target)
    except BaseException:
        os.unlink(target)
        raise
    return target


def check_csv_charset(iterable: Iterable[bytes | str]) -> int | None:
    """Return None when the lines of `iterable` are CSV in UTF-8, or the number of the bad record.

    Records are counted from 1, the header included; for an error other than an
    undecodable byte the number is one higher.
    """
    return check_charset(iterable)


def file_size(file_like_obj: IO[Any]) -> int:
    """Return the size of an open file, or of a file-like object, in bytes.

    An object without a file descriptor is left at its end.
    """
    try:
        return os.fstat(file_like_obj.fileno()).st_size
    except (AttributeError, OSError):
        file_like_obj.seek(0, os.SEEK_END)
        return file_like_obj.tell()


def string_from_bytes(number: int) -> str:
    """Return a number of bytes as text: bytes, whole KB, or MB and GB with two decimals."""
    if number < 1024:
        return f"{number} byte(s)"
    if number < 1024**2:
        return f"{number // 1024} KB"
    if number < 1024**3:
        return f"{number / 1024**2:.2f} MB"
    return f"{number / 1024**3:.2f} GB"


def cmp_files(file_descr1: IO[Any], file_descr2: IO[Any]) -> bool:
    """Tell whether two open files have the same content; both are rewound first."""
    block = 1 << 16
    file_descr1.seek(0)
    file_descr2.seek(0)
    while True:
        first, second = file_descr1.read(block), file_descr2.read(block)
        if first != second:
            return False
        if not first:
            return True


# -- principals ------------------------------------------------------------


def get_current_principal() -> Any:
    """Return the principal of the running interaction, or None when there is none."""
    try:
        participations = getInteraction().participations
    except NoInteraction:
        return None
    return participations[0].principal if participations else None


def get_user_account(request: Any) -> Any:
    """Return the account of the principal of `request` in the current site, or None."""
    users = grok.getSite()["users"]
    return users.get(getattr(getattr(request, "principal", None), "id", "") or "")


# -- factories -------------------------------------------------------------


@implementer(IFactory)
class FactoryBase(grok.GlobalUtility):
    """The base of factories, which processors name by `factory_name`.

    A subclass says what it makes (`factory`) and how it is called (``grok.name``).
    """

    grok.baseclass()
    grok.provides(IFactory)

    factory: ClassVar[Any] = None
    title: str = "Makes an object."
    description: str = ""

    def __call__(self, *args: Any, **kw: Any) -> Any:
        """Return a new object."""
        return self.factory(*args, **kw)

    def getInterfaces(self) -> Any:
        """Return what the objects implement."""
        return implementedBy(self.factory)


# -- numbers ---------------------------------------------------------------


def product(sequence: Iterable[Any], start: Any = 1) -> Any:
    """Return the product of numbers and of `start`."""
    return math.prod(sequence, start=start)


# -- schemas ---------------------------------------------------------------


def iface_names(
    iface: InterfaceClass,
    omit: Collection[str] = (),
    exclude_attribs: bool = True,
    exclude_methods: bool = True,
) -> list[str]:
    """Return the names that `iface` and its bases define, those of the bases first.

    `omit` are names to leave out; `exclude_attribs` leaves out attributes that
    are no schema fields, `exclude_methods` methods.
    """
    return [
        name
        for name, attribute in iface.namesAndDescriptions(all=True)
        if name not in omit
        and not (exclude_attribs and type(attribute) is Attribute)
        and not (exclude_methods and isinstance(attribute, Method))
    ]


def attrs_to_fields(cls: _Class, omit: Collection[str] = ()) -> _Class:
    """Make each field of the first interface that `cls` implements a checked attribute.

    The attributes are `FieldProperty` objects; names in `omit` are left alone.
    Returns `cls`.
    """
    iface = next(iter(implementedBy(cls)))
    for name, field in getFieldsInOrder(iface):
        if name not in omit:
            setattr(cls, name, FieldProperty(field))
    return cls


# -- times -----------------------------------------------------------------


def now(tz: tzinfo | None = None) -> datetime:
    """Return the present time, aware, in the zone `tz` (default UTC)."""
    return datetime.now(tz or timezone.utc)


def to_timezone(dt: Any, tz: tzinfo | None = None) -> Any:
    """Return the datetime `dt` in the zone `tz` (default UTC); a naive one counts as UTC.

    What is no datetime is returned as it is.
    """
    if not isinstance(dt, datetime):
        return dt
    if dt.tzinfo is None:
        dt = dt.replace(tzinfo=timezone.utc)
    return dt.astimezone(tz or timezone.utc)
