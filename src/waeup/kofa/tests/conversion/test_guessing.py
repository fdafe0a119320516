"""What columns and texts may mean: the steps, their order, and what stays open."""

import unittest
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from waeup.kofa.conversion import Guess, TokenGuesser, guess_columns, guessing, propose
from waeup.kofa.conversion.guessing import CONFIDENCE, THRESHOLD, similarity, words_of

FIELDS = {
    "student_id": ("Student Id",),
    "firstname": ("First Name", "Vorname"),
    "lastname": ("Last Name (Surname)", "Nachname (Familienname)"),
    "sex": ("Gender", "Geschlecht"),
    "matric_number": ("Matriculation Number",),
    "semester": ("Semester/Term",),
    "faculty_code": (),
}


def guess(*header, remembered=None, fields=FIELDS):
    """Return pairs of field and reason."""
    return [(g.value, g.reason) for g in guess_columns(header, fields, remembered or {})]


class GuessColumnsTests(unittest.TestCase):
    def test_each_step(self):
        self.assertEqual(
            guess(
                "student_id",
                "First Name",
                "M/F",
                "Surname",
                "Matric No.",
                "Facutly Code",
                "Shoe size",
                "--ERRORS--",
                remembered={"m/f": "sex"},
            ),
            [
                ("student_id", "same"),
                ("firstname", "loose"),
                ("sex", "remembered"),
                ("lastname", "title"),
                ("matric_number", "similar"),
                ("faculty_code", "similar"),
                (None, ""),
                (None, ""),
            ],
        )

    def test_titles_of_all_languages(self):
        self.assertEqual(
            guess("Vorname", "FAMILIENNAME", "Geschelcht"),
            [("firstname", "title"), ("lastname", "title"), ("sex", "similar")],
        )

    def test_earlier_steps_are_more_certain(self):
        header = ["sex", "Student Id", "Given", "Surname", "Matric Nmuber"]
        guesses = guess_columns(header, FIELDS, {"given": "firstname"})
        certain = [g.confidence for g in guesses]
        self.assertEqual([g.reason for g in guesses], [*CONFIDENCE, "similar"])
        self.assertEqual(certain, sorted(certain, reverse=True))
        self.assertEqual((certain[0], len(set(certain))), (1.0, 5))

    def test_names_of_fields_come_before_what_is_remembered(self):
        self.assertEqual(guess("sex", remembered={"sex": "firstname"}), [("sex", "same")])
        self.assertEqual(guess("sex", remembered={"sex": None}), [("sex", "same")])

    def test_a_column_that_was_left_out_is_left_out(self):
        """Also one that is similar to a field."""
        self.assertEqual(guess("Mat_Number"), [("matric_number", "similar")])
        self.assertEqual(
            guess_columns(["Mat_Number"], FIELDS, {"matnumber": None}),
            [Guess(None, CONFIDENCE["remembered"], "remembered")],
        )

    def test_names_that_are_very_long_are_compared_with_nothing(self):
        with mock.patch.object(guessing, "similarity", wraps=similarity) as compared:
            found = guess("x y " * 500_000, "Matric Nmuber")
        self.assertEqual(found, [(None, ""), ("matric_number", "similar")])
        names = {tuple(call.args[0]) for call in compared.call_args_list}
        self.assertEqual(names, {("matric", "nmuber")})

    def test_what_is_remembered_must_be_there_and_free(self):
        self.assertEqual(guess("a", remembered={"a": "gone"}), [(None, "")])
        self.assertEqual(guess("sex", "a", remembered={"a": "sex"}), [("sex", "same"), (None, "")])

    def test_two_columns_for_one_field_stay_open(self):
        self.assertEqual(guess("a", "b", remembered={"a": "sex", "b": "sex"}), [(None, "")] * 2)
        self.assertEqual(guess("First-Name", "FIRST NAME"), [(None, "")] * 2)
        self.assertEqual(guess("Gender.", "GENDER!"), [(None, "")] * 2)
        self.assertEqual(guess("Matric Nmuber", "Matric Nubmer"), [(None, "")] * 2)
        self.assertEqual(guess("A a", "a-A", remembered={"aa": "sex"}), [(None, "")] * 2)

    def test_two_fields_for_one_column_stay_open(self):
        fields = {"code1": ("Code",), "code2": ("A", "Code"), "mother_name": (), "father_name": ()}
        self.assertEqual(guess("Code.", fields=fields), [(None, "")])
        self.assertEqual(guess("xather_name", fields=fields), [("father_name", "similar")])
        self.assertEqual(guess("other_name", fields=fields), [("mother_name", "similar")])
        fields = {"officer_1": (), "officer_2": ()}
        self.assertEqual(guess("officer", fields=fields), [(None, "")])

    def test_who_means_a_field_that_is_taken_does_not_mean_the_next_best(self):
        fields = {"score": (), "scored": ()}
        self.assertEqual(guess("scores", fields=fields), [("score", "similar")])
        self.assertEqual(guess("score", "scores", fields=fields), [("score", "same"), (None, "")])

    def test_short_names_and_the_dates_of_removed_objects_are_never_similar(self):
        self.assertEqual(guess("sax"), [(None, "")])
        self.assertEqual(similarity(words_of("sax"), words_of("sex")), 0)
        self.assertEqual(guess("del_date", fields={"dell_date": ()}), [(None, "")])

    def test_the_order_of_words_does_not_count(self):
        self.assertEqual(
            similarity(words_of("Code of the Faculty"), words_of("the faculty of code")), 1
        )
        self.assertGreater(
            similarity(words_of("faculty code"), words_of("Code, Faculty")), THRESHOLD
        )
        self.assertLess(similarity(words_of("firstname"), words_of("lastname")), THRESHOLD)

    @given(
        st.lists(
            st.sampled_from(["a", "A", "sex", "Sex", "gender", "gendre", "x y", "--a", "né"]),
            unique=True,
        ),
        st.dictionaries(
            st.sampled_from(["sex", "gender", "a", "xy", "x-y"]),
            st.sampled_from([(), ("Gender",), ("A", "Gender")]),
        ),
        st.dictionaries(
            st.sampled_from(["a", "xy", "gendre"]), st.sampled_from(["sex", "a", None, "nix"])
        ),
    )
    def test_no_field_twice_and_what_is_certain_stays(self, header, fields, remembered):
        guesses = guess_columns(header, fields, remembered)
        found = [g.value for g in guesses if g.value is not None]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(set(found), set(fields))
        for certain, guessed in zip(propose(header, fields), guesses, strict=True):
            self.assertIn(certain, (None, guessed.value))
            self.assertEqual(guessed.confidence > 0, bool(guessed.reason))
            self.assertLessEqual(guessed.confidence, 1)


class TokenGuesserTests(unittest.TestCase):
    sexes = TokenGuesser([("m", "m"), ("Male", "m"), ("f", "f"), ("Female", "f")])

    def test_the_closest_name(self):
        for text, token in (("Fem", "f"), ("femal", "f"), ("MAL", "m"), ("F.", "f"), ("Mr", "m")):
            with self.subTest(text):
                found = self.sexes.guess(text)
                self.assertEqual((found.value, found.reason), (token, "similar"))
                self.assertTrue(0.6 < found.confidence < CONFIDENCE["title"])

    def test_a_title_is_more_than_a_close_name(self):
        guess = Guess("f", CONFIDENCE["title"], "title")
        self.assertEqual([self.sexes.guess(text) for text in ("female", "FEMALE")], [guess] * 2)
        both = TokenGuesser([("other", "x"), ("Other", "y")])
        self.assertEqual(both.guess("other"), Guess())

    def test_what_is_close_to_none_or_to_several_stays_open(self):
        self.assertEqual(self.sexes.guess("boy"), Guess())
        self.assertEqual(self.sexes.guess(""), Guess())
        self.assertEqual(
            TokenGuesser([("level 1", "1"), ("level 2", "2")]).guess("level"), Guess()
        )
        self.assertEqual(TokenGuesser([]).guess("x"), Guess())
