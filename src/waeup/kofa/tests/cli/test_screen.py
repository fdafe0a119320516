"""What reaches a terminal."""

import io
import unittest
from contextlib import redirect_stderr, redirect_stdout

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.cli.screen import printable, progress_bar, say_json, show_table


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


class JSONTests(unittest.TestCase):
    def test_is_ascii(self) -> None:
        with redirect_stdout(io.StringIO()) as out:
            say_json(["\x1b Ọ"])
        self.assertEqual(out.getvalue(), '[\n  "\\u001b \\u1ecc"\n]\n')


class ProgressTests(unittest.TestCase):
    def test_nothing_is_shown_where_nobody_watches(self) -> None:
        with redirect_stderr(io.StringIO()) as err, progress_bar("x") as show:
            show(None)  # type: ignore[arg-type]  # not looked at
        self.assertEqual(err.getvalue(), "")
