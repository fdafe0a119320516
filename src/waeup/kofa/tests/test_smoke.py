"""Some functional tests go through each database that a server has, in every run of the tests.

All of them do with ``KOFA_TEST_DATABASE`` (`waeup.kofa.tests.databases`), as ``.ci/run`` sets it.
"""

import os
import subprocess
import sys
import unittest

from waeup.kofa.tests import servers
from waeup.kofa.tests.databases import VARIABLE

#: Imports, their undo, and what the pages tell of them.
MODULES = "tests[.]browser[.]test_history$"


class Smoke(unittest.TestCase):
    """Pages of a portal in another database."""

    def run_on(self, kind):
        """Run the tests of a module on a kind of database."""
        done = subprocess.run(
            [sys.executable, "-m", "waeup.kofa.tests.runner", "-m", MODULES],
            env={**os.environ, VARIABLE: kind},
            capture_output=True,
            text=True,
        )
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, output)
        self.assertRegex(done.stdout.splitlines()[-1], r"^[1-9]\d* passed, 0 failed$", output)

    def test_zeo(self):
        self.run_on("zeo")

    def test_postgresql(self):
        servers.postgresql(fsync=False)  # or the test is skipped
        self.run_on("postgresql")
