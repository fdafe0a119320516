"""Corrected rows are read as if they had stood so in the file."""

import os
import shutil
import tempfile
import unittest
from contextlib import closing

import grok
import transaction
import ZODB
from BTrees.IOBTree import IOBTree
from hypothesis import given, settings
from hypothesis import strategies as st
from ZODB.MappingStorage import MappingStorage

from waeup.kofa import conversion
from waeup.kofa.importing.corrections import CorrectedCell, Correction, Corrections
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.manner import Manner
from waeup.kofa.interfaces import RAW_COLUMN
from waeup.kofa.tabular import Row
from waeup.kofa.tabular.problems import Problem
from waeup.kofa.tests.importing.test_engine import CaveProcessor, EngineTestCase, _lines
from waeup.kofa.tests.importing.test_engine_tables import DoorProcessor

HEADER = ("code", "size", "owner")
WIDTH = len(HEADER)


def corrected(texts, *, whole=False, old=""):
    """Return a correction that lets `texts` be read, by position."""
    return Correction(tuple(CorrectedCell(at, old, new) for at, new in texts.items()), whole)


class Engine(EngineTestCase):
    """The row engine with corrections."""

    processor = CaveProcessor()

    def apply(self, rows, corrections=None, mode="create", header=HEADER, fields=None, start=0):
        """Apply rows; return results, objects, and the lines of both result files."""
        path = self.table(",".join(header))
        fields = fields or tuple(None if name[:2] == "--" else name for name in header)
        manner = Manner(corrections=corrections, detailed=True)
        engine = RowEngine(
            self.processor, path, conversion.Mapping(fields), mode, self.site, manner=manner
        )
        folder = tempfile.mkdtemp(dir=self.folder)
        files = engine.result_files(os.path.join(folder, "f.csv"), os.path.join(folder, "p.csv"))
        with engine.open():
            results = engine.apply(rows[start:])
        for result in results:
            files.write(result)
        files.close()
        pending = files.pending_path
        return results, _lines(files.finished_path), _lines(pending) if pending else None

    def rows(self, *lines):
        """Return rows of these cells, numbered from 1."""
        return [Row(at, at + 1, tuple(line.split(","))) for at, line in enumerate(lines, 1)]

    def test_cells_are_replaced_before_all_else(self):
        rows = self.rows("a,x,ann", "b,2,", "c,y,cia")
        results, finished, pending = self.apply(
            rows, {1: corrected({1: "1"}), 9: corrected({0: "z"})}
        )
        self.assertEqual(finished, ["code,size,owner", "a,1,ann", "b,2,<IGNORE>"])
        self.assertEqual(len(pending), 2)
        self.assertEqual([result.is_corrected for result in results], [True, False, False])
        self.assertEqual(self.site["caves"]["a"].size, 1)
        # What stands in the file is known of those that failed or were corrected, of no other.
        self.assertEqual([result.source for result in results], [rows[0], None, rows[2]])

    def test_a_damaged_row_becomes_sound(self):
        problem = Problem("too-few-cells", "Expected 3 cells.", None)
        rows = [Row(1, 2, ("a",), problem, "a"), Row(2, 3, ("b",), problem, "b")]
        whole = corrected({0: "a", 1: "4", 2: "ann"}, whole=True)
        results, finished, pending = self.apply(rows, {1: whole})
        self.assertEqual(finished[1:], ["a,4,ann"])
        self.assertEqual(pending[0], f"code,size,owner,--ERRORS--,{RAW_COLUMN}")
        self.assertEqual(pending[1:], ["b,<IGNORE>,<IGNORE>,Expected 3 cells.,b"])
        self.assertEqual(results[0].source.raw, "a")

    def test_a_damaged_row_stays_so_without_all_its_cells(self):
        """As when limits were lowered after the check."""
        damaged = Row(1, 2, (), Problem("too-long", "The row is too long.", None), "?")
        (result,), _finished, _pending = self.apply([damaged], {1: corrected({2: "x"})})
        self.assertEqual((result.outcome, result.reason), ("failed", damaged.problem.message))

    def test_an_empty_row_becomes_one_and_a_row_becomes_empty(self):
        rows = self.rows("<IGNORE>,,", "b,2,ben")
        none = {0: "", 1: "", 2: ""}
        results, finished, _pending = self.apply(
            rows, {1: corrected({0: "a", 2: "ann"}), 2: corrected(none)}
        )
        self.assertEqual((finished[1:], len(results)), (["a,<IGNORE>,ann"], 1))

    def test_the_rest_of_a_table_is_corrected_by_its_own_numbers(self):
        rows = self.rows("a,x,ann", "b,x,ben", "c,x,cia")
        _results, finished, _pending = self.apply(rows, {3: corrected({1: "3"})}, start=2)
        self.assertEqual(finished[1:], ["c,3,cia"])

    def test_a_row_that_was_damaged_before_is_mended(self):
        header = (*HEADER, "--ERRORS--", RAW_COLUMN)
        rows = self.rows("a,1,,was wrong,a;1;ann")
        _results, finished, pending = self.apply(rows, header=header)
        self.assertIn("compare its cells", pending[1])
        whole = {1: corrected({0: "a", 1: "1", 2: "ann"}, whole=True)}
        _results, finished, pending = self.apply(rows, whole, header=header)
        self.assertEqual((finished[1:], pending), (["a,1,ann"], None))

    def test_secret_columns_are_known(self):
        path = self.table("code,Key,size,door key")
        engine = RowEngine(
            DoorProcessor(),
            path,
            conversion.Mapping(("code", None, None, "key")),
            "create",
            self.site,
        )
        self.assertEqual(engine.columns.fields, ("code", None, None, "key"))
        self.assertIn(3, engine.columns.secrets)
        self.assertTrue(engine.columns.hides_damage)


class EngineWithDatabase(Engine):
    """The same with savepoints, and for any rows."""

    def make_site(self):
        """Return a site in a database."""
        db = ZODB.DB(MappingStorage())
        self.addCleanup(db.close)
        connection = db.open()
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        site = connection.root()["site"] = grok.Container()
        return site

    def caves(self):
        """Return what the caves are like."""
        return {code: (cave.size, cave.owner) for code, cave in sorted(self.site["caves"].items())}

    CELL = st.sampled_from(
        ("", " ", "a", "b", "c", "1", "x", "<IGNORE>", "XXX", "key", "=1", "[]")
    )
    ROW = st.tuples(*[CELL] * WIDTH)
    TABLE = st.lists(st.tuples(ROW, st.booleans()), min_size=1, max_size=8)
    EDITS = st.dictionaries(
        st.integers(1, 9), st.dictionaries(st.integers(0, WIDTH - 1), CELL, min_size=1)
    )

    @settings(max_examples=80, deadline=None)
    @given(TABLE, EDITS, st.sampled_from(("create", "update", "remove", "upsert")))
    def test_a_correction_is_the_same_as_an_edited_file(self, table, edits, mode):
        """Objects, finished and pending rows are those of the file that was edited."""
        problem = Problem("too-few-cells", "Expected 3 cells.", None)
        rows, edited, corrections = [], [], {}
        for number, (cells, is_damaged) in enumerate(table, 1):
            row = Row(number, number + 1, cells)
            if is_damaged:
                row = Row(number, number + 1, cells[:1], problem, cells[0])
            rows.append(row)
            texts = edits.get(number)
            if texts is None:
                edited.append(row)
                continue
            if is_damaged:
                texts = {**dict(enumerate(cells)), **texts}
            corrections[number] = corrected(texts, whole=is_damaged)
            values = tuple(texts.get(at, cell) for at, cell in enumerate(cells))
            edited.append(Row(number, number + 1, values))
        found = []
        for read, by in ((rows, corrections), (edited, None)):
            transaction.abort()
            if "caves" in self.site:
                del self.site["caves"]
            self.site["caves"] = grok.Container()
            for code, size in (("a", 7), ("b", 8)):
                cave = _cave(code, size)
                self.site["caves"][code] = cave
            results, finished, pending = self.apply(read, by, mode)
            outcomes = [(r.number, r.outcome, r.reason, r.key, r.changes) for r in results]
            found.append((outcomes, finished, pending, self.caves()))
            for name in os.listdir(self.folder):
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        self.assertEqual(*found)


class Kept(unittest.TestCase):
    """Corrections in a database."""

    def setUp(self):
        self.corrections = Corrections()
        for number in (5, 2, 9):
            self.corrections.keep(number, corrected({0: f"x{number}", 1: "y"}), HEADER)

    def test_they_are_found_in_the_order_of_the_rows(self):
        self.assertEqual([number for number, _ in self.corrections], [2, 5, 9])
        self.assertEqual(len(self.corrections), 3)
        self.assertEqual(self.corrections.get(5).texts, {0: "x5", 1: "y"})
        self.assertEqual((self.corrections.get(1), self.corrections.get(0)), (None, None))
        self.assertEqual(self.corrections.header, HEADER)

    def test_one_without_cells_is_none(self):
        self.corrections.keep(5, Correction(()), HEADER)
        self.assertEqual([number for number, _ in self.corrections], [2, 9])
        self.assertFalse(self.corrections.forget(5))
        self.assertTrue(self.corrections.forget(9))
        self.assertFalse(self.corrections.forget(0))
        self.corrections.clear()
        self.assertEqual((len(self.corrections), [*self.corrections]), (0, []))
        self.corrections.keep(1, corrected({0: "z"}), HEADER)
        self.assertEqual(len(self.corrections), 1)

    def test_numbers_that_no_row_has(self):
        for number in (0, -1):
            with self.subTest(number), self.assertRaisesRegex(ValueError, "no number of a row"):
                self.corrections.keep(number, corrected({0: "z"}), HEADER)

    def test_columns_are_forgotten(self):
        self.corrections.keep(3, corrected({0: "a", 1: "b"}, whole=True), HEADER)
        self.corrections.keep(4, corrected({1: "b"}), HEADER)
        self.corrections.forget_columns({1})
        self.assertEqual([number for number, _ in self.corrections], [2, 5, 9])
        self.assertEqual(self.corrections.get(2).texts, {0: "x2"})

    def test_a_copy_is_the_same_and_apart(self):
        copy = self.corrections.copy()
        self.assertEqual((copy.digest(), copy.header), (self.corrections.digest(), HEADER))
        self.corrections.keep(5, corrected({0: "other"}), HEADER)
        self.assertNotEqual(copy.digest(), self.corrections.digest())
        self.assertEqual(copy.get(5).texts[0], "x5")

    def test_the_digest_tells_different_corrections_apart(self):
        self.assertEqual(Corrections().digest(), "")
        seen = {self.corrections.digest()}
        for number, correction in (
            (5, corrected({0: "x5", 1: "\ud800"})),
            (5, corrected({0: "x5", 1: "y"}, whole=True)),
            (5, corrected({0: "x5"})),
            (6, corrected({0: "x5", 1: "y"})),
        ):
            other = self.corrections.copy()
            other.keep(number, correction, HEADER)
            seen.add(other.digest())
        self.assertEqual(len(seen), 5)
        # What the file says is part of its own digest.
        other = self.corrections.copy()
        other.keep(5, corrected({0: "x5", 1: "y"}, old="other"), HEADER)
        self.assertIn(other.digest(), seen)

    def test_thousands_are_in_many_records(self):
        with closing(ZODB.DB(MappingStorage())) as db:
            connection = db.open()
            root = connection.root()
            root["corrections"] = self.corrections
            for number in range(1, 3000):
                self.corrections.keep(number, corrected({0: str(number)}), HEADER)
            transaction.commit()
            self.corrections.keep(1500, corrected({0: "other"}), HEADER)
            written = [obj for obj in connection._registered_objects if obj._p_changed]
            self.assertEqual(len(written), 1)
            self.assertNotIsInstance(written[0], (Corrections, IOBTree))
            self.assertLess(len(written[0]), 100)
            transaction.abort()
            connection.close()


def _cave(code, size):
    cave = grok.Model()
    cave.code, cave.size, cave.owner = code, size, "nobody"
    return cave
