"""Operations on uploads that come in pieces: they begin, go on, and become files.

What has come is in the storage, not in the database; see `waeup.kofa.spool.partial`.  An upload
whose bytes are all there goes the way of any other (`FileOperations.upload`), under its id as the
token: to finish it again tells what was stored.
"""

import base64
import binascii
import hashlib
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from waeup.kofa import spool
from waeup.kofa.errors import (
    ItemBusy,
    NoSuchItem,
    NotAllowed,
    Refused,
    TooLarge,
    WrongState,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.ledger import TOKEN_AGE, FileEntry
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.rights import MANAGE_PORTAL
from waeup.kofa.spool.partial import missing, too_many_bytes, wrong_offset
from waeup.kofa.transactional import on_abort, on_commit

#: Uploads that one officer may have under way.
MOST_UPLOADS = 20
#: How many of the largest uploads all that are under way may have the bytes of.
LARGEST_UPLOADS = 10
#: Characters of a note at most.
LONGEST_NOTE = 4096
#: What the checksum of a piece can be made with.
ALGORITHMS = ("sha1", "sha256")
#: Who has this permission sees and drops the uploads of all.
ALL_UPLOADS = MANAGE_PORTAL

_SHA256 = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True)
class UploadState:
    """An upload that comes in pieces: `offset` of the `size` bytes of `filename` have come.

    `owner` began it at `began`, and may have left a `note`; it goes at `expires` unless a piece
    comes (UTC).  One that is over has become the file `stored`.
    """

    id: str
    filename: str
    size: int
    offset: int
    owner: str
    replace: bool
    began: datetime
    expires: datetime
    stored: str = ""
    note: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all bytes have come."""
        return self.offset == self.size


class UploadOperations(FileOperations):
    """See `waeup.kofa.operations.Operations`."""

    def begin_upload(
        self,
        filename: str,
        size: int,
        *,
        replace: bool = False,
        digest: str = "",
        note: str = "",
    ) -> UploadState:
        """Begin an upload of `size` bytes that come in pieces; see `continue_upload`.

        `filename` and `replace` are as for `upload`, `digest` is the SHA-256 of all in hex, if it
        is known, and `note` is told again to who asks.  Raises what `upload` raises for a name,
        `TooLarge`, `Refused` when the person has too many of them under way, and `ItemBusy` when
        all together are too large.
        """
        self._require(MANAGE)
        limit = self.upload_limit()
        if size < 0:
            raise Refused(_("A file has no negative number of bytes. Say how many it has."))
        if size > limit:
            raise TooLarge(
                _(
                    "${name} has ${length} bytes, and the limit of this data center is "
                    "${limit}. Split the file, or have the limit raised.",
                    mapping={"name": filename, "length": Number(size), "limit": Number(limit)},
                )
            )
        digest = digest.lower()
        if not _SHA256.fullmatch(digest):
            raise Refused(_("The digest of a file is its SHA-256: 64 hexadecimal digits."))
        storage = self.datacenter.storage
        intake = spool.Intake(storage, filename, self.principal.id, replace=replace)
        if replace:
            self._require_replaceable(intake.name)
        upload = spool.begin_partial(
            storage,
            self.principal.id,
            filename,
            size,
            replace=replace,
            digest=digest,
            note=note[:LONGEST_NOTE],
            quota=spool.Quota(MOST_UPLOADS, LARGEST_UPLOADS * limit),
        )
        on_abort(lambda: self._forget(storage, upload.id))
        # The storage must not move away from what is in it; see `DataCenter.require_quiet`.
        self.datacenter.runs.guard.change(1)
        self._hold_storage()
        self._log("upload begun: %s, upload=%s", filename, upload.id)
        return _state(upload)

    def continue_upload(
        self, id: str, offset: int, stream: BinaryIO, *, checksum: str = ""
    ) -> UploadState:
        """Keep what `stream` has as the next bytes of an upload of the person; return its state.

        They stay whatever becomes of the transaction.  `checksum` is ``sha1`` or ``sha256``, a
        blank, and the digest of these bytes in base64.  When all bytes have come, `finish_upload`
        is to be called.

        Raises `WrongOffset`, `WrongChecksum`, `TooLarge` for more bytes than were announced,
        `NoSuchItem`, and `ItemBusy` while another request is at it.
        """
        self._require(MANAGE)
        wanted = checksum_of(checksum)
        known = self._stored_upload(id)
        if known is not None:
            # The answer was lost; many senders go on with what is left, which is nothing.
            return self._nothing_more(id, known, offset, stream)
        with self._own_partial(id) as partial:
            return _state(partial.append(offset, stream, wanted))

    def upload_state(self, id: str) -> UploadState:
        """Return how much has come of an upload of the person, or what it has become.

        That is known for a day.  Raises `NoSuchItem`.
        """
        self._require(MANAGE)
        known = self._stored_upload(id)
        if known is not None:
            return _state_of_stored(id, known)
        upload = spool.look_at(self.datacenter.storage, id)
        if upload.owner != self.principal.id:
            raise missing(id)
        return _state(upload)

    def uploads(self) -> list[UploadState]:
        """List the uploads of the person that are under way; an administrator sees those of all.

        The oldest comes first.
        """
        self._require(MANAGE)
        sees_all = self.may(ALL_UPLOADS)
        return [
            _state(upload)
            for upload in spool.partial_uploads(self.datacenter.storage)
            if sees_all or upload.owner == self.principal.id
        ]

    def finish_upload(self, id: str) -> spool.Upload:
        """Store an upload of the person all of whose bytes have come, and say what was stored.

        To do it again, within a day, says the same.  Raises `WrongState` while bytes are missing,
        `ItemBusy` while another request is at it, and what `upload` raises; with a file that can
        never be stored the upload is gone then.
        """
        self._require(MANAGE)
        known = self._stored_upload(id)
        if known is not None:
            storage = self.datacenter.storage
            # A kill may have kept it from going.
            on_commit(lambda: self._forget(storage, id))
            return self._what_became_of(known)
        partial = self._own_partial(id)
        try:
            upload = self._finished(partial)
        except BaseException:
            partial.close()
            raise

        def remove() -> None:
            with partial:
                partial.remove()

        on_abort(partial.close)
        on_commit(remove)
        return upload

    def drop_upload(self, id: str) -> None:
        """Give up an upload; what has come of it goes when the transaction commits.

        Administrators can drop those of others.  Raises `NoSuchItem`, and `ItemBusy` while another
        request is at it.
        """
        self._require(MANAGE)
        partial = self._own_partial(id, or_all=True)

        def remove() -> None:
            with partial:
                partial.remove()

        on_abort(partial.close)
        on_commit(remove)
        self._log("upload dropped: %s, upload=%s", partial.upload.filename, id)

    # -- helpers --------------------------------------------------------------------

    def _finished(self, partial: spool.Partial) -> spool.Upload:
        """Store an upload; the caller closes it, also after an error."""
        known = partial.upload
        if not known.is_complete:
            raise WrongState(
                _(
                    "${offset} of the ${size} bytes of ${name} have come. Send the rest first.",
                    mapping={
                        "offset": Number(known.offset),
                        "size": Number(known.size),
                        "name": known.filename,
                    },
                )
            )
        try:
            with partial.open() as pieces:
                stream = cast(BinaryIO, _Verified(pieces, known.digest, known.filename))
                return self.upload(known.filename, stream, replace=known.replace, token=known.id)
        except (ItemBusy, NotAllowed):
            # Another time it may be stored.
            raise
        except Refused:
            partial.remove()
            raise

    @staticmethod
    def _nothing_more(id: str, known: FileEntry, offset: int, stream: BinaryIO) -> UploadState:
        """Tell what an upload has become; raises `WrongOffset`, and `TooLarge` for more bytes."""
        if offset != known.size:
            raise wrong_offset(known.original, offset, known.size)
        if stream.read(1):
            raise too_many_bytes(known.original, known.size)
        return _state_of_stored(id, known)

    def _own_partial(self, id: str, *, or_all: bool = False) -> spool.Partial:
        """Have an upload of the person for oneself; the caller closes it."""
        partial = spool.Partial(self.datacenter.storage, id)
        is_own = partial.upload.owner == self.principal.id
        if not is_own and not (or_all and self.may(ALL_UPLOADS)):
            partial.close()
            raise missing(id)
        return partial

    def _stored_upload(self, id: str) -> FileEntry | None:
        """Return the entry of the file that an upload of the person has become, or None."""
        entry: FileEntry | None = self.datacenter.received(self.principal.id, id)
        return entry

    @staticmethod
    def _forget(storage: str, id: str) -> None:
        """Remove what there is of an upload."""
        with suppress(NoSuchItem, ItemBusy), spool.Partial(storage, id) as partial:
            partial.remove()


class _Verified(io.RawIOBase):
    """A stream whose end is told only when all of it has the SHA-256 `digest`, unless that is ''.

    Raises `Refused` otherwise.
    """

    def __init__(self, stream: BinaryIO, digest: str, filename: str) -> None:
        self._stream = stream
        self._digest = digest
        self._filename = filename
        self._sha = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._sha.update(data)
        if self._digest and not data and size and self._sha.hexdigest() != self._digest:
            raise Refused(
                _(
                    "${name} does not have the digest that was announced: it was changed or "
                    "damaged on its way. Send it anew.",
                    mapping={"name": self._filename},
                )
            )
        return data


def _state(upload: spool.PartialUpload) -> UploadState:
    return UploadState(
        upload.id,
        upload.filename,
        upload.size,
        upload.offset,
        upload.owner,
        upload.replace,
        upload.began,
        upload.expires,
        note=upload.note,
    )


def _state_of_stored(id: str, known: FileEntry) -> UploadState:
    return UploadState(
        id,
        known.original,
        known.size,
        known.size,
        known.owner,
        False,
        known.date,
        known.date + TOKEN_AGE,
        known.name,
    )


def checksum_of(text: str) -> spool.Checksum | None:
    """Return what a text of `continue_upload` says, None for ''; raises `Refused`."""
    if not text:
        return None
    algorithm, _blank, digest = text.partition(" ")
    with suppress(binascii.Error, ValueError):
        value = base64.b64decode(digest.strip(), validate=True)
        if algorithm in ALGORITHMS and len(value) == hashlib.new(algorithm).digest_size:
            return spool.Checksum(algorithm, value)
    raise Refused(
        _(
            "${text} is no checksum. Send one of ${algorithms}, a blank, and the digest in "
            "base64.",
            mapping={"text": repr(text[:80]), "algorithms": ", ".join(ALGORITHMS)},
        )
    )
