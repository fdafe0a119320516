"""The rows that a check has found failing: their cells, and their problems in groups.

Kept in the database file of the check (`waeup.kofa.importing.checking`), so that people can
see and correct them without the table being read again.  Rows that were corrected before are
kept, too; of no other row is anything kept.  What fills a password is kept as a hash, or not at
all.
"""

import json
import re
import sqlite3
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from waeup.kofa.conversion import unguard
from waeup.kofa.importing.completing import MISSING
from waeup.kofa.importing.engine import Columns
from waeup.kofa.importing.reasons import VARYING, in_common, kind_of
from waeup.kofa.importing.report import FAILED, RowResult
from waeup.kofa.interfaces import RAW_COLUMN

_TABLES = """
CREATE TABLE columns (position INTEGER PRIMARY KEY, name TEXT, field TEXT, is_secret INTEGER);
CREATE TABLE kept (
    number INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    has_failed INTEGER NOT NULL,
    is_damaged INTEGER NOT NULL,
    cells TEXT,
    raw TEXT
);
CREATE TABLE problems (
    number INTEGER NOT NULL,
    field TEXT NOT NULL,
    position INTEGER,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    in_group INTEGER
);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    position INTEGER,
    kind TEXT NOT NULL,
    rows INTEGER NOT NULL,
    texts INTEGER NOT NULL
);
"""
# The most frequent group has the number 1.
_GROUPS = """
CREATE INDEX kept_failed ON kept (number) WHERE has_failed;
CREATE INDEX problems_by_row ON problems (number);
INSERT INTO groups (field, position, kind, rows, texts)
    SELECT problems.field, problems.position, kind, count(DISTINCT number),
        count(DISTINCT json_extract(cells, '$[' || shown.position || ']'))
    FROM problems JOIN kept USING (number)
        LEFT JOIN columns AS shown ON shown.position = problems.position AND NOT is_secret
    GROUP BY problems.field, problems.position, kind
    ORDER BY count(DISTINCT number) DESC, min(number), problems.field, kind;
CREATE UNIQUE INDEX groups_by_kind ON groups (field, position, kind);
UPDATE problems SET in_group = (
    SELECT id FROM groups WHERE groups.field = problems.field
        AND groups.position IS problems.position AND groups.kind = problems.kind
);
CREATE INDEX problems_by_group ON problems (in_group, number);
"""
_MESSAGES = """
SELECT DISTINCT in_group, message FROM problems JOIN groups ON groups.id = in_group
    WHERE instr(groups.kind, ?) ORDER BY in_group
"""
_FIELD = re.compile(r"(\w+): (.+)", re.DOTALL)


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a row: with the cell at `position`, or, where that is None, as a whole.

    `field` is ``''`` when no single field is concerned.
    """

    field: str
    position: int | None
    message: str


@dataclass(frozen=True)
class KeptRow:
    """A row as it stands in the table.

    `number` counts source rows, `line` is the physical line.  The `cells` of one that
    `is_damaged` cannot be trusted; they may be more or fewer than there are columns, and `raw`
    is its text as far as it may be shown.  `cells` is empty for one whose cells are not kept,
    since secrets may be anywhere.  A secret is a hash here.
    """

    number: int
    line: int
    has_failed: bool
    is_damaged: bool
    cells: tuple[str, ...]
    raw: str | None
    problems: tuple[RowProblem, ...]


@dataclass(frozen=True)
class ProblemGroup:
    """Like problems of many rows.

    `title` says what is wrong, with ``…`` in place of what varies.  It concerns the cells of
    the column at `position`, which fill `field`; for rows as a whole that is None, and `field`
    is ``''``.  `rows` have the problem, and `texts` different texts are in the column, unless
    that is secret.
    """

    id: int
    field: str
    position: int | None
    title: str
    rows: int
    texts: int


class FailingWriter:
    """Keeps the rows that fail, of a table with `columns`, in the file of a check."""

    def __init__(self, database: sqlite3.Connection, columns: Columns) -> None:
        self._database = database
        self._columns = columns
        # A field that no column fills has a constant, or nothing at all.
        self._positions = {
            field: at for at, field in enumerate(columns.fields) if field is not None
        }
        self._raw = columns.names.index(RAW_COLUMN) if RAW_COLUMN in columns.names else None
        database.executescript(_TABLES)
        padded = (*columns.fields, *[None] * (len(columns.names) - len(columns.fields)))
        database.executemany(
            "INSERT INTO columns VALUES (?, ?, ?, ?)",
            (
                (at, readable(name), field, at in columns.secrets)
                for at, (name, field) in enumerate(zip(columns.names, padded, strict=True))
            ),
        )

    def keep(self, result: RowResult) -> None:
        """Keep a row that failed or was corrected."""
        row, has_failed = result.source, result.outcome == FAILED
        is_damaged = row.problem is not None
        if self._raw is not None and not is_damaged:
            is_damaged = bool(row.values[self._raw])
        is_hidden = is_damaged and self._columns.hides_damage
        cells = () if is_hidden else self._cells(row.values, result)
        raw = row.raw if row.problem is not None else None
        if raw is None and is_damaged and self._raw is not None:
            raw = unguard(row.values[self._raw]) or row.values[self._raw]
        self._database.execute(
            "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?)",
            (
                result.number,
                result.line,
                has_failed,
                is_damaged,
                json.dumps([readable(cell) for cell in cells]),
                None if is_hidden or raw is None else readable(raw),
            ),
        )
        if not has_failed:
            return
        found = problems_of(result, self._positions)
        if is_damaged and not result.is_corrected and row.problem is not None:
            kinds = [row.problem.code.replace("-", " ").capitalize()] * len(found)
        else:
            kinds = [kind_of(problem.message) for problem in found]
        self._database.executemany(
            "INSERT INTO problems VALUES (?, ?, ?, ?, ?, NULL)",
            (
                (result.number, p.field, p.position, readable(kind), readable(p.message))
                for p, kind in zip(found, kinds, strict=True)
            ),
        )

    def finish(self) -> None:
        """Put like problems into groups."""
        self._database.executescript(_GROUPS)
        # Until here, a group is named by its kind: less than what its messages have in common.
        found = self._database.execute(_MESSAGES, (VARYING,))
        titles = [
            (in_common(message for _id, message in messages), id)
            for id, messages in groupby(found, key=itemgetter(0))
        ]
        self._database.executemany("UPDATE groups SET kind = ? WHERE id = ?", titles)

    def _cells(self, values: Sequence[str], result: RowResult) -> list[str]:
        cells = list(values)
        for at in self._columns.secrets:
            if at < len(cells):
                field = self._columns.fields[at] if at < len(self._columns.fields) else None
                # A hash, or what goes to another field and thus is none.
                cells[at] = "" if field is None else result.cells.get(field, "")
        return cells


class FailingReader:
    """Shows the rows that a check has found failing; `database` is its open file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def columns(self) -> list[tuple[str, str | None, bool]]:
        """Return name, field, and whether it is secret, of all columns; none of an old check."""
        found = self._database.execute("SELECT name FROM sqlite_master WHERE name = 'columns'")
        if found.fetchone() is None:
            return []
        query = "SELECT name, field, is_secret FROM columns ORDER BY position"
        return [
            (name, field, bool(secret)) for name, field, secret in self._database.execute(query)
        ]

    def groups(self, limit: int) -> list[ProblemGroup]:
        """Return groups of like problems, the most frequent first."""
        query = "SELECT id, field, position, kind, rows, texts FROM groups ORDER BY id LIMIT ?"
        return [ProblemGroup(*found) for found in self._database.execute(query, (limit,))]

    def group(self, id: int) -> ProblemGroup | None:
        """Return a group, or None."""
        query = "SELECT id, field, position, kind, rows, texts FROM groups WHERE id = ?"
        found = self._database.execute(query, (id,)).fetchone()
        return None if found is None else ProblemGroup(*found)

    def rows(self, group: int | None, start: int, limit: int) -> list[KeptRow]:
        """Return rows that fail, of a group or all, from the one at position `start`."""
        if group is None:
            chosen = "SELECT number FROM kept WHERE has_failed ORDER BY number LIMIT ? OFFSET ?"
            values: tuple[int, ...] = (limit, start)
        else:
            chosen = (
                "SELECT DISTINCT number FROM problems WHERE in_group = ? ORDER BY number "
                "LIMIT ? OFFSET ?"
            )
            values = (group, limit, start)
        numbers = [number for (number,) in self._database.execute(chosen, values)]
        return [row for number in numbers if (row := self.row(number)) is not None]

    def row(self, number: int) -> KeptRow | None:
        """Return a row that was kept, or None."""
        query = "SELECT line, has_failed, is_damaged, cells, raw FROM kept WHERE number = ?"
        found = self._database.execute(query, (number,)).fetchone()
        if found is None:
            return None
        line, has_failed, is_damaged, cells, raw = found
        query = "SELECT field, position, message FROM problems WHERE number = ? ORDER BY rowid"
        return KeptRow(
            number,
            line,
            bool(has_failed),
            bool(is_damaged),
            tuple(json.loads(cells)),
            raw,
            tuple(RowProblem(*problem) for problem in self._database.execute(query, (number,))),
        )

    def texts(self, group: int, position: int) -> Iterator[tuple[int, bool, str]]:
        """Generate number, whether it is damaged, and the text of a column, of a group's rows."""
        query = (
            "SELECT number, is_damaged, json_extract(cells, '$[' || ? || ']') FROM kept "
            "WHERE number IN (SELECT number FROM problems WHERE in_group = ?) ORDER BY number"
        )
        for number, is_damaged, text in self._database.execute(query, (position, group)):
            yield number, bool(is_damaged), text or ""


def problems_of(result: RowResult, positions: Mapping[str, int]) -> list[RowProblem]:
    """Return what is wrong with a row; `positions` tells the column that fills a field."""
    reason = result.reason or ""
    if result.errors:
        pairs = [_named(*error) for error in result.errors]
        # What is left concerns the row: an invariant, or what a site says in its own words.
        rest = reason
        for field, message in result.errors:
            rest = rest.replace(f"{field}: {message}", "", 1)
        rest = rest.strip("; ")
    else:
        pairs = _pairs_in(reason, positions)
        rest = "" if pairs else reason
    found = [RowProblem(field, positions.get(field), text) for field, text in pairs]
    return [*found, *([RowProblem("", None, rest)] if rest else [])]


def _pairs_in(reason: str, fields: Container[str]) -> list[tuple[str, str]]:
    """Return what a reason says about single fields, if it says nothing else."""
    pairs = []
    for part in reason.split("; "):
        match = _FIELD.fullmatch(part)
        if match is None:
            return []
        field, message = _named(match[1], match[2])
        if field not in fields:
            return []
        pairs.append((field, message))
    return pairs


def readable(text: str) -> str:
    """Return a text that any file can hold: half characters become escapes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _named(field: str, message: str) -> tuple[str, str]:
    """Return field and message of an error, which Kofa 1.9 writes the other way round for one."""
    if field == "RequiredMissing":
        return message, MISSING
    return field, message
