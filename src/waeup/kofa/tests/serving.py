"""A WSGI application that is answered for by waitress, in a thread of the tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.wasyncore import close_all, loop

from waeup.kofa.tests.waiting import begun, joined


@contextmanager
def answering(
    application: Any, channel: type[HTTPChannel] = HTTPChannel, **options: Any
) -> Iterator[int]:
    """Serve `application` on 127.0.0.1 in a thread; gives the port.

    `channel` is the class of the connections, `options` are more settings of waitress.
    """
    connections: dict[int, object] = {}
    server = create_server(
        application, map=connections, host="127.0.0.1", port=0, threads=2, **options
    )
    server.channel_class = channel
    over = threading.Event()

    def answer() -> None:
        # waitress' own loop would go on with sockets that another thread closes.
        while not over.is_set():
            loop(timeout=1, map=connections, count=1)

    thread = begun(answer)
    try:
        yield server.effective_port
    finally:
        over.set()
        server.pull_trigger()
        joined(thread)
        server.task_dispatcher.shutdown()
        close_all(connections)
