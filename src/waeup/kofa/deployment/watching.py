"""Watched folders: files that come by themselves are imported, or refused with a reason.

A periodic task calls `Watcher.look`.  A file that is complete (`incoming`) is accepted as an
upload of the account that the watch names, with the rights of that account; then its import is
ordered.  Each of these steps is a transaction, which writes an `Arrival`, too: that says under
the id of the file how far it is.  Only then it is put away.  Whoever finds the file still there
after a kill asks for the arrival first, and of two processes that decide at once one has a
conflict; so it is imported once.  The same content in a new file is imported again.

(An upload is taken back when its commit fails.  Where a server does not say any more whether it
has committed, the arrival may be there and the file not: then it is stored once more.  An order
in the same transaction would be one for a file that is not there.)

What only a person can say is not guessed.  An import that would change or remove more objects than
goes without saying is checked first; if it is so, the file waits for a person who confirms it.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

import transaction
from transaction.interfaces import TransientError
from zope.authentication.interfaces import IAuthentication, PrincipalLookupError
from zope.component import getUtility
from zope.security.management import endInteraction, newInteraction

from waeup.kofa.conversion import Mapping
from waeup.kofa.deployment.incoming import DONE, REFUSED, WORKING, Incoming, Taken, is_unchanged
from waeup.kofa.deployment.watches import Watch
from waeup.kofa.errors import (
    ConfirmationNeeded,
    Fault,
    InvalidStoragePath,
    ItemBusy,
    MappingError,
    NoSuchItem,
    NotAllowed,
    Refused,
    TableError,
    UnderMaintenance,
    WrongState,
)
from waeup.kofa.jobs.connection import open_portal
from waeup.kofa.jobs.record import FINISHED
from waeup.kofa.ledger import Arrival
from waeup.kofa.logger import deferred_lines
from waeup.kofa.maintenance import maintenance_of, may_manage
from waeup.kofa.operations import Operations
from waeup.kofa.permissions import Participation
from waeup.kofa.rights import IMPORT_DATA

log = logging.getLogger(__name__)

#: Files that are taken from a folder at one look; the others have their turn at the next one.
MOST = 100
#: How often a transaction is tried that is in conflict with others.
ATTEMPTS = 3
#: For how long a decision is remembered at least: no transaction lasts that long.
REMEMBERED = timedelta(days=1)

#: What is no matter of the file: it is tried again at the next look.
_FOR_LATER = (NotAllowed, UnderMaintenance, InvalidStoragePath, ItemBusy)
#: What is one all the same: a person has the file.
_FOR_GOOD = (WrongState,)

IsStopping = Callable[[], bool]


class Watcher:
    """Looks after watched folders, for one process; `clock` counts seconds.

    What is wrong with a watch is told once, by log lines, and again when it has been right
    meanwhile.
    """

    def __init__(
        self, watches: Sequence[Watch], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._watches = [
            (each, Incoming(each.folder, each.name, each.pattern, each.settle, clock))
            for each in watches
        ]
        self._told: dict[tuple[str, str], str] = {}

    def look(self, db: Any, site_path: str, is_stopping: IsStopping = lambda: False) -> list[str]:
        """Take files that are complete, and go on with those that were taken; say what was done.

        To be called now and then, twice at least for each file, by one thread at a time.  Other
        processes may do the same.
        """
        told: list[str] = []
        for each, incoming in self._watches:
            if not is_stopping():
                told += self._look_at(each, incoming, db, site_path, is_stopping)
        return told

    def _look_at(
        self, watch: Watch, incoming: Incoming, db: Any, site_path: str, is_stopping: IsStopping
    ) -> Iterator[str]:
        """Look at one folder; what is wrong with it is no matter of the others."""
        with self._told_once(watch, "", db, site_path) as problem:
            names, taken, strange = incoming.look()
            _require_ready(watch, db, site_path)
            if strange:
                raise Refused(
                    f"{os.path.join(watch.folder, WORKING)} has folders in which there is "
                    f"anything else than one file: {', '.join(strange[:10])}. Look at them, and "
                    "move what is in them to where it belongs."
                )
            _forget(watch, incoming, db, site_path)
        if problem:
            return
        there = {"", *names, *(each.name for each in taken)}
        self._told = {
            key: text
            for key, text in self._told.items()
            if key[0] != watch.name or key[1] in there
        }
        for each in taken[:MOST]:
            if is_stopping():
                return
            yield from self._go_on(watch, incoming, each, db, site_path)
        for name, signature in list(names.items())[:MOST]:
            if is_stopping():
                return
            fresh = None
            with self._told_once(watch, name, db, site_path):
                fresh = incoming.take(name, signature)
            if fresh is not None:
                yield from self._go_on(watch, incoming, fresh, db, site_path)

    def _go_on(
        self, watch: Watch, incoming: Incoming, taken: Taken, db: Any, site_path: str
    ) -> Iterator[str]:
        """Decide what becomes of a file, unless that is decided, and put it away."""
        with (
            self._told_once(watch, taken.name, db, site_path),
            incoming.held(taken) as stream,
        ):
            if stream is None:
                return
            known: Arrival | None = None
            while known is None or not known.is_over:
                known, line = _step(watch, taken, stream, db, site_path)
                if line:
                    yield line
                if known is None:
                    return
            # A file that is open leaves a trace in a folder of NFS when it goes from there.
            stream.close()
            incoming.put_away(taken, _letter(watch, taken, known) if known.refused else "")

    @contextmanager
    def _told_once(self, watch: Watch, name: str, db: Any, site_path: str) -> Iterator[list[str]]:
        """Tell once what is raised in the block; the list that is given has it afterwards."""
        problem: list[str] = []
        try:
            yield problem
        except (Refused, Fault) as error:
            problem.append(str(error))
        except TransientError:
            problem.append("")  # others were faster; the next look
        except OSError as error:
            where = error.filename or os.path.join(watch.folder, name)
            problem.append(
                f"{where}: {error.strerror or error}. Create or mount the folder, and let the "
                f"account that the portal runs as read its files and make folders in it "
                f"({WORKING}, {DONE}, {REFUSED})."
            )
        except Exception as error:
            problem.append(f"{type(error).__name__}: {error}. The log of the portal has more.")
            if self._told.get((watch.name, name)) != problem[0]:
                log.exception("The watch %s cannot go on.", watch.name)
        former = self._told.pop((watch.name, name), None)
        if not problem:
            return
        if problem[0]:
            self._told[watch.name, name] = problem[0]
        if problem[0] and problem[0] != former:
            _complain(watch, name, problem[0], db, site_path)


# -- the portal ------------------------------------------------------------------------------


@contextmanager
def _acting(watch: Watch, db: Any, site_path: str) -> Iterator[Operations]:
    """Give the operations of the account of a watch, in a transaction that the caller ends.

    Raises `NoSuchItem`, `NotAllowed` and `UnderMaintenance`.
    """
    with open_portal(db, site_path) as site:
        transaction.begin()
        try:
            principal = getUtility(IAuthentication).getPrincipal(watch.user)
        except PrincipalLookupError:
            raise NoSuchItem(
                f"There is no account {watch.user!r} in this portal. Make it, or name another one "
                f"as user of the watch {watch.name}."
            )
        account = site["users"].get(watch.user)
        if account is not None and account.suspended:
            raise NotAllowed(
                f"The account {watch.user!r} is suspended. Name another one as user of the watch "
                f"{watch.name}."
            )
        if maintenance_of(site) is not None and not may_manage(site, principal):
            raise UnderMaintenance(
                "The portal is in maintenance mode: files are taken when it is open again."
            )
        newInteraction(Participation(principal))
        try:
            yield Operations(site, principal)
        finally:
            endInteraction()


def _require_ready(watch: Watch, db: Any, site_path: str) -> None:
    """Raise `Refused` when nothing can be imported, whatever the file."""
    with _acting(watch, db, site_path) as operations:
        storage = operations.datacenter.storage
        if not os.path.isdir(storage):
            raise InvalidStoragePath(
                f"The data center keeps its files in {storage}, and there is no such folder. "
                "Mount or restore it."
            )
        watched, own = Path(watch.folder).resolve(), Path(storage).resolve()
        if watched == own or own in watched.parents or watched in own.parents:
            raise Refused(
                f"{watch.folder} and the storage of the data center, {storage}, lie in each "
                f"other. Name another folder for the watch {watch.name}."
            )
        found = operations.processor(watch.processor)
        if watch.mode not in found.modes:
            raise Refused(
                f"{watch.processor} has no mode {watch.mode!r}. It has: {', '.join(found.modes)}. "
                f"Correct the watch {watch.name}."
            )
        if not operations.may(IMPORT_DATA):
            raise NotAllowed(
                f"The account {watch.user!r} lacks the permission {IMPORT_DATA}. Give it the role "
                "of an import manager."
            )
        saved = [each.name for each in operations.saved_mappings(watch.processor)]
        if watch.mapping and watch.mapping not in saved:
            raise NoSuchItem(
                f"There is no saved mapping {watch.mapping!r} of {watch.processor}. There are: "
                f"{', '.join(map(repr, saved)) or 'none'}. Save it, or correct the watch "
                f"{watch.name}."
            )


def _forget(watch: Watch, incoming: Incoming, db: Any, site_path: str) -> None:
    """Forget decisions about files that are put away since a day."""
    there = incoming.taken_ids()
    if there is None:
        return
    before = datetime.now(timezone.utc) - REMEMBERED
    with open_portal(db, site_path) as site:
        transaction.begin()
        ledger = site["datacenter"].ledger
        old = [
            id
            for id, arrival in ledger.arrivals().items()
            if id.startswith(f"{watch.name}.") and id not in there and arrival.date < before
        ]
        for id in old:
            ledger.forget_arrival(id)
        if old:
            transaction.get().note(f"watch {watch.name}")
            transaction.commit()


def _step(
    watch: Watch, taken: Taken, stream: BinaryIO, db: Any, site_path: str
) -> tuple[Arrival | None, str]:
    """Do the next step for a file; return how far it is, and a log line if there is one.

    None when nothing can be done now.
    """
    for attempt in range(ATTEMPTS):
        try:
            with _acting(watch, db, site_path) as operations:
                known = operations.datacenter.ledger.arrival(taken.id)
                if known is not None and known.is_over:
                    return known, ""
                try:
                    new, line = _next(operations, watch, taken, stream, known)
                except Refused as reason:
                    if isinstance(reason, _FOR_LATER) and not isinstance(reason, _FOR_GOOD):
                        raise
                    # Whatever was begun is taken back.
                    transaction.abort()
                    transaction.begin()
                    new, line = _refused(operations, watch, taken, known, str(reason))
                if new is None or not is_unchanged(stream, taken):
                    return None, ""
                if line:
                    line = f"watch {watch.name}: {line}"
                    with deferred_lines(transaction.manager):
                        operations.datacenter.logger.info("%s", line)
                operations.datacenter.ledger.arrive(taken.id, new)
                transaction.get().note(f"watch {watch.name}, {watch.user}")
                transaction.commit()
                return new, line
        except TransientError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _next(
    operations: Operations, watch: Watch, taken: Taken, stream: BinaryIO, known: Arrival | None
) -> tuple[Arrival | None, str]:
    """Do what comes next in the transaction of the caller, as `_step`; raises `Refused`."""
    if known is not None and known.check:
        return _checked(operations, watch, taken, known)
    if known is not None and _is_there(operations, watch, known):
        return _ordered(operations, watch, taken, known)
    if known is not None:
        _require_taken_back(operations, known)
    if not taken.is_complete:
        return None, ""
    stream.seek(0)
    upload = operations.upload(taken.name, stream)
    if upload.notice:
        raise TableError(upload.notice)
    # What cannot be imported is not kept.
    _mapping(operations, watch, upload.name)
    return Arrival(datetime.now(timezone.utc), upload.name, upload.digest), ""


def _is_there(operations: Operations, watch: Watch, known: Arrival) -> bool:
    """Tell whether a file is stored, and is the one of this watch."""
    entry = operations.datacenter.ledger.entry(known.file)
    is_own = entry is not None and (entry.owner, entry.digest) == (watch.user, known.digest)
    return is_own and operations.is_there(known.file)


def _require_taken_back(operations: Operations, known: Arrival) -> None:
    """Raise `WrongState` when a stored file is not there since a person has used it."""
    datacenter = operations.datacenter
    imported = any(
        run.order.file == known.file and run.queued >= known.date
        for run in datacenter.runs.imports_of(known.digest)
    )
    deleted = any(
        entry.origin == known.file and entry.digest == known.digest and entry.deleted_by
        for entry in datacenter.ledger.entries()
    )
    if imported or deleted:
        what = "imported" if imported else "deleted"
        raise WrongState(f"{known.file} was {what} in the data center meanwhile.")


def _ordered(
    operations: Operations, watch: Watch, taken: Taken, known: Arrival
) -> tuple[Arrival, str]:
    """Order the import of a stored file, or a check where numbers may have to be confirmed."""
    mapping = _mapping(operations, watch, known.file)
    former = operations.imported_before(known.digest)
    again = "" if former is None else f" Its content was imported before, on {former.date_text}."
    what = (known.file, watch.processor, watch.mode, mapping)
    try:
        run = operations.start_import(
            *what, digest=known.digest, skip_unchanged=watch.skip_unchanged
        )
    except ConfirmationNeeded:
        check = operations.start_check(
            *what, digest=known.digest, skip_unchanged=watch.skip_unchanged
        )
        line = f"{taken.name!r} is {known.file}, and checked first: run {check.id}.{again}"
        return _now(known, check=check.id), line
    line = f"{taken.name!r} is {known.file}, and imported: run {run.id}.{again}"
    return _now(known, run=run.id), line


def _checked(
    operations: Operations, watch: Watch, taken: Taken, known: Arrival
) -> tuple[Arrival | None, str]:
    """Order the import of a file whose check is over, unless somebody has to confirm it."""
    check = operations.run(known.check)
    if check.is_active:
        return None, ""
    if check.state != FINISHED:
        raise Refused(f"The check of {known.file} is {check.state}. {check.fault}".strip())
    run = operations.start_import(
        known.file,
        watch.processor,
        watch.mode,
        _mapping(operations, watch, known.file),
        digest=known.digest,
        skip_unchanged=watch.skip_unchanged,
        check=known.check,
    )
    line = f"{taken.name!r} is {known.file}, and imported: run {run.id}."
    return _now(known, run=run.id), line


def _refused(
    operations: Operations, watch: Watch, taken: Taken, known: Arrival | None, reason: str
) -> tuple[Arrival, str]:
    """Return the decision that a file is not imported; one that is stored waits for a person."""
    if known is None:
        known = Arrival(datetime.now(timezone.utc))
    elif _is_there(operations, watch, known):
        reason += f" It waits in the data center as {known.file}: import or delete it there."
    return _now(known, refused=reason), f"{taken.name!r} is refused: {reason}"


def _now(known: Arrival, **changes: str) -> Arrival:
    """Return an arrival that is further."""
    return replace(known, date=datetime.now(timezone.utc), **changes)


def _mapping(operations: Operations, watch: Watch, name: str) -> Mapping:
    """Return what fills the fields; nothing is guessed.  Raises `MappingError`."""
    assign: dict[str, str] = {}
    ignore: list[str] = []
    constants: dict[str, str] = {}
    values: tuple[Any, ...] = ()
    if watch.mapping:
        fitted = operations.use_mapping(watch.mapping, watch.processor, name)
        if fitted.missing:
            missing = ", ".join(repr(column) for column, _ in fitted.missing)
            raise MappingError(
                f"The mapping {watch.mapping} needs columns that are not there: {missing}. Send "
                "a file that has them."
            )
        for column, field in zip(fitted.header, fitted.mapping.columns, strict=True):
            if column in fitted.new:
                continue
            if field is None:
                ignore.append(column)
            else:
                assign[column] = field
        constants = dict(fitted.mapping.constants)
        values = tuple(each for each in fitted.mapping.values if each[0] in assign.values())
    mapping = operations.make_mapping(
        name,
        watch.processor,
        watch.mode,
        assign=assign,
        ignore=ignore,
        constants=constants,
        values=values,
        ignore_rest=watch.ignore_rest,
    )
    operations.check(name, watch.processor, watch.mode, mapping)
    return mapping


# -- telling ---------------------------------------------------------------------------------


def _letter(watch: Watch, taken: Taken, known: Arrival) -> str:
    """Return the text that lies beside a file that is refused."""
    again = "" if known.file else f"Then put it into {watch.folder} again.\n"
    return (
        f"{taken.name} was not imported.\n\n{known.refused}\n\n"
        f"The watch {watch.name} takes files of {watch.processor}, mode {watch.mode}, in the name "
        f"of {watch.user}.\n{again}"
    )


def _complain(watch: Watch, name: str, problem: str, db: Any, site_path: str) -> None:
    """Tell the operator, and in the log of the data center, why files wait."""
    what = f"{name!r} waits" if name else "files wait"
    line = f"watch {watch.name}: {what}: {problem}"
    log.warning("%s", line)
    try:
        with open_portal(db, site_path) as site:
            transaction.begin()
            site["datacenter"].logger.warning("%s", line)
    except Exception:
        # The portal cannot be asked, which others tell of.
        log.debug("The data center has no log now.", exc_info=True)
