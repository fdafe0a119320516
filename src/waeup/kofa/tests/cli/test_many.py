"""A few runs of a portal with many processes, which are killed; the large version is a command."""

import random
import unittest
from pathlib import Path

from waeup.kofa.tests import servers
from waeup.kofa.tests.cli.shell import CommandLayer
from waeup.kofa.tests.many import Many, live


class ManyProcesses(unittest.TestCase):
    layer = CommandLayer

    def test_every_row_once_whoever_is_killed(self) -> None:
        servers.postgresql()  # skips the test where there is none
        many = Many(Path.cwd(), random.Random(1))
        live(many, 15, quiet=True)
        self.assertEqual(many.happened["imports"], 15)
        self.assertGreater(many.happened["kills of workers"] + many.happened["kills of web"], 0)
