"""The pages of the manual: who finds them, what they name, and that their blocks hold."""

import re
import shlex
import unittest
from pathlib import Path

import click
import grok
from zope.dottedname.resolve import resolve

from waeup.kofa.api.addresses import HANDLERS
from waeup.kofa.api.routes import ROUTES
from waeup.kofa.cli.program import kofactl
from waeup.kofa.deployment import conf
from waeup.kofa.tests.manual import inventory
from waeup.kofa.tests.manual.drawings import DRAWINGS, FOLDER
from waeup.kofa.tests.manual.pages import DOCS, pages

READERS = (
    "I upload files",
    "I plug in a kind of object",
    "I run the server",
    "I change the code",
)
#: First words of a line that a person types.
PROGRAMS = (
    "$ ",
    "kofactl ",
    "curl ",
    "pip ",
    "make ",
    "docker ",
    "podman ",
    "systemctl ",
    "export ",
)
#: Options of other programs.
FOREIGN_OPTIONS = {"--stop-timeout", "--help"}
#: Sections of kofa.conf in a block.
SECTION = re.compile(r"^\s*<(\w+)(?: [\w-]+)?>$.*?^\s*</\1>$", re.MULTILINE | re.DOTALL)


class PagesTestCase(unittest.TestCase):
    """Has the pages, and tells what is wrong with all of them at once."""

    def setUp(self) -> None:
        self.pages = pages()

    def assert_none(self, wrong: list[str], advice: str) -> None:
        """Fail if something is wrong; `advice` says what to do."""
        if wrong:
            self.fail(f"{advice}\n" + "\n".join(f"  {each}" for each in wrong))


class Ways(PagesTestCase):
    """How a reader comes to a page."""

    def test_each_page_is_in_the_table_of_contents_once(self) -> None:
        index = self.pages["index"].text
        listed = [
            name
            for block in re.findall(r"^\.\. toctree::\n((?:   .*\n|\n)*)", index, re.MULTILINE)
            for name in re.findall(r"^   ([\w-]+)$", block, re.MULTILINE)
        ]
        self.assertEqual(sorted(listed), sorted(set(self.pages) - {"index"}))

    def test_the_index_leads_each_of_four_readers_to_all_pages(self) -> None:
        index = self.pages["index"].text
        parts = re.split(r"^(\S.*)\n(?=    )", index, flags=re.MULTILINE)
        told = dict(zip(parts[1::2], parts[2::2], strict=True))
        self.assertEqual(tuple(told), READERS)
        named = {
            reader: re.findall(r":doc:`([\w-]+)`", text.partition(".. toctree")[0])
            for reader, text in told.items()
        }
        for reader, names in named.items():
            with self.subTest(reader):
                self.assertTrue(names)
        led = {name for names in named.values() for name in names}
        wrong = sorted(set(self.pages) - led - {"index", "glossary"})
        self.assert_none(wrong, "docs/index.rst leads no reader to these pages:")

    def test_each_page_says_first_for_whom_it_is(self) -> None:
        wrong = [
            f"docs/{name}.rst"
            for name, page in self.pages.items()
            if name not in ("index", "glossary")
            and not re.search(r"^\*For [^*]+\*", page.text.partition("\n=")[0], re.MULTILINE)
        ]
        self.assert_none(wrong, "Begin the page with a sentence such as *For operators.*:")

    def test_each_picture_is_shown_and_described(self) -> None:
        shown = {
            name: text
            for page in self.pages.values()
            for name, text in re.findall(
                r"^ *\.\. (?:image|figure):: pictures/(\S+)\n((?: +\S.*\n)*)",
                page.text,
                re.MULTILINE,
            )
        }
        there = {path.name for path in (DOCS / "pictures").iterdir()}
        self.assertEqual(set(shown), there)
        wrong = [name for name, text in shown.items() if ":alt:" not in text]
        self.assert_none(wrong, "Say by :alt: what is on the picture:")


class Names(PagesTestCase):
    """What pages name is there."""

    def test_names_of_the_code(self) -> None:
        wrong = [
            f"docs/{page.name}.rst: {name}"
            for page in self.pages.values()
            for name in page.named
            if name.startswith("waeup.") and not is_there(name)
        ]
        self.assert_none(wrong, "There is no such thing in the code (any more):")

    def test_contracts(self) -> None:
        known = set(re.findall(r"\bI[A-Z]\w+", interfaces_text()))
        wrong = [
            f"docs/{page.name}.rst: {name}"
            for page in self.pages.values()
            for name in page.named
            if re.fullmatch(r"I[A-Z][a-z]\w+(\.\w+)?", name)
            and name.partition(".")[0] not in known
        ]
        self.assert_none(wrong, "There is no such interface (any more):")

    def test_commands_of_the_text(self) -> None:
        """``kofactl word`` is a command, and ``kofactl word --option`` one of its options."""
        wrong = []
        for page in self.pages.values():
            for text in re.findall(r"``kofactl ([^`]+)``", " ".join(page.text.split())):
                problem = misunderstood(text, is_whole=False)
                if problem:
                    wrong.append(f"docs/{page.name}.rst: kofactl {text}: {problem}")
        self.assert_none(wrong, "kofactl does not understand this (any more):")

    def test_options_of_the_text(self) -> None:
        """``--option`` is one of some command, or of a program that the page names."""
        known = {
            name
            for _, command in inventory.commands()
            for each in command.params
            for name in (*each.opts, *each.secondary_opts)
        }
        wrong = [
            f"docs/{page.name}.rst: {name}"
            for page in self.pages.values()
            for name in re.findall(r"``(--[a-z][\w-]*)", page.text)
            if name not in known | FOREIGN_OPTIONS
        ]
        self.assert_none(wrong, "No command has this option (any more):")

    def test_addresses_of_the_api(self) -> None:
        paths = [each.path for each in ROUTES] + [each.path for each in HANDLERS]
        known = [re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))) for path in paths]
        wrong = [
            f"docs/{page.name}.rst: {path}"
            for page in self.pages.values()
            for path in re.findall(r"/api/v1(/[^\s`\"'?,;)]*)", page.text)
            if "..." not in path and not any(each.fullmatch(path.rstrip(".")) for each in known)
        ]
        self.assert_none(wrong, "The API has no such address (any more):")

    def test_permissions_and_roles(self) -> None:
        rights = (*inventory.permissions(), *inventory.roles())
        known = {grok.name.bind().get(each) for each in rights}
        wrong = [
            f"docs/{page.name}.rst: {name}"
            for page in self.pages.values()
            for name in re.findall(r"``(waeup\.[a-zA-Z]+)``", page.text)
            if name not in known
        ]
        self.assert_none(wrong, "There is no such permission or role (any more):")


class Blocks(PagesTestCase):
    """Examples are executed; of other blocks as much is tested as can be."""

    def test_whoever_does_not_execute_blocks_says_why(self) -> None:
        wrong = [
            f"docs/{page.name}.rst, line {block.line}: {line.strip()}"
            for page in self.pages.values()
            for block in page.blocks
            for line in block.text.splitlines()[:1]
            if line.strip().startswith(PROGRAMS) and not page.reason
        ]
        self.assert_none(
            wrong,
            "Make it an example (>>>), or say in the page, in a paragraph that begins with `Not "
            "executed:`, why it is none:",
        )

    def test_examples_stand_on_pages_that_are_executed(self) -> None:
        wrong = [
            f"docs/{page.name}.rst"
            for page in self.pages.values()
            if re.search(r"^\s*>>> ", page.text, re.MULTILINE) and not page.is_executed
        ]
        self.assert_none(wrong, "Add `.. :doctest:` below the title:")

    def test_no_reason_is_left_over(self) -> None:
        wrong = [
            f"docs/{page.name}.rst"
            for page in self.pages.values()
            if page.reason and not page.blocks
        ]
        self.assert_none(wrong, "All is executed; remove `Not executed:`:")

    def test_commands_are_understood(self) -> None:
        wrong = []
        for page in self.pages.values():
            for line, text in page.commands:
                problem = misunderstood(text)
                if problem:
                    wrong.append(f"docs/{page.name}.rst, line {line}: kofactl {text}: {problem}")
        self.assert_none(wrong, "kofactl does not understand this (any more):")

    def test_configurations_are_understood(self) -> None:
        wrong = []
        for page in self.pages.values():
            for block in page.blocks:
                for found in SECTION.finditer(block.text):
                    problem = unreadable(found[0])
                    if problem:
                        wrong.append(f"docs/{page.name}.rst, line {block.line}: {problem}")
        self.assert_none(wrong, "kofa.conf cannot say this (any more):")


def is_there(name: str) -> bool:
    """Tell whether a dotted name leads to something."""
    try:
        resolve(name)
    except (ImportError, AttributeError):
        return False
    return True


def interfaces_text() -> str:
    """Return the text of all modules of contracts."""
    package = Path(conf.__file__).parents[1]
    return "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))


def misunderstood(text: str, is_whole: bool = True) -> str:
    """Return why ``kofactl`` would not understand a command line, or ''.

    Nothing is carried out.  Of one that is not `is_whole` only the words are looked at that are
    there: which command, and which options.
    """
    command: click.Command = kofactl
    arguments = shlex.split(re.sub(r" [|<>] .*", "", text))
    while isinstance(command, click.Group) and arguments:
        word = arguments.pop(0)
        if word.startswith("-"):
            return "" if word in ("--help", "-h") else f"no command before {word}"
        if word not in command.commands:
            if command is not kofactl:
                break
            return f"there is no command {word}"
        command = command.commands[word]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    wrong = [
        word
        for word in arguments
        if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in {*known, "--help"}
    ]
    if wrong:
        return f"there is no option {wrong[0]}"
    if is_whole and not isinstance(command, click.Group):
        try:
            command.make_context("kofactl", arguments)
        except click.exceptions.BadParameter as error:
            # Files of examples are not there.
            return "" if "does not exist" in error.message else error.message
        except click.ClickException as error:
            return error.message
    return ""


def unreadable(text: str) -> str:
    """Return what is wrong with a section of ``kofa.conf``, or ''."""
    try:
        conf.read(text, Path("/srv/kofa/kofa.conf"))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


class Drawings(unittest.TestCase):
    """Pictures that are drawn from the code."""

    def test_they_show_the_code_as_it_is(self) -> None:
        pages()
        for name, draw in DRAWINGS.items():
            with self.subTest(name):
                kept = (FOLDER / name).read_text(encoding="utf-8")
                self.assertEqual(kept, draw(), "Call `make pictures`.")


class Readme(unittest.TestCase):
    """The first page that anybody reads."""

    def test_what_it_names_is_there(self) -> None:
        pages()
        text = (DOCS.parent / "README.rst").read_text(encoding="utf-8")
        named = re.findall(r"``((?:docs|src)/[^`]*[^`/]|[A-Z]+(?:\.\w+)?)``", text)
        # What `make docs` builds is there later.
        wrong = [
            name for name in named if name != "docs/_build" and not (DOCS.parent / name).exists()
        ]
        self.assertEqual((wrong, bool(named)), ([], True))
