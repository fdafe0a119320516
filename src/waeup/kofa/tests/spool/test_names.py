"""Names from outside."""

import os
import unittest
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from zope.i18nmessageid import Message

from waeup.kofa.errors import InvalidName
from waeup.kofa.spool import FOLDERS, check_name, numbered, stored_name
from waeup.kofa.spool.names import MAX_STORED_BYTES


class CheckNameTests(unittest.TestCase):
    def test_names_that_are_fine(self) -> None:
        for name in ("data.csv", "a b.csv", "Prüfung.csv", "данные.csv", "x", "a..b", "~a", "-a"):
            with self.subTest(name):
                self.assertEqual(check_name(name), name)

    def test_names_that_lead_elsewhere(self) -> None:
        names = ("", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", ".hidden", "C:\\x.csv")
        for name in (*names, *sorted(FOLDERS)):
            with self.subTest(name), self.assertRaises(InvalidName):
                check_name(name)

    def test_names_that_are_no_text(self) -> None:
        for name in ("a\0b", "a\nb", "a\x7fb", "a\u0085b", "a\u2028b", "a\udcffb"):
            with self.subTest(ascii(name)), self.assertRaisesRegex(InvalidName, "no text"):
                check_name(name)

    def test_length_is_counted_in_bytes(self) -> None:
        self.assertEqual(len(check_name("ü" * 127)), 127)
        with self.assertRaisesRegex(InvalidName, "255 bytes"):
            check_name("ü" * 128)

    def test_message_says_what_to_do(self) -> None:
        with self.assertRaises(InvalidName) as caught:
            check_name("../x")
        self.assertEqual(
            str(caught.exception),
            "'../x' is no file name: it contains a path separator. Choose another name.",
        )

    def test_each_reason_is_for_translators(self) -> None:
        for name in ("a/b", ".hidden", "a\nb", "a" * 256, "finished", "a" * 230 + ".pending.csv"):
            with self.subTest(name), self.assertRaises(InvalidName) as caught:
                stored_name(check_name(name), "ann")
            (text,) = caught.exception.args
            self.assertIsInstance(text.mapping["reason"], Message)

    @given(st.text())
    def test_what_passes_stays_in_its_folder(self, name: str) -> None:
        try:
            check_name(name)
        except InvalidName:
            return
        self.assertEqual(os.path.split(os.path.normpath(os.path.join("/a", name))), ("/a", name))
        os.fsencode(name)


class StoredNameTests(unittest.TestCase):
    def test_rule_of_kofa(self) -> None:
        for filename, userid, name in (
            ("faculties.csv", "zope.mgr", "faculties_zope.mgr.csv"),
            ("my new list.csv", "ann", "my_new_list_ann.csv"),
            ("a.b.csv", "ann", "a.b_ann.csv"),
            ("a.csv", "Ann Lee/../x", "a_AnnLee..x.csv"),
            ("A.CSV", "ann", "A_ann.csv"),
            ("a_ann.create.pending.csv", "bob", "a_ann.create.pending.csv"),
            ("C:\\lists\\a.csv", "ann", "a_ann.csv"),
        ):
            with self.subTest(filename):
                self.assertEqual(stored_name(filename, userid), name)

    def test_other_extensions(self) -> None:
        for filename in ("a.odt", "a", "csv", "a.csv.exe", "gz"):
            refused = self.assertRaisesRegex(InvalidName, "Only csv files are allowed")
            with self.subTest(filename), refused:
                stored_name(filename, "ann")

    def test_tables_in_other_forms_follow_the_same_rule(self) -> None:
        names = {
            "my list.XLSX": "my_list_ann.xlsx",
            "a.tsv": "a_ann.tsv",
            "a.csv.gz": "a_ann.csv.gz",
            "a.CSV.ZIP": "a_ann.csv.zip",
            "a.gz": "a_ann.gz",
            "v1.2.zip": "v1.2_ann.zip",
            "a.create.pending.csv.gz": "a.create.pending_ann.csv.gz",
        }
        for filename, name in names.items():
            with self.subTest(filename):
                self.assertEqual(stored_name(filename, "ann"), name)

    def test_a_number_stands_before_the_whole_extension(self) -> None:
        self.assertEqual(list(islice(numbered("a.csv.gz"), 2)), ["a.csv.gz", "a-2.csv.gz"])
        self.assertEqual(list(islice(numbered("a.b.gz"), 2)), ["a.b.gz", "a.b-2.gz"])

    def test_sixty_five_characters_before_the_first_dot(self) -> None:
        self.assertEqual(len(stored_name("a" * 61 + ".csv", "ann")), 69)
        with self.assertRaisesRegex(InvalidName, "Maximum file name length is 65 characters!"):
            stored_name("a" * 62 + ".csv", "ann")

    def test_names_of_results_fit_as_well(self) -> None:
        for name in (f"a.{'b' * (MAX_STORED_BYTES - 9)}.csv", f"{'b' * 200}.create.pending.csv"):
            with self.subTest(name), self.assertRaisesRegex(InvalidName, "results are longer"):
                stored_name(name, "ann")
        stored_name(f"a.{'b' * (MAX_STORED_BYTES - 10)}.csv", "ann")

    def test_no_two_names_look_the_same(self) -> None:
        for name in ("e\u0301.csv", "\u202e\u00e9\u200b.csv", "\ufeffe\u200d\u0301.csv"):
            with self.subTest(ascii(name)):
                self.assertEqual(stored_name(name, "ann"), "\u00e9_ann.csv")
        again = "e\u0301.create.pending.csv"
        self.assertEqual(stored_name(again, "ann"), again)

    def test_paths(self) -> None:
        for filename in ("../a.csv", "/etc/a.csv", "a/b.csv", ".hidden.csv", "../a.pending.csv"):
            with self.subTest(filename), self.assertRaises(InvalidName):
                stored_name(filename, "ann")

    @given(st.text(), st.text())
    def test_every_stored_name_is_an_item_name(self, filename: str, userid: str) -> None:
        try:
            name = stored_name(filename + ".csv", userid)
        except InvalidName:
            return
        self.assertEqual(check_name(name), name)
        self.assertTrue(name.endswith(".csv"))


class NumberedTests(unittest.TestCase):
    def test_counter_stands_behind_the_stem(self) -> None:
        names = numbered("data_mgr.csv")
        found = [next(names) for _number in range(3)]
        self.assertEqual(found, ["data_mgr.csv", "data_mgr-2.csv", "data_mgr-3.csv"])
