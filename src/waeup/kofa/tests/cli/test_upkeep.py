"""``kofactl maintenance``, ``system`` and ``backup``, and references of faults."""

import re
import signal
from pathlib import Path
from unittest import mock

from waeup.kofa.tests.cli.client import Client
from waeup.kofa.tests.cli.shell import kofactl, running
from waeup.kofa.tests.cli.test_commands import PortalCase

OPERATIONS = "waeup.kofa.operations.Operations"


class UpkeepCase(PortalCase):
    """A portal in which an import manager works, too."""

    def add_officer(self) -> None:
        """Make the account."""
        answer = kofactl(
            "users", "add", "ann", "--title", "Ann", "--role", "waeup.ImportManager", "--generate"
        )
        self.assertEqual(answer.code, 0, answer)


class MaintenanceTests(UpkeepCase):
    def test_it_is_switched_and_told(self) -> None:
        self.assertEqual(kofactl("maintenance").out, "The portal is open.\n")
        answer = kofactl("maintenance", "on", "--text", "It moves.")
        self.assertRegex(
            answer.out, r"^The portal is closed since \S+ \S+, but for admin\.\n  It moves\.\n$"
        )
        self.assertEqual(self.ask("maintenance")["user"], "admin")
        self.assertEqual(kofactl("maintenance", "off").out, "The portal is open.\n")
        self.assertIsNone(self.ask("maintenance"))
        log = Path("var/datacenter/logs/main.log").read_text("utf-8")
        self.assertIn("admin - maintmode enabled", log)
        self.assertIn("admin - maintmode disabled", log)

    def test_a_text_is_for_closing(self) -> None:
        self.assert_refused("maintenance on --text", "maintenance", "off", "--text", "x")

    def test_only_who_manages_the_portal_works_meanwhile(self) -> None:
        self.add_officer()
        self.assertEqual(kofactl("ls", "--user", "ann").code, 0)
        kofactl("maintenance", "on")
        self.assert_refused("maintenance mode, which admin has enabled", "ls", "--user", "ann")
        self.assertEqual(kofactl("ls").code, 0)
        self.assert_refused("maintenance mode", "maintenance", "off", "--user", "ann")

    def test_through_a_portal_that_runs_it_is_the_same(self) -> None:
        self.add_officer()
        with running() as portal:
            client = Client(portal.url)
            self.assertEqual(client.get("/kofa/login").status, 200)
            self.assertEqual(kofactl("maintenance", "on").code, 0)
            self.assertEqual(client.get("/kofa").status, 503)
            self.assertEqual(client.get("/kofa/login").status, 200)
            self.assertEqual(client.get("/kofa/@@/waeup.kofa.browser/kofa.css").status, 200)
            path = self.file("f.csv", "code,title\nA,B\n")
            self.assert_refused("maintenance mode", "put", path, "--user", "ann")
            self.assertEqual(kofactl("put", path).code, 0)
            self.assertEqual(kofactl("maintenance", "off").code, 0)
            self.assertEqual(client.get("/kofa").status, 200)
            self.assertEqual(kofactl("put", path, "--user", "ann", "--replace").code, 0)
            portal.stop(signal.SIGTERM)


class SystemTests(UpkeepCase):
    def test_it_tells_what_there_is(self) -> None:
        out = kofactl("system").out
        for words in ("version of waeup.kofa", "FileStorage", "none is known", "no portal runs"):
            self.assertIn(words, out)
        state = self.ask("system")
        self.assertEqual(state["workers"], None)
        self.assertTrue(state["database_path"].endswith("Data.fs"))
        self.assertGreater(state["database_size"], 1000)
        self.assertGreater(state["objects"], 20)

    def test_a_portal_that_runs_tells_of_its_workers(self) -> None:
        with running() as portal:
            state = self.ask("system")
            self.assertEqual((state["workers"]["wanted"], state["workers"]["alive"]), (2, 2))
            self.assertIn("2 of 2", kofactl("system", "--fresh").out)
            portal.stop(signal.SIGTERM)

    def test_a_backup_is_known_when_it_was_told(self) -> None:
        self.assertEqual(kofactl("backup", "--note", "rsync to \x1b[31m the archive").code, 0)
        backup = self.ask("system")["backup"]
        self.assertIn("rsync", backup["note"])
        self.assertNotIn("\x1b", kofactl("system").out)

    def test_others_are_not_told(self) -> None:
        self.add_officer()
        self.assert_refused("waeup.managePortal", "system", "--user", "ann")
        self.assert_refused(
            "waeup.managePortal", "system", "--reference", "aaaa-aaaa", "--user", "ann"
        )


class ReferenceTests(UpkeepCase):
    def test_a_fault_has_a_reference_that_leads_to_the_log(self) -> None:
        with mock.patch(f"{OPERATIONS}.pending_files", side_effect=OSError(5, "odd")):
            answer = kofactl("ls")
        self.assertEqual(answer.code, 3)
        found = re.search(r"under the reference ([2-9a-z]{4}-[2-9a-z]{4}) in ", answer.err)
        assert found is not None
        entry = kofactl("system", "--reference", found[1]).out
        self.assertIn("OSError", entry)
        self.assertIn("Traceback", entry)

    def test_what_is_none_is_refused(self) -> None:
        self.assert_refused("This is no reference", "system", "--reference", "../x")
        self.assert_refused("No log has the reference", "system", "--reference", "aaaa-aaaa")
