"""Choices of keys of objects in the site: listed when few, looked up when many."""

import unittest
from unittest import mock

import grok
from zope import interface, schema
from zope.interface.verify import verifyObject

from waeup.kofa.conversion import FieldPlan, allowed_values, explain
from waeup.kofa.errors import ConversionError
from waeup.kofa.importing import sources
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.sources import KeysOf
from waeup.kofa.interfaces import ILookupSource
from waeup.kofa.tests.importing.test_engine import EngineTestCase


class Herd(grok.Model):
    """A herd with a title."""

    def __init__(self, title):
        super().__init__()
        self.title = title


class IBear(interface.Interface):
    """A bear in a herd."""

    code = schema.TextLine(title="Code")
    herd = schema.Choice(title="Herd", source=KeysOf("zoo/herds", "Herds"), required=False)


class BearProcessor(ContainerProcessor):
    """Imports such bears."""

    grok.baseclass()

    iface = IBear
    container = "caves"
    key = "code"


class KeysTests(EngineTestCase):
    """A cell names an object of the site."""

    processor = BearProcessor()

    def setUp(self):
        super().setUp()
        zoo = self.site["zoo"] = grok.Container()
        self.herds = zoo["herds"] = grok.Container()
        for key, title in (("NORTH", "Northern herd"), ("SOUTH", ""), ("EAST", "Eastern herd")):
            self.herds[key] = Herd(title)

    def plan(self):
        """Return how cells are read in this site."""
        return FieldPlan(IBear["herd"], self.site)

    def test_few_are_listed_with_their_titles(self):
        words = explain(IBear["herd"], self.site)
        self.assertEqual(
            dict(words.allowed),
            {"EAST": "Eastern herd", "NORTH": "Northern herd", "SOUTH": "SOUTH"},
        )
        self.assertEqual(self.plan().convert("northern herd", "create", True), "NORTH")
        self.assertEqual(self.plan().field.vocabulary.title, "Herds")

    def test_many_are_looked_up(self):
        with mock.patch.object(sources, "MOST_LISTED", 1):
            plan = self.plan()
            self.assertEqual(allowed_values(plan.field), {})
            self.assertTrue(verifyObject(ILookupSource, plan.field.vocabulary))
            self.assertEqual(plan.convert("north", "create", True), "NORTH")
            self.assertEqual(plan.render("NORTH"), "NORTH")
            counts, _, pending = self.do("code,herd", "a,SOUTH", "b,Nort", "c,?")
        self.assertEqual(counts, (3, 2))
        self.assertEqual(self.site["caves"]["a"].herd, "SOUTH")
        self.assertEqual(
            [line.partition("herd: ")[2].strip('"') for line in pending[1:]],
            [
                "Invalid value: 'Nort' is not allowed; perhaps one of these is meant: 'NORTH'.",
                "Invalid value: '?' is not allowed.",
            ],
        )

    def test_similar_keys_are_looked_for_few_times(self):
        with (
            mock.patch.object(sources, "MOST_TEXTS", 2),
            mock.patch.object(sources.process, "extract", wraps=sources.process.extract) as seen,
        ):
            keys = sources.Keys(self.herds, "", "title")
            self.assertEqual(keys.suggest("NORTH" * 100), [])
            found = [keys.suggest(text) for text in ("NORT", "NORT", "x", "SOUT", "NORT")]
        north = [("NORTH", "Northern herd")]
        self.assertEqual((found, seen.call_count), ([north, north, [], [], north], 2))

    def test_an_object_that_came_meanwhile_is_found(self):
        with mock.patch.object(sources, "MOST_LISTED", 1):
            plan = self.plan()
        with self.assertRaises(ConversionError):
            plan.convert("WEST", "create", True)
        self.herds["WEST"] = Herd("")
        self.assertEqual(plan.convert("WEST", "create", True), "WEST")

    def test_a_missing_container_has_no_keys(self):
        del self.site["zoo"]
        with self.assertRaisesRegex(ConversionError, "none at present"):
            self.plan().convert("NORTH", "create", True)


class UnboundTests(unittest.TestCase):
    """Without a site there is nothing."""

    def test_a_source_without_a_site_is_empty(self):
        self.assertEqual(list(KeysOf("herds")(None)), [])
