"""``kofactl logs``: what the portal has written down."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.numbers import MOST
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings

if TYPE_CHECKING:
    from waeup.kofa.journal import FoundLine

#: Those of `waeup.kofa.journal`, which no other command shall wait for.
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: Lines that are asked for at once.
PAGE = 1000
#: Seconds after which the first lines are shown, and those of later pages at most: each page takes
#: twice the time of the one before.
FIRST_SECONDS, SECONDS = 0.05, 5.0


@click.command(short_help="List the logs, or search one or all of them.")
@click.argument("name", required=False)
@click.argument("expression", required=False)
@click.option("--all", "everywhere", is_flag=True, help="Search all logs; EXPRESSION comes first.")
@click.option("--ignore-case", is_flag=True, help="Capital letters or not: EXPRESSION finds both.")
@click.option("--officer", default="", metavar="USER", help="Lines of this user only.")
@click.option("--contains", default="", metavar="TEXT", help="Lines with this very text only.")
@click.option(
    "--level",
    default="",
    type=click.Choice(["", *LEVELS], case_sensitive=False),
    metavar="LEVEL",
    help="Lines of this level, or a worse one: INFO, WARNING, ERROR.",
)
@click.option("--since", default="", metavar="TIME", help="From this day or time on.")
@click.option("--until", default="", metavar="TIME", help="Up to this day or time.")
@click.option("--newest", is_flag=True, help="Begin with the newest line.")
@click.option("--limit", type=click.IntRange(0, MOST), default=0, help="Lines at most; 0 for all.")
@click.option("--start", type=click.IntRange(0, MOST), default=0, help="Matches to leave out.")
@common_options
@pass_settings
def logs(
    settings: Settings,
    name: str | None,
    expression: str | None,
    everywhere: bool,
    limit: int,
    start: int,
    **options: Any,
) -> None:
    """List the logs, or search one of them and its backups, or all of them.

    EXPRESSION is a regular expression in the syntax of RE2; without it all lines are shown that
    fit the options.  Options without NAME search all logs.  The oldest line comes first.  A TIME
    is 2026-01-31, or '2026-01-31 10:00'.

    \b
    kofactl logs
    kofactl logs datacenter.log
    kofactl logs datacenter.log 'admin - .*students' --limit 20
    kofactl logs --officer ann --contains students.csv --newest
    kofactl logs --all 'K1000[0-9]' --since 2026-01-31
    """
    if everywhere:
        if expression is not None:
            raise click.UsageError("With --all there is no NAME. Give one expression at most.")
        name, expression = "", name
    elif name is None and (limit or start or any(options.values())):
        everywhere, name = True, ""
    with session(settings) as operations:
        if name is None:
            _show_list(settings, operations)
            return
        end = start + limit if limit else None
        found = pages(operations, name, expression or "", end, options)
        lines = islice(found, start, end)
        if settings.json:
            say_json([line._asdict() if everywhere else line.text for line in lines])
            return
        for line in lines:
            say(f"{line.log}: {line.text}" if everywhere else line.text)


def _show_list(settings: Settings, operations: Any) -> None:
    found = operations.logs()
    if settings.json:
        say_json(
            [
                {
                    "name": log.name,
                    "size": log.size,
                    "date": log.date.isoformat(),
                    "backups": log.backups,
                }
                for log in found
            ]
        )
        return
    rows = (
        (log.name, f"{log.size:,}", f"{log.date:%Y-%m-%d %H:%M:%S}", str(log.backups))
        for log in found
    )
    show_table(("Name", "Bytes", "Last change", "Backups"), rows, right="Bytes Backups")


def pages(
    operations: Any, name: str, expression: str, most: int | None, options: dict[str, Any]
) -> Iterator["FoundLine"]:
    """Generate the lines page by page, each of which is a call of its own.

    `most` are wanted, or all.
    """
    limit = PAGE if most is None else min(PAGE, most)
    place, has_more, seconds = "", True, FIRST_SECONDS
    while has_more:
        page = operations.log_page(
            name, expression, limit=limit, seconds=seconds, place=place, **options
        )
        yield from page.lines
        place, has_more = page.place, page.has_more
        seconds = min(2 * seconds, SECONDS)
