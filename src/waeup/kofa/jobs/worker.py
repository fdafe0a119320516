"""Works on one run: claims it, does what its kind asks for, and puts it down.

What ends the work decides in which state the run is put down:

=====================================  ==========================================
the work is done                       it has moved the run itself
`Cancelled`, a person wants it         cancelled
`Refused`, nothing was changed yet     cancelled, with the reason
anything else: a fault                 stopped, with the reason; can go on
`PutDown`, `LeaseLost`                 as it is: somebody else goes on
the database is away                   as it is, as soon as the database is back
=====================================  ==========================================
"""

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import transaction
from ZODB.POSException import POSKeyError
from zope.authentication.interfaces import PrincipalLookupError
from zope.event import notify

from waeup.kofa import meters
from waeup.kofa.errors import CodeFault, ItemBusy, KofaError, NotAllowed, Refused, StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.atfault import code_at_fault, is_of_site, unstorable
from waeup.kofa.importing.events import is_heard
from waeup.kofa.importing.hooks import is_fault
from waeup.kofa.jobs.checks import do_check
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.events import RunBegunEvent
from waeup.kofa.jobs.exports import do_export
from waeup.kofa.jobs.heartbeat import kept
from waeup.kofa.jobs.imports import do_import
from waeup.kofa.jobs.job import (
    Cancelled,
    Claim,
    IsDead,
    Job,
    LeaseLost,
    PutDown,
    claim,
    is_there,
    settle,
)
from waeup.kofa.jobs.moves import do_move
from waeup.kofa.jobs.outages import is_away, tell
from waeup.kofa.jobs.record import CANCELLED, CHECK, EXPORT, IMPORT, MOVE, STOPPED, UNDO
from waeup.kofa.jobs.undos import check_undo, do_undo
from waeup.kofa.journal import deferred_lines, marked, new_reference
from waeup.kofa.logger import in_run

log = logging.getLogger(__name__)

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
    kind = ""
    try:
        with (
            kept(db, site_path, held),
            open_portal(db, site_path, held.user) as site,
            in_run(held.id),
        ):
            job = Job(db, site_path, site, held, is_stopping)
            kind = job.order.kind
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
        meters.lease_lost()
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
        transaction.abort()
        if is_away(exc):
            tell(log, exc, "The run %s is put down for now.", id)
            _put_down(db, site_path, held, None)
        else:
            reference = new_reference()
            log.exception("%s The run %s has stopped.", marked(reference), id)
            _put_down(db, site_path, held, STOPPED, _words(exc, reference, kind))
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
    _tell_begun(job)
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


def _tell_begun(job: Job) -> None:
    """Notify, once, that a run begins; where nobody wants to know that takes no transaction."""
    if job.run.has_begun or not is_heard(RunBegunEvent):
        return

    def tell() -> None:
        with deferred_lines(transaction.manager):
            notify(RunBegunEvent(job.run))
        job.run.has_begun = True

    job.committed(tell)


def _put_down(db: Any, site_path: str, held: Claim, state: str | None, fault: str = "") -> None:
    """Put a run down, now or when the database can be written to."""
    transaction.abort()
    settle(db, site_path, held, state, fault)


def _words(exc: BaseException, reference: str, kind: str) -> str:
    """Return for people what went wrong with a run of a kind.

    `reference` is that of the entry of the log.
    """
    if isinstance(exc, CodeFault):
        return _words_of_code(str(exc), reference, kind)
    error = _met_by_code(exc)
    if error is not None:
        what = unstorable(error)
        if what is not None:
            # No code is at work any more: whoever has given it the value is not known.
            text = _(
                "An object of ${what} cannot be stored: ${text}.",
                mapping={"what": what, "text": _shown(error)},
            )
            return _words_of_code(english(text), reference, kind)
        mapping = {"code": code_at_fault(error), "text": _shown(error)}
        said = english(_("The code ${code} failed: ${text}.", mapping=mapping))
        return _words_of_code(said, reference, kind)
    # RelStorage tells of a missing object all that it knows of its connections, too.
    text = POSKeyError.__str__(exc) if isinstance(exc, POSKeyError) else str(exc)
    text = text.partition("\n")[0]
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


def _met_by_code(exc: BaseException) -> BaseException | None:
    """Return the error, if it is one of the code of a kind or of a subscriber, else None."""
    error = exc.__cause__ if isinstance(exc, StorageFault) and exc.__cause__ is not None else exc
    if isinstance(error, OSError) and not isinstance(error, KofaError):
        # Such as a network that only a site uses.
        return error if is_of_site(error) else None
    if isinstance(exc, KofaError | sqlite3.Error | KeyboardInterrupt) or is_fault(exc):
        return None
    return exc


def _shown(error: BaseException) -> str:
    """Return kind and text of an error, in one line."""
    try:
        text = str(error).partition("\n")[0].rstrip(".")
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _words_of_code(said: str, reference: str, kind: str) -> str:
    """Return for people what code of a kind or of a subscriber has done, and what to do."""
    if kind == IMPORT:
        text = _(
            "${said} Nothing of what was under way was stored; what was done before stays. Tell "
            "its developer, who finds more in the log of the portal, at ${reference}; then let "
            "the run go on, or take back what it has done."
        )
    else:
        text = _(
            "${said} Nothing of what was under way was stored. Tell its developer, who finds more "
            "in the log of the portal, at ${reference}; then let the run go on."
        )
    return english(_(text, mapping={"said": said, "reference": reference}))
