"""``kofactl maintenance`` and ``system``: for who keeps the portal running."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from waeup.kofa.operations.state import Process, SystemState


@click.command(short_help="Close the portal for others, and open it.")
@click.argument("switch", required=False, type=click.Choice(("on", "off")))
@click.option("--text", default="", help="What people are told meanwhile.")
@common_options
@pass_settings
def maintenance(settings: Settings, switch: str | None, text: str) -> None:
    """Close the portal for all but --user (on), open it (off), or show whether it is closed.

    While it is closed only that person can work on the web, and only those who manage the portal
    can use kofactl. Runs go on: an import needs no maintenance mode.

    \b
    kofactl maintenance on --text "The server moves. We are back at 14:00."
    kofactl maintenance off
    """
    if text and switch != "on":
        raise Refused("A text is shown while the portal is closed: kofactl maintenance on --text.")
    with session(settings, write=switch is not None, storage_required=False) as operations:
        if switch == "on":
            operations.start_maintenance(text)
        elif switch == "off":
            operations.end_maintenance()
        closed = operations.maintenance()
    if settings.json:
        say_json(_plain(closed._asdict()) if closed else None)
    elif closed is None:
        say("The portal is open.")
    else:
        since = f" since {_time(closed.since)}" if closed.since else ""
        say(f"The portal is closed{since}, but for {closed.user}.")
        for line in closed.text.splitlines():
            say(f"  {line}")


@click.command(short_help="Show versions, sizes, and what waits.")
@click.option("--fresh", is_flag=True, help="Count the folders anew.")
@click.option("--reference", metavar="REF", help="Show the log entry of an error page instead.")
@common_options
@pass_settings
def system(settings: Settings, fresh: bool, reference: str | None) -> None:
    """Show versions, sizes, free space, what waits, limits, and the last backup.

    \b
    kofactl system
    kofactl system --reference k7m2-9xqd
    """
    # Only a portal that runs knows its workers.
    with session(settings, write=settings.is_running(), storage_required=False) as operations:
        if reference is not None:
            entry = operations.log_entry(reference)
            say_json({"entry": entry}) if settings.json else say(entry)
            return
        state = operations.system(fresh)
    if settings.json:
        say_json(_plain(asdict(state)))
        return
    rows: list[tuple[str, object]] = [
        (f"version of {name}", text) for name, text in state.versions
    ]
    backup, workers = state.backup, state.workers
    rows += [
        ("database", f"{state.database_path} ({state.database_kind})"),
        ("bytes of the database", _number(state.database_size)),
        ("bytes free there", _number(state.database_free)),
        ("records", _number(state.objects)),
        ("storage", state.storage),
        ("bytes free there", _number(state.storage_free)),
    ]
    for folder in state.counted.folders:
        more = "" if folder.is_complete else ", and more"
        name = f"folder {folder.name}" if folder.name else "files that wait"
        rows.append((name, f"{folder.files:,} files, {folder.size:,} bytes{more}"))
    rows += [
        ("bytes to take imports back", _number(state.counted.undo_bytes)),
        ("counted", _time(state.counted.date)),
        ("runs under way", _number(state.running)),
        ("runs that wait", _number(state.waiting)),
        ("first of them since", _time(state.oldest)),
        ("runs that have stopped", ", ".join(state.stopped) or "none"),
        ("workers", _workers(state)),
        *((f"process of {each.what}", _process(each)) for each in state.processes),
        ("portal started", _time(workers.started if workers else None)),
        ("sessions", _number(state.sessions)),
        ("messages to be sent", _number(state.messages)),
        *((f"limit {name}", f"{n:,}") for name, n in state.limits),
        ("last backup", f"{_time(backup.date)} {backup.note}" if backup else "none is known"),
    ]
    show_table(("What", "How"), [(name, str(text)) for name, text in rows])


def _workers(state: "SystemState") -> str:
    """Say who works on runs."""
    if state.workers is not None:
        return f"{state.workers.alive} of {state.workers.wanted}"
    return "those of the processes below" if state.processes else "no portal runs"


def _process(process: "Process") -> str:
    return f"{process.host}, process {process.pid}, since {_time(process.since)}"


def _number(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}"


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
