"""``kofactl preview``: how a table is read, and what is wrong with it."""

import math
import os
import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import MappingError, NoSuchItem, Refused, TableError

if TYPE_CHECKING:
    from waeup.kofa.importing.preview import Preview
    from waeup.kofa.operations import ProcessorInfo, ProposedColumn
    from waeup.kofa.tabular.options import ReadOptions

Command = TypeVar("Command", bound=Callable[..., Any])

#: Why a field is proposed, in words.
REASONS = {
    "same": "same name",
    "loose": "same name but for case and blanks",
    "remembered": "as in the last import",
    "title": "title of the field",
    "similar": "similar name",
}
#: Reasons for which `import` asks for no confirmation.
_CERTAIN = ("same", "loose")

#: Some rows have a problem.
DAMAGED = 1

_HINT = (
    "If the file is read in a wrong way, say how: --encoding, --delimiter, --quote, "
    "--header-line, --sheet."
)


def reading_options(command: Command) -> Command:
    """Add the options that say how a table is read to a command."""
    for option in (
        click.option("--sheet", metavar="NAME", help="Sheet of a workbook."),
        click.option(
            "--header-line", metavar="N", help="Line that holds the names of the columns."
        ),
        click.option("--quote", metavar="CHARACTER", help="Character around cells."),
        click.option(
            "--delimiter",
            metavar="CHARACTER",
            help="Character between cells, or its name: tab, comma, semicolon, pipe, space.",
        ),
        click.option("--encoding", metavar="NAME", help="Encoding, such as utf-8 or cp1252."),
    ):
        command = option(command)
    return command


@click.command(short_help="Show how a file is read, and what is damaged.")
@click.argument("file", metavar="NAME|PATH")
@click.option(
    "--rows", type=click.IntRange(0, 100), default=3, show_default=True, help="Rows to show."
)
@click.option("--processor", "-p", help="Propose which column fills which field of this kind.")
@click.option(
    "--mode",
    "-m",
    type=click.Choice(("create", "update", "remove", "upsert")),
    default="create",
    show_default=True,
    help="What the import is to do, for --processor.",
)
@reading_options
@common_options
@pass_settings
def preview(
    settings: Settings,
    file: str,
    rows: int,
    processor: str | None,
    mode: str,
    **reading: str | None,
) -> int:
    """Show how a file is read: what was found, its first rows, and what is wrong with any row.

    FILE is the name of a stored file or a path, as for `import`. What a path leads to is not
    stored, and needs no portal.

    With --processor it is proposed which column fills which field, with a confidence and the
    reason for it. What is more than another way to write the name of a field is a guess: `import`
    takes it only when --map says so. Such options are shown. This needs a portal.

    What is found can be replaced by the options. The exit code is 1 when rows have problems; those
    would stay pending.

    \b
    kofactl preview students_admin.csv
    kofactl preview ./scores.xlsx --sheet "Term 2" --rows 10
    kofactl preview old.txt --encoding cp1252 --delimiter tab
    kofactl preview ./list.csv --processor studentprocessor --mode update
    """
    from waeup.kofa.tabular import UnclearTable
    from waeup.kofa.tabular.options import ReadOptions

    options = ReadOptions.of(**reading)
    try:
        seen = _look(settings, file, rows, options)
    except UnclearTable as unclear:
        raise TableError(f"{unclear} {_HINT}")
    proposed = None if processor is None else _proposals(settings, seen, processor, mode)
    if settings.json:
        more = {} if proposed is None else {"proposals": list(map(asdict, proposed.columns))}
        say_json({**as_dict(seen), **more})
    else:
        _show(seen, proposed)
    return DAMAGED if seen.damaged else 0


def _look(settings: Settings, file: str, rows: int, options: "ReadOptions") -> "Preview":
    """Return what there is to see of a stored file, or of one that lies anywhere."""
    from waeup.kofa.importing.canonical import unpacked
    from waeup.kofa.importing.preview import look_at
    from waeup.kofa.importing.reading import limits

    if os.path.basename(file) == file and (settings.is_elsewhere or settings.instance().exists):
        with session(settings) as operations:
            if any(item.name == file for item in operations.pending_files()):
                return operations.preview(file, rows, options)
    path = Path(file)
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise NoSuchItem(
            f"There is no file {file!r} here, nor a pending file of that name in the data center. "
            "`kofactl ls` lists the pending files."
        )
    except OSError as error:
        raise Refused(f"{file!r} cannot be read: {error.strerror}. Name a file that can.")
    with unpacked(str(path), limits(), sheet=options.sheet) as source:
        return look_at(source, path.name, rows, options, limits(), seconds=math.inf)


class _Proposed(NamedTuple):
    """What is proposed, and the fields that must be filled and are not."""

    columns: "tuple[ProposedColumn, ...]"
    missing: list[str]


def _proposals(settings: Settings, seen: "Preview", processor: str, mode: str) -> _Proposed:
    """Return which column may fill which field."""
    with session(settings) as operations:
        info: ProcessorInfo = operations.processor(processor)
        if mode not in info.modes:
            raise MappingError(
                f"{info.title} has no mode {mode!r}. It has: {', '.join(info.modes)}."
            )
        columns = operations.propose_columns(seen, processor, mode)
    filled = {column.field for column in columns}
    return _Proposed(columns, [name for name in info.required[mode] if name not in filled])


def as_dict(seen: "Preview") -> dict[str, Any]:
    """Return a preview as plain data."""
    data = asdict(seen)
    data["problems"] = [
        {
            "code": finding.code,
            "count": finding.rows,
            "examples": [example._asdict() for example in finding.examples],
        }
        for finding in seen.problems
    ]
    return {**data, "damaged": seen.damaged}


def _show(seen: "Preview", proposed: _Proposed | None = None) -> None:
    """Tell a person what was found."""
    more = "" if seen.is_whole else "more than "
    say(f"{seen.name}: {more}{seen.rows:,} rows, {len(seen.header):,} columns")
    for what, found in _facts(seen):
        say(f"  {what + ':':<10} {found}")
    say()
    # A column of the file is a line here: files are wider than terminals.
    show_table(
        ("Column", *(f"Line {line}" for line in seen.sample_lines)),
        ((column, *(row[at] for row in seen.samples)) for at, column in enumerate(seen.header)),
    )
    say()
    if proposed is not None:
        _show_proposals(proposed)
    if seen.is_guess:
        say(
            f"The encoding {seen.encoding} is a guess. Compare the names: if some are wrong, "
            "choose another one with --encoding, such as cp1252, iso8859-2 or utf-8; if all are "
            f"right, confirm it with --encoding {seen.encoding}."
        )
    if not seen.is_whole:
        say(
            f"Only the first {seen.rows:,} rows were looked at, since it took long. "
            "`check` looks at all."
        )
    if not seen.damaged:
        say("All rows are sound." if seen.is_whole else "These are sound.")
        return
    count = "1 row has" if seen.damaged == 1 else f"{seen.damaged:,} rows have"
    say(f"{count} a problem and would stay pending:")
    for finding in seen.problems:
        say(f"  {finding.rows:,} x {finding.code}")
        for example in finding.examples:
            say(f"    {example.message}")
            if example.raw:
                say(f"      | {example.raw}")
        if finding.rows > len(finding.examples):
            say(f"    and {finding.rows - len(finding.examples):,} more")
    say(_HINT)


def _show_proposals(proposed: _Proposed) -> None:
    """Tell a person which column may fill which field."""
    show_table(
        ("Column", "Field", "Certain", "Why"),
        (
            (
                column.column,
                column.field or ("(left out)" if column.reason else "(none)"),
                f"{column.confidence:.0%}" if column.reason else "",
                REASONS.get(column.reason, ""),
            )
            for column in proposed.columns
        ),
    )
    say()
    options: list[str] = []
    for column in proposed.columns:
        if column.reason and column.reason not in _CERTAIN:
            options += (
                ["--ignore", column.column]
                if column.field is None
                else ["--map", f"{column.column}={column.field}"]
            )
    if options:
        say(f"If that is right, say so to `import`: {shlex.join(options)}")
    if proposed.missing:
        say(f"Nothing fills yet what must be filled: {', '.join(proposed.missing)}.")


def _facts(seen: "Preview") -> list[tuple[str, str]]:
    """Return what was found, in words."""
    from waeup.kofa.tabular.options import name_of

    facts = []
    if seen.kind != "text":
        facts.append(("Kind", seen.kind))
    if seen.member is not None:
        facts.append(("Member", seen.member))
    if seen.sheet is not None:
        others = [name for name in seen.sheets if name != seen.sheet]
        also = f" (others: {', '.join(others)})" if others else ""
        facts.append(("Sheet", seen.sheet + also))
    else:
        guess = f" (a guess, {seen.confidence:.0%} certain)" if seen.is_guess else ""
        escape = f", escaped by {seen.escape}" if seen.escape else ""
        facts += [
            ("Encoding", seen.encoding + guess),
            ("Separator", name_of(seen.delimiter)),
            ("Quote", seen.quote + escape),
            ("Line ends", seen.line_end or "none"),
        ]
    facts.append(("Header", f"line {seen.header_line:,}"))
    if seen.above:
        facts.append(("Above it", " / ".join(seen.above)))
    return facts
