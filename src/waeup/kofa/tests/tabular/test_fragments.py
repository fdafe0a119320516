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

    def test_a_row_that_begins_twice(self):
        for at, cells in (
            (1, row(town="JoR-99/B", seats="Jos", since="40")),
            (2, row(seats="4R-99/B")),
        ):
            self.assertEqual(broken_value(ROOMS, cells), at, cells)

    def test_first_values_that_stand_in_others(self):
        rooms = [(f"R-{at}", "Jos", f"door of R-{at}") for at in range(10, 20)]
        self.assertIsNone(broken_value(Profile(rooms, 3), ("R-99", "Kano", "door of R-99")))

    def test_a_number_is_no_address(self):
        mails = Profile([(str(at), f"{at * 'a'}@example.org") for at in range(1, 10)], 2)
        self.assertEqual(broken_value(mails, ("0", "700")), 1)
        self.assertIsNone(broken_value(mails, ("10", "none")))

    def test_two_values_in_a_cell(self):
        mails = Profile([("a" * at + "@example.org", f"x{at}") for at in range(1, 10)], 2)
        for text, at in (
            ('ada@example.org"bob@example.org', 0),
            ("ada@example.orgbob@example.org", 0),
            ("ada@example.org, bob@example.org", None),
            ("ada@example.org;bob@example.org", None),
            ("unknown", None),
        ):
            self.assertEqual(broken_value(mails, (text, "x9")), at, text)

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


class SoundTables(unittest.TestCase):
    """Tables whose later rows are not like those at the top."""

    def check(self, top, later, most=0):
        profile = Profile([(value, f"x{at}") for at, value in enumerate(top)], 2)
        broken = [value for value in later if broken_value(profile, (value, "y")) is not None]
        self.assertLessEqual(len(broken), most, broken)

    def test_codes_of_other_lengths(self):
        top = [f"{word}{at}" for at in range(100, 110) for word in ("ACC", "BIO", "ENG")]
        self.check(top, [f"{word}{at}" for at in range(100, 200) for word in ("FA", "MATH")])

    def test_amounts(self):
        top = [f"{at}.50" for at in range(100, 120)]
        self.check(top, ["1,002.00", "-977.80", "539", "7.25", "0.5", "12000.00"] * 20)

    def test_dates_and_times(self):
        self.check([f"10:{at}" for at in range(10, 40)], ["10:30:15", "9:15"] * 20)
        self.check([f"2024-05-{at}" for at in range(10, 30)], ["2024-05-05 10:00"] * 20)

    def test_numbers_with_units(self):
        self.check([str(at) for at in range(20, 90)], ["30min", "40 hours", "50*", "60 (late)"])

    def test_an_apostrophe_in_front_of_figures_and_signs(self):
        # So exports guard texts that look like numbers.
        self.check(["12", "12", "14"], ["'12", "'15"])
        self.check(["=1", " a ", "a"], ["'=1", "' a "])
        self.check(["\uff1d1", "\uff20a", "a"], ["'\uff1d1", "'\uff20a"])

    def test_a_second_form_is_doubted_some_times_only(self):
        top = [f"BIO{at}" for at in range(100, 130)]
        self.check(top, [f"BIO{at}L" for at in range(100, 300)], most=10)

    def test_a_long_cell_is_no_trouble(self):
        self.check([str(at) for at in range(20, 90)], ["9" * 1_000_000 + "<x>"])


class IncompleteRows(unittest.TestCase):
    def test_a_total(self):
        self.assertTrue(is_incomplete(ROOMS, ("Total", "", "960", "")))
        self.assertTrue(is_incomplete(ROOMS, ("", "", "Sum: 960", "")))

    def test_a_total_of_a_small_table(self):
        """Its word stands among few, and must not make them look like any words."""
        total = ("Total", "", "340", "")
        rows = [(("AAA", "BBB", "CCC", "DDD")[at % 4], f"x{at}", "9", "y") for at in range(8)]
        self.assertTrue(is_incomplete(Profile([*rows, total], 4), total))
        self.assertFalse(is_incomplete(Profile(rows, 4), ("AAA", "", "9", "")))

    def test_a_row_with_gaps(self):
        self.assertFalse(is_incomplete(ROOMS, row(town="", since="")))
        self.assertFalse(is_incomplete(ROOMS, SOUND))

    def test_gaps_are_usual_in_some_tables(self):
        sparse = Profile([("a", "", ""), ("b", "", "1"), ("c", "x", ""), ("d", "", "")] * 3, 3)
        self.assertFalse(is_incomplete(sparse, ("Total", "", "")))
