"""Exporters of kinds: what they are derived from, and exporters in the style of Kofa 1.9."""

import csv
import io
import os
import tempfile
import unittest

import grok
from grokcore.component.testing import grok_component
from zope import interface, schema
from zope.component import getGlobalSiteManager, getUtility, queryUtility
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.conversion.secret import hash_password
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.driver import all_exporters
from waeup.kofa.exporting.filters import filters_in_order
from waeup.kofa.exporting.grokking import ContainerExporterGrokker  # noqa: F401 - is what is tested
from waeup.kofa.exporting.kind import ContainerExporter, KindExporter
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.tabular import open_table
from waeup.kofa.tabular.unpacking import unpack
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.tests.exporting.kinds import (
    CONTAINER,
    Site,
    fill,
    kind_registered,
    processor_of,
    registered,
    text_of,
)
from waeup.kofa.utils.batching import ExporterBase


class ICave(interface.Interface):
    """A cave."""

    size = schema.Int(title="Size", required=False)
    code = schema.TextLine(title="Code")
    owner = schema.TextLine(title="Owner", required=False)
    key = schema.Password(title="Key", required=False)
    shape = schema.Object(schema=interface.Interface, title="Shape", required=False)
    map = schema.Dict(title="Map", required=False)


HASH = hash_password("secret", 4)
CAVES = [
    {"code": "a", "size": 3, "owner": "=Fred", "key": HASH},
    {"code": "b", "size": -5, "owner": None, "key": None},
]
#: Pairs of format and packing.
FORMS = [("csv", ""), ("tsv", ""), ("csv", "gzip"), ("tsv", "zip"), ("xlsx", "")]


class CaveTestCase(unittest.TestCase):
    """Has a site with two caves, and what imports and exports them."""

    def setUp(self):
        self.site = Site()
        fill(self.site, ICave, CAVES)
        kind = kind_registered(ICave)
        self.processor, self.exporter = kind.__enter__()
        self.addCleanup(kind.__exit__, None, None, None)

    def register(self, exporter, name="own"):
        """Register an exporter for the time of the test."""
        block = registered((exporter, ICSVExporter, name))
        block.__enter__()
        self.addCleanup(block.__exit__, None, None, None)

    def rows(self, exporter, format="csv", packing="", **wish):  # noqa: A002
        """Return the rows of an export as an import finds them, the header first."""
        export = Export(Wish(exporter, format=format, packing=packing, **wish), self.site)
        export.require_room()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, export.filename)
            with open(path, "wb") as stream:
                export.write(stream)
            if packing or format == "xlsx":
                target = os.path.join(folder, "plain.csv")
                unpack(path, target)
                path = target
            with open_table(
                path, "utf-8", delimiter="\t" if format == "tsv" else ",", quote='"'
            ) as table:
                return [list(table.header), *(list(row.values) for row in table)]

    def assert_in_all_formats(self, exporter, rows, **wish):
        for form in FORMS:
            with self.subTest(exporter=exporter, form=form):
                self.assertEqual(self.rows(exporter, *form, **wish), rows)


class ContainerExporterTests(CaveTestCase):
    """What a kind gets by itself."""

    def test_contract(self):
        for cls in (ExporterBase, KindExporter, ContainerExporter):
            self.assertTrue(verifyClass(ICSVExporter, cls))
        self.assertTrue(verifyObject(ICSVExporter, self.exporter))
        self.assertEqual(self.exporter.title, "Things")
        self.assertEqual(self.exporter.permission, "waeup.exportData")
        self.assertEqual(self.exporter.key_fields, ("code",))
        self.assertEqual(self.exporter.count(self.site), 2)

    def test_columns_are_those_of_an_import_that_cells_can_fill(self):
        """Where an object is comes first; the rest is in the order of the schema."""
        self.assertEqual(self.exporter.all_fields, ("code", "size", "owner", "key"))
        self.assertEqual(self.exporter.fields, ("code", "size", "owner"))
        self.assertEqual(self.exporter.secret_fields, ("key",))
        self.assertLessEqual({*self.exporter.all_fields}, {*self.processor.available_fields})
        names = [name for name, _ in filters_in_order(self.exporter.filters)]
        self.assertEqual(names, ["code", "size", "owner"])

    def test_methods_of_1_9(self):
        header = '"code","size","owner"\r\n'
        a, b = '"a","3","\'=Fred"\r\n', '"b","-5",""\r\n'
        exporter = self.exporter
        self.assertEqual(exporter.export_all(self.site), header + a + b)
        self.assertEqual(exporter.export_filtered(self.site, size=3), header + a)
        self.assertEqual(exporter.export_selected(self.site, selected=["b", "c", "b"]), header + b)
        self.assertEqual(exporter.export([self.site[CONTAINER]["b"]]), header + b)
        self.assertEqual(exporter.mangle_value("=x", "owner"), "'=x")
        self.assertEqual(exporter.mangle_value(True, "unknown"), "1")
        with self.assertRaisesRegex(
            Refused, "no filter 'colour'. There are: 'code', 'size', 'owner'"
        ):
            exporter.export_filtered(self.site, colour="red")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "caves.csv")
            self.assertIsNone(exporter.export_all(self.site, filepath=path))
            with open(path, encoding="utf-8", newline="") as stream:
                self.assertEqual(stream.read(), header + a + b)

    def test_in_all_formats(self):
        rows = [["code", "size", "owner"], ["a", "3", "'=Fred"], ["b", "-5", ""]]
        self.assert_in_all_formats(CONTAINER, rows)

    def test_secrets_only_on_demand(self):
        self.assertNotIn(HASH, text_of(self.site))
        rows = [
            ["code", "size", "owner", "key"],
            ["a", "3", "'=Fred", HASH],
            ["b", "-5", "", ""],
        ]
        self.assert_in_all_formats(CONTAINER, rows, secrets=True)

    def test_unsafe_cells(self):
        rows = [["code", "size", "owner"], ["a", "3", "=Fred"], ["b", "-5", ""]]
        self.assert_in_all_formats(CONTAINER, rows, safe=False)
        self.assertTrue(self.exporter.safe_cells)
        self.assertEqual(self.exporter.mangle_value("=x", "owner"), "'=x")

    def test_without_its_container(self):
        del self.site[CONTAINER]
        self.assertEqual(self.exporter.export_all(self.site), '"code","size","owner"\r\n')
        self.assertEqual(
            self.exporter.export_selected(self.site, selected=["a"]), '"code","size","owner"\r\n'
        )


class UndefinedTests(unittest.TestCase):
    """What nobody has defined is told with the class that has to."""

    def test_what_an_exporter_has_to_define(self):
        exporter = type("ZooExporter", (KindExporter,), {"__module__": "zoo", "filters": None})()
        for call, words in (
            (lambda: exporter.objects({}), "objects(site); it returns all objects of the kind."),
            (
                lambda: exporter.export_all({}),
                "objects(site); it returns all objects of the kind.",
            ),
            (
                lambda: list(exporter.find({}, "a")),
                "find(site, key); it returns the objects that a key stands for.",
            ),
        ):
            with self.assertRaises(NotImplementedError) as caught:
                call()
            self.assertEqual(
                str(caught.exception),
                f"method not implemented: zoo.ZooExporter has to define {words}",
            )

    def test_what_a_processor_has_to_define(self):
        processor = type("ZooProcessor", (BatchProcessor,), {"__module__": "zoo"})()
        for hook, args in (
            ("getParent", ({}, None)),
            ("getEntry", ({}, None)),
            ("addEntry", (None, {}, None)),
            ("delEntry", ({}, None)),
        ):
            with self.assertRaisesRegex(
                NotImplementedError, rf"zoo\.ZooProcessor has to define {hook}\(.*\); it "
            ):
                getattr(processor, hook)(*args)


class OwnKind(ContainerExporter):
    """The base of kinds that a site has changed."""

    grok.baseclass()

    def __init__(self):
        super().__init__(processor_of(ICave))


class OwnKindTests(CaveTestCase):
    """A site changes one thing of a kind, in the words of Kofa 1.9."""

    def test_fields(self):
        """No column but these: a hash only where it is named, and then on demand."""

        class Exporter(OwnKind):
            fields = ("owner", "code", "age")

        self.register(Exporter())
        rows = [["owner", "code", "age"], ["'=Fred", "a", ""], ["", "b", ""]]
        self.assert_in_all_formats("own", rows)
        with self.assertRaisesRegex(Refused, "has no passwords"):
            Export(Wish("own", secrets=True), self.site)
        # What no import knows is no attribute either.
        filters = [name for name, _ in filters_in_order(Exporter().filters)]
        self.assertEqual(sorted(filters), ["code", "owner"])

        class More(OwnKind):
            @property
            def fields(self):
                return (*super().fields, "key")

        self.register(More(), "more")
        self.assertEqual(self.rows("more")[0], ["code", "size", "owner"])
        self.assertEqual(self.rows("more", secrets=True)[0], ["code", "size", "owner", "key"])

    def test_mangle_value(self):
        class Exporter(OwnKind):
            def mangle_value(self, value, name, context=None):
                if name == "owner":
                    return f"-{context.code}" if context is not None else "none"
                if name == "size":
                    return value
                return super().mangle_value(value, name, context)

        self.register(Exporter())
        rows = [["code", "size", "owner"], ["a", "3", "'-a"], ["b", "-5", "'-b"]]
        self.assert_in_all_formats("own", rows)
        rows[1][2], rows[2][2] = "-a", "-b"
        self.assert_in_all_formats("own", rows, safe=False)

    def test_cells_are_compiled_once(self):
        class Counted(schema.Choice):
            made = 0

            def bind(self, context):
                type(self).made += 1
                return super().bind(context)

        class ICounted(interface.Interface):
            code = schema.TextLine()
            colour = Counted(values=["red", "blue"])

        class Exporter(OwnKind):
            iface = ICounted

            def mangle_value(self, value, name, context=None):
                return super().mangle_value(value, name, context)

        with kind_registered(ICounted):
            site = Site()
            fill(site, ICounted, [{"code": str(n), "colour": "red"} for n in range(50)])
            self.register(Exporter())
            Counted.made = 0
            self.assertEqual(text_of(site, "own").count("red"), 50)
            self.assertEqual(Exporter().export_all(site).count("red"), 50)
            self.assertLess(Counted.made, 10)

    def test_write_item(self):
        """Writes several rows for an object, some by the base, and none for others."""

        class Exporter(OwnKind):
            def write_item(self, obj, writer):
                if obj.code == "b":
                    return
                super().write_item(obj, writer)
                writer.writerow({"code": obj.code, "owner": "+1", "unknown": "x"})

        self.register(Exporter())
        rows = [["code", "size", "owner"], ["a", "3", "'=Fred"], ["a", "", "+1"]]
        self.assert_in_all_formats("own", rows)
        rows[1].append(HASH)
        rows[0].append("key")
        rows[2].append("")
        self.assertEqual(self.rows("own", secrets=True), rows)

    def test_get_filtered_and_get_selected(self):
        class Exporter(OwnKind):
            def get_filtered(self, site, **kw):
                yield from (cave for cave in site[CONTAINER].values() if cave.size < 0)

            def get_selected(self, site, selected):
                return [site[CONTAINER]["b"] for _ in selected]

        self.register(Exporter())
        header, _, b = self.rows(CONTAINER)
        self.assert_in_all_formats("own", [header, b])
        self.assertEqual(self.rows("own", keys=("x", "y")), [header, b, b])

    def test_get_csv_writer(self):
        class Exporter(OwnKind):
            def get_csv_writer(self, filepath=None):
                stream = open(filepath, "w", encoding="utf-8", newline="")  # noqa: SIM115
                writer = csv.DictWriter(stream, ["owner", "code", "key"], lineterminator="\n")
                writer.writeheader()
                return writer, stream

        self.register(Exporter())
        rows = [["code", "size", "owner"], ["a", "", "'=Fred"], ["b", "", ""]]
        self.assert_in_all_formats("own", rows)
        self.assertNotIn(HASH, text_of(self.site, "own"))


class Of1_9(ExporterBase):
    """An exporter as a site has written it for Kofa 1.9: none of what is new."""

    fields = ("code", "title", "owner", "size", "password")
    title = "Caves of 1.9"

    def mangle_value(self, value, name, context=None):
        if name == "title":
            return f"@{context.code}"
        if name == "password":
            value = HASH
        return super().mangle_value(value, name, context)

    def get_filtered(self, site, **kw):
        return (
            cave
            for cave in site[CONTAINER].values()
            if all(getattr(cave, name) == value for name, value in kw.items())
        )

    def get_selected(self, site, selected):
        return [site[CONTAINER][key] for key in selected]

    def export_all(self, site, filepath=None):
        return self.export(self.get_filtered(site), filepath=filepath)

    def export_selected(self, site, filepath=None, **kw):
        return self.export(self.get_selected(site, kw.get("selected", [])), filepath=filepath)


class OwnExport(Of1_9):
    """Writes its tables itself."""

    def export(self, iterable, filepath=None):
        writer, outfile = self.get_csv_writer(filepath)
        for cave in iterable:
            self.write_item(cave, writer)
        return self.close_outfile(filepath, outfile)


class OwnItem(Of1_9):
    """Writes rows itself."""

    export_all = ExporterBase.export_all
    export_selected = ExporterBase.export_selected

    def write_item(self, obj, writer):
        row = {}
        for name in self.fields:
            row[name] = self.mangle_value(getattr(obj, name, None), name, obj)
        writer.writerow(row)


@implementer(ICSVExporter)
class Foreign:
    """Has no more than the interface of Kofa 1.9 asked for, and no base."""

    fields = ["code", "password"]
    title = "Foreign"

    def export_all(self, site, filepath=None):
        return self.export(site[CONTAINER].values(), filepath)

    def export(self, iterable, filepath=None):
        stream = io.StringIO() if filepath is None else open(filepath, "w")  # noqa: SIM115
        with stream:
            stream.write("code,password\n")
            for cave in iterable:
                stream.write(f"{cave.code},{HASH}\n")
            return stream.getvalue() if filepath is None else None


class StyleOf1_9Tests(CaveTestCase):
    """Exporters that know nothing of wishes, forms and secrets."""

    rows_of_1_9 = (
        ["code", "title", "owner", "size"],
        ["a", "'@a", "'=Fred", "3"],
        ["b", "'@b", "", "-5"],
    )

    def test_in_all_formats(self):
        for cls in (Of1_9, OwnExport, OwnItem):
            self.register(cls(), cls.__name__)
            self.assert_in_all_formats(cls.__name__, [*self.rows_of_1_9])
            header, _, b = self.rows_of_1_9
            self.assertEqual(self.rows(cls.__name__, keys=("b",)), [header, b])

    def test_a_password_is_a_secret_wherever_it_is(self):
        self.register(OwnItem())
        self.assertNotIn(HASH, text_of(self.site, "own"))
        self.assertNotIn(HASH, text_of(self.site, "own", safe=False))
        self.assertEqual(text_of(self.site, "own", secrets=True).count(HASH), 2)

    def test_filters_of_a_schema_of_its_own(self):
        class IFilters(interface.Interface):
            size = schema.Int(title="Size", required=False)
            owner = schema.TextLine(title="Owner", required=False)

        for cls in (Of1_9, OwnItem):
            exporter = cls()
            exporter.filters = IFilters
            self.register(exporter, cls.__name__)
            header, _, b = self.rows_of_1_9
            filters = (("size", "-5"), ("owner", ""))
            self.assertEqual(self.rows(cls.__name__, filters=filters), [header, b])
            with self.assertRaisesRegex(Refused, "size: Invalid integer data: 'x'"):
                Export(Wish(cls.__name__, filters=(("size", "x"),)), self.site)
            with self.assertRaisesRegex(Refused, "filters or keys, not both"):
                Export(Wish(cls.__name__, filters=filters, keys=("a",)), self.site)
        self.register(Of1_9(), "plain")
        with self.assertRaisesRegex(Refused, "no filter 'size'. It has none"):
            Export(Wish("plain", filters=filters), self.site)

    def test_safe_cells_may_be_off_for_good(self):
        exporter = OwnItem()
        exporter.safe_cells = False
        self.register(exporter)
        self.assertIn("@a,=Fred", text_of(self.site, "own"))

    def test_a_class_without_base(self):
        self.register(Foreign(), "foreign")
        self.assert_in_all_formats("foreign", [["code"], ["a"], ["b"]])
        self.assertEqual(text_of(self.site, "foreign", secrets=True).count(HASH), 2)
        found = dict(all_exporters())["foreign"]
        self.assertTrue(verifyObject(ICSVExporter, found))
        self.assertEqual(found.permission, "waeup.exportData")

    def test_big_cells_and_odd_texts(self):
        """Nothing gets lost on the way through the table of a site."""
        texts = ["x" * 200_000, "two\r\nlines", 'a"b,c', "\tx", "'t Hooft", "#"]
        fill(self.site, ICave, [{"code": f"z{n}", "owner": one} for n, one in enumerate(texts)])
        self.register(OwnExport())
        found = [row[2] for row in self.rows("own")[3:]]
        self.assertEqual(found, [one if one[0] != "\t" else "'" + one for one in texts])

    def test_a_table_that_is_damaged(self):
        class Broken(Foreign):
            def export(self, iterable, filepath=None):
                with open(filepath, "w", encoding="utf-8") as stream:
                    stream.write('code,password\na,"x\nb,y\n')

        self.register(Broken())
        with self.assertRaisesRegex(Refused, "Foreign has written is no sound table, line 2"):
            text_of(self.site, "own")


class RegistrationTests(unittest.TestCase):
    """Grok gives each container an exporter, unless a site has one."""

    layer = KofaUnitTestLayer

    def setUp(self):
        manager = getGlobalSiteManager()

        def forget():
            manager.unregisterUtility(provided=ICSVExporter, name="shelters")
            manager.unregisterUtility(provided=IBatchProcessor, name="shelterprocessor")

        self.addCleanup(forget)

        class ShelterProcessor(ContainerProcessor):
            iface = ICave
            container = "deep/shelters"

        class ShelterExporter(ExporterBase, grok.GlobalUtility):
            grok.name("shelters")
            grok.provides(ICSVExporter)
            title = "Own"

        self.processor, self.exporter = ShelterProcessor, ShelterExporter

    def test_by_itself(self):
        self.assertIsNone(queryUtility(ICSVExporter, name="shelters"))
        grok_component("ShelterProcessor", self.processor)
        found = getUtility(ICSVExporter, name="shelters")
        self.assertIsInstance(found, ContainerExporter)
        self.assertEqual((found.title, found.fields), ("Shelters", ("code", "size", "owner")))

    def test_that_of_a_site_wins(self):
        pairs = [("ShelterProcessor", self.processor), ("ShelterExporter", self.exporter)]
        for order in (pairs, pairs[::-1]):
            for name, component in order:
                grok_component(name, component)
            self.assertEqual(getUtility(ICSVExporter, name="shelters").title, "Own")
            self.doCleanups()

    def test_what_needs_none(self):
        class Nowhere(self.processor):
            container = ""
            util_name = "shelterprocessor"

            def getParent(self, row, site):
                return None

        grok_component("Nowhere", Nowhere)
        self.assertIsNone(queryUtility(ICSVExporter, name=""))
        # The kinds of the portal have exporters of their own.
        for name in ("users", "faculties"):
            self.assertNotIsInstance(getUtility(ICSVExporter, name=name), ContainerExporter)
