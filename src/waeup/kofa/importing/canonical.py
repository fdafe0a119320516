"""One plain table for each container: made once, read by preview, check and run alike.

A workbook or a packed file is converted to text in the work folders of the storage::

    .work/table-<digest>/            of the content with this SHA-256 (its first 16 digits)
        table.csv                    the table, as the reader reads it
        found.json                   what was in the container; written last
    .work/table-<digest>-<sheet>/    the same for a sheet that a person has named

It is found again by content, thus no longer than the content is the same.  It is made by one
maker at a time, and one that was killed leaves a folder without ``found.json``, which is made
anew; a table that was lost is made anew, too.  It goes with the last pending file that has the
content (`sweep`).  Plain text is read where it is.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

from waeup.kofa.errors import ItemBusy, TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.looking import Look
from waeup.kofa.spool import WorkFolder, scan
from waeup.kofa.spool.disk import digest_of, disk, faults
from waeup.kofa.spool.work import WORK
from waeup.kofa.tabular import Limits
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tabular.unpacking import unpack
from waeup.kofa.tabular.unpacking.kinds import HEAD, recognise

#: How the ids of the work folders begin.
PREFIX = "table-"
#: Digits of the digests that are part of an id.
DIGITS = 16
#: Name of the table.
TABLE = "table.csv"
#: Name of the file that says what was found; the table is complete when it is there.
FOUND = "found.json"
#: Seconds between two looks at what somebody else makes.
PAUSE = 0.05


@dataclass(frozen=True)
class PlainTable:
    """A table that the reader can read, and what it came out of.

    `path` is that of the text.  `kind` is ``text`` or the kind of the container, `member` the
    name of the file in an archive; `sheet` is the sheet of a workbook that was taken, and
    `sheets` names them all.
    """

    path: str
    kind: str = "text"
    member: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()

    def reading(self, options: ReadOptions) -> ReadOptions:
        """Return how the text is to be read when a person has said `options`.

        The text of a workbook was written by us, there only the header is to be found.  Raises
        `TableError` for options that make no sense there.
        """
        if self.sheet is None:
            return options
        if options.encoding or options.delimiter or options.quote:
            raise TableError(
                _(
                    "A workbook has neither encoding nor separator nor quote. Say only which "
                    "sheet is to be read, and which line of it holds the names of the "
                    "columns."
                )
            )
        return replace(options, encoding="utf-8", delimiter=",", quote='"')


def is_text(path: str) -> bool:
    """Tell whether a file is plain text, not a container.

    Raises `TableError` for what is neither.
    """
    with open(path, "rb") as stream:
        return recognise(stream.read(HEAD), os.path.basename(path)) == "text"


def plain_table(
    storage: str,
    path: str,
    limits: Limits,
    *,
    sheet: str | None = None,
    digest: str | None = None,
    look: Look | None = None,
) -> PlainTable:
    """Return the table of the file at `path`, which is converted unless that was done before.

    `digest` is the SHA-256 of its content, if it is known, and `look` says how long it may take
    where somebody waits for a page.  Raises `TableError` when there is no table in it, `TooLarge`
    beyond `limits`, `ItemBusy` when the look is over, or when somebody else goes on converting it
    for too long, and `StorageFault` when the disk refuses.
    """
    if is_text(path):
        return PlainTable(path)
    digest = digest or digest_of(path)
    with faults(_("Converting ${name}", mapping={"name": os.path.basename(path)})):
        return _made(storage, path, _id(digest, sheet), limits, sheet, look)


def made(storage: str, digest: str) -> PlainTable | None:
    """Return the table that was made of the content with the SHA-256 `digest`, if it is there."""
    return _complete(os.path.join(storage, WORK, _id(digest)))


@contextmanager
def unpacked(
    path: str, limits: Limits, *, sheet: str | None = None, look: Look | None = None
) -> Iterator[PlainTable]:
    """Give the table of a file that lies anywhere, for the time of a block.

    Raises as `plain_table` does.
    """
    if is_text(path):
        yield PlainTable(path)
        return
    with TemporaryDirectory(prefix="kofa-table-") as folder:
        yield _convert(path, folder, limits, sheet, look)


def sweep(storage: str, digest: str = "") -> list[str]:
    """Remove the tables that no pending file needs any more; return the ids of their folders.

    With a `digest` only those of that content.  What is being made at this moment stays.
    """
    prefix = PREFIX + digest[:DIGITS]
    return WorkFolder.stale(storage, keep=needed(storage, prefix), prefix=prefix)


def needed(storage: str, prefix: str = PREFIX) -> set[str]:
    """Return the ids of the folders that hold the table of a pending file."""
    keep = set()
    digests: dict[str, str] = {}
    for id in WorkFolder.ids(storage):
        if not id.startswith(prefix):
            continue
        record = _record(os.path.join(storage, WORK, id))
        if record is None:
            continue
        for item in scan(storage):
            if item.size != record["size"]:
                continue
            if item.path not in digests:
                # It may go at any moment.
                with contextlib.suppress(FileNotFoundError):
                    digests[item.path] = digest_of(item.path)
            if _id(digests.get(item.path, "")) == id[: len(PREFIX) + DIGITS]:
                keep.add(id)
                break
    return keep


def _id(digest: str, sheet: str | None = None) -> str:
    id = PREFIX + digest[:DIGITS]
    if sheet is not None:
        # Sheets may have any name.
        id += "-" + hashlib.sha256(sheet.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return id


def _made(
    storage: str, path: str, id: str, limits: Limits, sheet: str | None, look: Look | None
) -> PlainTable:
    """Return the table of a work folder, which is made unless it is complete."""
    began = time.monotonic()
    deadline = began + limits.seconds
    folder = os.path.join(storage, WORK, id)
    while True:
        found = _complete(folder)
        if found is not None:
            return found
        try:
            work = WorkFolder(storage, id)
        except ItemBusy:
            if time.monotonic() > deadline or (look is not None and look.is_over()):
                raise ItemBusy(
                    _(
                        "${basename} is being converted by somebody else for more than "
                        "${seconds} seconds. Try again later.",
                        mapping={
                            "basename": os.path.basename(path),
                            "seconds": Number(int(time.monotonic() - began)),
                        },
                    )
                )
            time.sleep(PAUSE)
            continue
        try:
            found = _complete(folder)
            if found is None:
                # What a killed maker has left.
                for name in os.listdir(folder):
                    disk.unlink(os.path.join(folder, name))
                found = _convert(path, folder, limits, sheet, look)
                _keep(folder, found, os.path.getsize(path))
                work.sync()
            return found
        except BaseException:
            work.remove()
            raise
        finally:
            work.close()


def _convert(
    path: str, folder: str, limits: Limits, sheet: str | None, look: Look | None
) -> PlainTable:
    target = os.path.join(folder, TABLE)
    is_over = None if look is None else look.is_over
    found = unpack(path, target, sheet=sheet, limits=limits, is_over=is_over)
    return PlainTable(target, found.kind, found.member, found.sheet, found.sheets)


def _keep(folder: str, found: PlainTable, size: int) -> None:
    """Write down what was found in a container of `size` bytes."""
    record = {**asdict(found), "size": size, "length": os.path.getsize(found.path)}
    del record["path"]
    part = os.path.join(folder, FOUND + ".part")
    fd = disk.create(part)
    try:
        disk.write(fd, json.dumps(record).encode("ascii"))
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.replace(part, os.path.join(folder, FOUND))


def _record(folder: str) -> dict[str, Any] | None:
    """Return what was written down in a folder, or None."""
    try:
        with open(os.path.join(folder, FOUND), encoding="ascii") as stream:
            record: dict[str, Any] = json.load(stream)
            return record
    except (FileNotFoundError, ValueError):
        return None


def _complete(folder: str) -> PlainTable | None:
    """Return the table of a folder, if it is there as it was made."""
    record = _record(folder)
    path = os.path.join(folder, TABLE)
    try:
        if record is None or os.path.getsize(path) != record["length"]:
            return None
    except FileNotFoundError:
        return None
    return PlainTable(
        path, record["kind"], record["member"], record["sheet"], tuple(record["sheets"])
    )
