"""Moves of the storage: all comes along, work goes on, and nothing is lost by a crash."""

import io
import os
import shutil
import time
import unittest
from contextlib import closing
from unittest import mock

from transaction.interfaces import TransientError
from ZODB.POSException import ConflictError
from zope.component import getGlobalSiteManager

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    InvalidStoragePath,
    ItemBusy,
    NoSuchItem,
    NotAllowed,
    WrongState,
)
from waeup.kofa.i18n import english
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import EmbeddedEngine, moves
from waeup.kofa.jobs.apart import in_own_thread
from waeup.kofa.spool import StorageMove
from waeup.kofa.tests.databases import kind_of_tests
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.jobs.lives import Town, TownTestCase
from waeup.kofa.tests.jobs.portal import SITE, USER
from waeup.kofa.tests.jobs.stopping import StoppedEverywhere
from waeup.kofa.tests.spool.faultydisk import tree_of


class Places:
    """Has a root for storages beside that of a town."""

    def set_root(self, town):
        """Allow a new folder below it."""
        self.root = town.home + ".root"
        os.mkdir(self.root)
        self.addCleanup(shutil.rmtree, self.root, True)
        process = getGlobalSiteManager().getUtility(IDataCenterConfig)
        process["storage_roots"] = (self.root,)
        self.addCleanup(process.pop, "storage_roots", None)
        self.target = os.path.join(self.root, "center")


class MoveTestCase(Places, TownTestCase):
    """Has a root, and files in the storage."""

    def setUp(self):
        super().setUp()
        self.set_root(self.town)
        self.town.put("a.csv", "code,title", "A,B")
        os.makedirs(os.path.join(self.town.storage, "finished"), exist_ok=True)
        self.town.put("finished/old.create.finished.csv", "code", "A")

    def move(self, **more):
        """Order a move and work it off; return the run."""
        id = self.ask(lambda o: o.start_move(self.target, **more)).id
        self.town.work_off(id, self.db)
        return self.ask(lambda o: o.run(id))

    def place(self):
        return self.ask(lambda o: o.storage_path())


class Moves(MoveTestCase):
    """In a portal."""

    def test_all_comes_along(self):
        self.town.recover(self.db)
        before = tree_of(self.town.storage)
        run = self.move()
        self.assertEqual((run.state, run.fault, run.left), ("finished", "", ()))
        self.assertEqual(self.place(), self.target)
        after = tree_of(self.target)
        for name, content in before.items():
            if not name.startswith(("logs", ".work")):
                self.assertEqual(after[name], content, name)
        self.assertNotIn(".work", after)
        self.assertEqual(run.all_bytes, run.bytes)
        self.assertGreater(run.bytes, 0)
        log = after["logs/datacenter.log"].decode()
        self.assertIn(f"storage path set: {self.target}", log)
        self.assertIn("storage move ordered", log)
        # The former one stays as it is.
        self.assertEqual(tree_of(self.town.storage)["a.csv"], before["a.csv"])
        self.assertEqual(self.town.recover(self.db), [])

    def test_the_former_storage_is_removed_when_that_is_wanted(self):
        self.move()
        (former,) = self.ask(lambda o: o.former_storages())
        self.assertEqual(former.path, self.town.storage)
        with open(os.path.join(former.path, "foreign"), "w"):
            pass
        os.makedirs(os.path.join(former.path, ".work", "run-1"))
        self.ask(lambda o: o.remove_former_storage(former.path))
        self.assertEqual(os.listdir(former.path), ["foreign"])
        self.assertEqual(self.ask(lambda o: o.former_storages()), [])
        self.assertTrue(os.path.exists(os.path.join(self.target, "a.csv")))

    def test_a_storage_that_was_used_again_is_no_former_one(self):
        """What came to it since is nowhere else, and must not be offered for removal."""
        self.move()
        first, self.target = self.target, os.path.join(self.root, "second")
        self.assertEqual(self.move().state, "finished")
        link = os.path.join(self.root, "link")
        os.symlink(first, link)
        self.ask(lambda o: o.set_storage_path(link))
        former = [each.path for each in self.ask(lambda o: o.former_storages())]
        self.assertEqual(former, [self.town.storage])
        new = os.path.join(first, "finished", "new.create.finished.csv")
        with open(new, "w"):
            pass
        self.ask(lambda o: o.use_storage(os.path.join(self.root, "third")))
        with self.assertRaises(NoSuchItem):
            self.ask(lambda o: o.remove_former_storage(first))
        self.assertTrue(os.path.exists(new))

    def test_an_upload_of_before_does_not_come_to_the_former_storage(self):
        """One that began with the former storage is taken back, and done again."""
        with self.assertRaises(ConflictError):
            self.ask(self.upload_and_move)
        self.assertEqual(self.place(), self.target)
        for storage in (self.town.storage, self.target):
            self.assertNotIn("b_anna.csv", os.listdir(storage))

    def upload_and_move(self, operations):
        """Move the storage while a file is on its way."""
        in_own_thread(self.move)
        operations.upload("b.csv", io.BytesIO(b"code,title\nC,D\n"))

    def test_there_and_back(self):
        self.assertEqual(self.move().state, "finished")
        there, self.target = self.target, os.path.join(self.root, "other")
        self.assertEqual(self.move().state, "finished")
        self.target = there
        run = self.move(overwrite=True)
        self.assertEqual((run.state, self.place()), ("finished", there))

    def test_what_is_there_is_left_alone_and_told(self):
        os.mkdir(self.target)
        with open(os.path.join(self.target, "a.csv"), "w") as stream:
            stream.write("mine")
        place = self.ask(lambda o: o.look_at_place(self.target))
        self.assertEqual((place.is_there, place.taken, place.others), (True, ("a.csv",), 0))
        run = self.move()
        self.assertEqual(run.left, ("a.csv",))
        with open(os.path.join(self.target, "a.csv")) as stream:
            self.assertEqual(stream.read(), "mine")

    def test_overwrite_acts(self):
        os.mkdir(self.target)
        with open(os.path.join(self.target, "a.csv"), "w") as stream:
            stream.write("mine")
        self.assertEqual(self.move(overwrite=True).left, ())
        with open(os.path.join(self.target, "a.csv")) as stream:
            self.assertIn("code,title", stream.read())

    def test_what_comes_while_it_copies_comes_along(self):
        real = StorageMove.copy

        def copy(move, *args):
            written = real(move, *args)
            if not os.path.exists(os.path.join(self.town.storage, "late.csv")):
                self.town.put("late.csv", "code,title", "A,B")
                os.unlink(os.path.join(self.town.storage, "a.csv"))
            return written

        with mock.patch.object(StorageMove, "copy", copy):
            self.assertEqual(self.move().state, "finished")
        names = os.listdir(self.target)
        self.assertIn("late.csv", names)
        self.assertNotIn("a.csv", names)

    def test_nothing_is_lost_of_what_people_do_meanwhile(self):
        """Files come and go while the storage moves twice."""
        there = set()
        places = [os.path.join(self.root, name) for name in ("one", "two")]
        with EmbeddedEngine(self.db, SITE) as engine:
            for number in range(60):
                if places and number in (5, 25):
                    id = self.ask(lambda o: o.start_move(places[0])).id
                    self.target = places.pop(0)
                    engine.ring(id)
                there.add(self.patiently(self.upload, number))
                if number % 3 == 0:
                    name = there.pop()
                    self.patiently(lambda o, name=name: o.delete([name]))
                if number == 24:
                    self.await_end()
            self.await_end()
        self.assertEqual(self.place(), self.target)
        self.assertEqual(self.ask(lambda o: o.last_move().state), "finished")
        self.assertEqual(set(self.ask(self.pending)), {*there, "a.csv"})
        found = [each for each in self.town.recover(self.db) if each.code != "orphan"]
        self.assertEqual(found, [])

    @staticmethod
    def pending(operations):
        return [file.name for file in operations.pending_files()]

    @staticmethod
    def upload(operations, number):
        data = io.BytesIO(f"code,title\nX{number},Title\n".encode())
        return operations.upload(f"f{number}.csv", data).name

    def patiently(self, question, *args):
        """Ask again while others are in the way, as the portal and people do."""
        until = time.monotonic() + 60
        while True:
            try:
                return self.ask(lambda o: question(o, *args))
            except (TransientError, ItemBusy):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.01)

    def await_end(self):
        """Wait until no run is under way."""
        until = time.monotonic() + 60
        while self.ask(lambda o: o.active_runs()):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def test_what_is_ordered_while_it_changes_over_waits(self):
        real, told = moves._wait, []

        def wait(job, until):
            order = ("a.csv", "facultyprocessor", "create", self.mapping())
            in_own_thread(lambda: told.append(self.ask(lambda o: o.start_import(*order))))
            real(job, until)

        with mock.patch.object(moves, "_wait", wait):
            run = self.move()
        self.assertEqual((run.state, run.fault), ("finished", ""))
        self.assertEqual(english(told[0].waits_for), "move of the storage")
        self.town.work_off(told[0].id, self.db)
        self.assertEqual(self.ask(lambda o: o.run(told[0].id).state), "finished")
        self.assertIn("a.create.finished.csv", os.listdir(os.path.join(self.target, "finished")))

    def test_two_who_order_a_move_at_the_same_time(self):
        """One has a conflict: of two that were ordered each would wait for the other."""
        other = os.path.join(self.root, "other")

        def both(operations):
            in_own_thread(lambda: self.ask(lambda o: o.start_move(other)))
            operations.start_move(self.target)

        with self.assertRaises(ConflictError):
            self.ask(both)
        with self.assertRaisesRegex(WrongState, "Another move"):
            self.ask(lambda o: o.use_storage(self.target))
        (run,) = self.ask(lambda o: o.runs())
        self.town.work_off(run.id, self.db)
        self.assertEqual(self.place(), other)

    def test_it_waits_for_what_is_under_way(self):
        fields = self.mapping()
        other = self.ask(
            lambda o: o.start_import("a.csv", "facultyprocessor", "create", fields)
        ).id
        with mock.patch.object(moves, "PATIENCE", 0.1), self.assertLogs("waeup.kofa.jobs.worker"):
            run = self.move()
        self.assertEqual(run.state, "stopped")
        self.assertIn("import of a.csv did not end in time", run.fault)
        self.assertEqual(self.place(), self.town.storage)
        self.town.work_off(other, self.db)
        self.ask(lambda o: o.resume(run.id))
        self.town.work_off(run.id, self.db)
        self.assertEqual(self.place(), self.target)
        self.assertNotIn("a.csv", os.listdir(self.target))

    def mapping(self):
        return Mapping(("code", "title"))

    def test_a_cancel_leaves_the_target_as_it_was(self):
        real = StorageMove.copy

        def copy(move, tell=lambda written, files: None):
            written = real(move)
            self.ask(lambda o: o.cancel(o.last_move().id))
            return written

        with mock.patch.object(StorageMove, "copy", copy):
            run = self.move()
        self.assertEqual((run.state, run.actions), ("cancelled", ()))
        self.assertEqual(os.listdir(self.target), [])
        self.assertEqual(self.place(), self.town.storage)

    def test_a_cancel_of_one_that_has_stopped(self):
        fault = mock.patch.object(StorageMove, "place", side_effect=OSError(28, "full"))
        with fault, self.assertLogs("waeup.kofa.jobs.worker"):
            run = self.move()
        self.assertEqual((run.state, run.actions), ("stopped", ("cancel", "resume")))
        with self.assertRaises(WrongState):
            self.ask(lambda o: o.start_move(os.path.join(self.root, "b")))
        self.ask(lambda o: o.cancel(run.id))
        self.assertEqual(os.listdir(self.target), [])

    def test_a_folder_that_is_exchanged_meanwhile(self):
        real, outside = StorageMove.copy, self.root + ".outside"
        os.mkdir(outside)
        self.addCleanup(shutil.rmtree, outside, True)
        self.addCleanup(shutil.rmtree, self.target + ".x", True)

        def copy(move, *args):
            written = real(move, *args)
            if not os.path.islink(self.target):
                os.rename(self.target, self.target + ".x")
                os.symlink(outside, self.target)
            return written

        with mock.patch.object(StorageMove, "copy", copy):
            run = self.move()
        self.assertEqual(run.state, "cancelled")
        self.assertIn("was replaced by something else", run.fault)
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(self.place(), self.town.storage)

    def test_an_operator_names_any_folder(self):
        """By a link, too, which stays the path of the storage."""
        self.target, link = self.root + ".outside", self.root + ".link"
        os.mkdir(self.target)
        self.addCleanup(shutil.rmtree, self.target)
        os.symlink(self.target, link)
        self.addCleanup(os.unlink, link)
        with self.assertRaises(InvalidStoragePath):
            self.ask(lambda o: o.start_move(link))
        id = self.ask(lambda o: o.start_move_anywhere(link)).id
        with self.assertRaisesRegex(WrongState, "Another move"):
            self.ask(lambda o: o.start_move_anywhere(link))
        self.town.work_off(id, self.db)
        run = self.ask(lambda o: o.run(id))
        self.assertEqual((run.state, run.fault, run.target), ("finished", "", link))
        self.assertEqual(self.place(), link)
        self.assertIn("a.csv", os.listdir(self.target))
        self.assertNotIn(".work", os.listdir(self.target))

    def test_folders_that_an_operator_cannot_name(self):
        storage = self.town.storage
        for path in (
            "",
            self.target,
            os.path.join(storage, "a.csv"),
            storage,
            os.path.join(storage, "finished"),
            os.path.dirname(storage),
        ):
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                self.ask(lambda o, path=path: o.start_move_anywhere(path))
        self.assertEqual(self.ask(lambda o: o.runs()), [])

    def test_places_that_cannot_be(self):
        storage = self.town.storage
        above = getGlobalSiteManager().getUtility(IDataCenterConfig)
        above["storage_roots"] = (self.root, os.path.dirname(storage))
        other = os.path.join(self.root, "other")
        os.makedirs(os.path.join(other, "logs"))
        with open(os.path.join(other, "logs", "datacenter.log"), "w"):
            pass
        paths = [
            "",
            "/",
            self.root,
            storage,
            os.path.join(storage, "finished"),
            os.path.join(self.root, "..", "elsewhere"),
            os.path.join(self.root, "a", "b"),
            other,
        ]
        if kind_of_tests() == "filestorage":
            paths.append(os.path.join(self.town.home, "beside the database"))
        for path in paths:
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                self.ask(lambda o, path=path: o.start_move(path))
            with self.subTest(path), self.assertRaises(InvalidStoragePath):
                self.ask(lambda o, path=path: o.use_storage(path))

    def test_a_place_that_cannot_be_read(self):
        os.mkdir(self.target)
        real = os.listdir

        def listdir(path):
            if path == self.target:
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        with (
            mock.patch.object(os, "listdir", listdir),
            self.assertRaisesRegex(InvalidStoragePath, "cannot be used: Permission denied"),
        ):
            self.ask(lambda o: o.start_move(self.target))

    def test_without_room_nothing_is_copied(self):
        with mock.patch.object(moves, "RESERVE", 1 << 62):
            run = self.move()
        self.assertEqual(run.state, "cancelled")
        self.assertIn("not enough room", run.fault)
        self.assertEqual(os.listdir(self.target), [])

    def test_who_may(self):
        def officer(site):
            site["users"]["carl"].roles = ["waeup.ImportManager"]

        self.change(officer)
        run = self.move()
        for question in (
            lambda o: o.start_move(self.target),
            lambda o: o.start_move_anywhere(self.target),
            lambda o: o.storage_roots(),
            lambda o: o.look_at_place(self.target),
            lambda o: o.use_storage(self.target),
            lambda o: o.remove_former_storage(self.town.storage),
            lambda o: o.run(run.id),
        ):
            with self.assertRaises(NotAllowed):
                self.ask(question, "carl")
        self.assertEqual(self.ask(lambda o: o.runs(), "carl"), [])
        self.assertEqual([each.id for each in self.ask(lambda o: o.runs(), USER)], [run.id])


class Crashes(StoppedEverywhere, Places, unittest.TestCase):
    """A move is stopped at every durable operation."""

    layer = FunctionalLayer

    def setUp(self):
        self.town = Town({"a.csv": "code,title\nA,B\n", "b.csv": "code,title\nB,C\n"})
        self.addCleanup(self.town.close)
        self.set_root(self.town)
        self.begin()

    def begin(self):
        self.town.set_up()
        shutil.rmtree(self.root)
        os.makedirs(self.target)
        with open(os.path.join(self.target, "b.csv"), "w") as stream:
            stream.write("mine")
        self.before = tree_of(self.town.storage)

    def places(self):
        return [self.town.storage, self.root]

    def act(self):
        """Order what is not ordered, let go on what has stopped, and work it off."""
        with closing(self.town.open()) as db:
            run = self.town.operations(lambda o: o.last_move(), db=db)
            if run is None:
                target = self.target
                run = self.town.operations(lambda o: o.start_move(target, overwrite=True), db=db)
            elif "resume" in run.actions:
                self.town.operations(lambda o: o.resume(run.id), db=db)
            self.town.work_off(run.id, db)

    def check(self, where):
        """Recover and go on; the storage is the new one, with all that was in the former."""
        self.town.recover()
        self.act()
        self.assertEqual(self.town.recover(), [], where)
        run = self.town.operations(lambda o: o.last_move())
        self.assertEqual((run.state, run.fault), ("finished", ""), where)
        self.assertEqual(self.town.operations(lambda o: o.storage_path()), self.target, where)
        after = tree_of(self.target)
        for name, content in self.before.items():
            if not name.startswith(("logs", ".work")):
                self.assertEqual(after[name], content, (where, name))
        self.assertEqual([name for name in after if name.startswith(".work")], [], where)
        self.assertEqual(os.listdir(self.root), ["center"], where)
