"""``kofactl scaffold``: a package whose tests pass, and that a portal loads."""

import json
import os
import signal
import subprocess
import sys
import unittest
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from zope import schema
from zope.component import getGlobalSiteManager
from zope.configuration.exceptions import ConfigurationError
from zope.interface import Interface

from waeup.kofa.deployment import conf, packages, scaffolding
from waeup.kofa.deployment.checking import BAD, GOOD
from waeup.kofa.errors import InvalidName, NameTaken, Refused
from waeup.kofa.exporting.kind import ContainerExporter, KindExporter
from waeup.kofa.importing.declaring import rule
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.operations import Operations
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.testing.layers import passing_registrations
from waeup.kofa.tests.cli.shell import CommandLayer, environment, kofactl, process, running

CONFIGURATION = "package zoo_of_tests\n"
FILES = [
    "README.rst",
    "pyproject.toml",
    "src/zoo_of_tests/__init__.py",
    "src/zoo_of_tests/configure.zcml",
    "src/zoo_of_tests/interfaces.py",
    "src/zoo_of_tests/kinds.py",
    "src/zoo_of_tests/tests/__init__.py",
    "src/zoo_of_tests/tests/test_kinds.py",
]


@contextmanager
def importable(folder):
    """Let this process, and those that it starts, import what is in a folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


class Names(unittest.TestCase):
    """What is refused, and that nothing is left of it."""

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def refused(self, error, words, name, kinds=()):
        """Make sure that a package is refused."""
        with self.subTest(name, kinds=kinds):
            with self.assertRaisesRegex(error, words):
                scaffolding.scaffold(name, self.folder, kinds)
            self.assertEqual(os.listdir(self.folder), [])

    def test_bad_names(self):
        for name in ("", "Zoo", "2zoo", "zoo-park", "zoo.park", "_zoo", "zoo__x", "../zoo", "for"):
            self.refused(InvalidName, "is no name for a package", name)
            self.refused(InvalidName, "is no name for a kind", "zoo_of_tests", [name])
        self.refused(InvalidName, "at most 40", "z" * 41)
        self.refused(InvalidName, "Python itself has this word", "class")

    def test_names_that_are_taken(self):
        self.refused(NameTaken, "has a package json already", "json")
        self.refused(NameTaken, "has a package grok already", "grok")
        self.refused(NameTaken, "has students of its own", "zoo_of_tests", ["student"])
        self.refused(NameTaken, "has faculties of its own", "zoo_of_tests", ["faculty"])
        # A container of that name would hide a page.
        self.refused(NameTaken, "has settings of its own", "zoo_of_tests", ["setting"])
        for name in ("none", "true", "container"):
            self.refused(InvalidName, "No class can be called like", "zoo_of_tests", [name])
        for kinds in (["zoo_keeper", "zookeeper"], ["box", "boxe"], ["x", "i_x"]):
            self.refused(NameTaken, "would have the same names", "zoo_of_tests", kinds)

    def test_a_folder_that_is_there_stays(self):
        (self.folder / "zoo_of_tests").mkdir()
        with self.assertRaisesRegex(NameTaken, "There is .*/zoo_of_tests already"):
            scaffolding.scaffold("zoo_of_tests", self.folder)
        with self.assertRaisesRegex(Refused, "There is no folder"):
            scaffolding.scaffold("zoo_of_tests", self.folder / "nowhere")

    def test_what_cannot_be_written_leaves_nothing(self):
        with (
            mock.patch.object(scaffolding.os, "rename", side_effect=OSError(28, "No space left")),
            self.assertRaisesRegex(Refused, "cannot be written: No space left"),
        ):
            scaffolding.scaffold("zoo_of_tests", self.folder)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_kind_is_called_like_one_of_many(self):
        kinds = [scaffolding.Kind.of(name) for name in ("zoo_keeper", "city", "bus", "key")]
        self.assertEqual(
            [kind.plural for kind in kinds], ["zoo_keepers", "cities", "buses", "keys"]
        )
        self.assertEqual(kinds[0][1:], ("ZooKeeper", "zoo_keepers", "zoo keeper"))
        singular = scaffolding._singular
        self.assertEqual(
            [singular(name) for name in ("mammoths", "cities", "zoo", "glass")],
            ["mammoth", "city", "zoo", "glass"],
        )


class Packages(unittest.TestCase):
    """What the configuration names is there, or refused in clear words."""

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_names(self):
        self.assertEqual(packages.package_name("a.b_c2"), "a.b_c2")
        for name in ("a-b", "../a", "a..b", "2a", ""):
            with self.subTest(name), self.assertRaises(ValueError):
                packages.package_name(name)

    def test_the_configuration_names_them_in_their_order(self):
        path = self.folder / "kofa.conf"
        found = conf.read("package zoo\npackage park.trees\npackage zoo\n", path)
        self.assertEqual(found.packages, ("zoo", "park.trees"))
        self.assertEqual(conf.read("", path).packages, ())
        with self.assertRaisesRegex(Refused, "line 1: .*dotted name of a Python package"):
            conf.read("package ../zoo\n", path)

    def test_what_is_no_package_and_what_has_no_configuration(self):
        for name in ("no_such_package", "json.decoder", "no.such.package"):
            with self.subTest(name), self.assertRaisesRegex(Refused, f"no package {name} that"):
                packages.place_of(name)
        with self.assertRaisesRegex(Refused, "json in .* has no configure.zcml"):
            packages.place_of("json")

    def test_whatever_a_package_does_is_told_in_words(self):
        for at, (text, words) in enumerate(
            (
                ("import json\njson.nothing", "AttributeError: .*nothing"),
                ("1 / 0", "ZeroDivisionError: division by zero"),
                ("raise SystemExit", "cannot be loaded: SystemExit "),
            )
        ):
            name = f"failing_{at}"
            place = self.folder / name
            (place / "below").mkdir(parents=True)
            (place / "__init__.py").write_text(text)
            (place / "configure.zcml").write_text("<configure />")
            for package in (name, f"{name}.below"):
                with (
                    self.subTest(package, text=text),
                    importable(self.folder),
                    self.assertRaisesRegex(Refused, words),
                ):
                    packages.load_packages([package])

    def test_what_the_code_of_a_package_raises_is_told_with_its_line(self):
        place = self.folder / "stumbling"
        place.mkdir()
        (place / "__init__.py").write_text("import json\n\njson.loads('x')\n")
        (place / "configure.zcml").write_text("<configure />")
        with importable(self.folder), self.assertRaises(Refused) as caught:
            packages.load_packages(["stumbling"])
        self.assertTrue(str(caught.exception).endswith("__init__.py, line 3)"))

    def test_what_cannot_be_loaded_says_where(self):
        for text, words in (
            ("<configure", "unclosed token"),
            ("<configure><nothing /></configure>", "Unknown directive"),
            ('<configure><include package="no_such" /></configure>', "no_such"),
        ):
            with self.subTest(text), self.assertRaisesRegex(Refused, words) as caught:
                name = f"broken_{len(words)}"
                place = self.folder / name
                place.mkdir()
                (place / "__init__.py").touch()
                (place / "configure.zcml").write_text(text)
                with importable(self.folder):
                    packages.load_packages([name])
            self.assertIn("configure.zcml", str(caught.exception))
            self.assertIsInstance(caught.exception.__cause__, ConfigurationError)


class SoundKinds(unittest.TestCase):
    """What is registered is looked at as a whole: one exporter can keep others from working."""

    layer = KofaUnitTestLayer

    def test_a_package_is_refused_with_what_is_wrong(self):
        self.assertEqual(list(packages._mistakes()), [])
        for name, members, words in (
            ("", {"processor": "studentprocessor"}, "Zoo has no name. Give it one"),
            ("zoo", {"processor": "studntprocessor"}, "Zoo.processor is 'studntprocessor', and "),
            ("zoo", {"processor": "studentprocessor", "permission": "zoo"}, "which nothing decl"),
            ("zoo", {"processor": "studentprocessor", "key_fields": "a"}, "a tuple: ('a',)."),
            ("zoo", {"processor": "studentprocessor", "objects": None}, "Let it define objects("),
        ):
            own = {"objects": lambda self, site: (), **members}
            if own["objects"] is None:
                del own["objects"]
            exporter = type("Zoo", (KindExporter,), own)()
            with self.subTest(words), passing_registrations():
                getGlobalSiteManager().registerUtility(exporter, ICSVExporter, name)
                self.assertIn(words, next(packages._mistakes()))

    def test_a_rule_that_would_never_be_asked_is_told(self):
        class IZoo(Interface):
            code = schema.TextLine()

        zoo = rule("code", "kynd")(lambda self, row, site: None)
        members = {"iface": IZoo, "container": "zoos", "key": "code", "is_one": zoo}
        processor = type("ZooProcessor", (ContainerProcessor,), members)()
        with passing_registrations():
            getGlobalSiteManager().registerUtility(processor, IBatchProcessor, "zooprocessor")
            self.assertIn(
                "ZooProcessor.is_one: there is no column kynd, so that the rule would never be "
                "asked. There are: code.",
                next(packages._mistakes()),
            )

    def test_a_field_whose_values_are_unknown_is_told_and_breaks_no_list(self):
        class IZoo(Interface):
            code = schema.TextLine()
            size = schema.Choice(vocabulary="zoo.sizes")

        members = {"iface": IZoo, "container": "zoos", "util_name": "zooprocessor"}
        zoo = type("ZooProcessor", (ContainerProcessor,), members)
        with passing_registrations():
            registry = getGlobalSiteManager()
            registry.registerUtility(zoo(), IBatchProcessor, "zooprocessor")
            registry.registerUtility(ContainerExporter(zoo), ICSVExporter, "zoos")
            (text,) = packages.missing_vocabularies()
            self.assertIn("field size names the vocabulary 'zoo.sizes'", text)
            with mock.patch.multiple(Operations, may=mock.DEFAULT, _require=mock.DEFAULT):
                listed = Operations({"datacenter": None}, None).exporters()
            (found,) = (info for info in listed if info.name == "zoos")
            self.assertEqual([each.name for each in found.filters], ["code"])


class Scaffolds(unittest.TestCase):
    """A package as it is written: its tests, and a portal that has it."""

    layer = CommandLayer

    def test_what_is_written(self):
        answer = kofactl("scaffold", "zoo_of_tests", "--kind", "mammoth", "--json")
        self.assertEqual(answer.code, 0, answer)
        said = json.loads(answer.out)
        self.assertEqual(said["files"], FILES)
        self.assertEqual(os.stat(said["path"]).st_mode & 0o777, 0o755)
        self.assertEqual(os.listdir("."), ["zoo_of_tests"])
        self.assertEqual(kofactl("scaffold", "zoo_of_tests").code, 2)

    def test_its_tests_pass(self):
        scaffolding.scaffold("zoo_of_tests", Path("."), ["zoo_keeper"])
        with importable(Path("zoo_of_tests/src").absolute()):
            done = subprocess.run(
                [sys.executable, "-W", "error", "-m", "unittest", "zoo_of_tests.tests.test_kinds"],
                capture_output=True,
                text=True,
                env=environment(),
                timeout=240,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"Ran \d\d tests")

    def test_a_portal_loads_it_and_imports_its_objects(self):
        scaffolding.scaffold("zoo_of_tests", Path("."), ["mammoth"])
        os.mkdir("var")
        Path("var/kofa.conf").write_text(CONFIGURATION)
        os.chmod("var/kofa.conf", 0o600)
        Path("mammoths.csv").write_text("code,title,number\nA,One,1\nB,Two,x\n")
        self.assertEqual(self.verdict(), BAD)
        answer = process("run", "--setup-only")
        self.assertEqual(answer.code, 2, answer)
        self.assertIn("There is no package zoo_of_tests that this Python", answer.err)
        with importable(Path("zoo_of_tests/src").absolute()):
            self.assertEqual(self.verdict(), GOOD)
            with running() as portal:
                answer = process(
                    *("import", "mammoths.csv", "--processor", "mammothprocessor"),
                    *("--mode", "create"),
                )
                self.assertEqual(answer.code, 1, answer)
                self.assertIn("1 created, 1 pending", answer.out)
                portal.stop(signal.SIGTERM)
            answer = process("export", "mammoths", "-o", "-")
        self.assertEqual(answer.code, 0, answer)
        self.assertIn('"A","One","1"', answer.out)

    def verdict(self):
        """Return what check-config says of the package."""
        found = json.loads(process("check-config", "--json").out)
        return next(each["verdict"] for each in found if each["what"] == "package zoo_of_tests")
