"""What is wrong with an expression, and where, in plain words."""

import unittest

from hypothesis import given, settings
from hypothesis import strategies as st

from waeup.kofa.errors import InvalidExpression
from waeup.kofa.i18n import english
from waeup.kofa.journal import Expression


def said(expression: str) -> str:
    """Return what is said of an expression that is none."""
    try:
        Expression(expression)
    except InvalidExpression as refusal:
        return english(refusal.explanation)
    raise AssertionError(f"{expression!r} is an expression")


class ExplainingTest(unittest.TestCase):
    """RE2's reasons in other words."""

    def test_the_place_and_the_reason_are_told(self) -> None:
        for expression, beginning in (
            ("K100 (updated", "At character 6, “(”: this bracket is opened and nowhere closed."),
            ("(a)(b", "At character 4, “(”: this bracket is opened"),
            (r"\((a", "At character 3, “(”: this bracket is opened"),
            ("[(](a", "At character 4, “(”: this bracket is opened"),
            ("[](](a", "At character 5, “(”: this bracket is opened"),
            ("[^](](a", "At character 6, “(”: this bracket is opened"),
            (r"[\](](a", "At character 6, “(”: this bracket is opened"),
            (r"[\\](a", "At character 5, “(”: this bracket is opened"),
            (r"\Q(\E(a", "At character 6, “(”: this bracket is opened"),
            ("a)", "At character 2, “)”: this bracket is closed and was nowhere opened."),
            ("(a))", "At character 4, “)”: this bracket is closed"),
            ("a[bc", "At character 2, “[bc”: this list of characters is opened"),
            ("*.csv", "At character 1, “*”: before this stands nothing that could be repeated."),
            ("a|*", "At character 3, “*”: before this stands nothing"),
            ("xa**", "At character 3, “**”: one repetition follows another."),
            ("a++", "At character 2, “++”: one repetition follows another."),
            ("a{1001}", "At character 2, “{1001}”: so many repetitions are not possible."),
            ("a{2,1}", "At character 2, “{2,1}”: so many repetitions are not possible."),
            ("[z-a]", "At character 2, “z-a”: there is no such list of characters."),
            ("[[:foo:]]", "At character 2, “[:foo:]”: there is no such list"),
            (r"\p{Foo}", r"At character 1, “\p{Foo}”: there is no such list"),
            ("a\\", "At character 2: a backslash at the end has nothing behind it."),
            (r"\Z", r"At character 1, “\Z”: a backslash before this character means nothing."),
            (r"\ü", r"At character 1, “\ü”: a backslash before this character"),
            (r"(a)\1", r"At character 4, “\1”: RE2 has no back references,"),
            (r"(?P<n>a)\k<n>", r"At character 9, “\k”: RE2 has no back references,"),
            ("(?P<n>a)(?P=n)", "At character 9, “(?P=”: RE2 has no back references,"),
            ("a(?=b)", "At character 2, “(?=”: RE2 has no look-around,"),
            ("a(?!b)", "At character 2, “(?!”: RE2 has no look-around,"),
            ("(?<=a)b", "At character 1, “(?<=”: RE2 has no look-around,"),
            ("(?<!a)b", "At character 1, “(?<!”: RE2 has no look-around,"),
            ("(?>a)", "At character 1, “(?>”: RE2 knows no such group."),
            ("(?#a)", "At character 1, “(?#”: RE2 knows no such group."),
            ("é(?x)a", "At character 2, “(?x”: RE2 knows no such group."),
        ):
            with self.subTest(expression):
                self.assertTrue(said(expression).startswith(beginning), said(expression))

    def test_a_bracket_for_itself_is_written_as_it_is_told(self) -> None:
        self.assertIn(r"write “\(”", said("("))
        self.assertIn(r"Write “\\” for a backslash", said("a\\"))
        Expression(r"\(")
        Expression("a\\\\")

    def test_nothing_that_moves_a_cursor_is_quoted(self) -> None:
        self.assertIn(r"“[\x1b”", said("a[\x1b"))

    @settings(max_examples=500, deadline=None)
    @given(st.text("ab()[]{}*+?\\|^$-:=<>!P1kQE,é\n", max_size=12))
    def test_whatever_is_refused_is_explained(self, expression: str) -> None:
        try:
            Expression(expression)
        except InvalidExpression as refusal:
            self.assertGreater(len(english(refusal.explanation)), 30)
            self.assertNotRegex(english(refusal.explanation), r"\$\{(at|part)\}")
            self.assertTrue(str(refusal).startswith("Invalid query string: "))


class MarksTest(unittest.TestCase):
    """What an expression has found in a text."""

    def test_spans_are_those_of_characters(self) -> None:
        for expression, text, marks in (
            ("ọ", "Ọmọ ọ", [(2, 3), (4, 5)]),
            ("b$", "ab", [(1, 2)]),
            ("b\n", "ab", [(1, 2)]),
            ("^a", "aa", [(0, 1)]),
            ("x*", "axa", [(1, 2)]),
            ("", "abc", []),
            ("$", "abc", []),
            ("\n", "abc", []),
            ("a", "", []),
        ):
            with self.subTest(expression):
                self.assertEqual(Expression(expression).marks(text), marks)
        self.assertEqual(Expression("A", ignore_case=True).marks("a"), [(0, 1)])

    def test_of_very_many_some_are_told(self) -> None:
        self.assertEqual(len(Expression("a").marks("a" * 1000)), 200)


if __name__ == "__main__":
    unittest.main()
