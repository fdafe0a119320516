"""Exports as a whole: what is refused, what goes wrong, what is told, and the memory it takes."""

import io
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import grok
from ZODB.POSException import POSKeyError
from zope import interface, schema

from waeup.kofa.conversion import FormattedDate
from waeup.kofa.errors import NoSuchItem, Refused, TooLarge
from waeup.kofa.exporting import Export, Wish, driver, find_exporter
from waeup.kofa.exporting.base import STEP
from waeup.kofa.exporting.driver import columns_of
from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.tests.exporting import many
from waeup.kofa.tests.exporting.kinds import (
    CONTAINER,
    Site,
    fill,
    kind_registered,
    processor_of,
    registered,
    text_of,
    written,
)


class IThing(interface.Interface):
    """A thing."""

    code = schema.TextLine(title="Code")
    size = schema.Int(title="Size", required=False)


class Broken:
    """A thing with an attribute that raises."""

    def __init__(self, error, code="b"):
        self.__name__ = self.code = code
        self.error = error

    @property
    def size(self):
        raise self.error


class Full(io.BytesIO):
    """A disk that gets full."""

    def write(self, data):
        if self.tell() + len(data) > 2_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


class DriverTests(unittest.TestCase):
    """A site with a few things; warnings, also about open files, are errors."""

    def setUp(self):
        kind = kind_registered(IThing)
        _, self.exporter = kind.__enter__()
        self.addCleanup(kind.__exit__, None, None, None)
        self.site = Site()
        fill(self.site, IThing, [{"code": code, "size": n} for n, code in enumerate("abc")])

    def test_names(self):
        self.assertIs(find_exporter(CONTAINER), self.exporter)
        with self.assertRaisesRegex(NoSuchItem, "no exporter 'caves'. There are: .*'things'"):
            Export(Wish("caves"), self.site)
        for wish, name in (
            ({}, "things.csv"),
            ({"format": "tsv", "packing": "gzip"}, "things.tsv.gz"),
            ({"packing": "zip"}, "things.zip"),
            ({"format": "xlsx"}, "things.xlsx"),
        ):
            self.assertEqual(Export(Wish(CONTAINER, **wish), self.site).filename, name)

    def test_wishes_are_plain_data(self):
        for wish in (
            Wish("a"),
            Wish("a", (("b", "c"),), ("k",), "tsv", "zip", True, False, True),
            Wish("a", keys=()),
        ):
            self.assertEqual(Wish.of(wish.as_dict()), wish)
        data = {"exporter": "a", "filters": [["b", "c"]], "keys": ["k"]}
        self.assertEqual(Wish.of(data), Wish("a", (("b", "c"),), ("k",)))

    def test_what_makes_no_sense(self):
        for wish, words in (
            ({"format": "pdf"}, "no format 'pdf'"),
            ({"packing": "rar"}, "cannot be packed by 'rar'"),
            ({"secrets": True}, "has no passwords. Order it without"),
        ):
            with self.subTest(wish), self.assertRaisesRegex(Refused, words):
                Export(Wish(CONTAINER, **wish), self.site)

    def test_whole(self):
        self.assertTrue(Export(Wish(CONTAINER), self.site).is_whole)
        self.assertTrue(Export(Wish(CONTAINER, (("size", ""),)), self.site).is_whole)
        self.assertFalse(Export(Wish(CONTAINER, (("size", "1"),)), self.site).is_whole)
        self.assertFalse(Export(Wish(CONTAINER, keys=("a",)), self.site).is_whole)

    def test_kinds_of_columns(self):
        class IMany(interface.Interface):
            code = schema.TextLine()
            number = schema.Int()
            flag = schema.Bool()
            weight = schema.Float()
            rent = schema.Decimal()
            day = schema.Date()
            other = FormattedDate("%d.%m.%Y")
            swapped = FormattedDate("%Y-%d-%m")
            time = schema.Datetime()
            level = schema.Choice(values=[100, 200])
            colour = schema.Choice(values=["red"])
            late = schema.Choice(vocabulary="nowhere")
            many = schema.List(value_type=schema.Int())

        with kind_registered(IMany) as (_, exporter):
            self.assertEqual(
                {column.name: column.kind for column in columns_of(exporter)},
                {
                    "code": "text",
                    "number": "integer",
                    "flag": "integer",
                    "weight": "number",
                    "rent": "decimal",
                    "day": "date",
                    "other": "date",
                    # A workbook would show another day than it holds.
                    "swapped": "text",
                    "time": "text",
                    "level": "integer",
                    "colour": "text",
                    "late": "text",
                    "many": "text",
                },
            )

    # -- objects that cannot be exported ---------------------------------------------

    def test_the_object_is_named(self):
        for wish in ({}, {"format": "tsv", "packing": "gzip"}, {"format": "xlsx"}):
            for error, words in (
                (ZeroDivisionError("division"), "ZeroDivisionError: division"),
                (ValueError("odd"), "odd"),
                (KeyError("gone"), "KeyError: 'gone'"),
            ):
                self.site[CONTAINER].values = lambda error=error: iter([Broken(error, "x")])
                export = Export(Wish(CONTAINER, **wish), self.site)
                with self.subTest(wish=wish, error=error):
                    with self.assertRaises(Refused) as caught:
                        export.write(io.BytesIO())
                    self.assertRegex(
                        str(caught.exception),
                        rf"^The export of Things has stopped at row 1, code 'x': {words}",
                    )
                    self.assertIs(caught.exception.__cause__, error)

    def test_half_a_character(self):
        self.site[CONTAINER]["b"].code = "\ud800"
        with self.assertRaisesRegex(Refused, r"U\+D800. That is row 2, code '\\ud800', 'b'."):
            text_of(self.site)

    def test_the_object_is_named_where_a_site_writes_rows(self):
        class Own(ContainerExporter):
            grok.baseclass()

            def __init__(self):
                super().__init__(processor_of(IThing))

            def write_item(self, obj, writer):
                if obj.code == "b":
                    raise RuntimeError
                super().write_item(obj, writer)

        with registered((Own(), ICSVExporter, "own")):
            for form in ("csv", "xlsx"):
                with self.assertRaisesRegex(Refused, "at row 2, code 'b': RuntimeError"):
                    written(self.site, "own", format=form)

    def test_an_object_without_names(self):
        class Nameless:
            @property
            def code(self):
                raise ZeroDivisionError

        self.site[CONTAINER].values = lambda: iter([Nameless()])
        with self.assertRaisesRegex(Refused, "row 1, an object of the class Nameless"):
            text_of(self.site)

    def test_faults_are_no_errors_of_an_object(self):
        for error in (OSError("disk"), MemoryError(), POSKeyError(b"\0" * 8)):
            self.site[CONTAINER].values = lambda error=error: iter([Broken(error)])
            with self.assertRaises(type(error)):
                text_of(self.site)

    def test_a_full_disk(self):
        fill(self.site, IThing, [{"code": f"{n:09}", "size": n} for n in range(2000)])
        for wish in ({}, {"packing": "gzip"}, {"packing": "zip"}, {"format": "xlsx"}):
            with self.subTest(wish), self.assertRaises(OSError):
                Export(Wish(CONTAINER, **wish), self.site).write(Full())

    # -- what is told -------------------------------------------------------------------

    def test_progress(self):
        fill(self.site, IThing, [{"code": f"n{n}", "size": n % 2} for n in range(2 * STEP)])
        total = 2 * STEP + 3
        for wish in ({}, {"filters": (("size", "1"),)}):
            told = []
            Export(Wish(CONTAINER, **wish), self.site).write(
                io.BytesIO(), lambda rows, part, told=told: told.append((rows, part))
            )
            self.assertEqual([part for _, part in told], [n * STEP / total for n in range(3)])
        self.assertEqual(told[0][0], 0)
        self.assertLess(told[-1][0], STEP + 3)

    def test_who_is_told_may_end_the_work(self):
        class Cancelled(Exception):
            pass

        def tell(rows, part):
            raise Cancelled

        for wish in ({}, {"format": "xlsx"}, {"keys": ("a",)}):
            with self.assertRaises(Cancelled):
                Export(Wish(CONTAINER, **wish), self.site).write(io.BytesIO(), tell)

    # -- room --------------------------------------------------------------------------

    def test_room_of_a_sheet(self):
        def require(**wish):
            Export(Wish(CONTAINER, **{"format": "xlsx", **wish}), self.site).require_room()

        with mock.patch.object(driver, "MOST_SHEET_ROWS", 2):
            with self.assertRaisesRegex(TooLarge, "A sheet holds 2 rows"):
                require()
            require(format="csv")
            require(filters=(("size", "1"),))
            require(keys=("a", "b", "a", "x"))
            with self.assertRaises(TooLarge):
                require(keys=("a", "b", "c"))


@unittest.skipUnless(os.path.exists("/proc/self/status"), "the peak of memory is that of Linux")
class MemoryTests(unittest.TestCase):
    """In processes of their own, with a small cache."""

    def peak(self, things, students):
        """Return the KB that exports of so many objects take."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "Data.fs")
            many.fill(path, things, students)
            done = subprocess.run(
                [sys.executable, "-m", many.__name__, path, str(things)],
                stdout=subprocess.PIPE,
                check=True,
            )
        return int(done.stdout)

    def test_many_objects_take_no_more_than_a_few(self):
        """Also a filter that takes none, students without tickets, and the methods of 1.9."""
        few, more = self.peak(1_000, 1_000), self.peak(100_000, 10_000)
        # The storage itself keeps some ten bytes for each object.
        self.assertLess(more - few, 8 << 10)
