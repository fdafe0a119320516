"""``kofactl runs``, and what can be done with runs; ``kofactl recover``."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.codes import DONE, LEFT
from waeup.kofa.cli.following import complete, finished, follow, ordered
from waeup.kofa.cli.history import tell_rows
from waeup.kofa.cli.screen import say, say_json
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.cli.telling import plain_run, show_runs, tell_end, tell_run, ways

if TYPE_CHECKING:
    from waeup.kofa.operations import Operations, RunInfo

_RUN = click.argument("id", metavar="RUN")


@click.command(short_help="List imports, checks and undos.")
@click.argument("id", metavar="[RUN]", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Runs, or rows, to list.",
)
@click.option("--rows", is_flag=True, help="List what the rows of the run RUN did.")
@click.option(
    "--from", "start", type=click.IntRange(1), default=1, help="With --rows: the first row."
)
@common_options
@pass_settings
def runs(settings: Settings, id: str | None, limit: int, rows: bool, start: int) -> None:
    """List the runs, the newest first, or tell all about one.

    With --rows it is told which objects the rows of an import have created, changed and removed;
    `kofactl history` tells the same from an object.

    A run that is `interrupted` was left by a process that ended. It goes on when the portal
    starts, or by `kofactl resume`.

    \b
    kofactl runs
    kofactl runs 7ac1f0b2d3e4a5f6
    kofactl runs 7ac1f0b2d3e4a5f6 --rows
    """
    if rows:
        if id is None:
            raise click.UsageError("Name the run whose rows are to be listed: RUN.")
        with session(settings, asks=True) as operations:
            done = operations.done_rows(id, start=start, limit=limit)
        tell_rows(settings, id, done)
        return
    with session(settings, asks=True) as operations:
        found = operations.runs(limit) if id is None else [operations.run(id)]
    is_attended = settings.is_attended()
    if settings.json:
        plain = [plain_run(run) for run in found]
        say_json(plain if id is None else plain[0])
    elif id is not None:
        tell_run(found[0], is_attended=is_attended)
    elif not found:
        say("There are no runs yet.")
    else:
        show_runs(found, is_attended=is_attended)


@click.command(short_help="Let a run end.")
@_RUN
@click.option("--give-up", is_flag=True, help="Free the file of a run that cannot go on.")
@common_options
@pass_settings
def cancel(settings: Settings, id: str, give_up: bool) -> int:
    """Let a run end at its next batch of rows.

    What is done stays; the run can go on later, or be taken back. Until then its file belongs to
    it. Where the file or its results are lost, --give-up frees the name: what is done can be taken
    back still, but the run cannot go on, and there will be no finished file. An undo that is given
    up can be ordered anew: it takes back the rest.

    \b
    kofactl cancel 7ac1f0b2d3e4a5f6
    kofactl cancel 7ac1f0b2d3e4a5f6 --give-up
    """
    if give_up:
        with session(settings, write=True) as operations:
            run = ordered(lambda: operations.give_up(id))
        if settings.json:
            say_json(plain_run(run))
        else:
            say(f"The {run.title} was given up. {ways(run)}".rstrip())
        return DONE

    def start() -> "RunInfo":
        run = operations.run(id)
        # Somebody wants it already, and perhaps was killed before it was heard.
        return run if run.is_active and run.is_cancelling else operations.cancel(id)

    with session(settings, write=True) as operations:
        run = follow(operations, start)
    if run.state != "cancelled":
        return tell_end(settings, finished(run))
    if settings.json:
        say_json(plain_run(run))
    else:
        say(f"The {run.title} was cancelled after {run.rows:,} rows. {ways(run)}".rstrip())
    return DONE


@click.command(short_help="Let a run go on.")
@_RUN
@common_options
@pass_settings
def resume(settings: Settings, id: str) -> int:
    """Let a run go on at the row where it was stopped, cancelled or interrupted.

    Of a run that somebody works on, the end is waited for.

    \b
    kofactl resume 7ac1f0b2d3e4a5f6
    """

    def start(operations: "Operations") -> "RunInfo":
        run = operations.run(id)
        return run if run.is_active else operations.resume(id)

    return _completed(settings, start)


@click.command(short_help="Take an import back.")
@_RUN
@click.option("--check", is_flag=True, help="Only tell what would be taken back.")
@common_options
@pass_settings
def undo(settings: Settings, id: str, check: bool) -> int:
    """Take an import back: what it created goes, what it changed or removed is as it was.

    Objects that somebody has changed since are left alone, and the exit code is 1. A file among
    the finished ones says what became of each row.

    \b
    kofactl undo 7ac1f0b2d3e4a5f6 --check
    kofactl undo 7ac1f0b2d3e4a5f6
    """
    return _completed(settings, lambda operations: operations.start_undo(id, check=check))


@click.command(short_help="Put files and database in order.")
@click.option("--verify", is_flag=True, help="Compare the contents of all files, too.")
@common_options
@pass_settings
def recover(settings: Settings, verify: bool) -> int:
    """Compare the files with what the portal knows, and mend what a crash has left.

    A start of the portal does this, too. What only a person can decide is told, with the choices;
    then the exit code is 1.

    \b
    kofactl recover
    kofactl recover --verify
    """
    with session(settings, write=True) as operations:
        found = operations.recover(verify=verify)
    if settings.json:
        say_json([finding._asdict() for finding in found])
    else:
        for finding in found:
            say(finding.text)
        if not found:
            say("Everything is in order.")
    return DONE if all(finding.repaired for finding in found) else LEFT


def _completed(settings: Settings, start: Callable[["Operations"], "RunInfo"]) -> int:
    """Order a run, lead it to its end, and tell about it; return the exit code."""
    with session(settings, write=True) as operations:
        run = complete(operations, lambda: start(operations))
    return tell_end(settings, run)
