"""``kofactl backup``, ``restore-backup``, ``migrate`` and ``pack``: the portal as a whole."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.numbers import Between
from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.screen import bar, say, say_json
from waeup.kofa.cli.settings import (
    Settings,
    acting_options,
    common_options,
    machine_options,
    pass_settings,
)
from waeup.kofa.errors import Fault, Refused
from waeup.kofa.usual import MOST_DAYS

if TYPE_CHECKING:
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.deployment.backups import Backup
    from waeup.kofa.deployment.databases import Database
    from waeup.kofa.jobs.recovery import Finding

#: Bytes of a megabyte, as people are told sizes.
MEGABYTE = 1000 * 1000


@click.command(short_help="Save database and files, while the portal runs.")
@click.argument("folder", required=False, type=Named(path_type=Path, file_okay=False))
@click.option("--note", default="", help="Where it is, or how it was made.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Remove the complete backups in DIR but the N newest.",
)
@acting_options
@pass_settings
def backup(settings: Settings, folder: Path | None, note: str, keep: int | None) -> None:
    """Save database and files of the portal in the folder DIR, as one whole.

    Work goes on meanwhile. The backup is a new folder with the time (UTC) as its name; as long as
    it lacks backup.json it is not complete. The page on the system shows when the last one was
    made. Without DIR nothing is saved: it is only noted that other means have done it just now.

    \b
    kofactl backup /backups/kofa --keep 14
    kofactl backup --note "rsync to the archive"
    """
    instance = settings.instance()
    instance.require()
    if folder is None:
        if keep is not None:
            raise Refused("Name the folder with the backups: kofactl backup DIR --keep N.")
        note_backup(instance, note)
        if settings.json:
            say_json({"path": str(instance.backup_stamp), "note": note})
        else:
            say("The portal knows now that a backup was made.")
        return
    from waeup.kofa.deployment import backups

    folder = Path(os.path.abspath(folder))
    place, made = _made_backup(settings, instance, folder)
    note_backup(instance, note or str(place))
    removed = [] if keep is None else backups.remove_old(folder, keep)
    broken = backups.incomplete(folder)
    if settings.json:
        say_json(
            {
                "path": str(place),
                **made._asdict(),
                "removed": [str(path) for path in removed],
                "incomplete": [str(path) for path in broken],
            }
        )
        return
    say(
        f"Saved in {place}: the database ({made.database_size / MEGABYTE:,.1f} MB), and "
        f"{made.files:,} files ({made.files_size / MEGABYTE:,.1f} MB)."
    )
    say(f"Files could not come to their places for {made.locked_seconds:.2f} seconds.")
    for path in removed:
        say(f"Removed, since --keep is {keep}: {path}")
    for path in broken:
        say(f"Not complete, and of no use: {path}")


def note_backup(instance: "Instance", note: str) -> None:
    """Let the portal know that a backup was made just now."""
    new = instance.backup_stamp.with_name(f"{instance.backup_stamp.name}.new")
    new.write_text(f"{note}\n", encoding="utf-8")
    new.replace(instance.backup_stamp)


def _made_backup(settings: Settings, instance: "Instance", folder: Path) -> tuple[Path, "Backup"]:
    """Make a backup, and return where it is and what is known of it."""
    from waeup.kofa.cli.session import SITE_NAME, session
    from waeup.kofa.deployment import backups, copying
    from waeup.kofa.deployment.databases import FileDatabase

    def require_storage(path: Path) -> None:
        if copying.storage_path_of(FileDatabase(path), SITE_NAME) != storage:
            raise Fault("The storage was moved while it was saved. Repeat the command.")

    # With a shared database the session has what locks the storage for all machines.
    with session(settings, write=instance.is_shared, asks=True) as operations:
        storage = operations.storage_path()
        real = os.path.realpath(folder)
        if os.path.commonpath((real, os.path.realpath(storage))) == os.path.realpath(storage):
            raise Refused(f"{folder} lies in the storage {storage}. Name a folder elsewhere.")
        with _told("Saving") as tell:
            return backups.make_backup(
                folder,
                instance.configuration.database,
                storage,
                settings.user,
                tell,
                require_storage,
            )


@click.command("restore-backup", short_help="Bring a portal back from a backup.")
@click.argument("source", metavar="BACKUP", type=Named(path_type=Path))
@click.option(
    "--files",
    type=Named(path_type=Path, file_okay=False),
    metavar="DIR",
    help="New folder for the files (default: that of the configuration).",
)
@click.option("--replace", is_flag=True, help="Give up the portal that is there.")
@click.option("--yes", is_flag=True, help="Do not ask about that.")
@machine_options
@pass_settings
def restore_backup(
    settings: Settings, source: Path, files: Path | None, replace: bool, yes: bool
) -> None:
    """Bring database and files back from a folder that `kofactl backup` has made.

    The database comes into the one of the configuration, of whatever kind both are; where it holds
    a portal, --replace is needed. All digests are compared first. Whenever this is broken off, the
    portal is either the former or the restored one, and the command can be repeated. The former
    files stay where they are, and so does the former file of an embedded database.

    \b
    kofactl restore-backup /backups/kofa/20260131T090000Z
    kofactl restore-backup /backups/kofa/20260131T090000Z --replace --config /etc/kofa.conf
    """
    from waeup.kofa.deployment import backups

    source = Path(os.path.abspath(source))
    backups.read_backup(source)
    instance = settings.instance()
    database = instance.configuration.database
    used = _portal_in(database, replace)
    place = _place_for(instance, source, files, used)
    if replace and used is not None:
        _ask(f"The portal in {database.title} is given up for that of {source}.", yes)
    backup, former = _restored(instance, source, place, replace)
    findings = _recovered(instance)
    if settings.json:
        say_json(
            {
                "backup": str(source),
                "database": database.title,
                "storage": str(place),
                "former_storage": used,
                "former_database": None if former is None else str(former),
                "findings": [finding._asdict() for finding in findings],
            }
        )
        return
    say(f"The portal of {backup.time} is in {database.title}, and its files are in {place}.")
    for finding in findings:
        say(finding.text)
    if used is not None:
        say(f"The files of the portal that was here are still in {used}.")
    if former is not None:
        say(f"Its database is kept as {former}. Remove both when you do not need them.")
    say("Start it with `kofactl run`; runs that were under way go on then.")


def _portal_in(database: "Database", replace: bool) -> str | None:
    """Return where the files of the portal in a database are, None where there is no portal.

    Raises `Refused` when there is something that must not be replaced, and while it is in use.
    """
    from waeup.kofa.cli.session import SITE_NAME
    from waeup.kofa.deployment import copying, wholeness

    if not database.is_shared and not database.exists():
        return None
    with database.storage(write=True) as storage:
        copying.require_free(storage, database, replace)
        if wholeness.state_of(storage) != wholeness.TAKEN:
            return None
    copying.require_nobody(database)
    return copying.storage_path_of(database, SITE_NAME)


def _place_for(instance: "Instance", source: Path, files: Path | None, used: str | None) -> Path:
    """Return the folder that the files of a backup come into, beside those in the one `used`.

    Raises `Refused` when it is not empty.
    """
    from waeup.kofa.deployment import restoring

    place = Path(os.path.abspath(files)) if files is not None else instance.storage
    if used is not None and files is None:
        place = restoring.free_place(place, source.name, used)
    if not restoring.is_free(place, used):
        raise Refused(f"{place} is not empty. Name a new folder with --files DIR.")
    return place


def _restored(
    instance: "Instance", source: Path, place: Path, replace: bool
) -> tuple["Backup", Path | None]:
    """Bring a backup back; return what is known of it, and where the former database is kept."""
    from waeup.kofa.cli.session import SITE_NAME
    from waeup.kofa.deployment import backups, restoring

    database = instance.configuration.database
    with _told("Restoring") as tell:
        backup, listed = backups.check_backup(source, tell)
        instance.make()
        restoring.require_room(place, backup, database)
        inodes = restoring.restore_files(source, listed, backup.storage, place, tell)
        beside = instance.database_path
        with restoring.prepared(
            source, beside, place, backup, inodes, SITE_NAME, tell
        ) as prepared:
            former = restoring.put_database(
                prepared, database, source.name, tell, replaces=replace
            )
        restoring.end(place)
    return backup, former


def _recovered(instance: "Instance") -> list["Finding"]:
    """Let the restored portal look at all its files, and return what it has found."""
    from waeup.kofa.cli.session import SITE_NAME, configure, load_configuration
    from waeup.kofa.jobs import recover

    load_configuration()
    configure(instance)
    with instance.database(write=True) as opened:
        return recover(opened, f"/{SITE_NAME}", verify=True)


@click.command(short_help="Copy the database to another kind or place.")
@click.option(
    "--to",
    "target",
    required=True,
    type=Named(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The configuration (kofa.conf) that names the new database.",
)
@click.option("--replace", is_flag=True, help="Give up what the new database holds.")
@click.option("--yes", is_flag=True, help="Do not ask about that.")
@machine_options
@pass_settings
def migrate(settings: Settings, target: Path, replace: bool, yes: bool) -> None:
    """Copy the portal from the database of the configuration to that of another one.

    From each kind to each: a file, ZEO, PostgreSQL. Stop the portal before; the database is only
    read. Files are not touched: they stay where they are. All objects are compared afterwards.
    What is broken off is begun anew: until all is copied, the new database holds no portal.

    \b
    kofactl migrate --to /etc/kofa/kofa.conf
    """
    from waeup.kofa.cli.session import SITE_NAME
    from waeup.kofa.deployment import conf, copying, wholeness

    instance = settings.instance()
    instance.require()
    source, chosen = instance.configuration.database, conf.load(None, target)
    if _are_same(source, chosen.database):
        raise Refused(f"Both configurations name the same database, {source.title}.")
    if replace:
        _ask(f"All that {chosen.database.title} holds is given up.", yes)
    with copying.alone(source) as storage:
        if wholeness.state_of(storage) != wholeness.TAKEN:
            raise Refused(f"There is no portal in {source.title}, thus nothing to be copied.")
        copying.require_nobody(source)
        last, total = storage.lastTransaction(), max(len(storage), 1)
        with _told("Copying") as tell:
            number = copying.copy_database(
                storage,
                chosen.database,
                lambda done, size: tell(f"{done:,} objects", min(1.0, done / total)),
                replace=replace,
            )
    _require_unchanged(source, last)
    files = copying.storage_path_of(chosen.database, SITE_NAME)
    if settings.json:
        say_json(
            {
                "from": source.title,
                "to": chosen.database.title,
                "objects": number,
                "storage": files,
            }
        )
        return
    say(f"Copied to {chosen.database.title}, and compared: {number:,} objects.")
    if chosen.database.kind == "postgresql":
        say("Former states of objects were left behind: PostgreSQL keeps the present ones.")
    say(
        f"The files stay in {files}: each machine of the portal must see that folder under this "
        "path. If it is elsewhere there, say so with `kofactl storage PATH`."
    )
    say(f"{source.title} was not changed. Start the portal with `kofactl run --config {target}`.")


def _are_same(one: "Database", other: "Database") -> bool:
    from waeup.kofa.deployment.databases import FileDatabase

    if isinstance(one, FileDatabase) and isinstance(other, FileDatabase):
        return os.path.realpath(one.path) == os.path.realpath(other.path)
    return one.kind == other.kind and one.title == other.title and one == other


def _require_unchanged(database: "Database", last: bytes) -> None:
    """Raise `Fault` when a database has another last transaction by now."""
    if not database.is_shared:
        return
    with database.storage(write=False) as storage:
        if storage.lastTransaction() != last:
            raise Fault(
                f"{database.title} was changed while it was copied: the copy lacks something. "
                "Stop all processes of the portal, and begin anew with --replace."
            )


@click.command(short_help="Free room in the database.")
@click.option(
    "--days",
    type=Between(0, MOST_DAYS),
    default=1,
    show_default=True,
    metavar="N",
    help="Keep the states that objects have had in the last N days.",
)
@common_options
@pass_settings
def pack(settings: Settings, days: float) -> None:
    """Give up former states of objects, and objects that nothing refers to any more.

    Work goes on meanwhile. States that somebody still reads stay: those of the last hour while a
    portal runs, and those since the beginning of runs that are under way. PostgreSQL has no
    former states; there this removes what nothing refers to.

    \b
    kofactl pack
    kofactl pack --days 7
    """
    from waeup.kofa.cli.session import session

    alone, is_postgresql = False, False
    if not settings.is_elsewhere:
        instance = settings.instance()
        alone = not instance.is_shared and not settings.is_running()
        is_postgresql = instance.configuration.database.kind == "postgresql"
    with session(settings, write=True, storage_required=False) as operations:
        packed = operations.pack(days, alone=alone)
    if settings.json:
        say_json(
            {
                "to": packed.moment.isoformat(timespec="seconds"),
                "bytes_before": packed.before,
                "bytes_after": packed.after,
            }
        )
        return
    freed = max(0, packed.before - packed.after)
    moment = packed.moment.astimezone()
    say(f"Packed to {moment:%Y-%m-%d %H:%M:%S}: {freed:,} of {packed.before:,} bytes were freed.")
    if is_postgresql:
        say("PostgreSQL counts what is free anew after its own VACUUM, and uses it again.")


def _ask(what: str, yes: bool) -> None:
    """Ask a person whether something shall really be done; programs say so with ``--yes``."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{what} Say that you want this with --yes.")
    click.confirm(f"{what} Go on?", abort=True)


@contextmanager
def _told(label: str) -> Iterator[Callable[[str, float], Any]]:
    """Show what is done, and how far it is; gives the function to be told that."""
    with bar(label) as show:
        yield lambda words, share: show(share, words)
