"""Tables of all kinds, from the upload to mended pending rows."""

import csv
import gzip
import io
import os
from unittest import mock

import transaction

from waeup.kofa import jobs
from waeup.kofa.errors import ItemBusy, NotAllowed, TableError, TooLarge
from waeup.kofa.importing import canonical, looking
from waeup.kofa.interfaces import ERRORS_COLUMN, RAW_COLUMN
from waeup.kofa.tabular import Limits, UnclearTable, open_table
from waeup.kofa.tabular.options import ReadOptions
from waeup.kofa.tests.functional import FunctionalLayer, import_file
from waeup.kofa.tests.importing.test_canonical import workbook
from waeup.kofa.tests.tabular.containers import cell, ods, xls, xlsx, xlsx_of, zipped
from waeup.kofa.tests.test_operations import FOLDERS, OperationsTestCase

TABLE = b"code,title\r\nA1,Arts\r\nB2,Law\r\n"
ROWS = [("code", "title"), ("A1", "Arts"), ("B2", "Law")]
UNCLEAR = b"code,title,x\r\nA1,Arts\r\nB2,Law\r\nC3,Medicine\r\n"
PROCESSOR = ("facultyprocessor", "create")


def xls_of(rows):
    """Return an .xls file with one sheet of `rows`."""

    def fill(book):
        sheet = book.add_sheet("Courses")
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                sheet.write(number, column, text)

    return xls(fill)


def ods_of(rows):
    """Return an .ods file with one sheet of `rows`."""
    return ods(*([cell("string", text) for text in row] for row in rows))


KINDS = {
    "a.csv": TABLE,
    "a.tsv": TABLE.replace(b",", b"\t"),
    "a.txt": TABLE.replace(b",", b"|"),
    "a.csv.gz": gzip.compress(TABLE),
    "a.zip": zipped(("list/a.csv", TABLE)),
    "b.zip": zipped(("a.xlsx", xlsx_of(ROWS))),
    "a.xlsx": xlsx_of(ROWS),
    "a.xls": xls_of(ROWS),
    "a.ods": ods_of(ROWS),
}


class TablesTestCase(OperationsTestCase):
    """Has the rights of a boss, and limits that a test may change."""

    def work(self):
        """Return the ids of the work folders."""
        return canonical.WorkFolder.ids(str(self.storage))

    def limit(self, **limits):
        """Let the portal have other limits for the rest of the test."""
        patch = mock.patch.dict(FunctionalLayer._config, limits=Limits(**limits))
        patch.start()
        self.addCleanup(patch.stop)

    def put(self, name, content, **kw):
        """Upload for good, and return the stored name."""
        upload = self.upload(name, content, **kw)
        transaction.commit()
        return upload.name

    def do(self, name, options=None, **mapping):
        """Import faculties; return the report."""
        options = options or ReadOptions()
        found = self.operations.make_mapping(name, *PROCESSOR, options=options, **mapping)
        return import_file(self.operations, name, *PROCESSOR, found, options=options).report

    def codes(self):
        """Return the codes of the faculties."""
        transaction.begin()
        return sorted(self.site["faculties"])


class KindsTests(TablesTestCase):
    """What files may be."""

    def test_each_kind_is_stored_seen_and_imported(self):
        for name, content in KINDS.items():
            with self.subTest(name):
                stored = self.put(name, content)
                self.assertIn(stored, [file.name for file in self.operations.pending_files()])
                seen = self.operations.preview(stored)
                self.assertEqual(seen.header, ("code", "title"))
                self.assertEqual(seen.samples, (("A1", "Arts"), ("B2", "Law")))
                self.assertEqual((seen.rows, seen.damaged), (2, 0))
                report = self.do(stored)
                self.assertEqual((report.created, report.failed), (2, 0))
                stem = stored.removesuffix(".csv")
                self.assertEqual(report.finished, f"finished/{stem}.create.finished.csv")
                self.assertEqual((self.storage / report.finished).read_bytes(), TABLE)
                self.assertEqual((self.storage / "finished" / stored).read_bytes(), content)
                self.assertEqual(self.names(), FOLDERS)
                for code in self.codes():
                    del self.site["faculties"][code]
                transaction.commit()

    def test_lines_are_told_where_they_are_known(self):
        for name, content in KINDS.items():
            with self.subTest(name):
                self.put(name, content)
        for file in self.operations.pending_files():
            with self.subTest(file.name):
                self.assertEqual((file.lines, file.datasets), (3, "2"))
        (self.storage / "c.xlsx").write_bytes(KINDS["a.xlsx"][:-1])
        unknown = next(f for f in self.operations.pending_files() if f.name == "c.xlsx")
        self.assertEqual((unknown.lines, unknown.datasets), (None, ""))

    def test_what_is_no_table_is_refused_and_nothing_is_stored(self):
        cases = {
            "a.csv": (KINDS["a.xlsx"], "is no text, but a workbook of Excel"),
            "a.txt": (KINDS["a.zip"], r"a packed file \(ZIP\).*table\.zip"),
            "a.xlsx": (b"", "is empty"),
            "b.xlsx": (KINDS["a.xlsx"][:-100], "damaged"),
            "c.xlsx": (xlsx_of([("code", "title")]), "no rows"),
            "d.xlsx": (xlsx_of([("code", "code"), ("A", "B")]), "Double headers"),
            "e.xlsx": (b"%PDF-1.7 x", "a PDF document"),
            "a.gz": (gzip.compress(TABLE)[:-4], "damaged|cut off"),
            "b.gz": (gzip.compress(gzip.compress(TABLE)), "packed once more"),
            "a.zip": (zipped(("a.csv", TABLE), ("b.csv", TABLE)), "holds 2 files"),
            "b.zip": (zipped(("../a.csv", b"code,code\r\nA,B\r\n")), "Double headers"),
        }
        for name, (content, message) in cases.items():
            with self.subTest(name), self.assertRaisesRegex(TableError, message):
                self.upload(name, content)
            self.assertEqual(self.names(), FOLDERS, name)

    def test_limits_are_told_and_nothing_is_stored(self):
        self.limit(columns=3, rows=10, cell=50, unpacked=100_000)
        cases = {
            "a.csv": (b"a,b,c,d\r\n1,2,3,4\r\n", "4 columns, and 3 are allowed"),
            "b.csv": (b"a,b\r\n" + b"1,2\r\n" * 11, "more than 10 rows"),
            "c.xlsx": (xlsx_of([("a", "b"), ("1", "x" * 51)]), "a cell of 51 characters"),
            "d.gz": (gzip.compress(b"a,b\r\n" + b"1,2\r\n" * 50_000), "when unpacked"),
            "e.xlsx": (xlsx_of([("a", "b"), *[("1", "2")] * 11]), "more than 10 rows"),
        }
        for name, (content, message) in cases.items():
            with self.subTest(name), self.assertRaisesRegex(TooLarge, message):
                self.upload(name, content)
            self.assertEqual(self.names(), FOLDERS, name)
        self.put("f.csv", b"a,b\r\n" + b"1,2\r\n" * 10)

    def test_what_takes_long_waits_until_others_are_done(self):
        """Those who wait for a page have fewer places than there are threads."""
        content = workbook()
        with (
            mock.patch.object(looking, "SHORT", -1),
            mock.patch.object(looking.PLACES, "most", 0),
        ):
            with self.assertRaisesRegex(ItemBusy, "a.xlsx takes long to unpack"):
                self.put("a.xlsx", content)
            transaction.abort()
            self.assertEqual((self.names(), self.work()), (FOLDERS, []))
            (self.storage / "b.xlsx").write_bytes(content)
            with self.assertRaisesRegex(ItemBusy, "b.xlsx takes long to unpack"):
                self.operations.preview("b.xlsx")
            with self.assertRaisesRegex(ItemBusy, "keys.xlsx takes long to unpack"):
                self.operations.export_keys("faculties", "list.xlsx", io.BytesIO(content))
        self.put("a.xlsx", content)
        self.assertEqual(self.operations.preview("b.xlsx").sheet, "Main")

    def test_a_file_that_is_not_clear_is_stored_and_that_is_told(self):
        upload = self.upload("a.csv", UNCLEAR)
        self.assertIn("does not fit its rows", upload.notice)
        self.assertEqual(self.upload("b.csv", TABLE).notice, "")
        with self.assertRaises(UnclearTable):
            self.operations.preview(upload.name)
        lines = self.operations.first_lines(upload.name)
        self.assertEqual(lines, ("code,title,x", "A1,Arts", "B2,Law", "C3,Medicine"))
        seen = self.operations.preview(upload.name, options=ReadOptions(header_line=1))
        self.assertEqual((seen.rows, seen.damaged), (3, 3))


class ReadingTests(TablesTestCase):
    """What a person says about the reading."""

    def test_what_was_previewed_is_what_is_imported(self):
        text = "Some title;and more\r\ncode;title\r\nA1;K\xf6ln\r\nB2;'x;y'\r\n"
        name = self.put("a.csv", text.encode("cp1252"))
        options = ReadOptions("cp1252", ";", "'", 2)
        seen = self.operations.preview(name, options=options)
        self.assertEqual(seen.samples, (("A1", "K\xf6ln"), ("B2", "x;y")))
        report = self.do(name, options)
        self.assertEqual((report.created, report.failed), (2, 0))
        self.assertEqual(
            (self.storage / report.finished).read_bytes().decode(),
            "code,title\r\nA1,K\xf6ln\r\nB2,x;y\r\n",
        )

    def test_a_sheet_is_chosen(self):
        name = self.put("a.xlsx", workbook())
        self.assertEqual(self.operations.preview(name).sheet, "Main")
        options = ReadOptions(sheet="More")
        self.assertEqual(
            self.operations.preview(name, options=options).samples, (("B2", "Law; and order"),)
        )
        self.do(name, options)
        self.assertEqual(self.codes(), ["B2"])
        self.assertEqual(self.names(), FOLDERS)

    def test_a_draft_keeps_what_was_said(self):
        name = self.put("a.csv", TABLE)
        draft = self.operations.new_draft(name)
        self.assertEqual(draft.reading, {})
        self.operations.save_draft(draft.id, reading=ReadOptions("cp1252").as_dict())
        transaction.commit()
        self.assertEqual(ReadOptions(**self.operations.draft(draft.id).reading).encoding, "cp1252")

    def test_a_mapping_is_for_the_header_that_was_read(self):
        name = self.put("a.csv", b"x,y\r\ncode,title\r\nA1,Arts\r\n")
        options = ReadOptions(header_line=2)
        proposed = self.operations.propose_mapping(name, *PROCESSOR, options)
        self.assertEqual(proposed.columns, ("code", "title"))
        self.operations.check(name, *PROCESSOR, proposed, options)


class WorkFilesTests(TablesTestCase):
    """Tables that were made of containers live as long as these wait."""

    def test_an_upload_makes_the_table_that_all_others_read(self):
        with mock.patch.object(canonical, "unpack", side_effect=canonical.unpack) as made:
            name = self.put("a.xlsx", KINDS["a.xlsx"])
            self.operations.preview(name)
            self.do(name)
        self.assertEqual(made.call_count, 1)
        self.assertEqual(self.names(), FOLDERS)

    def test_it_goes_when_the_file_is_deleted_and_not_before(self):
        name = self.put("a.xlsx", KINDS["a.xlsx"])
        self.operations.delete([name])
        self.assertEqual(len(self.work()), 1)
        transaction.abort()
        self.assertEqual(len(self.work()), 1)
        self.operations.delete([name])
        transaction.commit()
        self.assertEqual(self.names(), FOLDERS)

    def test_it_goes_when_the_upload_is_taken_back(self):
        self.upload("a.xlsx", KINDS["a.xlsx"])
        self.assertEqual(len(self.work()), 1)
        transaction.abort()
        self.assertEqual(self.names(), FOLDERS)

    def test_it_stays_for_another_file_of_that_content(self):
        first = self.put("a.xlsx", KINDS["a.xlsx"])
        second = self.put("a.xlsx", KINDS["a.xlsx"])
        self.assertEqual(second, "a_boss-2.xlsx")
        self.do(first)
        self.assertEqual(len(self.work()), 1)
        self.operations.delete([second])
        transaction.commit()
        self.assertEqual(self.names(), FOLDERS)

    def test_a_start_removes_what_no_file_needs(self):
        kept, gone = self.put("a.xlsx", KINDS["a.xlsx"]), self.put("b.gz", KINDS["a.csv.gz"])
        self.operations.preview(kept, options=ReadOptions(sheet="Courses"))
        os.unlink(self.storage / gone)
        jobs.recover(FunctionalLayer.database(), "/app")
        self.assertEqual(len(self.work()), 2)
        os.unlink(self.storage / kept)
        jobs.recover(FunctionalLayer.database(), "/app")
        self.assertEqual(self.work(), [])

    def test_plain_text_needs_none(self):
        name = self.put("a.csv", TABLE)
        self.operations.preview(name)
        self.assertEqual(self.names(), sorted([*FOLDERS, name]))

    def test_a_refused_import_leaves_it(self):
        name = self.put("a.xlsx", KINDS["a.xlsx"])
        with self.assertRaisesRegex(TableError, "no sheet"):
            self.do(name, ReadOptions(sheet="x"))
        self.assertEqual(len(self.work()), 1)
        self.assertEqual(self.codes(), [])


class SecretTests(TablesTestCase):
    """Passwords in tables of all kinds."""

    ACCOUNTS = [("name", "title", "password"), ("x", "X", "s3cret")]

    def setUp(self):
        super().setUp()
        self.clerk = self.of("clerk", "waeup.ImportManager")

    def refused(self, name):
        for call in (self.clerk.preview, self.clerk.open_file, self.clerk.first_lines):
            with self.assertRaises(NotAllowed):
                call(name)

    def test_a_workbook_with_passwords_is_not_for_all(self):
        name = self.put("a.xlsx", xlsx_of(self.ACCOUNTS))
        self.refused(name)
        self.assertEqual(self.operations.preview(name).samples, (("x", "X", "***"),))

    def test_nor_one_with_passwords_on_another_sheet(self):
        def fill(book):
            for title, rows in (("First", ROWS), ("Second", self.ACCOUNTS)):
                sheet = book.add_worksheet(title)
                for number, row in enumerate(rows):
                    sheet.write_row(number, 0, row)

        self.refused(self.put("a.xlsx", xlsx(fill)))

    def test_nor_one_whose_sheets_take_too_long(self):
        (self.storage / "a.xlsx").write_bytes(workbook())
        self.limit(seconds=0)
        self.refused("a.xlsx")

    def test_one_that_was_not_looked_into_since_others_were_is_looked_into_again(self):
        (self.storage / "a.xlsx").write_bytes(workbook())
        with (
            mock.patch.object(looking, "SHORT", -1),
            mock.patch.object(looking.PLACES, "most", 0),
            self.assertRaisesRegex(ItemBusy, "a.xlsx takes long to unpack"),
        ):
            self.clerk.preview("a.xlsx")
        self.assertEqual(self.clerk.preview("a.xlsx").sheet, "Main")

    def test_nor_one_of_which_it_is_not_clear(self):
        name = self.put("a.csv", b"name;title;password\r\nx;y\r\nu;v\r\nr;s\r\n")
        self.refused(name)
        self.assertEqual(self.operations.first_lines(name), ())

    def test_a_packed_file_that_was_put_there_is_looked_into(self):
        content = gzip.compress(b"name,title,password\r\nx,X,s3cret\r\n")
        for folder in ("", "unfinished"):
            path = self.storage / folder / "a.csv.gz"
            path.write_bytes(content)
            with self.assertRaises(NotAllowed):
                self.clerk.open_file("a.csv.gz", folder)
        os.unlink(self.storage / "a.csv.gz")
        canonical.sweep(str(self.storage))
        self.assertEqual(self.names(), FOLDERS)


class PendingTests(TablesTestCase):
    """A damaged row goes to pending with its reason; once mended it is imported."""

    LINES = ("code;title;remark", "A1;Arts;x", "B2;Law", 'C3;"Med" icine;y', "D4;Dance;z")

    def check_pending(self, report, texts):
        """The pending file is sound CSV as we write it; return its rows as dicts."""
        data = (self.storage / report.pending).read_bytes()
        text = data.decode("utf-8")
        self.assertEqual(text.count("\n"), text.count("\r\n"))
        self.assertFalse(data.startswith(b"\xef\xbb\xbf"))
        with open_table(str(self.storage / report.pending)) as table:
            self.assertEqual((table.encoding, table.dialect.delimiter), ("utf-8", ","))
            rows = list(table)
            self.assertEqual([row.problem for row in rows], [None] * len(rows))
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual([row[RAW_COLUMN] for row in found], list(texts))
        for row in found:
            self.assertIn("Damaged row", row[ERRORS_COLUMN])
        return found

    def mend(self, report, rows, cells):
        """Write the cells into the pending rows, upload them, and import them."""
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for row, (code, title) in zip(rows, cells, strict=True):
            writer.writerow({**row, "code": code, "title": title, RAW_COLUMN: ""})
        name = self.put(report.pending, stream.getvalue().encode(), replace=True)
        return self.do(name)

    def test_damaged_text_of_any_encoding(self):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
            with self.subTest(encoding):
                text = "\r\n".join(self.LINES).replace("Dance", "Dans\xe9") + "\r\n"
                name = self.put("list.csv", text.encode(encoding))
                options = ReadOptions("cp1252") if encoding == "cp1252" else ReadOptions()
                report = self.do(name, options, ignore=["remark"])
                self.assertEqual((report.created, report.failed), (2, 2), report.reasons)
                rows = self.check_pending(report, ("B2;Law", 'C3;"Med" icine;y'))
                again = self.mend(report, rows, [("B2", "Law"), ("C3", "Medicine")])
                self.assertEqual((again.created, again.failed), (2, 0), again.reasons)
                self.assertEqual(self.codes(), ["A1", "B2", "C3", "D4"])
                self.assertEqual(self.site["faculties"]["D4"].title, "Dans\xe9")
                self.assertEqual(
                    (self.storage / again.finished).read_bytes().decode("utf-8").splitlines(),
                    ["code,title", "A1,Arts", "D4,Dans\xe9", "B2,Law", "C3,Medicine"],
                )
                self.assertEqual(self.names(), FOLDERS)
                for code in self.codes():
                    del self.site["faculties"][code]
                for path in (self.storage / "finished").iterdir():
                    path.unlink()
                transaction.commit()

    def test_kinds_of_damage(self):
        damage = {
            "bytes": b"B2,L\xffw",
            "nul": b"B2,L\0w",
            "wide": b"B2,Law,and,more",
            "bare": b'B2,a "Law"x"',
            "text behind": b'B2,"Law"x',
            "header again": b"code,title",
        }
        good = b"code,title\r\nA1,Arts\r\nE5,\xc3\x89thique\r\n"
        for title, line in damage.items():
            with self.subTest(title):
                name = self.put("list.csv", good + line + b"\r\nD4,Dance\r\nF6,Fine\r\n")
                report = self.do(name)
                self.assertEqual((report.created, report.failed), (4, 1), report.reasons)
                (row,) = self.check_pending(
                    report,
                    [line.decode("utf-8", "backslashreplace").replace("\0", "\\x00")],
                )
                again = self.mend(report, [row], [("B2", "Law")])
                self.assertEqual((again.created, again.failed), (1, 0), again.reasons)
                self.assertEqual(self.codes(), ["A1", "B2", "D4", "E5", "F6"])
                for code in self.codes():
                    del self.site["faculties"][code]
                for path in (self.storage / "finished").iterdir():
                    path.unlink()
                transaction.commit()

    def test_rows_of_a_workbook_that_fail(self):
        rows = [*ROWS, ("x", "Too short"), ("L9", "=SUM(1)")]
        name = self.put("list.xlsx", xlsx_of(rows))
        report = self.do(name)
        self.assertEqual((report.created, report.failed), (3, 1), report.reasons)
        self.assertEqual(report.pending, "list_boss.xlsx.create.pending.csv")
        data = (self.storage / report.pending).read_bytes()
        header, row = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
        self.assertEqual((header, row[:2]), (["code", "title", ERRORS_COLUMN], ["x", "Too short"]))
        self.assertTrue((self.storage / "unfinished" / name).exists())
        mended = b"code,title,--ERRORS--\r\nX1,Long enough,\r\n"
        again = self.do(self.put(report.pending, mended, replace=True))
        self.assertEqual((again.created, again.failed), (1, 0), again.reasons)
        self.assertTrue((self.storage / "finished" / name).exists())
        self.assertEqual(self.names(), FOLDERS)
