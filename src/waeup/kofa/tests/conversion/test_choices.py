"""Cells of choices: tokens, titles, and sources of several kinds."""

import unittest

from ZODB.POSException import POSKeyError
from zope import schema
from zope.component import getGlobalSiteManager
from zope.interface import implementer, provider
from zope.schema.interfaces import (
    IContextSourceBinder,
    IIterableSource,
    ISource,
    IVocabularyFactory,
)
from zope.schema.vocabulary import (
    SimpleTerm,
    SimpleVocabulary,
    getVocabularyRegistry,
)

from waeup.kofa.conversion import FieldPlan, explain
from waeup.kofa.conversion.vocabularies import install
from waeup.kofa.errors import ConversionError, MappingError
from waeup.kofa.i18n import english


class Course:
    """An object with a code."""

    def __init__(self, code):
        self.code = code


@implementer(IIterableSource)
class Courses(list):
    """A source that can be listed, without terms."""


@implementer(ISource)
class ShortTexts:
    """A source that cannot be listed."""

    def __contains__(self, value):
        return len(value) < 4


@implementer(IContextSourceBinder)
class AttributeOfContext:
    """Finds its values at the context, and counts how often."""

    calls = 0

    def __call__(self, context):
        self.calls += 1
        return SimpleVocabulary.fromValues(context.levels)


class Context:
    """Something to bind to."""

    levels = (100, 200)


def vocabulary(*terms):
    """Return a vocabulary of (value, token, title)."""
    return SimpleVocabulary([SimpleTerm(*term) for term in terms])


class ChoiceTests(unittest.TestCase):
    def plan(self, context=None, **kw):
        return FieldPlan(schema.Choice(__name__="choice", **kw), context)

    def convert(self, cell, plan):
        return plan.convert(cell, "create", True)

    def assertInvalid(self, cell, plan, expected):
        with self.assertRaises(ConversionError) as caught:
            self.convert(cell, plan)
        self.assertEqual(str(caught.exception), expected)

    def test_list_of_values(self):
        plan = self.plan(values=["m", "f"])
        self.assertEqual(self.convert("m", plan), "m")
        self.assertEqual(self.convert("F", plan), "f")
        self.assertInvalid("x", plan, "Invalid value: 'x' is not allowed; allowed: 'm', 'f'.")

    def test_values_that_are_no_texts(self):
        plan = self.plan(values=[100, 200, -1])
        self.assertEqual(self.convert("100", plan), 100)
        self.assertEqual(plan.render(-1), "-1")

    def test_title_in_any_case(self):
        plan = self.plan(vocabulary=vocabulary((1, "one", "Première"), (2, "two", None)))
        self.assertEqual(self.convert("PREMIÈRE", plan), 1)
        self.assertEqual(plan.render(1), "one")

    def test_token_comes_before_title(self):
        plan = self.plan(vocabulary=vocabulary((1, "a", "b"), (2, "b", "c")))
        self.assertEqual(self.convert("b", plan), 2)

    def test_ambiguous(self):
        plan = self.plan(vocabulary=vocabulary((1, "ab", None), (2, "AB", None)))
        self.assertEqual(self.convert("AB", plan), 2)
        self.assertInvalid(
            "Ab",
            plan,
            "Invalid value: 'Ab' stands for more than one value; write one of 'ab', 'AB'.",
        )

    def test_message_is_bounded(self):
        plan = self.plan(values=range(1000))
        with self.assertRaisesRegex(ConversionError, r"'7' and 992 more\.$"):
            self.convert("x" * 10000, plan)

    def test_non_ascii_value(self):
        """The token that zope.schema makes of it is nothing that a person would write."""
        plan = self.plan(values=["Ökonomie"])
        self.assertEqual(self.convert("Ökonomie", plan), "Ökonomie")
        self.assertEqual(plan.render("Ökonomie"), "Ökonomie")

    def test_objects_of_a_source_by_their_code(self):
        courses = Courses([Course("ABC"), Course("-X")])
        plan = self.plan(source=courses)
        self.assertIs(self.convert("abc", plan), courses[0])
        self.assertEqual(plan.render(courses[0]), "ABC")
        self.assertIs(self.convert(plan.render(courses[1]), plan), courses[1])
        self.assertEqual(plan.render(courses[1]), "'-X")

    def test_source_that_cannot_be_listed(self):
        plan = self.plan(source=ShortTexts())
        self.assertEqual(self.convert("abc", plan), "abc")
        self.assertInvalid("abcd", plan, "Invalid value: 'abcd' is not allowed.")

    def test_source_of_the_context_is_read_once(self):
        binder = AttributeOfContext()
        plan = self.plan(Context(), source=binder)
        self.assertEqual(self.convert("200", plan), 200)
        self.assertEqual(self.convert("100", plan), 100)
        self.assertEqual(binder.calls, 1)

    def test_named_vocabulary_is_a_utility(self):
        """A name means a utility, as everywhere in Zope."""

        @provider(IVocabularyFactory)
        def factory(context):
            return vocabulary(("m", "m", context))

        registry = getGlobalSiteManager()
        registry.registerUtility(factory, IVocabularyFactory, "sexes")
        self.addCleanup(registry.unregisterUtility, factory, IVocabularyFactory, "sexes")
        self.assertEqual(self.convert("Male", self.plan("male", vocabulary="sexes")), "m")

    def test_vocabulary_of_zope_schema_itself(self):
        self.addCleanup(install)
        getVocabularyRegistry().register("sexes", lambda context: vocabulary(("m", "m", "male")))
        plan = self.plan(vocabulary="sexes")
        self.assertEqual(self.convert("Male", plan), "m")

    def test_vocabulary_that_is_not_there(self):
        field = schema.List(value_type=schema.Choice(vocabulary="sexs"), __name__="sexes")
        with self.assertRaisesRegex(MappingError, "'sexes' names the vocabulary 'sexs', and noth"):
            FieldPlan(field)
        self.assertIn("'sexs'", english(explain(field).description))

    def test_vocabulary_that_fails(self):
        """Its mistake is told; a fault of the database is none."""

        def plan(error):
            @provider(IContextSourceBinder)
            def needs_a_row(context):
                raise error

            return self.plan(Context(), source=needs_a_row)

        with self.assertRaisesRegex(MappingError, "'choice': its values .*: KeyError: 'row'"):
            plan(KeyError("row"))
        with self.assertRaises(POSKeyError):
            plan(POSKeyError(b"0"))

    def test_value_that_is_not_allowed_any_more(self):
        """An export must not stop at an old value."""
        self.assertEqual(self.plan(values=["a"]).render("old"), "old")
        self.assertEqual(self.plan(values=["a"]).render(Course("ABC")), "ABC")

    def test_constraint_is_checked_too(self):
        plan = self.plan(values=["a", "b"], constraint=lambda value: value != "b")
        self.assertEqual(self.convert("a", plan), "a")
        self.assertInvalid(
            "b", plan, "Invalid input: 'b' does not satisfy the rule of this field."
        )
