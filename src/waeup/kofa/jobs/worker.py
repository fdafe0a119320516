"""Works on one run: claims it, does what its kind asks for, and puts it down.

What ends the work decides in which state the run is put down:

=====================================  ==========================================
the work is done                       it has moved the run itself
`Cancelled`, a person wants it         cancelled
`Refused`, nothing was changed yet     cancelled, with the reason
anything else: a fault                 stopped, with the reason; can go on
`PutDown`, `LeaseLost`                 as it is: somebody else goes on
=====================================  ==========================================
"""

import logging
from collections.abc import Callable
from typing import Any

import transaction
from zope.authentication.interfaces import PrincipalLookupError

from waeup.kofa.errors import ItemBusy, KofaError, NotAllowed, Refused, StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.jobs.checks import do_check
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.exports import do_export
from waeup.kofa.jobs.heartbeat import kept
from waeup.kofa.jobs.imports import do_import
from waeup.kofa.jobs.job import Cancelled, Claim, Job, LeaseLost, PutDown, claim, is_there, settle
from waeup.kofa.jobs.moves import do_move
from waeup.kofa.jobs.record import CANCELLED, CHECK, EXPORT, MOVE, STOPPED, UNDO
from waeup.kofa.jobs.undos import check_undo, do_undo
from waeup.kofa.logger import in_run

log = logging.getLogger(__name__)

IsDead = Callable[[str], bool]
IsStopping = Callable[[], bool]


def nobody_is_dead(holder: str) -> bool:
    """Believe every lease until it ends."""
    return False


def never() -> bool:
    """Go on to the end."""
    return False


def work_on(
    db: Any,
    site_path: str,
    id: str,
    holder: str,
    *,
    is_dead: IsDead = nobody_is_dead,
    is_stopping: IsStopping = never,
) -> bool:
    """Work on a run until it is over; tell whether it could be claimed.

    Uses the transactions of this thread, in which none must be under way.  `holder` names the
    worker.  No error of the run is raised: the record says it.
    """
    held = claim(db, site_path, id, holder, is_dead)
    if held is None:
        return False
    try:
        with (
            kept(db, site_path, held),
            open_portal(db, site_path, held.user) as site,
            in_run(held.id),
        ):
            job = Job(db, site_path, site, held, is_stopping)
            try:
                _do(job)
            except ItemBusy:
                # Somebody else has the file for a while; the order is as good as before.
                raise
            except Refused as refusal:
                transaction.abort()
                is_new = job.run.checkpoint.batches == 0 and not isinstance(refusal, NotAllowed)
                settle(db, site_path, held, CANCELLED if is_new else STOPPED, str(refusal))
    except LeaseLost:
        log.warning("The run %s is done by somebody else meanwhile.", id)
    except PutDown:
        _put_down(db, site_path, held, None)
    except Cancelled:
        _put_down(db, site_path, held, CANCELLED)
    except PrincipalLookupError:
        fault = english(
            _(
                "There is no account ${user} any more, in whose name the run acts. Let "
                "somebody else let it go on.",
                mapping={"user": repr(held.user)},
            )
        )
        _put_down(db, site_path, held, STOPPED, fault)
    except BaseException as exc:
        # Also what only a main thread should raise: a hook may do so, and the worker lives on.
        log.exception("The run %s has stopped.", id)
        _put_down(db, site_path, held, STOPPED, _words(exc))
        if isinstance(exc, KeyboardInterrupt):
            raise
    return True


def _do(job: Job) -> None:
    if not is_there(job.storage):
        # Nothing of the run is at fault: it must not be given up.
        raise StorageFault(
            _(
                "The storage ${storage} is gone, or empty. Bring it back (is it "
                "mounted?), then let the run go on.",
                mapping={"storage": job.storage},
            )
        )
    if job.order.kind == CHECK:
        (do_check if job.order.undoes is None else check_undo)(job)
    elif job.order.kind == UNDO:
        do_undo(job)
    elif job.order.kind == EXPORT:
        do_export(job)
    elif job.order.kind == MOVE:
        do_move(job)
    else:
        do_import(job)


def _put_down(db: Any, site_path: str, held: Claim, state: str | None, fault: str = "") -> None:
    """Put a run down, if the database can be written to; otherwise its lease ends some time."""
    transaction.abort()
    try:
        settle(db, site_path, held, state, fault)
    except Exception:
        log.exception("The run %s could not be put down.", held.id)


def _words(exc: BaseException) -> str:
    """Return for people what went wrong."""
    text = str(exc).partition("\n")[0]
    if isinstance(exc, KofaError):
        return text
    if isinstance(exc, MemoryError):
        return english(
            _("The memory of the machine is used up. Let the run go on when there is more.")
        )
    if not text:
        return english(
            _(
                "The machine failed (${name}). Look at free space, the disk and the log of the "
                "portal; then let the run go on.",
                mapping={"name": type(exc).__name__},
            )
        )
    return english(
        _(
            "The machine failed (${name}: ${text}). Look at free space, the disk and "
            "the log of the portal; then let the run go on.",
            mapping={"name": type(exc).__name__, "text": text},
        )
    )
