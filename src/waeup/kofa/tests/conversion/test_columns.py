"""Many cells at once mean what each of them means to its field plan."""

import unittest
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from zope import schema
from zope.interface import Invalid, implementer
from zope.schema.interfaces import ConstraintNotSatisfied, ISource

from waeup.kofa.conversion import IGNORED, FieldPlan, FormattedDate, PhoneNumber
from waeup.kofa.conversion import columns as module
from waeup.kofa.conversion.columns import UNSETTLED, Column, compile_column
from waeup.kofa.conversion.converters import IntConverter


def no_x(text):
    """A constraint that is false, or raises, for some texts."""
    if text.startswith("xx"):
        raise Invalid("two of them")
    return "x" not in text


@implementer(ISource)
class Evens:
    """A source that cannot be listed."""

    def __contains__(self, value):
        return len(value) % 2 == 0


class OwnField(schema.TextLine):
    """A field of a site with rules of its own."""

    def _validate(self, value):
        super()._validate(value)
        if value.endswith("y"):
            raise ConstraintNotSatisfied(value)


TERMS = ["a", "<IGNORE>", "1", "XXX", "é"]
FIELDS = {
    "line": schema.TextLine(required=False),
    "required line": schema.TextLine(),
    "line with default": schema.TextLine(default="x"),
    "short line": schema.TextLine(required=False, min_length=2, max_length=3),
    "line with a rule": schema.TextLine(required=False, constraint=no_x),
    "line of a site": OwnField(required=False),
    "text": schema.Text(required=False),
    "long text": schema.Text(min_length=2),
    "ascii": schema.ASCII(required=False),
    "ascii line": schema.ASCIILine(required=False, constraint=no_x),
    "bool": schema.Bool(required=False, default=False),
    "int": schema.Int(required=False, min=-3, max=20),
    "int with a rule": schema.Int(required=False, constraint=lambda value: value != 1),
    "required int": schema.Int(),
    "float": schema.Float(required=False),
    "decimal": schema.Decimal(required=False),
    "date": schema.Date(required=False),
    "formatted date": FormattedDate("%d/%m/%Y", required=False),
    "datetime": schema.Datetime(required=False),
    "choice": schema.Choice(values=TERMS, required=False),
    "choice with default": schema.Choice(values=TERMS, default="a"),
    "choice of a source": schema.Choice(source=Evens(), required=False),
    "phone": PhoneNumber(required=False),
    "required phone": PhoneNumber(max_length=9),
    "list": schema.List(value_type=schema.Int(), required=False, default=[1]),
    "set": schema.Set(value_type=schema.TextLine(), required=False),
}
PIECES = (
    *("", " ", "'", "=", "+", "-", "#", "x", "y", "é", "\0", "\n", "\r", "<IGNORE>", "XXX", "[]"),
    *("a", "1", "+234-803-12", "+1--2", "2001-02-03", "3/2/2001", "2001-02-03 04:05", "yes"),
)
CELLS = st.lists(st.sampled_from(PIECES), max_size=3).map("".join) | st.text(max_size=4)
#: Cells that go together: most columns are of one kind.
LISTS = st.lists(CELLS, max_size=8) | st.lists(
    st.sampled_from(("+234-803-12", "+1--2", " ab ", "ab", "2001-02-03", "1", "")), max_size=8
)


class SameTests(unittest.TestCase):
    @settings(deadline=None, max_examples=400)
    @given(
        st.sampled_from(sorted(FIELDS)),
        st.sampled_from(("create", "update", "remove")),
        st.booleans(),
        LISTS,
        LISTS,
    )
    @example("line", "create", True, ["a\n'b", "c"], [])
    @example("text", "create", True, ["a\n'b", "'=c", " 'd"], [])
    @example("short line", "create", False, ["[]", "ab"], [])
    @example("phone", "create", True, ["+1-2-3", "'+1-2-3", "+1-2-3#"], ["+1-2-3", ""])
    def test_cell_by_cell(self, name, mode, ignore_empty, first, second):
        plan = FieldPlan(FIELDS[name])
        column = compile_column(plan, mode, ignore_empty)
        for cells in (first, second):
            values, is_special = column.convert(cells)
            self.assertEqual(len(values), len(cells))
            for cell, value in zip(cells, values, strict=True):
                try:
                    expected = plan.convert(cell, mode, ignore_empty)
                except Exception:
                    self.assertIs(value, UNSETTLED, cell)
                else:
                    self.assertEqual(value, expected, cell)
                    self.assertIs(type(value), type(expected), cell)
                    self.assertEqual(value is IGNORED, expected is IGNORED, cell)
            if not is_special:
                self.assertFalse([v for v in values if v is IGNORED or v is UNSETTLED])


class QuickTests(unittest.TestCase):
    def test_lists_are_not_shared(self):
        column = compile_column(FieldPlan(FIELDS["list"]), "create", True)
        one, two = column.convert(["[2]", "[2]"])[0]
        self.assertIsNot(one, two)
        required = schema.List(value_type=schema.Int(), default=[1])
        one, two = compile_column(FieldPlan(required), "create", True).convert(["XXX"] * 2)[0]
        self.assertEqual(one, [1])
        self.assertIsNot(one, two)

    def test_what_repeats_is_converted_once(self):
        plan = FieldPlan(schema.Int())
        with mock.patch.object(IntConverter, "convert", side_effect=int) as convert:
            column = compile_column(FieldPlan(plan.field), "create", True)
            self.assertEqual(column.convert(["1", "2", "1"])[0], [1, 2, 1])
            self.assertEqual(column.convert(["2"])[0], [2])
        self.assertEqual(convert.call_count, 2)

    def test_what_does_not_repeat_is_not_remembered(self):
        column = compile_column(FieldPlan(schema.Int()), "create", True)
        with mock.patch.object(module, "MOST_REMEMBERED", 3):
            for start in range(5):
                cells = [str(start + at) for at in range(3)]
                self.assertEqual(column.convert(cells)[0], list(map(int, cells)))
        self.assertIsNone(column._memory)
        long = compile_column(FieldPlan(schema.Int()), "create", True)
        long.convert(["0" * 100])
        self.assertFalse(long._memory)

    def test_what_a_site_decides_is_asked_each_time(self):
        answers = iter((True, False))

        class OwnConverter(IntConverter):
            def convert(self, text):
                return next(answers)

        plan = FieldPlan(schema.Int())
        plan.converter = OwnConverter(plan.field)
        self.assertIs(type(compile_column(plan, "create", True)), Column)
        ruled = FieldPlan(schema.Int(constraint=lambda value: next(answers)))
        column = compile_column(ruled, "create", True)
        self.assertEqual(column.convert(["1", "1"])[0], [1, UNSETTLED])
