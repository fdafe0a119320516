"""Converters of one kind: both ways, explained, and with secrets kept."""

import io
import unittest

import grok
from hypothesis import given
from hypothesis import strategies as st
from zope import interface, schema
from zope.component import getGlobalSiteManager, provideAdapter

from waeup.kofa.conversion import FieldPlan, OwnConverter, explain, is_secret
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.driver import columns_of
from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.i18n import english
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter, IFieldConverter
from waeup.kofa.tests.importing.test_engine import EngineTestCase


class IBear(interface.Interface):
    """A bear."""

    code = schema.TextLine(title="Code")
    weight = schema.Int(title="Weight", required=False, min=1, max=9000)
    height = schema.Int(title="Height", required=False)
    pin = schema.TextLine(title="Pin", required=False)


class Tons(OwnConverter):
    """Kilograms, written in tons."""

    kind = "weight in tons"
    examples = ("5.2 t",)

    def convert(self, text):
        """See `IFieldConverter`."""
        number, unit = text.split()
        if unit != "t":
            raise ConversionError(f"{unit!r} is no unit; write tons, such as 5.2 t.")
        return round(float(number) * 1000)

    def render(self, value):
        """See `IFieldConverter`."""
        return f"{value / 1000} t"


class Pin(OwnConverter):
    """A secret that is kept as something else."""

    secret = True

    def convert(self, text):
        """See `IFieldConverter`."""
        return text if text.startswith("#") else f"#{hash(text)}"

    def render(self, value):
        """See `IFieldConverter`."""
        return value


class BearProcessor(ContainerProcessor):
    """Imports bears by their tons."""

    grok.baseclass()

    util_name = "tonsofbears"
    iface = IBear
    container = "caves"
    key = "code"
    converters = {"weight": Tons, "pin": Pin}


class KindConverterTests(EngineTestCase):
    """A kind says how some of its cells are read and written."""

    processor = BearProcessor()

    def test_rows_are_read_by_them_and_what_they_make_is_checked(self):
        counts, _, pending = self.do(
            "code,weight,height", "a,5.2 t,3", "b,5 kg,", "c,20 t,", "d,t,", "e,XXX,", "f,,"
        )
        self.assertEqual(counts, (6, 3))
        caves = self.site["caves"]
        self.assertEqual([caves[name].weight for name in "aef"], [5200, None, None])
        self.assertEqual(
            [line.partition("weight: ")[2].strip('"') for line in pending[1:]],
            [
                "'kg' is no unit; write tons, such as 5.2 t.",
                "Invalid input: '20000' is too big; the biggest value is 9000.",
                "not enough values to unpack (expected 2, got 1)",
            ],
        )

    def test_the_objects_have_the_schema_that_was_declared(self):
        self.do("code", "a")
        self.assertTrue(IBear.providedBy(self.site["caves"]["a"]))
        self.assertIs(self.processor.object_iface, IBear)
        self.assertTrue(self.processor.iface.extends(IBear))
        self.assertEqual(self.processor.iface.__doc__, "A bear.")

    def test_a_secret_is_in_no_file(self):
        self.assertEqual(secret_names(self.processor.iface), {"pin"})
        counts, finished, _ = self.do("code,pin", "a,sesame")
        self.assertEqual(counts, (1, 0))
        kept = self.site["caves"]["a"].pin
        self.assertEqual(finished[1], f"a,{kept}")
        self.assertNotIn("sesame", finished[1])

    def test_a_secret_that_is_refused_is_in_no_message(self):
        class Number(Pin):
            def convert(self, text):
                if text.startswith("x"):
                    raise ConversionError(f"{text!r} is no pin.")
                return f"#{int(text)}"

        class Own(BearProcessor):
            grok.baseclass()
            converters = {"pin": Number}

        _, _, pending = self.do("code,pin", "a,xgeheim", "b,geheim", "c,x", processor=Own())
        self.assertEqual(
            pending[1:],
            [
                "a,<IGNORE>,pin: '***' is no pin.",
                "b,<IGNORE>,pin: ValueError",
                "c,<IGNORE>,pin: *** is no pin.",
            ],
        )

    def test_they_are_explained(self):
        fields = schema.getFields(self.processor.iface)
        words = explain(fields["weight"])
        self.assertEqual((words.kind, words.example), ("weight in tons", "5.2 t"))
        self.assertEqual(explain(fields["pin"]).example, "")
        self.assertEqual(english(explain(IBear["weight"]).kind), "whole number, 1 to 9000")

    def test_subclasses_have_them_and_may_have_others(self):
        class Sub(BearProcessor):
            grok.baseclass()

        class Plain(BearProcessor):
            grok.baseclass()
            converters = {}

        class IOther(IBear):
            pass

        class Other(BearProcessor):
            grok.baseclass()
            iface = IOther

        self.assertIs(Sub.iface, BearProcessor.iface)
        self.assertIs(Plain.iface, IBear)
        self.assertIs(Other().object_iface, IOther)
        self.assertTrue(is_secret(Other.iface["pin"]))

    def test_one_that_cannot_be_is_refused_at_once(self):
        class Plain:
            """Has what a converter has, and takes no field."""

        with self.assertRaisesRegex(TypeError, "no field size"):
            type("Own", (BearProcessor,), {"converters": {"size": Tons}})
        for wrong, found in (
            (Tons(IBear["weight"]), "to be a class"),
            (Plain, "Plain is made for"),
        ):
            with self.assertRaisesRegex(TypeError, found):
                type("Own", (BearProcessor,), {"converters": {"weight": wrong}})

    def test_exports_come_back(self):
        registry = getGlobalSiteManager()
        exporter = ContainerExporter(BearProcessor)
        for component, provided, name in (
            (self.processor, IBatchProcessor, "tonsofbears"),
            (exporter, ICSVExporter, "caves"),
        ):
            registry.registerUtility(component, provided, name)
            self.addCleanup(registry.unregisterUtility, component, provided, name)
        self.do("code,weight", "a,5.2 t", "b,")
        stream = io.BytesIO()
        Export(Wish("caves", filters=(("weight", "5.2 t"),)), self.site).write(stream)
        text = stream.getvalue().decode()
        self.assertEqual(text.split("\r\n")[:2], ['"code","weight","height"', '"a","5.2 t",""'])
        self.assertEqual([column.kind for column in columns_of(exporter)][1:], ["text", "integer"])

    @given(st.integers(1, 9000))
    def test_every_weight_comes_back(self, weight):
        plan = FieldPlan(self.processor.iface["weight"])
        self.assertEqual(plan.convert(plan.render(weight), "create", True), weight)


class Loud(OwnConverter):
    """Writes what a spreadsheet would evaluate."""

    def convert(self, text):
        """See `IFieldConverter`."""
        return text.removeprefix("=")

    def render(self, value):
        """See `IFieldConverter`."""
        return f"={value}"


class IShout(schema.interfaces.ITextLine):
    """A field that is written otherwise everywhere."""


@interface.implementer(IShout)
class Shout(schema.TextLine):
    """See `IShout`."""


class TypeConverterTests(unittest.TestCase):
    """A converter for a kind of fields serves all kinds of objects."""

    def provide(self, factory, required):
        """Register an adapter for the time of a test."""
        provideAdapter(factory, (required,), IFieldConverter)
        self.addCleanup(
            getGlobalSiteManager().unregisterAdapter, factory, (required,), IFieldConverter
        )

    def test_cells_are_guarded_both_ways(self):
        self.provide(Loud, IShout)
        plan = FieldPlan(Shout(__name__="cry"))
        self.assertEqual(plan.render("ho"), "'=ho")
        self.assertEqual(plan.convert("'=ho", "create", True), "ho")
        with self.assertRaisesRegex(ConversionError, "does not satisfy"):
            plan.convert("=a\nb", "create", True)

    def test_a_converter_that_would_let_out_a_password_is_refused(self):
        self.provide(Loud, schema.interfaces.IPassword)
        with self.assertRaisesRegex(MappingError, "'key' is a password, and its converter"):
            FieldPlan(schema.Password(__name__="key"))

    def test_a_secret_converter_for_what_is_no_password_is_refused(self):
        self.provide(Pin, IShout)
        with self.assertRaisesRegex(MappingError, "let the field be a Password"):
            FieldPlan(Shout(__name__="cry"))
