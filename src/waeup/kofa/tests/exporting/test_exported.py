"""Exports come back: nothing sound in them is doubted, and what was damaged is."""

import csv
import io
import os
import random
import shutil
import tempfile
import unittest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zope import interface, schema

from waeup.kofa.errors import KofaError
from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.importing.canonical import unpacked
from waeup.kofa.importing.exported import dialect_of_export
from waeup.kofa.importing.reading import AS_FOUND, limits, open_source
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.tabular import Dialect
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tests.conversion.test_cells import tricky_texts
from waeup.kofa.tests.exporting.kinds import Site, fill, kind_registered, registered, written
from waeup.kofa.tests.tabular.containers import xlsx_of


class IRow(interface.Interface):
    """A row of texts."""

    code = schema.TextLine(title="Code")
    name = schema.Text(title="Name", required=False)
    size = schema.Int(title="Size", required=False)
    text = schema.Text(title="Text", required=False)
    key = schema.Password(title="Key", required=False)


FIELDS = ("code", "name", "size", "text")


class ExportedTestCase(unittest.TestCase):
    """Has a kind with four columns."""

    def setUp(self):
        kind = kind_registered(IRow)
        _, self.exporter = kind.__enter__()
        self.addCleanup(kind.__exit__, None, None, None)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def exported(self, rows, **wish):
        """Return the bytes of an export of rows: name, size and text."""
        site = Site()
        things = [
            dict(zip(FIELDS, (f"{number:05}", *row), strict=True))
            for number, row in enumerate(rows)
        ]
        fill(site, IRow, things)
        return written(site, **wish)[0]

    def path(self, content, name="things.csv"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as stream:
            stream.write(content)
        return path

    def read(self, content, name="things.csv", options=AS_FOUND):
        """Return the rows as an import reads them: cells, or the code of the problem."""
        with (
            unpacked(self.path(content, name), limits()) as source,
            open_source(source.path, source.reading(options), name) as table,
        ):
            return [tuple(r.values) if r.problem is None else r.problem.code for r in table]

    def cells(self, rows):
        """Return the cells that an export has for rows."""
        content = self.exported(rows, safe=True).decode("utf-8")
        return [tuple(row) for row in csv.reader(io.StringIO(content, newline=""))][1:]


ODD = {
    "one row": [("Ada", 1, "x")],
    "two rows": [("Ada", 1, "x"), ("1", None, "Ada")],
    "header-like": [("name", 5, "text"), ("name", None, "text"), ("Code", 1, "Size")] * 6,
    "empty last columns": [("Ada", 1, None)] * 20 + [("Ben", None, None)] * 20,
    "a single value": [("Ada", 1, None)] * 50 + [("Ben", 2, "x")],
    "shifted": [("Ada", 5, "text here")] * 40 + [("5", None, "Ada")] + [("", 5, "")],
    "other quotes": [("'Ada'", 1, "'x'")] * 3 + [("plain", 1, "'")] * 40,
    "other delimiters": [("a;b;c;d", 1, "a|b|c|d"), ("a\tb\tc\td", 1, ";;;")] * 20,
    "rows in cells": [('x","1","y"\r\n"a","b","2","z', 1, '"a","b","1","c"\r\n')] * 5,
    "pieces": [("two\nlines", 1, "a\n\n\nb"), ("Ada", 2, "x")] * 20,
    "pages": [("<!doctype html>", 1, "<html>")] * 2,
    "totals": [("Ada", 1, "x")] * 40 + [("Total", 40, "")],
    "other encodings": [("Ã©tÃ©", 1, "â€œ")] + [("Ada", 2, "\x85\u2028")] * 30,
    "marks": [("\ufeff", 1, "\ufeff,")] * 3,
    "markers": [("XXX", None, "<IGNORE>"), ("--IGNORE--", 1, "--ERRORS--"), ("[]", 1, "")],
    "commands": [("=1+1", 1, "+1"), ("-1", 1, "@x"), ("\t", 1, "\r")],
    "empty": [(None, None, None)] * 3,
}


class SoundTests(ExportedTestCase):
    """However odd the rows are."""

    def test_odd_rows(self):
        for title, rows in ODD.items():
            expected = self.cells(rows)
            for name, wish in (
                ("things.csv", {}),
                ("things.csv", {"mark": True}),
                ("things.tsv", {"format": "tsv"}),
                ("things.csv.gz", {"packing": "gzip"}),
                ("things.zip", {"packing": "zip"}),
            ):
                with self.subTest(title, **wish):
                    self.assertEqual(self.read(self.exported(rows, **wish), name), expected)

    def test_odd_rows_in_workbooks(self):
        for title, rows in ODD.items():
            with self.subTest(title):
                found = self.read(self.exported(rows, format="xlsx"), "things.xlsx")
                ends = [tuple(c.replace("\r\n", "\n") for c in row) for row in self.cells(rows)]
                self.assertEqual(
                    [
                        row
                        if isinstance(row, str)
                        else tuple(c.replace("\r\n", "\n") for c in row)
                        for row in found
                    ],
                    ends,
                )

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(tricky_texts, st.none() | st.integers(), tricky_texts), min_size=1))
    def test_any_rows(self, rows):
        self.assertEqual(self.read(self.exported(rows)), self.cells(rows))

    def test_with_secrets(self):
        content = self.exported([("Ada", 1, "x")] * 3, secrets=True)
        self.assertEqual(dialect_of_export(self.path(content)), Dialect(",", '"'))


class OthersTests(ExportedTestCase):
    """Tables that only look like an export are read with all doubts."""

    rows = (
        *((name, 5 + at, f"2020-01-{at:02}") for name in ("Ada", "Ben") for at in range(10, 30)),
        # Seems to be the page that a portal has sent instead of a table.
        ("<html>", None, "Ada"),
    )

    def dialect(self, content):
        return dialect_of_export(self.path(content))

    def test_recognised(self):
        content = self.exported(self.rows)
        self.assertEqual(self.dialect(content), Dialect(",", '"'))
        self.assertEqual(self.dialect(b"\xef\xbb\xbf" + content), Dialect(",", '"'))
        self.assertEqual(self.dialect(self.exported(self.rows, format="tsv")), Dialect("\t", '"'))
        self.assertIsNone(self.dialect(content.replace(b"\r\n", b"\n")))
        for before, after in (
            (b'"name"', b'"names"'),
            (b'"code","name"', b'"name","code"'),
            (b'"code",', b""),
            (b'"text"\r\n', b'"text","more"\r\n'),
            (b'"code"', b"code"),
        ):
            with self.subTest(after):
                self.assertIsNone(self.dialect(content.replace(before, after, 1)))
        for odd in (b"", b'"', b'"code', b'"\xff"\r\n', b'"' + b"x" * (1 << 17) + b'"\r\n'):
            self.assertIsNone(self.dialect(odd))

    def test_what_a_spreadsheet_has_saved(self):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(csv.reader(io.StringIO(self.exported(self.rows).decode())))
        self.assertEqual(self.read(text.getvalue().encode())[-1], "broken-value")

    def test_a_table_quoted_by_others(self):
        content = self.exported(self.rows).replace(b'"name"', b'"Name"', 1)
        self.assertEqual(self.read(content)[-1], "broken-value")

    def test_workbooks_that_a_spreadsheet_has_saved(self):
        cells = self.cells(self.rows)
        content = xlsx_of([FIELDS, *cells])
        self.assertEqual(self.read(content, "things.xlsx")[-1], "broken-value")
        content = self.exported(self.rows, format="xlsx")
        self.assertEqual(self.read(content, "things.xlsx")[-1], cells[-1])

    def test_what_a_person_says_counts(self):
        content = self.exported(self.rows)
        self.assertEqual(
            self.read(content, options=ReadOptions(header_line=1))[-1], "broken-value"
        )

    def test_exporters_that_quote_what_needs_it(self):
        class Plain(ExporterBase):
            fields = ("a", "b")

        with registered((Plain(), ICSVExporter, "plain"), (object(), ICSVExporter, "odd")):
            self.assertIsNone(self.dialect(b'"a","b"\r\n"1","2"\r\n'))


class DamagedTests(ExportedTestCase):
    """What was damaged on its way is noticed, but for what no reader could notice."""

    rows = [
        ("Ada", 1, "two\nlines"),
        ('O"Neil', None, ""),
        ("Ben", 25, "x; y"),
        ("", 3, 'say "hi" now'),
    ] * 4

    def assert_noticed(self, damaged, truth):
        """Make sure that no row is wrong, and none is missing without a problem."""
        try:
            found = self.read(damaged)
        except KofaError:
            return
        sound = {row for row in found if not isinstance(row, str)}
        self.assertLessEqual(sound, truth)
        if sound != truth:
            # What is missing is where the problem is.
            self.assertTrue(any(isinstance(row, str) for row in found))

    def each(self, content, what):
        """Generate the places of `what` below the header."""
        at = content.index(b"\r\n") + 1
        while (at := content.find(what, at + 1)) >= 0:
            yield at

    def test_a_byte_of_the_shape_is_lost_or_added(self):
        for form in ("csv", "tsv"):
            content = self.exported(self.rows, format=form)
            truth = {*self.cells(self.rows)}
            for what in (b'"', b"," if form == "csv" else b"\t", b"\n"):
                for at in self.each(content, what):
                    lost = content[:at] + content[at + 1 :]
                    twice = content[:at] + what + content[at:]
                    for damaged in (lost, twice):
                        if damaged[at - 3 : at + 3].count(b"o\n") or what == b"\n":
                            # A line end inside of a cell is a text like any other.
                            continue
                        with self.subTest(form=form, at=at, damaged=damaged[at - 9 : at + 9]):
                            self.assert_noticed(damaged, truth)

    def test_a_line_is_cut(self):
        content, truth = self.exported(self.rows), {*self.cells(self.rows)}
        for end in self.each(content, b'"\r\n'):
            begin = content.rfind(b'\r\n"', 0, end) + 3
            for at in range(begin, end):
                damaged = content[:at] + content[end + 1 :]
                if content[at - 1 : at] == b'"' and content[at : at + 1] != b",":
                    # Perhaps what is left is a shorter text between its quotes.
                    continue
                with self.subTest(damaged[at - 20 : at + 9]):
                    self.assert_noticed(damaged, truth)

    def test_the_file_ends_too_early(self):
        content, truth = self.exported(self.rows), {*self.cells(self.rows)}
        whole = {at + 2 for at in self.each(content, b"\r\n")}
        for at in range(content.index(b"\r\n") + 3, len(content)):
            if at in whole:
                continue  # as many rows as there are
            with self.subTest(content[at - 20 : at]):
                self.assert_noticed(content[:at], truth)

    def test_anywhere(self):
        """A block is lost, as from a broken disk."""
        content, truth = self.exported(self.rows), {*self.cells(self.rows)}
        rng = random.Random(7)
        for _ in range(300):
            at = rng.randrange(content.index(b"\r\n") + 2, len(content) - 40)
            damaged = content[:at] + b"\0" * 30 + content[at + 30 :]
            with self.subTest(at):
                self.assert_noticed(damaged, truth)
