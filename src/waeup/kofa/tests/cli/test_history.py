"""``kofactl history`` and ``kofactl runs --rows``, in this process and beside a portal."""

import json
from datetime import datetime
from pathlib import Path

from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings
from waeup.kofa.tests.cli.shell import kofactl, running
from waeup.kofa.tests.cli.test_runs import ID, RunCase


class HistoryTests(RunCase):
    """The faculties SCI and ART were made by an import."""

    def change(self, *rows: str) -> None:
        """Import titles."""
        content = "\n".join(("code,title", *rows, ""))
        self.assertEqual(self.do("import", "upsert", content).code, 0)

    def test_the_history_of_an_object(self) -> None:
        self.change("LAW,Law", "SCI,Sciences")
        answer = kofactl("history", "faculties", "SCI")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertTrue(answer.out.startswith("SCI, facultyprocessor\n"), answer.out)
        date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        self.assertRegex(
            answer.out,
            rf"{date} +changed +admin +f_admin.csv +2 +{ID} +title: 'Science' -> 'Sciences'\n",
        )
        self.assertRegex(
            answer.out,
            rf"{date} +created +admin +\S+\.csv +1 +{ID} +code: nothing -> 'SCI'; "
            "title: nothing -> 'Science'",
        )

    def test_for_programs(self) -> None:
        self.change("SCI,Sciences")
        found = self.ask("history", "facultyprocessor", "SCI")
        self.assertEqual((found["title"], found["total"], found["is_there"]), ("SCI", 2, True))
        newest = found["entries"][0]
        self.assertEqual(
            newest["changes"],
            [{"field": "title", "old": "Science", "new": "Sciences", "is_known": True}],
        )
        self.assertIsNotNone(datetime.fromisoformat(newest["date"]).tzinfo)
        rows = self.ask("runs", newest["run"], "--rows")
        self.assertEqual(rows["run"], newest["run"])
        self.assertEqual(rows["rows"][0]["title"], "SCI")

    def test_a_change_by_hand_and_an_undo(self) -> None:
        self.change("SCI,Sciences")
        id = self.newest()["id"]
        self.assertEqual(kofactl("undo", id).code, 0)
        with session(Settings(), write=True) as operations:
            operations.site["faculties"]["SCI"].title = "By hand"
        out = kofactl("history", "faculties", "SCI").out
        for words in (
            "changed by other means",
            "changed back .* as it was before that row",
            "taken back later; which values is not kept",
            "what it had is not known any more",
        ):
            self.assertRegex(out, words)
        out = kofactl("runs", id, "--rows").out
        self.assertIn("It is not kept (any more) what its rows did", out)

    def test_what_rows_did(self) -> None:
        self.change("LAW,Law", "SCI,Sciences", "MED,Medicine")
        id = self.newest()["id"]
        answer = kofactl("runs", id, "--rows", "--limit", "2")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertRegex(answer.out, r"1 +created +LAW +code: nothing -> 'LAW'; title: nothing")
        self.assertRegex(answer.out, r"2 +changed +SCI +title: 'Science' -> 'Sciences'\n")
        self.assertIn(f"There are more: kofactl runs {id} --rows --from 3\n", answer.out)
        answer = kofactl("runs", id, "--rows", "--from", "3")
        self.assertRegex(answer.out, r"3 +created +MED")
        self.assertIn("There are no such rows.", kofactl("runs", id, "--rows", "--from", "4").out)

    def test_fewer_entries_and_others(self) -> None:
        self.change("SCI,One")
        self.change("SCI,Two")
        out = kofactl("history", "faculties", "SCI", "--limit", "1").out
        self.assertIn("These are the newest of 3 entries; --limit N shows more.", out)

    def test_an_object_that_no_import_has_changed(self) -> None:
        self.assertIn("No import", kofactl("history", "users", "admin").out)

    def test_what_is_refused(self) -> None:
        self.assert_refused("There is no object with the key 'NO'", "history", "faculties", "NO")
        self.assert_refused("There is no kind of objects 'fac'", "history", "fac", "SCI")
        self.assert_refused("have the key 'SCI'", "history", "faculties", "SCI", "--which", "2")
        self.assert_refused("There is no run 'nothing'", "runs", "nothing", "--rows")
        self.assertIn("Name the run", kofactl("runs", "--rows").err)
        self.assertEqual(kofactl("runs", "--rows").code, 2)

    def test_beside_a_portal(self) -> None:
        self.change("SCI,Sciences")
        id = self.newest()["id"]
        commands = (("history", "faculties", "SCI"), ("runs", id, "--rows", "--json"))
        before = [kofactl(*command) for command in commands]
        with running():
            self.assertEqual([kofactl(*command) for command in commands], before)
        self.assertTrue(json.loads(before[1].out)["is_kept"])
        self.assertTrue(Path("var").exists())
