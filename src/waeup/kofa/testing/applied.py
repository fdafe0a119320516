"""The rules of processors about rows: what they do, what they leave, and how it is taken back."""

import os
import re
import shutil
from typing import Any

import transaction
from persistent import Persistent
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectRemovedEvent,
)
from zope.schema import getFields

from waeup.kofa.conversion import Mapping
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, UPSERT
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.report import CREATED, FAILED, REMOVED, UPDATED
from waeup.kofa.interfaces import (
    DELETION_MARKER,
    IGNORE_MARKER,
)
from waeup.kofa.testing.contract import Contract, memory_of, newly_kept, rule
from waeup.kofa.testing.nonsense import NONSENSE, strict_columns
from waeup.kofa.testing.pictures import differences
from waeup.kofa.testing.samples import Row, SamplePortal
from waeup.kofa.testing.watching import failing_late, listening, watched, with_file_rules

#: A password that nobody else has.
SECRET = "Kontrakt-4711-geheim"  # noqa: S105
#: How hashes begin.
_HASH = re.compile(r"\$2[abxy]\$\d\d\$|\{SSHA\}")
#: Which events an import causes, by mode.
_EVENTS = {
    CREATE: (IObjectAddedEvent, "put it into its container, which fires it"),
    UPDATE: (IObjectModifiedEvent, "call `super().updateEntry`, which fires it, or fire it"),
    REMOVE: (IObjectRemovedEvent, "delete it from its container, which fires it"),
}


class AppliedRules(Contract):
    """What becomes of rows, and of the transaction in which they are applied."""

    # -- what rows do -------------------------------------------------------------------------

    @rule
    def test_wrong_cells_are_refused(self) -> None:
        """A cell that stands for no value of its field fails, with a reason that names the field.

        The other rows are imported, and of the wrong one nothing is.  What `wrong_rows` says
        fails, too, for whatever reason.
        """
        self.require_rows()
        processor, wrong = self.tested_processor, self._wrong_rows()
        if not wrong and not self.nothing_is_wrong:
            self.broken(
                "nothing says what is wrong: `wrong` and `wrong_rows` are empty, and all columns "
                "may take any text.",
                "Declare `wrong`, such as {'weight': 'heavy'}; where nothing can be wrong, say "
                "nothing_is_wrong = True.",
            )
        for cells, column in wrong:
            portal, mode = self._refusing()
            shown = ", ".join(f"{text!r} in {name!r}" for name, text in cells.items())
            applied = portal.apply(processor, self._with_wrong(cells, mode), mode)
            self.require_done(
                applied,
                [FAILED] if mode == UPDATE else [FAILED, *[CREATED] * (len(self.rows) - 1)],
                f"Refuse {shown} by the schema, `checkConversion`, `@rule`, or "
                "`checkCreateRequirements`.",
            )
            if column is not None and column not in applied.reasons[0]:
                self.broken(
                    f"the reason {applied.reasons[0]!r} does not name {column!r}.",
                    f"Begin the message with '{column}: '.",
                )
            if mode == CREATE and (
                processor.getEntry(self.hook_row(self.rows[0]), portal.site) is not None
            ):
                self.broken(
                    "the object of the row is there.", "Make nothing before all was looked at."
                )

    def _wrong_rows(self) -> list[tuple[Row, str | None]]:
        """Return cells that must be refused together, and the column that a reason must name.

        Those that are declared, and for columns of which it is known a text without sense.
        """
        processor = self.tested_processor
        known = {*processor.location_fields, *self.key_columns, *self.wrong}
        made = [
            name
            for name in strict_columns(processor.iface, processor.available_fields)
            if name not in known
        ]
        wrong = {**self.wrong, **dict.fromkeys(made, NONSENSE)}
        return [
            *(({name: text}, name) for name, text in wrong.items()),
            *((row, None) for row in self.wrong_rows),
        ]

    def _refusing(self) -> tuple[SamplePortal, str]:
        """Return a portal, and the mode in which it is to refuse what is wrong."""
        is_updater = CREATE not in self.tested_processor.modes
        return self.portal(with_objects=is_updater), UPDATE if is_updater else CREATE

    def _with_wrong(self, cells: Row, mode: str) -> list[Row]:
        """Return a table whose first row has wrong cells; the others, if any, are good."""
        first = {**self.rows[0], **cells}
        return [first] if mode == UPDATE else [first, *self.rows[1:]]

    @rule
    def test_create(self) -> None:
        """A row makes an object that is found again and has all the values of the row."""
        self.require_rows()
        self.require_mode(CREATE)
        portal, processor = self.portal(), self.tested_processor
        applied = portal.apply(processor, self.rows, CREATE)
        self.require_done(
            applied,
            [CREATED] * len(self.rows),
            "Declare `rows` that can be imported, put into the portal what they need (override "
            "`fill_site`), or mend the processor.",
        )
        for row in self.rows:
            self.require_values(portal, row)

    @rule
    def test_object_is_made_for_a_database(self) -> None:
        """A new object is persistent, has a place, and has an attribute for each field.

        A column without an attribute would be lost in silence: `updateEntry` passes it over.
        """
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        obj = processor.getEntry(self.hook_row(self.rows[0]), portal.site)
        if not isinstance(obj, Persistent) or getattr(obj, "__parent__", None) is None:
            self.broken(
                f"{type(obj).__name__} is not persistent, or has no __parent__.",
                "Make objects of a class that inherits from grok.Model, and put them into a "
                "grok.Container.",
            )
        names = [
            name
            for name in getFields(processor.iface)
            if name not in self.kept_elsewhere and not hasattr(obj, name)
        ]
        if names:
            self.broken(
                f"{type(obj).__name__} has no attributes {', '.join(names)}.",
                "Give the class a default for each field of the schema; name in `not_kept` what "
                "is told to the import only.",
            )

    @rule
    def test_what_exists_is_not_made_again(self) -> None:
        """A second import of the same rows in the mode create fails, and changes nothing."""
        self.require_rows()
        self.require_mode(CREATE)
        portal, processor = self.portal(with_objects=True), self.tested_processor
        before = portal.picture(processor)
        self.require_done(
            portal.apply(processor, self.rows, CREATE),
            [FAILED] * len(self.rows),
            "Let `getEntry` (or `entryExists`) find the object that a row has made.",
        )
        self.require_same(
            portal, before, "rows that failed", "Look before you change: use getEntry."
        )

    @rule
    def test_update(self) -> None:
        """A row changes the values that it has, of its object and of no other."""
        self._require_change(UPDATE)

    @rule
    def test_upsert(self) -> None:
        """In the mode upsert a row changes what exists, and makes what does not."""
        self.require_mode(UPSERT)
        self.require_rows()
        portal, processor = self.portal(), self.tested_processor
        applied = portal.apply(processor, self.rows, UPSERT)
        self.require_done(
            applied, [CREATED] * len(self.rows), "Let upsert make what does not exist yet."
        )
        self._require_change(UPSERT)

    def _require_change(self, mode: str) -> None:
        self.require_mode(mode)
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        others = [self.hook_row(self.key_cells(row), UPDATE) for row in self.rows[1:]]
        before = portal.picture(processor)
        objects = [processor.getEntry(row, portal.site) for row in others]
        rows = self.update_rows()
        applied = portal.apply(processor, rows, mode)
        self.require_done(
            applied,
            [UPDATED],
            "Declare `changes` with other texts than `rows`, or let `updateEntry` set the "
            "attributes and return a text 'field=value, ...' of what it has set.",
        )
        self.require_values(portal, rows[0])
        after = portal.picture(processor)
        for row, obj in zip(others, objects, strict=True):
            if processor.getEntry(row, portal.site) is not obj:
                self.broken(
                    "another object is not found any more as before.", "Change one object only."
                )
            below = tuple(f"{_path(obj, portal.site)}{mark}" for mark in (".", "/", " "))
            changed, former = (
                {name: value for name, value in picture.items() if name.startswith(below)}
                for picture in (after, before)
            )
            if changed != former:
                self.broken(
                    f"an object of another row has changed: {differences(former, changed)}.",
                    "Do not share lists, dicts or sets between objects, and set attributes of "
                    "the object only.",
                )

    @rule
    def test_update_again_changes_nothing(self) -> None:
        """A table that was imported changes nothing when it is imported again."""
        self.require_mode(UPDATE)
        self.require_rows()
        if set(self.changes) & secret_names(self.tested_processor.iface):
            self.skipTest("a password gets another hash each time")
        portal, processor = self.portal(with_objects=True), self.tested_processor
        portal.apply(processor, self.update_rows(), UPDATE)
        before = portal.picture(processor)
        applied = portal.apply(processor, self.update_rows(), UPDATE)
        self.require_same(
            portal, before, "the same rows once more", "Set values; do not add to former ones."
        )
        if FAILED in applied.outcomes:
            self.broken(
                f"the rows have failed: {'; '.join(applied.reasons)}.",
                "Let requirement hooks accept a row that changes nothing.",
            )

    @rule
    def test_empty_cells_and_markers(self) -> None:
        """An empty cell and <IGNORE> leave a value alone; XXX removes it, or fails."""
        self.require_mode(UPDATE)
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        portal.apply(processor, self.update_rows(), UPDATE)
        before = portal.picture(processor)
        key = self.key_cells(self.rows[0])
        for text in ("", IGNORE_MARKER):
            row = {**key, **dict.fromkeys(self.changes, text)}
            applied = portal.apply(processor, [row], UPDATE)
            if FAILED in applied.outcomes:
                self.broken(
                    f"cells with {text!r} were refused: {'; '.join(applied.reasons)}.",
                    "Accept a row that says nothing: such a cell is as if there were no column.",
                )
            self.require_same(
                portal,
                before,
                f"cells with {text!r}",
                "Pass over values that are `<IGNORE>` (waeup.kofa.conversion.is_ignored).",
            )
        fields = getFields(processor.iface)
        for name in set(self.changes) & set(fields) - self.kept_elsewhere:
            field = fields[name]
            applied = portal.apply(processor, [{**key, name: DELETION_MARKER}], UPDATE)
            obj = processor.getEntry(self.hook_row(key, UPDATE), portal.site)
            value = getattr(obj, name)
            is_gone = value in (None, field.missing_value, field.default) or not value
            if applied.outcomes != [FAILED] and not is_gone:
                self.broken(
                    f"{name} is {value!r} after a row with {DELETION_MARKER!r}.",
                    "Set what `checkConversion` of the base returns, or refuse the row.",
                )

    @rule
    def test_remove(self) -> None:
        """A row removes its object, and no other; a second one fails."""
        self.require_mode(REMOVE)
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        to_do = "Delete the object that `getEntry` finds from its container, in `delEntry`."
        applied = portal.apply(processor, self.removal_rows(), REMOVE)
        self.require_done(applied, [REMOVED], to_do)
        for number, row in enumerate(self.rows):
            found = processor.getEntry(self.hook_row(self.key_cells(row), REMOVE), portal.site)
            if (found is None) != (number == 0):
                self.broken(
                    f"the object of row {number + 1} is {'gone' if found is None else 'there'}.",
                    to_do,
                )
        self.require_done(
            portal.apply(processor, self.removal_rows(), REMOVE),
            [FAILED],
            "Let `entryExists` return False for what is not there.",
        )

    @rule
    def test_do_import(self) -> None:
        """`doImport` returns what it did in Kofa 1.9, in the transaction of its caller."""
        self.require_mode(CREATE)
        self.require_rows()
        portal, processor = self.portal(), self.tested_processor
        files, serial = portal.files(), portal.database.lastTransaction()
        path, columns = portal.table([*self.rows, self.rows[0]])
        # One of the rows is there twice, which a rule over the file may refuse.
        with with_file_rules(processor):
            found = processor.doImport(path, columns, CREATE, "anna", None)
        folder = os.path.dirname(found[2])
        try:
            numbers, names = found[:2], [os.path.basename(one) for one in found[2:]]
        finally:
            shutil.rmtree(folder)
        expected = (len(self.rows) + 1, 1), ["rows.finished.csv", "rows.pending.csv"]
        if (tuple(numbers), names) != expected:
            self.broken(
                f"doImport returned {found}.",
                "Return (rows, failed rows, path of the finished file, path of the pending file "
                "or None), or leave `doImport` to the base class.",
            )
        if portal.database.lastTransaction() != serial:
            self.broken("it has committed.", "Leave the transaction to the caller.")
        transaction.abort()
        self.require_files(portal, files, "an import that was aborted")

    # -- what belongs to the transaction ------------------------------------------------------

    @rule
    def test_hooks_leave_the_transaction_alone(self) -> None:
        """Hooks, and subscribers, never begin, commit or abort a transaction."""
        for mode, portal in self.ready():
            path, columns = portal.table(self.rows_of(mode))
            transaction.begin()
            # A rule over the file may want other rows besides.
            with watched() as seen, with_file_rules(self.tested_processor):
                try:
                    self.tested_processor.importTable(
                        path,
                        Mapping(tuple(columns)),
                        mode,
                        folder=os.path.dirname(path),
                        site=portal.site,
                    )
                except Exception:
                    if not seen:
                        raise
            transaction.abort()
            if seen:
                self.broken(
                    f"in the mode {mode} the transaction was {seen[0]} by {seen[1]}.",
                    "Take `transaction.begin()`, `commit()` and `abort()` out of hooks and "
                    "subscribers: the portal does that, batch by batch.",
                )

    @rule
    def test_a_row_that_fails_late_leaves_nothing(self) -> None:
        """A row that fails after all was done leaves no object, no file and no log line.

        Once the reason is mended, the same row is imported.
        """
        for mode, portal in self.ready():
            processor, rows = self.tested_processor, self.rows_of(mode)[:1]
            before, files = portal.picture(processor), portal.files()
            hook = {CREATE: "addEntry", UPDATE: "updateEntry", REMOVE: "delEntry"}.get(
                mode, "addEntry"
            )
            with failing_late(processor, hook):
                applied = portal.apply(processor, rows, mode)
            self.require_done(applied, [FAILED], "Let exceptions of hooks through.")
            self.require_same(
                portal,
                before,
                f"a row that failed in the mode {mode}",
                "Change persistent objects only, and not in their `_v_` or class attributes.",
            )
            self.require_files(portal, files, f"a row that failed in the mode {mode}")
            applied = portal.apply(processor, rows, mode)
            if FAILED in applied.outcomes:
                self.broken(
                    f"the row fails once more in the mode {mode}: {'; '.join(applied.reasons)}.",
                    "Remember nothing between rows, on the processor or elsewhere.",
                )

    @rule
    def test_repeating_a_batch_gives_the_same(self) -> None:
        """Rows that are applied again, because their transaction was aborted, do the same."""
        for mode, portal in self.ready():
            processor, rows = self.tested_processor, self.rows_of(mode)
            first = portal.apply(processor, rows, mode, is_check=True)
            again = portal.apply(processor, rows, mode, is_check=True)
            found = [
                [(one.outcome, one.reason, one.key, one.changes) for one in applied.results]
                for applied in (first, again)
            ]
            if found[0] != found[1]:
                self.broken(
                    f"in the mode {mode} rows did {found[0]}, and then {found[1]}.",
                    "Remember nothing between rows: what a row needs more than once is found by "
                    "`waeup.kofa.importing.hooks.once`.",
                )

    @rule
    def test_check_leaves_no_trace(self) -> None:
        """A check changes nothing: not the database, no file, no log."""
        for mode, portal in self.ready():
            processor = self.tested_processor
            before, files = portal.picture(processor), portal.files()
            serial = portal.database.lastTransaction()
            portal.apply(processor, self.rows_of(mode), mode, is_check=True)
            what = f"a check in the mode {mode}"
            if portal.database.lastTransaction() != serial:
                self.broken(f"{what} has committed.", "Never commit in a hook.")
            self.require_same(portal, before, what, "Change persistent objects only.")
            self.require_files(portal, files, what)

    @rule
    def test_processor_remembers_nothing(self) -> None:
        """A processor is one object for all threads and portals: rows leave nothing on it."""
        for mode, portal in self.ready():
            processor = self.tested_processor
            before = memory_of(processor)
            portal.apply(processor, self.rows_of(mode), mode)
            kept = newly_kept(processor, before)
            if kept:
                self.broken(
                    f"in the mode {mode} rows have set {kept}.",
                    "Keep nothing on the processor or its class: what a row needs more than once "
                    "is found by `waeup.kofa.importing.hooks.once`.",
                )

    @rule
    def test_events_are_fired(self) -> None:
        """Subscribers get to know of each object that is added, changed or removed."""
        for mode, portal in self.ready():
            if mode not in _EVENTS:
                continue
            iface, to_do = _EVENTS[mode]
            processor = self.tested_processor
            row = self.hook_row(self.key_cells(self.rows[0]), mode)
            obj = processor.getEntry(row, portal.site)
            with listening() as events:
                portal.apply(processor, self.rows_of(mode), mode)
            obj = processor.getEntry(row, portal.site) if mode == CREATE else obj
            if not any(iface.providedBy(event) and event.object is obj for event in events):
                self.broken(
                    f"no {iface.__name__} was fired for the object of the first row.",
                    f"In the mode {mode}: {to_do}.",
                )

    # -- undo ---------------------------------------------------------------------------------

    @rule
    def test_undo(self) -> None:
        """An undo takes back what rows have done: objects, values, and what was in objects."""
        for mode, portal in self.ready(with_content=True):
            processor = self.tested_processor
            before = portal.picture(processor)
            applied = portal.apply(processor, self.rows_of(mode), mode)
            conflicts = portal.undo(processor, applied)
            if conflicts:
                self.broken(
                    f"rows of the mode {mode} were not taken back: {'; '.join(conflicts)}",
                    "Keep objects in containers, under their `__name__`, and let subscribers of "
                    "the import change no other objects of the kind.",
                )
            self.require_same(
                portal,
                before,
                f"an import in the mode {mode} and its undo",
                "Keep values in attributes of the object, assign new lists and dicts instead of "
                "changing those that are there, and tell what lies elsewhere by `getExtraState` "
                "and `setExtraState`.",
            )

    # -- secrets ------------------------------------------------------------------------------

    @rule
    def test_secrets_stay_secret(self) -> None:
        """A password is found nowhere: not in logs, result files, changes, or the database.

        Its hash is in no log.
        """
        self.require_rows()
        self.require_mode(CREATE)
        processor = self.tested_processor
        secrets = sorted(secret_names(processor.iface) & set(processor.available_fields))
        if not secrets:
            self.skipTest("the schema has no passwords")
        portal = self.portal()
        cells = dict.fromkeys(secrets, SECRET)
        rows = [{**self.rows[0], **cells}, {**self.rows[0], **cells}]
        applied = portal.apply(processor, rows, CREATE)
        self.require_done(applied, [CREATED, FAILED], "Let rows with a password be imported.")
        obj = processor.getEntry(self.hook_row(self.key_cells(rows[0])), portal.site)
        hashes = [str(getattr(obj, name)) for name in secrets]
        places = {
            "the log": (portal.logs(), [SECRET, *hashes]),
            "the finished file": (applied.finished, [SECRET]),
            "the pending file": (applied.pending, [SECRET]),
            "the changes that a check shows": (
                str([one.changes for one in applied.results]),
                [SECRET, *hashes],
            ),
            "the reasons": (str(applied.reasons), [SECRET, *hashes]),
            "the database": (str(portal.picture()), [SECRET]),
        }
        for place, (text, texts) in places.items():
            if any(one in text for one in texts) or (len(texts) > 1 and _HASH.search(text)):
                self.broken(
                    f"a password, or its hash, is in {place}.",
                    "Declare the field as `waeup.kofa.conversion.Secret`, use the value that "
                    "hooks get (a hash), and log what `super().updateEntry` returns.",
                )


def _path(obj: Any, site: Any) -> str:
    names = []
    while obj is not None and obj is not site:
        names.append(str(obj.__name__))
        obj = obj.__parent__
    return "/".join(reversed(names))
