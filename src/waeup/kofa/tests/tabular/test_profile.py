"""Profiles: what rows look like, and what is unlike them."""

import unittest

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.shapes import is_figure

ROWS = [
    ("BIO-1", "Biology", "3", "2024-01-12"),
    ("CHE-2", "Chemistry of life", "4", "2024-02-15"),
    ("LAW-3", "Law", "12", "2024-02-17"),
    ("MED-4", "Medicine", "5", "2024-03-01"),
    ("ART-5", "Arts, music", "3", "2024-03-02"),
    ("PHY-6", "Physics", "3", "2024-03-05"),
]
NAMES = ("code", "title", "credits", "begins")


class Kinds(unittest.TestCase):
    def test_values_of_the_kind_of_their_column(self):
        for values, good, bad in (
            ("1 22 333", "-4", "x"),
            ("1.5 2,25 3", "1e5", "1-2"),
            ("2024-01-12 2024-02-01 2024-03-01", "1999-12-31T10:30:00Z", "12:30"),
            ("10:30 11:45 12:00", "9:15", "1030"),
            ("a@x.org b@y.org c@z.org", "d@u.example.org", "a at x.org"),
            ("http://a/ http://b/ ftp://c/", "https://d/x", "d"),
            ("B-1 C-22 D-3", "EE-444", "B1"),
        ):
            with self.subTest(values=values):
                column = Column(values.split(" "))
                self.assertTrue(all(map(column.fits, values.split(" "))))
                self.assertTrue(column.fits(good))
                self.assertTrue(column.fits(""))
                self.assertFalse(column.fits(bad))

    def test_words_are_of_no_kind(self):
        column = Column(["Ada", "Bob", "x1y", "a-b"])
        self.assertIsNone(column.kind)
        self.assertTrue(column.fits("12"))

    def test_one_value_is_too_few(self):
        self.assertIsNone(Column(["12"]).kind)
        self.assertIsNone(Column(["", "12", " "]).kind)

    def test_a_damaged_value_among_many_changes_nothing(self):
        self.assertFalse(Column(["1"] * 20 + ["oops"]).fits("x"))

    def test_figures(self):
        for text in ("1", "-2,5", "12:30", "2024-01-01", "50%", "$ 3", "1'000.00"):
            self.assertTrue(is_figure(text), text)
        for text in ("", "a", "1a", "N/A", "12 Ring Road", '5"'):
            self.assertFalse(is_figure(text), text)


class Profiles(unittest.TestCase):
    def setUp(self):
        self.profile = Profile(ROWS, 4)

    def test_what_does_not_fit(self):
        self.assertEqual(self.profile.typed, [0, 2, 3])
        self.assertEqual(self.profile.misfits(("ART-9", "7", "x", "")), [2])

    def test_names_and_rows(self):
        self.assertIs(self.profile.are_names(NAMES), True)
        self.assertIs(self.profile.are_names(("ENG-7", "English", "3", "2024-05-01")), False)

    def test_nothing_speaks_for_names_or_a_row(self):
        self.assertIsNone(Profile([("Ada", "Jos")], 2).are_names(("name", "town")))

    def test_running_text_is_no_row(self):
        self.assertTrue(self.profile.is_like_a_row(ROWS[2]))
        self.assertFalse(self.profile.is_like_a_row(("or so", " he said", " and", " went")))
