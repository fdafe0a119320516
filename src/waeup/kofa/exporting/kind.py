"""Exporters of kinds: columns, cells and filters come from what an import of the kind declares.

So the columns of an export are those of an import, and what was exported imports back unchanged.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import grok
from zope.component import getUtility
from zope.schema import getFieldNamesInOrder

from waeup.kofa.conversion import plan_fields
from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.exporting.cells import Render, compile_cell, compile_row
from waeup.kofa.exporting.filters import filter_schema, matching
from waeup.kofa.importing.hooks import default, overridden
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter

#: The permission of imports and of exports, unless a kind asks for one of its own.
_IMPORT, _EXPORT = "waeup.importData", "waeup.exportData"


class KindExporter(ExporterBase, grok.GlobalUtility):
    """Exports the objects that a processor imports.

    A subclass says how the processor is called (`processor`), which objects there are
    (`objects`), and how one is found by a key (`find`).  `left_out` are columns of an import that
    say nothing about an object, `last` are those that come behind the others.  `filled` are the
    fields in which a new object has something else than their defaults.  `is_kept` says that the
    rows of removed objects are kept.
    """

    grok.baseclass()
    grok.provides(ICSVExporter)

    processor: ClassVar[str] = ""
    left_out: ClassVar[tuple[str, ...]] = ()
    last: ClassVar[tuple[str, ...]] = ()
    filled: ClassVar[tuple[str, ...]] = ()
    is_kept: ClassVar[bool] = True
    quoting = csv.QUOTE_ALL

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
    def permission(self) -> str:  # type: ignore[override]
        """See `ICSVExporter`: that of imports of the kind, if it is one of its own."""
        permission: str = self.declared.permission
        return _EXPORT if permission == _IMPORT else permission

    @cached_property
    def all_fields(self) -> tuple[str, ...]:
        """All columns, also those with secrets: first what says where an object is."""
        processor = self.declared
        available = processor.available_fields
        schema = [name for name in getFieldNamesInOrder(processor.iface) if name in available]
        others = [name for name in available if name not in schema]
        names = dict.fromkeys([*processor.location_fields, *others, *schema])
        inner = [name for name in names if name not in (*self.left_out, *self.last)]
        return (*inner, *(name for name in self.last if name in names))

    @property
    def fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """See `ICSVExporter`."""
        return tuple(name for name in self.all_fields if name not in self.secret_fields)

    @property
    def secret_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """See `ICSVExporter`."""
        secrets = secret_names(self.iface)
        return tuple(name for name in self.all_fields if name in secrets)

    @cached_property
    def filters(self) -> Any:  # type: ignore[override]
        """See `ICSVExporter`: the columns by which objects can be told apart."""
        return filter_schema(type(self).__name__, self.iface, self.fields)

    def backup_folder(self, obj: Any) -> str | None:
        """Return the folder of the storage that keeps the row of a removed object, or None."""
        return "deleted" if self.is_kept else None

    # -- which objects ----------------------------------------------------------

    def objects(self, site: Any) -> Iterable[Any]:
        """Return all objects of the kind, if possible without loading them."""
        raise NotImplementedError("method not implemented")

    def find(self, site: Any, key: str) -> Iterable[Any]:
        """Return the objects that `key`, a value in one of `key_fields`, stands for."""
        raise NotImplementedError("method not implemented")

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
        return (obj for key in dict.fromkeys(selected) for obj in self.find(site, key))

    # -- cells ------------------------------------------------------------------

    @default
    def mangle_value(self, value: Any, name: str, context: Any = None) -> str:
        """See `ICSVExporter`; without an override cells are made by `row_maker`."""
        return self._renders([name], self.safe_cells)[0](value)

    def row_maker(
        self, columns: Sequence[str], safe: bool | None = None
    ) -> Callable[[Any], list[str]]:
        """Return the function that gives the cells of an object; make it once for an export.

        `safe` overrides `safe_cells`.  Vocabularies are read now, and only now.
        """
        safe = self.safe_cells if safe is None else safe
        if overridden(self, "mangle_value"):
            return lambda obj: [
                self.mangle_value(getattr(obj, name, None), name, obj) for name in columns
            ]
        return compile_row(columns, self._renders(columns, safe))

    @default
    def write_item(self, obj: Any, writer: csv.DictWriter) -> None:
        """See `ICSVExporter`."""
        self.write_items([obj], writer)

    def write_items(self, iterable: Iterable[Any], writer: csv.DictWriter) -> None:
        """See `ICSVExporter`."""
        if overridden(self, "write_item"):
            super().write_items(iterable, writer)
            return
        cells, write = self.row_maker(self.fields), writer.writer.writerow
        for obj in iterable:
            write(cells(obj))

    def _renders(self, columns: Sequence[str], safe: bool) -> list[Render]:
        schema = self.iface
        plans = plan_fields(schema, [name for name in columns if name in schema], grok.getSite())
        return [
            compile_cell(plans.get(name), safe, is_filled=name in self.filled) for name in columns
        ]


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
