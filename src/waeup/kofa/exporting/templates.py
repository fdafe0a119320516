"""Empty tables for a kind of objects: what an officer fills in and uploads.

The counterpart of a processor: everything is derived from what it says about its columns, and
what a template calls an example has been through the converters of an import.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from tempfile import TemporaryDirectory
from typing import Any

from zope import schema
from zope.schema import getFields
from zope.schema.interfaces import ICollection, IPassword

from waeup.kofa.conversion import (
    ChoiceConverter,
    FieldPlan,
    FormattedDate,
    PhoneNumber,
    converter_for,
    guard,
)
from waeup.kofa.errors import KofaError, MappingError, Refused
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
from waeup.kofa.tabular.unpacking.wording import NOTES_HEADER

__all__ = ["FORMATS", "NOTES", "ColumnNote", "notes_of", "template"]

FORMATS = ("csv", "xlsx")
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
            f"There is no format {format!r} for templates. There are: {', '.join(FORMATS)}."
        )
    if format == "csv":
        return processor.template_name, processor.get_csv_skeleton().encode("utf-8")
    stem = os.path.splitext(processor.template_name)[0]
    return f"{stem}.{format}", _workbook(processor, stem, context)


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
    try:
        plan = FieldPlan(field, context)
    except MappingError:
        return ColumnNote(name, _line(field.title), "no cell can fill it; leave it out", required)
    return ColumnNote(
        name,
        _line(field.title),
        _kind(plan.field),
        required,
        tuple(_allowed(plan.field).items()),
        _example(plan),
        _line(field.description),
    )


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def _allowed(field: Any) -> dict[str, str]:
    if isinstance(field, schema.Bool):
        return {"1": "yes", "0": "no"}
    if ICollection.providedBy(field) and field.value_type is not None:
        return _allowed(field.value_type)
    converter = converter_for(field)
    return converter.choices() if isinstance(converter, ChoiceConverter) else {}


#: Classes of fields, the narrower ones first, and what they are in plain words.
_KINDS: tuple[tuple[Any, str], ...] = (
    (schema.Password, "password; what is kept is its hash"),
    (PhoneNumber, "phone number"),
    (schema.Choice, "one of the allowed values"),
    (schema.Bool, "yes or no, as 1 or 0"),
    (schema.Int, "whole number"),
    (schema.Decimal, "number"),
    (schema.Float, "number"),
    (schema.Datetime, "date with time"),
    (schema.Date, "date"),
    (schema.ASCIILine, "text of plain ASCII characters in one line"),
    (schema.ASCII, "text of plain ASCII characters"),
    (schema.TextLine, "text in one line"),
)


def _kind(field: Any) -> str:
    """Return the type of `field` in plain words, with its bounds."""
    if ICollection.providedBy(field):
        element = "" if field.value_type is None else f", each {_kind(field.value_type)}"
        return f"list in brackets{element}"
    words = next((words for kind, words in _KINDS if isinstance(field, kind)), "text")
    if IPassword.providedBy(field):
        return words
    low, high = getattr(field, "min", None), getattr(field, "max", None)
    if low is not None and high is not None:
        words += f", {low} to {high}"
    elif low is not None:
        words += f", {low} or more"
    elif high is not None:
        words += f", {high} or less"
    longest = getattr(field, "max_length", None)
    return words if longest is None else f"{words}, up to {longest} characters"


# -- examples --------------------------------------------------------------------

_DAY = date(2012, 4, 30)


def _example(plan: FieldPlan) -> str:
    """Return the first cell that comes to mind and that an import accepts."""
    for cell in _candidates(plan.field, plan):
        try:
            plan.convert(cell, "create", False)
        except (KofaError, ValueError):
            continue
        return cell
    return ""


def _candidates(field: Any, plan: FieldPlan) -> Iterator[str]:
    if IPassword.providedBy(field):
        return
    if isinstance(field, schema.Choice):
        yield from _rendered(plan, [field.default])
        yield from map(guard, _allowed(field))
    elif ICollection.providedBy(field):
        yield from _lists(field)
    elif isinstance(field, schema.Bool):
        yield "1"
    elif isinstance(field, FormattedDate):
        yield _DAY.strftime(field.date_format)
    elif isinstance(field, schema.Datetime):
        yield "2012-04-30 14:05:00"
        yield from _rendered(plan, [field.default, field.min, field.max])
    elif isinstance(field, schema.Date):
        yield _DAY.isoformat()
        yield from _rendered(plan, [field.default, field.min, field.max])
    elif isinstance(field, (schema.Int, schema.Float, schema.Decimal)):
        yield from _rendered(plan, [field.default])
        yield from ("10", "1", "0.5")
        yield from _rendered(plan, [field.min, field.max])
    elif isinstance(field, PhoneNumber):
        yield "+234-803-1234567"
    else:
        yield from _texts(field.__name__)
        yield from _rendered(plan, [field.default])


def _rendered(plan: FieldPlan, values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if value is not None:
            yield plan.render(value)


def _lists(field: Any) -> Iterator[str]:
    if field.value_type is None:
        yield "['a', 'b']"
        return
    element = field.value_type.bind(field.context)
    # The plan of an element has no name of its own.
    element.__name__ = field.__name__
    yield repr([_example(FieldPlan(element, field.context))])


def _texts(name: str) -> Iterator[str]:
    words = name.lower().split("_")
    if not {"code", "id", "number", "key"}.isdisjoint(words):
        yield "ABC101"
    elif "name" in words[-1]:
        yield "Ada"
    yield from ("Example", "ABC101", "ada@example.org", "http://example.org/", "12345", "AB", "a")


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
