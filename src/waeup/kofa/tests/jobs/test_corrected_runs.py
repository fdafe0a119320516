"""Checks and imports read rows as they are corrected in a draft."""

import os
from unittest import mock

from waeup.kofa.errors import (
    MappingError,
    NoSuchItem,
)
from waeup.kofa.jobs import recovery
from waeup.kofa.tests.jobs.checked import TABLE, MendingTestCase
from waeup.kofa.tests.jobs.lives import failing_at
from waeup.kofa.tests.jobs.test_runs import few_rows
from waeup.kofa.tests.spool.faultydisk import write


class Runs(MendingTestCase):
    """Checks and imports of corrected rows."""

    def test_an_import_reads_what_was_corrected(self):
        self.mend()
        run = self.imported()
        report = run.report
        self.assertEqual((report.total, report.created, report.failed), (7, 6, 1))
        self.assertEqual(report.corrected, 4)
        self.assertEqual(report.as_dict()["corrected"], 4)
        titles = {"FAC1": "One", "FAC2": "Two", "FAC3": "Three", "FAC4": "Four"}
        self.assertEqual(self.titles(), {**titles, "FAC5": "Five", "FAC6": "Six"})
        tree = self.portal.tree()
        finished = tree[report.finished].decode().splitlines()
        self.assertEqual(
            finished[2:], ["FAC2,Two", "FAC3,Three", "FAC4,Four", "FAC5,Five", "FAC6,Six"]
        )
        pending = tree[report.pending].decode()
        self.assertEqual(
            pending, "code,title,--ERRORS--\r\nFAC3,Seven,This object already exists.\r\n"
        )
        # The file stays as it was.
        self.assertEqual(tree["unfinished/data.csv"], TABLE.encode())
        listed = self.ask(lambda o: o.corrections(run.id))
        self.assertEqual(
            [(c.number, c.name, c.old, c.new) for c in listed],
            [
                (2, "code", "FAC 2", "FAC2"),
                (4, "code", "FAC 2", "FAC4"),
                (5, "code", "FAC5", "FAC5"),
                (5, "title", "Fi", "Five"),
                (6, "code", "FAC 6", "FAC6"),
                (6, "title", "XXX", "Six"),
            ],
        )
        self.assertEqual(
            [c.number for c in self.ask(lambda o: o.corrections(run.id, start=1, limit=2))],
            [4, 5, 5],
        )

    def test_the_results_are_those_of_a_file_that_was_edited(self):
        self.mend()
        corrected = self.imported()
        titles = self.titles()
        self.undone(corrected.id)
        rows = ["FAC1,One", "FAC2,Two", "FAC3,Three", "FAC4,Four", "FAC5,Five", "FAC6,Six"]
        self.put("edited.csv", "code,title", *rows, "FAC3,Seven")
        edited = self.done("edited.csv")
        self.assertEqual(self.titles(), titles)
        tree = self.portal.tree()
        for name in ("finished", "pending"):
            one, other = (tree[getattr(run.report, name)] for run in (corrected, edited))
            self.assertEqual(one, other)

    def test_failed_rows_keep_corrections_too(self):
        self.correct(2, {0: "FAC1"})
        self.correct(5, {0: "no code", 1: "Five"})
        run = self.imported()
        pending = self.portal.tree()[run.report.pending].decode()
        self.assertIn("FAC1,Two,This object already exists.\r\n", pending)
        self.assertIn('"no code","Five",', pending)
        self.assertNotIn("--RAW--", pending)
        self.assertEqual(run.report.corrected, 2)

    def test_a_row_that_is_emptied_is_passed_over(self):
        self.correct(7, {0: "", 1: ""})
        self.correct(5, {0: "", 1: ""})
        run = self.imported()
        self.assertEqual((run.report.total, run.report.failed, run.report.corrected), (5, 3, 0))

    def test_a_second_check_counts_and_keeps_what_is_corrected(self):
        self.mend()
        self.check = self.checked()
        report = self.info(self.check).report
        self.assertEqual((report.failed, report.corrected), (1, 4))
        (row,) = self.rows()
        self.assertEqual(row.number, 7)
        # A row that is sound by now can be corrected further.
        row = self.correct(2, {1: "Zwei"})
        self.assertEqual([cell.text for cell in row.cells], ["FAC 2", "Two"])
        self.assertEqual([cell.corrected for cell in row.cells], ["FAC2", "Zwei"])

    def test_the_import_must_be_that_of_the_check(self):
        self.mend()
        with self.assertRaisesRegex(MappingError, "its corrections, or what is to be"):
            self.ordered(check=self.check)
        check = self.checked()
        self.correct(2, {1: "Zwei"})
        with self.assertRaisesRegex(MappingError, "Check it again"):
            self.ordered(check=check)
        self.correct(2, {1: "Two"})
        run = self.imported(check=check)
        self.assertEqual((run.report.created, run.report.failed), (6, 1))

    def test_what_is_corrected_later_is_not_read_by_a_run(self):
        self.correct(2, {0: "FAC2"})
        id = self.ordered()
        self.correct(4, {0: "FAC4"})
        self.correct(2, {0: "OTHER"})
        self.portal.work_off(id)
        self.assertEqual(self.titles(), {"FAC1": "One", "FAC2": "Two", "FAC3": "Three"})
        self.assertEqual(len(self.ask(lambda o: o.corrections(id))), 1)

    def test_corrections_of_other_content_are_refused(self):
        self.mend()
        self.put("data.csv", "code,title", "FAC1,One")
        with self.assertRaisesRegex(MappingError, "not those of data.csv as it is now"):
            self.ask(
                lambda o: o.start_import(
                    "data.csv", self.processor, self.mode, self.mapping, draft=self.draft
                )
            )

    def test_a_run_that_goes_on_reads_the_same(self):
        self.mend()
        id = self.ordered()
        with few_rows(2), failing_at(2, OSError("the disk is full")):
            self.portal.work_off(id)
        self.assertEqual(self.info(id).state, "stopped")
        self.assertEqual(sorted(self.titles()), ["FAC1", "FAC2", "FAC3", "FAC4"])
        self.ask(lambda o: o.uncorrect(self.draft))
        self.ask(lambda o: o.drop_draft(self.draft))
        self.ask(lambda o: o.resume(id))
        with few_rows(2):
            self.portal.work_off(id)
        report = self.info(id).report
        self.assertEqual((report.created, report.failed, report.corrected), (6, 1, 4))
        self.assertEqual(len(self.titles()), 6)

    def test_they_go_with_the_record_of_the_run(self):
        self.mend()
        run = self.imported()
        with mock.patch.multiple(recovery, RUN_DAYS=-1, CHECK_DAYS=-1):
            self.ask(lambda o: o.recover())
        with self.assertRaises(NoSuchItem):
            self.ask(lambda o: o.corrections(run.id))

    def test_runs_without_corrections(self):
        run = self.imported()
        self.assertEqual(self.ask(lambda o: o.corrections(run.id)), [])
        self.assertEqual(run.report.corrected, 0)

    def test_update_upsert_and_remove(self):
        self.mend()
        self.imported()
        for mode, expected in (("update", 2), ("upsert", 2), ("remove", 2)):
            with self.subTest(mode):
                name = f"{mode}.csv"
                write(
                    os.path.join(self.portal.storage, name),
                    f"code,title\r\nFAC1,{mode}\r\nFAC 2,{mode}\r\n",
                )
                self.mode = mode
                self.begin(name)
                self.correct(2, {0: "FAC2"})
                report = self.imported(yes_remove=9, yes_change=9).report
                self.assertEqual((report.failed, report.corrected), (0, 1))
                self.assertEqual(report.updated + report.removed, expected)
