"""The run driver: database and files follow each other, whatever happens in between."""

import os
import threading
import unittest

import transaction
from transaction.interfaces import TransientError

from waeup.kofa import jobs
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import FatalCSVError, ItemBusy, NoSuchItem, StorageFault
from waeup.kofa.jobs import driver
from waeup.kofa.spool import claimed
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.portal import USER, Portal
from waeup.kofa.tests.spool.faultydisk import Kill, OneError, killed_at

TABLE = "code,title\r\nFAC1,One\r\nFAC 2,Two\r\nFAC3,Three\r\n"
FINISHED = "code,title\r\nFAC1,One\r\nFAC3,Three\r\n"


def order(name="data.csv", mode="create", columns=("code", "title")):
    """Return an order to import faculties."""
    return jobs.ImportOrder(name, "facultyprocessor", mode, Mapping(columns), USER)


class CountedCommits(Kill):
    """A commit of the database counts as one durable operation."""

    def __enter__(self):
        super().__enter__()
        self._commit = transaction.commit
        driver.transaction.commit = self._wrapped("commit", transaction.commit)
        return self

    def __exit__(self, *exc_info):
        driver.transaction.commit = self._commit
        super().__exit__(*exc_info)


class DriverTestCase(unittest.TestCase):
    """Has a portal with one file of faculties."""

    layer = FunctionalLayer

    def setUp(self):
        self.portal = Portal({"data.csv": TABLE})
        self.addCleanup(self.portal.close)
        self.portal.set_up()

    def run_import(self, *args, **kw):
        """Import on a database that is opened for it; return the report."""
        db = self.portal.open()
        try:
            return jobs.run_import(db, "/kofa", order(*args, **kw))
        finally:
            db.close()

    def recover(self):
        """Recover as a new process does."""
        db = self.portal.open()
        try:
            return jobs.recover(db, "/kofa")
        finally:
            db.close()

    def look(self, question):
        """Return what `question` says about the site."""
        db = self.portal.open()
        connection = db.open()
        try:
            return question(connection.root()["Application"]["kofa"])
        finally:
            transaction.abort()
            connection.close()
            db.close()

    def codes(self):
        """Return the codes of the faculties."""
        return self.look(lambda site: sorted(site["faculties"]))


class Runs(DriverTestCase):
    """Imports that are not disturbed."""

    def test_rows_files_ledger_and_report_agree(self):
        report = self.run_import()
        self.assertEqual((report.total, report.created, report.failed), (3, 2, 1))
        self.assertEqual(report.finished, "finished/data.create.finished.csv")
        self.assertEqual(report.pending, "data.create.pending.csv")
        self.assertEqual(self.codes(), ["FAC1", "FAC3"])
        tree = self.portal.tree()
        self.assertEqual(tree[report.finished], FINISHED.encode())
        self.assertEqual(tree["unfinished/data.csv"], TABLE.encode())
        self.assertEqual(
            sorted(name for name in tree if "/" not in name),
            ["data.create.pending.csv", "deleted", "finished", "unfinished"],
        )
        entry = self.look(lambda site: site["datacenter"].ledger.entry(report.pending))
        self.assertEqual((entry.owner, entry.original), (USER, "data.csv"))
        self.assertEqual(entry.size, len(tree[report.pending]))
        self.assertEqual(self.recover(), [])

    def test_the_log_names_the_officer(self):
        self.run_import()
        with open(os.path.join(self.portal.storage, "logs", "datacenter.log")) as stream:
            line = stream.read()
        self.assertIn(f" - INFO - {USER} - processed: ", line)
        self.assertIn("create mode, 3 lines (2 successful/ 1 failed)", line)

    def test_a_refused_table_changes_nothing(self):
        before = self.portal.tree()
        with self.assertRaises(FatalCSVError):
            self.run_import(columns=("--IGNORE--", "title"))
        self.assertEqual(self.portal.tree(), before)
        self.assertEqual(self.codes(), [])

    def test_a_file_that_is_gone_is_told(self):
        with self.assertRaises(NoSuchItem):
            self.run_import("other.csv")

    def test_a_file_that_somebody_imports_is_busy(self):
        hold, held = threading.Event(), threading.Event()

        def somebody():
            with claimed(os.path.join(self.portal.storage, "data.csv")):
                held.set()
                hold.wait(20)

        thread = threading.Thread(target=somebody)
        thread.start()
        held.wait(20)
        try:
            with self.assertRaises(ItemBusy):
                self.run_import()
        finally:
            hold.set()
            thread.join()

    def test_a_conflict_repeats_the_rows_and_logs_them_once(self):
        commit, calls = transaction.commit, []

        def conflicting():
            calls.append(1)
            if len(calls) == 1:
                raise TransientError("somebody was quicker")
            commit()

        driver.transaction.commit = conflicting
        try:
            report = self.run_import()
        finally:
            driver.transaction.commit = commit
        self.assertEqual((report.total, report.created), (3, 2))
        self.assertEqual(self.codes(), ["FAC1", "FAC3"])
        self.assertEqual(
            self.portal.tree()["finished/data.create.finished.csv"], FINISHED.encode()
        )
        with open(os.path.join(self.portal.storage, "logs", "datacenter.log")) as stream:
            self.assertEqual(stream.read().count("processed: "), 1)

    def test_lasting_conflicts_leave_everything_as_it_was(self):
        before = self.portal.tree()
        commit = transaction.commit

        def conflicting():
            raise TransientError("somebody is always quicker")

        driver.transaction.commit = conflicting
        try:
            with self.assertRaises(TransientError):
                self.run_import()
        finally:
            driver.transaction.commit = commit
        self.assertEqual(self.portal.tree(), before)
        self.assertEqual(self.codes(), [])


class Crashes(DriverTestCase):
    """The process is stopped at every durable operation in turn, a commit being one."""

    def check(self, where):
        """Recover; nothing or everything was done, and a repetition leads to the same end."""
        self.recover()
        self.assertEqual(self.recover(), [], where)
        tree = self.portal.tree()
        if "data.csv" in tree:
            self.assertEqual(self.codes(), [], where)
            self.run_import()
            tree = self.portal.tree()
        self.assertEqual(self.codes(), ["FAC1", "FAC3"], where)
        self.assertEqual(tree, self.expected, where)

    def setUp(self):
        super().setUp()
        self.run_import()
        self.expected = self.portal.tree()
        self.portal.set_up()

    def test_kill(self):
        number = 0
        while killed_at(number, self.run_import, CountedCommits):
            self.check(f"killed at {number}")
            self.portal.set_up()
            number += 1
        self.assertGreater(number, 20)

    def test_error_of_the_disk(self):
        number, through, told = 0, False, 0
        while not through:
            with OneError(number) as shim:
                try:
                    self.run_import()
                except StorageFault:
                    told += 1
                except OSError:
                    told += 1
                through = shim.count <= number
            self.check(f"error at {number}")
            self.portal.set_up()
            number += 1
        self.assertGreater(told, 10)
