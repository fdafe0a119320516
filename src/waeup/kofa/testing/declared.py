"""The rules of processors about what they say of themselves, and about what they answer."""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import transaction
from zope.component import getUtilitiesFor, queryUtility
from zope.interface.exceptions import Invalid
from zope.interface.interfaces import IInterface
from zope.interface.verify import verifyObject
from zope.security.interfaces import IPermission

from waeup.kofa.errors import FatalCSVError
from waeup.kofa.importing.confirming import Numbers
from waeup.kofa.importing.hooks import CREATE, MODES, REMOVE, UPDATE, UPSERT, HookRow
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.importing.report import CREATED, FAILED
from waeup.kofa.interfaces import (
    ERRORS_COLUMN,
    IGNORE_COLUMN,
    IGNORE_MARKER,
    IBatchProcessor,
)
from waeup.kofa.testing.contract import Contract, rule


class DeclaredRules(Contract):
    """What a processor says of itself, and what it answers when it is asked; no row is applied."""

    # -- what it says about itself ------------------------------------------------------------

    @rule
    def test_processor_has_all_that_its_interface_names(self) -> None:
        """A processor has all attributes and methods of IBatchProcessor."""
        try:
            verifyObject(IBatchProcessor, self.tested_processor)
        except Invalid as error:
            self.broken(
                str(error).strip(),
                "Inherit from `waeup.kofa.importing.processor.BatchProcessor`, and keep the "
                "arguments of the hooks that you override.",
            )

    @rule
    def test_processor_is_registered_under_its_name(self) -> None:
        """A processor is a utility for IBatchProcessor, named like its util_name."""
        processor = self.tested_processor
        name = processor.util_name
        if not (isinstance(name, str) and re.fullmatch(r"[\w.-]+", name)):
            self.broken(f"the util_name {name!r}.", "Use letters, digits, and underscores.")
        if type(queryUtility(IBatchProcessor, name=name)) is not type(processor):
            self.broken(
                f"no utility of that class is called {name!r}.",
                "Let Grok find the class: it must not be `grok.baseclass()`, its package must be "
                "grokked, and no other processor may have its name.",
            )

    @rule
    def test_processor_tells_people_what_it_is(self) -> None:
        """A processor has a title for people, of its own."""
        processor = self.tested_processor
        title = str(processor.name or "").strip()
        if not title or title == BatchProcessor.name:
            self.broken(f"the title {title!r}.", "Set `name`, such as 'Mammoth Processor'.")
        if not isinstance(processor.about, str):
            self.broken(f"`about` is {processor.about!r}.", "Give a sentence for officers, or ''.")

    @rule
    def test_scope_is_declared(self) -> None:
        """A processor says what its imports write: two that write the same have one scope."""
        processor = self.tested_processor
        scope = processor.scope
        if not (isinstance(scope, str) and scope.strip()):
            self.broken(
                f"the scope {scope!r}.",
                "Set `scope` to a text; runs of one scope wait for each other.",
            )
        place = getattr(processor, "container", "")
        for name, other in getUtilitiesFor(IBatchProcessor):
            if place and getattr(other, "container", "") == place and other.scope != scope:
                self.broken(
                    f"{name} writes into {place!r}, too, and has the scope {other.scope!r} "
                    f"instead of {scope!r}.",
                    "Give both the same `scope`, or their runs change the same objects at once.",
                )

    @rule
    def test_permission_exists(self) -> None:
        """The permission that an import needs is registered."""
        name = self.tested_processor.permission
        if queryUtility(IPermission, name=name) is None:
            self.broken(
                f"there is no permission {name!r}, so that nobody could import.",
                "Correct `permission`, or define it as a `grok.Permission`.",
            )

    @rule
    def test_modes_and_columns(self) -> None:
        """Modes are known, and the columns that each needs are among those it can fill."""
        processor = self.tested_processor
        if not IInterface.providedBy(processor.iface):
            self.broken(
                f"`iface` is {processor.iface!r}.", "Name the schema interface of the objects."
            )
        modes, available = processor.modes, processor.available_fields
        if not modes or not set(modes) <= set(MODES):
            self.broken(
                f"the modes {modes!r}.", f"Name at least one of {', '.join(MODES)}, no others."
            )
        if list(available) != sorted(set(available)):
            self.broken(
                f"available_fields are {available!r}.", "Return a sorted list, each name once."
            )
        for mode in modes:
            needed = [*processor.req.get(mode, [None]), *processor.location_fields]
            unknown = [name for name in needed if name not in available]
            if unknown:
                self.broken(
                    f"{mode!r} needs {unknown!r}, which `available_fields` lacks.",
                    "Add them to `available_fields`, or to the schema, or take them out of `req` "
                    "and `location_fields`; `req` has a list for each mode.",
                )
            if set(processor.getHeaders(mode)) - set(available):
                self.broken(
                    f"getHeaders({mode!r}) names columns that `available_fields` lacks.",
                    "Let both name the same columns.",
                )

    @rule
    def test_headers_are_checked(self) -> None:
        """A header is refused without a column that is needed, and when a column is there twice.

        Columns that are ignored do not count.
        """
        self.require_rows()
        processor = self.tested_processor
        for mode in processor.modes:
            sample = self.rows[0] if mode in (CREATE, UPSERT) else self.key_cells(self.rows[0])
            header = list(dict.fromkeys([*processor.req[mode], *sample]))
            good = [*header, IGNORE_COLUMN, IGNORE_COLUMN, ERRORS_COLUMN]
            if processor.checkHeaders(good, mode) is not True:
                self.broken(
                    f"checkHeaders({good}, {mode!r}) did not return True.",
                    "Return True for a good header, or what `super().checkHeaders` returns.",
                )
            for name in processor.req[mode]:
                self._require_refusal([one for one in header if one != name], mode, name)
            self._require_refusal([*header, header[0]], mode, None)

    def _require_refusal(self, header: list[str], mode: str, missing: str | None) -> None:
        what = f"{missing!r} is missing" if missing else f"{header[0]!r} is there twice"
        try:
            self.tested_processor.checkHeaders(header, mode)
        except FatalCSVError as error:
            if missing is None or missing in str(error):
                return
            self.broken(
                f"{what}, and the message does not name it: {error}.",
                "Name the column in the message of the FatalCSVError.",
            )
        self.broken(
            f"checkHeaders({header}, {mode!r}) has accepted a header in which {what}.",
            "Raise `waeup.kofa.errors.FatalCSVError`, or call `super().checkHeaders`.",
        )

    @rule
    def test_template_can_be_filled_and_imported(self) -> None:
        """The empty table has all columns, and is imported once it is filled."""
        self.require_rows()
        processor = self.tested_processor
        text, name = processor.get_csv_skeleton(), processor.template_name
        header = next(csv.reader(io.StringIO(text)), [])
        if sorted(header) != processor.available_fields or not text.endswith("\r\n"):
            self.broken(
                f"the empty table is {text!r}.",
                "Let `get_csv_skeleton` return `available_fields` as one line of CSV with CRLF.",
            )
        if not re.fullmatch(r"[\w.-]+\.csv", name):
            self.broken(f"template_name is {name!r}.", "Give the name of a file, with .csv.")
        self.require_mode(CREATE)
        filled = [{column: row.get(column, "") for column in header} for row in self.rows]
        self.require_done(
            self.portal().apply(processor, filled, CREATE),
            [CREATED] * len(self.rows),
            "An empty cell says nothing: let hooks treat `<IGNORE>` as if there were no column.",
        )

    # -- text to values -----------------------------------------------------------------------

    @rule
    def test_conversion_is_pure(self) -> None:
        """Converting a row changes neither the row nor the portal, and can be done again."""
        self.require_rows()
        portal = self.portal()
        processor, before = self.tested_processor, portal.picture()
        modes = [mode for mode in processor.modes if mode != REMOVE] or [CREATE]
        for row, mode in itertools.product(self.rows, modes):
            given = dict(row)
            first = processor.checkConversion(given, mode)
            again = processor.checkConversion(given, mode)
            if given != dict(row):
                self.broken(
                    f"checkConversion has made {given} of {dict(row)}.",
                    "Work on a copy of the row, and return values in the third place.",
                )
            secrets = secret_names(processor.iface)
            values = [
                {name: value for name, value in found[2].items() if name not in secrets}
                for found in (first, again)
            ]
            if (first[:2], values[0]) != (again[:2], values[1]):
                self.broken(
                    f"checkConversion said {first}, then {again}.",
                    "Let its answer depend on the row and on the portal only.",
                )
        to_do = "Change nothing in checkConversion."
        self.require_nothing_to_write(portal, "checkConversion", to_do)
        self.require_same(portal, before, "checkConversion", to_do)

    # -- finding objects ----------------------------------------------------------------------

    @rule
    def test_what_is_not_there_is_no_error(self) -> None:
        """A row that names no object, or no place for one, is answered, not met by an exception.

        `parentsExist`, `entryExists`, `getParent` and `getEntry` are asked about such rows.
        """
        self.require_rows()
        processor = self.tested_processor
        for portal in (self.portal(is_bare=True), self.portal()):
            site = portal.site
            for row in self.rows:
                asked = self.hook_row(row)
                exists, entry = processor.entryExists(asked, site), processor.getEntry(asked, site)
                if exists or entry is not None:
                    self.broken(
                        f"entryExists says {exists!r} and getEntry {entry!r} about an object "
                        "that was never made.",
                        "Return False, and None.",
                    )
                if bool(processor.parentsExist(asked, site)) != (
                    processor.getParent(asked, site) is not None
                ):
                    self.broken(
                        "parentsExist and getParent do not agree.",
                        "Let `getParent` return None where there is no place for the object.",
                    )
        for mode in {UPDATE, REMOVE} & set(processor.modes):
            row = {**self.key_cells(self.rows[0]), **(self.changes if mode == UPDATE else {})}
            self.require_done(
                portal.apply(processor, [row], mode),
                [FAILED],
                "Let `getEntry` return None for what is not there.",
            )

    @rule
    def test_looking_changes_nothing(self) -> None:
        """Hooks that look for objects, or ask whether a row may go on, change nothing."""
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        site, before = portal.site, portal.picture()
        for row in self.rows:
            asked = self.hook_row(row)
            given = dict(asked)
            for ask in ("parentsExist", "getParent", "entryExists", "getEntry"):
                getattr(processor, ask)(asked, site)
            processor.getRowKey(asked)
            processor.countEntries(site)
            obj = processor.getEntry(asked, site)
            processor.getExtraState(obj)
            for _hook, _message in self._requirements(asked, obj, site):
                pass
            if dict(asked) != given:
                self.broken(f"the row {given} became {dict(asked)}.", "Leave the row as it is.")
        to_do = "Set nothing in hooks that look: each write is one more conflict."
        self.require_nothing_to_write(portal, "hooks that look", to_do)
        self.require_same(portal, before, "hooks that look", to_do)

    def _requirements(self, row: HookRow, obj: Any, site: Any) -> Iterator[tuple[str, Any]]:
        """Generate the hooks that ask whether something may be done, each with its answer."""
        processor = self.tested_processor
        parent = processor.getParent(row, site)
        yield "checkCreateRequirements", processor.checkCreateRequirements(parent, row, site)
        for hook in ("checkUpdateRequirements", "checkRemoveRequirements"):
            yield hook, getattr(processor, hook)(obj, row, site)
        former: tuple[Any, ...] = ({}, None)
        for values in former:
            yield "checkUndo", processor.checkUndo(obj, values, site)
        for number in (0, 1, 1_000_000):
            numbers = Numbers(number, number, number, number)
            yield "checkNumbers", processor.checkNumbers(numbers, site)

    @rule
    def test_requirements_are_messages(self) -> None:
        """A hook that asks whether something may be done returns None, or a message."""
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        row = self.hook_row(self.rows[0])
        obj = processor.getEntry(row, portal.site)
        for hook, message in self._requirements(row, obj, portal.site):
            if message is not None and not (isinstance(message, str) and message.strip()):
                self.broken(
                    f"{hook} returned {message!r}.",
                    "Return None where all is well, else a text for people.",
                )
        transaction.abort()

    @rule
    def test_row_key_agrees_with_get_entry(self) -> None:
        """`getRowKey` gives one text for the rows of one object, and none where none is named."""
        self.require_rows()
        portal, processor = self.portal(with_objects=True), self.tested_processor
        known: dict[str, Any] = {}
        to_do = "Return the values of `location_fields` as one text, as the base class does."
        for row in self.rows:
            asked = self.hook_row(row)
            key, raw = processor.getRowKey(asked), processor.getRowKey(dict(row))
            if not (isinstance(key, str) and key) or key != raw:
                self.broken(
                    f"the key of {dict(row)} is {key!r} with values, and {raw!r} with texts.",
                    f"{to_do} It is asked about both.",
                )
            if self.changes and processor.getRowKey({**row, **self.changes}) != key:
                self.broken(
                    f"the key {key!r} changes with the columns {', '.join(self.changes)}.", to_do
                )
            obj = processor.getEntry(asked, portal.site)
            if key in known and known[key] is not obj:
                self.broken(f"two objects have the key {key!r}.", to_do)
            known[key] = obj
        if len(known) < len(self.rows):
            self.broken(f"{len(self.rows)} rows have {len(known)} keys.", to_do)
        nothing = processor.getRowKey(dict.fromkeys(self.rows[0], IGNORE_MARKER))
        if nothing is not None or processor.getRowKey({}) is not None:
            self.broken(
                f"a row that names no object has the key {nothing!r}.", "Return None for it."
            )

    @rule
    def test_objects_are_counted(self) -> None:
        """`countEntries` tells how many objects there are, or None."""
        self.require_rows()
        portal, processor = self.portal(), self.tested_processor
        before = processor.countEntries(portal.site)
        self.add_objects(portal)
        after = processor.countEntries(portal.site)
        if (before is None) != (after is None) or (
            before is not None and after != before + len(self.rows)
        ):
            self.broken(
                f"it said {before!r}, and with {len(self.rows)} objects more {after!r}.",
                "Count the objects of the kind, or return None where that takes long.",
            )
