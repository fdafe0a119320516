"""Around the gate: who watches the portal is answered, and requests are measured.

A WSGI filter.  Who asks for the health of the process (`waeup.kofa.deployment.health`) is answered
here: without the publisher, which may be what is ill, without a session, and without words about
what is wrong.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from waeup.kofa import journal, meters
from waeup.kofa.cli.gate import Application, Environment, StartResponse, secured
from waeup.kofa.deployment.health import Health

log = logging.getLogger("waeup.kofa.requests")


class Watched:
    """The filter around `application`.

    With `requests_logged` each request has an entry in the log: method, path, status and time,
    but neither query nor person.
    """

    def __init__(
        self, application: Application, health: Health, *, requests_logged: bool = False
    ) -> None:
        self._application = application
        self._health = health
        self._requests_logged = requests_logged

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        method, path = environment["REQUEST_METHOD"], environment.get("PATH_INFO", "")
        found = None
        if method in ("GET", "HEAD"):
            found = self._health.answer(path, detailed=False)
        if found is None:
            return self._measured(environment, start_response, method, path)
        headers = [
            ("Content-Type", found.content_type),
            ("Content-Length", str(len(found.body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(found.status, secured(headers))
        return [] if method == "HEAD" else [found.body]

    def _measured(
        self, environment: Environment, start_response: StartResponse, method: str, path: str
    ) -> Iterable[bytes]:
        """Let the portal answer; its time ends where its answer begins to be sent."""
        began, status = time.monotonic(), 500

        def start(line: str, *more: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, *more)

        try:
            return self._application(environment, start)
        finally:
            seconds = time.monotonic() - began
            meters.request(method, status, seconds)
            if self._requests_logged:
                self._log(method, path, status, seconds)

    def _log(self, method: str, path: str, status: int, seconds: float) -> None:
        facts = {
            "method": journal.escape_message(method),
            "path": quote(path.encode("latin-1", "replace"), safe="/:@+[]"),
            "status": status,
            "seconds": round(seconds, 4),
        }
        log.info("%s %s %d %.3f s", *facts.values(), extra=facts)
