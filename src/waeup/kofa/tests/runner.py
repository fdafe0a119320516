"""The front of zope.testrunner behind ``bin/test``: what a run means in this project.

Warnings are errors, also those that Python can only print because no caller is left to raise
them to (a file that nobody closed). A test that hangs ends the run, and then it is told what each
thread does. The last line counts the tests::

    210 passed, 1 failed, 3 skipped
"""

import faulthandler
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from zope.testrunner.runner import Runner

TESTS = Path(__file__).parent

#: The folders of the rooms below `tests` are searched like `tests` itself.
FOLDERS = [TESTS.name, *sorted(path.parent.name for path in TESTS.glob("*/__init__.py"))]

DEFAULTS = [
    *("--test-path", str(TESTS.parents[2])),
    *("--package", "waeup.kofa.tests"),
    *("--tests-pattern", f"^({'|'.join(FOLDERS)})$"),
    *("--test-file-pattern", "^test_"),
]

#: Seconds after which a test hangs: many times as long as any takes on a slow machine.
HANGING = 900.0

#: Warnings that dependencies raise by themselves: the beginning of the message, and the category.
TOLERATED = [
    # WebTest 3.0.7, below Python 3.13.
    ("'cgi' is deprecated", DeprecationWarning),
]


def be_strict() -> None:
    """Make every warning an error, but the tolerated ones."""
    warnings.simplefilter("error")
    for message, category in TOLERATED:
        warnings.filterwarnings("ignore", message, category)


def be_patient() -> None:
    """Let properties take their time: how busy the machine is says nothing about the code."""
    settings.register_profile("kofa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("kofa")


class LeakWatch:
    """Counts the warnings that were raised where no caller could get them.

    Stands in for `sys.unraisablehook` during a run, and shows all that comes as Python does.
    """

    def __init__(self) -> None:
        self.leaks = 0

    def __enter__(self) -> "LeakWatch":
        self._former = sys.unraisablehook
        sys.unraisablehook = self
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.unraisablehook = self._former

    def __call__(self, unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, Warning):
            self.leaks += 1
        sys.__unraisablehook__(unraisable)


class HangWatch:
    """Ends the process when there is no next test for `seconds`; tells what each thread did.

    The process has as long for its end when all tests have run. It stands between a runner and
    its output, and passes all on.
    """

    def __init__(self, output: Any, seconds: float = HANGING) -> None:
        self._output = output
        self._seconds = seconds
        self._begin()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def start_test(self, *args: Any) -> None:
        """Begin to wait anew."""
        self._begin()
        self._output.start_test(*args)

    def _begin(self) -> None:
        # A timer in C: it also ends a process whose interpreter is stuck.
        faulthandler.dump_traceback_later(self._seconds, exit=True)


class WatchedRunner(Runner):
    """A runner whose tests do not hang, unless somebody looks at one in the debugger."""

    def configure(self) -> None:
        """See `Runner`; the output gets its watch."""
        super().configure()
        if not self.options.post_mortem:
            self.options.output = HangWatch(self.options.output)


def closing_line(runner: Runner, leaks: int = 0) -> str:
    """Return what became of the tests of a finished `runner`, each counted once.

    What is no test and failed (a module that cannot be imported, a layer that cannot be set up,
    a leak) counts as failed, too.
    """
    bad = {_whole_test(test) for test, _ in (*runner.failures, *runner.errors)}
    skipped = {_whole_test(test) for test, _ in runner.skipped} - bad
    bad_layers = {name for name in bad if name.startswith("Layer: ")}
    passed = runner.ran - len(bad - bad_layers) - len(skipped)
    failed = len(bad) + len(runner.import_errors) + leaks
    line = f"{passed} passed, {failed} failed"
    return f"{line}, {len(skipped)} skipped" if skipped else line


def _whole_test(test: Any) -> str:
    """Return the name of `test`, or of the test that it is a subtest of."""
    return str(getattr(test, "test_case", test))


def main(args: Sequence[str] | None = None) -> None:
    """Run the tests that `args` (default: the command line) select, and exit 0 or 1."""
    be_strict()
    be_patient()
    # The empty string leaves the filters as they were just set; None would reset them.
    runner = WatchedRunner(DEFAULTS, list(sys.argv if args is None else args), warnings="")
    with LeakWatch() as watch:
        runner.run()
    if runner.do_run_tests and not runner.options.fail:
        print(closing_line(runner, watch.leaks), flush=True)
    sys.exit(int(runner.failed or watch.leaks > 0))


if __name__ == "__main__":
    main()
