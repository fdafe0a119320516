"""Mammoths keep the contracts of a kind."""

import unittest

from waeup.kofa.testing import KindContract, KofaUnitTestLayer


class MammothLayer(KofaUnitTestLayer):
    """The components of the portal, and mammoths."""

    packages = ("waeup.kofa.tests.contracts.mammoths",)


class MammothTests(KindContract, unittest.TestCase):
    """What every kind promises, and what is said of mammoths."""

    layer = MammothLayer
    processor = "mammothprocessor"
    exporter = "mammoths"
    rows = [
        {"name": "Manfred", "weight": "5000", "born": "1998-07-01#", "shaggy": "yes"},
        {"name": "Ellie", "weight": "4000", "born": "1999-02-03#", "remark": "=Ellie"},
    ]
    changes = {"weight": "5100", "remark": "old"}
    wrong = {"weight": "heavy", "born": "long ago", "shaggy": "perhaps"}

    def test_a_heavy_mammoth_stays(self):
        portal = self.portal(with_objects=True)
        mammoths = self.tested_processor
        portal.apply(mammoths, [{"name": "Manfred", "weight": "7000"}], "update")
        applied = portal.apply(mammoths, [{"name": "Manfred"}, {"name": "Ellie"}], "remove")
        self.assertEqual(applied.reasons, ["Too heavy to be removed."])
        self.assertEqual(list(portal.site["mammoths"]), ["Manfred"])
