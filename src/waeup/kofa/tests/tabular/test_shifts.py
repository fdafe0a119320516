"""Shifted cells: a delimiter lost at one place and one too many at another."""

import unittest

from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.shifts import is_shifted

STUDENTS = Profile(
    [
        (f"K100{at:02}", name, given, f"199{at % 10}-03-1{at % 10}", sex, str(at * 7 % 100))
        for at, (name, given, sex) in enumerate(
            [
                ("Okafor", "Ada", "f"),
                ("Bello", "Tunde", "m"),
                ("Eze", "Ada", "f"),
                ("Okafor", "Peter", "m"),
                ("Bello", "Mary", "f"),
                ("Eze", "Peter", "m"),
            ]
            * 3
        )
    ],
    6,
)


class ShiftedCells(unittest.TestCase):
    def assert_shifted(self, cells):
        self.assertTrue(is_shifted(STUDENTS, cells), cells)

    def assert_in_place(self, cells):
        self.assertFalse(is_shifted(STUDENTS, cells), cells)

    def test_rows_like_the_others(self):
        for row in STUDENTS.rows:
            self.assert_in_place(row)

    def test_all_cells_one_column_further(self):
        self.assert_shifted(("Okafor", "Ada", "1990-03-11", "f", "7", ""))
        self.assert_shifted(("", "K10001", "Okafor", "Ada", "1990-03-11", "f"))

    def test_a_key_cut_in_two_and_the_last_cells_joined(self):
        self.assert_shifted(("K1", "0001", "Okafor", "Ada", "1990-03-11", "f7"))

    def test_the_first_cells_joined_and_the_last_cut_in_two(self):
        self.assert_shifted(("K10001Okafor", "Ada", "1990-03-11", "f", "4", "2"))

    def test_two_cells_between_the_places_of_the_damage(self):
        self.assert_shifted(("K10001", "Okafor", "A", "da", "1990-03-11f", "42"))

    def test_an_unusual_value_is_in_its_place(self):
        self.assert_in_place(("K10001", "Okafor", "Ada", "unknown", "f", "42"))
        self.assert_in_place(("K10001", "Okafor", "Ada", "unknown", "f", "absent"))
        self.assert_in_place(("K10001", "Adebayo", "Chidi", "1990-03-11", "x", "absent"))
        self.assert_in_place(("K10001", "Okafor", "", "1990-03-11", "", "absent"))

    def test_a_word_that_stands_among_figures_again_and_again_is_usual(self):
        marks = Profile(
            [("Ada", "A", "1"), ("Tunde", "B", "absent"), *[("Eze", "A", "3")] * 20], 3
        )
        self.assertEqual(marks.columns[2].likeness("absent"), -1)
        more = Profile([*marks.rows, ("Mary", "A", "absent")], 3)
        self.assertEqual(more.columns[2].likeness("absent"), 0)

    def test_a_key_beside_its_column(self):
        mails = Profile([(f"7{at}", f"7{at}@example.org") for at in range(10, 20)], 2)
        self.assertTrue(is_shifted(mails, ("0", "709")))
        self.assertFalse(is_shifted(mails, ("709", "unknown")))
        self.assertFalse(is_shifted(mails, ("709", "710")))
