"""How the cells of a row become values: compiled once, used for every row.

Stands between `waeup.kofa.tabular` (rows of text) and a processor's hooks (dicts
of values).  The compiled form keeps look-ups of fields, vocabularies and
converters out of the loop over the rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from zope.interface import Invalid

from waeup.kofa.conversion import IGNORED, FieldPlan, plan_fields
from waeup.kofa.errors import ConversionError
from waeup.kofa.interfaces import IGNORE_MARKER


class Conversion(NamedTuple):
    """Result of `ValuePlan.convert`: errors, messages of invariants, values."""

    errors: list[tuple[str, str]]
    invariant_errors: list[str]
    values: dict[str, Any]


class _Values:
    """Converted values as attributes, for the invariants of a schema."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


class ValuePlan:
    """Converts the texts of `names` to values of the fields of `iface`.

    Names that are no fields keep their text.  `context` is what vocabularies are
    bound to (the site).
    """

    def __init__(self, iface: Any, names: Iterable[str], context: Any) -> None:
        fields = set(iface.names(all=True)) if iface is not None else set()
        names = [name for name in names if name in fields]
        self.fields: dict[str, FieldPlan] = plan_fields(iface, names, context) if names else {}
        self.secrets = tuple(
            name for name, plan in self.fields.items() if getattr(plan.converter, "secret", False)
        )
        self._converts = [(name, plan.convert) for name, plan in self.fields.items()]
        self._invariants = _collect_invariants(iface)

    def convert(self, texts: Mapping[str, str], mode: str, ignore_empty: bool) -> Conversion:
        """Convert a row; when anything is wrong, the values are empty."""
        errors = []
        values = {}
        for name, convert in self._converts:
            text = texts[name]
            if text is IGNORE_MARKER:
                continue
            try:
                value = convert(text, mode, ignore_empty)
            except ConversionError as exc:
                errors.append((name, str(exc)))
                continue
            if value is not IGNORED:
                values[name] = value
        broken = self._broken_invariants(values) if self._invariants and not errors else []
        if errors or broken:
            values = {}
        return Conversion(errors, broken, values)

    def protect(self, texts: dict[str, str]) -> None:
        """Replace the secrets of a row by their hashes, in place.

        A text that is no acceptable secret is left out: it must not be found in
        a result file either.
        """
        for name in self.secrets:
            text = texts[name]
            if text is IGNORE_MARKER:
                continue
            plan = self.fields[name]
            try:
                value = plan.convert(text, "create", True)
            except ConversionError:
                texts[name] = ""
            else:
                if value is not IGNORED and value is not plan.field.missing_value:
                    texts[name] = plan.converter.render(value)

    def _broken_invariants(self, values: dict[str, Any]) -> list[str]:
        messages = []
        holder = _Values(values)
        for invariant in self._invariants:
            try:
                invariant(holder)
            except Invalid as exc:
                messages.append(str(exc.args[0]) if exc.args else type(exc).__name__)
            except AttributeError:
                # The invariant speaks about a field that the row does not set.
                continue
        return messages


def _collect_invariants(iface: Any) -> list[Any]:
    if iface is None:
        return []
    found: list[Any] = []
    for base in iface.__iro__:
        for invariant in base.queryDirectTaggedValue("invariants") or ():
            if invariant not in found:
                found.append(invariant)
    return found


class RowPlan:
    """Picks the mapped cells of a row and adds the constants.

    `columns` gives, by position, the field of a column or None; `fields` are all
    fields that are filled, in the order of the result files.
    """

    def __init__(
        self,
        columns: Sequence[str | None],
        constants: Iterable[tuple[str, str]],
        ignore_empty: bool,
    ) -> None:
        self._positions = [(i, name) for i, name in enumerate(columns) if name is not None]
        self._constants = tuple(constants)
        self._ignore_empty = ignore_empty
        self.fields = tuple(
            [name for _, name in self._positions] + [name for name, _ in self._constants]
        )

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the texts of a row by field; what is to be ignored is the marker.

        A row with too few cells gives empty texts for those that are missing.
        """
        width = len(cells)
        texts = {name: self._text(cells[i]) if i < width else "" for i, name in self._positions}
        for name, text in self._constants:
            texts[name] = self._text(text)
        return texts

    def is_blank(self, cells: Sequence[str]) -> bool:
        """Tell whether no mapped column has a text in this row."""
        width = len(cells)
        return not any(i < width and cells[i].strip() for i, _ in self._positions)

    def _text(self, cell: str) -> str:
        if cell == IGNORE_MARKER or (self._ignore_empty and (cell == "[]" or not cell.strip())):
            return IGNORE_MARKER
        return cell
