"""Fragments: values that were cut, that something was glued to, and rows with gaps."""

import unittest

from waeup.kofa.tabular.fragments import broken_value, is_incomplete
from waeup.kofa.tabular.profile import Profile

TOWNS = ("Jos", "Kano", "Lagos", "Aba")
ROOMS = Profile(
    [
        (f"R-{at + 10}/A", TOWNS[at % 4], str(at * 13 % 90 + 5), f"20{at + 10}-01-1{at % 10}")
        for at in range(24)
    ],
    4,
)
SOUND = ("R-99/B", "Jos", "40", "2024-01-11")


def row(**changes):
    """Return a sound row with other cells in it."""
    names = ("room", "town", "seats", "since")
    return tuple(changes.get(name, cell) for name, cell in zip(names, SOUND, strict=True))


class BrokenValues(unittest.TestCase):
    def test_sound_rows(self):
        for cells in (*ROOMS.rows, SOUND):
            self.assertIsNone(broken_value(ROOMS, cells))

    def test_pieces(self):
        for at, cells in (
            (0, row(room="R-9")),
            (0, row(room="99/B")),
            (3, row(since="2024-01")),
            (3, row(since="-11")),
        ):
            self.assertEqual(broken_value(ROOMS, cells), at, cells)

    def test_something_glued_to_a_value(self):
        for at, cells in (
            (0, row(room="R-99/B<html>")),
            (0, row(room="?R-99/B")),
            (2, row(seats="40<br>")),
            (3, row(since="2024-01-11R-98/A")),
            (1, row(town="J\x1fos")),
        ):
            self.assertEqual(broken_value(ROOMS, cells), at, cells)

    def test_unusual_values_are_whole(self):
        for cells in (
            row(room="R-100/B"),
            row(room="hall"),
            row(town="Ibadan"),
            row(town="Lagos-West"),
            row(seats="unknown"),
            row(seats="40 (about)"),
            row(seats="40*"),
            row(since=""),
        ):
            self.assertIsNone(broken_value(ROOMS, cells), cells)


class IncompleteRows(unittest.TestCase):
    def test_a_total(self):
        self.assertTrue(is_incomplete(ROOMS, ("Total", "", "960", "")))
        self.assertTrue(is_incomplete(ROOMS, ("", "", "Sum: 960", "")))

    def test_a_row_with_gaps(self):
        self.assertFalse(is_incomplete(ROOMS, row(town="", since="")))
        self.assertFalse(is_incomplete(ROOMS, SOUND))

    def test_gaps_are_usual_in_some_tables(self):
        sparse = Profile([("a", "", ""), ("b", "", "1"), ("c", "x", ""), ("d", "", "")] * 3, 3)
        self.assertFalse(is_incomplete(sparse, ("Total", "", "")))
