"""What a check has found, row by row, in a small database file of its own.

The row engine applies a table in a transaction that is aborted; what each row would have
done is kept here.  People look at it page by page; the run that follows asks for the outcome
of each row and keeps to it.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from waeup.kofa.errors import NoSuchItem
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.effects import Change, changes_text, outcome_digest
from waeup.kofa.importing.engine import Columns, RowEngine
from waeup.kofa.importing.failing import FailingReader, FailingWriter, readable
from waeup.kofa.importing.reasons import VARYING, is_like
from waeup.kofa.importing.report import RowResult
from waeup.kofa.spool.disk import sync_file

#: Name of the file in the work folder of a check; with other digests it was called otherwise.
NAME = "checked.sqlite"
#: Rows that a run reads at once.
AHEAD = 1000

_TABLE = """
CREATE TABLE rows (
    number INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    digest BLOB NOT NULL,
    key TEXT NOT NULL,
    reason TEXT,
    details TEXT,
    under_new INTEGER NOT NULL,
    first INTEGER
)
"""
# Rows that mean the object of an earlier one learn the number of that.
_DUPLICATES = """
UPDATE rows SET first = (SELECT min(number) FROM rows AS others WHERE others.key = rows.key)
WHERE key IN (SELECT key FROM rows WHERE key != '' GROUP BY key HAVING count(*) > 1)
"""


@dataclass(frozen=True)
class CheckedRow:
    """What a check says about a row.

    `number` counts source rows, `line` is the physical line of the text.  `outcome` is what the
    row would become, `key` says which object is meant, `changes` are tuples of field, old and
    new text.  `reason` says why the row would fail, and `errors` the same by field.
    `same_as` is the number of the first row that means the same object; `is_under_new` tells
    that an earlier row makes the parent.
    """

    number: int
    line: int
    outcome: str
    key: str
    reason: str | None
    errors: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    same_as: int | None
    is_under_new: bool


class CheckWriter:
    """Takes the results of the row engine; `folder` is the work folder of the check."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, NAME)
        self._database = _connect(self._path)
        os.chmod(self._path, 0o600)
        # The file is of use only when it is complete, and made anew otherwise: `finish` forces
        # it out as a whole.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_TABLE)
        self._failing: FailingWriter | None = None

    def keep_failing(self, columns: Columns) -> None:
        """Keep the cells of rows that fail from now on, of a table with these columns."""
        self._failing = FailingWriter(self._database, columns)

    def write(self, results: Iterable[RowResult]) -> None:
        """Keep the results of a batch."""
        results = list(results)
        self._database.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", map(_record, results)
        )
        if self._failing is not None:
            for result in results:
                if result.source is not None:
                    self._failing.keep(result)

    def finish(self) -> int:
        """Find rows that mean the same object; return the number of those behind the first."""
        self._database.execute("CREATE INDEX rows_by_key ON rows (key)")
        self._database.execute(_DUPLICATES)
        self._database.execute("CREATE INDEX rows_by_outcome ON rows (outcome, reason)")
        found = self._database.execute("SELECT count(*) FROM rows WHERE first < number")
        duplicates: int = found.fetchone()[0]
        if self._failing is not None:
            self._failing.finish()
        self._database.commit()
        sync_file(self._path)
        return duplicates

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class FailingRows:
    """Takes the results of `engine`, and writes a table of those that fail into `folder`.

    It is what the import would put among the pending files.
    """

    def __init__(self, engine: RowEngine, folder: str) -> None:
        self._others = os.path.join(folder, "finished.csv")
        self._files = engine.result_files(self._others, failing_path(folder))

    def write(self, results: Iterable[RowResult]) -> None:
        """Write those rows of a batch that failed."""
        for result in results:
            if result.reason is not None:
                self._files.write(result)

    def close(self) -> None:
        """Make the table durable."""
        self._files.close()
        os.unlink(self._others)


def failing_path(folder: str) -> str:
    """Return the path of the table of failing rows; without such rows there is none."""
    return os.path.join(folder, "failing.csv")


class CheckReader:
    """Shows a check that was kept in `folder`; raises `NoSuchItem` when it is gone."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, NAME)
        if not os.path.exists(self._path):
            raise NoSuchItem(
                _("The rows of this check are not kept any more. Check the file again.")
            )

    def rows(
        self,
        outcome: str | None = None,
        reason: str | None = None,
        start: int = 0,
        limit: int = 100,
        *,
        notable: bool = False,
    ) -> list[CheckedRow]:
        """Return rows in their order, from the one at position `start`, at most `limit`.

        Only those of an outcome, of a reason (all that are like it if it has a ``…``), or
        (`notable`) those that fail, change something, or mean an object of another row.
        """
        terms, values = ["1"], []
        if outcome is not None:
            terms.append("outcome = ?")
            values.append(outcome)
        if reason is not None:
            # The name of many reasons is compared with each, where there is one.
            terms.append(
                "reason IS NOT NULL AND is_like(reason, ?)" if VARYING in reason else "reason = ?"
            )
            values.append(reason)
        if notable:
            terms.append("(outcome NOT IN ('created', 'unchanged') OR first IS NOT NULL)")
        columns = "number, line, outcome, key, reason, details, first, under_new"
        # All words are ours; texts from outside are bound.
        query = f"SELECT {columns} FROM rows WHERE {' AND '.join(terms)} "  # noqa: S608
        query += "ORDER BY number LIMIT ? OFFSET ?"
        with closing(_connect(self._path)) as database:
            database.create_function("is_like", 2, is_like, deterministic=True)
            return [_checked(found) for found in database.execute(query, (*values, limit, start))]

    @contextmanager
    def failing(self) -> Iterator[FailingReader]:
        """Give what shows the rows that fail."""
        with closing(_connect(self._path)) as database:
            yield FailingReader(database)

    def same_object(self, key: str, number: int) -> int | None:
        """Return the number of the first row but `number` that means the object of a key."""
        with closing(_connect(self._path)) as database:
            query = "SELECT min(number) FROM rows WHERE key = ? AND number != ?"
            found: int | None = database.execute(query, (key, number)).fetchone()[0]
            return found

    @contextmanager
    def expectations(self) -> Iterator["Expectations"]:
        """Give what a run asks for the outcome of each row."""
        with closing(_connect(self._path)) as database:
            yield Expectations(database)


class Expectations:
    """Tells outcome and digest of rows; quick for rows in their order."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._ahead: dict[int, tuple[str, bytes]] = {}

    def __call__(self, number: int) -> tuple[str, bytes] | None:
        """Return what was found for the row of that number, None for a row that was not there."""
        if number not in self._ahead:
            found = self._database.execute(
                "SELECT number, outcome, digest FROM rows WHERE number >= ? "
                "ORDER BY number LIMIT ?",
                (number, AHEAD),
            )
            self._ahead = {at: (outcome, digest) for at, outcome, digest in found}
        return self._ahead.get(number)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False)


def _record(result: RowResult) -> tuple[object, ...]:
    details, changes = None, changes_text(result.changes)
    if result.errors or result.changes:
        errors = json.dumps(result.errors) if result.errors else "[]"
        details = f"[{errors}, {changes}]"
    return (
        result.number,
        result.line,
        result.outcome,
        outcome_digest(result.outcome, result.key, changes),
        readable(result.key),
        None if result.reason is None else readable(result.reason),
        details,
        int(result.is_under_new),
    )


def _checked(found: tuple[object, ...]) -> CheckedRow:
    number, line, outcome, key, reason, details, first, under_new = found
    errors, changes = json.loads(str(details)) if details else ([], [])
    return CheckedRow(
        number=int(str(number)),
        line=int(str(line)),
        outcome=str(outcome),
        key=str(key),
        reason=None if reason is None else str(reason),
        errors=tuple((readable(name), readable(message)) for name, message in errors),
        changes=tuple(
            (name, None if old is None else readable(old), None if new is None else readable(new))
            for name, old, new in changes
        ),
        same_as=None if first is None or first == number else int(str(first)),
        is_under_new=bool(under_new),
    )
