"""``kofactl worker``: a process that works on runs, and serves no pages."""

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.screen import say
from waeup.kofa.cli.settings import Settings, pass_settings, server_options
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from ZODB.DB import DB

#: Seconds between two looks whether somebody has made the portal.
PAUSE = 2.0


@click.command(short_help="Work on runs until Ctrl-C.")
@click.option(
    "--threads",
    type=click.IntRange(1, 16),
    help="Runs that are worked on at the same time (usual: 2).",
)
@server_options
@pass_settings
def worker(settings: Settings, threads: int | None) -> None:
    """Work on runs until Ctrl-C, or SIGTERM; serve no pages.

    For a portal whose database several processes share (<zeo> or <postgresql> in the
    configuration). It can be started as often as wanted, on as many machines as wanted that see
    the same folder of files. Where the portal is not there yet, it is waited for.

    At a stop each run ends with the rows of the moment, and goes on elsewhere.

    \b
    kofactl worker --config /etc/kofa/kofa.conf
    kofactl worker --config /etc/kofa/kofa.conf --threads 4
    """
    from waeup.kofa.cli import processes
    from waeup.kofa.cli.mail import sending
    from waeup.kofa.deployment.supervision import supervised

    instance = settings.instance()
    chosen = instance.configuration
    if not instance.is_shared:
        raise Refused(
            f"The database {chosen.database.title} is for one process, and `kofactl run` works on "
            "runs itself. Name a configuration with <zeo> or <postgresql> (--config)."
        )
    threads = threads or chosen.workers.threads
    asked = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(processes.stopped_by_signals(asked.set))
        database = stack.enter_context(processes.opened(instance, chosen, "worker", "worker"))
        supervisor = stack.enter_context(supervised())
        if not _is_portal_there(database, asked):
            return
        processes.recover_at_start(database)
        stack.enter_context(sending(instance.mail, chosen.mail))
        health = stack.enter_context(processes.monitored(database, instance, chosen))
        end_work = stack.enter_context(processes.working(database, chosen, threads))
        say(f"The worker looks for runs in {chosen.database.title} (stop it with Ctrl-C).")
        supervisor.ready()
        asked.wait()
        health.stop()
        supervisor.stopping()
        end_work()
    say("The worker was stopped.")


def _is_portal_there(database: "DB", asked: threading.Event) -> bool:
    """Wait until there is a portal; tell whether there is, or the process is to end."""
    from waeup.kofa.cli.session import is_portal_there

    is_told = False
    while not asked.is_set():
        if is_portal_there(database):
            return True
        if not is_told:
            say("There is no portal yet: `kofactl run` makes it. It is waited for.")
            is_told = True
        asked.wait(PAUSE)
    return False
