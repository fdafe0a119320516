"""Mappings with a name: what they fill from a table whose columns stand otherwise."""

import unittest
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.conversion import Mapping, SavedMapping
from waeup.kofa.conversion.saved import NAME_LENGTH, check_mapping_name
from waeup.kofa.errors import InvalidName

FIELDS = ["code", "title", "sex", "size", "owner"]


def saved(*columns, constants=(), values=()):
    """Return a saved mapping of pairs of column and field."""
    date = datetime(2026, 11, 28, tzinfo=timezone.utc)
    return SavedMapping("weekly", "bears", columns, constants, values, "ann", date)


class FitTests(unittest.TestCase):
    def test_columns_are_found_by_name(self):
        values = (("sex", (("W", "f"),)),)
        mapping = saved(
            ("Id", "code"), ("Note", None), ("S", "sex"), constants=(("size", "1"),), values=values
        )
        fitted = mapping.fit(["S", "Id", "Note"])
        self.assertEqual(fitted.mapping, Mapping(("sex", "code", None), (("size", "1"),), values))
        self.assertEqual((fitted.missing, fitted.new), ((), ()))

    def test_what_is_missing_and_what_is_new_is_told(self):
        mapping = saved(("Id", "code"), ("Note", None), ("S", "sex"))
        fitted = mapping.fit(["Id", "Colour", "--ERRORS--", "del_date"])
        self.assertEqual(fitted.mapping.columns, ("code", None, None, None))
        self.assertEqual((fitted.missing, fitted.new), ((("S", "sex"),), ("Colour",)))

    def test_case_and_blanks_do_not_count_unless_that_is_ambiguous(self):
        mapping = saved(("Last Name", "title"), ("ID", "code"))
        self.assertEqual(mapping.fit(["id", "LAST_NAME"]).mapping.columns, ("code", "title"))
        self.assertEqual(mapping.fit(["id", "Id"]).mapping.columns, (None, None))
        self.assertEqual(mapping.fit(["id", "ID"]).mapping.columns, (None, "code"))
        self.assertEqual(
            saved(("a b", "code"), ("a-b", "title")).fit(["AB"]).mapping.columns, (None,)
        )

    @given(st.data())
    def test_a_permuted_table_fills_the_same_fields(self, data):
        header = data.draw(
            st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=5, unique=True)
        )
        fields = data.draw(st.permutations([*FIELDS, *[None] * len(header)]))[: len(header)]
        pairs = [(n, f) for n, f in zip(header, fields, strict=True) if n[:2] != "--"]
        permuted = data.draw(st.permutations(header))
        fitted = saved(*pairs).fit(permuted)
        filled = {
            (name, field)
            for name, field in zip(permuted, fitted.mapping.columns, strict=True)
            if field is not None
        }
        self.assertEqual(filled, {pair for pair in pairs if pair[1] is not None})
        self.assertEqual((fitted.missing, fitted.new), ((), ()))


class NameTests(unittest.TestCase):
    def test_names(self):
        self.assertEqual(check_mapping_name(" Weekly list, té "), "Weekly list, té")
        for name in (
            "",
            "  ",
            "x" * (NAME_LENGTH + 1),
            "a\nb",
            "a\tb",
            "a\0",
            "a\u202eb",
            "a\u00a0b",
        ):
            with self.subTest(name), self.assertRaises(InvalidName):
                check_mapping_name(name)
