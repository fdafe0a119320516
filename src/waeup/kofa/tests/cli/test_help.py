"""The help of every command, and the page of the manual."""

import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

import click

from waeup.kofa.cli.elsewhere import LOCAL
from waeup.kofa.cli.paths import Named
from waeup.kofa.cli.program import kofactl as program
from waeup.kofa.tests.cli.shell import environment, kofactl
from waeup.kofa.tests.waiting import PATIENCE

PAGE = Path(__file__).parents[5] / "docs" / "kofactl.rst"


def commands(group: click.Group, path: str = "kofactl") -> Iterator[tuple[str, click.Command]]:
    """Generate all commands below a group with the words that call them."""
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


class HelpTests(unittest.TestCase):
    def test_each_command_has_an_example(self) -> None:
        for words, command in commands(program):
            with self.subTest(words):
                _, mark, examples = (command.help or "").partition("\b\n")
                self.assertTrue(mark)
                self.assertTrue(examples.strip().startswith(words.removesuffix(" list")), examples)

    def test_each_command_is_told_in_one_short_line(self) -> None:
        for words, command in commands(program):
            with self.subTest(words):
                self.assertRegex(command.short_help or "", r"^[A-Z].{5,48}\.$")
        listed = kofactl("--help").out.partition("Commands:")[2]
        self.assertNotIn("...", listed)

    def test_each_option_is_explained(self) -> None:
        for words, command in commands(program):
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    with self.subTest(f"{words} {parameter.opts[0]}"):
                        self.assertTrue(parameter.help or parameter.metavar or parameter.type.name)

    def test_no_path_may_be_empty(self) -> None:
        """`--var "$UNSET"` must not mean the working directory."""
        for words, command in commands(program):
            for parameter in command.params:
                if isinstance(parameter.type, click.Path):
                    with self.subTest(f"{words} {parameter.name}"):
                        self.assertIsInstance(parameter.type, Named)
        answer = kofactl("run", "--setup-only", "--var", "")
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertIn("The path is empty", answer.err)

    def test_limits_have_bounds(self) -> None:
        for name in ("upload", "rows", "columns", "unpacked", "memory"):
            with self.subTest(name):
                answer = kofactl("run", "--setup-only", f"--max-{name}", "9" * 18)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn("is not in the range", answer.err)

    def test_common_options_are_where_they_mean_something(self) -> None:
        """A command of this machine is told nothing of a portal elsewhere, which it refuses."""
        elsewhere = {"--url", "--token-file", "--token", "--ca-file", "--insecure-http"}
        here = {"--var", "--config"}
        answered = {*here, "--json"}
        other = {
            "run": here,
            "worker": here,
            "scaffold": {"--json"},
            **dict.fromkeys(("check-config", "init", "migrate", "restore-backup"), answered),
        }
        for words, command in commands(program):
            name = words.partition(" ")[2]
            options = {
                option
                for parameter in command.params
                if not getattr(parameter, "hidden", False)
                for option in parameter.opts
            }
            common = options & {*answered, *elsewhere, "--user"}
            usual = {*answered, "--user"} | (set() if name in LOCAL else elsewhere)
            expected = other.get(name, usual)
            with self.subTest(words):
                self.assertEqual(common, expected)

    def test_help_loads_nothing_heavy(self) -> None:
        """Help must come at once; the commands load what they need."""
        script = (
            "import sys; from waeup.kofa.cli import main; code = main(['import', '--help']);"
            "print(code, sorted({'ZODB', 'grok', 'rich', 'zope.schema'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE,
        )
        self.assertEqual(done.stdout.splitlines()[-1], "0 []", done.stderr)

    @unittest.skipUnless(PAGE.exists(), "an installed package has no manual")
    def test_each_command_is_in_the_manual(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for words, _ in commands(program):
            with self.subTest(words):
                self.assertIn(f"``{words}``", page)

    def test_unknown_commands_and_options_are_refused(self) -> None:
        for words in (["imprt"], ["ls", "--frob"], ["import", "x.csv"], ["ls", "elsewhere"]):
            with self.subTest(words):
                answer = kofactl(*words)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn("Error: ", answer.err)
