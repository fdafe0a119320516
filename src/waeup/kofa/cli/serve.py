"""Serves a portal: the publisher as a WSGI application, under waitress, until a signal."""

import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from waeup.kofa.cli.session import SITE_NAME
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from ZODB.DB import DB

Environment = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environment, StartResponse], Iterable[bytes]]


def listen(host: str, port: int) -> socket.socket:
    """Take the address on which the portal will answer.

    Port 0 stands for any free port.  Raises `Refused` when the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # socket.create_server repeats the address in brackets.
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise Refused(
            f"The portal cannot answer on {host}, port {port}: {reason}. "
            "Stop what answers there, or name another address with --host and --port."
        )


def url_of(listener: socket.socket) -> str:
    """Return the portal's address as people type it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def bootstrap(database: "DB") -> None:
    """Tell the components that the database is open; they make a missing root folder."""
    from zope.event import notify
    from zope.processlifetime import DatabaseOpened

    notify(DatabaseOpened(database))


def application(database: "DB") -> Application:
    """Return the portal as a WSGI application; the root's own address leads to the portal."""
    from zope.app.wsgi import WSGIPublisherApplication

    publisher = WSGIPublisherApplication(database)

    def answer(environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        if environment.get("PATH_INFO", "") in ("", "/"):
            location = f"{environment.get('SCRIPT_NAME', '')}/{SITE_NAME}"
            start_response("302 Found", [("Location", location), ("Content-Length", "0")])
            return []
        return publisher(environment, start_response)

    return answer


def serve(
    database: "DB",
    listener: socket.socket,
    *,
    threads: int,
    max_upload: int,
    ready: Callable[[], None],
) -> None:
    """Answer requests on `listener` until SIGINT or SIGTERM.

    `max_upload` is the largest request in bytes; waitress refuses a larger one before it reads
    it.  `ready` is called when requests are answered.  At the end requests under way have five
    seconds; the database takes back what they have not committed by then.
    """
    from waitress.server import create_server
    from waitress.wasyncore import close_all

    connections: dict[int, Any] = {}
    server = create_server(
        application(database),
        map=connections,
        sockets=[listener],
        threads=threads,
        max_request_body_size=max_upload,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    with _stopped_by_signals():
        try:
            ready()
            server.run()
        except SystemExit:
            pass  # the signal came before or behind the loop, which ends by it in silence
        finally:
            close_all(connections)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise SystemExit in the main thread."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
