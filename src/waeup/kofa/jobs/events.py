"""What runs tell the portal; see the contracts in `waeup.kofa.interfaces`."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import transaction
from transaction.interfaces import TransientError
from zope.component.hooks import site as site_set
from zope.event import notify
from zope.interface import implementer

from waeup.kofa.importing.atfault import code_at_fault
from waeup.kofa.importing.report import FAILED, RowResult
from waeup.kofa.interfaces import (
    IBatchDoneEvent,
    IRunBegunEvent,
    IRunEndedEvent,
    IRunOrderedEvent,
    IRunOverEvent,
    IRunResumedEvent,
)
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.jobs.record import Run
from waeup.kofa.jobs.sitecode import Hold

log = logging.getLogger(__name__)

#: How often the end of a run is repeated whose subscribers say that others are in the way.
REPEATS = 2
#: Id of a run that has not ended yet -> how often its end was repeated for subscribers.
_repeats: Counter[str] = Counter()
#: Ids of runs that end without a savepoint, for none can be had.
_without_savepoint: set[str] = set()


class RunEvent:
    """Something that happens to a run."""

    def __init__(self, run: Run) -> None:
        self.run = run


@implementer(IRunOrderedEvent)
class RunOrderedEvent(RunEvent):
    """See `IRunOrderedEvent`."""


@implementer(IRunBegunEvent)
class RunBegunEvent(RunEvent):
    """See `IRunBegunEvent`."""


@implementer(IRunResumedEvent)
class RunResumedEvent(RunEvent):
    """See `IRunResumedEvent`."""


@implementer(IBatchDoneEvent)
class BatchDoneEvent(RunEvent):
    """See `IBatchDoneEvent`; `results` are those of the rows of the batch."""

    def __init__(
        self, run: Run, counts: Mapping[str, int], results: Iterable[RowResult] = ()
    ) -> None:
        super().__init__(run)
        self.counts = dict(counts)
        self.failed = {
            result.number: result.reason or "" for result in results if result.outcome == FAILED
        }


@implementer(IRunEndedEvent)
class RunEndedEvent(RunEvent):
    """See `IRunEndedEvent`."""


@implementer(IRunOverEvent)
class RunOverEvent(RunEvent):
    """See `IRunOverEvent`."""

    def __init__(self, datacenter: Any, run: Run) -> None:
        super().__init__(run)
        self.datacenter = datacenter


class _Again(TransientError):
    """The transaction has to be repeated, without what has kept it from being stored."""


def tell_over(datacenter: Any, run: Run) -> None:
    """Notify that a run is over; a subscriber that fails does not keep it from its end.

    Raises `TransientError` when the transaction has to be repeated first, a few times at most.
    """
    transaction.get().addAfterCommitHook(_forget, (run.id,))
    if _repeats[run.id] > REPEATS:
        log.error("Nobody is told that the run %s is over: see above what has failed.", run.id)
        return
    savepoint = _savepoint(run)
    try:
        with Hold(), site_set(datacenter.__parent__), _guarded_hooks(run):
            notify(RunOverEvent(datacenter, run))
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        # Whatever was raised, the worker lives on.
        if _is_repeated(run, exc):
            raise
        _log_failed(run, exc)
        _take_back(savepoint, run)


@contextmanager
def _guarded_hooks(run: Run) -> Iterator[None]:
    """Let what is added in this block, to be called before a commit, keep no run from its end."""
    found = transaction.get()
    add = found.addBeforeCommitHook

    def add_guarded(hook: Callable[..., object], args: Any = (), kws: Any = None) -> None:
        add(_call_hook, (run, hook, args, kws or {}))

    # Of the object, not of its class, as a `Hold` has it.
    vars(found)["addBeforeCommitHook"] = add_guarded
    try:
        yield
    finally:
        del vars(found)["addBeforeCommitHook"]


def _call_hook(run: Run, hook: Callable[..., object], args: Any, kws: Any) -> None:
    """Call what a subscriber has added; where that fails, nobody is told anything next."""
    try:
        with Hold(), _guarded_hooks(run):
            hook(*args, **kws)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        if _is_repeated(run, exc):
            raise
        _log_failed(run, exc)
        _repeats[run.id] = REPEATS + 1
        raise _Again(run.id) from exc


def _is_repeated(run: Run, exc: BaseException) -> bool:
    """Tell whether the end is to be repeated, subscribers included.

    So it is when others were in the way, or the database is away, which may be that of a
    subscriber.
    """
    if not (isinstance(exc, TransientError) or is_away(exc)):
        return False
    _repeats[run.id] += 1
    return _repeats[run.id] <= REPEATS


def _log_failed(run: Run, exc: BaseException) -> None:
    code = code_at_fault(exc)
    log.error(
        "A subscriber of the end of the run %s has failed. It is %s.", run.id, code, exc_info=exc
    )


def _savepoint(run: Run) -> Any:
    """Return a savepoint, or None where none can be had, such as without temporary files."""
    if run.id in _without_savepoint:
        return None
    try:
        return transaction.savepoint(optimistic=True)
    except Exception as exc:
        if is_away(exc):
            raise
        # Nothing can be stored any more by a transaction whose savepoint has failed.
        log.exception("Before subscribers are told that the run %s is over:", run.id)
        _without_savepoint.add(run.id)
        raise _Again(str(exc)) from exc


def _take_back(savepoint: Any, run: Run) -> None:
    """Take back what subscribers have changed; where that fails, they are told nothing next."""
    try:
        if savepoint is not None:
            savepoint.rollback()
            return
    except Exception:
        log.exception("What was changed at the end of the run %s cannot be taken back.", run.id)
    _repeats[run.id] = REPEATS + 1
    raise _Again(run.id)


def _forget(is_committed: bool, id: str) -> None:
    if is_committed:
        _repeats.pop(id, None)
        _without_savepoint.discard(id)
