"""Faults are no errors of rows: the run stops, and goes on later, each row once."""

import errno
import os
import shutil
import threading
import time
from unittest import mock

import transaction
from transaction.interfaces import TransientError
from ZODB.Connection import Connection
from ZODB.POSException import ConflictError, POSError, StorageTransactionError
from zope.component import getUtility
from zope.event import notify
from zope.lifecycleevent import ObjectModifiedEvent
from zope.lifecycleevent.interfaces import IObjectAddedEvent

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import FatalCSVError, NotAllowed, StorageFault, WrongState
from waeup.kofa.importing import distribution
from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs import (
    EmbeddedEngine,
    checks,
    doorbells,
    heartbeat,
    imports,
    new_holder,
    work_on,
)
from waeup.kofa.jobs import job as jobs_job
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.spool import claimed
from waeup.kofa.spool.disk import digest_of, disk
from waeup.kofa.tabular import TableWriter
from waeup.kofa.tests.databases import storage_class
from waeup.kofa.tests.jobs.lives import TownTestCase, few_rows
from waeup.kofa.tests.jobs.portal import OTHER, SITE, USER
from waeup.kofa.tests.jobs.test_undo import subscribed
from waeup.kofa.tests.waiting import begun, joined
from waeup.kofa.university.interfaces import IFaculty

#: Rows of the table; each third one fails.
ROWS = 9
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class NoServer(POSError, TransientError):
    """What a database client raises when its server is gone."""


class FaultTestCase(TownTestCase):
    """Has an import of nine faculties in three batches, in each of which a row fails."""

    def setUp(self):
        super().setUp()
        few = few_rows(3)
        few.start()
        self.addCleanup(few.stop)
        quick = mock.patch.object(jobs_job, "PAUSE", 0.0001)
        quick.start()
        self.addCleanup(quick.stop)
        self.lines = [
            f"bad code,{number}" if number % 3 == 2 else f"F{number},Title {number}"
            for number in range(ROWS)
        ]
        self.before = self.objects()
        self.again()

    def again(self):
        """Bring all back to the beginning."""
        self.db.close()
        self.town.set_up()
        self.db = self.town.open()
        self.town.put("data.csv", "code,title", *self.lines)
        self.town.recover(self.db)
        self.id = self.order("facultyprocessor", "create")

    def assertStopped(self, rows, pattern, info=None):
        """The run has stopped after so many rows; whatever failed is no row."""
        info = info or self.info(self.id)
        self.assertEqual((info.state, info.rows), ("stopped", rows), info.fault)
        self.assertRegex(info.fault, pattern)
        self.assertEqual(info.report.failed, rows // 3)
        self.assertEqual(
            info.actions, ("cancel", "resume", "undo") if rows else ("cancel", "resume")
        )
        self.assertEqual(len(self.objects()) - len(self.before), 2 * rows // 3)
        found = self.town.recover(self.db)
        self.assertEqual([(each.code, each.repaired) for each in found], [("unresolved", False)])

    def assertExactlyOnce(self, info=None, id=None):
        """The run is finished, each row is in one file, and in one object."""
        info = info or self.info(id or self.id)
        self.assertEqual((info.state, info.fault), ("finished", ""))
        self.assertEqual((info.report.created, info.report.failed), (6, 3))
        finished = [",".join(row) for row in self.rows(info.report.finished)]
        pending = [",".join(row[:2]) for row in self.rows(info.report.pending)]
        self.assertEqual(finished, [line for line in self.lines if line[0] == "F"])
        self.assertEqual(pending, [line for line in self.lines if line[0] == "b"])
        found = self.change(
            lambda site: {f"{f.code},{f.title}" for f in site["faculties"].values()}
        )
        self.assertEqual({line for line in found if line[0] == "F"}, set(finished))
        self.assertNotIn(".work", self.stored())
        self.assertEqual(self.town.recover(self.db), [])

    def stops_and_goes_on(self, fault, rows, pattern):
        """Work on the run while there is a fault, and once more without."""
        with fault:
            info = self.work(self.id)
        self.assertStopped(rows, pattern, info)
        self.assertExactlyOnce(self.resume(self.id))


class FullDisks(FaultTestCase):
    """No space is left."""

    def test_under_result_rows(self):
        # One row of each batch is written to the pending file.
        for name, often in (("sync", 2), ("write_all", 1), ("write", 1)):
            with self.subTest(name):
                real, calls = getattr(TableWriter, name), []

                def full(writer, *args, real=real, calls=calls, often=often):
                    calls.append(1)
                    if len(calls) > often:
                        raise FULL
                    return real(writer, *args)

                self.stops_and_goes_on(
                    mock.patch.object(TableWriter, name, full), 3, "No space left on device"
                )
                self.assertEqual(self.undo(self.id).report.failed, 0)
                self.again()

    def test_under_files_that_are_put_into_their_places(self):
        for name in ("link", "sync_folder", "create", "unlink"):
            with self.subTest(name):
                with mock.patch.object(disk, name, side_effect=FULL):
                    info = self.work(self.id)
                rows = 0 if name == "sync_folder" else ROWS
                self.assertEqual((info.state, info.rows), ("stopped", rows), info.fault)
                self.assertIn("No space left on device", info.fault)
                self.assertExactlyOnce(self.resume(self.id))
                self.again()

    def test_under_the_database(self):
        storage = storage_class()
        vote, calls = storage.tpc_vote, []

        def full(voting, *args):
            # The claim, a batch, and all after that.
            calls.append(1)
            if 2 < len(calls) < 5:
                raise FULL
            return vote(voting, *args)

        self.reopen()
        with (
            mock.patch.object(storage, "tpc_vote", full),
            self.assertLogs("waeup.kofa.jobs", "ERROR"),
        ):
            self.reopen()
            info = self.work(self.id)
        # It could not even be put down; the next worker takes it up.
        self.assertEqual((info.state, info.rows), ("running", 3))
        self.reopen()
        self.assertExactlyOnce(self.work(self.id))

    def test_under_the_database_for_a_moment(self):
        storage = storage_class()
        vote, calls = storage.tpc_vote, []

        def full(voting, *args):
            calls.append(1)
            if len(calls) == 3:
                raise FULL
            return vote(voting, *args)

        with mock.patch.object(storage, "tpc_vote", full):
            self.reopen()
            info = self.work(self.id)
        self.reopen()
        self.assertStopped(3, "No space left on device", info)
        self.assertExactlyOnce(self.resume(self.id))


class LostConnections(FaultTestCase):
    """The database cannot be reached, or does not say what became of a commit."""

    def commit(self, *outcomes):
        """Let one commit after the other be: None as it is, an exception, or a late exception.

        A late one is a pair: the commit is stored, then its first item is raised.
        """
        real, left = transaction.commit, list(outcomes)

        def commit():
            outcome = left.pop(0) if left else None
            if isinstance(outcome, tuple):
                real()
                raise outcome[0]
            if outcome is not None:
                raise outcome
            real()

        return mock.patch.object(transaction, "commit", commit)

    def test_a_commit_that_fails(self):
        for error in (POSError("gone"), StorageTransactionError("gone"), OSError("gone")):
            with self.subTest(type(error).__name__):
                self.stops_and_goes_on(self.commit(None, None, error), 3, "gone")
                self.again()

    def test_a_connection_that_comes_back_is_not_noticed(self):
        with self.commit(None, None, NoServer("gone"), NoServer("gone")):
            info = self.work(self.id)
        self.assertExactlyOnce(info)

    def test_a_connection_that_does_not_come_back(self):
        fault = self.commit(None, None, *[NoServer("gone")] * jobs_job.ATTEMPTS)
        self.stops_and_goes_on(fault, 3, "5 attempts")

    def test_lasting_conflicts(self):
        fault = self.commit(None, None, *[ConflictError("others")] * jobs_job.ATTEMPTS)
        self.stops_and_goes_on(fault, 3, "Others kept changing the same data")

    def test_conflicts_of_each_commit(self):
        conflict = ConflictError("others")
        # The claim would be somebody else's.
        with self.commit(None, *[conflict, None] * 20), self.assertNoLogs("waeup", "ERROR"):
            self.town.work_off(self.id, self.db)
        self.assertExactlyOnce()

    def test_commits_that_were_stored_and_say_that_they_failed(self):
        """Each commit of the run in turn, with errors that are repeated and others."""
        for number in range(1, 6):
            for error in (OSError("timeout"), POSError("timeout"), NoServer("timeout")):
                with self.subTest(number=number, error=type(error).__name__):
                    with self.commit(*[None] * number, (error,)):
                        self.town.work_off(self.id, self.db)
                    info = self.info(self.id)
                    if info.state == "stopped":
                        info = self.resume(self.id)
                    # Of the last one only the work folder is left.
                    self.town.recover(self.db)
                    self.assertExactlyOnce(info)
                    self.again()

    def test_an_object_that_cannot_be_loaded(self):
        setstate, calls = Connection.setstate, []

        def lost(connection, obj):
            if IFaculty.providedBy(obj) and len(self.done) == 3:
                calls.append(1)
                if len(calls) == 1:
                    raise POSError("the server is gone")
            return setstate(connection, obj)

        self.count_rows()
        self.lines[5] = "OLD1,again"
        self.town.put("more.csv", "code,title", *[line.replace("F", "G") for line in self.lines])
        id = self.order("facultyprocessor", "upsert", name="more.csv")
        self.ask(lambda o: o.cancel(self.id))
        self.reopen()
        with mock.patch.object(Connection, "setstate", lost):
            info = self.work(id)
        self.assertEqual(calls, [1])
        self.assertEqual((info.state, info.rows, info.report.failed), ("stopped", 3, 1))
        self.assertIn("the server is gone", info.fault)
        info = self.resume(id)
        self.assertEqual((info.state, info.report.updated, info.report.failed), ("finished", 1, 2))

    def count_rows(self):
        """Keep the rows that are through in `done`."""
        self.done, apply = [], RowEngine.apply

        def counted(engine, rows):
            found = apply(engine, rows)
            self.done += found
            return found

        patch = mock.patch.object(RowEngine, "apply", counted)
        patch.start()
        self.addCleanup(patch.stop)


class Memory(FaultTestCase):
    """The memory is used up, or the machine fails in another way, amid a row."""

    def failing_hook(self, name, error):
        """Let a hook raise an error at row 5, after it has done its work."""
        cls = type(getUtility(IBatchProcessor, name="facultyprocessor"))
        real = getattr(cls, name)

        def hook(processor, *args, **kw):
            answer = real(processor, *args, **kw)
            if any(isinstance(arg, dict) and arg.get("code") == "F4" for arg in args):
                raise error
            return answer

        return mock.patch.object(cls, name, hook)

    def test_in_hooks(self):
        for name in ("checkCreateRequirements", "updateEntry", "addEntry", "getParent"):
            for error, words in (
                (MemoryError(), "memory of the machine is used up"),
                (OSError(errno.EIO, "input/output error"), "input/output error"),
                (POSError("no such key"), "no such key"),
                (StorageFault("the disk is full"), "the disk is full"),
            ):
                with self.subTest(name, error=type(error).__name__):
                    self.stops_and_goes_on(self.failing_hook(name, error), 3, words)
                    self.again()

    def test_in_conversion(self):
        cls = type(getUtility(IBatchProcessor, name="facultyprocessor"))
        real = cls.checkConversion

        def convert(processor, row, *args, **kw):
            if row.get("code") == "F4":
                raise MemoryError
            return real(processor, row, *args, **kw)

        fault = mock.patch.object(cls, "checkConversion", convert)
        self.stops_and_goes_on(fault, 3, "memory of the machine is used up")

    def test_in_a_subscriber(self):
        def full(faculty, event):
            if faculty.code == "F4":
                raise MemoryError

        fault = subscribed(full, IFaculty, IObjectAddedEvent)
        self.stops_and_goes_on(fault, 3, "memory of the machine is used up")

    def test_other_exceptions_of_hooks_are_errors_of_rows(self):
        for error in (ValueError("odd"), RecursionError("deep"), ZeroDivisionError("zero")):
            with self.subTest(type(error).__name__):
                with self.failing_hook("addEntry", error):
                    info = self.work(self.id)
                self.assertEqual((info.state, info.report.failed), ("finished", 4))
                self.again()

    def test_refusals_of_hooks_are_errors_of_rows_too(self):
        with self.failing_hook("addEntry", NotAllowed("not this one")):
            info = self.work(self.id)
        self.assertEqual((info.state, info.report.failed), ("finished", 4))


class Surroundings(FaultTestCase):
    """Files, folders and rights change while a run is under way."""

    def meanwhile(self, act, rows=3, user=USER):
        """Let `act` happen when so many rows were taken, and work on the run; return it."""
        take, done = SourceRows.take, []

        def taken(source, number):
            if source.taken == rows and not done:
                done.append(1)
                act()
            return take(source, number)

        with mock.patch.object(SourceRows, "take", taken):
            self.town.work_off(self.id, self.db)
        self.assertEqual(done, [1])
        return self.ask(lambda o: o.run(self.id), user)

    def path(self, name="data.csv"):
        return os.path.join(self.town.storage, name)

    def test_a_storage_that_vanishes(self):
        away = self.town.storage + ".away"
        info = self.meanwhile(lambda: os.rename(self.town.storage, away))
        self.assertEqual(info.state, "stopped")
        self.assertRegex(info.fault, "No such file|cannot be used|gone")
        self.assertLessEqual(info.report.failed, 3)
        os.rename(away, self.town.storage)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_storage_that_is_not_there_when_it_begins(self):
        away = self.town.storage + ".away"
        os.rename(self.town.storage, away)
        info = self.work(self.id)
        self.assertEqual((info.state, info.rows), ("stopped", 0), info.fault)
        self.assertFalse(os.path.exists(self.town.storage))
        os.rename(away, self.town.storage)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_work_folder_that_somebody_removes_has_lost_rows(self):
        info = self.meanwhile(lambda: shutil.rmtree(self.path(".work")))
        self.assertEqual(info.state, "stopped")
        info = self.resume(self.id)
        self.assertEqual(info.state, "stopped")
        undo = self.undo(self.id)
        self.assertEqual((undo.state, undo.report.failed), ("finished", 0))
        self.assertEqual(self.objects(), self.before)

    def test_a_person_who_is_suspended(self):
        def suspend():
            def change(site):
                site["users"][USER].suspended = True

            self.change(change)

        info = self.meanwhile(suspend)
        # The batch that was taken at this moment may still be done, no other.
        self.assertEqual((info.state, info.rows in (3, 6)), ("stopped", True))
        self.assertIn("was suspended", info.fault)
        self.assertExactlyOnce(self.work_again(OTHER))

    def work_again(self, user):
        """Let somebody else let the run go on, and work on it in that name."""
        self.ask(lambda o: o.resume(self.id), user)
        self.town.work_off(self.id, self.db)
        return self.ask(lambda o: o.run(self.id), user)

    def test_a_person_who_loses_the_right(self):
        def change(roles):
            def act(site):
                site["users"][USER].roles = roles
                notify(ObjectModifiedEvent(site["users"][USER]))

            return lambda: self.change(act)

        info = self.meanwhile(change([]), user=OTHER)
        self.assertEqual((info.state, info.rows in (3, 6)), ("stopped", True))
        self.assertIn("lacks the permission", info.fault)
        self.assertExactlyOnce(self.work_again(OTHER))

    def test_a_person_whose_account_is_removed(self):
        def remove(site):
            del site["users"][USER]

        self.change(remove)
        self.town.work_off(self.id, self.db)
        run = self.ask(lambda o: o.run(self.id), OTHER)
        self.assertEqual(run.state, "stopped")
        self.assertIn("no account 'anna' any more", run.fault)
        self.ask(lambda o: o.cancel(self.id), OTHER)

    def test_a_file_that_is_replaced(self):
        with open(self.path(), "rb") as stream:
            former = stream.read()

        def replace():
            with open(self.path("new"), "w") as stream:
                stream.write("code,title\r\nNEW,New\r\n")
            os.replace(self.path("new"), self.path())

        info = self.meanwhile(replace)
        # All rows of the former file are done; the new one is not put away in its name.
        self.assertEqual((info.state, info.rows), ("stopped", ROWS))
        self.assertIn("was changed, replaced or removed", info.fault)
        self.assertIn("data.csv", self.stored())
        self.assertEqual(self.resume(self.id).state, "stopped")
        with open(self.path(), "wb") as stream:
            stream.write(former)
        self.town.recover(self.db)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_file_that_is_replaced_when_its_digest_was_taken(self):
        def digest(path):
            found = digest_of(path)
            os.replace(self.town.put("new", "code,title", "NEW,New"), path)
            return found

        with mock.patch.object(imports, "digest_of", digest):
            info = self.work(self.id)
        self.assertEqual(info.state, "stopped")
        self.assertIn("was changed, replaced or removed", info.fault)
        self.assertEqual(self.undo(self.id).state, "finished")
        self.assertEqual(self.objects(), self.before)

    def test_a_file_that_is_removed(self):
        with open(self.path(), "rb") as stream:
            former = stream.read()
        info = self.meanwhile(lambda: os.unlink(self.path()))
        self.assertEqual(info.state, "stopped")
        codes = [each.code for each in self.town.recover(self.db)]
        self.assertIn("missing", codes)
        self.assertEqual(self.resume(self.id).state, "stopped")
        with open(self.path(), "wb") as stream:
            stream.write(former)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_file_that_is_gone_for_good_can_be_taken_back(self):
        self.meanwhile(lambda: os.unlink(self.path()))
        undo = self.undo(self.id)
        self.assertEqual((undo.state, undo.report.failed), ("finished", 0))
        self.assertEqual(self.objects(), self.before)

    def test_a_check_that_is_lost_before_the_run_goes_on(self):
        self.ask(lambda o: o.cancel(self.id))
        check = self.ask(
            lambda o: o.start_check("data.csv", "facultyprocessor", "create", self.mapping())
        )
        self.work(check.id)
        self.id = self.order("facultyprocessor", "create", check=check.id)
        info = self.stopped_at(1, self.id)
        # The rows of the check are needed, whatever a recovery thinks of other checks.
        self.assertEqual((info.state, info.rows), ("stopped", 3))
        self.town.recover(self.db)
        info = self.resume(self.id)
        self.assertEqual((info.state, info.report.failed), ("finished", 3))

    def mapping(self):
        order = self.change(lambda site: site["datacenter"].runs.get(self.id).order)
        return Mapping(order.columns)


class Refusals(FaultTestCase):
    """A run that cannot begin leaves nothing behind."""

    def test_nothing_is_left_of_a_run_that_was_refused(self):
        self.town.put("data.csv", "title,code", "One,F1")
        info = self.work(self.id)
        self.assertEqual((info.state, info.rows), ("cancelled", 0))
        self.assertNotIn(".work", self.stored())

    def test_a_file_that_others_delete_before(self):
        check = self.ordered_check()
        os.unlink(os.path.join(self.town.storage, "data.csv"))
        for id, words in ((check, "There is no file"), (self.id, "No such source path")):
            with self.subTest(words):
                info = self.work(id)
                self.assertEqual((info.state, info.rows), ("cancelled", 0))
                self.assertIn(words, info.fault)
        self.assertNotIn(".work", self.stored())

    def test_a_check_tells_nothing_of_a_file_that_has_taken_the_place_of_its_own(self):
        def digest(path):
            found = digest_of(path)
            os.replace(self.town.put("new", "code,title", "NEW,New"), path)
            return found

        with mock.patch.object(checks, "digest_of", digest):
            info = self.work(self.ordered_check())
        self.assertEqual(info.state, "cancelled")
        self.assertIn("was changed since its columns were mapped", info.fault)

    def ordered_check(self):
        mapping = Mapping(("code", "title"))
        order = ("data.csv", "facultyprocessor", "create", mapping)
        return self.ask(lambda o: o.start_check(*order)).id

    def test_nothing_is_left_of_a_run_that_was_refused_late(self):
        cls = type(getUtility(IBatchProcessor, name="facultyprocessor"))
        with mock.patch.object(cls, "checkHeaders", side_effect=FatalCSVError("not so")):
            info = self.work(self.id)
        self.assertEqual((info.state, info.fault), ("cancelled", "not so"))
        self.assertNotIn(".work", self.stored())

    def test_nothing_is_left_of_a_run_that_is_given_up(self):
        info = self.stopped_at(0, self.id)
        self.assertEqual(info.state, "stopped")
        self.ask(lambda o: o.cancel(self.id))
        self.town.recover(self.db)
        self.assertNotIn(".work", self.stored())

    def test_a_file_that_somebody_claims_by_other_means(self):
        hold, held = threading.Event(), threading.Event()

        def somebody():
            with claimed(os.path.join(self.town.storage, "data.csv")):
                held.set()
                hold.wait(20)

        thread = begun(somebody)
        held.wait(20)
        try:
            info = self.work(self.id)
        finally:
            hold.set()
            joined(thread)
        self.assertStopped(0, "Somebody else is working on data.csv", info)
        self.assertExactlyOnce(self.resume(self.id))


class Cancels(FaultTestCase):
    """A cancel at any moment: the run ends where it is, or it is too late."""

    def cancelled_in(self, function, where):
        """Work on the run, which is cancelled when `function` of `where` is called."""
        real, done = getattr(where, function), []

        def cancelling(*args, **kw):
            if not done:
                done.append(None)
                try:
                    self.ask(lambda o: o.cancel(self.id))
                except WrongState as refusal:
                    done[0] = refusal
            return real(*args, **kw)

        with mock.patch.object(where, function, cancelling):
            info = self.work(self.id)
        if done[0] is not None:
            raise done[0]
        return info

    def test_while_files_are_put_into_their_places(self):
        with self.assertRaisesRegex(WrongState, "cannot be cancelled"):
            self.cancelled_in("perform", distribution)
        self.assertExactlyOnce()

    def test_while_the_last_rows_are_stored(self):
        info = self.cancelled_in("record", imports)
        self.assertEqual((info.state, info.rows), ("cancelled", ROWS))
        self.assertExactlyOnce(self.resume(self.id))

    def test_of_a_run_that_stopped_while_its_files_were_put_away(self):
        real, calls = disk.link, []

        def full(*args):
            # The three that are staged, and the first one that is placed.
            calls.append(1)
            if len(calls) == 5:
                raise FULL
            return real(*args)

        with mock.patch.object(disk, "link", full):
            info = self.work(self.id)
        self.assertEqual((info.state, info.rows), ("stopped", ROWS))
        before = self.town.tree()
        for action in ("cancel", "start_undo"):
            with self.subTest(action):
                try:
                    self.ask(lambda o, action=action: getattr(o, action)(self.id))
                except WrongState:
                    continue
                self.fail("its files are half put away; only going on makes sense")
        self.assertEqual(self.town.tree(), before)
        self.assertExactlyOnce(self.resume(self.id))


class Ends(FaultTestCase):
    """Processes and engines that end while a run is under way."""

    def test_a_worker_that_is_to_stop_leaves_the_run_to_others(self):
        for rows in (0, 3, 6, 9):
            with self.subTest(rows=rows):
                stops = iter([False] * (rows // 3) + [True] * 99)
                holder = new_holder()
                in_own_thread(
                    lambda stops=stops, holder=holder: work_on(
                        self.db, SITE, self.id, holder, is_stopping=lambda: next(stops)
                    )
                )
                info = self.info(self.id)
                self.assertEqual((info.state, info.rows), ("running", rows))
                # The lease was given back: nobody has to wait for its end.
                self.assertTrue(self.work_elsewhere())
                self.assertExactlyOnce()
                self.again()

    def work_elsewhere(self):
        """Work on the run as another machine does; tell whether it could be claimed."""
        return in_own_thread(lambda: work_on(self.db, SITE, self.id, new_holder()))

    def test_a_system_exit_of_a_hook_stops_the_run_and_not_the_worker(self):
        dying = mock.patch.object(TableWriter, "sync", side_effect=SystemExit)
        with dying, self.assertLogs("waeup.kofa.jobs.worker", "ERROR"):
            self.work(self.id)
        info = self.info(self.id)
        self.assertEqual(info.state, "stopped")
        self.assertIn("SystemExit", info.fault)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_run_that_kills_its_process_again_and_again_is_stopped(self):
        killed = mock.patch("waeup.kofa.jobs.worker.settle")
        dying = mock.patch.object(TableWriter, "sync", side_effect=MemoryError)
        for _ in range(jobs_job.TRIES):
            with killed, dying, self.assertLogs("waeup.kofa.jobs.worker", "ERROR"):
                self.work(self.id)
            self.assertEqual(self.info(self.id).state, "running")
        self.work(self.id)
        info = self.info(self.id)
        self.assertEqual(info.state, "stopped")
        self.assertIn(f"ended {jobs_job.TRIES} times", info.fault)
        self.assertExactlyOnce(self.resume(self.id))

    def test_a_lease_is_believed_until_it_ends(self):
        dying = mock.patch.object(TableWriter, "sync", side_effect=SystemExit)
        killed = mock.patch("waeup.kofa.jobs.worker.settle")
        with dying, killed, self.assertLogs("waeup.kofa.jobs.worker", "ERROR"):
            self.work(self.id)
        self.assertFalse(self.work_elsewhere())
        # A lease of no time would be renewed all the time.
        silent = mock.patch.object(heartbeat, "_renew", return_value=False)
        with mock.patch.object(jobs_job, "LEASE", 0.0), silent:
            self.assertTrue(self.work_elsewhere())
        self.assertExactlyOnce()

    def test_a_batch_that_takes_longer_than_a_lease_is_left_to_its_worker(self):
        cls = type(getUtility(IBatchProcessor, name="facultyprocessor"))
        real, added = cls.addEntry, []

        def slow(processor, obj, row, site):
            added.append(obj.code)
            time.sleep(0.3)
            real(processor, obj, row, site)

        with (
            mock.patch.object(cls, "addEntry", slow),
            mock.patch.object(jobs_job, "LEASE", 0.2),
            mock.patch.object(doorbells, "SWEEP", 0.01),
            EmbeddedEngine(self.db, SITE, threads=2),
        ):
            self.wait()
        self.assertExactlyOnce()
        self.assertEqual(added, ["F0", "F1", "F3", "F4", "F6", "F7"])
        token = self.change(lambda site: site["datacenter"].runs.get(self.id).checkpoint.token)
        self.assertEqual(token, 1)

    def test_a_lease_that_cannot_be_renewed_is_no_fault_of_the_run(self):
        beats = []

        def failing(*args):
            beats.append(1)
            raise POSError("the database is away")

        with (
            mock.patch.object(heartbeat, "_renew", failing),
            mock.patch.object(jobs_job, "LEASE", 0.003),
            self.assertLogs("waeup.kofa.jobs.heartbeat", "ERROR"),
        ):
            info = self.work(self.id)
        self.assertExactlyOnce(info)
        self.assertTrue(beats)

    def test_threads_of_an_engine_survive_what_is_raised(self):
        calls, real = [], doorbells.next_runs

        def failing(*args, **kw):
            calls.append(threading.current_thread().name)
            if len(calls) < 4:
                raise POSError("the database is away")
            return real(*args, **kw)

        with (
            mock.patch.object(doorbells, "next_runs", failing),
            mock.patch.object(doorbells, "SWEEP", 0.01),
            self.assertLogs("waeup.kofa.jobs.doorbells", "ERROR") as logged,
            EmbeddedEngine(self.db, SITE, threads=1),
        ):
            self.wait()
        self.assertEqual(len(logged.records), 3)
        self.assertExactlyOnce()

    def test_threads_of_an_engine_survive_runs_that_stop(self):
        with (
            mock.patch.object(TableWriter, "sync", side_effect=MemoryError),
            mock.patch.object(doorbells, "SWEEP", 0.01),
            EmbeddedEngine(self.db, SITE, threads=1),
        ):
            self.wait()
            self.assertStopped(0, "memory")
        with mock.patch.object(doorbells, "SWEEP", 0.01), EmbeddedEngine(self.db, SITE, threads=1):
            self.ask(lambda o: o.resume(self.id))
            self.wait()
        self.assertExactlyOnce()

    def wait(self):
        """Wait until the run is over."""
        deadline = time.monotonic() + 20
        while self.info(self.id).is_active:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


class Recoveries(TownTestCase):
    """What a recovery must not do."""

    def test_files_of_unknown_origin_are_seen_by_who_may_see_their_columns(self):
        def clerk(site):
            site["users"]["dora"].roles = ["waeup.DataCenterManager"]
            notify(ObjectModifiedEvent(site["users"]["dora"]))

        self.change(clerk)
        self.town.put("users.csv", "name,password", "fred,Geheim123")
        for _round in range(2):
            with self.assertRaises(NotAllowed):
                self.ask(lambda o: o.open_file("users.csv").close(), "dora")
            self.town.recover(self.db)
