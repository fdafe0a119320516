"""The contract of kinds of objects: what is imported can be exported, and the reverse."""

import csv
import io
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import transaction
from zope import schema
from zope.schema import getFields

from waeup.kofa.importing.declaring import declarations_of
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.report import CREATED, FAILED
from waeup.kofa.testing.applied import SECRET
from waeup.kofa.testing.contract import in_words, rule
from waeup.kofa.testing.exporters import ExporterContract
from waeup.kofa.testing.pictures import differences
from waeup.kofa.testing.processors import ProcessorContract
from waeup.kofa.testing.samples import Applied, SamplePortal

#: Texts that a table, a spreadsheet, or a reader could take for something else.
HOSTILE = (
    *("=1+1", "+49 30", "-5", "@home", "'quoted", "''=twice", "\tbehind a tab", " outer blanks "),
    *("XXX", "<IGNORE>", "--IGNORE--", "--ERRORS--", "[]", "None", "#", "1990-01-01#", "007"),
    *('say "yes", no; or', "Köln \u202e 大学 \U0001f418", "e\u0301", "\ufeffmark", "a\u2028b"),
    *("two\nlines", "two\r\nlines", "two\rlines", "1e5", "TRUE", "\\N", "''"),
)
#: Fields that hold any text.
_TEXTS = (schema.TextLine, schema.Text)


class KindContract(ProcessorContract, ExporterContract):
    """What the portal expects of a kind of objects: a processor and its exporter.

    Declare `processor`, `exporter`, `rows` and `changes`; see `Contract` for more.
    """

    @rule
    def test_columns_are_those_of_an_import(self) -> None:
        """Each column of an export can be imported, and an import lacks none that it needs."""
        exporter, processor = self.tested_exporter, self.tested_processor
        columns = (*exporter.fields, *exporter.secret_fields)
        shown_only = {
            each.column for kind in (exporter, processor) for each in declarations_of(kind).columns
        }
        known = {*processor.available_fields, *shown_only}
        unknown = [name for name in exporter.fields if name not in known]
        if unknown:
            self.broken(
                f"the export has columns that no import takes: {', '.join(unknown)}.",
                "Call columns like the fields of the import, add them to `available_fields` of "
                "the processor, or declare them by `@column`.",
            )
        for mode in (CREATE, UPDATE):
            missing = [name for name in processor.req.get(mode, ()) if name not in columns]
            if missing and mode in processor.modes:
                self.broken(
                    f"an import in the mode {mode} needs {', '.join(missing)}, which are not "
                    "exported.",
                    "Add them to `fields` of the exporter.",
                )

    @rule
    def test_export_is_imported_unchanged(self) -> None:
        """What was exported is imported into an empty portal, and exported as it was."""
        self.require_rows()
        self.require_mode(CREATE)
        portal, processor = self.portal(with_objects=True), self.tested_processor
        before, content = portal.picture(processor), self.exported(portal)
        with self.other_portal() as other:
            self.require_done(
                self._imported(other, content, CREATE),
                [CREATED] * len(self.rows),
                "Let exporter and importer agree about columns and about the form of cells.",
            )
            changed = differences(_open(before, self._secrets), self._open_picture(other))
            if changed:
                self.broken(
                    f"objects differ after the way there and back: {changed}.",
                    "Export every field, in the form in which it is imported.",
                )
            if self.exported(other) != content:
                self.broken(
                    f"the second export is {self.exported(other)!r}, the first {content!r}.",
                    "Let exporter and importer agree about the form of cells.",
                )

    @rule
    def test_export_changes_nothing_when_it_is_imported_again(self) -> None:
        """What was exported changes nothing when it is imported in the mode update."""
        self.require_rows()
        self.require_mode(UPDATE)
        portal, processor = self.portal(with_objects=True), self.tested_processor
        before, content = portal.picture(processor), self.exported(portal)
        applied = self._imported(portal, content, UPDATE)
        if FAILED in applied.outcomes:
            self.broken(
                f"rows were refused: {'; '.join(applied.reasons)}.",
                "Let requirement hooks accept a row that changes nothing.",
            )
        changed = differences(before, portal.picture(processor))
        if changed:
            self.broken(
                f"the objects have changed: {changed}.",
                "Let exporter and importer agree about the form of cells.",
            )

    @rule
    def test_hostile_texts_come_back_as_they_were(self) -> None:
        """Formulas, markers, blanks, quotes, line ends and all letters come back as they were."""
        self.require_rows()
        self.require_mode(UPDATE)
        portal, processor = self.portal(with_objects=True), self.tested_processor
        key = self.hook_row(self.key_cells(self.rows[0]), UPDATE)
        names = list(self._free_texts())
        if not names:
            self.skipTest("no column takes any text")
        obj = processor.getEntry(key, portal.site)
        fields = getFields(processor.iface)
        former = {name: getattr(obj, name) for name in names}
        for text in HOSTILE:
            fitting = [name for name in names if _fits(fields[name], text)]
            if not fitting:
                continue
            _set(obj, dict.fromkeys(fitting, text))
            content = self.exported(portal)
            _set(obj, {name: former[name] for name in fitting})
            applied = self._imported(portal, content, UPDATE)
            wrong = {name: getattr(obj, name) for name in fitting if getattr(obj, name) != text}
            if wrong or FAILED in applied.outcomes:
                reasons = f" ({'; '.join(applied.reasons)})" if applied.reasons else ""
                self.broken(
                    f"{text!r} came back as {wrong}{reasons}.",
                    "Let the base class make the cells, and let hooks take the values that it "
                    "has converted; do not strip or split texts yourself.",
                )
            _set(obj, former)

    @rule
    def test_objects_without_values_come_back(self) -> None:
        """An object that has only what it needs is exported, and imported as it was."""
        self.require_rows()
        self.require_mode(CREATE)
        portal, processor, rows = self.portal(), self.tested_processor, self._bare_rows()
        applied = portal.apply(processor, rows, CREATE)
        self.require_done(
            applied,
            [CREATED] * len(rows),
            "Name in `req` what a new object needs, and let hooks do without the rest.",
        )
        before, content = portal.picture(processor), self.exported(portal)
        with self.other_portal() as other:
            self.require_done(
                self._imported(other, content, CREATE),
                [CREATED] * len(rows),
                "Write a value that is None as an empty cell, or as XXX where the field has a "
                "default.",
            )
            changed = differences(_open(before, self._secrets), self._open_picture(other))
            if changed:
                self.broken(
                    f"objects differ after the way there and back: {changed}.",
                    "Write a value that is None as an empty cell, or as XXX where the field has "
                    "a default; name in `filled` the fields that a new object fills itself.",
                )

    @rule
    def test_filters_do_with_objects_without_values(self) -> None:
        """A filter does with objects that have only what they need."""
        self.require_rows()
        self.require_mode(CREATE)
        full, filters = self._filtered()
        objects = self._found(full)
        wanted = {
            name: [*self._wanted(name, field, objects, full), *([] if field.required else [None])]
            for name, field in filters.items()
        }
        portal = self.portal()
        portal.apply(self.tested_processor, self._bare_rows(), CREATE)
        for name, values in wanted.items():
            for value in values:
                try:
                    self._found(portal, **{name: value})
                except Exception as error:
                    self.broken(
                        f"the filter {name}={value!r} has met an object without values with "
                        f"{in_words(error)}.",
                        "Expect None where a field is not required: (obj.weight or 0) > wanted.",
                    )

    @rule
    def test_secrets_come_back_for_who_may_ask(self) -> None:
        """Hashes of passwords are exported on demand only, and are imported as they were."""
        self.require_rows()
        self.require_mode(CREATE)
        processor = self.tested_processor
        names = sorted(self._secrets & set(self.tested_exporter.secret_fields))
        if not names:
            self.skipTest("the export has no passwords")
        portal = self.portal()
        row = {**self.rows[0], **dict.fromkeys(names, SECRET)}
        portal.apply(processor, [row], CREATE)
        key = self.hook_row(self.key_cells(row))
        obj = processor.getEntry(key, portal.site)
        hashes = {name: getattr(obj, name) for name in names}
        if any(value in self.exported(portal).decode("utf-8") for value in hashes.values()):
            self.broken(
                "an export that nobody asked for secrets has hashes.",
                "Write no hash into another column.",
            )
        content = self.exported(portal, secrets=True)
        with self.other_portal() as other:
            self._imported(other, content, CREATE)
            found = processor.getEntry(key, other.site)
            came = {name: getattr(found, name, None) for name in names}
        if came != hashes:
            self.broken(
                f"hashes were {hashes}, and came back as {came}.",
                "Write the attribute as it is, and declare the field as "
                "`waeup.kofa.conversion.Secret`, which takes hashes.",
            )

    @rule
    def test_rows_of_removed_objects_are_kept(self) -> None:
        """The row of an object that is removed is kept, and brings it back by an import."""
        self.require_rows()
        self.require_mode(REMOVE)
        self.require_mode(CREATE)
        exporter, processor = self.tested_exporter, self.tested_processor
        if not getattr(exporter, "is_kept", False):
            self.skipTest("the exporter keeps no rows of removed objects")
        portal = self.portal(with_objects=True)
        before = _open(portal.picture(processor), self._secrets)
        portal.apply(processor, self.removal_rows(), REMOVE)
        path = os.path.join(portal.storage, "deleted", f"{self.exporter_name}.csv")
        if not os.path.exists(path):
            self.broken(
                f"there is no {os.path.relpath(path, portal.storage)} in the storage.",
                "Let the exporter inherit from `KindExporter`, and its `iface` be provided by the "
                "objects; set `is_kept = False` if their rows are to be dropped.",
            )
        with open(path, "rb") as stream:
            applied = self._imported(portal, stream.read(), CREATE)
        self.require_done(applied, [CREATED], "Export all that an import needs.")
        changed = differences(before, self._open_picture(portal))
        if changed:
            self.broken(
                f"the object came back otherwise: {changed}.",
                "Export every field, in the form in which it is imported.",
            )

    # -- helpers --------------------------------------------------------------------------------

    @property
    def _secrets(self) -> frozenset[str]:
        return secret_names(self.tested_processor.iface)

    def _open_picture(self, portal: SamplePortal) -> dict[str, Any]:
        return _open(portal.picture(self.tested_processor), self._secrets)

    def _imported(self, portal: SamplePortal, content: bytes, mode: str) -> Applied:
        """Import what an export has written."""
        header = next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        known = self.tested_processor.available_fields
        columns = [name if name in known else None for name in header]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"{self.exporter_name}.csv")
            with open(path, "wb") as stream:
                stream.write(content)
            return portal.apply_table(self.tested_processor, path, columns, mode)

    def _bare_rows(self) -> list[dict[str, str]]:
        """Return `rows` without the cells that a new object can do without."""
        processor = self.tested_processor
        needed = {*processor.location_fields, *processor.req[CREATE], *self.key_columns}
        return [{name: text for name, text in row.items() if name in needed} for row in self.rows]

    def _free_texts(self) -> Iterator[str]:
        """Generate the columns that take any text and do not say which object is meant."""
        exporter, processor = self.tested_exporter, self.tested_processor
        taken = {
            *processor.location_fields,
            *exporter.key_fields,
            *self.key_columns,
            *self.kept_elsewhere,
            *self._secrets,
        }
        for name, field in getFields(processor.iface).items():
            if type(field) in _TEXTS and name in exporter.fields and name not in taken:
                yield name


def _open(picture: dict[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """Return a picture without secrets, which are not exported."""
    return {
        name: value for name, value in picture.items() if name.rpartition(".")[2] not in secrets
    }


def _fits(field: Any, text: str) -> bool:
    try:
        field.validate(text)
    except Exception:
        return False
    return True


def _set(obj: Any, values: dict[str, Any]) -> None:
    """Set attributes, as somebody else does it; the change is committed."""
    transaction.begin()
    for name, value in values.items():
        setattr(obj, name, value)
    transaction.commit()
