"""``kofactl run``: the portal itself."""

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.mail import MailServer
from waeup.kofa.cli.numbers import MOST, MOST_MEGABYTES, Between
from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.screen import say
from waeup.kofa.cli.settings import Settings, pass_settings, server_options
from waeup.kofa.deployment.conf import Configuration, Server
from waeup.kofa.deployment.figures import Figures
from waeup.kofa.usual import MOST_DAYS

if TYPE_CHECKING:
    from waeup.kofa.cli.instance import Instance

MEGABYTE = 1024 * 1024
#: Options of other names or units than the figures that they set, and by what they are multiplied.
_FIGURES = {
    "max_upload": ("upload_limit", MEGABYTE),
    "max_rows": ("rows", 1),
    "max_columns": ("columns", 1),
    "max_unpacked": ("unpacked", MEGABYTE),
    "max_memory": ("memory", MEGABYTE),
    "remove_share": ("remove_share", 0.01),
    "change_share": ("change_share", 0.01),
}


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return an address as the server writes that of a peer."""
    try:
        return None if value is None else str(ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no IP address, such as 127.0.0.1 or ::1.")


@click.command(short_help="Serve the portal until Ctrl-C.")
@server_options
@click.option("--host", help="Address to answer on (usual: 127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to answer on; 0 for any free one (usual: 8080).",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 16),
    help="Requests that are answered at the same time (usual: 4).",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1, MOST_MEGABYTES),
    metavar="MB",
    help="Largest request, and thus largest uploaded file, in megabytes (usual: 200).",
)
@click.option(
    "--max-rows",
    type=click.IntRange(1, MOST),
    help="Rows that a table may have (usual: 5,000,000).",
)
@click.option(
    "--max-columns",
    type=click.IntRange(1, MOST),
    help="Columns that a table may have (usual: 1,000).",
)
@click.option(
    "--max-unpacked",
    type=click.IntRange(1, MOST_MEGABYTES),
    metavar="MB",
    help="What may come out of a workbook or a packed file, in megabytes (usual: 2048).",
)
@click.option(
    "--max-memory",
    type=click.IntRange(256, MOST_MEGABYTES),
    metavar="MB",
    help="Memory for reading a workbook, in megabytes (usual: 2048).",
)
@click.option(
    "--undo-days",
    type=click.IntRange(0, MOST_DAYS),
    metavar="N",
    help="Days for which an import can be taken back (usual: 30).",
)
@click.option(
    "--export-hours",
    type=Between(0, 24 * MOST_DAYS),
    metavar="N",
    help="Hours for which the result of an export is kept (usual: 24).",
)
@click.option(
    "--remove-share",
    type=Between(0, 100),
    metavar="PERCENT",
    help="Share of all objects of a kind that may be removed without a question (usual: 10).",
)
@click.option(
    "--change-share",
    type=Between(0, 100),
    metavar="PERCENT",
    help="Share of all objects of a kind that may be changed without a question (usual: 50).",
)
@click.option(
    "--smtp",
    type=MailServer(),
    help="Mail server by which import managers are told of the end of imports.",
)
@click.option(
    "--mail-from", metavar="ADDRESS", help="Sender of these messages; needed with --smtp."
)
@click.option(
    "--storage-root",
    "storage_roots",
    type=Named(exists=True, file_okay=False, resolve_path=True),
    multiple=True,
    metavar="DIR",
    help="Folder below which administrators may move the storage; can be repeated.",
)
@click.option(
    "--trusted-proxy",
    metavar="ADDRESS",
    callback=_address,
    help="Address of the proxy in front; its X-Forwarded headers are believed.",
)
@click.option("--setup-only", is_flag=True, help="Make what is missing, and do not serve.")
@pass_settings
def run(settings: Settings, setup_only: bool, **options: Any) -> None:
    """Serve the portal until Ctrl-C.

    The first start makes the instance directory (--var), the portal, and the administrator
    `admin`, whose password is shown this once. It is shown after the portal was made for good;
    if that message got lost, `kofactl users password admin` sets another one. A later start finds
    everything as it was, and first completes what a killed process left half done.

    When the portal is stopped, imports that are under way end with the rows of the moment, and go
    on with the next start; so they do after a second Ctrl-C, which ends the portal at once.

    Options stand above what the configuration says (--config), and that above what is usual.

    \b
    kofactl run
    kofactl run --var /srv/kofa --port 8081 --trusted-proxy 127.0.0.1
    kofactl run --setup-only
    """
    from contextlib import ExitStack

    from waeup.kofa.cli import processes, serve
    from waeup.kofa.cli.mail import sending
    from waeup.kofa.cli.session import ADMINISTRATOR, make_site

    instance = settings.instance()
    chosen = _chosen(instance.configuration, options)
    with ExitStack() as stack:
        database = stack.enter_context(processes.opened(instance, chosen, "portal", "web"))
        # Before the portal is made: a start that is refused here shows no password.
        host, port = chosen.server.host, chosen.server.port
        listener = None if setup_only else stack.enter_context(serve.listen(host, port))
        password = make_site(database, instance)
        if password is not None:
            say(f"A new portal was made in {_place(instance)}.")
            say(f"Log in as {ADMINISTRATOR} with the password {password}")
            say("The password is shown only now; `kofactl users password` sets another one.")
        processes.recover_at_start(database)
        if listener is None:
            say(f"The portal in {_place(instance)} is ready.")
            return
        stack.enter_context(sending(instance.mail, chosen.mail))
        url = serve.url_of(listener)
        health = stack.enter_context(processes.monitored(database, instance, chosen))
        serve.serve(
            database,
            listener,
            None if instance.is_shared else instance.socket,
            chosen,
            health=health,
            ready=lambda: say(f"The portal answers on {url} (stop it with Ctrl-C)."),
        )
        say("The portal was stopped.")


def _place(instance: "Instance") -> str:
    """Return for people where the objects of a portal are."""
    return instance.configuration.database.title if instance.is_shared else str(instance.var)


def _chosen(configuration: Configuration, options: dict[str, Any]) -> Configuration:
    """Return a configuration with what options of the command line say instead.

    Raises `click.UsageError` when that does not go together.
    """
    said = {name: value for name, value in options.items() if value not in (None, ())}
    server = {name: said[name] for name in Server._fields if name in said}
    figures = {name: said[name] for name in Figures._fields if name in said}
    for option, (name, factor) in _FIGURES.items():
        if option in said:
            figures[name] = said[option] * factor
    chosen = replace(
        configuration,
        server=configuration.server._replace(**server),
        figures=configuration.figures._replace(**figures),
        mail=said.get("smtp", configuration.mail),
    )
    if (chosen.mail is None) != (chosen.figures.mail_from is None):
        raise click.UsageError("Messages need both, a server (--smtp) and a sender (--mail-from).")
    return chosen
