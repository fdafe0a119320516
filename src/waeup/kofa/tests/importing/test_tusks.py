"""The kind of the manual keeps the contracts, and the page of hooks names every hook."""

import re
import unittest
from pathlib import Path

from waeup.kofa import interfaces
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.testing import KindContract, KofaUnitTestLayer

PAGE = Path(__file__).parents[5] / "docs" / "hooks.rst"
#: What a processor or an exporter says of itself, and what the base does with it.
SAID = {"getHeaders", "get_csv_skeleton", "importTable"}


class TuskLayer(KofaUnitTestLayer):
    """The components of the portal, and tusks."""

    packages = ("waeup.kofa.tests.importing.tusks",)


class TuskTests(KindContract, unittest.TestCase):
    """Tables of tusks."""

    layer = TuskLayer
    processor = "tuskprocessor"
    exporter = "tusks"
    rows = [
        {"code": "A", "length": "2.5 m", "found": "1998-07-01#", "place_room": "12"},
        {"code": "B", "length": "1.25 m", "title": "=Left", "place_room": "'12"},
    ]
    changes = {"length": "2.45 m", "sold": "2001-01-01#"}
    wrong = {"length": "long", "found": "never", "twin": "Z", "sold": "1990-01-01#"}
    wrong_files = [[{"code": "A", "length": "999 m"}, {"code": "B", "length": "2 m"}]]


class PageTests(unittest.TestCase):
    """The reference is complete."""

    @unittest.skipUnless(PAGE.exists(), "an installed package has no manual")
    def test_every_hook_and_every_event_is_named(self):
        named = set(re.findall(r"`+@?(\w+)`+", PAGE.read_text(encoding="utf-8")))
        hooks = {
            name
            for iface in (IBatchProcessor, ICSVExporter)
            for name in iface.names(all=True)
            if callable(getattr(iface[name], "getSignatureInfo", None))
        }
        events = {
            name for name in interfaces.__all__ if re.fullmatch(r"I(File|R|B)\w+Event", name)
        }
        self.assertEqual(sorted((hooks | events) - SAID - named), [])
