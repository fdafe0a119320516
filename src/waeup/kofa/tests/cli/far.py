"""A portal elsewhere, for tests of ``kofactl --url``; lines that break; servers that play."""

import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from waeup.kofa.cli.elsewhere import LOCAL
from waeup.kofa.tests.cli.shell import Answer, CommandLayer, Portal, kofactl, process, running
from waeup.kofa.tests.waiting import begun, joined

#: Private key and certificate of ``localhost``, of no use anywhere else.
CERTIFICATE = Path(__file__).with_name("certificate.pem")
ALL_SCOPES = ("read", "files", "import", "export", "users", "portal")


def new_token(*scopes: str, user: str = "admin") -> str:
    """Return the text of a new token of a portal in ``var``."""
    options = [word for scope in scopes or ALL_SCOPES for word in ("--scope", scope)]
    answer = kofactl("tokens", "add", "Test", *options, "--user", user)
    assert answer.code == 0, answer
    return answer.out.strip()


class Far:
    """Runs commands on a portal elsewhere, by ``--url`` and a file with a token."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.url = url
        self.token = token
        self.file = folder / "token"
        self.file.write_text(f"{token}\n")
        self.options = ("--url", url, "--token-file", str(self.file))

    def __call__(self, *arguments: str, stdin: str = "") -> Answer:
        """Run a command in this process."""
        return kofactl(*arguments, *self.options, stdin=stdin)

    def process(self, *arguments: str) -> Answer:
        """Run a command as a process of its own."""
        return process(*arguments, *self.options)

    def mixed(self, *arguments: str, stdin: str = "") -> Answer | None:
        """Run a command elsewhere if that can be, else on the portal in ``var``.

        None for one whose answer cannot be that of a portal without tokens, or without files.
        """
        if arguments[0] == "tokens" or os.path.isdir("away"):
            return None
        if is_near(arguments):
            return kofactl(*arguments, stdin=stdin)
        return self(*arguments, stdin=stdin)


def is_near(arguments: Sequence[str]) -> bool:
    """Tell whether a command is for a portal of this machine alone."""
    words = {arguments[0], " ".join(arguments[:2])}
    return bool(words & {*LOCAL, "storage"} or {"--user", "--lines"} & set(arguments))


class FarLayer(CommandLayer):
    """One portal serves for all tests; each works in a new directory, where there is no portal."""

    portal: Portal
    far: Far
    home: str
    _ends: ExitStack

    @classmethod
    def setUp(cls) -> None:
        """Start the portal."""
        with ExitStack() as undo:
            cls.home = undo.enter_context(TemporaryDirectory(prefix="kofafar"))
            undo.callback(os.chdir, os.getcwd())
            os.chdir(cls.home)
            cls.portal = undo.enter_context(served())
            cls.far = Far(cls.portal.url, new_token(), Path(cls.home))
            cls._ends = undo.pop_all()

    @classmethod
    def tearDown(cls) -> None:
        """Stop it."""
        with cls._ends:
            cls.portal.stop(signal.SIGTERM)

    @classmethod
    def testSetUp(cls) -> None:
        """Nothing more."""

    @classmethod
    def testTearDown(cls) -> None:
        """Nothing more."""


@contextmanager
def served(*arguments: str, **more: Any) -> Iterator[Portal]:
    """Run a portal in ``var`` that takes any number of requests."""
    Path("var").mkdir(mode=0o700, exist_ok=True)
    Path("var/kofa.conf").write_text("<limits>\n  api-requests 0\n</limits>\n")
    with running(*arguments, **more) as portal:
        yield portal


class Line:
    """A line to a server that can be cut: a proxy at `url`, which counts what goes through.

    `cuts` are, for each of the next connections, whose bytes are counted and how many may pass:
    ``("up", 1000)`` cuts when so many have come from the client, ``("down", 0)`` before an answer.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rstrip("/").rpartition("//")[2].rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts: list[tuple[str, int]] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        joined(*self._threads)

    def cut_all(self) -> None:
        """Cut all connections that there are."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _begin(self, work: Any, *args: Any) -> threading.Thread:
        thread = begun(work, *args)
        self._threads.append(thread)
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                cut = self.cuts.pop(0) if self.cuts else ("", 0)
                self._begin(self._carry, client, cut)

    def _carry(self, client: socket.socket, cut: tuple[str, int]) -> None:
        with client, socket.create_connection(self._target) as server:
            ends = [client, server]
            self._open += ends
            up = self._begin(self._pump, client, server, cut[1] if cut[0] == "up" else None, ends)
            self._pump(server, client, cut[1] if cut[0] == "down" else None, ends)
            joined(up)

    @staticmethod
    def _pump(
        source: socket.socket, target: socket.socket, most: int | None, ends: list[socket.socket]
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if most is not None:
                    data, most = data[:most], most - len(data)
                target.sendall(data)
                if most is not None and most <= 0:
                    break
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Said(NamedTuple):
    """An answer of a server that plays."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def playing(*said: Said, encrypted: bool = False) -> Iterator[tuple[str, list[Any]]]:
    """Have a server that gives these answers one after the other, the last one again and again.

    Gives its address, and the list of the requests: method, path, headers.
    """
    requests: list[Any] = []
    answers = list(said)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            requests.append((self.command, self.path, self.headers))
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(found.status)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body)))
            for name, value in found.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_POST = do_DELETE = do_PATCH = answer

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that go."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if encrypted:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        thread = begun(server.serve_forever)
        try:
            yield f"{scheme}://127.0.0.1:{server.server_port}", requests
        finally:
            joined(begun(server.shutdown), thread)
