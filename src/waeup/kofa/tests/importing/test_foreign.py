"""Texts that are no value of their choice: which are told, and the bounds."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from zope import interface, schema
from zope.schema.vocabulary import SimpleVocabulary

from waeup.kofa.conversion import plan_fields
from waeup.kofa.importing import foreign, looking
from waeup.kofa.importing.corrections import CorrectedCell, Correction
from waeup.kofa.importing.reading import AS_FOUND


def not_even(value):
    """A constraint that does not expect words."""
    return int(value) % 2 == 1


class ICat(interface.Interface):
    """A cat."""

    sex = schema.Choice(title="Sex", vocabulary=SimpleVocabulary.fromValues(["m", "f"]))
    tame = schema.Bool(title="Tame", required=False)
    legs = schema.Choice(title="Legs", values=["1", "3", "4", "x"], constraint=not_even)


class ForeignTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "cats.csv"

    def look(self, *lines, mode="create", **kw):
        self.path.write_text("".join(f"{line}\r\n" for line in lines), newline="")
        fields = plan_fields(ICat)
        header = lines[0].split(",")
        plans = {at: fields[name] for at, name in enumerate(header) if name in fields}
        return foreign.foreign_texts(str(self.path), AS_FOUND, "cats.csv", plans, mode, **kw)

    def test_texts_are_counted_unless_they_are_allowed(self):
        found = self.look(
            "sex,name,tame",
            "m,a,1",
            "W,b,ja",
            "M, c,YES",
            " W ,d,1",
            "<IGNORE>,W,nein",
            "XXX,W,no",
        )
        self.assertEqual(found.texts, {0: [("W", 2)], 2: [("ja", 1), ("nein", 1)]})
        self.assertEqual((found.rows, found.is_whole, found.more), (6, True, frozenset()))

    def test_an_error_of_a_constraint_is_a_text_that_is_not_allowed(self):
        self.assertEqual(self.look("legs", "1", "3", "4", "x").texts, {0: [("4", 1), ("x", 1)]})

    def test_damaged_rows_are_passed_over_and_corrected_ones_read_so(self):
        found = self.look("sex,tame", "W,1", "q,q,q", "Z,1")
        self.assertEqual(found.texts[0], [("W", 1), ("Z", 1)])
        correction = Correction((CorrectedCell(0, "Z", "W"),))
        found = self.look("sex,tame", "W,1", "q,q,q", "Z,1", corrections={3: correction})
        self.assertEqual(found.texts[0], [("W", 2)])

    def test_what_is_kept_and_read_is_bounded(self):
        lines = [f"t{number}" for number in range(10)]
        with mock.patch.object(foreign, "MOST_TEXTS", 3):
            found = self.look("sex", *lines, "t1")
        self.assertEqual(found.texts, {0: [("t1", 2), ("t0", 1), ("t2", 1)]})
        self.assertEqual(found.more, {0})
        with mock.patch.object(foreign, "MOST_ROWS", 4):
            found = self.look("sex", *lines)
        self.assertEqual((len(found.texts[0]), found.rows, found.is_whole), (4, 4, False))
        with mock.patch.object(looking.Look, "is_over", return_value=True):
            found = self.look("sex", *["W"] * 99_999)
        self.assertEqual((0 < found.rows < 99_999, found.is_whole), (True, False))
        found = self.look("sex", "x" * (foreign.LONGEST + 1))
        self.assertEqual((found.texts, found.more), ({0: []}, {0}))
