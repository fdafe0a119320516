"""The cells of an object: compiled once for an export, used for every object.

The counterpart of `waeup.kofa.importing.plan`.  What can be decided in advance, such as the kind
of a column, is decided then; most cells cost a look into a dict, or at two characters.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from zope.i18nmessageid import Message
from zope.schema import Bool, Choice, Int

from waeup.kofa.conversion import FieldPlan, guard, is_active, render_value
from waeup.kofa.conversion.cells import MARKERS
from waeup.kofa.conversion.converters import AsciiConverter, TextConverter
from waeup.kofa.errors import KofaError
from waeup.kofa.i18n import english
from waeup.kofa.importing.hooks import is_fault
from waeup.kofa.importing.parts import NO_PART
from waeup.kofa.interfaces import DELETION_MARKER


class CellError(Exception):
    """The value of a column cannot be had; `error` is what was raised."""

    def __init__(self, column: str, error: Exception) -> None:
        self.column, self.error = column, error
        super().__init__(f"column {column!r}: {type(error).__name__}: {error}")


#: Returns the cell for a value.
Render = Callable[[Any], str]
#: Values of a column whose cells are remembered at most.
MOST_REMEMBERED = 4096

#: A cell that a spreadsheet takes for a number, and for nothing else.
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?")
# Kinds of fields of whose values equal ones have the same cell.
_REPEATED = (Bool, Choice, Int)


def compile_cell(plan: FieldPlan | None, safe: bool, *, is_filled: bool = False) -> Render:
    """Return the function for the cells of a column.

    Without `plan` the column is no field, and its values are shown by their types.  `is_filled`
    says that a new object has a value there which an empty cell would leave: then None is written
    as deletion marker.
    """
    if plan is None:
        return lambda value: render_value(value, safe)
    if isinstance(plan.field, _REPEATED):
        render = _remembering(plan, safe)
    elif type(plan.converter) in (TextConverter, AsciiConverter):
        render = _text(plan, safe)
    else:

        def render(value: Any) -> str:
            return plan.render(value, safe)

    return _marking(render) if is_filled and safe and not plan.field.required else render


def compile_computed(safe: bool) -> Render:
    """Return the function for the cells of a column that a kind computes, and no import reads.

    Its values are shown by their types, messages in English.  What no file can hold, NUL and half
    characters, stands there as an escape: such a text is for people, and stops no export.
    """

    def cell(value: Any) -> str:
        text = render_value(english(value) if isinstance(value, Message) else value, safe)
        return text if text.isascii() and "\0" not in text else _holdable(text)

    return cell


def _holdable(text: str) -> str:
    """Return a text that any table can hold."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def compile_row(
    names: Sequence[str],
    renders: Sequence[Render],
    getters: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Callable[[Any], list[str]]:
    """Return the function that gives the cells of an object for its attributes `names`.

    An attribute that an object does not have is None.  `getters` give the values of names that
    are no attributes.
    """
    if not names:
        return lambda obj: []
    if getters:
        return _compile_mixed(names, renders, getters)
    # Many attributes are None, of which each column makes one cell.
    empty = [render(None) for render in renders]
    # With two names at least it returns a tuple.
    get_all = attrgetter(*names, "__class__")

    def cells(obj: Any) -> list[str]:
        try:
            values = get_all(obj)
        except AttributeError:
            values = tuple(getattr(obj, name, None) for name in names)
        return [
            nothing if value is None else render(value)
            for nothing, render, value in zip(empty, renders, values, strict=False)
        ]

    return cells


def _compile_mixed(
    names: Sequence[str],
    renders: Sequence[Render],
    getters: Mapping[str, Callable[[Any], Any]],
) -> Callable[[Any], list[str]]:
    """Return the function for cells of which some are those of attributes, others of `getters`."""
    plain = [at for at, name in enumerate(names) if name not in getters]
    plain_cells = compile_row([names[at] for at in plain], [renders[at] for at in plain])
    others = [(at, getters[name], renders[at]) for at, name in enumerate(names) if name in getters]

    def cells(obj: Any) -> list[str]:
        found = [""] * len(names)
        for at, cell in zip(plain, plain_cells(obj), strict=True):
            found[at] = cell
        for at, get, render in others:
            try:
                value = get(obj)
                if value is not NO_PART:
                    found[at] = render(value)
            except Exception as error:
                if _says_itself(error):
                    raise
                raise CellError(names[at], error) from error
        return found

    return cells


def compile_mangled(
    columns: Sequence[tuple[str, Callable[[Any], Any]]],
    mangle: Callable[[Any, str, Any], Any],
    safe: bool,
) -> Callable[[Any], list[str]]:
    """Return the function for cells that a site makes by `mangle`, as of Kofa 1.9.

    `columns` are pairs of name and what gives the value for an object.
    """

    def cells(obj: Any) -> list[str]:
        found = []
        for name, get in columns:
            try:
                value = get(obj)
                cell = mangle(None if value is NO_PART else value, name, obj)
                found.append(foreign_cell(cell, safe))
            except Exception as error:
                if _says_itself(error):
                    raise
                raise CellError(name, error) from error
        return found

    return cells


def _says_itself(error: Exception) -> bool:
    """Tell whether an exception is none of a cell, or one whose words are for people."""
    return isinstance(error, KofaError) or is_fault(error)


def foreign_cell(cell: Any, safe: bool) -> str:
    """Return the text of a cell that a site has made; `safe` guards what it has not guarded."""
    if cell is None:
        return ""
    text = str(cell)
    is_number = isinstance(cell, int | float) or _NUMBER.fullmatch(text)
    return guard(text) if safe and is_active(text) and not is_number else text


def _remembering(plan: FieldPlan, safe: bool) -> Render:
    """Return the shorter way for values that come again and again."""
    known: dict[Any, str] = {}

    def cell(value: Any) -> str:
        try:
            return known[value]
        except KeyError:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            known[value] = text = plan.render(value, safe)
            return text
        except TypeError:
            # A value that cannot be a key.
            return plan.render(value, safe)

    return cell


def _text(plan: FieldPlan, safe: bool) -> Render:
    """Return the shorter way for texts: most need no guard, which two characters tell."""
    render = plan.render

    def cell(value: Any) -> str:
        if (
            type(value) is str
            and value[:1].isalnum()
            and not value[-1].isspace()
            and value not in MARKERS
        ):
            return value
        return render(value, safe)

    return cell


def _marking(render: Render) -> Render:
    return lambda value: DELETION_MARKER if value is None else render(value)
