"""``kofactl history``: from an object to the rows that changed it; and what rows of a run did."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from waeup.kofa.operations import DoneRows, HistoryEntry, ObjectHistory, ValueChange

_OPERATIONS = {
    "created": "created",
    "updated": "changed",
    "removed": "removed",
    "returned": "brought back",
    "restored": "changed back",
    "otherwise": "changed by other means",
}
_NOTES = {
    "": "",
    "expired": "which values is not kept any more",
    "undone": "taken back later; which values is not kept",
    "left": "left alone when the import was taken back; which values is not kept",
    "restored": "as it was before that row",
    "partly": "what it had is not known any more",
    "hidden": "not for you to see",
}


@click.command(short_help="Show which rows have changed an object.")
@click.argument("kind", metavar="KIND")
@click.argument("key", metavar="KEY")
@click.option(
    "--which", type=click.IntRange(1), default=1, help="Which of several objects with that key."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Entries to show.",
)
@common_options
@pass_settings
def history(settings: Settings, kind: str, key: str, which: int, limit: int) -> None:
    """Show the history of an object, the newest entry first: when, what, by whom, from which row.

    KIND is a processor or an exporter, KEY says which object. Which values were changed is told
    as long as the import can be taken back. `kofactl runs RUN --rows` leads the other way.

    \b
    kofactl history students B1000001
    kofactl history facultyprocessor SCI --json
    """
    with session(settings, asks=True) as operations:
        found = operations.history(kind, key, which=which, limit=limit)
    if settings.json:
        say_json(
            {**asdict(found), "entries": [_plain(entry) for entry in found.entries]},
        )
    else:
        _tell(found, key)


def tell_rows(settings: Settings, run: str, found: "DoneRows") -> None:
    """Tell what rows of an import did."""
    if settings.json:
        say_json({"run": run, **asdict(found)})
        return
    if not found.is_kept:
        say("It is not kept (any more) what its rows did: undo records have gone, or there were")
        say("none. The finished file has the rows.")
    elif not found.rows:
        say("There are no such rows.")
    else:
        show_table(
            ("Row", "What", "Object", "Values"),
            (
                (row.number, _OPERATIONS[row.operation], row.title, _words(row.changes, row.note))
                for row in found.rows
            ),
            right="Row",
        )
    if found.behind is not None:
        say(f"There are more: kofactl runs {run} --rows --from {found.behind}")


def _tell(found: "ObjectHistory", key: str) -> None:
    if len(found.others) > 1:
        say(f"{len(found.others)} objects have the key {key!r}; --which N shows another one:")
        for number, title in enumerate(found.others, start=1):
            say(f"  {number}  {title}")
    state = "" if found.is_there else " (removed)"
    say(f"{found.title}{state}, {found.kind}")
    if not found.entries:
        say("No import is known to have changed it.")
        return
    show_table(
        ("When", "What", "By", "File", "Row", "Run", "Values"),
        (
            (
                f"{_local(entry.date):%Y-%m-%d %H:%M:%S}",
                _OPERATIONS[entry.operation],
                _who(entry),
                entry.file,
                entry.row or "",
                entry.run,
                _words(entry.changes, entry.note),
            )
            for entry in found.entries
        ),
        right="Row",
    )
    if found.total > len(found.entries):
        say(f"These are the newest of {found.total:,} entries; --limit N shows more.")
    elif found.entries[-1].operation != "created":
        say("It was there before that; how it came to be is not known.")
    if found.is_cut:
        say("Between the first entry and the next one there were others, which are not kept.")


def _who(entry: "HistoryEntry") -> str:
    names = [entry.owner] if entry.user in ("", entry.owner) else [entry.owner, entry.user]
    return ", ".join(names)


def _words(changes: "Iterable[ValueChange]", note: str) -> str:
    """Return what became of fields in one line."""
    parts = []
    for change in changes:
        new = _text(change.new) if change.is_known else "(not known any more)"
        parts.append(f"{change.field or '(beside it)'}: {_text(change.old)} -> {new}")
    if not parts or note == "partly":
        parts.append(_NOTES[note])
    return "; ".join(parts)


def _text(value: str | None) -> str:
    return "nothing" if value is None else repr(value)


def _local(date: datetime) -> datetime:
    return date.astimezone()


def _plain(entry: "HistoryEntry") -> dict[str, Any]:
    return {**asdict(entry), "date": entry.date.isoformat()}
