"""Files for the officer: stored tables, and empty ones with the right columns."""

import codecs
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO
from urllib.parse import quote

import grok
from zope.publisher.http import DirectResult

from waeup.kofa.browser.page import Door
from waeup.kofa.errors import InvalidName, TooLarge
from waeup.kofa.exporting.formats import FORMATS
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter, IUniversity
from waeup.kofa.removals import FOLDERS as REMOVED_FOLDERS
from waeup.kofa.spool.zipping import zipped

#: Bytes that are read and sent at once.
BLOCK = 64 * 1024
#: Files that come in one ZIP at most: each of them is open meanwhile.
ZIPPED = 100
#: Folders whose files can be fetched.
FOLDERS = ("", "finished", "unfinished", *REMOVED_FOLDERS)
#: Extension -> what a browser calls the kind of a file.
KINDS = {**FORMATS, "zip": "application/zip"}
#: Endings of the names of files that the portal itself has written, as UTF-8.
RESULTS = (".finished.csv", ".pending.csv")
#: What a file in UTF-8 or UTF-16 can begin with.
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Attachment(Door):
    """A view whose answer is a file."""

    grok.baseclass()

    def send(self, name: str, blocks: Iterator[bytes]) -> DirectResult:
        """Return `blocks` as the content of a file called `name`."""
        self.set_security_headers()
        kind = KINDS.get(name.rpartition(".")[2], "application/octet-stream")
        self.response.setHeader("Content-Type", kind)
        self.response.setHeader("Content-Disposition", disposition(name))
        self.response.setHeader("Cache-Control", "no-store")
        return DirectResult(blocks)


class Download(Attachment):
    """Sends a pending file (``filename=a.csv``) or another (``filename=finished/a.csv``).

    Several come as one ZIP.
    """

    grok.context(IDataCenter)
    grok.name("download")
    grok.require("waeup.manageDataCenter")

    def render(self) -> DirectResult:
        """Stream the file, or the files; all or none."""
        names = list(dict.fromkeys(self.fields("filename"))) or [""]
        if len(names) > ZIPPED:
            raise TooLarge(
                _(
                    "At most ${most} files come in one ZIP. Choose fewer.",
                    mapping={"most": self.number(ZIPPED)},
                )
            )
        with ExitStack() as opened:
            files = [(name, opened.enter_context(self._open(name))) for name in names]
            opened.pop_all()
        if len(files) == 1:
            ((name, file),) = files
            return self.send(name.rpartition("/")[2], blocks_of(file, mark=_is_ours(name)))
        found = ((name, file, blocks_of(file, mark=_is_ours(name))) for name, file in files)
        return self.send(f"kofa_{self.operations.today():%Y-%m-%d}.zip", zipped(list(found)))

    def _open(self, filename: str) -> BinaryIO:
        """Open a file; raises what `Operations.open_file` raises, and `InvalidName`."""
        folder, _slash, name = filename.rpartition("/")
        if folder not in FOLDERS or filename.startswith("/"):
            raise InvalidName(
                _(
                    "${filename} is not the name of a file in the data center. Choose a file "
                    "from the lists of pending or processed files.",
                    mapping={"filename": repr(filename)},
                )
            )
        return self.operations.open_file(name, folder)


class Skeleton(Attachment):
    """Sends an empty table with the columns of a kind of objects (``name=`` its processor).

    ``format=xlsx`` makes it a workbook.
    """

    grok.context(IUniversity)
    grok.name("skeleton")
    grok.require("waeup.manageDataCenter")

    def render(self) -> DirectResult:
        """Send the table."""
        name, content = self.operations.template(self.field("name"), self.field("format") or "csv")
        return self.send(name, iter([content]))


def _is_ours(filename: str) -> bool:
    """Tell whether the portal itself has written a file, as UTF-8."""
    return filename.endswith(RESULTS) or filename.rpartition("/")[0] in REMOVED_FOLDERS


def blocks_of(file: BinaryIO, mark: bool) -> Iterator[bytes]:
    """Generate the content of `file` block by block, and close it at the end.

    With `mark` it begins with a byte order mark, without which Excel takes UTF-8
    for another encoding; a file that has one, or is not UTF-8, stays as it is.
    """
    with file:
        block = file.read(BLOCK)
        if mark and not block.startswith(MARKS) and _is_utf8(block):
            yield codecs.BOM_UTF8
        while block:
            yield block
            block = file.read(BLOCK)


def _is_utf8(block: bytes) -> bool:
    """Tell whether `block` is UTF-8, but for a character that its end may cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block)
    except UnicodeDecodeError:
        return False
    return True


def disposition(name: str) -> str:
    """Return a Content-Disposition header that offers to save a file called `name`.

    Browsers take the second name, which can hold every character (RFC 6266,
    RFC 8187); the first one is for programs that do not know it.
    """
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
