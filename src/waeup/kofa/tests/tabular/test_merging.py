"""Merged tables: all columns, all rows, and headers only where they can be trusted."""

from waeup.kofa.errors import TableError
from waeup.kofa.tabular import merge_tables, open_table, read_header
from waeup.kofa.tests.tabular.files import FileTestCase


class ReadHeader(FileTestCase):
    def header(self, content):
        return read_header(self.file(content))

    def test_a_header_with_or_without_rows(self):
        self.assertEqual(self.header("a,b\r\n"), ("a", "b"))
        self.assertEqual(self.header("a,b\r1,2"), ("a", "b"))

    def test_no_header_that_can_be_trusted(self):
        for content in ("", "\n", "\r\n\r\n", "blah", "a,b", '"a\nb"'):
            with self.subTest(content=content):
                self.assertIsNone(self.header(content))

    def test_result_files_have_commas(self):
        self.assertEqual(self.header("a;b\n1;2\n"), ("a;b",))

    def test_a_damaged_header_is_an_error_so_that_rows_are_not_lost(self):
        for content in ('a,b"c\n1,2\n', 'a,"b\n1,2\n', b"a,\x92\n1,2\n"):
            with self.subTest(content=content), self.assertRaises(TableError):
                self.header(content)


class MergeTables(FileTestCase):
    def merge(self, *contents, **options):
        paths = [self.file(content, f"{at}.csv") for at, content in enumerate(contents)]
        merge_tables(paths, self.path("merged.csv"), **options)
        return self.content(self.path("merged.csv")).decode()

    def test_the_same_columns(self):
        self.assertEqual(self.merge("a,b\r\n1,2\r\n", "a,b\r\n3,4\r\n"), "a,b\r\n1,2\r\n3,4\r\n")

    def test_the_same_columns_in_another_order(self):
        self.assertEqual(self.merge("b,a\n1,2\n", "a,b\n3,4\n"), "a,b\r\n2,1\r\n3,4\r\n")

    def test_other_columns(self):
        self.assertEqual(
            self.merge("name,age\nada,36\n", "name,town\nbob,Ibadan\n"),
            "age,name,town\r\n36,ada,\r\n,bob,Ibadan\r\n",
        )

    def test_a_header_without_rows_keeps_its_columns(self):
        self.assertEqual(self.merge("a,b\r\n", "c\r\n1\r\n"), "a,b,c\r\n,,1\r\n")

    def test_an_unterminated_line_contributes_no_columns(self):
        self.assertEqual(self.merge("blah", "blah"), "\r\n")
        self.assertEqual(self.merge("\r\n", "blah"), "\r\n")
        self.assertEqual(self.merge("blah", "a\n1\n"), "a\r\n1\r\n")

    def test_a_lone_line_end_contributes_no_columns(self):
        self.assertEqual(self.merge("\n", "\n"), "\r\n")
        self.assertEqual(self.merge("a,b\n1,2\n", "\n"), "a,b\r\n1,2\r\n")

    def test_the_last_row_needs_no_line_end(self):
        self.assertEqual(
            self.merge("name,age\nManfred,28", "name,age\nada,36\n"),
            "age,name\r\n28,Manfred\r\n36,ada\r\n",
        )

    def test_given_columns_decide_the_order(self):
        self.assertEqual(
            self.merge("b,a\n1,2\n", "a\n3\n", columns=["b", "a", "c"]),
            "b,a,c\r\n1,2,\r\n,3,\r\n",
        )

    def test_given_columns_must_hold_all(self):
        with self.assertRaisesRegex(ValueError, r"no place for the columns \['b'\]"):
            self.merge("a,b\n1,2\n", columns=["a"])

    def test_cells_that_are_missing_become_empty(self):
        self.assertEqual(self.merge("a,b,c\n1,2\n"), "a,b,c\r\n1,2,\r\n")

    def test_a_row_without_a_place_is_an_error(self):
        for row in ("1,2,3", '1,"2', '1,2"3'):
            with self.subTest(row=row), self.assertRaisesRegex(TableError, "Row 2 of 0.csv"):
                self.merge(f"a,b\n8,9\n{row}\n")

    def test_a_name_that_stands_twice_is_an_error(self):
        with self.assertRaisesRegex(TableError, "Double headers"):
            self.merge("a,b,a\n1,2,3\n")

    def test_rows_of_empty_cells_and_of_several_lines_are_kept(self):
        merged = self.merge('a,b\n"",""\n"x\ny",1\n', "c\n2\n")
        self.assertEqual(merged, 'a,b,c\r\n"","",""\r\n"x\ny","1",""\r\n,,2\r\n')
        with open_table(self.path("merged.csv")) as table:
            self.assertEqual(len(list(table)), 3)
