"""How the cells of a row become values: compiled once, used for every row.

Stands between `waeup.kofa.tabular` (rows of text) and a processor's hooks (dicts
of values).  The compiled form keeps look-ups of fields, vocabularies and
converters out of the loop over the rows.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from zope.interface import Invalid
from zope.schema import getFields

from waeup.kofa.conversion import (
    IGNORED,
    FieldPlan,
    ValueRequired,
    Values,
    is_secret,
    plan_fields,
)
from waeup.kofa.conversion.cells import EMPTY_LIST, MARKERS
from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.effects import HIDDEN
from waeup.kofa.importing.hooks import UPDATE, UPSERT, row_error
from waeup.kofa.interfaces import IGNORE_MARKER, IBatchProcessor


class Conversion(NamedTuple):
    """Result of `ValuePlan.convert`: errors, messages of invariants, values.

    An error is a pair of field and message; that a required field is to be cleared is,
    in the words of Kofa 1.9, the pair ``("RequiredMissing", field)``.
    """

    errors: list[tuple[str, str]]
    invariant_errors: list[str]
    values: dict[str, Any]


class Foreseen(NamedTuple):
    """What a `ValuePlan` is going to be asked, and the values that it will answer.

    `texts` are a copy, since a hook may change a row before it asks.
    """

    texts: dict[str, str]
    mode: str
    ignore_empty: bool
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
        self._iface = iface
        self._context = context
        names = list(names)
        self._names = set(names)
        self.fields = self._plans(names)
        self.secrets = tuple(name for name, plan in self.fields.items() if _is_secret(plan))
        self.texts = frozenset(
            name for name, plan in self.fields.items() if getattr(plan.converter, "text", False)
        )
        self._converts = [(name, plan.convert) for name, plan in self.fields.items()]
        self._late: dict[str, FieldPlan | None] = {}
        self._invariants = _collect_invariants(iface)
        #: Good values that were found for many rows at once, of the row that comes next.
        self.foreseen: Foreseen | None = None
        #: Whether `converted` is kept: the good values of the last row, as they were given out.
        self.remembers = False
        self.converted: dict[str, Any] = {}
        #: Whether there is anything that `broken_invariants` could find.
        self.has_invariants = bool(self._invariants)

    def convert(self, texts: Mapping[str, str], mode: str, ignore_empty: bool) -> Conversion:
        """Convert what is in `texts`; when anything is wrong, the values are empty.

        A site may have taken names out of the row, or have put others in.
        """
        foreseen, self.foreseen = self.foreseen, None
        if foreseen is not None and foreseen[:3] == (texts, mode, ignore_empty):
            return self._good(foreseen.values)
        errors = []
        values = {}
        converts = self._converts
        if texts.keys() != self._names:
            converts = [(name, plan.convert) for name, plan in self._plans_of(texts)]
        for name, convert in converts:
            text = texts[name]
            if text is IGNORE_MARKER:
                continue
            try:
                value = convert(text, mode, ignore_empty)
            except Exception as exc:
                errors.append(_field_error(name, exc))
                continue
            if value is not IGNORED:
                values[name] = value
        broken = self.broken_invariants(values) if self._invariants and not errors else []
        return Conversion(errors, broken, {}) if errors or broken else self._good(values)

    def _good(self, values: dict[str, Any]) -> Conversion:
        if self.remembers:
            # Who is given them may change the dict.
            self.converted = values.copy()
        return Conversion([], [], values)

    def broken_invariants(self, values: dict[str, Any]) -> list[str]:
        """Return the messages of the invariants of the schema that values of a row break."""
        messages = []
        holder = _Values(values)
        for invariant in self._invariants:
            try:
                invariant(holder)
            except Invalid as exc:
                messages.append(english(exc.args[0]) if exc.args else type(exc).__name__)
            except AttributeError:
                # The invariant speaks about a field that the row does not set.
                continue
            except Exception as exc:
                messages.append(row_error(exc))
        return messages

    def protect(self, texts: dict[str, str]) -> list[tuple[str, str]]:
        """Replace the secrets of a row by their hashes, in place, and return errors.

        A text that is no acceptable secret is left out: it must not be found in
        a result file either.
        """
        errors = []
        for name in self.secrets:
            text = texts.get(name, IGNORE_MARKER)
            if text == IGNORE_MARKER:
                continue
            plan = self.fields[name]
            try:
                value = plan.convert(text, "create", True)
            except Exception as exc:
                texts[name] = IGNORE_MARKER
                errors.append(_secret_error(name, exc, text.strip()))
            else:
                if value is not IGNORED and value is not plan.field.missing_value:
                    texts[name] = plan.converter.render(value)
        return errors

    def _plans(self, names: Iterable[str]) -> dict[str, FieldPlan]:
        known = set(self._iface.names(all=True)) if self._iface is not None else set()
        names = [name for name in names if name in known]
        return plan_fields(self._iface, names, self._context) if names else {}

    def _plans_of(self, names: Iterable[str]) -> Iterator[tuple[str, FieldPlan]]:
        for name in names:
            plan = self.fields.get(name)
            if plan is None:
                if name not in self._late:
                    self._late[name] = self._plans([name]).get(name)
                plan = self._late[name]
            if plan is not None:
                yield name, plan


def check_replacements(
    iface: Any, values: Values, context: Any, mode: str, ignore_empty: bool = True
) -> None:
    """Refuse what texts are to be replaced by, where it is no value of its field.

    Raises `MappingError`, also for a password: the mapping would show it.
    """
    secrets = secret_names(iface)
    mode = UPDATE if mode == UPSERT else mode
    wrong = []
    for field, pairs in values:
        if field in secrets:
            raise MappingError(
                _(
                    "Texts of ${field} cannot be replaced: a password is nobody else's "
                    "business. Leave the replacement out.",
                    mapping={"field": field},
                )
            )
        plan = ValuePlan(iface, [field], context)
        for token in dict.fromkeys(token for _text, token in pairs):
            errors = plan.convert({field: token}, mode, ignore_empty).errors
            # A broken invariant may be mended by other fields.
            wrong += [f"{field}: {shown(token)}: {message}" for _name, message in errors]
    if wrong:
        raise MappingError(
            _(
                "Replacements do not fit their fields: ${wrong}",
                mapping={"wrong": "; ".join(wrong)},
            )
        )


def _field_error(name: str, exc: Exception) -> tuple[str, str]:
    if isinstance(exc, ValueRequired):
        return "RequiredMissing", name
    if isinstance(exc, ConversionError):
        return name, str(exc)
    # A constraint or a converter of a site; a fault is raised again.
    return name, row_error(exc)


#: Characters that words have in common with a secret by chance.
LETTERS = 3


def _secret_error(name: str, exc: Exception, text: str) -> tuple[str, str]:
    """Return the error of a secret, whose text no message shows, whoever has raised it."""
    where, message = _field_error(name, exc)
    if not isinstance(exc, ConversionError):
        # What Python says of a text mostly has it in quotes, or a part of it.
        return where, type(exc).__name__
    if where != name:
        return where, message
    # A single letter of any word is not meant, and must not stand out.
    meant = text if len(text) > LETTERS else repr(text)
    return where, message.replace(meant, HIDDEN)


def _is_secret(plan: FieldPlan) -> bool:
    return getattr(plan.converter, "secret", False)


@functools.cache
def secret_names(iface: Any) -> frozenset[str]:
    """Return the names of the passwords of a schema."""
    fields = getFields(iface) if iface is not None else {}
    return frozenset(name for name, field in fields.items() if is_secret(field))


def _collect_invariants(iface: Any) -> list[Any]:
    if iface is None:
        return []
    found: list[Any] = []
    for base in iface.__iro__:
        for invariant in base.queryDirectTaggedValue("invariants") or ():
            if invariant not in found:
                found.append(invariant)
    return found


# -- the plan of the import that runs ------------------------------------------

_running: contextvars.ContextVar[tuple[IBatchProcessor, ValuePlan] | None] = (
    contextvars.ContextVar("kofa_value_plan", default=None)
)


@contextlib.contextmanager
def running(processor: IBatchProcessor, plan: ValuePlan) -> Iterator[None]:
    """Within this context the import for `processor` uses `plan`."""
    token = _running.set((processor, plan))
    try:
        yield
    finally:
        _running.reset(token)


def value_plan(processor: IBatchProcessor, row: Mapping[str, str], site: Any) -> ValuePlan:
    """Return the plan of the import that runs for `processor`, else one for this row."""
    entry = _running.get()
    if entry is not None and entry[0] is processor:
        return entry[1]
    return ValuePlan(processor.iface, row, site)


class RowPlan:
    """Picks the mapped cells of a row and adds the constants.

    `columns` gives, by position, the field of a column or None; `fields` are all
    fields that are filled, in the order of the result files.  `values` says which texts stand
    for others: these are replaced first of all, so that hooks and result files have what was
    meant.
    """

    def __init__(
        self,
        columns: Sequence[str | None],
        constants: Iterable[tuple[str, str]],
        ignore_empty: bool,
        values: Values = (),
    ) -> None:
        self._positions = [(i, name) for i, name in enumerate(columns) if name is not None]
        # One more than the last position that is needed.
        self._width = self._positions[-1][0] + 1 if self._positions else 0
        self._ignore_empty = ignore_empty
        self._tokens = [(name, dict(pairs)) for name, pairs in values]
        self.constants = self.marked(dict(constants))
        self.fields = tuple(name for _, name in self._positions) + tuple(self.constants)

    def texts(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the texts of a row by field; what is to be ignored is the marker.

        A row with too few cells gives empty texts for those that are missing.
        """
        if len(cells) < self._width:
            cells = [*cells, *[""] * (self._width - len(cells))]
        texts = {name: cells[i] for i, name in self._positions}
        texts = self.marked(self.replaced(texts) if self._tokens else texts)
        texts.update(self.constants)
        return texts

    def columns(self, table: Sequence[Sequence[str]], count: int) -> Iterator[Sequence[str]]:
        """Generate the texts of `count` rows by column, in the order of `fields`, not marked yet.

        `table` are all columns of the table.
        """
        replaced = dict(self._tokens)
        for position, name in self._positions:
            column = table[position]
            tokens = replaced.get(name)
            yield (column if tokens is None else [tokens.get(t.strip(), t) for t in column])
        for text in self.constants.values():
            yield (text,) * count

    def replaced(self, texts: dict[str, str]) -> dict[str, str]:
        """Replace texts that stand for others, in place; return `texts`."""
        for name, tokens in self._tokens:
            text = texts.get(name, "").strip()
            if text in tokens:
                texts[name] = tokens[text]
        return texts

    def marked(self, texts: dict[str, str]) -> dict[str, str]:
        """Put the marker itself in the place of what is to be ignored; return `texts`."""
        if not MARKERS.isdisjoint(map(str.strip, texts.values())):
            for name, text in texts.items():
                texts[name] = self.mark(text)
        return texts

    def marked_column(self, texts: Sequence[str]) -> Sequence[str]:
        """Return what `marked` would make of the texts of a column."""
        if MARKERS.isdisjoint(map(str.strip, texts)):
            return texts
        return list(map(self.mark, texts))

    def mark(self, text: str) -> str:
        """Return the marker itself for a text that is to be ignored, else the text."""
        plain = text.strip()
        if plain == IGNORE_MARKER or (self._ignore_empty and plain in ("", EMPTY_LIST)):
            return IGNORE_MARKER
        return text
