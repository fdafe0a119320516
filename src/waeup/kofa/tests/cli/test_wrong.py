"""What is typed wrong, or left of variables that are not set."""

import os
import unittest
from unittest import mock

from waeup.kofa.tests.cli.shell import CommandLayer, kofactl


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
