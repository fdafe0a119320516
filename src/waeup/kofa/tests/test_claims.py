"""Claims in the database: who has what, and what becomes of those of the dead.

Two presences on one database stand for two processes: nothing in memory is shared by them.
"""

import os
import shutil
import tempfile
import threading
import time
import unittest
from unittest import mock

import transaction
import ZODB
from BTrees.OOBTree import OOBTree
from ZODB.MappingStorage import MappingStorage
from ZODB.POSException import ConflictError, ReadConflictError

from waeup.kofa import claims, presence, spool
from waeup.kofa.errors import ItemBusy, NoSuchItem
from waeup.kofa.presence import Life, living, processes_of
from waeup.kofa.spool import WorkFolder
from waeup.kofa.spool.locks import exclusion, require_held
from waeup.kofa.tests.spool.faultydisk import FAST, write
from waeup.kofa.tests.waiting import PATIENCE, begun, joined


class Portal:
    """As much of a portal as claims know: a site with a data center."""

    former = ()

    def __init__(self, storage):
        self.storage = storage


class ClaimsCase(unittest.TestCase):
    """A storage, a database, and as many processes as wanted; the clock of all can be set."""

    def setUp(self):
        self.home = os.path.realpath(tempfile.mkdtemp(dir=FAST))
        self.addCleanup(shutil.rmtree, self.home)
        self.storage = os.path.join(self.home, "storage")
        os.mkdir(self.storage)
        self.db = ZODB.DB(MappingStorage())
        self.addCleanup(self.db.close)
        self.now = 1000.0
        clock = mock.Mock(wraps=time)
        clock.monotonic = clock.clock_gettime = lambda *which: self.now
        patch = mock.patch.object(presence, "time", clock)
        patch.start()
        self.addCleanup(patch.stop)

    def file(self, name="data.csv"):
        return write(os.path.join(self.storage, name), "x")

    def life(self, what="test"):
        """Enter a process that gives signs of life only when it is told to."""
        life = Life(self.db, what)
        life.beat()
        return life

    def process(self, what="test"):
        """Return the exclusion of a process."""
        return claims.DatabaseExclusion(self.life(what), "/kofa")

    def let_pass(self, seconds, *living):
        """Let time pass, in which some exclusions are those of processes that live."""
        for _ in range(int(seconds / presence.BEAT)):
            self.now += presence.BEAT
            for each in living:
                each._life.beat()

    def claimed_keys(self):
        with self.db.transaction() as connection:
            return [key for key, claim in processes_of(connection).claims.items() if claim]

    def present(self):
        with self.db.transaction() as connection:
            return [each.holder for each in processes_of(connection).all()]


class Taking(ClaimsCase):
    """One has what the other has not."""

    def test_what_one_has_the_other_has_not(self):
        one, other = self.process(), self.process()
        path = self.file()
        held = one.take(path)
        self.assertIsNone(other.take(path))
        self.assertIsNone(one.take(path))
        held.release()
        held = other.take(path)
        self.assertIsNone(one.take(path))
        held.release()
        self.assertEqual(self.claimed_keys(), [])

    def test_several_are_taken_all_or_none(self):
        one, other = self.process(), self.process()
        paths = [self.file(f"{name}.csv") for name in "abc"]
        held = one.take(paths[1])
        self.assertEqual(other.take_all(paths), (None, paths[1]))
        self.assertEqual(self.claimed_keys(), [paths[1]])
        held.release()
        all_held, busy = other.take_all(paths)
        self.assertIsNone(busy)
        self.assertEqual(self.claimed_keys(), paths)
        all_held.release()
        self.assertEqual(self.claimed_keys(), [])

    def test_what_is_missing_cannot_be_had(self):
        one = self.process()
        with self.assertRaises(FileNotFoundError) as caught:
            one.take_all([self.file(), os.path.join(self.storage, "none.csv")])
        self.assertEqual(os.path.basename(caught.exception.filename), "none.csv")
        with self.assertRaises(NotADirectoryError):
            one.take(self.file(), os.O_DIRECTORY)
        self.assertEqual(self.claimed_keys(), [])

    def test_what_goes_while_it_is_taken_is_not_held(self):
        one, path = self.process(), self.file()
        committed = claims.committed

        def commit(db, work):
            result = committed(db, work)
            if os.path.exists(path):
                os.unlink(path)
            return result

        with (
            mock.patch.object(claims, "committed", commit),
            self.assertRaises(FileNotFoundError),
        ):
            one.take(path)
        self.assertEqual(self.claimed_keys(), [])

    def test_of_many_at_once_one_has_it(self):
        path = self.file()
        processes = [self.process() for _ in range(6)]
        barrier, found = threading.Barrier(len(processes), timeout=PATIENCE), []

        def take(process):
            barrier.wait()
            found.append(process.take(path))

        joined(*(begun(take, each) for each in processes))
        self.assertEqual(len([each for each in found if each]), 1)

    def test_different_files_are_taken_at_once(self):
        processes = [self.process() for _ in range(6)]
        barrier, found = threading.Barrier(len(processes), timeout=PATIENCE), []

        def take(number, process):
            path = self.file(f"{number}.csv")
            barrier.wait()
            for _ in range(10):
                held = process.take(path)
                found.append(held)
                held.release()

        joined(*(begun(take, *each) for each in enumerate(processes)))
        self.assertEqual(len([each for each in found if each]), 60)
        self.assertEqual(self.claimed_keys(), [])

    def test_who_looks_sees_what_is_taken(self):
        one, other = self.process(), self.process()
        paths = [self.file("a.csv"), self.file("b.csv"), os.path.join(self.storage, "gone.csv")]
        self.assertFalse(one.are_taken(paths))
        self.assertFalse(one.are_taken([]))
        held = other.take(paths[1])
        self.assertTrue(one.are_taken(paths))
        self.assertFalse(one.are_taken(paths[:1]))
        held.release()
        self.assertFalse(one.are_taken(paths))

    def test_a_forked_process_has_nothing_and_can_take_nothing(self):
        one, path = self.process(), self.file()
        held = one.take(path)
        with mock.patch.object(presence.os, "getpid", lambda: -1):
            held.release()
            with self.assertRaises(RuntimeError):
                one.take(path)
        self.assertEqual(self.claimed_keys(), [path])

    def test_a_transaction_of_the_caller_is_not_touched(self):
        one, path = self.process(), self.file()
        connection = self.db.open()
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        connection.root()["mine"] = OOBTree()
        held = one.take(path)
        self.assertTrue(connection._registered_objects)
        held.release()
        transaction.commit()
        self.assertIn("mine", connection.root())

    def test_files_have_the_same_key_wherever_a_storage_is_mounted(self):
        """What the database calls the storage is a link on this machine."""
        linked = os.path.join(self.home, "linked")
        os.symlink(self.storage, linked)
        with self.db.transaction() as connection:
            connection.root()["Application"] = OOBTree()
        one = self.process()
        with mock.patch.object(
            claims, "traverse", lambda root, path: {"datacenter": Portal(linked)}
        ):
            self.file()
            for path in (linked, self.storage):
                held = one.take(os.path.join(path, "data.csv"))
                self.assertEqual(self.claimed_keys(), [os.path.join(linked, "data.csv")])
                held.release()
            held = one.take(self.storage, os.O_DIRECTORY)
            self.assertEqual(self.claimed_keys(), [linked])
            self.assertTrue(one.are_taken([linked]))
            held.release()


class Dying(ClaimsCase):
    """What the dead had is free, and only that."""

    def test_who_gives_no_sign_for_a_minute_is_buried_with_all_he_had(self):
        one, other = self.process(), self.process()
        path = self.file()
        one.take(path)
        self.let_pass(presence.DEAD - presence.BEAT, other)
        self.assertIsNone(other.take(path))
        with self.assertLogs(presence.log, "WARNING"):
            self.let_pass(2 * presence.BEAT, other)
        self.assertEqual(self.present(), [other._life.holder])
        self.assertEqual(self.claimed_keys(), [])
        self.assertIsNotNone(other.take(path))

    def test_who_lives_is_left_alone(self):
        one, other = self.process(), self.process()
        path = self.file()
        one.take(path)
        with self.assertNoLogs(presence.log, "WARNING"):
            self.let_pass(5 * presence.DEAD, one, other)
        self.assertIsNone(other.take(path))

    def test_who_is_surely_dead_is_buried_at_once(self):
        one, other = self.process(), self.process()
        path = self.file()
        one.take(path)
        dead = one._life.holder
        with (
            mock.patch.object(claims, "is_surely_dead", lambda holder: holder == dead),
            mock.patch.object(presence, "is_surely_dead", lambda holder: holder == dead),
        ):
            self.assertFalse(other.are_taken([path]))
            held = other.take(path)
            self.assertIsNotNone(held)
            self.assertEqual(self.present(), [other._life.holder])
            held.require()

    def test_nobody_is_buried_by_who_could_not_look(self):
        """After the database was away for long all have a minute to give a sign."""
        one, other = self.process(), self.process()
        self.let_pass(presence.BEAT, one, other)
        self.now += 10 * presence.DEAD
        with self.assertNoLogs(presence.log, "WARNING"):
            other._life.beat()
            self.now += presence.BEAT
            other._life.beat()
            one._life.beat()
        self.assertEqual(len(self.present()), 2)

    def test_a_beat_and_a_burial_at_the_same_time_are_a_conflict(self):
        one = self.life()
        managers = [transaction.TransactionManager() for _ in range(2)]
        connections = [self.db.open(manager) for manager in managers]
        for connection in connections:
            self.addCleanup(connection.close)
        for order in (0, 1), (1, 0):
            for manager in managers:
                manager.begin()
            beating, burying = (processes_of(connection) for connection in connections)
            beating.present[one.holder].beat.change()
            burying.bury(one.holder)
            first, second = order
            managers[first].commit()
            with self.assertRaises(ConflictError):
                managers[second].commit()
            managers[second].abort()
            if first == 1:
                return
            one.beat()

    def test_who_was_buried_and_wakes_says_so_and_goes_on(self):
        one, other = self.process(), self.process()
        path = self.file()
        held = one.take(path)
        generation = one._life.generation
        with self.assertLogs(presence.log, "WARNING"):
            self.let_pass(presence.DEAD + presence.BEAT, other)
        theirs = other.take(path)
        with self.assertRaises(ItemBusy):
            held.require()
        with self.assertLogs(claims.log, "WARNING"):
            held.release()
        self.assertEqual(self.claimed_keys(), [path])
        # It takes something before its next beat.
        with self.assertLogs(presence.log, "WARNING"):
            more = one.take(self.file("more.csv"))
        self.assertGreater(one._life.generation, generation)
        more.require()
        with self.assertRaises(ItemBusy):
            held.require()
        theirs.require()
        self.assertEqual(len(self.present()), 2)

    def test_what_the_database_could_not_be_told_it_hears_with_the_next_beat(self):
        one, path = self.process(), self.file()
        held = one.take(path)
        with (
            mock.patch.object(claims, "committed", side_effect=OSError("away")),
            self.assertLogs(claims.log, "ERROR"),
        ):
            held.release()
        self.assertEqual(self.claimed_keys(), [path])
        with (
            mock.patch.object(presence, "committed", side_effect=OSError("away")),
            self.assertRaises(OSError),
        ):
            one._life.beat()
        one._life.beat()
        self.assertEqual(self.claimed_keys(), [])

    def test_who_leaves_in_order_leaves_nothing(self):
        site = mock.Mock()
        with claims.install(self.db, "/kofa", "web") as life:
            held = exclusion().take(self.file())
            self.assertEqual(len(self.claimed_keys()), 1)
            with self.db.transaction() as connection:
                site._p_jar = connection
                [found] = living(site)
            self.assertEqual(
                (found.holder, found.what, found.pid), (life.holder, "web", os.getpid())
            )
            self.assertLessEqual(found.since, found.seen)
        self.assertEqual(self.present(), [])
        self.assertEqual(self.claimed_keys(), [])
        self.assertNotIsInstance(exclusion(), claims.DatabaseExclusion)
        del held

    def test_without_a_shared_database_nobody_is_there(self):
        site = mock.Mock()
        with self.db.transaction() as connection:
            site._p_jar = connection
            self.assertEqual(living(site), [])


class Waking(ClaimsCase):
    """Who was taken for dead learns it before he changes anything, and cannot commit."""

    def setUp(self):
        super().setUp()
        self.one, self.other = self.process(), self.process()

    def bury(self):
        with self.assertLogs(presence.log, "WARNING"):
            self.let_pass(presence.DEAD + presence.BEAT, self.other)

    def test_as_long_as_the_beat_is_young_nobody_is_asked(self):
        held = self.one.take(self.file())
        with mock.patch.object(claims, "committed", side_effect=AssertionError):
            held.require()
            self.now += presence.CERTAIN - 1
            held.require()
        self.now += 2
        with mock.patch.object(claims, "committed", side_effect=AssertionError("asked")) as asked:
            with self.assertRaises(AssertionError):
                held.require()
            self.assertTrue(asked.called)
        held.require()

    def test_a_thread_asks_for_all_it_holds(self):
        path = self.file()
        with spool.use_exclusion(self.one):
            with (
                self.assertLogs(claims.log, "WARNING"),
                spool.claimed(path),
                spool.storage_lock(self.storage),
            ):
                require_held()
                self.bury()
                with self.assertRaises(ItemBusy):
                    require_held()
            require_held()

    def test_who_gets_a_new_record_while_he_asks_learns_it(self):
        held = self.one.take(self.file())
        self.bury()
        real = claims.committed

        def meanwhile(db, work):
            # As the thread does that gives signs of life.
            self.one._life.beat()
            return real(db, work)

        with (
            mock.patch.object(claims, "committed", meanwhile),
            self.assertLogs(presence.log, "WARNING"),
            self.assertRaises(ItemBusy),
        ):
            held.require()

    def test_a_transaction_with_a_new_record_does_not_depend_on_what_was_lost(self):
        connection = self.db.open()
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        with (
            spool.use_exclusion(self.one),
            self.assertLogs(claims.log, "WARNING"),
            spool.storage_lock(self.storage),
        ):
            self.bury()
            with self.assertLogs(presence.log, "WARNING"):
                self.one._life.beat()
            transaction.begin()
            connection.root()["mine"] = 1
            with self.assertRaises(ItemBusy):
                claims.fence(connection)

    def test_a_transaction_that_depends_on_it_is_a_conflict(self):
        connection = self.db.open()
        self.addCleanup(connection.close)
        self.addCleanup(transaction.abort)
        with spool.use_exclusion(self.one):
            connection.root()["mine"] = 1
            claims.fence(connection)
            self.bury()
            with self.assertRaises(ReadConflictError):
                transaction.commit()
            transaction.abort()
            with self.assertRaises(ItemBusy):
                claims.fence(connection)
            with self.assertLogs(presence.log, "WARNING"):
                self.one._life.beat()
            transaction.abort()
            connection.root()["mine"] = 2
            claims.fence(connection)
            transaction.commit()

    def test_beats_are_no_conflict_for_it(self):
        connection = self.db.open()
        self.addCleanup(connection.close)
        with spool.use_exclusion(self.one):
            connection.root()["mine"] = 1
            claims.fence(connection)
            self.one._life.beat()
            transaction.commit()

    def test_on_one_machine_nothing_is_asked(self):
        claims.fence(None)
        with claims.turn("care") as is_ours:
            self.assertTrue(is_ours)


class Turns(ClaimsCase):
    """Some work is done by one process at a time."""

    def test_one_at_a_time(self):
        one, other = self.process(), self.process()
        with spool.use_exclusion(one), claims.turn("care") as is_ours:
            self.assertTrue(is_ours)
            with spool.use_exclusion(other):
                with claims.turn("care") as is_theirs:
                    self.assertFalse(is_theirs)
                with claims.turn("other work") as is_theirs:
                    self.assertTrue(is_theirs)
        self.assertEqual(self.claimed_keys(), [])


class Claiming(ClaimsCase):
    """`claimed` and `storage_lock` over claims of the database."""

    def test_the_thread_that_has_a_file_may_claim_it_again(self):
        path, other = self.file(), self.process()
        with spool.use_exclusion(self.process()):
            with spool.claimed(path):
                with spool.claimed(path), spool.claimed(path, self.file("b.csv")):
                    pass
                self.assertIsNone(other.take(path))
            self.assertIsNotNone(other.take(path))

    def test_what_is_gone_is_said(self):
        with (
            spool.use_exclusion(self.process()),
            self.assertRaisesRegex(NoSuchItem, "No such source path: .*gone.csv"),
            spool.claimed(self.file(), os.path.join(self.storage, "gone.csv")),
        ):
            pass

    def test_what_others_have_is_said(self):
        path = self.file()
        self.process().take(path)
        with (
            spool.use_exclusion(self.process()),
            self.assertRaisesRegex(ItemBusy, "working on data.csv"),
            spool.claimed(self.file("a.csv"), path),
        ):
            pass

    def test_a_storage_is_waited_for(self):
        one, other = self.process(), self.process()
        held = one.take(self.storage, os.O_DIRECTORY)
        naps = []

        def nap(seconds):
            naps.append(seconds)
            if len(naps) == 3:
                held.release()

        with (
            mock.patch.object(spool.locks.time, "sleep", nap),
            spool.use_exclusion(other),
            spool.storage_lock(self.storage),
        ):
            self.assertEqual(naps, [claims.PAUSE] * 3)


class WorkFolders(ClaimsCase):
    """Nobody removes the work folder of somebody who lives."""

    def setUp(self):
        super().setUp()
        self.one, self.other = self.process(), self.process()

    def stale(self, process):
        with spool.use_exclusion(process):
            return WorkFolder.stale(self.storage)

    def test_the_name_tells_whose_it_is(self):
        with spool.use_exclusion(self.one):
            work = WorkFolder(self.storage, prefix="upload-")
        self.assertEqual(self.claimed_keys(), [])
        self.assertEqual(self.stale(self.other), [])
        self.assertEqual(self.stale(self.one), [])
        with self.assertRaises(ItemBusy), spool.use_exclusion(self.other):
            WorkFolder(self.storage, work.id)
        with spool.use_exclusion(self.one):
            work.remove()
        self.assertFalse(os.path.exists(os.path.join(self.storage, spool.WORK)))

    def test_one_that_is_left_can_be_taken_up_or_goes(self):
        with spool.use_exclusion(self.one):
            WorkFolder(self.storage).close()
            left = WorkFolder(self.storage)
            left.close()
        with spool.use_exclusion(self.other):
            taken = WorkFolder(self.storage, left.id)
            self.assertEqual(self.claimed_keys(), [taken.path])
            self.assertEqual(len(self.stale(self.one)), 1)
            taken.close()
        self.assertEqual(self.stale(self.one), [left.id])

    def test_that_of_a_dead_process_goes(self):
        with spool.use_exclusion(self.one):
            work = WorkFolder(self.storage)
        with self.assertLogs(presence.log, "WARNING"):
            self.let_pass(presence.DEAD + presence.BEAT, self.other)
        self.assertEqual(self.stale(self.other), [work.id])

    def test_one_with_a_name_is_claimed(self):
        with spool.use_exclusion(self.one):
            work = WorkFolder(self.storage, "table-0123")
        self.assertEqual(self.claimed_keys(), [work.path])
        with self.assertRaises(ItemBusy), spool.use_exclusion(self.other):
            WorkFolder(self.storage, "table-0123")
        self.assertEqual(self.stale(self.other), [])
        work.close()
        self.assertEqual(self.stale(self.other), ["table-0123"])

    def test_those_of_before_the_storage_was_shared_go(self):
        work = WorkFolder(self.storage)
        work.close()
        self.assertEqual(self.stale(self.other), [work.id])
