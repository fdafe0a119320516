"""Other tables behind the first one, and rows that only look like their names."""

import unittest

from waeup.kofa.tabular.profile import Profile
from waeup.kofa.tabular.sequel import begins_a_table
from waeup.kofa.tests.tabular.files import FileTestCase
from waeup.kofa.tests.tabular.test_profile import NAMES, ROWS

PEOPLE = (
    "Ada Okafor,Unity Hall,Lagos",
    "Bob Smith,Queens Hall,Ibadan",
    "Chidi Eze,Kings Hall,Kano",
    "Dan Bello,Unity Hall,Jos",
    "Eve Sánchez,Queens Hall,Lagos",
    "Ife Müller,Unity Hall,Enugu",
)


class Names(unittest.TestCase):
    def check(self, cells, expected, header=NAMES, rows=ROWS, apart=False):
        self.assertIs(begins_a_table(Profile(rows, len(header)), cells, header, apart), expected)

    def test_names_among_figures(self):
        self.check(("person", "office", "room", "phone"), True)
        self.check(("person", "office", "room", "phone"), True, apart=True)
        self.check(ROWS[0], False, apart=True)

    def test_a_name_stands_once_and_is_no_value(self):
        self.check(("person", "office", "room", "Room"), False)
        rows = [(*row[:1], "Law", *row[2:]) for row in ROWS]
        self.check(("person", "Law", "room", "phone"), False, rows=rows)

    def test_names_in_another_case_than_all_words(self):
        rows = [tuple(row.split(",")) for row in PEOPLE]
        header = ("name", "hall", "town")
        self.check(("case", "held_on", "report by"), True, header, rows)
        self.check((" case ", " held_on ", " report by "), True, header, rows)
        self.check(("Case", "Held on", "Report by"), False, header, rows)
        self.check(("Case", "held_on", "report by"), False, header, rows)

    def test_names_where_all_values_have_digits(self):
        streets = [f"{at} Ring Road, Flat {at}" for at in range(5)]
        halls = [f"{letter.upper()}{letter} Hall" for letter in "abcde"]
        for texts, expected in ((streets, True), (halls, False)):
            rows = [(str(at), text, f"Ada {text[:2]}") for at, text in enumerate(texts)]
            self.check(("Номер", "Фамилия", "Имя"), expected, ("id", "place", "owner"), rows)

    def test_few_rows_tell_nothing(self):
        self.check(("BSC8", "FAC3", "CX51"), False, ("a", "b", "c"), [("BSC7", "F", "C")], True)
        self.check(("name", "town", "hall"), True, ("a", "b", "c"), [("BSC7", "F", "C")], True)


class Files(FileTestCase):
    def codes(self, header, *rows):
        return [code for _cells, code in self.outcome("\n".join((header, *rows, "")))]

    def check(self, header, rows, sequel):
        """See that all of `sequel`, and nothing else, is reported as another table."""
        codes = self.codes(header, *rows, *sequel)
        self.assertEqual(codes, [None] * len(rows) + ["second-table"] * len(sequel))

    def test_names_in_small_letters_behind_words(self):
        sequel = ("case,held_on,report by", "1/17,2017-09-26,Postponed", "2/17,2017-10-01,Agreed")
        self.check("name,hall,town", PEOPLE, sequel)
        self.check("name,hall,town", PEOPLE * 10, sequel)
        self.check("name,hall,town", PEOPLE * 10, ("case,held_on,report by",))

    def test_names_in_small_letters_behind_many_words(self):
        letters = "abcdefghijklmnop"
        rows = [f"A{x}{y},B{y}{x}{z},C{y}{x}" for z in letters for y in letters for x in letters]
        sequel = ("case,held_on,report by", "1/17,2017-09-26,Postponed", "2/17,2017-10-01,Agreed")
        self.check("name,hall,town", rows, sequel)

    def test_words_behind_which_other_columns_have_digits(self):
        sequel = ("Course,Code,Credits", "Biology,BIO101,3", "Chemistry,CHM102,4")
        self.check("Name,Hall,Town", PEOPLE, sequel)
        rows = ("Chemistry,CHM102,4", "Law,LAW201,2", "Arts,ART301,5", "Drama,DRA99,3")
        self.check("Course,Code,Credits", (*rows, "Music,MUS101,1"), ("Name,Hall,Town", *PEOPLE))

    def test_one_column_that_has_digits_from_here_on_is_none(self):
        marks = ("Jo Bello,Kuti Hall,23", "Ed Obi,Unity Hall,45", "Al Obi,Kings Hall,50")
        codes = self.codes("Name,Hall,Mark", *PEOPLE, "Zed Zulu,Tower Hall,Excused", *marks)
        self.assertEqual(codes, [None] * 10)

    def test_an_odd_row_and_rows_as_before(self):
        odd = "unknown,unknown hall,nowhere"
        codes = self.codes("name,hall,town", *PEOPLE, odd, *PEOPLE)
        self.assertEqual(codes, [None] * 13)

    def test_words_for_several_values_and_rows_as_before(self):
        rows = [f"SN{at},Name {at},{at}/09/1991" for at in range(10, 20)]
        codes = self.codes("Staff No,Name,Since", *rows, "vacant,not known,never", *rows)
        self.assertEqual(codes, [None] * 10 + ["second-table"] + [None] * 10)

    def test_one_of_the_names_shows_another_list(self):
        rows = [f"SN{at},Name {at},{at}/09/1991" for at in range(10, 20)]
        self.check("Staff No,Name,Since", rows, ("staff no,person,born", *rows))
