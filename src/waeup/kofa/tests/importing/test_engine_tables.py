"""What the engine refuses before the first row, and what it writes to result files."""

import logging
import os
import shutil
import tempfile

import grok
import transaction
import ZODB
from ZODB.MappingStorage import MappingStorage
from zope import interface, schema
from zope.component.hooks import site as site_set

from waeup.kofa.errors import FatalCSVError, TableError
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.report import FAILED, RowResult
from waeup.kofa.importing.results import ResultFiles, result_paths
from waeup.kofa.interfaces import RAW_COLUMN
from waeup.kofa.logger import Logger
from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.tests.importing.test_engine import EngineTestCase, _lines


class IDoor(interface.Interface):
    """A door with a secret."""

    code = schema.TextLine(title="Code")
    place = schema.TextLine(title="Place", default="here")
    nickname = schema.TextLine(title="Nickname", required=False)
    steps = schema.Int(title="Steps", required=False)
    key = schema.Password(title="Key", required=False)


class DoorProcessor(ContainerProcessor):
    """Imports doors."""

    grok.baseclass()

    iface = IDoor
    container = "caves"


class NickProcessor(DoorProcessor):
    """Imports doors under their nicknames, which are not required."""

    grok.baseclass()

    key = "nickname"


class TableTests(EngineTestCase):
    """Headers and markers."""

    processor = DoorProcessor()

    def test_headers_that_are_refused(self):
        cases = [
            ("x,x", ["code", "nickname"], TableError, "more than one column 'x'"),
            ("a,b,c", ["code", "nickname", "nickname"], FatalCSVError, "^Double headers"),
            ("a,b", ["nickname", "nickname"], FatalCSVError, "^Need at least columns 'code'"),
            ("a", ["code", "nickname"], FatalCSVError, "has 1 columns, but fields are named"),
            ("a,b", ["code", "__parent__"], FatalCSVError, "no field '__parent__'"),
        ]
        for header, fields, error, message in cases:
            with self.subTest(fields), self.assertRaisesRegex(error, message):
                self.do(header, "1" + ",2" * header.count(","), fields=fields)
        self.assertEqual(list(self.site["caves"]), [])

    def test_an_unknown_mode_is_refused(self):
        with self.assertRaisesRegex(FatalCSVError, "has no mode 'mend'"):
            self.do("code", "a", mode="mend")

    def test_columns_whose_field_begins_with_two_hyphens_are_ignored(self):
        _, finished, _ = self.do("a,b,c", "x,1,2", fields=["code", "--NOTE--", "--NOTE--"])
        self.assertEqual(finished, ["code", "x"])

    def test_a_text_in_an_ignored_column_makes_a_source_row(self):
        counts, _, pending = self.do("a,b", ",kept", "x,", fields=["code", "--IGNORE--"])
        self.assertEqual(counts, (2, 1))
        self.assertIn("Required value is missing.", pending[1])

    def test_a_row_of_ignore_markers_is_blank(self):
        self.assertEqual(self.do("code,place", "<IGNORE>,<IGNORE>", "a,b")[0], (1, 0))

    def test_deletion_marker_in_required_fields(self):
        _, _, pending = self.do("code,place", "XXX,x")
        self.assertEqual(pending[1], "XXX,x,RequiredMissing: code")
        self.do("code,place", "a,there")
        self.do("code,place", "a,XXX", mode="update")
        self.assertEqual(self.site["caves"]["a"].place, "here")

    def test_an_object_needs_a_name(self):
        counts, _, pending = self.do("code,nickname", "a,XXX", processor=NickProcessor())
        self.assertEqual(counts, (1, 1))
        self.assertEqual(pending[1], "a,XXX,nickname: Required value is missing.")
        self.assertEqual(list(self.site["caves"]), [])


class SafetyTests(EngineTestCase):
    """Nothing leaves a table that does harm elsewhere."""

    processor = DoorProcessor()

    def test_damaged_rows_of_a_table_with_passwords_are_not_shown(self):
        for fields in (["code", "key"], ["code", "--IGNORE--"]):
            with self.subTest(fields):
                _, _, pending = self.do("code,key", "sesame", "a,open,sesame", fields=fields)
                self.assertNotIn("sesame", "".join(pending))
                self.assertTrue(pending[1].endswith("see line 2 of the original"), pending[1])
                self.assertTrue(pending[2].endswith("see line 3 of the original"), pending[2])

    def test_a_password_that_cannot_be_one_fails_its_row(self):
        counts, _, pending = self.do("code,key", f"a,{'x' * 80}")
        self.assertEqual(counts, (1, 1))
        self.assertIn("key: Invalid input: The password has 80 bytes", pending[1])
        self.assertNotIn("x" * 80, pending[1])

    def test_texts_of_result_files_are_no_formulas_and_import_as_they_were(self):
        table = ["code,nickname,steps", "a,=1+1,-5", "b,@x,+4", "c,-x,x", "d,'=y,1"]
        _, finished, pending = self.do(*table)
        self.assertEqual(finished[1:], ["a,'=1+1,-5", "b,'@x,+4", "d,'=y,1"])
        self.assertTrue(pending[1].startswith("c,'-x,x,steps: "), pending[1])
        before = {key: (bear.nickname, bear.steps) for key, bear in self.site["caves"].items()}
        self.assertEqual(before["a"], ("=1+1", -5))
        del self.site["caves"]
        self.site["caves"] = grok.Container()
        self.do(*finished)
        after = {key: (bear.nickname, bear.steps) for key, bear in self.site["caves"].items()}
        self.assertEqual(after, before)

    def test_the_text_of_a_damaged_row_is_no_formula_and_stays_the_same(self):
        fields = ["code", "nickname", "--IGNORE--", "--IGNORE--"]
        _, _, first = self.do("place,nickname", "=A1", fields=["code", "nickname"])
        self.assertTrue(first[1].endswith(",'=A1"), first[1])
        _, _, second = self.do(*first, fields=fields)
        self.assertTrue(second[0].endswith(RAW_COLUMN))
        self.assertTrue(second[1].endswith(",'=A1"), second[1])

    def test_reasons_can_always_be_written(self):
        files = ResultFiles(*result_paths(self.folder, "x.csv"), ["code"])
        files.write(RowResult(1, FAILED, {"code": "a"}, "half \ud800 and \0 nothing"))
        files.write(RowResult(2, FAILED, {"code": "b\udfff"}, "=1", "raw"))
        files.close()
        lines = _lines(files.pending_path)
        self.assertEqual(lines[1:], ["a,half \\ud800 and \\x00 nothing,", "b\\udfff,'=1,raw"])


class _Talk(Logger):
    """Logs into the main log."""


class TalkingProcessor(DoorProcessor):
    """Logs each change, then fails when asked to."""

    grok.baseclass()

    def updateEntry(self, obj, row, site, filename):
        """Log and fail."""
        changes = super().updateEntry(obj, row, site, filename)
        _Talk().logger.info("door %s", row["code"])
        if row["place"] == "bad":
            raise KeyError("bad place")
        return changes


class LogTests(EngineTestCase):
    """Log lines of an import share the fate of its rows."""

    layer = KofaUnitTestLayer
    processor = TalkingProcessor()

    def make_site(self):
        db = ZODB.DB(MappingStorage())
        connection = db.open()
        for clean in (db.close, connection.close, transaction.abort):
            self.addCleanup(clean)
        site = connection.root()["site"] = grok.Container()
        site.__name__ = "talking"
        site["datacenter"] = grok.Container()
        site["datacenter"].storage = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, site["datacenter"].storage)
        transaction.commit()
        self.log = os.path.join(site["datacenter"].storage, "logs", "main.log")
        return site

    def import_doors(self):
        with site_set(None):
            from zope.component.hooks import siteinfo

            siteinfo.site = self.site
            try:
                self.do("code,place", "a,x", "b,bad", "c,x", logger=logging.getLogger("x"))
                self.addCleanup(logging.getLogger("waeup.kofa.talking").handlers.clear)
            finally:
                siteinfo.site = None

    def test_each_row_that_was_applied_is_logged_once_after_the_commit(self):
        self.import_doors()
        self.assertFalse(os.path.exists(self.log))
        transaction.commit()
        with open(self.log) as stream:
            lines = [line.split(" - ")[-1].strip() for line in stream]
        self.assertEqual(lines, ["door a", "door c"])

    def test_an_abort_leaves_no_line(self):
        self.import_doors()
        transaction.abort()
        self.assertFalse(os.path.exists(self.log))
