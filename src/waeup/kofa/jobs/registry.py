"""All runs of a data center: the newest, which are under way, which hold a file, which a scope.

The module path is a database format.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from zope.event import notify

from waeup.kofa.errors import NoSuchItem, WrongState
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.jobs.ended import EndedRun, EndedRuns
from waeup.kofa.jobs.events import RunOrderedEvent
from waeup.kofa.jobs.record import (
    CHECK,
    DISTRIBUTING,
    IMPORT,
    MOVE,
    QUEUED,
    RUNNING,
    UNDO,
    Duty,
    Run,
)

# A BTree that is empty before or after a change cannot be merged with the change of
# somebody else: one key that is no id stays in it.
_KEEPER = ""
#: The same for the order of runs: it comes behind all of them.
_LAST = (math.inf, "")


def _place(run: Run) -> tuple[float, str]:
    """Return a key by which the newest run is the first."""
    return -run.queued.timestamp(), run.id


def _is_import_of(run: Run, digest: str) -> bool:
    return run.order.kind == IMPORT and run.order.digest == digest


class Facts(NamedTuple):
    """What is known of an import or an undo for ever: objects that it has changed name it.

    `kind`, `file`, `processor` and `mode` are those of its order, `owner` has ordered it, and
    `user` is whom it acted as in the end.  `undoes` is the id of the import that it took back.
    """

    kind: str
    file: str
    processor: str
    mode: str
    owner: str
    user: str
    undoes: str | None

    @classmethod
    def of(cls, run: Run) -> "Facts":
        """Return the facts of a run."""
        order = run.order
        return cls(
            order.kind,
            order.file,
            order.processor,
            order.mode,
            order.user,
            run.user,
            order.undoes,
        )


class Runs(Persistent):
    """All runs of a data center, which of them hold a file, and which a scope."""

    # Databases of before have none.
    _newest: OOBTree | None = None
    _contents: OOBTree | None = None
    _ended: EndedRuns | None = None
    #: Id -> run, of all that are not settled, and of some that are.
    _unsettled: OOBTree | None = None
    #: Id -> `Facts`, as a plain tuple, of runs that were forgotten.
    _facts: OOBTree | None = None
    _duty: Duty | None = None

    def __init__(self) -> None:
        self._runs = OOBTree({_KEEPER: None})
        self._active = OOBTree({_KEEPER: None})
        self._files = OOBTree({_KEEPER: None})
        self._scopes = OOBTree({_KEEPER: None})
        # Changes with each beginning and end; two at the same time are no conflict.
        self._changes = Length()
        self._newest = OOBTree({_LAST: None})
        self._contents = OOBTree({_KEEPER: ()})
        self._ended = EndedRuns()
        self._unsettled = OOBTree({_KEEPER: None})

    def upgrade(self) -> bool:
        """Make what databases of before do not have; tell whether anything was made."""
        if None not in (self._newest, self._contents, self._ended, self._unsettled):
            return False
        if self._unsettled is None:
            self._unsettled = OOBTree({_KEEPER: None})
            self._unsettled.update({run.id: run for run in self if not run.is_settled})
        if self._newest is None:
            self._newest = OOBTree({_LAST: None})
            self._newest.update({_place(run): run for run in self})
        if self._contents is None:
            self._contents = OOBTree({_KEEPER: ()})
            for run in sorted(self, key=_place, reverse=True):
                self._enter_content(run)
        if self._ended is None:
            self._ended = EndedRuns()
            for run in self:
                if not run.is_active:
                    self._ended.enter(run)
        return True

    def add(self, run: Run) -> Run:
        """Keep a new run; raises `WrongState` when another one holds its file.

        Two that are ordered for one file at the same time write the same key: one of them is a
        conflict.
        """
        holder = self.holder_of(run.order.file)
        if holder is not None and run.holds_file and run.order.undoes != holder.id:
            raise WrongState(busy_text(holder))
        self._runs[run.id] = run
        self.upgrade()
        assert self._newest is not None
        self._newest[_place(run)] = run
        self._enter_content(run)
        self.activate(run)
        notify(RunOrderedEvent(run))
        return run

    def activate(self, run: Run) -> None:
        """Let workers see a run that was queued, and nobody else its file."""
        self._active[run.id] = run
        self.upgrade()
        assert self._unsettled is not None
        self._unsettled[run.id] = run
        self._changes.change(1)
        self._all_ended.leave(run)
        self.hold_file(run)

    def hold_file(self, run: Run) -> None:
        """Let a run have its file for itself, if it takes one and holds it."""
        if run.holds_file:
            self._files[run.order.file] = run.id

    def free_file(self, name: str) -> None:
        """Let who orders a run for a file at the same time have a conflict: it is deleted."""
        self._files[name] = None

    def forget_freed(self) -> None:
        """Forget the files of `free_file`; what was ordered at the same time is over by now."""
        for name in [name for name, id in self._files.items() if id is None and name != _KEEPER]:
            del self._files[name]

    def deactivate(self, run: Run) -> None:
        """Let workers pass over a run that is over, and the next one of its scope begin."""
        self._active.pop(run.id, None)
        self._changes.change(1)
        self._all_ended.enter(run)
        if self._scopes.get(run.scope) == run.id:
            # Not deleted: a key that stays keeps apart who comes at the same time.
            self._scopes[run.scope] = None

    def unsettled(self) -> list[Run]:
        """Return the runs that files may be needed for still; of years there are few."""
        found = self if self._unsettled is None else list(self._unsettled.values())
        return [run for run in found if run is not None and not run.is_settled]

    def settle(self, run: Run) -> None:
        """Pass over a run in `unsettled` from now on, if it is settled."""
        if self._unsettled is not None and run.id in self._unsettled and run.is_settled:
            del self._unsettled[run.id]

    def get(self, id: str) -> Run:
        """Return a run; raises `NoSuchItem`."""
        run = self._runs.get(id)
        if run is None:
            raise NoSuchItem(
                _(
                    "There is no run ${id} (any more). Look at the list of runs.",
                    mapping={"id": repr(id)},
                )
            )
        found: Run = run
        return found

    def find(self, id: str) -> Run | None:
        """Return a run, or None."""
        return self._runs.get(id)

    def facts(self, id: str) -> Facts | None:
        """Return what is known of a run, also when it was forgotten; None for no run."""
        run = self.find(id)
        if run is not None:
            return Facts.of(run)
        kept = None if self._facts is None else self._facts.get(id)
        return None if kept is None else Facts(*kept)

    def __iter__(self) -> Iterator[Run]:
        """Generate all runs."""
        return (run for run in list(self._runs.values()) if run is not None)

    def newest(self) -> Iterator[Run]:
        """Generate all runs, the newest first; those that nobody asks for are not loaded."""
        if self._newest is None:
            return iter(sorted(self, key=_place))
        return (run for run in self._newest.values() if run is not None)

    def imports_of(self, digest: str) -> list[Run]:
        """Return the imports of the content with this SHA-256, the newest first."""
        if self._contents is None:
            return [run for run in self.newest() if _is_import_of(run, digest)]
        found = (self.find(id) for id in reversed(self._contents.get(digest, ())))
        return [run for run in found if run is not None]

    def _enter_content(self, run: Run) -> None:
        """Let `imports_of` find a run."""
        digest = run.order.digest
        if self._contents is not None and _is_import_of(run, digest):
            others = (id for id in self._contents.get(digest, ()) if id != run.id)
            self._contents[digest] = (*others, run.id)

    def _leave_content(self, run: Run) -> None:
        """Let `imports_of` find a run no more."""
        digest = run.order.digest
        if self._contents is None or not _is_import_of(run, digest):
            return
        others = tuple(id for id in self._contents.get(digest, ()) if id != run.id)
        if others:
            self._contents[digest] = others
        else:
            self._contents.pop(digest, None)

    def active(self) -> list[Run]:
        """Return the runs that are worked on, or are going to be, in the order of their orders."""
        found = [run for run in list(self._active.values()) if run is not None and run.is_active]
        return sorted(found, key=lambda run: (run.queued, run.id))

    @property
    def _all_ended(self) -> EndedRuns:
        self.upgrade()
        assert self._ended is not None
        return self._ended

    def ended_between(self, since: float, until: float) -> Iterator[tuple[float, EndedRun]]:
        """Generate times and numbers of the runs that ended in a time, the first one first.

        `since` and `until` are seconds since the epoch.  Runs that were forgotten are among them.
        """
        if self._ended is None:
            return iter(())
        return self._ended.between(since, until)

    def drop(self, run: Run) -> None:
        """Forget a run; who lets it go on at the same time has a conflict, or this has one."""
        run._p_changed = True
        if run.order.kind in (IMPORT, UNDO) and run.checkpoint.batches:
            if self._facts is None:
                self._facts = OOBTree()
            self._facts[run.id] = tuple(Facts.of(run))
        self._runs.pop(run.id, None)
        if self._newest is not None:
            self._newest.pop(_place(run), None)
        self._leave_content(run)
        if self._unsettled is not None:
            self._unsettled.pop(run.id, None)
        if self._files.get(run.order.file) == run.id:
            self._files.pop(run.order.file)

    def holder_of(self, name: str) -> Run | None:
        """Return the run that holds a pending file, or None."""
        id = self._files.get(name)
        run = None if id is None else self._runs.get(id)
        return run if run is not None and run.holds_file else None

    @property
    def guard(self) -> Persistent:
        """The object that changes when a run begins or ends, for `readCurrent`."""
        return self._changes

    @property
    def duty(self) -> Duty:
        """Who looks after what is to be done now and then; made by who asks first."""
        if self._duty is None:
            self._duty = Duty()
        return self._duty

    # -- who may begin -----------------------------------------------------------

    def waits_for(self, run: Run) -> Run | None:
        """Return the run that must be over before `run` can begin, or None."""
        for other in self.active():
            if other.order.kind == MOVE and other is not run and is_held_by(other, run):
                return other
        if run.order.kind == CHECK:
            return None
        holder = self._scope_holder(run.scope)
        if holder is not None and holder is not run:
            return holder
        for other in self.active():
            if other is run:
                return None
            if other.state == QUEUED and other.scope == run.scope and other.order.kind != CHECK:
                return other
        return None

    def ready(self) -> list[Run]:
        """Return the active runs that wait for no other one, in the order of their orders.

        Somebody may have them already.
        """
        active = self.active()
        moves = [run for run in active if run.order.kind == MOVE]
        found, scopes = [], set()
        for run in active:
            if run.state == QUEUED:
                is_first = run.scope not in scopes
                if run.order.kind != CHECK:
                    scopes.add(run.scope)
                    holder = self._scope_holder(run.scope)
                    if not is_first or holder not in (None, run):
                        continue
                if any(move is not run and is_held_by(move, run) for move in moves):
                    continue
            found.append(run)
        return found

    def enter_scope(self, run: Run) -> None:
        """Let `run` be the one of its scope; two at the same time are a conflict."""
        if run.order.kind != CHECK:
            self._scopes[run.scope] = run.id

    def _scope_holder(self, scope: str) -> Run | None:
        id = self._scopes.get(scope)
        run = None if id is None else self._runs.get(id)
        return run if run is not None and run.state in (RUNNING, DISTRIBUTING) else None


def is_held_by(move: Run, run: Run) -> bool:
    """Tell whether a run, which has not begun, waits until the storage is moved."""
    is_new = run.state == QUEUED and run.checkpoint.batches == 0
    return is_new and move.closing is not None and run.queued > move.closing


def busy_text(run: Run) -> str:
    """Say that a run holds a file, and what can be done."""
    if run.is_active:
        todo = _("Wait for its end, or cancel it.")
    else:
        todo = _("Let it go on, or take it back; then the file is free.")
    return _(
        "${file} belongs to the ${kind} that ${user} has ordered at ${queued} "
        "UTC, which is ${state}. ${todo}",
        mapping={
            "file": run.order.file,
            "kind": _(run.order.kind),
            "user": run.order.user,
            "queued": f"{run.queued:%Y-%m-%d %H:%M}",
            "state": _(run.state),
            "todo": todo,
        },
    )
