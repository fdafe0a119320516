"""Serves a portal: the publisher behind its gate, under waitress, until a signal."""

import copy
import logging
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge
from waitress.wasyncore import ExitNow, close_all

from waeup.kofa.cli import gate
from waeup.kofa.cli.gate import Application, Environment, StartResponse
from waeup.kofa.cli.screen import say
from waeup.kofa.cli.session import SITE_NAME
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from ZODB.DB import DB

#: The server's log begins a new file at this size in bytes, and keeps so many old ones.
LOG_SIZE, LOG_BACKUPS = 10 * 1024 * 1024, 5
#: Headers that a trusted proxy tells the client's address and the portal's with.
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}


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
    """Tell the components that the database is open; they make a missing root folder.

    With it comes a reporter that would log a traceback for each address where nothing is; from
    here on only the pages of `waeup.kofa.browser.errors` decide what is logged.
    """
    import transaction
    from zope.app.publication.zopepublication import ZopePublication
    from zope.error.interfaces import IErrorReportingUtility
    from zope.event import notify
    from zope.processlifetime import DatabaseOpened

    notify(DatabaseOpened(database))
    transaction.begin()
    connection = database.open()
    try:
        site_manager = connection.root()[ZopePublication.root_name].getSiteManager()
        reporter = site_manager.queryUtility(IErrorReportingUtility)
        if reporter is not None and reporter.copy_to_zlog:
            reporter.setProperties(keep_entries=1, copy_to_zlog=False)
            transaction.commit()
    finally:
        transaction.abort()
        connection.close()


@contextmanager
def keep_log(path: Path) -> Iterator[None]:
    """Write what libraries tell, from INFO on, to a log file of bounded size."""
    handler = RotatingFileHandler(
        path, maxBytes=LOG_SIZE, backupCount=LOG_BACKUPS, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    former = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former)
        handler.close()


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

    return gate.Gate(answer, _log_in_check(database))


def _log_in_check(database: "DB") -> Callable[[Environment], bool]:
    """Return the function that tells whether the cookies of a request are those of a log-in.

    It reads the session as the portal does, without the body, and changes nothing.
    """
    import transaction
    from zope.app.publication.zopepublication import ZopePublication
    from zope.authentication.interfaces import IAuthentication
    from zope.component import getUtility
    from zope.component.hooks import site as site_set

    from waeup.kofa.browser.request import Request

    def is_logged_in(environment: Environment) -> bool:
        cookies = {"HTTP_COOKIE": environment.get("HTTP_COOKIE", "")}
        transaction.begin()
        connection = database.open()
        try:
            with site_set(connection.root()[ZopePublication.root_name][SITE_NAME]):
                request = Request(BytesIO(), cookies)
                return getUtility(IAuthentication).authenticate(request) is not None
        finally:
            transaction.abort()
            connection.close()

    return is_logged_in


class _Parser(HTTPRequestParser):
    """Refuses what is too large when its headers have come; the gate then asks who sends it."""

    adj: Any
    is_form = False

    def parse_header(self, header_plus: bytes) -> None:
        """See `HTTPRequestParser`; the limit depends on the address."""
        super().parse_header(header_plus)
        content_type = self.headers.get("CONTENT_TYPE", "")
        if not gate.is_upload(self.command, self.path, content_type):
            small = copy.copy(self.adj)
            # waitress refuses what reaches its limit, the gate what exceeds it.
            small.max_request_body_size = min(gate.SMALL_REQUEST + 1, small.max_request_body_size)
            self.adj = small
            self.is_form = True


class _ErrorTask(ErrorTask):
    """Answers what cannot be parsed; it never comes to the gate."""

    def execute(self) -> None:
        """See `ErrorTask`; who has sent too large a form is told what can be done."""
        error = self.request.error
        if isinstance(error, RequestEntityTooLarge) and self.request.is_form:
            error.body = gate.TOO_LARGE.text
        self.response_headers.extend(gate.secured([]))
        super().execute()


class _Channel(HTTPChannel):
    """A connection."""

    parser_class = _Parser
    error_task_class = _ErrorTask


def serve(
    database: "DB",
    listener: socket.socket,
    commands: Path,
    *,
    threads: int,
    max_upload: int,
    ready: Callable[[], None],
    trusted_proxy: str | None = None,
) -> None:
    """Answer requests on `listener` until SIGINT or SIGTERM.

    At the socket `commands` it is ``kofactl`` that is answered.
    `max_upload` is the largest upload in bytes.  Waitress refuses a request of twice the size
    before it reads it; in between the upload page says what is too large.  `ready` is called
    when requests are answered.  `trusted_proxy` is the address of the proxy whose word about
    client, host and https counts; nobody else's does.

    At the end runs finish their batch and go on with the next start; what else is under way has
    five seconds, and the database takes back what it has not committed by then.  A second signal
    ends the process at once.
    """
    trust: dict[str, Any] = {}
    if trusted_proxy is not None:
        trust = {
            "trusted_proxy": trusted_proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": PROXY_HEADERS,
        }
    connections: dict[int, Any] = {}
    server = create_server(
        application(database),
        map=connections,
        sockets=[listener],
        threads=threads,
        max_request_body_size=2 * max_upload,
        ident=None,
        clear_untrusted_proxy_headers=True,
        **trust,
    )
    server.channel_class = _Channel
    with (
        _work_done(database) as end_work,
        _commands_taken(database, commands) as take_no_commands,
        _stopped_by_signals(),
    ):
        try:
            ready()
            server.run()
        except ExitNow:
            pass
        finally:
            # The threads end with their requests; what waits for a thread gets none.
            server.task_dispatcher.set_thread_count(0)
            take_no_commands()
            end_work()
            server.task_dispatcher.shutdown()
            close_all(connections)


@contextmanager
def _commands_taken(database: "DB", path: Path) -> Iterator[Callable[[], None]]:
    """Carry out what ``kofactl`` asks for at the socket `path`; gives the function that ends it.

    What is under way at the end of the block has a few seconds.  Where no socket can be made the
    portal answers all the same.
    """
    from waeup.kofa.api.local import LocalServer

    try:
        server = LocalServer(database, f"/{SITE_NAME}", path)
    except OSError as error:
        say(
            f"The socket {path} cannot be made: {error.strerror or error}. While the portal runs, "
            "commands of kofactl that change something are refused."
        )
        yield lambda: None
        return
    with server:
        yield server.close


@contextmanager
def _work_done(database: "DB") -> Iterator[Callable[[], None]]:
    """Work on runs in the background; gives the function that ends it with the next batch.

    It is said which runs go on now, and which ones with the next start.
    """
    from zope.component import getGlobalSiteManager, provideUtility

    from waeup.kofa.jobs import EmbeddedEngine, IJobEngine

    def stop() -> None:
        engine.stop()
        for title in _active(database):
            say(f"The {title} goes on with the next start.")

    engine = EmbeddedEngine(database, f"/{SITE_NAME}")
    provideUtility(engine, IJobEngine)
    for title in _active(database):
        say(f"The {title} goes on.")
    try:
        with engine:
            yield stop
    finally:
        getGlobalSiteManager().unregisterUtility(engine, IJobEngine)


def _active(database: "DB") -> list[str]:
    """Return in words what the runs do that are not over."""
    from waeup.kofa.jobs.connection import connected

    with connected(database, f"/{SITE_NAME}") as site:
        return [run.title for run in site["datacenter"].runs.active()]


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGINT or SIGTERM raise ExitNow in the main thread, and a second one kill.

    waitress' loop lets ExitNow pass.  To be killed does no harm: nothing is lost that was
    committed, and what was not is taken back.
    """
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        raise ExitNow

    former = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
