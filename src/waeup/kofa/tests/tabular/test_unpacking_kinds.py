"""What a file is, by its content."""

import codecs
import gzip
import random
import struct

from waeup.kofa.errors import TableError
from waeup.kofa.tabular.unpacking import kind_of
from waeup.kofa.tests.tabular.containers import (
    TABLE,
    UnpackingTestCase,
    ods,
    xls,
    xlsx_of,
    zipped,
)

ROWS = [["a", "b"], ["1", "2"]]


def compound(*names):
    """Return an OLE file whose root has empty streams of these names."""
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0"))
    struct.pack_into("<H", header, 30, 9)
    struct.pack_into("<4I", header, 48, 1, 0, 4096, 0xFFFFFFFE)
    struct.pack_into("<I", header, 68, 0xFFFFFFFE)
    header[76:] = struct.pack("<I", 0) + b"\xff" * 432
    sectors = (len(names) + 4) // 4
    chain = [0xFFFFFFFD, *range(2, sectors + 1), 0xFFFFFFFE]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    entries = []
    for number, name in enumerate(("Root Entry", *names)):
        entry = bytearray(name.encode("utf-16-le").ljust(128, b"\0"))
        struct.pack_into("<H", entry, 64, 2 * len(name) + 2)
        right = number + 1 if 0 < number < len(names) else 0xFFFFFFFF
        child = 1 if number == 0 and names else 0xFFFFFFFF
        struct.pack_into("<3I", entry, 68, 0xFFFFFFFF, right, child)
        struct.pack_into("<2I", entry, 116, 0xFFFFFFFE, 0)
        entries.append(bytes(entry))
    return bytes(header) + fat + b"".join(entries).ljust(512 * sectors, b"\0")


class Kinds(UnpackingTestCase):
    def kind(self, content, name="table.csv"):
        return kind_of(self.file(content, name))

    def refused(self, content):
        with self.assertRaises(TableError) as caught:
            self.kind(content)
        return str(caught.exception)

    def test_containers_under_any_name(self):
        for kind, content in (
            ("gzip", gzip.compress(TABLE)),
            ("zip", zipped(("table.csv", TABLE))),
            ("xlsx", xlsx_of(ROWS)),
            ("ods", ods()),
            ("xls", xls(lambda book: book.add_sheet("A"))),
            ("xls", compound("Summary", "Book")),
        ):
            with self.subTest(kind=kind):
                self.assertEqual(self.kind(content), kind)

    def test_text(self):
        text = "a,b\r\nÀdá,Ñ\r\n"
        for content in (
            b"",
            TABLE,
            text.encode(),
            text.encode("cp1252"),
            codecs.BOM_UTF8 + text.encode(),
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            text.encode("utf-16-be"),
            ("имя,курс\r\nАда,Химия\r\n" * 9).encode("utf-16-le"),  # noqa: RUF001
            ("الاسم,المادة\r\n" * 9).encode("utf-16-be"),
            ("姓名,课程\r\n" * 9000).encode("utf-16-le"),
            b"a,b\r\n1,\0\r\n\0,2\r\n",
            TABLE + b"\0" * 9000,
            b"MZ,b\r\n1,2\r\n",
            b"BM,b\r\n1,2\r\n",
            b"PAR1,PAR2\r\n1,2\r\n",
        ):
            with self.subTest(start=content[:20]):
                self.assertEqual(self.kind(content), "text")

    def test_what_is_no_table_is_named(self):
        for content, what in (
            (b"%PDF-1.7\n...", "a PDF document"),
            (b"{\\rtf1\\ansi", "an RTF document"),
            (b"\x89PNG\r\n\x1a\n", "a PNG image"),
            (b"\xff\xd8\xff\xe0", "a JPEG image"),
            (b"SQLite format 3\0", "an SQLite database"),
            (b"\x7fELF\2\1\1", "an executable program"),
            (b"MZ\x90\0" + bytes(range(32)) * 9, "an executable program"),
            (b"PAR1" + bytes(range(32)) * 9, "a Parquet file"),
            (b"Rar!\x1a\x07\0", "a RAR archive"),
            (b"table.csv".ljust(257, b"\0") + b"ustar\0", "a tar archive"),
            (b"\xef\xbb\xbf\n<!DOCTYPE html><table>", "a web page"),
            (b'<?xml version="1.0"?><Workbook>', "an XML document"),
            (compound("WordDocument", "1Table"), "a Word document"),
            (compound("EncryptionInfo", "EncryptedPackage"), "protected by a password"),
            (compound("Contents"), "an old Office file without a workbook"),
            (random.Random(3).randbytes(500), "a binary file"),
        ):
            with self.subTest(what=what):
                message = self.refused(content)
                self.assertIn(what, message)
                self.assertTrue(message.startswith("table.csv is "))
                self.assertTrue(message.endswith("."))

    def test_office_documents_in_zip_form(self):
        types = ("[Content_Types].xml", "")
        for members, what in (
            ([types, ("word/document.xml", "")], "a Word document"),
            ([types, ("xl/workbook.bin", "")], "a binary workbook (.xlsb)"),
            ([types, ("ppt/presentation.xml", "")], "a PowerPoint presentation"),
            ([("Index/Document.iwa", "")], "a document of Apple Numbers"),
            ([("mimetype", "application/epub+zip")], "of the kind 'application/epub+zip'"),
            ([("mimetype", b"application/\xff")], "of the kind 'application/"),
        ):
            with self.subTest(what=what):
                self.assertIn(what, self.refused(zipped(*members)))

    def test_a_message_says_what_to_do(self):
        self.assertEqual(
            self.refused(b"%PDF-1.7"),
            'table.csv is a PDF document, not a table. Export the table as .xlsx or "CSV UTF-8"'
            " and upload that.",
        )

    def test_damaged_containers(self):
        for content in (
            b"PK\3\4",
            zipped(("table.csv", TABLE))[:-8],
            compound("Workbook")[:512],
            compound("Workbook")[:600],
        ):
            with self.subTest(content=content[:4]):
                self.assertIn("is damaged or was cut off", self.refused(content))

    def test_a_directory_of_streams_that_goes_round_in_circles_ends(self):
        content = bytearray(compound(*map(str, range(9))))
        struct.pack_into("<I", content, 512 + 3 * 4, 1)
        self.assertIn("is damaged", self.refused(bytes(content)))
