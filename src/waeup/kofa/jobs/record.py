"""What the database knows of a run: its record, and what changes while it is worked on.

The record is the truth about a run; engines only ring a bell.  It is kept in several objects,
so that those who write them do not get into each other's way:

* `Run`: what was ordered and what became of it.  Written by the person who orders or cancels,
  and by the worker at the edges of the state machine.
* `Checkpoint`: how far the rows are.  Written by every batch in its own transaction, together
  with the objects; its conflicts are not resolved, thus of two workers only one can commit.
* `Lease`: who works on it, for the moment.
* `Progress`: what people watch.
* `UndoBatch`: what a batch did, one object for each batch, never changed.

The module path is a database format.
"""

import secrets
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from operator import itemgetter
from typing import Any

from BTrees.IOBTree import IOBTree
from persistent import Persistent

from waeup.kofa.conversion import Mapping, Values
from waeup.kofa.errors import WrongState
from waeup.kofa.exporting import Wish
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.corrections import Correction, Corrections
from waeup.kofa.importing.effects import Effect
from waeup.kofa.importing.report import CREATED, REMOVED, UPDATED, Report, Tally

#: What a run is for.
IMPORT, CHECK, UNDO, EXPORT, MOVE = "import", "check", "undo", "export", "move"

QUEUED, RUNNING, DISTRIBUTING = "queued", "running", "distributing"
FINISHED, STOPPED, CANCELLED, UNDONE = "finished", "stopped", "cancelled", "undone"
#: Kinds and states are their own names in English; these are told in other languages.
WORDS = {
    IMPORT: _("import"),
    CHECK: _("check"),
    UNDO: _("undo"),
    EXPORT: _("export"),
    MOVE: _("move"),
    QUEUED: _("queued"),
    RUNNING: _("running"),
    DISTRIBUTING: _("distributing"),
    FINISHED: _("finished"),
    STOPPED: _("stopped"),
    CANCELLED: _("cancelled"),
    UNDONE: _("undone"),
}
#: States in which a worker works on a run, or is going to.
ACTIVE = (QUEUED, RUNNING, DISTRIBUTING)
#: State -> states that can follow.
EDGES: dict[str, tuple[str, ...]] = {
    QUEUED: (RUNNING, DISTRIBUTING, STOPPED, CANCELLED),
    RUNNING: (DISTRIBUTING, FINISHED, STOPPED, CANCELLED),
    DISTRIBUTING: (FINISHED, STOPPED),
    STOPPED: (QUEUED, DISTRIBUTING, CANCELLED, UNDONE),
    CANCELLED: (QUEUED, UNDONE),
    FINISHED: (UNDONE,),
    UNDONE: (),
}

#: Outcomes of rows that have changed something.
DONE = (CREATED, UPDATED, REMOVED)


@dataclass(frozen=True)
class Order:
    """What is to be done, how, and who says so.

    `kind` is that of the run.  `file` is the name of a pending file and `digest` the SHA-256 of
    the content that the mapping was made for; `processor` is the name of the utility, `user` the
    id of the principal who ordered it.  `columns` gives the field of each column,
    `constants` are pairs of field and text, `values` which texts stand for others (all as in
    `waeup.kofa.conversion.Mapping`), `reading` is what was said about how the file is
    read (`ReadOptions.as_dict`).  `check` is the id of the check that the run must not differ
    from, `undoes` that of the run that is taken back.  A run that `takes_file` has the file for
    itself.  `corrections` tells different corrections of rows apart (`Corrections.digest`).

    Of an export, `file` is what its result is called, `processor` the name of the exporter, and
    `wish` what `Wish.as_dict` gives, without keys; see `Run.wish`.

    A move of the storage goes to the folder `target`; with `overwrite` it replaces what is there.
    With `anywhere` this need not be below the folders that the operator has allowed: the operator
    has named it.
    """

    kind: str
    file: str
    digest: str
    processor: str
    mode: str
    user: str
    columns: tuple[str | None, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    reading: dict[str, Any] = field(default_factory=dict)
    skip_unchanged: bool = False
    check: str | None = None
    undoes: str | None = None
    takes_file: bool = True
    wish: dict[str, Any] | None = None
    values: Values = ()
    corrections: str = ""
    target: str | None = None
    overwrite: bool = False
    anywhere: bool = False

    @property
    def mapping(self) -> Mapping:
        """What fills the fields of an import."""
        return Mapping(self.columns, self.constants, self.values)

    def is_same_import(self, other: "Order") -> bool:
        """Tell whether both would do the same with the same rows."""
        own = replace(self, kind=other.kind, user=other.user, check=other.check)
        return replace(own, takes_file=other.takes_file) == other


class Checkpoint(Persistent):
    """How far the rows of a run are, and who may go on.

    `token` is raised by each claim.  `cursor` counts the rows of the table that are done,
    `batches` the transactions that did them.  `segments` are tuples of token, length of the
    finished and of the pending rows in bytes, in the order of the rows.  `is_complete` says that
    there are no more rows.  `tries` counts the claims since rows were done, or, of a run that
    keeps no rows before its end, since it got clearly further than `furthest`.
    """

    token = 0
    cursor = 0
    batches = 0
    segments: tuple[tuple[int, int, int], ...] = ()
    has_raw = False
    is_complete = False
    tries = 0
    furthest = 0
    corrected = 0

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.reasons: dict[str, int] = {}
        self.seconds = 0.0

    @property
    def tally(self) -> Tally:
        """The rows so far."""
        return Tally(self.counts, self.reasons, self.seconds, self.corrected)

    @property
    def changed(self) -> bool:
        """Whether a row has changed anything."""
        return any(self.counts.get(outcome) for outcome in DONE)

    def keep(self, tally: Tally) -> None:
        """Keep the rows so far."""
        self.counts, self.reasons = dict(tally.counts), dict(tally.reasons)
        self.seconds, self.corrected = tally.seconds, tally.corrected

    def claim(self) -> int:
        """Take the run; return the token that proves it."""
        self.token += 1
        return self.token

    def count_try(self, place: int) -> int:
        """Count a claim of a run whose last worker came to `place`; return how many there were.

        What kills its process does so at one place, more or less; who is killed by chance gets
        further now and then.
        """
        if place > self.furthest + self.furthest // 10:
            self.furthest, self.tries = place, 0
        self.tries += 1
        return self.tries

    def touch(self) -> None:
        """Be part of the transaction: whoever does something for a run writes this."""
        self._p_changed = True


class Lease(Persistent):
    """Who works on a run.

    `holder` names the worker; empty: nobody.  `beats` is raised by a heart beat, beside the
    batches, since one may take long: a lease that stays the same for `job.LEASE` seconds, by the
    clock of whoever looks, is that of a dead worker.  Clocks of two machines are not compared.
    """

    holder = ""
    beats = 0

    def renew(self, holder: str) -> None:
        """Have the run, or show that one still has it."""
        self.holder, self.beats = holder, self.beats + 1

    def release(self) -> None:
        """Let everybody take the run."""
        self.holder = ""


class Duty(Persistent):
    """Which of several processes looks after what is to be done now and then.

    `holder` and `beats` are as those of a `Lease`.  `done` are the times (UTC) at which tasks were
    done last, by name; it is replaced, never changed.
    """

    holder = ""
    beats = 0

    def __init__(self) -> None:
        self.done: dict[str, datetime] = {}


class Progress(Persistent):
    """How far a run is, as people see it.

    `rows` were worked on and `failed` of them failed; `fraction` of the work is done (0 to 1),
    `rate` are rows a second.  `date` is the time of the last change.  Of a move, `rows` are
    files, and `bytes` of `all_bytes` are copied.  While the rules over a whole file are asked,
    before its first row, the run `is_looking`, and `fraction` of the file was looked at.
    """

    rows = 0
    failed = 0
    is_looking = False
    fraction = 0.0
    rate = 0.0
    date: datetime | None = None
    bytes = 0
    all_bytes = 0

    def tell(
        self,
        rows: int,
        failed: int,
        fraction: float,
        rate: float,
        size: tuple[int, int] = (0, 0),
    ) -> None:
        """Tell how far the run is now; `size` says how many bytes of how many are copied."""
        self.rows, self.failed, self.fraction, self.rate = rows, failed, fraction, rate
        self.bytes, self.all_bytes = size
        self.is_looking = False
        self.date = utc_now()

    def look(self, fraction: float) -> None:
        """Tell how much of a file was looked at as a whole; no row is worked on yet."""
        self.tell(0, 0, fraction, 0.0)
        self.is_looking = True


#: Where these are among the values of an effect.
_OBJ, _PARENT, _SERIAL = map(Effect._fields.index, ("obj", "parent", "serial"))


class UndoBatch(Persistent):
    """What the rows of one batch did: pairs of row number and `Effect`, in their order.

    Its serial is that of the transaction, and thus the one that the objects got.  `restored`
    tells, by oid, the serial that an object had before which was changed by the way.  That of an
    undo has no effects; instead `restored` tells the serial of the state that each object has
    got back.

    Each effect is kept without the values at its end that say nothing.  Containers, which are
    few, are kept once: a reference costs more than all else in an effect.
    """

    # None: of a former release, whose effects have their containers themselves.
    _parents: tuple[Any, ...] | None = None

    def __init__(
        self,
        effects: Sequence[tuple[int, Effect]],
        restored: Dict[bytes, bytes | None] | None = None,
    ) -> None:
        known: set[int] = set()
        parents: list[Any] = []
        places: dict[int, int] = {}
        kept = []
        for number, effect in effects:
            values = list(effect)
            if id(effect.obj) in known:
                # What it was before this transaction has been told.
                values[_SERIAL] = None
            known.add(id(effect.obj))
            while values[-1] is None or values[-1] in ({}, ()):
                values.pop()
            if effect.parent is not None:
                place = places.setdefault(id(effect.parent), len(parents))
                if place == len(parents):
                    parents.append(effect.parent)
                values[_PARENT] = place
            kept.append((number, tuple(values)))
        self._effects = tuple(kept)
        self._parents = tuple(parents)
        self.restored = dict(restored or {})

    @property
    def effects(self) -> list[tuple[int, Effect]]:
        """Row numbers and effects, in the order of the rows."""
        return [(number, self._whole(values)) for number, values in self._effects]

    @property
    def last_row(self) -> int:
        """The number of the last row that did something; 0 where none did."""
        return self._effects[-1][0] if self._effects else 0

    def effect_of(self, row: int, obj: Any = None) -> Effect | None:
        """Return what the row of a number did to an object, or None.

        A row may have done something to several; without `obj` the first of them is meant.
        """
        at = bisect_left(self._effects, row, key=itemgetter(0))
        found = []
        while at < len(self._effects) and self._effects[at][0] == row:
            found.append(self._effects[at][1])
            at += 1
        if len(found) > 1 and obj is not None:
            found = [values for values in found if values[_OBJ] is obj]
        return self._whole(found[0]) if found else None

    def _whole(self, values: tuple[Any, ...]) -> Effect:
        effect = Effect(*values)
        if self._parents is None or effect.parent is None:
            return effect
        return effect._replace(parent=self._parents[effect.parent])

    @property
    def serial(self) -> bytes:
        """The serial of the transaction that it was stored by."""
        self._p_activate()
        serial: bytes = self._p_serial
        return serial


class Keys(Persistent):
    """The keys of an export, in an object of its own: who lists runs need not load them."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = tuple(keys)


class Run(Persistent):
    """A run: an import, a check, the undo of an import, an export, or a move of the storage.

    ::

                  .----------- a person lets it go on -----------.
                  v                                              |
        order -> queued -> running -> distributing -> finished   |
                  |         |    |         |             |       |
                  |         |    `- fault -+-> stopped ----------+
                  | cancel  |                   |  |     | undo  |
                  `----.----'                   |  |     v       |
                       v          cancel        |  `-> undone    |
                   cancelled <------------------'        ^       |
                       |  `------------- undo -----------'       |
                       `-----------------------------------------'

    ``distributing`` is for runs that bring files to their places; others end without.  One that
    stopped there goes on there, and cannot be cancelled.

    `ended` and the others are times in UTC; `fault` says in words why the run stopped, `report`
    is what `Report.as_dict` gives, `is_cancelling` that a person wants it to end at the next
    batch.  `undone_by` is the id of the undo; `undo_bytes` is the size of the undo records.
    `taken_back` are the batches, counted from the last one, of an undo that was given up.
    `user` is the id of the principal that the run acts as: who ordered it, or let it go on last.
    `corrections` are those of the rows of an import or a check, in an object of its own that
    nobody changes.  So are the keys of an export; `listed` is their number.  `left` are
    names that a move has not copied; runs that are ordered after `closing` wait for its end.
    One that `is_small` is done before larger ones (`waeup.kofa.jobs.lanes`).
    """

    state = QUEUED
    is_small = False
    started: datetime | None = None
    ended: datetime | None = None
    fault = ""
    report: dict[str, Any] | None = None
    is_cancelling = False
    undone_by: str | None = None
    undo_bytes = 0
    taken_back = 0
    is_given_up = False
    corrections: Corrections | None = None
    listed: int | None = None
    left: tuple[str, ...] = ()
    closing: datetime | None = None
    #: Whether it was told that a worker has begun with it.
    has_begun = False
    _keys: Keys | None = None
    #: When it ended, as `EndedRuns` has it; None while it has no place there.
    counted: float | None = None

    def __init__(self, order: Order, scope: str, needs: Iterable[str] = ()) -> None:
        self.id = secrets.token_hex(8)
        self.order = order
        self.user = order.user
        self.scope = scope
        #: The permissions that the file needs, and thus all that is told of its rows.
        self.needs = tuple(sorted(needs))
        self.queued = utc_now()
        self.checkpoint = Checkpoint()
        self.lease = Lease()
        self.progress = Progress()
        #: Number of the batch -> `UndoBatch`.
        self.undo = IOBTree()

    def move(self, state: str) -> None:
        """Go to another state; raises `WrongState` when there is no edge."""
        if state not in EDGES[self.state]:
            raise WrongState(
                _(
                    "The ${title} is ${state}, thus it cannot be ${state2}. Look at the list "
                    "of runs again.",
                    mapping={
                        "title": self.words,
                        "state": WORDS[self.state],
                        "state2": WORDS[state],
                    },
                )
            )
        self.state = state
        if state == QUEUED:
            self.fault, self.ended, self.is_cancelling = "", None, False
        elif state == RUNNING:
            self.started = self.started or utc_now()
        elif state != DISTRIBUTING:
            self.ended = self.ended or utc_now()

    def give_up(self, reason: str) -> None:
        """End for good, with a reason; the rows that are done stay done.

        For a run whose files are lost.  A worker that has it finds out by the token.
        """
        if self.state == DISTRIBUTING:
            self.move(STOPPED)
        if self.state != CANCELLED:
            self.move(CANCELLED)
        self.fault, self.is_given_up = reason, True
        self.checkpoint.claim()
        self.lease.release()

    def list_keys(self, keys: Sequence[str]) -> None:
        """Say of which objects an export is."""
        self._keys, self.listed = Keys(keys), len(keys)

    @property
    def wish(self) -> Wish:
        """What an export is to give, its keys included."""
        wish = Wish.of(self.order.wish or {})
        return wish if self._keys is None else replace(wish, keys=self._keys.keys)

    def corrected_rows(self) -> dict[int, Correction]:
        """Return the corrections of its rows, by number."""
        return {} if self.corrections is None else dict(self.corrections)

    @property
    def title(self) -> str:
        """What it does, in English."""
        return english(self.words)

    @property
    def words(self) -> str:
        """What it does, as a message."""
        mapping = {"kind": WORDS[self.order.kind], "file": self.order.file}
        return _("${kind} of ${file}", mapping=mapping)

    @property
    def is_active(self) -> bool:
        """Whether a worker works on it, or is going to."""
        return self.state in ACTIVE

    @property
    def holds_file(self) -> bool:
        """Whether nobody else may import, replace or delete the file."""
        if not self.order.takes_file or self.is_given_up:
            return False
        return self.is_active or self._is_left

    @property
    def _is_left(self) -> bool:
        """Whether somebody has to say what becomes of it."""
        # One that was cancelled before its first row is as if it had never been.
        return self.state == STOPPED or (self.state == CANCELLED and self.checkpoint.batches > 0)

    def began_before_end_of(self, undo: "Run") -> bool:
        """Tell whether an undo can have changed what this run has, or had, undo records of."""
        began = self.started or self.queued
        return undo.scope == self.scope and (undo.ended is None or undo.ended >= began)

    @property
    def can_be_given_up(self) -> bool:
        """Whether it has a file that can be freed, or an import that can be undone anew."""
        has_any = self.order.takes_file or self.order.kind == UNDO
        return self._is_left and has_any and not self.is_given_up and self.undone_by is None

    @property
    def can_resume(self) -> bool:
        """Whether a person can let it go on."""
        is_free = self.state == CANCELLED and self.checkpoint.batches == 0
        is_free = is_free or self.is_given_up
        return QUEUED in EDGES[self.state] and not is_free and self.undone_by is None

    @property
    def _has_only_failed(self) -> bool:
        """Whether there were rows, all of them failed: to take that back frees the file."""
        checkpoint = self.checkpoint
        return self.holds_file and checkpoint.batches > 0 and not checkpoint.changed

    @property
    def can_be_cancelled(self) -> bool:
        """Whether a person can let it end."""
        is_possible = self.state == STOPPED or (self.is_active and not self.is_cancelling)
        return is_possible and not self.checkpoint.is_complete

    @property
    def can_be_undone(self) -> bool:
        """Whether there is something to take back, and a record of it."""
        return (
            self.order.kind == IMPORT
            and UNDONE in EDGES[self.state]
            and self.undone_by is None
            and (len(self.undo) > 0 or self._has_only_failed)
            # Files that are on their way come to their places first.
            and (self.state == FINISHED or self.is_given_up or not self.checkpoint.is_complete)
        )

    @property
    def is_settled(self) -> bool:
        """Whether nothing can become of it any more, unless somebody lets it go on."""
        is_kept = self.order.kind == IMPORT and len(self.undo) > 0
        return not (is_kept or self.is_active or self.can_resume or self.holds_file)

    def totals(self) -> Report:
        """Return the totals: of the whole run, or so far."""
        if self.report is not None:
            return Report.from_dict(self.report)
        order = self.order
        return self.checkpoint.tally.report(order.file, order.processor, order.mode)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)
