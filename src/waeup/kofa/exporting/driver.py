"""Carries out an export: objects stream through their exporter into a file.

Works in the caller's transaction, whose view of the database stays the same to the end, and
writes nothing to it.  Objects are let go of while others are read: a million take the memory of a
few hundred.
"""

import csv
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import islice
from operator import itemgetter
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from zope import schema
from zope.component import getUtilitiesFor, queryUtility
from zope.schema import getFields

from waeup.kofa.conversion import converter_for
from waeup.kofa.conversion.converters import own_converter
from waeup.kofa.conversion.wording import listing, shown
from waeup.kofa.errors import KofaError, MappingError, NoSuchItem, Refused, TooLarge
from waeup.kofa.exporting.base import STEP, completed, once
from waeup.kofa.exporting.cells import CellError, foreign_cell
from waeup.kofa.exporting.filters import convert, matching
from waeup.kofa.exporting.formats import MOST_SHEET_ROWS, Column, Form, Sink, open_sink
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.exporting.sinks import UnfitCell
from waeup.kofa.exporting.wish import Outcome, Wish
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.hooks import is_fault, overridden, row_error
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.tabular import open_table

#: Takes the number of rows so far and the part that is done (0 to 1; 0 where nobody can say).
Tell = Callable[[int, float], None]

#: Whose month could be taken for its day.
_A_DAY = date(2001, 2, 3)
_WHOLE = ("export", "export_all", "export_filtered", "export_selected", "get_csv_writer")


def all_exporters() -> list[tuple[str, Any]]:
    """Return names and exporters, sorted by name; each has all that an exporter has."""
    return [
        (name, completed(one))
        for name, one in sorted(getUtilitiesFor(ICSVExporter), key=itemgetter(0))
    ]


def find_exporter(name: str) -> Any:
    """Return the exporter of that name; raises `NoSuchItem`."""
    exporter = queryUtility(ICSVExporter, name=name)
    if exporter is None:
        names = [known for known, _ in all_exporters()]
        raise NoSuchItem(
            _(
                "There is no exporter ${name}. There are: ${names}.",
                mapping={"name": repr(name), "names": listing(names)},
            )
        )
    return completed(exporter)


class Export:
    """One export of `site`, as `wish` says.

    Raises `NoSuchItem` and `Refused`, also `TooLarge`, for what cannot be exported so; then
    nothing has been written.
    """

    def __init__(self, wish: Wish, site: Any) -> None:
        self.wish = wish
        self.site = site
        exporter = find_exporter(wish.exporter)
        exporter = exporter.prepared(wish.safe and exporter.safe_cells)
        self.exporter = exporter
        self.form = Form.of(
            wish.format,
            wish.packing,
            mark=wish.mark,
            quote_all=exporter.quoting == csv.QUOTE_ALL,
        )
        self.columns = columns_of(exporter, secrets=wish.secrets)
        self._values = convert(exporter.filters, wish.filters, site)
        self._unknown: list[str] = []
        self._require_sense()

    @property
    def filename(self) -> str:
        """What a file with the result is called."""
        return f"{self.wish.exporter}{self.form.extension}"

    @property
    def is_whole(self) -> bool:
        """Whether all objects are wanted."""
        return not self._values and self.wish.keys is None

    def require_room(self, tell: Tell | None = None, *, may_look: bool = True) -> None:
        """Raise `TooLarge` when a sheet cannot hold all rows, as far as that can be known.

        That may take a look at each object, of which `tell` is called now and then; without
        `may_look` only what is known at once counts.
        """
        if self.form.format != "xlsx":
            return
        number = self.exporter.count(self.site)
        if number is not None and number <= MOST_SHEET_ROWS:
            return
        if not self.is_whole or number is None:
            if not (may_look and self._is_kind("get_filtered")):
                return
            told = None if tell is None else lambda visited: tell(0, 0.0)
            number = sum(1 for _ in islice(self._objects(told), MOST_SHEET_ROWS + 1))
        if number > MOST_SHEET_ROWS:
            raise TooLarge(
                _(
                    "A sheet holds ${most_sheet_rows} rows below its header, and there are "
                    "more objects. Export them as CSV, or choose fewer by a filter.",
                    mapping={"most_sheet_rows": Number(MOST_SHEET_ROWS)},
                )
            )

    def write(
        self, stream: BinaryIO, tell: Tell | None = None, folder: str | None = None
    ) -> Outcome:
        """Write the table to `stream`, which need not be seekable and stays open.

        `tell` is called now and then, and may raise to end the work.  `folder` is for temporary
        files (default: where the system has its own).
        """
        began = time.monotonic()
        self._unknown.clear()
        name = f"{self.wish.exporter}.{self.form.format}"
        with open_sink(stream, self.columns, self.form, name, folder) as sink:
            if self._is_whole_own():
                rows = self._write_whole(sink, tell, folder)
            else:
                rows = self._write_rows(sink, tell)
        return Outcome(rows, tuple(self._unknown), time.monotonic() - began)

    # -- rows -------------------------------------------------------------------

    def _write_rows(self, sink: Sink, tell: Tell | None) -> int:
        names = [column.name for column in self.columns]
        exporter, number = self.exporter, 0
        write = sink.write

        def told(visited: int) -> None:
            if tell is not None:
                tell(number, min(visited / total, 1.0) if total else 0.0)

        total = len(self.wish.keys) if self.wish.keys is not None else exporter.count(self.site)
        objects = self._objects(told)
        if not self._is_kind("write_item"):
            writer = _Picking(write, names, exporter.safe_cells)
            for obj in objects:
                try:
                    exporter.write_item(obj, writer)
                except Exception as error:
                    raise self._failed(obj, number, error) from error
                number = writer.rows
            return number
        cells = exporter.row_maker(names)
        for obj in objects:
            try:
                write(cells(obj))
            except Exception as error:
                raise self._failed(obj, number, error) from error
            number += 1
        return number

    def _failed(self, obj: Any, number: int, error: Exception) -> Exception:
        """Return what tells a person that an object cannot be exported, behind `number` rows."""
        if isinstance(error, UnfitCell):
            return type(error)(
                _(
                    "${error} That is row ${number}, ${named}. Correct that object, or choose "
                    "others by a filter or by keys.",
                    mapping={
                        "error": error.message,
                        "number": Number(number + 1),
                        "named": self._named(obj),
                    },
                )
            )
        if isinstance(error, KofaError) or is_fault(error):
            return error
        return Refused(
            _(
                "The export of ${title} has stopped at row ${number}, ${named}: ${error} "
                "Correct that object, or choose others by a filter or by keys.",
                mapping={
                    "title": self.exporter.title,
                    "number": Number(number + 1),
                    "named": self._named(obj),
                    "error": _told(error),
                },
            )
        )

    def _named(self, obj: Any) -> str:
        """Return how a person finds an object."""
        words: dict[str, Any] = {}
        for name in (*self.exporter.key_fields, "__name__"):
            # What is wrong with the object may be wrong with these, too.
            with suppress(Exception):
                value = getattr(obj, name, None)
                if value is not None and value not in words.values():
                    words[name] = value
        texts = [
            shown(str(value)) if name == "__name__" else f"{name} {shown(str(value))}"
            for name, value in words.items()
        ]
        return ", ".join(texts) or f"an object of the class {type(obj).__name__}"

    def _objects(self, told: Callable[[int], None] | None) -> Iterator[Any]:
        """Generate the objects that are wanted."""
        exporter, site, values = self.exporter, self.site, self._values
        if self.wish.keys is not None:
            selected = self._visited(self._selected(), told)
            return matching(selected, values, exporter.filters) if values else selected
        if self._is_kind("get_filtered"):
            every = self._visited(exporter.objects(site), told)
            return matching(every, values, exporter.filters)
        return self._visited(exporter.get_filtered(site, **values), told)

    def _selected(self) -> Iterable[Any]:
        """Return the objects of the keys that are wanted."""
        keys = list(dict.fromkeys(self.wish.keys or ()))
        if not self._is_kind("get_selected"):
            objects: Iterable[Any] = self.exporter.get_selected(self.site, keys)
            return objects
        return once(self._found(keys))

    def _found(self, keys: Iterable[str]) -> Iterator[Any]:
        """Generate the objects of `keys`, and remember which have none."""
        for key in keys:
            is_known = False
            for obj in self.exporter.find(self.site, key):
                is_known = True
                yield obj
            if not is_known:
                self._unknown.append(key)

    def _visited(
        self, objects: Iterable[Any], told: Callable[[int], None] | None
    ) -> Iterator[Any]:
        """Generate `objects`; let go of those that are done with, and tell how far it is."""
        connection = getattr(self.site, "_p_jar", None)
        for number, obj in enumerate(objects):
            if number % STEP == 0:
                if connection is not None:
                    connection.cacheGC()
                if told is not None:
                    told(number)
            yield obj

    # -- exporters of sites -------------------------------------------------------

    def _is_kind(self, hook: str) -> bool:
        """Tell whether the exporter is one of a kind, and `hook` is that of the base."""
        return isinstance(self.exporter, KindExporter) and not overridden(self.exporter, hook)

    def _is_whole_own(self) -> bool:
        """Tell whether a site writes whole tables in a way of its own."""
        return any(overridden(self.exporter, name) for name in _WHOLE)

    def _write_whole(self, sink: Sink, tell: Tell | None, scratch: str | None) -> int:
        """Let the exporter write its table, and take the columns that are wanted from it."""
        exporter, site = self.exporter, self.site
        names = [column.name for column in self.columns]
        with TemporaryDirectory(prefix="kofa-export-", dir=scratch) as folder:
            path = os.path.join(folder, "table.csv")
            if self.wish.keys is not None:
                exporter.export_selected(site, filepath=path, selected=list(self.wish.keys))
            elif self._values:
                exporter.export_filtered(site, filepath=path, **self._values)
            else:
                exporter.export_all(site, filepath=path)
            with open_table(path, own=True, rows_required=False) as table:
                writer = _Picking(sink.write, names, exporter.safe_cells)
                for row in table:
                    if row.problem is not None:
                        raise Refused(
                            _(
                                "What the exporter of ${title} has written is no sound table, "
                                "line ${line}: ${message} Tell its developer.",
                                mapping={
                                    "title": exporter.title,
                                    "line": row.line,
                                    "message": row.problem.message,
                                },
                            )
                        )
                    writer.writerow(dict(zip(table.header, row.values, strict=True)))
                    if tell is not None and writer.rows % STEP == 0:
                        tell(writer.rows, 0.0)
        return writer.rows

    def _require_sense(self) -> None:
        """Raise `Refused` for what the exporter cannot do."""
        wish, exporter = self.wish, self.exporter
        if wish.secrets and not set(exporter.secret_fields) & set(names_of(exporter)):
            raise Refused(
                _(
                    "The export of ${title} has no passwords. Order it without them.",
                    mapping={"title": exporter.title},
                )
            )
        if wish.keys is None:
            return
        if not wish.keys:
            raise Refused(_("The list of keys is empty. Name at least one key, or export all."))
        if self._values and not self._is_kind("get_selected"):
            raise Refused(
                _(
                    "The export of ${title} takes filters or keys, not both. Leave one out.",
                    mapping={"title": exporter.title},
                )
            )


def _told(error: Exception) -> str:
    """Return what an exception says, and of which column it is told."""
    if isinstance(error, CellError):
        text = f"column {error.column!r}: {row_error(error.error)}"
    else:
        text = row_error(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."


class _Picking:
    """What `write_item` of a site is given as writer: rows are dicts of columns and cells.

    With `safe`, texts are guarded that the site has not guarded itself.
    """

    def __init__(
        self, write: Callable[[Sequence[str]], object], names: Sequence[str], safe: bool
    ) -> None:
        self.fieldnames = list(names)
        self.rows = 0
        self._write = write
        self._safe = safe

    def writerow(self, row: Mapping[str, Any]) -> None:
        """Write the cells of the columns that are wanted."""
        self._write([foreign_cell(row.get(name), self._safe) for name in self.fieldnames])
        self.rows += 1

    def writerows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write several rows."""
        for row in rows:
            self.writerow(row)


def names_of(exporter: Any) -> tuple[str, ...]:
    """Return the names of all columns, also those with secrets."""
    return tuple(getattr(exporter, "all_fields", exporter.fields))


def columns_of(exporter: Any, *, secrets: bool = False) -> list[Column]:
    """Return the columns of an export, and what a workbook makes of their cells."""
    iface = getattr(exporter, "iface", None)
    fields = {} if iface is None else getFields(iface)
    return [
        Column(name, _kind_of(fields.get(name)))
        for name in names_of(exporter)
        if secrets or name not in exporter.secret_fields
    ]


def _kind_of(field: Any) -> str:
    if field is not None and own_converter(field) is not None:
        # What a kind writes for a number may be no number.
        return "text"
    if isinstance(field, schema.Int | schema.Bool):
        return "integer"
    if isinstance(field, schema.Float):
        return "number"
    if isinstance(field, schema.Decimal):
        return "decimal"
    if isinstance(field, schema.Date):
        # A form of its own may mean another day than it seems.
        return "date" if converter_for(field).render(_A_DAY) == f"{_A_DAY}#" else "text"
    if isinstance(field, schema.Choice):
        try:
            return "text" if converter_for(field).text else "integer"
        except (MappingError, AttributeError):
            # Its vocabulary is known only where it is bound.
            return "text"
    return "text"
