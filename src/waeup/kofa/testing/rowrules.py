"""The rules of processors about what they declare for rows: `@rule` and `@computed`."""

from collections.abc import Iterator
from typing import Any

from waeup.kofa.importing.completing import Completer, given, shown
from waeup.kofa.importing.declaring import Computed, Declarations, Rule, declarations_of
from waeup.kofa.importing.hooks import CREATE, UPDATE, UPSERT, row_error
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.testing.contract import Contract, in_words, memory_of, newly_kept, rule
from waeup.kofa.testing.samples import SamplePortal

#: Values of a row by field.
Values = dict[str, Any]


class RowRules(Contract):
    """What a processor declares about the values of a row."""

    @rule
    def test_row_rules_and_computed_fields_change_nothing(self) -> None:
        """Rules over a row, and what computes a field, change nothing, and say the same again."""
        self._declarations()
        processor = self.tested_processor
        to_do = "Look, and change nothing; what is to be changed is returned."
        for portal in self._portals():
            before, files, memory = portal.picture(), portal.files(), memory_of(processor)
            for name, values in self._asked(portal):
                self._require_same_answers(name, values, portal.site)
            self.require_nothing_to_write(portal, "they", to_do)
            self.require_same(portal, before, "they", to_do)
            self.require_files(portal, files, "they")
            kept = newly_kept(processor, memory)
            if kept:
                self.broken(
                    f"they have set {kept}.", "Keep nothing on the processor or its class."
                )

    def _require_same_answers(self, name: str, values: Values, site: Any) -> None:
        """Refuse a method that says two things of one row, or changes the row."""
        ask, shown = getattr(self.tested_processor, name), _copy(values)
        answers = []
        for _turn in range(2):
            answers.append(_answer(ask, shown, site)[0])
            if shown != values:
                self.broken(
                    f"{name} has made {shown} of the row {values}.",
                    "Leave the row as it is, and the lists in it: return a value, or a message.",
                )
        if answers[0] != answers[1]:
            self.broken(
                f"{name} said {answers[0]!r}, and then {answers[1]!r} of the same row.",
                "Let the answer depend on the row and on the portal only.",
            )

    @rule
    def test_row_rules_are_asked_and_refuse(self) -> None:
        """A rule over a row is about columns of an import, and refuses a row by a message."""
        rules = self._declarations().rules
        if not rules:
            self.skipTest("the processor has no rules over a row")
        known = self.tested_processor.available_fields
        answers: dict[str, list[Any]] = {each.name: [] for each in rules}
        for portal in self._portals():
            for name, values in self._asked(portal):
                if name in answers:
                    ask = getattr(self.tested_processor, name)
                    answers[name].append(_answer(ask, _copy(values), portal.site)[0])
        for each in rules:
            unknown = [field for field in each.fields if field not in known]
            if unknown:
                self.broken(
                    f"{each.name} is about {', '.join(unknown)}, which no table has, so that it "
                    "is never asked.",
                    "Correct the names in `@rule`, or add them to the schema.",
                )
            self._require_messages(each, answers[each.name])

    def _require_messages(self, declared: Rule, answers: list[Any]) -> None:
        name, fields = declared.name, ", ".join(declared.fields)
        if not answers:
            self.broken(
                f"no declared row has values for {fields}, so that {name} is not asked.",
                "Give a row of `rows`, or one of `wrong_rows`, a cell for each of them.",
            )
        odd = [answer for answer in answers if not _is_message(answer)]
        if odd:
            self.broken(
                f"{name} returned {odd[0]!r}.",
                "Return None where all is well, else a text: it is the reason of the row.",
            )
        if not any(answers):
            self.broken(
                f"{name} refuses none of the rows that are declared.",
                f"Declare in `wrong` a cell, or in `wrong_rows` cells, for {fields} that it must "
                "refuse, or mend it.",
            )

    @rule
    def test_row_rules_and_computed_fields_do_without_other_cells(self) -> None:
        """Rules over a row, and what computes a field, do without cells that need not be there."""
        declared, processor = self._declarations(), self.tested_processor
        asking: list[Rule | Computed] = [*declared.rules, *declared.computed]
        needed = {each.name: self._needed_by(each) for each in asking}
        for portal in self._portals():
            for name, values in self._asked(portal):
                ask = getattr(processor, name)
                if not _answer(ask, _copy(values), portal.site)[1]:
                    continue
                few = {field: _copy(values[field]) for field in values if field in needed[name]}
                try:
                    ask(few, portal.site)
                except (KeyError, TypeError, AttributeError) as error:
                    missing = sorted(values.keys() - needed[name])
                    self.broken(
                        f"{name} has met a row without {', '.join(missing)} with "
                        f"{in_words(error)}.",
                        "Name the field in `@rule`, or use row.get('weight'): an empty cell gives "
                        "no value.",
                    )
                except Exception:  # noqa: S112
                    # A row may be refused by an exception that was meant.
                    continue

    def _needed_by(self, declared: Rule | Computed) -> frozenset[str]:
        """Return the fields that a row has whenever a method is asked about it."""
        processor = self.tested_processor
        mode = CREATE if isinstance(declared, Computed) and not declared.on_update else UPDATE
        if mode not in processor.modes:
            mode = self._mode()
        given_by_kind = [each.field for each in declarations_of(processor).computed]
        return frozenset(
            (
                *processor.location_fields,
                *processor.req.get(mode, ()),
                *self.key_columns,
                *(given_by_kind if mode == CREATE else ()),
                *(declared.fields if isinstance(declared, Rule) else ()),
            )
        )

    @rule
    def test_computed_fields_get_values(self) -> None:
        """What computes a field is asked for some row, and gives a value that the field takes."""
        computed = self._declarations().computed
        if not computed:
            self.skipTest("the processor computes no fields")
        answers: dict[str, list[Any]] = {each.name: [] for each in computed}
        mode = self._mode()
        for portal in self._portals():
            completer = Completer(self.tested_processor, mode, portal.site)
            for name, values in self._asked(portal):
                if name in answers:
                    ask = getattr(self.tested_processor, name)
                    answers[name].append(_answer(ask, _copy(values), portal.site)[0])
            for row in self.rows:
                values = self._values(row)
                errors = completer.compute(values, mode) if values else ()
                if errors:
                    self.broken(
                        "; ".join(f"{field}: {message}" for field, message in errors),
                        "Return a value that the field takes, or None to leave it alone.",
                    )
        for each in computed:
            self._require_values_of(each, answers[each.name])

    def _require_values_of(self, declared: Computed, answers: list[Any]) -> None:
        name, field = declared.name, declared.field
        if not answers and self._mode() == UPDATE and not declared.on_update:
            self.broken(
                f"{name} is never asked: the processor makes no objects.",
                f"Declare it by `@computed({field!r}, on_update=True)`.",
            )
        if not answers:
            self.broken(
                f"all declared rows have a cell for {field}, so that {name} is not asked.",
                f"Leave {field} out of one of `rows`.",
            )
        if all(answer is None for answer in answers):
            self.broken(
                f"{name} gives no value for any of the rows that are declared.",
                "Declare a row for which there is one, or return it.",
            )

    # -- helpers --------------------------------------------------------------------------

    def _declarations(self) -> Declarations:
        """Return what is declared; leave the test out where nothing is."""
        self.require_rows()
        declared = declarations_of(self.tested_processor)
        if not declared.concern_rows:
            self.skipTest("the processor declares nothing about rows")
        return declared

    def _portals(self) -> Iterator[SamplePortal]:
        """Generate a portal without the objects, and one with them."""
        yield self.portal()
        yield self.portal(with_objects=True)

    def _mode(self) -> str:
        """Return the mode in which the most is asked."""
        return CREATE if {CREATE, UPSERT} & set(self.tested_processor.modes) else UPDATE

    def _values(self, row: Any) -> Values:
        """Return the values that a row gives, nothing if its cells are not good."""
        found, _errors = self.converted(row, self._mode())
        return {} if found is None else given(found)

    def _asked(self, portal: SamplePortal) -> Iterator[tuple[str, Values]]:
        """Generate which method is asked about which values, as an import asks."""
        processor, mode = self.tested_processor, self._mode()
        declared, secrets = declarations_of(processor), secret_names(processor.iface)
        for row in self.declared_rows():
            values = self._values(row)
            if not values:
                continue
            for each in declared.computed:
                if each.field in values or not (mode == CREATE or each.on_update):
                    continue
                seen = shown(values, () if each.sees_secrets else secrets)
                yield each.name, seen
                value, is_good = _answer(getattr(processor, each.name), seen, portal.site)
                if is_good and value is not None:
                    # What comes next may be computed of it.
                    values = {**values, each.field: value}
            for asked in declared.rules:
                if all(values.get(field) is not None for field in asked.fields):
                    yield asked.name, shown(values, () if asked.sees_secrets else secrets)


def _answer(ask: Any, values: Values, site: Any) -> tuple[Any, bool]:
    """Return what a method says of a row, and whether it has said it by no exception.

    An exception is the reason of the row, too.
    """
    try:
        return ask(values, site), True
    except Exception as error:
        return row_error(error), False


def _is_message(answer: Any) -> bool:
    return answer is None or (isinstance(answer, str) and bool(answer.strip()))


def _copy(value: Any) -> Any:
    """Return a value with lists, dicts and sets of its own; objects stay those of the portal."""
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in value.items()}
    if isinstance(value, list | set):
        return type(value)(_copy(one) for one in value)
    return value
