"""A sheet of a workbook becomes a plain table, cell by cell."""

import datetime
import io
import re
import unittest
import zipfile
from decimal import Decimal

import xlwt
from hypothesis import assume, given
from hypothesis import strategies as st
from zope import schema

from waeup.kofa.conversion import converter_for
from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.tabular import Dialect, open_table
from waeup.kofa.tabular.unpacking import Limits, Unpacked, remedies, unpack
from waeup.kofa.tabular.unpacking.cells import text_of
from waeup.kofa.tests.tabular.containers import (
    CALC,
    UnpackingTestCase,
    cell,
    ods,
    xls,
    xlsx,
    xlsx_of,
    zipped,
)

DAY = datetime.date(2012, 4, 30)
MOMENT = datetime.datetime(2012, 4, 30, 14, 5, 6)
EMPTY = "<table:table-cell/>"


def converted(field, text):
    return converter_for(field).convert(text)


class CellTexts(unittest.TestCase):
    """Conversion reads back what stands in the cell."""

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers(self, value):
        assume(abs(value) > 1e-290 or value == 0)  # below, a decimal field refuses
        self.assertEqual(converted(schema.Float(), text_of(value)), value)
        self.assertEqual(float(converted(schema.Decimal(), text_of(value))), value)

    @given(st.integers(-(10**20), 10**20).map(float))
    def test_whole_numbers(self, value):
        self.assertEqual(float(converted(schema.Int(), text_of(value))), value)

    @given(st.dates())
    def test_dates(self, value):
        self.assertEqual(converted(schema.Date(), text_of(value)), value)

    @given(st.datetimes(min_value=datetime.datetime(1, 1, 2)))
    def test_moments(self, value):
        expected = value.replace(tzinfo=datetime.timezone.utc)
        self.assertEqual(converted(schema.Datetime(), text_of(value)), expected)

    def test_truth(self):
        for value in (True, False):
            self.assertIs(converted(schema.Bool(), text_of(value)), value)

    def test_forms(self):
        hour = datetime.timedelta(hours=1)
        for value, text in (
            (70.0, "70"),
            (-0.0, "0"),
            (1e22, "10000000000000000000000"),
            (0.1, "0.1"),
            (12, "12"),
            (datetime.time(14, 5), "14:05:00"),
            (26.5 * hour, "26:30:00"),
            (-0.25 * hour, "-0:15:00"),
            (datetime.timedelta(days=40, microseconds=5), "960:00:00.000005"),
            (True, "TRUE"),
            (" 007\n", " 007\n"),
        ):
            with self.subTest(text=text):
                self.assertEqual(text_of(value), text)


class Xlsx(UnpackingTestCase):
    def fill_values(self, workbook):
        sheet = workbook.add_worksheet()
        kinds = {
            name: workbook.add_format({"num_format": code})
            for name, code in {
                "day": "dd/mm/yy",
                "moment": "d.m.yyyy hh:mm",
                "time": "hh:mm:ss",
                "duration": "[h]:mm:ss",
                "percent": "0%",
                "text": "@",
            }.items()
        }
        sheet.write_row(0, 0, list("abcdefgh"))
        sheet.write_row(1, 0, [70, 69.5, -3, 1e-7, 12345678901])
        sheet.write_datetime(2, 0, DAY, kinds["day"])
        sheet.write_datetime(2, 1, MOMENT, kinds["moment"])
        sheet.write_datetime(2, 2, MOMENT.time(), kinds["time"])
        sheet.write_datetime(2, 3, datetime.timedelta(hours=26, minutes=30), kinds["duration"])
        sheet.write_number(2, 4, 0.155, kinds["percent"])
        sheet.write_number(2, 5, -1, kinds["day"])
        sheet.write_string(2, 6, "007", kinds["text"])
        sheet.write_boolean(2, 7, True)
        sheet.write_formula(3, 0, "=1+1", None, 2)
        sheet.write_formula(3, 1, "=NA()", None, "#N/A")
        sheet.write_formula(3, 2, '="x"', None, "x")
        sheet.write_formula(3, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(3, 7, "=TRUE", None, True)
        sheet.merge_range(4, 0, 5, 2, "merged")
        sheet.write_rich_string(4, 7, "a ", workbook.add_format({"bold": True}), "b", " c")

    def test_values(self):
        self.assertEqual(
            self.text(xlsx(self.fill_values)).split("\r\n"),
            [
                "a,b,c,d,e,f,g,h",
                "70,69.5,-3,1e-07,12345678901,,,",
                "2012-04-30,2012-04-30 14:05:06,14:05:06,26:30:00,0.155,-1,007,TRUE",
                "2,#N/A,x,#DIV/0!,,,,TRUE",
                "merged,,,,,,,a b c",
                "",
            ],
        )

    def test_dates_of_the_other_epoch(self):
        content = self.text(xlsx(self.fill_values, date_1904=True))
        self.assertIn("2012-04-30,2012-04-30 14:05:06,14:05:06,", content)

    def test_texts_are_kept_exactly(self):
        for text in ("007", " x ", "a,b", 'a"b', "two\nlines", "\r", "a\tb", "'t Hooft", "=1+1",
                     "\x01", "_x0041_", "\U0001f600", "é\u2028", "1e5", "TRUE"):  # fmt: skip
            with self.subTest(text=text):

                def fill(workbook, text=text):
                    sheet = workbook.add_worksheet()
                    sheet.write_row(0, 0, ["a", "b"])
                    sheet.write_string(1, 0, text)
                    sheet.write_string(1, 1, "x")

                target = self.path("unpacked")
                unpack(self.file(xlsx(fill)), target)
                with open_table(target, "utf-8", Dialect()) as table:
                    self.assertEqual(next(table).values, (text, "x"))

    def test_the_place_of_rows_and_columns(self):
        def fill(workbook):
            sheet = workbook.add_worksheet()
            sheet.write_row(2, 1, ["a", "", "b", "  "])
            sheet.write_row(4, 1, ["1", "", "2"])
            sheet.write(9, 9, "", workbook.add_format({"bold": True}))
            sheet.write(10, 2, " ")

        self.assertEqual(self.text(xlsx(fill)), "\r\n\r\na,,b\r\n\r\n1,,2\r\n")

    def test_rows_have_the_width_of_the_widest(self):
        content = xlsx_of([["a"], ["1", "2", "3"], ["x"]])
        self.assertEqual(self.text(content), "a,,\r\n1,2,3\r\nx,,\r\n")

    def test_a_mark_of_the_encoding_in_the_first_cell(self):
        self.assertEqual(self.text(xlsx_of([["\ufeffa"], ["1"]])), '"\ufeffa"\r\n1\r\n')


class Sheets(UnpackingTestCase):
    def fill(self, workbook):
        for name, rows in (
            ("Cover", [["Marks of 2012"]]),
            ("Hidden", [["a"], ["1"]]),
            ("Marks", [["mark"], ["70"]]),
            ("Naïve, & <co>", [["x"], ["#"], [""], ["y"]]),
        ):
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        workbook.get_worksheet_by_name("Hidden").hide()
        chart = workbook.add_chart({"type": "line"})
        chart.add_series({"values": "=Marks!$A$2:$A$2"})
        workbook.add_chartsheet("Chart").set_chart(chart)

    NAMES = ("Cover", "Hidden", "Marks", "Naïve, & <co>")

    def test_the_first_visible_one_with_a_table(self):
        found, content = self.unpack(xlsx(self.fill))
        self.assertEqual(found, Unpacked("xlsx", None, "Marks", self.NAMES))
        self.assertEqual(content, b"mark\r\n70\r\n")

    def test_one_by_name(self):
        for name, expected in (
            ("Hidden", "a\r\n1\r\n"),
            ("Cover", "Marks of 2012\r\n"),
            ("Naïve, & <co>", "x\r\n#\r\n\r\ny\r\n"),
        ):
            with self.subTest(name=name):
                found, content = self.unpack(xlsx(self.fill), sheet=name)
                self.assertEqual((found.sheet, content.decode()), (name, expected))

    def test_no_such_sheet(self):
        for name in ("marks", "Chart", ""):
            with self.subTest(name=name):
                self.assertEqual(
                    self.refusal(xlsx(self.fill), "t.xlsx", TableError, sheet=name),
                    f"t.xlsx has no sheet {name!r}. Name one of its sheets: 'Cover', 'Hidden',"
                    " 'Marks', 'Naïve, & <co>'.",
                )

    def test_a_header_alone(self):
        """The reader has a word for it."""
        self.assertEqual(self.text(xlsx_of([["a", "b"]])), "a,b\r\n")

    def test_no_table(self):
        self.assertEqual(
            self.refusal(xlsx_of([]), "t.xlsx", TableError),
            "t.xlsx has no table on its visible sheets ('Courses'). Write one, or name a hidden"
            " sheet.",
        )

    def test_an_empty_sheet_by_name(self):
        self.assertEqual(self.text(xlsx_of([]), sheet="Courses"), "")


class Xls(UnpackingTestCase):
    def test_values(self):
        def fill(workbook):
            day = xlwt.easyxf(num_format_str="dd/mm/yyyy")
            workbook.add_sheet("Cover")
            sheet = workbook.add_sheet("Marks")
            for column, value in enumerate(["007", 70, 69.5, 12345678901, True, None, " é\n"]):
                sheet.write(0, column, value)
            sheet.write(1, 0, DAY, day)
            sheet.write(1, 1, MOMENT, day)
            sheet.row(1).set_cell_error(2, 0x2A)
            sheet.row(1).set_cell_error(3, 0x07)
            sheet.write_merge(2, 3, 0, 1, "merged")

        found, content = self.unpack(xls(fill))
        self.assertEqual(found, Unpacked("xls", None, "Marks", ("Cover", "Marks")))
        self.assertEqual(
            content.decode(),
            '007,70,69.5,12345678901,TRUE,," é\n"\r\n'
            "2012-04-30,2012-04-30 14:05:06,#N/A,#DIV/0!,,,\r\n"
            "merged,,,,,,\r\n",
        )

    def test_many_rows(self):
        def fill(workbook):
            sheet = workbook.add_sheet("A")
            for row in range(9000):
                sheet.write(row, 0, f"text {row}")
            sheet.row(8999).set_cell_error(1, 0x0F)

        lines = self.text(xls(fill)).split("\r\n")
        self.assertEqual(lines[-2:], ["text 8999,#VALUE!", ""])
        self.assertEqual(len(lines), 9001)


class Ods(UnpackingTestCase):
    def test_values(self):
        rows = [
            [cell("string", text) for text in ("007", "a<text:s text:c='3'/>b<text:tab/>c")],
            [
                cell("float", "69,5", value="69.5"),
                cell("percentage", "15%", value="0.155"),
                cell("boolean", "WAHR", boolean_value="true"),
                cell("currency", "5 €", value="5"),
            ],
            [
                cell("date", "30.4.", date_value="2012-04-30"),
                cell("date", "30.4.", date_value="2012-04-30T14:05:06"),
                cell("time", "14:05", time_value="PT14H05M06S"),
                cell("time", "26:30", time_value="PT26H30M00S"),
            ],
            [cell("string", "one</text:p><text:p>two<text:line-break/>three")],
        ]
        self.assertEqual(
            self.text(ods(*rows)),
            "007,a   b\tc,,\r\n"
            "69.5,0.155,TRUE,5\r\n"
            "2012-04-30,2012-04-30 14:05:06,14:05:06,26:30:00\r\n"
            '"one\ntwo\nthree",,,\r\n',
        )

    def test_errors(self):
        error = (
            '<table:table-cell {} table:formula="of:=NA()" office:value-type="string"'
            ' office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p>'
            "</table:table-cell>"
        )
        rows = [
            [cell("string", "a"), cell("string", "b")],
            [EMPTY, EMPTY, error.format(""), cell("string", "c")],
            [error.format('table:number-columns-repeated="2"')],
            [EMPTY, error.format("")],
        ]
        self.assertEqual(self.text(ods(*rows)), "a,b,,\r\n,,#N/A,c\r\n#N/A,#N/A,,\r\n,#N/A,,\r\n")

    def test_repeated_rows_and_cells(self):
        empty = '<table:table-cell table:number-columns-repeated="1020"/>'
        more = (
            '<table:table table:name="Hidden" table:style-name="hidden"><table:table-row>'
            '<table:table-cell/></table:table-row></table:table><table:table table:name="Rows">'
            '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
            '<table:table-row table:number-rows-repeated="3">'
            '<table:table-cell table:number-columns-repeated="2" office:value-type="string">'
            f"<text:p>x<text:tab/></text:p></table:table-cell>{empty}</table:table-row>"
            f'<table:table-row table:number-rows-repeated="1048000">{empty}</table:table-row>'
            "</table:table>"
        )
        found, content = self.unpack(ods(more=more))
        self.assertEqual(found, Unpacked("ods", None, "Rows", ("Courses", "Hidden", "Rows")))
        self.assertEqual(content, b"\r\n\r\n" + b"x\t,x\t\r\n" * 3)

    def test_notes_are_no_values(self):
        note = "<office:annotation><text:p>n<text:tab/>o</text:p></office:annotation>"
        noted = cell("string", "x<text:tab/>y").replace("<text:p>", f"{note}<text:p>")
        self.assertEqual(self.text(ods([cell("string", "a")], [noted])), "a\r\nx\ty\r\n")


def xlsx_with(*rows, first=None):
    """Return an .xlsx file of XML cells, each row a text; `first` is the sheet before."""

    def fill(workbook):
        if first is not None:
            workbook.add_worksheet("First").write(0, 0, first)
        workbook.add_worksheet("Courses").write(0, 0, "a")

    with zipfile.ZipFile(io.BytesIO(xlsx(fill))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    name = f"xl/worksheets/sheet{1 if first is None else 2}.xml"
    start, end = re.split("<row .*</row>", parts[name])
    parts[name] = start + "".join(f"<row>{row}</row>" for row in rows) + end
    return zipped(*parts.items())


NAMED = '<x:c xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
HEADER = '<c t="inlineStr"><is><t>a</t></is></c>'


class Formulas(UnpackingTestCase):
    """A formula without a value is no empty cell."""

    def unsaved(self, content, kind="xlsx"):
        return remedies.find(io.BytesIO(content), kind, 0, "Courses").unsaved

    def test_the_message(self):
        content = xlsx_with(HEADER, '<c r="AC2"><f>1+1</f><v></v></c>')
        self.assertEqual(
            self.refusal(content, "t.xlsx", TableError),
            "t.xlsx has formulas without a value in 1 row of the sheet 'Courses': row 2, column"
            " AC. A formula is read by the value that a spreadsheet saves with it, and these were"
            " never computed. Open the file in Excel or LibreOffice, save it, and upload it"
            " again.",
        )

    def test_without_a_value(self):
        for cells in (
            "<c><f>1+1</f><v></v></c>",
            "<c><f>1+1</f><v/></c>",
            "<x:c><x:f>1+1</x:f><x:v/></x:c>",
            "<c><f>1+1</f></c>",
            '<c t="str"><f>""</f></c>',
            "<c><v>2</v><f>1+1</f></c>",  # calamine forgets this value
            '<c><f t="shared" si="0"/><v xml:space="preserve"> </v></c>',
            '<c><f t="shared" si="0"/> </c>',
            '<c><f t="array" ref="A2:A3">{1;2}</f><!-- v --><v/></c>',
        ):
            with self.subTest(cells=cells):
                content = xlsx_with(HEADER, f"<c/>{cells.replace('<x:c', NAMED, 1)}")
                self.assertEqual(self.unsaved(content), {1: 1})

    def test_with_a_value(self):
        content = xlsx_with(
            HEADER * 2,
            '<c><f>1+1</f><v>2</v></c><c t="str"><f>""</f><v></v></c>',
            '<c><f t="shared" si="0"/><v>3</v></c><c t="str"><f t="shared" si="1"/><v/></c>',
            '<c t="inlineStr"><f>A1</f><is><t>x</t></is></c><c><f>A2</f><v>-5</v></c>',
            "<c/><c><v></v></c>",
        )
        self.assertEqual(self.text(content), "a,a\r\n2,\r\n3,\r\nx,-5\r\n")

    def test_of_ods(self):
        formula = '<table:table-cell table:formula="of:={}"{}/>'
        # Longer than the rest of what is searched at once, with 65,536 bytes.
        long = formula.format("1+" * 4000 + "1", "")
        content = ods([cell("string", "a" * 60_000)], [EMPTY, long])
        self.assertEqual(self.unsaved(content, "ods"), {1: 1})
        content = ods([cell("string", "a")], [EMPTY, formula.format("1", "")], [long, long])
        self.assertIn(
            "2 rows of the sheet 'Courses', the first in row 2, column B. A formula is",
            self.refusal(content, error=TableError),
        )
        sound = (' office:value-type="float" office:value="2"', ' office:value-type="string"')
        content = ods([cell("string", "a")], [formula.format("1", value) for value in sound])
        self.assertEqual(self.text(content), "a\r\n2\r\n")

    def test_of_a_sheet_that_is_not_read(self):
        unsaved = "<c><f>Second!A1</f><v/></c>"
        both = xlsx_with(HEADER, unsaved, first="Cover")
        self.assertEqual(self.text(both, sheet="First"), "Cover\r\n")
        # The other way round: what is but formulas below its header is the table.
        self.assertIn("'Courses'", self.refusal(both, "t.xlsx", TableError))


class Damage(UnpackingTestCase):
    def test_a_changed_byte_in_a_workbook(self):
        content = xlsx_of([["code", "mark"], ["BIO1", 70]])
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [(name, archive.read(name)) for name in archive.namelist()]
        stored = zipped(*parts, method=zipfile.ZIP_STORED)
        self.assertEqual(self.text(stored), "code,mark\r\nBIO1,70\r\n")
        changed = stored.replace(b"<v>70<", b"<v>79<")
        self.assertIn("Bad CRC-32", self.refusal(changed, error=TableError))

    def test_a_password(self):
        protected = bytearray(xls(lambda book: book.add_sheet("A")))
        # The first record behind the one that begins the workbook becomes one of a password.
        at = protected.index(b"\x09\x08\x10\x00") + 20
        protected[at : at + 2] = b"\x2f\x00"
        manifest = b'<manifest:encryption-data manifest:checksum=""/>'
        for content in (
            bytes(protected),
            zipped(("mimetype", CALC), ("META-INF/manifest.xml", manifest)),
        ):
            with self.subTest(start=content[:2]):
                self.assertEqual(
                    self.refusal(content, "t.xls", TableError),
                    "t.xls is a workbook that is protected by a password, not a table. Remove the"
                    ' password. Open it, save the table as .xlsx or "CSV UTF-8", and upload that.',
                )

    def test_a_cut_off_workbook(self):
        def fill(workbook):
            sheet = workbook.add_sheet("A")
            for row in range(2000):
                sheet.write(row, 0, row)

        for content in (xlsx_of([["a"], ["1"]]), xls(fill)):
            for part in (0.1, 0.5, 0.9, 0.99):
                with self.subTest(start=content[:2], part=part):
                    damaged = content[: int(len(content) * part)]
                    self.assertIn("is damaged", self.refusal(damaged, error=TableError))


class Bounds(UnpackingTestCase):
    def test_columns_rows_and_cells(self):
        content = xlsx_of([["a", "b", "c"], ["1", "2", "x" * 100], ["3"]])
        for limits, message in (
            (Limits(columns=2), "t.xlsx has 3 columns, and 2 are allowed."),
            (Limits(rows=2), "t.xlsx has more than 2 rows, the limit of this data center."),
            (Limits(cell=99), "t.xlsx has a cell of 100 characters in row 2, and 99 are allowed."),
            (Limits(unpacked=3000), "t.xlsx holds more than 3,000 bytes when unpacked,"),
        ):
            with self.subTest(limits=limits):
                found = self.refusal(content, "t.xlsx", TooLarge, limits=limits)
                self.assertTrue(found.startswith(message), found)

    def test_up_to_the_limits(self):
        limits = Limits(columns=2, rows=2, cell=1)
        self.assertEqual(
            self.text(xlsx_of([["a", "b"], [], ["1", "2"]]), limits=limits), "a,b\r\n\r\n1,2\r\n"
        )

    def test_a_cell_far_outside(self):
        def fill(workbook):
            sheet = workbook.add_worksheet()
            sheet.write(0, 0, "a")
            sheet.write(1048575, 16383, "far")

        message = self.refusal(xlsx(fill), "t.xlsx", TooLarge)
        self.assertIn("needs more than 2,048 MB of memory", message)
        self.assertIn("Remove sheets, and cells far outside of the table", message)

    def test_a_cell_that_is_repeated_without_end(self):
        row = (
            '<table:table table:name="B"><table:table-row table:number-rows-repeated="1000000000">'
            '<table:table-cell table:number-columns-repeated="1000000" office:value-type="string">'
            "<text:p>x</text:p></table:table-cell></table:table-row></table:table>"
        )
        self.refusal(ods(more=row), limits=Limits(seconds=20, memory=256 << 20))

    def test_entities_are_refused(self):
        book = {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><workbook/>",
            "xl/_rels/workbook.xml.rels": "<Relationships/>",
        }
        self.refusal(zipped(*book.items()), error=TableError)


class WholeTables(UnpackingTestCase):
    def test_from_workbook_to_values(self):
        """What stands in a workbook is what conversion makes of the unpacked table."""
        fields = (schema.TextLine(), schema.Int(), schema.Decimal(), schema.Date(), schema.Bool())
        expected = [
            ("007", 70, Decimal("69.5"), DAY, True),
            ("Ñ, ", -1, Decimal("0.1"), datetime.date(1999, 12, 31), False),
        ]

        def fill(workbook):
            sheet = workbook.add_worksheet()
            day = workbook.add_format({"num_format": "dd.mm.yy"})
            sheet.write_row(0, 0, ["code", "mark", "score", "day", "passed"])
            for number, row in enumerate(expected, 1):
                for column, value in enumerate(row):
                    sheet.write(number, column, value, *([day] if column == 3 else []))

        target = self.path("unpacked")
        unpack(self.file(xlsx(fill)), target)
        with open_table(target, "utf-8", Dialect()) as table:
            found = [
                tuple(
                    converted(field, text) for field, text in zip(fields, row.values, strict=True)
                )
                for row in table
            ]
        self.assertEqual(found, expected)
