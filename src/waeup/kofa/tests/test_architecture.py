"""The imports of all modules, read and held to the floors of docs/architecture.rst."""

import ast
import os
import re
import sys
import unittest
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import waeup.kofa.interfaces

PACKAGE = Path(waeup.kofa.interfaces.__file__).parent

#: Room (top module or folder below the package) -> floor.
FLOORS = {
    "interfaces": 0,
    "errors": 0,
    "i18n": 0,
    "locales": 0,
    "meters": 0,
    "rights": 0,
    "usual": 0,
    "spool": 1,
    "tabular": 1,
    "conversion": 1,
    "journal": 1,
    "importing": 2,
    "exporting": 2,
    "claims": 3,
    "configuration": 3,
    "datacenter": 3,
    "ledger": 3,
    "operations": 3,
    "logger": 3,
    "subscribers": 3,
    "permissions": 3,
    "jobs": 3,
    "letters": 3,
    "maintenance": 3,
    "mappings": 3,
    "notices": 3,
    "presence": 3,
    "removals": 3,
    "replies": 3,
    "scopes": 3,
    "tokens": 3,
    "transactional": 3,
    "webhooks": 3,
    "zcml": 3,
    "api": 4,
    "deployment": 4,
    "browser": 4,
    "cli": 4,
    "app": 5,
    "authentication": 5,
    "users": 5,
    "university": 5,
    "students": 5,
    "testing": 6,
    "tests": 6,
    "utils": 6,
}
#: What a pure room must not know.
WORLDLY = ("grok", "grokcore", "ZODB", "BTrees", "persistent", "zope.publisher", "transaction")
#: The portal and its kinds may use each other and everything below; doors may open the portal.
PORTAL = {"app", "authentication", "users", "university", "students"}
#: What a room of the web door may use of others; what all of them share is in ``browser`` itself.
SHOWN_BY_ALL = {"runs"}
#: Packages of the extras ``postgresql`` and ``zeo``.
EXTRAS = {"relstorage", "psycopg", "psycopg2", "psycopg_pool", "procrastinate", "ZEO"}


def modules():
    """Generate pairs of room and path of all modules but the tests."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        room = parts[0].removesuffix(".py")
        if room in ("tests", "testing", "__init__"):
            continue
        yield room, path


def dotted(path):
    """Return the name of the module at a path."""
    parts = path.relative_to(PACKAGE.parent.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


@cache
def parsed(path):
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path, at_once=False):
    """Generate the dotted names that a module imports.

    Those of functions are included, unless only what is imported `at_once` is asked for.
    """
    tree = parsed(path)
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def needed(path):
    """Generate the dotted names that a module imports when it runs, in functions as well."""
    todo = [parsed(path)]
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
                todo.append(node)


def circles(needs):
    """Return the sets of names that need each other; `needs` are those that each one needs."""
    reached = {name: set(others) for name, others in needs.items()}
    for middle, beyond in reached.items():
        for others in reached.values():
            if middle in others:
                others |= beyond
    return {
        frozenset(other for other in others if name in reached[other])
        for name, others in reached.items()
        if name in others
    }


def calls(path):
    """Generate the calls of a module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield node


def own_room(name):
    """Return the room that a dotted name belongs to, or None for foreign names."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["waeup", "kofa"] and len(parts) > 2 else None


class Floors(unittest.TestCase):
    """Imports point down."""

    def test_every_room_has_a_floor(self):
        self.assertEqual(sorted({room for room, _ in modules()} - set(FLOORS)), [])

    def test_imports_point_down(self):
        wrong = []
        for room, path in modules():
            for name in imported(path):
                target = own_room(name)
                if target is None or target == room or target not in FLOORS:
                    continue
                up = FLOORS[target] > FLOORS[room]
                if up and not (target in PORTAL and FLOORS[room] == 4):
                    wrong.append(f"{path.relative_to(PACKAGE)}: {name}")
        self.assertEqual(wrong, [])

    def test_rooms_do_not_need_each_other(self):
        """An import inside a function hides a circle, and does not open it."""
        needs = {room: set() for room in FLOORS}
        for room, path in modules():
            needs[room].update({own_room(name) for name in needed(path)} & set(FLOORS) - {room})
        self.assertEqual(circles(needs), set())

    def test_modules_do_not_need_each_other(self):
        """Likewise; but a command may name the others, which are a group of one program."""
        paths = {dotted(path): path for room, path in modules() if room != "cli"}
        needs = {
            module: {
                known
                for name in needed(path)
                for known in [name if name in paths else name.rpartition(".")[0]]
                if known in paths and known != module
            }
            for module, path in paths.items()
        }
        self.assertEqual(circles(needs), set())

    def test_pure_rooms_know_neither_each_other_nor_the_world(self):
        wrong = []
        for room, path in modules():
            if FLOORS[room] != 1:
                continue
            for name in imported(path):
                target = own_room(name)
                neighbour = target is not None and FLOORS[target] == 1 and target != room
                worldly = name.startswith(tuple(f"{world}." for world in WORLDLY))
                # The words of the transaction package are no transaction.
                if neighbour or (worldly and not name.startswith("transaction.interfaces.")):
                    wrong.append(f"{path.relative_to(PACKAGE)}: {name}")
        self.assertEqual(wrong, [])

    def test_nobody_inside_uses_the_import_paths_of_1_9(self):
        wrong = [
            str(path.relative_to(PACKAGE))
            for room, path in modules()
            if room != "utils" and any(own_room(name) == "utils" for name in imported(path))
        ]
        self.assertEqual(wrong, [])

    def test_rooms_of_the_web_door_know_no_others_but_runs(self):
        door = PACKAGE / "browser"
        rooms = {path.parent.name for path in door.glob("*/__init__.py")}
        self.assertLessEqual(SHOWN_BY_ALL, rooms)
        wrong = []
        for path in sorted(door.rglob("*.py")):
            here = path.parent.name
            others = rooms - {here}
            if here in rooms - SHOWN_BY_ALL:
                others -= SHOWN_BY_ALL
            wrong += [
                f"{path.relative_to(PACKAGE)}: {name}"
                for name in imported(path)
                if own_room(name) == "browser" and others.intersection(name.split(".")[3:4])
            ]
        self.assertEqual(wrong, [])

    def test_views_touch_no_files(self):
        wrong = [
            f"{path.relative_to(PACKAGE)}: {name}"
            for room, path in modules()
            if room == "browser"
            for name in imported(path)
            if name.split(".")[0] in ("os", "csv", "shutil", "tempfile", "pathlib")
        ]
        self.assertEqual(wrong, [])

    def test_transactions_end_only_in_jobs_and_at_the_doors(self):
        wrong = [
            f"{path.relative_to(PACKAGE)}: line {call.lineno}"
            for room, path in modules()
            if room not in ("jobs", "api", "cli", "browser", "deployment")
            for call in calls(path)
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in ("commit", "begin", "abort")
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "transaction"
        ]
        self.assertEqual(wrong, [])

    def test_nothing_is_evaluated(self):
        wrong = [
            f"{path.relative_to(PACKAGE)}: line {call.lineno}"
            for _, path in modules()
            for call in calls(path)
            if isinstance(call.func, ast.Name) and call.func.id in ("eval", "exec")
        ]
        self.assertEqual(wrong, [])

    def test_what_is_imported_is_required(self):
        """Whoever installs the package alone gets all that it imports, but for the extras."""
        required = {
            re.split(r"[^\w.-]", line)[0].lower().replace("_", "-")
            for line in requires("waeup.kofa")
            if "extra ==" not in line
        }
        shared = {"grokcore", "waeup", "zc", "zope"}
        foreign = {name.split(".")[0] for _, path in modules() for name in imported(path)}
        foreign -= shared | set(sys.stdlib_module_names) | EXTRAS
        self.assertIn("charset_normalizer", foreign)
        owners = packages_distributions()
        missing = {
            package
            for package in foreign
            if required.isdisjoint(
                # Python 3.10 finds no owner where a wheel does not name its packages.
                owner.lower().replace("_", "-")
                for owner in owners.get(package, (package,))
            )
        }
        self.assertEqual(missing, set())

    def test_extras_are_imported_inside_functions(self):
        """The package imports, and is grokked, without them."""
        wrong = [
            f"{path.relative_to(PACKAGE)}: {name}"
            for _, path in modules()
            for name in imported(path, at_once=True)
            if name.split(".")[0] in EXTRAS
        ]
        self.assertEqual(wrong, [])

    def test_there_is_no_init_in_the_namespace(self):
        self.assertFalse(os.path.exists(PACKAGE.parent / "__init__.py"))
