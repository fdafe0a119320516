"""Commands that work on an instance, in this process: what they do, say, and return."""

import json
import logging
import os
import re
import subprocess
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from waeup.kofa.importing import report as reports
from waeup.kofa.operations import Operations
from waeup.kofa.operations.passwords import new_password
from waeup.kofa.tests.cli.shell import (
    KOFACTL,
    Answer,
    CommandLayer,
    PortalLayer,
    environment,
    kofactl,
)

FACULTIES = "code,title\nSCI,Science\nART,Arts\n"


class PortalCase(unittest.TestCase):
    layer = PortalLayer

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file of the user's own; return its path."""
        data = content.encode() if isinstance(content, str) else content
        Path(name).write_bytes(data)
        return f"./{name}"

    def ask(self, *arguments: str) -> Any:
        """Return what a command says to programs."""
        answer = kofactl(*arguments, "--json")
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return json.loads(answer.out)

    def names(self, folder: str = "pending") -> list[str]:
        found = self.ask("ls", folder)
        return [item["name"] for item in found]

    def assert_refused(self, words: str, *arguments: str, stdin: str = "") -> None:
        """The command ends with code 2 and one line with these words, and prints nothing else."""
        answer = kofactl(*arguments, stdin=stdin)
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertRegex(answer.err, words)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)

    def import_faculties(self, content: str = FACULTIES, mode: str = "create") -> int:
        path = self.file("faculties.csv", content)
        return kofactl("import", path, "-p", "facultyprocessor", "-m", mode).code


class FileTests(PortalCase):
    def test_put_stores_a_file_under_its_name_and_the_users(self) -> None:
        path = self.file("my list.csv", FACULTIES)
        self.assertEqual(
            self.ask("put", path),
            [
                {
                    "name": "my_list_admin.csv",
                    "original": "my list.csv",
                    "size": len(FACULTIES),
                    "digest": mock.ANY,
                    "notice": "",
                    "former": None,
                }
            ],
        )
        (item,) = self.ask("ls", "--lines")
        self.assertEqual(
            item,
            {
                "name": "my_list_admin.csv",
                "folder": "pending",
                "size": len(FACULTIES),
                "lines": 3,
                "date": mock.ANY,
                "owner": "admin",
            },
        )

    def test_put_tells_that_a_content_was_imported_before(self) -> None:
        self.import_faculties()
        path = self.file("again.csv", FACULTIES)
        self.assertRegex(
            kofactl("put", path).out,
            r"\nThis is the file that was imported on \d{4}-\d\d-\d\d by admin: "
            r"`kofactl runs [0-9a-f]{16}`\.\n$",
        )
        (told,) = self.ask("put", path)
        former = {
            "run": mock.ANY,
            "file": "faculties_admin.csv",
            "user": "admin",
            "date": mock.ANY,
        }
        self.assertEqual(told["former"], former)
        self.assertEqual(self.ask("runs", told["former"]["run"])["state"], "finished")

    def test_ls_reads_no_file_unless_lines_are_asked_for(self) -> None:
        kofactl("put", self.file("a.csv", FACULTIES))
        (item,) = self.ask("ls")
        self.assertIsNone(item["lines"])

    def test_ls_is_a_table_for_people(self) -> None:
        self.assertEqual(kofactl("ls").out, "There are no pending files.\n")
        kofactl("put", self.file("a.csv", FACULTIES))
        out = kofactl("ls").out
        self.assertRegex(out, r"Name +Size +Date +Owner\n")
        self.assertRegex(out, r"a_admin.csv +\d+ bytes +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +admin\n")

    def test_ls_of_a_folder_tells_officer_and_run_where_there_is_room(self) -> None:
        self.import_faculties()
        (run,) = self.ask("runs")
        out = kofactl("ls", "finished").out
        self.assertRegex(out, r"Name +Size +Date +Officer +Run +Goes on\n")
        self.assertRegex(
            out, rf"faculties_admin.create.finished.csv .* admin +{run['id']} +needed\n"
        )
        with mock.patch("waeup.kofa.cli.files.has_room", return_value=False):
            out = kofactl("ls", "finished", "--lines").out
        self.assertRegex(out, r"Name +Size +Lines +Date +Officer\n")
        kofactl("put", self.file("a.csv", FACULTIES))
        kofactl("rm", "a_admin.csv")
        self.assertRegex(kofactl("ls", "deleted").out, r"a_admin\..*\.deleted\.csv .* admin")

    def test_what_is_no_table_is_refused_and_not_stored(self) -> None:
        bad = {
            "empty": b"",
            "header": b"code,title\n",
            "double": b"code,code\n1,2\n",
            "binary": bytes(range(256)) * 10,
            "workbook": b"PK\3\4" + b"\0" * 40,
        }
        for name, content in bad.items():
            with self.subTest(name):
                self.assert_refused(r"\w+.*\. ?\w*", "put", self.file(f"{name}.csv", content))
        self.assertEqual(self.names(), [])
        self.assertEqual(
            sorted(os.listdir("var/datacenter")), ["deleted", "finished", "logs", "unfinished"]
        )

    def test_a_file_that_cannot_be_read_is_refused(self) -> None:
        self.assert_refused("'nosuch.csv' cannot be read: No such file", "put", "nosuch.csv")
        Path("folder.csv").mkdir()
        self.assert_refused("cannot be read: Is a directory", "put", "folder.csv")

    def test_a_kind_of_file_that_is_not_accepted_is_refused(self) -> None:
        self.assert_refused("Only csv files", "put", self.file("a.odt", "a,b\n1,2\n"))

    def test_a_pending_file_is_replaced_only_on_demand(self) -> None:
        path = self.file("x_admin.create.pending.csv", FACULTIES)
        self.assertEqual(kofactl("put", path).code, 0)
        self.assert_refused("x_admin.create.pending.csv", "put", path)
        self.file("x_admin.create.pending.csv", FACULTIES + "LAW,Law\n")
        self.assertEqual(kofactl("put", "--replace", path).code, 0)
        self.assertEqual(self.ask("ls", "--lines")[0]["lines"], 4)

    def test_preview_shows_columns_and_rows(self) -> None:
        kofactl("put", self.file("a.csv", "code;title\nSCI;\x1b[31mScience\n"))
        self.assertEqual(
            self.ask("preview", "a_admin.csv"),
            {
                "name": "a_admin.csv",
                "encoding": mock.ANY,
                "delimiter": ";",
                "confidence": 1.0,
                "quote": '"',
                "escape": None,
                "line_end": "LF",
                "header_line": 1,
                "above": [],
                "kind": "text",
                "member": None,
                "sheet": None,
                "sheets": [],
                "lines": 2,
                "rows": 1,
                "sound": 1,
                "damaged": 0,
                "is_whole": True,
                "problems": [],
                "suggested_mode": None,
                "header": ["code", "title"],
                "samples": [["SCI", "\x1b[31mScience"]],
                "sample_lines": [2],
            },
        )
        out = kofactl("preview", "a_admin.csv").out
        self.assertIn("\\x1b[31mScience", out)
        self.assertNotIn("\x1b", out)

    def test_what_is_no_file_and_not_stored_is_refused(self) -> None:
        for name in ("../nosuch.csv", ".hidden.csv", "nosuch.csv", "var/datacenter/finished"):
            with self.subTest(name):
                self.assert_refused("Error: ", "preview", name)


class ImportTests(PortalCase):
    def test_all_rows_done_is_code_0(self) -> None:
        answer = kofactl(
            "import", self.file("f.csv", FACULTIES), "-p", "facultyprocessor", "-m", "create"
        )
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertRegex(
            answer.out,
            r"^f_admin.csv: 2 rows in \d+\.\d s: 2 created\.\n"
            r"Finished rows: finished/f_admin.create.finished.csv\n"
            r"To take it back: kofactl undo [0-9a-f]{16}\n$",
        )
        self.assertEqual(self.names(), [])
        self.assertEqual(
            set(self.names("finished")), {"f_admin.create.finished.csv", "f_admin.csv"}
        )

    def test_pending_rows_are_code_1(self) -> None:
        self.assertEqual(self.import_faculties(), 0)
        answer = kofactl(
            "import",
            self.file("f.csv", FACULTIES + "LAW,Law\n"),
            "--processor=facultyprocessor",
            "--mode=create",
            "--json",
        )
        self.assertEqual(answer.code, 1, answer)
        report = json.loads(answer.out)
        self.assertEqual(
            (report["total"], report["done"], report["failed"], report["pending"]),
            (3, 1, 2, "f_admin.create.pending.csv"),
        )
        self.assertRegex(report["run"], "^[0-9a-f]{16}$")
        self.assertEqual(report["state"], "finished")
        self.assertEqual(report["reasons"], [["This object already exists.", 2]])
        self.assertEqual(report["seconds"], round(report["seconds"], 3))
        self.assertEqual(self.names(), ["f_admin.create.pending.csv"])
        self.assertEqual(self.names("unfinished"), ["f_admin.csv"])

    def test_reasons_that_differ_only_in_what_they_show_are_one(self) -> None:
        table = "code,title\na 1,A\nb 2,B\nc 3,C\nLAW,Law,x\n"
        with mock.patch.object(reports, "LISTED_REASONS", 1):
            answer = kofactl(
                "import", self.file("f.csv", table), "-p", "facultyprocessor", "-m", "create"
            )
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("\n  3 x code: Invalid input: … does not satisfy the rule", answer.out)
        self.assertIn("\n  1 x other reasons\n", answer.out)

    def test_a_stored_name_is_imported_as_it_is(self) -> None:
        kofactl("put", self.file("f.csv", FACULTIES))
        answer = kofactl("import", "f_admin.csv", "-p", "facultyprocessor", "-m", "create")
        self.assertEqual(answer.code, 0, answer)

    def test_a_stored_name_wins_and_a_dot_means_the_path(self) -> None:
        kofactl("put", self.file("f.csv", FACULTIES))
        self.file("f_admin.csv", "code,title\nLAW,Law\n")
        arguments = ("-p", "facultyprocessor", "-m", "create", "--json")
        stored = json.loads(kofactl("import", "f_admin.csv", *arguments).out)
        self.assertEqual((stored["file"], stored["total"]), ("f_admin.csv", 2))
        own = json.loads(kofactl("import", "./f_admin.csv", *arguments).out)
        self.assertEqual((own["file"], own["total"]), ("f_admin_admin.csv", 1))

    def test_columns_can_be_mapped_set_and_ignored(self) -> None:
        answer = kofactl(
            "import",
            self.file("f.csv", "a=b,name,remark,more\nSCI,Science,x,y\n"),
            *("-p", "facultyprocessor", "-m", "create", "--ignore", "remark", "--ignore-rest"),
            *("--map", "a=b=code", "--map", "name=title", "--set", "title_prefix=school"),
        )
        self.assertEqual(answer.code, 0, answer)
        finished = Path("var/datacenter/finished/f_admin.create.finished.csv").read_text("utf-8")
        self.assertEqual(finished.splitlines()[1].count("Science"), 1)
        self.assertIn("school", finished)
        self.assertNotIn("remark", finished)

    def test_a_refused_import_leaves_nothing(self) -> None:
        path = self.file("f.csv", FACULTIES)
        unknown = self.file("u.csv", "code,title,frob\nSCI,Science,1\n")
        missing = self.file("m.csv", "title\nScience\n")
        kind = ("-p", "facultyprocessor", "-m", "create")
        for words, arguments in (
            ("'?frob'?", (unknown, *kind)),
            ("code", (missing, *kind)),
            (
                "There is no processor 'frobprocessor'",
                (path, "-p", "frobprocessor", "-m", "create"),
            ),
            ("no column '?nosuch", (path, *kind, "--map", "nosuch=code")),
            ("no field '?nosuch", (path, *kind, "--set", "nosuch=1")),
            ("--set names 'title' twice", (path, *kind, "--set", "title=1", "--set", "title=2")),
            ("no pending file 'nosuch.csv'", ("nosuch.csv", *kind)),
            ("'nosuch.csv' cannot be read", ("./nosuch.csv", *kind)),
        ):
            with self.subTest(arguments):
                self.assert_refused(words, "import", *arguments)
                self.assertEqual(self.names(), [])
        self.assertEqual(os.listdir("var/datacenter/finished"), [])

    def test_a_mapping_that_does_not_fit_is_told_with_the_file_and_the_options(self) -> None:
        kind = ("-p", "facultyprocessor", "-m", "create")
        for content in ("code,title,frob\nSCI,Science,1\n", "title\nScience\n"):
            self.assert_refused(
                r"^Error: \./u\.csv: .*--map COLUMN=FIELD.*--set FIELD=VALUE.*--ignore COLUMN",
                *("import", self.file("u.csv", content), *kind),
            )

    def test_a_refused_import_of_a_stored_file_keeps_the_file(self) -> None:
        kofactl("put", self.file("u.csv", "code,frob\nSCI,1\n"))
        self.assert_refused(
            "frob", "import", "u_admin.csv", "-p", "facultyprocessor", "-m", "create"
        )
        self.assertEqual(self.names(), ["u_admin.csv"])

    def test_an_option_without_equals_sign_is_refused(self) -> None:
        answer = kofactl("import", "x", "-p", "p", "-m", "create", "--map", "code")
        self.assertEqual(answer.code, 2)
        self.assertIn("'code' is not of the form COLUMN=FIELD", answer.err)


class ArgumentTests(PortalCase):
    """What nobody means is refused before anything is done, whatever the command."""

    def test_what_is_not_in_utf_8_is_refused(self) -> None:
        name = os.fsdecode(b"caf\xe9.csv")
        Path(name).write_bytes(FACULTIES.encode())
        Path(os.fsdecode(b"b\xe9")).mkdir()
        for arguments in (
            ("put", name),
            ("backup", os.fsdecode(b"b\xe9")),
            ("backup", "--note", os.fsdecode(b"caf\xe9")),
            ("storage", os.fsdecode(b"b\xe9")),
            ("users", "change", "admin", "--title", os.fsdecode(b"caf\xe9")),
            ("tokens", "add", os.fsdecode(b"caf\xe9"), "--scope", "read"),
        ):
            with self.subTest(arguments):
                self.assert_refused(r"^Error: '.*\\udce9.*' is not in UTF-8\. ", *arguments)

    def test_names_that_no_file_can_have_are_of_no_file(self) -> None:
        kind = ("-p", "facultyprocessor", "-m", "create")
        self.assert_refused("There is no pending file 'xxx", "import", 300 * "x", *kind)
        self.assert_refused("File name too long", "put", 300 * "x")

    def test_numbers_beyond_all_measure_are_refused(self) -> None:
        for arguments in (
            ("pack", "--days", "nan"),
            ("pack", "--days", "inf"),
            ("pack", "--days", "1e30"),
            ("purge", "--older-than", 30 * "9"),
            ("logs", "datacenter.log", "--limit", 30 * "9"),
            ("logs", "datacenter.log", "--start", 30 * "9"),
            ("run", "--setup-only", "--remove-share", "nan"),
            ("run", "--setup-only", "--change-share", "nan"),
            ("run", "--setup-only", "--export-hours", "nan"),
            ("run", "--setup-only", "--export-hours", "inf"),
            ("run", "--setup-only", "--undo-days", 30 * "9"),
        ):
            with self.subTest(arguments):
                answer = kofactl(*arguments)
                self.assertEqual((answer.code, answer.out), (2, ""), answer)
                self.assertIn(f"'{arguments[-2]}': ", answer.err)
        self.assertEqual(kofactl("logs", "main.log", "--limit", "1000000000").code, 0)

    def test_a_backup_goes_into_a_folder(self) -> None:
        self.assert_refused("/dev/null is no folder", "backup", "/dev/null")


class ClosedStreamsTests(PortalCase):
    """A supervisor, or ``>&-`` in a shell, leaves a command without streams."""

    def without(self, closed: str, *arguments: str) -> Answer:
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *KOFACTL, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment(),
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def test_a_command_works_without_those_that_it_needs_not(self) -> None:
        self.assertEqual(self.without(">&-", "ls"), (0, "", ""))
        self.assertEqual(self.without(">&- 2>&-", "ls", "nosuch"), (2, "", ""))
        answer = self.without("<&-", "users", "add", "bola", "--title", "Bola")
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertIn("There is no password in the input.", answer.err)


class FaultTests(PortalCase):
    def test_a_fault_is_one_line_and_code_3_and_a_traceback_in_the_log(self) -> None:
        with mock.patch(
            "waeup.kofa.operations.Operations.pending_files",
            side_effect=OSError(5, "Input/output error"),
        ):
            answer = kofactl("ls")
        self.assertEqual((answer.code, answer.out), (3, ""))
        self.assertRegex(answer.err, r"^Fault: OSError: .*Input/output error.*kofactl\.log\.\n$")
        log = Path("var/log/kofactl.log").read_text("utf-8")
        self.assertIn("Traceback (most recent call last):", log)
        self.assertNotIn("Traceback", answer.err)

    def test_nothing_of_a_command_that_fails_is_committed(self) -> None:
        with mock.patch(
            "waeup.kofa.operations.Operations.set_roles", side_effect=RuntimeError("boom")
        ):
            self.assertEqual(kofactl("users", "roles", "admin", "--none").code, 3)
        (admin,) = self.ask("users")
        self.assertEqual(admin["roles"], ["waeup.PortalManager"])

    def test_libraries_warn_into_the_log_and_not_on_the_terminal(self) -> None:
        def warned(self: object) -> list[object]:
            logging.getLogger("ZODB").warning("something odd")
            return []

        with mock.patch("waeup.kofa.operations.Operations.pending_files", warned):
            answer = kofactl("ls")
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertIn("something odd", Path("var/log/kofactl.log").read_text("utf-8"))


class LogTests(PortalCase):
    def setUp(self) -> None:
        kofactl("put", self.file("a.csv", FACULTIES), self.file("b.csv", FACULTIES))

    def test_logs_are_listed(self) -> None:
        found = self.ask("logs")
        self.assertIn("datacenter.log", [log["name"] for log in found])
        self.assertIn("datacenter.log", kofactl("logs").out)

    def test_a_log_is_searched(self) -> None:
        self.assertEqual(len(kofactl("logs", "datacenter.log").out.splitlines()), 2)
        (line,) = self.ask("logs", "datacenter.log", "b_admin")
        self.assertRegex(line, r"admin - .*b_admin\.csv$")
        (line,) = self.ask("logs", "datacenter.log", "--start=1", "--limit=1")
        self.assertIn("b_admin", line)

    def test_lines_are_chosen_by_more_than_an_expression(self) -> None:
        log = ("logs", "datacenter.log")
        for options, number in (
            (["--officer", "admin"], 2),
            (["--officer", "adm"], 0),
            (["--contains", "b_admin.csv"], 1),
            (["--contains", "b_admin?csv"], 0),
            (["UPLOADED: a", "--ignore-case"], 1),
            (["UPLOADED: a"], 0),
            (["--level", "warning"], 0),
            (["--since", "2001-01-01", "--until", "2100-01-01 10:00"], 2),
            (["--since", "2100-01-01"], 0),
            (["--until", "2001-01-01"], 0),
        ):
            with self.subTest(options):
                self.assertEqual(len(self.ask(*log, *options)), number)
        self.assertRegex(self.ask(*log, "--newest", "--limit=1")[0], "b_admin")
        self.assert_refused("'soon' is no time", *log, "--since", "soon")

    def test_all_logs_are_searched_in_the_order_of_time(self) -> None:
        found = self.ask("logs", "--all", "admin.csv$")
        self.assertEqual({line["log"] for line in found}, {"datacenter.log"})
        self.assertEqual(len(found), 2)
        self.assertRegex(
            kofactl("logs", "--all", "--contains", "a_admin").out, "^datacenter.log: .*a_admin.csv"
        )
        self.assertNotIn("payments", kofactl("logs", "--all").out)

    def test_options_without_a_log_search_all(self) -> None:
        self.assertEqual(len(self.ask("logs", "--officer", "admin", "--contains", "a_admin")), 1)
        answer = kofactl("logs", "main.log", "x", "--all")
        self.assertEqual(answer.code, 2)
        self.assertIn("With --all there is no NAME", answer.err)

    def test_lines_come_page_by_page(self) -> None:
        with mock.patch("waeup.kofa.cli.logs.PAGE", 1):
            self.assertEqual(len(self.ask("logs", "datacenter.log")), 2)
            (line,) = self.ask("logs", "datacenter.log", "--start=1")
            self.assertIn("b_admin", line)
            self.assertEqual(len(self.ask("logs", "datacenter.log", "--newest")), 2)

    def test_no_more_lines_are_looked_for_than_are_wanted(self) -> None:
        with mock.patch(
            "waeup.kofa.operations.Operations.log_page",
            autospec=True,
            side_effect=Operations.log_page,
        ) as pages:
            self.assertEqual(len(self.ask("logs", "datacenter.log", "--limit=1")), 1)
            self.assertEqual(len(self.ask("logs", "datacenter.log", "--start=1", "--limit=1")), 1)
            self.assertEqual(len(self.ask("logs", "datacenter.log")), 2)
        self.assertEqual([call.kwargs["limit"] for call in pages.call_args_list], [1, 2, 1000])

    def test_the_first_lines_are_shown_soon(self) -> None:
        """However long the search takes; later pages may take longer, thus they are few."""
        seconds = []

        def late(operations: Operations, *arguments: Any, **options: Any) -> Any:
            seconds.append(options["seconds"])
            page = log_page(operations, *arguments, **options)
            return replace(page, has_more=len(seconds) < 10)

        log_page = Operations.log_page
        with mock.patch.object(Operations, "log_page", late):
            self.ask("logs", "datacenter.log")
        self.assertEqual(seconds[:4], [0.05, 0.1, 0.2, 0.4])
        self.assertEqual(seconds[-2:], [5, 5])

    def test_an_expression_that_is_none_is_refused(self) -> None:
        self.assert_refused("Invalid query string", "logs", "datacenter.log", "*")
        self.assert_refused("before this stands nothing", "logs", "datacenter.log", "*")

    def test_a_log_that_does_not_exist_is_refused_with_those_there_are(self) -> None:
        words = "There is no log 'nothere'. There are: .*datacenter.log"
        self.assert_refused(words, "logs", "nothere")
        self.assert_refused("There is no log 'nothere'", "logs", "nothere", "x", "--json")

    def test_names_that_are_no_logs_are_refused(self) -> None:
        for name in ("../../log/portal.log", ".hidden", "/etc/passwd"):
            with self.subTest(name):
                self.assert_refused("Error: ", "logs", name, "x")


class KindTests(PortalCase):
    def test_processors_are_listed(self) -> None:
        found = self.ask("processors")
        by_name = {info["name"]: info for info in found}
        self.assertIn("studentprocessor", by_name)
        self.assertIn("code", by_name["facultyprocessor"]["required"]["create"])
        self.assertEqual(self.ask("processors", "facultyprocessor"), by_name["facultyprocessor"])
        self.assertIn("facultyprocessor", kofactl("processors").out)

    def test_fields_are_shown_with_type_and_need(self) -> None:
        out = kofactl("processors", "facultyprocessor").out
        self.assertRegex(out, r"code +key +Faculty code +text in one line +create, update, rem")
        self.assertRegex(out, r"title_prefix .* one of the allowed values .* none, faculty, ")
        self.assertIn("the role Import Manager or Portal Manager. You may import it.", out)
        self.assertIn("The faculties of the university.", out)
        fields = self.ask("processors", "userprocessor")["fields"]
        field = {field["name"]: field for field in fields}
        self.assertEqual(field["suspended"]["choices"], {"1": "yes", "0": "no"})
        self.assertEqual((field["name"]["key"], field["password"]["example"]), (True, ""))

    def test_titles_of_allowed_values_are_filled_in(self) -> None:
        fields = self.ask("processors", "studentprocessor")["fields"] + [
            field for kind in self.ask("processors") for field in kind["fields"]
        ]
        titles = [title for field in fields for title in field["choices"].values()]
        self.assertIn("Year 1 (100 Level)", titles)
        self.assertEqual([title for title in titles if "${" in title], [])

    def test_an_unknown_processor_is_refused_with_those_there_are(self) -> None:
        self.assert_refused("There are: .*studentprocessor", "processors", "frob")
        self.assert_refused("There are: .*studentprocessor", "template", "frob")

    def test_a_template_fits_its_processor(self) -> None:
        out = kofactl("template", "facultyprocessor").out
        header = out.splitlines()[0].split(",")
        fields = self.ask("processors", "facultyprocessor")["fields"]
        self.assertEqual(sorted(header), sorted(field["name"] for field in fields))

    def test_a_template_is_a_workbook_on_demand(self) -> None:
        self.assertEqual(kofactl("template", "facultyprocessor", "-o", "t.XLSX").code, 0)
        self.assertTrue(Path("t.XLSX").read_bytes().startswith(b"PK"))
        for words, start in (
            (("-o", "t.xls", "--format", "xlsx"), b"PK"),
            (("-o", "u.xlsx", "--format", "csv"), b"code,"),
            (("-o", "t.txt"), b"code,"),
            (("-o", "t.tsv"), b"code\t"),
        ):
            with self.subTest(words):
                self.assertEqual(kofactl("template", "facultyprocessor", *words).code, 0)
                self.assertTrue(Path(words[1]).read_bytes().startswith(start))
        with mock.patch("waeup.kofa.cli.kinds.is_terminal", return_value=True):
            self.assert_refused(
                "Name a file with -o", "template", "facultyprocessor", "--format", "xlsx"
            )
        self.assert_refused(
            "Name a file with -o", "template", "facultyprocessor", "--format", "xlsx", "--json"
        )

    def test_a_template_is_written_only_to_a_new_file(self) -> None:
        self.assertEqual(kofactl("template", "facultyprocessor", "-o", "t.csv").code, 0)
        content = Path("t.csv").read_bytes()
        self.assertTrue(content)
        self.assert_refused("t.csv exists", "template", "userprocessor", "-o", "t.csv")
        self.assertEqual(Path("t.csv").read_bytes(), content)
        self.assert_refused("cannot be written", "template", "userprocessor", "-o", "no/t.csv")


class UserTests(PortalCase):
    def user(self, name: str) -> dict[str, object]:
        found = self.ask("users", "list")
        return next(user for user in found if user["name"] == name)

    def test_an_account_is_added_changed_and_removed(self) -> None:
        answer = kofactl(
            *("users", "add", "bola", "--title", "Bola Ade", "--role", "waeup.ImportManager"),
            stdin="a long password\n",
        )
        self.assertEqual(answer, (0, "The account bola was added.\n", ""))
        self.assertEqual(
            self.user("bola"),
            {
                "name": "bola",
                "title": "Bola Ade",
                "public_name": None,
                "email": None,
                "phone": None,
                "language": None,
                "notice": None,
                "roles": ["waeup.ImportManager"],
                "suspended": False,
                "has_password": True,
                "must_change_password": True,
                "last_log_in": None,
            },
        )
        self.assertEqual(kofactl("users", "roles", "bola", "waeup.ExportManager").code, 0)
        self.assertEqual(self.user("bola")["roles"], ["waeup.ExportManager"])
        self.assertEqual(kofactl("users", "roles", "bola", "--none").code, 0)
        self.assertEqual(self.user("bola")["roles"], [])
        self.assertEqual(kofactl("users", "remove", "bola").code, 0)
        self.assertNotIn("bola", kofactl("users").out)

    def test_details_are_changed_and_shown(self) -> None:
        kofactl("users", "add", "bola", "--title", "Bola", "--generate", "--lasting")
        words = ("users", "change", "bola", "--title", "Bola Ade", "--language", "fr")
        self.assertEqual(kofactl(*words, "--email", "bola@example.org").code, 0)
        self.assertEqual(kofactl("users", "change", "bola", "--email", "").code, 0)
        user = self.ask("users", "show", "bola")
        self.assertEqual((user["title"], user["language"]), ("Bola Ade", "fr"))
        self.assertEqual((user["email"], user["must_change_password"]), (None, False))
        self.assertIn("can log in", kofactl("users", "show", "bola").out)
        self.assert_refused("correct language", "users", "change", "bola", "--language", "xx")
        self.assert_refused("no user 'nobody'", "users", "show", "nobody")
        self.assertEqual(kofactl("users", "change", "bola").code, 2)

    def test_an_account_is_suspended_resumed_and_logged_out(self) -> None:
        kofactl("users", "add", "bola", "--title", "Bola", "--generate")
        for words, suspended in (("suspend", True), ("resume", False), ("logout", False)):
            self.assertEqual(kofactl("users", words, "bola").code, 0)
            self.assertEqual(self.user("bola")["suspended"], suspended)
        self.assert_refused("suspend your own account", "users", "suspend", "admin")
        for name in ("suspend", "remove"):
            self.assert_refused(
                "last Portal Manager|lack the permission",
                *("users", name, "admin", "--user", "bola"),
            )

    def test_a_password_is_made_on_demand_and_shown_once(self) -> None:
        answer = kofactl("users", "password", "admin", "--generate")
        self.assertRegex(answer.out, r"The password is (\w{4}-){3}\w{4} \(shown only now\)\.\n$")

    def test_without_a_password_nothing_happens(self) -> None:
        self.assert_refused("no password in the input", "users", "add", "bola", "--title=B")
        self.assert_refused("no user 'nobody'", "users", "password", "nobody", stdin="secret 12\n")

    def test_roles_are_listed_and_unknown_ones_refused(self) -> None:
        known = {role["name"] for role in self.ask("users", "roles")}
        self.assertIn("waeup.ImportManager", known)
        self.assert_refused("waeup.Frob", "users", "roles", "admin", "waeup.Frob")
        self.assertEqual(kofactl("users", "roles", "admin").code, 2)

    def test_a_user_does_only_what_the_roles_allow(self) -> None:
        kofactl(
            *("users", "add", "bola", "--title", "B", "--role", "waeup.DataCenterManager"),
            *("--generate",),
        )
        path = self.file("f.csv", FACULTIES)
        self.assertEqual(kofactl("--user", "bola", "ls").code, 0)
        self.assertEqual(kofactl("put", path, "--user", "bola").code, 0)
        self.assertEqual(self.names(), ["f_bola.csv"])
        self.assert_refused("permission waeup.manageUsers", "users", "--user", "bola")
        self.assert_refused(
            "permission waeup.importData",
            *("import", "f_bola.csv", "-p", "facultyprocessor", "-m", "create", "--user=bola"),
        )
        self.assertEqual(self.names(), ["f_bola.csv"])

    def test_a_suspended_user_is_refused(self) -> None:
        path = self.file("u.csv", "name,title,roles,suspended\nbola,Bola,[],True\n")
        answer = kofactl("import", path, "-p", "userprocessor", "-m", "create")
        self.assertEqual(answer.code, 0, answer)
        self.assert_refused("'bola' is suspended", "--user", "bola", "ls")

    def test_an_unknown_user_is_refused(self) -> None:
        self.assert_refused("no account 'nobody' .* --user", "--user", "nobody", "ls")

    def test_generated_passwords_differ_and_can_be_read(self) -> None:
        made = {new_password() for _ in range(50)}
        self.assertEqual(len(made), 50)
        for password in made:
            self.assertTrue(re.fullmatch(r"([2-9a-hjkmnp-z]{4}-){3}[2-9a-hjkmnp-z]{4}", password))


class StorageTests(PortalCase):
    def test_a_storage_that_has_gone_is_told_and_not_made_anew(self) -> None:
        path = self.file("f.csv", FACULTIES)
        Path("var/datacenter").rename("var/elsewhere")
        for arguments in (
            ("ls",),
            ("put", path),
            ("import", path, "-p", "facultyprocessor", "-m", "create"),
            ("run", "--setup-only"),
        ):
            with self.subTest(arguments):
                self.assert_refused(r"files in \S+, and there is no such folder", *arguments)
        self.assertFalse(Path("var/datacenter").exists())

    def test_no_path_is_no_storage(self) -> None:
        self.assert_refused("No path was given", "storage", "")
        self.assertEqual(self.ask("storage")["path"], str(Path("var/datacenter").absolute()))

    def test_files_do_not_mix_with_those_of_the_instance(self) -> None:
        Path("var/filestorage/files").mkdir()
        Path("link").symlink_to("var")
        for path in (".", "var", "link", "/"):
            with self.subTest(path):
                self.assert_refused("contains the instance directory", "storage", path)
        for path in ("var/filestorage", "var/filestorage/files", "link/filestorage"):
            with self.subTest(path):
                self.assert_refused("belongs to the database", "storage", path, "--move")
        self.assertEqual(self.ask("storage")["path"], str(Path("var/datacenter").absolute()))

    def test_files_that_stay_behind_are_told(self) -> None:
        kofactl("put", self.file("a.csv", FACULTIES), self.file("b.csv", FACULTIES))
        former, new = Path("var/datacenter").absolute(), Path("new").absolute()
        new.mkdir()
        answer = kofactl("storage", "new")
        self.assertEqual(answer.code, 0, answer)
        self.assertIn(f"Pending files that stay in {former}: 2.", answer.out)
        # What is advised there does it.
        self.assertEqual(kofactl("storage", str(former)).out, f"The storage is {former}.\n")
        answer = kofactl("storage", str(new), "--move")
        self.assertNotIn("stay", answer.out)
        self.assertEqual(self.names(), ["a_admin.csv", "b_admin.csv"])
        self.assertEqual(self.ask("storage", str(former))["left_behind"], 2)
        self.assertNotIn("stay", kofactl("storage", str(former)).out)

    def test_a_move_is_a_run_that_is_followed(self) -> None:
        kofactl("put", self.file("a.csv", FACULTIES))
        new = Path("new").absolute()
        new.mkdir()
        (new / "a_admin.csv").write_text("of somebody else")
        (new / "logs").mkdir()
        answer = kofactl("storage", "new", "--move")
        self.assertEqual(answer.code, 0, answer)
        self.assertEqual(
            answer.out.splitlines(),
            [
                f"The storage is {new}: 0 files were moved.",
                "Existed already, or is no file (not copied): a_admin.csv",
                "Existed already, or is no file (not copied): logs",
            ],
        )
        (run,) = self.ask("runs")
        self.assertEqual((run["kind"], run["state"]), ("move", "finished"))
        other = Path("other").absolute()
        other.mkdir()
        (other / "a_admin.csv").write_text("of somebody else")
        answer = self.ask("storage", "other", "--move", "--overwrite")
        self.assertEqual(answer, {"path": str(other), "not_copied": [], "left_behind": 0})
        self.assertEqual((other / "a_admin.csv").read_text(), "of somebody else")
        self.assertEqual(self.ask("storage", str(other), "--move")["path"], str(other))

    def test_a_move_that_finds_no_room(self) -> None:
        Path("new").mkdir()
        with mock.patch("waeup.kofa.jobs.moves.RESERVE", 1 << 62):
            self.assert_refused("not enough room", "storage", "new", "--move")
        self.assertEqual(os.listdir("new"), [])
        self.assertEqual(self.ask("storage")["path"], str(Path("var/datacenter").absolute()))

    def test_a_storage_that_has_gone_is_not_moved(self) -> None:
        Path("var/datacenter").rename("var/elsewhere")
        Path("new").mkdir()
        self.assert_refused("there is no such folder", "storage", "new", "--move")
        self.assertEqual(kofactl("storage", "new").code, 0)

    def test_a_storage_that_cannot_be_written_is_told(self) -> None:
        with mock.patch("waeup.kofa.api.acting.os.access", return_value=False):
            self.assert_refused("may not write to", "ls")


class NoPortalTests(unittest.TestCase):
    layer = CommandLayer

    def test_commands_make_no_instance(self) -> None:
        Path("a.csv").write_text(FACULTIES)
        for arguments in (
            ("ls",),
            ("put", "a.csv"),
            ("import", "a.csv", "-p", "facultyprocessor", "-m", "create"),
            ("users", "add", "bola", "--title=B", "--generate"),
        ):
            with self.subTest(arguments):
                answer = kofactl(*arguments)
                self.assertEqual((answer.code, answer.out), (2, ""))
                self.assertRegex(answer.err, "There is no portal .*`kofactl run`")
        self.assertEqual(os.listdir(), ["a.csv"])

    def test_a_database_without_a_portal_is_told_apart(self) -> None:
        with mock.patch("waeup.kofa.app.University", side_effect=RuntimeError("killed")):
            self.assertEqual(kofactl("run", "--setup-only").code, 3)
        answer = kofactl("ls")
        self.assertEqual(answer.code, 2)
        self.assertRegex(answer.err, "was not completed.*`kofactl run`")
        answer = kofactl("run", "--setup-only")
        self.assertRegex(answer.out, "Log in as admin with the password ")

    def test_the_environment_names_the_instance(self) -> None:
        with mock.patch.dict(os.environ, {"KOFA_VAR": "elsewhere"}):
            self.assertIn("elsewhere", kofactl("ls").err)
            self.assertIn("here", kofactl("--var", "here", "ls").err)
            self.assertIn("/there/", kofactl("--var", "here", "ls", "--var", "there").err)
