"""The compiled way from a cell to a value of a field, and back.

A `FieldPlan` is made once for a run.  What can be decided in advance (kind of field,
limits, vocabulary, markers) is decided then, so that a cell costs little more than
the conversion itself.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from zope.schema import getFieldsInOrder

from waeup.kofa.conversion.cells import IGNORED, MARKERS, VerbatimText, guard, unguard
from waeup.kofa.conversion.checks import Check, compile_check
from waeup.kofa.conversion.converters import TextConverter, converter_for
from waeup.kofa.conversion.vocabularies import bound
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import DELETION_MARKER, IGNORE_MARKER


class ValueRequired(ConversionError):
    """A cell asks to clear a field that must have a value and has no default."""


class FieldPlan:
    """How the cells of one field are read and written.

    `field` is bound to `context`, which vocabularies and default factories are asked
    with.  Raises `MappingError` for a kind of field that no cell can fill, and for one whose
    vocabulary cannot be found.

    `convert(cell, mode, ignore_empty)` returns the value of a cell, or `IGNORED`
    when the attribute must stay untouched; it raises `ConversionError`, whose message
    begins as in Kofa 1.9.  `mode` is ``create``, ``update`` or ``remove``: only the
    first two know the deletion marker, which gives a required field its default, or
    `ValueRequired` where there is none.
    """

    __slots__ = ("_renders_none", "check", "convert", "converter", "field", "name")

    convert: Callable[[str, str, bool], Any]

    def __init__(self, field: Any, context: Any = None) -> None:
        self.field = bound(field, context)
        self.name: str = field.__name__
        self.converter = converter_for(self.field)
        #: What remains to be checked of a value; None when every value is good.
        self.check = check = compile_check(self.field, self.converter)
        if type(self.converter) is TextConverter:
            self.convert = _compile_text(self.field, check)
        else:
            self.convert = _compile(self.field, self.converter, check)
        # Nothing else gives None to a field that has a default.
        self._renders_none = (
            DELETION_MARKER if not field.required and self.field.default is not None else ""
        )

    def render(self, value: Any, safe: bool = True) -> str:
        """Return the cell from which `convert` restores `value` in a new object.

        With `safe`, texts are guarded against spreadsheets, and a None that an empty
        cell would not restore is written as deletion marker.
        """
        if value is None:
            return self._renders_none if safe else ""
        if value in ("", [], (), set()) and value == self.field.default:
            return ""
        text = self.converter.render(value)
        return guard(text) if safe and getattr(self.converter, "text", False) else text


def plan_fields(
    iface: Any, names: Iterable[str] | None = None, context: Any = None
) -> dict[str, FieldPlan]:
    """Return the plans for the fields of the schema `iface`, by name.

    With `names` only for these; a name that is no field gets no plan, and a field of
    a kind that no cell can fill is refused (`MappingError`).  `context` is what
    vocabularies are bound to; they are read now, and only now.
    """
    fields = dict(getFieldsInOrder(iface))
    if names is not None:
        return {name: FieldPlan(fields[name], context) for name in names if name in fields}
    plans = {}
    for name, field in fields.items():
        try:
            plans[name] = FieldPlan(field, context)
        except MappingError:
            # Not asked for by name: a schema may well have fields that are never imported.
            continue
    return plans


def to_cell(field: Any, value: Any, safe: bool = True) -> str:
    """Return the cell for a single value; for many use a `FieldPlan`."""
    return FieldPlan(field).render(value, safe)


def from_cell(field: Any, cell: str, mode: str = "create", ignore_empty: bool = True) -> Any:
    """Return the value of a single cell; for many use a `FieldPlan`."""
    return FieldPlan(field).convert(cell, mode, ignore_empty)


# -- compiling -----------------------------------------------------------------

#: A marker that is an ordinary text in this place.
_ORDINARY = object()


def _compile_marker(field: Any) -> Callable[[str, str, bool], Any]:
    """Return what a text of `MARKERS` means; `_ORDINARY` if it means itself."""

    def meaning(text: str, mode: str, ignore_empty: bool) -> Any:
        if text == IGNORE_MARKER:
            return IGNORED
        if text == DELETION_MARKER:
            if mode not in ("create", "update"):
                return _ORDINARY
            if not field.required:
                return field.missing_value
            if field.default is field.missing_value:
                raise ValueRequired(_("The value cannot be deleted: it is required."))
            return copy.copy(field.default)
        if ignore_empty:
            return IGNORED
        if text:
            return _ORDINARY
        if field.required:
            raise ConversionError(_("Invalid input: the cell is empty, but a value is required."))
        return field.missing_value

    return meaning


def _compile(field: Any, converter: Any, check: Check | None) -> Callable[[str, str, bool], Any]:
    to_value = converter.convert
    guarded = getattr(converter, "text", False)
    meaning = _compile_marker(field)
    missing = field.missing_value

    def convert(cell: str, mode: str, ignore_empty: bool) -> Any:
        text = cell.strip()
        if text in MARKERS:
            value = meaning(text, mode, ignore_empty)
            if value is not _ORDINARY:
                return value
        elif guarded and cell[0] == "'":
            text = _unguarded(cell, text)
        value = to_value(text)
        if check is not None and value is not missing:
            check(value)
        # A term of a vocabulary may look like the marker and mean itself.
        return VerbatimText(value) if type(value) is str and value == IGNORE_MARKER else value

    return convert


def _compile_text(field: Any, check: Check | None) -> Callable[[str, str, bool], Any]:
    """Return the shorter way for plain texts, whose value is the text itself."""
    meaning = _compile_marker(field)

    def convert(cell: str, mode: str, ignore_empty: bool) -> Any:
        text = cell.strip()
        if text in MARKERS:
            value = meaning(text, mode, ignore_empty)
            if value is not _ORDINARY:
                return value
        elif cell[0] == "'":
            text = _unguarded(cell, text)
        if "\0" in text:
            # No file could give it back, nor a spreadsheet show it.
            raise ConversionError(_("Invalid input: the text holds a NUL character. Remove it."))
        if check is not None:
            check(text)
        return text

    return convert


def _unguarded(cell: str, text: str) -> str:
    value = unguard(cell)
    if value is None:
        return text
    return VerbatimText(value) if value == IGNORE_MARKER else value
