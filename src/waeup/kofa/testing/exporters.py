"""The contract of exporters: `ExporterContract`."""

import csv
import io
import os
import tempfile
from typing import Any

import transaction
from zope.component import queryUtility
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject
from zope.security.interfaces import IPermission

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.exporting.driver import columns_of
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.testing.contract import memory_of, newly_kept, rule
from waeup.kofa.testing.filters import FilterRules
from waeup.kofa.testing.pictures import differences
from waeup.kofa.testing.samples import SamplePortal

#: A text that names no object.
NOBODY = "NOBODY42"


class ExporterContract(FilterRules):
    """What the portal expects of an exporter (`waeup.kofa.interfaces.ICSVExporter`).

    Declare `exporter`, and `processor` and `rows`, which make the objects; or override
    `add_objects`, which puts at least two objects into a portal.  See `Contract` for more.
    """

    # -- what it says about itself ------------------------------------------------------

    @rule
    def test_exporter_has_all_that_its_interface_names(self) -> None:
        """An exporter has all attributes and methods of ICSVExporter."""
        try:
            verifyObject(ICSVExporter, self.tested_exporter)
        except Invalid as error:
            self.broken(
                str(error).strip(),
                "Inherit from `waeup.kofa.exporting.kind.KindExporter`, or from "
                "`waeup.kofa.utils.batching.ExporterBase`.",
            )

    @rule
    def test_exporter_is_registered(self) -> None:
        """An exporter is a utility for ICSVExporter that has a name and a title of its own."""
        exporter, name = self.tested_exporter, self.exporter_name
        if not name or type(queryUtility(ICSVExporter, name=name)) is not type(exporter):
            self.broken(
                f"no utility of that class is called {name!r}.",
                "Let the class inherit from grok.GlobalUtility, with `grok.name` and "
                "`grok.provides(ICSVExporter)`, in a package that is grokked.",
            )
        title = str(exporter.title or "").strip()
        if not title or title == ExporterBase.title:
            self.broken(f"the title {title!r}.", "Set `title`, such as 'Mammoths'.")

    @rule
    def test_export_permission_exists(self) -> None:
        """The permission that an export needs is registered."""
        name = self.tested_exporter.permission
        if queryUtility(IPermission, name=name) is None:
            self.broken(
                f"there is no permission {name!r}, so that nobody could export.",
                "Correct `permission`, or define it as a `grok.Permission`.",
            )

    @rule
    def test_columns_are_declared(self) -> None:
        """The columns are named, each once, and are those of the file; secrets are left out."""
        exporter = self.tested_exporter
        fields = tuple(exporter.fields)
        if not fields or len(set(fields)) < len(fields):
            self.broken(f"the columns {fields!r}.", "Name at least one column, each once.")
        portal = self.portal(with_objects=True)
        written = next(csv.reader(io.StringIO(exporter.export_all(portal.site), newline="")), [])
        if tuple(written) != fields:
            self.broken(
                f"the file has the columns {written}, and declared are {fields}.",
                "Let `fields` name the columns that are written.",
            )
        header = self.records(portal)[0]
        secrets = {*exporter.secret_fields, *secret_names(getattr(exporter, "iface", None))}
        shown = sorted(secrets & set(header))
        if shown:
            self.broken(f"secrets are written: {shown}.", "Name them in `secret_fields`.")

    # -- what it writes ---------------------------------------------------------------------

    @rule
    def test_objects_are_exported(self) -> None:
        """Each object has a row, whether the table is returned as a text or written to a file."""
        portal, exporter = self.portal(with_objects=True), self.tested_exporter
        try:
            number = len(list(exporter.get_filtered(portal.site)))
        except NotImplementedError:
            # One of 1.9 may write the whole table by an `export_all` of its own.
            number = max(2, len(self.rows))
        if number < 2:
            self.broken(
                f"there are {number} objects.",
                "Declare `rows`, or let `add_objects` put at least two objects into the portal "
                "that `get_filtered` finds.",
            )
        count = exporter.count(portal.site)
        if count is not None and count != number:
            self.broken(
                f"`count` says {count}, and `get_filtered` gives {number} objects.",
                "Count the same objects, or return None.",
            )
        rows = self.records(portal)
        if len(rows) <= number:
            self.broken(
                f"there are {number} objects, and {len(rows) - 1} rows.",
                "Let `write_item` write a row for each object.",
            )
        text = exporter.export_all(portal.site)
        if not isinstance(text, str) or len(list(csv.reader(io.StringIO(text)))) != len(rows):
            self.broken(
                f"export_all returned {text!r}.",
                "Return the text of the table when there is no `filepath`.",
            )
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "table.csv")
            if exporter.export_all(portal.site, filepath=path) is not None:
                self.broken("export_all returned something besides the file.", "Return None then.")
            with open(path, encoding="utf-8", newline="") as stream:
                if stream.read() != text:
                    self.broken(
                        "the file differs from the text.", "Write the same with a `filepath`."
                    )

    @rule
    def test_export_changes_nothing(self) -> None:
        """An export changes nothing, and a second one writes the same."""
        portal = self.portal(with_objects=True)
        before, files = portal.picture(), portal.files()
        memory = memory_of(self.tested_exporter)
        first, again = self.records(portal), self.records(portal)
        self.require_nothing_to_write(portal, "it", "Set nothing on objects.")
        changed = differences(before, portal.picture())
        if changed or files != portal.files():
            self.broken(f"it changed {changed or 'files'}.", "Read, and change nothing.")
        if first != again:
            self.broken(
                f"rows were {first}, and then {again}.", "Write what objects are, and no more."
            )
        kept = newly_kept(self.tested_exporter, memory)
        if kept:
            self.broken(
                f"it has set {kept}.",
                "Keep nothing of an export on the exporter: it serves all threads.",
            )

    @rule
    def test_objects_are_not_loaded_at_once(self) -> None:
        """Objects are loaded when their row is written: a million needs the memory of a few."""
        portal, exporter = self.portal(with_objects=True), self.tested_exporter
        objects = self._objects(portal)
        transaction.abort()
        portal.connection.cacheMinimize()
        found = iter(exporter.get_filtered(portal.site))
        next(found)
        loaded = [one for one in objects[1:] if getattr(one, "_p_changed", None) is not None]
        if loaded:
            self.broken(
                f"{len(loaded)} of the other objects were loaded with the first one.",
                "Return a generator or the values of a container, not a list, and look at an "
                "object only when it is asked for.",
            )

    @rule
    def test_cells_are_made_of_all_values(self) -> None:
        """A cell can be made of each value, and is guarded against spreadsheets."""
        exporter = self.tested_exporter
        if not exporter.safe_cells:
            self.broken("safe_cells is off.", "Leave it on; who needs bare texts asks for them.")
        portal = self.portal(with_objects=True)
        columns = [column.name for column in columns_of(exporter)]
        for obj in self._objects(portal):
            for name in columns:
                value = getattr(obj, name, None)
                try:
                    exporter.mangle_value(value, name, obj)
                except Exception as error:
                    self.broken(
                        f"mangle_value({value!r}, {name!r}) raised {error!r}.",
                        "Return a text for each value that an object can have.",
                    )

    def _objects(self, portal: SamplePortal) -> list[Any]:
        """Return all objects; leave a test out where the exporter does not tell them."""
        try:
            return list(self.tested_exporter.get_filtered(portal.site))
        except NotImplementedError:
            self.skipTest("the exporter does not tell its objects (`get_filtered`)")

    # -- which objects ----------------------------------------------------------------------

    @rule
    def test_keys_select(self) -> None:
        """Keys select their objects, each once; a key that nobody has is no error."""
        exporter = self.tested_exporter
        if not exporter.key_fields:
            self.skipTest("the exporter takes no keys")
        portal = self.portal(with_objects=True)
        site = portal.site
        everything = list(exporter.get_filtered(site))
        tried = 0
        for name in exporter.key_fields:
            for obj in everything:
                key = getattr(obj, name, None)
                if key is None:
                    continue
                tried += 1
                found = list(exporter.get_selected(site, [key, key]))
                if not any(one is obj for one in found) or len(found) > len(everything):
                    self.broken(
                        f"the key {key!r} in {name!r} selects {len(found)} objects, and not, or "
                        "more than once, the one that has it.",
                        "Let `find` return the objects that have the key, whichever of "
                        "`key_fields` it is in.",
                    )
                if len({id(one) for one in found}) < len(found):
                    self.broken(
                        f"the key {key!r}, given twice, selects an object twice.",
                        "Return each object once, as `get_selected` of the base does.",
                    )
        if not tried:
            self.broken(
                f"no object has a value in any of {', '.join(exporter.key_fields)}.",
                "Let `key_fields` name attributes of the objects, and declare `rows` with cells "
                "for them.",
            )
        nobody = list(exporter.get_selected(site, [NOBODY]))
        if nobody:
            self.broken(
                f"a key that nobody has selects {len(nobody)} objects.", "Return none for it."
            )
