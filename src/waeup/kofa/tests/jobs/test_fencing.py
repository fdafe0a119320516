"""Two workers and one run: whoever was paused and woken too late changes nothing any more.

A worker stops itself (SIGSTOP) at an interesting place.  Its lease ends, another one takes the
run and finishes it; then the first one is woken.  Both are processes on one database, which a
server has: PostgreSQL, if the tests use it, otherwise ZEO.
"""

import logging
import os
import signal
import threading
import time
import unittest
from contextlib import closing, contextmanager, nullcontext
from unittest import mock

import transaction
from ZODB.POSException import ConflictError

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import WrongState
from waeup.kofa.importing import segments
from waeup.kofa.importing.batches import SourceRows
from waeup.kofa.importing.engine import RowEngine
from waeup.kofa.importing.results import ResultFiles
from waeup.kofa.jobs import distributing, imports, new_holder, undos, work_on
from waeup.kofa.jobs import job as jobs_job
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.jobs.job import claim
from waeup.kofa.jobs.worker import nobody_is_dead
from waeup.kofa.spool import locks
from waeup.kofa.spool.disk import disk
from waeup.kofa.tabular import TableWriter
from waeup.kofa.tests.databases import kind_of_tests
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town, TownTestCase, few_rows
from waeup.kofa.tests.jobs.portal import OTHER, SITE
from waeup.kofa.tests.waiting import begun, ended, joined

#: Seconds of a lease, and for which a worker waits for the lock of the storage.
LEASE, PATIENCE = 0.25, 0.2
#: Seconds after which a worker is not believed to begin any more.
BEGINNING = 20
ROWS = [f"bad code,{n}" if n % 3 == 2 else f"F{n},Title {n}" for n in range(9)]
TABLE = "\r\n".join(("code,title", *ROWS, ""))


#: Taken by each commit of a worker that pauses: amid one, all others would wait for it.
_committing = threading.RLock()


def pause():
    """Stop this process until somebody wakes it."""
    with _committing:
        # By way of this thread, which would go on for a moment if another one got the signal.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


@contextmanager
def whole_commits():
    """Let no thread pause the process while another one, such as the heartbeat, commits."""
    commit = transaction.Transaction.commit

    def alone(txn):
        with _committing:
            commit(txn)

    with mock.patch.object(transaction.Transaction, "commit", alone):
        yield


def _before(owner, name, call=1):
    """Pause before the function `name` of `owner` is called for the `call`-th time."""
    real, calls = getattr(owner, name), []

    def paused(*args, **kw):
        calls.append(1)
        if len(calls) == call:
            pause()
        return real(*args, **kw)

    return mock.patch.object(owner, name, paused)


def _after(owner, name, call=1):
    """Pause after it."""
    real, calls = getattr(owner, name), []

    def paused(*args, **kw):
        calls.append(1)
        answer = real(*args, **kw)
        if len(calls) == call:
            pause()
        return answer

    return mock.patch.object(owner, name, paused)


def _in_the_middle_of_a_row():
    """Pause when half of a row has been written to a file."""
    real, calls = TableWriter.write_all, []

    def write_all(writer, rows):
        calls.append(1)
        if len(calls) == 2:
            writer._stream.write(rows[0][0])
            writer._stream.flush()
            pause()
            writer._stream.write("...\r\n")
            writer._stream.flush()
        real(writer, rows)

    return mock.patch.object(TableWriter, "write_all", write_all)


@contextmanager
def impatient():
    """Let waits for the lock of a storage be short."""
    function = locks.storage_lock.__wrapped__
    with mock.patch.object(function, "__defaults__", (PATIENCE,)):
        yield


@contextmanager
def no_locks():
    """Let the storage be one on which locks of other machines are not seen."""

    @contextmanager
    def nothing(*args, **kw):
        yield

    with (
        mock.patch("waeup.kofa.spool.storage_lock", nothing),
        mock.patch("waeup.kofa.spool.claimed", nothing),
    ):
        yield


#: Where a worker pauses while it applies rows.
AMID_ROWS = {
    "before its first batch": lambda: _before(SourceRows, "take", 1),
    "between two batches": lambda: _before(SourceRows, "take", 2),
    "in the middle of a row": _in_the_middle_of_a_row,
    "with a batch applied": lambda: _after(RowEngine, "apply", 2),
    "before rows are forced out": lambda: _before(ResultFiles, "sync", 2),
    "between the files and the commit": lambda: _after(ResultFiles, "sync", 2),
    "before the last batch is committed": lambda: _after(ResultFiles, "sync", 3),
    "when all rows are done": lambda: _before(SourceRows, "take", 4),
}


class Fencing(unittest.TestCase):
    """See above."""

    layer = FunctionalLayer

    def setUp(self):
        kind = "postgresql" if kind_of_tests() == "postgresql" else "zeo"
        self.town = Town({"data.csv": TABLE}, kind)
        self.addCleanup(self.town.close)
        self.children = []
        self.addCleanup(self.kill)
        for patch in (
            few_rows(3),
            mock.patch.object(jobs_job, "LEASE", LEASE),
            mock.patch.object(jobs_job, "PAUSE", 0.001),
            impatient(),
        ):
            patch.__enter__()
            self.addCleanup(patch.__exit__, None, None, None)
        self.begin()
        self.undisturbed = self.result()

    def kill(self):
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def begin(self):
        """Make everything as it was, order the import, and let it be done here."""
        self.town.set_up()
        self.id = self.town.operations(self.order)
        self.town.work_off(self.id)

    def start(self):
        """Make everything as it was, and order the import."""
        self.town.set_up()
        self.town.recover()
        self.id = self.town.operations(self.order)

    @staticmethod
    def order(operations):
        mapping = Mapping(("code", "title"))
        return operations.start_import("data.csv", "facultyprocessor", "create", mapping).id

    def result(self, db=None):
        """Return the objects and the files."""
        return self.town.objects(db), self.town.tree()

    def paused_worker(self, place, id=None, without=nullcontext):
        """Start a worker that pauses at a place; return its process when it does.

        A fork may copy a lock that a thread of this process, such as that of a client of ZEO,
        holds at this moment; such a worker never begins, and another one is started.
        """
        id = id or self.id
        for _attempt in range(3):
            pid = self.started_worker(place, id, without)
            deadline = time.monotonic() + BEGINNING
            while (found := os.waitpid(pid, os.WUNTRACED | os.WNOHANG)) == (0, 0):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.005)
            else:
                self.assertTrue(os.WIFSTOPPED(found[1]), "the worker ended without having paused")
                return pid
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.children.remove(pid)
        raise AssertionError("the worker does not come to the place")

    def started_worker(self, place, id, without):
        """Start a worker that is to pause at a place; return its process."""
        pid = os.fork()
        if pid == 0:
            status = 9
            try:
                logging.disable(logging.CRITICAL)
                with closing(self.town.open()) as db, whole_commits(), without(), place():
                    in_own_thread(lambda: work_on(db, SITE, id, "the first"))
                status = 0
            finally:
                os._exit(status)
        self.children.append(pid)
        return pid

    def wake(self, pid):
        """Let a worker go on, and wait for its end."""
        os.kill(pid, signal.SIGCONT)
        self.children.remove(pid)
        self.assertEqual(os.waitstatus_to_exitcode(ended(pid)), 0)

    def another_worker(self, db, id=None):
        """Work on the run as another machine does, as soon as that can be; return its state."""
        id = id or self.id
        deadline = time.monotonic() + 10
        while not in_own_thread(lambda: work_on(db, SITE, id, new_holder())):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        return self.state(db, id)

    def state(self, db, id):
        """Return the state of a run, which has no fault."""

        def ask(site):
            run = site["datacenter"].runs.get(id)
            return run.state, run.fault

        state, fault = self.town.change(ask, db)
        self.assertEqual(fault, "")
        return state

    def test_a_worker_whose_lease_has_passed_commits_nothing(self):
        for title, place in AMID_ROWS.items():
            with self.subTest(title):
                self.start()
                pid = self.paused_worker(place)
                with closing(self.town.open()) as db:
                    self.assertEqual(self.another_worker(db), "finished")
                    self.assertEqual(self.result(db), self.undisturbed)
                    last = db.lastTransaction()
                    self.wake(pid)
                    self.assertEqual(db.lastTransaction(), last)
                    self.assertEqual(self.result(db), self.undisturbed)
                    self.assertEqual(self.town.recover(db), [])

    def test_a_worker_that_is_woken_while_the_other_works(self):
        """Both write at the same time, each to segments of its own."""
        for title, place in list(AMID_ROWS.items())[::2]:
            with self.subTest(title):
                self.start()
                pid = self.paused_worker(place)
                woken, join = [], segments.join

                def wake_first(*args, pid=pid, woken=woken, join=join):
                    if not woken:
                        woken.append(1)
                        self.wake(pid)
                    return join(*args)

                with closing(self.town.open()) as db:
                    with mock.patch.object(segments, "join", wake_first):
                        self.assertEqual(self.another_worker(db), "finished")
                    self.assertEqual(woken, [1])
                    self.assertEqual(self.result(db), self.undisturbed)
                    self.assertEqual(self.town.recover(db), [])

    def distributing(self):
        """Return places at which a worker pauses that has the lock of the storage."""
        return {
            "before the intent": lambda: _before(distributing, "end_rows"),
            "before the first file is placed": lambda: _before(distributing.results, "perform"),
            # Three links are those of staged files.
            "amid the files": lambda: _before(disk, "link", 5),
            "before the source goes": lambda: _before(disk, "unlink", 1),
            "before it says that it is done": lambda: _after(distributing.results, "perform"),
        }

    def test_a_worker_that_has_the_lock_of_the_storage(self):
        """On one machine the other one cannot put files away: it comes back later."""
        for title, place in self.distributing().items():
            with self.subTest(title):
                self.start()
                pid = self.paused_worker(place)
                with closing(self.town.open()) as db:
                    state = self.another_worker(db)
                    self.assertIn(state, ("running", "distributing"))
                    self.wake(pid)
                    self.assertEqual(self.another_worker(db), "finished")
                    self.assertEqual(self.result(db), self.undisturbed)
                    self.assertEqual(self.town.recover(db), [])

    def test_a_worker_whose_lock_nobody_sees(self):
        """On a shared directory the other one puts the files away, and both may do it."""
        for title, place in self.distributing().items():
            with self.subTest(title):
                self.start()
                pid = self.paused_worker(place, without=no_locks)
                with closing(self.town.open()) as db:
                    with no_locks():
                        self.assertEqual(self.another_worker(db), "finished")
                    self.assertEqual(self.result(db), self.undisturbed)
                    last = db.lastTransaction()
                    self.wake(pid)
                    self.assertEqual(db.lastTransaction(), last)
                    found = self.town.recover(db)
                    self.assertEqual([each for each in found if each.code != "stale"], [])
                    self.assertEqual(self.result(db), self.undisturbed)

    def test_an_undo(self):
        places = {
            "before its first batch": lambda: _before(undos, "undo_effect", 1),
            "amid a batch": lambda: _before(undos, "undo_effect", 4),
            "between the files and the commit": lambda: _after(ResultFiles, "sync", 2),
        }
        self.town.operations(lambda o: o.start_undo(self.id))
        id = self.undo_id()
        self.town.work_off(id)
        undone = self.result()
        for title, place in places.items():
            with self.subTest(title):
                self.begin()
                self.town.operations(lambda o: o.start_undo(self.id))
                undo = self.undo_id()
                pid = self.paused_worker(place, undo)
                with closing(self.town.open()) as db:
                    self.assertEqual(self.another_worker(db, undo), "finished")
                    objects, files = self.result(db)
                    # The rows of what it has removed wait for its commit.
                    files = {name: files[name] for name in files if name[:5] != ".work"}
                    self.assertEqual((objects, files), undone)
                    last = db.lastTransaction()
                    self.wake(pid)
                    self.assertEqual(db.lastTransaction(), last)
                    self.assertEqual(self.result(db), undone)

    def undo_id(self):
        return self.town.change(lambda site: site["datacenter"].runs.get(self.id).undone_by)


class AtOnce(TownTestCase):
    """What two do at the same time, with their commits one after the other."""

    def setUp(self):
        super().setUp()
        self.lines = ("code,title", "F1,One", "F2,Two")

    @contextmanager
    def before_commit(self, act):
        """Let `act` be done in another thread before the next commit of this one."""
        real, done = transaction.commit, []

        def commit():
            if not done:
                done.append(1)
                in_own_thread(act)
            real()

        with mock.patch.object(transaction, "commit", commit):
            yield
        self.assertEqual(done, [1])

    def claim(self, id, holder):
        return in_own_thread(lambda: claim(self.db, SITE, id, holder, nobody_is_dead))

    def test_two_workers_claim_a_run(self):
        id = self.order("facultyprocessor", "create", *self.lines)
        second = []
        with self.before_commit(lambda: second.append(self.claim(id, "second"))):
            first = self.claim(id, "first")
        self.assertIsNone(first)
        self.assertEqual((second[0].holder, second[0].token), ("second", 1))

    def test_many_workers_work_on_a_run(self):
        id = self.order("facultyprocessor", "create", *self.lines)
        claimed, barrier = [], threading.Barrier(6, timeout=BEGINNING)

        def work():
            barrier.wait()
            claimed.append(work_on(self.db, SITE, id, new_holder()))

        joined(*(begun(work) for _ in range(6)))
        self.assertEqual(claimed.count(True), 1)
        self.assertEqual((self.info(id).state, self.info(id).report.created), ("finished", 2))

    def test_two_officers_order_an_import_of_a_file(self):
        self.town.put("data.csv", *self.lines)
        other = []

        def order(user):
            return self.order("facultyprocessor", "create", user=user)

        with (
            self.before_commit(lambda: other.append(order(OTHER))),
            self.assertRaises(ConflictError),
        ):
            order("anna")
        with self.assertRaisesRegex(WrongState, "belongs to the import that bola has ordered"):
            order("anna")
        self.assertEqual(self.work(other[0]).report.created, 2)
        self.assertEqual(len(self.ask(lambda o: o.runs())), 1)

    def test_checks_of_different_files_at_once_are_no_conflict(self):
        ids, mapping = [], Mapping(("code", "title"))
        self.town.put("data.csv", *self.lines)
        self.town.put("other.csv", "code,title", "F3,Three")

        def check(user, name):
            arguments = (name, "facultyprocessor", "create", mapping)
            ids.append(self.ask(lambda o: o.start_check(*arguments), user).id)

        with self.before_commit(lambda: check(OTHER, "other.csv")):
            check("anna", "data.csv")
        self.assertEqual({run.id for run in self.ask(lambda o: o.runs())}, set(ids))
        self.assertEqual(len(ids), 2)

    def test_two_officers_order_an_undo_of_a_run(self):
        id = self.order("facultyprocessor", "create", *self.lines)
        self.work(id)
        other = []

        def order(user):
            return self.ask(lambda o: o.start_undo(id), user).id

        with (
            self.before_commit(lambda: other.append(order(OTHER))),
            self.assertRaises(ConflictError),
        ):
            order("anna")
        with self.assertRaisesRegex(WrongState, "taken back by another run already"):
            order("anna")
        self.assertEqual(self.work(other[0]).report.removed, 2)

    def test_an_order_and_a_cancel_of_a_run_at_once(self):
        id = self.order("facultyprocessor", "create", *self.lines)
        with self.before_commit(lambda: self.ask(lambda o: o.cancel(id), OTHER)):
            self.assertIsNone(self.claim(id, "first"))
        self.assertEqual(self.info(id).state, "cancelled")
        self.assertIsNone(self.claim(id, "second"))

    def test_two_runs_of_one_scope_do_not_begin_at_once(self):
        first = self.order("facultyprocessor", "create", *self.lines)
        lines = ("code,title", "F3,Three")
        second = self.order("facultyprocessor", "create", *lines, name="more.csv")
        # Whoever sees only the second one would take it: let the first be queued again later.
        self.assertIsNone(self.claim(second, "impatient"))
        self.stopped_at(0, first)

        def resume_and_claim():
            self.ask(lambda o: o.resume(first))
            got.append(self.claim(first, "one"))

        got = []
        with self.before_commit(resume_and_claim):
            got.append(self.claim(second, "two"))
        self.assertEqual([each and each.holder for each in got], ["one", None])
        self.assertEqual(self.info(second).state, "queued")

    def test_an_undo_and_an_import_of_one_scope_do_not_begin_at_once(self):
        first = self.order("facultyprocessor", "create", *self.lines)
        self.work(first)
        undo = self.ask(lambda o: o.start_undo(first)).id
        second = self.order("facultyprocessor", "create", "code,title", "F3,x", name="more.csv")
        self.assertIsNone(self.claim(second, "impatient"))
        self.assertIsNotNone(self.claim(undo, "one"))
        self.assertIsNone(self.claim(second, "impatient"))

    def test_a_check_waits_for_nobody(self):
        first = self.order("facultyprocessor", "create", *self.lines)
        self.claim(first, "one")
        self.town.put("more.csv", "code,title", "F3,x")
        mapping = Mapping(("code", "title"))
        check = self.ask(
            lambda o: o.start_check("more.csv", "facultyprocessor", "create", mapping)
        )
        self.assertIsNotNone(self.claim(check.id, "two"))

    def test_a_recovery_that_is_quicker_than_the_worker(self):
        """The files were put away while the worker waited for the lock of the storage."""
        id = self.order("facultyprocessor", "create", *self.lines)
        with mock.patch.object(imports, "carry_out", side_effect=OSError("the process dies")):
            self.assertEqual(self.work(id).state, "stopped")
        self.ask(lambda o: o.resume(id))
        turn = distributing.turn

        @contextmanager
        def late(job):
            codes.append([each.code for each in self.town.recover(self.db)])
            with turn(job):
                yield

        codes = []
        quiet = self.assertNoLogs("waeup.kofa.jobs", "ERROR")
        with mock.patch.object(imports, "turn", late), quiet:
            run = self.work(id)
        self.assertIn("completed", codes[0])
        self.assertEqual((run.state, run.fault, run.report.created), ("finished", "", 2))
        self.assertNotIn(".work", self.stored())
        self.assertEqual(self.town.recover(self.db), [])
