"""What a batch keeps for an undo comes back as it was, from the records of all releases."""

import unittest

import transaction
import ZODB
from persistent import Persistent
from ZODB.MappingStorage import MappingStorage

from waeup.kofa.importing.effects import Effect
from waeup.kofa.importing.report import CREATED, REMOVED, UPDATED
from waeup.kofa.jobs.record import UndoBatch


class Thing(Persistent):
    """Something that is imported, or contains it."""


class UndoBatchTests(unittest.TestCase):
    """The effects of a batch in a database."""

    def setUp(self):
        self.addCleanup(transaction.abort)
        database = ZODB.DB(MappingStorage())
        self.addCleanup(database.close)
        self.root = database.open().root()
        self.boxes = [Thing(), Thing()]
        self.things = [Thing() for _ in range(4)]
        one, two, three, four = self.things
        self.effects = [
            (1, Effect(CREATED, one, self.boxes[0], "one")),
            (2, Effect(UPDATED, two, self.boxes[1], "two", {"a": 1}, serial=b"12345678")),
            (4, Effect(UPDATED, three, None, None, {}, {"b": 2}, ("c",), extra={"d"})),
            (7, Effect(REMOVED, four, self.boxes[0], "four", serial=b"87654321")),
        ]

    def stored(self, batch):
        """Store a batch, and load it again."""
        self.root["batch"] = batch
        transaction.commit()
        batch._p_deactivate()
        return batch

    def test_effects_come_back(self):
        batch = self.stored(UndoBatch(self.effects))
        self.assertEqual(batch.effects, self.effects)
        self.assertEqual(batch.last_row, 7)
        for number, effect in self.effects:
            self.assertEqual(batch.effect_of(number), effect)
        self.assertIsNone(batch.effect_of(3))

    def test_each_container_is_kept_once(self):
        effects = [(n, Effect(CREATED, Thing(), self.boxes[0], "x")) for n in range(100)]
        batch = self.stored(UndoBatch(effects))
        self.assertEqual(batch._parents, (self.boxes[0],))

    def test_second_effect_on_an_object_has_no_serial(self):
        thing, box = self.things[0], self.boxes[0]
        effects = [
            (1, Effect(UPDATED, thing, box, "x", {"a": 1}, serial=b"12345678")),
            (2, Effect(UPDATED, thing, box, "x", {"a": 2}, serial=b"12345678")),
        ]
        kept = self.stored(UndoBatch(effects)).effects
        self.assertEqual(kept, [effects[0], (2, effects[1][1]._replace(serial=None))])

    def test_batch_without_effects(self):
        batch = self.stored(UndoBatch([]))
        self.assertEqual((batch.effects, batch.last_row), ([], 0))

    def test_batch_of_a_former_release(self):
        batch = UndoBatch([])
        batch._effects = tuple((number, tuple(effect)) for number, effect in self.effects)
        del batch._parents
        self.assertEqual(self.stored(batch).effects, self.effects)
