"""A run of a portal elsewhere, as it goes on there.

It is told by a stream of events (`waeup.kofa.api.events`), which a thread hears, so that who
waits can stop at any time.  A stream that ends, or breaks, is begun again with the last thing that
was heard.  While there is none the run is asked for now and then: the portal has no room for more
streams, or is of an older release, or a proxy keeps back what comes in pieces.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from waeup.kofa.api import plain
from waeup.kofa.api.connection import Connection, Later
from waeup.kofa.api.eventstream import Event, EventStream
from waeup.kofa.api.route import ROOT
from waeup.kofa.errors import NotUnderstood

if TYPE_CHECKING:
    from waeup.kofa.operations import RunInfo

log = logging.getLogger(__name__)

#: Seconds in which a stream must have begun: what comes later was kept back on its way.
BEGINNING = 3.0
#: Seconds of silence by which a stream has broken; the portal gives signs of life more often.
SILENCE = 25.0
#: Seconds before a stream that has broken is begun again; each further time it is twice as long.
PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Seconds between the first two questions, and between later ones.
FIRST_INTERVAL, INTERVAL = 0.02, 1.0
#: Seconds in which the thread ends.
ENDING = 2.0
#: Bytes that are read at once.
BLOCK = 1 << 16

_VISIBLE = re.compile(r"[!-~]{1,200}", re.ASCII)


class Followed:
    """A `run` whose news are heard; `ask` asks for it. To be used in a ``with`` statement."""

    def __init__(
        self, connection: Connection, run: "RunInfo", ask: Callable[[], "RunInfo"]
    ) -> None:
        self._connection = connection
        self._run = run
        self._ask = ask
        self._target = f"{ROOT}/runs/{quote(run.id, safe='')}/events"
        self._members = plain.dump(run, type(run))
        self._told: SimpleQueue[RunInfo | None] = SimpleQueue()
        self._over = threading.Event()
        self._answer: BaseHTTPResponse | None = None
        self._known = ""
        # Until then what was told last counts.
        self._trusted_until = time.monotonic() + BEGINNING
        self._ask_from, self._interval = 0.0, FIRST_INTERVAL
        self._thread = threading.Thread(target=self._listen, name="kofactl events", daemon=True)

    def __enter__(self) -> "Followed":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._answer is not None:
            # Closing it would wait for what is being read.
            with suppress(OSError, RuntimeError, ValueError):
                self._answer.shutdown()
        self._thread.join(ENDING)

    def news(self, seconds: float) -> "RunInfo":
        """Return how the run is: at once when there are news, else after `seconds` at most.

        Raises what asking for it does.
        """
        pause = max(self._trusted_until, self._ask_from) - time.monotonic()
        try:
            told = self._told.get(timeout=min(seconds, max(pause, 0)))
        except Empty:
            told = None
        if told is None and time.monotonic() >= max(self._trusted_until, self._ask_from):
            told = self._ask()
            self._ask_from = time.monotonic() + self._interval
            self._interval = min(1.5 * self._interval, INTERVAL)
        if told is not None:
            self._run = told
        return self._run

    # -- in the thread ------------------------------------------------------------------

    def _listen(self) -> None:
        """Hear one stream after the other, until the run is over, or there can be none."""
        pause = PAUSE
        try:
            while not self._over.is_set():
                try:
                    wait = self._hear()
                except (HTTPError, OSError, Later) as error:
                    self._distrust()
                    wait = max(pause, error.seconds if isinstance(error, Later) else 0)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    pause = PAUSE
                    self._trusted_until = time.monotonic() + wait + BEGINNING
                self._over.wait(wait)
        except Exception as error:
            # What is wrong is told by the answer when the run is asked for, if that fails, too.
            log.info("No stream of events can be had: %r", error)
        self._distrust()

    def _distrust(self) -> None:
        """Let the run be asked for from now on."""
        self._trusted_until = 0.0
        self._told.put(None)

    def _hear(self) -> float:
        """Hear a stream to its end; return the seconds after which to come again.

        Raises `HTTPError` and `OSError` when it breaks, `Later` when there is none now, and other
        errors when there can be none.
        """
        headers = {"Last-Event-ID": self._known} if _VISIBLE.fullmatch(self._known) else {}
        asked, has_begun = time.monotonic(), False
        stream = EventStream()
        with self._connection.listening(self._target, headers, silence=SILENCE) as answer:
            self._answer = answer
            while not self._over.is_set() and (block := answer.read1(BLOCK, decode_content=True)):
                now = time.monotonic()
                if not has_begun and now > asked + BEGINNING:
                    raise NotUnderstood("The stream was kept back on its way.")
                has_begun, self._trusted_until = True, now + SILENCE
                for event in stream.feed(block):
                    self._take(event)
                self._known = stream.id or self._known
        if not has_begun:
            raise Later(PAUSE)
        return PAUSE if stream.retry is None else min(max(stream.retry, 0.1), LONGEST_PAUSE)

    def _take(self, event: Event) -> None:
        """Tell what an event says."""
        if event.name == "problem":
            raise Later(PAUSE)
        if event.name not in ("progress", "end"):
            return
        said = plain.from_text(event.data.encode("utf-8"))
        members: dict[str, Any] = said if isinstance(said, dict) else {}
        run = plain.load({**self._members, **members}, type(self._run), strict=False)
        if run.id != self._run.id or run.is_active != (event.name == "progress"):
            raise NotUnderstood("The stream tells of something else.")
        self._told.put(run)
        if event.name == "end":
            self._over.set()
