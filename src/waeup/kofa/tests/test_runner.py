"""Tests of the front of the test runner."""

import io
import subprocess
import sys
import textwrap
import unittest
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from waeup.kofa.tests.runner import FOLDERS, TESTS, LeakWatch, be_strict, closing_line


def finished(ran, **lists):
    """Return what a finished runner knows."""
    empty = {"failures": [], "errors": [], "skipped": [], "import_errors": []}
    return SimpleNamespace(ran=ran, **{**empty, **lists})


class FoldersTests(unittest.TestCase):
    """The folders that are searched."""

    def test_every_test_module_lies_in_one_of_them(self):
        for path in TESTS.rglob("test_*.py"):
            with self.subTest(path.name):
                self.assertIn(path.parent.name, FOLDERS)
                self.assertIn(path.parent, (TESTS, TESTS / path.parent.name))


class ClosingLineTests(unittest.TestCase):
    """The last line of a run."""

    def test_all_passed(self):
        self.assertEqual(closing_line(finished(7)), "7 passed, 0 failed")

    def test_skipped_tests_did_not_pass(self):
        runner = finished(7, skipped=[("a", "no browser"), ("b", "no browser")])
        self.assertEqual(closing_line(runner), "5 passed, 0 failed, 2 skipped")

    def test_a_test_with_failure_and_error_failed_once(self):
        runner = finished(7, failures=[("a", None)], errors=[("a", None), ("b", None)])
        self.assertEqual(closing_line(runner), "5 passed, 2 failed")

    def test_failed_subtests_are_one_failed_test(self):
        parts = [SimpleNamespace(test_case="a"), SimpleNamespace(test_case="a")]
        runner = finished(7, failures=[(part, None) for part in parts])
        self.assertEqual(closing_line(runner), "6 passed, 1 failed")

    def test_what_is_no_test_fails_without_taking_a_passed_one(self):
        runner = finished(7, errors=[("Layer: x.setUp", None)], import_errors=["module"])
        self.assertEqual(closing_line(runner, leaks=1), "7 passed, 3 failed")


class BeStrictTests(unittest.TestCase):
    """Which warnings are errors."""

    def test_every_warning_but_the_tolerated(self):
        with warnings.catch_warnings():
            be_strict()
            warnings.warn("'cgi' is deprecated and slated for removal", DeprecationWarning, 1)
            with self.assertRaises(DeprecationWarning):
                warnings.warn("'roman' is deprecated", DeprecationWarning, 1)
            with self.assertRaises(ResourceWarning):
                warnings.warn("unclosed file", ResourceWarning, 1)


class LeakWatchTests(unittest.TestCase):
    """A file that nobody closed cannot raise; it counts nevertheless."""

    def setUp(self):
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "file")

    def leaks_of(self, action):
        """Return the number of leaks that `action` makes."""
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), LeakWatch() as watch:
            warnings.simplefilter("error")
            action()
        return watch.leaks

    def test_counts_an_unclosed_file(self):
        self.assertEqual(self.leaks_of(lambda: open(self.path, "w")), 1)  # noqa: SIM115 the leak

    def test_counts_no_closed_file(self):
        self.assertEqual(self.leaks_of(lambda: open(self.path, "w").close()), 0)

    def test_gives_the_hook_back(self):
        before = sys.unraisablehook
        with LeakWatch():
            self.assertIsNot(sys.unraisablehook, before)
        self.assertIs(sys.unraisablehook, before)


class HangWatchTests(unittest.TestCase):
    """A test that hangs ends its run; both are those of another process."""

    def run_tests(self, *times):
        """Let tests take so many seconds each while one has three."""
        program = """
            import sys, time
            from types import SimpleNamespace
            from waeup.kofa.tests.runner import HangWatch

            def told(*args):
                print(*args, flush=True)

            def sleep_deeply(seconds):
                time.sleep(seconds)

            output = HangWatch(SimpleNamespace(start_test=told, info=told), 3)
            for seconds in sys.argv[1:]:
                output.start_test("a test", 1, 2)
                sleep_deeply(float(seconds))
            output.info("over")
        """
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program), *times],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_what_hangs_is_told(self):
        result = self.run_tests("0", "60")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "a test 1 2\n" * 2)
        self.assertIn("in sleep_deeply", result.stderr)

    def test_each_test_has_all_the_time(self):
        result = self.run_tests(*["1"] * 4)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, "a test 1 2\n" * 4 + "over\n")
