"""Work in a thread of its own: with transactions of its own, and nothing of the caller's."""

import threading
from collections.abc import Callable
from typing import Any


def in_own_thread(work: Callable[[], Any]) -> Any:
    """Do `work` in a thread, wait for its end, and return its result or raise its exception."""
    outcome: list[Any] = []

    def catch() -> None:
        try:
            outcome.extend([work(), None])
        except BaseException as exc:
            outcome.extend([None, exc])

    thread = threading.Thread(target=catch, name="kofa apart")
    thread.start()
    thread.join()
    result, error = outcome
    if error is not None:
        raise error
    return result
