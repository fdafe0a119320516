"""Takes back what a row did to an object, unless somebody has worked on it since.

"Since" is told by serials: an object has the serial of the transaction that changed it last.
As long as that is one of the import's own, nobody else has touched it.  An undo gives an object
a former state back, but a new serial: `Serials` knows to which serial that state belongs.  The
same goes for what an undo changes by the way, through subscribers.  So several rows on one
object, and several imports, can be taken back one after the other, and what somebody did in
between is noticed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from persistent import Persistent
from ZODB.utils import z64
from zope.event import notify
from zope.interface import Interface
from zope.lifecycleevent import Attributes, ObjectModifiedEvent
from zope.schema import getFieldNames

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing import report as outcomes
from waeup.kofa.importing.effects import Effect, activate, located, serial_of
from waeup.kofa.importing.parts import parts_elsewhere
from waeup.kofa.interfaces import IBatchProcessor


class Restored(Protocol):
    """A transaction: `restored` tells, by oid, which serial a state belongs to.

    That of an undo names all that it has changed; what else has its serial was made by it.  That
    of an import names what it has changed by the way, through subscribers, and not by a row.
    """

    restored: Mapping[bytes, bytes | None]


class Serials:
    """Tells whether the state of an object is one that the import has given it.

    `own` are the batches of the import by their serials.  `undos` gives the transactions of all
    undos by their serials, and is called when it is needed for the first time.
    """

    def __init__(
        self, own: Mapping[bytes, Restored], undos: Callable[[], dict[bytes, Restored]]
    ) -> None:
        self._own = own
        self._find_undos = undos
        self._undos: dict[bytes, Restored] | None = None
        # In the transaction under way: oid -> serial that it has, serial of its state.
        self._now: dict[bytes, tuple[bytes, bytes | None]] = {}
        self._since_mark: list[tuple[bytes, tuple[bytes, bytes | None] | None]] = []

    def is_own(self, obj: Any) -> bool:
        """Tell whether nobody but the import has changed `obj`, undos aside."""
        state = self._of_state(obj)
        # What is in no database yet was made by the undo itself.
        return state == z64 or state in self._own

    def is_older(self, one: Any, other: Any) -> bool:
        """Tell whether the state of one object is older than that of another one."""
        return (self._of_state(one) or z64) < (self._of_state(other) or z64)

    def restore(self, effect: Effect) -> None:
        """Remember that an effect was taken back."""
        oid, serial = getattr(effect.obj, "_p_oid", None), serial_of(effect.obj)
        if oid is None or serial is None or effect.operation == outcomes.CREATED:
            return
        state = self._of_state(effect.obj) if effect.serial is None else effect.serial
        self._since_mark.append((oid, self._now.get(oid)))
        self._now[oid] = serial, state

    def begin(self) -> None:
        """Begin with a transaction."""
        self._now.clear()
        self.mark()

    def mark(self) -> None:
        """Make this the state to go back to."""
        self._since_mark.clear()

    def rollback(self) -> None:
        """Go back to the last mark."""
        for oid, former in reversed(self._since_mark):
            if former is None:
                del self._now[oid]
            else:
                self._now[oid] = former
        self.mark()

    def restored(self, connection: Any) -> dict[bytes, bytes | None]:
        """Return what the transaction under way has changed: oid -> serial of its state.

        Of what was not taken back, but changed by the way, that is the serial it had before.
        """
        restored = {oid: state for oid, (_serial, state) in self._now.items()}
        return {**_changed(connection), **restored}

    def learn(self, serial: bytes, batch: Restored) -> None:
        """Know a transaction of the undo that was committed."""
        if self._undos is not None:
            self._undos[serial] = batch

    def _of_state(self, obj: Any) -> bytes | None:
        serial, oid = serial_of(obj), getattr(obj, "_p_oid", None)
        if serial is None or oid is None:
            return serial
        now = self._now.get(oid)
        if now is not None and now[0] == serial:
            serial = now[1]
        while serial is not None and serial != z64:
            batch = self._own.get(serial)
            if batch is not None:
                if oid not in batch.restored:
                    break
                serial = batch.restored[oid]
                continue
            if self._undos is None:
                self._undos = self._find_undos()
            batch = self._undos.get(serial)
            if batch is None:
                break
            serial = batch.restored.get(oid, z64)
        return serial


def touched(connection: Any, effects: Iterable[Effect]) -> dict[bytes, bytes | None]:
    """Return what the transaction under way has changed by the way: oid -> serial before.

    That is what has a place, was there before, and is the object of no effect.
    """
    known = {getattr(effect.obj, "_p_oid", None) for effect in effects}
    return {
        oid: serial
        for oid, serial in _changed(connection, is_located=True).items()
        if serial != z64 and oid not in known
    }


def _changed(connection: Any, *, is_located: bool = False) -> dict[bytes, bytes]:
    """Return what the transaction under way has changed so far: oid -> serial before.

    With `is_located` only what lies somewhere, such as no parts of trees.
    """
    found = {}
    # What was changed before a savepoint is kept aside; its objects may be ghosts again.
    aside = connection._savepoint_storage
    if aside is not None:
        found = {oid: aside.load(oid)[1] for oid in aside.index}
    return found | {
        obj._p_oid: obj._p_serial
        for obj in connection._registered_objects
        if not is_located or hasattr(obj, "__parent__")
    }


class UndoConflict(Exception):
    """The row is left alone; the message says why."""


def undo_effect(processor: IBatchProcessor, effect: Effect, site: Any, serials: Serials) -> str:
    """Take an effect back; return what became of the object, in the words of `outcomes`.

    Raises `UndoConflict` when it would take back the work of others; then nothing was changed.
    What events and subscribers raise comes through: the caller goes back to a savepoint.
    """
    take_back = {
        outcomes.CREATED: _remove,
        outcomes.UPDATED: _change_back,
        outcomes.REMOVED: _put_back,
    }[effect.operation]
    outcome = take_back(_PART if effect.is_part else processor, effect, site, serials)
    serials.restore(effect)
    return outcome


class _PartKind:
    """Stands for the kind of a part: a processor knows only the objects of its own."""

    iface = None

    def getExtraState(self, obj: Any) -> None:
        """See `IBatchProcessor`."""

    def setExtraState(self, obj: Any, state: Any) -> None:
        """See `IBatchProcessor`."""

    def checkUndo(self, obj: Any, values: Any, site: Any) -> None:
        """See `IBatchProcessor`."""


_PART: Any = _PartKind()


def title_of(effect: Effect) -> str:
    """Return what people know the object by."""
    name = effect.name or getattr(effect.obj, "__name__", None)
    return str(name or getattr(effect.obj, "code", None) or type(effect.obj).__name__)


def _remove(processor: IBatchProcessor, effect: Effect, site: Any, serials: Serials) -> str:
    obj, parent, name = effect.obj, effect.parent, effect.name
    _require_place(obj, parent, name)
    if not _is_in(site, parent):
        raise UndoConflict(english(_("It was removed together with what it was in.")))
    if not _is_there(obj, parent, name):
        raise UndoConflict(
            english(_("It is not in its place any more: somebody has moved or removed it."))
        )
    _require_unchanged(processor, effect, serials)
    if not all(serials.is_own(part) for part in _contents(obj)):
        raise UndoConflict(english(_("Something was added to it, or changed in it, since.")))
    for part in parts_elsewhere(getattr(processor, "parts", ()), obj, site):
        if not serials.is_older(part, obj):
            raise UndoConflict(english(_("It was given a part since.")))
    _require_leave(processor, obj, None, site)
    del parent[name]
    return outcomes.REMOVED


def _change_back(processor: IBatchProcessor, effect: Effect, site: Any, serials: Serials) -> str:
    obj = effect.obj
    parent, name = located(obj)
    is_gone = parent is None and effect.parent is not None
    if is_gone or (
        parent is not None and not (_is_in(site, parent) and _is_there(obj, parent, name))
    ):
        raise UndoConflict(english(_("It was removed since.")))
    _require_unchanged(processor, effect, serials)
    _require_leave(processor, obj, effect.fields, site)
    for name, value in effect.fields.items():
        setattr(obj, name, value)
    _forget(obj, effect.new)
    if effect.extra is not None:
        processor.setExtraState(obj, effect.extra)
    if parent is not None:
        names = (*effect.fields, *effect.new)
        notify(ObjectModifiedEvent(obj, Attributes(processor.iface or Interface, *names)))
    # What subscribers have set once more is to be as it was, too.
    for name, value in effect.others.items():
        setattr(obj, name, value)
    _forget(obj, effect.others_new)
    if isinstance(obj, Persistent):
        # Also when all that was given back is kept elsewhere: `Serials` goes by the serial.
        obj._p_changed = True
    return outcomes.UPDATED


def _forget(obj: Any, names: Iterable[str]) -> None:
    for name in names:
        obj.__dict__.pop(name, None)


def _put_back(processor: IBatchProcessor, effect: Effect, site: Any, serials: Serials) -> str:
    obj, parent, name = effect.obj, effect.parent, effect.name
    _require_place(obj, parent, name)
    if not _is_in(site, parent):
        raise UndoConflict(english(_("What it was in is not there any more.")))
    if parent.get(name) is not None:
        raise UndoConflict(english(_("Another object has its place.")))
    if located(obj)[0] is not None:
        raise UndoConflict(english(_("It was put into another place since.")))
    values = {key: getattr(obj, key, None) for key in getFieldNames(processor.iface or Interface)}
    _require_leave(processor, obj, values, site)
    parent[name] = obj
    if effect.extra is not None:
        processor.setExtraState(obj, effect.extra)
    return outcomes.CREATED


def _require_unchanged(processor: IBatchProcessor, effect: Effect, serials: Serials) -> None:
    is_own = serials.is_own(effect.obj)
    if effect.new_extra is not None:
        # What is kept elsewhere changes without a trace on the object.
        is_own = is_own and processor.getExtraState(effect.obj) == effect.new_extra
    if not is_own:
        raise UndoConflict(english(_("It was changed since.")))


def _require_leave(
    processor: IBatchProcessor, obj: Any, values: Mapping[str, Any] | None, site: Any
) -> None:
    message = processor.checkUndo(obj, values, site)
    if message:
        raise UndoConflict(message)


def _require_place(obj: Any, parent: Any, name: str | None) -> None:
    if parent is None or name is None:
        raise UndoConflict(
            english(
                _(
                    "A ${name} has no place of its own that it could be taken from or put "
                    "into. Change it by hand.",
                    mapping={"name": type(obj).__name__},
                )
            )
        )


def _is_there(obj: Any, parent: Any, name: str | None) -> bool:
    """Tell whether an object is in its place; a part that is an attribute always is."""
    get = getattr(parent, "get", None)
    found = None if get is None or name is None else get(name)
    return found is obj or any(value is obj for value in vars(parent).values())


def _is_in(site: Any, obj: Any) -> bool:
    """Tell whether an object is in the site still, and not in something that was taken out."""
    while obj is not None:
        if obj is site:
            return True
        activate(obj)
        parent, name = located(obj)
        if parent is None:
            return False
        activate(parent)
        if parent is not site and not _is_there(obj, parent, name):
            return False
        obj = parent
    return False


def _contents(obj: Any) -> Iterator[Any]:
    """Generate what is in an object, at any depth, and the persistent parts of all of it."""
    activate(obj)
    children = list(obj.values()) if hasattr(obj, "values") else []
    for value in vars(obj).values():
        if not isinstance(value, Persistent) or value is getattr(obj, "__parent__", None):
            continue
        activate(value)
        if not hasattr(value, "__parent__"):
            # A BTree or a counter that the object keeps; its entries are among the children.
            continue
        if value.__parent__ is obj:
            children.append(value)
    for child in children:
        yield child
        yield from _contents(child)
