"""``kofactl processors`` and ``template``: what can be imported."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.finding import named
from waeup.kofa.cli.screen import is_terminal, say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import NameTaken, Refused

if TYPE_CHECKING:
    from waeup.kofa.operations import ProcessorInfo

#: Formats of templates, the usual one first (`waeup.kofa.exporting.templates`).
FORMATS = ("csv", "xlsx")


@click.command(short_help="List what can be imported, and its fields.")
@click.argument("name", required=False)
@common_options
@pass_settings
def processors(settings: Settings, name: str | None) -> None:
    """List the kinds of objects that can be imported, or the fields of one of them.

    \b
    kofactl processors
    kofactl processors studentprocessor
    """
    from waeup.kofa.cli.session import session

    with session(settings) as operations:
        if name is not None:
            info = named(operations.processors(), name, "processor")
            if settings.json:
                say_json(_as_dict(info))
            else:
                _show_fields(info)
            return
        found = operations.processors()
        if settings.json:
            say_json([_as_dict(info) for info in found])
            return
        show_table(
            ("Name", "Title", "Modes", "Fields"),
            ((i.name, i.title, ", ".join(i.modes), len(i.fields)) for i in found),
            right="Fields",
        )


@click.command(short_help="Write a table with the right columns.")
@click.argument("processor")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; it must not exist yet. Without it the terminal gets the table.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="csv, or a workbook that also says what goes into each column. Without it the name of "
    "the file decides.",
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
        suffix = "" if output is None else output.suffix.lower()[1:]
        kind = suffix if suffix in FORMATS else FORMATS[0]
    if output is None and kind != "csv" and (settings.json or is_terminal()):
        raise Refused("A workbook cannot be shown here. Name a file with -o.")
    with session(settings) as operations:
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


def _as_dict(info: "ProcessorInfo") -> dict[str, object]:
    """Return plain data for programs."""
    return {
        "name": info.name,
        "title": info.title,
        "permission": info.permission,
        "modes": list(info.modes),
        "fields": [{"name": f.name, "type": f.type, "title": f.title} for f in info.fields],
        "required": {mode: list(fields) for mode, fields in info.required.items()},
    }


def _show_fields(info: "ProcessorInfo") -> None:
    """Show a line for each field, and for which modes it must be there."""
    say(f"{info.title} ({info.name}); needs the permission {info.permission}")
    show_table(
        ("Field", "Type", "Title", "Required for"),
        (
            (
                field.name,
                field.type,
                field.title,
                ", ".join(mode for mode in info.modes if field.name in info.required[mode]),
            )
            for field in info.fields
        ),
    )
