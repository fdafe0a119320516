"""What the processes of a portal do alike, those that serve pages and those that only work.

::

    folders -> log -> components -> database -> presence among others -> work, until a signal
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.screen import say
from waeup.kofa.cli.session import SITE_NAME, configure, load_configuration
from waeup.kofa.deployment.conf import Configuration
from waeup.kofa.deployment.databases import PostgresDatabase

if TYPE_CHECKING:
    from ZODB.DB import DB

    from waeup.kofa.deployment.health import Health
    from waeup.kofa.jobs.duties import Task

log = logging.getLogger(__name__)

#: The path of the portal in the database.
SITE_PATH = f"/{SITE_NAME}"
#: Seconds between two looks at the folders that are watched.
LOOK = 10.0
#: Seconds between two looks at messages for other programs.
DELIVERY = 2.0


@contextmanager
def opened(instance: Instance, chosen: Configuration, program: str, what: str) -> Iterator["DB"]:
    """Open the database for a process that stays, with its log and its components.

    `program` names its log, `what` says to others what it is.  `chosen` is the configuration of
    the instance, as the command line has it.
    """
    from waeup.kofa import claims
    from waeup.kofa.deployment import logs

    with ExitStack() as stack:
        instance.make()
        stack.enter_context(
            logs.kept(
                instance.log,
                program,
                as_json=chosen.logging.format == "json",
                to_stderr=chosen.logging.to == "stderr",
            )
        )
        load_configuration()
        configure(instance, chosen.figures)
        database = stack.enter_context(instance.database(write=True))
        if instance.is_shared:
            stack.enter_context(claims.install(database, SITE_PATH, what))
        else:
            chosen.figures.keep(instance.figures)
        yield database


def recover_at_start(database: "DB") -> None:
    """Complete what killed processes left half done; say what only a person can mend."""
    from waeup.kofa.jobs import recover

    for finding in recover(database, SITE_PATH):
        # What was mended is for the log.
        (log.info if finding.repaired else say)(finding.text)


@contextmanager
def monitored(database: "DB", instance: Instance, chosen: Configuration) -> Iterator["Health"]:
    """Tell within this block, on a port of its own if one is chosen, how the process is."""
    from waeup.kofa.deployment import monitoring
    from waeup.kofa.deployment.health import Health, checks_of

    health = Health(checks_of(database, SITE_PATH))
    with ExitStack() as stack:
        if chosen.monitoring is not None:
            stamp = str(instance.backup_stamp)
            stack.enter_context(
                monitoring.serve(chosen.monitoring, database, SITE_PATH, health, stamp)
            )
        yield health


@contextmanager
def working(database: "DB", chosen: Configuration, threads: int) -> Iterator[Callable[[], None]]:
    """Work on runs by `threads`, and see to what is to be done now and then.

    Gives the function that ends it with the next batch of each run.  It is said which runs go on
    now, and which ones go on later.
    """
    from zope.component import getGlobalSiteManager, provideUtility

    from waeup.kofa.jobs import IJobEngine

    stopped = threading.Event()
    engine = engine_of(database, chosen, threads, stopped.is_set)
    is_shared = chosen.database.is_shared

    def stop() -> None:
        if stopped.is_set():
            return
        stopped.set()
        left = engine.at_work() if is_shared else None
        engine.stop(say)
        for title in _active(database, left):
            say(f"The {title} goes on {'elsewhere' if is_shared else 'with the next start'}.")

    provideUtility(engine, IJobEngine)
    if not is_shared:
        for title in _active(database, None):
            say(f"The {title} goes on.")
    engine.start()
    try:
        yield stop
    finally:
        stop()
        getGlobalSiteManager().unregisterUtility(engine, IJobEngine)


def engine_of(
    database: "DB",
    chosen: Configuration,
    threads: int,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Any:
    """Return the engine (`IJobEngine`) that the kind of database has.

    Its tasks end early once `is_stopping` says so.
    """
    from waeup.kofa.jobs import EmbeddedEngine

    tasks = _tasks(chosen, is_stopping)
    place = chosen.database
    if isinstance(place, PostgresDatabase):
        from waeup.kofa.jobs import ProcrastinateEngine

        return ProcrastinateEngine(database, SITE_PATH, place.dsn, threads, tasks=tasks)
    return EmbeddedEngine(database, SITE_PATH, threads, is_shared=place.is_shared, tasks=tasks)


def _tasks(chosen: Configuration, is_stopping: Callable[[], bool]) -> Sequence["Task"]:
    from waeup.kofa.deployment.delivering import Deliverer
    from waeup.kofa.deployment.forgetting import forget_answers
    from waeup.kofa.deployment.reminding import remind
    from waeup.kofa.jobs.duties import CARE, Task

    deliverer = Deliverer()

    def deliver(database: Any, site_path: str) -> None:
        deliverer.look(database, site_path, is_stopping)

    tasks = [
        Task("webhooks", DELIVERY, deliver),
        Task("old webhook messages", CARE, deliverer.tidy),
        Task("old answers of the API", CARE, forget_answers),
        Task("ends of tokens", CARE, remind),
    ]
    if chosen.watches:
        from waeup.kofa.deployment.watching import Watcher

        watcher = Watcher(chosen.watches)

        def look(database: Any, site_path: str) -> None:
            for text in watcher.look(database, site_path, is_stopping):
                log.info(text)

        tasks.append(Task("watched folders", LOOK, look))
    return tasks


def _active(database: "DB", ids: Sequence[str] | None) -> list[str]:
    """Return in words what the runs do that are not over, of all or of these `ids`."""
    from waeup.kofa.jobs.connection import connected

    with connected(database, SITE_PATH) as site:
        runs = site["datacenter"].runs.active()
        return [run.title for run in runs if ids is None or run.id in ids]


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT or SIGTERM call `stop` in the main thread, and a second one kill.

    To be killed does no harm: nothing is lost that was committed, and what was not is taken back.
    """
    signals = (signal.SIGINT, signal.SIGTERM)

    def heed(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        stop()

    former = {number: signal.signal(number, heed) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def wait_for_signal() -> None:
    """Wait until SIGINT or SIGTERM."""
    asked = threading.Event()
    with stopped_by_signals(asked.set):
        asked.wait()
