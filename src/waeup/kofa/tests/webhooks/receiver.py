"""A receiver of messages: a small server in threads, as well behaved as a test wants it."""

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from unittest import mock

from waeup.kofa.tests.waiting import begun, joined
from waeup.kofa.tests.webhooks.certificates import AUTHORITY, RECEIVER

#: The host that the certificate is for.
HOST = "receiver.example"

#: What is done once a request has come.
Behaviour = Callable[[socket.socket], None]


class Request(NamedTuple):
    """What a sender has sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(status: str = "200 OK", body: bytes = b"thanks", *headers: str) -> Behaviour:
    """Answer as one does."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return raw("\r\n".join(lines).encode() + body)


def raw(content: bytes) -> Behaviour:
    """Send bytes, whatever they mean, and end the connection."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(content)

    return behave


def never(sock: socket.socket) -> None:
    """Say nothing, until the sender has had enough."""
    while sock.recv(1024):
        pass


def drip(content: bytes, forever: bytes = b"x") -> Behaviour:
    """Send bytes, and then one after the other as long as the sender stays."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(content)
        sock.settimeout(0.02)
        while True:
            sock.sendall(forever)
            try:
                if not sock.recv(1):
                    return
            except TimeoutError:
                continue

    return behave


class Receiver:
    """Listens on an address of this machine; `requests` are those that came.

    `script` are behaviours, one for each request; then it answers as one does.  With `is_https`
    it has the certificate of `HOST`; `names` are those that senders have asked for by SNI.  With
    `on_connect` that is done before anything is read.
    """

    def __init__(
        self,
        *script: Behaviour,
        is_https: bool = True,
        host: str = "127.0.0.1",
        on_connect: Behaviour | None = None,
    ) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        self._is_https = is_https
        self._on_connect = on_connect
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._context = _context(self._keep_name) if is_https else None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def url(self, path: str = "/hook", host: str = HOST) -> str:
        """Return the address of this receiver."""
        return f"{'https' if self._is_https else 'http'}://{host}:{self.port}{path}"

    def __enter__(self) -> "Receiver":
        self._accepting = begun(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        joined(self._accepting)
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        joined(*self._threads)
        for sock in self._sockets:
            sock.close()

    def _keep_name(self, sock: object, name: str | None, context: object) -> None:
        self.names.append(name)

    def _accept(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            self._threads.append(begun(self._serve, sock))

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._on_connect is not None:
                self._on_connect(sock)
                return
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            request = _read(sock)
            if request is None:
                return
            self.requests.append(request)
            (self.script.pop(0) if self.script else answer())(sock)
        except (OSError, ValueError):
            # The sender has gone, or speaks something else.
            pass
        finally:
            sock.close()


def _context(keep_name: Callable[..., None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(RECEIVER)
        file.flush()
        context.load_cert_chain(file.name)
    context.sni_callback = keep_name
    return context


def _read(sock: socket.socket) -> Request | None:
    with sock.makefile("rb") as stream:
        first = stream.readline().decode("ascii").split()
        if not first:
            return None
        headers = {}
        while line := stream.readline().strip():
            name, _colon, value = line.decode("ascii").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, body)


@contextmanager
def trusted() -> Iterator[None]:
    """Let senders trust the authority of the tests, and no other, for the time of a block."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "authority.pem")
        with open(path, "w", encoding="ascii") as stream:
            stream.write(AUTHORITY)
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": path, "SSL_CERT_DIR": folder}):
            yield
