"""Operations on the past of objects: from an object to the rows that changed it, and back."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from zope.component import getUtilitiesFor, getUtility, queryUtility

from waeup.kofa.conversion.secret import is_hash
from waeup.kofa.conversion.wording import listing
from waeup.kofa.errors import NoSuchItem, NotAllowed
from waeup.kofa.exporting.driver import all_exporters
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.effects import HIDDEN, Effect, located, shown
from waeup.kofa.importing.hooks import row_error
from waeup.kofa.importing.parts import part_of, secrets_of_part
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.report import CREATED
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs import history as past
from waeup.kofa.jobs.record import IMPORT, Run
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.exports import ExportOperations
from waeup.kofa.operations.values import (
    DoneRow,
    DoneRows,
    HistoryEntry,
    HistoryKind,
    ObjectHistory,
    ValueChange,
)
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA

#: Objects of one key that are listed.
MOST_FOUND = 200


class HistoryOperations(ExportOperations):
    """See `waeup.kofa.operations.Operations`."""

    def history_kinds(self) -> list[HistoryKind]:
        """List the kinds whose objects the person may import or export, sorted by title."""
        self._require(MANAGE)
        found = [
            HistoryKind(name, processor.name, _names(name), _keys(name, processor))
            for name, processor in getUtilitiesFor(IBatchProcessor)
            if self._may_see_kind(processor) and _keys(name, processor)
        ]
        return sorted(found, key=lambda kind: (kind.title, kind.name))

    def history(
        self, kind: str, key: str, *, which: int = 1, start: int = 0, limit: int = 20
    ) -> ObjectHistory:
        """Return the history of the object of a kind that has a key, from entry `start` on.

        `kind` is the name of a processor or an exporter.  Of several objects with that key,
        `which` says which one is meant.  An object that was removed is found as long as it is kept
        what its removal has left.  Raises `NoSuchItem`.
        """
        processor = self._kind(kind)
        objects = self._objects(processor, key)
        if not objects:
            raise NoSuchItem(
                _(
                    "There is no object with the key ${key} among those of ${kind}, and none is "
                    "known to have been removed by an import that can still be taken back. Keys "
                    "are values of ${fields}. What was removed otherwise, look for in the files "
                    "with removed objects.",
                    mapping={
                        "key": repr(key),
                        "kind": processor.name,
                        "fields": listing(_keys(processor.util_name, processor)),
                    },
                )
            )
        if not 1 <= which <= len(objects):
            raise NoSuchItem(
                _(
                    "${number} objects have the key ${key}. Name one from 1 to ${number}.",
                    mapping={"number": len(objects), "key": repr(key)},
                )
            )
        return self._history(objects, which - 1, processor, start, limit)

    def history_of_row(
        self, run: str, row: int, *, start: int = 0, limit: int = 20
    ) -> ObjectHistory:
        """Return the history of the object that a row of an import was about.

        Raises `NoSuchItem` when it is not kept (any more) what that row did.
        """
        found = self._import_run(run)
        batch = past.batch_of(found, row)
        effect = None if batch is None else batch.effect_of(row)
        if effect is None:
            raise NoSuchItem(
                _(
                    "Row ${row} of ${file} has done nothing, or it is not kept any more what it "
                    "did. Look for the object by its key.",
                    mapping={"row": row, "file": found.order.file},
                )
            )
        processor = self._kind(found.order.processor)
        return self._history([(effect.obj, effect)], 0, processor, start, limit)

    def done_rows(
        self, run: str, *, start: int = 1, before: int | None = None, limit: int = 50
    ) -> DoneRows:
        """Return what rows of an import did, those from number `start` on.

        With `before` those that come before that number instead.
        """
        found = self._import_run(run)
        if before is not None:
            effects = _of_whole_rows(past.effects_before(found, before), limit)[::-1]
        else:
            effects = _of_whole_rows(past.effects_from(found, start), limit)
        behind = start if before is None else before
        first = effects[0][0] if effects else behind
        last = effects[-1][0] + 1 if effects else behind
        return DoneRows(
            rows=tuple(self._done(found, row, effect) for row, effect in effects),
            before=first if any(past.effects_before(found, first)) else None,
            behind=last if any(past.effects_from(found, last)) else None,
            is_kept=len(found.undo) > 0,
        )

    # -- helpers ------------------------------------------------------------------

    def _may_see_kind(self, processor: Any) -> bool:
        """Tell whether the person may import, or export, objects of a kind."""
        exporter = _exporter_of(processor.util_name)
        own = (IMPORT_DATA, processor.permission)
        others = () if exporter is None else (EXPORT_DATA, exporter.permission)
        return any(rights and all(map(self.may, rights)) for rights in (own, others))

    def _may_see_values(self, run: Run) -> bool:
        """Tell whether the person may know what a run has changed."""
        processor = queryUtility(IBatchProcessor, name=run.order.processor)
        needs = () if run.order.user == self.principal.id else run.needs
        is_for = processor is not None and self._may_see_kind(processor)
        return is_for and all(map(self.may, needs))

    def _kind(self, name: str) -> Any:
        """Return the processor of a kind; raises `NoSuchItem` and `NotAllowed`."""
        self._require(MANAGE)
        exporter = dict(all_exporters()).get(name)
        name = getattr(exporter, "processor", None) or name
        processor = queryUtility(IBatchProcessor, name=name)
        if processor is None:
            raise NoSuchItem(
                _(
                    "There is no kind of objects ${name}. There are: ${names}.",
                    mapping={
                        "name": repr(name),
                        "names": ", ".join(kind.name for kind in self.history_kinds()),
                    },
                )
            )
        if not self._may_see_kind(processor):
            raise NotAllowed(
                _(
                    "You (${user}) may neither import nor export what ${kind} is for, thus you "
                    "do not see its history. Ask the administrator of the portal.",
                    mapping={"user": self.principal.id, "kind": processor.name},
                )
            )
        return processor

    def _import_run(self, id: str) -> Run:
        run = self._run(id)
        if run.order.kind != IMPORT:
            raise NoSuchItem(
                _(
                    "The run ${id} is no import: only of imports it is kept what rows did.",
                    mapping={"id": id},
                )
            )
        self._kind(run.order.processor)
        return run

    def _objects(self, processor: Any, key: str) -> list[tuple[Any, Effect | None]]:
        """Return the objects that have a key; that which was removed, where there are none.

        With one that was removed comes what the row did that removed it.
        """
        name, found = processor.util_name, []
        exporter = _exporter_of(name)
        if exporter is not None:
            found = list(islice(exporter.get_selected(self.site, [key]), MOST_FOUND))
        elif key:
            try:
                obj = processor.getEntry({processor.location_fields[0]: key}, self.site)
            except Exception as error:
                # The hook is the code of a site, and the key is what somebody has typed.
                row_error(error)
                obj = None
            found = [] if obj is None else [obj]
        if found:
            return [(obj, None) for obj in found]
        return [(effect.obj, effect) for effect in islice(self._removed(processor, key), 1)]

    def _removed(self, processor: Any, key: str) -> Iterator[Effect]:
        """Generate what removed the objects that had a key, the last one first."""
        fields, loaded = _keys(processor.util_name, processor), 0
        for _run, _row, effect in past.removals_of(self._runs, processor.util_name):
            if effect.name == key:
                yield effect
            elif loaded < past.MOST_LOADED:
                loaded += 1
                if any(str(getattr(effect.obj, field, None)) == key for field in fields):
                    yield effect

    def _history(
        self,
        objects: Sequence[tuple[Any, Effect | None]],
        at: int,
        processor: Any,
        start: int,
        limit: int,
    ) -> ObjectHistory:
        obj = objects[at][0]
        titles = tuple(_title(each, self.site, effect) for each, effect in objects)
        found = past.Past(obj, self._runs)
        line = found.timeline()
        may_see = self._may_see_each()
        return ObjectHistory(
            kind=processor.util_name,
            title=titles[at],
            entries=tuple(
                self._entry(found, item, may_see) for item in line[start : start + limit]
            ),
            total=len(line),
            is_cut=found.is_cut,
            is_there=_is_in(obj, self.site),
            others=titles,
        )

    def _entry(self, found: past.Past, item: Any, may_see: Any) -> HistoryEntry:
        if isinstance(item, past.Otherwise):
            return HistoryEntry("otherwise", item.date, owner=item.user)
        mark, run, facts = item.mark, item.run, item.facts
        is_run = run is not None and may_see(run)
        is_known = run is not None and self._may_see_values(run)
        changes, note = self._changes(found, item, is_known)
        finished = run.totals().finished if run is not None and is_run else None
        return HistoryEntry(
            operation=mark.operation,
            date=item.date,
            run=mark.run if is_run or run is None else "",
            row=mark.row,
            kind=facts.kind if facts is not None else "",
            file=facts.file if facts is not None else "",
            owner=facts.owner if facts is not None else "",
            user=facts.user if facts is not None else "",
            is_run=is_run,
            finished=finished if finished is not None and self.is_there(finished) else None,
            changes=changes,
            note=note,
        )

    def _done(self, run: Run, row: int, effect: Effect) -> DoneRow:
        found = past.Past(effect.obj, self._runs)
        changes, note = self._changes(found, found.event_of(run, row, effect), True)
        title = _title(effect.obj, self.site, effect)
        return DoneRow(row, effect.operation, title, changes, note)

    def _changes(
        self, found: past.Past, event: past.Event, may_see: bool
    ) -> tuple[tuple[ValueChange, ...], str]:
        """Return what an event has changed, and why it is not told."""
        run = event.run
        if event.is_undo:
            return (), "restored"
        became = found.changes(event)
        if became is None or run is None:
            if run is None or run.undone_by is None:
                return (), "expired"
            return (), "undone" if found.is_taken_back(event) else "left"
        if not may_see:
            return (), "hidden"
        processor = getUtility(IBatchProcessor, name=run.order.processor)
        is_part = event.effect is not None and event.effect.is_part
        part = part_of(processor, found.obj) if is_part else None
        secrets = secret_names(processor.iface)
        if part is not None:
            secrets = secrets_of_part(part, secrets)
        name = _beside(run, processor, found.obj)
        told = tuple(_told(each, secrets, name) for each in became)
        if event.mark.operation != CREATED:
            return told, ""
        # Of a new object, a value that is not known says nothing.
        known = tuple(change for change in told if change.is_known)
        return known, "" if known == told else "partly"


def _of_whole_rows(effects: Iterator[tuple[int, Effect]], limit: int) -> list[tuple[int, Effect]]:
    """Return effects of rows, `limit` and those that the last of their rows has besides."""
    found = list(islice(effects, limit))
    if not found:
        return []
    for row, effect in effects:
        if row != found[-1][0]:
            break
        found.append((row, effect))
    return found


def _exporter_of(processor: str) -> Any:
    """Return the exporter of what a processor imports, or None."""
    for _name, exporter in all_exporters():
        if isinstance(exporter, KindExporter) and exporter.processor == processor:
            return exporter
    return None


def _names(processor: str) -> tuple[str, ...]:
    """Return the words for a kind."""
    exporters = (
        name
        for name, exporter in all_exporters()
        if getattr(exporter, "processor", None) == processor
    )
    return (processor, *exporters)


def _keys(name: str, processor: Any) -> tuple[str, ...]:
    """Return the fields by which an object is found; none where one value is not enough."""
    exporter = _exporter_of(name)
    if exporter is not None:
        return tuple(exporter.key_fields)
    return tuple(processor.location_fields) if len(processor.location_fields) == 1 else ()


def _title(obj: Any, site: Any, effect: Effect | None) -> str:
    """Return what an object is called: its names below the container of all of its kind.

    One that was taken out is called as it was in the place that the effect of a row tells.
    """
    parent, own = located(obj)
    if parent is None and effect is not None:
        parent, own = effect.parent, effect.name
    names = [own or getattr(obj, "code", None) or type(obj).__name__]
    while parent is not None and parent is not site:
        parent, above = located(parent)
        names.append(above)
    # The last one is that of the container itself.
    inner = names[:-1] if len(names) > 1 else names
    return " / ".join(str(each) for each in reversed(inner) if each)


def _is_in(obj: Any, site: Any) -> bool:
    """Tell whether an object hangs on the portal still."""
    while obj is not None and obj is not site:
        obj, _name = located(obj)
    return obj is site


def _beside(run: Run, processor: Any, obj: Any) -> str:
    """Return the column that gave what is kept beside an object, or '' where that is not clear."""
    fields = {*(processor.iface or ()), *processor.location_fields}
    names = [name for name in run.order.mapping.fields if name not in fields]
    names = [name for name in names if not hasattr(obj, name)]
    return names[0] if len(names) == 1 else ""


def _told(became: past.Became, secrets: frozenset[str], beside: str) -> ValueChange:
    name = became.name or beside
    old, new = shown(became.old), shown(became.new)
    if name in secrets or _is_secret(became.old) or _is_secret(became.new):
        old, new = (None if text is None else HIDDEN for text in (old, new))
    return ValueChange(name, old, new, became.is_known)


def _is_secret(value: Any) -> bool:
    return isinstance(value, str) and is_hash(value)
