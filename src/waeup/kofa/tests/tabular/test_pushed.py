"""Several rows of a small table, pushed by an empty cell in the same way."""

import unittest

from waeup.kofa.tabular.pushed import without_pushed
from waeup.kofa.tests.tabular.files import FileTestCase

HEADER = ("code", "title", "credits", "held")
COURSES = [
    (f"PHY10{at}", title, str(at % 4 + 2), f"2017-0{at % 9 + 1}-1{at % 10}")
    for at, title in enumerate(
        ["Anatomy", "Drama", "Fluid Mechanics", "Genetics", "Law", "Music", "Optics", "Statics"]
    )
]
MOVED = (1, 4, 6)

# Tables as offices have them, in which the cells of one column may be empty.
OPTIONAL = {
    "a middle name": [
        ("20411", "Okafor", "Ada", "Ngozi"),
        ("20412", "Bello", "Tunde", ""),
        ("20413", "Eze", "Peter", "Obi"),
        ("20414", "Eze", "Mary", ""),
        ("20415", "Musa", "Yusuf", "Ali"),
    ],
    "a title in front": [
        ("Dr", "Okafor", "Ada"),
        ("", "Bello", "Tunde"),
        ("Prof", "Eze", "Peter"),
        ("", "Eze", "Mary"),
        ("Dr", "Musa", "Yusuf"),
    ],
    "days of which one is not yet": [
        (f"B{at}", "2016-01-14", f"2016-02-1{at}", "" if at % 3 else "2016-03-01")
        for at in range(3, 8)
    ],
    "marks of those who were absent": [
        (f"1139{at}", f"1{at}", "" if at % 3 == 1 else "55", "40") for at in range(8)
    ],
    "the note, which a whole faculty does not have": [
        *[(name, f"School of {name}", "seen") for name in ("Arts", "Science", "Medicine") * 3],
        *[("Law", "School of Law", "")] * 3,
    ],
}


class PushedRows(unittest.TestCase):
    def assert_left_out(self, push, expected=MOVED):
        rows = [push(row) if at in MOVED else row for at, row in enumerate(COURSES)]
        kept = [row for at, row in enumerate(rows) if at not in expected]
        self.assertEqual(list(without_pushed(rows)), kept)

    def test_the_first_cell_lost(self):
        self.assert_left_out(lambda row: (*row[1:], ""))

    def test_an_empty_cell_in_front(self):
        self.assert_left_out(lambda row: ("", *row[:-1]))

    def test_an_empty_cell_within(self):
        self.assert_left_out(lambda row: (*row[:1], "", *row[1:-1]))

    def test_half_of_the_rows(self):
        gaps = {1: 1, 3: 1, 5: 2, 7: 2}
        rows = [
            (*row[: gaps[at]], "", *row[gaps[at] : -1]) if at in gaps else row
            for at, row in enumerate(COURSES)
        ]
        self.assertEqual(without_pushed(rows), rows[::2])

    def test_a_cell_left_empty(self):
        for at in range(4):
            self.assert_left_out(lambda row, at=at: (*row[:at], "", *row[at + 1 :]), ())

    def test_one_row_that_stands_in_its_place_tells_that_the_cell_may_be_empty(self):
        rows = [(*row[1:], "") if at in MOVED else row for at, row in enumerate(COURSES)]
        rows[2] = (*rows[2][:3], "")
        self.assertEqual(without_pushed(rows), rows)

    def test_no_more_rows_than_stand_in_their_places(self):
        rows = [(*row[1:], "") if at % 2 else row for at, row in enumerate(COURSES)]
        self.assertEqual(without_pushed(rows), rows)
        self.assertEqual(list(without_pushed(rows[:-1])), rows[::2])

    def test_tables_with_cells_that_may_be_empty(self):
        for name, rows in OPTIONAL.items():
            with self.subTest(name):
                self.assertEqual(without_pushed(rows), rows)

    def test_no_row(self):
        self.assertEqual(without_pushed([]), [])


class OneRow(FileTestCase):
    def test_a_lost_first_cell_where_the_last_one_may_be_empty(self):
        rows = [f"17{at},{28400 + at},{at * 3},{at % 2},{at}\n" for at in range(50, 70)]
        rows[4] = rows[4].replace(",54\n", ",\n")
        rows[11] = rows[11].partition(",")[2].replace("\n", ",\n")
        codes = [code for _cells, code in self.outcome("a,b,c,d,e\n" + "".join(rows))]
        self.assertEqual([at for at, code in enumerate(codes) if code], [11])

    def test_a_number_in_a_column_of_0_and_1_tells_of_an_empty_cell(self):
        rows = [f"17{at},{28400 + at},{at * 3},{at % 2},{at}\n" for at in range(50, 80)]
        for last, code in ((9, "shifted-cells"), (1, None)):
            row = f"1790,28480,,{last},0\n"
            found = self.outcome("a,b,c,d,e\n" + "".join([*rows, row]))
            self.assertEqual([code for _cells, code in found], [None] * 30 + [code], row)


class SeveralOfFewRows(FileTestCase):
    def outcome_of(self, rows):
        lines = [",".join(row) for row in (HEADER, *rows)]
        return self.outcome("\n".join(lines) + "\n")

    def test_each_is_told(self):
        for push in (
            lambda row: (*row[1:], ""),
            lambda row: ("", *row[:-1]),
            lambda row: (*row[:1], "", *row[1:-1]),
        ):
            rows = [push(row) if at in MOVED else row for at, row in enumerate(COURSES)]
            found = self.outcome_of(rows)
            codes = [code for _values, code in found]
            self.assertEqual([at for at, code in enumerate(codes) if code], list(MOVED))
            self.assertLessEqual(set(codes), {None, "shifted-cells", "incomplete-row"})

    def test_rows_without_the_last_value_are_rows(self):
        rows = [(*row[:3], "") if at in MOVED else row for at, row in enumerate(COURSES)]
        self.assertEqual(self.outcome_of(rows), [(row, None) for row in rows])


class DividedElsewhere(FileTestCase):
    header = ("code", "attempts", "credits", "name", "entry")
    names = ("Ada", "Tunde", "Peter", "Mary", "Yusuf") * 2

    def entries(self):
        amounts = ("30", "120", "240", "120", "30", "240", "120", "30", "240", "120")
        return [
            (f"B{at}00", str(at % 3), amounts[at], self.names[at], f"20{at % 3 + 10}")
            for at in range(10)
        ]

    def assert_told(self, rows, places):
        lines = [",".join(row) for row in (self.header, *rows)]
        codes = [code for _cells, code in self.outcome("\n".join(lines) + "\n")]
        found = [at for at, code in enumerate(codes) if code]
        self.assertEqual(found, places)

    def test_two_columns_of_few_numbers(self):
        for place in (0, 4, 8):
            rows = self.entries()
            code, _attempts, _credits, *rest = rows[place]
            rows[place] = (code, "01", "20", *rest)
            self.assert_told(rows, [place])

    def test_two_rows_with_words_and_years(self):
        rows = self.entries()
        for place in (0, 1):
            *front, name, year = rows[place]
            rows[place] = (*front, name + year[:2], year[2:])
        self.assert_told(rows, [0, 1])

    def test_a_new_number_is_in_its_place(self):
        self.assert_told(self.entries(), [])
        rows = self.entries()
        code, _attempts, _credits, *rest = rows[4]
        rows[4] = (code, "12", "60", *rest)
        self.assert_told(rows, [])

    def test_two_values_glued_where_the_next_cell_is_empty(self):
        rows = self.entries()
        *front, name, year = rows[0]
        rows[0] = (*front, name + year, "")
        self.assert_told(rows, [0])
