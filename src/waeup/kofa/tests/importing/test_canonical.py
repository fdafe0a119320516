"""Containers become plain tables: once, whatever happens meanwhile."""

import gzip
import os
import shutil
import tempfile
import unittest
from unittest import mock

from waeup.kofa.errors import ItemBusy, StorageFault, TableError, TooLarge
from waeup.kofa.importing import canonical
from waeup.kofa.importing.canonical import PlainTable, needed, plain_table, sweep, unpacked
from waeup.kofa.importing.looking import Look
from waeup.kofa.spool import WorkFolder
from waeup.kofa.tabular import Limits
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tests.tabular.containers import xlsx
from waeup.kofa.tests.waiting import begun, joined

TEXT = "code,title\r\nA1,Arts\r\n"


def workbook():
    """Return a workbook with notes and two tables."""

    def fill(book):
        book.add_worksheet("Notes").write(0, 0, "for the dean")
        for name, rows in (
            ("Main", [("code", "title"), ("A1", "Arts")]),
            ("More", [("code", "title"), ("B2", "Law; and order")]),
        ):
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)

    return xlsx(fill)


class CanonicalTestCase(unittest.TestCase):
    """Has a storage; `made` counts what was converted."""

    def setUp(self):
        self.storage = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.storage)
        self.made = []
        unpack = canonical.unpack

        def counted(path, target, **options):
            self.made.append(os.path.basename(path))
            return unpack(path, target, **options)

        patch = mock.patch.object(canonical, "unpack", counted)
        patch.start()
        self.addCleanup(patch.stop)

    def file(self, name, content):
        path = os.path.join(self.storage, name)
        with open(path, "wb") as stream:
            stream.write(content)
        return path

    def table(self, path, **options):
        return plain_table(self.storage, path, Limits(), **options)

    def work(self):
        """Return the ids of the work folders."""
        return WorkFolder.ids(self.storage)

    def read(self, table):
        with open(table.path, newline="", encoding="utf-8") as stream:
            return stream.read()


class MakingTests(CanonicalTestCase):
    def test_plain_text_is_read_where_it_is(self):
        path = self.file("a.csv", TEXT.encode())
        self.assertEqual(self.table(path), PlainTable(path))
        self.assertEqual(os.listdir(self.storage), ["a.csv"])

    def test_a_container_is_converted_once(self):
        path = self.file("a.xlsx", workbook())
        table = self.table(path)
        self.assertEqual(self.read(table), TEXT)
        self.assertEqual((table.kind, table.sheet), ("xlsx", "Main"))
        self.assertEqual(table.sheets, ("Notes", "Main", "More"))
        self.assertEqual(self.table(path), table)
        self.assertEqual(self.made, ["a.xlsx"])

    def test_nobody_else_can_read_it(self):
        table = self.table(self.file("a.csv.gz", gzip.compress(TEXT.encode())))
        for path in (table.path, os.path.dirname(table.path)):
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)

    def test_the_same_content_has_one_table(self):
        content = gzip.compress(TEXT.encode(), mtime=0)
        first = self.table(self.file("a.csv.gz", content))
        self.assertEqual(self.table(self.file("b.gz", content)), first)
        self.assertEqual(len(self.made), 1)

    def test_other_content_of_that_name_has_its_own(self):
        first = self.table(self.file("a.gz", gzip.compress(TEXT.encode())))
        second = self.table(self.file("a.gz", gzip.compress(b"x,y\n1,2\n")))
        self.assertNotEqual(first.path, second.path)
        self.assertEqual(self.read(second), "x,y\n1,2\n")

    def test_each_sheet_has_its_own(self):
        path = self.file("a.xlsx", workbook())
        table = self.table(path, sheet="More")
        self.assertEqual(self.read(table), "code,title\r\nB2,Law; and order\r\n")
        self.assertEqual(self.read(self.table(path)), TEXT)
        self.assertEqual(self.table(path, sheet="More"), table)
        self.assertEqual(len(self.made), 2)
        with self.assertRaisesRegex(TableError, "no sheet 'Nosuch'"):
            self.table(path, sheet="Nosuch")

    def test_what_was_lost_or_half_made_is_made_again(self):
        path = self.file("a.xlsx", workbook())
        table = self.table(path)
        folder = os.path.dirname(table.path)

        def cut():
            with open(table.path, "r+") as stream:
                stream.truncate(5)

        def scribble():
            with open(os.path.join(folder, "found.json"), "w") as stream:
                stream.write('{"kind"')

        def leave_rubbish():
            for name in ("found.json.part", ".unpacking-x"):
                with open(os.path.join(folder, name), "w") as stream:
                    stream.write("x")
            os.unlink(table.path)

        for harm in (
            lambda: os.unlink(table.path),
            lambda: os.unlink(os.path.join(folder, "found.json")),
            lambda: shutil.rmtree(folder),
            lambda: shutil.rmtree(os.path.dirname(folder)),
            cut,
            scribble,
            leave_rubbish,
        ):
            harm()
            self.assertEqual(self.table(path), table)
            self.assertEqual(self.read(table), TEXT)
            self.assertEqual(sorted(os.listdir(folder)), ["found.json", "table.csv"])
        self.assertEqual(len(self.made), 8)

    def test_what_is_refused_leaves_nothing(self):
        cases = [
            ("a.xlsx", b"PK\3\4" + b"\0" * 50, Limits(), TableError),
            ("a.gz", gzip.compress(TEXT.encode())[:-5], Limits(), TableError),
            ("b.gz", gzip.compress(TEXT.encode() * 1000), Limits(unpacked=100), TooLarge),
            ("c.csv", bytes(range(256)) * 9, Limits(), TableError),
        ]
        for name, content, limits, error in cases:
            path = self.file(name, content)
            with self.subTest(name), self.assertRaises(error):
                plain_table(self.storage, path, limits)
            self.assertNotIn(".work", os.listdir(self.storage))

    def test_a_disk_that_fails_is_a_fault_and_leaves_nothing(self):
        path = self.file("a.gz", gzip.compress(TEXT.encode()))
        with (
            mock.patch.object(canonical.disk, "sync", side_effect=OSError(28, "full")),
            self.assertRaises(StorageFault),
        ):
            self.table(path)
        self.assertEqual(os.listdir(self.storage), ["a.gz"])

    def test_two_makers_make_one(self):
        path = self.file("a.xlsx", workbook())
        found = []
        joined(*(begun(lambda: found.append(self.table(path))) for _ in range(4)))
        self.assertEqual(len(found), 4)
        self.assertEqual(len(set(found)), 1)
        self.assertEqual(len(self.made), 1)

    def test_one_waits_for_another_maker_only_so_long(self):
        path = self.file("a.xlsx", workbook())
        id = os.path.basename(os.path.dirname(self.table(path).path))
        shutil.rmtree(os.path.join(self.storage, ".work"))
        with WorkFolder(self.storage, id), self.assertRaisesRegex(ItemBusy, "by somebody else"):
            plain_table(self.storage, path, Limits(seconds=0))
        self.assertEqual(self.read(self.table(path)), TEXT)

    def test_who_waits_for_a_page_waits_only_so_long(self):
        path = self.file("a.xlsx", workbook())
        with Look(seconds=-1) as look:
            with self.assertRaisesRegex(ItemBusy, "a.xlsx takes long to unpack"):
                self.table(path, look=look)
            self.assertEqual(self.work(), [])
            with (
                self.assertRaisesRegex(ItemBusy, "takes long to unpack"),
                unpacked(path, Limits(), look=look),
            ):
                pass
            id = os.path.basename(os.path.dirname(self.table(path).path))
            # What is there already needs no time.
            self.assertEqual(self.read(self.table(path, look=look)), TEXT)
            shutil.rmtree(os.path.join(self.storage, ".work"))
            with (
                WorkFolder(self.storage, id),
                self.assertRaisesRegex(ItemBusy, "by somebody else for more than 0 seconds"),
            ):
                self.table(path, look=look)

    def test_outside_of_a_storage_it_is_there_for_a_while(self):
        path = self.file("a.xlsx", workbook())
        with unpacked(path, Limits(), sheet="More") as table:
            self.assertIn("Law", self.read(table))
        self.assertFalse(os.path.exists(table.path))
        self.assertEqual(os.listdir(self.storage), ["a.xlsx"])


class ReadingTests(CanonicalTestCase):
    def test_a_workbook_is_read_as_it_was_written(self):
        table = self.table(self.file("a.xlsx", workbook()), sheet="More")
        options = table.reading(ReadOptions(header_line=1, sheet="More"))
        self.assertEqual(
            (options.encoding, options.delimiter, options.quote, options.header_line),
            ("utf-8", ",", '"', 1),
        )
        for wrong in ("encoding", "delimiter", "quote"):
            with self.subTest(wrong), self.assertRaisesRegex(TableError, "A workbook has neither"):
                table.reading(ReadOptions(**{wrong: ";"}))

    def test_packed_text_is_read_as_was_said(self):
        table = self.table(self.file("a.gz", gzip.compress(TEXT.encode())))
        options = ReadOptions("cp1252", ";")
        self.assertEqual(table.reading(options), options)


class SweepingTests(CanonicalTestCase):
    def test_a_table_goes_with_the_last_file_of_its_content(self):
        content = workbook()
        paths = [self.file(name, content) for name in ("a.xlsx", "b.xlsx")]
        for sheet in (None, "More"):
            self.table(paths[0], sheet=sheet)
        os.unlink(paths[0])
        self.assertEqual(sweep(self.storage), [])
        self.assertEqual(needed(self.storage), set(self.work()))
        os.unlink(paths[1])
        self.assertEqual(len(sweep(self.storage)), 2)
        self.assertEqual(os.listdir(self.storage), [])

    def test_other_work_is_left_alone(self):
        path = self.file("a.xlsx", workbook())
        self.table(path)
        os.unlink(path)
        with WorkFolder(self.storage, prefix="run-") as other:
            sweep(self.storage)
            self.assertEqual(self.work(), [other.id])

    def test_only_tables_of_a_content_are_looked_at(self):
        path = self.file("a.xlsx", workbook())
        self.table(path)
        os.unlink(path)
        self.assertEqual(sweep(self.storage, "0" * 64), [])
        self.assertEqual(len(self.work()), 1)

    def test_half_made_ones_go_and_those_that_are_being_made_stay(self):
        with WorkFolder(self.storage, "table-0123456789abcdef"):
            sweep(self.storage)
            self.assertEqual(self.work(), ["table-0123456789abcdef"])
        os.makedirs(os.path.join(self.storage, ".work", "table-0123456789abcdef"))
        self.assertEqual(sweep(self.storage), ["table-0123456789abcdef"])

    def test_a_file_of_the_same_size_is_another_one(self):
        path = self.file("a.gz", gzip.compress(b"a,b\n1,2\n", mtime=0))
        self.table(path)
        self.file("a.gz", gzip.compress(b"a,b\n1,3\n", mtime=0))
        self.assertEqual(len(sweep(self.storage)), 1)
