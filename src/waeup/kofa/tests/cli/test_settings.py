"""``kofactl settings``: shown, changed, and carried out by a portal that runs."""

import json
import os
import unittest
from pathlib import Path

from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings
from waeup.kofa.tests.cli.shell import PortalLayer, kofactl, running


class SettingsTests(unittest.TestCase):
    layer = PortalLayer

    def ask(self, *arguments: str) -> dict:
        answer = kofactl("settings", *arguments, "--json")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        found: dict = json.loads(answer.out)
        return found

    def assert_refused(self, words: str, *arguments: str) -> None:
        before = self.ask()
        answer = kofactl("settings", *arguments)
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertRegex(" ".join(answer.err.split()), words)
        self.assertEqual(self.ask(), before)

    def test_what_is_in_force_and_where_it_is_from(self) -> None:
        found = self.ask()
        self.assertEqual(sorted(found), ["limits", "mail", "portal", "retention"])
        self.assertEqual(
            found["limits"]["upload_megabytes"],
            {"value": None, "in_force": 200, "source": "start"},
        )
        self.assertEqual(
            found["retention"]["finished_days"],
            {"value": None, "in_force": None, "source": "usual"},
        )
        out = kofactl("settings", "limits").out
        self.assertRegex(out, r"rows +5,000,000 +start of the server +Rows of a table at most")

    def test_some_are_changed_and_taken_back(self) -> None:
        kofactl("settings", "limits", "--set", "rows=500", "--set", "columns=50")
        rows = self.ask("limits")["limits"]["rows"]
        self.assertEqual(rows, {"value": 500, "in_force": 500, "source": "here"})
        kofactl("settings", "--set", "rows=")
        rows = self.ask("limits")["limits"]["rows"]
        self.assertEqual(rows, {"value": None, "in_force": 5_000_000, "source": "start"})
        kofactl("settings", "--set", "tell_ends=no", "--set", "mail_from=a@example.org")
        self.assertIs(self.ask("mail")["mail"]["tell_ends"]["in_force"], False)

    def test_a_portal_that_runs_changes_them(self) -> None:
        with running():
            answer = kofactl("settings", "--set", "title=Uni Lagos")
            self.assertEqual((answer.code, answer.err), (0, ""), answer)
            answer = kofactl("settings", "--set", "rows=0")
            self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertEqual(self.ask("portal")["portal"]["title"]["value"], "Uni Lagos")

    def test_what_cannot_be(self) -> None:
        for words, *arguments in (
            ("is not of the form NAME=VALUE", "--set", "rows"),
            ("There is no setting 'colour'", "--set", "colour=red"),
            ("of several sections: limits, mail", "--set", "rows=1", "--set", "tell_ends=yes"),
            ("There is no setting 'rows' in the section mail", "mail", "--set", "rows=5"),
            ("There is no section 'x'", "x"),
            ("rows: .*many", "--set", "rows=many"),
            ("At least 1|too small", "--set", "rows=0"),
            ("allows 200 at most", "--set", "upload_megabytes=201"),
            ("is no e-mail address", "--set", "mail_from=nobody"),
            ("fill in", "--set", "title="),
        ):
            with self.subTest(arguments):
                self.assert_refused(words, *arguments)

    def test_a_retention_that_deletes_needs_a_yes(self) -> None:
        path = Path("var", "datacenter", "finished", "old.create.finished.csv")
        path.write_text("code\nA\n")
        os.utime(path, (1, 1))
        self.assert_refused("deleted next, for good: 1 finished files", "--set", "finished_days=9")
        answer = kofactl("settings", "--set", "finished_days=9", "--yes")
        self.assertIn("Deleted next: 1 finished files.\n", answer.out)

    def test_folders_for_the_storage_are_those_of_the_last_start(self) -> None:
        Path("disks").mkdir()
        command = ("run", "--setup-only", "--storage-root", "disks", "--storage-root", ".")
        self.assertEqual(kofactl(*command).code, 0)
        kept = json.loads(Path("var", "figures.json").read_text())["storage_roots"]
        self.assertEqual(kept, [str(Path("disks").resolve()), str(Path().resolve())])
        with session(Settings()) as operations:
            self.assertEqual(operations.storage_roots(), tuple(kept))
        answer = kofactl("run", "--setup-only", "--storage-root", "nowhere")
        self.assertEqual(answer.code, 2)

    def test_who_may(self) -> None:
        kofactl("users", "add", "carl", "--generate", "--role", "waeup.ImportManager")
        answer = kofactl("settings", "--user", "carl")
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
