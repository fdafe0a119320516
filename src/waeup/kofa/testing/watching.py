"""What tests see of hooks at work: events, and the ends of transactions."""

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import transaction
import zope.event
from zope.interface.interfaces import IObjectEvent

from waeup.kofa.importing.filerules import FileRule

#: Number and values of a row; None where its cells are not good.
Seen = tuple[int, Mapping[str, Any] | None]


@contextmanager
def failing_late(processor: Any, hook: str) -> Iterator[None]:
    """Within this block `hook` does its work, and then raises an exception."""
    real = getattr(type(processor), hook)

    def failing(self: Any, *args: Any, **kw: Any) -> Any:
        real(self, *args, **kw)
        raise ValueError("this row fails late")

    with mock.patch.object(type(processor), hook, failing):
        yield


@contextmanager
def listening() -> Iterator[list[Any]]:
    """Give a list that takes the events of objects that are fired within this block."""
    events: list[Any] = []

    def listen(event: Any) -> None:
        if IObjectEvent.providedBy(event):
            events.append(event)

    zope.event.subscribers.append(listen)
    try:
        yield events
    finally:
        zope.event.subscribers.remove(listen)


class Witness(FileRule):
    """A rule over a whole file that keeps what rules get to see; it finds nothing wrong."""

    def __init__(self, seen: list[Seen]) -> None:
        # A list of its own would be copied for each file.
        self._take = seen.append

    def see(self, number: int, row: Mapping[str, Any]) -> None:
        """See `FileRule`."""
        self._take((number, row))

    def miss(self, number: int) -> None:
        """See `FileRule`."""
        self._take((number, None))


@contextmanager
def with_file_rules(processor: Any, *rules: Any) -> Iterator[None]:
    """Within this block a processor has these rules over whole files, and no others."""
    with mock.patch.object(type(processor), "file_rules", rules):
        yield


@contextmanager
def at_end_of(rule: Any, look: Callable[[Any], object]) -> Iterator[None]:
    """Within this block `look` is called with a rule over a whole file, in place of its `end`."""

    def end(self: Any) -> Iterable[Any]:
        look(self)
        return ()

    with mock.patch.object(type(rule), "end", end):
        yield


@contextmanager
def told_by(rule: Any) -> Iterator[list[Any]]:
    """Give a list that takes what `end` of a rule returns, in place of the portal."""
    told: list[Any] = []
    real = type(rule).end

    def take(own: Any) -> None:
        found = real(own)
        # A generator has to be asked before the rule is closed.
        told.append(list(found) if isinstance(found, Iterable) else found)

    with at_end_of(rule, take):
        yield told


class _Watch:
    """Sees when a transaction ends or begins; see `transaction.interfaces.ISynchronizer`."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def beforeCompletion(self, txn: Any) -> None:
        self._note("ended")

    def afterCompletion(self, txn: Any) -> None:
        self._note("ended")

    def newTransaction(self, txn: Any) -> None:
        self._note("begun")

    def _note(self, what: str) -> None:
        if not self.seen:
            frames = [
                frame
                for frame in traceback.extract_stack()
                if "transaction" not in os.path.dirname(frame.filename).split(os.sep)
            ]
            frame = frames[-3]
            self.seen += [what, f"{frame.name} ({frame.filename}, line {frame.lineno})"]


@contextmanager
def watched() -> Iterator[list[str]]:
    """Give a list that stays empty as long as nobody ends the transaction in this block."""
    watch = _Watch()
    transaction.manager.registerSynch(watch)
    watch.seen.clear()
    try:
        yield watch.seen
    finally:
        transaction.manager.unregisterSynch(watch)
