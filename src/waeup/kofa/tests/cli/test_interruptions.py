"""What happens in the middle of a run: Ctrl-C, kills, stops, and others who want the same."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from transaction.interfaces import TransientError

from waeup.kofa.cli import session
from waeup.kofa.interfaces import IBatchDoneEvent, IRunOverEvent
from waeup.kofa.jobs.events import REPEATS
from waeup.kofa.tests.cli.shell import KOFACTL, Portal, environment, kofactl, process, running
from waeup.kofa.tests.cli.slow import KIND, SLOW, SLOWER, SlowCase
from waeup.kofa.tests.jobs.test_declared import fail_after, heard
from waeup.kofa.tests.waiting import beside, bounded

STOPPED = "The import of many_admin.csv goes on with the next start.\nThe portal was stopped.\n"


class AloneTests(SlowCase):
    """No portal runs."""

    def killed_import(self) -> str:
        """Kill an import in the middle; return the id of the run that it leaves."""
        with self.importing() as command:
            command.kill()
            command.communicate(timeout=60)
        return self.assert_interrupted()

    def test_a_killed_import_is_led_to_its_end_by_resume(self) -> None:
        id = self.killed_import()
        answer = kofactl("resume", id)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertRegex(answer.out, r"^many_admin.csv: 500 rows in .* s: 500 created\.\n")
        self.assert_imported_once(id)
        self.assertEqual(kofactl("resume", id).code, 2)

    def test_a_subscriber_for_which_others_are_in_the_way_keeps_nobody_from_a_cancel(self) -> None:
        told: list[Any] = []

        def in_the_way(event: Any) -> None:
            told.append(event)
            raise TransientError("always")

        for options in ((), ("--give-up",)):
            told.clear()
            with heard(IBatchDoneEvent, fail_after(0)):
                self.assertEqual(kofactl("import", "./many.csv", *KIND).code, 3)
            id = self.newest()["id"]
            with heard(IRunOverEvent, in_the_way):
                answer = kofactl("cancel", id, *options)
            self.assertEqual((answer.code, self.newest()["state"]), (0, "cancelled"), answer.err)
            self.assertEqual(len(told), REPEATS + 1)

    def test_a_killed_import_goes_on_when_the_portal_starts(self) -> None:
        id = self.killed_import()
        with running() as portal:
            self.assertIn("The import of many_admin.csv goes on.", portal.said)
            self.wait_for(lambda: self.newest()["state"] == "finished")
            self.assertEqual(portal.stop(signal.SIGTERM), (0, "The portal was stopped.\n"))
        self.assert_imported_once(id)

    def test_a_killed_import_is_cancelled_and_taken_back(self) -> None:
        id = self.killed_import()
        answer = kofactl("undo", id)
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertRegex(answer.err, "is running. Cancel it first.")
        answer = kofactl("cancel", id)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertRegex(
            answer.out,
            rf"^The import of many_admin.csv was cancelled after \d+ rows\. `kofactl resume {id}` "
            rf"lets it go on, `kofactl undo {id}` takes it back\.\n$",
        )
        self.assertNotEqual(self.objects(), [])
        self.assertEqual(kofactl("undo", id).code, 0)
        self.assertEqual(self.objects(), [])
        self.assertEqual(self.pending(), ["many_admin.csv"])
        self.assert_tidy()
        self.assertEqual(kofactl("import", "many_admin.csv", *KIND).code, 0)
        self.assert_imported_once(self.newest()["id"])

    def test_the_file_of_a_killed_import_is_held_and_it_is_told_what_to_do(self) -> None:
        id = self.killed_import()
        answer = kofactl("import", "many_admin.csv", *KIND)
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertRegex(
            answer.err,
            rf"many_admin.csv belongs to the import .*`kofactl resume {id}` leads it to its end, "
            rf"`kofactl cancel {id}` lets it end now",
        )
        kofactl("cancel", id)
        answer = kofactl("import", "many_admin.csv", *KIND)
        self.assertRegex(
            answer.err, rf"`kofactl resume {id}` lets it go on, `kofactl undo {id}` takes it back"
        )

    def test_another_import_of_the_kind_leads_it_to_its_end_first(self) -> None:
        id = self.killed_import()
        Path("f.csv").write_text("code,title\nF100,Again\nNEW,New\n")
        answer = kofactl("import", "./f.csv", *KIND)
        self.assertEqual(answer.code, 1, answer)
        self.assertEqual(
            answer.err, "It waits for the import of many_admin.csv, which was ordered before.\n"
        )
        self.assertIn("1 created, 1 pending", answer.out)
        (run,) = [run for run in self.runs() if run["id"] == id]
        self.assertEqual((run["state"], run["report"]["created"]), ("finished", 500))

    def test_who_waits_for_another_import_can_go(self) -> None:
        id = self.killed_import()
        Path("f.csv").write_text("code,title\nNEW,New\n")
        with beside(
            [*SLOW, "import", "./f.csv", *KIND],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as command:
            assert command.stderr is not None
            self.assertIn("waits for the import of many_admin.csv", command.stderr.readline())
            command.send_signal(signal.SIGINT)
            _, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 130, err)
        self.assertIn("was cancelled before it changed anything", err)
        self.assertEqual(self.pending(), ["many_admin.csv"])
        self.assertEqual(kofactl("resume", id).code, 0)
        self.assert_imported_once(id)

    def test_ctrl_c_cancels_at_the_next_batch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), self.importing() as command:
                command.send_signal(number)
                out, err = command.communicate(timeout=60)
                id = self.newest()["id"]
                self.assertEqual((command.returncode, out), (130, ""), err)
                first, second = err.splitlines()
                self.assertRegex(first, "^Cancelling the import of many_admin")
                self.assertRegex(
                    second,
                    rf"^The import of many_admin\S* was cancelled after \d+ rows. `kofactl resume "
                    rf"{id}` lets it go on, `kofactl undo {id}` takes it back\.$",
                )
                self.assertEqual(self.newest()["state"], "cancelled")
                self.assertEqual(kofactl("undo", id).code, 0)
                self.assertEqual(self.objects(), [])

    def test_what_was_cancelled_goes_on(self) -> None:
        with self.importing() as command:
            command.send_signal(signal.SIGINT)
            command.communicate(timeout=60)
        id = self.newest()["id"]
        self.assertEqual(kofactl("resume", id).code, 0)
        self.assert_imported_once(id)

    def test_a_program_is_told_which_run_was_cancelled(self) -> None:
        with self.command("import", "./many.csv", *KIND, "--json") as command:
            command.send_signal(signal.SIGTERM)
            out, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 130, err)
        found = json.loads(out)
        self.assertEqual(found, self.newest())
        self.assertEqual((found["state"], found["actions"]), ("cancelled", ["resume", "undo"]))

    def test_a_second_ctrl_c_ends_at_once(self) -> None:
        with self.importing() as command:
            command.send_signal(signal.SIGINT)
            assert command.stderr is not None
            with bounded(command):
                self.assertRegex(command.stderr.readline(), "Stop again to end at once")
            command.send_signal(signal.SIGINT)
            command.communicate(timeout=60)
        # The first one may have been heard already.
        self.assertIn(command.returncode, (-signal.SIGINT, 130))
        id = self.newest()["id"]
        self.assertIn(self.newest()["state"], ("running", "cancelled"))
        if self.newest()["state"] == "running":
            self.assertEqual(kofactl("cancel", id).code, 0)
        self.assertEqual(kofactl("resume", id).code, 0)
        self.assert_imported_once(id)

    def test_another_command_is_refused_meanwhile(self) -> None:
        with self.importing() as command:
            with mock.patch.object(session, "PATIENCE", 0.2):
                answer = kofactl("import", "many_admin.csv", *KIND)
            self.assertEqual((answer.code, answer.out), (2, ""))
            self.assertRegex(answer.err, f"held by process {command.pid} .*since")
            self.assertNotIn("interrupted", kofactl("runs").out)
            out, err = command.communicate(timeout=60)
        self.assertEqual((command.returncode, err), (0, ""), out)
        self.assert_imported_once(self.newest()["id"])

    def test_a_killed_undo_is_led_to_its_end(self) -> None:
        with self.importing() as command:
            command.communicate(timeout=60)
        id = self.newest()["id"]
        with self.command("undo", id) as command:
            command.kill()
            command.communicate(timeout=60)
        undo = self.assert_interrupted()
        self.assertTrue(0 < len(self.objects()) < 500)
        answer = kofactl("resume", undo)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertRegex(answer.out, "500 rows in .*: 500 removed")
        self.assertEqual(self.objects(), [])
        self.assertEqual([run["state"] for run in self.runs()], ["finished", "undone"])


class BesideTests(SlowCase):
    """The portal runs, and its workers do the work."""

    @contextmanager
    def importing_beside(self) -> Iterator[tuple[Portal, "subprocess.Popen[str]"]]:
        """Give a slow portal and an import that it is in the middle of."""
        with running(program=SLOWER) as portal, self.importing() as command:
            yield portal, command

    def assert_gone(self, command: "subprocess.Popen[str]") -> str:
        """The command has told that the portal ended; return the id of the run."""
        out, err = command.communicate(timeout=60)
        self.assertEqual((command.returncode, out), (3, ""), err)
        id = self.newest()["id"]
        self.assertRegex(
            err,
            r"^Fault: The portal has ended\. The import of many_admin\.csv goes on when it starts "
            rf"again; `kofactl runs {id}` tells how far it is\. .*`kofactl resume {id}` .*\n$",
        )
        return str(id)

    def assert_goes_on_at_start(self, id: str) -> None:
        """The next start leads the run to its end."""
        self.assert_interrupted()
        with running() as portal:
            self.assertIn("The import of many_admin.csv goes on.", portal.said)
            self.wait_for(lambda: self.newest()["state"] == "finished")
            self.assertEqual(portal.stop(signal.SIGTERM), (0, "The portal was stopped.\n"))
        self.assert_imported_once(id)

    def test_a_killed_portal_goes_on_at_its_next_start(self) -> None:
        with self.importing_beside() as (portal, command):
            portal.stop(signal.SIGKILL)
            id = self.assert_gone(command)
        # What it left lies there, and stands in nobody's way.
        self.assertTrue(Path("var/portal.sock").is_socket())
        self.assert_goes_on_at_start(id)
        self.assertFalse(Path("var/portal.sock").exists())

    def test_what_a_killed_portal_left_is_led_to_its_end_without_one(self) -> None:
        with self.importing_beside() as (portal, command):
            portal.stop(signal.SIGKILL)
            id = self.assert_gone(command)
        self.assertEqual(kofactl("resume", id).code, 0)
        self.assert_imported_once(id)

    def test_a_stopped_portal_ends_with_the_batch_and_goes_on_at_its_next_start(self) -> None:
        with self.importing_beside() as (portal, command):
            self.assertEqual(portal.stop(signal.SIGTERM), (0, STOPPED))
            id = self.assert_gone(command)
        self.assertFalse(Path("var/portal.sock").exists())
        self.assert_goes_on_at_start(id)

    def test_a_second_signal_ends_the_portal_at_once(self) -> None:
        with self.importing_beside() as (portal, command):
            portal.server.send_signal(signal.SIGINT)
            time.sleep(0.02)
            code, _ = portal.stop(signal.SIGINT)
            id = self.assert_gone(command)
        # The batch may have been at its end.
        self.assertIn(code, (-signal.SIGINT, 0))
        self.assert_goes_on_at_start(id)

    def test_ctrl_c_cancels_the_run_in_the_portal(self) -> None:
        with self.importing_beside() as (portal, command):
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=60)
            self.assertEqual((command.returncode, out), (130, ""), err)
            self.assertRegex(err, r"was cancelled after \d+ rows. `kofactl resume ")
            id = self.newest()["id"]
            answer = process("undo", id)
            self.assertEqual((answer.code, answer.err), (0, ""))
            self.assertEqual(self.objects(), [])
            self.assertEqual(portal.stop(signal.SIGTERM), (0, "The portal was stopped.\n"))

    def test_the_portal_goes_on_though_the_command_is_killed(self) -> None:
        with self.importing_beside() as (_, command):
            command.kill()
            command.communicate(timeout=60)
            self.assertRegex(kofactl("runs").out, r"running, \d+%")
            id = self.newest()["id"]
            self.wait_for(lambda: self.newest()["state"] == "finished")
            self.assert_imported_once(id)

    def test_of_two_who_import_a_file_one_is_told_of_the_other(self) -> None:
        kofactl("put", "many.csv")
        with running(program=SLOW):
            commands = [
                subprocess.Popen(
                    [*KOFACTL, "import", "many_admin.csv", *KIND],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=environment(),
                )
                for _ in range(2)
            ]
            answers = [command.communicate(timeout=60) for command in commands]
            self.assertEqual(sorted(command.returncode for command in commands), [0, 2])
            (refused,) = [err for _, err in answers if err]
            id = self.newest()["id"]
            self.assertTrue(re.search(rf"belongs to the import .*`kofactl resume {id}`", refused))
            self.assert_imported_once(id)

    def test_somebody_else_cancels(self) -> None:
        with self.importing_beside() as (_, command):
            answer = process("cancel", self.newest()["id"])
            self.assertEqual((answer.code, answer.err), (0, ""))
            out, err = command.communicate(timeout=60)
            self.assertEqual((command.returncode, out), (130, ""))
            self.assertRegex(err, "^The import of many_admin.csv was cancelled after ")
