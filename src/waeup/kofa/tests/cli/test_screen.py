"""What reaches a terminal."""

import io
import json
import re
import threading
import unittest
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.cli.screen import (
    complain,
    duration,
    printable,
    progress_bar,
    say_json,
    show_table,
)
from waeup.kofa.cli.telling import plain_run
from waeup.kofa.exporting.wish import Wish
from waeup.kofa.tests.api.test_followed import NOW, RUN
from waeup.kofa.tests.waiting import joined


class PrintableTests(unittest.TestCase):
    def test_control_characters_become_escapes(self) -> None:
        self.assertEqual(printable("a\x1b[2Jb\nc\x9bd"), "a\\x1b[2Jb\\nc\\x9bd")

    def test_a_changed_direction_of_writing_becomes_visible(self) -> None:
        self.assertEqual(printable("abc\u202evsc"), "abc\\u202evsc")

    def test_bytes_of_a_file_name_that_are_no_text_become_escapes(self) -> None:
        self.assertEqual(printable("list\udcff.csv"), "list\\udcff.csv")

    def test_letters_stay(self) -> None:
        self.assertEqual(printable("Ọlá Müller 李"), "Ọlá Müller 李")

    @given(st.text())
    def test_any_text_can_be_written_and_is_one_line(self, text: str) -> None:
        shown = printable(text)
        shown.encode("utf-8")
        self.assertLessEqual(len(shown.splitlines()), 1)


class TableTests(unittest.TestCase):
    def table(self, *rows: tuple[object, ...]) -> str:
        with redirect_stdout(io.StringIO()) as out:
            show_table(("Name", "Size"), rows, right="Size")
        return out.getvalue()

    def test_texts_are_no_markup(self) -> None:
        self.assertIn("[red]x[/red] :smile:", self.table(("[red]x[/red] :smile:", 1)))

    def test_texts_cannot_control_the_terminal(self) -> None:
        self.assertNotIn("\x1b", self.table(("\x1b]0;title\x07", 1)))

    def test_in_a_pipe_a_row_is_a_line_however_long(self) -> None:
        lines = self.table(("n" * 500, 1)).splitlines()
        self.assertEqual(len([line for line in lines if "n" * 500 in line]), 1)

    def shown(self, width: int, *rows: tuple[object, ...]) -> str:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        with (
            mock.patch.dict("os.environ", {"COLUMNS": str(width), "TERM": "xterm"}),
            redirect_stdout(Terminal()) as out,
        ):
            show_table(("Name", "State", "By"), rows)
        return out.getvalue()

    def test_a_narrow_terminal_gets_a_list_of_each_row_that_has_no_room(self) -> None:
        rows = (("students_admin.csv", "interrupted, 74%", "admin"), ("f" * 40, "finished", ""))
        self.assertEqual(
            self.shown(40, *rows),
            "Name   students_admin.csv\nState  interrupted, 74%\nBy     admin\n\n"
            f"Name   {'f' * 33}\n       {'f' * 7}\nState  finished\n",
        )
        self.assertIn("\n─", self.shown(60, *rows))
        self.assertIn("\n─", self.shown(40, ("a.csv", "finished", "admin")))


class JSONTests(unittest.TestCase):
    def test_all_that_is_known_of_an_export_can_be_told(self) -> None:
        run = replace(RUN, kind="export", wish=Wish("students", keys=("K1",)), kept_until=NOW)
        with redirect_stdout(io.StringIO()) as out:
            say_json(plain_run(run))
        told = json.loads(out.getvalue())
        self.assertEqual(told["kept_until"], "2026-01-31T10:00:00+00:00")
        self.assertEqual((told["wish"]["exporter"], told["wish"]["keys"]), ("students", ["K1"]))

    def test_is_ascii(self) -> None:
        with redirect_stdout(io.StringIO()) as out:
            say_json(["\x1b Ọ"])
        self.assertEqual(out.getvalue(), '[\n  "\\u001b \\u1ecc"\n]\n')


class ProgressTests(unittest.TestCase):
    def test_nothing_is_shown_where_nobody_watches(self) -> None:
        with redirect_stderr(io.StringIO()) as err, progress_bar("x") as show:
            show(None)  # type: ignore[arg-type]  # not looked at
        self.assertEqual(err.getvalue(), "")

    def shown(self, **values: Any) -> str:
        """Return what a terminal shows of a run."""
        usual: dict[str, Any] = {"kind": "import", "state": "running", "is_cancelling": False}
        usual |= {"rows": 1500, "failed": 2, "fraction": 0.25, "rate": 500.0, "remaining": 9.0}
        usual["is_looking"] = False
        run = SimpleNamespace(**{**usual, **values})
        before = set(threading.enumerate())

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        environment = {"TERM": "xterm", "COLUMNS": "120"}
        with (
            mock.patch.dict("os.environ", environment),
            redirect_stderr(Terminal()) as err,
            progress_bar("f_admin.csv") as show,
        ):
            show(run)  # type: ignore[arg-type]  # has what is looked at
            complain("A word.")
        joined(*(set(threading.enumerate()) - before))
        return re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", err.getvalue())

    def test_a_terminal_shows_rows_speed_and_the_time_that_is_left(self) -> None:
        self.assertRegex(
            self.shown(), r"f_admin.csv .* 25 % 1,500 rows, 2 failed, 500/s, 9 s left 0:00:00"
        )
        self.assertRegex(self.shown(rate=0.0), "1,500 rows, 2 failed 0:00:00")
        self.assertRegex(self.shown(is_cancelling=True), "1,500 rows, 2 failed, ending 0:00:00")
        self.assertRegex(self.shown(state="queued", rows=0), "waiting 0:00:00")
        self.assertRegex(self.shown(kind="move", rate=0.0), "25 % 1,500 files 0:00:00")
        looking = self.shown(is_looking=True, rows=0, rate=0.0, remaining=None)
        self.assertRegex(looking, "25 % looking at the file as a whole 0:00:00")

    def test_messages_stand_above_the_bar(self) -> None:
        self.assertRegex(self.shown(), r"A word\.\s*\n")

    def test_times_are_told_as_people_say_them(self) -> None:
        for seconds, text in (
            (0.2, "1 s"),
            (59.6, "60 s"),
            (90, "2 min"),
            (3000, "50 min"),
            (5400, "1 h 30 min"),
            (90_000, "25 h 0 min"),
        ):
            self.assertEqual(duration(seconds), text)
