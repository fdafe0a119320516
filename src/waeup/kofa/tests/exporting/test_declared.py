"""What a kind declares for its exports: columns that are no fields, and filters of its own."""

import os
import tempfile
import unittest

import grok
from zope import interface, schema
from zope.component import getGlobalSiteManager
from zope.i18nmessageid import Message

from waeup.kofa.errors import Refused, TooLarge
from waeup.kofa.exporting.cells import CellError
from waeup.kofa.exporting.filters import filters_in_order
from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.declaring import column, computed, filter_by
from waeup.kofa.importing.kind import ContainerProcessor, Record
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.tabular import open_table
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.tests.exporting.kinds import Site, text_of, written
from waeup.kofa.tests.exporting.test_sheets import read_at_once


class IBear(interface.Interface):
    """A bear."""

    code = schema.TextLine(title="Code")
    weight = schema.Int(title="Weight", required=False)
    key = schema.Password(title="Key", required=False)


class BearProcessor(ContainerProcessor):
    """Tells more of bears than what is known."""

    grok.baseclass()

    util_name = "declaredbears"
    iface = IBear
    container = "bears"
    key = "code"

    @column(title="Cry")
    def cry(self, obj):
        """Return what a spreadsheet would evaluate."""
        return f"={obj.code}"

    @column("size")
    def in_words(self, obj):
        """Return a number, or fail."""
        return obj.weight // 100

    @column()
    def tale(self, obj):
        """Return whatever there is."""
        return getattr(obj, "tale", None)

    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        """Tell whether the weight is known and more."""
        return wanted is None or (obj.weight or 0) > wanted

    @filter_by(schema.TextLine(title="Begins"))
    def code(self, obj, wanted):
        """Stand in the place of the filter for codes."""
        return obj.code.startswith(wanted)

    @computed("weight")
    def usual(self, row, site):
        """Return what most bears weigh."""
        return 500


class _Odd(str):
    """A text that says otherwise where it is asked."""

    __slots__ = ()

    def __str__(self):
        return "=1"


class DeclaredExportTests(unittest.TestCase):
    """A kind has its exporter, which has what the kind declares."""

    layer = KofaUnitTestLayer

    def setUp(self):
        registry = getGlobalSiteManager()
        parts = (BearProcessor(), IBatchProcessor, "declaredbears")
        exporter = (ContainerExporter(BearProcessor), ICSVExporter, "bears")
        for component, provided, name in (parts, exporter):
            registry.registerUtility(component, provided, name)
            self.addCleanup(registry.unregisterUtility, component, provided, name)
        self.exporter = exporter[0]
        self.site = Site("bears")
        for code, weight in (("a", 300), ("b", 700)):
            bear = self.site["bears"][code] = Record(IBear)
            bear.code, bear.weight = code, weight

    def text(self, **wish):
        """Return an export, without quotes."""
        return text_of(self.site, "bears", **wish).replace('"', "").split()

    def test_columns_come_behind_the_fields_and_are_guarded(self):
        self.assertEqual(
            self.text(), ["code,weight,cry,size,tale", "a,300,'=a,3,", "b,700,'=b,7,"]
        )
        self.assertEqual(self.exporter.kept_fields, ("code", "weight", "key"))

    def test_filters_of_its_own(self):
        names = [name for name, _field in filters_in_order(self.exporter.filters)]
        self.assertEqual(names, ["weight", "heavier", "code"])
        self.assertEqual(self.text(filters=(("heavier", "500"),))[1:], ["b,700,'=b,7,"])
        self.assertEqual(self.text(filters=(("heavier", "XXX"),))[1:], self.text()[1:])
        self.assertEqual(self.text(filters=(("code", "a"), ("heavier", "500")))[1:], [])
        with self.assertRaisesRegex(Refused, "heavier: Invalid integer data"):
            self.text(filters=(("heavier", "much"),))

    def test_a_filter_that_fails_names_itself_and_the_object(self):
        self.site["bears"]["b"].weight = "much"
        with self.assertRaisesRegex(Refused, "filter heavier has failed .* 'b': TypeError"):
            self.text(filters=(("heavier", "500"),))

    def test_a_column_that_fails_is_named_with_the_object(self):
        self.site["bears"]["b"].weight = None
        where = "has stopped at row 2, code 'b': column 'size': TypeError"
        with self.assertRaisesRegex(Refused, where):
            self.text()

    def test_whatever_a_column_gives_is_written_or_refused_with_its_name(self):
        class Mute:
            def __str__(self):
                raise ZeroDivisionError

        bear = self.site["bears"]["b"]
        for value, cell in (
            ("a\0b", r"a\x00b"),
            ("\ud800\xe4\udfff", "\\ud800\xe4\\udfff"),
            (["a\0", "\ud800"], r"['a\x00', '\ud800']"),
            (Message("${n} kg", "test", mapping={"n": 3}), "3 kg"),
            (_Odd("=1"), "'=1"),
            (float("nan"), "nan"),
            (b"x\0", r"b'x\x00'"),
            ("one\ttwo\r\nthree", "one\ttwo\r\nthree"),
            (Mute(), None),
            (10**5000, None),
        ):
            bear.tale = value
            for form in ("csv", "tsv", "xlsx"):
                with self.subTest(value=type(value), form=form):
                    if cell is None:
                        where = "has stopped at row 2, code 'b': column 'tale': "
                        with self.assertRaisesRegex(Refused, where):
                            written(self.site, "bears", format=form)
                    else:
                        content, _outcome = written(self.site, "bears", format=form)
                        self.assertEqual(self.read(content, form)[1][-1], cell)

    def read(self, content, form):
        """Return the rows of an export."""
        if form == "xlsx":
            return read_at_once(content)[1]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"bears.{form}")
            with open(path, "wb") as stream:
                stream.write(content)
            with open_table(path) as table:
                rows = list(table)
        self.assertEqual([row.problem for row in rows], [None] * len(rows))
        return [row.values for row in rows]

    def test_what_a_workbook_alone_cannot_hold_is_refused_with_column_and_object(self):
        self.site["bears"]["b"].tale = "x" * 40_000
        self.assertEqual(len(self.read(written(self.site, "bears")[0], "csv")[1][-1]), 40_000)
        words = "row 2, column 'tale': .*That is row 2, code 'b'. Correct that object, or choose"
        with self.assertRaisesRegex(TooLarge, words):
            written(self.site, "bears", format="xlsx")

    def test_fields_are_refused_with_column_and_object(self):
        for text, character in (("b\0", "U\\+0000"), ("b\udc80", "U\\+DC80")):
            self.site["bears"]["b"].code = text
            words = f"in the column 'code': the character {character}. That is row 2, code"
            with self.assertRaisesRegex(Refused, words):
                self.text()

    def test_a_site_that_makes_cells_itself_is_given_them(self):
        class Shouting(ContainerExporter):
            grok.baseclass()

            def mangle_value(self, value, name, context=None):
                return f"{value}!"

        exporter = Shouting(BearProcessor)
        text = exporter.export_all(self.site)
        self.assertIn("a!,300!,'=a!,3!", text.replace('"', ""))
        self.site["bears"]["b"].weight = "x"
        with self.assertRaisesRegex(CellError, "column 'size': TypeError: unsupported"):
            exporter.export_all(self.site)
