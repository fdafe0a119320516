"""Serves a portal: the publisher behind its gate, under waitress, until a signal."""

import copy
import re
import select
import socket
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from weakref import WeakSet

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge
from waitress.wasyncore import ExitNow, close_all, dispatcher, loop

from waeup.kofa.api.addresses import is_own, may_be_large
from waeup.kofa.api.http import Api, refused_by_server
from waeup.kofa.cli import gate
from waeup.kofa.cli.gate import Application, Environment, StartResponse
from waeup.kofa.cli.processes import stopped_by_signals, working
from waeup.kofa.cli.screen import say
from waeup.kofa.cli.session import SITE_NAME
from waeup.kofa.cli.watched import Watched
from waeup.kofa.deployment import listening
from waeup.kofa.deployment.conf import Configuration
from waeup.kofa.deployment.health import Health
from waeup.kofa.deployment.supervision import supervised
from waeup.kofa.importing.looking import PLACES, places_of

if TYPE_CHECKING:
    from ZODB.DB import DB

#: Large bodies that come at the same time, for each thread: a body has come whole, and is on the
#: disk, before it can be asked who sends it.
LARGE_FOR_EACH_THREAD = 2
#: Bytes of a large body that must come in so many seconds while others wait for its place.
LEAST, PERIOD = 64 * 1024, 30.0
#: Seconds between two looks whether others wait for the thread of an answer that is read slowly.
LOOK = 0.1
#: Bytes of all answers that are kept in temporary files at most, so that no thread waits for those
#: who read them slowly.
MOST_KEPT = 1024 * 1024 * 1024
#: Seconds that all has which is under way at the end, and a connection for its first request then.
GRACE, SILENCE = 5.0, 0.5
#: Headers that a trusted proxy tells the client's address and the portal's with.
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
# What waitress does not understand of an address that a proxy tells: each connection would be a
# client of its own, or many clients the same one.
_PORT = re.compile(r"\[([0-9a-f:.]+)\]:[0-9]+", re.IGNORECASE)
# Before an address of version 4 it is written by those that listen for both versions at once.
_MAPPED = re.compile(r"(?<![0-9a-f:])::ffff:(?=[0-9]+\.)", re.IGNORECASE)


def listen(host: str, port: int) -> socket.socket:
    """Take the address on which the portal will answer.

    Port 0 stands for any free port.  Raises `Refused` when the address cannot be had.
    """
    return listening.listen(
        host,
        port,
        lambda reason: (
            f"The portal cannot answer on {host}, port {port}: {reason}. "
            "Stop what answers there, or name another address with --host and --port."
        ),
    )


def url_of(listener: socket.socket) -> str:
    """Return the portal's address as people type it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def application(database: "DB", api: Application | None = None) -> Application:
    """Return the portal as a WSGI application; the root's own address leads to the portal.

    `api` answers what is for the HTTP API (default: one for this portal).
    """
    from zope.app.wsgi import WSGIPublisherApplication

    publisher = WSGIPublisherApplication(database)

    def answer(environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        if environment.get("PATH_INFO", "") in ("", "/"):
            location = f"{environment.get('SCRIPT_NAME', '')}/{SITE_NAME}"
            start_response("302 Found", [("Location", location), ("Content-Length", "0")])
            return []
        return publisher(environment, start_response)

    api = Api(database, f"/{SITE_NAME}") if api is None else api
    return gate.Gate(answer, _log_in_check(database), api)


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
    """Refuses what is too large when its headers have come; the gate then asks who sends it.

    Large bodies have a place each as long as they come.  One that comes too slowly gives it to
    the next one that wants it; its `connection`, a weak reference, is told.
    """

    adj: Any
    is_form = is_for_api = is_crowded = False
    command = path = ""
    _large: ClassVar["WeakSet[_Parser]"] = WeakSet()
    #: Since when the next `LEAST` bytes are waited for, and how many had come by then.
    _since, _before = 0.0, 0

    def __init__(self, adj: Any, connection: Callable[[], "_Channel | None"]) -> None:
        super().__init__(adj)
        self._connection = connection

    def received(self, data: bytes) -> int:
        """See `HTTPRequestParser`; how fast a large body comes is noted."""
        consumed: int = super().received(data)
        if self.body_bytes_received - self._before >= LEAST:
            self._since, self._before = time.monotonic(), self.body_bytes_received
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """See `HTTPRequestParser`; the limit depends on the address."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            # An address such as http://[x, or a number of thousands of digits.
            raise ParsingError("The address or Content-Length is invalid")
        finally:
            # Damaged headers are told of in the words of the API, too.
            self.is_for_api = is_own(self.path or "")
        if "X_FORWARDED_FOR" in self.headers:
            told = _PORT.sub(r"\1", self.headers["X_FORWARDED_FOR"])
            self.headers["X_FORWARDED_FOR"] = _MAPPED.sub("", told)
        content_type = self.headers.get("CONTENT_TYPE", "")
        is_upload = gate.is_upload(self.command, self.path, content_type)
        if self.is_for_api:
            # Whether the token is a valid one is asked before the body is looked at.
            token = self.headers.get("AUTHORIZATION", "")
            is_upload = may_be_large(self.command, self.path, token)
        self.is_form = not is_upload
        if is_upload and (self.chunked or self.content_length > gate.SMALL_REQUEST):
            self.is_crowded = not self._is_room()
            if not self.is_crowded:
                self._large.add(self)
                self._since = time.monotonic()
        if self.is_form or self.is_crowded:
            small = copy.copy(self.adj)
            # waitress refuses what reaches its limit, the gate what exceeds it.
            small.max_request_body_size = min(gate.SMALL_REQUEST + 1, small.max_request_body_size)
            self.adj = small

    def _is_room(self) -> bool:
        """Tell whether there is a place for another large body, if need be that of a slow one."""
        if len(self._large) < LARGE_FOR_EACH_THREAD * self.adj.threads:
            return True
        coming = [parser for parser in self._large if not parser.completed]
        slowest = min(coming, key=lambda parser: parser._since, default=None)
        if slowest is None or time.monotonic() - slowest._since < PERIOD:
            return False
        self._large.discard(slowest)
        connection = slowest._connection()
        if connection is not None:
            connection.cut_off(slowest)
        return True


class _Crowded(Error):
    """There is no room for a large body now."""

    code, reason = 503, "Service Unavailable"


class _TooSlow(Error):
    """A large body came too slowly, and another one has its place now."""

    code, reason = 408, "Request Timeout"


class _ErrorTask(ErrorTask):
    """Answers what cannot be parsed; it never comes to the gate."""

    def execute(self) -> None:
        """See `ErrorTask`; who has sent too large a form is told what can be done."""
        request, error = self.request, self.request.error
        if isinstance(error, RequestEntityTooLarge) and request.is_crowded:
            error = request.error = _Crowded(gate.CROWDED.text)
            self.response_headers.extend(gate.CROWDED.headers)
        elif isinstance(error, _TooSlow):
            self.response_headers.extend(gate.TOO_SLOW.headers)
        if request.is_for_api:
            told = refused_by_server(error.code, error.body, request.command, request.path)
            error.to_response = lambda ident: told
        elif isinstance(error, RequestEntityTooLarge) and request.is_form:
            error.body = gate.TOO_LARGE.text
        self.response_headers.extend(gate.secured([]))
        super().execute()


class _Channel(HTTPChannel):
    """A connection.

    A new one is not refused for others that are silent, and who reads a long answer slowly, or has
    paused a download, keeps no thread from others.
    """

    request: Any
    error_task_class = _ErrorTask

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not in a circle: with the connection the parser goes, and then its place is free.
        self.parser_class = partial(_Parser, connection=weakref.ref(self))
        super().__init__(*args, **kwargs)
        if len(self._map) >= self.adj.connection_limit:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connection that was silent for the longest time: waitress takes no more now.

        One whose request is complete is not closed.  Only this thread, which accepts, makes any
        complete.
        """
        others = [
            each
            for each in self.server.active_channels.values()
            if each is not self and not each.requests
        ]
        if others:
            min(others, key=lambda each: each.last_activity).handle_close()

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Let an answer wait until the client has read of it, but not while others wait.

        Then the rest is kept in a temporary file, as waitress keeps what is not read yet, and the
        thread is free.  Where that would be too much, the connection is closed.
        """
        with self.outbuf_lock:
            while self.connected and self.total_outbufs_len > self.adj.outbuf_high_watermark:
                self.server.pull_trigger()
                if self.server.task_dispatcher.queue:
                    channels = list(self.server.active_channels.values())
                    if sum(each.total_outbufs_len for each in channels) < MOST_KEPT:
                        return
                    # The loop, to which the socket belongs, closes it when it finds that.
                    with suppress(OSError):
                        self.socket.shutdown(socket.SHUT_RDWR)
                    raise ClientDisconnected
                self.outbuf_lock.wait(LOOK)

    def service(self) -> None:
        """Answer a request; at the end of the server it is the last one of its connection."""
        if not self.server.accepting:
            self.requests[0].headers["CONNECTION"] = "close"
        super().service()

    def is_busy(self) -> bool:
        """Tell whether something has come, or is about to, that is not answered."""
        if self.requests or self.request is not None or self.total_outbufs_len:
            return self.connected
        is_new = self.last_activity == self.creation_time
        return is_new and time.time() < self.creation_time + SILENCE

    def cut_off(self, request: _Parser) -> None:
        """Wait no more for the body of a request; answer it, and close the connection."""
        with self.requests_lock:
            if self.request is not request:
                return
            request.error = _TooSlow(gate.TOO_SLOW.text)
            request.completed = True
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)


def serve(
    database: "DB",
    listener: socket.socket,
    commands: Path | None,
    chosen: Configuration,
    *,
    ready: Callable[[], None],
    health: Health,
) -> None:
    """Answer requests on `listener` until SIGINT or SIGTERM.

    At the socket `commands` it is ``kofactl`` that is answered; where the database is shared
    nobody needs it.  `chosen` says the rest: of an upload, waitress refuses a request of twice
    the size before it reads it; in between the upload page says what is too large.  `health` is
    what balancers are told of.  `ready` is called when requests are answered.

    At the end runs finish their batch, and go on with the next start.  Meanwhile pages are still
    answered, and balancers told to go elsewhere.  Then no more connections are taken; what is
    under way on those there are has five seconds, and the database takes back what it has not
    committed by then.  A second signal ends the process at once.
    """
    trusted_proxy = chosen.server.trusted_proxy
    trust: dict[str, Any] = {}
    if trusted_proxy is not None:
        trust = {
            "trusted_proxy": trusted_proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": PROXY_HEADERS,
        }
    connections: dict[int, Any] = {}
    # Streams and looks at large tables must not take all threads.
    api = Api(database, f"/{SITE_NAME}", streams=chosen.server.threads // 2)
    PLACES.most = places_of(chosen.server.threads)
    portal = application(database, api)
    server = create_server(
        Watched(portal, health, requests_logged=chosen.logging.requests),
        map=connections,
        sockets=[listener],
        threads=chosen.server.threads,
        max_request_body_size=2 * chosen.figures.upload_limit,
        ident=None,
        clear_untrusted_proxy_headers=True,
        **trust,
    )
    server.channel_class = _Channel
    threads = chosen.workers.threads if chosen.workers.in_web else 0
    with (
        supervised() as supervisor,
        working(database, chosen, threads) as end_work,
        _commands_taken(database, commands) as take_no_commands,
        stopped_by_signals(_end_loop),
    ):

        def end() -> None:
            take_no_commands()
            end_work()

        try:
            ready()
            supervisor.ready()
            server.run()
        except ExitNow:
            pass
        finally:
            health.stop()
            api.stop()
            supervisor.stopping()
            _answer_during(end, server, connections)
            server.task_dispatcher.shutdown(timeout=_answer_rest(server, connections))
            close_all(connections)


def _answer_rest(server: Any, connections: dict[int, Any]) -> float:
    """Take no more connections, and answer what comes on those there are, as long as it may.

    A balancer finds out at once who does not take it, and goes elsewhere; what it has sent to one
    who does may not be lost.  Returns the seconds that are left for what is still under way.
    """
    until = time.monotonic() + GRACE
    # Those who wait for the server to take them have sent their requests already.  More than these
    # may come meanwhile, and where there are no descriptors any more nobody can be taken.
    for _ in range(server.adj.backlog):
        if time.monotonic() >= until or not select.select([server.socket], [], [], 0)[0]:
            break
        server.handle_accept()
    # The server itself would close what wakes the loop, too.
    dispatcher.close(server)
    while any(each.is_busy() for each in list(server.active_channels.values())):
        if time.monotonic() >= until:
            break
        loop(timeout=0.1, map=connections, count=1)
    return max(0.0, until - time.monotonic())


def _answer_during(work: Callable[[], None], server: Any, connections: dict[int, Any]) -> None:
    """Let the server answer until `work` is done, which gets a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        future.add_done_callback(lambda _: server.pull_trigger())
        while not future.done():
            loop(timeout=1, map=connections, count=1)
        future.result()


@contextmanager
def _commands_taken(database: "DB", path: Path | None) -> Iterator[Callable[[], None]]:
    """Carry out what ``kofactl`` asks for at the socket `path`; gives the function that ends it.

    What is under way at the end of the block has a few seconds.  Where no socket can be made the
    portal answers all the same.
    """
    from waeup.kofa.api.local import LocalServer

    if path is None:
        yield lambda: None
        return
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


def _end_loop() -> NoReturn:
    """End waitress' loop, which lets this exception pass."""
    raise ExitNow
