"""Operations on runs that were ordered: they are watched, stopped, and go on."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from zope.component import getUtility, queryUtility
from zope.event import notify
from zope.traversing.api import getPath

from waeup.kofa import jobs, spool
from waeup.kofa.errors import (
    NoSuchItem,
    NotAllowed,
    WrongState,
)
from waeup.kofa.exporting import Wish
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english, without_folders
from waeup.kofa.importing.checking import CheckedRow, CheckReader
from waeup.kofa.importing.hooks import CREATE
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.jobs.events import RunResumedEvent
from waeup.kofa.jobs.exports import has_result, kept_time, result_of
from waeup.kofa.jobs.job import (
    MOVE_PERMISSION,
    PREFIX,
    close,
    folder_of,
    remove_folders,
)
from waeup.kofa.jobs.record import (
    CANCELLED,
    CHECK,
    EXPORT,
    FINISHED,
    IMPORT,
    MOVE,
    QUEUED,
    RUNNING,
    STOPPED,
    UNDO,
    Order,
    Run,
)
from waeup.kofa.jobs.recovery import Finding
from waeup.kofa.jobs.registry import Runs
from waeup.kofa.jobs.sight import ALL_EXPORTS, sight_of_person
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.mappings import MappingOperations
from waeup.kofa.operations.values import RunInfo
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA, MANAGE_PORTAL, MANAGE_USERS
from waeup.kofa.transactional import on_commit
from waeup.kofa.usual import UNDO_DAYS

ALL_KINDS = (IMPORT, CHECK, UNDO, EXPORT, MOVE)


class RunOperations(MappingOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- stopping, and going on -------------------------------------------------------

    def cancel(self, id: str) -> RunInfo:
        """Let a run end: one that waits now, one that runs at its next batch."""
        run = self._orderable(id)
        if not run.can_be_cancelled:
            raise WrongState(
                _(
                    "The ${title} is ${state}: it cannot be cancelled (any more). Look at "
                    "the list of runs again.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        if run.state in (QUEUED, STOPPED):
            run.move(CANCELLED)
            close(self.datacenter, run)
            if not run.holds_file and run.checkpoint.batches == 0:
                on_commit(partial(remove_folders, self.datacenter.storage, [PREFIX + run.id]))
            if run.order.target is not None:
                on_commit(
                    partial(spool.abandon, self.datacenter.storage, run.order.target, run.id)
                )
        else:
            run.is_cancelling = True
        self._log_run("cancelled: %s of %s", run)
        return self._info(run)

    def give_up(self, id: str) -> RunInfo:
        """Free the file of a run that was stopped or cancelled, for good.

        Rows that are done stay done, and can be taken back still; that they are done is in no
        finished file, unless that came to its place already.  For a run whose file, or whose
        results, are lost: files that can come to their places still are brought there instead,
        and `WrongState` says so.  The import of an undo that is given up can be taken back by
        another one, which passes over the batches that were taken back; when it was not
        finished, it is given up, too.
        """
        run = self._orderable(id)
        if any(intent.id == PREFIX + run.id for intent in self.datacenter.ledger.intended()):
            self.recover()
            self.site._p_jar.sync()
            if run.state == FINISHED:
                raise WrongState(
                    _(
                        "The ${title} was completed just now. Look at its result.",
                        mapping={"title": run.words},
                    )
                )
        if not run.can_be_given_up:
            raise WrongState(
                _(
                    "The ${title} is ${state}, and holds nothing that could be freed. Cancel "
                    "it first, if it is under way.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        for intent in list(self.datacenter.ledger.intended()):
            if intent.id == PREFIX + run.id:
                self.datacenter.ledger.done(intent)
        run.give_up(english(_("Somebody has given it up.")))
        close(self.datacenter, run)
        undone = self._runs.find(run.order.undoes or "")
        over = [run, undone] if undone is not None and undone.is_given_up else [run]
        folders = [PREFIX + each.id for each in over]
        on_commit(partial(remove_folders, self.datacenter.storage, folders))
        self._log_run("given up: %s of %s", run)
        return self._info(run)

    def resume(self, id: str) -> RunInfo:
        """Let a run that was stopped or cancelled go on where it was, as the person who asks."""
        run = self._orderable(id)
        if run.is_active:
            raise WrongState(
                _(
                    "The ${title} is ${state}: it goes on by itself.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        if not run.can_resume:
            raise WrongState(
                _(
                    "The ${title} is ${state} and cannot go on. Order it anew.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        if run.order.kind not in (EXPORT, MOVE):
            self._require_token_for_run(run.order)
        run.move(QUEUED)
        run.user = self.principal.id
        self._runs.activate(run)
        notify(RunResumedEvent(run))
        self._ring(run)
        self._log_run("resumed: %s of %s", run)
        return self._info(run)

    # -- looking --------------------------------------------------------------------

    def run(self, id: str) -> RunInfo:
        """Return how a run is; raises `NoSuchItem`."""
        return self._info(self._run(id))

    def runs(
        self,
        limit: int = 100,
        *,
        kinds: Collection[str] = ALL_KINDS,
        since: datetime | None = None,
        is_over: bool = False,
    ) -> list[RunInfo]:
        """List the runs of kinds that the person may import, and exports, the newest first.

        Exports are those that `exports` lists.  Only those of certain `kinds`, ordered `since`
        a time, or which nobody works on, nor is going to (`is_over`).
        """
        self._require(MANAGE)
        return [self._info(run) for run in islice(self._seen(kinds, since, is_over), limit)]

    def active_runs(self, limit: int = 100) -> list[RunInfo]:
        """List the runs that are worked on, or are going to be, in the order of their orders.

        Those that `runs` lists.
        """
        self._require(MANAGE)
        may_see = self._may_see_each()
        return [self._info(run) for run in islice(filter(may_see, self._runs.active()), limit)]

    def run_of(self, name: str) -> RunInfo | None:
        """Return the run that a pending file belongs to, or None.

        Those who may not see the run are told what it does with the file, but nothing of its
        rows, nor its `id`, which is empty then.
        """
        return self.runs_of([name]).get(name)

    def runs_of(self, names: Iterable[str]) -> dict[str, RunInfo]:
        """Return the runs that pending files belong to, by the names of those that do.

        What is told of them is as in `run_of`.
        """
        self._require(MANAGE)
        may_see, found = self._may_see_each(), {}
        for name in names:
            run = self._runs.holder_of(name)
            if run is None:
                continue
            info = self._info(run)
            if not may_see(run):
                report = replace(info.report, reasons=())
                info = replace(info, id="", fault="", report=report, actions=())
            found[name] = info
        return found

    def known_runs(self, ids: Iterable[str]) -> dict[str, RunInfo]:
        """Return those of some runs, by id, that are known still and that the person may see."""
        self._require(MANAGE)
        may_see = self._may_see_each()
        found = ((id, self._runs.find(id)) for id in ids)
        return {id: self._info(run) for id, run in found if run is not None and may_see(run)}

    def check_rows(
        self,
        id: str,
        *,
        outcome: str | None = None,
        reason: str | None = None,
        notable: bool = False,
        start: int = 0,
        limit: int = 100,
    ) -> list[CheckedRow]:
        """Return what a check says about rows, from the one at position `start`.

        Only those with an `outcome`, with a `reason` (with all that are like it, if a ``…`` is in
        it), or, if `notable`, those that would fail, change something, or mean the same object as
        another row.
        """
        run = self._run(id)
        reader = CheckReader(folder_of(self.datacenter.storage, run.id))
        return reader.rows(outcome, reason, start, limit, notable=notable)

    def recover(self, *, verify: bool = False) -> list[Finding]:
        """Bring database and storage together after a crash; tell what was found.

        With `verify` the contents of all files are compared, too.
        """
        self._require(MANAGE)
        return jobs.recover(self.site._p_jar.db(), getPath(self.site), verify=verify)

    # -- helpers ----------------------------------------------------------------------

    @property
    def _runs(self) -> Runs:
        runs: Runs = self.datacenter.runs
        return runs

    def _run(self, id: str) -> Run:
        """Return a run whose rows the person may see."""
        if not self.may(EXPORT_DATA):
            self._require(MANAGE)
        run = self._runs.get(id)
        if run.order.kind == EXPORT:
            self._require_own_export(run)
            return run
        self._require(MANAGE)
        if run.order.kind == MOVE:
            self._require(MOVE_PERMISSION)
            return run
        self._processor(run.order.processor)
        if run.order.user != self.principal.id:
            for permission in run.needs:
                self._require(permission)
        return run

    def _orderable(self, id: str) -> Run:
        """Return a run that the person may order about."""
        run = self._run(id)
        if run.order.kind not in (EXPORT, MOVE):
            self._require(IMPORT_DATA)
        return run

    def _require_own_export(self, run: Run) -> None:
        """Raise `NotAllowed` unless the person may fetch what an export gives."""
        for permission in (EXPORT_DATA, *run.needs):
            self._require(permission)
        if run.order.user != self.principal.id:
            self._require(ALL_EXPORTS)

    def _seen(
        self, kinds: Collection[str], since: datetime | None = None, is_over: bool = False
    ) -> Iterator[Run]:
        """Generate the runs that the person may see, the newest first; see `runs`."""
        may_see = self._may_see_each()
        for run in self._runs.newest():
            if since is not None and run.queued < since:
                return
            if run.order.kind in kinds and not (is_over and run.is_active) and may_see(run):
                yield run

    def _may_see_each(self) -> Callable[[Run], bool]:
        """Return what tells of runs whether the person may see them; each right is asked once."""
        return sight_of_person(self.principal.id, self.may)

    def _require_token_for_run(self, order: Order) -> None:
        """Raise `NotAllowed` for a token whose program would do by a run what is not for it.

        No passwords are changed, and accounts, which get their rights by files as well, are for
        a token that covers all that the person may do: the run knows nothing of the token.
        """
        if self.grant is None:
            return
        processor = getUtility(IBatchProcessor, name=order.processor)
        filled = {*order.columns, *(field for field, _text in order.constants)}
        found = sorted(secret_names(processor.iface) & filled)
        if found and order.mode != CREATE:
            raise NotAllowed(
                _(
                    "No password is changed with a token. Leave out ${fields}, or log in to the "
                    "portal for this.",
                    mapping={"fields": ", ".join(found)},
                )
            )
        if processor.permission == MANAGE_USERS:
            self._require_all_rights()

    def _ring(self, run: Run) -> None:
        """Wake a worker, if there is somebody who can, once the order is committed."""
        engine = queryUtility(jobs.IJobEngine)
        if engine is not None:
            on_commit(partial(engine.ring, run.id, run.is_small))

    def _fault_of(self, run: Run) -> str:
        """Return why a run stopped; folders of the server are told to who looks after it alone."""
        if not run.fault or self.may(MANAGE_PORTAL):
            return run.fault
        return without_folders(run.fault)

    def _info(self, run: Run) -> RunInfo:
        order, progress = run.order, run.progress
        waits_for = self._runs.waits_for(run) if run.state == QUEUED else None
        days = queryUtility(IDataCenterConfig, default={}).get("undo_days", UNDO_DAYS)
        until = None
        if run.ended is not None and run.can_be_undone:
            until = run.ended + timedelta(days=days)
        return RunInfo(
            id=run.id,
            kind=order.kind,
            state=run.state,
            file=order.file,
            processor=order.processor,
            mode=order.mode,
            owner=order.user,
            user=run.user,
            queued=run.queued,
            started=run.started,
            ended=run.ended,
            rows=progress.rows,
            failed=progress.failed,
            fraction=progress.fraction,
            rate=progress.rate,
            remaining=_remaining(run),
            waits_for="" if waits_for is None else waits_for.words,
            fault=self._fault_of(run),
            report=run.totals(),
            undo_bytes=run.undo_bytes,
            undo_until=until,
            check=order.check,
            undoes=order.undoes,
            undone_by=run.undone_by,
            is_cancelling=run.is_cancelling,
            actions=_actions(run),
            **self._result_of_export(run),
            target=run.order.target or "",
            bytes=progress.bytes,
            all_bytes=progress.all_bytes,
            left=run.left,
            is_looking=progress.is_looking and run.state == RUNNING,
        )

    def _result_of_export(self, run: Run) -> dict[str, Any]:
        """Return what only an export has."""
        if run.order.wish is None:
            return {}
        found: dict[str, Any] = {"wish": Wish.of(run.order.wish), "listed": run.listed}
        if has_result(run) and run.ended is not None:
            # Without the file, as where the storage was moved, there is nothing to fetch.
            with suppress(NoSuchItem, FileNotFoundError):
                found["size"] = os.path.getsize(result_of(self.datacenter.storage, run))
                found["kept_until"] = run.ended + kept_time()
        return found


def _remaining(run: Run) -> float | None:
    """Return the seconds that a run will need, as far as that can be told."""
    progress = run.progress
    if not run.is_active or run.started is None or progress.fraction <= 0 or not progress.rate:
        return None
    rows = progress.rows / progress.fraction
    return max(rows - progress.rows, 0.0) / progress.rate


def _actions(run: Run) -> tuple[str, ...]:
    """Return what can be done with a run: ``cancel``, ``resume``, ``undo``."""
    possible = {
        "cancel": run.can_be_cancelled,
        "resume": run.can_resume,
        "undo": run.can_be_undone,
    }
    return tuple(name for name, is_possible in possible.items() if is_possible)
