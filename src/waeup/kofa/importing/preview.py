"""The look at a table before it is imported: what was found, its first rows, what is wrong.

The doors show it, of a stored file and, on the command line, of any other.  No secret is shown:
who looks at a table must not learn passwords that are in it.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from waeup.kofa.errors import ItemBusy, TableError
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.canonical import PlainTable
from waeup.kofa.importing.looking import LONGEST, Look
from waeup.kofa.importing.reading import AS_FOUND, limits, open_source
from waeup.kofa.importing.sharing import Arguments, Result, Shared
from waeup.kofa.spool import count_lines
from waeup.kofa.tabular import Dialect, Limits, Row, check_header
from waeup.kofa.tabular.encodings import CERTAIN, detect_encoding
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tabular.survey import SHOWN, Finding, Survey, survey

#: What is shown instead of a password.
HIDDEN = "***"
#: Rows that are kept of a table that was looked at.
ROWS = 100
#: Looks that are kept.
KEPT = 64
#: Seconds for which somebody waits for a look of somebody else.
PATIENCE = 5
#: Lines in which names of columns are looked for where no header was recognised.
FIRST_LINES = 50
#: Bytes that these lines may have.
FIRST_BYTES = 1 << 16
#: How many of them are shown where a person has to choose one.
SHOWN_LINES = 12

_SEPARATORS = re.compile(r"[,;\t|:\"'\0\s]+")

#: Tells of column names which of them hold secrets: their positions.
SecretColumns = Callable[[tuple[str, ...]], set[int]]


@dataclass(frozen=True)
class Preview:
    """A table as it is read: what was found, its first rows, and what is wrong with its rows.

    `samples` are the cells of the first rows that have as many as the header, and
    `sample_lines` the physical lines where they begin.
    `confidence` tells how certain the encoding is (1.0: it is), `is_guess` that rows are
    doubted because of it.  `kind`, `member`, `sheet` and `sheets` tell of the container
    (`waeup.kofa.importing.canonical.PlainTable`).  `lines` are the physical lines of the text;
    `rows`, `sound` and `problems` are those of the whole table (`Survey`) or, where the look took
    too long and `is_whole` is false, of the rows up to there.  Cells of columns that
    hold passwords are hidden, and so is the text of damaged rows beside them.
    """

    name: str
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    sample_lines: tuple[int, ...]
    encoding: str
    confidence: float
    delimiter: str
    quote: str
    escape: str | None
    line_end: str
    header_line: int
    above: tuple[str, ...]
    kind: str
    member: str | None
    sheet: str | None
    sheets: tuple[str, ...]
    lines: int
    rows: int
    sound: int
    problems: tuple[Finding, ...]
    suggested_mode: str | None
    is_whole: bool = True

    @property
    def is_guess(self) -> bool:
        """Whether the encoding is not certain."""
        return self.confidence < CERTAIN

    @property
    def damaged(self) -> int:
        """Number of rows that have a problem, and thus cannot be imported as they are."""
        return self.rows - self.sound


def read_names(
    source: PlainTable,
    name: str,
    options: ReadOptions,
    secret_columns: SecretColumns = lambda header: set(),
) -> tuple[str, ...]:
    """Return the names of the columns; raises `TableError` when they cannot be used."""
    state = _state_of(source.path)
    names, line, above = _shared(
        _names, name, source.path, source.reading(options), limits(), name, state
    )
    _check_above(names, line, above, name, secret_columns)
    return names


def _read_names(
    path: str, options: ReadOptions, limits: Limits, name: str, state: tuple[int, ...]
) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    # A mapping is checked again and again while it is made.  The limits are those in force; they
    # are here to tell apart what was read with others.
    with open_source(path, options, name) as table:
        check_header(table.header, name)
        return table.header, table.header_line, table.above


_names = Shared(_read_names, KEPT, PATIENCE)


def _shared(
    look: Shared[Arguments, Result],
    name: str,
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Return what a look has found; raises `ItemBusy` when somebody else goes on looking."""
    try:
        return look(*args, **kwargs)
    except TimeoutError:
        raise ItemBusy(
            _(
                "${name} is large, and is being looked at already. Try again in half a minute.",
                mapping={"name": name},
            )
        )


def look_at(
    source: PlainTable,
    name: str,
    rows: int,
    options: ReadOptions,
    limits: Limits,
    secret_columns: SecretColumns = lambda header: set(),
    seconds: float = LONGEST,
) -> Preview:
    """Return what there is to see of a table; its first `rows` rows (at most `ROWS`) with it.

    `name` is what messages call it.  After so many `seconds` the rows behind are left alone, and
    earlier where too many others look at large tables (`waeup.kofa.importing.looking`).  Raises
    `TableError` and `TooLarge`, and `ItemBusy` when somebody else looks at it for long.
    """
    state = _state_of(source.path)
    seen = _shared(_seen, name, source.path, source.reading(options), limits, name, state, seconds)
    _check_above(seen.header, seen.header_line, seen.above, name, secret_columns)
    hidden = secret_columns(seen.header)
    others = [text for at, text in enumerate(seen.header) if at not in hidden]
    # Where the separator is wrong, a name may be part of another one.
    all_hidden = bool(secret_columns(words_of(others)))
    problems, samples = seen.survey.problems, seen.survey.samples[:rows]
    return Preview(
        name=name,
        header=seen.header,
        samples=tuple(_shown(row, hidden, all_hidden) for row in samples),
        sample_lines=tuple(row.line for row in samples),
        encoding=seen.encoding,
        confidence=seen.confidence,
        delimiter=seen.dialect.delimiter,
        quote=seen.dialect.quote,
        escape=seen.dialect.escape,
        line_end=seen.line_end,
        header_line=seen.header_line,
        above=seen.above,
        kind=source.kind,
        member=source.member,
        sheet=source.sheet,
        sheets=source.sheets,
        lines=count_lines(source.path),
        rows=seen.survey.rows,
        sound=seen.survey.sound,
        problems=_without_text(problems) if hidden or all_hidden else problems,
        suggested_mode=mode_in_name(name),
        is_whole=seen.survey.is_whole,
    )


def _check_above(
    header: tuple[str, ...],
    line: int,
    above: tuple[str, ...],
    name: str,
    secret_columns: SecretColumns,
) -> None:
    """Refuse a header that hides which cells are secret, because the real one is above it."""
    if secret_columns(words_of(above)) and not secret_columns(words_of(header)):
        raise TableError(
            _(
                "Line ${line} of ${name} cannot be its header: the name of a password "
                "column stands above it. Name that line, or remove what stands above the "
                "table.",
                mapping={"line": Number(line), "name": name},
            )
        )


def _state_of(path: str) -> tuple[int, ...]:
    """Return what tells the contents apart that a path may have had."""
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return all that could be a name of a column, however the line was to be cut."""
    return tuple(word for text in texts for word in (text, *_SEPARATORS.split(text)) if word)


def first_words(source: PlainTable) -> tuple[str, ...]:
    """Return all that could be a name of a column in the first lines of a table."""
    return words_of(_lines(source, AS_FOUND))


def first_lines(
    source: PlainTable,
    options: ReadOptions,
    secret_columns: SecretColumns = lambda header: set(),
) -> tuple[str, ...]:
    """Return the first lines of a text, to say by their numbers where its names are.

    Long ones are cut.  There are none when one of them may be the header of secrets.
    """
    lines = _lines(source, options)
    if secret_columns(words_of(lines)):
        return ()
    return tuple(
        line if len(line) <= SHOWN else line[:SHOWN] + "..." for line in lines[:SHOWN_LINES]
    )


def _lines(source: PlainTable, options: ReadOptions) -> list[str]:
    with open(source.path, "rb") as stream:
        encoding = detect_encoding(stream, source.reading(options).encoding).name
        text = stream.read(FIRST_BYTES).decode(encoding, "replace")
    return re.split("\r\n|\r|\n", text.rstrip("\r\n"))[:FIRST_LINES]


def mode_in_name(name: str) -> str | None:
    """Return the mode of a pending file of an earlier import, by its name."""
    parts = name.split(".")
    if len(parts) > 3 and parts[-2] == "pending" and parts[-3] in ("create", "update", "remove"):
        return parts[-3]
    return None


class _Seen(NamedTuple):
    """What was found in a table, secrets included, and whether another look may find more."""

    encoding: str
    confidence: float
    dialect: Dialect
    line_end: str
    header: tuple[str, ...]
    header_line: int
    above: tuple[str, ...]
    survey: Survey
    is_hurried: bool


def _see(
    path: str,
    options: ReadOptions,
    limits: Limits,
    name: str,
    state: tuple[int, ...],
    seconds: float,
) -> _Seen:
    # All steps of an import show the same table.
    with options.open(path, limits=limits, name=name) as table, Look(seconds) as look:
        check_header(table.header, name)
        found = survey(table, samples=ROWS, is_over=look.is_over)
        return _Seen(
            table.encoding,
            table.confidence,
            table.dialect,
            table.line_end,
            table.header,
            table.header_line,
            table.above,
            found,
            look.is_hurried,
        )


_seen = Shared(_see, KEPT, PATIENCE, lambda seen: not seen.is_hurried)


def _shown(row: Row, hidden: set[int], all_hidden: bool) -> tuple[str, ...]:
    # The cells of a damaged row may stand anywhere.
    everything = all_hidden or bool(hidden and row.problem is not None)
    return tuple(
        HIDDEN if everything or at in hidden else cell for at, cell in enumerate(row.values)
    )


def _without_text(problems: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(
        finding._replace(examples=tuple(e._replace(raw=HIDDEN) for e in finding.examples))
        for finding in problems
    )
