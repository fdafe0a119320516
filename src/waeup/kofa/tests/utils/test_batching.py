"""The import path of Kofa 1.9 for the bases of importers and exporters."""

import os
import shutil

from waeup.kofa.tests.university.portal import PortalTestCase
from waeup.kofa.utils.batching import export_job


class ExportJobTests(PortalTestCase):
    """`export_job` chooses the method of the exporter by its keywords."""

    def setUp(self):
        super().setUp()
        _, reasons = self.import_rows("facultyprocessor", "code,title\nART,Arts\nBIO,Biology\n")
        self.assertEqual(reasons, [])

    def codes(self, **kw):
        """Export faculties, and return the codes."""
        path = export_job(self.site, "faculties", **kw)
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        self.assertEqual(os.path.basename(path), "faculties.csv")
        with open(path, encoding="utf-8") as stream:
            return [line.split(",")[0] for line in stream][1:]

    def test_all(self):
        self.assertEqual(self.codes(), ['"ART"', '"BIO"'])

    def test_selected(self):
        self.assertEqual(self.codes(selected=["BIO", "C"]), ['"BIO"'])

    def test_filtered(self):
        self.assertEqual(self.codes(title="Arts"), ['"ART"'])
