"""One packed table comes out as it was; everything else is refused with a reason."""

import gzip
import os
import stat
import struct
import zipfile
import zlib

from waeup.kofa.errors import TableError, TooLarge
from waeup.kofa.tabular.unpacking import Limits, Unpacked, unpack
from waeup.kofa.tests.tabular.containers import TABLE, UnpackingTestCase, xlsx_of, zipped

LATIN = "name;mark\nÀdá;70\n".encode("cp1252")


def directory_at(content):
    return content.index(b"PK\1\2")


class Gzip(UnpackingTestCase):
    def test_bytes_come_out_as_they_were(self):
        for content in (TABLE, LATIN, b"", "a,b\n1,2\n".encode("utf-16")):
            with self.subTest(content=content):
                self.assertEqual(
                    self.unpack(gzip.compress(content)),
                    (Unpacked("gzip", None, None, ()), content),
                )

    def test_parts_are_joined(self):
        content = gzip.compress(TABLE) + gzip.compress(b"3,4\r\n")
        self.assertEqual(self.unpack(content)[1], TABLE + b"3,4\r\n")

    def test_zeros_of_a_tape_do_not_matter(self):
        self.assertEqual(self.unpack(gzip.compress(TABLE) + b"\0" * 512)[1], TABLE)

    def test_damage(self):
        content = gzip.compress(TABLE * 1000)
        changed = bytearray(content)
        changed[-6] ^= 1
        length = bytearray(content)
        length[-1] ^= 1
        for what, damaged in (
            ("cut off", content[:-20]),
            ("cut off in its end", content[:-3]),
            ("the header only", content[:10]),
            ("less than a header", content[:2]),
            ("checksum", bytes(changed)),
            ("length", bytes(length)),
            ("followed by something", content + b"garbage"),
        ):
            with self.subTest(what=what):
                message = self.refusal(damaged, error=TableError)
                self.assertTrue(message.startswith("table.bin is damaged or was cut off ("))

    def test_a_workbook_inside(self):
        found, content = self.unpack(gzip.compress(xlsx_of([["a"], ["1"]])))
        self.assertEqual(found, Unpacked("gzip", None, "Courses", ("Courses",)))
        self.assertEqual(content, b"a\r\n1\r\n")

    def test_an_archive_inside_is_refused(self):
        self.assertEqual(
            self.refusal(gzip.compress(gzip.compress(TABLE)), "table.gz", TableError),
            "The content of table.gz is packed once more, as gzip. Pack the table only once.",
        )


class Zip(UnpackingTestCase):
    def test_bytes_come_out_as_they_were(self):
        for method in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
            zipfile.ZIP_BZIP2,
            zipfile.ZIP_LZMA,
        ):
            with self.subTest(method=method):
                self.assertEqual(
                    self.unpack(zipped(("in/Table.csv", LATIN), method=method)),
                    (Unpacked("zip", "in/Table.csv", None, ()), LATIN),
                )

    def test_what_systems_leave_behind_does_not_count(self):
        litter = ("__MACOSX/._t.csv", "in/", "in/.DS_Store", "Thumbs.db", "in\\desktop.ini")
        content = zipped(*((name, b"x") for name in litter), ("in/t.csv", TABLE))
        self.assertEqual(self.unpack(content)[1], TABLE)

    def test_exactly_one_file(self):
        self.assertEqual(
            self.refusal(zipped(("a.csv", TABLE), ("b\n.csv", TABLE)), "t.zip", TableError),
            "t.zip holds 2 files: 'a.csv', 'b\\n.csv'. Put exactly one table into the archive.",
        )
        self.assertEqual(
            self.refusal(zipped(("in/", b"")), "t.zip", TableError),
            "t.zip holds no file. Put exactly one table into the archive.",
        )
        self.assertIn(
            "'9.csv' and 20 more.",
            self.refusal(zipped(*((f"{at}.csv", TABLE) for at in range(30)))),
        )

    def test_hostile_names_are_words(self):
        for name in ("../../etc/passwd", "/etc/passwd", "x" * 9000, "a\r\n\x1b[2J.csv"):
            with self.subTest(name=name[:20]):
                found, content = self.unpack(zipped((name, TABLE)))
                self.assertEqual((found.member, content), (name, TABLE))
                message = self.refusal(zipped((name, b"%PDF-1.7")))
                self.assertLess(len(message), 300)
                self.assertTrue(message.isprintable())

    def test_something_else_inside(self):
        self.assertIn(
            "'t.csv' in t.zip is a PDF document, not a table.",
            self.refusal(zipped(("t.csv", b"%PDF-1.7")), "t.zip"),
        )

    def test_a_workbook_inside(self):
        book = xlsx_of([["a", "b"], ["1", "2"]])
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with self.subTest(method=method):
                self.assertEqual(
                    self.unpack(zipped(("book.xlsx", book), method=method)),
                    (Unpacked("zip", "book.xlsx", "Courses", ("Courses",)), TABLE),
                )
        message = self.refusal(zipped(("book.xlsx", book)), "t.zip", sheet="Marks")
        self.assertEqual(
            message,
            "'book.xlsx' in t.zip has no sheet 'Marks'. Name one of its sheets: 'Courses'.",
        )

    def test_an_archive_inside_is_refused(self):
        self.assertIn(
            "'t.csv.gz' in t.zip is packed once more, as gzip.",
            self.refusal(zipped(("t.csv.gz", gzip.compress(TABLE))), "t.zip"),
        )

    def test_a_password(self):
        content = bytearray(zipped(("t.csv", TABLE)))
        for at, offset in ((0, 6), (directory_at(content), 8)):
            content[at + offset] |= 1
        self.assertIn("protected by a password", self.refusal(content, error=TableError))

    def test_an_unknown_method(self):
        content = bytearray(zipped(("t.csv", TABLE)))
        for at, offset in ((0, 8), (directory_at(content), 10)):
            content[at + offset] = 97
        self.assertIn("packed by a method that is not known here (97)", self.refusal(content))

    def test_wrong_sizes(self):
        for size in (0, 3, len(TABLE) + 1, 1 << 31):
            with self.subTest(size=size):
                content = bytearray(zipped(("t.csv", TABLE)))
                struct.pack_into("<I", content, directory_at(content) + 24, size)
                self.assertIn("is damaged", self.refusal(content, error=TableError))

    def test_sizes_that_lie_in_agreement_with_the_checksum(self):
        """Who reads only as much as was announced takes the first row for the table."""
        content = bytearray(zipped(("t.csv", TABLE)))
        struct.pack_into("<I", content, directory_at(content) + 16, zlib.crc32(TABLE[:5]))
        struct.pack_into("<I", content, directory_at(content) + 24, 5)
        self.assertIn("is damaged", self.refusal(content, error=TableError))

    def test_a_wrong_checksum(self):
        content = bytearray(zipped(("t.csv", TABLE), method=zipfile.ZIP_STORED))
        content[content.index(b"1,2")] ^= 1
        self.assertIn("Bad CRC-32", self.refusal(content, error=TableError))

    def test_overlapping_members(self):
        content = bytearray(zipped(("t.csv", TABLE), (".DS_Store", b"x")))
        second = content.index(b"PK\1\2", directory_at(content) + 1)
        struct.pack_into("<I", content, second + 42, 0)
        self.assertIn("overlap", self.refusal(content, error=TableError))

    def test_cut_off(self):
        content = zipped(("t.csv", TABLE * 1000))
        for length in (4, 30, 60, len(content) - 60, len(content) - 1):
            with self.subTest(length=length):
                self.assertIn("is damaged or was cut off", self.refusal(content[:length]))

    def test_garbage_behind_the_end_does_not_matter(self):
        self.assertEqual(self.unpack(zipped(("t.csv", TABLE)) + b"\r\n")[1], TABLE)


class Bounds(UnpackingTestCase):
    def test_bombs(self):
        bomb = bytes(50_000_000)
        for content in (gzip.compress(bomb), zipped(("t.csv", bomb))):
            with self.subTest(start=content[:2]):
                self.assertEqual(
                    self.refusal(content, "t.zip", TooLarge, limits=Limits(unpacked=1 << 20)),
                    "t.zip holds more than 1,048,576 bytes when unpacked, the limit of this data"
                    " center. Split the table, or have the limit raised.",
                )

    def test_up_to_the_limit(self):
        limits = Limits(unpacked=len(TABLE))
        self.assertEqual(self.unpack(gzip.compress(TABLE), limits=limits)[1], TABLE)

    def test_memory(self):
        """A member that wants a dictionary of 1.5 GB to be unpacked."""
        content = bytearray(zipped(("t.csv", TABLE), method=zipfile.ZIP_LZMA))
        at = content.index(b"t.csv") + len("t.csv")
        struct.pack_into("<I", content, at + 5, 1536 << 20)
        self.assertEqual(
            self.refusal(content, "t.zip", TooLarge, limits=Limits(memory=512 << 20)),
            "t.zip needs more than 512 MB of memory to be read, the limit of this data center."
            ' Remove sheets, and cells far outside of the table, save the table as "CSV UTF-8",'
            " or have the limit raised.",
        )

    def test_time(self):
        content = gzip.compress(bytes(1 << 20)) * 3000
        self.assertEqual(
            self.refusal(content, "t.gz", TooLarge, limits=Limits(seconds=1)),
            "t.gz takes more than 1 second to be read, the limit of this data center. Split the"
            ' table, save it as "CSV UTF-8", or have the limit raised.',
        )


class Files(UnpackingTestCase):
    def test_the_target_appears_as_a_whole(self):
        target = self.path("unpacked")
        self.file("former content", "unpacked")
        self.refusal(gzip.compress(TABLE)[:-1])
        self.assertEqual(self.content(target), b"former content")
        self.unpack(gzip.compress(TABLE))
        self.assertEqual(self.content(target), TABLE)
        self.assertEqual(stat.S_IMODE(os.stat(target).st_mode), 0o600)

    def test_relative_and_strange_names(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        for name in ("t.gz", "-c", "mit blank '\".gz", "\udcff.gz"):
            with self.subTest(name=name):
                self.file(gzip.compress(TABLE), name)
                unpack(name, "out")
                self.assertEqual(self.content("out"), TABLE)

    def test_text_needs_no_unpacking(self):
        self.assertEqual(
            self.refusal(TABLE, "t.csv", TableError),
            "t.csv is plain text, which needs no unpacking. Read it as it is.",
        )

    def test_a_sheet_of_a_text(self):
        self.assertEqual(
            self.refusal(gzip.compress(TABLE), "t.gz", TableError, sheet="Marks"),
            "The content of t.gz is plain text and has no sheet 'Marks'. Name no sheet.",
        )

    def test_a_file_that_is_not_there(self):
        with self.assertRaises(FileNotFoundError):
            unpack(self.path("none"), self.path("unpacked"))
        with self.assertRaises(FileNotFoundError):
            unpack(self.file(gzip.compress(TABLE)), self.path("no/folder"))
