"""The operations of a portal that runs: what ``kofactl`` holds in place of a database."""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from waeup.kofa.api import sockets, wire
from waeup.kofa.errors import PortalGone


def answers(path: Path, patience: float | None = None) -> bool:
    """Tell whether a portal answers at the socket `path`, with `patience` in so many seconds."""
    try:
        sockets.connect(path, patience).close()
    except OSError:
        return False
    return True


class Elsewhere:
    """Operations that another process carries out, each call in a transaction of its own.

    `is_here` tells whether that is a process of this machine.
    """

    is_here = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._call, name)

    def _call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class Remote(Elsewhere):
    """Has the methods of `waeup.kofa.operations.Operations`; a portal that runs carries them out.

    It answers at the socket `path`, acts as `user`, and has committed each call that returns.
    With `storage_required` it refuses what is asked while its storage has gone.  A call raises
    what the operation raises, and `PortalGone` when the portal ends before it answers, or keeps
    silent for longer than `patience`, in seconds.  One that is interrupted is taken back, unless
    it was done already.
    """

    def __init__(
        self,
        path: Path,
        user: str,
        *,
        storage_required: bool = True,
        patience: float | None = None,
    ) -> None:
        self._path = path
        self._patience = patience
        self._asker = {"user": user, "storage_required": storage_required}

    def _call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        files: list[BinaryIO] = []
        request = wire.encode(
            {**self._asker, "operation": operation, "args": args, "kwargs": kwargs}, files
        )
        descriptors = [file.fileno() for file in files]
        try:
            with sockets.connect(self._path, self._patience) as connection:
                sockets.send(connection, request, descriptors)
                received = _awaited(connection)
        except OSError:
            received = None
        if received is None:
            raise PortalGone(
                "The portal ended before it answered. What it had accepted goes on when it starts "
                "again; look with `kofactl runs` and `kofactl ls` at what was done, and repeat "
                "the command if it was not."
            )
        return wire.answer_of(received[0])


def _awaited(connection: socket.socket) -> tuple[bytes, list[int]] | None:
    """Return the answer; an interruption is told to the portal, which then ends its work."""
    try:
        return sockets.receive(connection)
    except KeyboardInterrupt:
        connection.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            sockets.receive(connection)
        raise
