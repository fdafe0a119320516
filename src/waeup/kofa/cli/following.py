"""Follows a run to its end: orders it, shows how far it is, and lets Ctrl-C cancel it.

Where a portal has the database for itself, its workers do the work; otherwise a thread of this
process does, unless a worker of another process was quicker.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from waeup.kofa.cli.screen import complain, progress_bar
from waeup.kofa.cli.telling import ways
from waeup.kofa.errors import Fault, ItemBusy, PortalGone, Refused, WrongState
from waeup.kofa.i18n import english

if TYPE_CHECKING:
    from waeup.kofa.api.client import Client
    from waeup.kofa.operations import Operations, RunInfo

#: Seconds between the first two looks at a run, and between later ones.
FIRST_INTERVAL, INTERVAL = 0.02, 0.3
#: How often an order is repeated that others were in the way of, and seconds between.
ATTEMPTS, PAUSE = 5, 0.05


class Cancelled(KeyboardInterrupt):
    """A run was cancelled; the message says what can be done with it."""

    def __init__(self, run: "RunInfo") -> None:
        self.run = run
        if run.actions:
            text = f"The {run.title} was cancelled after {run.rows:,} rows. {ways(run)}"
        else:
            text = f"The {run.title} was cancelled before it changed anything."
        super().__init__(text)


class Unfinished(Fault):
    """A run was left before its end; the message says how it goes on."""

    def __init__(self, run: "RunInfo", text: str) -> None:
        self.run = run
        super().__init__(text)


def complete(operations: "Operations", start: Callable[[], "RunInfo"]) -> "RunInfo":
    """Order a run by `start`, follow it, and return it when it is finished.

    Raises `Refused` when nothing could be done, `Unfinished`, and `Cancelled`.
    """
    return finished(follow(operations, start))


def finished(run: "RunInfo") -> "RunInfo":
    """Return a run that is over, if it is finished; raises what `complete` does."""
    if run.state == "stopped":
        raise Unfinished(run, f"The {run.title} has stopped. {run.fault} {ways(run)}")
    if run.state == "cancelled":
        if run.fault:
            raise Refused(run.fault)
        raise Cancelled(run)
    return run


def follow(operations: "Operations", start: Callable[[], "RunInfo"]) -> "RunInfo":
    """Order a run by `start`, follow it, and return it when nobody works on it any more.

    Ctrl-C, or SIGTERM, cancels it; a second one ends the process.  Raises `Unfinished` when the
    portal, or the thread that works on it, has ended before.
    """
    with _heeded() as is_asked:
        run = ordered(start)
        try:
            with _worker(operations, run.id) as is_alive:
                return _watch(operations, run, is_asked, is_alive)
        except PortalGone as error:
            if is_elsewhere(operations):
                raise Unfinished(
                    run,
                    f"{error} The {run.title} goes on there: `kofactl runs {run.id}` tells how "
                    "far it is.",
                )
            raise Unfinished(
                run,
                f"The portal has ended. The {run.title} goes on when it starts again; "
                f"`kofactl runs {run.id}` tells how far it is. Where the portal is not to start, "
                f"`kofactl resume {run.id}` leads it to its end.",
            )


def _watch(
    operations: "Operations",
    run: "RunInfo",
    is_asked: Callable[[], bool],
    is_alive: Callable[[], bool],
) -> "RunInfo":
    """Look at a run again and again until it is over; show how far it is."""
    told, is_cancelling = "", False
    with _looks(operations, run) as look, progress_bar(run.file) as show:
        while run.is_active:
            if is_asked() and not is_cancelling:
                is_cancelling = _cancel(operations, run)
            if run.waits_for not in ("", told):
                told = run.waits_for
                complain(f"It waits for the {english(told)}, which was ordered before.")
            show(run)
            was_alive = is_alive()
            run = look()
            if run.is_active and not was_alive:
                raise Unfinished(
                    run,
                    f"The {run.title} has come to a halt, and its state could not be stored. Look "
                    f"at free space and at the disk; then `kofactl resume {run.id}` leads it to "
                    "its end.",
                )
    return run


def ordered(start: Callable[[], "RunInfo"]) -> "RunInfo":
    """Order a run by `start` and commit; begin anew when others were in the way."""
    import transaction
    from transaction.interfaces import TransientError

    from waeup.kofa.transactional import give_way

    attempt = 0
    while True:
        try:
            run = start()
            transaction.commit()
            return run
        except TransientError:
            transaction.abort()
            attempt += 1
            if attempt == ATTEMPTS:
                raise
        give_way(attempt, PAUSE)


@contextmanager
def _looks(operations: "Operations", run: "RunInfo") -> Iterator[Callable[[], "RunInfo"]]:
    """Give the function that tells how a run is, after a while in which it may have gone on."""
    if is_elsewhere(operations):
        with cast("Client", operations).followed(run) as followed:
            yield lambda: followed.news(INTERVAL)
        return
    import transaction

    pause = FIRST_INTERVAL

    def look() -> "RunInfo":
        nonlocal pause
        time.sleep(pause)
        pause = min(1.5 * pause, INTERVAL)
        transaction.begin()
        return operations.run(run.id)

    yield look


def _cancel(operations: "Operations", run: "RunInfo") -> bool:
    """Let a run end at its next batch; tell whether that was heard."""
    import transaction
    from transaction.interfaces import TransientError

    try:
        operations.cancel(run.id)
        transaction.commit()
    except WrongState:
        # It has just come to its end, or somebody else has cancelled it.
        transaction.abort()
    except (ItemBusy, TransientError):
        # The worker was quicker with its batch.
        transaction.abort()
        return False
    complain(f"Cancelling the {run.title}. Stop again to end at once; it can go on later.")
    return True


def is_elsewhere(operations: "Operations") -> bool:
    """Tell whether a portal of another machine carries out the operations."""
    from waeup.kofa.api.remote import Elsewhere

    return isinstance(operations, Elsewhere) and not operations.is_here


@contextmanager
def _worker(operations: "Operations", id: str) -> Iterator[Callable[[], bool]]:
    """Work on a run in a thread, unless a portal does; gives the function that tells if it lives.

    Where others share the database a worker of theirs may be quicker; its work is waited for.  At
    the end of the block the thread ends with its batch.
    """
    from waeup.kofa.api.remote import Elsewhere

    if isinstance(operations, Elsewhere):
        yield lambda: True
        return
    from zope.traversing.api import getPath

    from waeup.kofa import claims
    from waeup.kofa.jobs import new_holder, work_off

    database, path = operations.site._p_jar.db(), getPath(operations.site)
    is_shared = claims.is_shared()
    stopping = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            work_off(database, path, id, new_holder(), stopping.is_set, is_shared=is_shared)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="kofa run", daemon=True)
    thread.start()
    try:
        yield thread.is_alive
    except Unfinished as fault:
        # What the thread died of is in the log of kofactl.
        raise fault from (errors[0] if errors else None)
    finally:
        stopping.set()
        thread.join()


@contextmanager
def _heeded() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C, or SIGTERM, be a wish; a second one ends the process at once.

    Gives the function that tells whether there was one.  To be ended at once does no harm: what
    was committed stays, and what was not is taken back.
    """
    asked = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        for each in signals:
            signal.signal(each, signal.SIG_DFL)

    former: dict[int, Any] = {number: signal.signal(number, ask) for number in signals}
    try:
        yield asked.is_set
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
