"""How a run goes on, as a stream of events (Server-Sent Events) that needs no asking again.

A stream takes a thread of the server.  So it ends by itself after a while, when a client comes
again by the rules of such streams, and there are only so many at a time.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from werkzeug.wrappers import Response

from waeup.kofa.api import answers, plain
from waeup.kofa.api.context import Context, Handler
from waeup.kofa.api.plain import Parts
from waeup.kofa.api.problems import Refusal, body_of
from waeup.kofa.operations import RunInfo
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA

#: Seconds for which a stream goes on, and until a sign of life.
LASTS, SILENCE = 25.0, 10.0
#: Seconds between the first two looks at a run, and between later ones: many runs are short.
FIRST_PAUSE, PAUSE = 0.05, 1.0
#: Milliseconds after which a client comes again.
RETRY = 1000
#: What an event tells of a run that is not over.
SHOWN = (
    "id",
    "state",
    "rows",
    "failed",
    "fraction",
    "rate",
    "remaining",
    "is_looking",
    "is_cancelling",
)


#: What else a client can do that gets no stream.
_ASK = "ask for the run itself now and then"


class Streams:
    """The streams of a process, of which there are `most` at a time.

    What takes a thread for as long without being one has a place among them, too.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._lock = threading.Lock()
        self._end = threading.Event()

    def enter(self, otherwise: str = _ASK, *, least: int = 0) -> None:
        """Take a place, of which there are so many at `least`.

        Raises `Refusal` when there is none; it says what to do `otherwise`.
        """
        with self._lock:
            if self._count >= max(self._most, least) or self._end.is_set():
                raise Refusal(
                    "too-many-streams",
                    f"{self._most} streams and exports at once are possible at a time. Come "
                    f"again, or {otherwise}.",
                )
            self._count += 1

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self._count -= 1

    def stop(self) -> None:
        """Let all streams end, and no other one begin."""
        self._end.set()

    def wait(self, seconds: float) -> bool:
        """Wait; tell whether all streams are to end."""
        return self._end.wait(seconds)


def show_events(context: Context) -> Response:
    """Stream how a run goes on, as Server-Sent Events.

    `progress` comes when state or counters have changed, `end` when the run is over, with all
    that is known of it; both are JSON. A client that knows the `end` already, by the header
    `Last-Event-ID`, is answered with 204. The stream ends after some 25 seconds, and a client
    comes again.
    """
    id = context.variables["id"]
    run = context.carry_out(lambda operations: operations.run(id), reading=True)
    known = context.request.headers.get("Last-Event-ID", "")
    if not run.is_active and known == _event(run)[0]:
        return answers.empty_answer()
    stream = _Stream(context, run, known)
    response = Response(stream, mimetype="text/event-stream", direct_passthrough=True)
    response.headers["Cache-Control"] = "no-store"
    # Proxies must not wait for the end, either.
    response.headers["X-Accel-Buffering"] = "no"
    return response


class _Stream:
    """The events; the server closes it, also when nobody reads to the end, or at all."""

    def __init__(self, context: Context, run: RunInfo, known: str) -> None:
        self._context = context
        self._run = run
        self._known = known
        self._is_open = True
        context.streams.enter()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._events()
        finally:
            self.close()

    def close(self) -> None:
        """Give the place of the stream back."""
        if self._is_open:
            self._is_open = False
            self._context.streams.leave()

    def _events(self) -> Iterator[bytes]:
        run, known = self._run, self._known
        began = told = time.monotonic()
        # Who comes again has seen the beginning.
        pause = PAUSE if known else FIRST_PAUSE
        yield f"retry: {RETRY}\n\n".encode()
        while True:
            id, name, data = _event(run)
            if id != known or name == "end":
                yield f"id: {id}\nevent: {name}\ndata: {data}\n\n".encode()
                known, told = id, time.monotonic()
            if name == "end" or time.monotonic() - began >= LASTS:
                return
            if self._context.streams.wait(pause):
                return
            pause = min(1.5 * pause, PAUSE)
            if time.monotonic() - told >= SILENCE:
                yield b": still here\n\n"
                told = time.monotonic()
            try:
                run = self._look()
            except Exception as error:
                error, reference = answers.noted(error, self._context.request, self._context.user)
                body = body_of(error, base=self._context.base, reference=reference)
                text = json.dumps(body)
                yield f"event: problem\ndata: {text}\n\n".encode()
                return

    def _look(self) -> RunInfo:
        """Return how the run is now; whether the token still counts is asked anew."""
        id = self._run.id
        return self._context.carry_out(lambda operations: operations.run(id), reading=True)


def _event(run: RunInfo) -> tuple[str, str, str]:
    """Return id, name and data of the event that tells how a run is."""
    data: Any = plain.dump(run, RunInfo)
    name = "progress" if run.is_active else "end"
    if run.is_active:
        data = {member: data[member] for member in SHOWN}
    told = {member: data[member] for member in SHOWN if member not in ("rate", "remaining")}
    id = hashlib.sha256(plain.to_text(told)).hexdigest()[:16]
    return id, name, plain.to_text(data).decode("utf-8")


def _described(parts: Parts) -> dict[str, Any]:
    return {
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "The id of the last event that the client has.",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "200": {
                "description": "The events.",
                "content": {"text/event-stream": {"schema": {}}},
            },
            "204": {"description": "The client knows the end of the run already."},
        },
    }


HANDLERS = (
    Handler(
        "GET",
        "/runs/{id}/events",
        "run_events",
        "Runs",
        show_events,
        permission=(IMPORT_DATA, EXPORT_DATA),
        is_reading=True,
        described=_described,
    ),
)
