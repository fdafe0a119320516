"""Costly results that are made once for all who ask, at the same time or later.

Who asks while another thread makes the result waits for it, but not for long: people who
lose patience and ask again must not occupy one thread of a portal after the other.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from waeup.kofa.errors import Refused

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Shared(Generic[Arguments, Result]):
    """Calls `make` once for each list of hashable arguments, and keeps the last `most` results.

    A refusal is a result, too; after any other error the next one who asks tries again, and so
    after a result that `is_final` denies.  Waits up to `patience` seconds for what another thread
    makes, then raises `TimeoutError`.
    """

    def __init__(
        self,
        make: Callable[Arguments, Result],
        most: int,
        patience: float,
        is_final: Callable[[Result], bool] = lambda result: True,
    ) -> None:
        self._make = make
        self._most = most
        self._patience = patience
        self._is_final = is_final
        self._lock = Lock()
        self._known: OrderedDict[tuple[object, ...], Future[Result]] = OrderedDict()

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        key = (args, *sorted(kwargs.items()))
        with self._lock:
            future = self._known.get(key)
            if future is not None:
                self._known.move_to_end(key)
            is_mine = future is None
            if future is None:
                future = self._known[key] = Future()
                if len(self._known) > self._most:
                    self._known.popitem(last=False)  # who waits for it has it in hand
        if is_mine:
            self._fulfil(key, future, *args, **kwargs)
        error = future.exception(self._patience)
        if error is not None:
            # One object must not be raised by two threads, nor hold what they were doing.
            raise _copied(error)
        return future.result()

    def _fulfil(
        self,
        key: tuple[object, ...],
        future: "Future[Result]",
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        try:
            result = self._make(*args, **kwargs)
        except Refused as refusal:
            future.set_exception(_copied(refusal))
        except BaseException as error:
            self._forget(key, future)
            future.set_exception(_copied(error))
            raise
        else:
            if not self._is_final(result):
                self._forget(key, future)
            future.set_result(result)

    def _forget(self, key: tuple[object, ...], future: "Future[Result]") -> None:
        with self._lock:
            if self._known.get(key) is future:
                del self._known[key]


def _copied(error: BaseException) -> BaseException:
    """Return another object for an error, or the same where its class does not allow a copy."""
    try:
        return copy.copy(error)
    except Exception:
        return error
