"""The base of all importers: Kofa's batch processor with its hooks.

A processor says what a row means for one kind of objects.  How rows are read,
converted, replayed and written to result files is the row engine's business
(`waeup.kofa.importing.engine`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import grok
from zope import schema
from zope.component import createObject
from zope.interface import Interface, implementer
from zope.lifecycleevent import Attributes, ObjectModifiedEvent
from zope.lifecycleevent.interfaces import IAttributes

from waeup.kofa.conversion import is_ignored, is_ignored_column
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.assigning import assign
from waeup.kofa.importing.confirming import Numbers
from waeup.kofa.importing.declaring import NOTHING, Declarations, collect
from waeup.kofa.importing.events import fire
from waeup.kofa.importing.filerules import FileRule
from waeup.kofa.importing.hooks import CREATE, MODES, REMOVE, UPDATE, UPSERT, default, undefined
from waeup.kofa.importing.parts import Part, part_columns, require_records
from waeup.kofa.importing.plan import secret_names, value_plan
from waeup.kofa.importing.reading import open_source, options_in_force
from waeup.kofa.importing.rowschema import row_schema
from waeup.kofa.importing.wholetable import WholeTable
from waeup.kofa.interfaces import ERRORS_COLUMN, IGNORE_MARKER, IBatchProcessor
from waeup.kofa.rights import IMPORT_DATA

# Values that are shown as they are, and need not be asked for a code.
_PLAIN = frozenset((str, int, float, bool, type(None)))


@implementer(IBatchProcessor)
class BatchProcessor(WholeTable, grok.GlobalUtility):
    """See `IBatchProcessor`.

    A subclass is registered as a utility under its `util_name`.  A kind that says
    neither this nor `name` is called like its class; a subclass of a kind has the
    names of that kind unless it says others.
    """

    grok.baseclass()
    grok.provides(IBatchProcessor)

    name: str = "Non-registered base processor"
    util_name: str = "batchprocessor"
    #: What the objects are, in a sentence or two for the page of kinds of data.
    about: str = ""
    iface: ClassVar[Any] = None
    _declared_iface: ClassVar[Any] = None
    location_fields: ClassVar[Sequence[str]] = []
    factory_name: str | None = None
    permission: str = IMPORT_DATA
    scope: str = ""
    #: Objects that an import may remove, or change, without being asked; None: as the portal says.
    most_removed: ClassVar[int | None] = None
    most_changed: ClassVar[int | None] = None
    #: Likewise shares of all objects of the kind, from 0 to 1.
    remove_share: ClassVar[float | None] = None
    change_share: ClassVar[float | None] = None
    #: Rules over a whole file; see `waeup.kofa.importing.filerules`.
    file_rules: ClassVar[Sequence[FileRule]] = ()
    #: Objects that the same row makes or changes; see `waeup.kofa.importing.parts`.
    parts: ClassVar[Sequence[Part]] = ()
    #: Classes of converters for fields of this kind; see `waeup.kofa.conversion.OwnConverter`.
    converters: ClassVar[Mapping[str, Any]] = {}
    #: What methods declare; see `waeup.kofa.importing.declaring`.
    declarations: ClassVar[Declarations] = NOTHING

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        own = cls.__dict__
        location = own.get("location_fields")
        if isinstance(location, str):
            raise TypeError(
                f"{cls.__name__}.location_fields is one text; write a list: [{location!r}]."
            )
        if not own.keys().isdisjoint(("iface", "converters", "parts")):
            cls._make_row_schema()
        cls.declarations = collect(cls)
        # Martian keeps what a directive says under its dotted name.
        named = own.get(grok.name.dotted_name())
        if named is not None and "util_name" not in own:
            cls.util_name = named
        if grok.baseclass.dotted_name() in own:
            return
        if cls.util_name == BatchProcessor.util_name:
            cls.util_name = cls.__name__.lower()
        if cls.name == BatchProcessor.name:
            cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__)
        if not cls.scope:
            cls.scope = cls.util_name
        if named is None:
            grok.name.set(cls, cls.util_name)

    @classmethod
    def _make_row_schema(cls) -> None:
        """Let `iface` be the schema of rows, where that is another one than that of objects."""
        declared = cls.__dict__.get("iface", cls._declared_iface or cls.iface)
        cls._declared_iface = None
        require_records(cls.__name__, cls.parts)
        if cls.converters or cls.parts:
            cls._declared_iface = declared
            declared = row_schema(
                cls.__name__, cls.__module__, declared, cls.converters, cls.parts
            )
        cls.iface = declared

    @property
    def object_iface(self) -> Any:
        """The schema of the objects; `iface`, that of the rows, inherits from it."""
        return self.iface if self._declared_iface is None else self._declared_iface

    # -- what the columns of a table may be ---------------------------------

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of this processor; one with ``update`` in its name only updates.

        A site that says in `req` what each mode needs has the modes that it names there.
        """
        if "update" in self.util_name:
            return (UPDATE,)
        required = self.req
        return tuple(mode for mode in MODES if mode in required)

    @property
    def required_fields(self) -> list[str]:
        """Names of fields that a new object needs; neither default nor computation gives them."""
        others = {each.field for each in self.declarations.computed} | part_columns(self)
        return [
            name
            for name, field in schema.getFieldsInOrder(self.iface)
            if field.required
            and name not in self.location_fields
            and name not in others
            and field.default is field.missing_value
        ]

    @property
    def req(self) -> dict[str, list[str]]:
        """Mode -> fields that a table must have."""
        location = list(self.location_fields)
        return {
            CREATE: location + self.required_fields,
            UPDATE: location,
            REMOVE: location,
            UPSERT: location,
        }

    @property
    def available_fields(self) -> list[str]:
        """Sorted list of all fields that a column can fill."""
        return sorted({*self.location_fields, *schema.getFieldNames(self.iface)})

    def getHeaders(self, mode: str = "create") -> list[str]:
        """See `IBatchProcessor`."""
        return self.available_fields

    def checkHeaders(self, headerfields: Iterable[str], mode: str = "create") -> bool:
        """See `IBatchProcessor`; the messages are those of Kofa 1.9."""
        fields = [name for name in headerfields if not is_ignored_column(name)]
        required = self.req[mode]
        if not set(required).issubset(fields):
            names = ", ".join(f"'{name}'" for name in required)
            raise FatalCSVError(
                _("Need at least columns ${names} for import!", mapping={"names": names})
            )
        if len(set(fields)) < len(fields):
            raise FatalCSVError(_("Double headers: each column name may only appear once."))
        return True

    def getMapping(self, path: str, headerfields: Sequence[str], mode: str) -> dict[str, str]:
        """Return a dict from column names of the table at `path` to fields.

        Columns beyond `headerfields` are left out, as are ignored columns and,
        when objects are removed, all but the location fields.
        """
        with open_source(path, options_in_force()) as table:
            pairs = zip(table.header, headerfields, strict=False)
            return {
                column: field
                for column, field in pairs
                if not is_ignored_column(field)
                and (mode != REMOVE or field in self.location_fields)
            }

    @default
    def applyMapping(self, row: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, str]:
        """See `IBatchProcessor`."""
        return {mapping[column]: text for column, text in row.items() if column in mapping}

    def get_csv_skeleton(self) -> str:
        """Return the text of a table that has only a header."""
        return ",".join(self.available_fields) + "\r\n"

    @property
    def template_name(self) -> str:
        """See `IBatchProcessor`."""
        return f"{self.util_name.replace('processor', 'import')}_000.csv"

    # -- from text to values ------------------------------------------------

    @default
    def checkConversion(
        self, row: Mapping[str, str], mode: str = "ignore", ignore_empty: bool = True
    ) -> tuple[list[tuple[str, str]], list[str], dict[str, Any]]:
        """See `IBatchProcessor`."""
        return value_plan(self, row, grok.getSite()).convert(row, mode, ignore_empty)

    @default
    def emptyRow(self, row: Mapping[str, Any]) -> bool:
        """See `IBatchProcessor`."""
        return all(
            value is None or value == IGNORE_MARKER or not str(value).strip()
            for value in row.values()
        )

    def stringFromErrs(self, errors: Iterable[tuple[str, str]], inv_errors: Iterable[str]) -> str:
        """See `IBatchProcessor`."""
        return "; ".join(
            [f"{field}: {message}" for field, message in errors]
            + [f"invariant: {message}" for message in inv_errors]
        )

    @default
    def writeFailedRow(
        self, writer: Any, row: Mapping[str, str], warnings: str | Iterable[str]
    ) -> None:
        """See `IBatchProcessor`."""
        reason = warnings if isinstance(warnings, str) else " / ".join(warnings)
        writer.writerow({**row, ERRORS_COLUMN: reason})

    # -- what the portal knows about the objects ------------------------------

    def getRowKey(self, row: Mapping[str, Any]) -> str | None:
        """See `IBatchProcessor`: the values of the location fields."""
        values = [row.get(name) for name in self.location_fields]
        if any(value is None or is_ignored(value) or value == "" for value in values):
            return None
        return " / ".join(str(getattr(value, "code", value)) for value in values)

    def countEntries(self, site: Any) -> int | None:
        """See `IBatchProcessor`; None where nobody has said how to count."""
        return None

    @default
    def checkNumbers(self, numbers: Numbers, site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def getExtraState(self, obj: Any) -> Any:
        """See `IBatchProcessor`; an object of the base has no state besides its attributes."""
        return None

    def setExtraState(self, obj: Any, state: Any) -> None:
        """See `IBatchProcessor`."""

    def checkUndo(self, obj: Any, values: Mapping[str, Any] | None, site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    # -- hooks: where objects are and what may be done with them ------------

    @default
    def prepareSite(self, site: Any) -> None:
        """See `IBatchProcessor`."""

    @default
    def parentsExist(self, row: dict[str, Any], site: Any) -> bool:
        """See `IBatchProcessor`."""
        return self.getParent(row, site) is not None

    @default
    def parentsMissing(self, row: dict[str, Any], site: Any) -> str:
        """See `IBatchProcessor`."""
        return _("Not all parents do exist yet.")

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        raise undefined(
            self, "getParent(row, site)", "returns the container of the object, or None"
        )

    def entryExists(self, row: dict[str, Any], site: Any) -> bool:
        """See `IBatchProcessor`."""
        return self.getEntry(row, site) is not None

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        raise undefined(self, "getEntry(row, site)", "returns the object, or None")

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        raise undefined(self, "addEntry(obj, row, site)", "puts a new object into its place")

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        raise undefined(self, "delEntry(row, site)", "takes the object out of its place")

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def checkUpdateRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def checkRemoveRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    @default
    def callFactory(self, *args: Any, **kw: Any) -> Any:
        """See `IBatchProcessor`."""
        return createObject(self.factory_name, *args, **kw)

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`.

        Values that the object does not take are passed over (`assign`).  A modified event is fired
        for an object that has its place.  The text goes to logs and shows no password, nor its
        hash.
        """
        changed = assign(obj, row)
        if changed and getattr(obj, "__parent__", None) is not None:
            fire(ObjectModifiedEvent(obj, *self._descriptions(changed)))
        secrets = secret_names(self.iface)
        texts = [
            f"{name}=***"
            if name in secrets
            else f"{name}={value if type(value) in _PLAIN else getattr(value, 'code', value)}"
            for name, value in changed.items()
        ]
        return ", ".join(texts)

    def _descriptions(self, changed: Iterable[str]) -> tuple[IAttributes, ...]:
        return (Attributes(self.iface or Interface, *changed),)
