"""Gates: the quick look at many values of one column."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.tabular.column import Column
from waeup.kofa.tabular.gates import Gate

CODES = [f"K{100 + at}" for at in range(20)]
DATES = [f"2024-0{1 + at % 9}-1{at % 10}" for at in range(20)]
MARKS = [str(at * 7 % 100) for at in range(20)]
SEXES = ["m", "f", "f", "m"] * 5
MAILS = [f"{name}@example.org" for name in ("a", "bo", "cy", "dan", "eve", "flo")]


class Gates(unittest.TestCase):
    def check(self, values, passing, stopped):
        gate = Gate(0, Column(values))
        self.assertTrue(gate.is_useful)
        self.assertTrue(gate.passes(values))
        for text in passing:
            self.assertTrue(gate.passes([*values, text]), text)
        for text in stopped:
            self.assertFalse(gate.passes([*values, text]), text)
            self.assertFalse(gate.passes([text]), text)

    def test_values_of_one_form(self):
        self.check(CODES, ["K999", "Z123"], ["K99", "99", "K1000", "9999", "", "K100\nK101"])
        self.check(DATES, ["1999-12-31"], ["1999-12", "31", "", "1999/12/31", "Arts", "x"])

    def test_numbers_of_any_size(self):
        self.check(MARKS, ["100", "-1", "0"], ["", "absent", "1-2", "12a", "3,5"])

    def test_numbers_with_fractions(self):
        self.check(["1.5", "22.75", "3", "40.1", "5"], ["1000.5"], ["", "n/a", "1:30"])

    def test_few_values_that_stand_again_and_again(self):
        self.check(SEXES, ["m"], ["x", "", "mf"])

    def test_signs_that_each_value_has(self):
        self.check(MAILS, ["gus@example.org"], ["gus", "", "example.org", "a@b@c.org"])

    def test_words_in_small_letters_among_others(self):
        gate = Gate(0, Column(["Ada", "Bob", "de Vries", "Eve", "USA"]))
        self.assertFalse(gate.is_useful)
        self.assertTrue(gate.has_capitals and gate.passes(["Kano", "12"]))
        self.assertFalse(gate.passes(["Kano", "town"]))

    def test_columns_that_may_be_empty(self):
        gate = Gate(0, Column([*MARKS, *[""] * 20]))
        self.assertTrue(gate.passes(["", "7", ""]))
        self.assertFalse(gate.passes(["", "absent"]))

    def test_texts_have_nothing_to_look_for(self):
        self.assertFalse(Gate(0, Column(["Law and order", "Arts", "Film studies"])).is_useful)

    @given(st.lists(st.sampled_from(CODES + DATES + MARKS + SEXES + MAILS), min_size=1))
    def test_many_values_pass_when_each_does(self, values):
        for learned in (CODES, DATES, MARKS, SEXES, MAILS):
            gate = Gate(0, Column(learned))
            each = all(gate.passes([value]) for value in values)
            if each:
                self.assertTrue(gate.passes(values))
            elif len(values) == 1:
                self.assertFalse(gate.passes(values))
