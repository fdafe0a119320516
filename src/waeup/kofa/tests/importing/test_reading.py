"""Imports read what was said, of any file, through hooks of any age."""

import os
import shutil
import tempfile
from unittest import mock

import grok

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import FatalCSVError, TableError, TooLarge
from waeup.kofa.importing import processor as base
from waeup.kofa.importing import reading
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tests.importing.test_engine import CaveProcessor, EngineTestCase, _lines
from waeup.kofa.tests.tabular.containers import xlsx_of


class OwnMapping(CaveProcessor):
    """Has a mapping of its own, with the arguments of 1.9."""

    grok.baseclass()

    seen: str | None = None

    def getMapping(self, path, headerfields, mode):
        """Note which file it is asked about."""
        type(self).seen = path
        return super().getMapping(path, headerfields, mode)


class OwnImport(CaveProcessor):
    """Does something before each import, as 1.9's processors of sites do."""

    grok.baseclass()

    def doImport(
        self, path, headerfields, mode="create", user="Unknown", logger=None, ignore_empty=True
    ):
        """Import as the base does."""
        return super().doImport(path, headerfields, mode, user, logger, ignore_empty)


class OwnReader(CaveProcessor):
    """Reads files by itself."""

    grok.baseclass()

    def doImport(
        self, path, headerfields, mode="create", user="Unknown", logger=None, ignore_empty=True
    ):
        """Copy the file as if it were imported."""
        finished = os.path.join(tempfile.mkdtemp(), "x.finished.csv")
        shutil.copy(path, finished)
        return 1, 0, finished, None


class ReadingTests(EngineTestCase):
    """Has the site of the engine's tests."""

    def file(self, content, name="caves.csv"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as stream:
            stream.write(content)
        return path

    def run_import(self, path, options=None, processor=None, columns=("code", "owner"), **kw):
        """Import as the portal does; return the report and the lines of finished rows."""
        results = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, results)
        with mock.patch("grok.getSite", return_value=self.site):
            report = (processor or self.processor).importTable(
                path, Mapping(columns), "create", folder=results, options=options, **kw
            )
        return report, _lines(report.finished)

    def test_the_table_is_read_as_was_said(self):
        content = "junk;x\ncode;owner\na;'k\xf6ln;1'\n".encode("cp1252")
        options = ReadOptions("cp1252", ";", "'", 2)
        for processor in (self.processor, OwnMapping(), OwnImport()):
            with self.subTest(processor):
                report, finished = self.run_import(self.file(content), options, processor)
                self.assertEqual((report.created, report.failed), (1, 0), report.reasons)
                self.assertEqual(finished, ["code,owner", "a,k\xf6ln;1"])
                self.assertEqual(self.site["caves"]["a"].owner, "k\xf6ln;1")
                del self.site["caves"]
                self.site["caves"] = grok.Container()

    def test_hooks_see_the_file_that_is_read(self):
        text = self.file(b"code,owner\r\na,x\r\n", "table.csv")
        path = self.file(b"no text at all", "caves.xlsx")
        report, finished = self.run_import(path, processor=OwnMapping(), read_from=text)
        self.assertEqual(OwnMapping.seen, text)
        self.assertEqual((report.file, finished), ("caves.xlsx", ["code,owner", "a,x"]))
        self.assertEqual(os.path.basename(report.finished), "caves.finished.csv")
        report, _ = self.run_import(path, processor=OwnReader(), read_from=text)
        self.assertEqual((report.file, report.created), ("caves.xlsx", 1))

    def test_a_workbook_is_imported_from_anywhere(self):
        rows = [("code", "size", "owner"), ("a", 3, "x"), ("b", "big", "y")]
        path = self.file(xlsx_of(rows), "caves.xlsx")
        for processor in (self.processor, OwnImport()):
            with self.subTest(processor), mock.patch("grok.getSite", return_value=self.site):
                result = processor.doImport(path, ["code", "size", "owner"])
                self.addCleanup(shutil.rmtree, os.path.dirname(result[2]))
                self.assertEqual(result[:2], (2, 1))
                self.assertEqual(_lines(result[2]), ["code,size,owner", "a,3,x"])
                del self.site["caves"]["a"]
        result = self.processor.doImport(
            path, ["code", "size", "owner"], site=self.site, options=ReadOptions(sheet="Courses")
        )
        self.addCleanup(shutil.rmtree, os.path.dirname(result[2]))
        self.assertEqual(result[:2], (2, 1))

    def test_a_processor_that_reads_by_itself_cannot_be_told_how(self):
        path = self.file(b"code;owner\na;x\n")
        with self.assertRaisesRegex(FatalCSVError, "reads tables in its own way"):
            self.run_import(path, ReadOptions(delimiter=";"), OwnReader())
        # What it would do by itself may be said.
        self.run_import(path, ReadOptions("utf-8", ",", '"', 1), OwnReader())

    def test_limits_are_those_of_the_configuration(self):
        self.assertEqual(reading.limits(), Limits())
        path = self.file(b"code,owner\n" + b"a,x\n" * 20)
        config = {"limits": Limits(rows=5)}

        def query(iface, default):
            return config if iface is IDataCenterConfig else default

        with (
            mock.patch.object(reading, "queryUtility", query),
            self.assertRaises(TooLarge),
        ):
            self.run_import(path)

    def test_what_is_no_table_is_refused(self):
        for name, content in (("a.csv", bytes(range(256)) * 9), ("a.gz", b"\x1f\x8b\0\0")):
            with self.subTest(name), self.assertRaises(TableError):
                self.run_import(self.file(content, name))

    def test_outside_of_an_import_nothing_is_said(self):
        path = self.file(b"code;owner\na;x\n")
        mapping = base.BatchProcessor.getMapping(self.processor, path, ["code", "owner"], "create")
        self.assertEqual(mapping, {"code": "code", "owner": "owner"})
