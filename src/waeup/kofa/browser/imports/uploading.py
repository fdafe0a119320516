"""Bringing files: by a form, from the clipboard, and by the script of the page, one by one.

The script sends each file as the body of a PUT, with its name in the address, and asks again when
no answer comes; a token for each file tells the portal that it is the same one.  A large file goes
piece by piece, each by a PUT of its own, and goes on where it was, also after the page was left
(`waeup.kofa.operations.uploads`).  Everything else works without the script, too.
"""

import io
import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple, cast

import grok
import transaction

from waeup.kofa.browser import tokens
from waeup.kofa.browser.datacenter import DataCenterPage
from waeup.kofa.browser.page import FormPage, status_of
from waeup.kofa.errors import (
    ItemBusy,
    NameTaken,
    NoSuchItem,
    Refused,
    TooLarge,
    WrongOffset,
    WrongState,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.spool import EXTENSIONS, Upload
from waeup.kofa.spool.names import TEXT_EXTENSIONS
from waeup.kofa.transactional import refusable

#: What the script does about a refusal, the first class that fits.
_CODES = (
    (NameTaken, "taken"),
    (WrongOffset, "offset"),
    (NoSuchItem, "gone"),
    (WrongState, ""),
    (ItemBusy, "busy"),
)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


class Sent(NamedTuple):
    """A file as the browser has sent it; `stream` gives its bytes."""

    name: str
    stream: Any


class UploadPage(DataCenterPage, FormPage):
    """Takes files."""

    grok.name("upload")
    grok.require("waeup.manageDataCenter")
    grok.template("upload")

    label = _("Upload portal data")
    buttons = {"SUBMIT": "upload", "PASTE": "paste", "CANCEL": "leave"}
    accepted = ",".join(EXTENSIONS)
    #: Bytes of a piece; a file that has more than two of them comes in pieces.
    piece = 8 * 1024 * 1024

    def answer(self) -> Any:
        """Return the page, or what became of a file for the script that has sent it."""
        return self._answer_script() if self.request.method == "PUT" else super().answer()

    def prepare(self) -> None:
        """Offer templates of the kinds of objects, and tell the limit of bytes."""
        self.processors = self.operations.processors()
        self.limit = self.operations.upload_limit()

    # -- the forms -----------------------------------------------------------------

    def upload(self) -> None:
        """Take the files that were chosen."""
        sent = self.request.form.get("uploadfile", [])
        sent = sent if isinstance(sent, list | tuple) else [sent]
        files = [Sent(each.filename, each) for each in sent if hasattr(each, "filename")]
        if not files:
            self.say(_("No file selected."), "danger")
        self._take_all(files)

    def paste(self) -> None:
        """Take a table that was copied from somewhere else."""
        text = self.field("table")
        if not text.strip():
            self.say(_("Nothing was pasted. Copy the cells of a table, and paste them."), "danger")
            return
        name = self.field("pastename").strip() or self.pasted_name
        if not name.lower().endswith(TEXT_EXTENSIONS):
            name += ".tsv"
        if not text.endswith("\n"):
            text += "\r\n"
        self._take_all([Sent(name, io.BytesIO(text.encode("utf-8", "replace")))])

    @property
    def pasted_name(self) -> str:
        """The name that a pasted table gets when nobody chooses another one."""
        return f"pasted-{datetime.now().astimezone():%Y-%m-%d}.tsv"

    def _take_all(self, files: Iterable[Sent]) -> None:
        """Take each file for itself: one that is refused does not keep the others out."""
        stored = [self._take(file) for file in files]
        names = [name for name in stored if name]
        if names:
            said = _("Successfully uploaded: ${names}", mapping={"names": ", ".join(names)})
            (self.flash if all(stored) else self.say)(said)
        if names and all(stored):
            self.leave()

    def _take(self, file: Sent) -> str | None:
        """Store one file and return its name; or say why not and return None."""
        try:
            with refusable():
                stored = self.operations.upload(
                    file.name, file.stream, replace=self.field("replace") == "yes"
                )
        except Refused as refusal:
            self.response.setStatus(status_of(refusal))
            self.say(self.labelled(file.name, refusal), "danger")
            return None
        if stored.notice:
            notice = self.recognized(stored.notice)
            self.flash(self.labelled(stored.name, notice), "warning")
        former = self.operations.imported_before(stored.digest)
        if former is not None:
            self.flash(self.labelled(stored.name, self.former_text(former)), "warning")
        return stored.name

    # -- the script ----------------------------------------------------------------

    def _answer_script(self) -> str:
        """Take one file; return JSON, a refusal with its status."""
        self.set_security_headers()
        self.response.setHeader("Content-Type", "application/json")
        self.response.setHeader("Cache-Control", "no-store")
        if not tokens.is_valid_in_header(self.request):
            self.response.setStatus(403)
            error = _("This page is out of date, so nothing was stored. Load it again.")
            return json.dumps({"error": self.words(error), "code": "form_token"})
        try:
            if self.field("upload") or self.field("size"):
                return json.dumps(self._take_piece())
            return json.dumps(self._told(self._receive()))
        except Refused as refusal:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            self.response.setStatus(status_of(refusal))
            code = next((code for kind, code in _CODES if isinstance(refusal, kind)), "")
            return json.dumps({"error": self.words(refusal), "code": code})

    def _receive(self) -> Upload:
        """Store the body of the request."""
        name, token = self.field("name"), self.field("token")
        if not token:
            raise Refused(_("A file that is sent by PUT needs a token: ?name=...&token=..."))
        length, limit = self._length, self.operations.upload_limit()
        if length is not None and length > limit:
            # The operation would read as far as the limit.
            raise TooLarge(
                _(
                    "${name} has ${length} bytes, and the limit of this data center is "
                    "${limit}. Split the file, or have the limit raised.",
                    mapping={"name": name, "length": Number(length), "limit": Number(limit)},
                )
            )
        replace = self.field("replace") == "yes"
        return self.operations.upload(name, self._body(), replace=replace, token=token)

    def _take_piece(self) -> dict[str, Any]:
        """Begin an upload in pieces, go on with it, give it up, or tell how far it is.

        One that is complete is stored.
        """
        operations, id = self.operations, self.field("upload")
        if not id:
            replace = self.field("replace") == "yes"
            state = operations.begin_upload(
                self.field("name"), self._number("size"), replace=replace
            )
        elif self.field("drop") == "yes":
            operations.drop_upload(id)
            return {"upload": "", "offset": 0}
        elif self.field("offset"):
            state = operations.continue_upload(id, self._number("offset"), self._body())
        else:
            state = operations.upload_state(id)
        if state.is_complete:
            return self._told(operations.finish_upload(state.id))
        return {"upload": state.id, "offset": state.offset}

    @property
    def _length(self) -> int | None:
        """How many bytes the body has, as far as that was announced."""
        text = self.request.getHeader("Content-Length", "")
        return int(text) if text else None

    def _body(self) -> BinaryIO:
        return cast(BinaryIO, _Body(self.request.bodyStream, self._length))

    def _number(self, name: str) -> int:
        """Return a field that is a number of bytes; raises `Refused`."""
        text = self.field(name)
        if not _NUMBER.fullmatch(text):
            raise Refused(_("${text} is no number of bytes.", mapping={"text": repr(text[:80])}))
        return int(text)

    def _told(self, stored: Upload) -> dict[str, Any]:
        former = self.operations.imported_before(stored.digest)
        return {
            "name": stored.name,
            "size": stored.size,
            "digest": stored.digest,
            "notice": self.recognized(stored.notice),
            "former": "" if former is None else self.former_text(former),
            "former_link": None if former is None else self.former_link(former),
            "link": self.link("import1"),
        }


class _Body(io.RawIOBase):
    """The body of a request: as many bytes as were announced, or all if nothing was.

    Raises `Refused` at an early end: the line is broken, and the file is not whole.
    """

    def __init__(self, stream: Any, length: int | None) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size` of them; none at the end."""
        if self._left is not None:
            size = min(size, self._left) if size >= 0 else self._left
        data: bytes = self._stream.read(size) if size else b""
        if self._left is not None:
            if not data and size:
                raise Refused(_("Only a part of the file has arrived. Send it again."))
            self._left -= len(data)
        return data
