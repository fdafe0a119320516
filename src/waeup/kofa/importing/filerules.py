"""Rules over a whole file: the sum of a column, combinations that are there once, a complete set.

They are looked at before the first row is applied, by a check and by an import; an import whose
file breaks one is refused, and nothing was written.  All rules of a kind see the rows in one
pass, which reads and converts them; a kind without rules has no such pass.  What a rule keeps
must not grow with the file: `UniqueTogether` keeps it on disk.
"""

import copy
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

from waeup.kofa.conversion import render_value
from waeup.kofa.conversion.wording import listing, shown
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english
from waeup.kofa.importing.hooks import CREATE

#: Rows that a message names, and values that it lists.
NAMED = 8
#: Messages of one rule that are told.
MOST_MESSAGES = 20
#: Bytes that tell the values of a row from those of another one.
MARK = 16
#: Instructions of a database between two looks at whether the work is to end: some milliseconds.
STEPS = 100_000


class Broken(NamedTuple):
    """What is wrong with a file as a whole, and the numbers of rows that show it."""

    message: str
    rows: tuple[int, ...] = ()


class FileRule:
    """A rule over the rows of one file; a kind lists its rules as `file_rules`.

    The methods are called in this order: `begin`, then `see` or `miss` for each row, `end`.  They
    must change nothing.  Each file is looked at by a copy of its own, so that a rule may remember
    what it has seen in its attributes; what a class has is shared.  `fields` are those that the
    rule is about: where a file fills none of them, it is not asked.

    A `begin` or an `end` that takes long calls `heed` again and again: it tells people that the
    work goes on, and raises when it is to end, which must come through.
    """

    fields: Sequence[str] = ()

    def heed(self) -> None:
        """Let the portal tell and hear; between two rows it does so by itself."""

    def begin(self, site: Any, mode: str) -> None:
        """Begin with a file; `mode` is that of the import."""

    def see(self, number: int, row: Mapping[str, Any]) -> None:
        """Look at a row whose cells are good: its number, and the values that it gives."""

    def miss(self, number: int) -> None:
        """Know that a row cannot be applied, whatever it says; its cells are not good."""

    def end(self) -> Iterable[Broken]:
        """Return what is wrong with the file; nothing if it keeps the rule."""
        return ()

    def close(self) -> None:
        """Let go of what `begin` has taken; is called whatever happens afterwards."""


class Total(FileRule):
    """The values of a column add up to `expected`, or are within `least` and `most`.

    `expected` is a number, or a function of the site that returns it.  A row that cannot be read
    leaves the sum open, which breaks the rule.
    """

    def __init__(
        self,
        field: str,
        expected: Any = None,
        *,
        least: Any = None,
        most: Any = None,
    ) -> None:
        self.fields = (field,)
        self._wanted = expected
        self._least, self._most = least, most

    def begin(self, site: Any, mode: str) -> None:
        """See `FileRule`."""
        self._total: Any = 0
        self._missed: list[int] = []
        self._expected = self._wanted(site) if callable(self._wanted) else self._wanted

    def see(self, number: int, row: Mapping[str, Any]) -> None:
        """See `FileRule`."""
        value = row.get(self.fields[0])
        if value is None:
            return
        try:
            self._total += value
        except TypeError:
            raise TypeError(
                f"Total({self.fields[0]!r}): {value!r} cannot be added. Name a column of numbers."
            ) from None

    def miss(self, number: int) -> None:
        """See `FileRule`."""
        if len(self._missed) <= NAMED:
            self._missed.append(number)

    def end(self) -> Iterator[Broken]:
        """See `FileRule`."""
        words = {"field": self.fields[0], "total": self._total}
        if self._missed:
            text = _("${field}: the sum is not known, since there are rows that cannot be read.")
            yield Broken(_(text, mapping=words), tuple(self._missed))
            return
        for limit, is_kept, text in (
            (
                self._expected,
                self._total == self._expected,
                _("${field}: the sum of all rows is ${total}; ${limit} is right."),
            ),
            (
                self._least,
                self._least is None or self._total >= self._least,
                _("${field}: the sum of all rows is ${total}; it must be ${limit} or more."),
            ),
            (
                self._most,
                self._most is None or self._total <= self._most,
                _("${field}: the sum of all rows is ${total}; it must be ${limit} or less."),
            ),
        ):
            if limit is not None and not is_kept:
                yield Broken(_(text, mapping={**words, "limit": limit}))


class UniqueTogether(FileRule):
    """No two rows have the same values in all `fields`; rows without any value do not count.

    Nor do rows for objects that may be there already, if they leave any of the fields as it was.
    """

    def __init__(self, *fields: str) -> None:
        self.fields = fields

    def begin(self, site: Any, mode: str) -> None:
        """See `FileRule`."""
        self._is_for_new = mode == CREATE
        # A database without a name is a temporary file, of which little is kept in memory.
        self._seen = sqlite3.connect("")
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (row INTEGER, mark BLOB, text TEXT)")

    def see(self, number: int, row: Mapping[str, Any]) -> None:
        """See `FileRule`."""
        if not self._is_for_new and not row.keys() >= set(self.fields):
            return
        values = [row.get(name) for name in self.fields]
        if any(value is not None for value in values):
            texts = [render_value(value, safe=False) for value in values]
            # Long texts that differ late are not the same, although they are shown alike.
            whole = json.dumps(texts).encode()
            mark = blake2b(whole, digest_size=MARK).digest()
            told = ", ".join(map(shown, texts))
            self._seen.execute("INSERT INTO seen VALUES (?, ?, ?)", (number, mark, told))

    def end(self) -> Iterator[Broken]:
        """See `FileRule`."""
        self._raised: BaseException | None = None
        self._seen.set_progress_handler(self._is_to_end, STEPS)
        try:
            yield from self._found()
        except sqlite3.OperationalError:
            if self._raised is None:
                raise
            raise self._raised from None

    def _found(self) -> Iterator[Broken]:
        self._seen.execute("CREATE INDEX by_mark ON seen (mark, row)")
        double = self._seen.execute(
            "SELECT mark, min(row), text FROM seen GROUP BY mark HAVING count(*) > 1 "
            "ORDER BY min(row)"
        )
        for mark, _first, text in double:
            rows = self._seen.execute(
                "SELECT row FROM seen WHERE mark = ? ORDER BY row LIMIT ?", (mark, NAMED + 1)
            )
            words = {"fields": ", ".join(self.fields), "text": text}
            message = _("${fields}: ${text} is there more than once.", mapping=words)
            yield Broken(message, tuple(row for (row,) in rows))

    def _is_to_end(self) -> bool:
        """Interrupt the database when the work is to end; an exception could not come through."""
        try:
            self.heed()
        except BaseException as exc:
            self._raised = exc
        return self._raised is not None

    def close(self) -> None:
        """See `FileRule`."""
        self._seen.close()


class Complete(FileRule):
    """The file has a row for each of a set of values of `field`; more are welcome.

    `wanted` is a function of the site that returns these values, of which there are not so many
    that memory would be short.
    """

    def __init__(self, field: str, wanted: Callable[[Any], Iterable[Any]]) -> None:
        self.fields = (field,)
        self._wanted = wanted

    def begin(self, site: Any, mode: str) -> None:
        """See `FileRule`."""
        self._left = dict.fromkeys(self._heeded(self._wanted(site)))

    def _heeded(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.heed()
            yield value

    def see(self, number: int, row: Mapping[str, Any]) -> None:
        """See `FileRule`."""
        self._left.pop(row.get(self.fields[0]), None)

    def end(self) -> Iterator[Broken]:
        """See `FileRule`."""
        if self._left:
            missing = listing((render_value(value, safe=False) for value in self._left), NAMED)
            words = {"field": self.fields[0], "missing": missing}
            yield Broken(_("${field}: there is no row for ${missing}.", mapping=words))


class _Pass:
    """One look of all rules at the rows of a file; `rules` have begun with it."""

    def __init__(self, rules: Sequence[FileRule]) -> None:
        self._rules = rules

    def see(self, number: int, row: Mapping[str, Any] | None) -> None:
        """Show a row to all rules; None for one whose cells are not good."""
        for rule in self._rules:
            if row is None:
                rule.miss(number)
            else:
                rule.see(number, row)

    def end(self) -> Iterator[str]:
        """Generate what is wrong, in words for people that name the rows."""
        for rule in self._rules:
            found = iter(rule.end())
            for broken in islice(found, MOST_MESSAGES):
                yield _told(broken)
            if next(found, None) is not None:
                yield english(_("And more of the same kind."))


def rules_for(processor: Any, fields: Iterable[str]) -> list[FileRule]:
    """Return the rules of a kind that are about any of `fields`, those that a file fills."""
    filled = set(fields)
    rules: Any = getattr(processor, "file_rules", ())
    if not isinstance(rules, list | tuple) or not all(
        isinstance(each, FileRule) for each in rules
    ):
        raise TypeError(
            f"{type(processor).__name__}.file_rules is {rules!r}. It has to be a tuple of rules: "
            "file_rules = (Total('weight', most=100),)."
        )
    return [rule for rule in rules if not rule.fields or filled.intersection(rule.fields)]


def broken_rules(
    rules: Iterable[FileRule],
    rows: Iterable[tuple[int, Mapping[str, Any] | None]],
    site: Any,
    mode: str,
    heed: Callable[[], object] | None = None,
) -> tuple[str, ...]:
    """Return what is wrong with a file as a whole, by `rules`.

    `rows` are pairs of number and values, None where the cells of a row are not good.  `heed` is
    called between rows, and by rules that take long; what it raises ends the look.
    """
    begun = []
    with ExitStack() as closing:
        for rule in rules:
            own: Any = _copied(rule)
            if heed is not None:
                own.heed = heed
            own.begin(site, mode)
            closing.callback(own.close)
            begun.append(own)
        look = _Pass(begun)
        for number, row in rows:
            if heed is not None:
                heed()
            look.see(number, row)
        return tuple(look.end())


def _copied(rule: FileRule) -> FileRule:
    """Return a copy of a rule, with lists, dicts and sets of its own."""
    own = copy.copy(rule)
    for name, value in vars(rule).items():
        if isinstance(value, list | dict | set):
            setattr(own, name, copy.copy(value))
    return own


def _told(broken: Broken) -> str:
    message = english(broken.message)
    if not broken.rows:
        return message
    numbers = ", ".join(map(str, broken.rows[:NAMED]))
    more = "..." if len(broken.rows) > NAMED else ""
    return english(
        _("${message} (rows ${rows})", mapping={"message": message, "rows": numbers + more})
    )
