"""``kofactl init`` and ``check-config``: the configuration of a portal, written and tested."""

import os
from pathlib import Path

import click

from waeup.kofa.cli.codes import DONE, REFUSED
from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, machine_options, pass_settings
from waeup.kofa.deployment import conf
from waeup.kofa.errors import Refused

#: Which option says what in the configuration.
_OPTIONS = {
    "dsn": ("postgresql", "dsn"),
    "zeo": ("zeo", "server"),
    "files": ("files", "path"),
    "host": ("server", "host"),
    "port": ("server", "port"),
}


@click.command(short_help="Write a configuration.")
@click.option(
    "--database",
    type=click.Choice(("filestorage", "zeo", "postgresql")),
    help="Where the objects are (usual: what the other options say, else filestorage).",
)
@click.option(
    "--dsn", help="How to connect to PostgreSQL, such as 'host=db dbname=kofa user=kofa'."
)
@click.option("--zeo", metavar="HOST:PORT", help="A ZEO server.")
@click.option(
    "--files",
    type=Named(),
    metavar="DIR",
    help="Folder of the files, which all machines share.",
)
@click.option("--host", help="Address to answer on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to answer on.")
@click.option("--replace", is_flag=True, help="Replace a configuration that is there.")
@machine_options
@pass_settings
def init(settings: Settings, database: str | None, replace: bool, **options: object) -> None:
    """Write a configuration, in which each key stands with its meaning and its usual value.

    It is --config, else kofa.conf in the instance directory, and for its owner only. Passwords do
    not belong on a command line: put that of the database into a passfile, or write it into the
    configuration afterwards.

    \b
    kofactl init
    kofactl init --dsn "host=db.example.org dbname=kofa user=kofa passfile=/etc/kofa/pgpass" \\
        --files /mnt/kofa
    """
    from waeup.kofa.deployment import writing

    if options["dsn"] and "password=" in str(options["dsn"]).replace(" ", ""):
        raise Refused(
            "A password on a command line can be seen by all users of the machine. Leave it out; "
            "write it into the configuration afterwards, or into a passfile."
        )
    if database is None:
        database = "postgresql" if options["dsn"] else "zeo" if options["zeo"] else "filestorage"
    for option, kind in (("dsn", "postgresql"), ("zeo", "zeo")):
        if (database == kind) != bool(options[option]):
            needs = "needs" if database == kind else "has no use for"
            raise Refused(f"The database {database} {needs} --{option}.")
    said: dict[str, dict[str, list[str]]] = {}
    for option, (section, key) in _OPTIONS.items():
        if options[option] is not None:
            said.setdefault(section, {})[key] = [str(options[option])]
    if "files" in said:
        said["files"]["path"] = [os.path.abspath(said["files"]["path"][0])]
    path = (settings.config or settings.folder / conf.NAME).absolute()
    if settings.config is not None and settings.var is not None:
        said[""] = {"instance": [str(settings.var.absolute())]}
    text = writing.text_of(database, said)
    # What cannot be read must not be written.
    conf.read(text, path)
    _write(path, text, replace)
    if settings.json:
        say_json({"path": str(path), "database": database})
        return
    say(f"The configuration was written: {path}")
    say(f"Look through it, then: kofactl check-config --config {path}")


def _write(path: Path, text: str, replace: bool) -> None:
    """Write the file at one stroke, for its owner only."""
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            if replace:
                new.replace(path)
            else:
                os.link(new, path)
        finally:
            new.unlink(missing_ok=True)
    except FileExistsError:
        raise Refused(f"There is {path} already. Look at it, or replace it with --replace.")
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.")


@click.command("check-config", short_help="Test the configuration and its connections.")
@machine_options
@pass_settings
def check_config(settings: Settings) -> int:
    """Test what the configuration says: folders, database, servers. Nothing is changed.

    Exit code: 0 all is well, 2 something does not work.

    \b
    kofactl check-config
    kofactl check-config --config /etc/kofa/kofa.conf --json
    """
    from waeup.kofa.cli.session import load_site
    from waeup.kofa.deployment import checking

    chosen = settings.instance().configuration
    found = list(checking.check(chosen, lambda: _storage(settings), load_site))
    if settings.json:
        say_json([finding._asdict() for finding in found])
    else:
        show_table(("", "What", "Found"), [(f.verdict, f.what, f.text) for f in found])
    is_refused = any(finding.verdict == checking.BAD for finding in found)
    return REFUSED if is_refused else DONE


def _storage(settings: Settings) -> str | None:
    """Return the storage of the portal; None where there is no portal yet."""
    from waeup.kofa.errors import NoSuchItem

    try:
        with session(settings, storage_required=False) as operations:
            return operations.storage_path()
    except NoSuchItem:
        return None
