"""A ZEO server for tests; see `waeup.kofa.tests.servers`."""

import socket
import subprocess
import sys
import time
from functools import cache

from waeup.kofa.tests.servers.kept import KeptServer, ServerError
from waeup.kofa.tests.waiting import PATIENCE as LONG

#: Storages that a server has; each is used once.
STORAGES = 100
#: Seconds for which the server may start.
PATIENCE = 60


class Zeo(KeptServer):
    """A server with file storages, called ``1``, ``2`` and so on."""

    pid_file = "pid"

    def __init__(self, storages: int = STORAGES, *, on_disk: bool = False) -> None:
        super().__init__(on_disk=on_disk)
        self.storages = storages
        self._used = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens: host and port."""
        return "127.0.0.1", self.port

    @property
    def is_used_up(self) -> bool:
        """Whether every storage was given to somebody."""
        return self._used == self.storages

    def place(self) -> tuple[tuple[str, int], str]:
        """Return the address and the name of a storage that nobody has used yet."""
        if self.is_used_up:
            raise ServerError(f"All {self.storages} storages of this server were used.")
        self._used += 1
        return self.address, str(self._used)

    def restart(self) -> None:
        """End the server at once, and start it again."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """End the server at once; what is committed stays."""
        super().kill()
        if self._process is not None:
            self._process.wait(LONG)

    def close(self) -> None:
        """End the server, and remove its directory."""
        super().close()
        if self._process is not None:
            self._process.wait(LONG)

    def _start(self) -> None:
        configuration = self.directory / "zeo.conf"
        configuration.write_text(self._configuration())
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ZEO.runzeo", "-C", str(configuration)],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # Not by the server itself, which may be a while: the keeper needs it from now on.
        (self.directory / self.pid_file).write_text(str(self._process.pid))
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"The ZEO server does not start.\n{self._log()}")
            time.sleep(0.01)

    def _listens(self) -> bool:
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True

    def _configuration(self) -> str:
        """Return what ``runzeo`` reads."""
        storages = "\n".join(
            f"<filestorage {number}>\n  path {self.directory}/{number}.fs\n</filestorage>"
            for number in range(1, self.storages + 1)
        )
        return f"<zeo>\n  address 127.0.0.1:{self.port}\n</zeo>\n{storages}\n"


@cache
def _shared() -> list[Zeo]:
    return []


def zeo() -> Zeo:
    """Return the server of this process, with a storage that nobody has used yet."""
    servers = _shared()
    if not servers or servers[-1].is_used_up:
        server = Zeo()
        server.start()
        servers.append(server)
    return servers[-1]
