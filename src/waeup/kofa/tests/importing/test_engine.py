"""The row engine: hooks, reasons, and rows that leave nothing half done."""

import collections
import csv
import io
import itertools
import os
import shutil
import tempfile
import unittest
from unittest import mock

import grok
import transaction
import ZODB
from transaction.interfaces import TransientError
from ZODB.MappingStorage import MappingStorage
from zope import interface, schema
from zope.schema.interfaces import ConstraintNotSatisfied, RequiredMissing

from waeup.kofa.errors import (
    DuplicationError,
    FatalCSVError,
    Fault,
    MappingError,
    StorageFault,
    TableError,
)
from waeup.kofa.importing import engine, rollback
from waeup.kofa.importing import report as reports
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.manner import Manner
from waeup.kofa.interfaces import IGNORE_MARKER, RAW_COLUMN


class ICave(interface.Interface):
    """A cave to live in."""

    code = schema.TextLine(title="Code")
    size = schema.Int(title="Size", required=False)
    owner = schema.TextLine(title="Owner", default="nobody")
    key = schema.Password(title="Key", required=False)


class CaveProcessor(ContainerProcessor):
    """Imports caves, and fails when a cell asks it to."""

    grok.baseclass()

    iface = ICave
    container = "caves"

    def updateEntry(self, obj, row, site, filename):
        """Change the object and another one, then fail."""
        changes = super().updateEntry(obj, row, site, filename)
        site["caves"].touched = getattr(site["caves"], "touched", 0) + 1
        self.maybe_fail(row)
        return changes

    def maybe_fail(self, row):
        """Raise what the owner of the cave calls for."""
        error = ERRORS.get(row.get("owner"))
        if error is not None:
            raise error


class LateProcessor(CaveProcessor):
    """Fails after the object was put into its place."""

    grok.baseclass()

    def addEntry(self, obj, row, site):
        """Add the object, then fail."""
        super().addEntry(obj, row, site)
        self.maybe_fail({"owner": f"late {row['owner']}"})


ERRORS = {
    "key": KeyError("no such thing"),
    "duplicate": DuplicationError("exists elsewhere"),
    "fatal": FatalCSVError("does not fit"),
    "constraint": ConstraintNotSatisfied("x"),
    "required": RequiredMissing("firstname"),
    "type": TypeError("wrong"),
    "silent": RuntimeError(),
    "conflict": TransientError("in the way"),
    "disk": OSError("full"),
    "fault": StorageFault("gone"),
    "late bad": ValueError("too late"),
}


class EngineTestCase(unittest.TestCase):
    """Has a folder for tables and a processor; `site` is set by subclasses."""

    processor = CaveProcessor()

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.site = self.make_site()
        self.site["caves"] = grok.Container()

    def make_site(self):
        """Return a site outside a database."""
        return grok.Container()

    def table(self, *lines):
        """Write a table and return its path."""
        path = os.path.join(self.folder, "caves.csv")
        with open(path, "w", newline="", encoding="utf-8") as stream:
            stream.write("".join(line + "\r\n" for line in lines))
        return path

    def do(self, *lines, mode="create", fields=None, processor=None, **kw):
        """Import a table; return (total, failed) and the lines of both result files."""
        path = self.table(*lines)
        fields = fields or lines[0].split(",")
        processor = processor or self.processor
        total, failed, finished, pending = processor.doImport(
            path, fields, mode, site=self.site, **kw
        )
        results = [_lines(finished), _lines(pending) if pending else None]
        shutil.rmtree(os.path.dirname(finished))
        return (total, failed), *results


def _lines(path):
    """Return the lines of a result file, in quotes only what needs them."""
    text = io.StringIO(newline="")
    with open(path, encoding="utf-8", newline="") as stream:
        csv.writer(text).writerows(csv.reader(stream))
    return text.getvalue().splitlines()


class CommonTests:
    """What holds with and without a database."""

    def test_rows_are_in_exactly_one_result_file(self):
        counts, finished, pending = self.do("code,size", "a,1", "b,x", "c,3")
        self.assertEqual(counts, (3, 1))
        self.assertEqual(finished, ["code,size", "a,1", "c,3"])
        self.assertEqual(
            pending,
            ["code,size,--ERRORS--", "b,x,size: Invalid integer data: 'x' is not a whole number."],
        )
        self.assertEqual(sorted(self.site["caves"]), ["a", "c"])

    def test_blank_rows_are_no_source_rows(self):
        counts, finished, _ = self.do("code,size", "a,1", "", ",", " , ", "b,2")
        self.assertEqual(counts, (2, 0))
        self.assertEqual(finished, ["code,size", "a,1", "b,2"])

    def test_blank_cells_leave_defaults_and_are_marked(self):
        _, finished, _ = self.do("code,owner", "a,")
        self.assertEqual(self.site["caves"]["a"].owner, "nobody")
        self.assertEqual(finished[1], f"a,{IGNORE_MARKER}")

    def test_deletion_marker_clears(self):
        self.do("code,size", "a,7")
        self.do("code,size", "a,XXX", mode="update")
        self.assertIsNone(self.site["caves"]["a"].size)

    def test_ignored_columns_are_in_no_result_file(self):
        _, finished, pending = self.do(
            "code,junk,size", "a,x,1", "b,y,z", fields=["code", "--IGNORE--", "size"]
        )
        self.assertEqual(finished[0], "code,size")
        self.assertEqual(pending[0], "code,size,--ERRORS--")

    def test_columns_beyond_the_given_fields_are_ignored(self):
        _, finished, _ = self.do("code,junk", "a,x", fields=["code"])
        self.assertEqual(finished, ["code", "a"])

    def test_constants_fill_all_rows_and_the_result_files(self):
        _, finished, _ = self.do("code", "a", "b", constants={"owner": "Lucy"})
        self.assertEqual(finished, ["code,owner", "a,Lucy", "b,Lucy"])
        self.assertEqual(self.site["caves"]["b"].owner, "Lucy")

    def test_constants_that_are_no_values_are_refused_before_the_first_row(self):
        with self.assertRaisesRegex(MappingError, "size: Invalid integer data"):
            self.do("code", "a", constants={"size": "big"})
        self.assertEqual(len(self.site["caves"]), 0)

    def test_texts_that_stand_for_others_are_replaced_in_both_result_files(self):
        values = (("owner", (("lu", "Lucy"), ("n/a", ""))), ("size", (("big", "9"),)))
        _, finished, pending = self.do(
            "code,size,owner", "a,big, lu ", "b,Big,lu", "c,1,n/a", values=values
        )
        self.assertEqual(finished, ["code,size,owner", "a,9,Lucy", f"c,1,{IGNORE_MARKER}"])
        self.assertEqual(pending[1][:11], "b,Big,Lucy,")
        cave = self.site["caves"]["a"]
        self.assertEqual((cave.size, cave.owner), (9, "Lucy"))
        self.assertEqual(self.site["caves"]["c"].owner, "nobody")

    def test_a_finished_file_with_replaced_texts_is_imported_again_by_itself(self):
        _, finished, _ = self.do("code,size", "a,big", values=(("size", (("big", "9"),)),))
        counts, *_ = self.do(*finished, mode="update")
        self.assertEqual(counts, (1, 0))

    def test_replacements_that_are_no_values_are_refused_before_the_first_row(self):
        for values, message in (
            ((("size", (("big", "huge"),)),), "size: 'huge': Invalid integer data"),
            ((("code", (("a", "XXX"),)),), "code: 'XXX': "),
            ((("key", (("k", "secret"),)),), "Texts of key cannot be replaced"),
        ):
            with self.subTest(message), self.assertRaisesRegex(MappingError, message):
                self.do("code,size,key", "a,1,k", values=values)
        self.assertEqual(len(self.site["caves"]), 0)

    def test_replacements_of_fields_that_are_not_filled_are_passed_over(self):
        counts, *_ = self.do("code", "a", values=(("size", (("big", "huge"),)),))
        self.assertEqual(counts, (1, 0))

    def test_missing_values_of_required_columns_are_reasons(self):
        counts, _, pending = self.do("code,size", ",1")
        self.assertEqual(counts, (1, 1))
        self.assertIn("code: Required value is missing.", pending[1])

    def test_update_tells_changed_from_unchanged(self):
        self.do("code,size", "a,1", "b,2")
        path = self.table("code,size", "a,1", "b,3")
        mapping = engine.conversion.Mapping(("code", "size"))
        report = CaveProcessor().importTable(
            path, mapping, "update", folder=self.folder, site=self.site
        )
        self.assertEqual((report.unchanged, report.updated), (1, 1))
        self.assertEqual(report.total, report.done)

    def test_messages_of_1_9(self):
        self.do("code", "a")
        cases = [
            ("create", "a", "This object already exists."),
            ("update", "zz", "Cannot update: no such entry"),
            ("remove", "zz", "Cannot remove: no such entry"),
        ]
        for mode, code, message in cases:
            with self.subTest(mode):
                _, _, pending = self.do("code", code, mode=mode)
                self.assertEqual(pending, ["code,--ERRORS--", f"{code},{message}"])
        del self.site["caves"]
        _, _, pending = self.do("code", "a")
        self.assertEqual(pending[1], "a,Not all parents do exist yet.")

    def test_remove_uses_the_location_only(self):
        self.do("code,size", "a,1", "b,2")
        counts, finished, _ = self.do("code,size", "a,nonsense", mode="remove")
        self.assertEqual(counts, (1, 0))
        self.assertEqual(finished, ["code", "a"])
        self.assertEqual(list(self.site["caves"]), ["b"])

    def test_exceptions_of_hooks_are_reasons(self):
        cases = {
            "key": "no such thing",
            "duplicate": "exists elsewhere",
            "fatal": "does not fit",
            "constraint": "ConstraintNotSatisfied: x",
            "required": "RequiredMissing: firstname",
            "type": (
                f"TypeError: wrong (the code {__name__}.CaveProcessor.updateEntry failed: "
                "tell its developer)"
            ),
            "silent": "RuntimeError",
        }
        for owner, reason in cases.items():
            with self.subTest(owner):
                _, _, pending = self.do("code,owner", f"a,{owner}")
                self.assertEqual(pending[1], f"a,{owner},{reason}")
                self.assertEqual(list(self.site["caves"]), [])

    def test_faults_stop_the_import_and_leave_no_result_files(self):
        # A folder for temporary files of its own: other processes have theirs in the common one.
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(tempfile, "tempdir", folder),
        ):
            for owner, error in (
                ("conflict", TransientError),
                ("disk", OSError),
                ("fault", StorageFault),
            ):
                with self.subTest(owner), self.assertRaises(error):
                    self.do("code,owner", f"a,{owner}")
            left = os.listdir(folder)
        self.assertEqual([name for name in left if name.startswith("kofa-import-")], [])

    def test_damaged_rows_are_pending_with_their_text(self):
        counts, finished, pending = self.do("code,size", "a,1", "b", "c,3,4", "d,4")
        self.assertEqual(counts, (4, 2))
        self.assertEqual(finished, ["code,size", "a,1", "d,4"])
        self.assertEqual(pending[0], f"code,size,--ERRORS--,{RAW_COLUMN}")
        self.assertTrue(pending[1].endswith(",b"), pending[1])
        self.assertTrue(pending[2].endswith(',"c,3,4"'), pending[2])

    def test_a_late_raw_text_adds_its_column_to_earlier_rows(self):
        _, _, pending = self.do("code,size", "a,x", "b,1,2")
        self.assertEqual(len(pending), 3)
        self.assertTrue(pending[0].endswith(RAW_COLUMN))
        self.assertTrue(pending[1].endswith(","))

    def test_damaged_rows_stay_pending_until_their_text_is_removed(self):
        header = f"code,size,--ERRORS--,{RAW_COLUMN}"
        fields = ["code", "size", "--IGNORE--", "--IGNORE--"]
        counts, _, pending = self.do(
            header, 'c,3,too many,"c,3,4"', ",,swallowed,xyz", fields=fields
        )
        self.assertEqual(counts, (2, 2))
        self.assertIn("correct them, then empty that column", pending[1])
        counts, _, _ = self.do(header, "c,34,too many,", fields=fields)
        self.assertEqual(counts, (1, 0))

    def test_passwords_are_in_no_result_file(self):
        _, finished, pending = self.do("code,key,size", "a,open sesame,1", "b,open sesame,x")
        self.assertNotIn("sesame", "".join(finished + pending))
        self.assertIn("$2b$", finished[1])
        self.assertIn("$2b$", pending[1])
        self.assertIn(self.site["caves"]["a"].key, finished[1])

    def test_headers_are_checked_before_the_first_row(self):
        with self.assertRaisesRegex(FatalCSVError, "Need at least columns 'code' for import!"):
            self.do("size", "1")
        with self.assertRaisesRegex(FatalCSVError, "Double headers"):
            self.do("code,size", "a,1", fields=["code", "code"])
        with self.assertRaises(TableError):
            self.do("code", fields=["code"])

    def test_progress_is_told(self):
        told = []
        path = self.table("code", "a", "b")
        CaveProcessor().importTable(
            path,
            engine.conversion.Mapping(("code",)),
            "create",
            folder=self.folder,
            site=self.site,
            progress=told.append,
        )
        self.assertEqual(told[-1], engine.Progress(2, 0, 1.0))

    def test_a_container_that_is_missing_is_made_however_often_rows_are_taken_back(self):
        class Deep(CaveProcessor):
            grok.baseclass()
            container = "deep/caves"
            container_factory = grok.Container

            def updateEntry(self, obj, row, site, filename):
                self.maybe_fail(row)
                return super(CaveProcessor, self).updateEntry(obj, row, site, filename)

        rows = [f"c{n},{'type' if n < 6 else 'me'}" for n in range(8)]
        counts, *_ = self.do("code,owner", *rows, processor=Deep())
        self.assertEqual((counts, list(self.site["deep"]["caves"])), ((8, 6), ["c6", "c7"]))
        with self.assertRaises(StorageFault):
            self.do("code,owner", "x,fault", processor=Deep())

    def test_nothing_is_made_where_nothing_can_be_put(self):
        class Deep(CaveProcessor):
            grok.baseclass()
            container = "deep"
            container_factory = grok.Container

        for mode in ("update", "remove"):
            counts, *_ = self.do("code", "a", processor=Deep(), mode=mode)
            self.assertEqual((counts, "deep" in self.site), ((1, 1), False))


class WithoutDatabase(CommonTests, EngineTestCase):
    """Objects that no connection knows."""

    def test_a_changed_object_gets_its_attributes_back(self):
        self.do("code,size,owner", "a,1,Lucy")
        counts, _, _ = self.do("code,size,owner", "a,2,type", mode="update")
        self.assertEqual(counts, (1, 1))
        cave = self.site["caves"]["a"]
        self.assertEqual((cave.size, cave.owner), (1, "Lucy"))

    def test_an_object_that_was_added_is_taken_out(self):
        counts, _, pending = self.do("code,owner", "a,bad", "b,good", processor=LateProcessor())
        self.assertEqual(counts, (2, 1))
        self.assertEqual(pending[1], "a,bad,too late")
        self.assertEqual(list(self.site["caves"]), ["b"])

    def test_the_object_of_another_row_is_left_alone(self):
        class Factory(CaveProcessor):
            grok.baseclass()
            made = 0

            def callFactory(self, *args, **kw):
                type(self).made += 1
                if self.made == 2:
                    raise ValueError("no more caves")
                return super().callFactory(*args, **kw)

        counts, finished, _ = self.do("code", "a", "b", "c", processor=Factory())
        self.assertEqual((counts, finished[1:]), ((3, 1), ["a", "c"]))
        self.assertEqual(sorted(self.site["caves"]), ["a", "c"])

    def test_a_removed_object_comes_back(self):
        class Remover(CaveProcessor):
            grok.baseclass()

            def delEntry(self, row, site):
                super().delEntry(row, site)
                raise ValueError("not that one")

        self.do("code,size", "a,1")
        counts, _, pending = self.do("code", "a", mode="remove", processor=Remover())
        self.assertEqual((counts, pending[1]), ((1, 1), "a,not that one"))
        self.assertEqual(self.site["caves"]["a"].size, 1)


class WithDatabase(CommonTests, EngineTestCase):
    """Objects of a ZODB, where savepoints take back whatever a hook did."""

    def make_site(self):
        db = ZODB.DB(MappingStorage())
        connection = db.open()
        self.addCleanup(db.close)
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        self.connection = connection
        site = connection.root()["site"] = grok.Container()
        transaction.commit()
        return site

    def test_the_transaction_stays_with_the_caller(self):
        transaction.commit()
        self.do("code", "a", "b")
        self.assertEqual(sorted(self.site["caves"]), ["a", "b"])
        transaction.abort()
        self.assertEqual(list(self.site["caves"]), [])

    def test_a_failed_row_leaves_nothing_half_done_anywhere(self):
        self.do("code,size,owner", "a,1,Lucy")
        self.assertEqual(self.site["caves"].touched, 1)
        lines = ["b,1,good", "a,2,type", "c,1,good", "d,1,key", "e,1,good"]
        counts, finished, _ = self.do("code,size,owner", *lines)
        self.assertEqual(counts, (5, 2))
        self.assertEqual([line[0] for line in finished[1:]], ["b", "c", "e"])
        self.assertEqual(self.site["caves"].touched, 4)
        self.assertEqual(sorted(self.site["caves"]), ["a", "b", "c", "e"])

    def test_many_failing_rows_in_one_batch(self):
        lines = [f"c{i:03},{'bad' if i % 3 == 0 else 'good'}" for i in range(60)]
        counts, finished, pending = self.do("code,owner", *lines, processor=LateProcessor())
        self.assertEqual(counts, (60, 20))
        self.assertEqual(len(self.site["caves"]), 40)
        self.assertEqual(self.site["caves"].touched, 40)
        self.assertEqual([line[:4] for line in pending[1:]], [f"c{i:03}" for i in range(0, 60, 3)])
        self.assertEqual(len(finished), 41)

    def test_rows_of_several_batches(self):
        total = engine.BATCH_ROWS * 2 + 5
        lines = [f"c{i:05},{'bad' if i % 700 == 1 else 'good'}" for i in range(total)]
        counts, finished, _ = self.do("code,owner", *lines, processor=LateProcessor())
        self.assertEqual(counts, (total, 3))
        self.assertEqual(len(self.site["caves"]), total - 3)
        self.assertEqual(len(finished), total - 3 + 1)
        transaction.commit()
        self.assertEqual(len(self.site["caves"]), total - 3)

    def marks_of(self, *lines, processor=None):
        """Import a table; return (total, failed) and the number of savepoints."""
        mark = rollback.Savepoints.mark
        with mock.patch.object(rollback.Savepoints, "mark", autospec=True, side_effect=mark) as m:
            counts, *_ = self.do("code,owner", *lines, processor=processor or LateProcessor())
        return counts, m.call_count

    def test_savepoints_are_as_few_as_memory_allows(self):
        def lines(letter):
            return [f"{letter}{i},good" for i in range(10)]

        with mock.patch.object(engine, "BATCH_ROWS", 2):
            self.assertEqual(self.marks_of(*lines("a")), ((10, 0), 1))
            with mock.patch.object(rollback, "MOST", 4):
                self.assertEqual(self.marks_of(*lines("b")), ((10, 0), 3))
            sizes = itertools.count(0, rollback.GROWTH + 1)
            emptied = mock.patch.object(self.connection, "cacheMinimize")
            with mock.patch.object(rollback, "_resident", lambda: next(sizes)), emptied as empty:
                self.assertEqual(self.marks_of(*lines("c")), ((10, 0), 5))
                self.assertEqual(empty.call_count, 4)
            with mock.patch.object(rollback, "open", side_effect=OSError, create=True):
                self.assertEqual(self.marks_of(*lines("d")), ((10, 0), 1))
        transaction.commit()
        self.assertEqual((len(self.site["caves"]), self.site["caves"].touched), (40, 40))

    def test_rows_of_former_batches_stay_when_one_fails(self):
        def lines(letter, *failing):
            return [f"{letter}{i},{'bad' if i in failing else 'good'}" for i in range(20)]

        caves = self.site["caves"]
        with (
            mock.patch.object(engine, "BATCH_ROWS", 2),
            mock.patch.object(rollback, "LEAST", 4),
            mock.patch.object(rollback, "MOST", 8),
        ):
            # At the beginning, behind the failed row and 4 others; then there are no more than 8.
            self.assertEqual(self.marks_of(*lines("a", 7)), ((20, 1), 3))
            self.assertEqual((len(caves), caves.touched), (19, 19))
            self.assertEqual(self.marks_of(*lines("b", 0, 5, 6, 7, 19)), ((20, 5), 7))
        self.assertEqual((len(caves), caves.touched), (34, 34))
        transaction.commit()
        self.assertEqual(len(caves), 34)

    def test_many_failing_rows_get_no_more_savepoints_than_they_are(self):
        lines = [f"c{i},{'bad' if i % 3 == 1 else 'good'}" for i in range(60)]
        self.assertEqual(self.marks_of(*lines), ((60, 20), 21))
        self.assertEqual(self.site["caves"].touched, 40)

    def test_a_hook_that_does_otherwise_the_second_time(self):
        del self.site["caves"]

        class Moody(LateProcessor):
            grok.baseclass()
            seen = collections.Counter()

            def addEntry(self, obj, row, site):
                super().addEntry(obj, row, site)
                self.seen[row["code"]] += 1
                if self.seen[row["code"]] in moods.get(row["owner"], ()):
                    raise ValueError("not now")

        moods = {"once": {2}, "from then on": {2, 3, 4}}
        lines = ["a,once", "b,from then on", "c,good", "d,bad", "e,good", "f,bad"]
        # What is told of a row of the batch is what became of it; of former ones it was told.
        for restart, rows, told, there in (
            (None, 1000, "ace", "ace"),
            (None, 3, "abce", "ace"),
            (transaction.abort, 1000, "ace", "ace"),
            (transaction.abort, 3, "abce", "abce"),
        ):
            with self.subTest(restart=restart, rows=rows):
                Moody.seen.clear()
                self.site["caves"] = caves = grok.Container()
                transaction.commit()
                found = self.outcomes(Moody(), rows, restart, lines)
                done = "".join(code for code, outcome in found if outcome == "created")
                self.assertEqual((done, "".join(sorted(caves))), (told, there))
                del self.site["caves"]

    def outcomes(self, processor, rows, restart, lines):
        """Apply a table in batches of so many rows; return first cell and outcome of each row."""
        path = self.table("code,owner", *lines)
        mapping = engine.conversion.Mapping(("code", "owner"))
        manner = Manner(restart=restart)
        rows_engine = engine.RowEngine(
            processor, path, mapping, "create", self.site, manner=manner
        )
        found = []
        with rows_engine.open() as source:
            while taken := source.take(rows):
                found += rows_engine.apply(taken)
                if restart is not None:
                    transaction.commit()
        return [(result.cells["code"], result.outcome) for result in found]

    def test_what_a_check_has_changed_before_it_failed_is_taken_back(self):
        class Checking(CaveProcessor):
            grok.baseclass()

            def checkCreateRequirements(self, parent, row, site):
                parent.note = row["code"]
                if row["code"] == "b":
                    raise ValueError("no")

        self.do("code", "a", "b", processor=Checking())
        self.assertEqual(self.site["caves"].note, "a")

    def test_a_data_manager_without_savepoints_is_a_fault(self):
        class Plain:
            transaction_manager = transaction.manager

            def sortKey(self):
                return "plain"

            def abort(self, txn):
                """Nothing to take back."""

            tpc_begin = commit = tpc_vote = tpc_finish = tpc_abort = abort

        transaction.get().join(Plain())
        with self.assertRaisesRegex(Fault, "knows no savepoints"):
            self.do("code,owner", "a,type")

    def test_reasons_are_counted_up_to_a_limit(self):
        with mock.patch.object(reports, "COUNTED_REASONS", 2):
            path = self.table("code,size", "a,x", ",1", "c,1,2", "d,z")
            mapping = engine.conversion.Mapping(("code", "size"))
            report = CaveProcessor().importTable(
                path, mapping, "create", folder=self.folder, site=self.site
            )
        self.assertEqual(
            report.reasons,
            (
                ("size: Invalid integer data: … is not a whole number.", 2),
                ("code: Required value is missing.", 1),
            ),
        )
        self.assertEqual((report.failed, report.unexplained), (4, 1))
