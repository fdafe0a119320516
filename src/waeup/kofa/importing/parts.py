"""Rows about several objects: the one of the kind, and parts that have columns of their own.

::

    class Burrow(Part):
        iface = IBurrow
        prefix = "burrow_"
        container = "burrows"          # below the site, under the name of the object

    class MammothProcessor(ContainerProcessor):
        ...
        parts = (Burrow(),)

A row makes or changes all of them, or none; each has its own history, an undo takes all of them
back together or leaves all of them alone, and an export joins them again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import grok
from persistent import Persistent
from zope.interface import Invalid
from zope.lifecycleevent import Attributes, ObjectModifiedEvent
from zope.schema import getFields, getFieldsInOrder

from waeup.kofa.conversion import is_ignored
from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.assigning import assign
from waeup.kofa.importing.completing import MISSING
from waeup.kofa.importing.effects import (
    Change,
    Effect,
    Watch,
    changes_between,
    located,
    serial_of,
    values_of,
)
from waeup.kofa.importing.enclosed import encloses, is_enclosed
from waeup.kofa.importing.events import fire
from waeup.kofa.importing.hooks import HookRow
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.record import Record
from waeup.kofa.interfaces import DELETION_MARKER

#: The value in a column of a part that is not there: its cell is empty.
NO_PART: Any = object()


class Part:
    """An object that belongs to one of a kind, and is made or changed by the same row.

    `iface` is its schema; its columns are called like the fields, with the `prefix` in front.  It
    is found under the name of the object in a `container`, given by the names that lead to it
    from the site, or else in the object itself: under `name` in it or, if it is no container, as
    an attribute, which must be there.  `factory` makes one (without it a `Record`), and
    `container_factory` makes containers that are missing, as for a `ContainerProcessor`.

    A part is persistent, or lies in attributes of its object, at any depth, such as in a list.
    Then its past is that of the object.  Others are refused.

    A row without any value for the part leaves it alone; one for an object without a part needs
    the required fields of the part.  An object that is removed takes its part with it.
    """

    iface: ClassVar[Any] = None
    prefix: ClassVar[str] = ""
    name: ClassVar[str] = ""
    container: ClassVar[str] = ""
    factory: ClassVar[Callable[[], Any] | None] = None
    container_factory: ClassVar[Callable[[], Any] | None] = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of the part, in order, each with its field."""
        return {self.prefix + name: field for name, field in getFieldsInOrder(self.iface)}

    def find(self, obj: Any, site: Any) -> Any:
        """Return the part of an object, or None."""
        if self.container:
            parent = self.parent(obj, site)
            return None if parent is None else parent.get(obj.__name__)
        get = getattr(obj, "get", None)
        return getattr(obj, self.name, None) if get is None else get(self.name)

    def make(self, obj: Any, site: Any) -> Any:
        """Return a new part for an object."""
        factory = type(self).factory
        return Record(self.iface) if factory is None else factory()

    def add(self, part: Any, obj: Any, site: Any) -> None:
        """Put a new part into its place; raises `Refused` where there is none."""
        parent = self.parent(obj, site)
        if parent is None or not hasattr(parent, "__setitem__"):
            raise Refused(
                _(
                    "There is no place for the ${part} of this object.",
                    mapping={"part": self.name or self.container},
                )
            )
        parent[obj.__name__ if self.container else self.name] = part

    def parent(self, obj: Any, site: Any) -> Any:
        """Return what the part of an object lies in, or None."""
        if not self.container:
            return obj
        parent = site
        for name in self.container.split("/"):
            parent = parent.get(name) if parent is not None else None
        return parent


def make_places(
    container: str, factory: Callable[[], Any] | None, parts: Iterable[Part], site: Any
) -> None:
    """Make the containers of a kind and of its `parts` that are missing, where it says of what."""
    places = [(container, factory)]
    places += [(part.container, type(part).container_factory) for part in parts]
    for path, make in places:
        if make is None:
            continue
        place = site
        for name in path.split("/"):
            if place.get(name) is None:
                place[name] = make()
            place = place[name]


class Joined(NamedTuple):
    """What a row did to the parts of an object.

    What it did to parts that have no record of their own is an effect on the object.
    """

    changes: tuple[Change, ...] = ()
    effects: tuple[Effect, ...] = ()
    is_changed: bool = False
    is_enclosed: bool = False


class _Plan(NamedTuple):
    """A part, and which columns of rows fill which of its fields."""

    part: Part
    fields: dict[str, str]
    required: tuple[str, ...]


class PartRows:
    """The parts of the objects of one import; `secrets` are the columns with passwords."""

    def __init__(self, processor: Any, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        self._plans: list[_Plan] = []
        for part in getattr(processor, "parts", ()):
            # Also those for which the table has no column: they may be computed.
            fields = {name: name.removeprefix(part.prefix) for name in part.columns()}
            required = tuple(
                name
                for name, field in getFields(part.iface).items()
                if field.required and field.default is field.missing_value
            )
            self._plans.append(_Plan(part, fields, required))
        self._columns = {name for plan in self._plans for name in plan.part.columns()}

    def __bool__(self) -> bool:
        """Whether the kind has parts at all."""
        return bool(self._plans)

    def own(self, row: HookRow) -> HookRow:
        """Return what a row says of the object itself."""
        own = HookRow((name, row[name]) for name in row if name not in self._columns)
        own.found = row.found
        return own

    def are_enclosed(self, obj: Any, row: HookRow, site: Any) -> bool:
        """Tell whether a row is about a part that has, or may have, no record of its own."""
        for plan in self._plans:
            if _values(plan, row):
                part = plan.part.find(obj, site)
                if _may_lie_in(plan.part) if part is None else is_enclosed(part):
                    return True
        return False

    def have_all(self, obj: Any, row: HookRow, site: Any, has_all: Callable[..., bool]) -> bool:
        """Tell whether the parts of an object have all values of a row already."""
        for plan in self._plans:
            values = _values(plan, row)
            if not values:
                continue
            part = plan.part.find(obj, site)
            if part is None or not has_all(part, values):
                return False
        return True

    def apply(
        self,
        obj: Any,
        row: HookRow,
        site: Any,
        watch: Callable[[Any, bool], object],
        *,
        is_recorded: bool,
        is_detailed: bool,
    ) -> Joined:
        """Make or change the parts of an object, which is in its place.

        `watch` is told of each part, and whether it is new, before it is changed.
        """
        changes: list[Change] = []
        effects: list[Effect] = []
        is_changed = has_enclosed = False
        for plan in self._plans:
            values = _values(plan, row)
            if not values:
                continue
            part = plan.part.find(obj, site)
            effect: Effect | None
            if part is None:
                part, effect, old = self._made(plan, obj, values, site, watch)
                _require_kept(plan.part, part, obj)
            else:
                _require_kept(plan.part, part, obj)
                watch(part, False)
                old = values_of(part, values)
                effect = self._changed(plan, part, values) if is_recorded else None
                if effect is None and not (not is_recorded and self._assigned(plan, part, values)):
                    continue
            is_changed = True
            if is_enclosed(part):
                has_enclosed = True
                if isinstance(obj, Persistent):
                    # Nobody else tells the database of it.
                    obj._p_changed = True
            elif is_recorded and effect is not None:
                effects.append(effect)
            if is_detailed:
                changes += self._shown(plan, old, values_of(part, values))
        return Joined(tuple(changes), tuple(effects), is_changed, has_enclosed)

    def found(self, obj: Any, site: Any) -> list[Any]:
        """Return the parts of an object that do not lie in it; they are to be removed."""
        found = []
        for plan in self._plans:
            for part in parts_elsewhere((plan.part,), obj, site):
                _require_kept(plan.part, part, obj)
                found.append(part)
        return found

    def _made(
        self,
        plan: _Plan,
        obj: Any,
        values: dict[str, Any],
        site: Any,
        watch: Callable[[Any, bool], object],
    ) -> tuple[Any, Effect, dict[str, Any]]:
        missing = [name for name in plan.required if values.get(name) is None]
        if missing:
            names = ", ".join(plan.part.prefix + name for name in missing)
            raise ValueError(f"{names}: {MISSING}")
        part = plan.part.make(obj, site)
        watch(part, True)
        assign(part, values)
        _require_invariants(plan.part.iface, part)
        plan.part.add(part, obj, site)
        if is_enclosed(part):
            # A container may have put it into a proxy.
            part = plan.part.find(obj, site)
        return part, Effect(outcomes.CREATED, part, *located(part), is_part=True), {}

    def _changed(self, plan: _Plan, part: Any, values: dict[str, Any]) -> Effect | None:
        """Change a part; return what that did, None if it had all values already."""
        watched = Watch(part, values)
        place = located(part)
        if not self._assigned(plan, part, values):
            return None
        return watched.effect(outcomes.UPDATED, *place, None, None)._replace(is_part=True)

    def _assigned(self, plan: _Plan, part: Any, values: dict[str, Any]) -> bool:
        changed = assign(part, values)
        if changed:
            _require_invariants(plan.part.iface, part)
            fire(ObjectModifiedEvent(part, Attributes(plan.part.iface, *changed)))
        return bool(changed)

    def _shown(
        self, plan: _Plan, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> tuple[Change, ...]:
        prefix = plan.part.prefix
        secrets = {name for name in new if prefix + name in self._secrets}
        return tuple(
            (prefix + name, former, now)
            for name, former, now in changes_between(old, new, secrets)
        )


def parts_elsewhere(parts: Iterable[Part], obj: Any, site: Any) -> list[Any]:
    """Return those `parts` of an object that are there and do not lie in it."""
    found = (part.find(obj, site) for part in parts if part.container)
    return [part for part in found if part is not None]


def remove_parts(parts: Iterable[Any]) -> tuple[Effect, ...]:
    """Remove parts; return what that did."""
    effects = []
    for part in parts:
        place, serial = located(part), serial_of(part)
        parent, name = place
        del parent[name]
        effects.append(Effect(outcomes.REMOVED, part, *place, serial=serial, is_part=True))
    return tuple(effects)


def part_columns(processor: Any) -> frozenset[str]:
    """Return the columns of the parts of a kind."""
    return frozenset(name for part in getattr(processor, "parts", ()) for name in part.columns())


def part_of(processor: Any, obj: Any) -> Part | None:
    """Return the part of a kind that an object is, by its schema; None for no part."""
    parts: Sequence[Part] = getattr(processor, "parts", ())
    return next((part for part in parts if part.iface.providedBy(obj)), None)


def fields_of_part(part: Part, columns: Iterable[str]) -> list[str]:
    """Return the fields of a part that `columns` fill."""
    known = part.columns()
    return [name.removeprefix(part.prefix) for name in columns if name in known]


def secrets_of_part(part: Part, columns: Iterable[str]) -> frozenset[str]:
    """Return the fields of a part with passwords; `columns` are those of the kind that have any.

    A field may be one by a converter of the kind.
    """
    return secret_names(part.iface).union(fields_of_part(part, columns))


def part_getters(processor: Any, columns: Iterable[str]) -> dict[str, Callable[[Any], Any]]:
    """Return, for those `columns` that are of parts, what gives their values for an object."""
    wanted = set(columns)
    getters: dict[str, Callable[[Any], Any]] = {}
    for part in getattr(processor, "parts", ()):
        names = wanted.intersection(part.columns())
        find = _Last(part)
        for name in names:
            getters[name] = _getter(find, name.removeprefix(part.prefix))
    return getters


def mark_parts(
    processor: Any, columns: Sequence[str], cells_of: Callable[[Any], list[str]]
) -> Callable[[Any], list[str]]:
    """Return what gives the cells of an object, those of a part without any value marked.

    An import makes a part for a row with a value for it, and to clear a field is one.  So the
    deletion marker stands in the first cell that may be cleared, where all of them would be empty.
    Parts that an object has from the beginning need none.
    """
    marks = [
        (places, _to_clear(part, columns, places), _Last(part))
        for part in getattr(processor, "parts", ())
        if (places := [at for at, name in enumerate(columns) if name in part.columns()])
    ]
    if not marks:
        return cells_of

    def cells(obj: Any) -> list[str]:
        found = cells_of(obj)
        for places, marked, find in marks:
            is_empty = not any(found[at] for at in places)
            if is_empty and find(obj) is not None and _is_made(find.part, obj):
                found[marked] = DELETION_MARKER
        return found

    return cells


def _is_made(part: Part, obj: Any) -> bool:
    """Tell whether a row makes the part of an object; one that is an attribute is there."""
    return _has_own_place(part) or bool(part.container) or getattr(obj, "get", None) is not None


def _may_lie_in(part: Part) -> bool:
    """Tell whether the objects of a part may lie in attributes of the object they belong to."""
    return _has_own_place(part) or not part.container


def _has_own_place(part: Part) -> bool:
    """Tell whether a part is put where its kind wants it."""
    return type(part).add is not Part.add


def require_records(kind: str, parts: Iterable[Part]) -> None:
    """Raise TypeError for a part whose objects cannot be kept; `kind` is what declares it."""
    if not isinstance(parts, list | tuple) or not all(isinstance(part, Part) for part in parts):
        raise TypeError(
            f"{kind}.parts has to be a tuple of instances of Part, such as parts = (Burrow(),)."
        )
    for part in parts:
        is_found = type(part).find is not Part.find
        if not part.container and not part.name and not is_found:
            raise TypeError(
                f"{kind}: {type(part).__name__} has no place. Give it a container, the names that "
                "lead to it from the site, or the name under which it lies in its object."
            )
        factory = type(part).factory
        is_elsewhere = bool(part.container) and not _has_own_place(part)
        if is_elsewhere and isinstance(factory, type) and not issubclass(factory, Persistent):
            raise TypeError(
                f"{kind}: {factory.__name__}, of which {type(part).__name__} makes objects in "
                f"{part.container}, is not persistent: what rows do to them could not be taken "
                "back. Let it inherit from persistent.Persistent or grok.Model."
            )


def _require_kept(plan: Part, part: Any, obj: Any) -> None:
    """Raise ValueError for a part that has no record, nor lies in that of its object."""
    if not is_enclosed(part) or not isinstance(obj, Persistent) or encloses(obj, part):
        return
    # A proxy tells the class of what is in it.
    cls = part.__class__.__name__
    raise ValueError(
        english(
            _(
                "The objects of the part ${part} cannot be changed by rows: their class ${cls} "
                "is not persistent, so that this could not be taken back. Tell the developer of "
                "the kind: it has to inherit from persistent.Persistent.",
                mapping={"part": type(plan).__name__, "cls": cls},
            )
        )
    )


def _to_clear(part: Part, columns: Sequence[str], places: Sequence[int]) -> int:
    """Return the first of the places of columns whose field may be without a value.

    Without any, the first one: a part that breaks its schema does not get lost without a word.
    """
    fields = part.columns()
    return next((at for at in places if not fields[columns[at]].required), places[0])


class _Last:
    """Finds the part of an object; all columns of a row ask for the same one."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._obj: Any = self
        self._found: Any = None

    def __call__(self, obj: Any) -> Any:
        if obj is not self._obj:
            self._obj, self._found = obj, self.part.find(obj, grok.getSite())
        return self._found


def _getter(find: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    def get(obj: Any) -> Any:
        part = find(obj)
        return NO_PART if part is None else getattr(part, name, None)

    return get


def _values(plan: _Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row gives the fields of a part."""
    return {
        field: row[column]
        for column, field in plan.fields.items()
        if column in row and not is_ignored(row[column])
    }


def _require_invariants(iface: Any, part: Any) -> None:
    """Raise ValueError when a part breaks an invariant of its schema."""
    errors: list[Invalid] = []
    try:
        iface.validateInvariants(part, errors)
    except Invalid:
        texts = [english(each.args[0]) if each.args else type(each).__name__ for each in errors]
        raise ValueError("; ".join(texts))
