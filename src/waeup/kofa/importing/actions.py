"""What a row does to the objects of a portal, in each mode, by the hooks of its processor.

The row engine (`waeup.kofa.importing.engine`) hands a row over whose cells are values already,
and takes what it did: for people, for an undo, for subscribers.  A row that a hook refuses with a
message has changed nothing (`RowRefused`); of one whose hook raises nobody knows, which is the
engine's matter.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from persistent import Persistent
from ZODB.utils import z64
from zope.component import queryUtility
from zope.component.interfaces import IFactory

from waeup.kofa import conversion
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.effects import (
    Change,
    Effect,
    Watch,
    changes_between,
    first_values,
    located,
    serial_of,
    values_of,
)
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, UPSERT, HookRow, once, overridden
from waeup.kofa.importing.manner import Manner
from waeup.kofa.importing.parts import PartRows, remove_parts
from waeup.kofa.importing.preparing import Prepared, Preparer
from waeup.kofa.importing.rollback import ObjectRestore
from waeup.kofa.interfaces import IBatchProcessor

#: Why rows fail that another mode would take.
THERE_ALREADY = english(_("This object already exists."))
NO_ENTRY = english(_("Cannot update: no such entry"))


class Applied(NamedTuple):
    """What a row did.

    `look` gives the effect anew, once others have seen the object; it is there where they do, and
    effects are recorded.  `row` is what the object was made of.
    """

    outcome: str
    changes: tuple[Change, ...] = ()
    effect: Effect | None = None
    is_under_new: bool = False
    obj: Any = None
    part_effects: tuple[Effect, ...] = ()
    look: Callable[[], Effect] | None = None
    row: HookRow | None = None


class RowRefused(Exception):
    """A hook said no before anything was written."""


class RowActions:
    """Creates, updates and removes the objects that rows mean.

    `filename` is what hooks call the table; `secrets` are the fields whose values nobody is
    shown; `restore` watches objects that are in no database; `is_heard` tells that others see an
    object when its row is done.
    """

    def __init__(
        self,
        processor: IBatchProcessor,
        site: Any,
        filename: str,
        manner: Manner,
        preparer: Preparer,
        secrets: set[str],
        restore: ObjectRestore | None,
        is_heard: bool,
    ) -> None:
        self._processor = processor
        self._site = site
        self._filename = filename
        self._manner = manner
        self._preparer = preparer
        self._secrets = secrets
        self._restore = restore
        self._is_heard = is_heard
        self._own_parents = overridden(processor, "parentsExist")
        self._make = self._factory()
        parts = PartRows(processor, secrets)
        # Nothing is asked of a kind without parts.
        self._parts = parts if parts else None

    def of_mode(self, mode: str) -> Callable[[Prepared], Applied]:
        """Return what does a row in this mode; it raises `RowRefused`, and what hooks raise."""
        actions = {
            CREATE: self._create,
            UPDATE: self._update,
            REMOVE: self._remove,
            UPSERT: self._upsert,
        }
        return actions[mode]

    def _factory(self) -> Callable[[], Any]:
        """Return what makes an object: the factory itself, looked up once, if that is all."""
        processor = self._processor
        if overridden(processor, "callFactory"):
            return processor.callFactory
        factory = queryUtility(IFactory, name=processor.factory_name or "")
        return processor.callFactory if factory is None else factory

    def _create(self, prepared: Prepared) -> Applied:
        processor, site, row = self._processor, self._site, prepared.row
        if self._own_parents:
            exist = processor.parentsExist(row, site)
        else:
            exist = once(row, "parent", processor.getParent, row, site) is not None
        if not exist:
            raise RowRefused(english(processor.parentsMissing(row, site)))
        if processor.entryExists(row, site):
            raise RowRefused(THERE_ALREADY)
        parent = once(row, "parent", processor.getParent, row, site)
        self._refuse_if(processor.checkCreateRequirements(parent, row, site))
        obj = self._make()
        if self._restore is not None:
            self._restore.watch_new(obj)
        elif not isinstance(obj, Persistent):
            raise RowRefused(self._why_not_kept(obj))
        own = row if self._parts is None else self._parts.own(row)
        processor.updateEntry(obj, own, site, self._filename)
        processor.addEntry(obj, row, site)
        manner = self._manner
        done = Applied(
            outcomes.CREATED,
            first_values(obj, own, self._secrets) if manner.detailed else (),
            self._creation(obj) if manner.recorded else None,
            manner.detailed and _is_uncommitted(parent),
            obj,
            look=self._looking(self._creation, obj),
            row=row,
        )
        return done if self._parts is None else self._joined(self._parts, done, obj, row)

    def _why_not_kept(self, obj: Any) -> str:
        mapping = {"name": self._processor.name, "cls": type(obj).__name__}
        return english(
            _(
                "The objects of ${name} cannot be kept: their class ${cls} is not persistent, so "
                "that later changes would be lost. Tell the developer of the kind: it has to "
                "inherit from persistent.Persistent or grok.Model.",
                mapping=mapping,
            )
        )

    def _joined(self, parts: PartRows, done: Applied, obj: Any, row: HookRow) -> Applied:
        """Make or change the parts of an object, too."""
        manner = self._manner
        joined = parts.apply(
            obj,
            row,
            self._site,
            self._watch_part,
            is_recorded=manner.recorded,
            is_detailed=manner.detailed,
        )
        if not joined.is_changed:
            return done
        if done.outcome == outcomes.UNCHANGED:
            done = done._replace(outcome=outcomes.UPDATED, obj=obj)
        if joined.is_enclosed and done.look is not None:
            done = done._replace(effect=done.look())
        return done._replace(changes=(*done.changes, *joined.changes), part_effects=joined.effects)

    def _watch_part(self, part: Any, is_new: bool) -> None:
        if self._restore is not None:
            (self._restore.watch_new if is_new else self._restore.watch_change)(part)

    def _creation(self, obj: Any) -> Effect:
        extra = self._processor.getExtraState(obj)
        return Effect(outcomes.CREATED, obj, *located(obj), new_extra=extra)

    def _update(self, prepared: Prepared) -> Applied:
        obj = self._processor.getEntry(prepared.row, self._site)
        if obj is None:
            raise RowRefused(NO_ENTRY)
        return self._change(obj, prepared.row)

    def _upsert(self, prepared: Prepared) -> Applied:
        obj = self._processor.getEntry(prepared.row, self._site)
        if obj is not None:
            return self._change(obj, prepared.row)
        new = self._preparer.prepare_creation(prepared)
        if new.reason is not None:
            raise RowRefused(new.reason)
        new.row.found = {}
        return self._create(new)

    def _change(self, obj: Any, row: HookRow) -> Applied:
        if self._parts is None:
            if self._manner.skip_unchanged and self._has_all(obj, row):
                return Applied(outcomes.UNCHANGED)
            return self._change_own(obj, row, row)
        own = self._parts.own(row)
        if (
            self._manner.skip_unchanged
            and self._has_all(obj, own)
            and self._parts.have_all(obj, row, self._site, self._has_all)
        ):
            return Applied(outcomes.UNCHANGED)
        return self._joined(self._parts, self._change_own(obj, row, own), obj, row)

    def _change_own(self, obj: Any, whole: HookRow, row: HookRow) -> Applied:
        """Change an object by what a `whole` row says of it itself."""
        processor, site, manner = self._processor, self._site, self._manner
        self._refuse_if(processor.checkUpdateRequirements(obj, whole, site))
        if self._restore is not None:
            self._restore.watch_change(obj)
        old = values_of(obj, row) if manner.detailed else {}
        watch = extra = None
        deep = False
        if manner.recorded:
            deep = self._parts is not None and self._parts.are_enclosed(obj, whole, site)
            watch = Watch(obj, row, deep=deep)
            extra = processor.getExtraState(obj)
        place = located(obj)
        text = processor.updateEntry(obj, row, site, self._filename)
        changes = (
            changes_between(old, values_of(obj, row), self._secrets) if manner.detailed else ()
        )
        effect = look = None
        if watch is not None and (deep or self._is_heard):
            look = partial(self._update_of, watch, place, extra)
        if text == "" and not changes:
            return Applied(outcomes.UNCHANGED, look=look if deep else None)
        if watch is not None:
            effect = self._update_of(watch, place, extra)
            if isinstance(obj, Persistent):
                # Also when all that has changed is kept elsewhere: its serial tells whose it is.
                obj._p_changed = True
        return Applied(outcomes.UPDATED, changes, effect, obj=obj, look=look)

    def _update_of(self, watch: Watch, place: tuple[Any, str | None], extra: Any) -> Effect:
        new_extra = self._processor.getExtraState(watch.obj)
        return watch.effect(outcomes.UPDATED, *place, extra, new_extra)

    def _looking(self, find: Callable[..., Effect], *args: Any) -> Callable[[], Effect] | None:
        """Return what gives an effect anew, where it is recorded and others see the object."""
        return partial(find, *args) if self._is_heard and self._manner.recorded else None

    def _has_all(self, obj: Any, row: Mapping[str, Any]) -> bool:
        """Tell whether an object has all values of a row; what it cannot be asked it has not."""
        for name, value in row.items():
            if name[:1] == "_" or conversion.is_ignored(value):
                continue
            if not hasattr(obj, name):
                return False
            old = getattr(obj, name)
            if type(old) is not type(value) or old != value:
                return False
        return True

    def _remove(self, prepared: Prepared) -> Applied:
        processor, site, row = self._processor, self._site, prepared.row
        if not processor.entryExists(row, site):
            raise RowRefused(english(_("Cannot remove: no such entry")))
        obj = processor.getEntry(row, site)
        self._refuse_if(processor.checkRemoveRequirements(obj, row, site))
        if self._restore is not None:
            self._restore.watch_change(obj)
        extra = processor.getExtraState(obj) if self._manner.recorded else None
        place, serial = located(obj), serial_of(obj)
        parts = [] if self._parts is None else self._parts.found(obj, site)
        processor.delEntry(row, site)
        part_effects = self._removed(parts) if parts else ()
        effect = None
        if self._manner.recorded:
            effect = Effect(outcomes.REMOVED, obj, *place, extra=extra, serial=serial)
        return Applied(outcomes.REMOVED, (), effect, obj=obj, part_effects=part_effects)

    def _removed(self, parts: Iterable[Any]) -> tuple[Effect, ...]:
        """Remove parts that do not lie in their object."""
        for part in parts:
            self._watch_part(part, False)
        effects = remove_parts(parts)
        return effects if self._manner.recorded else ()

    def _refuse_if(self, message: str | None) -> None:
        if not message:
            return
        if not isinstance(message, str):
            raise TypeError(
                f"{type(self._processor).__name__} refuses the row by {message!r}. A hook that is "
                "asked whether a row may go on returns None, or a message."
            )
        raise RowRefused(message)


def _is_uncommitted(obj: Any) -> bool:
    """Tell whether an object was made in this transaction, or is in no database."""
    return getattr(obj, "_p_serial", z64) == z64
