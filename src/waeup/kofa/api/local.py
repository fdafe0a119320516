"""The portal's end of the socket: carries out what ``kofactl`` asks for while the portal runs.

A few threads wait for connections.  Each connection brings one request: who asks, which
operation, and its arguments.  The operation has a database connection and a transaction of its
own, and what it did is committed before the answer leaves.  Who has hung up by then gets nothing
done.  Nobody gets in but the user that the portal runs as, and root.
"""

import logging
import os
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress
from inspect import isfunction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import transaction
from transaction.interfaces import TransientError
from zope.component.hooks import site as site_set

from waeup.kofa import journal
from waeup.kofa.api import sockets, wire
from waeup.kofa.api.acting import acting, require_storage
from waeup.kofa.errors import Fault, ItemBusy, KofaError, NotAllowed, NotUnderstood
from waeup.kofa.jobs.connection import connected
from waeup.kofa.operations import Operations
from waeup.kofa.transactional import give_way

if TYPE_CHECKING:
    from ZODB.DB import DB

log = logging.getLogger(__name__)

#: Requests that are carried out at the same time; others wait.
THREADS = 8
#: How often an operation is carried out when other transactions are in the way.
ATTEMPTS = 8
#: Seconds before the second attempt; each further one waits longer.
PAUSE = 0.01
#: Seconds in which a request must have come, and its answer must have been taken.
PATIENCE = 10
#: Seconds that requests under way have when the portal stops.
LAST_SECONDS = 5
#: Open files that may come with a request.
FILES = 1

#: What can be asked for; each checks by itself whether the person may.
OPERATIONS = frozenset(
    name
    for name in dir(Operations)
    if not name.startswith("_") and isfunction(getattr(Operations, name))
)


class _HungUp(BaseException):
    """Nobody waits for the answer any more.  It is no error of the operation, nor of a row."""


class LocalServer:
    """Answers at the socket `path` for the portal at `site_path` in `database`.

    As a context manager it ends in an orderly way.  Raises `OSError` when it cannot answer there.
    """

    def __init__(self, database: "DB", site_path: str, path: Path) -> None:
        self._database = database
        self._site_path = site_path
        self._path = path
        self._listener = sockets.listen(path)
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"kofactl-{number}", daemon=True)
            for number in range(1, THREADS + 1)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "LocalServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        until = time.monotonic() + LAST_SECONDS
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))

    def close(self) -> None:
        """Take no more requests; those under way go on."""
        if self._is_closed:
            return
        self._is_closed = True
        self._path.unlink(missing_ok=True)
        # Wakes the threads that wait.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _work(self) -> None:
        while not self._is_closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if not self._is_closed:
                    log.exception("The portal cannot take a command now.")
                    time.sleep(1)
                continue
            with connection:
                self._attend(connection)

    def _attend(self, connection: socket.socket) -> None:
        """Answer one request, whatever comes."""
        try:
            connection.settimeout(PATIENCE)
            answer = self._answer_to(connection)
            if answer is not None:
                sockets.send(connection, answer)
        except _HungUp:
            log.warning("Who had asked for a command has gone. What was not finished is undone.")
        except OSError as error:
            log.warning("A command got no answer: %s", error)
        except Exception:
            log.exception("A command got no answer.")

    def _answer_to(self, connection: socket.socket) -> bytes | None:
        """Return the answer to the request that comes, None when none comes.

        Raises `OSError` when the connection breaks.
        """
        with ExitStack() as stack:
            try:
                received = sockets.receive(connection, FILES)
            except NotUnderstood as error:
                return wire.encode_error(error)
            if received is None:
                return None
            message, descriptors = received
            try:
                files = [stack.enter_context(_open(descriptor)) for descriptor in descriptors]
                _require_own_user(connection)
                return self._carry_out(wire.decode(message, files), files, connection)
            except Exception as error:
                reference = ""
                if not isinstance(error, KofaError) or isinstance(error, Fault):
                    reference = journal.new_reference()
                    log.exception("%s A command failed.", journal.marked(reference))
                return wire.encode_error(error, reference)

    def _carry_out(self, request: Any, files: list[BinaryIO], connection: socket.socket) -> bytes:
        """Return the answer to a request, which is then committed."""
        try:
            user, operation = request["user"], request["operation"]
            args, kwargs = request["args"], request["kwargs"]
            storage_required = request["storage_required"]
            is_known = operation in OPERATIONS
        except (TypeError, LookupError):
            raise NotUnderstood(
                "What came is no request. Call kofactl, of the same release as the portal."
            )
        if not is_known:
            raise NotUnderstood(
                f"The running portal has no operation {operation!r}. It may be of another release "
                "than kofactl: start it anew and repeat the command."
            )
        is_repeatable = all(file.seekable() for file in files)
        starts = [file.tell() for file in files] if is_repeatable else []
        for attempt in range(ATTEMPTS):
            try:
                with connected(self._database, self._site_path) as site, site_set(site):
                    if storage_required:
                        require_storage(site)
                    with acting(site, user) as operations:
                        value = getattr(operations, operation)(*args, **kwargs)
                        answer = wire.encode_answer(value)
                        sockets.check_size(answer)
                        _require_presence(connection)
                        transaction.get().note(f"kofactl, {user}")
                        transaction.commit()
                        return answer
            except TransientError:
                if not is_repeatable:
                    break
                for file, start in zip(files, starts, strict=True):
                    file.seek(start)
                give_way(attempt, PAUSE)
        raise ItemBusy(
            "Others kept changing the same data, and nothing was stored. Repeat the command."
        )


def _open(descriptor: int) -> BinaryIO:
    """Return the open file of a descriptor, which is closed when that cannot be had."""
    try:
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _require_own_user(connection: socket.socket) -> None:
    """Raise `NotAllowed` when another user of the machine asks."""
    user, own = _user_of(connection), os.geteuid()
    if user not in (0, own, None):
        raise NotAllowed(
            f"The running portal takes commands from the user with the number {own} and from "
            f"root, and you have the number {user}. Call kofactl as the portal's user."
        )


def _user_of(connection: socket.socket) -> int | None:
    """Return the number of the user at the other end, None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("iII"))
    return struct.unpack("iII", credentials)[1]


def _require_presence(connection: socket.socket) -> None:
    """Raise `_HungUp` when the other end was closed."""
    connection.setblocking(False)
    try:
        if not connection.recv(1, socket.MSG_PEEK):
            raise _HungUp
    except BlockingIOError:
        return  # nothing more is said, and the answer is waited for
    except OSError:
        raise _HungUp
    finally:
        connection.settimeout(PATIENCE)
