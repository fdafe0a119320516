"""The base of all exporters, with the contract of Kofa 1.9."""

import copy
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from zope.interface import implementer

from waeup.kofa.conversion import render_value
from waeup.kofa.importing.hooks import default, undefined
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.rights import EXPORT_DATA

#: Objects between two looks at the cache of the database.
STEP = 200


def released(objects: Iterable[Any]) -> Iterator[Any]:
    """Generate `objects` of a database; let go of those that are done with.

    Within one transaction a database keeps whatever was loaded; a million would need its memory.
    """
    for number, obj in enumerate(objects):
        if number % STEP == 0:
            connection = getattr(obj, "_p_jar", None)
            if connection is not None:
                connection.cacheGC()
        yield obj


def once(objects: Iterable[Any]) -> Iterator[Any]:
    """Generate each of `objects` once, however many keys have named it."""
    seen: dict[Any, Any] = {}
    for obj in objects:
        oid = getattr(obj, "_p_oid", None)
        mark = id(obj) if oid is None else oid
        if mark not in seen:
            # An id is that of one object only as long as this one is held.
            seen[mark] = obj if oid is None else None
            yield obj


@implementer(ICSVExporter)
class ExporterBase:
    """See `ICSVExporter`.

    Files are UTF-8 with CRLF line ends.  `safe_cells` says that texts which a
    spreadsheet would evaluate are guarded (`waeup.kofa.conversion.guard`), `quoting`
    which cells are quoted, as a constant of the module csv.
    """

    fields: Any = ("code", "title", "title_prefix")
    title: str = "Override this title"
    permission: str = EXPORT_DATA
    secret_fields: tuple[str, ...] = ("password",)
    key_fields: tuple[str, ...] = ()
    filters: Any = None
    safe_cells: bool = True
    quoting: int = csv.QUOTE_MINIMAL

    def prepared(self, safe: bool) -> "ExporterBase":
        """Return an exporter for one export, in which texts are guarded only with `safe`.

        Utilities are shared, and stay as they are.
        """
        found = copy.copy(self)
        found.safe_cells = safe
        return found

    def mangle_value(self, value: Any, name: str, context: Any = None) -> str:
        """Return the text of the cell `name` of the object `context`.

        To be overridden for columns that are no plain attributes.
        """
        return render_value(value, safe=self.safe_cells)

    @default
    def get_csv_writer(self, filepath: str | None = None) -> tuple[csv.DictWriter, TextIO]:
        """Return ``(writer, outfile)`` with the header already written.

        Without `filepath` the rows are kept in memory.  `close_outfile` ends it.
        """
        outfile: TextIO
        if filepath is None:
            outfile = io.StringIO(newline="")
        else:
            outfile = open(filepath, "w", encoding="utf-8", newline="")  # noqa: SIM115
        quoting: Any = self.quoting
        writer = csv.DictWriter(outfile, self.fields, quoting=quoting)
        writer.writeheader()
        return writer, outfile

    @default
    def write_item(self, obj: Any, writer: csv.DictWriter) -> None:
        """Write the row of `obj`; an attribute that it does not have is None."""
        writer.writerow(
            {name: self.mangle_value(getattr(obj, name, None), name, obj) for name in self.fields}
        )

    @default
    def close_outfile(self, filepath: str | None, outfile: TextIO) -> str | None:
        """Close `outfile`; return its text when it was kept in memory."""
        text = outfile.getvalue() if isinstance(outfile, io.StringIO) else None
        outfile.close()
        return text

    def count(self, site: Any) -> int | None:
        """See `ICSVExporter`; None where nobody has said how to count."""
        return None

    @default
    def get_filtered(self, site: Any, **kw: Any) -> Iterable[Any]:
        """Return the objects of `site` that fit the keywords; without any, all."""
        raise undefined(
            self, "get_filtered(site, **filters)", "returns the objects that are wanted"
        )

    def get_selected(self, site: Any, selected: Iterable[str]) -> Iterable[Any]:
        """Return the objects of `site` that have one of the ids `selected`."""
        raise undefined(
            self, "get_selected(site, selected)", "returns the objects that have these keys"
        )

    @default
    def export(self, iterable: Iterable[Any], filepath: str | None = None) -> str | None:
        """Write the objects of `iterable`; return the text when there is no `filepath`."""
        writer, outfile = self.get_csv_writer(filepath)
        try:
            self.write_items(iterable, writer)
        except BaseException:
            outfile.close()
            raise
        return self.close_outfile(filepath, outfile)

    def write_items(self, iterable: Iterable[Any], writer: csv.DictWriter) -> None:
        """Write the rows of the objects of `iterable`."""
        for obj in released(iterable):
            self.write_item(obj, writer)

    @default
    def export_all(self, site: Any, filepath: str | None = None) -> str | None:
        """Write all objects of `site`."""
        return self.export(self.get_filtered(site), filepath)

    @default
    def export_filtered(self, site: Any, filepath: str | None = None, **kw: Any) -> str | None:
        """Write the objects of `site` that fit the keywords."""
        return self.export(self.get_filtered(site, **kw), filepath)

    @default
    def export_selected(self, site: Any, filepath: str | None = None, **kw: Any) -> str | None:
        """Write the objects of `site` whose ids are in the keyword `selected`."""
        return self.export(self.get_selected(site, kw.get("selected") or []), filepath)


class _Foreign(ExporterBase):
    """An exporter that does not inherit from the base: what it lacks is that of the base."""

    def __init__(self, exporter: Any) -> None:
        for name in dir(ExporterBase):
            if not name.startswith("_") and hasattr(exporter, name):
                self.__dict__[name] = getattr(exporter, name)


def completed(exporter: Any) -> ExporterBase:
    """Return `exporter`, a utility that a site has registered, with all that an exporter has."""
    return exporter if isinstance(exporter, ExporterBase) else _Foreign(exporter)
