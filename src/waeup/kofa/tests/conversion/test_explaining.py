"""What is said about a field."""

import unittest

from zope import schema
from zope.interface import Interface

from waeup.kofa.conversion import explain


class IShelf(Interface):
    """Has a field whose rule fails in a way of its own."""

    mark = schema.TextLine(title="Mark", constraint=lambda text: text[5] == "z")


class Examples(unittest.TestCase):
    """Cells that an import accepts."""

    def test_a_rule_that_fails_leaves_no_example(self):
        words = explain(IShelf["mark"])
        self.assertEqual(
            (words.title, words.kind, words.example), ("Mark", "text in one line", "")
        )
