"""Cells are compiled: the shorter ways give what the longer one gives."""

import unittest
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from zope import schema

from waeup.kofa.conversion import FieldPlan, render_value
from waeup.kofa.exporting.cells import MOST_REMEMBERED, compile_cell, compile_row
from waeup.kofa.tests.conversion.test_cells import tricky_texts
from waeup.kofa.tests.exporting.kinds import MAKERS


class CellTests(unittest.TestCase):
    @given(st.data(), st.booleans())
    def test_every_kind_of_field(self, data, safe):
        for make, values in MAKERS:
            plan = FieldPlan(make(__name__="field"))
            cell = compile_cell(plan, safe)
            for _ in range(2):
                value = data.draw(values | st.none())
                self.assertEqual(cell(value), plan.render(value, safe))

    @given(tricky_texts, st.booleans())
    def test_texts(self, text, safe):
        for kind in (schema.Text, schema.ASCII):
            plan = FieldPlan(kind(__name__="field"))
            self.assertEqual(compile_cell(plan, safe)(text), plan.render(text, safe))

    def test_values_of_a_wrong_type(self):
        """An object has what it has; its cell is the text of that."""
        for kind, value, text in (
            (schema.TextLine, 5, "5"),
            (schema.Int, "=1", "=1"),
            (schema.Int, [1], "[1]"),
            (partial(schema.Choice, values=["a"]), ["a"], "['a']"),
        ):
            plan = FieldPlan(kind(__name__="field", required=False))
            self.assertEqual(compile_cell(plan, True)(value), text)

    def test_remembered_values(self):
        """Those that come again are made once; there is an end to what is kept."""
        plan = FieldPlan(schema.Int(__name__="field"))
        cell = compile_cell(plan, True)
        for number in (*range(MOST_REMEMBERED + 10), 3, 3):
            self.assertEqual(cell(number), str(number))
        known = cell.__closure__[0].cell_contents
        self.assertLessEqual(len(known), MOST_REMEMBERED)

    def test_columns_that_are_no_fields(self):
        for value in (None, True, "=x", 5, ["a"], object):
            self.assertEqual(compile_cell(None, True)(value), render_value(value))

    def test_fields_that_a_new_object_has_filled(self):
        """None must be written down, unless the field cannot be cleared."""
        for required, safe, text in (
            (False, True, "XXX"),
            (True, True, ""),
            (False, False, ""),
        ):
            plan = FieldPlan(schema.TextLine(__name__="field", required=required))
            cell = compile_cell(plan, safe, is_filled=True)
            self.assertEqual(cell(None), text)
            self.assertEqual(cell("x"), "x")


class RowTests(unittest.TestCase):
    def test_attributes_that_are_not_there(self):
        class Thing:
            a = "x"

        for names, cells in (
            (["a"], ["x"]),
            (["a", "b"], ["x", ""]),
            (["b"], [""]),
            ([], []),
        ):
            renders = [compile_cell(None, True) for _ in names]
            self.assertEqual(compile_row(names, renders)(Thing()), cells)
