"""The rules of exporters about filters: those of columns, and those of their own."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from persistent import Persistent
from zope import schema
from zope.schema import getFields
from zope.schema.interfaces import IChoice

from waeup.kofa.conversion import explain, plan_fields
from waeup.kofa.errors import Refused
from waeup.kofa.exporting.driver import names_of
from waeup.kofa.exporting.filters import Day, convert
from waeup.kofa.importing.effects import activate
from waeup.kofa.interfaces import DELETION_MARKER
from waeup.kofa.testing.contract import Contract, memory_of, newly_kept, rule
from waeup.kofa.testing.nonsense import NONSENSE, is_strict
from waeup.kofa.testing.samples import SamplePortal

#: Values of a vocabulary that are tried.
_TRIED = 20
#: Values that many fields take, and that are often in question.
_USUAL = (True, False, 0, 1, "a")


class FilterRules(Contract):
    """What an exporter's filters do."""

    @rule
    def test_filters_select(self) -> None:
        """A filter selects the objects that have its value in the column, and no others."""
        portal, filters = self._filtered()
        columns = {name: _column_of(name, field) for name, field in filters.items()}
        columns = {
            name: column
            for name, column in columns.items()
            if column in names_of(self.tested_exporter) and not _is_own(filters[name])
        }
        if not columns:
            self.skipTest("no column is a filter")
        everything = self._found(portal)
        wanted = [
            {
                name: [
                    value
                    for value in _values_of(getattr(obj, column, None))
                    if value != "" and _takes(filters[name].bind(portal.site), value)
                ]
                for name, column in columns.items()
            }
            for obj in everything
        ]
        if not any(any(values.values()) for values in wanted):
            self.broken(
                f"no object has a value that a filter takes: {', '.join(columns)}.",
                "Declare `rows` with cells for these columns.",
            )
        for values in wanted:
            for name, found in values.items():
                for value in found:
                    self._require_selection(portal, {name: value}, filters, everything)
        for one, other in itertools.product(wanted, wanted):
            for first, second in itertools.pairwise(columns):
                if one[first] and other[second]:
                    both = {first: one[first][0], second: other[second][0]}
                    self._require_selection(portal, both, filters, everything)

    def _require_selection(
        self, portal: SamplePortal, wanted: Mapping[str, Any], filters: Any, everything: list[Any]
    ) -> None:
        """Refuse filters that leave out an object which has their values, or take another one."""
        found = self._found(portal, **wanted)
        shown = _shown(wanted)
        for obj in everything:
            has = {name: getattr(obj, _column_of(name, filters[name]), None) for name in wanted}
            fits = all(_fits(filters[name], has[name], value) for name, value in wanted.items())
            if fits and not _among(obj, found):
                self.broken(
                    f"the filter {shown} leaves out an object that has this value.",
                    "Compare the filter with the attribute of the object.",
                )
            if not fits and _among(obj, found):
                self.broken(
                    f"the filter {shown} selects an object with {_shown(has)}.",
                    "Let `get_filtered` leave out what does not fit each keyword.",
                )

    @rule
    def test_filters_read_what_people_write(self) -> None:
        """A filter takes texts, XXX for no value, and refuses by a message what is no value."""
        portal, filters = self._filtered()
        everything = self._found(portal)
        for name, field in filters.items():
            for text in self._texts(name, field, everything, portal):
                self._require_taken(portal, name, field, text)
                self._require_export(portal, name, text)
            if is_strict(field) and self._refusal(portal, name, NONSENSE) is None:
                self.broken(
                    f"the filter {name} takes {NONSENSE!r}.",
                    f"Let the converter of its field, a {type(field).__name__}, refuse it.",
                )
            likely = self._likely_texts(name, field, everything, portal)
            for text in ("", DELETION_MARKER, NONSENSE, *likely):
                if self._refusal(portal, name, text) is None:
                    self._require_export(portal, name, text)

    def _require_taken(self, portal: SamplePortal, name: str, field: Any, text: str) -> None:
        refusal = self._refusal(portal, name, text)
        if refusal is not None:
            self.broken(
                f"the filter {name} refuses {text!r}, by which a value is written: {refusal}",
                f"Let the converter of its field, a {type(field).__name__}, take what it writes.",
            )

    def _require_export(self, portal: SamplePortal, name: str, text: str) -> None:
        """Refuse a filter that has taken a text, and then stops the export."""
        try:
            self.exported(portal, filters=((name, text),))
        except Refused as error:
            self.broken(
                f"the filter {name} with {text!r} stops the export: {error}",
                f"Do with each value that the filter takes; {DELETION_MARKER} gives None, also "
                "where the field of `@filter_by` is required.",
            )

    def _refusal(self, portal: SamplePortal, name: str, text: str) -> str | None:
        """Return why a filter does not take a text; None if it does."""
        try:
            convert(self.tested_exporter.filters, [(name, text)], portal.site)
        except Refused as error:
            return str(error)
        return None

    @rule
    def test_own_filters_tell_objects_apart(self) -> None:
        """A filter of the exporter's own keeps some objects and not all, and changes nothing."""
        columns = names_of(self.tested_exporter)
        own = [
            (name, field)
            for name, field in self._filters().items()
            if _is_own(field) or _column_of(name, field) not in columns
        ]
        names = [name for name, _field in own]
        unknown = sorted(set(self.filters) - set(names))
        if unknown:
            self.broken(
                f"`filters` names {', '.join(unknown)}, and the exporter has of its own: "
                f"{', '.join(names) or 'none'}.",
                "Name no others: filters of columns are given the values of the objects.",
            )
        if not own:
            self.skipTest("the exporter has no filters of its own")
        portal = self.portal(with_objects=True)
        everything = self._found(portal)
        for name, field in own:
            wanted = list(self._wanted(name, field, everything, portal))
            numbers = [self._kept_by(portal, everything, name, value) for value in wanted]
            if not any(0 < number < len(everything) for number in numbers):
                tried = ", ".join(
                    f"{value!r} keeps {number}"
                    for value, number in zip(wanted, numbers, strict=True)
                )
                self.broken(
                    f"the filter {name} tells no objects apart: of {len(everything)} "
                    f"{tried or 'none is asked for'}.",
                    f"Declare in `filters` a text for {name} that some objects pass, and some do "
                    "not, or mend the filter.",
                )

    def _kept_by(self, portal: SamplePortal, everything: list[Any], name: str, value: Any) -> int:
        """Return how many objects a filter keeps; refuse one that does anything else."""
        before, files = portal.picture(), portal.files()
        memory = memory_of(self.tested_exporter)
        found = self._found(portal, **{name: value})
        again = self._found(portal, **{name: value})
        shown = f"the filter {name}={value!r}"
        if len(found) != len(again) or not all(_among(one, again) for one in found):
            self.broken(
                f"{shown} keeps {len(found)} objects, and then {len(again)}.",
                "Let it depend on the object and on the value only.",
            )
        if not all(_among(one, everything) for one in found):
            self.broken(
                f"{shown} selects an object that an export without it has not.",
                "Take the objects that there are, and leave some out.",
            )
        if len(found) > len(everything):
            self.broken(
                f"{shown} selects {len(found)} of {len(everything)} objects.",
                "Give each object once.",
            )
        to_do = "Look at an object, and set nothing."
        self.require_nothing_to_write(portal, shown, to_do)
        self.require_same(portal, before, shown, to_do)
        self.require_files(portal, files, shown)
        kept = newly_kept(self.tested_exporter, memory)
        if kept:
            self.broken(f"{shown} has set {kept}.", "Keep nothing on the exporter.")
        return len(found)

    # -- helpers --------------------------------------------------------------------------

    def _filtered(self) -> tuple[SamplePortal, dict[str, Any]]:
        """Return a portal with objects, and all filters; leave the test out without any."""
        filters = self._filters()
        if not filters:
            self.skipTest("the exporter takes no filters")
        return self.portal(with_objects=True), filters

    def _filters(self) -> dict[str, Any]:
        """Return the filters of the exporter, by name."""
        filters = self.tested_exporter.filters
        return {} if filters is None else getFields(filters)

    def _found(self, portal: SamplePortal, **wanted: Any) -> list[Any]:
        return list(self.tested_exporter.get_filtered(portal.site, **wanted))

    def _texts(
        self, name: str, field: Any, objects: Iterable[Any], portal: SamplePortal
    ) -> Iterator[str]:
        """Generate texts that a filter must take: of values that objects have, and examples."""
        plan, column = self._plan(name, portal), _column_of(name, field)
        for value in (one for obj in objects for one in _values_of(getattr(obj, column, None))):
            if _takes(plan.field, value):
                yield plan.render(value, False)
        yield from filter(None, (self.filters.get(name), explain(field, portal.site).example))

    def _likely_texts(
        self, name: str, field: Any, objects: Iterable[Any], portal: SamplePortal
    ) -> Iterator[str]:
        """Generate texts that a filter may take."""
        plan = self._plan(name, portal)
        for value in self._wanted(name, field, objects, portal):
            yield plan.render(value, False)

    def _plan(self, name: str, portal: SamplePortal) -> Any:
        return plan_fields(self.tested_exporter.filters, [name], portal.site)[name]

    def _wanted(
        self, name: str, field: Any, objects: Iterable[Any], portal: SamplePortal
    ) -> Iterator[Any]:
        """Generate values for a filter: that of the text which is declared, or likely ones."""
        if name in self.filters:
            texts = [(name, self.filters[name])]
            yield convert(self.tested_exporter.filters, texts, portal.site)[name]
            return
        bound = field.bind(portal.site)
        given = (value for obj in objects for value in _attributes(obj))
        known: list[Any] = []
        for value in (*_allowed(bound), *_USUAL, *given):
            if _takes(bound, value) and not any(
                type(one) is type(value) and one == value for one in known
            ):
                known.append(value)
        yield from known


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _is_own(field: Any) -> bool:
    """Tell whether the exporter says itself, by `filter_by`, which objects pass a filter."""
    return vars(field).get("passes") is not None


def _column_of(name: str, field: Any) -> str:
    """Return the column that a filter is about, if it is about one."""
    return field.column if isinstance(field, Day) else name


def _fits(field: Any, has: Any, value: Any) -> bool:
    """Tell whether an object that has a value in the column passes a filter."""
    if isinstance(has, list | tuple | set | frozenset):
        return value in has
    if isinstance(field, Day):
        day = has.date() if isinstance(has, datetime) else has
        return day is not None and field.passes(day, value)
    return bool(has == value)


def _values_of(value: Any) -> list[Any]:
    """Return the values by which an object with `value` is found: of a list each one."""
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _attributes(obj: Any) -> Iterator[Any]:
    activate(obj)
    for name, value in list(getattr(obj, "__dict__", {}).items()):
        if name[:1] != "_":
            yield from _values_of(value)


def _allowed(bound: Any) -> list[Any]:
    """Return the first allowed values of a choice; none where nobody can list them."""
    if not IChoice.providedBy(bound):
        return []
    try:
        return [term.value for term, _ in zip(bound.vocabulary, range(_TRIED), strict=False)]
    except TypeError:
        return []


def _among(obj: Any, objects: Iterable[Any]) -> bool:
    """Tell whether an object is there; one that is no object of the database may be made anew."""
    return any(one is obj or (not isinstance(obj, Persistent) and one == obj) for one in objects)


def _takes(field: Any, value: Any) -> bool:
    """Tell whether a filter can have a value; its vocabulary may be known to a portal only."""
    if value is None or (isinstance(value, bool) and isinstance(field, schema.Int)):
        # To Python, but to nobody else, True is a whole number.
        return False
    try:
        field.validate(value)
    except Exception:
        return False
    return True
