"""``kofactl storage``: where the files of the data center are."""

import os

import click

from waeup.kofa.cli.following import complete
from waeup.kofa.cli.instance import Instance
from waeup.kofa.cli.screen import say, say_json
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.deployment.databases import FileDatabase
from waeup.kofa.errors import InvalidStoragePath, Refused


@click.command(short_help="Show or change the folder of the files.")
@click.argument("path", required=False)
@click.option("--move", is_flag=True, help="Copy the files of the present storage to PATH.")
@click.option("--overwrite", is_flag=True, help="Replace what PATH holds already (with --move).")
@common_options
@pass_settings
def storage(settings: Settings, path: str | None, move: bool, overwrite: bool) -> None:
    """Show the path of the storage, or keep files in the existing folder PATH from now on.

    The old folder keeps its content; with --move its files are copied while work goes on, and
    Ctrl-C takes all back. Entries that PATH holds already are left alone and named, unless they
    shall be overwritten.

    With --url it has to be below one of the folders that the operator of the portal has allowed.

    \b
    kofactl storage
    kofactl storage /srv/kofa/datacenter --move
    """
    if path is None and (move or overwrite):
        raise Refused("Name the folder that files shall be moved to: kofactl storage PATH --move.")
    if overwrite and not move:
        raise Refused("Nothing is copied without --move, thus nothing can be overwritten.")
    is_here = not settings.is_elsewhere
    if path is not None and is_here:
        _check_place(path, settings.instance())
    pending, moved = 0, None
    with session(settings, write=path is not None, storage_required=move) as operations:
        former = operations.storage_path()
        if path is not None:
            is_other = not _is_same(path, former) if is_here else path != former
            # A portal that runs has a working directory of its own.
            place = os.path.abspath(path) if is_here else path
            start = operations.start_move_anywhere if is_here else operations.start_move
            if move and is_other:
                moved = complete(operations, lambda: start(place, overwrite=overwrite))
            else:
                pending = len(operations.pending_files()) if is_other else 0
                use = operations.set_storage_path if is_here else operations.use_storage
                use(place)
        where = operations.storage_path()
    left = () if moved is None else moved.left
    if settings.json:
        say_json({"path": where, "not_copied": list(left), "left_behind": pending})
        return
    if moved is None:
        say(f"The storage is {where}.")
    else:
        say(f"The storage is {where}: {moved.rows:,} files were moved.")
    for name in left:
        say(f"Existed already, or is no file (not copied): {name}")
    if pending:
        say(
            f"Pending files that stay in {former}: {pending:,}. To bring them along, go back with "
            f"`kofactl storage {former}`, then `kofactl storage {where} --move`."
        )


def _check_place(path: str, instance: Instance) -> None:
    """Raise `InvalidStoragePath` for a folder in which files would mix with the instance's."""
    if not path:
        raise InvalidStoragePath("No path was given. Name an existing folder.")
    place, var = os.path.realpath(path), os.path.realpath(instance.var)
    database = instance.configuration.database
    if _is_within(var, place):
        raise InvalidStoragePath(
            f"{path} contains the instance directory {instance.var}. Name a folder for files "
            f"alone, such as {instance.storage}."
        )
    if isinstance(database, FileDatabase) and _is_within(
        place, os.path.realpath(database.path.parent)
    ):
        raise InvalidStoragePath(
            f"{path} belongs to the database. Name a folder for files alone, such as "
            f"{instance.storage}."
        )


def _is_within(path: str, folder: str) -> bool:
    """Tell whether a real path is that of a folder or of something below it."""
    return os.path.commonpath((path, folder)) == folder


def _is_same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
