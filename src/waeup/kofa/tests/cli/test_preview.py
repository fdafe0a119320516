"""``kofactl preview``, and what ``kofactl import`` is told about the reading."""

import json
import unittest
from pathlib import Path
from unittest import mock

from waeup.kofa.tests.cli.shell import CommandLayer, PortalLayer, kofactl, process
from waeup.kofa.tests.importing.test_canonical import workbook

DAMAGED = b'code;title\r\nA1;Arts\r\nB2;x;y\r\nC3;"Law" x\r\nD4;Dance\r\nE5;1;2\r\n'


class PreviewCase(unittest.TestCase):
    """Has files of the user's own."""

    def file(self, name: str, content: bytes) -> str:
        Path(name).write_bytes(content)
        return name

    def refusal(self, *arguments: str) -> str:
        answer = kofactl(*arguments)
        self.assertEqual((answer.code, answer.out), (2, ""), answer)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        return answer.err


class PathTests(PreviewCase):
    """A path needs no portal."""

    layer = CommandLayer

    def test_a_sound_file_is_code_0(self) -> None:
        answer = kofactl("preview", self.file("a.csv", b"code,title\r\nA1,Arts\r\n"))
        self.assertEqual((answer.code, answer.err), (0, ""))
        self.assertEqual(
            [line.rstrip() for line in answer.out.splitlines()],
            [
                "a.csv: 1 rows, 2 columns",
                "  Encoding:  utf-8",
                "  Separator: comma",
                '  Quote:     "',
                "  Line ends: CRLF",
                "  Header:    line 1",
                "",
                "Column   Line 2",
                "─" * 15,
                "code     A1",
                "title    Arts",
                "",
                "All rows are sound.",
            ],
        )
        self.assertFalse(Path("var").exists())

    def test_problems_are_code_1_and_told_with_their_places(self) -> None:
        answer = kofactl("preview", self.file("a.csv", DAMAGED))
        self.assertEqual((answer.code, answer.err), (1, ""))
        for words in (
            "3 rows have a problem and would stay pending:",
            "  2 x too-many-cells\n",
            "    Damaged row (line 3): 3 cells instead of 2;",
            "      | B2;x;y\n",
            "  1 x text-after-quote\n",
            "Separator: semicolon",
        ):
            self.assertIn(words, answer.out)

    def test_programs_get_all_of_it(self) -> None:
        answer = kofactl("preview", self.file("a.csv", DAMAGED), "--json", "--rows", "1")
        self.assertEqual(answer.code, 1)
        told = json.loads(answer.out)
        self.assertEqual((told["rows"], told["sound"], told["damaged"]), (5, 2, 3))
        self.assertEqual((told["samples"], told["sample_lines"]), ([["A1", "Arts"]], [2]))
        few = told["problems"][0]
        self.assertEqual((few["code"], few["count"]), ("too-many-cells", 2))
        self.assertEqual(
            few["examples"][0], {"number": 2, "line": 3, "message": mock.ANY, "raw": "B2;x;y"}
        )

    def test_what_is_said_replaces_what_is_found(self) -> None:
        path = self.file("a.txt", "junk;x\ncode;title\na;'k\xf6ln;1'\n".encode("cp1252"))
        answer = kofactl(
            *("preview", path, "--encoding", "cp1252", "--delimiter", "semicolon"),
            *("--quote", "single", "--header-line", "2", "--json"),
        )
        told = json.loads(answer.out)
        self.assertEqual((answer.code, told["samples"]), (0, [["a", "k\xf6ln;1"]]))
        self.assertEqual((told["header_line"], told["above"]), (2, ["junk;x"]))

    def test_a_guess_is_told_with_what_to_do(self) -> None:
        path = self.file("a.csv", "code,title\nA1,\u0421\u0438\u0431\u044c\n".encode("cp1251"))
        answer = kofactl("preview", path)
        self.assertEqual(answer.code, 1)
        self.assertIn("is a guess. Compare the names", answer.out)
        self.assertIn("confirm it with --encoding", answer.out)
        self.assertEqual(kofactl("preview", path, "--encoding", "cp1251").code, 0)

    def test_a_workbook_is_unpacked_aside(self) -> None:
        path = self.file("a.xlsx", workbook())
        answer = kofactl("preview", path)
        self.assertEqual(answer.code, 0, answer)
        self.assertIn("Sheet:     Main (others: Notes, More)", answer.out)
        self.assertNotIn("Encoding", answer.out)
        self.assertIn("Law; and order", kofactl("preview", path, "--sheet", "More").out)
        self.assertIn("no sheet 'x'", self.refusal("preview", path, "--sheet", "x"))
        self.assertIn("A workbook has neither", self.refusal("preview", path, "--quote", "single"))
        self.assertEqual([entry.name for entry in Path().iterdir()], ["a.xlsx"])

    def test_what_is_not_clear_is_refused_with_what_to_say(self) -> None:
        path = self.file("a.csv", b"code,title,x\nA,B\nC,D\nE,F\n")
        self.assertIn("is read in a wrong way, say how:", self.refusal("preview", path))
        self.assertEqual(kofactl("preview", path, "--header-line", "1").code, 1)

    def test_what_is_no_table_is_refused(self) -> None:
        for name, content, words in (
            ("a.csv", b"", "is empty"),
            ("b.csv", bytes(range(256)) * 9, "is a binary file"),
            ("c.csv", b"x,x\n1,2\n", "Double headers"),
        ):
            with self.subTest(name):
                self.assertIn(words, self.refusal("preview", self.file(name, content)))
        self.assertIn("There is no file 'nosuch.csv' here", self.refusal("preview", "nosuch.csv"))
        self.assertIn("cannot be read: Is a directory", self.refusal("preview", "."))

    def test_what_cannot_be_meant_is_refused(self) -> None:
        path = self.file("a.csv", b"code,title\r\nA1,Arts\r\n")
        for arguments, words in (
            (("--encoding", "klingon"), "no text encoding"),
            (("--delimiter", "ab"), "'ab' is no separator"),
            (("--header-line", "x"), "no number of a line"),
            (("--header-line", "99"), "Line 99 of a.csv cannot be its header"),
            (("--rows", "-1"), ""),
        ):
            with self.subTest(arguments):
                answer = kofactl("preview", path, *arguments)
                self.assertEqual((answer.code, answer.out), (2, ""), answer)
                self.assertIn(words, answer.err)

    def test_nothing_of_a_file_is_obeyed_by_a_terminal(self) -> None:
        content = b"code,\x1b[2Jtitle\r\nA1,\x1b]0;x\x07\r\nB2\x1b[1m\r\nC3,x\r\nD4,y\r\n"
        out = kofactl("preview", self.file("a.csv", content)).out
        self.assertNotIn("\x1b", out)
        self.assertIn("\\x1b[2Jtitle", out)

    def test_as_a_process_it_is_quick_to_start(self) -> None:
        """It needs no components, thus none are loaded."""
        answer = process("preview", self.file("a.csv", b"code,title\r\nA1,Arts\r\n"))
        self.assertEqual((answer.code, answer.err), (0, ""))


class StoredTests(PreviewCase):
    """A stored file is looked at with the rights of its user."""

    layer = PortalLayer

    def test_the_stored_file_of_a_name_is_meant_first(self) -> None:
        kofactl("put", self.file("a.csv", b"code,title\r\nA1,Stored\r\n"))
        self.file("a_admin.csv", b"code,title\r\nA1,Mine\r\n")
        self.assertIn("Stored", kofactl("preview", "a_admin.csv").out)
        self.assertIn("Mine", kofactl("preview", "./a_admin.csv").out)
        self.assertIn("Stored", kofactl("preview", "a.csv").out)

    def test_a_path_is_not_stored(self) -> None:
        kofactl("preview", self.file("a.xlsx", workbook()))
        self.assertEqual(kofactl("ls").out, "There are no pending files.\n")
        self.assertNotIn(".work", [entry.name for entry in Path("var/datacenter").iterdir()])

    def test_an_import_is_told_how_to_read(self) -> None:
        path = self.file("a.txt", "junk;x\ncode;title\nA1;'k\xf6ln;1'\n".encode("cp1252"))
        said = ("--encoding", "cp1252", "--delimiter", ";", "--quote", "'", "--header-line", "2")
        answer = kofactl("import", path, "-p", "facultyprocessor", "-m", "create", *said)
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        finished = Path("var/datacenter/finished/a_admin.txt.create.finished.csv")
        self.assertIn("k\xf6ln;1", finished.read_text("utf-8"))

    def test_a_sheet_is_imported(self) -> None:
        path = self.file("a.xlsx", workbook())
        answer = kofactl(
            *("import", path, "-p", "facultyprocessor", "-m", "create", "--sheet", "More")
        )
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertIn("1 created", answer.out)

    def test_what_is_not_clear_is_stored_and_told(self) -> None:
        path = self.file("a.csv", b"code,title,x\nA,B\nC,D\nE,F\n")
        answer = kofactl("put", path)
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        self.assertIn("Before it can be imported: The header of a.csv", answer.out)
        self.assertIn("say how", self.refusal("preview", "a_admin.csv"))
