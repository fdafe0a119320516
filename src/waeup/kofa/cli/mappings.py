"""``kofactl mappings``: mappings that are kept under a name."""

from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.finding import named
from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import Refused

if TYPE_CHECKING:
    from waeup.kofa.conversion import SavedMapping


@click.command(short_help="List saved mappings, or show or drop one.")
@click.argument("processor")
@click.argument("name", required=False)
@click.option("--drop", is_flag=True, help="Forget the mapping.")
@common_options
@pass_settings
def mappings(settings: Settings, processor: str, name: str | None, drop: bool) -> None:
    """List the saved mappings of a kind of objects, or show one: what fills which field.

    They are saved by `kofactl check --save-mapping`, or in the browser, and used by `--mapping`.

    \b
    kofactl mappings studentprocessor
    kofactl mappings studentprocessor 'weekly list'
    kofactl mappings studentprocessor 'weekly list' --drop
    """
    if drop:
        if name is None:
            raise Refused("Name the mapping that is to be forgotten.")
        with session(settings, write=True) as operations:
            operations.drop_mapping(name, processor)
        if settings.json:
            say_json({"name": name, "processor": processor})
        else:
            say(f"The mapping {name} of {processor} was forgotten.")
        return
    with session(settings, asks=True) as operations:
        found = operations.saved_mappings(processor)
    if name is not None:
        saved = named(found, name, f"mapping of {processor}")
        if settings.json:
            say_json(_as_dict(saved))
        else:
            _show(saved)
    elif settings.json:
        say_json(list(map(_as_dict, found)))
    else:
        show_table(
            ("Name", "Columns", "Saved", "By"),
            ((one.name, len(one.columns), f"{one.date:%Y-%m-%d}", one.user) for one in found),
            right="Columns",
        )


def _as_dict(saved: "SavedMapping") -> dict[str, Any]:
    """Return plain data for programs."""
    return {
        "name": saved.name,
        "processor": saved.processor,
        "columns": dict(saved.columns),
        "constants": dict(saved.constants),
        "values": {field: dict(pairs) for field, pairs in saved.values},
        "user": saved.user,
        "date": saved.date.isoformat(),
    }


def _show(saved: "SavedMapping") -> None:
    """Tell a person what fills the fields."""
    say(f"{saved.name} ({saved.processor}), saved by {saved.user} on {saved.date:%Y-%m-%d}")
    show_table(
        ("Column", "Field"), ((column, field or "(left out)") for column, field in saved.columns)
    )
    for field, text in saved.constants:
        say(f"  {field} is {text!r} in all rows")
    for field, pairs in saved.values:
        for text, token in pairs:
            say(f"  {field}: {text!r} stands for {token!r}")
