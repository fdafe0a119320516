"""The listener for programs that watch a process: figures for Prometheus, and health in detail.

It answers apart from the portal, on an address that only the operator's own machines reach::

    /metrics                          figures, in the text format of Prometheus
    /++health /++health/live ...      see `waeup.kofa.deployment.health`, with what is wrong

Figures of what this process does are counted by `waeup.kofa.meters`.  Those of the whole portal,
such as runs that wait, are read from the database when somebody asks, at most once in a few
seconds.  A database that is away, or hangs, is a figure, too.
"""

import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from waeup.kofa import meters
from waeup.kofa.deployment.bounded import Bounded
from waeup.kofa.deployment.health import Health, read_site, storage_of, workers
from waeup.kofa.deployment.listening import listen

if TYPE_CHECKING:
    from ZODB.DB import DB

log = logging.getLogger(__name__)

#: Seconds that reading figures may take, and for which they hold.
TIMEOUT, SHARED = 3.0, 5.0
#: Requests that are answered at the same time, connections that are held, seconds of silence.
THREADS, CONNECTIONS, PATIENCE = 2, 20, 30
#: Newest runs that are looked through for those that have stopped.
COUNTED_RUNS = 2000
#: What processes say that they are, and what all others are counted as.
PROCESSES, COMMAND = ("web", "worker"), "command"

_PLAIN = "text/plain; charset=utf-8"


class _Read(NamedTuple):
    """What the database tells.

    `numbers` of runs by kind and state, `oldest` for how many seconds the first of those that wait
    has waited, `processes` how many live of each kind (none without a shared database).
    `messages` are those for other programs that wait, `webhooks` the subscriptions by state.
    """

    numbers: dict[tuple[str, str], int]
    oldest: float
    processes: dict[tuple[str], int]
    messages: int
    webhooks: dict[tuple[str], int]


class SiteFigures:
    """Collects the figures of a portal that are not counted but read.

    `backup_stamp` is the path of the file that tells of the last backup.
    """

    def __init__(
        self, database: "DB", site_path: str, health: Health, backup_stamp: str | None = None
    ) -> None:
        self._database = database
        self._site_path = site_path
        self._health = health
        self._backup_stamp = backup_stamp
        self._figures = Bounded(self._read_figures, timeout=TIMEOUT, shared=SHARED)
        self._size = Bounded(database.getSize, timeout=TIMEOUT, shared=SHARED)
        self._free = Bounded(self._read_free, timeout=TIMEOUT, shared=SHARED)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Generate the figures; those that cannot be read are missing."""
        for question in (self._figures, self._size, self._free):
            # All of them at once: the time of the slowest is that of all.
            question.put()
        yield _gauge(
            "kofa_build_info",
            "1, and by which release.",
            [((version("waeup.kofa"),), 1)],
            "version",
        )
        yield _gauge(
            "kofa_ready",
            "1 when this process can do its work, else 0.",
            [((), 0 if self._health.problems() else 1)],
        )
        yield from self._of_database()
        yield from self._of_files()
        yield from self._of_process()

    def _of_database(self) -> Iterator[GaugeMetricFamily]:
        read, size = _quietly(self._figures), _quietly(self._size)
        yield _gauge(
            "kofa_database_up",
            "1 when runs could be read from the database in time, else 0.",
            [((), 0 if read is None else 1)],
        )
        if isinstance(size, int | float):
            yield _gauge("kofa_database_size_bytes", "Size of the database.", [((), size)])
        if read is None:
            return
        yield _gauge(
            "kofa_runs",
            "Runs that wait, are worked on, or have stopped and wait for a person.",
            read.numbers.items(),
            "kind",
            "state",
        )
        if read.processes:
            yield _gauge(
                "kofa_processes",
                "Processes that share the database and live, as they say themselves.",
                read.processes.items(),
                "kind",
            )
        yield _gauge(
            "kofa_oldest_queued_run_seconds",
            "Time since the order of the run that waits for longest, 0 when none waits.",
            [((), read.oldest)],
        )
        yield _gauge(
            "kofa_webhook_messages_waiting",
            "Messages for other programs that are to be sent.",
            [((), read.messages)],
        )
        yield _gauge(
            "kofa_webhooks",
            "Subscriptions of other programs: on, off, or turned off by themselves.",
            read.webhooks.items(),
            "state",
        )

    def _of_files(self) -> Iterator[GaugeMetricFamily]:
        free = _quietly(self._free)
        if free is not None:
            yield _gauge(
                "kofa_storage_free_bytes",
                "Free space where the files of the data center are.",
                [((), free)],
            )
        try:
            date = os.stat(self._backup_stamp or "").st_mtime
        except OSError:
            return
        yield _gauge(
            "kofa_last_backup_timestamp_seconds",
            "When the last backup was made, as the portal was told.",
            [((), date)],
        )

    def _of_process(self) -> Iterator[GaugeMetricFamily]:
        connections = self._database.connectionDebugInfo()
        used = sum(1 for each in connections if each["opened"])
        yield _gauge(
            "kofa_database_connections",
            "Connections of this process to the database: used at the moment, or kept for later.",
            [(("used",), used), (("kept",), len(connections) - used)],
            "state",
        )
        told = workers()
        if told is not None:
            yield _gauge(
                "kofa_workers",
                "Threads of this process that work on runs: how many there should be, and live.",
                [(("wanted",), told[0]), (("alive",), told[1])],
                "state",
            )

    def _read_figures(self) -> _Read:
        found: _Read = read_site(self._database, self._site_path, _figures_of)
        return found

    def _read_free(self) -> int:
        path: str = read_site(self._database, self._site_path, storage_of)
        return shutil.disk_usage(path).free


def _figures_of(site: Any) -> _Read:
    """Return the figures of a portal; runs that have stopped are few, and among the newest."""
    from waeup.kofa.jobs.record import ACTIVE, CHECK, EXPORT, IMPORT, MOVE, QUEUED, STOPPED, UNDO
    from waeup.kofa.presence import living
    from waeup.kofa.webhooks.record import BROKEN, OFF, ON, webhooks_of

    runs = site["datacenter"].runs
    active = runs.active()
    stopped = [
        run
        for run in islice(runs.newest(), COUNTED_RUNS)
        if run.state == STOPPED and not run.is_given_up
    ]
    found = Counter((run.order.kind, run.state) for run in (*active, *stopped))
    queued = [run.queued for run in active if run.state == QUEUED]
    now = datetime.now(timezone.utc)
    webhooks = list(webhooks_of(site["datacenter"]) or ())
    states = Counter(webhook.state for webhook in webhooks)
    # What there is none of is told, too: otherwise its last figure would stay.
    kinds = sorted({IMPORT, CHECK, UNDO, EXPORT, MOVE, *(kind for kind, _state in found)})
    return _Read(
        {(kind, state): found[kind, state] for kind in kinds for state in (*ACTIVE, STOPPED)},
        max(0.0, (now - min(queued, default=now)).total_seconds()),
        _by_kind([process.what for process in living(site)]),
        sum(webhook.waiting for webhook in webhooks),
        {(state,): states[state] for state in (ON, OFF, BROKEN)},
    )


def _by_kind(processes: list[str]) -> dict[tuple[str], int]:
    """Count processes by kind: what is no process of ours that stays is a command."""
    if not processes:
        return {}
    found = Counter(what if what in PROCESSES else COMMAND for what in processes)
    return {(kind,): found[kind] for kind in (*PROCESSES, COMMAND)}


def _gauge(
    name: str, text: str, samples: Iterable[tuple[tuple[str, ...], float]], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _quietly(question: Bounded[Any]) -> Any:
    """Return an answer, or None."""
    try:
        return question()
    except Exception as error:
        log.info("A figure cannot be read: %s: %s", type(error).__name__, error)
        return None


class _All:
    """All figures, as a registry gives them."""

    def __init__(self, site: SiteFigures) -> None:
        self._site = site

    def collect(self) -> Iterator[Any]:
        """Generate the figures."""
        yield from meters.REGISTRY.collect()
        yield from self._site.collect()


def application(site: SiteFigures, health: Health) -> Callable[..., Iterable[bytes]]:
    """Return the listener as a WSGI application."""

    def answer(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path, method = environment.get("PATH_INFO", ""), environment["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            status, kind, body = "405 Method Not Allowed", _PLAIN, b"GET and HEAD are answered.\n"
        elif path == "/metrics":
            status, kind = "200 OK", CONTENT_TYPE_PLAIN_0_0_4
            body = generate_latest(_All(site))
        else:
            found = health.answer(path, detailed=True)
            status, kind, body = found or ("404 Not Found", _PLAIN, b"/metrics or /++health\n")
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(status, headers)
        return [] if method == "HEAD" else [body]

    return answer


@contextmanager
def serve(
    address: tuple[str, int],
    database: "DB",
    site_path: str,
    health: Health,
    backup_stamp: str | None = None,
) -> Iterator[tuple[str, int]]:
    """Answer programs at an address, host and port, for the time of a block.

    Gives the address that was taken: port 0 stands for any free one.  Raises `Refused` when it
    cannot be had.
    """
    from waitress.server import create_server
    from waitress.wasyncore import close_all, loop

    host, port = address
    listener = listen(
        host,
        port,
        lambda reason: (
            f"Monitoring cannot answer on {host}, port {port}: {reason}. Stop what answers there, "
            "or name another address in <monitoring>; each process needs one of its own."
        ),
    )
    connections: dict[int, Any] = {}
    figures = SiteFigures(database, site_path, health, backup_stamp)
    server = create_server(
        application(figures, health),
        map=connections,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=PATIENCE,
        max_request_body_size=1024,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            loop(timeout=1, map=connections, count=1)

    thread = threading.Thread(target=work, name="kofa monitoring")
    thread.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        ended.set()
        server.pull_trigger()
        thread.join()
        server.task_dispatcher.shutdown()
        close_all(connections)
        listener.close()
