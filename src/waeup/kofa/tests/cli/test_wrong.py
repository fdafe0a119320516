"""What is typed wrong, or left of variables that are not set."""

import os
import subprocess
import sys
import unittest
from unittest import mock

from waeup.kofa.cli.screen import abridged
from waeup.kofa.tests.cli.shell import CommandLayer, PortalLayer, environment, kofactl
from waeup.kofa.tests.waiting import PATIENCE

#: Ctrl-C is pressed while the first module of others is loaded.
INTERRUPTED = """
import sys

class Person:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Person())
from waeup.kofa.cli import main
sys.exit(main(["ls"]))
"""


class EmptyPaths(unittest.TestCase):
    """None of them is the working directory, or the usual place."""

    layer = CommandLayer

    def test_of_options(self) -> None:
        for arguments in (("export", "students", "-o", ""), ("init", "--files", "")):
            with self.subTest(arguments):
                answer = kofactl(*arguments)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn("The path is empty", answer.err)
                self.assertEqual(os.listdir(), [])

    def test_of_the_environment(self) -> None:
        for variable, option in (("KOFA_VAR", "--var"), ("KOFA_CONFIG", "--config")):
            with self.subTest(variable), mock.patch.dict(os.environ, {variable: ""}):
                answer = kofactl("run", "--setup-only")
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertIn(f"{variable} is empty", answer.err)
                self.assertEqual(os.listdir(), [])
                self.assertNotIn("is empty", kofactl("ls", option, "x").err)
                self.assertEqual(kofactl("ls", "--help").code, 0)

    def test_of_the_environment_count_where_they_mean_something(self) -> None:
        with mock.patch.dict(os.environ, KOFA_CA_FILE=""):
            self.assertIn("KOFA_CA_FILE is empty", kofactl("ls", "--url", "https://k.org").err)
            self.assertNotIn("KOFA_CA_FILE", kofactl("ls").err)


class Files(unittest.TestCase):
    layer = PortalLayer

    def test_a_workbook_that_would_be_none_is_not_written(self) -> None:
        before = os.listdir()
        for command in (("export", "students"), ("template", "studentprocessor")):
            for name in ("a.xls", "a.ods", "A.XLSM"):
                with self.subTest((*command, name)):
                    answer = kofactl(*command, "-o", name)
                    self.assertEqual((answer.code, answer.out), (2, ""))
                    self.assertIn("csv, tsv, xlsx can be written", answer.err)
        self.assertEqual(kofactl("export", "students", "-o", "a.ods.gz").code, 2)
        self.assertEqual(os.listdir(), before)
        self.assertEqual(kofactl("export", "students", "-o", "a.xls", "--format", "csv").code, 0)

    def test_nothing_is_exported_into_a_folder(self) -> None:
        answer = kofactl("export", "students", "-o", "var", "--replace")
        self.assertEqual(answer.code, 2)
        self.assertIn("'var' is a directory", answer.err)

    def test_what_is_not_there_is_not_told_as_what_would_be_purged(self) -> None:
        answer = kofactl("purge", "nosuch")
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertIn("no file 'nosuch' in deleted. `kofactl ls deleted`", answer.err)


class LongArguments(unittest.TestCase):
    """They are not repeated in full."""

    layer = CommandLayer

    def test_in_refusals(self) -> None:
        long = "A" * 3000
        for arguments in (
            (long,),
            (f"--{long}",),
            ("ls", long),
            ("ls", "--config", "A/" * 300),
            ("ls", "--var", long),
            ("ls", "--url", f"https://{long}"),
            ("run", "--port", long),
            ("run", f"--port={long}"),
            ("settings", "title", long),
            ("check", "f", "-p", "facultyprocessor", "-m", "create", "--set", long),
        ):
            with self.subTest(arguments):
                answer = kofactl(*arguments)
                self.assertEqual((answer.code, answer.out), (2, ""), answer)
                self.assertLess(len(answer.err), 500)
                self.assertIn("... (", answer.err)

    def test_that_are_many(self) -> None:
        answer = kofactl("runs", *("x y" for _ in range(3000)))
        self.assertEqual(answer.code, 2)
        self.assertLess(len(answer.err), 4000)

    def test_are_shortened_as_they_are_written(self) -> None:
        line = "\n" * 300
        self.assertEqual(
            abridged(f"{line!r} and {line}", ["x", f"a={line}"]),
            f"'{repr(line)[1:61]}... (300 characters)' and {line[:60]}... (300 characters)",
        )
        self.assertEqual(abridged("A" * 200, ["A" * 200]), "A" * 200)


class EarlyInterrupt(unittest.TestCase):
    def test_is_quiet(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (130, "", ""))
