"""Parts of backups: the moment of a database, files that change, steps that mean other files."""

import os
import unittest
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import transaction
from persistent.mapping import PersistentMapping
from ZODB.Connection import TransactionMetaData
from ZODB.utils import load_current, z64

from waeup.kofa.deployment import moments, restoring, storagecopies
from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.errors import Fault, ItemBusy
from waeup.kofa.spool import Place, Prune, Remove
from waeup.kofa.tests.databases import PLACES, new_place


def tell(words: str, share: float) -> None:
    """Tell nobody."""


class Moments(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = Path(folder.name, "copy.fs")
        self.file = FileDatabase(Path(folder.name, "Data.fs"))

    def change(self, opened: Any, number: int) -> None:
        """Commit a number."""
        with closing(opened.open()) as connection:
            connection.root()["number"] = number
            connection.root()[number] = PersistentMapping()
            transaction.commit()

    def saved(self, moment: moments.Moment) -> int:
        """Write what was fixed; return the number there."""
        self.copy.unlink(missing_ok=True)
        tid = moment.write(self.copy, tell)
        copy = FileDatabase(self.copy)
        with copy.storage(write=False) as storage:
            self.assertEqual(storage.lastTransaction(), tid)
        with copy.open(write=False) as opened, closing(opened.open()) as connection:
            number: int = connection.root()["number"]
            self.assertEqual(len(connection.root()), number + 1)
            return number

    def each(self, kind: str) -> Database:
        place = new_place(kind)
        self.addCleanup(place.close)
        return place.there

    def test_what_is_committed_later_is_not_part_of_it(self) -> None:
        for kind in PLACES:
            with self.subTest(kind):
                database = self.each(kind)
                with database.open(write=True) as opened:
                    self.change(opened, 1)
                    with moments.moment_of(database) as moment:
                        moment.prepare()
                        self.change(opened, 2)
                        moment.fix()
                        self.change(opened, 3)
                        self.assertEqual(self.saved(moment), 2)

    def test_what_is_just_being_written_is_not_part_of_it(self) -> None:
        with self.file.open(write=True) as opened:
            self.change(opened, 1)
            storage, meta = opened.storage, TransactionMetaData()
            data, tid = load_current(storage, z64)
            storage.tpc_begin(meta)
            storage.store(z64, tid, data, "", meta)
            storage.tpc_vote(meta)
            size = self.file.path.stat().st_size
            with moments.moment_of(self.file) as moment:
                moment.prepare()
                moment.fix()
                self.assertEqual(self.saved(moment), 1)
                self.assertLess(self.copy.stat().st_size, size)
                storage.tpc_finish(meta)
                moment.fix()
                self.saved(moment)
                self.assertEqual(self.copy.stat().st_size, size)

    def test_it_is_packed_meanwhile(self) -> None:
        with self.file.open(write=True) as opened:
            for number in range(1, 4):
                self.change(opened, number)
            with moments.moment_of(self.file) as moment:
                moment.prepare()
                opened.pack()
                self.change(opened, 4)
                moment.fix()
                self.change(opened, 5)
                opened.pack()
                self.assertEqual(self.saved(moment), 4)

    def test_a_damage_is_told(self) -> None:
        with self.file.open(write=True) as opened:
            for number in range(1, 4):
                self.change(opened, number)
        sound = self.file.path.read_bytes()
        for at, words in (
            (0, "no database of ZODB"),
            (12, "is damaged at the byte 4:"),  # the length of the first transaction
            (19, "is damaged at the byte 4:"),
            (4, "is damaged at the byte"),  # the time of it
        ):
            with self.subTest(words):
                data = bytearray(sound)
                data[at] ^= 0x80
                self.file.path.write_bytes(data)
                with self.assertRaisesRegex(Fault, words), moments.moment_of(self.file) as moment:
                    moment.fix()
        data = bytearray(sound)
        data[20] = ord("c")
        self.file.path.write_bytes(data)
        with self.assertRaisesRegex(Fault, "damaged"), moments.moment_of(self.file) as moment:
            moment.fix()

    def test_a_torn_end_is_left_out(self) -> None:
        with self.file.open(write=True) as opened:
            self.change(opened, 1)
            length = self.file.path.stat().st_size
            self.change(opened, 2)
        data = bytearray(self.file.path.read_bytes()[: length + 30])
        data[length + 16] = ord("c")
        self.file.path.write_bytes(data)
        with moments.moment_of(self.file) as moment:
            moment.fix()
            self.assertEqual(self.saved(moment), 1)


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.storage, self.target = Path(folder.name, "storage"), Path(folder.name, "target")
        for name in ("a.csv", "deleted/b.csv", ".work/run-1/s.csv", ".work/upload-1/x", "logs/l"):
            self.put(name, name)
        self.target.mkdir()
        self.copy = storagecopies.StorageCopy(str(self.storage), self.target)

    def put(self, name: str, text: str) -> None:
        path = self.storage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self) -> dict[str, str]:
        """Return what was copied."""
        found = {
            str(path.relative_to(self.target)): path.read_text()
            for path in self.target.rglob("*")
            if path.is_file()
        }
        self.assertEqual(found.keys(), self.copy.inodes().keys())
        return found

    def test_uploads_under_way_are_left_out(self) -> None:
        self.copy.copy()
        names = ["a.csv", "deleted/b.csv", ".work/run-1/s.csv", "logs/l"]
        self.assertEqual(self.found(), {name: name for name in names})

    def test_it_follows_what_changes(self) -> None:
        self.copy.copy()
        self.assertEqual(self.copy.copy(), 0)
        self.put("a.csv", "other")
        (self.storage / "deleted/b.csv").unlink()
        self.put("c/new.csv", "new")
        self.assertEqual(self.copy.copy(), 8)
        found = self.found()
        self.assertEqual((found["a.csv"], found["c/new.csv"]), ("other", "new"))
        self.assertNotIn("deleted/b.csv", found)

    def test_a_file_that_is_moved_meanwhile_is_there_once(self) -> None:
        former = storagecopies.files_of
        moved: list[Any] = []

        def files(storage: str) -> Any:
            for each in former(storage):
                if each[0] == "deleted/b.csv" and not moved:
                    moved.append(each)
                    # It leaves a folder that was looked at, or comes to one.
                    os.rename(self.storage / "a.csv", self.storage / "deleted/a.csv")
                yield each

        with mock.patch.object(storagecopies, "files_of", files):
            self.copy.settle()
        found = self.found()
        self.assertEqual(found["deleted/a.csv"], "a.csv")
        self.assertNotIn("a.csv", found)

    def test_files_that_never_rest(self) -> None:
        former, number = storagecopies.files_of, iter(range(10**6))

        def files(storage: str) -> Any:
            self.put("a.csv", str(next(number)))
            return former(storage)

        with (
            mock.patch.object(storagecopies, "files_of", files),
            self.assertRaisesRegex(ItemBusy, "keep changing"),
        ):
            self.copy.settle()

    def test_what_grows_is_added_and_nothing_goes(self) -> None:
        self.copy.settle()
        self.put(".work/run-1/s.csv", "longer and longer")
        self.put("later.csv", "not under the lock")
        (self.storage / "logs/l").unlink()
        self.copy.add()
        found = self.found()
        self.assertEqual(found[".work/run-1/s.csv"], "longer and longer")
        self.assertIn("logs/l", found)
        self.assertNotIn("later.csv", found)


class Steps(unittest.TestCase):
    def test_they_mean_the_files_that_came_back(self) -> None:
        inodes = {("a.csv", 7): 70, (".work/run-1/r.csv", 8): 80}
        for step, expected in (
            (Remove("a.csv", 7, 1), Remove("a.csv", 70, 1)),
            # Another file had that name already.
            (Remove("a.csv", 9, 1), Remove("a.csv", 0, 1)),
            (Remove("/old/.work/run-1/r.csv", 8, 1), Remove("/new/.work/run-1/r.csv", 80, 1)),
            (Remove("/elsewhere/r.csv", 8, 1), Remove("/elsewhere/r.csv", 0, 1)),
            (Prune("/old/.work/run-1"), Prune("/new/.work/run-1")),
            (Place("x", "y", "z"), Place("x", "y", "z")),
        ):
            with self.subTest(step):
                self.assertEqual(restoring.moved(step, "/old", "/new", inodes), expected)
