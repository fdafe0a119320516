"""What commands answer to programs: each member of their JSON stands in the manual."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waeup.kofa.tests.cli.shell import PortalLayer, kofactl
from waeup.kofa.tests.manual import inventory
from waeup.kofa.tests.manual.test_pages import PagesTestCase

#: Members whose names are data: of fields, columns, modes, sections, settings.
DATA = {"required", "choices", "columns", "constants", "values", "counts", "modes"}


class ValuesTestCase(PagesTestCase):
    """Has the table of values of docs/kofactl.rst: commands -> what is said of them."""

    def setUp(self) -> None:
        super().setUp()
        text = self.pages["kofactl"].text
        table = re.split(r"^Command +Value\n[= ]+\n", text, flags=re.MULTILINE)[1]
        self.told: dict[str, str] = {}
        place = ""
        for line in table.partition("\n\n")[0].splitlines():
            if not line.startswith((" ", "=")):
                place = line[:24].strip()
                self.assertNotIn(place, self.told, "is there twice")
                self.told[place] = ""
            self.told[place] = f"{self.told[place]}\n{line[24:]}" if place else ""

    def row(self, words: str) -> str:
        """Return what is said of a command, with the commands that it refers to."""
        found = [text for names, text in self.told.items() if f"``{words}``" in names]
        group, _, name = words.rpartition(" ")
        if not found and group:
            found = [
                text
                for names, text in self.told.items()
                if names.startswith(f"``{group}")
                and (f"``{name}``" in text or (name == "list" and names == f"``{group}``"))
            ]
        if not found and group:
            found = [text for names, text in self.told.items() if names == f"other ``{group}``"]
        return "\n".join(found)


class Table(ValuesTestCase):
    """Which commands are in it."""

    def test_each_command_that_answers_programs(self) -> None:
        wrong = [
            words
            for words, command in inventory.commands()
            if any("--json" in each.opts for each in inventory.options(command))
            and not self.row(words.removeprefix("kofactl "))
        ]
        self.assert_none(wrong, "Enter into the table of docs/kofactl.rst what --json gives:")


class Members(ValuesTestCase):
    """What they answer."""

    layer = PortalLayer

    def test_each_member_is_told(self) -> None:
        Path("units.csv").write_text("code,title\nSCI,Science\nA,Arts\n")
        Path("new.conf").write_text("")
        first = ["import", "units.csv", "-p", "facultyprocessor", "-m", "create"]
        kofactl("webhooks", "add", "https://example.org/in")
        settings = inventory.settings()
        data = {*settings, *(name for fields in settings.values() for name, _ in fields)}
        wrong = []
        for words in (
            first,
            ["put", "units.csv"],
            ["ls"],
            ["ls", "finished"],
            ["preview", "units.csv", "--processor", "facultyprocessor"],
            ["check", "units_admin-2.csv", "-p", "facultyprocessor", "-m", "update"],
            ["runs"],
            ["history", "facultyprocessor", "SCI"],
            ["figures"],
            ["logs"],
            ["logs", "--officer", "admin"],
            ["processors"],
            ["exporters"],
            ["mappings", "facultyprocessor"],
            ["template", "facultyprocessor", "--format", "csv"],
            ["settings"],
            ["storage"],
            ["system"],
            ["maintenance", "on", "--text", "Back at 14:00."],
            ["maintenance", "off"],
            ["recover"],
            ["check-config"],
            ["backup", "--note", "by hand"],
            ["users"],
            ["users", "show", "admin"],
            ["users", "roles"],
            ["tokens", "add", "nightly", "--scope", "read"],
            ["tokens"],
            ["uploads"],
            ["webhooks"],
            ["rm", "units_admin-2.csv"],
            ["purge", "--older-than", "1"],
        ):
            answer = kofactl(*words, "--json")
            self.assertIn(answer.code, (0, 1), answer)
            text = self.row(self.command(words))
            wrong += [
                f"{' '.join(words)}: {name}"
                for name in sorted(set(members(json.loads(answer.out))))
                if not (words == ["settings"] and name in data)
                and f"``{name}``" not in text
                and not self.refers(text, name)
            ]
        self.assert_none(wrong, "Enter these members into the table of docs/kofactl.rst:")

    def command(self, words: list[str]) -> str:
        """Return the words of a command line that name the command."""
        known = {each.removeprefix("kofactl ") for each, _ in inventory.commands()}
        return next(" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known)

    def refers(self, text: str, name: str) -> bool:
        """Tell whether a member is told of a command that `text` refers to."""
        return any(
            f"``{name}``" in self.row(words)
            for words in re.findall(r"``([a-z -]+)``", text)
            if words in {key for names in self.told for key in re.findall(r"``(.+?)``", names)}
        )


def members(value: Any) -> Iterator[str]:
    """Generate the names of all members of a value, but for those that are data."""
    if isinstance(value, list):
        for each in value:
            yield from members(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            if name not in DATA:
                yield from members(each)
