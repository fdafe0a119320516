"""Who is worked on next: small runs before large ones, as far as that changes nothing.

A run is small by what is known when it is ordered.  The guarantee:

* Runs of one scope are done in the order of their orders, whatever their size: what comes later
  may need what came before.
* Of runs that wait for no other one, small ones come first, and otherwise the one that was
  ordered first.  Who has waited for `PATIENCE` seconds comes as if it were small.
* A process with two threads or more keeps one of them, its *lane*, for small runs alone: so a
  small one finds a worker while all others have large ones.  With a single thread it comes next.
"""

import os
from datetime import datetime, timedelta
from typing import Any

import transaction

from waeup.kofa.jobs.connection import connected
from waeup.kofa.jobs.job import IsDead, forget_others, is_free
from waeup.kofa.jobs.record import Run, utc_now
from waeup.kofa.jobs.registry import Runs

#: The largest pending file of a small import or check, in bytes.
SMALL_BYTES = 1 << 20
#: How much more there may be in a file that is packed.
PACKED = 8
#: The most rows that a small undo takes back, and the most objects of a small export.
SMALL_ROWS = 10_000
#: Seconds after which a run comes as if it were small.
PATIENCE = 600.0

_PACKED_ENDINGS = (".gz", ".zip", ".xlsx", ".ods")


def is_small_file(path: str) -> bool:
    """Tell whether an import, or a check, of a pending file is small."""
    packed = PACKED if path.lower().endswith(_PACKED_ENDINGS) else 1
    return os.path.getsize(path) * packed <= SMALL_BYTES


def is_small_undo(undone: Run) -> bool:
    """Tell whether it is little work to take a run back."""
    return undone.checkpoint.tally.total <= SMALL_ROWS


def is_small_export(run: Run) -> bool:
    """Tell whether an export is of a few objects that are named; of all there may be many."""
    return run.listed is not None and run.listed <= SMALL_ROWS


def next_runs(db: Any, site_path: str, is_dead: IsDead, *, small_only: bool) -> list[str]:
    """Return the ids of the runs that can be worked on now and that nobody has, the next first.

    With `small_only` only those of the lane.
    """
    with connected(db, site_path) as site:
        transaction.begin()
        ready = _free(site["datacenter"].runs, is_dead)
        chosen = [run for run in ready if run.is_small or not small_only]
        return [run.id for run in in_order(chosen, utc_now())]


def in_order(runs: list[Run], now: datetime) -> list[Run]:
    """Sort runs that wait for no other one by who comes next, at the time `now`."""
    overdue = now - timedelta(seconds=PATIENCE)

    def place(run: Run) -> tuple[bool, datetime, str]:
        return not run.is_small and run.queued > overdue, run.queued, run.id

    return sorted(runs, key=place)


def sweep(db: Any, site_path: str, is_dead: IsDead) -> list[tuple[str, bool]]:
    """Find the runs that nobody works on; return ids, the next first, and whether they are small.

    The lease of a dead worker is taken from it in the database, so that everybody may claim its
    run; should it wake up, it goes on as long as nobody has.  Raises `TransientError` when others
    were in the way.
    """
    with connected(db, site_path) as site:
        transaction.begin()
        ready = _free(site["datacenter"].runs, is_dead)
        for run in ready:
            if run.lease.holder:
                run.lease.release()
        found = [(run.id, run.is_small) for run in in_order(ready, utc_now())]
        transaction.get().note("leases of dead workers")
        transaction.commit()
        return found


def _free(runs: Runs, is_dead: IsDead) -> list[Run]:
    ready = runs.ready()
    forget_others(run.id for run in ready)
    return [run for run in ready if is_free(run, is_dead)]
