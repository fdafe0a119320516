"""Runs that nobody disturbs: what is ordered, what becomes of it, and what people see."""

import gzip
import os
import threading
import time
import unittest
from contextlib import closing, contextmanager
from datetime import timedelta
from unittest import mock

from ZODB.POSException import ConflictError
from zope.component import getGlobalSiteManager, getUtility, provideUtility
from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    ConfirmationNeeded,
    FatalCSVError,
    InvalidStoragePath,
    ItemBusy,
    MappingError,
    NoSuchItem,
    WrongState,
)
from waeup.kofa.i18n import english
from waeup.kofa.importing import canonical, rollback
from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.jobs import (
    EmbeddedEngine,
    IJobEngine,
    Order,
    Run,
    checks,
    distributing,
    doorbells,
    recovery,
    work_on,
    worker,
)
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.checks import do_check
from waeup.kofa.jobs.events import RunEndedEvent
from waeup.kofa.jobs.interfaces import IRunEndedEvent
from waeup.kofa.jobs.record import EDGES
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER, Portal
from waeup.kofa.tests.spool.faultydisk import write
from waeup.kofa.usual import UNDO_DAYS

TABLE = "code,title\r\nFAC1,One\r\nFAC 2,Two\r\nFAC3,Three\r\n"
FINISHED = "code,title\r\nFAC1,One\r\nFAC3,Three\r\n"
FACULTIES = Mapping(("code", "title"))
AT_REST = ["deleted", "finished", "unfinished"]


@contextmanager
def processor_of(cls):
    """Let an instance of `cls` be the processor of faculties."""
    registry = getGlobalSiteManager()
    former = getUtility(IBatchProcessor, name="facultyprocessor")
    registry.registerUtility(cls(), IBatchProcessor, "facultyprocessor")
    try:
        yield
    finally:
        registry.registerUtility(former, IBatchProcessor, "facultyprocessor")


class RunTestCase(unittest.TestCase):
    """Has a portal with a file of faculties, one of which is none."""

    layer = FunctionalLayer
    files = {"data.csv": TABLE}

    def setUp(self):
        self.portal = Portal(dict(self.files))
        self.addCleanup(self.portal.close)
        self.portal.set_up()
        self.ask = self.portal.operations

    def put(self, name, *lines):
        """Put a file into the storage."""
        write(os.path.join(self.portal.storage, name), "\r\n".join((*lines, "")))

    def order(self, name="data.csv", mode="create", user=USER, kind="import", **kw):
        """Order something about faculties; return its id."""

        def start(operations):
            begin = operations.start_check if kind == "check" else operations.start_import
            return begin(name, "facultyprocessor", mode, kw.pop("mapping", FACULTIES), **kw)

        return self.ask(start, user).id

    def done(self, *args, **kw):
        """Order something and have it done; return the run."""
        id = self.order(*args, **kw)
        self.portal.work_off(id)
        return self.info(id)

    def undone(self, id, *, check=False):
        """Take a run back; return the undo."""
        undo = self.ask(lambda operations: operations.start_undo(id, check=check)).id
        self.portal.work_off(undo)
        return self.info(undo)

    def info(self, id):
        """Return a run."""
        return self.ask(lambda operations: operations.run(id))

    def titles(self):
        """Return the titles of the faculties by code."""
        return self.portal.change(
            lambda site: {code: faculty.title for code, faculty in site["faculties"].items()}
        )

    def log(self):
        """Return the log of the data center."""
        with open(os.path.join(self.portal.storage, "logs", "datacenter.log")) as stream:
            return stream.read()


class Records(unittest.TestCase):
    """The state machine."""

    def run_in(self, state):
        run = Run(Order("import", "a.csv", "", "facultyprocessor", "create", USER), "university")
        run.state = state
        return run

    def test_every_edge_and_no_other(self):
        for state, following in EDGES.items():
            for other in EDGES:
                with self.subTest(state, to=other):
                    run = self.run_in(state)
                    if other in following:
                        run.move(other)
                        self.assertEqual(run.state, other)
                    else:
                        with self.assertRaisesRegex(WrongState, f"is {state}, thus it cannot be"):
                            run.move(other)
                        self.assertEqual(run.state, state)

    def test_every_state_can_be_reached(self):
        reached, new = set(), {"queued"}
        while new:
            reached |= new
            new = {other for state in new for other in EDGES[state]} - reached
        self.assertEqual(reached, set(EDGES))

    def test_times_follow_the_states(self):
        run = self.run_in("queued")
        run.move("running")
        self.assertIsNotNone(run.started)
        run.move("stopped")
        self.assertIsNotNone(run.ended)
        run.fault = "disk full"
        run.move("queued")
        self.assertEqual((run.ended, run.fault, run.is_cancelling), (None, "", False))

    def test_interfaces(self):
        self.assertTrue(verifyClass(IJobEngine, EmbeddedEngine))
        self.assertTrue(verifyObject(IJobEngine, EmbeddedEngine(None, SITE)))
        self.assertTrue(verifyObject(IRunEndedEvent, RunEndedEvent(self.run_in("finished"))))


class Imports(RunTestCase):
    """An import from the order to its files."""

    def test_rows_files_ledger_and_report_agree(self):
        run = self.done()
        report = run.report
        self.assertEqual((run.state, run.kind, run.owner), ("finished", "import", USER))
        self.assertEqual((report.total, report.created, report.failed), (3, 2, 1))
        self.assertEqual(report.finished, "finished/data.create.finished.csv")
        self.assertEqual(report.pending, "data.create.pending.csv")
        self.assertEqual((run.rows, run.failed, run.fraction), (3, 1, 1.0))
        self.assertEqual(self.titles(), {"FAC1": "One", "FAC3": "Three"})
        tree = self.portal.tree()
        self.assertEqual(tree[report.finished], FINISHED.encode())
        self.assertEqual(tree["unfinished/data.csv"], TABLE.encode())
        top = sorted(name for name in tree if "/" not in name)
        self.assertEqual(top, ["data.create.pending.csv", *AT_REST])
        entry = self.portal.change(lambda site: site["datacenter"].ledger.entry(report.pending))
        self.assertEqual((entry.owner, entry.original), (USER, "data.csv"))
        self.assertEqual(entry.size, len(tree[report.pending]))

    def test_an_order_alone_does_nothing(self):
        id = self.order()
        self.assertEqual((self.info(id).state, self.titles()), ("queued", {}))
        self.assertIn("data.csv", self.portal.tree())

    def test_the_log_names_the_officer_and_the_totals(self):
        self.done()
        self.assertIn(f" - INFO - {USER} - processed: ", self.log())
        self.assertIn("create mode, 3 lines (2 successful/ 1 failed)", self.log())

    def test_batches_are_many_and_results_are_one(self):
        rows = [f"F{number:03},Title {number}" for number in range(50)]
        self.put("many.csv", "code,title", *rows[:20], "no code,x", *rows[20:])
        with few_rows(4):
            run = self.done("many.csv")
        self.assertEqual((run.report.created, run.report.failed), (50, 1))
        batches = self.portal.change(lambda site: site["datacenter"].runs.get(run.id).undo.keys())
        self.assertGreater(len(list(batches)), 10)
        finished = self.portal.tree()[run.report.finished].decode()
        self.assertEqual(finished.split("\r\n"), ["code,title", *rows, ""])

    def test_a_table_of_which_all_rows_fail_has_an_empty_finished_file(self):
        self.put("bad.csv", "code,title", "no code,x", "no code,y")
        run = self.done("bad.csv")
        self.assertEqual((run.state, run.report.failed), ("finished", 2))
        self.assertEqual(self.portal.tree()[run.report.finished], b"code,title\r\n")

    def test_a_packed_file_is_unpacked_once(self):
        path = os.path.join(self.portal.storage, "packed.csv.gz")
        with open(path, "wb") as stream:
            stream.write(gzip.compress(TABLE.encode(), mtime=0))
        with mock.patch.object(canonical, "unpack", side_effect=canonical.unpack) as made:
            run = self.done("packed.csv.gz")
        self.assertEqual((run.report.created, made.call_count), (2, 1))
        self.assertNotIn(".work", self.portal.tree())

    def test_a_pending_file_goes_on_where_it_was(self):
        first = self.done()
        self.put(first.report.pending, "code,title", "FAC2,Two")
        second = self.done(first.report.pending)
        self.assertEqual(second.report.finished, first.report.finished)
        self.assertIn("finished/data.csv", self.portal.tree())
        self.assertEqual(sorted(self.titles()), ["FAC1", "FAC2", "FAC3"])

    def test_a_refused_table_frees_the_file(self):
        with self.assertRaises(FatalCSVError):
            self.order(mapping=Mapping((None, "title")))
        id = self.order()
        with mock.patch(
            "waeup.kofa.jobs.imports.RowEngine", side_effect=FatalCSVError("does not fit")
        ):
            self.portal.work_off(id)
        run = self.info(id)
        self.assertEqual((run.state, run.fault, run.actions), ("cancelled", "does not fit", ()))
        self.assertEqual(self.done().state, "finished")

    def test_a_processor_with_its_own_doImport_is_one_batch(self):
        processor = getUtility(IBatchProcessor, name="facultyprocessor")

        class Own(type(processor)):
            def doImport(self, *args, **kw):
                return super().doImport(*args, **kw)

        with processor_of(Own):
            run = self.done()
            undo = self.info(run.id).actions
        self.assertEqual((run.report.created, run.report.failed), (2, 1))
        self.assertEqual((self.portal.tree()[run.report.finished], undo), (FINISHED.encode(), ()))

    def test_old_digests_are_refused(self):
        with self.assertRaisesRegex(MappingError, "changed since its columns were mapped"):
            self.order(digest="0" * 64)
        id = self.order()
        self.put("data.csv", "title,code", "One,FAC1")
        self.portal.work_off(id)
        self.assertIn("changed since its columns were mapped", self.info(id).fault)
        self.assertEqual((self.info(id).state, self.titles()), ("cancelled", {}))


class Modes(RunTestCase):
    """Update, remove, upsert, and objects that are left alone."""

    files = {"data.csv": "code,title\r\nFAC1,One\r\nFAC2,Two\r\n"}

    def setUp(self):
        super().setUp()
        self.done()
        self.put("more.csv", "code,title", "FAC1,Uno", "FAC2,Two", "NEW,New", "no code,x")

    def test_upsert_updates_what_exists_and_creates_what_does_not(self):
        run = self.done("more.csv", "upsert")
        report = run.report
        self.assertEqual(
            (report.created, report.updated, report.unchanged, report.failed), (1, 1, 1, 1)
        )
        self.assertEqual(report.finished, "finished/more.upsert.finished.csv")
        self.assertEqual(self.titles(), {"FAC1": "Uno", "FAC2": "Two", "NEW": "New"})

    def test_upsert_misses_what_a_new_object_needs(self):
        self.put("one.csv", "student_id,firstname,lastname,sex", "S1,Ann,Obi,f")
        self.put("two.csv", "student_id,firstname", "S1,Anna", "S2,Ben")
        for name, fields in (
            ("one.csv", ("student_id", "firstname", "lastname", "sex")),
            ("two.csv", ("student_id", "firstname")),
        ):
            mapping = Mapping(fields)
            run = self.ask(
                lambda o, n=name, m=mapping: o.start_import(n, "studentprocessor", "upsert", m)
            )
            self.portal.work_off(run.id)
        report = self.info(run.id).report
        self.assertEqual((report.updated, report.failed), (1, 1))
        self.assertEqual(
            report.reasons,
            (("lastname: Required value is missing.; sex: Required value is missing.", 1),),
        )

    def test_skip_unchanged_does_not_touch_what_is_equal(self):
        processor = type(getUtility(IBatchProcessor, name="facultyprocessor"))
        with mock.patch.object(
            processor, "updateEntry", autospec=True, side_effect=processor.updateEntry
        ) as touched:
            run = self.done("more.csv", "update", skip_unchanged=True)
        self.assertEqual((run.report.updated, run.report.unchanged), (1, 1))
        self.assertEqual(touched.call_count, 1)

    def test_many_removals_must_be_confirmed(self):
        codes = [f"F{number:03}" for number in range(30)]
        self.put("make.csv", "code,title", *(f"{code},x" for code in codes))
        self.done("make.csv")
        self.put("gone.csv", "code,title", *(f"{code},x" for code in codes[:20]))
        with self.assertRaisesRegex(ConfirmationNeeded, "could remove 20 of 32 objects") as caught:
            self.order("gone.csv", "remove")
        self.assertEqual((caught.exception.removed, caught.exception.changed), (20, 0))
        check = self.done("gone.csv", "remove", kind="check")
        with self.assertRaisesRegex(ConfirmationNeeded, "would remove 20 of 32 objects"):
            self.order("gone.csv", "remove", check=check.id)
        with self.assertRaises(ConfirmationNeeded):
            self.order("gone.csv", "remove", yes_remove=19)
        run = self.done("gone.csv", "remove", yes_remove=20)
        self.assertEqual(run.report.removed, 20)

    def test_many_changes_must_be_confirmed_and_the_share_is_configured(self):
        codes = [f"F{number:03}" for number in range(30)]
        self.put("make.csv", "code,title", *(f"{code},x" for code in codes))
        self.done("make.csv")
        self.put("new.csv", "code,title", *(f"{code},y" for code in codes[:20]))
        with self.assertRaisesRegex(ConfirmationNeeded, "could change 20 of 32 objects"):
            self.order("new.csv", "update")
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["change_share"] = 0.7
        self.addCleanup(config.pop, "change_share")
        self.assertEqual(self.done("new.csv", "update").report.updated, 20)


class Checks(RunTestCase):
    """A check tells what an import would do, and leaves no trace."""

    def rows(self, id, **kw):
        return self.ask(lambda operations: operations.check_rows(id, **kw))

    def test_it_tells_each_row_and_changes_nothing(self):
        before = self.portal.tree()
        log = os.path.join(self.portal.storage, "logs", "main.log")
        length = os.path.getsize(log) if os.path.exists(log) else 0
        check = self.done(kind="check")
        self.assertEqual(
            (check.state, check.report.created, check.report.failed), ("finished", 2, 1)
        )
        self.assertEqual(self.titles(), {})
        tree = {name: text for name, text in self.portal.tree().items() if ".work" not in name}
        self.assertEqual(tree, before)
        self.assertEqual(os.path.getsize(log) if os.path.exists(log) else 0, length)
        first, second, _third = self.rows(check.id)
        self.assertEqual((first.number, first.line, first.outcome), (1, 2, "created"))
        self.assertEqual(first.changes, (("code", None, "FAC1"), ("title", None, "One")))
        self.assertEqual((second.outcome, second.errors[0][0]), ("failed", "code"))
        self.assertEqual([row.number for row in self.rows(check.id, notable=True)], [2])
        self.assertEqual([row.number for row in self.rows(check.id, outcome="created")], [1, 3])
        self.assertEqual([row.number for row in self.rows(check.id, start=1, limit=1)], [2])

    def test_old_and_new_values_of_an_update(self):
        self.done()
        self.put("more.csv", "code,title", "FAC1,Uno", "FAC3,Three", "NO,x")
        check = self.done("more.csv", "update", kind="check")
        changed, same, missing = self.rows(check.id)
        self.assertEqual(
            (changed.outcome, changed.changes), ("updated", (("title", "One", "Uno"),))
        )
        self.assertEqual((same.outcome, same.changes), ("unchanged", ()))
        self.assertEqual(
            (missing.outcome, missing.reason), ("failed", "Cannot update: no such entry")
        )
        self.assertEqual(self.titles()["FAC1"], "One")

    def test_rows_that_mean_the_same_object_name_each_other(self):
        self.put("twice.csv", "code,title", "AAA,a", "BBB,b", "AAA,c", "AAA,d")
        check = self.done("twice.csv", kind="check")
        self.assertEqual(check.report.duplicates, 2)
        self.assertEqual([row.same_as for row in self.rows(check.id)], [None, None, 1, 1])
        self.assertEqual(self.rows(check.id)[2].reason, "This object already exists.")

    def test_rows_below_objects_of_earlier_rows_are_told(self):
        processor = getUtility(IBatchProcessor, name="facultyprocessor")

        class Nested(type(processor)):
            """Calls the faculty whose code is the title of another one its parent."""

            def getParent(self, row, site):
                return site["faculties"].get(row["title"], site["faculties"])

            def addEntry(self, obj, row, site):
                site["faculties"][row["code"]] = obj

            def getEntry(self, row, site):
                return site["faculties"].get(row["code"])

        self.put("nested.csv", "code,title", "AAA,top", "BBB,AAA", "CCC,top")
        with processor_of(Nested):
            check = self.done("nested.csv", kind="check")
        self.assertEqual((check.report.under_new, check.report.failed), (1, 0))
        self.assertEqual([row.is_under_new for row in self.rows(check.id)], [False, True, False])

    def test_rows_are_told_alike_wherever_savepoints_are(self):
        class Late(type(getUtility(IBatchProcessor, name="facultyprocessor"))):
            """Fails for some when they are in their place."""

            def addEntry(self, obj, row, site):
                super().addEntry(obj, row, site)
                if row["title"] == "late":
                    raise ValueError("too late")

        codes = ["AAA", "BBB", "AAA", "CCC", "DDD", "CC C", "BBB", "EEE", "CCC", "FFF", "DDD"]
        lines = [f"{code},{'late' if code in ('CCC', 'FFF') else 'x'}" for code in codes]
        lines += ["CCC,now", "EEE,again", "GGG,late", "GGG,late", "AAA,x", "GGG,g", "HHH,h"]
        self.put("late.csv", "code,title", *lines)
        told = []
        for rows, most in ((1000, 10_000), (1, 10_000), (1, 1), (2, 3), (3, 5)):
            with (
                mock.patch.object(checks, "BATCH_ROWS", rows),
                mock.patch.multiple(rollback, MOST=most, LEAST=1),
                processor_of(Late),
            ):
                check = self.done("late.csv", kind="check")
            report = {**check.report.as_dict(), "seconds": 0}
            told.append((report, self.rows(check.id)))
            self.assertEqual(told[-1], told[0])
            self.assertEqual(self.titles(), {})
        with processor_of(Late):
            run = self.done("late.csv", check=check.id)
        outcomes = (run.report.created, run.report.failed, run.report.reasons)
        report = check.report
        self.assertEqual(outcomes, (report.created, report.failed, report.reasons))
        self.assertEqual((report.created, report.duplicates), (7, 9))

    def test_a_run_keeps_to_its_check(self):
        self.done()
        self.put("more.csv", "code,title", "FAC1,Uno", "FAC3,Tres", "NEW,New")
        check = self.done("more.csv", "upsert", kind="check")
        # Meanwhile somebody changes one object and makes another one.
        self.put("other.csv", "code,title", "FAC1,Other", "NEW,Newer")
        self.done("other.csv", "upsert", user=OTHER)
        run = self.done("more.csv", "upsert", check=check.id)
        self.assertEqual((run.report.updated, run.report.failed), (1, 2))
        pending = self.portal.tree()[run.report.pending].decode()
        self.assertIn("changed since the check: then it would have been updated, now", pending)
        self.assertIn("would have been created, now it would be updated", pending)
        self.assertEqual(self.titles(), {"FAC1": "Other", "FAC3": "Tres", "NEW": "Newer"})

    def test_who_wakes_up_too_late_leaves_the_rows_as_they_are(self):
        id = self.order(kind="check")

        def late(job):
            if job.claim.token == 1:
                in_own_thread(lambda: work_on(db, SITE, id, "other", is_dead=lambda holder: True))
            do_check(job)

        with (
            closing(self.portal.open()) as db,
            mock.patch.object(worker, "do_check", late),
            self.assertLogs(worker.log),
        ):
            self.portal.work_off(id, db)
        self.assertEqual(self.info(id).state, "finished")
        self.assertEqual([row.number for row in self.rows(id)], [1, 2, 3])

    def test_a_check_of_something_else_is_refused(self):
        check = self.done(kind="check")
        with self.assertRaisesRegex(MappingError, "Check it again"):
            self.order(mode="upsert", check=check.id)
        run = self.done(check=check.id)
        self.assertEqual(run.report.created, 2)
        self.assertNotIn(".work", self.portal.tree())

    def test_a_secret_is_told_to_nobody(self):
        self.put("users.csv", "name,title,password", "carla,Carla,top secret 1")
        fields = Mapping(("name", "title", "password"))
        id = self.ask(lambda o: o.start_check("users.csv", "userprocessor", "create", fields)).id
        self.portal.work_off(id)
        (row,) = self.rows(id)
        self.assertIn(("password", None, "***"), row.changes)
        tree = self.portal.tree()
        (kept,) = [text for name, text in tree.items() if name.endswith("checked.sqlite")]
        self.assertNotIn(b"top secret", kept)
        self.assertNotIn(b"$2b$", kept)

    def test_deleting_the_file_deletes_its_check(self):
        check = self.done(kind="check")
        self.ask(lambda operations: operations.delete(["data.csv"]))
        self.assertNotIn(".work", self.portal.tree())
        with self.assertRaisesRegex(NoSuchItem, "Check the file again"):
            self.rows(check.id)


class Interrupted(RunTestCase):
    """Has a way to cancel a run in the middle."""

    def cancel_at(self, rows, id):
        """Work on a run, which somebody cancels when so many rows are done."""
        with closing(self.portal.open()) as db:

            def take(source, number):
                if source.taken == rows:
                    self.ask(lambda operations: operations.cancel(id), db=db)
                return real(source, number)

            real = SourceRows.take
            with mock.patch.object(SourceRows, "take", take), few_rows(2):
                self.portal.work_off(id, db)


class Queueing(Interrupted):
    """Who comes when: files, scopes, cancel and resume."""

    def test_a_file_belongs_to_one_run(self):
        id = self.order()
        with self.assertRaisesRegex(WrongState, f"that {USER} has ordered at .* is queued"):
            self.order(user=OTHER)
        with self.assertRaisesRegex(WrongState, "belongs to the import"):
            self.ask(lambda operations: operations.delete(["data.csv"]))
        self.assertEqual(self.ask(lambda operations: operations.run_of("data.csv")).id, id)
        self.assertEqual(self.done(kind="check").state, "finished")

    def test_runs_of_one_scope_queue_and_others_go_on(self):
        first = self.order()
        self.put("other.csv", "code,title", "OTH,Other")
        self.put("people.csv", "student_id,firstname,lastname,sex", "A1,Ann,Obi,f")
        second = self.order("other.csv")
        fields = Mapping(("student_id", "firstname", "lastname", "sex"))
        third = self.ask(
            lambda o: o.start_import("people.csv", "studentprocessor", "create", fields)
        )
        self.assertEqual(english(self.info(second).waits_for), "import of data.csv")
        self.assertEqual(third.waits_for, "")
        # Whoever wants the second gets the first done before.
        self.portal.work_off(second)
        self.assertEqual([self.info(id).state for id in (first, second)], ["finished"] * 2)
        self.assertEqual(self.info(third.id).state, "queued")

    def test_a_queued_run_is_cancelled_at_once_and_frees_its_file(self):
        id = self.order()
        run = self.ask(lambda operations: operations.cancel(id))
        self.assertEqual((run.state, run.actions), ("cancelled", ()))
        with self.assertRaises(WrongState):
            self.ask(lambda operations: operations.resume(id))
        self.assertEqual(self.done().report.created, 2)

    def test_cancel_stops_at_the_next_batch_and_resume_goes_on(self):
        rows = [f"F{number:03},Title {number}" for number in range(20)]
        self.put("many.csv", "code,title", *rows)
        id = self.order("many.csv")
        self.cancel_at(8, id)
        run = self.info(id)
        self.assertEqual((run.state, run.rows), ("cancelled", 8))
        self.assertEqual(run.actions, ("resume", "undo"))
        self.assertEqual(len(self.titles()), 8)
        with self.assertRaisesRegex(WrongState, "is cancelled. Let it go on, or take it back"):
            self.order("many.csv")
        self.ask(lambda operations: operations.resume(id))
        self.portal.work_off(id)
        run = self.info(id)
        self.assertEqual((run.state, run.report.total, run.report.created), ("finished", 20, 20))
        finished = self.portal.tree()[run.report.finished].decode()
        self.assertEqual(finished.split("\r\n")[1:-1], rows)

    def test_a_cancelled_run_can_be_taken_back(self):
        rows = [f"F{number:03},Title {number}" for number in range(10)]
        self.put("many.csv", "code,title", *rows)
        id = self.order("many.csv")
        self.cancel_at(4, id)
        undo = self.undone(id)
        self.assertEqual((undo.state, undo.report.removed), ("finished", 4))
        self.assertEqual((self.info(id).state, self.titles()), ("undone", {}))
        self.assertNotIn(".work", self.portal.tree())
        self.assertEqual(self.done("many.csv").report.created, 10)

    def test_a_run_whose_file_is_lost_can_be_given_up(self):
        self.put("many.csv", "code,title", *(f"F{number:03},x" for number in range(10)))
        id = self.order("many.csv")
        with self.assertRaisesRegex(WrongState, "Cancel it first"):
            self.ask(lambda operations: operations.give_up(id))
        self.cancel_at(4, id)
        os.unlink(os.path.join(self.portal.storage, "many.csv"))
        run = self.ask(lambda operations: operations.give_up(id))
        self.assertEqual((run.state, run.actions), ("cancelled", ("undo",)))
        self.assertNotIn(".work", self.portal.tree())
        self.put("many.csv", "code,title", "NEW,New")
        self.assertEqual(self.done("many.csv").report.created, 1)
        self.assertEqual(self.undone(id).report.removed, 4)
        self.assertEqual(list(self.titles()), ["NEW"])

    def test_a_run_of_which_all_rows_failed_can_be_taken_back(self):
        self.put("bad.csv", "code,title", *(f"no code {number},x" for number in range(10)))
        id = self.order("bad.csv")
        self.cancel_at(4, id)
        self.assertEqual(self.info(id).actions, ("resume", "undo"))
        self.assertEqual(self.undone(id).report.total, 0)
        self.assertEqual(self.done("bad.csv").report.failed, 10)

    def test_a_storage_with_rows_under_way_is_not_moved(self):
        self.order()
        place = os.path.join(self.portal.home, "elsewhere")
        os.mkdir(place)
        with self.assertRaisesRegex(ItemBusy, "is queued, and has rows in"):
            self.ask(lambda operations: operations.set_storage_path(place))

    def test_a_storage_is_not_moved_while_a_run_begins(self):
        # So many that the tree of active runs has more than one bucket.
        for number in range(40):
            self.put(f"f{number}.csv", "code,title", f"F{number:03},x")
        ids = [self.order(f"f{number}.csv") for number in range(40)]
        for id in ids:
            self.ask(lambda operations, id=id: operations.cancel(id))
        place = os.path.join(self.portal.home, "elsewhere")
        os.mkdir(place)
        with closing(self.portal.open()) as db:

            def move(site):
                site["datacenter"].setStoragePath(place)
                self.ask(
                    lambda o: o.start_import("data.csv", "facultyprocessor", "create", FACULTIES),
                    db=db,
                )

            with self.assertRaises(ConflictError):
                self.portal.change(move, db)

    def test_a_lost_storage_gives_its_runs_up(self):
        id = self.order()
        place = os.path.join(self.portal.home, "elsewhere")
        os.mkdir(place)
        os.rename(self.portal.storage, self.portal.storage + ".lost")
        self.ask(lambda operations: operations.set_storage_path(place))
        run = self.info(id)
        self.assertEqual((run.state, run.actions), ("cancelled", ()))
        self.assertIn("storage was lost", run.fault)
        self.assertRaises(
            InvalidStoragePath, self.ask, lambda operations: operations.set_storage_path("")
        )


class Engines(RunTestCase):
    """Threads of the portal work on what is ordered."""

    def setUp(self):
        super().setUp()
        self.db = self.portal.open()
        self.addCleanup(self.db.close)

    def wait_for(self, *ids):
        """Wait until runs are over; return their states."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            infos = [
                self.ask(lambda operations, id=id: operations.run(id), db=self.db) for id in ids
            ]
            if not any(info.is_active for info in infos):
                return [info.state for info in infos]
            time.sleep(0.05)
        raise AssertionError("the runs did not end")

    def order_here(self, name, processor="facultyprocessor", fields=("code", "title")):
        mapping = Mapping(fields)
        return self.ask(
            lambda o: o.start_import(name, processor, "create", mapping), db=self.db
        ).id

    def test_a_bell_is_rung_by_the_commit(self):
        never = mock.patch.object(doorbells, "SWEEP", 3600.0)
        with never, EmbeddedEngine(self.db, SITE) as engine:
            provideUtility(engine, IJobEngine)
            self.addCleanup(getGlobalSiteManager().unregisterUtility, engine, IJobEngine)
            id = self.order_here("data.csv")
            self.assertEqual(self.wait_for(id), ["finished"])

    def test_without_a_bell_runs_are_found_by_looking(self):
        self.put("people.csv", "student_id,firstname,lastname,sex", "A1,Ann,Obi,f")
        first = self.order_here("data.csv")
        fields = ("student_id", "firstname", "lastname", "sex")
        second = self.order_here("people.csv", "studentprocessor", fields)
        with EmbeddedEngine(self.db, SITE):
            self.assertEqual(self.wait_for(first, second), ["finished", "finished"])

    def test_who_stops_leaves_the_run_for_the_next_one(self):
        self.put("many.csv", "code,title", *(f"F{number:03},x" for number in range(40)))
        id = self.order_here("many.csv")
        engine = EmbeddedEngine(self.db, SITE)
        real = SourceRows.take

        def take(source, number):
            if source.taken == 10:
                reached.set()
                engine._stopping.wait(20)
            return real(source, number)

        reached = threading.Event()
        with few_rows(2), mock.patch.object(SourceRows, "take", take):
            engine.start()
            reached.wait(20)
            engine.stop()
        info = self.ask(lambda operations: operations.run(id), db=self.db)
        self.assertEqual((info.state, info.rows), ("running", 10))
        with EmbeddedEngine(self.db, SITE):
            self.assertEqual(self.wait_for(id), ["finished"])
        self.assertEqual(len(self.titles_here()), 40)

    def titles_here(self):
        return self.portal.change(lambda site: list(site["faculties"]), self.db)


class Recoveries(Interrupted):
    """Database and storage are compared; what is safe is repaired, once."""

    def recover(self, **kw):
        return self.ask(lambda operations: operations.recover(**kw))

    def test_in_order(self):
        self.done()
        self.assertEqual(self.recover(), [])
        self.assertEqual(self.recover(verify=True), [])

    def test_a_file_that_is_gone_is_struck_off_once(self):
        run = self.done()
        os.unlink(os.path.join(self.portal.storage, run.report.pending))
        (found,) = self.recover()
        self.assertEqual((found.code, found.repaired), ("missing", True))
        self.assertEqual(self.recover(), [])

    def test_a_file_that_a_run_holds_stays_on_the_books(self):
        run = self.done()
        id = self.order(run.report.pending, mapping=Mapping(("code", "title", None)))
        os.unlink(os.path.join(self.portal.storage, run.report.pending))
        found = self.recover()
        self.assertEqual([(each.code, each.repaired) for each in found], [("missing", False)])
        self.assertIn(id, found[0].text)
        self.assertEqual(self.recover(), found)

    def test_a_changed_file_is_told_with_the_choices(self):
        run = self.done()
        path = os.path.join(self.portal.storage, run.report.pending)
        with open(path, "rb") as stream:
            content = stream.read()
        with open(path, "wb") as stream:
            stream.write(content.replace(b"Two", b"Owt"))
        self.assertEqual(self.recover(), [])
        (found,) = self.recover(verify=True)
        self.assertEqual((found.code, found.repaired), ("changed", False))
        self.assertIn("Bring the former content back, or delete the file", found.text)

    def test_files_that_were_put_there_by_other_means_are_adopted_once(self):
        (found,) = self.recover()
        self.assertEqual((found.code, found.repaired), ("orphan", True))
        entry = self.portal.change(lambda site: site["datacenter"].ledger.entry("data.csv"))
        self.assertEqual((entry.owner, entry.size), ("", len(TABLE)))
        self.assertEqual(self.recover(), [])
        self.put("data.csv", "code,title", "NEW,New")
        self.assertEqual([each.code for each in self.recover()], ["orphan"])
        self.assertEqual(self.recover(), [])

    def test_a_check_is_kept_as_long_as_an_import_is_held_to_it(self):
        self.put("many.csv", "code,title", *(f"F{number:03},x" for number in range(10)))
        check = self.done("many.csv", kind="check")
        id = self.order("many.csv", check=check.id)
        self.cancel_at(4, id)

        def age(site):
            site["datacenter"].runs.get(check.id).ended -= timedelta(days=8)

        self.portal.change(age)
        self.recover()
        self.ask(lambda operations: operations.resume(id))
        self.portal.work_off(id)
        self.assertEqual(self.info(id).report.created, 10)
        self.portal.change(age)
        self.recover()
        with self.assertRaises(NoSuchItem):
            self.info(check.id)

    def test_an_old_check_goes_with_its_rows(self):
        check = self.done(kind="check")

        def age(site):
            site["datacenter"].runs.get(check.id).ended -= timedelta(days=8)

        self.portal.change(age)
        with closing(self.portal.open()) as db:
            found = in_own_thread(lambda: recovery.forget(db, SITE))
        self.assertEqual([each.code for each in found], ["expired"])
        self.assertNotIn(".work", self.portal.tree())

    def test_files_on_their_way_keep_their_entries(self):
        full = mock.patch.object(distributing.results, "perform", side_effect=OSError(28, "full"))
        id = self.order()
        with full, self.assertLogs("waeup.kofa.jobs", "ERROR"):
            self.portal.work_off(id)
            self.assertEqual(self.info(id).state, "stopped")
            codes = [each.code for each in self.recover()]
        self.assertEqual(codes, ["unresolved", "unresolved"])
        self.assertEqual([each.code for each in self.recover()], ["completed"])
        run = self.info(id)
        entry = self.portal.change(
            lambda site: site["datacenter"].ledger.entry(run.report.pending)
        )
        self.assertEqual((entry.owner, entry.original), (USER, "data.csv"))

    def test_a_data_center_of_before_there_were_runs_gets_a_place_for_them(self):
        def forget(site):
            del site["datacenter"].runs

        self.portal.change(forget)
        with closing(self.portal.open()) as db:
            recovery.recover(db, SITE)
        self.assertEqual(self.done().state, "finished")

    def test_runs_of_before_there_was_an_order_get_one(self):
        ids = [self.done(kind="check").id, self.done().id]

        def forget(site):
            del site["datacenter"].runs._newest

        def newest(site):
            return [run.id for run in site["datacenter"].runs.newest()]

        self.portal.change(forget)
        self.assertEqual(self.portal.change(newest), ids[::-1])
        self.recover()
        self.assertEqual(self.portal.change(newest), ids[::-1])
        self.portal.change(
            lambda site: site["datacenter"].runs.drop(site["datacenter"].runs.get(ids[1]))
        )
        self.assertEqual(self.portal.change(newest), ids[:1])

    def test_foreign_folders_and_stale_work_folders(self):
        os.mkdir(os.path.join(self.portal.storage, "holiday pictures"))
        os.makedirs(os.path.join(self.portal.storage, ".work", "run-0123456789abcdef"))
        found = {each.code: each.repaired for each in self.recover()}
        self.assertEqual(found, {"stale": True, "orphan": True, "foreign": False})
        self.assertEqual([each.code for each in self.recover()], ["foreign"])

    def test_undo_records_are_kept_for_some_days(self):
        run = self.done()
        self.assertIn("undo", run.actions)
        self.assertGreater(run.undo_bytes, 0)
        self.assertEqual((run.undo_until - run.ended).days, UNDO_DAYS)
        config = getGlobalSiteManager().getUtility(IDataCenterConfig)
        config["undo_days"] = -1
        self.addCleanup(config.pop, "undo_days")
        self.assertEqual([each.code for each in self.recover()], ["expired"])
        self.assertEqual(self.info(run.id).actions, ())
        self.assertEqual(self.recover(), [])
