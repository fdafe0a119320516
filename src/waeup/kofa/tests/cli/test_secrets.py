"""What is on a command line is seen by everybody on the machine: no secrets there."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

from waeup.kofa.cli.instance import _command_of
from waeup.kofa.tests.cli.shell import PortalLayer, kofactl
from waeup.kofa.tests.waiting import beside


class SetTests(unittest.TestCase):
    layer = PortalLayer

    def setUp(self) -> None:
        Path("people.csv").write_text("name,title\nann,Ann\n")

    def test_a_password_for_all_rows_is_refused_and_nothing_is_stored(self) -> None:
        answer = kofactl(
            *("import", "./people.csv", "-p", "userprocessor", "-m", "create"),
            *("--set", "roles=[]", "--set", "password=Secret-1"),
        )
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertRegex(answer.err, r"--set password=\.\.\. .*kofactl users password")
        self.assertNotIn("Secret-1", answer.err)
        self.assertEqual(kofactl("ls").out, "There are no pending files.\n")

    def test_other_fields_can_be_set(self) -> None:
        answer = kofactl(
            *("import", "./people.csv", "-p", "userprocessor", "-m", "create"),
            *("--set", "description=New"),
        )
        self.assertEqual(answer.code, 0, answer)


class CommandOfTests(unittest.TestCase):
    """Who holds the database is told by program and command."""

    def shown(self, *words: str) -> str:
        """Return what is told of a process with these words behind the interpreter."""
        code = "import sys; print(flush=True); sys.stdin.read()"
        with beside(
            [sys.executable, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdout.readline()
            try:
                return _command_of(process.pid)
            finally:
                process.stdin.close()

    def test_only_the_command_of_kofactl_is_told(self) -> None:
        arguments = ("--var", "x", "import", "./a.csv", "--set", "password=Secret-1")
        self.assertEqual(self.shown("/opt/kofa/bin/kofactl", *arguments), " (kofactl import)")
        self.assertEqual(self.shown("-m", "waeup.kofa.cli", *arguments), " (kofactl import)")
        self.assertEqual(self.shown("kofactl", "Secret-1"), " (kofactl)")

    def test_of_other_programs_only_the_name_is_told(self) -> None:
        self.assertEqual(self.shown("--password", "x"), f" ({os.path.basename(sys.executable)})")

    def test_a_process_that_has_gone_is_not_described(self) -> None:
        self.assertEqual(_command_of(2**22 + 1), "")
