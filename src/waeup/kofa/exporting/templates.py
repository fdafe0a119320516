"""Empty tables for a kind of objects: what an officer fills in and uploads.

The counterpart of a processor: everything is derived from what it says about its columns, and
what a template calls an example has been through the converters of an import.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from zope.schema import getFields

from waeup.kofa.conversion import explain, guard
from waeup.kofa.errors import Refused
from waeup.kofa.exporting.sheets import (
    DATE_FORMAT,
    MOST_CELL_CHARACTERS,
    MOST_SHEET_ROWS,
    TEXT_FORMAT,
    close_workbook,
    default_width,
    open_workbook,
    sheet_name,
    unfit,
)
from waeup.kofa.exporting.sinks import Column
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.tabular.unpacking.wording import NOTES_HEADER

__all__ = ["FORMATS", "NOTES", "ColumnNote", "notes_of", "template"]

FORMATS = ("csv", "tsv", "xlsx")
#: Name of the sheet that says what the columns are.
NOTES = "Columns"
#: Allowed values that are listed.
MOST_ALLOWED = 200
#: Characters of a list that Excel offers in a cell.
MOST_LISTED = 255
#: What stands out, in the colours of the pages.
_FILL = "#DCE9F5"

#: How wide the columns of the notes are.
_NOTE_WIDTHS = (24, 28, 34, 18, 48, 26, 60)


@dataclass(frozen=True)
class ColumnNote:
    """What a person should know about a column.

    `kind` is its type in plain words, `required` are the modes of an import that need it.
    `allowed` are token and title of all values that there are, empty where there are no bounds.
    `example` is a cell that an import accepts, or empty where none was found; that of a password
    is empty, lest it be taken.
    """

    name: str
    title: str = ""
    kind: str = "text"
    required: tuple[str, ...] = ()
    allowed: tuple[tuple[str, str], ...] = ()
    example: str = ""
    description: str = ""


def template(
    processor: Any,
    format: str = "csv",  # noqa: A002 - the word for it everywhere
    context: Any = None,
) -> tuple[str, bytes]:
    """Return name and content of the empty table for `processor`, an `IBatchProcessor`.

    `context` is what vocabularies are bound to (the site).  Raises `Refused` for a format that is
    not one of `FORMATS`.
    """
    if format not in FORMATS:
        raise Refused(
            _(
                "There is no format ${format} for templates. There are: ${formats}.",
                mapping={"format": repr(format), "formats": ", ".join(FORMATS)},
            )
        )
    if format == "csv":
        return processor.template_name, processor.get_csv_skeleton().encode("utf-8")
    stem = os.path.splitext(processor.template_name)[0]
    if format == "tsv":
        return f"{stem}.tsv", _with_tabs(processor.get_csv_skeleton()).encode("utf-8")
    return f"{stem}.{format}", _workbook(processor, stem, context)


def _with_tabs(text: str) -> str:
    """Return a table with commas as one with tabs."""
    paper = io.StringIO()
    csv.writer(paper, "excel-tab").writerows(csv.reader(io.StringIO(text)))
    return paper.getvalue()


def notes_of(processor: Any, context: Any = None) -> list[ColumnNote]:
    """Describe the columns of `processor`, in the order of its templates."""
    fields = getFields(processor.iface)
    return [
        _note(name, fields.get(name), processor, context) for name in processor.available_fields
    ]


# -- notes -----------------------------------------------------------------------


def _note(name: str, field: Any, processor: Any, context: Any) -> ColumnNote:
    required = tuple(mode for mode in processor.modes if name in processor.req[mode])
    if field is None:
        return ColumnNote(name, required=required)
    words = explain(field, context)
    return ColumnNote(
        name,
        english(words.title),
        english(words.kind),
        required,
        tuple((token, english(title)) for token, title in words.allowed),
        words.example,
        english(words.description),
    )


# -- the workbook ------------------------------------------------------------------


def _workbook(processor: Any, stem: str, context: Any) -> bytes:
    notes = notes_of(processor, context)
    with TemporaryDirectory(prefix="kofa-xlsx-") as folder:
        path = os.path.join(folder, "template.xlsx")
        book = open_workbook(path, folder)
        try:
            _write_table(book, sheet_name(stem), notes, _needed(processor))
            _write_notes(book, notes)
        except BaseException:
            for sheet in book.worksheets():
                sheet.row_data_fh.close()
            raise
        close_workbook(book)
        with open(path, "rb") as stream:
            return stream.read()


def _needed(processor: Any) -> frozenset[str]:
    """Return the columns that a new object needs, or whatever the processor does instead."""
    return frozenset(processor.req[processor.modes[0]]) if processor.modes else frozenset()


def _write_table(book: Any, name: str, notes: list[ColumnNote], needed: frozenset[str]) -> None:
    """Write the sheet that is filled in."""
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    plain = book.add_format({"num_format": TEXT_FORMAT})
    marked = book.add_format({"num_format": TEXT_FORMAT, "bold": True, "bg_color": _FILL})
    shapes = {"date": book.add_format({"num_format": DATE_FORMAT}), "number": None}
    for column, note in enumerate(notes):
        sheet.set_column(
            column, column, default_width(Column(note.name)), shapes.get(_shape(note), plain)
        )
        sheet.write_string(0, column, note.name, marked if note.name in needed else plain)
        values = [token for token, _title in note.allowed]
        if _can_be_offered(values) and not note.kind.startswith("list"):
            sheet.data_validation(
                1,
                column,
                MOST_SHEET_ROWS,
                column,
                {
                    "validate": "list",
                    "source": values,
                    # Other cells may be meant: titles, or markers such as XXX.
                    "error_type": "warning",
                    "error_title": note.name[:32],
                    "error_message": f'See the sheet "{NOTES}" for the allowed values.',
                },
            )


def _shape(note: ColumnNote) -> str:
    if note.kind.startswith(("whole number", "number")):
        return "number"
    return "date" if note.kind.split(",")[0] == "date" else "text"


def _can_be_offered(values: list[str]) -> bool:
    """Tell whether Excel can offer `values` in a cell."""
    text = ",".join(values)
    return (
        0 < len(text) <= MOST_LISTED
        and text.count(",") == len(values) - 1
        and '"' not in text
        and all(value and guard(value) == value and not unfit(value) for value in values)
    )


def _write_notes(book: Any, notes: list[ColumnNote]) -> None:
    """Write the sheet that says what the columns are."""
    sheet = book.add_worksheet(NOTES)
    sheet.freeze_panes(1, 1)
    head = book.add_format({"bold": True, "bg_color": _FILL, "num_format": TEXT_FORMAT})
    cell = book.add_format({"text_wrap": True, "valign": "top", "num_format": TEXT_FORMAT})
    for column, (title, width) in enumerate(zip(NOTES_HEADER, _NOTE_WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, title, head)
    for row, note in enumerate(notes, 1):
        texts = (
            note.name,
            note.title,
            note.kind,
            ", ".join(note.required),
            _listed(note.allowed),
            note.example,
            note.description,
        )
        for column, text in enumerate(texts):
            sheet.write_string(row, column, _fit(text), cell)


def _listed(allowed: tuple[tuple[str, str], ...]) -> str:
    """Return the first allowed values with their titles, and how many more there are."""
    words = [token if title == token else f"{token} = {title}" for token, title in allowed]
    text = ", ".join(words[:MOST_ALLOWED])
    more = len(words) - MOST_ALLOWED
    return f"{text} and {more} more" if more > 0 else text


def _fit(text: str) -> str:
    """Return `text` as far as a workbook can show it."""
    if len(text) > MOST_CELL_CHARACTERS // 2:
        text = text[: MOST_CELL_CHARACTERS // 2 - 3] + "..."
    return "(a workbook cannot show this)" if unfit(text) else text
