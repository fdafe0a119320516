"""``kofactl storage``: where the files of the data center are."""

from pathlib import Path

import click

from waeup.kofa.cli.screen import say, say_json
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import Refused


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--move", is_flag=True, help="Copy the files of the present storage to PATH.")
@click.option("--overwrite", is_flag=True, help="Replace what PATH holds already (with --move).")
@common_options
@pass_settings
def storage(settings: Settings, path: Path | None, move: bool, overwrite: bool) -> None:
    """Show the path of the storage, or keep files in the existing folder PATH from now on.

    The old folder keeps its content. Entries that PATH holds already are left alone and named,
    unless they shall be overwritten.

    \b
    kofactl storage
    kofactl storage /srv/kofa/datacenter --move
    """
    from waeup.kofa.cli.session import session

    if path is None and (move or overwrite):
        raise Refused("Name the folder that files shall be moved to: kofactl storage PATH --move.")
    if overwrite and not move:
        raise Refused("Nothing is copied without --move, thus nothing can be overwritten.")
    with session(settings, write=path is not None, storage_required=False) as operations:
        left = []
        if path is not None:
            left = operations.set_storage_path(str(path), move=move, overwrite=overwrite)
        where = operations.storage_path()
    if settings.json:
        say_json({"path": where, "not_copied": left})
        return
    say(f"The storage is {where}.")
    for name in left:
        say(f"Existed already (not copied): {name}")
