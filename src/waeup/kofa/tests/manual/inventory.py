"""What the package offers to people, programs and developers, read from the code itself.

The manual has to tell all of it: its lists are made from here (`sphinxext`), and tests compare
the rest with its pages (`test_complete`).
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import click
from zope.dottedname.resolve import resolve
from zope.interface.interface import InterfaceClass, Method

import waeup.kofa.interfaces
from waeup.kofa.cli.program import kofactl

PACKAGE = Path(waeup.kofa.interfaces.__file__).parent
#: The form of a variable of the environment.
VARIABLE = re.compile(r"[A-Z]+(_[A-Z]+)+")


def module_names() -> list[str]:
    """Return the dotted names of all modules but the tests."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] != "tests" and parts[-1] not in ("__init__", "__main__"):
            found.append(".".join(("waeup.kofa", *parts)))
    return found


# -- contracts -----------------------------------------------------------------------------------


def interface_modules() -> list[str]:
    """Return the names of the modules of contracts, the public one first."""
    public = "waeup.kofa.interfaces"
    named = [name for name in module_names() if name.endswith(".interfaces")]
    return [public, *(name for name in named if name != public)]


def interfaces(module: str) -> list[InterfaceClass]:
    """Return the interfaces that a module defines, in the order of its text."""
    path = PACKAGE.joinpath(*module.split(".")[2:]).with_suffix(".py")
    loaded = importlib.import_module(module)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    found = [getattr(loaded, name) for name in classes]
    return [each for each in found if isinstance(each, InterfaceClass)]


def members(interface: InterfaceClass) -> list[tuple[str, Any]]:
    """Return what an interface itself says, as pairs of name and attribute, as in its text."""
    own = interface.namesAndDescriptions(all=False)
    path = Path(importlib.import_module(interface.__module__).__file__ or "")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = _lines_of(tree, interface.__name__)
    return sorted(own, key=lambda pair: lines.get(pair[0], 0))


def _lines_of(tree: ast.Module, name: str) -> dict[str, int]:
    """Return name -> line of all that a class defines in its body."""
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    found[each.name] = each.lineno
                elif isinstance(each, ast.Assign):
                    for target in each.targets:
                        if isinstance(target, ast.Name):
                            found[target.id] = each.lineno
    return found


def events() -> list[InterfaceClass]:
    """Return the interfaces of all events of the package."""
    return [
        each
        for module in interface_modules()
        for each in interfaces(module)
        if each.__name__.endswith("Event")
    ]


def hooks() -> list[tuple[str, str]]:
    """Return pairs of contract and name of all that a kind declares or overrides."""
    from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter

    return [
        (interface.__name__, name)
        for interface in (IBatchProcessor, ICSVExporter)
        for name, _ in members(interface)
    ]


def default_hooks() -> list[tuple[str, str]]:
    """Return pairs of class and name of all methods that the code marks by `@default`."""
    found = []
    for module in module_names():
        path = PACKAGE.joinpath(*module.split(".")[2:]).with_suffix(".py")
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text if "@default" in text else "")):
            if isinstance(node, ast.ClassDef):
                methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
                found += [(node.name, each.name) for each in methods if _is_default(each)]
    return found


def _is_default(method: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "default" for each in method.decorator_list
    )


def public_names(base: str) -> list[str]:
    """Return what a class of ours, and those of ours that it inherits from, have, sorted."""
    return sorted(
        {
            name
            for each in resolve(base).__mro__
            if each.__module__.startswith("waeup.")
            for name in vars(each)
            if name.isidentifier() and not name.startswith("_")
        }
    )


def is_method(attribute: Any) -> bool:
    """Tell whether an attribute of an interface is a method."""
    return isinstance(attribute, Method)


# -- commands ------------------------------------------------------------------------------------


def commands(
    group: click.Group = kofactl, path: str = "kofactl"
) -> Iterator[tuple[str, click.Command]]:
    """Generate all commands with the words that call them."""
    if group is None:
        from waeup.kofa.cli.program import kofactl as group
    for name, command in sorted(group.commands.items()):
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def options(command: click.Command) -> list[click.Option]:
    """Return the options of a command, those of all commands included."""
    return [each for each in command.params if isinstance(each, click.Option)]


# -- what operators and administrators set -------------------------------------------------------


class Key(NamedTuple):
    """A key of ``kofa.conf``; `section` is '' for one that stands before all sections."""

    section: str
    name: str
    default: str | None
    is_required: bool
    text: str


def configuration_sections() -> dict[str, str]:
    """Return section -> description of all sections of ``kofa.conf``."""
    return {each.get("name", ""): _words_of(each) for each in _schema().iter("sectiontype")}


def configuration_keys() -> list[Key]:
    """Return all keys of ``kofa.conf``, in the order of its schema."""
    schema = _schema()
    places = [("", schema), *((each.get("name", ""), each) for each in schema.iter("sectiontype"))]
    return [
        Key(
            section,
            key.get("name", ""),
            key.get("default"),
            key.get("required") == "yes",
            _words_of(key),
        )
        for section, place in places
        for key in place
        if key.tag in ("key", "multikey")
    ]


def _schema() -> ElementTree.Element:
    return ElementTree.parse(PACKAGE / "deployment" / "schema.xml").getroot()


def _words_of(element: ElementTree.Element) -> str:
    return " ".join((element.findtext("description") or "").split())


def settings() -> dict[str, list[tuple[str, Any]]]:
    """Return section -> pairs of name and field of all settings of a portal."""
    from zope.schema import getFieldsInOrder

    from waeup.kofa.configuration import SECTIONS

    return {name: getFieldsInOrder(section) for name, section in SECTIONS.items()}


def environment_variables() -> dict[str, list[str]]:
    """Return the names of the variables of the environment that the code reads -> its modules.

    They are known by their form, in modules that read the environment at all.  Of tests those
    are meant by which a person says something to them.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        text = path.read_text(encoding="utf-8")
        if "environ" not in text and "getenv" not in text:
            continue
        nodes = list(ast.walk(ast.parse(text)))
        if not any(_is_environment(node) for node in nodes):
            continue
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_ours = node.value.startswith("KOFA_")
                if VARIABLE.fullmatch(node.value) and (is_ours or not place.startswith("tests/")):
                    found.setdefault(node.value, []).append(place)
    return found


def _is_environment(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    )


# -- rights --------------------------------------------------------------------------------------


def permissions() -> list[Any]:
    """Return the classes of all permissions, as in `waeup.kofa.permissions`."""
    import grok

    return _classes_of("waeup.kofa.permissions", grok.Permission)


def roles() -> list[Any]:
    """Return the classes of all roles, as in `waeup.kofa.permissions`."""
    import grok

    return _classes_of("waeup.kofa.permissions", grok.Role)


def _classes_of(module: str, base: type) -> list[Any]:
    """Return the subclasses of `base` that a module defines, in the order of its text."""
    loaded = importlib.import_module(module)
    return [
        each
        for each in vars(loaded).values()
        if isinstance(each, type) and issubclass(each, base) and each.__module__ == module
    ]


# -- what goes wrong -----------------------------------------------------------------------------


def errors() -> list[type[Exception]]:
    """Return all errors of `waeup.kofa.errors`, in the order of its text."""
    return _classes_of("waeup.kofa.errors", Exception)


def findings() -> list[str]:
    """Return the codes of all that a recovery can find, sorted."""
    return sorted(
        {
            node.args[0].value
            for path in sorted((PACKAGE / "jobs").glob("*.py"))
            if "Finding(" in (text := path.read_text(encoding="utf-8"))
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Finding"
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        }
    )


#: Modules in which the reasons of rows that fail, and of objects that an undo leaves alone, are
#: written; what is refused before the first row included.
_REASONS = (
    "conversion/checks.py",
    "conversion/choices.py",
    "conversion/converters.py",
    "conversion/dates.py",
    "conversion/plan.py",
    "conversion/sequences.py",
    "importing/filerules.py",
    "importing/undoing.py",
)
#: Texts of these modules that are no reasons: parts of others, and what is said to developers.
_NO_REASONS = re.compile(
    r"none at present|Field \$\{text\} is |Invalid input: \$\{(?:exc|reason)\}"
    r"|\$\{message\} \(rows|And more of the same kind"
)


def reasons() -> list[tuple[str, str]]:
    """Return pairs of module and text of all reasons that the package itself has for rows."""
    return [
        (place, str(node.args[0].value))
        for place in _REASONS
        for node in ast.walk(ast.parse((PACKAGE / place).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("_", "counted")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and not _NO_REASONS.match(str(node.args[0].value))
    ]
