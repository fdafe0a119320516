"""The first half of the row engine: a row of the table becomes a row for the hooks.

Decides which rows are blank, damaged or cannot be converted, and sees to it that
no secret leaves the table.  Nothing is written here.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import repeat
from typing import Any, NamedTuple

from waeup.kofa.conversion import unguard
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.completing import MISSING, Completer, given
from waeup.kofa.importing.corrections import Correction
from waeup.kofa.importing.declaring import declarations_of
from waeup.kofa.importing.hooks import (
    CREATE,
    REMOVE,
    UPDATE,
    UPSERT,
    HookRow,
    overridden,
    row_error,
)
from waeup.kofa.importing.ownvalues import OwnValues
from waeup.kofa.importing.plan import Foreseen, RowPlan, ValuePlan, secret_names
from waeup.kofa.importing.quick import QuickPlan, is_blank
from waeup.kofa.interfaces import IGNORE_MARKER, RAW_COLUMN, IBatchProcessor
from waeup.kofa.tabular import Row

_DAMAGED_BEFORE = english(
    _(
        "This row was damaged: compare its cells with column ${column}, correct them, then empty "
        "that column.",
        mapping={"column": RAW_COLUMN},
    )
)


class Prepared(NamedTuple):
    """A row that was read and converted; `reason` tells why it cannot be applied.

    `errors` says the same by field, as far as single fields are concerned.  `source` is the
    row as it stands in the table, which may have been corrected.
    """

    number: int
    line: int
    texts: dict[str, str]
    row: HookRow
    reason: str | None = None
    raw: str | None = None
    errors: tuple[tuple[str, str], ...] = ()
    source: Any = None
    is_corrected: bool = False


#: Makes a `Prepared` of all its parts, several times as quickly as by its name.
_MAKE = partial(tuple.__new__, Prepared)


class Preparer:
    """Prepares the rows of one table with the names `header`.

    `mapping` leads from names of columns to fields; `rows` and `values` are compiled
    from it.  `corrections` says, by number, which rows are read otherwise than they stand there.
    `site` is handed to what a kind declares.
    """

    def __init__(
        self,
        processor: IBatchProcessor,
        header: Sequence[str],
        mapping: Mapping[str, str],
        rows: RowPlan,
        values: ValuePlan,
        mode: str,
        ignore_empty: bool,
        corrections: Mapping[int, Correction] | None = None,
        site: Any = None,
    ) -> None:
        self._processor = processor
        self._header = header
        self._corrections = corrections or {}
        self._mapping = mapping
        self._rows = rows
        self._values = values
        # What exists is updated; for what does not, a row is converted once more.
        self._mode = UPDATE if mode == UPSERT else mode
        self._options: dict[str, Any] = {}
        # Sites have overridden it without the argument that the base has, too.
        if _takes(processor.checkConversion, "ignore_empty"):
            self._options["ignore_empty"] = ignore_empty
        self._own_empty_row = overridden(processor, "emptyRow")
        self._own_mapping = overridden(processor, "applyMapping")
        self._raw_index = header.index(RAW_COLUMN) if RAW_COLUMN in header else None
        # The text of a damaged row shows all its cells, ignored columns included.
        secrets = {*secret_names(processor.iface), *values.secrets}
        self.hides_damage = not secrets.isdisjoint((*header, *mapping.values(), *values.secrets))
        self._required = self._required_in(self._mode)
        self._own_conversion = overridden(processor, "checkConversion")
        self._own_values = OwnValues(processor, values, site) if self._own_conversion else None
        self._ignore_empty = ignore_empty
        self._quick = self._quick_plan()
        self._site = site
        is_declared = mode != REMOVE and declarations_of(processor).concern_rows
        self._completer = Completer(processor, self._mode, site) if is_declared else None

    def prepare_all(self, rows: Sequence[Row]) -> list[Prepared]:
        """Return a batch of rows of the table in their converted form, without blank ones.

        Does what `prepare` does for each of them, quickly where there is nothing to say of a
        row.  Hooks of a site see rows in their order: they may remember what they have seen.
        """
        if self._quick is None:
            return [found for row in rows if (found := self.prepare(row)) is not None]
        simple = [row for row in rows if self._is_simple(row)]
        settled = self._prepared_quickly(self._quick, simple) if simple else ()
        if len(simple) < len(rows):
            following = iter(settled)
            settled = (next(following) if self._is_simple(row) else None for row in rows)
        return [
            found
            for quick, row in zip(settled, rows, strict=True)
            if (found := quick or self.prepare(row)) is not None
        ]

    def prepare(self, row: Any) -> Prepared | None:
        """Return a row of the table in its converted form; None for one that holds nothing.

        Exceptions of hooks become the reason of the row; faults are raised.
        """
        correction = self._corrections.get(row.number) if self._corrections else None
        if correction is None:
            return self._prepared(row)
        prepared = self._prepared(correction.applied(row, len(self._header)))
        if prepared is None:
            return None
        return prepared._replace(source=row, is_corrected=True)

    def _prepared(self, row: Any) -> Prepared | None:
        if row.problem is not None:
            return self._damaged(row)
        raw = self._kept_raw(row.values)
        reason = None if raw is None else _DAMAGED_BEFORE
        texts = None
        try:
            if raw is None and self._is_blank(row.values):
                return None
            if self._own_mapping:
                texts = self._mapped_by_hook(row.values)
        except Exception as exc:
            reason = row_error(exc)
        if texts is None:
            texts = self._rows.texts(row.values)
        errors = self._values.protect(texts) if self._values.secrets else []
        prepared = Prepared(row.number, row.line, texts, HookRow(), reason, raw, source=row)
        return prepared if reason is not None else self._converted(prepared, errors, self._mode)

    def prepare_creation(self, prepared: Prepared) -> Prepared:
        """Return a row, which was prepared for an update, as one for a new object.

        A required field for which there is no column is missing, too.
        """
        if self._own_conversion:
            return self._converted(prepared, [], CREATE, self._required_new)
        try:
            # A cell means the same for both.
            if self._completer is None:
                errors = self._missing(self._required_new, prepared.texts, prepared.row)
                return self._refused(prepared, errors, []) if errors else prepared
            return self._completed(
                prepared, prepared.texts, prepared.row, CREATE, self._required_new
            )
        except Exception as exc:
            return prepared._replace(reason=row_error(exc))

    def _converted(
        self,
        prepared: Prepared,
        errors: list[tuple[str, str]],
        mode: str,
        required: list[tuple[str, Any]] | None = None,
    ) -> Prepared:
        try:
            return self._convert(
                prepared, errors, mode, self._required if required is None else required
            )
        except Exception as exc:
            return prepared._replace(reason=row_error(exc))

    def _convert(
        self,
        prepared: Prepared,
        errors: list[tuple[str, str]],
        mode: str,
        required: list[tuple[str, Any]],
    ) -> Prepared:
        texts = prepared.texts
        found, invariants, values = self._checked(
            self._processor.checkConversion(texts, mode=mode, **self._options)
        )
        errors = [*errors, *found]
        if self._own_values is not None and not errors and not invariants:
            errors = self._own_values.errors(values)
        if self._completer is not None and not errors and not invariants:
            return self._completed(prepared, texts, values, mode, required)
        for name, message in self._missing(required, texts, values):
            if all(name not in error for error in errors):
                errors.append((name, message))
        if errors or invariants:
            return self._refused(prepared, errors, invariants)
        row = HookRow(texts)
        row.update(values)
        return prepared._replace(row=row)

    def _checked(self, converted: Any) -> tuple[list[tuple[str, str]], list[str], Any]:
        """Return what `checkConversion` has returned; raises TypeError for what it must not."""
        try:
            found, invariants, values = converted
            found = list(found)
            is_right = (
                all(not isinstance(pair, str) and len(pair) == 2 for pair in found)
                and not isinstance(invariants, str)
                and isinstance(values, Mapping)
            )
        except (TypeError, ValueError):
            is_right = False
        if not is_right:
            # What it has returned may hold a password.
            raise TypeError(
                f"{type(self._processor).__name__}.checkConversion returns something else than "
                "(errors, invariant errors, values): a list of pairs of field and message, a list "
                "of messages, and a dict of fields and values."
            )
        return found, list(invariants), values

    def _completed(
        self,
        prepared: Prepared,
        texts: Mapping[str, str],
        values: Mapping[str, Any],
        mode: str,
        required: list[tuple[str, Any]],
    ) -> Prepared:
        """Return a row of good cells with what is computed, once it keeps the rules."""
        assert self._completer is not None
        row = HookRow(texts)
        row.update(values)
        errors = self._completer.compute(row, mode)
        if not errors:
            errors = self._missing(required, row, row)
        invariants = [] if errors else self._broken_invariants(row)
        if not errors and not invariants:
            errors = self._completer.broken(row)
        if errors or invariants:
            return self._refused(prepared, errors, invariants)
        return prepared._replace(row=row)

    def _broken_invariants(self, row: Mapping[str, Any]) -> list[str]:
        """Return the messages of invariants that a row breaks with what was computed for it."""
        assert self._completer is not None
        if not self._values.has_invariants or not self._completer.computes:
            return []
        values = given(row)
        return self._values.broken_invariants(
            {name: values[name] for name in values if name in self._processor.iface}
        )

    def _missing(
        self, required: list[tuple[str, Any]], texts: Mapping[str, str], values: Mapping[str, Any]
    ) -> list[tuple[str, str]]:
        """Return an error for each required field without a value."""
        errors = []
        for name, missing in required:
            text = texts.get(name, IGNORE_MARKER)
            value = values.get(name, text)
            if text == IGNORE_MARKER or value is None or value == missing:
                errors.append((name, MISSING))
        return errors

    def _refused(
        self, prepared: Prepared, errors: list[tuple[str, str]], invariants: list[str]
    ) -> Prepared:
        reason = self._processor.stringFromErrs(errors, invariants)
        if not isinstance(reason, str) or not reason:
            raise TypeError(
                f"{type(self._processor).__name__}.stringFromErrs has returned {reason!r}; it "
                "returns all errors in one text."
            )
        return prepared._replace(reason=reason, errors=tuple(errors))

    # -- the quick way -------------------------------------------------------------------

    def _quick_plan(self) -> QuickPlan | None:
        """Return what prepares rows quickly, where no hook of a site wants to see each."""
        fields = self._rows.fields
        if (
            self._own_empty_row
            or self._own_mapping
            or self._values.secrets
            or not fields
            or len(set(fields)) < len(fields)
        ):
            return None
        return QuickPlan(
            self._rows,
            self._values,
            self._mode,
            self._ignore_empty,
            self._required,
            self._raw_index,
        )

    def _is_simple(self, row: Row) -> bool:
        return (
            row.problem is None
            and len(row.values) == len(self._header)
            and row.number not in self._corrections
        )

    def _prepared_quickly(self, plan: QuickPlan, rows: Sequence[Row]) -> Iterable[Prepared | None]:
        if self._own_conversion:
            return self._seen_by_hook(plan, rows)
        texts, hook_rows, unsettled = plan.prepare(rows)
        if self._completer is not None:
            self._complete(hook_rows, unsettled)
        numbers, lines, *_rest = zip(*rows, strict=True)
        none, nothing = repeat(None), repeat(())
        parts = zip(numbers, lines, texts, hook_rows, none, none, nothing, rows, repeat(False))
        found: list[Prepared | None] = list(map(_MAKE, parts))
        for at in unsettled:
            found[at] = None
        return found

    def _complete(self, rows: Sequence[HookRow], unsettled: set[int]) -> None:
        """Compute what is to be, and leave rows that break a rule to the careful way."""
        assert self._completer is not None
        for at, row in enumerate(rows):
            if at in unsettled:
                continue
            try:
                if (
                    self._completer.compute(row, self._mode)
                    or self._broken_invariants(row)
                    or self._completer.broken(row)
                ):
                    unsettled.add(at)
            except Exception:
                # The careful way gets it, too, and says what it is.
                unsettled.add(at)

    def _seen_by_hook(self, plan: QuickPlan, rows: Sequence[Row]) -> Iterator[Prepared | None]:
        """Let the hook of a site see rows, with the values that the base will answer.

        That takes two thirds of the time of the careful way.
        """
        texts, values, unsettled = plan.foresee(rows)
        for at, row in enumerate(rows):
            if at in unsettled:
                yield None
                continue
            cells = texts[at]
            self._values.foreseen = Foreseen(
                cells.copy(), self._mode, self._ignore_empty, values[at]
            )
            prepared = Prepared(row.number, row.line, cells, HookRow(), source=row)
            yield self._converted(prepared, [], self._mode)

    @cached_property
    def _required_new(self) -> list[tuple[str, Any]]:
        """What a new object needs, which an upsert finds out only when there is one."""
        return self._required_in(CREATE, always=True)

    def _required_in(self, mode: str, *, always: bool = False) -> list[tuple[str, Any]]:
        """Return the required fields with their missing values; `always`: also without column."""
        fields = self._values.fields
        return [
            (name, fields[name].field.missing_value if name in fields else None)
            for name in dict.fromkeys(self._processor.req[mode])
            if always or name in self._rows.fields
        ]

    def _damaged(self, row: Any) -> Prepared:
        """Return a row that the table itself calls damaged.

        Its cells may have slipped, so a secret may be in any of them.
        """
        hidden = self.hides_damage
        texts = self._rows.texts(() if hidden else row.values)
        if self._values.secrets:
            self._values.protect(texts)
        raw = f"see line {row.line} of the original" if hidden else row.raw
        reason = row.problem.message
        return Prepared(row.number, row.line, texts, HookRow(), reason, raw, source=row)

    def _kept_raw(self, cells: Sequence[str]) -> str | None:
        """Return the text of a damaged row that was kept from an earlier import."""
        index = self._raw_index
        if index is None or not cells[index]:
            return None
        text = unguard(cells[index])
        return cells[index] if text is None else text

    def _is_blank(self, cells: Sequence[str]) -> bool:
        if self._own_empty_row:
            return bool(self._processor.emptyRow(dict(zip(self._header, cells, strict=True))))
        return is_blank(cells)

    def _mapped_by_hook(self, cells: Sequence[str]) -> dict[str, str]:
        raw_row = dict(zip(self._header, cells, strict=True))
        mapped = self._processor.applyMapping(raw_row, self._mapping)
        texts = {name: "" if text is None else str(text) for name, text in mapped.items()}
        for name in self._rows.fields:
            texts.setdefault(name, "")
        texts = self._rows.replaced(texts)
        texts.update(self._rows.constants)
        return self._rows.marked(texts)


def _takes(method: Any, argument: str) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)
