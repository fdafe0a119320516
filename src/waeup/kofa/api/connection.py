"""The way to the HTTP API of a portal elsewhere: its address, certificates, and further tries.

What is asked for once is done once, also when an answer is lost and the request is sent again:
one that changes something has an ``Idempotency-Key``, by which the portal knows it.  Nothing is
sent to any address but the one that was given, and the token is in no message and no log.
"""

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from waeup.kofa.api import problems
from waeup.kofa.api.route import ROOT
from waeup.kofa.errors import (
    KofaError,
    NoSuchItem,
    NotAllowed,
    NotUnderstood,
    PortalGone,
    Refused,
    TooLarge,
)

#: Seconds in which the portal must have taken a connection.
CONNECTING = 10.0
#: Seconds in which it must have begun to answer, or to send more: to what is read, and to others.
READING, CHANGING = 60.0, 3600.0
#: Seconds for which a request is sent again and again, from the first time on.
PATIENCE = 90.0
#: The same while the portal has never answered: the address may be wrong.
FIRST_PATIENCE = 3.0
#: Seconds before the second try; each further one waits twice as long, up to the second number.
PAUSE, LONGEST_PAUSE = 0.5, 8.0
#: Seconds of waiting from which on that is told.
TOLD_FROM = 3.0
#: The media type of a stream of events.
EVENTS = "text/event-stream"

#: What a proxy says when it cannot reach the portal, or the portal in passing.
_PASSING = frozenset({429, 502, 503, 504})
#: Problems with such a status that do not pass by themselves.
_LASTING = frozenset({"under-maintenance"})
_VISIBLE = re.compile(r"[!-~]{1,1000}", re.ASCII)


class Later(Exception):
    """What was asked for cannot be had now, but perhaps in so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Body:
    """What is sent: bytes, or an open file from its place on, `size` bytes of the media `kind`."""

    def __init__(self, content: Any, size: int, kind: str) -> None:
        self.size = size
        self.kind = kind
        self._content = content
        self._start = None if isinstance(content, bytes) else content.tell()

    def content(self) -> Any:
        """Return what is to be sent, from the beginning."""
        if self._start is not None:
            self._content.seek(self._start)
        return self._content


def base_of(url: str, *, insecure_http: bool = False) -> str:
    """Return the address of a server without a slash at the end; raises `Refused`.

    Without encryption everybody on the way sees the token: that is allowed on the machine itself,
    or with `insecure_http`.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or not _VISIBLE.fullmatch(url):
        raise Refused(
            f"{url!r} is no address of a portal. Give one such as https://kofa.example.org."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise Refused(
            "The address of a portal has neither a user nor a query. Give one such as "
            "https://kofa.example.org; who acts is said by the token."
        )
    if parts.scheme == "http" and not insecure_http and not _is_here(host):
        raise Refused(
            f"{url} is not encrypted: everybody on the way could read the token. Give the address "
            "with https; --insecure-http allows it all the same, such as in a closed network."
        )
    return url.rstrip("/").removesuffix(ROOT)


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_token(text: str) -> str:
    """Return a token without white space around it; raises `Refused`, which does not show it."""
    token = text.strip()
    if not token.startswith("kofa_") or not _VISIBLE.fullmatch(token):
        raise Refused(
            "What was given as the token is none: it begins with kofa_, and is one word. People "
            "make tokens on the page of their account."
        )
    return token


class Connection:
    """The connection to the portal at `base` (see `base_of`), with a token.

    `ca_file` has the certificates of the authorities that are trusted; without it those of the
    system are.  `tell` is called with what a person who waits should know.
    """

    def __init__(
        self,
        base: str,
        token: str,
        *,
        ca_file: Path | None = None,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.base = base
        self._tell = tell
        self._token = require_token(token)
        self._has_answered = False
        if ca_file is not None and not ca_file.is_file():
            raise NoSuchItem(f"There is no file {ca_file} with certificates. Name one that is.")
        self._pool = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            ca_certs=None if ca_file is None else str(ca_file),
            socket_options=_socket_options(),
            # A stream of events, and what is asked for meanwhile.
            maxsize=2,
        )

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.clear()

    @contextmanager
    def asked(
        self,
        method: str,
        target: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        patient: bool = False,
        streamed: bool = False,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Give the answer to a request that was carried out; `target` is path and query.

        One that is `repeatable` is sent again when no answer came, or the portal asks for that.
        With `patient` the answer may take long.  All of it is there, but of one that is
        `streamed`: that is to be read, and raises `HTTPError` when the line breaks.

        Raises the error that a problem tells of, `NotUnderstood`, `PortalGone`, and `Refused` for
        another certificate, or address.
        """
        until = time.monotonic() + (PATIENCE if self._has_answered else FIRST_PATIENCE)
        pause = PAUSE
        while True:
            try:
                response = self._sent(
                    method,
                    target,
                    body,
                    headers or {},
                    silence=CHANGING if patient else READING,
                    streamed=streamed,
                )
                failed = self._problem(response)
            except (SSLError, LocationParseError) as error:
                raise self._untrusted(error)
            except HTTPError as error:
                is_sent = not isinstance(error, NewConnectionError | ConnectTimeoutError)
                failed, wait = self.gone(error, is_sent=is_sent and method != "GET"), pause
                is_over = is_sent and not repeatable
            else:
                if failed is None:
                    break
                wait = self._wait(response, failed, pause)
                # Of what was too much nothing was carried out.
                is_over = wait < 0 or not (repeatable or response.status == 429)
            if is_over or time.monotonic() + wait > until:
                raise failed
            if wait >= TOLD_FROM:
                self._tell(
                    f"The portal is busy, or does not answer. The next try is in {wait:.0f} s."
                )
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)
        try:
            yield response
        finally:
            # What was not read is of no use to the next request.
            response.close()

    @contextmanager
    def listening(
        self, target: str, headers: Mapping[str, str], *, silence: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Give the answer to a request for a stream of events, which is sent once.

        It is to be read, and raises `HTTPError` when the line breaks, or nothing comes for
        `silence` seconds.  Raises `Later`, and what `asked` does.
        """
        sent = {"Accept": f"{EVENTS}, application/problem+json;q=0.1", **headers}
        response = self._sent("GET", target, None, sent, silence=silence, streamed=True)
        try:
            failed = self._problem(response)
            if failed is not None:
                wait = self._wait(response, failed, PAUSE)
                raise failed if wait < 0 else Later(wait)
            if response.headers.get("Content-Type", "").partition(";")[0].strip() != EVENTS:
                raise _unknown(self.base, response)
            yield response
        finally:
            response.close()

    def _sent(
        self,
        method: str,
        target: str,
        body: Body | None,
        headers: Mapping[str, str],
        *,
        silence: float,
        streamed: bool,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, and return what comes back, whatever it is.

        It is to begin, and to go on, in `silence` seconds.
        """
        sent = {
            "Accept": "application/json, application/problem+json, */*;q=0.1",
            "Authorization": f"Bearer {self._token}",
            "User-Agent": "kofactl",
            **headers,
        }
        content = None
        if body is not None:
            content = body.content()
            sent |= {"Content-Type": body.kind, "Content-Length": str(body.size)}
        return self._pool.request(
            method,
            self.base + target,
            body=content,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=not streamed,
            timeout=urllib3.Timeout(connect=CONNECTING, read=silence),
        )

    def gone(self, error: Exception, *, is_sent: bool = False) -> PortalGone:
        """Return what tells that the portal does not answer, because of an error of the line."""
        reason = _reason(error)
        if not is_sent:
            return PortalGone(
                f"The portal at {self.base} does not answer: {reason}. Compare the address, look "
                "whether the portal runs, and repeat the command."
            )
        return PortalGone(
            f"The connection to the portal at {self.base} was lost: {reason}. What the portal had "
            "accepted goes on there; look with `kofactl runs` and `kofactl ls` at what was done, "
            "and repeat the command if it was not."
        )

    def _untrusted(self, error: HTTPError) -> KofaError:
        if isinstance(_cause(error), ssl.SSLEOFError):
            return self.gone(error)
        return Refused(
            f"The portal at {self.base} cannot be trusted: {_reason(error)}. Compare the address; "
            "where the certificate is of an authority of your own, name its file with --ca-file."
        )

    def _problem(self, response: urllib3.BaseHTTPResponse) -> KofaError | None:
        """Return what is wrong with an answer, which is read then; None when nothing is."""
        if 200 <= response.status < 300:
            self._has_answered = True
            return None
        try:
            text = response.data
        finally:
            response.release_conn()
        if 300 <= response.status < 400:
            place = response.headers.get("Location", "elsewhere")
            return Refused(
                f"The portal at {self.base} leads to {place[:200]!r}, and kofactl does not "
                "follow: the token would go there. If that is the portal, name its address with "
                "--url."
            )
        members = _members(text)
        if "code" not in members:
            return _unknown(self.base, response)
        if members["code"] == "no-token":
            return NotAllowed(
                f"The portal at {self.base} does not take the token: it is mistyped, revoked or "
                "expired, or its account is suspended. People make tokens on the page of their "
                "account."
            )
        self._has_answered = True
        error = problems.error_of(members)
        error.code = members["code"]  # type: ignore[attr-defined]
        return error

    @staticmethod
    def _wait(response: urllib3.BaseHTTPResponse, error: KofaError, pause: float) -> float:
        """Return after how many seconds to try again, a negative number for not at all."""
        if response.status not in _PASSING or getattr(error, "code", "") in _LASTING:
            return -1
        text = response.headers.get("Retry-After", "")
        return max(pause, float(text)) if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) else pause


def _members(text: bytes) -> dict[str, Any]:
    """Return the members of a JSON object, none for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _unknown(base: str, response: urllib3.BaseHTTPResponse) -> KofaError:
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if response.status in (502, 503, 504):
        return PortalGone(
            f"The portal at {base} does not answer: what stands before it says {response.status}. "
            "Look whether the portal runs, and repeat the command."
        )
    if response.status == 413:
        return TooLarge(
            f"What stands before the portal at {base} does not let so large a request pass. Have "
            "its limit raised."
        )
    return NotUnderstood(
        f"What answers at {base} is no portal with an HTTP API, or an older one (status "
        f"{response.status}, {kind[:80] or 'nothing'}). Compare the address: it is that of the "
        "server, such as https://kofa.example.org."
    )


def _reason(error: Exception) -> str:
    """Return in a few words what happened to a connection."""
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return f"nobody has answered in {CONNECTING:.0f} seconds"
    if isinstance(error, ReadTimeoutError):
        return "it kept silent for too long"
    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        return "the name of the host is not known"
    if isinstance(error, ProtocolError) and not isinstance(cause, OSError):
        return "the connection ended too early"
    text = getattr(cause, "strerror", None) or getattr(cause, "verify_message", None)
    return str(text or cause or type(error).__name__).partition("\n")[0][:200]


def _cause(error: Exception) -> Any:
    """Return what is behind an error of urllib3."""
    return error.__cause__ or (error.args[-1] if error.args else None)


def _socket_options() -> list[tuple[int, int, int]]:
    """Return options of connections, so that it is noticed in two minutes when one is dead."""
    options = [*HTTPConnection.default_socket_options]
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options  # type: ignore[return-value]
