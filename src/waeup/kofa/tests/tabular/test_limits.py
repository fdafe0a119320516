"""Limits: what exceeds them is refused, and what reaches them is not."""

from unittest import mock

from waeup.kofa.errors import TooLarge
from waeup.kofa.tabular import Limits, open_table
from waeup.kofa.tests.tabular.files import FileTestCase

TABLE = "a,b,c\n" + "x,y,z\n" * 5


class Limited(FileTestCase):
    def refusal(self, content, **limits):
        with (
            self.assertRaises(TooLarge) as caught,
            open_table(self.file(content), limits=Limits(**limits)) as table,
        ):
            for _row in table:
                pass
        return str(caught.exception)

    def test_columns(self):
        self.assertEqual(
            self.refusal(TABLE, columns=2),
            "table.csv has 3 columns, and 2 are allowed. Remove columns, check the delimiter,"
            " or have the limit raised.",
        )
        self.assertEqual(len(self.rows(TABLE, limits=Limits(columns=3))), 5)

    def test_as_many_columns_as_are_allowed_by_default(self):
        names = ",".join(f"c{n}" for n in range(1000))
        (row,) = self.values(f"{names}\n{','.join('x' * 1000)}\n")
        self.assertEqual(len(row), 1000)
        self.assertIn("1,001 columns, and 1,000 are allowed", self.refusal(f"{names},more\n"))

    def test_too_many_columns_are_refused_before_they_are_looked_at(self):
        looks = "waeup.kofa.tabular.heading.learn"
        for line in (None, 1):
            with (
                self.subTest(line=line),
                mock.patch(looks, side_effect=AssertionError("looked at")),
                self.assertRaises(TooLarge),
            ):
                open_table(self.file("code," * 2000 + "title\n1\n"), header_line=line)

    def test_a_header_that_does_not_end_is_refused_before_the_file_is_read(self):
        for content, line in (
            ("x," * 30_000 + "y\n1,2\n", 1),
            ("x" * 9_000_000, 1),
            ("\ufeff" + "x" * 9_000_000 + "\n1,2\n", 1),
        ):
            with self.subTest(content[:9]):
                self.assertIn(
                    f"line {line} has more than 4,000 characters", self.refusal(content, line=4000)
                )

    def test_a_line_that_does_not_end_is_not_read_for_the_header(self):
        path = self.file("code,title\n" + "A,x\n" * 9 + "y" * 9_000_000)
        with open_table(path) as table:
            self.assertLess(table.bytes_read, 5_000_000)
            self.assertEqual(len([row for row in table if row.problem is None]), 9)

    def test_columns_without_names_and_values_do_not_count(self):
        table = f"a,b{',' * 3000}\n1,2{',' * 3000}\n"
        self.assertEqual(self.values(table), [("1", "2")])

    def test_rows(self):
        self.assertIn("has more than 4 rows", self.refusal(TABLE, rows=4))
        self.assertEqual(len(self.rows(TABLE, limits=Limits(rows=5))), 5)

    def test_rows_of_a_large_file_are_refused_before_its_end(self):
        with open_table(self.file(TABLE * 50_000), limits=Limits(rows=99_000)) as table:
            with self.assertRaises(TooLarge):
                for _row in table:
                    pass
            self.assertLess(table.bytes_read, table.size)

    def test_a_line_that_is_too_long_is_damage(self):
        for text in ("x" * 3_000, "x," * 3_000):
            with self.subTest(start=text[:4]):
                rows = self.rows("a,b\n1,2\n" + text * 40 + "\n3,4\n", limits=Limits(line=40_000))
                self.assertEqual(rows[1].problem.code, "line-too-long")
                self.assertLess(len(rows[1].raw), 2_000)
                self.assertEqual([rows[0].values, rows[2].values], [("1", "2"), ("3", "4")])
                self.assertEqual([row.line for row in rows], [2, 3, 4])
