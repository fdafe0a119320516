"""What this process counts and measures for Prometheus: rows, runs, requests, conflicts.

Whoever does something says so here, once for each batch or request and never for a row; who
watches the portal reads it (`waeup.kofa.deployment.monitoring`).  Nothing is kept: the figures
are those of one process since its start, and those of all processes are added up by Prometheus.

Labels have few values, which come from the program: kinds and states of runs, names of registered
processors, methods, classes of status.  There are no names of people, files or pages.
"""

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

#: Where a conflict was: in a transaction of a run, or in that of a page.
IN_RUN, IN_REQUEST = "run", "request"

#: Upper bounds in seconds: of runs, from a small file to a million rows, and of requests.
RUN_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800)
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_METHODS = ("GET", "HEAD", "POST", "PUT")
_OTHER = "other"

# The time at which a counter was made would be a second figure for each one, which nobody reads.
disable_created_metrics()

#: The meters of this process, with those of Python and of the operating system.
REGISTRY = CollectorRegistry(auto_describe=True)

ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_ROWS = Counter(
    "kofa_rows_total",
    "Rows whose outcome is stored, by kind of run, processor or exporter, and outcome.",
    ("kind", "processor", "outcome"),
    registry=REGISTRY,
)
_RUN_SECONDS = Histogram(
    "kofa_run_seconds",
    "Time from the first claim of a run to its end, by kind and by the state that it ended in.",
    ("kind", "state"),
    buckets=RUN_BUCKETS,
    registry=REGISTRY,
)
_REQUEST_SECONDS = Histogram(
    "kofa_request_seconds",
    "Time until the first byte of an answer was ready, by method and class of status.",
    ("method", "status"),
    buckets=REQUEST_BUCKETS,
    registry=REGISTRY,
)
_CONFLICTS = Counter(
    "kofa_conflicts_total",
    "Transactions that failed since others had changed the same objects; they are repeated.",
    ("where",),
    registry=REGISTRY,
)
_LEASE_LOSSES = Counter(
    "kofa_lease_losses_total",
    "Runs that a worker of this process lost to another one: it was paused for too long.",
    registry=REGISTRY,
)

_WEBHOOK_MESSAGES = Counter(
    "kofa_webhook_messages_total",
    "Attempts to tell other programs something, by outcome.",
    ("outcome",),
    registry=REGISTRY,
)

# An alert about what has never happened needs a figure, too.
for _where in (IN_RUN, IN_REQUEST):
    _CONFLICTS.labels(_where)
for _outcome in ("delivered", "retried", "failed", "dropped"):
    _WEBHOOK_MESSAGES.labels(_outcome)


def rows(
    kind: str, processor: str, now: Mapping[str, int], before: Mapping[str, int] | None = None
) -> None:
    """Count rows whose outcome was just committed.

    `now` has the number of rows by outcome, and `before` what of it was counted already.
    `processor` is the name of a registered processor or exporter.
    """
    for outcome, number in now.items():
        new = number - (before or {}).get(outcome, 0)
        if new > 0:
            _ROWS.labels(kind, processor, outcome).inc(new)


def run_ended(kind: str, state: str, seconds: float) -> None:
    """Count a run that is over; call it after the commit that said so.

    `seconds` are those from its first claim to its end, 0 when nobody had claimed it.
    """
    _RUN_SECONDS.labels(kind, state).observe(max(seconds, 0.0))


def conflict(where: str) -> None:
    """Count a transaction that failed, since others were in its way: `IN_RUN` or `IN_REQUEST`."""
    _CONFLICTS.labels(where).inc()


def lease_lost() -> None:
    """Count a run that another worker has taken from one of this process."""
    _LEASE_LOSSES.inc()


def request(method: str, status: int, seconds: float) -> None:
    """Count a request that is answered; of `status` there is the class only, such as ``2xx``."""
    known = method if method in _METHODS else _OTHER
    _REQUEST_SECONDS.labels(known, f"{status // 100}xx").observe(seconds)


def webhook_message(outcome: str) -> None:
    """Count a message that was ``delivered``, put off (``retried``), given up (``failed``) or
    ``dropped``, since its owner may not see what it tells; call it after the commit."""
    _WEBHOOK_MESSAGES.labels(outcome).inc()
