"""Databases are copied from each kind to each, and never taken for whole when they are not."""

import itertools
import unittest
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import transaction
from persistent.mapping import PersistentMapping
from ZODB.utils import load_current, p64, u64, z64

from waeup.kofa.deployment import copying, wholeness
from waeup.kofa.deployment.databases import Database, FileDatabase
from waeup.kofa.errors import DatabaseHeld, Fault, Refused
from waeup.kofa.tests.databases import PLACES, Place, new_place

#: Objects below the root of what is copied.
NUMBER = 2500
#: The id of the object that is changed by each transaction.
PORTAL = p64(1)


def tell(done: int, size: int) -> None:
    """Tell nobody."""


def fill(database: Database, number: int = 3) -> None:
    """Make objects in several transactions; one is changed by each."""
    with database.open(write=True) as opened, closing(opened.open()) as connection:
        root = connection.root()
        root["portal"] = portal = PersistentMapping()
        for turn in range(3):
            for each in range(number):
                portal[turn, each] = PersistentMapping({"number": each})
            portal["turn"] = turn
            transaction.commit()


def all_of(database: Database) -> list[Any]:
    """Return the records of all objects."""
    with database.storage(write=False) as storage:
        return list(copying.records(storage))


def copy(source: Database, target: Database, **more: Any) -> int:
    """Copy a database."""
    with copying.alone(source) as storage:
        return copying.copy_database(storage, target, tell, **more)


class CopyingCase(unittest.TestCase):
    def place(self, kind: str) -> Place:
        """Return the place of an empty database."""
        place = new_place(kind)
        self.addCleanup(place.close)
        return place

    def database(self, kind: str = "filestorage") -> Database:
        """Return an empty database."""
        return self.place(kind).there


class EachKind(CopyingCase):
    def test_objects_serials_and_ids_stay(self) -> None:
        for one, other in itertools.product(PLACES, PLACES):
            with self.subTest(f"{one} to {other}"):
                source, target = self.database(one), self.database(other)
                fill(source)
                self.assertEqual(copy(source, target), 11)
                expected, found = all_of(source), all_of(target)
                if other == "zeo":
                    # Its root was written last.
                    self.assertEqual(expected.pop(0)[2], found.pop(0)[2])
                self.assertEqual(found, expected)

    def test_new_objects_get_new_ids(self) -> None:
        for kind in PLACES:
            with self.subTest(kind):
                source, target = self.database(), self.database(kind)
                fill(source)
                copy(source, target)
                highest = max(oid for oid, _tid, _data in all_of(source))
                with target.open(write=True) as opened, closing(opened.open()) as connection:
                    new = connection.root()["new"] = PersistentMapping()
                    transaction.commit()
                    self.assertGreater(new._p_oid, highest)
                    self.assertEqual(connection.root()["portal"]["turn"], 2)

    def test_what_is_there_is_not_given_up_by_chance(self) -> None:
        for kind in PLACES:
            with self.subTest(kind):
                source, target = self.database(), self.database(kind)
                fill(source, 5)
                fill(target)
                before = all_of(target)
                with self.assertRaisesRegex(Refused, "holds something already"):
                    copy(source, target)
                self.assertEqual(all_of(target), before)

    def test_what_is_there_can_be_replaced(self) -> None:
        for kind in ("filestorage", "postgresql"):
            with self.subTest(kind):
                source, target = self.database(), self.database(kind)
                fill(source)
                fill(target, 5)
                copy(source, target, replace=True)
                self.assertEqual(all_of(target), all_of(source))

    def test_a_server_of_zeo_cannot_be_emptied(self) -> None:
        source, target = self.database(), self.database("zeo")
        fill(source)
        fill(target)
        with self.assertRaisesRegex(Refused, "cannot be emptied from here"):
            copy(source, target, replace=True)

    def test_former_states_come_along_where_there_are_any(self) -> None:
        source = self.database()
        fill(source)
        for kind, number in (("filestorage", 3), ("zeo", 3), ("postgresql", 1)):
            with self.subTest(kind):
                target = self.database(kind)
                copy(source, target)
                with target.storage(write=False) as storage:
                    found = [record.oid for each in storage.iterator() for record in each].count(
                        b"\0\0\0\0\0\0\0\1"
                    )
                self.assertEqual(found, number)


class Broken:
    """A ZODB storage that can be read to its middle."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def iterator(self) -> Any:
        """Generate some of the transactions."""
        with copying.transactions(self._storage) as found:
            yield from itertools.islice(found, 2)
        raise OSError(5, "broken")

    def record_iternext(self, cookie: Any) -> Any:
        """Return a record of the first ones."""
        found = self._storage.record_iternext(cookie)
        if u64(found[0]) > 6:
            raise OSError(5, "broken")
        return found


class BrokenOff(CopyingCase):
    """A copy that ends in the middle, and what is found then."""

    def break_off(self, kind: str, replace: bool = False) -> tuple[Database, Database]:
        source, target = self.database(), self.database(kind)
        fill(source)
        if replace:
            fill(target, 5)
        with copying.alone(source) as storage, self.assertRaisesRegex(OSError, "broken"):
            copying.copy_database(Broken(storage), target, tell, replace=replace)
        return source, target

    def test_a_file_is_not_there(self) -> None:
        source, target = self.break_off("filestorage")
        self.assertFalse(target.exists())
        copy(source, target)
        self.assertEqual(all_of(target), all_of(source))

    def test_a_file_that_was_to_be_replaced_is_the_former_one(self) -> None:
        _source, target = self.break_off("filestorage", replace=True)
        self.assertEqual(len(all_of(target)), 17)

    def test_tables_are_as_before(self) -> None:
        source, target = self.break_off("postgresql", replace=True)
        self.assertEqual(len(all_of(target)), 17)
        copy(source, target, replace=True)
        self.assertEqual(all_of(target), all_of(source))

    def test_a_server_of_zeo_says_that_it_is_not_complete(self) -> None:
        source, target = self.break_off("zeo")
        with target.storage(write=True) as storage:
            self.assertEqual(wholeness.state_of(storage), wholeness.PARTIAL)
            with self.assertRaisesRegex(Refused, "holds a part of a portal"):
                wholeness.require_whole(storage, target.title)
        with self.assertRaisesRegex(Refused, "holds a part of a portal"), target.open(write=True):
            self.fail("it was opened")
        with self.assertRaisesRegex(Refused, "a part of a copy that was broken off"):
            copy(source, target)


class Careful(CopyingCase):
    def test_a_file_that_somebody_changes_is_not_read(self) -> None:
        source = self.database()
        fill(source)
        with (
            source.open(write=True),
            self.assertRaises(DatabaseHeld),
            copying.alone(source),
        ):
            self.fail("it was opened")

    def test_nobody_can_change_a_file_meanwhile(self) -> None:
        source = self.database()
        fill(source)
        with copying.alone(source), self.assertRaises(DatabaseHeld), source.open(write=True):
            self.fail("it was opened")

    def test_each_difference_is_found(self) -> None:
        source = self.database()
        fill(source)
        records = all_of(source)
        changed = [
            [*records[:-1]],
            [*records, (b"\0\0\0\0\0\0\1\0", records[0][1], b"x")],
            [*records[:-1], (records[-1][0], records[0][1], records[-1][2])],
            [*records[:-1], (*records[-1][:2], b"x")],
            [*records[1:]],
        ]
        with source.storage(write=False) as storage:
            for number, found in enumerate(changed):
                with (
                    self.subTest(number),
                    mock.patch.object(copying, "records", side_effect=[records, found]),
                    self.assertRaisesRegex(Fault, "differs from its source"),
                ):
                    copying.compare(storage, storage, tell)

    def test_what_a_database_holds(self) -> None:
        for kind in PLACES:
            with self.subTest(kind):
                database = self.database(kind)
                with database.storage(write=True) as storage:
                    self.assertEqual(wholeness.state_of(storage), wholeness.EMPTY)
                with database.open(write=True):
                    pass
                with database.storage(write=False) as storage:
                    self.assertEqual(wholeness.state_of(storage), wholeness.BARE)
                fill(database)
                with database.storage(write=False) as storage:
                    self.assertEqual(wholeness.state_of(storage), wholeness.TAKEN)

    def test_progress_is_told(self) -> None:
        source = self.database()
        fill(source, NUMBER)
        told: list[int] = []
        with TemporaryDirectory() as folder, copying.alone(source) as storage:
            target = FileDatabase(Path(folder) / "new" / "Data.fs")
            number = copying.copy_database(storage, target, lambda done, size: told.append(done))
            self.assertEqual(number, 3 * NUMBER + 2)
            names = {path.name for path in target.path.parent.iterdir()}
        self.assertGreater(len(told), 10)
        self.assertEqual(names, {"Data.fs", "Data.fs.index", "Data.fs.lock"})

    def test_the_root_of_zeo_is_the_last_transaction(self) -> None:
        source, target = self.database(), self.database("zeo")
        fill(source)
        copy(source, target)
        with target.storage(write=False) as storage:
            _data, tid = load_current(storage, z64)
            self.assertEqual(tid, storage.lastTransaction())
            self.assertGreater(u64(tid), max(u64(each[1]) for each in all_of(source)))
