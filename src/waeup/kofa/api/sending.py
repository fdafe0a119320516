"""Large files on their way to a portal elsewhere: in pieces, which go on after a broken line.

By the protocol tus 1.0.0, as `waeup.kofa.api.tus` speaks it.  After each break it is asked how
much has come, and sent from there on.  Each piece has a checksum, and the whole file a digest, so
that what is stored is what was sent.
"""

import base64
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import BinaryIO

from waeup.kofa.api.connection import PAUSE, Body, Connection
from waeup.kofa.api.route import ROOT
from waeup.kofa.errors import (
    Fault,
    KofaError,
    NotUnderstood,
    PortalGone,
    StorageFault,
    TooLarge,
)

#: Bytes of a file that are sent by a single request.
AT_ONCE = 1_000_000
#: Bytes of a piece of a larger one; of the smallest, where a proxy does not let that pass.
PIECE, SMALLEST_PIECE = 8 * 1024 * 1024, 256 * 1024
#: Seconds for which it is tried again while nothing more of a file comes.
PATIENCE = 180.0
#: Seconds before another try; each further one waits twice as long, up to this.
LONGEST_PAUSE = 15.0

_PROTOCOL = {"Tus-Resumable": "1.0.0"}
_MEDIA_TYPE = "application/offset+octet-stream"
_BLOCK = 1 << 20
_ID = re.compile(r"[0-9A-Za-z_-]{1,200}", re.ASCII)
#: Problems that pass when it is asked how much has come, and sent again.
_PASSING = frozenset(
    {
        *("wrong-offset", "wrong-checksum", "upload-locked", "item-busy"),
        *("too-many-requests", "too-slow"),
    }
)


@contextmanager
def measured(stream: BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """Give a stream that can be read several times, and its bytes; a pipe is copied."""
    if stream.seekable():
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        yield stream, size
        return
    with TemporaryFile() as copy:
        while block := stream.read(_BLOCK):
            copy.write(block)
        size = copy.tell()
        copy.seek(0)
        yield copy, size


def sha256(stream: BinaryIO) -> str:
    """Return the SHA-256 of a stream in hex, and go back to its beginning."""
    sha = hashlib.sha256()
    while block := stream.read(_BLOCK):
        sha.update(block)
    stream.seek(0)
    return sha.hexdigest()


def require_same(filename: str, sent: str, stored: str) -> None:
    """Raise `StorageFault` when the digests of what was sent and stored differ."""
    if sent != stored:
        raise StorageFault(
            f"{filename} was damaged on its way, or changed while it was sent: what is stored has "
            f"the SHA-256 {stored}, and the file here has {sent}. Delete what is stored, and send "
            "it anew."
        )


def send(
    connection: Connection,
    filename: str,
    stream: BinaryIO,
    size: int,
    *,
    replace: bool,
    tell: Callable[[float, str], object],
) -> str:
    """Send the `size` bytes of `stream`; return the id of the upload, which is complete then.

    `tell` is called with the share that has come, and words.  When it is given up, by an error or
    by Ctrl-C, so it is in the portal.
    """
    place = _begin(connection, filename, stream, size, replace=replace)
    try:
        _send_pieces(connection, place, filename, stream, size, tell)
    except BaseException as error:
        if not isinstance(error, PortalGone):
            with suppress(KofaError), connection.asked("DELETE", place, headers=_PROTOCOL):
                pass
        raise
    return place.rpartition("/")[2]


def _begin(
    connection: Connection, filename: str, stream: BinaryIO, size: int, *, replace: bool
) -> str:
    """Begin an upload; return the path of its address."""
    said = {"filename": filename, "digest": sha256(stream)}
    if replace:
        said["replace"] = "true"
    text = ",".join(
        f"{key} {base64.b64encode(value.encode('utf-8', 'surrogateescape')).decode('ascii')}"
        for key, value in said.items()
    )
    headers = {**_PROTOCOL, "Upload-Length": str(size), "Upload-Metadata": text}
    # One whose answer was lost expires.
    with connection.asked("POST", f"{ROOT}/uploads", headers=headers) as answer:
        id = answer.headers.get("Location", "").rpartition("/")[2]
    if not _ID.fullmatch(id):
        raise NotUnderstood("The portal does not say where an upload goes on.")
    return f"{ROOT}/uploads/{id}"


def _send_pieces(
    connection: Connection,
    place: str,
    filename: str,
    stream: BinaryIO,
    size: int,
    tell: Callable[[float, str], object],
) -> None:
    offset, piece, is_lost = 0, PIECE, False
    pause, until = PAUSE, time.monotonic() + PATIENCE
    while offset < size:
        tell(offset / size, f"{offset:,} of {size:,} bytes")
        try:
            came = (
                _look(connection, place)
                if is_lost
                else _send_piece(connection, place, stream, offset, piece)
            )
            is_lost = False
        except KofaError as error:
            if isinstance(error, TooLarge) and not hasattr(error, "code"):
                # It is not the portal that says so.
                if piece <= SMALLEST_PIECE:
                    raise
                piece //= 2
            elif not _is_passing(error):
                raise
            if time.monotonic() + pause > until:
                raise PortalGone(
                    f"{filename} was not sent: {offset:,} of its {size:,} bytes have come, and "
                    f"then no more. {error}"
                )
            time.sleep(pause)
            pause, is_lost = min(2 * pause, LONGEST_PAUSE), True
            continue
        if came > offset:
            pause, until = PAUSE, time.monotonic() + PATIENCE
        offset = came
    tell(1.0, f"{size:,} bytes")


def _send_piece(
    connection: Connection, place: str, stream: BinaryIO, offset: int, length: int
) -> int:
    """Send the next bytes; return how many have come of all."""
    stream.seek(offset)
    piece = stream.read(length)
    if not piece:
        raise Fault("The file was cut off while it was sent. Send it anew.")
    digest = base64.b64encode(hashlib.sha256(piece).digest()).decode("ascii")
    headers = {
        **_PROTOCOL,
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {digest}",
    }
    body = Body(io.BytesIO(piece), len(piece), _MEDIA_TYPE)
    # How much has come is asked before it is sent again; with the last piece the file is stored.
    with connection.asked(
        "PATCH", place, body=body, headers=headers, repeatable=False, patient=True
    ) as answer:
        return _number(answer.headers.get("Upload-Offset", ""))


def _look(connection: Connection, place: str) -> int:
    """Return how many bytes have come."""
    with connection.asked("GET", place) as answer:
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
    return _number(str(found.get("offset")) if isinstance(found, dict) else "")


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text, re.ASCII):
        raise NotUnderstood("The portal does not say how much of an upload has come.")
    return int(text)


def _is_passing(error: KofaError) -> bool:
    """Tell whether it may go on when it is tried again."""
    return isinstance(error, PortalGone) or getattr(error, "code", "") in _PASSING
