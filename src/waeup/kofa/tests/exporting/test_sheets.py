"""Exports as workbooks: what comes back through our own way in, and what is refused."""

import io
import math
import os
import re
import tempfile
import unittest
import zipfile
from datetime import date, datetime
from unittest import mock

import python_calamine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zope import schema

from waeup.kofa.conversion import FieldPlan
from waeup.kofa.errors import Refused, TooLarge
from waeup.kofa.exporting import sheets
from waeup.kofa.exporting.formats import Column, Form, open_sink
from waeup.kofa.exporting.sheets import sheet_name, unfit
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.tabular import Limits, open_table
from waeup.kofa.tabular.unpacking.workbooks import convert

XLSX = Form("xlsx")
PIECES = ("_x000D_", "_x005F_", "_", "x0041", "<r>", "</r>", "&", "http://x", "{=1}", "\U0001f600")
TRICKY = st.lists(
    st.sampled_from((*PIECES, *" '=\r\n\t\x01\x1f\x7f\x85\u2028\ufeff")), max_size=6
).map("".join)
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)

FIELDS = {
    "text": schema.Text(__name__="text", required=False),
    "integer": schema.Int(__name__="integer", required=False),
    "number": schema.Float(__name__="number", required=False),
    "decimal": schema.Decimal(__name__="decimal", required=False),
    "date": schema.Date(__name__="date", required=False),
}
PLANS = {name: FieldPlan(field) for name, field in FIELDS.items()}
COLUMNS = [Column(kind, kind) for kind in FIELDS]


def workbook(rows, columns=COLUMNS, name="students.csv"):
    """Return the bytes of a workbook."""
    stream = io.BytesIO()
    with open_sink(stream, columns, XLSX, name) as sink:
        for row in rows:
            sink.write(row)
    return stream.getvalue()


def read(content):
    """Return sheet, header and rows as an import gets them."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "students.xlsx")
        with open(path, "wb") as stream:
            stream.write(content)
        with (
            unpacked(path, Limits()) as plain,
            open_table(plain.path, encoding="utf-8", delimiter=",", quote='"') as table,
        ):
            return plain.sheet, list(table.header), [list(row.values) for row in table]


def read_at_once(content):
    """Return what `read` does, without a process for each workbook."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "students.csv")
        convert(io.BytesIO(content), "xlsx", path, "students.xlsx", None, Limits())
        with open_table(path, encoding="utf-8", delimiter=",", quote='"') as table:
            return list(table.header), [list(row.values) for row in table]


def typed(content):
    """Return the typed cells of a workbook."""
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    return book.get_sheet_by_index(0).to_python()


class Cells(unittest.TestCase):
    def test_what_becomes_of_cells(self):
        content = workbook(
            [
                ["007", "7", "7.5", "7.5", "2012-04-30#"],
                ["'=1+1", "-12", "3.0", "3", "1900-03-01#"],
                ["http://x.org", "9007199254740992", "1e+16", "-0.25", "9999-12-31#"],
            ]
        )
        self.assertEqual(
            typed(content)[1:],
            [
                ["007", 7.0, 7.5, 7.5, date(2012, 4, 30)],
                ["'=1+1", -12.0, 3.0, 3.0, date(1900, 3, 1)],
                ["http://x.org", 9007199254740992.0, 1e16, -0.25, date(9999, 12, 31)],
            ],
        )

    def test_what_no_number_and_no_date_stands_for_stays_a_text(self):
        rows = [
            ["", "+5", "12.50", "12.50", "1900-02-28#"],
            ["x", "007", "-0.0", "3.0", "2012-04-30"],
            ["x", "-0", "0.1000", "1e5", "2012-02-30#"],
            ["x", "9007199254740993", "1.0000000000000002", "1e400", "30.4.2012"],
            ["x", "5 ", "inf", "nan", "<IGNORE>"],
            ["x", "XXX", "1_0", "٣", "2012-04-30 10:00:00#"],
        ]
        self.assertEqual(typed(workbook(rows))[1:], rows)

    def test_look(self):
        content = workbook([["x", "1", "2", "3", "2012-04-30#"]], name="course_results.csv")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
            styles = archive.read("xl/styles.xml").decode()
        self.assertEqual(read(content)[0], "course_results")
        self.assertIn('<autoFilter ref="A1:E2"/>', sheet)
        self.assertIn('state="frozen"', sheet)
        self.assertRegex(sheet, r'<col min="1" max="1" width="16\.\d+" style="\d"')
        self.assertIn('formatCode="yyyy-mm-dd"', styles)
        self.assertIn("<b/>", styles)
        self.assertNotIn("<f>", sheet)

    def test_width_can_be_said(self):
        content = workbook([], [Column("a", width=42)])
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        self.assertRegex(sheet, r'width="42\.\d+"')

    def test_rows_of_empty_cells_are_no_records(self):
        content = workbook([["x", "", "", "", ""], [""] * 5, ["y", "", "", "", ""]])
        self.assertEqual([row[0] for row in read(content)[2]], ["x", "y"])

    def test_names_of_sheets(self):
        for name, expected in (
            ("students.csv", "students"),
            ("a[b]:c*d?e/f\\g", "a_b__c_d_e_f_g"),
            ("x" * 40, "x" * 31),
            ("\U0001f600" * 20, "\U0001f600" * 15),
            ("'a'.csv", "a"),
            ("", "Export"),
            ("History", "Export"),
        ):
            with self.subTest(name=name):
                self.assertEqual(sheet_name(name), expected)
                self.assertEqual(read(workbook([["1"]], [Column("a")], name))[0], expected)


class RoundTrips(unittest.TestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        st.lists(
            st.tuples(
                TEXT | TRICKY,
                st.none() | st.integers() | st.integers(-(2**54), 2**54),
                st.none() | st.floats(allow_nan=False, allow_infinity=False),
                st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=2),
                st.none() | st.dates(),
            ),
            min_size=1,
            max_size=30,
        )
    )
    @example([("\r\n", 2**53, 1e16, None, date(1900, 2, 28))])
    def test_values_come_back(self, rows):
        rows = [row for row in rows if not unfit(row[0])]
        cells = [
            [PLANS[kind].render(value) for kind, value in zip(FIELDS, row, strict=True)]
            for row in rows
        ]
        # What is no record keeps no value.
        kept = [i for i, row in enumerate(cells) if any(row)]
        if not kept:
            return
        header, found = read_at_once(workbook(cells))
        self.assertEqual(header, list(FIELDS))
        self.assertEqual(len(found), len(kept))
        for i, texts in zip(kept, found, strict=True):
            for kind, value, before, after in zip(FIELDS, rows[i], cells[i], texts, strict=True):
                plan = PLANS[kind]
                again = plan.convert(after, "create", False) if after else None
                self.assertEqual(again, plan.convert(before, "create", False) if before else None)
                if before:
                    self.assertEqual(again, value)
                    self.assertEqual(type(again), type(value))
                if kind in ("text", "integer", "decimal"):
                    self.assertEqual(after, before)
                if kind == "number" and before:
                    self.assertEqual(math.copysign(1, again), math.copysign(1, value))

    def test_moments_stay_texts(self):
        plan = FieldPlan(schema.Datetime(__name__="when"))
        cell = plan.render(datetime.fromisoformat("2012-04-30 14:05:06.789012+00:00"))
        self.assertEqual(
            read(workbook([[cell]], [Column("when", "date")]))[2],
            [[cell]],
        )


class Refusals(unittest.TestCase):
    def refused(self, kind, message, rows, columns=COLUMNS):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(kind, message):
            stream = io.BytesIO()
            try:
                with open_sink(stream, columns, XLSX, "a.csv", folder) as sink:
                    for row in rows:
                        sink.write(row)
            finally:
                self.assertEqual(os.listdir(folder), [])
                self.assertEqual(stream.getvalue(), b"")

    def test_characters(self):
        for text, words in (
            ("a\0b", "character U+0000"),
            ("a\ufffe", "character U+FFFE"),
            ("a\ud800", "character U+D800"),
            ("_x005F_x000D_", "'_x005F_x000D_', which a workbook takes for something else"),
            ("_x0041\r", r"'_x0041\r', which a workbook takes for something else"),
            ("<r>x</r>", "between '<r>' and '</r>'"),
        ):
            message = re.escape("A workbook cannot hold row 2, column 'text': the text ") + (
                f".*{re.escape(words)}.*Export as CSV instead"
            )
            with self.subTest(text=text):
                self.refused(Refused, message, [["x"] + [""] * 4, [text] + [""] * 4])
                self.refused(Refused, "the name of column 1", [], [Column(text)])

    def test_long_texts(self):
        longest = "\U0001f600" * 16_383 + "x"
        self.assertEqual(read(workbook([[longest]], [Column("a")]))[2], [[longest]])
        self.refused(
            TooLarge,
            "row 1, column 'a': the text has 32,768 characters, and 32,767 are possible",
            [[longest + "x"]],
            [Column("a")],
        )

    def test_rows_and_columns(self):
        with mock.patch.object(sheets, "MOST_SHEET_ROWS", 2):
            self.refused(TooLarge, "more than 2 rows.*Export as CSV", [["1"]] * 3, [Column("a")])
            self.assertEqual(len(read(workbook([["1"]] * 2, [Column("a")]))[2]), 2)
        self.refused(
            TooLarge, "16,385 columns.*16,384.*CSV", [], [Column(str(i)) for i in range(16_385)]
        )

    def test_a_row_of_another_width_is_an_error(self):
        self.refused(ValueError, "A row has 1 cells; 2 were given", [["1", "2"]], [Column("a")])

    def test_a_full_disk_while_rows_are_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            sink = open_sink(io.BytesIO(), [Column("a")], XLSX, "a.csv", folder)
            with (
                self.assertRaisesRegex(OSError, "full"),
                mock.patch("zipfile.ZipFile.write", side_effect=OSError(28, "full")),
                sink,
            ):
                sink.write(["1"])
            self.assertEqual(os.listdir(folder), [])
