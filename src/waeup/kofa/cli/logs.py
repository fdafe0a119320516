"""``kofactl logs``: what the portal has written down."""

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.settings import Settings, common_options, pass_settings


@click.command(short_help="List the logs, or search one of them.")
@click.argument("name", required=False)
@click.argument("expression", required=False)
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Lines at most; 0 for all.")
@click.option("--start", type=click.IntRange(min=0), default=0, help="Matches to leave out.")
@common_options
@pass_settings
def logs(
    settings: Settings, name: str | None, expression: str | None, limit: int, start: int
) -> None:
    """List the logs, or search one of them and its backups.

    EXPRESSION is a regular expression in the syntax of RE2; without it all lines are shown.
    The oldest line comes first.

    \b
    kofactl logs
    kofactl logs datacenter.log
    kofactl logs datacenter.log 'admin - .*students' --limit 20
    """
    from waeup.kofa.cli.session import session

    with session(settings) as operations:
        if name is None:
            found = operations.log_files()
            if settings.json:
                say_json(
                    [
                        {"name": log.name, "size": log.size, "date": log.date.isoformat()}
                        for log in found
                    ]
                )
            else:
                rows = ((log.name, log.size_text, log.date_text) for log in found)
                show_table(("Name", "Size", "Last change"), rows, right="Size")
            return
        lines = operations.query_log(name, expression or "", limit=limit, start=start)
        if settings.json:
            say_json([line.rstrip("\r\n") for line in lines])
            return
        for line in lines:
            say(line.rstrip("\r\n"))
