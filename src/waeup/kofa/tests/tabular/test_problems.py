"""Problems: all are explained, none is forgotten by the manual."""

import re
import unittest
from pathlib import Path

from waeup.kofa.errors import Refused
from waeup.kofa.tabular import problems

MANUAL = Path(__file__).parents[5] / "docs" / "damage.rst"


class Codes(unittest.TestCase):
    def test_each_constant_is_a_code(self):
        """A code that is not listed would never be looked for by the tests below."""
        constants = [name for name in problems.__all__ if name.isupper() and name != "CODES"]
        self.assertEqual(
            sorted(getattr(problems, name) for name in constants), sorted(problems.CODES)
        )

    def test_the_manual_explains_each_code_once(self):
        headings = re.findall(r"^``([a-z-]+)``\n-+$", MANUAL.read_text("utf-8"), re.MULTILINE)
        self.assertEqual(sorted(headings), sorted(problems.CODES))

    def test_each_section_of_the_manual_shows_its_code_in_an_example(self):
        sections = re.split(r"^``([a-z-]+)``\n-+$", MANUAL.read_text("utf-8"), flags=re.MULTILINE)
        for code, text in zip(sections[1::2], sections[2::2], strict=True):
            with self.subTest(code=code):
                self.assertRegex(text, rf"(?m)^    (?:line \d+: {code}|'{code}')$")

    def test_the_manual_shows_each_kind_of_refusal(self):
        shown = re.findall(r"^`(\w+)`:", MANUAL.read_text("utf-8"), re.MULTILINE)
        self.assertEqual(shown, ["EmptyTable", "UnclearTable", "TooLarge", "TableError"])


class Messages(unittest.TestCase):
    def test_a_message_says_where_what_and_what_to_do(self):
        found = problems.problem(problems.BARE_QUOTE, 7, 2)
        self.assertEqual((found.code, found.column), ("bare-quote", 2))
        self.assertEqual(
            found.message,
            "Damaged row (line 7, column 2): a quote stands inside a cell that does not begin"
            " with one. Put the cell into quotes and double the quote inside.",
        )

    def test_without_a_column_only_the_line_is_told(self):
        found = problems.problem(problems.OTHER_DELIMITER, 7, detail="tabs")
        self.assertTrue(found.message.startswith("Damaged row (line 7): its cells are divided by"))
        self.assertIn("divided by tabs,", found.message)
        self.assertIsNone(found.column)

    def test_no_message_leaves_a_gap(self):
        for code in set(problems.CODES) - {problems.TOO_FEW_CELLS, problems.TOO_MANY_CELLS}:
            with self.subTest(code=code):
                message = problems.problem(code, 7, detail="X").message
                self.assertNotRegex(message, r"[{}]|  ")
                self.assertRegex(message, r"^Damaged row \(line 7\): \w.*\. [A-Z].*\.$")

    def test_the_number_of_cells_tells_the_code(self):
        self.assertEqual(problems.count_problem(1, 3, 7).code, problems.TOO_FEW_CELLS)
        self.assertEqual(problems.count_problem(4, 3, 7).code, problems.TOO_MANY_CELLS)
        self.assertIn(": 1 cell instead of 3;", problems.count_problem(1, 3, 7).message)
        self.assertIn(": 4 cells instead of 3;", problems.count_problem(4, 3, 7).message)

    def test_refusals_are_shown_to_people(self):
        for error in (problems.EmptyTable, problems.UnclearTable):
            self.assertTrue(issubclass(error, Refused))
