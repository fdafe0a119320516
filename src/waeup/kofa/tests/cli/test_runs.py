"""Checks, imports and undos as runs, in this process: what is done, told, and returned."""

import json
import os
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest import mock

from waeup.kofa.cli.session import session
from waeup.kofa.cli.settings import Settings
from waeup.kofa.errors import MappingError
from waeup.kofa.jobs import doorbells, worker
from waeup.kofa.tests.cli.shell import Answer, kofactl
from waeup.kofa.tests.cli.test_commands import FACULTIES, PortalCase

KIND = ("-p", "facultyprocessor", "-m")
MANY = "code,title\n" + "".join(f"F{number:02},Faculty {number}\n" for number in range(40))
ID = "[0-9a-f]{16}"


class RunCase(PortalCase):
    """Begins with the faculties SCI and ART."""

    def setUp(self) -> None:
        self.assertEqual(self.import_faculties(), 0)

    def do(self, command: str, mode: str, content: str, *more: str) -> Answer:
        """Import or check a file of the user's own."""
        return kofactl(command, self.file("f.csv", content), *KIND, mode, *more)

    def newest(self) -> Any:
        return self.ask("runs")[0]

    def titles(self) -> dict[str, str]:
        """Return the faculties."""
        with session(Settings()) as operations:
            return {code: found.title for code, found in operations.site["faculties"].items()}


class CheckTests(RunCase):
    def test_a_check_tells_what_would_be_and_changes_nothing(self) -> None:
        before = self.titles()
        answer = self.do("check", "update", "code,title\nSCI,Sciences\nART,Arts\nLAW,Law\nSCI,S\n")
        self.assertEqual((answer.code, answer.err), (1, ""), answer)
        self.assertIn(
            "f_admin.csv: 4 rows: 2 would be updated, 1 would be unchanged, 1 would fail. "
            "Nothing was changed.\n  1 x Cannot update: no such entry\n",
            answer.out,
        )
        self.assertIn("Rows that mean the same object as an earlier row: 1.\n", answer.out)
        self.assertRegex(answer.out, r"1 +2 +SCI +updated +title: 'Science' -> 'Sciences'")
        self.assertRegex(answer.out, r"3 +4 +LAW +failed +Cannot update: no such entry")
        self.assertRegex(answer.out, r"4 +5 +SCI +updated .*; the same object as row 1\n")
        self.assertEqual(self.titles(), before)
        self.assertEqual(self.names(), ["f_admin.csv"])

    def test_a_check_for_programs(self) -> None:
        answer = self.do("check", "update", "code,title\nSCI,Sciences\nLAW,Law\n", "--json")
        self.assertEqual((answer.code, answer.err), (1, ""))
        report = json.loads(answer.out)
        self.assertEqual((report["run"], report["state"]), (self.newest()["id"], "finished"))
        self.assertEqual((report["total"], report["updated"], report["failed"]), (2, 1, 1))
        changed, failed = report["rows"]
        self.assertEqual(changed["changes"], [["title", "Science", "Sciences"]])
        self.assertEqual((changed["number"], changed["line"], changed["key"]), (1, 2, "SCI"))
        self.assertEqual(failed["outcome"], "failed")
        self.assertRegex(failed["reason"], "no such entry")

    def test_as_many_rows_as_wanted(self) -> None:
        self.assertEqual(self.do("import", "create", MANY).code, 0)
        for wanted, shown in (("0", 0), ("5", 5), ("40", 40), ("100", 40)):
            out = self.do("check", "remove", MANY, "--rows", wanted).out
            self.assertEqual(out.count(" removed"), shown + 1, out)
            self.assertEqual("There are more such rows" in out, shown < 40)

    def test_what_a_check_advises_imports_exactly_this(self) -> None:
        path = self.file("f.csv", "a b;c=d;note\nLAW;Law's;x\n")
        answer = kofactl(
            *("check", path, *KIND, "create", "--map", "a b=code", "--map", "c=d=title"),
            *("--set", "title_prefix=school", "--ignore", "note", "--delimiter", ";"),
            *("--skip-unchanged", "--ignore-rest"),
        )
        self.assertEqual((answer.code, answer.err), (0, ""))
        text, _, line = answer.out.splitlines()[-1].partition(": ")
        self.assertEqual(text, "To import exactly this")
        program, *arguments = shlex.split(line)
        self.assertEqual(program, "kofactl")
        answer = kofactl(*arguments)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(self.titles()["LAW"], "Law's")
        self.assertEqual(self.newest()["check"], self.ask("runs")[1]["id"])

    def test_rows_that_have_changed_since_the_check_are_pending(self) -> None:
        table = "code,title\nSCI,Sciences\nART,Fine Arts\n"
        self.assertEqual(self.do("check", "update", table).code, 0)
        check = self.newest()["id"]
        other = self.file("other.csv", "code,title\nART,Other\n")
        self.assertEqual(kofactl("import", other, *KIND, "update").code, 0)
        answer = kofactl("import", "f_admin.csv", *KIND, "update", "--check", check)
        self.assertEqual((answer.code, answer.err), (1, ""))
        self.assertIn("1 updated, 1 pending.", answer.out)
        self.assertIn("changed since the check", answer.out)
        self.assertEqual(self.titles(), {"SCI": "Sciences", "ART": "Other"})

    def test_a_check_of_something_else_is_refused(self) -> None:
        self.do("check", "update", FACULTIES)
        check = self.newest()["id"]
        for words, arguments in (
            ("Check it again", ("f_admin.csv", *KIND, "upsert", "--check", check)),
            ("Check it again", ("./f.csv", *KIND, "update", "--check", check)),
            ("no run 'nosuch'", ("./f.csv", *KIND, "update", "--check", "nosuch")),
            (
                "Check the file again",
                ("f_admin.csv", *KIND, "update", "--check", self.ask("runs")[1]["id"]),
            ),
        ):
            with self.subTest(arguments):
                self.assert_refused(words, "import", *arguments)
        self.assertEqual(self.names(), ["f_admin.csv"])


class ConfirmationTests(RunCase):
    def setUp(self) -> None:
        super().setUp()
        path = self.file("many.csv", MANY)
        self.assertEqual(kofactl("import", path, *KIND, "create").code, 0)

    def test_who_removes_much_is_asked_for_the_number(self) -> None:
        answer = self.do("import", "remove", MANY)
        self.assertEqual((answer.code, answer.out), (2, ""))
        first, second = answer.err.splitlines()
        self.assertRegex(first, "^f_admin.csv could remove or change .* is checked first.$")
        self.assertRegex(
            second, r"^Error: .* would remove 40 of 42 objects\. .* Here by --yes-remove 40\.$"
        )
        self.assertEqual(len(self.titles()), 42)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.do("import", "remove", MANY, "--yes-remove", "39").code, 2)
        answer = self.do("import", "remove", MANY, "--yes-remove", "40")
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(len(self.titles()), 2)

    def test_who_changes_much_is_asked_for_the_number(self) -> None:
        changed = MANY.replace("Faculty", "College")
        answer = self.do("import", "update", changed)
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertRegex(answer.err, "would change 40 of 42 objects.* --yes-change 40")
        answer = self.do("import", "update", changed, "--yes-change", "40")
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(self.titles()["F07"], "College 7")

    def test_what_a_check_finds_harmless_is_done(self) -> None:
        few = MANY.replace("Faculty 7", "College 7")
        answer = self.do("import", "update", few, "--skip-unchanged")
        self.assertEqual((answer.code, len(answer.err.splitlines())), (0, 1), answer)
        self.assertIn("1 updated, 39 unchanged.", answer.out)
        self.assertEqual(self.titles()["F07"], "College 7")

    def test_the_number_of_a_check_is_asked_for_as_well(self) -> None:
        self.do("check", "remove", MANY)
        check = self.newest()["id"]
        arguments = ("import", "f_admin.csv", *KIND, "remove", "--check", check)
        self.assert_refused("would remove 40 of 42 objects.*--yes-remove 40", *arguments)
        self.assertEqual(self.names(), ["f_admin.csv"])
        self.assertEqual(kofactl(*arguments, "--yes-remove", "40").code, 0)

    def test_few_objects_need_no_words(self) -> None:
        few = "".join(MANY.splitlines(keepends=True)[:11])
        answer = self.do("import", "remove", few)
        self.assertEqual((answer.code, answer.err), (0, ""))

    def test_shares_are_those_of_the_start(self) -> None:
        kofactl("run", "--setup-only", "--remove-share", "100")
        answer = self.do("import", "remove", MANY)
        self.assertEqual((answer.code, answer.err), (0, ""))


class ImportTests(RunCase):
    def test_upsert_updates_or_creates(self) -> None:
        answer = self.do("import", "upsert", "code,title\nSCI,Sciences\nLAW,Law\n")
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertIn("2 rows in ", answer.out)
        self.assertIn("1 created, 1 updated.", answer.out)
        self.assertEqual(self.titles(), {"SCI": "Sciences", "ART": "Arts", "LAW": "Law"})

    def test_what_is_equal_can_be_left_alone(self) -> None:
        answer = self.do("import", "update", FACULTIES, "--skip-unchanged", "--json")
        self.assertEqual(answer.code, 0)
        report = json.loads(answer.out)
        self.assertEqual((report["unchanged"], report["updated"]), (2, 0))
        self.assertEqual(self.newest()["actions"], [])

    def test_what_a_worker_refuses_leaves_nothing(self) -> None:
        with mock.patch.object(worker, "do_import", side_effect=MappingError("It does not fit.")):
            answer = self.do("import", "create", "code,title\nLAW,Law\n")
        self.assertEqual(answer, (2, "", "Error: It does not fit.\n"))
        self.assertEqual(self.names(), [])

    def test_an_import_that_stops_is_told_with_what_can_be_done(self) -> None:
        full = OSError(28, "No space left on device")
        with mock.patch.object(worker, "do_import", side_effect=full):
            answer = self.do("import", "create", "code,title\nLAW,Law\n")
        self.assertEqual((answer.code, answer.out), (3, ""))
        id = self.newest()["id"]
        self.assertRegex(
            answer.err,
            r"^Fault: The import of f_admin.csv has stopped\. .*No space left.*"
            rf"`kofactl resume {id}` lets it go on, .*kofactl\.log\.\n$",
        )
        self.assertEqual(self.names(), ["f_admin.csv"])
        self.assertRegex(kofactl("runs").out, rf"{id} .* stopped ")
        with mock.patch.object(worker, "do_import", side_effect=full):
            answer = kofactl("resume", id, "--json")
        self.assertEqual(answer.code, 3)
        found = json.loads(answer.out)
        self.assertEqual((found["id"], found["state"]), (id, "stopped"))
        self.assert_refused(
            rf"which is stopped\. .*`kofactl resume {id}` lets it go on",
            *("import", "f_admin.csv", *KIND, "create"),
        )
        answer = kofactl("recover")
        self.assertEqual(answer.code, 1)
        self.assertRegex(answer.out, f"has stopped: .* `kofactl resume {id}`")
        answer = kofactl("resume", id)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertIn("LAW", self.titles())
        self.assertEqual(kofactl("recover").code, 0)

    def test_a_worker_that_dies_is_a_fault(self) -> None:
        with mock.patch.object(doorbells, "work_on", side_effect=MemoryError("none left")):
            answer = self.do("import", "create", "code,title\nLAW,Law\n")
        self.assertEqual((answer.code, answer.out), (3, ""))
        id = self.newest()["id"]
        self.assertRegex(
            answer.err,
            rf"^Fault: .* has come to a halt.*`kofactl resume {id}` leads it to its end",
        )
        self.assertIn("MemoryError: none left", Path("var/log/kofactl.log").read_text("utf-8"))
        self.assertEqual(kofactl("resume", id).code, 0)
        self.assertIn("LAW", self.titles())

    def test_a_worker_that_cannot_say_how_it_ended_is_a_fault(self) -> None:
        with mock.patch.object(doorbells, "work_on", return_value=False):
            answer = self.do("import", "create", "code,title\nLAW,Law\n")
        self.assertEqual((answer.code, answer.out), (3, ""))
        self.assertRegex(answer.err, "^Fault: .* has come to a halt")
        self.assertEqual(kofactl("resume", self.newest()["id"]).code, 0)


class RunsTests(RunCase):
    def test_runs_are_listed_the_newest_first(self) -> None:
        self.do("check", "update", FACULTIES)
        self.assertEqual([run["kind"] for run in self.ask("runs")], ["check", "import"])
        self.assertEqual(len(self.ask("runs", "--limit", "1")), 1)
        out = kofactl("runs").out
        self.assertRegex(out, r"^Run +What +File +Mode +State +Rows +Failed +Ordered +By\n")
        self.assertRegex(
            out, rf"{ID} +check +f_admin.csv +update +finished +2 +0 +2\S+ \S+ +admin"
        )

    def test_a_run_for_programs(self) -> None:
        id = self.newest()["id"]
        run = self.ask("runs", id)
        for name in ("queued", "started", "ended", "undo_until"):
            self.assertEqual(datetime.fromisoformat(run[name]).tzinfo, timezone.utc)
        self.assertEqual(run["report"]["created"], 2)
        self.assertEqual((run["state"], run["actions"]), ("finished", ["undo"]))
        self.assertEqual((run["file"], run["owner"]), ("faculties_admin.csv", "admin"))

    def test_a_run_for_people(self) -> None:
        id = self.newest()["id"]
        out = kofactl("runs", id).out
        self.assertRegex(
            out,
            r"^Import of faculties_admin.csv \(facultyprocessor, create\), ordered by admin at "
            r"[-\d]+ [:\d]+: finished\.\n2 rows: 2 created\.\n",
        )
        self.assertRegex(out, rf"be taken back until 20.*\n`kofactl undo {id}` takes it back\.\n$")

    def test_how_long_undo_records_are_kept_is_said_by_the_start(self) -> None:
        until = self.newest()["undo_until"]
        kofactl("run", "--setup-only", "--undo-days", "300")
        later = self.newest()["undo_until"]
        days = datetime.fromisoformat(later) - datetime.fromisoformat(until)
        self.assertEqual(days.days, 270)

    def test_without_undo_days_nothing_can_be_taken_back(self) -> None:
        id = self.newest()["id"]
        kofactl("run", "--setup-only", "--undo-days", "0")
        self.assert_refused("records are not kept", "undo", id)

    def test_without_runs(self) -> None:
        kofactl("run", "--setup-only", "--var", "other")
        self.assertEqual(kofactl("runs", "--var", "other").out, "There are no runs yet.\n")
        self.assertEqual(kofactl("runs", "--json", "--var", "other").out, "[]\n")
        self.assert_refused("no run 'nosuch'", "runs", "nosuch")

    def test_who_may_not_import_sees_no_runs(self) -> None:
        kofactl(
            *("users", "add", "bola", "--title", "B", "--role", "waeup.DataCenterManager"),
            "--generate",
        )
        id = self.newest()["id"]
        for command in ("undo", "cancel", "resume"):
            with self.subTest(command):
                self.assert_refused("lack the permission", command, id, "--user", "bola")


class UndoTests(RunCase):
    def test_an_import_is_taken_back(self) -> None:
        id = self.newest()["id"]
        answer = kofactl("undo", id, "--check")
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(
            answer.out,
            "faculties_admin.csv: 2 rows: 2 would be removed. Nothing was changed.\n"
            f"To take it back: kofactl undo {id}\n",
        )
        self.assertEqual(len(self.titles()), 2)
        answer = kofactl("undo", id)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertRegex(
            answer.out,
            r"^faculties_admin.csv: 2 rows in .* s: 2 removed\.\n"
            r"What became of each row: finished/faculties_admin\S*\.undone\.csv\n$",
        )
        self.assertEqual(self.titles(), {})
        self.assertEqual(self.ask("runs", id)["state"], "undone")
        self.assert_refused("taken back by another run already", "undo", id)

    def test_what_somebody_has_changed_since_is_left_alone(self) -> None:
        id = self.newest()["id"]
        self.do("import", "update", "code,title\nART,Changed\n")
        for more, words in ((["--check"], "would be left alone"), ([], "left alone")):
            answer = kofactl("undo", id, *more)
            self.assertEqual((answer.code, answer.err), (1, ""))
            self.assertIn(f"1 {words}", answer.out)
        self.assertEqual(self.titles(), {"ART": "Changed"})

    def test_what_was_changed_or_removed_is_as_it_was(self) -> None:
        before = self.titles()
        self.do("import", "update", "code,title\nART,Changed\n")
        updated = self.newest()["id"]
        self.do("import", "remove", "code\nSCI\n")
        removed = self.newest()["id"]
        self.assertIn("1 brought back", kofactl("undo", removed).out)
        answer = kofactl("undo", updated, "--json")
        report = json.loads(answer.out)
        self.assertEqual((answer.code, report["state"], report["updated"]), (0, "finished", 1))
        self.assertEqual(self.titles(), before)

    def test_a_check_cannot_be_taken_back(self) -> None:
        self.do("check", "update", FACULTIES)
        self.assert_refused("changed nothing that could be", "undo", self.newest()["id"])


class CancelTests(RunCase):
    def setUp(self) -> None:
        """Begin with an import that was ordered, and that nobody works on."""
        super().setUp()
        kofactl("put", self.file("f.csv", "code,title\nLAW,Law\n"))
        arguments = ("f_admin.csv", "facultyprocessor", "create")
        with session(Settings(), write=True) as operations:
            mapping = operations.propose_mapping(*arguments)
            self.run_id = operations.start_import(*arguments, mapping).id

    def test_a_run_that_waits_is_cancelled_at_once(self) -> None:
        self.assertRegex(kofactl("runs").out, rf"{self.run_id} .* queued ")
        answer = kofactl("cancel", self.run_id)
        self.assertEqual(
            answer, (0, "The import of f_admin.csv was cancelled after 0 rows.\n", "")
        )
        self.assert_refused("cancelled: it cannot be cancelled", "cancel", self.run_id)
        self.assert_refused("cancelled and cannot go on", "resume", self.run_id)
        self.assertEqual(kofactl("import", "f_admin.csv", *KIND, "create").code, 0)

    def test_a_cancelled_run_for_programs(self) -> None:
        found = self.ask("cancel", self.run_id)
        self.assertEqual(
            (found["id"], found["state"], found["rows"]), (self.run_id, "cancelled", 0)
        )

    def test_a_run_that_waits_is_worked_on_by_resume(self) -> None:
        answer = kofactl("resume", self.run_id)
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertIn("LAW", self.titles())

    def test_a_run_that_is_over_cannot_be_cancelled(self) -> None:
        id = self.ask("runs")[1]["id"]
        self.assert_refused("is finished: it cannot be cancelled", "cancel", id)


class RecoverTests(RunCase):
    def setUp(self) -> None:
        super().setUp()
        kofactl("put", self.file("f.csv", FACULTIES))

    def test_where_all_is_well(self) -> None:
        self.assertEqual(kofactl("recover"), (0, "Everything is in order.\n", ""))
        self.assertEqual(self.ask("recover", "--verify"), [])

    def test_a_file_that_has_gone_is_struck_off(self) -> None:
        os.unlink("var/datacenter/f_admin.csv")
        (finding,) = self.ask("recover")
        self.assertEqual((finding["code"], finding["repaired"]), ("missing", True))
        self.assertEqual(kofactl("recover").out, "Everything is in order.\n")

    def test_a_file_that_was_changed_is_told(self) -> None:
        path = Path("var/datacenter/f_admin.csv")
        path.write_text(FACULTIES.replace("Arts", "Rats"))
        self.assertEqual(kofactl("recover").code, 0)
        answer = kofactl("recover", "--verify")
        self.assertEqual((answer.code, answer.err), (1, ""))
        self.assertRegex(answer.out, "^f_admin.csv is not what admin has brought")
