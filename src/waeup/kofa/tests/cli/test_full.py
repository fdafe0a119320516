"""A log that has no room hides nothing of what a command says."""

import io
import logging
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace

from waeup.kofa.cli.program import _kept_traceback
from waeup.kofa.cli.session import log_to


class FullTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.var = Path(folder.name)
        (self.var / "log").mkdir()
        (self.var / "log" / "kofactl.log").symlink_to("/dev/full")

    def test_what_libraries_log_is_lost(self) -> None:
        instance = SimpleNamespace(log=self.var / "log")
        with redirect_stderr(io.StringIO()) as err, log_to(instance, "kofactl.log"):  # type: ignore[arg-type]  # has what is looked at
            logging.getLogger("ZODB").error("No index.")
        self.assertEqual(err.getvalue(), "")

    def test_a_traceback_that_cannot_be_kept_is_told_in_words(self) -> None:
        path = self.var / "log" / "kofactl.log"
        try:
            raise KeyError("x")
        except KeyError:
            told = _kept_traceback(self.var)
        self.assertEqual(told, f"{path} cannot take the details: No space left on device.")
