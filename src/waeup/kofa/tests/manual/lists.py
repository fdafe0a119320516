"""The lists of the manual that are made of the code, as reStructuredText."""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from zope.schema import Field

from waeup.kofa.api.addresses import HANDLERS
from waeup.kofa.api.problems import all_problems
from waeup.kofa.api.route import scopes_for
from waeup.kofa.api.routes import ROUTES, TAGS
from waeup.kofa.cli.program import kofactl
from waeup.kofa.i18n import english
from waeup.kofa.scopes import SCOPES
from waeup.kofa.tests.manual import inventory

#: Columns of the help of a command.
WIDTH = 95


def interfaces(module: str) -> str:
    """Return a section for each interface of a module, with all that it says."""
    parts = []
    for interface in inventory.interfaces(module):
        title = f"``{interface.__name__}``"
        parts += [title, "=" * len(title), "", inspect.cleandoc(interface.__doc__ or ""), ""]
        bases = [each for each in interface.__bases__ if each.__name__ != "Interface"]
        if bases:
            parts += ["Is also: " + ", ".join(f"`{each.__name__}`" for each in bases) + ".", ""]
        for name, attribute in inventory.members(interface):
            parts += [_signature(name, attribute), *_indented(_words(attribute)), ""]
    return "\n".join(parts)


def _signature(name: str, attribute: Any) -> str:
    if inventory.is_method(attribute):
        return f"``{name}{attribute.getSignatureString()}``"
    return f"``{name}``"


def _words(attribute: Any) -> str:
    """Return what an attribute of an interface is, in words."""
    if not isinstance(attribute, Field):
        return inspect.cleandoc(attribute.__doc__ or attribute.__name__)
    words = [_sentence(english(attribute.title)), _sentence(english(attribute.description or ""))]
    return " ".join(filter(None, words))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if not text or text[-1] in ".?!" else f"{text}."


def _indented(text: str) -> list[str]:
    return [f"    {line}" if line else "" for line in text.splitlines()]


def commands(_argument: str) -> str:
    """Return the help of every command, as the program itself gives it."""
    parts: list[str] = []
    for words, command in (("kofactl", kofactl), *inventory.commands()):
        title = f"``{words}``"
        context = click.Context(
            command, info_name=words, terminal_width=WIDTH, max_content_width=WIDTH
        )
        help_text = command.get_help(context).replace("\b\n", "")
        parts += [title, "=" * len(title), "", "::", "", *_indented(help_text), ""]
    return "\n".join(parts)


def configuration(_argument: str) -> str:
    """Return a table of the keys of each section of ``kofa.conf``."""
    parts: list[str] = []
    sections = {"": "What stands before all sections.", **inventory.configuration_sections()}
    keys = inventory.configuration_keys()
    for section, words in sections.items():
        rows = [
            (
                f"``{key.name}``",
                "(has to be said)"
                if key.is_required
                else f"``{key.default}``"
                if key.default
                else "",
                _marked(key.text),
            )
            for key in keys
            if key.section == section
        ]
        title = f"``<{section}>``" if section else "Above"
        parts += [title, "-" * len(title), "", _marked(words), ""]
        parts += [_table(("Key", "Usual", "What"), (20, 20, 60), rows), ""]
    return "\n".join(parts)


def _usual(key: inventory.Key) -> str:
    if key.is_required:
        return "(must be said)"
    return f"``{key.default}``" if key.default else ""


def settings(_argument: str) -> str:
    """Return a table of the settings of each section."""
    from waeup.kofa.configuration import SECTIONS

    parts: list[str] = []
    for section, fields in inventory.settings().items():
        title = f"Section ``{section}``"
        doc = " ".join((SECTIONS[section].__doc__ or "").split())
        rows = [(f"``{name}``", _words(each)) for name, each in fields]
        parts += [title, "-" * len(title), "", doc, ""]
        parts += [_table(("Setting", "What"), (25, 75), rows), ""]
    return "\n".join(parts)


def rights(_argument: str) -> str:
    """Return a table of the permissions, and one of the roles with what each allows."""
    from grokcore.security.directive import permissions as held

    permissions = [
        (f"``{_bound('name', each)}``", english(_bound("title", each)), _first_line(each))
        for each in inventory.permissions()
    ]
    roles = [
        (
            f"``{_bound('name', each)}``",
            english(_bound("title", each)),
            ", ".join(f"``{name}``" for name in held.bind().get(each)),
        )
        for each in inventory.roles()
    ]
    return "\n".join(
        (
            _table(("Permission", "Title", "Allows"), (30, 25, 45), permissions),
            "",
            _table(("Role", "Title", "Has the permissions"), (30, 25, 45), roles),
        )
    )


def _bound(directive: str, component: Any) -> Any:
    """Return what a Grok directive says of a class."""
    import grok

    return getattr(grok, directive).bind().get(component)


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def errors(_argument: str) -> str:
    """Return a list of all classes of errors, each with what it means and what to do."""
    parts = []
    for each in inventory.errors():
        bases = ", ".join(f"`{base.__name__}`" for base in each.__bases__)
        parts += [
            f"`{each.__name__}` ({bases})",
            *_indented(inspect.cleandoc(each.__doc__ or "")),
            "",
        ]
    return "\n".join(parts)


def problems(_argument: str) -> str:
    """Return a table of all problems of the HTTP API, by status."""
    rows = [
        (f"``{each.code}``", str(each.status), _sentence(each.title) + " " + each.advice)
        for each in sorted(all_problems().values(), key=lambda each: (each.status, each.code))
    ]
    return _table(("Code", "Status", "What, and what to do"), (25, 10, 65), map(_plain, rows))


def addresses(_argument: str) -> str:
    """Return the addresses of the HTTP API, a table for each group."""
    parts: list[str] = []
    routes = [
        (each.tag, each.method, each.path, each.scopes, inspect.getdoc(each.function))
        for each in ROUTES
    ] + [
        (
            each.tag,
            each.method,
            each.path,
            scopes_for(each.permission, each.is_reading) if each.needs_token else (),
            inspect.getdoc(each.answer),
        )
        for each in HANDLERS
    ]
    for tag, words in TAGS.items():
        rows = [
            (
                f"``{method} {path}``",
                ", ".join(map(" + ".join, scopes)) or "none",
                _without_names((doc or "").partition("\n\n")[0].replace("\n", " ")),
            )
            for group, method, path, scopes, doc in routes
            if group == tag
        ]
        parts += [tag, "-" * len(tag), "", words, ""]
        parts += [_table(("Address", "One of the scopes", "What"), (45, 15, 40), rows), ""]
    return "\n".join(parts)


def _without_names(text: str) -> str:
    """Let names of arguments be literals; those of others are not of interest here."""
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)


def scopes(_argument: str) -> str:
    """Return a table of what tokens allow."""
    rows = [
        (f"``{name}``", english(each.title), english(each.text)) for name, each in SCOPES.items()
    ]
    return _table(("Scope", "Title", "Allows"), (15, 20, 65), rows)


def _plain(row: tuple[str, ...]) -> tuple[str, ...]:
    """Let names in single backquotes be literals."""
    return tuple(map(_without_names, row))


def _marked(text: str) -> str:
    """Return a text of the schema, in which ``$`` and the like are no markup."""
    return text.replace("*", "\\*").replace("$(NAME)", "``$(NAME)``").replace("$NAME", "``$NAME``")


def _table(head: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> str:
    """Return a list table."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in (head, *rows):
        for place, cell in enumerate(row):
            first, *rest = cell.splitlines() or [""]
            lines.append(f"   {'* -' if place == 0 else '  -'} {first}".rstrip())
            lines += [f"       {line}".rstrip() for line in rest]
    return "\n".join(lines)


#: Name of a list, as pages call it -> what makes it.
LISTS: dict[str, Callable[[str], str]] = {
    "interfaces": interfaces,
    "commands": commands,
    "configuration": configuration,
    "settings": settings,
    "rights": rights,
    "errors": errors,
    "problems": problems,
    "addresses": addresses,
    "scopes": scopes,
}
