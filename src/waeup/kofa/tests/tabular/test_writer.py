"""What is written is sound, durable, and read back as it was."""

import csv
import io
import os
import stat

from hypothesis import example, given, settings
from hypothesis import strategies as st

from waeup.kofa.tabular import Dialect, TableWriter, open_table
from waeup.kofa.tabular.writer import row_writer
from waeup.kofa.tests.tabular.files import FileTestCase

# NUL and lone surrogates are no text; everything else is.
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)
TRICKY = st.lists(st.sampled_from(list("\"',;\r\n\t|x =#\ufeff\u2028\x85")), max_size=6).map(
    "".join
)
CELLS = TEXT | TRICKY


class Writing(FileTestCase):
    def write(self, columns, rows):
        path = self.path("written.csv")
        with TableWriter(path, columns) as writer:
            for row in rows:
                writer.write(row)
        return path

    def test_utf_8_without_mark_crlf_and_quotes_where_needed(self):
        path = self.write(("a", "b"), [("é", 'x"y'), ("1,5", "two\nlines"), ("", "2")])
        self.assertEqual(
            self.content(path),
            'a,b\r\né,"x""y"\r\n"1,5","two\nlines"\r\n,2\r\n'.encode(),
        )

    def test_rows_that_look_blank_are_quoted(self):
        path = self.write(("a", "b"), [("", ""), (" ", "\t")])
        self.assertEqual(self.content(path), b'a,b\r\n"",""\r\n" ","\t"\r\n')

    def test_no_columns_make_a_lone_line_end(self):
        self.assertEqual(self.content(self.write((), [])), b"\r\n")

    def test_a_row_of_another_width_is_refused(self):
        with TableWriter(self.path(), ("a", "b")) as writer:
            for row in ((), ("1",), ("1", "2", "3")):
                with self.subTest(row=row), self.assertRaises(ValueError):
                    writer.write(row)
        self.assertEqual(self.content(self.path()), b"a,b\r\n")

    def test_a_lone_surrogate_leaves_no_half_row(self):
        with TableWriter(self.path(), ("a", "b")) as writer:
            with self.assertRaises(UnicodeEncodeError):
                writer.write(("1", "\ud800"))
            writer.write(("2", "3"))
        self.assertEqual(self.content(self.path()), b"a,b\r\n2,3\r\n")

    def test_a_header_that_cannot_be_written_leaves_nothing_open(self):
        before = len(os.listdir("/proc/self/fd"))
        with self.assertRaises(UnicodeEncodeError):
            TableWriter(self.path(), ("a", "\ud800"))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    @settings(deadline=None, max_examples=200)
    @given(
        st.booleans(),
        st.integers(1, 4).flatmap(
            lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width))
        ),
    )
    @example(False, [["a", "b"], ["column0", "x"], ["'a", '"'], ["1,5", "\ufeff"], ["a", ""]])
    @example(False, [["a"], ["1 2"], ["column0"], ["é"]])
    def test_many_rows_are_written_as_single_ones(self, quote_all, rows):
        columns = [f"column{at}" for at in range(len(rows[0]) if rows else 1)]
        found = []
        for at_once in (True, False):
            with TableWriter(self.path(), columns, quote_all=quote_all) as writer:
                if at_once:
                    writer.write_all(rows)
                else:
                    for row in rows:
                        writer.write(row)
            found.append(self.content(self.path()))
        self.assertEqual(*found)

    @settings(deadline=None)
    @given(st.lists(CELLS, max_size=4), st.sampled_from(",;\t"))
    def test_quoted_rows_are_those_of_the_standard_library(self, cells, delimiter):
        ours, theirs = io.StringIO(newline=""), io.StringIO(newline="")
        row_writer(ours, (), delimiter=delimiter, quote_all=True)(cells)
        csv.writer(theirs, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(cells)
        self.assertEqual(ours.getvalue(), theirs.getvalue())

    def test_of_many_rows_either_all_are_written_or_none(self):
        with TableWriter(self.path(), ("a", "b")) as writer:
            with self.assertRaises(UnicodeEncodeError):
                writer.write_all([("1", "2"), ("1", "\ud800")])
            with self.assertRaisesRegex(ValueError, "2 cells; 1 were"):
                writer.write_all([("1", "2"), ("1",)])
            with self.assertRaisesRegex(ValueError, "NUL"):
                writer.write_all([("1", "2"), ("1", "\0")])
            writer.write_all([])
        self.assertEqual(self.content(self.path()), b"a,b\r\n")

    def test_the_length_is_that_of_the_file(self):
        with TableWriter(self.path(), ("a",)) as writer:
            self.assertEqual(writer.tell(), 3)
            writer.write(("é",))
            self.assertEqual(writer.sync(), 7)
            self.assertEqual(os.path.getsize(self.path()), 7)
        writer.close()

    def test_an_existing_file_is_emptied(self):
        self.file("old content\n" * 9)
        with TableWriter(self.path(), ("a",)):
            pass
        self.assertEqual(self.content(self.path()), b"a\r\n")

    def test_others_can_neither_read_nor_write_a_new_file(self):
        path = self.write(("a",), [])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & ~0o660, 0)

    @settings(deadline=None, max_examples=100)
    @given(
        st.integers(1, 4).flatmap(
            lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)
        )
    )
    @example([["", ""]])
    @example([["\r"], ["\n"], ["\r\n"], ['"'], [""], [" "]])
    def test_round_trip(self, rows):
        """`open_table` reads what was written, for any text."""
        columns = [f"column{at}" for at in range(len(rows[0]))]
        path = self.write(columns, rows)
        # One column may be many whose delimiter nobody named.
        for own in (True, False) if len(columns) > 1 else (True,):
            with open_table(path, own=own) as table:
                self.assertEqual(table.header, tuple(columns))
                self.assertEqual(table.dialect, Dialect())
                found = list(table)
            self.assertEqual([list(row.values) for row in found], rows)
            # What looks damaged may be meant; only of our own files that is known.
            problems = {row.problem for row in found} if own else {None}
            self.assertEqual(problems, {None})
