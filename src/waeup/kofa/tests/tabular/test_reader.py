"""Sound tables in all their forms, and tables that are refused as a whole."""

import csv
import gzip
import os
import pathlib
import tracemalloc

from waeup.kofa.errors import TableError
from waeup.kofa.tabular import Dialect, EmptyTable, UnclearTable, check_header, open_table
from waeup.kofa.tabular.reader import SAMPLE
from waeup.kofa.tabular.source import BLOCK
from waeup.kofa.tests.tabular.files import FileTestCase


class SoundTables(FileTestCase):
    def test_rows_have_numbers_lines_and_cells(self):
        rows = self.rows("code,title\nBIO,Biology\nCHE,Chemistry\n")
        self.assertEqual(
            [tuple(row) for row in rows],
            [
                (1, 2, ("BIO", "Biology"), None, None),
                (2, 3, ("CHE", "Chemistry"), None, None),
            ],
        )

    def test_a_byte_order_mark_is_no_part_of_the_header(self):
        with open_table(self.file(b"\xef\xbb\xbfcode,title\nBIO,Biology\n")) as table:
            self.assertEqual(table.header, ("code", "title"))
            self.assertEqual(table.encoding, "utf-8")

    def test_a_byte_order_mark_before_a_quoted_name(self):
        with open_table(self.file(b'\xef\xbb\xbf"code","title"\nBIO,Biology\n')) as table:
            self.assertEqual(table.header, ("code", "title"))

    def test_line_ends_crlf_lf_and_cr(self):
        for end in ("\r\n", "\n", "\r"):
            with self.subTest(end=end):
                content = end.join(["a,b", "1,2", "3,4", ""])
                self.assertEqual(self.values(content), [("1", "2"), ("3", "4")])

    def test_the_last_line_needs_no_end(self):
        self.assertEqual(self.values("a,b\n1,2"), [("1", "2")])

    def test_no_other_character_ends_a_line(self):
        text = "x\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029y"
        self.assertEqual(self.values(f"a,b\n1,{text}\n"), [("1", text)])

    def test_quoted_cells_keep_delimiters_quotes_and_line_ends(self):
        self.assertEqual(
            self.values('a,b\n"1,5","say ""hi"""\n"two\r\nlines",""\n'),
            [("1,5", 'say "hi"'), ("two\r\nlines", "")],
        )

    def test_the_line_is_the_one_where_the_row_begins(self):
        rows = self.rows('a,b\n1,"x\ny\nz"\n2,z\n')
        self.assertEqual([(row.number, row.line) for row in rows], [(1, 2), (2, 5)])

    def test_blank_lines_are_no_rows_but_count_as_lines(self):
        rows = self.rows("\n \na,b\n\n1,2\n,\n , \n3,4\n\n")
        self.assertEqual(
            [(row.number, row.line, row.values) for row in rows],
            [(1, 5, ("1", "2")), (2, 8, ("3", "4"))],
        )

    def test_a_row_of_quoted_empty_cells_is_a_row(self):
        self.assertEqual(self.values('a,b\n"",""\n'), [("", "")])
        self.assertEqual(self.values('a\n""\n1\n'), [("",), ("1",)])

    def test_a_row_whose_first_cell_is_empty_is_a_row(self):
        self.assertEqual(self.values("a,b\n,2\n ,3\n"), [("", "2"), (" ", "3")])

    def test_blanks_around_cells_are_kept(self):
        self.assertEqual(self.values("a,b\n 1 ,\t2\n"), [(" 1 ", "\t2")])

    def test_a_single_column(self):
        self.assertEqual(self.values("name\nada\n\nbob;x\n"), [("ada",), ("bob;x",)])

    def test_a_table_of_many_blocks_equals_what_csv_reads(self):
        lines = [f'{n},"name {n}",{"x" * (n % 50)},"two\r\n{n}"\r\n' for n in range(5000)]
        path = self.file("a,b,c,d\r\n" + "".join(lines))
        self.assertGreater(os.path.getsize(path), 5 * BLOCK)
        with open(path, newline="") as stream:
            expected = [tuple(row) for row in csv.reader(stream)][1:]
        with open_table(path) as table:
            rows = list(table)
        self.assertEqual([row.values for row in rows], expected)
        self.assertEqual([row.line for row in rows], [2 + 2 * n for n in range(5000)])
        self.assertEqual([row.number for row in rows], list(range(1, 5001)))

    def test_a_block_that_ends_within_a_character_or_a_crlf(self):
        for shift in range(8):
            with self.subTest(shift=shift):
                filler = "é" * (BLOCK // 2 - 8)
                content = f"{'a' * (shift + 1)},b\r\n{filler},é\r\n1,2\r\n"
                rows = self.rows(content)
                self.assertEqual([row.values for row in rows], [(filler, "é"), ("1", "2")])
                self.assertEqual([row.line for row in rows], [2, 3])

    def test_a_cell_longer_than_the_limit_of_the_csv_module(self):
        text = "x" * (csv.field_size_limit() + 1)
        self.assertEqual(self.values(f'a,b\n1,"{text}"\n2,{text}\n')[0], ("1", text))

    def test_the_progress_reaches_the_size(self):
        path = self.file("a,b\n" + "1,2\n" * SAMPLE)
        with open_table(path) as table:
            next(table)
            self.assertTrue(0 < table.bytes_read < table.size)
            for _row in table:
                pass
            self.assertEqual(table.bytes_read, table.size)

    def test_reading_goes_on_where_a_loop_was_left(self):
        with open_table(self.file("a,b\n1,2\n3,4\n")) as table:
            for _row in table:
                break
            self.assertEqual(next(table).values, ("3", "4"))

    def test_memory_does_not_grow_with_the_file(self):
        """Behind the sample; a file that is shorter takes less."""

        def peak(size):
            line = "1234567890,abcdefghij,klmnopqrst\n"
            path = self.file("a,b,c\n" + line * (size // len(line)))
            tracemalloc.start()
            try:
                with open_table(path) as table:
                    for _row in table:
                        pass
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        self.assertLess(peak(6 * SAMPLE), 1.2 * peak(2 * SAMPLE))


class TrailingDelimiters(FileTestCase):
    """A delimiter behind the last cell of each line, names included."""

    def test_it_is_no_column(self):
        for content in (
            "a,b,\n1,2,\n\n3,,\n\n",
            "a,b,\n1,2,\n3,,\n",
            'a,b,\r\n"1",2,\r\n3,"",\r\n',
            "a,b,\n1,2,\n3,,",
        ):
            with self.subTest(content=content), open_table(self.file(content)) as table:
                self.assertEqual(table.header, ("a", "b"))
                self.assertEqual([row.values for row in table], [("1", "2"), ("3", "")])

    def test_what_stands_behind_it_is_damage(self):
        content = "a,b,\n" + "1,2,\n" * 700 + "5,6,7\n"
        with open_table(self.file(content)) as table:
            *rows, last = list(table)
        self.assertEqual({row.problem for row in rows}, {None})
        self.assertEqual((last.values, last.problem.code), (("5", "6", "7"), "too-many-cells"))

    def test_a_column_without_a_name_is_one(self):
        with open_table(self.file("a,b,\n1,2,3\n4,5,\n")) as table:
            self.assertEqual(table.header, ("a", "b", ""))


class PendingFiles(FileTestCase):
    """Files with the reasons in them: whoever sends one again has read them."""

    ROWS = "".join(
        f"K10{at},{name},{at}\n" for at, name in enumerate(("Ada", "Bob", "Eve", "Ife"))
    )
    ODD = "K1,05Ada,5\n"

    def test_what_looked_odd_is_meant(self):
        codes = [code for _cells, code in self.outcome(f"id,name,age\n{self.ROWS * 3}{self.ODD}")]
        self.assertEqual(codes, [None] * 12 + ["shifted-cells"])
        reviewed = f"id,name,age\n{self.ROWS * 3}{self.ODD}".replace("\n", ",\n").replace(
            "age,", "age,--ERRORS--"
        )
        self.assertEqual({code for _cells, code in self.outcome(reviewed)}, {None})

    def test_a_last_row_without_a_line_end(self):
        content = "id,--ERRORS--,age\n" + "1,x,20\n" * 9 + "2,x,2"
        self.assertEqual({code for _cells, code in self.outcome(content)}, {None})

    def test_damage_is_damage(self):
        content = 'id,--ERRORS--\n1,x\n2\n3,"x\n4,x\n5,x,y\n6,x\n'
        codes = [code for _cells, code in self.outcome(content)]
        self.assertEqual(
            codes, [None, "too-few-cells", "unclosed-quote", None, "too-many-cells", None]
        )


class Dialects(FileTestCase):
    def dialect(self, content):
        with open_table(self.file(content)) as table:
            return table.dialect

    def test_each_delimiter_is_found(self):
        for delimiter in ",;\t|":
            with self.subTest(delimiter=delimiter):
                content = "a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter)
                self.assertEqual(self.dialect(content), Dialect(delimiter))
                self.assertEqual(self.values(content), [("1", "2", "3"), ("4", "5", "6")])

    def test_decimal_commas_do_not_confuse(self):
        self.assertEqual(self.dialect("name;score\nada;1,5\nbob;2,5\n").delimiter, ";")

    def test_delimiters_inside_quotes_do_not_count(self):
        self.assertEqual(self.dialect('a,b\n"x;y;z",1\n"p;q;r",2\n').delimiter, ",")

    def test_damaged_rows_do_not_decide(self):
        self.assertEqual(self.dialect("a;b\n1;2\n3\n4;5\n6;7;8\n9;0\n").delimiter, ";")

    def test_one_column_is_taken_as_commas(self):
        self.assertEqual(self.dialect("name\nada\nbob;x\n"), Dialect())

    def test_a_header_alone_is_enough(self):
        with open_table(self.file("a;b;c\n"), rows_required=False) as table:
            self.assertEqual(table.header, ("a", "b", "c"))

    def test_a_given_dialect_overrides(self):
        rows = self.values("a,b;c\n'1;5';'it''s'\n", dialect=Dialect(";", "'"))
        self.assertEqual(rows, [("1;5", "it's")])

    def test_impossible_dialects_are_refused(self):
        path = self.file("a,b\n1,2\n")
        for dialect in (
            Dialect("", '"'),
            Dialect(",,", '"'),
            Dialect("\n"),
            Dialect(",", ","),
            Dialect("x"),
        ):
            with self.subTest(dialect=dialect), self.assertRaises(TableError):
                open_table(path, dialect=dialect)

    def test_any_other_delimiter_can_be_given(self):
        for delimiter in "^]-\\.~ ":
            with self.subTest(delimiter=delimiter):
                rows = self.values(
                    'a,b\n"1,",2\nx,y""\n'.replace(",", delimiter).replace('y""', '"y"""'),
                    dialect=Dialect(delimiter),
                )
                self.assertEqual(rows, [("1" + delimiter, "2"), ("x", 'y"')])


class RefusedTables(FileTestCase):
    def refusal(self, content, **options):
        with (
            self.assertRaises(TableError) as caught,
            open_table(self.file(content), **options) as table,
        ):
            for _row in table:
                pass
        return str(caught.exception)

    def test_an_empty_file(self):
        for content in ("", b"\xef\xbb\xbf", "\n", "\r\n \r\n,,\r\n"):
            with self.subTest(content=content), self.assertRaises(EmptyTable) as caught:
                open_table(self.file(content))
            self.assertIn("table.csv is empty.", str(caught.exception))

    def test_a_header_without_rows_can_be_looked_at_but_not_read(self):
        with open_table(self.file("a,b\n\n,\n")) as table:
            self.assertEqual(table.header, ("a", "b"))
            with self.assertRaisesRegex(TableError, "has a header and no rows"):
                next(table)

    def test_a_header_without_rows_where_none_are_required(self):
        with open_table(self.file("a,b\n"), rows_required=False) as table:
            self.assertEqual(list(table), [])

    def test_a_damaged_header(self):
        for line, content in ((2, '\na,b"c\n1,2\n'), (1, 'a,"b\n1,2\n')):
            with self.subTest(content=content):
                message = self.refusal(content)
                self.assertIn(f"Line {line} of table.csv, its header, is damaged", message)

    def test_a_header_with_characters_that_are_no_text(self):
        for content in (b"a,b\0\n1,2\n", b"a,b\xff\xfe\n1,\xc3\xa9\xc3\xa9\n", b"\0" * 9999):
            with self.subTest(content=content[:9]):
                self.assertIn("line 1 holds characters that are no text", self.refusal(content))

    def test_a_header_that_cannot_be_read_for_certain(self):
        """A row in a guessed encoding is damaged; a name decides about all rows."""
        names = "код,имя,город\n".encode("koi8-r")
        with self.assertRaisesRegex(UnclearTable, "cannot be read for certain"):
            open_table(self.file(names + b"1,2,3\n"))
        with open_table(self.file(names + b"1,2,3\n"), "koi8-r") as table:
            self.assertEqual(table.header, ("код", "имя", "город"))

    def test_a_container_is_no_text(self):
        self.assertIn("a container", self.refusal(gzip.compress(b"a,b\n1,2\n")))

    def test_a_first_row_of_figures_is_no_header(self):
        self.assertIn("looks like a row", self.refusal("1,2\n3,4\n5,6\n"))

    def test_an_unknown_encoding(self):
        for encoding in ("klingon", "hex", "rot13", "a\0b", ""):
            with self.subTest(encoding=encoding):
                message = self.refusal("a,b\n1,2\n", encoding=encoding)
                self.assertIn("is no text encoding", message)

    def test_nothing_stays_open_after_a_refusal(self):
        before = len(os.listdir("/proc/self/fd"))
        self.refusal("")
        self.refusal("a,b\n")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_missing_file_is_an_oserror(self):
        with self.assertRaises(FileNotFoundError):
            open_table(str(pathlib.Path(self.folder, "none.csv")))


class Own(FileTestCase):
    """Tables by `TableWriter`: nothing is guessed, nothing doubted."""

    def test_all_is_what_the_writer_writes(self):
        path = self.file("a;b\r\n1;2\r\n3;4\r\n5;6\r\n")
        with open_table(path, own=True) as table:
            self.assertEqual((table.header, table.dialect), (("a;b",), Dialect()))
            self.assertEqual(table.encoding, "utf-8")

    def test_rows_that_look_odd_are_rows(self):
        for rows in ("1,2", "a,b", "3", "'x','y'", "1;2;3", "Ã©,2"):
            with self.subTest(rows=rows):
                content = "a,b\r\n" + "7,8\r\n" * 9 + f"{rows}\r\n"
                found = self.outcome(content, own=True)[-1]
                expected = None if "," in rows else "too-few-cells"
                self.assertEqual(found, (tuple(rows.split(",")), expected))

    def test_the_last_row_may_lack_its_line_end(self):
        content = "a,b\r\n" + "7,2024-01-01\r\n" * 9 + "7,2024-01"
        self.assertEqual(self.outcome(content, own=True)[-1], (("7", "2024-01"), None))
        self.assertEqual(self.outcome(content)[-1][1], "cut-off")

    def test_a_damaged_header_is_refused(self):
        with self.assertRaises(TableError):
            open_table(self.file('a,b"c\r\n1,2\r\n'), own=True)


class Headers(FileTestCase):
    def test_different_names_are_fine(self):
        check_header(("a", "b", "--IGNORE--", "--IGNORE--"))

    def test_a_name_that_stands_twice(self):
        with self.assertRaises(TableError) as caught:
            check_header(("a", "b", "a", "b", "c"), "x.csv")
        self.assertEqual(
            str(caught.exception),
            "Double headers: each column name may only appear once. x.csv has more than"
            " one column 'a' (1 and 3), 'b' (2 and 4). Rename or remove the others.",
        )

    def test_columns_without_a_name_are_told_by_position(self):
        with self.assertRaisesRegex(TableError, "columns without a name: 2, 4"):
            check_header(("a", "", "b", "  "))
