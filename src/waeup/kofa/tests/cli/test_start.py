"""What commands load before they do anything: people wait for it each time."""

import subprocess
import sys
import unittest

from waeup.kofa.cli import logs
from waeup.kofa.journal import LEVELS
from waeup.kofa.tests.cli.shell import PortalLayer, environment, running

#: Runs a command, and then tells on stderr which of some modules were loaded.
PROGRAM = """
import sys
from waeup.kofa.cli import main
code = main(sys.argv[2:])
print(*(name for name in sys.argv[1].split() if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(modules: str, *arguments: str) -> list[str]:
    """Run a command in a process of its own; return which of the modules it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, modules, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=True,
    )
    return done.stderr.split()


class Loading(unittest.TestCase):
    layer = PortalLayer

    heavy = "BTrees ZODB grok zope.component zope.schema"

    def test_help_loads_the_command_line_alone(self) -> None:
        more = "transaction waeup.kofa.journal waeup.kofa.operations waeup.kofa.spool"
        self.assertEqual(loaded(f"{self.heavy} {more}", "--help"), [])

    def test_who_asks_a_portal_that_runs_loads_no_portal(self) -> None:
        with running():
            for arguments in (
                ("ls",),
                ("ls", "finished"),
                ("runs",),
                ("users", "list"),
                ("exporters",),
            ):
                with self.subTest(arguments):
                    self.assertEqual(loaded(self.heavy, *arguments), [])

    def test_who_is_alone_loads_it(self) -> None:
        self.assertEqual(loaded("ZODB grok", "ls"), ["ZODB", "grok"])

    def test_what_tests_alone_need_may_be_missing(self) -> None:
        for name in ("zope.testing", "zope.app.testing", "zope.testrunner", "webtest"):
            with self.subTest(name):
                without = f"import sys\nsys.modules[{name!r}] = None\n{PROGRAM}"
                done = subprocess.run(
                    [sys.executable, "-c", without, "ZODB grok", "ls"],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    env=environment(),
                    check=False,
                )
                self.assertEqual((done.returncode, done.stderr), (0, "ZODB grok\n"))

    def test_who_is_alone_loads_nothing_that_serves_others(self) -> None:
        self.assertEqual(loaded("limits pythonjsonlogger smtplib urllib3 werkzeug", "ls"), [])

    def test_levels_are_those_of_the_journal(self) -> None:
        self.assertEqual(logs.LEVELS, LEVELS)
