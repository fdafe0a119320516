"""The past of objects: what rows of runs have done to them, put together when somebody asks.

::

    marks of the object  -->  run and row  -->  undo record of the row: former values
    (importing.history)                              |
                                                     v
    new values: the former ones of the next change, or what the object has now

That a later change has found what an earlier one has left is told by serials, as in an undo:
the object had the serial of the earlier batch.  Where it had another one, something else has
changed it in between, and what a row has given it is not known any more.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, NamedTuple

from persistent.timestamp import TimeStamp
from ZODB.POSException import POSError
from zope.component import queryUtility

from waeup.kofa.importing.effects import Effect, serial_of
from waeup.kofa.importing.history import RESTORED, RETURNED, Mark, is_cut, marks_of
from waeup.kofa.importing.parts import fields_of_part, part_of
from waeup.kofa.importing.report import CREATED, REMOVED
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.connection import sight_of
from waeup.kofa.jobs.record import IMPORT, Run, UndoBatch
from waeup.kofa.jobs.registry import Facts, Runs

#: Removals that are looked through for an object that is gone.
MOST_REMOVALS = 100_000
#: Of these, objects that are loaded, for they may have the key in another field.
MOST_LOADED = 2_000

#: Versions of an object that are looked through for who has made one.
MOST_VERSIONS = 1_000

_MISSING: Any = object()


class Became(NamedTuple):
    """What became of one attribute, as values of the object.

    Without `is_known` the new value is not known any more.
    """

    name: str
    old: Any
    new: Any
    is_known: bool = True


@dataclass
class Event:
    """A mark of an object, and what is known of it.

    `run` is None when the run was forgotten, `facts` when nothing is known of it any more.
    `batch` and `effect` are what the row has left to be taken back, as long as that is kept.
    """

    mark: Mark
    run: Run | None
    facts: Facts | None
    batch: UndoBatch | None = None
    effect: Effect | None = None

    @property
    def date(self) -> datetime:
        """When it was done, in UTC."""
        return datetime.fromtimestamp(self.mark.time, timezone.utc)

    @property
    def is_undo(self) -> bool:
        """Whether an undo has done it."""
        return self.mark.operation in (RETURNED, RESTORED)


class Otherwise(NamedTuple):
    """Something that no row has done, at the time `date` or before; `user` did it, if known."""

    date: datetime
    user: str


@dataclass
class Past:
    """The past of an object; `runs` are those of the portal."""

    obj: Any
    runs: Runs

    @cached_property
    def events(self) -> list[Event]:
        """What rows did to the object, the first one first."""
        return [self._event(mark) for mark in marks_of(self.obj)]

    @property
    def is_cut(self) -> bool:
        """Whether there was more than an object keeps: behind the first event some are missing."""
        return is_cut(self.obj)

    def timeline(self) -> list[Event | Otherwise]:
        """Return all that is known, the newest first.

        `Otherwise` stands between two events where a change is known that no row has made.
        """
        found: list[Event | Otherwise] = []
        for number, event in enumerate(self.events):
            is_begun = number > 0 and not self._is_before_gap(number - 1)
            if is_begun and event.effect is not None and not self._is_with_former(number):
                other = self._otherwise(number - 1, event.effect.serial)
                found += [] if other is None else [other]
            found.append(event)
        if self.events:
            other = self._otherwise(len(self.events) - 1, serial_of(self.obj))
            found += [] if other is None else [other]
        return found[::-1]

    def changes(self, event: Event) -> list[Became] | None:
        """Return what an event has changed; None when that is not kept (any more)."""
        effect = event.effect
        if effect is None:
            return None
        # Objects of before, and those that are no database objects, have no marks.
        at = next((n for n, each in enumerate(self.events) if each.mark == event.mark), None)
        if effect.operation == CREATED:
            given = () if event.run is None else self._given(event.run, effect)
            former = {name: None for name in given if hasattr(self.obj, name)}
        elif effect.operation == REMOVED:
            former = {}
        else:
            former = {**effect.fields, **effect.others}
            former |= {name: self._default(name) for name in (*effect.new, *effect.others_new)}
        found = []
        for name, old in former.items():
            # What begins so is how an object keeps something, and nobody else's business.
            if name[:1] == "_":
                continue
            new = _MISSING if at is None else self._value_after(at, name)
            is_known = new is not _MISSING
            if effect.operation != CREATED or not is_known or new is not None:
                found.append(Became(name, old, new if is_known else None, is_known))
        has_more = effect.operation != REMOVED and (effect.extra or effect.new_extra)
        if has_more and effect.extra != effect.new_extra:
            found.append(Became("", effect.extra, effect.new_extra))
        return found

    def is_taken_back(self, event: Event) -> bool:
        """Tell whether an undo has taken back what the row of an event did."""
        return any(
            other.facts is not None
            and other.facts.undoes == event.mark.run
            and other.mark.row == event.mark.row
            for other in self.events
        )

    def event_of(self, run: Run, row: int, effect: Effect) -> Event:
        """Return the event of a row of an import; made up where the object has no mark of it."""
        for event in reversed(self.events):
            if (event.mark.run, event.mark.row) == (run.id, row) and not event.is_undo:
                return event
        mark = Mark(effect.operation, run.id, row, 0)
        return Event(mark, run, self.runs.facts(run.id), batch_of(run, row), effect)

    # -- what was found, and what was left -----------------------------------------

    def _event(self, mark: Mark) -> Event:
        run, facts = self.runs.find(mark.run), self.runs.facts(mark.run)
        batch = None if run is None or run.order.kind != IMPORT else batch_of(run, mark.row)
        effect = None if batch is None else batch.effect_of(mark.row, self.obj)
        return Event(mark, run, facts, batch if effect is not None else None, effect)

    def _is_with_former(self, number: int) -> bool:
        """Tell whether an event is of the same transaction as the one before."""
        former, event = self.events[number - 1], self.events[number]
        return event.batch is not None and former.batch is event.batch

    def _value_after(self, at: int, name: str) -> Any:
        """Return the value of an attribute behind an event, `_MISSING` where it is not known."""
        batch = self.events[at].batch
        if batch is None:
            return _MISSING
        for number in range(at + 1, len(self.events)):
            effect = self.events[number].effect
            if effect is None or not self._follows(number, at):
                continue
            for values in (effect.fields, effect.others):
                if name in values:
                    return values[name]
            if name in effect.new or name in effect.others_new:
                return self._default(name)
            return self._value_after(number, name)
        if self._is_before_gap(at):
            return _MISSING
        if self._is_last_of_batch(at) and self._state(serial_of(self.obj)) == batch.serial:
            return getattr(self.obj, name, None)
        return _MISSING

    def _follows(self, number: int, at: int) -> bool:
        """Tell whether an event has found what the one at `at` has left."""
        event, former = self.events[number], self.events[at]
        assert event.effect is not None
        assert former.batch is not None
        if self._is_before_gap(at):
            return False
        if event.batch is former.batch:
            return number == at + 1
        return (
            self._is_last_of_batch(at)
            and event.effect.serial is not None
            and self._state(event.effect.serial) == former.batch.serial
        )

    def _is_before_gap(self, at: int) -> bool:
        """Tell whether events behind this one are missing."""
        return at == 0 and self.is_cut

    def _is_last_of_batch(self, at: int) -> bool:
        return at + 1 == len(self.events) or not self._is_with_former(at + 1)

    def _state(self, serial: bytes | None) -> bytes | None:
        """Return to which serial a state belongs that undos may have brought back."""
        seen = set()
        while serial is not None and serial not in seen:
            seen.add(serial)
            former = self._restored(serial)
            if former is _MISSING:
                return serial
            serial = former
        return serial

    def _restored(self, serial: bytes) -> Any:
        """Return what an undo of that serial has given the object back, `_MISSING` for none."""
        oid = self.obj._p_oid
        for run in {event.mark.run: event.run for event in self.events if event.is_undo}.values():
            batch = None if run is None else _stored_by(run, serial)
            if batch is not None and oid in batch.restored:
                return batch.restored[oid]
        return _MISSING

    def _otherwise(self, at: int, serial: bytes | None) -> Otherwise | None:
        """Return what has changed the object behind an event so that it had that serial."""
        event = self.events[at]
        if serial is None or int.from_bytes(serial, "big") == 0:
            return None
        if event.is_undo:
            if event.run is None or not len(event.run.undo):
                return None
            is_own = self._restored(serial) is not _MISSING
        elif event.batch is None:
            return None
        else:
            is_own = serial == event.batch.serial
        return None if is_own else Otherwise(_date(serial), self._author(serial))

    def _author(self, serial: bytes) -> str:
        """Return who was behind a transaction that wrote the object, '' where that is not kept.

        Databases tell it until they are packed, and some do not at all.
        """
        try:
            found = sight_of(self.obj).history(self.obj._p_oid, size=MOST_VERSIONS)
        except (KeyError, NotImplementedError, POSError):
            return ""
        names = (each["user_name"] for each in found if each["tid"] == serial)
        name = next(names, "")
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        # In front is where the user is known.
        return text.rpartition(" ")[2]

    def _given(self, run: Run, effect: Effect) -> Sequence[str]:
        """Return the attributes of the object that columns of an import fill."""
        columns = run.order.mapping.fields
        if not effect.is_part:
            return columns
        processor = queryUtility(IBatchProcessor, name=run.order.processor)
        part = part_of(processor, self.obj)
        return () if part is None else fields_of_part(part, columns)

    def _default(self, name: str) -> Any:
        """Return what an attribute is of which the object has none of its own."""
        # To ask a class for its annotations would make some, which zope.annotation would take for
        # those of all its objects: look into what there is.
        owners = (vars(cls) for cls in type(self.obj).__mro__)
        value = next((owner[name] for owner in owners if name in owner), None)
        return None if hasattr(value, "__get__") else value


def batch_of(run: Run, row: int) -> UndoBatch | None:
    """Return the first batch of an import that ends with a row of this number or a later one."""
    numbers = list(run.undo)
    at = bisect_left(numbers, row, key=lambda number: run.undo[number].last_row)
    found: UndoBatch | None = run.undo[numbers[at]] if at < len(numbers) else None
    return found


def effects_from(run: Run, row: int) -> Iterator[tuple[int, Effect]]:
    """Generate what rows of an import did, from that of a number on."""
    numbers = list(run.undo)
    at = bisect_left(numbers, row, key=lambda number: run.undo[number].last_row)
    for number in numbers[at:]:
        for other, effect in run.undo[number].effects:
            if other >= row:
                yield other, effect


def effects_before(run: Run, row: int) -> Iterator[tuple[int, Effect]]:
    """Generate what rows of an import did, from that before a number back to the first one."""
    numbers = list(run.undo)
    at = bisect_left(numbers, row, key=lambda number: run.undo[number].last_row)
    for number in reversed(numbers[: at + 1]):
        for other, effect in reversed(run.undo[number].effects):
            if other < row:
                yield other, effect


def removals_of(runs: Runs, processor: str) -> Iterator[tuple[Run, int, Effect]]:
    """Generate which rows have removed objects of a kind, the newest first, while that is kept."""
    left = MOST_REMOVALS
    for run in runs.newest():
        if run.order.kind != IMPORT or run.order.processor != processor:
            continue
        if not run.checkpoint.counts.get(REMOVED):
            continue
        for number in reversed(list(run.undo)):
            batch = run.undo[number]
            for row, effect in reversed(batch.effects):
                if effect.operation == REMOVED:
                    yield run, row, effect
                    left -= 1
                    if not left:
                        return
            # There may be many: those that are done with are let go.
            batch._p_deactivate()


def _stored_by(run: Run, serial: bytes) -> UndoBatch | None:
    """Return the batch of a run that was stored by the transaction of a serial, or None."""
    numbers = list(run.undo)
    at = bisect_left(numbers, serial, key=lambda number: run.undo[number].serial)
    found: UndoBatch | None = run.undo[numbers[at]] if at < len(numbers) else None
    return found if found is not None and found.serial == serial else None


def _date(serial: bytes) -> datetime:
    """Return the time of a transaction, in UTC."""
    return datetime.fromtimestamp(TimeStamp(serial).timeTime(), timezone.utc)
