"""Messages over a Unix socket, and the file at which it is found.

A message is its length in four bytes and then its bytes; open files come as descriptors with the
first of them.
"""

import os
import socket
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from waeup.kofa.errors import NotUnderstood, TooLarge

#: Bytes that a message may have.
LIMIT = 16 * 1024 * 1024
#: Connections that wait until somebody has time for them.
BACKLOG = 64

_LENGTH = struct.Struct(">I")
# The address of a Unix socket has 108 bytes on Linux and 104 elsewhere, the last one empty.
_LONGEST = 103
_CHUNK = 1 << 18


def listen(path: Path) -> socket.socket:
    """Answer at `path`, for the owner only, in place of a socket that a killed process left.

    Raises `OSError` when that cannot be done.
    """
    if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
        raise FileExistsError(f"{path} is no socket")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: Path, patience: float | None = None) -> socket.socket:
    """Return a connection to who answers at `path`; raises `OSError` when nobody does.

    With `patience` nothing that is done with the connection takes longer than so many seconds.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(patience)
    try:
        with _address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give an address for `path` that is short enough."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def check_size(message: bytes) -> None:
    """Raise `TooLarge` for a message that cannot be sent."""
    if len(message) > LIMIT:
        raise TooLarge(
            f"A message to or from the portal has {len(message):,} bytes; the limit is {LIMIT:,}. "
            "Ask for less at once."
        )


def send(connection: socket.socket, message: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a message and open files; raises `TooLarge`, and `OSError` when nobody reads it."""
    check_size(message)
    head = _LENGTH.pack(len(message))
    sent = socket.send_fds(connection, [head], descriptors) if descriptors else 0
    connection.sendall(head[sent:] + message)


def receive(connection: socket.socket, files: int = 0) -> tuple[bytes, list[int]] | None:
    """Return the next message and the descriptors that came with it, at most as many as `files`.

    None when the other side has closed the connection between two messages.  Raises
    `NotUnderstood` for what cannot be a message, and `OSError` when the connection breaks.
    """
    descriptors: list[int] = []
    try:
        head = b""
        if files:
            head, descriptors, flags, _ = socket.recv_fds(connection, _LENGTH.size, files)
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            if flags & socket.MSG_CTRUNC:
                raise NotUnderstood(f"More than {files} open files came with a message.")
        else:
            head = connection.recv(_LENGTH.size)
        if not head:
            return None
        head += _read(connection, _LENGTH.size - len(head))
        (length,) = _LENGTH.unpack(head)
        if length > LIMIT:
            raise NotUnderstood(
                f"A message of {length:,} bytes was announced; the limit is {LIMIT:,}."
            )
        return _read(connection, length), descriptors
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _read(connection: socket.socket, length: int) -> bytes:
    """Read exactly so many bytes."""
    data = bytearray()
    while len(data) < length:
        chunk = connection.recv(min(_CHUNK, length - len(data)))
        if not chunk:
            raise ConnectionResetError("the connection ended within a message")
        data += chunk
    return bytes(data)
