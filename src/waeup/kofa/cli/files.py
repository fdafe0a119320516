"""``kofactl put`` and ``ls``: the files of the data center."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.finding import open_own
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings

if TYPE_CHECKING:
    from waeup.kofa.operations import FormerImport, Operations


def put_file(operations: "Operations", path: Path, *, replace: bool = False) -> Any:
    """Store the user's own file `path`; return the `Upload`.

    Raises `NoSuchItem` when it cannot be read, and what `Operations.upload` raises.
    """
    with open_own(path) as stream:
        return operations.upload(path.name, stream, replace=replace)


@click.command(short_help="Store files in the data center.")
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--replace", is_flag=True, help="Replace a stored *.pending.csv of the same name.")
@common_options
@pass_settings
def put(settings: Settings, paths: Sequence[Path], replace: bool) -> None:
    """Store files in the data center.

    A file is stored under its name and the user's, as list_admin.csv; a mended *.pending.csv keeps
    its name. What is no table, such as an empty file, is refused, and the files behind it are not
    stored either. It is told when the same content was imported before.

    \b
    kofactl put students.csv courses.csv
    kofactl put --replace students_admin.create.pending.csv
    """
    import transaction

    from waeup.kofa.cli.session import session

    stored = []
    with session(settings, write=True) as operations:
        for path in paths:
            upload = put_file(operations, path, replace=replace)
            former = operations.imported_before(upload.digest)
            transaction.commit()
            stored.append((upload, former))
            if not settings.json:
                say(f"{path} is stored as {upload.name} ({upload.size:,} bytes).")
                if upload.notice:
                    say(f"Before it can be imported: {upload.notice}")
                if former is not None:
                    say(_former_text(former))
    if settings.json:
        say_json(
            [
                {
                    "name": u.name,
                    "original": u.original,
                    "size": u.size,
                    "digest": u.digest,
                    "notice": u.notice,
                    "former": None if former is None else _former_values(former),
                }
                for u, former in stored
            ]
        )


def _former_text(former: "FormerImport") -> str:
    """Say that a content was imported before."""
    text = f"This is the file that was imported on {former.date_text} by {former.user}"
    return f"{text}: `kofactl runs {former.run}`." if former.run else f"{text}."


def _former_values(former: "FormerImport") -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "run": former.run or None,
        "file": former.file,
        "user": former.user,
        "date": former.date.isoformat(),
    }


@click.command(short_help="List files.")
@click.argument(
    "folder",
    type=click.Choice(("pending", "finished", "unfinished", "deleted", "graduated")),
    default="pending",
)
@click.option("--lines", is_flag=True, help="Count the lines, too; that reads all the files.")
@common_options
@pass_settings
def ls(settings: Settings, folder: str, lines: bool) -> None:
    """List files: those that wait for an import, or the results of imports.

    `pending` files can be imported. `finished` holds the rows that were imported, and
    `unfinished` the originals of imports with failed rows. `deleted` and `graduated` hold the
    rows of objects that were removed.

    \b
    kofactl ls
    kofactl ls finished --lines
    """
    from waeup.kofa.cli.session import session

    with session(settings) as operations:
        listings = {"pending": operations.pending_files, "finished": operations.finished_files}
        found = listings[folder]() if folder in listings else operations.files_in(folder)
        if settings.json:
            say_json(
                [
                    {
                        "name": item.name,
                        "folder": folder,
                        "size": item.size,
                        "lines": item.lines if lines else None,
                        "date": item.date.isoformat(),
                        "owner": item.owner,
                    }
                    for item in found
                ]
            )
        elif not found:
            say(f"There are no {folder} files.")
        elif lines:
            show_table(
                ("Name", "Size", "Lines", "Date", "Owner"),
                ((i.name, i.size_text, _count(i.lines), i.date_text, i.owner) for i in found),
                right="Size Lines",
            )
        else:
            show_table(
                ("Name", "Size", "Date", "Owner"),
                ((i.name, i.size_text, i.date_text, i.owner) for i in found),
                right="Size",
            )


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
