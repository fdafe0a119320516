"""Nothing that the package offers is missing in the manual.

Lists that are made of the code (`lists`) are complete when their page has them; what is told in
prose is compared with the code.  Each test says what is missing, and where it belongs.
"""

import importlib
import inspect
import re
from pathlib import Path

from waeup.kofa.api.routes import ROUTES
from waeup.kofa.cli import codes
from waeup.kofa.cli.instance import Instance
from waeup.kofa.datacenter import FOLDERS, LATER_FOLDERS
from waeup.kofa.jobs import record
from waeup.kofa.tests.manual import inventory
from waeup.kofa.tests.manual.lists import LISTS
from waeup.kofa.tests.manual.test_pages import PagesTestCase
from waeup.kofa.tests.test_architecture import FLOORS
from waeup.kofa.webhooks.record import EVENTS, PING

#: The nouns that travel between rooms, and the class that each one is.
NOUNS = {
    "upload": "waeup.kofa.spool.Upload",
    "item": "waeup.kofa.spool.Item",
    "table": "waeup.kofa.tabular.Table",
    "mapping": "waeup.kofa.conversion.Mapping",
    "row result": "waeup.kofa.importing.report.RowResult",
    "distribution": "waeup.kofa.importing.distribution.Distribution",
    "report": "waeup.kofa.importing.report.Report",
}

#: What kinds, and what they declare, inherit from.
BASES = (
    "waeup.kofa.importing.kind.ContainerProcessor",
    "waeup.kofa.exporting.kind.KindExporter",
    "waeup.kofa.importing.parts.Part",
    "waeup.kofa.importing.filerules.FileRule",
    "waeup.kofa.importing.sources.KeysOf",
    "waeup.kofa.conversion.OwnConverter",
)
#: Attributes of them by which rooms understand each other, and which no site overrides.
INNER = {
    "all_fields",
    "declarations",
    "kept_fields",
    "object_iface",
    "prepared",
    "row_maker",
    "write_items",
}


class CompleteTestCase(PagesTestCase):
    """Looks for words on pages."""

    def assert_list(self, page: str, name: str, argument: str = "") -> None:
        """Fail unless the page has the list of the code."""
        mark = f".. from-code:: {name} {argument}".strip()
        if not re.search(rf"^{re.escape(mark)}$", self.pages[page].text, re.MULTILINE):
            self.fail(f"docs/{page}.rst lacks the list: {mark}")

    def literals(self, page: str) -> set[str]:
        """Return all that stands between double backquotes on a page."""
        return set(re.findall(r"``(.+?)``", self.pages[page].text))

    def flat(self, page: str) -> str:
        """Return a page as one line."""
        return " ".join(self.pages[page].text.split())

    def first_column(self, page: str) -> list[str]:
        """Return the literal with which each row of the tables of a page begins."""
        return re.findall(r"^``([^`]+)``(?:  | *$)", self.pages[page].text, re.MULTILINE)

    def sections(self, page: str, underline: str) -> list[str]:
        """Return the literals that are titles of sections."""
        text = self.pages[page].text
        return re.findall(rf"^``(\S+)``\n{re.escape(underline)}+$", text, re.MULTILINE)


class Contracts(CompleteTestCase):
    """For those who plug in kinds, and who change the code."""

    def test_each_module_of_contracts_is_listed(self) -> None:
        for module in inventory.interface_modules():
            with self.subTest(module):
                self.assert_list("interfaces", "interfaces", module)

    def test_each_contract_says_what_it_is(self) -> None:
        wrong = []
        for module in inventory.interface_modules():
            for interface in inventory.interfaces(module):
                if not (interface.__doc__ or "").strip():
                    wrong.append(f"{module}.{interface.__name__}")
                for name, attribute in inventory.members(interface):
                    words = attribute.__doc__ or getattr(attribute, "title", "")
                    if not words.strip():
                        wrong.append(f"{module}.{interface.__name__}.{name}")
        self.assert_none(wrong, "Write a docstring; docs/interfaces.rst is made of it:")

    def test_all_public_names_are_told(self) -> None:
        """What `waeup.kofa.interfaces` exports besides interfaces: markers, columns, classes."""
        module = importlib.import_module("waeup.kofa.interfaces")
        listed = {each.__name__ for each in inventory.interfaces(module.__name__)}
        told = " ".join(page.text for page in self.pages.values())
        wrong = []
        for name in module.__all__:
            value = getattr(module, name)
            word = value if isinstance(value, str) else name
            if name not in listed and word not in told and not _is_class_of(name, listed):
                wrong.append(f"{name} ({word})" if word != name else name)
        self.assert_none(wrong, "Tell of it in docs/hooks.rst, or docs/tour.rst (texts of cells):")

    def test_each_hook_is_explained_in_prose(self) -> None:
        told = self._prose()
        wrong = [
            f"{contract}.{name}"
            for contract, name in inventory.hooks()
            if not re.search(rf"\b{name}\b", told)
        ]
        self.assert_none(wrong, "Tell in docs/hooks.rst what to take this for, with an example:")

    def test_each_hook_that_has_a_quick_way_is_explained(self) -> None:
        told = self._prose()
        wrong = [
            f"{holder}.{name}"
            for holder, name in inventory.default_hooks()
            if not re.search(rf"\b{name}\b", told)
        ]
        self.assert_none(wrong, "Tell in docs/hooks.rst what an override of it changes:")

    def test_whatever_a_kind_can_declare_is_explained(self) -> None:
        told = self._prose()
        wrong = [
            f"{name}.{attribute}"
            for name in BASES
            for attribute in inventory.public_names(name)
            if attribute not in INNER and not re.search(rf"\b{attribute}\b", told)
        ]
        self.assert_none(
            wrong, "Tell in docs/kinds.rst what to declare it for; what is inner gets a _:"
        )

    def test_each_event_is_explained(self) -> None:
        told = self._prose()
        names = [each.__name__ for each in inventory.events()]
        wrong = [name for name in names if not re.search(rf"\b{name}\b", told)]
        self.assert_none(wrong, "Tell in docs/hooks.rst when it is notified:")
        table = self.pages["workflow"].text
        wrong = [name for name in names if f"`{name}`" not in table]
        self.assert_none(wrong, "Enter it into the table of events of docs/workflow.rst:")

    def _prose(self) -> str:
        """Return the pages for those who plug in kinds, but for that of mere names."""
        return "\n".join(self.pages[name].text for name in ("kinds", "hooks", "testing"))

    def test_nouns(self) -> None:
        text = " ".join(self.pages["glossary"].text.split())
        wrong = [
            f"{noun} (`{name}`)"
            for noun, name in NOUNS.items()
            if not re.search(rf"(?m)^   {noun}$", self.pages["glossary"].text)
            or f"`{name}`" not in text
        ]
        self.assert_none(wrong, "Say in docs/glossary.rst what this is, and name the class:")

    def test_rooms(self) -> None:
        """Each room of the house is on the picture of its floors, where the imports see it."""
        floor, shown = -1, {}
        for line in self.pages["architecture"].blocks[0].text.splitlines():
            number, rooms = re.match(r" {4}(\d| ) {2}((?:\w+ {0,2})+)", line).groups()  # type: ignore[union-attr]
            floor = int(number) if number != " " else floor
            shown.update(dict.fromkeys(rooms.split(), floor))
        wrong = [
            f"{room}: floor {floor}" for room, floor in FLOORS.items() if shown.get(room) != floor
        ]
        self.assert_none(wrong, "Enter the room into the floors of docs/architecture.rst:")


def _is_class_of(name: str, listed: set[str]) -> bool:
    """Tell whether a name is the usual class of an event that is listed, or an error."""
    return f"I{name}" in listed or name.endswith("Error")


class Commands(CompleteTestCase):
    """For those who work in a terminal."""

    def test_all_commands_and_options_are_listed(self) -> None:
        self.assert_list("commands", "commands")
        text = LISTS["commands"]("")
        wrong = [
            f"{words} {option.opts[-1]}"
            for words, command in inventory.commands()
            for option in inventory.options(command)
            if option.opts[-1] not in text and not option.hidden
        ]
        self.assert_none(wrong, "No help shows this option; give it one:")

    def test_each_option_has_words(self) -> None:
        wrong = [
            f"{words} {option.opts[-1]}"
            for words, command in inventory.commands()
            for option in inventory.options(command)
            if not (option.help or "").strip()
        ]
        self.assert_none(wrong, "Say by help= what the option is for:")

    def test_commands_that_ask_a_portal_that_runs(self) -> None:
        found = re.search(r"Those that show what the portal knows \((.+?)\)", self.flat("kofactl"))
        told = set(re.findall(r"``(.+?)``", found[1] if found else ""))
        asking = {
            words.split()[1]
            for words, command in inventory.commands()
            if command.callback
            and re.search(r"asks=(?!False)", inspect.getsource(command.callback))
        }
        # Of a database of several processes it is no question of asking.
        wrong = sorted((asking ^ told) - {"backup"})
        self.assert_none(wrong, "docs/kofactl.rst, While the portal runs, lists who asks:")


class Settings(CompleteTestCase):
    """For operators and administrators."""

    def test_lists_of_the_code(self) -> None:
        for name in ("configuration", "settings", "rights"):
            with self.subTest(name):
                self.assert_list("settings", name)

    def test_each_key_and_setting_has_words(self) -> None:
        wrong = [
            f"<{key.section}> {key.name} (deployment/schema.xml)"
            for key in inventory.configuration_keys()
            if not key.text
        ]
        for section, fields in inventory.settings().items():
            wrong += [f"{section}: {name}" for name, each in fields if not each.title]
        self.assert_none(wrong, "Say what it is for:")

    def test_sections_of_the_configuration_are_explained(self) -> None:
        told = "\n".join(
            self.pages[name].text for name in self.pages if name not in ("settings", "commands")
        )
        wrong = [
            f"<{section}>"
            for section in inventory.configuration_sections()
            if f"<{section}" not in told
        ]
        self.assert_none(
            wrong, "Tell in docs/configuration.rst, or operating.rst, when to use it:"
        )

    def test_what_there_is_in_the_instance_directory(self) -> None:
        var = Path("/srv/var")
        paths = [each for each in vars(Instance(var)).values() if isinstance(each, Path)]
        tree = next(each.text for each in self.pages["operating"].blocks if "var/  " in each.text)
        wrong = sorted(
            {path.name for path in paths if var in path.parents and path.name not in tree}
        )
        self.assert_none(wrong, "Enter it into the tree of docs/operating.rst:")

    def test_variables_of_the_environment(self) -> None:
        table = {name for name in self.first_column("settings") if name.isupper()}
        read = inventory.environment_variables()
        wrong = [f"{name} ({', '.join(read[name])})" for name in sorted(set(read) - table)]
        self.assert_none(wrong, "Tell of the variable in docs/settings.rst:")
        # Read by the system, and by configurations.
        wrong = sorted(table - set(read) - {"TZ", "KOFA_MONITORING_PORT"})
        self.assert_none(wrong, "Nobody reads this variable any more; see docs/settings.rst:")


class Programs(CompleteTestCase):
    """For developers of other systems."""

    def test_lists_of_the_code(self) -> None:
        for name in ("scopes", "addresses"):
            with self.subTest(name):
                self.assert_list("integrating", name)

    def test_each_group_of_addresses_is_listed(self) -> None:
        text = LISTS["addresses"]("")
        wrong = [f"{each.method} {each.path}" for each in ROUTES if f"{each.path}``" not in text]
        self.assert_none(wrong, "Its tag is not among those of waeup.kofa.api.routes.TAGS:")

    def test_headers_of_our_own(self) -> None:
        used = {
            name
            for path in (inventory.PACKAGE / "api").glob("*.py")
            for name in re.findall(
                r'"((?:Kofa|Idempotency|RateLimit)-[A-Za-z-]+)"', path.read_text("utf-8")
            )
        }
        told = self.pages["integrating"].text.lower()
        wrong = sorted(name for name in used if name.lower() not in told)
        self.assert_none(wrong, "Tell of the header in docs/integrating.rst:")

    def test_types_of_messages(self) -> None:
        told = self.literals("webhooks")
        wrong = sorted({*EVENTS, PING} - told)
        self.assert_none(wrong, "Enter the type into the table of docs/webhooks.rst:")


class Trouble(CompleteTestCase):
    """For everybody to whom something goes wrong."""

    def test_all_errors_are_listed(self) -> None:
        self.assert_list("trouble", "errors")
        wrong = [each.__name__ for each in inventory.errors() if not inspect.getdoc(each)]
        self.assert_none(wrong, "Say in the docstring what the caller should do:")

    def test_problems_of_the_api_are_listed(self) -> None:
        self.assert_list("trouble", "problems")

    def test_families_of_reasons(self) -> None:
        """Each text that can become the reason of a row belongs to a row of a table."""
        rows = [
            line.partition("   ")[0]
            for line in self.pages["trouble"].text.splitlines()
            if line.startswith("``")
        ]
        families = [literal for row in rows for literal in re.findall(r"``(.{8,}?)``", row)]
        wrong = [
            f"{place}: {text}"
            for place, text in inventory.reasons()
            if not any(family in text for family in families)
        ]
        self.assert_none(wrong, "Enter a part of it into a table of docs/trouble.rst:")

    def test_findings_of_a_recovery(self) -> None:
        told = self.sections("trouble", "-")
        wrong = sorted(set(inventory.findings()) ^ set(told))
        self.assert_none(wrong, "docs/trouble.rst, What a recovery finds, has to have each code:")

    def test_states_of_a_run(self) -> None:
        states = set(record.EDGES)
        for page in ("workflow", "kofactl"):
            rows = re.findall(r"^(?:``)?(\w+)(?:``)?  +\S", self.pages[page].text, re.MULTILINE)
            wrong = sorted(states - set(rows))
            self.assert_none(wrong, f"Enter the state into the table of docs/{page}.rst:")

    def test_kinds_of_runs(self) -> None:
        kinds = {record.IMPORT, record.CHECK, record.UNDO, record.EXPORT, record.MOVE}
        rows = re.findall(r"^(\w+)  +\S", self.pages["workflow"].text, re.MULTILINE)
        self.assert_none(sorted(kinds - set(rows)), "Enter the kind into docs/workflow.rst:")

    def test_folders_of_the_storage(self) -> None:
        told = self.literals("workflow")
        wrong = [name for name in (*FOLDERS, *LATER_FOLDERS) if f"{name}/" not in told]
        self.assert_none(wrong, "Tell in docs/workflow.rst what is kept in this folder:")

    def test_exit_codes(self) -> None:
        told = {code for code in vars(codes).values() if isinstance(code, int)}
        rows = re.findall(r"^(\d+)  +\S", self.pages["kofactl"].text, re.MULTILINE)
        self.assertEqual({int(row) for row in rows}, told)


class Decisions(CompleteTestCase):
    """Records of decisions have one form."""

    def test_each_says_what_why_what_else_and_the_price(self) -> None:
        sections = re.split(r"^(\S.*)\n-{5,}$", self.pages["decisions"].text, flags=re.MULTILINE)
        self.assertGreater(len(sections), 20)
        wrong = [
            title
            for title, text in zip(sections[1::2], sections[2::2], strict=True)
            if re.findall(r"^([A-Z][a-z ]+)$", text, re.MULTILINE)[:4]
            != ["What", "Why", "Instead of", "Price"]
        ]
        self.assert_none(wrong, "Tell What, Why, Instead of, and Price, in this order:")
