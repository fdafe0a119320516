"""The run driver: database and files follow each other, whatever happens in between."""

import gzip
import os
import threading
import unittest
from contextlib import closing
from dataclasses import replace
from unittest import mock

import transaction
from transaction.interfaces import TransientError

from waeup.kofa import jobs
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    FatalCSVError,
    ItemBusy,
    MappingError,
    NoSuchItem,
    StorageFault,
)
from waeup.kofa.importing import canonical
from waeup.kofa.jobs import driver
from waeup.kofa.spool import claimed
from waeup.kofa.spool.disk import digest_of
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.portal import USER, Portal
from waeup.kofa.tests.spool.faultydisk import Kill, OneError, killed_at, write

TABLE = "code,title\r\nFAC1,One\r\nFAC 2,Two\r\nFAC3,Three\r\n"
FINISHED = "code,title\r\nFAC1,One\r\nFAC3,Three\r\n"


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

    def order(self, name="data.csv", mode="create", columns=("code", "title")):
        """Return an order to import faculties from the file as it is now."""
        path = os.path.join(self.portal.storage, name)
        digest = digest_of(path) if os.path.exists(path) else ""
        return jobs.ImportOrder(name, digest, "facultyprocessor", mode, Mapping(columns), USER)

    def run_import(self, *args, progress=None, **kw):
        """Import on a database that is opened for it; return the report."""
        order = self.order(*args, **kw)
        with closing(self.portal.open()) as db:
            return jobs.run_import(db, "/kofa", order, progress)

    def recover(self):
        """Recover as a new process does."""
        with closing(self.portal.open()) as db:
            return jobs.recover(db, "/kofa")

    def look(self, question):
        """Return what `question` says about the site; what it changes is committed."""
        with closing(self.portal.open()) as db, closing(db.open()) as connection:
            try:
                answer = question(connection.root()["Application"]["kofa"])
                transaction.commit()
            finally:
                transaction.abort()
            return answer

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
            with self.assertRaisesRegex(ItemBusy, "after 3 attempts nothing was stored"):
                self.run_import()
        finally:
            driver.transaction.commit = commit
        self.assertEqual(self.portal.tree(), before)
        self.assertEqual(self.codes(), [])


class Disturbed(DriverTestCase):
    """What others do while an import runs, or before it was completed."""

    def fail_to_place(self):
        """Import, and let the disk fail after the commit."""

        def full(distribution):
            raise StorageFault("the disk is full")

        with (
            mock.patch.object(driver.results, "perform", full),
            self.assertRaisesRegex(StorageFault, "are in the database"),
        ):
            self.run_import()

    def test_a_file_that_was_changed_since_is_refused(self):
        order = self.order()
        write(os.path.join(self.portal.storage, "data.csv"), "title,code\r\nOne,FAC1\r\n")
        with (
            closing(self.portal.open()) as db,
            self.assertRaisesRegex(MappingError, "changed since its columns were mapped"),
        ):
            jobs.run_import(db, "/kofa", order)
        self.assertEqual(self.codes(), [])

    def test_a_file_that_is_replaced_meanwhile_is_not_put_away(self):
        path = os.path.join(self.portal.storage, "data.csv")

        def replace(progress):
            os.replace(write(path + ".new", "code,title\r\nNEW1,New\r\n"), path)

        with self.assertRaisesRegex(ItemBusy, "was replaced or removed while it was imported"):
            self.run_import(progress=replace)
        self.assertEqual(self.codes(), [])
        self.assertEqual(
            sorted(self.portal.tree()), ["data.csv", "deleted", "finished", "unfinished"]
        )

    def test_a_file_that_is_removed_meanwhile_is_told(self):
        path = os.path.join(self.portal.storage, "data.csv")
        with self.assertRaisesRegex(ItemBusy, "was replaced or removed"):
            self.run_import(progress=lambda _: os.unlink(path))
        self.assertEqual(self.codes(), [])

    def test_files_follow_a_storage_that_is_moved_meanwhile(self):
        place = os.path.join(self.portal.home, "elsewhere")
        os.mkdir(place)
        order, moved = self.order(), []

        def move(db):
            with closing(db.open()) as connection:
                center = connection.root()["Application"]["kofa"]["datacenter"]
                center.setStoragePath(place, move=True)
                transaction.commit()

        with closing(self.portal.open()) as db:

            def progress(_):
                if not moved:
                    moved.append(1)
                    thread = threading.Thread(target=move, args=(db,))
                    thread.start()
                    thread.join()

            jobs.run_import(db, "/kofa", order, progress)
        self.portal.storage = place
        self.assertEqual(self.codes(), ["FAC1", "FAC3"])
        tree = self.portal.tree()
        self.assertIn("data.create.pending.csv", tree)
        self.assertNotIn("data.csv", tree)

    def test_an_unfinished_import_is_completed_by_the_next(self):
        self.fail_to_place()
        self.assertIn("data.csv", self.portal.tree())
        with self.assertRaisesRegex(NoSuchItem, "has just been completed"):
            self.run_import()
        self.assertEqual(self.codes(), ["FAC1", "FAC3"])
        tree = self.portal.tree()
        self.assertIn("data.create.pending.csv", tree)
        self.assertNotIn(".work", tree)

    def test_a_source_that_was_removed_meanwhile_is_put_away_all_the_same(self):
        self.fail_to_place()
        os.unlink(os.path.join(self.portal.storage, "data.csv"))
        self.recover()
        self.assertEqual(self.portal.tree()["unfinished/data.csv"], TABLE.encode())
        self.assertEqual(self.recover(), [])

    def test_what_cannot_be_completed_stands_in_nobodys_way(self):
        self.fail_to_place()
        write(os.path.join(self.portal.storage, "unfinished", "data.csv"), "of somebody else")
        write(os.path.join(self.portal.storage, "other.csv"), "code,title\r\nOTH,Other\r\n")
        with self.assertLogs(driver.log, "ERROR"):
            self.assertEqual(self.recover(), [])
        with self.assertLogs(driver.log, "ERROR"):
            self.run_import("other.csv")
        self.assertEqual(self.codes(), ["FAC1", "FAC3", "OTH"])
        os.unlink(os.path.join(self.portal.storage, "unfinished", "data.csv"))
        self.assertEqual(len(self.recover()), 1)
        self.assertIn("data.create.pending.csv", self.portal.tree())

    def test_a_commit_that_fails_late_loses_nothing(self):
        commit = transaction.commit

        def late():
            commit()
            driver.transaction.commit = commit
            raise OSError("input/output error")

        driver.transaction.commit = late
        try:
            report = self.run_import()
        finally:
            driver.transaction.commit = commit
        self.assertEqual(report.created, 2)
        self.assertEqual(self.codes(), ["FAC1", "FAC3"])
        self.assertIn("data.create.pending.csv", self.portal.tree())

    def test_a_commit_that_fails_early_changes_nothing(self):
        def early():
            raise OSError("no space left")

        with (
            mock.patch.object(driver.transaction, "commit", early),
            self.assertRaisesRegex(StorageFault, "start the portal again"),
        ):
            self.run_import()
        self.assertEqual(self.codes(), [])
        self.recover()
        self.assertEqual(
            sorted(self.portal.tree()), ["data.csv", "deleted", "finished", "unfinished"]
        )
        self.assertEqual(self.run_import().created, 2)

    def test_imports_of_other_files_do_not_conflict(self):
        write(
            os.path.join(self.portal.storage, "other.csv"),
            "student_id,firstname,lastname,sex\r\nA1,Ann,Obi,f\r\n",
        )
        order, commits = self.order(), []
        other = jobs.ImportOrder(
            "other.csv",
            digest_of(os.path.join(self.portal.storage, "other.csv")),
            "studentprocessor",
            "create",
            Mapping(("student_id", "firstname", "lastname", "sex")),
            USER,
        )
        with closing(self.portal.open()) as db:

            def progress(_):
                commits.append(1)
                if len(commits) == 1:
                    jobs.run_import(db, "/kofa", other)

            jobs.run_import(db, "/kofa", order, progress)
        self.assertEqual(len(commits), 1)
        self.assertEqual(self.look(lambda site: list(site["students"])), ["A1"])

    def test_running_imports_are_told(self):
        told = []
        self.run_import(progress=lambda _: told.append(jobs.running()))
        self.assertEqual((told, jobs.running()), ([["data.csv"]], []))


class Crashes(DriverTestCase):
    """The process is stopped at every durable operation in turn, a commit being one."""

    name = "data.csv"

    def begin(self):
        """Make everything as it was."""
        self.portal.set_up()

    def do(self):
        """Import the file."""
        return self.run_import(self.name)

    def check(self, where):
        """Recover; nothing or everything was done, and a repetition leads to the same end."""
        self.recover()
        self.assertEqual(self.recover(), [], where)
        tree = self.portal.tree()
        if self.name in tree:
            self.assertEqual(self.codes(), [], where)
            self.do()
            tree = self.portal.tree()
        self.assertEqual(self.codes(), ["FAC1", "FAC3"], where)
        self.assertEqual(tree, self.expected, where)

    def setUp(self):
        super().setUp()
        self.begin()
        self.do()
        self.expected = self.portal.tree()
        self.begin()

    def test_kill(self):
        number = 0
        while killed_at(number, self.do, CountedCommits):
            self.check(f"killed at {number}")
            self.begin()
            number += 1
        self.assertGreater(number, 20)

    def test_error_of_the_disk(self):
        number, through, told = 0, False, 0
        while not through:
            with OneError(number) as shim:
                try:
                    self.do()
                except StorageFault:
                    told += 1
                except OSError:
                    told += 1
                through = shim.count <= number
            self.check(f"error at {number}")
            self.begin()
            number += 1
        self.assertGreater(told, 10)


class PackedCrashes(Crashes):
    """The same with a file that is unpacked first."""

    name = "packed.csv.gz"

    def begin(self):
        """Make everything as it was, and pack the file."""
        super().begin()
        os.unlink(os.path.join(self.portal.storage, "data.csv"))
        with open(os.path.join(self.portal.storage, self.name), "wb") as stream:
            stream.write(gzip.compress(TABLE.encode(), mtime=0))

    def test_a_table_that_was_made_before_is_used(self):
        order = self.order(self.name)
        wrong = replace(order, mapping=Mapping(("code", "nosuch")))
        with (
            mock.patch.object(canonical, "unpack", side_effect=canonical.unpack) as made,
            closing(self.portal.open()) as db,
        ):
            with self.assertRaises(FatalCSVError):
                jobs.run_import(db, "/kofa", wrong)
            jobs.run_import(db, "/kofa", order)
        self.assertEqual(made.call_count, 1)
        self.assertEqual(self.portal.tree(), self.expected)
