"""Sends one message: to an address that was checked, within a time, and hears what is answered.

The connection goes to a number that `addresses.destinations` gives, and the certificate must be
one of the name.  Nothing leads elsewhere: no redirection is followed, and no proxy of the
environment is asked.  Whatever the receiver does, it is over in time: a timer ends the connection
of one that answers a byte now and then.
"""

import contextlib
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from importlib.metadata import version
from typing import NamedTuple

from waeup.kofa.errors import KofaError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.webhooks.addresses import (
    Allowed,
    Place,
    Resolve,
    destinations,
    place_of,
    resolved,
)

#: Seconds until there is a connection, and until all is over.
CONNECT, WHOLE = 5.0, 10.0
#: Bytes of an answer that are read, and characters that are kept.
READ, KEPT = 64 << 10, 1024
#: What stands for a secret that a receiver sends back.
HIDDEN = "***"


class Answer(NamedTuple):
    """What came of an attempt.

    `status` is that of the answer, None where there was none; `text` its beginning; `error` says
    what was wrong without an answer.  `wait` are seconds that the receiver wants to be left alone.
    """

    status: int | None = None
    text: str = ""
    error: str = ""
    wait: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the message has arrived."""
        return self.status is not None and 200 <= self.status < 300


class TooLate(Exception):
    """The time is over."""


def send(
    address: str,
    body: bytes,
    headers: dict[str, str],
    *,
    allowed: Allowed,
    secrets: Collection[str] = (),
    now: datetime,
    resolve: Resolve = resolved,
    connect: float = CONNECT,
    whole: float = WHOLE,
) -> Answer:
    """Send a message by POST; raises nothing that a receiver, or the way there, has caused.

    `secrets` are texts that are not kept if the receiver sends them back.
    """
    deadline = time.monotonic() + whole
    try:
        place = place_of(address, allowed)
        numbers = _in_time(lambda: destinations(place, allowed, resolve), min(connect, whole))
        reached = min(time.monotonic() + connect, deadline)
        with _reached(numbers, place, reached) as (sock, raw):
            connection = HTTPConnection(place.host, place.port)
            connection.sock, connection.auto_open = sock, 0
            with _ended_at(deadline, sock, raw):
                connection.request(
                    "POST",
                    place.target,
                    body,
                    {
                        "Host": place.netloc,
                        "User-Agent": f"waeup.kofa/{version('waeup.kofa')}",
                        "Content-Type": "application/json",
                        "Accept": "*/*",
                        "Accept-Encoding": "identity",
                        "Connection": "close",
                        **headers,
                    },
                )
                with connection.getresponse() as response:
                    if time.monotonic() >= deadline:
                        # Headers that the end of the time has cut off are no answer.
                        raise TooLate
                    return Answer(
                        response.status,
                        kept_text(_read(response), secrets),
                        wait=wait_of(response.getheader("Retry-After"), now),
                    )
    except KofaError as error:
        return Answer(error=str(error))
    except (TooLate, HTTPException, OSError, ValueError) as error:
        if isinstance(error, TooLate | TimeoutError) or time.monotonic() >= deadline:
            text_ = _("There was no answer within ${n} seconds.", mapping={"n": f"{whole:g}"})
            return Answer(error=english(text_))
        return Answer(error=_words(error))


def kept_text(content: bytes, secrets: Collection[str] = ()) -> str:
    """Return of an answer what is kept: its beginning, without what is secret or no text."""
    text = content.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = "".join(c if _is_text(c) else " " for c in text[:KEPT])
    return text.strip()


def _is_text(character: str) -> bool:
    return character in "\n\t " or unicodedata.category(character)[0] not in "CZ"


def wait_of(text: str | None, now: datetime) -> float | None:
    """Return the seconds that a header Retry-After means; None for none, and for nonsense."""
    text = (text or "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max((moment - now).total_seconds(), 0.0)


@contextmanager
def _reached(
    numbers: list[str], place: Place, until: float
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give a socket to the first of some addresses that can be reached, and one to end it by."""
    last: Exception = OSError("no address")
    with contextlib.ExitStack() as stack:
        for number in numbers:
            left = until - time.monotonic()
            if left <= 0:
                raise TooLate
            try:
                sock = stack.enter_context(socket.create_connection((number, place.port), left))
                # That which is wrapped loses its number, and could not be ended meanwhile.
                raw = stack.enter_context(sock.dup())
                if place.scheme == "https":
                    with _ended_at(until, sock, raw):
                        context = ssl.create_default_context()
                        sock = stack.enter_context(
                            context.wrap_socket(sock, server_hostname=place.host)
                        )
            except OSError as error:
                last = TooLate() if time.monotonic() >= until else error
                continue
            yield sock, raw
            return
        raise last


@contextmanager
def _ended_at(deadline: float, sock: socket.socket, raw: socket.socket) -> Iterator[None]:
    """Let a connection end at a time, whatever is done with it in the block."""

    def end() -> None:
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)

    left = max(deadline - time.monotonic(), 0.001)
    sock.settimeout(left)
    timer = threading.Timer(left, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _read(response: HTTPResponse) -> bytes:
    """Return the beginning of an answer; a rest that does not come is left out."""
    found = b""
    # A status counts, whatever becomes of the rest of the answer.
    with contextlib.suppress(HTTPException, OSError, ValueError):
        while len(found) < READ and (part := response.read1(8192)):
            found += part
    return found[:READ]


def _in_time(ask: Callable[[], list[str]], seconds: float) -> list[str]:
    """Return an answer; raises `TooLate` when it takes longer, since resolvers have no limits."""
    found: list[list[str] | BaseException] = []

    def work() -> None:
        try:
            found.append(ask())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, name="kofa resolver", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TooLate
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _words(error: Exception) -> str:
    """Return for people why there was no answer."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in chain and len(chain) < 10:
        chain.append(each)
        each = each.__cause__ or each.__context__
    for found in chain:
        if isinstance(found, ssl.SSLCertVerificationError):
            text = _(
                "The certificate of the receiver is not valid (${reason}).",
                mapping={"reason": found.verify_message or found.reason},
            )
            return english(text)
        if isinstance(found, socket.gaierror):
            text = _("The name of the host cannot be resolved (${reason}).")
            return english(_(text, mapping={"reason": found.strerror or found}))
        if isinstance(found, OSError) and found.errno is not None:
            text = _("The receiver cannot be reached (${reason}).")
            return english(_(text, mapping={"reason": found.strerror or found}))
    return english(
        _(
            "The receiver gave no answer that can be understood (${reason}).",
            mapping={"reason": type(error).__name__},
        )
    )
