"""``kofactl preview``: how a table is read, and what is wrong with it."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import NoSuchItem, Refused, TableError

if TYPE_CHECKING:
    from waeup.kofa.importing.preview import Preview
    from waeup.kofa.tabular.options import ReadOptions

Command = TypeVar("Command", bound=Callable[..., Any])

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
@reading_options
@common_options
@pass_settings
def preview(settings: Settings, file: str, rows: int, **reading: str | None) -> int:
    """Show how a file is read: what was found, its first rows, and what is wrong with any row.

    FILE is the name of a stored file or a path, as for `import`. What a path leads to is not
    stored, and needs no portal.

    What is found can be replaced by the options. The exit code is 1 when rows have problems; those
    would stay pending.

    \b
    kofactl preview students_admin.csv
    kofactl preview ./scores.xlsx --sheet "Term 2" --rows 10
    kofactl preview old.txt --encoding cp1252 --delimiter tab
    """
    from waeup.kofa.tabular import UnclearTable
    from waeup.kofa.tabular.options import ReadOptions

    options = ReadOptions.of(**reading)
    try:
        seen = _look(settings, file, rows, options)
    except UnclearTable as unclear:
        raise TableError(f"{unclear} {_HINT}")
    if settings.json:
        say_json(as_dict(seen))
    else:
        _show(seen)
    return DAMAGED if seen.damaged else 0


def _look(settings: Settings, file: str, rows: int, options: "ReadOptions") -> "Preview":
    """Return what there is to see of a stored file, or of one that lies anywhere."""
    from waeup.kofa.importing.canonical import unpacked
    from waeup.kofa.importing.preview import look_at
    from waeup.kofa.importing.reading import limits

    if os.path.basename(file) == file and Instance(settings.var).exists:
        from waeup.kofa.cli.session import session

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
        return look_at(source, path.name, rows, options, limits())


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


def _show(seen: "Preview") -> None:
    """Tell a person what was found."""
    say(f"{seen.name}: {seen.rows:,} rows, {len(seen.header):,} columns")
    for what, found in _facts(seen):
        say(f"  {what + ':':<10} {found}")
    say()
    # A column of the file is a line here: files are wider than terminals.
    show_table(
        ("Column", *(f"Line {line}" for line in seen.sample_lines)),
        ((column, *(row[at] for row in seen.samples)) for at, column in enumerate(seen.header)),
    )
    say()
    if seen.is_guess:
        say(
            f"The encoding {seen.encoding} is a guess. Compare the names: if some are wrong, "
            "choose another one with --encoding, such as cp1252, iso8859-2 or utf-8; if all are "
            f"right, confirm it with --encoding {seen.encoding}."
        )
    if not seen.damaged:
        say("All rows are sound.")
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
