"""Tests of the unit test layer, of the collector's refusals, and of the runner for narratives."""

import io
import os
import unittest
import unittest.mock
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import transaction
from zope.component import getUtility, queryUtility

from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.testing import (
    KofaUnitTestLayer,
    NarrativeError,
    forgiving_open,
    fresh_directories,
    main,
    narratives,
)

HOLDS = ".. :doctest:\n\n    >>> 1 + 1\n    2\n"
HOLDS_IN_LAYER = f".. :layer: waeup.kofa.testing.KofaUnitTestLayer\n{HOLDS}"


class InDirectory(unittest.TestCase):
    """Gives each test a directory `self.top`."""

    def setUp(self):
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name).resolve()

    def write(self, name, text):
        """Write `text` into the file `name` below the directory and return its path."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


class FreshDirectoriesTests(InDirectory):
    """What layers promise about directories."""

    def test_both_are_below_tmp_whatever_tmpdir_says(self):
        with unittest.mock.patch.dict(os.environ, TMPDIR=str(self.top)):
            config = {}
            with fresh_directories(config):
                self.assertRegex(os.getcwd(), "^/tmp/tmp[^/]+$")
                self.assertRegex(config["path"], "^/tmp/tmp[^/]+$")
                self.assertNotEqual(os.getcwd(), config["path"])

    def test_the_former_ones_return_and_the_new_ones_are_gone(self):
        config = {"path": "former"}
        before = os.getcwd()
        with fresh_directories(config):
            made = [os.getcwd(), config["path"]]
            Path("left-behind").mkdir()
        self.assertEqual(os.getcwd(), before)
        self.assertEqual(config, {"path": "former"})
        self.assertFalse(any(map(os.path.exists, made)))

    def test_a_test_may_remove_them_itself(self):
        config = {}
        with fresh_directories(config):
            os.rmdir(config["path"])
            os.rmdir(os.getcwd())
        self.assertEqual(config, {})


class KofaUnitTestLayerTests(unittest.TestCase):
    """The layer, called as a test runner calls it."""

    def test_config_lives_as_long_as_the_layer_and_path_as_long_as_the_test(self):
        before = os.getcwd()
        KofaUnitTestLayer.setUp()
        try:
            of_layer = getUtility(IDataCenterConfig)["path"]
            KofaUnitTestLayer.testSetUp()
            of_test = getUtility(IDataCenterConfig)["path"]
            self.assertNotEqual(of_test, of_layer)
            self.assertEqual(os.listdir(of_test), [])
            left_behind = transaction.get()
            KofaUnitTestLayer.testTearDown()
            self.assertIsNot(transaction.get(), left_behind)
            self.assertFalse(os.path.exists(of_test))
            self.assertEqual(getUtility(IDataCenterConfig)["path"], of_layer)
        finally:
            KofaUnitTestLayer.tearDown()
        self.assertIsNone(queryUtility(IDataCenterConfig))
        self.assertFalse(os.path.exists(of_layer))
        self.assertEqual(os.getcwd(), before)


class NarrativesTests(InDirectory):
    """The collector: what it takes, and what it refuses to overlook."""

    def assert_refused(self, path, reason, docs_dir=None):
        """Check that collecting is refused with a message that names `path` and `reason`."""
        with self.assertRaises(NarrativeError) as caught:
            narratives(self.top, docs_dir)
        self.assertIn(str(path), str(caught.exception))
        self.assertIn(reason, str(caught.exception))

    def test_takes_texts_of_the_package_and_marked_pages_of_the_manual(self):
        self.write("package/room/story.txt", HOLDS)
        self.write("docs/tour.rst", HOLDS)
        self.write("docs/glossary.rst", "Words only.")
        suite = narratives(self.top / "package", self.top / "docs")
        self.assertEqual(suite.countTestCases(), 2)
        result = suite.run(unittest.TestResult())
        self.assertTrue(result.wasSuccessful(), result.failures)

    def test_an_example_that_does_not_hold_fails(self):
        self.write("story.txt", HOLDS.replace("2\n", "3\n"))
        result = narratives(str(self.top)).run(unittest.TestResult())
        self.assertEqual(len(result.failures), 1)

    def test_the_named_layer_is_attached(self):
        self.write("a.txt", HOLDS)
        self.write("b.txt", HOLDS_IN_LAYER)
        layers = [getattr(suite, "layer", None) for suite in narratives(self.top)]
        self.assertEqual(layers, [None, KofaUnitTestLayer])

    def test_a_missing_manual_is_an_installed_package(self):
        self.write("story.txt", HOLDS)
        self.assertEqual(narratives(self.top, self.top / "docs").countTestCases(), 1)

    def test_listed_plain_texts_are_left_out(self):
        self.write("story.txt", HOLDS)
        self.write("room/words.txt", "apple\npear\n")
        suite = narratives(self.top, plain=["room/words.txt"])
        self.assertEqual(suite.countTestCases(), 1)

    def test_refuses_to_find_nothing(self):
        self.assert_refused(self.top, "no narrative")

    def test_refuses_a_text_without_marker(self):
        self.assert_refused(self.write("story.txt", "    >>> 1\n    1\n"), ":doctest:")

    def test_refuses_a_marked_text_without_example(self):
        self.assert_refused(self.write("story.txt", ".. :doctest:\n"), "without an example")

    def test_refuses_a_page_with_examples_and_no_marker(self):
        self.write("story.txt", HOLDS)
        page = self.write("docs/tour.rst", "    >>> 1\n    1\n")
        self.assert_refused(page, ":doctest:", self.top / "docs")

    def test_refuses_an_unknown_layer(self):
        path = self.write("story.txt", f".. :layer: waeup.kofa.testing.Nowhere\n{HOLDS}")
        self.assert_refused(path, "Nowhere")


class ForgivingOpenTests(InDirectory):
    """The `open` of narratives from Python 2."""

    def test_binary_file_takes_text_and_write_returns_nothing(self):
        path = self.top / "file"
        self.assertIsNone(forgiving_open(path, "wb").write("z\u00fcri\n"))
        self.assertIsNone(forgiving_open(path, "ab").write(b"more"))
        self.assertEqual(path.read_bytes(), b"z\xc3\xbcri\nmore")

    def test_other_modes_are_pythons_own(self):
        path = self.write("file", "text")
        with forgiving_open(path) as text, forgiving_open(path, "rb") as binary:
            self.assertEqual((text.read(), binary.read()), ("text", b"text"))
        with forgiving_open(path, "w", encoding="utf-8") as text:
            self.assertEqual(text.write("abc"), 3)


class MainTests(InDirectory):
    """``python -m waeup.kofa.testing PATH...``"""

    def run_main(self, *paths):
        """Return the exit code of `main` and what it printed."""
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            code = main([str(path) for path in paths])
        return code, out.getvalue()

    def test_all_examples_hold(self):
        story = HOLDS_IN_LAYER + "\n    >>> open('f', 'wb').write('text')\n"
        code, out = self.run_main(self.write("story.txt", story))
        self.assertEqual(code, 0, out)
        self.assertIn("story.txt: 2 examples, 0 of them failed", out)

    def test_a_failed_example_fails_and_the_rest_is_run(self):
        bad = self.write("bad.txt", HOLDS.replace("2\n", "3\n"))
        code, out = self.run_main(bad, self.write("good.txt", HOLDS))
        self.assertEqual(code, 1)
        self.assertIn("bad.txt: 1 examples, 1 of them failed", out)
        self.assertIn("good.txt: 1 examples, 0 of them failed", out)

    def test_nothing_to_run_fails(self):
        for paths in ([], [self.top / "missing.txt"], [self.write("empty.txt", "words")]):
            with self.subTest(paths=paths):
                self.assertEqual(self.run_main(*paths)[0], 1)
