"""Several processes with one database and one storage: claims, recovery, and a storage that moves.

Each other process is forked, and has a connection of its own to a ZEO server.
"""

import io
import mmap
import os
import signal
import threading
import time
import unittest
from contextlib import closing
from typing import ClassVar
from unittest import mock

from transaction.interfaces import TransientError

from waeup.kofa import claims, presence, spool
from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import ItemBusy
from waeup.kofa.jobs import recover
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.spool.locks import exclusion, require_held
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town
from waeup.kofa.tests.jobs.portal import SITE, USER
from waeup.kofa.tests.spool.faultydisk import tree_of
from waeup.kofa.tests.waiting import begun, bounded, ended, joined

#: Seconds after which what is waited for is not believed to come any more.
PATIENCE = 60
#: How often a process recovers the portal.
TURNS = 30
TABLE = "code,title\r\nA1,One\r\n"


class Other:
    """A process that does `work`, which gets its database, and waits for a word in between.

    `said` reads a word that the process has told by `tell`; `go` lets it `wait` no longer.
    """

    alive: ClassVar[set[int]] = set()

    def __init__(self, town, work):
        #: Whether a thread of the process is in a transaction of claims and presence.
        self._is_busy = mmap.mmap(-1, 1)
        self._from, told = os.pipe()
        heard, self._to = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self._to)
                self._watch_transactions()
                with closing(town.open()) as db, claims.install(db, SITE, "other"):
                    in_own_thread(
                        lambda: work(
                            db,
                            lambda word: os.write(told, word.encode() + b"\n"),
                            lambda: os.read(heard, 1),
                        )
                    )
                status = 0
            finally:
                os._exit(status)
        self.alive.add(self.pid)
        os.close(told)
        os.close(heard)
        self._lines = os.fdopen(self._from)

    def _watch_transactions(self):
        real, turn = presence.committed, threading.Lock()

        def committed(db, work):
            with turn:
                self._is_busy[0] = 1
                try:
                    return real(db, work)
                finally:
                    self._is_busy[0] = 0

        presence.committed = claims.committed = committed

    def said(self):
        with bounded(self.pid):
            return self._lines.readline().strip()

    def go(self):
        os.write(self._to, b"x")

    def stop(self):
        """Stop the process between two transactions: amid a commit all others wait for it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            os.kill(self.pid, signal.SIGSTOP)
            _pid, status = os.waitpid(self.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), status
            if not self._is_busy[0]:
                return
            self.wake()
            time.sleep(0.001)
        raise AssertionError("the process is busy all the time")

    def wake(self):
        os.kill(self.pid, signal.SIGCONT)

    def end(self, is_killed=False):
        if is_killed:
            os.kill(self.pid, signal.SIGKILL)
        self.alive.remove(self.pid)
        status = ended(self.pid)
        self._lines.close()
        os.close(self._to)
        self._is_busy.close()
        return status

    @classmethod
    def kill_all(cls):
        """Kill those that a test has left, also while they stand still."""
        while cls.alive:
            pid = cls.alive.pop()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class SharingCase(unittest.TestCase):
    """A town on a ZEO server, whose processes give signs of life ten times a second."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town(kind="zeo")
        self.addCleanup(self.town.close)
        self.addCleanup(Other.kill_all)
        self.town.set_up()
        for name, value in (("BEAT", 0.1), ("DEAD", 1.0), ("CERTAIN", 0.5)):
            patch = mock.patch.object(presence, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        patch = mock.patch.object(claims, "PAUSE", 0.01)
        patch.start()
        self.addCleanup(patch.stop)

    def here(self, work):
        """Do `work` in this process, which shares the portal meanwhile."""
        with closing(self.town.open()) as db, claims.install(db, SITE, "here"):
            return work(db)

    def ask(self, db, question):
        """Return what `question` says about operations; as a page does, it is asked again."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.town.operations(question, USER, db)
            except TransientError:
                self.assertLess(time.monotonic(), deadline)

    def until(self, question):
        """Wait until `question` says something true."""
        deadline = time.monotonic() + PATIENCE
        while not question():
            self.assertLess(time.monotonic(), deadline, "it does not happen")
            time.sleep(0.01)

    def upload(self, db, name="data.csv", text=TABLE):
        return self.ask(
            db, lambda operations: operations.upload(name, io.BytesIO(text.encode())).name
        )

    def delete(self, db, names):
        self.ask(db, lambda operations: operations.delete(names))


class Holding(SharingCase):
    """What one process has no other gets, until that one is dead."""

    def hold(self, db, tell, wait):
        with spool.storage_lock(self.town.storage):
            tell("held")
            wait()
            try:
                require_held()
            except ItemBusy:
                tell("lost")
            else:
                tell("kept")

    def taken(self):
        return exclusion().take(self.town.storage, os.O_DIRECTORY)

    def test_it_is_free_when_it_is_let_go(self):
        other = Other(self.town, self.hold)
        self.assertEqual(other.said(), "held")

        def work(db):
            self.assertIsNone(self.taken())
            other.go()
            self.assertEqual(other.said(), "kept")
            with spool.storage_lock(self.town.storage):
                pass

        self.here(work)
        self.assertEqual(other.end(), 0)

    def test_it_is_free_at_once_when_the_other_is_killed_on_this_machine(self):
        other = Other(self.town, self.hold)
        self.assertEqual(other.said(), "held")

        def work(db):
            self.assertIsNone(self.taken())
            other.end(is_killed=True)
            with mock.patch.object(presence, "DEAD", 1000):
                held = self.taken()
            self.assertIsNotNone(held)
            held.release()

        self.here(work)

    def test_who_is_woken_after_others_went_on_learns_it(self):
        other = Other(self.town, self.hold)
        self.assertEqual(other.said(), "held")

        def work(db):
            other.stop()
            with (
                self.assertLogs(presence.log, "WARNING") as logged,
                spool.storage_lock(self.town.storage, patience=PATIENCE),
            ):
                # Another thread has buried it, and says so a moment later.
                self.until(lambda: logged.records)
                other.wake()
                other.go()
                self.assertEqual(other.said(), "lost")
                require_held()

        self.here(work)
        self.assertEqual(other.end(), 0)


class Recovering(SharingCase):
    """Processes that start recover the portal while others work."""

    def test_what_others_do_meanwhile_is_left_to_them(self):
        def recover_often(db, tell, wait):
            with mock.patch("waeup.kofa.jobs.recovery.UPLOAD_SECONDS", 0.5):
                for _ in range(TURNS):
                    recover(db, SITE)
                    tell("done")

        others = [Other(self.town, recover_often) for _ in range(2)]
        done = threading.Event()

        def listen():
            try:
                for other in others:
                    for _ in range(TURNS):
                        other.said()
            finally:
                done.set()

        listener = begun(listen)
        names, deleted = [], []

        def work(db):
            number = 0
            while not done.is_set():
                number += 1
                name = self.upload(db, f"file{number}.csv", f"code,title\r\nA{number},x\r\n")
                if number % 3 == 0:
                    self.delete(db, [name])
                    deleted.append(name)
                else:
                    names.append(name)
            return recover(db, SITE)

        found = self.here(work)
        joined(listener)
        for other in others:
            self.assertEqual(other.end(), 0)
        self.assertGreater(len(names), len(deleted))
        self.assertEqual([finding for finding in found if finding.code != "stale"], [])

        def known(site):
            return {
                (entry.name, entry.owner, entry.origin)
                for entry in site["datacenter"].ledger.entries()
            }

        entries = self.town.change(known)
        tree = {
            name
            for name, content in tree_of(self.town.storage).items()
            if content is not None and not name.startswith("logs")
        }
        self.assertEqual({name for name, _owner, _origin in entries}, tree)
        self.assertEqual({owner for _name, owner, _origin in entries}, {USER})
        self.assertEqual({origin for _name, _owner, origin in entries if origin}, set(deleted))

    def test_one_at_a_time(self):
        def have_turn(db, tell, wait):
            with claims.turn("recover") as is_ours:
                tell(str(is_ours))
                wait()

        other = Other(self.town, have_turn)
        self.assertEqual(other.said(), "True")

        def work(db):
            with mock.patch("waeup.kofa.jobs.recovery.PATIENCE", 0):
                [finding] = recover(db, SITE)
            self.assertEqual((finding.code, finding.repaired), ("busy", False))
            other.go()
            self.assertEqual(recover(db, SITE), [])

        self.here(work)
        self.assertEqual(other.end(), 0)


class Moving(SharingCase):
    """A storage that one process moves is where all others go from then on."""

    def test_log_lines_and_listings_follow_with_the_next_transaction(self):
        target = os.path.join(self.town.home, "target")
        os.mkdir(target)

        def watch(db, tell, wait):
            for _ in range(2):
                wait()

                def log_line(site):
                    site["datacenter"].logger.info("a line of the other process")
                    return ",".join(file.name for file in site["datacenter"].getPendingFiles())

                tell(self.town.change(log_line, db))

        other = Other(self.town, watch)

        def work(db):
            name = self.upload(db)
            other.go()
            self.assertEqual(other.said(), name)
            self.town.change(lambda site: site["datacenter"].setStoragePath(target, move=True), db)
            more = self.upload(db, "more.csv", "code,title\r\nB1,x\r\n")
            other.go()
            self.assertEqual(other.said(), f"{name},{more}")

        self.here(work)
        self.assertEqual(other.end(), 0)
        line = b"a line of the other process"
        with open(os.path.join(target, "logs", "datacenter.log"), "rb") as stream:
            self.assertEqual(stream.read().count(line), 2)
        with open(os.path.join(self.town.storage, "logs", "datacenter.log"), "rb") as stream:
            self.assertEqual(stream.read().count(line), 1)


class Costs(SharingCase):
    """How many transactions claims take: a few, whatever the number of files."""

    def counted(self, db, work):
        counted = []
        committed = presence.committed

        def count(database, each):
            counted.append(each)
            return committed(database, each)

        with mock.patch.object(claims, "committed", count):
            work()
        return len(counted)

    def test_of_an_upload_a_replacement_and_a_deletion(self):
        def work(db):
            names = []
            # The storage is taken and let go.
            self.assertEqual(self.counted(db, lambda: names.append(self.upload(db, "a.csv"))), 2)
            for each in ("b.csv", "c.csv"):
                name = self.upload(db, each, f"code,title\r\n{each},x\r\n")
                names.append(name)
            # All files are taken at once, and let go.
            self.assertEqual(self.counted(db, lambda: self.delete(db, names)), 2)

        self.here(work)

    def test_of_an_import(self):
        """Its file is taken and let go, and so is the storage; nothing more."""
        text = "code,title,title_prefix\r\nNEW1,New,faculty\r\n"

        def work(db):
            name = self.upload(db, "faculties.csv", text)
            id = self.ask(
                db,
                lambda operations: (
                    operations.start_import(
                        name,
                        "facultyprocessor",
                        "create",
                        Mapping(("code", "title", "title_prefix")),
                    ).id
                ),
            )
            self.assertEqual(self.counted(db, lambda: self.town.work_off(id, db)), 4)

        self.here(work)
