"""``kofactl export`` and ``exporters``: objects become a table, in a file or a pipe.

The database is read beside a portal that runs; no run is ordered, and nothing is left behind.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from waeup.kofa.cli.codes import DONE, LEFT
from waeup.kofa.cli.demand import Pair
from waeup.kofa.cli.finding import named, open_own
from waeup.kofa.cli.paths import Named, format_of
from waeup.kofa.cli.screen import bar, complain, is_terminal, say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import NameTaken, Refused
from waeup.kofa.i18n import english

if TYPE_CHECKING:
    from waeup.kofa.exporting import Outcome, Wish
    from waeup.kofa.operations import ExporterInfo, Operations

FORMATS = ("csv", "tsv", "xlsx")
PACKINGS = ("gzip", "zip")
#: Stands for standard output.
STANDARD_OUTPUT = "-"
#: Unknown keys that people are told.
TOLD_KEYS = 5

_PACKED = {".gz": "gzip", ".zip": "zip"}


@click.command(short_help="Export objects as a table.")
@click.argument("exporter")
@click.option(
    "-o",
    "--output",
    type=Named(readable=False, dir_okay=False),
    metavar="FILE",
    help="File to write, - for standard output; without it the exporter gives the name.",
)
@click.option(
    "--where",
    "filters",
    type=Pair("FIELD=VALUE"),
    multiple=True,
    help="Only objects with this value; XXX stands for none. May be repeated.",
)
@click.option(
    "--keys",
    type=Named(path_type=Path),
    metavar="FILE",
    help="Only the objects whose keys this table lists.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="What is written; the name of the file says it, too.",
)
@click.option("--pack", type=click.Choice(PACKINGS), help="How it is packed; see --format.")
@click.option("--bom", is_flag=True, help="Begin with a byte order mark, as Excel wants it.")
@click.option(
    "--unsafe-cells", is_flag=True, help="Do not guard texts that a spreadsheet would execute."
)
@click.option("--passwords", is_flag=True, help="Add the columns with hashes of passwords.")
@click.option("--replace", is_flag=True, help="Replace a file that is there.")
@common_options
@pass_settings
def export(
    settings: Settings,
    exporter: str,
    output: str | None,
    filters: Sequence[tuple[str, str]],
    keys: Path | None,
    format_: str | None,
    pack: str | None,
    bom: bool,
    unsafe_cells: bool,
    passwords: bool,
    replace: bool,
) -> int:
    """Export objects as a table, which can be imported again.

    All rows are as the objects were at one moment. `kofactl exporters` lists what can be exported,
    and by which fields objects can be chosen: a field itself, or the first and the last day of
    a date, as in date_of_birth_from. A list of keys is a table with one of the columns that it
    names; keys that no object has are told, and the exit code is 1.

    Where a text begins like a formula, as =1+1 does, it gets an apostrophe in front, which an
    import takes away again.

    \b
    kofactl export students
    kofactl export students -o women.xlsx --where sex=f --where date_of_birth_from=2000-01-01
    kofactl export coursetickets --keys list.csv -o - | gzip > tickets.csv.gz
    """
    from waeup.kofa.cli.session import session
    from waeup.kofa.exporting import Wish

    name = Path(output or "")
    if format_ is None:
        format_ = format_of(Path(name.stem) if name.suffix.lower() in _PACKED else name, FORMATS)
    if pack is None:
        pack = _PACKED.get(name.suffix.lower(), "")
    with session(settings) as operations:
        found = named(operations.exporters(), exporter, "exporter")
        wish = Wish(
            exporter=exporter,
            filters=tuple(filters),
            keys=None if keys is None else _keys(operations, exporter, keys),
            format=format_,
            packing=pack,
            mark=bom,
            safe=not unsafe_cells,
            secrets=passwords,
        )
        if unsafe_cells:
            complain(
                "Warning: texts are not guarded. A spreadsheet may execute what somebody has "
                "typed into a field, and the table may not import back unchanged."
            )
        if output == STANDARD_OUTPUT:
            outcome = _to_standard_output(operations, wish)
            place = None
        else:
            place = output or _default_name(wish)
            outcome = _to_file(operations, wish, Path(place), replace)
    return _tell(settings, found, place, outcome)


@click.command(short_help="List what can be exported, and its filters.")
@click.argument("name", required=False)
@common_options
@pass_settings
def exporters(settings: Settings, name: str | None) -> None:
    """List the kinds of objects that can be exported, or the filters of one of them.

    \b
    kofactl exporters
    kofactl exporters students
    """
    from waeup.kofa.cli.session import session

    with session(settings, asks=True) as operations:
        found = operations.exporters()
    if name is not None:
        info = named(found, name, "exporter")
        if settings.json:
            say_json(_as_dict(info))
        else:
            _show(info)
    elif settings.json:
        say_json([_as_dict(info) for info in found])
    else:
        show_table(
            ("Name", "Title", "Columns", "Keys"),
            ((i.name, i.title, len(i.columns), ", ".join(i.keys)) for i in found),
            right="Columns",
        )


def _default_name(wish: "Wish") -> str:
    from waeup.kofa.exporting.formats import Form

    return f"{wish.exporter}{Form.of(wish.format, wish.packing).extension}"


def _keys(operations: "Operations", exporter: str, path: Path) -> tuple[str, ...]:
    with open_own(path) as stream:
        return operations.export_keys(exporter, path.name, stream)


def _to_standard_output(operations: "Operations", wish: "Wish") -> "Outcome":
    """Write the table to standard output."""
    if is_terminal() and (wish.format == "xlsx" or wish.packing):
        raise Refused("A terminal cannot show such a file. Name another one with -o.")
    stream = sys.stdout.buffer
    outcome = _export(operations, wish, stream)
    stream.flush()
    return outcome


def _to_file(operations: "Operations", wish: "Wish", target: Path, replace: bool) -> "Outcome":
    """Write the table to a file, which is there when it is complete."""
    from waeup.kofa.spool.disk import put

    if os.path.lexists(target) and not replace:
        raise _taken(target)
    try:
        with _beside(target) as path:
            with path.open("wb") as stream:
                outcome = _export(operations, wish, stream)
                stream.flush()
                os.fsync(stream.fileno())
            if replace:
                path.replace(target)
            else:
                put(str(path), str(target))
    except FileExistsError:
        raise _taken(target)
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not error.strerror:
            raise
        raise Refused(f"{target} cannot be written: {error.strerror}. Name another file with -o.")
    return outcome


def _taken(target: Path) -> NameTaken:
    return NameTaken(
        f"{target} exists and is left as it is. Name another file with -o, or say --replace."
    )


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a new file in the folder of `target`, which goes with the block."""
    descriptor, name = tempfile.mkstemp(".part", ".kofa-", target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _export(operations: "Operations", wish: "Wish", stream: BinaryIO) -> "Outcome":
    with bar(wish.exporter) as show:
        return operations.export(wish, stream, lambda rows, share: show(share, _made(rows)))


def _made(rows: int) -> str:
    """Say how many rows there are, as far as that is known."""
    return f"{rows:,} rows" if rows else ""


def _tell(settings: Settings, info: "ExporterInfo", place: str | None, outcome: "Outcome") -> int:
    """Tell what was written; return the exit code."""
    unknown = outcome.unknown
    if place is None:
        # Standard output is the table.
        pass
    elif settings.json:
        say_json(
            {
                "exporter": info.name,
                "output": place,
                "rows": outcome.rows,
                "unknown": list(unknown),
                "seconds": round(outcome.seconds, 3),
            }
        )
    else:
        say(f"{place}: {outcome.rows:,} rows in {outcome.seconds:.1f} s.")
    if unknown and (place is None or not settings.json):
        told = ", ".join(map(repr, unknown[:TOLD_KEYS]))
        more = len(unknown) - TOLD_KEYS
        complain(f"No object has the keys {told}{f' and {more:,} more' if more > 0 else ''}.")
    return LEFT if unknown else DONE


def _as_dict(info: "ExporterInfo") -> dict[str, object]:
    """Return plain data for programs."""
    return {
        "name": info.name,
        "title": info.title,
        "columns": list(info.columns),
        "secrets": list(info.secrets),
        "keys": list(info.keys),
        "permission": info.permission,
        "filters": [
            {
                "name": f.name,
                "title": english(f.title),
                "kind": f.kind,
                "choices": [c[0] for c in f.choices],
            }
            for f in info.filters
        ],
    }


def _show(info: "ExporterInfo") -> None:
    """Show what the table has, and by what objects can be chosen."""
    say(f"{info.title} ({info.name})")
    say(f"Columns: {', '.join(info.columns)}")
    if info.secrets:
        say(f"With --passwords: {', '.join(info.secrets)}")
    if info.keys:
        say(f"Columns of a list of keys: {', '.join(info.keys)}")
    show_table(
        ("Filter", "Title", "Values"),
        (
            (f.name, english(f.title), _values(f.kind, [c[0] for c in f.choices]))
            for f in info.filters
        ),
    )


def _values(kind: str, tokens: Sequence[str]) -> str:
    if not tokens:
        return "date, as 2012-04-30" if kind == "date" else kind
    more = len(tokens) - 10
    return ", ".join(tokens[:10]) + (f" and {more} more" if more > 0 else "")
