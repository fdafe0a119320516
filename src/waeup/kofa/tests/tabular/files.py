"""What the tests of this room share: small files in a folder that goes away."""

import os
import tempfile
import unittest

from waeup.kofa.tabular import open_table


class FileTestCase(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tabular-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name="table.csv"):
        return os.path.join(self.folder, name)

    def file(self, content, name="table.csv"):
        """Write `content`, text as UTF-8, and return the path."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        with open(self.path(name), "wb") as stream:
            stream.write(data)
        return self.path(name)

    def content(self, path):
        with open(path, "rb") as stream:
            return stream.read()

    def rows(self, content, **options):
        with open_table(self.file(content), **options) as table:
            return list(table)

    def values(self, content, **options):
        """Return the cells of all rows, and make sure that each is sound."""
        rows = self.rows(content, **options)
        self.assertEqual([row.problem for row in rows], [None] * len(rows))
        return [row.values for row in rows]

    def outcome(self, content, **options):
        """Return cells or raw text, and the code of the problem, of all rows."""
        return [
            (row.values or row.raw, row.problem and row.problem.code)
            for row in self.rows(content, **options)
        ]
