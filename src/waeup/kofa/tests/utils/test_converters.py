"""The converter of whole objects under the import path of Kofa 1.9."""

import unittest

from zope import schema
from zope.interface import Interface, Invalid, invariant
from zope.interface.verify import verifyObject

from waeup.kofa.testing import KofaUnitTestLayer
from waeup.kofa.utils.converters import DefaultObjectConverter, IObjectConverter


class ICourse(Interface):
    """A schema with an invariant."""

    code = schema.TextLine()
    start = schema.Int(required=False)
    end = schema.Int(required=False)

    @invariant
    def order(course):
        if course.start > course.end:
            raise Invalid("Start and end must correspond.")


class DefaultObjectConverterTests(unittest.TestCase):
    layer = KofaUnitTestLayer

    def convert(self, texts, **kw):
        return IObjectConverter(ICourse).fromStringDict(texts, "waeup.Course", **kw)

    def test_schemas_are_adapted(self):
        converter = IObjectConverter(ICourse)
        self.assertIsInstance(converter, DefaultObjectConverter)
        self.assertTrue(verifyObject(IObjectConverter, converter))

    def test_good_texts(self):
        self.assertEqual(
            self.convert({"code": " ABC ", "start": "1", "end": "2", "unknown": "x"}),
            ([], [], {"code": "ABC", "start": 1, "end": 2}),
        )

    def test_markers(self):
        self.assertEqual(
            self.convert({"code": "<IGNORE>", "start": "XXX"}, mode="update"),
            ([], [], {"start": None}),
        )

    def test_errors_are_collected(self):
        errors, invariants, values = self.convert({"code": "", "start": "x", "end": "1"})
        self.assertEqual([name for name, _ in errors], ["code", "start"])
        self.assertTrue(errors[0][1].startswith("Invalid input"))
        self.assertTrue(errors[1][1].startswith("Invalid integer data"))
        self.assertEqual((invariants, values), ([], {}))

    def test_invariants(self):
        self.assertEqual(
            self.convert({"start": "2", "end": "1"}), ([], ["Start and end must correspond."], {})
        )

    def test_chosen_fields_only(self):
        self.assertEqual(
            self.convert({"code": "ABC", "start": "x"}, form_fields=[ICourse["code"]]),
            ([], [], {"code": "ABC"}),
        )

    def test_fields_that_must_not_be_cleared(self):
        errors, _, values = self.convert({"code": "XXX"})
        self.assertEqual((errors, values), ([("RequiredMissing", "code")], {}))
