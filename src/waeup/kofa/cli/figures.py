"""``kofactl figures``: what runs have done over time."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings

if TYPE_CHECKING:
    from waeup.kofa.operations import Figures

#: Units of time (`waeup.kofa.operations.figures`), each with the days that are shown usually.
UNITS = {"day": 29, "week": 83, "month": 364}
PER = ("kind", "officer")
#: What is counted, as it is called here and in the values of the operation.
COUNTED = ("runs", "created", "updated", "unchanged", "removed", "failed", "exported")


@click.command(short_help="Tell how many rows were imported or failed.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day, as YYYY-MM-DD.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day; without it, today.")
@click.option(
    "--by",
    type=click.Choice(tuple(UNITS)),
    default="day",
    show_default=True,
    help="What a line is about. Without --since it is the last 30 days, 12 weeks or 12 months.",
)
@click.option("--per", type=click.Choice(PER), help="A line for each kind of data, or officer.")
@click.option("--kind", default="", help="Only runs of this processor.")
@click.option("--officer", default="", help="Only runs that this account has ordered.")
@common_options
@pass_settings
def figures(
    settings: Settings,
    since: datetime | None,
    until: datetime | None,
    by: str,
    per: str | None,
    kind: str,
    officer: str,
) -> None:
    """Tell what the runs have done that have ended in a time, in numbers.

    Times are in the time zone of the portal. Lines with nothing are left out. Runs that were
    forgotten are counted, too.

    \b
    kofactl figures
    kofactl figures --by month --per kind
    kofactl figures --since 2026-09-01 --until 2026-09-30 --officer ann
    """
    with session(settings, asks=True) as operations:
        last = operations.today() if until is None else until.date()
        first = _usual_first(last, by) if since is None else since.date()
        found = operations.figures(first, last, unit=by, processor=kind, officer=officer)
    lines = list(_lines(found, per))
    if settings.json:
        say_json({"since": str(first), "until": str(last), "by": by, "figures": lines})
        return
    if not lines:
        say(f"Nothing has ended from {first} to {last} that you may see.")
        return
    heads = ["From", "To", "What", *([per.capitalize()] if per else ())]
    names = [name for name in COUNTED if any(line[name] for line in lines)]
    show_table(
        (*heads, *(name.capitalize() for name in names)),
        (
            (
                line["first"],
                line["last"],
                line["run"],
                *([line[per]] if per else ()),
                *(f"{line[name]:,}" for name in names),
            )
            for line in lines
        ),
        right=" ".join(name.capitalize() for name in names),
    )


def _usual_first(last: date, unit: str) -> date:
    """Return the first day of 30 days, 12 weeks or 12 months that end with `last`."""
    first = last - timedelta(days=UNITS[unit])
    if unit == "week":
        return last - timedelta(days=last.weekday() + 77)
    return first.replace(day=1) if unit == "month" else first


def _lines(figures: "Figures", per: str | None) -> Iterator[dict[str, object]]:
    """Generate plain lines: the sums of a period, a kind of runs, and what else is asked for."""
    sums: dict[tuple[int, str, str], list[int]] = {}
    for each in figures.sums:
        more = {"kind": each.processor, "officer": each.officer}.get(per or "", "")
        numbers = sums.setdefault((each.period, each.kind, more), [0] * len(COUNTED))
        for place, name in enumerate(COUNTED):
            numbers[place] += getattr(each, name)
    for (place, run, more), numbers in sorted(sums.items()):
        period = figures.periods[place]
        yield {
            "first": str(period.first),
            "last": str(period.last),
            "run": run,
            **({per: more} if per else {}),
            **dict(zip(COUNTED, numbers, strict=True)),
        }
