"""Lists of keys: typed, or as a table of any kind; keys that no object has are told."""

import gzip
import os
import shutil
import tempfile
import unittest
from unittest import mock

from zope import interface, schema

from waeup.kofa.errors import ItemBusy, Refused, TableError, TooLarge
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting import keys as keys_module
from waeup.kofa.exporting.keys import keys_of_table, keys_of_text
from waeup.kofa.importing import looking
from waeup.kofa.tests.exporting.kinds import CONTAINER, Site, fill, kind_registered, written
from waeup.kofa.tests.tabular.containers import xlsx_of

FIELDS = ("student_id", "matric_number", "reg_number")


class TypedKeysTests(unittest.TestCase):
    def test_separators(self):
        self.assertEqual(keys_of_text(" a,b;c\r\nd\te ,, f\n"), ("a", "b", "c", "d", "e", "f"))
        self.assertEqual(keys_of_text(" \n, "), ())


class TableTests(unittest.TestCase):
    """Tables as people have them."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def keys(self, content, name="keys.csv", fields=FIELDS):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as stream:
            stream.write(content)
        return keys_of_table(path, fields, name)

    def test_columns_in_any_case(self):
        for header in ("student_id", "Student ID", "STUDENT-ID", "studentid"):
            with self.subTest(header):
                table = f"name,{header}\r\nAda,K1\r\nBen,K2\r\n"
                self.assertEqual(self.keys(table.encode()), ("K1", "K2"))

    def test_of_several_columns_the_first_that_is_filled(self):
        """In the order in which a student is looked for, not in that of the table."""
        table = b"reg_number,matric_number,student_id\r\nR1,M1,K1\r\nR2,M2,\r\nR3,,\r\n,,\r\n"
        self.assertEqual(self.keys(table), ("K1", "M2", "R3"))

    def test_markers_are_no_keys(self):
        """What failed in an import can be used as a list."""
        table = b"student_id,matric_number,--ERRORS--\r\n<IGNORE>,M1,x\r\nXXX,M2,y\r\n"
        table += b"K3,<IGNORE>,z\r\n"
        self.assertEqual(self.keys(table), ("M1", "M2", "K3"))

    def test_once_each_in_their_order(self):
        self.assertEqual(self.keys(b"student_id\r\nK2\r\nK1\r\nK2\r\n"), ("K2", "K1"))

    def test_a_single_column(self):
        """Without a header the first line is a key, too: none is lost."""
        self.assertEqual(self.keys(b"student_id\r\nK1\r\nK2\r\n"), ("K1", "K2"))
        self.assertEqual(self.keys(b"K1000001\r\nK1000002\r\nK1000003\r\n")[0], "K1000001")
        self.assertEqual(self.keys(b"matric\r\nM1\r\n"), ("matric", "M1"))

    def test_guarded_keys(self):
        table = b"student_id,b\r\n'=1,x\r\n' a ,x\r\n a ,x\r\n't Hooft,x\r\n"
        self.assertEqual(self.keys(table), ("=1", " a ", "a", "'t Hooft"))

    def test_no_column_fits(self):
        with self.assertRaisesRegex(
            Refused,
            "keys.csv has no column with keys. .* names: 'student_id', .*'name', 'age'",
        ):
            self.keys(b"name,age\r\nAda,1\r\n")

    def test_a_long_list_while_others_read_the_like(self):
        table = b"student_id,name\r\n" + b"".join(b"K%d,Ada\r\n" % at for at in range(60_000))
        with (
            mock.patch.object(looking, "SHORT", -1),
            mock.patch.object(looking.PLACES, "most", 0),
            self.assertRaisesRegex(ItemBusy, "keys.csv takes long to read, .* or split it"),
        ):
            self.keys(table)
        self.assertEqual(len(self.keys(table)), 60_000)

    def test_a_damaged_list(self):
        table = b'student_id,name\r\nK1,Ada\r\nK2,"Ben\r\nK3,Cleo,Z\r\nK4,Dan\r\nK5,Eve\r\n'
        with self.assertRaisesRegex(Refused, "keys.csv, line .* Correct the list of keys"):
            self.keys(table)

    def test_empty_lists(self):
        for content in (b"", b"student_id\r\n", b"\r\n\r\n"):
            with self.subTest(content), self.assertRaises(TableError):
                self.keys(content)
        self.assertEqual(self.keys(b"student_id,name\r\n,Ada\r\n"), ())

    def test_containers(self):
        rows = [("Student Id", "name"), ("K1", "Ada"), ("K2", "Ben")]
        self.assertEqual(self.keys(xlsx_of(rows), "keys.xlsx"), ("K1", "K2"))
        packed = gzip.compress(b"a;student_id\n1;K1\n2;K2\n")
        self.assertEqual(self.keys(packed, "keys.csv.gz"), ("K1", "K2"))
        with self.assertRaises(TableError):
            self.keys(b"PK\x03\x04 no workbook", "keys.xlsx")

    def test_too_many(self):
        self.addCleanup(setattr, keys_module, "MOST_KEYS", keys_module.MOST_KEYS)
        keys_module.MOST_KEYS = 2
        with self.assertRaisesRegex(TooLarge, "more than 2 keys"):
            self.keys(b"student_id\r\nK1\r\nK2\r\nK3\r\n")
        self.assertEqual(len(self.keys(b"student_id\r\nK1\r\nK2\r\nK1\r\n")), 2)


class ExportByKeysTests(unittest.TestCase):
    """Objects in the order of their keys."""

    def setUp(self):
        class IThing(interface.Interface):
            code = schema.TextLine(title="Code")

        kind = kind_registered(IThing)
        kind.__enter__()
        self.addCleanup(kind.__exit__, None, None, None)
        self.site = Site()
        fill(self.site, IThing, [{"code": code} for code in "abc"])

    def test_unknown_keys_are_told_and_others_exported_once(self):
        content, outcome = written(self.site, keys=("c", "x", "a", "c", "y", "x"))
        self.assertEqual(content, b'"code"\r\n"c"\r\n"a"\r\n')
        self.assertEqual((outcome.rows, outcome.unknown), (2, ("x", "y")))

    def test_a_second_time(self):
        """Unknown keys are not told twice, also when the room was measured before."""
        export = Export(Wish(CONTAINER, keys=("x", "a"), format="xlsx"), self.site)
        export.require_room()
        for _ in range(2):
            with open(os.devnull, "wb") as stream:
                self.assertEqual(export.write(stream).unknown, ("x",))

    def test_no_keys(self):
        with self.assertRaisesRegex(Refused, "The list of keys is empty"):
            Export(Wish(CONTAINER, keys=()), self.site)
