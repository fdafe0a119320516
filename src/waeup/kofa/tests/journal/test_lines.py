"""Writing log lines: one record is one line, whatever its text holds."""

import multiprocessing
import os
import sys
import tempfile
import unicodedata
import unittest
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.journal import append_line, append_lines, escape_message, format_line
from waeup.kofa.tests.waiting import PATIENCE, begun, joined

#: Characters that turn the direction of reading.
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class EscapeTests(unittest.TestCase):
    def test_plain_text_of_any_language_stays(self) -> None:
        text = "Ọmọ Àjàyí - updated: name=O'Neil, path=C:\\new"
        self.assertEqual(escape_message(text), text)

    def test_line_ends_are_spelled_out(self) -> None:
        self.assertEqual(
            escape_message("a\nb\r\nc\x0bd\x0ce\x85f\u2028g\u2029h"),
            r"a\nb\r\nc\x0bd\x0ce\x85f\u2028g\u2029h",
        )

    def test_terminal_commands_are_spelled_out(self) -> None:
        self.assertEqual(escape_message("\x1b[2K\x9b2K\x08\x7f\x00"), r"\x1b[2K\x9b2K\x08\x7f\x00")

    def test_reversed_reading_is_spelled_out(self) -> None:
        self.assertEqual(escape_message("\u202eevil\u2066"), r"\u202eevil\u2066")

    def test_lone_surrogates_are_spelled_out(self) -> None:
        self.assertEqual(escape_message("a\udc80"), r"a\udc80")

    @given(st.text(st.characters()))
    def test_any_text_is_one_line_for_every_reader(self, text: str) -> None:
        line = format_line(text)
        self.assertEqual(line.splitlines(keepends=True), [line])
        self.assertEqual(line.encode("utf-8").decode("utf-8"), line)

    def test_every_character_is_spelled_out_or_stays(self) -> None:
        for character in map(chr, range(sys.maxunicode + 1)):
            category = unicodedata.category(character)
            unsafe = category in ("Cc", "Cs", "Zl", "Zp") or character in DIRECTIONS
            self.assertEqual(escape_message(character) != character, unsafe, ascii(character))

    @given(st.text())
    def test_escaping_twice_changes_nothing(self, text: str) -> None:
        self.assertEqual(escape_message(escape_message(text)), escape_message(text))


def _append_numbers(path: str, name: str) -> None:
    for number in range(200):
        append_lines(path, [f"{name} {number} first {'x' * 3000}", f"{name} {number} second"])


class AppendTests(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.storage = Path(directory.name)
        self.path = str(self.storage / "logs" / "main.log")

    def content(self) -> str:
        return Path(self.path).read_text(encoding="utf-8")

    def test_missing_folder_and_file_are_made(self) -> None:
        append_line(self.path, "Ọmọ")
        append_line(self.path, "two")
        self.assertEqual(self.content(), "Ọmọ\ntwo\n")

    def test_log_is_not_readable_by_the_world(self) -> None:
        append_line(self.path, "one")
        self.assertEqual(os.stat(self.path).st_mode & 0o007, 0)

    def test_missing_storage_is_not_made(self) -> None:
        self.storage.joinpath("logs").mkdir()
        path = self.storage / "gone" / "logs" / "main.log"
        with self.assertRaises(FileNotFoundError):
            append_line(str(path), "one")
        self.assertFalse(path.parent.parent.exists())

    def test_forged_line_stays_part_of_its_line(self) -> None:
        append_line(self.path, "name=Bob\n2026-01-01 - INFO - admin - removed")
        self.assertEqual(self.content().count("\n"), 1)

    def test_no_lines_make_no_file(self) -> None:
        append_lines(self.path, [])
        self.assertFalse(os.path.exists(self.path))

    def test_rotated_log_is_left_alone(self) -> None:
        append_line(self.path, "old")
        os.rename(self.path, self.path + ".1")
        append_line(self.path, "new")
        self.assertEqual(self.content(), "new\n")
        self.assertEqual(Path(self.path + ".1").read_text(), "old\n")

    def test_one_unsafe_line_among_others_is_spelled_out(self) -> None:
        append_lines(self.path, ["Ọmọ", "a\u2028b\n", "", "c"])
        self.assertEqual(self.content(), "Ọmọ\na\\u2028b\\n\n\nc\n")

    def assert_groups_of_two(self, names: list[str]) -> None:
        lines = self.content().splitlines()
        self.assertEqual(len(lines), 400 * len(names))
        for first, second in zip(lines[::2], lines[1::2], strict=True):
            self.assertEqual([*first.split()[:2], "second"], second.split())
        for name in names:
            numbers = [int(line.split()[1]) for line in lines[::2] if line.startswith(name)]
            self.assertEqual(numbers, list(range(200)))

    def test_lines_of_threads_do_not_mix(self) -> None:
        names = ["a", "b", "c"]
        joined(*(begun(_append_numbers, self.path, n) for n in names))
        self.assert_groups_of_two(names)

    def test_lines_of_forked_processes_do_not_mix(self) -> None:
        names = ["a", "b", "c"]
        fork = multiprocessing.get_context("fork")
        processes = [fork.Process(target=_append_numbers, args=(self.path, n)) for n in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join(PATIENCE)
            self.assertEqual(process.exitcode, 0)
        self.assert_groups_of_two(names)


if __name__ == "__main__":
    unittest.main()
