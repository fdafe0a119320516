"""Runs that take a while, for tests in which something happens in the middle."""

import json
import os
import subprocess
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings
from waeup.kofa.tests.cli.shell import PortalLayer, environment, kofactl

SCRIPT = """
import sys, time
from waeup.kofa.cli import main
from waeup.kofa.jobs import pace

def slow(self, cursor, rate=pace.Pace.rate):
    time.sleep(PAUSE)
    return rate(self, cursor)

pace.FIRST = pace.MOST = 50
pace.Pace.rate = slow
sys.exit(main())
"""
#: ``kofactl`` with batches of 50 rows, each of which takes some time.
SLOW = (sys.executable, "-W", "error", "-c", SCRIPT.replace("PAUSE", "0.15"))
#: Likewise, and another process can be started and have its say before the work is done.
SLOWER = (*SLOW[:-1], SCRIPT.replace("PAUSE", "1.6"))
KIND = ("-p", "facultyprocessor", "-m", "create")
CODES = [f"F{number:03}" for number in range(500)]


class SlowCase(unittest.TestCase):
    """Has the table ``many.csv``, and ways to look at what became of it."""

    layer = PortalLayer

    def setUp(self) -> None:
        rows = "".join(f"{code},Faculty {code}\n" for code in CODES)
        Path("many.csv").write_text("code,title\n" + rows)

    @contextmanager
    def command(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Give a slow command, as a process of its own, in the middle of its rows."""
        before = {run["id"] for run in self.runs()}
        with subprocess.Popen(
            [*SLOW, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as command:
            try:
                self.wait_for(lambda: command.poll() is not None or self.in_the_middle(before))
                if command.poll() is not None:
                    self.fail(command.communicate())
                yield command
            finally:
                command.kill()

    def importing(self) -> Any:
        """Give the import of the table, in the middle of its rows."""
        return self.command("import", "./many.csv", *KIND)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until, self.runs())
            time.sleep(0.02)

    def in_the_middle(self, before: set[str]) -> bool:
        """Tell whether a new run has done some of its rows."""
        found = [run for run in self.runs() if run["id"] not in before]
        states = {run["state"] for run in found}
        self.assertLessEqual(states, {"queued", "running"}, found)
        return any(run["rows"] > 0 for run in found)

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs, the newest first, as they are at this moment."""
        answer = kofactl("runs", "--json")
        self.assertEqual((answer.code, answer.err), (0, ""))
        found: list[dict[str, Any]] = json.loads(answer.out)
        return found

    def newest(self) -> dict[str, Any]:
        return self.runs()[0]

    def objects(self) -> list[str]:
        """Return the codes of the faculties that there are."""
        with session(Settings()) as operations:
            return sorted(operations.site["faculties"])

    def pending(self) -> list[str]:
        found = json.loads(kofactl("ls", "--json").out)
        return [item["name"] for item in found]

    def assert_interrupted(self) -> str:
        """The newest run was left in the middle; return its id."""
        run = self.newest()
        self.assertEqual(run["state"], "running")
        self.assertIn(run["rows"], range(50, 500, 50))
        self.assertRegex(kofactl("runs").out, rf"{run['id']}.* interrupted, \d+%")
        self.assertIn(f"`kofactl resume {run['id']}` leads it", kofactl("runs", run["id"]).out)
        id: str = run["id"]
        return id

    def assert_imported_once(self, id: str) -> None:
        """All rows of the table have become objects, each once, and nothing else is there."""
        run = next(run for run in self.runs() if run["id"] == id)
        self.assertEqual((run["state"], run["fault"]), ("finished", ""))
        report = run["report"]
        self.assertEqual((report["total"], report["created"], report["failed"]), (500, 500, 0))
        self.assertEqual(self.objects(), CODES)
        rows = Path("var/datacenter", report["finished"]).read_text("utf-8").splitlines()
        self.assertEqual([row.split(",")[0].strip('"') for row in rows], ["code", *CODES])
        self.assertEqual(self.pending(), [])
        self.assert_tidy()

    def assert_tidy(self) -> None:
        """No work folder is left."""
        expected = {"deleted", "finished", "logs", "unfinished", *self.pending()}
        self.assertEqual(set(os.listdir("var/datacenter")), expected)
