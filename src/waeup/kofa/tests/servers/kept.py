"""What the servers of tests have in common: a directory, a port, and a keeper."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from waeup.kofa.tests.servers import keeper
from waeup.kofa.tests.spool.faultydisk import FAST
from waeup.kofa.tests.waiting import PATIENCE

#: Bytes that must be free in memory for a database there.
ROOM = 2**30
#: How often another port is tried.
ATTEMPTS = 5


class ServerError(Exception):
    """A server does not do what it should; the message holds its log."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def quick_place() -> str | None:
    """Return the folder for databases of tests: in memory, where there is enough of it."""
    return FAST if FAST and shutil.disk_usage(FAST).free > ROOM else None


class KeptServer:
    """A server process on a port of its own, with a temporary `directory`.

    That is in memory, where there is room, unless it shall be `on_disk`.  `start` and `kill` can
    alternate as often as wanted; `close` ends it for good.  Processes that are forked use the
    server, but never end it.
    """

    #: The name of the file below the directory with the number of the process.
    pid_file: str
    #: What ends the process without further ado.
    end_signal = signal.SIGKILL

    def __init__(self, *, on_disk: bool = False) -> None:
        place = None if on_disk else quick_place()
        self.directory = Path(tempfile.mkdtemp(prefix="kofa-server-", dir=place))
        self.port = free_port()
        self._owner = os.getpid()
        self._keeper: subprocess.Popen[bytes] | None = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", keeper.__file__, str(self.directory)),
                *(str(self.directory / self.pid_file), str(int(self.end_signal))),
            ],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._keeper.stdin is not None
        # A forked process must not keep the pipe open.
        os.register_at_fork(after_in_child=self._keeper.stdin.close)
        atexit.register(self.close)

    def start(self) -> None:
        """Start the server, and wait until it answers; raises `ServerError`."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start()
                return
            except ServerError as error:
                # Somebody else may have taken the port since.
                if attempt == ATTEMPTS or "in use" not in str(error):
                    raise
                self.port = free_port()

    def kill(self) -> None:
        """End the server at once, as a failure of its machine does; what is committed stays."""
        pid = keeper.number_in(str(self.directory / self.pid_file))
        if pid is not None:
            keeper.end(pid, self.end_signal)

    def close(self) -> None:
        """End the server, and remove its directory."""
        if self._keeper is None or os.getpid() != self._owner:
            return
        stream: BinaryIO | None = self._keeper.stdin  # type: ignore[assignment]
        assert stream is not None
        stream.close()
        self._keeper.wait(PATIENCE)
        self._keeper = None
        atexit.unregister(self.close)

    def _start(self) -> None:
        raise NotImplementedError

    def _log(self) -> str:
        """Return the end of the server's log."""
        path = self.directory / "log"
        return path.read_text("utf-8", "replace")[-4000:] if path.exists() else "(no log)"
