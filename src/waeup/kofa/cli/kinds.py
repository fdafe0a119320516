"""``kofactl processors`` and ``template``: what can be imported."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.finding import named
from waeup.kofa.cli.paths import Named, format_of
from waeup.kofa.cli.screen import is_terminal, say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import NameTaken, Refused

if TYPE_CHECKING:
    from waeup.kofa.operations import KindInfo

#: Formats of templates, the usual one first (`waeup.kofa.exporting.templates`).
FORMATS = ("csv", "tsv", "xlsx")
#: Allowed values that are shown of a column; ``--json`` has all.
SHOWN_VALUES = 6


@click.command(short_help="List what can be imported, and its fields.")
@click.argument("name", required=False)
@common_options
@pass_settings
def processors(settings: Settings, name: str | None) -> None:
    """List the kinds of objects that you may import, or the columns of one of all.

    With a name it says what the page "Kinds of data" says: what each column takes, for which modes
    it is required, and who may import it.

    \b
    kofactl processors
    kofactl processors studentprocessor
    """
    from waeup.kofa.cli.session import session

    with session(settings, asks=True) as operations:
        kinds = operations.kinds()
    if name is not None:
        kind = named(kinds, name, "processor")
        if settings.json:
            say_json(_as_dict(kind))
        else:
            _show_columns(kind)
        return
    found = [kind for kind in kinds if kind.may]
    if settings.json:
        say_json([_as_dict(kind) for kind in found])
        return
    show_table(
        ("Name", "Title", "Modes", "Columns"),
        ((i.name, i.title, ", ".join(i.modes), len(i.columns)) for i in found),
        right="Columns",
    )


@click.command(short_help="Write a table with the right columns.")
@click.argument("processor")
@click.option(
    "-o",
    "--output",
    type=Named(path_type=Path),
    help="File to write; it must not exist yet. Without it the terminal gets the table.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="csv, tsv, or a workbook that also says what goes into each column. Without it the name "
    "of the file decides.",
)
@common_options
@pass_settings
def template(settings: Settings, processor: str, output: Path | None, kind: str | None) -> None:
    """Write a table with the columns of a processor, ready to be filled in.

    \b
    kofactl template studentprocessor -o students.csv
    kofactl template studentprocessor -o students.xlsx
    """
    from waeup.kofa.cli.session import session

    if kind is None:
        kind = format_of(output or Path(), FORMATS)
    if output is None and kind != "csv" and (settings.json or is_terminal()):
        raise Refused("A workbook cannot be shown here. Name a file with -o.")
    with session(settings, asks=True) as operations:
        filename, content = operations.template(processor, kind)
    if output is None:
        if settings.json:
            say_json({"name": filename, "content": content.decode("utf-8")})
        else:
            click.echo(content, nl=False)
        return
    try:
        with output.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise NameTaken(f"{output} exists and is left as it is. Name another file with -o.")
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}. Name another file with -o.")
    if settings.json:
        say_json({"name": filename, "output": str(output)})
    else:
        say(f"{output} was written.")


def _as_dict(kind: "KindInfo") -> dict[str, object]:
    """Return plain data for programs."""
    return {
        "name": kind.name,
        "title": kind.title,
        "about": kind.about,
        "permission": kind.permission,
        "roles": list(kind.roles),
        "may": kind.may,
        "modes": list(kind.modes),
        "fields": [
            {
                "name": column.name,
                "title": column.title,
                "type": column.type,
                "kind": column.kind,
                "required": list(column.required),
                "key": column.is_key,
                "choices": dict(column.choices),
                "example": column.example,
                "description": column.description,
            }
            for column in kind.columns
        ],
        "required": {mode: list(columns) for mode, columns in kind.required.items()},
    }


def _show_columns(kind: "KindInfo") -> None:
    """Show what a kind is, who may import it, and a line for each column."""
    say(f"{kind.title} ({kind.name})")
    if kind.about:
        say(kind.about)
    roles = " or ".join(map(str, kind.roles)) or "that holds it"
    may = "You may import it." if kind.may else "You may not import it."
    say(f"Needs the permission {kind.permission}: the role {roles}. {may}")
    show_table(
        ("Column", "Key", "Title", "Type", "Required for", "Allowed values", "Example"),
        (
            (
                column.name,
                "key" if column.is_key else "",
                column.title,
                column.kind,
                ", ".join(column.required),
                _allowed(column.choices),
                column.example,
            )
            for column in kind.columns
        ),
    )


def _allowed(choices: tuple[tuple[str, str], ...]) -> str:
    """Return the first allowed values, and how many more there are."""
    text = ", ".join(token for token, _title in choices[:SHOWN_VALUES])
    more = len(choices) - SHOWN_VALUES
    return f"{text} and {more} more" if more > 0 else text
