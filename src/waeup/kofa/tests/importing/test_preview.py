"""The look at a table, and what it does not show."""

import os
import shutil
import tempfile
import unittest
from contextlib import suppress
from unittest import mock

from waeup.kofa.errors import ItemBusy, TableError, TooLarge
from waeup.kofa.importing import looking
from waeup.kofa.importing.canonical import PlainTable
from waeup.kofa.importing.preview import (
    HIDDEN,
    SHOWN_LINES,
    first_lines,
    look_at,
    mode_in_name,
    read_names,
)
from waeup.kofa.tabular import Limits, UnclearTable, open_table
from waeup.kofa.tabular.options import ReadOptions


def secret_columns(header):
    """Tell which names say that there are passwords below."""
    return {at for at, name in enumerate(header) if name.lower() == "password"}


class PreviewTestCase(unittest.TestCase):
    """Has a folder for tables."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def source(self, content, **facts):
        path = os.path.join(self.folder, "list.csv")
        with open(path, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        return PlainTable(path, **facts)

    def look(self, content, rows=3, options=None, limits=None):
        return look_at(
            self.source(content),
            "list.csv",
            rows,
            options or ReadOptions(),
            limits or Limits(),
            secret_columns,
        )


class FoundTests(PreviewTestCase):
    def test_all_that_was_found_is_told(self):
        lines = ["Report 2026", "", "code;title", 'A;"Arts; fine"', "B;1;2", "C;Law", "D;x", ""]
        seen = self.look("\r\n".join(lines))
        self.assertEqual((seen.name, seen.header), ("list.csv", ("code", "title")))
        self.assertEqual((seen.encoding, seen.confidence, seen.is_guess), ("utf-8", 1.0, False))
        self.assertEqual((seen.delimiter, seen.quote, seen.escape), (";", '"', None))
        self.assertEqual((seen.line_end, seen.header_line), ("CRLF", 3))
        self.assertEqual(seen.above, ("Report 2026",))
        self.assertEqual((seen.kind, seen.member, seen.sheet), ("text", None, None))
        self.assertEqual((seen.lines, seen.rows, seen.sound, seen.damaged), (7, 4, 3, 1))
        self.assertEqual(seen.samples, (("A", "Arts; fine"), ("C", "Law"), ("D", "x")))
        self.assertEqual(seen.sample_lines, (4, 6, 7))
        (finding,) = seen.problems
        self.assertEqual((finding.code, finding.rows), ("too-many-cells", 1))
        self.assertEqual(finding.examples[0].raw, "B;1;2")

    def test_what_was_said_is_believed(self):
        seen = self.look("x,y\na,b;c\nd,e;f\n", options=ReadOptions(delimiter=";", header_line=2))
        self.assertEqual(seen.header, ("a,b", "c"))
        self.assertEqual(seen.above, ("x,y",))

    def test_what_was_in_a_container_is_told(self):
        source = self.source("code,title\r\nA,x\r\n", kind="xlsx", sheet="S", sheets=("S", "T"))
        seen = look_at(source, "list.xlsx", 3, ReadOptions(), Limits())
        self.assertEqual((seen.name, seen.kind, seen.sheet), ("list.xlsx", "xlsx", "S"))
        self.assertEqual(seen.sheets, ("S", "T"))

    def test_a_changed_file_is_looked_at_anew(self):
        self.assertEqual(self.look("code,title\nA,x\n").rows, 1)
        self.assertEqual(self.look("code,title\nA,x\nB,y\n").rows, 2)

    def test_nobody_looks_again_at_what_was_read_or_refused(self):
        for content in ("code,title\nA,x\n", "code,title\n"):
            source = self.source(content)
            with mock.patch.object(ReadOptions, "open", autospec=True) as opening:
                opening.side_effect = lambda options, path, **more: open_table(path, **more)
                for _time in range(3):
                    with suppress(TableError):
                        look_at(source, "list.csv", 3, ReadOptions(), Limits())
            self.assertEqual(opening.call_count, 1, content)

    def test_who_waits_too_long_for_the_look_of_somebody_else_is_told(self):
        with (
            mock.patch("waeup.kofa.importing.preview._seen", side_effect=TimeoutError),
            self.assertRaisesRegex(ItemBusy, "list.csv is large, and is being looked at already"),
        ):
            self.look("code,title\nA,x\n")

    def test_what_takes_too_long_is_told_in_part(self):
        seen = look_at(
            self.source("code,title\n" + "A,x\n" * 1200),
            "a.csv",
            3,
            ReadOptions(),
            Limits(),
            seconds=-1,
        )
        self.assertEqual((seen.rows, seen.sound, seen.is_whole), (500, 500, False))

    def test_what_is_told_in_part_since_others_look_as_well_is_looked_at_again(self):
        content = "code,title\n" + "A,x\n" * 1200
        source = self.source(content)
        with mock.patch.object(looking, "SHORT", -1):
            for most, rows in ((0, 500), (1, 1200)):
                with mock.patch.object(looking.PLACES, "most", most):
                    seen = look_at(source, "list.csv", 3, ReadOptions(), Limits())
                self.assertEqual((seen.rows, seen.is_whole), (rows, rows == 1200))

    def test_what_cannot_be_imported_is_refused(self):
        for content, error, message in (
            ("code,title\n", TableError, "no rows"),
            ("code,code\nA,x\n", TableError, "Double headers"),
            ("a,,c\n1,2,3\n", TableError, "without a name: 2"),
            ("code,title,x\nA,B\nC,D\nE,F\n", UnclearTable, "does not fit"),
        ):
            with self.subTest(content), self.assertRaisesRegex(error, message):
                self.look(content)
        with self.assertRaises(TooLarge):
            self.look("code,title\n" + "A,x\n" * 20, limits=Limits(rows=5))
        with self.assertRaisesRegex(TableError, "Double headers"):
            read_names(self.source("code,code\nA,x\n"), "list.csv", ReadOptions())

    def test_modes_in_names(self):
        self.assertEqual(mode_in_name("a.update.pending.csv"), "update")
        self.assertEqual(mode_in_name("a.xlsx.create.pending.csv"), "create")
        for name in ("a.csv", "pending.csv", "a.blah.pending.csv", "create.pending.csv"):
            self.assertIsNone(mode_in_name(name))


class SecretTests(PreviewTestCase):
    TABLE = "name,password\nada,s3cret\nbob,t0psecret\ncy,hush,s4cret\ndan,s5cret\n"

    def test_passwords_are_hidden_and_so_are_damaged_rows_beside_them(self):
        seen = self.look(self.TABLE)
        self.assertEqual(seen.samples[0], ("ada", HIDDEN))
        self.assertEqual(seen.problems[0].examples[0].raw, HIDDEN)
        self.assertNotIn("cret", str(seen))

    def test_no_option_shows_them(self):
        for options in (
            ReadOptions(delimiter=";"),
            ReadOptions(delimiter="|"),
            ReadOptions(header_line=2),
            ReadOptions(header_line=3),
            ReadOptions(quote="'"),
        ):
            with self.subTest(options):
                try:
                    shown = str(self.look(self.TABLE, 10, options))
                except TableError as refusal:
                    shown = str(refusal)
                self.assertNotIn("cret", shown)

    def test_lines_are_not_shown_where_one_may_name_passwords(self):
        source = self.source("Staff\nname;password;x\nada;s3cret\nbob;t4cret\n")
        self.assertEqual(first_lines(source, ReadOptions(), secret_columns), ())
        self.assertEqual(len(first_lines(source, ReadOptions())), 4)

    def test_only_the_first_lines_are_shown_and_cut(self):
        source = self.source("x" * 1000 + "\r\n" + "a,b\r\n" * 100)
        lines = first_lines(source, ReadOptions(), secret_columns)
        self.assertEqual(len(lines), SHOWN_LINES)
        self.assertEqual((len(lines[0]), lines[1]), (203, "a,b"))
        source = self.source("k\xf6ln,b\n".encode("cp1252"))
        self.assertEqual(first_lines(source, ReadOptions(encoding="cp1252")), ("k\xf6ln,b",))
