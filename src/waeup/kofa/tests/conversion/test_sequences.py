"""List literals are parsed, never evaluated."""

import unittest
import warnings
from datetime import date

from zope import schema

from waeup.kofa.conversion import FieldPlan, from_cell, to_cell
from waeup.kofa.conversion.sequences import MAX_DEPTH, MAX_LENGTH, parse_list
from waeup.kofa.errors import ConversionError


class ParseTests(unittest.TestCase):
    def test_literals(self):
        self.assertEqual(
            parse_list("""['a', "it's", 1, -2.5, 1e3, True, None, ['x'], {'k': ('v',)}]"""),
            ["a", "it's", 1, -2.5, 1000.0, True, None, ["x"], {"k": ("v",)}],
        )
        self.assertEqual(parse_list(r"""['\n\'\\', '#', '[', "é"]"""), ["\n'\\", "#", "[", "é"])

    def test_what_is_no_escape_stands_for_itself_without_a_warning(self):
        # Each warning would be a line on the console of the server.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(
                parse_list(r"""['\d+', 'C:\\d\é', '\8\101\400', u'\x41\u0041\\']"""),
                [r"\d+", r"C:\d\é", "\\8A\u0100", "AA\\"],
            )

    def test_texts_as_kofa_1_9_exports_them(self):
        self.assertEqual(
            parse_list(r"""[u'a', {'k': u"it's", u'caf\xe9': [u'']}]"""),
            ["a", {"k": "it's", "café": [""]}],
        )
        for text in ("[u]", "[ur'a']", "[uu'a']", "[u 'a']", "[u1]", "[u'a'u'b']"):
            with self.subTest(text), self.assertRaises(ConversionError):
                parse_list(text)

    def test_all_brackets(self):
        for text in ("['a']", "('a',)", "{'a'}", "[ 'a', ]"):
            self.assertEqual(parse_list(text), ["a"])
        for text in ("[]", "()", "{}", "[ ]"):
            self.assertEqual(parse_list(text), [])

    def test_anything_else_is_refused(self):
        for text in (
            *("abc", "'abc'", "1", "None", "{'a': 1}", "[a]", "[changed]", "['a' 'b']", "[1-1]"),
            *("['a'", "'a']", "[1 2]", "[,]", "['a'*9]", "[f'{1}']", "[b'a']", "[--1]", "[1j]"),
            *("__import__('os').system('true')", "[[].__class__]", "[*'a']", "[lambda: 1]"),
            *(
                "[x for x in 'a']",
                "['a'] # b",
                "[0x10]",
                "[1_0]",
                "[{[]: 1}]",
                "[{[]}]",
                "['\\x']",
            ),
        ):
            with (
                self.subTest(text=text),
                self.assertRaisesRegex(ConversionError, r"^Invalid list data: .* \['a', 'b'\]\.$"),
            ):
                parse_list(text)

    def test_bounds(self):
        deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
        self.assertEqual(len(parse_list(deep)), 1)
        with self.assertRaisesRegex(ConversionError, "more than 10 lists in each other"):
            parse_list(f"[{deep}]")
        long = "[" + "1," * (MAX_LENGTH // 2) + "]"
        with self.assertRaisesRegex(ConversionError, "at most 131071 are possible"):
            parse_list(long)

    def test_hostile_texts_are_refused_soon(self):
        for text in ("[" * 100_000, "[" + "-" * 100_000 + "1]", "['" * 50_000, "not " * 30_000):
            with self.assertRaises(ConversionError):
                parse_list(text)


class SequenceTests(unittest.TestCase):
    def test_kinds(self):
        for kind, value in (
            (schema.List, ["b", "a"]),
            (schema.Tuple, ("b", "a")),
            (schema.Set, {"a", "b"}),
            (schema.FrozenSet, frozenset("ab")),
        ):
            field = kind(value_type=schema.TextLine())
            self.assertEqual(from_cell(field, "['b', 'a']"), value)
            self.assertEqual(from_cell(field, to_cell(field, value)), value)
        self.assertEqual(
            to_cell(schema.Set(value_type=schema.TextLine()), {"b", "a"}), "['a', 'b']"
        )

    def test_elements_are_converted(self):
        dates = schema.List(value_type=schema.Date())
        self.assertEqual(from_cell(dates, "['2012-04-30#']"), [date(2012, 4, 30)])
        levels = schema.List(value_type=schema.Choice(values=[100, 200]))
        self.assertEqual(from_cell(levels, "[100, '200']"), [100, 200])
        numbers = schema.List(value_type=schema.Int())
        self.assertEqual(to_cell(numbers, [1, -2]), "[1, -2]")
        nested = schema.List(value_type=schema.Tuple(value_type=schema.TextLine()))
        self.assertEqual(from_cell(nested, "[['a', 'b'], ('c',)]"), [("a", "b"), ("c",)])

    def test_element_that_is_wrong(self):
        for field, cell, message in (
            (schema.Int(), "[1, 'x']", "Invalid integer data: 'x' .*Element 2 of the list"),
            (schema.Int(), "[None]", "'None' cannot be an element"),
            (schema.TextLine(), "[['a']]", "cannot be an element"),
            (schema.Int(max=5), "[6]", "Invalid input: '6' is too big; the biggest value is 5"),
            (
                schema.TextLine(max_length=2),
                "['abc']",
                "'abc' is too long; the greatest length is 2",
            ),
        ):
            with self.subTest(cell=cell), self.assertRaisesRegex(ConversionError, message):
                from_cell(schema.List(value_type=field), cell)

    def test_limits_of_the_list(self):
        field = schema.List(value_type=schema.Int(), max_length=2)
        with self.assertRaisesRegex(ConversionError, "is too long; the greatest length is 2"):
            from_cell(field, "[1, 2, 3]")

    def test_without_a_kind_of_elements(self):
        cell = "[{'user_name': 'bob', 'local_role': 'x'}]"
        value = [{"user_name": "bob", "local_role": "x"}]
        self.assertEqual(from_cell(schema.List(), cell), value)
        self.assertEqual(to_cell(schema.List(), value), cell)

    def test_empty_list_and_empty_cell(self):
        """As in 1.9, ``[]`` counts as an empty cell where those are ignored."""
        plan = FieldPlan(schema.List(value_type=schema.Int(), required=False))
        self.assertEqual(plan.convert("[]", "update", False), [])
        self.assertEqual(plan.convert("[]", "update", True), "<IGNORE>")
        self.assertEqual(plan.convert(plan.render([]), "update", True), [])

    def test_half_characters_are_refused(self):
        """No file could be written that holds one."""
        for cell in (r"['\ud800']", r"[['x', '\udfff']]", r"[{'a': '\ud83d\ude00'}]"):
            with self.subTest(cell), self.assertRaisesRegex(ConversionError, "half a character"):
                parse_list(cell)
        self.assertEqual(parse_list(r"['\u00e9', '\\ud800']"), ["\u00e9", r"\ud800"])
