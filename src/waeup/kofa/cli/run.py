"""``kofactl run``: the portal itself."""

import logging
from ipaddress import ip_address

import click

from waeup.kofa.cli.mail import Server
from waeup.kofa.cli.screen import say
from waeup.kofa.cli.settings import Settings, pass_settings, var_option

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return an address as the server writes that of a peer."""
    try:
        return None if value is None else str(ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no IP address, such as 127.0.0.1 or ::1.")


@click.command(short_help="Serve the portal until Ctrl-C.")
@var_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to answer on; 0 for any free one.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    help="Requests that are answered at the same time.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(min=1),
    metavar="MB",
    default=200,
    show_default=True,
    help="Largest request, and thus largest uploaded file, in megabytes.",
)
@click.option(
    "--max-rows",
    type=click.IntRange(min=1),
    default=5_000_000,
    show_default=True,
    help="Rows that a table may have.",
)
@click.option(
    "--max-columns",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Columns that a table may have.",
)
@click.option(
    "--max-unpacked",
    type=click.IntRange(min=1),
    metavar="MB",
    default=2048,
    show_default=True,
    help="What may come out of a workbook or a packed file, in megabytes.",
)
@click.option(
    "--max-memory",
    type=click.IntRange(min=256),
    metavar="MB",
    default=2048,
    show_default=True,
    help="Memory for reading a workbook, in megabytes.",
)
@click.option(
    "--undo-days",
    type=click.IntRange(min=0),
    metavar="N",
    default=30,
    show_default=True,
    help="Days for which an import can be taken back.",
)
@click.option(
    "--export-hours",
    type=click.FloatRange(min=0),
    metavar="N",
    default=24,
    show_default=True,
    help="Hours for which the result of an export is kept.",
)
@click.option(
    "--remove-share",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    default=10,
    show_default=True,
    help="Share of all objects of a kind that may be removed without a question.",
)
@click.option(
    "--change-share",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    default=50,
    show_default=True,
    help="Share of all objects of a kind that may be changed without a question.",
)
@click.option(
    "--smtp",
    type=Server(),
    help="Mail server by which import managers are told of the end of imports.",
)
@click.option(
    "--mail-from", metavar="ADDRESS", help="Sender of these messages; needed with --smtp."
)
@click.option(
    "--storage-root",
    "storage_roots",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
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
def run(
    settings: Settings,
    host: str,
    port: int,
    threads: int,
    max_upload: int,
    max_rows: int,
    max_columns: int,
    max_unpacked: int,
    max_memory: int,
    undo_days: int,
    export_hours: float,
    remove_share: float,
    change_share: float,
    smtp: tuple[str, int] | None,
    mail_from: str | None,
    storage_roots: tuple[str, ...],
    trusted_proxy: str | None,
    setup_only: bool,
) -> None:
    """Serve the portal until Ctrl-C.

    The first start makes the instance directory (--var), the portal, and the administrator
    `admin`, whose password is shown this once. It is shown after the portal was made for good;
    if that message got lost, `kofactl users password admin` sets another one. A later start finds
    everything as it was, and first completes what a killed process left half done.

    When the portal is stopped, imports that are under way end with the rows of the moment, and go
    on with the next start; so they do after a second Ctrl-C, which ends the portal at once.

    \b
    kofactl run
    kofactl run --var /srv/kofa --port 8081 --trusted-proxy 127.0.0.1
    kofactl run --setup-only
    """
    from contextlib import ExitStack

    from waeup.kofa.cli import serve
    from waeup.kofa.cli.instance import Instance
    from waeup.kofa.cli.mail import sending
    from waeup.kofa.cli.session import (
        ADMINISTRATOR,
        SITE_NAME,
        Figures,
        configure,
        load_configuration,
        make_site,
    )
    from waeup.kofa.jobs import recover
    from waeup.kofa.tabular import Limits

    if (smtp is None) != (mail_from is None):
        raise click.UsageError("Messages need both, a server (--smtp) and a sender (--mail-from).")
    instance = Instance(settings.var)
    with ExitStack() as stack:
        instance.make()
        stack.enter_context(serve.keep_log(instance.log / "portal.log"))
        load_configuration()
        limits = Limits(
            rows=max_rows,
            columns=max_columns,
            unpacked=max_unpacked * MEGABYTE,
            memory=max_memory * MEGABYTE,
        )
        figures = Figures(
            upload_limit=max_upload * MEGABYTE,
            limits=limits,
            undo_days=undo_days,
            remove_share=remove_share / 100,
            change_share=change_share / 100,
            mail_from=mail_from,
            export_hours=export_hours,
            storage_roots=storage_roots,
        )
        configure(instance, figures)
        database = stack.enter_context(instance.database(write=True))
        figures.keep(instance.figures)
        # Before the portal is made: a start that is refused here shows no password.
        listener = None if setup_only else stack.enter_context(serve.listen(host, port))
        serve.bootstrap(database)
        password = make_site(database, instance)
        if password is not None:
            say(f"A new portal was made in {instance.var}.")
            say(f"Log in as {ADMINISTRATOR} with the password {password}")
            say("The password is shown only now; `kofactl users password` sets another one.")
        for finding in recover(database, f"/{SITE_NAME}"):
            # What was mended is for the log.
            (log.info if finding.repaired else say)(finding.text)
        if listener is None:
            say(f"The portal in {instance.var} is ready.")
            return
        stack.enter_context(sending(instance.mail, smtp))
        url = serve.url_of(listener)
        serve.serve(
            database,
            listener,
            instance.socket,
            threads=threads,
            max_upload=max_upload * MEGABYTE,
            trusted_proxy=trusted_proxy,
            ready=lambda: say(f"The portal answers on {url} (stop it with Ctrl-C)."),
        )
        say("The portal was stopped.")
