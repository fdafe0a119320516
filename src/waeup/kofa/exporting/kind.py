"""Exporters of kinds: columns, cells and filters come from what an import of the kind declares.

So the columns of an export are those of an import, and what was exported imports back unchanged.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar

import grok
from zope.component import getUtility
from zope.schema import getFieldsInOrder

from waeup.kofa.conversion import plan_fields
from waeup.kofa.exporting.base import ExporterBase, once, released
from waeup.kofa.exporting.cells import (
    Render,
    compile_cell,
    compile_computed,
    compile_mangled,
    compile_row,
)
from waeup.kofa.exporting.filters import filter_schema, has_cells, matching
from waeup.kofa.importing.declaring import declarations_of, exported_columns
from waeup.kofa.importing.hooks import default, overridden, undefined
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.parts import mark_parts, part_columns, part_getters
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.rights import EXPORT_DATA, IMPORT_DATA


class KindExporter(ExporterBase, grok.GlobalUtility):
    """Exports the objects that a processor imports.

    A subclass says how the processor is called (`processor`), which objects there are
    (`objects`), and how one is found by a key (`find`).  `left_out` are columns of an import that
    say nothing about an object, `last` are those that come behind the others.  `filled` are the
    fields in which a new object has something else than their defaults.  `is_kept` says that the
    rows of removed objects are kept.  A subclass with `fields` of its own has these columns and
    no others, as in Kofa 1.9.
    """

    grok.baseclass()
    grok.provides(ICSVExporter)

    processor: ClassVar[str] = ""
    left_out: ClassVar[tuple[str, ...]] = ()
    last: ClassVar[tuple[str, ...]] = ()
    filled: ClassVar[tuple[str, ...]] = ()
    is_kept: ClassVar[bool] = True
    quoting = csv.QUOTE_ALL

    #: What was compiled for the columns; None in a utility, which outlives vocabularies.
    _compiled: dict[tuple[str, bool], Render] | None = None

    # -- what there is to say about the kind ----------------------------------

    @property
    def declared(self) -> Any:
        """The processor of the kind."""
        return getUtility(IBatchProcessor, name=self.processor)

    @property
    def iface(self) -> Any:
        """The schema that the objects provide."""
        return self.declared.iface

    @property
    def object_iface(self) -> Any:
        """The schema of the objects, where that of their rows, `iface`, has more columns."""
        own: Any = type(self).iface
        if own is not KindExporter.iface:
            return self.iface
        return getattr(self.declared, "object_iface", self.iface)

    @property
    def permission(self) -> str:  # type: ignore[override]
        """See `ICSVExporter`: that of imports of the kind, if it is one of its own."""
        permission: str = self.declared.permission
        return EXPORT_DATA if permission == IMPORT_DATA else permission

    @property
    def all_fields(self) -> tuple[str, ...]:
        """All columns, also those with secrets."""
        is_own = type(self).fields is not KindExporter.fields
        return tuple(self.fields) if is_own else self._derived

    @property
    def kept_fields(self) -> tuple[str, ...]:
        """All columns that an import takes, those that bring an object back."""
        computed = exported_columns(self.declared)
        return tuple(name for name in self.all_fields if name not in computed)

    @property
    def fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """See `ICSVExporter`."""
        secrets = secret_names(self.iface)
        return tuple(name for name in self._derived if name not in secrets)

    @property
    def secret_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """See `ICSVExporter`."""
        secrets = secret_names(self.iface)
        return tuple(name for name in self.all_fields if name in secrets)

    @cached_property
    def _derived(self) -> tuple[str, ...]:
        """The columns of an import: first what says where an object is."""
        processor = self.declared
        fields = dict(getFieldsInOrder(processor.iface))
        # A schema may have fields that no table can give.
        available = [
            name
            for name in processor.available_fields
            if name not in fields or has_cells(fields[name])
        ]
        schema = [name for name in fields if name in available]
        others = [name for name in available if name not in schema]
        names = dict.fromkeys([*processor.location_fields, *others, *schema])
        inner = [name for name in names if name not in (*self.left_out, *self.last)]
        last = [name for name in self.last if name in names]
        computed = [each.column for each in declarations_of(processor).columns]
        return (*inner, *last, *(name for name in computed if name not in self.left_out))

    @cached_property
    def filters(self) -> Any:  # type: ignore[override]
        """See `ICSVExporter`: the columns by which objects can be told apart."""
        known = set(self.declared.available_fields) - part_columns(self.declared)
        columns = [
            name for name in self.fields if name in known and name not in self.secret_fields
        ]
        own = {
            each.name: (each.field, getattr(self.declared, each.name))
            for each in declarations_of(self.declared).filters
        }
        return filter_schema(type(self).__name__, self.iface, columns, own)

    def backup_folder(self, obj: Any) -> str | None:
        """Return the folder of the storage that keeps the row of a removed object, or None."""
        return "deleted" if self.is_kept else None

    # -- which objects ----------------------------------------------------------

    def objects(self, site: Any) -> Iterable[Any]:
        """Return all objects of the kind, if possible without loading them."""
        raise undefined(self, "objects(site)", "returns all objects of the kind")

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """Return the objects that `key`, a value in one of `key_fields`, stands for."""
        raise undefined(self, "find(site, key)", "returns the objects that a key stands for")

    def count(self, site: Any) -> int | None:
        """See `ICSVExporter`."""
        number: int | None = self.declared.countEntries(site)
        return number

    @default
    def get_filtered(self, site: Any, **kw: Any) -> Iterator[Any]:
        """See `ICSVExporter`."""
        return matching(self.objects(site), kw, self.filters)

    @default
    def get_selected(self, site: Any, selected: Iterable[str]) -> Iterator[Any]:
        """See `ICSVExporter`."""
        return once(obj for key in dict.fromkeys(selected) for obj in self.find(site, key))

    # -- cells ------------------------------------------------------------------

    def prepared(self, safe: bool) -> "KindExporter":
        """See `ExporterBase`; vocabularies are read once for each column, and only now."""
        if self._compiled is not None and self.safe_cells == safe:
            return self
        found: Any = super().prepared(safe)
        found._compiled = {}
        return found  # type: ignore[no-any-return]

    @default
    def mangle_value(self, value: Any, name: str, context: Any = None) -> str:
        """See `ICSVExporter`; without an override cells are made by `row_maker`."""
        return self._renders([name], self.safe_cells)[0](value)

    def row_maker(
        self, columns: Sequence[str], safe: bool | None = None
    ) -> Callable[[Any], list[str]]:
        """Return the function that gives the cells of an object; make it once for an export.

        `safe` overrides `safe_cells`.
        """
        exporter = self.prepared(self.safe_cells if safe is None else safe)
        cells = exporter._cells(columns)
        return mark_parts(self.declared, columns, cells) if exporter.safe_cells else cells

    def _cells(self, columns: Sequence[str]) -> Callable[[Any], list[str]]:
        getters = self._getters(columns)
        if overridden(self, "mangle_value"):
            found = [(name, getters.get(name) or partial(_attribute, name)) for name in columns]
            return compile_mangled(found, self.mangle_value, self.safe_cells)
        return compile_row(columns, self._renders(columns, self.safe_cells), getters)

    @default
    def write_item(self, obj: Any, writer: csv.DictWriter) -> None:
        """See `ICSVExporter`; a site that overrides it may call it."""
        names = list(writer.fieldnames)
        writer.writerow(dict(zip(names, self.row_maker(names)(obj), strict=True)))

    def write_items(self, iterable: Iterable[Any], writer: csv.DictWriter) -> None:
        """See `ICSVExporter`."""
        if overridden(self, "write_item") or type(writer) is not csv.DictWriter:
            ExporterBase.write_items(self.prepared(self.safe_cells), iterable, writer)
            return
        cells, write = self.row_maker(list(writer.fieldnames)), writer.writer.writerow
        for obj in released(iterable):
            write(cells(obj))

    def _getters(self, columns: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
        """Return what gives the values of those columns that are no attributes of an object."""
        processor = self.declared
        getters = {
            each.column: getattr(processor, each.name)
            for each in declarations_of(processor).columns
            if each.column in columns
        }
        return {**getters, **part_getters(processor, columns)}

    def _renders(self, columns: Sequence[str], safe: bool) -> list[Render]:
        """Return what makes the cells of the columns; in a prepared exporter it is kept."""
        known = {} if self._compiled is None else self._compiled
        new = [name for name in columns if (name, safe) not in known]
        if new:
            schema = self.iface
            plans = plan_fields(schema, [name for name in new if name in schema], grok.getSite())
            computed = exported_columns(self.declared)
            for name in new:
                known[name, safe] = (
                    compile_computed(safe)
                    if name in computed
                    else compile_cell(plans.get(name), safe, is_filled=name in self.filled)
                )
        return [known[name, safe] for name in columns]


def _attribute(name: str, obj: Any) -> Any:
    return getattr(obj, name, None)


class ContainerExporter(KindExporter):
    """Exports the objects of one container: the counterpart of `ContainerProcessor`.

    One is registered for each such processor with a container, under the last name of that
    container, unless there is another exporter of that name.
    """

    grok.baseclass()

    def __init__(self, kind: type[ContainerProcessor]) -> None:
        self.processor = kind.util_name  # type: ignore[misc]
        self.title = kind.container.rpartition("/")[2].replace("_", " ").capitalize()
        self.key_fields = (kind.key,)

    def objects(self, site: Any) -> Iterable[Any]:
        """See `KindExporter`."""
        parent = self.declared.getParent({}, site)
        return () if parent is None else parent.values()

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """See `KindExporter`."""
        parent = self.declared.getParent({}, site)
        found = None if parent is None else parent.get(key)
        return () if found is None else (found,)
