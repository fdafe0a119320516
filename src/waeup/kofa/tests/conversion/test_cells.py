"""Safe cells: nothing that a spreadsheet evaluates, nothing lost, nothing touched needlessly."""

import copy
import pickle
import unittest

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.conversion.cells import (
    IGNORED,
    MARKERS,
    VerbatimText,
    disarmed,
    disarmed_column,
    guard,
    is_active,
    is_ignored,
    unguard,
)
from waeup.kofa.interfaces import IGNORE_MARKER

#: Beginnings of what spreadsheets evaluate, some only in East Asia.
SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")
PIECES = ["'", *SIGNS, " ", "\u00a0", "a", "é", '"', ",", "#"]
#: Texts of what the grammar looks at.
tricky_texts = st.one_of(
    st.lists(st.sampled_from([*PIECES, *sorted(MARKERS)]), max_size=6).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)


class SafeCellTests(unittest.TestCase):
    def test_texts_that_are_guarded(self):
        """Formulas, markers, outer blanks, and what already looks guarded."""
        for text in (
            *("=1+1", "+1", "-1", "@x", "\tx", "\rx", "XXX", "<IGNORE>", "[]", ""),
            *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x", "'\uff1dx", "''\uff20x"),
            *(" x", "x ", "\nx", "'=x", "''=x", "'XXX", "' x", "'", "\u00a0x"),
        ):
            with self.subTest(text=text):
                self.assertEqual(guard(text), "'" + text)

    def test_texts_that_stay_as_they_are(self):
        """An apostrophe alone is no reason to touch a text."""
        for text in ("'t Hooft", "O'Neil", "a=b", "2012-04-30#", "XXXL", "a-b", "''x''"):
            with self.subTest(text=text):
                self.assertEqual(guard(text), text)
                self.assertIsNone(unguard(text))

    @given(tricky_texts)
    def test_unguard_is_the_opposite_of_guard(self, text):
        cell = guard(text)
        value = unguard(cell)
        self.assertEqual(cell if value is None else value, text)

    @given(tricky_texts)
    def test_no_cell_is_active_or_loses_blanks(self, text):
        cell = guard(text)
        self.assertFalse(cell.startswith(SIGNS))
        self.assertNotIn(cell, MARKERS)

    @given(tricky_texts, tricky_texts)
    def test_different_texts_have_different_cells(self, one, other):
        self.assertEqual(one == other, guard(one) == guard(other))


class IgnoredTests(unittest.TestCase):
    def test_equals_the_marker_of_1_9(self):
        """Hooks of site components compare with the text."""
        self.assertEqual(IGNORED, IGNORE_MARKER)
        self.assertIsNot(IGNORED, IGNORE_MARKER)
        self.assertEqual(repr(IGNORED), "IGNORED")

    def test_stays_the_same_object(self):
        for other in (copy.copy(IGNORED), copy.deepcopy(IGNORED)):
            self.assertIs(other, IGNORED)
        self.assertIs(pickle.loads(pickle.dumps(IGNORED)), IGNORED)


class VerbatimTests(unittest.TestCase):
    def test_is_told_from_the_marker(self):
        for value, ignored in (
            (IGNORED, True),
            (IGNORE_MARKER, True),
            ("".join(["<IG", "NORE>"]), True),
            (VerbatimText(IGNORE_MARKER), False),
            ("x", False),
            (None, False),
            (0, False),
        ):
            with self.subTest(repr(value)):
                self.assertIs(is_ignored(value), ignored)

    def test_is_kept_as_a_plain_text(self):
        kept = pickle.loads(pickle.dumps(VerbatimText(IGNORE_MARKER)))
        self.assertEqual((kept, type(kept)), (IGNORE_MARKER, str))


class ActiveTests(unittest.TestCase):
    def test_what_a_spreadsheet_evaluates(self):
        for text in (*(f"{sign}1" for sign in SIGNS), *SIGNS):
            self.assertTrue(is_active(text), text)
        for text in ("", "'=1", "x=1", "1-1", "XXX", "'\uff1d1", "1\uff0b1", "日本", "日a"):
            self.assertFalse(is_active(text), text)

    @given(st.lists(tricky_texts))
    def test_a_column_is_disarmed_as_its_cells(self, cells):
        found = list(disarmed_column(cells))
        self.assertEqual(found, [disarmed(cell) for cell in cells])
        self.assertFalse([cell for cell in found if is_active(cell)])

    def test_columns_of_one_sign(self):
        for cells in (
            ["+1", "+2 "],
            ["a\n+1", "+2"],
            ["+1\0+2", "+2"],
            ["\n\uff1d1", "", "a\n\nb"],
        ):
            with self.subTest(cells):
                self.assertEqual(list(disarmed_column(cells)), [disarmed(cell) for cell in cells])
