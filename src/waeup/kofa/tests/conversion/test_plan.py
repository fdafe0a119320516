"""Field plans: markers, empty cells, rules of the field, adapters of a site."""

import unittest

from zope import schema
from zope.component import provideAdapter
from zope.interface import Attribute, Interface, Invalid, implementer
from zope.schema.interfaces import IInt, ValidationError
from zope.testing.cleanup import cleanUp

from waeup.kofa.conversion import (
    IGNORED,
    FieldPlan,
    ValueRequired,
    from_cell,
    plan_fields,
    to_cell,
)
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.interfaces import IFieldConverter


class NotACode(ValidationError):
    """No code of a course."""


def refuse_as_invalid(value):
    """A constraint that says why."""
    raise Invalid("codes are short")


def refuse_with_own_class(value):
    """A constraint whose error explains itself."""
    raise NotACode(value)


class NulTests(unittest.TestCase):
    def test_no_text_holds_one(self):
        """Python 3.10 cannot write it into a file, and nobody can see it."""
        with self.assertRaisesRegex(ConversionError, "NUL"):
            FieldPlan(schema.TextLine()).convert("a\0b", "create", True)


class MarkerTests(unittest.TestCase):
    def test_ignore_marker_holds_in_every_mode(self):
        plan = FieldPlan(schema.Int())
        for mode in ("create", "update", "remove"):
            self.assertIs(plan.convert(" <IGNORE> ", mode, False), IGNORED)

    def test_deletion_marker(self):
        """Missing value; the default of a required field; no marker in other modes."""
        free = FieldPlan(schema.TextLine(required=False, default="x", missing_value="-"))
        self.assertEqual(free.convert("XXX", "update", True), "-")
        required = FieldPlan(schema.TextLine(default="x"))
        self.assertEqual(required.convert("XXX", "create", True), "x")
        self.assertEqual(required.convert("XXX", "remove", True), "XXX")
        self.assertIsNone(FieldPlan(schema.Int(required=False)).convert("XXX", "update", True))
        with self.assertRaisesRegex(ValueRequired, "cannot be deleted: it is required"):
            FieldPlan(schema.Int()).convert("XXX", "update", True)

    def test_deletion_does_not_share_the_default(self):
        field = schema.List(value_type=schema.Int(), default=[1])
        value = from_cell(field, "XXX")
        self.assertEqual(value, [1])
        self.assertIsNot(value, field.default)

    def test_empty_cell(self):
        free = FieldPlan(schema.Int(required=False, missing_value=-1, default=0))
        self.assertIs(free.convert("  ", "update", True), IGNORED)
        self.assertEqual(free.convert("  ", "update", False), -1)
        with self.assertRaisesRegex(ConversionError, "^Invalid input: the cell is empty"):
            FieldPlan(schema.Int()).convert("", "update", False)

    def test_list_brackets_are_a_text_where_empty_cells_count(self):
        self.assertEqual(from_cell(schema.TextLine(), "[]", ignore_empty=False), "[]")


class CheckTests(unittest.TestCase):
    def assertRefused(self, field, cell, message):
        with self.assertRaises(ConversionError) as caught:
            from_cell(field, cell)
        self.assertEqual(str(caught.exception), message)

    def test_constraint(self):
        field = schema.TextLine(constraint=lambda value: " " not in value, max_length=11)
        self.assertEqual(from_cell(field, "FAC5"), "FAC5")
        self.assertRefused(
            field, "FAC 5", "Invalid input: 'FAC 5' does not satisfy the rule of this field."
        )
        self.assertRefused(
            field,
            "A" * 12,
            "Invalid input: 'AAAAAAAAAAAA' has 12 characters, but must have at most 11.",
        )

    def test_rule_in_the_words_of_the_schema(self):
        field = schema.TextLine(description="no blanks", constraint=lambda value: " " not in value)
        self.assertRefused(
            field,
            "a b",
            "Invalid input: 'a b' does not satisfy the rule of this field (no blanks).",
        )

    def test_constraint_of_a_subclass(self):
        class Even(schema.Int):
            """A kind of field of a site."""

            def constraint(self, value):
                return value % 2 == 0

        class Upper(schema.TextLine):
            """Another one."""

            def constraint(self, value):
                return value.isupper()

        self.assertEqual(from_cell(Even(), "4"), 4)
        self.assertEqual(from_cell(Upper(), "A"), "A")
        for field, cell in ((Even(), "3"), (Upper(), "a")):
            with self.assertRaisesRegex(ConversionError, "^Invalid input: "):
                from_cell(field, cell)

    def test_validation_of_a_subclass(self):
        class Short(schema.TextLine):
            """Overrides what is compiled otherwise."""

            def _validate(self, value):
                super()._validate(value)
                if len(value) > 3:
                    raise NotACode(value)

        self.assertRefused(Short(), "abcd", "Invalid input: 'abcd': No code of a course.")

    def test_errors_that_explain_themselves(self):
        field = schema.TextLine(constraint=refuse_as_invalid)
        self.assertRefused(field, "x", "Invalid input: 'x': codes are short")
        field = schema.Int(constraint=refuse_with_own_class)
        self.assertRefused(field, "1", "Invalid input: '1': No code of a course.")

    def test_long_cell_is_cut_in_the_message(self):
        with self.assertRaises(ConversionError) as caught:
            from_cell(schema.TextLine(max_length=5), "x" * 100_000)
        self.assertLess(len(str(caught.exception)), 150)


class RenderTests(unittest.TestCase):
    def test_none(self):
        """A None that an empty cell would not restore needs a marker."""
        self.assertEqual(to_cell(schema.TextLine(required=False), None), "")
        with_default = schema.TextLine(required=False, default="x")
        self.assertEqual(to_cell(with_default, None), "XXX")
        self.assertEqual(to_cell(with_default, None, safe=False), "")
        self.assertIsNone(from_cell(with_default, "XXX"))

    def test_empty_text(self):
        self.assertEqual(to_cell(schema.TextLine(), ""), "'")
        self.assertEqual(to_cell(schema.TextLine(default=""), ""), "")

    def test_only_texts_are_guarded(self):
        self.assertEqual(to_cell(schema.Int(), -5), "-5")
        self.assertEqual(to_cell(schema.TextLine(), "-5"), "'-5")
        self.assertEqual(to_cell(schema.TextLine(), "-5", safe=False), "-5")


class Record(Interface):
    """A schema with more than cells can fill."""

    code = schema.TextLine()
    prices = schema.Dict()
    note = Attribute("no field")


class PlanFieldsTests(unittest.TestCase):
    def test_all_fields_that_cells_can_fill(self):
        self.assertEqual(list(plan_fields(Record)), ["code"])
        self.assertEqual(plan_fields(Record)["code"].name, "code")

    def test_named_fields(self):
        self.assertEqual(list(plan_fields(Record, ["code", "note", "unknown"])), ["code"])
        with self.assertRaisesRegex(MappingError, "'prices' is of the kind Dict"):
            plan_fields(Record, ["prices"])


@implementer(IFieldConverter)
class Reversed:
    """A converter of a site; knows nothing of the base class of this room."""

    def __init__(self, field):
        self.field = field

    def convert(self, text):
        return int(text[::-1])

    def render(self, value):
        return str(value)[::-1]


class AdapterTests(unittest.TestCase):
    def setUp(self):
        self.addCleanup(cleanUp)
        provideAdapter(Reversed, (IInt,), IFieldConverter)

    def test_adapter_of_a_site_comes_first(self):
        field = schema.Int(max=50)
        self.assertEqual(from_cell(field, "12"), 21)
        self.assertEqual(to_cell(field, 21), "12")
        with self.assertRaisesRegex(ConversionError, "too big"):
            from_cell(field, "19")
        self.assertEqual(from_cell(schema.List(value_type=schema.Int()), "['12']"), [21])
