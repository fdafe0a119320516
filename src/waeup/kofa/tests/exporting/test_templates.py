"""Templates: the columns of a processor as a table that an import takes."""

import io
import os
import re
import tempfile
import unittest
import zipfile
from datetime import date
from types import SimpleNamespace
from unittest import mock
from xml.sax.saxutils import escape

import python_calamine
from zope import schema
from zope.component import getUtilitiesFor, getUtility
from zope.interface import Interface

from waeup.kofa.conversion import FormattedDate, PhoneNumber, Secret
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import templates
from waeup.kofa.exporting.templates import NOTES, notes_of, template
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.tabular import Limits
from waeup.kofa.tests.university.portal import PortalTestCase


class IThing(Interface):
    """One field of each kind."""

    agreed = schema.Bool(title="Agreed")
    born = schema.Date(title="Born", min=date(2015, 1, 1))
    code = schema.TextLine(
        title="Code",
        description="Letters\n   and digits.",
        constraint=re.compile("[A-Z]{3}[0-9]{3}").fullmatch,
    )
    colour = schema.Choice(title="Colour", values=["red", "green"])
    colours = schema.List(
        title="Colours", value_type=schema.Choice(values=["red", "green"]), required=False
    )
    comma = schema.Choice(title="Comma", values=["a,b", "c"])
    hated = FormattedDate(title="Hated", date_format="%d/%m/%Y", required=False)
    inner = schema.Object(title="Inner", schema=Interface, required=False)
    mail = schema.ASCIILine(title="Mail", constraint=lambda text: "@" in text)
    many = schema.Choice(title="Many", values=[str(number) for number in range(1000)])
    marks = schema.Set(title="Marks", value_type=schema.Int(min=20), required=False)
    never = schema.TextLine(title="Never", constraint=lambda text: False, required=False)
    password = Secret(title="Password", min_length=8, required=False)
    phone = PhoneNumber(title="Phone", required=False)
    score = schema.Int(title="Score", min=20, max=100, required=False)
    quoted = schema.Choice(title="Quoted", values=['12"', "x"], required=False)
    short = schema.TextLine(title="Short", max_length=2, required=False)
    size = schema.Float(title="Size", max=0.75, required=False)
    when = schema.Datetime(title="When", required=False)
    words = schema.Text(title="Words", required=False)


THINGS = SimpleNamespace(
    iface=IThing,
    available_fields=sorted([*IThing, "local_roles"]),
    modes=("create", "update"),
    req={"create": ["code", "colour"], "update": ["code"]},
    template_name="thingimport_000.csv",
    get_csv_skeleton=lambda: "skeleton\r\n",
)


def parts(content):
    """Return the XML of the two sheets and of the styles."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [
            archive.read(f"xl/{name}.xml").decode()
            for name in ("worksheets/sheet1", "worksheets/sheet2", "styles")
        ]


class Notes(unittest.TestCase):
    notes = {note.name: note for note in notes_of(THINGS)}

    def test_kinds_in_plain_words(self):
        self.assertEqual(
            {name: note.kind for name, note in self.notes.items()},
            {
                "agreed": "yes or no, as 1 or 0",
                "born": "date, 2015-01-01 or more",
                "code": "text in one line",
                "colour": "one of the allowed values",
                "colours": "list in brackets, each one of the allowed values",
                "comma": "one of the allowed values",
                "hated": "date",
                "inner": "no cell can fill it; leave it out",
                "local_roles": "text",
                "mail": "text of plain ASCII characters in one line",
                "many": "one of the allowed values",
                "marks": "list in brackets, each whole number, 20 or more",
                "never": "text in one line",
                "password": "password; what is kept is its hash",
                "phone": "phone number",
                "quoted": "one of the allowed values",
                "score": "whole number, 20 to 100",
                "short": "text in one line, up to 2 characters",
                "size": "number, 0.75 or less",
                "when": "date with time",
                "words": "text",
            },
        )

    def test_examples(self):
        self.assertEqual(
            {name: note.example for name, note in self.notes.items()},
            {
                "agreed": "1",
                "born": "2015-01-01#",
                "code": "ABC101",
                "colour": "red",
                "colours": "['red']",
                "comma": "a,b",
                "hated": "30/04/2012",
                "inner": "",
                "local_roles": "",
                "mail": "ada@example.org",
                "many": "0",
                "marks": "['20']",
                "never": "",
                "password": "",
                "phone": "+234-803-1234567",
                "quoted": '12"',
                "score": "20",
                "short": "AB",
                "size": "0.5",
                "when": "2012-04-30 14:05:00",
                "words": "Example",
            },
        )

    def test_the_rest(self):
        self.assertEqual(self.notes["code"].required, ("create", "update"))
        self.assertEqual(self.notes["colour"].required, ("create",))
        self.assertEqual(self.notes["code"].description, "Letters and digits.")
        self.assertEqual(self.notes["colours"].allowed, (("red", "red"), ("green", "green")))
        self.assertEqual(len(self.notes["many"].allowed), 1000)


class Workbook(unittest.TestCase):
    def setUp(self):
        self.name, self.content = template(THINGS, "xlsx")
        self.table, self.notes, self.styles = parts(self.content)

    def test_csv_is_the_skeleton(self):
        self.assertEqual(template(THINGS), ("thingimport_000.csv", b"skeleton\r\n"))

    def test_tsv_is_the_skeleton_with_tabs(self):
        processor = mock.Mock(template_name="a.csv", get_csv_skeleton=lambda: 'a,"b,c",d\r\n')
        self.assertEqual(template(processor, "tsv"), ("a.tsv", b"a\tb,c\td\r\n"))

    def test_other_formats_are_refused(self):
        with self.assertRaisesRegex(Refused, "no format 'ods' for templates.*csv, tsv, xlsx"):
            template(THINGS, "ods")

    def test_sheets(self):
        self.assertEqual(self.name, "thingimport_000.xlsx")
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(self.content))
        self.assertEqual(book.sheet_names, ["thingimport_000", NOTES])
        self.assertEqual(book.get_sheet_by_index(0).to_python(), [list(THINGS.available_fields)])
        notes = book.get_sheet_by_index(1).to_python()
        self.assertEqual(
            notes[0][:5], ["Column", "Title", "Type", "Required for", "Allowed values"]
        )
        rows = {row[0]: row for row in notes[1:]}
        self.assertEqual(list(rows), list(THINGS.available_fields))
        self.assertEqual(
            rows["colour"][1:6],
            ["Colour", "one of the allowed values", "create", "red, green", "red"],
        )
        self.assertEqual(rows["agreed"][4], "1 = yes, 0 = no")
        self.assertTrue(rows["many"][4].endswith(", 198, 199 and 800 more"))

    def test_header_is_frozen_and_what_is_needed_stands_out(self):
        self.assertIn('state="frozen"', self.table)
        self.assertIn('state="frozen"', self.notes)
        styles = re.findall(r'<c r="([A-Z]+)1" s="(\d+)"', self.table)
        names = dict(zip(THINGS.available_fields, (style for _, style in styles), strict=True))
        self.assertEqual(
            {name for name in names if names[name] == names["code"]}, {"code", "colour"}
        )
        self.assertIn('<fgColor rgb="FFDCE9F5"/>', self.styles)

    def test_excel_leaves_texts_alone(self):
        """Its number format 49 is text; a style is an index into the formats of cells."""
        cells = re.search(r"<cellXfs.*</cellXfs>", self.styles)[0]
        formats = re.findall(r'<xf numFmtId="(\d+)"', cells)
        found = {}
        for first, last, attributes in re.findall(
            r'<col min="(\d+)" max="(\d+)"([^>]*)/>', self.table
        ):
            style = re.search(r'style="(\d+)"', attributes)
            for number in range(int(first), int(last) + 1):
                name = THINGS.available_fields[number - 1]
                found[name] = formats[int(style[1])] if style else "0"
        general = {name for name, shape in found.items() if shape == "0"}
        self.assertEqual(general, {"score", "size"})
        dates = {name for name, shape in found.items() if shape == "164"}
        self.assertEqual(dates, {"born", "hated"})
        self.assertEqual({found[name] for name in set(found) - general - dates}, {"49"})

    def test_choices_are_offered_where_excel_can(self):
        lists = re.findall(
            r'errorStyle="warning".*? sqref="([A-Z]+)2:\1(\d+)"><formula1>"(.*?)"<', self.table
        )
        columns = {chr(ord("A") + i): name for i, name in enumerate(THINGS.available_fields)}
        self.assertEqual(
            {columns[column]: values for column, _, values in lists},
            {"agreed": "1,0", "colour": "red,green"},
        )
        self.assertEqual({last for _, last, _ in lists}, {"1048576"})

    def test_what_a_workbook_cannot_show(self):
        class IOdd(Interface):
            odd = schema.Choice(title="a\0b", values=["x" * 40000])

        odd = SimpleNamespace(**{**vars(THINGS), "iface": IOdd, "available_fields": ["odd"]})
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(template(odd, "xlsx")[1]))
        row = book.get_sheet_by_index(1).to_python()[1]
        self.assertEqual(row[1], "(a workbook cannot show this)")
        self.assertTrue(row[4].endswith("xxx..."))

    def test_nothing_is_left_after_an_error(self):
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(tempfile, "tempdir", folder),
            mock.patch.object(templates, "_write_notes", side_effect=ZeroDivisionError),
        ):
            before = len(os.listdir("/proc/self/fd"))
            with self.assertRaises(ZeroDivisionError):
                template(THINGS, "xlsx")
            self.assertEqual(os.listdir(folder), [])
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)


def quoted(header):
    """Return a header as it is read from a workbook that no spreadsheet has saved yet."""
    return ",".join(f'"{name}"' for name in header.strip().split(",")) + "\r\n"


class Importing(PortalTestCase):
    """The templates of this portal are good for imports."""

    def test_the_reader_finds_the_header(self):
        for name, processor in getUtilitiesFor(IBatchProcessor):
            with self.subTest(processor=name):
                filename, content = template(processor, "xlsx", self.site)
                header = processor.get_csv_skeleton()
                table = self.table_of(content, filename[: -len(".xlsx")])
                self.assertEqual(table, quoted(header))

    def test_a_template_that_was_not_filled_in_has_no_rows(self):
        """What says what the columns are is not taken for the table."""
        processor = getUtility(IBatchProcessor, name="facultyprocessor")
        content = template(processor, "xlsx", self.site)[1]
        self.assertEqual(self.table_of(content), quoted(processor.get_csv_skeleton()))

    def test_examples_can_be_imported(self):
        for name in ("facultyprocessor", "departmentprocessor", "courseprocessor"):
            with self.subTest(processor=name):
                self.import_examples(name, faculty_code="ABC101", department_code="ABC101")
        self.assertIn("ABC101", self.site["faculties"]["ABC101"]["ABC101"].courses)
        self.import_examples("studentprocessor")
        student = self.site["students"]["ABC101"]
        self.assertEqual((student.firstname, student.date_of_birth), ("Ada", date(2012, 4, 30)))
        self.import_examples("courseticketprocessor", student_id="ABC101")

    def import_examples(self, name, **given):
        """Fill in a row below the header of a template, and import it."""
        processor = getUtility(IBatchProcessor, name=name)
        cells = {note.name: note.example for note in notes_of(processor, self.site)}
        cells |= {column: text for column, text in given.items() if column in cells}
        row = "".join(
            f'<c r="{chr(ord("A") + i)}2" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
            for i, text in enumerate(cells.values())
        )
        empty = io.BytesIO(template(processor, "xlsx", self.site)[1])
        filled = io.BytesIO()
        with zipfile.ZipFile(empty) as source, zipfile.ZipFile(filled, "w") as target:
            for part in source.namelist():
                content = source.read(part)
                if part.endswith("/sheet1.xml"):
                    end = b"</sheetData>"
                    content = content.replace(end, f'<row r="2">{row}</row>'.encode() + end)
                target.writestr(part, content)
        done, reasons = self.import_rows(name, self.table_of(filled.getvalue()))
        self.assertEqual(reasons, [])
        self.assertEqual(len(done), 1)

    def table_of(self, content, sheet=None):
        """Return the text that an import makes of a workbook."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "template.xlsx")
            with open(path, "wb") as stream:
                stream.write(content)
            with (
                unpacked(path, Limits(), sheet=sheet) as plain,
                open(plain.path, encoding="utf-8", newline="") as table,
            ):
                return table.read()
