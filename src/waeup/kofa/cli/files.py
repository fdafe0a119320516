"""``kofactl put`` and ``ls``: the files of the data center."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.finding import open_own
from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.screen import has_room, say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import NoSuchItem, Refused
from waeup.kofa.usual import MOST_DAYS

if TYPE_CHECKING:
    from waeup.kofa.operations import FormerImport, Operations, StoredFile


#: Columns of a terminal from which on a table of files tells their runs, and when they go.
WIDE = 120
#: Files that are purged in one transaction.
AT_ONCE = 200


def put_file(operations: "Operations", path: Path, *, replace: bool = False) -> Any:
    """Store the user's own file `path`; return the `Upload`.

    Raises `NoSuchItem` when it cannot be read, and what `Operations.upload` raises.
    """
    with open_own(path) as stream:
        return operations.upload(path.name, stream, replace=replace)


@click.command(short_help="Store files in the data center.")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=Named(path_type=Path))
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

    `pending` files can be imported. `finished` holds the rows that were imported and the files
    that they came from, the newest first, `unfinished` the originals of imports with failed rows.
    `deleted` holds files that were deleted; it and `graduated` the rows of objects that were
    removed. Of these it is told which officer has imported or deleted them, and where there is
    room, in which run, and when they go.

    \b
    kofactl ls
    kofactl ls finished --lines
    """
    from waeup.kofa.cli.session import session

    if lines and settings.is_elsewhere:
        raise Refused("--lines reads the files, which are not here. Leave it out with --url.")
    # Lines are counted where the files are read.
    with session(settings, asks=not lines) as operations:
        found = operations.pending_files() if folder == "pending" else operations.files_in(folder)
        if folder == "finished":
            found.sort(key=lambda item: item.date, reverse=True)
        if settings.json:
            say_json(
                [
                    {
                        "name": item.name,
                        "folder": folder,
                        "size": item.size,
                        "lines": item.lines if lines else None,
                        "date": item.date.astimezone().isoformat(),
                        "owner": item.owner,
                        **({} if folder == "pending" else _kept_values(item)),
                    }
                    for item in found
                ]
            )
        elif not found:
            say(f"There are no {folder} files.")
        else:
            columns = _columns(operations, folder, lines)
            show_table(
                tuple(columns),
                (tuple(cell(item) for cell in columns.values()) for item in found),
                right="Size Lines",
            )


def _columns(
    operations: "Operations", folder: str, lines: bool
) -> "dict[str, Callable[[StoredFile], object]]":
    """Return the columns of a table of files, each with what gives its cells."""
    columns: dict[str, Callable[[StoredFile], object]] = {
        "Name": lambda item: item.name,
        "Size": lambda item: item.size_text,
    }
    if lines:
        columns["Lines"] = lambda item: _count(item.lines)
    columns["Date"] = lambda item: item.date_text
    if folder == "pending":
        return {**columns, "Owner": lambda item: item.owner}

    @cache
    def orderer(run: str) -> str:
        return "".join(each.owner for each in operations.known_runs([run]).values())

    columns["Officer"] = lambda item: item.deleted_by or orderer(item.run or "") or item.owner
    if has_room(WIDE):
        columns["Run"] = lambda item: item.run or ""
        columns["Goes on"] = _end_of
    return columns


def _end_of(item: "StoredFile") -> str:
    """Say when a file goes by itself."""
    if item.needed:
        return "needed"
    return "" if item.expires is None else f"{item.expires.astimezone():%Y-%m-%d}"


def _kept_values(item: "StoredFile") -> dict[str, Any]:
    """Return for programs what became of a file, and how long it is kept."""
    return {
        "run": item.run,
        "original": item.original or None,
        "deleted_by": item.deleted_by or None,
        "expires": None if item.expires is None else item.expires.isoformat(),
        "needed": item.needed,
    }


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


#: Folders whose files can come back, or go for good.
FOLDERS = click.Choice(("finished", "unfinished", "deleted", "graduated"))


@click.command(short_help="Delete files that wait for an import.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@common_options
@pass_settings
def rm(settings: Settings, names: Sequence[str]) -> None:
    """Delete files that wait for an import; all or none.

    They are kept in the folder deleted, from where `kofactl restore` brings them back.

    \b
    kofactl rm list_admin.csv
    """
    import transaction

    from waeup.kofa.cli.session import session

    with session(settings, write=True) as operations:
        deleted = operations.delete(names)
        kept = operations.deletions_of(deleted)
        transaction.commit()
    if settings.json:
        say_json({"deleted": deleted, "kept": kept})
    else:
        for name in kept:
            say(f"Deleted. `kofactl restore {name}` brings it back.")


@click.command(short_help="Bring a file back to those that wait.")
@click.argument("name")
@click.option("--folder", type=FOLDERS, default="deleted", help="Where it is; usually deleted.")
@common_options
@pass_settings
def restore(settings: Settings, name: str, folder: str) -> None:
    """Bring a file back to those that wait for an import.

    A deleted file gets its former name, with a number when that is taken. Of any other file a copy
    becomes a new upload.

    \b
    kofactl restore list_admin.csv --folder unfinished
    """
    import transaction

    from waeup.kofa.cli.session import session

    with session(settings, write=True) as operations:
        upload = operations.restore(name, folder)
        transaction.commit()
    if settings.json:
        say_json({"name": upload.name, "size": upload.size, "digest": upload.digest})
    else:
        say(f"{name} is restored as {upload.name}.")


@click.command(short_help="Remove files for good.")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--folder", type=FOLDERS, default="deleted", help="Where they are; usually deleted.")
@click.option(
    "--older-than", type=click.IntRange(0, MOST_DAYS), metavar="DAYS", help="All that are older."
)
@click.option("--yes", is_flag=True, help="Really do it; without it the files are listed only.")
@common_options
@pass_settings
def purge(
    settings: Settings, names: Sequence[str], folder: str, older_than: int | None, yes: bool
) -> None:
    """Remove files of a folder for good: those that are named, or all that are old.

    Nobody can bring them back. Files that an import needs are refused when they are named, and
    passed over with --older-than.

    \b
    kofactl purge --folder finished --older-than 365
    kofactl purge --folder finished --older-than 365 --yes
    """
    import transaction

    from waeup.kofa.cli.session import session

    if bool(names) == (older_than is not None):
        raise click.UsageError("Name files, or say --older-than DAYS.")
    with session(settings, write=True) as operations:
        if older_than is not None:
            before = datetime.now(timezone.utc) - timedelta(days=older_than)
            names = [
                item.name
                for item in operations.files_in(folder)
                if (item.deleted or item.date) < before and not item.needed
            ]
        elif not yes:
            there = {item.name for item in operations.files_in(folder)}
            missing = next((name for name in names if name not in there), None)
            if missing is not None:
                raise NoSuchItem(
                    f"There is no file {missing!r} in {folder}. `kofactl ls {folder}` lists them."
                )
        purged: list[str] = []
        for start in range(0, len(names) if yes else 0, AT_ONCE):
            purged += operations.purge(names[start : start + AT_ONCE], folder)
            transaction.commit()
    if settings.json:
        say_json({"files": list(names), "purged": purged})
    elif not names:
        say("There are no such files.")
    else:
        for name in names:
            say(name)
        say(
            f"Gone for good: {len(purged):,} files."
            if yes
            else f"With --yes these {len(names):,} files are removed for good."
        )
