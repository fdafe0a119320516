"""``kofactl settings``: what the people of the portal have set."""

from typing import TYPE_CHECKING, Any

import click

from waeup.kofa.cli.screen import say, say_json, show_table
from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings, common_options, pass_settings
from waeup.kofa.errors import ConversionError, InvalidSettings, Refused

if TYPE_CHECKING:
    from waeup.kofa.operations import Operations
    from waeup.kofa.operations.settings import Forgotten, Section

#: What people call where a setting is from.
_SOURCES = {"here": "set here", "start": "start of the server", "usual": "usual"}
_FORGOTTEN = {
    "finished_days": "finished files",
    "unfinished_days": "originals of unfinished files",
    "deleted_days": "deleted files",
    "deleted_rows": "tables of removed objects that lose old rows",
    "undo_days": "imports that could be taken back",
    "run_days": "runs",
    "export_hours": "results of exports",
}


@click.command(short_help="Show or change the settings of the portal.")
@click.argument("section", required=False)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting; without VALUE, take back what was set here.",
)
@click.option("--yes", is_flag=True, help="Let a retention delete what is older.")
@common_options
@pass_settings
def settings(settings: Settings, section: str | None, changes: tuple[str, ...], yes: bool) -> None:
    """Show the settings that are in force and where they are from, or change some.

    Sections are portal, limits, retention and mail. All changes of a command are of one section.
    A retention that would delete more next than the one before needs --yes.

    \b
    kofactl settings
    kofactl settings limits --set rows=100000 --set columns=
    kofactl settings --set finished_days=365 --yes
    """
    from waeup.kofa.configuration import SECTIONS

    entered = dict(_entered(change) for change in changes)
    if entered:
        section = _section_of(section, entered)
    with session(settings, write=bool(entered)) as operations:
        if entered and section is not None:
            _change(operations, section, entered, yes)
        names = list(SECTIONS) if section is None else [section]
        found = [operations.settings(name) for name in names]
        forgotten = operations.forgotten_next() if section == "retention" else []
    if settings.json:
        say_json({each.name: _plain(each) for each in found})
        return
    show_table(
        ("Setting", "In force", "From", "What it is"),
        (
            (
                each.name,
                _text(each.in_force),
                "start of the server, which allows no more"
                if each.is_cut
                else _SOURCES[each.source],
                each.title,
            )
            for part in found
            for each in part.settings
        ),
    )
    if forgotten:
        say(f"Deleted next: {_words(forgotten)}.")


def _entered(change: str) -> tuple[str, str]:
    name, sign, text = change.partition("=")
    if not sign or not name:
        raise Refused(f"{change!r} is not of the form NAME=VALUE, such as rows=100000.")
    return name.strip(), text.strip()


def _section_of(section: str | None, entered: dict[str, str]) -> str:
    """Return the section that settings belong to; one that was named is checked later."""
    from zope.schema import getFieldNames

    from waeup.kofa.configuration import SECTIONS

    if section is not None:
        return section
    fitting = {
        name for name, iface in SECTIONS.items() if set(getFieldNames(iface)) & set(entered)
    }
    if not fitting:
        names = ", ".join(name for iface in SECTIONS.values() for name in getFieldNames(iface))
        raise Refused(f"There is no setting {', '.join(map(repr, entered))}. There are: {names}.")
    if len(fitting) > 1:
        raise Refused(
            "These settings are of several sections: "
            f"{', '.join(sorted(fitting))}. Change each section by a command of its own."
        )
    return fitting.pop()


def _change(operations: "Operations", section: str, entered: dict[str, str], yes: bool) -> None:
    values = _values(section, entered)
    present = operations.settings(section)
    if section == "retention" and not yes:
        before = {each.name: each.number for each in operations.forgotten_next()}
        more = [
            each
            for each in operations.forgotten_next({**present.values(), **values})
            if each.number > before.get(each.name, 0)
        ]
        if more:
            raise Refused(
                f"Then this would be deleted next, for good: {_words(more)}. Nothing was changed; "
                "--yes lets it be deleted."
            )
    operations.change_settings(section, values, present.version)


def _values(section: str, entered: dict[str, str]) -> dict[str, Any]:
    """Return values for texts; what is no setting of the section is refused by the portal."""
    from zope.schema import getFields

    from waeup.kofa.configuration import SECTIONS
    from waeup.kofa.conversion import from_cell

    fields = getFields(SECTIONS[section]) if section in SECTIONS else {}
    values: dict[str, Any] = {}
    for name, text in entered.items():
        if name not in fields or not text:
            values[name] = text or None
            continue
        try:
            values[name] = from_cell(fields[name], text, "create", False)
        except ConversionError as error:
            raise InvalidSettings(f"{name}: {error}") from error
    return values


def _words(forgotten: "list[Forgotten]") -> str:
    return ", ".join(f"{each.number:,} {_FORGOTTEN[each.name]}" for each in forgotten)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _plain(section: "Section") -> dict[str, Any]:
    """Return a section for programs."""
    return {
        each.name: {"value": each.value, "in_force": each.in_force, "source": each.source}
        for each in section.settings
    }
