"""The rules of processors about `file_rules`: what looks at a file as a whole."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from persistent import Persistent
from zope.schema import getFields

from waeup.kofa.errors import FatalCSVError
from waeup.kofa.importing.completing import Completer
from waeup.kofa.importing.filerules import Broken, FileRule, broken_rules, rules_for
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE
from waeup.kofa.testing.contract import (
    Contract,
    in_words,
    memory_of,
    newly_kept,
    place_of,
    rule,
)
from waeup.kofa.testing.samples import Row, SamplePortal
from waeup.kofa.testing.watching import Seen, Witness, at_end_of, told_by, with_file_rules

#: Rows of a small file and of a large one, by which is seen what grows.
FEW, MANY = 50, 1050
#: A day from which others are counted.
_DAY = date(2001, 2, 3).toordinal()


class Look(NamedTuple):
    """A file as rules see it: what it is, in words, and its rows."""

    what: str
    rows: Sequence[Seen]

    @property
    def values(self) -> list[Mapping[str, Any] | None]:
        """What the rows say; None for those that cannot be read."""
        return [values for _number, values in self.rows]


class _GivenUp(Exception):
    """Somebody ends a look at a file."""


class WholeFileRules(Contract):
    """What a processor's rules over a whole file do with files."""

    @rule
    def test_file_rules_are_about_columns(self) -> None:
        """A rule over a whole file is an instance of FileRule, about columns of an import."""
        processor = self.tested_processor
        rules = getattr(processor, "file_rules", ())
        if not isinstance(rules, list | tuple):
            self.broken(
                f"`file_rules` is {rules!r}.",
                "Make it a tuple of rules: file_rules = (Total('weight', most=100),).",
            )
        if not rules and self.wrong_files:
            self.broken(
                "the processor has no rules over a whole file, and `wrong_files` are imported.",
                "Declare `file_rules`, or take out `wrong_files`.",
            )
        if not rules:
            self.skipTest("the processor has no rules over a whole file")
        for each in rules:
            if not isinstance(each, FileRule):
                self.broken(
                    f"`file_rules` has {each!r}.",
                    "Put instances into it, of classes that inherit from "
                    "`waeup.kofa.importing.filerules.FileRule`.",
                )
            names = each.fields
            if isinstance(names, str):
                self.broken(
                    f"`fields` of {_name(each)} is the text {names!r}.",
                    f"Make it a tuple: fields = ({names!r},).",
                )
            unknown = [name for name in names if name not in processor.available_fields]
            if unknown:
                self.broken(
                    f"{_name(each)} is about {', '.join(unknown)}, which no table has, so that "
                    "it is never asked.",
                    "Correct `fields`, or add them to the schema.",
                )

    @rule
    def test_file_rules_change_nothing(self) -> None:
        """A rule over a whole file changes nothing: no row, no object, no file, not itself."""
        to_do = "Look, and change nothing; set what a rule remembers in `begin`, on the rule."
        for mode, portal, each in self._looking():
            looks, name = self._looks(portal, each, mode), _name(each)
            before, files, memory = portal.picture(), portal.files(), memory_of(each)
            for look in looks:
                shown = [repr(values) for values in look.values]
                self._told(each, look.rows, portal, mode)
                for values, text in zip(look.values, shown, strict=True):
                    if repr(values) != text:
                        self.broken(
                            f"{name} has made {values!r} of the row {text}.",
                            "Leave rows, and the lists in them, as they are: others see them, "
                            "too.",
                        )
            self.require_nothing_to_write(portal, name, to_do)
            self.require_same(portal, before, name, to_do)
            self.require_files(portal, files, name)
            kept = newly_kept(each, memory)
            if kept:
                self.broken(f"{name} has set {kept}, which all files share.", to_do)

    @rule
    def test_file_rules_begin_anew_with_each_file(self) -> None:
        """A rule over a whole file says the same of it again, whatever it has seen meanwhile."""
        for mode, portal, each in self._looking():
            for look in self._looks(portal, each, mode):
                first = self._told(each, look.rows, portal, mode)
                again = self._told(each, look.rows, portal, mode)
                self._require_same_words(each, look, first, again, "once more")
                another = _numbered(reversed(look.rows))
                see_another = partial(broken_rules, [each], another, portal.site, mode)
                rows = _interrupted(look.rows, see_another)
                again = self._told(each, rows, portal, mode)
                self._require_same_words(each, look, first, again, "while another one was seen")

    def _require_same_words(
        self, each: Any, look: Look, first: Any, again: Any, when: str
    ) -> None:
        if first != again:
            self.broken(
                f"{_name(each)} said {first!r} of {look.what}, and {again!r} {when}.",
                "Set all that it remembers in `begin`, by an attribute of the rule, not of its "
                "class: each file is looked at by a copy.",
            )

    @rule
    def test_file_rules_do_with_every_file(self) -> None:
        """A rule over a whole file does with one that has no rows, or none that says anything."""
        for mode, portal, each in self._looking():
            rows = self._sample(portal, each, mode).rows
            for what, shown in (
                ("a file without rows", ()),
                ("a file whose rows cannot be read", _missed(rows)),
                ("a file whose rows say no more than they need", self._barely(rows, mode)),
                ("a file that was given up", _interrupted(rows[:2], _give_up)),
                ("a file that was given up at once", _interrupted((), _give_up)),
            ):
                try:
                    broken_rules([each], shown, portal.site, mode)
                except _GivenUp:
                    continue
                except Exception as error:
                    self.broken(
                        f"{_name(each)} has met {what} with {in_words(error)}, raised "
                        f"{place_of(error)}.",
                        "Set in `begin` what `end` and `close` need: there need not be any row, "
                        "`close` is called in any case, and an empty cell gives no value.",
                    )

    @rule
    def test_file_rules_refuse_in_words(self) -> None:
        """A rule over a whole file refuses some file, in words, and names rows of that file."""
        processor = self.tested_processor
        refused: set[int] = set()
        for mode, portal, each in self._looking():
            for look in self._looks(portal, each, mode):
                told = self._told(each, look.rows, portal, mode)
                self._require_words(each, look, told)
                if told and any(look.values):
                    refused.add(id(each))
            if mode == CREATE:
                reasons = portal.broken_rules(processor, self.rows, mode)
                if reasons:
                    self.broken(
                        f"the table of `rows` is refused: {' '.join(reasons)}",
                        "Declare rows that keep the rules over a whole file, or mend these.",
                    )
        for each in processor.file_rules:
            if id(each) not in refused:
                self.broken(
                    f"{_name(each)} refuses no file that is declared.",
                    "Declare in `wrong_files` a table that breaks it, or mend it: "
                    "wrong_files = [[{'name': 'Zoe'}, {'name': 'Ann'}]].",
                )
        self._require_wrong_files()

    def _require_words(self, each: Any, look: Look, told: Any) -> None:
        """Refuse what `end` has returned, if nobody can read it."""
        if not isinstance(told, list):
            self.broken(
                f"`end` of {_name(each)} returned {told!r}.",
                "Return a list of what is wrong, or yield it; nothing, if all is well.",
            )
        known = {number for number, _values in look.rows}
        for one in told:
            if not isinstance(one, Broken):
                self.broken(
                    f"`end` of {_name(each)} gave {one!r}.",
                    "Give `Broken(message, rows)` for each thing that is wrong.",
                )
            if not (isinstance(one.message, str) and one.message.strip()):
                self.broken(
                    f"{_name(each)} refuses {look.what} with the message {one.message!r}.",
                    "Say in words what is wrong, and what would be right.",
                )
            others = [number for number in one.rows if number not in known]
            if others:
                self.broken(
                    f"{_name(each)} names the rows {others} of {look.what}, which has "
                    f"{len(known)} rows.",
                    "Name the numbers that `see` and `miss` were given.",
                )

    def _require_wrong_files(self) -> None:
        """Refuse a table of `wrong_files` that would be imported."""
        processor, portal = self.tested_processor, self.portal()
        for number, table in enumerate(self.wrong_files, 1):
            if not any(
                portal.broken_rules(processor, table, mode)
                for mode in processor.modes
                if self._fits(table, mode)
            ):
                self.broken(
                    f"table {number} of `wrong_files` keeps all rules over a whole file.",
                    "Mend the rule that it should break, or take it out.",
                )

    @rule
    def test_file_rules_do_not_grow(self) -> None:
        """A rule over a whole file keeps nothing that grows with the file."""
        seen: set[int] = set()
        for mode, portal, each in self._looking():
            if id(each) in seen:
                continue
            seen.add(id(each))
            for grown in self._long_files(portal, each, mode):
                few, many = (self._held(each, grown(rows), portal, mode) for rows in (FEW, MANY))
                if many - few > (MANY - FEW) // 2:
                    self.broken(
                        f"{_name(each)} keeps {few} values and characters of {FEW} rows, and "
                        f"{many} of {MANY}.",
                        "Keep numbers, and the first rows that are wrong; what must be known of "
                        "all rows belongs on disk, as `UniqueTogether` does it.",
                    )

    # -- files ----------------------------------------------------------------------------

    def _looking(self) -> Iterator[tuple[str, SamplePortal, Any]]:
        """Generate mode, portal and rule for each rule that is asked about a declared table."""
        self.require_rows()
        processor = self.tested_processor
        if not getattr(processor, "file_rules", ()):
            self.skipTest("the processor has no rules over a whole file")
        for mode in processor.modes:
            portal = self.portal(with_objects=mode in (UPDATE, REMOVE))
            for each in processor.file_rules:
                if self._tables(each, mode):
                    yield mode, portal, each

    def _tables(self, each: Any, mode: str) -> dict[str, Sequence[Row]]:
        """Return the declared tables about which a rule is asked in `mode`, and what they are."""
        rows = [self.key_cells(row) for row in self.rows] if mode == REMOVE else self.rows
        tables = {"the table of `rows`": rows}
        for number, table in enumerate(self.wrong_files, 1):
            tables[f"table {number} of `wrong_files`"] = table
        processor = self.tested_processor
        return {
            what: table
            for what, table in tables.items()
            if self._fits(table, mode) and each in rules_for(processor, _columns(table))
        }

    def _fits(self, table: Sequence[Row], mode: str) -> bool:
        """Tell whether a table has the columns that an import in `mode` needs."""
        try:
            self.tested_processor.checkHeaders(_columns(table), mode)
        except FatalCSVError:
            return False
        return True

    def _seen(self, portal: SamplePortal, table: Sequence[Row], mode: str) -> list[Seen]:
        """Return the rows of a table as rules get to see them."""
        seen: list[Seen] = []
        with with_file_rules(self.tested_processor, Witness(seen)):
            portal.broken_rules(self.tested_processor, table, mode)
        return seen

    def _sample(self, portal: SamplePortal, each: Any, mode: str) -> Look:
        """Return the first of the tables about which a rule is asked."""
        what, table = next(iter(self._tables(each, mode).items()))
        return Look(what, self._seen(portal, table, mode))

    def _looks(self, portal: SamplePortal, each: Any, mode: str) -> list[Look]:
        """Return the files that a rule is to look at: declared ones, and what is made of one."""
        what, rows = self._sample(portal, each, mode)
        return [
            *(
                Look(what, self._seen(portal, table, mode))
                for what, table in self._tables(each, mode).items()
            ),
            Look(f"{what}, each row twice", _numbered([*rows, *rows])),
            Look(f"{what}, backwards", _numbered(reversed(rows))),
            Look(f"the first row of {what}", rows[:1]),
            Look("a table of which no row can be read", _missed(rows)),
            Look("a table without rows", ()),
        ]

    def _barely(self, rows: Iterable[Seen], mode: str) -> list[Seen]:
        """Return rows of which all cells are empty that may be."""
        processor = self.tested_processor
        needed = {*processor.location_fields, *processor.req[mode], *self.key_columns}
        return [
            (number, values and {name: values[name] for name in values if name in needed})
            for number, values in rows
        ]

    def _told(self, each: Any, rows: Iterable[Seen], portal: SamplePortal, mode: str) -> Any:
        """Return what a rule says at the end of a file."""
        with told_by(each) as told:
            broken_rules([each], rows, portal.site, mode)
        return told[-1]

    # -- long files -----------------------------------------------------------------------

    def _held(self, each: Any, rows: Iterable[Seen], portal: SamplePortal, mode: str) -> int:
        """Return how much a rule keeps at the end of a file."""
        sizes: list[int] = []
        with at_end_of(each, lambda own: sizes.append(_size(vars(own), {}))):
            broken_rules([each], rows, portal.site, mode)
        return sizes[0]

    def _long_files(
        self, portal: SamplePortal, each: Any, mode: str
    ) -> Iterator[Callable[[int], Iterable[Seen]]]:
        """Generate functions that make a file of some number of rows, no two of them the same."""
        values = next(filter(None, self._sample(portal, each, mode).values), {})
        fields = getFields(self.tested_processor.iface)
        names = [name for name in values if _varies(fields.get(name), values[name], portal.site)]
        completer = Completer(self.tested_processor, mode, portal.site)

        def rows(varied: Sequence[str], most: int, is_falling: bool = False) -> Iterator[Seen]:
            for number in range(1, most + 1):
                at = most - number if is_falling else number
                row = {**values, **{name: _varied(values[name], at) for name in varied}}
                # What a rule over a row refuses is no good row.
                yield number, None if completer.broken(row) else row

        yield lambda number: ((at, None) for at in range(1, number + 1))
        for varied in (names, *([name] for name in names)):
            yield partial(rows, varied)
            yield partial(rows, varied, is_falling=True)


def _name(each: Any) -> str:
    return type(each).__name__


def _columns(table: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in table for name in row))


def _numbered(rows: Iterable[Seen]) -> list[Seen]:
    """Return rows with numbers from 1, each with values of its own."""
    return [
        (number, None if values is None else dict(values))
        for number, (_number, values) in enumerate(rows, 1)
    ]


def _missed(rows: Iterable[Seen]) -> list[Seen]:
    return [(number, None) for number, _values in rows]


def _interrupted(rows: Sequence[Seen], stop: Callable[[], object]) -> Iterator[Seen]:
    """Generate rows; `stop` is called in the middle."""
    middle = len(rows) // 2
    yield from rows[:middle]
    stop()
    yield from rows[middle:]


def _give_up() -> None:
    raise _GivenUp


def _varied(value: Any, number: int) -> Any:
    """Return another value like `value`."""
    if isinstance(value, str):
        return f"{value}{number:05}"
    return date.fromordinal(_DAY + number) if isinstance(value, date) else number + 1


def _varies(field: Any, value: Any, site: Any) -> bool:
    """Tell whether a field takes many values like `value`."""
    if field is None or type(value) not in (str, int, date):
        return False
    bound = field.bind(site)
    try:
        for number in (0, FEW, MANY):
            bound.validate(_varied(value, number))
    except Exception:
        return False
    return True


def _size(value: Any, seen: dict[int, Any]) -> int:
    """Return how many values and characters there are in a value; objects of a portal are none."""
    if id(value) in seen or isinstance(value, Persistent | type):
        return 0
    # What is held keeps its id.
    seen[id(value)] = value
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, Mapping):
        return sum(1 + _size(name, seen) + _size(one, seen) for name, one in value.items())
    if isinstance(value, list | tuple | set | frozenset | deque):
        return sum(1 + _size(one, seen) for one in value)
    return _size(vars(value), seen) if hasattr(value, "__dict__") else 0
