"""Names that are nearly those of hooks are told when a kind is registered, and helpers are not."""

import unittest

from grokcore.component.testing import grok_component
from zope.component import getUtility

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.importing import hooknames
from waeup.kofa.importing.hooknames import misspelt_hooks
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.testing.layers import passing_registrations
from waeup.kofa.tests.importing import misspelt


class NamesTests(unittest.TestCase):
    """What is told of a class."""

    def found(self, cls, base):
        """Return what is told: class, name and hook."""
        return [
            (owner.rpartition(".")[2], name, hook)
            for owner, name, hook in misspelt_hooks(cls, base)
        ]

    def test_what_a_processor_and_its_base_misspell(self):
        self.assertEqual(
            sorted(self.found(misspelt.LoanProcessor, ContainerProcessor)),
            [
                ("LoanBase", "file_rule", "file_rules"),
                ("LoanProcessor", "checkConversions", "checkConversion"),
                ("LoanProcessor", "get_entry", "getEntry"),
                ("LoanProcessor", "permision", "permission"),
            ],
        )

    def test_helpers_are_passed_over(self):
        self.assertEqual(self.found(misspelt.HonestProcessor, ContainerProcessor), [])

    def test_what_an_exporter_misspells(self):
        self.assertEqual(
            self.found(misspelt.LoanExporter, KindExporter),
            [("LoanExporter", "key_field", "key_fields"), ("LoanExporter", "object", "objects")],
        )

    def test_a_class_without_a_source_is_passed_over(self):
        cls = type("Own", (ExporterBase,), {"get_filter": None, "__module__": "nowhere"})
        self.assertEqual(self.found(cls, ExporterBase), [])


class WarningsTests(unittest.TestCase):
    """Who registers a kind reads of them, once."""

    layer = KofaUnitTestLayer

    def setUp(self):
        passing = passing_registrations()
        passing.__enter__()
        self.addCleanup(passing.__exit__, None, None, None)

    def register(self, name):
        """Register a class as Grok does; return what is logged."""
        hooknames._told.clear()
        with self.assertLogs(hooknames.log) as logs:
            self.assertTrue(grok_component(name, getattr(misspelt, name)))
            self.assertTrue(grok_component(name, getattr(misspelt, name)))
        return [record.getMessage() for record in logs.records]

    def test_a_processor(self):
        told = self.register("LoanProcessor")
        self.assertEqual(len(told), 4)
        self.assertIn(
            f"{misspelt.__name__}.LoanProcessor.checkConversions: the portal asks for no such "
            "thing, and nothing in the module uses it. Perhaps checkConversion is meant: correct "
            "the name, or choose one that is less like it.",
            told,
        )

    def test_an_exporter(self):
        self.assertEqual(len(self.register("LoanExporter")), 2)
        self.assertIsInstance(getUtility(ICSVExporter, name="loans"), misspelt.LoanExporter)
