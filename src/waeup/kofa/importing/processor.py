"""The base of all importers: Kofa's batch processor with its hooks.

A processor says what a row means for one kind of objects.  How rows are read,
converted, replayed and written to result files is the row engine's business
(`waeup.kofa.importing.engine`).
"""

import functools
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import grok
from zope import schema
from zope.component import createObject
from zope.event import notify
from zope.interface import Interface
from zope.lifecycleevent import Attributes, ObjectModifiedEvent
from zope.lifecycleevent.interfaces import IAttributes
from zope.schema.interfaces import IPassword

from waeup.kofa import conversion
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.importing import engine
from waeup.kofa.importing.report import Report
from waeup.kofa.interfaces import IGNORE_COLUMN, IGNORE_MARKER, IBatchProcessor
from waeup.kofa.tabular import open_table

MODES = ("create", "update", "remove")


class BatchProcessor(grok.GlobalUtility):
    """See `IBatchProcessor`.

    A subclass is registered as a utility under its `util_name`, which is the
    lower-case name of the class unless it says otherwise, as is the title.
    """

    grok.baseclass()
    grok.implements(IBatchProcessor)
    grok.provides(IBatchProcessor)

    name: str = "Non-registered base processor"
    util_name: str = "batchprocessor"
    iface: ClassVar[Any] = None
    location_fields: ClassVar[Sequence[str]] = []
    factory_name: str | None = None
    permission: str = "waeup.importData"

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        own = cls.__dict__
        if "util_name" not in own:
            cls.util_name = cls.__name__.lower()
        if "name" not in own:
            cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__)
        # Martian keeps what a directive says under its dotted name.
        if grok.name.dotted_name() not in own:
            grok.name.set(cls, cls.util_name)

    # -- what the columns of a table may be ---------------------------------

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of this processor; one with ``update`` in its name only updates."""
        return ("update",) if "update" in self.util_name else MODES

    @property
    def required_fields(self) -> list[str]:
        """Names of schema fields that a new object needs and that have no default."""
        return [
            name
            for name, field in schema.getFieldsInOrder(self.iface)
            if field.required
            and name not in self.location_fields
            and field.default is field.missing_value
        ]

    @property
    def req(self) -> dict[str, list[str]]:
        """Mode -> fields that a table must have."""
        location = list(self.location_fields)
        return {
            "create": location + self.required_fields,
            "update": location,
            "remove": location,
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
        fields = [name for name in headerfields if not name.startswith("--")]
        required = self.req[mode]
        if not set(required).issubset(fields):
            names = ", ".join(f"'{name}'" for name in required)
            raise FatalCSVError(f"Need at least columns {names} for import!")
        if len(set(fields)) < len(fields):
            raise FatalCSVError("Double headers: each column name may only appear once.")
        return True

    def getMapping(self, path: str, headerfields: Sequence[str], mode: str) -> dict[str, str]:
        """Return a dict from column names of the table at `path` to fields.

        Columns beyond `headerfields` are left out, as are ignored columns and,
        when objects are removed, all but the location fields.
        """
        with open_table(path) as table:
            pairs = zip(table.header, headerfields, strict=False)
            return {
                column: field
                for column, field in pairs
                if field != IGNORE_COLUMN and (mode != "remove" or field in self.location_fields)
            }

    def get_csv_skeleton(self) -> str:
        """Return the text of a table that has only a header."""
        return ",".join(self.available_fields) + "\r\n"

    # -- from text to values ------------------------------------------------

    def checkConversion(
        self, row: Mapping[str, str], mode: str = "ignore", ignore_empty: bool = True
    ) -> tuple[list[tuple[str, str]], list[str], dict[str, Any]]:
        """See `IBatchProcessor`."""
        plan = engine.current_plan(self)
        if plan is None:
            plan = engine.plan_values(self, row, grok.getSite())
        return plan.convert(row, mode, ignore_empty)

    def emptyRow(self, row: Mapping[str, Any]) -> bool:
        """Tell whether there is no value in the row."""
        return all(
            value is None or value == IGNORE_MARKER or not str(value).strip()
            for value in row.values()
        )

    def stringFromErrs(self, errors: Iterable[tuple[str, str]], inv_errors: Iterable[str]) -> str:
        """Return all conversion errors in one text."""
        return "; ".join(
            [f"{field}: {message}" for field, message in errors]
            + [f"invariant: {message}" for message in inv_errors]
        )

    # -- hooks: where objects are and what may be done with them ------------

    def parentsExist(self, row: dict[str, Any], site: Any) -> bool:
        """See `IBatchProcessor`."""
        return self.getParent(row, site) is not None

    def getParent(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        raise NotImplementedError("method not implemented")

    def entryExists(self, row: dict[str, Any], site: Any) -> bool:
        """See `IBatchProcessor`."""
        return self.getEntry(row, site) is not None

    def getEntry(self, row: dict[str, Any], site: Any) -> Any:
        """See `IBatchProcessor`."""
        raise NotImplementedError("method not implemented")

    def addEntry(self, obj: Any, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        raise NotImplementedError("method not implemented")

    def delEntry(self, row: dict[str, Any], site: Any) -> None:
        """See `IBatchProcessor`."""
        raise NotImplementedError("method not implemented")

    def checkCreateRequirements(self, parent: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def checkUpdateRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def checkRemoveRequirements(self, obj: Any, row: dict[str, Any], site: Any) -> str | None:
        """See `IBatchProcessor`."""
        return None

    def callFactory(self, *args: Any, **kw: Any) -> Any:
        """See `IBatchProcessor`."""
        return createObject(self.factory_name, *args, **kw)

    def updateEntry(self, obj: Any, row: dict[str, Any], site: Any, filename: str) -> str:
        """See `IBatchProcessor`.

        Names that the object does not have, and computed attributes, are passed
        over.  A modified event is fired for an object that has its place.  The
        text goes to logs and shows no password, nor its hash.
        """
        changed = {}
        for name, value in row.items():
            # The marker itself, not a text that happens to look like it.
            if value is IGNORE_MARKER:
                continue
            try:
                old = getattr(obj, name)
                if old == value and type(old) is type(value):
                    continue
                setattr(obj, name, value)
            except AttributeError:
                continue
            changed[name] = value
        if changed and getattr(obj, "__parent__", None) is not None:
            notify(ObjectModifiedEvent(obj, *self._descriptions(changed)))
        secrets = _secret_names(self.iface)
        return ", ".join(
            f"{name}={'***' if name in secrets else getattr(value, 'code', value)}"
            for name, value in changed.items()
        )

    def _descriptions(self, changed: Iterable[str]) -> tuple[IAttributes, ...]:
        return (Attributes(self.iface or Interface, *changed),)

    # -- the import itself --------------------------------------------------

    def doImport(
        self,
        path: str,
        headerfields: Sequence[str],
        mode: str = "create",
        user: str = "Unknown",
        logger: logging.Logger | None = None,
        ignore_empty: bool = True,
        *,
        constants: Mapping[str, str] | None = None,
        site: Any = None,
    ) -> tuple[int, int, str, str | None]:
        """See `IBatchProcessor`.

        `constants` sets fields to the same text for all rows; `site` is handed to
        the hooks (default: the current site).  `user` is handed to `createLogfile`;
        log lines name the principal that acts.
        """
        mapping = conversion.Mapping.from_headerfields(headerfields, (constants or {}).items())
        folder = tempfile.mkdtemp(prefix="kofa-import-")
        try:
            report = self.importTable(
                path,
                mapping,
                mode,
                folder=folder,
                site=site,
                user=user,
                logger=logger,
                ignore_empty=ignore_empty,
            )
        except BaseException:
            engine.discard_results(folder, path)
            raise
        assert report.finished is not None
        return report.total, report.failed, report.finished, report.pending

    def importTable(
        self,
        path: str,
        mapping: conversion.Mapping,
        mode: str,
        *,
        folder: str,
        site: Any = None,
        user: str = "Unknown",
        logger: logging.Logger | None = None,
        ignore_empty: bool = True,
        progress: Callable[[engine.Progress], None] | None = None,
    ) -> Report:
        """Import the table at `path` inside the caller's transaction.

        Result files are made in the existing `folder`.  `progress` is called from
        time to time with the counts so far.  See `doImport` for what is raised.
        """
        if site is None:
            site = grok.getSite()
        run = engine.RowEngine(self, path, mapping, mode, site, ignore_empty)
        report = run.run(folder, progress)
        if logger is not None:
            self.createLogfile(
                path,
                report.pending,
                report.total,
                report.failed,
                mode,
                user,
                report.seconds,
                logger,
            )
        return report

    def createLogfile(
        self,
        path: str,
        fail_path: str | None,
        num: int,
        warnings: int,
        mode: str,
        user: str,
        timedelta: float,
        logger: logging.Logger,
    ) -> None:
        """Log one line about a whole import, in the words of Kofa 1.9.

        `num` rows took `timedelta` seconds, `warnings` of them failed.  `fail_path`
        and `user` are there for those who override the method.
        """
        logger.info(
            "processed: %s, %s mode, %s lines (%s successful/ %s failed), %0.3f s (%0.4f s/item)",
            path,
            mode,
            num,
            num - warnings,
            warnings,
            timedelta,
            timedelta / num if num else 0.0,
        )

    @property
    def template_name(self) -> str:
        """Name under which the empty table is offered, for example
        ``facultyimport_000.csv``."""
        return f"{self.util_name.replace('processor', 'import')}_000.csv"


@functools.cache
def _secret_names(iface: Any) -> frozenset[str]:
    """Return the names of the passwords of a schema."""
    fields = schema.getFields(iface) if iface is not None else {}
    return frozenset(name for name, field in fields.items() if IPassword.providedBy(field))
