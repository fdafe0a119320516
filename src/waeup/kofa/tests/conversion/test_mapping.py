"""Columns to fields: what a person says, what is guessed, what is refused."""

import unittest
from dataclasses import FrozenInstanceError

from waeup.kofa.conversion import Mapping, propose
from waeup.kofa.errors import FatalCSVError, MappingError

FIELDS = ["code", "title", "title_prefix", "sex"]


class MappingTests(unittest.TestCase):
    def test_is_a_value(self):
        mapping = Mapping(("code", None), (("title", "x"),))
        self.assertEqual(mapping, Mapping(("code", None), (("title", "x"),)))
        with self.assertRaises(FrozenInstanceError):
            mapping.columns = ()

    def test_fields_and_headerfields(self):
        mapping = Mapping(("code", None, "title"), (("sex", "m"),))
        self.assertEqual(mapping.fields, ("code", "title", "sex"))
        self.assertEqual(mapping.headerfields, ["code", "--IGNORE--", "title"])

    def test_from_headerfields(self):
        """What `doImport` is given, with the columns of a pending file."""
        mapping = Mapping.from_headerfields(
            ["code", "--IGNORE--", "title", "--ERRORS--", "--RAW--"], [("sex", "m")]
        )
        self.assertEqual(mapping.columns, ("code", None, "title", None, None))
        self.assertEqual(mapping.constants, (("sex", "m"),))

    def test_field_filled_twice(self):
        with self.assertRaisesRegex(FatalCSVError, r"^Double headers: .* once: 'code'\."):
            Mapping(("code", "title", "code"))
        with self.assertRaisesRegex(
            MappingError, "'code' is filled by a column and by a constant"
        ):
            Mapping(("code",), (("code", "x"),))
        with self.assertRaisesRegex(MappingError, "^Double headers"):
            Mapping((), (("code", "x"), ("code", "y")))

    def test_values_have_one_form(self):
        """Thus two mappings that do the same are equal."""
        mapping = Mapping(
            ("sex",), (), (("sex", ((" W ", "f"), ("M", "m"))), ("sex", (("M", "m"),)), ("x", ()))
        )
        self.assertEqual(mapping.values, (("sex", (("M", "m"), ("W", "f"))),))

    def test_values_that_contradict_or_have_a_meaning(self):
        for pairs, message in (
            ((("M", "m"), ("M", "f")), "'M' of 'sex' stands for 'm' and for 'f'"),
            ((("", "m"),), "An empty cell of 'sex' cannot stand for something else"),
            ((("XXX", "m"),), "'XXX' of 'sex' cannot stand for something else"),
        ):
            with self.subTest(message), self.assertRaisesRegex(MappingError, message):
                Mapping(("sex",), (), (("sex", pairs),))


class OfTests(unittest.TestCase):
    def test_all_choices_at_once(self):
        mapping = Mapping.of(
            ["id", "Title", "gender", "note", "--ERRORS--"],
            FIELDS,
            assign={"id": "code", "gender": "sex"},
            ignore={"note"},
            constants={"title_prefix": "faculty"},
        )
        self.assertEqual(mapping.columns, ("code", "title", "sex", None, None))
        self.assertEqual(mapping.constants, (("title_prefix", "faculty"),))

    def test_choice_of_a_person_comes_before_the_name(self):
        """The column `code` is left over when another one fills the field."""
        header = ["id", "code"]
        with self.assertRaisesRegex(MappingError, "No field fits the columns 'code'"):
            Mapping.of(header, FIELDS, assign={"id": "code"})
        mapping = Mapping.of(header, FIELDS, assign={"id": "code"}, ignore_rest=True)
        self.assertEqual(mapping.columns, ("code", None))

    def test_column_that_fits_nothing(self):
        with self.assertRaises(MappingError) as caught:
            Mapping.of(["code", "colour"], FIELDS)
        self.assertEqual(
            str(caught.exception),
            "No field fits the columns 'colour'. Name a field for each or ignore it. "
            "Fields: 'code', 'title', 'title_prefix', 'sex'.",
        )
        self.assertEqual(
            Mapping.of(["code", "colour"], FIELDS, ignore_rest=True).columns, ("code", None)
        )

    def test_names_that_do_not_exist(self):
        for choices, message in (
            ({"assign": {"nix": "code"}}, r"no column 'nix'. The columns are: 'code', 'title'\."),
            ({"ignore": ["nix"]}, "no column 'nix'"),
            ({"assign": {"code": "nix"}}, r"no field 'nix'. The fields are: 'code', 'title', "),
            ({"constants": {"nix": "1"}}, "no field 'nix'"),
            ({"assign": {"code": "title"}, "ignore": ["code"]}, "filled in and ignored at once"),
        ):
            with self.subTest(choices=choices), self.assertRaisesRegex(MappingError, message):
                Mapping.of(["code", "title"], FIELDS, **choices)

    def test_constant_for_a_column(self):
        with self.assertRaisesRegex(MappingError, "by a column and by a constant; ignore the col"):
            Mapping.of(["code"], FIELDS, constants={"code": "x"})
        mapping = Mapping.of(["code"], FIELDS, constants={"code": "x"}, ignore=["code"])
        self.assertEqual(mapping.fields, ("code",))

    def test_every_name_with_two_hyphens_is_ignored(self):
        mapping = Mapping.from_headerfields(["code", "--NOTE--", "--NOTE--"])
        self.assertEqual(mapping.columns, ("code", None, None))
        mapping = Mapping.of(["code", "--NOTE--"], FIELDS)
        self.assertEqual(mapping.columns, ("code", None))

    def test_values_are_for_fields_of_columns(self):
        values = (("sex", (("M", "m"),)),)
        mapping = Mapping.of(["code", "sex"], FIELDS, values=values)
        self.assertEqual(mapping.values, values)
        with self.assertRaisesRegex(MappingError, "no column fills"):
            Mapping.of(["code"], FIELDS, values=values)
        with self.assertRaisesRegex(MappingError, "no field 'nix'"):
            Mapping.of(["code"], FIELDS, values=(("nix", (("M", "m"),)),))

    def test_result_columns_never_fill_a_field(self):
        with self.assertRaisesRegex(MappingError, "no column '--ERRORS--'"):
            Mapping.of(["code", "--ERRORS--"], FIELDS, assign={"--ERRORS--": "title"})
        mapping = Mapping.of(["code", "--ERRORS--"], FIELDS, ignore=["--ERRORS--", "--RAW--"])
        self.assertEqual(mapping.columns, ("code", None))

    def test_two_columns_for_one_field(self):
        with self.assertRaisesRegex(MappingError, "^Double headers"):
            Mapping.of(["a", "b"], FIELDS, assign={"a": "code", "b": "code"})
        with self.assertRaisesRegex(MappingError, "^Double headers"):
            Mapping.of(["code", "code"], FIELDS)

    def test_messages_are_bounded(self):
        header = [f"column{i}" for i in range(1000)]
        with self.assertRaisesRegex(MappingError, "and 988 more") as caught:
            Mapping.of(header, FIELDS)
        self.assertLess(len(str(caught.exception)), 500)


class ProposeTests(unittest.TestCase):
    def test_exact_then_loose(self):
        self.assertEqual(
            propose(["Title Prefix", "CODE", "title", "x", "--ERRORS--"], FIELDS),
            ["title_prefix", "code", "title", None, None],
        )

    def test_exact_name_wins(self):
        self.assertEqual(propose(["Code", "code"], FIELDS), [None, "code"])

    def test_ambiguous_columns_stay_open(self):
        self.assertEqual(propose(["Title-Prefix", "TITLE PREFIX"], FIELDS), [None, None])

    def test_ambiguous_fields_stay_open(self):
        self.assertEqual(propose(["AB"], ["a_b", "ab"]), [None])
        self.assertEqual(propose(["ab"], ["a_b", "ab"]), ["ab"])
