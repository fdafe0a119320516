"""What is exported imports again: equal objects, whatever the schema and the values are."""

import unittest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zope import schema

from waeup.kofa.conversion.cells import VerbatimText
from waeup.kofa.errors import Refused
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.tests.exporting.kinds import (
    CONTAINER,
    PROCESSOR,
    Site,
    fill,
    kind_registered,
    report_of,
    tables,
    written,
)

texts = st.sampled_from(
    [
        {"format": kind, "packing": packing}
        for kind in ("csv", "tsv")
        for packing in ("", "gzip", "zip")
    ]
)


def kept(thing, iface):
    """Return the values of an object with their types; a text like a marker is a text."""
    found = {}
    for name in schema.getFieldNames(iface):
        value = getattr(thing, name)
        found[name] = (str if type(value) is VerbatimText else type(value), value)
    return found


class AnySchema(unittest.TestCase):
    """Objects of schemas that hypothesis makes up."""

    def move(self, table, wish):
        """Export the objects of a table and import them into an empty site, twice."""
        iface, objects = table
        with kind_registered(iface):
            site, other = Site(), Site()
            fill(site, iface, objects)
            fields = schema.getFields(iface).values()
            wish["secrets"] = any(isinstance(field, schema.Password) for field in fields)
            export = Export(Wish(CONTAINER, **wish), site)
            content, outcome = written(site, **wish)
            self.assertEqual(outcome.rows, len(objects))
            report = report_of(other, content, export, PROCESSOR, "create")
            self.assertEqual((report.created, report.failed), (len(objects), 0), report.reasons)
            before, after = (
                {key: kept(thing, iface) for key, thing in one[CONTAINER].items()}
                for one in (site, other)
            )
            self.assertEqual(after, before)
            report = report_of(other, content, export, PROCESSOR, "update")
            self.assertEqual((report.unchanged, report.failed), (len(objects), 0), report.reasons)

    @settings(deadline=None, max_examples=40)
    @given(tables(), texts, st.booleans())
    def test_texts(self, table, form, mark):
        self.move(table, {**form, "mark": mark})

    @settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
    @given(tables())
    def test_workbooks(self, table):
        try:
            self.move(table, {"format": "xlsx"})
        except Refused as error:
            # Said before anything could get lost.
            self.assertIn("A workbook cannot hold", str(error))
