"""The logs of processes: one each, for people or for programs."""

import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path
from unittest import mock

from zope.security.management import endInteraction, newInteraction

from waeup.kofa.browser.faults import log_fault
from waeup.kofa.deployment import logs
from waeup.kofa.journal import find_entry
from waeup.kofa.logger import in_run
from waeup.kofa.tests.cli.shell import environment
from waeup.kofa.tests.waiting import beside

log = logging.getLogger("kofa.test")

#: Keeps a log until its standard input ends, and says when it has begun.
OTHER = """
import logging, pathlib, sys
from waeup.kofa.deployment import logs
with logs.kept(pathlib.Path(sys.argv[1]), "worker"):
    logging.getLogger("other").info("begun")
    print("begun", flush=True)
    sys.stdin.read()
"""


class Principal:
    id = "anna"


class Participation:
    principal = Principal()
    interaction = None


class LogTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def entries(self, name: str = "portal.log") -> list[dict[str, object]]:
        """Return the entries of a log for programs."""
        text = (self.folder / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def test_lines_for_people(self) -> None:
        with logs.kept(self.folder, "portal"):
            log.info("one of %d", 2)
        text = (self.folder / "portal.log").read_text()
        self.assertRegex(
            text, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO kofa.test one of 2\n\Z"
        )

    def test_objects_for_programs(self) -> None:
        with logs.kept(self.folder, "worker", as_json=True):
            log.warning('two\nlines, "quoted" \udc80 \x1b[31m', extra={"cookies": "secret"})
        (entry,) = self.entries("worker.log")
        time = datetime.fromisoformat(str(entry.pop("time")))
        self.assertEqual(str(time.tzinfo), "UTC")
        self.assertEqual(
            entry,
            {
                "level": "WARNING",
                "logger": "kofa.test",
                "message": 'two\nlines, "quoted" \udc80 \x1b[31m',
                "program": "worker",
                "process": os.getpid(),
            },
        )

    def test_the_run_and_the_person(self) -> None:
        newInteraction(Participation())
        try:
            with logs.kept(self.folder, "worker", as_json=True), in_run("0123456789abcdef"):
                log.info("a batch")
        finally:
            endInteraction()
        (entry,) = self.entries("worker.log")
        self.assertEqual((entry["run"], entry["user"]), ("0123456789abcdef", "anna"))

    def test_an_error_has_its_reference_and_is_found_by_it_in_both_forms(self) -> None:
        for as_json in (False, True):
            with self.subTest(as_json=as_json):
                path = self.folder / f"{as_json}.log"
                with logs.kept(self.folder, str(as_json), as_json=as_json):
                    log.info("before")
                    try:
                        raise KeyError("of the row")
                    except KeyError as error:
                        reference = log_fault(error, "GET", "/kofa?password=secret", "anna")
                    log.info("behind")
                if as_json:
                    entry = self.entries(path.name)[1]
                    self.assertEqual(entry["reference"], reference)
                    self.assertIn("KeyError: 'of the row'", str(entry["exception"]))
                found = find_entry([str(path)], reference)
                assert found is not None
                self.assertIn(f"ERROR SiteError [{reference}] GET /kofa by anna\nTraceback", found)
                self.assertTrue(found.endswith("KeyError: 'of the row'"), found)
                self.assertNotIn("secret", path.read_text())

    def test_stderr(self) -> None:
        said = io.StringIO()
        with redirect_stderr(said), logs.kept(self.folder, "portal", to_stderr=True):
            log.info("to whom it may concern")
        self.assertIn("INFO kofa.test to whom it may concern", said.getvalue())
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_was_before_is_so_again(self) -> None:
        root = logging.getLogger()
        before = root.level, list(root.handlers)
        with logs.kept(self.folder, "portal"):
            self.assertEqual(root.level, logging.INFO)
        self.assertEqual((root.level, list(root.handlers)), before)

    def test_a_log_that_others_turn_over_is_followed(self) -> None:
        path = self.folder / "portal.log"
        with logs.kept(self.folder, "portal", as_json=True):
            log.info("first")
            path.rename(self.folder / "portal.log.old")
            log.info("second")
            path.unlink()
            log.info("third")
            # As `create` and `copytruncate` of logrotate leave it.
            path.unlink()
            path.touch()
            log.info("fourth")
            os.truncate(path, 0)
            log.info("fifth")
        told = [entry["message"] for entry in self.entries("portal.log.old") + self.entries()]
        self.assertEqual(told, ["first", "fifth"])

    def test_a_log_whose_place_cannot_be_looked_at_goes_on(self) -> None:
        with (
            logs.kept(self.folder, "portal", as_json=True),
            mock.patch.object(logs.os, "stat", side_effect=PermissionError),
        ):
            log.info("first")
        self.assertEqual([entry["message"] for entry in self.entries()], ["first"])

    def test_each_process_has_a_log_of_its_own(self) -> None:
        command = [sys.executable, "-W", "error", "-c", OTHER, str(self.folder)]
        with beside(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        ) as other:
            assert other.stdout is not None
            self.assertEqual(other.stdout.readline(), "begun\n")
            with logs.kept(self.folder, "worker"):
                log.info("this one")
            # Killed, as it may happen: its name is free again.
            other.kill()
            other.communicate()
        self.assertIn("begun", (self.folder / "worker.log").read_text())
        self.assertIn("this one", (self.folder / "worker-2.log").read_text())
        with logs.kept(self.folder, "worker"):
            log.info("the next one")
        self.assertIn("the next one", (self.folder / "worker.log").read_text())
