"""What every engine promises, as tests: see `waeup.kofa.jobs.interfaces.IJobEngine`.

`EngineContract` is for all engines, `SharedContract` for those that several processes have at
once.  A class of tests says which database and which engine it has.
"""

import logging
import os
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from unittest import mock

from transaction.interfaces import TransientError
from zope.component import getGlobalSiteManager, provideUtility
from zope.interface.verify import verifyObject

from waeup.kofa.conversion import Mapping
from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.jobs import (
    IJobEngine,
    doorbells,
    duties,
    heartbeat,
    lanes,
    lingering,
    new_holder,
    queueing,
    work_off,
)
from waeup.kofa.jobs import job as jobs_job
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.duties import Task
from waeup.kofa.jobs.outages import is_away
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.portal import SITE, Portal
from waeup.kofa.tests.spool.faultydisk import write
from waeup.kofa.tests.waiting import begun, joined
from waeup.kofa.university.processors import FacultyProcessor

#: Seconds after which what is waited for is not believed to come any more.
PATIENCE = 60
#: Processor -> fields of its rows; each has a scope of its own.
FIELDS = {
    "facultyprocessor": ("code", "title"),
    "studentprocessor": ("student_id", "firstname", "lastname", "sex"),
    "userprocessor": ("name", "title"),
}


class EngineContract:
    """Promises of every engine; mixed into a test case that says `kind` and makes engines."""

    layer = FunctionalLayer
    #: The kind of the database.
    kind = "filestorage"

    def make_engine(self, db, threads=2, tasks=()):
        """Return an engine that has not begun."""
        raise NotImplementedError

    def setUp(self):
        for patch in (
            mock.patch.object(doorbells, "SWEEP", 0.1),
            mock.patch.object(queueing, "SWEEP", 0.2),
            mock.patch.object(queueing, "RETRY", 0.1),
            mock.patch.object(duties, "LOOK", 0.1),
            few_rows(5),
        ):
            patch.__enter__()
            self.addCleanup(patch.__exit__, None, None, None)
        self.portal = Portal({}, self.kind)
        self.addCleanup(self.portal.close)
        self.portal.set_up()
        self.opened = ExitStack()
        self.addCleanup(self.opened.close)
        self._db = None

    @property
    def db(self):
        """The database as this process has it; opened when it is needed, after all forks."""
        if self._db is None:
            self._db = self.open()
        return self._db

    def open(self):
        """Open the database; it is closed when the test is over."""
        db = self.portal.open()
        self.opened.callback(db.close)
        return db

    @contextmanager
    def engine(self, threads=2, tasks=(), db=None):
        """Have an engine that works, and hears orders."""
        engine = self.make_engine(db or self.db, threads, tasks)
        provideUtility(engine, IJobEngine)
        try:
            with engine:
                yield engine
        finally:
            getGlobalSiteManager().unregisterUtility(engine, IJobEngine)

    # -- short words --------------------------------------------------------------------

    def put(self, name, processor="facultyprocessor", rows=20, prefix="F"):
        """Put a table of so many rows into the storage."""
        fields = FIELDS[processor]
        lines = [",".join(fields)]
        for number in range(rows):
            key = f"{prefix}{number:04}"
            lines.append(",".join([key, *(["x"] * (len(fields) - 2)), "f"][: len(fields)]))
        write(os.path.join(self.portal.storage, name), "\r\n".join((*lines, "")))

    def order(self, name, processor="facultyprocessor", mode="create", *, check=False, db=None):
        """Order the import, or a check, of a table; return the id."""
        mapping = Mapping(FIELDS[processor])

        def start(operations):
            begin = operations.start_check if check else operations.start_import
            return begin(name, processor, mode, mapping, **({} if check else self.yes)).id

        return self.portal.operations(start, db=db or self.db)

    yes = {"yes_remove": 10_000, "yes_change": 10_000}

    def run_of(self, id):
        """Return what is of interest of a run; the database may be away for a moment."""

        def ask(site):
            run = site["datacenter"].runs.get(id)
            found = {name: getattr(run, name) for name in ("state", "fault", "started", "ended")}
            totals = run.totals()
            found.update(token=run.checkpoint.token, done=totals.done, failed=totals.failed)
            found.update(rows=run.progress.rows, is_active=run.is_active)
            return found

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.portal.change(ask, self.db)
            except Exception as error:
                if not (is_away(error) or isinstance(error, TransientError)):
                    raise
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)

    def until(self, question):
        """Wait until `question` says something true; return it."""
        deadline = time.monotonic() + PATIENCE
        while not (answer := question()):
            self.assertLess(time.monotonic(), deadline, "it does not happen")
            time.sleep(0.02)
        return answer

    def finished(self, *ids):
        """Wait until runs are over; return them. All must be finished."""
        self.until(lambda: not any(self.run_of(id)["is_active"] for id in ids))
        runs = [self.run_of(id) for id in ids]
        self.assertEqual(
            [(run["state"], run["fault"]) for run in runs], [("finished", "")] * len(ids)
        )
        return runs

    def faculties(self):
        """Return the codes of all faculties."""
        return self.portal.change(lambda site: sorted(site["faculties"]), self.db)

    @contextmanager
    def held(self, name, rows=5):
        """Let who reads the table `name` wait after so many rows; gives two events.

        The first one is set when somebody waits, the second one lets go.
        """
        reached, go_on = threading.Event(), threading.Event()
        real = SourceRows.take

        def take(source, number):
            if source.taken >= rows and name in source._path and not go_on.is_set():
                reached.set()
                go_on.wait(PATIENCE)
            return real(source, number)

        with mock.patch.object(SourceRows, "take", take):
            try:
                yield reached, go_on
            finally:
                go_on.set()

    # -- the contract -------------------------------------------------------------------

    def test_it_is_what_the_interface_says(self):
        engine = self.make_engine(None)
        self.assertTrue(verifyObject(IJobEngine, engine))
        self.assertEqual(engine.workers()[:2], (2, 0))
        self.assertEqual(engine.at_work(), [])

    def test_a_bell_is_rung_by_the_commit_and_the_run_is_done(self):
        self.put("data.csv")
        with self.engine() as engine:
            (run,) = self.finished(self.order("data.csv"))
            self.assertEqual(engine.workers()[0], 2)
        self.assertEqual((run["done"], run["token"]), (20, 1))
        self.assertEqual(len(self.faculties()), 20)

    def test_what_keeps_a_stop_waiting_is_told(self):
        called, goes_on, told = threading.Event(), threading.Event(), []

        def endless(processor, obj, row, site, filename):
            called.set()
            goes_on.wait(PATIENCE)
            return ""

        def tell(text):
            told.append(text)
            goes_on.set()

        self.put("data.csv", rows=3)
        engine = self.make_engine(self.db)
        with (
            mock.patch.object(lingering, "PATIENCE", 0.1),
            mock.patch.object(FacultyProcessor, "updateEntry", endless),
            self.assertLogs(lingering.log, "WARNING") as logged,
        ):
            engine.start()
            try:
                id = self.order("data.csv")
                self.assertTrue(called.wait(PATIENCE))
            finally:
                engine.stop(tell)
        self.assertIn(
            f"The run {id} keeps the stop waiting at row 1, in the code {__name__}.endless. ",
            told[0],
        )
        self.assertEqual([record.getMessage() for record in logged.records], told)

    def test_an_aborted_order_is_done_by_nobody(self):
        self.put("data.csv")
        self.put("more.csv", prefix="G")
        ids = []

        class Aborted(Exception):
            """The transaction of the order aborts."""

        def order_and_fail(operations):
            mapping = Mapping(FIELDS["facultyprocessor"])
            ids.append(
                operations.start_import("data.csv", "facultyprocessor", "create", mapping).id
            )
            raise Aborted

        with self.engine() as engine:
            with self.assertRaises(Aborted):
                self.portal.operations(order_and_fail, db=self.db)
            engine.ring(ids[0])
            self.finished(self.order("more.csv"))
        self.assertEqual({code[0] for code in self.faculties()}, {"G"})
        known = self.portal.change(lambda site: len(list(site["datacenter"].runs)), self.db)
        self.assertEqual(known, 1)

    def test_a_bell_before_the_commit(self):
        self.put("data.csv")
        engine = self.make_engine(self.db)
        heard = []

        def order_and_ring(operations):
            mapping = Mapping(FIELDS["facultyprocessor"])
            info = operations.start_import("data.csv", "facultyprocessor", "create", mapping)
            engine.ring(info.id, True)
            # Time to hear it, and to find nothing.
            heard.append(threading.Event().wait(0.5))
            return info.id

        with engine:
            (run,) = self.finished(self.portal.operations(order_and_ring, db=self.db))
        self.assertEqual(run["token"], 1)

    def test_a_bell_that_rings_again_and_again(self):
        self.put("data.csv")
        with self.held("data.csv") as (reached, go_on), self.engine() as engine:
            id = self.order("data.csv")
            for _ in range(20):
                engine.ring(id, True)
            self.assertTrue(reached.wait(PATIENCE))
            self.assertEqual(engine.at_work(), [id])
            for _ in range(20):
                engine.ring(id, True)
            go_on.set()
            (run,) = self.finished(id)
            for _ in range(20):
                engine.ring(id, True)
        self.assertEqual((run["done"], run["token"]), (20, 1))

    def test_a_bell_that_never_rings(self):
        self.put("data.csv")
        id = self.order("data.csv")
        with self.engine():
            self.finished(id)

    def test_runs_of_one_scope_keep_the_order_of_their_orders(self):
        for name in ("first.csv", "second.csv", "third.csv"):
            self.put(name)
        with mock.patch.object(lanes, "SMALL_BYTES", 1):
            ids = [self.order("first.csv")]
        # The later ones are small, and need what the first one makes.
        ids += [self.order("second.csv", mode="update"), self.order("third.csv", mode="remove")]
        with self.engine():
            runs = self.finished(*ids)
        self.assertEqual([(run["done"], run["failed"]) for run in runs], [(20, 0)] * 3)
        self.assertEqual(self.faculties(), [])

    def test_small_runs_come_before_large_ones(self):
        self.put("large.csv", rows=200)
        self.put("small.csv", "userprocessor", rows=2, prefix="u")
        with mock.patch.object(lanes, "SMALL_BYTES", 1000):
            ids = [self.order("large.csv"), self.order("small.csv", "userprocessor")]
            with self.engine(threads=1):
                large, small = self.finished(*ids)
        self.assertLess(small["started"], large["started"])

    def test_a_small_run_finds_a_worker_while_others_have_large_ones(self):
        for name in ("large.csv", "other.csv"):
            self.put(name, rows=200)
        self.put("small.csv", "userprocessor", rows=2, prefix="u")
        with (
            mock.patch.object(lanes, "SMALL_BYTES", 1000),
            self.held("large.csv") as (reached, go_on),
            self.engine(threads=2),
        ):
            large = self.order("large.csv", check=True)
            self.assertTrue(reached.wait(PATIENCE))
            # It waits for no other run, but the lane does not take it.
            other = self.order("other.csv", check=True)
            self.finished(self.order("small.csv", "userprocessor"))
            self.assertEqual(self.run_of(other)["state"], "queued")
            self.assertEqual(self.run_of(large)["state"], "running")
            go_on.set()
            self.finished(large, other)

    def test_tasks_are_done_again_and_again_whatever_they_raise(self):
        done, failed = [], []

        def fail(db, site_path):
            failed.append(site_path)
            raise ValueError("nothing")

        tasks = (
            Task("counting", 0.02, lambda db, site_path: done.append(site_path)),
            Task("failing", 0.02, fail),
        )
        with self.assertLogs("waeup.kofa.jobs.duties", "ERROR"), self.engine(tasks=tasks):
            self.until(lambda: len(done) > 2 and len(failed) > 2)
        self.assertEqual({*done, *failed}, {SITE})
        number = len(done)
        self.assertFalse(threading.Event().wait(0.2))
        self.assertEqual(len(done), number)

    def test_at_a_stop_runs_end_with_the_batch_and_go_on_later(self):
        self.put("data.csv")
        with self.held("data.csv", rows=10) as (reached, go_on):
            engine = self.make_engine(self.db)
            with engine:
                id = self.order("data.csv")
                engine.ring(id, True)
                self.assertTrue(reached.wait(PATIENCE))
                letting_go = begun(lambda: engine._stopping.wait(PATIENCE) and go_on.set())
            joined(letting_go)
        run = self.run_of(id)
        self.assertEqual((run["state"], run["rows"]), ("running", 10))
        with self.engine():
            (run,) = self.finished(id)
        self.assertEqual((run["done"], len(self.faculties())), (20, 20))

    def test_a_worker_that_is_killed(self):
        self.put("data.csv")
        with_database = self.portal.open()
        id = self.order("data.csv", db=with_database)
        with_database.close()
        pid = self.forked_worker("data.csv", 10)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with self.engine():
            (run,) = self.finished(id)
        self.assertEqual((run["done"], run["failed"], run["token"]), (20, 0, 2))
        self.assertEqual(len(self.faculties()), 20)

    def forked_worker(self, name, rows):
        """Start a process that works; return its number when it holds after so many rows."""
        for _attempt in range(3):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    logging.disable(logging.CRITICAL)
                    os.close(reading)
                    with self.held(name, rows) as (reached, _go_on):
                        engine = self.make_engine(self.portal.open())
                        engine.start()
                        reached.wait(PATIENCE)
                        os.write(writing, b"x")
                        time.sleep(PATIENCE)
                finally:
                    os._exit(1)
            os.close(writing)
            with open(reading, "rb", buffering=0) as pipe:
                # A fork may copy a lock that a thread of this process holds: it never begins.
                os.set_blocking(reading, False)
                deadline = time.monotonic() + 20
                while time.monotonic() < deadline:
                    if pipe.read(1):
                        return pid
                    time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise AssertionError("the worker does not come to the place")


class SharedContract(EngineContract):
    """Promises of engines that several processes have at once."""

    def restart_database(self):
        """Restart the server of the database, as after a crash."""
        raise NotImplementedError

    def test_two_engines_on_one_database_do_each_row_once(self):
        ids = []
        for number in range(4):
            self.put(f"f{number}.csv", prefix=f"F{number}")
            ids.append(self.order(f"f{number}.csv"))
            self.put(f"u{number}.csv", "userprocessor", prefix=f"u{number}")
            ids.append(self.order(f"u{number}.csv", "userprocessor"))
        with self.engine(), self.engine(db=self.open()):
            runs = self.finished(*ids)
        self.assertEqual([(run["done"], run["failed"]) for run in runs], [(20, 0)] * 8)
        self.assertEqual(len(self.faculties()), 80)

    def test_what_one_process_orders_another_one_does(self):
        self.put("data.csv")
        with self.make_engine(self.open()), self.engine(threads=0) as ringing:
            self.finished(self.order("data.csv"))
            self.assertEqual(ringing.workers()[:2], (0, 0))

    def test_a_worker_that_was_paused_finds_its_run_done_by_another(self):
        self.put("data.csv")
        beat, take = heartbeat._renew, SourceRows.take
        reached, go_on = threading.Event(), threading.Event()

        def renew(db, site_path, claim):
            return claim.holder == first.holder or beat(db, site_path, claim)

        def paused(source, number):
            if source.taken == 10 and not reached.is_set():
                reached.set()
                go_on.wait(PATIENCE)
            return take(source, number)

        first = self.make_engine(self.open())
        with (
            mock.patch.object(jobs_job, "LEASE", 1.5),
            mock.patch.object(heartbeat, "_renew", renew),
            mock.patch.object(SourceRows, "take", paused),
            first,
        ):
            id = self.order("data.csv")
            first.ring(id, True)
            self.assertTrue(reached.wait(PATIENCE))
            # Who is paused does not look after things, either.
            first._keeper.stop()
            try:
                with self.engine():
                    (run,) = self.finished(id)
            finally:
                with self.assertLogs("waeup.kofa.jobs.worker", "WARNING") as logged:
                    go_on.set()
                    self.until(lambda: not first.at_work())
        self.assertIn("is done by somebody else", logged.output[0])
        self.assertEqual((run["done"], run["token"]), (20, 2))
        self.assertEqual(self.run_of(id), run)
        self.assertEqual(len(self.faculties()), 20)

    def test_a_command_leaves_a_run_to_the_worker_that_has_it(self):
        self.put("data.csv")
        with self.held("data.csv") as (reached, go_on), self.engine():
            id = self.order("data.csv")
            self.assertTrue(reached.wait(PATIENCE))
            database = self.open()
            command = begun(lambda: work_off(database, SITE, id, new_holder(), is_shared=True))
            self.assertFalse(threading.Event().wait(3 * doorbells.INTERVAL))
            self.assertTrue(command.is_alive())
            go_on.set()
            (run,) = self.finished(id)
            joined(command)
        self.assertEqual((run["done"], run["token"]), (20, 1))

    def test_a_command_works_where_nobody_else_does(self):
        self.put("data.csv")
        self.put("more.csv", prefix="G")
        ids = [self.order("data.csv"), self.order("more.csv")]
        in_own_thread(lambda: work_off(self.db, SITE, ids[1], new_holder(), is_shared=True))
        self.finished(*ids)

    def test_a_database_that_is_restarted_amid_a_run(self):
        self.put("data.csv")
        with self.held("data.csv", rows=10) as (reached, go_on), self.engine():
            id = self.order("data.csv")
            self.assertTrue(reached.wait(PATIENCE))
            self.restart_database()
            go_on.set()
            (run,) = self.finished(id)
        self.assertEqual((run["done"], run["failed"]), (20, 0))
        self.assertEqual(len(self.faculties()), 20)

    def test_a_database_that_is_restarted_while_nothing_is_done(self):
        self.put("data.csv")
        with self.engine():
            self.restart_database()
            self.until(lambda: self.run_of(self.order_again("data.csv"))["state"])
            self.until(lambda: len(self.faculties()) == 20)

    def order_again(self, name):
        """Order an import as soon as the database is back."""

        def order():
            try:
                return self.order(name)
            except Exception as error:
                if not (is_away(error) or isinstance(error, TransientError)):
                    raise
                return None

        return self.until(order)

    def test_each_task_is_done_by_one_process_at_a_time(self):
        done = []

        def task_of(name):
            return (Task("counting", 0.02, lambda db, site_path: done.append(name)),)

        engines = {
            "first": self.make_engine(self.db, 1, task_of("first")),
            "second": self.make_engine(self.open(), 1, task_of("second")),
        }
        for engine in engines.values():
            engine.start()
        try:
            self.until(lambda: len(done) > 5)
            former = done[0]
            self.assertEqual(set(done), {former})
            engines.pop(former).stop()
            done.clear()
            self.until(lambda: len(done) > 5)
            self.assertEqual(set(done), set(engines))
        finally:
            for engine in engines.values():
                engine.stop()
