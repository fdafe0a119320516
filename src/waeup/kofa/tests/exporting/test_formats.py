"""Exports as text: the bytes, and that our own way in gives the cells back."""

import gzip
import io
import itertools
import os
import tempfile
import unittest
import warnings
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import Refused
from waeup.kofa.exporting.formats import FORMATS, PACKINGS, Column, Form, open_sink
from waeup.kofa.exporting.sinks import UnfitCell
from waeup.kofa.spool.names import stored_name
from waeup.kofa.tabular import open_table
from waeup.kofa.tabular.unpacking import unpack

A_B = (Column("a"), Column("b"))
ROWS = [["é", 'x"y'], ["", ""], ["1,5\t;", "two\nlines"]]
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)
TRICKY = st.lists(st.sampled_from(list("\"',;\r\n\t|x =#\ufeff\u2028\x85")), max_size=6).map(
    "".join
)


class Pipe:
    """A stream that can only be written to."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += bytes(data)
        return len(data)


class Full(Pipe):
    """A stream on a disk that gets full after some bytes."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def write(self, data):
        if len(self.content) + len(data) > self.size:
            raise OSError(28, "No space left on device")
        return super().write(data)


def written(rows, form, columns=A_B):
    """Return the bytes of a table."""
    pipe = Pipe()
    with open_sink(pipe, columns, form, "students.csv") as sink:
        for row in rows:
            sink.write(row)
    return pipe.content


class Forms(unittest.TestCase):
    def test_words(self):
        self.assertEqual(Form.of("csv"), Form())
        self.assertEqual(
            Form.of("tsv", "gzip", mark=True, quote_all=False), Form("tsv", "gzip", True, False)
        )
        for words, message in (
            (("xls",), "no format 'xls'.*csv, tsv, xlsx"),
            (("csv", "rar"), "by 'rar'. Say gzip or zip, or nothing"),
        ):
            with self.subTest(words=words), self.assertRaisesRegex(Refused, message):
                Form.of(*words)

    def test_names_can_be_uploaded_and_types_are_told(self):
        for form, extension, kind in (
            (Form(), ".csv", "text/csv; charset=utf-8"),
            (Form("tsv"), ".tsv", "text/tab-separated-values; charset=utf-8"),
            (Form("tsv", "gzip"), ".tsv.gz", "application/gzip"),
            (Form("csv", "zip"), ".zip", "application/zip"),
            (Form("xlsx"), ".xlsx", "application/vnd.openxml"),
            (Form("xlsx", "gzip"), ".xlsx.gz", "application/gzip"),
        ):
            with self.subTest(form=form):
                self.assertEqual(form.extension, extension)
                self.assertTrue(form.content_type.startswith(kind))
                name = "students" + form.extension
                self.assertEqual(stored_name(name, "ann"), "students_ann" + extension)


class Text(unittest.TestCase):
    def test_bytes(self):
        self.assertEqual(
            written(ROWS, Form()),
            '"a","b"\r\n"é","x""y"\r\n"",""\r\n"1,5\t;","two\nlines"\r\n'.encode(),
        )
        self.assertEqual(
            written(ROWS, Form(quote_all=False)),
            'a,b\r\né,"x""y"\r\n"",""\r\n"1,5\t;","two\nlines"\r\n'.encode(),
        )
        self.assertEqual(
            written(ROWS, Form("tsv", mark=True, quote_all=False)),
            '\ufeffa\tb\r\né\t"x""y"\r\n""\t""\r\n"1,5\t;"\t"two\nlines"\r\n'.encode(),
        )

    def test_a_lone_empty_cell_is_a_row(self):
        for form in (Form(), Form(quote_all=False)):
            self.assertIn(b'\r\n""\r\n', written([[""]], form, [Column("a")]))

    def test_the_stream_stays_open(self):
        stream = io.BytesIO()
        for form in (Form(), Form("csv", "gzip"), Form("csv", "zip"), Form("xlsx")):
            with open_sink(stream, A_B, form, "a.csv") as sink:
                sink.write(["1", "2"])
            sink.close()
            self.assertFalse(stream.closed)

    def test_packed(self):
        plain = written(ROWS, Form(mark=True))
        packed = written(ROWS, Form("csv", "gzip", True))
        self.assertEqual(gzip.decompress(packed), plain)
        self.assertEqual(packed, written(ROWS, Form("csv", "gzip", True)))
        packed = written(ROWS, Form("csv", "zip", True))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            self.assertEqual(archive.namelist(), ["students.csv"])
            self.assertEqual(archive.read("students.csv"), plain)
        self.assertEqual(packed, written(ROWS, Form("csv", "zip", True)))

    def test_packed_tables_come_back_through_the_upload(self):
        for kind, packing in itertools.product(FORMATS, PACKINGS):
            with (
                self.subTest(kind=kind, packing=packing),
                tempfile.TemporaryDirectory() as folder,
            ):
                path = os.path.join(folder, "packed")
                with open(path, "wb") as stream:
                    stream.write(written(ROWS, Form(kind, packing, True)))
                self.assertEqual(unpack(path, path + ".csv").kind, packing)
                # A row without any text is none in a workbook.
                rows = [row for row in ROWS if kind != "xlsx" or any(row)]
                with open_table(path + ".csv") as table:
                    self.assertEqual([list(row.values) for row in table], rows)

    @settings(deadline=None)
    @given(
        st.lists(st.lists(TEXT | TRICKY, min_size=2, max_size=2), min_size=1, max_size=4),
        st.sampled_from(["csv", "tsv"]),
        st.booleans(),
        st.booleans(),
    )
    def test_what_is_written_is_read(self, rows, kind, mark, quote_all):
        columns = (Column("student_id"), Column("title"))
        content = written(rows, Form(kind, mark=mark, quote_all=quote_all), columns)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "table." + kind)
            with open(path, "wb") as stream:
                stream.write(content)
            delimiter = None if quote_all else {"csv": ",", "tsv": "\t"}[kind]
            with open_table(path, encoding="utf-8", delimiter=delimiter) as table:
                self.assertEqual(list(table.header), ["student_id", "title"])
                self.assertEqual([list(row.values) for row in table], rows)


class Failures(unittest.TestCase):
    forms = tuple(
        Form(kind, packing) for kind in ("csv", "xlsx") for packing in ("", "gzip", "zip")
    )

    def test_after_an_error_nothing_looks_complete(self):
        for form in self.forms:
            pipe = Pipe()
            with (
                self.subTest(form=form),
                warnings.catch_warnings(),
                tempfile.TemporaryDirectory() as folder,
            ):
                warnings.simplefilter("error")
                before = len(os.listdir("/proc/self/fd"))
                with (
                    self.assertRaises(ZeroDivisionError),
                    open_sink(pipe, A_B, form, "a.csv", folder) as sink,
                ):
                    sink.write(["1", "2"])
                    raise ZeroDivisionError
                content = pipe.content
                del sink
                self.assertEqual(pipe.content, content)
                self.assertNotIn(b"PK\x05\x06", content)
                if form.packing == "gzip":
                    self.assertRaises(EOFError, gzip.decompress, content or b"\x1f\x8b")
                self.assertEqual(os.listdir(folder), [])
                self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_full_disk(self):
        rows = [[os.urandom(2000).hex(), str(i)] for i in range(20)]
        for form in self.forms:
            for size in (0, 10, 500, 2000, 30_000):
                if form.packing or form.format == "xlsx":
                    size //= 8
                full = Full(size)
                with self.subTest(form=form, size=size), tempfile.TemporaryDirectory() as folder:
                    before = len(os.listdir("/proc/self/fd"))
                    with (
                        self.assertRaises(OSError),
                        open_sink(full, A_B, form, "a.csv", folder) as sink,
                    ):
                        for row in rows:
                            sink.write(row)
                    self.assertNotIn(b"PK\x05\x06", full.content)
                    self.assertEqual(os.listdir(folder), [])
                    self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_what_no_table_can_hold_leaves_no_half_row(self):
        pipe = Pipe()
        with open_sink(pipe, A_B, Form(), "a.csv") as sink:
            for text, words in (("x\ud800", "U\\+D800"), ("x\0", "U\\+0000")):
                with self.assertRaisesRegex(UnfitCell, f"column 'b': the character {words}"):
                    sink.write(["1", text])
            sink.write(["2", "3"])
        self.assertEqual(pipe.content, b'"a","b"\r\n"2","3"\r\n')
