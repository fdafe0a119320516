"""A kind that declares rules, computed fields, columns and filters keeps the contracts, too."""

import unittest

from zope import interface, schema
from zope.component import getGlobalSiteManager, provideUtility

from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.declaring import column, computed, filter_by, rule
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.testing import KindContract


class ISloth(interface.Interface):
    """A sloth."""

    name = schema.TextLine(title="Name")
    born = schema.Int(title="Born in")
    died = schema.Int(title="Died in", required=False)
    title = schema.TextLine(title="Title")


class SlothProcessor(ContainerProcessor):
    """Imports sloths."""

    iface = ISloth
    container = "sloths"
    key = "name"

    @computed("title")
    def usual_title(self, row, site):
        return f"{row['name']} the sloth"

    @rule("born", "died")
    def lives(self, row, site):
        return "It died before it was born." if row["died"] < row["born"] else None

    @column(title="Age")
    def age(self, obj):
        return None if obj.died is None else obj.died - obj.born

    @filter_by(schema.Int(title="Older than"))
    def older(self, obj, wanted):
        return obj.died is not None and obj.died - obj.born > (wanted or 0)


class SlothTests(KindContract, unittest.TestCase):
    """The title is computed where a row has none."""

    processor = SlothProcessor
    exporter = "sloths"
    rows = [
        {"name": "Sid", "born": "1990", "died": "2020"},
        {"name": "Granny", "born": "1930", "title": "Granny Sloth"},
    ]
    changes = {"died": "2019"}
    wrong = {"died": "1980", "born": "never"}

    def setUp(self):
        super().setUp()
        for component, iface, name in (
            (SlothProcessor(), IBatchProcessor, "slothprocessor"),
            (ContainerExporter(SlothProcessor), ICSVExporter, "sloths"),
        ):
            provideUtility(component, iface, name)
            self.addCleanup(getGlobalSiteManager().unregisterUtility, component, iface, name)

    def test_title_is_computed(self):
        portal = self.portal(with_objects=True)
        self.assertEqual(portal.site["sloths"]["Sid"].title, "Sid the sloth")
