"""What a process tells its supervisor: that it is ready, that it is to end, that it still lives.

systemd names a datagram socket in ``NOTIFY_SOCKET`` (``Type=notify``) and how often it wants to
hear from the process in ``WATCHDOG_USEC``, see sd_notify(3).  Where there is none nothing is told.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

#: Seconds that a supervisor has to take what it is told; a socket keeps only so much.
PATIENCE = 5.0

_SOCKET, _WATCHDOG, _WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Supervisor:
    """Who started this process; `address` is that of its socket, None when it has none.

    `interval` counts seconds between two signs of life, None when nobody waits for them.
    """

    def __init__(self, address: str | None, interval: float | None = None) -> None:
        self._address = address
        self._interval = interval
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def ready(self) -> None:
        """Tell that requests are answered, or runs worked on, from now on."""
        self._tell("READY=1")
        if self._interval is not None:
            self._thread = threading.Thread(target=self._live, name="kofa signs of life")
            self._thread.start()

    def stopping(self) -> None:
        """Tell that the process ends when what it is at is done."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Give no signs of life any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _live(self) -> None:
        while not self._ended.wait(self._interval):
            self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if self._address is None:
            return
        # A name that begins with @ is in no file system.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
                told.settimeout(PATIENCE)
                told.connect(address)
                told.sendall(text.encode())
        except OSError as error:
            log.warning("The supervisor at %s cannot be told %s: %s", self._address, text, error)


@contextmanager
def supervised() -> Iterator[Supervisor]:
    """Give the supervisor of this process for the time of a block.

    It is of no concern to processes that this one starts: their environment does not name it.
    """
    address = os.environ.pop(_SOCKET, "") or None
    told, watched = os.environ.pop(_WATCHDOG, ""), os.environ.pop(_WATCHED, "")
    is_watched = told.isdecimal() and int(told) > 0 and watched in ("", str(os.getpid()))
    # Twice as often as it must be.
    supervisor = Supervisor(address, int(told) / 2e6 if address and is_watched else None)
    try:
        yield supervisor
    finally:
        supervisor.close()
